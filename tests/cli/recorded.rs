//! `runbook test record`: whatever a run was, the case that is written out of it loads, is in form, says what it cannot, and passes.

use super::{APPROVAL, Desk, procedure};

const EACH: &str = "steps:
  - id: all
    each:
      in: '[\"a\", \"b\", \"c\"]'
      as: name
      max_parallel: 2
      max_failures: 1
      steps:
        - id: greet
          run: 'echo hello {{name}}; test {{name}} != b'
          effect: read
          outputs: {line: result.stdout.trim()}
  - id: rounds
    repeat:
      times: 5
      until: steps.count.n >= 3
      steps:
        - id: count
          run: 'echo x >> rounds; wc -l < rounds'
          idempotent: true
          outputs: {n: result.stdout.trim().parse_int()}
outputs: {n: steps.count.n}
";

const BRANCHES: &str = "inputs: {size: {type: integer, default: 4}, note: {type: string, required: false}}
steps:
  - id: outer
    group:
      - id: inner
        group:
          - id: look
            exec: [printf, '{\"a\": [1, 2.5], \"b\": null}']
            effect: read
  - id: which
    choose:
      - when: inputs.size > 3
        steps:
          - id: made
            set: {twice: inputs.size * 2}
      - otherwise:
          - run: 'false'
            effect: read
  - id: both
    parallel:
      left:
        - {id: one, run: echo one, effect: read}
      right:
        - {id: two, run: 'echo two >&2; exit 3', effect: read, on_failure: continue}
  - id: skipped
    if: inputs.size < 3
    run: 'true'
    effect: read
  - id: script
    rhai: |
      let total = 0;
      for n in steps.look.json.a { total += n; }
      total
  - check: [{that: steps.script == 3.5}]
  - wait: {for: 10ms, within: 1s}
  - id: looked
    wait: {until: steps.probe.exit_code == 0, every: 10ms, within: 1m, probe: {id: probe, run: 'test -e there || { touch there; exit 1; }', effect: read, on_failure: continue}}
  - finish: {outcome: succeeded, message: all of it}
outputs: {twice: steps.made.twice, a: steps.look.json.a}
";

const TRIES: &str = "steps:
  - id: shaky
    run: 'echo try; echo x >> tries; test $(wc -l < tries) -ge 3'
    idempotent: true
    retry: {attempts: 5, delay: 10ms}
  - id: slow
    run: 'echo begun; sleep 60'
    effect: read
    timeout: 100ms
    on_failure: continue
  - id: missing
    exec: [no-such-program-anywhere]
    effect: read
    on_failure: continue
";

const UNDO: &str = "steps:
  - id: copy
    run: touch copied
    undo: {run: rm copied}
  - id: link
    run: touch linked
    undo: [{run: test -e copied}, {run: rm linked}]
  - id: breaks
    run: 'echo no space left >&2; exit 4'
    effect: read
    on_failure: rollback
";

const PEOPLE: &str = "steps:
  - id: how
    ask:
      question: How many?
      fields: {count: {type: integer}, wait: {type: duration, default: 90s}}
      within: 1d
  - id: pull
    manual: {do: 'Pull plug {{steps.how.count}}', expect: It is dark, evidence: A picture}
  - id: go
    approve: {question: 'Go on after {{steps.how.wait.seconds}} s?', within: 1d}
  - notify: {to: log, message: 'It is {{steps.pull.evidence}}'}
outputs: {count: steps.how.count, by: steps.go.by}
";

/// The engine that runs the step is killed by it, once.
const CRASH: &str = "steps:
  - id: first
    run: echo first
    effect: read
  - id: dies
    run: 'test -e died || { touch died; kill -9 $PPID; exit 0; }; echo done'
    effect: EFFECT
  - id: last
    run: echo last
    effect: read
";

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
channels: {log: {log: {}}}
environments: {staging: {default: true}, production: {}}
policies:
  - name: two-eyes
    when: {effect: change, environments: [production]}
    require: {approve: {within: 1d}}
";

/// Runs what the lines say, each as it ends; the case of it is written, in form, and passes.
#[track_caller]
fn recorded(what: &str, steps: &str, lines: &[&str]) -> (Desk, String, String) {
    let desk = Desk::new(&[("try.yaml", &procedure(steps)), ("workspace.yaml", WORKSPACE)]);
    for line in lines {
        let Some(rest) = line.strip_prefix("approve") else {
            desk.run(line);
            continue;
        };
        let shown: serde_json::Value = serde_json::from_str(desk.run("decisions last --json").out.trim()).unwrap();
        let digest = shown["request"]["digest"].as_str().unwrap();
        desk.run(&format!("approve last --digest {digest} --reason 'I looked'{rest}")).exits(0);
    }
    let wrote = desk.run("test record last --out try.test.yaml");
    assert_eq!(wrote.code, 0, "{what}: {}", wrote.err);
    let text = std::fs::read_to_string(desk.path("try.test.yaml")).unwrap();
    let tested = desk.run("test try");
    assert_eq!(tested.code, 0, "{what}: {}{}\n{text}", tested.out, tested.err);
    assert_eq!(desk.run("fmt --check try.test.yaml").code, 0, "{what} is not in form:\n{text}");
    (desk, text, wrote.err)
}

