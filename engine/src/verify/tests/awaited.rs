//! A run that waits for events: one that comes, and one that does not.

use std::time::Duration;

use runbook_core::cloud_event::Status;
use runbook_core::run::Command;
use runbook_core::run::listen::Occurrence;
use runbook_core::{CloudEvent, Map, Value};

use super::*;
use crate::journal::Owner;
use crate::session::Session;
use crate::session::tests::{begin, plan};

const AWAITED: &str = "
apiVersion: runbook/v1
kind: Runbook
name: awaited
version: 1.0.0
steps:
  - id: want
    set: { version: '\"1.2.0\"' }
  - id: built
    wait: { event: { source: stdin, when: event.data.version == steps.want.version }, within: 1h }
    outputs: { key: result.event.key }
  - id: late
    wait: { event: { source: runs, since: step }, within: 10m }
    on_failure: continue
";

pub(super) async fn record() -> String {
    let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
    let id = RunId::from_parts(1_767_225_600_000, 300);
    let mut session = begin(&journal, &clock, Owner::named("ada", 1), id.clone(), plan(AWAITED)).await;
    while session.run().outcome().is_none() {
        clock.advance(Duration::from_millis(250));
        if session.run().listening_at().any(|path| path.as_str() == "built") {
            hear(&mut session, clock.now());
            continue;
        }
        let (run, now) = (session.run(), clock.now());
        let fact = run.pending().into_iter().find_map(|command| match command {
            Command::Resolve { path } => run.resolve(&path, now),
            Command::Conclude { path } => run.conclude(&path, now),
            Command::Perform { path, attempt } => Some(Fact::AttemptStarted { path, attempt }),
            Command::Wake { timer, at } => {
                clock.set(at);
                Some(Fact::fired(timer))
            }
            Command::Finish { outcome } => Some(Fact::RunFinished { outcome }),
            _ => None,
        });
        let Some(fact) = fact else { panic!("{:?}", run.pending()) };
        session.record(fact).unwrap();
    }
    session.close().await.unwrap();
    let mut text = Vec::new();
    export(&*journal, &id, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn hear(session: &mut Session, now: jiff::Timestamp) {
    let event = CloudEvent {
        id: "7".into(),
        source: "/ci".into(),
        kind: "built".into(),
        subject: None,
        time: Some(now),
        data: Value::Map(Map::from([("version".into(), Value::text("1.2.0"))])),
        extensions: Map::new(),
        key: "app".into(),
        status: Status::Once,
    };
    let occurrence = Box::new(Occurrence { source: "stdin".into(), number: 17, received: now, event });
    let received = session.receive(Message::Event { occurrence }).unwrap();
    assert!(matches!(received.answer, crate::message::Answer::Accepted { .. }), "{:?}", received.answer);
}
