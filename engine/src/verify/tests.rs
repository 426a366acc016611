//! Every way to change a record that we could think of, each of them found: by us, and by a program that shares no code with
//! us (`tests/verify.py`).

mod awaited;
mod database;
mod golden;
mod on_call;
mod versions;
mod wide;

use std::path::{Path, PathBuf};
use std::process::Command;

use runbook_core::limits;

use super::export::Reading;
use super::*;
use crate::clock::Clock;
use crate::journal::export::{TAIL, export};
use crate::journal::{FORMAT, MemoryJournal, SharedJournal};
use crate::message::Message;
use crate::people::SigningKey;
use crate::session::tests::{approval, clock, drive, person, start};

/// A finished run with an approval and an anchor, and its export. `notes` are added before the approval.
async fn recorded_with(notes: usize, key: Option<&Path>) -> (SharedJournal, RunId, String) {
    let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
    let mut session = start(&journal, &clock).await;
    for note in 0..notes {
        let text = format!("\u{1F600} {}", 9007199254740993u64 + note as u64);
        session.receive(Message::Note { by: person("ada"), text }).unwrap();
    }
    drive(&mut session, &clock).await;
    let anchored = |row: crate::journal::RunRow| Anchor {
        run: row.run,
        seq: row.seq,
        head: row.head,
        at: clock.now(),
        place: "a message".into(),
        signed: None,
    };
    let row = journal.run(session.id()).unwrap();
    journal.anchor(anchored(row.clone())).wait().unwrap();
    session.receive(approval(session.run(), "bob", Some(row.head))).unwrap();
    drive(&mut session, &clock).await;
    let run = session.id().clone();
    session.close().await.unwrap();
    if let Some(key) = key {
        let anchor = anchored(journal.run(&run).unwrap());
        journal.anchor(anchor::sign(anchor, "ada", &SigningKey::File(key.to_owned())).unwrap()).wait().unwrap();
    }
    let mut file = Vec::new();
    export(&*journal, &run, &mut file).unwrap();
    (journal, run, String::from_utf8(file).unwrap())
}

async fn recorded() -> (SharedJournal, RunId, String) {
    recorded_with(1, None).await
}

fn check(file: &[u8]) -> Verification {
    verify_export(file, &Evidence::default()).unwrap()
}

/// A key of a person, and the line about it in a file of signers.
fn key(folder: &Path, name: &str) -> (PathBuf, String) {
    let file = folder.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&file).status();
    assert!(made.unwrap().success());
    let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
    (file, format!("{name} {public}"))
}

/// What the other verifier says of each file.
fn other(options: &[&str], files: &[PathBuf]) -> Vec<String> {
    let said = python(&[&["verify.py"], options].concat(), files);
    said.lines().map(|line| line.split_once('\t').map(|(_, verdict)| verdict).unwrap_or_default().to_owned()).collect()
}

/// Shows the other verifier a file with each byte changed, and cut at each place: what it takes for whole. With `closed`, up to the last
/// line, the file is closed again with the digest of what it is now, as a forger would.
const EXHAUST: &str = r#"
import hashlib, sys
from verify import verdict
data = bytearray(open(sys.argv[2], "rb").read())
last, closing = data.rindex(b"\n", 0, -1), data.rindex(b',"file":"sha256:')
digest = slice(closing + len(b',"file":"sha256:'), -3)
kept = bytes(data[digest])
for place in range(len(data) if sys.argv[1] == "open" else last + 1):
    for change in (0x01, 0x20):
        data[place] ^= change
        if sys.argv[1] == "closed":
            data[digest] = hashlib.sha256(data[:closing]).hexdigest().encode()
        if verdict(data) == "whole":
            print(f"byte {place} ^ {change}")
        data[place] ^= change
    data[digest] = kept
    if verdict(data[:place]) == "whole":
        print(f"cut at {place}")
"#;

fn python(arguments: &[&str], files: &[PathBuf]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    let said =
        Command::new("python3").arg("-B").args(arguments).args(files).current_dir(folder).output().expect("python3 is there");
    assert!(said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap()
}

#[tokio::test]
async fn an_honest_record_is_sound() {
    let (journal, run, file) = recorded().await;
    let exported = check(file.as_bytes());
    assert_eq!(exported.faults, []);
    assert!(exported.ended && exported.intact > 10);
    assert_eq!((exported.anchors, exported.votes.len()), (2, 1), "the anchor of the record and that of the vote");
    assert_eq!(verify_run(&*journal, &run, &Evidence::default()).unwrap(), exported);
}

/// Whether the rest of a file, from a line on, is found out. The digest of the whole file gives nothing away where a forger has closed
/// it again.
fn is_found(mut reading: Reading<'_>, mut rest: &[u8], closed_again: bool) -> bool {
    loop {
        let (line, behind) = rest.split_at(rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |end| end + 1));
        rest = behind;
        match reading.line(line) {
            Err(_) => return true,
            Ok(_) if reading.has_faults() => return true,
            Ok(None) => {}
            Ok(Some(tail)) => {
                let found = reading.finish(tail, rest.is_empty());
                return found.faults.iter().any(|fault| !closed_again || *fault != Fault::File);
            }
        }
    }
}

