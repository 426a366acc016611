//! Streams of NATS JetStream as sources: their messages are fetched, written down, and acknowledged only then, so a message is not lost
//! wherever either server stops, and one that comes again is known by its place in the stream.
//!
//! The server of NATS remembers what was taken under the name of a durable consumer. What is no event is given up for good (`+TERM`) and
//! named in the log with its place, where it can be read again as long as the stream keeps it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::message::{AckKind, Message};
use async_nats::{ConnectOptions, jetstream};
use futures_util::StreamExt;
use jiff::Timestamp;
use runbook_core::event_source::{Credential, Format, Nats};
use runbook_core::id::Id;
use runbook_core::{CloudEvent, Digest, Value, limits};
use runbook_engine::event::{Request, bounded, read_given};
use runbook_engine::intake::{Accepted, Parcel, Taken};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::task::AbortOnDropHandle;

use crate::App;
use crate::health::Topic;

/// The header in which expressions find the subject of a message.
const SUBJECT: &str = "nats-subject";

/// A source whose messages we fetch, with its secret.
pub struct Stream {
    name: String,
    nats: Nats,
    secret: Option<Arc<SecretString>>,
}

impl PartialEq for Stream {
    fn eq(&self, other: &Stream) -> bool {
        let secret = |stream: &Stream| stream.secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        (&self.name, &self.nats, secret(self)) == (&other.name, &other.nats, secret(other))
    }
}

impl Stream {
    /// `secret` gives the value of one that the source declares.
    pub fn open(
        name: &str,
        nats: &Nats,
        mut secret: impl FnMut(&Id) -> Result<Arc<SecretString>, String>,
    ) -> Result<Stream, String> {
        let id = nats.credential.as_ref().and_then(|credential| match credential {
            Credential::Bearer(tokens) => tokens.first(),
            Credential::Basic { passwords, .. } => passwords.first(),
            Credential::Hmac { .. } | Credential::Certificate | Credential::Header { .. } => None,
        });
        let value = |id: &Id| {
            let why = |why| format!("the source `{name}` cannot be opened: the secret `{id}` has no value: {why}");
            secret(id).map_err(why)
        };
        Ok(Stream { name: name.to_owned(), nats: nats.clone(), secret: id.map(value).transpose()? })
    }

    fn options(&self) -> ConnectOptions {
        let options = ConnectOptions::new().name("runbook").connection_timeout(limits::STREAM_CONNECT);
        match (&self.nats.credential, &self.secret) {
            (Some(Credential::Basic { user, .. }), Some(secret)) => {
                options.user_and_password(user.clone(), secret.expose_secret().to_owned())
            }
            (_, Some(secret)) => options.token(secret.expose_secret().to_owned()),
            (_, None) => options,
        }
    }
}

/// Fetches from every stream of the catalogue that is served, until the server stops.
pub async fn take(app: Arc<App>) {
    let troubles = Arc::new(Troubles::default());
    let mut taking: HashMap<String, (Arc<Stream>, AbortOnDropHandle<()>)> = HashMap::new();
    let mut version = None;
    while !app.stop.is_cancelled() {
        let now = app.serving.version();
        if version.replace(now) != Some(now) {
            let wanted = app.serving.streams();
            taking.retain(|_, (stream, _)| wanted.contains(stream));
            troubles.only(&app, |source| taking.contains_key(source));
            for stream in wanted {
                taking.entry(stream.name.clone()).or_insert_with(|| {
                    let task = tokio::spawn(keep_taking(app.clone(), stream.clone(), troubles.clone()));
                    (stream, AbortOnDropHandle::new(task))
                });
            }
        }
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = tokio::time::sleep(limits::RELOAD_LOOK) => {}
        }
    }
}

/// Which streams cannot be read, and why.
#[derive(Default)]
struct Troubles(Mutex<BTreeMap<String, String>>);

impl Troubles {
    fn change(&self, app: &App, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut troubles);
        let told: Vec<String> = troubles.iter().map(|(source, why)| format!("from `{source}` nothing is taken: {why}")).collect();
        match told.is_empty() {
            true => app.health.well(Topic::Stream),
            false => app.health.trouble(Topic::Stream, told.join("; ")),
        }
    }

    fn only(&self, app: &App, stays: impl Fn(&String) -> bool) {
        self.change(app, |troubles| troubles.retain(|source, _| stays(source)));
    }
}

async fn keep_taking(app: Arc<App>, stream: Arc<Stream>, troubles: Arc<Troubles>) {
    let (first, most) = limits::STREAM_RETRY;
    let mut pause = first;
    loop {
        let taken = take_from(&app, &stream, || {
            troubles.change(&app, |troubles| drop(troubles.remove(&stream.name)));
        });
        let Err((why, has_taken)) = taken.await;
        troubles.change(&app, |troubles| drop(troubles.insert(stream.name.clone(), why)));
        pause = if has_taken { first } else { most.min(pause * 2) };
        tokio::time::sleep(pause).await;
    }
}

