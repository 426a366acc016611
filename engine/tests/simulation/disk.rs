//! The disk under the journal, and each process's way to it. Changes become visible one after the other; a power cut keeps
//! those that were synced and some of those behind them. A process that has died reaches nothing any more.
//!
//! It is a model of the store: a change is made as a whole or not at all, and one that was torn is no change to whoever reads
//! next, as SQLite's checksums make it. That the store on a real disk does the same is not shown here but by the suite that
//! both journals pass (`src/journal/conformance.rs`), and by `tests/crashes`, where bytes are torn, refused and lost for real.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use jiff::Timestamp;
use runbook_core::{Digest, ProcedureName, RunId};
use runbook_engine::journal::{
    Ahead, AheadId, Anchor, Append, Archive, Awaited, AwaitedFilter, DecisionFilter, Durability, Journal, JournalError,
    KeptOverride, Lease, LockOutcome, MemoryJournal, NewAhead, NewOverride, NewRun, OpenDecision, OverrideId, Owner, Receipt,
    Record, RunFilter, RunRow,
};
use runbook_engine::message::{Answer, Letter, Message, MessageId};
use tokio::sync::{Notify, oneshot};

use crate::scenario::Trouble;
use crate::time::{Time, sleep};

type Again = Arc<dyn Fn(&MemoryJournal) + Send + Sync>;
type Make = Box<dyn FnOnce(&MemoryJournal, Fate) -> Outcome + Send>;
/// Run, epoch, numbers of the first and last event.
type Entry = (String, u64, Option<(u64, u64)>);

/// Events that one process added in one commit, or could not add.
#[derive(Clone, Debug)]
pub struct Commit {
    pub run: String,
    pub process: u32,
    pub epoch: u64,
    /// Numbers of the first and last event; nothing where only answers were committed.
    pub events: Option<(u64, u64)>,
    pub done: bool,
    pub at: u64,
}

struct State {
    memory: Arc<MemoryJournal>,
    /// Changes that were made, to be made again behind a power cut.
    made: Vec<Again>,
    synced: usize,
    /// The last event of each run that a power cut cannot take.
    safe: BTreeMap<RunId, u64>,
    commits: Vec<Commit>,
    handles: Vec<Arc<Handle>>,
    /// Troubles that came.
    seen: BTreeMap<String, u64>,
}

pub struct Disk {
    time: Arc<Time>,
    state: Mutex<State>,
    /// Processes that are known to be gone.
    gone: Mutex<BTreeSet<u64>>,
}

