//! Sources of events: who sends, whether it is really them, and what they say, as [`CloudEvent`]s.
//!
//! A [`Source`] is made from what the workspace declares and from its secrets. [`Source::receive`] judges one request: it
//! authenticates the raw body in constant time, then reads it. Nothing is fetched, kept or started here, and no clock is read, so
//! what a delivery means depends on its bytes and on `received_at` alone.
//!
//! Left to whoever keeps events: to make them durable before the delivery is acknowledged, to pass over an id that it has already
//! from this source, and to remember [`Delivery::replay`] until its time, so that a signed delivery counts once.
//!
//! ```ignore
//! let source = Source::open("alerts", &workspace.sources["alerts"], |place| secrets.fetch(place).map_err(|e| e.to_string()))?;
//! match source.receive(&request, &certificates) {
//!     Ok(delivery) => /* keep delivery.events, then answer delivery.reply */,
//!     Err(refusal) if refusal.fetch.is_some() => /* fetch it into `certificates`, and receive again; see `receive_with` */,
//!     Err(refusal) => /* answer refusal.status() and refusal.message; record refusal.kind */,
//! }
//! ```

mod alertmanager;
mod certificates;
mod cloudevents;
mod credential;
mod datadog;
mod eventbridge;
mod generic;
mod github;
mod json;
mod opsgenie;
mod pagerduty;
mod part;
mod sentry;
mod sns;
mod standard_webhooks;

use std::sync::Arc;

use jiff::Timestamp;
use runbook_core::CloudEvent;
use runbook_core::event_source::{EventSource, Format, SourceKind, Webhook};
use runbook_core::limits;
use runbook_core::plan::SecretSource;
use runbook_core::value::{Map, Value};
use secrecy::SecretString;

pub use certificates::Certificates;
use credential::{Proof, Verifier};
pub use part::bounded;

/// What was sent, as it came: the body before anything has touched it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Names in any case, as often as they stand there.
    pub headers: &'a [(&'a str, &'a [u8])],
    pub body: &'a [u8],
    /// What stands behind `?`. No credential is taken from it: addresses are written to logs.
    pub query: Option<&'a str>,
    pub received_at: Timestamp,
}

/// What an authentic request holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// In the order of the body; none where the sender only says hello.
    pub events: Vec<CloudEvent>,
    /// Alerts that the sender says it left out of the body.
    pub left_out: u64,
    pub reply: Reply,
    /// `None` for what needs no credential, which then holds no events.
    pub authenticated_by: Option<Mode>,
    /// What must be remembered, where a credential says something about the body.
    pub replay: Option<Replay>,
}

/// How to answer, once the events are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 202.
    Accepted,
    /// 200, to a sender that tries whether we are there.
    Pong,
    /// 200 with these headers.
    Headers(Vec<(&'static str, String)>),
    /// Get this address, once and without following redirects; then 200. It is one of Amazon's, for a topic that is allowed.
    Confirm { url: String },
}

/// A delivery whose `key` is remembered is answered as the first was, and nothing of it is taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Over what was signed, and nothing else: what is not signed can be changed by whoever sends it again.
    pub key: String,
    /// From then on the delivery is refused for its time, or no longer told from a new one.
    pub until: Timestamp,
}

/// How the sender showed who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Hmac,
    Certificate,
    Bearer,
    Basic,
    Header,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Hmac => "hmac",
            Mode::Certificate => "certificate",
            Mode::Bearer => "bearer",
            Mode::Basic => "basic",
            Mode::Header => "header",
        }
    }

    /// Whether whoever reads one delivery could send others: the credential does not depend on the body.
    pub fn is_weaker(self) -> bool {
        matches!(self, Mode::Bearer | Mode::Basic | Mode::Header)
    }
}

/// Why nothing of a request was taken. The sentence holds no secret and no signature, neither ours nor theirs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub kind: RefusalKind,
    pub message: String,
    /// A certificate that is needed to judge it: of SNS, or of who issued that of SNS.
    pub fetch: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    NoCredential,
    /// The signature, token or password is wrong; or, of SNS, the certificate.
    WrongCredential,
    /// Signed, and for another time.
    Stale,
    /// Authentic, and of a topic or origin that the workspace does not allow.
    NotAllowed,
    Malformed,
    TooLarge,
    Unsupported,
    /// It cannot be judged yet: see [`Refusal::fetch`].
    NeedsCertificate,
}

