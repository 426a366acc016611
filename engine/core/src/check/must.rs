//! Properties of `must`: the steps that they name exist.

use super::procedure::Checked;
use crate::diagnostic::{Code, Spanned};
use crate::document::must::Must;
use crate::id::Id;
use crate::plan::{self, StepIx};

impl Checked<'_, '_> {
    /// `None` where a step that one of them names does not exist.
    pub fn properties(&mut self) -> Option<Vec<plan::must::Must>> {
        let procedure = self.procedure;
        let all: Vec<_> = procedure.must.iter().map(|must| self.property(must)).collect();
        all.into_iter().collect()
    }

    fn property(&mut self, must: &Must) -> Option<plan::must::Must> {
        let rule = must.rule.lower(|id| self.named_step(id))?;
        Some(plan::must::Must { at: self.origin(must.span), rule, why: must.why.as_ref().map(|why| why.value.clone()) })
    }

    fn named_step(&mut self, id: &Spanned<Id>) -> Option<StepIx> {
        if let Some(ix) = self.tree.find(id.value.as_str()) {
            return Some(self.index(ix));
        }
        let near = self.nearest(id.value.as_str(), self.tree.ids());
        let fault = self.new_fault(Code::RB0103, id.span, format!("there is no step `{}` in this procedure", id.value));
        let fault = match near {
            Some(near) => fault.help(format!("did you mean `{near}`?")).replace(id.span, near),
            None => fault.help("name the `id` of a step; steps of a called procedure have properties of their own"),
        };
        self.report(fault);
        None
    }
}
