//! The tables, and how a database of an earlier version becomes one of this version.
//!
//! `user_version` counts the migrations that were made; each is one transaction. A database with more of them than this
//! build knows is refused.

use rusqlite::{Connection, TransactionBehavior};

use crate::journal::JournalError;

/// `RUNB`, so that `file` and people recognise a journal.
const APPLICATION_ID: i32 = 0x5255_4e42;

/// Writes a page and changes nothing, whatever version the database has by now.
pub(super) fn rewrite_first_page(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)
}

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE plans (
        digest TEXT PRIMARY KEY,
        text   TEXT NOT NULL
    ) STRICT;

    CREATE TABLE runs (
        run          TEXT PRIMARY KEY,
        format       INTEGER NOT NULL,
        plan         TEXT NOT NULL REFERENCES plans (digest),
        seq          INTEGER NOT NULL,
        head         TEXT NOT NULL,
        summary      TEXT NOT NULL,
        open         INTEGER NOT NULL DEFAULT 0,
        procedure    TEXT GENERATED ALWAYS AS (summary ->> '$.procedure') VIRTUAL,
        environment  TEXT GENERATED ALWAYS AS (summary ->> '$.environment') VIRTUAL,
        requested_by TEXT GENERATED ALWAYS AS (summary ->> '$.requested_by') VIRTUAL,
        phase        TEXT GENERATED ALWAYS AS (summary ->> '$.phase') VIRTUAL
    ) STRICT;
    CREATE INDEX runs_by_procedure ON runs (procedure, run);
    CREATE INDEX runs_by_environment ON runs (environment, run);
    CREATE INDEX runs_by_requester ON runs (requested_by, run);
    CREATE INDEX runs_by_phase ON runs (phase, run);
    CREATE INDEX runs_unfinished ON runs (run) WHERE phase <> 'ended';

    CREATE TABLE events (
        run  TEXT NOT NULL REFERENCES runs (run),
        seq  INTEGER NOT NULL,
        at   TEXT NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        hash TEXT NOT NULL,
        UNIQUE (run, seq)
    ) STRICT;

    CREATE TABLE leases (
        run   TEXT PRIMARY KEY REFERENCES runs (run),
        epoch INTEGER NOT NULL,
        owner TEXT,
        until INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE decisions (
        run        TEXT NOT NULL REFERENCES runs (run),
        decision   INTEGER NOT NULL,
        path       TEXT,
        purpose    TEXT NOT NULL,
        question   TEXT NOT NULL,
        asked_from TEXT NOT NULL,
        asked_at   TEXT NOT NULL,
        expires_at TEXT,
        PRIMARY KEY (run, decision)
    ) STRICT;

    CREATE TABLE messages (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        run         TEXT NOT NULL REFERENCES runs (run),
        sent_at     TEXT NOT NULL,
        body        TEXT NOT NULL,
        answer      TEXT
    ) STRICT;
    CREATE INDEX messages_unanswered ON messages (run, id) WHERE answer IS NULL;

    CREATE TABLE aheads (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        procedure  TEXT NOT NULL,
        body       TEXT NOT NULL,
        uses_left  INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX aheads_by_procedure ON aheads (procedure) WHERE uses_left > 0;

    CREATE TABLE locks (
        lock TEXT PRIMARY KEY,
        run  TEXT NOT NULL REFERENCES runs (run)
    ) STRICT;
    CREATE INDEX locks_by_run ON locks (run);

    CREATE TABLE anchors (
        run   TEXT NOT NULL REFERENCES runs (run),
        seq   INTEGER NOT NULL,
        head  TEXT NOT NULL,
        at    TEXT NOT NULL,
        place TEXT NOT NULL
    ) STRICT;
    CREATE INDEX anchors_by_run ON anchors (run);
",
    "
    ALTER TABLE anchors ADD COLUMN signed TEXT;
",
];

/// What keeps a database from being used.
pub(super) enum Unusable {
    Sqlite(rusqlite::Error),
    Refused(JournalError),
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Unusable {
        Unusable::Sqlite(error)
    }
}

/// How many migrations were made. A database of another program, or of a later version, is refused untouched.
pub(super) fn recognise(connection: &Connection) -> Result<usize, Unusable> {
    let known = MIGRATIONS.len() as u32;
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (found, id) = (number("user_version")?, number("application_id")?);
    let tables: bool = connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
    let ours = if found == 0 { id == 0 && !tables } else { id == i64::from(APPLICATION_ID) };
    if !ours {
        let what = "journal.db is a database of another program".to_owned();
        return Err(Unusable::Refused(JournalError::Damaged { what }));
    }
    match usize::try_from(found) {
        Ok(made) if made <= MIGRATIONS.len() => Ok(made),
        _ => {
            let format = u32::try_from(found).unwrap_or(u32::MAX);
            Err(Unusable::Refused(JournalError::Newer { what: "the state folder".to_owned(), format, known }))
        }
    }
}

/// Brings the database to this version. Several processes may do so at once.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Unusable> {
    if recognise(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in MIGRATIONS.iter().skip(recognise(&transaction)?) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as u32)?;
    transaction.commit()?;
    Ok(())
}
