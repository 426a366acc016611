//! Tells channels that people are asked: those of the escalation at once, and those of each of its steps when its turn comes. Where no
//! channel of a step took the message, the next one is asked at once. An alert that a channel shows until it is over is ended when the
//! decision is taken, and that of a `notify` when the run succeeds; the run ends after that.
//!
//! The record says that a message goes out before it does, and then what became of it. Where only the first of the two is there, because
//! whoever drove the run has died, nobody knows: it is not sent again, except where a repetition is told once, and counts as not delivered.
//! Where the record says nothing, it is sent by whoever drives the run next. The decision waits whether or not anybody was reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runbook_core::effect::Effect;
use runbook_core::run::decision::Decision;
use runbook_core::run::event::{AttemptEnd, Fact, Identity, Outcome, OutcomeKind, Timer};
use runbook_core::run::task::{News, Task, Work};
use runbook_core::run::{Command, view::StepView};
use runbook_core::value::Value;
use runbook_core::{DecisionId, Run, StepPath, limits};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use super::{Assignment, Driver, engine};
use crate::action::notify::knows_repetitions;
use crate::journal::records_to;
use crate::report::request;
use crate::session::SessionError;

/// What the driver knows of messages.
#[derive(Default)]
pub(super) struct Tidings {
    /// Questions that may have to be told.
    pub untold: Vec<DecisionId>,
    /// What goes out as soon as the record says so.
    outbox: Vec<Tiding>,
    /// To stop a message once nobody needs it.
    stops: BTreeMap<DecisionId, CancellationToken>,
    /// Decisions of which a channel shows an alert.
    alerts: BTreeSet<DecisionId>,
    /// What is over and was said to be: titles.
    over: BTreeSet<String>,
    /// The end of the run, until all of it is told.
    finish: Option<Command>,
}

