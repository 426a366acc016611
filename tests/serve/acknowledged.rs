//! Somebody is at a decision: by a command over the server and beside it, and on the page; whom the escalation would ask next is left alone.

use serde_json::{Value, json};

use crate::pages::{Visitor, account, header};
use crate::remote::There;

const STEPS: &str = "[{id: go, approve: {question: 'Mend {{inputs.host}}?', from: [bob], within: 1h, on_timeout: escalate}}, {id: last, approve: {question: 'Really?', from: [bob], within: 1h}}]";

fn shown(there: &There, run: &str, decision: &str) -> Value {
    let answer =
        there.server.ask("GET", &format!("/api/v1/runs/{run}/decisions/{decision}"), &[("Authorization", &there.bearer())], "");
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body
}

#[test]
fn whoever_is_at_a_decision_is_named_and_others_are_left_alone() {
    let there = There::new(STEPS);
    let run = there.waits("db1");
    let ends = |what: &Value| what["expires_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let first = shown(&there, &run, "d1");
    assert_eq!(first["at_it"], Value::Null);

    // Who may not decide cannot hold others off, and nobody can be handed what they may not decide.
    there.run(&format!("acknowledge {run}")).assert(2).says("`you` is not among those who are asked");
    there.with(&there.bob, &["ack", &run, "--to", "vera"]).assert(2).says("`vera` is not among those who are asked");
    there.with(&there.bob, &["ack", &run, "--for", "25h"]).assert(2).says("at most 24 hours at a time");
    there.with(&there.bob, &["ack", &run, "--for", "soon"]).assert(2).says("`soon` is not a duration");
    assert_eq!(shown(&there, &run, "d1"), first);

    let ran = there.with(&there.bob, &["acknowledge", &run, "--for", "2h", "--reason", "the logs first"]).assert(0);
    ran.says("bob is at it, and others are left alone until").says(&format!("next: runbook decisions {run}"));
    let held = shown(&there, &run, "d1");
    assert_eq!((&held["at_it"]["person"], &held["standing"]), (&json!("bob"), &json!("open")));
    assert!(ends(&held) > ends(&first), "{held}");
    assert!(there.run(&format!("decisions {run}")).assert(0).stdout.contains("bob, since"), "{run}");
    assert!(there.run(&format!("show {run}")).assert(0).stdout.contains("bob is at it since"), "{run}");
    let replayed = there.place.runbook.run(["replay", &run, "--progress", "plain"]);
    assert!(replayed.stdout.contains("at it      d1: bob ("), "{}", replayed.stdout);

    // On the page, and without scripts.
    account(&there.place, "bob");
    let visitor = Visitor::of(&there.server, "bob");
    let path = format!("/runs/{run}/decisions/d1");
    assert!(visitor.get(&path).text.contains("<dt>At it</dt><dd>bob, since"), "{}", visitor.get(&path).text);
    visitor.fill(&path, "/acknowledgement", &[("for", "3h"), ("to", ""), ("reason", "a <b>longer</b> look")], 303);
    assert!(ends(&shown(&there, &run, "d1")) > ends(&held));
    let refused = visitor.fill(&path, "/acknowledgement", &[("for", "3h"), ("to", "nobody"), ("reason", "mine")], 403);
    assert!(refused.contains("&#96;nobody&#96; is not among those who are asked"), "{refused}");
    assert!(refused.contains("name=\"to\" value=\"nobody\""), "what was typed is kept: {refused}");
    assert_eq!(refused.matches("mine").count(), 1, "it stands in the other forms too: {refused}");
    // What is answered stands at the address of the form, and whoever looks there is led to the page.
    assert!(refused.contains(&format!("data-here=\"{path}\"")), "{refused}");
    let led = visitor.get(&format!("{path}/acknowledgement"));
    assert_eq!((led.status, header(&led, "location")), (303, Some(path.clone())));

    // After those who were asked last there is nobody to be left alone.
    there.with(&there.bob, &["approve", &run, "d1", "--digest", &there.digest(&run)]).assert(0);
    let second = crate::harness::eventually("the next question", || {
        there.run(&format!("decisions {run}")).stdout.contains("Really?").then(|| shown(&there, &run, "d2"))
    });
    there.with(&there.bob, &["ack", &run]).assert(2).says("nobody else would be asked next");
    assert_eq!(shown(&there, &run, "d2"), second);
    assert!(!visitor.get(&format!("/runs/{run}/decisions/d2")).text.contains("I am at it"), "it offers what would be refused");
    there.place.runbook.run(["verify", &run]).assert(0);
    let report = there.run(&format!("report {run}")).assert(0).stdout;
    assert!(report.contains("is at it; others are asked in 2h 00m: the logs first"), "{report}");
    there.server.stopped();
}

#[test]
fn where_it_takes_a_key_to_decide_it_takes_none_to_be_at_it() {
    let there = There::new("[{id: lose, run: rm -f fixed.txt, effect: destructive}]");
    let run = there.waits("db1");
    account(&there.place, "bob");
    let visitor = Visitor::of(&there.server, "bob");
    let path = format!("/runs/{run}/decisions/d1");
    let page = visitor.get(&path).text;
    assert!(page.contains("to be signed with your SSH key") && page.contains("I am at it"), "{page}");
    visitor.fill(&path, "/acknowledgement", &[("for", "3h"), ("to", ""), ("reason", "")], 303);
    assert_eq!(shown(&there, &run, "d1")["at_it"]["person"], "bob");
    there.server.stopped();
}
