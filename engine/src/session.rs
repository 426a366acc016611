//! One owner at work on one run: the only way in which a run's record grows.
//!
//! A fact is written down, taken by the [`Run`], and told to the observers, in this order. Facts wait in memory until
//! [`Session::flush`] commits them together: whoever performs an effect flushes its `AttemptStarted` first, and whoever builds on
//! an outcome flushes that. After a commit that failed, the session records nothing further; what is in the journal is
//! then the truth, and opening the run again finds it.

mod deliver;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::plan::Verb;
use runbook_core::run::decision::Verdict;
use runbook_core::run::event::{Identity, RunStarted};
use runbook_core::run::{Command, Event, Fact, IllegalEvent, Run};
use runbook_core::{Digest, Plan, RunId, StepPath, limits};

use crate::clock::Clock;
use crate::hold::{End, Hold, Holder};
use crate::journal::{
    AheadId, Append, DecisionFilter, Durability, FORMAT, JournalError, Lease, LockOutcome, NewRun, OpenDecision, Owner, Phase,
    Receipt, Record, RunRow, SharedJournal, Summary, chain, records_to,
};
use crate::message::{Answer, Letter, Message, MessageId};
use crate::on_call::asking;
use crate::permit::permit;

pub use deliver::deliver;

/// Sees each fact after the run has taken it. What an observer does wrong never touches the run.
pub trait Observer: Send {
    /// `record` is the event as it is written.
    fn observe(&mut self, run: &Run, event: &Event, record: &Record);

    /// What was observed is about to be written, and the thread sleeps until it is.
    fn committing(&mut self) {}

    /// Everything up to event `seq` is on the disk. Until then a power failure may still undo facts that were observed.
    fn committed(&mut self, seq: u64) {
        let _ = seq;
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
    #[error("run {run} is recorded as one of plan {recorded}, and the plan given is {given}")]
    OtherPlan { run: RunId, recorded: Digest, given: Digest },
    #[error("run {0} has as many events as one run may have ({max})", max = limits::RUN_EVENTS)]
    TooLong(RunId),
    /// An earlier commit failed, so that nothing may be recorded behind it.
    #[error("nothing more is recorded, because a commit failed: {0}")]
    Stopped(JournalError),
}

/// What came of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    pub answer: Answer,
    pub commands: Vec<Command>,
}

pub struct Session {
    journal: SharedJournal,
    clock: Arc<dyn Clock>,
    observers: Vec<Box<dyn Observer>>,
    lease: Lease,
    holder: Holder,
    run: Run,
    /// When the last fact was recorded: by the run's time, and by what had passed then.
    recorded: (Timestamp, Duration),
    /// Hash of the last fact, committed or not.
    head: Digest,
    summary: Summary,
    /// The same as the journal knows it.
    listed: Summary,
    /// Open decisions as the journal knows them.
    open: Vec<OpenDecision>,
    /// Steps that wait for an event as the journal knows them.
    awaiting: Vec<StepPath>,
    attempts_under_way: usize,
    waiting: Waiting,
    commits: Commits,
    released: bool,
}

/// What the next commit takes along.
#[derive(Default)]
struct Waiting {
    records: Vec<Record>,
    answers: Vec<(MessageId, Answer)>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.answers.is_empty()
    }
}

/// How far the record has got on its way to the disk.
#[derive(Default)]
struct Commits {
    /// Something was committed that is not on the disk yet.
    unsynced: bool,
    /// A commit whose answer nobody has waited for.
    in_flight: Option<InFlight>,
    failed: Option<JournalError>,
}

struct InFlight {
    receipt: Receipt<()>,
    durability: Durability,
    /// The last event in it.
    seq: u64,
}

