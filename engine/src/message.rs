//! What one process says to the process that owns a run: a vote, a cancellation, a pause. Messages wait in the journal's
//! inbox; the answer is committed together with the events that the message caused, so a crash neither loses nor doubles
//! one.

use std::time::Duration;

use jiff::Timestamp;
use runbook_core::run::event::{Fact, Identity, Vote};
use runbook_core::run::listen::Occurrence;
use runbook_core::{DecisionId, RunId};
use serde::{Deserialize, Serialize};

/// Something that a person wants of a run, or that has come for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum Message {
    Decide {
        decision: DecisionId,
        vote: Box<Vote>,
    },
    Acknowledge {
        decision: DecisionId,
        by: Identity,
        to: Option<String>,
        hold: Duration,
        reason: String,
    },
    Cancel {
        by: Identity,
        undo: bool,
        reason: String,
    },
    Pause {
        by: Identity,
        reason: String,
    },
    Resume {
        by: Identity,
    },
    Undo {
        by: Identity,
        reason: String,
    },
    Note {
        by: Identity,
        text: String,
    },
    /// Nobody's wish: an event came that a step may wait for.
    Event {
        occurrence: Box<Occurrence>,
    },
}

impl Message {
    /// The fact that is recorded where the run allows it. `None` of an event: which step it ends is for the run to say.
    pub fn into_fact(self) -> Option<Fact> {
        Some(match self {
            Message::Decide { decision, vote } => Fact::Decided { decision, vote: *vote },
            Message::Acknowledge { decision, by, to, hold, reason } => Fact::Acknowledged { decision, by, to, hold, reason },
            Message::Cancel { by, undo, reason } => Fact::CancelRequested { by, undo, reason },
            Message::Pause { by, reason } => Fact::PauseRequested { by, reason },
            Message::Resume { by } => Fact::ResumeRequested { by },
            Message::Undo { by, reason } => Fact::UndoRequested { by, reason },
            Message::Note { by, text } => Fact::NoteAdded { by, text },
            Message::Event { .. } => return None,
        })
    }
}

/// Counts over the whole store, from 1, in the order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId(pub i64);

/// A message that waits for its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    pub id: MessageId,
    pub run: RunId,
    pub sent_at: Timestamp,
    pub message: Message,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Recorded as the event with this number.
    Accepted { seq: u64 },
    /// The run does not allow it: why, in one line.
    Refused { why: String },
}
