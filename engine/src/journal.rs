//! The record of all runs of one state folder: events in order, who owns which run, and what people sent to it.
//!
//! A journal keeps what it is given and fences what is stale; it does not know what an event means. Only
//! [`session`](crate::session) appends events. Writing gives a [`Receipt`], which is done once the change is committed;
//! reading answers at once and sees every commit, also of other processes.

pub mod chain;
#[cfg(test)]
mod conformance;
pub mod export;
pub mod format;
pub mod memory;
pub mod owner;
pub mod receipt;
pub mod sqlite;
pub mod summary;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use runbook_core::policy::Override;
use runbook_core::run::listen::Listening;
use runbook_core::{DecisionId, Digest, ProcedureName, RunId, limits};
use serde::{Deserialize, Serialize};

pub use format::{FORMAT, Record};
pub use memory::MemoryJournal;
pub use owner::Owner;
pub use receipt::Receipt;
pub use sqlite::Store;
pub use summary::{OpenDecision, Phase, Summary};

pub use crate::database::Commits;
use crate::message::{Answer, Letter, Message, MessageId};

/// Runs as they are recorded, for whoever only looks: those of a journal, or those of a server.
pub trait Archive: Send + Sync {
    /// One row of the list of runs.
    fn run(&self, run: &RunId) -> Result<RunRow, JournalError>;
    /// The plan of a run, as JSON text.
    fn plan(&self, digest: &Digest) -> Result<String, JournalError>;
    /// At most `limit` records, from number `from` on.
    fn records(&self, run: &RunId, from: u64, limit: usize) -> Result<Vec<Record>, JournalError>;
    /// Runs, the newest first.
    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError>;
    /// Decisions that wait for people, those of the oldest run first.
    fn open_decisions(&self, filter: &DecisionFilter) -> Result<Vec<OpenDecision>, JournalError>;
    /// Heads of a run that were told to the world outside.
    fn anchors(&self, run: &RunId) -> Result<Vec<Anchor>, JournalError>;
    /// What of a run's record was let go of; `None` where all of it is there.
    fn pruned(&self, run: &RunId) -> Result<Option<Pruned>, JournalError> {
        let _ = run;
        Ok(None)
    }
}

/// Where runs are recorded. All times are arguments.
pub trait Journal: Archive {
    /// Records a new run, its plan and its first events in one commit, owned by `owner`.
    fn create(&self, run: NewRun) -> Receipt<Lease>;
    /// Adds events to a run. Refused as a whole if the lease is no longer that of the run, or the events do not follow.
    fn append(&self, append: Append) -> Receipt<()>;

    /// Takes ownership. Refused while another owner's lease is unexpired, unless that owner is certainly gone. A lease that
    /// ends after `until` was given before the clock went back: it is cut to `until`, so that it holds nobody up for longer
    /// than any other.
    fn acquire(&self, run: &RunId, owner: &Owner, now: Timestamp, until: Timestamp) -> Receipt<Lease>;
    /// Lengthens a lease. Fails with [`JournalError::Stale`] if somebody else has taken the run.
    fn renew(&self, lease: &Lease, until: Timestamp) -> Receipt<()>;
    /// Gives a run up. A lease that is no longer valid is left alone.
    fn release(&self, lease: &Lease) -> Receipt<()>;

    /// Puts a message into a run's inbox.
    fn send(&self, run: &RunId, message: &Message, now: Timestamp) -> Receipt<MessageId>;
    /// Takes a message back that nobody has answered. Gives its answer if that came first.
    fn withdraw(&self, id: MessageId) -> Receipt<Option<Answer>>;
    /// Takes a lock for a run, which holds it until its `run_finished` is recorded. Taking it twice is no fault.
    fn take_lock(&self, lease: &Lease, lock: &str) -> Receipt<LockOutcome>;
    /// Keeps a decision that was made before it was asked for.
    fn decide_ahead(&self, ahead: NewAhead) -> Receipt<AheadId>;
    /// Spends one use of a decision made ahead for a run; false where none is left.
    fn use_ahead(&self, lease: &Lease, id: AheadId) -> Receipt<bool>;
    /// Keeps that somebody is on call although it is not their turn.
    fn stand_in(&self, new: NewOverride) -> Receipt<OverrideId>;
    /// Lets go of that. False where there is none of this number.
    fn cancel_override(&self, id: OverrideId) -> Receipt<bool>;
    /// Notes that the head of a run was told to the world outside.
    fn anchor(&self, anchor: Anchor) -> Receipt<()>;

