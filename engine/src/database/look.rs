//! How a file of the state folder stands, without changing it: whether it is ours, of which version, how large, and whether it is whole.

use std::path::Path;

use rusqlite::OpenFlags;

use super::folder::Folder;
use super::{Schema, connect, explain, schema};
use crate::journal::JournalError;

/// How far to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Only at what costs nothing.
    Outside,
    /// Each page, where the file is no larger than this.
    Through { most: u64 },
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    pub file: &'static str,
    pub bytes: u64,
    /// Of what is written down and not yet in the file.
    pub log_bytes: u64,
    /// Migrations that were made, and how many this version knows.
    pub made: usize,
    pub known: usize,
    /// `None` where nobody looked through it; else what is wrong, in a line, or nothing.
    pub damage: Option<Option<String>>,
    /// The mode of the file, where others may read it.
    pub open_to_others: Option<u32>,
}

/// `None` where there is no such file.
pub fn look(folder: &Path, schema: &'static Schema, how: Look) -> Result<Option<Looked>, JournalError> {
    let folder = Folder::prepare(folder, schema.file)?;
    let path = folder.database();
    let size = |suffix: &str| {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        std::fs::symlink_metadata(&name).map(|found| found.len()).unwrap_or_default()
    };
    let Ok(found) = std::fs::symlink_metadata(&path) else { return Ok(None) };
    let connection = connect(&folder, OpenFlags::SQLITE_OPEN_READ_ONLY, true)?;
    let made = schema.recognise(&connection).map_err(|error| match error {
        schema::Unusable::Sqlite(error) => explain(&error, &path),
        schema::Unusable::Refused(error) => error,
    })?;
    let bytes = found.len();
    let damage = match how {
        Look::Through { most } if bytes <= most => {
            let said = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
            let said = said.map_err(|error| explain(&error, &path))?;
            Some((said != "ok").then_some(said))
        }
        _ => None,
    };
    let mode = std::os::unix::fs::MetadataExt::mode(&found) & 0o7777;
    Ok(Some(Looked {
        file: schema.file,
        bytes,
        log_bytes: size("-wal"),
        made,
        known: schema.migrations.len(),
        damage,
        open_to_others: (mode & 0o077 != 0).then_some(mode),
    }))
}
