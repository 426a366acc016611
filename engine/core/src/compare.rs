//! What one version of a procedure means that another does not: steps added, removed, moved and changed, and how far its
//! version should have been raised for that. Places, comments and the order of keys mean nothing.
//!
//! Two plans are compared, so both versions have passed `check`, defaults are what they are, and the approvals that the
//! workspace's policy adds are part of what is compared. Steps are the same where their ids are; those without one where they
//! stand between the same neighbours.

mod align;
mod deciders;
mod guard;
mod order;
mod outside;
mod part;
mod people;
mod rules;
mod weigh;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use self::align::Layout;
use self::deciders::{Deciders, Names};
use self::part::Part;
pub use self::rules::Rules;
use self::weigh::{Plans, Weight};
use crate::document::procedure::Version;
use crate::id::{Digest, ProcedureName};
use crate::plan::{Plan, Procedure, ProcedureIx, Step, StepIx, Verb};
use crate::trigger::Trigger;

/// How much a change asks of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Raise {
    #[default]
    None,
    /// What people read.
    Patch,
    /// What it does, for whoever relied on it before.
    Minor,
    /// What it takes, gives, destroys or asks people for.
    Major,
}

impl Raise {
    pub fn word(self) -> &'static str {
        match self {
            Raise::None => "none",
            Raise::Patch => "patch",
            Raise::Minor => "minor",
            Raise::Major => "major",
        }
    }

    /// The first version after `version` that is raised this far.
    pub fn of(self, version: Version) -> Version {
        let Version { major, minor, patch } = version;
        match self {
            Raise::None => version,
            Raise::Patch => Version { major, minor, patch: patch.saturating_add(1) },
            Raise::Minor => Version { major, minor: minor.saturating_add(1), patch: 0 },
            Raise::Major => Version { major: major.saturating_add(1), minor: 0, patch: 0 },
        }
    }
}

/// One plan beside another.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    pub old: Side,
    pub new: Side,
    /// Environments of which nothing is said, because there are too many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
    /// That of the run first, then those that it calls, by name; only those with a change.
    pub procedures: Vec<ProcedureChange>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Side {
    pub procedure: ProcedureName,
    pub version: Version,
    /// Of the plan.
    pub digest: Option<Digest>,
}

/// What became of one procedure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProcedureChange {
    pub procedure: ProcedureName,
    /// Whether it is only called by the one that was asked for.
    pub called: bool,
    /// Absent where the plan did not have it.
    pub old: Option<Version>,
    pub new: Option<Version>,
    /// Of the procedure itself.
    pub parts: Vec<PartChange>,
    pub steps: Vec<StepChange>,
    /// How far the version must be raised for all of this.
    pub needs: Raise,
    pub raised: Raised,
}

/// What was done to the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "least")]
pub enum Raised {
    /// Far enough, or further.
    Enough,
    /// It must be at least this.
    TooLittle(Version),
    /// Nothing to say: the procedure is new, or is gone.
    Neither,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepChange {
    /// Path in the procedure, in the new version where it has the step.
    pub path: String,
    pub verb: &'static str,
    #[serde(flatten)]
    pub fate: Fate,
    pub parts: Vec<PartChange>,
    pub needs: Raise,
    /// Why the version must be raised so far, where that is more than that the step is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "fate", content = "from")]
pub enum Fate {
    Added,
    Removed,
    /// Its path in the old version; the same where only its place among its neighbours is another.
    Moved(String),
    Changed,
}

/// One thing that is said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartChange {
    pub what: String,
    /// Absent where it was not said.
    pub old: Option<String>,
    pub new: Option<String>,
    /// Where it is so; empty: in every environment that is compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    pub needs: Raise,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<&'static str>,
}

impl ProcedureChange {
    /// Whether the same became of one procedure, looked at by itself and as one that is called.
    pub fn says_the_same(&self, other: &ProcedureChange) -> bool {
        self.procedure == other.procedure
            && (self.old, self.new) == (other.old, other.new)
            && (&self.parts, &self.steps) == (&other.parts, &other.steps)
    }
}

impl Comparison {
    pub fn is_empty(&self) -> bool {
        self.procedures.is_empty()
    }

    /// What became of the procedure that was asked for; absent where only what it calls is another.
    pub fn own(&self) -> Option<&ProcedureChange> {
        self.procedures.first().filter(|change| !change.called)
    }

    /// Whether every version was raised as far as its changes ask for.
    pub fn is_raised_enough(&self) -> bool {
        self.too_low().next().is_none()
    }

    /// What became of the procedures whose versions were not.
    pub fn too_low(&self) -> impl Iterator<Item = &ProcedureChange> {
        self.procedures.iter().filter(|change| matches!(change.raised, Raised::TooLittle(_)))
    }
}

/// A plan, and the rules of all environments that it is compared under. But for what they ask for, it is the same in each.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'p> {
    pub plan: &'p Plan,
    pub rules: &'p [Rules],
    /// What events start it.
    pub triggers: &'p [Trigger],
}

