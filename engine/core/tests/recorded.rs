//! Runs written down as cases: what a case says of a run is what its record says.

use std::sync::Arc;
use std::time::Duration;

use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::test::Test;
use runbook_core::document::{Document, load};
use runbook_core::run::event::{AttemptEnd, Evaluated};
use runbook_core::trial::{Recorded, play, record};
use runbook_core::{Event, Fact, Plan, RunId, Value};

fn plan(steps: &str) -> Arc<Plan> {
    written(&format!("apiVersion: runbook/v1\nkind: Runbook\nname: try\nversion: 1.0.0\n{steps}"))
}

fn written(text: &str) -> Arc<Plan> {
    let (Some(Document::Procedure(procedure)), found) = load(&Source::new("try.yaml", text)) else { panic!("{text}") };
    assert!(!found.has_errors(), "{text}\n{found:#?}");
    let (plan, found) = check(&procedure, &Catalogue::new([&*procedure], None), &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")))
}

fn test(cases: &str) -> (Source, Box<Test>) {
    let text = format!("apiVersion: runbook/v1\nkind: Test\nprocedure: try\ncases:\n{cases}");
    let source = Source::new("try.test.yaml", text.as_str());
    let (Some(Document::Test(test)), found) = load(&source) else { panic!("{text}") };
    assert!(!found.has_errors(), "{text}\n{found:#?}");
    (source, test)
}

/// The case of the run that a case comes to; it passes.
#[track_caller]
fn again(plan: &Arc<Plan>, setting: &str) -> Recorded {
    let (source, once) = test(&format!("  - {{name: once, {setting}, expect: {{record: {{run_started: 1}}}}}}\n"));
    let trial = play(&once.cases[0], &source, plan);
    assert!(trial.passed(), "{:#?}", trial.faults);
    let recorded = record(plan, &trial.events, "again").unwrap();
    let (source, twice) = test(&recorded.item);
    let trial = play(&twice.cases[0], &source, plan);
    assert!(trial.passed(), "{}\n{:#?}", recorded.item, trial.faults);
    recorded
}

const PLAYBOOK: &str = "apiVersion: runbook/v1
kind: Playbook
name: try
version: 1.0.0
owner: dba
impact: low
escalation: post
triggers: [{source: stdin}]
steps:
  - {id: look, exec: [df, '{{event.data.disk}}'], effect: read, if: 'event.status == \"firing\"'}
";

#[test]
fn the_event_that_started_a_run_is_in_its_case() {
    let plan = written(PLAYBOOK);
    let setting = "event: {data: {disk: sda, odd: 1e3}, status: firing, key: disk/sda, time: 2026-11-21T09:59:00.25Z}";
    let recorded = again(&plan, setting);
    assert_eq!(recorded.notes, Vec::<String>::new(), "{}", recorded.item);
    let (source, test) = test(&recorded.item);
    let trial = play(&test.cases[0], &source, &plan);
    let once = play(&self::test(&format!("  - {{name: once, {setting}, expect: {{steps: [look]}}}}\n")).1.cases[0], &source, &plan);
    assert!(once.passed(), "{:#?}", once.faults);
    assert_eq!(trial.run.start().unwrap().event, once.run.start().unwrap().event, "{}", recorded.item);
    assert!(recorded.item.contains("look: [df, sda]"), "{}", recorded.item);
}

#[test]
fn a_playbook_that_reads_its_event_is_not_tried_without_one() {
    let plan = written(PLAYBOOK);
    let (source, test) = test("  - {name: none, expect: {outcome: succeeded}}\n");
    let trial = play(&test.cases[0], &source, &plan);
    let [fault] = trial.faults.as_slice() else { panic!("{:#?}", trial.faults) };
    let because = "`event.status == \"firing\"` depends on event";
    assert_eq!(fault.message, format!("`none` cannot be played: nothing says of `look` whether it runs: {because}"));
    assert_eq!(fault.help.as_deref(), Some("say under `event` of the case which one starts it"));
}

const BRANCHES: &str = "steps:
  - id: both
    parallel:
      left: [{id: a, run: a, effect: read}]
      right: [{id: b, run: b, effect: read}]
  - {id: last, run: last, effect: read, timeout: 2s}
";

#[test]
fn a_case_takes_as_long_as_the_run_took() {
    for (setting, said) in [
        ("steps: {a: {takes: 1s}, b: {takes: 5s}}", &[("a", 1), ("b", 5), ("last", 0)][..]),
        ("steps: {a: {takes: 5s}, b: {takes: 1s}, last: {takes: 1s}}", &[("a", 5), ("b", 1), ("last", 1)]),
        ("steps: {a: {takes: 3s}, b: {takes: 3s}}", &[("a", 3), ("b", 3), ("last", 0)]),
        ("steps: {a: {takes: 1s}, b: {takes: 30s}}, cancel: {after: 4s}", &[("a", 1)]),
    ] {
        let recorded = again(&plan(BRANCHES), setting);
        assert_eq!(recorded.notes, Vec::<String>::new(), "{}", recorded.item);
        let (_, test) = test(&recorded.item);
        let case = &test.cases[0].setting;
        for (name, seconds) in said {
            let takes = case.steps.iter().find(|(step, _)| step.value == *name).map(|(_, list)| list[0].takes);
            assert_eq!(takes.unwrap_or_default(), Duration::from_secs(*seconds), "`{name}` of {setting}:\n{}", recorded.item);
        }
        let cancel = case.cancel.as_ref().map(|cancel| cancel.after);
        assert_eq!(cancel, setting.contains("cancel").then_some(Duration::from_secs(4)), "{}", recorded.item);
    }
}

/// What the events say that a step gave.
fn giving(events: &mut [Event], step: &str, member: &str, value: &Value) {
    for event in events {
        if let Fact::AttemptFinished { path, end: AttemptEnd::Succeeded { result: Value::Map(members) }, .. } = &mut event.fact
            && path.label() == step
        {
            members.insert(member.to_owned(), value.clone());
        }
    }
}

const ODD: &str = "steps:
  - {id: odd, run: odd, effect: read, outputs: {j: result.json}}
  - {id: last, run: last, effect: read}
outputs: {j: steps.odd.j}
";

#[test]
fn what_a_file_cannot_say_is_left_out() {
    let of = |key: String| Value::Map([(key, Value::Int(1)), ("b".to_owned(), Value::Int(2))].into());
    let deep = |levels: usize| (1..levels).fold(Value::Int(1), |inner, _| Value::List(vec![inner]));
    let long = Value::List((0..40_000).map(Value::Int).collect());
    for (what, value, is_left_out) in [
        ("a usual key", of("a".to_owned()), false),
        ("a key that must be in quotes", of("a: {#\n".to_owned()), false),
        ("a key with a line end of other programs", of("a\u{2028}b".to_owned()), true),
        ("a key that cannot be seen", of("\u{200b}".to_owned()), true),
        ("a long key", of("k".repeat(1_100)), true),
        ("levels", deep(40), false),
        ("many levels", deep(63), true),
        ("many values", long, true),
    ] {
        let plan = plan(ODD);
        let said = "  - {name: once, steps: {odd: {json: 1}, last: ok}, expect: {outcome: succeeded}}\n";
        let (source, once) = test(said);
        let mut events = play(&once.cases[0], &source, &plan).events;
        giving(&mut events, "odd", "json", &value);
        for event in &mut events {
            if let Fact::StepConcluded { path, outputs: Evaluated::Value(outputs) } = &mut event.fact
                && path.label() == "odd"
            {
                outputs.insert("j".to_owned(), value.clone());
            }
        }
        let recorded = record(&plan, &events, "again").unwrap_or_else(|why| panic!("{what}: {why}"));
        let (source, twice) = test(&recorded.item);
        let faults = play(&twice.cases[0], &source, &plan).faults;
        assert!(is_left_out || faults.is_empty(), "{what}: {faults:#?}");
        let notes = recorded.notes.iter().any(|note| note.contains("left out") || note.contains("not expected"));
        assert_eq!(notes, is_left_out, "{what}: {:#?}", recorded.notes);
    }
}

#[test]
fn what_no_timing_brings_about_leaves_the_coarsest() {
    let steps = "steps: [{id: a, run: 'echo {{run.id}}', effect: read}, {id: b, run: b, effect: read}]\n";
    let plan = plan(steps);
    let (source, once) = test("  - {name: once, steps: {a: {takes: 1200ms}, b: {takes: 30ms}}, expect: {outcome: succeeded}}\n");
    // Of another run.
    let (own, other) = (RunId::from_parts(0, 1).to_string(), RunId::from_parts(7, 7).to_string());
    let events: Vec<Event> = play(&once.cases[0], &source, &plan)
        .events
        .iter()
        .map(|event| serde_json::from_str(&serde_json::to_string(event).unwrap().replace(&own, &other)).unwrap())
        .collect();
    let recorded = record(&plan, &events, "again").unwrap();
    assert!(recorded.item.contains("takes: 1s") && !recorded.item.contains("ms"), "{}", recorded.item);
    assert!(recorded.notes.iter().any(|note| note.contains("`a` would run")), "{:#?}", recorded.notes);
}
