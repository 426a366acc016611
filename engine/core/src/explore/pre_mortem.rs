//! Before anything has gone wrong: for each step and each way in which it can, what happens then, who is asked, and which changes
//! are left at the end, those of `finally` aside. All of it is told of the ways on which as little as can be goes wrong before, and
//! nothing more afterwards, all together, however conditions turn out that are not known.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::ahead::{Ahead, Following, Happens, first_look, probes};
use super::left::{Left, aside, is_well};
use super::story::changes;
use super::turn::{Turn, What};
use super::walk::Walk;
use crate::id::StepPath;
use crate::limits;
use crate::plan::number::order;
use crate::plan::{Step, StepIx, Verb};
use crate::run::event::OutcomeKind;

/// What follows when a step goes wrong. Of each list, what stands in the one behind it is not so on every path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fall {
    /// As everywhere that the step is shown.
    pub number: String,
    pub path: StepPath,
    #[serde(skip)]
    pub step: StepIx,
    /// Ways of going wrong from which the same follows.
    pub when: Vec<What>,
    /// Whether it is looked at what became of it, without a person.
    pub verified: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub perhaps_verified: bool,
    /// The step with which the procedure goes on all the same: one of these, or, `or_ends`, none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub goes_on: Vec<StepPath>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub or_ends: bool,
    /// Steps of `on_failure` that run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_failure: Vec<StepPath>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub perhaps_on_failure: Vec<StepPath>,
    /// Steps that are taken back, the last change first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<StepPath>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub perhaps_undone: Vec<StepPath>,
    /// How the run may end; empty where the walk did not come to any end.
    pub outcomes: Vec<OutcomeKind>,
    /// Who is asked, each with the step that it is about.
    pub asked: Vec<(String, StepPath)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub perhaps_asked: Vec<(String, StepPath)>,
    /// Steps whose changes are there at the end, on some path at least, in the order in which they are made.
    pub left: Vec<StepPath>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub perhaps: Vec<StepPath>,
    /// Whether one of these lists is longer than what stands in it.
    pub more: bool,
    /// Whether the step itself may have left half of a change.
    pub partly: bool,
}

/// A turn for the worse: from which place, and to which.
type Way<'w> = (u32, &'w Turn, u32);

impl Walk {
    /// In the order of their numbers, what is of the whole run at the end; not more than [`EXPLORE_FALLS`](limits::EXPLORE_FALLS).
    pub fn pre_mortem(&self) -> Vec<Fall> {
        // The way on which everything goes well, by its places.
        let mut good: BTreeMap<u32, usize> = BTreeMap::new();
        let mut at = 0;
        while let Some((_, next)) = self.places.get(at as usize).and_then(|place| place.on.as_ref())
            && good.insert(at, good.len()).is_none()
        {
            at = *next;
        }
        let left = Left::of(self);
        let ahead = Ahead::of(self, &left);
        // A step of a procedure that is called twice is two; one that is done for several items is one.
        let mut ways: BTreeMap<(StepPath, StepIx, What), Vec<Way<'_>>> = BTreeMap::new();
        for (from, place) in (0..).zip(&self.places) {
            let falls = |turn: &Turn| turn.what.is_fall() && !is_well(&self.plan, turn);
            for (turn, to) in place.on.iter().chain(&place.others).filter(|(turn, _)| falls(turn)) {
                ways.entry((turn.path.without_indexes(), turn.step, turn.what)).or_default().push((from, turn, *to));
            }
        }
        // Of several places at which a step goes wrong, the last one where all has gone well.
        let rank =
            |from: &u32| good.get(from).map_or((usize::MAX, left.worse(*from), *from), |number| (usize::MAX - 1 - number, 0, 0));
        let told = ways.values().filter_map(|ways| Some((*ways.iter().min_by_key(|(from, ..)| rank(from))?, ways)));
        let mut worse: Vec<_> = told.collect();
        worse.sort_by_key(|((from, ..), _)| good.get(from).copied().unwrap_or(usize::MAX));
        worse.truncate(limits::EXPLORE_FALLS);
        let probes = probes(&self.plan);
        let fall = |(told, ways): (Way<'_>, &Vec<Way<'_>>)| {
            let (from, turn, _) = told;
            let mut fall = self.fall(turn);
            let looks = probes.contains(&turn.step);
            let stands = place_of(&turn.path, looks);
            let stands_alike = |path: &StepPath| *path == turn.path || place_of(path, looks) == stands;
            let same = |(other, at, _): &&Way<'_>| stands_alike(&at.path) && left.worse(*other) == left.worse(from);
            let alike = ways.iter().filter(same);
            let ways: Vec<(u32, u32)> = alike.map(|(from, _, to)| (*from, *to)).collect();
            if looks {
                fall.path = first_look(&fall.path);
            }
            fall.follow(ahead.following(&ways.iter().map(|(_, to)| *to).collect(), stands_alike));
            for (path, always) in left.at_the_end(ways.into_iter()) {
                if !always {
                    fall.perhaps.push(path.clone());
                }
                fall.left.push(path);
            }
            fall.shorten();
            fall
        };
        let mut falls: Vec<Fall> = worse.into_iter().map(fall).collect();
        falls.sort_by_cached_key(|fall| (order(&fall.number), fall.path.clone(), fall.when.first().copied()));
        falls.dedup_by(|next, fall| {
            let same = fall.follows_as(next);
            if same {
                fall.when.append(&mut next.when);
            }
            same
        });
        falls
    }

