//! Undo, cancel, unknown ends.

use runbook_core::run::decision::{Choice, Purpose};
use runbook_core::run::event::{AttemptEnd, Failure, OutcomeKind, OutcomeKind::*, Part, StepOutcome};
use runbook_core::{Fact, Map, Value};

use crate::rig::{Rig, failed, ok, person, plan, plan_among, play, procedure, unknown};

const THREE: &str = "steps:
- {id: a, exec: [a], undo: {exec: [un-a]}}
- {id: b, exec: [b], undo: [{exec: [un-b]}, {exec: [un-b-too]}]}
- {id: c, exec: [c], on_failure: rollback, undo: {exec: [un-c]}}
finally:
- {exec: [last], effect: read}
";

#[test]
fn rollback_undoes_in_reverse_order() {
    assert_eq!(
        play(THREE, &["c"]),
        (
            ["a", "b", "c", "b~undo/exec-1", "b~undo/exec-2", "a~undo/exec-1", "~finally/exec-1"].map(String::from).to_vec(),
            RolledBack
        )
    );
}

#[test]
fn an_undo_that_fails_asks_a_person() {
    for (choice, then, outcome) in [
        (Choice::Again, "b~undo[2]/exec-1 b~undo[2]/exec-2 a~undo/exec-1 ~finally/exec-1", RolledBack),
        (Choice::Done, "a~undo/exec-1 ~finally/exec-1", RolledBack),
        (Choice::Leave, "~finally/exec-1", NeedsAttention),
    ] {
        let mut rig = Rig::new(plan(&procedure(THREE)));
        rig.go(|_, path, _| if path == "c" || path == "b~undo/exec-1" { failed() } else { ok() });
        assert_eq!(rig.attempts.join(" "), "a b c b~undo/exec-1");
        rig.attempts.clear();
        rig.vote("operator", choice);
        rig.go(|_, _, _| ok());
        assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), (then, outcome), "{choice:?}");
    }
}

#[test]
fn cancel_with_and_without_undo() {
    for (undo, then) in [(true, "a~undo/exec-1 ~finally/exec-1"), (false, "~finally/exec-1")] {
        let mut rig = Rig::new(plan(&procedure(THREE)));
        rig.settle();
        rig.start_attempt();
        rig.end_attempt(ok());
        rig.settle();
        rig.start_attempt();
        rig.record(Fact::CancelRequested { by: person("operator"), undo, reason: "enough".to_owned() });
        rig.attempts.clear();
        rig.go(|_, _, _| ok());
        assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), (then, Cancelled));
        assert_eq!(rig.ended()["b"], StepOutcome::Cancelled);
        assert_eq!(rig.run.outcome().unwrap().message, "cancelled by operator: enough");
    }
}

#[test]
fn a_cancel_without_a_reason_promises_none() {
    let mut rig = Rig::new(plan(&procedure(THREE)));
    rig.record(Fact::CancelRequested { by: person("operator"), undo: false, reason: String::new() });
    rig.go(|_, _, _| ok());
    assert_eq!(rig.run.outcome().unwrap().message, "cancelled by operator");
}

#[test]
fn undo_after_the_end() {
    let mut rig = Rig::new(plan(&procedure(THREE)));
    rig.go(|_, _, _| ok());
    assert_eq!(rig.outcome(), Succeeded);
    rig.attempts.clear();
    rig.record(Fact::UndoRequested { by: person("operator"), reason: "wrong day".to_owned() });
    rig.go(|_, _, _| ok());
    let all = "c~undo/exec-1 b~undo/exec-1 b~undo/exec-2 a~undo/exec-1";
    assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), (all, RolledBack));
    let again = rig.try_record(Fact::UndoRequested { by: person("operator"), reason: "twice".to_owned() });
    assert!(again.is_err());
}

#[test]
fn an_unknown_end_is_never_retried_in_silence() {
    let plain = "steps:\n- {id: a, exec: [a], irreversible: it is gone}\n- {id: b, exec: [b], effect: read}\n";
    for (choice, then, outcome) in
        [(Choice::Done, "b", Succeeded), (Choice::Again, "a#2 b", Succeeded), (Choice::Probe, "", Succeeded)]
    {
        let mut rig = Rig::new(plan(&procedure(plain)));
        rig.go(|_, path, attempt| if path == "a" && attempt == 1 { unknown() } else { ok() });
        assert_eq!(rig.attempts, ["a"]);
        assert!(rig.run.outcome().is_none());
        rig.attempts.clear();
        rig.vote("operator", choice);
        rig.go(|_, _, _| ok());
        assert_eq!(rig.attempts.join(" "), then, "{choice:?}");
        if choice == Choice::Probe {
            assert!(rig.run.decisions().last().unwrap().is_open(), "without a `verify`, people are asked again");
        } else {
            assert_eq!(rig.outcome(), outcome);
        }
    }
}

