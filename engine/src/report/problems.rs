//! What events say of the operations behind them: what comes back again and again, what no playbook answers, and where the runs that answer fail. Events are of
//! one thing where they are of one source and have one key.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use runbook_core::RunId;
use runbook_core::cloud_event::Status;
use runbook_core::run::event::OutcomeKind;
use serde::Serialize;

use crate::intake::Arrived;

/// From how many times on something recurs.
const RECURS: u64 = 3;

/// What is wrong with a thing that events are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Runs that answered it did not succeed.
    RunsFail,
    /// Nothing has ever answered it.
    WithoutPlaybook,
    /// It began again and again.
    Recurs,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventProblem {
    pub source: String,
    /// The key of its events.
    pub about: String,
    pub why: Vec<Why>,
    /// How often it began; what a sender only repeated does not count.
    pub times: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The number of its last event.
    pub last_event: u64,
    /// Those that answered it.
    pub procedures: Vec<String>,
    /// Runs that answered it, those of them that have ended, and those that ended otherwise than well.
    pub runs: u64,
    pub ended: u64,
    pub not_succeeded: u64,
    pub last_not_succeeded: Option<RunId>,
}

/// Of events, the newest first; those with the most reasons and the most often first. `outcome` is asked for that of each run once.
pub fn problems<E>(
    arrived: &[Arrived],
    outcome: &mut dyn FnMut(&RunId) -> Result<Option<OutcomeKind>, E>,
) -> Result<Vec<EventProblem>, E> {
    let mut of: HashMap<(&str, &str), Vec<&Arrived>> = HashMap::new();
    for event in arrived.iter().filter(|event| event.judged) {
        of.entry((&event.source, &event.event.key)).or_default().push(event);
    }
    let mut found = Vec::new();
    for ((source, about), events) in of {
        found.extend(problem(source, about, &events, outcome)?);
    }
    found.sort_by_key(|found| std::cmp::Reverse((found.why.len(), found.times, found.last_event)));
    Ok(found)
}

fn problem<E>(
    source: &str,
    about: &str,
    events: &[&Arrived],
    outcome: &mut dyn FnMut(&RunId) -> Result<Option<OutcomeKind>, E>,
) -> Result<Option<EventProblem>, E> {
    // What only says that something is over began nothing.
    let began: Vec<&&Arrived> = events.iter().filter(|event| event.event.status != Status::Resolved).collect();
    let (Some(last), Some(first)) = (began.first(), began.last()) else { return Ok(None) };
    let answers = || events.iter().flat_map(|event| &event.rulings).filter_map(|ruling| Some((ruling, ruling.decision.run()?)));
    let runs: BTreeSet<&RunId> = answers().map(|(_, run)| run).collect();
    let (mut ended, mut not_succeeded, mut last_not_succeeded) = (0, 0, None);
    for run in &runs {
        let Some(kind) = outcome(run)? else { continue };
        ended += 1;
        if kind != OutcomeKind::Succeeded {
            not_succeeded += 1;
            last_not_succeeded = Some((*run).clone());
        }
    }
    // A push or a tick comes as often as it is meant to.
    let times = began.len() as u64;
    let recurs = began.iter().filter(|event| event.event.status == Status::Firing).count() as u64 >= RECURS;
    let answered = !runs.is_empty() || events.iter().any(|event| !event.ended.is_empty());
    let why = [(not_succeeded > 0, Why::RunsFail), (!answered, Why::WithoutPlaybook), (recurs, Why::Recurs)];
    let why: Vec<Why> = why.into_iter().filter(|(is_so, _)| *is_so).map(|(_, why)| why).collect();
    let procedures: BTreeSet<String> = answers().map(|(ruling, _)| ruling.trigger.procedure.to_string()).collect();
    Ok((!why.is_empty()).then(|| EventProblem {
        source: source.to_owned(),
        about: about.to_owned(),
        why,
        times,
        first: first.received,
        last: last.received,
        last_event: last.number,
        procedures: procedures.into_iter().collect(),
        runs: runs.len() as u64,
        ended,
        not_succeeded,
        last_not_succeeded,
    }))
}
