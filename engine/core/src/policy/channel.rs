//! Channels: where a message of `notify`, or of an escalation, goes. Plain data; the engine delivers.
//!
//! Texts of a channel may name `message`, `subject`, `channel` and `run` (`id`, `name`, `version`, `environment`,
//! `requested_by`). A place that takes a credential holds either a text or the name of one of the channel's own secrets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::expr::Template;
use crate::id::Id;
use crate::plan::{HeaderValue, JsonTemplate, SecretSource};

/// One channel of the workspace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChannelSpec {
    #[serde(flatten)]
    pub channel: Channel,
    /// Secrets that this channel's texts name as `secrets.<name>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<Id, SecretSource>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The message stands in the run's record, and, with a file, as one line of JSON at the end of that file (relative to
    /// the catalogue's root).
    Log { file: Option<String> },
    /// A program, one text per argument; the message is also its standard input.
    Command(Vec<Template>),
    /// A POST with a JSON body.
    Http { url: HeaderValue, headers: Vec<(String, HeaderValue)>, json: JsonTemplate },
    /// A mail over SMTP.
    Mail(Mail),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mail {
    pub to: Vec<String>,
    pub from: String,
    pub host: String,
    pub port: u16,
    pub security: MailSecurity,
    /// The user's name and the secret with the password.
    pub login: Option<(String, Id)>,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailSecurity {
    /// Begins in the clear and must turn to TLS before anything is said.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// In the clear; for a server on loopback only.
    None,
}
