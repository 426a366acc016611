//! A program as a child: its environment, its output, its end. `run` and `exec` differ only in how they make the arguments.
//!
//! The environment is built from nothing: an allow-list of what every program needs, then what the step declares. The child
//! never waits for us: output is read as it comes, and what cannot be kept is dropped visibly.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::time::Duration;

use runbook_core::limits;
use runbook_core::run::event::{AttemptEnd, Failure};
use runbook_core::run::fits;
use runbook_core::run::task::Work;
use runbook_core::value::{Map, Value, format_duration};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;

use super::output::{Recorder, Stream};
use super::{Job, Secrets, failure, program};
use crate::hold;
use crate::process::{self, Environment, Launch, Stopped, Survivor, Tree};

/// What a child takes over from the engine, where it is set. `SSH_AUTH_SOCK` is among it because steps that reach other
/// machines through `ssh` need the operator's agent; everything else that holds or names a credential must be declared.
const INHERITED: [&str; 11] =
    ["HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "SSH_AUTH_SOCK", "TMPDIR", "TZ", "USER", "XDG_RUNTIME_DIR"];
/// And every variable that begins like this: the locale.
const INHERITED_PREFIX: &str = "LC_";
/// The ids of a run and of a step.
const IDS: [&str; 2] = ["RUNBOOK_RUN", "RUNBOOK_STEP"];
/// Where programs are looked for if the engine itself has no `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program with its arguments, ready to be started.
pub struct Program {
    /// As the operator wrote it: what failures call it.
    pub called: String,
    pub file: PathBuf,
    pub arguments: Vec<String>,
    /// What it reads; nothing where absent.
    pub input: Option<Vec<u8>>,
}

fn is_inherited(name: &str) -> bool {
    INHERITED.contains(&name) || name.starts_with(INHERITED_PREFIX)
}

/// Whether a child may have the variable without a procedure that declares it.
pub(crate) fn has_by_itself(name: &str) -> bool {
    is_inherited(name) || IDS.contains(&name) || name == process::MARK
}

/// The environment of a child: inherited, then declared, then `values`, then the attempt's ids, which nothing can replace. The
/// last of them, [`process::MARK`], is set by the tree that is started.
pub async fn environment(
    id: &str,
    work: &Work,
    values: &BTreeMap<String, String>,
    secrets: &dyn Secrets,
) -> Result<Environment, Failure> {
    let mut environment = inherited().clone();
    for (name, text) in &work.env {
        variable(&mut environment, name, super::reveal(text, secrets).await?.expose_secret())?;
    }
    for (name, value) in values {
        variable(&mut environment, name, value)?;
    }
    let (run, rest) = id.split_once('/').unwrap_or((id, ""));
    let (step, _) = rest.rsplit_once('/').unwrap_or((rest, ""));
    for (name, value) in IDS.into_iter().zip([run, step]) {
        variable(&mut environment, name, value)?;
    }
    Ok(environment)
}

/// What children have of this process' own environment, which does not change.
fn inherited() -> &'static Environment {
    static INHERITED: OnceLock<Environment> = OnceLock::new();
    INHERITED.get_or_init(|| {
        let own = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_inherited));
        let mut inherited: Environment = own.collect();
        inherited.entry("PATH".into()).or_insert_with(|| PATH.into());
        inherited
    })
}

fn variable(environment: &mut Environment, name: &str, value: &str) -> Result<(), Failure> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(failure(format!("`{}` cannot be the name of an environment variable; correct `env`", name.escape_debug())));
    }
    fits(&format!("the variable `{name}`"), value, name.len() + 1).map_err(failure)?;
    environment.insert(name.into(), value.into());
    Ok(())
}

