//! One step: one verb, and the keys that any step may have. Fields marked *text* are Handlebars, fields marked
//! *expression* are Rhai; neither has been parsed here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Input, Node, Scalar};
use crate::diagnostic::{Span, Spanned};
use crate::effect::Effect;
use crate::id::Id;

#[derive(Clone, Debug)]
pub struct Step {
    pub span: Span,
    pub id: Option<Spanned<Id>>,
    /// Text.
    pub name: Option<Scalar>,
    /// Text.
    pub why: Option<Scalar>,
    pub owner: Option<Scalar>,
    /// Expression (`if`).
    pub condition: Option<Scalar>,
    pub effect: Option<Spanned<Effect>>,
    pub idempotent: Option<Spanned<bool>>,
    pub undo: Option<Spanned<Vec<Step>>>,
    pub irreversible: Option<Scalar>,
    pub verify: Option<Verify>,
    pub timeout: Option<Spanned<Duration>>,
    pub retry: Option<Spanned<Retry>>,
    pub on_failure: Option<Spanned<OnFailure>>,
    /// Name → expression.
    pub outputs: Vec<(Spanned<Id>, Scalar)>,
    pub env: Vec<EnvEntry>,
    pub on: Option<Node>,
    /// Text.
    pub dir: Option<Scalar>,
    pub example: Option<Node>,
    /// Text.
    pub by_hand: Option<Scalar>,
    pub next: Option<Spanned<Id>>,
    /// The verb; its span is that of its key.
    pub verb: Spanned<Verb>,
}

/// One variable of a child's environment: name → expression, or `secrets.<name>`.
#[derive(Clone, Debug)]
pub struct EnvEntry {
    pub name: Spanned<String>,
    pub value: Scalar,
}

/// Tells whether a step's effect took place: an expression, or a step of effect `read` that succeeds exactly if it did.
#[derive(Clone, Debug)]
pub enum Verify {
    Expression(Scalar),
    Step(Box<Step>),
}

/// `retry: {attempts, delay, backoff, max_delay, jitter}`. The delay before attempt n+1 is
/// `min(delay · backoff^(n-1), max_delay)`, shortened by a random part of at most `jitter`. Without them, `delay` is a
/// second, `backoff` 1, `max_delay` a minute (or `delay`, where that is longer) and `jitter` 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// All attempts, the first included.
    pub attempts: u32,
    pub delay: Duration,
    pub backoff: f64,
    pub max_delay: Duration,
    /// From 0 (none) to 1.
    pub jitter: f64,
}

#[derive(Clone, Debug)]
pub enum OnFailure {
    Stop,
    Continue,
    Rollback,
    Next(Spanned<Id>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shell {
    #[default]
    Sh,
    Bash,
}

#[derive(Clone, Debug)]
pub enum Verb {
    Run(RunStep),
    /// Text, one per argument.
    Exec(Vec<Scalar>),
    /// The script.
    Rhai(Scalar),
    Http(Box<HttpStep>),
    Check(Vec<Assertion>),
    /// Name → expression.
    Set(Vec<(Spanned<Id>, Scalar)>),
    Wait(Box<WaitStep>),
    Approve(Box<ApproveStep>),
    Ask(Box<AskStep>),
    Manual(Box<ManualStep>),
    Notify(Box<NotifyStep>),
    Call(CallStep),
    Choose(Vec<Branch>),
    Parallel(ParallelStep),
    Each(EachStep),
    Repeat(RepeatStep),
    Group(Vec<Step>),
    Finish(FinishStep),
}

impl Verb {
    /// Every verb, as its key is written.
    pub const KEYS: [&'static str; 18] = [
        "run", "exec", "rhai", "http", "check", "set", "wait", "approve", "ask", "manual", "notify", "call", "choose", "parallel",
        "each", "repeat", "group", "finish",
    ];

    pub fn key(&self) -> &'static str {
        match self {
            Verb::Run(_) => "run",
            Verb::Exec(_) => "exec",
            Verb::Rhai(_) => "rhai",
            Verb::Http(_) => "http",
            Verb::Check(_) => "check",
            Verb::Set(_) => "set",
            Verb::Wait(_) => "wait",
            Verb::Approve(_) => "approve",
            Verb::Ask(_) => "ask",
            Verb::Manual(_) => "manual",
            Verb::Notify(_) => "notify",
            Verb::Call(_) => "call",
            Verb::Choose(_) => "choose",
            Verb::Parallel(_) => "parallel",
            Verb::Each(_) => "each",
            Verb::Repeat(_) => "repeat",
            Verb::Group(_) => "group",
            Verb::Finish(_) => "finish",
        }
    }
}

/// `run: <script>`; `shell` stands beside it.
#[derive(Clone, Debug)]
pub struct RunStep {
    pub script: Scalar,
    pub shell: Option<Spanned<Shell>>,
}

#[derive(Clone, Debug)]
pub struct HttpStep {
    pub method: Option<Spanned<String>>,
    /// Text; each value in it is percent-encoded for the part it stands in.
    pub url: Scalar,
    /// Name → text.
    pub query: Vec<(Spanned<String>, Scalar)>,
    /// Name → text, or `secrets.<name>`.
    pub headers: Vec<(Spanned<String>, Scalar)>,
    pub body: Option<HttpBody>,
    pub expect: Option<HttpExpect>,
}

#[derive(Clone, Debug)]
pub enum HttpBody {
    /// A tree whose strings are text.
    Json(Node),
    /// Name → text.
    Form(Vec<(Spanned<String>, Scalar)>),
    /// Text.
    Raw(Scalar),
}

/// What makes a response a success. Without it, any status from 200 to 299.
#[derive(Clone, Debug)]
pub struct HttpExpect {
    pub span: Span,
    pub status: Vec<Spanned<u16>>,
    /// Expression over `result`.
    pub that: Option<Scalar>,
}

#[derive(Clone, Debug)]
pub struct Assertion {
    pub span: Span,
    /// Expression.
    pub that: Scalar,
    /// Text (`else`).
    pub otherwise: Option<Scalar>,
}

#[derive(Clone, Debug)]
pub struct WaitStep {
    pub span: Span,
    pub what: WaitFor,
    pub every: Option<Spanned<Duration>>,
    pub within: Option<Spanned<Duration>>,
}

#[derive(Clone, Debug)]
pub enum WaitFor {
    /// A duration, as written or as an expression that gives one.
    Duration(Scalar),
    /// Expression that gives a time, or a condition polled by `probe` every `every`.
    Until { until: Scalar, probe: Option<Box<Step>> },
    /// The next event of a source that fits.
    Event(Box<EventStep>),
}

/// `event: {source, when, since}`.
#[derive(Clone, Debug)]
pub struct EventStep {
    pub span: Span,
    /// A source of the workspace.
    pub source: Scalar,
    /// Expression over `event`, judged on each event.
    pub when: Option<Scalar>,
    pub since: Option<Spanned<Since>>,
}

/// From when on events count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// The beginning of the run.
    #[default]
    Run,
    /// The moment at which the step began to wait.
    Step,
}