#[test]
fn every_run_becomes_a_case_that_passes() {
    let approval = APPROVAL.replace("question: Write it?", "question: Write it?, within: 1d");
    let crash = |effect: &str| CRASH.replace("EFFECT", effect);
    let cancelled = format!(
        "steps:\n  - id: long\n    run: '{} cancel last --undo --reason enough; sleep 60'\n    undo: {{run: 'true'}}\n",
        env!("CARGO_BIN_EXE_runbook")
    );
    for (what, steps, lines, said) in [
        ("rounds and items", EACH, &["exec try"][..], &["greet", "fails:", "outputs: {n: 3}", "all[1]/greet"][..]),
        (
            "branches",
            BRANCHES,
            &["exec try"],
            &["skipped: [skipped]", "message: all of it", "twice: 8", "fails: \"`sh` ended with exit code 3\""],
        ),
        ("another branch", BRANCHES, &["exec try -i size=1"], &["outcome: failed"]),
        ("retries and timeouts", TRIES, &["exec try"], &["end: times_out", "gives: null", "no-such-program"]),
        ("undo", UNDO, &["exec try"], &["outcome: rolled_back", "undone: [link, copy]", "no space left"]),
        (
            "a form, work by hand, a yes",
            PEOPLE,
            &[
                "exec try",
                "answer last -a count=3",
                "resume last",
                "approve --evidence 'a photo'",
                "resume last",
                "approve",
                "resume last",
            ],
            &["with: {count: 3", "evidence: a photo", "It is a photo"],
        ),
        (
            "a yes",
            &approval,
            &["exec try", "approve", "resume last"],
            &["asked:", "question: \"Write it?\"", "reason: I looked", "left: [write]"],
        ),
        (
            "a no",
            &approval,
            &["exec try", "reject last --reason 'not today'", "resume last"],
            &["say: reject", "outcome: rejected"],
        ),
        ("nobody", &APPROVAL.replace("it?", "it?, within: 1ms"), &["exec try", "resume last"], &["go: nobody", "outcome: failed"]),
        ("waiting", APPROVAL, &["exec try"], &["outcome: waiting", "it had not ended"]),
        (
            "cancelled",
            &approval,
            &["exec try", "cancel last --reason enough"],
            &["cancel:", "outcome: cancelled", "reason: enough"],
        ),
        ("cancelled at work", &cancelled, &["exec try"], &["cancel:", "undo: true", "reason: enough"]),
        ("a crash", &crash("read"), &["exec try", "resume last"], &["dies: [crash, {stdout:", "run_adopted: 1"]),
        (
            "a crash that a person judges",
            &crash("change\n    irreversible: it is only a file"),
            &["exec try", "resume last", "answer last --done --reason 'I looked'", "resume last"],
            &["dies: crash", "say: done", "Did `dies` do its work?"],
        ),
        (
            "a gate",
            UNDO,
            &["exec try -e production", "approve", "resume last", "approve", "resume last"],
            &["rule: two-eyes", "environment: production"],
        ),
        (
            "an undo that fails",
            &UNDO.replace("rm copied", "exit 1"),
            &["exec try", "answer last --done --reason 'by hand'", "resume last"],
            &["say: done", "undone: [link, copy]"],
        ),
        (
            "undone afterwards",
            &UNDO.replace("exit 4", "exit 0"),
            &["exec try", "undo last"],
            &["what happened after its end is left out", "left: [copy, link]"],
        ),
    ] {
        let (_, text, _) = recorded(what, steps, lines);
        for said in said {
            assert!(text.contains(said), "{what}: no `{said}` in\n{text}");
        }
    }
}

