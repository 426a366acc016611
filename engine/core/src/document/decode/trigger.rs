//! `triggers` of a playbook, and `concurrency`. Their words and places are judged here; nothing is started by them yet.

use super::{Fields, Reading};
use crate::diagnostic::Code;
use crate::document::procedure::{Beyond, Concurrency, Correlate, Dedup, Limit, OnResolved, Second, Trigger};
use crate::document::{Node, ProcedureKind, Scalar, ScalarStyle};
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
    items.iter().filter_map(|node| trigger(reading, node)).collect()
}

fn trigger(reading: &Reading, node: &Node) -> Option<Trigger> {
    let mut fields = Fields::of(reading, node, "a trigger")?;
    let source = fields.require_text("source");
    let trigger = Trigger {
        span: node.span,
        when: fields.expression("when"),
        inputs: fields.expressions("inputs"),
        dedup: fields.map("dedup", "`dedup`").and_then(dedup),
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
