//! What the ways through a plan have shown of its steps. Where ways meet again, what they have seen becomes one: each step once, in
//! the order of the plan, with everything that it may do.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use super::kinds::kinds;
use super::{Does, PredictedEnd, PredictedRequest, PredictedUndo, Verdict};
use crate::id::StepPath;
use crate::plan::StepIx;
use crate::run::task::Work;

/// What is known of one step.
#[derive(Clone)]
pub(super) struct Seen {
    /// Where it stands in the plan.
    pub place: Vec<u32>,
    pub path: StepPath,
    pub step: StepIx,
    /// That of the step, whichever item or round this is.
    pub number: String,
    /// Met on every way so far.
    pub always: bool,
    pub parts: Parts,
    /// Why it is skipped, on some way.
    pub skipped: Option<String>,
    /// The condition that decides whether it is met, or runs, and that could not be judged.
    pub doubt: Option<String>,
    /// What it does on the ways on which it runs, where these differ.
    pub does: Vec<Doing>,
}

/// Whether it is known how often the parts of a step are done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    Known,
    /// It is not, and on this way never.
    None,
    /// It is not, and they are shown once, for each time.
    Pattern,
}

#[derive(Clone, PartialEq)]
pub(super) struct Doing {
    pub title: String,
    pub why: Option<String>,
    /// What else cannot be known about it.
    pub open: Vec<String>,
    /// Why it may not start at this hour.
    pub closed: Option<String>,
    pub fails: Option<String>,
    /// Whether a part of it fails, and it for that.
    pub is_broken: bool,
    pub work: Option<Work>,
    pub requests: Vec<PredictedRequest>,
    /// How long it waits, where that is known.
    pub waits: Option<Duration>,
    pub undo: PredictedUndo,
    /// How often it is done, where that is not once.
    pub repeats: Option<String>,
    pub ends: Option<PredictedEnd>,
    /// Of an `each`, how many items are done one after the other, together or in parts; nothing where that is not known.
    pub waves: Option<Vec<u32>>,
    pub notes: Vec<String>,
}

impl Seen {
    /// What is said of it; `kinds` are its own.
    pub fn verdict(&self, kinds: &[&Doing]) -> Verdict {
        let Some(shown) = kinds.first() else {
            return match (&self.skipped, &self.doubt) {
                // No way does it: where one comes there, this keeps it from it.
                (Some(because), _) => Verdict::WouldSkip { because: because.clone() },
                _ => self.in_doubt(),
            };
        };
        if !self.always || self.skipped.is_some() {
            return self.in_doubt();
        }
        let mut open: Vec<&str> = Vec::new();
        for clause in self.does.iter().flat_map(|doing| &doing.open) {
            if !open.contains(&clause.as_str()) {
                open.push(clause);
            }
        }
        let acts = shown.work.is_some();
        let differs = |doing: &&Doing| self.fails().is_none() || acts && doing.work.is_none();
        let failing = self.does.iter().filter(differs).find_map(|doing| doing.fails.as_ref());
        let because = match (open.is_empty(), differs_in(kinds), failing) {
            (false, _, _) => open.join("; "),
            (_, Some(what), _) => format!("{what} depends on the way before it"),
            (_, None, Some(why)) => format!("on some ways it fails: {why}"),
            (_, None, None) => return Verdict::WouldRun,
        };
        Verdict::CannotKnow { because }
    }

    /// What it does, once of what says the same; the first is shown before the others. Of a step that fails on some ways, on one of them before it comes to do anything, what
    /// it does where it does.
    pub fn kinds(&self) -> Vec<&Doing> {
        let of = |is_meant: &dyn Fn(&&Doing) -> bool| self.does.iter().filter(is_meant).collect::<Vec<_>>();
        let mut does = of(&|doing| doing.fails.is_none());
        if does.is_empty() {
            does = of(&|doing| doing.work.is_some());
        }
        if does.is_empty() {
            does = self.does.iter().take(1).collect();
        }
        kinds(does)
    }

    fn in_doubt(&self) -> Verdict {
        let because = self.doubt.clone();
        Verdict::CannotKnow { because: because.unwrap_or_else(|| "it depends on which way the run takes before it".to_owned()) }
    }

    /// Why it fails, where it does so on every way on which it runs.
    pub fn fails(&self) -> Option<&String> {
        let first = self.does.first()?.fails.as_ref();
        first.filter(|_| self.does.iter().all(|doing| doing.fails.is_some()))
    }

    /// Whether there is a way on which it runs and is not known to fail.
    pub fn finishes(&self) -> bool {
        self.does.iter().any(|doing| doing.fails.is_none())
    }

    /// Whether it, or a part of it, ends it badly on every way on which it runs.
    pub fn always_fails(&self) -> bool {
        !self.does.is_empty() && self.does.iter().all(|doing| doing.fails.is_some() || doing.is_broken)
    }

