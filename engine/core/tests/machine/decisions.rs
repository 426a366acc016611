//! Approvals: quorum, rejection, expiry, escalation, change of what was shown.

use runbook_core::run::decision::{Choice, Purpose, Standing, Undo, Verdict};
use runbook_core::run::event::{OutcomeKind::*, Part, StepOutcome, Vote};
use runbook_core::run::task::Task;
use runbook_core::run::{Command, Refusal};
use runbook_core::{DecisionId, Fact, Map, Value};

use crate::rig::{Rig, failed, ok, plan, plan_among, procedure, unknown};

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

/// Versions before showed of an undo its titles alone: what they asked is still to be decided, and what else they showed compared.
#[test]
fn a_question_of_before_is_still_the_one_that_was_asked() {
    let steps = "steps: [{id: go, approve: {question: Really?}}, {id: a, exec: [a], undo: {exec: [back, a]}}]\n";
    let plan = plan(&procedure(steps));
    let mut now = Rig::new(plan.clone());
    now.go(|_, _, _| ok());
    for (title, counts) in [(None, true), (Some("another"), false)] {
        let mut before = Rig::new(plan.clone());
        for mut fact in now.events.iter().skip(1).map(|event| event.fact.clone()) {
            if let Fact::DecisionRequested { request, .. } = &mut fact {
                let next = &mut request.next[0];
                assert!(matches!(next.undo, Undo::Does(_)));
                next.undo = Undo::Steps(vec!["back a".to_owned()]);
                next.title = title.map_or_else(|| next.title.clone(), str::to_owned);
                request.digest = request.compute_digest().unwrap();
            }
            before.record(fact);
        }
        let (id, vote) = before.vote_of("anna", Choice::Approve);
        let verdict = before.run.check_vote(id, &vote);
        assert_eq!(matches!(verdict, Ok(Verdict::Record(Fact::Decided { .. }))), counts, "{verdict:?}");
    }
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

/// A window that closes while people think, or between two attempts, holds back what has not started.
#[test]
fn a_freeze_that_begins_before_the_start_stops_the_step() {
    let workspace = "apiVersion: runbook/v1
kind: Workspace
people: {anna: {}}
environments:
  live:
    default: true
    freeze: [{from: 2026-01-01T00:05:00Z, to: 2026-01-02T00:00:00Z, reason: year end}]
policies:
- {name: changes, when: {effect: change}, require: {approve: {from: [anna]}}}
";
    let steps = procedure("steps:\n- {id: late, exec: [late], irreversible: gone}\n- {id: look, exec: [look], effect: read}\n");
    for (minutes, attempts, outcome) in [(4, "late look", Succeeded), (6, "", Failed)] {
        let mut rig = Rig::new(plan_among(&[&steps, workspace]));
        rig.go(|_, _, _| ok());
        rig.now = rig.now.saturating_add(std::time::Duration::from_secs(minutes * 60)).unwrap();
        rig.vote("anna", Choice::Approve);
        rig.go(|_, _, _| ok());
        assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), (attempts, outcome), "after {minutes} minutes");
    }
}

