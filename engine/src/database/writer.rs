//! The one connection that writes. With many runs at once it belongs to a thread: whatever has been asked for by the time it is
//! free goes into one transaction and one sync, and that is most of the speed of a journal. A process with one run commits
//! where it asks, because it waits anyway, and to wake a thread takes as long as half a commit.
//!
//! Whoever is answered often asks again at once: a commit waits a moment for those of the last one, a part of what its sync will take, so
//! that they share one sync and not two.
//!
//! Of several changes each stands in a savepoint of its own, so one that is refused does not touch the others, unless nothing but the disk
//! can refuse it. After a failed sync, or
//! any other failure of the disk but a full one, nobody knows what it holds: everything that follows is answered with
//! [`JournalError::Stopped`].
//!
//! What the write-ahead log holds goes into the database between commits and at the end, never within a commit: nobody waits
//! for it, and whoever opens the journal next has little of the log to read.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use runbook_core::limits;
use rusqlite::Connection;
use rusqlite::hooks::Wal;
use tokio::sync::oneshot;

use super::log_ahead::LogAhead;
use super::{Schema, explain};
use crate::journal::{Durability, JournalError, Receipt};

/// Why a change was not made.
pub enum ChangeError {
    Refused(JournalError),
    /// Refused, and what was changed on the way stays.
    Answered(JournalError),
    Sqlite(rusqlite::Error),
}

impl ChangeError {
    pub(super) fn explained(self, path: &Path) -> JournalError {
        match self {
            ChangeError::Refused(error) | ChangeError::Answered(error) => error,
            ChangeError::Sqlite(error) => explain(&error, path),
        }
    }
}

impl From<JournalError> for ChangeError {
    fn from(error: JournalError) -> ChangeError {
        ChangeError::Refused(error)
    }
}

impl From<rusqlite::Error> for ChangeError {
    fn from(error: rusqlite::Error) -> ChangeError {
        ChangeError::Sqlite(error)
    }
}

/// A change that rides in a commit together with others.
pub(super) trait Job: Send {
    fn durability(&self) -> Durability;
    /// Nothing but the disk refuses it: no part of it has to be taken back alone.
    fn is_sure(&self) -> bool;
    /// Makes the change inside the transaction. An error is this job's own.
    fn make(&mut self, connection: &Connection, path: &Path) -> Result<(), JournalError>;
    /// Tells the asker: its own error, else what became of the commit.
    fn reply(self: Box<Self>, committed: Result<(), JournalError>);
}

struct Change<T, C> {
    durability: Durability,
    is_sure: bool,
    change: Option<C>,
    result: Option<Result<T, JournalError>>,
    asker: oneshot::Sender<Result<T, JournalError>>,
}

impl<T, C> Job for Change<T, C>
where
    T: Send,
    C: FnOnce(&Connection) -> Result<T, ChangeError> + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn is_sure(&self) -> bool {
        self.is_sure
    }

    fn make(&mut self, connection: &Connection, path: &Path) -> Result<(), JournalError> {
        let Some(change) = self.change.take() else { return Ok(()) };
        let result = change(connection);
        let outcome = match &result {
            Ok(_) | Err(ChangeError::Answered(_)) => Ok(()),
            Err(ChangeError::Refused(error)) => Err(error.clone()),
            Err(ChangeError::Sqlite(error)) => Err(explain(error, path)),
        };
        self.result = Some(result.map_err(|error| error.explained(path)));
        outcome
    }

    fn reply(self: Box<Self>, committed: Result<(), JournalError>) {
        let answer = match (self.result, committed) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(JournalError::Stopped("a change was not made".to_owned())),
        };
        // Whoever asked may have gone: the change stands all the same.
        let _ = self.asker.send(answer);
    }
}

/// Where changes are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commits {
    /// By the thread that asks, one at a time: for a process with one run.
    OnTheSpot,
    /// By a thread of their own, all that wait together: for a process with many.
    Together,
}

/// The asking side.
#[derive(Debug)]
pub(super) enum Writer {
    OnTheSpot(Box<Mutex<Writing>>),
    Together { jobs: Option<Sender<Box<dyn Job>>>, thread: Option<JoinHandle<()>> },
}

