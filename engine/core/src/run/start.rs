//! The first fact of a run: inputs judged, the lock's text rendered.

use crate::document::input::accept_all;
use crate::expr::{Destination, Names};
use crate::id::{Id, ProcedureName};
use crate::limits;
use crate::markdown::quoted;
use crate::plan::Plan;
use crate::value::{Map, Value};

use super::event::{Identity, Part, RunStarted};

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Every fault of every input: its name, and what is wrong.
    #[error("{}", .0.iter().map(|(name, fault)| format!("input `{name}`: {fault}")).collect::<Vec<_>>().join("\n"))]
    Inputs(Vec<(String, String)>),
    #[error("the lock's text cannot be rendered: {0}")]
    Lock(String),
    #[error("the plan cannot be written down: {0}")]
    Plan(String),
    /// A part was asked for that the procedure does not have.
    #[error("there is no step `{step}` in the outermost list of `{procedure}`")]
    Part { step: Id, procedure: ProcedureName, known: Vec<Id> },
}

impl Part {
    /// A part is of steps of the outermost list.
    pub fn is_of(&self, plan: &Plan) -> Result<(), StartError> {
        let main = plan.main();
        let known: Vec<&Id> = main.body.iter().filter_map(|ix| plan.step(*ix).id.as_ref()).collect();
        let named = match self {
            Part::Whole => &[],
            Part::From(id) => std::slice::from_ref(id),
            Part::Only(ids) => ids.as_slice(),
        };
        match named.iter().find(|id| !known.contains(id)) {
            None => Ok(()),
            Some(step) => {
                let known = known.into_iter().cloned().collect();
                Err(StartError::Part { step: step.clone(), procedure: main.name.clone(), known })
            }
        }
    }
}

impl RunStarted {
    /// A run of the whole procedure with these inputs, as they were given. `seed` is all the randomness that it will have.
    pub fn of(plan: &Plan, inputs: Map, requested_by: Identity, seed: u64) -> Result<RunStarted, StartError> {
        let main = plan.main();
        let inputs = accept_all(&main.inputs, inputs).map_err(StartError::Inputs)?;
        can_be_recorded(&inputs)?;
        let lock = match &main.lock {
            Some(text) => {
                let rendered = text.render(Destination::Plain, &Given(&inputs));
                let (text, unknown) = rendered.map_err(|error| StartError::Lock(error.message))?;
                match unknown.first() {
                    Some(name) => return Err(StartError::Lock(format!("{name} is not known before the run"))),
                    None => Some(text),
                }
            }
            None => None,
        };
        Ok(RunStarted {
            procedure: main.name.clone(),
            version: main.version,
            plan: plan.digest().map_err(|error| StartError::Plan(error.to_string()))?,
            semantics: plan.semantics,
            inputs,
            event: None,
            environment: plan.policy.environment.as_ref().map(|e| e.name.clone()),
            requested_by,
            seed,
            part: Part::Whole,
            stepwise: false,
            catalogue: None,
            lock,
            root: None,
        })
    }
}

/// Inputs stand in the first event of a run, beside what else it says.
fn can_be_recorded(inputs: &Map) -> Result<(), StartError> {
    let bytes = |value: &Value| serde_json::to_string(value).map_or(0, |text| text.len());
    let all: usize = inputs.iter().map(|(name, value)| name.len() + bytes(value)).sum();
    if all <= limits::INPUTS_BYTES {
        return Ok(());
    }
    let largest = inputs.iter().max_by_key(|(_, value)| bytes(value)).map_or("", |(name, _)| name.as_str());
    let most = limits::INPUTS_BYTES;
    let message = format!("all inputs together have {all} bytes and at most {most} are recorded; give the name of a file");
    Err(StartError::Inputs(vec![(largest.to_owned(), message)]))
}

/// The names that a lock's text may have, and the key of a procedure's `concurrency`: the inputs.
pub(crate) struct Given<'a>(pub &'a Map);

impl Names for Given<'_> {
    fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String> {
        match (root, member) {
            ("inputs", Some(name)) => self.0.get(name).cloned().ok_or_else(|| format!("there is no input {}", quoted(name))),
            ("inputs", None) => Ok(Value::Map(self.0.clone())),
            _ => Err(format!("`{root}` is not known before the run starts")),
        }
    }
}
