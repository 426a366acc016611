//! Runs whose records hold all that a record can say: every verb, every setting of a procedure and a workspace, every kind of end
//! and answer.

use std::collections::BTreeMap;

use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::policy::ahead::ahead_statement;
use runbook_core::policy::{Ahead, DECISION_NAMESPACE, Person, decision_statement};
use runbook_core::run::Command;
use runbook_core::run::decision::{Choice, Purpose};
use runbook_core::run::event::{AttemptEnd, Failure, Identity, Means, Part, RunStarted, Timer, Vote};
use runbook_core::{Map, Value};

use super::golden::{exits, go};
use super::*;
use crate::clock::ManualClock;
use crate::journal::Owner;
use crate::people;
use crate::session::Session;

const WORKSPACE: &str = r#"
apiVersion: runbook/v1
kind: Workspace
name: golden
timezone: Europe/Berlin
people:
  ada: {name: Ada, users: [ada], mail: ada@example.org}
  bob: {users: [bob], ssh_keys: ["KEY"]}
groups: {dba: [ada, bob]}
environments:
  production:
    production: true
    freeze: [{from: 2027-12-20, to: 2028-01-03, reason: Year end}]
    change_windows: [{days: [mon-sun], from: "00:00", to: "23:59", zone: UTC}, {from: 2026-01-01, to: 2026-12-31}]
policies:
  - name: losses
    when: {effect: destructive, environments: [production], labels: {tier: database}}
    require: {approve: {from: [dba], within: 30m, on_timeout: escalate, not_requester: true}, four_eyes: true, signed: true}
escalations: {ladder: {steps: [{to: [dba], after: 10m, channels: [journal]}], pace: {high: 0.5, critical: 0.2}}}
secrets: {vault: {age: {file: secrets.age, identity: key.txt}}}
sources: {alertmanager: {type: alertmanager, bearer: secrets.token, secrets: {token: {env: ALERTS_TOKEN}}}}
channels:
  journal: {log: {file: messages.jsonl}}
  page: {command: [pager, "{{subject}}"]}
  hook: {http: {url: secrets.hook, headers: {X-From: us}, json: {text: "{{message}}"}}, secrets: {hook: {env: HOOK}}}
  post: {mail: {to: [a@example.org], from: b@example.org, smtp: "mail.example.org:587", user: us, password: secrets.smtp}, secrets: {smtp: {file: /smtp}}}
  safe: {mail: {to: [a@example.org], from: b@example.org, smtp: "mail.example.org:465", security: tls}}
  near: {mail: {to: [a@example.org], from: b@example.org, smtp: "localhost:25", security: none}}
http: {allow: [10.0.0.0/8, vault.example.org]}
"#;

const CALLED: &str = r#"
apiVersion: runbook/v1
kind: Runbook
name: called
version: 1.0.0
impact: low
inputs: {n: {type: integer, default: 1}}
steps:
  - id: told
    set: {m: inputs.n + 1}
  - finish: {outcome: succeeded, message: "It is {{steps.told.m}}"}
outputs: {m: steps.told.m}
"#;

const WIDE: &str = r##"
apiVersion: runbook/v1
kind: Playbook
name: wide
version: 1.2.3
title: Wide
description: All that a procedure can say.
owner: team
impact: high
labels: {tier: database}
contacts: ["ops", dba@example.org]
escalation: ladder
lock: "db-{{inputs.host}}"
timeout: 12h
triggers:
  - {source: alertmanager, when: event.data.labels.alertname == "Wide"}
inputs:
  host: {type: host, default: db-1}
  text: {type: string, pattern: "^[a-z]+$", default: abc, examples: [abd], description: letters}
  number: {type: number, min: 0.5, max: 9.5, default: 2.5}
  switch: {type: boolean, default: true}
  span: {type: duration, default: 90s}
  moment: {type: time, default: "2026-01-02T03:04:05Z"}
  which: {type: enum, choices: [one, two], default: one}
  paths: {type: list, items: {type: path}, default: [/tmp]}
  named: {type: map, default: {a: 1}}
  link: {type: url, default: "https://example.org/"}
