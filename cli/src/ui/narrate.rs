//! A run told in lines, each from one event and the run as it stood after it. Nothing else goes in, so a record tells the same
//! story as the run did when it was live.

use std::collections::HashSet;

use jiff::Timestamp;
use runbook_core::run::event::{AttemptEnd, Event, Fact, Identity, Outcome, OutcomeKind, Resolution, StepOutcome};
use runbook_core::run::task::{EventTask, Task};
use runbook_core::run::view::{Standing, StepView};
use runbook_core::{Run, StepPath};
use runbook_engine::report::ended;
pub use runbook_engine::report::ended::{detail, why_ended};

use super::line;
use super::style::Tone;
use super::words::{between, elapsed, stopwatch, value, who};

/// Steps that are named before the rest is only counted.
const HALF_DONE: usize = 12;

/// One line of the story, and lines below it that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub at: String,
    pub word: &'static str,
    pub tone: Tone,
    pub text: String,
    pub below: Vec<String>,
}

impl Line {
    /// As it is written: when, what, and about what.
    pub fn render(&self) -> String {
        let mut text = format!("{:>6}  {} {}", self.at, self.tone.paint(&format!("{:<10}", self.word)), self.text);
        for below in &self.below {
            text.push_str(&format!("\n{:>8}{} {below}", "", Tone::Quiet.paint("│")));
        }
        text
    }
}

/// Tells one run. It remembers only which ends it has told.
#[derive(Debug, Default)]
pub struct Narrator {
    told: HashSet<StepPath>,
}

impl Narrator {
    pub fn event(&mut self, run: &Run, event: &Event) -> Vec<Line> {
        let since = run.started_at().unwrap_or(event.at);
        let at = stopwatch(between(since, event.at));
        let line = |word, tone, text: String| Line { at: at.clone(), word, tone, text, below: Vec::new() };
        let person = |identity: &Identity| who(&run.plan().policy.people, identity);
        let mut lines = Vec::new();
        match &event.fact {
            Fact::RunStarted(started) => {
                let environment = started.environment.as_ref().map(|e| format!(" in {}", self::line(e))).unwrap_or_default();
                let text = format!("{} {}{environment}, run {}", started.procedure, started.version, event.run);
                lines.push(line("started", Tone::Strong, text));
            }
            Fact::LockTaken { lock } => lines.push(line("locked", Tone::Quiet, self::line(lock).into_owned())),
            Fact::AttemptStarted { path, .. } if let Some(task) = awaited(run, path) => {
                let text = format!("{}: for an event {}", name(run, path), super::words::event(task));
                lines.push(line("waiting", Tone::Waiting, text));
            }
            Fact::AttemptStarted { path, attempt } => {
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                lines.push(line("running", Tone::Quiet, format!("{}{again}", name(run, path))));
            }
            Fact::StepResolved { path, resolution } => {
                if let Some(text) = resolved(run, path, resolution) {
                    lines.push(line("running", Tone::Quiet, text));
                }
            }
            Fact::AttemptFinished { path, end, .. } => {
                if let Some(step) = run.find_step(path)
                    && let Standing::Retrying(until) = step.standing()
                {
                    let wait = elapsed(between(event.at, until));
                    let mut line = line("retrying", Tone::Warning, format!("{} in {wait}: {}", name(run, path), why(end)));
                    line.below = detail(run, &step);
                    lines.push(line);
                } else if let AttemptEnd::Unknown { why } = end {
                    lines.push(line("unknown", Tone::Warning, format!("{}: {}", name(run, path), self::line(why))));
                }
            }
            Fact::DecisionRequested { decision, path, request, .. } => {
                let place = path.as_ref().map(|path| format!("{}: ", super::words::step(run, path))).unwrap_or_default();
                let question = request.question.trim().lines().next().unwrap_or_default();
                lines.push(line("waiting", Tone::Waiting, format!("{place}{} ({decision})", self::line(question))));
            }
            Fact::Decided { decision, vote } => {
                let reason = vote.reason.as_ref().map(|r| format!(": {}", self::line(r))).unwrap_or_default();
                let signed = if vote.signature.is_some() { ", signed" } else { "" };
                let ahead = if vote.ahead.is_some() { ", ahead of time" } else { "" };
                let by = self::line(&person(&vote.by)).into_owned();
                let text = format!("{decision}: {} by {by}{signed}{ahead}{reason}", vote.choice.name());
                lines.push(line("decided", Tone::Strong, text));
                if let Some(notice) = &vote.notice {
                    lines.push(line("note", Tone::Warning, self::line(notice).into_owned()));
                }
            }
            Fact::DecisionVoided { decision, reason } => {
                lines.push(line("void", Tone::Warning, format!("{decision}: {}", self::line(reason))));
            }
            Fact::Acknowledged { decision, by, to, reason, .. } => {
                let over = to.as_ref().map(|to| format!(", handed over to {}", self::line(to))).unwrap_or_default();
                let until = run.decision(*decision).and_then(|asked| asked.deadline);
                let until = until.map(|until| format!("; others are asked at {}", super::words::when(until))).unwrap_or_default();
                let text = format!("{decision}: {}{over}{until}{}", self::line(&person(by)), because(reason));
                lines.push(line("at it", Tone::Strong, text));
            }
            Fact::CancelRequested { by, undo, reason } => {
                let how = if *undo { " with undo" } else { "" };
                lines.push(line("cancelling", Tone::Warning, format!("{}{how}{}", self::line(&person(by)), because(reason))));
            }
            Fact::PauseRequested { by, reason } => {
                lines.push(line("paused", Tone::Warning, format!("{}{}", self::line(&person(by)), because(reason))));
            }
            Fact::ResumeRequested { by } => lines.push(line("resumed", Tone::Strong, self::line(&person(by)).into_owned())),
            Fact::UndoRequested { by, reason } => {
                lines.push(line("undoing", Tone::Warning, format!("{}{}", self::line(&person(by)), because(reason))));
            }
            Fact::NoteAdded { by, text } => {
                lines.push(line("note", Tone::Strong, format!("{}: {}", self::line(&person(by)), self::line(text))));
            }
            Fact::RunAdopted { by, .. } => lines.push(line("taken up", Tone::Strong, self::line(&person(by)).into_owned())),
            Fact::StepConcluded { .. } | Fact::ConditionJudged { .. } | Fact::TimerFired { .. } | Fact::RunFinished { .. } => {}
        }
        lines.extend(self.ends(run, event, &at));
        if let Fact::RunFinished { outcome } = &event.fact {
            lines.push(end(run, outcome, &at, since, event.at));
        }
        lines
    }

