//! What a change of a catalogue means, for whoever must agree to it: for each procedure whose plan is another, what it changes,
//! what `check` and `explore` find that they did not find before, whether its tests pass, and what its cases would do.
//!
//! A file may stay as it was and its procedure still change: with the workspace's policy, or with what it calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runbook_core::check::CheckOptions;
use runbook_core::compare::{Comparison, compare};
use runbook_core::diagnostic::{Diagnostic, Severity};
use runbook_core::document::Procedure;
use runbook_core::document::test::{Case, Test};
use runbook_core::explore::{DryRun, walk};
use runbook_core::id::ProcedureName;
use runbook_core::policy::People;
use runbook_core::{Digest, Plan, trial};

use crate::catalogue::{Catalogue, has_errors};
use crate::suite::{self, Selection};

/// A change, judged.
#[derive(Debug, Default)]
pub struct Review {
    /// By name; only those that are new, gone, or mean something else.
    pub procedures: Vec<Reviewed>,
    /// Faults of files that no procedure here rests on, if they are new.
    pub elsewhere: Vec<Diagnostic>,
}

/// One procedure.
#[derive(Debug)]
pub struct Reviewed {
    pub name: String,
    /// Its file in the new catalogue; the old one's where it is gone.
    pub file: String,
    pub change: Change,
    /// Where no environment was named: what is so only under the rules of these.
    pub only_in: Vec<(Vec<String>, Comparison)>,
    /// Found now and not before.
    pub found: Vec<Diagnostic>,
    /// Found before and not now.
    pub mended: usize,
    pub tests: Tests,
}

#[derive(Debug)]
pub enum Change {
    Added(Digest),
    Removed,
    /// The digest is that of the new plan.
    Changed(Box<Comparison>, Digest),
    /// It does not pass `check` any more, or does not yet: nothing can be said of what it means.
    Broken,
    /// It passes now and did not before.
    Mended(Digest),
}

/// What its tests say.
#[derive(Debug, Default)]
pub struct Tests {
    /// The files that they stand in.
    pub files: BTreeSet<String>,
    pub cases: usize,
    /// File and name of each case that does not pass.
    pub failed: Vec<(String, String)>,
    /// Why a test cannot be played.
    pub broken: Vec<Diagnostic>,
    /// Steps and branches that no case comes to.
    pub missing: Vec<String>,
    /// Of how many.
    pub points: usize,
    /// What each case would do, where that can be said.
    pub dry_runs: Vec<(String, DryRun)>,
    /// Those whom a dry run may name.
    pub people: People,
}

/// What speaks against a change, each in one line.
impl Review {
    pub fn objections(&self) -> Vec<String> {
        let mut objections = Vec::new();
        let mut low: BTreeSet<&ProcedureName> = BTreeSet::new();
        for procedure in &self.procedures {
            let name = &procedure.name;
            match &procedure.change {
                Change::Broken => objections.push(format!("{name} does not pass `check`")),
                Change::Changed(comparison, _) => low.extend(comparison.too_low()),
                _ => {}
            }
            low.extend(procedure.only_in.iter().flat_map(|(_, comparison)| comparison.too_low()));
            let errors = procedure.found.iter().filter(|found| found.severity == Severity::Error).count();
            if errors > 0 && !matches!(procedure.change, Change::Broken) {
                objections.push(format!("{name} breaks what it says of itself ({errors} new)"));
            }
            match procedure.tests.failed.len() {
                0 => {}
                1 => objections.push(format!("a test of {name} fails")),
                many => objections.push(format!("{many} tests of {name} fail")),
            }
            if !procedure.tests.broken.is_empty() {
                objections.push(format!("a test of {name} cannot be played"));
            }
        }
        // Told once, however many call it.
        let low = low.into_iter().map(|name| format!("the version of {name} is not raised as far as the change asks for"));
        objections.splice(..0, low);
        if has_errors(&self.elsewhere) {
            objections.push("another file does not pass `check`".to_owned());
        }
        objections
    }

    /// Every new finding, of whatever file.
    pub fn found(&self) -> impl Iterator<Item = &Diagnostic> {
        let of = self.procedures.iter().flat_map(|procedure| procedure.found.iter().chain(&procedure.tests.broken));
        of.chain(&self.elsewhere)
    }
}

