//! What each change does inside the writer's transaction. Every function either makes the whole change or refuses it; the
//! savepoint around it takes half-made ones back.

use jiff::Timestamp;
use runbook_core::run::listen::Listening;
use runbook_core::{Digest, RunId};
use rusqlite::{Connection, OptionalExtension, params};

use super::read;
use crate::database::{ChangeError, to_json};
use crate::journal::{
    AheadId, Anchor, Append, FORMAT, Holder, JournalError, Lease, LockOutcome, NewAhead, NewOverride, NewRun, OpenDecision,
    OverrideId, Owner, Phase, Record, chain,
};
use crate::message::{Answer, Message, MessageId};

type Changed<T> = Result<T, ChangeError>;

pub(super) fn create(c: &Connection, new: &NewRun) -> Changed<Lease> {
    let Some(first) = new.records.first() else {
        return Err(JournalError::Unwritable("a run starts with an event".to_owned()).into());
    };
    let run = &first.run;
    if c.prepare_cached("SELECT 1 FROM runs WHERE run = ?1")?.exists([run.as_str()])? {
        return Err(JournalError::Exists(run.clone()).into());
    }
    c.prepare_cached("INSERT INTO plans (digest, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute([new.plan.as_str(), &new.plan_text])?;
    c.prepare_cached("INSERT INTO runs (run, format, plan, seq, head, summary) VALUES (?1, ?2, ?3, 0, ?4, ?5)")?
        .execute(params![run.as_str(), FORMAT, new.plan.as_str(), chain::genesis(FORMAT, run).as_str(), to_json(&new.summary)?])?;
    c.prepare_cached("INSERT INTO leases (run, epoch, owner, until) VALUES (?1, 1, ?2, ?3)")?.execute(params![
        run.as_str(),
        to_json(&new.owner)?,
        new.until.as_millisecond()
    ])?;
    insert(c, run, &new.records)?;
    Ok(Lease { run: run.clone(), epoch: 1, owner: new.owner.clone(), until: new.until })
}

pub(super) fn append(c: &Connection, append: &Append) -> Changed<()> {
    let run = &append.run;
    fence(c, run, append.epoch)?;
    insert(c, run, &append.records)?;
    if let Some(summary) = &append.summary {
        c.prepare_cached("UPDATE runs SET summary = ?2 WHERE run = ?1")?.execute([run.as_str(), &to_json(summary)?])?;
        if summary.phase == Phase::Ended {
            c.prepare_cached("DELETE FROM locks WHERE run = ?1")?.execute([run.as_str()])?;
        }
    }
    if let Some(open) = &append.open {
        keep_open(c, run, open)?;
    }
    if let Some(awaited) = &append.awaited {
        keep_awaited(c, run, awaited)?;
    }
    for (id, answer) in &append.answers {
        c.prepare_cached("UPDATE messages SET answer = ?2 WHERE id = ?1")?.execute(params![id.0, to_json(answer)?])?;
    }
    Ok(())
}

/// Refuses whoever no longer owns the run.
fn fence(c: &Connection, run: &RunId, epoch: u64) -> Changed<()> {
    let mut statement = c.prepare_cached("SELECT 1 FROM leases WHERE run = ?1 AND epoch = ?2 AND owner IS NOT NULL")?;
    match statement.exists(params![run.as_str(), i64::try_from(epoch).unwrap_or(i64::MAX)])? {
        true => Ok(()),
        false => Err(JournalError::Stale { run: run.clone() }.into()),
    }
}

fn lease_of(c: &Connection, run: &RunId) -> Changed<Option<(u64, Option<Holder>)>> {
    let found = c
        .prepare_cached("SELECT epoch, owner, until FROM leases WHERE run = ?1")?
        .query_row([run.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, i64>(2)?)))
        .optional()?;
    let Some((epoch, owner, until)) = found else { return Ok(None) };
    Ok(Some((read::count(epoch)?, read::holder(epoch, owner, until)?)))
}

