//! The embedded journal: one SQLite database in a state folder, written over one connection per process and read by any number
//! of processes meanwhile.
//!
//! Write-ahead log, `synchronous=FULL`, group commit. Opening refuses what could lose or leak a record: an SQLite with the
//! WAL-reset fault, a folder that others can write to, a database of a newer version.

mod change;
mod folder;
mod read;
mod schema;
mod writer;

use std::io::{Error, ErrorKind};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use runbook_core::{Digest, ProcedureName, RunId, limits};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use self::folder::Folder;
use super::{
    Ahead, AheadId, Anchor, Append, DecisionFilter, Durability, Journal, JournalError, Lease, LockOutcome, NewAhead, NewRun,
    OpenDecision, Owner, Receipt, Record, RunFilter, RunRow,
};
use crate::message::{Answer, Letter, Message, MessageId};

/// The first SQLite without the fault that could lose commits when a write-ahead log is reset.
const SQLITE_VERSION: i32 = 3_051_003;

pub use writer::Commits;

/// A state folder. Cheap to share; closing waits for what is queued.
#[derive(Debug)]
pub struct Store {
    folder: Folder,
    path: PathBuf,
    writer: writer::Writer,
    /// The first to read with, where the one that writes is not at hand. [`Journal::version`] is asked of the first alone:
    /// `data_version` compares within one connection.
    reader: Option<Mutex<Connection>>,
    /// Messages sent from here, which the connection that sends them does not count.
    sent: AtomicU64,
    /// Connections for whoever reads meanwhile, those that are not in use.
    readers: Mutex<Vec<Connection>>,
}

impl Store {
    /// Opens the state folder at `folder` for a process with many runs, and makes it where there is none.
    pub fn open(folder: &Path) -> Result<Store, JournalError> {
        Store::open_with(folder, Commits::Together)
    }

    pub fn open_with(folder: &Path, commits: Commits) -> Result<Store, JournalError> {
        if rusqlite::version_number() < SQLITE_VERSION {
            return Err(JournalError::Stopped(format!(
                "SQLite {} can lose commits; 3.51.3 or newer is needed",
                rusqlite::version()
            )));
        }
        let folder = Folder::prepare(folder)?;
        folder.prepare_database()?;
        let path = folder.database();
        let mut connection = connect(&folder, OpenFlags::SQLITE_OPEN_READ_WRITE, commits == Commits::OnTheSpot)?;
        set_up(&mut connection).map_err(|error| match error {
            schema::Unusable::Sqlite(error) => explain(&error, &path),
            schema::Unusable::Refused(error) => error,
        })?;
        // By now SQLite has opened its log too.
        folder.confirm()?;
        let reader = match commits {
            // Where nobody reads while something is written, one connection knows what it has read already.
            Commits::OnTheSpot => None,
            Commits::Together => Some(Mutex::new(connect(&folder, OpenFlags::SQLITE_OPEN_READ_ONLY, true)?)),
        };
        Ok(Store {
            writer: writer::Writer::start(connection, path.clone(), commits)?,
            reader,
            sent: AtomicU64::new(0),
            folder,
            readers: Mutex::new(Vec::new()),
            path,
        })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder itself, wherever its path leads by now.
    pub fn handle(&self) -> BorrowedFd<'_> {
        self.folder.handle()
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, writer::ChangeError>) -> Result<T, JournalError> {
        let read = |connection: &Connection| read(connection).map_err(|error| error.explained(&self.path));
        if let Some(Ok(writing)) = self.writer.at_hand().map(Mutex::try_lock) {
            return read(writing.connection());
        }
        if let Some(Ok(connection)) = self.reader.as_ref().map(Mutex::try_lock) {
            return read(&connection);
        }
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.folder, OpenFlags::SQLITE_OPEN_READ_ONLY, true)?,
        };
        let result = read(&connection);
        let mut idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < limits::IDLE_READERS {
            idle.push(connection);
        }
        result
    }
}

fn connect(folder: &Folder, mode: OpenFlags, is_small: bool) -> Result<Connection, JournalError> {
    let path = &folder.database();
    let open = || {
        let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(limits::STORE_BUSY)?;
        connection.set_prepared_statement_cache_capacity(64);
        // A plan that depended on values would be made anew for each.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // What is left of the log is seen to before: without it the next process could only make its file anew.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        if is_small {
            // What is read is read once, and a process that watches thousands of runs stays small.
            connection.execute_batch("PRAGMA cache_size = -256")?;
        }
        Ok(connection)
    };
    let connection = open().map_err(|error: rusqlite::Error| explain(&error, path))?;
    folder.confirm()?;
    Ok(connection)
}

fn set_up(connection: &mut Connection) -> Result<(), schema::Unusable> {
    schema::recognise(connection)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF")?;
    schema::migrate(connection)
}

/// Says in our words what SQLite says in its own. To be called where SQLite has just answered: what the system told it is this
/// thread's last error.
fn explain(error: &rusqlite::Error, path: &Path) -> JournalError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => JournalError::Full { path },
        Some(ErrorCode::SystemIoFailure) if has_no_room(error) => JournalError::Full { path },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => JournalError::ReadOnly { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => JournalError::Busy { path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation) => {
            JournalError::Damaged { what: format!("{}: {error}", path.display()) }
        }
        _ => JournalError::Stopped(format!("{}: {error}", path.display())),
    }
}

