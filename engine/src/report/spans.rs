//! A run that has ended as a trace of OpenTelemetry: a span for the run, and one for each of its steps within that of the step around it.
//! The trace has the 128 bits of the run's id, so whoever has the one finds the other. An event that started the run, or was joined to
//! it, is a span of a trace of its own, or of the sender's where it says which (`traceparent`), and the run links to it.
//!
//! Names are those of the protocol's JSON (opentelemetry-proto 1.x, `ExportTraceServiceRequest`): ids in hexadecimal, 64-bit numbers as text.

use jiff::Timestamp;
use runbook_core::run::Run;
use runbook_core::run::event::{OutcomeKind, StepOutcome};
use runbook_core::run::view::{Standing, StepView};
use runbook_core::{CloudEvent, Digest, Value, limits};
use serde_json::{Value as Json, json};

/// Kinds of spans.
const INTERNAL: u8 = 1;
const CONSUMER: u8 = 5;
/// Codes of a status.
const OK: u8 = 1;
const ERROR: u8 = 2;

/// Which part of a run's life a trace tells: that from its start, or that from when it was to be undone, after it had ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stretch {
    pub from: Timestamp,
    pub is_undo: bool,
}

/// An event that started a run, or was joined to it.
#[derive(Clone, Copy, Debug)]
pub struct Cause<'e> {
    pub number: u64,
    /// The name of its source in the workspace.
    pub source: &'e str,
    pub event: &'e CloudEvent,
    pub received: Timestamp,
    /// When what followed from it for the run was decided.
    pub decided: Option<Timestamp>,
}

