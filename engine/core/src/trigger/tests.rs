//! Triggers played against lines of events: what is decided on each, and what follows when a run ends or time passes.

mod random;

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Incoming, Judge, Ruling, Tell, Trigger};
use crate::check::{Catalogue, CheckOptions, judge};
use crate::cloud_event::{CloudEvent, Status};
use crate::diagnostic::Source;
use crate::document::Document;
use crate::value::{Map, Value};

const EPOCH: &str = "2026-01-05T00:00:00Z";

/// The triggers of a playbook with inputs `host` (required, a host name) and `level`.
fn triggers_of(name: &str, triggers: &str, more: &str) -> Vec<Trigger> {
    triggers_in(name, triggers, more, None)
}

fn triggers_in(name: &str, triggers: &str, more: &str, workspace: Option<&str>) -> Vec<Trigger> {
    let text = format!(
        "apiVersion: runbook/v1\nkind: Playbook\nname: {name}\nversion: 1.2.0\nowner: o\nimpact: low\nescalation: e\n{more}triggers: {triggers}\ninputs: {{host: {{type: host}}, level: {{type: integer, default: 1}}}}\nsteps: [{{effect: read, exec: [x, '{{{{inputs.host}}}}', '{{{{inputs.level}}}}']}}]\n"
    );
    let (document, found) = crate::document::load(&Source::new("a.yaml", text.as_str()));
    let Some(Document::Procedure(procedure)) = document else { panic!("{text}\n{:?}", found.into_sorted()) };
    let workspace = workspace.map(|text| match crate::document::load(&Source::new("workspace.yaml", text)) {
        (Some(Document::Workspace(workspace)), _) => workspace,
        (_, found) => panic!("{text}\n{:?}", found.into_sorted()),
    });
    let catalogue = Catalogue::new([&*procedure], workspace.as_deref());
    let judgement = judge(&procedure, &catalogue, &CheckOptions::default());
    assert!(!judgement.found.has_errors(), "{text}\n{:?}", judgement.found.into_sorted());
    judgement.triggers
}

fn event(number: u64, about: &str, status: Status) -> CloudEvent {
    CloudEvent {
        id: number.to_string(),
        source: "/tests".to_owned(),
        kind: "alert".to_owned(),
        subject: None,
        time: None,
        data: Value::Map(Map::from([("host".to_owned(), Value::text(about))])),
        extensions: Map::new(),
        key: about.to_owned(),
        status,
    }
}

fn start() -> Timestamp {
    EPOCH.parse().unwrap()
}

/// A play: the judge, the events so far, and their runs.
struct Play {
    judge: Judge,
    events: u64,
    /// Run → the event that it is of.
    runs: HashMap<String, u64>,
    recorded: Vec<Ruling>,
}

impl Play {
    fn of(triggers: Vec<Trigger>) -> Play {
        Play { judge: Judge::new(triggers), events: 0, runs: HashMap::new(), recorded: Vec::new() }
    }

    /// `5s +web` (it fires), `5s -web` (it is over), `5s end 1` (the run of event 1 has ended), `5s wake`.
    fn act(&mut self, line: &str) -> Vec<Ruling> {
        let (at, what) = line.split_once(' ').unwrap();
        let now = start() + parsed(at);
        let rulings = match what.split_once(' ') {
            Some(("end", event)) => {
                let event: u64 = event.parse().unwrap();
                let run = self.runs.iter().find(|(_, of)| **of == event).unwrap().0.parse().unwrap();
                self.judge.ended(&run, now)
            }
            _ if what == "wake" => self.judge.wake(now),
            _ => {
                self.events += 1;
                let status = match &what[..1] {
                    "+" => Status::Firing,
                    "-" => Status::Resolved,
                    _ => Status::Once,
                };
                let event = event(self.events, &what[1..], status);
                let incoming = Incoming { number: self.events, source: "s", event: &event, received: now, now };
                self.judge.receive(&incoming)
            }
        };
        for ruling in &rulings {
            if let Some(run) = ruling.decision.run().filter(|run| **run == ruling.keys.run) {
                self.runs.insert(run.to_string(), ruling.event);
            }
        }
        self.recorded.extend(rulings.iter().cloned());
        rulings
    }

