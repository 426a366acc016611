//! The engine is killed with SIGKILL before and after every commit of a run, and resumed. What the steps really did is
//! counted outside, in a file that only they write: no effect happens twice unless it says that it may, nothing recorded is
//! lost, and the run ends as it would have.
//!
//! The engine that dies is a real process: this test program runs itself again, with a journal that ends the process at
//! the chosen commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::run::decision::{Choice, Purpose};
use runbook_core::run::event::{AttemptEnd, Fact, Identity, Means, OutcomeKind, Part, RunStarted, Vote};
use runbook_core::{Digest, Map, Plan, ProcedureName, Run, RunId, Value};
use runbook_engine::clock::{Clock, SystemClock};
use runbook_engine::driver::local::LocalPerformer;
use runbook_engine::driver::{Driver, Patience, Stop, World};
use runbook_engine::journal::{
    Ahead, AheadId, Anchor, Append, Archive, Awaited, AwaitedFilter, DecisionFilter, Journal, JournalError, KeptOverride, Lease,
    LockOutcome, NewAhead, NewOverride, NewRun, OpenDecision, OverrideId, Owner, Receipt, Record, RunFilter, RunRow, SharedJournal,
    Store,
};
use runbook_engine::log::Logs;
use runbook_engine::message::{Answer, Letter, Message, MessageId};
use runbook_engine::secret::SecretStore;
use runbook_engine::session::Session;

const PROCEDURE: &str = r#"apiVersion: runbook/v1
kind: Runbook
name: crash
version: 1.0.0
inputs:
  count: {type: path, description: Where each effect leaves its line}
defaults:
  env: {COUNT: inputs.count}
steps:
- {id: first, run: 'echo first >> "$COUNT"', undo: {run: 'echo un-first >> "$COUNT"', idempotent: true}}
- id: hosts
  each:
    in: "[1, 2, 3, 4, 5, 6]"
    as: n
    max_parallel: 3
    steps:
    - {id: stop, run: 'echo "stop {{n}}" >> "$COUNT"', irreversible: it counts}
    - {id: swap, run: 'echo "swap {{n}}" >> "$COUNT"', irreversible: it counts}
- id: fan
  parallel:
    left:
    - {id: l1, run: 'echo l1 >> "$COUNT"', irreversible: it counts}
    - {id: l2, run: 'echo l2 >> "$COUNT"', irreversible: it counts}
    - {id: l3, run: 'echo l3 >> "$COUNT"', irreversible: it counts}
    right:
    - {id: r1, run: 'echo r1 >> "$COUNT"', irreversible: it counts}
    - {id: r2, run: 'echo r2 >> "$COUNT"', idempotent: true}
    - {id: r3, run: 'echo r3 >> "$COUNT"', irreversible: it counts}
- id: flaky
  run: 'echo flaky >> "$COUNT"; test "$(grep -c "^flaky" "$COUNT")" -ge 2'
  idempotent: true
  retry: {attempts: 3, delay: 1ms}
- id: go
  approve: {question: Go on?}
- {id: a1, run: 'echo a1 >> "$COUNT"', undo: {run: 'echo un-a1 >> "$COUNT"', idempotent: true}}
- {id: a2, run: 'echo a2 >> "$COUNT"', undo: {run: 'echo un-a2 >> "$COUNT"', idempotent: true}}
- {id: a3, run: 'echo a3 >> "$COUNT"', undo: {run: 'echo un-a3 >> "$COUNT"', idempotent: true}}
- id: seen
  run: 'echo seen >> "$COUNT"'
  irreversible: it counts
  verify: {run: 'grep -q "^seen$" "$COUNT"', effect: read}
- {id: a4, run: 'echo a4 >> "$COUNT"', undo: {run: 'echo un-a4 >> "$COUNT"', idempotent: true}}
- {id: a5, run: 'echo a5 >> "$COUNT"', irreversible: it counts}
- {id: a6, run: 'echo a6 >> "$COUNT"', irreversible: it counts}
- {id: bad, run: 'exit 1', idempotent: true, on_failure: rollback}
finally:
- {run: 'echo last >> "$COUNT"', idempotent: true}
"#;

/// Effects that a crash may repeat, because the procedure says that this does no harm.
const REPEATABLE: [&str; 7] = ["r2", "flaky", "un-first", "un-a1", "un-a2", "un-a3", "un-a4"];

