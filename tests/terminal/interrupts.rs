//! What stops a run from outside: Ctrl-C once and twice, a signal, a terminal that is closed. Each leaves a run that is on the disk
//! and a command that goes on with it.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::Desk;
use crate::harness::eventually;
use crate::terminal::Terminal;

/// Its first step changes something, its second takes as long as it is let, its third changes something again.
const LONG: &str = "steps:
  - id: first
    run: echo first >> told
    undo: {run: echo taken back >> told}
  - id: long
    run: echo $$ > pid; until test -e go || ! test -e try.yaml; do sleep 0.05; done
    effect: read
  - id: third
    run: echo third >> told
    irreversible: it is a test
";

const ASKED: &str = "leave it parked, stay, cancel, or cancel and undo? [leave/stay/cancel/undo/?]";

/// A run in the middle of its second step.
fn under_way(desk: &Desk) -> Terminal {
    let terminal = desk.terminal("exec try --yes");
    terminal.sees("running  2. long");
    eventually("the second step", || desk.path("pid").exists().then_some(()));
    terminal
}

fn told(desk: &Desk) -> String {
    std::fs::read_to_string(desk.path("told")).unwrap_or_default()
}

fn let_go(desk: &Desk) {
    std::fs::write(desk.path("go"), "").expect("a file");
}

fn is_gone(desk: &Desk) -> bool {
    let pid = std::fs::read_to_string(desk.path("pid")).expect("the step's process");
    !Path::new("/proc").join(pid.trim()).exists()
}

#[test]
fn ctrl_c_once_lets_the_step_end_and_asks() {
    for (word, code, then, left) in [
        ("leave", 3, "next: runbook resume", "first\n"),
        ("undo", 130, "cancelled", "first\ntaken back\n"),
        ("cancel", 130, "cancelled", "first\n"),
        ("stay", 0, "succeeded", "first\nthird\n"),
        ("\x04", 3, "next: runbook resume", "first\n"),
    ] {
        let desk = Desk::new(LONG);
        let mut terminal = under_way(&desk);
        terminal.presses("\x03").sees("nothing further starts").asks(ASKED);
        assert!(!is_gone(&desk), "{word}: the step was to go on");
        if word == "\x04" {
            terminal.presses(word)
        } else {
            terminal.types(word)
        };
        if matches!(word, "leave" | "stay" | "\x04") {
            terminal.sees(if word == "stay" { "stay" } else { "waiting for long" });
            let_go(&desk);
        }
        let seen = terminal.ends(code);
        assert!(seen.contains(then), "{word}\n{seen}");
        assert_eq!(told(&desk), left, "{word}\n{seen}");
        assert!(is_gone(&desk), "{word}");
        assert_eq!(seen.matches("leave it parked").count(), 1, "{word}: asked once\n{seen}");
        assert!(terminal.acts().is_empty(), "{word}: {:?}", terminal.acts());
    }
}

#[test]
fn the_question_how_to_leave_stands_while_the_step_ends() {
    let desk = Desk::new(LONG);
    let mut terminal = under_way(&desk);
    terminal.presses("\x03").asks(ASKED);
    let_go(&desk);
    eventually("the end of the step", || is_gone(&desk).then_some(()));
    eventually("its record", || desk.run("show last", 0).contains("succeeded").then_some(()));
    terminal.asks(ASKED).types("stay");
    let seen = terminal.ends(0);
    assert_eq!(seen.matches("leave it parked").count(), 1, "asked once\n{seen}");
    assert_eq!(told(&desk), "first\nthird\n");
}

#[test]
fn ctrl_c_twice_cancels() {
    let desk = Desk::new(LONG);
    let mut terminal = under_way(&desk);
    terminal.presses("\x03").asks(ASKED).presses("\x03");
    let seen = terminal.ends(130);
    assert!(seen.contains("cancelled  the run"), "{seen}");
    assert!(is_gone(&desk) && told(&desk) == "first\n", "{seen}");
}

#[test]
fn ctrl_c_at_a_question_asks_how_to_leave() {
    let desk = Desk::new("steps:\n  - approve: {question: Sure?}\n  - run: touch it\n    irreversible: it is a test\n");
    for (word, code) in [("leave", 3), ("cancel", 130)] {
        let mut terminal = desk.terminal("exec try --yes");
        terminal.asks("[approve/reject/later/?]").presses("\x03").asks(ASKED).types(word);
        terminal.ends(code);
    }
    let mut terminal = desk.terminal("exec try --yes");
    terminal.asks("[approve/reject/later/?]").presses("\x03").asks(ASKED).types("stay");
    terminal.asks("[approve/reject/later/?]").types("approve");
    terminal.ends(0);
    assert!(desk.path("it").exists());
}

