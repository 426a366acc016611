//! Random triggers and events against what must hold whatever they are, judged from the rulings alone; and a judge that is put
//! together again from what was recorded decides as the one that was never lost.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Play, event, start, triggers_of};
use crate::cloud_event::Status;
use crate::id::RunId;
use crate::trigger::{Counterpart, Decision, Deferral, Drop, Incoming, Judge, Ruling, Trigger};

#[derive(Clone, Debug)]
enum Act {
    Event {
        host: u8,
        status: Status,
    },
    /// The oldest, or the newest, run of those that go on ends.
    End {
        newest: bool,
    },
    Wake,
    /// The judge is lost and made again.
    Restart,
}

fn act() -> impl Strategy<Value = (u16, Act)> {
    let status = prop_oneof![4 => Just(Status::Firing), 1 => Just(Status::Resolved), 1 => Just(Status::Once)];
    let act = prop_oneof![
        6 => (0..4u8, status).prop_map(|(host, status)| Act::Event { host, status }),
        3 => any::<bool>().prop_map(|newest| Act::End { newest }),
        2 => Just(Act::Wake),
        1 => Just(Act::Restart),
    ];
    (0..90u16, act)
}

fn trigger() -> impl Strategy<Value = String> {
    let part = |part: &'static str| prop_oneof![Just(String::new()), Just(format!("{part}, "))];
    let one_of = |parts: &[&str]| {
        let mut parts: Vec<String> = parts.iter().map(|part| format!("{part}, ")).collect();
        parts.push(String::new());
        prop::sample::select(parts)
    };
    (
        part("dedup: {key: event.data.host, window: 2m}"),
        one_of(&["accumulate: {events: 2, within: 90s}", "accumulate: {events: 3, within: 3m, key: event.data.host}"]),
        part("quiet: [{from: 2026-01-05T00:05:00Z, to: 2026-01-05T00:08:00Z}]"),
        one_of(&[
            "limit: {runs: 2, per: 2m}",
            "limit: {runs: 2, per: 3m, then: defer}",
            "limit: {runs: 1, per: 1m, then: escalate}",
        ]),
        one_of(&[
            "concurrency: {key: event.data.host}",
            "concurrency: {key: '\"all\"', then: skip}",
            "concurrency: {key: event.data.host, then: replace}",
        ]),
        part("correlate: {key: event.data.host}"),
        one_of(&["on_resolved: annotate", "on_resolved: cancel_if_waiting"]),
    )
        .prop_map(|parts| {
            let (dedup, accumulate, quiet, limit, concurrency, correlate, over) = parts;
            format!(
                "{{source: s, {dedup}{accumulate}{quiet}{limit}{concurrency}{correlate}{over}inputs: {{host: event.data.host}}}}"
            )
        })
}

/// What was decided, and what is still going on, as a store would know it.
#[derive(Default)]
struct Told {
    /// The last ruling of each event and trigger, and the order in which they came.
    last: BTreeMap<(u64, String), (usize, Ruling)>,
    count: usize,
    live: Vec<RunId>,
}

impl Told {
    fn note(&mut self, rulings: &[Ruling]) {
        for ruling in rulings {
            let key = (ruling.event, ruling.trigger.to_string());
            let before = self.last.insert(key, (self.count, ruling.clone()));
            assert!(before.is_none_or(|(_, before)| !before.is_final()), "decided twice: {ruling:?}");
            self.count += 1;
            match &ruling.decision {
                Decision::Ran { run } => self.live.push(run.clone()),
                // What stands in an event's way is there.
                Decision::Deferred(Deferral::Busy { run } | Deferral::Replacing { run })
                | Decision::Dropped(Drop::Busy { run })
                | Decision::Joined { to: Counterpart::Run(run), .. } => assert!(self.live.contains(run), "{ruling:?}"),
                Decision::Dropped(Drop::Duplicate { of, .. }) => {
                    let stands = |decision: &Decision| matches!(decision, Decision::Ran { .. } | Decision::Deferred(_));
                    let (_, of) = &self.last[&(*of, ruling.trigger.to_string())];
                    assert!(stands(&of.decision), "{ruling:?} stands behind {of:?}");
                }
                _ => {}
            }
        }
    }

