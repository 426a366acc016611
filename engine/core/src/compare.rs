//! What one version of a procedure means that another does not: steps added, removed, moved and changed, and how far its
//! version should have been raised for that. Places, comments and the order of keys mean nothing.
//!
//! Two plans are compared, so both versions have passed `check`, defaults are what they are, and the approvals that the
//! workspace's policy adds are part of what is compared. Steps are the same where their ids are; those without one where they
//! stand between the same neighbours.

mod align;
mod part;
mod weigh;

use std::collections::BTreeMap;

use serde::Serialize;

use self::part::Part;
use crate::document::procedure::Version;
use crate::id::{Digest, ProcedureName};
use crate::plan::{Plan, Procedure};

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
    pub needs: Raise,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<&'static str>,
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

    /// The procedures whose versions were not.
    pub fn too_low(&self) -> impl Iterator<Item = &ProcedureName> {
        let low = self.procedures.iter().filter(|change| matches!(change.raised, Raised::TooLittle(_)));
        low.map(|change| &change.procedure)
    }
}

/// What `new` means that `old` does not, and the other way round.
pub fn compare(old: &Plan, new: &Plan) -> Comparison {
    let side = |plan: &Plan| Side { procedure: plan.main().name.clone(), version: plan.main().version, digest: plan.digest().ok() };
    let mut procedures = Vec::new();
    // Those that were asked for are compared whatever their names are.
    procedures.extend(both(old, old.main(), new, new.main()));
    let called = |plan: &'_ Plan| -> BTreeMap<ProcedureName, usize> {
        plan.procedures.iter().enumerate().skip(1).map(|(place, procedure)| (procedure.name.clone(), place)).collect()
    };
    let (before, after) = (called(old), called(new));
    for (name, place) in &after {
        let now = &new.procedures[*place];
        match before.get(name) {
            Some(then) => procedures
                .extend(both(old, &old.procedures[*then], new, now).map(|change| ProcedureChange { called: true, ..change })),
            None => procedures.push(one_sided(name, None, Some(now.version))),
        }
    }
    for (name, place) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
        procedures.push(one_sided(name, Some(old.procedures[*place].version), None));
    }
    Comparison { old: side(old), new: side(new), procedures }
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

/// Absent where nothing is another, the version included.
fn both(old_plan: &Plan, old: &Procedure, new_plan: &Plan, new: &Procedure) -> Option<ProcedureChange> {
    let parts = changed(part::of_procedure(old_plan, old), part::of_procedure(new_plan, new), weigh::procedure);
    let steps = align::steps(old_plan, old, new_plan, new);
    if parts.is_empty() && steps.is_empty() && old.version == new.version {
        return None;
    }
    let needs = parts.iter().map(|part| part.needs).chain(steps.iter().map(|step| step.needs)).max().unwrap_or_default();
    let least = needs.of(old.version);
    let raised = if new.version >= least { Raised::Enough } else { Raised::TooLittle(least) };
    Some(ProcedureChange {
        procedure: new.name.clone(),
        called: false,
        old: Some(old.version),
        new: Some(new.version),
        parts,
        steps,
        needs,
        raised,
    })
}

/// How far a change of one part asks a version to be raised, and why where that is not plain.
type Weight = (Raise, Option<&'static str>);

fn changed(old: Vec<Part>, new: Vec<Part>, weigh: fn(&str, Option<&Part>, Option<&Part>) -> Weight) -> Vec<PartChange> {
    let mut changes = Vec::new();
    let mut change = |what: &str, old: Option<&Part>, new: Option<&Part>| {
        let (needs, because) = weigh(what, old, new);
        let text = |part: Option<&Part>| part.map(|part| part.text.clone());
        changes.push(PartChange { what: what.to_owned(), old: text(old), new: text(new), needs, because });
    };
    for part in &new {
        let before = old.iter().find(|other| other.what == part.what);
        if before.is_none_or(|before| before.text != part.text) {
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