/// Attempts that can only begin after the one before has ended, each therefore in a commit of its own: `first`, four of each
/// branch of `hosts`, three of `fan`, two of `flaky`, `a1` to `bad`, five of undo, and the last. How many of the others share
/// a commit depends on when they end.
const IN_SEQUENCE: u32 = 1 + 4 + 3 + 2 + 8 + 5 + 1;

fn plan() -> Arc<Plan> {
    let source = Source::new("crash.yaml", PROCEDURE);
    let (document, diagnostics) = load(&source);
    let Some(Document::Procedure(procedure)) = document else { panic!("{diagnostics:#?}") };
    let (plan, diagnostics) = check(&procedure, &Catalogue::new([&*procedure], None), &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{diagnostics:#?}")))
}

fn operator() -> Identity {
    Identity { person: "operator".to_owned(), means: Means::LocalUser { user: "operator".to_owned(), host: "here".to_owned() } }
}

fn run_id() -> RunId {
    RunId::from_parts(1, 1)
}

/// Commits of this process so far, over all the times that it drove the run.
static COMMITS: AtomicU32 = AtomicU32::new(0);

/// Ends the process at one commit: before it reaches the store, or right after.
struct Deadly {
    store: Arc<Store>,
    at: u32,
    after: bool,
}

impl Deadly {
    fn reach(&self, after: bool) {
        let number = if after { COMMITS.fetch_add(1, Ordering::SeqCst) + 1 } else { COMMITS.load(Ordering::SeqCst) + 1 };
        if number == self.at && after == self.after {
            // SAFETY: ends this process, and no other, at once.
            unsafe { libc::raise(libc::SIGKILL) };
        }
    }
}

impl Journal for Deadly {
    fn create(&self, run: NewRun) -> Receipt<Lease> {
        self.store.create(run)
    }

    fn append(&self, append: Append) -> Receipt<()> {
        self.reach(false);
        // The commit is awaited here, so that the kill really comes after it.
        let result = self.store.append(append).wait();
        self.reach(true);
        Receipt::ready(result)
    }

    fn acquire(&self, run: &RunId, owner: &Owner, now: Timestamp, until: Timestamp) -> Receipt<Lease> {
        self.store.acquire(run, owner, now, until)
    }

    fn renew(&self, lease: &Lease, until: Timestamp) -> Receipt<()> {
        self.store.renew(lease, until)
    }

    fn release(&self, lease: &Lease) -> Receipt<()> {
        self.store.release(lease)
    }

    fn send(&self, run: &RunId, message: &Message, now: Timestamp) -> Receipt<MessageId> {
        self.store.send(run, message, now)
    }

    fn withdraw(&self, id: MessageId) -> Receipt<Option<Answer>> {
        self.store.withdraw(id)
    }

    fn take_lock(&self, lease: &Lease, lock: &str) -> Receipt<LockOutcome> {
        self.store.take_lock(lease, lock)
    }

    fn decide_ahead(&self, ahead: NewAhead) -> Receipt<AheadId> {
        self.store.decide_ahead(ahead)
    }

    fn use_ahead(&self, lease: &Lease, id: AheadId) -> Receipt<bool> {
        self.store.use_ahead(lease, id)
    }

    fn stand_in(&self, new: NewOverride) -> Receipt<OverrideId> {
        self.store.stand_in(new)
    }

    fn cancel_override(&self, id: OverrideId) -> Receipt<bool> {
        self.store.cancel_override(id)
    }

    fn anchor(&self, anchor: Anchor) -> Receipt<()> {
        self.store.anchor(anchor)
    }

    fn awaited(&self, filter: &AwaitedFilter) -> Result<Vec<Awaited>, JournalError> {
        self.store.awaited(filter)
    }

    fn inbox(&self, run: &RunId) -> Result<Vec<Letter>, JournalError> {
        self.store.inbox(run)
    }

    fn answer(&self, id: MessageId) -> Result<Option<Answer>, JournalError> {
        self.store.answer(id)
    }

    fn aheads(&self, procedure: &ProcedureName, now: Timestamp) -> Result<Vec<Ahead>, JournalError> {
        self.store.aheads(procedure, now)
    }

    fn overrides(&self, now: Timestamp) -> Result<Vec<KeptOverride>, JournalError> {
        self.store.overrides(now)
    }

    fn lock_holder(&self, lock: &str) -> Result<Option<RunId>, JournalError> {
        self.store.lock_holder(lock)
    }

    fn changed(&self, after: u64, limit: usize) -> Result<(Vec<RunId>, u64), JournalError> {
        self.store.changed(after, limit)
    }

    fn ended(&self, after: u64, limit: usize) -> Result<(Vec<(RunId, u64)>, u64), JournalError> {
        self.store.ended(after, limit)
    }

    fn place(&self) -> Result<u64, JournalError> {
        self.store.place()
    }

    fn version(&self) -> Result<u64, JournalError> {
        self.store.version()
    }
}

impl Archive for Deadly {
    fn run(&self, run: &RunId) -> Result<RunRow, JournalError> {
        self.store.run(run)
    }

    fn plan(&self, digest: &Digest) -> Result<String, JournalError> {
        self.store.plan(digest)
    }

    fn records(&self, run: &RunId, from: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.store.records(run, from, limit)
    }

    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        self.store.runs(filter)
    }

    fn open_decisions(&self, filter: &DecisionFilter) -> Result<Vec<OpenDecision>, JournalError> {
        self.store.open_decisions(filter)
    }

    fn anchors(&self, run: &RunId) -> Result<Vec<Anchor>, JournalError> {
        self.store.anchors(run)
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Starts or resumes the run in `state` and drives it until it ends or waits for people.
fn drive(state: &Path, die: Option<(u32, bool)>) -> Stop {
    let store = Arc::new(Store::open(&state.join("state")).expect("the store opens"));
    let deadly =
        Arc::new(Deadly { store: store.clone(), at: die.map_or(0, |(at, _)| at), after: die.is_some_and(|(_, after)| after) });
    let journal: SharedJournal = deadly;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let owner = Owner::this_process("operator");
        let mut session = if store.run(&run_id()).is_ok() {
            let mut session = Session::open(journal, clock.clone(), owner, Vec::new(), &run_id()).await.expect("the run opens");
            session.adopt(operator()).expect("it is taken up");
            session
        } else {
            let plan = plan();
            let count = state.join("count").to_string_lossy().into_owned();
            let started = RunStarted {
                procedure: plan.main().name.clone(),
                version: plan.main().version,
                plan: plan.digest().expect("a plan has a digest"),
                semantics: plan.semantics,
                inputs: Map::from([("count".to_owned(), Value::Text(count))]),
                event: None,
                environment: None,
                requested_by: operator(),
                seed: 1,
                part: Part::Whole,
                stepwise: false,
                catalogue: None,
                lock: None,
                root: None,
            };
            Session::create(journal, clock.clone(), owner, Vec::new(), run_id(), plan, started).await.expect("the run is created")
        };
        let performer = Arc::new(LocalPerformer::new(
            state.to_owned(),
            Logs::open(&state.join("state")).expect("a folder of logs"),
            Arc::new(SecretStore::new(state, state, [])),
        ));
        let (_wishes, wishes) = tokio::sync::mpsc::unbounded_channel();
        let world = World { performer, wishes };
        let stop = Driver::new(&mut session, world, Patience::Park, Box::new(|_, _| {})).drive().await.expect("the engine is well");
        session.close().await.expect("the run is given up");
        stop
    })
}

fn counted(state: &Path) -> BTreeMap<String, u32> {
    let text = std::fs::read_to_string(state.join("count")).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        *counts.entry(line.to_owned()).or_insert(0) += 1;
    }
    counts
}

