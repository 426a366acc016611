//! Whole documents: the one of the format's own page, faults with their places, calls through many files, large ones.

use super::*;

/// The whole example of the format's reference.
const WHOLE: &str = include_str!("whole.yaml");

/// A lock is the same where the same stands in it, whatever the inputs are called.
#[test]
fn the_lock_of_a_called_procedure_is_taken_by_its_caller() {
    for (lock, with, warned) in [
        ("", "inputs.name", true),
        ("lock: service/{{inputs.name}}\n", "inputs.name", false),
        ("lock: 'service/{{ inputs.name }}'\n", " inputs.name ", false),
        ("lock: service/{{inputs.other}}\n", "inputs.name", true),
        ("lock: service\n", "inputs.name", true),
        ("lock: service/web\n", "'\"web\"'", false),
        ("lock: service/web\n", "'\"db\"'", true),
        ("lock: service/{{inputs.name}}\n", "inputs.name + \"2\"", true),
        ("lock: service/{{inputs.name}}\n", "steps.look.stdout", true),
    ] {
        let text = format!(
            "inputs: {{name: {{type: string}}, other: {{type: string}}}}\n{lock}steps:\n  - {{id: look, exec: [look, '{{{{inputs.name}}}}{{{{inputs.other}}}}'], effect: read}}\n  - call: service-stop@^1\n    with: {{service: {with}}}\n"
        );
        let told: Vec<String> = said(&text).into_iter().filter(|line| line.starts_with("RB0322")).collect();
        assert_eq!(!told.is_empty(), warned, "{text}{told:#?}");
        plan(&text);
    }
}

/// Members of inputs, defaults of the called procedure, helpers, and what nobody can know.
#[test]
fn a_lock_is_taken_where_it_says_the_same() {
    const NOT: &str = "is not taken here";
    const UNKNOWN: &str = "cannot be known";
    let called_inputs = "{svc: {type: map, default: {name: web}}, env: {type: string, default: prod}, n: {type: integer, default: 7}, t: {type: duration, default: 90s}, \
                         o: {type: string, required: false}, h: {type: string, default: h}}";
    for (called, own, with, told) in [
        ("a/{{inputs.svc.name}}", "a/{{inputs.m.name}}", "{svc: inputs.m}", ""),
        ("a/{{inputs.svc.name}}", "a/{{inputs.m.deep.name}}", "{svc: inputs.m.deep}", ""),
        ("a/{{inputs.h}}", "a/{{inputs.m.host}}", "{h: inputs.m.host}", ""),
        ("a/{{inputs.svc.name}}", "a/{{inputs.m.host}}", "{svc: inputs.m}", UNKNOWN),
        ("a/{{inputs.svc.name}}", "a/web", "{}", ""),
        ("a/{{inputs.svc.name}}", "a/db", "{svc: '#{name: \"db\"}'}", ""),
        ("a/{{inputs.svc.name}}", "a/db", "{}", NOT),
        ("a/{{inputs.env}}/{{inputs.n}}", "a/prod/7", "{}", ""),
        ("a/{{inputs.env}}/{{inputs.n}}", "a/prod/8", "{n: 8}", ""),
        ("a/{{inputs.env}}", "a/prod", "{env: '\"stage\"'}", NOT),
        ("a/{{inputs.env}}", "a/{{inputs.s}}", "{}", UNKNOWN),
        ("a/{{inputs.env}}", "", "{}", NOT),
        ("a/{{inputs.t}}", "a/1m 30s", "{}", ""),
        ("a/{{inputs.t}}", "a/{{inputs.d}}", "{t: inputs.d}", ""),
        ("a/{{inputs.t}}", "a/{{inputs.s}}", "{t: inputs.s}", UNKNOWN),
        ("a/{{inputs.h}}", "a/{{inputs.q}}", "{h: inputs.q}", UNKNOWN),
        ("a/{{default inputs.o \"x\"}}", "a/{{default inputs.q \"x\"}}", "{o: inputs.q}", ""),
        ("a/{{upper (trim inputs.env)}}", "a/{{ upper (trim  inputs.s) }}", "{env: inputs.s}", ""),
        ("a/{{upper inputs.env}}", "a/{{lower inputs.s}}", "{env: inputs.s}", UNKNOWN),
        ("{{#if inputs.env}}a{{/if}}", "{{#if inputs.s}}a{{else}}{{/if}}", "{env: inputs.s}", ""),
        ("a/{{inputs.env}}", "a/{{inputs.s}}", "{env: 'inputs.s + \"\"'}", UNKNOWN),
        ("a/{{inputs.env}}", "a/{{inputs.s}}", "{env: steps.look.stdout}", UNKNOWN),
    ] {
        let lock = if own.is_empty() { String::new() } else { format!("lock: '{own}'\n") };
        let main = format!(
            "name: main\ninputs: {{m: {{type: map}}, s: {{type: string}}, d: {{type: duration}}, q: {{type: string, required: false}}}}\n{lock}steps:\n  \
             - {{id: look, exec: [look], effect: read}}\n  - call: sub@^1\n    with: {with}\n"
        );
        let sub = format!("name: sub\ninputs: {called_inputs}\nlock: '{called}'\nsteps: [{{exec: [look], effect: read}}]\n");
        let procedures = [&main, &sub].map(|text| super::load("p.yaml", &whole(text)));
        let found = crate::check::check(&procedures[0], &Catalogue::new(&procedures, None), &CheckOptions::default()).1;
        let said: Vec<&str> = found.iter().filter(|fault| fault.code == Code::RB0322).map(|fault| fault.message.as_str()).collect();
        match told {
            "" => assert!(said.is_empty(), "{called} {own} {with}: {said:?}"),
            _ => assert!(matches!(said[..], [one] if one.contains(told)), "{called} {own} {with}: {said:?}"),
        }
    }
}

