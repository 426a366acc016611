//! What stands around the program: streams whose other end has gone, and the environment of those who started it.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{APPROVAL, Desk, procedure};

const PRINTS: &str = "steps:
  - run: seq 1 200000
    effect: read
  - run: touch reached
    irreversible: test
";

/// A stream that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let desk = Desk::new(&[("try.yaml", &procedure(PRINTS))]);
    desk.run("exec try").exits(0);
    for line in ["logs last run-1", "logs last run-1 --raw"] {
        let mut program = desk.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0];
        program.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = program.wait_with_output().unwrap();
        assert_eq!((first, output.status.code()), (*b"1", Some(0)), "{line}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    }
}

/// More than a pipe takes is said before the last step, and nobody reads it until then.
#[test]
fn a_reader_that_is_slow_stops_no_run() {
    let said = (0..300).map(|n| format!("  - name: {n} {}\n    run: \":\"\n    effect: read\n", "long ".repeat(60)));
    let steps = format!("steps:\n{}  - run: touch reached\n    irreversible: test\n", said.collect::<String>());
    for (line, stream, last) in [("exec try", 2, "next: runbook show"), ("exec try --json", 1, "run_finished")] {
        let desk = Desk::new(&[("try.yaml", &procedure(&steps))]);
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = desk.command(line);
        let mut program = match stream {
            1 => command.stdout(writer).stderr(Stdio::null()),
            _ => command.stderr(writer).stdout(Stdio::null()),
        }
        .spawn()
        .unwrap();
        drop(command);
        let began = Instant::now();
        while !desk.path("reached").exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "{line}: the last step is not reached");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(program.try_wait().unwrap(), None, "{line}: it says the rest before it goes");
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert!(text.len() > 90_000 && text.lines().last().unwrap().contains(last), "{line}: {}", text.len());
        assert_eq!(program.wait().unwrap().code(), Some(0), "{line}");
    }
}

/// Whether somebody reads it or not: what was found decides how the program exits.
#[test]
fn what_nobody_reads_ends_as_what_is_read() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL))]);
    desk.run("exec try").exits(3);
    desk.run("export last -o record.jsonl").exits(0);
    let text = std::fs::read_to_string(desk.path("record.jsonl")).unwrap();
    std::fs::write(desk.path("forged.jsonl"), text.replace("Write it?", "Drop it?")).unwrap();
    let faulty = procedure("steps: [{efect: 1}, {run: 1}]\n").replace("name: try", "name: faulty");
    std::fs::write(desk.path("faulty.yaml"), faulty).unwrap();
    for (line, code) in [
        ("runs", 0),
        ("runs --json", 0),
        ("show last", 0),
        ("show last --json", 0),
        ("export last", 0),
        ("replay last", 0),
        ("decisions last", 0),
        ("decisions --json", 0),
        ("dry-run try", 0),
        ("config", 0),
        ("explain", 0),
        ("explain RB0112", 0),
        ("completions bash", 0),
        ("man", 0),
        ("--help", 0),
        ("--version", 0),
        ("verify last", 0),
        ("verify forged.jsonl", 1),
        ("check try", 0),
        ("check faulty", 2),
        ("check faulty --json", 2),
        ("exec nowhere", 2),
    ] {
        desk.run(line).exits(code);
        let output = desk.command(line).stdout(unread()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(!said.contains("cannot write") && !said.contains("panicked"), "{line}: {said}");
        let status = desk.command(line).stdout(unread()).stderr(unread()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{line}, and its errors");
    }
}

#[test]
fn a_run_that_nobody_watches_records_its_end() {
    let desk = Desk::new(&[
        ("try.yaml", &procedure(PRINTS)),
        ("fails.yaml", &procedure("steps: [{run: exit 7, effect: read}]\n").replace("name: try", "name: fails")),
        ("waits.yaml", &procedure(APPROVAL).replace("name: try", "name: waits")),
    ]);
    // The readers have gone, or there never were any streams.
    let gone = |line: &str| desk.command(line).stdout(unread()).stderr(unread()).status().unwrap();
    let closed = |line: &str| {
        let program = desk.command(line);
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$@\" <&- >&- 2>&-", "sh"]).arg(program.get_program()).args(program.get_args());
        shell.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.current_dir(program.get_current_dir().unwrap()).status().unwrap()
    };
    for exec in [&gone as &dyn Fn(&str) -> _, &closed] {
        for (line, code, end) in [
            ("exec try", 0, "succeeded"),
            ("exec try --json", 0, "succeeded"),
            ("exec fails", 1, "failed"),
            ("exec fails --json", 1, "failed"),
            ("exec waits", 3, "waiting: 1 decision"),
        ] {
            let _ = std::fs::remove_file(desk.path("reached"));
            assert_eq!(exec(line).code(), Some(code), "{line}");
            desk.run("runs -n 1").exits(0).prints(end);
            desk.run("verify last").exits(0);
            assert_eq!(desk.path("reached").exists(), line.contains("try"), "{line}");
        }
    }
    desk.run("logs last").exits(0);
}

