//! What deadlines, waits for a time and conditions that are decided already do to the paths.

use super::{LOOK, found, plan, shows, walked};

/// The rows of a pre-mortem, one line each.
fn falls(rest: &str) -> Vec<String> {
    let walk = walked(&plan(rest));
    assert!(walk.extent.complete, "{rest}");
    walk.pre_mortem().iter().map(|fall| format!("{} {}: {} | {}", fall.path, fall.when(), fall.happens(), fall.leaves())).collect()
}

/// Each step that goes wrong, and in what ways.
fn ways(rest: &str) -> Vec<String> {
    let rows = falls(rest);
    rows.iter().map(|row| row.split(": ").next().unwrap_or_default().to_owned()).filter(|row| !row.starts_with("look ")).collect()
}

/// The time of one branch stops what runs in that branch; what runs beside it goes on to its end.
#[test]
fn a_deadline_stops_what_it_is_of() {
    let rows = falls(&format!(
        "steps:
- parallel:
    a: [{{id: x, exec: [x], idempotent: true}}]
    b: [{{id: g, on_failure: continue, timeout: 5m, group: [{{id: y, exec: [y], idempotent: true}}]}}]
{LOOK}"
    ));
    assert_eq!(
        rows,
        [
            "parallel-1.a/x fails or times out: ends failed | perhaps parallel-1.b/g/y, perhaps a part of parallel-1.a/x",
            "parallel-1.b/g runs out of time: goes on with parallel-1.a/x or look; ends succeeded | parallel-1.a/x",
            "parallel-1.b/g/y fails or times out: goes on with parallel-1.a/x or look; ends succeeded | parallel-1.a/x, perhaps a part of parallel-1.b/g/y",
            "look fails or times out: ends failed | parallel-1.a/x, parallel-1.b/g/y",
        ]
    );
}

/// What tidies up in a call is not stopped by the time of the call, which is over with its body.
#[test]
fn a_deadline_does_not_stop_what_tidies_up() {
    let main =
        "apiVersion: runbook/v1\nkind: Runbook\nname: test\nversion: 1.0.0\nsteps:\n- {id: all, timeout: 5m, call: inner@^1}\n";
    let inner = "apiVersion: runbook/v1\nkind: Runbook\nname: inner\nversion: 1.0.0\nsteps:\n- {id: go, exec: [go], effect: read}\nfinally:\n- {id: tidy, exec: [tidy], effect: read}\n";
    let walk = walked(&super::plan_among(&[("test.yaml", main), ("inner.yaml", inner)]));
    let told =
        walk.pre_mortem().iter().map(|fall| format!("{} {}: {}", fall.path, fall.when(), fall.happens())).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            "all runs out of time: ends failed",
            "all/go fails or times out: ends failed",
            "all/~finally/tidy fails or times out: ends succeeded",
        ]
    );
}

#[test]
fn the_time_of_the_run_and_that_of_its_first_step_are_two() {
    let steps = format!("timeout: 3h\nsteps:\n- {{id: g, timeout: 5m, group: [{{id: y, exec: [y], effect: read}}]}}\n{LOOK}");
    assert_eq!(ways(&steps), ["g runs out of time", "g/y fails or times out", "run runs out of time"]);
}

/// Where nothing more can be stopped by it, the time of the run makes no path worse, and ends no wait.
#[test]
fn the_time_of_the_run_is_nothing_to_what_tidies_up() {
    let steps = format!("timeout: 3h\nsteps:\n{LOOK}finally:\n- {{id: go, approve: {{question: Go?}}}}\n");
    let never = "RB0608: the run can wait for go for ever";
    assert_eq!(found(&walked(&plan(&steps))).iter().filter(|told| told.starts_with(never)).count(), 1);
    let rows = falls(&steps);
    assert!(rows.contains(&"run runs out of time: ends failed | ".to_owned()), "{rows:#?}");
}

/// A wait has enough of its time, or has not, or nobody knows that.
#[test]
fn a_wait_for_a_time_may_have_none_left() {
    let runs_out = &["nap runs out of time"][..];
    for (wait, expect) in [
        ("wait: {for: 5m}", &[][..]),
        ("wait: {for: 5m, within: 1h}", &[]),
        ("wait: {for: inputs.n, within: 1h}", runs_out),
        ("timeout: 1h, wait: {for: inputs.n}", runs_out),
        // When the run started, and how long what stands before takes, is not known.
        ("wait: {until: run.started_at + duration(\"30m\"), within: 1h}", runs_out),
        ("wait: {until: 'time(\"2030-01-02T03:04:05Z\")', within: 1h}", runs_out),
    ] {
        let steps = format!("steps:\n- {{id: nap, {wait}}}\n{LOOK}");
        let main = format!(
            "apiVersion: runbook/v1\nkind: Runbook\nname: test\nversion: 1.0.0\ninputs: {{n: {{type: duration}}}}\n{steps}"
        );
        let walk = walked(&super::plan_of(&main));
        let told: Vec<String> = walk.pre_mortem().iter().map(|fall| format!("{} {}", fall.path, fall.when())).collect();
        let told: Vec<&str> = told.iter().map(String::as_str).filter(|told| !told.starts_with("look ")).collect();
        assert_eq!(told, expect, "{wait}");
    }
    // What surely takes too long is no turn, but the end of the run.
    let steps =
        |for_: &str| format!("must: [{{never: {{run: failed}}}}]\nsteps:\n- {{id: nap, wait: {{for: {for_}, within: 1h}}}}\n");
    shows(&steps("2h"), &["RB0610: on some path the run ends failed, which must never be []"]);
    shows(&steps("1h"), &["RB0610: on some path the run ends failed, which must never be []"]);
    shows(&steps("59m"), &[]);
}