/// The ends of attempts that were no success, and of the run.
fn troubles(facts: &[Fact]) -> Vec<&Fact> {
    let is_trouble = |fact: &&Fact| match fact {
        Fact::AttemptFinished { end, .. } => !matches!(end, AttemptEnd::Succeeded { .. }),
        fact => matches!(fact, Fact::RunFinished { .. }),
    };
    facts.iter().filter(is_trouble).collect()
}

/// Answers what is open as a careful person would: approvals with yes, unknown ends by looking at what really happened.
fn answer(state: &Path, asked: &mut Vec<String>) {
    let journal: SharedJournal = Arc::new(Store::open(&state.join("state")).expect("the store opens"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (run, _) = runbook_engine::session::replay(&*journal, &run_id(), &mut |_, _| {}).expect("the record is whole");
    for decision in run.decisions().iter().filter(|d| d.is_open()) {
        let choice = match &decision.purpose {
            Purpose::Unknown => {
                let path = decision.path.as_ref().expect("an unknown end is of a step").to_string();
                asked.push(path.clone());
                if counted(state).contains_key(&line_of(&path)) { Choice::Done } else { Choice::Again }
            }
            _ => Choice::Approve,
        };
        let vote =
            Vote { reason: Some("looked at it".to_owned()), ..Vote::new(operator(), choice, decision.request.digest.clone()) };
        let message = Message::Decide { decision: decision.id, vote: Box::new(vote) };
        let owner = Owner::this_process("operator");
        let said = block_on(runbook_engine::session::deliver(journal.clone(), clock.clone(), owner, &run_id(), message));
        assert!(matches!(said, Ok(Answer::Accepted { .. })), "{said:?}");
    }
}

/// The line that a step leaves: `hosts[2]/stop` writes `stop 3`.
fn line_of(path: &str) -> String {
    let label = path.rsplit('/').next().unwrap_or(path);
    match path.split_once('[').and_then(|(_, rest)| rest.split_once(']')) {
        Some((index, _)) => format!("{label} {}", index.parse::<u32>().expect("an index") + 1),
        None => label.to_owned(),
    }
}

fn finish(state: &Path) -> (OutcomeKind, Vec<String>) {
    let mut asked = Vec::new();
    for _ in 0..100 {
        match drive(state, None) {
            Stop::Finished(outcome) => return (outcome.kind, asked),
            _ => answer(state, &mut asked),
        }
    }
    panic!("the run does not end");
}

fn events(state: &Path) -> (Run, Vec<Fact>) {
    let store = Store::open(&state.join("state")).expect("the store opens");
    let mut facts = Vec::new();
    let (run, _) =
        runbook_engine::session::replay(&store, &run_id(), &mut |_, e| facts.push(e.fact.clone())).expect("a whole record");
    (run, facts)
}

/// The program that dies: run by the test below, never by itself.
#[test]
fn child() {
    let Ok(state) = std::env::var("CRASH_STATE") else { return };
    let at: u32 = std::env::var("CRASH_AT").ok().and_then(|n| n.parse().ok()).expect("CRASH_AT is a number");
    let after = std::env::var("CRASH_AFTER").is_ok_and(|a| a == "1");
    let state = PathBuf::from(state);
    for _ in 0..10 {
        if let Stop::Finished(_) = drive(&state, Some((at, after))) {
            return;
        }
        answer(&state, &mut Vec::new());
    }
}

fn state_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir(folder.path().join("state")).expect("a state folder");
    std::fs::set_permissions(folder.path().join("state"), std::fs::Permissions::from_mode(0o700)).expect("only ours");
    folder
}

#[test]
fn no_crash_doubles_or_loses_an_effect() {
    let calm = state_folder();
    let (outcome, asked) = finish(calm.path());
    assert_eq!((outcome, asked.len()), (OutcomeKind::RolledBack, 0));
    let expect = counted(calm.path());
    let (_, facts) = events(calm.path());
    let effects = facts.iter().filter(|f| matches!(f, Fact::AttemptStarted { .. })).count();
    assert!(effects >= 30, "only {effects} effects");

    let mut unknown = 0;
    for after in [false, true] {
        for at in 1.. {
            let state = state_folder();
            let died = Process::new(std::env::current_exe().expect("this program"))
                .args(["--exact", "child", "--nocapture"])
                .env("CRASH_STATE", state.path())
                .env("CRASH_AT", at.to_string())
                .env("CRASH_AFTER", if after { "1" } else { "0" })
                .stdout(std::process::Stdio::null())
                .status()
                .expect("the program starts");
            let (_, before) = events(state.path());
            if died.success() {
                assert!(at > IN_SEQUENCE, "only {} commits", at - 1);
                break;
            }
            let (outcome, asked) = finish(state.path());
            unknown += asked.len();
            let (_, facts) = events(state.path());
            assert_eq!(outcome, OutcomeKind::RolledBack, "commit {at}, after: {after}: {:#?}", troubles(&facts));
            assert_eq!(facts[..before.len()], before[..], "a recorded fact was lost");
            let counts = counted(state.path());
            for (line, count) in &counts {
                let most = if REPEATABLE.contains(&line.as_str()) || line == "last" {
                    u32::MAX
                } else {
                    expect.get(line).copied().unwrap_or(0)
                };
                assert!(*count <= most, "`{line}` happened {count} times (commit {at}, after: {after})");
            }
            for line in expect.keys() {
                assert!(counts.contains_key(line), "`{line}` never happened (commit {at}, after: {after})");
            }
        }
    }
    assert!(unknown > 0, "no crash left an end unknown");
    println!("{unknown} unknown ends asked about, {effects} effects a run");
}
