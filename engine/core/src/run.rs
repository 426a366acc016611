//! The state machine of a run: events in, commands out.
//!
//! [`Run::apply`] is the only way in which a run changes, and replaying its events is the same function, so what was live
//! and what is recovered cannot differ. Nothing is evaluated while applying: a step is *resolved* by a pure method that gives
//! an event, and the event holds what came out. Commands are derived from the state; an event that answers no command
//! and is no message from outside is an [`IllegalEvent`].
//!
//! Deliberately absent: clocks, randomness (the seed is in `RunStarted`), I/O, and any knowledge of how a command is done.

pub mod acknowledgement;
pub mod command;
pub mod decision;
pub(crate) mod essence;
pub mod event;
mod future;
mod impossible;
pub mod listen;
mod names;
mod oversize;
mod paths;
mod preview;
mod prospect;
mod resolve;
mod schedule;
pub mod start;
mod state;
mod step;
pub mod task;
mod unwind;
pub mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

pub use command::Command;
pub use decision::Refusal;
pub use event::{Event, Fact};
pub use future::{Future, Reach, Reads};
pub use impossible::{fits, leads_out};
pub(crate) use prospect::may_not_come;
pub use prospect::{Assumed, Prospect};
pub(crate) use start::Given;

use crate::id::{DecisionId, Id, RunId, StepPath};
use crate::plan::{Plan, ProcedureIx};
use decision::Decision;
use event::{Identity, Outcome, OutcomeKind, Resolution, RunStarted, StepOutcome, Timer};
use paths::Paths;
use state::{
    End, FailKind, Frame, FrameIx, Lane, LaneIx, Node, NodeIx, Scope, ScopeIx, ScopeKind, Stage, State, Undoable, Unwinding,
};

/// An event that the state does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} ({kind}) is not possible here: {why}")]
pub struct IllegalEvent {
    pub seq: u64,
    pub kind: &'static str,
    pub why: String,
}

/// One run of a plan: the sum of its events.
#[derive(Clone, Debug)]
pub struct Run {
    plan: Arc<Plan>,
    id: Option<RunId>,
    seq: u64,
    now: Timestamp,
    started: Option<Arc<RunStarted>>,
    started_at: Option<Timestamp>,
    frames: Vec<Frame>,
    /// Shared among the copies of a run, as the decisions are, until one of them changes its own: predictions copy runs at every turn.
    nodes: Vec<Arc<Node>>,
    lanes: Vec<Lane>,
    scopes: Vec<Scope>,
    by_path: Paths,
    /// The step that was begun last, or that the last event was about: mostly the next one is about the same.
    at_hand: Option<NodeIx>,
    decisions: Vec<Arc<Decision>>,
    /// Open decisions by whose question they answer.
    asked: BTreeMap<Asker, DecisionId>,
    undoable: Vec<Undoable>,
    unwinding: Unwinding,
    cancel: Option<Cancel>,
    paused: bool,
    outcome: Option<Outcome>,
    wants: BTreeMap<Key, Command>,
    /// Wants that the event being applied has added.
    fresh: Vec<Key>,
    /// Steps that the last event has ended.
    ended: Vec<NodeIx>,
    /// Steps that wait for an event.
    listens: Vec<NodeIx>,
    /// Of a prediction, the ids of steps that a run may have ended before they gave anything: what stands beside them ended the whole,
    /// and how long anything takes is not known.
    cut: BTreeMap<(ScopeIx, Id), bool>,
    /// Of a prediction, whether the last event has failed the one item that stands for all of a loop, and the loop has borne it; and
    /// whether it is not to.
    borne_for_all: bool,
    bears_none: bool,
    /// Of a prediction: steps whose end somebody tells.
    foretold: BTreeSet<StepPath>,
    /// Of each procedure, whether a failure can lead a run of it past steps: see [`Plan::is_jumped`].
    jumped: Arc<[bool]>,
}

#[derive(Clone, Debug, PartialEq)]
struct Cancel {
    by: Identity,
    undo: bool,
    reason: String,
}