/// Holds `new` against `old`.
pub fn review(old: &Catalogue, new: &Catalogue, options: &CheckOptions) -> Review {
    let (before, after) = (newest(old), newest(new));
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let mut review = Review::default();
    let environments = environments(old, new, options);
    let mut concerned: BTreeSet<String> = BTreeSet::new();
    for name in names {
        let mut then = before.get(name).map(|procedure| Judged::of(old, procedure, options));
        let mut now = after.get(name).map(|procedure| Judged::of(new, procedure, options));
        // One plan has the same paths each time; only of what policies demand of them it says nothing.
        let asked = |judged: &Option<Judged>| {
            let judged = judged.as_ref()?;
            Some((
                judged.digest.clone(),
                judged.plan.as_ref().map(|plan| plan.policy_must.iter().map(|of| of.must.rule.clone()).collect::<Vec<_>>()),
            ))
        };
        if asked(&then) != asked(&now) {
            then.iter_mut().for_each(|then| then.explore(old));
            now.iter_mut().for_each(|now| now.explore(new));
        }
        if let Some(now) = &now {
            concerned.extend(now.files.iter().cloned());
        }
        let only_in = match (before.get(name), after.get(name)) {
            (Some(before), Some(after)) => only_in(&then, &now, (old, before), (new, after), &environments, options),
            _ => Vec::new(),
        };
        review.procedures.extend(reviewed(name, then, now, only_in, new, options));
    }
    let known = told(&old.check(options));
    let elsewhere =
        new.check(options).into_iter().filter(|found| !concerned.contains(&*found.source) && !known.contains(&key(found)));
    review.elsewhere = elsewhere.collect();
    review
}

/// The production environments that both workspaces have, where none was named.
fn environments(old: &Catalogue, new: &Catalogue, options: &CheckOptions) -> Vec<String> {
    let (None, Some(before), Some(after)) = (&options.environment, old.workspace(), new.workspace()) else { return Vec::new() };
    let is_known = |name: &str| before.environments.iter().any(|environment| environment.name == name);
    let both = after.environments.iter().filter(|environment| environment.production && is_known(&environment.name));
    both.map(|environment| environment.name.clone()).collect()
}

/// What a procedure means differently under the rules of some environments, and is not said of it without them.
fn only_in(
    then: &Option<Judged>,
    now: &Option<Judged>,
    (old, before): (&Catalogue, &Procedure),
    (new, after): (&Catalogue, &Procedure),
    environments: &[String],
    options: &CheckOptions,
) -> Vec<(Vec<String>, Comparison)> {
    let plan = |judged: &Option<Judged>| judged.as_ref().and_then(|judged| judged.plan.clone());
    let (Some(then), Some(now)) = (plan(then), plan(now)) else { return Vec::new() };
    let said = compare(&then, &now).procedures;
    let mut found: Vec<(Vec<String>, Comparison)> = Vec::new();
    for name in environments {
        let options = CheckOptions { environment: Some(name.clone()), ..options.clone() };
        let (Some(then), Some(now)) = (old.plan(before, &options).0, new.plan(after, &options).0) else { continue };
        let comparison = compare(&then, &now);
        if comparison.is_empty() || comparison.procedures == said {
            continue;
        }
        match found.iter_mut().find(|(_, other)| other.procedures == comparison.procedures) {
            Some((names, _)) => names.push(name.clone()),
            None => found.push((vec![name.clone()], comparison)),
        }
    }
    found
}

/// The newest version of each name.
fn newest(catalogue: &Catalogue) -> BTreeMap<&str, &Procedure> {
    let mut newest: BTreeMap<&str, &Procedure> = BTreeMap::new();
    for procedure in catalogue.procedures() {
        let kept = newest.entry(procedure.name.value.as_str()).or_insert(procedure);
        if kept.version.value < procedure.version.value {
            *kept = procedure;
        }
    }
    newest
}

/// A procedure with all that is found of it.
struct Judged {
    plan: Option<Arc<Plan>>,
    digest: Option<Digest>,
    found: Vec<Diagnostic>,
    file: String,
    files: Vec<String>,
}

impl Judged {
    fn of(catalogue: &Catalogue, procedure: &Procedure, options: &CheckOptions) -> Judged {
        let (plan, found) = catalogue.plan(procedure, options);
        let files = match &plan {
            Some(plan) => plan.files.iter().map(|file| file.name.clone()).collect(),
            None => catalogue.files_of(procedure, options),
        };
        let digest = plan.as_ref().and_then(|plan| plan.digest().ok());
        Judged { digest, plan: plan.map(Arc::new), found, file: procedure.source.name.to_string(), files }
    }

