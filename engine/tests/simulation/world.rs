//! The world that actions change, as a model: what each attempt does and when is thrown for its name alone. What really
//! happened is kept in a ledger that the engine never sees. An action may outlive the process that began it.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use runbook_core::run::event::{AttemptEnd, Failure};
use runbook_core::run::task::Task;
use runbook_core::{Map, RunId, Value};
use runbook_engine::driver::perform::{Assignment, Performer};
use tokio::sync::oneshot;

use crate::dice::Dice;
use crate::disk::{Disk, Handle};
use crate::scenario::Scenario;
use crate::time::{Time, sleep};

/// An attempt that was handed to the world.
#[derive(Clone, Debug)]
pub struct Performance {
    pub run: String,
    pub path: String,
    pub attempt: u64,
    pub process: u32,
    pub at: u64,
    /// The last event of the run that no power cut could take when it began.
    pub safe: u64,
    /// The process that owned the run when it began.
    pub owner: Option<u64>,
}

/// A change that took place.
#[derive(Clone, Debug)]
pub struct Change {
    pub run: String,
    pub path: String,
}

#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub performances: Vec<Performance>,
    pub changes: Vec<Change>,
    /// Attempts that go on at present.
    busy: BTreeSet<(String, String, u64)>,
    pub seen: BTreeMap<String, u64>,
}

pub struct World {
    time: Arc<Time>,
    disk: Arc<Disk>,
    seed: u64,
    unkind: u64,
    /// Steps that change something, by id.
    changing: BTreeSet<String>,
    ledger: Mutex<Ledger>,
}

/// What one attempt will do.
struct Script {
    lasts: u64,
    changes_at: Option<u64>,
    end: End,
    /// How long it goes on after it was told to stop; nothing where it goes on to its end.
    stops_after: Option<u64>,
    outlives: bool,
}

#[derive(Clone, Copy)]
enum End {
    Good,
    Bad,
    NotStarted,
    Lost,
    Broken,
}

impl World {
    pub fn new(scenario: &Scenario, time: Arc<Time>, disk: Arc<Disk>) -> Arc<World> {
        let changing = scenario.book.by_id().into_values().filter(|step| step.changes()).map(|step| step.id.clone()).collect();
        let (seed, unkind) = (scenario.seed, scenario.unkind);
        Arc::new(World { time, disk, seed, unkind, changing, ledger: Mutex::default() })
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("nothing panics with it")
    }

    pub fn take_ledger(&self) -> Ledger {
        std::mem::take(&mut *self.ledger())
    }

    pub fn count(&self, what: &str) {
        *self.ledger().seen.entry(what.to_owned()).or_default() += 1;
    }

    /// Whether any attempt of this step has changed something.
    pub fn changed(&self, run: &str, path: &str) -> bool {
        self.ledger().changes.iter().any(|change| change.run == run && change.path == path)
    }

    pub fn is_busy(&self, run: &str, path: &str) -> bool {
        self.ledger().busy.iter().any(|(of, at, _)| of == run && at == path)
    }

    fn script(&self, run: &RunId, path: &str, attempt: u64) -> Script {
        let mut dice = Dice::of(self.seed, &format!("{run}/{path}/{attempt}"));
        let label = path.rsplit('/').next().unwrap_or(path);
        let lasts = match dice.roll(14) {
            0 => dice.between(1_500, 15_000),
            1..=3 => dice.between(300, 1_500),
            4 => 0,
            _ => dice.between(1, 300),
        };
        let changes_at = if self.changing.contains(label) { Some(lasts * dice.between(0, 100) / 100) } else { None };
        let bad = dice.one_in(self.unkind);
        let end = match dice.roll(9) {
            _ if !bad => End::Good,
            0 => End::NotStarted,
            1 | 2 => End::Lost,
            3 => End::Broken,
            _ => End::Bad,
        };
        let changes_at = match end {
            End::NotStarted => None,
            End::Bad | End::Lost | End::Broken if dice.one_in(2) => None,
            _ => changes_at,
        };
        let stops_after = match dice.roll(4) {
            0 => None,
            1 => Some(dice.between(100, 3_000)),
            _ => Some(0),
        };
        Script { lasts, changes_at, end, stops_after, outlives: dice.one_in(2) }
    }

    /// What a look at `path` finds: of a verification, whether the change that it asks about took place.
    fn finds(&self, run: &RunId, path: &str, attempt: u64) -> (bool, &'static str) {
        if let Some((of, _)) = path.split_once("~verify[") {
            return (self.changed(run.as_str(), of), "");
        }
        let mut dice = Dice::of(self.seed, &format!("{run}/{path}/{attempt}/finds"));
        (true, if dice.one_in(2) { "yes\n" } else { "no\n" })
    }