    /// Steps that wait for an event, in the order in which they began to.
    fn awaited(&self, filter: &AwaitedFilter) -> Result<Vec<Awaited>, JournalError>;
    /// Messages that nobody has answered, in the order of sending.
    fn inbox(&self, run: &RunId) -> Result<Vec<Letter>, JournalError>;
    fn answer(&self, id: MessageId) -> Result<Option<Answer>, JournalError>;
    /// Decisions made ahead for a procedure, with uses left and not expired.
    fn aheads(&self, procedure: &ProcedureName, now: Timestamp) -> Result<Vec<Ahead>, JournalError>;
    /// Who is on call although it is not their turn, or will be, in the order in which that was made; nothing that has ended by `now`.
    fn overrides(&self, now: Timestamp) -> Result<Vec<KeptOverride>, JournalError>;
    /// Which run holds a lock.
    fn lock_holder(&self, lock: &str) -> Result<Option<RunId>, JournalError>;
    /// Runs to whose records something was added behind place `after` of all records, each once and at most `limit` records' worth of
    /// them, and the place up to which that goes. Place 0 is before the first; see [`Journal::place`].
    fn changed(&self, after: u64, limit: usize) -> Result<(Vec<RunId>, u64), JournalError>;
    /// The records of ends (`run_finished`) among them, in their order, by run and number. A run that is taken back after its end has
    /// another.
    fn ended(&self, after: u64, limit: usize) -> Result<(Vec<(RunId, u64)>, u64), JournalError>;
    /// The place of the last record.
    fn place(&self) -> Result<u64, JournalError>;
    /// A number that changes whenever a message was sent, or another process has committed anything. Cheap enough to ask ten times a second.
    fn version(&self) -> Result<u64, JournalError>;
}

/// Every run that the filter lets through, the newest first. They are read a page at a time.
pub fn every_run(journal: &dyn Archive, filter: RunFilter) -> impl Iterator<Item = Result<RunRow, JournalError>> + '_ {
    let mut filter = RunFilter { limit: limits::RECORDS_PAGE, ..filter };
    let mut page = Vec::new().into_iter();
    std::iter::from_fn(move || {
        if page.len() == 0 {
            match journal.runs(&filter) {
                Ok(found) => page = found.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
        let row: RunRow = page.next()?;
        filter.before = Some(row.run.clone());
        Some(Ok(row))
    })
}

/// The records of a run from its first to number `last`, as many as there are, in the order of their numbers. They are read a page
/// at a time.
pub fn records_to<'j>(
    journal: &'j dyn Archive,
    run: &'j RunId,
    last: u64,
) -> impl Iterator<Item = Result<Record, JournalError>> + 'j {
    let mut next = Some(1);
    let mut page = Vec::new().into_iter();
    std::iter::from_fn(move || {
        if page.len() == 0 {
            match journal.records(run, next.filter(|next| *next <= last)?, limits::REPLAY_PAGE) {
                Ok(found) => page = found.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
        let record: Record = page.next()?;
        next = record.seq.checked_add(1);
        (record.seq <= last).then_some(Ok(record))
    })
}

/// A journal as it is shared between sessions.
pub type SharedJournal = Arc<dyn Journal>;

/// Why a journal did not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum JournalError {
    #[error("there is no run `{0}`; `runbook runs` lists them")]
    NoRun(String),
    #[error("the plan {0} is not in the journal; `runbook verify` shows what else is missing")]
    NoPlan(Digest),
    #[error("run {0} exists already")]
    Exists(RunId),
    #[error("run {run} belongs to {owner} until {until}; end that process or send it a message")]
    Held { run: RunId, owner: Box<Owner>, until: Timestamp },
    #[error(
        "run {run} was taken over by another process, and this one does nothing more in it; `runbook show {run}` tells the rest"
    )]
    Stale { run: RunId },
    #[error("event {found} of run {run} does not follow event {last}")]
    OutOfOrder { run: RunId, last: u64, found: u64 },
    #[error(
        "event {seq} ({kind}) has {bytes} bytes and at most {} are recorded; put large values into files",
        runbook_core::limits::EVENT_BYTES
    )]
    TooLarge { seq: u64, kind: String, bytes: usize },
    #[error("{what} was written in format {format} and this version reads up to {known}; use a newer `runbook`")]
    Newer { what: String, format: u32, known: u32 },
    #[error("what steps did in run {0} was taken out of its record by `runbook prune`; `runbook show {0}` tells what is kept")]
    Compacted(RunId),
    #[error("the record is damaged: {what}; `runbook verify` shows how far it is intact")]
    Damaged { what: String },
    #[error(
        "{} cannot grow, the disk or a quota is full: nothing was recorded; free space, then `runbook runs` shows what to resume",
        path.display()
    )]
    Full { path: PathBuf },
    #[error("{} cannot be written to; choose another folder with `--state DIR`", path.display())]
    ReadOnly { path: PathBuf },
    #[error("{} has been locked by another process for too long; try again", path.display())]
    Busy { path: PathBuf },
    #[error("the state folder {} is refused: {why}; {next}", path.display())]
    Folder { path: PathBuf, why: String, next: String },
    #[error("an event cannot be written down: {0}")]
    Unwritable(String),
    /// What a server that has the runs said, or that it said nothing.
    #[error("{what}; {next}")]
    Elsewhere { what: String, next: String, is_of_what_was_asked: bool },
    /// A sync failed before: what is on the disk is unknown until the journal is opened again.
    #[error("the journal stopped writing: {0}; look at the disk, then `runbook runs` shows what to resume")]
    Stopped(String),
}

