//! Approvals: quorum, rejection, expiry, escalation, change of what was shown.

use runbook_core::run::decision::{Choice, Purpose, Standing, Verdict};
use runbook_core::run::event::{OutcomeKind::*, StepOutcome};
use runbook_core::run::{Command, Refusal};
use runbook_core::{DecisionId, Fact};

use crate::rig::{Rig, ok, plan, plan_among, procedure};

const ASK: &str = "steps:
- id: go
  approve: {question: Really?, count: 2, within: 10m}
- {id: a, exec: [a], irreversible: gone}
";

fn asked(steps: &str) -> Rig {
    let mut rig = Rig::new(plan(&procedure(steps)));
    rig.go(|_, _, _| ok());
    rig
}

#[test]
fn a_quorum_of_two_needs_two_people() {
    let mut rig = asked(ASK);
    rig.vote("anna", Choice::Approve);
    rig.go(|_, _, _| ok());
    assert!(rig.attempts.is_empty());
    let (id, again) = rig.vote_of("anna", Choice::Approve);
    assert_eq!(rig.run.check_vote(id, &again), Ok(Verdict::AlreadySaid));
    let (_, other) = rig.vote_of("anna", Choice::Reject);
    assert!(matches!(rig.run.check_vote(id, &other), Err(Refusal::Conflict { .. })));
    rig.vote("bob", Choice::Approve);
    rig.go(|_, _, _| ok());
    assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), ("a", Succeeded));
}

#[test]
fn one_rejection_rejects() {
    let mut rig = asked(ASK);
    rig.vote("anna", Choice::Approve);
    rig.vote("bob", Choice::Reject);
    rig.go(|_, _, _| ok());
    assert_eq!((rig.attempts.len(), rig.outcome()), (0, Rejected));
    assert!(rig.run.outcome().unwrap().message.contains("bob"));
}

#[test]
fn expiry_never_means_yes() {
    for (on_timeout, outcome) in [("fail", Failed), ("reject", Rejected)] {
        let mut rig = asked(&ASK.replace("within: 10m", &format!("within: 10m, on_timeout: {on_timeout}")));
        rig.fire(true);
        rig.go(|_, _, _| ok());
        assert_eq!((rig.attempts.len(), rig.outcome()), (0, outcome));
        let late = rig.run.decisions()[0].votes.first().cloned();
        assert_eq!(late, None);
    }
}

#[test]
fn escalation_asks_the_next_rung_and_ends() {
    let workspace = "apiVersion: runbook/v1
kind: Workspace
people: {anna: {}, bob: {}, cleo: {}}
groups: {first: [anna], second: [bob], third: [cleo]}
escalations:
  ladder:
    steps:
    - {to: [second], after: 5m}
    - {to: [third], after: 5m}
";
    let main = procedure(
        "escalation: ladder\nsteps:\n- id: go\n  approve: {question: Really?, from: [first], within: 10m, on_timeout: escalate}\n- {id: a, exec: [a], irreversible: gone}\n",
    );
    let mut rig = Rig::new(plan_among(&[&main, workspace]));
    let start = rig.now;
    rig.go(|_, _, _| ok());
    let asked = |rig: &Rig| rig.run.decisions()[0].asked.join(" ");
    assert_eq!(asked(&rig), "first");
    rig.fire(true);
    assert_eq!((asked(&rig).as_str(), rig.now.duration_since(start).as_secs()), ("first second", 600));
    rig.fire(true);
    assert_eq!((asked(&rig).as_str(), rig.now.duration_since(start).as_secs()), ("first second third", 900));
    let mut late = Rig { run: rig.run.clone(), events: rig.events.clone(), ..Rig::new(rig.run.plan().clone()) };
    late.now = rig.now;
    late.vote("cleo", Choice::Approve);
    late.go(|_, _, _| ok());
    assert_eq!(late.outcome(), Succeeded);
    rig.fire(true);
    rig.go(|_, _, _| ok());
    assert_eq!((rig.outcome(), rig.ended()["go"]), (Failed, StepOutcome::TimedOut));
}

#[test]
fn a_vote_names_the_digest_of_what_was_shown() {
    let rig = asked(ASK);
    let (id, mut vote) = rig.vote_of("anna", Choice::Approve);
    vote.digest = runbook_core::Digest::of_bytes(b"something else");
    assert!(matches!(rig.run.check_vote(id, &vote), Err(Refusal::OtherDigest { .. })));
    assert_eq!(rig.run.check_vote(DecisionId(9), &vote), Err(Refusal::NoSuchDecision(DecisionId(9))));
}

