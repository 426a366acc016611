//! Where a failure that its procedure survives leads a run past steps, or to steps that a success jumps over.

use super::number::inside;
use super::{OnFailure, Plan, ProcedureIx, Step, StepIx};
use crate::id::Id;

impl Step {
    /// Where a success of the step leads, and where its failure does, if that is not the step behind it.
    pub(crate) fn jumps(&self) -> impl Iterator<Item = StepIx> {
        let failed = if let OnFailure::Next(to) = self.on_failure { Some(to) } else { None };
        self.next.into_iter().chain(failed)
    }
}

impl Plan {
    /// Whether a run of the procedure's body in which a step fails can come to have what the step of this id gives where one in which
    /// all succeed lacks it, or the other way round. Without an id it is asked of any step.
    ///
    /// Behind a step whose failure leads elsewhere than its success, that may be so of every step of the list: what such a run comes to
    /// may jump on.
    pub(crate) fn is_jumped(&self, procedure: ProcedureIx, id: Option<&Id>) -> bool {
        self.jumps_in(&self.procedure(procedure).body, id, false)
    }

    /// `behind`: whether the list stands behind such a step.
    fn jumps_in(&self, list: &[StepIx], id: Option<&Id>, mut behind: bool) -> bool {
        list.iter().map(|ix| self.step(*ix)).any(|step| {
            let own = id.map_or(step.id.is_some(), |id| step.id.as_ref() == Some(id));
            let found = behind && own || inside(step).into_iter().any(|list| self.jumps_in(list, id, behind));
            behind |= match step.on_failure {
                OnFailure::Next(_) => true,
                // A step that has failed goes on with the one behind it, and not with its `next`.
                OnFailure::Continue => step.next.is_some(),
                OnFailure::Stop | OnFailure::Rollback => false,
            };
            found
        })
    }

    /// Whether the procedure's body goes on after the failure of some step.
    pub(crate) fn survives_failures(&self, procedure: ProcedureIx) -> bool {
        self.bears_failures(&self.procedure(procedure).body)
    }

    fn bears_failures(&self, list: &[StepIx]) -> bool {
        list.iter().map(|ix| self.step(*ix)).any(|step| {
            let goes_on = step.verb.tolerates() || step.on_failure.goes_on();
            goes_on || inside(step).into_iter().any(|list| self.bears_failures(list))
        })
    }
}
