//! The time line: what happened when, one line for each thing that people want to know, and how long nothing did.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::plan::Verb;
use runbook_core::run::event::{AttemptEnd, Event, Fact, StepOutcome, Timer};
use runbook_core::run::task::Task;
use runbook_core::run::view::{Standing, StepView};
use runbook_core::value::Value;
use runbook_core::{DecisionId, Run, StepPath, limits};

use super::{Line, code, member, person, step, text};
use crate::report::ended::{run_word, step_word, why_ended};
use crate::report::prose::{Piece, message};
use crate::report::request;
use crate::words::{between, elapsed, stopwatch};

/// From how long on a time in which nothing is told is told as one.
const IDLE: Duration = Duration::from_secs(60);

/// Takes in the events of a run, each with the run as it stood after it.
#[derive(Debug, Default)]
pub struct Teller {
    started: Option<Timestamp>,
    first: Vec<Moment>,
    /// Of a long story the last ones.
    last: VecDeque<Moment>,
    hidden: u64,
    told: HashSet<StepPath>,
    open: BTreeSet<DecisionId>,
    asked_since: Option<Timestamp>,
    waited: Duration,
}

#[derive(Debug)]
struct Moment {
    at: Timestamp,
    /// Whether people were asked until then.
    asking: bool,
    what: Line,
}

impl Teller {
    pub fn event(&mut self, run: &Run, event: &Event) {
        self.started = self.started.or(run.started_at());
        let asking = !self.open.is_empty();
        self.count(run, event);
        for what in self.lines(run, event) {
            self.tell(Moment { at: event.at, asking, what });
        }
    }

    /// How long anybody was asked, all questions together.
    pub(super) fn waited(&self) -> Duration {
        self.waited
    }

    fn tell(&mut self, moment: Moment) {
        if self.first.len() < limits::ACCOUNT_MOMENTS {
            return self.first.push(moment);
        }
        self.last.push_back(moment);
        if self.last.len() > limits::ACCOUNT_MOMENTS {
            self.last.pop_front();
            self.hidden += 1;
        }
    }

    /// Keeps count of the questions that are open.
    fn count(&mut self, run: &Run, event: &Event) {
        if let Fact::DecisionRequested { decision, .. } = &event.fact {
            self.open.insert(*decision);
        }
        self.open.retain(|id| run.decision(*id).is_some_and(|decision| decision.is_open()));
        match (self.open.is_empty(), self.asked_since) {
            (false, None) => self.asked_since = Some(event.at),
            (true, Some(since)) => {
                self.waited += between(since, event.at);
                self.asked_since = None;
            }
            _ => {}
        }
    }

