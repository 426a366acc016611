//! How far a change asks a version to be raised. Whoever relies on a procedure (a person, a caller, a trigger, a policy) relies on
//! what it takes and gives, on who is asked before what, and on how much it can destroy: to loosen any of that is major.
//!
//! Whether one condition is weaker than another cannot be told, so a condition that held something back and is another one now counts
//! as gone.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use super::deciders::Names;
use super::part::{Measure, OF_PLACES, Part};
use super::people::asks_others;
use super::{Raise, outside};
use crate::effect::Effect;
use crate::expr::order_numbers;
use crate::plan::{OnFailure, Plan, Step, StepIx, ValueSpec, Verb};
use crate::policy::Gate;
use crate::value::Value;

/// How far a change asks a version to be raised, and why where that is not plain.
pub(super) type Weight = (Raise, Option<&'static str>);

/// The plans of both versions.
#[derive(Clone, Copy)]
pub(super) struct Plans<'p> {
    pub old: &'p Plan,
    pub new: &'p Plan,
}

/// A step in both versions.
#[derive(Clone, Copy)]
pub(super) struct Steps<'p> {
    pub plans: Plans<'p>,
    /// In the old version.
    pub ix: StepIx,
    pub old: &'p Step,
    pub new: &'p Step,
    /// Whether it, or anything in it, held back what stands behind it.
    pub held: bool,
    /// Whether it takes another step back, or is part of what does.
    pub undoes: bool,
    /// Whether it calls another version of the same procedure, which was loosened.
    pub calls_looser: bool,
    /// What decided in the old version.
    pub deciders: &'p Names,
}

pub(super) const WIDER: &str = "it may run where it did not";
const PASSED: &str = "what it held back may go on";
const OTHERS: &str = "others may decide";
const SILENCE: &str = "silence means something else";
const SOMETIMES: &str = "it holds back only sometimes";
const AT_ONCE: &str = "more of it may go wrong at once";
const STOPS_NOTHING: &str = "its failure stops nothing";
pub(super) const DECIDES: &str = "it decides whether something is held back, or changed";

pub(super) const fn plainly(raise: Raise) -> Weight {
    (raise, None)
}

pub(super) const fn major(because: &'static str) -> Weight {
    (Raise::Major, Some(because))
}

/// Of a part of the procedure itself, and of what the workspace's rules ask for in all of it.
pub(super) fn procedure(plans: Plans, deciders: &Names, what: &str, old: Option<&Part>, new: Option<&Part>) -> Weight {
    let (is_new, is_gone) = (old.is_none(), new.is_none());
    let (kind, name) = what.split_once(' ').unwrap_or((what, ""));
    match kind {
        "name" => major("callers know it by another name"),
        "kind" => major("it is started in another way"),
        "input" => match value(old, new, "callers do not give it", "callers give it") {
            (Raise::Minor, None) if deciders.input(name) && is_other_ungiven(old, new) => major(DECIDES),
            weight => weight,
        },
        "output" if is_gone => major("callers read it"),
        "output" if deciders.output(name) => major(DECIDES),
        "secret" if is_new => major("whoever runs it must have it"),
        "lock" if !is_new => major("another run may go on beside it"),
        "escalation" if is_gone => major("nobody is asked next"),
        "escalation" | "people" if others(plans, old, new) => major(OTHERS),
        // Who they are whom a change of something else brings in.
        "people" if is_new => plainly(Raise::None),
        "must" | "policy" if is_gone => major("a property is kept no longer"),
        // Only why it holds is another.
        "must" | "policy" if !is_new => plainly(Raise::Patch),
        "four" if is_gone => major("whoever asks may decide"),
        "signed" if is_gone => major("nobody signs a decision any more"),
        "trigger" => outside::trigger(deciders, old, new),
        // Where it goes whom a change of something else brings in.
        "channel" if is_new => plainly(Raise::None),
        _ if what == outside::HTTP_ALLOW => outside::network(old, new),
        "environment" if is_new || is_gone => plainly(Raise::None),
        "environment" => major("whoever names none is in another one"),
        // When an environment may be changed is its own matter, and no version says it.
        _ if OF_PLACES.contains(&what) => plainly(Raise::None),
        "title" | "description" | "owner" | "contacts" => plainly(Raise::Patch),
        _ => plainly(Raise::Minor),
    }
}

