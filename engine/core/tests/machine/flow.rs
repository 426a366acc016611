//! Order, branches, loops, failure policies, retries, waits.

use std::sync::Arc;

use runbook_core::run::event::{AttemptEnd, OutcomeKind::*, Part, StepOutcome};
use runbook_core::run::task::Task;
use runbook_core::{Map, Value};

use serde_json::json;

use crate::rig::{Rig, failed, ok, plan, plan_among, play, played, procedure};

#[test]
fn a_loop_that_fails_says_how_many_items_did() {
    for (tolerated, message) in [(0, "1 of 3 items failed: exit code 1"), (1, "2 of 3 items failed; the first: exit code 1")] {
        let steps = format!(
            "steps:\n- id: all\n  each: {{in: \"[1, 2, 3]\", max_failures: {tolerated}, steps: [{{id: a, exec: [a], effect: read}}]}}\n"
        );
        let rig = played(&steps, &["all[0]/a", "all[2]/a", "all[1]/a"]);
        assert_eq!(rig.run.outcome().unwrap().message, message);
    }
}

#[test]
fn order_and_outcome() {
    for (name, steps, bad, attempts, outcome) in [
        ("sequence", "steps:\n- {id: a, exec: [a], effect: read}\n- {id: b, exec: [b], effect: read}\n", vec![], "a b", Succeeded),
        ("stop", "steps:\n- {id: a, exec: [a], effect: read}\n- {id: b, exec: [b], effect: read}\n", vec!["a"], "a", Failed),
        (
            "continue",
            "steps:\n- {id: a, exec: [a], effect: read, on_failure: continue}\n- {id: b, exec: [b], effect: read}\n",
            vec!["a"],
            "a b",
            Succeeded,
        ),
        (
            "on failure, go to a later step",
            "steps:\n- {id: a, exec: [a], effect: read, on_failure: {next: c}}\n- {id: b, exec: [b], effect: read}\n- {id: c, exec: [c], effect: read}\n",
            vec!["a"],
            "a c",
            Succeeded,
        ),
        (
            "next",
            "steps:\n- {id: a, if: run.name == \"test\", exec: [a], effect: read, next: c}\n- {id: b, exec: [b], effect: read}\n- {id: c, exec: [c], effect: read}\n",
            vec![],
            "a c",
            Succeeded,
        ),
        (
            "if",
            "steps:\n- {id: a, if: 1 > 2, exec: [a], effect: read}\n- {id: b, if: 2 > 1, exec: [b], effect: read}\n",
            vec![],
            "b",
            Succeeded,
        ),
        (
            "choose",
            "steps:\n- choose:\n  - {when: 1 > 2, steps: [{id: a, exec: [a], effect: read}]}\n  - {when: 2 > 1, steps: [{id: b, exec: [b], effect: read}]}\n  - otherwise: [{id: c, exec: [c], effect: read}]\n",
            vec![],
            "choose-1/b",
            Succeeded,
        ),
        (
            "otherwise",
            "steps:\n- choose:\n  - {when: 1 > 2, steps: [{id: a, exec: [a], effect: read}]}\n  - otherwise: [{id: c, exec: [c], effect: read}]\n",
            vec![],
            "choose-1/c",
            Succeeded,
        ),
        (
            "finish ends the run",
            "steps:\n- group:\n  - {id: a, exec: [a], effect: read}\n  - finish: {outcome: failed, message: enough}\n",
            vec![],
            "group-1/a",
            Failed,
        ),
        (
            "on_failure and finally of the procedure",
            "steps:\n- {id: a, exec: [a], effect: read}\non_failure:\n- {exec: [mend], effect: read}\nfinally:\n- {exec: [last], effect: read}\n- {exec: [very-last], effect: read}\n",
            vec!["a", "~finally/exec-1"],
            "a ~on_failure/exec-1 ~finally/exec-1 ~finally/exec-2",
            Failed,
        ),
        (
            "parallel: siblings of a failure finish what is under way",
            "steps:\n- id: fan\n  parallel:\n    left: [{id: a, exec: [a], effect: read}, {id: b, exec: [b], effect: read}]\n    right: [{id: c, exec: [c], effect: read}, {id: d, exec: [d], effect: read}]\n",
            vec!["fan.left/a"],
            "fan.left/a",
            Failed,
        ),
        (
            "each with tolerated failures",
            "steps:\n- id: all\n  each: {in: \"[1, 2, 3]\", max_failures: 1, max_parallel: 1, steps: [{id: a, exec: [a, \"{{item}}\"], effect: read}]}\n",
            vec!["all[1]/a"],
            "all[0]/a all[1]/a all[2]/a",
            Succeeded,
        ),
        (
            "each with too many failures",
            "steps:\n- id: all\n  each: {in: \"[1, 2, 3]\", max_parallel: 1, steps: [{id: a, exec: [a, \"{{item}}\"], effect: read}]}\n",
            vec!["all[0]/a"],
            "all[0]/a",
            Failed,
        ),
        (
            "empty each",
            "steps:\n- id: all\n  each: {in: \"[]\", steps: [{id: a, exec: [a], effect: read}]}\n",
            vec![],
            "",
            Succeeded,
        ),
    ] {
        let (did, how) = play(steps, &bad);
        assert_eq!((did.join(" ").as_str(), how), (attempts, outcome), "{name}");
    }
}

