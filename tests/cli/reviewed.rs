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
    ran.prints("workspace.yaml:4:43[RB0610] in `try` on some path a step of effect `destructive` begins");
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
    for said in ["the version of try is not raised", "a test of try fails", "try can destroy something that nobody has approved"] {
        assert!(ran.err.contains(&format!("objection: {said}")), "{said}\n{}", ran.err);
    }
    assert!(ran.out.contains("try: still 1.0.0, a major change: the version must be at least 2.0.0"), "{}", ran.out);
    // A destructive step that nobody approved: `explore` finds it, and did not before.
    assert!(ran.out.contains("try.yaml:") && ran.out.contains("[RB06"), "{}", ran.out);
    assert!(!ran.out.contains("later"), "{}", ran.out);
    // What `runbook test` says of the case.
    let why = desk.run("test").exits(2);
    let why =
        why.out.lines().chain(why.err.lines()).find_map(|line| line.split_once("]: ").map(|(_, why)| why.to_owned())).unwrap();
    assert!(ran.out.lines().any(|line| line.starts_with("try.test.yaml:") && line.contains(&why)), "{why}\n{}", ran.out);

    let markdown = desk.run("review --against main --format markdown").exits(1).out;
    for said in [
        "## Runbooks: 3 things speak",
        "| `try`<br>`try.yaml` |",
        "<details><summary>What it changes",
        "fails: `it is dropped` in `try.test.yaml`",
    ] {
        assert!(markdown.contains(said), "{said}\n{markdown}");
    }
    let github = desk.run("review --against main --format github").exits(1).out;
    assert!(
        github.lines().any(|line| line.starts_with("::warning file=try.yaml,line=") && line.contains("title=RB06")),
        "{github}"
    );
    assert!(github.contains(" file=try.test.yaml,line="), "{github}");
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

/// With the tip of its target, what that has done since would be told as undone by the branch.
#[test]
fn a_case_that_cannot_be_played_is_told_with_what_it_would_do() {
    let desk = desk(&[("try.yaml", &procedure(STEPS)), ("try.test.yaml", TEST)]);
    std::fs::write(desk.path("try.yaml"), procedure(STEPS).replace("id: go", "id: ask_first")).unwrap();
    desk.run("review --against main").exits(1).prints("it cannot be played, and `runbook test` refuses it: `try` has no step `go`");
    let why = "It cannot be played, and `runbook test` refuses it: `try` has no step `go`.";
    desk.run("review --against main --format markdown").exits(1).prints(why);
}

#[test]
fn a_file_that_is_called_otherwise_has_nothing_new() {
    let steps = "steps:\n  - {id: drop, exec: [a]}\n  - {id: look, exec: [b], effect: read, on_failure: rollback}\n";
    let unused = "apiVersion: runbook/v1\nkind: Test\nprocedure: try\ncases:\n  - {name: it, steps: {drop: {}, look: {}}, expect: {outcome: succeeded}}\n";
    let broken = "apiVersion: runbook/v1\nkind: Runbook\nname: broken\nversion: 1.0.0\nsteps: []\n";
    let desk = desk(&[("try.yaml", &procedure(steps)), ("try.test.yaml", unused), ("broken.yaml", broken)]);
    let before = desk.run("check");
    assert!(before.out.contains("try.yaml") && before.out.contains("broken.yaml"), "there is something to find: {}", before.out);
    for (from, to) in [("try.yaml", "moved.yaml"), ("try.test.yaml", "moved.test.yaml"), ("broken.yaml", "again.yaml")] {
        git(&desk, &["mv", from, to]);
    }
    desk.run("review --against main").exits(0).prints("no procedure means anything else");
    let sarif = desk.run("review --against main --format sarif").exits(0);
    assert!(!sarif.out.contains("ruleId"), "{}", sarif.out);
    // What the move brings with it is new all the same.
    std::fs::write(desk.path("moved.yaml"), procedure(&format!("inputs: {{more: {{type: string, default: a}}}}\n{steps}")))
        .unwrap();
    let ran = desk.run("review --against main").prints("[RB0217] nothing reads the input `more`");
    assert!(!ran.out.contains("RB0206"), "{}", ran.out);
}

