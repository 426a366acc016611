//! What runs next: lanes walk blocks, containers open lanes and judge how they end, frames take a procedure through its
//! body, its `on_failure` and its `finally`.
//!
//! When a part fails, the parts beside it are drained: steps under way finish, nothing further starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::document::step::FinishOutcome;
use crate::id::{Id, RunId, StepPath};
use crate::plan::{ProcedureIx, StepIx, Verb, WaitFor};
use crate::policy::OnCall;
use crate::value::{Map, Value};

use super::event::{Failure, Part, StepOutcome, Timer};
use super::state::{
    BlockRef, End, FailKind, Frame, FrameIx, Inner, Items, Lane, LaneIx, Node, NodeIx, Owner, Scope, ScopeIx, ScopeKind, Stage,
    State,
};
use super::{Asker, Command, Key, Run, decision::Purpose, later};

/// How to bring a lane to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// Steps under way finish.
    Drain,
    /// Steps under way are ended too, and count as this.
    Kill(FailKind),
}

impl Run {
    /// Starts the body, or asks first where only a part is to run.
    pub(super) fn begin(&mut self) {
        let whole = self.started().is_none_or(|s| s.part == Part::Whole);
        if whole {
            self.open_stage(FrameIx(0), Stage::Body);
        } else {
            self.want(Key::Request(Asker::Run), Command::Request { path: None, purpose: Purpose::Part });
        }
    }

    /// The steps of a block; empty for the single step of a probe or verification.
    pub(super) fn list(&self, block: BlockRef) -> &[StepIx] {
        match block {
            BlockRef::Body(p) => &self.plan.procedure(p).body,
            BlockRef::OnFailure(p) => &self.plan.procedure(p).on_failure,
            BlockRef::Finally(p) => &self.plan.procedure(p).finally,
            BlockRef::Undo(s) => &self.plan.step(s).undo,
            BlockRef::One(_) => &[],
            BlockRef::Branch(s, n) => match &self.plan.step(s).verb {
                Verb::Choose(branches) => branches.get(n as usize).map_or(&[], |b| &b.body),
                Verb::Parallel { branches, .. } => branches.get(n as usize).map_or(&[], |(_, b)| b),
                _ => &[],
            },
            BlockRef::Inner(s) => match &self.plan.step(s).verb {
                Verb::Group(body) | Verb::Repeat { body, .. } => body,
                Verb::Each(each) => &each.body,
                _ => &[],
            },
        }
    }

    fn step_at(&self, block: BlockRef, place: usize) -> Option<StepIx> {
        match block {
            BlockRef::One(step) => (place == 0).then_some(step),
            list => self.list(list).get(place).copied(),
        }
    }

    /// Where a step stands in a list, from 1.
    pub(super) fn place_in_list(&self, block: BlockRef, step: StepIx) -> usize {
        match block {
            BlockRef::One(_) => 1,
            list => self.list(list).iter().position(|ix| *ix == step).map_or(0, |place| place + 1),
        }
    }

    pub(super) fn open_lane(&mut self, owner: Owner, block: BlockRef, scope: ScopeIx, prefix: impl Into<Arc<str>>) -> LaneIx {
        let ix = LaneIx(self.lanes.len() as u32);
        self.lanes.push(Lane { owner, block, next: 0, scope, prefix: prefix.into(), current: None, closing: false, ended: false });
        if let Owner::Node(node) = owner {
            self.node_mut(node).open_lanes.push(ix);
        }
        ix
    }