    fn recorded(&self) -> Vec<Ruling> {
        let mut rulings: Vec<&(usize, Ruling)> = self.last.values().collect();
        rulings.sort_by_key(|(order, _)| *order);
        rulings.into_iter().map(|(_, ruling)| ruling.clone()).collect()
    }

    /// A judge as a new process would make it.
    fn recalled(&self, triggers: Vec<Trigger>, now: Timestamp) -> Judge {
        let mut judge = Judge::new(triggers);
        assert!(judge.recall(&self.recorded(), now).is_empty());
        let gone: Vec<RunId> = judge.live().filter(|run| !self.live.contains(run)).cloned().collect();
        for run in gone {
            assert!(judge.ended(&run, now).is_empty(), "what waited for a run that had ended was not decided when it ended");
        }
        judge
    }
}

/// What holds of all that was decided, by the parts of the triggers.
fn held_to(triggers: &[Trigger], history: &[Ruling], ended: &HashMap<RunId, usize>) {
    for trigger in triggers {
        let own = || history.iter().enumerate().filter(|(_, ruling)| ruling.trigger == trigger.name);
        let ran: Vec<&Ruling> = own().filter(|(_, r)| matches!(r.decision, Decision::Ran { .. })).map(|(_, r)| r).collect();
        if let Some(limit) = trigger.limit {
            for ruling in &ran {
                let inside = |other: &&&Ruling| other.at <= ruling.at && ruling.at < other.at + limit.per;
                let within = ran.iter().filter(inside).count();
                assert!(within <= limit.runs as usize, "{within} runs in {:?}", limit.per);
            }
        }
        if let Some(dedup) = &trigger.dedup {
            for (i, a) in ran.iter().enumerate() {
                let near = |b: &&&Ruling| {
                    b.keys.dedup == a.keys.dedup && a.received.duration_since(b.received).abs() < dedup.window.try_into().unwrap()
                };
                assert_eq!(ran.iter().skip(i + 1).find(near), None, "two runs of {:?}", a.keys);
            }
        }
        for (place, ruling) in own() {
            let until = ruling.decision.run().filter(|run| **run == ruling.keys.run).map(|_| ruling.at);
            let Some(at) = until else { continue };
            assert!(
                !trigger.quiet.iter().any(|quiet| crate::policy::quiet_until(std::slice::from_ref(quiet), at).is_some()),
                "{place}"
            );
        }
    }
    // No key is held by two: between the start of a run and its end, no other run of the key starts.
    for (place, ruling) in history.iter().enumerate() {
        let Decision::Ran { run } = &ruling.decision else { continue };
        let Some(key) = &ruling.keys.concurrency else { continue };
        let end = ended.get(run).copied().unwrap_or(usize::MAX);
        let twice = history
            .iter()
            .enumerate()
            .skip(place + 1)
            .take_while(|(at, _)| *at < end)
            .find(|(_, other)| matches!(other.decision, Decision::Ran { .. }) && other.keys.concurrency.as_ref() == Some(key));
        assert_eq!(twice, None, "a key is held by two");
    }
}

fn shape(ruling: &Ruling) -> &'static str {
    match &ruling.decision {
        Decision::Ran { .. } => "ran",
        Decision::Joined { to: Counterpart::Run(_), .. } => "joined a run",
        Decision::Joined { to: Counterpart::Event(_), .. } => "joined an event",
        Decision::Dropped(_) => "dropped",
        Decision::Deferred(Deferral::Busy { .. }) => "behind a run",
        Decision::Deferred(Deferral::Replacing { .. }) => "replaces a run",
        Decision::Deferred(_) => "deferred",
    }
}