/// The time of a whole may be over while something in it only waits.
#[test]
fn the_time_of_a_whole_may_come_during_a_wait() {
    let steps = |rest: &str| ways(&format!("steps:\n- {{id: g, {rest}group: [{{id: nap, wait: {{for: 5m}}}}]}}\n{LOOK}"));
    assert_eq!(steps("timeout: 1h, "), ["g runs out of time"]);
    assert_eq!(steps(""), Vec::<String>::new());
}

/// Also where the wait has a time of its own, which comes later.
#[test]
fn the_time_of_a_whole_comes_before_that_of_a_wait_in_it() {
    let steps = |whole: &str| {
        let wait = "{id: nap, wait: {for: 1h, within: 10m}, on_failure: continue}";
        ways(&format!("steps:\n- {{id: g, timeout: {whole}, group: [{wait}]}}\n{LOOK}"))
    };
    assert_eq!(steps("5m"), ["g runs out of time", "g/nap runs out of time"]);
    // Nothing else can come: it is no choice.
    assert_eq!(steps("1h"), Vec::<String>::new());
}

/// An item that was stopped because the time is over is no item that is done.
#[test]
fn a_loop_that_runs_out_of_time_fails() {
    let steps = format!(
        "steps:\n- {{id: all, timeout: 5m, each: {{in: '[1]', as: x, max_failures: 3, steps: [{{id: y, exec: [y, '{{{{x}}}}'], idempotent: true}}]}}}}\n{LOOK}"
    );
    let rows = falls(&steps);
    assert_eq!(rows.first().map(String::as_str), Some("all runs out of time: ends failed | "), "{rows:#?}");
}

/// Conditions that are written alike hold alike, whether they decide if a step runs or are what it checks.
#[test]
fn a_check_of_what_is_decided_is_decided() {
    let guarded = |condition: &str| {
        format!("steps:\n- {{id: g, if: {condition}, group: [{{id: sure, check: [{{that: inputs.n > 3}}]}}]}}\n{LOOK}")
    };
    assert_eq!(ways(&guarded("inputs.n > 3")), Vec::<String>::new());
    assert_eq!(ways(&guarded("inputs.n > 4")), ["g/sure does not hold"]);
    // It surely fails where the same was taken not to hold.
    let not = "steps:\n- choose: [{when: inputs.n > 3, steps: [{set: {a: '1'}}]}, {otherwise: [{id: sure, check: [{that: inputs.n > 3}]}, {id: then, exec: [go], effect: read}]}]\n";
    shows(not, &["RB0605: no path comes to then []"]);
    // The other way round: what was checked need not be asked again.
    let checked = |rest: &str| {
        format!(
            "steps:\n- {{id: sure, check: [{{that: inputs.n > 3}}]{rest}}}\n- {{id: go, if: inputs.n > 3, exec: [go], effect: read}}\n- {{id: not, if: '!(inputs.n > 3)', exec: [go], effect: read}}\n"
        )
    };
    let skips = |rest: &str, id: &str| {
        let must = format!("must: [{{never: {{step: {id}, ends: skipped}}}}]\n");
        found(&walked(&plan(&format!("{must}{}", checked(rest))))).iter().filter(|told| told.starts_with("RB0610")).count()
    };
    assert_eq!((skips("", "go"), skips("", "not")), (0, 1));
    assert_eq!(skips(", on_failure: continue", "go"), 1);
    // Of two that are not known, nobody knows which does not hold.
    let two = "must: [{never: {step: go, ends: succeeded}, after: {step: sure, ends: failed}}]\nsteps:\n- {id: sure, on_failure: continue, check: [{that: inputs.n > 3}, {that: inputs.n > 5}]}\n- {id: go, if: inputs.n > 3, exec: [go], effect: read}\n";
    assert_eq!(found(&walked(&plan(two))).len(), 1);
}

/// Whatever is read may be another in the next round.
#[test]
fn a_check_of_another_round_is_decided_anew() {
    let steps = "must: [{never: {step: sure, ends: failed}, after: {step: sure}}]
steps:
- id: more
  repeat:
    until: steps.go.stdout == \"enough\"
    times: 5
    steps:
    - {id: go, exec: [go], effect: read}
    - {id: sure, check: [{that: steps.go.exit_code == 0}]}
";
    let steps = steps.replace("steps.go.exit_code == 0", "steps.go.stdout.len() > 3");
    assert_eq!(found(&walked(&plan(&steps))).len(), 1, "{steps}");
}

