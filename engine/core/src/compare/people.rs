//! Who stands behind the names of those who decide: two versions may name the same group and mean other people.
//!
//! Somebody is known by users of the system and by keys, so a person who is called otherwise is the same, and a person who gets
//! one more key is somebody else besides.

use std::collections::BTreeSet;

use super::part::{Measure, Part};
use crate::id::Digest;
use crate::limits;
use crate::plan::{Plan, Step, Verb};

/// What proves that somebody is meant: a user, or a key. `None`: no workspace says who anybody is, and whoever runs it decides alone.
type Proofs<'p> = Option<BTreeSet<(&'static str, &'p str)>>;

/// Whether somebody may decide who might not before. Each side is a plan and whom it names; nobody by name is whoever may operate.
pub(super) fn asks_others(old: (&Plan, &[String]), new: (&Plan, &[String])) -> bool {
    match (proofs(old.0, old.1), proofs(new.0, new.1)) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(then), Some(now)) => !now.is_subset(&then),
    }
}

/// Whom a step asks.
pub(super) fn asked(step: &Step) -> Option<&[String]> {
    match &step.verb {
        Verb::Approve(approve) => Some(&approve.from),
        Verb::Ask(ask) => Some(&ask.from),
        Verb::Manual(manual) => Some(&manual.from),
        _ => None,
    }
}

/// Who is behind each of these names; behind an empty one is whoever may operate.
pub(super) fn parts(plan: &Plan, names: &BTreeSet<&str>) -> Vec<Part> {
    let part = |name: &&str| {
        let what = if name.is_empty() { "who may operate" } else { name };
        let from: Vec<String> = if name.is_empty() { Vec::new() } else { vec![(*name).to_owned()] };
        let all = Digest::of_bytes(format!("{:?}", proofs(plan, &from)).as_bytes());
        Part { what: format!("people {what}"), text: told(plan, &from), measure: Measure::People { from, all } }
    };
    names.iter().map(part).collect()
}

fn members<'p>(plan: &'p Plan, from: &[String]) -> BTreeSet<&'p str> {
    let people = &plan.policy.people;
    if from.is_empty() { people.people.keys().map(String::as_str).collect() } else { people.members_of_all(from) }
}

fn proofs<'p>(plan: &'p Plan, from: &[String]) -> Proofs<'p> {
    let people = &plan.policy.people;
    let proofs_of = |name: &str| {
        let person = people.people.get(name);
        let users = person.into_iter().flat_map(|person| &person.users).map(|user| ("user", user.as_str()));
        let keys = person.into_iter().flat_map(|person| &person.ssh_keys).map(|key| ("key", key.as_str()));
        users.chain(keys).collect::<Vec<_>>()
    };
    (!people.is_empty()).then(|| members(plan, from).into_iter().flat_map(proofs_of).collect())
}

/// The people by name, each with the users and keys that are not plain from the name.
fn told(plan: &Plan, from: &[String]) -> String {
    let people = &plan.policy.people;
    if people.is_empty() {
        return "whoever runs it, alone".to_owned();
    }
    if let [one] = from
        && let Some(rotation) = people.rotations.get(one)
    {
        return rotation.to_string();
    }
    let members = members(plan, from);
    let person = |name: &&str| {
        let Some(person) = people.people.get(*name) else { return (*name).to_owned() };
        let users = person.users.iter().filter(|_| person.users != [*name]).map(|user| format!("user {user}"));
        let keys = person.ssh_keys.iter().map(|key| format!("key {}", Digest::of_bytes(key.as_bytes()).short()));
        let proofs: Vec<String> = users.chain(keys).collect();
        if proofs.is_empty() { (*name).to_owned() } else { format!("{name} ({})", proofs.join(", ")) }
    };
    let mut words: Vec<String> = members.iter().take(limits::COMPARED_PEOPLE).map(person).collect();
    let more = members.len() - words.len();
    words.extend((more > 0).then(|| format!("and {more} more")));
    if words.is_empty() { "nobody".to_owned() } else { words.join(", ") }
}
