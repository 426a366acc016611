//! A run of whose record only what people did is left.

use runbook_core::Fact;
use runbook_core::run::event::Identity;
use runbook_engine::journal::{Pruned, RunRow};

use super::records;
use crate::commands::store::Home;
use crate::exit::Trouble;
use crate::ui::line;
use crate::ui::narrate::run_word;
use crate::ui::words::{between, count, elapsed, values, when};

pub(super) fn text(home: &Home, row: &RunRow, pruned: &Pruned) -> Result<String, Trouble> {
    let mut out = Vec::new();
    let mut row_of = |name: &str, text: String| out.push(format!("{name:<12} {text}"));
    let summary = &row.summary;
    let message = if summary.message.is_empty() { String::new() } else { format!(": {}", line(&summary.message)) };
    let standing = summary.outcome.map(|kind| {
        let (word, tone) = run_word(kind);
        format!("{}{message}", tone.paint(word))
    });
    row_of("run", row.run.to_string());
    let environment = summary.environment.as_ref().map(|e| format!(" in {}", line(e))).unwrap_or_default();
    row_of("procedure", format!("{} {}{environment}", summary.procedure, summary.version));
    row_of("standing", standing.unwrap_or_default());
    row_of("asked for by", line(&summary.requested_by).into_owned());
    let (mut acts, mut kept) = (Vec::new(), 0);
    let mut inputs = Vec::new();
    records(home, &row.run, &mut |record| {
        if record.is_removed() {
            return Ok(());
        }
        kept += 1;
        let event = record.decode(row.format)?;
        if let Fact::RunStarted(started) = &event.fact {
            inputs = values(&started.inputs);
        }
        acts.extend(act(&event.fact).map(|act| format!("{}  {act}", when(event.at))));
        Ok(())
    })?;
    if !inputs.is_empty() {
        row_of("inputs", inputs.join(", "));
    }
    let took = summary.ended_at.map(|end| format!(", took {}", elapsed(between(summary.started_at, end)))).unwrap_or_default();
    row_of("started", format!("{}{took}", when(summary.started_at)));
    let at = pruned.steps_at.map(when).unwrap_or_default();
    row_of("record", format!("{}, head {}", count(row.seq, "event", "events"), row.head.short()));
    row_of("compacted", format!("{at}: {kept} of them are left, and of the others the hashes"));
    if !acts.is_empty() {
        out.push(String::new());
        out.extend(acts);
    }
    Ok(out.join("\n"))
}

/// What somebody did, in a line.
fn act(fact: &Fact) -> Option<String> {
    let by = |by: &Identity, what: &str, text: &str| {
        let text = if text.is_empty() { String::new() } else { format!(": {}", line(text)) };
        Some(format!("{what} by {}{text}", line(&by.person)))
    };
    match fact {
        Fact::DecisionRequested { decision, request, .. } => Some(format!("{decision} asked: {}", line(&request.question))),
        Fact::Decided { decision, vote } => {
            by(&vote.by, &format!("{decision} {}", vote.choice.name()), vote.reason.as_deref().unwrap_or_default())
        }
        Fact::Acknowledged { decision, by: who, to, reason, .. } => {
            let over = to.as_ref().map(|to| format!(" for {}", line(to))).unwrap_or_default();
            by(who, &format!("{decision} acknowledged{over}"), reason)
        }
        Fact::CancelRequested { by: who, reason, .. } => by(who, "cancelled", reason),
        Fact::PauseRequested { by: who, reason } => by(who, "paused", reason),
        Fact::ResumeRequested { by: who } => by(who, "resumed", ""),
        Fact::UndoRequested { by: who, reason } => by(who, "undo asked for", reason),
        Fact::NoteAdded { by: who, text } => by(who, "note", text),
        Fact::RunAdopted { by: who, .. } => by(who, "taken up", ""),
        _ => None,
    }
}
