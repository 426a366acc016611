//! What a dry run does not claim, because a failure or an end elsewhere could make it otherwise.

use runbook_core::explore::{DryRun, Nothing, Options, Sight, Told, World, dry_run};
use runbook_core::run::event::{AttemptEnd, Failure};
use runbook_core::run::task::Task;
use runbook_core::{Run, StepPath, Value};

use super::{LOOK, OTHER, plan, plan_with, predicted, said_of_a, started, told};

#[test]
fn what_stands_beside_an_end_is_not_known() {
    let end = "finish: {outcome: succeeded}";
    for (beside, expect) in [(end, "cannot know: `end` may end the run before it"), ("exec: [x], effect: read", "would run")] {
        let steps = format!(
            "- parallel:\n    one:\n    - {{id: x, exec: [x], effect: read}}\n    - {{id: end, {beside}}}\n    two:\n    - {{id: y, exec: [y], effect: read}}\n    - {{id: a, exec: [x], effect: read}}\n"
        );
        let told = told(&predicted(&steps, false));
        let said = |path: &str| told.lines().find_map(|line| line.strip_prefix(&format!("parallel-1.{path}: ")).map(str::to_owned));
        assert_eq!(said("two/a").as_deref(), Some(expect), "{told}");
        assert_eq!(said("two/y").as_deref(), Some("would run"), "{told}");
    }
}

#[test]
fn items_and_branches_behind_an_end_are_told() {
    let each = "- id: e\n  each:\n    in: '[1, 2, 3]'\n    as: one\n    steps:\n    - {id: bad, check: [{that: one > 1}]}\n    - {id: b, exec: [x], effect: read}\n";
    let one_by_one = told(&predicted(each, false));
    for line in ["e[0]/b: would skip: `bad` fails", "e[1]/bad: would skip: `bad` fails", "e[2]/b: would skip: `bad` fails"] {
        assert!(one_by_one.contains(line), "{line}:\n{one_by_one}");
    }
    let bears = told(&predicted(
        &each
            .replace("as: one", "as: one\n    max_failures: 1")
            .replace("bad, check: [{that: one > 1}]", "bad, if: inputs.n > 0, finish: {outcome: failed}"),
        false,
    ));
    assert!(bears.contains("e[1]/bad: cannot know: only a failure in `e` leads here: `bad` ends the run"), "{bears}");
    let branches = "- id: p\n  max_parallel: 1\n  parallel:\n    one:\n    - {id: bad, check: [{that: 1 > 2}]}\n    two:\n    - {id: b, exec: [x], effect: read}\n";
    let branches = told(&predicted(branches, false));
    assert!(branches.contains("p.two/b: would skip: `bad` fails"), "{branches}");
}

/// A failure that is known before comes when everything beside it has had its turn.
#[test]
fn what_stands_beside_a_sure_failure_is_no_less_known() {
    let beside = |fails: &str| {
        format!(
            "- id: p\n  parallel:\n    one:\n    - {fails}\n    two:\n    - {{id: b, exec: [x], effect: read}}\n    - {{id: c, exec: [x], effect: read}}\n"
        )
    };
    let never = |times: u32| format!("{{id: a, repeat: {{until: 1 > 2, times: {times}, steps: [{{exec: [x], effect: read}}]}}}}");
    for fails in [&never(1), &never(2), "{id: a, check: [{that: 1 > 2}]}"] {
        let told = told(&predicted(&beside(fails), false));
        assert!(told.contains("p.one/a: would run and fail: "), "{told}");
        assert!(told.ends_with("p.two/b: would run\np.two/c: would run\n"), "{told}");
    }
    let absurd = never(1).replace("1 > 2", "steps.z.exit_code > 1").replace("exec: [x]", "id: z, exec: [x], if: inputs.n > 5");
    let told = told(&predicted(&beside(&absurd), false));
    assert!(told.contains("p.one/a: would run and fail: ") && told.ends_with("p.two/c: would run\n"), "{told}");
}

