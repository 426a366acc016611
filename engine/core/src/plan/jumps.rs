//! Where a failure that its procedure survives leads a run past steps, or to steps that a success jumps over.

use super::{OnFailure, Plan, ProcedureIx, StepIx, Verb};
use crate::id::Id;

impl Plan {
    /// Whether a run of the procedure's body in which a step fails can lack what the step of this id gives where one in which all
    /// succeed has it (`there`), or have it where that one lacks it. Without an id it is asked of any step.
    pub(crate) fn is_jumped(&self, procedure: ProcedureIx, id: Option<&Id>, there: bool) -> bool {
        self.jumps_in(&self.procedure(procedure).body, id, there)
    }

    fn jumps_in(&self, list: &[StepIx], id: Option<&Id>, there: bool) -> bool {
        let holds = |from: usize, to: usize| list.get(from..to).unwrap_or_default().iter().any(|ix| self.holds(*ix, id));
        list.iter().enumerate().any(|(place, ix)| {
            let step = self.step(*ix);
            let to = |target: StepIx| list.iter().position(|ix| *ix == target).unwrap_or(list.len());
            let here = match (step.on_failure, there) {
                (OnFailure::Next(target), true) => holds(place + 1, to(target)),
                // What a success jumps over from there on.
                (OnFailure::Next(target), false) => holds(to(target), list.len()),
                // A step that has failed goes on with the one behind it, and not with its `next`.
                (OnFailure::Continue, false) => step.next.is_some_and(|next| holds(place + 1, to(next))),
                _ => false,
            };
            here || match &step.verb {
                Verb::Group(body) | Verb::Repeat { body, .. } => self.jumps_in(body, id, there),
                Verb::Each(each) => self.jumps_in(&each.body, id, there),
                Verb::Choose(branches) => branches.iter().any(|branch| self.jumps_in(&branch.body, id, there)),
                Verb::Parallel { branches, .. } => branches.iter().any(|(_, body)| self.jumps_in(body, id, there)),
                _ => false,
            }
        })
    }

    /// Whether the procedure's body goes on after the failure of some step.
    pub(crate) fn survives_failures(&self, procedure: ProcedureIx) -> bool {
        self.procedure(procedure).body.iter().any(|ix| self.bears_failures(*ix))
    }

    fn bears_failures(&self, ix: StepIx) -> bool {
        let step = self.step(ix);
        let tolerates = matches!(&step.verb, Verb::Each(each) if each.max_failures > 0);
        let goes_on = tolerates || matches!(step.on_failure, OnFailure::Continue | OnFailure::Next(_));
        goes_on || step.inner().into_iter().any(|inner| self.bears_failures(inner))
    }

    /// Whether a step is that of this id, or holds it.
    fn holds(&self, ix: StepIx, id: Option<&Id>) -> bool {
        let step = self.step(ix);
        let own = id.map_or(step.id.is_some(), |id| step.id.as_ref() == Some(id));
        own || step.inner().into_iter().any(|inner| self.holds(inner, id))
    }
}
