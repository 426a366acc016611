//! How steps and runs ended, in words, and what somebody does about a step that has failed.

use runbook_core::Run;
use runbook_core::plain::{line, plain};
use runbook_core::plan::Verb;
use runbook_core::run::event::{Outcome, OutcomeKind, StepOutcome};
use runbook_core::run::view::{Standing, StepView};

use crate::words::remark;

pub fn step_word(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Succeeded => "succeeded",
        StepOutcome::Failed => "failed",
        StepOutcome::Skipped => "skipped",
        StepOutcome::TimedOut => "timed out",
        StepOutcome::Cancelled => "cancelled",
        StepOutcome::Unknown => "unknown",
    }
}

/// How a step stands that has not ended, and how it ended.
pub fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Ended(outcome) => step_word(outcome),
        Standing::Starting => "starting",
        Standing::Deciding(_) | Standing::Listening => "waiting",
        Standing::Running => "running",
        Standing::Retrying(_) => "retrying",
        Standing::Sleeping(_) => "sleeping",
        Standing::Open => "open",
        Standing::InDoubt => "unknown",
    }
}

pub fn run_word(kind: OutcomeKind) -> &'static str {
    match kind {
        OutcomeKind::Succeeded => "succeeded",
        OutcomeKind::Failed => "failed",
        OutcomeKind::Rejected => "rejected",
        OutcomeKind::Cancelled => "cancelled",
        OutcomeKind::RolledBack => "rolled back",
        OutcomeKind::NeedsAttention => "needs attention",
    }
}

/// `: ` and why a run ended as it did; nothing where the record does not say.
pub fn why_ended(outcome: &Outcome) -> String {
    let message = outcome.message.trim_end_matches([';', ' ']);
    if message.is_empty() { String::new() } else { format!(": {}", line(message)) }
}

/// The last lines of output and the place in the procedure; once it has failed, also what a person does now and who answers for it.
pub fn detail(run: &Run, step: &StepView<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(note) = step.note() {
        lines.extend(note.detail.iter().flat_map(|text| plain(text.trim_end()).lines().map(str::to_owned).collect::<Vec<_>>()));
        lines.extend(note.at.as_ref().map(|at| format!("at {}", line(at))));
    }
    if has_failed(step) {
        let by_hand = step.by_hand().filter(|_| was_tried(run, step));
        lines.extend(by_hand.iter().flat_map(|text| remark("by hand", text)));
        lines.extend(step.step().owner.as_ref().map(|owner| format!("owner: {}", line(owner))));
    }
    lines
}

pub(super) fn has_failed(step: &StepView<'_>) -> bool {
    matches!(step.standing(), Standing::Ended(StepOutcome::Failed | StepOutcome::TimedOut))
}

/// Whether it was the automation that failed: what people rejected, or a window forbids, is not to be done by hand instead.
pub(super) fn was_tried(run: &Run, step: &StepView<'_>) -> bool {
    match &step.step().verb {
        verb if verb.acts() => step.attempt() > 0,
        verb if verb.is_container() => {
            let is_inside = |inner: &StepView<'_>| run.around(inner.path()).any(|outer| outer.path() == step.path());
            run.steps().any(|inner| inner.attempt() > 0 && has_failed(&inner) && is_inside(&inner))
        }
        verb => matches!(verb, Verb::Check(_) | Verb::Wait(_)),
    }
}