/// How far what stands beside such a failure has come by then, a run has to tell.
#[test]
fn what_a_sure_failure_beside_it_may_have_ended_may_be_lacking() {
    let outcomes = |dry: &DryRun| dry.outcomes.iter().map(|outcome| outcome.kind.name()).collect::<Vec<_>>();
    let whole = |on_failure: &str, fails: &str, then: &str| {
        predicted(
            &format!(
                "- id: p\n  on_failure: {on_failure}\n  parallel:\n    one:\n    - {{id: own, exec: [x], effect: read}}\n    - {{id: bad, {fails}}}\n    two:\n    - {{id: b, exec: [x], effect: read}}\n- {{id: a, {then}, effect: read}}\n"
            ),
            false,
        )
    };
    let fails = "check: [{that: 1 > 2}]";
    let beside = whole("continue", fails, "exec: [x, '{{steps.b.stdout}}']");
    assert!(told(&beside).ends_with("a: cannot know: it depends on steps.b.stdout\n"), "{}", told(&beside));
    assert_eq!(outcomes(&beside), ["succeeded", "failed"]);
    let shown = beside.steps.last().and_then(|step| step.work.as_ref()).map(|work| &work.task);
    assert!(matches!(shown, Some(Task::Exec { argv }) if argv[1] == "‹steps.b.stdout›"), "{shown:?}");
    // What stands before it has run, and who fails alone has company no more.
    assert_eq!(outcomes(&whole("continue", fails, "exec: [x, '{{steps.own.stdout}}']")), ["succeeded"]);
    assert_eq!(outcomes(&whole("continue", "exec: [x], effect: read", "exec: [x, '{{steps.b.stdout}}']")), ["succeeded"]);
    assert_eq!(outcomes(&whole("continue", fails, "exec: [x]")), ["succeeded"]);
    assert_eq!(outcomes(&whole("stop", fails, "exec: [x, '{{steps.b.stdout}}']")), ["failed"]);
    // Who asks whether it has run is right on both ways.
    let asks = whole("continue", fails, "if: '\"b\" in steps', exec: [x, '{{steps.b.stdout}}']");
    assert!(told(&asks).ends_with("a: cannot know: `\"b\" in steps` depends on steps.b\n"), "{}", told(&asks));
    assert_eq!(outcomes(&asks), ["succeeded"]);

    // Of what a step that succeeded leads past, the same.
    let past = "- {id: s, exec: [x], effect: read, on_failure: continue, next: a}\n- {id: b, exec: [x], effect: read}\n- {id: a, exec: [x, '{{steps.b.stdout}}'], effect: read}\n";
    assert_eq!(outcomes(&predicted(past, false)), ["succeeded", "failed"]);
}

#[test]
fn what_a_called_procedure_gives_may_rest_on_what_is_lacking() {
    let called = OTHER.replace(
        "- {id: inner,",
        "- id: p\n  parallel:\n    one:\n    - {id: end, finish: {outcome: succeeded}}\n    two:\n    - {id: inner,",
    );
    let plan =
        plan_with("- {id: c, call: other@^1, with: {n: 1}, on_failure: continue}\n- {id: a, exec: [x], effect: read}\n", &called);
    let dry = dry_run(&plan, &started(&plan), "2026-01-01T00:00:00Z".parse().unwrap(), &Options::default(), &mut Nothing).unwrap();
    let told = told(&dry);
    assert!(
        told.contains(
            "c: cannot know: on some ways it fails: `steps.inner.word`: step `inner` gives nothing where it was ended by what stands beside it"
        ),
        "{told}"
    );
    assert!(told.ends_with("a: would run\n"), "{told}");
}

#[test]
fn whatever_reads_what_a_run_may_lack_may_fail() {
    let whole = "- id: p\n  on_failure: GOES\n  parallel:\n    one:\n    - {id: bad, check: [{that: 1 > 2}]}\n    two:\n    - {id: s, set: {v: 1}}\n";
    let goes_on = whole.replace("GOES", "continue");
    let round = goes_on.replace('\n', "\n    ");
    for (steps, path) in [
        (format!("{goes_on}- {{id: a, exec: [x, '{{{{steps.s.v}}}}'], effect: read}}\n"), "a"),
        (format!("{goes_on}- {{id: a, wait: {{until: steps.s.v == 1, every: 1s, within: 5s}}}}\n"), "a"),
        (format!("- id: a\n  repeat:\n    until: steps.s.v == 1\n    times: 1\n    steps:\n    {}\n", round.trim_end()), "a"),
        (
            format!("{}on_failure:\n- {{id: a, exec: [x, '{{{{steps.s.v}}}}'], effect: read}}\n", whole.replace("GOES", "stop")),
            "~on_failure/a",
        ),
    ] {
        let told = told(&predicted(&steps, false));
        let said = told.lines().find_map(|line| line.strip_prefix(&format!("{path}: cannot know: on some ways it fails: ")));
        assert!(said.is_some_and(|why| why.contains("step `s` gives nothing where it was ended")), "{steps}\n{told}");
    }
}

