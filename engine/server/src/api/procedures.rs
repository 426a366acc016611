//! The catalogue that is served: procedures, triggers, and what a run would do.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use runbook_core::check::CheckOptions;
use runbook_core::document::Procedure;
use runbook_core::explore::{self, DryRun};
use runbook_core::policy::access::{Act, Labels};
use runbook_core::run::event::{Part, RunStarted};
use runbook_core::trigger::Trigger;
use runbook_core::value::{Map, Value};
use runbook_core::{Plan, ProcedureName, limits};
use runbook_engine::catalogue::Catalogue;
use runbook_engine::journal::RunFilter;
use runbook_engine::report::Well;
use runbook_engine::start::{self, StartError};
use serde_json::json;

use super::bodies::Order;
use super::{Answer, Call};
use crate::problem::Problem;
use crate::web;

/// How a run is to go.
pub struct Manner {
    pub inputs: serde_json::Map<String, serde_json::Value>,
    pub part: Part,
    pub stepwise: bool,
}

/// A procedure, judged for an environment.
pub struct Chosen {
    pub catalogue: Arc<Catalogue>,
    pub plan: Arc<Plan>,
}

pub fn labels(procedure: &Procedure) -> Labels {
    procedure.labels.iter().map(|(name, value)| (name.value.clone(), value.value.clone())).collect()
}

fn told(catalogue: &Catalogue, procedure: &Procedure) -> serde_json::Value {
    let name = procedure.name.value.as_str();
    let mut versions: Vec<_> = catalogue.procedures().filter(|p| p.name.value.as_str() == name).map(|p| p.version.value).collect();
    versions.sort_unstable();
    versions.dedup();
    let text = |scalar: &Option<runbook_core::document::Scalar>| scalar.as_ref().map(|scalar| scalar.value.clone());
    json!({
        "name": name, "version": procedure.version.value, "versions": versions, "kind": procedure.kind.value,
        "title": text(&procedure.title), "description": text(&procedure.description), "owner": text(&procedure.owner),
        "impact": procedure.impact.as_ref().map(|impact| impact.value).unwrap_or_default(),
        "labels": labels(procedure), "file": &*procedure.source.name,
    })
}

pub async fn list(call: Call) -> Result<Answer, Problem> {
    let catalogue = call.app().serving.catalogue();
    let (found, next) = visible(&call, &catalogue, call.limit()?);
    Ok(Answer::page(found.into_iter().map(|procedure| told(&catalogue, procedure)).collect(), next))
}

/// The newest version of each procedure that the caller may see, behind the one that is named, and where the next page begins.
pub fn visible<'c>(call: &Call, catalogue: &'c Catalogue, limit: usize) -> (Vec<&'c Procedure>, Option<String>) {
    let mut names: Vec<&ProcedureName> = catalogue.procedures().map(|procedure| &procedure.name.value).collect();
    names.sort_unstable();
    names.dedup();
    let after = call.text("after").unwrap_or_default();
    let seen = |name: &&ProcedureName| name.as_str() > after;
    let visible = names
        .into_iter()
        .filter(seen)
        .filter_map(|name| catalogue.procedure(name.as_str()))
        .filter(|procedure| call.caller.rights.may(Act::View, &labels(procedure)));
    let mut found: Vec<&Procedure> = visible.take(limit + 1).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.name.value.to_string());
    (found, next)
}

/// The newest version of a procedure that the caller may see.
pub fn find<'c>(call: &Call, catalogue: &'c Catalogue, name: &str) -> Result<&'c Procedure, Problem> {
    let found = catalogue.procedure(name).filter(|procedure| call.caller.rights.may(Act::View, &labels(procedure)));
    found.ok_or_else(|| Problem::not_found(format!("there is no procedure `{}`", super::caller::clipped(name))))
}

/// How it fares, by its last runs that the caller may see.
pub async fn well(call: Call) -> Result<Answer, Problem> {
    let name: String = call.part("procedure")?;
    Ok(Answer::json(&json!(well_of(&call, &name).await?)))
}

pub async fn well_of(call: &Call, name: &str) -> Result<Well, Problem> {
    let catalogue = call.app().serving.catalogue();
    let procedure = find(call, &catalogue, name)?;
    let filter = RunFilter { procedure: Some(procedure.name.value.clone()), ..RunFilter::default() };
    let (rows, _) = super::runs::seen(call, filter, limits::USUAL_RUNS)?;
    let _turn = call.turn().await;
    let (plan, _) = tokio::task::block_in_place(|| catalogue.plan(procedure, &CheckOptions { environment: None, today: None }));
    let plan = plan.ok_or_else(|| Problem::not_valid(format!("`{name}` is not valid"), Vec::new()))?;
    call.read(|app| Well::of(&*app.journal, &plan, &rows))
}

/// The same, where the caller may do this to it and it is valid in the environment.
pub fn choose(call: &Call, name: &str, environment: Option<String>, act: Act) -> Result<Chosen, Problem> {
    let catalogue = call.app().serving.catalogue();
    let procedure = find(call, &catalogue, name)?;
    call.may(act, &labels(procedure))?;
    if let Some(workspace) = catalogue.workspace()
        && let Err(why) = workspace.environment(environment.as_deref())
    {
        return Err(Problem::not_valid(why.to_string(), Vec::new()));
    }
    let (plan, found) = tokio::task::block_in_place(|| catalogue.plan(procedure, &CheckOptions { environment, today: None }));
    let Some(plan) = plan else {
        let errors = found.iter().filter(|fault| fault.severity == runbook_core::diagnostic::Severity::Error);
        let faults = errors.map(|fault| format!("{}: {}", fault.code.as_str(), fault.message)).collect();
        return Err(Problem::not_valid(format!("`{name}` is not valid"), faults));
    };
    let plan = Arc::new(plan);
    Ok(Chosen { catalogue, plan })
}

