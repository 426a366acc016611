//! `rhai`: a script in a process of its own. The interpreter's limits are no sandbox, so the child is this very program with an
//! empty environment, limits of the system on memory, time, files and processes, and the step's deadline; whatever the script
//! does to it, the engine reads an answer of bounded size or says how the child died.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use runbook_core::expr::Script;
use runbook_core::limits;
use runbook_core::plan::Origin;
use runbook_core::run::event::{AttemptEnd, Failure};
use runbook_core::run::task::Task;
use runbook_core::value::{Map, Value, format_duration};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Job, failure};
use crate::hold::Hold;
use crate::process::{self, Environment, Launch, Stream, Tree};

/// The argument that makes the `runbook` program run [`child_main`] and nothing else.
pub const SUBCOMMAND: &str = "__script";
/// Stands before the answer, so that nothing else on the child's standard output is taken for one.
const MARK: &[u8] = b"\x1erunbook-answer:";

#[derive(Serialize, Deserialize)]
struct Request {
    script: String,
    scope: Map,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Value(Value),
    Error(String),
}

pub async fn perform(job: Job) -> Result<AttemptEnd, Failure> {
    let Task::Rhai { script, scope } = &job.work.task else { return Err(failure("this work is not a `rhai`")) };
    let request = Request { script: script.clone(), scope: scope.clone() };
    let request =
        serde_json::to_vec(&request).map_err(|error| failure(format!("the script's values cannot be written: {error}")))?;
    let launch = Launch {
        file: Path::new(ITSELF),
        argv: &SANDBOX,
        environment: &Environment::new(),
        dir: Path::new("/"),
        // A script changes nothing.
        hold: &Hold::default(),
        stdin: Stream::Pipe,
        stderr: Stream::Nothing,
    };
    let mut tree =
        Tree::start(&launch, &job.id).map_err(|error| failure(format!("no process for the script could be started: {error}")))?;
    let (stdin, stdout) = (tree.stdin(), tree.stdout());
    let talk = async {
        let send = async {
            if let Some(mut stdin) = stdin {
                // A child that is dead already says more by how it died.
                let _ = stdin.write_all(&request).await;
            }
        };
        let mut answer = Vec::new();
        let receive = async {
            if let Some(stdout) = stdout {
                let _ = stdout.take(limits::EVENT_BYTES as u64 + 1).read_to_end(&mut answer).await;
            }
        };
        tokio::join!(send, receive);
        (answer, tree.wait().await)
    };
    let talked = tokio::select! {
        biased;
        () = job.stop.cancelled() => None,
        talked = tokio::time::timeout(job.work.timeout, talk) => Some(talked),
    };
    Ok(match talked {
        Some(Ok((_, Err(error)))) => return Err(failure(format!("the system did not say how the script ended: {error}"))),
        Some(Ok((answer, Ok(status)))) => match read(&answer, status) {
            Ok(result) => AttemptEnd::Succeeded { result },
            Err(message) => return Err(failure(message)),
        },
        Some(Err(_)) => {
            tree.stop(std::time::Duration::ZERO).await;
            let message = format!("the script was not done after {}; it was ended", format_duration(job.work.timeout));
            AttemptEnd::TimedOut { failure: failure(message), result: Value::Null }
        }
        None => {
            tree.stop(std::time::Duration::ZERO).await;
            AttemptEnd::Cancelled { failure: failure("cancelled; the script was ended"), result: Value::Null }
        }
    })
}

fn read(output: &[u8], status: ExitStatus) -> Result<Value, String> {
    let start = output.windows(MARK.len()).position(|window| window == MARK).map(|at| at + MARK.len());
    let line = start.and_then(|start| output.get(start..)).and_then(|rest| rest.split(|b| *b == b'\n').next());
    let Some(line) = line else {
        let how = match status.signal() {
            Some(libc::SIGXCPU | libc::SIGKILL) => "it took too much time of the processor".to_owned(),
            Some(libc::SIGSEGV | libc::SIGABRT) => "it took too much memory or nested too deep".to_owned(),
            Some(other) => format!("it was ended by {}", process::signal_name(other)),
            None => format!("its process ended with code {} and no answer", status.code().unwrap_or_default()),
        };
        return Err(format!("the script broke its sandbox's limits: {how}; make it do less"));
    };
    if line.len() > limits::RESULT_BYTES {
        return Err(format!(
            "the script's result is larger than {} bytes; give less, or write a file in a `run`",
            limits::RESULT_BYTES
        ));
    }
    match serde_json::from_slice(line) {
        Ok(Answer::Value(value)) => Ok(value),
        Ok(Answer::Error(message)) => Err(format!("the script failed: {message}")),
        Err(error) => Err(format!("the script's answer cannot be read: {error}")),
    }
}

/// This very program, also after an upgrade has put another one in its place.
const ITSELF: &str = "/proc/self/exe";

/// Its name, and what makes it run a script.
#[cfg(not(test))]
const SANDBOX: [&str; 2] = ["runbook", SUBCOMMAND];

/// In a test this program is the tests, and one of them plays the child.
#[cfg(test)]
const SANDBOX: [&str; 6] = ["tests", "--exact", "action::rhai::tests::child", "--ignored", "--nocapture", "--test-threads=1"];

