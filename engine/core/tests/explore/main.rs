//! What an exploration finds, as a table: a procedure, and each finding with the path that shows it.

#![allow(clippy::disallowed_methods, reason = "how many procedures are tried can be chosen; the core itself stays pure")]

mod author;
mod awaited;
mod brute;
mod checker;
mod longest;
mod small;
mod time;

use std::sync::Arc;

use runbook_core::Plan;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::{Code, Source, explain};
use runbook_core::document::{Document, load};
use runbook_core::explore::{Bounds, Walk, walk, walk_within};

const OTHER: &str = "apiVersion: runbook/v1
kind: Runbook
name: other
version: 1.0.0
inputs: {n: {type: integer}}
lock: disk/{{inputs.n}}
steps:
- {id: inner, exec: [inner, '{{inputs.n}}'], idempotent: true}
- {id: seen, exec: [look], effect: read}
";

fn plan(rest: &str) -> Arc<Plan> {
    plan_of(&format!(
        "apiVersion: runbook/v1\nkind: Runbook\nname: test\nversion: 1.0.0\ninputs: {{n: {{type: integer, default: 4}}, hosts: {{type: list}}}}\n{rest}"
    ))
}

fn plan_of(main: &str) -> Arc<Plan> {
    plan_among(&[("test.yaml", main), ("other.yaml", OTHER)])
}

