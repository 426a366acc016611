//! Sessions: what a person has who logged in. One ends when it was not used for some time, in any case after a day's work, and at once when
//! somebody ends it, or the password with which it was begun is another. It carries all that the person may.

use std::cmp::min;

use jiff::Timestamp;
use runbook_core::limits;
use serde::{Deserialize, Serialize};

use super::{Access, Entry, Hashed, Lasting, Secret, Unrecognised, account, proven};
use crate::journal::{Durability, JournalError, Receipt};

/// A session as it is kept: all but the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: String,
    /// The person of the workspace who logged in.
    pub person: String,
    pub begun_at: Timestamp,
    /// From where.
    pub from: String,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
    /// When it was used last, within [`limits::SESSION_USES_KEPT`].
    #[serde(skip_deserializing)]
    pub used_at: Timestamp,
    /// Since when nobody comes with it any more.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl Session {
    /// One that is begun now.
    pub fn begin(secret: &Secret, person: &str, from: String, now: Timestamp) -> Session {
        Session {
            id: secret.id().to_owned(),
            person: person.to_owned(),
            begun_at: now,
            from,
            expires_at: now.saturating_add(limits::SESSION_LIFE).unwrap_or(Timestamp::MAX),
            used_at: now,
            revoked_at: None,
        }
    }

    /// Whether it lets in at this time.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.lasts(now)
    }

    /// When it ends if nobody uses it.
    pub fn ends_at(&self) -> Timestamp {
        self.until()
    }
}

impl Lasting for Session {
    fn revoked_at(&self) -> Option<Timestamp> {
        self.revoked_at
    }

    fn until(&self) -> Timestamp {
        min(self.expires_at, self.used_at.saturating_add(limits::SESSION_IDLE).unwrap_or(Timestamp::MAX))
    }
}

impl Access {
    /// Begins a session of somebody who showed a password of which this is kept, or was known elsewhere, and writes it down. False where it
    /// is another password by now. Of a person who has many, the one that was idle for longest ends.
    pub fn begin_session(&self, session: Session, secret: &Secret, shown: Option<Hashed>, entry: Entry) -> Receipt<bool> {
        let hash = secret.hash();
        self.database.submit(Durability::Synced, move |c| {
            if shown.is_some() && account::rows::password(c, &session.person)? != shown {
                return Ok(false);
            }
            rows::begin(c, &session, &hash)?;
            super::rows::audit(c, &entry)?;
            Ok(true)
        })
    }

    /// Whose session it is.
    pub fn session(&self, shown: &Secret, now: Timestamp) -> Result<Result<Session, Unrecognised<Session>>, JournalError> {
        let found = self.database.read(|c| rows::session(c, shown.id()))?;
        Ok(proven(found, shown, now))
    }

    /// A session whose secret was shown before, where it still lets in.
    pub fn valid_session(&self, id: &str, now: Timestamp) -> Result<Option<Session>, JournalError> {
        let found = self.database.read(|c| rows::session(c, id))?;
        Ok(found.map(|(session, _)| session).filter(|session| session.is_valid(now)))
    }

    /// Remembers that a session was used. Where that is lost, it ends sooner.
    pub fn use_session(&self, id: &str, at: Timestamp) -> Receipt<()> {
        let id = id.to_owned();
        self.database.submit(Durability::Visible, move |c| rows::used(c, &id, at))
    }

    /// From now on nobody comes with this session. False where there is none of this id, or it had ended.
    pub fn end_session(&self, id: &str, entry: Entry) -> Receipt<bool> {
        let id = id.to_owned();
        self.database.submit(Durability::Synced, move |c| {
            let is_valid = rows::session(c, &id)?.is_some_and(|(session, _)| session.is_valid(entry.at));
            if is_valid {
                rows::end(c, &id, entry.at)?;
                super::rows::audit(c, &entry)?;
            }
            Ok(is_valid)
        })
    }

    /// The same for all of a person's: how many.
    pub fn end_sessions_of(&self, person: &str, entry: Entry) -> Receipt<u64> {
        let person = person.to_owned();
        self.database.submit(Durability::Synced, move |c| {
            let ended = rows::end_of(c, &person, entry.at)?;
            if ended > 0 {
                super::rows::audit(c, &entry)?;
            }
            Ok(ended)
        })
    }

    /// The same for everybody's: how many.
    pub fn end_all_sessions(&self, entry: Entry) -> Receipt<u64> {
        self.database.submit(Durability::Synced, move |c| {
            let ended = rows::end_all(c, entry.at)?;
            super::rows::audit(c, &entry)?;
            Ok(ended)
        })
    }

