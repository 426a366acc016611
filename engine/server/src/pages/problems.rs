//! What events say of the operations behind them: what recurs, what no playbook answers, and where the runs that answer fail.

use runbook_core::limits;
use runbook_engine::report::problems::{EventProblem, Why};
use runbook_engine::words;
use serde::Serialize;

use super::frame::Frame;
use super::render::{self, When};
use crate::api::{Answer, Call, events};
use crate::problem::Problem;

pub const PATH: &str = "/problems";

/// Problems on the page.
const SHOWN: usize = 100;

#[derive(Serialize)]
struct View {
    problems: Vec<Row>,
    more: Option<String>,
    looked_at: usize,
}

#[derive(Serialize)]
struct Row {
    why: Vec<&'static str>,
    about: String,
    source: String,
    last_event: u64,
    times: String,
    first: When,
    last: When,
    procedures: Vec<String>,
    runs: Option<String>,
    failed: Option<String>,
}

pub async fn show(call: Call) -> Result<Answer, Problem> {
    let found = events::problems_of(&call)?;
    let more = found.len().saturating_sub(SHOWN) as u64;
    let view = View {
        problems: found.into_iter().take(SHOWN).map(row).collect(),
        more: (more > 0).then(|| words::count(more, "more problem is", "more problems are")),
        looked_at: limits::PROBLEM_EVENTS,
    };
    let mut frame = Frame::of(Some(&call.caller), "Problems", super::events::PATH);
    frame.is_watched = true;
    Ok(Answer::raw(render::page("problems", &frame, &view)?))
}

fn row(of: EventProblem) -> Row {
    let why = |why: &Why| match why {
        Why::RunsFail => "its runs fail",
        Why::WithoutPlaybook => "no playbook",
        Why::Recurs => "recurs",
    };
    let ended = words::count(of.ended, "run that has ended", "runs that have ended");
    Row {
        why: of.why.iter().map(why).collect(),
        times: words::count(of.times, "time", "times"),
        first: When::at(of.first),
        last: When::at(of.last),
        runs: (of.ended > 0).then(|| format!("{} of {ended} did not succeed", of.not_succeeded)),
        failed: of.last_not_succeeded.map(|run| run.to_string()),
        procedures: of.procedures,
        about: of.about,
        source: of.source,
        last_event: of.last_event,
    }
}
