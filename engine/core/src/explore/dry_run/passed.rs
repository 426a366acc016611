//! Steps that no way comes to: behind a jump, in a branch that is not taken, behind what surely ends the list. They would be skipped,
//! and are told like all others; where a failure could bring a run to them all the same, that is what cannot be known.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::seen::{History, Parts, Seen};
use crate::id::StepPath;
use crate::limits;
use crate::markdown::quoted;
use crate::plan::{OnFailure, Plan, ProcedureIx, Step, StepIx, Verb};

/// Why no way comes to a step.
#[derive(Clone)]
enum Why {
    Never(String),
    /// Only a failure leads there.
    Perhaps(String),
}

/// What is said of what stands where not every way was followed.
pub(super) const UNFOLLOWED: &str = "more ways lead here than were followed";

/// Adds every step that no way has come to. `cut`: the first place from which on not every way was followed. False where there are more
/// steps than are told.
pub(super) fn add(plan: &Plan, history: &mut History, cut: Option<&[u32]>) -> bool {
    let seen = history.iter().map(|seen| ((seen.path.clone(), seen.step), &**seen)).collect();
    let room = limits::DRY_RUN_STEPS.saturating_sub(history.len());
    let mut passed = Passed { plan, seen, found: Vec::new(), room, all: true, cut, bearing: RefCell::default() };
    let main = plan.main();
    passed.list(&main.body, "", &[0], None);
    passed.beside(&main.on_failure, "~on_failure");
    passed.list(&main.finally, "~finally", &[FINALLY], None);
    let (found, all) = (passed.found, passed.all);
    if !found.is_empty() {
        history.extend(found.into_iter().map(Into::into));
        history.sort_by(|one, other| one.order(other));
    }
    all
}

/// Where what tidies up stands among the lists of a procedure.
const FINALLY: u32 = 3;

struct Passed<'p> {
    plan: &'p Plan,
    /// By path and step: branches of one `choose` may have steps of one path.
    seen: BTreeMap<(StepPath, StepIx), &'p Seen>,
    found: Vec<Seen>,
    /// How many more are told, and whether these were all.
    room: usize,
    all: bool,
    cut: Option<&'p [u32]>,
    /// Called procedures by whether something in them may fail, and they go on.
    bearing: RefCell<BTreeMap<ProcedureIx, bool>>,
}

impl<'p> Passed<'p> {
    /// The steps of a list that begins at a place; `why`: no way comes to any of them.
    fn list(&mut self, list: &'p [StepIx], prefix: &str, place: &[u32], why: Option<&Why>) {
        for (number, ix) in (1..).zip(list) {
            let path = StepPath::within(prefix, &self.plan.step(*ix).label);
            match self.at(prefix, *ix) {
                Some(seen) => self.seen_step(seen),
                None => {
                    let place: Vec<u32> = place.iter().copied().chain([number]).collect();
                    let why = match self.unfollowed(&place) {
                        None => why.cloned().or_else(|| self.why(list, number as usize - 1, prefix)),
                        unfollowed => unfollowed,
                    };
                    let Some(why) = why else { continue };
                    self.unseen_step(*ix, path, place, &why);
                }
            }
        }
    }

    /// Whether what stands at a place may be come to by ways that were not followed.
    fn unfollowed(&self, place: &[u32]) -> Option<Why> {
        self.cut.filter(|cut| place >= *cut).map(|_| Why::Perhaps(UNFOLLOWED.to_owned()))
    }

