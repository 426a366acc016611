//! Facts: what happened in a run, in order. The journal is a list of these, and a [`Run`](super::Run) is their sum.
//!
//! Events are the record's schema: a field may be added with a default, none may be renamed or given a new meaning.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::procedure::Version;
use crate::document::step::FinishOutcome;
use crate::id::{DecisionId, Digest, Id, ProcedureName, RunId, StepPath};
use crate::policy::{Ahead, OnCall};
use crate::value::{Map, Value};

use super::decision::{Choice, Purpose, Request};
use super::task::Work;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub run: RunId,
    /// From 1, without gaps.
    pub seq: u64,
    /// Never before that of the event before it.
    pub at: Timestamp,
    #[serde(flatten)]
    pub fact: Fact,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Fact {
    RunStarted(Box<RunStarted>),
    /// The lock that the procedure names is held by this run until it finishes.
    LockTaken {
        lock: String,
    },
    /// A step's condition, items and texts were evaluated: this is what will happen.
    StepResolved {
        path: StepPath,
        resolution: Resolution,
    },
    /// Durable before the effect begins.
    AttemptStarted {
        path: StepPath,
        attempt: u32,
    },
    /// Durable before anything that depends on it.
    AttemptFinished {
        path: StepPath,
        attempt: u32,
        end: AttemptEnd,
    },
    /// A step's outputs were evaluated from its result.
    StepConcluded {
        path: StepPath,
        outputs: Evaluated<Map>,
    },
    /// The `until` of a `repeat` or `wait`, or the `verify` of an unknown outcome, was evaluated.
    ConditionJudged {
        path: StepPath,
        round: u32,
        holds: Evaluated<bool>,
    },
    /// A deadline or a delay that the run asked for has come.
    TimerFired {
        timer: Timer,
        /// Of a decision: who is on call in the rotations that are asked from now on.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        on_call: OnCall,
        /// Of a decision that others are to be asked for next: why they are asked before its time, since nobody could be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unreached: Option<String>,
    },
    DecisionRequested {
        decision: DecisionId,
        path: Option<StepPath>,
        purpose: Purpose,
        request: Box<Request>,
    },
    /// One person's vote. The machine counts them.
    Decided {
        decision: DecisionId,
        vote: Vote,
    },
    /// What would run is no longer what was shown; it is asked again.
    DecisionVoided {
        decision: DecisionId,
        reason: String,
    },
    /// Somebody who may take the decision is at it: those who would be asked next are left alone for a while.
    Acknowledged {
        decision: DecisionId,
        by: Identity,
        /// Whom it was handed over to: somebody else who may take it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// From then on, how long the next are not asked.
        hold: Duration,
        reason: String,
    },
    CancelRequested {
        by: Identity,
        undo: bool,
        reason: String,
    },
    PauseRequested {
        by: Identity,
        reason: String,
    },
    ResumeRequested {
        by: Identity,
    },
    /// Undo of a run that has ended, from the last change to the first.
    UndoRequested {
        by: Identity,
        reason: String,
    },
    NoteAdded {
        by: Identity,
        text: String,
    },
    /// A process took up the run; whatever was under way when the last owner stopped has an unknown end.
    RunAdopted {
        by: Identity,
        epoch: u64,
    },
    RunFinished {
        outcome: Outcome,
    },
}