/// Fails the first attempt of each step but those whose label begins with `z`, and remembers how far the others could be seen.
#[derive(Default)]
struct FailsFirst(Vec<(String, Sight)>);

impl World for FailsFirst {
    fn attempt(&mut self, run: &Run, path: &StepPath, sight: Sight) -> Told {
        self.0.push((path.to_string(), sight));
        let failure = Failure { message: "no".to_owned(), at: None, detail: None };
        let first = !path.label().starts_with('z') && run.find_step(path).is_some_and(|step| step.attempt() == 0);
        Told { end: first.then_some(AttemptEnd::Failed { failure, result: Value::Null }), note: None, ..Told::default() }
    }
}

#[test]
fn what_ends_nothing_beside_it_is_not_held_back() {
    let items = (0..60).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let step = "{id: m, exec: [x], effect: read, RETRY}";
    for (bears, retry, ends) in [
        ("max_failures: 60", "on_failure: stop", "succeeded"),
        ("max_failures: 0", "retry: {attempts: 2, delay: 1s}", "succeeded"),
        ("max_failures: 0", "on_failure: stop", "failed"),
    ] {
        let step = step.replace("RETRY", retry);
        let plan = plan_with(
            &format!(
                "- {{id: e, each: {{in: '[{items}]', max_parallel: 60, {bears}, steps: [{step}, {{id: z, exec: [x], effect: read}}]}}}}\n"
            ),
            OTHER,
        );
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let dry = dry_run(&plan, &started(&plan), now, &Options::default(), &mut FailsFirst::default()).unwrap();
        assert_eq!((dry.ways, dry.complete, dry.outcomes[0].kind.name()), (1, true, ends), "{bears} {retry}");
    }
}

#[test]
fn behind_what_is_held_back_nobody_knows_what_a_run_comes_to() {
    let plan = plan(
        "- id: p\n  parallel:\n    one:\n    - {id: c, exec: [x], effect: read}\n    two:\n    - {id: z1, exec: [x], effect: read}\n    - {id: z2, exec: [x], effect: read}\n",
    );
    let (now, mut world) = ("2026-01-01T00:00:00Z".parse().unwrap(), FailsFirst::default());
    dry_run(&plan, &started(&plan), now, &Options::default(), &mut world).unwrap();
    let sights: Vec<(&str, Sight)> = world.0.iter().map(|(path, sight)| (path.as_str(), sight.clone())).collect();
    assert_eq!(sights[..3], [("p.one/c", Sight::Clear), ("p.two/z1", Sight::Doubtful), ("p.two/z2", Sight::Doubtful)]);
}

#[test]
fn ways_that_part_for_what_is_lacking_are_no_more_than_others() {
    let reads =
        |n: usize| format!("- {{id: s{n}, exec: [x], effect: read, on_failure: continue, outputs: {{v: steps.b.stdout}}}}\n");
    let reread = |n: usize| format!("- {{id: t{n}, exec: [x, '{{{{steps.s{n}.v}}}}'], effect: read, on_failure: continue}}\n");
    let whole = "- id: p\n  on_failure: continue\n  parallel:\n    one:\n    - {id: bad, check: [{that: 1 > 2}]}\n    two:\n    - {id: b, exec: [x], effect: read}\n";
    let steps: String = (0..14).map(reads).chain((0..14).map(reread)).collect();
    let dry = predicted(&format!("{whole}{steps}"), false);
    assert!(!dry.complete && dry.ways < 1_000, "{}", dry.ways);
}

