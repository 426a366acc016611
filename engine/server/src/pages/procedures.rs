//! The catalogue: what each procedure is for and does, how its runs went, and the form that starts one. Before the button that starts it stands the dry
//! run of exactly what it starts.

use std::sync::Arc;

use axum::http::StatusCode;
use runbook_core::Plan;
use runbook_core::check::CheckOptions;
use runbook_core::document::Procedure;
use runbook_core::document::procedure::ProcedureKind;
use runbook_core::guide::Guide;
use runbook_core::policy::access::Act;
use runbook_core::run::event::OutcomeKind;
use runbook_engine::catalogue::Catalogue;
use runbook_engine::journal::RunFilter;
use runbook_engine::report::{dry_run, guide};
use runbook_engine::words;
use serde::Serialize;
use serde_json::{Value, json};

use super::Refused;
use super::address::address;
use super::decision::impact;
use super::frame::Frame;
use super::render;
use super::runs::Line;
use super::typed::{Field, Fields};
use crate::api::bodies::Order;
use crate::api::{Answer, Call, fresh_run, procedures, runs};
use crate::problem::Problem;

pub const PATH: &str = "/procedures";

/// Procedures on one page, runs of one that are shown, and those that are counted.
const SHOWN: usize = 200;
const RUNS: usize = 8;
const COUNTED: usize = 100;

