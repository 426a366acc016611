//! The parts of a run's state: scopes that hold names, nodes that are instances of steps, lanes that run a block in
//! order, and frames that run a procedure through its stages. Everything is addressed by index, so that a run can be
//! cloned by the explorer and an event touches only what it changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::id::{DecisionId, Id, StepPath};
use crate::plan::{ProcedureIx, StepIx};
use crate::value::{Map, Value};

use super::event::{Failure, StepOutcome};
use super::task::Work;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeIx(pub u32);
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneIx(pub u32);
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ScopeIx(pub u32);
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FrameIx(pub u32);

/// Names that steps can see: those of a procedure, or of one item or round inside it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scope {
    pub parent: Option<ScopeIx>,
    pub kind: ScopeKind,
    /// What each step that ran gives.
    pub steps: BTreeMap<Id, Arc<Value>>,
    /// Why a step gives nothing.
    pub absent: BTreeMap<Id, String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum ScopeKind {
    Procedure {
        frame: FrameIx,
    },
    Item {
        name: Id,
        item: Value,
        index: u32,
    },
    /// One round of a `repeat`: kept, so that its undo reads what it gave and not what a later round gave.
    Round,
}

/// One procedure under way: the run's own, or a called one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    pub procedure: ProcedureIx,
    /// The `call` step, where there is one.
    pub caller: Option<NodeIx>,
    pub scope: ScopeIx,
    pub inputs: Map,
    /// Prefix of the paths of its steps.
    pub prefix: Arc<str>,
    pub stage: Stage,
    /// The lane of the stage under way.
    pub lane: Option<LaneIx>,
    pub end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Body,
    OnFailure,
    /// Only of the run's own frame: undo, last change first.
    Unwinding,
    Finally,
    Closed,
}

/// How a lane or frame came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    /// A `finish` step.
    Finished {
        failed: bool,
        message: String,
        step: StepPath,
    },
    Failed {
        kind: FailKind,
        failure: Failure,
        step: StepPath,
        rollback: bool,
    },
    /// Told to stop, or drained.
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FailKind {
    Failed,
    TimedOut,
    Rejected,
    Cancelled,
    Unknown,
}

impl FailKind {
    pub fn outcome(self) -> StepOutcome {
        match self {
            FailKind::Failed | FailKind::Rejected => StepOutcome::Failed,
            FailKind::TimedOut => StepOutcome::TimedOut,
            FailKind::Cancelled => StepOutcome::Cancelled,
            FailKind::Unknown => StepOutcome::Unknown,
        }
    }
}

/// Runs the steps of one block in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lane {
    pub owner: Owner,
    pub block: BlockRef,
    pub next: usize,
    pub scope: ScopeIx,
    pub prefix: Arc<str>,
    pub current: Option<NodeIx>,
    /// Set: nothing further starts here.
    pub closing: bool,
    pub ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Frame(FrameIx),
    Node(NodeIx),
    /// The undo at the top of the run's undo stack.
    Undo,
}

/// A list of steps in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BlockRef {
    Body(ProcedureIx),
    OnFailure(ProcedureIx),
    Finally(ProcedureIx),
    Branch(StepIx, u32),
    /// The one list of a `group`, `each` or `repeat`.
    Inner(StepIx),
    Undo(StepIx),
    /// A single step: a probe or a verification.
    One(StepIx),
}

/// One instance of a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub step: StepIx,
    pub path: StepPath,
    pub lane: LaneIx,
    pub scope: ScopeIx,
    pub state: State,
    /// Attempts begun.
    pub attempt: u32,
    /// Attempts that count against `retry`.
    pub tries: u32,
    pub work: Option<Arc<Work>>,
    pub result: Value,
    /// Child lanes that have not ended.
    pub open_lanes: Vec<LaneIx>,
    pub inner: Inner,
    /// Set where it was told to stop; decides how the end of its parts is taken.
    pub stopping: Option<FailKind>,
    /// As a probe: what it looked for is not so. A probe that could not look says nothing.
    pub denied: bool,
    /// The rounds of verification so far.
    pub verifications: u32,
    pub created: Timestamp,
    /// The event that made it.
    pub born: u64,
    pub ended: Option<Timestamp>,
    /// Why it ended as it did.
    pub note: Option<Failure>,
}

/// What a container keeps about its parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Inner {
    #[default]
    None,
    Parallel {
        next: u32,
        worst: Option<End>,
    },
    Each(Box<Items>),
    /// `repeat` and `wait`: the round under way.
    Rounds {
        round: u32,
        until: Option<Timestamp>,
    },
    Call(FrameIx),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Items {
    pub items: Arc<Vec<Value>>,
    pub waves: Vec<u32>,
    /// Index of the wave under way, and the first item behind it.
    pub wave: usize,
    pub wave_end: u32,
    pub next: u32,
    pub failures: u32,
    /// An item was stopped before its end.
    pub cut: bool,
    pub scopes: Vec<ScopeIx>,
    pub worst: Option<End>,
}

impl Items {
    /// The end of the first item that failed, with how many did.
    pub fn counted(&self, mut end: End) -> End {
        let all = self.items.len();
        if let End::Failed { failure, .. } = &mut end
            && all > 1
        {
            let first = if self.failures == 1 { ":" } else { "; the first:" };
            failure.message = format!("{} of {all} items failed{first} {}", self.failures, failure.message);
        }
        end
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for `StepResolved`.
    Resolving,
    /// A decision before it starts: `--step` first, then the gates of policy in order.
    Gated {
        gate: u32,
        decision: Option<DecisionId>,
    },
    /// Waits for `AttemptStarted`.
    Ready,
    Running,
    /// Waits for an event that came at this time or later.
    Listening {
        since: Timestamp,
    },
    Backoff {
        until: Timestamp,
    },
    /// `approve`, `ask`, `manual`.
    Deciding(Option<DecisionId>),
    /// An attempt whose end nobody knows.
    InDoubt(Doubt),
    /// Sleeps until a time: `wait`, or between rounds of `repeat`.
    Sleeping {
        until: Timestamp,
    },
    /// Waits for `ConditionJudged` of a round.
    Judging,
    /// Its lanes run.
    Open,
    /// Waits for `StepConcluded`.
    Concluding,
    Ended(StepOutcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    Judging,
    Probing,
    Asking(Option<DecisionId>),
}

/// A change that can be taken back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Undoable {
    pub node: NodeIx,
    /// The event with which it succeeded; the list is in this order.
    pub since: u64,
    pub tries: u32,
}

/// What became of the undo.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Unwinding {
    pub lane: Option<LaneIx>,
    /// Whether the run came to this stage at all.
    pub begun: bool,
    pub undone: u32,
    pub left: u32,
    /// Set where it was asked for after the run had ended.
    pub requested: bool,
    pub failure: Option<Failure>,
}
