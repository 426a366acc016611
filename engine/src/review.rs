//! What a change of a catalogue means, for whoever must agree to it: for each procedure whose plan is another, what it changes,
//! what `check` and `explore` find that they did not find before, whether its tests pass, and what its cases would do.
//!
//! A file may stay as it was and its procedure still change: with the workspace's policy, or with what it calls.

mod expected;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runbook_core::check::CheckOptions;
use runbook_core::compare::{Comparison, ProcedureChange, compare_in_all, successions};
use runbook_core::diagnostic::{Code, Diagnostic, Severity, Span};
use runbook_core::document::procedure::Version;
use runbook_core::document::test::{Case, Test};
use runbook_core::document::{Document, Procedure};
use runbook_core::explore::{self, DryRun};
use runbook_core::policy::People;
use runbook_core::trial::{self, Coverage};
use runbook_core::{Digest, Plan};

use crate::catalogue::{Catalogue, File, has_errors};
use crate::judged::{Environments, Judged, in_moved, key};
use crate::suite::{self, Selection};
pub use expected::{Altered, Expected};

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
    /// Where the new one's file says its version.
    pub version_at: Span,
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
    /// Why they do not.
    pub faults: Vec<Diagnostic>,
    /// Why a test cannot be played.
    pub broken: Vec<Diagnostic>,
    /// Steps and branches that no case comes to.
    pub missing: Vec<String>,
    /// Of how many.
    pub points: usize,
    /// Those of them that some case came to before.
    pub uncovered: Vec<String>,
    /// What its cases do not hold it to any more.
    pub expected: Expected,
    /// What each case would do, where that can be said; of a new procedure without cases, what it would do with any inputs.
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
            objections.extend(procedure.ungated().then(|| format!("{name} can destroy something that nobody has approved")));
            objections.extend(procedure.tests.fewer().map(|said| format!("{name}: {said}")));
        }
        // Told once, however many call it.
        let low = low.into_iter().map(|name| format!("the version of {name} is not raised as far as the change asks for"));
        objections.splice(..0, low);
        if has_errors(&self.elsewhere) {
            objections.push("another file does not pass `check`".to_owned());
        }
        objections
    }

    /// What does not speak against it, and somebody should look at.
    pub fn remarks(&self) -> Vec<String> {
        let other = |procedure: &Reviewed| procedure.tests.expected.other.len();
        let expects = |procedure: &Reviewed| match other(procedure) {
            1 => format!("a case of {} expects something else than before", procedure.name),
            cases => format!("{cases} cases of {} expect something else than before", procedure.name),
        };
        self.procedures.iter().filter(|procedure| other(procedure) > 0).map(expects).collect()
    }

    /// As it is called among the procedures, where it is one of them.
    fn name_of(&self, change: &ProcedureChange) -> String {
        let with_version = change.new.map(|version| versioned(change.procedure.as_str(), version));
        let known = with_version.filter(|name| self.procedures.iter().any(|procedure| procedure.name == *name));
        known.unwrap_or_else(|| change.procedure.to_string())
    }

    /// Every new finding, of whatever file, once.
    pub fn found(&self) -> impl Iterator<Item = &Diagnostic> {
        let of = self.procedures.iter().flat_map(Reviewed::found);
        let mut known = BTreeSet::new();
        let place = |found: &Diagnostic| (key(found), found.span);
        of.chain(&self.elsewhere).filter(move |found| known.insert(place(found)))
    }
}

impl Reviewed {
    /// What is new of its own file, and what its tests say against it, each finding once: what a file cannot be read for is told by both.
    pub fn found(&self) -> impl Iterator<Item = &Diagnostic> {
        let fresh = |broken: &&Diagnostic| !self.found.iter().any(|found| key(found) == key(broken) && found.span == broken.span);
        self.found.iter().chain(self.tests.broken.iter().chain(&self.tests.faults).filter(fresh))
    }

    /// Whether a path on which something is destroyed without anybody's yes is new.
    fn ungated(&self) -> bool {
        self.found.iter().any(|found| found.code == Code::RB0601)
    }
}