    /// `2 dropped: the same as event 1, by `dedup` until +10m`: runs as `r1`, times since the beginning.
    fn shown(&self, ruling: &Ruling) -> String {
        let mut text = format!("{} {}", ruling.event, ruling.decision);
        for (run, event) in &self.runs {
            text = text.replace(run, &format!("r{event}"));
        }
        while let Some(at) = text.find("2026-") {
            let end = text[at..].find('Z').unwrap() + at + 1;
            let time: Timestamp = text[at..end].parse().unwrap();
            let since = Duration::try_from(time.duration_since(start())).unwrap();
            text.replace_range(at..end, &format!("+{}", crate::value::format_duration(since)));
        }
        let told = ruling.tells().map(|(_, tell)| match tell {
            Tell::Joined => " [note]",
            Tell::Resolved => " [over]",
            Tell::CancelIfWaiting => " [cancel if waiting]",
            Tell::Cancel => " [cancel]",
        });
        text + told.unwrap_or_default()
    }
}

fn parsed(text: &str) -> Duration {
    crate::value::parse_duration(text).unwrap()
}

/// Plays lines against triggers; each line says what happens, and what is decided.
#[track_caller]
fn check(triggers: &str, more: &str, lines: &[(&str, &[&str])]) {
    let mut play = Play::of(triggers_of("a", triggers, more));
    for (line, expect) in lines {
        let rulings = play.act(line);
        let said: Vec<String> = rulings.iter().map(|ruling| play.shown(ruling)).collect();
        assert_eq!(said, *expect, "{line}");
    }
}

const INPUTS: &str = "inputs: {host: event.data.host}";

#[test]
fn an_event_that_is_meant_starts_a_run() {
    check(
        &format!("[{{source: s, when: event.data.host != \"spare\", {INPUTS}}}]"),
        "",
        &[
            ("0s +web", &["1 ran: r1"]),
            ("0s +spare", &["2 dropped: its `when` is false"]),
            ("0s .web", &["3 ran: r3"]),
            ("0s -web", &["4 dropped: it is over, and `on_resolved` is `ignore`"]),
            ("0s +a b", &["5 dropped: an input cannot be read from it: `host`: `a b` is not a host name or an address"]),
        ],
    );
    let unread = format!("[{{source: s, when: event.data.level > 3, {INPUTS}}}]");
    let said = Play::of(triggers_of("a", &unread, "")).act("0s +web");
    let said = said[0].decision.to_string();
    assert!(said.starts_with("dropped: `when` cannot be read from it: "), "{said}");
}

#[test]
fn each_trigger_of_a_source_decides() {
    check(
        &format!(
            "[{{source: s, when: event.data.host == \"a\", {INPUTS}}}, {{source: other, {INPUTS}}}, {{id: third, source: s, {INPUTS}}}]"
        ),
        "",
        &[("0s +b", &["1 dropped: its `when` is false", "1 ran: r1"])],
    );
    let triggers = triggers_of("a", &format!("[{{source: s, {INPUTS}}}, {{id: third, source: s, {INPUTS}}}]"), "");
    let names: Vec<String> = triggers.iter().map(|trigger| trigger.name.to_string()).collect();
    assert_eq!(names, ["a/1", "a/third"]);
}

#[test]
fn events_with_one_key_are_one_for_a_while() {
    check(
        &format!("[{{source: s, dedup: {{key: event.data.host, window: 10m}}, {INPUTS}}}]"),
        "",
        &[
            ("0s +web", &["1 ran: r1"]),
            ("5m +web", &["2 dropped: the same as event 1, by `dedup` until +10m"]),
            ("6m +db", &["3 ran: r3"]),
            ("9m59s +web", &["4 dropped: the same as event 1, by `dedup` until +10m"]),
            ("10m +web", &["5 ran: r5"]),
            ("10m1s +web", &["6 dropped: the same as event 5, by `dedup` until +20m"]),
        ],
    );
}