/// The plan of the first of these files; the others are what it calls, and a workspace.
fn plan_among(files: &[(&str, &str)]) -> Arc<Plan> {
    let mut procedures = Vec::new();
    let mut workspace = None;
    for (name, text) in files {
        match load(&Source::new(*name, *text)) {
            (Some(Document::Procedure(procedure)), _) => procedures.push(*procedure),
            (Some(Document::Workspace(found)), diagnostics) if !diagnostics.has_errors() => workspace = Some(*found),
            (_, diagnostics) => panic!("{diagnostics:#?}\n{text}"),
        }
    }
    let catalogue = Catalogue::new(procedures.iter(), workspace.as_ref());
    let (plan, diagnostics) = check(&procedures[0], &catalogue, &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{diagnostics:#?}\n{files:#?}")))
}

fn walked(plan: &Arc<Plan>) -> Walk {
    walk(plan).unwrap()
}

fn found(walk: &Walk) -> Vec<String> {
    let told = walk.findings.iter().map(|finding| {
        let path = walk.path(finding).iter().map(|turn| turn.words().replace('`', "")).collect::<Vec<_>>().join(", ");
        format!("{}: {} [{path}]", finding.kind.code().as_str(), finding.message(&walk.plan).replace('`', ""))
    });
    told.collect()
}

fn shows(rest: &str, expect: &[&str]) {
    let walk = walked(&plan(rest));
    assert!(walk.extent.complete, "{rest}");
    assert_eq!(found(&walk), expect, "{rest}");
}

const LOOK: &str = "- {id: look, exec: [look], effect: read}\n";

#[test]
fn a_loss_needs_a_yes_before_it() {
    let wipe = format!("- {{id: wipe, exec: [wipe], effect: destructive, irreversible: it is old}}\n{LOOK}");
    shows(&format!("steps:\n{wipe}"), &["RB0601: wipe destroys something, and nobody has approved before [wipe succeeds]"]);
    shows(&format!("steps:\n- {{id: go, approve: {{question: Go?, within: 1h}}}}\n{wipe}"), &[]);
    shows(
        &format!("steps:\n- choose: [{{when: inputs.n > 3, steps: [{{id: go, approve: {{question: Go?, within: 1h}}}}]}}]\n{wipe}"),
        &["RB0601: wipe destroys something, and nobody has approved before [choose-1 takes no branch, wipe succeeds]"],
    );
}

#[test]
fn a_change_is_taken_back_or_somebody_is_told() {
    let drain = "- {id: drain, exec: [drain], undo: {exec: [enable]}}\n";
    shows(&format!("steps:\n{drain}{LOOK}"), &["RB0602: what drain changed stays after a failure [drain succeeds, look fails]"]);
    shows(&format!("steps:\n{drain}- {{id: look, exec: [look], effect: read, on_failure: rollback}}\n"), &[]);
    shows(&format!("steps:\n{drain}- {{id: look, exec: [look], effect: read, by_hand: Enable it.}}\n"), &[]);
    shows(&format!("steps:\n{drain}{LOOK}on_failure:\n- {{exec: [enable], idempotent: true}}\n"), &[]);
}

#[test]
fn what_is_read_may_be_nothing_that_can_be_gone_by() {
    let before = "- {id: a, exec: [a], effect: read}\n- {id: drain, exec: [drain], undo: {exec: [enable]}}\n";
    let after = "- {id: look, exec: [look], effect: read, on_failure: rollback}\n";
    let stays = |path: &str| format!("RB0602: what drain changed stays after a failure [a succeeds, drain succeeds, {path}]");
    for (step, path) in [
        ("set: {n: steps.a.stdout.parse_int()}", "v fails"),
        ("set: {n: 'inputs.hosts[0]'}", "v fails"),
        ("set: {n: 1 / inputs.n}", "v fails"),
        ("if: steps.a.stdout.parse_int() > 3, set: {n: '1'}", "v fails"),
        ("choose: [{when: steps.a.stdout.parse_int() > 3, steps: [{set: {n: '1'}}]}]", "v fails"),
        ("each: {in: steps.a.stdout.parse_json(), steps: [{set: {n: '1'}}]}", "v fails"),
        // By these it always goes.
        ("set: {n: inputs.n + 1, m: steps.a.stdout.trim(), o: duration(\"1s\"), p: inputs.hosts.first(), q: inputs.n / 2}", ""),
        ("if: steps.a.stdout == \"x\", set: {n: '1'}", ""),
    ] {
        let expect: Vec<String> = Some(stays(path)).filter(|_| !path.is_empty()).into_iter().collect();
        let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
        shows(&format!("steps:\n{before}- {{id: v, {step}}}\n{after}"), &expect);
    }
}

#[test]
fn the_examples_of_the_pages_are_what_they_say() {
    for code in Code::ALL.iter().copied().filter(|code| code.as_str().starts_with("RB06")) {
        let page = explain(code);
        assert!(page.starts_with(&format!("# {}: {}\n", code.as_str(), code.title())), "{}", code.as_str());
        assert!(page.contains("\n## Why\n"), "{}", code.as_str());
        let examples: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        let [wrong, right] = examples.as_slice() else { panic!("{}", code.as_str()) };
        for (example, is_wrong) in [(wrong, true), (right, false)] {
            let plan = plan_of(&format!("apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: 1.0.0\n{example}"));
            let walk = walked(&plan);
            let codes: Vec<Code> = walk.findings.iter().map(|finding| finding.kind.code()).collect();
            let expect: &[Code] = if is_wrong { &[code] } else { &[] };
            assert_eq!(codes, expect, "{example}\n{:#?}", found(&walk));
            assert!(walk.extent.complete);
            for finding in &walk.findings {
                assert!(!finding.message(&plan).ends_with('.') && !finding.help(&plan).is_empty(), "{}", code.as_str());
            }
        }
    }
}

#[test]
fn what_cannot_begin_gives_nothing() {
    let probe = "- {id: probe, exec: [probe], effect: read, on_failure: continue}\n";
    let wipe = "- {id: wipe, if: '!(\"probe\" in steps)', exec: [wipe], effect: destructive, irreversible: it is old}\n";
    let path = "[probe cannot begin, and gives nothing, wipe succeeds]";
    shows(
        &format!("must:\n- never: {{effect: destructive}}\nsteps:\n{probe}{wipe}{LOOK}"),
        &[
            &format!("RB0610: on some path a step of effect destructive begins, which must never be {path}"),
            &format!("RB0601: wipe destroys something, and nobody has approved before {path}"),
        ],
    );
    let lacks = "RB0603: what takes drain back may have nothing to read";
    for (reads, verb) in [("exit_code", "exec: [probe]"), ("stdout", "run: probe"), ("status", "http: {url: https://a.example}")] {
        let undo = format!("undo: {{exec: [enable, '{{{{steps.probe.{reads}}}}}']}}");
        let steps = format!(
            "steps:\n- {{id: probe, {verb}, effect: read, on_failure: continue}}\n- {{id: drain, exec: [drain], {undo}, by_hand: Do it.}}\n- {{id: look, exec: [look], effect: read, by_hand: Do it.}}\n"
        );
        shows(&steps, &[&format!("{lacks} [probe cannot begin, and gives nothing, drain succeeds]")]);
    }
    let script = "steps:\n- {id: probe, rhai: '#{n: 1}', effect: read, on_failure: continue}\n- {id: drain, exec: [drain], undo: {exec: [enable, '{{steps.probe.n}}']}, by_hand: Do it.}\n- {id: look, exec: [look], effect: read, by_hand: Do it.}\n";
    shows(script, &[&format!("{lacks} [probe fails, drain succeeds]")]);
}

#[test]
fn the_items_of_a_batch_run_side_by_side() {
    for (batches, expect) in [("[2]", true), ("[1, 2]", true), ("[50%, 100%]", true), ("[1]", false)] {
        let steps = format!(
            "steps:\n- each: {{in: inputs.hosts, as: host, batches: {batches}, steps: [{{id: drain, exec: [drain], idempotent: true}}]}}\n{LOOK}"
        );
        let codes: Vec<&str> = walked(&plan(&steps)).findings.iter().map(|finding| finding.kind.code().as_str()).collect();
        assert_eq!(codes.contains(&"RB0607"), expect, "{batches}: {codes:?}");
    }
}

/// The example of the reference keeps its properties, and does not where what they rest on is taken away.
#[test]
fn properties_are_judged() {
    let reference = include_str!("../../../../docs/format.md");
    let (_, section) = reference.split_once("\n## Every path\n").unwrap();
    let example = section.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(found(&walked(&plan_of(example))), Vec::<String>::new());
    let after = "on some path a step of effect change begins after backup fails, which must never be";
    let before = "on some path restart begins, and no step approve has succeeded before";
    for (from, to, expect) in [
        ("run: make-backup\n", "run: make-backup\n    on_failure: continue\n", vec![format!("RB0610: {after} [backup fails, go is granted, restart succeeds]")]),
        ("within: 1h}\n", "within: 1h}\n    if: 1 > 2\n", vec![
            format!("RB0610: {before} [backup succeeds, restart succeeds]"),
            "RB0605: no path comes to go []".to_owned(),
        ]),
        ("never: {effect: change}\n    after: {step: backup, ends: failed}", "never: {run: failed}", vec![
            "RB0610: on some path the run ends failed, which must never be [backup fails]".to_owned(),
        ]),
        ("comes: {verb: approve}", "comes: {step: backup, ends: failed}", vec![
            "RB0610: on some path restart begins, and backup has not failed before [backup succeeds, go is granted, restart succeeds]".to_owned(),
        ]),
    ] {
        assert!(example.contains(from), "{from}");
        assert_eq!(found(&walked(&plan_of(&example.replace(from, to)))), expect, "{to}");
    }
}

#[test]
fn what_repeats_is_walked_as_a_pattern() {
    let each = |rest: &str| format!("steps:\n- id: all\n  each:\n    in: inputs.hosts\n    as: host\n{rest}{LOOK}");
    let change = |argument: &str| format!("    steps: [{{id: go, exec: [go, {argument}], idempotent: true}}]\n");
    // One after the other nothing clashes; side by side what names the item does not either, nor what rests on a step of its own.
    shows(&each(&change("a")), &[]);
    let clash = "RB0607: go can change the same twice at once [all runs]";
    shows(&each(&format!("    max_parallel: 4\n{}", change("a"))), &[clash]);
    shows(&each(&format!("    max_parallel: 4\n{}", change("'{{host}}'"))), &[]);
    shows(&each(&format!("    max_parallel: 4\n{}", change("'{{index}}'"))), &[]);
    let own = "    steps: [{id: name, exec: [name, '{{host}}'], effect: read}, {id: go, exec: [go, '{{steps.name.stdout}}'], idempotent: true}]\n";
    shows(&each(&format!("    max_parallel: 4\n{own}")), &[]);
    // A condition on an item may hold for any of them.
    shows(&each("    steps: [{id: go, if: index == 7, exec: [go], effect: read}]\n"), &[]);
    // Two rounds, and then past the last one.
    let rounds = "steps:\n- id: more\n  repeat: {until: steps.go.exit_code > 3, times: 1000, steps: [{id: go, exec: [go], idempotent: true}]}\n";
    shows(rounds, &[]);
    let walk = walked(&plan(
        "steps:\n- {id: go, exec: [go], idempotent: true, retry: {attempts: 100, delay: 1s}}\n- {id: look, exec: [look], effect: read}\n",
    ));
    assert!(walk.extent.complete && walk.extent.places < 10, "{:?}", walk.extent);
}

#[test]
fn calls_of_one_lock_do_not_run_side_by_side() {
    let calls = |one: &str, other: &str| {
        format!(
            "steps:\n- parallel:\n    a: [{{id: one, call: other@^1, with: {{n: '{one}'}}}}]\n    b: [{{id: two, call: other@^1, with: {{n: '{other}'}}}}]\n{LOOK}"
        )
    };
    shows(&calls("1", "2"), &[]);
    shows(
        &calls("inputs.n", "inputs.n"),
        &["RB0607: one and two change the same at once []", "RB0607: inner can change the same twice at once []"],
    );
}

/// Whatever is done to it: the address is what changes.
#[test]
fn requests_to_one_address_do_not_run_side_by_side() {
    let requests = |one: &str, other: &str| {
        let http = |id: &str, request: &str| format!("{{id: {id}, http: {{{request}}}, idempotent: true}}");
        let (one, other) = (http("one", one), http("two", other));
        format!("steps:\n- parallel:\n    a: [{one}]\n    b: [{other}]\n{LOOK}")
    };
    let (url, clash) = ("url: 'https://db/7'", "RB0607: one and two change the same at once []");
    for (one, other, expect) in [
        (format!("method: PUT, {url}"), format!("method: PUT, {url}"), &[clash][..]),
        (format!("method: POST, {url}"), format!("method: PUT, {url}"), &[clash]),
        (format!("method: DELETE, {url}"), format!("method: PATCH, {url}"), &[clash]),
        (format!("method: POST, {url}"), "method: PUT, url: 'https://db/8'".to_owned(), &[]),
    ] {
        shows(&requests(&one, &other), expect);
    }
}

/// A script that is one plain command is that command.
#[test]
fn a_script_and_a_program_that_run_the_same_do_not_run_side_by_side() {
    let both = |one: &str, other: &str| {
        format!(
            "steps:\n- parallel:\n    a: [{{id: one, {one}, idempotent: true}}]\n    b: [{{id: two, {other}, idempotent: true}}]\n{LOOK}"
        )
    };
    let clash = "RB0607: one and two change the same at once []";
    for (one, other, expect) in [
        ("run: rebuild index", "exec: [rebuild, index]", &[clash][..]),
        ("run: 'rebuild ''in dex'''", "exec: [rebuild, in dex]", &[clash]),
        ("run: 'rebuild {{inputs.n}}'", "exec: [rebuild, '{{inputs.n}}']", &[clash]),
        ("run: 'rebuild \"n {{inputs.n}}\"', shell: bash", "exec: [rebuild, 'n {{inputs.n}}']", &[clash]),
        ("run: rebuild in dex", "exec: [rebuild, in dex]", &[]),
        ("run: 'rebuild {{inputs.n}}'", "exec: [rebuild, '{{index}}{{inputs.n}}']", &[]),
        ("run: rebuild index", "exec: [rebuild, index], env: {A: '\"b\"'}", &[]),
        ("run: rebuild $HOME", "exec: [rebuild, $HOME]", &[]),
        ("exec: [rebuild, a b]", "exec: [rebuild, a, b]", &[]),
    ] {
        let other = other.replace("{{index}}", "x");
        shows(&both(one, &other), expect);
    }
}

/// Nobody knows whether it comes to hold in time, whatever it rests on.
#[test]
fn a_wait_for_what_is_not_known_may_run_out_of_time() {
    let waits = |rest: &str| {
        format!(
            "steps:\n- {{id: go, exec: [go], idempotent: true}}\n- {{id: up, wait: {{until: inputs.n > 3, within: 1h}}{rest}}}\n"
        )
    };
    shows(&waits(""), &[]);
    shows(
        &waits(", on_failure: continue"),
        &["RB0604: nothing looks at what go did [go succeeds, up does not hold, the time of up runs out]"],
    );
    // One more look, and one more round, are nothing that goes wrong.
    let walk = walked(&plan(&format!(
        "{}- {{id: more, repeat: {{until: inputs.n > 4, times: 5, steps: [{{id: again, exec: [again], idempotent: true}}]}}}}\n",
        waits("")
    )));
    let told: Vec<String> = walk.pre_mortem().iter().map(|fall| format!("{} {}", fall.path, fall.when())).collect();
    assert_eq!(told, ["go fails or times out", "up runs out of time", "more never holds", "more[1]/again fails or times out"]);
}

/// Where it is looked at what taking back a change could find, nothing looks again without end.
#[test]
fn a_wait_in_vain_ends_behind_what_can_be_taken_back() {
    let undo = "steps:\n- {id: s, exec: [a], undo: {exec: [b]}}\n";
    let waits = "{id: w, wait: {until: 4 == 3, within: 5s}}";
    for rest in [
        format!("{undo}finally: [{waits}]\n"),
        format!("{undo}finally: [{{group: [{waits}]}}]\n"),
        format!("steps:\n- {{id: s, exec: [a], undo: [{waits}]}}\n- {{id: c, check: [{{that: 1 > 2}}], on_failure: rollback}}\n"),
    ] {
        assert!(walked(&plan(&rest)).extent.complete, "{rest}");
    }
}

const GATES: &str = "apiVersion: runbook/v1
kind: Workspace
people: {ada: {}, ben: {}}
groups: {dba: [ada, ben]}
policies:
- {name: changes, when: {effect: change}, require: {approve: {from: [dba], count: 2, within: 1h, on_timeout: reject}}}
- {name: losses, when: {effect: destructive}, require: {approve: {from: [ben]}}}
";

fn gated(steps: &str) -> Walk {
    let main = format!("apiVersion: runbook/v1\nkind: Runbook\nname: test\nversion: 1.0.0\n{steps}");
    walked(&plan_among(&[("test.yaml", &main), ("workspace.yaml", GATES)]))
}

/// A gate that lets a person begin has changed nothing yet, and asks others than the step does.
#[test]
fn a_gate_before_a_manual_is_not_its_work() {
    let walk = gated(&format!(
        "steps:\n- {{id: cable, manual: {{do: Move it., from: [ada], within: 1h}}, undo: {{exec: [back]}}}}\n{LOOK}"
    ));
    let told = walk
        .pre_mortem()
        .iter()
        .map(|fall| format!("{} {}: {} | {}", fall.path, fall.when(), fall.happens(), fall.leaves()))
        .collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            "cable is rejected: ends rejected | ",
            "cable is not answered: ends failed or rejected | ",
            "look fails or times out: ends failed | cable",
        ]
    );
}

