//! One case: a procedure, a state folder, what its steps do outside, and the program over them, with or without a fault.
//!
//! A step leaves a line in a file that nothing else writes. Whoever looks at it first waits until no process of the case is left:
//! what a dead engine started lives on for a moment.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;

use crate::harness::program::plain;
use crate::harness::{Scratch, eventually};
use crate::layer::{Control, Fault};

/// Starts the run.
pub const EXEC: &str = "exec crash.yaml --yes";

/// A procedure whose effects are counted, in the home of whoever runs it: a run that goes on elsewhere counts there.
pub struct Book {
    pub text: &'static str,
    /// Lines that a crash may repeat, because the procedure says that this does no harm.
    pub repeatable: &'static [&'static str],
    /// Steps whose `verify` answers in the place of a person.
    pub verified: &'static [&'static str],
    /// Steps that none but an approval of `go` lets through.
    pub gated: &'static [&'static str],
    pub outcome: &'static str,
}

/// Some of each kind: small enough to try every place of it.
pub const SHORT: Book = Book {
    text: r#"apiVersion: runbook/v1
kind: Runbook
name: crash
version: 1.0.0
lock: crash
steps:
- {id: first, run: 'echo first >> ~/count', undo: {run: 'echo un-first >> ~/count', idempotent: true}}
- id: hosts
  each: {in: "[1, 2]", as: n, max_parallel: 2, steps: [{id: swap, run: 'echo "swap {{n}}" >> ~/count', irreversible: it counts}]}
- id: fan
  parallel:
    left: [{id: l1, run: 'echo l1 >> ~/count', irreversible: it counts}]
    right: [{id: r1, run: 'echo r1 >> ~/count', idempotent: true}]
- id: flaky
  run: 'echo flaky >> ~/count; test "$(grep -c "^flaky" ~/count)" -ge 2'
  idempotent: true
  retry: {attempts: 3, delay: 1ms}
- {id: loud, run: 'echo loud >> ~/count; head -c 40000 /dev/zero | tr "\0" x', irreversible: it counts}
- id: go
  approve: {question: Go on?}
- {id: a1, run: 'echo a1 >> ~/count', undo: {run: 'echo un-a1 >> ~/count', idempotent: true}}
- id: seen
  run: 'echo seen >> ~/count'
  irreversible: it counts
  verify: {run: 'grep -q "^seen$" ~/count', effect: read}
- {id: bad, run: 'exit 1', idempotent: true, on_failure: rollback}
finally:
- {run: 'echo last >> ~/count', idempotent: true}
"#,
    repeatable: &["r1", "flaky", "un-first", "un-a1", "last"],
    verified: &["seen"],
    gated: &["a1", "seen", "bad"],
    outcome: "rolled_back",
};

/// About thirty effects.
pub const LONG: Book = Book {
    text: r#"apiVersion: runbook/v1
kind: Runbook
name: crash
version: 1.0.0
steps:
- {id: first, run: 'echo first >> ~/count', undo: {run: 'echo un-first >> ~/count', idempotent: true}}
- id: hosts
  each:
    in: "[1, 2, 3, 4]"
    as: n
    max_parallel: 3
    steps:
    - {id: stop, run: 'echo "stop {{n}}" >> ~/count', irreversible: it counts}
    - {id: swap, run: 'echo "swap {{n}}" >> ~/count', irreversible: it counts}
- id: fan
  parallel:
    left:
    - {id: l1, run: 'echo l1 >> ~/count', irreversible: it counts}
    - {id: l2, run: 'echo l2 >> ~/count', irreversible: it counts}
    right:
    - {id: r1, run: 'echo r1 >> ~/count', irreversible: it counts}
    - {id: r2, run: 'echo r2 >> ~/count', idempotent: true}
- id: flaky
  run: 'echo flaky >> ~/count; test "$(grep -c "^flaky" ~/count)" -ge 2'
  idempotent: true
  retry: {attempts: 3, delay: 1ms}
- id: go
  approve: {question: Go on?}
- {id: a1, run: 'echo a1 >> ~/count', undo: {run: 'echo un-a1 >> ~/count', idempotent: true}}
- {id: a2, run: 'echo a2 >> ~/count', undo: {run: 'echo un-a2 >> ~/count', idempotent: true}}
- id: seen
  run: 'echo seen >> ~/count'
  irreversible: it counts
  verify: {run: 'grep -q "^seen$" ~/count', effect: read}
- {id: a3, run: 'echo a3 >> ~/count', undo: {run: 'echo un-a3 >> ~/count', idempotent: true}}
- {id: a4, run: 'echo a4 >> ~/count', irreversible: it counts}
- {id: a5, run: 'echo a5 >> ~/count', irreversible: it counts}
- {id: bad, run: 'exit 1', idempotent: true, on_failure: rollback}
finally:
- {run: 'echo last >> ~/count', idempotent: true}
"#,
    repeatable: &["r2", "flaky", "un-first", "un-a1", "un-a2", "un-a3", "last"],
    verified: &["seen"],
    gated: &["a1", "a2", "seen", "a3", "a4", "a5", "bad"],
    outcome: "rolled_back",
};

