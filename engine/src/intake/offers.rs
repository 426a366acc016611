//! Events that runs wait for: to which runs an event is offered, and what became of it there. See [`dispatch`](crate::dispatch).

use jiff::Timestamp;
use runbook_core::RunId;
use rusqlite::{Connection, OptionalExtension, params};

use super::{GoneThrough, Offer};
use crate::database::ChangeError;
use crate::journal::JournalError;

type Found<T> = Result<T, ChangeError>;

/// It ended a wait of the run.
const MET: i64 = 0;
const OWED: i64 = 1;
/// The run is being told, or was when the process stopped.
const TOLD: i64 = 2;

pub(super) const TABLES: &str = "
    CREATE TABLE offers (
        event INTEGER NOT NULL REFERENCES events (number),
        run   TEXT NOT NULL,
        owed  INTEGER NOT NULL,
        PRIMARY KEY (event, run)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX offers_owed ON offers (event, run) WHERE owed <> 0;
    CREATE INDEX offers_by_run ON offers (run, event);

    CREATE TABLE gone_through (
        waits INTEGER NOT NULL,
        above INTEGER NOT NULL
    ) STRICT;
    INSERT INTO gone_through (waits, above) VALUES (0, 0);
";

/// One that ended a wait of the run is offered to it no more.
pub(super) fn add(c: &Connection, offers: &[Offer]) -> Found<()> {
    let mut statement = c.prepare_cached("INSERT INTO offers (event, run, owed) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
    for Offer { event, run, .. } in offers {
        statement.execute(params![signed(*event), run.as_str(), OWED])?;
    }
    Ok(())
}

pub(super) fn owed(c: &Connection, after: Option<&Offer>, limit: usize) -> Found<Vec<Offer>> {
    let sql = "SELECT event, run, owed FROM offers WHERE owed <> 0 AND (event, run) > (?1, ?2) ORDER BY event, run LIMIT ?3";
    let (event, run) = after.map_or((0, ""), |after| (signed(after.event), after.run.as_str()));
    let mut statement = c.prepare_cached(sql)?;
    let rows = statement.query_map(params![event, run, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
    })?;
    let rows: Vec<(i64, String, i64)> = rows.collect::<Result<_, _>>()?;
    rows.into_iter().map(|(event, run, owed)| Ok(Offer { event: event as u64, run: id(&run)?, is_told: owed == TOLD })).collect()
}

pub(super) fn told(c: &Connection, offer: &Offer) -> Found<()> {
    set(c, offer, TOLD)
}

pub(super) fn met(c: &Connection, offer: &Offer) -> Found<()> {
    set(c, offer, MET)
}

fn set(c: &Connection, Offer { event, run, .. }: &Offer, owed: i64) -> Found<()> {
    c.prepare_cached("UPDATE offers SET owed = ?3 WHERE event = ?1 AND run = ?2")?.execute(params![
        signed(*event),
        run.as_str(),
        owed
    ])?;
    Ok(())
}

/// Nothing in the run waits for it. It may be offered once more.
pub(super) fn unmet(c: &Connection, Offer { event, run, .. }: &Offer) -> Found<()> {
    c.prepare_cached("DELETE FROM offers WHERE event = ?1 AND run = ?2 AND owed <> ?3")?.execute(params![
        signed(*event),
        run.as_str(),
        MET
    ])?;
    Ok(())
}

/// The runs of which an event ended a wait.
pub(super) fn ended(c: &Connection, event: u64) -> Found<Vec<RunId>> {
    let mut statement = c.prepare_cached("SELECT run FROM offers WHERE event = ?1 AND owed = ?2 ORDER BY run")?;
    let runs: Vec<String> = statement.query_map([signed(event), MET], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(runs.iter().map(|run| id(run)).collect::<Result<_, _>>()?)
}

pub(super) fn gone_through(c: &Connection) -> Found<GoneThrough> {
    let row = c.query_row("SELECT waits, above FROM gone_through", [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
    let (waits, above) = row.optional()?.unwrap_or_default();
    Ok(GoneThrough { waits: waits as u64, above: above as u64 })
}

pub(super) fn go_through(c: &Connection, waits: u64) -> Found<()> {
    c.execute("UPDATE gone_through SET waits = ?1", [signed(waits)])?;
    Ok(())
}

/// Of a copy: nobody is told of what came before.
pub(super) fn let_go(c: &Connection) -> Found<()> {
    c.execute("DELETE FROM offers WHERE owed <> ?1", [MET])?;
    c.execute("UPDATE gone_through SET above = (SELECT coalesce(max(number), 0) FROM events)", [])?;
    Ok(())
}

/// Events that are looked at by their time alone, at once.
const LOOKED_AT_TOGETHER: i64 = 1_000;

/// The first event of a source that was received at this time or later, of the `most` newest ones. Clocks are set back, so one that is older is the
/// end only where all beside it are.
pub(super) fn first_since(c: &Connection, source: &str, since: Timestamp, most: usize) -> Found<Option<u64>> {
    let sql = "SELECT number, received FROM events WHERE source = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3";
    let (mut below, mut seen, mut first) = (i64::MAX, 0, None);
    loop {
        let mut statement = c.prepare_cached(sql)?;
        let rows = statement
            .query_map(params![source, below, LOOKED_AT_TOGETHER], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
        let rows: Vec<(i64, String)> = rows.collect::<Result<_, _>>()?;
        let mut is_over = true;
        for (number, received) in &rows {
            let damaged = |error: jiff::Error| JournalError::Damaged { what: format!("event {number} cannot be read: {error}") };
            if received.parse::<Timestamp>().map_err(damaged)? >= since {
                (first, is_over) = (Some(*number as u64), false);
            }
        }
        seen += rows.len();
        match rows.last() {
            Some((last, _)) if !is_over && seen < most => below = *last,
            _ => return Ok(first),
        }
    }
}

fn id(run: &str) -> Result<RunId, JournalError> {
    run.parse().map_err(|error| JournalError::Damaged { what: format!("a row cannot be read: {error}") })
}

/// SQLite knows no numbers beyond these; nothing is called by one.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
