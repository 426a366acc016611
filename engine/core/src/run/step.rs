//! The life of one step: resolved, gated, attempted, retried, judged, concluded; and what becomes of it when it fails,
//! when it is stopped, and when nobody knows how it ended.

use std::sync::Arc;
use std::time::Duration;

use crate::document::step::Retry;
use crate::effect::Effect;
use crate::id::StepPath;
use crate::plan::{OnFailure, StepIx, Verb, Verify, WaitFor};
use crate::value::{Map, Value};

use super::decision::Purpose;
use super::event::{AttemptEnd, Evaluated, Failure, Resolution, StepOutcome, Timer};
use super::schedule::{Halt, stopped_failure};
use super::state::{BlockRef, Doubt, End, FailKind, FrameIx, Inner, NodeIx, Owner, Stage, State, Undoable};
use super::{Asker, Command, Key, Run};

impl Run {
    /// Whether a step can resolve to this.
    pub(super) fn fits(&self, step: StepIx, resolution: &Resolution) -> bool {
        let verb = &self.plan.step(step).verb;
        match resolution {
            Resolution::Skip { .. } | Resolution::Fail { .. } => true,
            Resolution::Work(_) => verb.acts(),
            Resolution::Checked { .. } => matches!(verb, Verb::Check(_)),
            Resolution::Values(_) => matches!(verb, Verb::Set(_)),
            Resolution::Branch(branch) => match verb {
                Verb::Choose(branches) => branch.is_none_or(|b| (b as usize) < branches.len()),
                _ => false,
            },
            Resolution::Items { .. } => matches!(verb, Verb::Each(_)),
            Resolution::Call { .. } => matches!(verb, Verb::Call { .. }),
            Resolution::Wait { .. } => matches!(verb, Verb::Wait(_)),
            Resolution::Enter => matches!(verb, Verb::Group(_) | Verb::Parallel { .. } | Verb::Repeat { .. }),
            Resolution::Ask => verb.asks(),
            Resolution::Finish { .. } => matches!(verb, Verb::Finish { .. }),
        }
    }

    pub(super) fn take_resolution(&mut self, node: NodeIx, resolution: &Resolution) {
        self.unwant(&Key::Resolve(node));
        let timed = !matches!(resolution, Resolution::Work(_) | Resolution::Skip { .. } | Resolution::Fail { .. });
        if timed && let Some(timeout) = self.step_of(node).timeout {
            let path = self.node(node).path.clone();
            self.wake(Timer::Step { path }, timeout);
        }
        match resolution {
            Resolution::Skip { reason } => self.skip(node, reason),
            Resolution::Fail { error } => self.fail(node, FailKind::Failed, error.clone()),
            Resolution::Work(work) => {
                self.node_mut(node).work = Some(Arc::new((**work).clone()));
                self.pass_gates(node, 0);
            }
            Resolution::Ask => self.pass_gates(node, 0),
            Resolution::Checked { failures } if failures.is_empty() => self.complete(node, Value::Null),
            Resolution::Checked { failures } => {
                self.node_mut(node).denied = true;
                let failure = Failure { message: failures.join("; "), at: None, detail: None };
                self.fail(node, FailKind::Failed, failure);
            }
            Resolution::Values(values) => self.complete(node, Value::Map(values.clone())),
            Resolution::Branch(None) => self.complete(node, Value::Null),
            Resolution::Branch(Some(branch)) => self.open_branch(node, *branch),
            Resolution::Items { items, .. } if items.is_empty() => self.complete(node, Value::List(Vec::new())),
            Resolution::Items { items, waves } => self.open_items(node, items, waves),
            Resolution::Call { inputs } => self.open_call(node, inputs),
            Resolution::Wait { until } => self.start_wait(node, *until),
            Resolution::Enter => self.open_container(node),
            Resolution::Finish { outcome, message } => self.take_finish(node, *outcome, message),
        }
    }

    // Gates.

    fn is_stepwise(&self, node: NodeIx) -> bool {
        self.started().is_some_and(|s| s.stepwise) && !self.step_of(node).verb.is_container()
    }

