//! Two runs of a procedure beside one another; before that, the runs of the procedure to choose the other one from.

use runbook_engine::journal::{RunFilter, RunRow};
use runbook_engine::report::two_runs::{Pair, StepOfRun, StepPair, TwoRuns};
use runbook_engine::words;
use serde::Serialize;

use super::address::address;
use super::frame::Frame;
use super::render::{self, Tab, When};
use super::run;
use super::runs::Line;
use crate::api::{Answer, Call, reports, runs};
use crate::problem::Problem;

/// Runs to choose from, and steps that are shown.
const CHOICE: usize = 50;
const STEPS: usize = 150;

#[derive(Serialize)]
struct View {
    run: String,
    procedure: String,
    ways: Vec<Tab>,
    choice: Vec<Line>,
    compared: Option<Compared>,
}

#[derive(Serialize)]
struct Compared {
    other: String,
    began: When,
    other_began: When,
    choose: String,
    same_plan: bool,
    facts: Vec<Row>,
    inputs: Vec<Row>,
    steps: Vec<Row>,
    same_steps: String,
    more_steps: Option<String>,
    decisions: Vec<Row>,
    same_decisions: String,
}

/// One thing of both runs.
#[derive(Serialize)]
struct Row {
    number: Option<String>,
    what: String,
    path: Option<String>,
    of_run: String,
    of_other: String,
    differs: bool,
}

pub async fn show(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let here = format!("/runs/{}/compare", row.run);
    let (mut choice, mut compared) = (Vec::new(), None);
    if call.text("with").is_some() {
        let (two, other) = reports::two_runs(&call, &row).await?;
        compared = Some(shown(&two, &row, &other, here));
    } else {
        let now = call.app().clock.now();
        let filter = RunFilter { procedure: Some(row.summary.procedure.clone()), ..RunFilter::default() };
        let (found, _) = runs::seen(&call, filter, CHOICE + 1)?;
        let others = found.iter().filter(|other| other.run != row.run).take(CHOICE);
        choice.extend(others.map(|other| {
            let mut line = Line::of(other, now);
            line.address = address(&here, [("with", other.run.as_str())]);
            line
        }));
    }
    let view = View {
        run: row.run.to_string(),
        procedure: format!("{} {}", row.summary.procedure, row.summary.version),
        ways: run::ways(&row, "compare"),
        choice,
        compared,
    };
    let frame = Frame::of(Some(&call.caller), format!("{}: two runs", view.procedure), super::runs::PATH);
    Ok(Answer::raw(render::page("compare", &frame, &view)?))
}

fn shown(two: &TwoRuns, row: &RunRow, other: &RunRow, choose: String) -> Compared {
    let more = two.steps.len().saturating_sub(STEPS) as u64;
    Compared {
        other: two.other.to_string(),
        began: When::at(row.summary.started_at),
        other_began: When::at(other.summary.started_at),
        choose,
        same_plan: two.same_plan,
        facts: two.facts.iter().map(pair).collect(),
        inputs: two.inputs.iter().map(pair).collect(),
        steps: two.steps.iter().take(STEPS).map(step).collect(),
        same_steps: words::count(two.same_steps, "step", "steps"),
        more_steps: (more > 0).then(|| words::count(more, "more", "more")),
        decisions: two.decisions.iter().map(pair).collect(),
        same_decisions: words::count(two.same_decisions, "decision", "decisions"),
    }
}

const NOTHING: &str = "–";

fn pair(pair: &Pair) -> Row {
    let told = |side: &Option<String>| side.clone().unwrap_or_else(|| NOTHING.to_owned());
    Row {
        number: None,
        what: pair.what.clone(),
        path: None,
        of_run: told(&pair.of_run),
        of_other: told(&pair.of_other),
        differs: pair.differs(),
    }
}

fn step(pair: &StepPair) -> Row {
    let path = pair.path.to_string();
    Row {
        number: Some(pair.number.clone()),
        what: pair.title.clone(),
        path: (path != pair.title).then_some(path),
        of_run: side(pair.of_run.as_ref()),
        of_other: side(pair.of_other.as_ref()),
        differs: true,
    }
}

fn side(of: Option<&StepOfRun>) -> String {
    let Some(of) = of else { return "not reached".to_owned() };
    let took = of.took.filter(|_| of.word != "skipped").map(|took| words::elapsed(std::time::Duration::from_millis(took)));
    let tries = (of.attempts > 1).then(|| words::count(u64::from(of.attempts), "attempt", "attempts"));
    let told: Vec<String> = std::iter::once(of.word.to_owned()).chain(took).chain(tries).collect();
    let message = of.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    format!("{}{message}", told.join(", "))
}
