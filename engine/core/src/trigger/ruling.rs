//! What was decided on an event, with its reason and all that a judge must know to go on from there. It is recorded.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::TriggerName;
use crate::document::procedure::Version;
use crate::id::RunId;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    /// The number under which the event was written down.
    pub event: u64,
    pub trigger: TriggerName,
    pub version: Version,
    /// When the event was received.
    pub received: Timestamp,
    /// When this was decided: later, where it was deferred.
    pub at: Timestamp,
    pub keys: Keys,
    pub decision: Decision,
}

/// What the trigger read from the event. All but the first two are absent where it has no such part, or did not get that far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Keys {
    /// What the event is about.
    pub about: String,
    /// The run that it starts, if it does: derived from the event and the trigger, so that it can be started twice without harm.
    pub run: RunId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accumulate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// A run was started.
    Ran {
        run: RunId,
    },
    /// It belongs to what is there already.
    Joined {
        to: Counterpart,
        why: Join,
    },
    Dropped(Drop),
    /// It starts a run later, or is dropped then.
    Deferred(Deferral),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counterpart {
    Run(RunId),
    Event(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// `correlate`: it has the key of a run.
    Correlated,
    /// `accumulate`: another event made the number full, and stands for this one.
    Accumulated,
    /// `on_resolved: annotate`.
    Resolved,
    /// `on_resolved: cancel_if_waiting`.
    ResolvedAndNotNeeded,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drop {
    /// It tells of so many ticks of a schedule at which nobody was there, or at least so many.
    Missed { ticks: u64 },
    /// It is the end of the last of so many runs that followed one another.
    ChainTooLong { runs: u64 },
    /// `when` is false.
    NotMeant,
    /// Something could not be read from it.
    Unreadable { what: String, why: String },
    /// `dedup`: another one of this key was taken.
    Duplicate { of: u64, until: Timestamp },
    /// `limit`.
    OverLimit {
        runs: u32,
        per_ms: u64,
        /// `then: escalate`: people are to be told. Of the events of one `per`, the first one tells them.
        escalates: bool,
        /// What became of that; absent where nobody has said yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        told: Option<String>,
    },
    /// `concurrency: {then: skip}`.
    Busy { run: RunId },
    /// `concurrency: {then: replace}`: a newer event waits in its place.
    Replaced { by: u64 },
    /// `accumulate`: too few came in time.
    TooFew { seen: u32, of: u32 },
    /// It is over, and nothing goes on that would have to know.
    NothingToResolve,
    /// `on_resolved: ignore`.
    ResolvedIgnored,
    /// It was over before its turn came, and `on_resolved` is `cancel_if_waiting`.
    ResolvedBefore { by: u64 },
    /// As many wait at this trigger as may.
    QueueFull { waiting: u32 },
    /// The trigger that deferred it is no longer there.
    TriggerGone,
    /// It came in before the state folder was restored from a backup, and was not done by then.
    Restored,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deferral {
    /// `accumulate`: this many have come, of those that are needed until then.
    Accumulating { seen: u32, of: u32, until: Timestamp },
    /// `quiet`.
    Quiet { until: Timestamp, reason: String },
    /// `limit: {then: defer}`.
    OverLimit { until: Timestamp },
    /// `concurrency: {then: queue}`: behind this run.
    Busy { run: RunId },
    /// `concurrency: {then: replace}`: this run is cancelled first.
    Replacing { run: RunId },
}

impl Deferral {
    /// When it is looked at again, whatever happens.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Deferral::Accumulating { until, .. } | Deferral::Quiet { until, .. } | Deferral::OverLimit { until } => Some(*until),
            Deferral::Busy { .. } | Deferral::Replacing { .. } => None,
        }
    }
}

/// What a run that goes on has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// A note in its record; a `wait` for such an event ends.
    Joined,
    Resolved,
    /// It is cancelled where it waits for people, for time or for an event; else it gets a note.
    CancelIfWaiting,
    /// It is cancelled: another one is to take its place.
    Cancel,
}

impl Ruling {
    /// The run that has to be told something, and what.
    pub fn tells(&self) -> Option<(&RunId, Tell)> {
        match &self.decision {
            Decision::Joined { to: Counterpart::Run(run), why } => Some((
                run,
                match why {
                    Join::Correlated | Join::Accumulated => Tell::Joined,
                    Join::Resolved => Tell::Resolved,
                    Join::ResolvedAndNotNeeded => Tell::CancelIfWaiting,
                },
            )),
            Decision::Deferred(Deferral::Replacing { run }) => Some((run, Tell::Cancel)),
            _ => None,
        }
    }