    /// Asks for the gate at place `gate`, or, with all of them passed, starts the step.
    pub(super) fn pass_gates(&mut self, node: NodeIx, gate: u32) {
        let ask_step = u32::from(self.is_stepwise(node));
        let purpose = if gate < ask_step {
            Purpose::Step
        } else {
            match self.step_of(node).gates.get((gate - ask_step) as usize) {
                Some(gate) => Purpose::Gate { rule: gate.rule.clone() },
                None => return self.begin_step(node),
            }
        };
        self.node_mut(node).state = State::Gated { gate, decision: None };
        let path = Some(self.node(node).path.clone());
        self.want(Key::Request(Asker::Node(node)), Command::Request { path, purpose });
    }

    fn begin_step(&mut self, node: NodeIx) {
        let purpose = match self.step_of(node).verb {
            Verb::Approve(_) => Purpose::Approve,
            Verb::Ask(_) => Purpose::Ask,
            Verb::Manual(_) => Purpose::Manual,
            _ => return self.make_ready(node),
        };
        self.node_mut(node).state = State::Deciding(None);
        let path = Some(self.node(node).path.clone());
        self.want(Key::Request(Asker::Node(node)), Command::Request { path, purpose });
    }

    // Attempts.

    pub(super) fn make_ready(&mut self, node: NodeIx) {
        self.node_mut(node).state = State::Ready;
        let (path, attempt) = (self.node(node).path.clone(), self.node(node).attempt + 1);
        self.want(Key::Perform(node), Command::Perform { path, attempt });
    }

    pub(super) fn take_attempt_started(&mut self, node: NodeIx) {
        self.unwant(&Key::Perform(node));
        let begun = self.node_mut(node);
        begun.attempt += 1;
        begun.tries += 1;
        begun.state = State::Running;
        self.listen(node);
    }

    pub(super) fn take_attempt_end(&mut self, node: NodeIx, end: &AttemptEnd) {
        self.unwant(&Key::Stop(node));
        self.hear_no_more(node);
        match end {
            AttemptEnd::Succeeded { result } => {
                self.node_mut(node).denied = false;
                self.complete(node, self.readable(result));
            }
            AttemptEnd::Failed { failure, result } => {
                let result = self.readable(result);
                // Without a result it did not get as far as looking.
                self.node_mut(node).denied = result != Value::Null;
                self.node_mut(node).result = result;
                self.attempt_failed(node, FailKind::Failed, failure.clone());
            }
            AttemptEnd::TimedOut { failure, result } => {
                self.node_mut(node).result = self.readable(result);
                self.attempt_failed(node, FailKind::TimedOut, failure.clone());
            }
            AttemptEnd::Cancelled { failure, result } => {
                self.node_mut(node).result = self.readable(result);
                let kind = self.node(node).stopping.unwrap_or(FailKind::Cancelled);
                self.fail(node, kind, failure.clone());
            }
            AttemptEnd::Unknown { why } => self.doubt(node, why),
        }
    }

    fn attempt_failed(&mut self, node: NodeIx, kind: FailKind, failure: Failure) {
        let tries = self.node(node).tries;
        let closing = self.lane(self.node(node).lane).closing || self.node(node).stopping.is_some();
        let left = self.step_of(node).retry.filter(|retry| tries < retry.attempts && self.node(node).work.is_some());
        match left {
            Some(retry) if !closing => {
                let path = self.node(node).path.clone();
                let attempt = self.node(node).attempt + 1;
                let seed = self.started().map_or(0, |s| s.seed);
                let delay = retry_delay(&retry, tries, seed, &path, attempt);
                let until = self.time_after(delay);
                let node = self.node_mut(node);
                node.state = State::Backoff { until };
                node.note = Some(failure);
                self.wake(Timer::Retry { path, attempt }, delay);
            }
            left => {
                // A look that was to be repeated has not said its last word.
                self.node_mut(node).denied &= left.is_none();
                self.fail(node, kind, failure);
            }
        }
    }

    // Unknown ends.

    fn doubt(&mut self, node: NodeIx, why: &str) {
        let failure = Failure { message: why.to_owned(), at: None, detail: None };
        self.node_mut(node).note = Some(failure.clone());
        // What an earlier attempt gave says nothing about this one.
        self.node_mut(node).result = Value::Null;
        if self.repeatable(node) {
            self.again_unless_stopping(node);
        } else if self.node(node).stopping.is_some() {
            self.fail(node, FailKind::Unknown, failure);
        } else {
            self.verify(node);
        }
    }