/// A time that is over before a wait in it is.
#[test]
fn a_wait_that_is_longer_than_the_time_around_it_fails() {
    let after = "- {id: a, exec: [x], effect: read}\n";
    let group =
        format!("- {{id: g, timeout: 1s, group: [{{id: w, wait: {{for: 2s}}}}, {{id: b, exec: [x], effect: read}}]}}\n{after}");
    let told_of = |steps: &str| told(&predicted(steps, false));
    let short = told_of(&group);
    assert_eq!(
        short,
        "g: would run and fail: it did not end within 1s\ng/w: would run and fail: it was stopped before it was done\ng/b: would skip: `w` fails\na: would skip: `g` fails\n"
    );
    let longer = told_of(&group.replace("timeout: 1s", "timeout: 3s"));
    assert_eq!(longer, "g: would run\ng/w: would run\ng/b: would run\na: would run\n");
    // What is held back lets time pass that a run does not need.
    let late = "- id: p\n  timeout: 4s\n  parallel:\n    one:\n    - {id: u, wait: {for: 3s}}\n    two:\n    - {id: v, on_failure: continue, wait: {until: 1 > 2, within: 2s}}\n    - {id: w, wait: {for: 1500ms}}\n";
    assert!(told_of(late).starts_with("p: would run\n"), "{}", told_of(late));
    // The time of the group began before that of the wait.
    assert_eq!(told_of(&group.replace("timeout: 1s", "timeout: 2s")), short.replace("1s", "2s"));
}

/// What comes up only after a failure is told whole where that is sure.
#[test]
fn what_a_sure_failure_leads_to_is_told_with_all_its_steps() {
    let beside = "- {id: a, if: inputs.n == 4, exec: [x], effect: read, next: c}\n- {id: b, exec: [x], effect: read}\n- {id: c, choose: [{when: inputs.n > 4, steps: [{id: d, exec: [x], effect: read}]}]}\n- {id: e, if: inputs.n > 4, group: [{id: f, exec: [x], effect: read}]}\n";
    let fails = "- {id: bad, check: [{that: inputs.n > 4}]}\n";
    let lines = |prefix: &str| {
        [
            "a: would run",
            "b: cannot know: only a failure of `a` leads here: `a` goes on with `c`",
            "c: would run",
            "c/d: would skip: `inputs.n > 4` does not hold",
            "e: would skip: `inputs.n > 4` does not hold",
            "e/f: would skip: `e` is skipped",
        ]
        .map(|line| format!("{prefix}/{line}"))
        .to_vec()
    };
    let own = told(&predicted(&format!("{fails}on_failure:\n{beside}"), false));
    assert_eq!(own.lines().skip(1).collect::<Vec<_>>(), lines("~on_failure"));
    // Without a failure there is nothing to tell, where the call is skipped as where it is not.
    let well = told(&predicted(&format!("{}on_failure:\n{beside}", fails.replace("> 4", "== 4")), false));
    assert_eq!(well, "bad: would run\n");
    // What tidies up goes on after a failure too.
    let last = told(&predicted(&format!("- {{id: x, exec: [x], effect: read}}\nfinally:\n{beside}"), false));
    assert_eq!(last.lines().skip(1).collect::<Vec<_>>(), lines("~finally"));
    // And what takes back.
    let undo = "- id: m\n  exec: [x]\n  undo:\n  - {id: u, if: inputs.n > 4, group: [{id: v, exec: [x], idempotent: true}]}\n";
    let undo = told(&predicted(&format!("{undo}{}", fails.replace("]}\n", "], on_failure: rollback}\n")), false));
    assert!(
        undo.contains("m~undo/u: would skip: `inputs.n > 4` does not hold\nm~undo/u/v: would skip: `u` is skipped\n"),
        "{undo}"
    );
}

#[test]
fn the_last_change_is_taken_back_first() {
    let change = |id: &str| format!("{{id: {id}, exec: [x], undo: {{exec: [back, {id}]}}}}");
    let steps = format!(
        "- {}\n- {{id: g, group: [{}, {}]}}\n- {{id: e, each: {{in: '[1, 2]', steps: [{}]}}}}\n- {{id: r, repeat: {{until: inputs.n > 5, times: 2, steps: [{}]}}, on_failure: rollback}}\n",
        change("a"),
        change("b"),
        change("c"),
        change("d"),
        change("f"),
    );
    let dry = predicted(&steps, false);
    let undone: Vec<&str> = dry.steps.iter().filter_map(|step| step.path.as_str().strip_suffix("~undo/exec-1")).collect();
    assert_eq!(undone, ["r[2]/f", "r[1]/f", "e[1]/d", "e[0]/d", "g/c", "g/b", "a"]);
}

