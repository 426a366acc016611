//! What a run that nobody here drives needs, told from its record.

use jiff::Timestamp;
use runbook_core::RunId;
use runbook_core::document::procedure::Impact;
use runbook_engine::driver::Outlook;
use runbook_engine::journal::{Journal, JournalError, Phase};
use runbook_engine::session::{self, SessionError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assessed {
    Ended,
    /// There is something to do in it.
    Ready {
        impact: Impact,
    },
    /// It waits for people, or until then.
    Waiting {
        seq: u64,
        until: Option<Timestamp>,
    },
    /// Another run has the lock that it wants.
    Locked {
        seq: u64,
    },
    /// Another process is at work on it.
    Elsewhere {
        seq: u64,
    },
}

/// Reads the whole record: to be called where others do not wait for it.
pub fn assess(journal: &dyn Journal, now: Timestamp, id: &RunId) -> Result<Assessed, String> {
    read(journal, now, id).map_err(|error| error.to_string())
}

fn read(journal: &dyn Journal, now: Timestamp, id: &RunId) -> Result<Assessed, SessionError> {
    let row = match journal.run(id) {
        // It is owed, and will be started.
        Err(JournalError::NoRun(_)) => return Ok(Assessed::Waiting { seq: 0, until: None }),
        row => row?,
    };
    if row.summary.phase == Phase::Ended {
        return Ok(Assessed::Ended);
    }
    if row.holder.is_some_and(|holder| holder.is_live(now)) {
        return Ok(Assessed::Elsewhere { seq: row.seq });
    }
    let (run, row) = session::replay(journal, id, &mut |_, _| {})?;
    let seq = row.seq;
    Ok(match Outlook::of(&run, now) {
        Outlook::Ended => Assessed::Ended,
        Outlook::Paused => Assessed::Waiting { seq, until: None },
        Outlook::Ready => Assessed::Ready { impact: run.plan().main().impact },
        Outlook::Waiting { until } => Assessed::Waiting { seq, until },
        Outlook::Locked { lock } => match journal.lock_holder(&lock)? {
            Some(holder) if holder != *id => Assessed::Locked { seq },
            _ => Assessed::Ready { impact: run.plan().main().impact },
        },
    })
}
