//! What is read. Every row is parsed into its type: a text that a hand has changed is an error and never a guess.

use std::str::FromStr;

use jiff::Timestamp;
use runbook_core::run::listen::Listening;
use runbook_core::{DecisionId, Digest, Fact, ProcedureName, RunId};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use crate::database::{ChangeError, from_json};
use crate::journal::{
    Ahead, AheadId, Anchor, Awaited, AwaitedFilter, DecisionFilter, Holder, JournalError, KeptOverride, OpenDecision, OverrideId,
    Owner, Record, RunFilter, RunRow, Summary,
};
use crate::message::{Answer, Letter, MessageId};

type Found<T> = Result<T, ChangeError>;

pub(super) fn parse<T: FromStr>(text: &str) -> Result<T, JournalError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e| JournalError::Damaged { what: format!("a row cannot be read: {e}") })
}

/// A number that never goes below zero.
pub(super) fn count(number: i64) -> Result<u64, JournalError> {
    number.try_into().map_err(|_| JournalError::Damaged { what: format!("a row cannot be read: {number} is below zero") })
}

fn from_millisecond(ms: i64) -> Result<Timestamp, JournalError> {
    Timestamp::from_millisecond(ms).map_err(|e| JournalError::Damaged { what: format!("a row cannot be read: {e}") })
}

pub(super) fn holder(epoch: i64, owner: Option<String>, until: i64) -> Result<Option<Holder>, JournalError> {
    let Some(owner) = owner else { return Ok(None) };
    Ok(Some(Holder { owner: from_json::<Owner>(&owner)?, epoch: count(epoch)?, until: from_millisecond(until)? }))
}

/// Runs a query and parses every row of it.
fn all<T>(c: &Connection, sql: &str, values: &[Sql], parse: impl Fn(&Row<'_>) -> Found<T>) -> Found<Vec<T>> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(parse(row)?);
    }
    Ok(found)
}

const RUN_COLUMNS: &str = "SELECT r.run, r.format, r.plan, r.summary, r.seq, r.head, r.open, l.epoch, l.owner, l.until
     FROM runs r JOIN leases l ON l.run = r.run";