/// All of them are told of, not only the one that was asked first.
#[test]
fn two_questions_at_once_can_both_be_without_end() {
    let wipe =
        |id: &str| format!("[{{id: {id}, exec: [wipe, {id}], effect: destructive, irreversible: it is old, if: inputs.go}}]");
    let walk = gated(&format!(
        "inputs: {{go: {{type: boolean}}}}\nsteps:\n- parallel: {{a: {}, b: {}}}\n{LOOK}",
        wipe("one"),
        wipe("two")
    ));
    let waits: Vec<String> = found(&walk).into_iter().filter(|found| found.starts_with("RB0608")).collect();
    let path = "parallel-1.a/one runs, parallel-1.a/one is allowed, parallel-1.b/two is allowed";
    assert_eq!(
        waits,
        [
            format!("RB0608: the run can wait for one for ever [{path}]"),
            format!("RB0608: the run can wait for two for ever [{path}]"),
        ]
    );
}

/// A no that ends a called procedure, where its caller goes on as after a yes, is no no.
#[test]
fn an_answer_can_be_idle_beyond_what_it_ends() {
    let plan = |rest: &str| {
        let main = format!(
            "apiVersion: runbook/v1\nkind: Runbook\nname: test\nversion: 1.0.0\nsteps:\n- {{id: all, call: inner@^1, on_failure: continue}}\n{rest}"
        );
        let inner = "apiVersion: runbook/v1\nkind: Runbook\nname: inner\nversion: 1.0.0\nsteps:\n- {id: go, approve: {question: Go?, within: 1h}}\nfinally:\n- {id: tidy, exec: [tidy], effect: read}\n";
        plan_among(&[("test.yaml", &main), ("inner.yaml", inner)])
    };
    assert_eq!(found(&walked(&plan(LOOK))), ["RB0606: whatever people answer go, the same happens []"]);
    let asks = "- {id: tell, if: '\"all\" in steps', exec: [tell], effect: read}\n";
    assert_eq!(found(&walked(&plan(asks))), Vec::<String>::new());
}