#[derive(Serialize)]
struct List {
    procedures: Vec<Card>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Card {
    name: String,
    version: String,
    title: Option<String>,
    owner: Option<String>,
    impact: &'static str,
    kind: &'static str,
}

fn card(procedure: &Procedure) -> Card {
    Card {
        name: procedure.name.value.to_string(),
        version: procedure.version.value.to_string(),
        title: procedure.title.as_ref().map(|title| title.value.clone()),
        owner: procedure.owner.as_ref().map(|owner| owner.value.clone()),
        impact: impact(procedure.impact.as_ref().map(|impact| impact.value).unwrap_or_default()),
        kind: match procedure.kind.value {
            ProcedureKind::Runbook => "runbook",
            ProcedureKind::Playbook => "playbook",
        },
    }
}

pub async fn list(call: Call) -> Result<Answer, Problem> {
    let catalogue = call.app().serving.catalogue();
    let (found, next) = procedures::visible(&call, &catalogue, SHOWN);
    let next = next.map(|next| address(PATH, [("after", next.as_str())]));
    let view = List { procedures: found.into_iter().map(card).collect(), next };
    Ok(Answer::raw(render::page("procedures", &Frame::of(Some(&call.caller), "Procedures", PATH), &view)?))
}

#[derive(Serialize)]
struct One {
    card: Card,
    versions: Vec<String>,
    /// The guide, as `runbook docs` writes it.
    guide_html: String,
    /// Why there is none.
    faults: Vec<String>,
    environments: Vec<Environment>,
    /// One has to be chosen: none is meant where nothing is said.
    needs_environment: bool,
    fields: Vec<Field>,
    can_foresee: bool,
    runs: Vec<Line>,
    all_runs: String,
    health: Option<Health>,
    refused: Option<Refused>,
}

#[derive(Serialize)]
struct Environment {
    name: String,
    is_chosen: bool,
}

/// How its last runs went.
#[derive(Serialize)]
struct Health {
    ended: String,
    succeeded: usize,
    median: String,
    longest: String,
}

pub async fn one(call: Call) -> Result<Answer, Problem> {
    let catalogue = call.app().serving.catalogue();
    let name: String = call.part("procedure")?;
    let procedure = procedures::find(&call, &catalogue, &name)?;
    let (guide_html, inputs, faults) = tokio::task::block_in_place(|| told(&catalogue, procedure));
    let refused = Refused::of(&call);
    let typed = refused.as_ref().map(|refused| &refused.fields);
    let workspace = catalogue.workspace();
    let chosen = typed.and_then(|fields| fields.text("environment"));
    let usual = workspace.and_then(|of| of.environment(None).ok().flatten()).map(|environment| environment.name.as_str());
    let chosen = chosen.as_deref().or(usual);
    let environments = workspace
        .into_iter()
        .flat_map(|of| &of.environments)
        .map(|environment| Environment { is_chosen: chosen == Some(environment.name.as_str()), name: environment.name.clone() });
    let rights = &call.caller.rights;
    let labels = procedures::labels(procedure);
    let filter = RunFilter { procedure: Some(procedure.name.value.clone()), ..RunFilter::default() };
    let (last, _) = runs::seen(&call, filter, COUNTED)?;
    let now = call.app().clock.now();
    let mut versions: Vec<_> =
        catalogue.procedures().filter(|one| one.name.value.as_str() == name).map(|one| one.version.value).collect();
    versions.sort_unstable();
    versions.dedup();
    let view = One {
        versions: versions.iter().rev().skip(1).map(ToString::to_string).collect(),
        can_foresee: rights.may(Act::Foresee, &labels) && faults.is_empty(),
        fields: inputs.iter().map(|spec| Field::of(spec, typed)).collect(),
        environments: environments.collect(),
        needs_environment: usual.is_none(),
        health: health(&last),
        runs: last.iter().take(RUNS).map(|row| Line::of(row, now)).collect(),
        all_runs: address(super::runs::PATH, [("procedure", name.as_str())]),
        card: card(procedure),
        guide_html,
        faults,
        refused,
    };
    let frame = Frame::of(Some(&call.caller), format!("{} {}", view.card.name, view.card.version), PATH).with_reports();
    Ok(Answer::raw(render::page("procedure", &frame, &view)?))
}

/// The guide of a procedure, what it takes, and what is wrong with it where it is not valid.
fn told(catalogue: &Catalogue, procedure: &Procedure) -> (String, Vec<runbook_core::plan::InputSpec>, Vec<String>) {
    let (plan, found) = catalogue.plan(procedure, &CheckOptions { environment: None, today: None });
    let Some(plan) = plan else {
        let errors = found.iter().filter(|fault| fault.severity == runbook_core::diagnostic::Severity::Error);
        let faults = errors.map(|fault| format!("{}: {}", fault.code.as_str(), fault.message)).collect();
        return (String::new(), Vec::new(), faults);
    };
    let inputs = plan.main().inputs.clone();
    match Guide::new(&plan, procedure, true) {
        Ok(guide) => (guide::body_in_html(&guide), inputs, Vec::new()),
        Err(error) => (String::new(), inputs, vec![error.to_string()]),
    }
}

fn health(last: &[runbook_engine::journal::RunRow]) -> Option<Health> {
    let ended: Vec<_> = last.iter().filter(|row| row.summary.outcome.is_some()).collect();
    let mut took: Vec<_> =
        ended.iter().filter_map(|row| Some(words::between(row.summary.started_at, row.summary.ended_at?))).collect();
    took.sort_unstable();
    let at = |share: usize| took.get((took.len().saturating_sub(1)) * share / 100).copied().map(words::elapsed);
    Some(Health {
        ended: words::count(ended.len() as u64, "run", "runs"),
        succeeded: ended.iter().filter(|row| row.summary.outcome == Some(OutcomeKind::Succeeded)).count(),
        median: at(50)?,
        longest: at(95)?,
    })
}

/// What the form of a procedure says, as a program would.
pub fn wanted(fields: &Fields) -> Result<Value, Problem> {
    let mut wanted = json!({"inputs": fields.values()});
    if let Some(environment) = fields.text("environment") {
        wanted["environment"] = environment.into();
    }
    Ok(wanted)
}

#[derive(Serialize)]
struct Foreseen {
    name: String,
    version: String,
    /// Its digest: what was foreseen is what runs.
    plan: String,
    environment: Option<String>,
    inputs: Vec<(String, String)>,
    /// What a run would do, as `runbook dry-run` writes it.
    dry_run_html: String,
    can_start: bool,
    key: String,
}

/// The dry run, and below it the button.
pub async fn foresee(mut call: Call) -> Result<Answer, Problem> {
    let name: String = call.part("procedure")?;
    let order: Order = call.asked()?;
    let (environment, given) = (order.environment.clone(), order.inputs.clone());
    let (chosen, predicted) = procedures::foreseen(&call, &name, order).await?;
    let plan: &Arc<Plan> = &chosen.plan;
    let main = plan.main();
    let labels = main.labels.clone();
    let (_, digest) = plan.recorded().map_err(|error| Problem::not_valid(error.to_string(), Vec::new()))?;
    let view = Foreseen {
        plan: digest.to_string(),
        version: main.version.to_string(),
        environment,
        inputs: given.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect(),
        dry_run_html: dry_run::body_in_html(&predicted, &plan.policy.people),
        can_start: call.caller.rights.may(Act::Start, &labels),
        // Of whoever sends this form twice, one run is made.
        key: format!("page-{}", fresh_run(call.app())),
        name,
    };
    let frame = Frame::of(Some(&call.caller), format!("{} {}: what a run would do", view.name, view.version), PATH).with_reports();
    Ok(Answer::raw(render::page("foreseen", &frame, &view)?))
}

/// What the button says, as a program would: what is started is what was foreseen.
pub fn start(fields: &Fields) -> Result<Value, Problem> {
    let mut start = wanted(fields)?;
    let missing = || Problem::new(StatusCode::BAD_REQUEST, "malformed", "the form does not say which procedure");
    start["procedure"] = fields.text("procedure").ok_or_else(missing)?.into();
    start["plan"] = fields.text("plan").ok_or_else(missing)?.into();
    Ok(start)
}
