//! The rows of events and rulings. What is read is parsed into its type: a text that a hand has changed is an error and never a guess.

use jiff::Timestamp;
use runbook_core::CloudEvent;
use runbook_core::RunId;
use runbook_core::trigger::{Decision, Drop, Ruling};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::{Accepted, Arrival, Arrived, Backlog, EventFilter, Judged, LetGo, Parcel, Seen, Taken};
use crate::database::{ChangeError, from_json, to_json};
use crate::journal::JournalError;

type Found<T> = Result<T, ChangeError>;

pub(super) fn accept_arrival(c: &Connection, arrival: &Arrival) -> Found<Accepted> {
    let Arrival { source, event, received } = arrival;
    accept(c, source, event, &to_json(event)?, *received)
}

/// `body` is the event as text.
fn accept(c: &Connection, source: &str, event: &CloudEvent, body: &str, received: Timestamp) -> Found<Accepted> {
    let again = c
        .prepare_cached("UPDATE events SET again = again + 1 WHERE source = ?1 AND sender = ?2 AND id = ?3 RETURNING number")?
        .query_row([source, &event.source, &event.id], |row| row.get::<_, i64>(0))
        .optional()?;
    if let Some(number) = again {
        return Ok(Accepted::Again(number as u64));
    }
    c.prepare_cached("INSERT INTO events (source, sender, id, key, received, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![source, event.source, event.id, event.key, received.to_string(), body])?;
    Ok(Accepted::New(c.last_insert_rowid() as u64))
}

/// Deliveries whose time is over that are forgotten with each one that is taken: more than come.
const FORGOTTEN_AT_ONCE: i64 = 4;

pub(super) fn take(c: &Connection, parcel: &Parcel, bodies: &[String]) -> Found<Taken> {
    let Parcel { source, events, received, replay } = parcel;
    let now = *received;
    if let Some(replay) = replay
        && let Some(numbers) = taken(c, source, &replay.key, now)?
    {
        return Ok(Taken::Before(numbers));
    }
    let mut accepted = Vec::new();
    for (event, body) in events.iter().zip(bodies) {
        accepted.push(accept(c, source, event, body, now)?);
    }
    let taken = Taken::Events(accepted);
    if let Some(replay) = replay {
        c.prepare_cached(
            "DELETE FROM deliveries WHERE (source, key) IN (SELECT source, key FROM deliveries WHERE until_ms <= ?1 LIMIT ?2)",
        )?
        .execute([now.as_millisecond(), FORGOTTEN_AT_ONCE])?;
        c.prepare_cached("INSERT OR REPLACE INTO deliveries (source, key, until_ms, events) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![source, replay.key, replay.until.as_millisecond(), to_json(&taken.numbers())?])?;
    }
    Ok(taken)
}

pub(super) fn taken(c: &Connection, source: &str, key: &str, now: Timestamp) -> Found<Option<Vec<u64>>> {
    let sql = "SELECT events FROM deliveries WHERE source = ?1 AND key = ?2 AND until_ms > ?3";
    let numbers =
        c.prepare_cached(sql)?.query_row(params![source, key, now.as_millisecond()], |row| row.get::<_, String>(0)).optional()?;
    Ok(numbers.map(|numbers| from_json(&numbers)).transpose()?)
}

pub(super) fn backlog(c: &Connection, limit: u64) -> Found<Backlog> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM events WHERE judged = 0 LIMIT ?1)";
    let events: i64 = c.prepare_cached(sql)?.query_row([signed(limit)], |row| row.get(0))?;
    let oldest = c
        .prepare_cached("SELECT received FROM events WHERE judged = 0 ORDER BY number LIMIT 1")?
        .query_row([], |row| row.get::<_, String>(0))
        .optional()?;
    let damaged = |error: jiff::Error| JournalError::Damaged { what: format!("an event cannot be read: {error}") };
    Ok(Backlog { events: events as u64, oldest: oldest.map(|at| at.parse().map_err(damaged)).transpose()? })
}

