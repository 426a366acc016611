//! A schedule of the workspace: its ticks start runs, and those at which nobody served are recorded.

use serde_json::Value;

use crate::harness::eventually;
use crate::server::{Place, playbook};

const TRIGGER: &str = "{source: minutely, inputs: {host: event.data.local}}";

/// Events that came, the oldest first: the beginning of what was decided on each.
fn decided(place: &Place) -> Vec<String> {
    let mut all: Vec<String> = place
        .list("events --json")
        .iter()
        .flat_map(|event| event["decisions"].as_array().cloned().unwrap_or_default())
        .map(|decision: Value| decision["why"].as_str().unwrap().to_owned())
        .collect();
    all.reverse();
    all
}

#[test]
fn a_tick_starts_a_run_once_and_missed_ticks_are_told() {
    let place = Place::with(&playbook("1.0.0", "", "[{id: go, run: 'echo {{inputs.host}} >> ticks.txt', effect: change}]"));
    let workspace = std::fs::read_to_string(place.books.join("workspace.yaml")).unwrap();
    place.write("workspace.yaml", &format!("{workspace}  minutely: {{type: schedule, cron: '* * * * *', zone: Asia/Kolkata}}\n"));
    let playbook = std::fs::read_to_string(place.books.join("fix.yaml")).unwrap();
    place.write("fix.yaml", &playbook.replace("triggers: [", &format!("triggers: [{TRIGGER}, ")));
    let server = place.serve();
    let events = rusqlite::Connection::open(place.runbook.state().join("events.db")).unwrap();
    let seen = || events.query_row("SELECT seen FROM schedules", [], |row| row.get::<_, String>(0));
    eventually("the first look", || seen().ok());
    server.stopped();
    // As if nobody had served for an hour.
    let changed = "UPDATE schedules SET seen = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 hour')";
    assert_eq!(events.execute(changed, []).unwrap(), 1);
    let server = place.serve();
    let ended = || place.runs().iter().filter(|run| run["outcome"] == "succeeded").count();
    eventually("the ticks of the last five minutes", || (ended() >= 5).then_some(()));
    server.stopped();
    let said = decided(&place);
    let (missed, ticks) = said.split_first().unwrap();
    assert!(missed.starts_with("dropped: nobody was there at 5"), "{said:?}");
    assert!(ticks.iter().all(|why| why.starts_with("ran")) && ticks.len() == place.runs().len(), "{said:?}");
    // Whoever serves next looks again, and repeats none of them.
    assert_eq!(events.execute("UPDATE schedules SET seen = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-4 minutes')", []).unwrap(), 1);
    let before = seen().unwrap();
    let server = place.serve();
    eventually("another look", || (seen().unwrap() != before).then_some(()));
    server.stopped();
    let lines = std::fs::read_to_string(place.books.join("ticks.txt")).unwrap();
    let mut times: Vec<&str> = lines.lines().collect();
    let all = times.len();
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), all, "{lines}");
}
