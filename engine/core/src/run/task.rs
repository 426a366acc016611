//! What a step will do, with every text rendered: plain data that an action performs, a person approves and the record
//! keeps. Secrets are named here, never held.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::document::step::{Shell, Since};
use crate::effect::Effect;
use crate::id::Id;
use crate::value::{Map, Value};

/// One resolved step that acts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// The step's `name`, rendered; else its label.
    pub title: String,
    pub task: Task,
    pub effect: Effect,
    /// The declared environment of the child, in order of names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvText>,
    /// Working directory, relative to the catalogue's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Of one attempt.
    pub timeout: Duration,
}

impl Work {
    /// The secrets that it is given.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        let headers = match &self.task {
            Task::Http(http) => http.headers.as_slice(),
            _ => &[],
        };
        let texts = self.env.values().chain(headers.iter().map(|(_, text)| text));
        texts.filter_map(|text| if let EnvText::Secret(name) = text { Some(name) } else { None })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvText {
    Plain(String),
    Secret(SecretName),
}

/// A secret of the procedure with this index in the plan: called procedures have secrets of their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretName {
    pub procedure: u32,
    pub name: Id,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A script whose text never holds a value: each value is in `values`, under the variable name that the script uses.
    Run {
        shell: Shell,
        script: String,
        values: BTreeMap<String, String>,
    },
    Exec {
        argv: Vec<String>,
    },
    /// `scope` holds the names that the script mentions.
    Rhai {
        script: String,
        scope: Map,
    },
    Http(Box<HttpTask>),
    Notify {
        to: Vec<String>,
        subject: String,
        message: String,
        /// What a step tells is new; only the engine says that something is over.
        #[serde(skip)]
        news: News,
    },
    /// Nothing is done: an event ends it.
    Event(Box<EventTask>),
}

/// Whether something is to be told, or that it is over, where a channel shows what lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum News {
    #[default]
    New,
    Over,
}

/// Which events end a step. It says all that there is to know of that, so that whoever has an event needs nothing else of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventTask {
    pub source: String,
    /// The condition as it is written; absent where any event of the source will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What the condition reads beside the event, as it was when the step came up: `{"inputs": {"version": "1.2.0"}}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: Map,
    pub since: Since,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpTask {
    pub method: String,
    /// Complete, values percent-encoded.
    pub url: String,
    pub headers: Vec<(String, EnvText)>,
    pub body: Option<HttpContent>,
    pub expect_status: Vec<u16>,
}

impl HttpTask {
    /// Whether it only reads, so that one without an answer has changed nothing.
    pub fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    /// Whether an answer with this status is a success.
    pub fn expects(&self, status: i64) -> bool {
        crate::plan::expects(&self.expect_status, status)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpContent {
    Json(Value),
    Form(Vec<(String, String)>),
    Raw(String),
}
