//! Runs that wait for an event: a server brings it, before the step waits or while it does, also one that was killed in between.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::server::{Answer, Place, Server, TOKEN, playbook};

fn watching(within: &str, since: &str) -> String {
    format!(
        "apiVersion: runbook/v1\nkind: Runbook\nname: watch\nversion: 1.0.0\ninputs: {{version: {{type: string}}}}\nsteps:\n- {{id: first, run: 'until test -e go.txt; do sleep 0.1; done', effect: read}}\n- id: built\n  wait: {{event: {{source: things, when: event.data.version == inputs.version, since: {since}}}, within: {within}}}\n- {{id: write, run: 'echo {{{{steps.built.event.data.version}}}} {{{{steps.built.number}}}} >> built.txt', effect: change, idempotent: true}}\n"
    )
}

/// A catalogue with `watch`, of which no step is held up any more.
fn place(within: &str) -> Place {
    let place = Place::with(&playbook("1.0.0", "when: 'false'", "[{id: say, exec: [echo, hello], effect: none}]"));
    place.write("watch.yaml", &watching(within, "run"));
    place.write("go.txt", "");
    place
}

fn built(server: &Server, id: &str, version: &str) -> Answer {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "/ci", "type": "built", "data": {"version": version},
    });
    let headers = [("Authorization", &*format!("Bearer {TOKEN}")), ("Content-Type", "application/cloudevents+json")];
    let answer = server.ask("POST", "/events/things", &headers, &event.to_string());
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer
}

/// Starts `watch` and leaves it: it waits.
fn left(place: &Place, version: &str) -> String {
    let ran = place.runbook.run(["exec", "watch", "--yes", "--input", &format!("version={version}")]).assert(3);
    assert!(ran.stderr.contains("waits for an event") && ran.stderr.contains("next: runbook serve"), "{}", ran.stderr);
    place.runs()[0]["run"].as_str().unwrap().to_owned()
}

fn wrote(place: &Place) -> String {
    std::fs::read_to_string(place.books.join("built.txt")).unwrap_or_default()
}

fn that(place: &Place, run: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually("the run", || place.runs().into_iter().find(|row| row["run"] == run && is(row)))
}

#[test]
fn an_event_lets_a_run_go_on_that_somebody_left() {
    let place = place("1h");
    let run = left(&place, "1.2.0");
    assert_eq!(place.runs()[0]["phase"], "waiting");
    let server = place.serve();
    built(&server, "a", "1.1.0");
    let answer = built(&server, "b", "1.2.0");
    that(&place, &run, |row| row["outcome"] == "succeeded");
    assert_eq!(wrote(&place), format!("1.2.0 {}\n", answer.body["events"][0]));
    // What its sender says once more is no other event.
    built(&server, "b", "1.2.0");
    let events = place.list("events --json");
    let of = |id: &str| events.iter().find(|event| event["id"] == id).unwrap();
    assert_eq!((&of("b")["ended_waits_of"], &of("b")["decisions"]), (&json!([run]), &json!([])));
    assert_eq!(of("a")["ended_waits_of"], json!([]));
    let told = place.runbook.run(["events"]).assert(0).stdout;
    assert!(told.contains(&format!("ended a wait of run {run}")), "{told}");
    place.runbook.run(["verify", &run]).assert(0);
    server.stopped();
}

#[test]
fn an_event_that_comes_before_the_step_waits_counts_from_the_beginning_of_the_run() {
    let place = place("1h");
    place.write("watch.yaml", &watching("1h", "run"));
    place.write("later.yaml", &watching("2s", "step").replace("name: watch", "name: later"));
    std::fs::remove_file(place.books.join("go.txt")).unwrap();
    let server = place.serve();
    built(&server, "before", "1.2.0");
    let by_hand = place.start(&["exec", "watch", "--yes", "--input", "version=1.2.0"]);
    let later = place.start(&["exec", "later", "--yes", "--input", "version=1.2.0"]);
    eventually("both begin", || (place.runs().len() == 2).then_some(()));
    let answer = built(&server, "early", "1.2.0");
    eventually("it is judged", || place.list("events --json").iter().all(|event| event["judged"] == true).then_some(()));
    place.write("go.txt", "");
    let ended = |name: &str| {
        eventually("its end", || place.runs().into_iter().find(|run| run["procedure"] == name && run["phase"] == "ended"))
    };
    assert_eq!(ended("watch")["outcome"], "succeeded");
    assert_eq!(wrote(&place), format!("1.2.0 {}\n", answer.body["events"][0]), "not the one from before the run");
    let later_ended = ended("later");
    assert_eq!(later_ended["outcome"], "failed", "{later_ended}");
    assert!(later_ended["message"].as_str().unwrap().contains("no event of `things` that fits came within 2s"), "{later_ended}");
    let _ = (by_hand.ended(), later.ended());
    server.stopped();
}

