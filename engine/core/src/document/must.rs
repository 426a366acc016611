//! `must`: properties that every path of a procedure keeps, as they were written.

use serde::{Deserialize, Serialize};

use super::Scalar;
use crate::diagnostic::{Span, Spanned};
use crate::effect::Effect;
use crate::id::Id;
use crate::plan::{self, StepIx};

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

impl Rule {
    /// The property of a plan in which `step` finds the steps; `None` where it does not find one.
    pub(crate) fn lower(&self, mut step: impl FnMut(&Spanned<Id>) -> Option<StepIx>) -> Option<plan::must::Rule> {
        Some(match self {
            Rule::Never { moment, after } => {
                let after = after.as_ref().map(|after| after.lower(StepMoment::Succeeded, &mut step));
                let moment = moment.lower(StepMoment::Begins, &mut step);
                plan::must::Rule::Never {
                    moment: moment?,
                    after: match after {
                        Some(after) => Some(after?),
                        None => None,
                    },
                }
            }
            Rule::AlwaysBefore { moment, comes } => {
                let (moment, comes) = (moment.lower(StepMoment::Begins, &mut step), comes.lower(StepMoment::Succeeded, &mut step));
                plan::must::Rule::AlwaysBefore { moment: moment?, comes: comes? }
            }
        })
    }
}

impl Moment {
    /// `unless`: what is meant of a step whose end is not named.
    fn lower(&self, unless: StepMoment, step: &mut impl FnMut(&Spanned<Id>) -> Option<StepIx>) -> Option<plan::must::Moment> {
        use plan::must::Moment as Kept;
        let when = self.ends.unwrap_or(unless);
        Some(match &self.of {
            Subject::Step(id) => Kept::Step(step(id)?, when),
            Subject::Effect(effect) => Kept::Effect(*effect, when),
            Subject::Verb(verb) => Kept::Verb((*verb).to_owned(), when),
            Subject::Run(end) => Kept::Run(*end),
        })
    }
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
