//! What has happened in all simulations together: a promise that nothing tried is not kept, so what never happened fails the
//! suite.

use std::collections::BTreeMap;

use crate::judge::{Line, ahead, case};
use crate::scenario::Scenario;
use crate::simulate::History;

#[derive(Default)]
pub struct Seen(BTreeMap<String, u64>);

/// Everything that must have happened, by heading.
const WANTED: &[(&str, &[&str])] = &[
    (
        "verb",
        &[
            "run", "exec", "rhai", "http", "notify", "check", "set", "wait", "approve", "ask", "manual", "group", "choose",
            "parallel", "each", "repeat", "call", "finish",
        ],
    ),
    (
        "event",
        &[
            "run_started",
            "lock_taken",
            "step_resolved",
            "attempt_started",
            "attempt_finished",
            "step_concluded",
            "condition_judged",
            "timer_fired",
            "decision_requested",
            "decided",
            "acknowledged",
            "cancel_requested",
            "pause_requested",
            "resume_requested",
            "undo_requested",
            "note_added",
            "run_adopted",
            "run_finished",
        ],
    ),
    ("part", &["whole", "from", "only"]),
    ("outcome", &["succeeded", "failed", "rejected", "cancelled", "rolled_back", "needs_attention"]),
    ("end", &["succeeded", "failed", "timed_out", "cancelled", "unknown"]),
    ("resolution", &["skip", "fail", "work", "checked", "values", "branch", "items", "call", "wait", "enter", "ask", "finish"]),
    ("timer", &["run", "step", "retry", "wait", "decision"]),
    ("purpose", &["approve", "ask", "manual", "gate", "step", "part", "unknown", "undo_failed"]),
    ("choice", &["approve", "reject", "probe", "done", "again", "leave"]),
    ("ahead", &["given", "used", "used up", "used in two runs", "a use lost in a crash", "asked after its time"]),
    ("message", &["accepted", "refused", "never answered"]),
    ("race", &["two answers to one decision at once", "one accepted and one refused"]),
    (
        "fault",
        &[
            "a crash",
            "a power cut",
            "a frozen process",
            "a jump of the clock",
            "a slow write",
            "a full disk",
            "a failed sync",
            "a torn write",
            "an action that outlives its process",
            "an action that was told to stop",
            "an action that ends after its owner lost the lease",
            "a second process",
        ],
    ),
    (
        "shift",
        &[
            "a process that ends with its run",
            "a process that leaves a waiting run",
            "a process that leaves a paused run",
            "a process that was told to leave",
        ],
    ),
];

/// What cannot happen here. A decision is voided where the run would do something else than was shown; what is shown is a
/// function of the state and leaves out what others may change meanwhile, so that only a record that was repaired by hand, or
/// written by another version, comes to that. `decisions.rs` of core's machine tests does it.
const UNREACHABLE: &[(&str, &str)] = &[("event", "decision_voided")];

impl Seen {
    fn one(&mut self, heading: &str, what: &str) {
        *self.0.entry(format!("{heading}: {what}")).or_default() += 1;
    }

    pub fn count(&mut self, scenario: &Scenario, history: &History, records: &[Vec<Line>]) {
        let steps = scenario.book.by_id();
        for (what, times) in &history.ledger.seen {
            let heading = if what.starts_with("a process that") { "shift" } else { "fault" };
            *self.0.entry(format!("{heading}: {what}")).or_default() += times;
        }
        for told in &history.told {
            self.one(
                "message",
                match told.answer {
                    Some(Ok(_)) => "accepted",
                    Some(Err(_)) => "refused",
                    None => "never answered",
                },
            );
        }
        for (place, told) in history.told.iter().enumerate() {
            for other in history.told.iter().skip(place + 1).filter(|other| told.races(other)) {
                self.one("race", "two answers to one decision at once");
                if let (Some(Ok(_)), Some(Err(_))) | (Some(Err(_)), Some(Ok(_))) = (&told.answer, &other.answer) {
                    self.one("race", "one accepted and one refused");
                }
            }
        }
        for given in &history.aheads {
            let used = ahead::used(given, records);
            let of_run = |record: &Vec<Line>| ahead::used(given, std::slice::from_ref(record)) > 0;
            let label = crate::judge::label(&given.early.step);
            let asks = |line: &Line| line.kind == "decision_requested" && crate::judge::label(line.path()) == label;
            let late = records.iter().flatten().any(|line| asks(line) && line.at >= given.expires);
            let what = [
                ("given", true),
                ("used", used > 0),
                ("used up", used == given.early.uses),
                ("used in two runs", records.iter().filter(|record| of_run(record)).count() > 1),
                ("a use lost in a crash", given.left > 0 && used + given.left < given.early.uses),
                ("asked after its time", used < given.early.uses && late),
            ];
            what.iter().filter(|(_, so)| *so).for_each(|(what, _)| self.one("ahead", what));
        }
        for line in records.iter().flatten() {
            self.one("event", &line.kind);
            match line.kind.as_str() {
                "run_started" => self.one("part", line.case("part")),
                "step_resolved" => {
                    self.one("resolution", line.case("resolution"));
                    if let Some(step) = steps.get(crate::judge::label(line.path())) {
                        self.one("verb", step.verb.key());
                    }
                }
                "attempt_finished" => self.one("end", line.case("end")),
                "timer_fired" => self.one("timer", line.case("timer")),
                "decision_requested" => self.one("purpose", line.case("purpose")),
                "decided" => self.one("choice", case(&line.body["vote"]["choice"])),
                "run_finished" => self.one("outcome", case(&line.body["outcome"]["kind"])),
                _ => {}
            }
        }
    }

    /// One line for each heading.
    pub fn told(&self) -> String {
        let mut text = String::new();
        for (heading, all) in WANTED {
            let counts: Vec<String> = all.iter().map(|what| format!("{what} {}", self.times(heading, what))).collect();
            text.push_str(&format!("{heading:>10}: {}\n", counts.join(", ")));
        }
        text
    }

    fn times(&self, heading: &str, what: &str) -> u64 {
        self.0.get(&format!("{heading}: {what}")).copied().unwrap_or(0)
    }

    pub fn assert_everything_happened(&self) {
        let wanted = WANTED.iter().flat_map(|(heading, all)| all.iter().map(move |what| (heading, what)));
        let never: Vec<_> = wanted.filter(|(heading, what)| self.times(heading, what) == 0).collect();
        assert!(never.is_empty(), "never seen: {never:?}\n{}", self.told());
        let after_all: Vec<_> = UNREACHABLE.iter().filter(|(heading, what)| self.times(heading, what) > 0).collect();
        assert!(after_all.is_empty(), "said to be unreachable, and seen: {after_all:?}");
    }
}
