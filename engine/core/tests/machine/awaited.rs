//! Waits for events: which event ends which wait, and what ends one without.

use std::time::Duration;

use jiff::Timestamp;
use runbook_core::cloud_event::Status;
use runbook_core::run::event::{AttemptEnd, OutcomeKind, Part, StepOutcome};
use runbook_core::run::listen::Occurrence;
use runbook_core::run::view::Standing;
use runbook_core::{CloudEvent, Fact, Map, Run, RunId, Value};

use crate::rig::{Rig, failed, ok, person, plan, procedure};

/// Event number `number` of `stdin`, `seconds` after the start of a run.
fn event(number: u64, seconds: i64, version: &str) -> Occurrence {
    let event = CloudEvent {
        id: number.to_string(),
        source: "/tests".to_owned(),
        kind: "built".to_owned(),
        subject: None,
        time: None,
        data: Value::Map(Map::from([("version".to_owned(), Value::text(version))])),
        extensions: Map::new(),
        key: version.to_owned(),
        status: Status::Once,
    };
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let received = start.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
    Occurrence { source: "stdin".to_owned(), number, received, event }
}

fn waiting(steps: &str) -> Rig {
    let inputs = Map::from([("version".to_owned(), Value::text("1.2.0"))]);
    let mut rig = Rig::with(plan(&procedure(steps)), inputs, Part::Whole, false);
    rig.go(|_, _, _| ok());
    rig
}

/// Tells the run of an event: the step whose wait it ended.
fn hear(rig: &mut Rig, occurrence: &Occurrence) -> Result<Option<String>, String> {
    let Some(fact) = rig.run.hear(occurrence)? else { return Ok(None) };
    let Fact::AttemptFinished { path, .. } = &fact else { panic!("{fact:?}") };
    let path = path.to_string();
    rig.record(fact);
    rig.go(|_, _, _| ok());
    Ok(Some(path))
}

fn standing(rig: &Rig, path: &str) -> Standing {
    rig.run.find_step(&path.parse().unwrap()).unwrap().standing()
}

fn listening(run: &Run) -> Vec<String> {
    run.listening().iter().map(|listening| listening.path.to_string()).collect()
}

const ONE: &str = "inputs: {version: {type: string, default: 1.2.0}}
steps:
- id: built
  wait: {event: {source: stdin, when: event.data.version == inputs.version}, within: 10m}
  outputs: {what: result.event.type, number: result.number}
- {id: after, exec: [after, '{{steps.built.event.id}}', '{{steps.built.what}}'], effect: read}
";

#[test]
fn the_first_event_that_fits_ends_the_wait() {
    let mut rig = waiting(ONE);
    assert_eq!((standing(&rig, "built"), listening(&rig.run)), (Standing::Listening, vec!["built".to_owned()]));
    assert_eq!(rig.run.under_way(), [], "nobody performs it");
    assert!(rig.run.outcome().is_none());
    let other = Occurrence { source: "runs".to_owned(), ..event(1, 5, "1.2.0") };
    for occurrence in [event(1, 5, "1.3.0"), other] {
        assert!(hear(&mut rig, &occurrence).unwrap_err().contains("no step of the run waits"));
    }
    assert_eq!(hear(&mut rig, &event(2, 6, "1.2.0")), Ok(Some("built".to_owned())));
    assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), ("built after", OutcomeKind::Succeeded));
    let gives = rig.run.find_step(&"built".parse().unwrap()).unwrap().gives().unwrap();
    assert_eq!((gives.get("what"), gives.get("number")), (Some(&Value::text("built")), Some(&Value::Int(2))));
    assert_eq!(gives.get("event").unwrap().get("data").unwrap().get("version"), Some(&Value::text("1.2.0")));
    assert_eq!(hear(&mut rig, &event(2, 6, "1.2.0")), Ok(None), "told once more");
    rig.replayed();
}

#[test]
fn without_one_its_time_ends_it() {
    let mut rig = waiting(ONE);
    assert!(rig.fire(true));
    rig.go(|_, _, _| ok());
    assert_eq!((rig.ended()["built"], rig.outcome()), (StepOutcome::TimedOut, OutcomeKind::Failed));
    let message = &rig.run.outcome().unwrap().message;
    assert_eq!(message, "no event of `stdin` that fits came within 10m");
    assert_eq!(rig.now.to_string(), "2026-01-01T00:10:00Z");
    assert!(hear(&mut rig, &event(1, 700, "1.2.0")).is_err(), "too late");
    // It goes on where it says so.
    let goes_on = ONE.replace("outputs:", "on_failure: continue\n  outputs:").replace("steps.built.event.id", "run.id");
    let mut rig = waiting(&goes_on.replace(", '{{steps.built.what}}'", ""));
    assert!(rig.fire(true));
    rig.go(|_, _, _| ok());
    assert_eq!((rig.attempts.join(" ").as_str(), rig.outcome()), ("built after", OutcomeKind::Succeeded));
}

