//! In which order changes come: one after the other, or side by side. Two versions are held against each other by every two of their
//! changes, wherever these stand by now.

use std::cell::Cell;
use std::ops::Range;

use super::align::{Layout, Pairs};
use super::guard;
use crate::effect::Effect;
use crate::limits;
use crate::plan::Verb;

/// The steps that change something themselves, and that both versions have.
pub(super) struct Order<'l, 'p> {
    old: Side<'l, 'p>,
    new: Side<'l, 'p>,
    /// Each as its numbers in both versions, in the order in which the new one is read.
    changes: Vec<(usize, usize)>,
    /// Of each of them the latest that is read before it, and the earliest behind it, as places in the old version.
    around: Vec<(usize, usize)>,
    /// Pairs that may still be looked at.
    left: Cell<usize>,
}

struct Side<'l, 'p> {
    layout: &'l Layout<'p>,
    spans: Vec<Range<usize>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    Before,
    After,
    Beside,
    /// Never both, or at times that have nothing to do with each other.
    Apart,
}

impl<'l, 'p> Order<'l, 'p> {
    pub fn of(old: &'l Layout<'p>, new: &'l Layout<'p>, pairs: &Pairs) -> Order<'l, 'p> {
        let side = |layout: &'l Layout<'p>| Side { layout, spans: guard::spans(layout) };
        let (old, new) = (side(old), side(new));
        let both = pairs.of_new.iter().map(|(now, then)| (*then, *now));
        let mut changes: Vec<(usize, usize)> = both.filter(|(then, now)| old.changes(*then) && new.changes(*now)).collect();
        changes.sort_by_key(|(_, now)| new.spans[*now].start);
        let mut around = vec![(0, usize::MAX); changes.len()];
        let (mut latest, mut earliest) = (0, usize::MAX);
        for (place, (then, _)) in changes.iter().enumerate() {
            around[place].0 = latest;
            latest = latest.max(old.spans[*then].start);
        }
        for (place, (then, _)) in changes.iter().enumerate().rev() {
            around[place].1 = earliest;
            earliest = earliest.min(old.spans[*then].start);
        }
        Order { old, new, changes, around, left: Cell::new(limits::COMPARED_PAIRS) }
    }

    /// Whether a step of the new version, or anything in it, changes something, and comes in another order with another change than
    /// before, or beside it.
    pub fn is_another(&self, number: usize) -> bool {
        let span = &self.new.spans[number];
        let first = self.changes.partition_point(|(_, now)| self.new.spans[*now].start < span.start);
        let inside = self.changes.iter().enumerate().skip(first);
        inside.take_while(|(_, (_, now))| span.contains(&self.new.spans[*now].start)).any(|(place, _)| self.differs(place))
    }

    fn differs(&self, place: usize) -> bool {
        let (then, now) = self.changes[place];
        let (latest, earliest) = self.around[place];
        let at = self.old.spans[then].start;
        // Read in the order of before, and with nothing beside it.
        if latest <= at && at <= earliest && !self.new.is_in_parallel(now) {
            return false;
        }
        self.changes.iter().any(|(other_then, other_now)| {
            let Some(left) = self.left.get().checked_sub(1) else { return true };
            self.left.set(left);
            let (before, after) = (self.old.relation(then, *other_then), self.new.relation(now, *other_now));
            matches!(before, Relation::Before | Relation::After) && after != before && after != Relation::Apart
        })
    }
}

impl Side<'_, '_> {
    fn changes(&self, number: usize) -> bool {
        let step = self.layout.steps[number].step;
        step.effect >= Effect::Change && (!step.verb.is_container() || matches!(step.verb, Verb::Call { .. }))
    }

    fn is_in_parallel(&self, number: usize) -> bool {
        let mut owners = self.layout.lists_around(number).filter_map(|list| list.of);
        owners.any(|owner| self.in_branches(owner) || self.in_items(owner))
    }

    fn in_branches(&self, owner: usize) -> bool {
        matches!(self.layout.steps[owner].step.verb, Verb::Parallel { max_parallel, .. } if max_parallel > 1)
    }

    /// One item's last step may stand beside another's first.
    fn in_items(&self, owner: usize) -> bool {
        matches!(&self.layout.steps[owner].step.verb, Verb::Each(each) if each.max_parallel > 1)
    }

    /// How one step comes to another.
    fn relation(&self, one: usize, other: usize) -> Relation {
        let (mine, others) = (self.ways_in(one), self.ways_in(other));
        let common = mine.iter().zip(&others).take_while(|(a, b)| a == b).count();
        let items = mine[..common].iter().filter_map(|list| self.layout.lists[*list].of).any(|owner| self.in_items(owner));
        let (mine, others) = (&mine[common..], &others[common..]);
        let looks_after = |list: &usize| self.layout.lists[*list].of.is_some() && self.layout.lists[*list].slot.starts_with('~');
        if one == other || mine.iter().chain(others).any(looks_after) {
            return Relation::Apart;
        }
        let owner = |lists: &[usize]| lists.first().and_then(|list| self.layout.lists[*list].of);
        match owner(mine).filter(|mine| owner(others) == Some(*mine)) {
            _ if items => Relation::Beside,
            Some(whole) if matches!(self.layout.steps[whole].step.verb, Verb::Choose(_)) => Relation::Apart,
            Some(whole) if self.in_branches(whole) => Relation::Beside,
            _ if self.spans[one].start < self.spans[other].start => Relation::Before,
            _ => Relation::After,
        }
    }

    /// The lists that a step stands in, the outermost first.
    fn ways_in(&self, number: usize) -> Vec<usize> {
        let steps = std::iter::successors(Some(number), |step| self.layout.owner(*step));
        let mut lists: Vec<usize> = steps.map(|step| self.layout.steps[step].list).collect();
        lists.reverse();
        lists
    }
}
