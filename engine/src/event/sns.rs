//! Messages of Amazon SNS over HTTP: alarms of CloudWatch, events of EventBridge, and whatever else is published. The body is JSON and
//! its content type `text/plain`.
//!
//! A message is signed with a certificate whose address it names itself, so that address has to be of SNS, in the region of a topic
//! that the workspace allows, before anybody fetches it. A subscription is confirmed only for such a topic, and only when the
//! question is signed as well.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use runbook_core::CloudEvent;
use runbook_core::cloud_event::Status;
use runbook_core::limits;
use runbook_core::value::{Map, Value};

use super::certificates::Scheme;
use super::{
    Certificates, Delivery, Here, Mode, Refusal, RefusalKind, Replay, Reply, Request, Source, json, part, read_json, say_big,
};

pub(super) fn receive(
    source: &Source,
    topics: &[String],
    request: &Request,
    certificates: &Certificates,
) -> Result<Delivery, Refusal> {
    let here = Here { name: &source.name, request, hidden: None };
    let (message, big) = read_json(request.body)?;
    let kind = member(&message, "Type")?;
    let topic = member(&message, "TopicArn")?;
    if !topics.iter().any(|allowed| allowed == topic) {
        let message = "the message is of a topic that this source does not take; add its ARN to `topics`";
        return Err(Refusal::new(RefusalKind::NotAllowed, message));
    }
    let signed = signed(&message, kind)?;
    let replay = verify(&message, topic, &signed, request, certificates)?;
    let (mut events, reply) = match kind {
        "Notification" => (vec![read(&here, &message)?], Reply::Accepted),
        "SubscriptionConfirmation" => (Vec::new(), confirmation(&message, topic)?),
        // Somebody has unsubscribed us. To confirm nothing lets it be so.
        _ => (Vec::new(), Reply::Accepted),
    };
    say_big(&mut events, &big);
    Ok(Delivery { events, left_out: 0, reply, authenticated_by: Some(Mode::Certificate), replay: Some(replay) })
}

fn member<'v>(message: &'v Value, name: &str) -> Result<&'v str, Refusal> {
    match message.get(name) {
        Some(Value::Text(text)) => Ok(text),
        Some(_) => Err(Refusal::malformed(format!("`{name}` of the message is not text"))),
        None if matches!(name, "Signature" | "SigningCertURL" | "SignatureVersion") => {
            let message = format!("the message has no `{name}`; see that raw message delivery is off for this subscription");
            Err(Refusal::new(RefusalKind::NoCredential, message))
        }
        None => Err(Refusal::malformed(format!("the body is no message of Amazon SNS: it has no `{name}`"))),
    }
}

/// What SNS signs: names and values of some members, each on a line of its own.
fn signed(message: &Value, kind: &str) -> Result<String, Refusal> {
    let members: &[&str] = match kind {
        "Notification" => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
            &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        }
        _ => return Err(Refusal::malformed("the `Type` of the message is none of Amazon SNS")),
    };
    let mut signed = String::new();
    for name in members {
        if *name == "Subject" && matches!(message.get(name), None | Some(Value::Null)) {
            continue;
        }
        signed.push_str(name);
        signed.push('\n');
        signed.push_str(member(message, name)?);
        signed.push('\n');
    }
    Ok(signed)
}