#[test]
fn what_is_safe_to_repeat_is_repeated() {
    for step in ["{id: a, exec: [a], effect: read}", "{id: a, exec: [a], idempotent: true}", "{id: a, rhai: 1 + 1}"] {
        let mut rig = Rig::new(plan(&procedure(&format!("steps:\n- {step}\n"))));
        rig.go(|_, _, attempt| if attempt == 1 { unknown() } else { ok() });
        assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), ("a a#2", Succeeded), "{step}");
    }
}

#[test]
fn a_verification_decides_an_unknown_end() {
    let steps = "steps:\n- id: a\n  exec: [a]\n  irreversible: gone\n  verify: {id: look, exec: [look], effect: read}\n";
    for (looked, attempts, outcome) in [(true, "a a~verify[1]/look", Succeeded), (false, "a a~verify[1]/look a#2", Succeeded)] {
        let mut rig = Rig::new(plan(&procedure(steps)));
        rig.go(|_, path, attempt| match (path, attempt) {
            ("a", 1) => unknown(),
            ("a", _) => ok(),
            _ if looked => ok(),
            _ => failed(),
        });
        assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), (attempts, outcome));
    }
    let mut rig = Rig::new(plan(&procedure(
        "steps:\n- {id: a, exec: [a], irreversible: gone, verify: 1 == 1}\n- {id: b, exec: [b], effect: read}\n",
    )));
    rig.go(|_, path, _| if path == "a" { unknown() } else { ok() });
    assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), ("a b", Succeeded));
}

#[test]
fn a_cancelled_run_with_an_unknown_end_needs_attention() {
    let mut rig = Rig::new(plan(&procedure("steps:\n- {id: a, exec: [a], irreversible: gone}\n")));
    rig.go(|_, _, _| unknown());
    rig.record(Fact::CancelRequested { by: person("operator"), undo: false, reason: "stop".to_owned() });
    rig.go(|_, _, _| ok());
    assert_eq!(rig.outcome(), OutcomeKind::NeedsAttention);
}

#[test]
fn a_paused_run_finishes_what_is_under_way_and_starts_nothing() {
    let mut rig = Rig::new(plan(&procedure("steps:\n- {id: a, exec: [a], effect: read}\n- {id: b, exec: [b], effect: read}\n")));
    rig.settle();
    rig.start_attempt();
    rig.record(Fact::PauseRequested { by: person("operator"), reason: "lunch".to_owned() });
    rig.go(|_, _, _| ok());
    assert_eq!((rig.attempts.join(" ").as_str(), rig.run.outcome()), ("a", None));
    rig.record(Fact::ResumeRequested { by: person("operator") });
    rig.go(|_, _, _| ok());
    assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), ("a b", Succeeded));
}

/// Runs with a script of bad ends, then gives the attempts and the outcome.
fn told(files: &[&str], end: impl Fn(&str, u32) -> AttemptEnd) -> (String, OutcomeKind) {
    let mut rig = Rig::new(plan_among(files));
    rig.overlap = true;
    rig.go(|_, path, attempt| end(path, attempt));
    (rig.attempts.join(" "), rig.outcome())
}

#[test]
fn a_whole_is_undone_once_and_in_the_place_of_its_parts() {
    // The branch beside it puts an undo between those of its parts.
    let steps = "steps:
- id: fan
  parallel:
    left:
    - id: whole
      group: [{id: a, exec: [a], undo: {exec: [un-a]}}, {id: b, exec: [b], undo: {exec: [un-b]}}]
      undo: {exec: [un-whole]}
    right: [{id: c, exec: [c], undo: {exec: [un-c]}}]
- {id: last, exec: [last], effect: read, on_failure: rollback}
";
    let (attempts, outcome) = told(&[&procedure(steps)], |path, _| if path == "last" { failed() } else { ok() });
    let undone: Vec<&str> = attempts.split(' ').filter(|a| a.contains('~')).collect();
    assert_eq!((undone, outcome), (vec!["fan.left/whole~undo/exec-1", "fan.right/c~undo/exec-1"], RolledBack));
}