/// What a command is about; a state wants each at most once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Lock,
    Stop(NodeIx),
    Conclude(NodeIx),
    Resolve(NodeIx),
    Judge(NodeIx),
    Perform(NodeIx),
    /// Of a step, of the run as a whole (`None`), or of a failed undo.
    Request(Asker),
    Await(DecisionId),
    Wake(Timer),
    Finish,
}

/// Whose question a decision answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asker {
    Run,
    Undo,
    Node(NodeIx),
}

/// Two runs are equal if they are in the same state: whatever can happen to one can happen to the other.
impl PartialEq for Run {
    fn eq(&self, other: &Run) -> bool {
        let same_plan = Arc::ptr_eq(&self.plan, &other.plan) || self.plan.digest().ok() == other.plan.digest().ok();
        same_plan
            && (&self.id, self.seq, self.now, &self.started, self.started_at)
                == (&other.id, other.seq, other.now, &other.started, other.started_at)
            && (&self.frames, &self.nodes, &self.lanes, &self.scopes) == (&other.frames, &other.nodes, &other.lanes, &other.scopes)
            && (&self.by_path, &self.decisions, &self.asked) == (&other.by_path, &other.decisions, &other.asked)
            && (&self.undoable, &self.unwinding, &self.cancel) == (&other.undoable, &other.unwinding, &other.cancel)
            && (self.paused, &self.outcome, &self.wants) == (other.paused, &other.outcome, &other.wants)
    }
}

impl Run {
    pub fn new(plan: Arc<Plan>) -> Run {
        let procedures = (0..).map(ProcedureIx).zip(&plan.procedures);
        Run {
            jumped: procedures.map(|(procedure, _)| plan.is_jumped(procedure, None)).collect(),
            plan,
            id: None,
            seq: 0,
            now: Timestamp::UNIX_EPOCH,
            started: None,
            started_at: None,
            frames: Vec::new(),
            nodes: Vec::new(),
            lanes: Vec::new(),
            scopes: Vec::new(),
            by_path: Paths::default(),
            at_hand: None,
            decisions: Vec::new(),
            asked: BTreeMap::new(),
            undoable: Vec::new(),
            unwinding: Unwinding::default(),
            cancel: None,
            paused: false,
            outcome: None,
            wants: BTreeMap::new(),
            fresh: Vec::new(),
            ended: Vec::new(),
            listens: Vec::new(),
            cut: BTreeMap::new(),
            borne_for_all: false,
            bears_none: false,
            foretold: BTreeSet::new(),
        }
    }

    pub fn replay(plan: Arc<Plan>, events: &[Event]) -> Result<Run, IllegalEvent> {
        let mut run = Run::new(plan);
        for event in events {
            run.apply(event)?;
        }
        Ok(run)
    }

    /// Takes one fact and gives the commands that it adds. A refused event changes nothing.
    pub fn apply(&mut self, event: &Event) -> Result<Vec<Command>, IllegalEvent> {
        self.allows(event).map_err(|why| IllegalEvent { seq: event.seq, kind: event.fact.kind(), why })?;
        let paused = self.paused;
        self.seq = event.seq;
        self.now = event.at;
        self.fresh.clear();
        self.ended.clear();
        self.take(event);
        // Resumed, or cancelled while paused: what was held back is wanted again.
        if paused && !self.paused {
            return Ok(self.pending());
        }
        let fresh = std::mem::take(&mut self.fresh);
        Ok(fresh.into_iter().filter_map(|key| self.wants.get(&key)).filter(|c| self.may_go_on(c)).cloned().collect())
    }

    /// Every command that the state wants answered, oldest kind of need first.
    pub fn pending(&self) -> Vec<Command> {
        self.wanted().cloned().collect()
    }

    /// The same, to look at.
    pub fn wanted(&self) -> impl Iterator<Item = &Command> {
        self.wants.values().filter(|c| self.may_go_on(c))
    }

