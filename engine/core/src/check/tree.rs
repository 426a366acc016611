//! Where every step of one procedure stands, and which steps have had their turn at any other place. Jumps only go forward
//! and loops are blocks, so this is decided from the tree alone, in one walk up from the two places.
//!
//! Steps of one block have neighbouring numbers, in the order in which they run.

use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

use crate::document::step::{OnFailure, Verb, Verify, WaitFor};
use crate::document::{Procedure, Step};

/// The number of a step in its tree.
pub(super) type NodeIx = usize;

/// Which of its parent's blocks a step stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The three lists of a procedure.
    Main,
    OnFailure,
    Finally,
    /// The steps of a `group`.
    Group,
    /// The steps of a `repeat`.
    Round,
    /// The steps of an `each`.
    Item,
    /// A branch of `choose`, by its place.
    Case(usize),
    /// A branch of `parallel`, by its place.
    Branch(usize),
    Probe,
    Undo,
    Verify,
}

#[derive(Debug)]
pub(super) struct Node<'d> {
    pub step: &'d Step,
    pub parent: Option<NodeIx>,
    pub slot: Slot,
    /// Its place in its block, from 0.
    pub index: usize,
    depth: usize,
    blocks: Vec<(Slot, Range<NodeIx>)>,
    /// The nearest step of the block at which a path that jumped over this one comes in.
    skipped_to: Option<usize>,
    /// False where no path leads to it.
    pub reachable: bool,
    /// Whether no path leads past it, because it ends the procedure.
    ends: bool,
}

impl Node<'_> {
    /// The blocks inside it.
    pub fn inner(&self) -> impl Iterator<Item = Range<NodeIx>> {
        self.blocks.iter().map(|(_, range)| range.clone())
    }
}

/// A place that names are read at: beside a step of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub parent: Option<NodeIx>,
    pub slot: Slot,
    pub index: usize,
    /// Whether the step at `index` is over.
    pub after: bool,
}

impl Place {
    /// Before the first step.
    pub fn start() -> Place {
        Place { parent: None, slot: Slot::Main, index: 0, after: false }
    }
}

/// What is known of a step at some other place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Every path to the place has run it.
    Ran,
    /// Some paths to the place have not, because of this step (or because the place is one that failures lead to).
    Maybe(Option<NodeIx>),
    /// It comes after the place.
    Later,
    /// The place stands inside it, or is the step itself.
    Inside,
    /// No path runs both, because of this step.
    Apart(NodeIx),
}

pub(super) struct Tree<'d> {
    nodes: Vec<Node<'d>>,
    top: Vec<(Slot, Range<NodeIx>)>,
    by_id: HashMap<&'d str, NodeIx>,
    /// Steps whose id an earlier step has already.
    pub twice: Vec<(NodeIx, NodeIx)>,
}

impl<'d> Tree<'d> {
    pub fn new(procedure: &'d Procedure) -> Tree<'d> {
        let mut tree = Tree { nodes: Vec::new(), top: Vec::new(), by_id: HashMap::new(), twice: Vec::new() };
        let lists = [(Slot::Main, &procedure.steps), (Slot::OnFailure, &procedure.on_failure), (Slot::Finally, &procedure.finally)];
        for (slot, steps) in lists {
            let range = tree.add(steps.iter(), None, slot, 0);
            tree.top.push((slot, range));
        }
        tree
    }

    fn add<'s>(
        &mut self,
        steps: impl Iterator<Item = &'d Step>,
        parent: Option<NodeIx>,
        slot: Slot,
        depth: usize,
    ) -> Range<NodeIx> {
        let first = self.nodes.len();
        for (index, step) in steps.enumerate() {
            self.nodes.push(Node {
                step,
                parent,
                slot,
                index,
                depth,
                blocks: Vec::new(),
                skipped_to: None,
                reachable: true,
                ends: false,
            });
        }
        let range = first..self.nodes.len();
        for ix in range.clone() {
            let Some(node) = self.nodes.get(ix) else { continue };
            let step = node.step;
            if let Some(id) = &step.id {
                let held = *self.by_id.entry(id.value.as_str()).or_insert(ix);
                if held != ix {
                    self.twice.push((ix, held));
                }
            }
            let blocks = inner(step)
                .into_iter()
                .map(|(slot, steps)| (slot, self.add(steps.into_iter(), Some(ix), slot, depth + 1)))
                .collect();
            if let Some(node) = self.nodes.get_mut(ix) {
                node.blocks = blocks;
            }
            let ends = self.never_goes_on(ix);
            if let Some(node) = self.nodes.get_mut(ix) {
                node.ends = ends;
            }
        }
        self.walk(&range);
        range
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn get(&self, ix: NodeIx) -> Option<&Node<'d>> {
        self.nodes.get(ix)
    }

