//! How the server is: what `GET /health` says. A topic has at most one trouble, and each change of one is logged once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// What can be wrong, each for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// The catalogue as it is now cannot be served; the last good one is.
    Catalogue,
    /// The certificate as it is now cannot be used; the last good one is.
    Certificate,
    /// Another process decides on events.
    Dispatch,
    /// More events wait than may.
    Backlog,
    /// A folder of a source cannot be looked into, or anybody may write to it.
    Folder,
    /// A stream of a source cannot be read.
    Stream,
    /// Something cannot be written down.
    Store,
    Stopping,
}

impl Topic {
    fn name(self) -> &'static str {
        match self {
            Topic::Catalogue => "catalogue",
            Topic::Certificate => "certificate",
            Topic::Dispatch => "dispatch",
            Topic::Backlog => "backlog",
            Topic::Folder => "folder",
            Topic::Stream => "stream",
            Topic::Store => "store",
            Topic::Stopping => "stopping",
        }
    }

    /// Whether events are not taken while it lasts.
    fn blocks(self) -> bool {
        matches!(self, Topic::Backlog | Topic::Store | Topic::Stopping)
    }
}

#[derive(Debug, Default)]
pub struct Health {
    troubles: Mutex<BTreeMap<Topic, String>>,
}

impl Health {
    pub fn trouble(&self, topic: Topic, why: impl Into<String>) {
        let why = why.into();
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if troubles.insert(topic, why.clone()).as_ref() != Some(&why) {
            tracing::warn!(topic = topic.name(), "{why}");
        }
    }

    pub fn well(&self, topic: Topic) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if troubles.remove(&topic).is_some() {
            tracing::info!(topic = topic.name(), "well again");
        }
    }

    pub fn is_ready(&self) -> bool {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        !troubles.keys().any(|topic| topic.blocks())
    }

    pub fn to_json(&self) -> Value {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let reasons: Vec<Value> =
            troubles.iter().map(|(topic, why)| json!({"topic": topic.name(), "why": why, "blocks": topic.blocks()})).collect();
        json!({"live": true, "ready": !troubles.keys().any(|topic| topic.blocks()), "reasons": reasons})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_blocks_makes_it_unready_and_what_does_not_is_told() {
        let health = Health::default();
        assert_eq!(health.to_json(), json!({"live": true, "ready": true, "reasons": []}));
        health.trouble(Topic::Catalogue, "fix.yaml: no");
        assert!(health.is_ready());
        health.trouble(Topic::Backlog, "too many");
        let told = health.to_json();
        assert_eq!((&told["ready"], told["reasons"].as_array().map(Vec::len)), (&json!(false), Some(2)), "{told}");
        health.well(Topic::Backlog);
        assert!(health.is_ready());
        assert_eq!(health.to_json()["reasons"][0]["why"], "fix.yaml: no");
    }
}