    /// Starts the lane's next step, or ends the lane.
    pub(super) fn advance(&mut self, ix: LaneIx) {
        loop {
            let lane = self.lane(ix);
            let Some(step) = self.step_at(lane.block, lane.next) else {
                return self.end_lane(ix, End::Completed);
            };
            if lane.closing {
                return self.end_lane(ix, End::Stopped);
            }
            self.lane_mut(ix).next += 1;
            if self.left_out(ix, step) {
                let id = self.plan.step(step).id.clone();
                let scope = self.lane(ix).scope;
                if let Some(id) = id {
                    self.scopes[scope.0 as usize].absent.insert(id, "it is not part of this run (`--from`, `--only`)".to_owned());
                }
                continue;
            }
            let node = self.add_node(ix, step);
            self.lane_mut(ix).current = Some(node);
            let path = self.node(node).path.clone();
            self.want(Key::Resolve(node), Command::Resolve { path });
            return;
        }
    }

    fn left_out(&self, lane: LaneIx, step: StepIx) -> bool {
        self.lane(lane).owner == Owner::Frame(FrameIx(0))
            && self.lane(lane).block == BlockRef::Body(ProcedureIx(0))
            && self.is_left_out(step)
    }

    fn add_node(&mut self, lane: LaneIx, step: StepIx) -> NodeIx {
        let label = &self.plan.step(step).label;
        let path = StepPath::within(&self.lane(lane).prefix, label);
        let ix = NodeIx(self.nodes.len() as u32);
        self.by_path.insert(path.clone(), ix);
        self.at_hand = Some(ix);
        self.nodes.push(Arc::new(Node {
            step,
            path,
            lane,
            scope: self.lane(lane).scope,
            state: State::Resolving,
            attempt: 0,
            tries: 0,
            work: None,
            result: Value::Null,
            open_lanes: Vec::new(),
            inner: Inner::None,
            stopping: None,
            denied: false,
            verifications: 0,
            created: self.now,
            born: self.seq,
            ended: None,
            note: None,
        }));
        ix
    }

    /// Takes the lane's next step to be `target`, which stands later in the same block.
    pub(super) fn jump(&mut self, ix: LaneIx, target: StepIx) {
        let place = self.list(self.lane(ix).block).iter().position(|s| *s == target);
        if let Some(place) = place
            && place >= self.lane(ix).next
        {
            self.lane_mut(ix).next = place;
        }
    }

    pub(super) fn end_lane(&mut self, ix: LaneIx, end: End) {
        if self.lane(ix).ended {
            return;
        }
        self.lane_mut(ix).ended = true;
        self.lane_mut(ix).current = None;
        match self.lane(ix).owner {
            Owner::Frame(frame) => self.stage_ended(frame, end),
            Owner::Undo => self.undo_ended(end),
            Owner::Node(node) => {
                self.node_mut(node).open_lanes.retain(|l| *l != ix);
                self.show_round(self.lane(ix).scope);
                self.part_ended(node, end);
            }
        }
    }

    /// Stops whatever the lane has under way; the lane ends when that has ended.
    pub(super) fn halt_lane(&mut self, ix: LaneIx, halt: Halt) {
        if self.lane(ix).ended {
            return;
        }
        self.lane_mut(ix).closing = true;
        match self.lane(ix).current {
            Some(node) => self.halt_node(node, halt),
            None => self.end_lane(ix, End::Stopped),
        }
    }

    pub(super) fn halt_lanes(&mut self, node: NodeIx, halt: Halt) {
        for lane in self.node(node).open_lanes.clone() {
            self.halt_lane(lane, halt);
        }
    }

    // Containers.

    /// A container was resolved: opens its first lanes.
    pub(super) fn open_container(&mut self, node: NodeIx) {
        let plan = self.plan.clone();
        let step = self.node(node).step;
        let (path, scope) = (self.node(node).path.clone(), self.node(node).scope);
        self.node_mut(node).state = State::Open;
        match &plan.step(step).verb {
            Verb::Group(_) => {
                let lane = self.open_lane(Owner::Node(node), BlockRef::Inner(step), scope, path.as_str());
                self.advance(lane);
            }
            Verb::Parallel { .. } => {
                self.node_mut(node).inner = Inner::Parallel { next: 0, worst: None };
                self.fill_parallel(node);
            }
            Verb::Repeat { .. } => self.open_round(node, 1),
            _ => {}
        }
    }