#[tokio::test]
async fn every_flipped_byte_and_every_cut_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = key(folder.path(), "ada");
    let (_, _, text) = recorded_with(188, Some(&file)).await;
    assert_eq!(text.lines().count(), 202, "a plan, two hundred events, a last line");
    let mut reading = Reading::new(Evidence::default());
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let mut rest = text.as_bytes()[start..].to_vec();
        for place in 0..line.len() {
            for change in [0x01, 0x20] {
                rest[place] ^= change;
                let is_last = line.len() == rest.len();
                assert!(is_found(reading.clone(), &rest, !is_last), "byte {} ^ {change}", start + place);
                rest[place] ^= change;
            }
            assert!(is_found(reading.clone(), &rest[..place], false), "cut at {}", start + place);
        }
        reading.line(line.as_bytes()).unwrap();
        assert!(!reading.has_faults());
        start += line.len();
    }
    let export = folder.path().join("export");
    std::fs::write(&export, &text).unwrap();
    assert_eq!(python(&["-c", EXHAUST, "open"], std::slice::from_ref(&export)), "", "the other verifier overlooks something");
    // It begins anew each time: a short record is enough to show that it needs no digest of the file.
    std::fs::write(&export, recorded().await.2).unwrap();
    assert_eq!(python(&["-c", EXHAUST, "closed"], &[export]), "", "the other verifier overlooks something");
    println!("{} flips and {start} cuts are found, by two verifiers", 2 * start);
}

#[test]
fn the_other_verifier_can_be_read_at_one_sitting() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/verify.py");
    assert!(std::fs::read_to_string(script).unwrap().lines().count() <= 100);
}

