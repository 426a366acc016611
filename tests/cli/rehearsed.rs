//! `runbook test --real`: what a case starts is used and ended, whatever becomes of it; nothing else is touched.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::{Desk, procedure};

const STEPS: &str = "inputs: {file: {type: path}, word: {type: string}}
steps:
  - id: look
    run: cat {{inputs.file}}
    effect: read
    outputs: {line: result.stdout.trim()}
  - id: go
    approve: {question: 'Write over {{steps.look.line}}?', within: 1h}
  - id: far
    exec: [no-such-program-at-all, '{{inputs.word}}']
    effect: read
  - id: write
    run: echo {{inputs.word}} > {{inputs.file}}; touch here
    undo: {run: 'true'}
";

/// `MARK` is a file outside of the folder of the case.
const CASE: &str = "  - name: it is written over
    inputs: {word: new, file: /nowhere}
    steps: {far: {stdout: far}}
    answers: {go: {by: ada, reason: it is a test}}
    setup:
      - {id: start, run: 'echo old > page; echo \"$PWD/page\"; sleep 300 > log 2>&1 & echo $! > pid', irreversible: test}
    from_setup: {file: steps.start.stdout.trim()}
    teardown:
      - {run: 'kill $(cat pid); cp page MARK', irreversible: test}
    expect:
      outcome: succeeded
      steps: [look, go, far, write]
      gives: {look: {line: old}}
      asked: {go: {question: Write over old}}
";

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
people: {ada: {}}
environments: {staging: {default: true}, production: {production: true}}
";

fn desk(edit: impl FnOnce(String) -> String) -> Desk {
    let desk = Desk::new(&[("try.yaml", &procedure(STEPS)), ("workspace.yaml", WORKSPACE)]);
    let mark = desk.path("mark").display().to_string();
    let case = edit(CASE.to_owned()).replace("MARK", &mark);
    let test = format!("apiVersion: runbook/v1\nkind: Test\nprocedure: try\ncases:\n{case}");
    std::fs::write(desk.path("try.test.yaml"), test).unwrap();
    desk
}

fn marked(desk: &Desk) -> Option<String> {
    std::fs::read_to_string(desk.path("mark")).ok()
}

#[test]
fn a_case_is_run_against_what_its_setup_started() {
    let desk = desk(|case| case);
    let ran = desk.run("test --real").exits(0).says("far: a stand-in stood in for it").says("passed: 1 case");
    ran.prints("  ok    it is written over");
    assert_eq!(marked(&desk).as_deref(), Some("new\n"));
    // It ran in a folder of its own, and is in no record of ours.
    assert!(!desk.path("here").exists() && !desk.path("page").exists());
    desk.run("runs").exits(0);
    assert!(!desk.run("runs").out.contains("try"));
    // Played without doing anything it says what nothing stands in for, and one that is for real systems alone is left out.
    desk.run("test").exits(1).prints("look");
    let test = std::fs::read_to_string(desk.path("try.test.yaml")).unwrap();
    std::fs::write(desk.path("try.test.yaml"), test.replace("    setup:\n", "    real: true\n    setup:\n")).unwrap();
    desk.run("test").exits(0).says("1 case is for real systems alone");
    desk.run("test --real").exits(0);
    desk.run("test --real --filter other").exits(2).says("no case here is for real systems");
}

/// As the cases do that are played.
#[test]
fn what_real_cases_have_been_through_is_counted() {
    let desk = desk(|case| case);
    let ran = desk.run("test --real --coverage").exits(0);
    ran.prints("`write` is taken back in no case");
    let out = desk.run("test --real --coverage --json").exits(0).out;
    let coverage: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&coverage["procedure"], &coverage["coverage"]["steps"]),
        (&"try".into(), &serde_json::json!({"seen": 4, "all": 5}))
    );
}

/// A case has nobody's key: it says so, and what to do.
#[test]
fn an_answer_that_has_to_be_signed_is_no_riddle() {
    let desk = desk(|case| case);
    let signed = format!("{WORKSPACE}policies: [{{name: s, when: {{effect: change}}, require: {{signed: true}}}}]\n");
    std::fs::write(desk.path("workspace.yaml"), signed).unwrap();
    desk.run("test --real")
        .exits(2)
        .prints("what people say to `go` has to be signed, and a case for real systems signs nothing")
        .prints("name an environment in the case whose rules do not ask for `signed`, or play it without `--real`");
}

