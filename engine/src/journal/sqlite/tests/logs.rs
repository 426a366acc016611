//! What a power failure or a failing disk leaves of the write-ahead log. Whatever it is, the store opens, and holds the commits
//! before the damage: all of them, no part of another one, and none behind.

use super::*;

/// A database, and the log of what was written since.
struct Logged {
    database: Vec<u8>,
    log: Vec<u8>,
    /// Where each commit that added a record ends: 0 where it is in the database.
    ends: Vec<usize>,
    records: Vec<Record>,
}

impl Logged {
    /// So many commits, of which the database holds the first or nothing.
    fn of(commits: usize, is_begun: bool) -> Logged {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let file = |name: &str| std::fs::read(store.folder().join(name)).unwrap();
        let lease = store.create(new_run(&id(1), "p", &Owner::named("ada", 1))).wait().unwrap();
        if is_begun {
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            Connection::open(store.database.path()).unwrap().query_row(checkpoint, [], |_| Ok(())).unwrap();
        }
        let mut ends = vec![file("journal.db-wal").len()];
        while ends.len() < commits {
            let row = store.run(&id(1)).unwrap();
            store.append(adding(&lease, more(&id(1), "p", row.seq, &row.head, 1))).wait().unwrap();
            ends.push(file("journal.db-wal").len());
        }
        let (database, log) = (file("journal.db"), file("journal.db-wal"));
        Logged { database, log, ends, records: store.records(&id(1), 1, 100).unwrap() }
    }

    /// Cuts the log at each of these places, and changes the byte there in each of these ways.
    fn damage(&self, places: Vec<usize>, changes: &[u8]) {
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            for places in places.chunks(places.len().div_ceil(workers)) {
                scope.spawn(move || {
                    let copy = tempfile::tempdir().unwrap();
                    std::fs::set_permissions(copy.path(), PermissionsExt::from_mode(0o700)).unwrap();
                    std::fs::write(copy.path().join("journal.db"), &self.database).unwrap();
                    let mut log = self.log.clone();
                    for place in places {
                        self.check(copy.path(), &log[..*place], *place, "cut");
                        let Some(byte) = log.get(*place).copied() else { continue };
                        for change in changes {
                            log[*place] = byte ^ change;
                            self.check(copy.path(), &log, *place, "changed");
                        }
                        log[*place] = byte;
                    }
                    assert_eq!(std::fs::read(copy.path().join("journal.db")).unwrap(), self.database, "reading changes nothing");
                });
            }
        });
    }

    fn check(&self, folder: &Path, log: &[u8], place: usize, how: &str) {
        std::fs::write(folder.join("journal.db-wal"), log).unwrap();
        let _ = std::fs::remove_file(folder.join("journal.db-shm"));
        let store = Store::open(folder).unwrap();
        let whole = self.ends.iter().filter(|end| **end <= place).count();
        assert_eq!(store.records(&id(1), 1, 100).unwrap(), self.records[..whole], "{how} at {place}");
        assert_eq!(store.run(&id(1)).map_or(0, |row| row.seq), whole as u64, "{how} at {place}");
    }
}

#[test]
fn what_is_left_of_a_log_is_the_commits_before_the_damage() {
    let long = Logged::of(9, false);
    long.damage((0..long.log.len()).step_by(1021).chain([long.log.len()]).collect(), &[0x01]);
    // Each byte of the head, and of all pages of a commit that has others before and behind it.
    let short = Logged::of(4, true);
    short.damage((0..32).chain(short.ends[1]..=short.ends[2]).collect(), &[0x20]);
}

#[test]
#[ignore = "every byte: see CONTRIBUTING.md"]
fn what_is_left_of_a_log_damaged_at_each_byte() {
    let long = Logged::of(9, false);
    long.damage((0..=long.log.len()).collect(), &[0x01, 0x20]);
}