#[test]
fn a_history_that_is_cut_off_is_told() {
    let desk = desk(&[("try.yaml", &procedure(STEPS))]);
    let commit = |text: String| {
        std::fs::write(desk.path("try.yaml"), text).unwrap();
        git(&desk, &["commit", "--quiet", "--all", "--message", "more"]);
    };
    commit(procedure(STEPS).replace("[echo, old]", "[echo, new]").replace("1.0.0", "1.1.0"));
    git(&desk, &["checkout", "--quiet", "main"]);
    commit(procedure(STEPS).replace("Go?", "Now?"));
    let from = format!("file://{}", desk.path("").display());
    git(&desk, &["clone", "--quiet", "--depth", "1", "--no-single-branch", "--branch", "change", &from, "../shallow"]);
    let shallow = "-C ../shallow review --against origin/main --format markdown";
    let ran =
        desk.run(shallow).exits(2).says("is cut off (a shallow clone) before the place where this branch and `origin/main` parted");
    assert!(ran.out.is_empty() && ran.err.contains("next: git fetch --unshallow"), "{}{}", ran.out, ran.err);
    git(&desk, &["-C", "../shallow", "fetch", "--quiet", "--unshallow"]);
    let ran = desk.run(shallow).exits(0).prints("0.0 → 1.1.0, a minor change");
    assert!(!ran.out.contains("Now?"), "{}", ran.out);
}

