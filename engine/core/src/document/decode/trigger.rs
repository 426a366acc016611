//! `triggers` of a playbook, and `concurrency`.

use std::collections::HashMap;

use super::{Fields, Reading};
use crate::diagnostic::{Code, Span};
use crate::document::procedure::{Accumulate, Beyond, Concurrency, Correlate, Dedup, Limit, OnResolved, Second, Trigger};
use crate::document::workspace::schedule;
use crate::document::{Node, ProcedureKind, Scalar, ScalarStyle};
use crate::id::Id;
use crate::limits;

const BEYOND: [(&str, Beyond); 3] = [("drop", Beyond::Drop), ("defer", Beyond::Defer), ("escalate", Beyond::Escalate)];
const ON_RESOLVED: [(&str, OnResolved); 3] =
    [("ignore", OnResolved::Ignore), ("annotate", OnResolved::Annotate), ("cancel_if_waiting", OnResolved::CancelIfWaiting)];
const SECOND: [(&str, Second); 3] = [("queue", Second::Queue), ("skip", Second::Skip), ("replace", Second::Replace)];

pub(super) fn decode_all(fields: &mut Fields, kind: ProcedureKind) -> Vec<Trigger> {
    let reading = fields.reading;
    let Some(key) = fields.keys().find(|key| key.value == "triggers") else {
        fields.entry("triggers");
        return Vec::new();
    };
    if kind == ProcedureKind::Runbook {
        let fault =
            reading.diagnostic(Code::RB0023, key.span, "a runbook has no triggers: a person or another procedure starts it");
        reading.report(fault.help("make it a `kind: Playbook`, or remove `triggers`"));
    }
    let Some(items) = fields.list("triggers") else { return Vec::new() };
    if items.is_empty() {
        let fault = reading.diagnostic(Code::RB0019, key.span, "`triggers` names no event");
        reading.report(fault.help("add one with its `source`, or make it a `kind: Runbook`"));
    }
    let triggers: Vec<Trigger> = items.iter().filter_map(|node| trigger(reading, node)).collect();
    let mut ids: HashMap<&str, Span> = HashMap::new();
    for id in triggers.iter().filter_map(|trigger| trigger.id.as_ref()) {
        if let Some(first) = ids.insert(id.value.as_str(), id.span) {
            let fault = reading.diagnostic(Code::RB0002, id.span, format!("the trigger `{}` stands twice", id.value));
            reading.report(fault.label(first, "it stands here first").help("give one of them another `id`"));
        }
    }
    triggers
}

fn trigger(reading: &Reading, node: &Node) -> Option<Trigger> {
    let mut fields = Fields::of(reading, node, "a trigger")?;
    let id = fields.parsed::<Id>("id");
    let source = fields.require_text("source");
    let trigger = Trigger {
        span: node.span,
        id,
        when: fields.expression("when"),
        inputs: fields.expressions("inputs"),
        environment: fields.text("environment"),
        dedup: fields.map("dedup", "`dedup`").and_then(dedup),
        accumulate: fields.map("accumulate", "`accumulate`").and_then(accumulate),
        quiet: schedule::windows(&mut fields, "quiet", "UTC", "quiet"),
        limit: fields.map("limit", "`limit`").and_then(limit),
        on_resolved: fields.word("on_resolved", &ON_RESOLVED),
        correlate: fields.map("correlate", "`correlate`").and_then(|mut fields| {
            let key = key(&mut fields);
            fields.finish();
            key.map(|key| Correlate { key })
        }),
        concurrency: concurrency(&mut fields),
        // Without one there is an error, and nothing starts.
        source: source.unwrap_or(Scalar { value: String::new(), span: node.span, style: ScalarStyle::Plain }),
    };
    fields.finish();
    Some(trigger)
}

/// The expression that tells events, or runs, of one kind from those of another.
fn key(fields: &mut Fields) -> Option<Scalar> {
    if !fields.has("key") {
        fields.missing("key");
    }
    fields.expression("key")
}

fn dedup(mut fields: Fields) -> Option<Dedup> {
    let key = key(&mut fields);
    if !fields.has("window") {
        fields.missing("window");
    }
    let window = fields.period("window");
    fields.finish();
    Some(Dedup { key: key?, window: window? })
}

fn accumulate(mut fields: Fields) -> Option<Accumulate> {
    for key in ["events", "within"] {
        if !fields.has(key) {
            fields.missing(key);
        }
    }
    let events = fields.count("events", 2, limits::ACCUMULATED_EVENTS);
    let (within, key) = (fields.period("within"), fields.expression("key"));
    fields.finish();
    Some(Accumulate { events: events?, within: within?, key })
}

fn limit(mut fields: Fields) -> Option<Limit> {
    for key in ["runs", "per"] {
        if !fields.has(key) {
            fields.missing(key);
        }
    }
    let (runs, per, then) = (fields.count("runs", 1, limits::TRIGGER_RUNS), fields.period("per"), fields.word("then", &BEYOND));
    fields.finish();
    Some(Limit { runs: runs?, per: per?, then })
}

pub(super) fn concurrency(fields: &mut Fields) -> Option<Concurrency> {
    let mut fields = fields.map("concurrency", "`concurrency`")?;
    let (key, then) = (key(&mut fields), fields.word("then", &SECOND));
    fields.finish();
    key.map(|key| Concurrency { key, then })
}
