//! What is said of two versions, as tables.

use super::*;
use crate::check::{Catalogue, CheckOptions, check};
use crate::diagnostic::Source;
use crate::document::{Document, Workspace, load};

fn plan(texts: &[&str], workspace: Option<&str>) -> Plan {
    let procedures: Vec<_> = texts
        .iter()
        .map(|text| match load(&Source::new("p.yaml", *text)) {
            (Some(Document::Procedure(procedure)), found) if !found.has_errors() => *procedure,
            (_, found) => panic!("{text}\n{found:#?}"),
        })
        .collect();
    let workspace: Option<Workspace> = workspace.map(|text| match load(&Source::new("workspace.yaml", text)) {
        (Some(Document::Workspace(workspace)), found) if !found.has_errors() => *workspace,
        (_, found) => panic!("{text}\n{found:#?}"),
    });
    let (plan, found) = check(&procedures[0], &Catalogue::new(&procedures, workspace.as_ref()), &CheckOptions::default());
    plan.unwrap_or_else(|| panic!("{}\n{found:#?}", texts[0]))
}

fn text(version: &str, rest: &str) -> String {
    format!("apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: {version}\n{rest}")
}

/// Each change on a line: of the procedure `what: old → new (raise)`, of a step `fate path: its parts`.
fn told(comparison: &Comparison) -> Vec<String> {
    let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "–".to_owned());
    let part = |part: &PartChange| format!("{}: {} → {} ({})", part.what, side(&part.old), side(&part.new), part.needs.word());
    let mut lines = Vec::new();
    for procedure in &comparison.procedures {
        lines.extend(procedure.parts.iter().map(part));
        for step in &procedure.steps {
            let fate = match &step.fate {
                Fate::Added => "added".to_owned(),
                Fate::Removed => "removed".to_owned(),
                Fate::Moved(from) if *from == step.path => "moved".to_owned(),
                Fate::Moved(from) => format!("moved from {from}"),
                Fate::Changed => "changed".to_owned(),
            };
            let parts = match step.fate {
                Fate::Added | Fate::Removed => String::new(),
                _ => step.parts.iter().map(|p| format!("; {}", part(p))).collect(),
            };
            lines.push(format!("{fate} {} ({}){parts}", step.path, step.needs.word()));
        }
    }
    lines
}

fn compared(old: &str, new: &str) -> Comparison {
    compare(&plan(&[&text("1.0.0", old)], None), &plan(&[&text("1.0.0", new)], None))
}

const READ: &str = "effect: read";

#[test]
fn what_means_the_same_is_no_change() {
    let old = "title: A thing\nsteps:\n- {id: x, exec: [a, b], effect: read}\n";
    for new in [
        "# with a comment\nsteps:\n  - effect: read\n    exec: [\"a\", 'b']\n    id: x\n    on_failure: stop\ntitle: A thing\n",
        "title: A thing\n\n\nsteps: [{id: x, exec: [a, b], effect: read}]\n",
    ] {
        let comparison = compared(old, new);
        assert!(comparison.is_empty() && comparison.is_raised_enough(), "{new}: {:?}", told(&comparison));
    }
}

#[test]
fn steps_are_followed_by_their_ids_and_their_neighbours() {
    let steps = |steps: &str| format!("steps:\n{steps}");
    let a = "- {exec: [a], effect: read}\n";
    let b = "- {exec: [b], effect: read}\n";
    let c = "- {exec: [c], effect: read}\n";
    let x = "- {id: x, exec: [x], effect: read}\n";
    let y = "- {id: y, exec: [y], effect: read}\n";
    let z = "- {id: z, exec: [z], effect: read}\n";
    for (old, new, expect) in [
        (format!("{a}{b}"), format!("{a}{c}{b}"), vec!["added exec-2 (minor)"]),
        (format!("{a}{c}{b}"), format!("{a}{b}"), vec!["removed exec-2 (minor)"]),
        (format!("{a}{b}"), format!("{a}{c}"), vec!["changed exec-2 (minor); command: [\"b\"] → [\"c\"] (minor)"]),
        (format!("{x}{y}{z}"), format!("{z}{x}{y}"), vec!["moved z (minor)"]),
        (format!("{x}{y}"), format!("{x}- id: g\n  group:\n  {y}"), vec!["added g (minor)", "moved from y g/y (minor)"]),
        (format!("{x}{a}"), format!("{a}{x}"), vec!["moved from exec-2 exec-1 (minor)"]),
        (format!("- id: g\n  group:\n  {a}"), format!("- id: g\n  group:\n  {a}  {b}"), vec!["added g/exec-2 (minor)"]),
        (
            format!("- id: f\n  parallel:\n    l:\n    {x}    r:\n    {y}"),
            format!("- id: f\n  parallel:\n    l:\n    {y}    r:\n    {x}"),
            vec!["moved from f.right f.left"],
        ),
    ] {
        if expect[0].contains("f.right") {
            let lines = told(&compared(&steps(&old), &steps(&new)));
            assert_eq!(lines, ["moved from f.r/y f.l/y (minor)", "moved from f.l/x f.r/x (minor)"]);
            continue;
        }
        assert_eq!(told(&compared(&steps(&old), &steps(&new))), expect, "{old}\n{new}");
    }
}

