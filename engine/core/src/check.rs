//! Document → Plan. A procedure is judged as a whole: what it names exists, what it reads has run, what it changes can be
//! taken back or says why not, and every path through it ends. All faults are reported; a plan comes out only without any.
//!
//! Checking is linear in the size of the document and of the procedures it calls. Nothing here runs anything, and nothing
//! asks the outside world: the date that freshness is judged by is an argument.

mod call;
mod field;
mod input;
mod lines;
mod literal;
mod lower;
mod must;
mod names;
mod parsed;
mod people;
mod procedure;
mod recorded;
mod rules;
mod step;
pub mod survey;
mod tree;
mod trigger;
mod types;
mod verb;
mod with;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Severity, nearest};
use crate::document::procedure::{ProcedureKind, Version};
use crate::document::step::WaitFor;
use crate::document::test::Test;
use crate::document::{Procedure, Step, Workspace, clipped};
use crate::plan::Plan;
use crate::policy::PolicyContext;
use crate::trial;
use crate::trigger::Trigger;
pub use parsed::Parsed;

/// Every procedure that a `call` can name, and the workspace they stand in.
#[derive(Debug, Default)]
pub struct Catalogue<'a> {
    procedures: BTreeMap<&'a str, BTreeMap<Version, &'a Procedure>>,
    /// Those whose name and version an earlier one has, in their order.
    twins: Vec<&'a Procedure>,
    workspace: Option<&'a Workspace>,
}

impl<'a> Catalogue<'a> {
    /// Of two procedures with one name and version, the first stands, and neither has a plan.
    pub fn new(procedures: impl IntoIterator<Item = &'a Procedure>, workspace: Option<&'a Workspace>) -> Catalogue<'a> {
        let mut catalogue = Catalogue { workspace, ..Catalogue::default() };
        for procedure in procedures {
            let versions = catalogue.procedures.entry(procedure.name.value.as_str()).or_default();
            match versions.entry(procedure.version.value) {
                Entry::Vacant(place) => {
                    place.insert(procedure);
                }
                Entry::Occupied(_) => catalogue.twins.push(procedure),
            }
        }
        catalogue
    }

    /// The first other one with the name and the version of a procedure.
    fn twin_of(&self, procedure: &Procedure) -> Option<&'a Procedure> {
        let same = |other: &&Procedure| other.name.value == procedure.name.value && other.version.value == procedure.version.value;
        let twin = self.twins.iter().copied().find(same)?;
        let first = self.procedures.get(procedure.name.value.as_str())?.get(&procedure.version.value).copied()?;
        Some(if first.source.name == procedure.source.name { twin } else { first })
    }

    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.procedures.keys().copied()
    }

    /// The versions of one name, the oldest first.
    pub fn versions(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a Procedure> {
        self.procedures.get(name).into_iter().flat_map(|versions| versions.values().copied())
    }

    /// The newest version of a name.
    pub fn newest(&self, name: &str) -> Option<&'a Procedure> {
        self.versions(name).next_back()
    }

    pub fn workspace(&self) -> Option<&'a Workspace> {
        self.workspace
    }
}

/// What else a judgement depends on.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// The environment that the plan is for: its gates and windows become part of the plan.
    pub environment: Option<String>,
    /// The date that reviews are overdue by; without it, freshness is not judged.
    pub today: Option<jiff::civil::Date>,
}

/// What a procedure comes to, together with all that it calls.
#[derive(Debug)]
pub struct Judgement {
    /// Absent exactly if there are errors, here or from reading one of the files.
    pub plan: Option<Plan>,
    pub found: Diagnostics,
    /// The triggers of a playbook; none where there are errors.
    pub triggers: Vec<Trigger>,
    /// The names of the files that it rests on: its own, and those of all that it calls.
    pub files: Vec<String>,
}

/// Judges a procedure together with all that it calls. The plan is absent exactly if there are errors, here or from reading it.
pub fn check(procedure: &Procedure, catalogue: &Catalogue, options: &CheckOptions) -> (Option<Plan>, Diagnostics) {
    let Judgement { plan, found, .. } = judge(procedure, catalogue, options);
    (plan, found)
}

/// As [`check`], and says of which files.
pub fn judge(procedure: &Procedure, catalogue: &Catalogue, options: &CheckOptions) -> Judgement {
    judge_again(procedure, catalogue, options, &mut Parsed::default())
}

/// As [`judge`], of a procedure that is judged again and again, where `parsed` is from the last time.
pub fn judge_again(procedure: &Procedure, catalogue: &Catalogue, options: &CheckOptions, parsed: &mut Parsed) -> Judgement {
    let policy = match catalogue.workspace() {
        Some(workspace) => PolicyContext::from_workspace(workspace, options.environment.as_deref()),
        None => Ok(PolicyContext::default()),
    };
    let (policy, unknown) = policy.map_or_else(|unknown| (PolicyContext::default(), Some(unknown)), |policy| (policy, None));
    let mut judged = lower::Build::new(catalogue, options, policy, parsed).finish(procedure);
    if let Some(unknown) = unknown {
        let fault = Diagnostic::new(Code::RB0315, &procedure.source, procedure.name.span, unknown.to_string());
        judged.found.push(fault.help("name an environment that workspace.yaml has"));
        judged.plan = None;
        judged.triggers.clear();
    }
    Judgement { found: judged.found.shortened(), ..judged }
}

