//! What a change of a catalogue means, for whoever must agree to it: for each procedure whose plan is another, what it changes,
//! what `check` and `explore` find that they did not find before, whether its tests pass, and what its cases would do.
//!
//! A file may stay as it was and its procedure still change: with the workspace's policy, or with what it calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runbook_core::check::CheckOptions;
use runbook_core::compare::{Comparison, ProcedureChange, compare_in_all, successions};
use runbook_core::diagnostic::{Diagnostic, Severity};
use runbook_core::document::Procedure;
use runbook_core::document::procedure::Version;
use runbook_core::document::test::{Case, Test};
use runbook_core::explore::DryRun;
use runbook_core::policy::People;
use runbook_core::{Digest, Plan, trial};

use crate::catalogue::{Catalogue, has_errors};
use crate::judged::{Environments, Judged, key};
use crate::suite::{self, Selection};

/// A change, judged.
#[derive(Debug, Default)]
pub struct Review {
    /// By name; only those that are new, gone, or mean something else.
    pub procedures: Vec<Reviewed>,
    /// Faults of files that no procedure here rests on, if they are new.
    pub elsewhere: Vec<Diagnostic>,
    /// Environments under whose rules nothing was compared, because there are too many.
    pub not_compared: Vec<String>,
}

/// One procedure.
#[derive(Debug)]
pub struct Reviewed {
    /// With the version, where the catalogue has several of it.
    pub name: String,
    /// Its file in the new catalogue; the old one's where it is gone.
    pub file: String,
    pub change: Change,
    /// Environments in which it does not pass `check`, although it did or does in others.
    pub broken_in: Vec<String>,
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
        let mut low: BTreeSet<String> = BTreeSet::new();
        for procedure in &self.procedures {
            let name = &procedure.name;
            match &procedure.change {
                Change::Broken => objections.push(format!("{name} does not pass `check`")),
                Change::Changed(comparison, _) => low.extend(comparison.too_low().map(|change| self.name_of(change))),
                _ => {}
            }
            if !procedure.broken_in.is_empty() {
                objections.push(format!("{name} does not pass `check` in {}", procedure.broken_in.join(", ")));
            }
            let errors = procedure.found.iter().filter(|found| found.severity == Severity::Error).count();
            if errors > 0 && !matches!(procedure.change, Change::Broken) && procedure.broken_in.is_empty() {
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

    /// As it is called among the procedures, where it is one of them.
    fn name_of(&self, change: &ProcedureChange) -> String {
        let with_version = change.new.map(|version| versioned(change.procedure.as_str(), version));
        let known = with_version.filter(|name| self.procedures.iter().any(|procedure| procedure.name == *name));
        known.unwrap_or_else(|| change.procedure.to_string())
    }

    /// Every new finding, of whatever file.
    pub fn found(&self) -> impl Iterator<Item = &Diagnostic> {
        let of = self.procedures.iter().flat_map(|procedure| procedure.found.iter().chain(&procedure.tests.broken));
        of.chain(&self.elsewhere)
    }
}

/// Holds `new` against `old`.
pub fn review(old: &Catalogue, new: &Catalogue, options: &CheckOptions) -> Review {
    let (before, after) = (by_version(old), by_version(new));
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let environments = Environments::of(old, new, options);
    let mut review = Review { not_compared: environments.left_out.clone(), ..Review::default() };
    let mut concerned: BTreeSet<String> = BTreeSet::new();
    for name in names {
        let none = BTreeMap::new();
        let (before, after) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
        let pairs = successions(before.keys().copied(), after.keys().copied());
        for (then, now) in &pairs {
            let one = pairs.len() == 1;
            let label = now.or(*then).filter(|_| !one).map_or_else(|| name.to_owned(), |version| versioned(name, version));
            let procedures = (then.and_then(|then| before.get(&then)), now.and_then(|now| after.get(&now)));
            let mut then = procedures.0.map(|procedure| Judged::of(old, procedure, &environments, options));
            let mut now = procedures.1.map(|procedure| Judged::of(new, procedure, &environments, options));
            // One plan under the same rules has the same paths each time.
            let asked = |judged: &Option<Judged>| judged.as_ref().map(|judged| (judged.digest.clone(), judged.rules.clone()));
            if asked(&then) != asked(&now) {
                then.iter_mut().zip(procedures.0).for_each(|(then, procedure)| then.explore(old, procedure, options));
                now.iter_mut().zip(procedures.1).for_each(|(now, procedure)| now.explore(new, procedure, options));
            }
            if let Some(now) = &now {
                concerned.extend(now.files.iter().cloned());
            }
            review.procedures.extend(reviewed(label, then, now, new, options));
        }
    }
    let known: BTreeSet<_> = old.check(options).iter().map(key).collect();
    let elsewhere =
        new.check(options).into_iter().filter(|found| !concerned.contains(&*found.source) && !known.contains(&key(found)));
    review.elsewhere = elsewhere.collect();
    review
}

fn versioned(name: &str, version: Version) -> String {
    format!("{name}@{version}")
}

/// Every version of each name. Of two files with one name and version the first stands.
fn by_version(catalogue: &Catalogue) -> BTreeMap<&str, BTreeMap<Version, &Procedure>> {
    let mut all: BTreeMap<&str, BTreeMap<Version, &Procedure>> = BTreeMap::new();
    for procedure in catalogue.procedures() {
        all.entry(procedure.name.value.as_str()).or_default().entry(procedure.version.value).or_insert(procedure);
    }
    all
}

fn became(then: Option<&Judged>, now: Option<&Judged>) -> Option<Change> {
    let digest = now.and_then(|now| now.digest.clone());
    Some(match (then, now) {
        (_, Some(now)) if now.plan.is_none() => Change::Broken,
        (None, Some(_)) => Change::Added(digest?),
        (Some(then), Some(now)) => match (then.subject(), now.subject()) {
            (Some(old), Some(new)) => Change::Changed(Box::new(compare_in_all(old, new)), digest?),
            _ => Change::Mended(digest?),
        },
        (Some(_), None) => Change::Removed,
        (None, None) => return None,
    })
}

fn reviewed(name: String, then: Option<Judged>, now: Option<Judged>, new: &Catalogue, options: &CheckOptions) -> Option<Reviewed> {
    let (before, after) = (then.as_ref().map(|j| j.found.clone()).unwrap_or_default(), now.as_ref().map(|j| &j.found));
    let found = after.map(|after| after.since(&before)).unwrap_or_default();
    let mended = after.map_or_else(|| before.all().count(), |after| after.mended_since(&before));
    let change = became(then.as_ref(), now.as_ref())?;
    let was_broken = |name: &String| then.as_ref().is_some_and(|then| then.broken_in.contains(name));
    let broken_in = now.iter().flat_map(|now| &now.broken_in).filter(|name| !was_broken(name)).cloned().collect::<Vec<_>>();
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
    if same && broken_in.is_empty() && found.is_empty() && tests.failed.is_empty() && tests.broken.is_empty() {
        return None;
    }
    if let Some(plan) = now.as_ref().and_then(|now| now.plan.as_ref()) {
        tests.dry_runs = dry_runs(new, &tests.files, plan);
    }
    let file = now.or(then).map(|judged| judged.file).unwrap_or_default();
    Some(Reviewed { name, file, change, broken_in, found, mended, tests })
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
    let dry = |(test, case): (&Test, &Case)| {
        let mut predicted = trial::predict(&case.with(&test.defaults), plan).ok()?;
        catalogue.add_types(&mut predicted, plan);
        Some((case.name.value.clone(), predicted))
    };
    cases.filter_map(dry).collect()
}