    /// Whether doing the step once more does no harm.
    fn repeatable(&self, node: NodeIx) -> bool {
        let step = self.step_of(node);
        step.effect <= Effect::Read || step.idempotent
    }

    /// The attempt did nothing, or may be repeated: it is, unless nothing further is to start here.
    fn again_unless_stopping(&mut self, node: NodeIx) {
        if self.lane(self.node(node).lane).closing || self.node(node).stopping.is_some() {
            return self.fail(node, FailKind::Cancelled, stopped_failure(FailKind::Cancelled));
        }
        self.again(node);
    }

    /// The attempt whose end is unknown does not count against `retry`.
    pub(super) fn again(&mut self, node: NodeIx) {
        let tries = self.node(node).tries;
        self.node_mut(node).tries = tries.saturating_sub(1);
        self.make_ready(node);
    }

    /// Asks the step's `verify`, or people where it has none.
    pub(super) fn verify(&mut self, node: NodeIx) {
        let (path, scope) = (self.node(node).path.clone(), self.node(node).scope);
        let round = self.node(node).verifications + 1;
        match &self.step_of(node).verify {
            None => self.ask_about_doubt(node),
            Some(Verify::Expression(_)) => {
                self.node_mut(node).verifications = round;
                self.node_mut(node).state = State::InDoubt(Doubt::Judging);
                self.want(Key::Judge(node), Command::Judge { path, round });
            }
            Some(Verify::Step(step)) => {
                let step = *step;
                self.node_mut(node).verifications = round;
                self.node_mut(node).state = State::InDoubt(Doubt::Probing);
                let lane = self.open_lane(Owner::Node(node), BlockRef::One(step), scope, format!("{path}~verify[{round}]"));
                self.advance(lane);
            }
        }
    }

    pub(super) fn ask_about_doubt(&mut self, node: NodeIx) {
        self.node_mut(node).state = State::InDoubt(Doubt::Asking(None));
        let path = Some(self.node(node).path.clone());
        self.want(Key::Request(Asker::Node(node)), Command::Request { path, purpose: Purpose::Unknown });
    }

    /// The verification of an unknown end has ended: a success says that the effect took place, a failure of what it looked
    /// at that it did not. Anything else says nothing, and people are asked: it was skipped, it could not be started or
    /// evaluated, it ran out of time.
    pub(super) fn verification_ended(&mut self, node: NodeIx) {
        let looked = self.verification(node).map(|probe| (self.node(probe).state, self.node(probe).denied));
        match looked {
            Some((State::Ended(StepOutcome::Succeeded), _)) => self.happened(node),
            Some((State::Ended(StepOutcome::Failed), true)) => self.again_unless_stopping(node),
            _ if self.node(node).stopping.is_some() => {
                self.fail(node, FailKind::Unknown, stopped_failure(FailKind::Unknown));
            }
            _ => self.ask_about_doubt(node),
        }
    }

    /// The step of the last round of verification.
    fn verification(&self, node: NodeIx) -> Option<NodeIx> {
        let Some(Verify::Step(step)) = self.step_of(node).verify else { return None };
        let prefix = format!("{}~verify[{}]", self.node(node).path, self.node(node).verifications);
        self.node_at(&StepPath::within(&prefix, &self.plan.step(step).label))
    }

    /// An attempt of unknown end turned out to have done its work.
    pub(super) fn happened(&mut self, node: NodeIx) {
        self.succeed(node, None);
    }

    // Waiting.

    fn start_wait(&mut self, node: NodeIx, until: Option<jiff::Timestamp>) {
        let Verb::Wait(wait) = &self.step_of(node).verb else { return };
        let (within, polled) = (wait.within, until.is_none());
        let path = self.node(node).path.clone();
        if let Some(within) = within {
            self.wake(Timer::Step { path }, within);
        }
        self.node_mut(node).inner = Inner::Rounds { round: 0, until };
        if polled { self.poll(node) } else { self.sleep_until(node, until.unwrap_or(self.now)) }
    }

    fn sleep_until(&mut self, node: NodeIx, until: jiff::Timestamp) {
        let Inner::Rounds { round, .. } = self.node(node).inner else { return };
        let path = self.node(node).path.clone();
        self.node_mut(node).state = State::Sleeping { until };
        let timer = Timer::Wait { path, round };
        self.want(Key::Wake(timer.clone()), Command::Wake { timer, at: until.max(self.now) });
    }