    /// What is also seen of the same step on other ways.
    fn join(&mut self, other: &Seen) {
        self.always &= other.always;
        if other.parts == Parts::Pattern {
            self.parts = Parts::Pattern;
        }
        self.skipped = self.skipped.take().or_else(|| other.skipped.clone());
        self.doubt = self.doubt.take().or_else(|| other.doubt.clone());
        for doing in &other.does {
            if !self.does.contains(doing) {
                self.does.push(doing.clone());
            }
        }
    }

    /// In the order of the plan.
    pub fn order(&self, other: &Seen) -> Ordering {
        (&self.place, &self.path).cmp(&(&other.place, &other.path))
    }
}

/// What of that which it does is something else on another way; what takes it back is told, and is no part of it.
fn differs_in(kinds: &[&Doing]) -> Option<&'static str> {
    let (shown, others) = kinds.split_first()?;
    let others: Vec<Does> = others.iter().map(|other| other.beside(shown)).collect();
    let any = |is_other: fn(&Does) -> bool| others.iter().any(is_other);
    Some(match () {
        () if any(|other| other.work.is_some()) => "what it runs with",
        () if any(|other| other.requests.is_some()) => "what is asked",
        () if any(|other| other.repeats.is_some()) => "how often its steps run",
        () if any(|other| other.waits.is_some()) => "how long it waits",
        () if any(|other| other.ends.is_some()) => "what it says",
        () => return None,
    })
}

/// In the order of the plan.
pub(super) type History = Vec<Arc<Seen>>;

pub(super) fn insert(history: &mut History, seen: Seen) {
    // Nearly always at the end.
    let behind = history.iter().rev().take_while(|known| known.order(&seen) == Ordering::Greater).count();
    history.insert(history.len() - behind, Arc::new(seen));
}

/// What two ways have seen, as one.
pub(super) fn join(first: &History, second: &History) -> History {
    let alike = first.iter().zip(second).take_while(|(a, b)| Arc::ptr_eq(a, b)).count();
    let mut joined: History = first.iter().take(alike).cloned().collect();
    let (mut first, mut second) = (first.get(alike..).unwrap_or_default(), second.get(alike..).unwrap_or_default());
    // What set the two ways apart.
    let parting = first.iter().zip(second).find_map(|(a, b)| {
        let doubts = (a.doubt.as_ref().or(b.doubt.as_ref()), b.doubt.as_ref().or(a.doubt.as_ref()));
        (a.path != b.path || doubts.0.is_some()).then_some(doubts)
    });
    // Each way has its own reason to have what the other lacks.
    let (of_first, of_second) = parting.unwrap_or_default();
    let (of_first, of_second) = (of_first.cloned(), of_second.cloned());
    // Steps of which only one way knows that they are done never: what they do when they are done is as it is.
    let mut patterns: Vec<StepPath> = Vec::new();
    let alone = |seen: &Arc<Seen>, doubt: &Option<String>, patterns: &[StepPath]| {
        if patterns.iter().any(|around| seen.path.as_str().strip_prefix(around.as_str()).is_some_and(|rest| rest.starts_with('[')))
        {
            return seen.clone();
        }
        let mut seen = Seen::clone(seen);
        if seen.always {
            seen.doubt = seen.doubt.or_else(|| doubt.clone());
        }
        seen.always = false;
        Arc::new(seen)
    };
    let both = |mine: &Arc<Seen>, other: &Arc<Seen>| {
        let mut seen = Seen::clone(mine);
        if mine.doubt.is_none() && other.doubt.is_none() && mine.does.is_empty() != other.does.is_empty() {
            seen.doubt = if other.does.is_empty() { of_first.clone() } else { of_second.clone() };
        }
        seen.join(other);
        Arc::new(seen)
    };
    loop {
        match (first, second) {
            ([a, mine @ ..], [b, others @ ..]) => match a.order(b) {
                Ordering::Less => {
                    joined.push(alone(a, &of_first, &patterns));
                    first = mine;
                }
                Ordering::Greater => {
                    joined.push(alone(b, &of_second, &patterns));
                    second = others;
                }
                Ordering::Equal => {
                    if matches!((a.parts, b.parts), (Parts::None, Parts::Pattern) | (Parts::Pattern, Parts::None)) {
                        patterns.push(a.path.clone());
                    }
                    joined.push(if Arc::ptr_eq(a, b) { a.clone() } else { both(a, b) });
                    (first, second) = (mine, others);
                }
            },
            (rest, []) => {
                joined.extend(rest.iter().map(|seen| alone(seen, &of_first, &patterns)));
                return joined;
            }
            ([], rest) => {
                joined.extend(rest.iter().map(|seen| alone(seen, &of_second, &patterns)));
                return joined;
            }
        }
    }
}