#[test]
fn what_an_undo_does_is_not_undone() {
    let steps = "steps:\n- {id: a, exec: [a], undo: {id: back, call: other@^1}}\n- {id: b, exec: [b], effect: read, on_failure: rollback}\n";
    let other =
        "apiVersion: runbook/v1\nkind: Runbook\nname: other\nversion: 1.0.0\nsteps:\n- {id: c, exec: [c], undo: {exec: [un-c]}}\n";
    let done = told(&[&procedure(steps), other], |path, _| if path == "b" { failed() } else { ok() });
    assert_eq!(done, ("a b a~undo/back/c".to_owned(), RolledBack));
}

#[test]
fn the_undo_of_each_round_reads_what_that_round_gave() {
    let steps = "steps:
- id: loop
  repeat:
    until: steps.made.n > 2
    times: 2
    steps: [{id: made, exec: [make], undo: {exec: [remove, '{{steps.made.n}}']}, outputs: {n: result.exit_code}}]
  on_failure: rollback
";
    let mut rig = Rig::new(plan(&procedure(steps)));
    rig.go(|_, path, _| {
        let code = if path.starts_with("loop[1]") { 1 } else { 2 };
        AttemptEnd::Succeeded { result: Value::Map(Map::from([("exit_code".to_owned(), Value::Int(code))])) }
    });
    assert_eq!(rig.outcome(), RolledBack);
    for (path, argv) in [("loop[1]/made~undo/exec-1", "[\"remove\", \"1\"]"), ("loop[2]/made~undo/exec-1", "[\"remove\", \"2\"]")] {
        let work = rig.run.find_step(&path.parse().unwrap()).unwrap().work().unwrap().clone();
        assert_eq!(format!("{:?}", work.task), format!("Exec {{ argv: {argv} }}"), "{path}");
    }
}

#[test]
fn a_verification_that_cannot_look_decides_nothing() {
    let nothing = || AttemptEnd::Failed {
        failure: Failure { message: "there is no such program".to_owned(), at: None, detail: None },
        result: Value::Null,
    };
    for (name, verify) in [
        ("it could not be started", "{id: look, exec: [look], effect: read}"),
        ("it could not be evaluated", "{id: look, if: 10 / inputs.n > 1, exec: [look], effect: read}"),
        ("it was skipped", "{id: look, if: inputs.n > 0, exec: [look], effect: read}"),
    ] {
        let steps =
            format!("inputs: {{n: {{type: integer}}}}\nsteps:\n- id: a\n  exec: [a]\n  irreversible: gone\n  verify: {verify}\n");
        let inputs = Map::from([("n".to_owned(), Value::Int(0))]);
        let mut rig = Rig::with(plan(&procedure(&steps)), inputs, Part::Whole, false);
        rig.go(|_, path, _| if path == "a" { unknown() } else { nothing() });
        assert_eq!(rig.attempts.iter().filter(|a| a.starts_with("a#")).count(), 0, "{name}");
        assert_eq!(rig.run.decisions().last().map(|d| d.purpose.clone()), Some(Purpose::Unknown), "{name}");
    }
    // A verification whose failure is passed over still says no.
    let steps = "steps:\n- id: a\n  exec: [a]\n  irreversible: gone\n  verify: {id: look, exec: [look], effect: read, on_failure: continue}\n";
    let done = told(&[&procedure(steps)], |path, attempt| match (path, attempt) {
        ("a", 1) => unknown(),
        ("a", _) => ok(),
        _ => failed(),
    });
    assert_eq!(done, ("a a~verify[1]/look a#2".to_owned(), Succeeded));
}

#[test]
fn a_verification_that_is_cut_short_decides_nothing() {
    let steps = "steps:
- id: a
  exec: [a]
  irreversible: gone
  verify: {id: look, exec: [look], effect: read, retry: {attempts: 2, delay: 1s}}
";
    for (looks, outcome) in [(1, NeedsAttention), (2, Cancelled)] {
        let mut rig = Rig::new(plan(&procedure(steps)));
        rig.settle();
        rig.start_attempt();
        rig.end_attempt(unknown());
        rig.settle();
        for _ in 1..looks {
            rig.start_attempt();
            rig.end_attempt(failed());
            rig.fire(false);
        }
        rig.start_attempt();
        rig.record(Fact::CancelRequested { by: person("operator"), undo: false, reason: "enough".to_owned() });
        rig.end_attempt(failed());
        rig.go(|_, _, _| ok());
        assert_eq!((rig.attempts.len(), rig.outcome()), (1 + looks, outcome));
    }
}

#[test]
fn nothing_is_repeated_where_nothing_further_starts() {
    let steps = "steps:
- id: fan
  parallel:
    left: [{id: a, exec: [a], irreversible: gone, verify: {id: look, exec: [look], effect: read}}]
    right: [{id: b, exec: [b], effect: read}]
";
    let done = told(&[&procedure(steps)], |path, _| match path {
        "fan.left/a" => unknown(),
        _ => failed(),
    });
    assert_eq!(done, ("fan.left/a fan.right/b fan.left/a~verify[1]/look".to_owned(), Failed));
}

