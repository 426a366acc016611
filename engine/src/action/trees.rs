//! Real process trees of every shape that is known to escape, ended by a timeout and by a cancel: nothing is left.
//!
//! What is left is looked for by another way than the engine's: each tree holds `sleep`s of a length that nothing else
//! on the machine has, and the process table is searched for that number. Only processes started here are ever signalled, and all
//! of them end by themselves within minutes, whatever becomes of the tests.

use std::sync::Arc;
use std::time::Duration;

use runbook_core::run::event::AttemptEnd;
use runbook_core::value::Value;
use tokio::sync::Semaphore;

use super::fixture::{failed, fresh_id, job, script, succeeded, text};
use super::perform;
use crate::process::chains::compile;
use crate::process::survivors;

/// Two minutes and a part of a second that nothing else on the machine sleeps.
fn length(tag: u32) -> String {
    format!("120.{:07}{tag}", std::process::id())
}

/// Processes whose arguments hold this number: their ids, and the arguments.
fn holding_with_pids(number: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(number) {
            found.push((pid, line));
        }
    }
    found
}

fn holding(number: &str) -> Vec<String> {
    holding_with_pids(number).into_iter().map(|(_, line)| line).collect()
}

/// What stays where a tree stands; shells, and what only becomes another program, lead there.
const STAY: [&str; 5] = ["sleep", "yes", "grep", "timeout", "vforks"];

/// How many processes with this number are where they stay: what they are there for, or stopped.
fn standing(number: &str) -> usize {
    let stays = |(pid, line): &(u32, String)| {
        let program = line.split(' ').next().and_then(|path| path.rsplit('/').next());
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        program.is_some_and(|program| STAY.contains(&program)) || stat.contains(") T ")
    };
    holding_with_pids(number).iter().filter(|found| stays(found)).count()
}