impl RefusalKind {
    pub fn as_str(self) -> &'static str {
        match self {
            RefusalKind::NoCredential => "no_credential",
            RefusalKind::WrongCredential => "wrong_credential",
            RefusalKind::Stale => "stale",
            RefusalKind::NotAllowed => "not_allowed",
            RefusalKind::Malformed => "malformed",
            RefusalKind::TooLarge => "too_large",
            RefusalKind::Unsupported => "unsupported",
            RefusalKind::NeedsCertificate => "needs_certificate",
        }
    }
}

impl Refusal {
    fn new(kind: RefusalKind, message: impl Into<String>) -> Refusal {
        Refusal { kind, message: message.into(), fetch: None }
    }

    fn malformed(message: impl Into<String>) -> Refusal {
        Refusal::new(RefusalKind::Malformed, message)
    }

    /// Of a body beyond [`limits::DELIVERY_BYTES`], also where it was not read to its end.
    pub fn too_large() -> Refusal {
        let most = limits::DELIVERY_BYTES / 1024 / 1024;
        let message = format!("the body is larger than {most} MiB; let the sender put fewer events into one delivery");
        Refusal::new(RefusalKind::TooLarge, message)
    }

    /// The status of HTTP that says so. What cannot be judged yet is to be sent again.
    pub fn status(&self) -> u16 {
        match self.kind {
            RefusalKind::NoCredential | RefusalKind::WrongCredential | RefusalKind::Stale => 401,
            RefusalKind::NotAllowed => 403,
            RefusalKind::Malformed => 400,
            RefusalKind::TooLarge => 413,
            RefusalKind::Unsupported => 415,
            RefusalKind::NeedsCertificate => 503,
        }
    }
}

/// What a body holds.
struct Decoded {
    events: Vec<CloudEvent>,
    left_out: u64,
    reply: Reply,
}

impl From<Vec<CloudEvent>> for Decoded {
    fn from(events: Vec<CloudEvent>) -> Decoded {
        Decoded { events, left_out: 0, reply: Reply::Accepted }
    }
}

/// A source of the workspace with its secrets, ready to judge requests. It prints neither.
pub struct Source {
    name: String,
    format: Format,
    verifier: Verifier,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("name", &self.name).field("type", &self.format.as_str()).finish_non_exhaustive()
    }
}

