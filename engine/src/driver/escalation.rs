//! Tells channels that people are asked: those of the escalation at once, and those of each of its steps when its turn comes. Where no
//! channel of a step took the message, the next one is asked at once. An alert that a channel shows until it is over is ended when the
//! decision is taken, and that of a `notify` when the run succeeds; the run ends after that.
//!
//! The record says that a message goes out before it does, and then what became of it. Where only the first of the two is there, because
//! whoever drove the run has died, nobody knows: it is not sent again, except where a repetition is told once, and counts as not delivered.
//! Where the record says nothing, it is sent by whoever drives the run next. The decision waits whether or not anybody was reached.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use runbook_core::effect::Effect;
use runbook_core::run::decision::Decision;
use runbook_core::run::event::{AttemptEnd, Fact, Identity, Outcome, OutcomeKind, Timer};
use runbook_core::run::task::{News, Task, Work};
use runbook_core::run::{Command, view::StepView};
use runbook_core::value::Value;
use runbook_core::{DecisionId, Run, RunId, StepPath, limits};
use tokio::task::{Id, JoinError};
use tokio_util::sync::CancellationToken;

use super::{Assignment, Driver, engine};
use crate::action::notify::knows_repetitions;
use crate::journal::{Archive, JournalError, records_to};
use crate::report::request;
use crate::session::SessionError;

/// What the driver knows of messages.
#[derive(Default)]
pub(super) struct Tidings {
    /// The last rung of each open decision whose message was seen to.
    seen: BTreeMap<DecisionId, u32>,
    /// What goes out as soon as the record says so.
    outbox: Vec<Tiding>,
    under_way: HashMap<Id, UnderWay>,
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

impl About {
    fn decision(self) -> Option<DecisionId> {
        match self {
            About::Asked { decision, .. } => Some(decision),
            About::Over => None,
        }
    }
}

/// One that is on its way.
struct UnderWay {
    title: String,
    about: About,
    stop: CancellationToken,
}

#[derive(serde::Deserialize)]
struct Note {
    by: Identity,
    text: String,
}

/// The message of one step of an escalation, as the record calls it.
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
    // Also where nobody knows: to end what is not shown does no harm.
    let shown = |name: &String| {
        let entry = step.result().get(name);
        entry.is_none_or(|entry| [entry.get("delivered"), entry.get("unknown")].contains(&Some(&Value::Bool(true))))
    };
    if step.attempt() == 0 {
        return Vec::new();
    }
    alerting(run, &to.iter().filter(|name| shown(name)).cloned().collect::<Vec<_>>())
}

/// Whether anything about this run may have been told, or is to be.
fn may_tell(run: &Run) -> bool {
    let tells = |asked: &Arc<Decision>| (0..=asked.rung).any(|rung| !run.told_by(asked, rung).is_empty());
    run.decisions().iter().any(tells) || run.steps().any(|step| !alert_of(run, &step).is_empty())
}

/// Whether people were to be told of a decision, and it is not known that they were, or that they were not: somebody has to see to it.
pub fn owes_messages(journal: &dyn Archive, id: &RunId, run: &Run) -> Result<bool, JournalError> {
    Ok(may_tell(run) && !Said::of(journal, id, run.seq())?.owed(run).is_empty())
}

/// What the record says of messages: their titles.
#[derive(Default)]
struct Said {
    /// They were about to go out.
    begun: BTreeSet<String>,
    /// It is known what became of them, or that nobody will know.
    settled: BTreeSet<String>,
}

/// A message that somebody has to see to.
struct Owed {
    decision: DecisionId,
    rung: u32,
    /// It was about to go out, and whoever sent it has died.
    is_lost: bool,
}

impl Said {
    fn of(journal: &dyn Archive, id: &RunId, last: u64) -> Result<Said, JournalError> {
        let mut said = Said::default();
        for record in records_to(journal, id, last) {
            let record = record?;
            if record.kind == "note_added"
                && let Ok(Note { by, text }) = serde_json::from_str(&record.body)
                && by == engine()
            {
                match (text.find(ON_ITS_WAY), text.find(':')) {
                    (Some(end), colon) if colon.is_none_or(|colon| end < colon) => {
                        said.begun.extend(text.get(..end).map(str::to_owned))
                    }
                    (_, Some(end)) => said.settled.extend(text.get(..end).map(str::to_owned)),
                    _ => {}
                }
            }
        }
        Ok(said)
    }