/// What changes and what it would do now is told at a terminal too, and why a version is too low beside the line that says it.
#[test]
fn a_change_is_told_in_every_form() {
    let desk = desk(&[("try.yaml", &procedure(STEPS)), ("try.test.yaml", TEST)]);
    let looser =
        procedure(STEPS).replace("question: Go?", "question: Go on?, on_timeout: reject").replace("[echo, old]", "[echo, new]");
    std::fs::write(
        desk.path("try.yaml"),
        looser.replace("  - id: go\n", "  - id: more\n    exec: [touch, it]\n    idempotent: true\n  - id: go\n"),
    )
    .unwrap();
    std::fs::write(desk.path("try.test.yaml"), TEST.replace("{look: ", "{more: {}, look: ")).unwrap();
    let ran = desk.run("review --against main").exits(1);
    for lines in [
        "\n  changed  look · exec",
        "\n    command: [\"echo\",\"old\"] → [\"echo\",\"new\"]  [minor]\n",
        "\n  added  more · exec, effect change  [minor]\n",
        "\n    on timeout: fail → reject  [major: silence means something else]\n",
        "\n  dry run, it is dropped:\n    1. look  [read]  would run\n       exec: echo new\n",
    ] {
        assert!(ran.out.contains(lines), "{lines}\n{}", ran.out);
    }
    let least = "still 1.0.0, a major change: the version must be at least 2.0.0";
    let github = desk.run("review --against main --format github").exits(1).out;
    let line = github.lines().find(|line| line.contains("title=version")).unwrap_or_else(|| panic!("{github}"));
    assert!(line.starts_with("::error file=try.yaml,line=4,col=10,") && line.contains(&format!("::try: {least}: ")), "{line}");
    assert!(line.ends_with(": `go` on timeout (silence means something else)"), "{line}");
    let sarif: serde_json::Value = serde_json::from_str(&desk.run("review --against main --format sarif").exits(1).out).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let version = results.iter().find(|result| result["ruleId"] == "version").unwrap_or_else(|| panic!("{sarif}"));
    assert_eq!(version["locations"][0]["physicalLocation"]["region"]["startLine"], 4, "{sarif}");
    let gitlab: serde_json::Value = serde_json::from_str(&desk.run("review --against main --format gitlab").exits(1).out).unwrap();
    assert!(gitlab.as_array().unwrap().iter().any(|issue| issue["check_name"] == "version"), "{gitlab}");

    // Tests that say less stand there too.
    std::fs::write(desk.path("try.yaml"), procedure(STEPS)).unwrap();
    std::fs::write(desk.path("try.test.yaml"), TEST.replace("    expect: {outcome: succeeded}\n", "")).unwrap();
    let github = desk.run("review --against main --format github").exits(1).out;
    assert!(github.contains("title=tests::try: a case expects less than before"), "{github}");
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

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
name: it
people: {ann: {}, ben: {}}
groups: {ops: [ann]}
";

#[test]
fn whoever_joins_a_group_may_decide_from_then_on() {
    let asks = procedure(STEPS).replace("question: Go?", "question: Go?, from: [ops]");
    let desk = desk(&[("try.yaml", &asks), ("workspace.yaml", WORKSPACE)]);
    std::fs::write(desk.path("workspace.yaml"), WORKSPACE.replace("[ann]", "[ann, ben]")).unwrap();
    desk.run("review --against main").exits(1).says("objection: the version of try is not raised");
    desk.run("diff main:try.yaml --strict").exits(1).prints("  people ops: ann → ann, ben  [major: others may decide]");
    std::fs::write(desk.path("workspace.yaml"), WORKSPACE.replace("ann: {}, ", "ann: {users: [ann, eve]}, ")).unwrap();
    desk.run("diff main:try.yaml --strict").exits(1).prints("people ops: ann → ann (user ann, user eve)  [major");
}

#[test]
fn every_environment_is_compared_and_what_all_share_is_told_once() {
    let environments =
        "environments: {staging: {default: true}, test: {}, production: {production: true}, live: {production: true}}\n";
    let rule = |name: &str, places: &str| {
        format!("- {{name: {name}, when: {{effect: change{places}}}, require: {{approve: {{from: [ann]}}}}}}\n")
    };
    let (everywhere, some) = (rule("all", ""), rule("some", ", environments: [test, live]"));
    let workspace = |rules: &str| format!("{WORKSPACE}{environments}policies:\n{rules}{}", rule("other", ", labels: {no: none}"));
    let desk = desk(&[("try.yaml", &procedure(STEPS)), ("workspace.yaml", &workspace(&format!("{everywhere}{some}")))]);
    desk.run("review --against main").exits(0).prints("no procedure means anything else");
    std::fs::write(desk.path("workspace.yaml"), workspace("")).unwrap();
    desk.run("review --against main").exits(1).prints("try: still 1.0.0, a major change: the version must be at least 2.0.0;");
    let gates = |out: &str| -> Vec<String> {
        let lines = out
            .lines()
            .filter(|line| line.trim().starts_with("gate "))
            .map(|line| line.split(':').next().unwrap().trim().to_owned());
        lines.collect()
    };
    let ran = desk.run("diff main:try.yaml").exits(0);
    assert_eq!(gates(&ran.out), ["gate all", "gate some in live, test"], "{}", ran.out);
    assert_eq!(gates(&desk.run("diff main:try.yaml -e test").exits(0).out), ["gate all", "gate some"]);
    assert_eq!(gates(&desk.run("diff main:try.yaml -e staging").exits(0).out), ["gate all"]);
    let markdown = desk.run("review --against main --format markdown").exits(1).out;
    assert_eq!(markdown.matches("gate all").count(), 1, "{markdown}");
    assert!(markdown.contains("| gate some in live, test |"), "{markdown}");
    let json: serde_json::Value = serde_json::from_str(&desk.run("diff main:try.yaml --format json").exits(0).out).unwrap();
    let parts = json["procedures"][0]["steps"][0]["parts"].as_array().unwrap();
    assert_eq!(parts[1]["environments"], serde_json::json!(["live", "test"]), "{json}");
    assert!(parts[0].get("environments").is_none(), "{json}");

    // One that only one version has: what holds there is told, and asks for no version.
    let renamed = workspace(&format!("{everywhere}{}", rule("some", ", environments: [test]"))).replace("live:", "next:");
    std::fs::write(desk.path("workspace.yaml"), renamed).unwrap();
    let ran = desk.run("diff main:try.yaml --strict").exits(0);
    for said in [
        "try: still 1.0.0, a change that asks for no other version\n",
        "  environment next: production; gate all\n",
        "  environment live: production; gate all, gate some → nothing",
    ] {
        assert!(ran.out.contains(said), "{said}\n{}", ran.out);
    }
    desk.run("review --against main").exits(0);
    // When one may be changed is told, and asks for no version; another default does.
    let frozen = "{production: true, freeze: [{from: 2026-12-20, to: 2027-01-03, reason: Year end}]}}\n";
    let changed = environments.replace("{production: true}}\n", frozen);
    std::fs::write(desk.path("workspace.yaml"), workspace(&format!("{everywhere}{some}")).replace(environments, &changed)).unwrap();
    desk.run("diff main:try.yaml --strict").exits(0).prints("  freeze in live: from 2026-12-20T00:00:00Z to 2027-01-0");
    let changed = environments.replace("{default: true}, test: {}", "{}, test: {default: true}");
    std::fs::write(desk.path("workspace.yaml"), workspace(&format!("{everywhere}{some}")).replace(environments, &changed)).unwrap();
    let ran = desk.run("diff main:try.yaml --strict").exits(1);
    ran.prints("  environment: staging → test  [major: whoever names none is in another one]");
    // Where there are none at all, the rules hold wherever a run is.
    std::fs::write(desk.path("workspace.yaml"), workspace(&everywhere).replace(environments, "")).unwrap();
    let ran = desk.run("diff main:try.yaml").exits(0);
    assert_eq!(gates(&ran.out)[0], "gate some in live, test", "{}", ran.out);
}

#[test]
fn what_is_found_in_one_environment_alone_is_told_with_its_name() {
    let environments = "environments: {staging: {default: true}, test: {}}\n";
    let desk = desk(&[("try.yaml", &procedure(STEPS)), ("workspace.yaml", &format!("{WORKSPACE}{environments}"))]);
    // A property that a path does not keep.
    let must = "policies: [{name: never, when: {environments: [test]}, require: {must: [{never: {effect: destructive}}]}}]\n";
    std::fs::write(desk.path("workspace.yaml"), format!("{WORKSPACE}{environments}{must}")).unwrap();
    let ran = desk.run("review --against main").exits(1).says("objection: try breaks what it says of itself (1 new)");
    ran.prints("[RB0610] in `try` on some path a step of effect `destructive` begins, which must never be: so the policy `never` says (in test)");
    // More approvals than a plan can have.
    let names: Vec<String> = (0..150).map(|n| format!("{n:03}-{}", "x".repeat(56))).collect();
    let many: String = (0..1_000).map(|n| format!("- {{id: s{n}, exec: [a], effect: change, irreversible: t}}\n")).collect();
    std::fs::write(desk.path("try.yaml"), procedure(&format!("steps:\n{many}"))).unwrap();
    let from = names.join(", ");
    let who: Vec<String> = names.iter().map(|name| format!("{name}: {{}}")).collect();
    let workspace = WORKSPACE.replace("people: {", &format!("people: {{{}, ", who.join(", ")));
    let rule = format!("policies: [{{name: all, when: {{environments: [test]}}, require: {{approve: {{from: [{from}]}}}}}}]\n");
    std::fs::write(desk.path("workspace.yaml"), format!("{workspace}{environments}{rule}")).unwrap();
    desk.run("check").exits(0);
    desk.run("check -e test").exits(2);
    let ran = desk.run("review --against main").exits(1).says("objection: try does not pass `check` in test");
    ran.prints("bytes of variables, folders and approvals (in test)");
    desk.run("diff main:try.yaml").exits(2).says("try.yaml is not valid in test").says("next: runbook check --env test");
}

#[test]
fn no_more_environments_are_compared_than_there_is_time_for() {
    let environments = |first: usize| {
        let names: Vec<String> = (first..first + 20).map(|n| format!("e{n:02}: {{}}")).collect();
        format!("{WORKSPACE}environments: {{{}, z: {{production: true}}}}\n", names.join(", "))
    };
    let desk = desk(&[("try.yaml", &procedure(STEPS)), ("workspace.yaml", &environments(0))]);
    let said = "Not compared under the rules of e19: name one with --env";
    desk.run("review --against main").exits(0).prints(&format!("no procedure means anything else\n{said}\n"));
    desk.run("review --against main --format markdown").exits(0).prints("rules of e19");
    desk.run("diff main:try.yaml").exits(0).prints(&format!("nothing means anything else\n{said}\n"));
    desk.run("diff main:try.yaml --format markdown").exits(0).prints("rules of e19");
    let json: serde_json::Value = serde_json::from_str(&desk.run("diff main:try.yaml --format json").exits(0).out).unwrap();
    assert_eq!(json["not_compared"], serde_json::json!(["e19"]), "{json}");
}

#[test]
fn every_version_of_a_procedure_is_reviewed() {
    let version = |version: &str, command: &str| procedure(&STEPS.replace("echo, old", command)).replace("1.0.0", version);
    let desk = desk(&[("one.yaml", &version("1.0.0", "one")), ("two.yaml", &version("2.0.0", "two"))]);
    desk.run("review --against main").exits(0).prints("no procedure means anything else");
    // The older of two is changed, and says the same version.
    std::fs::write(desk.path("one.yaml"), version("1.0.0", "other")).unwrap();
    let ran = desk.run("review --against main").exits(1).says("objection: the version of try@1.0.0 is not raised");
    assert!(ran.out.contains("try@1.0.0: still 1.0.0, a minor change") && !ran.out.contains("try@2.0.0"), "{}", ran.out);
    desk.run("review --against main --format markdown").exits(1).prints("| `try@1.0.0`<br>`one.yaml` |");
    // Each is compared with the one that it came of.
    std::fs::write(desk.path("one.yaml"), version("1.1.0", "other")).unwrap();
    std::fs::write(desk.path("three.yaml"), version("3.0.0", "three")).unwrap();
    let ran = desk.run("review --against main").exits(0);
    for said in ["try@1.1.0: 1.0.0 → 1.1.0, a minor change", "try@3.0.0: 2.0.0 → 3.0.0, a minor change"] {
        assert!(ran.out.contains(said) && !ran.out.contains("try@2.0.0"), "{said}\n{}", ran.out);
    }
    // One that is gone.
    std::fs::remove_file(desk.path("one.yaml")).unwrap();
    desk.run("review --against main").prints("try@1.0.0: gone");
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

/// A catalogue below the top of the repository, with an environment in which changes are gated.
const RULES: &str = "apiVersion: runbook/v1
kind: Workspace
name: it
people: {ann: {}, ben: {}}
groups: {ops: [ann]}
environments: {staging: {default: true}, production: {production: true}}
policies:
- {name: asked, when: {effect: change, environments: [production]}, require: {approve: {from: [ops], within: 30m}}}
";
const CHANGES: &str = "steps:\n- {id: a, exec: [one], idempotent: true}\n- {id: v, exec: [look], effect: read}\n";
const CASES: &str = "apiVersion: runbook/v1
kind: Test
procedure: try
cases:
- {name: live, environment: production, steps: {a: {}, v: {}}, answers: {a: approve}, expect: {outcome: succeeded, steps: [a, v], asked: {a: {from: [ops]}}}}
- {name: plain, steps: {a: {}, v: {}}, expect: {outcome: succeeded}}
";

#[test]
fn a_case_is_shown_under_the_rules_of_its_own_environment() {
    let desk = Desk::new(&[]);
    std::fs::create_dir(desk.path("ops")).unwrap();
    for (name, text) in [("try.yaml", &*procedure(CHANGES)), ("try.test.yaml", CASES), ("workspace.yaml", RULES)] {
        std::fs::write(desk.path("ops").join(name), text).unwrap();
    }
    git(&desk, &["init", "--quiet", "--initial-branch", "main"]);
    git(&desk, &["add", "--all"]);
    git(&desk, &["commit", "--quiet", "--message", "one"]);
    std::fs::write(desk.path("ops/try.yaml"), procedure(CHANGES).replace("[one]", "[two]").replace("1.0.0", "1.1.0")).unwrap();
    let markdown = desk.run("-C ops review --against main --format markdown").exits(0).out;
    let (_, live) = markdown.split_once("<details><summary>Dry run: live</summary>").unwrap();
    let (live, plain) = live.split_once("<details><summary>Dry run: plain</summary>").unwrap();
    assert!(live.contains("## Dry run: try 1.1.0 in production") && live.contains("asked"), "{live}");
    assert!(live.contains("ops"), "{live}");
    assert!(plain.contains("## Dry run: try 1.1.0 in staging") && !plain.contains("asks"), "{plain}");
    // Files are named as in the repository.
    assert!(markdown.contains("| `try`<br>`ops/try.yaml` |"), "{markdown}");
}

#[test]
fn tests_that_come_to_less_are_told() {
    let desk = desk(&[("try.yaml", &procedure(CHANGES)), ("try.test.yaml", CASES), ("workspace.yaml", RULES)]);
    let test = |change: &dyn Fn(&str) -> String| std::fs::write(desk.path("try.test.yaml"), change(CASES)).unwrap();
    let both = |said: &str, exit: i32| {
        let ran = desk.run("review --against main").exits(exit).says(said);
        let markdown = desk.run("review --against main --format markdown").exits(exit).out;
        assert!(markdown.contains(said.split_once(": ").unwrap().1), "{said}\n{markdown}");
        ran
    };
    // What is asked for in addition, or under another name, speaks against nothing.
    test(&|cases| {
        cases.replace("expect: {outcome: succeeded}}", "expect: {outcome: succeeded, undone: []}}").replace("plain", "quiet")
    });
    desk.run("review --against main").exits(0).prints("no procedure means anything else");
    test(&|cases| cases.replace(", asked: {a: {from: [ops]}}", ""));
    both("objection: try: a case expects less than before", 1)
        .prints("expected no more: `live` in `try.test.yaml`: asked, who is asked at a");
    test(&|cases| cases.replace("steps: [a, v], ", "steps: [a, v], message: run, "));
    desk.run("review --against main").exits(1).says("objection: a test of try fails");
    test(&|cases| cases.replace("- {name: plain, steps: {a: {}, v: {}}, expect: {outcome: succeeded}}\n", ""));
    both("objection: try: a case is gone", 1).prints("gone: `plain` in `try.test.yaml`");
    // Another value that holds as well.
    let within =
        |time: &str| CASES.replace("expect: {outcome: succeeded}}", &format!("expect: {{outcome: succeeded, within: {time}}}}}"));
    std::fs::write(desk.path("try.test.yaml"), within("1h")).unwrap();
    git(&desk, &["commit", "--quiet", "--all", "--message", "time"]);
    git(&desk, &["branch", "--force", "main"]);
    test(&|_| within("2h"));
    let ran = both("to be looked at: a case of try expects something else than before", 0);
    ran.prints("try: means the same").prints("expected otherwise: `plain` in `try.test.yaml`: within");
    std::fs::remove_file(desk.path("try.test.yaml")).unwrap();
    both("objection: try: 2 cases are gone", 1);
    // What no case comes to any more, although none is gone.
    let condition = CHANGES.replace("effect: read}", "effect: read, if: inputs.n > 3}");
    let with_input = procedure(&format!("inputs: {{n: {{type: integer, default: 4}}}}\n{condition}"));
    let (skips, runs) = ("{name: plain, inputs: {n: 1}, ", "{name: plain, inputs: {n: 5}, ");
    std::fs::write(desk.path("try.yaml"), &with_input).unwrap();
    test(&|cases| cases.replace("{name: plain, ", skips));
    git(&desk, &["add", "--all"]);
    git(&desk, &["commit", "--quiet", "--message", "input"]);
    git(&desk, &["branch", "--force", "main"]);
    test(&|cases| cases.replace("{name: plain, ", runs));
    let ran = both("objection: try: a step or branch is covered no more", 1);
    ran.prints("no case skips `v`; before, one did");
}

#[test]
fn a_new_procedure_is_shown_with_what_it_would_do() {
    let desk = desk(&[("try.yaml", &procedure(CHANGES))]);
    let wipes = "inputs: {disk: {type: string}}\nsteps:\n- {id: wipe, exec: [wipe, '{{inputs.disk}}'], effect: destructive, irreversible: it is old}\n- {id: v, exec: [look], effect: read}\n";
    std::fs::write(desk.path("new.yaml"), procedure(wipes).replace("name: try", "name: new")).unwrap();
    let ran = desk.run("review --against main").exits(1).says("objection: new can destroy something that nobody has approved");
    ran.prints("new: new; tests: none").prints("1. wipe  [destructive]").prints("wipe '‹inputs.disk›'");
    let markdown = desk.run("review --against main --format markdown").exits(1).out;
    for said in [
        "Dry run: with any inputs",
        "wipe '‹inputs.disk›'",
        "<details><summary>path</summary>`wipe` succeeds</details>",
        "| 1 | wipe | destructive |",
    ] {
        assert!(markdown.contains(said), "{said}\n{markdown}");
    }
}

#[test]
fn no_more_is_given_to_github_than_it_shows() {
    let desk = desk(&[("try.yaml", &procedure(CHANGES))]);
    let wipe = |n: usize| format!("- {{id: w{n}, exec: [wipe, '{n}'], effect: destructive, irreversible: it is old}}\n");
    let wipes: String = (0..14).map(wipe).collect();
    std::fs::write(desk.path("try.yaml"), procedure(&format!("steps:\n{wipes}")).replace("1.0.0", "2.0.0")).unwrap();
    let ran = desk.run("review --against main --format github").exits(1);
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("::warning ")).count(), 10, "{}", ran.out);
    ran.says("because GitHub shows 10 of a kind; `runbook review` shows all as text, Markdown or SARIF");
}

