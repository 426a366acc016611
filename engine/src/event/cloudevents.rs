//! CloudEvents 1.0 over HTTP: binary (attributes in headers), structured (all in a JSON document), and batches of that.
//!
//! The specification knows no life of what an event tells of: the attributes `key` and `status` say it where a sender gives
//! them; else the key is the source with the subject, and the event is `once`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use runbook_core::CloudEvent;
use runbook_core::cloud_event::Status;
use runbook_core::limits;
use runbook_core::value::{Map, Value};

use super::{Decoded, Delivery, Here, Refusal, RefusalKind, Reply, Request, credential, part, read_json, say_big};

/// The question whether somebody may deliver here. It starts nothing, so it needs no credential; each delivery does.
pub(super) fn handshake(origins: &[String], request: &Request) -> Result<Delivery, Refusal> {
    let missing = || Refusal::malformed("the question names nobody: it has no `WebHook-Request-Origin`");
    let origin = credential::header(request, "WebHook-Request-Origin")?.filter(|origin| !origin.is_empty()).ok_or_else(missing)?;
    let right = origin.len() <= limits::EVENT_NAME_BYTES && origin.bytes().all(|b| b.is_ascii_graphic());
    let allowed = origins.is_empty() || origins.iter().any(|known| known.eq_ignore_ascii_case(origin));
    if !right || !allowed {
        return Err(Refusal::new(RefusalKind::NotAllowed, "this source takes no events from that origin; add it to `origins`"));
    }
    let mut headers = vec![("Allow", "POST".to_owned()), ("WebHook-Allowed-Origin", origin.to_owned())];
    if credential::header(request, "WebHook-Request-Rate")?.is_some() {
        headers.push(("WebHook-Allowed-Rate", "*".to_owned()));
    }
    Ok(Delivery { events: Vec::new(), left_out: 0, reply: Reply::Headers(headers), authenticated_by: None, replay: None })
}

pub(super) fn decode(here: &Here) -> Result<Decoded, Refusal> {
    let content = here.header("Content-Type")?.unwrap_or_default();
    let media = content.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (mut events, big) = match media.as_str() {
        "application/cloudevents-batch+json" => {
            let (body, big) = read_json(here.request.body)?;
            let Value::List(items) = body else { return Err(Refusal::malformed("the body of a batch is a list of events")) };
            if items.len() > limits::DELIVERY_EVENTS {
                return Err(super::too_many());
            }
            (items.into_iter().map(structured).collect::<Result<Vec<_>, _>>()?, big)
        }
        "application/cloudevents+json" => {
            let (body, big) = read_json(here.request.body)?;
            (vec![structured(body)?], big)
        }
        other if other.starts_with("application/cloudevents") => {
            let message = "the event is in a format other than JSON; send `application/cloudevents+json`";
            return Err(Refusal::new(RefusalKind::Unsupported, message));
        }
        media => {
            let (event, big) = binary(here, media)?;
            (vec![event], big)
        }
    };
    say_big(&mut events, &big);
    Ok(events.into())
}

fn structured(event: Value) -> Result<CloudEvent, Refusal> {
    let Value::Map(mut attributes) = event else { return Err(Refusal::malformed("an event is a JSON object")) };
    let data = match (attributes.remove("data"), attributes.remove("data_base64")) {
        (Some(_), Some(_)) => return Err(Refusal::malformed("an event has `data` or `data_base64`, not both")),
        (Some(data), None) => data,
        (None, Some(Value::Text(text))) => {
            let bytes = STANDARD.decode(&text).map_err(|_| Refusal::malformed("`data_base64` is not base 64"))?;
            let json = attributes.get("datacontenttype").is_some_and(|of| matches!(of, Value::Text(of) if is_json(of)));
            opaque(&bytes, json)?.0
        }
        (None, Some(_)) => return Err(Refusal::malformed("`data_base64` is not text")),
        (None, None) => Value::Null,
    };
    made(attributes, data)
}

fn binary(here: &Here, media: &str) -> Result<(CloudEvent, Vec<String>), Refusal> {
    let mut attributes = Map::new();
    for (name, _) in here.request.headers {
        let Some(attribute) = name.to_ascii_lowercase().strip_prefix("ce-").map(str::to_owned) else { continue };
        let value = here.header(name)?.unwrap_or_default();
        attributes.insert(attribute, Value::text(percent_decoded(value)));
    }
    if !attributes.contains_key("specversion") {
        let message = "the delivery is no CloudEvent: it has neither a `ce-specversion` header nor the content type \
                       `application/cloudevents+json`";
        return Err(Refusal::malformed(message));
    }
    if !media.is_empty() {
        attributes.insert("datacontenttype".to_owned(), Value::text(media));
    }
    let (data, big) = match here.request.body {
        [] => (Value::Null, Vec::new()),
        body => opaque(body, is_json(media))?,
    };
    Ok((made(attributes, data)?, big))
}

fn is_json(media: &str) -> bool {
    let media = media.split(';').next().unwrap_or_default().trim();
    media == "application/json" || media == "text/json" || media.ends_with("+json")
}

/// Data of a type that only its content type tells: JSON, text, or bytes as `{base64: …}`.
fn opaque(bytes: &[u8], json: bool) -> Result<(Value, Vec<String>), Refusal> {
    if json {
        return read_json(bytes);
    }
    let value = match std::str::from_utf8(bytes) {
        Ok(text) => Value::text(text),
        Err(_) => Value::Map(Map::from([("base64".to_owned(), Value::text(STANDARD.encode(bytes)))])),
    };
    Ok((value, Vec::new()))
}

fn made(mut attributes: Map, data: Value) -> Result<CloudEvent, Refusal> {
    match attributes.remove("specversion") {
        Some(Value::Text(version)) if version == "1.0" => {}
        Some(Value::Text(_)) => {
            return Err(Refusal::new(RefusalKind::Unsupported, "the event is of another version than CloudEvents 1.0"));
        }
        _ => return Err(Refusal::malformed("the event has no `specversion`")),
    }
    let mut text = |name: &str| match attributes.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) if text.len() > limits::EVENT_NAME_BYTES => {
            Err(Refusal::malformed(format!("`{name}` of the event is longer than {} bytes", limits::EVENT_NAME_BYTES)))
        }
        Some(Value::Text(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(_) => Err(Refusal::malformed(format!("`{name}` of the event is not text"))),
    };
    let mut required = |name: &str| text(name)?.ok_or_else(|| Refusal::malformed(format!("the event has no `{name}`")));
    let (id, source, kind) = (required("id")?, required("source")?, required("type")?);
    let (subject, time, key, status) = (text("subject")?, text("time")?, text("key")?, text("status")?);
    let time = match time {
        Some(time) => Some(time.parse().map_err(|_| Refusal::malformed("`time` of the event is not a time of RFC 3339"))?),
        None => None,
    };
    let status = match status.as_deref() {
        Some("firing") => Status::Firing,
        Some("resolved") => Status::Resolved,
        None | Some("once") => Status::Once,
        Some(_) => return Err(Refusal::malformed("`status` of the event is none of `firing`, `resolved` and `once`")),
    };
    let about = subject.as_deref().unwrap_or(&kind);
    let key = part::bounded(key.unwrap_or_else(|| format!("{source} {about}")));
    Ok(CloudEvent { id, source, kind, subject, time, data, extensions: attributes, key, status })
}

/// A value of a header, in which senders write `%20` and the like.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.filter(|digits| *byte == b'%' && !digits.starts_with('+'));
        match decoded.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
