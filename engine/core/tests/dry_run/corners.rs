//! Where a claim is easily wrong: what is told must hold of every run that goes as the dry run says.

use super::*;

/// The line about a step.
fn line(told: &str, path: &str) -> String {
    let of = format!("{path}: ");
    told.lines().find_map(|line| line.strip_prefix(&of)).unwrap_or_else(|| panic!("nothing of {path}: {told}")).to_owned()
}

fn with_other(steps: &str, other: &str) -> DryRun {
    let other = format!("apiVersion: runbook/v1\nkind: Runbook\nname: other\nversion: 1.0.0\nsteps:\n{other}");
    let plan = plan_with(steps, &other);
    dry_run(&plan, &started(&plan), "2026-01-01T00:00:00Z".parse().unwrap(), &Options { examples: false }, &mut Nothing).unwrap()
}

const D: &str = "effect: destructive, irreversible: x";
const UNKNOWN: &str = "- {id: a, exec: [x], effect: read}\n";
const IF: &str = "if: 'steps.a.stdout == \"x\"'";

#[test]
fn a_finish_that_fails_ends_more_than_its_procedure() {
    let steps = format!(
        "- id: p\n  parallel:\n    l: [{{id: b, exec: [x], effect: read}}, {{id: c, call: other@^1}}]\n    m: [{{id: d, exec: [x], {D}}}]\n- {{id: z, exec: [x], effect: read}}\n"
    );
    let other = "- {id: i, if: 1 > 2, set: {v: '1'}}\n- {id: f, if: steps.i.v == 1, finish: {outcome: succeeded}}\n- {id: g, exec: [x], effect: read}\n";
    let told = told(&with_other(&steps, other));
    assert_eq!(line(&told, "p.m/d"), "would run", "{told}");
    assert_eq!(line(&told, "p.l/c/g"), "would skip: `f` fails", "{told}");
    assert_eq!(line(&told, "z"), "would skip: `f` fails", "{told}");
}

#[test]
fn what_is_tried_again_is_ended_by_a_time_that_is_over_meanwhile() {
    let retry = "retry: {attempts: 3, delay: 2s, backoff: 1}";
    let steps = format!(
        "- id: p\n  timeout: 3s\n  on_failure: continue\n  parallel:\n    l: [{{id: x, exec: [x], effect: read, outputs: {{v: 5 / (inputs.n - 4)}}, {retry}, on_failure: rollback}}]\n    r: [{{id: b, exec: [x], undo: [{{id: u, exec: [x], idempotent: true}}]}}]\n- {{id: z, exec: [x], {D}}}\n"
    );
    let dry = predicted(&steps, false);
    let told = told(&dry);
    assert!(line(&told, "z").starts_with("cannot know: "), "{told}");
    assert!(line(&told, "p.r/b~undo/u").starts_with("cannot know: "), "{told}");
}

#[test]
fn an_undo_reads_what_its_own_way_gave() {
    let steps = format!(
        "{UNKNOWN}- {{id: k, {IF}, set: {{v: '1'}}}}\n- {{id: b, set: {{v: 'if \"k\" in steps {{ \"one\" }} else {{ \"two\" }}'}}}}\n- {{id: d, exec: [x], undo: [{{id: u, exec: [x, '{{{{steps.b.v}}}}'], idempotent: true}}]}}\n- {{id: e, exec: [x], effect: read}}\n- {{id: c, check: [{{that: 1 > 2}}], on_failure: rollback}}\n"
    );
    let dry = predicted(&steps, false);
    assert_eq!(line(&told(&dry), "d~undo/u"), "cannot know: what it runs with depends on the way before it");
}

#[test]
fn an_undo_reads_what_its_call_was_given_on_its_own_way() {
    let steps = format!(
        "{UNKNOWN}- {{id: m, {IF}, set: {{v: '1'}}}}\n- {{id: c, call: other@^1, with: {{flag: '\"m\" in steps'}}}}\n- {{id: n, exec: [x], effect: read}}\n- {{id: z, check: [{{that: 1 > 2}}], on_failure: rollback}}\n"
    );
    let other = "- {id: p, exec: [x], undo: [{id: u, exec: [x, '{{inputs.flag}}'], idempotent: true}, {id: v, if: inputs.flag, exec: [x], idempotent: true}]}\ninputs: {flag: {type: boolean}}\n";
    let told = told(&with_other(&steps, other));
    assert_eq!(line(&told, "c/p~undo/u"), "cannot know: what it runs with depends on the way before it", "{told}");
    assert!(line(&told, "c/p~undo/v").starts_with("cannot know: "), "{told}");
}

