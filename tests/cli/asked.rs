//! What a request shows to whoever is asked.

use super::{APPROVAL, Desk, Ran, procedure};

const STEPS: &str = "steps:
  - id: before
    run: echo 1.0
    effect: read
    outputs: {release: result.stdout.trim()}
  - id: go
    approve: {question: Really?}
  - id: one
    run: echo new
    undo: {run: 'echo {{steps.before.release}} > current'}
  - id: two
    run: echo new
    undo: {name: Put it back, exec: [put, '{{steps.one.stdout}}']}
  - id: three
    run: echo new
    undo: [{group: [{exec: [inner], irreversible: x}]}, {id: told, exec: [tell]}]
  - id: long
    run: echo new
    undo: {exec: [undo, LONG]}
  - id: more
    ask:
      question: How many?
      fields:
        count: {type: integer, min: 1, max: 5, description: Of the servers}
        size: {type: string, choices: [small, large]}
        name: {type: string, pattern: '[a-z]+\\.[a-z]+', required: false}
        why: {type: string, default: just so}
";

/// An undo with its command as it would run; what a later step gives is not known, and what is too long has a digest.
#[test]
fn an_undo_is_shown_with_its_command() {
    let desk = Desk::new(&[("try.yaml", &procedure(&STEPS.replace("LONG", &"x".repeat(30_000))))]);
    desk.run("exec try --yes").exits(3);
    let shown = desk.run("decisions last").exits(0).out;
    for lines in [
        "     undo: sh: echo \"${RB_1}\" > current\n               RB_1 = \"1.0\"\n",
        "     undo: Put it back\n           exec: put '‹steps.one›'\n",
        "     undo: exec: inner\n     undo: told\n           exec: tell\n",
        "     undo: too long to be shown here; its digest is ",
    ] {
        assert!(shown.contains(lines), "{lines}\n{shown}");
    }
    assert!(!shown.contains("-1") && shown.len() < 4_000, "{shown}");
}

#[test]
fn what_an_ask_takes_is_shown_before_it_is_asked() {
    let desk = Desk::new(&[("try.yaml", &procedure(STEPS))]);
    desk.run("exec try --yes").exits(3);
    desk.approve("last", "x");
    desk.run("resume last --yes").exits(3);
    let missing = desk.run("answer last").exits(2).says("count: it is missing").says("next: runbook decisions ");
    assert!(!missing.err.contains("why"), "{}", missing.err);
    let wanted = "asked for
  count: integer, 1 to 5
     Of the servers
  size: 1 small, 2 large
  name: string, like `[a-z]+\\.[a-z]+`; may be left out
  why: string; just so where nothing is said
";
    desk.run("decisions last").exits(0).prints(wanted);
}

fn next(ran: &Ran) -> String {
    ran.err.lines().find_map(|line| line.strip_prefix("next: ")).expect("the next thing to do").to_owned()
}

/// Whoever may not decide is told whom to ask for it, wherever the answer stood.
#[test]
fn a_reader_who_may_not_decide_is_told_who_may() {
    let user = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let workspace = format!(
        "apiVersion: runbook/v1\nkind: Workspace\nname: w\npeople: {{anna: {{users: [{}]}}, bob: {{users: [nobody-of-that-name]}}}}\n",
        user.trim()
    );
    let other = APPROVAL.replace("approve: {", "approve: {not_requester: true, ");
    assert_ne!(other, APPROVAL);
    let desk = Desk::new(&[("try.yaml", &procedure(&other)), ("workspace.yaml", &workspace)]);
    let asks = "ask `bob` for: runbook approve ";
    let ran = desk.run("exec try --yes").exits(3);
    let said = next(&ran);
    assert!(
        said.starts_with(asks) && said.contains(" --digest ") && said.ends_with(&format!(" && runbook resume {}", desk.last())),
        "{said}"
    );
    for line in ["decisions last", "show last"] {
        let said = next(&desk.run(line).exits(0));
        assert!(said.starts_with(asks), "{line}: {said}");
    }
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL)), ("workspace.yaml", &workspace)]);
    assert!(next(&desk.run("exec try --yes").exits(3)).starts_with("runbook approve "));
}

/// A yes in a freeze starts no change: whoever is asked sees that, and until when.
#[test]
fn a_freeze_is_shown_to_whoever_is_asked() {
    let freeze = "freeze: [{from: '2026-01-01T00:00:00Z', to: '2126-01-01T00:00:00Z', reason: the end of the year}]";
    let workspace =
        |freeze: &str| format!("apiVersion: runbook/v1\nkind: Workspace\nname: w\nenvironments: {{live: {{{freeze}}}}}\n");
    let said = "changes      `live` may not be changed now: frozen: the end of the year; changes may start again at 2126-01-01T00:00:00Z\n";
    let shown = |steps: &str, freeze: &str| {
        let desk = Desk::new(&[("try.yaml", &procedure(steps)), ("workspace.yaml", &workspace(freeze))]);
        desk.run("exec try --yes -e live").exits(3);
        desk.run("decisions last").exits(0).out
    };
    let out = shown(APPROVAL, freeze);
    assert!(out.contains(said), "{out}");
    let looks = "steps:\n  - approve: {question: Look?}\n  - {exec: [ls], effect: read}\n";
    for out in [shown(APPROVAL, "production: false"), shown(looks, freeze)] {
        assert!(!out.contains("may not be changed"), "{out}");
    }
}
