//! What is shown because it was asked for: decisions, records, logs, settings, pages.

use super::{APPROVAL, Desk, procedure};

#[test]
fn the_screen_of_a_decision() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL))]);
    desk.run("exec try").exits(3);
    let shown = desk.run("decisions last").exits(0).out;
    // Ids, people and digests differ from run to run.
    let differs = |line: &&str| ["run ", "asked for by ", "digest "].iter().any(|start| line.starts_with(start));
    assert_eq!(shown.lines().filter(differs).count(), 3, "{shown}");
    let screen = shown.lines().filter(|line| !differs(line)).collect::<Vec<_>>().join("\n");
    let expect = "\
── approval wanted ──
│ Write it?

decision     d1, step 1. go
may decide   whoever may operate
time         no limit

if the answer is yes, next
  2. write  [change]
     sh: echo done > written.txt
     undo: sh: rm written.txt
";
    assert_eq!(screen.trim_end(), expect.trim_end());
}

#[test]
fn of_many_decisions_the_oldest_are_listed_and_the_others_counted() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL))]);
    let runs: Vec<String> = (0..3).map(|_| (desk.run("exec try").exits(3), desk.last()).1).collect();
    let listed = |arguments: &str| {
        let said = desk.run(arguments).exits(0);
        (runs.iter().map(|run| said.out.contains(run)).collect::<Vec<_>>(), said)
    };
    let (which, said) = listed("decisions -n 2");
    assert_eq!(which, [true, true, false]);
    said.says("1 more wait; `-n 3` lists them all").says(&format!("next: runbook decisions {}", runs[0]));
    for all in ["decisions -n 3", "decisions", "decisions --json"] {
        let (which, said) = listed(all);
        assert_eq!(which, [true; 3], "{all}");
        assert!(!said.err.contains("more wait"), "{all}");
    }
}

#[test]
fn everything_that_a_decision_rests_on_is_on_its_screen() {
    let keys = "inputs:
  host: {type: string}
  days: {type: integer, default: 7}
steps:
  - id: size
    run: echo 12
    effect: read
    outputs: {gigabytes: result.stdout.trim().parse_int()}
  - id: go
    approve:
      question: \"Delete {{steps.size.gigabytes}} GB on {{inputs.host}}?\"
      count: 2
      within: 1h
      on_timeout: reject
  - id: delete
    name: Delete the old files
    exec: [rm, -rf, '/data/{{inputs.host}}']
    effect: destructive
    irreversible: The files are gone.
  - id: left
    run: echo 3
    outputs: {gigabytes: result.stdout.trim().parse_int()}
    undo: {name: Bring them back, run: 'true'}
  - id: tell
    if: steps.left.gigabytes > 2
    run: echo {{steps.left.gigabytes}}
    effect: read
";
    let desk = Desk::new(&[("try.yaml", &procedure(keys))]);
    desk.run("exec try -i 'host=db 1'").exits(3);
    desk.approve("last", "it is full");
    let shown = desk.run("decisions last").exits(0).out;
    for (what, text) in [
        ("the question", "│ Delete 12 GB on db 1?"),
        ("which procedure", "run          try 1.0.0, run 01"),
        ("who asks", "asked for by "),
        ("the inputs, a line each", "inputs       days = 7\n             host = db 1"),
        ("which decision", "decision     d1, step 2. go"),
        ("how many must agree", "2 people must agree"),
        ("until when, and then", "left); then it counts as rejected"),
        ("the exact command", "exec: rm -rf '/data/db 1'"),
        ("its effect", "3. delete  Delete the old files  [destructive]"),
        ("that it cannot be undone", "cannot be undone: The files are gone."),
        ("how it is undone", "undo: Bring them back"),
        ("on what a step depends", "only if steps.left.gigabytes > 2"),
        ("what is known", "steps.size.gigabytes = 12"),
        ("what is not", "not known yet\n  steps.left"),
        ("who agreed so far, and why", "it is full"),
        ("what the answer names", "digest       "),
    ] {
        assert!(shown.contains(text), "{what}: `{text}` is not there\n{shown}");
    }
}

#[test]
fn a_log_opens_where_it_is_wanted() {
    let desk = Desk::new(&[("try.yaml", &procedure("steps:\n  - {id: loud, run: seq 1 100000, effect: read}\n"))]);
    desk.run("exec try").exits(0);
    for (line, begins, ends) in [
        ("logs last loud", "1\n2\n", "99999\n100000\n"),
        ("logs last loud --from 588882", "99999\n", "100000\n"),
        ("logs last loud --from 588895", "", ""),
        ("logs last loud --raw --attempt 1", "1\n", "100000\n"),
    ] {
        let shown = desk.run(line).exits(0).out;
        assert!(shown.starts_with(begins) && shown.ends_with(ends), "{line}: {} bytes", shown.len());
        assert!(!begins.is_empty() || shown.is_empty(), "{line}");
    }
}