/// One message to channels.
struct Tiding {
    title: String,
    about: About,
    path: StepPath,
    attempt: u32,
    channels: Vec<String>,
    subject: String,
    message: String,
    /// Channels of which nobody knows whether they were told by another process.
    in_doubt: Vec<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum About {
    /// People are asked, by this rung.
    Asked { decision: DecisionId, rung: u32 },
    /// What was told is over.
    Over,
}

/// What became of one.
pub(super) struct Told {
    title: String,
    about: About,
    text: String,
    reached: bool,
}

#[derive(serde::Deserialize)]
struct Note {
    by: Identity,
    text: String,
}

/// The message of the present step of an escalation, as the record calls it.
fn title(asked: &Decision, rung: u32) -> String {
    match rung {
        0 => format!("request of decision {}", asked.id),
        rung => format!("escalation {rung} of decision {}", asked.id),
    }
}

fn title_of_end(id: DecisionId) -> String {
    format!("end of decision {id}")
}

/// What stands behind the title of a message that is about to go out; a colon, once it is known what became of it.
const ON_ITS_WAY: &str = " is on its way to ";

fn place(decision: DecisionId) -> StepPath {
    StepPath::within("", &format!("~escalation/{decision}"))
}

/// Whom a step of an escalation asks, each rotation with who is on call.
fn now_asked(to: &[String], asked: &Decision) -> Vec<String> {
    let one = |name: &String| match asked.on_call.get(name).map(|people| people.join(", ")) {
        Some(people) if !people.is_empty() => format!("{people} (on call in {name})"),
        _ => name.clone(),
    };
    to.iter().map(one).collect()
}

/// Those of the channels that show an alert until it is over.
fn alerting(run: &Run, channels: &[String]) -> Vec<String> {
    let known = &run.plan().policy.channels;
    let lasting = |name: &&String| known.get(*name).is_some_and(|spec| knows_repetitions(&spec.channel));
    channels.iter().filter(lasting).cloned().collect()
}

/// The same of all that tell of a decision.
fn alerted(run: &Run, asked: &Decision) -> Vec<String> {
    let rungs = run.rungs(asked).take(asked.rung as usize).flat_map(|(rung, _)| &rung.channels);
    let mut all: Vec<String> = run.told_first(asked).iter().chain(rungs).cloned().collect();
    all.sort();
    all.dedup();
    alerting(run, &all)
}

/// The channels of a `notify` that show an alert of it.
fn alert_of(run: &Run, step: &StepView<'_>) -> Vec<String> {
    let Some(Task::Notify { to, .. }) = step.work().map(|work| &work.task) else { return Vec::new() };
    let shown = |name: &String| {
        let entry = step.result().get(name);
        entry.is_some_and(|entry| [entry.get("delivered"), entry.get("unknown")].contains(&Some(&Value::Bool(true))))
    };
    alerting(run, &to.iter().filter(|name| shown(name)).cloned().collect::<Vec<_>>())
}

impl Driver<'_> {
    /// Looks up in the record what was told, and sees to what was not.
    pub(super) fn tell_those_not_told(&mut self) -> Result<(), SessionError> {
        let run = self.session.run();
        let concerned = |asked: &&Arc<Decision>| match asked.is_open() {
            true => !run.told_now(asked).is_empty(),
            false => !alerted(run, asked).is_empty(),
        };
        let asked: Vec<Arc<Decision>> = run.decisions().iter().filter(concerned).cloned().collect();
        if asked.is_empty() && run.steps().all(|step| alert_of(run, &step).is_empty()) {
            return Ok(());
        }
        let mut notes: Vec<String> = Vec::new();
        for record in records_to(&**self.session.journal(), self.session.id(), run.seq()) {
            let record = record?;
            if record.kind == "note_added"
                && let Ok(Note { by, text }) = serde_json::from_str(&record.body)
                && by == engine()
            {
                notes.push(text);
            }
        }
        let says =
            |title: &str, then: &str| notes.iter().any(|note| note.strip_prefix(title).is_some_and(|rest| rest.starts_with(then)));
        let mut lost = Vec::new();
        for asked in asked {
            let was_sent = |rung: u32| says(&title(&asked, rung), ON_ITS_WAY) || says(&title(&asked, rung), ":");
            if (0..=asked.rung).any(was_sent) && !alerted(run, &asked).is_empty() {
                self.tidings.alerts.insert(asked.id);
            }
            let title = title(&asked, asked.rung);
            match asked.is_open() {
                true if says(&title, ":") => {}
                true if says(&title, ON_ITS_WAY) => lost.push(asked.id),
                true => self.tidings.untold.push(asked.id),
                false => {}
            }
        }
        let ends = notes.iter().filter_map(|note| note.split_once(':')).map(|(title, _)| title);
        self.tidings.over.extend(ends.filter(|title| title.starts_with("end of ")).map(str::to_owned));
        for decision in lost {
            self.tell_those_in_doubt(decision)?;
        }
        Ok(())
    }

    /// Sends what is to be told, each message after the record says so.
    pub(super) async fn send_tidings(&mut self) -> Result<(), SessionError> {
        for decision in std::mem::take(&mut self.tidings.untold) {
            self.tell_those_asked_now(decision)?;
        }
        self.end_alerts();
        if self.tidings.outbox.is_empty() {
            return Ok(());
        }
        let outbox = std::mem::take(&mut self.tidings.outbox);
        for tiding in outbox.iter().filter(|tiding| tiding.about != About::Over) {
            let text = format!("{}{ON_ITS_WAY}{}", tiding.title, tiding.channels.join(", "));
            self.record(Fact::NoteAdded { by: engine(), text })?;
        }
        self.rest().await?;
        self.session.hold().await?;
        outbox.into_iter().for_each(|tiding| self.send(tiding));
        Ok(())
    }

    /// People are asked: where the decision is still open, those are told whose turn it is.
    fn tell_those_asked_now(&mut self, decision: DecisionId) -> Result<(), SessionError> {
        let run = self.session.run();
        let Some(asked) = run.decision(decision).filter(|asked| asked.is_open()) else { return Ok(()) };
        let channels = run.told_now(asked).to_vec();
        if !channels.is_empty() {
            let tiding = self.request_of(asked, channels, Vec::new());
            self.tidings.outbox.push(tiding);
        }
        Ok(())
    }

