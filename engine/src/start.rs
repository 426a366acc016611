//! The beginning of a run: inputs judged, the lock's text rendered, an id and a seed drawn, and all of it recorded as the first
//! event. Nothing is performed here.

use std::path::PathBuf;
use std::sync::Arc;

use runbook_core::document::input::accept_all;
use runbook_core::expr::{Destination, Names};
use runbook_core::run::event::{Identity, Part, RunStarted};
use runbook_core::value::{Map, Value};
use runbook_core::{Digest, Plan, RunId};

use crate::clock::Clock;

/// What a run is started with.
#[derive(Clone, Debug)]
pub struct Order {
    pub plan: Arc<Plan>,
    /// As given: types are judged here.
    pub inputs: Map,
    pub requested_by: Identity,
    pub part: Part,
    /// Ask before each step.
    pub stepwise: bool,
    /// The digest of all files of the catalogue.
    pub catalogue: Option<Digest>,
    /// Where steps run.
    pub root: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// Every fault of every input: its name, and what is wrong.
    #[error("{}", .0.iter().map(|(name, fault)| format!("input `{name}`: {fault}")).collect::<Vec<_>>().join("\n"))]
    Inputs(Vec<(String, String)>),
    #[error("the lock's text cannot be rendered: {0}")]
    Lock(String),
    #[error("the plan cannot be written down: {0}")]
    Plan(String),
}

impl Order {
    /// The first fact of the run. `seed` is all the randomness that the run will have.
    pub fn started(&self, seed: u64) -> Result<RunStarted, OrderError> {
        let main = self.plan.main();
        let inputs = accept_all(&main.inputs, self.inputs.clone()).map_err(OrderError::Inputs)?;
        let lock = match &main.lock {
            Some(text) => {
                let (text, unknown) =
                    text.render(Destination::Plain, &Given(&inputs)).map_err(|error| OrderError::Lock(error.message))?;
                match unknown.first() {
                    Some(name) => return Err(OrderError::Lock(format!("{name} is not known before the run"))),
                    None => Some(text),
                }
            }
            None => None,
        };
        Ok(RunStarted {
            procedure: main.name.clone(),
            version: main.version,
            plan: self.plan.digest().map_err(|error| OrderError::Plan(error.to_string()))?,
            semantics: self.plan.semantics,
            inputs,
            event: None,
            environment: self.plan.policy.environment.as_ref().map(|e| e.name.clone()),
            requested_by: self.requested_by.clone(),
            seed,
            part: self.part.clone(),
            stepwise: self.stepwise,
            catalogue: self.catalogue.clone(),
            lock,
            root: Some(self.root.to_string_lossy().into_owned()),
        })
    }
}

/// Draws an id and a seed. The seed has 53 bits: canonical JSON holds no larger number exactly.
pub fn draw(clock: &dyn Clock) -> (RunId, u64) {
    let unix_ms = u64::try_from(clock.now().as_millisecond()).unwrap_or_default();
    (RunId::from_parts(unix_ms, rand::random()), rand::random::<u64>() >> 11)
}

/// The names that a lock's text may have: the inputs.
struct Given<'a>(&'a Map);

impl Names for Given<'_> {
    fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String> {
        match (root, member) {
            ("inputs", Some(name)) => self.0.get(name).cloned().ok_or_else(|| format!("there is no input `{name}`")),
            ("inputs", None) => Ok(Value::Map(self.0.clone())),
            _ => Err(format!("`{root}` is not known before the run starts")),
        }
    }
}