/// Adds records behind the head and moves it.
fn insert(c: &Connection, run: &RunId, records: &[Record]) -> Changed<()> {
    let Some(end) = records.last() else { return Ok(()) };
    let (last, head): (i64, String) = c
        .prepare_cached("SELECT seq, head FROM runs WHERE run = ?1")?
        .query_row([run.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (mut last, mut head): (u64, Digest) = (read::count(last)?, read::parse(&head)?);
    let mut statement = c.prepare_cached("INSERT INTO events (run, seq, at, kind, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for record in records {
        if Some(record.seq) != last.checked_add(1) || record.run != *run || !record.follows(&head) {
            return Err(JournalError::OutOfOrder { run: run.clone(), last, found: record.seq }.into());
        }
        last = record.seq;
        head = record.hash.clone();
        statement.execute(params![run.as_str(), last as i64, record.at, record.kind, record.body, record.hash.as_str()])?;
    }
    c.prepare_cached("UPDATE runs SET seq = ?2, head = ?3 WHERE run = ?1")?.execute(params![
        run.as_str(),
        last as i64,
        end.hash.as_str()
    ])?;
    Ok(())
}

fn keep_open(c: &Connection, run: &RunId, open: &[OpenDecision]) -> Changed<()> {
    c.prepare_cached("DELETE FROM decisions WHERE run = ?1")?.execute([run.as_str()])?;
    let mut statement = c.prepare_cached(
        "INSERT INTO decisions (run, decision, path, purpose, question, asked_from, asked_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for d in open {
        statement.execute(params![
            run.as_str(),
            d.decision.0,
            d.path.as_ref().map(|p| p.as_str()),
            to_json(&d.purpose)?,
            d.question,
            to_json(&d.from)?,
            d.asked_at.to_string(),
            d.expires_at.map(|at| at.to_string()),
        ])?;
    }
    c.prepare_cached("UPDATE runs SET open = ?2 WHERE run = ?1")?.execute(params![run.as_str(), open.len() as i64])?;
    Ok(())
}

/// What goes on waiting keeps its place.
fn keep_awaited(c: &Connection, run: &RunId, awaited: &[Listening]) -> Changed<()> {
    let mut known = c.prepare_cached("SELECT path FROM awaited WHERE run = ?1")?;
    let known: Vec<String> = known.query_map([run.as_str()], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for path in known.iter().filter(|path| !awaited.iter().any(|listening| listening.path.as_str() == path.as_str())) {
        c.prepare_cached("DELETE FROM awaited WHERE run = ?1 AND path = ?2")?.execute([run.as_str(), path])?;
    }
    for listening in awaited.iter().filter(|listening| !known.iter().any(|path| path == listening.path.as_str())) {
        c.prepare_cached("INSERT INTO awaited (run, path, source, body) VALUES (?1, ?2, ?3, ?4)")?.execute([
            run.as_str(),
            listening.path.as_str(),
            &listening.task.source,
            &to_json(listening)?,
        ])?;
    }
    Ok(())
}

pub(super) fn acquire(c: &Connection, run: RunId, owner: Owner, now: Timestamp, until: Timestamp) -> Changed<Lease> {
    let Some((epoch, holder)) = lease_of(c, &run)? else {
        return Err(JournalError::NoRun(run.to_string()).into());
    };
    if let Some(holder) = holder.filter(|h| h.owner != owner && h.is_live(now)) {
        let until = holder.until.min(until);
        end_at(c, &run, until)?;
        return Err(ChangeError::Answered(JournalError::Held { run, owner: Box::new(holder.owner), until }));
    }
    let epoch = epoch + 1;
    c.prepare_cached("UPDATE leases SET epoch = ?2, owner = ?3, until = ?4 WHERE run = ?1")?.execute(params![
        run.as_str(),
        epoch as i64,
        to_json(&owner)?,
        until.as_millisecond()
    ])?;
    Ok(Lease { run, epoch, owner, until })
}

pub(super) fn renew(c: &Connection, lease: &Lease, until: Timestamp) -> Changed<()> {
    fence(c, &lease.run, lease.epoch)?;
    end_at(c, &lease.run, until)
}

fn end_at(c: &Connection, run: &RunId, until: Timestamp) -> Changed<()> {
    c.prepare_cached("UPDATE leases SET until = ?2 WHERE run = ?1")?.execute(params![run.as_str(), until.as_millisecond()])?;
    Ok(())
}

pub(super) fn release(c: &Connection, lease: &Lease) -> Changed<()> {
    c.prepare_cached("UPDATE leases SET owner = NULL, until = 0 WHERE run = ?1 AND epoch = ?2")?
        .execute(params![lease.run.as_str(), lease.epoch as i64])?;
    Ok(())
}

pub(super) fn send(c: &Connection, run: &RunId, message: &Message, now: Timestamp) -> Changed<MessageId> {
    if !c.prepare_cached("SELECT 1 FROM runs WHERE run = ?1")?.exists([run.as_str()])? {
        return Err(JournalError::NoRun(run.to_string()).into());
    }
    let id = c.prepare_cached("INSERT INTO messages (run, sent_at, body) VALUES (?1, ?2, ?3)")?.insert(params![
        run.as_str(),
        now.to_string(),
        to_json(message)?
    ])?;
    Ok(MessageId(id))
}

pub(super) fn withdraw(c: &Connection, id: MessageId) -> Changed<Option<Answer>> {
    let answer = read::answer(c, id)?;
    if answer.is_none() {
        c.prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([id.0])?;
    }
    Ok(answer)
}

pub(super) fn take_lock(c: &Connection, lease: &Lease, lock: &str) -> Changed<LockOutcome> {
    fence(c, &lease.run, lease.epoch)?;
    c.prepare_cached("INSERT INTO locks (lock, run) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute([lock, lease.run.as_str()])?;
    match read::lock_holder(c, lock)? {
        Some(run) if run != lease.run => Ok(LockOutcome::HeldBy(run)),
        _ => Ok(LockOutcome::Taken),
    }
}

pub(super) fn decide_ahead(c: &Connection, ahead: &NewAhead) -> Changed<AheadId> {
    let id = c
        .prepare_cached("INSERT INTO aheads (procedure, body, uses_left, expires_at) VALUES (?1, ?2, ?3, ?4)")?
        .insert(params![ahead.procedure.as_str(), to_json(&ahead.body)?, ahead.uses, ahead.expires_at.as_millisecond()])?;
    Ok(AheadId(id))
}

pub(super) fn use_ahead(c: &Connection, lease: &Lease, id: AheadId) -> Changed<bool> {
    fence(c, &lease.run, lease.epoch)?;
    let spend = "UPDATE aheads SET uses_left = uses_left - 1 WHERE id = ?1 AND uses_left > 0";
    Ok(c.prepare_cached(spend)?.execute([id.0])? > 0)
}

pub(super) fn stand_in(c: &Connection, new: &NewOverride) -> Changed<OverrideId> {
    // Of a moment between two milliseconds the later one.
    let ends = new.stands_in.to.as_millisecond().saturating_add(1);
    let id = c.prepare_cached("INSERT INTO overrides (body, ends_ms) VALUES (?1, ?2)")?.insert(params![to_json(new)?, ends])?;
    Ok(OverrideId(id))
}

pub(super) fn cancel_override(c: &Connection, id: OverrideId) -> Changed<bool> {
    Ok(c.prepare_cached("DELETE FROM overrides WHERE id = ?1")?.execute([id.0])? > 0)
}

pub(super) fn anchor(c: &Connection, anchor: &Anchor) -> Changed<()> {
    c.prepare_cached("INSERT INTO anchors (run, seq, head, at, place, signed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
        params![
            anchor.run.as_str(),
            anchor.seq as i64,
            anchor.head.as_str(),
            anchor.at.to_string(),
            anchor.place,
            anchor.signed.as_ref().map(to_json).transpose()?
        ],
    )?;
    Ok(())
}
