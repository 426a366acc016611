//! The names by which a case calls steps.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::Scalar;
use crate::id::StepPath;
use crate::plan::{Plan, Procedure, Step, StepIx, Verb, Verify, WaitFor};

/// How well a case's name for a step fits a path; `None` where it does not. A step is called by its id or label, by its path or the
/// end of it, with or without the numbers of items and rounds, or, where it takes a step back, by `STEP~undo`.
pub(super) fn fit(name: &str, path: &StepPath) -> Option<u8> {
    if path.as_str() == name {
        return Some(3);
    }
    let plain = path.without_indexes();
    let ends = |path: &str, name: &str| path.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/'));
    if plain.as_str() == name || name.contains('[') && ends_with_some(path.as_str(), name) {
        return Some(2);
    }
    if let Some(of) = name.strip_suffix("~undo") {
        if of.contains('[') {
            let (step, _) = path.as_str().rsplit_once("~undo")?;
            return ends_with_some(step, of).then_some(2);
        }
        let (step, _) = plain.as_str().rsplit_once("~undo/")?;
        return ends(step, of).then_some(1);
    }
    if name.contains('/') {
        return ends(plain.as_str(), name).then_some(1);
    }
    // A label that was made up from the verb and the place is that of a step of the procedure, not of one beside it.
    let beside = plain.as_str().contains("~undo/") || plain.as_str().contains("~verify/");
    (plain.label() == name && !(beside && is_made_up(name))).then_some(1)
}

/// Whether a path ends with a name that has the numbers of some items and rounds and leaves out those of others.
fn ends_with_some(path: &str, name: &str) -> bool {
    let (mut path, mut name) = (path.rsplit('/'), name.rsplit('/'));
    loop {
        match (path.next(), name.next()) {
            (_, None) => return true,
            (None, Some(_)) => return false,
            (Some(at), Some(named)) if at == named || without_numbers(at) == named => {}
            _ => return false,
        }
    }
}

/// A segment of a path as it is without its number.
fn without_numbers(segment: &str) -> String {
    let pieces = segment.split('[').enumerate();
    pieces.map(|(n, piece)| if n == 0 { piece } else { piece.split_once(']').map_or("", |(_, rest)| rest) }).collect()
}

/// The label of the step that a name is of.
pub(super) fn label(name: &str) -> &str {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split(['[', '~', '.']).next().unwrap_or(last)
}

/// The steps of a plan by their labels.
pub(super) struct Labels<'p> {
    steps: BTreeMap<&'p str, Vec<StepIx>>,
    /// What takes others back or looks after them.
    beside: BTreeSet<StepIx>,
}

impl<'p> Labels<'p> {
    pub fn of(plan: &'p Plan) -> Labels<'p> {
        let mut steps: BTreeMap<&str, Vec<StepIx>> = BTreeMap::new();
        for (number, step) in (0..).zip(&plan.steps) {
            steps.entry(&step.label).or_default().push(StepIx(number));
        }
        let mut beside = BTreeSet::new();
        let verifies = |step: &Step| if let Some(Verify::Step(look)) = &step.verify { Some(*look) } else { None };
        let mut left: Vec<StepIx> = plan.steps.iter().flat_map(|step| step.undo.iter().copied().chain(verifies(step))).collect();
        while let Some(ix) = left.pop() {
            if beside.insert(ix) {
                left.extend(plan.step(ix).inner());
            }
        }
        Labels { steps, beside }
    }

    pub fn names(&self) -> impl Iterator<Item = &'p str> {
        self.steps.keys().copied()
    }
}

/// Whether a name is a label that was made up from a verb and a place.
fn is_made_up(name: &str) -> bool {
    name.contains('-') && !name.contains(['/', '~'])
}

/// The steps of a plan that a name can be of; none where a part of the path is nobody's.
pub(super) fn steps_of<'p>(name: &str, plan: &'p Plan, labels: &'p Labels<'_>) -> Vec<&'p Step> {
    let first = name.split('/').next().unwrap_or(name);
    let mut called: Vec<&Procedure> = plan.procedures.iter().collect();
    let mut lists: Vec<&[StepIx]> = labels.steps.get(label(first)).map(Vec::as_slice).into_iter().collect();
    if is_made_up(name) {
        let own = lists.iter().copied().flatten().filter(|ix| !labels.beside.contains(ix));
        return own.map(|ix| plan.step(*ix)).collect();
    }
    let mut found = Vec::new();
    for segment in name.split('/') {
        // What stands beside the steps of a procedure is a list of its own.
        match segment {
            "~on_failure" => lists = called.iter().map(|procedure| procedure.on_failure.as_slice()).collect(),
            "~finally" => lists = called.iter().map(|procedure| procedure.finally.as_slice()).collect(),
            _ => {
                let (at, beside) = segment.split_once('~').unwrap_or((segment, ""));
                let (at, branch) = at.split_once('.').unwrap_or((at, ""));
                let steps = lists.iter().copied().flatten().map(|ix| plan.step(*ix));
                let steps: Vec<&Step> = steps.filter(|step| step.label == label(at)).collect();
                lists = steps.iter().flat_map(|step| inside(step, beside, branch, plan)).collect();
                called = steps.iter().filter_map(|step| procedure(step, plan)).collect();
                found = steps;
            }
        }
    }
    found
}

