//! What a dry run does not claim, because a failure or an end elsewhere could make it otherwise.

use super::{LOOK, predicted, said_of_a, told};

#[test]
fn what_stands_beside_an_end_is_not_known() {
    let end = "finish: {outcome: succeeded}";
    for (beside, expect) in [(end, "cannot know: `end` may end the run before it"), ("exec: [x], effect: read", "would run")] {
        let steps = format!(
            "- parallel:\n    one:\n    - {{id: x, exec: [x], effect: read}}\n    - {{id: end, {beside}}}\n    two:\n    - {{id: y, exec: [y], effect: read}}\n    - {{id: a, exec: [x], effect: read}}\n"
        );
        let told = told(&predicted(&steps, false));
        let said = |path: &str| told.lines().find_map(|line| line.strip_prefix(&format!("parallel-1.{path}: ")).map(str::to_owned));
        assert_eq!(said("two/a").as_deref(), Some(expect), "{told}");
        assert_eq!(said("two/y").as_deref(), Some("would run"), "{told}");
    }
}

#[test]
fn items_and_branches_behind_an_end_are_told() {
    let each = "- id: e\n  each:\n    in: '[1, 2, 3]'\n    as: one\n    steps:\n    - {id: bad, check: [{that: one > 1}]}\n    - {id: b, exec: [x], effect: read}\n";
    let one_by_one = told(&predicted(each, false));
    for line in ["e[0]/b: would skip: `bad` fails", "e[1]/bad: would skip: `bad` fails", "e[2]/b: would skip: `bad` fails"] {
        assert!(one_by_one.contains(line), "{line}:\n{one_by_one}");
    }
    let bears = told(&predicted(
        &each
            .replace("as: one", "as: one\n    max_failures: 1")
            .replace("bad, check: [{that: one > 1}]", "bad, if: inputs.n > 0, finish: {outcome: failed}"),
        false,
    ));
    assert!(bears.contains("e[1]/bad: cannot know: only a failure in `e` leads here: `bad` ends the run"), "{bears}");
    let branches = "- id: p\n  max_parallel: 1\n  parallel:\n    one:\n    - {id: bad, check: [{that: 1 > 2}]}\n    two:\n    - {id: b, exec: [x], effect: read}\n";
    let branches = told(&predicted(branches, false));
    assert!(branches.contains("p.two/b: would skip: `bad` fails"), "{branches}");
}

/// What comes up only after a failure is told whole where that is sure.
#[test]
fn what_a_sure_failure_leads_to_is_told_with_all_its_steps() {
    let beside = "- {id: a, if: inputs.n == 4, exec: [x], effect: read, next: c}\n- {id: b, exec: [x], effect: read}\n- {id: c, choose: [{when: inputs.n > 4, steps: [{id: d, exec: [x], effect: read}]}]}\n- {id: e, if: inputs.n > 4, group: [{id: f, exec: [x], effect: read}]}\n";
    let fails = "- {id: bad, check: [{that: inputs.n > 4}]}\n";
    let lines = |prefix: &str| {
        [
            "a: would run",
            "b: cannot know: only a failure of `a` leads here: `a` goes on with `c`",
            "c: would run",
            "c/d: would skip: `inputs.n > 4` does not hold",
            "e: would skip: `inputs.n > 4` does not hold",
            "e/f: would skip: `e` is skipped",
        ]
        .map(|line| format!("{prefix}/{line}"))
        .to_vec()
    };
    let own = told(&predicted(&format!("{fails}on_failure:\n{beside}"), false));
    assert_eq!(own.lines().skip(1).collect::<Vec<_>>(), lines("~on_failure"));
    // Without a failure there is nothing to tell, where the call is skipped as where it is not.
    let well = told(&predicted(&format!("{}on_failure:\n{beside}", fails.replace("> 4", "== 4")), false));
    assert_eq!(well, "bad: would run\n");
    // What tidies up goes on after a failure too.
    let last = told(&predicted(&format!("- {{id: x, exec: [x], effect: read}}\nfinally:\n{beside}"), false));
    assert_eq!(last.lines().skip(1).collect::<Vec<_>>(), lines("~finally"));
    // And what takes back.
    let undo = "- id: m\n  exec: [x]\n  undo:\n  - {id: u, if: inputs.n > 4, group: [{id: v, exec: [x], idempotent: true}]}\n";
    let undo = told(&predicted(&format!("{undo}{}", fails.replace("]}\n", "], on_failure: rollback}\n")), false));
    assert!(
        undo.contains("m~undo/u: would skip: `inputs.n > 4` does not hold\nm~undo/u/v: would skip: `u` is skipped\n"),
        "{undo}"
    );
}

