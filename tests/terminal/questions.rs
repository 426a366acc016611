//! Questions and their answers in place: inputs, the start, decisions, typed answers, steps one by one.

use crate::Desk;

const APPROVAL: &str = "steps:
  - id: go
    approve: {question: Write it?}
  - id: write
    run: echo done > written.txt
    undo: {run: rm written.txt}
";

const READ: &str = "steps: [{run: 'true', effect: read}]\n";

#[test]
fn missing_inputs_are_asked_for() {
    let inputs = "inputs:
  who: {type: string, description: Whom to greet}
  color: {type: enum, choices: [red, blue]}
  count: {type: integer, min: 1, max: 3}
  given: {type: string}
  kept: {type: boolean, default: true}
  spare: {type: string, required: false}
steps:
  - run: echo {{inputs.who}} {{inputs.color}} {{inputs.count}} {{inputs.given}} {{inputs.kept}}
    effect: read
";
    let desk = Desk::new(inputs);
    let mut terminal = desk.terminal("exec try -i given=here");
    terminal.sees("Whom to greet").asks("who (string):").types("Ann");
    terminal.asks("color (1 red, 2 blue):").types("2");
    terminal.asks("count (integer, 1 to 3):").types("7");
    terminal.sees("7 is more than 3").asks("count (integer, 1 to 3):").types("two");
    terminal.sees("`two` is not a whole number").asks("count (integer, 1 to 3):").types("3");
    let seen = terminal.ends(0);
    assert!(!seen.contains("kept (") && !seen.contains("spare ("), "what need not be given is not asked for:\n{seen}");
    assert!(desk.run("logs last run-1", 0).contains("Ann blue 3 here true"));
}

#[test]
fn an_input_that_is_not_given_stops_before_anything_runs() {
    let desk = Desk::new("inputs: {who: {type: string}}\nsteps: [{run: 'echo {{inputs.who}}', effect: read}]\n");
    let mut terminal = desk.terminal("exec try");
    terminal.asks("who (string):").presses("\x04");
    let seen = terminal.ends(2);
    assert!(seen.contains("next: runbook exec try --input who=…"), "{seen}");
    assert!(desk.run("runs", 0).contains("no runs yet"));
}

#[test]
fn the_start_is_asked_for_once_with_its_effects() {
    for (keys, starts) in
        [("\n", false), ("n\n", false), ("no\n", false), ("what\n", false), ("\x04", false), ("y\n", true), ("YES\n", true)]
    {
        let desk = Desk::new(
            "steps:\n  - run: touch it\n    irreversible: it is a test\n  - exec: [rm, it]\n    effect: destructive\n    irreversible: gone\n",
        );
        let mut terminal = desk.terminal("exec try");
        terminal
            .sees("[change, this machine, at most 1h]")
            .sees("[destructive, this machine, at most 1h]")
            .sees("sh: touch it")
            .sees("exec: rm it")
            .sees("2 steps change something; destructive: exec-2")
            .asks("start? [y/N]")
            .presses(keys);
        let seen = terminal.ends(if starts { 0 } else { 130 });
        assert_eq!(seen.contains("nothing was started"), !starts, "{keys:?}\n{seen}");
        assert!(seen.contains("\nnext: runbook "), "{keys:?} leaves the person without a next thing to do\n{seen}");
        assert_eq!(seen.matches("start? ").count(), 1, "{seen}");
    }
}

#[test]
fn a_start_that_was_declined_can_be_had_again_as_it_was_asked_for() {
    let desk = Desk::new(
        "inputs: {who: {type: string}}\nsteps:\n  - {id: one, run: 'echo {{inputs.who}}', irreversible: test}\n  - {id: two, run: 'true', irreversible: test}\n",
    );
    for (line, command) in [
        ("exec try --from two", "runbook exec try --input 'who=two words' --from two --yes"),
        ("exec try --only one --only two --step", "runbook exec try --input 'who=two words' --step --only one --only two --yes"),
    ] {
        let mut terminal = desk.terminal(line);
        terminal.asks("who (string):").types("two words");
        terminal.asks("start? [y/N]").types("n");
        let seen = terminal.ends(130);
        assert!(seen.contains(&format!("next: {command}")), "{line}\n{seen}");
    }
}

#[test]
fn what_only_looks_starts_at_once() {
    let desk = Desk::new(READ);
    assert!(!desk.terminal("exec try").ends(0).contains("start?"));
}

