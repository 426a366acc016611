//! A backup is taken of what goes on, is whole or refused, and what is made out of it does nothing twice.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::harness::eventually;
use crate::{Begun, Beside, Place};

const STEPS: &str = "[{id: a, run: 'echo a >> EFFECTS; seq 1 20000', irreversible: x}, {id: go, approve: {question: on?}}, {id: b, run: 'echo b >> EFFECTS', irreversible: x}]";

fn backup(place: &Place, name: &str) -> String {
    let file = place.runbook.scratch.join(name).display().to_string();
    place.runbook.run(["backup", &file]).assert(0);
    file
}

fn only_run(beside: &Beside<'_>) -> Value {
    let runs = beside.run(&["runs", "--json"]).assert(0).stdout;
    serde_json::from_str(runs.lines().next().expect("a run")).unwrap()
}

#[test]
fn a_run_that_went_on_since_does_nothing_twice() {
    let place = Place::with(STEPS);
    place.runbook.exec("fix", &[]).assert(3);
    let file = backup(&place, "one.tar");
    place.runbook.approve_and_resume().assert(0);
    assert_eq!(place.effects(), "a\nb\n");

    let copy = place.beside("copy");
    let told = copy.run(&["restore", &file]).assert(0).says("1 run was not over and is paused");
    assert!(told.stderr.contains("1 run with 7 events of theirs and 1 log"), "{}", told.stderr);
    assert_eq!(only_run(&copy)["phase"], "paused");
    copy.run(&["verify", "last"]).assert(0).says("1 log compared");
    copy.run(&["show", "last"]).assert(0).says("restored from the backup of");
    // A server takes no step of it, also after it was approved.
    let state = copy.state.display().to_string();
    let shown = copy.run(&["decisions", "last", "--json"]).assert(0).stdout;
    let shown: Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
    copy.run(&["approve", "last", "--digest", shown["request"]["digest"].as_str().unwrap(), "--reason", "r"]).assert(0);
    let mut server = Begun::quietly(&mut place.runbook.command(["--state", &state, "serve", "--listen", "127.0.0.1:0"]));
    std::thread::sleep(Duration::from_secs(2));
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!((place.effects().as_str(), only_run(&copy)["phase"].as_str()), ("a\nb\n", Some("paused")));
    // A person who has looked says so, and reads why it stands still.
    copy.run(&["resume", "last", "--yes"]).assert(0).says("restored from the backup of");
    assert_eq!(place.effects(), "a\nb\nb\n");
}

/// What began when the journal had been copied, and before the logs were.
#[test]
fn a_log_of_later_is_not_one_of_the_copy() {
    let place = Place::with(STEPS);
    place.runbook.exec("fix", &[]).assert(3);
    let run = place.runbook.run(["runs", "--json"]).assert(0).stdout;
    let run: Value = serde_json::from_str(run.lines().next().unwrap()).unwrap();
    let logs = |state: &std::path::Path| state.join("logs").join(run["run"].as_str().unwrap());
    std::fs::write(logs(&place.runbook.state()).join("b@1.log"), "of the original").unwrap();
    let file = backup(&place, "one.tar");
    let copy = place.beside("copy");
    copy.run(&["restore", &file]).assert(0);
    let names = std::fs::read_dir(logs(&copy.state)).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["a@1.log"]);
}

