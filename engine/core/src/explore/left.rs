//! Which changes are there at the end of a walk: of each place, what may and what must have been changed by then, and what of
//! that, and of what is changed afterwards, may and must still be there when the run ends.
//!
//! Ways to a place are those on which as little goes wrong as can be; ways on from it are those on which nothing more does.

use std::collections::{BTreeMap, VecDeque};

use super::story::{changes, takes_back};
use super::turn::{Turn, What};
use super::walk::{Place, Walk};
use crate::id::StepPath;
use crate::plan::{Plan, Verb};

pub(super) struct Left<'w> {
    walk: &'w Walk,
    /// In the order in which they are made.
    changes: Vec<StepPath>,
    numbers: BTreeMap<StepPath, usize>,
    /// Places, each after those that lead to it, loops aside.
    order: Vec<u32>,
    /// Whether there are any.
    loops: bool,
    /// The fewest turns for the worse on a way to each place.
    worse: Vec<u32>,
    before: Vec<Option<Spread>>,
    after: Vec<Option<After>>,
}

/// A set of changes, by number.
#[derive(Clone, PartialEq)]
pub(super) struct Set(Vec<u64>);

/// A set on all ways together: what is in it on some, and what is on each.
#[derive(Clone, PartialEq)]
pub(super) struct Spread {
    pub some: Set,
    pub each: Set,
}

/// From a place to the ends of the run.
#[derive(Clone, PartialEq)]
struct After {
    /// Of the changes that are there, those that stay.
    lasting: Spread,
    made: Spread,
}

/// What a turn does to one change.
enum Effect {
    Made(StepPath),
    TakenBack(StepPath),
}

impl<'w> Left<'w> {
    pub fn of(walk: &'w Walk) -> Left<'w> {
        let places = walk.places.len();
        let mut left = Left {
            walk,
            changes: Vec::new(),
            numbers: BTreeMap::new(),
            order: Vec::new(),
            loops: false,
            worse: vec![u32::MAX; places],
            before: vec![None; places],
            after: vec![None; places],
        };
        left.sort();
        left.weigh();
        left.number();
        left.look_back();
        left.look_ahead();
        left
    }

    /// The fewest turns for the worse on a way to a place.
    pub fn worse(&self, place: u32) -> u32 {
        self.worse.get(place as usize).copied().unwrap_or(u32::MAX)
    }

    /// What is there at the end of a way that takes a turn from one place to another, all of `ways` together: in the order in
    /// which it is made, each with whether it is so on every one of them.
    pub fn at_the_end(&self, ways: impl Iterator<Item = (u32, u32)>) -> Vec<(StepPath, bool)> {
        let mut all: Option<Spread> = None;
        for (from, to) in ways {
            let (Some(Some(before)), Some(Some(after))) = (self.before.get(from as usize), self.after.get(to as usize)) else {
                continue;
            };
            join(&mut all, after.of(before));
        }
        let Some(all) = all else { return Vec::new() };
        let there = self.changes.iter().enumerate().filter(|(number, _)| all.some.has(*number));
        there.map(|(number, path)| (path.clone(), all.each.has(number))).collect()
    }

    /// Places, each before all that follow it, loops aside; and whether there are any.
    pub fn order(&self) -> (&[u32], bool) {
        (&self.order, self.loops)
    }

    fn place(&self, at: u32) -> Option<&'w Place> {
        self.walk.places.get(at as usize)
    }