/// Puts lines together again and closes the file as an export would: what a careful forger does.
fn forged(lines: &[String], events: u64, head: &Digest, anchors: &str) -> Vec<u8> {
    let mut file: String = lines.iter().map(|line| format!("{line}\n")).collect();
    file.push_str(&format!(r#"{TAIL}{head}","events":{events},"anchors":{anchors}"#));
    let digest = Digest::of_bytes(file.as_bytes());
    file.push_str(&format!(",\"file\":\"{digest}\"}}\n"));
    file.into_bytes()
}

/// A changed record that is closed again as an export is: only what it says can give it away.
struct Forgery {
    what: String,
    file: Vec<u8>,
    /// Whether it passes with nothing at hand, with the last head that was kept, with a file of signers.
    passes: [bool; 3],
}

/// Every event left out, doubled, put after the next or before all others, and some after all others, again at the end and backwards;
/// every end cut off; and the whole made anew.
fn forgeries(text: &str, forger: &Path) -> Vec<Forgery> {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (body, tail) = (&lines[..lines.len() - 1], lines.last().unwrap());
    let tail: crate::journal::export::Tail = serde_json::from_str(tail).unwrap();
    let (last, kept) = (body.len() - 1, serde_json::to_string(&tail.anchors).unwrap());
    let closed = |lines: &[String], anchors: &str| {
        let head = Record::from_line(lines.last().unwrap()).map_or(tail.head.clone(), |record| record.hash);
        forged(lines, lines.len() as u64 - 1, &head, anchors)
    };
    let mut found = vec![Forgery { what: "nothing".into(), file: text.into(), passes: [true; 3] }];
    let mut add = |what: String, file: Vec<u8>, passes| found.push(Forgery { what, file, passes });
    add("nothing, and no anchors".into(), closed(body, "[]"), [true, true, false]);
    for place in 1..=last {
        let with = |change: &dyn Fn(&mut Vec<String>)| {
            let mut lines = body.to_vec();
            change(&mut lines);
            closed(&lines, "[]")
        };
        if place < last {
            add(format!("without {place}"), with(&|lines| drop(lines.remove(place))), [false; 3]);
            add(format!("{place} and the next swapped"), with(&|lines| lines.swap(place, place + 1)), [false; 3]);
            add(format!("cut after {place}"), closed(&body[..=place], "[]"), [true, false, false]);
        }
        if place > 1 {
            let first = |lines: &mut Vec<String>| lines[1..=place].rotate_right(1);
            add(format!("{place} before all others"), with(&first), [false; 3]);
        }
        add(format!("{place} twice"), with(&|lines| lines.insert(place, lines[place].clone())), [false; 3]);
        if place % 10 == 1 && place < last {
            add(format!("{place} after all others"), with(&|lines| lines[place..].rotate_left(1)), [false; 3]);
            add(format!("{place} again at the end"), with(&|lines| lines.push(lines[place].clone())), [false; 3]);
            add(format!("backwards from {place}"), with(&|lines| lines[place..].reverse()), [false; 3]);
        }
    }
    add("cut, with the anchors".into(), closed(&body[..last], &kept), [false; 3]);
    let mut other = body.to_vec();
    other[0] = other[0].replacen("\"format\":1", "\"format\":0", 1);
    add("of another format".into(), closed(&other, &kept), [false; 3]);

    let mut anew = vec![body[0].clone()];
    let mut heads: Vec<(Digest, Digest)> = Vec::new();
    for line in &body[1..] {
        let old = Record::from_line(line).unwrap();
        let previous = heads.last().map_or(chain::genesis(FORMAT, &old.run), |(_, new)| new.clone());
        let mut record = Record { body: old.body.replace("9007199254740993", "9007199254740992"), ..old.clone() };
        // A vote names a head: whoever makes the record anew changes that too.
        for (before, after) in heads.iter().filter(|_| record.kind == "decided") {
            record.body = record.body.replace(before.as_str(), after.as_str());
        }
        record.hash = chain::link(&previous, &[&record.bytes()]);
        heads.push((old.hash, record.hash.clone()));
        anew.push(record.line());
    }
    let (_, head) = heads.last().unwrap().clone();
    let anchor = tail.anchors.last().unwrap();
    let own = Anchor { head: head.clone(), signed: None, ..anchor.clone() };
    let own = anchor::sign(own, "ada", &SigningKey::File(forger.to_owned())).unwrap();
    let borrowed = Anchor { head, ..anchor.clone() };
    for (what, anchors, passes) in [
        ("made anew", "[]".to_owned(), [true, false, false]),
        ("made anew, with the anchors", kept, [false; 3]),
        ("made anew, signed by the forger", format!("[{}]", serde_json::to_string(&own).unwrap()), [true, false, false]),
        ("made anew, with the old signature", format!("[{}]", serde_json::to_string(&borrowed).unwrap()), [true, false, false]),
    ] {
        add(what.into(), closed(&anew, &anchors), passes);
    }
    found
}

#[tokio::test]
async fn two_verifiers_agree_on_every_forgery() {
    let folder = tempfile::tempdir().unwrap();
    let ((file, signer), (forger, _)) = (key(folder.path(), "ada"), key(folder.path(), "mallory"));
    let signers = folder.path().join("signers");
    std::fs::write(&signers, signer).unwrap();
    let (_, _, text) = recorded_with(188, Some(&file)).await;
    let kept = check(text.as_bytes()).head.unwrap();
    let forgeries = forgeries(&text, &forger);
    let files: Vec<PathBuf> = (0..forgeries.len()).map(|n| folder.path().join(n.to_string())).collect();
    for (forgery, file) in forgeries.iter().zip(&files) {
        std::fs::write(file, &forgery.file).unwrap();
    }
    let heads = [kept.clone()];
    let all = [
        (Evidence::default(), vec![]),
        (Evidence { heads: &heads, ..Evidence::default() }, vec!["--head", kept.as_str()]),
        (Evidence { signers: Some(&signers), ..Evidence::default() }, vec!["--signers", signers.to_str().unwrap()]),
    ];
    for (at, (evidence, options)) in all.iter().enumerate() {
        // What is found with nothing at hand is found with more.
        let told = |(forgery, _): &(&Forgery, &PathBuf)| at == 0 || forgery.passes[0];
        let (tried, files): (Vec<_>, Vec<_>) =
            forgeries.iter().zip(&files).filter(told).map(|(forgery, file)| (forgery, file.clone())).unzip();
        let theirs = other(options, &files);
        assert_eq!(theirs.len(), tried.len());
        for (Forgery { what, file, passes }, theirs) in tried.into_iter().zip(theirs) {
            let ours = verify_export(&**file, evidence).unwrap();
            assert_eq!(ours.is_sound(), passes[at], "{what}, {options:?}: {:?}", ours.faults);
            assert_eq!(theirs == "whole", passes[at], "{what}, {options:?}: the other verifier says {theirs}");
        }
    }
    println!("two verifiers agree on {} forgeries, without and with a head and a signature", files.len());
}

/// Whoever can rewrite everything makes a valid chain; what others have seen of the old one still shows it.
#[tokio::test]
async fn a_record_made_anew_fails_by_its_meaning_or_its_anchors() {
    let (_, run, file) = recorded().await;
    let lines: Vec<String> = file.lines().map(str::to_owned).collect();
    let records: Vec<Record> = lines[1..lines.len() - 1].iter().map(|line| Record::from_line(line).unwrap()).collect();
    let old_head = records.last().unwrap().hash.clone();
    let rechained = |edit: &dyn Fn(&mut Record)| {
        let mut head = chain::genesis(FORMAT, &run);
        let mut out = vec![lines[0].clone()];
        for record in &records {
            let mut record = record.clone();
            edit(&mut record);
            record.hash = chain::link(&head, &[&record.bytes()]);
            head = record.hash.clone();
            out.push(record.line());
        }
        forged(&out, records.len() as u64, &head, "[]")
    };
    let outside = [old_head];
    let with_anchor = Evidence { heads: &outside, ..Evidence::default() };
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

/// The line of a list is no event, and yet it is what people look at first.
#[tokio::test]
async fn a_list_that_says_something_else_than_the_record_is_found() {
    let (journal, run, _) = recorded().await;
    let row = journal.run(&run).unwrap();
    let (ada, at) = (crate::journal::Owner::named("ada", 9), clock().now());
    let lease = journal.acquire(&run, &ada, at, at).wait().unwrap();
    type Edit = fn(&mut Summary);
    let edits: [Edit; 4] = [
        |s| s.outcome = Some(runbook_core::run::event::OutcomeKind::Failed),
        |s| s.requested_by = "bob".into(),
        |s| s.phase = Phase::Running,
        |s| s.message = "all is well".into(),
    ];
    for edit in edits {
        let mut summary = row.summary.clone();
        edit(&mut summary);
        let append = crate::journal::Append {
            run: run.clone(),
            epoch: lease.epoch,
            durability: crate::journal::Durability::Synced,
            records: Vec::new(),
            summary: Some(summary),
            open: None,
            awaited: None,
            answers: Vec::new(),
        };
        journal.append(append).wait().unwrap();
        let found = verify_run(&*journal, &run, &Evidence::default()).unwrap();
        assert!(matches!(found.faults[..], [Fault::Summary { .. }]), "{:?}", found.faults);
    }
}

#[tokio::test]
async fn a_log_that_was_changed_is_found_and_told_from_one_that_was_lost() {
    let state = tempfile::tempdir().unwrap();
    let logs = Logs::open(state.path()).unwrap();
    let (run, path): (RunId, StepPath) = (RunId::from_parts(1, 1), "a".parse().unwrap());
    let long = "x".repeat(limits::RESULT_BYTES);
    let at = |attempt| format!("of attempt {attempt} of `a` is ");
    for (attempt, kept, found, why) in [
        (1, "what was said", Some("what was said"), None),
        (2, "what was said", Some("what was sAid"), Some("not what was recorded: its bytes are others")),
        (3, "what was said", Some("what was said!"), Some("not what was recorded: it has 14 bytes, recorded are 13")),
        (4, "what was said", Some("what was"), Some("lost: 8 of 13 bytes are there")),
        (5, "what was said", None, Some("lost: 0 of 13 bytes are there")),
        (6, &format!("{long}x"), Some(&long), Some("not what was recorded: it has 16384 bytes, recorded are 16385")),
        (7, &format!("{long}x"), None, Some("not what was recorded: it is not there")),
        (8, "", None, None),
    ] {
        let mut writer = logs.writer(&run, &path, attempt);
        writer.write(kept.as_bytes());
        let seal = writer.seal();
        let file = state.path().join("logs").join(run.as_str()).join(format!("a@{attempt}.log"));
        match found {
            Some(found) => std::fs::write(file, found).unwrap(),
            None => drop(std::fs::remove_file(file)),
        }
        let said = compare(&logs, &run, &path, attempt, &seal).map(|fault| fault.to_string());
        let expect = why.map(|why| at(attempt) + why);
        assert!(
            said.is_some() == why.is_some() && said.iter().all(|said| said.contains(expect.as_deref().unwrap_or_default())),
            "{said:?}"
        );
    }
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
