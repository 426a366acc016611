//! Who comes to a server with what, and what they did there: `access.db` in the state folder. It holds tokens and sessions, as hashes;
//! accounts, with what is kept of their passwords; the audit log; and the writes that count once.
//!
//! What a person may do is not kept here: that is the workspace's business ([`Grant`](runbook_core::policy::access::Grant)), so that
//! taking a role from somebody takes it from all their tokens and sessions.
//!
//! The audit log is a chain as that of a run is: each entry's hash is over the one before it, its number and its own bytes. Nothing in it
//! is changed or removed.

mod account;
mod password;
mod rows;
mod secret;
mod session;
mod through;

use std::path::Path;

use jiff::Timestamp;
use runbook_core::policy::access::Scope;
use runbook_core::run::event::Means;
use runbook_core::{Digest, RunId};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

pub use account::Account;
pub use password::{Hashed, Password, Unfit};
pub use secret::{Kind, NoSecret, Secret};
pub use session::Session;
pub use through::{Seals, Through};

use crate::database::{Commits, Database, Look, Looked, Schema, copy, look};
use crate::journal::{Durability, JournalError, Receipt};

const SCHEMA: Schema = Schema {
    file: "access.db",
    // `RUNA`.
    application_id: 0x5255_4e41,
    migrations: &[
        "
        CREATE TABLE tokens (
            id      TEXT PRIMARY KEY,
            hash    TEXT NOT NULL,
            revoked TEXT,
            body    TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE audit (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            body   TEXT NOT NULL,
            hash   TEXT NOT NULL
        ) STRICT;

        CREATE TABLE requests (
            person   TEXT NOT NULL,
            key      TEXT NOT NULL,
            request  TEXT NOT NULL,
            run      TEXT,
            answer   TEXT,
            until_ms INTEGER NOT NULL,
            PRIMARY KEY (person, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX requests_until ON requests (until_ms);
    ",
        "
        -- Without a password nobody logs in.
        CREATE TABLE accounts (
            person   TEXT PRIMARY KEY,
            password TEXT,
            body     TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE sessions (
            id      TEXT PRIMARY KEY,
            person  TEXT NOT NULL,
            hash    TEXT NOT NULL,
            used_ms INTEGER NOT NULL,
            revoked TEXT,
            body    TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sessions_person ON sessions (person);
    ",
    ],
};

/// The text before the first entry of an audit log, whose digest its hash is over.
const GENESIS: &str = "runbook audit 1";

/// A token as it is kept: all but the secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    pub id: String,
    /// The person of the workspace who comes with it.
    pub person: String,
    pub scope: Scope,
    /// What it is for.
    pub note: Option<String>,
    pub made_at: Timestamp,
    /// The user of this machine who made it.
    pub made_by: String,
    pub expires_at: Timestamp,
    /// Since when nobody comes with it any more.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// What lets somebody in for a time.
trait Lasting {
    fn revoked_at(&self) -> Option<Timestamp>;
    fn until(&self) -> Timestamp;

    fn lasts(&self, now: Timestamp) -> bool {
        self.revoked_at().is_none() && now < self.until()
    }
}

impl Lasting for Token {
    fn revoked_at(&self) -> Option<Timestamp> {
        self.revoked_at
    }

    fn until(&self) -> Timestamp {
        self.expires_at
    }
}

impl Token {
    /// Whether it lets in at this time.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.lasts(now)
    }
}

/// Why whoever shows the secret of something is not let in. Whether there is one of this id is told to nobody who does not have it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unrecognised<T> {
    #[error("is not one of this server")]
    Wrong,
    #[error("has expired")]
    Expired(Box<T>),
    #[error("was revoked")]
    Revoked(Box<T>),
}

/// What a secret is of, where it was found with what is kept of it.
fn proven<T: Lasting>(found: Option<(T, Digest)>, shown: &Secret, now: Timestamp) -> Result<T, Unrecognised<T>> {
    let hash = shown.hash();
    // As long as it takes for one that is known.
    let kept = found.as_ref().map_or_else(|| Digest::of_bytes(b""), |(_, kept)| kept.clone());
    let is_right = bool::from(kept.as_str().as_bytes().ct_eq(hash.as_str().as_bytes()));
    match found {
        Some((it, _)) if is_right && it.revoked_at().is_some() => Err(Unrecognised::Revoked(Box::new(it))),
        Some((it, _)) if is_right && it.until() <= now => Err(Unrecognised::Expired(Box::new(it))),
        Some((it, _)) if is_right => Ok(it),
        _ => Err(Unrecognised::Wrong),
    }
}

/// With what somebody came who was let in, by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    Token(String),
    Session(String),
    /// Its digest.
    Certificate(Digest),
}

impl Credential {
    pub fn id(&self) -> &str {
        match self {
            Credential::Token(id) | Credential::Session(id) => id,
            Credential::Certificate(digest) => digest.as_str(),
        }
    }

    /// As the record names it.
    pub fn means(&self) -> Means {
        match self.clone() {
            Credential::Token(token) => Means::Token { token },
            Credential::Session(session) => Means::Session { session },
            Credential::Certificate(certificate) => Means::Certificate { certificate },
        }
    }
}

/// Something that somebody did, or was refused. Bounded by whoever writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    /// The person, where it is known.
    pub person: Option<String>,
    /// By the id of which token.
    pub token: Option<String>,
    /// By the id of which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// By which certificate: its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Digest>,
    /// From where, or the user of this machine.
    pub from: String,
    /// What: the name of an operation.
    pub act: String,
    /// To what: a run, a procedure, a token.
    pub about: Option<String>,
    /// `begun` and `done`, or the kind of the refusal.
    pub result: String,
    /// What there is to say beside.
    pub detail: Option<String>,
}

impl Entry {
    /// What is known of an act before anything else is: that it was done, from there.
    pub fn new(act: &str, from: String, at: Timestamp) -> Entry {
        Entry {
            at,
            person: None,
            token: None,
            session: None,
            certificate: None,
            from,
            act: act.to_owned(),
            about: None,
            result: "done".to_owned(),
            detail: None,
        }
    }

    /// By this person, who came with this.
    #[must_use]
    pub fn by(self, person: &str, credential: &Credential) -> Entry {
        let entry = Entry { person: Some(person.to_owned()), ..self };
        match credential.clone() {
            Credential::Token(id) => Entry { token: Some(id), ..entry },
            Credential::Session(id) => Entry { session: Some(id), ..entry },
            Credential::Certificate(digest) => Entry { certificate: Some(digest), ..entry },
        }
    }
}

/// An entry as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audited {
    pub number: u64,
    #[serde(flatten)]
    pub entry: Entry,
    pub hash: Digest,
}