/// The whole life of the child: confine this process, read one request, answer it, end.
pub fn child_main() -> ExitCode {
    let answer = match confine() {
        Ok(()) => answer(),
        Err(error) => Answer::Error(format!("the sandbox could not be set up: {error}")),
    };
    let mut line = MARK.to_vec();
    let written = serde_json::to_writer(&mut line, &answer).is_ok();
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    if written && out.write_all(&line).and_then(|()| out.flush()).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn answer() -> Answer {
    let mut bytes = Vec::new();
    if let Err(error) = std::io::stdin().lock().read_to_end(&mut bytes) {
        return Answer::Error(format!("the request cannot be read: {error}"));
    }
    let request: Request = match serde_json::from_slice(&bytes) {
        Ok(request) => request,
        Err(error) => return Answer::Error(format!("the request cannot be read: {error}")),
    };
    match Script::parse(&request.script, Origin::default()) {
        Err(error) => Answer::Error(error.message),
        Ok(script) => script.run(&request.scope).map_or_else(|error| Answer::Error(error.message), Answer::Value),
    }
}

/// No more memory, time, files, processes or privileges than a script needs. Descriptors beyond the three are closed on
/// exec, so nothing of the engine is open here.
fn confine() -> std::io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    for (resource, most) in [
        (Resource::As, limits::SCRIPT_MEMORY),
        (Resource::Cpu, limits::SCRIPT_CPU.as_secs()),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nproc, 0),
        (Resource::Nofile, 3),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::action::fixture::{failed, job, succeeded};
    use crate::action::perform;
    use crate::process::survivors;

    /// Not a test: the child of the tests below.
    #[test]
    #[ignore = "the child process of other tests"]
    fn child() {
        child_main();
    }

    fn task(script: &str) -> Task {
        let inputs =
            Map::from([("host".to_owned(), Value::text("'; \u{1e}runbook-answer:{}\n$(x)")), ("n".to_owned(), Value::Int(20))]);
        Task::Rhai { script: script.to_owned(), scope: Map::from([("inputs".to_owned(), Value::Map(inputs))]) }
    }

    #[tokio::test]
    async fn the_last_expression_is_the_result() {
        for (script, expect) in [
            ("inputs.n * 2 + 2", Value::Int(42)),
            ("let sum = 0; for i in 0..10 { sum += i; } sum", Value::Int(45)),
            ("inputs.host", Value::text("'; \u{1e}runbook-answer:{}\n$(x)")),
            ("#{a: [1, 2]}", Value::Map(Map::from([("a".to_owned(), Value::List(vec![Value::Int(1), Value::Int(2)]))]))),
        ] {
            assert_eq!(succeeded(perform(job(task(script)).0).await), expect, "{script}");
        }
    }

    #[tokio::test]
    async fn troubles_are_told_apart() {
        for (script, part) in [
            ("let x = ;", "the script failed"),
            ("inputs.nothing", "the script failed"),
            ("throw \"enough\"", "enough"),
            ("let s = \"x\"; while s.len() < 1000000 { s += s; } s", "s result is larger"),
            ("fn f(x) { f(x + 1) } f(0)", "the script"),
            ("let f = |x| x; for i in 0..100000 { let g = f; f = |x| g.call(x); } f.call(1)", "the script"),
            ("import \"std\" as s; 1", "the script failed"),
        ] {
            let (failure, _) = failed(perform(job(task(script)).0).await);
            assert!(failure.message.contains(part), "{script}: {}", failure.message);
        }
    }

    /// As the system shows it while a script is running.
    #[tokio::test]
    async fn it_runs_with_no_more_than_a_script_needs() {
        let (job, _) = job(task("let i = 0; loop { i += 1; }"));
        let (id, stop) = (job.id.clone(), job.stop.clone());
        let running = tokio::spawn(perform(job));
        let of = |place: String| std::fs::read_to_string(format!("/proc/{place}")).unwrap_or_default();
        let mut missing = vec![""];
        let mut pid = 0;
        while !missing.is_empty() {
            assert!(!running.is_finished(), "it ran without {missing:?}");
            tokio::task::yield_now().await;
            pid = survivors(&id).first().map_or(0, |child| child.pid);
            let limits = of(format!("{pid}/limits"));
            let limits: String = limits.split_whitespace().flat_map(|word| [word, " "]).collect();
            missing = [
                "address space 536870912 536870912",
                "cpu time 60 60",
                "file size 0 0",
                "core file size 0 0",
                "processes 0 0",
                "open files 3 3",
            ]
            .into_iter()
            .filter(|limit| !limits.contains(&format!("Max {limit} ")))
            .collect();
        }
        // Of the thread that runs the script; the tests have another one beside it.
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let mut threads = threads.map(|thread| of(format!("{pid}/task/{}/status", thread.unwrap().file_name().display())));
        assert!(threads.any(|status| status.contains("NoNewPrivs:\t1\n")));
        let environment = of(format!("{pid}/environ"));
        assert!(environment.split_terminator('\0').all(|word| word.starts_with("RUNBOOK_")), "{environment}");
        let mut open: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|fd| fd.unwrap().file_name()).collect();
        open.sort();
        assert_eq!(open, ["0", "1", "2"]);
        stop.cancel();
        assert!(matches!(running.await.unwrap(), AttemptEnd::Cancelled { .. }));
    }

    #[tokio::test]
    async fn a_deadline_and_a_cancel_end_it() {
        for cancel in [false, true] {
            let (mut job, _) = job(task("let i = 0; loop { i += 1; }"));
            job.work.timeout = Duration::from_millis(if cancel { 60_000 } else { 100 });
            let (id, stop) = (job.id.clone(), job.stop.clone());
            let running = tokio::spawn(perform(job));
            if cancel {
                while survivors(&id).is_empty() && !running.is_finished() {
                    tokio::task::yield_now().await;
                }
                stop.cancel();
            }
            let end = running.await.unwrap();
            assert!(
                matches!((&end, cancel), (AttemptEnd::TimedOut { .. }, false) | (AttemptEnd::Cancelled { .. }, true)),
                "{end:?}"
            );
        }
    }
}
