//! How a procedure fares, from the records of its last runs: how many of them succeeded, how long its steps take and people take to answer, and which of its steps
//! none of the runs came to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use runbook_core::document::procedure::Version;
use runbook_core::run::event::OutcomeKind;
use runbook_core::{Plan, guide, limits};
use serde::Serialize;

use super::usual::{Observed, observed};
use crate::journal::{Archive, JournalError, RunRow};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Well {
    /// Runs whose records were read: the last ones, within a bound.
    pub looked_at: usize,
    /// Of these.
    pub ended: usize,
    pub succeeded: usize,
    /// The versions that they were of, the newest first.
    pub versions: Vec<Version>,
    /// As the procedure is now, in its order: those that they came to.
    pub steps: Vec<StepHealth>,
    /// Those that none of them came to.
    pub never: Vec<StepHealth>,
}

/// Times are in milliseconds, and absent where nothing was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StepHealth {
    pub number: String,
    pub title: String,
    /// Half of its attempts that succeeded took no longer, and 95 of 100.
    pub p50: Option<u64>,
    pub p95: Option<u64>,
    pub attempts: u64,
    /// Of these, those that did not succeed.
    pub failed: u64,
    /// The same of how long people took to answer.
    pub answered_p50: Option<u64>,
    pub answered_p95: Option<u64>,
}

impl Well {
    /// Of runs of the procedure of a plan, the newest first.
    pub fn of(journal: &dyn Archive, plan: &Plan, runs: &[RunRow]) -> Result<Well, JournalError> {
        let (looked_at, steps) = observed(journal, runs)?;
        let runs = runs.get(..looked_at).unwrap_or_default();
        let outcomes = || runs.iter().filter_map(|row| row.summary.outcome);
        let versions: BTreeSet<Version> = runs.iter().map(|row| row.summary.version).collect();
        let mut by_number: BTreeMap<String, Observed> = BTreeMap::new();
        for (path, of) in steps {
            // What earlier versions had and this one has not is nowhere.
            if let Some(number) = plan.number_at(&path) {
                let known = by_number.entry(number).or_default();
                known.succeeded.extend(of.succeeded);
                known.failed += of.failed;
                known.answered.extend(of.answered);
            }
        }
        let (mut came_to, mut never) = (Vec::new(), Vec::new());
        for planned in plan.outline(limits::GUIDE_STEPS) {
            let title = guide::title(plan, planned.step);
            match by_number.remove(&planned.number) {
                Some(of) => came_to.push(health(planned.number, title, of)),
                None => never.push(StepHealth { number: planned.number, title, ..StepHealth::default() }),
            }
        }
        Ok(Well {
            looked_at,
            ended: outcomes().count(),
            succeeded: outcomes().filter(|kind| *kind == OutcomeKind::Succeeded).count(),
            versions: versions.into_iter().rev().collect(),
            steps: came_to,
            never,
        })
    }
}

fn health(number: String, title: String, mut of: Observed) -> StepHealth {
    let attempts = of.succeeded.len() as u64 + of.failed;
    let (p50, p95) = parts(&mut of.succeeded);
    let (answered_p50, answered_p95) = parts(&mut of.answered);
    StepHealth { number, title, p50, p95, attempts, failed: of.failed, answered_p50, answered_p95 }
}

/// What half of them do not exceed, and 95 of 100.
fn parts(times: &mut [Duration]) -> (Option<u64>, Option<u64>) {
    times.sort_unstable();
    let at = |share: usize| {
        let place = (times.len() * share).div_ceil(100).saturating_sub(1);
        times.get(place).map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    };
    (at(50), at(95))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_times_is_no_longer() {
        let check = |millis: std::ops::RangeInclusive<u64>, expect: (Option<u64>, Option<u64>)| {
            let mut times: Vec<Duration> = millis.rev().map(Duration::from_millis).collect();
            assert_eq!(parts(&mut times), expect);
        };
        check(1..=100, (Some(50), Some(95)));
        check(1..=20, (Some(10), Some(19)));
        check(1..=3, (Some(2), Some(3)));
        check(7..=7, (Some(7), Some(7)));
        check(std::ops::RangeInclusive::new(1, 0), (None, None));
    }
}