impl Session {
    /// Records a new run. `started.plan` must be the digest of `plan`.
    pub async fn create(
        journal: SharedJournal,
        clock: Arc<dyn Clock>,
        owner: Owner,
        observers: Vec<Box<dyn Observer>>,
        id: RunId,
        plan: Arc<Plan>,
        started: RunStarted,
    ) -> Result<Session, SessionError> {
        let unwritable = |e: serde_json::Error| JournalError::Unwritable(e.to_string());
        let (plan_text, digest) = plan.recorded().map_err(unwritable)?;
        if digest != started.plan {
            return Err(SessionError::OtherPlan { run: id, recorded: started.plan, given: digest });
        }
        let now = clock.now();
        let end = end_of_lease(&*clock);
        let summary = Summary::new(&started, now);
        let event = Event { run: id.clone(), seq: 1, at: now, fact: Fact::RunStarted(Box::new(started)) };
        let record = Record::encode(&event, &chain::genesis(FORMAT, &id))?;
        let mut run = Run::new(plan);
        run.apply(&event)?;
        let until = end.shown;
        let head = record.hash.clone();
        let records = vec![record.clone()];
        let lease = journal.create(NewRun { owner, until, plan: digest, plan_text, summary: summary.clone(), records }).await?;
        let holder = Holder::new(clock.clone(), end);
        let (waiting, commits) = <(Waiting, Commits)>::default();
        let (listed, open, awaiting) = (summary.clone(), Vec::new(), Vec::new());
        let recorded = (now, clock.passed());
        let attempts_under_way = 0;
        let mut session = Session {
            journal,
            clock,
            observers,
            lease,
            holder,
            run,
            recorded,
            head,
            summary,
            listed,
            open,
            awaiting,
            attempts_under_way,
            waiting,
            commits,
            released: false,
        };
        session.tell(&event, &record);
        tell_each(&mut session.observers, |observer| observer.committed(event.seq));
        Ok(session)
    }

    /// Takes up a run: acquires it, checks its chain and replays it. Nothing is recorded yet; whoever goes on with the
    /// run calls [`Session::adopt`].
    pub async fn open(
        journal: SharedJournal,
        clock: Arc<dyn Clock>,
        owner: Owner,
        observers: Vec<Box<dyn Observer>>,
        id: &RunId,
    ) -> Result<Session, SessionError> {
        let end = end_of_lease(&*clock);
        let lease = journal.acquire(id, &owner, clock.now(), end.shown).await?;
        let taken_up = || {
            let mut attempts_under_way = 0;
            let (run, row) = replay(&*journal, id, &mut |run, event| count_attempts(&mut attempts_under_way, run, &event.fact))?;
            Ok((run, row, journal.open_decisions(&DecisionFilter::of(id))?, attempts_under_way))
        };
        let (run, row, open, attempts_under_way) = match taken_up() {
            Ok(taken_up) => taken_up,
            Err(error) => {
                // The lease ends by itself where this does not arrive.
                let _ = journal.release(&lease).await;
                return Err(error);
            }
        };
        let (head, summary, listed) = (row.head, row.summary.clone(), row.summary);
        let holder = Holder::new(clock.clone(), end);
        let (waiting, commits) = <(Waiting, Commits)>::default();
        let recorded = (run.last_at(), clock.passed());
        let awaiting = run.listening_at().cloned().collect();
        Ok(Session {
            journal,
            clock,
            observers,
            lease,
            holder,
            run,
            recorded,
            head,
            summary,
            listed,
            open,
            awaiting,
            attempts_under_way,
            waiting,
            commits,
            released: false,
        })
    }

    pub fn id(&self) -> &RunId {
        &self.lease.run
    }

    pub fn run(&self) -> &Run {
        &self.run
    }

    pub fn journal(&self) -> &SharedJournal {
        &self.journal
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The time of the run: the clock's, but never before what is recorded, and never slower than what really passes. A clock
    /// that is set back stops no run.
    pub fn now(&self) -> Timestamp {
        let (at, then) = self.recorded;
        let least = at.saturating_add(self.clock.passed().saturating_sub(then)).unwrap_or(Timestamp::MAX);
        // In whole milliseconds, as the clock: finer digits only make records longer.
        let least = Timestamp::from_millisecond(least.as_millisecond()).unwrap_or(least).max(at);
        self.clock.now().max(least)
    }

    /// The hash of the last fact: what a vote and an anchor name.
    pub fn head(&self) -> &Digest {
        &self.head
    }

    /// Adds an observer for the facts to come.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observers.push(observer);
    }

