//! What of a way's past the findings rest on: little enough that ways which differ in nothing else are merged.

use std::collections::BTreeSet;

use super::must::Watch;
use super::way::{Seen, polls};
use crate::effect::Effect;
use crate::id::StepPath;
use crate::plan::{OnFailure, Plan, Step, StepIx, Verb};
use crate::run::decision::{Purpose, Standing as Answer};
use crate::run::event::{Resolution, StepOutcome};
use crate::run::view::{Standing, StepView};
use crate::run::{Fact, Run};

#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    /// People have said yes to something.
    pub approved: bool,
    /// The last change that nobody and nothing has looked at since.
    pub unverified: Option<StepIx>,
    /// Steps whose failure was passed over although they may have changed something, with nobody looking since.
    pub hidden: BTreeSet<StepIx>,
    /// After a failure the procedure has tried to put something right.
    pub mended: bool,
    /// Steps under way that hold others, one of which may have changed something, and whose failure would be passed over.
    touched: BTreeSet<StepPath>,
    watch: Watch,
}

impl Story {
    pub fn new(watch: Watch) -> Story {
        Story { watch, ..Story::default() }
    }

    /// Takes in what an event means. The run has applied it.
    pub fn take(&mut self, fact: &Fact, run: &Run, seen: &mut Vec<Seen>) {
        match fact {
            Fact::AttemptStarted { path, .. } => {
                if run.find_step(path).is_some_and(|view| changes(view.step())) {
                    self.touch(path, run);
                }
                if let Some(view) = run.find_step(path)
                    && view.step().effect == Effect::Destructive
                    && !self.approved
                    && !takes_back(path)
                {
                    seen.push(Seen::Unapproved(view.step_ix()));
                }
            }
            Fact::StepResolved { path, resolution: Resolution::Call { .. } } => {
                if let Some(view) = run.find_step(path)
                    && let Verb::Call { procedure, .. } = view.step().verb
                    && view.step().effect == Effect::Destructive
                    && highest(run.plan(), &run.plan().procedure(procedure).body) < Effect::Destructive
                    && !self.approved
                {
                    seen.push(Seen::Unapproved(view.step_ix()));
                }
            }
            Fact::Decided { decision, .. } => {
                let granted = run.decision(*decision).is_some_and(|decision| {
                    decision.standing == Answer::Granted && matches!(decision.purpose, Purpose::Approve | Purpose::Gate { .. })
                });
                self.approved |= granted;
            }
            _ => {}
        }
        for view in run.just_ended() {
            self.step_ended(view, run, fact);
        }
        // Both matter to a run that succeeds.
        if run.is_lost() {
            self.unverified = None;
            self.hidden.clear();
        }
        self.watch.take(fact, run, seen);
    }

    /// A step has begun to change something, or done so: whatever it stands in may leave that behind.
    fn touch(&mut self, path: &StepPath, run: &Run) {
        if !takes_back(path) {
            let passed_over = run.around(path).filter(|view| view.step().on_failure == OnFailure::Continue);
            self.touched.extend(passed_over.map(|view| view.path().clone()));
        }
    }

    fn step_ended(&mut self, view: StepView<'_>, run: &Run, by: &Fact) {
        let (step, path) = (view.step(), view.path());
        let Standing::Ended(outcome) = view.standing() else { return };
        // What people did themselves has no attempts.
        if outcome == StepOutcome::Succeeded && changes(step) && !step.verb.acts() {
            self.touch(path, run);
        }
        let touched = self.touched.remove(path);
        match outcome {
            // Where even that fails, at least it was thought of.
            StepOutcome::Succeeded | StepOutcome::Failed | StepOutcome::TimedOut
                if changes(step) && beside(path, "~on_failure") =>
            {
                self.mended = true;
            }
            StepOutcome::Succeeded if takes_back(path) || beside(path, "~finally") => {}
            StepOutcome::Succeeded if looks(step) && !is_left(view, by) => {
                self.unverified = None;
                self.hidden.clear();
            }
            StepOutcome::Succeeded if changes(step) => self.unverified = Some(view.step_ix()),
            StepOutcome::Failed | StepOutcome::TimedOut => {
                let passed_over = step.on_failure == OnFailure::Continue
                    && ["~on_failure", "~finally"].iter().all(|list| !beside(path, list))
                    && !takes_back(path);
                if passed_over && (touched || changes(step) && view.attempt() > 0) {
                    self.hidden.insert(view.step_ix());
                    // Which says the same of the changes inside.
                    self.unverified = None;
                }
            }
            _ => {}
        }
    }

    /// What one finding each would tell, without those that were reported: each of them goes on, and is done with, by itself.
    pub fn loose(&self, reported: impl Fn(Told) -> bool) -> BTreeSet<Told> {
        let all = self.unverified.map(Told::Unverified).into_iter().chain(self.hidden.iter().copied().map(Told::Hidden));
        all.filter(|told| !reported(*told)).collect()
    }

    /// The rest as bytes, without what has been reported: that makes no difference any more.
    pub fn write(&self, reported: impl Fn(Told) -> bool, bytes: &mut Vec<u8>) {
        bytes.extend([u8::from(self.approved), u8::from(self.mended)]);
        for path in &self.touched {
            bytes.extend(path.as_str().as_bytes());
            bytes.push(0);
        }
        self.watch.write(|number| reported(Told::Broken(number)), bytes);
    }
}

/// A part of a story that one finding tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    Unverified(StepIx),
    Hidden(StepIx),
    Broken(usize),
}

/// Whether a step by itself changes something that matters when it is left: news do not.
pub(super) fn changes(step: &Step) -> bool {
    let does = (step.verb.acts() && !matches!(step.verb, Verb::Notify { .. })) || matches!(step.verb, Verb::Manual(_));
    does && step.effect.changes()
}

/// Whether a step that succeeds has looked at the world: with its own eyes, by a condition, or with those of a person.
fn looks(step: &Step) -> bool {
    match &step.verb {
        Verb::Run { .. } | Verb::Exec(_) | Verb::Http(_) => step.effect == Effect::Read,
        Verb::Check(_) | Verb::Approve(_) | Verb::Ask(_) | Verb::Manual(_) | Verb::Repeat { .. } | Verb::Listen(_) => true,
        Verb::Wait(_) => polls(step),
        _ => false,
    }
}

/// Whether it is a loop that a `finish` in it has ended before its condition held.
fn is_left(view: StepView<'_>, by: &Fact) -> bool {
    let judged = matches!(by, Fact::ConditionJudged { path, .. } | Fact::StepConcluded { path, .. } if path == view.path());
    matches!(view.step().verb, Verb::Repeat { .. }) && !judged
}

/// Whether a step stands, at any depth, in the list of this name.
fn beside(path: &StepPath, list: &str) -> bool {
    path.as_str().split('/').any(|segment| segment == list)
}

pub(super) fn takes_back(path: &StepPath) -> bool {
    path.as_str().contains("~undo")
}

fn highest(plan: &Plan, steps: &[StepIx]) -> Effect {
    steps.iter().map(|ix| plan.step(*ix).effect).max().unwrap_or_default()
}
