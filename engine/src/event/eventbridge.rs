//! Events of Amazon EventBridge, as an API destination posts them, and alarms of CloudWatch in each of the three forms that Amazon gives
//! them: an event, a message of SNS, the argument of a function.
//!
//! An alarm whose state is `INSUFFICIENT_DATA` neither begins nor ends anything: nobody knows.

use runbook_core::CloudEvent;
use runbook_core::cloud_event::Status;
use runbook_core::value::{Map, Value};

use super::{Here, Refusal, part};

pub(super) fn decode(here: &Here, body: Value) -> Result<Vec<CloudEvent>, Refusal> {
    match event(here, body) {
        Ok(event) => event.map(|event| vec![event]),
        Err(_) => Err(Refusal::malformed("the body is no event of EventBridge: it has no `detail-type`")),
    }
}

/// The event that a document is; the document itself where it is none.
pub(super) fn event(here: &Here, document: Value) -> Result<Result<CloudEvent, Refusal>, Value> {
    if part::text(&document, &["detail-type"]).is_some() {
        Ok(bridged(here, document))
    } else if part::text(&document, &["AlarmName"]).is_some() {
        Ok(Ok(notified(here, document)))
    } else if part::map(&document, &["alarmData"]).is_some() {
        Ok(Ok(invoked(here, document)))
    } else {
        Err(document)
    }
}

pub(super) fn of_alarm(state: &str) -> Status {
    match state {
        "ALARM" => Status::Firing,
        "OK" => Status::Resolved,
        _ => Status::Once,
    }
}

fn bridged(here: &Here, event: Value) -> Result<CloudEvent, Refusal> {
    let kind = part::text(&event, &["detail-type"]).map(part::clipped).unwrap_or_default();
    let id = part::name(&event, &["id"]).ok_or_else(|| Refusal::malformed("the event has no `id`"))?;
    let source = part::text(&event, &["source"]).map_or_else(|| here.source(), part::clipped);
    let resource = part::list(&event, &["resources"]).and_then(|all| all.first()).and_then(|first| part::name(first, &[]));
    let finding = part::list(&event, &["detail", "findings"]).and_then(|all| all.first());
    let (key, status) = match kind.as_str() {
        "CloudWatch Alarm State Change" => {
            let state = part::text(&event, &["detail", "state", "value"]).unwrap_or_default();
            (resource.clone().or_else(|| part::name(&event, &["detail", "alarmName"])), of_alarm(state))
        }
        "AWS Health Event" => {
            let closed = part::text(&event, &["detail", "statusCode"]) == Some("closed");
            (part::name(&event, &["detail", "eventArn"]), if closed { Status::Resolved } else { Status::Firing })
        }
        "Security Hub Findings - Imported" | "Security Hub Findings - Custom Action" => {
            let over = finding.is_some_and(|finding| {
                part::text(finding, &["RecordState"]) == Some("ARCHIVED")
                    || matches!(part::text(finding, &["Workflow", "Status"]), Some("RESOLVED" | "SUPPRESSED"))
            });
            (finding.and_then(|finding| part::name(finding, &["Id"])), if over { Status::Resolved } else { Status::Firing })
        }
        _ => (None, Status::Once),
    };
    let key = key.or_else(|| resource.clone()).unwrap_or_else(|| format!("{source}/{kind}"));
    Ok(CloudEvent {
        id: part::bounded(id),
        source,
        kind,
        subject: resource.as_deref().map(part::clipped),
        time: part::time(&event, &["time"]),
        key: part::bounded(key),
        status,
        data: event,
        extensions: Map::new(),
    })
}

/// An alarm as its message of SNS tells of it.
fn notified(here: &Here, alarm: Value) -> CloudEvent {
    let name = part::name(&alarm, &["AlarmName"]).unwrap_or_default();
    let key = part::name(&alarm, &["AlarmArn"]).unwrap_or_else(|| {
        let place = [["AWSAccountId"], ["Region"]].iter().filter_map(|path| part::name(&alarm, path));
        place.chain([name.clone()]).collect::<Vec<_>>().join("/")
    });
    let state = part::text(&alarm, &["NewStateValue"]);
    let moment = part::text(&alarm, &["StateChangeTime"]).map_or_else(|| here.request.received_at.to_string(), part::clipped);
    // One that does not say its state was sent because it went off.
    let status = state.map_or(Status::Firing, of_alarm);
    let key = part::bounded(key);
    CloudEvent {
        id: part::bounded(format!("{key}/{}/{moment}", state.unwrap_or("ALARM"))),
        source: "aws.cloudwatch".to_owned(),
        kind: "CloudWatch Alarm State Change".to_owned(),
        subject: Some(part::clipped(&name)),
        time: part::time(&alarm, &["StateChangeTime"]),
        key,
        status,
        data: alarm,
        extensions: Map::new(),
    }
}

/// An alarm as it calls a function.
fn invoked(here: &Here, alarm: Value) -> CloudEvent {
    let name = part::name(&alarm, &["alarmData", "alarmName"]).unwrap_or_default();
    let key = part::bounded(part::name(&alarm, &["alarmArn"]).unwrap_or_else(|| name.clone()));
    let state = part::text(&alarm, &["alarmData", "state", "value"]).unwrap_or_default();
    let moment = part::text(&alarm, &["time"]).map_or_else(|| here.request.received_at.to_string(), part::clipped);
    CloudEvent {
        id: part::bounded(format!("{key}/{state}/{moment}")),
        source: "aws.cloudwatch".to_owned(),
        kind: "CloudWatch Alarm State Change".to_owned(),
        subject: Some(part::clipped(&name)),
        time: part::time(&alarm, &["time"]),
        key,
        status: of_alarm(state),
        data: alarm,
        extensions: Map::new(),
    }
}
