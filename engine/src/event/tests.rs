//! Every scheme with what it must refuse, every decoder with what its sender sends, and the payloads that were really sent.

mod any;
mod corpus;
mod decoding;
mod signatures;
mod sns;

use std::collections::BTreeMap;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use runbook_core::CloudEvent;
use runbook_core::diagnostic;
use runbook_core::document::{Document, load};
use runbook_core::event_source::EventSource;
use runbook_core::plan::SecretSource;
use secrecy::SecretString;
use sha2::Sha256;

use super::*;

const NEW: &str = "the-new-secret-of-this-source";
const OLD: &str = "the-old-secret-of-this-source";
/// `whsec_` and the base 64 of 24 bytes.
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn now() -> Timestamp {
    "2026-11-22T06:00:00Z".parse().unwrap()
}

/// A source as a workspace declares it, `new`, `old` and `whsec` being its secrets.
fn declared(text: &str) -> EventSource {
    let secrets = "secrets: {new: {env: NEW}, old: {env: OLD}, whsec: {env: WHSEC}}";
    let text = format!("apiVersion: runbook/v1\nkind: Workspace\nsources:\n  it: {{{text}, {secrets}}}\n");
    let (document, faults) = load(&diagnostic::Source::new("workspace.yaml", text.as_str()));
    let faults = faults.into_sorted();
    assert!(faults.is_empty(), "{text}: {faults:?}");
    let Some(Document::Workspace(workspace)) = document else { panic!("{text}") };
    workspace.sources["it"].clone()
}

fn source(text: &str) -> Source {
    let values = BTreeMap::from([("NEW", NEW), ("OLD", OLD), ("WHSEC", WHSEC)]);
    let secret = |place: &SecretSource| match place {
        SecretSource::Env(name) => Ok(Arc::new(SecretString::from(values[name.as_str()]))),
        other => Err(format!("{other:?}")),
    };
    Source::open("it", &declared(text), secret).unwrap()
}

/// A request that is changed before it is sent.
#[derive(Clone)]
struct Sent {
    method: &'static str,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    at: Timestamp,
}

impl Sent {
    fn new(body: impl Into<Vec<u8>>) -> Sent {
        Sent { method: "POST", headers: Vec::new(), body: body.into(), at: now() }
    }

    fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Sent {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    fn without(mut self, name: &str) -> Sent {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    fn bearer(self) -> Sent {
        self.header("Authorization", format!("Bearer {NEW}"))
    }

    fn signed(self, header: &str, prefix: &str, secret: &str) -> Sent {
        let signature = format!("{prefix}{}", hex_hmac(secret.as_bytes(), &self.body));
        self.header(header, signature)
    }

    fn to(&self, source: &Source) -> Result<Delivery, Refusal> {
        self.with(source, &Certificates::default())
    }

    fn with(&self, source: &Source, certificates: &Certificates) -> Result<Delivery, Refusal> {
        let headers: Vec<(&str, &[u8])> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let request = Request { method: self.method, headers: &headers, body: &self.body, query: None, received_at: self.at };
        let judged = source.receive(&request, certificates);
        // Whatever is answered, nobody learns a secret from it.
        let said = format!("{judged:?}");
        if let Err(refusal) = &judged {
            for secret in [NEW, OLD, WHSEC] {
                assert!(!said.contains(secret), "{said}");
            }
            assert!(!refusal.message.is_empty() && !refusal.message.ends_with('.'), "{said}");
        }
        judged
    }

    fn kind(&self, source: &Source) -> RefusalKind {
        match self.to(source) {
            Err(refusal) => refusal.kind,
            Ok(delivery) => panic!("it was taken: {delivery:?}"),
        }
    }

    fn events(&self, source: &Source) -> Vec<CloudEvent> {
        self.to(source).unwrap_or_else(|refusal| panic!("{refusal:?}")).events
    }
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().to_vec()
}

fn hex_hmac(key: &[u8], message: &[u8]) -> String {
    part::hex(&hmac_sha256(key, message))
}

/// What an event is, in one line: `id | source | type | subject | key | status`.
fn line(event: &CloudEvent) -> String {
    let subject = event.subject.as_deref().unwrap_or("-");
    let time = event.time.map_or("-".to_owned(), |time| time.to_string());
    format!("{} | {} | {} | {subject} | {time} | {} | {}", event.id, event.source, event.kind, event.key, event.status.as_str())
}
