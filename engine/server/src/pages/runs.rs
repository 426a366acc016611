//! The list of runs. What is looked for stands in the address, so that it can be kept, sent and gone back to.

use jiff::Timestamp;
use runbook_core::policy::access::Act;
use runbook_core::run::event::OutcomeKind;
use runbook_engine::journal::{Phase, RunFilter, RunRow};
use runbook_engine::report::ended;
use runbook_engine::words;
use serde::Serialize;

use super::address::address;
use super::frame::Frame;
use super::render::{self, Tab, When};
use crate::api::{Answer, Call, runs};
use crate::problem::Problem;

pub const PATH: &str = "/runs";

/// Runs on one page.
const SHOWN: usize = 50;
/// Beyond, runs in a phase are counted no further.
const COUNTED: usize = 99;

#[derive(Serialize)]
struct View {
    phases: Vec<Tab>,
    procedure: String,
    environment: String,
    requested_by: String,
    /// How the id begins.
    like: String,
    phase: String,
    open: bool,
    is_filtered: bool,
    procedures: Vec<String>,
    environments: Vec<String>,
    people: Vec<String>,
    runs: Vec<Line>,
    newest: Option<String>,
    older: Option<String>,
}

#[derive(Serialize)]
pub struct Line {
    /// Where it leads: to the page of the run, or to what is done with it.
    pub address: String,
    procedure: String,
    environment: Option<String>,
    word: &'static str,
    class: &'static str,
    message: String,
    requested_by: String,
    started_at: When,
    took: String,
    waits: u32,
}

impl Line {
    pub fn of(row: &RunRow, now: Timestamp) -> Line {
        let summary = &row.summary;
        let (word, class) = standing(row, now);
        Line {
            address: format!("/runs/{}", row.run),
            procedure: format!("{} {}", summary.procedure, summary.version),
            environment: summary.environment.clone(),
            word,
            class,
            message: summary.message.trim_end_matches([';', ' ']).to_owned(),
            requested_by: summary.requested_by.clone(),
            started_at: When::at(summary.started_at),
            took: words::elapsed(words::between(summary.started_at, summary.ended_at.unwrap_or(now))),
            waits: row.open_decisions,
        }
    }
}

/// How a run stands, in a word, and how that looks.
pub fn standing(row: &RunRow, now: Timestamp) -> (&'static str, &'static str) {
    let class = |kind: OutcomeKind| match kind {
        OutcomeKind::Succeeded => "good",
        OutcomeKind::Rejected | OutcomeKind::Cancelled | OutcomeKind::RolledBack => "warning",
        OutcomeKind::Failed | OutcomeKind::NeedsAttention => "bad",
    };
    match row.summary.outcome {
        Some(kind) => (ended::run_word(kind), class(kind)),
        None => match row.standing(now) {
            "interrupted" => ("interrupted", "bad"),
            "running" => ("running", "live"),
            word => (word, "warning"),
        },
    }
}

pub async fn show(call: Call) -> Result<Answer, Problem> {
    let (found, next) = runs::found(&call, SHOWN)?;
    let now = call.app().clock.now();
    let text = |name: &str| call.text(name).unwrap_or_default().to_owned();
    let given = ["procedure", "environment", "requested_by", "like"];
    let with = |more: &[(&str, &str)]| {
        let kept = given.iter().filter_map(|name| Some((*name, call.text(name)?)));
        address(PATH, kept.chain(more.iter().copied()))
    };
    let (phase, open) = (text("phase"), call.parsed::<bool>("open")?.unwrap_or(false));
    let mut phases = vec![
        Tab { name: "all", address: with(&[]), count: None, is_here: phase.is_empty() && !open },
        Tab { name: "not ended", address: with(&[("open", "true")]), count: None, is_here: phase.is_empty() && open },
    ];
    for of in Phase::ALL.into_iter().filter(|of| *of != Phase::Ended) {
        let count = count(&call, of)?;
        let is_here = phase == of.as_str();
        // What nobody is in is not worth a place on a small screen.
        if is_here || count.as_deref() != Some("0") {
            phases.push(Tab { name: of.as_str(), address: with(&[("phase", of.as_str())]), count, is_here });
        }
    }
    phases.push(Tab { name: "ended", address: with(&[("phase", "ended")]), count: None, is_here: phase == "ended" });
    let catalogue = call.app().serving.catalogue();
    let sees = |procedure: &&runbook_core::document::Procedure| {
        call.caller.rights.may(Act::View, &crate::api::procedures::labels(procedure))
    };
    let mut procedures: Vec<String> = catalogue.procedures().filter(sees).map(|it| it.name.value.to_string()).collect();
    procedures.sort_unstable();
    procedures.dedup();
    let workspace = catalogue.workspace();
    let kept = [("phase", phase.as_str()), ("open", if open { "true" } else { "" })];
    let kept: Vec<(&str, &str)> = kept.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let view = View {
        phases,
        procedure: text("procedure"),
        environment: text("environment"),
        requested_by: text("requested_by"),
        like: text("like"),
        is_filtered: given.iter().any(|name| call.text(name).is_some()),
        procedures,
        environments: workspace
            .map(|of| of.environments.iter().map(|environment| environment.name.clone()).collect())
            .unwrap_or_default(),
        people: workspace.map(|of| of.people.people.keys().cloned().collect()).unwrap_or_default(),
        runs: found.iter().map(|row| Line::of(row, now)).collect(),
        newest: call.text("before").map(|_| with(&kept)),
        older: next.map(|next| with(&[&kept[..], &[("before", next.as_str())]].concat())),
        phase,
        open,
    };
    let mut frame = Frame::of(Some(&call.caller), "Runs", PATH);
    frame.is_watched = call.text("before").is_none();
    Ok(Answer::raw(render::page("runs", &frame, &view)?))
}

/// How many runs are in a phase, for whoever sees all of them.
fn count(call: &Call, phase: Phase) -> Result<Option<String>, Problem> {
    if !call.caller.rights.may_everywhere(Act::View) {
        return Ok(None);
    }
    let filter = RunFilter { phase: Some(phase), limit: COUNTED + 1, ..RunFilter::default() };
    let count = call.read(|app| app.journal.runs(&filter))?.len();
    Ok(Some(if count > COUNTED { format!("{COUNTED}+") } else { count.to_string() }))
}
