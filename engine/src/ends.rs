//! Writes down the ends of runs as events, for triggers and waits of the source `runs`.
//!
//! How far the journal was looked through is written down together with what was found there, and an end is called by its run and its time: none
//! is lost or counts twice, wherever a process stops. What ended before anybody wanted to know is not told.

use std::sync::Arc;

use runbook_core::ends::{End, SOURCE};
use runbook_core::{Fact, RunId, limits};

use crate::clock::Clock;
use crate::intake::{Accepted, Arrival, Intake};
use crate::journal::{AwaitedFilter, JournalError, SharedJournal};

pub struct Ends {
    intake: Arc<Intake>,
    journal: SharedJournal,
    clock: Arc<dyn Clock>,
    /// Some trigger, or a wait of a procedure, is of this source.
    is_wanted: bool,
    /// Nobody wanted to know at the last look, and how far that went is not kept.
    is_forgotten: bool,
    /// Up to where the journal was looked through; `None` before the first look.
    place: Option<u64>,
    /// How far of that is written down: behind it nothing has ended.
    written: u64,
    /// What the journal was like at the last look.
    version: Option<u64>,
}

impl Ends {
    pub fn of(is_wanted: bool, intake: Arc<Intake>, journal: SharedJournal, clock: Arc<dyn Clock>) -> Ends {
        Ends { intake, journal, clock, is_wanted, is_forgotten: false, place: None, written: 0, version: None }
    }

    /// Writes down what has ended since the last look, of this process or of one before it. Gives how many events are new.
    pub async fn look(&mut self) -> Result<usize, JournalError> {
        let version = self.journal.version()?;
        if self.version == Some(version) {
            return Ok(0);
        }
        // A run may wait whose procedure is of another catalogue, or is gone.
        let awaited = AwaitedFilter { limit: 1, ..AwaitedFilter::of(SOURCE) };
        if !self.is_wanted && self.journal.awaited(&awaited)?.is_empty() {
            // Should somebody want to know again, it is from then on. Until then nothing is written, however much happens.
            if !self.is_forgotten && self.intake.place(SOURCE)?.is_some() {
                self.intake.forget_place(SOURCE.to_owned()).await?;
            }
            (self.place, self.is_forgotten, self.version) = (None, true, Some(version));
            return Ok(0);
        }
        self.is_forgotten = false;
        let mut place = match self.place {
            Some(place) => place,
            None => match self.intake.place(SOURCE)? {
                Some(place) => place,
                None => {
                    let place = self.journal.place()?;
                    self.intake.arrive_at(SOURCE.to_owned(), place, Vec::new()).await?;
                    place
                }
            },
        };
        if self.place.is_none() {
            self.written = place;
        }
        let mut new = 0;
        loop {
            // A note on a run that ended long ago is no end.
            let (ends, next) = self.journal.ended(place, limits::RECORDS_PAGE)?;
            if next == place {
                break;
            }
            let mut arrivals = Vec::new();
            for (run, seq) in ends {
                arrivals.extend(self.end(&run, seq)?);
            }
            // What has only grown is looked through once more, should this process end: that costs less than to write each time.
            if !arrivals.is_empty() || next - self.written >= limits::ENDS_UNWRITTEN {
                let accepted = self.intake.arrive_at(SOURCE.to_owned(), next, arrivals).await?;
                new += accepted.iter().filter(|accepted| matches!(accepted, Accepted::New(_))).count();
                self.written = next;
            }
            place = next;
            self.place = Some(place);
        }
        (self.place, self.version) = (Some(place), Some(version));
        Ok(new)
    }

    /// An end of a run, where its record can be read.
    fn end(&self, run: &RunId, seq: u64) -> Result<Option<Arrival>, JournalError> {
        match self.told(run, seq) {
            Err(error) if error.is_of_one_run() => Ok(None),
            told => told,
        }
    }

    fn told(&self, run: &RunId, seq: u64) -> Result<Option<Arrival>, JournalError> {
        let row = self.journal.run(run)?;
        let event = |seq| {
            let record = self.journal.records(run, seq, 1)?.into_iter().next();
            record.map(|record| record.decode(row.format)).transpose()
        };
        let (Some(first), Some(last)) = (event(1)?, event(seq)?) else { return Ok(None) };
        let (Fact::RunStarted(started), Fact::RunFinished { outcome }) = (first.fact, last.fact) else { return Ok(None) };
        let end = End {
            run,
            procedure: &row.summary.procedure,
            outcome: outcome.kind,
            message: &outcome.message,
            started_at: row.summary.started_at,
            ended_at: last.at,
            started: &started,
        };
        Ok(Some(Arrival { source: SOURCE.to_owned(), event: end.to_event(), received: self.clock.now() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::database::Commits;
    use crate::journal::MemoryJournal;

    #[tokio::test]
    async fn nothing_is_written_where_nobody_wants_to_know() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let open = || Arc::new(Intake::open(&state, Commits::OnTheSpot).unwrap());
        let (intake, other) = (open(), open());
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let ends = |is_wanted| Ends::of(is_wanted, intake.clone(), Arc::new(MemoryJournal::default()), clock.clone());
        assert_eq!(ends(true).look().await, Ok(0));
        assert_eq!(other.place(SOURCE), Ok(Some(0)), "it begins at what there is");
        // Nobody wants to know any more, and that is written down once.
        let mut unwanted = ends(false);
        unwanted.look().await.unwrap();
        assert_eq!(other.place(SOURCE), Ok(None));
        let before = other.version().unwrap();
        for _ in 0..3 {
            unwanted.version = None;
            unwanted.look().await.unwrap();
            ends(false).look().await.unwrap();
        }
        assert_eq!(other.version().unwrap(), before);
    }
}
