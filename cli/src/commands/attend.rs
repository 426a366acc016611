//! A run driven from this process, with a person at the terminal or without: questions are put where they come up, Ctrl-C
//! drains and asks, a terminal that closes parks the run.
//!
//! Without a terminal nothing is asked: the driver stops where only people can go on. Whatever a person says goes to the
//! run as a message and is judged there; nothing here decides.

pub mod afar;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runbook_core::run::decision::{Decision, Standing};
use runbook_core::run::event::Identity;
use runbook_core::run::{Command, Event, Run};
use runbook_core::{DecisionId, RunId, limits};
use runbook_engine::driver::local::LocalPerformer;
use runbook_engine::driver::{Driver, Patience, Progress, Stop, Wish, World};
use runbook_engine::journal::Record;
use runbook_engine::log::Logs;
use runbook_engine::message::{Answer, Message};
use runbook_engine::secret::SecretStore;
use runbook_engine::session::{Observer, Session, SessionError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use super::reply::{self, Given, Reply};
use super::store::{Home, Place as AtPlace};
use crate::exit::{Exit, Outcome, Trouble};
use crate::ui::ask::{Choice, Lines, Word};
use crate::ui::narrate::{half_done, run_word};
use crate::ui::screen::Shared;
use crate::ui::{Tone, Ui, request, words};

/// How often the last lines of what runs are looked at.
const TICK: Duration = Duration::from_millis(200);

/// What can be done with a run that is interrupted, and how that is said.
struct Manners {
    ways_out: &'static [Word<'static>],
    question: &'static str,
    interrupted: &'static str,
    /// Leaving ends the driving: the run is parked.
    parks: bool,
}

/// Of a run that is driven here.
const MANNERS: Manners = Manners {
    ways_out: &[
        ("leave", "the run is parked; `runbook resume` goes on with it"),
        ("stay", "it goes on here"),
        ("cancel", "it ends; what it did stays"),
        ("undo", "it ends, and what it did is taken back"),
    ],
    question: "leave it parked, stay, cancel, or cancel and undo?",
    interrupted: "nothing further starts; Ctrl-C again cancels what is under way",
    parks: true,
};

/// Of a run that waits for an event.
const WHO_BRINGS: &str = "events come where somebody takes them in: `runbook serve` with this state folder, or `runbook trigger`";

/// What a run needs beside its session to go on here.
pub struct Place<'a> {
    pub home: &'a Home,
    /// Where steps run.
    pub root: PathBuf,
    /// The user's settings folder, where the identity for age is.
    pub config: PathBuf,
    pub screen: Shared,
}

/// Sees which decisions wait, for whoever puts the questions. A question is put once its request is on the disk, so that what
/// a person reads is what everybody else can read.
pub struct OpenDecisions {
    sender: watch::Sender<Asked>,
    /// Seen, and not on the disk yet.
    ahead: Option<Asked>,
}

/// The decisions that wait, and the run as it was when they changed.
#[derive(Clone, Default)]
struct Asked {
    open: Vec<DecisionId>,
    run: Option<Arc<Run>>,
}

pub struct Questions(watch::Receiver<Asked>);

/// An observer for the session, and what it tells.
pub fn questions() -> (OpenDecisions, Questions) {
    let (sender, receiver) = watch::channel(Asked::default());
    (OpenDecisions { sender, ahead: None }, Questions(receiver))
}

impl OpenDecisions {
    /// Tells of the decisions that wait already.
    pub fn begin(&self, run: &Run) {
        self.sender.send_replace(Asked { open: open_of(run), run: Some(Arc::new(run.clone())) });
    }
}

impl Observer for OpenDecisions {
    fn observe(&mut self, run: &Run, _: &Event, _: &Record) {
        let open = open_of(run);
        let is_known = match &self.ahead {
            Some(ahead) => ahead.open == open,
            None => self.sender.borrow().open == open,
        };
        if !is_known {
            self.ahead = Some(Asked { open, run: Some(Arc::new(run.clone())) });
        }
    }

    fn committed(&mut self, _seq: u64) {
        if let Some(ahead) = self.ahead.take() {
            self.sender.send_replace(ahead);
        }
    }
}