impl Writer {
    pub(super) fn start(
        mut connection: Connection,
        path: PathBuf,
        schema: &'static Schema,
        commits: Commits,
    ) -> Result<Writer, JournalError> {
        let logged = Arc::new(AtomicI32::new(0));
        let pages = logged.clone();
        // In the place of SQLite's own checkpoints.
        let hook = move |_: &mut Wal, count| {
            pages.store(count, Ordering::Relaxed);
            Ok(())
        };
        connection.wal_hook(Some(hook)).map_err(|error| explain(&error, &path))?;
        let ahead = LogAhead::of(&path);
        let writing = Writing { connection, path, schema, logged, ahead, synced: true, stopped: None };
        if commits == Commits::OnTheSpot {
            return Ok(Writer::OnTheSpot(Box::new(Mutex::new(writing))));
        }
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || writing.serve(&queue))
            .map_err(|e| JournalError::Stopped(e.to_string()))?;
        Ok(Writer::Together { jobs: Some(jobs), thread: Some(thread) })
    }

    /// The connection, where the thread that asks may use it.
    pub(super) fn at_hand(&self) -> Option<&Mutex<Writing>> {
        match self {
            Writer::OnTheSpot(writing) => Some(writing),
            Writer::Together { .. } => None,
        }
    }

    /// Asks for a change. What it returns reaches the receipt after the commit.
    pub(super) fn submit<T, C>(&self, durability: Durability, is_sure: bool, change: C) -> Receipt<T>
    where
        T: Send + 'static,
        C: FnOnce(&Connection) -> Result<T, ChangeError> + Send + 'static,
    {
        let (asker, receiver) = oneshot::channel();
        let job = Box::new(Change { durability, is_sure, change: Some(change), result: None, asker });
        match self {
            Writer::OnTheSpot(writing) => writing.lock().unwrap_or_else(PoisonError::into_inner).make(vec![job]),
            Writer::Together { jobs, .. } => {
                if let Some(jobs) = jobs {
                    // A thread that has ended drops the job, and the receipt says so.
                    let _ = jobs.send(job);
                }
            }
        }
        Receipt::waiting(receiver)
    }
}

impl Drop for Writer {
    /// What is queued is still written.
    fn drop(&mut self) {
        match self {
            Writer::OnTheSpot(writing) => writing.get_mut().unwrap_or_else(PoisonError::into_inner).leave(),
            Writer::Together { jobs, thread } => {
                *jobs = None;
                if let Some(thread) = thread.take() {
                    let _ = thread.join();
                }
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Writing {
    connection: Connection,
    path: PathBuf,
    schema: &'static Schema,
    /// Pages in the write-ahead log after the last commit.
    logged: Arc<AtomicI32>,
    ahead: LogAhead,
    /// Whether commits are synced at present.
    synced: bool,
    stopped: Option<JournalError>,
}

impl Writing {
    /// To read with, between changes.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn serve(mut self, queue: &Receiver<Box<dyn Job>>) {
        let mut group = Vec::new();
        // Those that were answered last and those that came meanwhile, and how long the last sync took.
        let (mut expected, mut sync) = (0, Duration::ZERO);
        loop {
            if group.is_empty() {
                match queue.recv() {
                    Ok(first) => group.push(first),
                    Err(_) => break,
                }
            }
            gather(&mut group, queue, expected, sync.min(limits::COMMIT_WAIT * 2) / 2);
            let is_synced = is_synced(&group);
            let begun = Instant::now();
            let committed = self.commit(&mut group);
            if is_synced {
                sync = begun.elapsed();
            }
            let behind: Vec<Box<dyn Job>> = queue.try_iter().take(limits::COMMIT_GROUP).collect();
            expected = group.len() + behind.len();
            self.answer(group, &committed);
            group = behind;
        }
        self.leave();
    }

    /// Commits some changes together, and answers each.
    fn make(&mut self, mut group: Vec<Box<dyn Job>>) {
        let committed = self.commit(&mut group);
        self.answer(group, &committed);
    }

    fn answer(&mut self, group: Vec<Box<dyn Job>>, committed: &Result<(), JournalError>) {
        group.into_iter().for_each(|job| job.reply(committed.clone()));
        self.ahead.fetch(self.logged.load(Ordering::Relaxed));
        self.checkpoint(limits::LOG_PAGES, "PRAGMA wal_checkpoint(PASSIVE)");
    }

    /// Leaves little of the log to read. How much of it was copied is forgotten with the last process, so the log is begun anew:
    /// something is written, since SQLite does that with the first page of a commit. The file keeps its size, because to
    /// overwrite costs less than to grow. Waits for nobody: who goes on with the log sees to it.
    fn leave(&mut self) {
        let _ = self.connection.busy_timeout(Duration::ZERO);
        if self.checkpoint(limits::LOG_PAGES_AT_END, "PRAGMA wal_checkpoint(RESTART)") {
            let _ = self.sync_from_here(false);
            let _ = self.schema.rewrite_first_page(&self.connection);
        }
    }

    /// Copies the log into the database where it has so many pages. Readers and other processes go on meanwhile. Returns whether
    /// all was done that was to be.
    fn checkpoint(&mut self, most: i32, how: &str) -> bool {
        if self.stopped.is_some() || self.logged.load(Ordering::Relaxed) < most {
            return false;
        }
        self.logged.store(0, Ordering::Relaxed);
        // One that another process is at already, or that is not complete, is made up for by the next.
        let busy = self.connection.query_row(how, [], |row| row.get::<_, bool>(0)).map_err(|error| explain(&error, &self.path));
        if let Err(JournalError::Stopped(why)) = &busy {
            self.stopped = Some(JournalError::Stopped(why.clone()));
        }
        busy.is_ok_and(|busy| !busy)
    }

    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), JournalError> {
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone());
        }
        if let Err(error) = self.begin(is_synced(group)) {
            return self.abandon(error);
        }
        let made = match group {
            // What is alone is taken back with its transaction.
            [job] => match job.make(&self.connection, &self.path) {
                Err(error) if self.ends_all(&error) => Err(error),
                Err(_) => return self.execute("ROLLBACK").or_else(|error| self.abandon(error)),
                Ok(()) => Ok(()),
            },
            several => several.iter_mut().try_for_each(|job| self.make_apart(&mut **job)),
        };
        made.and_then(|()| self.execute("COMMIT")).or_else(|error| self.abandon(error))
    }

