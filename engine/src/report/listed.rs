//! The lines of lists, the same from the command line and from a server, and read again by whoever asks a server for them.

use jiff::Timestamp;
use runbook_core::cloud_event::Status;
use runbook_core::document::procedure::Version;
use runbook_core::run::decision::{Purpose, Request};
use runbook_core::run::event::OutcomeKind;
use runbook_core::{DecisionId, Digest, ProcedureName, RunId, StepPath};
use serde::{Deserialize, Serialize};

use crate::intake::Arrived;
use crate::journal::{Anchor, Holder, OpenDecision, Owner, Phase, Pruned, RunRow, Summary};

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub run: RunId,
    pub procedure: ProcedureName,
    pub version: Version,
    pub environment: Option<String>,
    pub requested_by: String,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// As it really is: `interrupted` where it was under way and its process is gone.
    pub phase: String,
    /// Whether a process is at work on it.
    pub held: bool,
    pub outcome: Option<OutcomeKind>,
    pub message: String,
    pub open_decisions: u32,
    pub events: u64,
    pub head: Digest,
    pub format: u32,
    pub plan: Digest,
}

impl Run {
    pub fn of(row: &RunRow, now: Timestamp) -> Run {
        let RunRow { run, format, plan, summary, seq, head, open_decisions, .. } = row.clone();
        let Summary { procedure, version, environment, requested_by, started_at, ended_at, outcome, message, .. } = summary;
        let (phase, held) = (row.standing(now).to_owned(), row.is_held(now));
        Run {
            run,
            procedure,
            version,
            environment,
            requested_by,
            started_at,
            ended_at,
            phase,
            held,
            outcome,
            message,
            open_decisions,
            events: seq,
            head,
            format,
            plan,
        }
    }

    /// The row that it was made of, as far as it tells: who holds a run is its keeper's affair, and stands for them all.
    pub fn into_row(self, keeper: &str) -> RunRow {
        let Run { run, procedure, version, environment, requested_by, started_at, ended_at, phase, held, outcome, .. } = self;
        let summary = Summary {
            procedure,
            version,
            environment,
            requested_by,
            started_at,
            // What was interrupted was under way, and nobody holds it.
            phase: Phase::parse(&phase).unwrap_or(Phase::Running),
            ended_at,
            outcome,
            message: self.message,
        };
        RunRow {
            run,
            format: self.format,
            plan: self.plan,
            summary,
            seq: self.events,
            head: self.head,
            open_decisions: self.open_decisions,
            holder: held.then(|| Holder { owner: Owner::named(keeper, 0), epoch: 0, until: Timestamp::MAX }),
        }
    }
}

/// One run, with what is kept beside its record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OneRun {
    #[serde(flatten)]
    pub run: Run,
    pub anchors: Vec<Anchor>,
    pub pruned: Option<Pruned>,
}

/// A decision that waits; with the request, where it was read from the record, all that was shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub run: RunId,
    pub decision: DecisionId,
    pub path: Option<StepPath>,
    pub purpose: Purpose,
    pub question: String,
    pub asked: Vec<String>,
    pub asked_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub request: Option<Request>,
}

impl Decision {
    pub fn of(open: &OpenDecision, request: Option<&Request>) -> Decision {
        let OpenDecision { run, decision, path, purpose, question, from, asked_at, expires_at } = open.clone();
        Decision { run, decision, path, purpose, question, asked: from, asked_at, expires_at, request: request.cloned() }
    }

    pub fn into_open(self) -> OpenDecision {
        let Decision { run, decision, path, purpose, question, asked, asked_at, expires_at, .. } = self;
        OpenDecision { run, decision, path, purpose, question, from: asked, asked_at, expires_at }
    }
}

/// An event, and what was decided on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub event: u64,
    pub source: String,
    pub received: Timestamp,
    /// How often it came again.
    pub again: u64,
    pub judged: bool,
    /// What it is about: its key.
    pub about: String,
    pub status: Status,
    pub id: String,
    pub r#type: String,
    pub decisions: Vec<Decided>,
    /// Runs of which it ended a wait.
    pub ended_waits_of: Vec<RunId>,
    /// The whole event, as expressions read it.
    pub data: serde_json::Value,
}

/// The one decision of a trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    pub trigger: String,
    pub procedure: ProcedureName,
    pub version: Version,
    pub at: Timestamp,
    /// Its word: `ran`, `joined`, `dropped` or `deferred`.
    pub decision: String,
    pub why: String,
    pub run: Option<RunId>,
    pub keys: serde_json::Value,
}

impl Event {
    pub fn of(arrived: &Arrived) -> Event {
        let decisions = arrived.rulings.iter().map(|ruling| Decided {
            trigger: ruling.trigger.to_string(),
            procedure: ruling.trigger.procedure.clone(),
            version: ruling.version,
            at: ruling.at,
            decision: ruling.decision.word().to_owned(),
            why: ruling.decision.to_string(),
            run: ruling.decision.run().cloned(),
            keys: serde_json::json!(ruling.keys),
        });
        let event = &arrived.event;
        Event {
            event: arrived.number,
            source: arrived.source.clone(),
            received: arrived.received,
            again: arrived.again,
            judged: arrived.judged,
            about: event.key.clone(),
            status: event.status,
            id: event.id.clone(),
            r#type: event.kind.clone(),
            decisions: decisions.collect(),
            ended_waits_of: arrived.ended.clone(),
            data: event.to_value().to_plain_json(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_again_as_it_was() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let summary = |phase| Summary {
            procedure: "fix".parse().unwrap(),
            version: "1.2.3".parse().unwrap(),
            environment: Some("live".to_owned()),
            requested_by: "ada".to_owned(),
            started_at: at,
            phase,
            ended_at: None,
            outcome: None,
            message: String::new(),
        };
        let holder = Holder { owner: Owner::named("somebody", 0), epoch: 0, until: Timestamp::MAX };
        for (phase, holder) in Phase::ALL.into_iter().flat_map(|phase| [(phase, None), (phase, Some(holder.clone()))]) {
            let row = RunRow {
                run: RunId::from_parts(1, 2),
                format: 1,
                plan: Digest::of_bytes(b"plan"),
                summary: summary(phase),
                seq: 7,
                head: Digest::of_bytes(b"head"),
                open_decisions: 2,
                holder,
            };
            let line = serde_json::to_string(&Run::of(&row, at)).unwrap();
            let again = serde_json::from_str::<Run>(&line).unwrap().into_row("somebody");
            assert_eq!((again.standing(at), again.is_held(at)), (row.standing(at), row.is_held(at)), "{line}");
            assert_eq!(Run::of(&again, at), Run::of(&row, at));
        }
    }
}