fn play(triggers: &str, acts: &[(u16, Act)]) -> HashSet<&'static str> {
    let triggers = triggers_of("a", triggers, "");
    let mut judge = Judge::new(triggers.clone());
    let mut told = Told::default();
    let (mut history, mut ended) = (Vec::new(), HashMap::new());
    let (mut now, mut number) = (start(), 0);
    for (later_s, act) in acts {
        now += Duration::from_secs(u64::from(*later_s));
        let rulings = match act {
            Act::Event { host, status } => {
                number += 1;
                let event = event(number, &format!("h{host}"), *status);
                let rulings = judge.receive(&Incoming { number, source: "s", event: &event, received: now, now });
                for trigger in &triggers {
                    let own = rulings.iter().filter(|ruling| ruling.event == number && ruling.trigger == trigger.name);
                    assert_eq!(own.count(), 1, "one decision of each trigger");
                }
                rulings
            }
            Act::End { newest } => {
                if told.live.is_empty() {
                    continue;
                }
                let run = told.live.remove(if *newest { told.live.len() - 1 } else { 0 });
                ended.insert(run.clone(), history.len());
                judge.ended(&run, now)
            }
            Act::Wake => judge.wake(now),
            Act::Restart => {
                judge = told.recalled(triggers.clone(), now);
                continue;
            }
        };
        // One that was never lost, and one that is put together from the record, would decide the same.
        told.note(&rulings);
        history.extend(rulings);
    }
    held_to(&triggers, &history, &ended);
    history.iter().map(shape).collect()
}

#[test]
fn whatever_comes_each_event_has_one_decision_and_each_part_is_kept() {
    let mut seen = HashSet::new();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 500, ..ProptestConfig::default() });
    let strategy = (prop::collection::vec(trigger(), 1..3), prop::collection::vec(act(), 1..60));
    let seen_in = std::cell::RefCell::new(&mut seen);
    runner
        .run(&strategy, |(triggers, acts)| {
            seen_in.borrow_mut().extend(play(&format!("[{}]", triggers.join(", ")), &acts));
            Ok(())
        })
        .unwrap();
    let all = ["ran", "joined a run", "joined an event", "dropped", "behind a run", "replaces a run", "deferred"];
    assert_eq!(all.iter().filter(|shape| !seen.contains(*shape)).collect::<Vec<_>>(), Vec::<&&str>::new());
}

/// The same events with and without a restart after each of them: the same decisions.
#[test]
fn a_restart_changes_no_decision() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 100, ..ProptestConfig::default() });
    let strategy = (trigger(), prop::collection::vec((0..60u16, 0..4u8, any::<bool>()), 1..40));
    runner
        .run(&strategy, |(trigger, events)| {
            let trigger = format!("[{trigger}]");
            let (mut calm, mut shaken) = (Play::of(triggers_of("a", &trigger, "")), Play::of(triggers_of("a", &trigger, "")));
            let (mut told, mut at_s) = (Told::default(), 0u64);
            for (later_s, host, ends) in events {
                at_s += u64::from(later_s);
                let line = match ends && !told.live.is_empty() {
                    true => format!("{at_s}s end {}", shaken.runs[&told.live.remove(0).to_string()]),
                    false => format!("{at_s}s +h{host}"),
                };
                let (a, b) = (calm.act(&line), shaken.act(&line));
                prop_assert_eq!(&a, &b, "{}", line);
                told.note(&b);
                shaken.judge = told.recalled(triggers_of("a", &trigger, ""), start() + Duration::from_secs(at_s));
                let wake = format!("{at_s}s wake");
                let (a, b) = (calm.act(&wake), shaken.act(&wake));
                prop_assert_eq!(&a, &b, "{}", wake);
                told.note(&b);
            }
            Ok(())
        })
        .unwrap();
}
