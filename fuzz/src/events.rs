//! Requests to sources of events: the first byte names the source, the first line what stands in its headers, the rest is the body.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use hmac::{Hmac, KeyInit, Mac};
use runbook_core::CloudEvent;
use runbook_core::diagnostic::Source as File;
use runbook_core::document::{Document, load};
use runbook_core::limits;
use runbook_engine::event::{Certificates, Request, Source};
use secrecy::SecretString;
use sha2::Sha256;

const SECRET: &str = "a secret that nobody guesses";
const SOURCES: [(&str, &str); 12] = [
    ("type: alertmanager, bearer: secrets.s", ""),
    ("type: grafana, bearer: secrets.s", ""),
    ("type: eventbridge, bearer: secrets.s", ""),
    ("type: pagerduty, bearer: secrets.s", ""),
    ("type: datadog, bearer: secrets.s", ""),
    ("type: opsgenie, bearer: secrets.s", ""),
    ("type: cloudevents, bearer: secrets.s", ""),
    ("type: generic, bearer: secrets.s, items: body.items, event: {id: item.id, key: item.key, status: item.status}", ""),
    ("type: github, secret: secrets.s", "X-Hub-Signature-256"),
    ("type: sentry, secret: secrets.s", "Sentry-Hook-Signature"),
    ("type: sns, topics: [arn:aws:sns:eu-west-1:123456789012:alarms]", ""),
    ("type: generic, secret: secrets.s, hmac: {header: X-Sig, prefix: v1=, timestamp: {header: X-Sig, prefix: t=}}", "-"),
];

static OPEN: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let open = |(text, _): &(&str, &str)| {
        let text = format!("apiVersion: runbook/v1\nkind: Workspace\nsources:\n  it: {{{text}, secrets: {{s: {{env: S}}}}}}\n");
        let (Some(Document::Workspace(workspace)), _) = load(&File::new("workspace.yaml", text)) else { panic!("a workspace") };
        Source::open("it", &workspace.sources["it"], |_| Ok(Arc::new(SecretString::from(SECRET)))).expect("a source")
    };
    SOURCES.iter().map(open).collect()
});

/// A request is answered; what is refused says no secret; each event has its names, within bounds, and is written and read back.
pub fn events(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let place = usize::from(*first) % SOURCES.len();
    let line = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (value, body) = (&rest[..line], rest.get(line + 1..).unwrap_or_default());
    let token = format!("Bearer {SECRET}");
    let mut signature = SOURCES[place].1.replace("X-Hub-Signature-256", "sha256=");
    if signature == "Sentry-Hook-Signature" {
        signature.clear();
    }
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key").chain_update(body);
    mac.finalize().into_bytes().iter().for_each(|byte| write!(signature, "{byte:02x}").expect("a text is written"));
    let mut headers: Vec<(&str, &[u8])> = vec![("Authorization", token.as_bytes())];
    match SOURCES[place].1 {
        "" => {}
        "-" => headers.push(("X-Sig", value)),
        name => headers.push((name, signature.as_bytes())),
    }
    for name in ["Content-Type", "X-GitHub-Event", "Sentry-Hook-Resource", "ce-specversion", "ce-id", "ce-source", "ce-type"] {
        headers.push((name, value));
    }
    let received_at = "2026-11-22T06:00:00Z".parse().expect("a time");
    for method in ["POST", "OPTIONS"] {
        let request = Request { method, headers: &headers, body, query: None, received_at };
        match OPEN[place].receive(&request, &Certificates::default()) {
            Err(refusal) => assert!(!refusal.message.contains(SECRET) && !refusal.message.is_empty()),
            Ok(delivery) => {
                assert!(place != SOURCES.len() - 1, "nobody signs by chance");
                assert!(delivery.events.len() <= limits::DELIVERY_EVENTS);
                delivery.events.iter().for_each(whole);
            }
        }
    }
}

fn whole(event: &CloudEvent) {
    for name in [&event.id, &event.key, &event.kind, &event.source] {
        assert!(!name.is_empty() && name.len() <= limits::EVENT_NAME_BYTES, "{event:?}");
    }
    let written = serde_json::to_string(event).expect("an event is written");
    assert_eq!(serde_json::from_str::<CloudEvent>(&written).expect("an event is read"), *event);
}