/// Two paths that stand alike, and of which only one has changed something, are two.
#[test]
fn what_was_changed_inside_is_not_forgotten_where_paths_meet() {
    let walk = walked(&plan(
        "steps:
- id: all
  on_failure: continue
  group:
  - {id: try, if: inputs.n > 3, exec: [try], idempotent: true, on_failure: continue}
  - {id: seen, check: [{that: 1 < 2}]}
  - {id: go, approve: {question: Go?, within: 1h}}
",
    ));
    let hidden: Vec<String> = found(&walk).into_iter().filter(|found| found.starts_with("RB0609")).collect();
    assert_eq!(
        hidden,
        [
            "RB0609: all may leave a change behind when it fails, and the run succeeds [all/try runs, all/try succeeds, all/go is rejected]"
        ]
    );
}

/// What is left is told of all paths, also of those that stand where others came to by trying an undo again.
#[test]
fn another_try_of_an_undo_is_the_same_undo() {
    let walk = walked(&plan(
        "must: [{never: last, after: {step: first}}]
steps:
- {id: first, exec: [look], effect: read}
- {id: drain, if: inputs.n > 3, exec: [drain], idempotent: true, undo: {exec: [enable], idempotent: true}}
- {id: all, each: {in: inputs.hosts, as: host, steps: [
    {id: one, exec: [one, '{{host}}'], idempotent: true, on_failure: rollback, undo: {exec: [back], idempotent: true}},
    {id: two, exec: [two, '{{host}}'], idempotent: true}]}}
- {id: look, exec: [look], effect: read}
- {id: again, exec: [look], effect: read}
- {id: last, exec: [look], effect: read}
",
    ));
    let fall = walk.pre_mortem().into_iter().find(|fall| fall.path.as_str().starts_with("drain~undo")).unwrap();
    assert_eq!(fall.leaves(), "perhaps all[0]/two");
}