#[derive(Clone, Debug)]
pub struct ApproveStep {
    pub span: Span,
    /// Text.
    pub question: Scalar,
    /// People and groups; empty means whoever the policy names, or else the operator.
    pub from: Vec<Scalar>,
    pub count: Option<Spanned<u32>>,
    pub within: Option<Spanned<Duration>>,
    pub on_timeout: Option<Spanned<OnTimeout>>,
    pub not_requester: bool,
}

/// What follows when a decision's time is over. Never a yes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// The step ends `timed_out`.
    #[default]
    Fail,
    /// As if it had been rejected.
    Reject,
    /// The next rung of the procedure's escalation is asked; after the last, as `fail`.
    Escalate,
}

#[derive(Clone, Debug)]
pub struct AskStep {
    pub span: Span,
    /// Text.
    pub question: Scalar,
    pub fields: Vec<(Spanned<Id>, Input)>,
    pub from: Vec<Scalar>,
    pub within: Option<Spanned<Duration>>,
    pub on_timeout: Option<Spanned<OnTimeout>>,
}

#[derive(Clone, Debug)]
pub struct ManualStep {
    pub span: Span,
    /// Text (`do`).
    pub instruction: Scalar,
    /// Text.
    pub expect: Option<Scalar>,
    /// Text: what to hand in as evidence; asked for where present.
    pub evidence: Option<Scalar>,
    pub from: Vec<Scalar>,
    pub within: Option<Spanned<Duration>>,
    pub on_timeout: Option<Spanned<OnTimeout>>,
}

#[derive(Clone, Debug)]
pub struct NotifyStep {
    pub span: Span,
    /// Channels of the workspace.
    pub to: Vec<Scalar>,
    /// Text.
    pub message: Scalar,
    /// Text.
    pub subject: Option<Scalar>,
}

/// `call: name@^2` with `with: {input: expression}`.
#[derive(Clone, Debug)]
pub struct CallStep {
    pub procedure: Scalar,
    pub with: Vec<(Spanned<Id>, Scalar)>,
}

/// A branch of `choose`; `when` is absent in `otherwise`.
#[derive(Clone, Debug)]
pub struct Branch {
    pub span: Span,
    /// Expression.
    pub when: Option<Scalar>,
    pub steps: Vec<Step>,
}

/// `parallel: {left: [steps…], right: [steps…]}`; `max_parallel` stands beside it.
#[derive(Clone, Debug)]
pub struct ParallelStep {
    pub branches: Vec<(Spanned<Id>, Vec<Step>)>,
    pub max_parallel: Option<Spanned<u32>>,
}

/// `each: {in: <expression>, as: host, steps: […], max_parallel, batches, max_failures}`.
#[derive(Clone, Debug)]
pub struct EachStep {
    pub span: Span,
    /// Expression.
    pub items: Scalar,
    /// The name of the item in scope; `item` where absent.
    pub r#as: Option<Spanned<Id>>,
    pub steps: Vec<Step>,
    pub max_parallel: Option<Spanned<u32>>,
    /// Sizes of the waves; the last one repeats.
    pub batches: Vec<Spanned<BatchSize>>,
    /// How many items may fail before no more are started; 0 where absent.
    pub max_failures: Option<Spanned<u32>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchSize {
    Count(u32),
    Percent(f64),
}

/// `repeat: {until: <expression>, times: 10, every: 5s, steps: […]}`.
#[derive(Clone, Debug)]
pub struct RepeatStep {
    pub span: Span,
    /// Expression, judged after each round.
    pub until: Scalar,
    pub times: Option<Spanned<u32>>,
    pub every: Option<Spanned<Duration>>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct FinishStep {
    pub span: Span,
    pub outcome: Spanned<FinishOutcome>,
    /// Text.
    pub message: Option<Scalar>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishOutcome {
    Succeeded,
    Failed,
}
