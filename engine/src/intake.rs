//! The events that came in, and what was decided on each: `events.db` in the state folder, beside the journal of runs, which a storm
//! of events leaves alone.
//!
//! An event is accepted once it is on the disk, and never twice: what its sender calls by the same name again is counted, not
//! judged. The decisions of one judgement and the mark that it was made are one commit, so an event is judged exactly once whatever
//! stops the process; those from which nothing follows may be made anew after a power failure. What a decision asks for, a run to be started under the id that it holds, or to be told something, is
//! [owed](Intake::owed) until somebody says that it was done; doing it twice does no harm.

mod offers;
mod old;
mod rows;

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::trigger::Ruling;
use runbook_core::{CloudEvent, RunId};
use rusqlite::Connection;
use serde::Serialize;

use crate::database::{Commits, Database, Look, Looked, Schema, copy, look, to_json};
use crate::event::Replay;
use crate::journal::{Durability, JournalError, Receipt};

const SCHEMA: Schema = Schema {
    file: "events.db",
    // `RUNE`.
    application_id: 0x5255_4e45,
    migrations: &[
        "
        CREATE TABLE events (
            number   INTEGER PRIMARY KEY AUTOINCREMENT,
            source   TEXT NOT NULL,
            sender   TEXT NOT NULL,
            id       TEXT NOT NULL,
            key      TEXT NOT NULL,
            received TEXT NOT NULL,
            again    INTEGER NOT NULL DEFAULT 0,
            judged   INTEGER NOT NULL DEFAULT 0,
            body     TEXT NOT NULL,
            UNIQUE (source, sender, id)
        ) STRICT;
        CREATE INDEX events_unjudged ON events (number) WHERE judged = 0;
        CREATE INDEX events_by_source ON events (source, number);

        CREATE TABLE rulings (
            event     INTEGER NOT NULL REFERENCES events (number),
            procedure TEXT NOT NULL,
            trigger   TEXT NOT NULL,
            made      INTEGER NOT NULL,
            at_ms     INTEGER NOT NULL,
            word      TEXT NOT NULL,
            run       TEXT,
            live      INTEGER NOT NULL DEFAULT 0,
            owed      INTEGER NOT NULL DEFAULT 0,
            body      TEXT NOT NULL,
            PRIMARY KEY (event, procedure, trigger)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX rulings_made ON rulings (made);
        CREATE INDEX rulings_that_ran ON rulings (at_ms) WHERE word = 'ran';
        CREATE INDEX rulings_by_word ON rulings (word, event);
        CREATE INDEX rulings_by_procedure ON rulings (procedure, event);
        CREATE INDEX rulings_by_run ON rulings (run) WHERE run IS NOT NULL;
        CREATE INDEX rulings_live ON rulings (live) WHERE live = 1;
        CREATE INDEX rulings_owed ON rulings (made) WHERE owed = 1;
    ",
        "
        CREATE TABLE deliveries (
            source   TEXT NOT NULL,
            key      TEXT NOT NULL,
            until_ms INTEGER NOT NULL,
            events   TEXT NOT NULL,
            PRIMARY KEY (source, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX deliveries_until ON deliveries (until_ms);
    ",
        "
        CREATE TABLE schedules (
            source TEXT PRIMARY KEY,
            rule   TEXT NOT NULL,
            seen   TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
    ",
        "
        ALTER TABLE events ADD COLUMN restored INTEGER NOT NULL DEFAULT 0;
    ",
        "
        CREATE TABLE places (
            source TEXT PRIMARY KEY,
            place  INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
    ",
        offers::TABLES,
        old::TABLES,
    ],
};

/// The events of a state folder. Cheap to share; closing waits for what is queued.
#[derive(Debug)]
pub struct Intake {
    database: Database,
}

/// An event as it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// The name of its source in the workspace.
    pub source: String,
    pub event: CloudEvent,
    pub received: Timestamp,
}

/// An event that is written down.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arrived {
    pub number: u64,
    pub source: String,
    pub received: Timestamp,
    /// How often it came again.
    pub again: u64,
    pub event: CloudEvent,
    /// What was decided: one ruling of each trigger; none before it is judged, or where no trigger is of its source.
    pub rulings: Vec<Ruling>,
    pub judged: bool,
    /// Runs of which it ended a wait.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<RunId>,
    /// It was not judged yet when the state was restored from a backup: it may have been answered where the backup was made.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restored: bool,
}

/// What a restored state lets go of: each may have been done where the backup was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LetGo {
    /// Events that nobody had judged.
    pub unjudged: u64,
    /// Decisions that asked for something which was not begun, or was put off.
    pub owed: u64,
}

/// What is old among the next so many events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Old {
    /// Those on which nothing more depends, the oldest first.
    pub events: Vec<Arrived>,
    /// The last that was looked at; `None` where the others are not old either.
    pub last: Option<u64>,
}

/// What one request brought, as its source read it.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The name of its source in the workspace.
    pub source: String,
    pub events: Vec<CloudEvent>,
    pub received: Timestamp,
    /// Where it was signed: it counts once.
    pub replay: Option<Replay>,
}

