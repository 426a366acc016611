//! What a run that nobody drives waits for, told from its state alone: all that has to be kept of a run until it goes on.

use jiff::Timestamp;
use runbook_core::Run;
use runbook_core::run::Command;

/// When a run that is left alone is to be taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    Ended,
    /// Somebody paused it: it is theirs.
    Paused,
    /// There is something to do for it now.
    Ready,
    /// It wants a lock, and does nothing before it has it.
    Locked {
        lock: String,
    },
    /// It waits: for people or an event, unless this time comes first.
    Waiting {
        until: Option<Timestamp>,
    },
}

impl Outlook {
    pub fn of(run: &Run, now: Timestamp) -> Outlook {
        if run.outcome().is_some() {
            return Outlook::Ended;
        }
        if run.is_paused() {
            return Outlook::Paused;
        }
        if !run.under_way().is_empty() {
            return Outlook::Ready;
        }
        let (mut until, mut wanted) = (None, None);
        for command in run.pending() {
            match command {
                Command::Await { .. } => {}
                Command::Wake { at, .. } if at <= now => return Outlook::Ready,
                Command::Wake { at, .. } => until = Some(until.map_or(at, |until: Timestamp| until.min(at))),
                Command::TakeLock { lock } => wanted = Some(lock),
                _ => return Outlook::Ready,
            }
        }
        match wanted {
            Some(lock) => Outlook::Locked { lock },
            None => Outlook::Waiting { until },
        }
    }
}
