//! Before anything has gone wrong: for each step and each way in which it can, what happens then, who is asked, and which changes
//! are left at the end, those of `finally` aside. What follows is told of the way on which everything else goes well; where the step
//! does not stand on it, of one on which as little as can be goes wrong before. What is left is that of all such ways together,
//! however conditions turn out that are not known.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::left::{Left, aside, taken_back};
use super::story::changes;
use super::turn::{Turn, What};
use super::walk::Walk;
use crate::id::StepPath;
use crate::limits;
use crate::plan::{Plan, Step, StepIx, Verb};
use crate::run::event::OutcomeKind;

/// What follows when a step goes wrong.
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
    /// The next step of the procedure's own list that runs all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goes_on: Option<StepPath>,
    /// Steps of `on_failure` that run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_failure: Vec<StepPath>,
    /// Steps that are taken back, the last change first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<StepPath>,
    /// Absent where the walk did not come to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeKind>,
    /// Who is asked, each with the step that it is about.
    pub asked: Vec<(String, StepPath)>,
    /// Steps whose changes are there at the end, on some path at least, in the order in which they are made.
    pub left: Vec<StepPath>,
    /// Those of `left` that are not there on every path.
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
    /// In the order of the file; not more than [`EXPLORE_FALLS`](limits::EXPLORE_FALLS).
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
        let mut ways: BTreeMap<(StepIx, What), Vec<Way<'_>>> = BTreeMap::new();
        for (from, place) in (0..).zip(&self.places) {
            for (turn, to) in place.on.iter().chain(&place.others).filter(|(turn, _)| turn.what.is_fall()) {
                ways.entry((turn.step, turn.what)).or_default().push((from, turn, *to));
            }
        }
        // Of several places at which a step goes wrong, the last one where all has gone well.
        let rank =
            |from: &u32| good.get(from).map_or((usize::MAX, left.worse(*from), *from), |number| (usize::MAX - 1 - number, 0, 0));
        let told = ways.values().filter_map(|ways| Some((*ways.iter().min_by_key(|(from, ..)| rank(from))?, ways)));
        let mut worse: Vec<_> = told.collect();
        worse.sort_by_key(|((from, ..), _)| good.get(from).copied().unwrap_or(usize::MAX));
        worse.truncate(limits::EXPLORE_FALLS);
        let fall = |(told, ways): (Way<'_>, &Vec<Way<'_>>)| {
            let (from, turn, to) = told;
            let mut fall = self.fall(turn, to);
            let alike = ways.iter().filter(|(other, at, _)| at.path == turn.path && left.worse(*other) == left.worse(from));
            for (path, always) in left.at_the_end(alike.map(|(from, _, to)| (*from, *to))) {
                if !always {
                    fall.perhaps.push(path.clone());
                }
                fall.left.push(path);
            }
            fall.shorten();
            fall
        };
        let mut falls: Vec<Fall> = worse.into_iter().map(fall).collect();
        falls.sort_by_key(|fall| (self.plan.step(fall.step).at.clone(), fall.step, fall.when.first().copied()));
        falls.dedup_by(|next, fall| {
            let same = fall.follows_as(next);
            if same {
                fall.when.append(&mut next.when);
            }
            same
        });
        falls
    }

    /// What follows a turn for the worse that leads to a place, but for what is left.
    fn fall(&self, turn: &Turn, to: u32) -> Fall {
        let plan = &self.plan;
        let (step, what) = (turn.step, turn.what);
        let mut fall = Fall {
            number: plan.number_at(&turn.path).unwrap_or_default(),
            path: turn.path.clone(),
            step,
            when: vec![what],
            verified: false,
            goes_on: None,
            on_failure: Vec::new(),
            undone: Vec::new(),
            outcome: None,
            asked: Vec::new(),
            left: Vec::new(),
            perhaps: Vec::new(),
            more: false,
            partly: matches!(what, What::Fails | What::TimesOut) && changes(plan.step(step)) && !aside(&turn.path),
        };
        let mut undone = BTreeSet::new();
        let mut asked = BTreeSet::new();
        let mut at = to;
        // The best turn never leads back, but for a wait that looks again: as many turns as there are places are enough.
        for _ in 0..self.places.len() {
            let Some(place) = self.places.get(at as usize) else { break };
            fall.outcome = place.end;
            let Some((turn, next)) = &place.on else { break };
            fall.take(plan, turn, &mut undone, &mut asked);
            at = *next;
        }
        fall
    }
}

