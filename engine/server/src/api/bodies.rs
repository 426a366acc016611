//! What goes into requests, as it is written by whoever asks and read here: one type for both sides.

use runbook_core::document::procedure::Version;
use runbook_core::run::decision::Choice;
use runbook_core::run::event::Signature;
use runbook_core::{Digest, Id};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a run is to be of, where nothing is started.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    #[serde(default)]
    pub environment: Option<String>,
    #[serde(default)]
    pub inputs: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    pub procedure: String,
    /// Where it is given, the newest version must be this one.
    #[serde(default)]
    pub version: Option<Version>,
    /// Where it is given, the plan must have this digest: what was looked at is what runs.
    #[serde(default)]
    pub plan: Option<Digest>,
    #[serde(default)]
    pub environment: Option<String>,
    #[serde(default)]
    pub inputs: Map<String, Value>,
    /// Only from this step of the outermost list on.
    #[serde(default)]
    pub from: Option<Id>,
    /// Only these.
    #[serde(default)]
    pub only: Vec<Id>,
    /// Ask before each step.
    #[serde(default)]
    pub stepwise: bool,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    #[serde(default)]
    pub reason: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    #[serde(default)]
    pub reason: String,
    /// Take back what was done.
    #[serde(default)]
    pub undo: bool,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// How long those who would be asked next are left alone, as `30m`.
    #[serde(default, rename = "for")]
    pub hold: Option<String>,
    /// Whom it is handed over to.
    #[serde(default)]
    pub to: Option<String>,
    #[serde(default)]
    pub reason: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    pub text: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    pub choice: Choice,
    /// Of the request, as it was shown.
    pub digest: Digest,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub answers: Map<String, Value>,
    /// Where the workspace wants decisions signed.
    #[serde(default)]
    pub signature: Option<Signature>,
    /// Of the record, as the voter saw it.
    #[serde(default)]
    pub head: Option<Digest>,
}