    /// Records that this process goes on with the run. Gives the attempts that were under way when the last owner stopped:
    /// each must be recorded as finished with an unknown end.
    pub fn adopt(&mut self, by: Identity) -> Result<Vec<(StepPath, u32)>, SessionError> {
        self.record(Fact::RunAdopted { by, epoch: self.lease.epoch })?;
        Ok(self.run.under_way())
    }

    /// Writes down one fact, gives it to the run and to the observers, and returns the commands that it adds. It is in
    /// memory until the next commit. Where a step's values are too large for an event, its failure is recorded instead; any
    /// other fact that is too large, or that the run does not allow, leaves everything as it was.
    pub fn record(&mut self, fact: Fact) -> Result<Vec<Command>, SessionError> {
        self.may_record()?;
        let seq = self.run.seq() + 1;
        if seq > limits::RUN_EVENTS {
            return Err(SessionError::TooLong(self.lease.run.clone()));
        }
        let at = self.now();
        let fact = asking(fact, &self.run, at, &*self.journal)?;
        let mut event = Event { run: self.lease.run.clone(), seq, at, fact };
        let record = match Record::encode(&event, &self.head) {
            Err(JournalError::TooLarge { seq, kind, bytes }) => {
                event.fact = event.fact.instead(bytes).ok_or(JournalError::TooLarge { seq, kind, bytes })?;
                Record::encode(&event, &self.head)?
            }
            encoded => encoded?,
        };
        let commands = self.run.apply(&event)?;
        self.recorded = (at, self.clock.passed());
        self.head = record.hash.clone();
        self.summary.apply(&event);
        count_attempts(&mut self.attempts_under_way, &self.run, &event.fact);
        self.tell(&event, &record);
        self.waiting.records.push(record);
        Ok(commands)
    }

    /// Commits what was recorded, and returns once it is on the disk. May be dropped and called again.
    pub async fn flush(&mut self) -> Result<(), SessionError> {
        self.commit(Durability::Synced).await
    }

    /// Commits what was recorded so that other processes see it, without the cost of a sync.
    pub async fn publish(&mut self) -> Result<(), SessionError> {
        self.commit(Durability::Visible).await
    }

    async fn commit(&mut self, durability: Durability) -> Result<(), SessionError> {
        self.settle().await?;
        let phase = self.phase();
        self.write(durability, phase).await
    }

    /// How the run stands while this session holds it.
    fn phase(&self) -> Phase {
        match () {
            () if self.run.outcome().is_some() => Phase::Ended,
            () if self.run.is_paused() => Phase::Paused,
            () if self.run.is_cancelled() => Phase::Cancelling,
            () if self.attempts_under_way == 0 && self.awaits() => Phase::Waiting,
            () => Phase::Running,
        }
    }

    /// Whether people must decide, or an event must come.
    fn awaits(&self) -> bool {
        self.run.listens() || self.run.decisions().iter().any(|decision| decision.is_open())
    }

    async fn write(&mut self, durability: Durability, phase: Phase) -> Result<(), SessionError> {
        self.may_record()?;
        let owed = self.commits.unsynced && durability == Durability::Synced;
        if self.waiting.is_empty() && phase == self.summary.phase && !owed {
            return Ok(());
        }
        self.summary.phase = phase;
        let run = &self.lease.run;
        let open: Vec<_> = self.run.decisions().iter().filter(|d| d.is_open()).map(|d| OpenDecision::of(run, d)).collect();
        let changed = open != self.open;
        if changed {
            self.open.clone_from(&open);
        }
        let awaited = (!self.run.listening_at().eq(&self.awaiting)).then(|| self.run.listening());
        if awaited.is_some() {
            self.awaiting = self.run.listening_at().cloned().collect();
        }
        let relisted = (self.summary != self.listed).then(|| self.summary.clone());
        if relisted.is_some() {
            self.listed.clone_from(&self.summary);
        }
        self.commits.unsynced = durability == Durability::Visible;
        let Waiting { records, answers } = std::mem::take(&mut self.waiting);
        tell_each(&mut self.observers, |observer| observer.committing());
        let receipt = self.journal.append(Append {
            run: run.clone(),
            epoch: self.lease.epoch,
            durability,
            records,
            summary: relisted,
            open: changed.then_some(open),
            awaited,
            answers,
        });
        self.commits.in_flight = Some(InFlight { receipt, durability, seq: self.run.seq() });
        self.settle().await
    }

