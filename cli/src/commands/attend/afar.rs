//! A run that a server drives, followed from here: its record comes as it grows, is proved and shown, and questions are put where they come up. Whoever
//! leaves takes nothing with them: the run goes on there.

use std::sync::{Arc, Mutex, PoisonError};

use runbook_core::run::event::Timer;
use runbook_core::run::{Command, Run};
use runbook_core::{Digest, RunId};
use runbook_engine::driver::{Stop, Wish};
use runbook_engine::journal::{JournalError, Record};
use runbook_engine::message::{Answer, Message};
use runbook_engine::session::Observer;
use runbook_server::client::{Following, Remote, Told};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, interval, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::{Manners, OpenDecisions, Person, TICK, farewell, questions};
use crate::commands::store::Home;
use crate::exit::{Outcome, Trouble};
use crate::ui::Ui;
use crate::ui::ask::Lines;
use crate::ui::live::Fetched;
use crate::ui::screen::{Screen, Shared};

const MANNERS: Manners = Manners {
    ways_out: &[
        ("leave", "it goes on at the server; `runbook resume` follows it again"),
        ("stay", "it is followed on"),
        ("cancel", "it ends; what it did stays"),
        ("undo", "it ends, and what it did is taken back"),
    ],
    question: "leave it to the server, stay, cancel, or cancel and undo?",
    interrupted: "the run goes on at the server; Ctrl-C again cancels it",
    parks: false,
};

/// How long nothing has to come before it is believed that a run waits for people alone: somebody may have approved it ahead of time.
const REST: Duration = Duration::from_secs(1);
/// How often the last lines of what runs are asked for.
const TAILS: Duration = Duration::from_secs(1);
const TAIL_BYTES: u64 = 512;

/// A run as far as it was read.
pub struct Seen {
    pub id: RunId,
    pub run: Run,
    pub head: Digest,
    pub format: u32,
    /// The event up to which it goes on in any case.
    pub until: u64,
}

/// Follows the run until it ends or stops for people, and says how to go on.
pub async fn attend(home: &Home, seen: Seen, screen: Screen, ui: &mut Ui, lines: &mut Lines) -> Outcome {
    let there = home.there()?;
    let (screen, can_ask) = (Shared::new(screen), ui.can_ask());
    if seen.run.seq() > 0 {
        screen.with(|screen| screen.stands_at(seen.head.clone()));
    }
    let (observer, questions) = questions();
    observer.begin(&seen.run);
    let _printing = ui.printer.apart();
    let _shown = show_tails(screen.clone(), &there.remote, &seen.id);
    let mut follower = Follower {
        following: there.remote.follow(&seen.id, seen.run.seq()),
        remote: there.remote.clone(),
        seen,
        screen: screen.clone(),
        questions: observer,
        answers: Vec::new(),
        can_ask,
    };
    let mut person = Person::new(ui, lines, screen.clone(), questions, there.me.clone(), &MANNERS)?;
    let (wishes, mut wished) = mpsc::unbounded_channel();
    let stop = tokio::select! {
        biased;
        stop = follower.follow(&mut wished) => stop,
        never = person.accompany(&wishes) => match never {},
    };
    person.withdraw();
    screen.with(Screen::close);
    Ok(farewell(&follower.seen.run, &stop?, None, home, ui))
}

struct Follower {
    remote: Remote,
    following: Following,
    seen: Seen,
    screen: Shared,
    questions: OpenDecisions,
    /// What came of messages, until the event that they became was followed.
    answers: Vec<(u64, oneshot::Sender<Answer>)>,
    can_ask: bool,
}

impl Follower {
    async fn follow(&mut self, wished: &mut mpsc::UnboundedReceiver<Wish>) -> Result<Stop, Trouble> {
        loop {
            let rests = match &self.seen.run {
                run if run.seq() < self.seen.until => None,
                run => match run.outcome() {
                    Some(outcome) => return Ok(Stop::Finished(outcome.clone())),
                    None => self.rests(),
                },
            };
            tokio::select! {
                biased;
                told = self.following.next() => match told? {
                    Told::Record(record) => self.take(&record)?,
                    Told::Lost(why) => self.notice(&format!("the connection to {} was lost: {why}; it is tried again", self.remote.address())),
                    Told::Back => self.notice("connected again"),
                    Told::Ended => return Ok(Stop::Parked),
                },
                Some(wish) = wished.recv() => match wish {
                    Wish::Say(message, answer) => self.say(*message, answer).await,
                    Wish::Park => return Ok(Stop::Parked),
                    Wish::Stay => {}
                },
                () = sleep(REST), if rests.is_some() => return Ok(rests.unwrap_or(Stop::Parked)),
            }
        }
    }

