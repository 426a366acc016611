//! What the cases of a procedure have been through: its steps, both ways of each condition, each branch, failures, and what
//! takes changes back.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Plan, Step, StepIx, Verb, Verify};
use crate::run::event::{AttemptEnd, Resolution, StepOutcome};
use crate::run::view::Standing;
use crate::run::{Event, Fact, Run};

/// Something that a case can go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// The step began.
    Step(StepIx),
    /// Its condition held, or did not.
    Condition(StepIx, bool),
    /// The branch of a `choose` with this number; `None`: none of them.
    Branch(StepIx, Option<u32>),
    /// It failed, timed out, did not hold, or was refused.
    Failure(StepIx),
    /// It was taken back.
    Undo(StepIx),
}

impl Point {
    pub fn step(self) -> StepIx {
        match self {
            Point::Step(ix) | Point::Condition(ix, _) | Point::Branch(ix, _) | Point::Failure(ix) | Point::Undo(ix) => ix,
        }
    }

    /// What it is of, as a table of coverage counts it.
    pub fn class(self) -> &'static str {
        match self {
            Point::Step(_) => "steps",
            Point::Condition(..) | Point::Branch(..) => "branches",
            Point::Failure(_) => "failures",
            Point::Undo(_) => "undos",
        }
    }

    /// What no case has been through, in words.
    pub fn missing(self, plan: &Plan) -> String {
        let label = called(plan, self.step());
        match self {
            Point::Step(_) => format!("no case comes to `{label}`"),
            Point::Condition(_, true) => format!("no case has the condition of `{label}` hold"),
            Point::Condition(_, false) => format!("no case skips `{label}`"),
            Point::Branch(_, Some(place)) => format!("no case takes branch {} of `{label}`", place + 1),
            Point::Branch(_, None) => format!("no case passes `{label}` by"),
            Point::Failure(_) => format!("`{label}` fails in no case"),
            Point::Undo(_) => format!("`{label}` is taken back in no case"),
        }
    }
}

/// A step as a case calls it.
fn called(plan: &Plan, ix: StepIx) -> String {
    let label = &plan.step(ix).label;
    let undone = plan.steps.iter().find(|step| step.undo.contains(&ix)).map(|step| format!("{}~undo/{label}", step.label));
    let looks = |step: &&Step| matches!(&step.verify, Some(Verify::Step(verify)) if *verify == ix);
    let looked_at = || plan.steps.iter().find(looks).map(|step| format!("{}~verify/{label}", step.label));
    undone.or_else(looked_at).unwrap_or_else(|| label.clone())
}

const CLASSES: [&str; 4] = ["steps", "branches", "failures", "undos"];

/// What there is to go through, and how often the cases did.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    points: BTreeMap<Point, u64>,
}

impl Coverage {
    /// Everything of the plan, and nothing of it gone through yet.
    pub fn of(plan: &Plan) -> Coverage {
        let mut points = BTreeSet::new();
        for (number, step) in (0..).zip(&plan.steps) {
            let ix = StepIx(number);
            points.insert(Point::Step(ix));
            if step.condition.is_some() {
                points.extend([Point::Condition(ix, true), Point::Condition(ix, false)]);
            }
            if let Verb::Choose(branches) = &step.verb {
                points.extend((0..).zip(branches).map(|(place, _)| Point::Branch(ix, Some(place))));
                if branches.iter().all(|branch| branch.when.is_some()) {
                    points.insert(Point::Branch(ix, None));
                }
            }
            if !step.verb.is_container() && !matches!(step.verb, Verb::Set(_) | Verb::Finish { .. } | Verb::Wait(_)) {
                points.insert(Point::Failure(ix));
            }
            if !step.undo.is_empty() {
                points.insert(Point::Undo(ix));
            }
        }
        Coverage { points: points.into_iter().map(|point| (point, 0)).collect() }
    }

    /// Adds what a run has been through.
    pub fn add(&mut self, run: &Run, events: &[Event]) {
        let mut seen = BTreeSet::new();
        for event in events {
            match &event.fact {
                Fact::StepResolved { path, resolution } => {
                    let Some(view) = run.find_step(path) else { continue };
                    let ix = view.step_ix();
                    let skipped = matches!(resolution, Resolution::Skip { .. });
                    if view.step().condition.is_some() {
                        seen.insert(Point::Condition(ix, !skipped));
                    }
                    if !skipped {
                        seen.insert(Point::Step(ix));
                    }
                    if let Resolution::Branch(branch) = resolution {
                        seen.insert(Point::Branch(ix, *branch));
                    }
                }
                Fact::AttemptFinished { path, end, .. } => {
                    let failed =
                        matches!(end, AttemptEnd::Failed { .. } | AttemptEnd::TimedOut { .. } | AttemptEnd::Unknown { .. });
                    if let Some(view) = run.find_step(path).filter(|_| failed) {
                        seen.insert(Point::Failure(view.step_ix()));
                    }
                }
                _ => {}
            }
        }
        for view in run.steps() {
            if let Standing::Ended(StepOutcome::Failed | StepOutcome::TimedOut) = view.standing() {
                seen.insert(Point::Failure(view.step_ix()));
            }
            if let Some((of, _)) = view.path().as_str().rsplit_once("~undo")
                && let Some(view) = of.parse().ok().and_then(|of| run.find_step(&of))
            {
                seen.insert(Point::Undo(view.step_ix()));
            }
        }
        for point in seen {
            if let Some(times) = self.points.get_mut(&point) {
                *times += 1;
            }
        }
    }

    /// Adds what other cases of the same plan have been through.
    pub fn join(&mut self, other: &Coverage) {
        for (point, times) in &other.points {
            *self.points.entry(*point).or_default() += times;
        }
    }

    /// Of each class: how much was gone through, and how much there is.
    pub fn table(&self) -> [(&'static str, usize, usize); 4] {
        CLASSES.map(|class| {
            let of = || self.points.iter().filter(|(point, _)| point.class() == class);
            (class, of().filter(|(_, times)| **times > 0).count(), of().count())
        })
    }

    /// What no case has been through.
    pub fn missing(&self) -> impl Iterator<Item = Point> {
        self.points.iter().filter(|(_, times)| **times == 0).map(|(point, _)| *point)
    }
}