    /// Whether people are to be told of it who have not been.
    pub fn escalates(&self) -> bool {
        matches!(self.decision, Decision::Dropped(Drop::OverLimit { escalates: true, told: None, .. }))
    }

    /// The same, once they were told, or it is known why not.
    #[must_use]
    pub fn told(mut self, what: String) -> Ruling {
        if let Decision::Dropped(Drop::OverLimit { told, .. }) = &mut self.decision {
            *told = Some(what);
        }
        self
    }

    /// Whether nothing more will be decided.
    pub fn is_final(&self) -> bool {
        !matches!(self.decision, Decision::Deferred(_))
    }
}

impl Decision {
    /// In one word, as lists and metrics have it.
    pub fn word(&self) -> &'static str {
        match self {
            Decision::Ran { .. } => "ran",
            Decision::Joined { .. } => "joined",
            Decision::Dropped(_) => "dropped",
            Decision::Deferred(_) => "deferred",
        }
    }

    /// The run that it started, or joined.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Decision::Ran { run } | Decision::Joined { to: Counterpart::Run(run), .. } => Some(run),
            _ => None,
        }
    }
}

/// The decision and its reason: `dropped: the same as event 17, until 2026-01-02T03:04:05Z`.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::Ran { run } => write!(f, "ran: {run}"),
            Decision::Joined { to, why } => {
                match to {
                    Counterpart::Run(run) => write!(f, "joined: run {run}")?,
                    Counterpart::Event(event) => write!(f, "joined: event {event}")?,
                }
                f.write_str(match why {
                    Join::Correlated => " has the same `correlate` key",
                    Join::Accumulated => " made the number of `accumulate` full",
                    Join::Resolved => " is told that it is over",
                    Join::ResolvedAndNotNeeded => " is cancelled if it waits, because it is over",
                })
            }
            Decision::Dropped(why) => write!(f, "dropped: {why}"),
            Decision::Deferred(why) => write!(f, "deferred: {why}"),
        }
    }
}

impl fmt::Display for Drop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Drop::Missed { ticks: 1 } => f.write_str("nobody was there at this tick"),
            Drop::Missed { ticks } => write!(f, "nobody was there at {ticks} ticks"),
            Drop::ChainTooLong { runs } => {
                write!(f, "{runs} runs have followed one another, each started by the end of the one before")
            }
            Drop::NotMeant => f.write_str("its `when` is false"),
            Drop::Unreadable { what, why } => write!(f, "{what} cannot be read from it: {why}"),
            Drop::Duplicate { of, until } => write!(f, "the same as event {of}, by `dedup` until {until}"),
            Drop::OverLimit { runs, per_ms, escalates, told } => {
                let per = crate::value::format_duration(std::time::Duration::from_millis(*per_ms));
                write!(f, "over the `limit` of {runs} runs in {per}")?;
                match (escalates, told) {
                    (true, Some(told)) => write!(f, "; {told}"),
                    (true, None) => f.write_str("; people are told"),
                    (false, _) => Ok(()),
                }
            }
            Drop::Busy { run } => write!(f, "run {run} of the same `concurrency` key goes on"),
            Drop::Replaced { by } => write!(f, "event {by} of the same `concurrency` key is newer"),
            Drop::TooFew { seen, of } => write!(f, "{seen} of the {of} events of `accumulate` came in time"),
            Drop::NothingToResolve => f.write_str("it is over, and no run of it goes on"),
            Drop::ResolvedIgnored => f.write_str("it is over, and `on_resolved` is `ignore`"),
            Drop::ResolvedBefore { by } => write!(f, "event {by} says that it is over, before its turn came"),
            Drop::QueueFull { waiting } => write!(f, "{waiting} events wait at this trigger already"),
            Drop::TriggerGone => f.write_str("its trigger is no longer there"),
            Drop::Restored => f.write_str("the state was restored from a backup, and where that was made it may have been done"),
        }
    }
}

impl fmt::Display for Deferral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Deferral::Accumulating { seen, of, until } => write!(f, "{seen} of the {of} events of `accumulate`, until {until}"),
            Deferral::Quiet { until, reason } => write!(f, "nothing starts until {until}: {reason}"),
            Deferral::OverLimit { until } => write!(f, "over the `limit` until {until}"),
            Deferral::Busy { run } => write!(f, "behind run {run} of the same `concurrency` key"),
            Deferral::Replacing { run } => write!(f, "until run {run} of the same `concurrency` key is cancelled"),
        }
    }
}