/// What a wait reads is read by its probe, and what takes back has neither effect nor verb.
#[test]
fn a_moment_of_an_effect_or_a_verb_is_of_the_step_itself() {
    let walk = |must: &str| {
        walked(&plan(&format!(
            "must: [{must}]\nsteps:\n- {{id: go, exec: [go], undo: [{{check: [{{that: 1 < 2}}]}}, {{exec: [back]}}]}}\n\
             - {{id: up, on_failure: rollback, wait: {{until: steps.p.exit_code == 0, within: 1h, probe: {{id: p, exec: [look], effect: read}}}}}}\n"
        )))
    };
    for must in ["never: {verb: check}", "never: {effect: read}, after: {step: up}"] {
        assert_eq!(found(&walk(&format!("{{{must}}}"))), Vec::<String>::new(), "{must}");
    }
    // Where its time is over, nothing that reads has failed.
    let never = found(&walk("{never: {effect: read, ends: failed}, after: {step: go}}"));
    assert_eq!(
        never,
        ["RB0610: on some path a step of effect read fails after go succeeds, which must never be [go succeeds, up[1]/p fails]"]
    );
}

/// Conditions that are written alike hold alike: what is guarded twice is guarded.
#[test]
fn a_condition_holds_again_where_it_is_written_again() {
    let guarded = |second: &str| {
        format!(
            "steps:\n- {{id: go, if: inputs.n > 3, approve: {{question: Go?, within: 1h}}}}\n\
             - {{id: wipe, if: {second}, exec: [wipe], effect: destructive, irreversible: it is old}}\n{LOOK}"
        )
    };
    shows(&guarded("inputs.n > 3"), &[]);
    shows(
        &guarded("inputs.n > 4"),
        &["RB0601: wipe destroys something, and nobody has approved before [go is skipped, wipe runs, wipe succeeds]"],
    );
}