#[test]
fn yes_starts_and_answers_no_decision() {
    let desk = Desk::new(APPROVAL);
    let mut terminal = desk.terminal("exec try --yes");
    terminal.asks("your decision [approve/reject/later/?]").types("later");
    let seen = terminal.ends(3);
    assert!(!seen.contains("start?") && seen.contains("next: runbook "), "{seen}");
    assert!(!desk.path("written.txt").exists());
}

#[test]
fn an_approval_in_place() {
    let desk = Desk::new(APPROVAL);
    let mut terminal = desk.terminal("exec try --yes");
    terminal.sees("approval wanted").sees("2. write").sees("sh: echo done > written.txt").sees("digest");
    terminal.asks("/?]").types("?").sees("what is shown above goes on");
    terminal.asks("/?]").types("").sees("please say one of").asks("/?]").types("ap");
    let seen = terminal.ends(0);
    assert!(seen.contains("decided    d1: approve"), "{seen}");
    assert!(desk.path("written.txt").exists());
}

#[test]
fn a_rejection_in_place_has_a_reason() {
    let desk = Desk::new(APPROVAL);
    let mut terminal = desk.terminal("exec try --yes");
    terminal.asks("/?]").types("reject").asks("why?").types("");
    terminal.sees("a reason is needed").asks("why?").types("not on a Friday");
    let seen = terminal.ends(4);
    assert!(seen.contains("not on a Friday") && seen.contains("rejected"), "{seen}");
    assert!(!desk.path("written.txt").exists());
}

#[test]
fn answers_of_each_type_in_place() {
    let fields = [
        ("name", "{type: string, pattern: '[a-z]+'}", "string", "Ann", "`Ann` does not match", "ann", "ann"),
        ("count", "{type: integer, min: 1}", "integer, at least 1", "0", "0 is less than 1", "12", "12"),
        ("share", "{type: number, max: 1.5}", "number, at most 1.5", "much", "`much` is not a number", "0.5", "0.5"),
        ("sure", "{type: boolean}", "true or false", "perhaps", "`perhaps` is not `true`", "true", "true"),
        ("pause", "{type: duration}", "duration, such as 1h 30m", "8", "`8` is not a duration", "90s", "1m 30s"),
        (
            "since",
            "{type: time}",
            "time, such as 2026-01-31T18:00:00Z",
            "soon",
            "`soon` is not a time",
            "2026-11-21T09:30:00Z",
            "2026-11-21",
        ),
        ("color", "{type: enum, choices: [red, blue]}", "1 red, 2 blue", "3", "`3` is not one of", "1", "red"),
        (
            "ports",
            "{type: list, items: {type: integer}}",
            "list, such as [1, 2]",
            "a",
            "item 1: `a` is not a whole number",
            "[1, 2]",
            "[1,2]",
        ),
        ("labels", "{type: map}", "map, such as {\"name\": \"value\"}", "b", "`b` is not JSON", "{\"team\": \"data\"}", "data"),
        ("page", "{type: url}", "url", "not a url", "`not a url` is not", "https://example.org/a", "https://example.org/a"),
        ("machine", "{type: host}", "host", "a b", "`a b` is not", "db-1.example.org", "db-1.example.org"),
        (
            "place",
            "{type: path, default: /tmp}",
            "path; enter for /tmp",
            "a\0b",
            "`a\\0b` holds a control",
            "/etc/hosts",
            "/etc/hosts",
        ),
    ];
    let mut steps = "steps:\n  - id: form\n    ask:\n      question: Fill it in\n      fields:\n".to_owned();
    for (name, spec, ..) in &fields {
        steps.push_str(&format!("        {name}: {spec}\n"));
    }
    steps.push_str("  - run: echo \"{{steps.form.name}} {{steps.form.count}}\"\n    effect: read\n");
    let desk = Desk::new(&steps);
    let mut terminal = desk.terminal("exec try --yes");
    terminal.asks("answer now [yes/refuse/later/?]").types("y");
    for (name, _, hint, wrong, fault, right, _) in &fields {
        let question = format!("{name} ({hint}):");
        terminal.asks(&question).types(wrong).sees(&format!("  {fault}")).asks(&question).types(right);
    }
    terminal.ends(0);
    let shown = desk.run("show last", 0);
    for (name, .., recorded) in &fields {
        let line = shown.lines().find(|line| line.trim_start().starts_with(&format!("{name} = ")));
        assert!(line.is_some_and(|line| line.contains(recorded)), "{name}: {line:?}\n{shown}");
    }
}

