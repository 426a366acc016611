//! How far a change asks a version to be raised. Whoever relies on a procedure (a person, a caller, a trigger, a policy) relies on
//! what it takes and gives, on who is asked before what, and on how much it can destroy: to loosen any of that is major.

use super::part::{Measure, Part};
use super::{Raise, Weight};
use crate::effect::Effect;
use crate::plan::{Step, ValueSpec, Verb};
use crate::policy::Gate;

const fn plainly(raise: Raise) -> Weight {
    (raise, None)
}

/// Of a part of the procedure itself.
pub(super) fn procedure(what: &str, old: Option<&Part>, new: Option<&Part>) -> Weight {
    let is_gone = new.is_none();
    let kind = what.split(' ').next().unwrap_or(what);
    match kind {
        "name" => (Raise::Major, Some("callers know it by another name")),
        "kind" => (Raise::Major, Some("it is started in another way")),
        "input" => value(old, new, "callers do not give it", "callers give it"),
        "output" if is_gone => (Raise::Major, Some("callers read it")),
        "secret" if old.is_none() => (Raise::Major, Some("whoever runs it must have it")),
        "lock" if old.is_some() => (Raise::Major, Some("another run may go on beside it")),
        "escalation" if is_gone => (Raise::Major, Some("nobody is asked next")),
        "must" if is_gone => (Raise::Major, Some("a property is kept no longer")),
        // Only why it holds is another.
        "must" if old.is_some() => plainly(Raise::Patch),
        "title" | "description" | "owner" | "contacts" => plainly(Raise::Patch),
        _ => plainly(Raise::Minor),
    }
}

/// Of a part of a step that both versions have.
pub(super) fn step(what: &str, old: Option<&Part>, new: Option<&Part>) -> Weight {
    let (is_new, is_gone) = (old.is_none(), new.is_none());
    let kind = what.split(' ').next().unwrap_or(what);
    match (what, kind) {
        ("effect", _) if measure(new) > measure(old) => (Raise::Major, Some("it can do more harm")),
        ("approvals", _) if measure(new) < measure(old) => (Raise::Major, Some("fewer people must agree")),
        ("asked", _) if asks_others(old, new) => (Raise::Major, Some("others may decide")),
        ("on timeout", _) if !is_new && !is_gone => (Raise::Major, Some("silence means something else")),
        ("not the requester", _) if is_gone => (Raise::Major, Some("whoever asks may decide")),
        ("undo", _) if is_gone => (Raise::Major, Some("it is no longer taken back")),
        ("verify", _) if is_gone => (Raise::Major, Some("nothing tells whether it took place")),
        ("idempotent", _) if is_new => (Raise::Major, Some("it may run again unasked")),
        ("on failure", _) if new.is_some_and(|part| part.text == "continue") => (Raise::Major, Some("its failure stops nothing")),
        ("outcome", _) => (Raise::Major, Some("the run ends in another way")),
        ("evidence" | "expect", _) if is_gone => (Raise::Major, Some("nothing shows that it was done")),
        (_, "gate") => gate(old, new),
        (_, "assertion") if is_gone => (Raise::Major, Some("what it held back goes on")),
        (_, "field") => value(old, new, "whoever answers does not know of it", "later steps read it"),
        (_, "output") if is_gone => (Raise::Major, Some("it may be read elsewhere")),
        ("name" | "why" | "by hand" | "owner" | "example", _) => plainly(Raise::Patch),
        _ => plainly(Raise::Minor),
    }
}

pub(super) fn added(step: &Step, highest: Effect) -> Weight {
    if step.effect > highest { (Raise::Major, Some("it can do more harm than any step before")) } else { plainly(Raise::Minor) }
}

pub(super) fn removed(step: &Step) -> Weight {
    if holds_back(step) {
        (Raise::Major, Some("what it held back goes on"))
    } else if step.effect >= Effect::Change && !step.verb.is_container() {
        (Raise::Major, Some("what it did is no longer done"))
    } else {
        plainly(Raise::Minor)
    }
}

