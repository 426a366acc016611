//! A store with many runs: copies of the rows of the last one.

use std::path::Path;

/// Adds so many runs to the journal, a multiple of 1,000.
pub fn fill(database: &Path, runs: usize) {
    let connection = rusqlite::Connection::open(database).expect("the journal");
    connection.execute_batch("PRAGMA synchronous = OFF").expect("a setting");
    for batch in 0..runs / 1_000 {
        let ids = format!("WITH RECURSIVE n(i) AS (SELECT {} UNION ALL SELECT i + 1 FROM n LIMIT 1000)", batch * 1000 + 1);
        let copies = format!(
            "BEGIN;
             {ids} INSERT INTO runs (run, format, plan, seq, head, summary)
                 SELECT printf('%026d', i), format, plan, seq, head, summary FROM n, (SELECT * FROM runs ORDER BY run DESC LIMIT 1);
             {ids} INSERT INTO leases (run, epoch, owner, until) SELECT printf('%026d', i), 1, NULL, 0 FROM n;
             {ids} INSERT INTO events (run, seq, at, kind, body, hash)
                 SELECT printf('%026d', i), seq, at, kind, body, hash FROM n, events
                 WHERE events.run = (SELECT run FROM runs ORDER BY run DESC LIMIT 1) ORDER BY i, seq;
             COMMIT"
        );
        connection.execute_batch(&copies).expect("the rows are copied");
    }
}
