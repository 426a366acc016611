//! What operators are promised: runs go on whatever stops the server, deadlines fire, decisions wake, changes count from the next run on.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::server::{Place, playbook};

const ASK: &str = "[{id: go, approve: {question: 'Mend {{inputs.host}}?', within: 1h}}, {id: write, run: 'echo done >> fixed.txt', effect: change}]";

fn begun(place: &Place) {
    eventually("the step", || place.books.join("begun.txt").exists().then_some(()));
}

fn approve(place: &Place, run: &str) {
    let asked = place.list(&format!("decisions {run} --json")).remove(0);
    let digest = asked["request"]["digest"].as_str().unwrap();
    place.runbook.run(["approve", run, "--digest", digest, "--reason", "looked at it"]).assert(0);
}

fn id(run: &Value) -> String {
    run["run"].as_str().unwrap().to_owned()
}

#[test]
fn a_decision_of_another_process_wakes_its_run_and_a_restart_loses_nothing() {
    let place = Place::with(&playbook("1.0.0", "", ASK));
    let server = place.serve();
    server.alert("firing", &["db1"]);
    place.run_that("waiting");
    server.alert("firing", &["db2"]);
    eventually("the second", || (place.runs().iter().filter(|run| run["phase"] == "waiting").count() == 2).then_some(()));
    let runs = place.runs();
    approve(&place, &id(&runs[0]));
    eventually("the first end", || place.runs().iter().any(|run| run["outcome"] == "succeeded").then_some(()));
    server.killed();
    // While nobody serves.
    approve(&place, &id(&runs[1]));
    let server = place.serve();
    eventually("both ends", || place.runs().iter().all(|run| run["outcome"] == "succeeded").then_some(()));
    assert_eq!(std::fs::read_to_string(place.books.join("fixed.txt")).unwrap(), "done\ndone\n");
    server.stopped();
}

#[test]
fn the_deadline_of_a_run_that_somebody_else_left_fires() {
    let place = Place::with(&playbook("1.0.0", "", ASK));
    let steps = "[{id: go, approve: {question: 'Really?', within: 3s}}]";
    place.write("byhand.yaml", &format!("apiVersion: runbook/v1\nkind: Runbook\nname: byhand\nversion: 1.0.0\nsteps: {steps}\n"));
    let server = place.serve();
    let asked = Instant::now();
    place.runbook.run(["exec", "byhand", "--yes"]).assert(3);
    let ended = place.run_that("ended");
    let took = asked.elapsed();
    assert!(ended["outcome"] != "succeeded", "{ended}");
    assert!((Duration::from_millis(2900)..Duration::from_secs(8)).contains(&took), "{took:?}");
    server.stopped();
    // And the same where it is due while nobody serves.
    place.runbook.run(["exec", "byhand", "--yes"]).assert(3);
    std::thread::sleep(Duration::from_secs(3));
    let server = place.serve();
    eventually("both ends", || place.runs().iter().all(|run| run["phase"] == "ended").then_some(()));
    server.stopped();
}

#[test]
fn a_run_in_whose_midst_the_server_was_killed_is_taken_up() {
    let slow =
        "[{id: slow, run: 'echo x >> begun.txt; sleep 2', effect: read}, {id: done, run: 'echo y >> done.txt', effect: change}]";
    let place = Place::with(&playbook("1.0.0", "", slow));
    let server = place.serve();
    server.alert("firing", &["db1"]);
    begun(&place);
    server.killed();
    let server = place.serve();
    let run = place.run_that("ended");
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert_eq!(std::fs::read_to_string(place.books.join("begun.txt")).unwrap(), "x\nx\n", "what changes nothing runs again");
    assert_eq!(std::fs::read_to_string(place.books.join("done.txt")).unwrap(), "y\n");
    place.runbook.run(["verify", "last"]).assert(0);
    server.stopped();
}

#[test]
fn a_stop_lets_steps_end_and_the_next_server_goes_on() {
    let slow = "[{id: slow, run: 'echo x >> begun.txt; sleep 2; echo x >> slept.txt', effect: change}, {id: done, run: 'echo y >> done.txt', effect: change}]";
    let place = Place::with(&playbook("1.0.0", "", slow));
    let server = place.serve();
    server.alert("firing", &["db1"]);
    begun(&place);
    server.stopped();
    assert!(place.books.join("slept.txt").exists(), "the step under way ended");
    assert!(!place.books.join("done.txt").exists(), "and nothing was started behind it");
    assert_eq!(place.runs()[0]["phase"], "parked");
    let server = place.serve();
    assert_eq!(place.run_that("ended")["outcome"], "succeeded");
    assert_eq!(std::fs::read_to_string(place.books.join("begun.txt")).unwrap(), "x\n");
    server.stopped();
}

#[test]
fn a_second_signal_stops_at_once_and_names_what_is_left() {
    let place = Place::with(&playbook("1.0.0", "", "[{id: slow, run: 'echo x > begun.txt; sleep 600', effect: change}]"));
    let server = place.serve();
    server.alert("firing", &["db1"]);
    begun(&place);
    let run = id(&place.runs()[0]);
    server.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(500));
    server.signal(Signal::INT);
    let (code, log) = server.ended();
    assert_eq!(code, 5, "{log}");
    assert!(log.contains("1 run was left in the midst of a step:") && log.contains(&format!("{run} slow")), "{log}");
    // Nobody knows how it ended, so a person is asked.
    let server = place.serve();
    let run = place.run_that("waiting");
    assert_eq!(place.list(&format!("decisions {} --json", id(&run))).len(), 1);
    server.stopped();
}

