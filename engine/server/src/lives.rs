//! Looks after runs that nobody drives: those that events started, those whose process died, and those that wait for people or for time.
//! A run that can go on is queued by its impact and driven; one that waits is an id, a number and a time.
//!
//! A run that somebody parked or paused is theirs. What changes a run is found in the journal, whoever wrote it there: a decision from
//! another process wakes its run as one from this process does.

mod assess;
mod drive;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use runbook_core::document::procedure::Impact;
use runbook_core::{RunId, limits};
use runbook_engine::driver::Wish;
use runbook_engine::journal::{DecisionFilter, JournalError, Owner, Phase, RunFilter, RunRow, every_run};
use runbook_engine::session::SessionError;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::health::Topic;
use crate::traces::Traces;
use crate::{App, Left};
use assess::{Assessed, assess};
use drive::{Driven, drive};

/// What others want of whoever looks after runs.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Look after this run, from now until it ends.
    Keep(RunId),
}

/// What is known of a run that is left alone.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The number of its last event when it was last left: as long as that is so, nothing has changed. 0 where that is not known.
    seq: u64,
    /// When it is looked at again, whatever happens.
    due: Option<Timestamp>,
}

struct Lives {
    app: Arc<App>,
    owner: Owner,
    ended: UnboundedSender<RunId>,
    traces: Traces,
    known: HashMap<RunId, Known>,
    /// The same by their time.
    due: BTreeSet<(Timestamp, RunId)>,
    /// Runs whose time has come, and whose record is to be read before any other: the one that was due first comes first.
    called: VecDeque<RunId>,
    /// Runs whose record is to be read, to see what they wait for.
    unread: VecDeque<RunId>,
    reading: JoinSet<(RunId, Result<Assessed, SessionError>)>,
    /// Runs that can go on, those of the highest impact first, then by their turn.
    queue: BTreeSet<(Reverse<Impact>, u64, RunId)>,
    queued: HashSet<RunId>,
    turns: u64,
    driven: HashMap<RunId, UnboundedSender<Wish>>,
    drives: JoinSet<Driven>,
    of_task: HashMap<Id, RunId>,
    /// Up to which record the journal was looked at.
    place: u64,
    version: Option<u64>,
    swept: Option<Instant>,
}

/// Until the server stops, and then until nothing is under way. `ended` is told of every run that ends. Gives the runs in whose midst
/// it stopped.
pub async fn live(
    app: Arc<App>,
    traces: Traces,
    mut asked: UnboundedReceiver<Ask>,
    ended: UnboundedSender<RunId>,
    at_once: CancellationToken,
) -> Vec<Left> {
    let mut lives = Lives {
        owner: app.owner(),
        ended,
        traces,
        known: HashMap::new(),
        due: BTreeSet::new(),
        called: VecDeque::new(),
        unread: VecDeque::new(),
        reading: JoinSet::new(),
        queue: BTreeSet::new(),
        queued: HashSet::new(),
        turns: 0,
        driven: HashMap::new(),
        drives: JoinSet::new(),
        of_task: HashMap::new(),
        place: 0,
        version: None,
        swept: None,
        app,
    };
    let begun = tokio::task::block_in_place(|| lives.begin());
    lives.report(begun);
    let stop = lives.app.stop.clone();
    let mut next_look = tokio::time::Instant::now();
    loop {
        lives.wake_due();
        lives.read_next();
        lives.drive_next();
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            // However much else there is to do.
            () = tokio::time::sleep_until(next_look) => {
                let looked = tokio::task::block_in_place(|| lives.look());
                lives.report(looked);
                next_look = tokio::time::Instant::now() + limits::RUNS_LOOK;
            }
            Some(done) = lives.drives.join_next_with_id() => lives.stopped(done),
            Some(read) = lives.reading.join_next() => lives.read(read),
            Some(ask) = asked.recv() => {
                let Ask::Keep(run) = ask;
                lives.keep(run);
            }
        }
    }
    lives.drain(&at_once).await
}

