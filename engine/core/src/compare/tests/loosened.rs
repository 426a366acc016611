//! What is loosened around steps that themselves stay as they are.

use super::{compare, compared, major, plan, text};

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
    let (backup, migrate) = (BACKUP.trim_end(), MIGRATE.trim_end());
    let fork = |of: &str, a: &str, b: &str| {
        format!("- id: p\n{of}  parallel:\n    a:\n    {a}\n    b:\n    {b}\n    - {{id: other, exec: [o], effect: read}}\n")
    };
    let around = |id: &str, step: &str| format!("- {{id: {id}, group: [{}]}}\n", step.trim_start_matches("- "));
    let look = "- {id: first, exec: [f], effect: read}";
    hold(&[
        // Out of the list that both stood in.
        (&[BACKUP, MIGRATE], &[&around("g", migrate), BACKUP], &["g/migrate"]),
        (&[BACKUP, MIGRATE], &[BACKUP, &around("g", migrate)], &[]),
        (&[BACKUP, &around("g", migrate)], &[&around("g", migrate), BACKUP], &["g"]),
        (&[LOOK, &around("g", migrate)], &[&around("g", migrate), LOOK], &[]),
        // Into a whole that was there.
        (&[&fork("", look, backup), MIGRATE], &[&fork("", migrate, backup)], &["p.a/migrate"]),
        (&[&fork("", migrate, backup)], &[&fork("", look, backup), MIGRATE], &[]),
        (&[&fork("", migrate, backup)], &[&fork("", backup, migrate)], &[]),
        (&[&fork("", look, backup), MIGRATE], &[&fork("  max_parallel: 1\n", look, backup), MIGRATE], &[]),
    ]);
    hold(&[
        (&[BACKUP, MIGRATE], &[MIGRATE, BACKUP], &["migrate"]),
        (&[LOOK, MIGRATE], &[MIGRATE, LOOK], &[]),
        (&[BACKUP, MIGRATE], &[&parallel], &["p.a/backup", "p.b/migrate"]),
        (&[BACKUP, LOOK], &[&calm], &[]),
    ]);
}

/// Nobody touches the condition, and it is another one all the same.
#[test]
fn what_a_condition_rests_on_is_part_of_it() {
    let inputs = |spec: &str| format!("inputs: {{n: {{type: integer, default: 1}}, sure: {{type: boolean{spec}}}}}\nsteps:\n");
    let (off, on, optional) = (inputs(", default: false"), inputs(", default: true"), inputs(", required: false"));
    let ask = "- {id: go, if: inputs.sure, approve: {question: Go?, within: 1h}}\n";
    let through = "- {id: p, set: {ask: inputs.sure, word: '\"x\"'}}\n";
    let value = |value: &str| format!("- {{id: p, set: {{ask: {value}, word: '\"x\"'}}}}\n");
    let asked = "- {id: go, if: steps.p.ask, approve: {question: Go?, within: 1h}}\n";
    let gives = |value: &str| format!("- {{id: p, exec: [p], effect: read, outputs: {{ask: {value}}}}}\n");
    let change = |when: &str| format!("- {{id: m, if: {when}, exec: [m], undo: {{exec: [b]}}}}\n");
    for (old, new, steps, expect) in [
        (&on, &off, vec![ask, MIGRATE], vec!["input sure"]),
        (&off, &on, vec![ask, MIGRATE], vec!["input sure"]),
        (&on, &optional, vec!["- {id: go, if: inputs.sure == true, approve: {question: Go?, within: 1h}}\n"], vec!["input sure"]),
        // Around it, and through what is set of it.
        (&on, &off, vec!["- {id: g, if: inputs.sure, group: [{id: go, manual: Do it.}]}\n"], vec!["input sure"]),
        (&on, &off, vec!["- {id: g, choose: [{when: inputs.sure, steps: [{id: go, manual: Do it.}]}]}\n"], vec!["input sure"]),
        (&on, &off, vec![through, asked], vec!["input sure"]),
        (
            &on,
            &off,
            vec!["- {id: p, if: inputs.sure, set: {a: '1'}}\n", "- {id: go, if: '\"p\" in steps', manual: Do.}\n"],
            vec!["input sure"],
        ),
        (&on, &off, vec!["- {id: go, check: [{that: inputs.sure}]}\n"], vec!["input sure"]),
        (&on, &off, vec![&change("inputs.sure")], vec!["input sure"]),
        // It holds nothing back, and changes nothing.
        (&on, &off, vec!["- {id: l, if: inputs.sure, exec: [l], effect: read}\n", MIGRATE], vec![]),
        (&on, &off, vec!["- {id: l, exec: [l, '{{inputs.sure}}'], irreversible: so}\n"], vec![]),
        (&inputs(""), &off, vec![ask], vec![]),
    ] {
        let text = |head: &str| format!("{head}{}", steps.concat());
        assert_eq!(major(&compared(&text(old), &text(new))), expect, "{steps:?}");
    }
    hold(&[
        (&[&value("inputs.n > 0"), asked], &[&value("false"), asked], &["p value ask"]),
        (&[&value("true"), LOOK], &[&value("false"), LOOK], &[]),
        (&[&gives("result.exit_code == 0"), asked], &[&gives("true"), asked], &["p output ask"]),
        (&[&gives("result.exit_code == 0"), LOOK], &[&gives("true"), LOOK], &[]),
    ]);
}

#[test]
fn what_decides_in_a_called_procedure_decides_where_it_is_given() {
    let called = "apiVersion: runbook/v1\nkind: Runbook\nname: b\nversion: 1.0.0\ninputs: {sure: {type: boolean, default: true}, word: {type: string, default: x}}\nsteps:\n- {id: go, if: inputs.sure, approve: {question: 'Go, {{inputs.word}}?', within: 1h}}\n- {id: x, set: {ok: inputs.sure}}\noutputs: {ok: steps.x.ok, word: inputs.word}\n";
    let main = |with: &str, rest: &str| {
        text("1.0.0", &format!("inputs: {{n: {{type: integer, default: 1}}}}\nsteps:\n- {{id: c, call: b@^1{with}}}\n{rest}"))
    };
    let compared = |old: &str, new: &str, rest: &str| {
        let plan = |with: &str| plan(&[&main(with, rest), called], None);
        major(&compare(&plan(old), &plan(new)))
    };
    let checked = "- {id: k, check: [{that: steps.c.word == \"x\"}]}\n";
    for (old, new, rest, expect) in [
        (", with: {sure: 'true'}", ", with: {sure: 'false'}", "", vec!["c with sure"]),
        ("", ", with: {sure: 'false'}", "", vec!["c with sure"]),
        (", with: {word: '\"x\"'}", ", with: {word: '\"y\"'}", "", vec![]),
        (", with: {sure: inputs.n > 1}", ", with: {sure: inputs.n > 2}", checked, vec!["c with sure"]),
    ] {
        assert_eq!(compared(old, new, rest), expect, "{old} {new} {rest}");
    }
    // The default of an input of the caller, through both.
    let given = |default: &str| {
        let head = format!("inputs: {{n: {{type: integer, default: {default}}}, w: {{type: string, default: w{default}}}}}\n");
        let steps = format!("steps:\n- {{id: c, call: b@^1, with: {{sure: inputs.n > 1, word: inputs.w}}}}\n{checked}");
        plan(&[&text("1.0.0", &format!("{head}{steps}")), called], None)
    };
    assert_eq!(major(&compare(&given("1"), &given("2"))), ["input n", "input w"]);
}
