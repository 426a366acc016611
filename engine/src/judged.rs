//! One version of a procedure under the rules of each environment in which it may be run: its plan, what they ask for, and what is found.
//!
//! A plan is the same in all of them but for that, so one is kept; each environment is checked as if it were the only one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use runbook_core::check::CheckOptions;
use runbook_core::compare::{Rules, Subject};
use runbook_core::diagnostic::Diagnostic;
use runbook_core::document::Procedure;
use runbook_core::explore::walk;
use runbook_core::trigger::Trigger;
use runbook_core::{Digest, Plan, limits};

use crate::catalogue::Catalogue;

/// The environments under whose rules two versions are compared.
#[derive(Clone, Debug)]
pub struct Environments {
    /// All of either workspace, unless one was named; those of production first.
    names: Vec<String>,
    /// Those beyond [`limits::COMPARED_ENVIRONMENTS`].
    pub left_out: Vec<String>,
}

impl Environments {
    pub fn of(old: &Catalogue, new: &Catalogue, options: &CheckOptions) -> Environments {
        let workspaces = [new, old].into_iter().filter_map(Catalogue::workspace).filter(|_| options.environment.is_none());
        let all: Vec<_> = workspaces.flat_map(|workspace| &workspace.environments).collect();
        let (first, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|environment| environment.production);
        let mut names: Vec<String> = Vec::new();
        let mut known = BTreeSet::new();
        names.extend(first.into_iter().chain(others).map(|e| e.name.clone()).filter(|name| known.insert(name.clone())));
        let left_out = names.split_off(names.len().min(limits::COMPARED_ENVIRONMENTS));
        Environments { names, left_out }
    }

    /// Those of one workspace. Without any, there is one set of rules, whose environment has no name here.
    fn within(&self, catalogue: &Catalogue) -> Vec<Option<&str>> {
        let here = catalogue.workspace().map(|workspace| workspace.environments.as_slice()).unwrap_or_default();
        if self.names.is_empty() || here.is_empty() {
            return vec![None];
        }
        let is_here = |name: &&String| here.iter().any(|environment| environment.name == **name);
        self.names.iter().filter(is_here).map(|name| Some(name.as_str())).collect()
    }
}

/// A version of a procedure with all that is found of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// In the environment that was named, else in that of a run which names none.
    pub plan: Option<Arc<Plan>>,
    pub digest: Option<Digest>,
    /// What events start it.
    pub triggers: Vec<Trigger>,
    /// Of each environment in which it passes `check`.
    pub rules: Vec<Rules>,
    /// Environments in which it does not, although it does in that of the plan.
    pub broken_in: Vec<String>,
    pub found: Found,
    pub file: String,
    /// All that it rests on beside the workspace.
    pub files: Vec<String>,
}

impl Judged {
    pub fn of(catalogue: &Catalogue, procedure: &Procedure, environments: &Environments, options: &CheckOptions) -> Judged {
        let (plan, triggers, found) = catalogue.plan_and_triggers(procedure, options);
        let within = environments.within(catalogue);
        let files = match &plan {
            Some(plan) => plan.files.iter().map(|file| file.name.clone()).collect(),
            None => catalogue.files_of(procedure, options),
        };
        let mut judged = Judged {
            digest: plan.as_ref().and_then(|plan| plan.digest().ok()),
            plan: plan.map(Arc::new),
            triggers,
            rules: Vec::new(),
            broken_in: Vec::new(),
            found: Found::new(&within),
            file: procedure.source.name.to_string(),
            files,
        };
        for environment in &within {
            let (plan, here) = match (&judged.plan, environment) {
                (Some(_), Some(name)) if !judged.is_in(name) => in_environment(catalogue, procedure, name, options),
                // Where it passes `check` nowhere, it is told once.
                (plan, _) => (plan.clone(), found.clone()),
            };
            here.into_iter().for_each(|fault| judged.found.add(*environment, fault));
            match plan {
                Some(plan) => judged.rules.push(Rules::of(&plan, *environment)),
                None => judged.broken_in.extend(environment.filter(|_| judged.plan.is_some()).map(str::to_owned)),
            }
        }
        judged
    }