impl Lives {
    /// Finds what there is to look after when the server starts.
    fn begin(&mut self) -> Result<(), JournalError> {
        self.place = self.app.journal.place()?;
        // What events started, and has not ended as far as is written down.
        let mut ours = HashSet::new();
        for ruling in self.app.intake.live()? {
            if let Some(run) = ruling.decision.run() {
                ours.insert(run.clone());
                self.keep(run.clone());
            }
        }
        // Deadlines of decisions come first: to read thousands of records takes a while.
        let mut filter = DecisionFilter { limit: limits::RECORDS_PAGE, ..DecisionFilter::all() };
        loop {
            let page = self.app.journal.open_decisions(&filter)?;
            let Some(last) = page.last() else { break };
            filter.after = Some((last.run.clone(), last.decision));
            for asked in page {
                let sooner = match (asked.expires_at, self.known.get(&asked.run).and_then(|known| known.due)) {
                    (Some(at), Some(due)) => Some(at.min(due)),
                    (at, due) => at.or(due),
                };
                self.know(asked.run, Known { seq: 0, due: sooner });
            }
        }
        // Of those that were parked, their record says whose they are.
        for phase in [Phase::Waiting, Phase::Parked] {
            self.each_of(phase, |lives, row| {
                if !ours.contains(&row.run) {
                    lives.keep(row.run);
                }
            })?;
        }
        Ok(())
    }

    /// A page at a time: there may be many.
    fn each_of(&mut self, phase: Phase, mut visit: impl FnMut(&mut Lives, RunRow)) -> Result<(), JournalError> {
        let journal = self.app.journal.clone();
        for row in every_run(&*journal, RunFilter { phase: Some(phase), ..RunFilter::default() }) {
            visit(self, row?);
        }
        Ok(())
    }

    fn report(&self, looked: Result<(), JournalError>) {
        if let Err(error) = looked
            && !self.app.is_fatal(&error)
        {
            self.app.health.trouble(Topic::Store, format!("the journal of runs cannot be read: {error}"));
        }
    }

    /// Looks which records have grown, and now and then for runs whose process has died.
    fn look(&mut self) -> Result<(), JournalError> {
        let metrics = &self.app.metrics;
        metrics.runs("driven", self.driven.len());
        metrics.runs("queued", self.queue.len());
        metrics.runs("waiting", self.known.len());
        let version = self.app.journal.version()?;
        if self.version != Some(version) {
            loop {
                let (runs, place) = self.app.journal.changed(self.place, limits::RECORDS_PAGE)?;
                if runs.is_empty() {
                    break;
                }
                for run in runs {
                    self.app.growth.tell(&run);
                    self.changed(run)?;
                }
                self.place = place;
            }
            // What could not be looked at is looked at again.
            self.version = Some(version);
        }
        if self.swept.is_none_or(|at| at.elapsed() >= limits::RUNS_SWEEP) {
            self.swept = Some(Instant::now());
            let now = self.app.clock.now();
            for phase in [Phase::Running, Phase::Cancelling] {
                self.each_of(phase, |lives, row| {
                    let run = &row.run;
                    let is_ours = lives.is_at_work(run) || lives.known.contains_key(run);
                    if !is_ours && !row.holder.is_some_and(|holder| holder.is_live(now)) {
                        tracing::info!(%run, "nobody drives a run that was under way");
                        lives.keep(row.run);
                    }
                })?;
            }
        }
        Ok(())
    }