/// Of all that stands around the engine, a step gets this, and what it declares.
#[test]
fn of_the_environment_a_step_gets_what_is_allowed_and_declared() {
    const ALLOWED: [&str; 13] = [
        "HOME",
        "LANG",
        "LANGUAGE",
        "LC_ALL",
        "LC_TIME",
        "LOGNAME",
        "PATH",
        "SHELL",
        "SSH_AUTH_SOCK",
        "TMPDIR",
        "TZ",
        "USER",
        "XDG_RUNTIME_DIR",
    ];
    const OTHERS: [&str; 16] = [
        "AWS_SECRET_ACCESS_KEY",
        "BASH_ENV",
        "ENV",
        "GIT_DIR",
        "HTTP_PROXY",
        "IFS",
        "LCALL",
        "LD_PRELOAD",
        "PGPASSWORD",
        "PS4",
        "PYTHONPATH",
        "RUNBOOK_STATE",
        "RUNBOOK_RUN",
        "SUDO_USER",
        "XDG_STATE_HOME",
        "home",
    ];
    let steps = "steps:\n  - exec: [env, \"-0\"]\n    env: {DECLARED: '\"one\"', LANG: '\"C.UTF-8\"'}\n    effect: read\n";
    let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
    let around = |line: &str| {
        let mut command = desk.command(line);
        let given = ALLOWED.iter().chain(&OTHERS).filter(|name| !["PATH", "HOME", "TZ", "TMPDIR", "LD_PRELOAD"].contains(name));
        command.envs(given.map(|name| (*name, format!("of-{name}")))).env("TMPDIR", desk.dir.path());
        command.env("RUNBOOK_STATE", desk.dir.path().join("state")).env("LD_PRELOAD", "");
        command.output().unwrap()
    };
    let ran = around("exec try");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let printed = String::from_utf8(around("logs last --raw").stdout).unwrap();
    let got: BTreeSet<&str> =
        printed.split_terminator('\0').filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let own = ["DECLARED", "RUNBOOK_ATTEMPT", "RUNBOOK_RUN", "RUNBOOK_STEP"];
    assert_eq!(got, ALLOWED.into_iter().chain(own).collect());
    for line in ["LC_ALL=of-LC_ALL", "SSH_AUTH_SOCK=of-SSH_AUTH_SOCK", "DECLARED=one", "LANG=C.UTF-8", "RUNBOOK_STEP=exec-1"] {
        assert!(printed.split('\0').any(|got| got.ends_with(line)), "{line}: {printed}");
    }
    assert!(!printed.contains("of-RUNBOOK_RUN"), "{printed}");
}

/// What keeps no record needs no folder for it: in a container or a unit nothing may name one.
#[test]
fn without_a_home_everything_works_that_keeps_no_record() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL))]);
    let homeless = |line: &str| desk.command(line).env_remove("HOME").output().unwrap();
    for line in [
        "check",
        "fmt --check",
        "schema",
        "explain RB0001",
        "docs format",
        "docs try",
        "new --list",
        "dry-run try",
        "explore try",
        "diff try.yaml try.yaml",
        "man",
        "completions bash",
        "--state state exec try",
    ] {
        let output = homeless(line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("HOME") && output.status.code() != Some(2), "{line}: {said}");
    }
    let config = String::from_utf8(homeless("config").stdout).unwrap();
    assert!(config.lines().any(|line| line.starts_with("state") && line.contains("neither XDG_STATE_HOME nor HOME")), "{config}");
    for line in ["runs", "exec try"] {
        let output = homeless(line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        assert!(
            said.contains("neither XDG_STATE_HOME nor HOME names a folder\nnext: give the folder with --state DIR"),
            "{line}: {said}"
        );
    }
}