/// Runs the program to its end, its timeout or a stop.
pub async fn perform(job: Job, program: Program, environment: Environment, dir: &Path) -> Result<AttemptEnd, Failure> {
    for argument in &program.arguments {
        fits("an argument", argument, 0).map_err(failure)?;
    }
    let argv: Vec<&str> = [&program.called].into_iter().chain(&program.arguments).map(String::as_str).collect();
    let launch = Launch {
        file: &program.file,
        argv: &argv,
        environment: &environment,
        dir,
        hold: &job.hold,
        stdin: if program.input.is_some() { process::Stream::Pipe } else { process::Stream::Nothing },
        stderr: process::Stream::Pipe,
    };
    let mut tree = loop {
        job.hold.wait().await;
        match Tree::start(&launch, &job.id) {
            // It may have been lengthened since.
            Err(error) if hold::Lost::is_behind(&error) => {}
            started => break started.map_err(|error| failure(spawn_trouble(&program, &error)))?,
        }
    };
    if let (Some(input), Some(mut stdin)) = (program.input.clone(), tree.stdin()) {
        // A program that does not read its input is its own business.
        tokio::spawn(async move { stdin.write_all(&input).await });
    }
    let mut pipes = Pipes {
        stdout: Pipe::new(tree.stdout(), Stream::new(job.secrets.mask())),
        stderr: Pipe::new(tree.stderr(), Stream::new(job.secrets.mask())),
        recorder: Recorder::new(job.output),
    };
    let ended = follow(&mut tree, &mut pipes, job.work.timeout, job.stop.cancelled()).await;
    let end = match ended {
        Ended::Exited { status, held } => {
            let left = if held { tree.members().await } else { Vec::new() };
            pipes.finish();
            let mut result = pipes.result(Some(status));
            if held {
                result
                    .insert("still_running".to_owned(), Value::List(process::named(&left).into_iter().map(Value::Text).collect()));
            }
            let result = Value::Map(result);
            match judge(&program.called, status) {
                None => AttemptEnd::Succeeded { result },
                Some(message) => AttemptEnd::Failed { failure: pipes.failure(message), result },
            }
        }
        Ended::TimedOut(stopped) => {
            let message = format!("not done after {}; {}", format_duration(job.work.timeout), stop_report(&stopped));
            pipes.finish();
            AttemptEnd::TimedOut { failure: pipes.failure(message), result: Value::Map(pipes.result(stopped.status)) }
        }
        Ended::Cancelled(stopped) => {
            let message = format!("cancelled; {}", stop_report(&stopped));
            pipes.finish();
            AttemptEnd::Cancelled { failure: pipes.failure(message), result: Value::Map(pipes.result(stopped.status)) }
        }
        Ended::Lost(error) => {
            AttemptEnd::Unknown { why: format!("the system did not say how `{}` ended: {error}", program.called) }
        }
    };
    Ok(end)
}

enum Ended {
    /// `held`: something it left behind still has the pipe open.
    Exited {
        status: ExitStatus,
        held: bool,
    },
    TimedOut(Stopped),
    Cancelled(Stopped),
    Lost(std::io::Error),
}

async fn follow(tree: &mut Tree, pipes: &mut Pipes, timeout: Duration, stop: impl Future<Output = ()>) -> Ended {
    let deadline = tokio::time::sleep(timeout);
    let mut collection = tokio::time::interval(limits::ORPHAN_AGE);
    tokio::pin!(deadline, stop);
    let mut exited: Option<(ExitStatus, Instant)> = None;
    loop {
        if let (Some((status, _)), false) = (exited, pipes.open()) {
            return Ended::Exited { status, held: false };
        }
        // The order matters: a flood of output must not starve the clock.
        tokio::select! {
            biased;
            () = &mut stop, if exited.is_none() => return Ended::Cancelled(stop_and_drain(tree, pipes).await),
            () = &mut deadline, if exited.is_none() => return Ended::TimedOut(stop_and_drain(tree, pipes).await),
            status = tree.wait(), if exited.is_none() => match status {
                Ok(status) => exited = Some((status, Instant::now() + limits::OUTPUT_DRAIN)),
                Err(error) => return Ended::Lost(error),
            },
            _ = collection.tick() => process::collect_orphans(),
            status = drained(exited), if exited.is_some() => return Ended::Exited { status, held: true },
            () = pipes.read(), if pipes.open() => {}
        }
    }
}

/// The status, once the time for draining is over.
async fn drained(exited: Option<(ExitStatus, Instant)>) -> ExitStatus {
    match exited {
        Some((status, until)) => {
            tokio::time::sleep_until(until).await;
            status
        }
        None => std::future::pending().await,
    }
}

/// Output is read while the tree ends: a program that reports its own shutdown must not block on us.
async fn stop_and_drain(tree: &mut Tree, pipes: &mut Pipes) -> Stopped {
    let stopped = {
        let stop = tree.stop(limits::KILL_GRACE);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                stopped = &mut stop => break stopped,
                () = pipes.read(), if pipes.open() => {}
            }
        }
    };
    let rest = async {
        while pipes.open() {
            pipes.read().await;
        }
    };
    let _ = tokio::time::timeout(limits::OUTPUT_DRAIN, rest).await;
    stopped
}

/// One of a program's outputs, until it is closed.
struct Pipe {
    from: Option<Receiver>,
    buffer: Vec<u8>,
    stream: Stream,
}

impl Pipe {
    fn new(from: Option<Receiver>, stream: Stream) -> Pipe {
        Pipe { from, buffer: vec![0; limits::OUTPUT_FIRST], stream }
    }