#[test]
fn work_by_hand_in_place() {
    let steps = "steps:\n  - id: pull\n    manual: {do: Pull the lever, expect: A light, evidence: What colour?}\n    irreversible: it is pulled\n";
    let desk = Desk::new(steps);
    let mut terminal = desk.terminal("exec try --yes");
    terminal.sees("Pull the lever").sees("A light").asks("is the work [done/impossible/later/?]").types("done");
    terminal.sees("What colour?").asks("evidence:").types("green");
    terminal.ends(0);
    assert!(desk.run("show last", 0).contains("green"));
    let mut terminal = desk.terminal("exec try --yes");
    terminal.asks("/?]").types("imp").asks("why?").types("it is stuck");
    terminal.ends(4);
}

#[test]
fn each_step_is_asked_for() {
    let desk = Desk::new(
        "steps:\n  - {id: one, run: echo one >> told, irreversible: test}\n  - {id: two, run: echo two >> told, irreversible: test}\n",
    );
    let mut terminal = desk.terminal("exec try --yes --step");
    terminal.sees("Run this step? one").asks("/?]").types("approve");
    terminal.sees("Run this step? two").asks("/?]").types("reject").asks("why?").types("one is enough");
    terminal.ends(4);
    assert_eq!(std::fs::read_to_string(desk.path("told")).expect("what ran"), "one\n");
}

#[test]
fn a_decision_taken_elsewhere_ends_the_question() {
    let desk = Desk::new(APPROVAL);
    let mut terminal = desk.terminal("exec try --yes");
    terminal.asks("/?]");
    desk.run(&desk.approval(), 0);
    let seen = terminal.ends(0);
    assert!(seen.contains("decided elsewhere") && seen.contains("succeeded"), "{seen}");
    let mut terminal = desk.terminal("exec try --yes");
    terminal.asks("/?]").types("rej").asks("why?");
    desk.run(&desk.approval(), 0);
    terminal.ends(0);
}

#[test]
fn what_was_typed_before_a_question_does_not_answer_it() {
    let slow = "steps:\n  - run: until test -e go || ! test -e try.yaml; do sleep 0.05; done\n    effect: read\n  - approve: {question: Sure?}\n  - run: touch it\n    irreversible: it is a test\n";
    let desk = Desk::new(slow);
    let mut terminal = desk.terminal("exec try --yes");
    terminal.sees("running").types("approve").presses("app");
    std::fs::write(desk.path("go"), "").expect("a file");
    terminal.asks("/?]").types("later");
    terminal.ends(3);
    assert!(!desk.path("it").exists());
}

#[test]
fn a_key_that_is_no_text_is_no_answer() {
    let desk = Desk::new(APPROVAL);
    let mut terminal = desk.terminal("exec try --yes");
    terminal.asks("/?]").presses_bytes(b"\xff\xfe\n").sees("please say one of").asks("/?]").types("approve");
    terminal.ends(0);
}

#[test]
fn who_has_agreed_waits_for_the_others() {
    let desk = Desk::new(&APPROVAL.replace("{question: Write it?}", "{question: Write it?, count: 2}"));
    let mut terminal = desk.terminal("exec try --yes");
    terminal.sees("2 people must agree").asks("/?]").types("approve");
    terminal.sees("more people must agree").sees("whoever may decide says: runbook approve");
    assert_eq!(terminal.text().matches("your decision").count(), 1, "{}", terminal.text());
    terminal.presses("\x03").sees("leave it parked").asks("/?]").types("leave");
    terminal.ends(3);
}

#[test]
fn a_question_whose_time_is_over_is_taken_away() {
    let ends = Desk::new(&APPROVAL.replace("{question: Write it?}", "{question: Write it?, within: 1s}"));
    let seen = ends.terminal("exec try --yes").ends(1);
    assert!(seen.contains("nobody decided in time") && seen.contains("next: runbook show"), "{seen}");
    let goes_on = "steps:
  - approve: {question: Sure?, within: 1s}
    on_failure: continue
  - run: until test -e go || ! test -e try.yaml; do sleep 0.05; done
    effect: read
";
    let desk = Desk::new(goes_on);
    let mut terminal = desk.terminal("exec try");
    terminal.asks("/?]").sees("(the time to decide is over)").sees("running  2. run-2");
    std::fs::write(desk.path("go"), "").expect("a file");
    terminal.ends(0);
}

