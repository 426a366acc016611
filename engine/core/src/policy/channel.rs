//! Channels: where a message of `notify`, or of an escalation, goes. Plain data; the engine delivers.
//!
//! Texts of a channel may name `message`, `subject`, `channel` and `run` (`id`, `name`, `version`, `environment`,
//! `requested_by`, `url`). A place that takes a credential holds either a text or the name of one of the channel's own secrets.

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
    /// An incoming webhook of Slack.
    Slack(Chat),
    /// A webhook of a workflow of Microsoft Teams.
    Teams(Chat),
    /// A topic of a server of ntfy.
    Ntfy(Box<Ntfy>),
    /// An alert of PagerDuty, through its Events API of version 2.
    Pagerduty(Box<PagerDuty>),
}

/// The words in which a service tells a message, where the workspace has words of its own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Words {
    /// The first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Template>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Template>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Chat {
    /// The secret that holds the webhook's address: whoever has it can post.
    pub webhook: Id,
    #[serde(flatten)]
    pub words: Words,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ntfy {
    /// Its address, without a path of a topic.
    pub server: String,
    /// A name, or the secret that holds it: whoever knows it can read along.
    pub topic: HeaderValue,
    /// The secret that holds an access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Id>,
    /// From 1 (min) to 5 (max).
    pub priority: u8,
    #[serde(flatten)]
    pub words: Words,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PagerDuty {
    /// Its address: another one for accounts in Europe.
    pub server: String,
    /// The secret that holds the integration key of the service.
    pub key: Id,
    pub severity: Severity,
    #[serde(flatten)]
    pub words: Words,
}

/// How bad an alert is, in PagerDuty's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Critical,
    #[default]
    Error,
    Warning,
    Info,
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