#[test]
fn ctrl_c_before_the_start_starts_nothing() {
    let desk = Desk::new(LONG);
    let mut terminal = desk.terminal("exec try");
    terminal.asks("start? [y/N]").presses("\x03");
    terminal.is_interrupted();
    assert!(desk.run("runs", 0).contains("no runs yet"));
}

#[test]
fn a_closed_terminal_parks_the_run() {
    let desk = Desk::new(LONG);
    let mut terminal = under_way(&desk);
    terminal.close();
    assert!(!is_gone(&desk), "the step goes on");
    let_go(&desk);
    terminal.ends(3);
    assert_eq!(told(&desk), "first\n", "nothing further started");
    desk.run("resume last --yes", 0);
    assert_eq!(told(&desk), "first\nthird\n");
    desk.run("verify last", 0);
}

#[test]
fn a_terminal_that_closes_at_a_question_parks_the_run() {
    let desk = Desk::new("steps:\n  - approve: {question: Sure?}\n  - run: touch it\n    irreversible: it is a test\n");
    let mut terminal = desk.terminal("exec try --yes");
    terminal.asks("[approve/reject/later/?]");
    terminal.close();
    terminal.ends(3);
    assert!(desk.run("runs", 0).contains("waiting: 1 decision"));
    desk.run(&desk.approval(), 0);
    desk.run("resume last --yes", 0);
    assert!(desk.path("it").exists());
}

#[test]
fn a_stop_signal_drains_and_names_what_it_waits_for() {
    let desk = Desk::new(LONG);
    let mut terminal = under_way(&desk);
    let pid = Pid::from_raw(terminal.pid().cast_signed()).expect("a process");
    kill_process(pid, Signal::TERM).expect("a signal");
    terminal.sees("waiting for long");
    let_go(&desk);
    let seen = terminal.ends(3);
    assert!(seen.contains("is parked") && seen.contains("next: runbook resume"), "{seen}");
    assert_eq!(told(&desk), "first\n");
}

#[test]
fn what_is_told_to_ignore_a_hangup_goes_on_without_its_terminal() {
    let desk = Desk::new(LONG);
    let mut command = desk.shell("trap '' HUP; exec runbook exec try --yes");
    command.stdin(std::process::Stdio::null());
    let mut terminal = Terminal::start(command, crate::terminal::ROOMY);
    eventually("the second step", || desk.path("pid").exists().then_some(()));
    terminal.close();
    let_go(&desk);
    terminal.ends(0);
    assert_eq!(told(&desk), "first\nthird\n");
}

#[test]
fn what_is_said_elsewhere_frees_the_terminal() {
    const ASKS: &str = "steps:\n  - approve: {question: Sure?}\n  - run: touch it\n    irreversible: it is a test\n";
    for (line, code, left) in [
        ("pause last", 3, "is paused"),
        ("cancel last", 130, "cancelled"),
        ("reject last --reason no", 4, "rejected"),
        ("approve", 0, "succeeded"),
    ] {
        let desk = Desk::new(ASKS);
        let mut terminal = desk.terminal("exec try --yes");
        terminal.asks("[approve/reject/later/?]");
        let approval = desk.approval();
        desk.run(if line == "approve" { &approval } else { line }, 0);
        let seen = terminal.ends(code);
        assert!(seen.contains(left) && seen.contains("next: runbook "), "{line}\n{seen}");
        assert!(seen.contains("later/?]\n") || seen.contains("later/?] \n"), "{line}: the question ends its line\n{seen}");
    }
    let desk = Desk::new(LONG);
    let mut terminal = under_way(&desk);
    let told_to = desk.run("pause last", 0);
    terminal.sees("paused");
    let_go(&desk);
    let seen = terminal.ends(3);
    assert!(seen.contains("is paused") && told_to.contains("next: runbook resume"), "{told_to}{seen}");
    desk.run("resume last --yes", 0);
    assert_eq!(told(&desk), "first\nthird\n");
}