/// The procedure that a test is of.
pub fn tested<'a>(test: &Test, catalogue: &Catalogue<'a>) -> Result<&'a Procedure, Box<Diagnostic>> {
    let fault = |code, message| Diagnostic::new(code, &test.source, test.procedure.span, message);
    let reference: Result<call::Reference, String> = test.procedure.value.parse();
    let reference = reference.map_err(|why| Box::new(fault(Code::RB0318, why).help("name a procedure of the catalogue")))?;
    let name = reference.name.as_str();
    if catalogue.newest(name).is_none() {
        let fault = fault(Code::RB0318, format!("there is no procedure `{name}`"));
        return Err(Box::new(match nearest(name, catalogue.names()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")).replace(test.procedure.span, near),
            None => fault.help("name a procedure of the catalogue"),
        }));
    }
    called(&test.procedure.value, catalogue).ok_or_else(|| {
        let versions: Vec<String> = catalogue.versions(name).map(|p| p.version.value.to_string()).collect();
        let fault = fault(Code::RB0302, format!("no version of `{name}` meets `{}`", test.procedure.value));
        let reason = format!("the catalogue has {}", versions.join(", "));
        Box::new(fault.reason(reason).help(format!("write `{name}` for the newest")))
    })
}

/// The procedure that a `call` or a test means, `name` or `name@^2`: the newest version that fits.
pub(crate) fn called<'a>(reference: &str, catalogue: &Catalogue<'a>) -> Option<&'a Procedure> {
    let reference: call::Reference = reference.parse().ok()?;
    let allowed = |procedure: &&Procedure| reference.requirement.is_none_or(|range| range.allows(procedure.version.value));
    catalogue.versions(reference.name.as_str()).rev().find(allowed)
}

/// The steps of a procedure that have an id, in the order of their numbers.
pub(crate) fn steps_of(procedure: &Procedure) -> Vec<(&str, &Step)> {
    let tree = tree::Tree::new(procedure);
    let step = |ix| tree.get(ix).and_then(|node| Some((node.step.id.as_ref()?.value.as_str(), node.step)));
    (0..tree.len()).filter_map(step).collect()
}

/// What the calls of a procedure name, as they are written.
pub(crate) fn calls_of(procedure: &Procedure) -> Vec<&str> {
    let tree = tree::Tree::new(procedure);
    let called = |ix| match tree.get(ix).map(|node| &node.step.verb.value) {
        Some(crate::document::Verb::Call(call)) => Some(call.procedure.value.as_str()),
        _ => None,
    };
    (0..tree.len()).filter_map(called).collect()
}

/// The sources for whose events the steps of a procedure wait.
pub fn awaited_by(procedure: &Procedure) -> BTreeSet<&str> {
    let tree = tree::Tree::new(procedure);
    let source = |ix| match tree.get(ix).map(|node| &node.step.verb.value) {
        Some(crate::document::Verb::Wait(wait)) => match &wait.what {
            WaitFor::Event(event) => Some(event.source.value.as_str()),
            _ => None,
        },
        _ => None,
    };
    (0..tree.len()).filter_map(source).collect()
}

/// The steps with an id that the one at a byte of its file may go on with.
pub(crate) fn steps_behind(procedure: &Procedure, at: u32) -> Vec<(&str, &Step)> {
    let tree = tree::Tree::new(procedure);
    let holds = |ix: &usize| tree.get(*ix).is_some_and(|node| node.step.span.start <= at && at <= node.step.span.end);
    // Whatever stands in a step has a greater number.
    let Some(step) = (0..tree.len()).rev().find(holds) else { return Vec::new() };
    let behind = (step + 1..tree.siblings(step).end).filter_map(|ix| tree.get(ix));
    behind.filter_map(|node| Some((node.step.id.as_ref()?.value.as_str(), node.step))).collect()
}

/// Judges what a test says about other files: its procedure and its environments exist. What its cases say of steps is judged
/// where they are played.
pub fn check_test(test: &Test, catalogue: &Catalogue) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let settings = || test.cases.iter().map(|case| &case.setting).chain([&test.defaults]);
    match tested(test, catalogue) {
        Ok(procedure) if procedure.kind.value != ProcedureKind::Playbook => {
            let events = settings().filter_map(|setting| setting.event.as_ref());
            for event in events {
                let message = format!("`{}` is no playbook: no event starts it", procedure.name.value);
                diagnostics.push(Diagnostic::new(Code::RB0502, &test.source, event.span, message).help("leave `event` out"));
            }
        }
        Ok(_) => {}
        Err(fault) => diagnostics.push(*fault),
    }
    // What starts and ends the systems of a case stands outside the workspace: no policy holds for it.
    let alone = Catalogue { procedures: catalogue.procedures.clone(), twins: catalogue.twins.clone(), workspace: None };
    let around = |case| [trial::setup(test, case), trial::teardown(test, case)].into_iter().flatten();
    for procedure in test.cases.iter().flat_map(around) {
        let found = judge(&procedure, &alone, &CheckOptions::default()).found;
        let errors = found.into_sorted().into_iter().filter(|fault| fault.severity == Severity::Error);
        errors.for_each(|fault| diagnostics.push(fault));
    }
    for environment in settings().filter_map(|setting| setting.environment.as_ref()) {
        let known =
            || catalogue.workspace().into_iter().flat_map(|workspace| workspace.environments.iter().map(|e| e.name.as_str()));
        if known().any(|name| name == environment.value) {
            continue;
        }
        let message = format!("the workspace has no environment `{}`", clipped(&environment.value));
        let fault = Diagnostic::new(Code::RB0315, &test.source, environment.span, message);
        let known: Vec<&str> = known().collect();
        diagnostics.push(match nearest(&environment.value, known.iter().copied()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")).replace(environment.span, near),
            None => fault.help("name an environment that workspace.yaml has, or none"),
        });
    }
    diagnostics
}

#[cfg(test)]
mod tests;
