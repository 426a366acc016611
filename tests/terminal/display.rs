//! What is seen of a run while it goes on: two levels of steps, how long they run, the last lines of what they write, in windows of
//! every size and terminals of every kind.

use crate::harness::eventually;
use crate::terminal::Terminal;
use crate::{Desk, ROOMY};

/// Two branches at once, one of them three levels deep, and nothing that ends before it is let.
const DEEP: &str = "steps:
  - id: fan
    parallel:
      left:
        - id: outer
          name: The outer step
          group:
            - id: inner
              name: The inner step
              run: echo a first line; echo the last line; touch left; until test -e go || ! test -e try.yaml; do sleep 0.05; done
              effect: read
      right:
        - id: quiet
          run: touch right; until test -e go || ! test -e try.yaml; do sleep 0.05; done
          effect: read
";

fn let_go(desk: &Desk) {
    std::fs::write(desk.path("go"), "").expect("a file");
}

fn both_run(desk: &Desk) {
    eventually("both branches", || (desk.path("left").exists() && desk.path("right").exists()).then_some(()));
}

#[test]
fn two_levels_with_their_time_and_last_line() {
    let desk = Desk::new(DEEP);
    let mut terminal = desk.terminal("exec try");
    both_run(&desk);
    terminal.sees("running  1. fan").sees("running    4. fan.right/quiet");
    terminal.sees("2. fan.left/outer · The outer step › 3. fan.left/outer/inner · The inner step  │ the last line");
    let levels = terminal.screen();
    assert!(!levels.contains("a first line"), "output is folded\n{levels}");
    terminal.sees("0:01").sees("0:02");
    let_go(&desk);
    let seen = terminal.ends(0);
    assert!(seen.contains("succeeded  3. fan.left/outer/inner · The inner step"), "{seen}");
    assert!(!seen.contains("running") && !seen.contains('│'), "what runs no more is gone\n{seen}");
    assert_eq!(terminal.acts(), Vec::<String>::new());
}

#[test]
fn a_failing_step_shows_its_last_lines() {
    let desk =
        Desk::new("steps:\n  - id: broken\n    name: Break\n    run: seq 1 500; echo the reason; exit 7\n    effect: read\n");
    let mut terminal = desk.terminal("exec try");
    let seen = terminal.ends(1);
    assert!(seen.contains("failed     1. broken · Break") && seen.contains("│ the reason") && seen.contains("│ 500"), "{seen}");
    assert!(!seen.contains("│ 1\n"), "the last lines are enough\n{seen}");
    assert!(seen.contains(&format!("next: runbook logs {} broken", desk.last())), "{seen}");
}

#[test]
fn a_window_of_any_size() {
    for size in [(60, 120), (24, 80), (24, 40), (10, 20), (3, 10), (1, 5), (1, 1)] {
        let desk = Desk::new(DEEP);
        let mut terminal = Terminal::start(desk.command("exec try"), size);
        both_run(&desk);
        let_go(&desk);
        let seen = terminal.ends(0);
        // A window of one column breaks every word: what is read then is read in the record.
        if size.1 >= 5 {
            let story = seen.replace('\n', "");
            assert!(story.contains("succeeded  the run") && story.contains("next: runbook show"), "{size:?}\n{seen}");
        }
        assert_eq!(terminal.acts(), Vec::<String>::new(), "{size:?}");
    }
}

#[test]
fn no_row_of_what_runs_is_wider_than_its_window() {
    let desk = Desk::new(DEEP);
    let mut terminal = Terminal::start(desk.command("exec try"), (24, 40));
    both_run(&desk);
    terminal.sees("running  1. fan");
    terminal.wait("all that runs", |view| {
        let rows: Vec<String> = view.screen().rows(0, 40).collect();
        let wrapped = (0..24).any(|row| view.screen().row_wrapped(row) && rows[usize::from(row)].contains("running"));
        !wrapped && rows.iter().filter(|row| row.contains("running")).count() == 3
    });
    let_go(&desk);
    terminal.ends(0);
}

#[test]
fn a_window_may_change_its_size() {
    let desk = Desk::new(DEEP);
    let mut terminal = desk.terminal("exec try");
    both_run(&desk);
    terminal.sees("the last line");
    for (rows, columns) in [(24, 40), (24, 100), (5, 30), (2, 20), (40, 120)] {
        terminal.resize(rows, columns);
        let drawn = terminal.written();
        terminal.wait("it drawn again", |view| view.written() > drawn + 200);
    }
    let_go(&desk);
    let seen = terminal.ends(0);
    assert!(seen.contains("succeeded  the run") && seen.contains("next: runbook show"), "{seen}");
    assert_eq!(terminal.acts(), Vec::<String>::new());
}

