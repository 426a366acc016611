//! What a reader of a run may ask: reports, the command line and the explorer look through this and never at the state.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::id::{DecisionId, RunId, StepPath};
use crate::plan::{Plan, Step, StepIx, Verb};
use crate::value::{Map, Value};

use super::Run;
use super::event::{Failure, Outcome, RunStarted, StepOutcome};
use super::names::InScope;
use super::state::{Doubt, NodeIx, Owner, Stage, State};
use super::task::Work;

/// One instance of a step, as it stands.
#[derive(Clone, Copy)]
pub struct StepView<'a> {
    run: &'a Run,
    node: NodeIx,
}

/// A step that takes another back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UndoStep {
    pub title: String,
    /// What has to hold then.
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// As far as it is known before; absent of a step that does not act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
}

/// Where a step is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its texts are about to be evaluated, or it is about to start.
    Starting,
    /// A decision of people comes first.
    Deciding(Option<DecisionId>),
    Running,
    /// Failed, and will be tried again at this time.
    Retrying(Timestamp),
    /// Sleeps until this time.
    Sleeping(Timestamp),
    /// Waits for an event.
    Listening,
    /// Its parts run.
    Open,
    /// It was started and nobody knows how it ended.
    InDoubt,
    Ended(StepOutcome),
}

impl<'a> StepView<'a> {
    pub fn path(&self) -> &'a StepPath {
        &self.run.node(self.node).path
    }

    pub fn step(&self) -> &'a Step {
        self.run.step_of(self.node)
    }

    pub fn step_ix(&self) -> StepIx {
        self.run.node(self.node).step
    }

    /// Its number, as everything that shows steps has it.
    pub fn number(&self) -> String {
        let mut calls = Vec::new();
        let mut scope = self.run.node(self.node).scope;
        while let Some(caller) = self.run.frame_of(scope).caller {
            let caller = self.run.node(caller);
            calls.push(caller.step);
            scope = caller.scope;
        }
        calls.reverse();
        self.run.plan.number(&calls, self.step_ix())
    }

    pub fn standing(&self) -> Standing {
        match self.run.node(self.node).state {
            State::Resolving | State::Ready => Standing::Starting,
            State::Gated { decision, .. } | State::Deciding(decision) => Standing::Deciding(decision),
            State::InDoubt(Doubt::Asking(Some(decision))) => Standing::Deciding(Some(decision)),
            State::InDoubt(_) => Standing::InDoubt,
            State::Running | State::Concluding => Standing::Running,
            State::Backoff { until } => Standing::Retrying(until),
            State::Sleeping { until } => Standing::Sleeping(until),
            State::Listening { .. } => Standing::Listening,
            State::Judging | State::Open => Standing::Open,
            State::Ended(outcome) => Standing::Ended(outcome),
        }
    }

    /// What it does, once that is known.
    pub fn work(&self) -> Option<&'a Arc<Work>> {
        self.run.node(self.node).work.as_ref()
    }

    /// Attempts begun.
    pub fn attempt(&self) -> u32 {
        self.run.node(self.node).attempt
    }

    pub fn began(&self) -> Timestamp {
        self.run.node(self.node).created
    }

    pub fn ended(&self) -> Option<Timestamp> {
        self.run.node(self.node).ended
    }

    /// Why it failed or was skipped, or why it is in doubt.
    pub fn note(&self) -> Option<&'a Failure> {
        self.run.node(self.node).note.as_ref()
    }

    /// What `steps.<id>` is after it, where it has an id and has given something.
    pub fn gives(&self) -> Option<Value> {
        let id = self.step().id.as_ref()?;
        self.run.scope(self.run.node(self.node).scope).steps.get(id).map(|value| (**value).clone())
    }

    pub fn result(&self) -> &'a Value {
        &self.run.node(self.node).result
    }

    /// The step's name as people read it.
    pub fn title(&self) -> String {
        match self.work() {
            Some(work) => work.title.clone(),
            None => self.run.title(self.step(), &self.names()),
        }
    }

    /// The calls that it stands in whose procedures name a lock, each with that, from the inside out.
    pub fn locks(&self) -> Vec<(StepView<'a>, String)> {
        let mut locks = Vec::new();
        let mut scope = self.run.node(self.node).scope;
        loop {
            let frame = self.run.frame_of(scope);
            let Some(caller) = frame.caller else { return locks };
            if let Some(lock) = &self.run.plan.procedure(frame.procedure).lock {
                let names = self.run.lenient(frame.scope, self.began());
                locks.push((StepView { run: self.run, node: caller }, self.run.told(lock, &names)));
            }
            scope = self.run.node(caller).scope;
        }
    }

    /// Why it is done.
    pub fn why(&self) -> Option<String> {
        self.step().why.as_ref().map(|text| self.run.told(text, &self.names()))
    }

    /// What a person does where the automation fails.
    pub fn by_hand(&self) -> Option<String> {
        self.step().by_hand.as_ref().map(|text| self.run.told(text, &self.names()))
    }

    /// What takes it back, step by step, as far as it is known before.
    pub fn undo(&self) -> Vec<UndoStep> {
        let scope = self.run.node(self.node).scope;
        let names = self.run.foreseen(scope);
        let mut undo = Vec::new();
        self.add_undo(&self.step().undo, None, &names, &mut undo);
        undo
    }

    /// Steps, with those of groups in the place of the groups.
    fn add_undo(&self, steps: &[StepIx], around: Option<&str>, names: &InScope<'_>, undo: &mut Vec<UndoStep>) {
        for step in steps.iter().map(|ix| self.run.plan.step(*ix)) {
            let own = step.condition.as_ref().map(|condition| condition.source.trim());
            let condition = match (around, own) {
                (Some(around), Some(own)) => Some(format!("({around}) && ({own})")),
                (around, own) => around.or(own).map(str::to_owned),
            };
            match &step.verb {
                Verb::Group(inner) => self.add_undo(inner, condition.as_deref(), names, undo),
                _ => undo.push(UndoStep {
                    title: self.run.title(step, names),
                    condition,
                    work: self.run.work(step, self.run.node(self.node).scope, names).ok(),
                }),
            }
        }
    }

    fn names(&self) -> InScope<'a> {
        self.run.lenient(self.run.node(self.node).scope, self.began())
    }
}

