//! What a list shows of a run, kept beside its events and always derived from them: replaying the events gives the same
//! summary again.

use jiff::Timestamp;
use runbook_core::document::procedure::Version;
use runbook_core::run::decision::{Decision, Purpose};
use runbook_core::run::event::{Event, Fact, OutcomeKind, RunStarted};
use runbook_core::{DecisionId, ProcedureName, RunId, StepPath};
use serde::{Deserialize, Serialize};

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Running,
    /// Nothing is under way, and people must decide or an event must come.
    Waiting,
    Paused,
    Cancelling,
    /// Left in good order with nothing under way: it goes on when somebody resumes it.
    Parked,
    Ended,
}

impl Phase {
    pub const ALL: [Phase; 6] = [Phase::Running, Phase::Waiting, Phase::Paused, Phase::Cancelling, Phase::Parked, Phase::Ended];

    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Running => "running",
            Phase::Waiting => "waiting",
            Phase::Paused => "paused",
            Phase::Cancelling => "cancelling",
            Phase::Parked => "parked",
            Phase::Ended => "ended",
        }
    }

    pub fn parse(text: &str) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

/// The line of a run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub procedure: ProcedureName,
    pub version: Version,
    pub environment: Option<String>,
    pub requested_by: String,
    pub started_at: Timestamp,
    pub phase: Phase,
    pub ended_at: Option<Timestamp>,
    pub outcome: Option<OutcomeKind>,
    /// Of the outcome, in one line; empty before the end.
    pub message: String,
}

impl Summary {
    pub fn new(started: &RunStarted, at: Timestamp) -> Summary {
        Summary {
            procedure: started.procedure.clone(),
            version: started.version,
            environment: started.environment.clone(),
            requested_by: started.requested_by.person.clone(),
            started_at: at,
            phase: Phase::Running,
            ended_at: None,
            outcome: None,
            message: String::new(),
        }
    }

    /// Takes one more event in. The phase of a run that has not ended is set by whoever holds the run.
    pub fn apply(&mut self, event: &Event) {
        match &event.fact {
            Fact::UndoRequested { .. } => {
                (self.phase, self.ended_at, self.outcome) = (Phase::Running, None, None);
                self.message.clear();
            }
            Fact::RunFinished { outcome } => {
                self.phase = Phase::Ended;
                self.ended_at = Some(event.at);
                self.outcome = Some(outcome.kind);
                self.message = outcome.message.clone();
            }
            _ => {}
        }
    }
}

/// A decision that waits for people. The whole request is in the run.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenDecision {
    pub run: RunId,
    pub decision: DecisionId,
    pub path: Option<StepPath>,
    pub purpose: Purpose,
    pub question: String,
    /// Names of people and groups that have been asked so far; empty: whoever may operate.
    pub from: Vec<String>,
    pub asked_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

impl OpenDecision {
    pub fn of(run: &RunId, decision: &Decision) -> OpenDecision {
        OpenDecision {
            run: run.clone(),
            decision: decision.id,
            path: decision.path.clone(),
            purpose: decision.purpose.clone(),
            question: decision.request.question.clone(),
            from: decision.asked.clone(),
            asked_at: decision.requested_at,
            expires_at: decision.deadline,
        }
    }
}
