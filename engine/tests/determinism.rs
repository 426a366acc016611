//! The same plan, answers and seed give the same record, byte for byte; and whatever order real processes end in, the record
//! replays, at each of its events, to the state that was live then. A fault of the engine in one attempt concerns that one alone.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::run::decision::Choice;
use runbook_core::run::event::{AttemptEnd, Failure, Identity, Means, OutcomeKind, Part, RunStarted, Timer, Vote};
use runbook_core::run::{Command, Event};
use runbook_core::{Digest, Map, Plan, Run, RunId, Value};
use runbook_engine::clock::{Clock, ManualClock, SystemClock};
use runbook_engine::driver::local::LocalPerformer;
use runbook_engine::driver::perform::{Assignment, Performer};
use runbook_engine::driver::{Driver, Patience, Progress, Stop, Wish, World};
use runbook_engine::journal::export::export;
use runbook_engine::journal::{Owner, Record, SharedJournal};
use runbook_engine::log::Logs;
use runbook_engine::message::{Answer, Message};
use runbook_engine::secret::SecretStore;
use runbook_engine::session::{Observer, Session};

const PROCEDURE: &str = r#"apiVersion: runbook/v1
kind: Runbook
name: same
version: 1.0.0
steps:
- id: fan
  parallel:
    left:
    - {id: l1, run: 'echo l1', idempotent: true, retry: {attempts: 4, delay: 3s, jitter: 0.5}}
    - {id: l2, run: 'echo l2', undo: {run: 'echo un-l2', idempotent: true}}
    right:
    - {id: r1, run: 'echo r1', effect: read, outputs: {word: result.stdout.trim()}}
    - {id: r2, run: 'echo {{steps.r1.word}}', undo: {run: 'echo un-r2', idempotent: true}}
- id: every
  each:
    in: "[1, 2, 3, 4, 5, 6, 7, 8]"
    max_parallel: 4
    max_failures: 8
    steps:
    - {id: a, run: 'echo {{item}}', idempotent: true, retry: {attempts: 2, delay: 1s, jitter: 1}}
    - {id: b, exec: [echo, '{{steps.a.stdout}}'], undo: {run: 'echo un-b', idempotent: true}}
- {id: nap, wait: {for: 10ms, within: 1h}}
- {id: go, approve: {question: Go on?, within: 1h}}
- {id: bad, run: 'exit 1', idempotent: true, on_failure: rollback}
finally:
- {id: last, run: 'echo last', effect: read}
"#;