pub(super) fn seen(c: &Connection, source: &str) -> Found<Option<Seen>> {
    let row = c
        .prepare_cached("SELECT rule, seen FROM schedules WHERE source = ?1")?
        .query_row([source], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    let Some((rule, until)) = row else { return Ok(None) };
    let damaged =
        |error: jiff::Error| JournalError::Damaged { what: format!("how far the schedule `{source}` was looked at: {error}") };
    Ok(Some(Seen { rule, until: until.parse().map_err(damaged)? }))
}

pub(super) fn see(c: &Connection, source: &str, seen: &Seen) -> Found<()> {
    let sql = "INSERT INTO schedules (source, rule, seen) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET rule = ?2, seen = ?3";
    c.prepare_cached(sql)?.execute([source, &seen.rule, &seen.until.to_string()])?;
    Ok(())
}

pub(super) fn known(c: &Connection, source: &str, event: &CloudEvent) -> Found<Option<u64>> {
    let sql = "SELECT number FROM events WHERE source = ?1 AND sender = ?2 AND id = ?3";
    let number = c.prepare_cached(sql)?.query_row([source, &event.source, &event.id], |row| row.get::<_, i64>(0)).optional()?;
    Ok(number.map(|number| number as u64))
}

/// Whether something is asked for.
pub(super) fn is_owed(ruling: &Ruling) -> bool {
    matches!(ruling.decision, Decision::Ran { .. }) || ruling.tells().is_some() || ruling.escalates()
}

/// Whether it bears on later ones until something else is written down: a run that goes on, or the last time that people were told.
fn is_live(ruling: &Ruling) -> bool {
    matches!(ruling.decision, Decision::Ran { .. } | Decision::Dropped(Drop::OverLimit { escalates: true, .. }))
}

/// `bodies` are the rulings as text.
pub(super) fn rule(c: &Connection, judged: &Judged, bodies: &[String]) -> Found<()> {
    let last: i64 = c.prepare_cached("SELECT coalesce(max(made), 0) FROM rulings")?.query_row([], |row| row.get(0))?;
    for (made, (ruling, body)) in (last + 1..).zip(judged.rulings.iter().zip(bodies)) {
        c.prepare_cached(
            "INSERT INTO rulings (event, procedure, trigger, made, at_ms, word, run, live, owed, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT DO UPDATE SET made = ?4, at_ms = ?5, word = ?6, run = ?7, live = ?8, owed = ?9, body = ?10",
        )?
        .execute(params![
            signed(ruling.event),
            ruling.trigger.procedure.as_str(),
            ruling.trigger.id,
            made,
            ruling.at.as_millisecond(),
            ruling.decision.word(),
            ruling.decision.run().map(|run| run.as_str().to_owned()),
            is_live(ruling),
            is_owed(ruling),
            body,
        ])?;
        if is_live(ruling) && ruling.decision.run().is_none() {
            // The one before it bears on nothing more.
            c.prepare_cached(
                "UPDATE rulings SET live = 0 WHERE live = 1 AND word = 'dropped' AND procedure = ?1 AND trigger = ?2 AND event <> ?3",
            )?
            .execute(params![ruling.trigger.procedure.as_str(), ruling.trigger.id, signed(ruling.event)])?;
        }
    }
    for event in &judged.events {
        c.prepare_cached("UPDATE events SET judged = 1 WHERE number = ?1")?.execute([signed(*event)])?;
    }
    super::offers::add(c, &judged.offers)?;
    if let Some(waits) = judged.waits {
        super::offers::go_through(c, waits)?;
    }
    for run in &judged.ended {
        // The plus keeps SQLite from going over all that is live.
        c.prepare_cached("UPDATE rulings SET live = 0 WHERE run = ?1 AND +live = 1")?.execute([run.as_str()])?;
    }
    Ok(())
}

pub(super) fn place(c: &Connection, source: &str) -> Found<Option<u64>> {
    let sql = "SELECT place FROM places WHERE source = ?1";
    let place = c.prepare_cached(sql)?.query_row([source], |row| row.get::<_, i64>(0)).optional()?;
    Ok(place.map(|place| place as u64))
}

pub(super) fn set_place(c: &Connection, source: &str, place: u64) -> Found<()> {
    let sql = "INSERT INTO places (source, place) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET place = ?2";
    c.prepare_cached(sql)?.execute(params![source, signed(place)])?;
    Ok(())
}

pub(super) fn forget_place(c: &Connection, source: &str) -> Found<()> {
    c.prepare_cached("DELETE FROM places WHERE source = ?1")?.execute([source])?;
    Ok(())
}

pub(super) fn count(c: &Connection) -> Found<u64> {
    Ok(c.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0))? as u64)
}

