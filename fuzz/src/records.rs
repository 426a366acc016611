//! The two readers of records: the journal's rows, and an export. Random bytes never get past a hash chain, so the bytes are
//! choices instead: which of `tests/journals` to take, what to change in it, and whether the chain is closed again over the change,
//! as somebody would who can write to all of it.
//!
//! What must hold: a change is found; where the chain was closed again, what the record says is possible, or found not to be; and
//! whatever can be replayed can be asked and gone on with.

use std::sync::{Arc, LazyLock};

use runbook_core::run::{Command, Event, Run};
use runbook_core::{Digest, RunId};
use runbook_engine::journal::export::Exported;
use runbook_engine::journal::{Archive, DecisionFilter, Journal, Record, RunFilter, Store, chain};
use runbook_engine::session::replay;
use runbook_engine::verify::{Evidence, Fault, verify_export, verify_run};
use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::{Value as Json, json};

/// An export is sound, or something in it is named, and what is sound can be shown again.
pub fn export(data: &[u8]) {
    let mut choices = Choices(data);
    // The file, and what is known of it before.
    let (file, known) = match choices.below(3) {
        0 => (choices.0.to_vec(), None),
        1 => {
            let honest = choices.journal().text;
            let changed = choices.slip(honest);
            let same = changed == honest.as_bytes();
            (changed, Some(same))
        }
        _ => {
            let book = choices.book();
            (book.file(&book.sealed()), book.is_untouched().then_some(true))
        }
    };
    let found = verify_export(&file[..], &Evidence::default()).expect("bytes in memory can be read");
    // A vote names the head that its voter saw; a chain that was made again has others.
    let sound = found.faults.iter().all(|fault| matches!(fault, Fault::Anchor { .. }));
    assert!(known.is_none_or(|known| known == sound), "{:?}", found.faults);
    let shown = shown(&file);
    if found.is_sound() {
        let run = shown.expect("what is sound can be shown");
        assert_eq!((run.seq(), run.outcome().is_some()), (found.intact, found.ended));
    }
}

/// What `runbook replay FILE` shows.
fn shown(file: &[u8]) -> Option<Run> {
    let mut exported = Exported::open(file).ok()?;
    let mut run = Run::new(Arc::new(exported.plan.clone()));
    while let Some(event) = exported.event().ok()? {
        run.apply(&event).ok()?;
    }
    asked(&run);
    Some(run)
}

/// Rows of the journal are read or refused one by one; a run is replayed only where its verification finds nothing wrong with
/// its chain, its plan and its events.
pub fn journal(data: &[u8]) {
    thread_local!(static STORE: Shelf = Shelf::new());
    let mut choices = Choices(data);
    let book = choices.book();
    let mut records = book.sealed();
    let mut kept = true;
    if choices.below(4) == 0 {
        let place = choices.below(records.len());
        if let Some(record) = records.get_mut(place) {
            let body = choices.slip(&record.body);
            let body = String::from_utf8_lossy(&body).into_owned();
            kept = body == record.body;
            record.body = body;
        }
    }
    let mut rows = rows(&book, &records);
    let mut honest = true;
    while !choices.0.is_empty() {
        let at = choices.below(rows.len());
        let Some((_, columns)) = rows.get_mut(at) else { break };
        let at = choices.below(columns.len());
        if let Some(column) = columns.get_mut(at) {
            *column = choices.column();
            honest = false;
        }
    }
    STORE.with(|shelf| {
        if shelf.put(&rows).is_err() {
            return;
        }
        let store = &shelf.store;
        let _ = store.runs(&RunFilter::default());
        let _ = store.open_decisions(&DecisionFilter::all());
        let _ = (store.open_decisions(&DecisionFilter::of(&book.run)), store.inbox(&book.run), store.anchors(&book.run));
        let _ = store.aheads(&"everything".parse().expect("a name"), jiff::Timestamp::UNIX_EPOCH);
        if let Ok(row) = store.run(&book.run) {
            let _ = row.holder.map(|holder| (holder.is_live(jiff::Timestamp::UNIX_EPOCH), holder.to_owned()));
        }
        let replayed = replay(store, &book.run, &mut |_, _| {});
        let verified = verify_run(store, &book.run, &Evidence::default());
        if let Ok((run, _)) = &replayed {
            let beside = |fault: &Fault| {
                matches!(fault, Fault::Request { .. } | Fault::Vote { .. } | Fault::Anchor { .. } | Fault::Summary { .. })
            };
            match verified {
                Ok(found) => assert!(found.faults.iter().all(beside), "{:?}", found.faults),
                // It reads more rows than a replay does.
                Err(why) => assert!(!honest, "{why}"),
            }
            asked(run);
        }
        let untouched = kept && honest && book.is_untouched();
        assert!(!untouched || replayed.is_ok(), "{:?}", replayed.err());
        assert!(kept || !honest || replayed.is_err(), "a changed event was replayed");
    });
}

