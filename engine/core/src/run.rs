//! The state machine of a run: events in, commands out. (being built)

pub mod command;
pub mod decision;
pub mod event;
pub mod task;

use std::sync::Arc;

pub use command::Command;
pub use event::{Event, Fact};

use crate::plan::Plan;

/// An event that the state does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} ({kind}) is not possible here: {why}")]
pub struct IllegalEvent {
    pub seq: u64,
    pub kind: &'static str,
    pub why: String,
}

/// One run of a plan: the sum of its events.
#[derive(Clone, Debug)]
pub struct Run {
    plan: Arc<Plan>,
}

impl Run {
    pub fn new(plan: Arc<Plan>) -> Run {
        Run { plan }
    }
    pub fn replay(plan: Arc<Plan>, events: &[Event]) -> Result<Run, IllegalEvent> {
        let mut run = Run::new(plan);
        for event in events {
            run.apply(event)?;
        }
        Ok(run)
    }
    pub fn apply(&mut self, event: &Event) -> Result<Vec<Command>, IllegalEvent> {
        let _ = event;
        todo!()
    }
    pub fn pending(&self) -> Vec<Command> {
        todo!()
    }
    pub fn outcome(&self) -> Option<&event::Outcome> {
        todo!()
    }
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }
}