    /// The next round of a `wait`: its probe, then its condition.
    fn poll(&mut self, node: NodeIx) {
        let Verb::Wait(wait) = &self.step_of(node).verb else { return };
        let probe = match &wait.what {
            WaitFor::Until { probe, .. } => *probe,
            WaitFor::Duration(_) => None,
        };
        let Inner::Rounds { round, .. } = &mut self.node_mut(node).inner else { return };
        *round += 1;
        let round = *round;
        let (path, scope) = (self.node(node).path.clone(), self.node(node).scope);
        match probe {
            Some(step) => {
                self.node_mut(node).state = State::Open;
                if let Some(id) = self.plan.step(step).id.clone() {
                    self.scopes[scope.0 as usize].steps.remove(&id);
                }
                let lane = self.open_lane(Owner::Node(node), BlockRef::One(step), scope, format!("{path}[{round}]"));
                self.advance(lane);
            }
            None => {
                self.node_mut(node).state = State::Judging;
                self.want(Key::Judge(node), Command::Judge { path, round });
            }
        }
    }

    /// A probe that failed says "not yet", unless people rejected it: the condition is judged only on what a probe gave.
    pub(super) fn probe_ended(&mut self, node: NodeIx, end: &End) {
        if let Some(kind) = self.node(node).stopping {
            let failure = self.node(node).note.clone().unwrap_or_else(|| stopped_failure(kind));
            return self.fail(node, kind, failure);
        }
        let Inner::Rounds { round, .. } = self.node(node).inner else { return };
        match end {
            End::Completed => {}
            // Asking again would only be asking until somebody says yes.
            End::Failed { kind, failure, step, rollback } if *rollback || *kind == FailKind::Rejected => {
                return self.fail_through(node, *kind, failure.clone(), step.clone(), *rollback);
            }
            _ => return self.not_yet(node),
        }
        let path = self.node(node).path.clone();
        self.node_mut(node).state = State::Judging;
        self.want(Key::Judge(node), Command::Judge { path, round });
    }

    /// The condition of a round does not hold: the next round, at once or after `every`.
    fn not_yet(&mut self, node: NodeIx) {
        let Inner::Rounds { round, .. } = self.node(node).inner else { return };
        let every = match &self.step_of(node).verb {
            Verb::Repeat { every, .. } => *every,
            Verb::Wait(wait) => Some(wait.every),
            _ => None,
        };
        match every {
            Some(every) => {
                let until = self.time_after(every);
                self.sleep_until(node, until);
            }
            None => self.open_round(node, round + 1),
        }
    }

    pub(super) fn slept(&mut self, node: NodeIx) {
        let Inner::Rounds { round, until } = self.node(node).inner else { return };
        match self.step_of(node).verb {
            Verb::Repeat { .. } => self.open_round(node, round + 1),
            _ if until.is_some() => self.complete(node, Value::Map(Map::from([("rounds".to_owned(), Value::Int(0))]))),
            _ => self.poll(node),
        }
    }

    pub(super) fn take_judgement(&mut self, node: NodeIx, holds: &Evaluated<bool>) {
        self.unwant(&Key::Judge(node));
        if let State::InDoubt(_) = self.node(node).state {
            return match holds {
                Evaluated::Value(true) => self.happened(node),
                Evaluated::Value(false) => self.again_unless_stopping(node),
                Evaluated::Failed(_) => self.ask_about_doubt(node),
            };
        }
        let Inner::Rounds { round, .. } = self.node(node).inner else { return };
        let holds = match holds {
            Evaluated::Value(holds) => *holds,
            Evaluated::Failed(failure) => return self.fail(node, FailKind::Failed, failure.clone()),
        };
        if holds {
            return self.complete(node, self.rounds_result(node, round));
        }
        if let Verb::Repeat { times, .. } = self.step_of(node).verb
            && round >= times
        {
            let message = format!("its condition did not hold after {round} rounds");
            return self.fail(node, FailKind::Failed, Failure { message, at: None, detail: None });
        }
        self.not_yet(node);
    }

