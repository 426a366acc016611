//! What is recorded where a fact does not fit into an event. A step whose values are too large has failed, and the run goes on
//! to its end: an engine that stopped over it would stop again at every resume.

use runbook_core::run::Fact;
use runbook_core::run::event::{AttemptEnd, Evaluated, Failure, Resolution};
use runbook_core::{Value, limits};

use crate::journal::JournalError;

/// The fact to record in place of one that is too large. What a person said has none: it is refused.
pub(super) fn instead_of(fact: Fact, error: &JournalError) -> Result<Fact, JournalError> {
    let failure = Failure { message: error.to_string(), at: None, detail: None };
    Ok(match fact {
        Fact::StepResolved { path, .. } => Fact::StepResolved { path, resolution: Resolution::Fail { error: failure } },
        Fact::StepConcluded { path, .. } => Fact::StepConcluded { path, outputs: Evaluated::Failed(failure) },
        Fact::ConditionJudged { path, round, .. } => Fact::ConditionJudged { path, round, holds: Evaluated::Failed(failure) },
        Fact::AttemptFinished { path, attempt, .. } => {
            Fact::AttemptFinished { path, attempt, end: AttemptEnd::Failed { failure, result: Value::Null } }
        }
        Fact::RunFinished { mut outcome } => {
            outcome.message = outcome.message.chars().take(limits::OUTCOME_CHARS).chain(['…']).collect();
            Fact::RunFinished { outcome }
        }
        _ => return Err(error.clone()),
    })
}
