//! What to do next: it stands at the end of every refusal, and works when it is copied.

use super::{APPROVAL, Desk, next, procedure};

#[test]
fn every_refusal_says_what_to_do_next() {
    let desk = Desk::new(&[
        ("try.yaml", &procedure(APPROVAL)),
        ("faulty.yaml", &procedure("steps: [{efect: 1}]\n").replace("name: try", "name: faulty")),
        ("words.txt", "some words"),
        ("list.yaml", "[1, 2]"),
    ]);
    desk.run("exec try").exits(3);
    for (line, code) in [
        ("nonsense", 2),
        ("exec", 2),
        ("exec try --nonsense", 2),
        ("approve", 2),
        ("logs last --attempt 1", 2),
        ("exec nowhere", 2),
        ("exec faulty", 2),
        ("exec words.txt", 2),
        ("exec try -i x=1", 2),
        ("exec try -i x", 2),
        ("exec try --inputs nowhere.yaml", 2),
        ("exec try --inputs words.txt", 2),
        ("exec try --inputs list.yaml", 2),
        ("exec try --env nowhere", 2),
        ("exec try --from nowhere", 2),
        ("dry-run nowhere", 2),
        ("check nowhere", 2),
        ("check faulty", 2),
        ("explain RB9999", 2),
        ("show nowhere", 2),
        ("logs nowhere", 2),
        ("logs last nowhere", 2),
        ("decisions nowhere", 2),
        ("approve last", 2),
        ("approve last d9 -m x", 2),
        ("approve last --digest 0123", 2),
        ("approve --ahead try --step go --uses 0 --expires 1h -m x", 2),
        ("approve --ahead try --step go --uses 1 --expires soon -m x", 2),
        ("approve --ahead try --step go --uses 1 --expires 1h", 2),
        ("approve --ahead try --step go --uses 1 --expires 1h -m x -i n=1", 2),
        ("approve --ahead try --step go --uses 1 --expires 1h -m x --as nobody --sign", 2),
        ("approve --ahead try --step write --uses 1 --expires 1h -m x", 2),
        ("reject last", 2),
        ("answer last -a x=1", 2),
        ("answer last --done", 2),
        ("answer last --done -m x", 2),
        ("undo last", 2),
        ("note last ''", 2),
        ("export last -o try.yaml", 1),
        ("export last -o nowhere/file", 1),
        ("verify nowhere.jsonl", 2),
        ("verify last --head 12", 2),
        ("replay last --speed 0", 2),
        ("replay nowhere", 2),
        ("new try", 2),
        ("init words.txt", 1),
        ("man nowhere", 2),
        ("man -o words.txt", 1),
        ("--state words.txt runs", 1),
        ("-C nowhere check", 2),
        ("resume nowhere", 2),
        ("cancel nowhere", 2),
        ("pause nowhere", 2),
    ] {
        let ran = desk.run(line).exits(code);
        let last = ran.err.lines().last().unwrap_or_default();
        assert!(last.starts_with("next: ") && last.len() > 8, "runbook {line}\n{}", ran.err);
        assert_eq!(ran.err.matches("next: ").count(), 1, "runbook {line}: one thing\n{}", ran.err);
        assert!(!ran.err.contains("panicked") && !ran.err.contains("os error 17"), "runbook {line}\n{}", ran.err);
    }
}

/// No file is blamed for a name that was given wrongly, and what comes next does not fail in the same way.
#[test]
fn a_wrong_environment_is_told_of_as_one() {
    let workspace = "apiVersion: runbook/v1\nkind: Workspace\nenvironments: {staging: {}, production: {}}\n";
    let desk = Desk::new(&[("workspace.yaml", workspace), ("try.yaml", &procedure(APPROVAL))]);
    for line in ["exec try", "dry-run try", "explore try", "check", "check try", "docs try", "diff try.yaml try.yaml"] {
        let ran = desk.run(&format!("{line} --env prod")).exits(2);
        let ran = ran.says("the workspace has no environment `prod`; did you mean `production`?\nnext: give --env production");
        assert!(!ran.err.contains("try.yaml") && !ran.out.contains("try.yaml"), "runbook {line}\n{}{}", ran.out, ran.err);
        desk.run(&format!("{line} --env elsewhere")).exits(2).says("it has staging, production\nnext: give --env ENV");
    }
    std::fs::write(desk.path("workspace.yaml"), "apiVersion: runbook/v1\nkind: Workspace\n").unwrap();
    desk.run("exec try --env prod").exits(2).says("next: leave --env away");
}

