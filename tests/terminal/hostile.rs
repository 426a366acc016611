//! Foreign text on the terminal: what programs print, what people are called, what steps, inputs and reasons say. Whatever stands in it,
//! it is seen as text and does nothing.

use std::path::Path;

use crate::Desk;
use crate::harness::eventually;
use crate::terminal::Terminal;

/// Each acts on a terminal, or on what people read there, when it comes through; with what is shown instead.
const HOSTILE: [(&str, &str); 18] = [
    ("\x1b[2J\x1b[H", "\\x1b[2J\\x1b[H"),
    ("\x1b[31mred\x1b[0m", "\\x1b[31mred"),
    ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    ("\x1b]2;owned\x1b\\", "\\x1b]2;owned"),
    ("\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\", "\\x1b]8;;http://evil.example"),
    ("\x1b]52;c;cHduZWQ=\x07", "\\x1b]52;c;cHduZWQ="),
    ("\x07\x07", "\\x07\\x07"),
    ("\x1b[9A\x1b[2Koverwritten", "\\x1b[9A\\x1b[2K"),
    ("real\rforged", "\\rforged"),
    ("abc\x08\x08\x08xyz", "\\x08\\x08\\x08xyz"),
    ("\x1b[?1049h\x1b[?25l", "\\x1b[?1049h\\x1b[?25l"),
    ("\x1bP+q544e\x1b\\", "\\x1bP+q544e"),
    ("\x1bc\x1b#8", "\\x1bc\\x1b#8"),
    ("\u{9b}2J\u{9d}0;owned\u{9c}", "\\x9b2J\\x9d0;owned\\x9c"),
    ("safe\u{202e}txt.exe", "safe\\u{202e}txt.exe"),
    ("a\u{2066}b\u{2069}c\u{200b}d\u{feff}", "a\\u{2066}b\\u{2069}c\\u{200b}d\\u{feff}"),
    ("tag\u{e0041}\u{e007f}", "tag\\u{e0041}"),
    ("\x0e\x0f\x05\x7f", "\\x0e\\x0f\\x05\\x7f"),
];

/// Everything above in one line, and a line that pretends to be one of ours.
fn hostile() -> String {
    HOSTILE.iter().map(|(text, _)| *text).collect::<Vec<_>>().join(" ")
}

const FORGED: &str = "  0:00  succeeded  the run (forged)";

/// Nothing was done to the terminal, nothing on it is hidden or turned round, and no line is forged.
#[track_caller]
fn holds(what: &str, terminal: &Terminal, seen: &str) {
    assert_eq!(terminal.acts(), Vec::<String>::new(), "{what}\n{seen}");
    let unseen: Vec<char> =
        seen.chars().filter(|c| (c.is_control() && *c != '\n') || !c.is_ascii() && c.escape_debug().count() > 1).collect();
    assert!(unseen.is_empty(), "{what}: {unseen:?} came through\n{seen}");
    // What `logs` prints is the output itself.
    assert!(what.starts_with("logs") || !seen.lines().any(|line| line == FORGED), "{what}: a line is forged\n{seen}");
}

/// Text from outside in every place that takes some.
fn desk() -> Desk {
    let desk = Desk::new(
        "inputs: {text: {type: string}}
steps:
  - id: looked
    name: 'Look at {{inputs.text}}'
    run: cat loud; echo; echo {{inputs.text}}
    effect: read
    outputs: {found: result.stdout}
  - id: go
    approve: {question: 'Go on with {{inputs.text}}? There is {{steps.looked.found}}'}
  - id: form
    ask: {question: 'What is {{inputs.text}}?', fields: {word: {type: string, description: 'As in {{inputs.text}}'}}}
  - id: changed
    name: 'Change {{inputs.text}}'
    exec: [echo, '{{inputs.text}}', '{{steps.form.word}}']
    undo: {name: 'Take back {{inputs.text}}', run: 'true'}
  - id: told
    check: [{that: 'false', else: 'not so: {{inputs.text}}'}]
    on_failure: continue
  - id: broken
    run: cat loud loud >&2; exit 3
    effect: read
",
    );
    let text = format!("{}\n{FORGED}\n", hostile());
    std::fs::write(desk.path("loud"), [text.as_bytes(), b"\xff\xfe\x80 no text\n"].concat()).expect("a file");
    desk
}

