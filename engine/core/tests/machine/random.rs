//! Random procedures, played with random ends, votes, timers, cancellations and pauses. Whatever happens, the record must keep
//! what is promised ([`crate::checker`] judges it from the events alone), every state must be the sum of its events, and the
//! run must end.
//!
//! A step's kind is the first letter of its id, so that a path says what may happen to it.

use std::sync::Arc;

use runbook_core::run::Command;
use runbook_core::run::decision::Choice;
use runbook_core::run::event::{AttemptEnd, Failure, Part, RunStarted, Timer, Vote};
use runbook_core::{Event, Fact, Map, Plan, Run, RunId, StepPath, Value};
use serde_json::{Value as Json, json};

use crate::checker;
use crate::rig::{failed, ok, person, plan_among, unknown};

const PROCEDURES: u64 = 210;
const PLAYS: u64 = 10;
/// Far more events than any of these runs needs.
const EVENTS: usize = 6_000;

/// SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }
}

/// Writes one procedure.
struct Author<'d> {
    dice: &'d mut Dice,
    ids: u32,
    /// Procedures that may be called.
    calls: Vec<&'static str>,
    /// Steps that may still be written.
    left: u32,
}

impl Author<'_> {
    fn id(&mut self, kind: char) -> String {
        self.ids += 1;
        format!("{kind}{}", self.ids)
    }

    fn steps(&mut self, depth: u32) -> Vec<Json> {
        let count = 1 + self.dice.roll(3);
        let mut steps: Vec<Json> = (0..count).map(|_| self.step(depth)).collect();
        let last = steps.last().and_then(|s| s["id"].as_str()).map(str::to_owned);
        let before = steps.len() - 1;
        for step in steps.iter_mut().take(before) {
            let asks = step.get("approve").is_some();
            let jumps = !asks && step.get("on_failure").is_none() && self.dice.one_in(10);
            if let (true, Some(last)) = (jumps, &last) {
                step["on_failure"] = json!({"next": last});
            }
        }
        steps
    }

    fn step(&mut self, depth: u32) -> Json {
        self.left = self.left.saturating_sub(1);
        let deep = depth < 3 && self.left > 0;
        let mut step = match self.dice.roll(if deep { 24 } else { 12 }) {
            0 | 1 => json!({"id": self.id('r'), "exec": ["look"], "effect": "read"}),
            2 => json!({"id": self.id('i'), "exec": ["same"], "idempotent": true}),
            3 => json!({"id": self.id('c'), "exec": ["change"], "irreversible": "it is gone"}),
            4..=6 => json!({"id": self.id('u'), "exec": ["do"], "undo": self.undo()}),
            7 => {
                json!({"id": self.id('v'), "exec": ["do"], "undo": self.undo(), "verify": {"id": self.id('r'), "exec": ["look"], "effect": "read"}})
            }
            8 => json!({"id": self.id('p'), "approve": {"question": "Go?", "within": "10m", "count": 1 + self.dice.roll(2)}}),
            9 => json!({"id": self.id('s'), "set": {"x": "10 / inputs.n"}}),
            10 => json!({"id": self.id('t'), "wait": {"for": "5s", "within": "1m"}}),
            11 => json!({"id": self.id('n'), "check": [{"that": "inputs.n > 0"}]}),
            12 | 13 => json!({"id": self.id('g'), "group": self.steps(depth + 1)}),
            14 | 15 => json!({"id": self.id('k'), "group": self.steps(depth + 1), "undo": self.undo()}),
            16 | 17 => {
                json!({"id": self.id('f'), "parallel": {"left": self.steps(depth + 1), "mid": self.steps(depth + 1), "right": self.steps(depth + 1)}})
            }
            18 => {
                let (parallel, failures) = (1 + self.dice.roll(3), self.dice.roll(2));
                json!({"id": self.id('e'), "each": {"in": "[1, 2, 3]", "max_parallel": parallel, "max_failures": failures, "steps": self.steps(depth + 1)}})
            }
            19 => {
                let mut repeat = json!({"until": "inputs.n > 4", "times": 2, "steps": self.steps(depth + 1)});
                if self.dice.one_in(2) {
                    repeat["every"] = json!("3s");
                }
                json!({"id": self.id('l'), "repeat": repeat})
            }
            20 => {
                let branches = json!([{"when": "inputs.n > 5", "steps": self.steps(depth + 1)}, {"when": "inputs.n > 2", "steps": self.steps(depth + 1)}]);
                json!({"id": self.id('h'), "choose": branches})
            }
            21 => {
                json!({"id": self.id('w'), "wait": {"until": "inputs.n > 3", "every": "4s", "within": "10s", "probe": {"id": self.id('r'), "exec": ["look"], "effect": "read"}}})
            }
            22 => match self.calls.len() {
                0 => json!({"id": self.id('m'), "manual": {"do": "Turn it", "within": "1h"}, "irreversible": "turned"}),
                callable => {
                    let called = self.calls[self.dice.roll(callable)];
                    json!({"id": self.id('q'), "call": format!("{called}@^1"), "with": {"n": "inputs.n"}})
                }
            },
            _ => {
                let outcome = if self.dice.one_in(2) { "failed" } else { "succeeded" };
                json!({"id": self.id('z'), "if": "inputs.n > 4", "finish": {"outcome": outcome}})
            }
        };
        let kind = step["id"].as_str().and_then(|id| id.chars().next()).unwrap_or_default();
        let acts = "ricuv".contains(kind);
        if acts && self.dice.one_in(4) {
            step["retry"] = json!({"attempts": 2, "delay": "1s"});
        }
        if acts && self.dice.one_in(6) {
            step["outputs"] = json!({"out": "result.stdout.trim()"});
        }
        // That a rejection stops its list is judged too, so no `approve` says otherwise.
        if !"pzm".contains(kind) {
            match self.dice.roll(14) {
                0 => step["on_failure"] = json!("rollback"),
                1 | 2 => step["on_failure"] = json!("continue"),
                3 => step["if"] = json!("inputs.n > 3"),
                _ => {}
            }
        }
        if "gkfelq".contains(kind) && self.dice.one_in(4) {
            step["timeout"] = json!("20s");
        }
        step
    }

    fn undo(&mut self) -> Json {
        let exec = |id: String| json!({"id": id, "exec": ["back"]});
        match (self.dice.roll(8), self.calls.first().copied()) {
            (0, Some(called)) => json!([{"id": self.id('q'), "call": format!("{called}@^1"), "with": {"n": "inputs.n"}}]),
            (1, _) => json!([exec(self.id('x')), exec(self.id('x'))]),
            (2, _) => json!([{"id": self.id('i'), "exec": ["back"], "idempotent": true}]),
            _ => json!([exec(self.id('x'))]),
        }
    }

    fn procedure(&mut self, name: &str) -> String {
        let steps = self.steps(0);
        let mut procedure = json!({
            "apiVersion": "runbook/v1", "kind": "Runbook", "name": name, "version": "1.0.0",
            "inputs": {"n": {"type": "integer"}},
            "steps": steps,
            "finally": [{"id": self.id('r'), "exec": ["tidy"], "effect": "read"}, {"id": "last", "exec": ["last"], "effect": "read"}],
        });
        if self.dice.one_in(2) {
            let undone = json!({"id": self.id('u'), "exec": ["mend"], "undo": self.undo()});
            procedure["on_failure"] = json!([undone, {"id": self.id('r'), "exec": ["mend"], "effect": "read"}]);
        }
        if self.dice.one_in(4) {
            procedure["timeout"] = json!("90s");
        }
        procedure.to_string()
    }
}

