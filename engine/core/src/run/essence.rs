//! What of a run's state still matters: two runs of one plan with the same essence will do the same from here on, whatever
//! they did before. The explorer merges them.
//!
//! Left out are the past (ended steps, events, times, numbers of attempts and rounds, why something failed) and every output that
//! nothing can read any more. What takes changes back is part of the future as long as the run can still do it.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{StepOutcome, Timer};
use super::state::{BlockRef, Doubt, End, FailKind, FrameIx, Inner, LaneIx, NodeIx, ScopeIx, ScopeKind, Stage, State};
use super::{Asker, Assumed, Key, Run};
use crate::expr::Reference;
use crate::id::Id;
use crate::plan::{Plan, ProcedureIx, StepIx, Verb, Verify, WaitFor};
use crate::value::Value;

/// Which outputs each list of steps reads, and how far down it last does.
pub(crate) struct Reads {
    lists: BTreeMap<BlockRef, Last>,
    /// What each step reads with everything inside it, and what it still reads once the list inside it is under way. Of what goes
    /// through its parts more than once, or opens them one by one, that is the same.
    steps: Vec<(Last, Last)>,
}

/// Whether two states differ that have made the same changes in another order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UndoOrder {
    AsMade,
    Any,
}

/// What is read of a list, at places counted from 1.
#[derive(Clone, Debug, Default)]
struct Last {
    of: BTreeMap<Id, Place>,
    /// The last place that reads all of `steps`.
    all: usize,
    /// The last place that judges a condition of these words.
    judges: BTreeMap<String, usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The last that reads it.
    read: usize,
    /// The one at which the step of this id stands; 0 where it stands elsewhere. Before it there is nothing to be read.
    given: usize,
}

impl Last {
    fn add(&mut self, references: &[Reference], place: usize) {
        for reference in references {
            match reference.path.as_slice() {
                [root, id, ..] if root == "steps" => match id.parse::<Id>() {
                    Ok(id) => self.put(id, place),
                    Err(_) => self.all = self.all.max(place),
                },
                [root] if root == "steps" => self.all = self.all.max(place),
                _ => {}
            }
        }
    }

    fn put(&mut self, id: Id, place: usize) {
        let last = &mut self.of.entry(id).or_default().read;
        *last = place.max(*last);
    }

    fn join(&mut self, other: &Last, place: usize) {
        other.of.keys().for_each(|id| self.put(id.clone(), place));
        if other.all > 0 {
            self.all = self.all.max(place);
        }
        self.judges.extend(other.judges.keys().map(|words| (words.clone(), place)));
    }
}

impl Reads {
    pub(crate) fn of(plan: &Plan) -> Reads {
        let mut reads = Reads { lists: BTreeMap::new(), steps: vec![Default::default(); plan.steps.len()] };
        for (ix, procedure) in (0..).map(ProcedureIx).zip(&plan.procedures) {
            let end = usize::MAX;
            let mut after = Last::default();
            for (_, output) in &procedure.outputs {
                after.add(&output.reads(), end);
            }
            let finally = reads.list(plan, BlockRef::Finally(ix), &procedure.finally);
            after.join(&finally, end);
            let on_failure = reads.list(plan, BlockRef::OnFailure(ix), &procedure.on_failure);
            let mut before = after.clone();
            before.join(&on_failure, end);
            reads.list(plan, BlockRef::Body(ix), &procedure.body);
            for (block, later) in [(BlockRef::Body(ix), before), (BlockRef::OnFailure(ix), after)] {
                if let Some(list) = reads.lists.get_mut(&block) {
                    list.join(&later, end);
                }
            }
        }
        reads
    }

    /// Whether any step reads what the step of this id gives.
    pub(crate) fn anywhere(&self, id: &Id) -> bool {
        self.lists.values().any(|list| list.all > 0 || list.of.contains_key(id))
    }