fn open_of(run: &Run) -> Vec<DecisionId> {
    run.decisions().iter().filter(|d| d.is_open()).map(|d| d.id).collect()
}

/// Drives the run until it ends or stops for people, and says how to go on.
pub async fn attend(mut session: Session, place: Place<'_>, questions: Questions, ui: &mut Ui, lines: &mut Lines) -> Outcome {
    let (home, screen) = (place.home, place.screen.clone());
    let logs = &home.here()?.logs;
    // Secrets will be in memory: a crash must not write them into a core file.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let secrets = Arc::new(SecretStore::new(&place.root, &place.config, std::env::vars_os()));
    let performer = Arc::new(LocalPerformer::new(place.root.clone(), logs.clone(), secrets.clone()));
    let by = home.identity(&session.run().plan().policy.people);
    let can_ask = ui.can_ask();
    let _printing = ui.printer.apart();
    let mut person = Person::new(ui, lines, screen.clone(), questions, by.clone(), &MANNERS)?;
    // The run whose lock is waited for.
    let holder: Arc<Mutex<Option<RunId>>> = Arc::default();
    let ticker = tick(screen.clone(), logs.clone(), session.id().clone());
    let stop = loop {
        let (wishes, receiver) = mpsc::unbounded_channel();
        let world = World { performer: performer.clone(), wishes: receiver };
        let patience = if can_ask { Patience::Wait } else { Patience::Park };
        let (told, fetched, held) = (screen.clone(), secrets.clone(), holder.clone());
        let mut is_awaited = false;
        let progress = Box::new(move |run: &Run, progress: Progress| {
            if run.listens() && !std::mem::replace(&mut is_awaited, true) {
                told.with(|s| s.notice(WHO_BRINGS));
            }
            if let Progress::LockHeld { lock, by, driven } = progress {
                let known = held.lock().unwrap_or_else(PoisonError::into_inner).replace(by.clone());
                if known.as_ref() != Some(&by) {
                    let how = if driven { "which is under way" } else { "which nobody drives" };
                    told.with(|s| s.notice(&format!("waiting for the lock `{lock}` of run {by}, {how}")));
                }
            }
            for warning in fetched.take_warnings() {
                told.with(|s| s.notice(&format!("warning: {warning}")));
            }
        });
        let stop = {
            let driver = Driver::new(&mut session, world, patience, progress).drive();
            tokio::pin!(driver);
            tokio::select! {
                biased;
                stop = &mut driver => stop,
                never = person.accompany(&wishes) => match never {},
            }
        };
        let stop = match stop {
            Ok(Stop::Parked) => Stop::Parked,
            other => {
                person.withdraw();
                break other?;
            }
        };
        // Nothing is under way any more; the question how to leave may still stand.
        let leaving = match person.leaving.take() {
            Some(Leaving::Asking) => hold(&mut session, person.ask_how_to_leave()).await?,
            Some(Leaving::Decided(leaving)) => leaving,
            None => Leave::Park,
        };
        person.withdraw();
        let message = match leaving {
            Leave::Park => break stop,
            Leave::Stay => None,
            Leave::Cancel { undo } => Some(cancel(&by, undo)),
        };
        if let Some(message) = message {
            session.receive(message)?;
        }
        person.interrupts = 0;
    };
    ticker.abort();
    screen.with(|s| {
        s.close();
        secrets.take_warnings().iter().for_each(|warning| s.notice(&format!("warning: {warning}")));
    });
    let run = session.run().clone();
    session.close().await?;
    let lock = holder.lock().unwrap_or_else(PoisonError::into_inner).take();
    let lock = lock.filter(|_| run.pending().iter().any(|c| matches!(c, Command::TakeLock { .. })));
    Ok(farewell(&run, &stop, lock.as_ref(), home, ui))
}

/// Keeps the run while nobody drives it: the lease does not run out, and other processes are answered.
async fn hold<T>(session: &mut Session, meanwhile: impl Future<Output = T>) -> Result<T, SessionError> {
    tokio::pin!(meanwhile);
    let mut renewal = tokio::time::interval(limits::LEASE_RENEWAL);
    let mut look = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            biased;
            done = &mut meanwhile => return Ok(done),
            _ = renewal.tick() => session.renew().await?,
            _ = look.tick() => session.answer_letters().await?,
        }
    }
}