    pub fn find(&self, id: &str) -> Option<NodeIx> {
        self.by_id.get(id).copied()
    }

    pub fn ids(&self) -> impl Iterator<Item = &'d str> {
        self.by_id.keys().copied()
    }

    /// The steps that have an id, as they stand.
    pub fn named(&self) -> impl Iterator<Item = NodeIx> {
        (0..self.nodes.len()).filter(|ix| self.nodes.get(*ix).is_some_and(|node| node.step.id.is_some()))
    }

    pub fn top(&self, slot: Slot) -> Range<NodeIx> {
        self.top.iter().find(|(s, _)| *s == slot).map_or(0..0, |(_, range)| range.clone())
    }

    pub fn block(&self, ix: NodeIx, slot: Slot) -> Range<NodeIx> {
        let found = self.nodes.get(ix).and_then(|node| node.blocks.iter().find(|(s, _)| *s == slot));
        found.map_or(0..0, |(_, range)| range.clone())
    }

    /// The block that a step stands in.
    pub fn siblings(&self, ix: NodeIx) -> Range<NodeIx> {
        match self.nodes.get(ix) {
            Some(Node { parent: Some(parent), slot, .. }) => self.block(*parent, *slot),
            Some(Node { parent: None, slot, .. }) => self.top(*slot),
            None => 0..0,
        }
    }

    pub fn place(&self, ix: NodeIx) -> Place {
        self.nodes.get(ix).map_or(Place::start(), |node| Place {
            parent: node.parent,
            slot: node.slot,
            index: node.index,
            after: false,
        })
    }

    /// The place behind the last step of a block inside `ix`.
    pub fn end_of(&self, ix: NodeIx, slot: Slot) -> Place {
        Place { parent: Some(ix), slot, index: self.block(ix, slot).len(), after: false }
    }

    /// The steps that a place stands in or at, innermost first, each with the slot it was entered by.
    pub fn around(&self, place: Place) -> impl Iterator<Item = (NodeIx, Slot)> {
        let mut at = (place.parent, place.slot);
        std::iter::from_fn(move || {
            let (parent, slot) = at;
            let parent = parent?;
            let node = self.nodes.get(parent)?;
            at = (node.parent, node.slot);
            Some((parent, slot))
        })
    }

    /// What is known of step `ix` at `place`.
    pub fn seen(&self, ix: NodeIx, place: Place) -> Seen {
        let Some(node) = self.nodes.get(ix) else { return Seen::Later };
        let mut maybe = node.step.condition.is_some().then_some(Some(ix));
        let (mut x, mut p) = (self.place(ix), place);
        // The step that the walk from the place came out of, and by which slot.
        let mut came: Option<(NodeIx, Slot)> = None;
        loop {
            let (dx, dp) = (self.depth(x), self.depth(p));
            if x.parent == p.parent && x.slot == p.slot {
                break;
            }
            if dx == dp && x.parent == p.parent {
                return self.across(x, p, maybe);
            }
            if dx >= dp {
                let Some(parent) = x.parent else { return Seen::Later };
                if let Some(left) = self.leave(parent, x) {
                    match left {
                        Seen::Apart(_) => return self.apart_or_later(parent, place),
                        Seen::Maybe(why) => maybe = maybe.or(Some(why)),
                        _ => {}
                    }
                }
                x = self.place(parent);
            }
            if dp >= dx {
                let Some(parent) = p.parent else { return Seen::Later };
                came = Some((parent, p.slot));
                p = self.place(parent);
            }
        }
        if x.index > p.index {
            return Seen::Later;
        }
        if x.index == p.index {
            match came {
                Some((step, Slot::Undo)) if step == ix => return Seen::Ran,
                None if p.after && self.at(x).is_some() && !self.is_at(ix, place) => {}
                None if !self.is_at(ix, place) => return Seen::Later,
                _ => return Seen::Inside,
            }
        }
        let skipped = self.at(x).and_then(|n| n.skipped_to).is_some_and(|to| to <= p.index);
        match (maybe, skipped) {
            (Some(why), _) => Seen::Maybe(why),
            (None, true) => Seen::Maybe(Some(ix)),
            (None, false) => Seen::Ran,
        }
    }

    fn is_at(&self, ix: NodeIx, place: Place) -> bool {
        let own = self.place(ix);
        own.parent == place.parent && own.slot == place.slot && own.index == place.index
    }

    /// `ix` lies in a block of `parent` whose steps nobody outside can read; a place outside comes before or after it.
    fn apart_or_later(&self, parent: NodeIx, place: Place) -> Seen {
        match self.seen(parent, place) {
            Seen::Later => Seen::Later,
            _ => Seen::Apart(parent),
        }
    }

    /// What is lost on the way from a block inside `parent` to what follows it.
    fn leave(&self, parent: NodeIx, x: Place) -> Option<Seen> {
        let node = self.nodes.get(parent)?;
        match x.slot {
            Slot::Item | Slot::Undo | Slot::Verify => return Some(Seen::Apart(parent)),
            Slot::Case(case) if !self.only_way(parent, case) => return Some(Seen::Maybe(Some(parent))),
            _ => {}
        }
        let skipped = self.at(x).is_some_and(|n| n.skipped_to.is_some());
        (skipped || goes_on_after_failure(node.step) || node.step.condition.is_some()).then_some(Seen::Maybe(Some(parent)))
    }

    /// Whether whoever comes past `choose` went through this branch.
    fn only_way(&self, choose: NodeIx, case: usize) -> bool {
        let Some(Node { step, blocks, .. }) = self.nodes.get(choose) else { return false };
        let Verb::Choose(branches) = &step.verb.value else { return false };
        branches.iter().any(|b| b.when.is_none())
            && blocks.iter().all(|(slot, range)| *slot == Slot::Case(case) || self.block_ends(range))
    }

    /// The two places stand in different blocks of one step, or of the procedure.
    fn across(&self, x: Place, p: Place, maybe: Option<Option<NodeIx>>) -> Seen {
        let Some(parent) = x.parent else {
            return match (x.slot, p.slot) {
                (Slot::Main, _) | (Slot::OnFailure, Slot::Finally) => Seen::Maybe(maybe.flatten()),
                _ => Seen::Later,
            };
        };
        match p.slot {
            Slot::Undo if !matches!(x.slot, Slot::Item | Slot::Verify) => Seen::Maybe(maybe.unwrap_or(Some(parent))),
            _ => Seen::Apart(parent),
        }
    }

    pub fn at(&self, place: Place) -> Option<&Node<'d>> {
        let range = match place.parent {
            Some(parent) => self.block(parent, place.slot),
            None => self.top(place.slot),
        };
        let ix = range.start + place.index;
        if range.contains(&ix) { self.nodes.get(ix) } else { None }
    }

    fn depth(&self, place: Place) -> usize {
        place.parent.and_then(|ix| self.nodes.get(ix)).map_or(0, |node| node.depth + 1)
    }

    /// The later step of the same block that carries this id.
    pub fn target(&self, from: NodeIx, id: &str) -> Option<NodeIx> {
        let to = self.find(id)?;
        (self.siblings(from).contains(&to) && to > from).then_some(to)
    }

    fn never_goes_on(&self, ix: NodeIx) -> bool {
        let Some(Node { step, blocks, .. }) = self.nodes.get(ix) else { return false };
        if step.condition.is_some() || (goes_on_after_failure(step) && !matches!(step.verb.value, Verb::Finish(_))) {
            return false;
        }
        let mut inner = blocks.iter().filter(|(slot, _)| !matches!(slot, Slot::Undo | Slot::Verify | Slot::Probe));
        match &step.verb.value {
            Verb::Finish(_) => true,
            Verb::Group(_) | Verb::Repeat(_) | Verb::Parallel(_) => inner.any(|(_, range)| self.block_ends(range)),
            Verb::Choose(branches) => branches.iter().any(|b| b.when.is_none()) && inner.all(|(_, range)| self.block_ends(range)),
            _ => false,
        }
    }

    /// Whether no path comes out at the end of a block. Its last reachable step decides: paths only go forward.
    fn block_ends(&self, range: &Range<NodeIx>) -> bool {
        let nodes = self.nodes.get(range.clone()).unwrap_or_default();
        nodes.iter().rev().find(|n| n.reachable).is_some_and(|n| n.ends)
    }

    /// Follows the jumps of one block: what is reached, and what can be jumped over.
    fn walk(&mut self, range: &Range<NodeIx>) {
        let mut reached = vec![false; range.len() + 1];
        reached[0] = true;
        // Ends of the jumps that began before the step at hand, the nearest on top.
        let mut jumps: BinaryHeap<std::cmp::Reverse<NodeIx>> = BinaryHeap::new();
        for (index, ix) in range.clone().enumerate() {
            while jumps.peek().is_some_and(|to| to.0 <= ix) {
                jumps.pop();
            }
            let Some(node) = self.nodes.get(ix) else { continue };
            let (step, ends, reachable) = (node.step, node.ends, reached[index]);
            let after = step.next.as_ref().and_then(|next| self.find_in(range, ix, next.value.as_str()));
            let failed = match step.on_failure.as_ref().map(|f| &f.value) {
                Some(OnFailure::Next(next)) => self.find_in(range, ix, next.value.as_str()),
                _ => None,
            };
            let skipped_to = jumps.peek().map(|to| to.0 - range.start);
            if let Some(node) = self.nodes.get_mut(ix) {
                (node.reachable, node.skipped_to) = (reachable, skipped_to);
            }
            if reachable {
                for to in after.iter().chain(&failed) {
                    jumps.push(std::cmp::Reverse(*to));
                    reached[to - range.start] = true;
                }
                let falls_through =
                    step.condition.is_some() || matches!(step.on_failure.as_ref().map(|f| &f.value), Some(OnFailure::Continue));
                if !ends && (after.is_none() || falls_through) {
                    reached[index + 1] = true;
                }
            }
        }
    }

    /// A later step of the block at hand; ids of the block are looked up as written, since its inner blocks may not
    /// have been added yet.
    fn find_in(&self, range: &Range<NodeIx>, from: NodeIx, id: &str) -> Option<NodeIx> {
        let to = self.find(id)?;
        (range.contains(&to) && to > from).then_some(to)
    }
}