    /// Whether the state still wants this command answered: one that was given earlier may have lost its object.
    pub fn wants(&self, command: &Command) -> bool {
        let node = |path: &StepPath, key: fn(NodeIx) -> Key| self.node_at(path).map(key);
        let key = match command {
            Command::TakeLock { .. } => Some(Key::Lock),
            Command::Resolve { path } => node(path, Key::Resolve),
            Command::Perform { path, .. } => node(path, Key::Perform),
            Command::Stop { path, .. } => node(path, Key::Stop),
            Command::Conclude { path } => node(path, Key::Conclude),
            Command::Judge { path, .. } => node(path, Key::Judge),
            Command::Request { path, purpose } => self.asker(path.as_ref(), purpose).ok().map(Key::Request),
            Command::Await { decision } => Some(Key::Await(*decision)),
            Command::Wake { timer, .. } => Some(Key::Wake(timer.clone())),
            Command::Finish { .. } => Some(Key::Finish),
        };
        key.and_then(|key| self.wants.get(&key)).is_some_and(|wanted| wanted == command && self.may_go_on(wanted))
    }

    /// Whether a message from outside (cancel, pause, note, …) is possible now; the error says why not.
    pub fn check(&self, fact: &Fact) -> Result<(), Refusal> {
        let run = self.id.clone().ok_or_else(|| Refusal::NotNow("the run has not started".to_owned()))?;
        let event = Event { run, seq: self.seq + 1, at: self.now, fact: fact.clone() };
        self.allows(&event).map_err(Refusal::NotNow)
    }

    /// A paused run finishes what is under way and starts nothing.
    fn may_go_on(&self, command: &Command) -> bool {
        let starts = matches!(
            command,
            Command::Resolve { .. }
                | Command::Perform { .. }
                | Command::Judge { .. }
                | Command::Request { .. }
                | Command::TakeLock { .. }
        );
        !(self.paused && starts)
    }

    /// Whether `event` is possible now. Nothing is changed.
    fn allows(&self, event: &Event) -> Result<(), String> {
        let must = |holds: bool, why: &str| if holds { Ok(()) } else { Err(why.to_owned()) };
        must(event.seq == self.seq + 1, "it does not follow the event before it")?;
        must(event.at >= self.now, "it is older than the event before it")?;
        if let Fact::RunStarted(_) = event.fact {
            return must(self.started.is_none(), "the run has started already");
        }
        must(self.started.is_some(), "the run has not started")?;
        must(self.id.as_ref() == Some(&event.run), "it belongs to another run")?;
        match &event.fact {
            Fact::RunStarted(_) | Fact::NoteAdded { .. } | Fact::RunAdopted { .. } => Ok(()),
            Fact::LockTaken { lock } => must(
                self.wants.get(&Key::Lock) == Some(&Command::TakeLock { lock: lock.clone() }),
                "the run does not want this lock",
            ),
            // What was resolved may have become impossible by the time at which it would start.
            Fact::StepResolved { path, resolution: Resolution::Fail { .. } } => {
                self.wanting(path, Key::Resolve).or_else(|_| self.wanting(path, Key::Perform)).map(|_| ())
            }
            Fact::StepResolved { path, resolution } => {
                let node = self.wanting(path, Key::Resolve)?;
                must(self.fits(self.node(node).step, resolution), "a step of this verb cannot resolve to that")
            }
            Fact::AttemptStarted { path, attempt } => {
                let node = self.wanting(path, Key::Perform)?;
                must(*attempt == self.node(node).attempt + 1, "the attempts before it are missing")
            }
            Fact::AttemptFinished { path, attempt, .. } => {
                let node = self.find(path)?;
                let running = matches!(self.node(node).state, State::Running | State::Listening { .. });
                must(running && self.node(node).attempt == *attempt, "this attempt is not under way")
            }
            Fact::StepConcluded { path, .. } => self.wanting(path, Key::Conclude).map(|_| ()),
            Fact::ConditionJudged { path, round, .. } => {
                let node = self.wanting(path, Key::Judge)?;
                let wanted = Some(&Command::Judge { path: path.clone(), round: *round });
                must(self.wants.get(&Key::Judge(node)) == wanted, "another round is to be judged")
            }
            Fact::TimerFired { timer, unreached, .. } => match self.wants.get(&Key::Wake(timer.clone())) {
                Some(Command::Wake { at, .. }) => {
                    let early = unreached.is_some() && self.asks_others_next(timer);
                    must(early || event.at >= *at, "its time has not come")
                }
                _ => Err("the run does not wait for this timer".to_owned()),
            },
            Fact::DecisionRequested { decision, path, purpose, .. } => {
                let asker = self.asker(path.as_ref(), purpose)?;
                must(decision.0 as usize == self.decisions.len() + 1, "the decisions before it are missing")?;
                match self.wants.get(&Key::Request(asker)) {
                    Some(Command::Request { purpose: wanted, .. }) => {
                        must(wanted == purpose, "another decision is to be asked for")
                    }
                    _ => Err("no decision is to be asked for".to_owned()),
                }
            }
            Fact::Decided { decision, vote } => {
                let open = self.open_decision(*decision).ok_or("the decision is not open")?;
                must(open.request.choices.contains(&vote.choice), "the request does not offer this choice")?;
                must(open.request.digest == vote.digest, "the vote is about something else than what was asked")?;
                must(!open.votes.iter().any(|v| v.by.person == vote.by.person), "this person has voted already")
            }
            Fact::DecisionVoided { decision, .. } => must(self.open_decision(*decision).is_some(), "the decision is not open"),
            Fact::Acknowledged { decision, hold, .. } => self.allows_acknowledgement(*decision, *hold),
            Fact::CancelRequested { .. } => must(self.can_cancel(), "the run is not at a point where it can be cancelled"),
            Fact::PauseRequested { .. } => must(!self.paused && self.outcome.is_none(), "the run is not under way"),
            Fact::ResumeRequested { .. } => must(self.paused, "the run is not paused"),
            Fact::UndoRequested { .. } => {
                must(self.outcome.is_some(), "the run has not ended")?;
                must(!self.undoable.is_empty(), "there is nothing to undo")
            }
            Fact::RunFinished { outcome } => {
                // Only what it is: another version may have found other words for why.
                let so = |wanted: &Outcome| wanted.kind == outcome.kind && wanted.step == outcome.step;
                let wanted = self.wants.get(&Key::Finish);
                must(matches!(wanted, Some(Command::Finish { outcome }) if so(outcome)), "the run does not end so")
            }
        }
    }