#[test]
fn a_playbook_may_be_started_by_any_event() {
    let main = "apiVersion: runbook/v1\nkind: Playbook\nname: test\nversion: 1.0.0\nowner: o\nimpact: low\nescalation: e\ntriggers: [{source: stdin}]\nsteps:\n- {id: a, if: event.data.n > 1, exec: [x, '{{event.type}}'], effect: read}\n- {id: b, exec: [x, '{{event.type}}'], effect: read}\n";
    let workspace = "apiVersion: runbook/v1\nkind: Workspace\nname: w\npeople: {ann: {}}\nchannels: {j: {log: {}}}\nescalations: {e: {steps: [{to: [ann], after: 1m, channels: [j]}]}}\n";
    let (Some(Document::Procedure(procedure)), _) = load(&Source::new("p.yaml", main)) else { panic!("no procedure") };
    let (Some(Document::Workspace(workspace)), _) = load(&Source::new("w.yaml", workspace)) else { panic!("no workspace") };
    let (plan, found) = check(&procedure, &Catalogue::new([&*procedure], Some(&workspace)), &CheckOptions::default());
    let plan = Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")));
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let started = RunStarted { inputs: Map::new(), ..started(&plan) };
    let told = told(&dry_run(&plan, &started, now, &Options { examples: false }, &mut Nothing).unwrap());
    assert_eq!(line(&told, "a"), "cannot know: `event.data.n > 1` depends on event");
    assert!(line(&told, "b").starts_with("cannot know: it depends on event"), "{told}");
}

#[test]
fn what_is_asked_rests_on_why_it_is_asked() {
    let asks = "- {id: p, why: 'because {{steps.a.stdout}}', approve: {question: Go?, within: 1h}}\n";
    assert_eq!(
        line(&told(&predicted(&format!("{UNKNOWN}{asks}"), false)), "p"),
        "cannot know: what is asked depends on steps.a.stdout"
    );
}

#[test]
fn a_wait_that_differs_by_way_is_not_known() {
    let wait = "- {id: w, wait: {for: 'if \"k\" in steps { duration(\"1s\") } else { duration(\"2s\") }', within: 1m}}\n";
    let dry = predicted(&format!("{UNKNOWN}- {{id: k, {IF}, set: {{v: '1'}}}}\n{wait}"), false);
    assert_eq!(line(&told(&dry), "w"), "cannot know: how long it waits depends on the way before it");
    assert_eq!(dry.steps[2].otherwise[0].waits.as_deref(), Some("1s"));
}

#[test]
fn what_was_assumed_of_steps_ends_with_the_next_that_gives_something() {
    for (condition, before) in [("steps.len() < 2", ""), ("'!(\"x\" in steps)'", ", on_failure: {next: e}")] {
        let steps = format!(
            "- {{id: a, exec: [x], irreversible: x{before}}}\n- id: g\n  choose:\n    - when: {condition}\n      steps:\n        - {{id: x, exec: [x], irreversible: x}}\n        - id: h\n          choose:\n            - {{when: {condition}, steps: [{{id: s, exec: [x], effect: read}}]}}\n            - otherwise: [{{id: d, exec: [x], {D}}}]\n- {{id: e, exec: [x], effect: read}}\n"
        );
        let told = told(&predicted(&steps, false));
        assert!(line(&told, "g/h/d").starts_with("cannot know") || line(&told, "g/h/d") == "would run", "{condition}: {told}");
    }
}

#[test]
fn an_unknown_condition_that_is_waited_for_has_rounds_that_nobody_counted() {
    let steps = format!(
        "{UNKNOWN}- {{id: w, wait: {{until: 'steps.a.stdout == \"x\"', every: 1s, within: 5s}}}}\n- {{id: b, exec: [x, '{{{{steps.w.rounds}}}}'], effect: read}}\n- {{id: c, if: steps.w.rounds > 0, exec: [x], effect: read}}\n"
    );
    let told = told(&predicted(&steps, false));
    assert_eq!(line(&told, "b"), "cannot know: it depends on steps.w.rounds");
    assert_eq!(line(&told, "c"), "cannot know: `steps.w.rounds > 0` depends on steps.w.rounds");
}

#[test]
fn a_query_is_shown_as_it_will_be_but_for_what_is_not_known() {
    let http = "http: {url: 'http://127.0.0.1:9/p', query: {q: 'ä & {{inputs.n}} {{steps.a.stdout}}=', r: 'x y'}}";
    let dry = predicted(&format!("{UNKNOWN}- {{id: g, {http}, effect: read}}\n"), false);
    let Some(Task::Http(http)) = dry.steps[1].work.as_ref().map(|work| &work.task) else { panic!("{:?}", dry.steps[1].work) };
    assert_eq!(http.url, "http://127.0.0.1:9/p?q=%C3%A4%20%26%204%20‹steps.a.stdout›%3D&r=x%20y");
}