impl Disk {
    pub fn new(time: Arc<Time>) -> Arc<Disk> {
        let state = State {
            memory: Arc::new(MemoryJournal::default()),
            made: Vec::new(),
            synced: 0,
            safe: BTreeMap::new(),
            commits: Vec::new(),
            handles: Vec::new(),
            seen: BTreeMap::new(),
        };
        Arc::new(Disk { time, state: Mutex::new(state), gone: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no change panics")
    }

    fn gone(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.gone.lock().expect("nothing panics with it")
    }

    /// What is visible now.
    pub fn memory(&self) -> Arc<MemoryJournal> {
        self.state().memory.clone()
    }

    /// The last event of a run that no power cut can take.
    pub fn safe(&self, run: &RunId) -> u64 {
        self.state().safe.get(run).copied().unwrap_or(0)
    }

    /// The process that owns a run, by the number that it gave its owner.
    pub fn owner(&self, run: &RunId) -> Option<u64> {
        self.memory().run(run).ok()?.holder.map(|holder| holder.owner.instance)
    }

    pub fn seen(&self) -> BTreeMap<String, u64> {
        self.state().seen.clone()
    }

    pub fn commits(&self) -> Vec<Commit> {
        self.state().commits.clone()
    }

    /// A process that reaches this disk.
    pub fn open(self: &Arc<Disk>, process: u32, troubles: Vec<(u32, Trouble)>) -> Arc<Handle> {
        let line = Line { dead: false, retired: false, stopped: None, full: 0, writes: 0, queue: VecDeque::new() };
        let handle = Arc::new(Handle { disk: self.clone(), process, troubles, line: Mutex::new(line), called: Notify::new() });
        self.state().handles.push(handle.clone());
        tokio::spawn(handle.clone().serve());
        handle
    }

    /// Whoever is dead is known to be: as after a restart of the machine.
    pub fn bury(&self) {
        let dead: Vec<u64> = self.state().handles.iter().filter(|h| h.is_dead()).map(|h| u64::from(h.process)).collect();
        self.gone().extend(dead);
    }

    /// Every process dies, and what was not synced may be lost: `kept` in a hundred of it stays.
    pub fn cut_power(&self, kept: u64) {
        let handles = self.state().handles.clone();
        for handle in handles {
            handle.die(0, true);
        }
        let mut state = self.state();
        let loose = state.made.len() - state.synced;
        let left = state.synced + loose * kept as usize / 100;
        state.made.truncate(left);
        state.synced = left;
        let memory = Arc::new(MemoryJournal::default());
        state.made.iter().for_each(|again| again(&memory));
        state.memory = memory;
        state.note_safe();
    }
}

impl State {
    fn note_safe(&mut self) {
        for row in self.memory.runs(&RunFilter::default()).unwrap_or_default() {
            self.safe.insert(row.run, row.seq);
        }
    }
}

/// What becomes of a change.
enum Fate {
    Made,
    /// Refused with this; on a failed sync it may have been made all the same.
    Lost(JournalError, bool),
}

/// What became of a change: a refused one may have changed something too, as a lease that is seen to end sooner.
struct Outcome {
    tried: bool,
    made: bool,
}

struct Job {
    durability: Durability,
    commit: Option<Entry>,
    /// Makes the change, and says whether it was made.
    make: Make,
    again: Again,
}

struct Line {
    dead: bool,
    /// The process has ended by itself: what is queued is still written.
    retired: bool,
    stopped: Option<JournalError>,
    /// Writes for which there is no space yet.
    full: u32,
    writes: u32,
    queue: VecDeque<Job>,
}

/// One process's way to the disk.
pub struct Handle {
    disk: Arc<Disk>,
    pub process: u32,
    /// By the number of the write.
    troubles: Vec<(u32, Trouble)>,
    line: Mutex<Line>,
    called: Notify,
}

impl Handle {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().expect("no change panics")
    }

    pub fn is_dead(&self) -> bool {
        self.line().dead
    }

    /// The process ends here and now. The first `keep` of its queued changes still reach the disk; others see that it is gone,
    /// or have to wait for its lease to end.
    pub fn die(&self, keep: u32, seen: bool) {
        let queue = {
            let mut line = self.line();
            if line.dead {
                return;
            }
            line.dead = true;
            std::mem::take(&mut line.queue)
        };
        for job in queue.into_iter().take(keep as usize) {
            self.make(job, Fate::Made);
        }
        if seen {
            self.disk.gone().insert(u64::from(self.process));
        }
        self.called.notify_one();
    }

    /// The process has ended; nothing follows but what it has asked for.
    pub fn retire(&self) {
        self.line().retired = true;
        self.disk.gone().insert(u64::from(self.process));
        self.called.notify_one();
    }

    async fn serve(self: Arc<Handle>) {
        loop {
            let trouble = {
                let mut line = self.line();
                if line.dead || (line.retired && line.queue.is_empty()) {
                    return;
                }
                if line.queue.is_empty() {
                    None
                } else {
                    line.writes += 1;
                    let number = line.writes;
                    Some(self.troubles.iter().find(|(at, _)| *at == number).map(|(_, trouble)| *trouble))
                }
            };
            let Some(trouble) = trouble else {
                self.called.notified().await;
                continue;
            };
            if let Some(trouble) = trouble {
                let what = match trouble {
                    Trouble::Slow(_) => "a slow write",
                    Trouble::Full(_) => "a full disk",
                    Trouble::FailedSync { .. } => "a failed sync",
                    Trouble::Torn { .. } => "a torn write",
                };
                *self.disk.state().seen.entry(what.to_owned()).or_default() += 1;
            }
            if let Some(Trouble::Slow(ms)) = trouble {
                sleep(ms).await;
            }
            let (job, fate) = {
                let mut line = self.line();
                let Some(job) = line.queue.pop_front() else { continue };
                match trouble {
                    Some(Trouble::Full(writes)) => line.full = writes,
                    Some(Trouble::FailedSync { made }) if line.stopped.is_none() => {
                        let error = JournalError::Stopped("disk I/O error".to_owned());
                        line.stopped = Some(error.clone());
                        drop(line);
                        self.make(job, Fate::Lost(error, made));
                        continue;
                    }
                    Some(Trouble::Torn { seen }) if line.stopped.is_none() => {
                        drop(line);
                        self.die(0, seen);
                        // Nobody is left who could hear of it.
                        return self.make(job, Fate::Lost(JournalError::Stopped("torn".to_owned()), false));
                    }
                    _ => {}
                }
                let fate = match (&line.stopped, line.full) {
                    (Some(error), _) => Fate::Lost(error.clone(), false),
                    (None, 0) => Fate::Made,
                    (None, _) => {
                        line.full -= 1;
                        Fate::Lost(JournalError::Full { path: PathBuf::from("state") }, false)
                    }
                };
                (job, fate)
            };
            self.make(job, fate);
        }
    }

    fn make(&self, job: Job, fate: Fate) {
        let mut state = self.disk.state();
        let (memory, synced) = (state.memory.clone(), matches!(fate, Fate::Made) && job.durability == Durability::Synced);
        let Outcome { tried, made } = (job.make)(&memory, fate);
        if tried {
            state.made.push(job.again);
            if made && synced {
                state.synced = state.made.len();
                state.note_safe();
            }
        }
        if let Some((run, epoch, events)) = job.commit {
            let at = self.disk.time.ms();
            state.commits.push(Commit { run, process: self.process, epoch, events, done: made, at });
        }
    }

    fn submit<T: Send + Unpin + 'static>(
        &self,
        durability: Durability,
        commit: Option<Entry>,
        change: impl Fn(&MemoryJournal) -> Receipt<T> + Send + Sync + 'static,
    ) -> Receipt<T> {
        let (sender, receiver) = oneshot::channel();
        let change = Arc::new(change);
        let again = change.clone();
        let make = move |memory: &MemoryJournal, fate: Fate| {
            let (tried, error) = match fate {
                Fate::Made => (true, None),
                Fate::Lost(error, tried) => (tried, Some(error)),
            };
            let done = tried.then(|| change(memory).wait());
            let made = matches!(done, Some(Ok(_)));
            if let Some(answer) = error.map(Err).or(done) {
                // Whoever asked may be gone.
                let _ = sender.send(answer);
            }
            Outcome { tried, made }
        };
        let job = Job { durability, commit, make: Box::new(make), again: Arc::new(move |memory| drop(again(memory).wait())) };
        let mut line = self.line();
        if !line.dead {
            line.queue.push_back(job);
            self.called.notify_one();
        }
        Receipt::waiting(receiver)
    }
}