#[test]
fn a_pre_mortem_says_what_follows() {
    let walk = walked(&plan(
        "steps:
- {id: drain, exec: [drain], undo: {exec: [enable], idempotent: true}}
- {id: go, approve: {question: Go?, from: [dba], within: 1h}, on_failure: rollback}
- {id: swap, exec: [swap], irreversible: it is swapped, verify: {id: swapped, exec: [look], effect: read}, on_failure: rollback}
- {id: tell, exec: [tell], idempotent: true, on_failure: continue}
- {id: look, exec: [look], effect: read}
on_failure:
- {id: page, exec: [page], idempotent: true}
finally:
- {id: tidy, exec: [tidy], idempotent: true}
",
    ));
    let falls = walk.pre_mortem();
    // As a run does it: what the procedure does about the failure, and then the undo.
    let told = falls.iter().map(|fall| {
        let asked: Vec<String> = fall.asked.iter().map(|(who, about)| format!("{who} about {about}")).collect();
        format!("{} {}: {} | {} | {}", fall.path, fall.when(), fall.happens(), asked.join(", "), fall.leaves())
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "drain fails or times out: runs ~on_failure/page; ends failed |  | ~on_failure/page, perhaps a part of drain",
            "drain ends unknown: goes on with go; ends succeeded | whoever may operate about drain, dba about go | drain, swap, tell",
            "drain~undo/exec-1 fails or times out: takes back drain; ends rolled_back | whoever may operate about drain | ~on_failure/page",
            "go is rejected or is not answered: runs ~on_failure/page; takes back drain; ends rolled_back |  | ~on_failure/page",
            "swap fails or times out: runs ~on_failure/page; takes back drain; ends rolled_back |  | ~on_failure/page, perhaps a part of swap",
            "swap ends unknown: looks whether it did its work; goes on with tell; ends succeeded |  | drain, swap, tell",
            "swap~verify[1]/swapped fails: goes on with swap; ends succeeded |  | drain, swap, tell",
            "swap~verify[1]/swapped times out: goes on with tell; ends succeeded | whoever may operate about swap | drain, swap, tell",
            "tell fails or times out: goes on with look; ends succeeded |  | drain, swap, perhaps a part of tell",
            "look fails or times out: runs ~on_failure/page; ends failed |  | drain, swap, tell, ~on_failure/page",
            "~finally/tidy fails or times out: ends succeeded |  | drain, swap, tell",
            "~on_failure/page fails or times out: takes back perhaps drain; ends failed or rolled_back |  | perhaps drain, perhaps swap, perhaps tell, perhaps a part of ~on_failure/page",
        ]
    );
}

