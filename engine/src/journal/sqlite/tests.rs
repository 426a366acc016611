//! What is particular to the store on disk: refusals, other processes, damage, and many writers at once.

mod logs;
mod swaps;

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use runbook_core::limits;
use rusqlite::Connection;

use super::*;
use crate::database::ChangeError;
use crate::journal::conformance::{adding, at, ended, id, journal_conformance, more, new_run};
use crate::journal::{FORMAT, Phase, chain};

fn open(folder: &tempfile::TempDir) -> Store {
    Store::open(&folder.path().join("state")).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn conforms() {
    let folders = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    for commits in [Commits::Together, Commits::OnTheSpot] {
        journal_conformance(|| {
            count.set(count.get() + 1);
            Arc::new(Store::open_with(&folders.path().join(format!("{}", count.get())), commits).unwrap())
        });
    }
}

#[test]
fn nobody_else_can_read_or_plant_anything() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.create(new_run(&id(1), "p", &Owner::named("ada", 1))).wait().unwrap();
    assert_eq!(mode(store.folder()), 0o700);
    for file in std::fs::read_dir(store.folder()).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    for (bits, refused) in [(0o700, false), (0o755, false), (0o770, true), (0o707, true), (0o1777, true)] {
        std::fs::set_permissions(store.folder(), PermissionsExt::from_mode(bits)).unwrap();
        let result = Store::open(store.folder());
        assert_eq!(matches!(&result, Err(JournalError::Folder { next, .. }) if next.contains("chmod 700")), refused, "{bits:o}");
    }
}

#[test]
fn a_folder_behind_a_link_is_used_and_a_database_behind_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    std::fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let store = Store::open(&link.join("deep/state")).unwrap();
    assert_eq!(store.folder(), real.canonicalize().unwrap().join("deep/state"));
    assert_eq!([mode(&real.join("deep")), mode(store.folder())], [0o700; 2]);

    let other = folder.path().join("other");
    drop(Store::open(&other).unwrap());
    std::fs::remove_file(other.join("journal.db")).unwrap();
    std::os::unix::fs::symlink(store.folder().join("journal.db"), other.join("journal.db")).unwrap();
    assert!(Store::open(&other).is_err());
}

#[test]
fn however_much_is_read_at_once_is_read_as_it_stood_at_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    for commits in [Commits::Together, Commits::OnTheSpot] {
        let (store, other) = (Store::open_with(&folder.path().join("state"), commits).unwrap(), open(&folder));
        let runs = |connection: &Connection| {
            Ok::<i64, ChangeError>(connection.query_row("SELECT count(*) FROM runs", [], |row| row.get(0))?)
        };
        let number = if commits == Commits::Together { 1 } else { 2 };
        let both = store.database.read(|connection| {
            let before = runs(connection)?;
            other.create(new_run(&id(number), "p", &Owner::named("ada", 1))).wait().unwrap();
            Ok((before, runs(connection)?))
        });
        let (before, after) = both.unwrap();
        assert_eq!(before, after);
        assert_eq!(store.database.read(runs).unwrap(), before + 1);
    }
}

#[test]
fn nobody_opens_what_a_restore_has_begun_to_fill() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let restoring = store.folder().join(crate::database::RESTORING);
    std::fs::create_dir(&restoring).unwrap();
    // One that had the folder before is told as well, as soon as it opens a file in it.
    assert!(store.database.confirm().is_err());
    assert!(Store::open(store.folder()).is_err());
    std::fs::remove_dir(&restoring).unwrap();
    store.database.confirm().unwrap();
}