    fn lines(&mut self, run: &Run, event: &Event) -> Vec<Line> {
        let because = |reason: &str| if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let mut lines: Vec<Line> = Vec::new();
        match &event.fact {
            Fact::RunStarted(started) => {
                if let Some(event) = &started.event {
                    let mut line = vec![text(format!("The event {} of {} (", member(event, "type"), started.requested_by.person))];
                    line.extend([code(member(event, "key")), text(format!(", {})", member(event, "status")))]);
                    line.push(text(happened(event)));
                    lines.push(line);
                }
                let place = started.environment.as_ref().map(|environment| format!(" in {environment}")).unwrap_or_default();
                let by =
                    if started.event.is_some() { String::new() } else { format!(" by {}", person(run, &started.requested_by)) };
                let what = code(format!("{} {}", started.procedure, started.version));
                lines.push(vec![what, text(format!(" is started{place}{by}"))]);
            }
            Fact::LockTaken { lock } => lines.push(vec![text("It holds the lock "), code(lock)]),
            Fact::AttemptFinished { path, end, .. } => lines.extend(tried(run, event, path, end)),
            Fact::DecisionRequested { decision, path, .. } => {
                let Some(asked) = run.decision(*decision) else { return lines };
                let mut line = path.as_ref().map(|path| step(run, path)).unwrap_or_else(|| vec![text("The run")]);
                let mut question = asked.request.question.trim().lines();
                let first = question.next().unwrap_or_default();
                let more = if question.next().is_some() { " …" } else { "" };
                let within =
                    asked.deadline.map(|until| format!(" within {}", elapsed(between(event.at, until)))).unwrap_or_default();
                line.push(text(format!(" asks {}{within}: {first}{more}", request::may_decide(asked))));
                lines.push(line);
            }
            Fact::Decided { decision, vote } => {
                let place = run.decision(*decision).and_then(|asked| asked.path.as_ref()).map(|path| step(run, path));
                let mut line = vec![text(format!("{}: ", person(run, &vote.by))), Piece::Strong(vote.choice.name().to_owned())];
                line.push(text(", to "));
                line.extend(place.unwrap_or_else(|| vec![text("the run")]));
                line.push(text(because(vote.reason.as_deref().unwrap_or_default())));
                lines.push(line);
            }
            Fact::DecisionVoided { reason, .. } => lines.push(vec![text(format!("The question is void: {reason}"))]),
            Fact::Acknowledged { decision, by, to, reason, .. } => {
                let Some(asked) = run.decision(*decision) else { return lines };
                let over = to.as_ref().map(|to| format!(", handed over to {to}")).unwrap_or_default();
                let until = asked.deadline.map(|until| format!("; others are asked in {}", elapsed(between(event.at, until))));
                lines.push(vec![text(format!(
                    "{} is at it{over}{}{}",
                    person(run, by),
                    until.unwrap_or_default(),
                    because(reason)
                ))]);
            }
            Fact::TimerFired { timer: Timer::Decision { decision, .. }, unreached, .. } => {
                let Some(asked) = run.decision(*decision) else { return lines };
                let why = if unreached.is_some() { "Nobody could be told" } else { "Nobody has answered" };
                lines.push(vec![match asked.is_open() {
                    true => text(format!("{why}; now {} are asked", request::named(&asked.asked, &asked.on_call).join(", "))),
                    false => text("Nobody has answered in time"),
                }]);
            }
            Fact::TimerFired { timer: Timer::Run, .. } => lines.push(vec![text("The time of the run is over")]),
            Fact::CancelRequested { by, undo, reason } => {
                let how = if *undo { " and wants what was changed taken back" } else { "" };
                lines.push(vec![text(format!("{} cancels it{how}{}", person(run, by), because(reason)))]);
            }
            Fact::PauseRequested { by, reason } => {
                lines.push(vec![text(format!("{} pauses it{}", person(run, by), because(reason)))])
            }
            Fact::ResumeRequested { by } => lines.push(vec![text(format!("{} lets it go on", person(run, by)))]),
            Fact::UndoRequested { by, reason } => {
                lines.push(vec![text(format!("{} takes its changes back{}", person(run, by), because(reason)))]);
            }
            Fact::NoteAdded { by, text: note } => lines.push(vec![text(format!("{} notes: {note}", person(run, by)))]),
            Fact::RunAdopted { by, .. } => lines.push(vec![text(format!("{} takes it up", person(run, by)))]),
            Fact::StepResolved { .. }
            | Fact::AttemptStarted { .. }
            | Fact::StepConcluded { .. }
            | Fact::ConditionJudged { .. }
            | Fact::TimerFired { .. }
            | Fact::RunFinished { .. } => {}
        }
        for view in run.just_ended() {
            if self.told.insert(view.path().clone()) {
                lines.extend(ended(run, &view, event.at));
            }
        }
        if let Fact::RunFinished { outcome } = &event.fact {
            let why = why_ended(outcome);
            let mut line = vec![text("The run ends "), Piece::Strong(run_word(outcome.kind).to_owned())];
            line.extend(message(&why));
            lines.push(line);
        }
        lines
    }