#[test]
fn a_cancel_and_what_it_stands_in_end_it_too() {
    let mut rig = waiting(ONE);
    rig.record(Fact::CancelRequested { by: person("anna"), undo: false, reason: "enough".to_owned() });
    rig.go(|_, _, _| ok());
    assert_eq!((rig.ended()["built"], rig.outcome()), (StepOutcome::Cancelled, OutcomeKind::Cancelled));
    assert!(!rig.run.listens());
    let beside = "steps:\n- id: fan\n  parallel:\n    left: [{id: news, wait: {event: {source: stdin}, within: 1h}}]\n    right: [{id: bad, exec: [bad], effect: read}]\n";
    let mut rig = Rig::new(plan(&procedure(beside)));
    rig.go(|_, _, _| failed());
    assert_eq!((rig.ended()["fan.left/news"], rig.outcome()), (StepOutcome::Cancelled, OutcomeKind::Failed));
    let around = "steps:\n- id: g\n  timeout: 5m\n  group: [{id: news, wait: {event: {source: stdin}, within: 1h}}]\n";
    let mut rig = waiting(around);
    assert!(rig.fire(true));
    rig.go(|_, _, _| ok());
    assert_eq!((rig.ended()["g"], rig.ended()["g/news"]), (StepOutcome::TimedOut, StepOutcome::Cancelled));
    rig.replayed();
}

#[test]
fn what_came_before_counts_from_the_beginning_of_the_run_or_of_the_wait() {
    // The rig's run has an id of long before, and begins to wait when its clock says so.
    for (since, seconds, ends) in
        [("run", -60, true), ("run", 60, true), ("step", -1, false), ("step", 0, true), ("step", 60, true)]
    {
        let mut rig = waiting(&format!("steps: [{{id: news, wait: {{event: {{source: stdin, since: {since}}}, within: 1h}}}}]\n"));
        assert_eq!(hear(&mut rig, &event(1, seconds, "1.2.0")).is_ok(), ends, "{since} {seconds}");
    }
    // Before the run was asked for there was nobody to wait.
    let rig = waiting("steps: [{id: news, wait: {event: {source: stdin}, within: 1h}}]\n");
    let before = Occurrence { received: Timestamp::UNIX_EPOCH, ..event(1, 0, "1.2.0") };
    assert!(rig.run.hear(&before).is_err());
    assert_eq!(RunId::from_parts(1_767_225_600_123, 7).time().to_string(), "2026-01-01T00:00:00.123Z");
}