pub(super) fn moved(step: &Step) -> Weight {
    if holds_back(step) { (Raise::Major, Some("it holds back other steps than before")) } else { plainly(Raise::Minor) }
}

/// Whether what follows depends on a person, or on what is found.
fn holds_back(step: &Step) -> bool {
    matches!(step.verb, Verb::Approve(_) | Verb::Ask(_) | Verb::Manual(_) | Verb::Check(_)) || !step.gates.is_empty()
}

fn measure(part: Option<&Part>) -> u64 {
    match part.map(|part| &part.measure) {
        Some(Measure::Count(count)) => *count,
        _ => 0,
    }
}

/// Somebody may decide who might not before.
fn asks_others(old: Option<&Part>, new: Option<&Part>) -> bool {
    let names = |part: Option<&Part>| match part.map(|part| &part.measure) {
        Some(Measure::Names(names)) => names.clone(),
        _ => Vec::new(),
    };
    let (old, new) = (names(old), names(new));
    // No name means whoever may operate.
    !old.is_empty() && (new.is_empty() || new.iter().any(|name| !old.contains(name)))
}

fn gate(old: Option<&Part>, new: Option<&Part>) -> Weight {
    fn gate(part: Option<&Part>) -> Option<&Gate> {
        match &part?.measure {
            Measure::Gate(gate) => Some(gate),
            _ => None,
        }
    }
    match (gate(old), gate(new)) {
        (Some(_), None) => (Raise::Major, Some("policy asks nobody any more")),
        (Some(then), Some(now)) => {
            let looser = now.count < then.count
                || (then.not_requester && !now.not_requester)
                || (then.signed && !now.signed)
                || now.from.iter().any(|name| !then.from.contains(name));
            if looser { (Raise::Major, Some("policy asks for less")) } else { plainly(Raise::Minor) }
        }
        _ => plainly(Raise::Minor),
    }
}

/// Of an input or a field: `unknown` where nobody gives it yet, `known` where somebody does.
fn value(old: Option<&Part>, new: Option<&Part>, unknown: &'static str, known: &'static str) -> Weight {
    fn spec(part: Option<&Part>) -> Option<&ValueSpec> {
        match &part?.measure {
            Measure::Input(spec) => Some(spec),
            _ => None,
        }
    }
    match (spec(old), spec(new)) {
        (None, Some(now)) if now.required && now.default.is_none() => (Raise::Major, Some(unknown)),
        (Some(_), None) => (Raise::Major, Some(known)),
        (Some(then), Some(now)) => {
            let must_be_given = |spec: &ValueSpec| spec.required && spec.default.is_none();
            if must_be_given(now) && !must_be_given(then) {
                (Raise::Major, Some(unknown))
            } else if is_narrower(then, now) {
                (Raise::Major, Some("what was accepted may be refused"))
            } else {
                plainly(Raise::Minor)
            }
        }
        _ => plainly(Raise::Minor),
    }
}

/// Whether some value that was accepted may be refused.
fn is_narrower(then: &ValueSpec, now: &ValueSpec) -> bool {
    let items = match (&then.items, &now.items) {
        (Some(then), Some(now)) => is_narrower(then, now),
        (None, Some(_)) => true,
        _ => false,
    };
    let choices =
        !now.choices.is_empty() && (then.choices.is_empty() || then.choices.iter().any(|choice| !now.choices.contains(choice)));
    // Whether one bound lies within another is a question of their types; a new one is taken to be narrower.
    let bound = |then: &Option<crate::value::Value>, now: &Option<crate::value::Value>| now.is_some() && then != now;
    then.r#type != now.r#type
        || items
        || choices
        || (now.pattern.is_some() && then.pattern != now.pattern)
        || bound(&then.min, &now.min)
        || bound(&then.max, &now.max)
}
