//! What a run wants next. Commands are derived from state and never stored; doing one twice is prevented by the events
//! that answer it.

use jiff::Timestamp;

use crate::id::{DecisionId, StepPath};

use super::decision::Purpose;
use super::event::{Outcome, Timer};

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Take the lock, then record `LockTaken`.
    TakeLock { lock: String },
    /// Record what [`Run::resolve`](super::Run::resolve) gives.
    Resolve { path: StepPath },
    /// Record `AttemptStarted` durably, perform the step's [`Work`](super::task::Work), record `AttemptFinished`.
    Perform { path: StepPath, attempt: u32 },
    /// End an attempt that is under way; it still records `AttemptFinished`.
    Stop { path: StepPath, attempt: u32 },
    /// Record what [`Run::conclude`](super::Run::conclude) gives.
    Conclude { path: StepPath },
    /// Record what [`Run::judge`](super::Run::judge) gives.
    Judge { path: StepPath, round: u32 },
    /// Record what [`Run::request`](super::Run::request) gives.
    Request { path: Option<StepPath>, purpose: Purpose },
    /// People must decide; nothing to do but to show it.
    Await { decision: DecisionId },
    /// Record `TimerFired` at or after this instant.
    Wake { timer: Timer, at: Timestamp },
    /// Record `RunFinished`.
    Finish { outcome: Outcome },
}
