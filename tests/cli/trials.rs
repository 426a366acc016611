//! `runbook test`: what it prints, where it points and how it exits; and that nothing is started.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use runbook_core::check::CheckOptions;
use runbook_core::explore::Verdict;
use runbook_core::run::event::{OutcomeKind, StepOutcome};
use runbook_core::run::view::{Standing, StepView};
use runbook_core::trial;
use runbook_engine::catalogue::Catalogue;
use runbook_engine::report::dry_run;

use super::{APPROVAL, Desk, procedure};

fn cases(cases: &str) -> String {
    format!("apiVersion: runbook/v1\nkind: Test\nprocedure: try\ncases:\n{cases}")
}

const YES: &str = "  - {name: a yes, answers: {go: approve}, expect: {outcome: succeeded, left: [write]}}\n";
const WRONG: &str = "  - {name: a no, answers: {go: reject}, expect: {outcome: succeeded}}\n";
const OPEN: &str = "  - {name: silence, expect: {outcome: failed}}\n";

#[test]
fn cases_pass_or_point_at_what_does_not_hold() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL)), ("try.test.yaml", &cases(&format!("{YES}{WRONG}")))]);
    let ran = desk.run("test").exits(1).says("failed: 1 of 2 cases");
    let ran = ran.prints("try.test.yaml (try)\n  ok    a yes\n  FAIL  a no\n");
    ran.prints("error[RB0501]: it ends rejected (step `go`)").prints("--> try.test.yaml:6:59");
    // Nothing was started, asked or recorded.
    assert!(!desk.path("written.txt").exists());
    assert!(!desk.dir.path().join(".local").exists());

    for (line, code, said) in [
        ("test --filter yes", 0, "passed: 1 case"),
        ("test --filter 'a no'", 1, "failed: 1 of 1 case"),
        ("test try", 1, "failed: 1 of 2 cases"),
        ("test try.yaml", 1, "failed: 1 of 2 cases"),
        ("test try.test.yaml", 1, "failed: 1 of 2 cases"),
        ("test .", 1, "failed: 1 of 2 cases"),
        ("test --filter maybe", 2, "no case has `maybe`"),
        ("test tyr", 2, "use one of: try"),
    ] {
        desk.run(line).exits(code).says(said);
    }
}

#[test]
fn what_cannot_be_played_is_no_verdict() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL)), ("try.test.yaml", &cases(&format!("{YES}{OPEN}")))]);
    desk.run("test").exits(2).says("not valid: 1 fault").prints("nothing says what people answer `go`: Write it?");
    for (name, text, said) in [
        ("try.test.yaml", cases("  - {name: a, expct: {outcome: failed}}\n"), "did you mean `expect`?"),
        ("try.test.yaml", cases(YES).replace("procedure: try", "procedure: tyr"), "did you mean `try`?"),
        ("try.yaml", procedure("steps: [{run: 'true', efect: read}]\n"), "efect"),
    ] {
        let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL)), ("try.test.yaml", &cases(YES))]);
        std::fs::write(desk.path(name), text).unwrap();
        desk.run("test").exits(2).prints(said);
    }
    // An environment that there is not is named where the case names it.
    let nowhere = YES.replace("answers", "environment: nowhere, answers");
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL)), ("try.test.yaml", &cases(&nowhere))]);
    for line in ["test", "test try", "test try.yaml", "test try.test.yaml"] {
        desk.run(line).exits(2).prints("--> try.test.yaml:5:");
    }
    // A warning is no fault.
    let warned = procedure("steps: [{run: touch it, effect: change}, {run: 'true', efect: read}]\n");
    let desk = Desk::new(&[("try.yaml", &warned), ("try.test.yaml", &cases(YES))]);
    desk.run("test").exits(2).says("not valid: 1 fault");
    Desk::new(&[("try.yaml", &procedure(APPROVAL))]).run("test").exits(2).says("there is no test here");
}

