//! Rows of the whole program, from the start of its process to the end, against others doing the same or by itself.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{PAIRS, RUNBOOK, Reach, Row, fastest, installed, median, paired, peak_memory, procedure, quiet, state, store, timed};

/// A procedure in a folder of its own, and how to run it.
pub struct Prepared {
    pub folder: std::path::PathBuf,
    arguments: Vec<String>,
}

impl Prepared {
    pub fn new(folder: &Path, name: &str, steps: &str) -> Prepared {
        let state = state(folder, name);
        let folder = folder.join(name);
        fs::write(folder.join("bench.yaml"), procedure(steps)).expect("a file");
        let arguments = ["exec", "bench.yaml", "--yes", "--state", &state.to_string_lossy()].map(str::to_owned).to_vec();
        Prepared { folder, arguments }
    }

    fn arguments(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }

    pub fn exec(&self) {
        quiet(RUNBOOK, &self.arguments(), &self.folder);
    }

    pub fn peak_memory(&self) -> f64 {
        peak_memory(RUNBOOK, &self.arguments(), &self.folder)
    }

    /// What the record says of the log of the last run's only attempt.
    pub fn seal(&self) -> serde_json::Value {
        let arguments = [&["export", "last"], &self.arguments()[3..]].concat();
        let output = Command::new(RUNBOOK).args(arguments).current_dir(&self.folder).output().expect("it starts");
        let text = String::from_utf8(output.stdout).expect("a record is text");
        let end = text.lines().find(|line| line.contains("\"kind\":\"attempt_finished\"")).expect("the end of the attempt");
        let end: serde_json::Value = serde_json::from_str(end).expect("a line is JSON");
        end["body"]["end"]["succeeded"]["result"]["log"].clone()
    }
}

const ONE: &str = "- {exec: [\"true\"], effect: read}\n";

pub fn one_step(folder: &Path) -> Row {
    let ours = Prepared::new(folder, "one", ONE);
    fs::write(folder.join("justfile"), "one:\n    @true\n").expect("a file");
    let measured = installed("just").then(|| paired(|| ours.exec(), || quiet("just", &["one"], folder)));
    Row { what: "one step, whole process", against: "just, the same step", measured, unit: "×", reach: Reach::AtMost(3.0) }
}

pub fn one_step_memory(folder: &Path) -> Row {
    let prepared = Prepared::new(folder, "one", ONE);
    let measured = Some(median((0..PAIRS).map(|_| prepared.peak_memory()).collect()));
    Row { what: "one step, memory", against: "the most at once", measured, unit: "MiB", reach: Reach::AtMost(15.0) }
}

pub fn two_hundred_steps(folder: &Path) -> Row {
    let ours = Prepared::new(folder, "many", &"- {exec: [\"true\"], idempotent: true}\n".repeat(200));
    let file = folder.join("synced");
    let theirs = || {
        let mut file = File::create(&file).expect("a file");
        for _ in 0..200 {
            quiet("true", &[], folder);
            file.write_all(b"done\n").expect("a line");
            file.sync_data().expect("a sync");
        }
    };
    let measured = Some(paired(|| ours.exec(), theirs));
    Row { what: "200 durable steps", against: "200 × spawn and fdatasync", measured, unit: "×", reach: Reach::AtMost(1.3) }
}

pub fn fan_out(folder: &Path) -> Row {
    let items: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let steps =
        format!("- each: {{in: \"[{}]\", max_parallel: 16, steps: [{{exec: [\"true\"], idempotent: true}}]}}\n", items.join(", "));
    let ours = Prepared::new(folder, "fan", &steps);
    let targets: Vec<String> = items.iter().map(|n| format!("t{n}")).collect();
    let list = targets.join(" ");
    fs::write(folder.join("Makefile"), format!("all: {list}\n.PHONY: {list}\n{list}:\n\t@/bin/true\n")).expect("a file");
    let measured = installed("make").then(|| paired(|| ours.exec(), || quiet("make", &["-j16", "all"], folder)));
    Row { what: "fan-out of 200, 16 at a time", against: "make -j16", measured, unit: "×", reach: Reach::AtMost(1.5) }
}