    /// The rows of its table.
    pub(super) fn rows(&self) -> Vec<Vec<Line>> {
        let mut rows = Vec::new();
        let mut before: Option<Timestamp> = None;
        let from = self.started;
        let mut add = |rows: &mut Vec<Vec<Line>>, moment: &Moment| {
            let since = before.map(|before| between(before, moment.at)).unwrap_or_default();
            if since >= IDLE {
                let why = if moment.asking { "waits for people" } else { "nothing to tell" };
                rows.push(vec![Line::new(), Line::new(), vec![text(format!("({}, {why})", elapsed(since)))]]);
            }
            before = Some(moment.at);
            let after = from.map(|from| stopwatch(between(from, moment.at))).unwrap_or_default();
            let at = moment.at.strftime("%m-%d %H:%M:%S").to_string();
            rows.push(vec![vec![text(at)], vec![text(after)], moment.what.clone()]);
        };
        self.first.iter().for_each(|moment| add(&mut rows, moment));
        if self.hidden > 0 {
            rows.push(vec![Line::new(), Line::new(), vec![text(format!("({} more, which `runbook show` has)", self.hidden))]]);
        }
        self.last.iter().for_each(|moment| add(&mut rows, moment));
        rows
    }
}

/// When the sender says that it happened.
fn happened(event: &Value) -> String {
    match event.get("time") {
        Some(Value::Time(time)) => format!(" of {} arrives", time.strftime("%Y-%m-%d %H:%M:%S UTC")),
        _ => " arrives".to_owned(),
    }
}

/// What an attempt came to that does not end its step.
fn tried(run: &Run, event: &Event, path: &StepPath, end: &AttemptEnd) -> Option<Line> {
    let (failure, then) = match (end, run.find_step(path)?.standing()) {
        (AttemptEnd::Failed { failure, .. } | AttemptEnd::TimedOut { failure, .. }, Standing::Retrying(until)) => {
            (&failure.message, format!("; it is tried again in {}", elapsed(between(event.at, until))))
        }
        (AttemptEnd::Unknown { why }, standing) if !matches!(standing, Standing::Ended(_)) => {
            let mut line = vec![text("Nobody knows how ")];
            line.extend(step(run, path));
            line.push(text(" ended: "));
            line.extend(message(why));
            return Some(line);
        }
        _ => return None,
    };
    let mut line = step(run, path);
    line.push(text(" failed: "));
    line.extend(message(failure));
    line.push(text(then));
    Some(line)
}

/// How a step has ended. What only arranges others, or works with values, is told where it did not succeed by itself.
fn ended(run: &Run, view: &StepView<'_>, at: Timestamp) -> Option<Line> {
    let Standing::Ended(outcome) = view.standing() else { return None };
    let verb = &view.step().verb;
    let quiet = verb.is_container() || matches!(verb, Verb::Set(_) | Verb::Finish { .. } | Verb::Approve(_) | Verb::Ask(_));
    match outcome {
        StepOutcome::Succeeded if quiet => return None,
        // What is in it says so.
        StepOutcome::Failed | StepOutcome::Cancelled | StepOutcome::Unknown if verb.is_container() => return None,
        _ => {}
    }
    let mut line = step(run, view.path());
    let took = elapsed(between(view.began(), view.ended().unwrap_or(at)));
    let tries = if view.attempt() > 1 { format!(", attempt {}", view.attempt()) } else { String::new() };
    let note = view.note().map(|note| format!(": {}", note.message)).unwrap_or_default();
    line.extend(message(&match outcome {
        StepOutcome::Succeeded if verb.acts() => format!(" {} in {took}{tries}", step_word(outcome)),
        StepOutcome::Succeeded => format!(" {}", step_word(outcome)),
        StepOutcome::Skipped => format!(" is skipped{note}"),
        StepOutcome::Unknown => format!(" is left {}{note}", step_word(outcome)),
        StepOutcome::TimedOut | StepOutcome::Failed | StepOutcome::Cancelled => {
            let word = if outcome == StepOutcome::Cancelled { "was cancelled" } else { step_word(outcome) };
            format!(" {word} after {took}{tries}{note}")
        }
    }));
    let told = view.work().filter(|_| outcome == StepOutcome::Succeeded).map(|work| &work.task);
    if let Some(Task::Notify { to, message: told, .. }) = told {
        line.push(text(format!(", and told {}: {}", to.join(", "), told.trim().lines().next().unwrap_or_default())));
    }
    Some(line)
}
