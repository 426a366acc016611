//! Who comes to a server with what, and what they did there: `access.db` in the state folder. It holds tokens, as hashes; the
//! audit log; and the writes that count once.
//!
//! What a person may do is not kept here: that is the workspace's business ([`Grant`](runbook_core::policy::access::Grant)), so that
//! taking a role from somebody takes it from all their tokens.
//!
//! The audit log is a chain as that of a run is: each entry's hash is over the one before it, its number and its own bytes. Nothing in it
//! is changed or removed.

mod rows;
mod through;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use jiff::Timestamp;
use runbook_core::policy::access::Scope;
use runbook_core::{Digest, RunId};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

pub use through::{Seals, Through};

use crate::database::{Commits, Database, Look, Looked, Schema, copy, look};
use crate::journal::{Durability, JournalError, Receipt};

const SCHEMA: Schema = Schema {
    file: "access.db",
    // `RUNA`.
    application_id: 0x5255_4e41,
    migrations: &["
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
    "],
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

/// What is shown to a server: which token it is, and that whoever comes has it. Seen once, when it is made.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    id: String,
    text: String,
}

impl Secret {
    /// Before a secret, so that a scanner of leaked ones, and a person, know it for what it is.
    const PREFIX: &str = "rbk_";
    const ID_DIGITS: usize = 12;
    const SECRET_DIGITS: usize = 64;

    pub fn draw() -> Secret {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Secret {
            id: hex(&rand::random::<[u8; Self::ID_DIGITS / 2]>()),
            text: hex(&rand::random::<[u8; Self::SECRET_DIGITS / 2]>()),
        }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// As it is given to a person.
    pub fn expose(&self) -> String {
        format!("{}{}_{}", Self::PREFIX, self.id, self.text)
    }

    /// A random text of 256 bits needs no salt and no slow hash: nobody guesses it.
    fn hash(&self) -> Digest {
        Digest::of_bytes(self.text.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}_…", Self::PREFIX, self.id)
    }
}

/// A text that is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a token: `rbk_`, the id, `_`, the secret")]
pub struct NoToken;

impl FromStr for Secret {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Secret, NoToken> {
        let (id, secret) = text.strip_prefix(Self::PREFIX).and_then(|rest| rest.split_once('_')).ok_or(NoToken)?;
        let is_hex = |text: &str, digits| text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match is_hex(id, Self::ID_DIGITS) && is_hex(secret, Self::SECRET_DIGITS) {
            true => Ok(Secret { id: id.to_owned(), text: secret.to_owned() }),
            false => Err(NoToken),
        }
    }
}

/// Why whoever shows a token is not let in. Whether there is one of this id is told to nobody who does not have it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unrecognised {
    #[error("the token is not one of this server")]
    Wrong,
    #[error("the token has expired; let whoever runs the server make another with `runbook token create`")]
    Expired(Box<Token>),
    #[error("the token was revoked")]
    Revoked(Box<Token>),
}

/// Something that somebody did, or was refused. Bounded by whoever writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    /// The person, where it is known.
    pub person: Option<String>,
    /// By the id of which token.
    pub token: Option<String>,
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

/// An entry as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audited {
    pub number: u64,
    #[serde(flatten)]
    pub entry: Entry,
    pub hash: Digest,
}

/// A part of the audit log, and whether it follows from what stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPage {
    pub entries: Vec<Audited>,
    /// The first entry that does not follow from the one before.
    pub broken_at: Option<u64>,
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
    pub fn recognise(&self, shown: &Secret, now: Timestamp) -> Result<Result<Token, Unrecognised>, JournalError> {
        let found = self.database.read(|c| rows::token(c, &shown.id))?;
        let hash = shown.hash();
        // As long as it takes for one that is known.
        let kept = found.as_ref().map_or_else(|| Digest::of_bytes(b""), |(_, kept)| kept.clone());
        let is_right = bool::from(kept.as_str().as_bytes().ct_eq(hash.as_str().as_bytes()));
        Ok(match found {
            Some((token, _)) if is_right && token.revoked_at.is_some() => Err(Unrecognised::Revoked(Box::new(token))),
            Some((token, _)) if is_right && token.expires_at <= now => Err(Unrecognised::Expired(Box::new(token))),
            Some((token, _)) if is_right => Ok(token),
            _ => Err(Unrecognised::Wrong),
        })
    }

    /// A token whose secret was shown before, where it still lets in.
    pub fn valid(&self, id: &str, now: Timestamp) -> Result<Option<Token>, JournalError> {
        let found = self.database.read(|c| rows::token(c, id))?;
        Ok(found.map(|(token, _)| token).filter(|token| token.revoked_at.is_none() && now < token.expires_at))
    }

    /// Lets nobody in any more with a token that was made until now. Gives how many still let in.
    pub fn revoke_all(&self, at: Timestamp, entry: Entry) -> Receipt<u64> {
        self.database.submit(Durability::Synced, move |c| {
            let revoked = rows::revoke_all(c, at)?;
            rows::audit(c, &entry)?;
            Ok(revoked)
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