    /// What was seen of a step whose path begins like this.
    fn at(&self, prefix: &str, ix: StepIx) -> Option<&'p Seen> {
        self.seen.get(&(StepPath::within(prefix, &self.plan.step(ix).label), ix)).copied()
    }

    /// Whether some way has come to a list: to its first step.
    fn begun(&self, prefix: &str, list: &[StepIx]) -> bool {
        list.first().is_some_and(|ix| self.at(prefix, *ix).is_some())
    }

    /// What comes up only after a failure: told where some way has come to it.
    fn beside(&mut self, list: &'p [StepIx], prefix: &str) {
        let first = list.first().and_then(|ix| self.at(prefix, *ix));
        if let Some((_, place)) = first.and_then(|first| first.place.split_last()) {
            self.list(list, prefix, place, None);
        }
    }

    fn unseen_step(&mut self, ix: StepIx, path: StepPath, place: Vec<u32>, why: &Why) {
        if self.room == 0 {
            self.all = false;
            return;
        }
        self.room -= 1;
        let (skipped, doubt) = match why {
            Why::Never(why) => (Some(why.clone()), None),
            Why::Perhaps(why) => (None, Some(why.clone())),
        };
        self.found.push(Seen {
            place: place.clone(),
            path: path.clone(),
            step: ix,
            number: self.plan.number_at(&path).unwrap_or_default(),
            always: true,
            parts: Parts::Known,
            skipped,
            doubt,
            does: Vec::new(),
        });
        self.whole(ix, &path, &place, why);
    }

    /// All that stands inside a step that no way comes to.
    fn whole(&mut self, ix: StepIx, path: &StepPath, place: &[u32], why: &Why) {
        for (list, prefix, number) in self.lists(ix, path) {
            let place: Vec<u32> = place.iter().copied().chain([number]).collect();
            self.list(list, &prefix, &place, Some(why));
        }
    }

    fn seen_step(&mut self, seen: &'p Seen) {
        let (path, place) = (&seen.path, &seen.place);
        if seen.does.is_empty() {
            if let Some(why) = self.unfollowed(place) {
                return self.whole(seen.step, path, place, &why);
            }
            // Where it is skipped on every way, so is what stands inside it.
            if seen.skipped.is_some() && seen.doubt.is_none() && seen.always {
                self.whole(seen.step, path, place, &Why::Never(format!("`{}` is skipped", path.label())));
            }
            return;
        }
        let plan: &'p Plan = self.plan;
        let step = plan.step(seen.step);
        self.beside(&step.undo, &format!("{path}~undo"));
        if let Verb::Call { procedure, .. } = &step.verb {
            self.beside(&plan.procedure(*procedure).on_failure, &format!("{path}/~on_failure"));
        }
        for (list, prefix, number) in self.lists(seen.step, path) {
            let place: Vec<u32> = place.iter().copied().chain([number]).collect();
            match self.begun(&prefix, list) {
                true => self.list(list, &prefix, &place, None),
                false => {
                    let why = self.unfollowed(&place).or_else(|| self.not_begun(seen, number));
                    why.iter().for_each(|why| self.list(list, &prefix, &place, Some(why)));
                }
            }
        }
    }

    /// The lists inside a step, each with what its paths begin with and its number among them. Of rounds, those that were seen; of items,
    /// all where they are known.
    fn lists(&self, ix: StepIx, path: &StepPath) -> Vec<(&'p [StepIx], String, u32)> {
        let times = |list: &'p [StepIx], first: u32, count: u32| -> Vec<(&'p [StepIx], String, u32)> {
            let begun = |n: u32| self.begun(&format!("{path}[{n}]"), list);
            let seen = (first..).take_while(|n| begun(*n)).last().map_or(first, |last| last + 1);
            let all = first..seen.max(first + count.max(1));
            all.map(|n| (list, format!("{path}[{n}]"), n)).collect()
        };
        let plan: &'p Plan = self.plan;
        match &plan.step(ix).verb {
            Verb::Group(body) => vec![(body, path.to_string(), 0)],
            Verb::Repeat { body, .. } => times(body, 1, 0),
            Verb::Each(each) => times(&each.body, 0, self.items(ix, path)),
            Verb::Choose(branches) => (0..).zip(branches).map(|(n, branch)| (&*branch.body, path.to_string(), n)).collect(),
            Verb::Parallel { branches, .. } => {
                (0..).zip(branches).map(|(n, (name, body))| (&**body, format!("{path}.{name}"), n)).collect()
            }
            Verb::Call { procedure: ProcedureIx(number), .. } => {
                let Some(called) = plan.procedures.get(*number as usize) else { return Vec::new() };
                vec![(&*called.body, path.to_string(), 0), (&*called.finally, format!("{path}/~finally"), FINALLY)]
            }
            _ => Vec::new(),
        }
    }

    /// Why a step that runs never begins this list of its own.
    fn not_begun(&self, seen: &Seen, number: u32) -> Option<Why> {
        let label = seen.path.label();
        let step = self.plan.step(seen.step);
        if seen.fails().is_some() {
            return Some(Why::Never(format!("`{label}` fails")));
        }
        match &step.verb {
            Verb::Choose(branches) => {
                let when = branches.get(number as usize).and_then(|branch| branch.when.as_ref());
                let taken = |n: u32| branches.get(n as usize).is_some_and(|branch| self.begun(seen.path.as_str(), &branch.body));
                // Where a later one is taken, its own condition was asked, and did not hold.
                let later = (number + 1..branches.len() as u32).any(taken);
                let other = (0..number).find(|n| !later && taken(*n));
                Some(Why::Never(match (other, when) {
                    (Some(other), _) => format!("`{label}` takes branch {}", other + 1),
                    (None, Some(when)) => format!("{} does not hold", quoted(when.source.trim())),
                    (None, None) => format!("`{label}` takes another branch"),
                }))
            }
            Verb::Each(_) if self.items(seen.step, &seen.path) == 0 => Some(Why::Never(format!("`{label}` has no items"))),
            // Something in the items or branches before it ended the whole.
            Verb::Each(_) | Verb::Parallel { .. } => self.end_within(seen).map(|(_, why)| match self.bears_failures(step) {
                true => Why::Perhaps(format!("only a failure in `{label}` leads here: {why}")),
                false => Why::Never(why),
            }),
            _ => None,
        }
    }

    /// How many items a step has, where that is known.
    fn items(&self, ix: StepIx, path: &StepPath) -> u32 {
        let seen = self.seen.get(&(path.clone(), ix));
        let counts = seen.into_iter().flat_map(|seen| &seen.does).filter_map(|doing| doing.waves.as_ref());
        let most = u32::try_from(self.room).unwrap_or(u32::MAX);
        counts.map(|waves| waves.iter().fold(0, |sum: u32, wave| sum.saturating_add(*wave))).max().unwrap_or(0).min(most)
    }

    /// What keeps every way from the step at this place of a list that was begun: the last step before it that some way has come to.
    fn why(&self, list: &[StepIx], place: usize, prefix: &str) -> Option<Why> {
        let before = list.get(..place)?;
        let runs = |ix: &StepIx| self.at(prefix, *ix).filter(|seen| !seen.does.is_empty());
        let (at, seen) = (0..).zip(before).filter_map(|(at, ix)| Some((at, runs(ix)?))).last()?;
        let step = self.plan.step(seen.step);
        // There each goes on after a failure, with the next one.
        let beside = prefix.ends_with("~on_failure") || prefix.ends_with("~finally");
        let position = |target: StepIx| list.iter().position(|ix| *ix == target);
        let leads_past = |target: StepIx| position(target).is_some_and(|to| to > place);
        let leads_here = |target: StepIx, from: usize| position(target).is_some_and(|to| from < to && to <= place);
        let fails = seen.does.iter().any(|doing| doing.fails.is_some());
        let inner = self.end_within(seen);
        let why = match (&step.verb, &inner) {
            (Verb::Finish { .. }, _) if seen.finishes() => format!("`{}` ends {}", step.label, ended(self.plan, &seen.path)),
            (_, Some((_, why))) => why.clone(),
            _ => match (fails, &step.on_failure, step.next) {
                (true, OnFailure::Next(target), _) if leads_past(*target) => {
                    format!("`{}` fails and goes on with `{}`", step.label, self.plan.step(*target).label)
                }
                (false, _, Some(next)) if leads_past(next) => {
                    format!("`{}` goes on with `{}`", step.label, self.plan.step(next).label)
                }
                _ => format!("`{}` fails", step.label),
            },
        };
        // After a failure that is passed over, or leads elsewhere, a run may come here nevertheless.
        let jumps = before.iter().take(at).find(|ix| match self.plan.step(**ix).on_failure {
            OnFailure::Next(target) => leads_here(target, at),
            _ => false,
        });
        let goes_on = match step.on_failure {
            OnFailure::Next(target) => leads_here(target, at),
            OnFailure::Continue => true,
            _ => beside,
        };
        let slips = match (&step.verb, &inner) {
            (Verb::Finish { .. }, _) if seen.finishes() => goes_on,
            (_, Some((end, _))) => goes_on || self.slips_past(seen.step, &seen.path, end),
            // What surely fails does not go on elsewhere.
            _ => goes_on && !fails,
        };
        Some(match jumps.map(|ix| self.plan.step(*ix)).or(slips.then_some(step)) {
            Some(step) => Why::Perhaps(format!("only a failure of `{}` leads here: {why}", step.label)),
            None => Why::Never(why),
        })
    }

    /// The step inside a whole that ends more than the whole, and how.
    fn end_within(&self, whole: &Seen) -> Option<(&StepPath, String)> {
        if !self.plan.step(whole.step).verb.is_container() {
            return None;
        }
        let called = |path: &StepPath| self.plan.calls_to(path);
        let depth = called(&whole.path);
        let within: Vec<&&Seen> =
            self.seen.values().filter(|seen| seen.path.is_inside(&whole.path) && !seen.does.is_empty()).collect();
        let finish = within.iter().find(|seen| {
            matches!(self.plan.step(seen.step).verb, Verb::Finish { .. }) && seen.finishes() && called(&seen.path) == depth
        });
        let fails = || within.iter().find(|seen| seen.fails().is_some() && !self.is_borne(seen, &within) && self.ends_list(seen));
        let called_end = || {
            let ends = |seen: &&&&Seen| matches!(self.plan.step(seen.step).verb, Verb::Finish { .. });
            within.iter().find(ends).filter(|_| whole.always_fails())
        };
        match (finish, whole.fails().is_some()) {
            (Some(end), _) => Some((&end.path, format!("`{}` ends {}", end.path.label(), ended(self.plan, &end.path)))),
            (None, true) => None,
            (None, false) => {
                let end = fails();
                end.map(|end| (&end.path, format!("`{}` fails", end.path.label())))
                    .or_else(|| called_end().map(|end| (&end.path, format!("`{}` fails", whole.path.label()))))
            }
        }
    }

    /// Whether a step that fails ends its list with that.
    fn ends_list(&self, seen: &Seen) -> bool {
        let tidies = |list: &str| seen.path.as_str().rsplit('/').nth(1).is_some_and(|own| own.ends_with(list));
        let goes_on = self.plan.step(seen.step).on_failure.goes_on();
        !goes_on && !["~on_failure", "~finally"].iter().any(|list| tidies(list))
    }

    /// Whether something around a step that fails goes on after it.
    fn is_borne(&self, failing: &Seen, within: &[&&Seen]) -> bool {
        let mut around = within.iter().filter(|whole| failing.path.is_inside(&whole.path));
        around.any(|whole| match self.plan.step(whole.step) {
            step if step.verb.tolerates() && !whole.always_fails() => true,
            _ => !self.ends_list(whole),
        })
    }

    /// Whether a failure inside a whole can lead a run past the step in it that ends it.
    fn slips_past(&self, ix: StepIx, path: &StepPath, end: &StepPath) -> bool {
        let step = self.plan.step(ix);
        let finishes =
            self.seen.iter().any(|((path, ix), _)| path == end && matches!(self.plan.step(*ix).verb, Verb::Finish { .. }));
        if finishes && step.verb.tolerates() {
            return true;
        }
        let holds = |own: &StepPath| own == end || end.is_inside(own);
        self.lists(ix, path).into_iter().any(|(list, prefix, _)| {
            let own = |ix: &StepIx| StepPath::within(&prefix, &self.plan.step(*ix).label);
            let Some(at) = list.iter().position(|ix| holds(&own(ix))) else { return false };
            let position = |target: StepIx| list.iter().position(|ix| *ix == target);
            let jumps = list.iter().take(at).any(|ix| match self.plan.step(*ix).on_failure {
                OnFailure::Next(target) => position(target).is_some_and(|to| to > at),
                _ => false,
            });
            let Some(holder) = list.get(at) else { return jumps };
            let goes_on = self.plan.step(*holder).on_failure.goes_on();
            jumps || goes_on || own(holder) != *end && self.slips_past(*holder, &own(holder), end)
        })
    }

    /// Whether something in a step may fail, and what holds it goes on.
    fn bears_failures(&self, step: &Step) -> bool {
        let any = |list: &[StepIx]| {
            list.iter().any(|ix| {
                let step = self.plan.step(*ix);
                step.on_failure.goes_on() || self.bears_failures(step)
            })
        };
        let called = |procedure: ProcedureIx| {
            let known = self.bearing.borrow().get(&procedure).copied();
            known.unwrap_or_else(|| {
                let bears = any(&self.plan.procedure(procedure).body);
                self.bearing.borrow_mut().insert(procedure, bears);
                bears
            })
        };
        step.verb.tolerates() || any(&step.inner()) || matches!(step.verb, Verb::Call { procedure, .. } if called(procedure))
    }
}

/// What a `finish` at this path ends.
pub(super) fn ended(plan: &Plan, path: &StepPath) -> &'static str {
    // How deep the procedure lies whose `on_failure` it stands in.
    let depth = |around: &str| around.trim_end_matches('/').parse().map_or(0, |call: StepPath| plan.calls_to(&call) + 1);
    let mends = path.as_str().rsplit_once("~on_failure").map(|(around, _)| depth(around));
    match plan.calls_to(path) {
        calls if mends == Some(calls) => "`on_failure`",
        0 => "the run",
        _ => "the called procedure",
    }
}
