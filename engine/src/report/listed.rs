//! The lines of lists as JSON: the same from the command line and from a server.

use jiff::Timestamp;
use runbook_core::run::decision::Request;
use serde_json::{Value, json};

use crate::intake::Arrived;
use crate::journal::{OpenDecision, RunRow};

/// A run in a list.
pub fn run(row: &RunRow, now: Timestamp) -> Value {
    let summary = &row.summary;
    json!({
        "run": row.run, "procedure": summary.procedure, "version": summary.version,
        "environment": summary.environment, "requested_by": summary.requested_by,
        "started_at": summary.started_at, "ended_at": summary.ended_at, "phase": row.standing(now),
        "outcome": summary.outcome, "message": summary.message, "open_decisions": row.open_decisions,
        "events": row.seq, "head": row.head,
    })
}

/// A decision that waits; with the request, where it was read from the record, all that was shown.
pub fn decision(open: &OpenDecision, request: Option<&Request>) -> Value {
    json!({
        "run": open.run, "decision": open.decision, "path": open.path, "purpose": open.purpose, "question": open.question,
        "asked": open.from, "asked_at": open.asked_at, "expires_at": open.expires_at, "request": request,
    })
}

/// An event, and what was decided on it.
pub fn event(arrived: &Arrived) -> Value {
    let decisions: Vec<Value> = arrived
        .rulings
        .iter()
        .map(|ruling| {
            json!({
                "trigger": ruling.trigger.to_string(), "procedure": ruling.trigger.procedure, "version": ruling.version,
                "at": ruling.at, "decision": ruling.decision.word(), "why": ruling.decision.to_string(),
                "run": ruling.decision.run(), "keys": ruling.keys,
            })
        })
        .collect();
    json!({
        "event": arrived.number, "source": arrived.source, "received": arrived.received, "again": arrived.again,
        "judged": arrived.judged, "about": arrived.event.key, "status": arrived.event.status, "id": arrived.event.id,
        "type": arrived.event.kind, "decisions": decisions, "ended_waits_of": arrived.ended, "data": arrived.event.to_value().to_plain_json(),
    })
}