    /// Another process was about to tell them, and has died.
    fn tell_those_in_doubt(&mut self, decision: DecisionId) -> Result<(), SessionError> {
        let run = self.session.run();
        let Some(asked) = run.decision(decision) else { return Ok(()) };
        let channels = run.told_now(asked);
        let again = alerting(run, channels);
        let in_doubt: Vec<String> = channels.iter().filter(|name| !again.contains(name)).cloned().collect();
        let tiding = self.request_of(asked, again, in_doubt);
        if tiding.channels.is_empty() {
            let Tiding { title, about, in_doubt, .. } = tiding;
            return self.told(Ok(Told { title, about, text: doubt(&in_doubt), reached: false }));
        }
        self.tidings.outbox.push(tiding);
        Ok(())
    }

    fn request_of(&self, asked: &Decision, channels: Vec<String>, in_doubt: Vec<String>) -> Tiding {
        let (run, id) = (self.session.run(), self.session.id());
        let main = run.plan().main();
        let until = asked.deadline.map(|until| until.strftime(", until %Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
        let waits = match run.present_rung(asked) {
            Some(rung) => {
                let who = now_asked(&rung.to, asked).join(", ");
                format!("waits for a decision, and nobody answered in time. {who} may decide now{until}.")
            }
            None => format!("waits for a decision: {} may decide{until}.", request::may_decide(asked)),
        };
        let message = format!(
            "{} {} (run {id}) {waits}\n\n{}\n\nrunbook decisions {id}",
            main.name,
            main.version,
            asked.request.question.trim()
        );
        Tiding {
            title: title(asked, asked.rung),
            about: About::Asked { decision: asked.id, rung: asked.rung },
            path: place(asked.id),
            attempt: asked.rung,
            channels,
            subject: format!("{} waits for a decision", main.name),
            message,
            in_doubt,
        }
    }

    /// Of decisions that are no longer open, nobody needs to be told any more.
    fn end_alerts(&mut self) {
        let run = self.session.run();
        let Tidings { outbox, stops, alerts, over, .. } = &mut self.tidings;
        stops.retain(|id, stop| {
            let is_open = run.decision(*id).is_some_and(|asked| asked.is_open());
            if !is_open {
                stop.cancel();
            }
            is_open
        });
        alerts.retain(|id| {
            let Some(asked) = run.decision(*id).filter(|asked| !asked.is_open()) else { return true };
            let title = title_of_end(*id);
            if over.insert(title.clone()) {
                outbox.push(end(title, place(*id), asked.rung + 1, alerted(run, asked)));
            }
            false
        });
    }

    /// Keeps the end of the run back until all of it is told: true where something is under way.
    pub(super) fn tells_before(&mut self, outcome: &Outcome) -> bool {
        self.end_alerts();
        let run = self.session.run();
        if outcome.kind == OutcomeKind::Succeeded {
            for step in run.steps() {
                let title = format!("end of alert of {}", step.path());
                let channels = alert_of(run, &step);
                if !channels.is_empty() && self.tidings.over.insert(title.clone()) {
                    self.tidings.outbox.push(end(title, step.path().clone(), step.attempt() + 1, channels));
                }
            }
        }
        let tells = !self.tidings.outbox.is_empty() || !self.messages.is_empty();
        if tells {
            self.tidings.finish = Some(Command::Finish { outcome: outcome.clone() });
        }
        tells
    }

    fn send(&mut self, tiding: Tiding) {
        let Tiding { title, about, path, attempt, channels, subject, message, in_doubt } = tiding;
        let run = self.session.run();
        let stop = CancellationToken::new();
        let news = if about == About::Over { News::Over } else { News::New };
        if let About::Asked { decision, .. } = about {
            self.tidings.stops.insert(decision, stop.clone());
            if run.decision(decision).is_some_and(|asked| !alerted(run, asked).is_empty()) {
                self.tidings.alerts.insert(decision);
            }
        }
        let work = Work {
            title: title.clone(),
            task: Task::Notify { to: channels.clone(), subject, message, news },
            effect: Effect::Change,
            env: BTreeMap::new(),
            dir: None,
            timeout: limits::DELIVERY_TIME,
        };
        let assignment = Assignment {
            run: self.session.id().clone(),
            path,
            attempt,
            work: Arc::new(work),
            before: Value::Null,
            plan: run.plan().clone(),
            by_event: false,
            requested_by: run.start().map(|s| s.requested_by.person.clone()).unwrap_or_default(),
            stop,
            hold: self.session.right_to_act(),
        };
        let performer = self.world.performer.clone();
        self.messages.spawn(async move {
            let (reached, mut text) = fate(performer.perform(assignment).await, &channels);
            if !in_doubt.is_empty() {
                text = format!("{text}; {}", doubt(&in_doubt));
            }
            Told { title, about, text, reached }
        });
    }

    /// A message has arrived, or has not.
    pub(super) fn told(&mut self, told: Result<Told, JoinError>) -> Result<(), SessionError> {
        let noted = |text| Fact::NoteAdded { by: engine(), text };
        match told {
            Err(error) => self.record(noted(format!("a message of an escalation was lost: {error}")))?,
            Ok(Told { title, about, text, reached }) => {
                let why = format!("{title}: {text}");
                self.record(noted(why.clone()))?;
                if let About::Asked { decision, rung } = about
                    && !reached
                {
                    self.ask_the_next(decision, rung, why)?;
                }
            }
        }
        if self.messages.is_empty() && self.tidings.outbox.is_empty() {
            self.queue.extend(self.tidings.finish.take());
        }
        Ok(())
    }

    /// Nobody of those asked could be told: the next are asked before the time of these is over, where there are any.
    fn ask_the_next(&mut self, decision: DecisionId, rung: u32, why: String) -> Result<(), SessionError> {
        let run = self.session.run();
        let is_next = run.decision(decision).is_some_and(|asked| {
            asked.is_open() && asked.rung == rung && run.next_rung(asked).is_some() && asked.deadline.is_some()
        });
        if !is_next {
            return Ok(());
        }
        let timer = Timer::Decision { decision, rung };
        self.record(Fact::TimerFired { timer, on_call: BTreeMap::new(), unreached: Some(why) })?;
        self.tidings.untold.push(decision);
        Ok(())
    }
}

fn end(title: String, path: StepPath, attempt: u32, channels: Vec<String>) -> Tiding {
    let (subject, message, in_doubt) = (String::new(), String::new(), Vec::new());
    Tiding { title, about: About::Over, path, attempt, channels, subject, message, in_doubt }
}

fn doubt(channels: &[String]) -> String {
    format!(
        "nobody knows whether it arrived at {}: the engine stopped while it was on its way, and it is not sent twice",
        channels.join(", ")
    )
}

/// Whether anybody was reached, and what the record says of it.
fn fate(end: AttemptEnd, channels: &[String]) -> (bool, String) {
    match end {
        AttemptEnd::Succeeded { .. } => (true, format!("told {}", channels.join(", "))),
        AttemptEnd::Failed { failure, result }
        | AttemptEnd::TimedOut { failure, result }
        | AttemptEnd::Cancelled { failure, result } => {
            let took = |name: &&String| result.get(name).and_then(|entry| entry.get("delivered")) == Some(&Value::Bool(true));
            let told: Vec<&str> = channels.iter().filter(took).map(String::as_str).collect();
            match told.is_empty() {
                true => (false, failure.message),
                false => (true, format!("told {}; {}", told.join(", "), failure.message)),
            }
        }
        AttemptEnd::Unknown { why } => (false, format!("nobody knows whether it arrived: {why}")),
    }
}
