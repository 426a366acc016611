//! What reaches a child and what comes back from it, byte for byte, with real shells and programs.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use runbook_core::document::step::Shell;
use runbook_core::limits;
use runbook_core::run::event::AttemptEnd;
use runbook_core::run::task::{EnvText, SecretName, Task};
use runbook_core::value::Value;

use super::fixture::{Known, failed, job, script, succeeded, text};
use super::perform;
use crate::clock::{Clock, ManualClock};
use crate::hold::{End, Holder};
use crate::process;

const HOSTILE: [&str; 16] = [
    "'; touch /tmp/x; '",
    "\"; id; \"",
    "$(id)",
    "`id`",
    "a\nb\n",
    "*",
    "~",
    "-rf",
    "--help",
    "$HOME ${PATH}",
    "\\",
    "\r\t\u{1b}[31m",
    "  spaces  ",
    "é 🦀 \u{202e}",
    "",
    "!x; & | > /dev/null",
];

#[tokio::test]
async fn hostile_values_arrive_as_data() {
    for value in HOSTILE {
        let values = BTreeMap::from([("RB_1".to_owned(), value.to_owned())]);
        for shell in [Shell::Sh, Shell::Bash] {
            let task = Task::Run { shell, script: "printf %s \"$RB_1\"".to_owned(), values: values.clone() };
            assert_eq!(text(&succeeded(perform(job(task).0).await), "stdout"), value, "{shell:?}");
        }
        let argv = ["printf", "%s|", "--", value, "end"].map(str::to_owned).to_vec();
        let (mut job, _) = job(Task::Exec { argv });
        job.work.env.insert("DECLARED".to_owned(), EnvText::Plain(value.to_owned()));
        let result = succeeded(perform(job).await);
        assert_eq!(text(&result, "stdout"), format!("--|{value}|end|"), "exec");
    }
}

#[tokio::test]
async fn no_child_begins_for_a_run_that_may_be_lost() {
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let end =
        |seconds| End { shown: clock.now() + Duration::from_secs(seconds), passed: clock.passed() + Duration::from_secs(seconds) };
    let holder = Holder::new(clock.clone(), end(0));
    let (mut job, _) = job(script("sleep 60"));
    let (id, stop) = (job.id.clone(), job.stop.clone());
    job.hold = holder.hold();
    let mut performing = Box::pin(perform(job));
    assert!(performing.as_mut().now_or_never().is_none());
    assert!(process::survivors(&id).is_empty(), "it waits for the lease");
    holder.lengthen(end(10));
    assert!(performing.as_mut().now_or_never().is_none());
    // An exec lets its parent go on a moment before the environment of the child, in which the mark stands, can be read.
    while process::survivors(&id).is_empty() {
        assert!(performing.as_mut().now_or_never().is_none(), "it goes on");
        tokio::task::yield_now().await;
    }
    stop.cancel();
    assert!(matches!(performing.await, AttemptEnd::Cancelled { .. }));
}

/// The lease ended between the last question but one and the last, and was lengthened right after it.
#[tokio::test]
async fn a_lease_that_was_short_for_a_moment_fails_no_step() {
    struct LateOnce(Mutex<u32>);
    impl Clock for LateOnce {
        fn now(&self) -> Timestamp {
            let mut asked = self.0.lock().unwrap();
            *asked += 1;
            // `wait` asks twice, by what is shown and by what has passed; then the start does.
            if *asked == 3 { Timestamp::MAX } else { Timestamp::UNIX_EPOCH }
        }
    }
    let clock = Arc::new(LateOnce(Mutex::new(0)));
    let holder = Holder::new(clock.clone(), End { shown: Timestamp::from_second(1).unwrap(), passed: Duration::from_secs(1) });
    let (mut job, _) = job(script("echo done"));
    job.hold = holder.hold();
    assert_eq!(text(&succeeded(perform(job).await), "stdout"), "done\n");
    assert!(*clock.0.lock().unwrap() > 5, "it was refused once, and asked again");
}

#[tokio::test]
async fn what_no_argument_can_carry_is_refused_by_name() {
    let huge = "x".repeat(limits::ARGUMENT_BYTES);
    for (value, part) in [("a\0b", "NUL"), (huge.as_str(), "pass it in a file")] {
        let run =
            Task::Run { shell: Shell::Sh, script: ":".to_owned(), values: BTreeMap::from([("RB_1".to_owned(), value.to_owned())]) };
        let exec = Task::Exec { argv: vec!["true".to_owned(), value.to_owned()] };
        for (task, what) in [(run, "`RB_1`"), (exec, "an argument")] {
            let (failure, result) = failed(perform(job(task).0).await);
            assert!(failure.message.contains(part) && failure.message.contains(what), "{}", failure.message);
            assert_eq!(result, Value::Null);
        }
    }
}