    pub(super) fn step_timed_out(&mut self, node: NodeIx) {
        if matches!(self.node(node).state, State::Ended(_) | State::Concluding) {
            return;
        }
        let timeout = match &self.step_of(node).verb {
            Verb::Wait(wait) => wait.within.or(self.step_of(node).timeout),
            Verb::Listen(listen) => Some(listen.within),
            _ => self.step_of(node).timeout,
        };
        let after = timeout.map(crate::value::format_duration).unwrap_or_default();
        let message = match &self.step_of(node).verb {
            Verb::Listen(listen) => format!("no event of `{}` that fits came within {after}", listen.source),
            _ => format!("it did not end within {after}"),
        };
        let failure = Failure { message, at: None, detail: None };
        self.node_mut(node).note = Some(failure.clone());
        if self.node(node).open_lanes.is_empty() {
            return self.fail(node, FailKind::TimedOut, failure);
        }
        if self.is_predicted() {
            self.cut_inside(Some(node));
        }
        self.node_mut(node).stopping = Some(FailKind::TimedOut);
        self.halt_parts(node, Halt::Kill(FailKind::Cancelled));
    }

    // Ends.

    /// The step did its work and gave `result`; its outputs may still have to be evaluated.
    pub(super) fn complete(&mut self, node: NodeIx, result: Value) {
        self.node_mut(node).result = result;
        let step = self.step_of(node);
        let gives = match &step.verb {
            Verb::Call { procedure, .. } => !self.plan.procedure(*procedure).outputs.is_empty(),
            _ => self.expects(node),
        };
        if step.outputs.is_empty() && !gives {
            let value = self.node(node).result.clone();
            self.succeed(node, Some(value));
        } else {
            self.node_mut(node).state = State::Concluding;
            let path = self.node(node).path.clone();
            self.want(Key::Conclude(node), Command::Conclude { path });
        }
    }

    pub(super) fn take_conclusion(&mut self, node: NodeIx, outputs: &Evaluated<Map>) {
        self.unwant(&Key::Conclude(node));
        match outputs {
            Evaluated::Value(outputs) => {
                let value = overlay(&self.node(node).result, outputs);
                self.succeed(node, Some(value));
            }
            // The work is done. It is done once more for the sake of its outputs only where that does no harm.
            Evaluated::Failed(failure) if self.repeatable(node) || self.expects(node) => {
                self.attempt_failed(node, FailKind::Failed, failure.clone());
            }
            Evaluated::Failed(failure) => self.fail(node, FailKind::Failed, failure.clone()),
        }
    }

    /// Whether the end of its work is judged by what came back.
    fn expects(&self, node: NodeIx) -> bool {
        matches!(&self.step_of(node).verb, Verb::Http(http) if http.expect.is_some())
    }

    /// `value` is what `steps.<id>` gives; absent where a step did its work and nobody saw the result.
    fn succeed(&mut self, node: NodeIx, value: Option<Value>) {
        let (scope, lane, step_ix) = (self.node(node).scope, self.node(node).lane, self.node(node).step);
        let plan = self.plan.clone();
        let step = plan.step(step_ix);
        if let Some(id) = &step.id {
            match value {
                Some(value) => self.remember(scope, id, value),
                None => {
                    let why = "nobody saw how it ended, so its outputs are not known".to_owned();
                    self.scopes[scope.0 as usize].absent.insert(id.clone(), why);
                }
            }
        }
        self.settle(node, StepOutcome::Succeeded, None);
        // What an undo does is not itself undone.
        let undoing = self.frames.first().is_some_and(|f| f.stage == Stage::Unwinding);
        if !step.undo.is_empty() && !undoing {
            if step.verb.is_container() {
                self.leave_undo_to(node);
            }
            self.undoable.push(Undoable { node, since: self.seq, tries: 0 });
        }
        if let Some(next) = step.next {
            self.jump(lane, next);
        }
        self.advance(lane);
    }

    /// The undo of a whole takes the place of those of its parts, wherever other branches have put theirs between them.
    fn leave_undo_to(&mut self, whole: NodeIx) {
        let (path, born) = (self.node(whole).path.clone(), self.node(whole).born);
        let first = self.undoable.iter().rposition(|u| u.since < born).map_or(0, |before| before + 1);
        let since = self.undoable.split_off(first);
        let others: Vec<Undoable> = since.into_iter().filter(|u| !self.node(u.node).path.is_inside(&path)).collect();
        self.undoable.extend(others);
    }

