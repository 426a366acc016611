//! What a run costs the disk: the synced writes of the whole program, counted from its system calls by `strace`. A step with an
//! effect costs at most one, a step without effect none, and nothing that the program does to the world begins before its intent
//! is on the disk.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// What the program asked of the system, in order.
struct Trace(Vec<String>);

impl Trace {
    /// Runs a procedure of these steps in a state folder that exists already.
    fn of(steps: &str) -> Trace {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).expect("only ours");
        let head = "apiVersion: runbook/v1\nkind: Runbook\nname: counted\nversion: 1.0.0\nsteps:\n";
        std::fs::write(folder.path().join("counted.yaml"), format!("{head}{steps}")).expect("a file");
        let exec = ["exec", "counted.yaml", "--yes", "--state", "state"];
        let run = |program: &str, arguments: &[&str]| {
            let output = Command::new(program)
                .args(arguments)
                .current_dir(folder.path())
                .env("HOME", folder.path())
                .stdin(Stdio::null())
                .output()
                .expect("it starts; tests/setup.sh installs strace");
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run(env!("CARGO_BIN_EXE_runbook"), &exec);
        let traced = "trace=fsync,fdatasync,sync_file_range,msync,pwrite64,execve";
        let options = ["-f", "-y", "-qq", "-e", traced, "-e", "signal=none", "-o", "trace", env!("CARGO_BIN_EXE_runbook")];
        run("strace", &[&options[..], &exec].concat());
        let trace = std::fs::read_to_string(folder.path().join("trace")).expect("a trace");
        Trace(trace.lines().map(str::to_owned).collect())
    }

    fn syncs(&self) -> usize {
        let syncs = |line: &&String| ["sync(", "msync(", "sync_file_range("].iter().any(|call| line.contains(call));
        self.0.iter().filter(syncs).filter(|line| !line.contains("resumed>")).count()
    }

    /// Whether the journal had unsynced writes when each program named `name` was started.
    fn unsynced_at(&self, name: &str) -> Vec<bool> {
        let mut unsynced = false;
        let mut found = Vec::new();
        for line in &self.0 {
            if line.contains("pwrite64(") && line.contains("journal.db-wal") {
                unsynced = true;
            } else if line.contains("sync(") && line.contains("journal.db-wal") {
                unsynced = false;
            } else if line.contains("execve(") && line.contains(&format!("[\"{name}\"")) && !line.contains("ENOENT") {
                found.push(unsynced);
            }
        }
        found
    }
}

/// The beginning and the end of a run, the folder of a log that is new, and a log that is copied into the database when a process
/// ends.
const BESIDE: usize = 2 + 1 + 2;

#[test]
fn an_effect_costs_at_most_one_sync_and_nothing_else_any() {
    for (what, steps, effects) in [
        ("steps without effect", "- {set: {x: 1 + 1}}\n- {check: [{that: 1 < 2}]}\n".repeat(200), 0),
        ("one step", "- {exec: [\"true\"], effect: read}\n".to_owned(), 1),
        ("one after another", "- {exec: [\"true\"], idempotent: true}\n".repeat(40), 40),
        ("with pure ones between", "- {exec: [\"true\"], idempotent: true}\n- {set: {x: 1 + 1}}\n".repeat(40), 40),
        ("eight at a time", "- each: {in: \"[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]\", max_parallel: 8, steps: [{exec: [\"true\"], idempotent: true}]}\n".to_owned(), 24),
    ] {
        let trace = Trace::of(&steps);
        let (syncs, most) = (trace.syncs(), effects + BESIDE);
        assert!(syncs <= most, "{what}: {syncs} syncs, and at most {most} are allowed\n{}", trace.0.join("\n"));
        assert!(syncs >= 1, "{what}: its end is not on the disk");
    }
}

#[test]
fn no_effect_begins_before_its_intent_is_on_the_disk() {
    let trace = Trace::of(&"- {exec: [\"true\"], idempotent: true}\n- {set: {x: 1 + 1}}\n".repeat(5));
    assert_eq!(trace.unsynced_at("true"), [false; 5], "{}", trace.0.join("\n"));
}