/// A procedure that is called twice has each of its steps twice: every one has its rows, in the order of the numbers.
#[test]
fn a_pre_mortem_tells_of_each_call() {
    let inner = "apiVersion: runbook/v1\nkind: Runbook\nname: inner\nversion: 1.0.0\nsteps:\n- {id: i, exec: [i], idempotent: true, undo: {exec: [back]}}\n- {id: j, exec: [j], effect: read}\n";
    let rows = |steps: &str| -> Vec<String> {
        let main = format!("apiVersion: runbook/v1\nkind: Runbook\nname: test\nversion: 1.0.0\nsteps:\n{steps}");
        let walk = walked(&plan_among(&[("test.yaml", &main), ("inner.yaml", inner)]));
        let row = |fall: &runbook_core::explore::Fall| format!("{} {} {}", fall.number, fall.path, fall.when());
        walk.pre_mortem().iter().map(row).filter(|row| !row.contains("~undo")).collect()
    };
    let calls =
        "- {id: l3, call: inner@^1}\n- {id: r3, call: inner@^1, on_failure: rollback}\n- {id: v, exec: [v], effect: read}\n";
    let fails = "fails or times out";
    let many: String = (0..8).map(|n| format!("- {{id: a{n}, set: {{x: '1'}}}}\n")).collect();
    assert_eq!(
        rows(&format!("{many}{calls}")),
        [
            format!("9.1 l3/i {fails}"),
            format!("9.2 l3/j {fails}"),
            format!("10.1 r3/i {fails}"),
            format!("10.2 r3/j {fails}"),
            format!("11 v {fails}"),
        ]
    );
    let beside = "- parallel:\n    l: [{id: l3, call: inner@^1}]\n    r: [{id: r3, call: inner@^1}]\n";
    let beside = rows(&format!("{beside}- {{id: v, exec: [v], effect: read}}\n"));
    let paths: Vec<&str> = beside.iter().filter_map(|row| row.split(' ').nth(1)).collect();
    assert_eq!(paths, ["parallel-1.l/l3/i", "parallel-1.l/l3/j", "parallel-1.r/r3/i", "parallel-1.r/r3/j", "v"]);
}