/// What is told of a run, once it has ended.
pub fn request(run: &Run, stretch: &Stretch, causes: &[Cause<'_>]) -> Option<Json> {
    let (id, start, outcome) = (run.id()?, run.start()?, run.outcome()?);
    let trace = format!("{:032x}", id.to_bits());
    let until = run.last_at();
    let whole = span_id(&[&trace, if stretch.is_undo { "undo" } else { "run" }]);
    let caused: Vec<OfCause> = causes.iter().map(OfCause::of).collect();
    let name = match stretch.is_undo {
        true => format!("undo {}", start.procedure),
        false => start.procedure.to_string(),
    };
    let is_well = matches!(outcome.kind, OutcomeKind::Succeeded) || stretch.is_undo && outcome.kind == OutcomeKind::RolledBack;
    let mut attributes = vec![
        text("runbook.run", id.as_str()),
        text("runbook.procedure", start.procedure.as_str()),
        text("runbook.version", &start.version.to_string()),
        text("runbook.outcome", outcome.kind.name()),
        text("runbook.requested_by", &start.requested_by.person),
    ];
    attributes.extend(start.environment.as_ref().map(|environment| text("runbook.environment", environment)));
    let steps: Vec<StepView<'_>> = run.steps().filter(|step| step.began() >= stretch.from).collect();
    let left_out = steps.len().saturating_sub(limits::TRACE_STEPS);
    if left_out > 0 {
        attributes.push(number("runbook.steps_left_out", left_out as u64));
    }
    let mut own = vec![json!({
        "traceId": trace,
        "spanId": whole,
        "name": name,
        "kind": INTERNAL,
        "startTimeUnixNano": nanoseconds(stretch.from),
        "endTimeUnixNano": nanoseconds(until),
        "attributes": attributes,
        "links": caused.iter().map(|caused| json!({"traceId": caused.trace, "spanId": caused.id})).collect::<Vec<_>>(),
        "status": if is_well { json!({"code": OK}) } else { json!({"code": ERROR, "message": outcome.message}) },
    })];
    let of_step = |step: &StepView<'_>| span_id(&[&trace, "step", step.path().as_str()]);
    for step in steps.iter().take(limits::TRACE_STEPS) {
        let around = run.around(step.path()).next().filter(|around| around.began() >= stretch.from);
        own.push(json!({
            "traceId": trace,
            "spanId": of_step(step),
            "parentSpanId": around.map_or_else(|| whole.clone(), |around| of_step(&around)),
            "name": step.title(),
            "kind": INTERNAL,
            "startTimeUnixNano": nanoseconds(step.began()),
            "endTimeUnixNano": nanoseconds(step.ended().unwrap_or(until)),
            "attributes": of_a_step(step),
            "status": status_of(step),
        }));
    }
    own.extend(caused.into_iter().map(|caused| caused.span));
    Some(json!({
        "resourceSpans": [{
            "resource": {"attributes": [text("service.name", "runbook"), text("service.version", env!("CARGO_PKG_VERSION"))]},
            "scopeSpans": [{"scope": {"name": "runbook", "version": env!("CARGO_PKG_VERSION")}, "spans": own}],
        }],
    }))
}

fn of_a_step(step: &StepView<'_>) -> Vec<Json> {
    let mut attributes = vec![
        text("runbook.step", step.path().as_str()),
        text("runbook.step.number", &step.number()),
        text("runbook.step.verb", step.step().verb.key()),
        text("runbook.step.effect", step.step().effect.name()),
    ];
    if let Standing::Ended(outcome) = step.standing() {
        attributes.push(text("runbook.step.outcome", outcome.name()));
    }
    if step.attempt() > 0 {
        attributes.push(number("runbook.step.attempts", step.attempt().into()));
    }
    attributes
}

fn status_of(step: &StepView<'_>) -> Json {
    match step.standing() {
        Standing::Ended(StepOutcome::Failed | StepOutcome::TimedOut | StepOutcome::Unknown) => {
            json!({"code": ERROR, "message": step.note().map(|note| note.message.as_str()).unwrap_or_default()})
        }
        _ => json!({}),
    }
}

/// The span of an event.
struct OfCause {
    trace: String,
    id: String,
    span: Json,
}

impl OfCause {
    fn of(cause: &Cause<'_>) -> OfCause {
        let event = cause.event;
        let own = [cause.source, event.source.as_str(), event.id.as_str()];
        let sender = event.extensions.get("traceparent").and_then(|parent| match parent {
            Value::Text(parent) => parent_of(parent),
            _ => None,
        });
        let (trace, parent) = match sender {
            Some((trace, parent)) => (trace, Some(parent)),
            None => (digits(&own, 32), None),
        };
        let id = span_id(&own);
        let span = json!({
            "traceId": trace,
            "spanId": id,
            "parentSpanId": parent.unwrap_or_default(),
            "name": format!("{} {}", cause.source, event.kind),
            "kind": CONSUMER,
            "startTimeUnixNano": nanoseconds(cause.received),
            "endTimeUnixNano": nanoseconds(cause.decided.unwrap_or(cause.received)),
            "attributes": [
                text("cloudevents.event_id", &event.id),
                text("cloudevents.event_source", &event.source),
                text("cloudevents.event_type", &event.kind),
                number("runbook.event", cause.number),
            ],
        });
        OfCause { trace, id, span }
    }
}

/// The trace and the span of the sender: W3C Trace Context, <https://www.w3.org/TR/trace-context/#traceparent-header>.
fn parent_of(traceparent: &str) -> Option<(String, String)> {
    let mut parts = traceparent.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |text: &str, length: usize| {
        text.len() == length
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
            && text.bytes().any(|byte| byte != b'0')
    };
    (version.len() == 2 && version != "ff" && is_id(trace, 32) && is_id(span, 16)).then(|| (trace.to_owned(), span.to_owned()))
}

fn span_id(of: &[&str]) -> String {
    digits(of, 16)
}

/// So many hexadecimal digits that are the same for the same texts.
fn digits(of: &[&str], count: usize) -> String {
    let digest = Digest::of_parts(of.iter().flat_map(|text| [text.as_bytes(), b"\0"]));
    digest.as_str().trim_start_matches("sha256:").chars().take(count).collect()
}

fn nanoseconds(at: Timestamp) -> String {
    at.as_nanosecond().max(0).to_string()
}

fn text(key: &str, value: &str) -> Json {
    json!({"key": key, "value": {"stringValue": value}})
}

fn number(key: &str, value: u64) -> Json {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_that_names_its_trace_is_believed_only_where_it_can_be_read() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = Some(("4bf92f3577b34da6a3ce929d0e0e4736".to_owned(), "00f067aa0ba902b7".to_owned()));
        assert_eq!(parent_of(parent), read);
        for wrong in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parent_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ids_are_the_same_for_the_same_and_others_for_others() {
        assert_eq!(span_id(&["a", "b"]), span_id(&["a", "b"]));
        assert_ne!(span_id(&["a", "b"]), span_id(&["ab"]));
        assert_eq!((span_id(&["a"]).len(), digits(&["a"], 32).len()), (16, 32));
    }
}