#[test]
fn only_so_many_runs_start_in_a_time() {
    let trigger = |then: &str| format!("[{{source: s, limit: {{runs: 2, per: 10m, then: {then}}}, {INPUTS}}}]");
    check(
        &trigger("drop"),
        "",
        &[
            ("0s +a", &["1 ran: r1"]),
            ("1m +b", &["2 ran: r2"]),
            ("2m +c", &["3 dropped: over the `limit` of 2 runs in 10m"]),
            ("10m +d", &["4 ran: r4"]),
            ("10m +e", &["5 dropped: over the `limit` of 2 runs in 10m"]),
        ],
    );
    check(
        &trigger("escalate"),
        "",
        &[
            ("0s +a", &["1 ran: r1"]),
            ("1m +b", &["2 ran: r2"]),
            ("2m +c", &["3 dropped: over the `limit` of 2 runs in 10m; people are told"]),
            // They have been told, for as long as the limit counts.
            ("3m +d", &["4 dropped: over the `limit` of 2 runs in 10m"]),
            ("10m +e", &["5 ran: r5"]),
            ("10m +f", &["6 dropped: over the `limit` of 2 runs in 10m"]),
            ("11m +g", &["7 ran: r7"]),
            ("12m +h", &["8 dropped: over the `limit` of 2 runs in 10m; people are told"]),
        ],
    );
    check(
        &trigger("defer"),
        "",
        &[
            ("0s +a", &["1 ran: r1"]),
            ("1m +b", &["2 ran: r2"]),
            ("2m +c", &["3 deferred: over the `limit` until +10m"]),
            ("2m +d", &["4 deferred: over the `limit` until +11m"]),
            ("2m +e", &["5 deferred: over the `limit` until +20m"]),
            ("9m wake", &[]),
            // Nobody goes before those that wait.
            ("10m +f", &["6 deferred: over the `limit` until +21m"]),
            ("10m wake", &["3 ran: r3"]),
            ("11m wake", &["4 ran: r4"]),
        ],
    );
}

#[test]
fn a_number_of_events_starts_one_run() {
    check(
        &format!("[{{source: s, accumulate: {{events: 3, within: 10m, key: event.data.host}}, {INPUTS}}}]"),
        "",
        &[
            ("0s +a", &["1 deferred: 1 of the 3 events of `accumulate`, until +10m"]),
            ("1m +b", &["2 deferred: 1 of the 3 events of `accumulate`, until +11m"]),
            ("2m +a", &["3 deferred: 2 of the 3 events of `accumulate`, until +12m"]),
            (
                "3m +a",
                &[
                    "1 joined: event 4 made the number of `accumulate` full",
                    "3 joined: event 4 made the number of `accumulate` full",
                    "4 ran: r4",
                ],
            ),
            ("4m +a", &["5 deferred: 1 of the 3 events of `accumulate`, until +14m"]),
            ("11m wake", &["2 dropped: 1 of the 3 events of `accumulate` came in time"]),
            ("13m59s +a", &["6 deferred: 2 of the 3 events of `accumulate`, until +23m 59s"]),
            // The first is too old, though nobody has looked yet.
            ("14m +a", &["7 deferred: 2 of the 3 events of `accumulate`, until +24m"]),
        ],
    );
}

#[test]
fn nothing_starts_in_a_quiet_time() {
    let quiet = "quiet: [{days: [mon], from: \"00:00\", to: \"06:00\", reason: Backups}]";
    check(
        &format!("[{{source: s, {quiet}, dedup: {{key: event.data.host, window: 12h}}, {INPUTS}}}]"),
        "",
        &[
            ("1h +a", &["1 deferred: nothing starts until +6h: Backups"]),
            ("2h +a", &["2 dropped: the same as event 1, by `dedup` until +13h"]),
            ("5h wake", &[]),
            ("6h wake", &["1 ran: r1"]),
            ("7h +b", &["3 ran: r3"]),
        ],
    );
}

