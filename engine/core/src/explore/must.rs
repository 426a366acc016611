//! Watches whether a path keeps the properties of `must`. Of each, one thing of the past matters: whether what it waits for has
//! come.

use super::story::takes_back;
use super::way::Seen;
use crate::effect::Effect;
use crate::plan::must::{Moment, Rule, RunEnd, StepMoment};
use crate::plan::{Plan, Verb};
use crate::run::event::{OutcomeKind, Resolution, StepOutcome};
use crate::run::view::{Standing, StepView};
use crate::run::{Fact, Run};

/// Of each property, whether its `after` or `comes` has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Vec<bool>);

impl Watch {
    pub fn of(plan: &Plan) -> Watch {
        Watch(vec![false; plan.musts().count()])
    }

    /// Takes in what an event means. The run has applied it.
    pub fn take(&mut self, fact: &Fact, run: &Run, seen: &mut Vec<Seen>) {
        if self.0.is_empty() {
            return;
        }
        let begins = match fact {
            Fact::AttemptStarted { path, .. } => run.find_step(path),
            Fact::StepResolved { path, resolution } => match resolution {
                Resolution::Skip { .. } | Resolution::Fail { .. } | Resolution::Work(_) => None,
                _ => run.find_step(path),
            },
            _ => None,
        };
        if let Some(view) = begins {
            self.come(run, seen, |moment| is_step(moment, &view, StepMoment::Begins));
        }
        for view in run.just_ended() {
            let Standing::Ended(outcome) = view.standing() else { continue };
            let end = match outcome {
                StepOutcome::Succeeded => StepMoment::Succeeded,
                StepOutcome::Failed | StepOutcome::TimedOut => StepMoment::Failed,
                StepOutcome::Unknown => StepMoment::Unknown,
                StepOutcome::Skipped => StepMoment::Skipped,
                StepOutcome::Cancelled => continue,
            };
            self.come(run, seen, |moment| is_step(moment, &view, end));
        }
        if let Fact::RunFinished { outcome } = fact {
            let end = match outcome.kind {
                OutcomeKind::Succeeded => RunEnd::Succeeded,
                OutcomeKind::Failed => RunEnd::Failed,
                OutcomeKind::Rejected => RunEnd::Rejected,
                OutcomeKind::RolledBack => RunEnd::RolledBack,
                OutcomeKind::NeedsAttention => RunEnd::NeedsAttention,
                OutcomeKind::Cancelled => return,
            };
            self.come(run, seen, |moment| *moment == Moment::Run(end));
        }
    }

    /// A moment has come: first whatever it breaks, then whatever it is waited for as.
    fn come(&mut self, run: &Run, seen: &mut Vec<Seen>, is: impl Fn(&Moment) -> bool) {
        for (number, (must, waited)) in run.plan().musts().zip(&mut self.0).enumerate() {
            let (moment, broken, wanted) = match &must.rule {
                Rule::Never { moment, after: None } => (moment, true, None),
                Rule::Never { moment, after: Some(after) } => (moment, *waited, Some(after)),
                Rule::AlwaysBefore { moment, comes } => (moment, !*waited, Some(comes)),
            };
            if broken && is(moment) {
                seen.push(Seen::Broken(number));
            }
            *waited |= wanted.is_some_and(&is);
        }
    }

    pub fn write(&self, reported: impl Fn(usize) -> bool, bytes: &mut Vec<u8>) {
        bytes.extend(self.0.iter().enumerate().map(|(number, waited)| u8::from(*waited && !reported(number))));
    }
}

fn is_step(moment: &Moment, view: &StepView<'_>, now: StepMoment) -> bool {
    let step = view.step();
    // What a wait reads is read by its probe.
    let own = !step.verb.is_container() && !matches!(step.verb, Verb::Wait(_)) && !takes_back(view.path());
    match moment {
        Moment::Step(ix, when) => *when == now && *ix == view.step_ix(),
        Moment::Effect(effect, when) => *when == now && own && step.effect >= *effect && step.effect > Effect::None,
        Moment::Verb(verb, when) => *when == now && own && step.verb.key() == verb,
        Moment::Run(_) => false,
    }
}