fn plan() -> Arc<Plan> {
    let (document, diagnostics) = load(&Source::new("same.yaml", PROCEDURE));
    let Some(Document::Procedure(procedure)) = document else { panic!("{diagnostics:#?}") };
    let (plan, diagnostics) = check(&procedure, &Catalogue::new([&*procedure], None), &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{diagnostics:#?}")))
}

fn operator() -> Identity {
    Identity { person: "operator".to_owned(), means: Means::LocalUser { user: "operator".to_owned(), host: "here".to_owned() } }
}

fn started(plan: &Plan, seed: u64) -> RunStarted {
    RunStarted {
        procedure: plan.main().name.clone(),
        version: plan.main().version,
        plan: plan.digest().expect("a plan has a digest"),
        semantics: plan.semantics,
        inputs: Map::new(),
        event: None,
        environment: None,
        requested_by: operator(),
        seed,
        part: Part::Whole,
        stepwise: false,
        catalogue: None,
        lock: None,
        root: None,
    }
}

/// Ends every attempt as its name and the seed say.
struct Scripted(u64);

impl Performer for Scripted {
    fn perform(&self, assignment: Assignment) -> Pin<Box<dyn Future<Output = AttemptEnd> + Send>> {
        let (path, attempt) = (assignment.path, assignment.attempt);
        let digest = Digest::of_bytes(format!("{}/{path}/{attempt}", self.0).as_bytes()).to_string();
        let bad = path.label() == "bad" || (attempt == 1 && digest.ends_with(['0', '1', '2', '3', '4', '5']));
        let lost = bad && digest.ends_with(['0', '1']) && matches!(path.label(), "l1" | "a");
        let result = |code: i64| {
            let parts = [("stdout", Value::text(digest.clone())), ("stderr", Value::text("")), ("exit_code", Value::Int(code))];
            Value::Map(parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        };
        let end = if lost {
            AttemptEnd::Unknown { why: "as written".to_owned() }
        } else if bad && !path.as_str().contains('~') {
            AttemptEnd::Failed { failure: Failure { message: "exit code 1".to_owned(), at: None, detail: None }, result: result(1) }
        } else {
            AttemptEnd::Succeeded { result: result(0) }
        };
        Box::pin(std::future::ready(end))
    }
}

/// Breaks once, in the first attempt of `l1`, while `r1` is under way.
struct Broken {
    rest: Scripted,
    /// It says this, which is in memory only.
    aloud: Option<&'static str>,
}

impl Performer for Broken {
    fn perform(&self, assignment: Assignment) -> Pin<Box<dyn Future<Output = AttemptEnd> + Send>> {
        if assignment.path.as_str() == "fan.left/l1" && assignment.attempt == 1 {
            return match self.aloud {
                Some(what) => Box::pin(async move { panic!("about {what}") }),
                None => Box::pin(async { panic!("as written") }),
            };
        }
        self.rest.perform(assignment)
    }
}

/// In its first attempt somebody wants to leave the run, and takes that back in the moment in which the attempt ends.
struct Staying {
    rest: Scripted,
    wishes: Mutex<Option<tokio::sync::mpsc::UnboundedSender<Wish>>>,
}

impl Performer for Staying {
    fn perform(&self, assignment: Assignment) -> Pin<Box<dyn Future<Output = AttemptEnd> + Send>> {
        let end = self.rest.perform(assignment);
        let Some(wishes) = self.wishes.lock().expect("nothing fails").take() else { return end };
        Box::pin(async move {
            let _ = wishes.send(Wish::Park);
            // Time enough for the driver to take it, and for whatever else runs to end.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let _ = wishes.send(Wish::Stay);
            end.await
        })
    }
}

/// Keeps the run as it was seen after each event.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(Run, Event)>>>);

impl Observer for Seen {
    fn observe(&mut self, run: &Run, event: &Event, _: &Record) {
        self.0.lock().expect("no observer fails").push((run.clone(), event.clone()));
    }
}

/// Drives the run to its end, saying yes to whatever is asked.
async fn finish(session: &mut Session, performer: Arc<dyn Performer>, mut idle: impl FnMut(&Run) + Send + Clone) -> OutcomeKind {
    loop {
        let (_wishes, wishes) = tokio::sync::mpsc::unbounded_channel();
        let world = World { performer: performer.clone(), wishes };
        let mut idle_now = idle.clone();
        let progress = move |run: &Run, what: Progress| {
            if let Progress::Idle = what {
                idle_now(run);
            }
        };
        match Driver::new(session, world, Patience::Park, Box::new(progress)).drive().await.expect("the engine is well") {
            Stop::Finished(outcome) => return outcome.kind,
            Stop::Waiting(decisions) => {
                for decision in decisions {
                    let digest = session.run().decision(decision).expect("it is open").request.digest.clone();
                    let vote = Vote::new(operator(), Choice::Approve, digest);
                    let received = session.receive(Message::Decide { decision, vote: Box::new(vote) }).expect("the engine is well");
                    assert!(matches!(received.answer, Answer::Accepted { .. }), "{:?}", received.answer);
                }
            }
            other => panic!("it stopped: {other:?}"),
        }
        idle(session.run());
    }
}

/// Moves the clock to the end of the next wait, where nothing else can happen.
fn on(clock: &Arc<ManualClock>) -> impl FnMut(&Run) + Send + Clone + use<> {
    let hands = clock.clone();
    move |run: &Run| {
        let wakes = run.pending().into_iter().filter_map(|command| match command {
            Command::Wake { timer: Timer::Wait { .. } | Timer::Retry { .. }, at } => Some(at),
            _ => None,
        });
        if let (Some(at), true) = (wakes.min(), run.under_way().is_empty()) {
            hands.set(at.max(hands.now()));
        }
    }
}

/// One scripted run under a clock that moves only when nothing else can happen; gives what is exported.
fn recorded(seed: u64, performer: Arc<dyn Performer>) -> (Vec<u8>, OutcomeKind) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let clock = Arc::new(ManualClock::at(start));
        let journal: SharedJournal = Arc::new(runbook_engine::journal::MemoryJournal::default());
        let (plan, id) = (plan(), RunId::from_parts(1, 1));
        let started = started(&plan, seed);
        let owner = Owner::this_process("operator");
        let mut session =
            Session::create(journal.clone(), clock.clone(), owner, Vec::new(), id.clone(), plan, started).await.expect("it starts");
        let outcome = finish(&mut session, performer, on(&clock)).await;
        session.close().await.expect("the run is given up");
        let mut text = Vec::new();
        export(&*journal, &id, &mut text).expect("it is exported");
        (text, outcome)
    })
}

