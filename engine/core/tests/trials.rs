//! Cases of tests: what stands in for the world, what is expected, and what is said where something else happens or nothing
//! can be known.

use std::sync::Arc;

use runbook_core::Plan;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::{Code, Source};
use runbook_core::document::test::{StandInEnd, Test};
use runbook_core::document::{Document, load};
use runbook_core::trial::{Coverage, Trial, play, predict};

const WORKSPACE: &str = "
apiVersion: runbook/v1
kind: Workspace
name: tested
people: {ada: {users: [ada, countess]}, ben: {users: [ben]}, cleo: {users: [cleo]}}
groups: {dba: [ada, ben], lead: [cleo]}
environments: {local: {default: true}, production: {production: true, freeze: [{from: 2026-12-24, to: 2026-12-27, reason: Christmas}]}}
escalations: {database: {steps: [{to: [lead], after: 10m}]}}
policies:
  - name: two-eyes-more
    when: {effect: change, environments: [production]}
    require: {approve: {from: [dba], within: 1h}}
";

/// Every verb that asks or acts, with ways to fail and to go back.
const PROCEDURE: &str = r#"
apiVersion: runbook/v1
kind: Runbook
name: rebuild
version: 1.0.0
owner: dba
inputs: {host: {type: host}, limit: {type: integer, default: 60}}
steps:
  - id: lag
    run: psql -h {{inputs.host}} -c 'select lag'
    effect: read
    outputs: {seconds: result.stdout.trim().parse_int()}
    example: {seconds: 7}
  - choose:
      - when: steps.lag.seconds > inputs.limit
        steps:
          - id: copy
            exec: [pg_basebackup, -h, "{{inputs.host}}"]
            effect: change
            timeout: 10m
            retry: {attempts: 2, delay: 1m}
            undo: {run: rm -rf copy, idempotent: true}
            verify: {run: test -d copy, effect: read}
            on_failure: rollback
          - id: go
            approve: {question: "Take {{inputs.host}} back in?", from: [dba], count: 2, within: 1h}
            on_failure: rollback
  - id: tell
    if: steps.lag.seconds > 0
    notify: {to: [log], message: "lag was {{steps.lag.seconds}}"}
outputs: {lag: steps.lag.seconds}
"#;

fn document(name: &str, text: &str) -> (Source, Document) {
    let source = Source::new(name, text);
    let (document, found) = load(&source);
    assert!(!found.has_errors(), "{text}\n{found:#?}");
    (source, document.unwrap_or_else(|| panic!("{text}")))
}

fn plan(text: &str, environment: &str) -> Arc<Plan> {
    let workspace = WORKSPACE.replace("policies", "channels: {log: {log: {}}}\npolicies");
    let (_, Document::Workspace(workspace)) = document("workspace.yaml", &workspace) else { panic!() };
    let (_, Document::Procedure(procedure)) = document("rebuild.yaml", text) else { panic!() };
    let catalogue = Catalogue::new([&*procedure], Some(&workspace));
    let options = CheckOptions { environment: Some(environment.to_owned()), today: None };
    let (plan, found) = check(&procedure, &catalogue, &options);
    Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")))
}

fn test(case: &str) -> (Source, Box<Test>) {
    let indented: String = case.trim().lines().map(|line| format!("    {line}\n")).collect();
    let text = format!("apiVersion: runbook/v1\nkind: Test\nprocedure: rebuild\ncases:\n  - name: case\n{indented}");
    let (source, Document::Test(test)) = document("rebuild.test.yaml", &text) else { panic!() };
    (source, test)
}

fn tried(case: &str) -> Trial {
    tried_on(PROCEDURE, case)
}

fn tried_on(procedure: &str, case: &str) -> Trial {
    let (source, test) = test(case);
    let environment = test.cases[0].setting.environment.as_ref().map_or("local", |environment| environment.value.as_str());
    play(&test.cases[0], &source, &plan(procedure, environment))
}

fn faults(case: &str) -> Vec<String> {
    tried(case).faults.iter().map(|fault| format!("{} {}", fault.code.as_str(), fault.message)).collect()
}