#[test]
fn how_far_each_change_asks_the_version_to_be_raised() {
    let step = |keys: &str| format!("steps:\n- {{id: x, exec: [a], {keys}}}\n");
    let asks = |keys: &str| format!("steps:\n- {{id: q, approve: {{question: Go?{keys}}}}}\n- {{id: x, exec: [a], {READ}}}\n");
    let with = |keys: &str| format!("{keys}{}", step(READ));
    let change = "effect: change, irreversible: it is only a test";
    let undone = "effect: change, undo: {exec: [b]}";
    for (old, new, needs) in [
        (step(READ), step(&format!("{READ}, why: Because.")), Raise::Patch),
        (step(READ), step(&format!("{READ}, timeout: 5s")), Raise::Minor),
        (step(READ), step(change), Raise::Major),
        (step(change), step(READ), Raise::Minor),
        (step(undone), step(change), Raise::Major),
        (step(change), step(undone), Raise::Minor),
        (step(READ), step(&format!("{READ}, on_failure: continue")), Raise::Major),
        (step(&format!("{READ}, on_failure: continue")), step(READ), Raise::Minor),
        (step(READ), format!("{}- {{exec: [b], {READ}}}\n", step(READ)), Raise::Minor),
        (step(READ), format!("{}- {{exec: [b], {change}}}\n", step(READ)), Raise::Major),
        (format!("{}- {{exec: [b], {change}}}\n", step(change)), step(change), Raise::Major),
        (asks(""), step(READ), Raise::Major),
        (step(READ), asks(""), Raise::Minor),
        (asks(", count: 2, from: [ada, ben]"), asks(", count: 1, from: [ada, ben]"), Raise::Major),
        (asks(", count: 1, from: [ada, ben]"), asks(", count: 2, from: [ada, ben]"), Raise::Minor),
        (asks(", from: [ada]"), asks(""), Raise::Major),
        (asks(""), asks(", from: [ada]"), Raise::Minor),
        (asks(", not_requester: true"), asks(""), Raise::Major),
        (asks(", within: 1h"), asks(", within: 1h, on_timeout: reject"), Raise::Major),
        (with(""), with("inputs: {n: {type: integer, required: true}}\n"), Raise::Major),
        (with(""), with("inputs: {n: {type: integer, default: 4}}\n"), Raise::Minor),
        (with("inputs: {n: {type: integer, default: 4}}\n"), with(""), Raise::Major),
        (
            with("inputs: {n: {type: integer, default: 4}}\n"),
            with("inputs: {n: {type: integer, default: 4, max: 9}}\n"),
            Raise::Major,
        ),
        (
            with("inputs: {n: {type: integer, default: 4, max: 9}}\n"),
            with("inputs: {n: {type: integer, default: 5}}\n"),
            Raise::Minor,
        ),
        (asks(""), asks("").replace("approve: {question: Go?}", "exec: [a], effect: read"), Raise::Major),
        (asks("").replace("approve: {question: Go?}", "exec: [a], effect: read"), asks(""), Raise::Minor),
        (with("lock: a\n"), with(""), Raise::Major),
        (with(""), with("lock: a\n"), Raise::Minor),
        (with("outputs: {n: '1'}\n"), with(""), Raise::Major),
        (with(""), with("secrets: {s: {env: S}}\n"), Raise::Major),
        (with("title: One\n"), with("title: Another\n"), Raise::Patch),
    ] {
        let workspace = "apiVersion: runbook/v1\nkind: Workspace\nname: w\npeople: {ada: {users: [ada]}, ben: {users: [ben]}}\n";
        let [before, after] = [&old, &new].map(|rest| plan(&[&text("1.0.0", rest)], Some(workspace)));
        let comparison = compare(&before, &after);
        assert_eq!(comparison.procedures[0].needs, needs, "{old}\n{new}\n{:?}", told(&comparison));
    }
}