impl Chosen {
    /// The first fact of a run that the caller asks for.
    pub fn started(&self, call: &Call, Manner { inputs, part, stepwise }: Manner, seed: u64) -> Result<RunStarted, Problem> {
        let inputs = Value::from_plain_json(serde_json::Value::Object(inputs));
        let Ok(Value::Map(inputs)) = inputs else {
            return Err(Problem::malformed("`inputs` holds a number that is none"));
        };
        let root = self.catalogue.root();
        let order = start::Order {
            plan: self.plan.clone(),
            inputs: self.of_their_types(inputs),
            requested_by: call.caller.identity(),
            part,
            stepwise,
            catalogue: Some(self.catalogue.digest()),
            root: root.canonicalize().unwrap_or_else(|_| root.to_owned()),
        };
        order.started(seed).map_err(|error| match error {
            StartError::Inputs(faults) => {
                let faults = faults.into_iter().map(|(name, fault)| format!("input `{name}`: {fault}")).collect();
                Problem::not_valid("the inputs are not what the procedure declares", faults)
            }
            error => Problem::not_valid(error.to_string(), Vec::new()),
        })
    }

    /// What JSON has no word for, a duration or a time, is written as text.
    fn of_their_types(&self, mut inputs: Map) -> Map {
        for spec in &self.plan.main().inputs {
            if let Some(value) = inputs.get_mut(spec.name.as_str())
                && let Value::Text(text) = &*value
                && let Ok(read) = spec.value.accept_text(text)
            {
                *value = read;
            }
        }
        inputs
    }
}

pub async fn one(call: Call) -> Result<Answer, Problem> {
    let catalogue = call.app().serving.catalogue();
    let name: String = call.part("procedure")?;
    let procedure = find(&call, &catalogue, &name)?;
    let mut value = told(&catalogue, procedure);
    let inputs = procedure.inputs.iter().map(|(name, input)| {
        json!({
            "name": name.value, "type": input.r#type.value, "required": input.required,
            "description": input.description.as_ref().map(|text| text.value.clone()),
        })
    });
    value["inputs"] = inputs.collect();
    Ok(Answer::json(&value))
}

/// What a run would be of, whole: whoever may start it sees with it what they would start.
pub async fn plan(call: Call) -> Result<Answer, Problem> {
    let name: String = call.part("procedure")?;
    let chosen = choose(&call, &name, call.text("environment").map(str::to_owned), Act::Foresee)?;
    let (text, digest) = chosen.plan.recorded().map_err(|error| Problem::not_valid(error.to_string(), Vec::new()))?;
    let mut response = web::json_text(StatusCode::OK, text);
    // Whoever starts what they saw names it so.
    if let Ok(tag) = HeaderValue::try_from(format!("\"{digest}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(Answer::raw(response))
}

pub async fn dry_run(mut call: Call) -> Result<Answer, Problem> {
    let order: Order = call.asked()?;
    let name: String = call.part("procedure")?;
    let (_, predicted) = foreseen(&call, &name, order).await?;
    let value = serde_json::to_value(&predicted).map_err(|error| Problem::not_valid(error.to_string(), Vec::new()))?;
    Ok(Answer::done(StatusCode::OK, value, name))
}

/// What a run would do, and of what it would be.
pub async fn foreseen(call: &Call, name: &str, order: Order) -> Result<(Chosen, DryRun), Problem> {
    let Order { environment, inputs } = order;
    let chosen = choose(call, name, environment, Act::Foresee)?;
    let started = chosen.started(call, Manner { inputs, part: Part::Whole, stepwise: false }, 0)?;
    let now = call.app().clock.now();
    let _turn = call.turn().await;
    let predicted = tokio::task::block_in_place(|| {
        explore::dry_run(&chosen.plan, &started, now, &explore::Options::default(), &mut explore::Nothing).map(|mut predicted| {
            chosen.catalogue.add_types(&mut predicted, &chosen.plan);
            predicted
        })
    });
    let predicted = predicted.map_err(|why| Problem::not_valid(format!("the run cannot be predicted: {why}"), Vec::new()))?;
    Ok((chosen, predicted))
}

/// What events start, as far as the caller may see what is started.
pub fn visible_triggers(call: &Call) -> Vec<Trigger> {
    let catalogue = call.app().serving.catalogue();
    let served = call.app().serving.served().served;
    let is_visible = |trigger: &&Trigger| {
        let procedure = catalogue.procedure(trigger.name.procedure.as_str());
        procedure.is_some_and(|procedure| call.caller.rights.may(Act::View, &labels(procedure)))
    };
    served.triggers().filter(is_visible).cloned().collect()
}

pub async fn triggers(call: Call) -> Result<Answer, Problem> {
    let told = visible_triggers(&call).into_iter().map(|trigger| {
        json!({
            "trigger": trigger.name.to_string(), "procedure": trigger.name.procedure, "version": trigger.version,
            "source": trigger.source, "impact": trigger.impact, "when": trigger.when.as_ref().map(|when| when.source.as_str()),
        })
    });
    Ok(Answer::page(told.collect(), None))
}
