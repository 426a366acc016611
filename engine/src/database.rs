//! One SQLite file of the state folder, written over one connection per process and read by any number of processes meanwhile.
//!
//! Write-ahead log, `synchronous=FULL`, group commit. Opening refuses what could lose or leak a record: an SQLite with the
//! WAL-reset fault, a folder that others can write to, a database of a newer version. What it holds is the business of whoever
//! opens it.

mod copy;
mod folder;
mod log_ahead;
mod look;
mod schema;
mod writer;

use std::io::{Error, ErrorKind};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use runbook_core::limits;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::folder::Folder;
use crate::journal::{Durability, JournalError, Receipt};

pub use copy::copy;
pub use folder::RESTORING;
pub use look::{Look, Looked, look};
pub use schema::Schema;
pub use writer::{ChangeError, Commits};

/// The first SQLite without the fault that could lose commits when a write-ahead log is reset.
const SQLITE_VERSION: i32 = 3_051_003;

/// Cheap to share; closing waits for what is queued.
#[derive(Debug)]
pub struct Database {
    folder: Folder,
    path: PathBuf,
    writer: writer::Writer,
    /// The first to read with, where the one that writes is not at hand. [`Database::version`] is asked of the first alone:
    /// `data_version` compares within one connection.
    reader: Option<Mutex<Connection>>,
    /// Connections for whoever reads meanwhile, those that are not in use.
    readers: Mutex<Vec<Connection>>,
}

impl Database {
    /// Opens the file of `schema` in the state folder at `folder`, and makes both where there are none.
    pub fn open(folder: &Path, schema: &'static Schema, commits: Commits) -> Result<Database, JournalError> {
        if rusqlite::version_number() < SQLITE_VERSION {
            return Err(JournalError::Stopped(format!(
                "SQLite {} can lose commits; 3.51.3 or newer is needed",
                rusqlite::version()
            )));
        }
        let folder = Folder::prepare(folder, schema.file)?;
        folder.prepare_database()?;
        let path = folder.database();
        let mut connection = connect(&folder, OpenFlags::SQLITE_OPEN_READ_WRITE, commits == Commits::OnTheSpot)?;
        set_up(&mut connection, schema).map_err(|error| match error {
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
        Ok(Database {
            writer: writer::Writer::start(connection, path.clone(), schema, commits)?,
            reader,
            folder,
            readers: Mutex::new(Vec::new()),
            path,
        })
    }

    /// Of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(test)]
    pub(crate) fn reader(&self) -> Option<&Mutex<Connection>> {
        self.reader.as_ref()
    }

    #[cfg(test)]
    pub(crate) fn confirm(&self) -> Result<(), JournalError> {
        self.folder.confirm()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder itself, wherever its path leads by now.
    pub fn handle(&self) -> BorrowedFd<'_> {
        self.folder.handle()
    }

    /// Sees every commit, also of other processes; however much is read at once, all of it as it stood at one moment.
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, ChangeError>) -> Result<T, JournalError> {
        let at_one_moment = |connection: &Connection| {
            // After a fault of the disk a transaction may be left open; what is there is still to be read.
            let _moment = connection.is_autocommit().then(|| connection.unchecked_transaction()).transpose()?;
            read(connection)
        };
        let read = |connection: &Connection| at_one_moment(connection).map_err(|error: ChangeError| error.explained(&self.path));
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

    /// Asks for a change. What it returns reaches the receipt after the commit.
    pub fn submit<T, C>(&self, durability: Durability, change: C) -> Receipt<T>
    where
        T: Send + 'static,
        C: FnOnce(&Connection) -> Result<T, ChangeError> + Send + 'static,
    {
        self.writer.submit(durability, false, change)
    }

    /// The same for a change that only writes, and that nothing but the disk refuses: where it fails, all of its commit does.
    pub fn submit_sure<T, C>(&self, durability: Durability, change: C) -> Receipt<T>
    where
        T: Send + 'static,
        C: FnOnce(&Connection) -> Result<T, ChangeError> + Send + 'static,
    {
        self.writer.submit(durability, true, change)
    }

    /// A number that changes whenever another process has committed anything.
    pub fn version(&self) -> Result<u64, JournalError> {
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
        Ok(version as u64)
    }
}

/// A value as it stands in a row.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, JournalError> {
    serde_json::to_string(value).map_err(|error| JournalError::Unwritable(error.to_string()))
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, JournalError> {
    serde_json::from_str(text).map_err(|error| JournalError::Damaged { what: format!("a row cannot be read: {error}") })
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

fn set_up(connection: &mut Connection, schema: &Schema) -> Result<(), schema::Unusable> {
    schema.recognise(connection)?;
    let until = Instant::now() + limits::STORE_BUSY;
    // Of several that find a new file, each may hold what another needs for this; SQLite then has one give way at once.
    while let Err(error) = connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
        if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || Instant::now() > until {
            return Err(error.into());
        }
        std::thread::sleep(limits::STORE_POLL);
    }
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF")?;
    schema.migrate(connection)
}

/// Says in our words what SQLite says in its own. To be called where SQLite has just answered: what the system told it is this
/// thread's last error.
fn explain(error: &rusqlite::Error, path: &Path) -> JournalError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => JournalError::Full { path },
        Some(ErrorCode::SystemIoFailure) if has_no_room(error) => JournalError::Full { path },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => JournalError::ReadOnly { path },
        // The last is what it says of a log whose locks others kept changing for seconds.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            JournalError::Busy { path }
        }
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