#[test]
fn work_that_is_done_is_not_done_again_for_its_outputs() {
    for (effect, attempts) in [("irreversible: gone", "a"), ("idempotent: true", "a a#2"), ("effect: read", "a a#2")] {
        let steps = format!(
            "steps:\n- {{id: a, exec: [a], {effect}, retry: {{attempts: 2, delay: 1s}}, outputs: {{n: result.stdout.parse_int()}}}}\n"
        );
        assert_eq!(told(&[&procedure(&steps)], |_, _| ok()), (attempts.to_owned(), Failed), "{effect}");
    }
}

#[test]
fn cancelled_while_paused_everything_that_is_wanted_is_given() {
    let steps = "steps:\n- {id: sub, call: other@^1, effect: read}\n";
    let other = "apiVersion: runbook/v1\nkind: Runbook\nname: other\nversion: 1.0.0\nsteps:\n- {id: a, exec: [a], effect: read}\nfinally:\n- {exec: [tidy], effect: read}\n";
    let mut rig = Rig::new(plan_among(&[&procedure(steps), other]));
    rig.settle();
    rig.start_attempt();
    rig.record(Fact::PauseRequested { by: person("operator"), reason: "lunch".to_owned() });
    rig.end_attempt(ok());
    // `Rig::record` compares what is given with what is pending.
    rig.record(Fact::CancelRequested { by: person("operator"), undo: false, reason: "enough".to_owned() });
    rig.go(|_, _, _| ok());
    assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), ("sub/a sub/~finally/exec-1", Cancelled));
}

#[test]
fn a_run_whose_undo_was_called_off_is_not_rolled_back() {
    let steps = format!("{THREE}on_failure:\n- {{exec: [mend], effect: read}}\n");
    let mut rig = Rig::new(plan(&procedure(&steps)));
    rig.settle();
    while rig.start_attempt() {
        let bad = rig.attempts.last().is_some_and(|a| a == "c");
        if rig.attempts.last().is_some_and(|a| a.starts_with("~on_failure")) {
            break;
        }
        rig.end_attempt(if bad { failed() } else { ok() });
        rig.settle();
    }
    rig.record(Fact::CancelRequested { by: person("operator"), undo: false, reason: "leave it".to_owned() });
    rig.go(|_, _, _| ok());
    assert!(!rig.attempts.iter().any(|a| a.contains("~undo")));
    assert_eq!(rig.outcome(), Failed);
}

#[test]
fn nothing_that_fails_in_finally_keeps_the_rest_of_it_from_running() {
    let steps = "steps:\n- {id: a, exec: [a], effect: read}\nfinally:\n- {group: [{id: b, exec: [b], effect: read, on_failure: rollback}]}\n- {id: last, exec: [last], effect: read}\n";
    let done = told(&[&procedure(steps)], |path, _| if path.ends_with("/b") { failed() } else { ok() });
    assert_eq!(done, ("a ~finally/group-1/b ~finally/last".to_owned(), Succeeded));
}

#[test]
fn a_whole_that_is_stopped_ends_once() {
    // Stopping `each` ends it while the parallel around it is still stopping its other branches.
    let steps = "steps:
- id: fan
  parallel:
    left: [{id: all, each: {in: '[1, 2, 3]', max_parallel: 3, steps: [{wait: {for: 1h, within: 2h}}]}}]
    mid: [{id: in, parallel: {x: [{wait: {for: 1h, within: 2h}}], y: [{wait: {for: 1h, within: 2h}}]}}]
    right: [{id: b, exec: [b], effect: read}]
- {id: after, exec: [after], effect: read}
";
    assert_eq!(told(&[&procedure(steps)], |_, _| failed()), ("fan.right/b".to_owned(), Failed));
}

#[test]
fn very_many_parts_are_stopped_at_once() {
    let steps = "inputs: {all: {type: list}}\nsteps:\n- {id: all, each: {in: inputs.all, max_parallel: 500, steps: [{wait: {for: 1h, within: 2h}}]}}\n";
    let inputs = Map::from([("all".to_owned(), Value::List((0..500).map(Value::Int).collect()))]);
    let mut rig = Rig::with(plan(&procedure(steps)), inputs, Part::Whole, false);
    rig.settle();
    rig.record(Fact::CancelRequested { by: person("operator"), undo: false, reason: "enough".to_owned() });
    rig.settle();
    assert_eq!(rig.outcome(), Cancelled);
}