secrets:
  token: {env: TOKEN}
  key: {file: key}
  word: {command: [pass, word]}
  sealed: {from: vault, key: db}
steps:
  - id: first
    set: {nothing: "()", when: inputs.moment + inputs.span}
  - id: shell
    name: "Look at {{inputs.text}}"
    why: It is why.
    by_hand: Look.
    owner: somebody
    run: echo {{inputs.text}}
    shell: bash
    env: {PLAIN: inputs.text, TOKEN: secrets.token, KEY: secrets.key, WORD: secrets.word, SEALED: secrets.sealed}
    dir: work
    effect: read
    example: {exit_code: 0}
    retry: {attempts: 2, delay: 1s, backoff: 2, max_delay: 10s, jitter: 0.2}
  - id: plain_shell
    run: "true"
    effect: read
  - id: script
    rhai: "#{a: inputs.number}"
  - id: get
    http: {url: "https://example.org/{{inputs.text}}", query: {q: "1"}, headers: {Authorization: secrets.token, X-Of: "{{inputs.text}}"}, expect: {status: [200], that: result.status == 200}}
    on_failure: continue
  - id: post_json
    http: {method: POST, url: "https://example.org/", json: {list: ["{{inputs.number}}", 1], text: "{{inputs.text}}"}}
    irreversible: it is a test
  - id: post_form
    http: {method: POST, url: "https://example.org/", form: {a: "{{inputs.text}}"}}
    irreversible: it is a test
  - id: post_raw
    http: {method: POST, url: "https://example.org/", body: "{{inputs.text}}"}
    irreversible: it is a test
  - id: tell
    notify: {to: [journal], subject: "{{run.name}}", message: "{{inputs.text}}"}
  - id: holds
    check: [{that: "inputs.number > 9.0", else: "{{inputs.number}} is small"}]
    on_failure: continue
  - id: broken
    set: {one: '[1][inputs.named.a + 1]'}
    on_failure: {next: turn}
  - id: passed
    set: {one: "1"}
  - id: turn
    choose:
      - {when: inputs.switch, steps: [{id: told, call: called@^1, with: {n: "4"}}]}
      - otherwise: [{id: untold, set: {m: "0"}}]
  - id: both
    parallel:
      left: [{id: slow, exec: [slow], effect: read, timeout: 5s, on_failure: continue}]
      right: [{id: quick, exec: [quick], effect: read}]
    max_parallel: 2
  - id: waves
    each: {in: "[1, 2, 3]", as: n, batches: [1, 50%], max_parallel: 2, max_failures: 1, steps: [{id: one, exec: [one, "{{n}}"], effect: read}]}
  - id: pause
    wait: {for: inputs.span}
  - id: until
    wait: {until: steps.probe.exit_code == 0, every: 10s, within: 20m, probe: {id: probe, exec: [probe], effect: read}}
  - id: question
    ask:
      question: How many?
      fields: {size: {type: integer, min: 1}}
      from: [dba]
      within: 1h
      on_timeout: reject
  - id: cable
    manual: {do: Move it., expect: A light., evidence: A photograph, from: [dba], within: 1h}
    irreversible: it is a test
  - id: sure
    approve: {question: "Go on with {{steps.told.m}}?", from: [dba], count: 1, within: 1h, on_timeout: escalate, not_requester: true}
  - id: whole
    on_failure: rollback
    group:
      - id: change
        exec: [change]
        undo: {exec: [unchange], effect: change, idempotent: true}
      - id: sent
        exec: [send]
        irreversible: it is sent
        verify: {exec: [sent], effect: read}
      - id: known
        exec: [know]
        irreversible: it is known
        verify: steps.change.exit_code == 0
      - id: lose
        if: inputs.switch
        exec: [lose]
        effect: destructive
        irreversible: it is lost
