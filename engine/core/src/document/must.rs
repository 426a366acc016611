//! `must`: properties that every path of a procedure keeps, as they were written.

use serde::{Deserialize, Serialize};

use super::Scalar;
use crate::diagnostic::{Span, Spanned};
use crate::effect::Effect;
use crate::id::Id;

/// One property.
#[derive(Clone, Debug)]
pub struct Must {
    pub span: Span,
    pub rule: Rule,
    /// Plain text: why it holds.
    pub why: Option<Scalar>,
}

#[derive(Clone, Debug)]
pub enum Rule {
    Never { moment: Moment, after: Option<Moment> },
    AlwaysBefore { moment: Moment, comes: Moment },
}

/// Something that happens at one moment of a run.
#[derive(Clone, Debug)]
pub struct Moment {
    pub span: Span,
    pub of: Subject,
    /// Absent: where the moment stands decides.
    pub ends: Option<StepMoment>,
}

#[derive(Clone, Debug)]
pub enum Subject {
    Step(Spanned<Id>),
    /// Any step of this effect or a higher one.
    Effect(Effect),
    Verb(&'static str),
    Run(RunEnd),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepMoment {
    Begins,
    /// Of an `approve`: it was granted.
    Succeeded,
    /// It failed, timed out or was refused.
    Failed,
    Unknown,
    Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    Succeeded,
    Failed,
    Rejected,
    RolledBack,
    NeedsAttention,
}