    /// Makes a change, or takes it back: what others change in the same transaction stays.
    fn make_apart(&self, job: &mut dyn Job) -> Result<(), JournalError> {
        if job.is_sure() {
            return job.make(&self.connection, &self.path);
        }
        self.execute("SAVEPOINT change")?;
        match job.make(&self.connection, &self.path) {
            Err(error) if self.ends_all(&error) => return Err(error),
            Err(_) => self.execute("ROLLBACK TO change")?,
            Ok(()) => {}
        }
        self.execute("RELEASE change")
    }

    /// Whether the whole transaction is lost: to a fault of the disk, or to an error such as a full one, with which SQLite ends it.
    fn ends_all(&self, error: &JournalError) -> bool {
        matches!(error, JournalError::Stopped(_)) || self.connection.is_autocommit()
    }

    fn begin(&mut self, sync: bool) -> Result<(), JournalError> {
        if sync != self.synced {
            self.sync_from_here(sync)?;
        }
        self.execute("BEGIN IMMEDIATE")
    }

    /// Never from the cache: SQLite does what a pragma says when it prepares it.
    fn sync_from_here(&mut self, sync: bool) -> Result<(), JournalError> {
        let pragma = if sync { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
        self.connection.execute_batch(pragma).map_err(|error| explain(&error, &self.path))?;
        self.synced = sync;
        Ok(())
    }

    fn abandon(&mut self, error: JournalError) -> Result<(), JournalError> {
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        if let JournalError::Stopped(_) = &error {
            self.stopped = Some(error.clone());
        }
        Err(error)
    }

    fn execute(&self, sql: &str) -> Result<(), JournalError> {
        let done = self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map(|_| ()).map_err(|error| explain(&error, &self.path))
    }
}

fn is_synced(group: &[Box<dyn Job>]) -> bool {
    group.iter().any(|job| job.durability() == Durability::Synced)
}

/// Adds what has been asked for; waits so long for as many as are expected, where they are to be synced.
fn gather(group: &mut Vec<Box<dyn Job>>, queue: &Receiver<Box<dyn Job>>, expected: usize, wait: Duration) {
    group.extend(queue.try_iter().take(limits::COMMIT_GROUP.saturating_sub(group.len())));
    if !is_synced(group) {
        return;
    }
    let until = Instant::now() + wait;
    while group.len() < expected.min(limits::COMMIT_GROUP) {
        match queue.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(job) => group.push(job),
            // Nobody came, or nobody will.
            Err(_) => return,
        }
    }
}
