//! A run of each version of the machine's meaning, in which the rules that were changed decide.

use runbook_core::plan::SEMANTICS;
use runbook_core::run::Command;
use runbook_core::run::view::Standing;
use runbook_core::{Digest, Plan, Value};

use super::golden::exits;
use super::*;
use crate::clock::ManualClock;
use crate::journal::Owner;
use crate::session::Session;
use crate::session::tests::{begin, plan};

/// The time of `all` ends its last item (version 1: it has succeeded all the same), and that of the run what is done about a failure
/// (up to version 2).
const TIMES: &str = "
apiVersion: runbook/v1
kind: Runbook
name: times
version: 1.0.0
timeout: 10m
steps:
  - id: all
    timeout: 10s
    on_failure: continue
    each: { in: '[1]', as: x, max_failures: 3, steps: [{ id: slow, exec: [slow], effect: read }] }
  - id: broken
    exec: [broken]
    effect: read
on_failure:
  - id: rest
    wait: { for: 1h, within: 2h }
  - id: mend
    exec: [mend]
    effect: read
finally:
  - id: last
    exec: [last]
    effect: read
";

/// What `look` gives has another part up to version 3: where its log is kept.
const GIVEN: &str = "
apiVersion: runbook/v1
kind: Runbook
name: given
version: 1.0.0
steps:
  - id: look
    exec: [look]
    effect: read
  - id: alone
    if: steps.look.len() == 2
    exec: [alone]
    effect: read
";

/// The records, by their names.
pub(super) async fn records() -> Vec<(String, String)> {
    let mut records = Vec::new();
    // Whoever changes the meaning again adds another procedure, in which the new rule decides.
    for (name, text, versions) in [("times", TIMES, 1..=3), ("given", GIVEN, 3..=SEMANTICS)] {
        for semantics in versions {
            let mut written = serde_json::to_value(&*plan(text)).unwrap();
            written["semantics"] = semantics.into();
            records.push((format!("{name}-{semantics}"), record(serde_json::from_value(written).unwrap()).await));
        }
    }
    records
}

async fn record(plan: Plan) -> String {
    let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
    let id = RunId::from_parts(1_767_225_600_000, plan.semantics.into());
    let mut session = begin(&journal, &clock, Owner::named("ada", 1), id.clone(), Arc::new(plan)).await;
    while let Some(fact) = next(&session, &clock) {
        session.record(fact).unwrap();
    }
    assert!(session.run().outcome().is_some(), "{:?}", session.run().pending());
    session.close().await.unwrap();
    let mut text = Vec::new();
    export(&*journal, &id, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// What happens next: `slow` never ends by itself, `broken` fails, and time passes once nothing else can happen.
fn next(session: &Session, clock: &ManualClock) -> Option<Fact> {
    let (run, now) = (session.run(), clock.now());
    if let Some(step) = run.steps().find(|step| step.standing() == Standing::Running && !step.path().as_str().ends_with("slow")) {
        let mut end = exits(i64::from(step.path().as_str() == "broken"));
        if let (AttemptEnd::Succeeded { result: Value::Map(result) }, "look") = (&mut end, step.path().as_str()) {
            let seal = LogSeal { bytes: 2, dropped: 0, digest: Digest::of_bytes(b"hi"), failed: None };
            result.insert("log".to_owned(), seal.to_value());
        }
        return Some(Fact::AttemptFinished { path: step.path().clone(), attempt: step.attempt(), end });
    }
    let mut pending = run.pending();
    pending.sort_by_key(|command| match command {
        Command::Wake { at, .. } => Some(*at),
        _ => None,
    });
    pending.into_iter().find_map(|command| match command {
        Command::Resolve { path } => run.resolve(&path, now),
        Command::Conclude { path } => run.conclude(&path, now),
        Command::Perform { path, attempt } => Some(Fact::AttemptStarted { path, attempt }),
        Command::Stop { path, attempt } => Some(Fact::AttemptFinished { path, attempt, end: exits(0) }),
        Command::Wake { timer, at } => {
            clock.set(at.max(now));
            Some(Fact::fired(timer))
        }
        Command::Finish { outcome } => Some(Fact::RunFinished { outcome }),
        _ => None,
    })
}