#[test]
fn what_was_under_way_is_unknown_to_the_copy() {
    let place = Place::with("[{id: a, run: 'echo a >> EFFECTS; sleep 600', irreversible: x}]");
    let mut child = place.under_way("a");
    let file = backup(&place, "one.tar");
    let copy = place.beside("copy");
    copy.run(&["restore", &file]).assert(0);
    // The process that has the run is at work on the original, and not on the copy.
    assert_eq!(only_run(&copy)["phase"], "paused");
    copy.run(&["resume", "last", "--yes"]).assert(3).says("nobody knows how it ended");
    assert_eq!(place.effects(), "a\n");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn events_that_waited_and_tokens_and_approvals_ahead_let_nothing_happen() {
    let place = Place::with(STEPS);
    let fix = std::fs::read_to_string(place.books.join("fix.yaml")).unwrap();
    let playbook = fix.replace("kind: Runbook", "kind: Playbook\nowner: o\nimpact: low\nescalation: e");
    let on = "triggers: [{source: stdin, when: event.type == \"now\"}, {id: later, source: stdin, when: event.type == \"later\", accumulate: {events: 2, within: 1h}}]\nsteps:";
    std::fs::write(place.books.join("fix.yaml"), playbook.replace("steps:", on)).unwrap();
    let trigger = |kind: &str, id: &str| {
        let event = format!(r#"{{"specversion":"1.0","id":"{id}","source":"x","type":"{kind}","data":{{}}}}"#);
        let path = place.runbook.scratch.join(format!("{id}.json"));
        std::fs::write(&path, event).unwrap();
        place.runbook.run(["trigger", "--event", &path.display().to_string(), "--detach"])
    };
    trigger("later", "1").assert(0);
    let state = place.runbook.state();
    let db = Connection::open(state.join("events.db")).unwrap();
    let deferred: i64 = db.query_row("SELECT count(*) FROM rulings WHERE word = 'deferred'", [], |row| row.get(0)).unwrap();
    assert_eq!(deferred, 1);
    // One that nobody has judged, as a server that is killed leaves it.
    db.execute_batch(
        "INSERT INTO events (source, sender, id, key, received, body) SELECT source, sender, '2', key, received, replace(replace(body, '\"later\"', '\"now\"'), '\"id\":\"1\"', '\"id\":\"2\"') FROM events",
    )
    .unwrap();
    place.runbook.run(["token", "create", "--for", "you"]).assert(0);
    place.runbook.run_with(["account", "add", "you"], "some words of you\n").assert(0);
    place.runbook.run(["approve", "--ahead", "fix", "--step", "go", "--uses", "2", "--expires", "1d", "--reason", "r"]).assert(0);
    let file = backup(&place, "one.tar");

    let copy = place.beside("copy");
    let ran = copy.run(&["restore", &file, "--json"]).assert(0);
    let restored: Value = serde_json::from_str(&ran.stdout).unwrap();
    let told = ["events_dropped", "aheads_void", "tokens_revoked", "passwords_void"].map(|key| restored[key].as_u64());
    assert_eq!(told, [Some(2), Some(1), Some(1), Some(1)], "{restored}");
    // The next that decides, decides on them that nothing happens.
    copy.run(&["trigger", "--event", &place.runbook.scratch.join("1.json").display().to_string()]).assert(0);
    let events = copy.run(&["events", "--json"]).assert(0).stdout;
    let dropped = events.matches("the state was restored from a backup").count();
    assert_eq!(dropped, 3, "one that was put off, and one at two triggers that nobody had judged: {events}");
    assert!(copy.run(&["runs", "--json"]).assert(0).stdout.is_empty());
    copy.run(&["token", "list"]).assert(0).says("revoked");
    copy.run(&["account", "list"]).assert(0).says("nobody can log in");
    copy.run(&["audit"]).assert(0).says("restore");
    let kept = place.beside("kept");
    kept.run(&["restore", &file, "--keep-tokens"]).assert(0);
    kept.run(&["token", "list"]).assert(0).says("valid");
    assert!(!kept.run(&["account", "list"]).assert(0).stdout.contains("nobody can log in"));
}

#[test]
fn a_backup_is_whole_or_refused() {
    let place = Place::with(STEPS);
    place.runbook.exec("fix", &[]).assert(3);
    let ran = place.runbook.run(["backup", "one.tar", "--json"]).assert(0);
    let made: Value = serde_json::from_str(&ran.stdout).unwrap();
    let digest = made["digest"].as_str().unwrap();
    let file = place.runbook.scratch.join("one.tar");
    place.runbook.run(["backup", "one.tar"]).assert(2).says("is there already");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    place.runbook.run(["restore", "one.tar", "--check", "--digest", digest]).assert(0).says("whole");
    let (front, last) = digest.split_at(digest.len() - 1);
    let other = format!("{front}{}", if last == "0" { "1" } else { "0" });
    place.runbook.run(["restore", "one.tar", "--check", "--digest", &other]).assert(2).says("not the one that you gave");

    let whole = std::fs::read(&file).unwrap();
    let copy = place.beside("copy");
    let refused = |bytes: &[u8], what: &str| {
        std::fs::write(place.runbook.scratch.join("changed.tar"), bytes).unwrap();
        let ran = copy.run(&["restore", "changed.tar"]);
        assert!(ran.code == 2 && ran.stderr.contains("not a whole one"), "{what}: {ran:?}");
        let left = std::fs::read_dir(&copy.state).map(|entries| entries.count()).unwrap_or_default();
        assert_eq!(left, 0, "{what}: nothing is left of it");
    };
    for cut in [0, 1, 511, 512, 4096, whole.len() / 2, whole.len() - 2048] {
        refused(&whole[..cut], &format!("cut at {cut}"));
    }
    // Of each file in it one byte.
    let mut archive = tar::Archive::new(whole.as_slice());
    let places: Vec<(String, u64, u64)> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.map(|entry| (entry.path().unwrap().display().to_string(), entry.raw_file_position(), entry.size())))
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(places.len(), 3, "{places:?}");
    for (name, at, bytes) in &places {
        let mut changed = whole.clone();
        changed[(at + bytes / 2) as usize] ^= 1;
        refused(&changed, name);
    }
    // Over standard streams, and into a folder that holds something.
    let out = place.runbook.command(["backup", "-"]).output().unwrap();
    assert!(out.status.success());
    let mut restore = place.runbook.command(["--state", &copy.state.display().to_string(), "restore", "-"]);
    let mut restore = Begun::quietly(restore.stdin(Stdio::piped()));
    restore.stdin.take().unwrap().write_all(&out.stdout).unwrap();
    assert!(restore.wait().unwrap().success());
    copy.run(&["restore", "one.tar"]).assert(2).says("holds something already");
    let open = place.beside("open");
    std::fs::create_dir(&open.state).unwrap();
    std::fs::set_permissions(&open.state, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    open.run(&["restore", "one.tar"]).assert(1).says("others may write to it");
    assert_eq!(std::fs::read_dir(&open.state).unwrap().count(), 0);
}

/// An archive that somebody made, with what must never be written.
#[test]
fn an_archive_of_hostile_names_writes_nothing_outside() {
    let place = Place::with(STEPS);
    let copy = place.beside("deep/copy");
    std::fs::create_dir_all(copy.state.parent().unwrap()).unwrap();
    let run = "01m832w9bcd9ks5p4zyx9yf2ka";
    let long = format!("logs/{run}/{}@1.log", "a".repeat(300));
    let names = [
        "/etc/passwd",
        "../../out",
        "logs/../../out",
        "logs/x/a@1.log",
        &format!("logs/{run}/../../out@.log"),
        &format!("logs/{run}/a"),
        &long,
        "restoring/x",
        "events.lock",
    ];
    for name in names {
        let mut archive = Vec::new();
        {
            let mut tar = tar::Builder::new(&mut archive);
            let mut header = tar::Header::new_gnu();
            header.set_size(1);
            header.set_mode(0o600);
            // The library refuses such names; somebody else's does not.
            let field = &mut header.as_old_mut().name;
            if name.len() < field.len() {
                field[..name.len()].copy_from_slice(name.as_bytes());
                header.set_cksum();
                tar.append(&header, &b"x"[..]).unwrap();
            } else {
                tar.append_data(&mut header, name, &b"x"[..]).unwrap();
            }
            tar.finish().unwrap();
        }
        std::fs::write(place.runbook.scratch.join("hostile.tar"), &archive).unwrap();
        copy.run(&["restore", "hostile.tar"]).assert(2).says("not a whole one");
        assert!(!place.runbook.scratch.join("out").exists() && !place.runbook.scratch.join("deep/out").exists(), "{name}");
    }
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_link(&mut link, "journal.db", "/etc/passwd").unwrap();
    std::fs::write(place.runbook.scratch.join("hostile.tar"), archive.into_inner().unwrap()).unwrap();
    copy.run(&["restore", "hostile.tar"]).assert(2).says("is no file");
}

#[test]
fn a_restore_that_was_cut_off_is_no_state_folder() {
    let place = Place::with(STEPS);
    place.runbook.exec("fix", &[]).assert(3);
    let state = place.runbook.state();
    std::fs::create_dir(state.join("restoring")).unwrap();
    for words in [&["runs"][..], &["exec", "fix", "--yes"], &["events"], &["token", "list"], &["serve", "--listen", "127.0.0.1:0"]]
    {
        place.runbook.run(words).assert(1).says("a restore into it is under way");
    }
    std::fs::remove_dir(state.join("restoring")).unwrap();
    place.runbook.run(["runs"]).assert(0);
}

#[test]
fn a_record_that_was_not_whole_is_restored_and_named() {
    let place = Place::with("[{id: a, run: 'echo a >> EFFECTS', idempotent: true}]");
    place.runbook.exec("fix", &[]).assert(0);
    let db = Connection::open(place.runbook.state().join("journal.db")).unwrap();
    db.execute_batch("UPDATE events SET body = replace(body, 'fix', 'fax') WHERE seq = 1").unwrap();
    let file = backup(&place, "one.tar");
    let copy = place.beside("copy");
    copy.run(&["restore", &file, "--check"]).assert(1).says("is not whole: event 1");
    copy.run(&["restore", &file]).assert(1).says("is not whole: event 1");
    copy.run(&["runs"]).assert(0).says("fix");
}

/// Backups while runs begin, end and write logs: each is whole, and holds no run without what its record tells of.
#[test]
fn backups_of_what_goes_on_are_whole() {
    let place = Place::with("[{id: a, run: 'seq 1 9000', idempotent: true}, {id: b, run: 'seq 1 9000', idempotent: true}]");
    place.runbook.exec("fix", &[]).assert(0);
    let text = std::fs::read_to_string(place.books.join("fix.yaml")).unwrap().replace("lock: one\n", "");
    std::fs::write(place.books.join("fix.yaml"), text).unwrap();
    let stop = place.runbook.scratch.join("stop");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.exists() {
                    place.runbook.exec("fix", &[]).assert(0);
                }
            });
        }
        let mut seen = 0;
        for number in 0..6 {
            let file = backup(&place, &format!("{number}.tar"));
            let ran = place.runbook.run(["restore", &file, "--check", "--json"]).assert(0);
            let proof: Value = serde_json::from_str(&ran.stdout).unwrap();
            let runs = proof["runs"].as_u64().unwrap();
            assert!(runs >= seen && proof["broken"].as_array().unwrap().is_empty(), "{proof}");
            eventually("another run", || {
                let now = place.runbook.run(["runs", "--json", "-n", "1000"]).assert(0).stdout.lines().count() as u64;
                (now > runs).then_some(())
            });
            seen = runs;
        }
        std::fs::write(&stop, "").unwrap();
    });
}
