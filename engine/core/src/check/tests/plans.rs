//! What comes out: labels, defaults, effects, gates, settings that are shared.

use super::*;
use crate::plan::{EnvValue, OnFailure, SecretSource, StepIx, Verb};

fn step<'p>(plan: &'p Plan, label: &str) -> &'p crate::plan::Step {
    plan.steps.iter().find(|step| step.label == label).unwrap_or_else(|| panic!("no step {label}"))
}

#[test]
fn blocks_are_in_order_and_labelled_by_id_or_place() {
    let plan = plan(
        "steps:
  - {id: first, effect: read, exec: [a]}
  - group:
      - {effect: read, run: b}
      - {effect: read, exec: [c]}
  - {effect: read, exec: [d]}
finally:
  - notify: {to: [db-channel], message: done}
",
    );
    let labels = |block: &[StepIx]| block.iter().map(|ix| plan.step(*ix).label.clone()).collect::<Vec<_>>();
    assert_eq!(labels(&plan.main().body), ["first", "group-2", "exec-3"]);
    let Verb::Group(inner) = &step(&plan, "group-2").verb else { panic!() };
    assert_eq!(labels(inner), ["run-1", "exec-2"]);
    assert_eq!(labels(&plan.main().finally), ["notify-1"]);
    assert_eq!(plan.locate(&step(&plan, "first").at), "a.yaml:6:5");
}

#[test]
fn effects_are_declared_or_follow_from_the_verb_and_what_is_inside() {
    for (steps, expect) in [
        ("run: x\n    idempotent: true", Effect::Change),
        ("exec: [x]\n    effect: read", Effect::Read),
        ("rhai: 1 + 1", Effect::None),
        ("http: {url: 'https://example.org'}", Effect::Read),
        ("http: {url: 'https://example.org', method: POST}\n    idempotent: true", Effect::Change),
        ("manual: Turn the key\n    irreversible: Turned.", Effect::Change),
        ("set: {a: '1'}", Effect::None),
        ("group: [{run: x, effect: read}, {run: y, effect: destructive, irreversible: Gone.}]", Effect::Destructive),
        ("group: [{run: x, effect: read}]\n    effect: change", Effect::Change),
        ("call: pg-rebuild-replica@^2\n    with: {replica: '\"db\"'}", Effect::Destructive),
        ("wait: {for: 5m}", Effect::None),
        ("wait: {until: 'true', within: 5m, probe: {run: x, effect: read}}", Effect::Read),
        ("exec: [x]\n    effect: read\n    undo: {exec: [y]}", Effect::Read),
    ] {
        let plan = plan(&format!("steps:\n  - {steps}\n"));
        assert_eq!(plan.step(plan.main().body[0]).effect, expect, "{steps}");
    }
}

#[test]
fn settings_come_from_the_step_the_steps_around_it_and_the_defaults() {
    let plan = plan(
        "secrets: {token: {env: TOKEN}}
inputs: {region: {type: string}}
defaults:
  timeout: 5m
  retry: {attempts: 2, delay: 1s}
  shell: bash
  env: {REGION: inputs.region, MODE: '\"fast\"'}
steps:
  - id: g
    dir: work
    env: {TOKEN: secrets.token, MODE: '\"slow\"'}
    group:
      - {id: inner, effect: read, run: x}
      - {id: own, effect: read, run: x, shell: sh, timeout: 1m, dir: other, retry: {attempts: 9, delay: 2s}, env: {MODE: '1'}}
  - {id: outer, effect: read, exec: [x]}
  - {id: decided, check: [{that: 'true'}]}
",
    );
    let env = |label: &str| {
        let show = |value: &EnvValue| match value {
            EnvValue::Expression(expression) => expression.source.clone(),
            EnvValue::Secret(id) => format!("secret {id}"),
        };
        step(&plan, label).env.iter().map(|(name, value)| format!("{name}={}", show(value))).collect::<Vec<_>>().join(" ")
    };
    for (label, expect_env, dir, timeout, attempts) in [
        ("inner", "MODE=\"slow\" REGION=inputs.region TOKEN=secret token", Some("work"), Some(300), Some(2)),
        ("own", "MODE=1 REGION=inputs.region TOKEN=secret token", Some("other"), Some(60), Some(9)),
        ("outer", "MODE=\"fast\" REGION=inputs.region", None, Some(300), Some(2)),
        ("decided", "", None, None, None),
        ("g", "", None, None, None),
    ] {
        let step = step(&plan, label);
        assert_eq!(env(label), expect_env, "{label}");
        assert_eq!(step.dir.as_ref().map(|dir| dir.source.as_str()), dir, "{label}");
        assert_eq!(step.timeout.map(|t| t.as_secs()), timeout, "{label}");
        assert_eq!(step.retry.map(|r| r.attempts), attempts, "{label}");
    }
    assert_eq!(plan.main().secrets.values().collect::<Vec<_>>(), [&SecretSource::Env("TOKEN".to_owned())]);
}