impl Fact {
    /// That a time has come, where nobody is asked who takes turns.
    pub fn fired(timer: Timer) -> Fact {
        Fact::TimerFired { timer, on_call: OnCall::new(), unreached: None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    pub procedure: ProcedureName,
    pub version: Version,
    pub plan: Digest,
    pub semantics: u32,
    pub inputs: Map,
    /// The CloudEvent that started it, of a playbook.
    pub event: Option<Value>,
    pub environment: Option<String>,
    pub requested_by: Identity,
    /// Randomness of the whole run: jitter is derived from it.
    pub seed: u64,
    pub part: Part,
    /// Ask before each step.
    pub stepwise: bool,
    /// The digest of all files of the catalogue, where there is one.
    pub catalogue: Option<Digest>,
    /// The procedure's `lock`, rendered.
    pub lock: Option<String>,
    /// The folder where steps run, so that the run goes on there from wherever it is resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
}

/// How much of the procedure runs. Anything but the whole needs a decision first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    #[default]
    Whole,
    /// Steps of the outermost list before this one are skipped.
    From(Id),
    /// Steps of the outermost list other than these are skipped.
    Only(Vec<Id>),
}

/// Who did something, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The person's name in the workspace, or the operating-system user where there is none.
    pub person: String,
    pub means: Means,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// The operating-system user that ran the command, mapped by the workspace or standing for itself.
    LocalUser { user: String, host: String },
    /// An SSH key of the person: the vote carries their signature. The user and host are those of the terminal.
    SshKey { user: String, host: String },
    /// A token that the owner of the state folder made for the person, shown to a server; its id.
    Token { token: String },
    /// A session with a server that the person began by logging in; its id, by which the audit log says how.
    Session { session: String },
    /// A certificate of the person that was shown to a server; its digest.
    Certificate { certificate: Digest },
    /// Nobody: a trigger or the engine.
    Engine,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    Skip {
        reason: String,
    },
    /// An evaluation failed: the step fails with this.
    Fail {
        error: Failure,
    },
    /// The step acts.
    Work(Box<Work>),
    /// `check`: what did not hold, all of it.
    Checked {
        failures: Vec<String>,
    },
    /// `set`.
    Values(Map),
    /// `choose`: the branch, or none.
    Branch(Option<u32>),
    /// `each`: the items and the sizes of the waves.
    Items {
        items: Vec<Value>,
        waves: Vec<u32>,
    },
    /// `call`: the inputs of the procedure.
    Call {
        inputs: Map,
    },
    /// `wait`: until this instant, or, where there is none, until the condition holds.
    Wait {
        until: Option<Timestamp>,
    },
    /// `group`, `parallel`, `repeat`.
    Enter,
    /// `approve`, `ask`, `manual`: the request follows as its own event.
    Ask,
    Finish {
        outcome: FinishOutcome,
        message: String,
    },
}

/// Something that was evaluated: what came out, or why nothing did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evaluated<T> {
    Value(T),
    Failed(Failure),
}

/// Why a step failed, as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What happened, in one line.
    pub message: String,
    /// `file:line:column`, where a text of the procedure is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The last lines of output, where that says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    Succeeded {
        result: Value,
    },
    /// `result` is there where the action got far enough to have one (an exit code, a status).
    Failed {
        failure: Failure,
        result: Value,
    },
    TimedOut {
        failure: Failure,
        result: Value,
    },
    Cancelled {
        failure: Failure,
        result: Value,
    },
    /// It was started, and nothing says how it ended.
    Unknown {
        why: String,
    },
}

/// What a person said to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    pub by: Identity,
    pub choice: Choice,
    pub reason: Option<String>,
    /// Of an `ask`: the typed answers. Of a `manual`: `evidence`.
    pub answers: Map,
    /// The digest of the request, as it was shown.
    pub digest: Digest,
    /// An armoured SSH signature over the digest and the choice.
    pub signature: Option<Signature>,
    /// Set where the vote was cast before it was asked for.
    pub ahead: Option<String>,
    /// What it was cast for then. A signature is over this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Box<Ahead>>,
    /// What the record has to say about who was, or was not, asked: set by the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// The last event the voter could see: the anchor of the record's head at that moment.
    pub head: Option<Digest>,
}

impl Vote {
    /// One that says nothing beyond its choice.
    pub fn new(by: Identity, choice: Choice, digest: Digest) -> Vote {
        Vote {
            by,
            choice,
            reason: None,
            answers: Map::new(),
            digest,
            signature: None,
            ahead: None,
            terms: None,
            notice: None,
            head: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The public key, as in `authorized_keys`.
    pub key: String,
    /// What `ssh-keygen -Y sign` printed.
    pub armoured: String,
}

/// Names a deadline or delay of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// The run's own timeout.
    Run,
    /// The timeout of a step that is not one attempt.
    Step { path: StepPath },
    /// The delay before an attempt.
    Retry { path: StepPath, attempt: u32 },
    /// The end of a `wait`, or its next poll, or the pause between two rounds of `repeat`.
    Wait { path: StepPath, round: u32 },
    /// A decision's time is over; `rung` counts the escalations before.
    Decision { decision: DecisionId, rung: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    Succeeded,
    Failed,
    Skipped,
    TimedOut,
    Cancelled,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub kind: OutcomeKind,
    /// Why, in one line; empty for a plain success.
    pub message: String,
    /// The step that decided it.
    pub step: Option<StepPath>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    Succeeded,
    Failed,
    Rejected,
    Cancelled,
    RolledBack,
    NeedsAttention,
}
