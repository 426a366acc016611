//! What may and what must still happen from each place of a walk on, where nothing more goes wrong: who is asked, what is taken back,
//! what the procedure does about a failure, how the run ends, and with which step it goes on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::left::{Left, Set, Spread, taken_back};
use super::pre_mortem::who;
use super::turn::{Turn, What};
use super::walk::Walk;
use crate::id::StepPath;
use crate::plan::{Plan, Step, StepIx, Verb, WaitFor};
use crate::run::event::OutcomeKind;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happens {
    /// It is looked at what became of an attempt.
    Looks,
    OnFailure(StepPath),
    TakenBack(StepPath),
    Asked(String, StepPath),
    Ends(OutcomeKind),
}

pub(super) struct Ahead<'w> {
    walk: &'w Walk,
    left: &'w Left<'w>,
    all: Vec<Happens>,
    numbers: BTreeMap<Happens, usize>,
    from: Vec<Option<Spread>>,
    /// What waits look with.
    probes: BTreeSet<StepIx>,
}

/// What follows some ways, all of them together.
#[derive(Default)]
pub(super) struct Following {
    /// Each with whether it happens on every way.
    pub happens: Vec<(Happens, bool)>,
    /// The steps with which it may go on.
    pub goes_on: Vec<StepPath>,
    /// Whether it goes on with none of them on some way.
    pub or_not: bool,
}

impl<'w> Ahead<'w> {
    pub fn of(walk: &'w Walk, left: &'w Left<'w>) -> Ahead<'w> {
        let places = walk.places.len();
        let mut ahead =
            Ahead { walk, left, all: Vec::new(), numbers: BTreeMap::new(), from: vec![None; places], probes: probes(&walk.plan) };
        let (order, loops) = left.order();
        for at in order {
            let turns = left.turns(*at).filter(|(.., worsens)| !worsens).flat_map(|(turn, ..)| happens(walk, turn));
            let ends = walk.places.get(*at as usize).and_then(|place| place.end).map(Happens::Ends);
            for one in turns.chain(ends) {
                if !ahead.numbers.contains_key(&one) {
                    ahead.numbers.insert(one.clone(), ahead.all.len());
                    ahead.all.push(one);
                }
            }
        }
        while ahead.look(order) && loops {}
        ahead
    }

    /// Once from the ends to the beginning; whether that told anything new.
    fn look(&mut self, order: &[u32]) -> bool {
        let mut moved = false;
        let none = Set::none(self.all.len());
        for at in order.iter().rev() {
            let mut here: Option<Spread> = None;
            let mut goes_on = false;
            for (turn, to, _) in self.left.turns(*at).filter(|(.., worsens)| !worsens) {
                goes_on = true;
                let Some(Some(mut next)) = self.from.get(to as usize).cloned() else { continue };
                for number in happens(self.walk, turn).iter().filter_map(|one| self.numbers.get(one)) {
                    next.put(*number, true);
                }
                match &mut here {
                    Some(here) => drop(here.join(&next)),
                    None => here = Some(next),
                }
            }
            if !goes_on {
                let mut end = Spread { some: none.clone(), each: none.clone() };
                let ends = self.walk.places.get(*at as usize).and_then(|place| place.end).map(Happens::Ends);
                if let Some(number) = ends.and_then(|ends| self.numbers.get(&ends)) {
                    end.put(*number, true);
                }
                here = Some(end);
            }
            if let Some(known) = self.from.get_mut(*at as usize)
                && *known != here
            {
                *known = here;
                moved = true;
            }
        }
        moved
    }

    /// What follows these places, after a step has gone wrong whose paths are its own.
    pub fn following(&self, places: &BTreeSet<u32>, own: impl Fn(&StepPath) -> bool) -> Following {
        let mut all: Option<Spread> = None;
        for from in places.iter().filter_map(|place| self.from.get(*place as usize)?.as_ref()) {
            match &mut all {
                Some(all) => drop(all.join(from)),
                None => all = Some(from.clone()),
            }
        }
        let Some(all) = all else { return Following::default() };
        let there = self.all.iter().enumerate().filter(|(number, _)| all.some.has(*number));
        let happens = there.map(|(number, one)| (one.clone(), all.each.has(number))).collect();
        let mut following = Following { happens, ..Following::default() };
        let mut known = places.clone();
        let mut open: VecDeque<u32> = places.iter().copied().collect();
        while let Some(at) = open.pop_front() {
            let mut goes_on = false;
            for (turn, to, _) in self.left.turns(at).filter(|(.., worsens)| !worsens) {
                goes_on = true;
                if is_next(turn) && !own(&turn.path) {
                    // Which look of a wait it is a state has from the first way that came there.
                    let path = if self.probes.contains(&turn.step) { first_look(&turn.path) } else { turn.path.clone() };
                    if !following.goes_on.contains(&path) {
                        following.goes_on.push(path);
                    }
                } else if known.insert(to) {
                    open.push_back(to);
                }
            }
            following.or_not |= !goes_on;
        }
        following
    }
}

/// The steps with which waits look.
pub(super) fn probes(plan: &Plan) -> BTreeSet<StepIx> {
    let probe = |step: &Step| match &step.verb {
        Verb::Wait(wait) => match &wait.what {
            WaitFor::Until { probe, .. } => *probe,
            WaitFor::Duration(_) => None,
        },
        _ => None,
    };
    plan.steps.iter().filter_map(probe).collect()
}

/// The same of the first look of its wait.
pub(super) fn first_look(path: &StepPath) -> StepPath {
    let text = path.as_str();
    let look = text.rfind('[').and_then(|start| Some((start, text.get(start..)?.find(']')? + start)));
    let first = look.and_then(|(start, end)| Some(format!("{}[1{}", text.get(..start)?, text.get(end..)?)));
    first.and_then(|first| first.parse().ok()).unwrap_or_else(|| path.clone())
}

/// What a turn is: a yes to a question may also be a step of a list.
fn happens(walk: &Walk, turn: &Turn) -> Vec<Happens> {
    use What::{Allowed, DoesNotHold, Done, Granted, Holds, UndoneByHand};
    // A condition of a step that acts is that of its `verify`.
    let verifies = matches!(turn.what, Holds | DoesNotHold) && walk.plan.step(turn.step).verb.acts();
    let path = turn.path.as_str();
    let asked = matches!(turn.what, Allowed | Granted | Done | UndoneByHand);
    let asked = asked.then(|| Happens::Asked(who(walk.plan.step(turn.step), turn.what), turn.path.clone()));
    let stands = match taken_back(turn) {
        Some(of) => Some(Happens::TakenBack(of)),
        None if verifies || path.contains("~verify") => Some(Happens::Looks),
        None => path.contains("~on_failure/").then(|| Happens::OnFailure(turn.path.clone())),
    };
    asked.into_iter().chain(stands).collect()
}

/// Whether a run that has gone wrong elsewhere goes on with this.
fn is_next(turn: &Turn) -> bool {
    let path = turn.path.as_str();
    let aside = ["~verify", "~on_failure/", "~finally/"].iter().any(|list| path.contains(list));
    taken_back(turn).is_none() && !aside && turn.what.is_work()
}