/// However conditions turn out, what a row says is left is all that may be.
#[test]
fn a_pre_mortem_names_what_is_left_on_any_path() {
    let walk = walked(&plan(
        "steps:
- {id: all, each: {in: inputs.hosts, as: host, steps: [{id: one, exec: [one, '{{host}}'], idempotent: true}]}}
- {id: more, if: inputs.n > 3, exec: [more], idempotent: true, on_failure: continue}
- {id: look, exec: [look], effect: read}
",
    ));
    let told = walk.pre_mortem().iter().map(|fall| format!("{} {}: {}", fall.path, fall.when(), fall.leaves())).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            "all[1]/one fails or times out: all[0]/one, perhaps a part of all[1]/one",
            "more fails or times out: perhaps all[0]/one, perhaps all[1]/one, perhaps a part of more",
            "look fails or times out: perhaps all[0]/one, perhaps all[1]/one, perhaps more",
        ]
    );
}

/// At its bound the walk says so, and claims nothing of what is not reached.
#[test]
fn the_bound_is_stated() {
    let many: String = (0..20).map(|n| format!("- {{id: s{n}, exec: [look], effect: read}}\n")).collect();
    let plan = plan(&format!("steps:\n{many}- {{id: last, if: 1 > 2, exec: [never], effect: read}}\n"));
    assert_eq!(found(&walked(&plan)), ["RB0605: no path comes to last []"]);
    let all = Bounds::default();
    for bounds in [Bounds { places: 10, ..all }, Bounds { work: 5_000, ..all }, Bounds { held: 50, ..all }] {
        let walk = walk_within(&plan, bounds).unwrap();
        assert!(!walk.extent.complete && walk.extent.places < 20, "{:?}", walk.extent);
        assert_eq!(walk.extent.at_most_wrong, None);
        assert_eq!(found(&walk), Vec::<String>::new());
    }
}

/// Steps of which several may fail, and it goes on: what each left behind is told by itself, so that not every set of them is a state.
#[test]
fn failures_that_are_passed_over_do_not_multiply() {
    let steps = |count: usize| {
        let passed = |n| format!("- {{id: s{n}, exec: [s, '{n}'], idempotent: true, on_failure: continue}}\n");
        let steps: String = (0..count).map(passed).collect();
        format!("steps:\n{steps}- {{id: wipe, exec: [wipe], effect: destructive, irreversible: it is old}}\n")
    };
    let walk = walked(&plan(&steps(40)));
    assert!(walk.extent.complete, "{:?}", walk.extent);
    assert_eq!(walk.findings.iter().filter(|finding| finding.kind.code() == Code::RB0609).count(), 40);
    assert_eq!(walk.findings.iter().filter(|finding| finding.kind.code() == Code::RB0601).count(), 1);
}

/// What is beyond the bound is walked with the least that can go wrong first.
#[test]
fn beyond_its_bound_a_walk_begins_with_what_goes_well() {
    let branch = |b: usize| {
        let steps: Vec<String> = (0..3)
            .map(|n| format!("{{id: b{b}_{n}, exec: [go, '{b}', '{n}'], undo: {{exec: [back]}}, on_failure: rollback}}"))
            .collect();
        format!("    b{b}: [{}]\n", steps.join(", "))
    };
    let branches: String = (0..3).map(branch).collect();
    let wipe = "- {id: wipe, exec: [wipe], effect: destructive, irreversible: it is old}\n";
    let plan = plan(&format!("steps:\n- id: all\n  parallel:\n{branches}{wipe}"));
    let walk = walk_within(&plan, Bounds { places: 3_000, ..Bounds::default() }).unwrap();
    assert!(!walk.extent.complete && walk.extent.at_most_wrong >= Some(1), "{:?}", walk.extent);
    let codes: Vec<(Code, usize)> = walk.findings.iter().map(|finding| (finding.kind.code(), walk.path(finding).len())).collect();
    assert!(codes.contains(&(Code::RB0601, 10)) && codes.contains(&(Code::RB0602, 10)), "{codes:?}");
    let falls = walk.pre_mortem();
    let last = falls.iter().find(|fall| fall.path.as_str() == "wipe" && fall.when().starts_with("fails")).unwrap();
    assert_eq!(last.left.len(), 9, "{last:?}");
}