/// A name; how many of its processes are there once the tree stands; and the script, in which `%` is the number and `NATIVE` the folder
/// of compiled programs.
const SHAPES: [(&str, usize, &str); 32] = [
    ("one program", 1, "exec sleep %"),
    ("a child", 1, "sleep %; true"),
    ("a background job", 1, "sleep % & wait"),
    ("many background jobs", 8, "for i in 1 2 3 4 5 6 7 8; do sleep % & done; wait"),
    ("a pipeline", 2, "sleep % | sleep % | cat"),
    ("deaf to SIGTERM", 1, "trap '' TERM; sleep %; sleep %"),
    ("deaf to SIGTERM, and its child", 1, "trap '' TERM; sh -c 'trap \"\" TERM; sleep %; :'"),
    ("deaf to every polite signal", 1, "trap '' TERM HUP INT QUIT; sleep % & wait; wait; sleep %"),
    ("a session of its own", 1, "setsid sleep %"),
    ("a session of its own behind the leader", 2, "setsid sleep % & sleep %"),
    ("a double fork", 2, "(sleep % & ) ; sleep %"),
    ("a double fork into a session", 2, "(setsid sh -c 'sleep % & exit' & ) ; sleep %"),
    ("a daemon that lets go of the pipes", 3, "(setsid sh -c 'sleep % & sleep %' >/dev/null 2>&1 </dev/null & ) ; sleep %"),
    ("a daemon deaf to SIGTERM", 2, "(setsid sh -c 'trap \"\" TERM; sleep %; sleep %' >/dev/null 2>&1 & ) ; sleep %"),
    ("a child without our mark", 1, "env -i PATH=\"$PATH\" sleep %; true"),
    ("a session without our mark", 2, "env -i PATH=\"$PATH\" setsid sleep % & sleep %"),
    ("stopped", 3, "timeout -s KILL % sh -c 'sleep % & kill -STOP $$'; true"),
    ("a stopped child deaf to SIGTERM", 2, "timeout -s KILL % sh -c 'trap \"\" TERM; kill -STOP $$; sleep %'; sleep %"),
    (
        "deep",
        1,
        "d() { if [ $1 -gt 0 ]; then sh -c \"$S\" sh $(($1-1)); else sleep %; fi; :; }; S='if [ $1 -gt 0 ]; then sh -c \"$S\" sh $(($1-1)); :; else sleep %; fi'; export S; d 15",
    ),
    ("job control", 2, "set -m; sleep % & sleep % & wait"),
    ("job control without our mark, orphaned", 2, "(set -m; env -i PATH=\"$PATH\" sleep % & exit); sleep %"),
    ("orphaned without our mark", 3, "(env -i PATH=\"$PATH\" sh -c 'sleep % & sleep %' & exit); sleep %"),
    ("a chain of programs", 1, "exec sh -c \"exec sh -c 'exec env exec=1 nice -n 1 sleep %'\""),
    ("nicer than others", 1, "nice -n 19 sleep % & wait"),
    ("under another name", 1, "sh -c 'printf kworker >/proc/$$/comm; sleep %; :'"),
    ("a parent that never collects", 2, "sh -c 'sleep 0 & sleep 0 & sleep % & exec sleep %'"),
    ("writes for ever", 3, "yes % & yes % >&2 & sleep %"),
    ("reads for ever", 3, "rm -f NATIVE/rb%; mkfifo NATIVE/rb%; timeout % grep % <>NATIVE/rb% & sleep %"),
    ("a storm of forks", 41, "i=0; while [ $i -lt 20 ]; do sh -c 'setsid sleep % & sleep %' & i=$((i+1)); done; sleep %"),
    ("a parent that waits for the memory that it lent", 3, "NATIVE/vforks % & sleep %"),
    (
        "a line of sessions that each start the next and end",
        1,
        "S='[ $1 -eq 0 ] || { setsid sh -c \"$S\" sh $(($1 - 1)) % & }'; export S; sh -c \"$S\" sh 9000; sleep %",
    ),
    ("starts another when it is told to end", 1, "trap 'sleep % & exit' TERM; sleep % & wait"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_tree_is_left() {
    let folder = tempfile::tempdir().unwrap();
    compile(folder.path());
    let native = folder.path().display().to_string();
    let number = |place: usize, cancel| length(1000 + place as u32 * 2 + u32::from(cancel));
    let few = Arc::new(Semaphore::new(12));
    let ends = SHAPES.iter().enumerate().flat_map(|(place, shape)| {
        [false, true].map(|cancel| {
            let (few, number) = (few.clone(), number(place, cancel));
            let (name, processes, script) = *shape;
            let script = script.replace("NATIVE", &native).replace('%', &number);
            tokio::spawn(async move {
                let _one_of_few = few.acquire().await.unwrap();
                // A machine that is slow to grow the tree gets more time for it.
                for patience in [1, 2, 4, 8, 16, 32].map(Duration::from_secs) {
                    if ends_whole(name, &script, &number, processes, (!cancel).then_some(patience)).await {
                        return;
                    }
                }
                panic!("{name}: the tree never stood");
            })
        })
    });
    for end in ends.collect::<Vec<_>>() {
        end.await.unwrap();
    }
}

/// Ends a tree by a timeout, or without one by a cancel as soon as it stands, and says whether it stood.
async fn ends_whole(name: &str, script_text: &str, number: &str, processes: usize, timeout: Option<Duration>) -> bool {
    let (mut job, _) = job(script(script_text));
    let (id, stop) = (job.id.clone(), job.stop.clone());
    job.work.timeout = timeout.unwrap_or(Duration::from_secs(60));
    let running = tokio::spawn(perform(job));
    let mut stood = false;
    while !stood && !running.is_finished() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        stood = standing(number) >= processes;
    }
    if timeout.is_none() {
        stop.cancel();
    }
    let end = running.await.unwrap();
    let failure = match (&end, timeout) {
        (AttemptEnd::TimedOut { failure, .. }, Some(_)) | (AttemptEnd::Cancelled { failure, .. }, None) => failure,
        _ => panic!("{name}: {end:?}"),
    };
    assert_eq!(holding(number), [""; 0], "{name}, timeout: {timeout:?}: {}", failure.message);
    assert_eq!(survivors(&id), [], "{name}");
    assert!(!failure.message.contains("still there"), "{name}: {}", failure.message);
    stood
}

/// It wiped its environment, left the session and lost its parent: while others are under way, nobody can tell whose it is.
#[tokio::test]
async fn what_wiped_every_trace_is_ended_or_named() {
    let number = length(5);
    let (mut job, _) =
        job(script(&format!("(env -i PATH=\"$PATH\" setsid sh -c 'sleep {number} & sleep {number}' &); sleep {number}")));
    let stop = job.stop.clone();
    job.work.timeout = Duration::from_secs(60);
    let running = tokio::spawn(perform(job));
    while holding(&number).len() < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    let AttemptEnd::Cancelled { failure, .. } = running.await.unwrap() else { panic!() };
    for (pid, line) in holding_with_pids(&number) {
        assert!(failure.message.contains(&format!("(pid {pid})")), "{line}: {}", failure.message);
        end(pid);
    }
}

#[tokio::test]
async fn a_process_left_behind_is_named_and_holds_nobody_up() {
    let number = length(9);
    let (job, log) = job(script(&format!("echo started; sleep {number} &")));
    let id = job.id.clone();
    let result = succeeded(perform(job).await);
    assert_eq!(text(&result, "stdout"), "started\n");
    assert_eq!(log.text(), "started\n");
    let left = survivors(&id);
    assert_eq!(left.len(), 1);
    assert_eq!(result.get("still_running"), Some(&Value::List(vec![Value::text(left[0].to_string())])));
    assert_eq!(left[0].program, "sleep");
    end(left[0].pid);
}

#[tokio::test]
async fn a_crowd_left_behind_does_not_outgrow_the_record() {
    let number = length(4);
    let (job, _) = job(script(&format!("i=0; while [ $i -lt 30 ]; do sleep {number} & i=$((i+1)); done")));
    let result = succeeded(perform(job).await);
    let Some(Value::List(names)) = result.get("still_running") else { panic!("{result:?}") };
    assert_eq!((names.len(), names.last()), (21, Some(&Value::text("and 10 more"))));
    holding_with_pids(&number).into_iter().for_each(|(pid, _)| end(pid));
}

#[tokio::test]
async fn a_daemon_that_lets_go_of_the_pipes_lives_on_quietly() {
    let number = length(8);
    let (job, _) = job(script(&format!("setsid sleep {number} >/dev/null 2>&1 & echo ok")));
    let id = job.id.clone();
    let result = succeeded(perform(job).await);
    assert_eq!(result.get("still_running"), None);
    let left = survivors(&id);
    assert_eq!(left.len(), 1, "{left:?}");
    end(left[0].pid);
}

#[tokio::test]
async fn orphans_that_ended_are_collected_while_the_step_goes_on() {
    let (mut job, _) = job(script(
        "dead=$(for i in 1 2 3 4; do (sh -c 'echo $$' &); done)
        for pid in $dead; do while [ -d /proc/$pid ]; do sleep 0.1; done; done",
    ));
    job.work.timeout = Duration::from_secs(30);
    succeeded(perform(job).await);
}

#[tokio::test]
async fn an_attempt_that_is_dropped_takes_its_group_along() {
    let number = length(7);
    let (job, _) = job(script(&format!("sleep {number} & wait")));
    let running = tokio::spawn(perform(job));
    while holding(&number).len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.abort();
    let _ = running.await;
    let mut patience = 400;
    while !holding(&number).is_empty() && patience > 0 {
        patience -= 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(holding(&number), [""; 0]);
}

#[tokio::test]
async fn cancelled_before_it_began_starts_nothing() {
    let (mut job, log) = job(script("echo ran"));
    job.id = fresh_id();
    job.stop.cancel();
    assert!(matches!(perform(job).await, AttemptEnd::Cancelled { .. }));
    assert_eq!(log.text(), "");
}

#[tokio::test]
async fn a_program_that_reports_its_shutdown_is_heard() {
    let (mut job, log) =
        job(script("trap 'i=0; while [ $i -lt 20000 ]; do echo bye $i; i=$((i+1)); done; exit' TERM; echo up; sleep 30 & wait"));
    let stop = job.stop.clone();
    job.work.timeout = Duration::from_secs(60);
    let running = tokio::spawn(perform(job));
    while log.text().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    assert!(matches!(running.await.unwrap(), AttemptEnd::Cancelled { .. }));
    assert!(log.text().ends_with("bye 19999\n"));
}

#[tokio::test]
async fn a_death_by_signal_is_named() {
    for (signal, name) in [("KILL", "SIGKILL"), ("SEGV", "SIGSEGV"), ("TERM", "SIGTERM")] {
        let (job, _) = job(script(&format!("kill -{signal} $$")));
        let (failure, result) = failed(perform(job).await);
        assert!(failure.message.contains(name), "{}", failure.message);
        assert!(matches!(result.get("exit_code"), Some(Value::Int(code)) if *code > 128), "{result:?}");
    }
}

/// Ends one process that a test left on purpose.
fn end(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