impl Journal for Handle {
    fn create(&self, run: NewRun) -> Receipt<Lease> {
        let id = run.records.first().map(|record| record.run.to_string()).unwrap_or_default();
        self.submit(Durability::Synced, Some((id, 1, Some((1, 1)))), move |memory| memory.create(run.clone()))
    }

    fn append(&self, append: Append) -> Receipt<()> {
        let events = append.records.first().map(|r| r.seq).zip(append.records.last().map(|r| r.seq));
        let commit = (append.run.to_string(), append.epoch, events);
        self.submit(append.durability, Some(commit), move |memory| memory.append(append.clone()))
    }

    fn acquire(&self, run: &RunId, owner: &Owner, now: Timestamp, until: Timestamp) -> Receipt<Lease> {
        let (run, owner, disk) = (run.clone(), owner.clone(), self.disk.clone());
        // Behind a power cut it is as it was seen the first time.
        let known: OnceLock<BTreeSet<u64>> = OnceLock::new();
        let change = move |memory: &MemoryJournal| {
            let gone = known.get_or_init(|| disk.gone().clone());
            let holder = memory.run(&run).ok().and_then(|row| row.holder);
            if let Some(holder) = holder.filter(|holder| gone.contains(&holder.owner.instance)) {
                let lease = Lease { run: run.clone(), epoch: holder.epoch, owner: holder.owner, until: holder.until };
                drop(memory.release(&lease));
            }
            memory.acquire(&run, &owner, now, until)
        };
        self.submit(Durability::Synced, None, change)
    }