/// Shows the last lines of what runs, while it runs.
fn tick(screen: Shared, logs: Logs, run: RunId) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        if !screen.with(|s| s.is_live()) {
            return;
        }
        let mut interval = tokio::time::interval(TICK);
        loop {
            interval.tick().await;
            screen.with(|s| s.tick(&run, &logs));
        }
    })
}

/// How to leave a run that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    Park,
    Stay,
    Cancel { undo: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// Nothing further starts, and the person is being asked.
    Asking,
    Decided(Leave),
}

enum Never {}

/// The person at the terminal.
struct Person<'a> {
    ui: &'a mut Ui,
    lines: &'a mut Lines,
    screen: Shared,
    asked: watch::Receiver<Asked>,
    /// Decisions that are somebody else's, or that were left for later.
    left: BTreeSet<DecisionId>,
    signals: Signals,
    by: Identity,
    interrupts: u32,
    leaving: Option<Leaving>,
    /// The question how to leave, for as long as it stands on the terminal.
    standing: Option<Choice<'static>>,
    can_ask: bool,
    manners: &'static Manners,
}

impl<'a> Person<'a> {
    fn new(
        ui: &'a mut Ui,
        lines: &'a mut Lines,
        screen: Shared,
        questions: Questions,
        by: Identity,
        manners: &'static Manners,
    ) -> Result<Person<'a>, Trouble> {
        let signals = Signals::new().map_err(|why| Trouble::failed(format!("cannot watch for signals: {why}")))?;
        let (asked, left, can_ask) = (questions.0, BTreeSet::new(), ui.can_ask());
        Ok(Person { ui, lines, screen, asked, left, signals, by, interrupts: 0, leaving: None, standing: None, can_ask, manners })
    }

    /// Puts questions and takes signals for as long as the driver works.
    async fn accompany(&mut self, wishes: &mpsc::UnboundedSender<Wish>) -> Never {
        loop {
            if self.leaving == Some(Leaving::Asking) && self.can_ask {
                let leave = self.ask_how_to_leave().await;
                self.leave(leave, wishes).await;
                continue;
            }
            let asked = self.asked.borrow_and_update().clone();
            let next = asked.open.iter().copied().find(|id| !self.left.contains(id));
            match (next, asked.run) {
                (Some(id), Some(run)) if self.can_ask && self.leaving.is_none() => self.put(&run, id, wishes).await,
                _ => tokio::select! {
                    changed = self.asked.changed() => {
                        if changed.is_err() {
                            std::future::pending::<()>().await;
                        }
                    }
                    told = self.signals.next() => self.told(told, wishes).await,
                },
            }
        }
    }

    /// Puts one decision and hands in what is said. Ends early where it is settled elsewhere.
    async fn put(&mut self, run: &Run, id: DecisionId, wishes: &mpsc::UnboundedSender<Wish>) {
        let Some(decision) = run.decision(id) else { return };
        self.screen.with(|s| s.hush(true));
        let head = self.screen.with(|s| s.head().cloned());
        let mut asked = self.asked.clone();
        let settled = async {
            loop {
                if asked.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                let now = asked.borrow_and_update().clone();
                if !now.open.contains(&id) {
                    return now.run.and_then(|run| run.decision(id).map(|decision| decision.standing));
                }
            }
        };
        let reply = tokio::select! {
            standing = settled => {
                self.ui.say(match standing {
                    Some(Standing::Expired) => "(the time to decide is over)",
                    Some(Standing::Voided) => "(what would run has changed)",
                    Some(Standing::Withdrawn) => "(nobody needs to decide this any more)",
                    _ => "(this was decided elsewhere)",
                });
                None
            }
            told = self.signals.next() => {
                self.ui.break_off();
                self.screen.with(|s| s.hush(false));
                return self.told(told, wishes).await;
            }
            reply = reply::ask(self.ui, self.lines, run, decision, &self.by, head, Given::default()) => Some(reply),
        };
        self.screen.with(|s| s.hush(false));
        match reply {
            None => {}
            Some(Reply::Vote(vote)) => {
                let message = Message::Decide { decision: id, vote };
                match say(wishes, message).await {
                    Some(Answer::Refused { why }) => self.screen.with(|s| s.notice(&format!("not taken: {why}"))),
                    // Others have to agree too.
                    Some(Answer::Accepted { .. }) if self.asked.borrow().open.contains(&id) => {
                        self.wait_for_others(run, decision, "more people must agree");
                    }
                    _ => {}
                }
            }
            Some(Reply::NotYours(why)) => self.wait_for_others(run, decision, &why),
            Some(Reply::Later) => {
                self.left.insert(id);
                self.leave(Leave::Park, wishes).await;
            }
        }
    }

    /// Leaves a decision to those who may take it.
    fn wait_for_others(&mut self, run: &Run, decision: &Decision, why: &str) {
        self.left.insert(decision.id);
        let how = request::answers(run, decision).into_iter().next().unwrap_or_default();
        let how = self.ui.command(&how);
        self.screen.with(|s| s.notice(&format!("{why}\nwaiting; whoever may decide says: {how}")));
    }

    async fn told(&mut self, told: Told, wishes: &mpsc::UnboundedSender<Wish>) {
        match told {
            Told::Leave => self.leave(Leave::Park, wishes).await,
            Told::Interrupt => {
                self.interrupts += 1;
                if self.interrupts > 1 {
                    return self.leave(Leave::Cancel { undo: false }, wishes).await;
                }
                if self.manners.parks {
                    let _ = wishes.send(Wish::Park);
                }
                self.screen.with(|s| s.notice(self.manners.interrupted));
                if self.can_ask {
                    self.leaving = Some(Leaving::Asking);
                } else {
                    self.leave(Leave::Park, wishes).await;
                }
            }
        }
    }

    /// What to do with a run that was interrupted. A second Ctrl-C answers `cancel`. The question stands until it is answered,
    /// also where waiting for the answer is begun anew.
    async fn ask_how_to_leave(&mut self) -> Leave {
        self.screen.with(|s| s.hush(true));
        let Manners { question, ways_out, .. } = self.manners;
        let choice = self.standing.get_or_insert_with(|| Choice::pose(self.ui, self.lines, question, ways_out));
        let said = tokio::select! {
            said = choice.answer(self.ui, self.lines) => said,
            told = self.signals.next() => match told {
                Told::Interrupt => Some("cancel"),
                Told::Leave => Some("leave"),
            }
        };
        self.standing = None;
        self.ui.break_off();
        self.screen.with(|s| s.hush(false));
        match said {
            Some("stay") => Leave::Stay,
            Some("cancel") => Leave::Cancel { undo: false },
            Some("undo") => Leave::Cancel { undo: true },
            _ => Leave::Park,
        }
    }

    /// Gives the terminal back: a question that still stands there is no longer asked.
    fn withdraw(&mut self) {
        self.standing = None;
        self.ui.break_off();
        self.screen.with(|s| s.hush(false));
    }

    async fn leave(&mut self, leave: Leave, wishes: &mpsc::UnboundedSender<Wish>) {
        match leave {
            Leave::Park => {
                self.leaving = Some(Leaving::Decided(Leave::Park));
                // The driver may have stopped by itself; then there is nobody to tell.
                let _ = wishes.send(Wish::Park);
                self.screen.with(|s| match s.under_way().as_slice() {
                    [] => {}
                    _ if !self.manners.parks => {}
                    steps => s.notice(&format!("waiting for {} to end, then the run is parked", steps.join(", "))),
                });
            }
            Leave::Stay => {
                (self.leaving, self.interrupts) = (None, 0);
                let _ = wishes.send(Wish::Stay);
            }
            Leave::Cancel { undo } => {
                self.leaving = Some(Leaving::Decided(leave));
                if let Some(Answer::Refused { why }) = say(wishes, cancel(&self.by, undo)).await {
                    self.screen.with(|s| s.notice(&format!("not taken: {why}")));
                }
                self.leaving = None;
                let _ = wishes.send(Wish::Stay);
            }
        }
    }
}

