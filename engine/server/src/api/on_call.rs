//! Who is on call, in the rotations of the catalogue that is served, with those who stand in.

use runbook_engine::on_call::{Called, Standing};
use serde_json::json;

use super::{Answer, Call};
use crate::problem::Problem;

/// How each rotation stands now, by name.
pub fn standing(call: &Call) -> Result<Vec<Standing>, Problem> {
    let now = call.app().clock.now();
    let catalogue = call.app().serving.catalogue();
    let Some(workspace) = catalogue.workspace() else { return Ok(Vec::new()) };
    let kept = call.read(|app| app.journal.overrides(now))?;
    let rotations = workspace.people.rotations.iter();
    Ok(rotations.map(|(name, rotation)| Called::new(name, rotation, &kept).standing(now)).collect())
}

pub async fn list(call: Call) -> Result<Answer, Problem> {
    Ok(Answer::page(standing(&call)?.iter().map(|standing| json!(standing)).collect(), None))
}
