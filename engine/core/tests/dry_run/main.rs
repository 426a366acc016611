//! The dry run as a table: a procedure, what is known before it runs, and what is said of each step.

mod awaited;
mod corners;
mod doubts;
mod ends;
mod ways;

use std::sync::Arc;

use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::explore::{DryRun, Later, Nothing, Options, Sight, Told, Verdict, World, dry_run};
use runbook_core::run::event::{AttemptEnd, Event, Fact, Identity, Means, Part, Resolution, RunStarted};
use runbook_core::run::task::Task;
use runbook_core::{Digest, Map, Plan, Run, RunId, StepPath, Value};

const OTHER: &str = "apiVersion: runbook/v1
kind: Runbook
name: other
version: 1.0.0
inputs: {n: {type: integer}}
steps:
- {id: inner, exec: [inner, '{{inputs.n}}'], effect: read, outputs: {word: result.stdout.trim()}}
outputs: {word: steps.inner.word}
";

fn plan(steps: &str) -> Arc<Plan> {
    plan_with(steps, OTHER)
}

fn plan_with(steps: &str, other: &str) -> Arc<Plan> {
    let main = format!(
        "apiVersion: runbook/v1\nkind: Runbook\nname: test\nversion: 1.0.0\ninputs: {{n: {{type: integer, default: 4}}}}\nsteps:\n{steps}"
    );
    let mut procedures = Vec::new();
    for (name, text) in [("test.yaml", main.as_str()), ("other.yaml", other)] {
        let (document, diagnostics) = load(&Source::new(name, text));
        let Some(Document::Procedure(procedure)) = document else { panic!("{diagnostics:#?}") };
        procedures.push(*procedure);
    }
    let (plan, diagnostics) = check(&procedures[0], &Catalogue::new(procedures.iter(), None), &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{diagnostics:#?}")))
}

fn started(plan: &Plan) -> RunStarted {
    RunStarted {
        procedure: plan.main().name.clone(),
        version: plan.main().version,
        plan: Digest::of_bytes(b"the plan"),
        semantics: plan.semantics,
        inputs: Map::from([("n".to_owned(), Value::Int(4))]),
        event: None,
        environment: None,
        requested_by: Identity { person: "operator".to_owned(), means: Means::Engine },
        seed: 7,
        part: Part::Whole,
        stepwise: false,
        catalogue: None,
        lock: None,
        root: None,
    }
}

fn predicted(steps: &str, examples: bool) -> DryRun {
    let plan = plan(steps);
    dry_run(&plan, &started(&plan), "2026-01-01T00:00:00Z".parse().unwrap(), &Options { examples }, &mut Nothing).unwrap()
}

/// `path: verdict` for each step, in order.
fn told(dry: &DryRun) -> String {
    let verdict = |v: &Verdict| match v {
        Verdict::WouldRun => "would run".to_owned(),
        Verdict::WouldSkip { because } => format!("would skip: {because}"),
        Verdict::CannotKnow { because } => format!("cannot know: {because}"),
    };
    let fails = |why: &Option<String>| why.as_ref().map(|why| format!(" and fail: {why}")).unwrap_or_default();
    dry.steps.iter().map(|s| format!("{}: {}{}\n", s.path, verdict(&s.verdict), fails(&s.fails))).collect()
}

const LOOK: &str =
    "- {id: look, exec: [look], effect: read, outputs: {size: result.stdout.trim().parse_int()}, example: {size: 3}}\n";

#[test]
fn each_step_is_said_to_run_to_be_skipped_or_not_to_be_known() {
    for (name, steps, ways, expect) in [
        ("all known", "- {id: a, exec: [a, '{{inputs.n}}'], effect: read}\n".to_owned(), 1, "a: would run\n".to_owned()),
        (
            "would skip, because",
            "- {id: a, if: inputs.n > 5, exec: [a], effect: read}\n".to_owned(),
            1,
            "a: would skip: `inputs.n > 5` does not hold\n".to_owned(),
        ),
        (
            "an unknown `if`",
            format!("{LOOK}- {{id: a, if: steps.look.size > 5, exec: [a], effect: read}}\n- {{id: b, exec: [b], effect: read}}\n"),
            2,
            "look: would run\na: cannot know: `steps.look.size > 5` depends on steps.look.size\nb: would run\n".to_owned(),
        ),
        (
            "an unknown argument",
            format!("{LOOK}- {{id: a, exec: [a, '{{{{steps.look.size}}}}'], effect: read}}\n"),
            1,
            "look: would run\na: cannot know: it depends on steps.look.size\n".to_owned(),
        ),
        (
            "an unknown `choose`",
            format!(
                "{LOOK}- choose:\n  - {{when: steps.look.size > 5, steps: [{{id: a, exec: [a], effect: read}}]}}\n  - otherwise: [{{id: b, exec: [b], effect: read}}]\n- {{id: c, exec: [c], effect: read}}\n"
            ),
            2,
            "look: would run\nchoose-2: cannot know: `steps.look.size > 5` depends on steps.look.size\nchoose-2/a: cannot know: `steps.look.size > 5` depends on steps.look.size\nchoose-2/b: cannot know: `steps.look.size > 5` depends on steps.look.size\nc: would run\n".to_owned(),
        ),
        (
            "unknown items are shown once",
            "- {id: look, exec: [look], effect: read, outputs: {all: result.json}}\n- {id: every, each: {in: steps.look.all, as: x, steps: [{id: a, exec: [a, '{{x}}'], effect: read}]}}\n".to_owned(),
            2,
            "look: would run\nevery: cannot know: how often its steps run depends on steps.look.all\nevery[0]/a: cannot know: it depends on x\n".to_owned(),
        ),
        (
            "known items are shown each",
            "- {id: every, each: {in: '[1, 2]', steps: [{id: a, exec: [a, '{{item}}'], effect: read}]}}\n".to_owned(),
            1,
            "every: would run\nevery[0]/a: would run\nevery[1]/a: would run\n".to_owned(),
        ),
        (
            "a call",
            "- {id: sub, call: other@^1, with: {n: inputs.n + 1}, effect: read}\n- {id: a, exec: [a, '{{steps.sub.word}}'], effect: read}\n".to_owned(),
            1,
            "sub: would run\nsub/inner: would run\na: cannot know: it depends on steps.sub.word\n".to_owned(),
        ),
        (
            "a loop and a wait are shown once",
            "- {id: poll, repeat: {until: steps.look.exit_code == 1 || steps.look.stdout == \"x\", times: 3, every: 5s, steps: [{id: look, exec: [look], effect: read}]}}\n- {id: nap, wait: {for: 1h, within: 2h}}\n- {id: up, wait: {until: steps.probe.stdout == \"up\", every: 5s, within: 1m, probe: {id: probe, exec: [probe], effect: read}}}\n".to_owned(),
            1,
            "poll: cannot know: how often it looks depends on what it finds; it is shown once\npoll[1]/look: would run\nnap: would run\nup: cannot know: how often it looks depends on what it finds; it is shown once\nup[1]/probe: would run\n".to_owned(),
        ),
    ] {
        let dry = predicted(&steps, false);
        assert_eq!((told(&dry), dry.ways, dry.complete), (expect, ways, true), "{name}");
        let unknown = dry.steps.iter().filter(|s| matches!(s.verdict, Verdict::CannotKnow { .. })).count();
        assert_eq!(dry.unknown, unknown, "{name}");
    }
}

#[test]
fn an_example_stands_for_what_a_step_gives_where_it_is_asked_for() {
    let steps = format!("{LOOK}- {{id: a, if: steps.look.size > 2, exec: [a, '{{{{steps.look.size}}}}'], effect: read}}\n");
    let without = predicted(&steps, false);
    assert_eq!((without.ways, without.unknown), (2, 1));
    assert!(without.steps.iter().all(|s| s.notes.is_empty()));
    let with = predicted(&steps, true);
    assert_eq!((told(&with).as_str(), with.ways), ("look: would run\na: would run\n", 1));
    assert_eq!(with.steps[0].notes, ["what it gives is taken from its example"]);
    let argv = with.steps[1].work.as_ref().map(|w| &w.task);
    assert_eq!(argv, Some(&Task::Exec { argv: vec!["a".to_owned(), "3".to_owned()] }));
}

#[test]
fn an_example_does_not_say_that_a_step_works() {
    let steps =
        "- {id: a, rhai: '1', example: 1, on_failure: continue}\n- {id: b, if: '\"a\" in steps', exec: [x], effect: read}\n";
    let dry = predicted(steps, true);
    assert!(told(&dry).contains("b: cannot know"), "{}", told(&dry));
}

#[test]
fn what_only_a_real_run_has_is_not_known_before() {
    let dry = predicted("- {id: a, exec: [a, '{{run.id}} {{run.started_at}} {{now}} {{run.name}}'], effect: read}\n", false);
    let argv = dry.steps[0].work.as_ref().map(|w| &w.task);
    let expect = "‹run.id› ‹run.started_at› ‹now› test".to_owned();
    assert_eq!(argv, Some(&Task::Exec { argv: vec!["a".to_owned(), expect] }));
    assert_eq!(dry.unknown, 1);
    // A name that was made of it is known by that name, and not as if it were the same.
    let dry = predicted(
        "- {id: name, set: {file: '\"a-\" + run.id'}}\n- {id: a, exec: [a, '{{steps.name.file}}'], effect: read}\n",
        false,
    );
    let argv = dry.steps[1].work.as_ref().map(|w| &w.task);
    assert_eq!(argv, Some(&Task::Exec { argv: vec!["a".to_owned(), "‹steps.name.file›".to_owned()] }));
}

#[test]
fn people_are_shown_what_they_will_be_asked() {
    let dry = predicted(
        "- {id: go, approve: {question: 'Really {{inputs.n}}?', count: 2}}\n- {id: a, exec: [a], irreversible: gone}\n",
        false,
    );
    assert_eq!(told(&dry), "go: would run\na: would run\n");
    let asked: Vec<(&str, u32)> = dry.steps[0].requests.iter().map(|r| (r.request.question.as_str(), r.request.count)).collect();
    assert_eq!(asked, [("Really 4?", 2)]);
    assert_eq!(dry.steps[0].requests[0].request.next[0].path.as_str(), "a");
}

/// Steps each of which may be skipped, by a condition of its own.
fn doubtful(count: usize) -> String {
    let step = |n| format!("- {{id: a{n}, if: steps.look.size > {n}, exec: [a], effect: read}}\n");
    LOOK.to_owned() + &(0..count).map(step).collect::<String>()
}

#[test]
fn ways_that_meet_in_the_same_state_are_one() {
    let dry = predicted(&doubtful(40), false);
    assert_eq!((dry.complete, dry.ways, dry.steps.len()), (true, 1 << 40, 41));
    let order: Vec<&str> = dry.steps.iter().map(|s| s.path.as_str()).collect();
    assert_eq!((order[1], order[40]), ("a0", "a39"));
    assert_eq!(dry.unknown, 40);
}

/// Whether one step has run keeps apart only the ways that differ in that, whatever else they have been through.
#[test]
fn a_question_after_one_step_keeps_no_others_apart() {
    for asks in ["\"a0\" in steps", "\"a0\" !in steps", "steps?.a0 != ()", "steps?.a0?.json == ()"] {
        let asks = format!("{}- {{id: z, if: '{asks}', exec: [z], effect: read}}\n", doubtful(40));
        let dry = predicted(&asks, false);
        assert_eq!((dry.complete, dry.steps.len(), dry.unknown), (true, 42, 41), "{asks}");
    }
    // One that is known to have run, or not to, beside one whose failure would be passed over.
    let beside = "- {id: b, if: 1 < 2, exec: [b], effect: read}\n- {id: c, if: 1 > 2, exec: [c], effect: read}\n\
                  - {id: d, exec: [d], effect: read, on_failure: continue}\n";
    for (asks, expect) in [("b", "would run"), ("c", "would skip: `\"c\" in steps` does not hold")] {
        assert_eq!(said_of_a(&format!("{beside}- {{id: a, if: '\"{asks}\" in steps', exec: [a], effect: read}}\n")), expect);
    }
}

#[test]
fn the_ways_are_bounded_and_that_is_said() {
    // Whether each of them has run is read at the end, so that no two ways are alike.
    let words: Vec<String> = (0..20).map(|n| format!("\"a{n}\" in steps")).collect();
    let dry = predicted(&format!("{}- {{id: all, set: {{some: '{}'}}}}\n", doubtful(20), words.join(" || ")), false);
    assert!(!dry.complete && dry.ways < 1 << 20, "{}", dry.ways);
    assert_eq!(dry.steps.len(), 22);
    // What comes before is said as ever; nothing behind is claimed, for the ways that were not followed may do otherwise.
    assert_eq!(dry.steps[0].verdict, Verdict::WouldRun);
    let reading: String = (0..9).map(|n| format!("- {{id: e{n}, if: '\"a{n}\" in steps', exec: [e], effect: read}}\n")).collect();
    let dry = predicted(&format!("{}{reading}- {{id: z, exec: [z], effect: read}}\n", doubtful(9)), false);
    assert!(!dry.complete);
    let claimed: Vec<&str> =
        dry.steps.iter().filter(|s| !matches!(s.verdict, Verdict::CannotKnow { .. })).map(|s| s.path.as_str()).collect();
    assert_eq!(claimed, ["look"]);
    // What a way has come past that is followed no further was on a way all the same.
    let branches: String = (0..9)
        .map(|n| format!("- choose: [{{when: steps.look.size > {n}, steps: [{{id: a{n}, exec: [a], effect: read}}]}}, {{otherwise: [{{id: b{n}, exec: [b], effect: read}}]}}]\n"))
        .collect();
    let chosen = predicted(&format!("{LOOK}{branches}{reading}"), false);
    assert!(!chosen.complete);
    let skipped: Vec<&str> =
        chosen.steps.iter().filter(|s| matches!(s.verdict, Verdict::WouldSkip { .. })).map(|s| s.path.as_str()).collect();
    assert_eq!(skipped, [""; 0]);
    // All steps are told: also those that none of the ways came to that were followed.
    assert_eq!((dry.steps.len(), dry.unfollowed_from.unwrap().as_str(), dry.more_steps), (20, "a8", false));
    let list = format!("[{}]", vec!["0"; 200].join(", "));
    let inner = format!("- {{id: f, each: {{in: '{list}', steps: [{{id: a, set: {{x: item}}}}]}}}}");
    let dry = predicted(&format!("- {{id: e, each: {{in: '{list}', steps: [{}]}}}}\n", inner.trim_start_matches("- ")), false);
    assert!(!dry.complete);
    assert_eq!((dry.steps.len(), dry.more_steps), (runbook_core::limits::DRY_RUN_STEPS, true));
}

#[test]
fn a_condition_holds_wherever_it_is_written_again() {
    for (name, steps, ways, expect) in [
        (
            "the same words",
            "- {id: a, if: steps.look.size > 5, exec: [a], effect: read}\n- {id: b, if: steps.look.size > 5, exec: [b, '{{steps.a.stdout}}'], effect: read}\n",
            2,
            "look: would run\na: cannot know: `steps.look.size > 5` depends on steps.look.size\nb: cannot know: `steps.look.size > 5` depends on steps.look.size\n",
        ),
        (
            "a branch that was passed over",
            "- choose: [{when: steps.look.size > 5, steps: [{id: a, exec: [a], effect: read}]}, {otherwise: [{id: b, exec: [b], effect: read}]}]\n- {id: c, if: steps.look.size > 5, exec: [c, '{{steps.a.stdout}}'], effect: read}\n",
            2,
            "look: would run\nchoose-2: cannot know: `steps.look.size > 5` depends on steps.look.size\nchoose-2/a: cannot know: `steps.look.size > 5` depends on steps.look.size\nchoose-2/b: cannot know: `steps.look.size > 5` depends on steps.look.size\nc: cannot know: `steps.look.size > 5` depends on steps.look.size\n",
        ),
        (
            "time goes on",
            "- {id: a, if: now > time(\"2026-01-01T00:00:00Z\"), exec: [a], effect: read}\n- {id: b, if: now > time(\"2026-01-01T00:00:00Z\"), exec: [b], effect: read}\n",
            4,
            "look: would run\na: cannot know: `now > time(\"2026-01-01T00:00:00Z\")` depends on now\nb: cannot know: `now > time(\"2026-01-01T00:00:00Z\")` depends on now\n",
        ),
        (
            "what sets ways apart is what is told",
            "- {id: a, if: steps.look.size > 5, exec: [a], effect: read}\n- {if: steps.look.size > 9, finish: {outcome: succeeded}}\n- {id: b, if: steps.look.size > 7, exec: [b], effect: read}\n- {id: c, exec: [c], effect: read}\n",
            6,
            "look: would run\na: cannot know: `steps.look.size > 5` depends on steps.look.size\nfinish-3: cannot know: `steps.look.size > 9` depends on steps.look.size\nb: cannot know: `steps.look.size > 7` depends on steps.look.size\nc: cannot know: `steps.look.size > 9` depends on steps.look.size\n",
        ),
    ] {
        let dry = predicted(&format!("{LOOK}{steps}"), false);
        assert_eq!((told(&dry).as_str(), dry.ways, dry.complete), (expect, ways, true), "{name}");
    }
}

#[test]
fn what_an_undo_takes_back_is_kept_apart_where_it_matters() {
    let steps = "- {id: a, if: steps.look.size > 5, exec: [a], undo: [{id: b, exec: [b]}]}\n- {id: c, exec: [c], effect: read}\n";
    assert_eq!(predicted(&format!("{LOOK}{steps}"), false).ways, 2);
    let fails = "- {id: d, check: [{that: inputs.n > 5}], on_failure: rollback}\n";
    let dry = predicted(&format!("{LOOK}{steps}{fails}"), false);
    let doubt = "`steps.look.size > 5` depends on steps.look.size";
    assert!(
        told(&dry).ends_with(&format!(
            "c: would run\nd: would run and fail: `inputs.n > 5` does not hold\na~undo/b: cannot know: {doubt}\n"
        )),
        "{}",
        told(&dry)
    );
}

/// Knows what `look` gives, and whether that would be another later.
struct Seen(i64, Later);

impl World for Seen {
    fn attempt(&mut self, _: &Run, path: &StepPath, sight: Sight) -> Told {
        let result = Value::Map(Map::from([("stdout".to_owned(), Value::text(self.0.to_string()))]));
        let end = (path.label() == "look" && sight == Sight::Clear).then_some(AttemptEnd::Succeeded { result });
        Told { note: end.as_ref().map(|_| "seen".to_owned()), end, ..Told::default() }
    }

    fn later(&mut self, _: &Run, _: &StepPath) -> Later {
        self.1
    }
}

#[test]
fn what_somebody_knows_is_not_unknown() {
    let branch = "- {id: a, if: steps.look.size > 5, exec: [a, '{{steps.look.size}}'], effect: read}\n";
    let waits = format!(
        "- {{id: up, wait: {{until: steps.look.size > 5, every: 1m, within: 5m, probe: {}}}}}\n",
        LOOK.trim_start_matches("- ").trim()
    );
    for (name, steps, world, expect) in [
        ("a condition that holds", format!("{LOOK}{branch}"), Seen(7, Later::Same), "look: would run\na: would run\n"),
        (
            "one that does not",
            format!("{LOOK}{branch}"),
            Seen(3, Later::Same),
            "look: would run\na: would skip: `steps.look.size > 5` does not hold\n",
        ),
        ("a wait that is over", waits.clone(), Seen(7, Later::Same), "up: would run\nup[1]/look: would run\n"),
        (
            "a wait for what will not be another",
            waits.clone(),
            Seen(3, Later::Same),
            "up: would run and fail: its condition does not hold, and its time runs out\nup[1]/look: would run\n",
        ),
        (
            "a wait of which each look is known",
            waits,
            Seen(3, Later::Known),
            "up: would run and fail: it did not end within 5m\nup[1]/look: would run\nup[2]/look: would run\nup[3]/look: would run\nup[4]/look: would run\nup[5]/look: would run\n",
        ),
    ] {
        let plan = plan(&steps);
        let mut world = world;
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let dry = dry_run(&plan, &started(&plan), now, &Options::default(), &mut world).unwrap();
        assert_eq!((told(&dry).as_str(), dry.complete), (expect, true), "{name}");
        let seen = dry.steps.iter().filter(|step| step.path.label() == "look");
        assert!(seen.into_iter().all(|step| step.notes == ["seen"]), "{name}");
    }
}

/// What a dry run says of the one step `a`.
fn said_of_a(steps: &str) -> String {
    let dry = predicted(steps, false);
    let told = told(&dry);
    told.lines().find_map(|line| line.strip_prefix("a: ")).unwrap_or_else(|| panic!("{told}")).to_owned()
}

#[test]
fn what_rests_on_something_unknown_is_said_and_counted() {
    for (step, expect) in [
        ("check: [{that: steps.look.size > 1}]", "cannot know: whether `steps.look.size > 1` holds depends on steps.look.size"),
        ("approve: {question: 'For {{steps.look.size}}?', within: 1h}", "cannot know: what is asked depends on steps.look.size"),
        (
            "ask: {question: 'For {{steps.look.size}}?', fields: {b: {type: string}}, within: 1h}",
            "cannot know: what is asked depends on steps.look.size",
        ),
        (
            "manual: {do: Go, expect: '{{steps.look.size}}', within: 1h}, irreversible: it is",
            "cannot know: what is asked depends on steps.look.size",
        ),
        ("set: {b: steps.look.size + 1, c: '2'}", "cannot know: what it gives depends on steps.look.size"),
        ("wait: {for: 'duration(steps.look.size + \"s\")'}", "cannot know: how long it waits depends on steps.look.size"),
        ("call: other@^1, with: {n: steps.look.size}", "cannot know: what it is given depends on steps.look.size"),
        ("finish: {outcome: succeeded, message: '{{steps.look.size}}'}", "cannot know: what it says depends on steps.look.size"),
        (
            "run: 'echo {{steps.look.size}} {{now}} {{run.id}}', effect: read",
            "cannot know: it depends on steps.look.size, now, run.id",
        ),
        ("run: echo, effect: read, env: {B: steps.look.size}", "cannot know: it depends on steps.look.size"),
        ("http: {url: 'https://x.org', query: {b: '{{steps.look.size}}'}}", "cannot know: it depends on steps.look.size"),
        (
            "http: {url: 'https://x.org', method: PUT, json: {b: ['{{steps.look.size}}']}}, idempotent: true",
            "cannot know: it depends on steps.look.size",
        ),
        // Of all that the step gives, what the script reads.
        ("rhai: 'let b = steps.look.size; b + 1'", "cannot know: it depends on steps.look.size"),
        // What is written is not what is unknown.
        ("run: echo '‹steps.look.size›', effect: read", "would run"),
    ] {
        let dry = predicted(&format!("{LOOK}- {{id: a, {step}}}\n"), false);
        assert_eq!(said_of_a(&format!("{LOOK}- {{id: a, {step}}}\n")), expect, "{step}");
        assert_eq!(dry.unknown, dry.steps.iter().filter(|s| matches!(s.verdict, Verdict::CannotKnow { .. })).count(), "{step}");
        assert_eq!(dry.unknown > 0, expect != "would run", "{step}");
    }
}

#[test]
fn what_will_surely_fail_is_said() {
    for (steps, expect) in [
        ("- {id: a, check: [{that: inputs.n > 5, else: 'it is {{inputs.n}}'}]}\n", "would run and fail: it is 4"),
        ("- {id: a, set: {b: 8 / (inputs.n - 4)}}\n", "would run and fail: `8 / (inputs.n - 4)`: division by zero"),
        (
            "- {id: a, if: 8 / (inputs.n - 4) > 1, exec: [x], effect: read}\n",
            "would run and fail: `8 / (inputs.n - 4) > 1`: division by zero",
        ),
        (
            "- {id: b, if: inputs.n > 5, exec: [x], effect: read}\n- {id: a, effect: read, exec: [x, '{{steps.b.stdout}}']}\n",
            "would run and fail: step `b` gives nothing: it was skipped, because `inputs.n > 5` does not hold",
        ),
        (
            "- {id: a, wait: {until: inputs.n > 5, every: 1s, within: 7d}}\n",
            "would run and fail: its condition does not hold, and its time runs out",
        ),
        (
            "- {id: b, if: inputs.n > 5, exec: [x], effect: read}\n- {id: a, if: '\"b\" in steps', exec: [x], effect: read}\n",
            "would skip: `\"b\" in steps` does not hold",
        ),
        ("- {id: b, exec: [x], effect: read}\n- {id: a, if: '\"b\" in steps', exec: [x], effect: read}\n", "would run"),
    ] {
        assert_eq!(said_of_a(steps), expect, "{steps}");
    }
}

#[test]
fn of_several_ends_side_by_side_each_may_come_first() {
    let dry = predicted(
        "- id: both
  parallel:
    one: [{id: a, exec: [a], effect: read}, {id: bad, finish: {outcome: failed}}]
    two: [{id: b, exec: [b], effect: read}, {id: good, finish: {outcome: succeeded}}]
",
        false,
    );
    assert_eq!(
        told(&dry),
        "both: would run
both.one/a: would run
both.one/bad: cannot know: it depends on which way the run takes before it
both.two/b: would run
both.two/good: cannot know: it depends on which way the run takes before it
"
    );
    let mut outcomes: Vec<String> = dry.outcomes.iter().map(|outcome| format!("{:?}", outcome.kind)).collect();
    outcomes.sort();
    assert_eq!(outcomes, ["Failed", "Succeeded"]);
}

#[test]
fn text_of_nothing_fails_in_a_dry_run_as_in_a_real_one() {
    const NOTHING: &str = "{{run.environment}}";
    for step in [
        format!("run: 'rm -rf \"{NOTHING}\"/', effect: read"),
        format!("exec: [x, '{NOTHING}'], effect: read"),
        format!("exec: [x], dir: '{NOTHING}', effect: read"),
        "exec: [x], env: {A: run.environment}, effect: read".to_owned(),
        format!("http: {{url: 'https://x.org/{NOTHING}'}}"),
        format!("http: {{url: 'https://x.org', query: {{a: '{NOTHING}'}}, headers: {{b: x}}}}"),
        format!("http: {{url: 'https://x.org', headers: {{a: '{NOTHING}'}}}}"),
        format!("http: {{url: 'https://x.org', method: PUT, json: {{a: 'in {NOTHING}'}}}}, idempotent: true"),
        format!("http: {{url: 'https://x.org', method: PUT, form: {{a: '{NOTHING}'}}}}, idempotent: true"),
        format!("http: {{url: 'https://x.org', method: PUT, body: '{NOTHING}'}}, idempotent: true"),
        format!("notify: {{to: [post], message: '{NOTHING}'}}"),
        format!("notify: {{to: [post], message: x, subject: '{NOTHING}'}}"),
        format!("approve: {{question: '{NOTHING}', within: 1h}}"),
        format!("manual: {{do: x, expect: '{NOTHING}', within: 1h}}"),
        format!("manual: {{do: x, evidence: '{NOTHING}', within: 1h}}"),
        format!("check: [{{that: inputs.n > 5, else: '{NOTHING}'}}]"),
        format!("finish: {{outcome: failed, message: '{NOTHING}'}}"),
    ] {
        let steps = format!("- {{id: a, {step}}}\n");
        let plan = plan(&steps);
        let mut run = Run::new(plan.clone());
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        let fact = Fact::RunStarted(Box::new(started(&plan)));
        run.apply(&Event { run: RunId::from_parts(1, 2), seq: 1, at, fact }).unwrap();
        let resolved = run.resolve(&"a".parse().unwrap(), at);
        let Some(Fact::StepResolved { resolution: Resolution::Fail { error }, .. }) = resolved else {
            panic!("{step}: {resolved:?}")
        };
        assert!(error.message.contains("is nothing, and nothing is no text: write `"), "{step}: {}", error.message);
        assert_eq!(said_of_a(&steps), format!("would run and fail: {}", error.message), "{step}");
    }
    // Alone in JSON it is no text, and as the name of a step it is made up for.
    for step in [
        format!("http: {{url: 'https://x.org', method: PUT, json: {{a: '{NOTHING}'}}}}, idempotent: true"),
        format!("name: 'In {NOTHING}', exec: [x], effect: read"),
    ] {
        assert_eq!(said_of_a(&format!("- {{id: a, {step}}}\n")), "would run", "{step}");
    }
}

#[test]
fn nothing_of_a_prediction_passes_for_a_fact() {
    for (steps, expect) in [
        (
            "- {id: go, approve: {question: 'Go?', within: 1h}}\n- {id: a, exec: [x, '{{steps.go.by}}'], effect: read}\n",
            "cannot know: it depends on steps.go.by",
        ),
        (
            "- {id: go, approve: {question: 'Go?', within: 1h}}\n- {id: a, if: steps.go.granted, exec: [x], effect: read}\n",
            "would run",
        ),
        (
            "- {id: r, repeat: {until: steps.q.stdout == \"\", times: 3, steps: [{id: q, exec: [q], effect: read}]}}\n- {id: a, if: steps.r.rounds > 1, exec: [x], effect: read}\n",
            "cannot know: `steps.r.rounds > 1` depends on steps.r.rounds",
        ),
        (
            "- {id: l, exec: [l], effect: read, outputs: {all: result.json}}\n- {id: e, each: {in: steps.l.all, steps: [{id: q, exec: [q], effect: read}]}}\n- {id: a, if: steps.e.len() > 1, exec: [x], effect: read}\n",
            "cannot know: `steps.e.len() > 1` depends on steps.e",
        ),
        (
            "- {id: t, set: {at: now}}\n- {id: a, exec: [x, '{{steps.t.at}}'], effect: read}\n",
            "cannot know: it depends on steps.t.at",
        ),
    ] {
        assert_eq!(said_of_a(steps), expect, "{steps}");
    }
}

/// Of each step that holds others, how long these take at most, all together.
#[test]
fn a_whole_takes_what_its_parts_take() {
    let look = |id: &str, minutes: u32| format!("{{id: {id}, exec: [look], effect: read, timeout: {minutes}m}}");
    let (two, three, five) = (look("a", 2), look("b", 3), look("c", 5));
    let ask = "{id: go, approve: {question: Go?, within: 20m}}";
    let long = |verb: &str| format!("- {{id: all, {verb}}}\n");
    for (steps, expect) in [
        (long(&format!("group: [{two}, {three}]")), Some("5m")),
        (long(&format!("timeout: 4m, group: [{two}, {three}]")), Some("4m")),
        (long(&format!("timeout: 6m, group: [{two}, {three}]")), Some("5m")),
        (long(&format!("group: [{two}, {ask}]")), Some("22m")),
        (long(&format!("group: [{two}, {{id: go, approve: {{question: Go?}}}}]")), Some("without end")),
        (long(&format!("timeout: 1h, group: [{two}, {{id: go, approve: {{question: Go?}}}}]")), Some("1h")),
        (long("group: [{set: {x: '1'}}]"), None),
        // Every attempt, and what lies between them.
        (long("group: [{exec: [look], effect: read, timeout: 1m, retry: {attempts: 3, delay: 10s, backoff: 2}}]"), Some("3m 30s")),
        // What is skipped for sure takes nothing.
        (long(&format!("group: [{two}, {{id: no, if: 1 > 2, exec: [look], effect: read}}]")), Some("2m")),
        (long(&format!("parallel: {{one: [{two}, {three}], other: [{five}]}}")), Some("5m")),
        (long(&format!("max_parallel: 1, parallel: {{one: [{two}, {three}], other: [{five}]}}")), Some("10m")),
        (long(&format!("max_parallel: 2, parallel: {{one: [{three}], other: [{five}], last: [{two}]}}")), Some("5m")),
        (long(&format!("choose: [{{when: steps.look.size > 3, steps: [{two}]}}, {{otherwise: [{five}]}}]")), Some("5m")),
        (long(&format!("choose: [{{when: 1 > 2, steps: [{five}]}}, {{otherwise: [{two}]}}]")), Some("2m")),
        // Items: one after the other, side by side, in waves.
        (long(&format!("each: {{in: '[1, 2, 3]', steps: [{two}]}}")), Some("6m")),
        (long(&format!("each: {{in: '[1, 2, 3]', max_parallel: 2, steps: [{two}]}}")), Some("4m")),
        (long(&format!("each: {{in: '[1, 2, 3, 4]', batches: [1, 100%], steps: [{two}]}}")), Some("4m")),
        (long(&format!("each: {{in: '[]', steps: [{two}]}}")), None),
        (long(&format!("each: {{in: steps.look.stdout.split(), steps: [{two}]}}")), Some("cannot be known")),
        (long(&format!("timeout: 7m, each: {{in: steps.look.stdout.split(), steps: [{two}]}}")), Some("7m")),
        (long(&format!("group: [{five}, {{each: {{in: steps.look.stdout.split(), steps: [{two}]}}}}]")), Some("cannot be known")),
        (long("each: {in: steps.look.stdout.split(), steps: [{set: {x: '1'}}]}"), None),
        // Rounds, and what lies between them.
        (long(&format!("repeat: {{until: steps.a.exit_code > 3, times: 5, every: 1m, steps: [{two}]}}")), Some("14m")),
        (long("call: other@^1, with: {n: '1'}"), Some("1h")),
        // Whoever is told has two minutes for each attempt.
        (long("timeout: 10m, group: [{notify: {to: ops, message: Hello}, retry: {attempts: 2, delay: 5s}}]"), Some("4m 5s")),
    ] {
        let dry = predicted(&format!("{LOOK}{steps}"), false);
        let all = dry.steps.iter().find(|step| step.path.as_str() == "all").unwrap_or_else(|| panic!("{steps}"));
        assert_eq!(all.longest.map(|longest| longest.to_string()).as_deref(), expect, "{steps}");
    }
    let told = predicted(
        "- {id: tell, notify: {to: ops, message: Hello}}\n- {id: soon, timeout: 5s, notify: {to: ops, message: Hello}}\n",
        false,
    );
    let longest: Vec<String> = told.steps.iter().filter_map(|step| step.longest).map(|longest| longest.to_string()).collect();
    assert_eq!(longest, ["2m", "5s"]);
}

/// Each step is told, also where no way comes to it; what only a failure leads to is not claimed.
#[test]
fn what_no_way_comes_to_is_told() {
    let exec = |id: &str, rest: &str| format!("{{id: {id}, exec: [{id}], effect: read{rest}}}");
    let list = |steps: &[String]| steps.iter().map(|step| format!("- {step}\n")).collect::<String>();
    let steps = list(&[
        exec("a", ", if: inputs.n > 3, next: c"),
        exec("b", ""),
        exec("c", ""),
        format!("{{id: h, choose: [{{when: inputs.n > 3, steps: [{}]}}, {{otherwise: [{}]}}]}}", exec("x", ""), exec("y", "")),
        format!(
            "{{id: k, choose: [{{when: inputs.n > 5, steps: [{}]}}, {{when: inputs.n > 3, steps: [{}]}}]}}",
            exec("u", ""),
            exec("v", "")
        ),
        format!("{{id: g, if: 1 > 2, group: [{}]}}", exec("z", "")),
        format!("{{id: e, each: {{in: '[]', steps: [{}]}}}}", exec("i", "")),
        "{id: end, if: inputs.n > 3, finish: {outcome: failed, message: 'it is {{inputs.n}}'}}".to_owned(),
        exec("d", ""),
        format!("{{id: p, parallel: {{l: [{}], r: [{}]}}}}", exec("l1", ""), exec("r1", "")),
    ]);
    let dry = predicted(&format!("{steps}finally:\n- {}\n", exec("f", "")), false);
    let ends = "`end` ends the run";
    assert_eq!(
        told(&dry),
        format!(
            "a: would run\nb: would skip: `a` goes on with `c`\nc: would run\nh: would run\nh/x: would run\n\
             h/y: would skip: `h` takes branch 1\nk: would run\nk/u: would skip: `inputs.n > 5` does not hold\nk/v: would run\n\
             g: would skip: `1 > 2` does not hold\ng/z: would skip: `g` is skipped\ne: would run\ne[0]/i: would skip: `e` has no items\n\
             end: would run\nd: would skip: {ends}\np: would skip: {ends}\np.l/l1: would skip: {ends}\np.r/r1: would skip: {ends}\n\
             ~finally/f: would run\n"
        )
    );
    let end = dry.steps.iter().find(|step| step.path.as_str() == "end").unwrap().ends.clone().unwrap();
    assert_eq!((end.what, end.message.as_str()), ("the run", "it is 4"));
    let numbers: Vec<&str> = dry.steps.iter().map(|step| step.number.as_str()).collect();
    assert_eq!(numbers[..6], ["1", "2", "3", "4", "5", "6"]);
    // Where some way comes to it, or only a failure does, nobody knows.
    for (steps, expect) in [
        (vec![exec("b", ", if: inputs.n > 3, next: c"), exec("a", ""), exec("c", "")], "would skip: `b` goes on with `c`"),
        (
            vec![exec("b", ", if: inputs.n > 3, next: c, on_failure: continue"), exec("a", ""), exec("c", "")],
            "cannot know: only a failure of `b` leads here: `b` goes on with `c`",
        ),
        (
            vec![exec("q", ", on_failure: {next: a}"), exec("b", ", if: inputs.n > 3, next: c"), exec("a", ""), exec("c", "")],
            "cannot know: only a failure of `q` leads here: `b` goes on with `c`",
        ),
        (
            vec![
                format!(
                    "{{id: g, on_failure: continue, group: [{}, {{id: end, if: inputs.n > 3, finish: {{outcome: succeeded}}}}]}}",
                    exec("q", "")
                ),
                exec("a", ""),
            ],
            "cannot know: only a failure of `g` leads here: `end` ends the run",
        ),
        (vec!["{id: sure, check: [{that: inputs.n > 5}]}".to_owned(), exec("a", "")], "would skip: `sure` fails"),
        (
            vec![
                exec("b", ", outputs: {n: result.stdout.len()}"),
                "{id: end, if: steps.b.n > 3, finish: {outcome: succeeded}}".to_owned(),
                exec("a", ""),
            ],
            "cannot know: `steps.b.n > 3` depends on steps.b.n",
        ),
    ] {
        assert_eq!(said_of_a(&list(&steps)), expect, "{steps:#?}");
    }
}

/// The whole takes what its steps take, one after the other, at most the time that it has.
#[test]
fn how_long_the_whole_takes_is_told() {
    let step = |id: &str, rest: &str| format!("- {{id: {id}, exec: [{id}], effect: read, timeout: 5m{rest}}}\n");
    let steps = step("a", "") + &step("b", "");
    let longest = |steps: &str| predicted(steps, false).longest.map(|longest| longest.to_string());
    assert_eq!(longest(&steps).as_deref(), Some("10m"));
    assert_eq!(longest(&format!("{steps}finally:\n{}", step("f", ""))).as_deref(), Some("15m"));
    assert_eq!(longest(&format!("{steps}timeout: 7m\nfinally:\n{}", step("f", ""))).as_deref(), Some("12m"));
    // What a failure alone leads to has its time too.
    let over = |inside: &str| format!("{}- {{id: m, {inside}}}\n{}", step("a", ", next: b, on_failure: {next: m}"), step("b", ""));
    for (inside, expect) in [
        ("approve: {question: Go?, within: 20m}", "30m"),
        ("ask: {question: Go?, fields: {x: {type: string}}}", "without end"),
        ("each: {in: '[1, 2]', steps: [{exec: [m], effect: read, timeout: 1m}]}", "cannot be known"),
        ("repeat: {until: inputs.n > 1, times: 3, steps: [{exec: [m], effect: read, timeout: 1m}]}", "13m"),
        ("group: [{manual: {do: It., within: 7m}}]", "17m"),
        ("wait: {for: 7m}", "cannot be known"),
        ("wait: {for: 7m, within: 9m}", "19m"),
    ] {
        assert_eq!(longest(&over(inside)).as_deref(), Some(expect), "{inside}");
    }
}