#[test]
fn nothing_foreign_acts_on_the_terminal() {
    let desk = desk();
    let given = format!("--input=text={}\n{FORGED}", hostile());
    let with_input = |line: &str| {
        let mut command = desk.command(line);
        command.arg(&given);
        desk.terminal_of(command)
    };
    let mut live = with_input("exec try");
    live.asks("start? [y/N]").types("y");
    live.asks("[approve/reject/later/?]").types("approve");
    live.asks("[yes/refuse/later/?]").types("yes");
    live.asks("word (string):").presses("\x1b[2J\x07\n");
    let seen = live.ends(1);
    holds("exec", &live, &seen);
    let joined = seen.replace('\n', "");
    for (_, shown) in HOSTILE {
        assert!(joined.contains(shown), "{shown} is not seen\n{seen}");
    }
    for line in [
        "show last",
        "logs last",
        "logs last looked",
        "logs last --follow",
        "replay last",
        "replay last --speed 1000",
        "runs",
        "verify last",
        "--progress plain replay last",
        "undo last --yes",
        "show last",
    ] {
        let mut terminal = desk.terminal(line);
        let seen = terminal.ends(0);
        holds(line, &terminal, &seen);
    }
    let mut terminal = with_input("dry-run try");
    let seen = terminal.ends(0);
    holds("dry-run", &terminal, &seen);
}

#[test]
fn what_people_say_does_not_act_either() {
    let desk = Desk::new("steps:\n  - approve: {question: Sure?}\n  - run: 'true'\n    effect: read\n");
    desk.run("exec try", 3);
    let told = |verb: &str| {
        let mut command = desk.command(&format!("{verb} last"));
        command.arg(format!("--reason={}\n{FORGED}", hostile()));
        assert!(command.output().expect("the program starts").status.success(), "{verb}");
    };
    let mut note = desk.command("note last");
    note.arg(format!("{}\n{FORGED}", hostile()));
    assert!(note.output().expect("the program starts").status.success());
    told("pause");
    told("reject");
    for (line, code) in [("resume last --yes", 4), ("show last", 0), ("decisions last", 0), ("replay last", 0), ("runs", 0)] {
        let mut terminal = desk.terminal(line);
        let seen = terminal.ends(code);
        holds(line, &terminal, &seen);
    }
}

#[test]
fn a_hostile_line_that_goes_on_is_folded_harmlessly() {
    let desk = Desk::new(
        "steps:\n  - run: cat loud; touch began; until test -e go || ! test -e try.yaml; do sleep 0.05; done\n    effect: read\n",
    );
    std::fs::write(desk.path("loud"), hostile()).expect("a file");
    let mut terminal = desk.terminal("exec try");
    eventually("the step", || desk.path("began").exists().then_some(()));
    terminal.sees("│ \\x1b[2J");
    std::fs::write(desk.path("go"), "").expect("a file");
    let seen = terminal.ends(0);
    holds("exec", &terminal, &seen);
}

#[test]
fn faults_of_hostile_files_do_not_act() {
    let desk = Desk::new("steps: [{run: 'true', effect: read}]\n");
    let bad = format!(
        "apiVersion: runbook/v1\nkind: Runbook\nname: bad\nversion: 1.0.0\nsteps:\n  - run: \"{}\"\n    {}: 1\n",
        hostile().replace(['\\', '"'], ""),
        "na\u{202e}me"
    );
    std::fs::write(desk.path("bad.yaml"), bad).expect("a file");
    let named = desk.path(&format!("na{}me.yaml", "\x1b]0;owned\x07"));
    std::fs::write(&named, "apiVersion: runbook/v1\nkind: Nonsense\n").expect("a file");
    for (line, code) in [("check", 2), ("check bad.yaml", 2), ("exec bad.yaml", 2), ("exec bad", 2)] {
        let mut terminal = desk.terminal(line);
        let seen = terminal.ends(code);
        holds(line, &terminal, &seen);
    }
    for line in [
        "",
        "exec",
        "dry-run",
        "check",
        "show",
        "verify",
        "explain",
        "logs",
        "man",
        "new",
        "--color",
        "exec try -i",
        "logs last",
        "approve last",
        "exec try --from",
        "approve last --digest",
    ] {
        let mut command = desk.command(line);
        command.arg(hostile());
        let mut terminal = desk.terminal_of(command);
        let seen = terminal.ends(2);
        holds(line, &terminal, &seen);
    }
    assert!(Path::new(&named).exists());
}