/// Of a part of a step that both versions have.
pub(super) fn step(of: &Steps, what: &str, old: Option<&Part>, new: Option<&Part>) -> Weight {
    let (is_new, is_gone) = (old.is_none(), new.is_none());
    let (count, changes) = (measure(new).cmp(&measure(old)), of.new.effect >= Effect::Change);
    let (kind, name) = what.split_once(' ').unwrap_or((what, ""));
    match (what, kind) {
        ("effect", _) if count.is_gt() => major("it can do more harm"),
        ("if" | "items", _) if of.held && !is_gone => major(SOMETIMES),
        ("if", _) if of.undoes && !is_gone => major("it takes back only sometimes"),
        ("if", _) if changes && !is_new => major(WIDER),
        ("branches", _) if matches!(of.new.verb, Verb::Choose(_)) && of.held => major(SOMETIMES),
        ("branches", _) if matches!(of.new.verb, Verb::Choose(_)) && changes => major(WIDER),
        ("approvals", _) if count.is_lt() => major("fewer people must agree"),
        ("asked", _) if others(of.plans, old, new) => major(OTHERS),
        ("on timeout", _) if !is_new && !is_gone => major(SILENCE),
        ("not the requester", _) if is_gone => major("whoever asks may decide"),
        ("undo", _) if is_gone => major("it is no longer taken back"),
        ("verify", _) if is_gone => major("nothing tells whether it took place"),
        ("verify", _) if !is_new => major("what did not take place may pass for done"),
        ("idempotent", _) if is_new => major("it may run again unasked"),
        ("on failure", _) => on_failure(of.old.on_failure, of.new.on_failure),
        ("outcome", _) => major("the run ends in another way"),
        ("evidence" | "expect", _) if is_gone => major("nothing shows that it was done"),
        ("expect", _) if !is_new && matches!(of.new.verb, Verb::Http(_)) => major("what failed may succeed"),
        ("expected status", _) if takes_more(old, new) => major("what failed may succeed"),
        ("until" | "wait until" | "wait for an event of", _) => major(PASSED),
        // One that is new holds more back.
        ("event when" | "events since", _) if !is_new => major(PASSED),
        ("failures tolerated", _) if count.is_gt() => major("more of it may fail before it stops"),
        ("batches", _) if changes && !is_new => major(AT_ONCE),
        ("at once", _) if changes && count.is_gt() && measure(new) > 1 => major(AT_ONCE),
        ("procedure", _) if of.old_calls_another() && (of.held || of.old.effect >= Effect::Change) => major(DONE),
        ("procedure", _) if of.old_calls_another() && of.deciders.readers(of.ix).next().is_some() => major(DECIDES),
        ("procedure", _) if of.calls_looser => major("what it calls was raised as far"),
        (_, "gate") => gate(of.plans, old, new),
        (_, "assertion") if is_gone => major(PASSED),
        // Only what is said where it does not hold.
        (_, "assertion") if !is_new => plainly(Raise::Patch),
        (_, "field") => value(old, new, "whoever answers does not know of it", "later steps read it"),
        (_, "output") if is_gone => major("it may be read elsewhere"),
        (_, "output") if of.deciders.output_of(of.ix, name) => major(DECIDES),
        (_, "value") if of.deciders.value_of(of.ix, name) => major(DECIDES),
        (_, "with") if of.deciders.given(of.ix, name) => major(DECIDES),
        ("if" | "branches" | "items" | "script", _) if of.deciders.part(of.ix, what) => major(DECIDES),
        ("irreversible", _) if !is_new && !is_gone => plainly(Raise::Patch),
        ("name" | "why" | "by hand" | "owner" | "example", _) => plainly(Raise::Patch),
        _ => plainly(Raise::Minor),
    }
}

const DONE: &str = "what it did is no longer done";

/// `around`: whether it stands around steps that were there before, and change something or hold something back.
pub(super) fn added(step: &Step, highest: Effect, around: bool) -> Weight {
    let tolerates = step.verb.tolerates();
    let at_once = matches!(&step.verb, Verb::Each(each) if each.max_parallel > 1);
    if step.effect > highest {
        major("it can do more harm than any step before")
    } else if around && (tolerates || !stops(step.on_failure)) {
        major(STOPS_NOTHING)
    } else if around && at_once && step.effect >= Effect::Change {
        major(AT_ONCE)
    } else {
        plainly(Raise::Minor)
    }
}

/// `holds`: whether it holds back what stands behind it. What stood in a step says itself that it is gone; not so in a call.
pub(super) fn removed(step: &Step, holds: bool) -> Weight {
    let acts = !step.verb.is_container() || matches!(step.verb, Verb::Call { .. });
    if holds {
        major("what it held back goes on")
    } else if step.effect >= Effect::Change && acts {
        major(DONE)
    } else {
        plainly(Raise::Minor)
    }
}

/// `order`: whether it and another step that changes something come in another order than before, or in none.
pub(super) fn moved(holds: bool, order: bool) -> Weight {
    if holds {
        major("it holds back other steps than before")
    } else if order {
        major("changes are made in another order")
    } else {
        plainly(Raise::Minor)
    }
}

