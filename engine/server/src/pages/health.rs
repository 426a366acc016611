//! How a procedure fares: what the records of its last runs say of each of its steps.

use std::time::Duration;

use runbook_engine::report::StepHealth;
use runbook_engine::words;
use serde::Serialize;

use super::frame::Frame;
use super::procedures::PATH;
use super::render;
use crate::api::{Answer, Call, procedures};
use crate::problem::Problem;

/// Steps that are shown.
const SHOWN: usize = 200;

#[derive(Serialize)]
struct View {
    name: String,
    looked_at: String,
    ended: String,
    succeeded: usize,
    versions: Vec<String>,
    steps: Vec<Row>,
    never: Vec<Row>,
    more: Option<String>,
}

#[derive(Serialize)]
struct Row {
    number: String,
    title: String,
    took: String,
    attempts: String,
    answered: String,
    has_failed: bool,
}

pub async fn show(call: Call) -> Result<Answer, Problem> {
    let name: String = call.part("procedure")?;
    let well = procedures::well_of(&call, &name).await?;
    let more = (well.steps.len().saturating_sub(SHOWN) + well.never.len().saturating_sub(SHOWN)) as u64;
    let view = View {
        looked_at: words::count(well.looked_at as u64, "run", "runs"),
        ended: words::count(well.ended as u64, "run", "runs"),
        succeeded: well.succeeded,
        versions: well.versions.iter().map(ToString::to_string).collect(),
        steps: well.steps.iter().take(SHOWN).map(row).collect(),
        never: well.never.iter().take(SHOWN).map(row).collect(),
        more: (more > 0).then(|| words::count(more, "more step is", "more steps are")),
        name,
    };
    let frame = Frame::of(Some(&call.caller), format!("{}: how it fares", view.name), PATH);
    Ok(Answer::raw(render::page("health", &frame, &view)?))
}

fn row(of: &StepHealth) -> Row {
    let time = |millis: u64| words::elapsed(Duration::from_millis(millis));
    let both = |half: Option<u64>, most: Option<u64>| match (half, most) {
        (Some(half), Some(most)) => format!("{}, {}", time(half), time(most)),
        _ => "–".to_owned(),
    };
    let failed = if of.failed > 0 { format!(", {} failed", of.failed) } else { String::new() };
    Row {
        number: of.number.clone(),
        title: of.title.clone(),
        took: both(of.p50, of.p95),
        attempts: if of.attempts > 0 { format!("{}{failed}", of.attempts) } else { "–".to_owned() },
        answered: both(of.answered_p50, of.answered_p95),
        has_failed: of.failed > 0,
    }
}