/// What is shown of a step that waits at a gate is what it was resolved to; what will only be known later is not guessed.
#[test]
fn the_time_of_asking_is_not_the_time_of_running() {
    let workspace = "apiVersion: runbook/v1
kind: Workspace
people: {anna: {}}
policies:
- {name: losses, when: {effect: destructive}, require: {approve: {from: [anna]}}}
";
    let steps = procedure(
        "steps:
- {id: nap, wait: {for: 1m}}
- {id: wipe, exec: [wipe, \"{{now}}\"], effect: destructive, irreversible: gone}
- {id: mark, exec: [mark, \"{{now}}\"], irreversible: gone}
",
    );
    let mut rig = Rig::new(plan_among(&[&steps, workspace]));
    rig.go(|_, _, _| ok());
    let request = rig.run.decisions()[0].request.clone();
    let shown = |place: usize| format!("{:?}", request.next[place].work.as_ref().unwrap().task);
    let resolved = rig.run.find_step(&"wipe".parse().unwrap()).unwrap().work().cloned().unwrap();
    assert_eq!(request.next[0].work.as_ref(), Some(&*resolved));
    assert!(shown(0).contains("2026-01-01T00:01:00Z") && shown(1).contains("‹now›"), "{} {}", shown(0), shown(1));
    assert_eq!(request.unknown, ["now"]);
    // Later, the answer is still to the same question.
    rig.now = rig.now.saturating_add(std::time::Duration::from_secs(60)).unwrap();
    let (id, vote) = rig.vote_of("anna", Choice::Approve);
    assert!(matches!(rig.run.check_vote(id, &vote), Ok(Verdict::Record(Fact::Decided { .. }))));
}

#[test]
fn a_request_shows_what_is_inside() {
    let main = procedure(
        "inputs: {hosts: {type: list, items: {type: host}, default: [web-1, web-2]}}
steps:
- {id: lag, exec: [lag], effect: read, outputs: {n: result.exit_code}}
- id: go
  approve: {question: Go?}
- id: each_host
  each: {in: inputs.hosts, as: host, steps: [{id: stop, exec: [stop, \"{{host}}\"], irreversible: stopped}]}
- choose:
  - when: steps.lag.n == 0
    steps: [{id: yes, exec: [yes], effect: read}]
  - otherwise: [{id: no, exec: [no], effect: read}]
- {id: late0, exec: [late], effect: read, outputs: {n: result.exit_code}}
- choose:
  - when: steps.late0.n == 0
    steps: [{id: maybe, exec: [maybe], effect: read}]
  - otherwise: [{id: never, exec: [never], effect: read}]
- {id: late, exec: [late], effect: read, outputs: {n: result.exit_code}}
- {id: sub, call: sub@^1, with: {table: '\"t-\" + steps.late.n', row: 7}}
",
    );
    let called = "apiVersion: runbook/v1
kind: Runbook
name: sub
version: 1.0.0
inputs: {table: {type: string}, row: {type: integer}, mode: {type: string, default: fast}}
steps:
- {id: drop, exec: [drop, \"{{inputs.table}}\", \"{{inputs.row}}\", \"{{inputs.mode}}\"], effect: destructive, irreversible: gone}
- id: sure
  approve: {question: Sure?}
- {id: never_shown, exec: [x], effect: read}
";
    let hosts = Map::from([("hosts".to_owned(), Value::List(vec![Value::text("web-1"), Value::text("web-2")]))]);
    let mut rig = Rig::with(plan_among(&[&main, called]), hosts, Part::Whole, false);
    rig.go(|_, _, _| ok());
    let request = &rig.run.decisions()[0].request;
    let shown: Vec<String> = request
        .next
        .iter()
        .map(|n| {
            let argv = match n.work.as_ref().map(|w| &w.task) {
                Some(Task::Exec { argv }) => format!(": {}", argv.join(" ")),
                _ => String::new(),
            };
            let notes = [&n.items, &n.condition].into_iter().flatten().map(|note| format!(" ({note})")).collect::<String>();
            format!("{}{argv}{notes}", n.path)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "each_host (2 items: [\"web-1\",\"web-2\"])",
            "each_host[0]/stop: stop ‹host›",
            "choose-4",
            "choose-4/yes: yes",
            "late0: late",
            "choose-6",
            "choose-6/maybe: maybe (steps.late0.n == 0)",
            "choose-6/never: never",
            "late: late",
            "sub",
            "sub/drop: drop ‹steps.late› 7 fast",
            "sub/sure",
        ]
    );
}

#[test]
fn a_request_is_never_too_large_for_the_record() {
    let long = "x".repeat(9_000);
    let steps: String = (0..20).map(|n| format!("- {{id: s{n}, run: 'echo {long}', effect: read}}\n")).collect();
    let many: String = (0..300).map(|n| format!("- {{id: t{n}, exec: [t], effect: read}}\n")).collect();
    let rig = asked(&format!("steps:\n- id: go\n  approve: {{question: Go?}}\n{steps}{many}"));
    let request = &rig.run.decisions()[0].request;
    assert!(serde_json::to_vec(&**request).unwrap().len() < runbook_core::limits::EVENT_BYTES - 1024);
    let (shown, hidden): (Vec<_>, Vec<_>) = request.next.iter().partition(|n| n.work.is_some());
    assert!(!shown.is_empty() && !hidden.is_empty(), "{} {}", shown.len(), hidden.len());
    assert!(hidden.iter().all(|n| n.digest.is_some()) && shown.iter().all(|n| n.digest.is_none()));
    assert!(request.unknown.iter().any(|u| u.starts_with("further steps")), "{:?}", request.unknown);
}

#[test]
fn answers_are_of_what_was_asked() {
    let rig =
        asked("steps:\n- id: q\n  ask: {question: How many?, fields: {n: {type: integer}, why: {type: string, default: none}}}\n");
    let (id, vote) = rig.vote_of("anna", Choice::Approve);
    let answers = |pairs: &[(&str, Value)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect::<Map>();
    for (given, expect) in [
        (answers(&[("n", Value::Int(3))]), Ok(answers(&[("n", Value::Int(3)), ("why", Value::text("none"))]))),
        (answers(&[]), Err("answer `n`: it is missing")),
        (answers(&[("n", Value::text("many"))]), Err("answer `n`: ")),
        (answers(&[("n", Value::Int(3)), ("m", Value::Int(3))]), Err("answer `m`: there is no such")),
    ] {
        match (rig.run.check_vote(id, &Vote { answers: given.clone(), ..vote.clone() }), expect) {
            (Ok(Verdict::Record(Fact::Decided { vote, .. })), Ok(expect)) => assert_eq!(vote.answers, expect),
            (Err(refusal), Err(why)) => assert!(refusal.to_string().starts_with(why), "{refusal}"),
            (found, expect) => panic!("{given:?}: {found:?} is not {expect:?}"),
        }
    }
    let rig = asked("steps:\n- id: hand\n  manual: {do: Press it, evidence: a picture}\n  irreversible: pressed\n");
    let (id, vote) = rig.vote_of("anna", Choice::Approve);
    for (given, taken) in [
        (answers(&[]), false),
        (answers(&[("evidence", Value::text(" "))]), false),
        (answers(&[("evidence", Value::text("p.png"))]), true),
    ] {
        assert_eq!(rig.run.check_vote(id, &Vote { answers: given.clone(), ..vote.clone() }).is_ok(), taken, "{given:?}");
    }
    let rig = asked(ASK);
    let (id, vote) = rig.vote_of("anna", Choice::Approve);
    let smuggled = Vote { answers: answers(&[("granted", Value::Bool(true))]), ..vote };
    assert!(matches!(rig.run.check_vote(id, &smuggled), Err(Refusal::Answers(_))));
}

/// A called procedure climbs its own ladder.
#[test]
fn a_called_procedure_escalates_as_it_says() {
    let workspace = "apiVersion: runbook/v1
kind: Workspace
people: {anna: {}, bob: {}, cleo: {}}
escalations:
  outer: {steps: [{to: [bob], after: 5m}]}
  inner: {steps: [{to: [cleo], after: 5m}]}
";
    let ask = "- id: go\n  approve: {question: Really?, from: [anna], within: 10m, on_timeout: escalate}\n";
    let called = format!("apiVersion: runbook/v1\nkind: Runbook\nname: sub\nversion: 1.0.0\nescalation: inner\nsteps:\n{ask}");
    let main = procedure("escalation: outer\nsteps:\n- {id: sub, call: sub@^1}\n");
    let mut rig = Rig::new(plan_among(&[&main, &called, workspace]));
    rig.go(|_, _, _| ok());
    rig.fire(true);
    assert_eq!(rig.run.decisions()[0].asked, ["anna", "cleo"]);
}

/// What the author says stands where it is needed: why something is done, and what a person does where only a person can go on.
#[test]
fn what_the_author_says_is_part_of_the_request() {
    let steps = "steps:
- {id: a, exec: [a], by_hand: \"run a on {{run.name}}\", undo: {exec: [un-a], by_hand: remove a}}
- id: go
  why: Nothing reads it any more.
  approve: {question: Really?, within: 10m}
- {id: b, why: \"It is {{steps.a.exit_code}}.\", exec: [b], irreversible: gone, on_failure: rollback}
";
    let last = |rig: &Rig| rig.run.decisions().last().unwrap().request.clone();
    let mut rig = Rig::new(plan(&procedure(steps)));
    rig.go(|_, path, _| match path {
        "a" => unknown(),
        _ => ok(),
    });
    assert!(last(&rig).question.ends_with("\nBy hand: run a on test"), "{}", last(&rig).question);
    rig.vote("operator", Choice::Again);
    rig.go(|_, path, _| if path == "a" { ok() } else { failed() });
    assert_eq!(last(&rig).question, "Really?\nWhy: Nothing reads it any more.");
    assert_eq!(last(&rig).next[0].why.as_deref(), Some("It is 0."));
    rig.vote("operator", Choice::Approve);
    rig.go(|_, _, _| failed());
    assert!(last(&rig).question.ends_with("\nBy hand: remove a"), "{}", last(&rig).question);
}

#[test]
fn values_that_are_not_shown_are_told_of() {
    let many: String = (0..60).map(|n| format!("v{n}: {n}, ")).collect();
    let rig = asked(&format!("steps:\n- id: many\n  set: {{{many}}}\n- id: go\n  approve: {{question: Really?, within: 1h}}\n"));
    let request = rig.run.decisions()[0].request.clone();
    assert_eq!(request.known.len(), 50);
    assert!(request.unknown.iter().any(|text| text.contains("10 more values")), "{:?}", request.unknown);
}