    fn skip(&mut self, node: NodeIx, reason: &str) {
        let (scope, lane) = (self.node(node).scope, self.node(node).lane);
        if let Some(id) = self.step_of(node).id.clone() {
            self.scopes[scope.0 as usize].absent.insert(id, format!("it was skipped, because {reason}"));
        }
        self.settle(node, StepOutcome::Skipped, Some(Failure { message: reason.to_owned(), at: None, detail: None }));
        self.advance(lane);
    }

    pub(super) fn fail(&mut self, node: NodeIx, kind: FailKind, failure: Failure) {
        let path = self.node(node).path.clone();
        self.fail_through(node, kind, failure, path, false);
    }

    /// Fails a step because of what happened at `origin`, itself or a step inside.
    pub(super) fn fail_through(&mut self, node: NodeIx, kind: FailKind, failure: Failure, origin: StepPath, rollback: bool) {
        let (scope, lane) = (self.node(node).scope, self.node(node).lane);
        let plan = self.plan.clone();
        let step = plan.step(self.node(node).step);
        if let Some(id) = &step.id {
            match self.node(node).result.clone() {
                Value::Null => {
                    let why = format!("it ended {}: {}", kind.outcome().name(), failure.message);
                    self.scopes[scope.0 as usize].absent.insert(id.clone(), why);
                }
                result => self.remember(scope, id, result),
            }
        }
        self.settle(node, kind.outcome(), Some(failure.clone()));
        let beside = matches!(self.lane(lane).block, BlockRef::Finally(_) | BlockRef::OnFailure(_));
        if self.lane(lane).closing && kind == FailKind::Cancelled {
            return self.end_lane(lane, End::Stopped);
        }
        // Nothing that fails there keeps the rest of it from running.
        if beside {
            return self.advance(lane);
        }
        match step.on_failure {
            OnFailure::Continue if !rollback && kind != FailKind::Unknown => self.advance(lane),
            OnFailure::Next(target) if !rollback && kind != FailKind::Unknown => {
                self.jump(lane, target);
                self.advance(lane);
            }
            policy => {
                let rollback = rollback || matches!(policy, OnFailure::Rollback);
                self.end_lane(lane, End::Failed { kind, failure, step: origin, rollback });
            }
        }
    }

    /// Marks a step as ended and takes back whatever it still wants.
    pub(super) fn settle(&mut self, node: NodeIx, outcome: StepOutcome, note: Option<Failure>) {
        let now = self.now;
        let path = self.node(node).path.clone();
        let attempt = self.node(node).attempt + 1;
        let round = match self.node(node).inner {
            Inner::Rounds { round, .. } => round,
            _ => 0,
        };
        self.ended.push(node);
        self.hear_no_more(node);
        {
            let node = self.node_mut(node);
            node.state = State::Ended(outcome);
            node.ended = Some(now);
            node.note = note;
        }
        for key in [
            Key::Stop(node),
            Key::Conclude(node),
            Key::Resolve(node),
            Key::Judge(node),
            Key::Perform(node),
            Key::Request(Asker::Node(node)),
            Key::Wake(Timer::Step { path: path.clone() }),
            Key::Wake(Timer::Retry { path: path.clone(), attempt }),
            Key::Wake(Timer::Wait { path, round }),
        ] {
            self.unwant(&key);
        }
        self.withdraw(Asker::Node(node));
    }

    /// Stops one step; its lane is closing already.
    pub(super) fn halt_node(&mut self, node: NodeIx, halt: Halt) {
        let manual = matches!(self.step_of(node).verb, Verb::Manual(_));
        match (self.node(node).state, halt) {
            (State::Ended(_) | State::Concluding, _) => {}
            (State::Running | State::InDoubt(_), Halt::Drain) => {}
            (State::Deciding(_), Halt::Drain) if manual => {}
            (State::Running, Halt::Kill(kind)) => {
                let (path, attempt) = (self.node(node).path.clone(), self.node(node).attempt);
                self.node_mut(node).stopping = Some(kind);
                self.want(Key::Stop(node), Command::Stop { path, attempt });
            }
            (State::InDoubt(Doubt::Probing), Halt::Kill(kind)) => {
                self.node_mut(node).stopping = Some(kind);
                self.halt_lanes(node, halt);
            }
            (State::InDoubt(_), Halt::Kill(_)) => {
                let failure = self.node(node).note.clone().unwrap_or_else(|| stopped_failure(FailKind::Unknown));
                self.fail(node, FailKind::Unknown, failure);
            }
            (State::Open, _) => {
                let group = matches!(self.step_of(node).verb, Verb::Group(_) | Verb::Choose(_));
                let kind = match halt {
                    Halt::Drain => FailKind::Cancelled,
                    Halt::Kill(kind) => kind,
                };
                if !(group && halt == Halt::Drain) {
                    self.node_mut(node).stopping.get_or_insert(kind);
                }
                if self.times_end_bodies() && halt != Halt::Drain {
                    // It is stopped already, whenever its own time would be over.
                    let path = self.node(node).path.clone();
                    self.unwant(&Key::Wake(Timer::Step { path }));
                }
                self.halt_parts(node, halt);
            }
            (_, halt) => {
                let kind = match halt {
                    Halt::Drain => FailKind::Cancelled,
                    Halt::Kill(kind) => kind,
                };
                self.fail(node, kind, stopped_failure(kind));
            }
        }
    }