/// Whether a path leads on from the step where it failed.
pub(super) fn goes_on_after_failure(step: &Step) -> bool {
    matches!(step.on_failure.as_ref().map(|f| &f.value), Some(OnFailure::Continue | OnFailure::Next(_)))
}

/// The blocks inside a step, in the order in which they can run.
fn inner(step: &Step) -> Vec<(Slot, Vec<&Step>)> {
    let mut blocks: Vec<(Slot, Vec<&Step>)> = match &step.verb.value {
        Verb::Choose(branches) => branches.iter().enumerate().map(|(n, b)| (Slot::Case(n), b.steps.iter().collect())).collect(),
        Verb::Parallel(parallel) => {
            parallel.branches.iter().enumerate().map(|(n, (_, steps))| (Slot::Branch(n), steps.iter().collect())).collect()
        }
        Verb::Each(each) => vec![(Slot::Item, each.steps.iter().collect())],
        Verb::Repeat(repeat) => vec![(Slot::Round, repeat.steps.iter().collect())],
        Verb::Group(steps) => vec![(Slot::Group, steps.iter().collect())],
        Verb::Wait(wait) => match &wait.what {
            WaitFor::Until { probe: Some(probe), .. } => vec![(Slot::Probe, vec![probe])],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    if let Some(Verify::Step(verify)) = &step.verify {
        blocks.push((Slot::Verify, vec![verify]));
    }
    if let Some(undo) = &step.undo {
        blocks.push((Slot::Undo, undo.value.iter().collect()));
    }
    blocks
}