    /// Steps that have ended with this event, the inner ones first.
    fn ends(&mut self, run: &Run, event: &Event, at: &str) -> Vec<Line> {
        let mut ended: Vec<StepView<'_>> = match about(&event.fact) {
            About::One(path) => ancestry(path).into_iter().filter_map(|path| run.find_step(&path)).collect(),
            About::Any => {
                let mut all: Vec<_> = run.steps().collect();
                all.sort_by_key(|step| std::cmp::Reverse(step.path().depth()));
                all
            }
            About::None => Vec::new(),
        };
        ended.retain(|step| matches!(step.standing(), Standing::Ended(_)) && !self.told.contains(step.path()));
        ended.dedup_by(|a, b| a.path() == b.path());
        let mut lines = Vec::new();
        for step in ended {
            let Standing::Ended(outcome) = step.standing() else { continue };
            self.told.insert(step.path().clone());
            let took = elapsed(between(step.began(), step.ended().unwrap_or(event.at)));
            let note = step.note().map(|n| format!(": {}", line(&n.message))).unwrap_or_default();
            let (word, tone) = outcome_word(outcome);
            let text = match outcome {
                StepOutcome::Skipped => format!("{}{note}", name(run, step.path())),
                StepOutcome::Succeeded => format!("{} ({took})", name(run, step.path())),
                _ => format!("{} ({took}){note}", name(run, step.path())),
            };
            let below =
                if outcome == StepOutcome::Failed || outcome == StepOutcome::TimedOut { detail(run, &step) } else { Vec::new() };
            lines.push(Line { at: at.to_owned(), word, tone, text, below });
        }
        lines
    }
}

/// An outcome as one word.
pub fn outcome_word(outcome: StepOutcome) -> (&'static str, Tone) {
    let tone = match outcome {
        StepOutcome::Succeeded => Tone::Good,
        StepOutcome::Failed | StepOutcome::TimedOut => Tone::Bad,
        StepOutcome::Skipped => Tone::Quiet,
        StepOutcome::Cancelled | StepOutcome::Unknown => Tone::Warning,
    };
    (ended::step_word(outcome), tone)
}

pub fn run_word(kind: OutcomeKind) -> (&'static str, Tone) {
    let tone = match kind {
        OutcomeKind::Succeeded => Tone::Good,
        OutcomeKind::Rejected | OutcomeKind::Cancelled | OutcomeKind::RolledBack => Tone::Warning,
        OutcomeKind::Failed | OutcomeKind::NeedsAttention => Tone::Bad,
    };
    (ended::run_word(kind), tone)
}

