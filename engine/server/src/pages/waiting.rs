//! What waits for whoever looks, what is over soonest first; then what waits for others.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use runbook_core::policy::access::Act;
use runbook_core::{DecisionId, RunId};
use runbook_engine::journal::{OpenDecision, RunRow};
use runbook_engine::report::request;
use runbook_engine::words;
use serde::Serialize;

use super::decision::{since, urgency};
use super::frame::Frame;
use super::render::{self, When};
use crate::api::{Answer, Call, decisions, runs};
use crate::problem::Problem;

/// Decisions that are looked at for the page, and those for others that are shown.
const LOOKED_AT: usize = 500;
const OF_OTHERS: usize = 50;

#[derive(Serialize)]
struct View {
    person: String,
    mine: Vec<Line>,
    others: Vec<Line>,
    /// How many more wait for others.
    more_of_others: usize,
    /// Whether there are so many that not all were looked at.
    is_cut: bool,
}

#[derive(Serialize)]
struct Line {
    run: RunId,
    decision: DecisionId,
    kind: &'static str,
    question: String,
    procedure: String,
    environment: Option<String>,
    asked_for_by: String,
    from: String,
    asked_at: When,
    waits_for: String,
    left: Option<String>,
    is_urgent: bool,
}

pub async fn show(call: Call) -> Result<Answer, Problem> {
    let (open, next) = decisions::waiting(&call, LOOKED_AT)?;
    let now = call.app().clock.now();
    let mut rows: HashMap<RunId, Arc<RunRow>> = HashMap::new();
    let (mut mine, mut others) = (Vec::new(), Vec::new());
    for (open, row) in open {
        let row = match (rows.get(&open.run), row) {
            (Some(row), _) => row.clone(),
            (None, Some(row)) => Arc::new(row),
            (None, None) => Arc::new(call.read(|app| app.journal.run(&open.run))?),
        };
        rows.insert(open.run.clone(), row.clone());
        let is_mine = is_asked(&call, &open, &row).await?;
        let line = (urgency(open.expires_at, open.asked_at), line(&open, &row, now));
        if is_mine { mine.push(line) } else { others.push(line) }
    }
    let in_order = |mut lines: Vec<((Timestamp, Timestamp), Line)>| -> Vec<Line> {
        lines.sort_by_key(|(urgency, _)| *urgency);
        lines.into_iter().map(|(_, line)| line).collect()
    };
    let (mine, mut others) = (in_order(mine), in_order(others));
    let more_of_others = others.len().saturating_sub(OF_OTHERS);
    others.truncate(OF_OTHERS);
    let title = if mine.is_empty() { "Nothing waits for you".to_owned() } else { format!("{} waiting for you", mine.len()) };
    let mut frame = Frame::of(Some(&call.caller), title, "/");
    frame.is_watched = true;
    let view = View { person: call.caller.person.clone(), mine, others, more_of_others, is_cut: next.is_some() };
    Ok(Answer::raw(render::page("waiting", &frame, &view)?))
}

/// Whether the caller may answer it, by role and by the policy of the run.
async fn is_asked(call: &Call, open: &OpenDecision, row: &RunRow) -> Result<bool, Problem> {
    let known = call.known(row)?;
    let person = &call.caller.person;
    if !call.caller.rights.may(Act::Decide, &known.labels) || !known.people.people.contains_key(person) {
        return Ok(false);
    }
    if !open.from.is_empty() && !open.from.iter().any(|name| known.people.members(name).contains(person.as_str())) {
        return Ok(false);
    }
    let is_anothers = row.summary.requested_by != *person && known.people.people.contains_key(&row.summary.requested_by);
    if is_anothers && !known.wants_several {
        return Ok(true);
    }
    // Whether whoever asked for the run may decide, or has said something already, is known to the run alone.
    let (run, _) = runs::replayed(call, &row.run).await?;
    let (Some(decision), Some(started)) = (run.decision(open.decision), run.start()) else { return Ok(false) };
    let may = run.plan().policy.may_decide(run.asked(decision), &started.requested_by, &call.caller.identity());
    Ok(may.is_ok() && decision.is_open() && decision.votes.iter().all(|vote| vote.by.person != *person))
}

fn line(open: &OpenDecision, row: &RunRow, now: Timestamp) -> Line {
    let left = open.expires_at.map(|at| match at > now {
        true => format!("{} left", words::elapsed(words::between(now, at))),
        false => "over".to_owned(),
    });
    let summary = &row.summary;
    Line {
        run: open.run.clone(),
        decision: open.decision,
        kind: request::kind(&open.purpose),
        question: open.question.trim().lines().next().unwrap_or_default().to_owned(),
        procedure: format!("{} {}", summary.procedure, summary.version),
        environment: summary.environment.clone(),
        asked_for_by: summary.requested_by.clone(),
        from: if open.from.is_empty() { "anybody".to_owned() } else { open.from.join(", ") },
        asked_at: When::at(open.asked_at),
        waits_for: since(open.asked_at, now),
        is_urgent: open.expires_at.is_some_and(|at| at < now + URGENT),
        left,
    }
}

/// What has less time left is marked.
const URGENT: std::time::Duration = std::time::Duration::from_secs(15 * 60);