#[test]
fn a_server_that_is_killed_loses_no_event_and_ends_no_two_waits_with_it() {
    let place = place("1h");
    let twice = watching("1h", "run").replace(
        "- {id: write",
        "- {id: again, wait: {event: {source: things, when: event.data.version == inputs.version}, within: 1h}}\n- {id: write",
    );
    place.write("watch.yaml", &twice);
    let run = left(&place, "1.2.0");
    for n in 0..8 {
        let server = place.serve();
        built(&server, &format!("other-{n}"), "1.1.0");
        built(&server, "first", "1.2.0");
        std::thread::sleep(Duration::from_millis(40 * n));
        server.killed();
    }
    let server = place.serve();
    let asks = || {
        let ran = place.runbook.run(["show", &run, "--json"]).assert(0);
        ran.stdout.lines().filter(|line| line.contains("\"attempt_started\"") && line.contains("again")).count()
    };
    eventually("the second wait", || (asks() == 1).then_some(()));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(that(&place, &run, |_| true)["phase"], "waiting", "one event ended one wait");
    built(&server, "second", "1.2.0");
    that(&place, &run, |row| row["outcome"] == "succeeded");
    place.runbook.run(["verify", &run]).assert(0);
    server.stopped();
}

#[test]
fn the_time_of_a_wait_runs_out_while_nobody_serves_too() {
    let place = place("2s");
    let run = left(&place, "1.2.0");
    std::thread::sleep(Duration::from_secs(2));
    let server = place.serve();
    let ended = that(&place, &run, |row| row["phase"] == "ended");
    assert_eq!(ended["outcome"], "failed", "{ended}");
    let second = left(&place, "1.3.0");
    assert_eq!(that(&place, &second, |row| row["phase"] == "ended")["outcome"], "failed");
    assert_eq!(wrote(&place), "");
    server.stopped();
}

#[test]
fn an_event_given_by_hand_ends_a_wait_too() {
    let place = place("1h");
    let run = left(&place, "1.2.0");
    let event = json!({"specversion": "1.0", "id": "x", "source": "/ci", "type": "built", "data": {"version": "1.2.0"}});
    place.write("event.json", &event.to_string());
    let path = place.books.join("event.json").display().to_string();
    let ran = place.runbook.run(["trigger", "--source", "things", "--event", &path]).assert(0);
    assert!(ran.stderr.contains(&format!("event 1: ended a wait of run {run}")), "{}", ran.stderr);
    assert_eq!(place.runs()[0]["outcome"], "succeeded");
    assert_eq!(wrote(&place), "1.2.0 1\n");
}

#[test]
fn a_run_waits_for_the_end_of_another() {
    let place = place("1h");
    let follows = "[{id: done, wait: {event: {source: runs, when: event.data.procedure == \"other\"}, within: 1h}}]";
    place.write("watch.yaml", &format!("apiVersion: runbook/v1\nkind: Runbook\nname: watch\nversion: 1.0.0\ninputs: {{version: {{type: string, required: false}}}}\nsteps: {follows}\noutputs: {{said: inputs.version ?? \"\"}}\n"));
    place.write(
        "other.yaml",
        "apiVersion: runbook/v1\nkind: Runbook\nname: other\nversion: 1.0.0\nsteps: [{exec: [echo, done], effect: none}]\n",
    );
    let server = place.serve();
    let run = left(&place, "1");
    place.runbook.run(["exec", "other", "--yes"]).assert(0);
    assert_eq!(that(&place, &run, |row| row["phase"] == "ended")["outcome"], "succeeded");
    server.stopped();
}