#[test]
fn what_a_failure_would_change_is_not_known_where_a_run_goes_on_after_it() {
    for (steps, expect) in [
        (
            "- {id: b, exec: [x], effect: read, on_failure: continue}\n- {id: a, if: steps.b.exit_code == 0, exec: [x], effect: read}\n",
            "cannot know: `steps.b.exit_code == 0` depends on steps.b.exit_code",
        ),
        ("- {id: b, exec: [x], effect: read}\n- {id: a, if: steps.b.exit_code == 0, exec: [x], effect: read}\n", "would run"),
        (
            "- {id: g, on_failure: continue, group: [{id: b, exec: [x], effect: read}]}\n- {id: a, if: '\"b\" in steps', exec: [x], effect: read}\n",
            "cannot know: `\"b\" in steps` depends on steps.b",
        ),
        (
            "- {id: b, exec: [x], irreversible: so}\n- {id: a, if: '\"b\" in steps', exec: [x], effect: read}\n",
            "cannot know: `\"b\" in steps` depends on steps.b",
        ),
        (
            "- {id: go, approve: {question: 'Go?', within: 1h}, on_failure: continue}\n- {id: a, if: steps.go.granted, exec: [x], effect: read}\n",
            "cannot know: `steps.go.granted` depends on steps.go.granted",
        ),
        (
            "- {id: e, each: {in: '[1, 2]', max_failures: 1, steps: [{id: q, exec: [q], effect: read}]}}\n- {id: a, if: steps.e.len() > 1, exec: [x], effect: read}\n",
            "cannot know: `steps.e.len() > 1` depends on steps.e",
        ),
        ("- {id: a, exec: [x, '{{run.requested_by}}'], effect: read}\n", "cannot know: it depends on run.requested_by"),
        // Where a failure leads past a step, or to one that a success jumps over.
        (
            "- {id: b, exec: [x], effect: read, on_failure: {next: a}}\n- {id: c, exec: [x], effect: read}\n- {id: a, if: '!(\"c\" in steps)', exec: [x], effect: read}\n",
            "cannot know: `!(\"c\" in steps)` depends on steps.c",
        ),
        (
            "- {id: b, exec: [x], effect: read, on_failure: {next: d}}\n- {id: c, exec: [x], effect: read, next: a}\n- {id: d, exec: [x], effect: read}\n- {id: a, if: '\"d\" in steps', exec: [x], effect: read}\n",
            "cannot know: `\"d\" in steps` depends on steps.d",
        ),
        (
            "- {id: b, exec: [x], effect: read, on_failure: continue, next: a}\n- {id: d, set: {n: 1}}\n- {id: a, exec: [x, '{{steps.d.n}}'], effect: read}\n",
            "cannot know: it depends on steps.d",
        ),
        (
            "- {id: b, exec: [x], effect: read, on_failure: {next: c}}\n- {id: c, exec: [x], effect: read}\n- {id: a, if: '\"b\" in steps', exec: [x], effect: read}\n",
            "cannot know: `\"b\" in steps` depends on steps.b",
        ),
        // What it leads to may jump on.
        (
            "- {id: b, exec: [x], effect: read, on_failure: continue, next: d}\n- {id: c, exec: [x], effect: read, next: a}\n- {id: d, exec: [x], effect: read}\n- {id: a, if: '\"d\" in steps', exec: [x], effect: read}\n",
            "cannot know: `\"d\" in steps` depends on steps.d",
        ),
        (
            "- {id: c, exec: [x], effect: read}\n- {id: b, exec: [x], effect: read, on_failure: {next: a}}\n- {id: a, if: '\"c\" in steps', exec: [x], effect: read}\n",
            "would run",
        ),
    ] {
        assert_eq!(said_of_a(steps), expect, "{steps}");
    }
    for (when, expect) in [
        ("run.outcome == \"succeeded\"", "cannot know: `run.outcome == \"succeeded\"` depends on run.outcome"),
        ("'\"look\" in steps'", "cannot know: `\"look\" in steps` depends on steps.look"),
        ("steps.look.exit_code == 0", "cannot know: `steps.look.exit_code == 0` depends on steps.look.exit_code"),
        ("inputs.n == 4", "would run"),
    ] {
        let dry = predicted(&format!("{LOOK}finally:\n- {{id: a, if: {when}, exec: [x], effect: read}}\n"), false);
        let told = told(&dry);
        assert_eq!(told.lines().find_map(|line| line.strip_prefix("~finally/a: ")), Some(expect), "{told}");
    }
}