#[test]
fn a_key_is_never_busy_twice() {
    let trigger = |then: &str| format!("[{{source: s, concurrency: {{key: event.data.host, then: {then}}}, {INPUTS}}}]");
    check(
        &trigger("queue"),
        "",
        &[
            ("0s +a", &["1 ran: r1"]),
            ("1s +a", &["2 deferred: behind run r1 of the same `concurrency` key"]),
            ("2s +b", &["3 ran: r3"]),
            ("3s +a", &["4 deferred: behind run r1 of the same `concurrency` key"]),
            ("4s end 1", &["2 ran: r2"]),
            ("5s end 2", &["4 ran: r4"]),
            ("6s end 4", &[]),
            ("7s +a", &["5 ran: r5"]),
        ],
    );
    check(
        &trigger("skip"),
        "",
        &[
            ("0s +a", &["1 ran: r1"]),
            ("1s +a", &["2 dropped: run r1 of the same `concurrency` key goes on"]),
            ("2s end 1", &[]),
            ("3s +a", &["3 ran: r3"]),
        ],
    );
    check(
        &trigger("replace"),
        "",
        &[
            ("0s +a", &["1 ran: r1"]),
            ("1s +a", &["2 deferred: until run r1 of the same `concurrency` key is cancelled [cancel]"]),
            (
                "2s +a",
                &[
                    "2 dropped: event 3 of the same `concurrency` key is newer",
                    "3 deferred: until run r1 of the same `concurrency` key is cancelled [cancel]",
                ],
            ),
            ("3s end 1", &["3 ran: r3"]),
        ],
    );
    // The key of the procedure is one of its inputs, and all its triggers share it.
    check(
        &format!("[{{source: s, when: event.data.host == \"a\", {INPUTS}}}, {{source: s, {INPUTS}}}]"),
        "concurrency: {key: inputs.host, then: skip}\n",
        &[("0s +a", &["1 ran: r1", "1 dropped: run r1 of the same `concurrency` key goes on"])],
    );
}

#[test]
fn a_limit_holds_for_those_that_waited_for_a_key() {
    check(
        &format!("[{{source: s, limit: {{runs: 1, per: 10m, then: defer}}, concurrency: {{key: event.data.host}}, {INPUTS}}}]"),
        "",
        &[
            ("0s +a", &["1 ran: r1"]),
            ("1m +a", &["2 deferred: over the `limit` until +10m"]),
            ("10m wake", &["2 deferred: behind run r1 of the same `concurrency` key"]),
            ("11m end 1", &["2 ran: r2"]),
        ],
    );
}

#[test]
fn an_event_joins_the_run_of_its_key() {
    check(
        &format!("[{{source: s, correlate: {{key: event.data.host}}, on_resolved: annotate, {INPUTS}}}]"),
        "",
        &[
            ("0s +a", &["1 ran: r1"]),
            ("1s +a", &["2 joined: run r1 has the same `correlate` key [note]"]),
            ("2s +b", &["3 ran: r3"]),
            ("3s -a", &["4 joined: run r1 is told that it is over [over]"]),
            ("4s end 1", &[]),
            ("5s -a", &["5 dropped: it is over, and no run of it goes on"]),
            ("6s +a", &["6 ran: r6"]),
        ],
    );
}

