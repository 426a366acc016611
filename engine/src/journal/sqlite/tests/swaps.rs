//! The state folder, or the database in it, is exchanged for something else while the store is opened and used: nothing is read
//! through a link, and nothing is opened in another folder.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Two state folders with a run each, `ours` and `other`.
fn two_stores() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for (name, run) in [("ours", 1), ("other", 2)] {
        let store = Store::open(&place.path().join(name)).unwrap();
        store.create(new_run(&id(run), "p", &Owner::named("ada", run))).wait().unwrap();
    }
    place
}

fn exchange(one: &Path, other: &Path) {
    let here = rustix::fs::CWD;
    rustix::fs::renameat_with(here, one, here, other, rustix::fs::RenameFlags::EXCHANGE).unwrap();
}

/// What a store holds by the word of each connection that it may have: its first to read with, another one, and the one that writes.
fn runs(store: &Store) -> Vec<Result<RunId, JournalError>> {
    let first =
        || store.runs(&RunFilter { limit: 10, ..RunFilter::default() }).map(|runs| runs.first().expect("a run").run.clone());
    let busy = || {
        let _busy = store.database.reader().unwrap().lock().unwrap();
        first()
    };
    let written = store.database.submit(Durability::Visible, |c| {
        let run: String = c.query_row("SELECT run FROM runs", [], |row| row.get(0))?;
        Ok(run.parse().unwrap())
    });
    vec![first(), busy(), written.wait()]
}

#[test]
fn a_database_that_is_swapped_for_a_link_is_never_read_through_it() {
    let place = two_stores();
    let [ours, honest, link, target] =
        ["ours", "ours/journal.db", "ours/link", "other/journal.db"].map(|name| place.path().join(name));
    symlink(&target, &link).unwrap();
    std::fs::set_permissions(&target, PermissionsExt::from_mode(0o644)).unwrap();
    let stop = AtomicBool::new(false);
    let opened: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                exchange(&honest, &link);
                exchange(&honest, &link);
                // Rarely enough that some are opened, often enough that many are not.
                (0..200).for_each(|_| drop(std::fs::symlink_metadata(&link)));
            }
        });
        let opened = (0..200).filter_map(|_| Store::open(&ours).ok()).flat_map(|store| runs(&store)).flatten().collect();
        stop.store(true, Ordering::Relaxed);
        opened
    });
    assert!(!opened.is_empty());
    assert!(opened.iter().all(|run| *run == id(1)), "{opened:?}");
    assert_eq!(mode(&target), 0o644, "it was changed through the link");
}

#[test]
fn a_store_whose_folder_was_put_elsewhere_opens_nothing_in_its_place() {
    let place = two_stores();
    let (ours, other) = (place.path().join("ours"), place.path().join("other"));
    let store = Store::open(&ours).unwrap();
    exchange(&ours, &other);
    let [first, another, written] = <[_; 3]>::try_from(runs(&store)).unwrap();
    assert_eq!((first, written), (Ok(id(1)), Ok(id(1))), "what is open stays what it was");
    assert!(matches!(another, Err(JournalError::Folder { .. })), "{another:?}");
    exchange(&ours, &other);
    assert_eq!(runs(&store), [Ok(id(1)), Ok(id(1)), Ok(id(1))]);
}

/// To close a file gives up every lock that a process holds on it: a second store must not take those of the first, or the last
/// process to leave would take the log along under it.
#[test]
fn a_second_store_of_one_process_leaves_the_first_its_locks() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let lease = store.create(new_run(&id(1), "p", &Owner::named("ada", 1))).wait().unwrap();
    drop(Store::open(store.folder()).unwrap());
    // Another process comes and goes, as the last one by all that it can see.
    let script =
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM runs').fetchall(); c.close()";
    let python = std::process::Command::new("python3").args(["-c", script]).arg(store.database.path()).status().unwrap();
    assert!(python.success());
    let row = store.run(&id(1)).unwrap();
    store.append(adding(&lease, more(&id(1), "p", row.seq, &row.head, 1))).wait().unwrap();
    assert_eq!(open(&folder).run(&id(1)).unwrap().seq, 2, "what the first has written is there");
    drop(store);
}
