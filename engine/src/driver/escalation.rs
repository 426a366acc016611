//! Tells the channels of an escalation that the people of its next step are asked now. A message is sent once and its fate is noted in
//! the record: where that says nothing, because nobody drove the run or whoever did has died, it is sent by whoever drives it next. The
//! decision waits whether or not anybody was reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook_core::effect::Effect;
use runbook_core::run::decision::Decision;
use runbook_core::run::event::{AttemptEnd, Fact, Identity};
use runbook_core::run::task::{Task, Work};
use runbook_core::value::Value;
use runbook_core::{DecisionId, StepPath, limits};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use super::{Assignment, Driver, engine};
use crate::journal::records_to;
use crate::session::SessionError;

#[derive(serde::Deserialize)]
struct Note {
    by: Identity,
    text: String,
}

/// The message of the present step of an escalation, as the record calls it.
fn title(asked: &Decision) -> String {
    format!("escalation {} of decision {}", asked.rung, asked.id)
}

/// Whom a step of an escalation asks, each rotation with who is on call.
fn now_asked(to: &[String], asked: &Decision) -> Vec<String> {
    let one = |name: &String| match asked.on_call.get(name).map(|people| people.join(", ")) {
        Some(people) if !people.is_empty() => format!("{people} (on call in {name})"),
        _ => name.clone(),
    };
    to.iter().map(one).collect()
}

impl Driver<'_> {
    /// Tells those who have been asked, and of whom the record does not say that they were told.
    pub(super) fn tell_those_not_told(&mut self) -> Result<(), SessionError> {
        let run = self.session.run();
        let escalated = run.decisions().iter().filter(|asked| asked.is_open() && asked.rung > 0);
        let mut untold: Vec<(DecisionId, String)> = escalated.map(|asked| (asked.id, title(asked))).collect();
        if untold.is_empty() {
            return Ok(());
        }
        for record in records_to(&**self.session.journal(), self.session.id(), run.seq()) {
            let record = record?;
            if record.kind == "note_added"
                && let Ok(Note { by, text }) = serde_json::from_str(&record.body)
                && by == engine()
            {
                untold.retain(|(_, title)| text.strip_prefix(title.as_str()).is_none_or(|rest| !rest.starts_with(':')));
            }
        }
        untold.into_iter().for_each(|(decision, _)| self.tell_those_asked_now(decision));
        Ok(())
    }

    /// The time of a decision was over: where it is still open, others have been asked.
    pub(super) fn tell_those_asked_now(&mut self, decision: DecisionId) {
        let run = self.session.run();
        let Some(asked) = run.decision(decision).filter(|d| d.is_open()) else { return };
        let Some(rung) = run.present_rung(asked).filter(|rung| !rung.channels.is_empty()) else { return };
        let (id, main, number) = (self.session.id().clone(), run.plan().main(), asked.rung);
        let channels = rung.channels.clone();
        let message = format!(
            "{} {} (run {id}) waits for a decision, and nobody answered in time. {} may decide now.\n\n{}\n\nrunbook decisions {id}",
            main.name,
            main.version,
            now_asked(&rung.to, asked).join(", "),
            asked.request.question.trim(),
        );
        let title = title(asked);
        let subject = format!("{} waits for a decision", main.name);
        let work = Work {
            title: title.clone(),
            task: Task::Notify { to: channels.clone(), subject, message },
            effect: Effect::Change,
            env: BTreeMap::new(),
            dir: None,
            timeout: limits::DELIVERY_TIME,
        };
        let assignment = Assignment {
            run: id,
            path: StepPath::within("", &format!("~escalation/{decision}")),
            attempt: number,
            work: Arc::new(work),
            before: Value::Null,
            plan: run.plan().clone(),
            by_event: false,
            requested_by: run.start().map(|s| s.requested_by.person.clone()).unwrap_or_default(),
            stop: CancellationToken::new(),
            hold: self.session.right_to_act(),
        };
        let performer = self.world.performer.clone();
        self.messages.spawn(async move {
            match performer.perform(assignment).await {
                AttemptEnd::Succeeded { .. } => format!("{title}: told {}", channels.join(", ")),
                AttemptEnd::Failed { failure, .. }
                | AttemptEnd::TimedOut { failure, .. }
                | AttemptEnd::Cancelled { failure, .. } => {
                    format!("{title}: {}", failure.message)
                }
                AttemptEnd::Unknown { why } => format!("{title}: nobody knows whether it arrived: {why}"),
            }
        });
    }

    /// A message has arrived, or has not.
    pub(super) fn told(&mut self, told: Result<String, JoinError>) -> Result<(), SessionError> {
        let text = told.unwrap_or_else(|error| format!("a message of an escalation was lost: {error}"));
        self.record(Fact::NoteAdded { by: engine(), text })
    }
}