    /// Waits for a commit that is under way: a caller may have stopped waiting for it, and it happens all the same.
    async fn settle(&mut self) -> Result<(), SessionError> {
        let Some(commit) = self.commits.in_flight.as_mut() else { return Ok(()) };
        let (result, durability, seq) = ((&mut commit.receipt).await, commit.durability, commit.seq);
        self.commits.in_flight = None;
        if let Err(error) = result {
            self.commits.failed = Some(error.clone());
            return Err(error.into());
        }
        if durability == Durability::Synced {
            tell_each(&mut self.observers, |observer| observer.committed(seq));
        }
        Ok(())
    }

    fn may_record(&self) -> Result<(), SessionError> {
        self.commits.failed.as_ref().map_or(Ok(()), |error| Err(SessionError::Stopped(error.clone())))
    }

    /// Lengthens the lease; to be called every [`limits::LEASE_RENEWAL`]. A session whose run was taken over records
    /// nothing further. A disk that is full or busy at this moment ends nothing: until somebody takes the run, it is ours.
    pub async fn renew(&mut self) -> Result<(), SessionError> {
        match self.lengthen().await {
            Err(SessionError::Journal(JournalError::Full { .. } | JournalError::Busy { .. })) => Ok(()),
            lengthened => lengthened,
        }
    }

    /// Makes sure that the run still belongs to this process, before it acts: one that was stopped for longer than its lease
    /// may have lost it without knowing.
    pub async fn hold(&mut self) -> Result<(), SessionError> {
        while !self.holder.is_sure() {
            self.lengthen().await?;
        }
        Ok(())
    }

    /// The right to act, for those who act for this session.
    pub fn right_to_act(&self) -> Hold {
        self.holder.hold()
    }

    async fn lengthen(&mut self) -> Result<(), SessionError> {
        self.may_record()?;
        let end = end_of_lease(&*self.clock);
        let lengthened = self.journal.renew(&self.lease, end.shown).await;
        match &lengthened {
            Ok(()) => self.holder.lengthen(end),
            Err(error @ JournalError::Stale { .. }) => self.commits.failed = Some(error.clone()),
            Err(_) => {}
        }
        Ok(lengthened?)
    }

    /// Commits what was recorded and gives the run up. One with nothing under way is parked from then on.
    pub async fn close(mut self) -> Result<(), SessionError> {
        self.settle().await?;
        let phase = match self.phase() {
            Phase::Running | Phase::Cancelling if self.attempts_under_way == 0 => Phase::Parked,
            phase => phase,
        };
        self.leave(phase).await
    }

    /// The same for whoever has taken a run only to add to its record: of one whose process has died, nobody has parked it.
    async fn close_as_found(mut self, found: Phase) -> Result<(), SessionError> {
        self.settle().await?;
        let under_way = matches!(found, Phase::Running | Phase::Cancelling);
        match self.phase() {
            phase @ (Phase::Running | Phase::Cancelling) if under_way => self.leave(phase).await,
            _ => self.close().await,
        }
    }

    async fn leave(&mut self, phase: Phase) -> Result<(), SessionError> {
        self.write(Durability::Synced, phase).await?;
        // All is recorded; a lease that cannot be given back now ends by itself.
        self.released = self.journal.release(&self.lease).await.is_ok();
        Ok(())
    }

    /// Takes a lock of the workspace for this run. `LockTaken` is recorded after that.
    pub fn take_lock(&self, lock: &str) -> Receipt<LockOutcome> {
        self.journal.take_lock(&self.lease, lock)
    }

    /// Whether some process is at work on a run.
    pub fn is_driven(&self, run: &RunId) -> Result<bool, SessionError> {
        let row = self.journal.run(run)?;
        Ok(row.holder.is_some_and(|holder| holder.is_live(self.clock.now())))
    }

