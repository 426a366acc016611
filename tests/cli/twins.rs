//! Two files with one name and version, mostly a copy whose name was forgotten: nobody can say which of them is meant.

use super::{Desk, procedure};

const STEPS: &str = "steps: [{exec: [touch, from-a], idempotent: true}]\n";

/// `a.yaml` and its copy `b.yaml`, what calls either, and a test of either.
fn desk() -> Desk {
    let a = procedure(STEPS).replace("name: try", "name: same");
    let test = "apiVersion: runbook/v1\nkind: Test\nprocedure: same\ncases: [{name: c, steps: {touch-1: {}, exec-1: {}}, expect: {outcome: succeeded}}]\n";
    Desk::new(&[
        ("a.yaml", &a),
        ("b.yaml", &a.replace("from-a", "from-b")),
        ("caller.yaml", &procedure("steps: [{call: same@^1}]\n").replace("name: try", "name: caller")),
        ("other.yaml", &procedure("steps: [{exec: [echo], effect: read}]\n").replace("name: try", "name: other")),
        ("same.test.yaml", test),
    ])
}

#[test]
fn neither_runs_nor_what_calls_them() {
    let desk = desk();
    for line in [
        "exec same --yes",
        "exec a.yaml --yes",
        "exec b.yaml --yes",
        "exec caller --yes",
        "dry-run same",
        "dry-run caller",
        "explore same",
        "explore caller.yaml",
        "docs same",
        "test",
        "check",
        "check same",
        "check a.yaml",
        "check b.yaml",
        "check caller",
        "check caller.yaml",
        "diff same same@1.0.0",
        "diff caller caller.yaml",
    ] {
        let ran = desk.run(line).exits(2);
        let told = format!("{}{}", ran.out, ran.err);
        assert!(told.contains("error[RB0002]: `same` 1.0.0 stands in "), "{line}\n{told}");
        assert!(told.contains("a.yaml") && told.contains("b.yaml"), "{line}\n{told}");
        assert!(!desk.path("from-a").exists() && !desk.path("from-b").exists(), "{line}");
    }
    // Each file says so, in whichever an author looks.
    let told = desk.run("check").exits(2).prints("`same` 1.0.0 stands in b.yaml too").prints("`same` 1.0.0 stands in a.yaml too");
    assert_eq!(told.out.matches("RB0002").count(), 2, "{}", told.out);
    for line in ["exec other --yes", "check other"] {
        desk.run(line).exits(0);
    }
    std::fs::remove_file(desk.path("b.yaml")).unwrap();
    desk.run("exec caller --yes").exits(0);
    assert!(desk.path("from-a").exists());
}

/// A copy is what a file is compared with: named by their files, nobody takes one for the other.
#[test]
fn a_file_is_compared_with_its_copy() {
    let desk = desk();
    desk.run("diff a.yaml b.yaml").exits(0).prints("same: still 1.0.0").prints("from-a\"] → [\"touch\",\"from-b");
    desk.run("diff b.yaml a.yaml").exits(0).prints("from-b\"] → [\"touch\",\"from-a");
    desk.run("diff a.yaml a.yaml").exits(0).prints("nothing means anything else");
}