    fn was_told(&self, asked: &Decision) -> bool {
        (0..=asked.rung).map(|rung| title(asked, rung)).any(|title| self.begun.contains(&title) || self.settled.contains(&title))
    }

    /// Of a decision that is no longer open, only what is lost: nobody needs to be told of it any more.
    fn owed(&self, run: &Run) -> Vec<Owed> {
        let mut owed = Vec::new();
        for asked in run.decisions() {
            for rung in (0..=asked.rung).filter(|rung| !run.told_by(asked, *rung).is_empty()) {
                let title = title(asked, rung);
                let is_lost = self.begun.contains(&title);
                if !self.settled.contains(&title) && (is_lost || asked.is_open()) {
                    owed.push(Owed { decision: asked.id, rung, is_lost });
                }
            }
        }
        owed
    }
}

impl Driver<'_> {
    /// Looks up in the record what was told, and sees to what was not.
    pub(super) fn tell_those_not_told(&mut self) -> Result<(), SessionError> {
        let run = self.session.run();
        let open = run.decisions().iter().filter(|asked| asked.is_open());
        self.tidings.seen.extend(open.map(|asked| (asked.id, asked.rung)));
        if !may_tell(run) {
            return Ok(());
        }
        let said = Said::of(&**self.session.journal(), self.session.id(), run.seq())?;
        let alerted = run.decisions().iter().filter(|asked| said.was_told(asked) && !alerted(run, asked).is_empty());
        self.tidings.alerts.extend(alerted.map(|asked| asked.id));
        self.tidings.over.extend(said.settled.iter().filter(|title| title.starts_with("end of ")).cloned());
        let owed = said.owed(run);
        for Owed { decision, rung, is_lost } in owed {
            match is_lost {
                true => self.tell_those_in_doubt(decision, rung)?,
                false => {
                    let untold = self.session.run().decision(decision).map(|asked| self.request_of(asked, rung));
                    self.tidings.outbox.extend(untold);
                }
            }
        }
        Ok(())
    }

    /// Sends what is to be told, each message after the record says so.
    pub(super) async fn send_tidings(&mut self) -> Result<(), SessionError> {
        self.tell_those_asked();
        self.end_alerts()?;
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

    /// People are asked: whoever is asked since the last look is told, each by the channels of their own step.
    fn tell_those_asked(&mut self) {
        let run = self.session.run();
        let mut untold = Vec::new();
        for asked in run.decisions().iter().filter(|asked| asked.is_open()) {
            let first = self.tidings.seen.get(&asked.id).map_or(0, |seen| seen + 1);
            for rung in (first..=asked.rung).filter(|rung| !run.told_by(asked, *rung).is_empty()) {
                untold.push(self.request_of(asked, rung));
            }
            if first <= asked.rung {
                self.tidings.seen.insert(asked.id, asked.rung);
            }
        }
        self.tidings.outbox.extend(untold);
    }

    /// Another process was about to tell them, and has died. Of what is over by now nobody is told.
    fn tell_those_in_doubt(&mut self, decision: DecisionId, rung: u32) -> Result<(), SessionError> {
        let run = self.session.run();
        let Some(asked) = run.decision(decision) else { return Ok(()) };
        let mut tiding = self.request_of(asked, rung);
        let again = if asked.is_open() { alerting(run, &tiding.channels) } else { Vec::new() };
        tiding.in_doubt = tiding.channels.iter().filter(|name| !again.contains(name)).cloned().collect();
        tiding.channels = again;
        if tiding.channels.is_empty() {
            return self.stays_in_doubt(&tiding);
        }
        self.tidings.outbox.push(tiding);
        Ok(())
    }

    fn stays_in_doubt(&mut self, tiding: &Tiding) -> Result<(), SessionError> {
        let all: Vec<String> = tiding.in_doubt.iter().chain(&tiding.channels).cloned().collect();
        self.settled(&tiding.title, tiding.about, false, &doubt(&all))
    }

    /// What those are told whom a rung asks.
    fn request_of(&self, asked: &Decision, rung: u32) -> Tiding {
        let (run, id) = (self.session.run(), self.session.id());
        let main = run.plan().main();
        let until = asked.deadline.map(|until| until.strftime(", until %Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
        let waits = match run.rung(asked, rung) {
            Some(one) => {
                let who = now_asked(&one.to, asked).join(", ");
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
            title: title(asked, rung),
            about: About::Asked { decision: asked.id, rung },
            path: place(asked.id),
            attempt: rung,
            channels: run.told_by(asked, rung).to_vec(),
            subject: format!("{} waits for a decision", main.name),
            message,
            in_doubt: Vec::new(),
        }
    }

    /// Of decisions that are no longer open, nobody needs to be told any more. What a channel shows of one is over once nothing about it
    /// is on its way: a trigger that came behind the end would begin a new alert.
    fn end_alerts(&mut self) -> Result<(), SessionError> {
        let run = self.session.run();
        let Tidings { outbox, under_way, alerts, over, .. } = &mut self.tidings;
        let closed = |id: DecisionId| run.decision(id).filter(|asked| !asked.is_open());
        let is_late = |tiding: &mut Tiding| tiding.about.decision().is_some_and(|id| closed(id).is_some());
        let late: Vec<Tiding> = outbox.extract_if(.., is_late).collect();
        for message in under_way.values() {
            if message.about.decision().is_some_and(|id| closed(id).is_some()) {
                message.stop.cancel();
            }
        }
        alerts.retain(|id| {
            let Some(asked) = closed(*id) else { return true };
            if under_way.values().any(|message| message.about.decision() == Some(*id)) {
                return true;
            }
            let title = title_of_end(*id);
            if over.insert(title.clone()) {
                outbox.push(end(title, place(*id), asked.rung + 1, alerted(run, asked)));
            }
            false
        });
        late.iter().filter(|tiding| !tiding.in_doubt.is_empty()).try_for_each(|tiding| self.stays_in_doubt(tiding))
    }

    /// Keeps the end of the run back until all of it is told: true where something is under way.
    pub(super) fn tells_before(&mut self, outcome: &Outcome) -> Result<bool, SessionError> {
        self.end_alerts()?;
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
        Ok(tells)
    }

    fn send(&mut self, tiding: Tiding) {
        let Tiding { title, about, path, attempt, channels, subject, message, in_doubt } = tiding;
        let run = self.session.run();
        let stop = CancellationToken::new();
        let news = if about == About::Over { News::Over } else { News::New };
        if let Some(decision) = about.decision()
            && run.decision(decision).is_some_and(|asked| !alerted(run, asked).is_empty())
        {
            self.tidings.alerts.insert(decision);
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
            stop: stop.clone(),
            hold: self.session.right_to_act(),
        };
        let performer = self.world.performer.clone();
        let message = self.messages.spawn(async move {
            let (reached, mut text) = fate(performer.perform(assignment).await, &channels);
            if !in_doubt.is_empty() {
                text = format!("{text}; {}", doubt(&in_doubt));
            }
            (reached, text)
        });
        self.tidings.under_way.insert(message.id(), UnderWay { title, about, stop });
    }

    /// A message has arrived, or has not.
    pub(super) fn told(&mut self, told: Result<(Id, (bool, String)), JoinError>) -> Result<(), SessionError> {
        let (id, reached, text) = match told {
            Ok((id, (reached, text))) => (id, reached, text),
            Err(error) => (error.id(), false, "nobody knows whether it arrived: the engine lost it".to_owned()),
        };
        if let Some(UnderWay { title, about, .. }) = self.tidings.under_way.remove(&id) {
            self.settled(&title, about, reached, &text)?;
        }
        if self.messages.is_empty() && self.tidings.outbox.is_empty() {
            self.queue.extend(self.tidings.finish.take());
        }
        Ok(())
    }

    /// It is known what became of a message, or that nobody will know.
    fn settled(&mut self, title: &str, about: About, reached: bool, text: &str) -> Result<(), SessionError> {
        // What a receiver says has no bound that is ours.
        let text: String = text.chars().take(limits::OUTCOME_CHARS).collect();
        let why = format!("{title}: {text}");
        self.record(Fact::NoteAdded { by: engine(), text: why.clone() })?;
        match about {
            About::Asked { decision, rung } if !reached => self.ask_the_next(decision, rung, why),
            _ => Ok(()),
        }
    }

    /// Nobody of those asked could be told: the next are asked before the time of these is over, where there are any, and nobody is at it.
    fn ask_the_next(&mut self, decision: DecisionId, rung: u32, why: String) -> Result<(), SessionError> {
        let run = self.session.run();
        let is_next = run.decision(decision).is_some_and(|asked| {
            asked.acknowledged.is_none()
                && asked.rung == rung
                && asked.deadline.is_some()
                && asked.is_open()
                && run.next_rung(asked).is_some()
        });
        if !is_next {
            return Ok(());
        }
        let timer = Timer::Decision { decision, rung };
        self.record(Fact::TimerFired { timer, on_call: BTreeMap::new(), unreached: Some(why) })
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
