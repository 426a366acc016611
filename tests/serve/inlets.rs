//! Events that nobody posts: files in a folder, taken across kills, and the ends of runs.

use std::path::Path;

use serde_json::Value;

use crate::harness::eventually;
use crate::server::{Place, playbook};

fn with_drops(place: &Place) -> std::path::PathBuf {
    let workspace = std::fs::read_to_string(place.books.join("workspace.yaml")).unwrap();
    place.write("workspace.yaml", &format!("{workspace}  drops: {{type: folder, path: drops, settled: 100ms}}\n"));
    let playbook = std::fs::read_to_string(place.books.join("fix.yaml")).unwrap();
    let trigger = "{id: drop, source: drops, inputs: {host: event.data.host}}";
    place.write("fix.yaml", &playbook.replace("triggers: [", &format!("triggers: [{trigger}, ")));
    let drops = place.books.join("drops");
    std::fs::create_dir(&drops).unwrap();
    drops
}

/// As a careful writer does.
fn put(drops: &Path, name: &str, text: &str) {
    std::fs::write(drops.join(format!(".{name}")), text).unwrap();
    std::fs::rename(drops.join(format!(".{name}")), drops.join(name)).unwrap();
}

fn lines(place: &Place, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(place.books.join(name)).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn each_file_starts_one_run_however_often_the_server_is_killed() {
    let place = Place::with(&playbook("1.0.0", "", "[{id: go, run: 'echo {{inputs.host}} >> hosts.txt', idempotent: true}]"));
    let drops = with_drops(&place);
    let mut server = place.serve();
    for round in 0..4 {
        for number in 0..5 {
            put(&drops, &format!("{round}-{number}.json"), &format!("{{\"host\": \"h{round}{number}\"}}"));
        }
        // In the midst of it, wherever that is.
        std::thread::sleep(std::time::Duration::from_millis(150 * round));
        server.killed();
        server = place.serve();
    }
    let ended = || place.runs().iter().filter(|run| run["outcome"] == "succeeded").count();
    eventually("a run of each file", || (ended() >= 20).then_some(()));
    let left = std::fs::read_dir(&drops).unwrap().flatten().filter(|entry| entry.path().is_file()).count();
    assert_eq!(left, 0);
    assert_eq!(std::fs::read_dir(drops.join(".taken")).unwrap().count(), 0);
    let events = place.list("events --json -n 1000");
    assert_eq!(events.len(), 20, "none is lost, and none counts twice");
    let mut hosts = lines(&place, "hosts.txt");
    hosts.dedup();
    let expected: Vec<String> = (0..4).flat_map(|round| (0..5).map(move |number| format!("h{round}{number}"))).collect();
    assert_eq!(hosts, expected);
    assert_eq!(place.runs().len(), 20);
    // What is no event is put aside, and the log says why.
    put(&drops, "bad.json", "{");
    eventually("it is put aside", || drops.join(".refused/bad.json").exists().then_some(()));
    let log = server.stopped();
    assert!(log.contains("bad.json") && log.contains(".refused"), "{log}");
}

#[test]
fn a_folder_that_cannot_be_used_is_told_by_health_and_taken_up_when_it_can() {
    let place = Place::with(&playbook("1.0.0", "", "[{id: go, run: 'true', idempotent: true}]"));
    let drops = with_drops(&place);
    std::fs::remove_dir(&drops).unwrap();
    let server = place.serve();
    let told = || {
        server.health()["reasons"].as_array().unwrap().iter().any(|reason| reason["topic"] == "folder" && reason["blocks"] == false)
    };
    eventually("its trouble", || told().then_some(()));
    assert_eq!(server.health()["ready"], true);
    std::fs::create_dir(&drops).unwrap();
    put(&drops, "a.json", r#"{"host": "a"}"#);
    place.run_that("ended");
    assert!(!told());
    server.stopped();
}

/// The playbook `after` follows `fix`, and itself.
fn follows(place: &Place) {
    let text = "apiVersion: runbook/v1\nkind: Playbook\nname: after\nversion: 1.0.0\nowner: o\nimpact: low\nescalation: e\ntriggers: [{source: runs, inputs: {what: event.data.procedure, how: event.data.outcome, chain: event.data.chain}}]\ninputs: {what: {type: string}, how: {type: string}, chain: {type: integer}}\nsteps: [{id: tell, run: 'echo {{inputs.chain}} {{inputs.what}} {{inputs.how}} >> ends.txt', idempotent: true}]\n";
    place.write("after.yaml", text);
}

#[test]
fn the_end_of_a_run_starts_another_and_a_chain_has_an_end() {
    let place = Place::with(&playbook("1.0.0", "", "[{id: go, run: 'false', idempotent: true}]"));
    // What ended before anybody wanted to know is not told.
    place.runbook.exec("fix", &[("host", "before")]).assert(1);
    follows(&place);
    let mut server = place.serve();
    eventually("it looks", || {
        let events = rusqlite::Connection::open(place.runbook.state().join("events.db")).unwrap();
        events.query_row("SELECT place FROM places", [], |row| row.get::<_, i64>(0)).ok()
    });
    // Nor is it for a word about it.
    place.runbook.run(["note", "last", "looked at"]).assert(0);
    server.alert("firing", &["a"]);
    let said = || -> Vec<String> {
        let events = place.list("events --json -n 1000");
        let decisions = events.iter().flat_map(|event| event["decisions"].as_array().cloned().unwrap_or_default());
        decisions.map(|decision: Value| decision["why"].as_str().unwrap().to_owned()).collect()
    };
    let over =
        || said().iter().any(|why| why == "dropped: 9 runs have followed one another, each started by the end of the one before");
    // Killed in its midst, it goes on where it was.
    eventually("some of them", || (lines(&place, "ends.txt").len() >= 3).then_some(()));
    server.killed();
    server = place.serve();
    eventually("the end of the chain", || over().then_some(()));
    let mut ends = lines(&place, "ends.txt");
    ends.dedup();
    let mut expected = vec!["1 fix failed".to_owned()];
    expected.extend((2..=8).map(|chain| format!("{chain} after succeeded")));
    assert_eq!(ends, expected);
    // A run that somebody starts by hand, while nobody serves, is told by the next server.
    server.stopped();
    place.runbook.exec("fix", &[("host", "by-hand")]).assert(1);
    let server = place.serve();
    eventually("its end", || {
        (place.list("events --json -n 1000").iter().filter(|event| event["data"]["data"]["procedure"] == "fix").count() == 2)
            .then_some(())
    });
    server.stopped();
}
