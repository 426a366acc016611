//! Every way to change a record that we could think of, each of them found.

use super::*;
use crate::clock::Clock;
use crate::journal::export::export;
use crate::journal::{MemoryJournal, SharedJournal};
use crate::message::Message;
use crate::session::tests::{approval, clock, drive, person, start};

fn evidence() -> Evidence<'static> {
    Evidence { signature: &|_| Ok(()), anchors: &[], logs: None }
}

/// A finished run with an approval and an anchor, and its export.
async fn recorded() -> (SharedJournal, RunId, String) {
    let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
    let mut session = start(&journal, &clock).await;
    session.receive(Message::Note { by: person("ada"), text: "\u{1F600} 9007199254740993".into() }).unwrap();
    drive(&mut session, &clock).await;
    let row = journal.run(session.id()).unwrap();
    let anchor = Anchor { run: row.run.clone(), seq: row.seq, head: row.head.clone(), at: clock.now(), place: "a message".into() };
    journal.anchor(anchor).wait().unwrap();
    session.receive(approval(session.run(), "bob", Some(row.head))).unwrap();
    drive(&mut session, &clock).await;
    let run = session.id().clone();
    session.close().await.unwrap();
    let mut file = Vec::new();
    export(&*journal, &run, &mut file).unwrap();
    (journal, run, String::from_utf8(file).unwrap())
}

fn check(file: &[u8]) -> Verification {
    verify_export(file, &evidence()).unwrap()
}

#[tokio::test]
async fn an_honest_record_is_sound() {
    let (journal, run, file) = recorded().await;
    let exported = check(file.as_bytes());
    assert_eq!(exported.faults, []);
    assert!(exported.ended && exported.intact > 10);
    assert_eq!((exported.anchors, exported.votes.len()), (2, 1), "the anchor of the record and that of the vote");
    assert_eq!(verify_run(&*journal, &run, &evidence()).unwrap(), exported);
}

#[tokio::test]
async fn any_flipped_byte_is_found() {
    let (_, _, file) = recorded().await;
    // Some bytes stand for all: each check replays the whole run.
    let plan = file.find('\n').unwrap();
    for place in (0..plan).step_by(61).chain((plan..file.len()).step_by(5)) {
        let mut bytes = file.clone().into_bytes();
        bytes[place] ^= 1;
        assert!(
            !check(&bytes).is_sound(),
            "byte {place}: {}",
            &file[place.saturating_sub(20)..].chars().take(60).collect::<String>()
        );
    }
}

#[tokio::test]
async fn any_cut_is_found() {
    let (_, _, file) = recorded().await;
    for cut in (0..file.len()).step_by(13).chain([file.len() - 1]) {
        assert!(!check(&file.as_bytes()[..cut]).is_sound(), "cut at {cut}");
    }
}