/// Whatever a run says of itself can be asked, and what it wants next is possible once it is answered.
fn asked(run: &Run) {
    let now = run.last_at();
    let _ = run.outputs(now);
    for step in run.steps() {
        let _ = (step.title(), step.why(), step.by_hand());
    }
    for command in run.pending() {
        let fact = match &command {
            Command::Resolve { path } => run.resolve(path, now),
            Command::Conclude { path } => run.conclude(path, now),
            Command::Judge { path, .. } => run.judge(path, now),
            Command::Request { path, purpose } => run.request(path.as_ref(), purpose, now),
            _ => None,
        };
        if let (Some(fact), Some(id)) = (fact, run.id()) {
            let event = Event { run: id.clone(), seq: run.seq() + 1, at: now, fact };
            let mut next = run.clone();
            next.apply(&event).unwrap_or_else(|why| panic!("{command:?} is answered by {event:?}: {why}"));
        }
    }
}

/// A journal of `tests/journals`.
struct Kept {
    text: &'static str,
    book: Book,
}

macro_rules! kept {
    ($($name:literal)*) => {[$(Kept::read(include_str!(concat!("../../tests/journals/", $name, ".jsonl")))),*]};
}

static KEPT: LazyLock<[Kept; 4]> = LazyLock::new(|| kept!("1-everything" "1-approval" "1-cancelled" "1-rejected"));

/// What stands in place of something else: every part of every journal, and what none of them has.
static PARTS: LazyLock<Vec<Json>> = LazyLock::new(|| {
    let mut all: Vec<Json> = KEPT.iter().flat_map(|kept| kept.book.events.iter().chain([&kept.book.plan])).cloned().collect();
    let mut at = 0;
    while at < all.len() {
        match all[at].clone() {
            Json::Array(items) => all.extend(items),
            Json::Object(members) => all.extend(members.into_iter().map(|(_, value)| value)),
            _ => {}
        }
        at += 1;
    }
    all.sort_by_cached_key(Json::to_string);
    all.dedup();
    all.extend([
        json!(null),
        json!(-1),
        json!(u32::MAX),
        json!(u64::MAX),
        json!(1e308),
        json!(""),
        json!("~"),
        json!("a\"b\\\n\u{0}\u{202e}"),
        json!([]),
        json!({}),
        json!("9999-12-30T22:00:00Z"),
        json!("-009999-01-02T01:59:59Z"),
        json!({"secs": u64::MAX, "nanos": 999_999_999}),
        json!({"$duration": "520w"}),
        json!({"items": {"items": [1, 2, 3], "waves": [1, u32::MAX]}}),
        json!({"call": {"inputs": {}}}),
        json!({"call": {"procedure": 0, "with": []}}),
    ]);
    all
});

/// A record taken apart.
#[derive(Clone, PartialEq)]
struct Book {
    run: RunId,
    plan: Json,
    /// `at`, `kind` and `body` of each.
    events: Vec<Json>,
}

impl Kept {
    fn read(text: &'static str) -> Kept {
        let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).expect("a journal is JSON")).collect();
        let (header, events) = (&lines[0], &lines[1..lines.len() - 1]);
        let events = events.iter().map(|e| json!({"at": e["at"], "kind": e["kind"], "body": e["body"]})).collect();
        let run = header["run"].as_str().and_then(|run| run.parse().ok()).expect("a run has an id");
        Kept { text, book: Book { run, plan: header["plan"].clone(), events } }
    }
}

impl Book {
    fn is_untouched(&self) -> bool {
        KEPT.iter().any(|kept| kept.book == *self)
    }