fn cancel(by: &Identity, undo: bool) -> Message {
    Message::Cancel { by: by.clone(), undo, reason: "interrupted at the terminal".to_owned() }
}

/// Hands a message to the driver. Nothing comes back where it has stopped.
async fn say(wishes: &mpsc::UnboundedSender<Wish>, message: Message) -> Option<Answer> {
    let (answer, answered) = oneshot::channel();
    wishes.send(Wish::Say(Box::new(message), answer)).ok()?;
    answered.await.ok()
}

enum Told {
    /// Ctrl-C.
    Interrupt,
    /// The terminal closed, or the machine wants the process to end.
    Leave,
}

/// The signals that a run listens to: those that were not ignored when the program began, so that `nohup` and a shell's background
/// keep their meaning.
struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hangup: Option<Signal>,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        let ignored = ignored_signals();
        let listen = |kind: SignalKind| match ignored >> (kind.as_raw_value() - 1) & 1 {
            0 => signal(kind).map(Some),
            _ => Ok(None),
        };
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            () = received(&mut self.interrupt) => Told::Interrupt,
            () = received(&mut self.terminate) => Told::Leave,
            () = received(&mut self.hangup) => Told::Leave,
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// The signals that whoever started this process told it to ignore, a bit each, the lowest for signal 1.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Says how it stands and the one next thing to do.
fn farewell(run: &Run, stop: &Stop, lock: Option<&RunId>, home: &Home, ui: &mut Ui) -> Exit {
    let now = home.clock.now();
    let id = run.id().map(ToString::to_string).unwrap_or_default();
    let goes_on_there = matches!(home.place, AtPlace::There(_));
    match stop {
        Stop::Finished(outcome) => {
            let (word, tone) = run_word(outcome.kind);
            let exit = Exit::of_outcome(outcome.kind);
            ui.say(&format!("run {id} {}", tone.paint(word)));
            half_done(run).iter().for_each(|text| ui.say(text));
            if let (Exit::Failed | Exit::Unknown, Some(whom)) = (exit, words::whom(run.plan().main())) {
                ui.say(&format!("owner: {whom}"));
            }
            match (&outcome.step, exit) {
                (_, Exit::Succeeded) => ui.next(&format!("runbook show {id}")),
                (Some(step), Exit::Failed) if run.find_step(step).is_some_and(|s| s.attempt() > 0) => {
                    ui.next(&format!("runbook logs {id} {}", words::shell_word(step.as_str())));
                }
                _ => ui.next(&format!("runbook show {id}")),
            }
            exit
        }
        Stop::Waiting(decisions) if decisions.is_empty() && run.listens() => {
            ui.say(&format!("run {id} {}", Tone::Waiting.paint("waits for an event")));
            for listening in run.listening() {
                ui.say(&format!("  {}: {}", words::step(run, &listening.path), words::event(&listening.task)));
            }
            if goes_on_there {
                ui.next(&format!("runbook show {id}"));
            } else {
                ui.say(WHO_BRINGS);
                ui.next("runbook serve");
            }
            Exit::Waiting
        }
        Stop::Waiting(decisions) => {
            ui.say(&format!("run {id} {}", Tone::Waiting.paint("waits for a person")));
            for decision in decisions.iter().filter_map(|id| run.decision(*id)) {
                ui.say("");
                ui.say(&request::screen(run, decision, now));
                ui.say("");
            }
            match decisions.first().and_then(|id| run.decision(*id)) {
                Some(decision) => {
                    let reader = home.identity(&run.plan().policy.people);
                    let after = if goes_on_there { String::new() } else { format!(" && runbook resume {id}") };
                    if let Some(next) = request::answer_for(run, decision, &reader, &after) {
                        ui.next(&next);
                    }
                }
                None => ui.next(&format!("runbook resume {id}")),
            }
            Exit::Waiting
        }
        Stop::Paused | Stop::Parked => {
            let word = match stop {
                Stop::Paused => "is paused",
                _ if goes_on_there => "goes on at the server",
                _ => "is parked",
            };
            ui.say(&format!("run {id} {}", Tone::Waiting.paint(word)));
            match lock {
                Some(holder) => ui.next(&format!("runbook resume {holder} && runbook resume {id}")),
                None => ui.next(&format!("runbook resume {id}")),
            }
            Exit::Waiting
        }
    }
}