    /// A turn for the worse, with nothing that follows yet.
    fn fall(&self, turn: &Turn) -> Fall {
        let plan = &self.plan;
        let (step, what) = (turn.step, turn.what);
        Fall {
            number: plan.number_at(&turn.path).unwrap_or_default(),
            path: turn.path.clone(),
            step,
            when: vec![what],
            verified: false,
            perhaps_verified: false,
            goes_on: Vec::new(),
            or_ends: false,
            on_failure: Vec::new(),
            perhaps_on_failure: Vec::new(),
            undone: Vec::new(),
            perhaps_undone: Vec::new(),
            outcomes: Vec::new(),
            asked: Vec::new(),
            perhaps_asked: Vec::new(),
            left: Vec::new(),
            perhaps: Vec::new(),
            more: false,
            partly: matches!(what, What::Fails | What::TimesOut) && changes(plan.step(step)) && !aside(&turn.path),
        }
    }
}

impl Fall {
    fn follow(&mut self, following: Following) {
        for (one, always) in following.happens {
            match one {
                Happens::Looks => (self.verified, self.perhaps_verified) = (true, !always),
                Happens::OnFailure(path) => put(path, always, &mut self.on_failure, &mut self.perhaps_on_failure),
                Happens::TakenBack(path) => put(path, always, &mut self.undone, &mut self.perhaps_undone),
                Happens::Asked(who, path) => put((who, path), always, &mut self.asked, &mut self.perhaps_asked),
                Happens::Ends(outcome) => self.outcomes.push(outcome),
            }
        }
        self.outcomes.sort_unstable();
        (self.goes_on, self.or_ends) = (following.goes_on, following.or_not);
        self.or_ends &= !self.goes_on.is_empty();
    }

    /// Leaves out what nobody reads any more.
    fn shorten(&mut self) {
        const MOST: usize = limits::EXPLORE_NAMED;
        let lists = [self.undone.len(), self.on_failure.len(), self.asked.len(), self.left.len(), self.goes_on.len()];
        self.more = lists.into_iter().any(|length| length > MOST);
        self.undone.truncate(MOST);
        self.on_failure.truncate(MOST);
        self.asked.truncate(MOST);
        self.left.truncate(MOST);
        self.goes_on.truncate(MOST);
        self.perhaps_undone.retain(|path| self.undone.contains(path));
        self.perhaps_on_failure.retain(|path| self.on_failure.contains(path));
        self.perhaps_asked.retain(|asked| self.asked.contains(asked));
        self.perhaps.retain(|path| self.left.contains(path));
    }

    /// Whether the same follows from both.
    fn follows_as(&self, other: &Fall) -> bool {
        *self == Fall { number: self.number.clone(), when: self.when.clone(), ..other.clone() }
    }