#[test]
fn a_property_is_what_it_says() {
    let keeps = |must: &str, ahead: &str| {
        format!("must: [{must}]\nsteps:\n{ahead}- {{id: go, approve: {{question: Go?}}}}\n- {{id: k, exec: [a], {READ}}}\n")
    };
    let read = format!("- {{id: look, exec: [b], {READ}}}\n");
    let approved = "{always_before: k, comes: {verb: approve}}";
    let failed = "{never: {effect: read}, after: {step: go, ends: failed}}";
    let why = "{never: {effect: destructive}, why: So.}";
    for (old, ahead, new, expect) in [
        (approved.to_owned(), &*read, approved.to_owned(), vec!["added look (minor)"]),
        // In another order.
        (format!("{approved}, {failed}"), "", format!("{failed}, {approved}"), vec![]),
        (
            failed.to_owned(),
            "",
            format!("{approved}, {failed}"),
            vec!["must {always_before: k, comes: {verb: approve}}: – → yes (minor)"],
        ),
        (
            format!("{approved}, {failed}"),
            "",
            approved.to_owned(),
            vec!["must {never: {effect: read}, after: {step: go, ends: failed}}: yes → – (major)"],
        ),
        (why.to_owned(), "", why.replace("So", "Thus"), vec!["must {never: {effect: destructive}}: So. → Thus. (patch)"]),
        // Another property for the same reason.
        (
            why.to_owned(),
            "",
            why.replace("effect: destructive", "run: failed"),
            vec!["must {never: {run: failed}}: – → So. (minor)", "must {never: {effect: destructive}}: So. → – (major)"],
        ),
    ] {
        assert_eq!(told(&compared(&keeps(&old, ""), &keeps(&new, ahead))), expect, "{old}\n{new}");
    }
}

#[test]
fn a_version_is_raised_enough_or_not() {
    let old = plan(&[&text("1.2.3", "steps: [{id: x, exec: [a], effect: read}]\n")], None);
    for (steps, version, least) in [
        ("[{id: x, exec: [a], effect: read}]", "1.2.3", None),
        ("[{id: x, exec: [b], effect: read}]", "1.2.3", Some("1.3.0")),
        ("[{id: x, exec: [b], effect: read}]", "1.2.4", Some("1.3.0")),
        ("[{id: x, exec: [b], effect: read}]", "1.3.0", None),
        ("[{id: x, exec: [b], effect: read}]", "2.0.0", None),
        ("[{id: x, exec: [a], effect: destructive, irreversible: test}]", "1.9.0", Some("2.0.0")),
        ("[{id: x, exec: [a], effect: read, why: So.}]", "1.2.3", Some("1.2.4")),
        ("[{id: x, exec: [a], effect: read}]", "1.0.0", Some("1.2.3")),
    ] {
        let new = plan(&[&text(version, &format!("steps: {steps}\n"))], None);
        let comparison = compare(&old, &new);
        let said = comparison.procedures.first().and_then(|procedure| match procedure.raised {
            Raised::TooLittle(least) => Some(least.to_string()),
            _ => None,
        });
        assert_eq!(said.as_deref(), least, "{steps} {version}");
        assert_eq!(comparison.is_raised_enough(), least.is_none());
    }
}

#[test]
fn what_is_called_and_what_policy_asks_are_compared_too() {
    let main = text("1.0.0", "steps: [{id: c, call: b@^1}]\n");
    let called = |version: &str, command: &str| {
        format!(
            "apiVersion: runbook/v1\nkind: Runbook\nname: b\nversion: {version}\nsteps: [{{id: y, exec: [{command}], effect: change, irreversible: t}}]\n"
        )
    };
    let rules = |rule: &str| {
        format!(
            "apiVersion: runbook/v1\nkind: Workspace\nname: w\npeople: {{ada: {{users: [ada]}}, ben: {{users: [ben]}}}}\n{rule}"
        )
    };
    let gate = "policies: [{name: careful, when: {effect: change}, require: {approve: {from: [ada, ben], count: 2}}}]\n";
    let old = plan(&[&main, &called("1.0.0", "old")], Some(&rules(gate)));
    let new = plan(&[&main, &called("1.1.0", "new")], Some(&rules("")));
    let comparison = compare(&old, &new);
    let names: Vec<&str> = comparison.procedures.iter().map(|procedure| procedure.procedure.as_str()).collect();
    assert_eq!(names, ["a", "b"], "{:?}", told(&comparison));
    let lines = told(&comparison);
    assert!(lines.contains(&"changed c (minor); procedure: b 1.0.0 → b 1.1.0 (minor)".to_owned()), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("gate careful: 2 of ada, ben") && line.contains("→ – (major)")), "{lines:?}");
    assert_eq!(comparison.procedures[1].raised, Raised::TooLittle(Version { major: 2, minor: 0, patch: 0 }));
}

#[test]
fn long_lists_take_no_longer_than_they_must() {
    let steps = |count: usize, word: &str| -> String {
        (0..count).map(|n| format!("- {{exec: [{word}, '{n}'], effect: read}}\n")).collect()
    };
    let comparison = compared(&format!("steps:\n{}", steps(3_000, "a")), &format!("steps:\n{}", steps(3_000, "b")));
    assert_eq!(comparison.procedures[0].steps.len(), 3_000);
    assert!(comparison.procedures[0].steps.iter().all(|step| step.fate == Fate::Changed));
}