#[test]
fn a_command_to_copy_gives_the_same_inputs() {
    let inputs = "inputs:\n  who: {type: string}\n  n: {type: integer}\n  list: {type: list, default: []}\nsteps:\n  - run: echo {{inputs.who}} {{inputs.n}}\n    effect: read\n";
    let desk = Desk::new(&[("try.yaml", &procedure(inputs)), ("given.yaml", "who: bob\nn: 2\n")]);
    for (line, command) in [
        ("-i 'who=two words' -i n=1 -i 'list=[1, 2]'", "exec try --input 'list=[1,2]' --input n=1 --input 'who=two words'"),
        ("--inputs given.yaml -i n=3", "exec try --input n=3 --inputs given.yaml"),
    ] {
        let shown = desk.run(&format!("dry-run try {line}")).exits(0);
        assert_eq!(next(&shown), command);
        desk.run(command).exits(0);
    }
    std::fs::write(desk.path("bad.yaml"), "who: a\nwho: b\n").unwrap();
    let refused = desk.run("exec try --inputs bad.yaml").exits(2).says("bad.yaml:2:1").says("the inputs in bad.yaml are not valid");
    assert!(next(&refused).starts_with("explain RB"), "{}", refused.err);
    let refused = desk.run("exec try -i who=ann -i m=1 -i list=[]").exits(2);
    assert_eq!(next(&refused), "exec try --input 'list=[]' --input who=ann --input n=…");
    let elsewhere = desk.run("--state there exec try --inputs given.yaml").exits(0);
    let show = next(&elsewhere);
    assert!(show.starts_with("--state there show "), "{show}");
    desk.run(&show).exits(0);
}

#[test]
fn an_answer_of_another_kind_is_told_the_right_one() {
    let steps = "steps:
  - run: 'true'
    undo: {run: exit 1, by_hand: Look at the console.}
  - {run: exit 1, effect: read, on_failure: rollback}
";
    let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
    desk.run("exec try").exits(3).says("── an undo failed ──").says("│ By hand: Look at the console.");
    for line in ["reject last -m no", "approve last -m yes", "answer last --probe", "answer last -a x=1"] {
        let refused = desk.run(line).exits(2);
        assert_eq!(next(&refused), format!("answer {} --done --reason …", desk.last()), "{line}");
    }
    desk.run("answer last --leave -m 'somebody looks into it'").exits(0);
    desk.run("resume last").exits(5).says("1 change is not undone");
}

/// Whatever keeps a procedure from running is told by the command that the refusal names.
#[test]
fn what_is_called_is_checked_too() {
    let part = |step: &str| {
        let steps = format!("steps:\n  - check: [{{that: 'true'}}]\n  - {step}\n");
        procedure(&steps).replace("name: try", "name: part")
    };
    for step in ["{run: 'true', efect: read}", "{run: 'echo {{inputs.nope}}', effect: read}", "group: []", "name: nothing"] {
        let desk = Desk::new(&[("try.yaml", &procedure("steps: [{call: part@^1}]\n")), ("part.yaml", &part(step))]);
        for line in ["exec try", "dry-run try"] {
            let refused = desk.run(line).exits(2).says("part.yaml:7");
            assert_eq!(next(&refused), "check try", "{step}");
        }
        desk.run("check try").exits(2).prints("part.yaml:7").says("not valid: 2 files checked");
    }
}