/// What a step gets of the engine's own environment, and every `LC_…`: as the reference says, not as the code does.
const ALLOWED: [&str; 11] =
    ["HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "SSH_AUTH_SOCK", "TMPDIR", "TZ", "USER", "XDG_RUNTIME_DIR"];

#[tokio::test]
async fn the_environment_is_exactly_what_is_allowed_and_declared() {
    let (mut job, _) = job(Task::Exec { argv: vec!["env".to_owned(), "-0".to_owned()] });
    job.id = "01run/a/b[2]/3".to_owned();
    job.work.env.insert("PLAIN".to_owned(), EnvText::Plain("one".to_owned()));
    job.work.env.insert("RUNBOOK_RUN".to_owned(), EnvText::Plain("forged".to_owned()));
    let mut expect: BTreeMap<String, String> =
        std::env::vars().filter(|(name, _)| ALLOWED.contains(&name.as_str()) || name.starts_with("LC_")).collect();
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "nothing stands around the tests that a step must not get");
    for (name, value) in
        [("PLAIN", "one"), ("RUNBOOK_RUN", "01run"), ("RUNBOOK_STEP", "a/b[2]"), ("RUNBOOK_ATTEMPT", "01run/a/b[2]/3")]
    {
        expect.insert(name.to_owned(), value.to_owned());
    }
    let result = succeeded(perform(job).await);
    let got: BTreeMap<String, String> = text(&result, "stdout")
        .split_terminator('\0')
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(got, expect);
}

#[tokio::test]
async fn arguments_are_exactly_what_is_written() {
    let look = "tr '\\0' '|' </proc/$$/cmdline";
    let run = |shell| Task::Run { shell, script: look.to_owned(), values: BTreeMap::from([("RB_1".into(), "value".into())]) };
    for (task, expect) in [
        (run(Shell::Sh), format!("sh|-eu|-c|{look}|sh|")),
        (run(Shell::Bash), format!("bash|-eu|-o|pipefail|-c|{look}|bash|")),
        (Task::Exec { argv: ["cat", "/proc/self/cmdline"].map(str::to_owned).to_vec() }, "cat\0/proc/self/cmdline\0".to_owned()),
    ] {
        assert_eq!(text(&succeeded(perform(job(task).0).await), "stdout"), expect);
    }
}

/// Whatever the engine itself was started with: an open descriptor, a signal that is ignored, a terminal.
#[tokio::test]
async fn a_child_takes_over_no_descriptor_no_signal_and_no_terminal() {
    let left_open = std::fs::File::open("/proc/self/status").unwrap();
    rustix::io::fcntl_setfd(&left_open, rustix::io::FdFlags::empty()).unwrap();
    // SAFETY: nothing in the tests waits for this signal.
    unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) };
    assert!(left_open.as_raw_fd() < 100);
    // The last program takes the place of the shell, which blocks signals itself while it starts one.
    let look = r#"n=0; while [ $n -lt 100 ]; do [ ! -e /proc/$$/fd/$n ] || echo $n; n=$((n+1)); done
        sed "s/^$$ (sh) . [0-9]* $$ $$ 0 .*/leads its session/" /proc/$$/stat
        (: </dev/tty) 2>/dev/null || echo no terminal
        exec sed -n 's/^Sig\(Ign\|Blk\):[[:space:]]*//p' /proc/self/status"#;
    let argv = ["sh", "-c", look].map(str::to_owned).to_vec();
    let result = succeeded(perform(job(Task::Exec { argv }).0).await);
    let signals = text(&result, "stdout").strip_prefix("0\n1\n2\nleads its session\nno terminal\n");
    for signals in signals.unwrap_or_else(|| panic!("{result:?}")).lines() {
        // Beyond these 31 lie those that the C library keeps for itself.
        assert_eq!(u64::from_str_radix(signals, 16).unwrap() & 0x7fff_ffff, 0, "{result:?}");
    }
}

#[tokio::test]
async fn a_secret_reaches_the_child_and_nothing_else() {
    let secret = |name: &str| EnvText::Secret(SecretName { procedure: 0, name: name.parse().unwrap() });
    let (mut granted, log) = job(script("[ \"$PASSWORD\" = hunter2-db ] && echo \"it is $PASSWORD\"; exit 3"));
    granted.secrets = Arc::new(Known);
    granted.work.env.insert("PASSWORD".to_owned(), secret("db"));
    let (failure, result) = failed(perform(granted).await);
    let seen = format!("{failure:?} {result:?} {}", log.text());
    assert!(seen.contains("it is •••-db") && !seen.contains("hunter2"), "{seen}");

    let (mut refused, log) = job(script("echo ran"));
    refused.secrets = Arc::new(Known);
    refused.work.env.insert("PASSWORD".to_owned(), secret("missing"));
    let (failure, _) = failed(perform(refused).await);
    assert_eq!(failure.message, "the secret `missing` has no value: the variable `MISSING` is not set; set it");
    assert_eq!(log.text(), "");
}

