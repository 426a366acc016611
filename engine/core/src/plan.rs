//! The checked procedure: what a run is of. A plan names nothing that is absent, every effect is decided, every call is
//! resolved to a procedure inside the plan, and the policy of the workspace is part of it. It is stored with the run and
//! addressed by the digest of its canonical JSON, so a run finishes on the plan it started with.
//!
//! Steps stand in one arena and blocks list them in order; a run refers to both by index.

mod address;
mod jumps;
pub mod must;
pub(crate) mod number;
mod outline;
mod reads;
pub(crate) mod sound;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::canonical::{self, Written};
use crate::diagnostic::Position;
use crate::document::input::InputType;
use crate::document::procedure::{Impact, ProcedureKind, Version};
use crate::document::step::{BatchSize, FinishOutcome, OnTimeout, Retry, Shell, Since};
use crate::effect::Effect;
use crate::expr::{Expression, Script, ShellScript, Template};
use crate::id::{Digest, Id, ProcedureName};
use crate::policy::{Escalation, Gate, PolicyContext};
use crate::value::Value;

pub use number::inside;
pub use outline::Outlined;

/// The version of the machine's meaning that this build writes. Plans of every earlier version still run, as they were meant:
///
/// - 1: an `each` whose time was over while its last item was under way had succeeded.
/// - 2: it has failed. The time of a call whose body it ended skipped the `on_failure` of the called procedure, and that of a run, or of
///   anything around a call, stopped an `on_failure` that ran.
/// - 3: a time ends bodies: the `on_failure` and `finally` of each procedure run after it, to their own limits. What holds a call that
///   tidies up when the time of that is over has no longer succeeded.
/// - 4: what a step gives is what it is documented to give: where the log of an attempt is kept stands in the record alone.
pub const SEMANTICS: u32 = 4;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepIx(pub u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcedureIx(pub u32);

/// Steps in the order in which they run.
pub type Block = Vec<StepIx>;

/// The file that makes a folder a catalogue.
pub const WORKSPACE_FILE: &str = "workspace.yaml";

/// Where something was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// Index into [`Plan::files`], or [`Origin::WORKSPACE`].
    pub file: u32,
    #[serde(flatten)]
    pub position: Position,
}

impl Origin {
    /// In place of a file's index: the workspace, which is none of a plan's procedures.
    pub const WORKSPACE: u32 = u32::MAX;

    /// The place in the catalogue's one workspace, as `file:line:column`.
    pub fn in_workspace(&self) -> String {
        format!("{WORKSPACE_FILE}:{}:{}", self.position.line, self.position.column)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "sound::Unproven")]