pub(super) fn let_go(c: &Connection, now: Timestamp, is_there: impl Fn(&RunId) -> bool) -> Found<LetGo> {
    let unjudged = c.execute("UPDATE events SET restored = 1 WHERE judged = 0", [])? as u64;
    let open = rulings(c, "SELECT body FROM rulings WHERE word = 'deferred' OR owed = 1 OR live = 1 ORDER BY made", Vec::new())?;
    let is_open = |ruling: &Ruling| match &ruling.decision {
        Decision::Ran { run } => !is_there(run),
        Decision::Dropped(_) => ruling.escalates(),
        _ => true,
    };
    let dropped = |ruling: Ruling| Ruling { at: now, decision: Decision::Dropped(Drop::Restored), ..ruling };
    let judged = Judged { rulings: open.into_iter().filter(is_open).map(dropped).collect(), ..Judged::default() };
    let bodies = judged.rulings.iter().map(to_json).collect::<Result<Vec<_>, _>>()?;
    rule(c, &judged, &bodies)?;
    // Those that are left have begun.
    c.execute("UPDATE rulings SET owed = 0 WHERE owed = 1", [])?;
    c.execute("UPDATE schedules SET seen = ?1", [now.to_string()])?;
    // Runs that had ended, and were not told of yet, may have been since.
    c.execute("DELETE FROM places", [])?;
    super::offers::let_go(c)?;
    Ok(LetGo { unjudged, owed: judged.rulings.len() as u64 })
}

pub(super) const COLUMNS: &str = "number, source, received, again, judged, restored, body";

pub(super) struct Raw {
    pub number: u64,
    source: String,
    pub received: String,
    again: u64,
    judged: bool,
    restored: bool,
    body: String,
}

pub(super) fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        number: row.get::<_, i64>(0)? as u64,
        source: row.get(1)?,
        received: row.get(2)?,
        again: row.get::<_, i64>(3)? as u64,
        judged: row.get(4)?,
        restored: row.get(5)?,
        body: row.get(6)?,
    })
}

pub(super) fn whole(c: &Connection, raw: Raw) -> Found<Arrived> {
    let mut statement = c.prepare_cached("SELECT body FROM rulings WHERE event = ?1 ORDER BY procedure, trigger")?;
    let texts: Vec<String> = statement.query_map([signed(raw.number)], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let rulings = texts.iter().map(|text| from_json(text)).collect::<Result<_, _>>()?;
    let ended = super::offers::ended(c, raw.number)?;
    Ok(Arrived { ended, ..with(raw, rulings)? })
}

fn with(raw: Raw, rulings: Vec<Ruling>) -> Found<Arrived> {
    let Raw { number, source, received, again, judged, restored, body } = raw;
    let damaged = |error: jiff::Error| JournalError::Damaged { what: format!("event {number} cannot be read: {error}") };
    let received: Timestamp = received.parse().map_err(damaged)?;
    let event: CloudEvent = from_json(&body)?;
    Ok(Arrived { number, source, received, again, event, rulings, judged, ended: Vec::new(), restored })
}

fn wholes(c: &Connection, sql: &str, values: Vec<Sql>) -> Found<Vec<Arrived>> {
    let raws: Vec<Raw> = c.prepare_cached(sql)?.query_map(params_from_iter(values), raw)?.collect::<Result<_, _>>()?;
    raws.into_iter().map(|raw| whole(c, raw)).collect()
}

fn rulings(c: &Connection, sql: &str, values: Vec<Sql>) -> Found<Vec<Ruling>> {
    let texts: Vec<String> =
        c.prepare_cached(sql)?.query_map(params_from_iter(values), |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(texts.iter().map(|text| from_json(text)).collect::<Result<_, _>>()?)
}

/// SQLite knows no numbers beyond these; nothing is called by one.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn bound(limit: usize) -> Sql {
    Sql::Integer(i64::try_from(limit).unwrap_or(i64::MAX))
}

pub(super) fn unjudged(c: &Connection, limit: usize) -> Found<Vec<Arrived>> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE judged = 0 ORDER BY number LIMIT ?1");
    let raws: Vec<Raw> = c.prepare_cached(&sql)?.query_map([bound(limit)], raw)?.collect::<Result<_, _>>()?;
    raws.into_iter().map(|raw| with(raw, Vec::new())).collect()
}

/// Each part by an index of its own.
pub(super) const THAT_COUNT: &str = "
    SELECT body FROM (
        SELECT made, body FROM rulings WHERE word = 'deferred'
        UNION SELECT made, body FROM rulings INDEXED BY rulings_that_ran WHERE word = 'ran' AND at_ms >= ?1
        UNION SELECT made, body FROM rulings WHERE live = 1
    ) ORDER BY made";