/// Waits for an event, and says what it told.
const AWAITS: &str = r#"
apiVersion: runbook/v1
kind: Runbook
name: rebuild
version: 1.0.0
inputs: {version: {type: string, default: 1.2.0}}
steps:
  - id: built
    wait: {event: {source: stdin, when: event.data.version == inputs.version && event.status == "once"}, within: 30m}
  - id: late
    wait: {event: {source: stdin, since: step}, within: 10m}
    on_failure: continue
  - id: say
    exec: [echo, "{{steps.built.event.data.version}} {{steps.built.number}} {{steps.built.event.status}}"]
    effect: read
outputs: {subject: steps.built.event.subject ?? "none"}
"#;

#[test]
fn a_wait_ends_with_the_event_that_a_case_gives_or_with_its_time() {
    let fits = "built: {gives: {event: {data: {version: 1.2.0}}}, takes: 5m}";
    let said = "steps: [built, late, say], within: 15m, commands: {say: [echo, 1.2.0 1 once]}, outputs: {subject: none}";
    for (case, expect) in [
        (format!("steps: {{{fits}}}\nexpect: {{outcome: succeeded, {said}}}"), ""),
        // At its last moment it comes in time.
        (format!("steps: {{{}}}\nexpect: {{outcome: succeeded, within: 40m}}", fits.replace("5m", "30m")), ""),
        (format!("steps: {{{}}}\nexpect: {{outcome: failed, within: 30m}}", fits.replace("5m", "31m")), ""),
        // None comes, or another one.
        ("expect: {outcome: failed, message: no event of `stdin` that fits came within 30m, within: 30m}".to_owned(), ""),
        ("steps: {built: times_out}\nexpect: {outcome: failed, message: no event of, within: 30m}".to_owned(), ""),
        (format!("steps: {{{}}}\nexpect: {{outcome: failed, within: 30m}}", fits.replace("1.2.0", "1.3.0")), ""),
        (format!("steps: {{{}}}\nexpect: {{outcome: failed, within: 30m}}", fits.replace("{data:", "{status: firing, data:")), ""),
        // The engine stops while it waits: nothing is in doubt, and it goes on.
        (
            format!(
                "steps: {{{fits}, late: crash}}\nexpect: {{outcome: succeeded, record: {{run_adopted: 1, attempt_started: 3}}}}"
            ),
            "",
        ),
        (
            format!(
                "steps: {{{fits}, late: {{gives: {{event: {{id: x}}}}}}}}\nexpect: {{gives: {{late: {{event: {{id: x, key: test}}}}}}, within: 5m}}"
            ),
            "",
        ),
        (format!("steps: {{{fits}}}\ncancel: {{after: 1m}}\nexpect: {{outcome: cancelled, within: 1m}}"), ""),
        (
            "steps: {built: fails}\nexpect: {outcome: failed}".to_owned(),
            "a wait for an event, as `built` is one, neither fails nor ends unknown",
        ),
    ] {
        let trial = tried_on(AWAITS, &case);
        let told: Vec<&str> = trial.faults.iter().map(|fault| fault.message.as_str()).collect();
        let is_so = if expect.is_empty() { told.is_empty() } else { told.iter().any(|told| told.contains(expect)) };
        assert!(is_so, "{case}\n{told:#?}");
    }
}

const LATE: &str = "inputs: {host: db-2}\nsteps: {lag: {stdout: \"120\\n\"}";

