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
    let text = format!(
        "apiVersion: runbook/v1\nkind: Playbook\nname: {name}\nversion: 1.2.0\nowner: o\nimpact: low\nescalation: e\n{more}triggers: {triggers}\ninputs: {{host: {{type: host}}, level: {{type: integer, default: 1}}}}\nsteps: [{{effect: read, exec: [x, '{{{{inputs.host}}}}', '{{{{inputs.level}}}}']}}]\n"
    );
    let (document, found) = crate::document::load(&Source::new("a.yaml", text.as_str()));
    let Some(Document::Procedure(procedure)) = document else { panic!("{text}\n{:?}", found.into_sorted()) };
    let judgement = judge(&procedure, &Catalogue::new([&*procedure], None), &CheckOptions::default());
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
                let incoming = Incoming { number: self.events, source: "s", event: &event, received: now };
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
    let triggers = triggers_of("a", &format!("[{{source: s, environment: '{{{{event.data.host}}}}', {INPUTS}}}]"), "");
    let event = event(1, "staging", Status::Firing);
    let reading = triggers[0].read(&event, &event.to_value(), start()).unwrap();
    assert_eq!(reading.environment.as_deref(), Some("staging"));
    assert_eq!(reading.inputs.get("level"), Some(&Value::Int(1)));
    // The same event gives the same run, and the same event through another trigger another one.
    let again = triggers[0].read(&event, &event.to_value(), start()).unwrap();
    assert_eq!(reading.keys.run, again.keys.run);
    let other = triggers_of("b", &format!("[{{source: s, {INPUTS}}}]"), "");
    assert_ne!(reading.keys.run, other[0].read(&event, &event.to_value(), start()).unwrap().keys.run);
}