impl JournalError {
    /// Whether it says that one run cannot be read, and nothing of all others.
    pub fn is_of_one_run(&self) -> bool {
        use JournalError::{Compacted, Damaged, Newer, NoPlan, NoRun};
        matches!(self, NoRun(_) | NoPlan(_) | Damaged { .. } | Newer { .. } | Compacted(_))
    }
}

/// The right to append to one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub run: RunId,
    /// Grows with every change of owner.
    pub epoch: u64,
    pub owner: Owner,
    pub until: Timestamp,
}

/// Who holds a run, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub owner: Owner,
    pub epoch: u64,
    pub until: Timestamp,
}

impl Holder {
    /// Whether the owner may still be at work.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.until && !self.owner.is_gone()
    }
}

/// A run and its first events.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub owner: Owner,
    pub until: Timestamp,
    pub plan: Digest,
    /// JSON text of the plan.
    pub plan_text: String,
    pub summary: Summary,
    pub records: Vec<Record>,
}

/// How sure a commit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Other processes see it; a power failure may undo it, a crash of the process does not.
    Visible,
    /// On the disk.
    Synced,
}

/// What one commit adds to a run.
#[derive(Clone, Debug)]
pub struct Append {
    pub run: RunId,
    pub epoch: u64,
    pub durability: Durability,
    /// Without gaps, from the number after the last recorded one. May be empty.
    pub records: Vec<Record>,
    /// The run after these events; absent where its line in a list stays as it was.
    pub summary: Option<Summary>,
    /// All decisions that wait for people after these events; absent where nothing changed.
    pub open: Option<Vec<OpenDecision>>,
    /// All steps that wait for an event after these events; absent where nothing changed.
    pub awaited: Option<Vec<Listening>>,
    pub answers: Vec<(MessageId, Answer)>,
}

/// One run in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    pub run: RunId,
    pub format: u32,
    pub plan: Digest,
    pub summary: Summary,
    /// The number of the last event.
    pub seq: u64,
    /// The hash of the last event.
    pub head: Digest,
    /// Decisions that wait for people.
    pub open_decisions: u32,
    /// Absent where nobody has taken it up.
    pub holder: Option<Holder>,
}

