//! Every code of checking from the examples of its own page, and tables for what the pages do not show.

mod fields;
mod flow;
mod plans;
mod whole;

use super::{Catalogue, CheckOptions};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Severity, Source};
use crate::document::{Document, Procedure, Workspace};
use crate::effect::Effect;
use crate::plan::Plan;

const CALLED: &str = "
apiVersion: runbook/v1
kind: Runbook
name: pg-rebuild-replica
version: 2.1.0
inputs:
  replica: {type: host}
  parallel: {type: integer, default: 4}
steps:
  - id: copy
    exec: [pg_basebackup, -h, '{{inputs.replica}}', -j, '{{inputs.parallel}}']
    effect: destructive
    irreversible: The primary still has everything.
outputs:
  bytes: steps.copy.stdout.len()
";

const LOCKED: &str = "
apiVersion: runbook/v1
kind: Runbook
name: service-stop
version: 1.0.0
inputs:
  service: {type: string}
lock: service/{{ inputs.service }}
steps:
  - exec: [systemctl, stop, '{{inputs.service}}']
    idempotent: true
";

/// Puts before a text what every procedure has and this one leaves out.
fn whole(text: &str) -> String {
    let mut text = text.to_owned();
    for (key, line) in [
        ("version:", "version: 1.0.0\n"),
        ("name:", "name: a\n"),
        ("kind:", "kind: Runbook\n"),
        ("apiVersion:", "apiVersion: runbook/v1\n"),
    ] {
        if !text.lines().any(|line| line.starts_with(key)) {
            text.insert_str(0, line);
        }
    }
    text
}

fn load(name: &str, text: &str) -> Procedure {
    let (document, diagnostics) = crate::document::load(&Source::new(name, text));
    match document {
        Some(Document::Procedure(procedure)) if diagnostics.is_empty() => *procedure,
        other => panic!("{text}\n{other:?}\n{:?}", diagnostics.into_sorted()),
    }
}

/// Two people who may decide, an escalation, a channel, a provider of secrets; rules only where a test adds them.
const WORKSPACE: &str = "
apiVersion: runbook/v1
kind: Workspace
name: tested
people: {ada: {users: [ada]}, ben: {users: [ben]}}
groups: {dba-oncall: [ada, ben]}
escalations: {database: {steps: [{to: [dba-oncall], after: 10m}]}}
channels: {db-channel: {log: {}}}
secrets: {vault: {age: {file: secrets.age}}}
sources:
  alertmanager: {type: alertmanager, bearer: secrets.token, secrets: {token: {from: vault, key: alerts}}}
  s: {type: sns, topics: [arn:aws:sns:eu-west-1:123456789012:alarms]}
";

fn workspace(text: &str) -> Workspace {
    let (document, diagnostics) = crate::document::load(&Source::new("workspace.yaml", text));
    match document {
        Some(Document::Workspace(workspace)) if diagnostics.is_empty() => *workspace,
        other => panic!("{text}\n{other:?}\n{:?}", diagnostics.into_sorted()),
    }
}

fn judge_in(text: &str, workspace: &Workspace, environment: Option<&str>) -> (Option<Plan>, Diagnostics) {
    let (called, main) = (load("pg-rebuild-replica.yaml", CALLED), load("a.yaml", &whole(text)));
    let locked = load("service-stop.yaml", LOCKED);
    let catalogue = Catalogue::new([&called, &locked, &main], Some(workspace));
    let today = Some("2026-11-21".parse().unwrap());
    super::check(&main, &catalogue, &CheckOptions { environment: environment.map(str::to_owned), today })
}

fn judge(text: &str) -> (Option<Plan>, Diagnostics) {
    judge_in(text, &workspace(WORKSPACE), None)
}

/// Everything that is said of a procedure, in the order of its lines.
fn faults(text: &str) -> Vec<Diagnostic> {
    judge(text).1.into_sorted()
}

/// `RB0101 3:9 message`, one a line.
fn said(text: &str) -> Vec<String> {
    let text = whole(text);
    let source = Source::new("a.yaml", text.as_str());
    let line = |d: &Diagnostic| {
        let at = source.position(d.span.start);
        format!("{} {}:{} {}", d.code.as_str(), at.line, at.column, d.message)
    };
    faults(&text).iter().map(line).collect()
}

fn plan(text: &str) -> Plan {
    let (plan, diagnostics) = judge(text);
    plan.unwrap_or_else(|| panic!("{:?}", diagnostics.into_sorted()))
}

fn examples(page: &str) -> Vec<&str> {
    page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// Codes whose faults need more than one small file, tried elsewhere in these tests and in those of a workspace.
const LARGER: [Code; 8] =
    [Code::RB0219, Code::RB0305, Code::RB0315, Code::RB0318, Code::RB0319, Code::RB0321, Code::RB0323, Code::RB0324];

#[test]
fn the_examples_of_the_pages_are_what_they_say() {
    for code in Code::ALL.iter().copied().filter(|code| ("RB0101".."RB0400").contains(&code.as_str())) {
        let page = crate::diagnostic::explain(code);
        assert!(page.starts_with(&format!("# {}: {}\n", code.as_str(), code.title())), "{}", code.as_str());
        assert!(page.contains("\n## Why\n"), "{}", code.as_str());
        let examples = examples(page);
        assert_eq!(examples.len(), if LARGER.contains(&code) { 0 } else { 2 }, "{}", code.as_str());
        for (example, is_wrong) in examples.iter().zip([true, false]) {
            let found = faults(example);
            if is_wrong {
                let fault = found.iter().find(|fault| fault.code == code);
                let fault = fault.unwrap_or_else(|| panic!("{} is not found: {found:#?}", code.as_str()));
                assert!(fault.help.is_some(), "{} does not say what to do", code.as_str());
                assert!(!fault.message.ends_with('.'), "{}", fault.message);
            } else {
                assert_eq!(found, [], "{}", code.as_str());
            }
        }
    }
}

#[test]
fn a_plan_comes_out_exactly_without_errors() {
    for code in Code::ALL.iter().copied().filter(|code| ("RB0101".."RB0400").contains(&code.as_str())) {
        for example in examples(crate::diagnostic::explain(code)) {
            let (plan, diagnostics) = judge(example);
            assert_eq!(plan.is_none(), diagnostics.has_errors(), "{example}");
            if let Some(plan) = plan {
                let json = serde_json::to_string(&plan).unwrap();
                let again: Plan = serde_json::from_str(&json).unwrap();
                assert_eq!(again.digest().unwrap(), plan.digest().unwrap());
            }
        }
    }
}