/// A request that shows something else than what the run would do now, as after a repair of the record by hand.
#[test]
fn an_answer_to_something_else_than_what_would_run_is_void() {
    let mut rig = Rig::new(plan(&procedure(ASK)));
    while !rig.run.pending().iter().any(|c| matches!(c, Command::Request { .. })) {
        let path = rig.run.pending().into_iter().find_map(|c| if let Command::Resolve { path } = c { Some(path) } else { None });
        let fact = rig.run.resolve(&path.expect("a step to resolve"), rig.now).unwrap();
        rig.record(fact);
    }
    let asked = rig.run.request(Some(&"go".parse().unwrap()), &Purpose::Approve, rig.now).unwrap();
    let Fact::DecisionRequested { decision, path, purpose, mut request } = asked else { panic!("{asked:?}") };
    request.next[0].title = "something harmless".to_owned();
    request.digest = request.compute_digest().unwrap();
    rig.record(Fact::DecisionRequested { decision, path, purpose, request });
    let (id, vote) = rig.vote_of("anna", Choice::Approve);
    match rig.run.check_vote(id, &vote) {
        Ok(Verdict::Record(fact @ Fact::DecisionVoided { .. })) => rig.record(fact),
        other => panic!("{other:?}"),
    }
    rig.settle();
    assert_eq!(rig.run.decisions().len(), 2);
    assert_eq!(rig.run.decisions()[0].standing, Standing::Voided);
    assert!(matches!(rig.run.check_vote(id, &vote), Err(Refusal::Closed(..))));
    let (id, vote) = rig.vote_of("anna", Choice::Approve);
    assert!(matches!(rig.run.check_vote(id, &vote), Ok(Verdict::Record(Fact::Decided { .. }))));
}

/// What else becomes known while people think does not void their answer.
#[test]
fn a_branch_beside_the_question_does_not_void_the_answer() {
    let steps = "steps:
- id: fan
  parallel:
    left:
    - id: go
      approve: {question: Really?}
    - {id: b, exec: [b], irreversible: gone}
    right:
    - {id: a, exec: [a], effect: read}
";
    let mut rig = Rig::new(plan(&procedure(steps)));
    rig.settle();
    let (id, vote) = rig.vote_of("anna", Choice::Approve);
    rig.go(|_, _, _| ok());
    assert_eq!(rig.attempts, ["fan.right/a"]);
    assert!(matches!(rig.run.check_vote(id, &vote), Ok(Verdict::Record(Fact::Decided { .. }))));
}

#[test]
fn a_request_shows_what_runs_next() {
    let steps = "steps:
- {id: lag, exec: [lag], effect: read, outputs: {seconds: result.exit_code + 41}}
- id: go
  approve: {question: \"{{steps.lag.seconds}} s behind. Go?\"}
- {id: drain, name: Take it out, exec: [drain], undo: {name: Put it back, exec: [enable]}}
- {id: rebuild, exec: [rebuild, \"{{steps.drain.stdout}}\"], irreversible: the data is gone}
- id: again
  approve: {question: More?}
- {id: after, exec: [after], effect: read}
";
    let rig = asked(steps);
    let request = &rig.run.decisions()[0].request;
    assert_eq!(request.question, "41 s behind. Go?");
    let shown: Vec<String> = request.next.iter().map(|n| format!("{} {} {}", n.path, n.effect, n.title)).collect();
    assert_eq!(shown, ["drain change Take it out", "rebuild change rebuild", "again none again"]);
    assert_eq!(request.unknown, ["steps.drain"]);
    assert!(request.known.contains(&("steps.lag.seconds".to_owned(), "41".to_owned())), "{:?}", request.known);
    assert_eq!(request.compute_digest().as_ref(), Some(&request.digest));
}

#[test]
fn a_freeze_stops_changes_and_neither_looks_messages_nor_undo() {
    let workspace = "apiVersion: runbook/v1
kind: Workspace
environments:
  live:
    default: true
    freeze: [{from: 2026-01-01T00:00:05Z, to: 2026-01-02T00:00:00Z, reason: year end}]
channels: {ops: {log: {}}}
";
    let steps = procedure(
        "steps:
- {id: early, exec: [early], undo: {exec: [back]}}
- {wait: {for: 10s, within: 1m}}
- {id: look, exec: [look], effect: read}
- {id: tell, notify: {to: [ops], message: hello}}
- {id: late, exec: [late], irreversible: gone, on_failure: rollback}
",
    );
    let mut rig = Rig::new(plan_among(&[&steps, workspace]));
    rig.go(|_, _, _| ok());
    assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), ("early look tell early~undo/exec-1", RolledBack));
    let message = &rig.run.outcome().unwrap().message;
    assert!(message.contains("year end"), "{message}");
}