/// What a run is of is needed for numbers alone, and there are none among bytes.
#[test]
fn a_log_needs_no_plan() {
    let desk = Desk::new(&[("try.yaml", &procedure("steps:\n  - {id: loud, run: echo hello, effect: read}\n"))]);
    desk.run("--state kept exec try").exits(0);
    let journal = rusqlite::Connection::open(desk.path("kept/journal.db")).unwrap();
    journal.execute("UPDATE plans SET text = '{'", ()).unwrap();
    drop(journal);
    assert_eq!(desk.run("--state kept logs last --raw").exits(0).out, "hello\n");
}

#[test]
fn pages_come_from_the_parser() {
    let desk = Desk::new(&[]);
    let root = desk.run("man").exits(0).prints(".TH runbook 1").prints("waiting for a person").out;
    desk.run("man -o pages").exits(0);
    let scripts: Vec<(&str, String)> = ["bash", "zsh", "fish", "elvish", "powershell"]
        .map(|shell| (shell, desk.run(&format!("completions {shell}")).exits(0).out))
        .into();
    let part = std::fs::read_to_string(desk.path("pages/runbook-test-record.1")).unwrap();
    assert!(part.contains("runbook\\-test\\-record") && part.contains("\\-\\-out"), "{part}");
    let help = desk.run("--help").exits(0).out;
    let listed = help.split("Commands:").nth(1).and_then(|rest| rest.split("Options:").next()).expect("the commands");
    let begins = listed.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let commands: Vec<&str> = begins.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 20, "{listed}");
    let is_flag =
        |word: &&str| word.len() > 3 && word.starts_with("--") && word[2..].bytes().all(|b| b == b'-' || b.is_ascii_lowercase());
    for command in commands {
        assert!(root.contains(&format!("runbook\\-{}", command.replace('-', "\\-"))), "{command} is not in runbook(1)");
        let page = std::fs::read_to_string(desk.path(&format!("pages/runbook-{command}.1"))).expect(command);
        assert_eq!(page, desk.run(&format!("man {command}")).exits(0).out);
        let help = desk.run(&format!("{command} --help")).exits(0).out;
        for flag in help.split_whitespace().filter(is_flag) {
            assert!(page.contains(&flag.replace('-', "\\-")), "{flag} is not in runbook-{command}(1)");
        }
        for (shell, script) in &scripts {
            assert!(script.contains(command), "{command} is not completed in {shell}");
        }
    }
    for (shell, script) in &scripts {
        for flag in ["detach", "catalogue", "follow", "reason"] {
            assert!(script.contains(flag), "--{flag} is not completed in {shell}");
        }
    }
    desk.run("docs format").exits(0).prints("runbook/v1");
}

#[test]
fn settings_say_where_they_come_from() {
    let desk = Desk::new(&[]);
    let shown = desk.run("--color never config").exits(0).out;
    assert!(shown.contains("(flag --color)") && shown.contains("(default)"), "{shown}");
    let mut command = desk.command("config --json");
    let output = command.env("RUNBOOK_PROGRESS", "plain").output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["progress"]["origin"], "environment RUNBOOK_PROGRESS");
    let refused = desk.command("config").env("RUNBOOK_COLOR", "blue").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn a_replay_shows_what_was_seen() {
    let desk =
        Desk::new(&[("try.yaml", &procedure("steps:\n  - run: echo hi; exit 1\n    effect: read\n    on_failure: continue\n"))]);
    let seen = desk.run("exec try").err;
    let again = desk.run("replay last").exits(0).out;
    let story: Vec<&str> = seen.lines().filter(|l| !l.starts_with("run ") && !l.starts_with("next: ")).collect();
    assert_eq!(again.lines().collect::<Vec<_>>(), story);
    assert_eq!(desk.run("replay last --follow").exits(0).out, again, "it has ended: there is nothing to follow");
}

#[test]
fn json_lines_are_the_journal() {
    let desk = Desk::new(&[("try.yaml", &procedure("steps:\n  - run: echo hi\n    effect: read\n"))]);
    let live = desk.run("exec try --json").exits(0).out;
    let recorded = desk.run("show last --json").exits(0).out;
    assert_eq!(live, recorded);
    desk.run("export last -o record.jsonl").exits(0);
    let export = std::fs::read_to_string(desk.path("record.jsonl")).unwrap();
    assert!(live.lines().all(|line| export.contains(line)));
}

