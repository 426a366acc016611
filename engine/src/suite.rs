//! The tests of a catalogue: which cases there are, the plans that they are of, and what came of each when it was played. Nothing is
//! started and nothing is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook_core::Plan;
use runbook_core::check::{self, CheckOptions};
use runbook_core::diagnostic::{Diagnostic, Severity};
use runbook_core::document::test::{Case, Test};
use runbook_core::document::{Document, Procedure};
use runbook_core::trial::{self, Coverage};

use crate::catalogue::{Catalogue, has_errors};

/// What came of the cases of one file.
#[derive(Debug)]
pub struct Played {
    /// The file's name in the catalogue.
    pub file: String,
    pub procedure: String,
    pub cases: Vec<CasePlayed>,
}

#[derive(Debug)]
pub struct CasePlayed {
    pub name: String,
    /// Empty: it passed.
    pub faults: Vec<Diagnostic>,
}

/// What the cases of one procedure have been through.
#[derive(Debug)]
pub struct Covered {
    pub procedure: String,
    pub plan: Arc<Plan>,
    pub coverage: Coverage,
}

#[derive(Debug, Default)]
pub struct Report {
    pub files: Vec<Played>,
    /// In the order of their names.
    pub covered: Vec<Covered>,
    /// What keeps a procedure, or a test, from being played at all. Its cases are not among `files`.
    pub faults: Vec<Diagnostic>,
    /// Cases that were left out, because they are for real systems alone.
    pub real: usize,
    /// Somebody wanted to leave; further cases were not begun.
    pub interrupted: bool,
}

impl Report {
    pub fn cases(&self) -> impl Iterator<Item = &CasePlayed> {
        self.files.iter().flat_map(|file| &file.cases)
    }

    pub fn failed(&self) -> usize {
        self.cases().filter(|case| !case.faults.is_empty()).count()
    }
}

/// Which cases are played.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only tests in this file, or of the procedure that it holds.
    pub file: Option<Arc<str>>,
    /// Only cases whose name, file or procedure has this text in it.
    pub filter: Option<String>,
}

impl Selection {
    fn takes_file(&self, test: &Test, procedure: Option<&Procedure>) -> bool {
        let Some(file) = &self.file else { return true };
        test.source.name == *file || procedure.is_some_and(|procedure| procedure.source.name == *file)
    }

    fn takes(&self, test: &Test, case: &str) -> bool {
        let Some(filter) = &self.filter else { return true };
        case.contains(filter) || test.source.name.contains(filter) || test.procedure.value.contains(filter)
    }
}

/// Plays the selected cases, in the order of files and of cases.
pub fn play(catalogue: &Catalogue, selection: &Selection, options: &CheckOptions) -> Report {
    play_with(catalogue, selection, options, None)
}

/// The same, where the plan of one procedure in the environment of the options is known already.
pub fn play_with(catalogue: &Catalogue, selection: &Selection, options: &CheckOptions, known: Option<Arc<Plan>>) -> Report {
    let mut suite = Suite::of(catalogue, options);
    if let Some(plan) = known {
        let name = format!("{}@{}", plan.main().name, plan.main().version);
        suite.plans.insert((name, options.environment.clone()), Some(plan));
    }
    for (test, procedure) in suite.tests(selection) {
        suite.file(test, procedure, selection);
    }
    suite.report.covered = suite.covered.into_values().collect();
    suite.report
}

/// A case that can be run for real.
#[derive(Debug)]
pub struct RealCase<'c> {
    pub test: &'c Test,
    /// With what it shares with others.
    pub case: Case,
    pub plan: Arc<Plan>,
}

/// The selected cases that are for real systems; beside them what keeps some from being run, and how many were not for those.
pub fn for_real<'c>(
    catalogue: &'c Catalogue,
    selection: &Selection,
    options: &'c CheckOptions,
) -> (Vec<RealCase<'c>>, Vec<Diagnostic>, usize) {
    let mut suite = Suite::of(catalogue, options);
    let (mut cases, mut others) = (Vec::new(), 0);
    for (test, procedure) in suite.tests(selection) {
        let name = format!("{}@{}", procedure.name.value, procedure.version.value);
        for case in test.cases.iter().filter(|case| selection.takes(test, &case.name.value)) {
            if !case.is_for_real() {
                others += 1;
                continue;
            }
            // What stands in for steps in the other cases is not real.
            let steps = case.setting.steps.clone();
            let mut case = case.with(&test.defaults);
            case.setting.steps = steps;
            let environment = case.setting.environment.as_ref().map(|environment| environment.value.clone());
            if let Some(plan) = suite.plan(procedure, &name, environment) {
                cases.push(RealCase { test, case, plan });
            }
        }
    }
    (cases, suite.report.faults, others)
}