/// What a run is at when a stop signal comes, how it is seen that it is there, whether something is under way, and how the program
/// ends: parked, unless what was under way was the last of it.
#[test]
fn a_stop_signal_in_every_state_drains_and_parks() {
    let wait = "until test -e go || ! test -e try.yaml; do sleep 0.05; done";
    let long = format!("{{id: long, run: '{wait}', effect: read}}");
    let probe = "probe: {id: p, run: 'true', effect: read}";
    for (state, steps, seen, drains, code) in [
        ("a step", format!("steps: [{long}, {{run: 'true', effect: read}}]\n"), "running    1. long", true, 3),
        (
            "branches",
            format!(
                "steps:\n  - parallel: {{a: [{long}], b: [{{run: '{wait}', effect: read}}]}}\n  - {{run: 'true', effect: read}}\n"
            ),
            ".b/run-1",
            true,
            3,
        ),
        (
            "a retry",
            "steps: [{id: long, run: exit 1, effect: read, retry: {attempts: 2, delay: 1h}}]\n".to_owned(),
            "retrying   1. long",
            false,
            3,
        ),
        ("a time", "steps: [{id: long, wait: {for: 1h}}]\n".to_owned(), "running    1. long: until", false, 3),
        (
            "a probe",
            format!("steps: [{{id: long, wait: {{until: steps.p.exit_code == 1, every: 1h, within: 2h, {probe}}}}}]\n"),
            "succeeded  2. long[1]/p",
            false,
            3,
        ),
        (
            "a finally",
            format!("steps: [{{run: 'true', effect: read}}]\nfinally: [{long}]\n"),
            "running    2. ~finally/long",
            true,
            0,
        ),
        (
            "an undo",
            format!(
                "steps:\n  - {{id: done, run: 'true', undo: {{id: long, run: '{wait}'}}}}\n  - {{run: exit 1, effect: read, on_failure: rollback}}\n"
            ),
            "running    U1. done~undo/long",
            true,
            1,
        ),
    ] {
        let desk = Desk::new(&steps);
        let told = std::fs::File::create(desk.path("told")).expect("a file");
        let mut child = desk.command("exec try").stderr(told).spawn().expect("the program starts");
        let text = || std::fs::read_to_string(desk.path("told")).expect("what it said");
        eventually(&format!("{state}: `{seen}`"), || text().contains(seen).then_some(()));
        let pid = Pid::from_raw(child.id().cast_signed()).expect("a process");
        kill_process(pid, Signal::TERM).expect("a signal");
        if drains {
            eventually(&format!("{state}: what it waits for"), || text().contains("waiting for").then_some(()));
            let_go(&desk);
        }
        let status = eventually(&format!("{state}: the end"), || child.try_wait().expect("a child"));
        assert_eq!(status.code(), Some(code), "{state}\n{}", text());
        assert!(text().contains("\nnext: runbook "), "{state}\n{}", text());
        desk.run("verify last", 0);
        if code == 3 {
            assert!(text().contains("is parked") && desk.run("runs", 0).contains("parked"), "{state}\n{}", text());
        }
        if code == 3 && drains {
            desk.run("resume last", 0);
        }
    }
}

#[test]
fn a_detached_run_outlives_its_terminal() {
    let desk = Desk::new(LONG);
    let mut terminal = desk.terminal_of(desk.shell("runbook exec try --yes --detach; read line"));
    terminal.sees("next: runbook show");
    eventually("the second step", || desk.path("pid").exists().then_some(()));
    terminal.presses("\x03");
    terminal.close();
    assert!(!is_gone(&desk));
    let_go(&desk);
    eventually("its end", || desk.run("runs", 0).contains("succeeded").then_some(()));
    assert_eq!(told(&desk), "first\nthird\n");
}

#[test]
fn an_end_that_nobody_knows_is_asked_about_in_place() {
    let steps = "steps:\n  - {id: first, run: 'true', undo: {run: exit 3}}\n  - {id: cut, run: 'echo $$ > pid; until test -e go || ! test -e try.yaml; do sleep 0.05; done', irreversible: test}\n";
    let desk = Desk::new(steps);
    let mut engine = desk.command("exec try").stderr(std::process::Stdio::null()).spawn().expect("the program starts");
    eventually("the second step", || desk.path("pid").exists().then_some(()));
    engine.kill().expect("a signal");
    engine.wait().expect("its end");
    assert!(desk.run("runs", 0).contains("interrupted"));
    let parked = desk.run("resume last --yes", 3);
    assert!(
        parked.contains("was cut off, and nobody knows how it ended") && parked.contains("this still runs: sh (pid"),
        "{parked}"
    );
    assert!(desk.run("answer last --probe", 2).contains("no `verify`"));
    let mut terminal = desk.terminal("resume last");
    terminal.sees("will not run again").asks("go on? [y/N]").types("y");
    terminal.asks("what now [done/again/later/?]").types("done").asks("why?").types("it is there");
    terminal.ends(0);
    let_go(&desk);
    let mut terminal = desk.terminal("undo last");
    terminal.sees("has no undo, and stays").asks("undo? [y/N]").types("y");
    terminal.sees("an undo failed").asks("what now [done/again/leave/later/?]").types("leave").asks("why?").types("by hand");
    let seen = terminal.ends(5);
    assert!(seen.contains("needs attention the run") && !seen.contains(";\n"), "{seen}");
}