impl RunRow {
    /// The phase as it really is: a run whose process died is not running, and one that was taken up is not parked.
    pub fn standing(&self, now: Timestamp) -> &'static str {
        match self.summary.phase {
            Phase::Running | Phase::Cancelling if !self.is_held(now) => "interrupted",
            Phase::Parked if self.is_held(now) => Phase::Running.as_str(),
            phase => phase.as_str(),
        }
    }

    /// Whether some process is at work on the run.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.is_live(now))
    }
}

/// Which runs to list. The default gives the newest hundred.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFilter {
    pub procedure: Option<ProcedureName>,
    pub environment: Option<String>,
    pub requested_by: Option<String>,
    pub phase: Option<Phase>,
    /// Only runs that have not ended.
    pub unfinished: bool,
    /// Only runs whose id begins so: people shorten them.
    pub like: Option<String>,
    /// Only runs older than this one: where the page before ended.
    pub before: Option<RunId>,
    pub limit: usize,
}

impl Default for RunFilter {
    fn default() -> RunFilter {
        RunFilter {
            procedure: None,
            environment: None,
            requested_by: None,
            phase: None,
            unfinished: false,
            like: None,
            before: None,
            limit: 100,
        }
    }
}

/// Which open decisions to list; all of them unless it says less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionFilter {
    pub run: Option<RunId>,
    /// Only those behind this one: where the page before ended.
    pub after: Option<(RunId, DecisionId)>,
    pub limit: usize,
}

impl DecisionFilter {
    pub fn all() -> DecisionFilter {
        DecisionFilter { run: None, after: None, limit: usize::MAX }
    }

    pub fn of(run: &RunId) -> DecisionFilter {
        DecisionFilter { run: Some(run.clone()), ..DecisionFilter::all() }
    }
}

/// A step that waits for an event, of any run.
#[derive(Clone, Debug, PartialEq)]
pub struct Awaited {
    /// Counts over the whole journal, from 1, in the order in which steps began to wait.
    pub place: u64,
    pub run: RunId,
    pub listening: Listening,
}

/// Which steps that wait for an event to list; all of them unless it says less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwaitedFilter {
    pub run: Option<RunId>,
    /// The source of the event.
    pub source: Option<String>,
    /// Only those behind this place.
    pub after: u64,
    pub limit: usize,
}

impl AwaitedFilter {
    pub fn all() -> AwaitedFilter {
        AwaitedFilter { run: None, source: None, after: 0, limit: usize::MAX }
    }

    pub fn of(source: &str) -> AwaitedFilter {
        AwaitedFilter { source: Some(source.to_owned()), ..AwaitedFilter::all() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockOutcome {
    Taken,
    HeldBy(RunId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AheadId(pub i64);

/// A decision made before it was asked for. What it decides is the business of whoever reads `body`.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAhead {
    pub procedure: ProcedureName,
    pub body: serde_json::Value,
    pub uses: u32,
    pub expires_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Ahead {
    pub id: AheadId,
    pub procedure: ProcedureName,
    pub body: serde_json::Value,
    pub uses_left: u32,
    pub expires_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OverrideId(pub i64);

/// An override that was made beside the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOverride {
    pub rotation: String,
    #[serde(flatten)]
    pub stands_in: Override,
    /// The user of this machine, or the person who asked a server for it.
    pub made_by: String,
    pub made_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptOverride {
    pub id: OverrideId,
    #[serde(flatten)]
    pub made: NewOverride,
}

/// What of an ended run's record was let go of, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Its logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs_at: Option<Timestamp>,
    /// What its steps did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps_at: Option<Timestamp>,
    /// Over what was left then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<Digest>,
}

/// The head of a run as somebody outside has seen it: a later cut of the record before this point shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    pub run: RunId,
    pub seq: u64,
    pub head: Digest,
    pub at: Timestamp,
    /// Where it was put: a file, a message.
    pub place: String,
    /// Who vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<SignedHead>,
}

/// A signature over [`head_statement`](runbook_core::policy::head_statement) of an anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    pub by: String,
    /// What `ssh-keygen -Y sign` printed; the public key is in it.
    pub armoured: String,
}