/// One of which so much is recorded before the gate that the process which waits there empties the journal's log, and another
/// goes on with that.
pub const LOUD: Book = Book {
    text: r#"apiVersion: runbook/v1
kind: Runbook
name: crash
version: 1.0.0
steps:
- {id: first, run: 'echo first >> ~/count', undo: {run: 'echo un-first >> ~/count', idempotent: true}}
- id: each
  each:
    in: "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
    as: n
    steps: [{id: loud, run: 'echo "loud {{n}}" >> ~/count; head -c 40000 /dev/zero | tr "\0" x', irreversible: it counts}]
- id: go
  approve: {question: Go on?}
- {id: a1, run: 'echo a1 >> ~/count', undo: {run: 'echo un-a1 >> ~/count', idempotent: true}}
- {id: a2, run: 'echo a2 >> ~/count', irreversible: it counts}
- {id: bad, run: 'exit 1', idempotent: true, on_failure: rollback}
finally:
- {run: 'echo last >> ~/count', idempotent: true}
"#,
    repeatable: &["un-first", "un-a1", "last"],
    verified: &[],
    gated: &["a1", "a2", "bad"],
    outcome: "rolled_back",
};

/// One that ends well, and can be taken back.
pub const UNDONE: Book = Book {
    text: r#"apiVersion: runbook/v1
kind: Runbook
name: crash
version: 1.0.0
steps:
- {id: first, run: 'echo first >> ~/count', undo: {run: 'echo un-first >> ~/count', idempotent: true}}
"#,
    repeatable: &["un-first"],
    verified: &[],
    gated: &[],
    outcome: "succeeded",
};

impl Book {
    /// Whether a step may be repeated unasked.
    pub fn may_repeat(&self, path: &str) -> bool {
        let label = path.rsplit('/').next().unwrap_or(path);
        let line = line_of(path);
        self.repeatable.contains(&line.as_str()) || path.contains('~') || label == "bad"
    }

    pub fn has_undo(&self, path: &str) -> bool {
        self.repeatable.contains(&undo_of(path).as_str())
    }

    pub fn is_verified(&self, path: &str) -> bool {
        self.verified.contains(&path)
    }
}

/// The line that a step leaves: `hosts[2]/stop` writes `stop 3`.
pub fn line_of(path: &str) -> String {
    let label = path.rsplit('/').next().unwrap_or(path);
    match path.split_once('[').and_then(|(_, rest)| rest.split_once(']')) {
        Some((index, _)) => format!("{label} {}", index.parse::<u32>().expect("an index") + 1),
        None => label.to_owned(),
    }
}