    fn take(&mut self, event: &Event) {
        match &event.fact {
            Fact::RunStarted(started) => self.take_started(&event.run, started),
            Fact::LockTaken { .. } => {
                self.unwant(&Key::Lock);
                self.begin();
            }
            Fact::StepResolved { path, resolution } => self.at(path, |run, node| run.take_resolution(node, resolution)),
            Fact::AttemptStarted { path, .. } => self.at(path, Run::take_attempt_started),
            Fact::AttemptFinished { path, end, .. } => self.at(path, |run, node| run.take_attempt_end(node, end)),
            Fact::StepConcluded { path, outputs } => self.at(path, |run, node| run.take_conclusion(node, outputs)),
            Fact::ConditionJudged { path, holds, .. } => self.at(path, |run, node| run.take_judgement(node, holds)),
            Fact::TimerFired { timer, on_call, .. } => self.take_timer(timer, on_call),
            Fact::DecisionRequested { decision, path, purpose, request } => {
                self.take_request(*decision, path.as_ref(), purpose, request);
            }
            Fact::Decided { decision, vote } => self.take_vote(*decision, vote),
            Fact::DecisionVoided { decision, .. } => self.take_void(*decision),
            Fact::Acknowledged { decision, by, to, hold, .. } => self.take_acknowledgement(*decision, by, to.as_deref(), *hold),
            Fact::CancelRequested { by, undo, reason } => {
                self.take_cancel(Cancel { by: by.clone(), undo: *undo, reason: reason.clone() });
            }
            Fact::PauseRequested { .. } => self.paused = true,
            Fact::ResumeRequested { .. } => self.paused = false,
            Fact::UndoRequested { .. } => self.take_undo_request(),
            Fact::NoteAdded { .. } | Fact::RunAdopted { .. } => {}
            Fact::RunFinished { outcome } => {
                self.wants.clear();
                self.outcome = Some(outcome.clone());
                self.paused = false;
            }
        }
    }