/// Until it cannot go on: why, and whether it had come as far as to wait for messages, of which `well` is told.
async fn take_from(app: &App, stream: &Stream, well: impl Fn()) -> Result<std::convert::Infallible, (String, bool)> {
    let begun = messages(stream).await.map_err(|why| (why, false))?;
    well();
    let mut chunks = begun.ready_chunks(limits::STREAM_TOGETHER);
    loop {
        let chunk = chunks.next().await.ok_or_else(|| ("the server of NATS ended the delivery".to_owned(), true))?;
        let mut messages = Vec::new();
        let mut broken = None;
        for message in chunk {
            match message {
                Ok(message) => messages.push(message),
                Err(error) => broken = Some(error.to_string()),
            }
        }
        take_all(app, stream, messages).await.map_err(|why| (why, true))?;
        if let Some(why) = broken {
            return Err((why, true));
        }
    }
}

async fn messages(stream: &Stream) -> Result<pull::Stream, String> {
    let Nats { url, stream: of, consumer, subject, .. } = &stream.nats;
    let client = stream.options().connect(url.as_str()).await.map_err(|error| format!("{url}: {error}"))?;
    let found = jetstream::new(client).get_stream(of).await.map_err(|error| format!("the stream {of}: {error}"))?;
    let config = pull::Config {
        durable_name: Some(consumer.clone()),
        description: Some("events for runbook".to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: limits::STREAM_ACK,
        filter_subject: subject.clone().unwrap_or_default(),
        ..pull::Config::default()
    };
    let refused = |error: &dyn std::error::Error| format!("the consumer {consumer} of the stream {of}: {error}");
    let consumer = found.create_consumer(config).await.map_err(|error| refused(&error))?;
    let messages =
        consumer.stream().max_messages_per_batch(limits::STREAM_AHEAD).heartbeat(limits::STREAM_HEARTBEAT).messages().await;
    messages.map_err(|error| refused(&error))
}

/// Writes messages down in one commit, and says so of each.
async fn take_all(app: &App, stream: &Stream, messages: Vec<Message>) -> Result<(), String> {
    // Where too many events wait for a decision, messages wait where they are, as senders do.
    while !app.health.is_ready() {
        tokio::time::sleep(limits::DISPATCH_RETRY).await;
    }
    let received = app.clock.now();
    let source = stream.name.as_str();
    let mut asked = Vec::new();
    for message in messages {
        match events(stream, &message) {
            Ok(events) => {
                let parcel = Parcel { source: source.to_owned(), events, received, replay: None };
                asked.push((message, app.intake.take(parcel)));
            }
            Err(why) => {
                let place = message.info().map_or(0, |info| info.stream_sequence);
                app.metrics.delivery(source, "refused");
                tracing::warn!(source, place, why, "a message is no event, and is given up");
                message.ack_with(AckKind::Term).await.map_err(|error| error.to_string())?;
            }
        }
    }
    for (message, taken) in asked {
        let accepted = match taken.await {
            Ok(Taken::Events(accepted)) => accepted,
            Ok(Taken::Before(_)) => Vec::new(),
            Err(error) => {
                app.is_fatal(&error);
                return Err(format!("messages could not be written down: {error}"));
            }
        };
        let new = accepted.iter().filter(|accepted| matches!(accepted, Accepted::New(_))).count() as u64;
        app.metrics.delivery(source, "taken");
        app.metrics.events(source, "new", new);
        app.metrics.events(source, "again", accepted.len() as u64 - new);
        message.ack().await.map_err(|error| error.to_string())?;
    }
    app.arrived.ring();
    Ok(())
}

/// What a message tells of.
fn events(stream: &Stream, message: &Message) -> Result<Vec<CloudEvent>, String> {
    if message.payload.len() > limits::DELIVERY_BYTES {
        return Err(format!("it has more than {} MiB", limits::DELIVERY_BYTES / 1024 / 1024));
    }
    let info = message.info().map_err(|error| error.to_string())?;
    let published = Timestamp::from_nanosecond(info.published.unix_timestamp_nanos()).unwrap_or(Timestamp::UNIX_EPOCH);
    let subject = message.subject.as_str();
    let mut headers: Vec<(&str, &[u8])> = vec![(SUBJECT, subject.as_bytes())];
    for (name, values) in message.headers.iter().flat_map(|headers| headers.iter()) {
        let name: &str = name.as_ref();
        headers.extend(values.iter().map(|value| (name, value.as_str().as_bytes())));
    }
    // The time of publishing stands for that of its coming: the same however often it comes.
    let request = Request { method: "POST", headers: &headers, body: &message.payload, query: None, received_at: published };
    let reading = &stream.nats.reading;
    let format = Format::Generic(Box::new(reading.clone()));
    let mut events = read_given(&stream.name, &format, &request).map_err(|refusal| refusal.message)?;
    for (place, event) in events.iter_mut().enumerate() {
        if reading.id.is_none() {
            let of = format!("{}\n{}\n{published}\n{place}", info.stream, info.stream_sequence);
            event.id = Digest::of_bytes(of.as_bytes()).to_string();
        }
        if reading.key.is_none() {
            event.key = bounded(subject.to_owned());
        }
        if reading.subject.is_none() {
            event.subject = Some(bounded(subject.to_owned()));
        }
        event.extensions.insert("sequence".to_owned(), Value::Text(info.stream_sequence.to_string()));
    }
    Ok(events)
}