#[test]
fn jumps_are_indexes_of_later_steps() {
    let plan = plan(
        "steps:
  - {effect: read, exec: [a], on_failure: {next: b}}
  - {effect: read, exec: [a], if: now.year > 1, next: b}
  - {effect: read, exec: [a], on_failure: continue}
  - {id: b, effect: read, exec: [a], on_failure: rollback}
",
    );
    let body = &plan.main().body;
    let found: Vec<_> = body.iter().map(|ix| (plan.step(*ix).next, plan.step(*ix).on_failure)).collect();
    let b = body[3];
    assert_eq!(
        found,
        [(None, OnFailure::Next(b)), (Some(b), OnFailure::Stop), (None, OnFailure::Continue), (None, OnFailure::Rollback)]
    );
}

#[test]
fn a_called_procedure_is_placed_once() {
    let plan = plan(
        "steps:
  - {id: one, call: pg-rebuild-replica@^2, with: {replica: '\"a\"'}}
  - {id: two, call: pg-rebuild-replica@~2.1, with: {replica: steps.one.bytes + \"\"}}
",
    );
    assert_eq!(plan.procedures.len(), 2);
    assert_eq!(plan.files.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["a.yaml", "pg-rebuild-replica.yaml"]);
    for label in ["one", "two"] {
        let Verb::Call { procedure, .. } = &step(&plan, label).verb else { panic!() };
        assert_eq!(plan.procedure(*procedure).name.as_str(), "pg-rebuild-replica");
    }
    assert_eq!(plan.locate(&step(&plan, "copy").at), "pg-rebuild-replica.yaml:10:5");
}

#[test]
fn gates_stand_before_what_acts_and_never_before_an_undo() {
    let rules = "policies:
  - {name: all, when: {effect: change}, require: {approve: {from: [dba-oncall], within: 1h}}}
  - {name: data, when: {effect: destructive, labels: {tier: database}}, require: {approve: {from: [dba-oncall], within: 1h}}}
";
    let text = "labels: {tier: database}
steps:
  - {id: look, effect: read, exec: [a]}
  - id: g
    group:
      - {id: change, exec: [a], undo: {id: back, exec: [b]}}
      - {id: lose, exec: [a], effect: destructive, irreversible: Gone.}
";
    let plan = judge_in(text, &workspace(&format!("{WORKSPACE}{rules}")), None).0.unwrap();
    for (label, expect) in [("look", ""), ("g", ""), ("change", "all"), ("back", ""), ("lose", "all data")] {
        let gates: Vec<&str> = step(&plan, label).gates.iter().map(|gate| gate.rule.as_str()).collect();
        assert_eq!(gates.join(" "), expect, "{label}");
    }
}

/// Moving a step into a procedure that carries no labels leads around no rule.
#[test]
fn rules_hold_in_what_is_called() {
    let rules = "policies:
  - {name: data, when: {effect: change, labels: {tier: database}}, require: {approve: {from: [dba-oncall], within: 1h}, four_eyes: true}}
";
    let call = "steps:\n  - {id: sub, call: pg-rebuild-replica@^2, with: {replica: '\"a\"'}}\n";
    for (labels, gates, four_eyes) in [("labels: {tier: database}\n", "data", true), ("", "", false)] {
        let plan = judge_in(&format!("{labels}{call}"), &workspace(&format!("{WORKSPACE}{rules}")), None).0.unwrap();
        let found: Vec<&str> = step(&plan, "copy").gates.iter().map(|gate| gate.rule.as_str()).collect();
        assert_eq!((found.join(" ").as_str(), plan.demands().four_eyes), (gates, four_eyes), "{labels}");
    }
}