    /// In what ways it goes wrong.
    pub fn when(&self) -> String {
        self.when.iter().map(|what| what.fall()).collect::<Vec<_>>().join(" or ")
    }

    /// What happens then, in one line.
    pub fn happens(&self) -> String {
        let mut parts = Vec::new();
        if self.verified {
            let perhaps = if self.perhaps_verified { "perhaps " } else { "" };
            parts.push(format!("{perhaps}looks whether it did its work"));
        }
        // In this order: what a procedure does about a failure comes before anything is taken back.
        if !self.on_failure.is_empty() {
            parts.push(format!("runs {}", list(&self.on_failure, &self.perhaps_on_failure, StepPath::to_string)));
        }
        if !self.undone.is_empty() {
            parts.push(format!("takes back {}", list(&self.undone, &self.perhaps_undone, StepPath::to_string)));
        }
        if !self.goes_on.is_empty() {
            let steps = self.goes_on.iter().map(StepPath::as_str).collect::<Vec<_>>().join(" or ");
            parts.push(format!("{}goes on with {steps}", if self.or_ends { "perhaps " } else { "" }));
        }
        parts.push(match self.outcomes.as_slice() {
            [] => "was not walked to its end".to_owned(),
            outcomes => format!("ends {}", outcomes.iter().map(|outcome| outcome.name()).collect::<Vec<_>>().join(" or ")),
        });
        parts.join("; ")
    }

    /// Who is asked, and about what, in one line; empty where that is nobody.
    pub fn asks(&self) -> String {
        list(&self.asked, &self.perhaps_asked, |(who, about)| format!("{who} ({about})"))
    }

    /// What is left, in one line; empty where that is nothing.
    pub fn leaves(&self) -> String {
        let mut left = vec![list(&self.left, &self.perhaps, StepPath::to_string)];
        left.retain(|left| !left.is_empty());
        if self.partly {
            left.push(format!("perhaps a part of {}", self.path));
        }
        left.join(", ")
    }
}

fn put<T: Clone>(one: T, always: bool, all: &mut Vec<T>, perhaps: &mut Vec<T>) {
    if !always {
        perhaps.push(one.clone());
    }
    all.push(one);
}

fn list<T: PartialEq>(all: &[T], perhaps: &[T], told: impl Fn(&T) -> String) -> String {
    let word = |one: &T| if perhaps.contains(one) { format!("perhaps {}", told(one)) } else { told(one) };
    all.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A path without what states are merged over: which try of an undo or of a `verify` it is of, and which look of a wait. A state has
/// it from the first way that came there.
fn place_of(path: &StepPath, of_a_wait: bool) -> String {
    let path = path.as_str();
    let look = path.rfind('[').filter(|_| of_a_wait);
    let tries = ["~verify", "~undo"].into_iter().map(|list| path.rfind(&format!("{list}[")).map(|at| at + list.len()));
    let mut place = path.to_owned();
    // From the end, so that what stands before stays where it is.
    for start in std::iter::once(look).chain(tries).flatten() {
        if let Some(end) = place.get(start..).and_then(|rest| rest.find(']')) {
            place.replace_range(start..=start + end, "");
        }
    }
    place
}

/// Whom a decision about a step asks.
pub(super) fn who(step: &Step, what: What) -> String {
    let mut from: Vec<&String> = match &step.verb {
        _ if matches!(what, What::Done | What::UndoneByHand) => Vec::new(),
        _ if what == What::Allowed => step.gates.iter().flat_map(|gate| &gate.from).collect(),
        Verb::Approve(approve) => approve.from.iter().collect(),
        Verb::Ask(ask) => ask.from.iter().collect(),
        Verb::Manual(manual) => manual.from.iter().collect(),
        _ => Vec::new(),
    };
    // Several gates may ask the same people.
    let mut named = BTreeSet::new();
    from.retain(|who| named.insert(*who));
    match from.as_slice() {
        [] => "whoever may operate".to_owned(),
        from => from.iter().map(|who| who.as_str()).collect::<Vec<_>>().join(", "),
    }
}