    /// Those that are kept, the newest first.
    pub fn sessions(&self) -> Result<Vec<Session>, JournalError> {
        self.database.read(rows::sessions)
    }
}

pub(super) mod rows {
    use jiff::Timestamp;
    use runbook_core::{Digest, limits};
    use rusqlite::{Connection, OptionalExtension, Row, params};

    use super::Session;
    use crate::access::rows::parse;
    use crate::database::{ChangeError, from_json, to_json};

    type Found<T> = Result<T, ChangeError>;
    type SessionRow = (String, i64, Option<String>, String);

    const COLUMNS: &str = "SELECT hash, used_ms, revoked, body FROM sessions";

    fn row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    }

    fn session_of((hash, used_ms, revoked, body): SessionRow) -> Found<(Session, Digest)> {
        let session: Session = from_json(&body)?;
        let used_at = Timestamp::from_millisecond(used_ms).unwrap_or(session.begun_at);
        let revoked_at = revoked.map(|at| parse(&at)).transpose()?;
        Ok((Session { used_at, revoked_at, ..session }, parse(&hash)?))
    }

    pub fn session(c: &Connection, id: &str) -> Found<Option<(Session, Digest)>> {
        let found = c.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?.query_row([id], row).optional()?;
        found.map(session_of).transpose()
    }

    pub fn sessions(c: &Connection) -> Found<Vec<Session>> {
        let mut statement = c.prepare_cached(COLUMNS)?;
        let rows: Vec<SessionRow> = statement.query_map([], row)?.collect::<Result<_, _>>()?;
        let mut sessions = rows.into_iter().map(|row| Ok(session_of(row)?.0)).collect::<Found<Vec<Session>>>()?;
        sessions.sort_by(|a, b| b.begun_at.cmp(&a.begun_at).then_with(|| a.id.cmp(&b.id)));
        Ok(sessions)
    }

    /// What ended long ago goes; the audit log has it.
    pub fn begin(c: &Connection, session: &Session, hash: &Digest) -> Found<()> {
        let (now, kept) = (session.begun_at, limits::SESSION_LIFE + limits::SESSION_KEPT);
        let long_ago = now.saturating_sub(kept).unwrap_or(Timestamp::MIN);
        c.prepare_cached("DELETE FROM sessions WHERE used_ms < ?1")?.execute([long_ago.as_millisecond()])?;
        let theirs = "SELECT id FROM sessions WHERE person = ?1 AND revoked IS NULL ORDER BY used_ms DESC, id LIMIT -1 OFFSET ?2";
        let others = i64::try_from(limits::SESSIONS_OF_ONE - 1).unwrap_or(i64::MAX);
        c.prepare_cached(&format!("UPDATE sessions SET revoked = ?3 WHERE id IN ({theirs})"))?.execute(params![
            session.person,
            others,
            now.to_string()
        ])?;
        c.prepare_cached("INSERT INTO sessions (id, person, hash, used_ms, body) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![session.id, session.person, hash.as_str(), session.used_at.as_millisecond(), to_json(session)?])?;
        Ok(())
    }

    /// Never earlier than it is known to have been.
    pub fn used(c: &Connection, id: &str, at: Timestamp) -> Found<()> {
        let later = "UPDATE sessions SET used_ms = ?2 WHERE id = ?1 AND used_ms < ?2";
        c.prepare_cached(later)?.execute(params![id, at.as_millisecond()])?;
        Ok(())
    }

    pub fn end(c: &Connection, id: &str, at: Timestamp) -> Found<()> {
        c.prepare_cached("UPDATE sessions SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL")?.execute([id, &at.to_string()])?;
        Ok(())
    }

    /// How many were not over.
    pub fn end_of(c: &Connection, person: &str, at: Timestamp) -> Found<u64> {
        end_each(c, at, |session| session.person == person)
    }

    pub fn end_all(c: &Connection, at: Timestamp) -> Found<u64> {
        end_each(c, at, |_| true)
    }

    fn end_each(c: &Connection, at: Timestamp, is_meant: impl Fn(&Session) -> bool) -> Found<u64> {
        let mut ended = 0;
        for session in sessions(c)?.iter().filter(|session| session.revoked_at.is_none() && is_meant(session)) {
            end(c, &session.id, at)?;
            ended += u64::from(session.is_valid(at));
        }
        Ok(ended)
    }
}