    fn renew(&self, lease: &Lease, until: Timestamp) -> Receipt<()> {
        let lease = lease.clone();
        self.submit(Durability::Visible, None, move |memory| memory.renew(&lease, until))
    }

    fn release(&self, lease: &Lease) -> Receipt<()> {
        let lease = lease.clone();
        self.submit(Durability::Visible, None, move |memory| memory.release(&lease))
    }

    fn send(&self, run: &RunId, message: &Message, now: Timestamp) -> Receipt<MessageId> {
        let (run, message) = (run.clone(), message.clone());
        self.submit(Durability::Synced, None, move |memory| memory.send(&run, &message, now))
    }

    fn withdraw(&self, id: MessageId) -> Receipt<Option<Answer>> {
        self.submit(Durability::Synced, None, move |memory| memory.withdraw(id))
    }

    fn take_lock(&self, lease: &Lease, lock: &str) -> Receipt<LockOutcome> {
        let (lease, lock) = (lease.clone(), lock.to_owned());
        self.submit(Durability::Synced, None, move |memory| memory.take_lock(&lease, &lock))
    }

    fn decide_ahead(&self, ahead: NewAhead) -> Receipt<AheadId> {
        self.submit(Durability::Synced, None, move |memory| memory.decide_ahead(ahead.clone()))
    }

    fn use_ahead(&self, lease: &Lease, id: AheadId) -> Receipt<bool> {
        let lease = lease.clone();
        self.submit(Durability::Synced, None, move |memory| memory.use_ahead(&lease, id))
    }

    fn stand_in(&self, new: NewOverride) -> Receipt<OverrideId> {
        self.submit(Durability::Synced, None, move |memory| memory.stand_in(new.clone()))
    }

    fn cancel_override(&self, id: OverrideId) -> Receipt<bool> {
        self.submit(Durability::Synced, None, move |memory| memory.cancel_override(id))
    }

    fn anchor(&self, anchor: Anchor) -> Receipt<()> {
        self.submit(Durability::Synced, None, move |memory| memory.anchor(anchor.clone()))
    }

    fn awaited(&self, filter: &AwaitedFilter) -> Result<Vec<Awaited>, JournalError> {
        self.disk.memory().awaited(filter)
    }

    fn inbox(&self, run: &RunId) -> Result<Vec<Letter>, JournalError> {
        self.disk.memory().inbox(run)
    }

    fn answer(&self, id: MessageId) -> Result<Option<Answer>, JournalError> {
        self.disk.memory().answer(id)
    }

    fn aheads(&self, procedure: &ProcedureName, now: Timestamp) -> Result<Vec<Ahead>, JournalError> {
        self.disk.memory().aheads(procedure, now)
    }

    fn overrides(&self, now: Timestamp) -> Result<Vec<KeptOverride>, JournalError> {
        self.disk.memory().overrides(now)
    }

    fn lock_holder(&self, lock: &str) -> Result<Option<RunId>, JournalError> {
        self.disk.memory().lock_holder(lock)
    }

    fn changed(&self, after: u64, limit: usize) -> Result<(Vec<RunId>, u64), JournalError> {
        self.disk.memory().changed(after, limit)
    }

    fn ended(&self, after: u64, limit: usize) -> Result<(Vec<(RunId, u64)>, u64), JournalError> {
        self.disk.memory().ended(after, limit)
    }

    fn place(&self) -> Result<u64, JournalError> {
        self.disk.memory().place()
    }

    fn version(&self) -> Result<u64, JournalError> {
        self.disk.memory().version()
    }
}

impl Archive for Handle {
    fn run(&self, run: &RunId) -> Result<RunRow, JournalError> {
        self.disk.memory().run(run)
    }

    fn plan(&self, digest: &Digest) -> Result<String, JournalError> {
        self.disk.memory().plan(digest)
    }

    fn records(&self, run: &RunId, from: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.disk.memory().records(run, from, limit)
    }

    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        self.disk.memory().runs(filter)
    }

    fn open_decisions(&self, filter: &DecisionFilter) -> Result<Vec<OpenDecision>, JournalError> {
        self.disk.memory().open_decisions(filter)
    }

    fn anchors(&self, run: &RunId) -> Result<Vec<Anchor>, JournalError> {
        self.disk.memory().anchors(run)
    }
}
