//! What a disk can do to the database itself, which keeps no checksums: a row of a record that reads otherwise is found, or the
//! store says that it is damaged. Never is another record taken for the one that was written.

use rusqlite::Connection;

use super::*;
use crate::journal::sqlite::Store;

/// What a reader is told of the run: its record where it is sound, else nothing.
fn told(folder: &Path, run: &RunId) -> Option<String> {
    let store = Store::open(folder).ok()?;
    let found = verify_run(&store, run, &Evidence::default()).ok()?;
    let mut file = Vec::new();
    let exported = export(&store, run, &mut file).is_ok();
    (found.is_sound() && exported).then(|| String::from_utf8(file).unwrap())
}

#[tokio::test]
async fn a_changed_byte_of_the_database_changes_no_record_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let store: SharedJournal = Arc::new(Store::open(&state).unwrap());
    let clock = clock();
    let mut session = start(&store, &clock).await;
    session.receive(Message::Note { by: person("ada"), text: "before".into() }).unwrap();
    drive(&mut session, &clock).await;
    session.receive(approval(session.run(), "bob", None)).unwrap();
    drive(&mut session, &clock).await;
    let run = session.id().clone();
    session.close().await.unwrap();
    let records = store.records(&run, 1, 100).unwrap();
    drop(store);
    let database = state.join("journal.db");
    Connection::open(&database).unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let whole = std::fs::read(&database).unwrap();
    let sound = told(&state, &run).expect("it is sound");
    let rows: Vec<usize> = records[1..3]
        .iter()
        .flat_map(|record| [&record.body, &record.at, record.hash.as_str()])
        .flat_map(|text| {
            let found = whole.windows(text.len()).position(|window| window == text.as_bytes()).expect("it is there in one piece");
            found..found + text.len()
        })
        .collect();
    // Each byte of the rows of two events, and a sample of all others.
    for place in rows.iter().copied().chain((0..whole.len()).step_by(211)) {
        let mut changed = whole.clone();
        changed[place] ^= 0x01;
        std::fs::write(&database, changed).unwrap();
        for beside in ["journal.db-wal", "journal.db-shm"] {
            let _ = std::fs::remove_file(state.join(beside));
        }
        if let Some(text) = told(&state, &run) {
            assert!(text == sound && !rows.contains(&place), "byte {place} is overlooked");
        }
    }
}
