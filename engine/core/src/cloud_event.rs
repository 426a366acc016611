//! Something that happened elsewhere, in the terms of CloudEvents 1.0: what starts a playbook. Whoever received it says besides what
//! it is about (`key`) and whether that begins or is over (`status`), because senders agree on neither.
//!
//! Nothing of it is trusted here: it is data, from wherever it came.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::value::{Map, Value};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// What the sender calls it; the same again where it is sent again. Unique beside `source`.
    pub id: String,
    /// Where it happened, as a URI reference.
    pub source: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened, by the sender's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    #[serde(default)]
    pub data: Value,
    /// Attributes beyond those of the specification.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: Map,
    /// What it is about: the same while an alert fires, changes, and resolves.
    pub key: String,
    pub status: Status,
}

/// Where an event stands in the life of what it tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It began, or goes on.
    Firing,
    /// It is over.
    Resolved,
    /// It has no end: a push, a deployment, a tick.
    Once,
}

impl Status {
    pub const ALL: [(&str, Status); 3] = [("firing", Status::Firing), ("resolved", Status::Resolved), ("once", Status::Once)];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Firing => "firing",
            Status::Resolved => "resolved",
            Status::Once => "once",
        }
    }
}

impl CloudEvent {
    /// As expressions read it: `event.id`, `event.data.labels.alertname`, `event.status == "firing"`. What the sender left out is `()`.
    pub fn to_value(&self) -> Value {
        let text = |text: &Option<String>| text.as_ref().map_or(Value::Null, Value::text);
        Value::Map(Map::from([
            ("id".to_owned(), Value::text(&self.id)),
            ("source".to_owned(), Value::text(&self.source)),
            ("type".to_owned(), Value::text(&self.kind)),
            ("subject".to_owned(), text(&self.subject)),
            ("time".to_owned(), self.time.map_or(Value::Null, Value::Time)),
            ("data".to_owned(), self.data.clone()),
            ("extensions".to_owned(), Value::Map(self.extensions.clone())),
            ("key".to_owned(), Value::text(&self.key)),
            ("status".to_owned(), Value::text(self.status.as_str())),
        ]))
    }

    /// The event that [`to_value`](CloudEvent::to_value) made this of; `None` of anything else.
    pub fn from_value(value: &Value) -> Option<CloudEvent> {
        let text = |name: &str| if let Some(Value::Text(text)) = value.get(name) { Some(text.clone()) } else { None };
        let status = text("status")?;
        Some(CloudEvent {
            id: text("id")?,
            source: text("source")?,
            kind: text("type")?,
            subject: text("subject"),
            time: if let Some(Value::Time(time)) = value.get("time") { Some(*time) } else { None },
            data: value.get("data")?.clone(),
            extensions: if let Some(Value::Map(extensions)) = value.get("extensions") { extensions.clone() } else { Map::new() },
            key: text("key")?,
            status: Status::ALL.into_iter().find(|(name, _)| *name == status)?.1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> CloudEvent {
        CloudEvent {
            id: "a1".to_owned(),
            source: "/alertmanager".to_owned(),
            kind: "alert".to_owned(),
            subject: None,
            time: Some("2026-01-02T03:04:05Z".parse().unwrap()),
            data: Value::Map(Map::from([("big".to_owned(), Value::Int(i64::MAX))])),
            extensions: Map::new(),
            key: "disk/a".to_owned(),
            status: Status::Firing,
        }
    }

    #[test]
    fn an_event_is_read_back_as_it_was_written() {
        let text = serde_json::to_string(&event()).unwrap();
        assert!(text.contains(r#""type":"alert""#) && text.contains(r#""status":"firing""#), "{text}");
        assert_eq!(serde_json::from_str::<CloudEvent>(&text).unwrap(), event());
        assert_eq!(CloudEvent::from_value(&event().to_value()), Some(event()));
        assert_eq!(CloudEvent::from_value(&Value::Map(Map::new())), None);
    }

    #[test]
    fn expressions_read_what_the_sender_left_out_as_nothing() {
        let value = event().to_value();
        assert_eq!(value.get("subject"), Some(&Value::Null));
        assert_eq!(value.get("status"), Some(&Value::text("firing")));
        assert_eq!(value.get("data").and_then(|data| data.get("big")), Some(&Value::Int(i64::MAX)));
    }
}