/// What `new` means that `old` does not, and the other way round, in the environments of the plans alone, whatever starts them.
pub fn compare(old: &Plan, new: &Plan) -> Comparison {
    let rules = |plan| [Rules::of(plan, None)];
    compare_in_all(
        Subject { plan: old, rules: &rules(old), triggers: &[] },
        Subject { plan: new, rules: &rules(new), triggers: &[] },
    )
}

/// The same, in all environments: a change is told once, with the names of those in which it is one, if it is none in others.
pub fn compare_in_all(old: Subject, new: Subject) -> Comparison {
    let (rules, deciders) = (rules::side_by_side(old.rules, new.rules), Deciders::of(old.plan));
    let both = Both { old, new, rules, deciders, loosened: RefCell::default() };
    let side = |plan: &Plan| Side { procedure: plan.main().name.clone(), version: plan.main().version, digest: plan.digest().ok() };
    let mut procedures = Vec::new();
    // Those that were asked for are compared whatever their names are.
    procedures.extend(both.procedure(old.plan.main(), new.plan.main(), false));
    let (before, after) = (called(old.plan), called(new.plan));
    let names: BTreeSet<&ProcedureName> = before.keys().chain(after.keys()).copied().collect();
    let (mut there, mut gone) = (Vec::new(), Vec::new());
    for name in names {
        let (before, after) = (before.get(name).unwrap_or(&NONE), after.get(name).unwrap_or(&NONE));
        for (then, now) in successions(before.keys().copied(), after.keys().copied()) {
            let then = then.and_then(|version| before.get(&version));
            match (then, now.and_then(|version| after.get(&version))) {
                (Some(then), Some(now)) => there.extend(both.procedure(then, now, true)),
                (None, now) => there.push(one_sided(name, None, now.map(|now| now.version))),
                (Some(then), None) => gone.push(one_sided(name, Some(then.version), None)),
            }
        }
    }
    procedures.append(&mut there);
    procedures.append(&mut gone);
    Comparison { old: side(old.plan), new: side(new.plan), not_compared: Vec::new(), procedures }
}

type Versions<'p> = BTreeMap<Version, &'p Procedure>;

static NONE: Versions<'static> = BTreeMap::new();

/// The procedures that a plan calls.
fn called(plan: &Plan) -> BTreeMap<&ProcedureName, Versions<'_>> {
    let mut called: BTreeMap<&ProcedureName, Versions> = BTreeMap::new();
    for procedure in plan.procedures.iter().skip(1) {
        called.entry(&procedure.name).or_default().insert(procedure.version, procedure);
    }
    called
}
/// Which version of one procedure is compared with which: with itself, or else with the newest one below it, or else with the
/// oldest above. Versions that nothing came of are gone.
pub fn successions(
    old: impl IntoIterator<Item = Version>,
    new: impl IntoIterator<Item = Version>,
) -> Vec<(Option<Version>, Option<Version>)> {
    let mut gone: BTreeSet<Version> = old.into_iter().collect();
    let old = gone.clone();
    let before = |version: Version| old.range(..=version).next_back().or(old.first()).copied();
    let new: BTreeSet<Version> = new.into_iter().collect();
    let mut pairs: Vec<_> = new.iter().map(|version| (before(*version), Some(*version))).collect();
    pairs.iter().filter_map(|(then, _)| *then).for_each(|then| _ = gone.remove(&then));
    pairs.extend(gone.into_iter().map(|version| (Some(version), None)));
    pairs
}

fn one_sided(procedure: &ProcedureName, old: Option<Version>, new: Option<Version>) -> ProcedureChange {
    ProcedureChange {
        procedure: procedure.clone(),
        called: true,
        old,
        new,
        parts: Vec::new(),
        steps: Vec::new(),
        needs: Raise::None,
        raised: Raised::Neither,
    }
}

/// Both versions, with the rules of each environment side by side.
struct Both<'p> {
    old: Subject<'p>,
    new: Subject<'p>,
    rules: Vec<rules::Pair<'p>>,
    /// Of the old version.
    deciders: Deciders,
    /// Which called procedures do to their callers what asks for a major version, as they are in both versions.
    loosened: RefCell<BTreeMap<(ProcedureIx, ProcedureIx), bool>>,
}