    /// Messages that wait for an answer, oldest first.
    pub fn letters(&self) -> Result<Vec<Letter>, SessionError> {
        let mut letters = self.journal.inbox(&self.lease.run)?;
        letters.retain(|letter| self.waiting.answers.iter().all(|(id, _)| *id != letter.id));
        Ok(letters)
    }

    /// Keeps the answer to a letter; it is committed with the facts recorded so far.
    pub fn reply(&mut self, letter: MessageId, answer: Answer) {
        self.waiting.answers.push((letter, answer));
    }

    /// Answers the letters that wait, for whoever holds a run without driving it. What follows from them is left to a driver.
    pub async fn answer_letters(&mut self) -> Result<(), SessionError> {
        for letter in self.letters()? {
            let received = self.receive(letter.message)?;
            self.reply(letter.id, received.answer);
        }
        self.flush().await
    }

    /// Records what a message asks for, where the workspace's policy and the run allow it. What is due by now comes first: a
    /// run that nobody drives must not take a vote whose time is over.
    pub fn receive(&mut self, message: Message) -> Result<Received, SessionError> {
        let mut commands = self.fire_due()?;
        let received = self.judge(message)?;
        commands.extend(received.commands);
        Ok(Received { answer: received.answer, commands })
    }

    /// Records every timer of the run whose time has come.
    fn fire_due(&mut self) -> Result<Vec<Command>, SessionError> {
        let now = self.now();
        let mut commands = Vec::new();
        for wake in self.run.pending() {
            if let Command::Wake { timer, at } = &wake
                && *at <= now
                && self.run.wants(&wake)
            {
                commands.extend(self.record(Fact::fired(timer.clone()))?);
            }
        }
        Ok(commands)
    }