fn run_row(row: &Row<'_>) -> Found<RunRow> {
    Ok(RunRow {
        run: parse(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?,
        format: row.get(1)?,
        plan: parse(&row.get::<_, String>(2)?)?,
        summary: from_json::<Summary>(&row.get::<_, String>(3)?)?,
        seq: count(row.get(4)?)?,
        head: parse(&row.get::<_, String>(5)?)?,
        open_decisions: row.get(6)?,
        holder: holder(row.get(7)?, row.get(8)?, row.get(9)?)?,
    })
}

pub(super) fn run(c: &Connection, run: &RunId) -> Found<RunRow> {
    let sql = format!("{RUN_COLUMNS} WHERE r.run = ?1");
    let row = all(c, &sql, &[run.to_string().into()], run_row)?.pop();
    row.ok_or_else(|| JournalError::NoRun(run.to_string()).into())
}

pub(super) fn runs(c: &Connection, filter: &RunFilter) -> Found<Vec<RunRow>> {
    let (sql, values) = runs_query(filter);
    all(c, &sql, &values, run_row)
}

/// Every filter leads through an index that ends in the run's id: a page costs what it shows, however many runs there are.
pub(super) fn runs_query(filter: &RunFilter) -> (String, Vec<Sql>) {
    let mut sql = format!("{RUN_COLUMNS} WHERE true");
    let mut values: Vec<Sql> = Vec::new();
    let mut and = |condition: &str, value: Option<String>| {
        if let Some(value) = value {
            values.push(value.into());
            sql.push_str(&format!(" AND {condition} ?{}", values.len()));
        }
    };
    and("r.procedure =", filter.procedure.as_ref().map(ToString::to_string));
    and("r.environment =", filter.environment.clone());
    and("r.requested_by =", filter.requested_by.clone());
    and("r.phase =", filter.phase.map(|phase| phase.as_str().to_owned()));
    and("r.run >=", filter.like.clone());
    // `~` stands behind every character of an id.
    and("r.run <", filter.like.as_ref().map(|like| format!("{like}~")));
    and("r.run <", filter.before.as_ref().map(ToString::to_string));
    if filter.unfinished {
        sql.push_str(" AND r.phase <> 'ended'");
    }
    sql.push_str(&format!(" ORDER BY r.run DESC LIMIT {}", filter.limit));
    (sql, values)
}

pub(super) fn plan(c: &Connection, digest: &Digest) -> Found<String> {
    c.prepare_cached("SELECT text FROM plans WHERE digest = ?1")?
        .query_row([digest.as_str()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| JournalError::NoPlan(digest.clone()).into())
}

pub(super) fn records(c: &Connection, run: &RunId, from: u64, limit: usize) -> Found<Vec<Record>> {
    let sql = "SELECT seq, at, kind, body, hash FROM events WHERE run = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3";
    // No row has a number beyond.
    let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
    let values = [run.to_string().into(), from.into(), (limit as i64).into()];
    all(c, sql, &values, |row| {
        Ok(Record {
            run: run.clone(),
            seq: count(row.get(0)?)?,
            at: row.get(1)?,
            kind: row.get(2)?,
            body: row.get(3)?,
            hash: parse(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?)?,
        })
    })
}

pub(super) fn awaited(c: &Connection, filter: &AwaitedFilter) -> Found<Vec<Awaited>> {
    let AwaitedFilter { run, source, after, limit } = filter;
    // No row has a place beyond.
    let Ok(after) = i64::try_from(*after) else { return Ok(Vec::new()) };
    let mut sql = "SELECT place, run, body FROM awaited WHERE place > ?1".to_owned();
    let mut values: Vec<Sql> = vec![after.into()];
    let run = run.as_ref().map(ToString::to_string);
    for (column, value) in [("run", run), ("source", source.clone())] {
        if let Some(value) = value {
            values.push(value.into());
            sql.push_str(&format!(" AND {column} = ?{}", values.len()));
        }
    }
    values.push(i64::try_from(*limit).unwrap_or(i64::MAX).into());
    sql.push_str(&format!(" ORDER BY place LIMIT ?{}", values.len()));
    all(c, &sql, &values, |row| {
        let run = parse(&row.get::<_, String>(1)?)?;
        Ok(Awaited { place: count(row.get(0)?)?, run, listening: from_json::<Listening>(&row.get::<_, String>(2)?)? })
    })
}

pub(super) fn open_decisions(c: &Connection, filter: &DecisionFilter) -> Found<Vec<OpenDecision>> {
    let mut sql = "SELECT run, decision, path, purpose, question, asked_from, asked_at, expires_at FROM decisions".to_owned();
    let mut values: Vec<Sql> = Vec::new();
    if let Some(run) = &filter.run {
        sql.push_str(" WHERE run = ?");
        values.push(run.to_string().into());
    }
    if let Some((run, decision)) = &filter.after {
        sql.push_str(if filter.run.is_some() { " AND" } else { " WHERE" });
        sql.push_str(" (run, decision) > (?, ?)");
        values.extend([run.to_string().into(), i64::from(decision.0).into()]);
    }
    sql.push_str(" ORDER BY run, decision LIMIT ?");
    values.push(i64::try_from(filter.limit).unwrap_or(i64::MAX).into());
    all(c, &sql, &values, |row| {
        Ok(OpenDecision {
            run: parse(&row.get::<_, String>(0)?)?,
            decision: DecisionId(row.get(1)?),
            path: row.get::<_, Option<String>>(2)?.map(|path| parse(&path)).transpose()?,
            purpose: from_json(&row.get::<_, String>(3)?)?,
            question: row.get(4)?,
            from: from_json(&row.get::<_, String>(5)?)?,
            asked_at: parse(&row.get::<_, String>(6)?)?,
            expires_at: row.get::<_, Option<String>>(7)?.map(|at| parse(&at)).transpose()?,
        })
    })
}

pub(super) fn inbox(c: &Connection, run: &RunId) -> Found<Vec<Letter>> {
    let sql = "SELECT id, sent_at, body FROM messages WHERE run = ?1 AND answer IS NULL ORDER BY id";
    all(c, sql, &[run.to_string().into()], |row| {
        Ok(Letter {
            id: MessageId(row.get(0)?),
            run: run.clone(),
            sent_at: parse(&row.get::<_, String>(1)?)?,
            message: from_json(&row.get::<_, String>(2)?)?,
        })
    })
}

pub(super) fn answer(c: &Connection, id: MessageId) -> Found<Option<Answer>> {
    let text = c
        .prepare_cached("SELECT answer FROM messages WHERE id = ?1")?
        .query_row([id.0], |row| row.get::<_, Option<String>>(0))
        .optional()?;
    Ok(text.flatten().map(|text| from_json(&text)).transpose()?)
}

pub(super) fn aheads(c: &Connection, procedure: &ProcedureName, now: Timestamp) -> Found<Vec<Ahead>> {
    let sql = "SELECT id, procedure, body, uses_left, expires_at FROM aheads
         WHERE procedure = ?1 AND uses_left > 0 AND expires_at > ?2 ORDER BY id";
    all(c, sql, &[procedure.to_string().into(), now.as_millisecond().into()], |row| {
        Ok(Ahead {
            id: AheadId(row.get(0)?),
            procedure: parse(&row.get::<_, String>(1)?)?,
            body: from_json(&row.get::<_, String>(2)?)?,
            uses_left: row.get(3)?,
            expires_at: from_millisecond(row.get(4)?)?,
        })
    })
}

pub(super) fn overrides(c: &Connection, now: Timestamp) -> Found<Vec<KeptOverride>> {
    let sql = "SELECT id, body FROM overrides WHERE ends_ms > ?1 ORDER BY id";
    let mut found = all(c, sql, &[now.as_millisecond().into()], |row| {
        Ok(KeptOverride { id: OverrideId(row.get(0)?), made: from_json(&row.get::<_, String>(1)?)? })
    })?;
    found.retain(|kept| kept.made.stands_in.to > now);
    Ok(found)
}

pub(super) fn anchors(c: &Connection, run: &RunId) -> Found<Vec<Anchor>> {
    let sql = "SELECT seq, head, at, place, signed FROM anchors WHERE run = ?1 ORDER BY seq, rowid";
    all(c, sql, &[run.to_string().into()], |row| {
        Ok(Anchor {
            run: run.clone(),
            seq: count(row.get(0)?)?,
            head: parse(&row.get::<_, String>(1)?)?,
            at: parse(&row.get::<_, String>(2)?)?,
            place: row.get(3)?,
            signed: row.get::<_, Option<String>>(4)?.map(|text| from_json(&text)).transpose()?,
        })
    })
}

pub(super) fn lock_holder(c: &Connection, lock: &str) -> Found<Option<RunId>> {
    let run = c
        .prepare_cached("SELECT run FROM locks WHERE lock = ?1")?
        .query_row(params![lock], |row| row.get::<_, String>(0))
        .optional()?;
    Ok(run.map(|run| parse(&run)).transpose()?)
}

struct Added {
    place: u64,
    run: String,
    seq: u64,
    kind: String,
}

/// Records are only ever added, one transaction after the other: their rows count up in the order of commits.
fn added(c: &Connection, after: u64, limit: usize) -> Found<(Vec<Added>, u64)> {
    let Ok(from) = i64::try_from(after) else { return Ok((Vec::new(), after)) };
    let sql = "SELECT rowid, run, seq, kind FROM events WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";
    let row =
        |row: &Row<'_>| Ok(Added { place: count(row.get(0)?)?, run: row.get(1)?, seq: count(row.get(2)?)?, kind: row.get(3)? });
    let rows = all(c, sql, &[from.into(), (limit as i64).into()], row)?;
    let place = rows.last().map_or(after, |last| last.place);
    Ok((rows, place))
}

pub(super) fn changed(c: &Connection, after: u64, limit: usize) -> Found<(Vec<RunId>, u64)> {
    let (rows, place) = added(c, after, limit)?;
    let mut runs: Vec<String> = rows.into_iter().map(|row| row.run).collect();
    runs.sort_unstable();
    runs.dedup();
    Ok((runs.iter().map(|run| parse(run)).collect::<Result<_, _>>()?, place))
}

pub(super) fn ended(c: &Connection, after: u64, limit: usize) -> Found<(Vec<(RunId, u64)>, u64)> {
    let (rows, place) = added(c, after, limit)?;
    let ends = rows.iter().filter(|row| row.kind == Fact::RUN_FINISHED);
    Ok((ends.map(|row| Ok((parse(&row.run)?, row.seq))).collect::<Found<_>>()?, place))
}

pub(super) fn place(c: &Connection) -> Found<u64> {
    let last: i64 = c.prepare_cached("SELECT coalesce(max(rowid), 0) FROM events")?.query_row([], |row| row.get(0))?;
    Ok(count(last)?)
}