impl Tests {
    /// What they are less than before, each in words.
    pub fn fewer(&self) -> impl Iterator<Item = String> {
        let counted = |count: usize, one: &str, many: &str| match count {
            0 => None,
            1 => Some(one.to_owned()),
            count => Some(format!("{count} {many}")),
        };
        let gone = counted(self.expected.gone.len(), "a case is gone", "cases are gone");
        let less = counted(self.expected.less.len(), "a case expects less than before", "cases expect less than before");
        let uncovered = "steps and branches are covered no more";
        let uncovered = counted(self.uncovered.len(), "a step or branch is covered no more", uncovered);
        [gone, less, uncovered].into_iter().flatten()
    }
}

/// Holds `new` against `old`.
pub fn review(old: &Catalogue, new: &Catalogue, options: &CheckOptions) -> Review {
    let (before, after) = (by_version(old), by_version(new));
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let environments = Environments::of(old, new, options);
    let moved = moved(old, new);
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
            if let Some(then) = &mut then {
                then.found = std::mem::take(&mut then.found).moved(&moved);
            }
            let tests = tests((old, procedures.0.copied(), then.as_ref()), (new, procedures.1.copied(), now.as_ref()), options);
            review.procedures.extend(reviewed(label, then, now, tests, new, options));
        }
    }
    let known: BTreeSet<_> = old.check(options).into_iter().map(|found| key(&in_moved(found, &moved))).collect();
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

/// Files that are called otherwise now, by what they were called: those that say the same, and those of the same procedure.
fn moved(old: &Catalogue, new: &Catalogue) -> BTreeMap<String, String> {
    let name = |file: &File| file.source.name.to_string();
    let is_gone = |file: &&File| new.source(&file.source.name).is_none();
    let is_new = |file: &&File| old.source(&file.source.name).is_none();
    let of = |file: &File| match &file.document {
        Some(Document::Procedure(procedure)) => Some(procedure.name.value.to_string()),
        _ => None,
    };
    let added: Vec<&File> = new.files().iter().filter(is_new).collect();
    let now = |gone: &File| {
        let same = added.iter().find(|file| file.source.text == gone.source.text);
        // With several versions of it the one that took its place is not known.
        let mut alike = added.iter().filter(|file| of(gone).is_some() && of(file) == of(gone));
        same.or_else(|| alike.next().filter(|_| alike.next().is_none())).map(|file| (name(gone), name(file)))
    };
    old.files().iter().filter(is_gone).filter_map(now).collect()
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

fn reviewed(
    name: String,
    then: Option<Judged>,
    now: Option<Judged>,
    mut tests: Tests,
    new: &Catalogue,
    options: &CheckOptions,
) -> Option<Reviewed> {
    let (before, after) = (then.as_ref().map(|j| j.found.clone()).unwrap_or_default(), now.as_ref().map(|j| &j.found));
    let found = after.map(|after| after.since(&before)).unwrap_or_default();
    let mended = after.map_or_else(|| before.all().count(), |after| after.mended_since(&before));
    let change = became(then.as_ref(), now.as_ref())?;
    let was_broken = |name: &String| then.as_ref().is_some_and(|then| then.broken_in.contains(name));
    let broken_in = now.iter().flat_map(|now| &now.broken_in).filter(|name| !was_broken(name)).cloned().collect::<Vec<_>>();
    let same = match &change {
        Change::Changed(comparison, _) => comparison.is_empty(),
        // It was no better before.
        Change::Broken => then.as_ref().is_some_and(|then| then.plan.is_none()),
        _ => false,
    };
    let tests_same = tests.expected == Expected::default() && tests.uncovered.is_empty();
    if same && tests_same && broken_in.is_empty() && found.is_empty() && tests.failed.is_empty() && tests.broken.is_empty() {
        return None;
    }
    if let Some((now, plan)) = now.as_ref().and_then(|now| Some((now, now.plan.as_ref()?))).filter(|_| !same) {
        tests.dry_runs = dry_runs(new, &tests.files, now, options);
        if tests.dry_runs.is_empty() && matches!(change, Change::Added(_)) {
            let any = explore::dry_run_of_any(plan).ok().map(|mut predicted| {
                new.add_types(&mut predicted, plan);
                ("with any inputs".to_owned(), predicted)
            });
            tests.dry_runs.extend(any);
        }
    }
    let file = now.or(then).map(|judged| judged.file).unwrap_or_default();
    let version_at = new.procedures().find(|procedure| *procedure.source.name == file).map(|procedure| procedure.version.span);
    Some(Reviewed { name, file, version_at: version_at.unwrap_or_default(), change, broken_in, found, mended, tests })
}

/// A version with its catalogue and what is known of it, where there is one.
type Side<'c> = (&'c Catalogue, Option<&'c Procedure>, Option<&'c Judged>);

