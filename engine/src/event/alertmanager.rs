//! Alerts of Alertmanager (the webhook of version 4, and 3 before it), of Grafana, which sends the same with a title, and of
//! Prometheus itself, which posts a bare list as to an Alertmanager.
//!
//! A delivery has no id. An alert is told from others by its fingerprint, and one life of it by when it began, so what is sent again
//! (after a time-out, and every `repeat_interval`) has the same id.

use runbook_core::CloudEvent;
use runbook_core::cloud_event::Status;
use runbook_core::limits;
use runbook_core::value::{Map, Value};

use super::{Decoded, Here, Refusal, Reply, part, with};

pub(super) fn decode(here: &Here, body: Value) -> Result<Decoded, Refusal> {
    let left_out = match body.get("truncatedAlerts") {
        Some(Value::Int(count)) => u64::try_from(*count).unwrap_or_default(),
        _ => 0,
    };
    let source = part::text(&body, &["externalURL"]).map_or_else(|| here.source(), part::clipped);
    let around = around(&body);
    let alerts = match body {
        Value::List(alerts) => alerts,
        Value::Map(mut body) => match body.remove("alerts") {
            Some(Value::List(alerts)) => alerts,
            Some(_) => return Err(Refusal::malformed("`alerts` is not a list")),
            // One alert, or the rule of one, as tools send it to try a receiver.
            None if matches!(body.get("labels"), Some(Value::Map(_))) => vec![Value::Map(body)],
            None => return Err(Refusal::malformed("the body is no webhook of Alertmanager: it has no `alerts`")),
        },
        _ => return Err(Refusal::malformed("the body is no webhook of Alertmanager: it has no `alerts`")),
    };
    if alerts.len() > limits::DELIVERY_EVENTS {
        return Err(super::too_many());
    }
    let read = |(place, alert)| event(here, place, alert, &source, &around);
    let events = alerts.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
    Ok(Decoded { events, left_out, reply: Reply::Accepted })
}

/// What an alert is given of its group: short names alone, since there may be thousands of alerts.
fn around(body: &Value) -> Map {
    let short = |name: &&str| part::text(body, &[name]).filter(|text| text.len() <= limits::EVENT_NAME_BYTES);
    let names = ["receiver", "groupKey", "externalURL"];
    names.iter().filter_map(|name| Some(((*name).to_owned(), Value::text(short(name)?)))).collect()
}

fn event(here: &Here, place: usize, alert: Value, source: &str, around: &Map) -> Result<CloudEvent, Refusal> {
    let Some(labels) = part::map(&alert, &["labels"]) else {
        return Err(Refusal::malformed(format!("alert {place} has no `labels`")));
    };
    let key = match part::text(&alert, &["fingerprint"]) {
        Some(fingerprint) => part::bounded(fingerprint.to_owned()),
        None => fingerprint(labels),
    };
    let (began, ended) = (part::time(&alert, &["startsAt"]), part::time(&alert, &["endsAt"]));
    let status = match part::text(&alert, &["status"]) {
        Some("resolved") => Status::Resolved,
        Some(_) => Status::Firing,
        // Prometheus says only when an alert ends if nothing more is heard of it.
        None if ended.is_some_and(|ended| ended <= here.request.received_at) => Status::Resolved,
        None => Status::Firing,
    };
    // Without its beginning one life of an alert cannot be told from the next: better told twice than not at all.
    let life = began.unwrap_or(here.request.received_at);
    let id = match (status, ended) {
        (Status::Resolved, Some(ended)) => format!("{key}/{life}/resolved/{ended}"),
        _ => format!("{key}/{life}/{}", status.as_str()),
    };
    let subject = part::text(&alert, &["labels", "alertname"]).or_else(|| part::text(&alert, &["title"])).map(part::clipped);
    let time = if status == Status::Resolved { ended.or(began) } else { began };
    let Value::Map(alert) = alert else { return Err(Refusal::malformed(format!("alert {place} is not a map"))) };
    Ok(CloudEvent {
        id: part::bounded(id),
        source: source.to_owned(),
        kind: "alert".to_owned(),
        subject,
        time,
        data: with(alert, "group", around.clone()),
        extensions: Map::new(),
        key,
        status,
    })
}

/// The fingerprint that Prometheus gives to a set of labels, for versions that do not send it: FNV-1a over the sorted names and values.
fn fingerprint(labels: &Map) -> String {
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| bytes.iter().for_each(|byte| hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    for (name, value) in labels {
        add(name.as_bytes());
        add(&[0xff]);
        add(part::name(value, &[]).unwrap_or_default().as_bytes());
        add(&[0xff]);
    }
    format!("{hash:016x}")
}
