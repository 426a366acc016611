//! Every kind of event against every kind of state: it is taken, or it is illegal and changes nothing. The table is a
//! golden file, so that a change of the machine shows as a change of the table.

use std::collections::BTreeMap;
use std::time::Duration;

use runbook_core::run::decision::{Choice, Purpose, Request};
use runbook_core::run::event::{AttemptEnd, Evaluated, Failure, Outcome, OutcomeKind, Resolution, Timer, Vote};
use runbook_core::run::{Command, view::Standing};
use runbook_core::{DecisionId, Digest, Fact, Map, Run, StepPath, Value};

use crate::rig::{Rig, failed, ok, person, plan_among, procedure, unknown};

/// One procedure that passes through every state there is.
const ALL: &str = "timeout: 10h
escalation: up
steps:
- {id: look, exec: [look], effect: read, retry: {attempts: 2, delay: 1s}, outputs: {n: result.exit_code}}
- {id: change, exec: [change], undo: {exec: [back]}}
- {id: risky, exec: [risky], irreversible: gone, verify: {exec: [verify], effect: read}}
- {id: odd, exec: [odd], irreversible: gone, verify: run.name == \"test\"}
- {id: nap, wait: {for: 5s, within: 1m}}
- {id: news, wait: {event: {source: stdin}, within: 1m}}
- {id: values, set: {x: 1 + 1}}
- {id: sure, check: [{that: steps.values.x == 2}]}
- id: fan
  parallel: {left: [{exec: [left], effect: read}], right: [{exec: [right], effect: read}]}
- id: all
  each: {in: \"[1, 2]\", steps: [{exec: [item], effect: read}]}
- id: poll
  repeat: {until: now == now, times: 2, steps: [{exec: [round], effect: read}]}
- id: healthy
  wait: {until: now == now, every: 1s, within: 1m, probe: {exec: [probe], effect: read}}
- choose: [{when: 1 == 1, steps: [{exec: [chosen], effect: read}]}]
- id: go
  approve: {question: Go?, from: [anna], within: 1h, on_timeout: escalate}
- id: fields
  ask: {question: How many?, fields: {n: {type: integer}}}
- id: hand
  manual: {do: Press the button, evidence: A picture}
  irreversible: pressed
- {id: last, exec: [last], on_failure: rollback, irreversible: gone}
";

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
people: {anna: {}, bob: {}}
escalations: {up: {steps: [{to: [bob], after: 5m}]}}
";

/// What a state is, as far as events are concerned: the kinds of commands it wants, and the flags that gate messages.
fn state_of(run: &Run) -> String {
    let mut wants: Vec<&str> = run
        .pending()
        .iter()
        .map(|c| match c {
            Command::TakeLock { .. } => "lock",
            Command::Resolve { .. } => "resolve",
            Command::Perform { .. } => "perform",
            Command::Stop { .. } => "stop",
            Command::Conclude { .. } => "conclude",
            Command::Judge { .. } => "judge",
            Command::Request { .. } => "request",
            Command::Await { .. } => "await",
            Command::Wake { timer: Timer::Run, .. } => "",
            Command::Wake { .. } => "wake",
            Command::Finish { .. } => "finish",
        })
        .filter(|w| !w.is_empty())
        .collect();
    wants.sort_unstable();
    wants.dedup();
    let mut flags = Vec::new();
    if run.steps().any(|s| s.standing() == Standing::Running) {
        flags.push("running");
    }
    if run.listens() {
        flags.push("listening");
    }
    if run.start().is_none() {
        flags.push("new");
    }
    if run.is_paused() {
        flags.push("paused");
    }
    if run.is_unwinding() {
        flags.push("unwinding");
    }
    if run.outcome().is_some() {
        flags.push("ended");
    }
    format!("{} {}", wants.join("+"), flags.join("+")).trim().to_owned()
}

/// One or more plausible facts of every kind, made from what the state has and from what it has not.
fn candidates(rig: &Rig) -> Vec<Fact> {
    let run = &rig.run;
    let mut paths: Vec<StepPath> = run.steps().map(|s| s.path().clone()).collect();
    paths.push("nowhere".parse().unwrap());
    let mut facts = Vec::new();
    let failure = Failure { message: "no".to_owned(), at: None, detail: None };
    for path in &paths {
        let attempt = run.find_step(path).map_or(1, |s| s.attempt());
        for resolution in [Resolution::Enter, Resolution::Ask, Resolution::Skip { reason: "no".to_owned() }] {
            facts.push(Fact::StepResolved { path: path.clone(), resolution });
        }
        for attempt in [attempt, attempt + 1] {
            facts.push(Fact::AttemptStarted { path: path.clone(), attempt });
            for end in [ok(), failed(), unknown(), AttemptEnd::Cancelled { failure: failure.clone(), result: Value::Null }] {
                facts.push(Fact::AttemptFinished { path: path.clone(), attempt, end });
            }
        }
        facts.push(Fact::StepConcluded { path: path.clone(), outputs: Evaluated::Value(Map::new()) });
        for round in [1, 2] {
            facts.push(Fact::ConditionJudged { path: path.clone(), round, holds: Evaluated::Value(true) });
            facts.push(Fact::fired(Timer::Wait { path: path.clone(), round }));
        }
        facts.push(Fact::fired(Timer::Retry { path: path.clone(), attempt: attempt + 1 }));
        facts.push(Fact::fired(Timer::Step { path: path.clone() }));
    }
    for command in run.pending() {
        facts.extend(match &command {
            Command::Resolve { path } => run.resolve(path, rig.now),
            Command::Conclude { path } => run.conclude(path, rig.now),
            Command::Judge { path, .. } => run.judge(path, rig.now),
            Command::Request { path, purpose } => run.request(path.as_ref(), purpose, rig.now),
            Command::Finish { outcome } => Some(Fact::RunFinished { outcome: outcome.clone() }),
            Command::Wake { timer, .. } => Some(Fact::fired(timer.clone())),
            _ => None,
        });
    }
    let open = run.decisions().iter().find(|d| d.is_open());
    let digest = open.map_or_else(|| Digest::of_bytes(b""), |d| d.request.digest.clone());
    for id in [open.map_or(DecisionId(1), |d| d.id), DecisionId(99)] {
        for choice in [Choice::Approve, Choice::Reject, Choice::Probe, Choice::Done, Choice::Again, Choice::Leave] {
            let vote = Vote::new(person("anna"), choice, digest.clone());
            facts.push(Fact::Decided { decision: id, vote });
        }
        facts.push(Fact::DecisionVoided { decision: id, reason: "changed".to_owned() });
        let (hold, reason) = (Duration::from_secs(60), String::new());
        facts.push(Fact::Acknowledged { decision: id, by: person("anna"), to: None, hold, reason });
        facts.push(Fact::fired(Timer::Decision { decision: id, rung: 0 }));
    }
    let by = person("anna");
    let reason = "why".to_owned();
    facts.extend([
        Fact::LockTaken { lock: "none".to_owned() },
        Fact::DecisionRequested { decision: DecisionId(1), path: None, purpose: Purpose::Part, request: Box::new(no_request()) },
        Fact::fired(Timer::Run),
        Fact::CancelRequested { by: by.clone(), undo: true, reason: reason.clone() },
        Fact::CancelRequested { by: by.clone(), undo: false, reason: reason.clone() },
        Fact::PauseRequested { by: by.clone(), reason: reason.clone() },
        Fact::ResumeRequested { by: by.clone() },
        Fact::UndoRequested { by: by.clone(), reason: reason.clone() },
        Fact::NoteAdded { by: by.clone(), text: reason },
        Fact::RunAdopted { by, epoch: 2 },
        Fact::RunFinished { outcome: Outcome { kind: OutcomeKind::Succeeded, message: String::new(), step: None } },
        rig.events[0].fact.clone(),
    ]);
    facts
}

fn no_request() -> Request {
    Request {
        question: String::new(),
        from: Vec::new(),
        on_call: Default::default(),
        count: 1,
        not_requester: false,
        signed: false,
        choices: vec![Choice::Approve],
        fields: Vec::new(),
        evidence: None,
        next: Vec::new(),
        known: Vec::new(),
        unknown: Vec::new(),
        within: None,
        on_timeout: Default::default(),
        digest: Digest::of_bytes(b""),
    }
}

type Table = BTreeMap<String, BTreeMap<&'static str, bool>>;

/// Tries everything against the state of `rig`, on copies.
fn try_all(rig: &Rig, table: &mut Table) {
    let row = table.entry(state_of(&rig.run)).or_default();
    for fact in candidates(rig) {
        let mut copy = rig.run.clone();
        let mut event = rig.event(fact);
        if let Fact::TimerFired { .. } = event.fact {
            // Long after every delay and deadline.
            event.at = event.at.checked_add(Duration::from_secs(30 * 24 * 3600)).unwrap();
        }
        let taken = match copy.apply(&event) {
            Ok(_) => true,
            Err(illegal) => {
                assert!(copy == rig.run, "a refused {} changed the run", event.fact.kind());
                assert_eq!(illegal.kind, event.fact.kind());
                false
            }
        };
        *row.entry(event.fact.kind()).or_default() |= taken;
    }
}

/// Walks the procedure to its end, one event at a time, trying everything at every state on the way.
fn walk(mut rig: Rig, table: &mut Table, mut end: impl FnMut(&str, u32) -> AttemptEnd, choice: fn(&Purpose) -> Choice) -> Rig {
    for _ in 0..2_000 {
        try_all(&rig, table);
        if rig.run.outcome().is_some() {
            return rig;
        }
        let now = rig.now;
        let listening = rig.run.listening_at().next().cloned();
        let pure = rig.run.pending().into_iter().find_map(|command| match command {
            Command::Resolve { path } => rig.run.resolve(&path, now),
            Command::Conclude { path } => rig.run.conclude(&path, now),
            Command::Judge { path, .. } => rig.run.judge(&path, now),
            Command::Request { path, purpose } => rig.run.request(path.as_ref(), &purpose, now),
            Command::Finish { outcome } => Some(Fact::RunFinished { outcome }),
            _ => None,
        });
        if let Some(fact) = pure {
            rig.record(fact);
        } else if rig.start_attempt() {
        } else if let Some((path, attempt)) = rig.run.under_way().first().cloned() {
            let how = end(path.as_str(), attempt);
            rig.record(Fact::AttemptFinished { path, attempt, end: how });
        } else if let Some(path) = listening {
            rig.record(Fact::AttemptFinished { path, attempt: 1, end: ok() });
        } else if let Some(open) = rig.run.decisions().iter().find(|d| d.is_open()).cloned() {
            rig.vote("operator", choice(&open.purpose));
        } else {
            assert!(rig.fire(false), "stuck at {:#?}", rig.run.pending());
        }
    }
    panic!("the walk does not end: {:#?}", rig.run.pending());
}

fn all() -> std::sync::Arc<runbook_core::Plan> {
    plan_among(&[&procedure(ALL), WORKSPACE])
}

#[test]
fn every_event_in_every_state_is_taken_or_illegal() {
    let mut table = Table::new();
    let yes = |_: &Purpose| Choice::Approve;
    let first = |path: &str, attempt: u32| if path == "look" && attempt == 1 { failed() } else { ok() };
    walk(Rig::new(all()), &mut table, first, yes);
    // Ends that nobody knows, a rollback whose undo fails, and people who leave the rest.
    let unsure = |path: &str, attempt: u32| match path {
        "risky" | "odd" | "change" if attempt == 1 => unknown(),
        "last" | "change~undo/exec-1" => failed(),
        "risky~verify[1]/exec-1" if attempt == 1 => unknown(),
        _ => ok(),
    };
    let leave = |purpose: &Purpose| match purpose {
        Purpose::Unknown => Choice::Again,
        Purpose::UndoFailed => Choice::Leave,
        _ => Choice::Approve,
    };
    walk(Rig::new(all()), &mut table, unsure, leave);
    // A pause, and a cancellation in the middle of an attempt.
    let mut rig = Rig::new(all());
    rig.settle();
    rig.start_attempt();
    rig.record(Fact::PauseRequested { by: person("anna"), reason: "lunch".to_owned() });
    try_all(&rig, &mut table);
    rig.record(Fact::ResumeRequested { by: person("anna") });
    rig.record(Fact::CancelRequested { by: person("anna"), undo: false, reason: "enough".to_owned() });
    walk(rig, &mut table, |_, _| ok(), yes);

    let kinds: Vec<&str> =
        table.values().flat_map(|row| row.keys().copied()).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    assert_eq!(kinds.len(), 19, "a kind of event was never tried");
    for kind in &kinds {
        let taken = table.values().any(|row| row.get(kind).copied().unwrap_or_default());
        assert!(taken || *kind == "run_started" || *kind == "lock_taken", "{kind} was never taken");
    }
    let mut text = String::new();
    for (state, row) in &table {
        let taken: Vec<&str> = row.iter().filter(|(_, taken)| **taken).map(|(kind, _)| *kind).collect();
        text.push_str(&format!("{state}\n    takes {}\n", taken.join(", ")));
    }
    insta::assert_snapshot!("states_and_events", text);
}
