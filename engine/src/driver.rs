//! Answers the commands of a run for real: resolves, asks, performs, waits, until the run has ended or nothing is left to do
//! without people.
//!
//! The order of writing is the promise: an attempt with an effect begins only after its `attempt_started` is on the disk,
//! and the end of one step rides with the intent of the next in one commit. The driver decides nothing about the procedure;
//! it knows only how to do what the machine wants.

mod escalation;
mod inbox;
pub mod local;
pub mod outlook;
pub mod perform;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::limits;
use runbook_core::run::Command;
use runbook_core::run::event::{AttemptEnd, Fact, Identity, Means, Outcome, Timer};
use runbook_core::run::task::Task;
use runbook_core::{DecisionId, Effect, Run, RunId, StepPath, Value};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::journal::{LockOutcome, records_to};
use crate::message::{Answer, Message};
use crate::session::{Session, SessionError};

pub use escalation::owes_messages;
pub use outlook::Outlook;
pub use perform::{Assignment, Performer};

/// How often the inbox and the clock are looked at while nothing else happens.
const TICK: Duration = Duration::from_millis(100);

/// What a driver needs of the world.
pub struct World {
    pub performer: Arc<dyn Performer>,
    /// Messages of the person at this terminal, judged like any other.
    pub wishes: mpsc::UnboundedReceiver<Wish>,
}

/// What the person at the terminal wants.
pub enum Wish {
    /// A message to the run, and where to say what became of it.
    Say(Box<Message>, tokio::sync::oneshot::Sender<Answer>),
    /// Start nothing further; stop driving once nothing is under way, and leave the run to whoever resumes it.
    Park,
    /// Go on after a drain that ended in staying.
    Stay,
}

/// Whether to wait for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Stop as soon as only people can make the run go on, or an event.
    Park,
    /// Keep the run and wait: somebody at this terminal, or in another process, will decide.
    Wait,
    /// Stop as soon as there is nothing to do for [`limits::REST`] but to wait for people or for time: whoever drives many runs knows
    /// from their [`Outlook`] when each goes on, and keeps nothing else of it.
    Leave,
}

/// Why the driver stopped.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    Finished(Outcome),
    /// Only people can make it go on, or an event; or time, where nobody has the patience to sit it out.
    Waiting(Vec<DecisionId>),
    /// It was paused.
    Paused,
    /// It was told to leave the run as it is.
    Parked,
}

/// Something that a watcher of the driver may like to know and no record keeps.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Everything that can be done without people is done, or under way.
    Idle,
    /// Told at every look. `driven` says whether a process is at work on the run that has the lock.
    LockHeld { lock: String, by: RunId, driven: bool },
}

/// Is told what the driver is at.
pub type Watcher<'a> = Box<dyn FnMut(&Run, Progress) + Send + 'a>;

struct Attempt {
    stop: CancellationToken,
    task: tokio::task::Id,
}

/// Drives one run. Dropping it leaves the run to be resumed; attempts under way then have an unknown end.
pub struct Driver<'a> {
    session: &'a mut Session,
    world: World,
    patience: Patience,
    queue: VecDeque<Command>,
    /// Attempts that may start: kept back only by the bound on how many run at once.
    ready: VecDeque<(StepPath, u32)>,
    running: BTreeMap<(StepPath, u32), Attempt>,
    tasks: JoinSet<(StepPath, u32, AttemptEnd)>,
    /// Messages on their way to the channels of an escalation; each gives whether anybody was reached, and what is noted of it.
    messages: JoinSet<(bool, String)>,
    tidings: escalation::Tidings,
    timers: BTreeMap<(Timestamp, Timer), ()>,
    /// Questions that somebody may have answered ahead of time.
    asked: VecDeque<DecisionId>,
    lock: Option<String>,
    renew_at: Timestamp,
    seen: u64,
    /// Something is recorded that must be on the disk before the driver rests.
    must_sync: bool,
    parking: bool,
    progress: Watcher<'a>,
}