impl Fall {
    fn take<'w>(&mut self, plan: &Plan, turn: &'w Turn, undone: &mut BTreeSet<StepPath>, asked: &mut BTreeSet<&'w StepPath>) {
        let path = turn.path.as_str();
        if let Some(of) = taken_back(turn) {
            if undone.insert(of.clone()) {
                self.undone.push(of);
            }
        } else if path.contains("~verify") {
            self.verified = true;
        } else if path.contains("~on_failure/") {
            self.on_failure.push(turn.path.clone());
        } else if self.goes_on.is_none() && !path.contains("~finally/") && turn.path != self.path && turn.what.is_work() {
            self.goes_on = Some(turn.path.clone());
        }
        if matches!(turn.what, What::Granted | What::Done | What::UndoneByHand) && asked.insert(&turn.path) {
            self.asked.push((who(plan.step(turn.step), turn.what), turn.path.clone()));
        }
    }

    /// Leaves out what nobody reads any more.
    fn shorten(&mut self) {
        const MOST: usize = limits::EXPLORE_NAMED;
        let longest = self.undone.len().max(self.on_failure.len()).max(self.asked.len()).max(self.left.len());
        self.more = longest > MOST;
        self.undone.truncate(MOST);
        self.on_failure.truncate(MOST);
        self.asked.truncate(MOST);
        self.left.truncate(MOST);
        self.perhaps.retain(|path| self.left.contains(path));
    }

    /// Whether the same follows from both.
    fn follows_as(&self, other: &Fall) -> bool {
        let Fall {
            number: _,
            path,
            step,
            when: _,
            verified,
            goes_on,
            on_failure,
            undone,
            outcome,
            asked,
            left,
            perhaps,
            more,
            partly,
        } = self;
        (path, step, goes_on, on_failure, undone) == (&other.path, &other.step, &other.goes_on, &other.on_failure, &other.undone)
            && (verified, outcome, asked, left, perhaps, more, partly)
                == (&other.verified, &other.outcome, &other.asked, &other.left, &other.perhaps, &other.more, &other.partly)
    }

    /// In what ways it goes wrong.
    pub fn when(&self) -> String {
        self.when.iter().map(|what| what.fall()).collect::<Vec<_>>().join(" or ")
    }

    /// What happens then, in one line.
    pub fn happens(&self) -> String {
        let list = |paths: &[StepPath]| paths.iter().map(StepPath::as_str).collect::<Vec<_>>().join(", ");
        let mut parts = Vec::new();
        if self.verified {
            parts.push("looks whether it did its work".to_owned());
        }
        // In this order: what a procedure does about a failure comes before anything is taken back.
        if !self.on_failure.is_empty() {
            parts.push(format!("runs {}", list(&self.on_failure)));
        }
        if !self.undone.is_empty() {
            parts.push(format!("takes back {}", list(&self.undone)));
        }
        parts.extend(self.goes_on.iter().map(|next| format!("goes on with {next}")));
        parts.push(match self.outcome {
            Some(outcome) => format!("ends {}", outcome.name()),
            None => "was not walked to its end".to_owned(),
        });
        parts.join("; ")
    }

    /// What is left, in one line; empty where that is nothing.
    pub fn leaves(&self) -> String {
        let word = |path: &StepPath| if self.perhaps.contains(path) { format!("perhaps {path}") } else { path.to_string() };
        let mut left: Vec<String> = self.left.iter().map(word).collect();
        if self.partly {
            left.push(format!("perhaps a part of {}", self.path));
        }
        left.join(", ")
    }
}

/// Whom a decision about a step asks.
fn who(step: &Step, what: What) -> String {
    let from: Vec<&String> = match &step.verb {
        _ if matches!(what, What::Done | What::UndoneByHand) => Vec::new(),
        Verb::Approve(approve) => approve.from.iter().collect(),
        Verb::Ask(ask) => ask.from.iter().collect(),
        Verb::Manual(manual) => manual.from.iter().collect(),
        _ => step.gates.iter().flat_map(|gate| &gate.from).collect(),
    };
    match from.as_slice() {
        [] => "whoever may operate".to_owned(),
        from => from.iter().map(|who| who.as_str()).collect::<Vec<_>>().join(", "),
    }
}