impl<'p> Both<'p> {
    fn plans(&self) -> Plans<'p> {
        Plans { old: self.old.plan, new: self.new.plan }
    }

    /// Absent where nothing is another, the version included.
    fn procedure(&self, old: &'p Procedure, new: &'p Procedure, called: bool) -> Option<ProcedureChange> {
        let (plans, nothing) = (self.plans(), Names::default());
        let deciders = self.deciders.in_procedure(self.old.plan, old).unwrap_or(&nothing);
        let weigh = |what: &str, old: Option<&Part>, new: Option<&Part>| weigh::procedure(plans, deciders, what, old, new);
        let mut parts = changed(&part::of_procedure(plans.old, old, called), &part::of_procedure(plans.new, new, called), &weigh);
        if !called {
            parts.extend(changed(&outside::of_triggers(self.old.triggers), &outside::of_triggers(self.new.triggers), &weigh));
            parts.extend(changed(&outside::of_network(plans.old), &outside::of_network(plans.new), &weigh));
            let channels = changed(&outside::of_channels(plans.old), &outside::of_channels(plans.new), &weigh);
            // A channel that is named no longer is told of where it was named.
            parts.extend(channels.into_iter().filter(|part| part.new.is_some()));
            parts.extend(rules::one_sided(self.old.rules, self.new.rules));
            parts.extend(rules::merged(&self.rules, |rules| changed(&rules.old.run, &rules.new.run, &weigh)));
        }
        let (before, now) = (Layout::of(plans.old, old), Layout::of(plans.new, new));
        let people = changed(&self.old.people(old, &before), &self.new.people(new, &now), &weigh);
        // Whoever is named no longer is told of where they were named.
        parts.extend(people.into_iter().filter(|part| part.new.is_some()));
        let steps = align::steps(self, &before, &now, deciders);
        if parts.is_empty() && steps.is_empty() && old.version == new.version {
            return None;
        }
        let needs = parts.iter().map(|part| part.needs).chain(steps.iter().map(|step| step.needs)).max().unwrap_or_default();
        let least = needs.of(old.version);
        let raised = if new.version >= least { Raised::Enough } else { Raised::TooLittle(least) };
        Some(ProcedureChange {
            procedure: new.name.clone(),
            called,
            old: Some(old.version),
            new: Some(new.version),
            parts,
            steps,
            needs,
            raised,
        })
    }

    /// Whether another version of a procedure that a step calls does what would ask the caller for a major version, too. What it takes
    /// and gives, the caller sees to; and a version that was not raised for it is told by itself.
    fn is_loosened(&self, old: &Step, new: &Step) -> bool {
        let (Verb::Call { procedure: then, .. }, Verb::Call { procedure: now, .. }) = (&old.verb, &new.verb) else { return false };
        if let Some(known) = self.loosened.borrow().get(&(*then, *now)) {
            return *known;
        }
        let (before, after) = (self.old.plan.procedure(*then), self.new.plan.procedure(*now));
        let is_other = before.name == after.name && before.version != after.version;
        let change = if is_other { self.procedure(before, after, true) } else { None };
        let is_told = |part: &PartChange| {
            let is_between = ["input ", "output "].iter().any(|kind| part.what.starts_with(kind));
            part.needs == Raise::Major
                && (!(is_between || matches!(&*part.what, "lock" | "kind")) || part.because == Some(weigh::DECIDES))
        };
        let is = change
            .filter(|change| change.raised == Raised::Enough)
            .is_some_and(|change| change.steps.iter().any(|step| step.needs == Raise::Major) || change.parts.iter().any(is_told));
        self.loosened.borrow_mut().insert((*then, *now), is);
        is
    }

    /// What became of the approvals that policies add to a step; of one that only one version has, they are all another.
    fn gates(&self, old: Option<StepIx>, new: Option<StepIx>, weigh: &Weigh) -> Vec<PartChange> {
        rules::merged(&self.rules, |rules| changed(rules.old.gates(old), rules.new.gates(new), weigh))
    }
}

impl Subject<'_> {
    /// Who is behind the names of those who decide in a procedure.
    fn people(&self, procedure: &Procedure, layout: &Layout) -> Vec<Part> {
        let asked = layout.steps.iter().filter_map(|placed| people::asked(placed.step));
        let gates = layout.steps.iter().flat_map(|placed| self.rules.iter().flat_map(|rules| rules.gates(placed.ix)));
        let rungs = procedure.escalation.iter().flat_map(|escalation| &escalation.rungs).map(|rung| rung.to.as_slice());
        let from = asked.chain(gates.filter_map(Part::asked)).chain(rungs);
        // Where nobody is named, whoever may operate is asked.
        let names = from.flat_map(|from| if from.is_empty() { vec![""] } else { from.iter().map(String::as_str).collect() });
        people::parts(self.plan, &names.collect())
    }
}

type Weigh<'w> = dyn Fn(&str, Option<&Part>, Option<&Part>) -> Weight + 'w;

fn changed(old: &[Part], new: &[Part], weigh: &Weigh) -> Vec<PartChange> {
    let mut changes = Vec::new();
    let mut change = |what: &str, old: Option<&Part>, new: Option<&Part>| {
        let (needs, because) = weigh(what, old, new);
        let text = |part: Option<&Part>| part.map(|part| part.text.clone());
        let (old, new) = (text(old), text(new));
        changes.push(PartChange { what: what.to_owned(), old, new, environments: Vec::new(), needs, because });
    };
    for part in new {
        let before = old.iter().find(|other| other.what == part.what);
        if before.is_none_or(|before| !before.says_the_same(part)) {
            change(&part.what, before, Some(part));
        }
    }
    for part in old.iter().filter(|part| new.iter().all(|other| other.what != part.what)) {
        change(&part.what, Some(part), None);
    }
    changes
}

#[cfg(test)]
mod tests;