    fn judge(&mut self, mut message: Message) -> Result<Received, SessionError> {
        let refused = |why: String| Ok(Received { answer: Answer::Refused { why }, commands: Vec::new() });
        // What was decided ahead is found in the journal, and is nobody's claim.
        if let Message::Decide { vote, .. } = &mut message {
            (vote.ahead, vote.terms) = (None, None);
        }
        let notice = match permit(&self.run, &self.lease.run, &message) {
            Ok(notice) => notice,
            Err(why) => return refused(why),
        };
        if let Message::Decide { vote, .. } = &mut message {
            vote.notice = notice;
        }
        let fact = match &message {
            Message::Decide { decision, vote } => match self.run.check_vote(*decision, vote) {
                Err(refusal) => return refused(refusal.to_string()),
                Ok(Verdict::AlreadySaid) => {
                    return Ok(Received { answer: Answer::Accepted { seq: self.run.seq() }, commands: Vec::new() });
                }
                Ok(Verdict::Record(fact)) => fact,
            },
            Message::Event { occurrence } => match self.run.hear(occurrence) {
                Err(why) => return refused(why),
                Ok(None) => return Ok(Received { answer: Answer::Accepted { seq: self.run.seq() }, commands: Vec::new() }),
                Ok(Some(fact)) => fact,
            },
            _ => match message.into_fact() {
                Some(fact) => fact,
                None => return refused("it is no wish of anybody".to_owned()),
            },
        };
        let voided = match &fact {
            Fact::DecisionVoided { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        match self.record(fact) {
            Ok(commands) => {
                let answer = match voided {
                    Some(why) => Answer::Refused { why },
                    None => Answer::Accepted { seq: self.run.seq() },
                };
                Ok(Received { answer, commands })
            }
            Err(SessionError::Illegal(illegal)) => refused(illegal.why),
            Err(SessionError::Journal(error @ JournalError::TooLarge { .. })) => refused(error.to_string()),
            Err(error) => Err(error),
        }
    }

    /// Spends one use of a decision made ahead; false where none is left. To be spent before the vote that it gives is
    /// recorded: a crash in between loses a use and never adds one.
    pub fn use_ahead(&self, id: AheadId) -> Receipt<bool> {
        self.journal.use_ahead(&self.lease, id)
    }

    fn tell(&mut self, event: &Event, record: &Record) {
        let run = &self.run;
        tell_each(&mut self.observers, |observer| observer.observe(run, event, record));
    }
}

/// One that panics is told nothing any more; the run goes on.
fn tell_each(observers: &mut Vec<Box<dyn Observer>>, mut tell: impl FnMut(&mut dyn Observer)) {
    observers.retain_mut(|observer| catch_unwind(AssertUnwindSafe(|| tell(&mut **observer))).is_ok());
}

impl Drop for Session {
    /// Gives the run up at once; a process that dies instead leaves a lease that others see through.
    fn drop(&mut self) {
        if !self.released {
            drop(self.journal.release(&self.lease));
        }
    }
}

/// When a lease ends that is asked for now.
fn end_of_lease(clock: &dyn Clock) -> End {
    let now = clock.now();
    End { shown: now.saturating_add(limits::LEASE).unwrap_or(now), passed: clock.passed() + limits::LEASE }
}

/// Counts those that somebody performs. `run` has taken the fact.
fn count_attempts(under_way: &mut usize, run: &Run, fact: &Fact) {
    let listens = |path| run.find_step(path).is_some_and(|step| matches!(step.step().verb, Verb::Listen(_)));
    match fact {
        Fact::AttemptStarted { path, .. } if !listens(path) => *under_way += 1,
        Fact::AttemptFinished { path, .. } if !listens(path) => *under_way = under_way.saturating_sub(1),
        _ => {}
    }
}

/// Replays a run from the journal without owning it, and shows every event with the run as it was then. The chain is
/// checked on the way.
pub fn replay(
    journal: &dyn crate::journal::Archive,
    id: &RunId,
    visit: &mut dyn FnMut(&Run, &Event),
) -> Result<(Run, RunRow), SessionError> {
    let row = journal.run(id)?;
    let damaged = |what: String| JournalError::Damaged { what };
    let plan = recorded_plan(journal, id, &row)?;
    let mut run = Run::new(Arc::new(plan));
    let mut head = chain::genesis(row.format, id);
    for record in records_to(journal, id, row.seq) {
        let record = record?;
        if record.is_removed() {
            return Err(JournalError::Compacted(id.clone()).into());
        }
        if !record.follows(&head) {
            return Err(damaged(format!("event {} of run {id} is not what was recorded", record.seq)).into());
        }
        let event = record.decode(row.format)?;
        head = record.hash;
        if let Fact::RunStarted(started) = &event.fact
            && started.plan != row.plan
        {
            let (recorded, given) = (started.plan.clone(), row.plan);
            return Err(SessionError::OtherPlan { run: id.clone(), recorded, given });
        }
        run.apply(&event)?;
        visit(&run, &event);
    }
    if run.seq() != row.seq {
        return Err(damaged(format!("run {id} ends after event {} of {}", run.seq(), row.seq)).into());
    }
    if head != row.head {
        return Err(damaged(format!("run {id} does not end as it was recorded")).into());
    }
    Ok((run, row))
}

/// The plan of a run, which must be the one that its row names.
fn recorded_plan(journal: &dyn crate::journal::Archive, id: &RunId, row: &RunRow) -> Result<Plan, SessionError> {
    let unreadable = |e: serde_json::Error| JournalError::Damaged { what: format!("plan {}: {e}", row.plan) };
    let text = journal.plan(&row.plan)?;
    let plan: Plan = serde_json::from_str(&text).map_err(unreadable)?;
    if Digest::of_bytes(text.as_bytes()) != row.plan && plan.digest().map_err(unreadable)? != row.plan {
        // The version that wrote it may have known fields that this one does not, or not those that this one has.
        let written: serde_json::Value = serde_json::from_str(&text).map_err(unreadable)?;
        let given = Digest::of_json(&written).map_err(unreadable)?;
        if given != row.plan {
            return Err(SessionError::OtherPlan { run: id.clone(), recorded: row.plan.clone(), given });
        }
    }
    Ok(plan)
}

#[cfg(test)]
pub(crate) mod tests;