#[test]
fn results_are_data_for_other_programs() {
    let hostile = "  - {name: \"<b>&\\x1b[31m\", answers: {go: reject}, expect: {outcome: succeeded}}\n";
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL)), ("try.test.yaml", &cases(&format!("{YES}{hostile}")))]);
    let out = desk.run("test --json --coverage --junit results.xml").exits(1).out;
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [yes, no, coverage] = lines.as_slice() else { panic!("{out}") };
    assert_eq!((&yes["case"], &yes["passed"]), (&"a yes".into(), &true.into()));
    assert_eq!((&no["passed"], &no["faults"][0]["code"]), (&false.into(), &"RB0501".into()));
    assert_eq!(coverage["coverage"]["steps"], serde_json::json!({"seen": 2, "all": 3}));
    let missing = |what: &str| coverage["missing"].as_array().unwrap().iter().any(|one| one["what"] == what);
    assert!(missing("no case comes to `write~undo/run-1`"), "{coverage:#}");
    let xml = std::fs::read_to_string(desk.path("results.xml")).unwrap();
    assert!(xml.contains("<testsuite name=\"try.test.yaml\" tests=\"2\" failures=\"1\" errors=\"0\">"), "{xml}");
    assert!(xml.contains("<testcase classname=\"try\" name=\"a yes\"/>"), "{xml}");
    assert!(xml.contains("name=\"&lt;b&gt;&amp;\u{fffd}[31m\""), "{xml}");
    desk.run("test --filter yes --coverage").exits(0).prints("try.yaml:8:5: `write` is taken back in no case");
}

#[test]
fn what_is_missing_stands_beside_its_line() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL)), ("try.test.yaml", &cases(&format!("{YES}{WRONG}")))]);
    let out = desk.run("test --coverage --annotations github").exits(1).says("failed: 1 of 2 cases").out;
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[0].starts_with("::error file=try.test.yaml,line=6,col=59,") && lines[0].contains("title=RB0501::it ends rejected"),
        "{out}"
    );
    let notice =
        "::notice file=try.yaml,line=8,col=5,endLine=8,endColumn=5,title=coverage%3A undos::`write` is taken back in no case";
    assert!(lines.contains(&notice), "{out}");
    assert!(lines.iter().all(|line| line.starts_with("::")), "{out}");
    assert_eq!(desk.run("test --filter yes --annotations github").exits(0).out, "");
    let out = desk.run("test --coverage --annotations gitlab").exits(1).out;
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report[0]["severity"], &report[0]["location"]["path"]), (&"major".into(), &"try.test.yaml".into()), "{report:#}");
    assert!(report.as_array().unwrap().iter().any(|one| one["severity"] == "info" && one["check_name"] == "coverage: undos"));
    // Of each kind as many as are shown, and how many are not.
    let many: String = (0..15).map(|n| format!("  - {{id: s{n}, if: 1 == 1, run: 'true', effect: read}}\n")).collect();
    let one = cases("  - {name: a, expect: {outcome: succeeded}}\n");
    let desk = Desk::new(&[("try.yaml", &procedure(&format!("steps:\n{many}"))), ("try.test.yaml", &one)]);
    let ran = desk.run("test --coverage --annotations github").exits(0).says("hidden: 20 places that no case comes to");
    assert_eq!(ran.out.lines().count(), 10, "{}", ran.out);
}

#[test]
fn a_change_plays_them_again() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL)), ("try.test.yaml", &cases(WRONG))]);
    let mut child = desk.command("test --watch").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut comes_to = |text: &str| {
        let found = lines.by_ref().map_while(Result::ok).any(|line| line.contains(text));
        assert!(found, "`{text}` did not come");
    };
    comes_to("failed: 1 of 1 case");
    comes_to("waiting for a change");
    std::fs::write(desk.path("try.test.yaml"), cases(YES)).unwrap();
    comes_to("passed: 1 case");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Every procedure that is shipped has tests, they pass, and they come to each step and each branch.
