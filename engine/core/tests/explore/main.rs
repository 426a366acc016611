//! What an exploration finds, as a table: a procedure, and each finding with the path that shows it.

mod brute;

use std::sync::Arc;

use runbook_core::Plan;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::{Code, Source, explain};
use runbook_core::document::{Document, load};
use runbook_core::explore::{Walk, walk};

const OTHER: &str = "apiVersion: runbook/v1
kind: Runbook
name: other
version: 1.0.0
inputs: {n: {type: integer}}
lock: disk/{{inputs.n}}
steps:
- {id: inner, exec: [inner, '{{inputs.n}}'], idempotent: true}
- {id: seen, exec: [look], effect: read}
";

fn plan(rest: &str) -> Arc<Plan> {
    plan_of(&format!(
        "apiVersion: runbook/v1\nkind: Runbook\nname: test\nversion: 1.0.0\ninputs: {{n: {{type: integer, default: 4}}, hosts: {{type: list}}}}\n{rest}"
    ))
}

fn plan_of(main: &str) -> Arc<Plan> {
    let mut procedures = Vec::new();
    for (name, text) in [("test.yaml", main), ("other.yaml", OTHER)] {
        let (document, diagnostics) = load(&Source::new(name, text));
        let Some(Document::Procedure(procedure)) = document else { panic!("{diagnostics:#?}") };
        procedures.push(*procedure);
    }
    let (plan, diagnostics) = check(&procedures[0], &Catalogue::new(procedures.iter(), None), &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{diagnostics:#?}\n{main}")))
}

fn found(walk: &Walk) -> Vec<String> {
    let told = walk.findings.iter().map(|finding| {
        let path = walk.path(finding).iter().map(|turn| turn.words().replace('`', "")).collect::<Vec<_>>().join(", ");
        format!("{}: {} [{path}]", finding.kind.code().as_str(), finding.message(&walk.plan).replace('`', ""))
    });
    told.collect()
}

fn shows(rest: &str, expect: &[&str]) {
    let walk = walk(&plan(rest)).unwrap();
    assert!(walk.extent.complete, "{rest}");
    assert_eq!(found(&walk), expect, "{rest}");
}

const LOOK: &str = "- {id: look, exec: [look], effect: read}\n";

#[test]
fn a_loss_needs_a_yes_before_it() {
    let wipe = format!("- {{id: wipe, exec: [wipe], effect: destructive, irreversible: it is old}}\n{LOOK}");
    shows(&format!("steps:\n{wipe}"), &["RB0601: wipe destroys something, and nobody has approved before [wipe succeeds]"]);
    shows(&format!("steps:\n- {{id: go, approve: {{question: Go?, within: 1h}}}}\n{wipe}"), &[]);
    shows(
        &format!("steps:\n- choose: [{{when: inputs.n > 3, steps: [{{id: go, approve: {{question: Go?, within: 1h}}}}]}}]\n{wipe}"),
        &["RB0601: wipe destroys something, and nobody has approved before [choose-1 takes no branch, wipe succeeds]"],
    );
}

#[test]
fn a_change_is_taken_back_or_somebody_is_told() {
    let drain = "- {id: drain, exec: [drain], undo: {exec: [enable]}}\n";
    shows(&format!("steps:\n{drain}{LOOK}"), &["RB0602: what drain changed stays after a failure [drain succeeds, look fails]"]);
    shows(&format!("steps:\n{drain}- {{id: look, exec: [look], effect: read, on_failure: rollback}}\n"), &[]);
    shows(&format!("steps:\n{drain}- {{id: look, exec: [look], effect: read, by_hand: Enable it.}}\n"), &[]);
    shows(&format!("steps:\n{drain}{LOOK}on_failure:\n- {{exec: [enable], idempotent: true}}\n"), &[]);
}

#[test]
fn the_examples_of_the_pages_are_what_they_say() {
    for code in Code::ALL.iter().copied().filter(|code| code.as_str().starts_with("RB06")) {
        let page = explain(code);
        assert!(page.starts_with(&format!("# {}: {}\n", code.as_str(), code.title())), "{}", code.as_str());
        assert!(page.contains("\n## Why\n"), "{}", code.as_str());
        let examples: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        let [wrong, right] = examples.as_slice() else { panic!("{}", code.as_str()) };
        for (example, is_wrong) in [(wrong, true), (right, false)] {
            let plan = plan_of(&format!("apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: 1.0.0\n{example}"));
            let walk = walk(&plan).unwrap();
            let codes: Vec<Code> = walk.findings.iter().map(|finding| finding.kind.code()).collect();
            let expect: &[Code] = if is_wrong { &[code] } else { &[] };
            assert_eq!(codes, expect, "{example}\n{:#?}", found(&walk));
            assert!(walk.extent.complete);
            for finding in &walk.findings {
                assert!(!finding.message(&plan).ends_with('.') && !finding.help(&plan).is_empty(), "{}", code.as_str());
            }
        }
    }
}

/// The example of the reference keeps its properties, and does not where what they rest on is taken away.
#[test]
fn properties_are_judged() {
    let reference = include_str!("../../../../docs/format.md");
    let (_, section) = reference.split_once("\n## Every path\n").unwrap();
    let example = section.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(found(&walk(&plan_of(example)).unwrap()), Vec::<String>::new());
    let after = "a step of effect change begins on some path where before backup fails, which must never be";
    let before = "restart begins on some path without that before a step approve succeeds";
    for (from, to, expect) in [
        ("run: make-backup\n", "run: make-backup\n    on_failure: continue\n", vec![format!("RB0610: {after} [backup fails, go is granted, restart succeeds]")]),
        ("within: 1h}\n", "within: 1h}\n    if: 1 > 2\n", vec![
            format!("RB0610: {before} [backup succeeds, restart succeeds]"),
            "RB0605: no path comes to go []".to_owned(),
        ]),
        ("never: {effect: change}\n    after: {step: backup, ends: failed}", "never: {run: failed}", vec![
            "RB0610: the run ends failed on some path, which must never be [backup fails]".to_owned(),
        ]),
        ("comes: {verb: approve}", "comes: {step: backup, ends: failed}", vec![
            "RB0610: restart begins on some path without that before backup fails [backup succeeds, go is granted, restart succeeds]".to_owned(),
        ]),
    ] {
        assert!(example.contains(from), "{from}");
        assert_eq!(found(&walk(&plan_of(&example.replace(from, to))).unwrap()), expect, "{to}");
    }
}