    fn take_started(&mut self, id: &RunId, started: &RunStarted) {
        self.id = Some(id.clone());
        self.started_at = Some(self.now);
        self.started = Some(Arc::new(started.clone()));
        let scope = self.add_scope(Scope {
            parent: None,
            kind: ScopeKind::Procedure { frame: FrameIx(0) },
            steps: BTreeMap::new(),
            absent: BTreeMap::new(),
        });
        self.frames.push(Frame {
            procedure: ProcedureIx(0),
            caller: None,
            scope,
            inputs: started.inputs.clone(),
            prefix: Arc::from(""),
            stage: Stage::Body,
            lane: None,
            end: None,
        });
        if let Some(timeout) = self.plan.main().timeout {
            self.wake(Timer::Run, timeout);
        }
        match &started.lock {
            Some(lock) => self.want(Key::Lock, Command::TakeLock { lock: lock.clone() }),
            None => self.begin(),
        }
    }

    /// Runs `change` on the node at `path`; [`allows`](Run::allows) has made sure that there is one.
    fn at(&mut self, path: &StepPath, change: impl FnOnce(&mut Run, NodeIx)) {
        if let Some(node) = self.node_at(path) {
            self.at_hand = Some(node);
            change(self, node);
        }
    }

    /// The last step that was begun at this path.
    fn node_at(&self, path: &StepPath) -> Option<NodeIx> {
        let at_hand = self.at_hand.filter(|node| self.node(*node).path == *path);
        at_hand.or_else(|| self.by_path.get(path))
    }

    fn find(&self, path: &StepPath) -> Result<NodeIx, String> {
        self.node_at(path).ok_or_else(|| format!("there is no step `{path}` under way"))
    }

    fn wanting(&self, path: &StepPath, key: fn(NodeIx) -> Key) -> Result<NodeIx, String> {
        let node = self.find(path)?;
        if self.wants.contains_key(&key(node)) { Ok(node) } else { Err(format!("step `{path}` does not wait for this")) }
    }

    fn want(&mut self, key: Key, command: Command) {
        self.fresh.push(key.clone());
        self.wants.insert(key, command);
    }

    fn unwant(&mut self, key: &Key) {
        self.wants.remove(key);
    }

    fn wake(&mut self, timer: Timer, after: std::time::Duration) {
        let at = later(self.now, after);
        self.want(Key::Wake(timer.clone()), Command::Wake { timer, at });
    }

    fn node(&self, ix: NodeIx) -> &Node {
        &self.nodes[ix.0 as usize]
    }

    fn node_mut(&mut self, ix: NodeIx) -> &mut Node {
        Arc::make_mut(&mut self.nodes[ix.0 as usize])
    }

    fn lane(&self, ix: LaneIx) -> &Lane {
        &self.lanes[ix.0 as usize]
    }

    fn lane_mut(&mut self, ix: LaneIx) -> &mut Lane {
        &mut self.lanes[ix.0 as usize]
    }

    fn scope(&self, ix: ScopeIx) -> &Scope {
        &self.scopes[ix.0 as usize]
    }

    fn frame(&self, ix: FrameIx) -> &Frame {
        &self.frames[ix.0 as usize]
    }

    fn frame_mut(&mut self, ix: FrameIx) -> &mut Frame {
        &mut self.frames[ix.0 as usize]
    }

    fn add_scope(&mut self, scope: Scope) -> ScopeIx {
        self.scopes.push(scope);
        ScopeIx(self.scopes.len() as u32 - 1)
    }

    fn frame_ix_of(&self, mut scope: ScopeIx) -> FrameIx {
        loop {
            match (&self.scope(scope).kind, self.scope(scope).parent) {
                (ScopeKind::Procedure { frame }, _) => return *frame,
                (ScopeKind::Item { .. } | ScopeKind::Round, Some(parent)) => scope = parent,
                (ScopeKind::Item { .. } | ScopeKind::Round, None) => return FrameIx(0),
            }
        }
    }