#[test]
fn what_is_shipped_is_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let examples = std::fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<PathBuf> = examples.filter(|path| path.is_dir()).chain([root.join("runbooks")]).collect();
    assert!(folders.len() > 7);
    for folder in folders {
        let there = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let is_procedure = |path: &PathBuf| {
            path.extension().is_some_and(|e| e == "yaml")
                && std::fs::read_to_string(path)
                    .is_ok_and(|text| ["Runbook", "Playbook"].iter().any(|kind| text.contains(&format!("\nkind: {kind}\n"))))
        };
        let names: BTreeSet<String> =
            there.filter(is_procedure).map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        if names.is_empty() {
            // One that shows how procedures are made.
            continue;
        }
        let output =
            Command::new(env!("CARGO_BIN_EXE_runbook")).args(["test", "--json", "--coverage"]).arg(&folder).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}\n{out}", folder.display());
        let lines = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let mut covered = BTreeSet::new();
        for of in lines.filter(|line| line.get("coverage").is_some()) {
            for class in ["steps", "branches"] {
                let table = &of["coverage"][class];
                assert_eq!(table["seen"], table["all"], "{}: {class}\n{:#}", of["procedure"], of["missing"]);
            }
            covered.insert(of["procedure"].as_str().unwrap().to_owned());
        }
        assert_eq!(names, covered, "{}", folder.display());
    }
}

/// Every case of every procedure that is shipped is predicted in every form, and what the prediction says would run and be skipped is
/// what the case then does.
#[test]
fn what_is_shipped_is_predicted_with_each_of_its_cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let examples = std::fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let (mut predicted, mut ran, mut smooth_ones) = (0, 0, 0);
    for folder in examples.filter(|path| path.is_dir()).chain([root.join("runbooks")]) {
        let catalogue = Catalogue::open(&folder).unwrap();
        for test in catalogue.tests() {
            let (Some(procedure), _) = catalogue.tested(test) else { panic!("{}", test.source.name) };
            for case in test.cases.iter().filter(|case| !case.real) {
                let case = case.with(&test.defaults);
                let environment = case.setting.environment.as_ref().map(|environment| environment.value.clone());
                let (plan, found) = catalogue.plan(procedure, &CheckOptions { environment, ..CheckOptions::default() });
                let plan = Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")));
                let name = format!("{}: {}", test.source.name, case.name.value);
                let dry = trial::predict(&case, &plan).unwrap_or_else(|why| panic!("{name}: {why}"));
                assert!(dry.complete && !dry.steps.is_empty() && !dry.outcomes.is_empty(), "{name}");
                let people = &plan.policy.people;
                for page in [dry_run::to_markdown(&dry, people), dry_run::to_html(&dry, people)] {
                    assert!(dry.steps.iter().all(|step| page.contains(&step.number)), "{name}\n{page}");
                }
                let played = trial::play(&case, &test.source, &plan);
                assert!(played.passed(), "{name}: {:#?}", played.faults);
                let ended = |view: &StepView<'_>| if let Standing::Ended(outcome) = view.standing() { Some(outcome) } else { None };
                // Nothing went otherwise than a dry run takes it.
                let smooth = played.run.outcome().is_some_and(|outcome| outcome.kind == OutcomeKind::Succeeded)
                    && played.run.steps().all(|view| matches!(ended(&view), Some(StepOutcome::Succeeded | StepOutcome::Skipped)));
                for step in &dry.steps {
                    let view = played.run.find_step(&step.path);
                    let began = view.as_ref().is_some_and(|view| view.work().is_some());
                    match step.verdict {
                        Verdict::WouldSkip { .. } => {
                            assert!(!began, "{name}: {} would be skipped, and was not", step.path);
                        }
                        Verdict::WouldRun => {
                            let end = view.as_ref().and_then(ended);
                            assert_ne!(end, Some(StepOutcome::Skipped), "{name}: {} would run, and was skipped", step.path);
                            assert!(!smooth || end.is_some(), "{name}: {} would run, and did not", step.path);
                            if let Some(work) = view.as_ref().and_then(|view| view.work()) {
                                assert_eq!(Some(&**work), step.work.as_ref(), "{name}: {}", step.path);
                                ran += 1;
                            }
                        }
                        Verdict::CannotKnow { .. } => {}
                    }
                }
                smooth_ones += usize::from(smooth);
                predicted += 1;
            }
        }
    }
    assert!(predicted > 50 && ran > 100 && smooth_ones > 10, "{predicted} {ran} {smooth_ones}");
}