#[test]
fn a_file_that_cannot_be_read_is_told_once() {
    let desk = desk(&[("try.yaml", &procedure(CHANGES)), ("try.test.yaml", CASES), ("workspace.yaml", RULES)]);
    std::fs::write(desk.path("try.yaml"), procedure(CHANGES) + "finally: [\n").unwrap();
    let ran = desk.run("review --against main").exits(1);
    assert_eq!(ran.out.matches("[RB0001]").count(), 1, "{}", ran.out);
    std::fs::write(desk.path("try.yaml"), procedure(CHANGES)).unwrap();
    std::fs::write(desk.path("try.test.yaml"), CASES.to_owned() + "defaults: [\n").unwrap();
    let ran = desk.run("review --against main").exits(1);
    assert_eq!(ran.out.matches("[RB0001]").count(), 1, "{}", ran.out);
}

#[test]
fn of_many_objections_a_comment_names_some() {
    let text = |n: usize, word: &str| {
        procedure(&format!("steps:\n  - id: a\n    exec: [{word}]\n    effect: read\n"))
            .replace("name: try", &format!("name: restart-of-the-frontend-node-of-the-payments-service-{n}"))
    };
    let files: Vec<(String, String)> = (0..400).map(|n| (format!("p{n}.yaml"), text(n, "old"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let desk = desk(&files);
    for n in 0..400 {
        std::fs::write(desk.path(&format!("p{n}.yaml")), text(n, "new")).unwrap();
    }
    let markdown = desk.run("review --against main --format markdown").exits(1).out;
    assert!(markdown.len() <= 60_001, "{}", markdown.len());
    assert!(markdown.starts_with("## Runbooks: 400 things speak against this change\n"), "{}", &markdown[..200]);
    let named = markdown.matches("\n- the version of restart").count();
    assert!(markdown.contains(&format!("\n- and {} more; `runbook review` names each\n", 400 - named)), "{named}");
}
