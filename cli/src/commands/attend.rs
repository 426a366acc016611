//! A run driven from this process, with a person at the terminal or without: questions are put where they come up, Ctrl-C
//! drains and asks, a terminal that closes parks the run.
//!
//! Without a terminal nothing is asked: the driver stops where only people can go on. Whatever a person says goes to the
//! run as a message and is judged there; nothing here decides.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::run::event::Identity;
use runbook_core::run::{Event, Run};
use runbook_core::{DecisionId, RunId};
use runbook_engine::driver::local::LocalPerformer;
use runbook_engine::driver::{Driver, Patience, Progress, Stop, Wish, World};
use runbook_engine::message::{Answer, Message};
use runbook_engine::secret::SecretStore;
use runbook_engine::session::{Observer, Session};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use super::reply::{self, Reply};
use super::store::Home;
use crate::exit::{Exit, Outcome, Trouble};
use crate::ui::ask::{self, Lines};
use crate::ui::narrate::run_word;
use crate::ui::screen::Shared;
use crate::ui::{Tone, Ui, request};

/// How often the last lines of what runs are looked at.
const TICK: Duration = Duration::from_millis(300);
/// Time that the driver has to see that it may stop.
const SETTLE: Duration = Duration::from_millis(150);

/// What a run needs beside its session to go on here.
pub struct Place<'a> {
    pub home: &'a Home,
    /// Where steps run.
    pub root: PathBuf,
    /// The user's settings folder, where the identity for age is.
    pub config: PathBuf,
    pub screen: Shared,
}

/// Sees which decisions wait, for whoever puts the questions.
pub struct OpenDecisions(watch::Sender<Asked>);

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
    (OpenDecisions(sender), Questions(receiver))
}

impl OpenDecisions {
    /// Tells of the decisions that wait already.
    pub fn begin(&self, run: &Run) {
        let open = open_of(run);
        if self.0.borrow().open != open {
            let run = Some(Arc::new(run.clone()));
            self.0.send_replace(Asked { open, run });
        }
    }
}

impl Observer for OpenDecisions {
    fn observe(&mut self, run: &Run, _event: &Event) {
        self.begin(run);
    }
}

fn open_of(run: &Run) -> Vec<DecisionId> {
    run.decisions().iter().filter(|d| d.is_open()).map(|d| d.id).collect()
}