#[test]
fn a_decision_of_somebody_else_waits() {
    let desk = Desk::new(APPROVAL);
    let workspace =
        "apiVersion: runbook/v1\nkind: Workspace\nname: w\npeople:\n  ann: {users: [nobody-of-that-name]}\ngroups: {dba: [ann]}\n";
    std::fs::write(desk.path("workspace.yaml"), workspace).expect("a workspace");
    let procedure = std::fs::read_to_string(desk.path("try.yaml")).expect("the procedure");
    std::fs::write(desk.path("try.yaml"), procedure.replace("{question: Write it?}", "{question: Write it?, from: [dba]}"))
        .expect("a file");
    let mut terminal = desk.terminal("exec try --yes");
    terminal.sees("whoever may decide says: runbook approve");
    assert!(!terminal.text().contains("your decision"));
    terminal.presses("\x03").sees("leave it parked").asks("/?]").types("leave");
    terminal.ends(3);
}

#[test]
fn an_approver_at_another_terminal() {
    let desk = Desk::new(&format!("{APPROVAL}  - id: form\n    ask: {{question: How many?, fields: {{n: {{type: integer}}}}}}\n"));
    desk.run("exec try", 3);
    let declined = |line: &str, question: &str, keys: &str, code: i32| {
        let mut terminal = desk.terminal(line);
        terminal.asks(question).types(keys);
        let seen = terminal.ends(code);
        assert!(seen.contains("nothing was ") && seen.contains("\nnext: runbook "), "{line}\n{seen}");
    };
    declined("approve last", "[approve/reject/later/?]", "later", 3);
    declined("resume last", "go on? [y/N]", "n", 3);
    // A reason is none to have seen it.
    declined("approve last --reason 'it is time'", "[approve/reject/later/?]", "later", 3);
    let mut terminal = desk.terminal("approve last --reason 'it is time'");
    terminal.sees("sh: echo done > written.txt").asks("[approve/reject/later/?]").types("approve");
    let seen = terminal.ends(0);
    assert!(seen.contains("recorded: approve for d1") && seen.contains("next: runbook resume"), "{seen}");
    assert!(desk.run("show last", 0).contains("it is time"));
    desk.run("resume last", 3);
    let mut terminal = desk.terminal("answer last");
    terminal.sees("How many?").asks("[yes/refuse/later/?]").types("yes").asks("n (integer):").types("3");
    terminal.ends(0);
    desk.run("resume last", 0);
    declined("undo last", "undo? [y/N]", "", 130);
    assert!(desk.path("written.txt").exists());
}

const WORKSPACE: &str =
    "apiVersion: runbook/v1\nkind: Workspace\nname: w\npeople: {anna: {}}\naccess: [{role: viewer, to: [anna]}]\n";

#[test]
fn a_password_is_typed_twice_and_never_shown() {
    let desk = Desk::new(READ);
    std::fs::write(desk.path("workspace.yaml"), WORKSPACE).unwrap();
    let words = "four wörds of hers";
    let mut terminal = desk.terminal("account add anna");
    terminal.asks("new password:").types("four wörds of his\x7f\x7f\x7fhers");
    terminal.asks("once more:").types(words);
    let seen = terminal.ends(0);
    assert!(seen.contains("`anna` can log in") && !seen.contains("four") && !seen.contains("hers"), "{seen}");
    for (first, second, says) in [
        ("four wörds of hers", "four words of hers", "two different passwords"),
        ("too short", "", "at least 12 characters"),
        ("four words\x03", "", "nothing was changed"),
        ("\x04", "", "nothing was changed"),
        ("four words of hers", "\x03", "nothing was changed"),
    ] {
        let mut terminal = desk.terminal("account password anna");
        terminal.asks("new password:").types(first);
        if !second.is_empty() {
            terminal.asks("once more:").types(second);
        }
        let seen = terminal.ends(if says.contains("nothing") { 130 } else { 2 });
        assert!(seen.contains(says) && !seen.contains("four w"), "{first:?}: {seen}");
    }
    assert!(!desk.run("account list", 0).contains("nobody can log in"));
}

#[test]
fn a_terminal_shows_what_is_typed_again_however_a_password_was_left() {
    let desk = Desk::new(READ);
    std::fs::write(desk.path("workspace.yaml"), WORKSPACE).unwrap();
    for keys in ["\x03", "\x04", "short\n"] {
        let mut terminal = desk.terminal_of(desk.shell("runbook account add anna; read line; echo got $line"));
        terminal.asks("new password:").presses(keys);
        terminal.sees("error:").types("visible words");
        let seen = terminal.ends(0);
        assert_eq!(seen.matches("visible words").count(), 2, "{keys:?}: {seen}");
    }
}