pub struct Plan {
    pub semantics: u32,
    pub files: Vec<PlanFile>,
    /// The first is the one that was asked for; the others are called by it.
    pub procedures: Vec<Procedure>,
    pub steps: Vec<Step>,
    /// The environment, people, freeze windows and escalation that were in force, as the workspace had them.
    pub policy: PolicyContext,
    /// What policies demand of every path. For the explorer alone: neither in the digest nor in a record, since a run does the same with
    /// it and without.
    #[serde(skip)]
    pub policy_must: Vec<must::PolicyMust>,
    #[serde(skip)]
    pub(crate) numbers: number::Numbers,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanFile {
    pub name: String,
    pub digest: Digest,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Procedure {
    pub kind: ProcedureKind,
    pub name: ProcedureName,
    pub version: Version,
    pub title: Option<String>,
    pub description: Option<String>,
    pub owner: Option<String>,
    pub impact: Impact,
    pub labels: BTreeMap<String, String>,
    pub contacts: Vec<String>,
    pub inputs: Vec<InputSpec>,
    pub secrets: BTreeMap<Id, SecretSource>,
    pub lock: Option<Template>,
    pub timeout: Option<Duration>,
    pub body: Block,
    pub on_failure: Block,
    pub finally: Block,
    pub outputs: Vec<(Id, Expression)>,
    pub escalation: Option<Escalation>,
    /// Properties that every path keeps; for the explorer alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub must: Vec<must::Must>,
}

/// A declared input, or a field of an `ask`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    pub name: Id,
    #[serde(flatten)]
    pub value: ValueSpec,
}

/// The type of a value and what else must hold of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueSpec {
    pub r#type: InputType,
    pub description: Option<String>,
    pub default: Option<Value>,
    pub required: bool,
    pub pattern: Option<String>,
    pub min: Option<Value>,
    pub max: Option<Value>,
    pub choices: Vec<Value>,
    pub items: Option<Box<ValueSpec>>,
    pub examples: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    Env(String),
    File(String),
    Command(Vec<String>),
    /// An entry of an age-encrypted YAML file; `identity` is the file with the key.
    Age {
        file: String,
        identity: Option<String>,
        key: String,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// The segment of its path: the id, or the verb and place.
    pub label: String,
    pub id: Option<Id>,
    pub at: Origin,
    pub name: Option<Template>,
    pub why: Option<Template>,
    pub by_hand: Option<Template>,
    pub owner: Option<String>,
    pub condition: Option<Expression>,
    /// Declared, or the verb's default; of a container, the highest inside.
    pub effect: Effect,
    pub idempotent: bool,
    pub undo: Block,
    pub irreversible: Option<String>,
    pub verify: Option<Verify>,
    /// Of one attempt, for a step that acts; of the whole, for any other.
    pub timeout: Option<Duration>,
    pub retry: Option<Retry>,
    pub on_failure: OnFailure,
    pub outputs: Vec<(Id, Expression)>,
    pub env: Vec<(String, EnvValue)>,
    pub dir: Option<Template>,
    /// Sample outputs for a dry run that asks for them.
    pub example: Option<Value>,
    pub next: Option<StepIx>,
    /// Approvals that the workspace's policy demands before this step starts.
    pub gates: Vec<Gate>,
    pub verb: Verb,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvValue {
    Expression(Expression),
    Secret(Id),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    Expression(Expression),
    Step(StepIx),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    #[default]
    Stop,
    Continue,
    Rollback,
    Next(StepIx),
}

impl OnFailure {
    /// Whether the list goes on, here or elsewhere, after a failure that asks for no rollback.
    pub fn goes_on(self) -> bool {
        matches!(self, OnFailure::Continue | OnFailure::Next(_))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Run {
        script: ShellScript,
        shell: Shell,
    },
    Exec(Vec<Template>),
    Rhai(Script),
    Http(Box<Http>),
    Check(Vec<Assertion>),
    Set(Vec<(Id, Expression)>),
    Wait(Box<Wait>),
    /// `wait` for an event: an attempt that ends from outside.
    Listen(Box<Listen>),
    Approve(Box<Approve>),
    Ask(Box<Ask>),
    Manual(Box<Manual>),
    Notify {
        to: Vec<String>,
        subject: Option<Template>,
        message: Template,
    },
    Call {
        procedure: ProcedureIx,
        with: Vec<(Id, Expression)>,
    },
    Choose(Vec<Branch>),
    Parallel {
        branches: Vec<(Id, Block)>,
        max_parallel: u32,
    },
    Each(Box<Each>),
    Repeat {
        until: Expression,
        times: u32,
        every: Option<Duration>,
        body: Block,
    },
    Group(Block),
    Finish {
        outcome: FinishOutcome,
        message: Option<Template>,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Http {
    pub method: String,
    pub url: Template,
    pub query: Vec<(String, Template)>,
    pub headers: Vec<(String, HeaderValue)>,
    pub body: Option<HttpBody>,
    /// Statuses that are a success; empty means 200 to 299.
    pub expect_status: Vec<u16>,
    pub expect: Option<Expression>,
}

impl Http {
    /// Whether an answer with this status is a success.
    pub fn expects(&self, status: i64) -> bool {
        expects(&self.expect_status, status)
    }
}

/// Whether an answer with this status is a success where these are expected.
pub(crate) fn expects(statuses: &[u16], status: i64) -> bool {
    match statuses {
        [] => (200..300).contains(&status),
        listed => listed.iter().any(|one| i64::from(*one) == status),
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderValue {
    Text(Template),
    Secret(Id),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpBody {
    Json(JsonTemplate),
    Form(Vec<(String, Template)>),
    Raw(Template),
}

/// JSON whose strings are text. A string that is one reference and nothing else (`"{{inputs.count}}"`) gives the value
/// with its type.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonTemplate {
    Value(Value),
    Text(Template),
    List(Vec<JsonTemplate>),
    Map(Vec<(String, JsonTemplate)>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assertion {
    pub that: Expression,
    pub otherwise: Option<Template>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wait {
    pub what: WaitFor,
    pub every: Duration,
    pub within: Option<Duration>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// An expression that gives a duration.
    Duration(Expression),
    /// An expression that gives a time, or true once the wait is over. The probe runs before each judgement.
    Until { until: Expression, probe: Option<StepIx> },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listen {
    /// A source of the workspace.
    pub source: String,
    /// Absent: any of its events.
    pub when: Option<Expression>,
    pub since: Since,
    pub within: Duration,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Approve {
    pub question: Template,
    /// Names of people and groups. Empty: whoever may operate.
    pub from: Vec<String>,
    pub count: u32,
    pub within: Option<Duration>,
    pub on_timeout: OnTimeout,
    pub not_requester: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ask {
    pub question: Template,
    pub fields: Vec<InputSpec>,
    pub from: Vec<String>,
    pub within: Option<Duration>,
    pub on_timeout: OnTimeout,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manual {
    pub instruction: Template,
    pub expect: Option<Template>,
    pub evidence: Option<Template>,
    pub from: Vec<String>,
    pub within: Option<Duration>,
    pub on_timeout: OnTimeout,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Branch {
    /// Absent in `otherwise`.
    pub when: Option<Expression>,
    pub body: Block,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Each {
    pub items: Expression,
    pub r#as: Id,
    pub body: Block,
    pub max_parallel: u32,
    pub batches: Vec<BatchSize>,
    pub max_failures: u32,
}

impl Plan {
    /// The procedure that was asked for. `check` never makes a plan without one.
    pub fn main(&self) -> &Procedure {
        &self.procedures[0]
    }

    pub fn step(&self, ix: StepIx) -> &Step {
        &self.steps[ix.0 as usize]
    }

    pub fn procedure(&self, ix: ProcedureIx) -> &Procedure {
        &self.procedures[ix.0 as usize]
    }

    /// The strongest effect that any step of the run's own procedure can have.
    pub fn highest_effect(&self) -> Effect {
        let main = self.main();
        let blocks = [&main.body, &main.on_failure, &main.finally];
        blocks.into_iter().flatten().map(|ix| self.step(*ix).effect).max().unwrap_or_default()
    }

    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Digest::of_json(self)
    }

    /// The text that is recorded, and the digest. The text is the canonical JSON, which the digest covers byte by byte, or
    /// where this would read back as another plan, other JSON of the same plan.
    pub fn recorded(&self) -> Result<(String, Digest), serde_json::Error> {
        let Written { text, exact } = canonical::write(self)?;
        let digest = Digest::of_bytes(text.as_bytes());
        Ok((if exact { text } else { serde_json::to_string(self)? }, digest))
    }

    /// `file:line:column`, as errors show it.
    pub fn locate(&self, at: &Origin) -> String {
        format!("{}:{}:{}", self.file_of(at), at.position.line, at.position.column)
    }

    /// The name of the file in which something was written.
    pub fn file_of(&self, at: &Origin) -> &str {
        self.files.get(at.file as usize).map_or(WORKSPACE_FILE, |file| &file.name)
    }
}

impl Verb {
    /// Whether some of its items may fail without it.
    pub fn tolerates(&self) -> bool {
        matches!(self, Verb::Each(each) if each.max_failures > 0)
    }

    /// As its key is written.
    pub fn key(&self) -> &'static str {
        match self {
            Verb::Run { .. } => "run",
            Verb::Exec(_) => "exec",
            Verb::Rhai(_) => "rhai",
            Verb::Http(_) => "http",
            Verb::Check(_) => "check",
            Verb::Set(_) => "set",
            Verb::Wait(_) | Verb::Listen(_) => "wait",
            Verb::Approve(_) => "approve",
            Verb::Ask(_) => "ask",
            Verb::Manual(_) => "manual",
            Verb::Notify { .. } => "notify",
            Verb::Call { .. } => "call",
            Verb::Choose(_) => "choose",
            Verb::Parallel { .. } => "parallel",
            Verb::Each(_) => "each",
            Verb::Repeat { .. } => "repeat",
            Verb::Group(_) => "group",
            Verb::Finish { .. } => "finish",
        }
    }

    /// Whether a step of this verb has attempts, and work of its own: it acts on the world, or listens to it.
    pub fn acts(&self) -> bool {
        matches!(self, Verb::Run { .. } | Verb::Exec(_) | Verb::Rhai(_) | Verb::Http(_) | Verb::Notify { .. } | Verb::Listen(_))
    }

    /// Whether the verb only arranges other steps.
    pub fn is_container(&self) -> bool {
        matches!(
            self,
            Verb::Call { .. } | Verb::Choose(_) | Verb::Parallel { .. } | Verb::Each(_) | Verb::Repeat { .. } | Verb::Group(_)
        )
    }

    /// Whether its parts may run side by side.
    pub fn runs_at_once(&self) -> bool {
        match self {
            Verb::Parallel { max_parallel, .. } => *max_parallel > 1,
            Verb::Each(each) => each.max_parallel > 1,
            _ => false,
        }
    }

    /// Whether people do it, or decide it.
    pub fn asks(&self) -> bool {
        matches!(self, Verb::Approve(_) | Verb::Ask(_) | Verb::Manual(_))
    }
}