#[test]
fn retries_back_off_and_stop() {
    let steps = "steps:\n- {id: a, exec: [a], effect: read, retry: {attempts: 3, delay: 2s, backoff: 2, jitter: 0}}\n";
    let mut rig = Rig::new(plan(&procedure(steps)));
    let start = rig.now;
    rig.go(|_, _, attempt| if attempt < 3 { failed() } else { ok() });
    assert_eq!(rig.attempts.join(" "), "a a#2 a#3");
    assert_eq!(rig.outcome(), Succeeded);
    assert_eq!(rig.now.duration_since(start).as_secs(), 2 + 4);
    assert_eq!(play(steps, &["a"]), (vec!["a".into(), "a#2".into(), "a#3".into()], Failed));
}

#[test]
fn jitter_shortens_the_delay_and_is_the_same_each_time() {
    let steps = "steps:\n- {id: a, exec: [a], effect: read, retry: {attempts: 2, delay: 100s, jitter: 0.5}}\n";
    let waited = || {
        let mut rig = Rig::new(plan(&procedure(steps)));
        let start = rig.now;
        rig.go(|_, _, attempt| if attempt < 2 { failed() } else { ok() });
        rig.now.duration_since(start).as_millis()
    };
    assert_eq!(waited(), waited());
    assert!((50_000..100_000).contains(&waited()), "{}", waited());
}

#[test]
fn outputs_reach_later_steps() {
    let steps = "steps:\n- {id: a, exec: [a], effect: read, outputs: {word: result.stdout.trim()}}\n- {id: b, if: steps.a.word == \"fine\", exec: [say, \"{{steps.a.word}}\"], effect: read}\n";
    let rig = played(steps, &[]);
    assert_eq!(rig.attempts, ["a", "b"]);
    let argv = format!("{:?}", rig.run.find_step(&"b".parse().unwrap()).unwrap().work().unwrap().task);
    assert_eq!(argv, "Exec { argv: [\"say\", \"fine\"] }");
}

#[test]
fn each_gives_the_list_of_its_results() {
    let steps = "steps:\n- id: all\n  each: {in: \"[1, 2]\", as: n, steps: [{id: a, exec: [a, \"{{n}}\"], effect: read, outputs: {word: result.stdout.trim()}}]}\n- {id: b, if: \"steps.all.len() == 2 && steps.all[1].a.word == \\\"fine\\\"\", exec: [b], effect: read}\n";
    assert_eq!(play(steps, &[]).0.last().unwrap(), "b");
}

#[test]
fn each_is_bounded_and_goes_in_waves() {
    let steps = "steps:\n- id: all\n  each: {in: \"[1,2,3,4,5,6,7,8,9,10]\", max_parallel: 3, batches: [1, 50%, 100%], steps: [{id: a, exec: [a], effect: read}]}\n";
    let mut rig = Rig::new(plan(&procedure(steps)));
    rig.overlap = true;
    let mut first_wave_alone = true;
    rig.go(|rig, path, _| {
        if path == "all[0]/a" {
            first_wave_alone = rig.attempts.len() == 1;
        }
        ok()
    });
    assert!(first_wave_alone);
    assert_eq!((rig.attempts.len(), rig.widest, rig.outcome()), (10, 3, Succeeded));
}

