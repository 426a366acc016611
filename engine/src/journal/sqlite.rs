//! The embedded journal: the [`Database`] of runs in a state folder.

mod change;
mod read;
mod schema;
mod whole;

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use runbook_core::{Digest, ProcedureName, RunId};

use super::{
    Ahead, AheadId, Anchor, Append, Archive, Awaited, AwaitedFilter, DecisionFilter, Durability, Journal, JournalError,
    KeptOverride, Lease, LockOutcome, NewAhead, NewOverride, NewRun, OpenDecision, OverrideId, Owner, Pruned, Receipt, Record,
    RunFilter, RunRow,
};
use crate::database::{Commits, Database};
use crate::message::{Answer, Letter, Message, MessageId};

/// The runs of a state folder. Cheap to share; closing waits for what is queued.
#[derive(Debug)]
pub struct Store {
    database: Database,
    /// Messages sent from here, which the connection that sends them does not count.
    sent: AtomicU64,
}

impl Store {
    /// Opens the state folder at `folder` for a process with many runs, and makes it where there is none.
    pub fn open(folder: &Path) -> Result<Store, JournalError> {
        Store::open_with(folder, Commits::Together)
    }

    pub fn open_with(folder: &Path, commits: Commits) -> Result<Store, JournalError> {
        Ok(Store { database: Database::open(folder, &schema::SCHEMA, commits)?, sent: AtomicU64::new(0) })
    }

    pub fn folder(&self) -> &Path {
        self.database.folder()
    }

    /// The folder itself, wherever its path leads by now.
    pub fn handle(&self) -> BorrowedFd<'_> {
        self.database.handle()
    }
}

impl Journal for Store {
    fn create(&self, run: NewRun) -> Receipt<Lease> {
        self.database.submit(Durability::Visible, move |c| change::create(c, &run))
    }

    fn append(&self, append: Append) -> Receipt<()> {
        self.database.submit(append.durability, move |c| change::append(c, &append))
    }

    fn acquire(&self, run: &RunId, owner: &Owner, now: Timestamp, until: Timestamp) -> Receipt<Lease> {
        let (run, owner) = (run.clone(), owner.clone());
        self.database.submit(Durability::Synced, move |c| change::acquire(c, run, owner, now, until))
    }

    fn renew(&self, lease: &Lease, until: Timestamp) -> Receipt<()> {
        let lease = lease.clone();
        self.database.submit(Durability::Visible, move |c| change::renew(c, &lease, until))
    }

    fn release(&self, lease: &Lease) -> Receipt<()> {
        let lease = lease.clone();
        self.database.submit(Durability::Visible, move |c| change::release(c, &lease))
    }

    fn send(&self, run: &RunId, message: &Message, now: Timestamp) -> Receipt<MessageId> {
        let (run, message) = (run.clone(), message.clone());
        let receipt = self.database.submit(Durability::Synced, move |c| change::send(c, &run, &message, now));
        self.sent.fetch_add(1, Ordering::Relaxed);
        receipt
    }

    fn withdraw(&self, id: MessageId) -> Receipt<Option<Answer>> {
        self.database.submit(Durability::Synced, move |c| change::withdraw(c, id))
    }

    fn take_lock(&self, lease: &Lease, lock: &str) -> Receipt<LockOutcome> {
        let (lease, lock) = (lease.clone(), lock.to_owned());
        self.database.submit(Durability::Synced, move |c| change::take_lock(c, &lease, &lock))
    }

    fn decide_ahead(&self, ahead: NewAhead) -> Receipt<AheadId> {
        self.database.submit(Durability::Synced, move |c| change::decide_ahead(c, &ahead))
    }

    fn use_ahead(&self, lease: &Lease, id: AheadId) -> Receipt<bool> {
        let lease = lease.clone();
        self.database.submit(Durability::Synced, move |c| change::use_ahead(c, &lease, id))
    }

    fn stand_in(&self, new: NewOverride) -> Receipt<OverrideId> {
        self.database.submit(Durability::Synced, move |c| change::stand_in(c, &new))
    }

    fn cancel_override(&self, id: OverrideId) -> Receipt<bool> {
        self.database.submit(Durability::Synced, move |c| change::cancel_override(c, id))
    }

    fn anchor(&self, anchor: Anchor) -> Receipt<()> {
        self.database.submit(Durability::Synced, move |c| change::anchor(c, &anchor))
    }

    fn awaited(&self, filter: &AwaitedFilter) -> Result<Vec<Awaited>, JournalError> {
        self.database.read(|c| read::awaited(c, filter))
    }

    fn inbox(&self, run: &RunId) -> Result<Vec<Letter>, JournalError> {
        self.database.read(|c| read::inbox(c, run))
    }

    fn answer(&self, id: MessageId) -> Result<Option<Answer>, JournalError> {
        self.database.read(|c| read::answer(c, id))
    }

    fn aheads(&self, procedure: &ProcedureName, now: Timestamp) -> Result<Vec<Ahead>, JournalError> {
        self.database.read(|c| read::aheads(c, procedure, now))
    }

    fn overrides(&self, now: Timestamp) -> Result<Vec<KeptOverride>, JournalError> {
        self.database.read(|c| read::overrides(c, now))
    }

    fn lock_holder(&self, lock: &str) -> Result<Option<RunId>, JournalError> {
        self.database.read(|c| read::lock_holder(c, lock))
    }

    fn changed(&self, after: u64, limit: usize) -> Result<(Vec<RunId>, u64), JournalError> {
        self.database.read(|c| read::changed(c, after, limit))
    }

    fn ended(&self, after: u64, limit: usize) -> Result<(Vec<(RunId, u64)>, u64), JournalError> {
        self.database.read(|c| read::ended(c, after, limit))
    }

    fn place(&self) -> Result<u64, JournalError> {
        self.database.read(read::place)
    }

    fn version(&self) -> Result<u64, JournalError> {
        Ok(self.database.version()?.wrapping_add(self.sent.load(Ordering::Relaxed)))
    }
}

impl Archive for Store {
    fn run(&self, run: &RunId) -> Result<RunRow, JournalError> {
        self.database.read(|c| read::run(c, run))
    }

    fn plan(&self, digest: &Digest) -> Result<String, JournalError> {
        self.database.read(|c| read::plan(c, digest))
    }

    fn records(&self, run: &RunId, from: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.database.read(|c| read::records(c, run, from, limit))
    }

    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        self.database.read(|c| read::runs(c, filter))
    }

    fn open_decisions(&self, filter: &DecisionFilter) -> Result<Vec<OpenDecision>, JournalError> {
        self.database.read(|c| read::open_decisions(c, filter))
    }

    fn anchors(&self, run: &RunId) -> Result<Vec<Anchor>, JournalError> {
        self.database.read(|c| read::anchors(c, run))
    }

    fn pruned(&self, run: &RunId) -> Result<Option<Pruned>, JournalError> {
        self.database.read(|c| whole::pruned(c, run))
    }
}

#[cfg(test)]
mod tests;