fn plan_of(seed: u64) -> Arc<Plan> {
    let mut dice = Dice(seed);
    let mut author =
        |calls: Vec<&'static str>, name: &str, left: u32| Author { dice: &mut dice, ids: 0, calls, left }.procedure(name);
    let inner = author(Vec::new(), "inner", 3);
    let outer = author(vec!["inner"], "outer", 5);
    let main = author(vec!["outer", "inner"], "test", 14);
    plan_among(&[&main, &outer, &inner])
}

struct Play {
    seed: u64,
    dice: Dice,
    run: Run,
    /// The sum of the events as they read back from their text.
    mirror: Run,
    events: Vec<Event>,
    now: jiff::Timestamp,
    open: Vec<(StepPath, u32)>,
    /// How unkind the world is: of how many ends one is bad.
    unkind: usize,
}

impl Play {
    fn new(plan: &Arc<Plan>, seed: u64) -> Play {
        let mut dice = Dice(seed);
        let inputs = Map::from([("n".to_owned(), Value::Int(dice.roll(8) as i64))]);
        let started = RunStarted {
            procedure: plan.main().name.clone(),
            version: plan.main().version,
            plan: runbook_core::Digest::of_bytes(b"the plan"),
            semantics: plan.semantics,
            inputs,
            event: None,
            environment: None,
            requested_by: person("operator"),
            seed,
            part: Part::Whole,
            stepwise: dice.one_in(8),
            catalogue: None,
            lock: None,
            root: None,
        };
        let unkind = [3, 8, 30][dice.roll(3)];
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let (run, mirror) = (Run::new(plan.clone()), Run::new(plan.clone()));
        let mut play = Play { seed, dice, run, mirror, events: Vec::new(), now, open: Vec::new(), unkind };
        play.record(Fact::RunStarted(Box::new(started)));
        play
    }

