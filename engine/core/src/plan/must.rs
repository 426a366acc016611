//! Properties that every path of a procedure keeps: what must never come, and what must have come before something else does.

use serde::{Deserialize, Serialize};

use super::{Origin, Plan, StepIx};
pub use crate::document::must::{RunEnd, StepMoment};
use crate::effect::Effect;
use crate::markdown::quoted;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Must {
    pub at: Origin,
    pub rule: Rule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A property that the workspace's policy of this name demands of every path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyMust {
    pub policy: String,
    pub must: Must,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// This never comes; with `after`, never once that has come.
    Never { moment: Moment, after: Option<Moment> },
    /// Before this comes, that has come.
    AlwaysBefore { moment: Moment, comes: Moment },
}

/// Something that happens at one moment of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    Step(StepIx, StepMoment),
    /// Any step that itself has this effect or a higher one; what takes a change back is none.
    Effect(Effect, StepMoment),
    /// Any step of the verb with this key.
    Verb(String, StepMoment),
    Run(RunEnd),
}

impl Plan {
    /// Every property that its paths keep: the procedure's own, then those of policies.
    pub fn musts(&self) -> impl Iterator<Item = &Must> {
        self.main().must.iter().chain(self.policy_must.iter().map(|of| &of.must))
    }

    /// What is wrong where a path does not keep the property of this number, in one line.
    pub(crate) fn broken(&self, number: usize) -> Option<String> {
        let own = self.main().must.len();
        if let Some(must) = self.main().must.get(number) {
            return Some(must.broken(self));
        }
        let of = self.policy_must.get(number.checked_sub(own)?)?;
        Some(format!("in `{}` {}: so the policy {} says", self.main().name, of.must.broken(self), quoted(&of.policy)))
    }
}

impl Must {
    /// What is wrong where a path does not keep it, in one line.
    fn broken(&self, plan: &Plan) -> String {
        match &self.rule {
            Rule::Never { moment, after: None } => format!("on some path {}, which must never be", moment.words(plan)),
            Rule::Never { moment, after: Some(after) } => {
                format!("on some path {} after {}, which must never be", moment.words(plan), after.words(plan))
            }
            Rule::AlwaysBefore { moment, comes } => {
                format!("on some path {}, and {} before", moment.words(plan), comes.absent(plan))
            }
        }
    }
}

impl Moment {
    /// As an author writes it, where `unless` is meant if no end is named.
    fn written(&self, unless: StepMoment, plan: &Plan) -> String {
        let of = |what: &str, name: &dyn std::fmt::Display, moment: &StepMoment| match *moment == unless {
            true => format!("{{{what}: {name}}}"),
            false => format!("{{{what}: {name}, ends: {}}}", moment.key()),
        };
        match self {
            Moment::Step(ix, moment) if *moment == unless => plan.step(*ix).label.clone(),
            Moment::Step(ix, moment) => of("step", &plan.step(*ix).label, moment),
            Moment::Effect(effect, moment) => of("effect", effect, moment),
            Moment::Verb(verb, moment) => of("verb", verb, moment),
            Moment::Run(end) => format!("{{run: {}}}", end.word()),
        }
    }

    fn words(&self, plan: &Plan) -> String {
        match self {
            Moment::Step(ix, moment) => format!("`{}` {}", plan.step(*ix).label, moment.word()),
            Moment::Effect(effect, moment) => format!("a step of effect `{effect}` {}", moment.word()),
            Moment::Verb(verb, moment) => format!("a step `{verb}` {}", moment.word()),
            Moment::Run(end) => format!("the run ends {}", end.word()),
        }
    }
}

impl Moment {
    /// That it has not come.
    fn absent(&self, plan: &Plan) -> String {
        match self {
            Moment::Step(ix, moment) => format!("`{}` {}", plan.step(*ix).label, moment.absent().0),
            Moment::Effect(effect, moment) => format!("no step of effect `{effect}` {}", moment.absent().1),
            Moment::Verb(verb, moment) => format!("no step `{verb}` {}", moment.absent().1),
            Moment::Run(end) => format!("the run has not ended {}", end.word()),
        }
    }
}

impl Rule {
    /// As an author writes it, on one line.
    pub(crate) fn written(&self, plan: &Plan) -> String {
        let (first, second) = (StepMoment::Begins, StepMoment::Succeeded);
        match self {
            Rule::Never { moment, after: None } => format!("{{never: {}}}", moment.written(first, plan)),
            Rule::Never { moment, after: Some(after) } => {
                format!("{{never: {}, after: {}}}", moment.written(first, plan), after.written(second, plan))
            }
            Rule::AlwaysBefore { moment, comes } => {
                format!("{{always_before: {}, comes: {}}}", moment.written(first, plan), comes.written(second, plan))
            }
        }
    }

    /// The steps that it names.
    pub(super) fn steps(&self) -> impl Iterator<Item = StepIx> {
        let (one, other) = match self {
            Rule::Never { moment, after } => (moment, after.as_ref()),
            Rule::AlwaysBefore { moment, comes } => (moment, Some(comes)),
        };
        let step = |moment: &Moment| if let Moment::Step(ix, _) = moment { Some(*ix) } else { None };
        step(one).into_iter().chain(other.and_then(step))
    }
}

impl StepMoment {
    fn key(self) -> &'static str {
        match self {
            StepMoment::Begins => "begins",
            StepMoment::Succeeded => "succeeded",
            StepMoment::Failed => "failed",
            StepMoment::Unknown => "unknown",
            StepMoment::Skipped => "skipped",
        }
    }

    fn word(self) -> &'static str {
        match self {
            StepMoment::Begins => "begins",
            StepMoment::Succeeded => "succeeds",
            StepMoment::Failed => "fails",
            StepMoment::Unknown => "ends unknown",
            StepMoment::Skipped => "is skipped",
        }
    }
}

impl StepMoment {
    /// That it has not come: of one step, and behind `no step`.
    fn absent(self) -> (&'static str, &'static str) {
        match self {
            StepMoment::Begins => ("has not begun", "has begun"),
            StepMoment::Succeeded => ("has not succeeded", "has succeeded"),
            StepMoment::Failed => ("has not failed", "has failed"),
            StepMoment::Unknown => ("has not ended unknown", "has ended unknown"),
            StepMoment::Skipped => ("was not skipped", "was skipped"),
        }
    }
}

impl RunEnd {
    fn word(self) -> &'static str {
        match self {
            RunEnd::Succeeded => "succeeded",
            RunEnd::Failed => "failed",
            RunEnd::Rejected => "rejected",
            RunEnd::RolledBack => "rolled_back",
            RunEnd::NeedsAttention => "needs_attention",
        }
    }
}