#[test]
fn repeat_and_wait_go_in_rounds() {
    let repeat = "steps:\n- id: poll\n  repeat: {until: steps.a.exit_code == 0 && run.name == \"test\", times: 3, every: 5s, steps: [{id: a, exec: [a], effect: read, on_failure: continue}]}\n";
    let mut rig = Rig::new(plan(&procedure(repeat)));
    let start = rig.now;
    rig.go(|_, path, _| if path.starts_with("poll[3]") { ok() } else { failed() });
    assert_eq!(rig.attempts.join(" "), "poll[1]/a poll[2]/a poll[3]/a");
    assert_eq!((rig.outcome(), rig.now.duration_since(start).as_secs()), (Succeeded, 10));
    assert_eq!(play(repeat, &["poll[1]/a", "poll[2]/a", "poll[3]/a"]).1, Failed);

    let wait = "steps:\n- id: healthy\n  wait:\n    until: steps.probe.exit_code == 0\n    every: 10s\n    within: 1m\n    probe: {id: probe, exec: [probe], effect: read}\n";
    let mut rig = Rig::new(plan(&procedure(wait)));
    rig.go(|_, path, _| if path.starts_with("healthy[2]") { ok() } else { failed() });
    assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), ("healthy[1]/probe healthy[2]/probe", Succeeded));

    let mut rig = Rig::new(plan(&procedure(wait)));
    for _ in 0..200 {
        rig.settle();
        if rig.run.outcome().is_some() {
            break;
        }
        if rig.start_attempt() {
            rig.end_attempt(failed());
        } else {
            rig.fire(true);
        }
    }
    assert_eq!(rig.outcome(), Failed);
    assert_eq!(rig.ended()["healthy"], StepOutcome::TimedOut);
}

#[test]
fn a_call_runs_the_other_procedure_under_its_path() {
    let main = procedure(
        "steps:\n- {id: sub, call: other@^1, with: {n: 41 + 1}, effect: read}\n- {id: after, if: steps.sub.word == \"fine 42\", exec: [after], effect: read}\n",
    );
    let other = "apiVersion: runbook/v1\nkind: Runbook\nname: other\nversion: 1.2.0\ninputs: {n: {type: integer}}\nsteps:\n- {id: a, exec: [a, \"{{inputs.n}}\"], effect: read, outputs: {word: result.stdout.trim()}}\nfinally:\n- {exec: [tidy], effect: read}\noutputs: {word: 'steps.a.word + \" \" + inputs.n.to_string()'}\n";
    let mut rig = Rig::new(plan_among(&[&main, other]));
    rig.go(|_, _, _| ok());
    assert_eq!(rig.attempts, ["sub/a", "sub/~finally/exec-1", "after"]);
    let mut rig = Rig::new(plan_among(&[&main, other]));
    rig.go(|_, path, _| if path == "sub/a" { failed() } else { ok() });
    assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), ("sub/a sub/~finally/exec-1", Failed));
}

#[test]
fn a_part_of_a_procedure_asks_first_and_leaves_the_rest_out() {
    let steps =
        "steps:\n- {id: a, exec: [a], effect: read}\n- {id: b, exec: [b], effect: read}\n- {id: c, exec: [c], effect: read}\n";
    for (part, expect) in [
        (Part::From("b".parse().unwrap()), vec!["b", "c"]),
        (Part::Only(vec!["a".parse().unwrap(), "c".parse().unwrap()]), vec!["a", "c"]),
    ] {
        let mut rig = Rig::with(plan(&procedure(steps)), Map::new(), part, false);
        rig.go(|_, _, _| ok());
        assert!(rig.attempts.is_empty(), "it ran before anybody agreed");
        rig.vote("operator", runbook_core::run::decision::Choice::Approve);
        rig.go(|_, _, _| ok());
        assert_eq!((rig.attempts.clone(), rig.outcome()), (expect.into_iter().map(String::from).collect(), Succeeded));
    }
}

