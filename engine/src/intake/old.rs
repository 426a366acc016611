//! Events on which nothing more depends: which they are, and that they go.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::Old;
use super::rows::{COLUMNS, raw, signed, whole};
use crate::database::ChangeError;
use crate::journal::JournalError;

type Found<T> = Result<T, ChangeError>;

pub(super) const TABLES: &str = "
    CREATE TABLE looked_back (
        ms INTEGER NOT NULL
    ) STRICT;
    INSERT INTO looked_back (ms) VALUES (0);
";

/// Nothing is owed for it, no run of it goes on, and every decision on it is as old as it has to be.
const IS_DONE_WITH: &str = "judged = 1
    AND NOT EXISTS (SELECT 1 FROM rulings WHERE event = number AND (word = 'deferred' OR live = 1 OR owed = 1 OR at_ms >= ?1))
    AND NOT EXISTS (SELECT 1 FROM offers WHERE event = number AND owed <> 0)";

/// Those of the next `limit` events behind `after`. Clocks are set back, so the last is told only where none of so many was old enough.
pub(super) fn old(c: &Connection, before: Timestamp, after: u64, limit: usize) -> Found<Old> {
    let sql = format!("SELECT {COLUMNS}, {IS_DONE_WITH} FROM events WHERE number > ?2 ORDER BY number LIMIT ?3");
    let mut statement = c.prepare_cached(&sql)?;
    let rows = statement
        .query_map(params![before.as_millisecond(), signed(after), i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok((raw(row)?, row.get::<_, bool>(7)?))
        })?;
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let (mut old, mut any) = (Old::default(), false);
    for (row, is_done_with) in rows {
        let (number, received) = (row.number, row.received.parse::<Timestamp>());
        let damaged = |error: jiff::Error| JournalError::Damaged { what: format!("event {number} cannot be read: {error}") };
        old.last = Some(number);
        if received.map_err(damaged)? < before {
            any = true;
            if is_done_with {
                old.events.push(whole(c, row)?);
            }
        }
    }
    if !any {
        old.last = None;
    }
    Ok(old)
}

/// Those of them go on which nothing depends at this moment: which.
pub(super) fn forget(c: &Connection, numbers: &[u64], before: Timestamp) -> Found<Vec<u64>> {
    let is_done_with = format!("SELECT 1 FROM events WHERE number = ?2 AND {IS_DONE_WITH}");
    let mut gone = Vec::new();
    for event in numbers {
        let number = signed(*event);
        if !c.prepare_cached(&is_done_with)?.exists(params![before.as_millisecond(), number])? {
            continue;
        }
        for table in
            ["DELETE FROM rulings WHERE event = ?1", "DELETE FROM offers WHERE event = ?1", "DELETE FROM events WHERE number = ?1"]
        {
            c.prepare_cached(table)?.execute([number])?;
        }
        gone.push(*event);
    }
    Ok(gone)
}

/// The number of the newest event that there ever was.
pub(super) fn newest(c: &Connection) -> Found<u64> {
    let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'";
    Ok(c.query_row(sql, [], |row| row.get::<_, i64>(0))? as u64)
}

pub(super) fn looked_back(c: &Connection) -> Found<u64> {
    Ok(c.query_row("SELECT coalesce(max(ms), 0) FROM looked_back", [], |row| row.get::<_, i64>(0))? as u64)
}

pub(super) fn look_back(c: &Connection, ms: u64) -> Found<()> {
    c.execute("UPDATE looked_back SET ms = ?1", [signed(ms)])?;
    Ok(())
}