#[test]
fn an_event_ends_one_wait_of_a_run_the_first_in_its_order() {
    let steps = "steps:
- id: fan
  parallel:
    left: [{id: any, wait: {event: {source: stdin}, within: 1h}}]
    right: [{id: one, wait: {event: {source: stdin, when: event.data.version == \"1\"}, within: 1h}}]
- {id: last, wait: {event: {source: stdin}, within: 1h}}
";
    let mut rig = waiting(steps);
    assert_eq!(listening(&rig.run), ["fan.left/any", "fan.right/one"]);
    assert_eq!(hear(&mut rig, &event(1, 1, "1")), Ok(Some("fan.left/any".to_owned())));
    assert_eq!(hear(&mut rig, &event(1, 1, "1")), Ok(None));
    assert!(hear(&mut rig, &event(2, 2, "2")).is_err());
    assert_eq!(hear(&mut rig, &event(3, 3, "1")), Ok(Some("fan.right/one".to_owned())));
    // What nothing waited for then counts later.
    assert_eq!(hear(&mut rig, &event(2, 2, "2")), Ok(Some("last".to_owned())));
    assert_eq!(rig.outcome(), OutcomeKind::Succeeded);
}

#[test]
fn the_event_that_started_the_run_ends_none_of_its_waits() {
    let plan = plan(&procedure("steps: [{id: news, wait: {event: {source: stdin}, within: 1h}}]\n"));
    let mut first = Rig::new(plan.clone()).events[0].clone();
    let Fact::RunStarted(started) = &mut first.fact else { panic!("{first:?}") };
    started.event = Some(event(1, 0, "1").event.to_value());
    let mut rig = Rig::new(plan.clone());
    rig.run = Run::new(plan);
    rig.run.apply(&first).unwrap();
    rig.events = vec![first];
    rig.go(|_, _, _| ok());
    assert!(hear(&mut rig, &event(1, 0, "1")).unwrap_err().contains("was started by this event"));
    assert_eq!(hear(&mut rig, &event(2, 0, "1")), Ok(Some("news".to_owned())));
}

#[test]
fn what_its_condition_reads_of_the_run_is_what_was_there_when_it_came_up() {
    let steps = "steps:
- {id: look, exec: [look], effect: read, outputs: {n: result.exit_code}}
- id: many
  each:
    in: '[\"a\", \"b\"]'
    max_parallel: 2
    steps:
    - id: news
      wait:
        event: {source: stdin, when: event.data.version == item && steps.look.n == 0 && now.year == 2026 && !(\"gone\" in steps)}
        within: 1h
- {id: gone, set: {x: '1'}}
";
    let mut rig = waiting(steps);
    let task = rig.run.listening()[1].task.clone();
    assert_eq!(Value::Map(task.names).to_plain_json()["item"], "b");
    assert!(hear(&mut rig, &event(1, 1, "c")).is_err());
    assert_eq!(hear(&mut rig, &event(2, 1, "b")), Ok(Some("many[1]/news".to_owned())));
    assert_eq!(hear(&mut rig, &event(3, 1, "a")), Ok(Some("many[0]/news".to_owned())));
    assert_eq!(rig.outcome(), OutcomeKind::Succeeded);
}

#[test]
fn an_event_that_lacks_what_is_asked_of_it_ends_nothing() {
    let mut rig = waiting("steps: [{id: news, wait: {event: {source: stdin, when: event.data.other.deep > 3}, within: 1h}}]\n");
    assert!(hear(&mut rig, &event(1, 1, "1")).is_err());
    assert_eq!(standing(&rig, "news"), Standing::Listening);
}

#[test]
fn a_process_that_dies_and_a_pause_keep_nobody_from_waiting() {
    let mut rig = waiting(ONE);
    rig.record(Fact::RunAdopted { by: person("anna"), epoch: 2 });
    rig.go(|_, _, _| ok());
    assert_eq!(rig.attempts, ["built"], "it goes on as it was");
    rig.record(Fact::PauseRequested { by: person("anna"), reason: "lunch".to_owned() });
    assert_eq!(hear(&mut rig, &event(1, 1, "1.2.0")), Ok(Some("built".to_owned())));
    assert_eq!(rig.attempts, ["built"], "what is under way ends, and nothing starts");
    rig.record(Fact::ResumeRequested { by: person("anna") });
    rig.go(|_, _, _| ok());
    assert_eq!(rig.outcome(), OutcomeKind::Succeeded);
}

#[test]
fn each_round_waits_for_an_event_of_its_own() {
    let steps = "steps:
- id: twice
  repeat: {until: steps.news.number > 2, times: 3, steps: [{id: news, wait: {event: {source: stdin}, within: 1h}}]}
";
    let mut rig = waiting(steps);
    for (number, path) in [(1, "twice[1]/news"), (2, "twice[2]/news"), (3, "twice[3]/news")] {
        assert_eq!(hear(&mut rig, &event(number, 1, "1")), Ok(Some(path.to_owned())));
    }
    assert_eq!(rig.outcome(), OutcomeKind::Succeeded);
    rig.replayed();
}

#[test]
fn an_attempt_that_ends_otherwise_is_taken_as_such() {
    let mut rig = waiting(ONE);
    // As where the event is too large for a record.
    let end = AttemptEnd::Failed {
        failure: runbook_core::run::event::Failure { message: "too large".to_owned(), at: None, detail: None },
        result: Value::Null,
    };
    rig.record(Fact::AttemptFinished { path: "built".parse().unwrap(), attempt: 1, end });
    rig.go(|_, _, _| ok());
    assert_eq!((rig.ended()["built"], rig.outcome(), rig.run.listens()), (StepOutcome::Failed, OutcomeKind::Failed, false));
    assert!(
        rig.now.duration_since("2026-01-01T00:00:00Z".parse().unwrap())
            < jiff::SignedDuration::try_from(Duration::from_secs(60)).unwrap()
    );
}
