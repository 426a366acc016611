//! What ends the things beside it, at its turn or for its time, and what is said of all that it ends.

use runbook_core::explore::{DryRun, Options, World, dry_run};
use runbook_core::run::event::OutcomeKind;
use runbook_core::trial::{StandIns, play};

use super::*;

/// What is said of a step.
fn said(dry: &DryRun, path: &str) -> String {
    let line = told(dry).lines().find_map(|line| Some(line.strip_prefix(path)?.strip_prefix(": ")?.to_owned()));
    line.unwrap_or_else(|| panic!("nothing is told of {path}:\n{}", told(dry)))
}

fn outcomes(dry: &DryRun) -> Vec<&'static str> {
    let mut names: Vec<&str> = dry.outcomes.iter().map(|outcome| outcome.kind.name()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

const WAIT: &str = "{id: w, wait: {for: 3s}, timeout: 2s}";

/// A parallel of a wait that its time ends and of what ends the whole at its turn, and a step behind it.
fn beside(ends: &str) -> DryRun {
    predicted(&format!("- id: p\n  parallel:\n    l: [{WAIT}]\n    r: {ends}\n- {{id: z, exec: [x], effect: read}}\n"), false)
}

#[test]
fn a_time_that_runs_out_does_not_hide_what_ends_before() {
    let finish = beside("[{id: a, exec: [x], effect: read}, {id: f, if: inputs.n > 3, finish: {outcome: succeeded}}]");
    assert_eq!(outcomes(&finish), ["failed", "succeeded"], "{}", told(&finish));
    assert!(said(&finish, "p.r/f").starts_with("cannot know"));
    assert!(said(&finish, "z").starts_with("would skip"));
    let check = beside("[{id: c, check: [{that: 1 > 2}], on_failure: rollback}, {id: d, exec: [x], effect: read}]");
    assert_eq!(outcomes(&check), ["failed", "rolled_back"], "{}", told(&check));
    assert!(said(&check, "p.r/d").starts_with("would skip"));
    // What ends nothing beside it comes at its turn, and so does what that leads to.
    let next = beside(
        "[{id: c, check: [{that: 1 > 2}], on_failure: {next: d}}, {id: b, exec: [x], effect: read}, {id: d, exec: [x], effect: read}]",
    );
    assert_eq!(said(&next, "p.r/c"), "would run and fail: `1 > 2` does not hold");
    assert_eq!(said(&next, "p.r/b"), "would skip: `c` fails and goes on with `d`");
    assert_eq!(said(&next, "p.r/d"), "would run");
    // The run's own time.
    let whole = predicted(
        "- id: p\n  parallel:\n    l: [{id: w, wait: {for: 3s}}]\n    r: [{id: f, if: inputs.n > 3, finish: {outcome: succeeded}}]\n",
        false,
    );
    assert_eq!(outcomes(&whole), ["succeeded"]);
}

#[test]
fn a_time_counts_from_where_it_begins() {
    let group = "- {id: g, timeout: 1s, group: [{id: w, wait: {for: 3s}}, {id: y, exec: [x], effect: read}]}\n- {id: z, exec: [x], effect: read}\n";
    for before in [
        // Ways of which one has waited.
        "- {id: s, exec: [x], effect: read}\n- {id: v, if: steps.s.stdout == \"\", wait: {for: 1s}}\n",
        "- {id: v, wait: {until: inputs.n == 2, within: 2s}, on_failure: continue}\n",
    ] {
        let dry = predicted(&format!("{before}{group}"), false);
        assert_eq!(outcomes(&dry), ["failed"], "{}", told(&dry));
        assert_eq!(said(&dry, "g"), "would run and fail: it did not end within 1s");
        assert_eq!((said(&dry, "g/y"), said(&dry, "z")), ("would skip: `w` fails".to_owned(), "would skip: `g` fails".to_owned()));
    }
}

#[test]
fn nothing_that_no_way_comes_to_goes_untold() {
    let change = |id: &str| format!("{{id: {id}, exec: [x], effect: read}}");
    let (y, d, z) = (change("y"), change("d"), change("z"));
    for (steps, path, expect) in [
        // Passed over, and ended by the time around it.
        (
            format!("- {{id: g, timeout: 1s, group: [{{id: w, wait: {{for: 4s}}, on_failure: continue}}, {y}]}}\n- {z}\n"),
            "g/y",
            "would skip: `w` fails",
        ),
        (
            format!("- {{id: x, check: [{{that: 1 > 2}}], on_failure: {{next: d}}}}\n- {y}\n- {d}\n"),
            "y",
            "would skip: `x` fails and goes on with `d`",
        ),
        // What ends a list is named, not what ends nothing.
        (
            format!(
                "- {{id: g, on_failure: continue, group: [{{id: k, check: [{{that: 1 > 2}}]}}]}}\n- {{id: x, check: [{{that: 1 > 3}}]}}\n- {y}\n"
            ),
            "y",
            "would skip: `x` fails",
        ),
        (
            format!(
                "- id: p\n  parallel:\n    l: [{{id: q, on_failure: continue, group: [{{id: k, check: [{{that: 1 > 2}}]}}]}}]\n    r: [{y}, {{id: f, if: inputs.n > 3, finish: {{outcome: succeeded}}}}]\n- {z}\n"
            ),
            "z",
            "would skip: `f` ends the run",
        ),
        // More fail than are borne.
        (
            format!(
                "- id: e\n  each: {{in: '[1, 2, 3]', as: i, max_failures: 1, steps: [{{id: k, check: [{{that: i == 2}}]}}]}}\n- {z}\n"
            ),
            "z",
            "would skip: `k` fails",
        ),
        // A way on which another comes first knows nothing of it.
        (
            format!(
                "- id: p\n  parallel:\n    l: [{{id: k, repeat: {{until: 1 > 2, times: 1, steps: [{d}]}}}}, {y}]\n    r: [{{id: m, check: [{{that: 1 > 2}}]}}]\n- {z}\n"
            ),
            "p.l/y",
            "would skip: `k` fails",
        ),
    ] {
        assert_eq!(said(&predicted(&steps, false), path), expect, "{steps}");
    }
}

#[test]
fn behind_a_call_that_surely_fails_steps_are_told_and_who_may_come_there() {
    let other = "apiVersion: runbook/v1\nkind: Runbook\nname: other\nversion: 1.0.0\nsteps:\n- {id: x, exec: [x], effect: read, on_failure: {next: w}}\n- {id: f, if: 2 > 1, finish: {outcome: failed}}\n- {id: w, exec: [x], effect: read}\n";
    let plan = plan_with("- {id: c, call: other@^1}\n- {id: y, exec: [x], effect: read}\n", other);
    let dry = dry_run(&plan, &started(&plan), "2026-01-01T00:00:00Z".parse().unwrap(), &Options::default(), &mut Nothing).unwrap();
    assert_eq!(said(&dry, "c/w"), "cannot know: only a failure of `x` leads here: `f` ends the called procedure");
    assert_eq!(said(&dry, "y"), "cannot know: only a failure of `c` leads here: `c` fails");
}

#[test]
fn outputs_that_read_what_is_surely_absent_fail() {
    let other = "apiVersion: runbook/v1\nkind: Runbook\nname: other\nversion: 1.0.0\ninputs: {n: {type: integer}}\nsteps:\n- {id: x, exec: [x], effect: read, on_failure: continue}\n- {id: a, if: inputs.n > 9, set: {v: '5'}}\noutputs: {o: steps.a.v}\n";
    let plan =
        plan_with("- {id: c, call: other@^1, with: {n: inputs.n}}\n- {id: z, exec: [x, '{{steps.c.o}}'], effect: read}\n", other);
    let dry = dry_run(&plan, &started(&plan), "2026-01-01T00:00:00Z".parse().unwrap(), &Options::default(), &mut Nothing).unwrap();
    assert!(outcomes(&dry).contains(&"failed"), "{}", told(&dry));
    assert!(!said(&dry, "z").starts_with("would run"));
}

#[test]
fn what_a_time_has_ended_may_be_lacking() {
    let last = "- {id: z, exec: [x, '{{steps.b.exit_code}}'], effect: read}\n";
    for whole in [
        "- id: p\n  on_failure: continue\n  timeout: 1s\n  parallel: {l: [{id: w, wait: {for: 3s}}], r: [{id: a, exec: [x], effect: read}, {id: b, exec: [x], effect: read}]}\n",
        "- {id: g, on_failure: continue, timeout: 1s, group: [{id: a, exec: [x], effect: read}, {id: b, exec: [x], effect: read}, {id: w, wait: {for: 3s}}]}\n",
    ] {
        let dry = predicted(&format!("{whole}{last}"), false);
        assert_eq!(outcomes(&dry), ["failed", "succeeded"], "{}", told(&dry));
    }
    // What takes no time, and comes first, is there.
    let first = "- {id: g, on_failure: continue, timeout: 1s, group: [{id: b, set: {exit_code: '1'}}, {id: w, wait: {for: 3s}}]}\n";
    assert_eq!(outcomes(&predicted(&format!("{first}{last}"), false)), ["succeeded"]);
}

#[test]
fn what_a_round_gave_may_be_that_of_another() {
    let loops = |until: &str| {
        format!(
            "- id: p\n  on_failure: continue\n  parallel:\n    l: [{{id: c, check: [{{that: 1 > 2}}]}}]\n    r: [{{id: rep, repeat: {{until: {until}, times: 3, steps: [{{id: x, set: {{v: '7'}}}}, {{exec: [x], effect: read}}]}}}}]\n"
        )
    };
    let reads = "- {id: y, if: '\"x\" in steps && steps.x.v == 7', exec: [x], effect: read}\n- {id: z, exec: [x, '{{steps.x.v}}'], effect: read}\n";
    // One round: it is there or it is not.
    let once = predicted(&format!("{}{reads}", loops("1 < 2")), false);
    assert_eq!(outcomes(&once), ["failed", "succeeded"], "{}", told(&once));
    let never = predicted(&format!("{}{reads}", loops("1 > 2")), false);
    assert!(said(&never, "z").starts_with("cannot know"), "{}", told(&never));
    assert!(said(&never, "y").starts_with("cannot know"), "{}", told(&never));
}

#[test]
fn more_items_than_are_borne_may_fail() {
    let steps = "- {id: s, exec: [x], effect: read}\n- {id: e, each: {in: steps.s.json, max_failures: 1, steps: [{id: c, check: [{that: 1 > 2}]}]}}\n- {id: z, exec: [x], effect: read}\n";
    let dry = predicted(steps, false);
    assert_eq!(outcomes(&dry), ["failed", "succeeded"], "{}", told(&dry));
    assert!(said(&dry, "z").starts_with("cannot know"), "{}", told(&dry));
}

/// A case, played, and what its dry run says.
fn with(steps: &str, case: &str) -> (DryRun, OutcomeKind) {
    let plan = plan(steps);
    let text = format!(
        "apiVersion: runbook/v1\nkind: Test\nprocedure: test\ncases:\n- {{name: c, {case}, expect: {{outcome: succeeded}}}}\n"
    );
    let source = Source::new("t.test.yaml", &*text);
    let (Some(Document::Test(test)), _) = load(&source) else { panic!("{:#?}", load(&source).1) };
    let case = &test.cases[0];
    let played = play(case, &source, &plan).run.outcome().expect("an end").kind;
    let mut world = StandIns(case);
    let dry =
        dry_run(&plan, &started(&plan), "2026-01-01T00:00:00Z".parse().unwrap(), &Options::default(), &mut world as &mut dyn World);
    let dry = dry.unwrap();
    assert!(outcomes(&dry).contains(&played.name()), "{} of {case:?}:\n{}", played.name(), told(&dry));
    (dry, played)
}

#[test]
fn the_times_of_a_case_are_taken_for_known() {
    let asks = "- {id: ap, approve: {question: x, within: 5s}}\n- {id: y, exec: [x], effect: read}\n";
    for say in ["say: approve", "say: reject, reason: no"] {
        let (dry, _) = with(asks, &format!("answers: {{ap: {{{say}, after: 8s}}}}"));
        assert_eq!(said(&dry, "ap"), "would run and fail: nobody decided in time");
        assert_eq!(said(&dry, "y"), "would skip: `ap` fails");
    }
    let (dry, _) = with(asks, "answers: {ap: {say: approve, after: 4s}}");
    assert_eq!(outcomes(&dry), ["succeeded"]);
    // Of a question that a case answers, nobody else does.
    let two = asks.replace("question: x", "question: x, count: 2");
    let (dry, _) = with(&two, "answers: {ap: [{say: approve, by: ada}]}");
    assert_eq!(said(&dry, "ap"), "would run and fail: nobody decided in time");
    // The time of what stands around is over before.
    let group = "- id: p\n  parallel:\n    l: [{id: w, wait: {for: 10s}}]\n    r: [{id: g, timeout: 5s, group: [{id: ap, approve: {question: x, within: 1h}, on_failure: continue}, {id: y, exec: [x], effect: read}]}]\n";
    for answer in ["nobody", "{say: approve, after: 8s}"] {
        let (dry, _) = with(group, &format!("answers: {{ap: {answer}}}"));
        assert_eq!(outcomes(&dry), ["failed"], "{}", told(&dry));
        assert!(said(&dry, "p.r/g/y").starts_with("would skip"), "{}", told(&dry));
    }
    let works = "- {id: g, timeout: 5s, group: [{id: a, exec: [x], effect: read}, {id: b, exec: [x], effect: read}]}\n";
    let (dry, _) = with(works, "steps: {a: {takes: 3s}, b: {takes: 3s}}");
    assert_eq!((outcomes(&dry), said(&dry, "g")), (vec!["failed"], "would run and fail: it did not end within 5s".to_owned()));
    // What ends at the last moment ends in time.
    let (dry, _) = with(works, "steps: {a: {takes: 3s}, b: {takes: 2s}}");
    assert_eq!(outcomes(&dry), ["succeeded"]);
    // What runs beside it takes its time at the same time.
    let beside = "- {id: p, timeout: 6s, parallel: {l: [{id: a, exec: [x], effect: read, on_failure: continue}], r: [{id: b, exec: [x], effect: read}]}}\n";
    with(beside, "steps: {a: {takes: 5s}, b: {takes: 5s}}");
}

#[test]
fn what_is_repeated_after_an_end_that_nobody_saw_is_not_held_back() {
    let steps = "- id: p\n  parallel:\n    l: [{id: a, exec: [x], effect: read}]\n    r: [{id: b, exec: [x], effect: read}, {id: c, exec: [x], effect: read}]\n";
    let (dry, _) = with(steps, "steps: {a: {fails: 'no', takes: 5s}, b: unknown}");
    assert_eq!(said(&dry, "p.r/c"), "would run");
}

#[test]
fn what_ends_others_by_what_it_should_give_may_come_after_them() {
    let steps = "- {id: chg, exec: [x], undo: {exec: [x], idempotent: true}}
- id: p
  parallel:
    l: [{id: c, check: [{that: inputs.n == 5}]}]
    m: [{id: x, exec: [x], effect: read, outputs: {k: OUTPUT}, on_failure: rollback}]
";
    for output in ["result.stdout.trim().parse_int()", "'parse_int(\"no\")'"] {
        let (dry, played) = with(&steps.replace("OUTPUT", output), "steps: {x: {stdout: 'no'}}");
        assert_eq!((outcomes(&dry), played.name()), (vec!["failed", "rolled_back"], "failed"), "{output}: {}", told(&dry));
    }
}

#[test]
fn what_a_case_tells_of_a_step_does_not_say_that_a_run_comes_to_it() {
    let steps = "- id: p
  on_failure: continue
  parallel:
    l: [{id: c, check: [{that: inputs.n == 5}]}]
    r: [{id: a, exec: [x], effect: read}, {id: b, exec: [x], effect: read}]
- {id: d, if: '\"b\" in steps', exec: [x], effect: read}
";
    let (dry, _) = with(steps, "steps: {a: {stdout: 'a'}, b: {stdout: 'b'}}");
    assert!(said(&dry, "d").starts_with("cannot know"), "{}", told(&dry));
}

#[test]
fn how_long_it_waits_for_a_time_depends_on_when_it_starts() {
    let steps = "- {id: w, wait: {until: time('2026-01-01T06:00:00Z'), within: WITHIN}}\n- {id: c, exec: [x], effect: read}\n";
    for (within, ends) in [("12h", "succeeded"), ("2h", "failed")] {
        let steps = steps.replace("time('2026-01-01T06:00:00Z')", "'time(\"2026-01-01T06:00:00Z\")'").replace("WITHIN", within);
        let plan = plan(&steps);
        // Whatever the hour, and however far away that is.
        let digests = ["2026-01-01T00:00:00Z", "2026-01-01T05:59:00Z", "2027-01-01T00:00:00Z"].map(|now| {
            let dry = dry_run(&plan, &started(&plan), now.parse().unwrap(), &Options::default(), &mut Nothing).unwrap();
            assert!(
                said(&dry, "w").starts_with("cannot know: how long it waits depends on when a run comes to it"),
                "{}",
                told(&dry)
            );
            assert_eq!((said(&dry, "c").as_str(), outcomes(&dry)), ("would run", vec!["succeeded"]), "{now}");
            dry.digest
        });
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
        // A case says when that is.
        let (dry, _) = with(&steps, "at: 2026-01-01T00:00:00Z");
        assert_eq!((outcomes(&dry), dry.unknown), (vec![ends], 0), "{within}: {}", told(&dry));
    }
}

#[test]
fn a_case_says_which_event_comes() {
    let steps = "- {id: w, wait: {event: {source: runs, when: event.data.n == 1}, within: 1h}, on_failure: continue}\n- {id: c, if: '\"w\" in steps', exec: [x, '{{steps.w.event.data.n}}'], effect: read}\n";
    for (case, wait, after) in [
        ("{gives: {event: {data: {n: 1}}}, takes: 5m}", "would run", "would run"),
        ("{gives: {event: {data: {n: 2}}}, takes: 5m}", "would run and fail: no event that fits comes in time", "would skip"),
        ("{gives: {event: {data: {n: 1}}}, takes: 65m}", "would run and fail: no event that fits comes in time", "would skip"),
        ("times_out", "would run and fail: no event that fits comes in time", "would skip"),
    ] {
        let (dry, _) = with(steps, &format!("steps: {{w: {case}}}"));
        assert_eq!((said(&dry, "w").as_str(), dry.ways), (wait, 1), "{case}: {}", told(&dry));
        assert!(said(&dry, "c").starts_with(after), "{case}: {}", told(&dry));
    }
}

#[test]
fn a_rollback_ends_what_runs_beside_it_through_a_step_that_goes_on() {
    let group = "- id: p\n  parallel:\n    l: [{id: g, on_failure: continue, group: [BAD]}]\n    r: [{id: b, exec: [x], effect: read}, {id: c, exec: [x], effect: read}]\n";
    let items = "- id: p\n  each: {in: '[1, 2]', max_parallel: 2, max_failures: 2, steps: [{id: g, if: item == 1, on_failure: continue, group: [BAD]}, {id: b, exec: [x], effect: read}]}\n";
    for (steps, beside) in [(group, "p.r/c"), (items, "p[1]/b")] {
        let bad = "{id: bad, exec: [x], effect: read, on_failure: rollback}";
        let (dry, _) = with(&steps.replace("BAD", bad), "steps: {bad: fails}");
        assert_eq!(said(&dry, beside), "would run");
    }
}

#[test]
fn what_no_machine_can_begin_would_fail() {
    for (step, why) in [
        ("{id: a, run: echo, dir: ../.., effect: read}", "leads out of the catalogue"),
        ("{id: a, exec: [''], effect: read}", "the name of the program is empty"),
        ("{id: a, exec: [echo, \"a\\0b\"], effect: read}", "an argument holds a NUL byte"),
        ("{id: a, run: \"echo \\0\", effect: read}", "the script holds a NUL byte"),
        ("{id: a, run: echo, env: {A: '\"a\\u0000\"'}, effect: read}", "the variable `A` holds a NUL byte"),
        ("{id: a, http: {url: 'ftp://x/y'}}", "only http and https are spoken here"),
        ("{id: a, http: {url: 'http://h:{{inputs.n}}00000/'}}", "`400000` is no port"),
        ("{id: a, http: {url: 'http://h/', headers: {X-A: \"a\\nb\"}}}", "the value of the header `X-A` holds a line end"),
        ("{id: a, notify: {to: c, message: m}}", "the workspace has no channel `c`"),
    ] {
        let told = told(&predicted(&format!("- {step}\n"), false));
        assert!(told.starts_with("a: would run and fail: ") && told.contains(why), "{step}: {told}");
    }
    // What is not known may be anything.
    for step in [
        "{id: a, run: echo, dir: '../{{steps.look.size}}/..', effect: read}",
        "{id: a, exec: [echo, '{{steps.look.stdout}}'], effect: read}",
        "{id: a, http: {url: 'http://h:{{steps.look.size}}/'}}",
    ] {
        let told = told(&predicted(&format!("{LOOK}- {step}\n"), false));
        assert!(told.contains("\na: cannot know: ") && !told.contains("fail"), "{step}: {told}");
    }
    // Nor is what no event holds.
    let some = format!("- {{id: s, set: {{x: '\"{}\"'}}}}\n", "x".repeat(3000));
    let set = |times: usize| format!("{some}- {{id: a, set: {{much: {}}}}}\n", vec!["steps.s.x"; times].join(" + "));
    let told = |times: usize| told(&predicted(&set(times), false));
    assert!(told(21).ends_with("a: would run\n"), "{}", told(21));
    assert!(
        told(22).contains("a: would run and fail: what it gives has 660") && told(22).contains("at most 65536 are recorded"),
        "{}",
        told(22)
    );
}
