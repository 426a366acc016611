//! `runbook trigger` and `runbook events`: what is given by hand is written down, judged once, and starts what it is meant to start.

use super::Desk;

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
name: events
escalations: {e: {steps: [{to: [you], after: 10m}]}}
people: {you: {users: [you]}}
sources: {alerts: {type: alertmanager, bearer: secrets.token, secrets: {token: {env: ALERTS_TOKEN}}}}
";

fn playbook(source: &str, trigger: &str, steps: &str) -> String {
    format!(
        "apiVersion: runbook/v1\nkind: Playbook\nname: fix\nversion: 1.0.0\nowner: o\nimpact: low\nescalation: e\ntriggers: [{{source: {source}, inputs: {{what: event.data.what}}, {trigger}}}]\ninputs: {{what: {{type: string}}}}\nsteps: {steps}\n"
    )
}

fn desk(trigger: &str, steps: &str) -> Desk {
    Desk::new(&[
        ("workspace.yaml", WORKSPACE),
        ("fix.yaml", &playbook("stdin", trigger, steps)),
        (
            "named.json",
            "{\"specversion\": \"1.0\", \"id\": \"1\", \"source\": \"/a\", \"type\": \"t\", \"data\": {\"what\": \"named\"}}",
        ),
        ("one.json", "{\"what\": \"one\"}"),
        ("two.json", "{\"what\": \"two\"}"),
    ])
}

const ECHO: &str = "[{id: say, exec: [echo, '{{inputs.what}}'], effect: read}]";
const ASK: &str = "[{id: go, approve: {question: 'Mend {{inputs.what}}?', within: 1h}}]";

#[test]
fn an_event_runs_its_playbook_and_is_recorded() {
    let desk = desk("", ECHO);
    let ran = desk.run("trigger --event one.json").exits(0);
    assert!(ran.err.contains("event 1, fix/1: ran: ") && ran.err.contains("succeeded"), "{}", ran.err);
    let listed: serde_json::Value = serde_json::from_str(&desk.run("events --json").exits(0).out).unwrap();
    assert_eq!((&listed["event"], &listed["decisions"][0]["decision"]), (&1.into(), &"ran".into()), "{listed}");
    let run = listed["decisions"][0]["run"].as_str().unwrap().to_owned();
    let shown = desk.run(&format!("show {run} --json")).exits(0).out;
    let first: serde_json::Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
    assert_eq!(first["body"]["event"]["data"]["what"], "one", "{first}");
    desk.run("verify last").exits(0);
    assert_eq!(desk.run(&format!("events --run {run} --json")).exits(0).out.lines().count(), 1);
    assert_eq!(desk.run("events --decision dropped --json").exits(0).out, "");
    desk.run("trigger --event named.json").exits(0);
    let told = desk.run("trigger --event named.json").exits(0).err;
    assert!(told.contains("it is event 2 once more"), "{told}");
    assert_eq!(desk.run("runs --json").exits(0).out.lines().count(), 2, "nothing is judged twice");
}

#[test]
fn a_run_that_asks_waits_and_the_next_event_of_its_key_waits_for_it() {
    let desk = desk("concurrency: {key: '\"all\"'}", ASK);
    desk.run("trigger --event one.json").exits(3);
    let told = desk.run("trigger --event two.json").exits(0).err;
    assert!(told.contains("event 2, fix/1: deferred: behind run "), "{told}");
    desk.run("cancel last --reason enough").exits(0);
    // Whoever comes next finds that the key is free.
    let given = Desk::new(&[("three.json", "{\"what\": \"three\"}")]);
    let three = given.path("three.json");
    let told = desk.run(&format!("trigger --event {}", three.display())).exits(3).err;
    assert!(told.contains("event 2, fix/1: ran: ") && told.contains("event 3, fix/1: deferred: behind run "), "{told}");
}

#[test]
fn explaining_writes_nothing_down() {
    let desk = desk("when: event.data.what == \"two\"", ECHO);
    let said = desk.run("trigger --event one.json --explain").exits(0).out;
    assert!(said.contains("when event.data.what == \"two\": false") && said.contains("dropped: its `when` is false"), "{said}");
    assert!(desk.run("trigger --event two.json --explain").exits(0).out.contains("would run"));
    assert_eq!(desk.run("events --json").exits(0).out, "");
    assert_eq!(desk.run("runs --json").exits(0).out, "");
}

#[test]
fn what_is_no_event_is_refused_and_nothing_is_lost() {
    let desk = desk("", ECHO);
    std::fs::write(desk.path("bad.json"), "{").unwrap();
    for (line, said) in [
        ("trigger --event bad.json", "bad.json holds no JSON"),
        ("trigger --event none.json", "cannot read none.json"),
        ("trigger --event one.json --source alert", "the workspace has no source `alert`"),
        ("trigger --event one.json --source alerts", "one.json is no delivery of `alerts`"),
        ("events 7", "there is no event 7"),
    ] {
        let ran = desk.run(line).exits(2);
        assert!(ran.err.contains(said) && ran.err.contains("next: "), "{line}: {}", ran.err);
    }
    std::fs::write(desk.path("fix.yaml"), playbook("elsewhere", "", ECHO)).unwrap();
    let refused = desk.run("trigger --event one.json").exits(2).err;
    assert!(refused.contains("RB0320") && refused.contains("a playbook is not valid; the event was not taken"), "{refused}");
    assert_eq!(desk.run("events --json").exits(0).out, "");
}

#[test]
fn recorded_events_are_judged_by_other_triggers() {
    let desk = desk("", ECHO);
    desk.run("trigger --event one.json").exits(0);
    desk.run("trigger --event two.json").exits(0);
    assert!(desk.run("events replay").exits(0).err.contains("2 events judged again: 0 decisions would be another one"));
    std::fs::write(desk.path("fix.yaml"), playbook("stdin", "limit: {runs: 1, per: 1h}", ECHO)).unwrap();
    let said = desk.run("events replay").exits(0);
    assert!(said.err.contains("1 decision would be another one; 0 more and 1 fewer runs"), "{}", said.err);
    assert!(
        said.out.contains("event 2 of stdin") && said.out.contains("+ dropped: over the `limit` of 1 runs in 1h"),
        "{}",
        said.out
    );
    let json: serde_json::Value = serde_json::from_str(&desk.run("events replay --json").exits(0).out).unwrap();
    assert_eq!((&json["before"]["decision"], &json["after"]["decision"]), (&"ran".into(), &"dropped".into()), "{json}");
    assert_eq!(desk.run("events --decision ran --json").exits(0).out.lines().count(), 2, "nothing is recorded");
}