    fn list(&mut self, plan: &Plan, block: BlockRef, steps: &[StepIx]) -> Last {
        let mut last = Last::default();
        for (place, ix) in (1..).zip(steps) {
            let of = self.step(plan, *ix);
            last.join(&of, place);
        }
        for (place, ix) in (1..).zip(steps) {
            let mut inside = vec![*ix];
            while let Some(step) = inside.pop().map(|ix| plan.step(ix)) {
                if let Some(known) = step.id.as_ref().and_then(|id| last.of.get_mut(id)) {
                    known.given = place;
                }
                inside.extend(step.inner());
            }
        }
        self.lists.insert(block, last.clone());
        last
    }

    fn step(&mut self, plan: &Plan, ix: StepIx) -> Last {
        let step = plan.step(ix);
        let mut own = Last::default();
        own.add(&step.reads(), 1);
        own.judges = step.conditions().map(|condition| (condition.source.trim().to_owned(), 1)).collect();
        let mut last = own.clone();
        let again = matches!(step.verb, Verb::Each(_) | Verb::Repeat { .. } | Verb::Wait(_) | Verb::Parallel { .. });
        let mut lists: Vec<(BlockRef, &[StepIx])> = match &step.verb {
            Verb::Group(body) | Verb::Repeat { body, .. } => vec![(BlockRef::Inner(ix), body)],
            Verb::Each(each) => vec![(BlockRef::Inner(ix), &each.body)],
            Verb::Choose(branches) => (0..).zip(branches).map(|(n, b)| (BlockRef::Branch(ix, n), b.body.as_slice())).collect(),
            Verb::Parallel { branches, .. } => {
                (0..).zip(branches).map(|(n, (_, body))| (BlockRef::Branch(ix, n), body.as_slice())).collect()
            }
            Verb::Wait(wait) => match &wait.what {
                WaitFor::Until { probe: Some(probe), .. } => vec![(BlockRef::One(*probe), std::slice::from_ref(probe))],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        if let Some(Verify::Step(verify)) = &step.verify {
            lists.push((BlockRef::One(*verify), std::slice::from_ref(verify)));
        }
        lists.push((BlockRef::Undo(ix), &step.undo));
        for (block, steps) in lists {
            let inside = self.list(plan, block, steps);
            last.join(&inside, 1);
            if again || matches!(block, BlockRef::Undo(_) | BlockRef::One(_)) {
                own.join(&inside, 1);
            }
        }
        if let Some(step) = self.steps.get_mut(ix.0 as usize) {
            *step = (last.clone(), own);
        }
        last
    }

    /// What a list still reads from its place `next` on.
    fn after(&self, block: BlockRef, next: usize) -> (impl Iterator<Item = &Id>, bool) {
        let last = self.lists.get(&block);
        let ids = last
            .into_iter()
            .flat_map(move |last| last.of.iter().filter(move |(_, place)| place.read > next && place.given <= next));
        (ids.map(|(id, _)| id), last.is_some_and(|last| last.all > next))
    }
}

/// Bytes in which equal states are equal.
struct Essence<'r> {
    run: &'r Run,
    reads: &'r Reads,
    bytes: Vec<u8>,
    /// How parts have ended that still go on.
    ends: Vec<u8>,
    /// Scopes in the order in which they were met.
    scopes: Vec<ScopeIx>,
    /// Outputs that were written already.
    written: BTreeSet<(ScopeIx, &'r Id)>,
    /// Lists that go on, and from where.
    lists: Vec<(BlockRef, usize)>,
    /// What the steps under way read.
    steps: Vec<&'r Last>,
}

impl Run {
    /// The state as bytes: equal where whatever can follow is the same. Behind the given place stands only how parts have ended that
    /// still go on, which may turn out to make no difference.
    pub(crate) fn essence(&self, reads: &Reads, assumed: &Assumed) -> (Vec<u8>, usize) {
        self.essence_with(reads, assumed, UndoOrder::AsMade)
    }

    pub(crate) fn essence_with(&self, reads: &Reads, assumed: &Assumed, order: UndoOrder) -> (Vec<u8>, usize) {
        let mut essence = Essence::of(self, reads);
        essence.whole(order);
        essence.assumed(assumed);
        let own = essence.bytes.len();
        essence.bytes.append(&mut essence.ends);
        (essence.bytes, own)
    }

    /// What the undo of the last change reads, as bytes: it does the same where they are equal.
    pub(crate) fn undo_essence(&self, reads: &Reads) -> Option<Vec<u8>> {
        let top = self.undoable.last()?;
        let (step, scope) = (self.node(top.node).step, self.node(top.node).scope);
        let mut essence = Essence::of(self, reads);
        essence.number(step.0 as usize);
        essence.names(BlockRef::Undo(step), 0, scope);
        Some(essence.bytes)
    }

    /// Whether it cannot succeed any more.
    pub(crate) fn is_lost(&self) -> bool {
        let end = self.frames.first().and_then(|frame| frame.end.as_ref());
        end.is_some_and(|end| !matches!(end, End::Completed | End::Finished { failed: false, .. }))
    }

    /// What a copy of the run costs, in parts.
    pub(crate) fn weight(&self) -> usize {
        3 * self.nodes.len() + self.lanes.len() + self.scopes.len() + 8 * self.decisions.len() + 16
    }
}

impl<'r> Essence<'r> {
    fn of(run: &'r Run, reads: &'r Reads) -> Essence<'r> {
        Essence {
            run,
            reads,
            bytes: Vec::new(),
            ends: Vec::new(),
            scopes: Vec::new(),
            written: BTreeSet::new(),
            lists: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// How conditions were taken to go that may be judged again.
    fn assumed(&mut self, assumed: &Assumed) {
        for ((names, words), holds) in &assumed.0 {
            let again = |(list, next): &(BlockRef, usize)| {
                let last = self.reads.lists.get(list).and_then(|last| last.judges.get(words));
                last.is_some_and(|place| place > next)
            };
            if self.lists.iter().any(again) || self.steps.iter().any(|step| step.judges.contains_key(words)) {
                self.text(names);
                self.text(words);
                self.put(u8::from(*holds));
            }
        }
    }

    fn put(&mut self, tag: u8) {
        self.bytes.push(tag);
    }

    fn number(&mut self, number: usize) {
        self.bytes.extend_from_slice(&(number as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.put(0),
            Value::Bool(value) => self.bytes.extend([1, u8::from(*value)]),
            Value::Int(value) => {
                self.put(2);
                self.bytes.extend(value.to_le_bytes());
            }
            Value::Float(value) => {
                self.put(3);
                self.bytes.extend(value.to_bits().to_le_bytes());
            }
            Value::Text(text) => {
                self.put(4);
                self.text(text);
            }
            Value::Duration(duration) => {
                self.put(5);
                self.bytes.extend(duration.as_nanos().to_le_bytes());
            }
            Value::Time(time) => {
                self.put(6);
                self.bytes.extend(time.as_nanosecond().to_le_bytes());
            }
            Value::List(items) => {
                self.put(7);
                self.number(items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Map(map) => {
                self.put(8);
                self.number(map.len());
                for (key, value) in map {
                    self.text(key);
                    self.value(value);
                }
            }
            Value::Unknown(name) => {
                self.put(9);
                self.text(name);
            }
        }
    }

    fn whole(&mut self, order: UndoOrder) {
        let run = self.run;
        let outcome = run.outcome.as_ref().map(|outcome| outcome.kind);
        self.put(outcome.map_or(0, |kind| kind as u8 + 1));
        self.put(u8::from(run.paused));
        self.put(run.cancel.as_ref().map_or(0, |cancel| 1 + u8::from(cancel.undo)));
        self.put(u8::from(run.wants.contains_key(&Key::Wake(Timer::Run))));
        self.put(u8::from(run.nodes.iter().any(|node| node.state == State::Ended(StepOutcome::Unknown))));
        let unwinding = &run.unwinding;
        self.bytes.extend([u8::from(unwinding.begun), u8::from(unwinding.left > 0), u8::from(unwinding.requested)]);
        let Some(frame) = run.frames.first() else { return };
        self.put(frame.stage as u8);
        self.end(frame.end.as_ref());
        if let (Some(lane), true) = (frame.lane, outcome.is_none()) {
            self.lane(lane);
        }
        if let Some(lane) = unwinding.lane {
            self.put(1);
            self.lane(lane);
        }
        for asker in [Asker::Run, Asker::Undo] {
            let asked = run.asked.contains_key(&asker) || run.wants.contains_key(&Key::Request(asker));
            self.put(u8::from(asked));
        }
        let mut undoable: Vec<NodeIx> = run.undoable.iter().map(|undoable| undoable.node).collect();
        if order == UndoOrder::Any {
            undoable.sort_by_key(|node| &run.node(*node).path);
        }
        for node in undoable {
            let (step, scope) = (run.node(node).step, run.node(node).scope);
            // What two calls of one procedure leave, or two rounds, is not the same.
            self.text(run.node(node).path.as_str());
            self.scope(scope);
            self.names(BlockRef::Undo(step), 0, scope);
        }
    }

    /// How something ended, as far as that makes a difference. A step that fails and one that runs out of time lead to the same.
    fn end(&mut self, end: Option<&End>) {
        let tag = match end {
            None => 0,
            Some(End::Completed) => 1,
            Some(End::Stopped) => 2,
            Some(End::Finished { failed, .. }) => 3 + u8::from(*failed),
            Some(End::Failed { kind, rollback, .. }) => 5 + 2 * kind_of(*kind) + u8::from(*rollback),
        };
        let told = end.is_some_and(|end| match end {
            End::Failed { step, .. } => self.run.is_told(step),
            _ => true,
        });
        self.ends.extend([tag, u8::from(told)]);
    }

    fn lane(&mut self, ix: LaneIx) {
        let lane = self.run.lane(ix);
        self.put(2 + u8::from(lane.ended) + 2 * u8::from(lane.closing));
        if lane.ended {
            return;
        }
        self.block(lane.block);
        self.number(lane.next);
        self.scope(lane.scope);
        self.names(lane.block, lane.next, lane.scope);
        if let Some(node) = lane.current {
            self.node(node);
        }
    }

    fn block(&mut self, block: BlockRef) {
        let (tag, of, branch) = match block {
            BlockRef::Body(p) => (0, p.0, 0),
            BlockRef::OnFailure(p) => (1, p.0, 0),
            BlockRef::Finally(p) => (2, p.0, 0),
            BlockRef::Branch(s, branch) => (3, s.0, branch),
            BlockRef::Inner(s) => (4, s.0, 0),
            BlockRef::Undo(s) => (5, s.0, 0),
            BlockRef::One(s) => (6, s.0, 0),
        };
        self.put(tag);
        self.number(of as usize);
        self.number(branch as usize);
    }

    fn node(&mut self, ix: NodeIx) {
        let run = self.run;
        let node = run.node(ix);
        self.number(node.step.0 as usize);
        let (tag, gate) = match node.state {
            State::Resolving => (0, 0),
            State::Gated { gate, .. } => (1, gate),
            State::Ready => (2, node.tries),
            State::Running => (3, node.tries),
            State::Backoff { .. } => (4, node.tries),
            State::Deciding(_) => (5, 0),
            State::InDoubt(Doubt::Judging) => (6, 0),
            State::InDoubt(Doubt::Probing) => (7, 0),
            State::InDoubt(Doubt::Asking(_)) => (8, 0),
            State::Sleeping { .. } => (9, 0),
            State::Judging => (10, 0),
            State::Open => (11, 0),
            State::Concluding => (12, 0),
            State::Ended(outcome) => (13, outcome as u32),
            State::Listening { .. } => (14, 0),
        };
        self.put(tag);
        self.number(gate as usize);
        self.put(node.stopping.map_or(0, |kind| 1 + kind_of(kind)));
        self.put(u8::from(node.denied));
        let votes = run.asked.get(&Asker::Node(ix)).and_then(|id| run.decision(*id)).map(|d| (d.votes.len(), d.rung));
        self.number(votes.map_or(0, |(votes, rung)| 1 + votes + ((rung as usize) << 16)));
        if run.step_of(ix).timeout.is_some() || matches!(run.step_of(ix).verb, Verb::Wait(_) | Verb::Listen(_)) {
            self.put(u8::from(run.wants.contains_key(&Key::Wake(Timer::Step { path: node.path.clone() }))));
        }
        if let Some((whole, open)) = self.reads.steps.get(node.step.0 as usize) {
            let reads = if node.state == State::Open { open } else { whole };
            self.steps.push(reads);
            self.ids(reads.of.keys(), reads.all > 0, node.scope);
        }
        match &node.inner {
            Inner::None => self.put(0),
            Inner::Parallel { next, worst } => {
                self.put(1);
                self.number(*next as usize);
                self.end(worst.as_ref());
            }
            Inner::Each(items) => {
                self.put(2);
                self.number(items.items.len());
                for number in [items.next, items.failures, items.wave_end] {
                    self.number(number as usize);
                }
                self.put(u8::from(items.cut));
                self.end(items.worst.as_ref());
            }
            Inner::Rounds { round, until } => {
                self.put(3);
                // Whether another round is still walked is all that the number of one decides.
                self.put(u8::from(*round > 1 && matches!(run.step_of(ix).verb, Verb::Repeat { .. })));
                self.put(u8::from(until.is_some()));
            }
            Inner::Call(frame) => {
                self.put(4);
                self.frame(*frame);
            }
        }
        for lane in &node.open_lanes {
            self.lane(*lane);
        }
        self.put(255);
    }

    fn frame(&mut self, ix: FrameIx) {
        let frame = self.run.frame(ix);
        self.number(frame.procedure.0 as usize);
        self.put(frame.stage as u8);
        self.end(frame.end.as_ref());
        for (name, value) in &frame.inputs {
            self.text(name);
            self.value(value);
        }
        if frame.stage < Stage::Finally {
            self.scope(frame.scope);
        }
    }

    /// A scope by the order in which it is met; the first time with what its item is.
    fn scope(&mut self, ix: ScopeIx) {
        if let Some(number) = self.scopes.iter().position(|known| *known == ix) {
            return self.number(number);
        }
        self.scopes.push(ix);
        self.number(self.scopes.len());
        let scope = self.run.scope(ix);
        if let ScopeKind::Item { item, index, .. } = &scope.kind {
            self.value(item);
            self.number(*index as usize);
        }
        if let Some(parent) = scope.parent {
            self.scope(parent);
        }
    }

    fn names(&mut self, block: BlockRef, next: usize, scope: ScopeIx) {
        let reads = self.reads;
        self.lists.push((block, next));
        let (ids, all) = reads.after(block, next);
        self.ids(ids, all, scope);
    }

    /// What these names give in a scope, where they give anything.
    fn ids(&mut self, ids: impl Iterator<Item = &'r Id>, all: bool, scope: ScopeIx) {
        let mut at = Some(scope);
        let wanted: Option<Vec<&Id>> = if all { None } else { Some(ids.collect()) };
        while let Some(ix) = at {
            let known: &'r super::state::Scope = self.run.scope(ix);
            match &wanted {
                Some(wanted) => {
                    for id in wanted {
                        if let Some((id, value)) = known.steps.get_key_value(*id) {
                            self.given(ix, id, value);
                        }
                    }
                }
                None => {
                    for (id, value) in &known.steps {
                        self.given(ix, id, value);
                    }
                }
            }
            at = if let ScopeKind::Procedure { .. } = known.kind { None } else { known.parent };
        }
    }

    fn given(&mut self, scope: ScopeIx, id: &'r Id, value: &Value) {
        if self.written.insert((scope, id)) {
            self.scope(scope);
            self.text(id.as_str());
            self.value(value);
        }
    }
}

fn kind_of(kind: FailKind) -> u8 {
    match kind {
        FailKind::Failed | FailKind::TimedOut => 0,
        FailKind::Rejected => 1,
        FailKind::Cancelled => 2,
        FailKind::Unknown => 3,
    }
}
