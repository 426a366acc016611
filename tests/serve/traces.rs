//! Runs as a collector of OpenTelemetry sees them.

use crate::harness::collector::{Collector, Span};
use crate::harness::eventually;
use crate::server::{Place, TOKEN, playbook};

const STEPS: &str = "
  - {id: look, run: 'echo seen', effect: read}
  - id: mend
    group:
      - {id: turn, name: Turn it, run: 'true', undo: {id: back, run: 'true'}}
  - {id: proof, run: 'exit 3', effect: read, on_failure: rollback}
";

const SENDER: &str = "
apiVersion: runbook/v1
kind: Playbook
name: told
version: 1.0.0
owner: o
impact: low
escalation: e
triggers: [{source: things}]
steps: [{id: hear, run: 'true', effect: none}]
";

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name}: {spans:#?}"))
}

#[test]
fn a_run_is_one_trace_with_its_steps_and_links_to_the_event_that_caused_it() {
    let collector = Collector::start();
    let place = Place::with(&playbook("1.0.0", "", STEPS));
    place.write("told.yaml", SENDER);
    let server = place.start(&["serve", "--listen", "127.0.0.1:0", "--log", "json", "--traces", &collector.url]);
    assert_eq!(server.alert("firing", &["db1"]).status, 202);
    let ended = place.run_that("ended");
    assert_eq!(ended["outcome"], "rolled_back", "{ended}");
    let spans = eventually("a trace", || Some(collector.spans()).filter(|spans| spans.iter().any(|span| span.name == "fix")));
    let whole = named(&spans, "fix");
    assert!(whole.text.contains(&format!("runbook.run: Str({})", ended["run"].as_str().unwrap())), "{}", whole.text);
    assert!(whole.status.contains("proof") || !whole.status.is_empty(), "why it failed: {}", whole.text);
    let [look, mend, turn, proof] = ["look", "mend", "Turn it", "proof"].map(|name| named(&spans, name));
    for step in [look, mend, proof] {
        assert_eq!((&step.trace, &step.parent), (&whole.trace, &whole.id), "{}", step.text);
    }
    assert_eq!((&turn.trace, &turn.parent), (&whole.trace, &mend.id));
    assert!(proof.text.contains("STATUS_CODE_ERROR") && proof.status.contains('3'), "{}", proof.text);
    assert!(!look.text.contains("STATUS_CODE_ERROR"), "{}", look.text);
    let cause = spans.iter().find(|span| span.name.starts_with("alerts ")).expect("the event");
    assert_ne!(cause.trace, whole.trace);
    assert!(whole.text.contains(&cause.trace) && whole.text.contains(&cause.id), "a link: {}", whole.text);

    // An event that says whose trace it is of is told of there.
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let bearer = format!("Bearer {TOKEN}");
    let traceparent = format!("00-{trace}-{parent}-01");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("ce-id", "1"),
        ("ce-source", "/door"),
        ("ce-type", "rang"),
        ("ce-specversion", "1.0"),
        ("ce-traceparent", &traceparent),
    ];
    assert_eq!(server.ask("POST", "/events/things", &headers, "{}").status, 202);
    let spans = eventually("its trace", || Some(collector.spans()).filter(|spans| spans.iter().any(|span| span.name == "told")));
    let rang = named(&spans, "things rang");
    assert_eq!((rang.trace.as_str(), rang.parent.as_str()), (trace, parent));
    assert!(named(&spans, "told").text.contains(trace), "a link: {}", named(&spans, "told").text);
    let count = |name: &str| spans.iter().filter(|span| span.name == name).count();
    assert_eq!((count("fix"), count("told"), count("look")), (1, 1, 1), "each is told once");
    server.stopped();
}

#[test]
fn an_undo_is_told_as_what_it_is_and_runs_that_people_started_are_told_too() {
    let collector = Collector::start();
    let place = Place::with(&playbook("1.0.0", "", "[{run: 'true'}]"));
    let steps = "[{id: turn, run: 'true', undo: {id: back, name: Turn it back, run: 'true'}}]";
    place.write("turn.yaml", &format!("apiVersion: runbook/v1\nkind: Runbook\nname: turn\nversion: 1.0.0\nsteps: {steps}\n"));
    let server = place.start(&["serve", "--listen", "127.0.0.1:0", "--log", "json", "--traces", &collector.url]);
    place.runbook.run(["exec", "turn", "--yes"]).assert(0);
    eventually("a trace", || collector.spans().into_iter().find(|span| span.name == "turn"));
    let run = place.runs()[0]["run"].as_str().unwrap().to_owned();
    place.runbook.run(["undo", &run, "--yes"]).assert(0);
    let undo = eventually("the undo", || collector.spans().into_iter().find(|span| span.name == "undo turn"));
    let spans = collector.spans();
    let (whole, back) = (named(&spans, "turn"), named(&spans, "Turn it back"));
    assert_eq!((&undo.trace, &back.trace, &back.parent), (&whole.trace, &whole.trace, &undo.id));
    assert!(!undo.text.contains("STATUS_CODE_ERROR"), "{}", undo.text);
    server.stopped();
}

#[test]
fn a_collector_that_is_none_is_refused_and_one_that_is_gone_hinders_nobody() {
    let place = Place::with(&playbook("1.0.0", "", "[{run: 'true'}]"));
    let refused = place.start(&["serve", "--listen", "127.0.0.1:0", "--traces", "ftp://127.0.0.1"]);
    let (code, log) = refused.ended();
    assert_eq!(code, 2, "{log}");
    assert!(log.contains("neither http nor https") && log.contains("next:"), "{log}");
    let server = place.start(&["serve", "--listen", "127.0.0.1:0", "--log", "json", "--traces", "http://127.0.0.1:9"]);
    assert_eq!(server.alert("firing", &["db1"]).status, 202);
    assert_eq!(place.run_that("ended")["outcome"], "succeeded");
    server.stopped();
}