#[test]
fn what_is_over_needs_no_run() {
    check(
        &format!("[{{source: s, on_resolved: cancel_if_waiting, concurrency: {{key: '\"all\"'}}, {INPUTS}}}]"),
        "",
        &[
            ("0s +a", &["1 ran: r1"]),
            ("1s +b", &["2 deferred: behind run r1 of the same `concurrency` key"]),
            (
                "2s -b",
                &[
                    "2 dropped: event 3 says that it is over, before its turn came",
                    "3 dropped: it is over, and no run of it goes on",
                ],
            ),
            ("3s -a", &["4 joined: run r1 is cancelled if it waits, because it is over [cancel if waiting]"]),
            ("4s end 1", &[]),
        ],
    );
}

#[test]
fn what_was_dropped_stands_for_no_other() {
    check(
        &format!(
            "[{{source: s, on_resolved: cancel_if_waiting, dedup: {{key: event.data.host, window: 1h}}, concurrency: {{key: '\"all\"'}}, {INPUTS}}}]"
        ),
        "",
        &[
            ("0s +a", &["1 ran: r1"]),
            ("1s +b", &["2 deferred: behind run r1 of the same `concurrency` key"]),
            ("2s +b", &["3 dropped: the same as event 2, by `dedup` until +1h 1s"]),
            (
                "3s -b",
                &[
                    "2 dropped: event 4 says that it is over, before its turn came",
                    "4 dropped: it is over, and no run of it goes on",
                ],
            ),
            ("4s +b", &["5 deferred: behind run r1 of the same `concurrency` key"]),
            ("5s end 1", &["5 ran: r5"]),
        ],
    );
}

#[test]
fn an_event_that_waited_leaves_the_mark_of_a_newer_one() {
    check(
        &format!("[{{source: s, dedup: {{key: event.data.host, window: 10m}}, concurrency: {{key: '\"all\"'}}, {INPUTS}}}]"),
        "",
        &[
            ("0s +x", &["1 ran: r1"]),
            ("1s +a", &["2 deferred: behind run r1 of the same `concurrency` key"]),
            ("11m +a", &["3 deferred: behind run r1 of the same `concurrency` key"]),
            ("15m end 1", &["2 ran: r2"]),
            ("16m +a", &["4 dropped: the same as event 3, by `dedup` until +21m"]),
        ],
    );
}

#[test]
fn an_event_that_waited_joins_the_run_that_there_is_meanwhile() {
    check(
        &format!(
            "[{{source: s, quiet: [{{days: [mon], from: \"00:00\", to: \"06:00\", reason: Backups}}], correlate: {{key: event.data.host}}, {INPUTS}}}]"
        ),
        "",
        &[
            ("1h +a", &["1 deferred: nothing starts until +6h: Backups"]),
            ("1h +a", &["2 deferred: nothing starts until +6h: Backups"]),
            ("6h wake", &["1 ran: r1", "2 joined: run r1 has the same `correlate` key [note]"]),
        ],
    );
}

