//! What of a run's past can still bear on what it does. Two predictions of the same plan with equal futures go on alike from here, so
//! that the dry run walks on with one of them.
//!
//! What no remaining step reads is left out, and so is everything that only the past is made of: numbers of events, nodes and
//! decisions, times. Where that is not sure, it is kept: futures may then differ that are alike, and never the other way round.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::document::step::FinishOutcome;
use crate::expr::Reference;
use crate::id::{Id, StepPath};
use crate::plan::{OnFailure, Plan, ProcedureIx, Step, StepIx, Verb, Verify, WaitFor};
use crate::value::{Map, Value};

use super::event::StepOutcome;
use super::state::{BlockRef, End, FrameIx, Inner, Lane, NodeIx, Owner, Scope, ScopeIx, ScopeKind, Stage, State};
use super::{Command, Run};

/// What the end of a step ends.
pub struct Reach {
    /// What the paths of all that begin with; empty: everything.
    within: Arc<str>,
    /// Whether it may end what runs beside the step.
    pub is_beside: bool,
}

impl Reach {
    pub fn ends(&self, path: &StepPath) -> bool {
        let rest = path.as_str().strip_prefix(&*self.within);
        self.within.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.', '[']))
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Future {
    scopes: Vec<FutureScope>,
    nodes: Vec<FutureNode>,
    frames: Vec<FutureFrame>,
    lanes: Vec<FutureLane>,
    commands: Vec<Command>,
    /// What an undo would take back, where that matters.
    undoable: Vec<StepPath>,
    unwinding: bool,
    left: Vec<Left>,
}

#[derive(Clone, Debug, PartialEq)]
struct FutureFrame {
    prefix: Arc<str>,
    stage: Stage,
    inputs: Map,
    end: Option<End>,
}

#[derive(Clone, Debug, PartialEq)]
struct FutureLane {
    owner: Option<StepPath>,
    block: BlockRef,
    next: usize,
    prefix: Arc<str>,
    closing: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct FutureNode {
    path: StepPath,
    state: State,
    tries: u32,
    result: Value,
    inner: FutureInner,
    stopping: bool,
    open_lanes: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum FutureInner {
    None,
    Parallel { next: u32, worst: Option<End> },
    Each { items: Arc<Vec<Value>>, next: u32, failures: u32, worst: Option<End>, results: Vec<BTreeMap<Id, Arc<Value>>> },
    Rounds { round: u32 },
    Call,
}

#[derive(Clone, Debug, PartialEq)]
struct FutureScope {
    kind: ScopeKind,
    steps: BTreeMap<Id, Arc<Value>>,
    absent: BTreeMap<Id, String>,
    /// Of the steps that gave something, those that may have been ended before, and whether they may have given something else.
    cut: Vec<(Id, bool)>,
}

/// Which steps of each list read what, so that it can be told of any place of it what is read from there on.
#[derive(Debug, Default)]
pub struct Reads(BTreeMap<BlockRef, Last>);

/// The last place of a list at which something is read.
#[derive(Clone, Debug, Default)]
struct Last {
    /// `steps.<id>`.
    ids: BTreeMap<String, usize>,
    /// `steps` as a whole.
    all: Option<usize>,
    /// People are asked, and shown what is known.
    asks: Option<usize>,
    conditions: BTreeMap<String, usize>,
}

impl Reads {
    pub fn of(plan: &Plan) -> Reads {
        let mut reads = Reads::default();
        for (number, procedure) in (0..).zip(&plan.procedures) {
            let number = ProcedureIx(number);
            reads.add(plan, BlockRef::Body(number), &procedure.body);
            reads.add(plan, BlockRef::OnFailure(number), &procedure.on_failure);
            reads.add(plan, BlockRef::Finally(number), &procedure.finally);
        }
        reads
    }

    fn add(&mut self, plan: &Plan, block: BlockRef, list: &[StepIx]) {
        let mut last = Last::default();
        for (place, ix) in list.iter().enumerate() {
            let step = plan.step(*ix);
            last.names(place, &step.reads());
            last.conditions.extend(step.conditions().map(|condition| (condition.source.trim().to_owned(), place)));
            if !step.gates.is_empty() || step.verb.asks() {
                last.asks = Some(place);
            }
            for (inner, list) in lists(*ix, step) {
                self.add(plan, inner, list);
                if let Some(inner) = self.0.get(&inner) {
                    last.absorb(place, inner);
                }
            }
        }
        self.0.insert(block, last);
    }

    fn at(&self, left: &[Left], says: impl Fn(&Last, usize) -> bool) -> bool {
        left.iter().any(|(block, from)| self.0.get(block).is_some_and(|last| says(last, *from)))
    }
}

/// The lists inside a step, and those that look after it.
fn lists(ix: StepIx, step: &Step) -> Vec<(BlockRef, &[StepIx])> {
    let mut lists: Vec<(BlockRef, &[StepIx])> = vec![(BlockRef::Undo(ix), &step.undo)];
    if let Some(Verify::Step(look)) = &step.verify {
        lists.push((BlockRef::One(*look), std::slice::from_ref(look)));
    }
    match &step.verb {
        Verb::Group(body) | Verb::Repeat { body, .. } => lists.push((BlockRef::Inner(ix), body)),
        Verb::Each(each) => lists.push((BlockRef::Inner(ix), &each.body)),
        Verb::Choose(branches) => lists.extend((0..).zip(branches).map(|(n, branch)| (BlockRef::Branch(ix, n), &*branch.body))),
        Verb::Parallel { branches, .. } => {
            lists.extend((0..).zip(branches).map(|(n, (_, body))| (BlockRef::Branch(ix, n), &**body)));
        }
        Verb::Wait(wait) => {
            if let WaitFor::Until { probe: Some(probe), .. } = &wait.what {
                lists.push((BlockRef::One(*probe), std::slice::from_ref(probe)));
            }
        }
        _ => {}
    }
    lists
}

impl Last {
    fn names(&mut self, place: usize, references: &[Reference]) {
        for reference in references.iter().filter(|reference| reference.path.first().is_some_and(|root| root == "steps")) {
            match reference.path.get(1) {
                Some(id) => {
                    self.ids.insert(id.clone(), place);
                }
                None => self.all = Some(place),
            }
        }
    }

    fn absorb(&mut self, place: usize, inner: &Last) {
        self.ids.extend(inner.ids.keys().map(|id| (id.clone(), place)));
        self.conditions.extend(inner.conditions.keys().map(|condition| (condition.clone(), place)));
        self.all = inner.all.map(|_| place).or(self.all);
        self.asks = inner.asks.map(|_| place).or(self.asks);
    }
}

/// A list of which the steps from a place on are still to come.
type Left = (BlockRef, usize);

/// What is asked of each value.
struct Told<'r> {
    reads: &'r Reads,
    rest: &'r BTreeMap<FrameIx, Rest>,
    /// People are asked before each step.
    stepwise: bool,
}

/// What is still to come of one procedure.
#[derive(Default)]
struct Rest {
    left: Vec<Left>,
    /// Read beside the lists: in its outputs, and in those of the steps under way.
    beside: Last,
}

impl Future {
    /// Whether a remaining step is under this condition.
    pub fn judges(&self, condition: &str, reads: &Reads) -> bool {
        reads.at(&self.left, |last, from| last.conditions.get(condition).is_some_and(|place| *place >= from))
    }
}

impl Run {
    /// What can still bear on what this prediction does. `undo`: what it would take back is part of that.
    pub fn future(&self, reads: &Reads, undo: bool) -> Future {
        let open = |node: &NodeIx| !matches!(self.node(*node).state, State::Ended(_));
        let lanes: Vec<_> = self.lanes.iter().filter(|lane| !lane.ended).collect();
        let nodes: Vec<NodeIx> = lanes.iter().filter_map(|lane| lane.current).filter(open).collect();
        let rest = self.rest(&lanes, undo);
        let mut scopes: Vec<ScopeIx> = Vec::new();
        let undoable = if undo { self.undoable.as_slice() } else { &[] };
        let used = lanes.iter().map(|lane| lane.scope).chain(undoable.iter().map(|u| self.node(u.node).scope));
        for mut at in used.map(Some) {
            while let Some(scope) = at.filter(|scope| !scopes.contains(scope)) {
                scopes.push(scope);
                at = self.scope(scope).parent;
            }
        }
        scopes.sort();
        let told = Told { reads, rest: &rest, stepwise: self.started().is_some_and(|started| started.stepwise) };
        let commands = self.pending().into_iter();
        Future {
            scopes: scopes.iter().map(|scope| self.future_scope(*scope, &told)).collect(),
            nodes: nodes.iter().map(|node| self.future_node(*node, &told)).collect(),
            // What takes back a step of a call that is over reads what the call was given.
            frames: (self.frames.iter().filter(|frame| frame.stage != Stage::Closed || scopes.contains(&frame.scope)))
                .map(|f| FutureFrame { prefix: f.prefix.clone(), stage: f.stage, inputs: f.inputs.clone(), end: f.end.clone() })
                .collect(),
            lanes: (lanes.iter())
                .map(|lane| FutureLane {
                    owner: if let Owner::Node(node) = lane.owner { Some(self.node(node).path.clone()) } else { None },
                    block: lane.block,
                    next: lane.next,
                    prefix: lane.prefix.clone(),
                    closing: lane.closing,
                })
                .collect(),
            commands: commands.filter(|c| !matches!(c, Command::Wake { .. } | Command::Await { .. })).collect(),
            undoable: undoable.iter().map(|u| self.node(u.node).path.clone()).collect(),
            unwinding: self.unwinding.begun,
            left: rest.into_values().flat_map(|rest| rest.left).collect(),
        }
    }

    fn future_node(&self, ix: NodeIx, told: &Told<'_>) -> FutureNode {
        let node = self.node(ix);
        let inner = match &node.inner {
            Inner::None => FutureInner::None,
            Inner::Parallel { next, worst } => FutureInner::Parallel { next: *next, worst: worst.clone() },
            Inner::Each(each) => {
                let listed = self.step_of(ix).id.as_ref().is_some_and(|id| self.is_read(node.scope, id, &Value::Null, told))
                    || !self.step_of(ix).outputs.is_empty();
                let results = each.scopes.iter().filter(|_| listed).map(|scope| self.scope(*scope).steps.clone());
                FutureInner::Each {
                    items: each.items.clone(),
                    next: each.next,
                    failures: each.failures,
                    worst: each.worst.clone(),
                    results: results.collect(),
                }
            }
            Inner::Rounds { round, .. } => FutureInner::Rounds { round: *round },
            Inner::Call(_) => FutureInner::Call,
        };
        FutureNode {
            path: node.path.clone(),
            state: node.state,
            tries: node.tries,
            result: node.result.clone(),
            inner,
            stopping: node.stopping.is_some(),
            open_lanes: node.open_lanes.len(),
        }
    }

    fn future_scope(&self, ix: ScopeIx, told: &Told<'_>) -> FutureScope {
        let scope = self.scope(ix);
        let kind = match &scope.kind {
            // The number of a frame says how many there have been.
            ScopeKind::Procedure { .. } => ScopeKind::Round,
            kind => kind.clone(),
        };
        let steps = scope.steps.iter().filter(|(id, value)| self.is_read(ix, id, value, told));
        let absent = scope.absent.iter().filter(|(id, _)| self.is_read(ix, id, &Value::Null, told));
        let cut = self.cut_in(ix).filter(|(id, _)| self.is_read(ix, id, &Value::Null, told));
        FutureScope {
            kind,
            cut: cut.map(|(id, differs)| (id.clone(), differs)).collect(),
            steps: steps.map(|(id, value)| (id.clone(), value.clone())).collect(),
            absent: absent.map(|(id, why)| (id.clone(), why.clone())).collect(),
        }
    }

    /// What never comes up once the step at `path` has failed or, where it is a `finish`, has run: where that may fail too, the wider of both.
    pub fn reach(&self, path: &StepPath) -> Reach {
        let fails = self.reach_of(path, Some(path));
        let Some(node) = self.node_at(path) else { return fails };
        let step = self.step_of(node);
        let Verb::Finish { outcome, message } = &step.verb else { return fails };
        let ends = self.reach_from(node, Some(path), Some(*outcome));
        let judges = step.condition.iter().any(|condition| !condition.references().is_empty());
        let says = message.iter().any(|message| !message.references().is_empty());
        match judges || says {
            false => ends,
            true => Reach {
                is_beside: ends.is_beside || fails.is_beside,
                within: if ends.within.len() < fails.within.len() { ends.within } else { fails.within },
            },
        }
    }

    /// What never comes up once `failing`, the step at `path` or one around it, has failed; the run, where it is no step.
    pub fn reach_of(&self, path: &StepPath, failing: Option<&StepPath>) -> Reach {
        match self.node_at(path) {
            Some(node) => self.reach_from(node, failing, None),
            None => Reach { within: Arc::from(""), is_beside: false },
        }
    }

    /// The same, or where it `ends` its procedure so, once it has.
    fn reach_from(&self, mut node: NodeIx, failing: Option<&StepPath>, ends: Option<FinishOutcome>) -> Reach {
        let mut reach = Reach { within: Arc::from(""), is_beside: false };
        let (mut finishes, mut fails, mut rolls_back) = (ends.is_some(), false, false);
        loop {
            let (step, lane) = (self.step_of(node), self.lane(self.node(node).lane));
            fails |= failing == Some(&self.node(node).path);
            let list = matches!(lane.block, BlockRef::OnFailure(_) | BlockRef::Finally(_) | BlockRef::Undo(_));
            rolls_back |= fails && !list && matches!(step.on_failure, OnFailure::Rollback);
            if fails && !finishes && (list || step.on_failure.goes_on() && !rolls_back) {
                reach.within = self.node(node).path.as_str().into();
                return reach;
            }
            let Owner::Node(owner) = lane.owner else { return reach };
            reach.is_beside |= self.step_of(owner).verb.runs_at_once();
            match (&self.step_of(owner).verb, &self.node(owner).inner) {
                (Verb::Each(each), Inner::Each(items))
                    if fails && !finishes && !rolls_back && items.failures < each.max_failures =>
                {
                    reach.within = lane.prefix.clone();
                    return reach;
                }
                // The end of a procedure that it ends badly is a failure of what calls it.
                (Verb::Call { .. }, _) if finishes && ends == Some(FinishOutcome::Failed) => {
                    (finishes, fails) = (false, true);
                }
                (Verb::Call { .. }, _) if finishes => {
                    reach.within = self.node(owner).path.as_str().into();
                    return reach;
                }
                _ => {}
            }
            node = owner;
        }
    }

    /// A prediction lets what stands beside a step that ends a whole go first: in a run it may have been ended before.
    pub(super) fn cut_beside(&mut self, whole: NodeIx, end: &StepPath) {
        let at_once = self.step_of(whole).verb.runs_at_once();
        let around = self.node(whole).path.as_str();
        let below = |path: &StepPath| path.as_str().strip_prefix(around).is_some_and(|rest| rest.starts_with(['.', '[']));
        if !at_once || !below(end) {
            return;
        }
        let own =
            end.as_str().get(around.len()..).and_then(|rest| rest.find('/')).map_or(end.as_str().len(), |at| around.len() + at);
        let own = end.as_str().get(..=own).unwrap_or_default();
        let beside = self.nodes.iter().filter(|node| below(&node.path) && !node.path.as_str().starts_with(own));
        self.cut_all(beside.map(|node| (node.scope, node.step)).collect());
    }

    /// The time of a whole, or without one of the run, is over, in a prediction: how much of what it holds had its turn by then, only a run can tell. What comes first
    /// in it, and takes no time, had.
    pub(super) fn cut_inside(&mut self, whole: Option<NodeIx>) {
        let path = whole.map(|whole| self.node(whole).path.clone());
        let around = whole.map_or(Owner::Frame(FrameIx(0)), Owner::Node);
        let mut acted: Vec<u32> = Vec::new();
        let mut cut: Vec<(ScopeIx, StepIx)> = Vec::new();
        for node in self.nodes.iter().filter(|node| path.as_ref().is_none_or(|path| node.path.is_inside(path))) {
            let first = self.lane(node.lane).owner == around && !acted.contains(&node.lane.0);
            if !first || !matches!(self.plan.step(node.step).verb, Verb::Set(_) | Verb::Check(_)) {
                acted.push(node.lane.0);
                cut.push((node.scope, node.step));
            }
        }
        self.cut_all(cut);
    }

    /// Steps, by their scopes, that may have been ended before they gave anything; what a round of a loop has given is seen outside it too,
    /// and may then be that of another round.
    fn cut_all(&mut self, steps: Vec<(ScopeIx, StepIx)>) {
        let mut outside: BTreeMap<(ScopeIx, Id), bool> = BTreeMap::new();
        for (mut scope, step) in steps {
            let Some(id) = self.plan.step(step).id.clone() else { continue };
            self.cut.entry((scope, id.clone())).or_insert(false);
            while let Scope { kind: ScopeKind::Round, parent: Some(parent), .. } = self.scope(scope) {
                scope = *parent;
                outside.entry((scope, id.clone())).and_modify(|several| *several = true).or_insert(false);
            }
        }
        for (seen, several) in outside {
            *self.cut.entry(seen).or_insert(false) |= several;
        }
    }

    /// The ids of the steps of a scope that may have been ended before they gave anything; and whether they may have given something else.
    pub(super) fn cut_in(&self, scope: ScopeIx) -> impl Iterator<Item = (&Id, bool)> {
        self.cut.iter().filter(move |((of, _), _)| *of == scope).map(|((_, id), differs)| (id, *differs))
    }

    /// Whether the item that stands for all of a loop has failed, and the loop, here, has borne it.
    pub fn has_borne_for_all(&self) -> bool {
        self.borne_for_all
    }

    /// The same event where it does not: there may be more items.
    pub fn bear_no_failure(&mut self, bears_none: bool) {
        (self.bears_none, self.borne_for_all) = (bears_none, false);
    }

    /// In a prediction, that it is known how the step at `path` ends.
    pub fn foretell(&mut self, path: &StepPath) {
        self.foretold.insert(path.clone());
    }

    /// The wholes around a step that have failed.
    pub fn failed_around(&self, path: &StepPath) -> impl Iterator<Item = &StepPath> {
        let around = |node: &NodeIx| match self.lane(self.node(*node).lane).owner {
            Owner::Node(owner) => Some(owner),
            _ => None,
        };
        let wholes = std::iter::successors(self.node_at(path).and_then(|node| around(&node)), around);
        let failed = |node: &NodeIx| matches!(self.node(*node).state, State::Ended(outcome) if !matches!(outcome, StepOutcome::Succeeded | StepOutcome::Skipped));
        wholes.filter(failed).map(|node| &self.node(node).path)
    }

    fn is_read(&self, scope: ScopeIx, id: &Id, value: &Value, told: &Told<'_>) -> bool {
        let Some(rest) = told.rest.get(&self.frame_ix_of(scope)) else { return true };
        let asked = says_something(value);
        let says = |last: &Last, from: usize| {
            let comes = |place: Option<usize>| place.is_some_and(|place| place >= from);
            comes(last.ids.get(id.as_str()).copied()) || comes(last.all) || (asked && comes(last.asks))
        };
        (told.stepwise && asked) || says(&rest.beside, 0) || told.reads.at(&rest.left, says)
    }

    /// What is still to come, for each procedure that is under way.
    fn rest(&self, lanes: &[&Lane], undo: bool) -> BTreeMap<FrameIx, Rest> {
        let mut rest: BTreeMap<FrameIx, Rest> = BTreeMap::new();
        for (number, frame) in (0..).zip(&self.frames).filter(|(_, frame)| frame.stage != Stage::Closed) {
            let mine = rest.entry(FrameIx(number)).or_default();
            let outputs = &self.plan.procedure(frame.procedure).outputs;
            outputs.iter().for_each(|(_, value)| mine.beside.names(0, &value.reads()));
            let stages =
                [(Stage::OnFailure, BlockRef::OnFailure(frame.procedure)), (Stage::Finally, BlockRef::Finally(frame.procedure))];
            mine.left.extend(stages.into_iter().filter(|(stage, _)| frame.stage < *stage).map(|(_, block)| (block, 0)));
        }
        for lane in lanes {
            let mine = rest.entry(self.frame_ix_of(lane.scope)).or_default();
            let Some(node) = lane.current else {
                mine.left.push((lane.block, lane.next));
                continue;
            };
            let step = self.step_of(node);
            // Of what goes through its parts once, only the rest of the part under way is left, which is another lane's.
            let once = matches!(step.verb, Verb::Group(_) | Verb::Choose(_) | Verb::Call { .. });
            if once && self.node(node).state == State::Open {
                step.outputs.iter().for_each(|(_, value)| mine.beside.names(0, &value.reads()));
                mine.left.extend([(BlockRef::Undo(self.node(node).step), 0), (lane.block, lane.next)]);
            } else {
                mine.left.push((lane.block, lane.next.saturating_sub(1)));
            }
        }
        for undoable in self.undoable.iter().filter(|_| undo) {
            let mine = rest.entry(self.frame_ix_of(self.node(undoable.node).scope)).or_default();
            mine.left.push((BlockRef::Undo(self.node(undoable.node).step), 0));
        }
        rest
    }

    /// Whether changes are being taken back, or were.
    pub fn has_unwound(&self) -> bool {
        self.unwinding.begun
    }

    /// Where the step at `path` stands: greater than where any step stands that surely comes before it.
    pub fn place(&self, path: &StepPath) -> Vec<u32> {
        let mut place = Vec::new();
        let mut at = self.node_at(path);
        while let Some(node) = at {
            let here = self.lane(self.node(node).lane);
            // Of a step that is over, the list has gone on.
            let next = match here.current == Some(node) {
                true => here.next,
                false => self.place_in_list(here.block, self.node(node).step),
            };
            let list = match (here.block, &self.scope(here.scope).kind) {
                (BlockRef::Branch(_, branch), _) => branch,
                (BlockRef::Inner(_), ScopeKind::Item { index, .. }) => *index,
                (BlockRef::OnFailure(_), _) => 1,
                (BlockRef::Undo(_), _) => 2,
                (BlockRef::Finally(_), _) => 3,
                _ => 0,
            };
            let round = match here.owner {
                Owner::Node(owner) => match self.node(owner).inner {
                    Inner::Rounds { round, .. } => number_of(&here.prefix).unwrap_or(round),
                    _ => 0,
                },
                _ => 0,
            };
            place.extend([u32::try_from(next).unwrap_or(u32::MAX), list.max(round)]);
            if here.owner == Owner::Undo {
                // The last change is taken back first.
                let of = here.prefix.rsplit_once("~undo").and_then(|(path, _)| path.parse().ok());
                let backwards = of.map(|path: StepPath| self.place(&path)).unwrap_or_default();
                let list = place.pop().unwrap_or_default();
                place.extend(backwards.iter().rev().map(|part| u32::MAX - part));
                place.push(list);
            }
            at = if let Owner::Node(owner) = here.owner { Some(owner) } else { None };
        }
        place.reverse();
        place
    }

    /// The ids of the steps inside a whole that act.
    pub(super) fn acting_inside(&self, node: NodeIx) -> BTreeSet<Id> {
        let mut open = self.step_of(node).inner();
        let mut acting = BTreeSet::new();
        while let Some(step) = open.pop() {
            let step = self.plan.step(step);
            acting.extend(step.id.clone().filter(|_| step.verb.acts()));
            open.extend(step.inner());
        }
        acting
    }

    /// Whether a step inside may fail without ending the whole, so that its results are not all there.
    pub(super) fn may_lose_parts(&self, node: NodeIx) -> bool {
        let mut open = vec![self.node(node).step];
        while let Some(step) = open.pop() {
            let step = self.plan.step(step);
            let unseen = !step.idempotent && step.verb.acts() && step.effect.changes();
            if step.verb.tolerates() || unseen || step.on_failure.goes_on() {
                return true;
            }
            open.extend(step.inner());
        }
        false
    }

    /// Whether its procedure goes on if this step fails, so that what reads it may find another result than that of a success.
    pub fn survives_failure(&self, path: &StepPath) -> bool {
        let mut at = self.node_at(path);
        while let Some(node) = at {
            let step = self.step_of(node);
            let lane = self.lane(self.node(node).lane);
            let beside = matches!(lane.block, BlockRef::OnFailure(_) | BlockRef::Finally(_) | BlockRef::Undo(_));
            if step.verb.tolerates() || beside || step.on_failure.goes_on() {
                return true;
            }
            at = if let Owner::Node(owner) = lane.owner { Some(owner) } else { None };
        }
        false
    }
}

/// That of a round or an item, at the end of what the paths in it begin with.
fn number_of(prefix: &str) -> Option<u32> {
    prefix.strip_suffix(']')?.rsplit_once('[')?.1.parse().ok()
}

/// Whether people who are asked are shown something of it.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Unknown(_) => false,
        Value::Map(map) => {
            let success = |name: &str, value: &Value| name == "exit_code" && *value == Value::Int(0);
            map.iter().any(|(name, value)| !matches!(value, Value::Unknown(_)) && !success(name, value))
        }
        _ => true,
    }
}