/// Something could not be written for want of room, which SQLite calls any other failure: a used-up quota, or a full disk where
/// its shared memory is made. A sync that fails for want of room may have lost what was written before, and is no such thing.
fn has_no_room(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_SHMOPEN, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
    let writes = [SQLITE_IOERR_WRITE, SQLITE_IOERR_SHMOPEN, SQLITE_IOERR_SHMSIZE];
    let is_write = error.sqlite_error().is_some_and(|error| writes.contains(&error.extended_code));
    is_write && matches!(Error::last_os_error().kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

impl Journal for Store {
    fn create(&self, run: NewRun) -> Receipt<Lease> {
        self.writer.submit(Durability::Visible, move |c| change::create(c, &run))
    }

    fn append(&self, append: Append) -> Receipt<()> {
        self.writer.submit(append.durability, move |c| change::append(c, &append))
    }

    fn acquire(&self, run: &RunId, owner: &Owner, now: Timestamp, until: Timestamp) -> Receipt<Lease> {
        let (run, owner) = (run.clone(), owner.clone());
        self.writer.submit(Durability::Synced, move |c| change::acquire(c, run, owner, now, until))
    }

    fn renew(&self, lease: &Lease, until: Timestamp) -> Receipt<()> {
        let lease = lease.clone();
        self.writer.submit(Durability::Visible, move |c| change::renew(c, &lease, until))
    }

    fn release(&self, lease: &Lease) -> Receipt<()> {
        let lease = lease.clone();
        self.writer.submit(Durability::Visible, move |c| change::release(c, &lease))
    }

    fn send(&self, run: &RunId, message: &Message, now: Timestamp) -> Receipt<MessageId> {
        let (run, message) = (run.clone(), message.clone());
        let receipt = self.writer.submit(Durability::Synced, move |c| change::send(c, &run, &message, now));
        self.sent.fetch_add(1, Ordering::Relaxed);
        receipt
    }

    fn withdraw(&self, id: MessageId) -> Receipt<Option<Answer>> {
        self.writer.submit(Durability::Synced, move |c| change::withdraw(c, id))
    }

    fn take_lock(&self, lease: &Lease, lock: &str) -> Receipt<LockOutcome> {
        let (lease, lock) = (lease.clone(), lock.to_owned());
        self.writer.submit(Durability::Synced, move |c| change::take_lock(c, &lease, &lock))
    }

    fn decide_ahead(&self, ahead: NewAhead) -> Receipt<AheadId> {
        self.writer.submit(Durability::Synced, move |c| change::decide_ahead(c, &ahead))
    }

    fn use_ahead(&self, lease: &Lease, id: AheadId) -> Receipt<bool> {
        let lease = lease.clone();
        self.writer.submit(Durability::Synced, move |c| change::use_ahead(c, &lease, id))
    }

    fn anchor(&self, anchor: Anchor) -> Receipt<()> {
        self.writer.submit(Durability::Synced, move |c| change::anchor(c, &anchor))
    }

    fn run(&self, run: &RunId) -> Result<RunRow, JournalError> {
        self.read(|c| read::run(c, run))
    }

    fn plan(&self, digest: &Digest) -> Result<String, JournalError> {
        self.read(|c| read::plan(c, digest))
    }

    fn records(&self, run: &RunId, from: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        self.read(|c| read::records(c, run, from, limit))
    }

    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        self.read(|c| read::runs(c, filter))
    }

    fn runs_like(&self, prefix: &str, limit: usize) -> Result<Vec<RunId>, JournalError> {
        self.read(|c| read::runs_like(c, prefix, limit))
    }

    fn open_decisions(&self, filter: &DecisionFilter) -> Result<Vec<OpenDecision>, JournalError> {
        self.read(|c| read::open_decisions(c, filter))
    }

    fn inbox(&self, run: &RunId) -> Result<Vec<Letter>, JournalError> {
        self.read(|c| read::inbox(c, run))
    }

    fn answer(&self, id: MessageId) -> Result<Option<Answer>, JournalError> {
        self.read(|c| read::answer(c, id))
    }

    fn aheads(&self, procedure: &ProcedureName, now: Timestamp) -> Result<Vec<Ahead>, JournalError> {
        self.read(|c| read::aheads(c, procedure, now))
    }

    fn anchors(&self, run: &RunId) -> Result<Vec<Anchor>, JournalError> {
        self.read(|c| read::anchors(c, run))
    }

    fn lock_holder(&self, lock: &str) -> Result<Option<RunId>, JournalError> {
        self.read(|c| read::lock_holder(c, lock))
    }

    fn version(&self) -> Result<u64, JournalError> {
        let version = |connection: &Connection| {
            connection
                .prepare_cached("PRAGMA data_version")
                .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)))
                .map_err(|error| explain(&error, &self.path))
        };
        let version = match (self.writer.at_hand(), &self.reader) {
            (Some(writing), _) => version(writing.lock().unwrap_or_else(PoisonError::into_inner).connection())?,
            (None, Some(reader)) => version(&reader.lock().unwrap_or_else(PoisonError::into_inner))?,
            (None, None) => 0,
        };
        Ok((version as u64).wrapping_add(self.sent.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests;
