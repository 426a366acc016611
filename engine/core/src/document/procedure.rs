//! `kind: Runbook` and `kind: Playbook`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Input, Node, Scalar, Step};
use crate::diagnostic::{Source, Span, Spanned};
use crate::id::{Id, ProcedureName};
use crate::policy::Window;

use super::step::{EnvEntry, Retry};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcedureKind {
    Runbook,
    Playbook,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    Low,
    #[default]
    Medium,
    High,
    Critical,
}

#[derive(Clone, Debug)]
pub struct Procedure {
    pub source: Source,
    pub span: Span,
    pub kind: Spanned<ProcedureKind>,
    pub name: Spanned<ProcedureName>,
    pub version: Spanned<Version>,
    pub title: Option<Scalar>,
    pub description: Option<Scalar>,
    pub owner: Option<Scalar>,
    pub impact: Option<Spanned<Impact>>,
    /// A calendar date, `2026-10-02`.
    pub reviewed: Option<Spanned<jiff::civil::Date>>,
    pub review_every: Option<Spanned<Duration>>,
    pub exercise_every: Option<Spanned<Duration>>,
    pub escalation: Option<Scalar>,
    pub labels: Vec<(Spanned<String>, Scalar)>,
    pub contacts: Vec<Scalar>,
    pub triggers: Vec<Trigger>,
    pub inputs: Vec<(Spanned<Id>, Input)>,
    pub secrets: Vec<(Spanned<Id>, SecretRef)>,
    /// Text.
    pub lock: Option<Scalar>,
    pub defaults: Defaults,
    pub timeout: Option<Spanned<Duration>>,
    pub steps: Vec<Step>,
    pub on_failure: Vec<Step>,
    pub finally: Vec<Step>,
    /// Name → expression.
    pub outputs: Vec<(Spanned<Id>, Scalar)>,
    /// Properties that every path keeps, for the explorer to judge.
    pub must: Vec<super::must::Must>,
    pub concurrency: Option<Concurrency>,
}

/// A semantic version, `1.2.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Version, String> {
        text.parse()
    }
}

impl std::str::FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Version, String> {
        let wrong = || format!("`{}` is not a version; write three numbers, such as `1.2.0`", text.escape_debug());
        let mut parts = text.split('.').map(|part| {
            let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
            if plain { part.parse::<u32>().map_err(|_| wrong()) } else { Err(wrong()) }
        });
        let mut next = || parts.next().unwrap_or_else(|| Err(wrong()));
        let version = Version { major: next()?, minor: next()?, patch: next()? };
        if parts.next().is_some() { Err(wrong()) } else { Ok(version) }
    }
}

/// One entry of `triggers`: which events start the procedure, and how often.
#[derive(Clone, Debug)]
pub struct Trigger {
    pub span: Span,
    pub id: Option<Spanned<Id>>,
    pub source: Scalar,
    /// Expression over `event`.
    pub when: Option<Scalar>,
    /// Input → expression over `event`.
    pub inputs: Vec<(Spanned<Id>, Scalar)>,
    /// Text over `event`: the environment of the run.
    pub environment: Option<Scalar>,
    pub dedup: Option<Dedup>,
    pub accumulate: Option<Accumulate>,
    /// In these times nothing starts.
    pub quiet: Vec<Window>,
    pub limit: Option<Limit>,
    pub on_resolved: Option<Spanned<OnResolved>>,
    pub correlate: Option<Correlate>,
    pub concurrency: Option<Concurrency>,
}

/// Events with the same key are one, as long as the window lasts.
#[derive(Clone, Debug)]
pub struct Dedup {
    /// Expression over `event`.
    pub key: Scalar,
    pub window: Spanned<Duration>,
}

/// Only so many events within a time start a run.
#[derive(Clone, Debug)]
pub struct Accumulate {
    pub events: Spanned<u32>,
    pub within: Spanned<Duration>,
    /// Expression over `event`: those that give the same are counted together.
    pub key: Option<Scalar>,
}

/// At most `runs` in each `per`; what follows beyond that.
#[derive(Clone, Debug)]
pub struct Limit {
    pub runs: Spanned<u32>,
    pub per: Spanned<Duration>,
    pub then: Option<Spanned<Beyond>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beyond {
    #[default]
    Drop,
    Defer,
    Escalate,
}

/// What follows when the event that started a run is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnResolved {
    #[default]
    Ignore,
    Annotate,
    CancelIfWaiting,
}

/// Joins an event to the run that has the same key.
#[derive(Clone, Debug)]
pub struct Correlate {
    /// Expression over `event`.
    pub key: Scalar,
}

/// What a second run with the same key does while the first goes on.
#[derive(Clone, Debug)]
pub struct Concurrency {
    /// Expression: over `event` in a trigger, over `inputs` at the top of a procedure.
    pub key: Scalar,
    pub then: Option<Spanned<Second>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Second {
    #[default]
    Queue,
    Skip,
    Replace,
}

/// Where a secret comes from: `{from: <provider>, key: <key>}`, or `{env: NAME}`, `{file: PATH}`, `{command: [argv…]}`.
#[derive(Clone, Debug)]
pub struct SecretRef {
    pub span: Span,
    pub from: SecretFrom,
}

#[derive(Clone, Debug)]
pub enum SecretFrom {
    /// A provider of the workspace and the key to ask it for.
    Provider {
        provider: Scalar,
        key: Scalar,
    },
    Env(Scalar),
    File(Scalar),
    Command(Vec<Scalar>),
}

/// What every step of the procedure has unless it says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    pub timeout: Option<Spanned<Duration>>,
    pub retry: Option<Spanned<Retry>>,
    pub env: Vec<EnvEntry>,
    pub shell: Option<Spanned<super::step::Shell>>,
    pub on: Option<Node>,
}