/// What surely fails where it runs is nothing to hope for.
#[test]
fn a_step_that_would_fail_is_better_skipped() {
    let steps = format!("steps:\n- {{id: nap, if: inputs.n > 3, wait: {{for: 2h, within: 1h}}}}\n{LOOK}");
    assert_eq!(falls(&steps), ["nap runs out of time: ends failed | ", "look fails or times out: ends failed | "]);
}

/// A condition looks as well as a step does.
#[test]
fn a_verify_that_is_a_condition_looks() {
    let steps = format!("steps:\n- {{id: go, exec: [go], irreversible: it is gone, verify: inputs.n > 3}}\n{LOOK}");
    let rows = falls(&steps);
    assert!(
        rows.contains(&"go ends unknown: looks whether it did its work; goes on with look; ends succeeded | go".to_owned()),
        "{rows:#?}"
    );
}

/// What ends a loop before its condition held has looked at nothing.
#[test]
fn a_finish_in_a_loop_looks_at_nothing() {
    let steps = |inner: &str| {
        format!(
            "steps:\n- {{id: more, repeat: {{until: inputs.n > 3, times: 2, steps: [{{id: go, exec: [go], idempotent: true}}, {inner}]}}}}\n"
        )
    };
    let unverified = |inner: &str| {
        let found = found(&walked(&plan(&steps(inner))));
        found.iter().filter(|told| told.starts_with("RB0604")).count()
    };
    assert_eq!(unverified("{finish: {outcome: succeeded, message: Enough.}, if: inputs.n > 5}"), 1);
    assert_eq!(unverified("{exec: [more], idempotent: true}"), 0);
}

/// The end of a wait in one branch keeps what is ready in the other from beginning; it does not leave it half done.
#[test]
fn a_wait_that_runs_out_beside_a_change_ends_the_run() {
    let rows = falls(
        "steps:
- parallel:
    a: [{id: nap, wait: {until: inputs.n > 3, within: 1h}, on_failure: rollback}]
    b: [{id: y, exec: [y], idempotent: true, undo: {exec: [back], idempotent: true}}, {id: z, exec: [z], effect: read}]
",
    );
    let nap: Vec<&String> = rows.iter().filter(|row| row.starts_with("parallel-1.a/nap ")).collect();
    assert_eq!(nap, ["parallel-1.a/nap runs out of time: takes back perhaps parallel-1.b/y; ends rolled_back | "]);
}

/// What is ready beside a wait begins before the time of that has come.
#[test]
fn a_wait_holds_nothing_up_beside_it() {
    let steps = "steps:
- parallel:
    a: [{id: nap, wait: {for: 5m}}, {finish: {outcome: failed, message: Enough.}}]
    b: [{id: y, exec: [y], undo: {id: back, exec: [back]}}]
";
    let found = found(&walked(&plan(steps)));
    assert!(!found.iter().any(|told| told.starts_with("RB0605")), "{found:#?}");
    let ends = |row: &&String| row.contains("y fails or times out: ends failed");
    assert_eq!(falls(steps).iter().filter(ends).count(), 1, "{:#?}", falls(steps));
}

/// Two calls of one procedure leave two things behind, each of its own.
#[test]
fn two_calls_of_one_procedure_are_told_apart() {
    let main = "apiVersion: runbook/v1\nkind: Runbook\nname: test\nversion: 1.0.0\ninputs: {n: {type: integer}}\nsteps:\n- {id: one, call: inner@^1, with: {n: inputs.n}}\n- {id: two, call: inner@^1, with: {n: inputs.n + 1}}\n- {id: sure, exec: [look], effect: read, on_failure: rollback}\n";
    let inner = "apiVersion: runbook/v1\nkind: Runbook\nname: inner\nversion: 1.0.0\ninputs: {n: {type: integer}}\nsteps:\n- {id: go, if: inputs.n > 3, exec: [go], idempotent: true, undo: {exec: [back], idempotent: true}}\n";
    let walk = walked(&super::plan_among(&[("test.yaml", main), ("inner.yaml", inner)]));
    let rows: Vec<String> =
        walk.pre_mortem().iter().map(|fall| format!("{} {}: {}", fall.path, fall.when(), fall.leaves())).collect();
    let undo: Vec<&String> = rows.iter().filter(|row| row.contains("~undo")).collect();
    // The second is taken back first; where that fails, by hand, and the first after it.
    assert_eq!(undo, ["one/go~undo/exec-1 fails or times out: ", "two/go~undo/exec-1 fails or times out: "], "{rows:#?}");
}

/// Of two rounds, that one is taken back which changed something.
#[test]
fn two_rounds_are_told_apart() {
    let rows = falls(
        "steps:
- id: more
  repeat:
    until: inputs.n > 3
    times: 3
    steps: [{id: go, exec: [go], idempotent: true, on_failure: continue, undo: {exec: [back], idempotent: true}}]
- choose: [{when: inputs.n > 5, steps: [{id: nap, wait: {for: 2h, within: 1h}, on_failure: rollback}]}]
",
    );
    let first = rows.iter().find(|row| row.starts_with("more[1]/go fails")).unwrap();
    assert!(first.contains("takes back perhaps more[2]/go;"), "{first}");
}
