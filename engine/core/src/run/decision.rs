//! Decisions: what people are asked, frozen as it was shown, and how votes add up to an answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::document::step::OnTimeout;
use crate::effect::Effect;
use crate::id::{Digest, StepPath};
use crate::plan::InputSpec;

use super::task::Work;

/// Why people are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// An `approve` step.
    Approve,
    /// An `ask` step.
    Ask,
    /// A `manual` step.
    Manual,
    /// A gate that the rule of this name adds before a step.
    Gate { rule: String },
    /// `--step`: before each step.
    Step,
    /// `--from`, `--only`: before a run that is not the whole procedure.
    Part,
    /// A step was started and nothing says how it ended.
    Unknown,
    /// An undo failed.
    UndoFailed,
}

/// What a vote can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Go: approve, answer, confirm the work of a `manual`.
    Approve,
    /// No go: reject; of a `manual`, it could not be done.
    Reject,
    /// Unknown outcome: look again.
    Probe,
    /// Unknown outcome: it did happen. Failed undo: it was done by hand.
    Done,
    /// Unknown outcome and failed undo: once more.
    Again,
    /// Failed undo: stop undoing and leave the rest to people.
    Leave,
}

/// A request as it was shown. The digest is over everything else in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub question: String,
    /// Names of people and groups; empty: whoever may operate.
    pub from: Vec<String>,
    pub count: u32,
    pub not_requester: bool,
    pub signed: bool,
    pub choices: Vec<Choice>,
    /// Of an `ask`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<InputSpec>,
    /// Of a `manual`: what to hand in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The steps that run next if the answer is yes, in order, up to the next decision.
    pub next: Vec<Upcoming>,
    /// What is known so far: outputs that the question and the next steps rest on.
    pub known: Vec<(String, String)>,
    /// What is not known yet: names that the next steps read and nothing has given.
    pub unknown: Vec<String>,
    /// How long there is, and what follows when nobody answers.
    pub within: Option<Duration>,
    pub on_timeout: OnTimeout,
    pub digest: Digest,
}

/// One step that would run next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upcoming {
    pub path: StepPath,
    pub title: String,
    pub effect: Effect,
    /// The step with every known text rendered; names that are not known stand as `‹steps.x.y›`. Absent for a container.
    pub work: Option<Work>,
    /// Why it may not run.
    pub condition: Option<String>,
    pub undo: Undo,
}

/// What takes a step back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// Titles of the undo's steps.
    Steps(Vec<String>),
    Irreversible(String),
    /// Nothing was declared.
    None,
    /// Nothing to take back.
    NotNeeded,
}