    fn record(&mut self, fact: Fact) {
        let event = Event { run: RunId::from_parts(1, 2), seq: self.run.seq() + 1, at: self.now, fact };
        let before = self.run.pending();
        let fresh = self.run.apply(&event).unwrap_or_else(|illegal| panic!("{illegal}"));
        for command in self.run.pending() {
            assert!(before.contains(&command) || fresh.contains(&command), "apply did not give {command:?}");
            assert!(self.run.wants(&command), "it does not want what is pending: {command:?}");
        }
        let text = serde_json::to_string(&event).unwrap();
        self.mirror.apply(&serde_json::from_str(&text).unwrap()).unwrap_or_else(|illegal| panic!("again: {illegal}"));
        assert!(self.mirror == self.run, "event {} does not replay to the state that was live", event.seq);
        self.events.push(event);
    }

    fn end(&mut self, path: &StepPath, attempt: u32) -> AttemptEnd {
        let failure = || Failure { message: "stopped".to_owned(), at: None, detail: None };
        let stopped = self.run.wants(&Command::Stop { path: path.clone(), attempt });
        if stopped && !self.dice.one_in(3) {
            return AttemptEnd::Cancelled { failure: failure(), result: Value::Null };
        }
        if !self.dice.one_in(self.unkind) {
            return ok();
        }
        match self.dice.roll(6) {
            0 => AttemptEnd::TimedOut { failure: failure(), result: Value::Null },
            1 => unknown(),
            2 => AttemptEnd::Succeeded { result: Value::Null },
            // It could not even be started.
            3 => AttemptEnd::Failed { failure: failure(), result: Value::Null },
            _ => failed(),
        }
    }

    fn vote(&mut self) -> bool {
        let open: Vec<_> = self.run.decisions().iter().filter(|d| d.is_open()).cloned().collect();
        if open.is_empty() {
            return false;
        }
        let decision = &open[self.dice.roll(open.len())];
        if self.dice.one_in(30) {
            self.record(Fact::DecisionVoided { decision: decision.id, reason: "it changed".to_owned() });
            return true;
        }
        let voters: Vec<&str> =
            ["anna", "bob", "cleo"].into_iter().filter(|who| !decision.votes.iter().any(|v| v.by.person == **who)).collect();
        let choices = &decision.request.choices;
        let choice = match choices[0] {
            Choice::Approve if !self.dice.one_in(self.unkind) => Choice::Approve,
            _ => choices[self.dice.roll(choices.len())],
        };
        let vote = Vote {
            reason: Some("as rolled".to_owned()),
            ..Vote::new(person(voters[self.dice.roll(voters.len())]), choice, decision.request.digest.clone())
        };
        self.record(Fact::Decided { decision: decision.id, vote });
        true
    }

    /// A person or a crash interferes.
    fn interfere(&mut self) {
        let reason = "as rolled".to_owned();
        // Whoever pauses a run often thinks better of it.
        let sides = if self.run.is_paused() { 2 } else { 8 };
        let fact = match self.dice.roll(sides) {
            0 => Fact::CancelRequested { by: person("anna"), undo: self.dice.one_in(2), reason },
            1..=3 => Fact::PauseRequested { by: person("anna"), reason },
            4 => Fact::NoteAdded { by: person("anna"), text: reason },
            _ => {
                for (path, attempt) in std::mem::take(&mut self.open) {
                    self.record(Fact::AttemptFinished { path, attempt, end: unknown() });
                }
                return;
            }
        };
        if self.run.check(&fact).is_ok() {
            self.record(fact);
        }
    }

