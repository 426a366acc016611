//! Times that are over: each ends bodies, and no other time than their own ends what follows those.

use std::sync::Arc;

use super::rig::{Rig, failed, ok, person, plan, plan_among, procedure, unknown};
use runbook_core::run::event::{AttemptEnd, OutcomeKind, StepOutcome};
use runbook_core::{Fact, Plan};

use OutcomeKind::Failed;
use StepOutcome::{Cancelled, Succeeded, TimedOut, Unknown};

const INNER: &str = "apiVersion: runbook/v1\nkind: Runbook\nname: inner\nversion: 1.0.0
steps: [{id: a, exec: [a], irreversible: it is gone, timeout: 2h}]
on_failure: [{id: mend, exec: [mend], effect: read, timeout: 3h}, {id: more, exec: [more], effect: read}]
finally: [{id: tidy, exec: [tidy], effect: read}]
";

/// The same plan, as an earlier version of the machine made it.
fn of_version(semantics: u32, plan: &Plan) -> Arc<Plan> {
    let mut written = serde_json::to_value(plan).unwrap();
    written["semantics"] = semantics.into();
    Arc::new(serde_json::from_value(written).unwrap())
}

fn calling(steps: &str) -> Arc<Plan> {
    plan_among(&[&procedure(steps), INNER])
}

/// Plays until this step is to begin, and begins it.
fn until(rig: &mut Rig, step: &str, end: impl Fn(&str) -> AttemptEnd) {
    for _ in 0..20 {
        rig.settle();
        assert!(rig.start_attempt(), "{step} is not reached: {:?}", rig.attempts);
        let began = rig.attempts.last().unwrap().clone();
        if began == step {
            return;
        }
        rig.end_attempt(end(&began));
    }
    panic!("{step} is not reached: {:?}", rig.attempts);
}

fn told(rig: &Rig, of: &str) -> (String, Option<StepOutcome>, OutcomeKind) {
    (rig.attempts.join(" "), rig.ended().get(of).copied(), rig.outcome())
}

const TIMED: &str = "steps:\n- {id: sub, call: inner@^1, timeout: 10s}\n- {id: after, exec: [after], effect: read}\n";
const WHOLE: &str = "sub/a sub/~on_failure/mend sub/~on_failure/more sub/~finally/tidy";

#[test]
fn the_time_of_a_call_ends_the_body_and_the_rest_runs() {
    let mut rig = Rig::new(calling(TIMED));
    until(&mut rig, "sub/a", |_| ok());
    assert!(rig.fire(true));
    rig.go(|_, _, _| ok());
    assert_eq!(told(&rig, "sub"), (WHOLE.to_owned(), Some(TimedOut), Failed));
    assert!(rig.run.outcome().unwrap().message.contains("10s"), "{:?}", rig.run.outcome());
    // What an earlier version recorded is read as that one meant it.
    let mut rig = Rig::new(of_version(2, &calling(TIMED)));
    until(&mut rig, "sub/a", |_| ok());
    assert!(rig.fire(true));
    rig.go(|_, _, _| ok());
    assert_eq!(told(&rig, "sub"), ("sub/a sub/~finally/tidy".to_owned(), Some(TimedOut), Failed));
}

#[test]
fn the_time_of_a_call_is_spent_while_something_in_it_is_in_doubt() {
    let mut rig = Rig::new(calling(TIMED));
    until(&mut rig, "sub/a", |_| ok());
    rig.end_attempt(unknown());
    rig.settle();
    assert!(rig.fire(true));
    rig.go(|_, _, _| ok());
    assert_eq!(told(&rig, "sub"), (WHOLE.to_owned(), Some(TimedOut), OutcomeKind::NeedsAttention));
    assert_eq!(rig.ended()["sub/a"], Unknown);
}

#[test]
fn the_time_of_a_call_is_over_with_its_body() {
    for (ends, at, outcome) in [(failed(), "sub/~on_failure/mend", StepOutcome::Failed), (ok(), "sub/~finally/tidy", Succeeded)] {
        let mut rig = Rig::new(calling(TIMED));
        until(&mut rig, at, |_| ends.clone());
        assert!(!rig.fire(true), "{at}: {:?}", rig.run.pending());
        rig.go(|_, _, _| ok());
        assert_eq!(rig.ended().get("sub"), Some(&outcome), "{at}");
        // Earlier, it stopped the first of them.
        let mut rig = Rig::new(of_version(2, &calling(TIMED)));
        until(&mut rig, at, |_| ends.clone());
        assert!(rig.fire(true), "{at}");
        rig.go(|_, _, _| ok());
        assert!(!rig.attempts.iter().any(|attempt| attempt.ends_with("more")), "{:?}", rig.attempts);
    }
}

