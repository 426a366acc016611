//! Runs a procedure written as YAML through the machine alone. Attempts end as a script says, people answer as a script
//! says, timers fire when nothing else is left to do; after every event the run is replayed from its beginning and
//! compared with the live one.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::run::decision::Choice;
use runbook_core::run::event::{AttemptEnd, Failure, Identity, Means, OutcomeKind, Part, RunStarted, StepOutcome, Timer, Vote};
use runbook_core::run::view::Standing;
use runbook_core::run::{Command, IllegalEvent};
use runbook_core::{Event, Fact, Map, Plan, Run, RunId, Value};

pub fn plan(yaml: &str) -> Arc<Plan> {
    plan_among(&[yaml])
}

/// The plan of the first of these procedures; it may call the others.
pub fn plan_among(files: &[&str]) -> Arc<Plan> {
    let mut procedures = Vec::new();
    let mut workspace = None;
    for (place, text) in files.iter().enumerate() {
        let source = Source::new(format!("p{place}.yaml"), *text);
        let (document, diagnostics) = load(&source);
        assert!(!diagnostics.has_errors(), "{diagnostics:#?}");
        match document {
            Some(Document::Procedure(procedure)) => procedures.push(*procedure),
            Some(Document::Workspace(found)) => workspace = Some(*found),
            _ => panic!("neither a procedure nor a workspace: {text}"),
        }
    }
    let catalogue = Catalogue::new(procedures.iter(), workspace.as_ref());
    let (plan, diagnostics) = check(&procedures[0], &catalogue, &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{diagnostics:#?}")))
}

/// A procedure with these steps, each line of them indented by two.
pub fn procedure(steps: &str) -> String {
    format!("apiVersion: runbook/v1\nkind: Runbook\nname: test\nversion: 1.0.0\n{steps}")
}

pub fn ok() -> AttemptEnd {
    let stdout = Map::from([("stdout".to_owned(), Value::text("fine\n")), ("exit_code".to_owned(), Value::Int(0))]);
    AttemptEnd::Succeeded { result: Value::Map(stdout) }
}

pub fn failed() -> AttemptEnd {
    let result = Value::Map(Map::from([("exit_code".to_owned(), Value::Int(1))]));
    AttemptEnd::Failed { failure: Failure { message: "exit code 1".to_owned(), at: None, detail: None }, result }
}

pub fn unknown() -> AttemptEnd {
    AttemptEnd::Unknown { why: "the engine stopped".to_owned() }
}

pub struct Rig {
    pub run: Run,
    pub events: Vec<Event>,
    pub now: Timestamp,
    pub attempts: Vec<String>,
    /// Most attempts under way at once.
    pub widest: usize,
    /// Holds attempts back until nothing else can happen, so that they overlap.
    pub overlap: bool,
    pub open: Vec<(runbook_core::StepPath, u32)>,
}

impl Rig {
    pub fn new(plan: Arc<Plan>) -> Rig {
        Rig::with(plan, Map::new(), Part::Whole, false)
    }

    pub fn with(plan: Arc<Plan>, inputs: Map, part: Part, stepwise: bool) -> Rig {
        let started = RunStarted {
            procedure: plan.main().name.clone(),
            version: plan.main().version,
            plan: plan.digest().unwrap(),
            semantics: plan.semantics,
            inputs,
            event: None,
            environment: None,
            requested_by: person("operator"),
            seed: 7,
            part,
            stepwise,
            catalogue: None,
            lock: None,
            root: None,
        };
        let mut rig = Rig {
            run: Run::new(plan),
            events: Vec::new(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            attempts: Vec::new(),
            widest: 0,
            overlap: false,
            open: Vec::new(),
        };
        rig.record(Fact::RunStarted(Box::new(started)));
        rig
    }

    pub fn event(&self, fact: Fact) -> Event {
        Event { run: RunId::from_parts(1, 2), seq: self.run.seq() + 1, at: self.now, fact }
    }

    pub fn record(&mut self, fact: Fact) {
        self.try_record(fact).unwrap_or_else(|illegal| panic!("{illegal}"));
    }

    pub fn try_record(&mut self, fact: Fact) -> Result<(), IllegalEvent> {
        let event = self.event(fact);
        let before = self.run.pending();
        let fresh = self.run.apply(&event)?;
        let after = self.run.pending();
        for command in &after {
            assert!(before.contains(command) || fresh.contains(command), "apply did not give {command:?}");
        }
        self.events.push(event);
        Ok(())
    }

    /// Does everything that needs no attempt and no person. True if something happened.
    pub fn settle(&mut self) -> bool {
        let mut moved = false;
        loop {
            let now = self.now;
            let next = self.run.pending().into_iter().find_map(|command| match command {
                Command::Resolve { path } => self.run.resolve(&path, now),
                Command::Conclude { path } => self.run.conclude(&path, now),
                Command::Judge { path, .. } => self.run.judge(&path, now),
                Command::Request { path, purpose } => self.run.request(path.as_ref(), &purpose, now),
                Command::Finish { outcome } => Some(Fact::RunFinished { outcome }),
                Command::TakeLock { lock } => Some(Fact::LockTaken { lock }),
                _ => None,
            });
            let Some(fact) = next else { return moved };
            self.record(fact);
            moved = true;
        }
    }

    /// Starts one attempt that wants to be performed; true if there was one.
    pub fn start_attempt(&mut self) -> bool {
        let next = self.run.pending().into_iter().find_map(|c| match c {
            Command::Perform { path, attempt } => Some((path, attempt)),
            _ => None,
        });
        let Some((path, attempt)) = next else { return false };
        if let Some(refused) = self.run.too_late(&path, self.now) {
            self.record(refused);
            return true;
        }
        self.record(Fact::AttemptStarted { path: path.clone(), attempt });
        self.attempts.push(if attempt == 1 { path.to_string() } else { format!("{path}#{attempt}") });
        // What waits for an event is ended by nobody here.
        if self.run.find_step(&path).is_some_and(|step| step.standing() == Standing::Listening) {
            return true;
        }
        self.open.push((path, attempt));
        self.widest = self.widest.max(self.open.len());
        true
    }

    pub fn end_attempt(&mut self, end: AttemptEnd) {
        let (path, attempt) = self.open.remove(0);
        self.record(Fact::AttemptFinished { path, attempt, end });
    }

    /// Fires the next timer that is not a deadline of the step or the run; with `deadlines`, any.
    pub fn fire(&mut self, deadlines: bool) -> bool {
        let next = self.run.pending().into_iter().filter_map(|c| match c {
            Command::Wake { timer: timer @ (Timer::Retry { .. } | Timer::Wait { .. }), at } => Some((at, timer)),
            Command::Wake { timer, at } if deadlines => Some((at, timer)),
            _ => None,
        });
        let Some((at, timer)) = next.min() else { return false };
        self.now = self.now.max(at);
        self.record(Fact::fired(timer));
        true
    }

    /// Runs until the run has ended or only people and deadlines are left.
    pub fn go(&mut self, mut end: impl FnMut(&Rig, &str, u32) -> AttemptEnd) {
        loop {
            if self.settle() {
                continue;
            }
            if (self.overlap || self.open.is_empty()) && self.start_attempt() {
                continue;
            }
            if let Some((path, attempt)) = self.open.first().cloned() {
                let stopped = self.run.wants(&Command::Stop { path: path.clone(), attempt });
                let how = if stopped {
                    let failure = Failure { message: "stopped".to_owned(), at: None, detail: None };
                    AttemptEnd::Cancelled { failure, result: Value::Null }
                } else {
                    end(self, path.as_str(), attempt)
                };
                self.end_attempt(how);
                continue;
            }
            if !self.fire(false) {
                break;
            }
        }
        self.replayed();
    }

    /// Replays every prefix of the record: the state that was live then must come out.
    pub fn replayed(&self) {
        let mut again = Run::new(self.run.plan().clone());
        for (place, event) in self.events.iter().enumerate() {
            again.apply(event).unwrap();
            let text = serde_json::to_string(event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), *event, "event {place} does not read back");
        }
        assert_eq!(again.pending(), self.run.pending());
        assert_eq!(again.outcome(), self.run.outcome());
        assert!(again == self.run, "the replayed run is in another state");
    }

    pub fn outcome(&self) -> OutcomeKind {
        self.run.outcome().unwrap_or_else(|| panic!("the run waits for {:#?}", self.run.pending())).kind
    }

    /// Step → outcome, for those that have ended.
    pub fn ended(&self) -> BTreeMap<String, StepOutcome> {
        let ended = |s: runbook_core::run::view::StepView<'_>| match s.standing() {
            Standing::Ended(outcome) => Some((s.path().to_string(), outcome)),
            _ => None,
        };
        self.run.steps().filter_map(ended).collect()
    }

    pub fn vote_of(&self, who: &str, choice: Choice) -> (runbook_core::DecisionId, Vote) {
        let open = self.run.decisions().iter().find(|d| d.is_open()).expect("no decision is open");
        let vote = Vote { reason: Some("as tested".to_owned()), ..Vote::new(person(who), choice, open.request.digest.clone()) };
        (open.id, vote)
    }

    pub fn vote(&mut self, who: &str, choice: Choice) {
        let (decision, vote) = self.vote_of(who, choice);
        self.record(Fact::Decided { decision, vote });
    }
}

pub fn person(name: &str) -> Identity {
    Identity { person: name.to_owned(), means: Means::LocalUser { user: name.to_owned(), host: "here".to_owned() } }
}

/// Runs steps whose attempts named in `bad` fail each time; gives the order of attempts and the outcome.
pub fn play(steps: &str, bad: &[&str]) -> (Vec<String>, OutcomeKind) {
    let rig = played(steps, bad);
    let outcome = rig.outcome();
    (rig.attempts, outcome)
}

pub fn played(steps: &str, bad: &[&str]) -> Rig {
    let bad: Vec<String> = bad.iter().map(|b| (*b).to_owned()).collect();
    let mut rig = Rig::new(plan(&procedure(steps)));
    rig.go(move |_, path, _| if bad.iter().any(|b| b == path) { failed() } else { ok() });
    rig
}