#[test]
fn the_same_plan_answers_and_seed_give_the_same_bytes() {
    let mut records = Vec::new();
    let mut outcomes = BTreeSet::new();
    for seed in 1..=8 {
        let (first, outcome) = recorded(seed, Arc::new(Scripted(seed)));
        outcomes.insert(outcome);
        let (second, _) = recorded(seed, Arc::new(Scripted(seed)));
        let line = |text: &[u8]| String::from_utf8_lossy(text).lines().map(str::to_owned).collect::<Vec<_>>();
        for (number, (one, other)) in line(&first).iter().zip(&line(&second)).enumerate() {
            assert_eq!(one, other, "seed {seed}, line {}", number + 1);
        }
        assert!(first == second, "seed {seed}");
        records.push(first);
    }
    assert!(outcomes.contains(&OutcomeKind::RolledBack), "{outcomes:?}");
    records.dedup();
    assert_eq!(records.len(), 8, "the seed makes no difference");
    assert!(records.iter().any(|r| r.windows(7).any(|w| w == b"unknown")), "no end was unknown");
}

#[test]
fn a_fault_in_one_attempt_leaves_the_others_under_way() {
    for (aloud, told) in [(None, "it panicked, `as written`"), (Some("hunter2"), "it panicked\"")] {
        let (record, _) = recorded(3, Arc::new(Broken { rest: Scripted(3), aloud }));
        let text = String::from_utf8_lossy(&record);
        let lost: Vec<&str> = text.lines().filter(|line| line.contains("the engine lost it")).collect();
        assert!(lost.len() == 1 && lost[0].contains("fan.left/l1"), "{lost:#?}");
        // Nothing of this process stands in it: neither the number of a task nor what was in its memory.
        assert!(lost[0].contains(&format!("the engine lost it: {told}")), "{lost:#?}");
        let again = ["attempt_started", r#""attempt":2"#, r#""path":"fan.left/l1""#];
        assert!(text.lines().any(|line| again.iter().all(|part| line.contains(part))), "it is not repeated");
    }
}

#[test]
fn a_real_run_replays_to_what_was_seen_at_each_event() {
    let state = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let seen = Seen::default();
    let (plan, id) = (plan(), RunId::from_parts(1, 1));
    let journal: SharedJournal = Arc::new(runbook_engine::journal::MemoryJournal::default());
    let outcome = runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let performer = LocalPerformer::new(
            state.path().to_owned(),
            Logs::open(state.path()).expect("a folder of logs"),
            Arc::new(SecretStore::new(state.path(), state.path(), [])),
        );
        let (owner, started) = (Owner::this_process("operator"), started(&plan, 1));
        let observers: Vec<Box<dyn Observer>> = vec![Box::new(seen.clone())];
        let mut session = Session::create(journal.clone(), clock.clone(), owner, observers, id.clone(), plan.clone(), started)
            .await
            .expect("it starts");
        let outcome = finish(&mut session, Arc::new(performer), |_: &Run| {}).await;
        session.close().await.expect("the run is given up");
        outcome
    });
    assert_eq!(outcome, OutcomeKind::RolledBack);
    let seen = seen.0.lock().expect("no observer fails");
    assert!(seen.len() > 100, "only {} events", seen.len());
    let mut again = Run::new(plan);
    for (live, event) in seen.iter() {
        again.apply(event).expect("what was recorded is possible");
        assert!(again == *live, "event {} ({}) replays to another state", event.seq, event.fact.kind());
    }
    let mut kept = 0;
    let (whole, _) = runbook_engine::session::replay(&*journal, &id, &mut |run, event| {
        assert!(seen.get(kept).is_some_and(|(live, seen)| live == run && seen == event), "event {} was kept otherwise", event.seq);
        kept += 1;
    })
    .expect("the record is whole");
    assert_eq!((kept, whole.outcome().map(|o| o.kind)), (seen.len(), Some(OutcomeKind::RolledBack)));
}

#[tokio::test]
async fn whoever_stays_as_the_last_step_ends_is_not_left() {
    let (plan, id) = (plan(), RunId::from_parts(1, 1));
    let (started, owner) = (started(&plan, 1), Owner::this_process("operator"));
    let journal: SharedJournal = Arc::new(runbook_engine::journal::MemoryJournal::default());
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().expect("a time")));
    let mut session = Session::create(journal, clock.clone(), owner, Vec::new(), id, plan, started).await.expect("it starts");
    let (say, wishes) = tokio::sync::mpsc::unbounded_channel();
    let performer = Arc::new(Staying { rest: Scripted(1), wishes: Mutex::new(Some(say)) });
    let mut on = on(&clock);
    let progress = Box::new(move |run: &Run, _: Progress| on(run));
    let stopped = Driver::new(&mut session, World { performer, wishes }, Patience::Park, progress).drive().await;
    assert!(matches!(stopped, Ok(Stop::Finished(_))), "it goes on to its end: {stopped:?}");
}
