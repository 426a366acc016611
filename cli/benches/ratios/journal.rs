//! Rows of the engine over a real journal, without processes: what recording costs, and what is there to be taken up again.

use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runbook_core::run::event::AttemptEnd;
use runbook_core::{Plan, RunId, Value};
use runbook_engine::clock::SystemClock;
use runbook_engine::driver::{Assignment, Driver, Patience, Performer, World};
use runbook_engine::journal::{Owner, SharedJournal, Store};
use runbook_engine::session::{self, Session};
use tokio::runtime::Runtime;

use crate::machine::{machine, plan, started};
use crate::{PAIRS, RUNBOOK, Reach, Row, fastest, median, peak_memory, procedure, processor_time, state};

/// Every attempt succeeds at once.
struct Nothing;

impl Performer for Nothing {
    fn perform(&self, _: Assignment) -> Pin<Box<dyn Future<Output = AttemptEnd> + Send>> {
        Box::pin(std::future::ready(AttemptEnd::Succeeded { result: Value::Null }))
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn store(folder: &Path, name: &str) -> SharedJournal {
    Arc::new(Store::open(&state(folder, name)).expect("a journal"))
}

async fn create(journal: SharedJournal, plan: Arc<Plan>, number: u128) -> Session {
    let owner = Owner::this_process("operator");
    let id = RunId::from_parts(1_700_000_000_000, number);
    let begun = started(&plan);
    Session::create(journal, Arc::new(SystemClock), owner, Vec::new(), id, plan, begun).await.expect("it is created")
}

/// Drives a new run as far as it goes without people; gives the number of its events.
async fn drive(journal: SharedJournal, plan: Arc<Plan>, number: u128) -> u64 {
    let mut session = create(journal, plan, number).await;
    let (_, wishes) = tokio::sync::mpsc::unbounded_channel();
    let world = World { performer: Arc::new(Nothing), wishes };
    Driver::new(&mut session, world, Patience::Park, Box::new(|_, _| ())).drive().await.expect("it goes on");
    let events = session.run().seq();
    session.close().await.expect("it is left");
    events
}

pub fn many_at_once(folder: &Path) -> Row {
    let plan = plan(&procedure(&"- {exec: [\"true\"], idempotent: true}\n".repeat(20)));
    let runtime = runtime();
    let mut file = File::create(folder.join("events")).expect("a file");
    let ratios = (0..PAIRS as u128).map(|round| {
        let journal = store(folder, "many-at-once");
        let start = Instant::now();
        let events: u64 = runtime.block_on(async {
            let runs = (0..64).map(|n| tokio::spawn(drive(journal.clone(), plan.clone(), round * 64 + n)));
            let mut events = 0;
            for run in runs.collect::<Vec<_>>() {
                events += run.await.expect("it is driven");
            }
            events
        });
        let ours = events as f64 / start.elapsed().as_secs_f64();
        let start = Instant::now();
        for _ in 0..200 {
            file.write_all(&[b'x'; 300]).expect("a line");
            file.sync_data().expect("a sync");
        }
        ours / (200.0 / start.elapsed().as_secs_f64())
    });
    let measured = Some(median(ratios.collect()));
    Row {
        what: "64 runs at once, events a second",
        against: "one fdatasync per event",
        measured,
        unit: "×",
        reach: Reach::AtLeast(3.0),
    }
}

pub fn pure_durable(folder: &Path) -> Row {
    let steps = 5_000;
    let plan = plan(&procedure(&"- {set: {x: 1 + 1}}\n".repeat(steps)));
    let journal = store(folder, "pure");
    let runtime = runtime();
    let times = (0..PAIRS as u128).map(|round| {
        let start = processor_time();
        runtime.block_on(drive(journal.clone(), plan.clone(), round));
        (processor_time() - start).as_secs_f64() * 1e6 / steps as f64
    });
    let measured = Some(median(times.collect()));
    Row { what: "durable pure step", against: "processor time", measured, unit: "µs", reach: Reach::AtMost(25.0) }
}

pub fn replay(folder: &Path) -> Row {
    let plan = plan(&procedure(&"- {exec: [\"true\"], idempotent: true}\n".repeat(9_999)));
    let journal = store(folder, "replay");
    let id = runtime().block_on(async {
        let mut session = create(journal.clone(), plan.clone(), 1).await;
        for event in machine(&plan).0.into_iter().skip(1) {
            session.record(event.fact).expect("it is recorded");
        }
        session.flush().await.expect("it is on the disk");
        session.id().clone()
    });
    let times = (0..PAIRS).map(|_| {
        let start = processor_time();
        let replayed = session::replay(&*journal, &id, &mut |_, _| ());
        let took = (processor_time() - start).as_secs_f64() * 1e3;
        replayed.expect("it replays");
        took
    });
    let measured = Some(fastest(times.collect()));
    Row {
        what: "replay of 10,000 steps, recorded",
        against: "processor time, all checked",
        measured,
        unit: "ms",
        reach: Reach::AtMost(100.0),
    }
}

const WAITING: u128 = 10_000;

/// A state folder in which so many runs wait for an approval.
fn waiting(folder: &Path) -> std::path::PathBuf {
    let state = state(folder, "waiting");
    if !state.join("journal.db").exists() {
        let journal = store(folder, "waiting");
        let plan = plan(&procedure("- approve: {question: Go on?}\n"));
        runtime().block_on(async {
            for first in (0..WAITING).step_by(200) {
                let runs = (first..first + 200).map(|n| tokio::spawn(drive(journal.clone(), plan.clone(), n)));
                for run in runs.collect::<Vec<_>>() {
                    run.await.expect("it is driven");
                }
            }
        });
    }
    state
}

pub fn waiting_memory(folder: &Path) -> Row {
    let state = waiting(folder);
    let measured = Some(peak_memory(RUNBOOK, &["decisions", "--state", &state.to_string_lossy()], folder));
    Row {
        what: "10,000 runs wait, memory",
        against: "a process that lists them",
        measured,
        unit: "MiB",
        reach: Reach::AtMost(10.0),
    }
}

pub fn waiting_resumed(folder: &Path) -> Row {
    waiting(folder);
    let runtime = runtime();
    let start = Instant::now();
    let journal = store(folder, "waiting");
    runtime.block_on(async {
        let open = |n: u128| {
            let journal = journal.clone();
            async move {
                let id = RunId::from_parts(1_700_000_000_000, n);
                let owner = Owner::this_process("operator");
                Session::open(journal, Arc::new(SystemClock), owner, Vec::new(), &id).await.expect("it is taken up");
            }
        };
        for first in (0..WAITING).step_by(200) {
            for run in (first..first + 200).map(|n| tokio::spawn(open(n))).collect::<Vec<_>>() {
                run.await.expect("it is resumed");
            }
        }
    });
    let measured = Some(start.elapsed().max(Duration::from_millis(1)).as_secs_f64());
    Row {
        what: "10,000 runs wait, all resumed",
        against: "from a process that starts",
        measured,
        unit: "s",
        reach: Reach::AtMost(2.0),
    }
}