    /// The turns that can be taken at a place, each with where it leads and whether it is one for the worse.
    pub fn turns(&self, at: u32) -> impl DoubleEndedIterator<Item = (&'w Turn, u32, bool)> + use<'w> {
        let plan = &self.walk.plan;
        let place = self.place(at);
        let best = place.into_iter().flat_map(|place| &place.on).map(|(turn, to)| (turn, *to, false));
        let others = place.into_iter().flat_map(|place| &place.others);
        best.chain(others.map(move |(turn, to)| (turn, *to, !is_well(plan, turn))))
    }

    /// Depth first; of two turns, what follows the better one comes first.
    fn sort(&mut self) {
        let targets = |left: &Left<'_>, at| left.turns(at).map(|(_, to, _)| to).collect::<Vec<u32>>();
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut marks = vec![Mark::New; self.walk.places.len()];
        let mut open = vec![(0, targets(self, 0))];
        while let Some((at, rest)) = open.last_mut() {
            let at = *at;
            // From the last.
            let next = rest.pop();
            let mark = |place: u32| marks.get(place as usize).copied();
            match next {
                Some(next) if mark(next) == Some(Mark::New) => {
                    put(&mut marks, next, Mark::Open);
                    open.push((next, targets(self, next)));
                }
                Some(next) => self.loops |= next == 0 || mark(next) == Some(Mark::Open),
                None => {
                    put(&mut marks, at, Mark::Done);
                    self.order.push(at);
                    open.pop();
                }
            }
        }
        self.order.reverse();
    }

    fn weigh(&mut self) {
        let mut open = VecDeque::from([(0, 0)]);
        while let Some((at, worse)) = open.pop_front() {
            match self.worse.get_mut(at as usize) {
                Some(least) if worse < *least => *least = worse,
                _ => continue,
            }
            for (_, to, worsens) in self.turns(at) {
                if worsens {
                    open.push_back((to, worse + 1));
                } else {
                    open.push_front((to, worse));
                }
            }
        }
    }

    fn number(&mut self) {
        // What puts something right comes after all that is done where nothing goes wrong.
        let mut places = self.order.clone();
        places.sort_by_key(|place| self.worse(*place));
        for at in &places {
            for (turn, ..) in self.turns(*at) {
                if let Some(Effect::Made(path)) = effect(&self.walk.plan, turn)
                    && !self.numbers.contains_key(&path)
                {
                    self.numbers.insert(path.clone(), self.changes.len());
                    self.changes.push(path);
                }
            }
        }
    }

    /// The number of the change that a turn concerns, and whether it is made.
    fn effect(&self, turn: &Turn) -> Option<(usize, bool)> {
        let (path, made) = match effect(&self.walk.plan, turn)? {
            Effect::Made(path) => (path, true),
            Effect::TakenBack(path) => (path, false),
        };
        self.numbers.get(&path).map(|number| (*number, made))
    }

    fn look_back(&mut self) {
        let none = Set::none(self.changes.len());
        let mut before = std::mem::take(&mut self.before);
        put(&mut before, 0, Some(Spread { some: none.clone(), each: none }));
        loop {
            let mut moved = false;
            for at in &self.order {
                let Some(Some(here)) = before.get(*at as usize).cloned() else { continue };
                for (turn, to, worsens) in self.turns(*at) {
                    if self.worse(to) != self.worse(*at).saturating_add(u32::from(worsens)) {
                        continue;
                    }
                    let mut next = here.clone();
                    if let Some((number, made)) = self.effect(turn) {
                        next.put(number, made);
                    }
                    moved |= before.get_mut(to as usize).is_some_and(|known| join(known, next));
                }
            }
            if !(moved && self.loops) {
                break;
            }
        }
        self.before = before;
    }

    fn look_ahead(&mut self) {
        let (none, all) = (Set::none(self.changes.len()), Set::all(self.changes.len()));
        let end = After { lasting: Spread { some: all.clone(), each: all }, made: Spread { some: none.clone(), each: none } };
        let mut after = std::mem::take(&mut self.after);
        loop {
            let mut moved = false;
            for at in self.order.iter().rev() {
                let mut here: Option<After> = None;
                let mut ends = true;
                for (turn, to, _) in self.turns(*at).filter(|(.., worsens)| !worsens) {
                    ends = false;
                    let Some(Some(mut next)) = after.get(to as usize).cloned() else { continue };
                    match self.effect(turn) {
                        Some((number, true)) => next.make(number),
                        Some((number, false)) => next.lasting.put(number, false),
                        None => {}
                    }
                    match &mut here {
                        Some(here) => {
                            here.lasting.join(&next.lasting);
                            here.made.join(&next.made);
                        }
                        None => here = Some(next),
                    }
                }
                let here = if ends { Some(end.clone()) } else { here };
                if let Some(known) = after.get_mut(*at as usize)
                    && *known != here
                {
                    *known = here;
                    moved = true;
                }
            }
            if !(moved && self.loops) {
                break;
            }
        }
        self.after = after;
    }
}

/// Says something of a place.
fn put<T>(of_places: &mut [T], place: u32, said: T) {
    if let Some(known) = of_places.get_mut(place as usize) {
        *known = said;
    }
}

/// Whether it became more on some way, or less on each.
fn join(known: &mut Option<Spread>, more: Spread) -> bool {
    match known {
        Some(known) => known.join(&more),
        None => {
            *known = Some(more);
            true
        }
    }
}

impl After {
    /// What is there at the end where these changes were there before.
    fn of(&self, before: &Spread) -> Spread {
        let end = |before: &Set, lasting: &Set, made: &Set| {
            let words = before.0.iter().zip(&lasting.0).zip(&made.0);
            Set(words.map(|((before, lasting), made)| before & lasting | made).collect())
        };
        Spread {
            some: end(&before.some, &self.lasting.some, &self.made.some),
            each: end(&before.each, &self.lasting.each, &self.made.each),
        }
    }