on_failure:
  - id: sorry
    notify: {to: [journal], message: it failed}
finally:
  - id: last
    exec: [tidy]
    effect: read
outputs: {m: steps.told.m}
"##;

fn read(name: &str, text: &str) -> Document {
    let (document, found) = load(&Source::new(name, text));
    document.filter(|_| !found.has_errors()).unwrap_or_else(|| panic!("{found:#?}"))
}

fn plan(key: &str) -> Arc<Plan> {
    let workspace = WORKSPACE.replace("KEY", key);
    let (Document::Procedure(wide), Document::Procedure(called), Document::Workspace(workspace)) =
        (read("wide.yaml", WIDE), read("called.yaml", CALLED), read("workspace.yaml", &workspace))
    else {
        panic!("other kinds of documents")
    };
    let options = CheckOptions { environment: Some("production".to_owned()), today: None };
    let (plan, found) = check(&wide, &Catalogue::new([&*wide, &*called], Some(&workspace)), &options);
    Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")))
}

/// One program that is started, or not, and a question.
const SMALL: &str = "
apiVersion: runbook/v1
kind: Runbook
name: small
version: 1.0.0
steps:
  - {id: copy, exec: [cp, a, b], effect: change, idempotent: true}
  - {id: sure, approve: {question: Go on?, within: 1h}}
  - {id: never, exec: [never], effect: read}
";

/// Changes with what takes them back: a command with a name, one that is too long to be shown, and one without either.
const TAKEN_BACK: &str = "
apiVersion: runbook/v1
kind: Runbook
name: taken-back
version: 1.0.0
steps:
  - {id: sure, approve: {question: Go on?}}
  - {id: one, exec: [one], undo: {name: Back, exec: [back]}}
  - {id: two, exec: [two], undo: {exec: [back, LONG]}}
";

/// Channels of services, and a question of which nobody could be told.
const TOLD_IN: &str = r#"
apiVersion: runbook/v1
kind: Workspace
name: golden
url: https://runbook.example.org
people: {ada: {}, bob: {}}
escalations: {ladder: {channels: [chat, team], steps: [{to: [ada], after: 10m, channels: [phone, duty, later, once]}]}}
channels:
  chat: {slack: {webhook: secrets.hook, subject: "{{run.name}}"}, secrets: {hook: {env: HOOK}}}
  team: {teams: {webhook: secrets.hook, message: "{{message}}"}, secrets: {hook: {env: HOOK}}}
  phone: {ntfy: {server: "https://ntfy.example.org", topic: on-call, token: secrets.token, priority: high}, secrets: {token: {env: TOKEN}}}
  duty: {pagerduty: {key: secrets.key, severity: critical}, secrets: {key: {env: KEY}}}
  later: {pagerduty: {key: secrets.key, severity: warning}, secrets: {key: {env: KEY}}}
  once: {pagerduty: {key: secrets.key, severity: info}, secrets: {key: {env: KEY}}}
"#;

const TOLD: &str = "
apiVersion: runbook/v1
kind: Runbook
name: told
version: 1.0.0
escalation: ladder
steps:
  - {id: sure, approve: {question: Go on?, from: [bob], within: 1h, on_timeout: escalate}}
";