#[test]
fn what_is_judged_late_starts_at_no_quiet_time_and_within_the_limit() {
    let late = |trigger: &str| -> Vec<String> {
        let mut play = Play::of(triggers_of("a", &format!("[{{source: s, {trigger}, {INPUTS}}}]"), ""));
        let now = start() + parsed("30m");
        let receive = |play: &mut Play, number: u64, received: &str| {
            let event = event(number, "web", Status::Firing);
            let received = start() + parsed(received);
            play.judge.receive(&Incoming { number, source: "s", event: &event, received, now })
        };
        let rulings: Vec<Ruling> =
            [(1, "0s"), (2, "10m"), (3, "20m")].iter().flat_map(|(n, at)| receive(&mut play, *n, at)).collect();
        rulings.iter().map(|ruling| play.shown(ruling).split(": ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(late("limit: {runs: 1, per: 5m}"), ["1 ran", "2 dropped", "3 dropped"]);
    assert_eq!(late("quiet: [{days: [mon], from: '00:15', to: '01:00'}]"), ["1 deferred", "2 deferred", "3 deferred"]);
    assert_eq!(late("dedup: {key: event.key, window: 15m}"), ["1 ran", "2 dropped", "3 ran"], "by when they were received");
}

#[test]
fn the_newest_replaces_and_never_an_older_one() {
    let quiet = "{id: slow, source: s, when: event.data.host == \"a\", quiet: [{days: [mon], from: '00:00', to: '06:00'}], concurrency: {key: '\"all\"', then: replace}, inputs: {host: event.data.host}}";
    let other = "{id: fast, source: s, when: event.data.host == \"b\", concurrency: {key: '\"all\"', then: replace}, inputs: {host: event.data.host}}";
    check(
        &format!("[{quiet}, {other}]"),
        "",
        &[
            ("5h +a", &["1 deferred: nothing starts until +6h: every week at this time", "1 dropped: its `when` is false"]),
            ("5h +b", &["2 dropped: its `when` is false", "2 ran: r2"]),
            ("6h wake", &["1 dropped: event 2 of the same `concurrency` key is newer"]),
        ],
    );
}

#[test]
fn a_run_keeps_its_key_though_its_trigger_is_gone() {
    let trigger = |id: &str, host: &str| {
        format!("{{id: {id}, source: s, when: event.data.host == \"{host}\", concurrency: {{key: '\"all\"'}}, {INPUTS}}}")
    };
    let mut play = Play::of(triggers_of("a", &format!("[{}, {}]", trigger("one", "a"), trigger("two", "b")), ""));
    play.act("0s +a");
    play.act("1s +b");
    play.judge = Judge::new(triggers_of("a", &format!("[{}]", trigger("two", "b")), ""));
    assert_eq!(play.judge.recall(&play.recorded, start()), []);
    let said = play.act("2s +b");
    assert_eq!(play.shown(&said[0]), "3 deferred: behind run r1 of the same `concurrency` key");
    let said = play.act("3s end 1");
    assert_eq!(play.shown(&said[0]), "2 ran: r2", "who waited for it has its turn");
}

#[test]
fn a_start_that_failed_stands_for_no_other() {
    let mut play = Play::of(triggers_of(
        "a",
        &format!("[{{source: s, dedup: {{key: event.key, window: 1h}}, limit: {{runs: 1, per: 1h}}, {INPUTS}}}]"),
        "",
    ));
    let ran = play.act("0s +a");
    let dropped = play.judge.not_started(&ran[0], "it is not valid".to_owned(), start());
    assert_eq!(play.shown(&dropped[0]), "1 dropped: the start of its run cannot be read from it: it is not valid");
    assert_eq!(play.judge.live().count(), 0);
    let said = play.act("1m +a");
    assert_eq!(play.shown(&said[0]), "2 ran: r2");
}

#[test]
fn as_many_wait_as_may() {
    let mut play = Play::of(triggers_of("a", &format!("[{{source: s, concurrency: {{key: '\"all\"'}}, {INPUTS}}}]"), ""));
    for _ in 0..=crate::limits::DEFERRED_EVENTS {
        play.act("0s +a");
    }
    let said = play.act("0s +a");
    assert_eq!(play.shown(&said[0]), "10002 dropped: 10000 events wait at this trigger already");
}

#[test]
fn what_waits_at_a_trigger_that_is_gone_is_dropped() {
    let trigger = |id: &str| format!("[{{id: {id}, source: s, concurrency: {{key: '\"all\"'}}, {INPUTS}}}]");
    let mut play = Play::of(triggers_of("a", &trigger("one"), ""));
    play.act("0s +a");
    play.act("0s +b");
    let said = Judge::new(triggers_of("a", &trigger("two"), "")).recall(&play.recorded, start());
    let said: Vec<String> = said.iter().map(|ruling| play.shown(ruling)).collect();
    assert_eq!(said, ["2 dropped: its trigger is no longer there"]);
}

#[test]
fn an_event_names_the_environment_of_its_run() {
    let workspace = "apiVersion: runbook/v1\nkind: Workspace\nname: w\nenvironments: {staging: {default: true}, production: {}}\npeople: {ada: {}}\nescalations: {e: {steps: [{to: [ada], after: 1m}]}}\nsources: {s: {type: alertmanager, bearer: secrets.t, secrets: {t: {env: T}}}}\n";
    let triggers =
        triggers_in("a", &format!("[{{source: s, environment: '{{{{event.data.host}}}}', {INPUTS}}}]"), "", Some(workspace));
    let read = |about: &str| {
        let event = event(1, about, Status::Firing);
        triggers[0].read(&event, &event.to_value(), start())
    };
    let reading = read("staging").unwrap();
    assert_eq!(reading.environment.as_deref(), Some("staging"));
    assert_eq!(reading.inputs.get("level"), Some(&Value::Int(1)));
    assert_eq!(
        read("elsewhere").unwrap_err().to_string(),
        "`environment` cannot be read from the event: the workspace has no environment `elsewhere`"
    );
}

#[test]
fn the_same_event_gives_the_same_run() {
    let run = |name: &str| {
        let event = event(1, "web", Status::Firing);
        let triggers = triggers_of(name, &format!("[{{source: s, {INPUTS}}}]"), "");
        triggers[0].read(&event, &event.to_value(), start()).unwrap().keys.run
    };
    assert_eq!(run("a"), run("a"));
    assert_ne!(run("a"), run("b"));
}

#[test]
fn recorded_events_are_judged_again_with_the_ends_of_their_runs() {
    let events: Vec<CloudEvent> = (1..=4).map(|number| event(number, "web", Status::Firing)).collect();
    let again = |trigger: &str, lasts: &str| -> Vec<&'static str> {
        let incoming = events.iter().zip(1..).map(|(event, number)| {
            let received = start() + Duration::from_secs(60 * (number - 1));
            Incoming { number, source: "s", event, received, now: received }
        });
        let mut judge = Judge::new(triggers_of("a", &format!("[{{source: s, {trigger}, {INPUTS}}}]"), ""));
        let last = super::rejudged(&mut judge, incoming, |_| parsed(lasts), start() + parsed("1h"));
        last.values().map(|ruling| ruling.decision.word()).collect()
    };
    let skip = "concurrency: {key: event.key, then: skip}";
    assert_eq!(again(skip, "10m"), ["ran", "dropped", "dropped", "dropped"]);
    assert_eq!(again(skip, "90s"), ["ran", "dropped", "ran", "dropped"]);
    assert_eq!(again(skip, "1m"), ["ran", "ran", "ran", "ran"], "a key is freed before it is asked for");
    assert_eq!(again("concurrency: {key: event.key}", "10m"), ["ran", "ran", "ran", "ran"], "each gets its turn in the end");
    assert_eq!(again("accumulate: {events: 3, within: 10m}", "1m"), ["joined", "joined", "ran", "dropped"]);
}

#[test]
fn ticks_at_which_nobody_was_there_start_nothing_and_say_so() {
    let text = "2026-01-05T00:00:00Z".parse().unwrap();
    let schedule = crate::event_source::Schedule {
        cron: "0 * * * *".to_owned(),
        zone: "UTC".to_owned(),
        late: Duration::from_secs(60),
        missed: crate::event_source::Missed::Once,
    };
    let timetable = crate::ticks::Timetable::of(&schedule.cron, &schedule.zone).unwrap();
    let now = start() + parsed("3h") + parsed("30m");
    let triggers = triggers_of("a", "[{source: s, inputs: {host: '\"web\"'}}]", "");
    let mut judge = Judge::new(triggers);
    let said: Vec<String> = schedule
        .ticks(&timetable, "s", text, now)
        .iter()
        .zip(1..)
        .flat_map(|(event, number)| judge.receive(&Incoming { number, source: "s", event, received: now, now }))
        .map(|ruling| format!("{} {}", ruling.event, ruling.decision).replace(ruling.keys.run.as_str(), "r"))
        .collect();
    assert_eq!(said, ["1 dropped: nobody was there at 2 ticks", "2 ran: r"]);
}