#[test]
fn an_undo_is_shown_with_what_stands_in_its_groups() {
    let undo = "undo: [{group: [{exec: [back, one], idempotent: true}, {group: [{exec: [back, two], idempotent: true}]}]}]";
    let dry = predicted(&format!("- {{id: d, exec: [x], {undo}}}\n"), false);
    let runbook_core::explore::PredictedUndo::Steps(steps) = &dry.steps[0].undo else { panic!("{:?}", dry.steps[0].undo) };
    let argv = |n: usize| steps[n].work.as_ref().map(|work| work.task.clone());
    let back = |word: &str| Some(Task::Exec { argv: vec!["back".to_owned(), word.to_owned()] });
    assert_eq!((argv(0), argv(1), steps.len()), (back("one"), back("two"), 2));
}

#[test]
fn which_keys_a_result_has_is_not_known_before() {
    for condition in [
        "'\"json\" in steps.a'",
        "'!(\"json\" in steps.a)'",
        "steps.a.len() == 6",
        "'\"still_running\" in steps.a'",
        "'steps.a?.log_incomplete == ()'",
        "'steps.a.keys().contains(\"json\")'",
    ] {
        let told = told(&predicted(&format!("{UNKNOWN}- {{id: d, if: {condition}, exec: [x], irreversible: x}}\n"), false));
        assert!(line(&told, "d").starts_with("cannot know: "), "{condition}: {told}");
    }
    let known = format!("{UNKNOWN}- {{id: d, if: '\"stdout\" in steps.a', exec: [x], irreversible: x}}\n");
    assert_eq!(line(&told(&predicted(&known, false)), "d"), "would run");
    let items = "- {id: e, each: {in: '[1, 2]', steps: [{id: i, exec: [x], effect: read}]}}\n- {id: d, if: 'steps.e.all(|x| \"json\" in x.i)', exec: [x], irreversible: x}\n";
    assert!(line(&told(&predicted(items, false)), "d").starts_with("cannot know: "));
    // What may fail may give nothing of it.
    let survives = "- {id: a, exec: [x], effect: read, on_failure: continue, outputs: {n: inputs.n}}\n";
    for condition in ["'\"n\" in steps.a'", "steps.a?.n == 4", "steps.a?.n == ()", "'\"stdout\" in steps.a'"] {
        let told = told(&predicted(&format!("{survives}- {{id: d, if: {condition}, exec: [x], irreversible: x}}\n"), false));
        assert!(line(&told, "d").starts_with("cannot know: "), "{condition}: {told}");
    }
}

#[test]
fn a_finish_that_may_fail_is_passed_where_it_goes_on() {
    let steps = format!(
        "- {{id: a, exec: [x], effect: read, on_failure: continue, outputs: {{w: result.stdout.trim()}}}}\n- {{id: f, if: inputs.n < 9, finish: {{outcome: succeeded, message: 'it is {{{{steps.a.w}}}}'}}, on_failure: continue}}\n- {{id: z, exec: [x], {D}}}\n"
    );
    let told = told(&predicted(&steps, false));
    assert_eq!(line(&told, "z"), "cannot know: only a failure of `f` leads here: `f` ends the run", "{told}");
}

#[test]
fn what_a_time_ends_is_told_of_that_alone() {
    let steps = format!(
        "{UNKNOWN}- {{id: b, {IF}, set: {{v: '1'}}}}\n- {{id: c, check: [{{that: '\"b\" in steps'}}], on_failure: continue}}\n- {{id: w, wait: {{for: 3s}}, timeout: 1s, on_failure: continue}}\n- {{id: z, exec: [x], effect: read}}\n"
    );
    let told = told(&predicted(&steps, false));
    assert!(line(&told, "c").starts_with("cannot know: ") && !line(&told, "c").contains("and fail"), "{told}");
    assert_eq!(line(&told, "z"), "would run", "{told}");
}

#[test]
fn a_known_list_is_no_pattern_where_only_its_condition_is_unknown() {
    let steps = format!(
        "{UNKNOWN}- {{id: e, {IF}, each: {{in: '[\"dev\", \"prod\"]', as: host, steps: [{{id: d, exec: [wipe, '{{{{host}}}}'], {D}}}]}}}}\n"
    );
    let dry = predicted(&steps, false);
    let each = dry.steps.iter().find(|step| step.path.as_str() == "e").unwrap();
    assert_eq!(each.repeats.as_deref(), Some("for 2 items"));
    let told = told(&dry);
    assert!(line(&told, "e[0]/d").starts_with("cannot know") && line(&told, "e[1]/d").starts_with("cannot know"), "{told}");
}

#[test]
fn steps_of_one_path_in_several_branches_have_each_its_time() {
    let steps = "- choose:\n    - {when: 'now > time(\"2020-01-01T00:00:00Z\")', steps: [{exec: [x], effect: read, timeout: 1h}]}\n    - otherwise: [{exec: [y], effect: read, timeout: 1s}]\n";
    assert_eq!(predicted(steps, false).longest.unwrap().to_string(), "1h");
}