#[test]
fn a_database_that_came_back_readable_by_all_is_made_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = open(&folder).database.path().to_owned();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    drop(open(&folder));
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn after_a_failure_of_the_disk_nothing_more_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let lease = store.create(new_run(&id(1), "p", &Owner::named("ada", 1))).wait().unwrap();
    let row = store.run(&id(1)).unwrap();
    let append = adding(&lease, more(&id(1), "p", row.seq, &row.head, 1));
    let failing = store.database.submit(Durability::Synced, |c| -> Result<(), ChangeError> {
        c.execute("UPDATE leases SET until = 7", [])?;
        Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC), None).into())
    });
    assert!(matches!(failing.wait(), Err(JournalError::Stopped(_))));
    assert!(matches!(store.append(append.clone()).wait(), Err(JournalError::Stopped(_))));
    assert_eq!(store.run(&id(1)).unwrap(), row, "what failed was taken back, and reading goes on");
    open(&folder).append(append).wait().unwrap();
}

#[test]
fn a_file_that_is_no_journal_is_refused_with_its_reason() {
    let text = "not a database, ".repeat(1000);
    for (name, bytes, expect) in [("text", text.as_bytes(), "damaged"), ("header", b"SQLite format 3\0".as_slice(), "damaged")] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::write(folder.path().join("journal.db"), bytes).unwrap();
        let error = Store::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(expect), "{name}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::create_dir(folder.path().join("journal.db")).unwrap();
    assert!(Store::open(folder.path()).is_err());
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert!(matches!(Store::open(&folder.path().join("file")), Err(JournalError::Folder { .. })));
}