fn end(run: &Run, outcome: &Outcome, at: &str, since: Timestamp, now: Timestamp) -> Line {
    let (word, tone) = run_word(outcome.kind);
    let step = outcome.step.as_ref().map(|path| format!(" at {}", super::words::step(run, path))).unwrap_or_default();
    let message = why_ended(outcome);
    let text = format!("the run{step} ({}){message}", elapsed(between(since, now)));
    Line { at: at.to_owned(), word, tone, text, below: Vec::new() }
}

enum About<'a> {
    One(&'a StepPath),
    /// Steps anywhere may have ended.
    Any,
    None,
}

fn about(fact: &Fact) -> About<'_> {
    match fact {
        Fact::StepResolved { path, .. }
        | Fact::AttemptFinished { path, .. }
        | Fact::StepConcluded { path, .. }
        | Fact::ConditionJudged { path, .. } => About::One(path),
        Fact::Decided { .. } | Fact::TimerFired { .. } | Fact::CancelRequested { .. } | Fact::RunFinished { .. } => About::Any,
        _ => About::None,
    }
}

/// A path and those of the steps around it, the innermost first: `a[3]/b` → `a[3]/b`, `a`.
fn ancestry(path: &StepPath) -> Vec<StepPath> {
    let mut paths = vec![path.clone()];
    let mut rest = path.as_str();
    while let Some((before, _)) = rest.rsplit_once('/') {
        rest = before;
        let head = rest.rfind('/').map_or(0, |slash| slash + 1);
        let label = &rest[head..];
        let cut = label.find(['[', '.', '~']).map_or(rest.len(), |at| head + at);
        if let Ok(path) = rest[..cut].parse() {
            paths.push(path);
        }
    }
    paths
}

/// The step's number and path, and its name where it has one.
pub fn name(run: &Run, path: &StepPath) -> String {
    match run.find_step(path) {
        Some(step) if step.step().name.is_some() => format!("{}. {path} · {}", step.number(), line(&step.title())),
        _ => super::words::step(run, path),
    }
}

fn resolved(run: &Run, path: &StepPath, resolution: &Resolution) -> Option<String> {
    let name = name(run, path);
    match resolution {
        Resolution::Items { items, .. } => Some(format!("{name}: {} items", items.len())),
        Resolution::Call { .. } | Resolution::Enter => Some(name),
        Resolution::Wait { until: Some(until) } => Some(format!("{name}: until {}", super::words::when(*until))),
        Resolution::Wait { until: None } => Some(format!("{name}: until it holds")),
        _ => None,
    }
}

/// For which events the step at `path` waits.
fn awaited<'r>(run: &'r Run, path: &StepPath) -> Option<&'r EventTask> {
    match &run.find_step(path)?.work()?.task {
        Task::Event(task) => Some(task),
        _ => None,
    }
}

fn why(end: &AttemptEnd) -> String {
    match end {
        AttemptEnd::Succeeded { result } => value(result),
        AttemptEnd::Failed { failure, .. } | AttemptEnd::TimedOut { failure, .. } | AttemptEnd::Cancelled { failure, .. } => {
            line(&failure.message).into_owned()
        }
        AttemptEnd::Unknown { why } => line(why).into_owned(),
    }
}

/// Changes that were stopped before they were done: nothing takes them back, and nobody knows how far they got.
pub fn half_done(run: &Run) -> Option<String> {
    let stopped = run.steps().filter(|step| {
        let ended = matches!(step.standing(), Standing::Ended(StepOutcome::Cancelled | StepOutcome::TimedOut));
        ended && step.attempt() > 0 && step.step().effect.changes()
    });
    let paths: Vec<&str> = stopped.map(|step| step.path().as_str()).collect();
    (!paths.is_empty()).then(|| {
        let more = paths.len().saturating_sub(HALF_DONE);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named = paths[..paths.len().min(HALF_DONE)].join(", ");
        format!("{}; nothing takes that back: {named}{more}", Tone::Warning.paint("stopped before it was done, maybe half done"))
    })
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {}", line(reason)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_around_a_step() {
        for (path, around) in [
            ("a", &["a"][..]),
            ("rebuild/copy", &["rebuild/copy", "rebuild"][..]),
            ("restart[3]/stop", &["restart[3]/stop", "restart"][..]),
            ("fan.left/each-1[0]/ping", &["fan.left/each-1[0]/ping", "fan.left/each-1", "fan"][..]),
            ("drain~undo/exec-1", &["drain~undo/exec-1", "drain"][..]),
            ("~finally/notify-1", &["~finally/notify-1"][..]),
        ] {
            let found: Vec<String> = ancestry(&path.parse().unwrap()).iter().map(ToString::to_string).collect();
            assert_eq!(found, around, "{path}");
        }
    }
}
