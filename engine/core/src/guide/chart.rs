//! The flow of a procedure as a tree: what follows one another, what is chosen, what goes on at once, what is repeated. Whoever draws
//! it decides how; each item has the number of its step, by which a run can be shown in it.

use super::{Lead, leads, title};
use crate::document::step::FinishOutcome;
use crate::effect::Effect;
use crate::limits;
use crate::plan::{self, OnFailure, Plan, StepIx, Verb};

pub struct Chart {
    pub body: Vec<Item>,
    /// After a failure, before anything is taken back.
    pub on_failure: Vec<Item>,
    /// However it ends.
    pub finally: Vec<Item>,
    /// Whether the steps inside others were left out, because there are too many.
    pub folded: bool,
}

/// One step of the chart. What a called procedure does is in a chart of its own.
pub struct Item {
    pub number: String,
    pub step: StepIx,
    /// On one line.
    pub title: String,
    pub effect: Effect,
    pub shape: Shape,
    /// The condition under which it runs.
    pub condition: Option<String>,
    /// Whether something takes it back.
    pub undone: bool,
    /// The number of the step that follows in place of the next one.
    pub jumps: Option<String>,
    /// What follows if it fails, where that is not the end.
    pub fails: Fails,
    /// In the chart of a run: what became of it there.
    pub stands: Option<Stands>,
}

/// What became of a step in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stands {
    pub word: String,
    /// How that looks.
    pub class: &'static str,
    /// Where it is told whole.
    pub address: String,
}

pub enum Fails {
    Stops,
    GoesOn,
    TakenBack,
    To(String),
}

pub enum Shape {
    /// Something is done or looked at.
    Does,
    /// People decide before anything goes on.
    Gate,
    /// A wait.
    Waits,
    /// Another procedure.
    Calls(String),
    /// One of these ways; `open` where none may hold, and it goes on.
    Chooses {
        lanes: Vec<Lane>,
        open: bool,
    },
    /// All of these at once.
    Forks(Vec<Lane>),
    /// Again and again; the text says how often.
    Repeats {
        how: String,
        body: Vec<Item>,
    },
    Groups(Vec<Item>),
    Finishes(FinishOutcome),
}

pub struct Lane {
    /// What the way is called: a condition, `otherwise`, a branch.
    pub name: String,
    pub body: Vec<Item>,
}

impl Chart {
    /// The chart of a run: of each step, by its number, what became of it.
    pub fn of_run(mut self, stands: &dyn Fn(&str) -> Option<Stands>) -> Chart {
        fn place(items: &mut [Item], stands: &dyn Fn(&str) -> Option<Stands>) {
            for item in items {
                item.stands = stands(&item.number);
                match &mut item.shape {
                    Shape::Chooses { lanes, .. } | Shape::Forks(lanes) => {
                        lanes.iter_mut().for_each(|lane| place(&mut lane.body, stands));
                    }
                    Shape::Repeats { body, .. } | Shape::Groups(body) => place(body, stands),
                    Shape::Does | Shape::Gate | Shape::Waits | Shape::Calls(_) | Shape::Finishes(_) => {}
                }
            }
        }
        [&mut self.body, &mut self.on_failure, &mut self.finally].into_iter().for_each(|list| place(list, stands));
        self
    }
}

/// The chart of a plan; `None` where even the outermost steps are more than anybody reads.
pub fn charted(plan: &Plan) -> Option<Chart> {
    charted_within(plan, limits::CHART_STEPS)
}

/// The same, of at most so many steps.
pub fn charted_within(plan: &Plan, steps: usize) -> Option<Chart> {
    let main = plan.main();
    [false, true].into_iter().find_map(|folded| {
        let mut drawing = Drawing { plan, folded, left: steps };
        let body = drawing.list(&main.body)?;
        let (on_failure, finally) = (drawing.list(&main.on_failure)?, drawing.list(&main.finally)?);
        Some(Chart { body, on_failure, finally, folded })
    })
}

struct Drawing<'p> {
    plan: &'p Plan,
    folded: bool,
    left: usize,
}

impl Drawing<'_> {
    fn list(&mut self, list: &[StepIx]) -> Option<Vec<Item>> {
        list.iter().map(|ix| self.item(*ix)).collect()
    }

    fn item(&mut self, ix: StepIx) -> Option<Item> {
        self.left = self.left.checked_sub(1)?;
        let plan = self.plan;
        let step = plan.step(ix);
        let number = |ix: StepIx| plan.number(&[], ix);
        Some(Item {
            number: number(ix),
            step: ix,
            title: title(plan, step).split_whitespace().collect::<Vec<_>>().join(" "),
            effect: step.effect,
            shape: self.shape(&step.verb, plan::inside(step))?,
            condition: step.condition.as_ref().map(|condition| condition.source.trim().to_owned()),
            undone: !step.undo.is_empty(),
            jumps: step.next.map(number),
            fails: match step.on_failure {
                OnFailure::Stop => Fails::Stops,
                OnFailure::Continue => Fails::GoesOn,
                OnFailure::Rollback => Fails::TakenBack,
                OnFailure::Next(ix) => Fails::To(number(ix)),
            },
            stands: None,
        })
    }

    fn shape(&mut self, verb: &Verb, inside: Vec<&[StepIx]>) -> Option<Shape> {
        let mut lists = Vec::new();
        if !self.folded {
            for list in inside {
                lists.push(self.list(list)?);
            }
        }
        let mut one = || lists.pop().unwrap_or_default();
        Some(match verb {
            Verb::Approve(_) | Verb::Ask(_) | Verb::Manual(_) => Shape::Gate,
            Verb::Wait(_) | Verb::Listen(_) => Shape::Waits,
            Verb::Finish { outcome, .. } => Shape::Finishes(*outcome),
            Verb::Call { procedure, .. } => {
                let called = self.plan.procedure(*procedure);
                Shape::Calls(format!("{} {}", called.name, called.version))
            }
            Verb::Group(_) => Shape::Groups(one()),
            Verb::Each(each) => Shape::Repeats { how: format!("for each of {}", each.items.source.trim()), body: one() },
            Verb::Repeat { until, times, .. } => {
                Shape::Repeats { how: format!("until {}, {times} times at most", until.source.trim()), body: one() }
            }
            Verb::Choose(branches) => {
                let open = branches.iter().all(|branch| branch.when.is_some());
                Shape::Chooses { lanes: lanes(verb, lists), open }
            }
            Verb::Parallel { .. } => Shape::Forks(lanes(verb, lists)),
            _ => Shape::Does,
        })
    }
}

fn lanes(verb: &Verb, lists: Vec<Vec<Item>>) -> Vec<Lane> {
    let name = |lead: Option<Lead>| match lead {
        Some(Lead::When(when)) => when,
        Some(Lead::Otherwise) => "otherwise".to_owned(),
        Some(Lead::Branch(name)) => name,
        Some(Lead::Probe | Lead::OnFailure | Lead::Finally | Lead::InPlaceOf(_) | Lead::PartOf(_)) | None => String::new(),
    };
    lists.into_iter().zip(leads(verb)).map(|(body, lead)| Lane { name: name(lead), body }).collect()
}