/// At 3 am the procedure's own advice is worth more than anything that the engine can say.
#[test]
fn a_failure_says_what_to_do_by_hand_and_whom_to_ask() {
    let keys = "owner: team-data
contacts: ['#database']
inputs:
  host: {type: string, default: db-1}
steps:
  - id: drain
    name: Take it out
    owner: team-network
    run: echo refused; exit 1
    effect: read
    by_hand: |
      lbctl drain {{inputs.host}},
      then look at the console.
";
    let desk = Desk::new(&[("try.yaml", &procedure(keys))]);
    let ran = desk.run("exec try").exits(1);
    let advice = "│ by hand: lbctl drain db-1,\n        │          then look at the console.\n        │ owner: team-network\n";
    assert!(ran.err.contains(advice), "{}", ran.err);
    assert!(ran.err.contains("\nowner: team-data; contacts: #database\n"), "{}", ran.err);
    desk.run("replay last").exits(0).prints(advice);
    desk.run("show last").exits(0).prints("│ by hand: lbctl drain db-1,").prints("owner        team-data; contacts: #database");
}

#[test]
fn reasons_stand_where_somebody_reads_or_approves() {
    let keys = "steps:
  - id: go
    why: It has been failing since Monday.
    approve: {question: Write it?, within: 1h}
  - id: write
    why: Readers wait for it.
    run: touch written
    undo: {run: rm written}
";
    let desk = Desk::new(&[("try.yaml", &procedure(keys))]);
    desk.run("dry-run try").exits(0).prints("     why: It has been failing since Monday.").prints("     why: Readers wait for it.");
    desk.run("exec try").exits(3);
    let screen = desk.run("decisions last").exits(0);
    screen.prints("│ Write it?\n│ Why: It has been failing since Monday.").prints("     why: Readers wait for it.");
}

/// The name of whoever is proven to be that person; a stranger who is called like one stays a stranger.
#[test]
fn people_are_shown_by_name() {
    let user = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let user = user.trim();
    for (people, shown) in [
        (format!("people: {{anna: {{name: Anna Meier, users: [{user}]}}}}"), format!("Anna Meier, anna (user {user} on ")),
        (format!("people: {{{user}: {{name: Anna Meier, users: [other]}}}}"), format!("asked for by {user} (user {user} on ")),
    ] {
        let workspace = format!("apiVersion: runbook/v1\nkind: Workspace\nname: test\n{people}\n");
        let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL)), ("workspace.yaml", &workspace)]);
        desk.run("exec try").exits(3);
        desk.run("decisions last").exits(0).prints(&shown);
        desk.run("show last").exits(0).prints(&shown);
    }
}

#[test]
fn what_a_procedure_takes_is_printed_as_json_schema() {
    let inputs = "inputs:\n  n: {type: integer, min: 1}\n  who: {type: string, default: ann}\nsteps:\n  - run: echo {{inputs.n}} {{inputs.who}}\n    effect: read\n";
    let desk = Desk::new(&[
        ("try.yaml", &procedure(inputs)),
        ("faulty.yaml", &procedure("steps: [{efect: 1}]\n").replace("name: try", "name: faulty")),
    ]);
    for what in ["try", "try.yaml"] {
        let schema: serde_json::Value = serde_json::from_str(&desk.run(&format!("check {what} --schema")).exits(0).out).unwrap();
        assert_eq!(
            (&schema["required"], &schema["properties"]["n"]["minimum"]),
            (&serde_json::json!(["n"]), &serde_json::json!(1))
        );
    }
    desk.run("check try faulty --schema").exits(2).says("of one procedure");
    desk.run("check faulty.yaml --schema").exits(2).says("efect");
}

#[test]
fn a_change_that_was_stopped_is_not_passed_over() {
    let step = |effect: &str| procedure(&format!("steps:\n  - {{id: half, run: sleep 60, timeout: 100ms, {effect}}}\n"));
    let desk = Desk::new(&[("try.yaml", &step("irreversible: it is a test"))]);
    let told = "maybe half done; nothing takes that back: half";
    desk.run("exec try").exits(1).says(told);
    desk.run("show last").exits(0).prints(told);
    std::fs::write(desk.path("try.yaml"), step("effect: read")).unwrap();
    let looked = desk.run("exec try").exits(1);
    assert!(!looked.err.contains("half done"), "{}", looked.err);
}

#[test]
fn what_people_reject_is_not_to_be_done_by_hand_instead() {
    let keys = "steps:
  - id: both
    by_hand: advice for both
    group:
      - {id: go, approve: {question: Write it?, within: 1h}, by_hand: advice for go}
      - {id: write, run: exit 1, effect: read, by_hand: advice for write}
";
    for (answer, code, advised) in [("reject", 4, false), ("approve", 1, true)] {
        let desk = Desk::new(&[("try.yaml", &procedure(keys))]);
        desk.run("exec try").exits(3);
        match answer {
            "approve" => desk.approve("last", "it is Friday"),
            _ => desk.run("reject last -m 'it is Friday'").exits(0),
        };
        let ended = desk.run("resume last").exits(code).err;
        for advice in ["advice for both", "advice for write"] {
            assert_eq!(ended.contains(advice), advised, "{answer}: {ended}");
        }
        assert!(!ended.contains("advice for go"), "{answer}: {ended}");
    }
}
