//! The rows of tokens, of the audit log and of writes that count once.

use jiff::Timestamp;
use runbook_core::{Digest, limits};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Entry, GENESIS, Known, Once, Token};
use crate::database::{ChangeError, from_json, to_json};
use crate::journal::{JournalError, chain};

type Found<T> = Result<T, ChangeError>;

pub(super) struct AuditRow {
    pub number: u64,
    pub body: String,
    pub hash: Digest,
}

pub(super) fn parse<T: std::str::FromStr>(text: &str) -> Result<T, JournalError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| JournalError::Damaged { what: format!("a row of access.db cannot be read: {error}") })
}

pub(super) fn keep(c: &Connection, token: &Token, hash: &Digest) -> Found<()> {
    c.prepare_cached("INSERT INTO tokens (id, hash, body) VALUES (?1, ?2, ?3)")?.execute([
        &token.id,
        hash.as_str(),
        &to_json(token)?,
    ])?;
    Ok(())
}

pub(super) fn revoke(c: &Connection, id: &str, at: Timestamp) -> Found<bool> {
    let changed =
        c.prepare_cached("UPDATE tokens SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL")?.execute([id, &at.to_string()])?;
    Ok(changed > 0)
}

pub(super) fn revoke_all(c: &Connection, at: Timestamp) -> Found<u64> {
    Ok(c.execute("UPDATE tokens SET revoked = ?1 WHERE revoked IS NULL", [at.to_string()])? as u64)
}

type TokenRow = (String, String, Option<String>);

fn token_of((hash, body, revoked): TokenRow) -> Found<(Token, Digest)> {
    let token: Token = from_json(&body)?;
    let revoked_at = revoked.map(|at| parse(&at)).transpose()?;
    Ok((Token { revoked_at, ..token }, parse(&hash)?))
}

pub(super) fn token(c: &Connection, id: &str) -> Found<Option<(Token, Digest)>> {
    let found = c
        .prepare_cached("SELECT hash, body, revoked FROM tokens WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    found.map(token_of).transpose()
}

pub(super) fn tokens(c: &Connection) -> Found<Vec<Token>> {
    let mut statement = c.prepare_cached("SELECT hash, body, revoked FROM tokens")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let rows: Vec<TokenRow> = rows.collect::<Result<_, _>>()?;
    let mut tokens = rows.into_iter().map(|row| Ok(token_of(row)?.0)).collect::<Found<Vec<Token>>>()?;
    tokens.sort_by(|a, b| b.made_at.cmp(&a.made_at).then_with(|| a.id.cmp(&b.id)));
    Ok(tokens)
}

/// The hash of an entry that follows `previous`.
pub(super) fn link(previous: &Digest, number: u64, body: &str) -> Digest {
    chain::link(previous, &[&format!("{number} {body}")])
}

/// The number and the hash of the entry before `before`, or what stands before the first.
fn last_before(c: &Connection, before: i64) -> Found<(u64, Digest)> {
    let last: Option<(i64, String)> = c
        .prepare_cached("SELECT number, hash FROM audit WHERE number < ?1 ORDER BY number DESC LIMIT 1")?
        .query_row([before], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match last {
        Some((number, hash)) => Ok((u64::try_from(number).unwrap_or_default(), parse(&hash)?)),
        None => Ok((0, Digest::of_bytes(GENESIS.as_bytes()))),
    }
}

/// How many entries there ever were.
fn written(c: &Connection) -> Found<u64> {
    let seq: Option<i64> =
        c.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'audit'")?.query_row([], |row| row.get(0)).optional()?;
    Ok(seq.and_then(|seq| u64::try_from(seq).ok()).unwrap_or_default())
}

pub(super) fn audit(c: &Connection, entry: &Entry) -> Found<()> {
    let body = to_json(entry)?;
    let (_, head) = last_before(c, i64::MAX)?;
    // Never that of an entry which was there before.
    let number = written(c)? + 1;
    let hash = link(&head, number, &body);
    c.prepare_cached("INSERT INTO audit (number, body, hash) VALUES (?1, ?2, ?3)")?.execute(params![
        i64::try_from(number).unwrap_or(i64::MAX),
        body,
        hash.as_str()
    ])?;
    Ok(())
}

/// A part of the audit log.
pub(super) struct Part {
    /// The newest first.
    pub rows: Vec<AuditRow>,
    /// The number and the hash of what stands before the oldest of them.
    pub previous: (u64, Digest),
    /// The number of the last entry that was ever written.
    pub written: u64,
}

pub(super) fn audited(c: &Connection, before: Option<u64>, limit: usize) -> Found<Part> {
    let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit.min(limits::AUDIT_PAGE)).unwrap_or(i64::MAX);
    let written = written(c)?;
    let mut statement = c.prepare_cached("SELECT number, body, hash FROM audit WHERE number < ?1 ORDER BY number DESC LIMIT ?2")?;
    let rows = statement.query_map([before, limit], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, String>(2)?)))?;
    let rows: Vec<(i64, String, String)> = rows.collect::<Result<_, _>>()?;
    let previous = last_before(c, rows.last().map_or(before, |row| row.0))?;
    let rows = rows.into_iter().map(|(number, body, hash)| {
        let number = u64::try_from(number).unwrap_or_default();
        Ok(AuditRow { number, body, hash: parse(&hash)? })
    });
    Ok(Part { rows: rows.collect::<Found<_>>()?, previous, written })
}

pub(super) fn begin(c: &Connection, once: &Once, now: Timestamp) -> Found<Known> {
    c.prepare_cached("DELETE FROM requests WHERE until_ms <= ?1")?.execute([now.as_millisecond()])?;
    let found = c
        .prepare_cached("SELECT request, run, answer FROM requests WHERE person = ?1 AND key = ?2")?
        .query_row([&once.person, &once.key], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((request, run, answer)): Option<(String, Option<String>, Option<String>)> = found else {
        let life = limits::REQUEST_KEY_LIFE.as_millis() as i64;
        c.prepare_cached("INSERT INTO requests (person, key, request, run, until_ms) VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
            params![
                once.person,
                once.key,
                once.request.as_str(),
                once.run.as_ref().map(|run| run.as_str()),
                now.as_millisecond().saturating_add(life),
            ],
        )?;
        return Ok(Known::New);
    };
    if request != once.request.as_str() {
        return Ok(Known::Other);
    }
    Ok(match answer {
        Some(answer) => Known::Done(from_json(&answer)?),
        None => Known::Begun(run.map(|run| parse(&run)).transpose()?),
    })
}

pub(super) fn done(c: &Connection, person: &str, key: &str, answer: &serde_json::Value) -> Found<()> {
    c.prepare_cached("UPDATE requests SET answer = ?3 WHERE person = ?1 AND key = ?2")?.execute([
        person,
        key,
        &answer.to_string(),
    ])?;
    Ok(())
}

pub(super) fn forget(c: &Connection, person: &str, key: &str) -> Found<()> {
    c.prepare_cached("DELETE FROM requests WHERE person = ?1 AND key = ?2 AND answer IS NULL")?.execute([person, key])?;
    Ok(())
}