/// The steps of a plan whose attempts a name is of: behind `~undo` those that take back, else those that it names.
pub(super) fn performed<'p>(name: &str, plan: &'p Plan, labels: &'p Labels<'_>) -> Vec<&'p Step> {
    let named = steps_of(name, plan, labels);
    if !name.ends_with("~undo") {
        return named;
    }
    named.iter().flat_map(|step| &step.undo).map(|ix| plan.step(*ix)).collect()
}

fn procedure<'p>(step: &Step, plan: &'p Plan) -> Option<&'p Procedure> {
    if let Verb::Call { procedure, .. } = &step.verb { Some(plan.procedure(*procedure)) } else { None }
}

/// The lists inside a step, or those beside it that take it back or look after it.
fn inside<'p>(step: &'p Step, beside: &str, branch: &str, plan: &'p Plan) -> Vec<&'p [StepIx]> {
    match (&step.verb, label(beside), &step.verify) {
        (_, "undo", _) => vec![&step.undo],
        (_, "verify", Some(Verify::Step(look))) => vec![std::slice::from_ref(look)],
        (Verb::Group(body) | Verb::Repeat { body, .. }, ..) => vec![body],
        (Verb::Each(each), ..) => vec![&each.body],
        (Verb::Choose(branches), ..) => branches.iter().map(|branch| branch.body.as_slice()).collect(),
        (Verb::Parallel { branches, .. }, ..) => {
            branches.iter().filter(|(name, _)| name.as_str() == branch).map(|(_, body)| body.as_slice()).collect()
        }
        (Verb::Wait(wait), ..) => match &wait.what {
            WaitFor::Until { probe: Some(probe), .. } => vec![std::slice::from_ref(probe)],
            _ => Vec::new(),
        },
        _ => procedure(step, plan).map(|procedure| procedure.body.as_slice()).into_iter().collect(),
    }
}

/// What fits a name best, in order.
pub(super) fn closest<T>(name: &str, all: impl Iterator<Item = (StepPath, T)>) -> Vec<T> {
    let mut closest = (0, Vec::new());
    for (path, what) in all {
        let Some(well) = fit(name, &path) else { continue };
        if well > closest.0 {
            closest = (well, Vec::new());
        }
        if well == closest.0 {
            closest.1.push(what);
        }
    }
    closest.1
}

/// The entry whose name fits the path best.
pub(super) fn best<'t, T>(entries: &'t [(Scalar, T)], path: &StepPath) -> Option<&'t T> {
    let fitting = entries.iter().filter_map(|(name, what)| Some((fit(&name.value, path)?, what)));
    // The first of equals.
    fitting.reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, what)| what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_called_by_id_by_path_and_by_what_they_take_back() {
        for (name, path, expect) in [
            ("copy", "copy", Some(3)),
            ("copy", "rebuild/copy", Some(1)),
            ("rebuild/copy", "rebuild[2]/copy", Some(2)),
            ("rebuild[2]/copy", "rebuild[2]/copy", Some(3)),
            ("copy", "rebuild[2]/copy", Some(1)),
            ("copy", "copying", None),
            ("rebuild/copy", "all[1]/rebuild[2]/copy", Some(1)),
            ("rebuild[2]/copy", "all[1]/rebuild[2]/copy", Some(2)),
            ("rebuild[1]/copy", "all[1]/rebuild[2]/copy", None),
            ("all[1]/rebuild/copy", "all[1]/rebuild[2]/copy", Some(2)),
            ("all[2]/rebuild/copy", "all[1]/rebuild[2]/copy", None),
            ("all[1]/copy~undo/run-1", "all[1]/copy~undo[2]/run-1", Some(2)),
            ("build/copy", "rebuild/copy", None),
            ("copy~verify/run-1", "rebuild/copy~verify[1]/run-1", Some(1)),
            ("install~undo/run-1", "group/install~undo/run-1", Some(1)),
            ("install~undo", "install~undo/run-1", Some(1)),
            ("install~undo", "group/install~undo/run-1", Some(1)),
            ("group/install~undo", "group/install~undo/run-1", Some(1)),
            ("install~undo", "install/run-1", None),
            ("all[1]/install~undo", "all[1]/install~undo/run-1", Some(2)),
            ("all[1]/install~undo", "all[2]/install~undo[2]/run-1", None),
            ("all[2]/install~undo", "all[2]/install~undo[2]/run-1", Some(2)),
            ("run-1", "install~undo/run-1", None),
            ("restore", "install~undo/restore", Some(1)),
            ("run-1", "run-1", Some(3)),
        ] {
            assert_eq!(fit(name, &path.parse().unwrap()), expect, "{name} {path}");
        }
    }
}
