//! What the rules of the workspace ask for in each environment, side by side: what changes in all of them is told once, what changes in
//! some with their names.

use std::collections::BTreeSet;

use super::part::{self, Part};
use super::{PartChange, Raise};
use crate::plan::{Plan, StepIx};

/// What the rules of one environment make of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Absent where the workspace has no environments, or only one is compared.
    environment: Option<String>,
    asks: Asks,
}

/// Of the run as a whole, and before each step of the plan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asks {
    pub run: Vec<Part>,
    gates: Vec<Vec<Part>>,
}

/// The same environment in both versions.
pub(super) struct Pair<'p> {
    name: &'p str,
    pub old: &'p Asks,
    pub new: &'p Asks,
}

impl Rules {
    /// Of a plan that was made for this environment.
    pub fn of(plan: &Plan, environment: Option<&str>) -> Rules {
        let gates = plan.steps.iter().map(part::of_gates).collect();
        Rules { environment: environment.map(str::to_owned), asks: Asks { run: part::of_rules(plan), gates } }
    }

    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// Whether they ask for the same, whatever the environments are called.
    pub fn ask_the_same(&self, other: &Rules) -> bool {
        self.asks == other.asks
    }

    pub(super) fn gates(&self, step: StepIx) -> &[Part] {
        self.asks.gates(Some(step))
    }

    fn name(&self) -> &str {
        self.environment.as_deref().unwrap_or_default()
    }

    /// What they ask for, by name, behind what the environment is.
    fn told(&self) -> String {
        let parts = self.asks.run.iter().chain(self.asks.gates.iter().flatten());
        let names: BTreeSet<&str> = parts.map(|part| part.what.as_str()).collect();
        let (place, rules): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|what| part::OF_PLACES.contains(what));
        let rules = if rules.is_empty() { "no rule asks for anything".to_owned() } else { rules.join(", ") };
        if place.is_empty() { rules } else { format!("{}; {rules}", place.join(", ")) }
    }
}

impl Asks {
    pub fn gates(&self, step: Option<StepIx>) -> &[Part] {
        step.and_then(|step| self.gates.get(step.0 as usize)).map_or(&[], Vec::as_slice)
    }
}

/// Rules that hold wherever a run is.
fn everywhere(rules: &[Rules]) -> Option<&Rules> {
    rules.first().filter(|rules| rules.environment.is_none())
}

/// The environments that both versions have. A workspace without any has one set of rules for all.
pub(super) fn side_by_side<'p>(old: &'p [Rules], new: &'p [Rules]) -> Vec<Pair<'p>> {
    let pair = |name: &'p str, old: &'p Rules, new: &'p Rules| Pair { name, old: &old.asks, new: &new.asks };
    match (everywhere(old), everywhere(new)) {
        (Some(old), _) => new.iter().map(|new| pair(new.name(), old, new)).collect(),
        (None, Some(new)) => old.iter().map(|old| pair(old.name(), old, new)).collect(),
        (None, None) => {
            let same = |new: &'p Rules| Some(pair(new.name(), old.iter().find(|old| old.name() == new.name())?, new));
            new.iter().filter_map(same).collect()
        }
    }
}

/// The environments that only one version has, with what is asked for there.
pub(super) fn one_sided(old: &[Rules], new: &[Rules]) -> Vec<PartChange> {
    let only = |rules: &Rules, others: &[Rules]| {
        let is_known = rules.environment.is_none() || others.iter().any(|other| other.environment == rules.environment);
        (!is_known).then(|| (format!("environment {}", rules.name()), Some(rules.told())))
    };
    let part = |what, old, new| PartChange { what, old, new, environments: Vec::new(), needs: Raise::None, because: None };
    let come = new.iter().filter_map(|rules| only(rules, old)).map(|(what, told)| part(what, None, told));
    let gone = old.iter().filter_map(|rules| only(rules, new)).map(|(what, told)| part(what, told, None));
    come.chain(gone).collect()
}

/// What changes in each pair, once.
pub(super) fn merged(pairs: &[Pair], changes: impl Fn(&Pair) -> Vec<PartChange>) -> Vec<PartChange> {
    let mut all: Vec<PartChange> = Vec::new();
    for pair in pairs {
        for change in changes(pair) {
            let told = |of: &PartChange| (of.what == change.what, of.old == change.old, of.new == change.new);
            match all.iter_mut().find(|known| told(known) == (true, true, true)) {
                Some(known) => known.environments.push(pair.name.to_owned()),
                None => all.push(PartChange { environments: vec![pair.name.to_owned()], ..change }),
            }
        }
    }
    for change in all.iter_mut().filter(|change| change.environments.len() == pairs.len()) {
        change.environments.clear();
    }
    all
}