/// Drives the run until it ends or stops for people, and says how to go on.
pub async fn attend(mut session: Session, place: Place<'_>, questions: Questions, ui: &mut Ui, lines: &mut Lines) -> Outcome {
    let (home, screen) = (place.home, place.screen.clone());
    let secrets = SecretStore::new(&place.root, &place.config, std::env::vars_os());
    let performer = Arc::new(LocalPerformer::new(place.root.clone(), home.logs.clone(), Arc::new(secrets)));
    let by = home.identity(&session.run().plan().policy.people);
    let signals = Signals::new().map_err(|why| Trouble::failed(format!("cannot watch for signals: {why}")))?;
    let can_ask = ui.can_ask();
    let mut person = Person {
        ui,
        lines,
        screen: screen.clone(),
        asked: questions.0,
        left: BTreeSet::new(),
        signals,
        by: by.clone(),
        interrupts: 0,
        leaving: None,
        can_ask,
    };
    let ticker = tick(screen.clone(), home, session.id().clone());
    let stop = loop {
        let (wishes, receiver) = mpsc::unbounded_channel();
        let world = World { clock: home.clock.clone(), performer: performer.clone(), wishes: receiver };
        let patience = if can_ask { Patience::Wait } else { Patience::Park };
        let held = screen.clone();
        let progress = Box::new(move |_: &Run, progress: Progress| {
            if let Progress::LockHeld { lock, by } = progress {
                held.with(|s| s.notice(&format!("the lock `{lock}` is held by run {by}; waiting")));
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
        person.screen.with(|s| s.hush(false));
        let stop = stop?;
        if stop != Stop::Parked {
            break stop;
        }
        // The driver had nothing under way: the question may still stand.
        let leaving = match person.leaving {
            Some(Leaving::Asking) => person.ask_how_to_leave().await,
            Some(Leaving::Decided(leaving)) => leaving,
            None => Leave::Park,
        };
        let message = match leaving {
            Leave::Park => break stop,
            Leave::Stay => None,
            Leave::Cancel { undo } => Some(cancel(&by, undo)),
        };
        if let Some(message) = message {
            session.receive(message)?;
        }
        person.leaving = None;
        person.interrupts = 0;
    };
    ticker.abort();
    screen.with(|s| s.close());
    let run = session.run().clone();
    session.close().await?;
    Ok(farewell(&run, &stop, home.clock.now(), ui))
}

/// Shows the last lines of what runs, while it runs.
fn tick(screen: Shared, home: &Home, run: RunId) -> tokio::task::JoinHandle<()> {
    let logs = home.logs.clone();
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
    can_ask: bool,
}

impl Person<'_> {
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
        let head = self.screen.with(|s| s.head().clone());
        let mut asked = self.asked.clone();
        let settled = async {
            loop {
                if asked.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                if !asked.borrow_and_update().open.contains(&id) {
                    return;
                }
            }
        };
        let reply = tokio::select! {
            () = settled => {
                self.ui.say("\n(this was decided elsewhere)");
                None
            }
            told = self.signals.next() => {
                self.ui.say("");
                self.screen.with(|s| s.hush(false));
                return self.told(told, wishes).await;
            }
            reply = reply::ask(self.ui, self.lines, run, decision, &self.by, head) => Some(reply),
        };
        self.screen.with(|s| s.hush(false));
        match reply {
            None => {}
            Some(Reply::Vote(vote)) => {
                let message = Message::Decide { decision: id, vote };
                if let Some(Answer::Refused { why }) = say(wishes, message).await {
                    self.screen.with(|s| s.notice(&format!("not taken: {why}")));
                }
            }
            Some(Reply::NotYours(why)) => {
                self.left.insert(id);
                let how = request::answers(run, decision).into_iter().next().unwrap_or_default();
                self.screen.with(|s| s.notice(&format!("{why}\nwaiting; whoever may decide says: {how}")));
            }
            Some(Reply::Later) => {
                self.left.insert(id);
                self.leaving = Some(Leaving::Decided(Leave::Park));
                // The driver may have stopped by itself; then there is nobody to tell.
                let _ = wishes.send(Wish::Park);
            }
        }
    }

    async fn told(&mut self, told: Told, wishes: &mpsc::UnboundedSender<Wish>) {
        match told {
            Told::Leave => {
                self.leaving = Some(Leaving::Decided(Leave::Park));
                let _ = wishes.send(Wish::Park);
            }
            Told::Interrupt => {
                self.interrupts += 1;
                if self.interrupts > 1 {
                    return self.leave(Leave::Cancel { undo: false }, wishes).await;
                }
                let _ = wishes.send(Wish::Park);
                self.leaving = Some(if self.can_ask { Leaving::Asking } else { Leaving::Decided(Leave::Park) });
                self.screen.with(|s| s.notice("nothing further starts; Ctrl-C again cancels what is under way"));
                // Where nothing is under way the driver stops first, so that the question is put once.
                tokio::time::sleep(SETTLE).await;
            }
        }
    }

    /// What to do with a run that was interrupted. A second Ctrl-C answers `cancel`.
    async fn ask_how_to_leave(&mut self) -> Leave {
        self.screen.with(|s| s.hush(true));
        let words = ["leave", "stay", "cancel", "undo"];
        let question = "leave it parked, stay, cancel, or cancel and undo?";
        let said = tokio::select! {
            said = ask::choice(self.ui, self.lines, question, &words) => said,
            told = self.signals.next() => {
                // The question is left in the middle of its line.
                self.ui.say("");
                match told {
                    Told::Interrupt => Some("cancel"),
                    Told::Leave => Some("leave"),
                }
            }
        };
        self.screen.with(|s| s.hush(false));
        match said {
            Some("stay") => Leave::Stay,
            Some("cancel") => Leave::Cancel { undo: false },
            Some("undo") => Leave::Cancel { undo: true },
            _ => Leave::Park,
        }
    }

    async fn leave(&mut self, leave: Leave, wishes: &mpsc::UnboundedSender<Wish>) {
        match leave {
            Leave::Park => self.leaving = Some(Leaving::Decided(Leave::Park)),
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

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Interrupt,
            _ = self.terminate.recv() => Told::Leave,
            _ = self.hangup.recv() => Told::Leave,
        }
    }
}

/// Says how it stands and the one next thing to do.
fn farewell(run: &Run, stop: &Stop, now: Timestamp, ui: &mut Ui) -> Exit {
    let id = run.id().map(ToString::to_string).unwrap_or_default();
    match stop {
        Stop::Finished(outcome) => {
            let (word, tone) = run_word(outcome.kind);
            let exit = Exit::of_outcome(outcome.kind);
            ui.say(&format!("run {id} {}", tone.paint(word)));
            match (&outcome.step, exit) {
                (_, Exit::Succeeded) => ui.next(&format!("runbook show {id}")),
                (Some(step), Exit::Failed) if run.find_step(step).is_some_and(|s| s.attempt() > 0) => {
                    ui.next(&format!("runbook logs {id} {step}"));
                }
                _ => ui.next(&format!("runbook show {id}")),
            }
            exit
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
                    if let Some(command) = request::answers(run, decision).first() {
                        ui.next(&format!("{command} && runbook resume {id}"));
                    }
                }
                None => ui.next(&format!("runbook resume {id}")),
            }
            Exit::Waiting
        }
        Stop::Paused | Stop::Parked => {
            let word = if *stop == Stop::Paused { "is paused" } else { "is parked" };
            ui.say(&format!("run {id} {}", Tone::Waiting.paint(word)));
            ui.next(&format!("runbook resume {id}"));
            Exit::Waiting
        }
    }
}
