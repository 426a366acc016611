//! Properties of `must`: the steps that they name exist.

use super::procedure::Checked;
use crate::diagnostic::{Code, Spanned};
use crate::document::must::{Moment, Must, Rule, StepMoment, Subject};
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
        use plan::must::Rule as Kept;
        let rule = match &must.rule {
            Rule::Never { moment, after } => {
                let after = after.as_ref().map(|after| self.moment(after, StepMoment::Succeeded));
                let moment = self.moment(moment, StepMoment::Begins);
                Kept::Never { moment: moment?, after: super::procedure::flip(after)? }
            }
            Rule::AlwaysBefore { moment, comes } => {
                let (moment, comes) = (self.moment(moment, StepMoment::Begins), self.moment(comes, StepMoment::Succeeded));
                Kept::AlwaysBefore { moment: moment?, comes: comes? }
            }
        };
        Some(plan::must::Must { at: self.origin(must.span), rule, why: must.why.as_ref().map(|why| why.value.clone()) })
    }

    /// `unless`: what is meant of a step whose end is not named.
    fn moment(&mut self, moment: &Moment, unless: StepMoment) -> Option<plan::must::Moment> {
        use plan::must::Moment as Kept;
        let when = moment.ends.unwrap_or(unless);
        Some(match &moment.of {
            Subject::Step(id) => Kept::Step(self.named_step(id)?, when),
            Subject::Effect(effect) => Kept::Effect(*effect, when),
            Subject::Verb(verb) => Kept::Verb((*verb).to_owned(), when),
            Subject::Run(end) => Kept::Run(*end),
        })
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
