//! A copy of a file of the state folder as it is at one moment, made while others write to it.

use std::path::Path;
use std::time::Instant;

use runbook_core::limits;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::folder::Folder;
use super::{Schema, connect, explain, schema};
use crate::journal::JournalError;

/// Writes a copy to `to`, which must not be there, and looks through it. False where there is no such file in the folder.
pub fn copy(folder: &Path, schema: &'static Schema, to: &Path) -> Result<bool, JournalError> {
    let folder = Folder::prepare(folder, schema.file)?;
    let path = folder.database();
    if std::fs::symlink_metadata(&path).is_err() {
        return Ok(false);
    }
    let source = connect(&folder, OpenFlags::SQLITE_OPEN_READ_ONLY, true)?;
    schema.recognise(&source).map_err(|error| match error {
        schema::Unusable::Sqlite(error) => explain(&error, &path),
        schema::Unusable::Refused(error) => error,
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error: rusqlite::Error| explain(&error, to);
    let mut copy = Connection::open_with_flags(to, flags).map_err(failed)?;
    {
        let backup = Backup::new(&source, &mut copy).map_err(failed)?;
        let until = Instant::now() + limits::STORE_BUSY;
        // All of it in one step, which is one moment: of several, each would begin anew after every commit of others. In a write-ahead
        // log nobody waits for a reader.
        while backup.step(-1).map_err(failed)? != StepResult::Done {
            if Instant::now() > until {
                return Err(JournalError::Busy { path });
            }
            std::thread::sleep(limits::STORE_POLL);
        }
    }
    // One file, without a log beside it.
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(failed)?;
    let said = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)).map_err(failed)?;
    match said == "ok" {
        true => Ok(true),
        false => Err(JournalError::Damaged { what: format!("{}: {said}", path.display()) }),
    }
}