fn told() -> Arc<Plan> {
    let (Document::Procedure(told), Document::Workspace(workspace)) = (read("told.yaml", TOLD), read("workspace.yaml", TOLD_IN))
    else {
        panic!("other kinds of documents")
    };
    let (plan, found) = check(&told, &Catalogue::new([&*told], Some(&workspace)), &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")))
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Map {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn end_of(path: &StepPath, attempt: u32) -> AttemptEnd {
    let failure = |message: &str| Failure { message: message.into(), at: Some("wide.yaml:1:1".into()), detail: None };
    let odd = Value::Map(map([("$odd", Value::Bool(true))]));
    match (path.as_str(), path.label()) {
        ("shell", _) if attempt == 1 => exits(1),
        ("waves[1]/one", _) => exits(1),
        ("get", _) => AttemptEnd::Succeeded { result: Value::Map(map([("status", Value::Int(200)), ("json", odd)])) },
        (_, "slow") => AttemptEnd::TimedOut { failure: failure("not done after 5s"), result: Value::Null },
        (_, "sent" | "known") if !path.as_str().contains('~') => AttemptEnd::Unknown { why: "no answer came".into() },
        (_, "lose") => exits(1),
        (path, _) if path.contains("~undo") => exits(1),
        (path, "probe") if path.contains("[1]") => exits(1),
        ("copy", _) => AttemptEnd::Cancelled { failure: failure("cancelled; its processes were ended"), result: Value::Null },
        _ => exits(0),
    }
}

/// The name of each run, and its record. `key` is bob's.
pub(super) async fn records(folder: &Path) -> Vec<(&'static str, String)> {
    let (file, signer) = key(folder, "bob");
    let public = signer.trim_start_matches("bob ").trim();
    let small = crate::session::tests::plan(SMALL);
    let rest = [("stopped", false), ("rejected", true)].map(|(name, stepwise)| (name, small.clone(), stepwise));
    let mut known = (*small).clone();
    known.policy.workspace = true;
    known.policy.people.people.insert("bob".to_owned(), Person::default());
    let known = Arc::new(known);
    let over_the_api = ["token", "session", "certificate"].map(|name| (name, known.clone(), true));
    let long = "x".repeat(runbook_core::limits::PREVIEW_WORK_BYTES);
    let back = ("taken-back", crate::session::tests::plan(&TAKEN_BACK.replace("LONG", &long)), false);
    let mut found = Vec::new();
    for (name, plan, stepwise) in
        [("wide", plan(public), false)].into_iter().chain(rest).chain(over_the_api).chain([back, ("told", told(), false)])
    {
        found.push((name, record(name, plan, stepwise, &file).await));
    }
    found
}

async fn record(name: &str, plan: Arc<Plan>, stepwise: bool, key: &Path) -> String {
    let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
    let id = RunId::from_parts(1_767_225_600_000, 100 + name.len() as u128);
    let main = plan.main();
    let inputs = main.inputs.iter().filter_map(|input| Some((input.name.to_string(), input.value.default.clone()?))).collect();
    let started = RunStarted {
        procedure: main.name.clone(),
        version: main.version,
        plan: plan.digest().unwrap(),
        semantics: plan.semantics,
        inputs,
        event: Some(Value::Map(map([("id", Value::text("1")), ("source", Value::text("alertmanager"))]))),
        environment: plan.policy.environment.as_ref().map(|environment| environment.name.clone()),
        requested_by: match name {
            "wide" => Identity { person: "alertmanager".into(), means: Means::Engine },
            name => bob(name),
        },
        seed: 7,
        part: match name {
            "wide" => Part::From("shell".parse().unwrap()),
            "rejected" => Part::Only(vec!["sure".parse().unwrap()]),
            _ => Part::Whole,
        },
        stepwise,
        catalogue: Some(Digest::of_bytes(b"catalogue")),
        lock: main.lock.as_ref().map(|_| "db-1".to_owned()),
        root: Some("/srv/runbooks".to_owned()),
    };
    let owner = Owner::named("ada", 1);
    let mut session = Session::create(journal.clone(), clock.clone(), owner, Vec::new(), id.clone(), plan, started).await.unwrap();
    go(&mut session, &clock, &end_of).await;
    while session.run().outcome().is_none() {
        answer(name, &mut session, &clock, key);
        go(&mut session, &clock, &end_of).await;
    }
    session.close().await.unwrap();
    let mut text = Vec::new();
    export(&*journal, &id, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// As he comes to the run of this name.
fn bob(name: &str) -> Identity {
    let id = || "0123456789ab".to_owned();
    let means = match name {
        "token" => Means::Token { token: id() },
        "session" => Means::Session { session: id() },
        "certificate" => Means::Certificate { certificate: Digest::of_bytes(b"certificate") },
        _ => return person("bob"),
    };
    Identity { person: "bob".into(), means }
}

/// Lets the time of a question pass where others are to be asked too, and then has bob answer it, with his signature.
fn answer(name: &str, session: &mut Session, clock: &ManualClock, key: &Path) {
    let asked = session
        .run()
        .decisions()
        .iter()
        .find(|decision| decision.is_open())
        .unwrap_or_else(|| panic!("{name}: {:?}", session.run().pending()));
    let (decision, purpose, digest, step) = (asked.id, asked.purpose.clone(), asked.request.digest.clone(), asked.path.clone());
    let by = match name {
        "wide" => Identity { person: "bob".into(), means: Means::SshKey { user: "bob".into(), host: "here".into() } },
        name => bob(name),
    };
    if purpose == Purpose::Approve && name == "wide" {
        let late = |command| match command {
            Command::Wake { timer: timer @ Timer::Decision { .. }, at } => Some((timer, at)),
            _ => None,
        };
        let (timer, at) = session.run().pending().into_iter().find_map(late).unwrap();
        clock.set(at);
        session.record(Fact::fired(timer)).unwrap();
    }
    if name == "told" {
        let unreached = Some(format!("request of decision {decision}: not delivered to `chat`: the server answered 404"));
        let timer = Timer::Decision { decision, rung: 0 };
        session.record(Fact::TimerFired { timer, on_call: BTreeMap::new(), unreached }).unwrap();
    }
    let (choice, reason, answers) = match purpose {
        Purpose::Ask => (Choice::Approve, None, map([("size", Value::Int(3))])),
        Purpose::Manual => (Choice::Approve, None, map([("evidence", Value::text("https://example.org/photograph"))])),
        Purpose::UndoFailed => (Choice::Leave, Some("we look at it tomorrow"), Map::new()),
        Purpose::Approve if name == "rejected" => (Choice::Reject, Some("not now"), Map::new()),
        _ => (Choice::Approve, Some("looked at it"), Map::new()),
    };
    let sign = |text: &str| people::sign(text, DECISION_NAMESPACE, &SigningKey::File(key.to_owned())).unwrap();
    let run = session.run();
    let statement = decision_statement(run.id().unwrap(), decision, choice, &digest, "bob", reason, &answers).unwrap();
    let mut vote = Vote {
        by: by.clone(),
        choice,
        reason: reason.map(str::to_owned),
        // The others have no workspace that knows a key.
        signature: (name == "wide").then(|| sign(&statement)),
        answers,
        digest,
        ahead: None,
        terms: None,
        notice: (purpose == Purpose::Part).then(|| "nobody else was asked".to_owned()),
        head: Some(session.head().clone()),
    };
    if let (Purpose::Approve, "wide", Some(step)) = (&purpose, name, step) {
        let start = run.start().unwrap();
        let mut ahead = Ahead {
            id: "a1".into(),
            by,
            reason: "looked at it".into(),
            procedure: start.procedure.clone(),
            version: start.version,
            plan: start.plan.clone(),
            step,
            environment: start.environment.clone(),
            inputs: Some(Digest::of_json(&start.inputs).unwrap()),
            uses: 2,
            uses_left: 2,
            expires: "2026-02-01T00:00:00Z".parse().unwrap(),
            signature: None,
        };
        ahead.signature = Some(sign(&ahead_statement(&ahead)));
        (vote.signature, vote.ahead) = (ahead.signature.clone(), Some(ahead.id.clone()));
        (vote.terms, vote.head) = (Some(Box::new(ahead)), None);
        // That it may be used is found by whoever drives the run, and not sent by anybody.
        session.record(Fact::Decided { decision, vote }).unwrap();
        return;
    }
    let received = session.receive(Message::Decide { decision, vote: Box::new(vote) }).unwrap();
    assert!(matches!(received.answer, crate::message::Answer::Accepted { .. }), "{name}: {purpose:?}: {:?}", received.answer);
}
