//! `runbook review`: what a change of a catalogue means, in each form in which it is read.

use super::compared::git;
use super::{Desk, procedure};

const STEPS: &str = "steps:
  - id: look
    exec: [echo, old]
    effect: read
  - id: go
    approve: {question: Go?}
  - id: drop
    exec: [dropdb, orders]
    effect: destructive
    irreversible: Nobody keeps a copy.
    verify: {exec: [\"true\"], effect: read}
";

const TEST: &str = "apiVersion: runbook/v1
kind: Test
procedure: try
cases:
  - name: it is dropped
    steps: {look: {stdout: \"old\"}, drop: {}, drop~verify/exec-1: {}}
    answers: {go: {say: approve}}
    expect: {outcome: succeeded}
";

fn desk(files: &[(&str, &str)]) -> Desk {
    let desk = Desk::new(files);
    git(&desk, &["init", "--quiet", "--initial-branch", "main"]);
    git(&desk, &["add", "--all"]);
    git(&desk, &["commit", "--quiet", "--message", "one"]);
    git(&desk, &["checkout", "--quiet", "-b", "change"]);
    desk
}

#[test]
fn a_policy_that_is_new_is_held_against_every_procedure() {
    let workspace = "apiVersion: runbook/v1\nkind: Workspace\nname: it\n";
    let desk = desk(&[("try.yaml", &procedure(STEPS)), ("workspace.yaml", workspace)]);
    let policies = "policies: [{name: never, require: {must: [{never: {effect: destructive}}]}}]\n";
    std::fs::write(desk.path("workspace.yaml"), format!("{workspace}{policies}")).unwrap();
    let ran = desk.run("review --against main").exits(1).says("objection: try breaks what it says of itself");
    ran.prints("workspace.yaml:4:43[RB0610] in `try` a step of effect `destructive` begins on some path");
}

#[test]
fn a_change_is_judged() {
    let desk = desk(&[("try.yaml", &procedure(STEPS)), ("try.test.yaml", TEST)]);
    desk.run("test").exits(0);
    desk.run("review --against main").exits(0).prints("no procedure means anything else").says("0 procedures mean");
    desk.run("review --against main --format markdown").exits(0).prints("nothing speaks against this change");
    // What comes to main meanwhile is no part of the change.
    git(&desk, &["checkout", "--quiet", "main"]);
    std::fs::write(desk.path("later.yaml"), procedure(STEPS).replace("name: try", "name: later")).unwrap();
    git(&desk, &["add", "--all"]);
    git(&desk, &["commit", "--quiet", "--message", "later"]);
    git(&desk, &["checkout", "--quiet", "change"]);

    let raised = procedure(STEPS).replace("[echo, old]", "[echo, new]").replace("1.0.0", "1.1.0");
    std::fs::write(desk.path("try.yaml"), raised).unwrap();
    desk.run("review --against main").exits(0).prints("try: 1.0.0 → 1.1.0, a minor change; tests: 1 pass");

    let ungated = procedure(STEPS).replace("  - id: go\n    approve: {question: Go?}\n", "");
    std::fs::write(desk.path("try.yaml"), ungated).unwrap();
    let ran = desk.run("review --against main").exits(1);
    for said in ["the version of try is not raised", "a test of try fails"] {
        assert!(ran.err.contains(&format!("objection: {said}")), "{said}\n{}", ran.err);
    }
    assert!(ran.out.contains("try: still 1.0.0, a major change: the version must be at least 2.0.0"), "{}", ran.out);
    // A destructive step that nobody approved: `explore` finds it, and did not before.
    assert!(ran.out.contains("try.yaml:") && ran.out.contains("[RB06"), "{}", ran.out);
    assert!(!ran.out.contains("later"), "{}", ran.out);

    let markdown = desk.run("review --against main --format markdown").exits(1).out;
    for said in
        ["## Runbooks: 2 things speak", "| `try`<br>`try.yaml` |", "<details><summary>What it changes", "fails: it is dropped"]
    {
        assert!(markdown.contains(said), "{said}\n{markdown}");
    }
    let github = desk.run("review --against main --format github").exits(1).out;
    assert!(
        github.lines().any(|line| line.starts_with("::warning file=try.yaml,line=") && line.contains("title=RB06")),
        "{github}"
    );
    let sarif: serde_json::Value = serde_json::from_str(&desk.run("review --against main --format sarif").exits(1).out).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "try.yaml", "{sarif}");
    let gitlab: serde_json::Value = serde_json::from_str(&desk.run("review --against main --format gitlab").exits(1).out).unwrap();
    assert_eq!(gitlab[0]["location"]["path"], "try.yaml", "{gitlab}");

    std::fs::write(desk.path("try.yaml"), procedure("steps: [{efect: read}]\n")).unwrap();
    desk.run("review --against main").exits(1).says("objection: try does not pass `check`");
    std::fs::remove_file(desk.path("try.yaml")).unwrap();
    std::fs::remove_file(desk.path("try.test.yaml")).unwrap();
    desk.run("review --against main").exits(0).prints("try: gone");
    desk.run("review --against nope").exits(2).says("no revision `nope`");
}

#[test]
fn what_is_called_is_never_taken_for_its_caller() {
    let named = |name: &str, version: &str, steps: &str| {
        procedure(steps).replace("name: try", &format!("name: {name}")).replace("version: 1.0.0", &format!("version: {version}"))
    };
    let child = |command: &str| named("child", "1.2.0", &format!("steps:\n  - {{id: x, exec: [{command}], effect: read}}\n"));
    let big = named("big", "1.0.0", "steps:\n  - {id: c, call: child@^1}\n");
    let desk = desk(&[("big.yaml", &big), ("child.yaml", &child("a"))]);
    std::fs::write(desk.path("child.yaml"), child("b")).unwrap();
    let low = "still 1.2.0, a minor change: the version must be at least 1.3.0";
    let ran = desk.run("review --against main").exits(1).prints("big: still 1.0.0, but what it calls is another; tests: none\n");
    assert!(ran.out.contains(&format!("child: {low}; tests: none\n")), "{}", ran.out);
    assert_eq!(ran.err.matches("the version of child is not raised").count(), 1, "{}", ran.err);
    assert!(!ran.err.contains("the version of big"), "{}", ran.err);
    let markdown = desk.run("review --against main --format markdown").exits(1).out;
    let (_, of_big) = markdown.split_once("\n### `big`\n").unwrap();
    let (of_big, of_child) = of_big.split_once("\n### `child`\n").unwrap();
    for (section, heading) in [
        (of_big, "### `big`: still 1.0.0, but what it calls is another\n".to_owned()),
        (of_big, format!("### `child`: called: {low}\n")),
        (of_child, format!("### `child`: {low}\n")),
    ] {
        assert!(section.contains(&heading), "{heading}\n{section}");
    }
    desk.run("diff main:big.yaml")
        .exits(0)
        .prints(&format!("big: still 1.0.0, but what it calls is another\nchild: called: {low}\n"));
}

#[test]
fn what_is_so_only_in_production_is_told() {
    let workspace = "apiVersion: runbook/v1\nkind: Workspace\nname: it\npeople: {ann: {users: [ann]}}\n\
        environments: {staging: {default: true}, production: {production: true}, live: {production: true}}\n";
    let rule = "policies: [{name: careful, when: {effect: change, environments: [production, live]}, require: {approve: {from: [ann]}}}]\n";
    let desk = desk(&[("try.yaml", &procedure(STEPS)), ("workspace.yaml", &format!("{workspace}{rule}"))]);
    desk.run("review --against main").exits(0).prints("no procedure means anything else");
    std::fs::write(desk.path("workspace.yaml"), workspace).unwrap();
    let ran = desk.run("review --against main").exits(1).says("the version of try is not raised");
    ran.prints("try: means the same; in production, live: still 1.0.0, a major change: the version must be at least 2.0.0");
    let markdown = desk.run("review --against main --format markdown").exits(1).out;
    assert!(markdown.contains("<summary>What it changes in production, live") && markdown.contains("gate careful"), "{markdown}");
    desk.run("review --against main -e staging").exits(0).prints("no procedure means anything else");
}

#[test]
fn a_comment_has_its_bound_and_says_what_is_hidden() {
    let many = |word: &str| -> String {
        let steps: String =
            (0..400).map(|n| format!("  - id: s{n}\n    exec: [{word}, '{n}', {}]\n    effect: read\n", "x".repeat(60))).collect();
        procedure(&format!("steps:\n{steps}"))
    };
    let names: Vec<String> = (0..8).map(|n| format!("p{n}")).collect();
    let text = |name: &str, word: &str| many(word).replace("name: try", &format!("name: {name}"));
    let files: Vec<(String, String)> = names.iter().map(|name| (format!("{name}.yaml"), text(name, "old"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let desk = desk(&files);
    for name in &names {
        std::fs::write(desk.path(&format!("{name}.yaml")), text(name, "new").replace("1.0.0", "1.1.0")).unwrap();
    }
    let markdown = desk.run("review --against main --format markdown").exits(0).out;
    assert!(markdown.len() <= 60_001, "{}", markdown.len());
    for name in &names {
        assert!(markdown.contains(&format!("| `{name}`<br>")), "{name}");
    }
    assert!(
        markdown.contains("Hidden, because a comment has at most 60 kB: ") && markdown.contains("comparisons"),
        "{}",
        &markdown[markdown.len() - 300..]
    );
    assert_eq!(markdown.matches("<details>").count(), markdown.matches("</details>").count());
}