#[test]
fn reading_what_did_not_run_names_the_step() {
    let steps =
        "steps:\n- {id: a, if: 1 > 2, exec: [a], effect: read}\n- {id: b, exec: [say, \"{{steps.a.stdout}}\"], effect: read}\n";
    let rig = played(steps, &[]);
    let message = &rig.run.outcome().unwrap().message;
    assert!(message.contains("step `a`") && message.contains("1 > 2"), "{message}");
}

#[test]
fn a_timed_out_run_stops_and_runs_its_finally() {
    let steps = "timeout: 10s\nsteps:\n- {wait: {for: 1h, within: 2h}}\nfinally:\n- {exec: [last], effect: read}\n";
    let mut rig = Rig::new(plan(&procedure(steps)));
    rig.settle();
    rig.fire(true);
    rig.go(|_, _, _| ok());
    assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), ("~finally/exec-1", Failed));
    assert!(rig.run.outcome().unwrap().message.contains("10s"));
}

#[test]
fn inputs_are_in_scope() {
    let steps = "inputs: {host: {type: string}}\nsteps:\n- {id: a, exec: [ping, \"{{inputs.host}}\"], effect: read}\n";
    let inputs = Map::from([("host".to_owned(), Value::text("db1"))]);
    let mut rig = Rig::with(plan(&procedure(steps)), inputs, Part::Whole, false);
    rig.go(|_, _, _| ok());
    let work = rig.run.find_step(&"a".parse().unwrap()).unwrap().work().unwrap().clone();
    assert_eq!(format!("{:?}", work.task), "Exec { argv: [\"ping\", \"db1\"] }");
}

/// Where the log of an attempt is kept stands in its result as it is recorded, and once stood in what the step gives.
#[test]
fn what_a_step_gives_is_without_its_log_since_version_4() {
    let text = procedure("steps:\n- {id: a, exec: [a], effect: read}\n- {id: b, exec: [b, '{{json steps.a}}'], effect: read}\n");
    let result = json!({"stdout": "hi", "log": {"bytes": 2, "dropped": 0, "digest": "sha256:0"}});
    for (semantics, given) in [(3, &result), (4, &json!({"stdout": "hi"}))] {
        let mut written = serde_json::to_value(&*plan(&text)).unwrap();
        written["semantics"] = semantics.into();
        let mut rig = Rig::new(Arc::new(serde_json::from_value(written).unwrap()));
        rig.go(|_, _, _| AttemptEnd::Succeeded { result: Value::from_plain_json(result.clone()).unwrap() });
        let work = rig.run.find_step(&"b".parse().unwrap()).unwrap().work().unwrap().clone();
        assert_eq!(work.task, Task::Exec { argv: vec!["b".to_owned(), given.to_string()] }, "{semantics}");
    }
}

/// A record says of which version of the machine it is, and is read as that one meant it.
#[test]
fn an_each_that_ran_out_of_time_has_the_outcome_of_its_version() {
    let text = procedure(
        "steps:\n- {id: all, timeout: 10s, each: {in: '[1]', as: x, max_failures: 3, steps: [{id: y, exec: [y], idempotent: true}]}}\n",
    );
    let of = |semantics: u32| {
        let mut written = serde_json::to_value(&*plan(&text)).unwrap();
        written["semantics"] = semantics.into();
        serde_json::from_value::<runbook_core::Plan>(written)
    };
    for (semantics, outcome) in [(1, Succeeded), (2, Failed), (3, Failed), (4, Failed)] {
        let mut rig = Rig::new(of(semantics).unwrap().into());
        rig.settle();
        assert!(rig.start_attempt() && rig.fire(true));
        rig.go(|_, _, _| ok());
        assert_eq!(rig.run.outcome().map(|outcome| outcome.kind), Some(outcome), "{semantics}");
    }
    let newer = of(runbook_core::plan::SEMANTICS + 1).unwrap_err().to_string();
    assert!(newer.contains("use a newer `runbook`"), "{newer}");
}
