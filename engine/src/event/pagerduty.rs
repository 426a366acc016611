//! Webhooks of PagerDuty: version 3, whose body is one `event`; the lists of `messages` of the versions before; and events as PagerDuty's
//! own Events API takes them, which tools such as Alertmanager post.

use runbook_core::CloudEvent;
use runbook_core::cloud_event::Status;
use runbook_core::value::{Map, Value};

use super::{Here, Refusal, part};

pub(super) fn decode(here: &Here, body: Value) -> Result<Vec<CloudEvent>, Refusal> {
    let Value::Map(mut body) = body else { return Err(Refusal::malformed("the body is not a JSON object")) };
    if let Some(event) = body.remove("event").filter(|event| part::map(event, &["data"]).is_some()) {
        return Ok(vec![third(here, event)?]);
    }
    match body.remove("messages") {
        Some(Value::List(messages)) if messages.len() > runbook_core::limits::DELIVERY_EVENTS => Err(super::too_many()),
        Some(Value::List(messages)) => messages.into_iter().map(|message| earlier(here, message)).collect(),
        _ if body.contains_key("event_action") => Ok(vec![alert(here, body)?]),
        _ => Err(Refusal::malformed("the body is no webhook of PagerDuty: it has no `event`")),
    }
}

/// Of `incident.resolved` and `incident.resolve`: what the last word says of the incident's life.
fn status(kind: &str) -> Status {
    match kind.split_once('.') {
        Some(("incident", "resolved" | "resolve")) => Status::Resolved,
        Some(("incident", _)) => Status::Firing,
        _ => Status::Once,
    }
}

fn third(here: &Here, event: Value) -> Result<CloudEvent, Refusal> {
    let missing = |what: &str| Refusal::malformed(format!("the event has no `{what}`"));
    let id = part::name(&event, &["id"]).ok_or_else(|| missing("id"))?;
    let kind = part::text(&event, &["event_type"]).map(part::clipped).ok_or_else(|| missing("event_type"))?;
    // Notes and updates of a status are about their incident.
    let about = part::name(&event, &["data", "incident", "id"]).or_else(|| part::name(&event, &["data", "id"]));
    let names = [&["data", "title"][..], &["data", "summary"], &["data", "incident", "summary"]];
    let subject = names.iter().find_map(|path| part::text(&event, path)).map(part::clipped);
    let sources = [["data", "html_url"], ["data", "self"]];
    let source = sources.iter().find_map(|path| part::text(&event, path)).map_or_else(|| here.source(), part::clipped);
    let time = part::time(&event, &["occurred_at"]);
    let Value::Map(mut event) = event else { return Err(missing("data")) };
    let extensions = ["agent", "client"].into_iter().filter_map(|name| Some((name.to_owned(), event.remove(name)?)));
    let extensions: Map = extensions.filter(|(_, value)| *value != Value::Null).collect();
    Ok(CloudEvent {
        key: part::bounded(about.unwrap_or_else(|| id.clone())),
        id: part::bounded(id),
        source,
        status: status(&kind),
        kind,
        subject,
        time,
        data: event.remove("data").unwrap_or_default(),
        extensions,
    })
}

/// One of `messages`: `type` with `data.incident`, or `event` with `incident`.
fn earlier(here: &Here, message: Value) -> Result<CloudEvent, Refusal> {
    let missing = |what: &str| Refusal::malformed(format!("a message has no {what}"));
    let kind = part::text(&message, &["event"]).or_else(|| part::text(&message, &["type"]));
    let kind = kind.map(part::clipped).ok_or_else(|| missing("`event`"))?;
    let incident = part::at(&message, &["incident"]).or_else(|| part::at(&message, &["data", "incident"]));
    let incident = incident.ok_or_else(|| missing("`incident`"))?.clone();
    let id = part::name(&message, &["id"]).ok_or_else(|| missing("`id`"))?;
    let about = part::name(&incident, &["id"]).ok_or_else(|| missing("`incident.id`"))?;
    let names = [&["title"][..], &["description"], &["trigger_summary_data", "subject"]];
    Ok(CloudEvent {
        id: part::bounded(id),
        source: part::text(&incident, &["html_url"]).map_or_else(|| here.source(), part::clipped),
        status: status(&kind),
        kind,
        subject: names.iter().find_map(|path| part::text(&incident, path)).map(part::clipped),
        time: part::time(&message, &["created_on"]),
        key: part::bounded(about),
        data: incident,
        extensions: Map::new(),
    })
}

/// An event of the Events API, version 2. Its `routing_key` is a secret of PagerDuty's and is left out.
fn alert(here: &Here, mut body: Map) -> Result<CloudEvent, Refusal> {
    body.remove("routing_key");
    let body = Value::Map(body);
    let action = part::text(&body, &["event_action"]).unwrap_or_default();
    let status = match action {
        "trigger" | "acknowledge" => Status::Firing,
        "resolve" => Status::Resolved,
        _ => return Err(Refusal::malformed("`event_action` is none of `trigger`, `acknowledge` and `resolve`")),
    };
    let time = part::time(&body, &["payload", "timestamp"]);
    // It has no id. What tells two of one key apart is when they came.
    let at = here.request.received_at;
    let key = part::name(&body, &["dedup_key"]).map_or_else(|| format!("sha256:{}", part::hash_of(&body)), part::bounded);
    Ok(CloudEvent {
        id: part::bounded(format!("{key}/{action}/{at}")),
        source: part::text(&body, &["client_url"]).map_or_else(|| here.source(), part::clipped),
        kind: format!("alert.{action}"),
        subject: part::text(&body, &["payload", "summary"]).map(part::clipped),
        time,
        key,
        status,
        data: body,
        extensions: Map::new(),
    })
}