impl Run {
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub fn id(&self) -> Option<&RunId> {
        self.id.as_ref()
    }

    /// The number of its last event; 0 before the first.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The time of its last event.
    pub fn last_at(&self) -> Timestamp {
        self.now
    }

    pub fn start(&self) -> Option<&RunStarted> {
        self.started.as_deref()
    }

    pub fn started_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Set once the run was cancelled, whether or not it has ended.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_some()
    }

    pub fn is_unwinding(&self) -> bool {
        self.frames.first().is_some_and(|f| f.stage == Stage::Unwinding) && self.outcome.is_none()
    }

    /// How many changes an undo would take back.
    pub fn undoable(&self) -> usize {
        self.undoable.len()
    }

    /// The steps that an undo would take back, last change first.
    pub fn undoable_steps(&self) -> impl Iterator<Item = StepView<'_>> {
        self.undoable.iter().rev().map(|u| StepView { run: self, node: u.node })
    }

    /// Every instance of a step so far, in the order in which they came up.
    pub fn steps(&self) -> impl Iterator<Item = StepView<'_>> {
        (0..self.nodes.len()).map(|n| StepView { run: self, node: NodeIx(n as u32) })
    }

    /// The steps that the last event has ended, in that order.
    pub fn just_ended(&self) -> impl Iterator<Item = StepView<'_>> {
        self.ended.iter().map(|node| StepView { run: self, node: *node })
    }

    pub fn find_step(&self, path: &StepPath) -> Option<StepView<'_>> {
        self.node_at(path).map(|node| StepView { run: self, node })
    }

    /// Attempts that are under way by the record: after a crash, their end is unknown. What listens goes on listening.
    pub fn under_way(&self) -> Vec<(StepPath, u32)> {
        let running = self.nodes.iter().filter(|n| n.state == State::Running);
        running.map(|n| (n.path.clone(), n.attempt)).collect()
    }

    /// The steps around one, from the inside out, those that call its procedure too.
    pub fn around(&self, path: &StepPath) -> impl Iterator<Item = StepView<'_>> {
        let outer = |node: NodeIx| match self.lane(self.node(node).lane).owner {
            Owner::Node(around) => Some(around),
            Owner::Frame(_) | Owner::Undo => None,
        };
        let first = self.node_at(path).and_then(outer);
        std::iter::successors(first, move |node| outer(*node)).map(|node| StepView { run: self, node })
    }

    /// Whether the author says what a person does where the step at `path` ends the run: there, or around it. An end that is a step
    /// of its own says so itself.
    pub(crate) fn is_told(&self, path: &StepPath) -> bool {
        let mut at = self.node_at(path);
        while let Some(node) = at {
            let step = self.step_of(node);
            if step.by_hand.is_some() || matches!(step.verb, Verb::Finish { .. }) {
                return true;
            }
            at = match self.lane(self.node(node).lane).owner {
                Owner::Node(around) => Some(around),
                Owner::Frame(_) | Owner::Undo => None,
            };
        }
        false
    }

    /// What a caller of the procedure gets: its outputs, evaluated on the state as it is. Before the end, what no step has given
    /// yet is unknown.
    pub fn outputs(&self, now: Timestamp) -> Result<Map, String> {
        let frame = self.frames.first().ok_or("the run has not started")?;
        let names = self.names(frame.scope, now, None, self.outcome.is_none());
        let outputs = &self.plan.main().outputs;
        outputs
            .iter()
            .map(|(id, expression)| Ok((id.as_str().to_owned(), expression.evaluate(&names).map_err(|e| e.message)?)))
            .collect()
    }
}