/// What became of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Each of its events is written down, in their order.
    Events(Vec<Accepted>),
    /// The same bytes were taken before, as these events: nothing of it was taken in or counted.
    Before(Vec<u64>),
}

impl Taken {
    /// The numbers of its events, in their order.
    pub fn numbers(&self) -> Vec<u64> {
        match self {
            Taken::Events(accepted) => accepted.iter().map(|accepted| accepted.number()).collect(),
            Taken::Before(numbers) => numbers.clone(),
        }
    }
}

/// The events that nobody has judged yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub events: u64,
    pub oldest: Option<Timestamp>,
}

/// What became of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Written down under this number.
    New(u64),
    /// It is the event of this number, and was counted.
    Again(u64),
}

impl Accepted {
    pub fn number(self) -> u64 {
        match self {
            Accepted::New(number) | Accepted::Again(number) => number,
        }
    }
}

/// How far the ticks of a schedule are written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The schedule whose ticks they are: of another one nobody has looked yet.
    pub rule: String,
    pub until: Timestamp,
}

/// What one judgement changes.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// In the order in which they were made. A later one takes the place of an earlier one of the same event and trigger.
    pub rulings: Vec<Ruling>,
    /// Events that were judged: nobody judges them again.
    pub events: Vec<u64>,
    /// Runs that have ended, and stand in nobody's way.
    pub ended: Vec<RunId>,
    /// Runs that wait for these events.
    pub offers: Vec<Offer>,
    /// Up to which place of [`Awaited`](crate::journal::Awaited) steps that wait were offered what came before they did.
    pub waits: Option<u64>,
}

/// An event, and a run that seems to wait for it: told of it, the run says so itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub event: u64,
    pub run: RunId,
    /// The run may have been told before.
    pub is_told: bool,
}

impl Offer {
    pub fn new(event: u64, run: RunId) -> Offer {
        Offer { event, run, is_told: false }
    }
}

/// Which steps that wait were offered what came before they did, and what counts for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GoneThrough {
    /// Those up to this place.
    pub waits: u64,
    /// Only events with a higher number: the others were there when the state was restored from a backup.
    pub above: u64,
}

impl Judged {
    pub fn is_empty(&self) -> bool {
        self.rulings.is_empty() && self.events.is_empty() && self.ended.is_empty() && self.offers.is_empty() && self.waits.is_none()
    }
}

/// Which events to list, the newest first. The default gives the newest hundred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter {
    pub source: Option<String>,
    /// Only those on which a trigger of this procedure decided.
    pub procedure: Option<String>,
    /// Only those with a decision of this word: `ran`, `joined`, `dropped`, `deferred`.
    pub word: Option<String>,
    /// Only those that started this run, joined it, or ended a wait of it.
    pub run: Option<RunId>,
    /// Only those before this one: where the page before ended.
    pub before: Option<u64>,
    pub limit: usize,
}

impl Default for EventFilter {
    fn default() -> EventFilter {
        EventFilter { source: None, procedure: None, word: None, run: None, before: None, limit: 100 }
    }
}

impl Intake {
    /// Copies its file as it is at this moment; false where there is none.
    pub fn copy(folder: &Path, to: &Path) -> Result<bool, JournalError> {
        copy(folder, &SCHEMA, to)
    }

    /// How its file stands; `None` where there is none. Nothing is changed.
    pub fn look(folder: &Path, how: Look) -> Result<Option<Looked>, JournalError> {
        look(folder, &SCHEMA, how)
    }

    /// Whether the state folder at `folder` has events, or ever had.
    pub fn is_there(folder: &Path) -> bool {
        folder.join(SCHEMA.file).exists()
    }

    /// Opens the events of the state folder at `folder`, and makes both where there are none.
    pub fn open(folder: &Path, commits: Commits) -> Result<Intake, JournalError> {
        Ok(Intake { database: Database::open(folder, &SCHEMA, commits)? })
    }