    pub(super) fn open_branch(&mut self, node: NodeIx, branch: u32) {
        let (step, path, scope) = (self.node(node).step, self.node(node).path.clone(), self.node(node).scope);
        self.node_mut(node).state = State::Open;
        let lane = self.open_lane(Owner::Node(node), BlockRef::Branch(step, branch), scope, path.as_str());
        self.advance(lane);
    }

    pub(super) fn open_items(&mut self, node: NodeIx, items: &[Value], waves: &[u32]) {
        self.node_mut(node).state = State::Open;
        self.node_mut(node).inner = Inner::Each(Box::new(Items {
            items: Arc::new(items.to_vec()),
            waves: waves.to_vec(),
            wave: 0,
            wave_end: waves.first().copied().unwrap_or(0),
            next: 0,
            failures: 0,
            cut: false,
            scopes: Vec::new(),
            worst: None,
        }));
        self.fill_items(node);
    }

    pub(super) fn open_round(&mut self, node: NodeIx, round: u32) {
        let step = self.node(node).step;
        let (path, scope) = (self.node(node).path.clone(), self.node(node).scope);
        self.forget(BlockRef::Inner(step), scope);
        let own =
            self.add_scope(Scope { parent: Some(scope), kind: ScopeKind::Round, steps: BTreeMap::new(), absent: BTreeMap::new() });
        self.node_mut(node).state = State::Open;
        self.node_mut(node).inner = Inner::Rounds { round, until: None };
        let lane = self.open_lane(Owner::Node(node), BlockRef::Inner(step), own, format!("{path}[{round}]"));
        self.advance(lane);
    }

    /// A new round starts without what the last one gave, so that nothing stale is read.
    fn forget(&mut self, block: BlockRef, scope: ScopeIx) {
        let plan = self.plan.clone();
        let mut open: Vec<StepIx> = self.list(block).to_vec();
        while let Some(step) = open.pop() {
            let step = plan.step(step);
            if let Some(id) = &step.id {
                let scope = &mut self.scopes[scope.0 as usize];
                scope.steps.remove(id);
                scope.absent.remove(id);
            }
            match &step.verb {
                Verb::Group(body) | Verb::Repeat { body, .. } => open.extend(body),
                Verb::Choose(branches) => branches.iter().for_each(|b| open.extend(&b.body)),
                Verb::Parallel { branches, .. } => branches.iter().for_each(|(_, b)| open.extend(b)),
                Verb::Wait(wait) => {
                    if let WaitFor::Until { probe: Some(probe), .. } = &wait.what {
                        open.push(*probe);
                    }
                }
                _ => {}
            }
        }
    }

    /// What a round gave is seen outside it, until the next one begins.
    fn show_round(&mut self, round: ScopeIx) {
        let Scope { parent: Some(outer), kind: ScopeKind::Round, steps, absent } = self.scope(round).clone() else { return };
        for (id, value) in steps {
            self.remember(outer, &id, value);
        }
        self.scopes[outer.0 as usize].absent.extend(absent);
        let cut: Vec<_> = self.cut_in(round).map(|(id, differs)| ((outer, id.clone()), differs)).collect();
        self.cut.extend(cut);
    }

    pub(super) fn open_call(&mut self, node: NodeIx, inputs: &Map) {
        let Verb::Call { procedure, .. } = self.step_of(node).verb else { return };
        let frame = FrameIx(self.frames.len() as u32);
        let scope = self.add_scope(Scope {
            parent: None,
            kind: ScopeKind::Procedure { frame },
            steps: BTreeMap::new(),
            absent: BTreeMap::new(),
        });
        let prefix: Arc<str> = Arc::from(self.node(node).path.as_str());
        self.frames.push(Frame {
            procedure,
            caller: Some(node),
            scope,
            inputs: inputs.clone(),
            prefix,
            stage: Stage::Body,
            lane: None,
            end: None,
        });
        self.node_mut(node).state = State::Open;
        self.node_mut(node).inner = Inner::Call(frame);
        self.open_stage(frame, Stage::Body);
    }

