//! Waiting for an event: which steps of a run do, whether an event ends one of them, and which.
//!
//! A step that listens has an attempt that nobody performs. It ends by an event that somebody else brings, by its time, or with what it
//! stands in; after a crash it goes on. An event ends at most one wait of a run, the first in the order of the procedure that it fits,
//! and the event that started a run ends none of it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Run;
use super::event::{AttemptEnd, Fact, Timer};
use super::state::{NodeIx, State};
use super::task::{EventTask, Task, Work};
use crate::cloud_event::CloudEvent;
use crate::document::step::Since;
use crate::expr::{Captured, Expression, Names};
use crate::id::StepPath;
use crate::plan::{Origin, Verb};
use crate::value::{Map, Value};

/// What a condition reads of what comes, rather than of the run.
pub(super) const OF_EVENT: [&str; 2] = ["event", "now"];

/// An event that came in, as a run is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Occurrence {
    /// The name of its source in the workspace.
    pub source: String,
    /// The number under which it was written down.
    pub number: u64,
    pub received: Timestamp,
    pub event: CloudEvent,
}

/// A step that waits for an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listening {
    pub path: StepPath,
    pub task: EventTask,
    /// Events count that came then or later.
    pub since: Timestamp,
}

/// A step that waits for an event, ready to look at many.
pub struct Ear<'l> {
    listening: &'l Listening,
    condition: Result<Option<Expression>, String>,
}

impl EventTask {
    /// What the condition gives for an event: true where there is none. Where it is not known when it comes, `now` is not either.
    pub(crate) fn judge(&self, event: &Value, received: Option<Timestamp>) -> Result<Value, String> {
        self.judge_by(self.condition()?.as_ref(), event, received)
    }

    fn condition(&self) -> Result<Option<Expression>, String> {
        let condition = self.when.as_ref().map(|when| Expression::parse(when, Origin::default()));
        condition.transpose().map_err(|error| error.message)
    }

    fn judge_by(&self, condition: Option<&Expression>, event: &Value, received: Option<Timestamp>) -> Result<Value, String> {
        let Some(condition) = condition else { return Ok(Value::Bool(true)) };
        let names = OfEvent { captured: Captured(&self.names), event, received };
        condition.evaluate(&names).map_err(|error| error.message)
    }
}

impl Listening {
    pub fn ear(&self) -> Ear<'_> {
        Ear { listening: self, condition: self.task.condition() }
    }
}

impl Ear<'_> {
    /// Whether an event may end the wait. One that lacks what the condition reads does not.
    pub fn fits(&self, source: &str, event: &Value, received: Timestamp) -> bool {
        let Listening { task, since, .. } = self.listening;
        let (true, Ok(condition)) = (task.source == source && received >= *since, &self.condition) else { return false };
        task.judge_by(condition.as_ref(), event, Some(received)) == Ok(Value::Bool(true))
    }
}

struct OfEvent<'a> {
    captured: Captured<'a>,
    event: &'a Value,
    received: Option<Timestamp>,
}

impl Names for OfEvent<'_> {
    fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String> {
        match root {
            "event" => Ok(self.event.clone()),
            "now" => Ok(self.received.map_or_else(|| Value::Unknown("now".to_owned()), Value::Time)),
            _ => self.captured.value(root, member),
        }
    }

    fn has(&self, root: &str, member: &str) -> Option<Value> {
        self.captured.has(root, member)
    }
}

impl Run {
    /// Whether some step waits for an event.
    pub fn listens(&self) -> bool {
        !self.listens.is_empty()
    }

    /// The paths of the steps that wait for an event.
    pub fn listening_at(&self) -> impl Iterator<Item = &StepPath> {
        self.listens.iter().map(|node| &self.node(*node).path)
    }

    /// The steps that wait for an event, in the order of the procedure.
    pub fn listening(&self) -> Vec<Listening> {
        let mut nodes: Vec<NodeIx> = self.listens.clone();
        nodes.sort_by_cached_key(|node| self.place(&self.node(*node).path));
        nodes.into_iter().filter_map(|node| self.listening_of(node)).collect()
    }

    fn listening_of(&self, node: NodeIx) -> Option<Listening> {
        let State::Listening { since } = self.node(node).state else { return None };
        let task = self.event_task(node)?.clone();
        Some(Listening { path: self.node(node).path.clone(), task, since })
    }

    fn event_task(&self, node: NodeIx) -> Option<&EventTask> {
        match self.node(node).work.as_ref().map(Arc::as_ref) {
            Some(Work { task: Task::Event(task), .. }) => Some(task),
            _ => None,
        }
    }

    /// What an event does here: the fact that it ends the wait of a step, or nothing where it has done so before. The error says why
    /// it ends none.
    pub fn hear(&self, occurrence: &Occurrence) -> Result<Option<Fact>, String> {
        let Occurrence { source, number, received, event } = occurrence;
        let is_it = |known: &Value| {
            known.get("id") == Some(&Value::text(&event.id)) && known.get("source") == Some(&Value::text(&event.source))
        };
        if self.start().and_then(|start| start.event.as_ref()).is_some_and(is_it) {
            return Err("the run was started by this event".to_owned());
        }
        if self.heard().any(is_it) {
            return Ok(None);
        }
        let value = event.to_value();
        let ended = self.listening().into_iter().find(|listening| listening.ear().fits(source, &value, *received));
        let Some(path) = ended.map(|listening| listening.path) else {
            return Err(format!("no step of the run waits for an event of `{source}` like this"));
        };
        let attempt = self.find_step(&path).map_or(1, |step| step.attempt());
        let number = Value::Int(i64::try_from(*number).unwrap_or(i64::MAX));
        let result = Value::Map(Map::from([("event".to_owned(), value), ("number".to_owned(), number)]));
        Ok(Some(Fact::AttemptFinished { path, attempt, end: AttemptEnd::Succeeded { result } }))
    }

    /// The events that have ended a wait.
    fn heard(&self) -> impl Iterator<Item = &Value> {
        let has_ended = |state: State| matches!(state, State::Concluding | State::Ended(_));
        let listened = self
            .nodes
            .iter()
            .filter(move |node| matches!(self.plan.step(node.step).verb, Verb::Listen(_)) && has_ended(node.state));
        listened.filter_map(|node| node.result.get("event"))
    }

    /// An attempt of a step that waits for an event has begun.
    pub(super) fn listen(&mut self, node: NodeIx) {
        let Some(since) = self.event_task(node).map(|task| task.since) else { return };
        let Verb::Listen(listen) = &self.step_of(node).verb else { return };
        let within = listen.within;
        let since = match (since, &self.id) {
            // Not that of its first event: another may have come while it was about to start.
            (Since::Run, Some(id)) => id.time(),
            _ => self.now,
        };
        let path = self.node(node).path.clone();
        self.node_mut(node).state = State::Listening { since };
        self.listens.push(node);
        self.wake(Timer::Step { path }, within);
    }

    pub(super) fn hear_no_more(&mut self, node: NodeIx) {
        self.listens.retain(|other| *other != node);
    }
}