#[test]
fn the_example_of_the_format_is_right() {
    let (plan, diagnostics) = judge(WHOLE);
    assert_eq!(diagnostics.into_sorted(), []);
    let plan = plan.unwrap();
    assert_eq!(plan.main().name.as_str(), "pg-replica-lag");
    assert!(plan.main().escalation.is_some());
    let effects: Vec<Effect> = plan.main().body.iter().map(|ix| plan.step(*ix).effect).collect();
    use Effect::{Change, Destructive, None, Read};
    assert_eq!(effects, [Read, None, None, Change, Destructive, Read]);
}

#[test]
fn faults_stand_where_they_were_written() {
    for (text, expect) in [
        (
            "steps:\n  - id: lag\n    run: |\n\n      set -x\n      psql -c \"select {{inputs.x}}\"\n    effect: read\ninputs: {x: {type: string}}\n",
            "RB0116 10:23 a value stands where the shell would not take it as data",
        ),
        (
            "steps:\n  - run: |\n      echo one\n      echo {{inputs.hots}}\n    effect: read\ninputs: {host: {type: host}}\n",
            "RB0102 8:14 there is no input `hots`",
        ),
        ("steps:\n  - check:\n      - that: 'now.year > 1 && seps.x > 1'\n", "RB0101 7:32 there is no name `seps`"),
    ] {
        assert_eq!(said(text), [expect], "{text}");
    }
}

