//! Undo, cancel, unknown ends.

use runbook_core::Fact;
use runbook_core::run::decision::Choice;
use runbook_core::run::event::{OutcomeKind, OutcomeKind::*, StepOutcome};

use crate::rig::{Rig, failed, ok, person, plan, play, procedure, unknown};

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
        assert!(rig.run.outcome().unwrap().message.contains("enough"));
    }
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
