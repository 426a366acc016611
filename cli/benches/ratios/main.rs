//! One table of figures, each measured within this run against what it names: `cargo bench --bench ratios`.
//!
//! Machines are noisy and disks noisier, so most are ratios: the median of pairs that ran one right after the other. A row whose
//! rival is not installed says so. Each run adds a line of JSON to `target/bench-history.jsonl`, which CI keeps.
//!
//! `cargo bench --bench ratios -- replay store` measures the rows with one of these words in their name; `--large` fills a store
//! with 100,000 runs and 5,000,000 events first, which takes minutes and 2 GB. A row that misses its reach is marked; with `--strict`
//! the program then ends with 1.

#[path = "../../../tests/harness/editor.rs"]
#[allow(dead_code, reason = "tests use all of it")]
mod editor;
mod flood;
mod journal;
mod machine;
mod program;
#[path = "../store.rs"]
mod store;
mod typing;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const RUNBOOK: &str = env!("CARGO_BIN_EXE_runbook");
const PAIRS: usize = 7;
/// How long an answer may take before the bench is called broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// One measurement.
pub struct Row {
    pub what: &'static str,
    pub against: &'static str,
    /// Absent where the rival is.
    pub measured: Option<f64>,
    pub unit: &'static str,
    pub reach: Reach,
}

pub enum Reach {
    AtMost(f64),
    AtLeast(f64),
}

impl Row {
    /// Whether it is within its reach. What was not measured misses nothing.
    fn holds(&self) -> bool {
        self.measured.is_none_or(|measured| match self.reach {
            Reach::AtMost(most) => measured <= most,
            Reach::AtLeast(least) => measured >= least,
        })
    }
}

type Measure = fn(&Path) -> Row;

const ROWS: [(&str, Measure); 30] = [
    ("one step", program::one_step),
    ("one step memory", program::one_step_memory),
    ("200 steps", program::two_hundred_steps),
    ("fan-out", program::fan_out),
    ("output", program::output),
    ("output memory", program::output_memory),
    ("flood lines", flood::lines),
    ("flood one line", flood::one_line),
    ("flood secrets", flood::secrets),
    ("flood memory", flood::memory),
    ("audited 1", program::audited_one),
    ("audited 200", program::audited_many),
    ("pure steps", machine::pure_steps),
    ("late step", machine::late_step),
    ("replay", machine::replay),
    ("replay record", journal::replay),
    ("check many", machine::check_many),
    ("check large", machine::check_large),
    ("keystroke", typing::keystroke),
    ("cases", program::cases),
    ("paths", program::paths),
    ("dry run", program::dry_run),
    ("dry run memory", program::dry_run_memory),
    ("expression", machine::cached_expression),
    ("64 runs", journal::many_at_once),
    ("pure durable", journal::pure_durable),
    ("waiting memory", journal::waiting_memory),
    ("waiting resume", journal::waiting_resumed),
    ("store start", program::large_store_start),
    ("store list", program::large_store_lists),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, program, rest @ ..] = arguments.as_slice()
        && first == PEAK
    {
        tell_peak_memory(program, &rest.iter().map(String::as_str).collect::<Vec<_>>());
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let folder = std::env::temp_dir().join(format!("runbook-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a scratch folder");
    let mut history = serde_json::Map::new();
    let mut missed = 0;
    println!("{:<34} {:<38} {:>12}  reach", "what", "against", "measured");
    for (name, measure) in ROWS {
        if wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str())) {
            let row = measure(&folder);
            println!("{row}");
            missed += usize::from(!row.holds());
            history.insert(name.to_owned(), row.measured.into());
        }
    }
    keep(history);
    // Removing what this program made; a leftover would do no harm.
    let _ = fs::remove_dir_all(&folder);
    let strict = arguments.iter().any(|argument| argument == "--strict");
    if strict && missed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Adds what was measured to the history.
fn keep(rows: serde_json::Map<String, serde_json::Value>) {
    let target = Path::new(RUNBOOK).parent().and_then(Path::parent).expect("the target folder");
    let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output().map(|o| o.stdout).unwrap_or_default();
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    let line = serde_json::json!({ "at": jiff::Timestamp::now().to_string(), "commit": commit, "rows": rows });
    let file = fs::OpenOptions::new().create(true).append(true).open(target.join("bench-history.jsonl"));
    file.and_then(|mut file| writeln!(file, "{line}")).expect("the history takes a line");
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let measured = self.measured.map_or("–".to_owned(), |measured| format!("{measured:.2} {}", self.unit));
        let (sign, reach) = match self.reach {
            Reach::AtMost(most) => ("≤", most),
            Reach::AtLeast(least) => ("≥", least),
        };
        let missed = if self.holds() { "" } else { "  missed" };
        write!(f, "{:<34} {:<38} {measured:>12}  {sign} {reach} {}{missed}", self.what, self.against, self.unit)
    }
}

/// The median of the pairwise ratios of two things, each done once before it counts.
fn paired(mut ours: impl FnMut(), mut theirs: impl FnMut()) -> f64 {
    ours();
    theirs();
    median((0..PAIRS).map(|_| timed(&mut ours).as_secs_f64() / timed(&mut theirs).as_secs_f64()).collect())
}

fn timed(work: &mut dyn FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Of what is a time and no ratio, the least: whatever else the machine does only adds to it.
fn fastest(times: Vec<f64>) -> f64 {
    times.into_iter().fold(f64::INFINITY, f64::min)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn command(program: &str, arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn quiet(program: &str, arguments: &[&str], folder: &Path) {
    let status = command(program, arguments, folder).status().expect("it starts");
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

/// Says to this program, started anew, to run another one and tell its peak: a child counts what its parent had in memory when
/// it was started, and by now that is a lot.
const PEAK: &str = "--peak-memory-of";

/// The most memory that a program had at once, in MiB.
fn peak_memory(program: &str, arguments: &[&str], folder: &Path) -> f64 {
    let own = std::env::current_exe().expect("this program");
    let output = Command::new(own).arg(PEAK).arg(program).args(arguments).current_dir(folder).output().expect("it starts");
    let kilobytes: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("the program succeeds");
    kilobytes / 1024.0
}

#[expect(clippy::zombie_processes, reason = "`wait4` waits for it and says what it took")]
fn tell_peak_memory(program: &str, arguments: &[&str]) {
    let child = command(program, arguments, Path::new(".")).spawn().expect("it starts");
    let mut status = 0;
    // SAFETY: all-zero bytes are an `rusage`, and both pointers are to memory of ours.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert!(libc::wait4(child.id() as i32, &mut status, 0, &mut usage) > 0, "it is ours to wait for");
        usage
    };
    assert_eq!(status, 0, "{program} {arguments:?}");
    println!("{}", usage.ru_maxrss);
}

/// Processor time of this process so far.
fn processor_time() -> Duration {
    // SAFETY: all-zero bytes are an `rusage`, and the pointer is to memory of ours.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1_000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

fn procedure(steps: &str) -> String {
    format!("apiVersion: runbook/v1\nkind: Runbook\nname: bench\nversion: 1.0.0\nsteps:\n{steps}")
}

/// An empty state folder.
fn state(folder: &Path, name: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let state = folder.join(name).join("state");
    fs::create_dir_all(&state).expect("a folder");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("only ours");
    state
}
