//! Webhooks of Opsgenie: an `action` on an `alert`; and alerts as its own API takes them, which tools such as Alertmanager post.

use runbook_core::CloudEvent;
use runbook_core::cloud_event::Status;
use runbook_core::value::{Map, Value};

use super::{Here, Refusal, part};

pub(super) fn decode(here: &Here, body: Value) -> Result<Vec<CloudEvent>, Refusal> {
    let created = part::text(&body, &["message"]).is_some() && body.get("action").is_none();
    let (alert, action) = match body.get("alert") {
        Some(alert @ Value::Map(_)) => (alert, part::text(&body, &["action"])),
        None if created => (&body, Some("Create")),
        _ => return Err(Refusal::malformed("the body is no webhook of Opsgenie: it has no `alert`")),
    };
    let action = action.map(part::clipped).ok_or_else(|| Refusal::malformed("the body has no `action`"))?;
    let status = if matches!(action.as_str(), "Close" | "Delete") { Status::Resolved } else { Status::Firing };
    let number = |name: &str| match part::at(alert, &[name]) {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    };
    let (created, updated) = (number("createdAt"), number("updatedAt"));
    let alert_id = part::name(alert, &["alertId"]).or_else(|| part::name(alert, &["id"]));
    // The alias is what Opsgenie itself tells alerts apart by; without one it is the id.
    let key = part::name(alert, &["alias"]).or_else(|| alert_id.clone());
    let key = part::bounded(key.ok_or_else(|| Refusal::malformed("the alert has neither `alias` nor `alertId`"))?);
    let moment = updated.or(created).map_or_else(|| here.request.received_at.to_string(), |number| number.to_string());
    let mut event = CloudEvent {
        id: part::bounded(format!("{}/{action}/{moment}", alert_id.as_deref().unwrap_or(&key))),
        source: here.source(),
        kind: part::clipped(&format!("alert.{}", action.to_lowercase())),
        subject: part::text(alert, &["message"]).map(part::clipped),
        time: updated.or(created).and_then(part::since_1970),
        data: Value::Null,
        extensions: Map::new(),
        key,
        status,
    };
    event.data = body;
    Ok(vec![event])
}