#[test]
fn a_value_that_looks_like_a_name_is_a_value() {
    let steps = format!(
        "{UNKNOWN}- {{id: k, {IF}, set: {{v: '1'}}}}\n- {{id: b, set: {{v: 'if \"k\" in steps {{ \"prod\" }} else {{ \"‹target›\" }}'}}}}\n- {{id: d, exec: [x, '{{{{steps.b.v}}}}'], {D}}}\n"
    );
    let dry = predicted(&steps, false);
    assert_eq!(line(&told(&dry), "d"), "cannot know: what it runs with depends on the way before it");
    assert_eq!(dry.steps.iter().find(|step| step.path.as_str() == "d").unwrap().otherwise.len(), 1);
}

#[test]
fn beside_a_finish_only_what_it_waits_for_begins_together_with_it() {
    let parallel = |condition: &str, most: u32| {
        let steps = format!(
            "- id: p\n  max_parallel: {most}\n  parallel:\n    l: [{{id: a, {condition}exec: [x], effect: read}}, {{id: f, finish: {{outcome: succeeded}}}}]\n    r: [{{id: b, exec: [x], irreversible: x}}]\n"
        );
        line(&told(&predicted(&steps, false)), "p.r/b")
    };
    assert_eq!(parallel("", 2), "would run");
    assert_eq!(parallel("if: inputs.n > 5, ", 2), "cannot know: `f` may end the run before it");
    let before = "- id: p\n  max_parallel: 1\n  parallel:\n    l: [{id: b, exec: [x], irreversible: x}]\n    r: [{id: f, finish: {outcome: succeeded}}]\n";
    assert_eq!(line(&told(&predicted(before, false)), "p.l/b"), "would run");
}

#[test]
fn what_stands_in_a_group_that_surely_fails_is_told() {
    let steps = format!(
        "{UNKNOWN}- {{id: s, if: 1 > 2, set: {{v: '1'}}}}\n- choose:\n    - when: steps.a.stdout == \"x\"\n      steps: [{{id: g, if: steps.s.v == 1, group: [{{id: d, exec: [x], {D}}}]}}]\n"
    );
    let dry = predicted(&steps, false);
    assert!(dry.steps.iter().any(|step| step.path.as_str().ends_with("g/d")), "{}", told(&dry));
}

#[test]
fn what_is_skipped_wherever_a_run_comes_there_is_skipped() {
    let steps = format!(
        "{UNKNOWN}- choose:\n    - {{when: steps.a.stdout == \"x\", steps: [{{finish: {{outcome: succeeded}}}}]}}\n- {{id: z, if: inputs.n > 1000, exec: [x], {D}}}\n"
    );
    let told = told(&predicted(&steps, false));
    assert_eq!(line(&told, "z"), "would skip: `inputs.n > 1000` does not hold", "{told}");
}

#[test]
fn a_time_of_the_run_may_cut_what_its_end_reads() {
    let main = "- {id: a, exec: [x], effect: read}\n- {id: s, set: {v: '\"s\"'}}\n- {id: w, wait: {for: 3s}}\ntimeout: 1s\nfinally:\n- {id: o, if: 'steps.s.v == \"s\"', exec: [x], effect: read}\n";
    let told = told(&predicted(main, false));
    assert!(line(&told, "~finally/o").starts_with("cannot know: "), "{told}");
}

#[test]
fn what_is_asked_is_shown_with_what_every_way_knows() {
    let steps = format!(
        "{UNKNOWN}- choose:\n    - {{when: steps.a.stdout == \"x\", steps: [{{finish: {{outcome: succeeded}}}}]}}\n- {{id: d, each: {{in: steps.a.stdout.lines(), steps: [{{id: i, exec: [x], effect: read}}]}}}}\n- {{id: go, approve: {{question: '{{{{steps.a.stdout}}}}?', within: 1h}}}}\n"
    );
    let dry = predicted(&steps, false);
    let go = dry.steps.iter().find(|step| step.path.as_str() == "go").unwrap();
    let request = &go.requests[0].request;
    assert!(request.known.iter().all(|(name, _)| name != "steps.d"), "{:?}", request.known);
    assert!(request.unknown.contains(&"steps.d".to_owned()), "{:?}", request.unknown);
}

#[test]
fn a_finish_in_on_failure_ends_that_list_alone() {
    let dry = predicted(
        "- {id: x, check: [{that: 1 > 2}]}\non_failure:\n- {id: f, finish: {outcome: succeeded, message: fine}}\n",
        false,
    );
    let f = dry.steps.iter().find(|step| step.path.as_str() == "~on_failure/f").unwrap();
    assert_eq!(f.ends.as_ref().unwrap().what, "`on_failure`");
}
