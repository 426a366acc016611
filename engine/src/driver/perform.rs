//! The seam between the driver and what it drives: one attempt goes in, its end comes out. The real performer runs
//! actions; a simulation answers from a model.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use runbook_core::run::event::AttemptEnd;
use runbook_core::run::task::Work;
use runbook_core::{Plan, Run, RunId, StepPath, Value};
use tokio_util::sync::CancellationToken;

use crate::hold::Hold;

/// One attempt to perform.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub run: RunId,
    pub path: StepPath,
    pub attempt: u32,
    pub work: Arc<Work>,
    pub plan: Arc<Plan>,
    /// What the attempt before this one came to; null where there was none, or nothing is known of it.
    pub before: Value,
    /// Whether an event started the run, rather than a person: its requests go nowhere private.
    pub by_event: bool,
    /// Who asked for the run, as messages name them.
    pub requested_by: String,
    /// Set where the attempt is to end before it is done.
    pub stop: CancellationToken,
    /// To be waited for just before the world is changed.
    pub hold: Hold,
}

impl Assignment {
    /// The id under which the world outside knows this attempt: the idempotency key.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.run, self.path, self.attempt)
    }
}

/// Performs attempts. Whatever goes wrong is an [`AttemptEnd`].
pub trait Performer: Send + Sync {
    fn perform(&self, assignment: Assignment) -> Pin<Box<dyn Future<Output = AttemptEnd> + Send>>;

    /// Is called once before the first attempt of this process. What earlier processes did in the run is in its record.
    fn prepare(&self, run: &Run) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let _ = run;
        Box::pin(std::future::ready(()))
    }

    /// What an attempt of an engine that is gone has left running, each as people name it. `attempt` is [`Assignment::id`].
    fn left_running(&self, attempt: &str) -> Vec<String> {
        let _ = attempt;
        Vec::new()
    }
}