#[test]
fn every_fault_is_said_at_once() {
    let said = said(
        "inputs: {a: {type: integer}, unread: {type: string}}
secrets: {unused: {env: X}}
steps:
  - {id: x, effect: read, exec: [a, '{{inputs.b}}'], next: nowhere}
  - {id: x, effect: read, exec: [a]}
  - {check: [{that: inputs.a == \"1\"}, {that: steps.y.z}]}
  - {call: nothing@^1}
",
    );
    let codes: Vec<&str> = said.iter().map(|line| &line[..6]).collect();
    assert_eq!(codes, ["RB0217", "RB0216", "RB0102", "RB0202", "RB0201", "RB0108", "RB0103", "RB0301"], "{said:#?}");
}

#[test]
fn what_could_not_be_read_is_not_judged_as_well() {
    for verb in ["wait: 1s", "name: nothing", "group: []"] {
        let text = whole(&format!("steps:\n  - check: [{{that: 'true'}}]\n  - {verb}\n"));
        let (document, reading) = crate::document::load(&Source::new("a.yaml", text.as_str()));
        let Some(Document::Procedure(procedure)) = document else { panic!("{text}") };
        assert_eq!(reading.into_sorted().len(), 1, "{text}");
        let catalogue = Catalogue::new([&*procedure], None);
        let (plan, found) = crate::check::check(&procedure, &catalogue, &CheckOptions::default());
        assert!(plan.is_none(), "{text}");
        assert_eq!(found.into_sorted(), [], "{text}");
    }
}

#[test]
fn suggestions_mend_the_file() {
    for (text, expect) in [
        ("steps: [{check: [{that: 'seps.a == 1'}]}]\n", "steps"),
        ("steps: [{exec: [a], effect: read, next: bac}, {id: back, exec: [a], effect: read}]\n", "back"),
        ("steps: [{call: pg-rebuild-replica, with: {replica: '\"a\"'}}]\n", "pg-rebuild-replica@^2"),
        ("steps: [{call: pg-rebuild-replice@^2, with: {replica: '\"a\"'}}]\n", "pg-rebuild-replica@^2"),
        ("steps: [{approve: {question: q, from: [dba-oncal], within: 1m}}]\n", "dba-oncall"),
        (
            "inputs: {host: {type: host}}\nsteps: [{exec: [a, inputs.host, '{{inputs.host}}'], effect: read}]\n",
            "\"{{inputs.host}}\"",
        ),
    ] {
        let found = faults(text);
        let suggestion = found.iter().find_map(|fault| fault.suggestion.as_ref());
        assert_eq!(suggestion.map(|s| s.replacement.as_str()), Some(expect), "{text}\n{found:#?}");
    }
}

/// So many procedures, each of which calls the next one; the first one calls the one at `at_first` before.
fn chain(depth: usize, at_first: Option<usize>) -> Vec<Procedure> {
    (0..depth)
        .map(|n| {
            let calls = at_first.filter(|_| n == 0).into_iter().chain((n + 1 < depth).then_some(n + 1));
            let calls: Vec<String> = calls.map(|called| format!("{{call: p{called}@^1}}")).collect();
            let steps = if calls.is_empty() { "{check: [{that: 'true'}]}".to_owned() } else { calls.join(", ") };
            load(&format!("p{n}.yaml"), &whole(&format!("name: p{n}\nsteps: [{steps}]\n")))
        })
        .collect()
}

#[test]
fn calls_are_as_deep_as_the_bound_and_no_deeper() {
    let most = crate::limits::CALL_DEPTH;
    for (depth, at_first, expect) in [
        (most, None, None),
        (most + 1, None, Some(Code::RB0305)),
        (most, Some(most / 2), None),
        // What was checked already on a shorter way counts on the longer one too.
        (most + 1, Some(most / 2), Some(Code::RB0305)),
    ] {
        let procedures = chain(depth, at_first);
        let (plan, found) = crate::check::check(&procedures[0], &Catalogue::new(&procedures, None), &CheckOptions::default());
        assert_eq!(found.iter().map(|fault| fault.code).next(), expect);
        assert_eq!(plan.is_some(), expect.is_none());
    }
}

#[test]
fn procedures_that_call_one_another_are_refused() {
    let load =
        |name: &str, other: &str| load(&format!("{name}.yaml"), &whole(&format!("name: {name}\nsteps: [{{call: {other}@^1}}]\n")));
    let (one, two) = (load("one", "two"), load("two", "one"));
    let (plan, found) = crate::check::check(&one, &Catalogue::new([&one, &two], None), &CheckOptions::default());
    assert!(plan.is_none());
    let found = found.into_sorted();
    assert_eq!(
        found.iter().map(|f| (f.code, f.source.as_ref(), f.reason.as_str())).collect::<Vec<_>>(),
        [(Code::RB0304, "two.yaml", "one → two → one")]
    );
}

#[test]
fn a_plan_has_as_many_steps_as_the_bound_and_no_more() {
    // The bound counts called procedures too: two of these are over it.
    let inner = |name: &str| {
        let steps: String = (0..6_000).map(|_| "  - {wait: {for: 1s}}\n".to_owned()).collect();
        load(&format!("{name}.yaml"), &whole(&format!("name: {name}\nsteps:\n{steps}")))
    };
    let outer = |calls: &str| load("outer.yaml", &whole(&format!("name: outer\nsteps: [{calls}]\n")));
    let (one, two) = (inner("one"), inner("two"));
    for (calls, expect) in [("{call: one@^1}", None), ("{call: one@^1}, {call: two@^1}", Some(Code::RB0219))] {
        let outer = outer(calls);
        let found = crate::check::check(&outer, &Catalogue::new([&one, &two], None), &CheckOptions::default()).1;
        assert_eq!(found.iter().map(|fault| fault.code).next(), expect);
    }
}

#[test]
fn what_steps_have_from_around_them_is_bounded() {
    let variables = |count: usize| (0..count).map(|n| format!("V{n}: '1'")).collect::<Vec<_>>().join(", ");
    let steps = "- {exec: [a], effect: read}\n".repeat(1_000);
    let around = format!("- group:\n{}", "  - {exec: [a], effect: read}\n".repeat(1_000));
    for (name, text, fits) in [
        ("a few defaults", format!("defaults: {{env: {{{}}}}}\nsteps:\n{steps}", variables(50)), true),
        ("many defaults", format!("defaults: {{env: {{{}}}}}\nsteps:\n{steps}", variables(100)), false),
        ("a folder", format!("steps:\n{around}  dir: {}\n", "a".repeat(4_000)), true),
        ("a long folder", format!("steps:\n{around}  dir: {}\n", "a".repeat(9_000)), false),
        ("variables of a group", format!("steps:\n{around}  env: {{{}}}\n", variables(100)), false),
    ] {
        let (plan, found) = judge(&text);
        let faults: Vec<_> = found.iter().filter(|fault| fault.severity == Severity::Error).map(|fault| fault.code).collect();
        assert_eq!((plan.is_some(), faults), (fits, if fits { vec![] } else { vec![Code::RB0219] }), "{name}");
    }
}

#[test]
fn what_policies_add_to_all_steps_is_bounded() {
    let rule = |n: usize| format!("- {{name: r{n}, when: {{effect: change}}, require: {{approve: {{within: 1h}}}}}}\n");
    let steps = "- {exec: [a], idempotent: true}\n".repeat(1_000);
    for (rules, fits) in [(50, true), (100, false)] {
        let workspace = workspace(&format!("{WORKSPACE}policies:\n{}", (0..rules).map(rule).collect::<String>()));
        let (plan, found) = judge_in(&format!("steps:\n{steps}"), &workspace, None);
        let faults: Vec<_> = found.iter().filter(|fault| fault.severity == Severity::Error).map(|fault| fault.code).collect();
        assert_eq!((plan.is_some(), faults), (fits, if fits { vec![] } else { vec![Code::RB0219] }), "{rules}");
    }
}

#[test]
fn warnings_do_not_keep_a_plan_back() {
    let (plan, found) = judge("steps: [{exec: [a]}]\n");
    assert!(plan.is_some());
    assert!(found.iter().all(|fault| fault.severity == Severity::Warning) && !found.is_empty());
}

#[test]
fn an_environment_is_one_of_the_workspace() {
    let workspace = workspace(&format!("{WORKSPACE}environments: {{test: {{}}, live: {{production: true}}}}\n"));
    for (environment, expect) in [(Some("live"), None), (None, None), (Some("lvie"), Some(Code::RB0315))] {
        let (plan, found) = judge_in("steps: [{exec: [a], effect: read}]\n", &workspace, environment);
        assert_eq!(found.iter().map(|fault| fault.code).next(), expect, "{environment:?}");
        assert_eq!(plan.is_some(), expect.is_none());
        let named = plan.and_then(|plan| plan.policy.environment).map(|e| e.name);
        assert_eq!(named.as_deref(), environment.filter(|_| expect.is_none()));
    }
}

#[test]
fn where_nobody_is_named_one_person_decides() {
    let alone = "apiVersion: runbook/v1\nkind: Workspace\nname: w\n";
    for (workspace, count, expect) in [
        (None, "", None),
        (None, ", count: 1", None),
        (None, ", count: 2", Some(Code::RB0319)),
        (Some(workspace(alone)), ", count: 1", None),
        (Some(workspace(alone)), ", count: 2", Some(Code::RB0319)),
        (Some(workspace(WORKSPACE)), ", count: 2", None),
        (Some(workspace(WORKSPACE)), ", count: 3", Some(Code::RB0313)),
        (Some(workspace(WORKSPACE)), ", count: 2, from: [ada]", Some(Code::RB0313)),
    ] {
        let main = load("a.yaml", &whole(&format!("steps: [{{approve: {{question: Go?, within: 1h{count}}}}}]\n")));
        let found = crate::check::check(&main, &Catalogue::new([&main], workspace.as_ref()), &CheckOptions::default()).1;
        assert_eq!(found.iter().map(|fault| fault.code).next(), expect, "{count}");
    }
}

#[test]
fn the_source_of_a_trigger_is_declared_or_built_in() {
    let bare = workspace("apiVersion: runbook/v1\nkind: Workspace\nname: w\n");
    let full = workspace(WORKSPACE);
    let add = "add it to the workspace, or correct the name";
    for (workspace, name, expect) in [
        (Some(&full), "alertmanager", None),
        (Some(&full), "runs", None),
        (Some(&full), "stdin", None),
        (
            Some(&full),
            "alertmanger",
            Some(("RB0320 the workspace has no source of events `alertmanger`", "did you mean `alertmanager`?")),
        ),
        (Some(&full), "stdn", Some(("RB0320 the workspace has no source of events `stdn`", "did you mean `stdin`?"))),
        (Some(&full), "pagerduty", Some(("RB0320 the workspace has no source of events `pagerduty`", add))),
        (Some(&bare), "alertmanager", Some(("RB0320 the workspace has no source of events `alertmanager`", add))),
        (Some(&bare), "runs", None),
        (None, "stdin", None),
        (
            None,
            "alertmanager",
            Some((
                "RB0321 nothing says where events of `alertmanager` come from",
                "add a `workspace.yaml` with this name under `sources`",
            )),
        ),
    ] {
        let head = "kind: Playbook\nowner: o\nimpact: low\nescalation: database\n";
        let text = format!("{head}triggers: [{{source: {name}}}]\nsteps: [{{exec: [a], effect: read}}]\n");
        let main = load("a.yaml", &whole(&text));
        let (plan, found) = crate::check::check(&main, &Catalogue::new([&main], workspace), &CheckOptions::default());
        let of_sources = |fault: &&Diagnostic| [Code::RB0320, Code::RB0321].contains(&fault.code);
        let fault = found.iter().find(of_sources);
        let told = fault.map(|f| (format!("{} {}", f.code.as_str(), f.message), f.help.clone().unwrap_or_default()));
        assert_eq!(told, expect.map(|(message, help)| (message.to_owned(), help.to_owned())), "{name}");
        // What is only a warning hinders nobody from running it by hand.
        assert_eq!(plan.is_some(), !found.has_errors(), "{name}");
    }
}

#[test]
fn a_test_names_a_procedure() {
    let catalogue_of = load("a.yaml", &whole("steps: [{exec: [a], effect: read}]\n"));
    let catalogue = Catalogue::new([&catalogue_of], None);
    for (test, expect) in [
        ("procedure: a", None),
        ("procedure: a@^1", None),
        ("procedure: b", Some(Code::RB0318)),
        ("procedure: a@x", Some(Code::RB0318)),
        ("procedure: a@^2", Some(Code::RB0302)),
        ("procedure: a\nenvironment: production", Some(Code::RB0315)),
        ("procedure: a\nevent: {status: firing}", Some(Code::RB0502)),
    ] {
        let (procedure, environment) = test.split_once('\n').unwrap_or((test, "inputs: {}"));
        let case = format!("cases: [{{name: works, {environment}, expect: {{outcome: succeeded}}}}]");
        let text = format!("apiVersion: runbook/v1\nkind: Test\n{procedure}\n{case}\n");
        let Some(Document::Test(test)) = crate::document::load(&Source::new("a.test.yaml", text)).0 else { panic!() };
        let found = crate::check::check_test(&test, &catalogue);
        assert_eq!(found.iter().map(|fault| fault.code).next(), expect, "{procedure} {environment}");
    }
}

#[test]
fn a_flood_of_faults_is_cut_short_and_that_is_said() {
    let inputs: String = (0..1000).map(|n| format!("  i{n}: {{type: string}}\n")).collect();
    for (steps, plan, severity) in
        [("[{effect: read, run: x}]", true, Severity::Warning), ("[{effect: read, run: x, if: y}]", false, Severity::Error)]
    {
        let (made, found) = judge(&whole(&format!("inputs:\n{inputs}steps: {steps}\n")));
        let last = found.iter().find(|fault| fault.code == Code::RB0005).unwrap();
        assert_eq!((made.is_some(), last.severity), (plan, severity));
        assert_eq!(found.iter().count(), crate::limits::DIAGNOSTICS + 1);
        assert!(last.message.contains(" of 100"), "{}", last.message);
    }
}