    pub fn subject(&self) -> Option<Subject<'_>> {
        Some(Subject { plan: self.plan.as_deref()?, rules: &self.rules, triggers: &self.triggers })
    }

    /// Adds what is wrong on some path in each environment.
    pub fn explore(&mut self, catalogue: &Catalogue, procedure: &Procedure, options: &CheckOptions) {
        let mut walked: Vec<(usize, Vec<Diagnostic>)> = Vec::new();
        for (number, rules) in self.rules.iter().enumerate() {
            // The same rules lead along the same paths.
            let known = walked.iter().find(|(other, _)| self.rules[*other].ask_the_same(rules));
            let findings = match (known, rules.environment()) {
                (Some((_, findings)), _) => findings.clone(),
                (None, Some(name)) if !self.is_in(name) => {
                    let plan = in_environment(catalogue, procedure, name, options).0;
                    plan.map(|plan| walk_of(catalogue, &plan)).unwrap_or_default()
                }
                (None, _) => self.plan.as_ref().map(|plan| walk_of(catalogue, plan)).unwrap_or_default(),
            };
            findings.iter().for_each(|finding| self.found.add(rules.environment(), finding.clone()));
            walked.push((number, findings));
        }
    }

    /// Whether the plan is for this environment.
    fn is_in(&self, name: &str) -> bool {
        self.plan.as_ref().and_then(|plan| plan.policy.environment.as_ref()).is_some_and(|environment| environment.name == name)
    }
}

fn in_environment(
    catalogue: &Catalogue,
    procedure: &Procedure,
    name: &str,
    options: &CheckOptions,
) -> (Option<Arc<Plan>>, Vec<Diagnostic>) {
    let (plan, found) = catalogue.plan(procedure, &CheckOptions { environment: Some(name.to_owned()), ..options.clone() });
    (plan.map(Arc::new), found)
}

fn walk_of(catalogue: &Catalogue, plan: &Arc<Plan>) -> Vec<Diagnostic> {
    let Ok(walked) = walk(plan) else { return Vec::new() };
    let told = walked.findings.iter().filter_map(|finding| {
        let source = catalogue.source(walked.plan.file_of(&finding.origin(&walked.plan)))?;
        Some(walked.diagnostic(finding, source))
    });
    told.collect()
}

/// What makes a finding the same one, wherever it has moved to.
type Key = (String, &'static str, String);

pub fn key(found: &Diagnostic) -> Key {
    (found.source.to_string(), found.code.as_str(), found.message.clone())
}

/// A finding of a file that may be called otherwise now.
pub fn in_moved(found: Diagnostic, names: &BTreeMap<String, String>) -> Diagnostic {
    match names.get(&*found.source) {
        Some(name) => Diagnostic { source: name.as_str().into(), ..found },
        None => found,
    }
}

/// Findings, each once, with the environments in which it is one.
#[derive(Clone, Debug, Default)]
pub struct Found {
    all: Vec<(Diagnostic, BTreeSet<String>)>,
    places: HashMap<Key, usize>,
    environments: BTreeSet<String>,
}

impl Found {
    fn new(environments: &[Option<&str>]) -> Found {
        let environments = environments.iter().map(|name| name.unwrap_or_default().to_owned()).collect();
        Found { environments, ..Found::default() }
    }

    fn add(&mut self, environment: Option<&str>, found: Diagnostic) {
        let place = *self.places.entry(key(&found)).or_insert(self.all.len());
        if place == self.all.len() {
            self.all.push((found, BTreeSet::new()));
        }
        if let Some((_, environments)) = self.all.get_mut(place) {
            environments.insert(environment.unwrap_or_default().to_owned());
        }
    }

    /// The same where files are called otherwise: the new names by the old ones.
    pub fn moved(self, names: &BTreeMap<String, String>) -> Found {
        let all = self.all.into_iter().map(|(found, environments)| (in_moved(found, names), environments));
        let all: Vec<(Diagnostic, BTreeSet<String>)> = all.collect();
        let places = (0..).zip(&all).map(|(place, (found, _))| (key(found), place)).collect();
        Found { all, places, environments: self.environments }
    }

    pub fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        self.all.iter().map(|(found, _)| found)
    }

    /// What is found now and was not `before`, with the names of environments where it is not so in all of them. What was found anywhere
    /// is not new in an environment that was not there.
    pub fn since(&self, before: &Found) -> Vec<Diagnostic> {
        let fresh = |(found, now): &(Diagnostic, BTreeSet<String>)| {
            let then = before.places.get(&key(found)).and_then(|place| before.all.get(*place)).map(|(_, then)| then);
            let is_new = |name: &&String| then.is_none_or(|then| !then.contains(*name) && before.environments.contains(*name));
            let names: Vec<&str> = now.iter().filter(is_new).map(String::as_str).collect();
            let is_everywhere = names.len() == self.environments.len();
            let place = if is_everywhere { String::new() } else { format!(" (in {})", names.join(", ")) };
            (!names.is_empty()).then(|| Diagnostic { message: format!("{}{place}", found.message), ..found.clone() })
        };
        self.all.iter().filter_map(fresh).collect()
    }

    /// How many were found before and are not now.
    pub fn mended_since(&self, before: &Found) -> usize {
        before.places.keys().filter(|key| !self.places.contains_key(*key)).count()
    }
}
