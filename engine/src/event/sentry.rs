//! Webhooks of Sentry's integrations, whose header `Sentry-Hook-Resource` says what the body tells of; and the older plugin, which
//! sends an issue with the `event` that raised it.

use runbook_core::CloudEvent;
use runbook_core::cloud_event::Status;
use runbook_core::value::{Map, Value};

use super::{Here, Refusal, part};

pub(super) fn decode(here: &Here, body: Value) -> Result<Vec<CloudEvent>, Refusal> {
    match here.header("Sentry-Hook-Resource")?.filter(|resource| !resource.is_empty()) {
        Some(resource) => hooked(here, &part::clipped(resource), body),
        None if part::map(&body, &["event"]).is_some() => plugged(here, body),
        None => Err(Refusal::malformed("the delivery has no `Sentry-Hook-Resource`, so it is none of Sentry's integrations")),
    }
}

fn hooked(here: &Here, resource: &str, body: Value) -> Result<Vec<CloudEvent>, Refusal> {
    let action = part::text(&body, &["action"]).map(part::clipped);
    let action = action.ok_or_else(|| Refusal::malformed("the body has no `action`"))?;
    // Alerts and errors of an issue are about the issue.
    let (thing, abouts): (&str, &[&[&str]]) = match resource {
        "issue" => ("issue", &[&["data", "issue", "id"]]),
        "event_alert" => ("issue", &[&["data", "event", "issue_id"]]),
        "error" => ("issue", &[&["data", "error", "issue_id"]]),
        "comment" => ("issue", &[&["data", "issue_id"]]),
        "installation" => ("installation", &[&["data", "installation", "uuid"]]),
        other => (other, &[&["data", "metric_alert", "id"]]),
    };
    let status = match (resource, action.as_str()) {
        ("issue", "resolved" | "archived" | "ignored") | ("metric_alert", "resolved") => Status::Resolved,
        ("issue" | "metric_alert" | "event_alert", _) => Status::Firing,
        _ => Status::Once,
    };
    // The header that names a request is not signed; the body is.
    let id = format!("{resource}.{action}/{}", part::hash(here.request.body));
    let key = abouts.iter().find_map(|path| part::name(&body, path)).map_or_else(|| id.clone(), |about| format!("{thing}/{about}"));
    let titles = [
        &["data", "issue", "title"][..],
        &["data", "event", "title"],
        &["data", "description_title"],
        &["data", "error", "title"],
        &["data", "metric_alert", "title"],
    ];
    let links = [
        &["data", "issue", "web_url"][..],
        &["data", "issue", "url"],
        &["data", "web_url"],
        &["data", "event", "web_url"],
        &["data", "error", "web_url"],
    ];
    let times = [
        &["data", "event", "datetime"][..],
        &["data", "error", "datetime"],
        &["data", "metric_alert", "date_closed"],
        &["data", "metric_alert", "date_detected"],
        &["data", "issue", "lastSeen"],
    ];
    Ok(vec![CloudEvent {
        id: part::bounded(id),
        source: links.iter().find_map(|path| part::text(&body, path)).map_or_else(|| here.source(), part::clipped),
        kind: part::clipped(&format!("{resource}.{action}")),
        subject: titles.iter().find_map(|path| part::text(&body, path)).map(part::clipped),
        time: times.iter().find_map(|path| part::time(&body, path)),
        data: body,
        extensions: Map::new(),
        key: part::bounded(key),
        status,
    }])
}

fn plugged(here: &Here, body: Value) -> Result<Vec<CloudEvent>, Refusal> {
    let issue = part::name(&body, &["id"]).ok_or_else(|| Refusal::malformed("the body has no `id` of an issue"))?;
    let id = part::name(&body, &["event", "event_id"]).unwrap_or_else(|| format!("{issue}/{}", part::hash(here.request.body)));
    let time = match part::at(&body, &["event", "timestamp"]) {
        Some(Value::Float(seconds)) => jiff::Timestamp::from_millisecond((seconds * 1000.0) as i64).ok(),
        Some(Value::Int(seconds)) => part::since_1970(*seconds),
        _ => None,
    };
    let titles = [&["event", "title"][..], &["message"]];
    Ok(vec![CloudEvent {
        id: part::bounded(id),
        source: part::text(&body, &["url"]).map_or_else(|| here.source(), part::clipped),
        kind: "issue.event".to_owned(),
        subject: titles.iter().find_map(|path| part::text(&body, path)).map(part::clipped),
        time,
        data: body,
        extensions: Map::new(),
        key: part::bounded(format!("issue/{issue}")),
        status: Status::Firing,
    }])
}
