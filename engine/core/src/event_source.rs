//! Where events come from, as the workspace declares it: plain data, with the places of its secrets and none of them. What a request
//! is made of and how it is judged is for whoever receives it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::expr::Expression;
use crate::id::Id;
use crate::plan::SecretSource;

/// Sources that are there without being declared, and what their events are.
pub const BUILT_IN: [(&str, &str); 2] = [("runs", "the end of another run"), ("stdin", "what `runbook trigger` is given")];

/// One source of the workspace.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSource {
    pub kind: SourceKind,
    pub secrets: BTreeMap<Id, SecretSource>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    Webhook(Webhook),
    Schedule(Schedule),
    Folder(Box<Folder>),
    Nats(Box<Nats>),
}

impl SourceKind {
    /// As `type` calls it.
    pub fn as_str(&self) -> &'static str {
        match self {
            SourceKind::Webhook(webhook) => webhook.format.as_str(),
            SourceKind::Schedule(_) => "schedule",
            SourceKind::Folder(_) => "folder",
            SourceKind::Nats(_) => "nats",
        }
    }
}

/// Files that somebody drops into a folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Folder {
    /// Relative to the root of the catalogue, or absolute.
    pub path: String,
    /// How the names of files end that are events.
    pub suffix: String,
    /// How long a file has to stay as it is before it is taken.
    pub settled: Duration,
    /// How events are read from a file, which holds JSON.
    pub reading: Generic,
}

/// Messages of a stream of NATS JetStream, which we fetch.
#[derive(Clone, Debug, PartialEq)]
pub struct Nats {
    /// `nats://host:4222`, or `tls://…`.
    pub url: String,
    pub stream: String,
    /// The name under which the server of NATS remembers what was taken.
    pub consumer: String,
    /// Of the messages of the stream only those to these subjects; `*` and `>` stand for any.
    pub subject: Option<String>,
    /// What we show: a token, or a user with a password; each one secret.
    pub credential: Option<Credential>,
    /// How events are read from a message, which holds JSON.
    pub reading: Generic,
}

/// Ticks of the clock: see [`ticks`](crate::ticks).
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Minute, hour, day of month, month, day of week.
    pub cron: String,
    /// The zone in which they are meant, by its name in the IANA database.
    pub zone: String,
    /// How late a tick may be and still count as one.
    pub late: Duration,
    pub missed: Missed,
}

/// What becomes of ticks at which nobody was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// They are recorded, and start nothing.
    #[default]
    Skip,
    /// The last of them counts, once somebody is there; the others are recorded.
    Once,
}

/// Events that somebody posts to us.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    pub format: Format,
    pub credential: Credential,
}

/// What the body is.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    Alertmanager,
    Grafana,
    /// Messages of these topics only.
    Sns {
        topics: Vec<String>,
    },
    EventBridge,
    PagerDuty,
    Datadog,
    Opsgenie,
    GitHub,
    Sentry,
    /// `origins`: who may ask to deliver; anybody where it is empty, since deliveries authenticate.
    CloudEvents {
        origins: Vec<String>,
    },
    StandardWebhooks,
    Generic(Box<Generic>),
}

/// The one way in which a sender shows who it is. A source has exactly one, so a sender cannot choose a weaker one.
#[derive(Clone, Debug, PartialEq)]
pub enum Credential {
    /// A keyed hash of the body; each of the secrets may have made it, so that they can be changed one after the other.
    Hmac {
        hmac: Hmac,
        secrets: Vec<Id>,
    },
    /// The signature and the certificate of SNS.
    Certificate,
    /// Weaker, as the next two: `Authorization: Bearer …` says nothing about the body and can be used again by whoever reads it.
    Bearer(Vec<Id>),
    Basic {
        user: String,
        passwords: Vec<Id>,
    },
    /// A header of this name with the secret in it.
    Header {
        name: String,
        values: Vec<Id>,
    },
}

/// How a body is signed with a shared secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Hmac {
    pub header: String,
    pub algorithm: Algorithm,
    pub encoding: Encoding,
    /// What stands before each signature; what begins otherwise is no signature of this scheme and is passed over.
    pub prefix: String,
    pub signed: Vec<Signed>,
    pub timestamp: Option<SignedTime>,
    pub key: KeyForm,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    #[default]
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    #[default]
    Hex,
    Base64,
}

/// What the secret is: the key itself, or the base 64 of it (`whsec_…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyForm {
    #[default]
    Text,
    Base64,
}

/// A part of what is signed: `{timestamp}.{body}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    Text(String),
    Timestamp,
    Body,
    /// The value of a header: `{webhook-id}`.
    Header(String),
}

/// When the sender signed: seconds since 1970, or a time of RFC 3339, in a header of its own or behind `prefix` in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTime {
    pub header: String,
    pub prefix: String,
    /// How far it may lie from our clock, in either direction.
    pub within: Duration,
}

/// How events are read from a body that is JSON of any form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generic {
    /// Over `body`: the list of events in it. Without it the body is one event.
    pub items: Option<Expression>,
    /// These are over `item`, or without `items` over `body`.
    pub id: Option<Expression>,
    pub key: Option<Expression>,
    pub kind: Option<Expression>,
    pub status: Option<Expression>,
    pub subject: Option<Expression>,
    pub time: Option<Expression>,
}

impl Format {
    /// As `type` calls it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Format::Alertmanager => "alertmanager",
            Format::Grafana => "grafana",
            Format::Sns { .. } => "sns",
            Format::EventBridge => "eventbridge",
            Format::PagerDuty => "pagerduty",
            Format::Datadog => "datadog",
            Format::Opsgenie => "opsgenie",
            Format::GitHub => "github",
            Format::Sentry => "sentry",
            Format::CloudEvents { .. } => "cloudevents",
            Format::StandardWebhooks => "standard-webhooks",
            Format::Generic(_) => "generic",
        }
    }
}