    /// Stops what is inside a step. No time that is over stops what a called procedure does about a failure, nor what tidies up.
    pub(super) fn halt_parts(&mut self, node: NodeIx, halt: Halt) {
        let Inner::Call(frame) = self.node(node).inner else { return self.halt_lanes(node, halt) };
        let late = self.times_end_bodies() && halt != Halt::Drain && self.cancel.is_none();
        match self.frame(frame).stage {
            Stage::Finally => {}
            Stage::OnFailure if late => {}
            Stage::Body if late => {
                self.body_timed_out(node, frame);
                self.halt_lanes(node, halt);
            }
            _ => self.halt_lanes(node, halt),
        }
    }

    /// A body that is stopped because a time is over has failed, as that of the run itself has.
    fn body_timed_out(&mut self, node: NodeIx, frame: FrameIx) {
        let kind = self.node(node).stopping.unwrap_or(FailKind::Cancelled);
        let failure = self.node(node).note.clone().unwrap_or_else(|| stopped_failure(kind));
        let step = self.node(node).path.clone();
        self.frame_mut(frame).end.get_or_insert(End::Failed { kind, failure, step, rollback: false });
    }

    /// Of the result of an attempt, what the procedure reads. Where its log is kept is of no interest there: it says nothing that could be
    /// predicted, or stood in for.
    fn readable(&self, result: &Value) -> Value {
        let Value::Map(members) = result else { return result.clone() };
        if self.plan.semantics < 4 || !members.get("log").is_some_and(is_seal) {
            return result.clone();
        }
        let mut members = members.clone();
        members.remove("log");
        if members.is_empty() { Value::Null } else { Value::Map(members) }
    }

    /// Whether a time is that of a body, and what follows a body has limits of its own.
    pub(super) fn times_end_bodies(&self) -> bool {
        self.plan.semantics >= 3
    }
}

/// Whether this is what the record keeps of the log of an attempt.
fn is_seal(log: &Value) -> bool {
    matches!(log, Value::Map(log) if ["bytes", "dropped", "digest"].iter().all(|member| log.contains_key(*member)))
}

/// What `steps.<id>` gives: the result with the outputs laid over it.
fn overlay(result: &Value, outputs: &Map) -> Value {
    let mut map = match result {
        Value::Map(map) => map.clone(),
        Value::Null => Map::new(),
        other if outputs.is_empty() => return other.clone(),
        other => Map::from([("value".to_owned(), other.clone())]),
    };
    map.extend(outputs.iter().map(|(k, v)| (k.clone(), v.clone())));
    Value::Map(map)
}

/// The delay before the attempt after `tries` ones, with jitter derived from the run's seed.
fn retry_delay(retry: &Retry, tries: u32, seed: u64, path: &StepPath, attempt: u32) -> Duration {
    use sha2::Digest as _;
    let grown = retry.delay.as_secs_f64() * retry.backoff.powi(tries.saturating_sub(1).min(1000) as i32);
    let capped = grown.min(retry.max_delay.as_secs_f64());
    let hash = sha2::Sha256::digest(format!("{seed}/{path}/{attempt}"));
    let random = hash.iter().take(4).fold(0u32, |sum, byte| (sum << 8) | u32::from(*byte));
    let part = f64::from(random) / (f64::from(u32::MAX) + 1.0);
    Duration::try_from_secs_f64(capped * (1.0 - retry.jitter * part)).unwrap_or(retry.max_delay)
}
