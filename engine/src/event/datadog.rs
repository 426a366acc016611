//! Webhooks of Datadog. What stands in them is the user's to write, so each part is looked for under the names that Datadog's own
//! templates and documentation give it. A delivery that names no transition is taken as an alert that goes on where it is a monitor's.

use runbook_core::CloudEvent;
use runbook_core::cloud_event::Status;
use runbook_core::value::{Map, Value};

use super::{Here, Refusal, part};

/// `$ALERT_CYCLE_KEY`, `$AGGREG_KEY`, `$ALERT_ID` and `$ID`, as people call the members that they put them into.
const KEYS: [&str; 8] =
    ["alert_cycle_key", "aggregation_key", "aggreg_key", "alert_id", "monitor_id", "alertId", "monitorId", "id"];
const TRANSITIONS: [&str; 5] = ["alert_transition", "transition", "alertTransition", "alert_status", "status"];

pub(super) fn decode(here: &Here, body: Value) -> Result<Vec<CloudEvent>, Refusal> {
    if !matches!(body, Value::Map(_)) {
        return Err(Refusal::malformed("the body is not a JSON object; keep the payload of the webhook JSON"));
    }
    let title = ["title", "event_title", "alert_title"].iter().find_map(|name| part::text(&body, &[name]));
    let found = KEYS.iter().find_map(|name| Some((*name, part::name(&body, &[name])?)));
    let scope = ["alert_scope", "scope"].iter().find_map(|name| part::text(&body, &[name]));
    let transition = TRANSITIONS.iter().find_map(|name| part::text(&body, &[name]));
    let kind_of_alert = ["alert_type", "alertType"].iter().find_map(|name| part::text(&body, &[name]));
    // Where the template is Datadog's own, only the title says it: `[Recovered on {host:a}] …`.
    let told = transition.map(str::to_owned).or_else(|| {
        let (word, _) = title?.strip_prefix('[')?.split_once([' ', ']'])?;
        Some(word.to_owned())
    });
    let monitored = found.as_ref().is_some_and(|(name, _)| *name != "id");
    let status = match told.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("recovered" | "ok" | "resolved" | "recovery") => Status::Resolved,
        Some("triggered" | "re-triggered" | "alert" | "warn" | "re-warn" | "no data" | "re-no data" | "renotify" | "p1" | "p2") => {
            Status::Firing
        }
        _ if kind_of_alert == Some("success") => Status::Resolved,
        _ if matches!(kind_of_alert, Some("error" | "warning")) || monitored => Status::Firing,
        _ => Status::Once,
    };
    let key = match (&found, scope) {
        // One monitor has an alert for each scope.
        (Some((name, id)), Some(scope)) if name.starts_with("alert_id") || name.starts_with("monitor") => format!("{id}/{scope}"),
        (Some((_, id)), _) => id.clone(),
        (None, _) => title.map_or_else(|| format!("sha256:{}", part::hash_of(&body)), str::to_owned),
    };
    let key = part::bounded(key);
    let moment = ["last_updated", "date", "timestamp"].iter().find_map(|name| part::name(&body, &[name]));
    // `$ID` is the event's own; without it, what was sent is told apart by its time.
    let event_id = ["event_id", "id"].iter().find_map(|name| part::name(&body, &[name]));
    let id = match (event_id, &moment) {
        (Some(id), _) => format!("{id}/{}", status.as_str()),
        (None, Some(moment)) => format!("{key}/{}/{moment}", status.as_str()),
        (None, None) => format!("{key}/{}/{}", status.as_str(), here.request.received_at),
    };
    let time = moment.and_then(|moment| match moment.parse::<i64>() {
        Ok(number) => part::since_1970(number),
        Err(_) => part::parse_time(&moment),
    });
    let kind = ["event_type", "type"].iter().find_map(|name| part::text(&body, &[name])).map_or("alert".to_owned(), part::clipped);
    let subject = title.map(part::clipped);
    Ok(vec![CloudEvent {
        id: part::bounded(id),
        source: part::text(&body, &["link"]).map_or_else(|| here.source(), part::clipped),
        kind,
        subject,
        time,
        data: body,
        extensions: Map::new(),
        key,
        status,
    }])
}
