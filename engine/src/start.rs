//! The beginning of a run: inputs judged, the lock's text rendered, an id and a seed drawn, and all of it recorded as the first
//! event. Nothing is performed here.

use std::path::PathBuf;
use std::sync::Arc;

use runbook_core::run::event::{Identity, Part, RunStarted};
pub use runbook_core::run::start::StartError;
use runbook_core::value::Map;
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

impl Order {
    /// The first fact of the run. `seed` is all the randomness that the run will have.
    pub fn started(&self, seed: u64) -> Result<RunStarted, StartError> {
        let started = RunStarted::of(&self.plan, self.inputs.clone(), self.requested_by.clone(), seed)?;
        self.part.is_of(&self.plan)?;
        Ok(RunStarted {
            part: self.part.clone(),
            stepwise: self.stepwise,
            catalogue: self.catalogue.clone(),
            root: Some(self.root.to_string_lossy().into_owned()),
            ..started
        })
    }
}

/// Draws an id and a seed. The seed has 53 bits: canonical JSON holds no larger number exactly.
pub fn draw(clock: &dyn Clock) -> (RunId, u64) {
    let unix_ms = u64::try_from(clock.now().as_millisecond()).unwrap_or_default();
    (RunId::from_parts(unix_ms, rand::random()), rand::random::<u64>() >> 11)
}