impl<'a> Driver<'a> {
    pub fn new(session: &'a mut Session, world: World, patience: Patience, progress: Watcher<'a>) -> Driver<'a> {
        let now = session.now();
        Driver {
            session,
            world,
            patience,
            queue: VecDeque::new(),
            ready: VecDeque::new(),
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            messages: JoinSet::new(),
            tidings: escalation::Tidings::default(),
            timers: BTreeMap::new(),
            asked: VecDeque::new(),
            lock: None,
            renew_at: later(now, limits::LEASE_RENEWAL),
            seen: 0,
            must_sync: false,
            parking: false,
            progress,
        }
    }

    /// Goes on until the run ends, waits for people, or is parked. An error is the engine's own trouble: nothing was recorded
    /// after it, and the run can be resumed.
    pub async fn drive(mut self) -> Result<Stop, SessionError> {
        let stop = self.work().await;
        if stop.is_err() {
            // How an attempt ended is not forgotten because of what came after it.
            let _ = self.session.flush().await;
        }
        stop
    }

    async fn work(&mut self) -> Result<Stop, SessionError> {
        self.world.performer.prepare(self.session.run()).await;
        self.adopt()?;
        self.tell_those_not_told()?;
        self.queue.extend(self.session.run().pending());
        loop {
            self.answer_all().await?;
            // What is due already comes before any vote, and before the question whether there is anything left to do.
            if self.fire_due(self.session.now())? || self.read_inbox().await? || self.decided_ahead().await? {
                continue;
            }
            self.start_ready().await?;
            if !self.queue.is_empty() {
                continue;
            }
            self.send_tidings().await?;
            if let Some(stop) = self.stop_reason() {
                self.rest().await?;
                // Whoever has said meanwhile to stay is not left.
                let Ok(wish) = self.world.wishes.try_recv() else { return Ok(stop) };
                self.take_wish(wish).await?;
                continue;
            }
            self.rest().await?;
            self.next().await?;
        }
    }

    /// Attempts that the record shows as under way were another process's: nobody knows how they ended.
    fn adopt(&mut self) -> Result<(), SessionError> {
        for (path, attempt) in self.session.run().under_way() {
            if self.running.contains_key(&(path.clone(), attempt)) {
                continue;
            }
            let left = self.world.performer.left_running(&format!("{}/{path}/{attempt}", self.session.id()));
            let mut why = "the engine stopped while it was under way".to_owned();
            if !left.is_empty() {
                why.push_str(&format!("; of what it started, this still runs: {}", left.join(", ")));
            }
            self.record(Fact::AttemptFinished { path, attempt, end: AttemptEnd::Unknown { why } })?;
        }
        Ok(())
    }

    fn record(&mut self, fact: Fact) -> Result<(), SessionError> {
        self.must_sync |= matters(self.session.run(), &fact);
        self.queue.extend(self.session.record(fact)?);
        Ok(())
    }

    /// Answers every command that needs nobody and nothing but the state.
    async fn answer_all(&mut self) -> Result<(), SessionError> {
        while let Some(command) = self.queue.pop_front() {
            if !self.session.run().wants(&command) {
                continue;
            }
            let now = self.session.now();
            let fact = match command {
                Command::Resolve { path } => self.session.run().resolve(&path, now),
                Command::Conclude { path } => self.session.run().conclude(&path, now),
                Command::Judge { path, .. } => self.session.run().judge(&path, now),
                Command::Request { path, purpose } => self.session.run().request(path.as_ref(), &purpose, now),
                Command::Finish { outcome } => (!self.tells_before(&outcome)?).then_some(Fact::RunFinished { outcome }),
                Command::TakeLock { lock } => {
                    self.lock = Some(lock);
                    self.try_lock().await?
                }
                Command::Perform { path, attempt } => {
                    self.ready.push_back((path, attempt));
                    None
                }
                Command::Stop { path, attempt } => {
                    if let Some(attempt) = self.running.get(&(path, attempt)) {
                        attempt.stop.cancel();
                    }
                    None
                }
                Command::Await { decision } => {
                    self.asked.push_back(decision);
                    None
                }
                Command::Wake { timer, at } => {
                    self.timers.insert((at, timer), ());
                    None
                }
            };
            if let Some(fact) = fact {
                self.record(fact)?;
            }
        }
        Ok(())
    }

    async fn try_lock(&mut self) -> Result<Option<Fact>, SessionError> {
        let Some(lock) = self.lock.clone() else { return Ok(None) };
        match self.session.take_lock(&lock).await? {
            LockOutcome::Taken => {
                self.lock = None;
                Ok(Some(Fact::LockTaken { lock }))
            }
            LockOutcome::HeldBy(by) => {
                let driven = self.session.is_driven(&by)?;
                self.parking |= match self.patience {
                    Patience::Wait => false,
                    // A run that waits for people may keep its lock for weeks.
                    Patience::Park => !driven,
                    Patience::Leave => true,
                };
                (self.progress)(self.session.run(), Progress::LockHeld { lock, by, driven });
                Ok(None)
            }
        }
    }

    /// Starts what may start: intents first, all in one commit, then the effects.
    async fn start_ready(&mut self) -> Result<(), SessionError> {
        let mut starting = Vec::new();
        while self.running.len() + starting.len() < limits::PARALLEL && !self.parking {
            let Some((path, attempt)) = self.ready.pop_front() else { break };
            if !self.session.run().wants(&Command::Perform { path: path.clone(), attempt }) {
                continue;
            }
            let now = self.session.now();
            if let Some(refused) = self.session.run().too_late(&path, now) {
                self.record(refused)?;
                continue;
            }
            self.record(Fact::AttemptStarted { path: path.clone(), attempt })?;
            starting.push((path, attempt));
        }
        if starting.is_empty() {
            return Ok(());
        }
        if self.must_sync {
            self.rest().await?;
        }
        self.session.hold().await?;
        for (path, attempt) in starting {
            let Some(step) = self.session.run().find_step(&path) else { continue };
            let (Some(work), mut before) = (step.work().cloned(), step.result().clone()) else { continue };
            // Of an end that nobody knows nothing is left; whom an earlier attempt told is told no second time.
            if matches!(work.task, Task::Notify { .. }) && attempt > 1 && before == Value::Null {
                before = self.last_known(&path)?;
            }
            // Nobody performs it: whoever has the event tells the run.
            if let Task::Event(_) = work.task {
                continue;
            }
            let stop = CancellationToken::new();
            let assignment = Assignment {
                run: self.session.id().clone(),
                path: path.clone(),
                attempt,
                work,
                plan: self.session.run().plan().clone(),
                before,
                by_event: self.session.run().start().is_some_and(|s| s.event.is_some()),
                requested_by: self.session.run().start().map(|s| s.requested_by.person.clone()).unwrap_or_default(),
                stop: stop.clone(),
                hold: self.session.right_to_act(),
            };
            let performer = self.world.performer.clone();
            let key = (path.clone(), attempt);
            let task = self.tasks.spawn(async move { (path, attempt, performer.perform(assignment).await) }).id();
            self.running.insert(key, Attempt { stop, task });
        }
        Ok(())
    }

    /// What the last attempt gave whose end is known.
    fn last_known(&self, path: &StepPath) -> Result<Value, SessionError> {
        #[derive(serde::Deserialize)]
        struct Finished {
            path: StepPath,
            end: AttemptEnd,
        }
        let mut last = Value::Null;
        for record in records_to(&**self.session.journal(), self.session.id(), self.session.run().seq()) {
            let record = record?;
            if record.kind == "attempt_finished"
                && let Ok(finished) = serde_json::from_str::<Finished>(&record.body)
                && finished.path == *path
                && let AttemptEnd::Succeeded { result }
                | AttemptEnd::Failed { result, .. }
                | AttemptEnd::TimedOut { result, .. }
                | AttemptEnd::Cancelled { result, .. } = finished.end
            {
                last = result;
            }
        }
        Ok(last)
    }

    fn stop_reason(&self) -> Option<Stop> {
        let run = self.session.run();
        if let Some(outcome) = run.outcome() {
            return Some(Stop::Finished(outcome.clone()));
        }
        if !self.running.is_empty() || !self.messages.is_empty() {
            return None;
        }
        if self.parking {
            return Some(Stop::Parked);
        }
        // Whoever resumes it must find it free.
        if run.is_paused() {
            return Some(Stop::Paused);
        }
        if self.patience == Patience::Wait {
            return None;
        }
        let pending = run.pending();
        let people = pending.iter().filter_map(|c| if let Command::Await { decision } = c { Some(*decision) } else { None });
        let waiting: Vec<DecisionId> = people.collect();
        let later = later(self.session.now(), limits::REST);
        // Without patience a deadline is not sat out: whoever resumes finds it due.
        let only_waits = pending.iter().all(|c| match c {
            Command::Await { .. } => true,
            Command::Wake { timer: Timer::Run | Timer::Step { .. } | Timer::Decision { .. }, .. } => true,
            Command::Wake { at, .. } => self.patience == Patience::Leave && *at > later,
            _ => false,
        });
        let is_left = !waiting.is_empty() || run.listens() || (self.patience == Patience::Leave && !pending.is_empty());
        if only_waits && is_left { Some(Stop::Waiting(waiting)) } else { None }
    }

    /// Commits what is recorded: to the disk where somebody or something depends on it.
    async fn rest(&mut self) -> Result<(), SessionError> {
        if self.must_sync {
            self.session.flush().await?;
        } else {
            self.session.publish().await?;
        }
        self.must_sync = false;
        Ok(())
    }

    /// Waits for the next thing that happens and records it.
    async fn next(&mut self) -> Result<(), SessionError> {
        (self.progress)(self.session.run(), Progress::Idle);
        loop {
            let now = self.session.now();
            if self.lock.is_some() {
                if let Some(fact) = self.try_lock().await? {
                    return self.record(fact);
                }
                if self.parking && self.running.is_empty() {
                    return Ok(());
                }
            }
            if now >= self.renew_at {
                self.session.renew().await?;
                self.renew_at = later(now, limits::LEASE_RENEWAL);
            }
            let soon = self.timers.keys().next().map_or(TICK, |(at, _)| until(now, *at).min(TICK));
            tokio::select! {
                biased;
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    self.ended(done)?;
                    // What ended beside it, while the last commit was under way, shares the next one.
                    while let Some(done) = self.tasks.try_join_next() {
                        self.ended(done)?;
                    }
                    return Ok(());
                }
                Some(told) = self.messages.join_next_with_id(), if !self.messages.is_empty() => {
                    return self.told(told);
                }
                wish = self.world.wishes.recv(), if !self.world.wishes.is_closed() || !self.world.wishes.is_empty() => {
                    if let Some(wish) = wish {
                        return self.take_wish(wish).await;
                    }
                }
                () = tokio::time::sleep(soon) => {
                    if self.fire_due(self.session.now())? || self.read_inbox().await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn ended(&mut self, done: Result<(StepPath, u32, AttemptEnd), tokio::task::JoinError>) -> Result<(), SessionError> {
        match done {
            Ok((path, attempt, end)) => self.finished(path, attempt, end),
            Err(error) => self.broken(error),
        }
    }

    /// An action ended in a fault of the engine: nobody knows how far its attempt got. The others are under way as before.
    fn broken(&mut self, error: tokio::task::JoinError) -> Result<(), SessionError> {
        let lost = self.running.iter().find(|(_, attempt)| attempt.task == error.id()).map(|(key, _)| key.clone());
        let Some((path, attempt)) = lost else { return Ok(()) };
        // Without the number that the error itself would tell: it counts the tasks of this process.
        let why = match error.try_into_panic().ok() {
            // A text that was put together then may hold what nobody may read; one that stands in the source does not.
            Some(panic) => {
                let literal = panic.downcast_ref::<&str>().map(|text| format!(", `{text}`")).unwrap_or_default();
                format!("the engine lost it: it panicked{literal}")
            }
            None => "the engine lost it: its task was cancelled".to_owned(),
        };
        self.finished(path, attempt, AttemptEnd::Unknown { why })
    }

    fn finished(&mut self, path: StepPath, attempt: u32, end: AttemptEnd) -> Result<(), SessionError> {
        self.running.remove(&(path.clone(), attempt));
        self.record(Fact::AttemptFinished { path, attempt, end })
    }

    fn fire_due(&mut self, now: Timestamp) -> Result<bool, SessionError> {
        let mut fired = false;
        while let Some(((at, timer), ())) = self.timers.pop_first() {
            if at > now {
                self.timers.insert((at, timer), ());
                break;
            }
            if self.session.run().wants(&Command::Wake { timer: timer.clone(), at }) {
                self.record(Fact::fired(timer))?;
                fired = true;
            }
        }
        Ok(fired)
    }

    async fn take_wish(&mut self, wish: Wish) -> Result<(), SessionError> {
        match wish {
            Wish::Say(message, answer) => {
                let said = self.take_message(*message)?;
                self.rest().await?;
                // Whoever asked may have gone; what was recorded stays.
                let _ = answer.send(said);
            }
            Wish::Park => self.parking = true,
            Wish::Stay => self.parking = false,
        }
        Ok(())
    }
}

/// Whether others rest on a fact, so that it must be on the disk before the driver does: everything but the arithmetic of
/// steps without effect, which a replay does again.
fn matters(run: &Run, fact: &Fact) -> bool {
    let effect = |path: &StepPath| run.find_step(path).map_or(Effect::Destructive, |s| s.step().effect);
    match fact {
        Fact::AttemptStarted { path, .. } | Fact::AttemptFinished { path, .. } => effect(path) > Effect::None,
        Fact::StepResolved { .. } | Fact::StepConcluded { .. } | Fact::ConditionJudged { .. } | Fact::TimerFired { .. } => false,
        _ => true,
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// The engine itself, where a fact needs an identity and no person is behind it.
pub fn engine() -> Identity {
    Identity { person: "runbook".to_owned(), means: Means::Engine }
}