    fn plan_digest(&self) -> Digest {
        Digest::of_json(&self.plan).expect("JSON has a digest")
    }

    /// The events with the plan's digest where the first one names it, and a chain over them.
    fn sealed(&self) -> Vec<Record> {
        let mut head = chain::genesis(1, &self.run);
        let mut records = Vec::new();
        for (seq, event) in (1..).zip(&self.events) {
            let mut body = event["body"].clone();
            if let Some(plan) = body.get_mut("plan").filter(|_| seq == 1) {
                *plan = json!(self.plan_digest());
            }
            let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
            let (run, at, kind, body) = (self.run.clone(), text("at"), text("kind"), body.to_string());
            let mut record = Record { run, seq, at, kind, body, hash: head.clone() };
            record.hash = chain::link(&head, &[&record.bytes()]);
            head = record.hash.clone();
            records.push(record);
        }
        records
    }

    /// An export, closed as one is.
    fn file(&self, records: &[Record]) -> Vec<u8> {
        let (run, plan) = (&self.run, &self.plan);
        let digest = self.plan_digest();
        let mut file = format!(r#"{{"record":"runbook record","format":1,"run":"{run}","plan_digest":"{digest}","plan":{plan}}}"#);
        for record in records {
            file.push_str(&format!("\n{}", record.line()));
        }
        let head = records.last().map_or_else(|| chain::genesis(1, run), |record| record.hash.clone());
        file.push_str(&format!("\n{{\"head\":\"{head}\",\"events\":{},\"anchors\":[]", records.len()));
        let digest = Digest::of_bytes(file.as_bytes());
        file.push_str(&format!(",\"file\":\"{digest}\"}}\n"));
        file.into_bytes()
    }
}

/// The fuzzer's bytes, two for a choice.
struct Choices<'d>(&'d [u8]);

impl Choices<'_> {
    /// A number below `of`; 0 where there is nothing left to choose with.
    fn below(&mut self, of: usize) -> usize {
        let (first, rest) = self.0.split_at(self.0.len().min(2));
        self.0 = rest;
        first.iter().rfold(0, |n, byte| (n << 8) | usize::from(*byte)) % of.max(1)
    }

    fn journal(&mut self) -> &'static Kept {
        &KEPT[self.below(KEPT.len())]
    }

    /// A few bytes of a text replaced.
    fn slip(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = self.below(256) as u8;
            }
        }
        bytes
    }

    /// A journal with some of it left out, doubled, moved, taken from another, or replaced inside.
    fn book(&mut self) -> Book {
        let mut book = self.journal().book.clone();
        for _ in 0..self.below(6) {
            let at = self.below(book.events.len());
            match self.below(8) {
                _ if book.events.is_empty() => break,
                0 => drop(book.events.remove(at)),
                1 => book.events.truncate(at),
                2 => {
                    let other = self.below(book.events.len());
                    book.events.swap(at, other);
                }
                3 => {
                    let others = &self.journal().book.events;
                    book.events.insert(at, others[self.below(others.len())].clone());
                }
                4 => self.change(&mut book.plan),
                _ => self.change(&mut book.events[at]),
            }
        }
        book
    }

    /// Puts another part in place of one somewhere inside, or takes it out.
    fn change(&mut self, whole: &mut Json) {
        let at = self.below(count(whole));
        let part = (self.below(8) > 0).then(|| PARTS[self.below(PARTS.len())].clone());
        let mut left = at;
        put(whole, &mut left, part);
    }

    fn column(&mut self) -> Sql {
        match self.below(3) {
            0 => Sql::Integer([0, 1, -1, 2, 99, i64::MAX, i64::MIN, 253_402_207_200_001][self.below(8)]),
            1 => Sql::Null,
            _ => match &PARTS[self.below(PARTS.len())] {
                Json::String(text) => Sql::Text(text.clone()),
                other => Sql::Text(other.to_string()),
            },
        }
    }
}

