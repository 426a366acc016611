//! What old runs let go of, and that what is left is still proved: nothing of a run that goes on, nothing unseen.

use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;

use crate::Place;
use crate::harness::repository;

const STEPS: &str = "[{id: a, run: 'seq 1 20000; echo a-secretive-output', idempotent: true}, {id: go, approve: {question: on?}}, {id: b, run: 'echo b', idempotent: true}]";

/// A run that was approved and has ended.
fn ended(place: &Place) -> String {
    place.runbook.exec("fix", &[]).assert(3);
    place.runbook.approve_and_resume().assert(0);
    last(place)
}

fn last(place: &Place) -> String {
    let runs = place.runbook.run(["runs", "--json", "-n", "1"]).assert(0).stdout;
    serde_json::from_str::<Value>(&runs).unwrap()["run"].as_str().unwrap().to_owned()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sql(state: &Path, file: &str, statement: &str) {
    Connection::open(state.join(file)).unwrap().execute_batch(statement).unwrap();
}

/// Everything in the state folder that is a file, with its length.
fn contents(state: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    let mut open = vec![state.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let about = entry.metadata().unwrap();
            if about.is_dir() {
                open.push(entry.path());
            } else if !entry.path().display().to_string().contains(".db") {
                found.push((entry.path().display().to_string(), about.len()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn logs_go_and_the_record_says_what_they_were() {
    let place = Place::with(STEPS);
    let state = place.runbook.state();
    let run = ended(&place);
    let export = place.runbook.run(["export", &run]).assert(0).stdout;
    place.runbook.run(["prune", "--logs-after", "1d"]).assert(0).says("nothing is old enough");
    let before = contents(&state);
    let would = lines(&place.runbook.run(["prune", "--logs-after", "0s", "--dry-run", "--json"]).assert(0).stdout);
    assert!(would.len() == 1 && would[0]["logs"].as_u64() > Some(100_000) && would[0]["steps"].is_null(), "{would:?}");
    assert_eq!(contents(&state), before, "it only said what would go");
    let gone = lines(&place.runbook.run(["prune", "--logs-after", "0s", "--json"]).assert(0).stdout);
    assert_eq!(gone, would);
    assert!(!state.join("logs").join(&run).exists());
    place.runbook.run(["verify", &run]).assert(0).says("its logs were let go of").says("0 logs compared");
    place.runbook.run(["logs", &run]).assert(2).says("were let go of by `runbook prune`");
    assert_eq!(place.runbook.run(["export", &run]).assert(0).stdout, export, "the record is as it was");
    place.runbook.run(["prune", "--logs-after", "0s"]).assert(0).says("nothing is old enough");
    place.runbook.run(["audit"]).assert(0).says("prune_logs");
    place.runbook.run(["doctor", "--thorough", "--listen", "127.0.0.1:0"]).assert(0).says("1 record is whole");
}

#[test]
fn what_steps_did_goes_and_what_people_did_stays_proved() {
    let place = Place::with(STEPS);
    let state = place.runbook.state();
    let run = ended(&place);
    let records = lines(&place.runbook.run(["show", &run, "--json"]).assert(0).stdout);
    let folder = place.runbook.scratch.folder("exports");
    let out = folder.display().to_string();
    place.runbook.run(["prune", "--steps-after", "0s", "--export", &out]).assert(0).says("gone");

    // The file that was written first is whole for both verifiers.
    let file = folder.join(format!("{run}.jsonl"));
    place.runbook.run(["verify", &file.display().to_string()]).assert(0);
    let status = Command::new("python3").arg(repository().join("tests/verify.py")).arg(&file).status().unwrap();
    assert!(status.success());
    // What is left is what was recorded, line by line, or without its body.
    let left = lines(&place.runbook.run(["show", &run, "--json"]).assert(0).stdout);
    assert_eq!(left.len(), records.len());
    let mut removed = 0;
    for (left, record) in left.iter().zip(&records) {
        let mut expected = record.clone();
        if left["body"].is_null() {
            expected.as_object_mut().unwrap().remove("body");
            removed += 1;
        }
        assert_eq!(*left, expected);
    }
    assert!(removed > 5, "{removed}");
    let count = "SELECT count(*) FROM events WHERE body LIKE '%a-secretive-output%' AND kind = 'attempt_finished'";
    let rows = Connection::open(state.join("journal.db")).unwrap();
    assert_eq!(rows.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    drop(rows);
    place.runbook.run(["show", &run]).assert(0).says("compacted").says("d1 asked: on?").says("d1 approve by you: looked at it");
    let head = records.last().unwrap()["hash"].as_str().unwrap().to_owned();
    let middle = records[3]["hash"].as_str().unwrap().to_owned();
    let verified = place.runbook.run(["verify", &run, "--head", &head, "--head", &middle]).assert(0);
    assert!(verified.says("compacted").stdout.contains("2 anchors hold"));
    for words in [&["export", &run][..], &["replay", &run], &["undo", &run]] {
        place.runbook.run(words).assert(2).says("was taken out of its record");
    }
    place.runbook.run(["prune", "--steps-after", "0s"]).assert(0).says("nothing is old enough");
    place.runbook.run(["runs"]).assert(0).says("fix");
    place.runbook.run(["doctor", "--thorough", "--listen", "127.0.0.1:0"]).assert(0).says("1 record is whole");
    // A copy of it is whole too.
    place.runbook.run(["backup", "one.tar"]).assert(0);
    place.runbook.run(["restore", "one.tar", "--check"]).assert(0);

    // And each change of what is left is seen.
    sql(&state, "journal.db", "VACUUM");
    let whole = std::fs::read(state.join("journal.db")).unwrap();
    let hash = &records[0]["hash"].as_str().unwrap();
    for (change, says) in [
        (
            "UPDATE events SET body = replace(body, 'looked at it', 'looked away') WHERE kind = 'decided'".to_owned(),
            "its hash is another one",
        ),
        ("DELETE FROM events WHERE kind = 'decided'".to_owned(), "stands where event"),
        (format!("UPDATE events SET hash = '{hash}' WHERE seq = 3"), "not what was left"),
        ("UPDATE events SET kind = 'timer_fired' WHERE body = '' AND seq = 3".to_owned(), "not what was left"),
        ("UPDATE events SET body = '' WHERE kind = 'decided'".to_owned(), "not what was left"),
        ("UPDATE runs SET summary = replace(summary, 'succeeded', 'failed')".to_owned(), "whether, when, or how it ended"),
        ("DELETE FROM pruned".to_owned(), "its hash is another one"),
    ] {
        sql(&state, "journal.db", &change);
        place.runbook.run(["verify", &run]).assert(1).says(says);
        std::fs::write(state.join("journal.db"), &whole).unwrap();
        let _ = std::fs::remove_file(state.join("journal.db-wal"));
        let _ = std::fs::remove_file(state.join("journal.db-shm"));
    }
    place.runbook.run(["verify", &run]).assert(0);
    // Somebody who makes the seal anew too has the audit log against them, which is a chain of its own.
    let told = place.runbook.run(["audit"]).assert(0).stdout;
    assert_eq!(["begun", "done"].map(|result| told.matches(result).count()), [2, 2], "{told}");
    sql(&state, "access.db", "UPDATE audit SET body = replace(body, 'begun', 'began')");
    place.runbook.run(["verify", &run]).assert(1).says("the audit log, which would tell of this compaction, was changed");
    sql(&state, "access.db", "DELETE FROM audit; DELETE FROM sqlite_sequence");
    place.runbook.run(["verify", &run]).assert(1).says("the audit log does not tell of this compaction");
    std::fs::remove_file(state.join("access.db")).unwrap();
    place.runbook.run(["verify", &run]).assert(1).says("there is no audit log");
}

#[test]
fn what_is_taken_back_after_its_logs_are_gone_is_compared_as_ever() {
    let place = Place::with("[{id: a, run: 'echo forth', undo: {run: 'echo back'}}]");
    let state = place.runbook.state();
    place.runbook.exec("fix", &[]).assert(0);
    let run = last(&place);
    place.runbook.run(["prune", "--logs-after", "0s"]).assert(0);
    place.runbook.run(["undo", &run, "--yes"]).assert(0);
    let shown = place.runbook.run(["logs", &run]).assert(0);
    assert!(shown.stdout.contains("back") && !shown.stdout.contains("forth"), "{shown:?}");
    shown.says("were let go of by `runbook prune`");
    place.runbook.run(["verify", &run]).assert(0).says("1 log compared");
    for log in std::fs::read_dir(state.join("logs").join(&run)).unwrap().flatten() {
        std::fs::write(log.path(), "else\n").unwrap();
    }
    place.runbook.run(["verify", &run]).assert(1).says("its bytes are others");
    // What cannot be proved does not go either.
    place.runbook.run(["prune", "--logs-after", "0s"]).assert(1).says("its bytes are others");
}

#[test]
fn runs_that_go_on_wait_or_need_somebody_stay() {
    let place = Place::with(STEPS);
    let state = place.runbook.state();
    // Waits for a person.
    place.runbook.exec("fix", &[]).assert(3);
    let before = contents(&state);
    place.runbook.run(["prune", "--steps-after", "0s"]).assert(0).says("nothing is old enough");
    assert_eq!(contents(&state).iter().filter(|(name, _)| !name.ends_with(".lock")).cloned().collect::<Vec<_>>(), before);
    place.runbook.approve_and_resume().assert(0);
    // One that cannot be proved is named, and whole or not it stays.
    let other = place.runbook.exec("fix", &[]).assert(3);
    place.runbook.approve_and_resume().assert(0);
    let run = last(&place);
    sql(&state, "journal.db", &format!("UPDATE events SET body = replace(body, 'fix', 'fax') WHERE seq = 1 AND run = '{run}'"));
    let ran = place.runbook.run(["prune", "--steps-after", "0s", "--json"]).assert(1);
    let told = lines(&ran.stdout);
    let stays: Vec<bool> = told.iter().map(|going| going["stays"].is_string()).collect();
    assert_eq!(stays, [true, false], "{ran:?} {other:?}");
    assert!(state.join("logs").join(&run).exists());
}

#[test]
fn nothing_goes_while_a_copy_is_made() {
    let place = Place::with(STEPS);
    let state = place.runbook.state();
    let run = ended(&place);
    let lock = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(state.join("keeping.lock")).unwrap();
    lock.lock_shared().unwrap();
    place.runbook.run(["prune", "--steps-after", "0s"]).assert(1).says("a backup is made, or another process prunes");
    place.runbook.run(["backup", "one.tar"]).assert(0);
    lock.unlock().unwrap();
    lock.lock().unwrap();
    place.runbook.run(["backup", "two.tar"]).assert(2).says("takes something out at this moment");
    lock.unlock().unwrap();
    place.runbook.run(["verify", &run]).assert(0).says("2 logs compared");
    place.runbook.run(["prune"]).assert(2).says("nothing was said to go");
    place.runbook.run(["prune", "--logs-after", "soon"]).assert(2).says("write an age, such as 90d");
}

#[test]
fn old_events_go_once_nothing_depends_on_them() {
    let place = Place::with("[{id: b, exec: [echo, b], effect: read}]");
    let state = place.runbook.state();
    place.runbook.run(["prune", "--events-after", "0s"]).assert(0).says("nothing is old enough");
    assert!(!state.join("events.db").exists(), "nobody has ever had an event");
    let fix = std::fs::read_to_string(place.books.join("fix.yaml")).unwrap();
    let playbook = fix.replace("kind: Runbook", "kind: Playbook\nowner: o\nimpact: low\nescalation: e");
    let on = "triggers: [{source: stdin, when: event.type == \"now\"}, {id: later, source: stdin, when: event.type == \"later\", accumulate: {events: 2, within: 1h}}]\nsteps:";
    std::fs::write(place.books.join("fix.yaml"), playbook.replace("steps:", on)).unwrap();
    let trigger = |kind: &str, id: &str| {
        let event = format!(r#"{{"specversion":"1.0","id":"{id}","source":"x","type":"{kind}","data":{{"of":"a-telling-{id}"}}}}"#);
        let path = place.runbook.scratch.join(format!("{id}.json"));
        std::fs::write(&path, event).unwrap();
        place.runbook.run(["trigger", "--event", &path.display().to_string()]).assert(0)
    };
    trigger("now", "1");
    let run = last(&place);
    trigger("later", "2");
    trigger("never", "3");
    place.runbook.run(["prune", "--events-after", "59m"]).assert(1).says("triggers look back as far as 1h");
    place.runbook.run(["prune", "--events-after", "1h"]).assert(0).says("nothing is old enough");
    let years_ago = "UPDATE events SET received = '2020-01-01T00:00:00Z'; UPDATE rulings SET at_ms = 0";
    sql(&state, "events.db", years_ago);
    let mut listed = lines(&place.runbook.run(["events", "--json"]).assert(0).stdout);
    listed.reverse();

    let would = place.runbook.run(["prune", "--events-after", "90d", "--dry-run", "--json"]).assert(0).stdout;
    assert_eq!(lines(&would), [serde_json::json!({"events": 2, "first": 1, "last": 3})]);
    assert_eq!(lines(&place.runbook.run(["events", "--json"]).assert(0).stdout).len(), 3, "it only said what would go");
    let folder = place.runbook.scratch.folder("exports");
    let out = folder.display().to_string();
    place.runbook.run(["prune", "--events-after", "90d", "--export", &out]).assert(0).says("gone: 2 events (1 to 3)");

    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().flatten().map(|file| file.path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let exported = lines(&std::fs::read_to_string(file).unwrap());
    assert_eq!(exported, [listed[0].clone(), listed[2].clone()], "all that is told of them");
    let left = lines(&place.runbook.run(["events", "--json"]).assert(0).stdout);
    assert_eq!(left, [listed[1].clone()], "what was put off stays, however old");
    place.runbook.run(["events", "1"]).assert(2).says("event 1 was let go of by `runbook prune`");
    place.runbook.run(["events", "9"]).assert(2).says("there is no event 9");
    place.runbook.run(["audit"]).assert(0).says("prune_events");
    place.runbook.run(["prune", "--events-after", "90d"]).assert(0).says("nothing is old enough");
    // The run has all of its event, and an event that comes once more is a new one.
    place.runbook.run(["verify", &run]).assert(0);
    place.runbook.run(["show", &run, "--json"]).assert(0).says("a-telling-1");
    place.runbook.run(["report", &run]).assert(0).says("fix");
    trigger("now", "1").says("event 4, fix/1: ran");
    place.runbook.run(["doctor", "--thorough", "--listen", "127.0.0.1:0"]).assert(0);
}