    fn make(&mut self, number: usize) {
        if self.lasting.some.has(number) {
            self.made.some.put(number, true);
        }
        if self.lasting.each.has(number) {
            self.made.each.put(number, true);
        }
    }
}

impl Spread {
    pub fn put(&mut self, number: usize, there: bool) {
        self.some.put(number, there);
        self.each.put(number, there);
    }

    pub fn join(&mut self, other: &Spread) -> bool {
        let before = self.clone();
        self.some.0.iter_mut().zip(&other.some.0).for_each(|(one, other)| *one |= other);
        self.each.0.iter_mut().zip(&other.each.0).for_each(|(one, other)| *one &= other);
        *self != before
    }
}

impl Set {
    pub fn none(changes: usize) -> Set {
        Set(vec![0; changes.div_ceil(64)])
    }

    fn all(changes: usize) -> Set {
        Set(vec![u64::MAX; changes.div_ceil(64)])
    }

    pub fn has(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    fn put(&mut self, number: usize, there: bool) {
        let Some(word) = self.0.get_mut(number / 64) else { return };
        let bit = 1 << (number % 64);
        *word = if there { *word | bit } else { *word & !bit };
    }
}

/// Whether nothing goes wrong in a turn: a condition that is not known may well go either way, and a loop or a wait once more.
pub(super) fn is_well(plan: &Plan, turn: &Turn) -> bool {
    use What::{Allowed, Branch, DoesNotHold, Done, Empty, Granted, Holds, LooksAgain, Runs, Skipped, Succeeds, UndoneByHand};
    match turn.what {
        Runs | Skipped | Branch(_) | Empty | Holds | LooksAgain | Succeeds | Allowed | Granted | Done | UndoneByHand => true,
        DoesNotHold => matches!(plan.step(turn.step).verb, Verb::Repeat { .. } | Verb::Wait(_)),
        _ => false,
    }
}

/// What a turn takes back: the step whose undo it is of.
pub(super) fn taken_back(turn: &Turn) -> Option<StepPath> {
    match turn.what {
        What::UndoneByHand => Some(turn.path.clone()),
        _ => turn.path.as_str().rsplit_once("~undo").and_then(|(of, _)| of.parse().ok()),
    }
}

fn effect(plan: &Plan, turn: &Turn) -> Option<Effect> {
    use What::{Done, Granted, Holds, Succeeds, UndoneByHand};
    if !matches!(turn.what, Succeeds | Done | Holds | Granted | UndoneByHand) {
        return None;
    }
    if let Some(of) = taken_back(turn) {
        return Some(Effect::TakenBack(of));
    }
    let step = plan.step(turn.step);
    let did = match turn.what {
        Granted => matches!(step.verb, Verb::Manual(_)) && changes(step),
        _ => changes(step),
    };
    let verified = matches!(turn.what, Succeeds | Holds);
    let path = match turn.path.as_str().rsplit_once("~verify").filter(|_| verified) {
        Some((of, _)) => of.parse().ok(),
        None => Some(turn.path.clone()).filter(|_| did),
    };
    path.filter(|path| !aside(path)).map(Effect::Made)
}

/// Whether it takes something back or tidies up: nothing of that is left.
pub(super) fn aside(path: &StepPath) -> bool {
    takes_back(path) || path.as_str().contains("~finally/")
}