#[test]
fn the_last_change_is_taken_back_first() {
    let change = |id: &str| format!("{{id: {id}, exec: [x], undo: {{exec: [back, {id}]}}}}");
    let steps = format!(
        "- {}\n- {{id: g, group: [{}, {}]}}\n- {{id: e, each: {{in: '[1, 2]', steps: [{}]}}}}\n- {{id: r, repeat: {{until: inputs.n > 5, times: 2, steps: [{}]}}, on_failure: rollback}}\n",
        change("a"),
        change("b"),
        change("c"),
        change("d"),
        change("f"),
    );
    let dry = predicted(&steps, false);
    let undone: Vec<&str> = dry.steps.iter().filter_map(|step| step.path.as_str().strip_suffix("~undo/exec-1")).collect();
    assert_eq!(undone, ["r[2]/f", "r[1]/f", "e[1]/d", "e[0]/d", "g/c", "g/b", "a"]);
}

#[test]
fn what_a_failure_would_change_is_not_known_where_a_run_goes_on_after_it() {
    for (steps, expect) in [
        (
            "- {id: b, exec: [x], effect: read, on_failure: continue}\n- {id: a, if: steps.b.exit_code == 0, exec: [x], effect: read}\n",
            "cannot know: `steps.b.exit_code == 0` depends on steps.b.exit_code",
        ),
        ("- {id: b, exec: [x], effect: read}\n- {id: a, if: steps.b.exit_code == 0, exec: [x], effect: read}\n", "would run"),
        (
            "- {id: g, on_failure: continue, group: [{id: b, exec: [x], effect: read}]}\n- {id: a, if: '\"b\" in steps', exec: [x], effect: read}\n",
            "cannot know: `\"b\" in steps` depends on steps.b",
        ),
        (
            "- {id: b, exec: [x], irreversible: so}\n- {id: a, if: '\"b\" in steps', exec: [x], effect: read}\n",
            "cannot know: `\"b\" in steps` depends on steps.b",
        ),
        (
            "- {id: go, approve: {question: 'Go?', within: 1h}, on_failure: continue}\n- {id: a, if: steps.go.granted, exec: [x], effect: read}\n",
            "cannot know: `steps.go.granted` depends on steps.go.granted",
        ),
        (
            "- {id: e, each: {in: '[1, 2]', max_failures: 1, steps: [{id: q, exec: [q], effect: read}]}}\n- {id: a, if: steps.e.len() > 1, exec: [x], effect: read}\n",
            "cannot know: `steps.e.len() > 1` depends on steps.e",
        ),
        ("- {id: a, exec: [x, '{{run.requested_by}}'], effect: read}\n", "cannot know: it depends on run.requested_by"),
        // Where a failure leads past a step, or to one that a success jumps over.
        (
            "- {id: b, exec: [x], effect: read, on_failure: {next: a}}\n- {id: c, exec: [x], effect: read}\n- {id: a, if: '!(\"c\" in steps)', exec: [x], effect: read}\n",
            "cannot know: `!(\"c\" in steps)` depends on steps.c",
        ),
        (
            "- {id: b, exec: [x], effect: read, on_failure: {next: d}}\n- {id: c, exec: [x], effect: read, next: a}\n- {id: d, exec: [x], effect: read}\n- {id: a, if: '\"d\" in steps', exec: [x], effect: read}\n",
            "cannot know: `\"d\" in steps` depends on steps.d",
        ),
        (
            "- {id: b, exec: [x], effect: read, on_failure: continue, next: a}\n- {id: d, set: {n: 1}}\n- {id: a, exec: [x, '{{steps.d.n}}'], effect: read}\n",
            "cannot know: it depends on steps.d",
        ),
        (
            "- {id: b, exec: [x], effect: read, on_failure: {next: c}}\n- {id: c, exec: [x], effect: read}\n- {id: a, if: '\"b\" in steps', exec: [x], effect: read}\n",
            "cannot know: `\"b\" in steps` depends on steps.b",
        ),
        // What it leads to may jump on.
        (
            "- {id: b, exec: [x], effect: read, on_failure: continue, next: d}\n- {id: c, exec: [x], effect: read, next: a}\n- {id: d, exec: [x], effect: read}\n- {id: a, if: '\"d\" in steps', exec: [x], effect: read}\n",
            "cannot know: `\"d\" in steps` depends on steps.d",
        ),
        (
            "- {id: c, exec: [x], effect: read}\n- {id: b, exec: [x], effect: read, on_failure: {next: a}}\n- {id: a, if: '\"c\" in steps', exec: [x], effect: read}\n",
            "would run",
        ),
    ] {
        assert_eq!(said_of_a(steps), expect, "{steps}");
    }
    for (when, expect) in [
        ("run.outcome == \"succeeded\"", "cannot know: `run.outcome == \"succeeded\"` depends on run.outcome"),
        ("'\"look\" in steps'", "cannot know: `\"look\" in steps` depends on steps.look"),
        ("steps.look.exit_code == 0", "cannot know: `steps.look.exit_code == 0` depends on steps.look.exit_code"),
        ("inputs.n == 4", "would run"),
    ] {
        let dry = predicted(&format!("{LOOK}finally:\n- {{id: a, if: {when}, exec: [x], effect: read}}\n"), false);
        let told = told(&dry);
        assert_eq!(told.lines().find_map(|line| line.strip_prefix("~finally/a: ")), Some(expect), "{told}");
    }
}