    async fn act(self: Arc<World>, assignment: Assignment, script: Script) -> Option<AttemptEnd> {
        let Assignment { run, path, attempt, work, stop, .. } = assignment;
        let limit = work.timeout.as_millis() as u64;
        let begun = self.time.ms();
        let end_at = begun + script.lasts.min(limit);
        let mut stopped = None;
        let mut changes_at = script.changes_at.map(|after| begun + after);
        let mut until = end_at;
        loop {
            let now = self.time.ms();
            if changes_at.is_some_and(|at| at <= now && at <= until) {
                changes_at = None;
                let change = Change { run: run.to_string(), path: path.to_string() };
                self.ledger().changes.push(change);
            }
            if now >= until {
                break;
            }
            let next = changes_at.filter(|at| *at < until).unwrap_or(until);
            tokio::select! {
                biased;
                () = stop.cancelled(), if stopped.is_none() => {
                    stopped = Some(self.time.ms());
                    self.count("an action that was told to stop");
                    if let Some(after) = script.stops_after {
                        until = until.min(self.time.ms() + after);
                    }
                }
                () = sleep(next - now) => {}
            }
        }
        let failure = |message: &str| Failure { message: message.to_owned(), at: None, detail: None };
        let cut_short = stopped.is_some() && until < end_at;
        let (found, word) = self.finds(&run, path.as_str(), u64::from(attempt));
        let result = |code: i64| match &work.task {
            Task::Rhai { .. } => Value::Int(7),
            _ => Value::Map(Map::from([
                ("stdout".to_owned(), Value::text(word)),
                ("stderr".to_owned(), Value::text("")),
                ("exit_code".to_owned(), Value::Int(code)),
            ])),
        };
        Some(match script.end {
            _ if cut_short => AttemptEnd::Cancelled { failure: failure("stopped"), result: result(143) },
            _ if script.lasts > limit => AttemptEnd::TimedOut { failure: failure("its time was over"), result: result(143) },
            End::Good if found => AttemptEnd::Succeeded { result: result(0) },
            End::Good | End::Bad => AttemptEnd::Failed { failure: failure("exit code 1"), result: result(1) },
            End::NotStarted => AttemptEnd::Failed { failure: failure("no such program"), result: Value::Null },
            End::Lost => AttemptEnd::Unknown { why: "no answer came".to_owned() },
            End::Broken => return None,
        })
    }
}

/// One process's hands in the world.
pub struct Hands {
    pub world: Arc<World>,
    pub handle: Arc<Handle>,
}

/// Whoever waited for an action is gone: it ends with them, or goes on.
struct Parent {
    world: Arc<World>,
    key: (String, String, u64),
    action: tokio::task::AbortHandle,
    outlives: bool,
    done: bool,
}

impl Drop for Parent {
    fn drop(&mut self) {
        if !self.done && self.outlives {
            self.world.count("an action that outlives its process");
        } else {
            self.action.abort();
            self.world.ledger().busy.remove(&self.key);
        }
    }
}

impl Performer for Hands {
    fn perform(&self, assignment: Assignment) -> Pin<Box<dyn Future<Output = AttemptEnd> + Send>> {
        if self.handle.is_dead() {
            return Box::pin(std::future::pending());
        }
        let world = self.world.clone();
        let (run, path, attempt) = (assignment.run.clone(), assignment.path.to_string(), u64::from(assignment.attempt));
        let script = world.script(&run, &path, attempt);
        let key = (run.to_string(), path.clone(), attempt);
        let performance = Performance {
            run: run.to_string(),
            path: path.clone(),
            attempt,
            process: self.handle.process,
            at: world.time.ms(),
            safe: world.disk.safe(&run),
            owner: world.disk.owner(&run),
        };
        let mut ledger = world.ledger();
        ledger.performances.push(performance);
        ledger.busy.insert(key.clone());
        drop(ledger);
        let (sender, receiver) = oneshot::channel();
        let outlives = script.outlives;
        let (acting, process) = (world.clone(), u64::from(self.handle.process));
        let busy = key.clone();
        let action = tokio::spawn(async move {
            let end = acting.clone().act(assignment, script).await;
            if acting.disk.owner(&run).is_some_and(|owner| owner != process) {
                acting.count("an action that ends after its owner lost the lease");
            }
            acting.ledger().busy.remove(&busy);
            // Whoever waited for it may be gone.
            let _ = sender.send(end);
        });
        let parent = Parent { world, key, action: action.abort_handle(), outlives, done: false };
        Box::pin(async move {
            let mut parent = parent;
            let end = receiver.await;
            parent.done = true;
            match end {
                Ok(Some(end)) => end,
                // The engine's own code for this action breaks, without a word on the terminal.
                Ok(None) => std::panic::resume_unwind(Box::new("as thrown")),
                Err(_) => AttemptEnd::Unknown { why: "it vanished".to_owned() },
            }
        })
    }

    fn left_running(&self, attempt: &str) -> Vec<String> {
        let ledger = self.world.ledger();
        let of = |(run, path, number): &&(String, String, u64)| format!("{run}/{path}/{number}") == attempt;
        ledger.busy.iter().filter(of).map(|(_, path, _)| format!("the action of {path}")).collect()
    }
}