    /// Does one thing; false where nothing can be done.
    fn move_on(&mut self) -> bool {
        if self.dice.one_in(60) {
            self.interfere();
        }
        let pending = self.run.pending();
        let now = self.now;
        let pure: Vec<Fact> = pending
            .iter()
            .filter_map(|command| match command {
                Command::Resolve { path } => self.run.resolve(path, now),
                Command::Conclude { path } => self.run.conclude(path, now),
                Command::Judge { path, .. } => self.run.judge(path, now),
                Command::Request { path, purpose } => self.run.request(path.as_ref(), purpose, now),
                Command::Finish { outcome } => Some(Fact::RunFinished { outcome: outcome.clone() }),
                Command::Perform { path, attempt } => Some(Fact::AttemptStarted { path: path.clone(), attempt: *attempt }),
                _ => None,
            })
            .collect();
        if !pure.is_empty() && !self.dice.one_in(4) {
            let fact = pure[self.dice.roll(pure.len())].clone();
            if let Fact::AttemptStarted { path, attempt } = &fact {
                self.open.push((path.clone(), *attempt));
            }
            self.record(fact);
            return true;
        }
        if !self.open.is_empty() && !self.dice.one_in(3) {
            let place = self.dice.roll(self.open.len());
            let (path, attempt) = self.open.swap_remove(place);
            let end = self.end(&path, attempt);
            self.record(Fact::AttemptFinished { path, attempt, end });
            return true;
        }
        if !self.dice.one_in(5) && self.vote() {
            return true;
        }
        let timers: Vec<_> = pending
            .iter()
            .filter_map(|command| match command {
                Command::Wake { timer, at } => Some((*at, timer.clone())),
                _ => None,
            })
            .collect();
        let others = !pure.is_empty() || !self.open.is_empty() || self.run.decisions().iter().any(|d| d.is_open());
        let deadline = |timer: &Timer| matches!(timer, Timer::Run | Timer::Step { .. } | Timer::Decision { .. });
        let rests = timers.iter().all(|(_, timer)| deadline(timer));
        assert!(others || self.run.is_paused() || !rests, "it waits for ever, but for deadlines: {pending:#?}");
        if let Some((at, timer)) = timers.into_iter().min()
            && (!others || self.dice.one_in(2))
        {
            self.now = self.now.max(at);
            self.record(Fact::fired(timer));
            return true;
        }
        if self.run.is_paused() && self.dice.one_in(3) {
            self.record(Fact::ResumeRequested { by: person("anna") });
        }
        others || self.run.is_paused()
    }

    fn play_out(&mut self) {
        while self.run.outcome().is_none() {
            assert!(self.events.len() < EVENTS, "it does not end");
            if !self.move_on() && self.run.outcome().is_none() && self.run.pending().is_empty() {
                panic!("it is stuck: nothing is pending");
            }
        }
        assert!(self.open.is_empty(), "it ended while {:?} were under way", self.open);
        assert!(self.run.pending().is_empty(), "it ended and still wants {:?}", self.run.pending());
        assert!(self.run.decisions().iter().all(|d| !d.is_open()), "it ended with an open decision");
    }
}

/// Plays one procedure once; gives its events.
fn play(plan: &Arc<Plan>, seed: u64) -> Vec<Event> {
    let mut play = Play::new(plan, seed);
    play.play_out();
    let undo = Fact::UndoRequested { by: person("anna"), reason: "as rolled".to_owned() };
    if play.dice.one_in(3) && play.run.check(&undo).is_ok() {
        play.record(undo);
        play.play_out();
    }
    checker::judge(&play.events);
    std::mem::take(&mut play.events)
}

/// Tells the record, and how to play it again, where a play does not keep what is promised.
impl Drop for Play {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let again = "cargo test -p runbook-core --test machine random";
            eprintln!("{}again with: RUNBOOK_TEST_SEED={} {again}", checker::told(&self.events), self.seed);
        }
    }
}

#[test]
fn random_runs_keep_what_is_promised() {
    let chosen: Option<u64> = std::env::var("RUNBOOK_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = chosen.map_or_else(|| (0..PROCEDURES * PLAYS).collect(), |seed| vec![seed]);
    let mut seen = checker::Seen::default();
    let mut plan = None;
    for seed in seeds {
        let which = seed / PLAYS;
        if plan.as_ref().is_none_or(|(of, _)| *of != which) {
            plan = Some((which, plan_of(which)));
        }
        if let Some((_, plan)) = &plan {
            seen.count(&play(plan, seed));
        }
    }
    if chosen.is_none() {
        seen.assert_everything_happened();
    }
}