fn count(whole: &Json) -> usize {
    1 + match whole {
        Json::Array(items) => items.iter().map(count).sum(),
        Json::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// Replaces the part that comes after `left` others, or takes it out where nothing is given. Whether it was reached.
fn put(whole: &mut Json, left: &mut usize, part: Option<Json>) -> bool {
    if *left == 0 {
        *whole = part.unwrap_or_default();
        return true;
    }
    *left -= 1;
    match whole {
        Json::Array(items) => {
            if part.is_none() && *left < items.len() && items.iter().all(|item| count(item) == 1) {
                items.remove(*left);
                return true;
            }
            items.iter_mut().any(|item| put(item, left, part.clone()))
        }
        Json::Object(members) => members.iter_mut().any(|(_, member)| put(member, left, part.clone())),
        _ => false,
    }
}

type Row = (&'static str, Vec<Sql>);

/// The rows of a run, and one of each other kind.
fn rows(book: &Book, records: &[Record]) -> Vec<Row> {
    let text = |text: &dyn std::fmt::Display| Sql::Text(text.to_string());
    let (run, digest) = (text(&book.run), text(&book.plan_digest()));
    let head = records.last().map_or_else(|| chain::genesis(1, &book.run), |record| record.hash.clone());
    let summary = json!({
        "procedure": "everything", "version": "1.0.0", "environment": null, "requested_by": "ada",
        "started_at": "2026-01-01T00:00:00Z", "phase": "parked", "ended_at": null, "outcome": null, "message": "",
    });
    let by = json!({"person": "ada", "means": "engine"});
    let owner = json!({"person": "ada", "host": "", "realm": "", "pid": 1, "started": 1, "instance": 1});
    let at = text(&"2026-01-01T00:00:00Z");
    let mut rows = vec![
        ("runs (run, format, plan, seq, head, summary, open)", {
            vec![
                run.clone(),
                Sql::Integer(1),
                digest.clone(),
                Sql::Integer(records.len() as i64),
                text(&head),
                text(&summary),
                Sql::Integer(1),
            ]
        }),
        ("plans (digest, text)", vec![digest, text(&book.plan)]),
        ("leases (run, epoch, owner, until)", vec![run.clone(), Sql::Integer(1), text(&owner), Sql::Integer(0)]),
        ("decisions (run, decision, path, purpose, question, asked_from, asked_at, expires_at)", {
            vec![
                run.clone(),
                Sql::Integer(1),
                text(&"sure"),
                text(&"\"approve\""),
                text(&"Go?"),
                text(&"[]"),
                at.clone(),
                Sql::Null,
            ]
        }),
        ("messages (run, sent_at, body, answer)", {
            vec![run.clone(), at.clone(), text(&json!({"say": "note", "by": by, "text": "x"})), Sql::Null]
        }),
        ("aheads (procedure, body, uses_left, expires_at)", {
            vec![text(&"everything"), text(&"{}"), Sql::Integer(1), Sql::Integer(9_000_000_000_000)]
        }),
        ("anchors (run, seq, head, at, place, signed)", {
            vec![run.clone(), Sql::Integer(1), text(&head), at, text(&"a message"), Sql::Null]
        }),
    ];
    rows.extend(records.iter().map(|record| {
        let Record { seq, at, kind, body, hash, .. } = record;
        ("events (run, seq, at, kind, body, hash)", {
            vec![run.clone(), Sql::Integer(*seq as i64), text(at), text(kind), text(body), text(hash)]
        })
    }));
    rows
}

/// A store, and a way past it.
struct Shelf {
    store: Store,
    beside: Connection,
    _folder: tempfile::TempDir,
}

impl Shelf {
    fn new() -> Shelf {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let state = folder.path().join("state");
        let store = Store::open(&state).expect("a store can be made");
        let beside = Connection::open(state.join("journal.db")).expect("the store is a database");
        beside.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF").expect("both are known");
        Shelf { store, beside, _folder: folder }
    }

    /// Puts these rows in place of all others. An error says that no table takes them.
    fn put(&self, rows: &[Row]) -> rusqlite::Result<()> {
        let transaction = self.beside.unchecked_transaction()?;
        for table in ["events", "leases", "decisions", "messages", "aheads", "locks", "anchors", "runs", "plans"] {
            transaction.execute(&format!("DELETE FROM {table}"), [])?;
        }
        for (table, columns) in rows {
            let holes = vec!["?"; columns.len()].join(", ");
            transaction
                .prepare_cached(&format!("INSERT INTO {table} VALUES ({holes})"))?
                .execute(rusqlite::params_from_iter(columns))?;
        }
        transaction.commit()
    }
}