/// The line that the undo of a step leaves.
pub fn undo_of(path: &str) -> String {
    format!("un-{path}")
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    line: String,
    /// Absent where a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn words(&self) -> Vec<&str> {
        self.line.split(' ').collect()
    }

    pub fn of(line: &str, output: &Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (code, signal) = (output.status.code(), output.status.signal());
        Ran { line: line.to_owned(), code, signal, out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// One event as it is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub kind: String,
    pub body: serde_json::Value,
    pub hash: String,
}

impl Event {
    pub fn path(&self) -> &str {
        self.body["path"].as_str().unwrap_or_default()
    }
}

pub struct Desk {
    scratch: Scratch,
    pub book: &'static Book,
    pub control: Control,
    pub state: PathBuf,
    /// A process that may be there while the case settles; 0 for none.
    spared: AtomicU32,
}

impl Desk {
    pub fn new(book: &'static Book) -> Desk {
        let scratch = Scratch::new();
        let folder = scratch.path().canonicalize().expect("the folder");
        std::fs::write(folder.join("crash.yaml"), book.text).expect("the procedure");
        let control = Control::new(folder.join("control"));
        Desk { scratch, book, control, state: folder.join("state"), spared: AtomicU32::new(0) }
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// Where effects leave their lines.
    pub fn effects(&self) -> PathBuf {
        self.scratch.join("count")
    }

    /// The program, under this case's control.
    pub fn command(&self, line: &str, fault: Option<Fault>, trace: Option<&Path>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        plain(&mut command, self.scratch.path());
        command.args(line.split_whitespace()).env("RUNBOOK_STATE", &self.state).current_dir(self.scratch.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.control.set(&mut command, &self.state, &self.effects(), fault, trace);
        command
    }

    pub fn run(&self, line: &str, fault: Option<Fault>) -> Ran {
        Ran::of(line, &self.command(line, fault, None).output().expect("the program starts"))
    }

    /// `strace` over a command of this case, which it takes as its last arguments: what it sees goes into a file.
    pub fn traced(&self, command: &Command, seen: &Path) -> Command {
        let mut traced = Command::new("strace");
        traced.args(["-f", "-y", "-qq", "-e", "signal=none", "-o"]).arg(seen);
        // The library goes before the program, not before the tracer.
        traced.env_clear().current_dir(self.scratch.path());
        for (name, value) in command.get_envs() {
            traced.arg("-E").arg(format!("{}={}", name.display(), value.expect("it is set").display()));
        }
        traced.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        traced
    }

    /// From now on a process may be there while the case settles.
    pub fn spare(&self, id: u32) {
        self.spared.store(id, Ordering::Relaxed);
    }

    /// Waits until nothing that the case started is left: each carries the case's folder in its environment.
    pub fn settle(&self) {
        let mark = self.scratch.path().to_string_lossy().into_owned();
        eventually("the end of what the engine started", || {
            let ids = std::fs::read_dir("/proc").expect("/proc").flatten();
            let mut ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
            let is_left = |id: u32| {
                let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
                id != self.spared.load(Ordering::Relaxed) && environment.windows(mark.len()).any(|window| window == mark.as_bytes())
            };
            (!ids.any(is_left)).then_some(())
        });
    }

    /// The lines that steps left, in their order.
    pub fn lines(&self) -> Vec<String> {
        std::fs::read_to_string(self.effects()).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// How often each line was left.
    pub fn counted(&self) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for line in self.lines() {
            *counts.entry(line).or_insert(0) += 1;
        }
        counts
    }

    /// A copy of the journal as it lies there, so that looking at it mends nothing.
    fn copied<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Option<T> {
        let copy = tempfile::tempdir().expect("a folder");
        for entry in std::fs::read_dir(&self.state).ok()?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("journal.db") && !name.ends_with("-shm") {
                std::fs::copy(entry.path(), copy.path().join(&name)).expect("a copy");
            }
        }
        let connection = Connection::open(copy.path().join("journal.db")).expect("SQLite opens anything");
        read(&connection).ok()
    }

    /// The record of the one run, as far as it goes; empty where there is none.
    pub fn record(&self) -> Vec<Event> {
        let read = |c: &Connection| {
            let mut statement = c.prepare("SELECT kind, body, hash FROM events ORDER BY run, seq")?;
            let events = statement.query_map([], |row| {
                let body = serde_json::from_str(&row.get::<_, String>(1)?).expect("a body is JSON");
                Ok(Event { kind: row.get(0)?, body, hash: row.get(2)? })
            })?;
            events.collect()
        };
        self.copied(read).unwrap_or_default()
    }

    /// The locks that are held.
    pub fn locks(&self) -> Vec<String> {
        let read = |c: &Connection| c.prepare("SELECT lock FROM locks")?.query_map([], |row| row.get(0))?.collect();
        self.copied(read).expect("the journal is there")
    }

    pub fn run_id(&self) -> Option<String> {
        self.copied(|c| c.query_row("SELECT run FROM runs", [], |row| row.get(0)))
    }

    /// Open decisions: number, path, and whether nobody knows how the step ended.
    pub fn open(&self) -> Vec<(String, String, bool)> {
        let read = |c: &Connection| {
            let mut statement = c.prepare("SELECT decision, path, purpose FROM decisions ORDER BY decision")?;
            let rows = statement.query_map([], |row| {
                let (path, purpose): (Option<String>, String) = (row.get(1)?, row.get(2)?);
                Ok((format!("d{}", row.get::<_, u32>(0)?), path.unwrap_or_default(), purpose.contains("unknown")))
            })?;
            rows.collect()
        };
        self.copied(read).unwrap_or_default()
    }

    /// The commands that go on with the run, or start it: whatever is open is answered first.
    pub fn next_lines(&self) -> Vec<String> {
        let Some(run) = self.run_id() else { return vec![EXEC.to_owned()] };
        self.answers(&run).into_iter().chain([format!("resume {run} --yes")]).collect()
    }

    /// Answers what is open as a careful person would: approvals with yes, unknown ends by looking at what really happened.
    fn answers(&self, run: &str) -> Vec<String> {
        let counts = self.counted();
        let answer = |(decision, path, unknown): (String, String, bool)| match unknown {
            true if counts.contains_key(&line_of(&path)) => format!("answer {run} {decision} --done --reason looked"),
            true => format!("answer {run} {decision} --again --reason looked"),
            false => self.approval(run, &decision),
        };
        self.open().into_iter().map(answer).collect()
    }

    /// The command that approves what a decision shows.
    pub fn approval(&self, run: &str, decision: &str) -> String {
        let record = self.record();
        let mut asked = record.iter().filter(|event| event.kind == "decision_requested");
        let asked = asked.find(|event| event.body["decision"] == *decision).expect("it was asked");
        let digest = asked.body["request"]["digest"].as_str().expect("it has a digest");
        format!("approve {run} {decision} --digest {digest} --reason looked")
    }
}
