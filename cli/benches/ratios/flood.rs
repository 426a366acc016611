//! Rows of output: more of it than anybody reads, in many lines and in one, with a secret to be looked for in every byte.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::Prepared;
use crate::{PAIRS, Reach, Row, median, quiet};

const MIB: u64 = 1024 * 1024;
/// What a log keeps.
const KEPT: u64 = 1024 * MIB;

pub fn lines(folder: &Path) -> Row {
    let measured = Some(slowed(folder, "lines", "yes 2026-11-21T05:00:00Z INFO replica billing-3 lag 42.0 s, 1234 of 5678 done"));
    Row {
        what: "a child that writes lines", against: "| cat > file, its own time", measured, unit: "×", reach: Reach::AtMost(1.5)
    }
}

pub fn one_line(folder: &Path) -> Row {
    let measured = Some(slowed(folder, "one-line", "cat /dev/zero"));
    Row {
        what: "a child that writes one line",
        against: "| cat > file, its own time",
        measured,
        unit: "×",
        reach: Reach::AtMost(1.5),
    }
}

/// 10 GiB through one step: every byte is counted, and exactly so many are kept as may be.
pub fn memory(folder: &Path) -> Row {
    let flood = Flood::new(folder, "ten", "cat /dev/zero", 10 * 1024 * MIB);
    let measured = Some(flood.prepared.peak_memory());
    assert_eq!(flood.kept(), KEPT, "bytes in the log");
    Row { what: "10 GiB through a step, memory", against: "the most at once", measured, unit: "MiB", reach: Reach::AtMost(64.0) }
}

struct Flood {
    prepared: Prepared,
    script: String,
    logs: PathBuf,
}

impl Flood {
    /// A step that writes so much, with a secret, and leaves in `took` how long the writing took.
    fn new(folder: &Path, name: &str, source: &str, bytes: u64) -> Flood {
        let name = format!("flood-{name}");
        let script = format!("begin=$(date +%s%N); {source} | head -c {bytes}; echo $(($(date +%s%N) - begin)) >took");
        let prepared = Prepared::new(
            folder,
            &name,
            &format!(
                "- run: |\n    {script}\n  effect: read\n  secrets: {{key: {{command: [echo, \"Sup3r/1+S3cret'value-7919\"]}}}}\n  env: {{KEY: secrets.key}}\n"
            ),
        );
        let logs = crate::state(folder, &name).join("logs");
        Flood { prepared, script, logs }
    }

    fn took(&self) -> f64 {
        let took = fs::read_to_string(self.prepared.folder.join("took")).expect("the step says how long it took");
        took.trim().parse().expect("nanoseconds")
    }

    fn kept(&self) -> u64 {
        let runs = fs::read_dir(&self.logs).expect("the logs").map(|entry| entry.expect("a run").path());
        let logs =
            runs.flat_map(|run| fs::read_dir(run).expect("its logs")).map(|log| log.expect("a log").metadata().expect("its size"));
        logs.map(|log| log.len()).sum()
    }
}

/// How many times longer the child takes than where it writes the same into a file.
fn slowed(folder: &Path, name: &str, source: &str) -> f64 {
    let flood = Flood::new(folder, name, source, 256 * MIB);
    let into_file = flood.script.replacen("; echo", " | cat >copy; echo", 1);
    let ratios = (0..=PAIRS).map(|_| {
        flood.prepared.exec();
        let ours = flood.took();
        assert_eq!(flood.kept(), 256 * MIB, "bytes in the log");
        fs::remove_dir_all(&flood.logs).expect("the logs go");
        quiet("sh", &["-c", &into_file], &flood.prepared.folder);
        ours / flood.took()
    });
    // The first pair warms up.
    median(ratios.skip(1).collect())
}