/// The time of a group around a call, and that of the run, stop its body as its own time does.
#[test]
fn a_time_around_a_call_ends_its_body() {
    for (steps, group, outcome) in [
        ("steps:\n- {id: g, timeout: 10s, group: [{id: sub, call: inner@^1}]}\n", "g/", Some(TimedOut)),
        ("steps:\n- {id: g, timeout: 10s, group: [{id: sub, call: inner@^1, timeout: 1h}]}\n", "g/", Some(TimedOut)),
        ("timeout: 10s\nsteps:\n- {id: sub, call: inner@^1}\nfinally: [{id: last, exec: [last], effect: read}]\n", "", None),
    ] {
        let within = |text: &str| text.replace("sub/", &format!("{group}sub/"));
        let last = if group.is_empty() { " ~finally/last" } else { "" };
        // In the body, and in what it does about a failure.
        for (at, end) in [("sub/a", ok()), ("sub/~on_failure/mend", failed()), ("sub/~finally/tidy", ok())] {
            let mut rig = Rig::new(calling(steps));
            until(&mut rig, &within(at), |_| end.clone());
            // That of a call is over already, if it had one.
            assert!(rig.fire(true), "{steps} {at}");
            assert!(!rig.fire(true), "{steps} {at}");
            rig.go(|_, _, _| ok());
            let (attempts, ended, kind) = told(&rig, "g");
            let whole = if at.ends_with("tidy") { "sub/a sub/~finally/tidy" } else { WHOLE };
            assert_eq!((attempts, ended, kind), (format!("{}{last}", within(whole)), outcome, Failed), "{steps} {at}");
            let sub = rig.ended()[&format!("{group}sub")];
            assert_eq!(sub, if at.ends_with("tidy") { Succeeded } else { Cancelled }, "{steps} {at}");
        }
    }
}

/// People who cancel want it to stop, what it does about a failure too; what tidies up runs.
#[test]
fn a_cancel_stops_what_a_call_does_about_its_time() {
    for at in ["sub/a", "sub/~on_failure/mend"] {
        let mut rig = Rig::new(calling(TIMED));
        until(&mut rig, "sub/a", |_| ok());
        if at != "sub/a" {
            assert!(rig.fire(true));
            rig.settle();
            rig.end_attempt(AttemptEnd::Cancelled {
                failure: runbook_core::run::event::Failure { message: "stopped".to_owned(), at: None, detail: None },
                result: runbook_core::Value::Null,
            });
            until(&mut rig, at, |_| ok());
        }
        rig.record(Fact::CancelRequested { by: person("operator"), undo: false, reason: "enough".to_owned() });
        rig.go(|_, _, _| ok());
        let attempts = rig.attempts.join(" ");
        assert!(!attempts.contains("more") && attempts.ends_with("sub/~finally/tidy"), "{attempts}");
        assert_eq!(rig.outcome(), OutcomeKind::Cancelled);
    }
}

/// The time of the run is that of its body, and of what it calls there.
#[test]
fn the_time_of_a_run_does_not_stop_what_it_does_about_a_failure() {
    let steps = "timeout: 10s\nsteps:\n- {id: a, exec: [a], effect: read}\non_failure:\n- {id: nap, wait: {for: 1h, within: 2h}}\n- {id: mend, exec: [mend], effect: read}\nfinally:\n- {id: last, exec: [last], effect: read}\n";
    for (semantics, attempts) in [(3, "a ~on_failure/mend ~finally/last"), (2, "a ~finally/last")] {
        let mut rig = Rig::new(of_version(semantics, &plan(&procedure(steps))));
        until(&mut rig, "a", |_| ok());
        rig.end_attempt(failed());
        rig.settle();
        assert!(rig.fire(true));
        rig.go(|_, _, _| ok());
        assert_eq!(told(&rig, "a"), (attempts.to_owned(), Some(StepOutcome::Failed), Failed), "{semantics}");
    }
}

/// A step that is to be followed by a rollback, and is stopped while nobody knows whether it did its work, is followed by one.
#[test]
fn a_doubt_in_a_call_whose_time_is_over_rolls_back() {
    let main = procedure(
        "steps:\n- {id: first, exec: [first], undo: {exec: [back], idempotent: true}}\n- {id: sub, call: inner@^1, timeout: 10s, on_failure: continue}\n",
    );
    let inner = INNER.replace("timeout: 2h}", "timeout: 2h, on_failure: rollback}");
    let mut rig = Rig::new(plan_among(&[&main, &inner]));
    until(&mut rig, "sub/a", |_| ok());
    rig.end_attempt(unknown());
    rig.settle();
    assert!(rig.fire(true));
    rig.go(|_, _, _| ok());
    assert_eq!(told(&rig, "sub"), (format!("first {WHOLE} first~undo/exec-1"), Some(TimedOut), OutcomeKind::NeedsAttention));
}