    fn frame_of(&self, scope: ScopeIx) -> &Frame {
        self.frame(self.frame_ix_of(scope))
    }

    fn step_of(&self, node: NodeIx) -> &crate::plan::Step {
        self.plan.step(self.node(node).step)
    }

    fn started(&self) -> Option<&RunStarted> {
        self.started.as_deref()
    }

    /// The kind of outcome that an end of the run's own frame makes.
    fn outcome_kind(&self, end: &End) -> OutcomeKind {
        match end {
            End::Completed | End::Finished { failed: false, .. } => OutcomeKind::Succeeded,
            End::Finished { failed: true, .. } => OutcomeKind::Failed,
            End::Failed { kind: FailKind::Rejected, .. } => OutcomeKind::Rejected,
            End::Failed { kind: FailKind::Cancelled, .. } | End::Stopped => OutcomeKind::Cancelled,
            End::Failed { kind: FailKind::Unknown, .. } => OutcomeKind::NeedsAttention,
            End::Failed { .. } => OutcomeKind::Failed,
        }
    }
}

/// `at` and `after` later, or the end of time.
pub(crate) fn later(at: Timestamp, after: std::time::Duration) -> Timestamp {
    at.checked_add(after).unwrap_or(Timestamp::MAX)
}

impl OutcomeKind {
    pub fn name(self) -> &'static str {
        match self {
            OutcomeKind::Succeeded => "succeeded",
            OutcomeKind::Failed => "failed",
            OutcomeKind::Rejected => "rejected",
            OutcomeKind::Cancelled => "cancelled",
            OutcomeKind::RolledBack => "rolled_back",
            OutcomeKind::NeedsAttention => "needs_attention",
        }
    }
}

impl StepOutcome {
    pub fn name(self) -> &'static str {
        match self {
            StepOutcome::Succeeded => "succeeded",
            StepOutcome::Failed => "failed",
            StepOutcome::Skipped => "skipped",
            StepOutcome::TimedOut => "timed_out",
            StepOutcome::Cancelled => "cancelled",
            StepOutcome::Unknown => "unknown",
        }
    }
}

impl Fact {
    /// Every kind of event, as the record writes it.
    pub const KINDS: [&str; 19] = [
        "run_started",
        "lock_taken",
        "step_resolved",
        "attempt_started",
        "attempt_finished",
        "step_concluded",
        "condition_judged",
        "timer_fired",
        "decision_requested",
        "decided",
        "decision_voided",
        "acknowledged",
        "cancel_requested",
        "pause_requested",
        "resume_requested",
        "undo_requested",
        "note_added",
        "run_adopted",
        Fact::RUN_FINISHED,
    ];
    /// The end of a run, or another after it was taken back.
    pub const RUN_FINISHED: &str = "run_finished";

    /// As the record writes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Fact::RunStarted(_) => "run_started",
            Fact::LockTaken { .. } => "lock_taken",
            Fact::StepResolved { .. } => "step_resolved",
            Fact::AttemptStarted { .. } => "attempt_started",
            Fact::AttemptFinished { .. } => "attempt_finished",
            Fact::StepConcluded { .. } => "step_concluded",
            Fact::ConditionJudged { .. } => "condition_judged",
            Fact::TimerFired { .. } => "timer_fired",
            Fact::DecisionRequested { .. } => "decision_requested",
            Fact::Decided { .. } => "decided",
            Fact::DecisionVoided { .. } => "decision_voided",
            Fact::Acknowledged { .. } => "acknowledged",
            Fact::CancelRequested { .. } => "cancel_requested",
            Fact::PauseRequested { .. } => "pause_requested",
            Fact::ResumeRequested { .. } => "resume_requested",
            Fact::UndoRequested { .. } => "undo_requested",
            Fact::NoteAdded { .. } => "note_added",
            Fact::RunAdopted { .. } => "run_adopted",
            Fact::RunFinished { .. } => Fact::RUN_FINISHED,
        }
    }
}