    /// Something was added to the record of a run.
    fn changed(&mut self, run: RunId) -> Result<(), JournalError> {
        if self.is_at_work(&run) {
            return Ok(());
        }
        let row = match self.app.journal.run(&run) {
            Ok(row) => row,
            Err(error) if error.is_of_one_run() => {
                tracing::warn!(%run, %error, "a run is left alone");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        match (row.summary.phase, self.known.get(&run)) {
            (Phase::Ended, known) => {
                // Those that ended here are counted.
                if let (Some(_), Some(outcome)) = (known, row.summary.outcome) {
                    self.app.metrics.ended(row.summary.procedure.as_str(), outcome.name());
                }
                self.over(run);
            }
            (_, Some(known)) if known.seq != row.seq => self.keep(run),
            // Somebody else's, from now on with a time to keep.
            (Phase::Waiting, None) => self.keep(run),
            _ => {}
        }
        Ok(())
    }

    /// Whether it is driven here, or is about to be.
    fn is_at_work(&self, run: &RunId) -> bool {
        self.driven.contains_key(run) || self.queued.contains(run)
    }

    /// Sees to it that a run is looked at soon.
    fn keep(&mut self, run: RunId) {
        if !self.known.contains_key(&run) {
            self.know(run.clone(), Known::default());
        }
        if !self.is_at_work(&run) {
            self.unread.push_back(run);
        }
    }

    fn know(&mut self, run: RunId, known: Known) {
        self.forget(&run);
        if let Some(at) = known.due {
            self.due.insert((at, run.clone()));
        }
        self.known.insert(run, known);
    }

    fn forget(&mut self, run: &RunId) {
        if let Some(Known { due: Some(at), .. }) = self.known.remove(run) {
            self.due.remove(&(at, run.clone()));
        }
    }

    fn over(&mut self, run: RunId) {
        self.forget(&run);
        self.traces.ended(&run);
        let _ = self.ended.send(run);
    }

    fn wake_due(&mut self) {
        let now = self.app.clock.now();
        while let Some((at, run)) = self.due.first().cloned()
            && at <= now
        {
            self.due.pop_first();
            if let Some(known) = self.known.get_mut(&run) {
                known.due = None;
            }
            if !self.is_at_work(&run) {
                self.called.push_back(run);
            }
        }
    }

    /// One at a time: a record is read whole.
    fn read_next(&mut self) {
        while self.reading.is_empty()
            && let Some(run) = self.called.pop_front().or_else(|| self.unread.pop_front())
        {
            if self.is_at_work(&run) || !self.known.contains_key(&run) {
                continue;
            }
            let app = self.app.clone();
            let since = self.known.get(&run).map_or(0, |known| known.seq);
            self.reading.spawn_blocking(move || {
                let assessed = assess(&*app.journal, app.clock.now(), &run, since);
                (run, assessed)
            });
        }
    }

    fn read(&mut self, read: Result<(RunId, Result<Assessed, SessionError>), JoinError>) {
        // It panicked on one record, and that one is not read again.
        let Ok((run, assessed)) = read else { return };
        let soon = self.app.clock.now().saturating_add(limits::RUN_RETRY).unwrap_or(Timestamp::MAX);
        // Somebody has asked for it since it was read: it is read again, and what it was is no reason to let go of it.
        if matches!(assessed, Ok(Assessed::Ended | Assessed::Theirs)) && (self.called.contains(&run) || self.unread.contains(&run))
        {
            return;
        }
        match assessed {
            Ok(Assessed::Ended) => self.over(run),
            Ok(Assessed::Ready { impact }) => {
                self.forget(&run);
                self.turns += 1;
                self.queued.insert(run.clone());
                self.queue.insert((Reverse(impact), self.turns, run));
            }
            Ok(Assessed::Waiting { seq, until }) => self.know(run, Known { seq, due: until }),
            Ok(Assessed::Locked { seq }) => self.know(run, Known { seq, due: Some(soon) }),
            // What it was when it was left is still what it is held against; its deadlines stay.
            Ok(Assessed::Elsewhere { left_at }) => {
                let Known { seq, due } = self.known.get(&run).copied().unwrap_or_default();
                let due = due.map_or(soon, |due| due.min(soon));
                self.know(run, Known { seq: left_at.unwrap_or(seq), due: Some(due) });
            }
            Ok(Assessed::Theirs) => self.forget(&run),
            Err(SessionError::Journal(error)) if !error.is_of_one_run() => {
                tracing::error!(%run, %error, "a run cannot be read now");
                self.app.is_fatal(&error);
                self.know(run, Known { seq: 0, due: Some(soon) });
            }
            Err(why) => {
                tracing::error!(%run, %why, "a run cannot be read, and is left alone");
                self.know(run, Known::default());
            }
        }
    }

    fn drive_next(&mut self) {
        while self.driven.len() < limits::RUNS_DRIVEN
            && let Some((_, _, run)) = self.queue.pop_first()
        {
            self.queued.remove(&run);
            let (wishes, wished) = mpsc::unbounded_channel();
            let task = self.drives.spawn(drive(self.app.clone(), self.owner.clone(), run.clone(), wished)).id();
            self.of_task.insert(task, run.clone());
            self.driven.insert(run, wishes);
        }
    }

    fn stopped(&mut self, done: Result<(Id, Driven), JoinError>) {
        let (task, driven) = match done {
            Ok((task, driven)) => (task, driven),
            Err(error) => (error.id(), Driven::Failed { error: None, why: "the engine lost it: it panicked".to_owned() }),
        };
        let Some(run) = self.of_task.remove(&task) else { return };
        self.driven.remove(&run);
        let soon = self.app.clock.now().saturating_add(limits::RUN_RETRY).unwrap_or(Timestamp::MAX);
        match driven {
            Driven::Ended { procedure, outcome } => {
                self.app.metrics.ended(&procedure, outcome);
                tracing::info!(%run, outcome, "a run ended");
                self.over(run);
            }
            Driven::Waiting { seq, until } => {
                tracing::debug!(%run, ?until, "a run waits");
                self.know(run.clone(), Known { seq, due: until });
                // While it was let go, somebody may have added to it.
                let grown = tokio::task::block_in_place(|| self.changed(run));
                self.report(grown);
            }
            Driven::Locked { seq } => self.know(run, Known { seq, due: Some(soon) }),
            Driven::Elsewhere => self.know(run, Known { seq: 0, due: Some(soon) }),
            Driven::Impossible { seq, why } => {
                tracing::error!(%run, why, "a run cannot go on here, and is left alone until something is added to it");
                self.know(run, Known { seq, due: None });
            }
            Driven::Failed { error, why } => {
                tracing::error!(%run, why, "a run could not be driven, and is tried again");
                error.map(|error| self.app.is_fatal(&error));
                self.know(run, Known { seq: 0, due: Some(soon) });
            }
        }
    }

    /// Lets what is under way end, starts nothing further, and gives what is not done in time.
    async fn drain(mut self, at_once: &CancellationToken) -> Vec<Left> {
        for wishes in self.driven.values() {
            let _ = wishes.send(Wish::Park);
        }
        if !self.driven.is_empty() {
            tracing::info!(runs = self.driven.len(), "stopping: waiting for steps under way");
        }
        let until = tokio::time::Instant::now() + limits::DRAIN;
        while !self.drives.is_empty() {
            tokio::select! {
                biased;
                () = at_once.cancelled() => break,
                () = tokio::time::sleep_until(until) => break,
                Some(done) = self.drives.join_next_with_id() => self.stopped(done),
            }
        }
        let left: Vec<Left> = self.driven.keys().map(|run| self.left(run)).collect();
        self.drives.shutdown().await;
        let waiting = self.known.len() + self.queue.len();
        tracing::info!(waiting, left = left.len(), "stopped");
        left
    }

    fn left(&self, run: &RunId) -> Left {
        let steps = runbook_engine::session::replay(&*self.app.journal, run, &mut |_, _| {}).map(|(run, _)| run.under_way());
        let steps = steps.unwrap_or_default().into_iter().map(|(path, _)| path).collect();
        let left = Left { run: run.clone(), steps };
        let steps: Vec<&str> = left.steps.iter().map(|step| step.as_str()).collect();
        tracing::error!(%run, steps = steps.join(", "), "left in its midst: `runbook resume` says what is not known");
        left
    }
}