fn verify(message: &Value, topic: &str, signed: &str, request: &Request, certificates: &Certificates) -> Result<Replay, Refusal> {
    let unsupported = || Refusal::new(RefusalKind::Unsupported, "the signature is of another version than 1 and 2");
    let scheme = match member(message, "SignatureVersion")? {
        "1" => Scheme::Sha1,
        "2" => Scheme::Sha256,
        _ => return Err(unsupported()),
    };
    let url = member(message, "SigningCertURL")?;
    let region = topic.split(':').nth(3).unwrap_or_default();
    let (host, path) = of_sns(url, region).ok_or_else(|| {
        Refusal::new(RefusalKind::WrongCredential, "the address of the certificate is not that of Amazon SNS in the topic's region")
    })?;
    if !path.ends_with(".pem") || path.bytes().any(|b| !(b.is_ascii_alphanumeric() || b"-._".contains(&b))) {
        return Err(Refusal::new(RefusalKind::WrongCredential, "the address of the certificate is not that of a certificate"));
    }
    let unreadable = |_| Refusal::new(RefusalKind::WrongCredential, "the signature is not base 64");
    let signature = STANDARD.decode(member(message, "Signature")?).map_err(unreadable)?;
    certificates.verify(url, &["sns.amazonaws.com", host], request.received_at, scheme, signed.as_bytes(), &signature)?;
    let at = part::time(message, &["Timestamp"]).ok_or_else(|| Refusal::malformed("`Timestamp` of the message is no time"))?;
    let within = SignedDuration::try_from(limits::SNS_WITHIN).unwrap_or(SignedDuration::MAX);
    if request.received_at.duration_since(at).abs() > within {
        let message =
            "the message was signed longer ago than Amazon SNS would try to deliver it, or in the future; look at the clock";
        return Err(Refusal::new(RefusalKind::Stale, message));
    }
    let until = at.saturating_add(within.saturating_mul(2)).unwrap_or(jiff::Timestamp::MAX);
    Ok(Replay { key: part::hash(signed.as_bytes()), until })
}

/// Host and path of an address of SNS in this region.
fn of_sns<'u>(url: &'u str, region: &str) -> Option<(&'u str, &'u str)> {
    let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
    let right = !region.is_empty() && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let known = [format!("sns.{region}.amazonaws.com"), format!("sns.{region}.amazonaws.com.cn")];
    (right && known.iter().any(|known| known == host)).then_some((host, path))
}

fn confirmation(message: &Value, topic: &str) -> Result<Reply, Refusal> {
    let url = member(message, "SubscribeURL")?;
    let region = topic.split(':').nth(3).unwrap_or_default();
    let path = of_sns(url, region).map(|(_, path)| path);
    let query = path.and_then(|path| path.strip_prefix('?')).unwrap_or_default();
    let plain = query.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:=&%".contains(&b));
    let says = |name: &str, value: &str| {
        let given = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(known, _)| *known == name);
        let mut given = given.map(|(_, value)| value.replace("%3A", ":").replace("%3a", ":"));
        given.next().as_deref() == Some(value) && given.next().is_none()
    };
    if !plain || !says("Action", "ConfirmSubscription") || !says("TopicArn", topic) {
        return Err(Refusal::malformed("`SubscribeURL` of the message does not confirm a subscription to its topic"));
    }
    Ok(Reply::Confirm { url: url.to_owned() })
}

/// What a notification tells of.
pub(super) fn read(here: &Here, message: &Value) -> Result<CloudEvent, Refusal> {
    let topic = part::text(message, &["TopicArn"]);
    let subject = part::text(message, &["Subject"]);
    let id = part::name(message, &["MessageId"]);
    let inner = match message.get("Message") {
        Some(Value::Text(text)) => match json::read(text.as_bytes()) {
            Ok((document @ Value::Map(_), _)) => document,
            _ => Value::Map(Map::from([("message".to_owned(), Value::text(text))])),
        },
        Some(document @ Value::Map(_)) => document.clone(),
        _ => return Err(Refusal::malformed("the body is no message of Amazon SNS: it has no `Message`")),
    };
    let mut event = match super::eventbridge::event(here, inner) {
        Ok(event) => event?,
        Err(document) => {
            let place = topic.map_or_else(|| here.source(), str::to_owned);
            let key = subject.map_or_else(|| place.clone(), |subject| format!("{place}/{subject}"));
            CloudEvent {
                id: String::new(),
                source: part::clipped(&place),
                kind: "Notification".to_owned(),
                subject: None,
                time: part::time(message, &["Timestamp"]),
                data: document,
                extensions: Map::new(),
                key: part::bounded(key),
                status: Status::Once,
            }
        }
    };
    // What SNS tries again has the same id; the document in it may have none.
    match id {
        Some(id) => event.id = part::bounded(id),
        None if event.id.is_empty() => event.id = part::hash(here.request.body),
        None => {}
    }
    event.subject = event.subject.or_else(|| subject.map(part::clipped));
    if let Some(topic) = topic {
        event.extensions.insert("topicarn".to_owned(), Value::text(part::clipped(topic)));
    }
    Ok(event)
}