impl Source {
    /// `secret` gives what stands at a place, once for each that the source uses. The error names the source and holds no secret.
    pub fn open(
        name: &str,
        declared: &EventSource,
        mut secret: impl FnMut(&SecretSource) -> Result<Arc<SecretString>, String>,
    ) -> Result<Source, String> {
        let SourceKind::Webhook(Webhook { format, credential }) = &declared.kind else {
            return Err(format!("nobody sends to the source `{name}`: it is a {}", declared.kind.as_str()));
        };
        let verifier = Verifier::open(credential, |id| {
            let place = declared.secrets.get(id).ok_or_else(|| format!("it declares no secret `{id}`"))?;
            secret(place).map_err(|why| format!("the secret `{id}` has no value: {why}"))
        });
        let verifier = verifier.map_err(|why| format!("the source `{name}` cannot be opened: {why}"))?;
        Ok(Source { name: name.to_owned(), format: format.clone(), verifier })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Refuses what the head of a request alone shows not to be authentic, so that nobody has to take its body in. What passes is
    /// judged by [`Source::receive`] all the same.
    pub fn glance(&self, head: &Request) -> Result<(), Refusal> {
        match (&self.format, head.method) {
            (Format::CloudEvents { .. }, "OPTIONS") | (Format::Sns { .. }, _) => Ok(()),
            _ => self.is_posted(head).and_then(|()| self.verifier.glance(head)),
        }
    }

    fn is_posted(&self, request: &Request) -> Result<(), Refusal> {
        let put = request.method == "PUT" && self.format == Format::Grafana;
        match request.method == "POST" || put {
            true => Ok(()),
            false => Err(Refusal::new(RefusalKind::Unsupported, "events are posted; send them with POST")),
        }
    }

    /// Judges and reads one request.
    pub fn receive(&self, request: &Request, certificates: &Certificates) -> Result<Delivery, Refusal> {
        if let (Format::CloudEvents { origins }, "OPTIONS") = (&self.format, request.method) {
            return cloudevents::handshake(origins, request);
        }
        self.is_posted(request)?;
        if request.body.len() > limits::DELIVERY_BYTES {
            return Err(Refusal::too_large());
        }
        if let Format::Sns { topics } = &self.format {
            return sns::receive(self, topics, request, certificates);
        }
        let Proof { mode, replay } = self.verifier.verify(request)?;
        let here = Here { name: &self.name, request, hidden: self.verifier.header() };
        let Decoded { events, left_out, reply } = decode(&self.format, &here)?;
        Ok(Delivery { events, left_out, reply, authenticated_by: Some(mode), replay })
    }

    /// As [`Source::receive`], fetching the certificates that it asks for.
    pub async fn receive_with<F, R>(
        &self,
        request: &Request<'_>,
        certificates: &Certificates,
        fetch: F,
    ) -> Result<Delivery, Refusal>
    where
        F: Fn(String) -> R,
        R: Future<Output = Result<Vec<u8>, String>>,
    {
        // The certificate of SNS, and at most so many of those who issued it.
        for _ in 0..limits::CERTIFICATE_CHAIN {
            match self.receive(request, certificates) {
                Err(Refusal { fetch: Some(url), .. }) => match fetch(url.clone()).await {
                    Ok(bytes) => certificates.keep(&url, bytes),
                    Err(why) => {
                        let message = format!("a certificate could not be fetched: {why}");
                        return Err(Refusal::new(RefusalKind::NeedsCertificate, message));
                    }
                },
                judged => return judged,
            }
        }
        self.receive(request, certificates)
    }
}

/// Reads what somebody at this machine gives in the sender's place, who does not have to show who they are: to be called only for
/// whoever may start runs here without an event. `name` is that of the source.
pub fn read_given(name: &str, format: &Format, request: &Request) -> Result<Vec<CloudEvent>, Refusal> {
    Ok(decode(format, &Here { name, request, hidden: None })?.events)
}

fn decode(format: &Format, here: &Here) -> Result<Decoded, Refusal> {
    match format {
        Format::CloudEvents { .. } => cloudevents::decode(here),
        Format::GitHub => github::decode(here),
        format => {
            let (body, big) = read_json(here.request.body)?;
            let mut decoded = match format {
                Format::Alertmanager | Format::Grafana => alertmanager::decode(here, body)?,
                Format::EventBridge => eventbridge::decode(here, body)?.into(),
                Format::PagerDuty => pagerduty::decode(here, body)?.into(),
                Format::Datadog => datadog::decode(here, body)?.into(),
                Format::Opsgenie => opsgenie::decode(here, body)?.into(),
                Format::Sentry => sentry::decode(here, body)?.into(),
                Format::StandardWebhooks => standard_webhooks::decode(here, body)?.into(),
                Format::Generic(how) => generic::decode(here, how, body)?.into(),
                Format::Sns { .. } => vec![sns::read(here, &body)?].into(),
                Format::CloudEvents { .. } | Format::GitHub => Vec::new().into(),
            };
            say_big(&mut decoded.events, &big);
            Ok(decoded)
        }
    }
}

/// What decoders know beside the body.
struct Here<'a> {
    /// Of the source.
    name: &'a str,
    request: &'a Request<'a>,
    /// A header that holds a secret, and is no part of an event.
    hidden: Option<&'a str>,
}

impl Here<'_> {
    /// The header of this name; one that stands twice could be read in two ways.
    fn header(&self, name: &str) -> Result<Option<&str>, Refusal> {
        credential::header(self.request, name)
    }

    /// What an event's `source` is where the sender names no place.
    fn source(&self) -> String {
        format!("/{}", self.name)
    }
}

/// Asked before events are made of the parts of a body.
fn too_many() -> Refusal {
    let message = format!("the body holds more than {} events; let the sender put fewer into one", limits::DELIVERY_EVENTS);
    Refusal::new(RefusalKind::TooLarge, message)
}

fn read_json(body: &[u8]) -> Result<(Value, Vec<String>), Refusal> {
    json::read(body).map_err(|why| Refusal::malformed(format!("the body cannot be read: {why}")))
}

/// Names, in each event, the integers of the body that 64 bits cannot hold: they are text in `data`.
fn say_big(events: &mut [CloudEvent], big: &[String]) {
    if big.is_empty() {
        return;
    }
    let told = Value::List(big.iter().map(Value::text).collect());
    for event in events {
        event.extensions.insert("integersastext".to_owned(), told.clone());
    }
}

/// `data` of an event that is a part of what was sent, with a little of what stood around it.
fn with(data: Map, key: &str, around: Map) -> Value {
    let mut data = data;
    data.entry(key.to_owned()).or_insert(Value::Map(around));
    Value::Map(data)
}

#[cfg(test)]
mod tests;