#[test]
fn cases_that_pass() {
    for case in [
        // Nothing to do.
        "inputs: {host: db-2}
steps: {lag: {stdout: \"3\\n\"}}
expect:
  outcome: succeeded
  steps: [lag, tell]
  skipped: [copy, go]
  gives: {lag: {seconds: 3}}
  outputs: {lag: 3}
  asked: {}
  undone: []
  left: []
  commands: {lag: \"db-2\", tell: lag was 3}",
        // Two people agree.
        &format!(
            "{LATE}}}
answers: {{go: [{{by: ada}}, {{by: ben, after: 5m}}]}}
expect:
  outcome: succeeded
  steps: [lag, copy, go, tell]
  commands: {{copy: [pg_basebackup, -h, db-2]}}
  asked: {{go: {{from: [dba], count: 2, within: 1h, question: db-2 back in}}}}
  left: [copy]
  within: 5m
  record: {{decided: 2}}"
        ),
        // Whoever may is taken, each once.
        &format!("{LATE}}}\nanswers: {{go: [approve, approve]}}\nexpect: {{outcome: succeeded}}"),
        // One no is enough, and what was changed is taken back.
        &format!(
            "{LATE}}}\nanswers: {{go: reject}}\nexpect: {{outcome: rolled_back, message: rejected by ada, undone: [copy], left: []}}"
        ),
        // Nobody answers.
        &format!("{LATE}}}\nanswers: {{go: nobody}}\nexpect: {{outcome: rolled_back, undone: [copy], within: 1h}}"),
        // Somebody ends it, while a step is at work, while people are asked, and too late.
        &format!(
            "{LATE}, copy: {{takes: 5m}}}}\ncancel: {{after: 1m, by: ben, reason: enough}}\nexpect: {{outcome: cancelled, left: [], skipped: [go, tell], within: 1m}}"
        ),
        &format!(
            "{LATE}}}\nanswers: {{go: nobody}}\ncancel: {{after: 10m, undo: true}}\nexpect: {{outcome: cancelled, undone: [copy], left: [], within: 10m}}"
        ),
        &format!(
            "{LATE}}}\nanswers: {{go: [approve, approve]}}\ncancel: {{after: 1h}}\nexpect: {{outcome: succeeded, within: 0s}}"
        ),
        // Failure, retry, timeout.
        &format!("{LATE}, copy: [fails, ok]}}\nanswers: {{go: [approve, approve]}}\nexpect: {{outcome: succeeded, within: 1m}}"),
        &format!("{LATE}, copy: times_out}}\nexpect: {{outcome: rolled_back, message: timeout, within: 21m, skipped: [go]}}"),
        &format!("{LATE}, copy: {{takes: 11m}}}}\nexpect: {{outcome: rolled_back, message: timeout}}"),
        &format!(
            "{LATE}, copy: {{fails: disk full, exit_code: 4, takes: 1m}}}}
expect: {{outcome: rolled_back, message: disk full, record: {{attempt_started: 3}}, within: 3m}}"
        ),
        // The engine stops: what was under way is looked into, and what has ended is not done again.
        &format!(
            "{LATE}, copy: crash}}\nanswers: {{go: [approve, approve]}}\nexpect: {{outcome: succeeded, record: {{run_adopted: 1}}}}"
        ),
        &format!(
            "{LATE}, copy: crash_after}}
answers: {{go: [approve, approve]}}
expect: {{outcome: succeeded, record: {{run_adopted: 1, attempt_started: 3}}}}"
        ),
        &format!(
            "{LATE}, copy: unknown, copy~verify/run-1: fails}}
answers: {{go: [approve, approve]}}
expect: {{outcome: succeeded, record: {{attempt_started: 6}}}}"
        ),
        // An undo that fails asks.
        &format!(
            "{LATE}, copy~undo: fails}}
answers: {{go: reject, copy: {{say: leave, by: ada, reason: later}}}}
expect: {{outcome: needs_attention, left: [copy], undone: [copy]}}"
        ),
        // An example stands for what a step gives.
        "inputs: {host: db-2, limit: 5}
steps: {lag: example}
answers: {go: [approve, approve]}
expect: {gives: {lag: {seconds: 7}}, outcome: succeeded}",
        // Rules of the workspace, and who asked.
        &format!(
            "environment: production
requested_by: ada
at: 2026-03-01T12:00:00Z
{LATE}}}
answers: {{copy: {{by: ben}}, go: [approve, approve]}}
expect: {{outcome: succeeded, asked: {{copy: {{rule: two-eyes-more, from: [dba]}}}}}}"
        ),
    ] {
        assert_eq!(faults(case), Vec::<String>::new(), "{case}");
    }
}

#[test]
fn what_else_happened_is_said() {
    let fine = "inputs: {host: db-2}\nsteps: {lag: {stdout: \"3\"}}\n";
    for (expect, said) in [
        ("{outcome: failed}", "RB0501 it ends succeeded; expected was `failed`"),
        ("{message: nothing}", "RB0501 the message of the outcome is ``"),
        ("{steps: [lag]}", "RB0501 the steps that began are other ones: lag, tell"),
        ("{steps: [tell, lag]}", "RB0501 the steps that began are other ones: lag, tell"),
        ("{skipped: [tell]}", "RB0501 `tell` began, and was expected not to"),
        ("{commands: {lag: db-3}}", "RB0501 `lag` would run psql -h \"${RB_1}\" -c 'select lag'; RB_1 = \"db-2\""),
        ("{commands: {copy: [a]}}", "RB0501 `copy` did nothing"),
        (
            "{gives: {lag: {seconds: 4}}}",
            "RB0501 `lag` gives {\"exit_code\":0,\"json\":3,\"seconds\":3,\"stderr\":\"\",\"stdout\":\"3\"}",
        ),
        ("{gives: {copy: {a: 1}}}", "RB0501 `copy` gives nothing"),
        ("{outputs: {lag: 4}}", "RB0501 the output `lag` is 3"),
        ("{outputs: {leg: 4}}", "RB0501 the procedure has no output `leg`"),
        ("{asked: {go: {}}}", "RB0501 nobody was asked about `go`"),
        ("{undone: [copy]}", "RB0501 the steps that were taken back are other ones: none"),
        ("{left: [copy]}", "RB0501 the changes that stay are other ones: none"),
        ("{record: {decided: 1}}", "RB0501 the record has 0 `decided`, not 1"),
    ] {
        assert_eq!(faults(&format!("{fine}expect: {expect}")), [said], "{expect}");
    }
    for (answers, expect, said) in [
        ("[approve, approve]", "{asked: {go: {from: [lead]}}}", "RB0501 asked about `go` was dba"),
        ("[approve, approve]", "{asked: {}}", "RB0501 somebody was asked about `choose-2/go`: Take db-2 back in?"),
        ("[approve, approve]", "{asked: {go: {count: 1}}}", "RB0501 `go` wants 2 to agree, not 1"),
        ("[approve, approve]", "{asked: {go: {within: 2h}}}", "RB0501 the time for `go` is 1h"),
        ("[approve, approve]", "{asked: {go: {question: Why}}}", "RB0501 the question is `Take db-2 back in?`"),
        ("[approve, {after: 2m}]", "{within: 1m}", "RB0501 it takes 2m, which is more than 1m"),
        ("[approve, approve]", "{commands: {copy: [a, b]}}", "RB0501 `copy` would run [\"pg_basebackup\",\"-h\",\"db-2\"]"),
    ] {
        assert_eq!(faults(&format!("{LATE}}}\nanswers: {{go: {answers}}}\nexpect: {expect}")), [said], "{expect}");
    }
    let all = faults(&format!("{fine}expect: {{outcome: failed, outputs: {{lag: 4}}, left: [copy]}}"));
    assert_eq!(all.len(), 3, "every expectation is looked at: {all:?}");
}

#[test]
fn nothing_is_made_up() {
    for (case, said) in [
        ("inputs: {host: db-2}", "RB0502 `case` cannot be played: nothing says of `choose-2` whether it runs: "),
        (&format!("{LATE}}}"), "RB0502 `case` cannot be played: nothing says what people answer `choose-2/go`: Take db-2 back in?"),
        (&format!("{LATE}, copie: ok}}"), "RB0502 `rebuild` has no step `copie`"),
        (&format!("{LATE}}}\nanswers: {{go: [{{by: cleo}}, approve]}}"), "RB0502 `case` cannot be played: `cleo` is not among"),
        (
            &format!("{LATE}}}\nanswers: {{go: [{{by: ada}}, {{by: ada, say: reject}}]}}"),
            "RB0502 `case` cannot be played: the question of `choose-2/go` (Take db-2 back in?) does not take the answer: ada has decided this already: approve",
        ),
        (
            &format!("{LATE}}}\nanswers: {{go: done}}"),
            "RB0502 `case` cannot be played: the question of `choose-2/go` (Take db-2 back in?) does not take the answer: this request cannot be answered with `done`",
        ),
        // Before a step there may be an approval that a rule adds.
        (
            &format!("environment: production\nrequested_by: ada\n{LATE}}}\nanswers: {{copy: {{evidence: x}}, go: approve}}"),
            "RB0502 `case` cannot be played: the approval of `choose-2/copy` that the rule `two-eyes-more` asks for does not take the answer: this request asks for no answers",
        ),
        ("inputs: {hots: db-2}", "RB0502 `case` cannot be played: input `hots`: there is no such input"),
        (
            &format!(
                "environment: production\nrequested_by: ada\n{LATE}}}\nanswers: {{copy: approve, go: [approve, approve, approve]}}"
            ),
            "",
        ),
    ] {
        let found = faults(&format!("{case}\nexpect: {{outcome: succeeded}}"));
        match said {
            "" => assert_eq!(found, Vec::<String>::new(), "{case}"),
            _ => assert!(found.len() == 1 && found[0].starts_with(said), "{case}\n{found:#?}"),
        }
    }
}

#[test]
fn a_case_says_where_it_is_wrong() {
    for (case, code) in [
        ("expect: {outcome: fine}", Code::RB0013),
        ("expect: {}", Code::RB0011),
        ("inputs: {}", Code::RB0011),
        ("steps: {a: breaks}\nexpect: {outcome: failed}", Code::RB0013),
        ("steps: {a: {fails: x, end: ok}}\nexpect: {outcome: failed}", Code::RB0023),
        ("steps: {a: {stdot: x}}\nexpect: {outcome: failed}", Code::RB0010),
        ("answers: {a: maybe}\nexpect: {outcome: failed}", Code::RB0013),
        ("at: yesterday\nexpect: {outcome: failed}", Code::RB0018),
        ("expect: {record: {attempts: 1}}", Code::RB0013),
        ("expect: {outcome: failed, whithin: 1h}", Code::RB0010),
    ] {
        let indented: String = case.lines().map(|line| format!("    {line}\n")).collect();
        let text = format!("apiVersion: runbook/v1\nkind: Test\nprocedure: a\ncases:\n  - name: case\n{indented}");
        let found = load(&Source::new("a.test.yaml", text.as_str())).1.into_sorted();
        assert_eq!(found.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{text}{found:#?}");
        assert!(found[0].help.is_some(), "{case}");
    }
}

#[test]
fn what_no_case_comes_to_is_counted_and_named() {
    let plan = plan(PROCEDURE, "local");
    let mut coverage = Coverage::of(&plan);
    assert_eq!(coverage.table(), [("steps", 0, 7), ("branches", 0, 4), ("failures", 0, 6), ("undos", 0, 1)]);
    let fine = "inputs: {host: db-2}\nsteps: {lag: {stdout: \"3\"}}\nexpect: {outcome: succeeded}".to_owned();
    let back = format!("{LATE}, copy: fails}}\nexpect: {{outcome: rolled_back}}");
    let rejected = format!("{LATE}, copy: unknown}}\nanswers: {{go: reject}}\nexpect: {{outcome: rolled_back}}");
    for (case, expect) in [(&fine, [3, 2, 0, 0]), (&back, [4, 3, 1, 0]), (&rejected, [7, 3, 2, 1])] {
        let trial = tried(case);
        assert_eq!(trial.faults, [], "{case}");
        coverage.add(&trial.run, &trial.events);
        assert_eq!(coverage.table().map(|(_, seen, _)| seen), expect, "{case}");
    }
    let missing: Vec<String> = coverage.missing().map(|point| point.missing(&plan)).collect();
    assert_eq!(
        missing,
        [
            "no case skips `tell`",
            "`lag` fails in no case",
            "`tell` fails in no case",
            "`copy~verify/run-1` fails in no case",
            "`copy~undo/run-1` fails in no case",
        ]
    );
}

/// The beginning of a procedure with these steps.
fn steps(steps: &str) -> String {
    let head = "apiVersion: runbook/v1\nkind: Runbook\nname: rebuild\nversion: 1.0.0\nowner: dba\nsteps:\n";
    format!("{head}{}", steps.trim_matches('\n'))
}

#[test]
fn a_case_is_played_as_a_run_goes() {
    const LOOPS: &str = r#"
  - id: ready
    wait:
      until: steps.look.n > 2
      every: 10s
      within: 1m
      probe: {id: look, run: echo, effect: read, outputs: {n: result.stdout.trim().parse_int()}}
  - id: again
    repeat:
      times: 3
      until: steps.ok.granted
      steps: [{id: ok, approve: {question: "Enough?"}, on_failure: continue}]
  - id: all
    each: {in: "[1, 2]", as: one, steps: [{id: part, run: touch, effect: change, retry: {attempts: 2, delay: 1s}}]}"#;
    const IDEMPOTENT: &str = "  - {id: touch, run: touch it, effect: change, idempotent: true}";
    const CLOCK: &str = r#"
  - {id: early, if: now < time("2026-11-21T12:00:00Z"), set: {at: now}}
  - {id: ok, approve: {question: "Go?"}}
  - {id: who, set: {by: steps.ok.by}}"#;
    const POST: &str = r#"
  - {id: undoable, run: touch, effect: change, undo: {run: rm, idempotent: true}}
  - {id: post, http: {method: POST, url: "http://127.0.0.1/"}, effect: change, on_failure: rollback}"#;
    const LOOK: &str = r#"
  - id: write
    run: touch
    effect: change
    verify: {http: {url: "http://127.0.0.1/"}, effect: read}"#;
    const LATE: &str = r#"
  - {id: act, run: touch, effect: change, undo: {run: rm, idempotent: true}}
  - {id: go, approve: {question: "Go?", within: 1h}, on_failure: rollback}
finally:
  - wait: {for: duration("3h")}"#;
    const PARTS: &str = r#"
  - id: whole
    each: {in: "[1, 2]", as: one, steps: [{id: part, run: touch, effect: change}]}
    undo: {run: rm, idempotent: true}
  - {id: no, check: [{that: "false"}], on_failure: rollback}"#;
    const BY_HAND: &str = "
  - {id: swap, manual: {do: Swap the disk.}, effect: change}
  - {check: [{that: 'false'}]}";
    const OWN: &str = r#"
  - {id: go, approve: {question: "Go?", not_requester: true}}"#;
    const CUT: &str = r#"
  - {id: slow, run: sleep 9, effect: read, timeout: 1m, on_failure: continue}
  - {id: fine, if: steps.slow.exit_code == 0, set: {a: 1}}"#;
    for (procedure, case, fault) in [
        // A list goes on over rounds, for questions too, and begins anew for each item.
        (
            LOOPS,
            "steps: {look: [{stdout: '1'}, fails, {stdout: '3'}], part: [fails, ok]}
answers: {ok: [reject, approve]}
expect: {outcome: succeeded, within: 23s, record: {decided: 2, attempt_started: 7}}",
            "",
        ),
        // What stops once does not stop for ever.
        (IDEMPOTENT, "steps: {touch: crash}\nexpect: {outcome: succeeded, record: {run_adopted: 1, attempt_started: 2}}", ""),
        (IDEMPOTENT, "steps: {touch: unknown}\nexpect: {outcome: succeeded, record: {attempt_started: 2}}", ""),
        (IDEMPOTENT, "steps: {touch: [unknown, crash, fails]}\nexpect: {outcome: failed, record: {attempt_started: 3}}", ""),
        // The clock of the case is the clock of the run, and who answered is known.
        (
            CLOCK,
            "at: 2026-11-21T11:00:00Z
answers: {ok: {by: ben}}
expect: {outcome: succeeded, gives: {early: {at: '2026-11-21T11:00:00Z'}, who: {by: ben}}}",
            "",
        ),
        (CLOCK, "at: 2026-11-21T13:00:00Z\nanswers: {ok: approve}\nexpect: {skipped: [early]}", ""),
        // Nobody knows how a request ended that changes things and was not answered.
        (
            POST,
            "steps: {post: times_out}\nexpect: {outcome: rolled_back}",
            "RB0502 `case` cannot be played: nothing says what people",
        ),
        (POST, "steps: {post: {takes: 2h}}\nanswers: {post: done}\nexpect: {outcome: succeeded}", ""),
        (POST, "steps: {post: {status: 500}}\nexpect: {outcome: rolled_back}", ""),
        // A look that gets no answer has seen nothing.
        (LOOK, "steps: {write: crash, write~verify/http-1: fails}\nanswers: {write: done}\nexpect: {outcome: succeeded}", ""),
        (LOOK, "steps: {write: crash, write~verify/http-1: {status: 404}}\nexpect: {record: {attempt_started: 3}}", ""),
        // What a program has left behind when its time was over is not that it went well.
        (CUT, "steps: {slow: times_out}\nexpect: {outcome: succeeded}", "RB0502 `case` cannot be played: nothing says of `fine`"),
        (CUT, "steps: {slow: {takes: 2m, exit_code: 143}}\nexpect: {outcome: succeeded, skipped: [fine]}", ""),
        // Too late is too late, also by nothing.
        (LATE, "answers: {go: {after: 59m}}\nexpect: {outcome: succeeded}", ""),
        (LATE, "answers: {go: {after: 1h}}\nexpect: {outcome: rolled_back, undone: [act]}", ""),
        (LATE, "answers: {go: {after: 2h}}\nexpect: {outcome: rolled_back, within: 4h}", ""),
        // What is taken back at the second try, or by hand, is not left.
        (LATE, "steps: {act~undo: [fails, ok]}\nanswers: {go: reject, act: again}\nexpect: {outcome: rolled_back, left: []}", ""),
        (LATE, "steps: {act~undo: fails}\nanswers: {go: reject, act: done}\nexpect: {outcome: rolled_back, left: []}", ""),
        (LATE, "steps: {act~undo: fails}\nanswers: {go: reject, act: [again, leave]}\nexpect: {left: [act]}", ""),
        (PARTS, "expect: {outcome: rolled_back, undone: [whole], left: []}", ""),
        // What began is not skipped: neither a whole, nor what takes back.
        (PARTS, "expect: {skipped: [whole]}", "RB0501 `whole` began"),
        (LATE, "answers: {go: reject}\nexpect: {skipped: [act~undo]}", "RB0501 `act~undo/run-1` began"),
        // A user is the person that they are.
        (
            OWN,
            "requested_by: countess\nanswers: {go: {by: ada}}\nexpect: {outcome: succeeded}",
            "RB0502 `case` cannot be played: `ada` asked for this run",
        ),
        (OWN, "requested_by: ben\nanswers: {go: {by: countess}}\nexpect: {outcome: succeeded}", ""),
        (BY_HAND, "answers: {swap: approve}\nexpect: {outcome: failed, left: [swap]}", ""),
        (BY_HAND, "answers: {swap: reject}\nexpect: {outcome: rejected, left: []}", ""),
    ] {
        let found = tried_on(&steps(procedure), case).faults;
        let found: Vec<String> = found.iter().map(|fault| format!("{} {}", fault.code.as_str(), fault.message)).collect();
        match fault {
            "" => assert_eq!(found, Vec::<String>::new(), "{procedure}\n{case}"),
            _ => assert!(found.len() == 1 && found[0].starts_with(fault), "{procedure}\n{case}\n{found:#?}"),
        }
    }
}

#[test]
fn nothing_changes_while_a_window_is_closed() {
    let frozen = steps(
        "
  - {id: by_hand, manual: {do: Replace the disk.}, effect: change}
  - {id: act, run: touch, effect: change}",
    );
    for (at, expect) in [
        ("2026-12-23T00:00:00Z", "{outcome: succeeded, steps: [by_hand, act], left: [by_hand, act]}"),
        ("2026-12-25T00:00:00Z", "{outcome: failed, message: a change may not start now, steps: [], skipped: [by_hand, act]}"),
    ] {
        let case = format!(
            "environment: production\nat: {at}\nanswers: {{by_hand: [approve, approve], act: {{by: ada}}}}\nexpect: {expect}"
        );
        assert_eq!(tried_on(&frozen, &case).faults, [], "{case}");
        // Its dry run, which knows the hour from it, says the same.
        let (_, test) = test(&case);
        let dry = predict(&test.cases[0], &plan(&frozen, "production")).unwrap();
        let ends: Vec<&str> = dry.outcomes.iter().map(|outcome| outcome.kind.name()).collect();
        assert!(dry.unknown == 0 && expect.contains(ends.join(" ").as_str()), "{at}: {ends:?} {:#?}", dry.steps);
    }
}

#[test]
fn a_name_is_that_of_a_step_or_of_all_of_its_path() {
    let procedure = steps(
        "
  - id: outer
    parallel:
      left: [{each: {in: '[1]', as: one, steps: [{id: act, run: touch, effect: change, undo: {run: rm, idempotent: true}}]}}]
      right: [{choose: [{when: 'true', steps: [{run: 'true', effect: read}]}, {when: 'false', steps: [{id: other, run: 'true', effect: read}]}]}]
  - {id: go, approve: {question: Go?}}
finally: [{run: 'true', effect: read}]",
    );
    for (name, known) in [
        ("act", true),
        ("outer.left/each-1/act", true),
        ("outer.left/each-1[0]/act~undo/run-1", true),
        ("outer.right/choose-1/run-1", true),
        ("outer.right/choose-1/other", true),
        ("~finally/run-1", true),
        ("outer.right/act", false),
        ("each-1/act", true),
        ("act~undo/run-1", true),
        ("outer/each-1/act", false),
        ("nowhere/act", false),
        ("act/act", false),
        ("~on_failure/run-1", false),
        ("~finally", false),
        ("outer.left/", false),
    ] {
        let found = tried_on(&procedure, &format!("answers: {{go: approve}}\nexpect: {{left: [], skipped: [\"{name}\"]}}")).faults;
        assert_eq!(found.iter().any(|fault| fault.message.contains("has no step")), !known, "{name}\n{found:#?}");
    }
    for (stand_in, said) in [
        ("{go: fails}", "nothing can stand in for `go`: `approve` is not performed"),
        ("{act: [ok, example]}", "`act` has no `example`"),
    ] {
        let found = tried_on(&procedure, &format!("steps: {stand_in}\nexpect: {{outcome: failed}}")).faults;
        assert_eq!(found.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>(), [said]);
    }
}

#[test]
fn a_long_list_is_told_in_part() {
    let many = steps("  - {id: all, each: {in: 'inputs.all', as: one, steps: [{id: part, run: touch, effect: change}]}}");
    let many = many.replace("steps:\n", "inputs: {all: {type: list}}\nsteps:\n");
    let items: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let found = tried_on(&many, &format!("inputs: {{all: [{}]}}\nexpect: {{left: []}}", items.join(", "))).faults;
    assert!(found[0].message.starts_with("the changes that stay are other ones: all[0]/part, "), "{found:#?}");
    assert!(found[0].message.ends_with("/part and 10 more"), "{found:#?}");
}

#[test]
fn what_is_expected_of_a_step_is_expected_of_all_its_items() {
    let items = "  - {id: all, each: {in: '[1, 2]', as: one, steps: [{id: part, exec: [touch, 'f{{one}}'], effect: read, on_failure: continue}]}}";
    let rounds = "  - {id: again, repeat: {times: 2, until: 'steps.part.exit_code == 0', steps: [{id: part, exec: [touch, f1], effect: read, on_failure: continue}]}}";
    let once = "steps: {part: [{fails: no}, ok]}\n";
    for (of, given, expect, said) in [
        (items, "", "{commands: {part: [touch, f1]}}", &["`all[1]/part` would run [\"touch\",\"f2\"]"][..]),
        (items, "", "{commands: {part: touch}}", &[]),
        (items, "", "{commands: {'all[1]/part': [touch, f2]}}", &[]),
        (items, "steps: {part: ok}\n", "{gives: {part: {exit_code: 0}}}", &[]),
        (
            items,
            "steps: {'all[0]/part': {exit_code: 7}, 'all[1]/part': ok}\n",
            "{gives: {part: {exit_code: 0}}}",
            &["`all[0]/part` gives {\"exit_code\":7,\"stderr\":\"\",\"stdout\":\"\"}"],
        ),
        (rounds, once, "{commands: {part: [touch, f1]}, gives: {part: {exit_code: 0}}}", &[]),
    ] {
        let faults = tried_on(&steps(of), &format!("{given}expect: {expect}")).faults;
        let found: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(found, said, "{of} {given} {expect}");
    }
}

/// What all cases share is there once, however many there are.
#[test]
fn defaults_are_not_multiplied_by_cases() {
    let (_, test) = {
        let text = "apiVersion: runbook/v1\nkind: Test\nprocedure: rebuild\ndefaults: {inputs: {host: db-2}, steps: {lag: fails, copy: ok}}\n\
                    cases:\n  - {name: a, steps: {lag: ok}, expect: {outcome: succeeded}}\n";
        let (source, Document::Test(test)) = document("rebuild.test.yaml", text) else { panic!() };
        (source, test)
    };
    assert_eq!(test.cases[0].setting.steps.len(), 1);
    let whole = test.cases[0].with(&test.defaults);
    let named: Vec<_> = whole.setting.steps.iter().map(|(name, list)| (name.value.as_str(), list[0].end.clone())).collect();
    assert_eq!(named, [("lag", StandInEnd::Result), ("copy", StandInEnd::Result)]);
    assert_eq!(whole.setting.inputs.len(), 1);
}
