//! What is loosened around steps that themselves stay as they are.

use super::{compared, major};

const HEAD: &str = "inputs: {n: {type: integer, default: 1}}\nsteps:\n";
const BACKUP: &str = "- {id: backup, exec: [backup], idempotent: true}\n";
const MIGRATE: &str = "- {id: migrate, exec: [migrate], undo: {id: back, exec: [back]}}\n";
const LOOK: &str = "- {id: look, exec: [look], effect: read}\n";

fn hold(cases: &[(&[&str], &[&str], &[&str])]) {
    for (old, new, expect) in cases {
        let text = |steps: &[&str]| format!("{HEAD}{}", steps.concat());
        assert_eq!(major(&compared(&text(old), &text(new))), *expect, "{new:?}");
    }
}

#[test]
fn a_whole_that_bears_a_failure_stops_nothing() {
    let around = |keys: &str| format!("- {{id: g, {keys}, group: [{}]}}\n", BACKUP.trim_start_matches("- ").trim_end());
    let undo = |undo: &str| MIGRATE.replace("{id: back, exec: [back]}", undo);
    hold(&[
        (&[BACKUP, MIGRATE], &[&around("on_failure: continue"), MIGRATE], &["g"]),
        (&[BACKUP, MIGRATE], &[&around("on_failure: {next: migrate}"), MIGRATE], &["g"]),
        (&[BACKUP, MIGRATE], &[&around("timeout: 5m"), MIGRATE], &[]),
        (
            &[LOOK, MIGRATE],
            &[
                &around("on_failure: continue")
                    .replace(BACKUP.trim_start_matches("- ").trim_end(), LOOK.trim_start_matches("- ").trim_end()),
                MIGRATE,
            ],
            &[],
        ),
        (&[MIGRATE], &[&undo("{id: g, on_failure: continue, group: [{id: back, exec: [back]}]}")], &["migrate~undo/g"]),
        (&[MIGRATE], &[&undo("{id: back, if: inputs.n > 100, exec: [back]}")], &["migrate~undo/back if"]),
    ]);
}

#[test]
fn a_loop_over_something_else_holds_back_only_sometimes() {
    let each =
        |items: &str, keys: &str, step: &str| format!("- {{id: e, each: {{in: '{items}', as: it{keys}, steps: [{step}]}}}}\n");
    let ask = "{id: go, approve: {question: Go?, within: 1h}}";
    let change = "{id: drain, exec: [drain], idempotent: true}";
    let look = "{id: look, exec: [look], effect: read}";
    hold(&[
        (&[&each("[1]", "", ask), MIGRATE], &[&each("[]", "", ask), MIGRATE], &["e items"]),
        (&[&each("[1]", "", look), MIGRATE], &[&each("[]", "", look), MIGRATE], &[]),
        (&[&each("[1]", "", change)], &[&each("[1]", ", max_parallel: 500", change)], &["e at once"]),
        (&[&each("[1]", ", max_parallel: 500", change)], &[&each("[1]", "", change)], &[]),
        (&[&each("[1]", "", look)], &[&each("[1]", ", max_parallel: 500", look)], &[]),
    ]);
}

#[test]
fn another_condition_tells_otherwise_what_took_place() {
    let verified = |verify: &str| format!("- {{id: m, exec: [m], irreversible: so, verify: {verify}}}\n");
    hold(&[
        (&[&verified("inputs.n == 1")], &[&verified("inputs.n != 1")], &["m verify"]),
        (&[&verified("{id: v, exec: [v], effect: read}")], &[&verified("{id: v, exec: [w], effect: read}")], &[]),
    ]);
}

#[test]
fn changes_come_in_their_order() {
    let parallel = format!("- id: p\n  parallel:\n    a:\n    {BACKUP}    b:\n    {MIGRATE}");
    let calm = format!("- id: p\n  parallel:\n    a:\n    {BACKUP}    b:\n    {LOOK}");
    hold(&[
        (&[BACKUP, MIGRATE], &[MIGRATE, BACKUP], &["migrate"]),
        (&[LOOK, MIGRATE], &[MIGRATE, LOOK], &[]),
        (&[BACKUP, MIGRATE], &[&parallel], &["p.a/backup", "p.b/migrate"]),
        (&[BACKUP, LOOK], &[&calm], &[]),
    ]);
}