pub(super) fn that_count(c: &Connection, since: Timestamp) -> Found<Vec<Ruling>> {
    rulings(c, THAT_COUNT, vec![Sql::Integer(since.as_millisecond())])
}

pub(super) fn live(c: &Connection) -> Found<Vec<Ruling>> {
    rulings(c, "SELECT body FROM rulings WHERE live = 1 ORDER BY made", Vec::new())
}

pub(super) fn owed(c: &Connection, after: u64, limit: usize) -> Found<Vec<(u64, Ruling)>> {
    let sql = "SELECT made, body FROM rulings WHERE owed = 1 AND made > ?1 ORDER BY made LIMIT ?2";
    let mut statement = c.prepare_cached(sql)?;
    let rows =
        statement.query_map(params![signed(after), bound(limit)], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let rows: Vec<(i64, String)> = rows.collect::<Result<_, _>>()?;
    rows.into_iter().map(|(made, text)| Ok((made as u64, from_json(&text)?))).collect()
}

pub(super) fn done(c: &Connection, rulings: &[Ruling]) -> Found<()> {
    for ruling in rulings {
        // One that was made anew meanwhile asks for something else.
        c.prepare_cached(
            "UPDATE rulings SET owed = 0 WHERE event = ?1 AND procedure = ?2 AND trigger = ?3 AND word = ?4 AND run IS ?5",
        )?
        .execute(params![
            signed(ruling.event),
            ruling.trigger.procedure.as_str(),
            ruling.trigger.id,
            ruling.decision.word(),
            ruling.decision.run().map(|run| run.as_str().to_owned()),
        ])?;
    }
    Ok(())
}

pub(super) fn event(c: &Connection, number: u64) -> Found<Option<Arrived>> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE number = ?1");
    let found = c.prepare_cached(&sql)?.query_row([signed(number)], raw).optional()?;
    found.map(|raw| whole(c, raw)).transpose()
}

pub(super) fn events_from(c: &Connection, from: u64, limit: usize) -> Found<Vec<Arrived>> {
    wholes(
        c,
        &format!("SELECT {COLUMNS} FROM events WHERE number >= ?1 ORDER BY number LIMIT ?2"),
        vec![Sql::Integer(signed(from)), bound(limit)],
    )
}

pub(super) fn judged_from(c: &Connection, source: &str, from: u64, limit: usize) -> Found<Vec<Arrived>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM events WHERE source = ?1 AND number >= ?2 AND judged = 1 AND restored = 0 ORDER BY number LIMIT ?3"
    );
    let values = params![source, signed(from), i64::try_from(limit).unwrap_or(i64::MAX)];
    let raws: Vec<Raw> = c.prepare_cached(&sql)?.query_map(values, raw)?.collect::<Result<_, _>>()?;
    raws.into_iter().map(|raw| whole(c, raw)).collect()
}

pub(super) fn events(c: &Connection, filter: &EventFilter) -> Found<Vec<Arrived>> {
    let mut sql = format!("SELECT {COLUMNS} FROM events WHERE TRUE");
    let mut values = Vec::new();
    let mut holds = |sql: &mut String, condition: &str, value: Sql| {
        values.push(value);
        sql.push_str(&condition.replace('?', &format!("?{}", values.len())));
    };
    if let Some(source) = &filter.source {
        holds(&mut sql, " AND source = ?", Sql::Text(source.clone()));
    }
    for (column, value) in [("procedure", &filter.procedure), ("word", &filter.word)] {
        if let Some(value) = value {
            let condition = format!(" AND EXISTS (SELECT 1 FROM rulings WHERE event = number AND {column} = ?)");
            holds(&mut sql, &condition, Sql::Text(value.clone()));
        }
    }
    if let Some(run) = &filter.run {
        let of_run =
            " AND number IN (SELECT event FROM rulings WHERE run = ? UNION SELECT event FROM offers WHERE run = ? AND owed = 0)";
        holds(&mut sql, of_run, Sql::Text(run.as_str().to_owned()));
    }
    if let Some(before) = filter.before {
        holds(&mut sql, " AND number < ?", Sql::Integer(signed(before)));
    }
    holds(&mut sql, " ORDER BY number DESC LIMIT ?", bound(filter.limit));
    wholes(c, &sql, values)
}
