//! `runbook diff`: versions, files and revisions of a repository beside one another.

use std::process::Command;

use super::{Desk, procedure};

const STEPS: &str = "steps:
  - id: go
    approve: {question: Go?}
  - id: x
    exec: [echo, one]
    effect: change
    irreversible: it is only a line
";

pub fn git(desk: &Desk, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.current_dir(desk.path("")).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]).args(arguments);
    assert!(git.status().unwrap().success(), "{arguments:?}");
}

/// A repository whose branch `main` has the procedure, and whose working tree has it without its approval.
fn desk() -> Desk {
    let desk = Desk::new(&[("try.yaml", &procedure(STEPS))]);
    git(&desk, &["init", "--quiet", "--initial-branch", "main"]);
    git(&desk, &["add", "--all"]);
    git(&desk, &["commit", "--quiet", "--message", "one"]);
    let ungated = STEPS.replace("  - id: go\n    approve: {question: Go?}\n", "").replace("one", "\"two|`<b>\"");
    std::fs::write(desk.path("try.yaml"), procedure(&ungated)).unwrap();
    desk
}

#[test]
fn a_revision_is_compared_with_what_is_there_now() {
    let desk = desk();
    for line in ["diff main:try.yaml", "diff main:./try.yaml", "diff HEAD:try.yaml try.yaml", "diff main:try.yaml try"] {
        let ran = desk.run(line).exits(0);
        for said in [
            "try: still 1.0.0, a major change: the version must be at least 2.0.0\n",
            "\n  removed  go · approve, effect none  [major: what it held back goes on]\n",
            "\n    command: [\"echo\",\"one\"] → [\"echo\",\"two|`<b>\"]  [minor]",
        ] {
            assert!(ran.out.contains(said), "{line}: {said}\n{}", ran.out);
        }
    }
    desk.run("diff main:try.yaml --strict").exits(1);
    let json: serde_json::Value = serde_json::from_str(&desk.run("diff main:try.yaml --format json").exits(0).out).unwrap();
    let change = &json["procedures"][0];
    assert_eq!((&change["needs"], &change["raised"]["least"]), (&"major".into(), &"2.0.0".into()), "{json}");
    let fates: Vec<_> = change["steps"].as_array().unwrap().iter().map(|s| (s["path"].clone(), s["fate"].clone())).collect();
    assert_eq!(fates, [("x".into(), "changed".into()), ("go".into(), "removed".into())]);
    let markdown = desk.run("diff main:try.yaml --format markdown").exits(0).out;
    assert!(markdown.contains("| `go` (approve, effect none) | removed |") && !markdown.contains("<b>"), "{markdown}");

    let raised = std::fs::read_to_string(desk.path("try.yaml")).unwrap().replace("1.0.0", "2.0.0");
    std::fs::write(desk.path("try.yaml"), raised).unwrap();
    desk.run("diff main:try.yaml --strict").exits(0).prints("try: 1.0.0 → 2.0.0, a major change");
}

#[test]
fn versions_of_a_catalogue_are_compared() {
    let newer = procedure(STEPS).replace("1.0.0", "1.1.0").replace("one", "two");
    let desk = Desk::new(&[("old.yaml", &procedure(STEPS)), ("new.yaml", &newer)]);
    for line in ["diff try@1.0.0 try@1.1.0 --strict", "diff old.yaml try --strict", "diff old.yaml new.yaml --strict"] {
        desk.run(line).exits(0).prints("try: 1.0.0 → 1.1.0, a minor change").prints("[\"echo\",\"one\"] → [\"echo\",\"two\"]");
    }
    desk.run("diff old.yaml old.yaml").exits(0).prints("nothing means anything else");
}

#[test]
fn what_cannot_be_compared_says_why_and_what_to_do() {
    let desk = desk();
    std::fs::write(desk.path("broken.yaml"), procedure("steps: [{efect: read}]\n").replace("name: try", "name: broken")).unwrap();
    for (line, why, next) in [
        ("diff nope:try.yaml", "no revision `nope`", "git log --oneline"),
        ("diff --help-me:try.yaml", "unexpected argument", "runbook diff --help"),
        ("diff main:nope.yaml", "no file `nope.yaml`", "git ls-tree -r --name-only main"),
        ("diff try.yaml", "compared with another one", "runbook diff try.yaml NEW"),
        ("diff try@3.0.0 try", "no version `3.0.0` of `try`", "use one of: try@1.0.0"),
        ("diff nope try", "no procedure and no file `nope`", "use one of"),
        ("diff broken.yaml try.yaml", "broken.yaml is not valid", "runbook check"),
    ] {
        desk.run(line).exits(2).says(why).says(&format!("next: {next}"));
    }
    let alone = Desk::new(&[("try.yaml", &procedure(STEPS))]);
    alone.run("diff main:try.yaml").exits(2).says("stands in no git repository").says("next: go into the repository");
}