    fn notice(&self, text: &str) {
        self.screen.with(|screen| screen.notice(text));
    }

    /// The next event, where it follows from those before it.
    fn take(&mut self, record: &Record) -> Result<(), Trouble> {
        let Seen { id, run, head, format, .. } = &mut self.seen;
        if record.run != *id || !record.follows(head) {
            let what = format!("event {} of run {id} is not what was recorded", record.seq);
            return Err(JournalError::Damaged { what }.into());
        }
        let event = record.decode(*format)?;
        run.apply(&event).map_err(|why| Trouble::failed(why.to_string()).next(format!("runbook verify {id}")))?;
        *head = record.hash.clone();
        self.screen.observe(run, &event, record);
        self.questions.observe(run, &event, record);
        self.questions.committed(record.seq);
        for (seq, answer) in self.answers.extract_if(.., |(seq, _)| *seq <= record.seq) {
            // Whoever asked may have gone; what was recorded stays.
            let _ = answer.send(Answer::Accepted { seq });
        }
        Ok(())
    }

    /// Whoever says something hears of it once its event was shown.
    async fn say(&mut self, message: Message, answer: oneshot::Sender<Answer>) {
        match self.remote.tell(&self.seen.id, message).await {
            Ok(Answer::Accepted { seq }) if seq > self.seen.run.seq() => self.answers.push((seq, answer)),
            Ok(said) => drop(answer.send(said)),
            Err(failure) => drop(answer.send(Answer::Refused { why: format!("{failure}; {}", failure.next()) })),
        }
    }

    /// Whether nothing goes on in it before somebody does something: the person at this terminal waits for that, and nobody else.
    fn rests(&self) -> Option<Stop> {
        let run = &self.seen.run;
        if !run.under_way().is_empty() {
            return None;
        }
        if run.is_paused() {
            return Some(Stop::Paused);
        }
        if self.can_ask {
            return None;
        }
        let pending = run.pending();
        let only_waits = pending.iter().all(|command| {
            let times = matches!(command, Command::Wake { timer: Timer::Run | Timer::Step { .. } | Timer::Decision { .. }, .. });
            times || matches!(command, Command::Await { .. })
        });
        let asked =
            pending.iter().filter_map(|command| if let Command::Await { decision } = command { Some(*decision) } else { None });
        let waiting: Vec<_> = asked.collect();
        (only_waits && (!waiting.is_empty() || run.listens())).then_some(Stop::Waiting(waiting))
    }
}

/// Shows what runs as it is now, with the last lines that the server has of it.
fn show_tails(screen: Shared, remote: &Remote, run: &RunId) -> Option<[AbortOnDropHandle<()>; 2]> {
    if !screen.with(|screen| screen.is_live()) {
        return None;
    }
    let tails: Arc<Mutex<Fetched>> = Arc::default();
    let fetching = {
        let (screen, remote, run, tails) = (screen.clone(), remote.clone(), run.clone(), tails.clone());
        async move {
            loop {
                for (path, attempt) in screen.with(|screen| screen.attempts()) {
                    if let Ok(Some(tail)) = remote.tail_apart(&run, &path, attempt, TAIL_BYTES).await {
                        tails.lock().unwrap_or_else(PoisonError::into_inner).insert((path, attempt), tail);
                    }
                }
                sleep(TAILS).await;
            }
        }
    };
    let run = run.clone();
    let drawing = async move {
        let mut interval = interval(TICK);
        loop {
            interval.tick().await;
            let tails = tails.lock().unwrap_or_else(PoisonError::into_inner);
            screen.with(|screen| screen.tick(&run, &*tails));
        }
    };
    Some([AbortOnDropHandle::new(tokio::spawn(fetching)), AbortOnDropHandle::new(tokio::spawn(drawing))])
}