#[test]
fn whatever_becomes_of_it_the_teardown_is_run() {
    for (what, edit, code, told) in [
        ("an expectation", ("outcome: succeeded", "outcome: failed"), 1, "it ends succeeded; expected was `failed`"),
        (
            "the setup",
            ("echo old > page;", "echo old > page; echo $$ > pid; exit 3;"),
            2,
            "the setup fails at `start`: `sh` ended with exit code 3",
        ),
        ("an answer", ("    answers: {go: {by: ada, reason: it is a test}}\n", ""), 2, "nothing says what people answer `go`"),
        ("a teardown", ("kill $(cat pid); ", "kill $(cat pid); cp page MARK; exit 4; "), 2, "the teardown fails at `run-1`"),
        ("an input", ("from_setup: {file:", "from_setup: {word:"), 1, ""),
    ] {
        let desk = desk(|case| case.replace(edit.0, edit.1).replace("kill $(cat pid)", "kill $(cat pid) || true"));
        let ran = desk.run("test --real");
        assert_eq!(ran.code, code, "{what}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains(told), "{what}: {}{}", ran.out, ran.err);
        assert!(marked(&desk).is_some(), "{what}: {}{}", ran.out, ran.err);
        let kept = ran.err.lines().find_map(|line| line.trim().strip_prefix("kept: ")).expect("the folder").to_owned();
        let state = std::path::Path::new(&kept).join("state");
        assert!(state.is_dir(), "{kept}");
        desk.run(&format!("--state {} verify last", state.display())).exits(0).prints("whole");
    }
}

#[test]
fn what_must_not_be_is_refused_before_anything_starts() {
    for (edit, told) in [
        (
            ("    inputs:", "    environment: production\n    inputs:"),
            "`production` is a production environment: no case is run for real there",
        ),
        (("steps: {far: {stdout: far}}", "steps: {far: crash}"), "`crash` cannot stand in for `far`"),
        (("steps: {far:", "steps: {fra:"), "did you mean `far`?"),
        (("{id: start, run:", "{id: start, rnu:"), "did you mean `run`?"),
        (("steps.start.stdout", "steps.strat.stdout"), "strat"),
    ] {
        let desk = desk(|case| case.replace(edit.0, edit.1));
        let ran = desk.run("test --real").exits(2);
        assert!(ran.out.contains(told), "{told}: {}{}", ran.out, ran.err);
        assert_eq!(marked(&desk), None, "{told}");
    }
}

#[test]
fn what_is_left_running_is_named() {
    let desk = desk(|case| case.replace("kill $(cat pid); ", "cp pid MARK.pid; "));
    let ran = desk.run("test --real").exits(1);
    let pid: i32 = std::fs::read_to_string(desk.path("mark.pid")).unwrap().trim().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::TERM).unwrap();
    ran.prints("the teardown leaves this running: ").prints("sleep");
}

#[test]
fn whoever_interrupts_it_leaves_nothing_behind() {
    let desk = desk(|case| case.replace("steps: {far: {stdout: far}}", "steps: {far: {takes: 10m}}"));
    let mut child = desk.command("test --real").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("it is written over"));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("it was interrupted, and its teardown was run")), "{rest:?}");
    assert!(marked(&desk).is_some() || rest.iter().any(|line| line.contains("kept")), "{rest:?}");
}

#[test]
fn whoever_says_so_twice_does_not_wait_for_the_teardown() {
    let desk = desk(|case| case.replace("kill $(cat pid); cp page MARK", "cp pid MARK; sleep 60; kill $(cat pid)"));
    let mut child = desk.command("test --real").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("it is written over"));
    // The case passes at once, and its teardown goes on and on.
    let began = std::time::Instant::now();
    while marked(&desk).is_none_or(|text| !text.ends_with('\n')) {
        assert!(began.elapsed() < std::time::Duration::from_secs(30), "the teardown never began");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let pid: i32 = marked(&desk).unwrap().trim().parse().unwrap();
    // Two of one kind would be one, where nobody has looked in between.
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::TERM).unwrap();
    assert_eq!(output.status.code(), Some(130), "{out}");
    assert!(out.contains("the teardown leaves this running: "), "{out}");
}
