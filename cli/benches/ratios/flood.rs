//! Rows of output: more of it than anybody reads, in many lines and in one, with a secret to be looked for in every byte.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::program::Prepared;
use crate::{PAIRS, Reach, Row, median, quiet};

/// The value of every flood's `KEY`.
const SECRET: &str = "Sup3r/1+S3cret'value-7919";
const MIB: u64 = 1024 * 1024;
/// What a log keeps.
const KEPT: u64 = 1024 * MIB;

pub fn lines(folder: &Path) -> Row {
    const LINE: &str = "2026-11-21T05:00:00Z INFO replica billing-3 lag 42.0 s, 1234 of 5678 done";
    let piece = format!("{LINE}\n");
    let measured = Some(slowed(folder, "lines", &format!("yes {LINE}"), piece.len() as u64, piece.as_bytes()));
    Row {
        what: "a child that writes lines", against: "| cat > file, its own time", measured, unit: "×", reach: Reach::AtMost(1.5)
    }
}

pub fn one_line(folder: &Path) -> Row {
    let measured = Some(slowed(folder, "one-line", "cat /dev/zero", 1, b"\0"));
    Row {
        what: "a child that writes one line",
        against: "| cat > file, its own time",
        measured,
        unit: "×",
        reach: Reach::AtMost(1.5),
    }
}

/// Two in each line: what is almost the secret, and the secret.
pub fn secrets(folder: &Path) -> Row {
    let almost = &SECRET[..SECRET.len() - 1];
    let line = |secret: &str| format!("2026-11-21T05:00:00Z INFO {almost}! did not log in, {secret} did");
    let (written, kept) = (line(SECRET).len() as u64 + 1, line("***") + "\n");
    let measured = Some(slowed(folder, "secrets", &format!("yes \"{}\"", line("$KEY")), written, kept.as_bytes()));
    Row {
        what: "a child that writes secrets",
        against: "| cat > file, its own time",
        measured,
        unit: "×",
        reach: Reach::AtMost(1.5),
    }
}

/// Ten times what a log keeps; one line as long as a log; halves of characters with NULs between them.
const FLOODS: [(&str, &str, u64, &[u8]); 3] = [
    ("ten", "cat /dev/zero", 10 * KEPT, b"\0"),
    ("line", "cat /dev/zero | tr '\\0' x", KEPT, b"x"),
    ("halves", "yes \"$(printf '\\303')\" | tr '\\n' '\\0'", 2 * KEPT, b"\xc3\0"),
];

/// Every byte up to the cap is kept as it came, and every byte beyond it is counted, in memory that stays flat.
pub fn memory(folder: &Path) -> Row {
    let peaks = FLOODS.map(|(name, source, bytes, piece)| {
        let flood = Flood::new(folder, name, source, bytes);
        let peak = flood.prepared.peak_memory();
        flood.assert_kept(bytes, piece);
        fs::remove_dir_all(&flood.logs).expect("the logs go");
        peak
    });
    let measured = peaks.into_iter().reduce(f64::max);
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
                "- run: |\n    {script}\n  effect: read\n  secrets: {{key: {{command: [echo, \"{SECRET}\"]}}}}\n  env: {{KEY: secrets.key}}\n"
            ),
        );
        let logs = crate::state(folder, &name).join("logs");
        Flood { prepared, script, logs }
    }

    fn took(&self) -> f64 {
        let took = fs::read_to_string(self.prepared.folder.join("took")).expect("the step says how long it took");
        took.trim().parse().expect("nanoseconds")
    }

    /// The log holds these pieces, one after the other, as many bytes of them as a log keeps, and the record tells how many were
    /// written beyond that.
    fn assert_kept(&self, written: u64, piece: &[u8]) {
        let kept = written.min(KEPT);
        let runs = fs::read_dir(&self.logs).expect("the logs").map(|entry| entry.expect("a run").path());
        let logs: Vec<PathBuf> =
            runs.flat_map(|run| fs::read_dir(run).expect("its logs")).map(|log| log.expect("a log").path()).collect();
        let [log] = logs.as_slice() else { panic!("{logs:?}") };
        let mut log = File::open(log).expect("the log");
        assert_eq!(log.metadata().expect("its size").len(), kept, "bytes in the log");
        let expect = piece.repeat(64 * 1024);
        let mut chunk = vec![0; expect.len()];
        let mut left = kept as usize;
        while left > 0 {
            let length = left.min(expect.len());
            log.read_exact(&mut chunk[..length]).expect("the log is read");
            assert!(chunk[..length] == expect[..length], "a byte of the last {left} is another one");
            left -= length;
        }
        let seal = self.prepared.seal();
        assert_eq!((&seal["bytes"], &seal["dropped"]), (&kept.into(), &(written - kept).into()), "{seal}");
    }
}

/// How many times longer the child takes than where it writes the same into a file. Of so many bytes that it writes, this piece is kept.
fn slowed(folder: &Path, name: &str, source: &str, written: u64, piece: &[u8]) -> f64 {
    let pieces = 256 * MIB / written;
    let flood = Flood::new(folder, name, source, pieces * written);
    let into_file = flood.script.replacen("; echo", " | cat >copy; echo", 1);
    let ratios = (0..=PAIRS).map(|_| {
        flood.prepared.exec();
        let ours = flood.took();
        flood.assert_kept(pieces * piece.len() as u64, piece);
        fs::remove_dir_all(&flood.logs).expect("the logs go");
        quiet("sh", &["-c", &into_file], &flood.prepared.folder);
        ours / flood.took()
    });
    // The first pair warms up.
    median(ratios.skip(1).collect())
}