    /// Adds what is wrong on some path.
    fn explore(&mut self, catalogue: &Catalogue) {
        let Some(walked) = self.plan.as_ref().and_then(|plan| walk(plan).ok()) else { return };
        for finding in &walked.findings {
            let source = catalogue.source(walked.plan.file_of(&finding.origin(&walked.plan)));
            self.found.extend(source.map(|source| walked.diagnostic(finding, source)));
        }
    }
}

/// What makes a finding the same one, wherever it has moved to.
fn key(found: &Diagnostic) -> (String, &'static str, String) {
    (found.source.to_string(), found.code.as_str(), found.message.clone())
}

fn told(found: &[Diagnostic]) -> BTreeSet<(String, &'static str, String)> {
    found.iter().map(key).collect()
}

fn reviewed(
    name: &str,
    then: Option<Judged>,
    now: Option<Judged>,
    only_in: Vec<(Vec<String>, Comparison)>,
    new: &Catalogue,
    options: &CheckOptions,
) -> Option<Reviewed> {
    let (before, after) = (then.as_ref().map_or(&[][..], |j| &j.found), now.as_ref().map_or(&[][..], |j| &j.found));
    let (known, still) = (told(before), told(after));
    let found: Vec<Diagnostic> = after.iter().filter(|found| !known.contains(&key(found))).cloned().collect();
    let mended = known.difference(&still).count();
    let change = match (&then, &now) {
        (_, Some(Judged { plan: None, .. })) => Change::Broken,
        (None, Some(Judged { digest: Some(digest), .. })) => Change::Added(digest.clone()),
        (Some(_), None) => Change::Removed,
        (Some(Judged { plan: None, .. }), Some(Judged { digest: Some(digest), .. })) => Change::Mended(digest.clone()),
        (Some(Judged { plan: Some(old), .. }), Some(Judged { plan: Some(new), digest: Some(digest), .. })) => {
            Change::Changed(Box::new(compare(old, new)), digest.clone())
        }
        _ => return None,
    };
    let mut tests = match &now {
        Some(now) => tests(new, now, options),
        None => Tests::default(),
    };
    let same = match &change {
        Change::Changed(comparison, _) => comparison.is_empty(),
        // It was no better before.
        Change::Broken => then.as_ref().is_some_and(|then| then.plan.is_none()),
        _ => false,
    };
    if same && only_in.is_empty() && found.is_empty() && tests.failed.is_empty() && tests.broken.is_empty() {
        return None;
    }
    if let Some(plan) = now.as_ref().and_then(|now| now.plan.as_ref()) {
        tests.dry_runs = dry_runs(new, &tests.files, plan);
    }
    let file = now.or(then).map(|judged| judged.file).unwrap_or_default();
    Some(Reviewed { name: name.to_owned(), file, change, only_in, found, mended, tests })
}

fn tests(catalogue: &Catalogue, judged: &Judged, options: &CheckOptions) -> Tests {
    let selection = Selection { file: Some(judged.file.as_str().into()), filter: None };
    let report = suite::play_with(catalogue, &selection, options, judged.plan.clone());
    let mut tests = Tests { cases: report.cases().count(), broken: report.faults, ..Tests::default() };
    for file in &report.files {
        tests.files.insert(file.file.clone());
        let failing = file.cases.iter().filter(|case| !case.faults.is_empty());
        tests.failed.extend(failing.map(|case| (file.file.clone(), case.name.clone())));
    }
    let Some(plan) = &judged.plan else { return tests };
    tests.people = plan.policy.people.clone();
    for covered in &report.covered {
        let counts = |class: &str| ["steps", "branches"].contains(&class);
        tests.points += covered.coverage.table().iter().filter(|(class, ..)| counts(class)).map(|(_, _, all)| all).sum::<usize>();
        let missing = covered.coverage.missing().filter(|point| counts(point.class()));
        tests.missing.extend(missing.map(|point| point.missing(&covered.plan)));
    }
    tests
}

/// What each case of these files would do, where that can be said.
fn dry_runs(catalogue: &Catalogue, files: &BTreeSet<String>, plan: &Arc<Plan>) -> Vec<(String, DryRun)> {
    let tests = catalogue.tests().filter(|test| files.contains(&*test.source.name));
    let cases = tests.flat_map(|test| test.cases.iter().filter(|case| !case.real).map(move |case| (test, case)));
    let dry =
        |(test, case): (&Test, &Case)| Some((case.name.value.clone(), trial::predict(&case.with(&test.defaults), plan).ok()?));
    cases.filter_map(dry).collect()
}