#[test]
fn a_newer_or_foreign_database_is_refused() {
    for (pragma, expect) in [("user_version = 99", "use a newer"), ("application_id = 7", "another program")] {
        let folder = tempfile::tempdir().unwrap();
        let path = open(&folder).database.path().to_owned();
        Connection::open(&path).unwrap().execute_batch(&format!("PRAGMA {pragma}")).unwrap();
        let error = Store::open(path.parent().unwrap()).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
    for foreign in ["CREATE TABLE t (c)", "PRAGMA application_id = 7"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        Connection::open(&path).unwrap().execute_batch(foreign).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = Store::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another program"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "it was changed");
    }
}

/// Databases of the first version had no column for who vouches for an anchor.
#[test]
fn a_database_of_the_first_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let (state, path) = (store.folder().to_owned(), store.database.path().to_owned());
    let lease = store.create(new_run(&id(1), "p", &Owner::named("ada", 1))).wait().unwrap();
    let row = store.run(&id(1)).unwrap();
    store.append(adding(&lease, more(&id(1), "p", row.seq, &row.head, 3))).wait().unwrap();
    let anchor = Anchor { run: id(1), seq: row.seq, head: row.head.clone(), at: at(1), place: "a message".into(), signed: None };
    store.anchor(anchor.clone()).wait().unwrap();
    let before = (store.run(&id(1)).unwrap(), store.records(&id(1), 1, 100).unwrap());
    drop(store);

    let old = Connection::open(&path).unwrap();
    old.execute_batch("ALTER TABLE anchors DROP COLUMN signed; DROP TABLE pruned; DROP TABLE awaited; DROP TABLE overrides; PRAGMA user_version = 1")
        .unwrap();
    let tables = |database: &Connection| -> Vec<Option<String>> {
        let mut statement = database.prepare("SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY name").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let first = Connection::open_in_memory().unwrap();
    first.execute_batch(schema::SCHEMA.migrations[0]).unwrap();
    assert_eq!(tables(&old), tables(&first));
    drop(old);

    let store = Store::open(&state).unwrap();
    assert_eq!((store.run(&id(1)).unwrap(), store.records(&id(1), 1, 100).unwrap()), before);
    assert_eq!(store.anchors(&id(1)).unwrap(), std::slice::from_ref(&anchor));
    let by = crate::journal::SignedHead { by: "ada".into(), armoured: "of hers".into() };
    let signed = Anchor { signed: Some(by), ..anchor.clone() };
    store.anchor(signed.clone()).wait().unwrap();
    assert_eq!(store.anchors(&id(1)).unwrap(), [anchor, signed]);
}

#[test]
fn what_one_store_writes_another_reads_at_once() {
    for commits in [Commits::Together, Commits::OnTheSpot] {
        let folder = tempfile::tempdir().unwrap();
        what_one_writes_the_other_reads(&open(&folder), &Store::open_with(&folder.path().join("state"), commits).unwrap());
    }
}

fn what_one_writes_the_other_reads(writer: &Store, reader: &Store) {
    let lease = writer.create(new_run(&id(1), "p", &Owner::named("ada", 1))).wait().unwrap();
    let mut version = reader.version().unwrap();
    for seq in 2..20 {
        let row = reader.run(&id(1)).unwrap();
        let durability = if seq % 2 == 0 { Durability::Synced } else { Durability::Visible };
        let append = adding(&lease, more(&id(1), "p", row.seq, &row.head, 1));
        writer.append(Append { durability, ..append }).wait().unwrap();
        assert_eq!(reader.records(&id(1), 1, 100).unwrap().len(), seq);
        let now = reader.version().unwrap();
        assert_ne!(now, version);
        version = now;
        assert_eq!(reader.version().unwrap(), version, "quiet while nothing happens");
    }
    let bobs = reader.acquire(&id(1), &Owner::named("bob", 2), at(50), at(60)).wait().unwrap();
    assert!(writer.renew(&lease, at(70)).wait().is_err());
    reader.release(&bobs).wait().unwrap();
}

#[test]
fn many_writers_share_commits_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder));
    let threads: Vec<_> = (1..=64)
        .map(|n| {
            let store = store.clone();
            std::thread::spawn(move || {
                let lease = store.create(new_run(&id(n), "p", &Owner::named("ada", n))).wait().unwrap();
                for _ in 0..10 {
                    let row = store.run(&id(n)).unwrap();
                    let good = adding(&lease, more(&id(n), "p", row.seq, &row.head, 1));
                    let stale = Append { epoch: 99, ..good.clone() };
                    // Refused changes ride in the same commits and disturb nobody.
                    assert!(store.append(stale).wait().is_err());
                    store.append(good).wait().unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let reopened = open(&folder);
    for n in 1..=64 {
        let records = reopened.records(&id(n), 1, 100).unwrap();
        let mut head = chain::genesis(FORMAT, &id(n));
        for record in &records {
            head = chain::link(&head, &[&record.bytes()]);
            assert_eq!(record.hash, head);
        }
        assert_eq!(records.len(), 11);
        assert_eq!(reopened.run(&id(n)).unwrap().head, head);
    }
}

#[test]
fn what_is_queued_is_written_before_the_store_closes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for n in 1..=100 {
        drop(store.create(new_run(&id(n), "p", &Owner::named("ada", n))));
    }
    drop(store);
    assert_eq!(open(&folder).runs(&RunFilter { limit: 1000, ..RunFilter::default() }).unwrap().len(), 100);
}

#[test]
fn the_log_stays_short_however_many_processes_wrote_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let pages = || std::fs::metadata(folder.path().join("state/journal.db-wal")).unwrap().len() / 4096;
    let mut most = 0;
    for n in 1..=100 {
        let store = open(&folder);
        store.create(new_run(&id(n), "p", &Owner::named("ada", n))).wait().unwrap();
        assert_eq!(store.run(&id(n)).unwrap().seq, 1);
        drop(store);
        most = most.max(pages());
    }
    assert!(most > 0 && most < 2 * limits::LOG_PAGES_AT_END as u64, "{most}");
    assert_eq!(open(&folder).runs(&RunFilter { limit: 1000, ..RunFilter::default() }).unwrap().len(), 100);
}

#[test]
fn a_full_disk_refuses_whole_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let lease = store.create(new_run(&id(1), "p", &Owner::named("ada", 1))).wait().unwrap();
    // The database may grow no further: as on a full disk.
    store
        .database
        .submit(Durability::Synced, |c| {
            let pages: i64 = c.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            c.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            Ok(())
        })
        .wait()
        .unwrap();
    let mut full = None;
    for _ in 0..100 {
        let row = store.run(&id(1)).unwrap();
        let append = adding(&lease, more(&id(1), "p", row.seq, &row.head, 20));
        if let Err(error) = store.append(append).wait() {
            full = Some(error);
            break;
        }
    }
    assert_eq!(full, Some(JournalError::Full { path: store.database.path().to_owned() }));
    let seq = store.run(&id(1)).unwrap().seq;
    assert_eq!(store.records(&id(1), 1, 10_000).unwrap().len() as u64, seq, "refused as a whole");
    // Once there is room, the end of the run can be recorded.
    store
        .database
        .submit(Durability::Synced, |c| Ok(c.query_row("PRAGMA max_page_count = 100000", [], |_| Ok(()))?))
        .wait()
        .unwrap();
    let row = store.run(&id(1)).unwrap();
    let end = adding(&lease, more(&id(1), "p", row.seq, &row.head, 1));
    store.append(ended(&store, end)).wait().unwrap();
}

/// Runs of every kind, put into the tables at once.
fn fill(store: &Store, count: u64) {
    let row = serde_json::to_value(new_run(&id(0), "p", &Owner::named("ada", 1)).summary).unwrap();
    store
        .database
        .submit(Durability::Synced, move |c| {
            let plan = Digest::of_bytes(b"{}").to_string();
            c.execute("INSERT INTO plans VALUES (?1, '{}')", [&plan])?;
            for n in 1..=count {
                let mut summary = row.clone();
                summary["procedure"] = format!("p{}", n % 50).into();
                summary["environment"] = format!("e{}", n % 5).into();
                summary["requested_by"] = format!("u{}", n % 500).into();
                summary["phase"] = if n % 1000 == 0 { "waiting" } else { "ended" }.into();
                let run = id(n).to_string();
                c.prepare_cached("INSERT INTO runs (run, format, plan, seq, head, summary) VALUES (?1, 1, ?2, 0, ?2, ?3)")?
                    .execute([&run, &plan, &summary.to_string()])?;
                c.prepare_cached("INSERT INTO leases (run, epoch, until) VALUES (?1, 1, 0)")?.execute([&run])?;
            }
            Ok(())
        })
        .wait()
        .unwrap();
}

fn filters() -> [RunFilter; 8] {
    let all = RunFilter::default;
    [
        all(),
        RunFilter { before: Some(id(500)), ..all() },
        RunFilter { procedure: Some("p7".parse().unwrap()), ..all() },
        RunFilter { environment: Some("e3".into()), before: Some(id(900)), ..all() },
        RunFilter { requested_by: Some("u77".into()), ..all() },
        RunFilter { phase: Some(Phase::Waiting), ..all() },
        RunFilter { unfinished: true, ..all() },
        RunFilter { procedure: Some("none".parse().unwrap()), ..all() },
    ]
}

#[test]
fn no_list_scans_or_sorts() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for filter in filters() {
        let (sql, values) = read::runs_query(&filter);
        let plan = store
            .database
            .read(|c| {
                let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let lines = statement.query_map(rusqlite::params_from_iter(&values), |row| row.get::<_, String>(3))?;
                Ok(lines.collect::<Result<Vec<_>, _>>()?)
            })
            .unwrap();
        assert!(plan.iter().all(|line| line.contains("INDEX") && !line.contains("TEMP B-TREE")), "{filter:?}: {plan:#?}");
    }
}

/// `cargo test -p runbook-engine -- --ignored --nocapture hundred_thousand` prints what each list takes.
#[test]
#[ignore = "a measurement"]
fn lists_of_a_hundred_thousand_runs() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    fill(&store, 100_000);
    for filter in filters() {
        let began = std::time::Instant::now();
        let found = store.runs(&filter).unwrap().len();
        println!("{:>8.2} ms for {found:>3} runs: {filter:?}", began.elapsed().as_secs_f64() * 1000.0);
    }
}