#[test]
fn a_question_is_whole_in_a_narrow_window() {
    let desk = Desk::new(
        "steps:\n  - approve: {question: 'May the very long name of a machine be taken out of service now?'}\n  - run: touch it\n    irreversible: it is a test\n",
    );
    let mut terminal = Terminal::start(desk.command("exec try --yes"), (20, 40));
    terminal.asks("[approve/reject/later/?]").types("approve");
    let seen = terminal.ends(0);
    assert!(seen.contains("May the very long name of a machine be taken out of service now?"), "{seen}");
}

#[test]
fn colours_are_only_where_they_are_wanted() {
    for (name, value, coloured, live) in [
        ("TERM", Some("xterm"), true, true),
        ("NO_COLOR", Some("1"), false, true),
        ("NO_COLOR", Some(""), true, true),
        ("TERM", Some("dumb"), false, false),
        ("TERM", None, false, false),
        ("RUNBOOK_COLOR", Some("never"), false, true),
        ("RUNBOOK_PROGRESS", Some("plain"), true, false),
    ] {
        let desk = Desk::new("steps:\n  - {id: one, run: 'true', effect: read}\n  - {id: two, run: exit 1, effect: read}\n");
        let mut command = desk.command("exec try");
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
        let mut terminal = Terminal::start(command, ROOMY);
        let seen = terminal.ends(1);
        assert!(seen.contains("failed     2. two"), "{name}={value:?}: words say it all\n{seen}");
        let sequences = terminal.sequences();
        assert_eq!(sequences.contains("[m"), coloured, "{name}={value:?}: {sequences:?}");
        assert_eq!(sequences.contains("[J"), live, "{name}={value:?}: {sequences:?}");
        assert_eq!(seen.contains("running    1. one"), !live, "{name}={value:?}: lines that are only added say it\n{seen}");
    }
}

#[test]
fn questions_leave_the_data_alone() {
    let desk = Desk::new("steps:\n  - approve: {question: Sure?}\n  - run: 'true'\n    effect: read\n");
    let mut terminal = desk.terminal_of(desk.shell("runbook exec try --yes --json > events"));
    terminal.asks("[approve/reject/later/?]").types("approve");
    terminal.ends(0);
    let events = std::fs::read_to_string(desk.path("events")).expect("events");
    assert_eq!(events, desk.run("show last --json", 0));
}

#[test]
fn without_both_ends_of_a_terminal_nobody_is_asked() {
    let desk = Desk::new(
        "inputs: {who: {type: string}}\nsteps:\n  - approve: {question: 'Greet {{inputs.who}}?'}\n  - run: touch it\n    irreversible: it is a test\n",
    );
    for redirection in ["< /dev/null", "2> told"] {
        let mut terminal = desk.terminal_of(desk.shell(&format!("runbook exec try {redirection}")));
        terminal.ends(2);
        let mut terminal = desk.terminal_of(desk.shell(&format!("runbook exec try -i who=Ann {redirection}")));
        let seen = format!("{}{}", terminal.ends(3), std::fs::read_to_string(desk.path("told")).unwrap_or_default());
        assert!(seen.contains("next: runbook approve ") && !seen.contains("[approve"), "{redirection}\n{seen}");
    }
    // What is printed may go elsewhere: the person is still there.
    let mut terminal = desk.terminal_of(desk.shell("runbook exec try -i who=Ann > out"));
    terminal.asks("start? [y/N]").types("n");
    terminal.ends(130);
}

#[test]
fn a_second_operator_sees_the_same() {
    let desk = Desk::new(DEEP);
    let mut first = desk.terminal("exec try");
    both_run(&desk);
    let mut second = desk.terminal("replay last --follow");
    second.sees("running    4. fan.right/quiet").sees("│ the last line");
    let mut logs = desk.terminal("logs last --follow");
    logs.sees("the last line");
    assert!(desk.run("runs", 0).contains("running"));
    let_go(&desk);
    let story = |seen: String| -> Vec<String> { seen.lines().filter(|l| l.contains("  0:")).map(str::to_owned).collect() };
    let (seen, watched) = (story(first.ends(0)), story(second.ends(0)));
    assert_eq!(seen, watched);
    logs.ends(0);
}