impl Steps<'_> {
    fn old_calls_another(&self) -> bool {
        let name = |plan: &Plan, step: &Step| match &step.verb {
            Verb::Call { procedure, .. } => Some(plan.procedure(*procedure).name.clone()),
            _ => None,
        };
        name(self.plans.old, self.old) != name(self.plans.new, self.new)
    }
}

fn stops(on_failure: OnFailure) -> bool {
    matches!(on_failure, OnFailure::Stop | OnFailure::Rollback)
}

fn on_failure(old: OnFailure, new: OnFailure) -> Weight {
    match (old, new) {
        (old, new) if stops(old) && !stops(new) => major(STOPS_NOTHING),
        (OnFailure::Rollback, _) => major("its failure takes nothing back"),
        _ => plainly(Raise::Minor),
    }
}

fn measure(part: Option<&Part>) -> u64 {
    match part.map(|part| &part.measure) {
        Some(Measure::Count(count)) => *count,
        _ => 0,
    }
}

/// Somebody may decide who might not before. Where one side asks nobody at all, nobody decides.
fn others(plans: Plans, old: Option<&Part>, new: Option<&Part>) -> bool {
    fn names(part: Option<&Part>) -> Option<&[String]> {
        match &part?.measure {
            Measure::Names(names) | Measure::People { from: names, .. } => Some(names),
            _ => None,
        }
    }
    names(old).zip(names(new)).is_some_and(|(old, new)| asks_others((plans.old, old), (plans.new, new)))
}

/// Whether a status is a success that was none.
fn takes_more(old: Option<&Part>, new: Option<&Part>) -> bool {
    const PLAIN: RangeInclusive<u16> = 200..=299;
    fn statuses(part: Option<&Part>) -> Vec<u16> {
        match part.map(|part| &part.measure) {
            Some(Measure::Statuses(statuses)) => statuses.clone(),
            _ => PLAIN.collect(),
        }
    }
    let then = statuses(old);
    statuses(new).iter().any(|status| !then.contains(status))
}

fn gate(plans: Plans, old: Option<&Part>, new: Option<&Part>) -> Weight {
    fn gate(part: Option<&Part>) -> Option<&Gate> {
        match &part?.measure {
            Measure::Gate(gate) => Some(gate),
            _ => None,
        }
    }
    match (gate(old), gate(new)) {
        (Some(_), None) => major("policy asks nobody any more"),
        (Some(then), Some(now)) => {
            let looser = now.count < then.count
                || (then.not_requester && !now.not_requester)
                || (then.signed && !now.signed)
                || asks_others((plans.old, &then.from), (plans.new, &now.from));
            if looser {
                major("policy asks for less")
            } else if then.on_timeout != now.on_timeout {
                major(SILENCE)
            } else {
                plainly(Raise::Minor)
            }
        }
        _ => plainly(Raise::Minor),
    }
}

/// Whether an input that nobody gives is something else than before. Where one of the two has to be given there is nothing to compare.
fn is_other_ungiven(old: Option<&Part>, new: Option<&Part>) -> bool {
    let ungiven = |part: Option<&Part>| match part.map(|part| &part.measure) {
        Some(Measure::Input(spec)) if spec.default.is_none() && spec.required => None,
        Some(Measure::Input(spec)) => Some(spec.default.clone().unwrap_or(Value::Null)),
        _ => None,
    };
    ungiven(old).zip(ungiven(new)).is_some_and(|(then, now)| then != now)
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
        (None, Some(now)) if now.required && now.default.is_none() => major(unknown),
        (Some(_), None) => major(known),
        (Some(then), Some(now)) => {
            let must_be_given = |spec: &ValueSpec| spec.required && spec.default.is_none();
            if must_be_given(now) && !must_be_given(then) {
                major(unknown)
            } else if is_narrower(then, now) {
                major("what was accepted may be refused")
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
    // A bound that cannot be held against the one before is taken to be narrower.
    let bound = |then: &Option<Value>, now: &Option<Value>, wider: Ordering| match (then, now) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(then), Some(now)) => order(now, then).is_none_or(|order| order != Ordering::Equal && order != wider),
    };
    then.r#type != now.r#type
        || items
        || choices
        || (now.pattern.is_some() && then.pattern != now.pattern)
        || bound(&then.min, &now.min, Ordering::Less)
        || bound(&then.max, &now.max, Ordering::Greater)
}

fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => order_numbers(one, other),
        (Value::Duration(one), Value::Duration(other)) => Some(one.cmp(other)),
        (Value::Time(one), Value::Time(other)) => Some(one.cmp(other)),
        _ => None,
    }
}