/// Puts lines together again and closes the file as an export would: what a careful forger does.
fn forged(lines: &[String], events: u64, head: &Digest, anchors: &str) -> Vec<u8> {
    let mut file: String = lines.iter().map(|line| format!("{line}\n")).collect();
    file.push_str(&format!(r#"{TAIL}{head}","events":{events},"anchors":{anchors}"#));
    let digest = Digest::of_bytes(file.as_bytes());
    file.push_str(&format!(",\"file\":\"{digest}\"}}\n"));
    file.into_bytes()
}

#[tokio::test]
async fn dropped_doubled_and_reordered_events_are_found() {
    let (_, _, file) = recorded().await;
    let lines: Vec<String> = file.lines().map(str::to_owned).collect();
    let (body, last) = (&lines[..lines.len() - 1], lines.len() - 2);
    let head = Record::from_line(&body[last]).unwrap().hash;
    let closed = |lines: &[String]| check(&forged(lines, lines.len() as u64 - 1, &head, "[]"));
    assert_eq!(closed(body).faults, [], "the forger's tools are good");
    for place in 1..=last {
        let mut dropped = body.to_vec();
        dropped.remove(place);
        assert!(!closed(&dropped).is_sound(), "without {place}");
        let mut doubled = body.to_vec();
        doubled.insert(place, doubled[place].clone());
        assert!(!closed(&doubled).is_sound(), "{place} twice");
        if place < last {
            let mut swapped = body.to_vec();
            swapped.swap(place, place + 1);
            assert!(!closed(&swapped).is_sound(), "{place} and the next swapped");
        }
    }
}

/// Whoever can rewrite everything makes a valid chain; what others have seen of the old one still shows it.
#[tokio::test]
async fn a_record_made_anew_fails_by_its_meaning_or_its_anchors() {
    let (_, run, file) = recorded().await;
    let lines: Vec<String> = file.lines().map(str::to_owned).collect();
    let records: Vec<Record> = lines[1..lines.len() - 1].iter().map(|line| Record::from_line(line).unwrap()).collect();
    let old_head = records.last().unwrap().hash.clone();
    let rechained = |edit: &dyn Fn(&mut Record)| {
        let mut head = chain::genesis(&run);
        let mut out = vec![lines[0].clone()];
        for record in &records {
            let mut record = record.clone();
            edit(&mut record);
            record.hash = chain::link(&head, &record.bytes());
            head = record.hash.clone();
            out.push(record.line());
        }
        forged(&out, records.len() as u64, &head, "[]")
    };
    let outside = [old_head];
    let with_anchor = Evidence { anchors: &outside, ..evidence() };
    type Edit = fn(&mut Record);
    let cases: [(&str, Edit, bool); 5] = [
        ("nothing", |_| (), true),
        ("a note", |r| r.body = r.body.replace("9007199254740993", "9007199254740992"), false),
        ("what was asked", |r| r.body = r.body.replace("Go on?", "Go on!"), false),
        ("who asked", |r| r.body = r.body.replace("\"plan\":\"sha256:", "\"plan\":\"sha256:0").replacen("0", "", 1), false),
        ("when", |r| r.at = r.at.replace("2026-01", "2025-12"), false),
    ];
    for (what, edit, sound) in cases {
        let file = rechained(&edit);
        assert_eq!(verify_export(&*file, &with_anchor).unwrap().is_sound(), sound, "{what}");
    }
    let asked = check(&rechained(&|r| r.body = r.body.replace("Go on?", "Go on!")));
    assert!(asked.faults.iter().any(|f| matches!(f, Fault::Request { .. })), "{:?}", asked.faults);

    // A tail cut off with care is a valid shorter record: only the anchor outside shows it.
    let short = forged(&lines[..lines.len() - 2], records.len() as u64 - 1, &records[records.len() - 2].hash, "[]");
    assert!(check(&short).is_sound());
    let found = verify_export(&*short, &with_anchor).unwrap();
    assert!(matches!(found.faults[..], [Fault::Anchor { .. }]), "{:?}", found.faults);
}

#[tokio::test]
async fn another_plan_is_found() {
    let (_, _, file) = recorded().await;
    let lines: Vec<String> = file.lines().map(str::to_owned).collect();
    let mut body = lines[..lines.len() - 1].to_vec();
    let head = Record::from_line(body.last().unwrap()).unwrap().hash;
    body[0] = body[0].replace("\"rm\"", "\"mv\"");
    assert_ne!(body[0], lines[0]);
    let found = check(&forged(&body, body.len() as u64 - 1, &head, "[]"));
    assert!(found.faults.iter().any(|f| matches!(f, Fault::Plan { .. })), "{:?}", found.faults);
}

#[test]
fn what_is_no_export_is_said_to_be_none() {
    for text in ["", "\n", "{}\n", "[1,2]\n", "\u{0}\u{1}\n", "{\"record\":\"another\",\"format\":1}\n"] {
        let found = check(text.as_bytes());
        assert!(matches!(found.faults[..], [Fault::Line { line: 1, .. }]), "{text:?}: {:?}", found.faults);
    }
}

fn journals() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/journals")
}

/// Records of every format that was ever written stay readable, and mean what they meant.
#[test]
fn every_recorded_journal_is_still_sound() {
    let mut count = 0;
    for file in std::fs::read_dir(journals()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let found = check(&std::fs::read(&path).unwrap());
            assert_eq!(found.faults, [], "{}", path.display());
            assert!(found.ended, "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 1);
}

/// `cargo test -p runbook-engine --lib -- --ignored write_a_journal` adds a journal of today's format. Earlier ones stay.
#[tokio::test]
#[ignore = "writes tests/journals"]
async fn write_a_journal() {
    let (_, _, file) = recorded().await;
    std::fs::create_dir_all(journals()).unwrap();
    std::fs::write(journals().join(format!("{FORMAT}-approval.jsonl")), file).unwrap();
}
