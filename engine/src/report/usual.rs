//! What the records of earlier runs say of a procedure: how long its steps usually take (the middle one of the times of their attempts that
//! succeeded), and when it was last done.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::explore::Usual;
use runbook_core::run::event::{AttemptEnd, Fact, OutcomeKind, Resolution};
use runbook_core::{ProcedureName, StepPath, limits};

use crate::journal::{Archive, JournalError, Phase, RunFilter, RunRow, records_to};

/// By the path of the step without the numbers of items and rounds.
pub fn usual(journal: &dyn Archive, procedure: &ProcedureName) -> Result<BTreeMap<StepPath, Usual>, JournalError> {
    let filter = RunFilter { procedure: Some(procedure.clone()), limit: limits::USUAL_RUNS, ..RunFilter::default() };
    let middle = |mut times: Vec<Duration>| {
        times.sort();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        Usual { median, attempts: times.len() }
    };
    let (_, steps) = observed(journal, &journal.runs(&filter)?)?;
    let timed = steps.into_iter().filter(|(_, observed)| !observed.succeeded.is_empty());
    Ok(timed.map(|(path, observed)| (path, middle(observed.succeeded))).collect())
}

/// What the records of some runs say of a step that they came to and did not skip.
#[derive(Debug, Default)]
pub struct Observed {
    /// How long its attempts took that succeeded.
    pub succeeded: Vec<Duration>,
    /// Attempts that ended otherwise.
    pub failed: u64,
    /// How long people took to answer it, to the last answer.
    pub answered: Vec<Duration>,
}

/// By the path of the step without the numbers of items and rounds; and how many of the runs were looked at, before there were too many events.
pub fn observed(journal: &dyn Archive, runs: &[RunRow]) -> Result<(usize, BTreeMap<StepPath, Observed>), JournalError> {
    let mut steps: BTreeMap<StepPath, Observed> = BTreeMap::new();
    let (mut left, mut looked_at) = (limits::USUAL_EVENTS, 0);
    for row in runs.iter().take(limits::USUAL_RUNS) {
        if left == 0 {
            break;
        }
        looked_at += 1;
        let (mut begun, mut asked) = (BTreeMap::new(), BTreeMap::new());
        for record in records_to(journal, &row.run, row.seq.min(left)) {
            let record = record?;
            // Of a run that was compacted nobody knows how long its steps took.
            if record.is_removed() {
                break;
            }
            let event = record.decode(row.format)?;
            let since = |from: Timestamp| Duration::try_from(event.at.duration_since(from)).unwrap_or_default();
            match event.fact {
                Fact::StepResolved { path, resolution } if !matches!(resolution, Resolution::Skip { .. }) => {
                    steps.entry(path.without_indexes()).or_default();
                }
                Fact::AttemptStarted { path, attempt } => {
                    begun.insert((path, attempt), event.at);
                }
                Fact::AttemptFinished { path, attempt, end } => {
                    let at = begun.remove(&(path.clone(), attempt));
                    let observed = steps.entry(path.without_indexes()).or_default();
                    match (end, at) {
                        (AttemptEnd::Succeeded { .. }, Some(at)) => observed.succeeded.push(since(at)),
                        (AttemptEnd::Succeeded { .. }, None) => {}
                        _ => observed.failed += 1,
                    }
                }
                Fact::DecisionRequested { decision, path: Some(path), .. } => {
                    asked.insert(decision, (path.without_indexes(), event.at, None));
                }
                Fact::Decided { decision, .. } => {
                    if let Some((_, at, answered)) = asked.get_mut(&decision) {
                        *answered = Some(since(*at));
                    }
                }
                _ => {}
            }
        }
        for (path, _, answered) in asked.into_values() {
            steps.entry(path).or_default().answered.extend(answered);
        }
        left = left.saturating_sub(row.seq);
    }
    Ok((looked_at, steps))
}

/// When a procedure was last done to an end of its own: one that people stopped before it did anything is no exercise.
pub fn exercised(journal: &dyn Archive, procedure: &ProcedureName) -> Result<Option<Timestamp>, JournalError> {
    let filter = RunFilter { procedure: Some(procedure.clone()), phase: Some(Phase::Ended), ..RunFilter::default() };
    let done = |outcome: OutcomeKind| !matches!(outcome, OutcomeKind::Rejected | OutcomeKind::Cancelled);
    let rows = journal.runs(&filter)?;
    let ended = rows.iter().filter(|row| row.summary.outcome.is_some_and(done)).filter_map(|row| row.summary.ended_at);
    Ok(ended.max())
}