    /// Bytes read; 0 at the end. A pipe that is closed already never answers.
    async fn read(&mut self) -> usize {
        match &mut self.from {
            Some(pipe) => pipe.read(&mut self.buffer).await.unwrap_or(0),
            None => std::future::pending().await,
        }
    }

    fn keep(&mut self, read: usize, recorder: &mut Recorder) {
        recorder.push(&mut self.stream, self.buffer.get(..read).unwrap_or_default());
        if read == 0 {
            self.from = None;
        } else if read == self.buffer.len() && read < limits::OUTPUT_CHUNK {
            // It has more to say than most.
            self.buffer.resize(limits::OUTPUT_CHUNK, 0);
            self.from.iter().for_each(process::widen);
        }
    }
}

struct Pipes {
    stdout: Pipe,
    stderr: Pipe,
    recorder: Recorder,
}

impl Pipes {
    fn open(&self) -> bool {
        self.stdout.from.is_some() || self.stderr.from.is_some()
    }

    /// Takes what is there next on either pipe. May be dropped while it waits: nothing is lost.
    async fn read(&mut self) {
        tokio::select! {
            read = self.stdout.read() => self.stdout.keep(read, &mut self.recorder),
            read = self.stderr.read() => self.stderr.keep(read, &mut self.recorder),
        }
    }

    fn finish(&mut self) {
        self.recorder.finish(&mut self.stdout.stream);
        self.recorder.finish(&mut self.stderr.stream);
    }

    fn failure(&self, message: String) -> Failure {
        Failure { message, at: None, detail: self.recorder.last_lines() }
    }

    fn result(&self, status: Option<ExitStatus>) -> Map {
        let mut result = Map::new();
        for (name, stream) in [("stdout", &self.stdout.stream), ("stderr", &self.stderr.stream)] {
            let (head, whole) = stream.head();
            result.insert(name.to_owned(), Value::Text(head));
            if !whole {
                let bytes = i64::try_from(stream.bytes()).unwrap_or(i64::MAX);
                result.insert(format!("{name}_bytes"), Value::Int(bytes));
            }
        }
        if let Some(json) = self.stdout.stream.json() {
            result.insert("json".to_owned(), json);
        }
        if let Some(status) = status {
            result.insert("exit_code".to_owned(), Value::Int(process::exit_code(status).into()));
        }
        if let Some(why) = self.recorder.broken() {
            tracing::error!(why, "the log of an attempt is not complete");
            result.insert("log_incomplete".to_owned(), Value::text(why));
        }
        result
    }
}

fn judge(called: &str, status: ExitStatus) -> Option<String> {
    if status.success() {
        return None;
    }
    let called = called.escape_debug();
    Some(match (status.signal(), status.code()) {
        (Some(signal), _) => format!("`{called}` was ended by {}", process::signal_name(signal)),
        (None, Some(126)) => format!("`{called}` ended with exit code 126: a command in it may not be executed"),
        (None, Some(127)) => format!("`{called}` ended with exit code 127: a command in it was not found"),
        (None, code) => format!("`{called}` ended with exit code {}", code.unwrap_or_default()),
    })
}

fn stop_report(stopped: &Stopped) -> String {
    let how = if stopped.killed {
        format!("what did not end on SIGTERM within {} was killed", format_duration(limits::KILL_GRACE))
    } else {
        "its processes were ended".to_owned()
    };
    let names = |of: &[Survivor]| process::named(of).join(", ");
    match (stopped.survivors.as_slice(), stopped.strays.as_slice()) {
        ([], []) => how,
        ([], strays) => format!("{how}; these may have been started by it, look before you end them: {}", names(strays)),
        (left, _) => format!("{how}, and these are still there: {}; end them by hand", names(left)),
    }
}

fn spawn_trouble(program: &Program, error: &std::io::Error) -> String {
    let file = program.file.display();
    match error.raw_os_error() {
        Some(libc::E2BIG) => {
            format!("`{file}` was not started: its arguments and environment are too large together; pass large values in a file")
        }
        Some(libc::ENOEXEC) => format!("`{file}` was not started: it is neither a program nor a script that begins with `#!`"),
        Some(libc::ENOENT) => format!("`{file}` was not started: the interpreter that its first line names does not exist"),
        Some(libc::EAGAIN) => format!("`{file}` was not started: this user may have no more processes; try again later"),
        _ => format!("`{file}` was not started: {error}"),
    }
}

/// The folder and the program of a job.
pub fn locate(job: &Job, name: &str, environment: &Environment) -> Result<(PathBuf, PathBuf), Failure> {
    let dir = program::directory(&job.root, job.work.dir.as_deref())?;
    let path = environment.get(std::ffi::OsStr::new("PATH")).cloned().unwrap_or_default();
    Ok((job.programs.find(name, &path, &dir)?, dir))
}
