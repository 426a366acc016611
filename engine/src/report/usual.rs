//! How long the steps of a procedure usually take: the middle one of the times of their attempts that succeeded, from the records of the
//! last runs.

use std::collections::BTreeMap;
use std::time::Duration;

use runbook_core::explore::Usual;
use runbook_core::run::event::{AttemptEnd, Fact};
use runbook_core::{ProcedureName, StepPath, limits};

use crate::journal::{Journal, JournalError, RunFilter, records_to};

/// By the path of the step without the numbers of items and rounds.
pub fn usual(journal: &dyn Journal, procedure: &ProcedureName) -> Result<BTreeMap<StepPath, Usual>, JournalError> {
    let filter = RunFilter { procedure: Some(procedure.clone()), limit: limits::USUAL_RUNS, ..RunFilter::default() };
    let mut times: BTreeMap<StepPath, Vec<Duration>> = BTreeMap::new();
    let mut left = limits::USUAL_EVENTS;
    for row in journal.runs(&filter)? {
        let mut begun = BTreeMap::new();
        for record in records_to(journal, &row.run, row.seq.min(left)) {
            let event = record?.decode(row.format)?;
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
