//! The tables of the journal. A migration that landed is never changed: databases that went through it are out there.

use crate::database::Schema;

pub(super) const SCHEMA: Schema = Schema {
    file: "journal.db",
    // `RUNB`, so that `file` and people recognise a journal.
    application_id: 0x5255_4e42,
    migrations: MIGRATIONS,
};

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
    "
    CREATE TABLE pruned (
        run  TEXT PRIMARY KEY REFERENCES runs (run),
        body TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE awaited (
        place  INTEGER PRIMARY KEY AUTOINCREMENT,
        run    TEXT NOT NULL REFERENCES runs (run),
        path   TEXT NOT NULL,
        source TEXT NOT NULL,
        body   TEXT NOT NULL,
        UNIQUE (run, path)
    ) STRICT;
    CREATE INDEX awaited_by_source ON awaited (source, place);
",
    "
    CREATE TABLE overrides (
        id      INTEGER PRIMARY KEY AUTOINCREMENT,
        body    TEXT NOT NULL,
        ends_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX overrides_by_end ON overrides (ends_ms);
",
];