    /// The folder itself, wherever its path leads by now.
    pub fn handle(&self) -> BorrowedFd<'_> {
        self.database.handle()
    }

    /// The number of an event that its sender calls the same, where it was written down before.
    pub fn known(&self, source: &str, event: &CloudEvent) -> Result<Option<u64>, JournalError> {
        self.database.read(|c| rows::known(c, source, event))
    }

    /// Writes events down. The receipt says so once they are on the disk: only then may their sender be told.
    pub fn accept(&self, arrivals: Vec<Arrival>) -> Receipt<Vec<Accepted>> {
        self.database.submit(Durability::Synced, move |c| arrivals.iter().map(|arrival| rows::accept_arrival(c, arrival)).collect())
    }

    /// Writes down what one request brought, unless it was signed and taken before: as [`Intake::accept`], and in the same commit what must
    /// be remembered so that it counts once, also after a restart.
    pub fn take(&self, parcel: Parcel) -> Receipt<Taken> {
        // Whoever asks makes the texts: others wait for the one that writes.
        let bodies = match parcel.events.iter().map(to_json).collect::<Result<Vec<String>, _>>() {
            Ok(bodies) => bodies,
            Err(error) => return Receipt::ready(Err(error)),
        };
        let take = |parcel: Parcel| move |c: &Connection| rows::take(c, &parcel, &bodies);
        match parcel.replay.is_some() {
            true => self.database.submit(Durability::Synced, take(parcel)),
            false => self.database.submit_sure(Durability::Synced, take(parcel)),
        }
    }

    /// The events of a signed delivery that was taken before.
    pub fn taken(&self, source: &str, key: &str, now: Timestamp) -> Result<Option<Vec<u64>>, JournalError> {
        self.database.read(|c| rows::taken(c, source, key, now))
    }

    /// Counted up to `limit`.
    pub fn backlog(&self, limit: u64) -> Result<Backlog, JournalError> {
        self.database.read(|c| rows::backlog(c, limit))
    }

    /// How far the ticks of a schedule are written down; `None` before its first look at the clock.
    pub fn seen(&self, source: &str) -> Result<Option<Seen>, JournalError> {
        self.database.read(|c| rows::seen(c, source))
    }

    /// Writes ticks of a schedule down, and up to when they are all that there were.
    pub fn tick(&self, source: String, seen: Seen, arrivals: Vec<Arrival>) -> Receipt<Vec<Accepted>> {
        self.database.submit(Durability::Synced, move |c| {
            rows::see(c, &source, &seen)?;
            arrivals.iter().map(|arrival| rows::accept_arrival(c, arrival)).collect()
        })
    }

    /// Up to where what a source tells of was looked through; `None` before the first look.
    pub fn place(&self, source: &str) -> Result<Option<u64>, JournalError> {
        self.database.read(|c| rows::place(c, source))
    }

    /// Writes down what was found there, and up to where that is all that there was.
    pub fn arrive_at(&self, source: String, place: u64, arrivals: Vec<Arrival>) -> Receipt<Vec<Accepted>> {
        self.database.submit(Durability::Synced, move |c| {
            rows::set_place(c, &source, place)?;
            arrivals.iter().map(|arrival| rows::accept_arrival(c, arrival)).collect()
        })
    }

    /// The next look is the first one.
    pub fn forget_place(&self, source: String) -> Receipt<()> {
        self.database.submit(Durability::Visible, move |c| rows::forget_place(c, &source))
    }

    /// Of a copy: what waits to be judged or done is not done any more, and what ticked until now is not made up for. `is_there` says
    /// which runs there are.
    pub fn let_go(&self, now: Timestamp, is_there: impl Fn(&RunId) -> bool + Send + 'static) -> Receipt<LetGo> {
        self.database.submit(Durability::Synced, move |c| rows::let_go(c, now, is_there))
    }

    /// How many events there are.
    pub fn count(&self) -> Result<u64, JournalError> {
        self.database.read(rows::count)
    }

    /// Writes down what was decided, all of it or nothing. Where nothing follows from it, no sync is made for it: should a power failure
    /// forget it, it is decided again.
    pub fn rule(&self, judged: impl Into<Arc<Judged>>) -> Receipt<()> {
        let judged = judged.into();
        let nothing_follows = judged.ended.is_empty() && judged.offers.is_empty() && !judged.rulings.iter().any(rows::is_owed);
        let durability = match nothing_follows {
            true => Durability::Visible,
            false => Durability::Synced,
        };
        match judged.rulings.iter().map(to_json).collect::<Result<Vec<String>, _>>() {
            Ok(bodies) => self.database.submit(durability, move |c| rows::rule(c, &judged, &bodies)),
            Err(error) => Receipt::ready(Err(error)),
        }
    }

    /// Events that nobody has judged, the oldest first.
    pub fn unjudged(&self, limit: usize) -> Result<Vec<Arrived>, JournalError> {
        self.database.read(|c| rows::unjudged(c, limit))
    }

    /// The rulings from `since` on that bear on later ones, and whatever waits or goes on, in the order in which they were made.
    pub fn that_count(&self, since: Timestamp) -> Result<Vec<Ruling>, JournalError> {
        self.database.read(|c| rows::that_count(c, since))
    }

    /// Runs that were decided upon and, as far as is written here, have not ended.
    pub fn live(&self) -> Result<Vec<Ruling>, JournalError> {
        self.database.read(rows::live)
    }

    /// Rulings that ask for something which nobody has said was done, in the order in which they were made: those behind place `after`
    /// of that order, each with its own place.
    pub fn owed(&self, after: u64, limit: usize) -> Result<Vec<(u64, Ruling)>, JournalError> {
        self.database.read(|c| rows::owed(c, after, limit))
    }

    /// What these rulings ask for was done. Should a power failure forget it, it is done again.
    pub fn done(&self, rulings: Vec<Ruling>) -> Receipt<()> {
        self.database.submit(Durability::Visible, move |c| rows::done(c, &rulings))
    }

    /// Offers that nobody has said what became of, the oldest event first: those behind `after`.
    pub fn offered(&self, after: Option<&Offer>, limit: usize) -> Result<Vec<Offer>, JournalError> {
        self.database.read(|c| offers::owed(c, after, limit))
    }

    /// The run is about to be told.
    pub fn tell(&self, offer: Offer) -> Receipt<()> {
        self.database.submit(Durability::Visible, move |c| offers::told(c, &offer))
    }

    /// What became of an offer: whether the event ended a wait.
    pub fn answered(&self, offer: Offer, ended: bool) -> Receipt<()> {
        self.database.submit(Durability::Visible, move |c| if ended { offers::met(c, &offer) } else { offers::unmet(c, &offer) })
    }

    pub fn gone_through(&self) -> Result<GoneThrough, JournalError> {
        self.database.read(offers::gone_through)
    }

    /// The first event of a source that was received then or later, of the `most` newest ones.
    pub fn first_since(&self, source: &str, since: Timestamp, most: usize) -> Result<Option<u64>, JournalError> {
        self.database.read(|c| offers::first_since(c, source, since, most))
    }

    /// Events of a source from number `from` on that were judged, the oldest first.
    pub fn judged_from(&self, source: &str, from: u64, limit: usize) -> Result<Vec<Arrived>, JournalError> {
        self.database.read(|c| rows::judged_from(c, source, from, limit))
    }

    pub fn event(&self, number: u64) -> Result<Option<Arrived>, JournalError> {
        self.database.read(|c| rows::event(c, number))
    }

    pub fn events(&self, filter: &EventFilter) -> Result<Vec<Arrived>, JournalError> {
        self.database.read(|c| rows::events(c, filter))
    }

    /// All events from number `from` on, the oldest first: to judge them again.
    pub fn events_from(&self, from: u64, limit: usize) -> Result<Vec<Arrived>, JournalError> {
        self.database.read(|c| rows::events_from(c, from, limit))
    }

    /// Of the next `limit` events behind number `after`: those that were received and last decided upon before this time, and on which nothing
    /// more depends.
    pub fn old(&self, before: Timestamp, after: u64, limit: usize) -> Result<Old, JournalError> {
        self.database.read(|c| old::old(c, before, after, limit))
    }

    /// Lets events go with what was decided on them, if nothing depends on them yet: gives those that went. An event that its sender sends once
    /// more is a new one from then on.
    pub fn forget(&self, numbers: Vec<u64>, before: Timestamp) -> Receipt<Vec<u64>> {
        self.database.submit(Durability::Synced, move |c| old::forget(c, &numbers, before))
    }

    /// Whether there was an event of this number, and it was let go of.
    pub fn was_let_go(&self, number: u64) -> Result<bool, JournalError> {
        self.database.read(|c| Ok(number <= old::newest(c)? && rows::event(c, number)?.is_none()))
    }

    /// How far back the triggers look by which was judged last.
    pub fn looked_back(&self) -> Result<Duration, JournalError> {
        Ok(Duration::from_millis(self.database.read(old::looked_back)?))
    }

    /// From now on triggers look so far back.
    pub fn look_back(&self, horizon: Duration) -> Receipt<()> {
        let ms = u64::try_from(horizon.as_millis()).unwrap_or(u64::MAX);
        self.database.submit(Durability::Visible, move |c| old::look_back(c, ms))
    }

    /// A number that changes whenever another process has committed anything.
    pub fn version(&self) -> Result<u64, JournalError> {
        self.database.version()
    }
}

#[cfg(test)]
mod tests;