/// 1,000 cases of a test of a procedure that is shipped, of 21 steps.
pub fn cases(folder: &Path) -> Row {
    let folder = folder.join("cases");
    fs::create_dir(&folder).expect("a folder");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks");
    fs::copy(shipped.join("pg-backup-verify.yaml"), folder.join("pg-backup-verify.yaml")).expect("the procedure");
    fs::write(
        folder.join("workspace.yaml"),
        "apiVersion: runbook/v1\nkind: Workspace\nname: bench\nchannels: {operations: {log: {}}}\n",
    )
    .expect("a file");
    let shared = "defaults:
  inputs: {database: billing, backup_dir: /backup}
  steps: {server: {stdout: '512'}, space: {stdout: '9000'}, former: {stdout: ''}, dump: {stdout: \"42\\n1200\"}}
  answers: {promote_it: {after: 2h}}\n";
    let case = |n| {
        format!(
            "- {{name: case {n}, expect: {{outcome: succeeded, outputs: {{tables: 42}}, left: [dump, scratch, restore, promote]}}}}\n"
        )
    };
    let cases: String = (0..1_000).map(case).collect();
    let text = format!("apiVersion: runbook/v1\nkind: Test\nprocedure: pg-backup-verify\n{shared}cases:\n{cases}");
    fs::write(folder.join("bench.test.yaml"), text).expect("a file");
    let times = (0..PAIRS).map(|_| timed(&mut || quiet(RUNBOOK, &["test"], &folder)).as_secs_f64()).collect();
    let measured = Some(fastest(times));
    Row { what: "1,000 cases of a test", against: "the whole process", measured, unit: "s", reach: Reach::AtMost(2.0) }
}

/// 500 steps, and between them 12 conditions that only a run can judge: 4,096 ways.
fn doubtful(folder: &Path) {
    let mut steps = "- {id: look, exec: [look], effect: read, outputs: {size: result.stdout.trim().parse_int()}}\n".to_owned();
    for n in 1..500 {
        let doubt = if n % 40 == 1 && n < 480 { format!("if: steps.look.size > {n}, ") } else { String::new() };
        let step =
            format!("- {{id: s{n}, {doubt}exec: [change, 's{n}', '{{{{steps.look.size}}}}'], undo: {{exec: [undo, s{n}]}}}}\n");
        steps.push_str(&step);
    }
    fs::write(folder.join("doubtful.yaml"), crate::procedure(&steps)).expect("a file");
}

pub fn dry_run(folder: &Path) -> Row {
    doubtful(folder);
    let times = (0..PAIRS).map(|_| timed(&mut || quiet(RUNBOOK, &["dry-run", "doubtful.yaml"], folder)).as_secs_f64() * 1e3);
    let measured = Some(fastest(times.collect()));
    Row { what: "dry run, 500 steps, 4,096 ways", against: "the whole process", measured, unit: "ms", reach: Reach::AtMost(300.0) }
}

pub fn dry_run_memory(folder: &Path) -> Row {
    doubtful(folder);
    let measured = Some(peak_memory(RUNBOOK, &["dry-run", "doubtful.yaml"], folder));
    Row { what: "dry run, 500 steps, memory", against: "the most at once", measured, unit: "MiB", reach: Reach::AtMost(200.0) }
}

/// Every path of 500 steps that look, change, check and may be skipped, each with a way back.
pub fn paths(folder: &Path) -> Row {
    let folder = folder.join("paths");
    fs::create_dir(&folder).expect("a folder");
    let step = |n: usize| match n % 5 {
        0 => format!("- {{id: s{n}, exec: [look], effect: read, outputs: {{x: result.stdout}}, on_failure: rollback}}\n"),
        1 => {
            format!("- {{id: s{n}, exec: [change], undo: {{exec: [back, '{{{{steps.s{}.x}}}}']}}, on_failure: rollback}}\n", n - 1)
        }
        2 => format!("- {{id: s{n}, exec: [more], idempotent: true, on_failure: rollback}}\n"),
        3 => format!("- {{id: s{n}, if: inputs.n > {n}, exec: [perhaps], effect: read, on_failure: rollback}}\n"),
        _ => format!("- {{id: s{n}, check: [{{that: 'steps.s{}.x != \"\"'}}], on_failure: rollback}}\n", n - 4),
    };
    let steps: String = (0..500).map(step).collect();
    let head = "apiVersion: runbook/v1\nkind: Runbook\nname: paths\nversion: 1.0.0\ninputs: {n: {type: integer}}\n";
    fs::write(folder.join("paths.yaml"), format!("{head}steps:\n{steps}")).expect("a file");
    let explore = || quiet(RUNBOOK, &["explore", "--strict", "paths.yaml"], &folder);
    let times = (0..PAIRS).map(|_| timed(&mut || explore()).as_secs_f64() * 1_000.0).collect();
    let measured = Some(fastest(times));
    Row { what: "every path of 500 steps", against: "the whole process", measured, unit: "ms", reach: Reach::AtMost(500.0) }
}

/// A step that prints 200 MB.
fn printing(folder: &Path) -> (Prepared, std::path::PathBuf) {
    let source = folder.join("printed");
    fs::write(&source, vec![b'x'; 200 * 1024 * 1024]).expect("a file");
    (Prepared::new(folder, "output", &format!("- {{exec: [cat, {}], effect: read}}\n", source.display())), source)
}

pub fn output(folder: &Path) -> Row {
    let (ours, source) = printing(folder);
    let mut copies = 0;
    // A new file each time, as a log is: pages that were freed just before cost a virtual machine less than new ones.
    let theirs = || {
        copies += 1;
        let file = File::create_new(folder.join(format!("copy-{copies}"))).expect("a file");
        let mut child = Command::new("cat").arg(&source).stdout(Stdio::piped()).spawn().expect("cat starts");
        std::io::copy(&mut child.stdout.take().expect("a pipe"), &mut &file).expect("it is copied");
        child.wait().expect("cat ends");
        file.sync_data().expect("a sync");
    };
    let measured = Some(paired(|| ours.exec(), theirs));
    Row { what: "a step that prints 200 MB", against: "cat | file, one fdatasync", measured, unit: "×", reach: Reach::AtMost(1.3) }
}

pub fn output_memory(folder: &Path) -> Row {
    let measured = Some(printing(folder).0.peak_memory());
    Row {
        what: "a step that prints 200 MB, memory",
        against: "the most at once",
        measured,
        unit: "MiB",
        reach: Reach::AtMost(15.0),
    }
}

/// How much faster than `audited-runbook` from PyPI, whose program `AUDITED_RUNBOOK` names.
fn audited(folder: &Path, steps: usize) -> Option<f64> {
    let theirs = std::env::var("AUDITED_RUNBOOK").ok()?;
    let ours = Prepared::new(folder, &format!("audited-{steps}"), &"- {exec: [\"true\"], idempotent: true}\n".repeat(steps));
    let named: String = (0..steps).map(|n| format!("- {{name: step-{n}, command: \"true\"}}\n")).collect();
    let file = format!("name: bench\nsteps:\n{named}");
    fs::write(ours.folder.join("audited.yml"), file).expect("a file");
    let database = ours.folder.join("audited.db").to_string_lossy().into_owned();
    Some(paired(|| quiet(&theirs, &["run", "--db", &database, "audited.yml"], &ours.folder), || ours.exec()))
}

pub fn audited_one(folder: &Path) -> Row {
    let measured = audited(folder, 1);
    Row { what: "audited-runbook, 1 step", against: "the time of this program", measured, unit: "×", reach: Reach::AtLeast(10.0) }
}

pub fn audited_many(folder: &Path) -> Row {
    let measured = audited(folder, 200);
    Row {
        what: "audited-runbook, 200 steps", against: "the time of this program", measured, unit: "×", reach: Reach::AtLeast(2.0)
    }
}

/// A state folder with 100,000 runs of 50 events each: one real run, and copies of its rows. Absent without `--large`.
fn large_store(folder: &Path) -> Option<Prepared> {
    if !std::env::args().any(|argument| argument == "--large") {
        return None;
    }
    let ours = Prepared::new(folder, "large", ONE);
    let database = folder.join("large/state/journal.db");
    if database.exists() {
        return Some(ours);
    }
    fs::write(folder.join("large/pattern.yaml"), procedure(&"- {set: {x: 1 + 1}}\n".repeat(48))).expect("a file");
    let mut arguments = ours.arguments();
    arguments[1] = "pattern.yaml";
    quiet(RUNBOOK, &arguments, &ours.folder);
    store::fill(&database, 100_000);
    Some(ours)
}

pub fn large_store_start(folder: &Path) -> Row {
    let empty = Prepared::new(folder, "small", ONE);
    let measured = large_store(folder).map(|large| paired(|| large.exec(), || empty.exec()));
    Row { what: "exec over 5,000,000 events", against: "exec over an empty store", measured, unit: "×", reach: Reach::AtMost(1.2) }
}

pub fn large_store_lists(folder: &Path) -> Row {
    let measured = large_store(folder).map(|large| {
        let run = |command: &[&str]| {
            let arguments = [command, &large.arguments()[3..]].concat();
            median((0..PAIRS).map(|_| timed(&mut || quiet(RUNBOOK, &arguments, &large.folder)).as_secs_f64() * 1e3).collect())
        };
        run(&["runs"]).max(run(&["show", "last"]))
    });
    Row {
        what: "`runs`, `show` over 5,000,000 events",
        against: "the slower of the two",
        measured,
        unit: "ms",
        reach: Reach::AtMost(30.0),
    }
}