/// A part of the audit log, and whether it follows from what stands before it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuditPage {
    #[serde(rename = "items")]
    pub entries: Vec<Audited>,
    /// The first entry that does not follow from the one before.
    pub broken_at: Option<u64>,
}

/// How many let somebody in until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    pub tokens: u64,
    pub sessions: u64,
    pub passwords: u64,
}

/// A write that is to count once, however often it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    pub person: String,
    /// As the client calls it.
    pub key: String,
    /// Of what is asked: another request of the same key is another matter.
    pub request: Digest,
    /// Where it starts a run: the id that it then has.
    pub run: Option<RunId>,
}

/// What is known of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing until now.
    New,
    /// It was asked for before, and nobody knows whether it was done; with the id that its run then has.
    Begun(Option<RunId>),
    Done(serde_json::Value),
    /// The key is that of another request.
    Other,
}

/// The access database of a state folder. Cheap to share; closing waits for what is queued.
#[derive(Debug)]
pub struct Access {
    database: Database,
}

impl Access {
    /// Copies its file as it is at this moment; false where there is none.
    pub fn copy(folder: &Path, to: &Path) -> Result<bool, JournalError> {
        copy(folder, &SCHEMA, to)
    }

    /// How its file stands; `None` where there is none. Nothing is changed.
    pub fn look(folder: &Path, how: Look) -> Result<Option<Looked>, JournalError> {
        look(folder, &SCHEMA, how)
    }

    /// Opens that of the state folder at `folder`, and makes both where there are none.
    pub fn open(folder: &Path, commits: Commits) -> Result<Access, JournalError> {
        Ok(Access { database: Database::open(folder, &SCHEMA, commits)? })
    }

