//! What the records of earlier runs say of a procedure: how long its steps usually take (the middle one of the times of their attempts that
//! succeeded), and when it was last done.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::explore::Usual;
use runbook_core::run::event::{AttemptEnd, Fact, OutcomeKind};
use runbook_core::{ProcedureName, StepPath, limits};

use crate::journal::{Archive, JournalError, Phase, RunFilter, records_to};

/// By the path of the step without the numbers of items and rounds.
pub fn usual(journal: &dyn Archive, procedure: &ProcedureName) -> Result<BTreeMap<StepPath, Usual>, JournalError> {
    let filter = RunFilter { procedure: Some(procedure.clone()), limit: limits::USUAL_RUNS, ..RunFilter::default() };
    let mut times: BTreeMap<StepPath, Vec<Duration>> = BTreeMap::new();
    let mut left = limits::USUAL_EVENTS;
    for row in journal.runs(&filter)? {
        let mut begun = BTreeMap::new();
        for record in records_to(journal, &row.run, row.seq.min(left)) {
            let record = record?;
            // Of a run that was compacted nobody knows how long its steps took.
            if record.is_removed() {
                break;
            }
            let event = record.decode(row.format)?;
            match event.fact {
                Fact::AttemptStarted { path, attempt } => {
                    begun.insert((path, attempt), event.at);
                }
                Fact::AttemptFinished { path, attempt, end: AttemptEnd::Succeeded { .. } } => {
                    if let Some(at) = begun.remove(&(path.clone(), attempt)) {
                        let took = Duration::try_from(event.at.duration_since(at)).unwrap_or_default();
                        times.entry(path.without_indexes()).or_default().push(took);
                    }
                }
                _ => {}
            }
        }
        left = left.saturating_sub(row.seq);
    }
    let middle = |mut times: Vec<Duration>| {
        times.sort();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        Usual { median, attempts: times.len() }
    };
    Ok(times.into_iter().map(|(path, times)| (path, middle(times))).collect())
}

/// When a procedure was last done to an end of its own: one that people stopped before it did anything is no exercise.
pub fn exercised(journal: &dyn Archive, procedure: &ProcedureName) -> Result<Option<Timestamp>, JournalError> {
    let filter = RunFilter { procedure: Some(procedure.clone()), phase: Some(Phase::Ended), ..RunFilter::default() };
    let done = |outcome: OutcomeKind| !matches!(outcome, OutcomeKind::Rejected | OutcomeKind::Cancelled);
    let rows = journal.runs(&filter)?;
    let ended = rows.iter().filter(|row| row.summary.outcome.is_some_and(done)).filter_map(|row| row.summary.ended_at);
    Ok(ended.max())
}
