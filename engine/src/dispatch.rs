//! From the events that came in to the runs that follow: judges, writes the decisions down, then does what they ask for.
//!
//! One process of a state folder dispatches at a time; whoever else receives an event writes it down and leaves it to that one. A run
//! is started here and driven elsewhere.

mod awaited;
mod escalated;
mod served;

use std::collections::HashSet;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use jiff::Timestamp;
use runbook_core::run::event::{Identity, Means, RunStarted};
use runbook_core::trigger::{Decision, Incoming, Judge, Ruling, Tell, TriggerName};
use runbook_core::{RunId, limits};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::intake::{Arrived, GoneThrough, Intake, Judged};
use crate::journal::{JournalError, Owner, Phase, SharedJournal};
use crate::message::{Answer, Message};
use crate::session::{self, Session, SessionError};

pub use escalated::Teller;
pub use served::Served;

/// The file whose lock says that somebody dispatches.
const LOCK: &str = "events.lock";

#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("{LOCK} in the state folder cannot be used: {0}; look who owns it")]
    Lock(std::io::Error),
}

/// What dispatching needs of the world.
#[derive(Clone)]
pub struct Around {
    pub intake: Arc<Intake>,
    pub journal: SharedJournal,
    pub clock: Arc<dyn Clock>,
    pub owner: Owner,
    /// What messages to people need.
    pub teller: Arc<Teller>,
}

pub struct Dispatch {
    around: Around,
    served: Served,
    judge: Judge,
    /// The judge took what is not written down.
    is_stale: bool,
    /// Which of the runs that went on have ended meanwhile is not known.
    must_look: bool,
    /// As it is written down; `None` where that has to be read.
    gone_through: Option<GoneThrough>,
    /// Messages on their way to people; each gives its ruling with what became of it.
    messages: JoinSet<Ruling>,
    /// Which rulings those are of.
    telling: HashSet<(u64, TriggerName)>,
    /// Unlocked when it is closed.
    _lock: File,
}

/// What a ruling asked for, done.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    Started(RunId),
    /// It has a note in its record.
    Noted(RunId),
    /// It was told to end: where nobody drives it, somebody has to.
    Cancelled(RunId),
    /// A wait of it was ended by this event: the same.
    Heard {
        run: RunId,
        event: u64,
    },
    /// People were to be told that a limit is reached: what became of it.
    Told {
        event: u64,
        what: String,
    },
    /// There was nobody to tell, or nothing to start any more: why.
    Moot {
        run: RunId,
        why: String,
    },
    /// It could not be done now, and is tried again.
    Failed {
        run: RunId,
        why: String,
    },
}

impl Dispatch {
    /// Takes up where the last process stopped. `None` where another process dispatches.
    pub async fn open(around: Around, served: Served) -> Result<Option<Dispatch>, DispatchError> {
        let Some(lock) = locked(around.intake.handle())? else { return Ok(None) };
        let (messages, telling) = (JoinSet::new(), HashSet::new());
        let judge = Judge::default();
        let mut dispatch =
            Dispatch { around, served, judge, is_stale: true, must_look: true, gone_through: None, messages, telling, _lock: lock };
        dispatch.recall().await?;
        Ok(Some(dispatch))
    }

    /// Makes the judge anew from what is written down. One that took what could not be written knows more than there is.
    async fn recall(&mut self) -> Result<(), DispatchError> {
        self.is_stale = true;
        self.must_look = true;
        let mut judge = Judge::new(self.served.triggers().cloned());
        let now = self.around.clock.now();
        let since = now.checked_sub(judge.horizon()).unwrap_or(Timestamp::MIN);
        // Before it judges by them, so that nobody takes out what they look at.
        if self.around.intake.looked_back()? != judge.horizon() {
            self.around.intake.look_back(judge.horizon()).await?;
        }
        let rulings = judge.recall(&self.around.intake.that_count(since)?, now);
        // Whatever went on when it was recorded goes on for the judge; what has ended since is found by `turn`.
        let live = self.around.intake.live()?;
        let known: HashSet<&RunId> = live.iter().filter_map(|ruling| ruling.decision.run()).collect();
        let over: Vec<RunId> = judge.live().filter(|run| !known.contains(run)).cloned().collect();
        let mut judged = Judged { rulings, ..Judged::default() };
        for run in over {
            judged.rulings.extend(judge.ended(&run, now));
        }
        self.judge = judge;
        self.write(judged).await?;
        self.is_stale = false;
        Ok(())
    }

    /// Judges by another catalogue from now on. What was decided stays, and runs that were decided upon start as they are there.
    pub fn serve(&mut self, served: Served) {
        self.served = served;
        self.is_stale = true;
    }

