//! Runs written down as cases: what a case says of a run is what its record says.

use std::sync::Arc;
use std::time::Duration;

use runbook_core::Plan;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::test::Test;
use runbook_core::document::{Document, load};
use runbook_core::trial::{Recorded, play, record};

fn plan(steps: &str) -> Arc<Plan> {
    let text = format!("apiVersion: runbook/v1\nkind: Runbook\nname: try\nversion: 1.0.0\n{steps}");
    let (Some(Document::Procedure(procedure)), found) = load(&Source::new("try.yaml", text.as_str())) else { panic!("{text}") };
    assert!(!found.has_errors(), "{text}\n{found:#?}");
    let (plan, found) = check(&procedure, &Catalogue::new([&*procedure], None), &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")))
}

fn test(cases: &str) -> (Source, Box<Test>) {
    let text = format!("apiVersion: runbook/v1\nkind: Test\nprocedure: try\ncases:\n{cases}");
    let source = Source::new("try.test.yaml", text.as_str());
    let (Some(Document::Test(test)), found) = load(&source) else { panic!("{text}") };
    assert!(!found.has_errors(), "{text}\n{found:#?}");
    (source, test)
}

/// The case of the run that a case comes to; it passes.
#[track_caller]
fn again(plan: &Arc<Plan>, setting: &str) -> Recorded {
    let (source, once) = test(&format!("  - {{name: once, {setting}, expect: {{record: {{run_started: 1}}}}}}\n"));
    let trial = play(&once.cases[0], &source, plan);
    assert!(trial.passed(), "{:#?}", trial.faults);
    let recorded = record(plan, &trial.events, "again").unwrap();
    let (source, twice) = test(&recorded.item);
    let trial = play(&twice.cases[0], &source, plan);
    assert!(trial.passed(), "{}\n{:#?}", recorded.item, trial.faults);
    recorded
}

const BRANCHES: &str = "steps:
  - id: both
    parallel:
      left: [{id: a, run: a, effect: read}]
      right: [{id: b, run: b, effect: read}]
  - {id: last, run: last, effect: read, timeout: 2s}
";

#[test]
fn a_case_takes_as_long_as_the_run_took() {
    for (setting, said) in [
        ("steps: {a: {takes: 1s}, b: {takes: 5s}}", &[("a", 1), ("b", 5), ("last", 0)][..]),
        ("steps: {a: {takes: 5s}, b: {takes: 1s}, last: {takes: 1s}}", &[("a", 5), ("b", 1), ("last", 1)]),
        ("steps: {a: {takes: 3s}, b: {takes: 3s}}", &[("a", 3), ("b", 3), ("last", 0)]),
        ("steps: {a: {takes: 1s}, b: {takes: 30s}}, cancel: {after: 4s}", &[("a", 1)]),
    ] {
        let recorded = again(&plan(BRANCHES), setting);
        assert_eq!(recorded.notes, Vec::<String>::new(), "{}", recorded.item);
        let (_, test) = test(&recorded.item);
        let case = &test.cases[0].setting;
        for (name, seconds) in said {
            let takes = case.steps.iter().find(|(step, _)| step.value == *name).map(|(_, list)| list[0].takes);
            assert_eq!(takes.unwrap_or_default(), Duration::from_secs(*seconds), "`{name}` of {setting}:\n{}", recorded.item);
        }
        let cancel = case.cancel.as_ref().map(|cancel| cancel.after);
        assert_eq!(cancel, setting.contains("cancel").then_some(Duration::from_secs(4)), "{}", recorded.item);
    }
}