/// What the tests of the new version say, and what they say no more that those of the old one did.
fn tests(old: Side<'_>, new: Side<'_>, options: &CheckOptions) -> Tests {
    let Some(now) = new.2 else { return Tests::default() };
    let mut tests = played(new.0, now, options);
    let (Some(before), Some(after), Some(then)) = (old.1, new.1, old.2) else { return tests };
    tests.expected = expected::compared((old.0, before), (new.0, after));
    let text = |catalogue: &Catalogue, file: &String| catalogue.source(file).map(|source| source.text.clone());
    let mut files = expected::files(old.0, before).chain(expected::files(new.0, after));
    let as_before = then.digest == now.digest && files.all(|file| text(old.0, &file) == text(new.0, &file));
    if tests.missing.is_empty() || as_before {
        return tests;
    }
    let Some(plan) = &then.plan else { return tests };
    let covered = played(old.0, then, options);
    // What a case that fails does not come to is another matter.
    if covered.cases > 0 && covered.failed.is_empty() && tests.failed.is_empty() {
        let mut was: BTreeSet<String> = Coverage::of(plan).missing().map(|point| point.missing(plan)).collect();
        was.retain(|point| !covered.missing.contains(point));
        tests.uncovered = tests.missing.iter().filter(|missing| was.contains(*missing)).cloned().collect();
    }
    tests
}

fn played(catalogue: &Catalogue, judged: &Judged, options: &CheckOptions) -> Tests {
    let selection = Selection { file: Some(judged.file.as_str().into()), filter: None };
    let report = suite::play_with(catalogue, &selection, options, judged.plan.clone());
    let mut tests = Tests { cases: report.cases().count(), broken: report.faults, ..Tests::default() };
    for file in &report.files {
        tests.files.insert(file.file.clone());
        let failing = file.cases.iter().filter(|case| !case.faults.is_empty());
        for case in failing {
            tests.failed.push((file.file.clone(), case.name.clone()));
            tests.faults.extend(case.faults.iter().cloned());
        }
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

/// What each case of these files would do, in its own environment, where that can be said.
fn dry_runs(catalogue: &Catalogue, files: &BTreeSet<String>, judged: &Judged, options: &CheckOptions) -> Vec<(String, DryRun)> {
    let procedure = catalogue.procedures().find(|procedure| *procedure.source.name == *judged.file);
    let Some(procedure) = procedure else { return Vec::new() };
    // A case that names no environment is in that of a run which names none, as it is when it is played.
    let mut plans: BTreeMap<Option<String>, Option<Arc<Plan>>> =
        BTreeMap::from([(options.environment.clone(), judged.plan.clone())]);
    let mut plan_in = |environment: Option<String>| {
        let planned = || {
            let options = CheckOptions { environment: environment.clone(), ..options.clone() };
            catalogue.plan(procedure, &options).0.map(Arc::new)
        };
        plans.entry(environment.clone()).or_insert_with(planned).clone()
    };
    let tests = catalogue.tests().filter(|test| files.contains(&*test.source.name));
    let cases = tests.flat_map(|test| test.cases.iter().filter(|case| !case.real).map(move |case| (test, case)));
    let dry = |(test, case): (&Test, &Case)| {
        let case = case.with(&test.defaults);
        let plan = plan_in(case.setting.environment.as_ref().map(|environment| environment.value.clone()))?;
        let mut predicted = trial::predict(&case, &plan).ok()?;
        catalogue.add_types(&mut predicted, &plan);
        Some((case.name.value, predicted))
    };
    cases.filter_map(dry).collect()
}