#[test]
fn runs_that_people_paused_stay_as_they_are() {
    let place = Place::with(&playbook("1.0.0", "", ASK));
    let server = place.serve();
    server.alert("firing", &["db1"]);
    let run = id(&place.run_that("waiting"));
    place.runbook.run(["pause", &run, "--reason", "I look"]).assert(0);
    approve(&place, &run);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(place.runs()[0]["phase"], "paused");
    server.stopped();
}

#[test]
fn a_changed_catalogue_counts_from_the_next_run_on_and_a_broken_one_does_not() {
    let place = Place::with(&playbook("1.0.0", "", ASK));
    let server = place.serve();
    server.alert("firing", &["db1"]);
    let first = id(&place.run_that("waiting"));
    let says = "[{id: say, run: 'echo two >> fixed.txt', effect: change}]";
    place.write("fix.yaml", &playbook("2.0.0", "", says));
    let ended = eventually("a run of the new version", || {
        server.alert("firing", &[&format!("h{}", place.runs().len())]);
        place.runs().into_iter().find(|run| run["version"] == "2.0.0" && run["phase"] == "ended")
    });
    assert_eq!(ended["outcome"], "succeeded");
    // The one that waited goes on as it began.
    approve(&place, &first);
    eventually("its end", || place.runs().into_iter().find(|run| run["run"] == first.as_str() && run["outcome"] == "succeeded"));
    assert!(std::fs::read_to_string(place.books.join("fixed.txt")).unwrap().contains("done\n"));

    place.write(
        "fix.yaml",
        "apiVersion: runbook/v1\nkind: Playbook\nname: fix\nsteps: [{nothing: here}]\ntriggers: [{source: alerts}]\n",
    );
    let told = eventually("the fault", || Some(server.health()).filter(|health| health["reasons"][0].is_object()));
    assert_eq!((&told["ready"], &told["reasons"][0]["topic"]), (&json!(true), &json!("catalogue")), "{told}");
    assert!(told["reasons"][0]["why"].as_str().unwrap().contains("fix.yaml"), "{told}");
    let before = place.runs().len();
    assert_eq!(server.alert("firing", &["last"]).status, 202);
    eventually("a run of the last good one", || (place.runs().len() == before + 1).then_some(()));
    place.write("fix.yaml", &playbook("2.0.1", "", says));
    eventually("all well", || (server.health()["reasons"] == json!([])).then_some(()));
    server.stopped();
}

#[test]
fn another_process_that_decides_is_left_to_it() {
    let place = Place::with(&playbook("1.0.0", "", ASK));
    let server = place.serve();
    let second = place.serve();
    eventually("who decides", || {
        let told = |server: &crate::server::Server| server.health()["reasons"][0]["topic"] == "dispatch";
        (told(&server) != told(&second)).then_some(())
    });
    // Whichever takes it, it is decided upon once and driven once.
    for (n, server) in [&server, &second, &server, &second].into_iter().enumerate() {
        assert_eq!(server.alert("firing", &[&format!("db{n}")]).status, 202);
    }
    eventually("four runs", || (place.runs().iter().filter(|run| run["phase"] == "waiting").count() == 4).then_some(()));
    server.stopped();
    second.alert("firing", &["db9"]);
    eventually("the fifth", || (place.runs().iter().filter(|run| run["phase"] == "waiting").count() == 5).then_some(()));
    second.stopped();
}

#[test]
fn what_cannot_be_served_is_refused() {
    let place = Place::with(&playbook("1.0.0", "", ASK));
    let refused = |words: &[&str], said: &str| {
        let (code, log) = place.start(words).ended();
        assert!(code == 2 && log.contains(said) && log.contains("next: "), "{code}: {log}");
    };
    refused(&["serve", "--listen", "0.0.0.0:0"], "0.0.0.0:0 can be reached by other machines");
    place.write("fix.yaml", &playbook("1.0.0", "when: inputs.host", ASK));
    refused(&["serve", "--listen", "127.0.0.1:0"], "a procedure is not valid; nothing is served");
    place.write("fix.yaml", &playbook("1.0.0", "", ASK));
    let workspace = std::fs::read_to_string(place.books.join("workspace.yaml")).unwrap();
    place.write("workspace.yaml", &workspace.replace("GITHUB_KEY", "NOT_THERE"));
    refused(&["serve", "--listen", "127.0.0.1:0"], "the source `code` cannot be opened");
}

#[test]
fn a_run_that_somebody_parked_is_theirs() {
    let place = Place::with(&playbook("1.0.0", "", ASK));
    let steps =
        "[{id: slow, run: 'echo x > begun.txt; sleep 1', effect: read}, {id: done, run: 'echo y > done.txt', effect: change}]";
    place.write("byhand.yaml", &format!("apiVersion: runbook/v1\nkind: Runbook\nname: byhand\nversion: 1.0.0\nsteps: {steps}\n"));
    let server = place.serve();
    let by_hand = place.start(&["exec", "byhand", "--yes"]);
    begun(&place);
    by_hand.signal(Signal::TERM);
    assert_eq!(by_hand.ended().0, 3);
    place.run_that("parked");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(place.runs()[0]["phase"], "parked");
    // It was killed instead: nobody meant it to stop.
    std::fs::remove_file(place.books.join("begun.txt")).unwrap();
    let again = place.start(&["exec", "byhand", "--yes"]);
    begun(&place);
    again.killed();
    assert_eq!(place.run_that("ended")["outcome"], "succeeded");
    server.stopped();
}