#[tokio::test]
async fn results_and_failures_say_what_happened() {
    for (text, code, stdout, stderr, part) in [
        ("echo out; echo err >&2", 0, "out\n", "err\n", ""),
        ("echo before; false; echo after", 1, "before\n", "", "exit code 1"),
        ("exit 42", 42, "", "", "exit code 42"),
        ("echo $undefined_name", 2, "", "…", "exit code 2"),
        ("no-such-program-here", 127, "", "…", "was not found"),
        ("/etc/passwd", 126, "", "…", "may not be executed"),
        ("echo one; exec >&- 2>&-; exit 5", 5, "one\n", "", "exit code 5"),
        ("exec >&-; echo two >&2; exec 2>&-; exit 0", 0, "", "two\n", ""),
        ("read line || echo empty", 0, "empty\n", "", ""),
    ] {
        let end = perform(job(script(text)).0).await;
        let result = match &end {
            AttemptEnd::Succeeded { result } if code == 0 => result,
            AttemptEnd::Failed { failure, result } if code != 0 => {
                assert!(failure.message.contains(part), "{text}: {}", failure.message);
                assert_eq!(failure.detail.is_some(), !(stdout.is_empty() && stderr.is_empty()), "{text}");
                result
            }
            _ => panic!("{text}: {end:?}"),
        };
        assert_eq!(result.get("exit_code"), Some(&Value::Int(code)), "{text}");
        assert_eq!(super::fixture::text(result, "stdout"), stdout, "{text}");
        if stderr != "…" {
            assert_eq!(super::fixture::text(result, "stderr"), stderr, "{text}");
        }
    }
}

#[tokio::test]
async fn bash_fails_where_a_pipeline_does() {
    for (shell, fails) in [(Shell::Sh, false), (Shell::Bash, true)] {
        let task = Task::Run { shell, script: "false | true".to_owned(), values: BTreeMap::new() };
        let end = perform(job(task).0).await;
        assert_eq!(matches!(end, AttemptEnd::Failed { .. }), fails, "{shell:?}: {end:?}");
    }
}

#[tokio::test]
async fn a_script_longer_than_an_argument_runs_too() {
    let long = format!("# {}\necho $RB_1", "x".repeat(2 * limits::ARGUMENT_BYTES));
    let values = BTreeMap::from([("RB_1".to_owned(), "arrived".to_owned())]);
    for shell in [Shell::Sh, Shell::Bash] {
        let task = Task::Run { shell, script: long.clone(), values: values.clone() };
        assert_eq!(text(&succeeded(perform(job(task).0).await), "stdout"), "arrived\n");
    }
}

#[tokio::test]
async fn floods_are_kept_whole_and_the_result_stays_small() {
    const MIB: usize = 1024 * 1024;
    // The last: two streams, whose pieces stand in the log in any order.
    for (name, program, bytes, repeated) in [
        ("many lines", format!("yes abcdefg | head -c {}", 64 * MIB), 64 * MIB, Some(&b"abcdefg\n"[..])),
        ("one line of NULs", format!("head -c {} /dev/zero", 64 * MIB), 64 * MIB, Some(b"\0")),
        ("halves of characters", format!("yes \"$(printf '\\303')\" | tr -d '\\n' | head -c {}", 8 * MIB), 8 * MIB, Some(b"\xc3")),
        ("both at once", format!("yes | head -c {0} & yes | head -c {0} >&2; wait", 8 * MIB), 16 * MIB, None),
    ] {
        let (job, log) = job(script(&format!("set +e; {program}; exit 0")));
        let result = succeeded(perform(job).await);
        let log = log.bytes();
        assert_eq!(log.len(), bytes, "{name}");
        assert!(repeated.is_none_or(|piece| log.chunks(piece.len()).all(|chunk| chunk == piece)), "{name}");
        assert!(serde_json::to_string(&result).unwrap().len() < limits::EVENT_BYTES, "{name}");
        assert!(matches!(result.get("stdout_bytes"), Some(Value::Int(n)) if *n as usize >= bytes / 2), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_flood_does_not_outrun_the_clock() {
    let (mut job, _) = job(Task::Exec { argv: vec!["yes".to_owned()] });
    job.work.timeout = Duration::from_millis(100);
    assert!(matches!(perform(job).await, AttemptEnd::TimedOut { .. }));
}

#[tokio::test]
async fn a_log_that_cannot_be_written_does_not_stop_the_step() {
    struct Full;
    impl super::Output for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<()> {
            Err(std::io::Error::from_raw_os_error(libc::ENOSPC))
        }
    }
    let (mut job, _) = job(script("echo out"));
    job.output = Box::new(Full);
    let result = succeeded(perform(job).await);
    assert_eq!(text(&result, "stdout"), "out\n");
    assert!(text(&result, "log_incomplete").contains("No space left"));
}

#[tokio::test]
async fn programs_that_cannot_start_say_why() {
    for (argv, part) in [
        (vec!["no-such-program-here"], "is not in PATH"),
        (vec!["/"], "is a folder"),
        (vec!["./nothing"], "does not exist"),
        (vec![], "names no program"),
    ] {
        let argv = argv.into_iter().map(str::to_owned).collect();
        let (failure, _) = failed(perform(job(Task::Exec { argv }).0).await);
        assert!(failure.message.contains(part), "{}", failure.message);
    }
}