    /// Keeps a token, and writes down that it was made.
    pub fn keep(&self, token: Token, secret: &Secret, entry: Entry) -> Receipt<()> {
        let hash = secret.hash();
        self.database.submit(Durability::Synced, move |c| {
            rows::keep(c, &token, &hash)?;
            rows::audit(c, &entry)
        })
    }

    /// From now on nobody comes with this token. False where there is none of this id, or it was revoked before.
    pub fn revoke(&self, id: &str, entry: Entry) -> Receipt<bool> {
        let id = id.to_owned();
        self.database.submit(Durability::Synced, move |c| {
            let revoked = rows::revoke(c, &id, entry.at)?;
            if revoked {
                rows::audit(c, &entry)?;
            }
            Ok(revoked)
        })
    }

    /// The newest first.
    pub fn tokens(&self) -> Result<Vec<Token>, JournalError> {
        self.database.read(rows::tokens)
    }

    /// Whose token it is.
    pub fn recognise(&self, shown: &Secret, now: Timestamp) -> Result<Result<Token, Unrecognised<Token>>, JournalError> {
        let found = self.database.read(|c| rows::token(c, shown.id()))?;
        Ok(proven(found, shown, now))
    }

    /// A token whose secret was shown before, where it still lets in.
    pub fn valid(&self, id: &str, now: Timestamp) -> Result<Option<Token>, JournalError> {
        let found = self.database.read(|c| rows::token(c, id))?;
        Ok(found.map(|(token, _)| token).filter(|token| token.is_valid(now)))
    }

    /// Whether anybody has what lets them in.
    pub fn lets_somebody_in(&self, now: Timestamp) -> Result<bool, JournalError> {
        Ok(self.tokens()?.iter().any(|token| token.is_valid(now)) || self.accounts()?.iter().any(|account| account.has_password))
    }

    /// Lets nobody in any more with what there is until now: tokens, sessions and passwords.
    pub fn revoke_all(&self, at: Timestamp, entry: Entry) -> Receipt<Revoked> {
        self.database.submit(Durability::Synced, move |c| {
            let tokens = rows::revoke_all(c, at)?;
            let sessions = session::rows::end_all(c, at)?;
            let passwords = account::rows::void_all(c)?;
            rows::audit(c, &entry)?;
            Ok(Revoked { tokens, sessions, passwords })
        })
    }

    /// Writes down what somebody did or was refused.
    pub fn audit(&self, entry: Entry) -> Receipt<()> {
        self.database.submit(Durability::Synced, move |c| rows::audit(c, &entry))
    }

    /// At most `limit` entries before number `before`, the newest first.
    pub fn audited(&self, before: Option<u64>, limit: usize) -> Result<AuditPage, JournalError> {
        let rows::Part { rows, previous, written } = self.database.read(|c| rows::audited(c, before, limit))?;
        let (mut last, mut head) = previous;
        let mut broken_at = None;
        let mut entries = Vec::with_capacity(rows.len());
        // In the order in which they were written.
        for row in rows.into_iter().rev() {
            if row.number != last + 1 || rows::link(&head, row.number, &row.body) != row.hash {
                broken_at.get_or_insert(row.number);
            }
            (last, head) = (row.number, row.hash.clone());
            entries.push(Audited { number: row.number, entry: crate::database::from_json(&row.body)?, hash: row.hash });
        }
        // Those that were taken from the end.
        if before.is_none() && last != written {
            broken_at.get_or_insert(last + 1);
        }
        entries.reverse();
        Ok(AuditPage { entries, broken_at })
    }

    /// Remembers that a write is asked for, before it is made; what was known of it before. Two that come at once do not both find it new.
    pub fn begin(&self, once: Once, now: Timestamp) -> Receipt<Known> {
        self.database.submit(Durability::Synced, move |c| rows::begin(c, &once, now))
    }

    /// What a write came to, for whoever asks again.
    pub fn done(&self, once: &Once, answer: serde_json::Value) -> Receipt<()> {
        let (person, key) = (once.person.clone(), once.key.clone());
        self.database.submit(Durability::Visible, move |c| rows::done(c, &person, &key, &answer))
    }

    /// A write that was refused was not made: its key is free again.
    pub fn forget(&self, once: &Once) -> Receipt<()> {
        let (person, key) = (once.person.clone(), once.key.clone());
        self.database.submit(Durability::Visible, move |c| rows::forget(c, &person, &key))
    }
}

#[cfg(test)]
mod tests;
