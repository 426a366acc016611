//! What concerns a journal as a whole, and no single run of it.

use std::path::Path;

use jiff::Timestamp;
use runbook_core::{Digest, RunId};
use rusqlite::{Connection, OptionalExtension};

use super::{Store, read, schema};
use crate::database::{ChangeError, Look, Looked, copy, from_json, look, to_json};
use crate::journal::{Durability, JournalError, Phase, Pruned, Receipt, RunRow};

type Found<T> = Result<T, ChangeError>;

impl Store {
    /// How its file stands; `None` where there is none. Nothing is changed.
    pub fn look(folder: &Path, how: Look) -> Result<Option<Looked>, JournalError> {
        look(folder, &schema::SCHEMA, how)
    }

    /// Copies its file as it is at this moment; false where there is none.
    pub fn copy(folder: &Path, to: &Path) -> Result<bool, JournalError> {
        copy(folder, &schema::SCHEMA, to)
    }

    /// Of a copy: no process is at work on its runs, what was sent to one has been answered elsewhere, and what was decided ahead may have
    /// been used since. Gives how many such decisions
    /// there were, which are void now.
    pub fn forsake(&self) -> Receipt<u64> {
        self.database.submit(Durability::Synced, forsake)
    }

    /// Bytes of those events of a run that are of none of these kinds.
    pub fn weight(&self, run: &RunId, kept: &'static [&'static str]) -> Result<u64, JournalError> {
        self.database.read(|c| weight(c, run, kept))
    }

    /// Takes the bodies of all events out of a run's record that are of none of these kinds. False where the run is no longer as `row` has
    /// it, or a process has it.
    pub fn compact(&self, row: &RunRow, kept: &'static [&'static str], now: Timestamp, seal: &Digest) -> Receipt<bool> {
        let (row, seal) = (row.clone(), seal.clone());
        self.database.submit(Durability::Synced, move |c| {
            if !is_at_rest(c, &row, now)? {
                return Ok(false);
            }
            let sql = format!("UPDATE events SET body = '' WHERE run = ?1 AND kind NOT IN ({})", listed(kept));
            c.execute(&sql, [row.run.as_str()])?;
            let before = pruned(c, &row.run)?.unwrap_or_default();
            mark(c, &row.run, &Pruned { steps_at: Some(now), seal: Some(seal), ..before })?;
            Ok(true)
        })
    }

    /// Notes that the logs of a run go. False as above.
    pub fn without_logs(&self, row: &RunRow, now: Timestamp) -> Receipt<bool> {
        let row = row.clone();
        self.database.submit(Durability::Synced, move |c| {
            if !is_at_rest(c, &row, now)? {
                return Ok(false);
            }
            let before = pruned(c, &row.run)?.unwrap_or_default();
            mark(c, &row.run, &Pruned { logs_at: before.logs_at.max(Some(now)), ..before })?;
            Ok(true)
        })
    }

    /// How many events all runs have.
    pub fn events(&self) -> Result<u64, JournalError> {
        self.database.read(|c| Ok(read::count(c.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?)?))
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

/// Words of our own, as they stand in a statement.
fn listed(kinds: &[&str]) -> String {
    kinds.iter().map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(", ")
}

fn weight(c: &Connection, run: &RunId, kept: &[&str]) -> Found<u64> {
    let sql = format!("SELECT coalesce(sum(length(body)), 0) FROM events WHERE run = ?1 AND kind NOT IN ({})", listed(kept));
    Ok(read::count(c.prepare_cached(&sql)?.query_row([run.as_str()], |row| row.get(0))?)?)
}

/// Whether a run is still over, as it was when somebody looked, and nobody has taken it up.
fn is_at_rest(c: &Connection, seen: &RunRow, now: Timestamp) -> Found<bool> {
    let row = read::run(c, &seen.run)?;
    Ok(row.summary.phase == Phase::Ended && (row.seq, &row.head) == (seen.seq, &seen.head) && !row.is_held(now))
}

pub(super) fn pruned(c: &Connection, run: &RunId) -> Found<Option<Pruned>> {
    let body = c
        .prepare_cached("SELECT body FROM pruned WHERE run = ?1")?
        .query_row([run.as_str()], |row| row.get::<_, String>(0))
        .optional()?;
    Ok(body.map(|body| from_json(&body)).transpose()?)
}

fn mark(c: &Connection, run: &RunId, pruned: &Pruned) -> Found<()> {
    c.execute("INSERT OR REPLACE INTO pruned (run, body) VALUES (?1, ?2)", [run.as_str(), &to_json(pruned)?])?;
    Ok(())
}

fn forsake(c: &Connection) -> Found<u64> {
    c.execute("UPDATE leases SET owner = NULL, until = 0", [])?;
    c.execute("DELETE FROM messages WHERE answer IS NULL", [])?;
    Ok(c.execute("UPDATE aheads SET uses_left = 0 WHERE uses_left > 0", [])? as u64)
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
