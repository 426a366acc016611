//! The end of a run as an event, from the source `runs`: a playbook can follow what another procedure did.
//!
//! A run that such an event started ends too. How many stand behind one another is told with each end, and no trigger follows a
//! chain that is too long: two playbooks that start each other would otherwise do so for ever.

use jiff::Timestamp;

use crate::cloud_event::{CloudEvent, Status};
use crate::id::{ProcedureName, RunId};
use crate::limits;
use crate::run::event::{Identity, Means, OutcomeKind, RunStarted};
use crate::value::{Map, Value};

/// The name of the source.
pub const SOURCE: &str = "runs";
/// The `type` of its events.
const ENDED: &str = "runbook.run.ended";

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct End<'a> {
    pub run: &'a RunId,
    pub procedure: &'a ProcedureName,
    pub outcome: OutcomeKind,
    pub message: &'a str,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    pub started: &'a RunStarted,
}

impl End<'_> {
    /// A run that was taken back after it had ended ends twice, at another time each.
    pub fn to_event(&self) -> CloudEvent {
        let End { run, procedure, outcome, message, started_at, ended_at, started } = self;
        // Whoever sends an event of another source says in it what they like.
        let follows = started.requested_by == Identity { person: SOURCE.to_owned(), means: Means::Engine };
        let before = started.event.as_ref().filter(|_| follows).and_then(length_of).unwrap_or(0).max(0);
        let environment = started.environment.as_ref().map_or(Value::Null, Value::text);
        let data = Map::from([
            ("run".to_owned(), Value::text(run.as_str())),
            ("procedure".to_owned(), Value::text(procedure.as_str())),
            ("version".to_owned(), Value::text(started.version.to_string())),
            ("environment".to_owned(), environment),
            ("outcome".to_owned(), Value::text(outcome.name())),
            ("message".to_owned(), Value::text(*message)),
            ("requested_by".to_owned(), Value::text(&started.requested_by.person)),
            ("inputs".to_owned(), Value::Map(started.inputs.clone())),
            ("started_at".to_owned(), Value::Time(*started_at)),
            ("ended_at".to_owned(), Value::Time(*ended_at)),
            ("chain".to_owned(), Value::Int(before.saturating_add(1))),
        ]);
        CloudEvent {
            id: format!("{run}/{ended_at}"),
            source: format!("/{SOURCE}"),
            kind: ENDED.to_owned(),
            subject: Some(procedure.to_string()),
            time: Some(*ended_at),
            data: Value::Map(data),
            extensions: Map::new(),
            key: procedure.to_string(),
            status: Status::Once,
        }
    }
}

/// How many runs stand behind one another at the end of this chain; `None` where the event is no end of a run.
fn length_of(event: &Value) -> Option<i64> {
    let is_end = event.get("type") == Some(&Value::text(ENDED)) && event.get("source") == Some(&Value::text(format!("/{SOURCE}")));
    match event.get("data")?.get("chain") {
        Some(Value::Int(length)) if is_end => Some(*length),
        _ => None,
    }
}

/// The length of the chain of runs that ends with this event, where nothing follows it any more.
pub(crate) fn too_long(source: &str, event: &CloudEvent) -> Option<u64> {
    let length = (source == SOURCE).then(|| length_of(&event.to_value()))??;
    u64::try_from(length).ok().filter(|length| *length > limits::RUN_CHAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(event: Option<Value>) -> RunStarted {
        let by = Identity { person: event.as_ref().map_or("ada", |_| SOURCE).into(), means: Means::Engine };
        let json = serde_json::json!({
            "procedure": "p", "version": "1.2.0", "plan": crate::Digest::of_bytes(b"x"), "semantics": 1, "inputs": {},
            "requested_by": by, "seed": 1, "part": "whole", "stepwise": false,
        });
        let started: RunStarted = serde_json::from_value(json).unwrap();
        RunStarted { event, environment: Some("test".to_owned()), ..started }
    }

    fn end(started: &RunStarted) -> CloudEvent {
        let (run, procedure) = (RunId::from_parts(1, 2), "p".parse().unwrap());
        let at = |text: &str| text.parse().unwrap();
        let (started_at, ended_at) = (at("2026-01-02T03:00:00Z"), at("2026-01-02T03:04:05Z"));
        End { run: &run, procedure: &procedure, outcome: OutcomeKind::Failed, message: "why", started_at, ended_at, started }
            .to_event()
    }

    #[test]
    fn an_end_tells_what_ended_and_how() {
        let event = end(&started(None));
        let data = |key: &str| event.data.get(key).cloned().unwrap();
        assert_eq!((event.id.as_str(), event.key.as_str()), ("00000000010000000000000002/2026-01-02T03:04:05Z", "p"));
        for (key, text) in
            [("procedure", "p"), ("version", "1.2.0"), ("outcome", "failed"), ("environment", "test"), ("message", "why")]
        {
            assert_eq!(data(key), Value::text(text), "{key}");
        }
        assert_eq!(data("chain"), Value::Int(1));
    }

    #[test]
    fn a_chain_has_an_end() {
        let mut event = end(&started(None));
        for length in 2..=limits::RUN_CHAIN {
            event = end(&started(Some(event.to_value())));
            assert_eq!((event.data.get("chain"), too_long(SOURCE, &event)), (Some(&Value::Int(length as i64)), None));
        }
        let beyond = end(&started(Some(event.to_value())));
        assert_eq!(too_long(SOURCE, &beyond), Some(limits::RUN_CHAIN + 1));
        // What somebody else sends begins a chain of its own.
        assert_eq!(too_long("alerts", &beyond), None);
        let forged = CloudEvent { source: "/alerts".to_owned(), ..event.clone() };
        assert_eq!(end(&started(Some(forged.to_value()))).data.get("chain"), Some(&Value::Int(1)));
        let mut sent = started(Some(event.to_value()));
        sent.requested_by.person = "alerts".to_owned();
        assert_eq!(end(&sent).data.get("chain"), Some(&Value::Int(1)));
    }
}