/// A warning keeps nothing from being played.
fn errors(found: &[Diagnostic]) -> impl Iterator<Item = Diagnostic> {
    found.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).cloned()
}

struct Suite<'c> {
    catalogue: &'c Catalogue,
    /// The same, by name.
    named: check::Catalogue<'c>,
    options: &'c CheckOptions,
    /// By procedure and environment; `None` where there is none, which has been told.
    plans: BTreeMap<(String, Option<String>), Option<Arc<Plan>>>,
    /// By procedure: policy may differ between environments, steps do not.
    covered: BTreeMap<String, Covered>,
    report: Report,
}

impl<'c> Suite<'c> {
    fn of(catalogue: &'c Catalogue, options: &'c CheckOptions) -> Suite<'c> {
        let named = check::Catalogue::new(catalogue.procedures(), catalogue.workspace());
        Suite { catalogue, named, options, plans: BTreeMap::new(), covered: BTreeMap::new(), report: Report::default() }
    }

    /// The tests that are selected and can be played, each with its procedure; of others it is noted why they cannot.
    fn tests(&mut self, selection: &Selection) -> Vec<(&'c Test, &'c Procedure)> {
        let mut tests = Vec::new();
        for file in self.catalogue.files() {
            let Some(Document::Test(test)) = &file.document else {
                let named = selection.file.as_ref() == Some(&file.source.name);
                let is_test = file.document.is_none() && has_errors(&file.found) && (selection.file.is_none() || named);
                if is_test {
                    self.report.faults.extend(errors(&file.found));
                }
                continue;
            };
            let procedure = check::tested(test, &self.named).ok();
            if !selection.takes_file(test, procedure) {
                continue;
            }
            let found = check::check_test(test, &self.named).into_sorted();
            let faults: Vec<Diagnostic> = file.found.iter().cloned().chain(found).collect();
            match procedure {
                Some(procedure) if !has_errors(&faults) => tests.push((&**test, procedure)),
                _ => self.report.faults.extend(errors(&faults)),
            }
        }
        tests
    }

    fn file(&mut self, test: &Test, procedure: &Procedure, selection: &Selection) {
        let name = format!("{}@{}", procedure.name.value, procedure.version.value);
        let mut cases = Vec::new();
        for case in test.cases.iter().filter(|case| selection.takes(test, &case.name.value)) {
            if case.real {
                self.report.real += 1;
                continue;
            }
            let case = case.with(&test.defaults);
            let environment = case.setting.environment.as_ref().map(|environment| environment.value.clone());
            let Some(plan) = self.plan(procedure, &name, environment) else { continue };
            let trial = trial::play(&case, &test.source, &plan);
            let covered = self.covered.entry(name.clone()).or_insert_with(|| Covered {
                procedure: procedure.name.value.as_str().to_owned(),
                coverage: Coverage::of(&plan),
                plan: plan.clone(),
            });
            covered.coverage.add(&trial.run, &trial.events);
            cases.push(CasePlayed { name: case.name.value, faults: trial.faults });
        }
        if !cases.is_empty() {
            let file = test.source.name.to_string();
            self.report.files.push(Played { file, procedure: procedure.name.value.as_str().to_owned(), cases });
        }
    }

    fn plan(&mut self, procedure: &Procedure, name: &str, environment: Option<String>) -> Option<Arc<Plan>> {
        let key = (name.to_owned(), environment.clone());
        if let Some(plan) = self.plans.get(&key) {
            return plan.clone();
        }
        let options = CheckOptions { environment, ..self.options.clone() };
        let (plan, found) = self.catalogue.plan(procedure, &options);
        if plan.is_none() {
            let fresh = errors(&found).filter(|fault| !self.report.faults.contains(fault)).collect::<Vec<_>>();
            self.report.faults.extend(fresh);
        }
        let plan = plan.map(Arc::new);
        self.plans.insert(key, plan.clone());
        plan
    }
}
