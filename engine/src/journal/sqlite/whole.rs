//! What concerns a journal as a whole, and no single run of it.

use std::path::Path;

use jiff::Timestamp;
use runbook_core::RunId;
use rusqlite::{Connection, OptionalExtension};

use super::{Store, read, schema};
use crate::database::{ChangeError, Look, Looked, look};
use crate::journal::{JournalError, Phase};

type Found<T> = Result<T, ChangeError>;

impl Store {
    /// How its file stands; `None` where there is none. Nothing is changed.
    pub fn look(folder: &Path, how: Look) -> Result<Option<Looked>, JournalError> {
        look(folder, &schema::SCHEMA, how)
    }

    /// How many runs there are in each phase that it has any of.
    pub fn counts(&self) -> Result<Vec<(Phase, u64)>, JournalError> {
        self.database.read(counts)
    }

    /// Which run holds which lock.
    pub fn locks(&self) -> Result<Vec<(String, RunId)>, JournalError> {
        self.database.read(locks)
    }

    /// When the last event of all runs was recorded.
    pub fn last_at(&self) -> Result<Option<Timestamp>, JournalError> {
        self.database.read(last_at)
    }
}

fn counts(c: &Connection) -> Found<Vec<(Phase, u64)>> {
    let mut statement = c.prepare_cached("SELECT phase, count(*) FROM runs GROUP BY phase")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    let mut found = Vec::new();
    for row in rows {
        let (phase, count) = row?;
        let damaged = || JournalError::Damaged { what: format!("a row cannot be read: there is no phase `{phase}`") };
        found.push((Phase::parse(&phase).ok_or_else(damaged)?, read::count(count)?));
    }
    Ok(found)
}

fn locks(c: &Connection) -> Found<Vec<(String, RunId)>> {
    let mut statement = c.prepare_cached("SELECT lock, run FROM locks ORDER BY lock")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let rows: Vec<(String, String)> = rows.collect::<Result<_, _>>()?;
    rows.into_iter().map(|(lock, run)| Ok((lock, read::parse(&run)?))).collect()
}

fn last_at(c: &Connection) -> Found<Option<Timestamp>> {
    let at = c
        .prepare_cached("SELECT at FROM events ORDER BY rowid DESC LIMIT 1")?
        .query_row([], |row| row.get::<_, String>(0))
        .optional()?;
    Ok(at.map(|at| read::parse(&at)).transpose()?)
}