    fn fill_parallel(&mut self, node: NodeIx) {
        // Stopping its lanes may have ended the whole already; so may a lane that ends as it opens.
        while self.node(node).state == State::Open {
            let (step, path, scope) = (self.node(node).step, self.node(node).path.clone(), self.node(node).scope);
            let Verb::Parallel { branches, max_parallel } = &self.plan.step(step).verb else { return };
            let (total, most) = (branches.len() as u32, *max_parallel as usize);
            let open = self.node(node).open_lanes.len();
            let Inner::Parallel { next, worst } = &self.node(node).inner else { return };
            let next = *next;
            let closing = worst.is_some() || self.node(node).stopping.is_some();
            if next == total || closing {
                if open == 0 {
                    self.container_ended(node);
                }
                return;
            }
            if open >= most {
                return;
            }
            let Some((name, _)) = branches.get(next as usize) else { return };
            let prefix = format!("{path}.{name}");
            if let Inner::Parallel { next, .. } = &mut self.node_mut(node).inner {
                *next += 1;
            }
            let lane = self.open_lane(Owner::Node(node), BlockRef::Branch(step, next), scope, prefix);
            self.advance(lane);
        }
    }

    fn fill_items(&mut self, node: NodeIx) {
        while self.node(node).state == State::Open {
            let (step, path, scope) = (self.node(node).step, self.node(node).path.clone(), self.node(node).scope);
            let Verb::Each(each) = &self.plan.step(step).verb else { return };
            let (name, most, tolerated) = (each.r#as.clone(), each.max_parallel as usize, each.max_failures);
            let open = self.node(node).open_lanes.len();
            let stopping = self.node(node).stopping.is_some();
            let Inner::Each(items) = &mut self.node_mut(node).inner else { return };
            let closing = stopping || items.failures > tolerated;
            if items.next as usize >= items.items.len() || closing {
                if open == 0 {
                    self.container_ended(node);
                }
                return;
            }
            if items.next == items.wave_end {
                if open > 0 {
                    return;
                }
                items.wave += 1;
                items.wave_end += items.waves.get(items.wave).copied().unwrap_or(u32::MAX - items.wave_end);
            }
            if open >= most {
                return;
            }
            let index = items.next;
            items.next += 1;
            let item = items.items.get(index as usize).cloned().unwrap_or_default();
            let inner = self.add_scope(Scope {
                parent: Some(scope),
                kind: ScopeKind::Item { name, item, index },
                steps: BTreeMap::new(),
                absent: BTreeMap::new(),
            });
            if let Inner::Each(items) = &mut self.node_mut(node).inner {
                items.scopes.push(inner);
            }
            let lane = self.open_lane(Owner::Node(node), BlockRef::Inner(step), inner, format!("{path}[{index}]"));
            self.advance(lane);
        }
    }

    /// One lane of a node has ended.
    fn part_ended(&mut self, node: NodeIx, end: End) {
        let state = self.node(node).state;
        if let State::InDoubt(_) = state {
            return self.verification_ended(node);
        }
        if let Inner::Call(frame) = self.node(node).inner {
            return self.stage_ended(frame, end);
        }
        if let Verb::Wait(_) = self.step_of(node).verb {
            return self.probe_ended(node, &end);
        }
        // A `finish`, and a rollback, concern the whole procedure: the parts beside it are drained and it goes on outwards.
        let outward = matches!(end, End::Finished { .. } | End::Failed { rollback: true, .. });
        match &mut self.node_mut(node).inner {
            Inner::Parallel { worst, .. } => {
                // A branch that was stopped was stopped together with those beside it.
                let bad = !matches!(end, End::Completed | End::Stopped);
                if end != End::Completed && (outward || matches!(worst, None | Some(End::Stopped))) {
                    *worst = Some(end);
                }
                if bad {
                    self.halt_lanes(node, Halt::Drain);
                }
                self.fill_parallel(node);
            }
            Inner::Each(items) => {
                let bad = !matches!(end, End::Completed | End::Stopped);
                items.failures += u32::from(bad);
                let for_all = bad && is_pattern(&items.items);
                items.cut |= end == End::Stopped;
                if end != End::Completed && (outward || matches!(items.worst, None | Some(End::Stopped))) {
                    items.worst = Some(end);
                }
                let failures = items.failures;
                self.borne_for_all |= for_all && self.is_predicted() && failures <= self.tolerated(node);
                if outward {
                    self.node_mut(node).stopping.get_or_insert(FailKind::Failed);
                }
                if outward || (bad && failures > self.tolerated(node)) {
                    self.halt_lanes(node, Halt::Drain);
                }
                self.fill_items(node);
            }
            Inner::Rounds { round, .. } => {
                let round = *round;
                let last = self.node(node).stopping.is_some();
                if end == End::Completed && last {
                    self.close_container(node, Some(End::Stopped));
                } else if end == End::Completed {
                    let path = self.node(node).path.clone();
                    self.node_mut(node).state = State::Judging;
                    self.want(Key::Judge(node), Command::Judge { path, round });
                } else {
                    self.close_container(node, Some(end));
                }
            }
            _ => self.close_container(node, Some(end)),
        }
    }

    /// How many items of an `each` may fail.
    fn tolerated(&self, node: NodeIx) -> u32 {
        match &self.step_of(node).verb {
            Verb::Each(each) if !self.bears_none => each.max_failures,
            _ => 0,
        }
    }

    /// All parts of a `parallel` or `each` have ended.
    fn container_ended(&mut self, node: NodeIx) {
        let (tolerated, stopped) = (self.tolerated(node), self.node(node).stopping.is_some());
        let counts_cut = self.plan.semantics >= 2;
        let worst = match &mut self.node_mut(node).inner {
            Inner::Parallel { worst, .. } => worst.take(),
            Inner::Each(items) => {
                let worst = items.worst.take();
                let unfinished = stopped && ((counts_cut && items.cut) || (items.next as usize) < items.items.len());
                match worst {
                    Some(End::Finished { .. } | End::Failed { rollback: true, .. }) => worst,
                    _ if items.failures > tolerated => worst.map(|end| items.counted(end)),
                    _ if unfinished => Some(End::Stopped),
                    _ => None,
                }
            }
            _ => None,
        };
        if let Some(End::Failed { step, .. } | End::Finished { step, .. }) = &worst
            && self.is_predicted()
        {
            let step = step.clone();
            self.cut_beside(node, &step);
        }
        self.close_container(node, worst);
    }

    /// Ends a container, from how the part that decides has ended.
    fn close_container(&mut self, node: NodeIx, end: Option<End>) {
        if let Some(kind) = self.node(node).stopping
            && (matches!(end, Some(End::Stopped | End::Failed { rollback: false, .. })) || self.ended_late(kind, end.as_ref()))
        {
            let failure = self.node(node).note.clone().unwrap_or_else(|| stopped_failure(kind));
            return self.fail(node, kind, failure);
        }
        match end {
            None | Some(End::Completed) => {
                let result = self.container_result(node);
                self.complete(node, result);
            }
            Some(End::Stopped) => self.fail(node, FailKind::Cancelled, stopped_failure(FailKind::Cancelled)),
            Some(End::Finished { failed, message, step }) => {
                self.settle(node, if failed { StepOutcome::Failed } else { StepOutcome::Succeeded }, None);
                let lane = self.node(node).lane;
                self.end_lane(lane, End::Finished { failed, message, step });
            }
            Some(End::Failed { kind, failure, step, rollback }) => self.fail_through(node, kind, failure, step, rollback),
        }
    }

    /// Whether all in a container came to its end, after its own time was over.
    fn ended_late(&self, kind: FailKind, end: Option<&End>) -> bool {
        self.times_end_bodies() && kind == FailKind::TimedOut && matches!(end, None | Some(End::Completed))
    }

    fn container_result(&self, node: NodeIx) -> Value {
        match &self.node(node).inner {
            // A prediction that shows unknown items once does not know how many there are.
            Inner::Each(items)
                if (self.is_imagined() && is_pattern(&items.items)) || (self.is_predicted() && self.may_lose_parts(node)) =>
            {
                Value::Unknown(format!("steps.{}", self.node(node).path.label()))
            }
            Inner::Each(items) => {
                let acting = if self.is_predicted() { self.acting_inside(node) } else { BTreeSet::new() };
                // Which keys the result of an attempt has that nobody has made is not known.
                let given = |(id, value): (&Id, &Arc<Value>)| match acting.contains(id) && value.first_unknown().is_some() {
                    true => (id.to_string(), Value::Unknown(format!("steps.{}[…].{id}", self.node(node).path.label()))),
                    false => (id.to_string(), (**value).clone()),
                };
                let item = |scope: &ScopeIx| Value::Map(self.scope(*scope).steps.iter().map(given).collect());
                Value::List(items.scopes.iter().map(item).collect())
            }
            Inner::Rounds { round, .. } => self.rounds_result(node, *round),
            _ => Value::Null,
        }
    }

    /// What a `wait` or `repeat` gives.
    pub(super) fn rounds_result(&self, node: NodeIx, round: u32) -> Value {
        let rounds = match self.is_imagined() {
            true => Value::Unknown(format!("steps.{}.rounds", self.node(node).path.label())),
            false => Value::Int(i64::from(round)),
        };
        Value::Map(Map::from([("rounds".to_owned(), rounds)]))
    }

    /// Whether this is no real run, but a prediction of one.
    pub(super) fn is_predicted(&self) -> bool {
        self.id().is_some_and(RunId::is_predicted)
    }

    /// Whether it is no real run: a prediction, or one of all paths.
    pub(super) fn is_imagined(&self) -> bool {
        self.id().is_some_and(|id| id.is_predicted() || id.is_explored())
    }

    // Frames.

    pub(super) fn open_stage(&mut self, ix: FrameIx, stage: Stage) {
        let (procedure, scope, prefix) = {
            let frame = self.frame_mut(ix);
            frame.stage = stage;
            (frame.procedure, frame.scope, frame.prefix.clone())
        };
        let beside = |name: &str| if prefix.is_empty() { format!("~{name}") } else { format!("{prefix}/~{name}") };
        let (block, prefix) = match stage {
            Stage::Body => (BlockRef::Body(procedure), prefix.to_string()),
            Stage::OnFailure => (BlockRef::OnFailure(procedure), beside("on_failure")),
            Stage::Finally => (BlockRef::Finally(procedure), beside("finally")),
            Stage::Unwinding => {
                self.unwinding.begun = true;
                return self.unwind_next();
            }
            Stage::Closed => return self.frame_closed(ix),
        };
        let owner = match self.frame(ix).caller {
            None => Owner::Frame(ix),
            // A called procedure's lanes hang on the call step, so that stopping the step stops them.
            Some(node) => Owner::Node(node),
        };
        let lane = self.open_lane(owner, block, scope, prefix);
        self.frame_mut(ix).lane = Some(lane);
        self.advance(lane);
    }

    /// One stage of a frame has ended: which comes next?
    pub(super) fn stage_ended(&mut self, ix: FrameIx, end: End) {
        let stage = self.frame(ix).stage;
        if stage == Stage::Body {
            self.body_ended(ix, end);
        }
        let own = self.frame(ix).caller.is_none();
        let failed = matches!(self.frame(ix).end, Some(End::Failed { .. } | End::Finished { failed: true, .. }));
        let rollback = match (&self.cancel, &self.frame(ix).end) {
            (Some(cancel), _) => cancel.undo,
            (None, Some(End::Failed { rollback, .. })) => *rollback,
            _ => false,
        };
        let next = match stage {
            Stage::Unwinding if self.unwinding.requested => Stage::Closed,
            Stage::Body if failed && self.cancel.is_none() => Stage::OnFailure,
            Stage::Body | Stage::OnFailure if own && rollback => Stage::Unwinding,
            Stage::Body | Stage::OnFailure | Stage::Unwinding => Stage::Finally,
            Stage::Finally | Stage::Closed => Stage::Closed,
        };
        self.open_stage(ix, next);
    }

    /// The end of a body is that of its time, and how the frame ends, unless it was told before.
    fn body_ended(&mut self, ix: FrameIx, end: End) {
        if self.times_end_bodies() {
            let timer = match self.frame(ix).caller {
                None => Timer::Run,
                Some(node) => Timer::Step { path: self.node(node).path.clone() },
            };
            self.unwant(&Key::Wake(timer));
        }
        let called = self.frame(ix).caller.is_some();
        match (&mut self.frame_mut(ix).end, end) {
            // A step that is to be followed by a rollback was stopped, and nobody knows whether it did its work.
            (Some(End::Failed { kind, rollback, .. }), End::Failed { kind: of, rollback: true, .. }) if called => {
                *rollback = true;
                if *kind == FailKind::Cancelled {
                    *kind = of;
                }
            }
            (Some(_), _) => {}
            (none, end) => *none = Some(end),
        }
    }

    fn frame_closed(&mut self, ix: FrameIx) {
        let end = self.frame(ix).end.clone().unwrap_or(End::Completed);
        match self.frame(ix).caller {
            None => self.close_run(),
            Some(node) => {
                let end = match end {
                    End::Finished { failed: false, .. } => End::Completed,
                    End::Finished { failed: true, message, step } => End::Failed {
                        kind: FailKind::Failed,
                        failure: Failure { message, at: None, detail: None },
                        step,
                        rollback: false,
                    },
                    end => end,
                };
                self.node_mut(node).inner = Inner::None;
                self.close_container(node, Some(end));
            }
        }
    }

    pub(super) fn take_finish(&mut self, node: NodeIx, outcome: FinishOutcome, message: &str) {
        let failed = outcome == FinishOutcome::Failed;
        self.settle(node, StepOutcome::Succeeded, None);
        let (lane, step) = (self.node(node).lane, self.node(node).path.clone());
        self.end_lane(lane, End::Finished { failed, message: message.to_owned(), step });
    }

    pub(super) fn take_timer(&mut self, timer: &Timer, on_call: &OnCall) {
        self.unwant(&Key::Wake(timer.clone()));
        match timer {
            Timer::Run => self.run_timed_out(),
            Timer::Step { path } => self.at(path, Run::step_timed_out),
            Timer::Retry { path, .. } => self.at(path, Run::make_ready),
            Timer::Wait { path, .. } => self.at(path, Run::slept),
            Timer::Decision { decision, rung } => self.decision_expired(*decision, *rung, on_call),
        }
    }

    /// The instant at which `after` from now is.
    pub(super) fn time_after(&self, after: std::time::Duration) -> jiff::Timestamp {
        later(self.now, after)
    }

    pub(super) fn remember(&mut self, scope: ScopeIx, id: &Id, value: impl Into<Arc<Value>>) {
        let scope = &mut self.scopes[scope.0 as usize];
        scope.absent.remove(id);
        scope.steps.insert(id.clone(), value.into());
    }
}

/// Whether these are the items of a prediction that does not know them, and stands for them.
fn is_pattern(items: &[Value]) -> bool {
    matches!(items.first(), Some(Value::Unknown(_)))
}

pub(super) fn stopped_failure(kind: FailKind) -> Failure {
    let message = match kind {
        FailKind::TimedOut => "its time was over",
        _ => "it was stopped before it was done",
    };
    Failure { message: message.to_owned(), at: None, detail: None }
}