    /// When [`Dispatch::turn`] has something to decide, unless something comes before.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.judge.next_due()
    }

    /// Judges what there is: runs that have ended, events that nobody has judged, at most so many at once, and what was deferred until
    /// now. What was decided is on the disk when this returns. Where it is nothing, there was nothing to judge.
    pub async fn turn(&mut self) -> Result<Arc<Judged>, DispatchError> {
        self.must_look = true;
        self.turn_after(Vec::new()).await
    }

    /// As [`Dispatch::turn`], for whoever is told which runs end: the first call looks at all that were live, the others at these.
    pub async fn turn_after(&mut self, ended: Vec<RunId>) -> Result<Arc<Judged>, DispatchError> {
        if self.is_stale {
            self.recall().await?;
        }
        let now = self.around.clock.now();
        let mut judged = Judged::default();
        let live: Vec<RunId> = match std::mem::take(&mut self.must_look) {
            true => self.judge.live().cloned().collect(),
            false => ended.into_iter().filter(|run| self.judge.is_live(run)).collect(),
        };
        for run in live {
            let has_ended = match self.around.journal.run(&run) {
                Ok(row) => row.summary.phase == Phase::Ended,
                // It is owed, and will be started; or nobody can read it, and somebody will have to look.
                Err(error) if error.is_of_one_run() => false,
                Err(error) => return Err(self.forgotten(error.into())),
            };
            if has_ended {
                judged.rulings.extend(self.judge.ended(&run, now));
                judged.ended.push(run);
            }
        }
        // Before the events that are judged now are offered to whoever waits by then.
        (judged.offers, judged.waits) = self.earlier().map_err(|error| self.forgotten(error))?;
        // Before what is deferred: an event that came in time counts, also where it is judged late.
        let unjudged = self.around.intake.unjudged(limits::JUDGED_TOGETHER).map_err(|error| self.forgotten(error.into()))?;
        judged.offers.extend(self.offers(&unjudged).map_err(|error| self.forgotten(error))?);
        for arrived in unjudged {
            let incoming = Incoming { now, ..incoming(&arrived) };
            judged.rulings.extend(match arrived.restored {
                true => self.judge.set_aside(&incoming),
                false => self.judge.receive(&incoming),
            });
            judged.events.push(arrived.number);
        }
        judged.rulings.extend(self.judge.wake(now));
        let judged = Arc::new(judged);
        self.write(judged.clone()).await?;
        if let (Some(gone), Some(waits)) = (&mut self.gone_through, judged.waits) {
            gone.waits = waits;
        }
        Ok(judged)
    }

    async fn write(&mut self, judged: impl Into<Arc<Judged>>) -> Result<(), DispatchError> {
        let judged = judged.into();
        if !judged.is_empty() {
            let written = self.around.intake.rule(judged).await;
            written.map_err(|error| self.forgotten(error.into()))?;
        }
        Ok(())
    }

    /// What the judge took and nobody wrote down is to be judged again.
    fn forgotten(&mut self, error: DispatchError) -> DispatchError {
        // Runs that have ended meanwhile are told to nobody a second time.
        (self.is_stale, self.must_look) = (true, true);
        error
    }

    /// Does what decisions ask for, those of an earlier process included. What fails for one run is tried again by the next call, and
    /// keeps no other from its turn. An error is one of the store; what was done before it is done, and told.
    pub async fn settle(&mut self) -> (Vec<Done>, Result<(), DispatchError>) {
        let mut all = Vec::new();
        let settled = self.settle_into(&mut all).await;
        (all, settled)
    }

    async fn settle_into(&mut self, all: &mut Vec<Done>) -> Result<(), DispatchError> {
        self.note_told(all).await?;
        // First: a run that an event lets go on is not cancelled for it.
        self.bring(all).await?;
        let mut after = 0;
        loop {
            let owed = self.around.intake.owed(after, limits::JUDGED_TOGETHER)?;
            let Some((last, _)) = owed.last() else { return Ok(()) };
            after = *last;
            for (_, ruling) in owed {
                if ruling.escalates() {
                    self.escalate(ruling)?;
                    continue;
                }
                let done = match (&ruling.decision, ruling.tells()) {
                    (Decision::Ran { run }, _) => self.start(run, &ruling).await,
                    (_, Some((run, tell))) => self.tell(run, tell, &ruling).await,
                    // Nothing is asked for.
                    _ => Ok(None),
                };
                match done {
                    Ok(done) => {
                        all.extend(done);
                        self.around.intake.done(vec![ruling]).await?;
                    }
                    Err(error) if is_of_the_store(&error) => return Err(error),
                    Err(error) => {
                        let run = ruling.decision.run().unwrap_or(&ruling.keys.run).clone();
                        all.push(Done::Failed { run, why: error.to_string() });
                    }
                }
            }
        }
    }

    async fn start(&mut self, run: &RunId, ruling: &Ruling) -> Result<Option<Done>, DispatchError> {
        let created = match self.started(ruling)? {
            Ok((plan, started)) => {
                let Around { journal, clock, owner, .. } = self.around.clone();
                match Session::create(journal, clock, owner, Vec::new(), run.clone(), plan, started).await {
                    Ok(session) => session.close().await.map_err(DispatchError::from).map(Ok)?,
                    // The process before this one came as far as that.
                    Err(SessionError::Journal(JournalError::Exists(_))) => Ok(()),
                    Err(error @ SessionError::Journal(JournalError::TooLarge { .. } | JournalError::Unwritable(_))) => {
                        Err(error.to_string())
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Err(why) => Err(why),
        };
        let Err(why) = created else { return Ok(Some(Done::Started(run.clone()))) };
        // What cannot start stands in nobody's way.
        let rulings = self.judge.not_started(ruling, why.clone(), self.around.clock.now());
        self.write(Judged { rulings, ended: vec![run.clone()], ..Judged::default() }).await?;
        Ok(Some(Done::Moot { run: run.clone(), why }))
    }

    /// The plan and the first fact of a run; or why there is none.
    #[allow(clippy::type_complexity)] // a pair, read in one place
    fn started(&self, ruling: &Ruling) -> Result<Result<(Arc<runbook_core::Plan>, RunStarted), String>, DispatchError> {
        let Some(arrived) = self.around.intake.event(ruling.event)? else {
            return Ok(Err(format!("event {} is no longer there", ruling.event)));
        };
        let Some(trigger) = self.judge.trigger(&ruling.trigger) else {
            return Ok(Err(format!("the trigger {} is no longer there", ruling.trigger)));
        };
        let value = arrived.event.to_value();
        let begin = || {
            let reading = trigger.read(&arrived.event, &value, arrived.received).map_err(|error| error.to_string())?;
            let plan = self.served.plan(trigger, reading.environment.as_deref())?;
            let by = by(&arrived.source);
            let seed = rand::random::<u64>() >> 11;
            let started = RunStarted::of(&plan, reading.inputs, by, seed).map_err(|error| error.to_string())?;
            let root = Some(self.served.root().to_string_lossy().into_owned());
            let catalogue = Some(self.served.digest().clone());
            Ok((plan, RunStarted { event: Some(value.clone()), catalogue, root, ..started }))
        };
        Ok(begin())
    }

    async fn tell(&self, run: &RunId, tell: Tell, ruling: &Ruling) -> Result<Option<Done>, DispatchError> {
        let moot = |why: &str| Ok(Some(Done::Moot { run: run.clone(), why: why.to_owned() }));
        let row = match self.around.journal.run(run) {
            Ok(row) => row,
            Err(JournalError::NoRun(_)) => return moot("it was never started"),
            Err(error) => return Err(error.into()),
        };
        if row.summary.phase == Phase::Ended {
            return moot("it has ended");
        }
        let arrived = self.around.intake.event(ruling.event)?;
        let was_heard = arrived.as_ref().is_some_and(|arrived| arrived.ended.contains(run));
        let source = arrived.map(|arrived| arrived.source).unwrap_or_default();
        let by = by(&source);
        let of = format!("event {} of {source} about {}", ruling.event, ruling.keys.about);
        let waits = matches!(row.summary.phase, Phase::Waiting | Phase::Parked);
        let message = match tell {
            Tell::Joined => Message::Note { by, text: of },
            Tell::CancelIfWaiting if waits && !was_heard => {
                Message::Cancel { by, undo: false, reason: format!("{of}: it is over") }
            }
            Tell::Resolved | Tell::CancelIfWaiting => Message::Note { by, text: format!("{of}: it is over") },
            Tell::Cancel => Message::Cancel { by, undo: false, reason: format!("{of}: another run takes its place") },
        };
        let cancels = matches!(message, Message::Cancel { .. });
        let Around { journal, clock, owner, .. } = self.around.clone();
        match session::deliver(journal, clock, owner, run, message).await? {
            Answer::Accepted { .. } if cancels => Ok(Some(Done::Cancelled(run.clone()))),
            Answer::Accepted { .. } => Ok(Some(Done::Noted(run.clone()))),
            Answer::Refused { why } => moot(&why),
        }
    }
}

/// Who asks for a run that an event starts.
fn by(source: &str) -> Identity {
    Identity { person: source.to_owned(), means: Means::Engine }
}

/// Whether nothing can be written any more, rather than something of one run.
fn is_of_the_store(error: &DispatchError) -> bool {
    match error {
        DispatchError::Journal(error) | DispatchError::Session(SessionError::Journal(error)) => matches!(
            error,
            JournalError::Full { .. } | JournalError::ReadOnly { .. } | JournalError::Busy { .. } | JournalError::Stopped(_)
        ),
        DispatchError::Session(SessionError::Stopped(_)) | DispatchError::Lock(_) => true,
        DispatchError::Session(_) => false,
    }
}

/// An event as a judge takes it that judges at once.
pub fn incoming(arrived: &Arrived) -> Incoming<'_> {
    let Arrived { number, source, event, received, .. } = arrived;
    Incoming { number: *number, source, event, received: *received, now: *received }
}

fn locked(folder: BorrowedFd<'_>) -> Result<Option<File>, DispatchError> {
    let lock = |error: rustix::io::Errno| DispatchError::Lock(error.into());
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(folder, LOCK, flags, Mode::RUSR | Mode::WUSR).map_err(lock)?);
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(lock(error)),
    }
}

/// Whether some process decides on the events of a state folder at this moment.
pub fn is_under_way(intake: &Intake) -> Result<bool, DispatchError> {
    Ok(locked(intake.handle())?.is_none())
}

#[cfg(test)]
mod tests;