#[test]
fn a_case_is_put_behind_those_that_there_are() {
    let test = "# Who keeps this: the team.
apiVersion: runbook/v1
kind: Test
procedure: try
cases:
  # The usual.
  - name: a yes # in time
    answers: {go: approve}
    expect: {outcome: succeeded}
    # the end
";
    let files =
        [("try.yaml", procedure(APPROVAL)), ("try.test.yaml", test.to_owned()), ("other.test.yaml", test.replace("try", "other"))];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let desk = Desk::new(&files);
    desk.run("exec try").exits(3);
    desk.approve("last", "I looked");
    desk.run("resume last").exits(0);
    let out = desk.run("test record last").exits(0).out;
    assert!(out.starts_with("apiVersion: runbook/v1\nkind: Test\nprocedure: try\n"), "{out}");
    desk.run("test record last --case 'as it was' --out try.test.yaml").exits(0).says("next: runbook test try.test.yaml");
    let longer = std::fs::read_to_string(desk.path("try.test.yaml")).unwrap();
    let (before, _) = test.split_once("    # the end").unwrap();
    assert!(longer.starts_with(before) && longer.contains("# the end") && longer.contains("  - name: as it was\n"), "{longer}");
    desk.run("test try").exits(0).says("passed: 2 cases");
    desk.run("fmt --check try.test.yaml").exits(0);
    for (line, said) in [
        ("test record last --case 'as it was' --out try.test.yaml", "has a case `as it was` already"),
        ("test record last --out other.test.yaml", "is a test of `other`"),
        ("test record last --out try.yaml", "is there already and is no test"),
        ("test record never", "never"),
    ] {
        desk.run(line).exits(2).says(said);
    }
    std::fs::write(
        desk.path("flat.test.yaml"),
        test.split("cases:").next().unwrap().to_owned() + "cases: [{name: a, expect: {outcome: failed}}]\n",
    )
    .unwrap();
    desk.run("test record last --out flat.test.yaml").exits(2).says("stand in brackets");
    assert_eq!(std::fs::read_to_string(desk.path("try.test.yaml")).unwrap(), longer);
    // As it stands there it would fail, or the file would be none.
    let head = "apiVersion: runbook/v1\nkind: Test\nprocedure: try\n";
    let case = "cases:\n  - name: a\n    answers: {go: approve}\n    expect: {outcome: succeeded}\n";
    let kept = "cases:\n  - name: a\n    answers: {go: approve}\n    expect:\n      message: |+\n        a\n\n";
    for (file, text, said) in [
        ("cancel.test.yaml", format!("{head}defaults: {{cancel: {{after: 0s}}}}\n{case}"), "with its `defaults`"),
        ("pinned.test.yaml", format!("{head}{case}").replace(": try\n", ": try@0.9.0\n"), "of `try@0.9.0`"),
        ("large.test.yaml", format!("{head}# {}\n{case}", "x".repeat((1 << 20) - 200)), "larger than 1024 KiB"),
        ("larger.test.yaml", format!("{head}# {}\n{case}", "x".repeat(1 << 20)), "cannot be read as a test: the file is larger"),
        ("faulty.test.yaml", format!("{head}{case}strange: 1\n"), "cannot be read as a test: "),
        ("kept.test.yaml", format!("{head}{kept}"), "it would say something else"),
    ] {
        std::fs::write(desk.path(file), &text).unwrap();
        desk.run(&format!("test record last --out {file}")).exits(2).says(said).says("next: ");
        assert_eq!(std::fs::read_to_string(desk.path(file)).unwrap(), text, "{file}");
        std::fs::remove_file(desk.path(file)).unwrap();
    }
    // What has become of the procedure since is told, in the file too.
    std::fs::write(desk.path("try.yaml"), procedure(&APPROVAL.replace("echo done", "echo else"))).unwrap();
    let out = desk.run("test record last").exits(0).says("another plan in the catalogue").says("does not pass").out;
    assert!(out.contains("# try@1.0.0 is another plan in the catalogue than the one that ran."), "{out}");
    std::fs::remove_file(desk.path("try.yaml")).unwrap();
    desk.run("test record last").exits(0).says("the catalogue has no try@1.0.0");
}

#[test]
fn a_secret_is_in_no_recorded_test() {
    let canary = "c4n4ry-7f3a9";
    let steps = "secrets: {token: {env: TOKEN}}
steps:
  - id: leak
    run: 'echo \"{\\\"token\\\": \\\"$T\\\"}\"; echo $T >&2'
    effect: read
    env: {T: secrets.token}
    outputs: {told: result.json.token}
  - {id: after, run: 'echo {{steps.leak.told}} {{steps.leak.stderr}}', effect: read}
";
    let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
    let ran = desk.command("exec try").env("TOKEN", canary).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let wrote = desk.run("test record last --out try.test.yaml").exits(0).says("`***` stands where the record masks a secret");
    let text = std::fs::read_to_string(desk.path("try.test.yaml")).unwrap();
    assert!(!text.contains(canary) && text.contains("***") && text.contains("‹secret token›"), "{text}");
    assert!(!wrote.err.contains(canary));
    desk.run("test try").exits(0);
}

#[test]
fn the_first_line_leads_to_the_schema() {
    let desk = Desk::new(&[("try.yaml", &procedure("steps:\n  - run: 'true'\n    effect: read\n"))]);
    desk.run("init").exits(0);
    desk.run("exec try").exits(0);
    std::fs::create_dir_all(desk.path("tests/of")).unwrap();
    for (file, first) in [("try.test.yaml", ".runbook/schema-v1.json"), ("tests/of/try.test.yaml", "../../.runbook/schema-v1.json")]
    {
        desk.run(&format!("test record last --out {file}")).exits(0);
        let text = std::fs::read_to_string(desk.path(file)).unwrap();
        assert!(text.starts_with(&format!("# yaml-language-server: $schema={first}\napiVersion:")), "{text}");
        desk.run(&format!("fmt --check {file}")).exits(0);
    }
}
