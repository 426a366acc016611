//! Which step of one version is which of the other: by its id, else by where it stands among its neighbours; and what became of each.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::deciders::Names;
use super::guard::{self, Calls, Guards, Way, Ways};
use super::order::Order;
use super::part::{self, Part};
use super::weigh::{self, Weight};
use super::{Both, Fate, PartChange, Raise, StepChange, changed};
use crate::effect::Effect;
use crate::id::Id;
use crate::limits;
use crate::plan::{Block, Plan, Procedure, Step, StepIx, Verb, Verify, WaitFor};

/// A step where it stands.
pub(super) struct Placed<'p> {
    path: String,
    pub ix: StepIx,
    pub step: &'p Step,
    parts: Vec<Part>,
    /// Whether it holds back what stands behind it.
    pub holds: bool,
    /// The list that it stands in.
    pub list: usize,
    pub place: usize,
}

/// The steps of a procedure, and the lists that they stand in. Whatever a list stands in comes before it.
pub(super) struct Layout<'p> {
    pub steps: Vec<Placed<'p>>,
    pub lists: Vec<List>,
}

pub(super) struct List {
    /// Which of its step's lists it is; of the procedure, where there is no step.
    pub slot: String,
    pub of: Option<usize>,
    pub steps: Vec<usize>,
}

impl<'p> Layout<'p> {
    pub fn of(plan: &'p Plan, procedure: &'p Procedure) -> Layout<'p> {
        let mut layout = Layout { steps: Vec::new(), lists: Vec::new() };
        let mut open: VecDeque<(String, Option<usize>, String, &'p Block)> = VecDeque::new();
        for (slot, block) in [("", &procedure.body), ("~on_failure", &procedure.on_failure), ("~finally", &procedure.finally)] {
            let before = if slot.is_empty() { String::new() } else { format!("{slot}/") };
            open.push_back((slot.to_owned(), None, before, block));
        }
        while let Some((slot, of, before, block)) = open.pop_front() {
            layout.list(plan, slot, of, &before, block.iter().copied(), &mut open);
        }
        let mut calls = Calls::of(plan);
        layout.steps.iter_mut().for_each(|placed| placed.holds = calls.holds_back(placed.step));
        layout
    }

    /// The step that another one stands in.
    pub fn owner(&self, number: usize) -> Option<usize> {
        self.lists[self.steps[number].list].of
    }

    fn list(
        &mut self,
        plan: &'p Plan,
        slot: String,
        of: Option<usize>,
        before: &str,
        steps: impl Iterator<Item = StepIx>,
        open: &mut VecDeque<(String, Option<usize>, String, &'p Block)>,
    ) {
        let list = self.lists.len();
        self.lists.push(List { slot, of, steps: Vec::new() });
        for (place, ix) in steps.enumerate() {
            let (number, step) = (self.steps.len(), plan.step(ix));
            let path = format!("{before}{}", step.label);
            if let Some(list) = self.lists.get_mut(list) {
                list.steps.push(number);
            }
            let parts = part::of_step(plan, step);
            self.steps.push(Placed { path: path.clone(), ix, step, parts, holds: false, list, place });
            let mut inside = |slot: &str, beside: &str, block: &'p Block| {
                if !block.is_empty() {
                    open.push_back((slot.to_owned(), Some(number), format!("{path}{beside}/"), block));
                }
            };
            inside("~undo", "~undo", &step.undo);
            match &step.verb {
                Verb::Group(body) | Verb::Repeat { body, .. } => inside("", "", body),
                Verb::Each(each) => inside("", "", &each.body),
                Verb::Choose(branches) => {
                    branches.iter().enumerate().for_each(|(place, branch)| inside(&place.to_string(), "", &branch.body));
                }
                Verb::Parallel { branches, .. } => {
                    branches.iter().for_each(|(name, body)| inside(name.as_str(), &format!(".{name}"), body));
                }
                _ => {}
            }
            if let Some(Verify::Step(verify)) = &step.verify {
                self.list(plan, "~verify".to_owned(), Some(number), &format!("{path}~verify/"), std::iter::once(*verify), open);
            }
            if let Verb::Wait(wait) = &step.verb
                && let WaitFor::Until { probe: Some(probe), .. } = &wait.what
            {
                self.list(plan, "probe".to_owned(), Some(number), &format!("{path}/"), std::iter::once(*probe), open);
            }
        }
    }

    /// Of each step whether it, or anything in it, holds something back.
    fn holding(&self) -> Vec<bool> {
        let inside = self.around_some(|number| self.steps[number].holds, |list| !list.slot.starts_with('~'));
        inside.into_iter().zip(&self.steps).map(|(inside, placed)| inside || placed.holds).collect()
    }

    /// Of each step whether some such step stands in it, in lists that count.
    fn around_some(&self, is: impl Fn(usize) -> bool, counts: impl Fn(&List) -> bool) -> Vec<bool> {
        let mut around = vec![false; self.steps.len()];
        // Whatever stands in a step has a greater number.
        for number in (0..self.steps.len()).rev() {
            if let Some(owner) = self.owner(number).filter(|_| counts(&self.lists[self.steps[number].list])) {
                around[owner] |= around[number] || is(number);
            }
        }
        around
    }

    /// Whether a step takes another one back, or looks after it: it goes where that one goes.
    fn is_beside(&self, number: usize) -> bool {
        self.lists_around(number).any(|list| list.of.is_some() && list.slot.starts_with('~'))
    }

    /// Whether a step is part of what takes another one back.
    fn undoes(&self, number: usize) -> bool {
        self.lists_around(number).any(|list| list.slot == "~undo")
    }

    /// The lists that a step stands in, the innermost first.
    pub fn lists_around(&self, number: usize) -> impl Iterator<Item = &List> {
        let of = |number: usize| self.lists.get(self.steps.get(number)?.list);
        std::iter::successors(of(number), move |list| of(list.of?))
    }

    /// Of each step whether it stands around one that the other version has too, and that changes something or holds something back.
    fn around(&self, pairs: &Pairs) -> Vec<bool> {
        let matters = |number: usize| {
            let placed = &self.steps[number];
            pairs.of_new.contains_key(&number) && (placed.holds || placed.step.effect >= Effect::Change)
        };
        self.around_some(matters, |_| true)
    }

    fn highest_effect(&self) -> Effect {
        self.steps.iter().map(|placed| placed.step.effect).max().unwrap_or_default()
    }
}

/// Who is who, both ways.
#[derive(Default)]
pub(super) struct Pairs {
    /// Steps of the old version, by those of the new one.
    pub of_new: BTreeMap<usize, usize>,
    of_old: BTreeMap<usize, usize>,
}

impl Pairs {
    fn add(&mut self, old: usize, new: usize) {
        self.of_new.insert(new, old);
        self.of_old.insert(old, new);
    }
}

/// What became of each step, in the order of the new version; what was removed stands last.
pub(super) fn steps(both: &Both, old: &Layout, new: &Layout, deciders: &Names) -> Vec<StepChange> {
    let (pairs, lists) = pairs(old, new);
    let stays = unmoved(old, new, &pairs, &lists);
    let mut unguarded = unguarded(old, new, &pairs, &lists, &stays);
    unread(old, new, &pairs, &stays, deciders, &mut unguarded);
    let (holding, highest) = (old.holding(), old.highest_effect());
    let around = new.around(&pairs);
    let order = Order::of(old, new, &pairs);
    let mut changes = Vec::new();
    for (number, placed) in new.steps.iter().enumerate() {
        let Some(before) = pairs.of_new.get(&number) else {
            let gates = both.gates(None, Some(placed.ix), &|_, _, _| (Raise::None, None));
            changes.push(whole(placed, Fate::Added, gates, weigh::added(placed.step, highest, around[number])));
            continue;
        };
        let then = &old.steps[*before];
        let (held, undoes) = (holding[*before], new.undoes(number));
        let calls_looser = both.is_loosened(then.step, placed.step);
        let (plans, ix) = (both.plans(), then.ix);
        let of = weigh::Steps { plans, ix, old: then.step, new: placed.step, held, undoes, calls_looser, deciders };
        let weigh = |what: &str, old: Option<&Part>, new: Option<&Part>| weigh::step(&of, what, old, new);
        let mut parts = changed(&then.parts, &placed.parts, &weigh);
        parts.extend(both.gates(Some(then.ix), Some(placed.ix), &weigh));
        let moved = !stays.contains(&number);
        parts.append(&mut unguarded[number]);
        if parts.is_empty() && !moved {
            continue;
        }
        let mut weights: Vec<Weight> = parts.iter().map(|part| (part.needs, part.because)).collect();
        if moved {
            weights.push(weigh::moved(placed.holds, order.is_another(number)));
        }
        if then.step.verb.key() != placed.step.verb.key() {
            // Another step under the same name.
            weights.extend([weigh::removed(then.step, then.holds), weigh::added(placed.step, highest, false)]);
        }
        // Of several reasons the one that is told.
        let (needs, because) = weights.into_iter().max_by_key(|(needs, because)| (*needs, because.is_some())).unwrap_or_default();
        let fate = if moved { Fate::Moved(then.path.clone()) } else { Fate::Changed };
        changes.push(StepChange { path: placed.path.clone(), verb: placed.step.verb.key(), fate, parts, needs, because });
    }
    for (number, placed) in old.steps.iter().enumerate() {
        if !pairs.of_old.contains_key(&number) {
            let gates = both.gates(Some(placed.ix), None, &|_, _, _| (Raise::None, None));
            changes.push(whole(placed, Fate::Removed, gates, weigh::removed(placed.step, placed.holds)));
        }
    }
    changes
}

/// Which steps are the same, and which lists they stand in.
fn pairs(old: &Layout, new: &Layout) -> (Pairs, BTreeSet<(usize, usize)>) {
    let mut pairs = Pairs::default();
    let by_id: HashMap<&Id, usize> =
        old.steps.iter().enumerate().filter_map(|(number, placed)| Some((placed.step.id.as_ref()?, number))).collect();
    for (number, placed) in new.steps.iter().enumerate() {
        if let Some(before) = placed.step.id.as_ref().and_then(|id| by_id.get(id)) {
            pairs.add(*before, number);
        }
    }
    // Lists are made from the outside in, so whoever a list belongs to is known by then.
    let mut lists: BTreeSet<(usize, usize)> = BTreeSet::new();
    let by_owner: BTreeMap<(Option<usize>, &str), usize> =
        old.lists.iter().enumerate().map(|(number, list)| ((list.of, list.slot.as_str()), number)).collect();
    for (number, list) in new.lists.iter().enumerate() {
        let owner = match list.of {
            None => None,
            Some(step) => match pairs.of_new.get(&step) {
                None => continue,
                before => before.copied(),
            },
        };
        if let Some(before) = by_owner.get(&(owner, list.slot.as_str())) {
            lists.insert((*before, number));
            pair_neighbours(old, &old.lists[*before].steps, new, &list.steps, &mut pairs);
        }
    }
    (pairs, lists)
}

/// What kept each step that changes something from running, and does so no longer although it is there; by the number of the step.
fn unguarded(
    old: &Layout,
    new: &Layout,
    pairs: &Pairs,
    lists: &BTreeSet<(usize, usize)>,
    stays: &BTreeSet<usize>,
) -> Vec<Vec<PartChange>> {
    let (before, now) = (Guards::of(old), Guards::of(new));
    // Where one of them moved itself, that is told of it.
    let stayed = |guard: usize| {
        let number = *pairs.of_old.get(&guard)?;
        (new.steps[number].holds && stays.contains(&number)).then_some((guard, number))
    };
    let guards: Vec<(usize, usize)> = before.all().filter_map(stayed).collect();
    let mut told = vec![false; new.steps.len()];
    let of_step = |(number, placed): (usize, &Placed)| {
        // What stands around it stands before what is in it.
        let around = new.owner(number).is_some_and(|owner| told[owner]);
        told[number] = around;
        let Some(then) = pairs.of_new.get(&number).copied() else { return Vec::new() };
        if around || placed.step.effect < Effect::Change || new.is_beside(number) {
            return Vec::new();
        }
        let lost = guards.iter().filter(|(g, h)| before.holds_back(*g, then) && !now.holds_back(*h, number));
        let lost: Vec<String> = lost.map(|(_, guard)| new.steps[*guard].path.clone()).collect();
        let mut parts = Vec::new();
        parts.extend((!lost.is_empty()).then(|| part("held back by", lost, Vec::new(), "it can run without that")));
        if !lists.contains(&(old.steps[then].list, placed.list)) {
            let around = |layout, number| {
                guard::conditions(layout, number, |_| false).into_iter().map(|(_, text)| text).collect::<BTreeSet<_>>()
            };
            let mut conditions = around(new, number);
            conditions.extend(placed.step.condition.as_ref().map(|condition| condition.source.clone()));
            let lost: Vec<String> = around(old, then).difference(&conditions).cloned().collect();
            parts.extend((!lost.is_empty()).then(|| part("under", lost, Vec::new(), weigh::WIDER)));
        }
        told[number] = !parts.is_empty();
        parts
    };
    new.steps.iter().enumerate().map(of_step).collect()
}

/// What decides whether a step has run where it is read, and is another now although each of its conditions is said as before: it stands
/// among other ones, is passed over, or stands no more behind what a run can go on without.
fn unread(old: &Layout, new: &Layout, pairs: &Pairs, stays: &BTreeSet<usize>, deciders: &Names, parts: &mut [Vec<PartChange>]) {
    let (ways_before, ways_after) = (Ways::of(old), Ways::of(new));
    let numbers: HashMap<StepIx, usize> = old.steps.iter().enumerate().map(|(number, placed)| (placed.ix, number)).collect();
    for (now, then) in &pairs.of_new {
        for reader in deciders.readers(old.steps[*then].ix) {
            // Whoever reads it no more is another condition.
            let reader = match reader.map(|reader| numbers.get(&reader).and_then(|then| Some((*then, *pairs.of_old.get(then)?)))) {
                Some(None) => continue,
                Some(known) => known,
                None => None,
            };
            let before = ways_before.to(*then, reader.map(|(then, _)| then));
            let after = ways_after.to(*now, reader.map(|(_, now)| now));
            let texts = |way: &Way| way.conditions.iter().map(|(_, text)| text.clone()).collect::<BTreeSet<_>>();
            let (was, is) = (texts(&before), texts(&after));
            // What became of a condition that stands where it stood is told of the step that it is of.
            let stood: BTreeSet<_> = before.conditions.iter().map(|(owner, _)| owner.map(Some)).collect();
            let then_of = |owner: usize| pairs.of_new.get(&owner).copied();
            let stands: BTreeSet<_> = after.conditions.iter().map(|(owner, _)| owner.map(then_of)).collect();
            if was != is && stood != stands {
                let (lost, more) = (was.difference(&is).cloned().collect(), is.difference(&was).cloned().collect());
                parts[*now].push(part("under", lost, more, weigh::DECIDES));
            }
            let passed = |number: &&usize| pairs.of_new.get(*number).is_none_or(|then| !before.jumpers.contains(then));
            let passed: Vec<String> = after.jumpers.iter().filter(passed).map(|number| new.steps[*number].path.clone()).collect();
            if !passed.is_empty() {
                parts[*now].push(part("passed over by", Vec::new(), passed, weigh::DECIDES));
            }
            // What became of one that is gone, or moved itself, is told of that.
            let stayed = |gate: &usize| pairs.of_old.get(gate).copied().filter(|gate| stays.contains(gate));
            let lost = before.gates.iter().filter_map(stayed).filter(|gate| !after.gates_before.contains(gate));
            let came = after.gates.iter().copied().filter(|gate| match pairs.of_new.get(gate) {
                Some(then) => stays.contains(gate) && !before.gates_before.contains(then),
                None => true,
            });
            let named = |gates: &mut dyn Iterator<Item = usize>| gates.map(|gate| new.steps[gate].path.clone()).collect::<Vec<_>>();
            let (lost, came) = (named(&mut { lost }), named(&mut { came }));
            if !(lost.is_empty() && came.is_empty()) {
                parts[*now].push(part("held back by", lost, came, weigh::DECIDES));
            }
            if parts[*now].iter().any(|part| part.because == Some(weigh::DECIDES)) {
                break;
            }
        }
    }
}

fn part(what: &str, lost: Vec<String>, come: Vec<String>, because: &'static str) -> PartChange {
    let named = |mut names: Vec<String>| {
        let more = names.split_off(names.len().min(limits::COMPARED_GUARDS)).len();
        names.extend((more > 0).then(|| format!("and {more} more")));
        (!names.is_empty()).then(|| names.join(", "))
    };
    let (what, old, new) = (what.to_owned(), named(lost), named(come));
    PartChange { what, old, new, environments: Vec::new(), needs: Raise::Major, because: Some(because) }
}

/// A step that only one version has.
fn whole(placed: &Placed, fate: Fate, gates: Vec<PartChange>, (needs, because): Weight) -> StepChange {
    let told = placed.parts.iter().filter(|part| part.what != "verb");
    let parts = told.map(|part| {
        let text = Some(part.text.clone());
        let (old, new) = if fate == Fate::Added { (None, text) } else { (text, None) };
        PartChange { what: part.what.clone(), old, new, environments: Vec::new(), needs: Raise::None, because: None }
    });
    let parts = parts.chain(gates).collect();
    StepChange { path: placed.path.clone(), verb: placed.step.verb.key(), fate, parts, needs, because }
}

/// Pairs steps without an id that say the same; then those of one verb between the same neighbours.
fn pair_neighbours(old: &Layout, before: &[usize], new: &Layout, now: &[usize], pairs: &mut Pairs) {
    let same = |pairs: &Pairs, a: usize, b: usize| {
        let (then, now) = (&old.steps[a], &new.steps[b]);
        pairs.of_new.get(&b) == Some(&a) || (nameless(then) && nameless(now) && then.parts == now.parts)
    };
    let ahead = before.iter().zip(now).take_while(|(a, b)| same(pairs, **a, **b)).count();
    let (old_rest, new_rest) = (&before[ahead..], &now[ahead..]);
    let behind = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| same(pairs, **a, **b)).count();
    let (middle_old, middle_new) = (&old_rest[..old_rest.len() - behind], &new_rest[..new_rest.len() - behind]);
    let mut anchors: Vec<(usize, usize)> = before.iter().copied().zip(now.iter().copied()).take(ahead).collect();
    let common = common(middle_old, middle_new, |a, b| same(pairs, a, b));
    let mut gaps = Vec::new();
    let (mut a, mut b) = (0, 0);
    for (x, y) in common.into_iter().chain([(middle_old.len(), middle_new.len())]) {
        gaps.push((&middle_old[a..x], &middle_new[b..y]));
        if let (Some(old), Some(new)) = (middle_old.get(x), middle_new.get(y)) {
            anchors.push((*old, *new));
        }
        (a, b) = (x + 1, y + 1);
    }
    anchors.extend(old_rest.iter().rev().copied().zip(new_rest.iter().rev().copied()).take(behind));
    anchors.into_iter().for_each(|(old, new)| pairs.add(old, new));
    for (gap_old, gap_new) in gaps {
        let mut rest = gap_old.iter().filter(|a| nameless(&old.steps[**a])).peekable();
        for b in gap_new.iter().filter(|b| nameless(&new.steps[**b])) {
            let verb = new.steps[*b].step.verb.key();
            if let Some(a) = rest.find(|a| old.steps[**a].step.verb.key() == verb) {
                pairs.add(*a, *b);
            }
        }
    }
}

fn nameless(placed: &Placed) -> bool {
    placed.step.id.is_none()
}

/// A longest common subsequence, as places in both; none where it would take too long to find.
fn common(old: &[usize], new: &[usize], same: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    if old.is_empty() || new.is_empty() || old.len().saturating_mul(width) > limits::COMPARED_PAIRS {
        return Vec::new();
    }
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    for a in (0..old.len()).rev() {
        for b in (0..new.len()).rev() {
            longest[a * width + b] = if same(old[a], new[b]) {
                longest[(a + 1) * width + b + 1] + 1
            } else {
                longest[(a + 1) * width + b].max(longest[a * width + b + 1])
            };
        }
    }
    let (mut a, mut b, mut found) = (0, 0, Vec::new());
    while a < old.len() && b < new.len() {
        if same(old[a], new[b]) {
            found.push((a, b));
            (a, b) = (a + 1, b + 1);
        } else if longest[(a + 1) * width + b] >= longest[a * width + b + 1] {
            a += 1;
        } else {
            b += 1;
        }
    }
    found
}

/// Steps of the new version that stand in the same list as before, in the same order among as many as can be said to have stayed.
fn unmoved(old: &Layout, new: &Layout, pairs: &Pairs, lists: &BTreeSet<(usize, usize)>) -> BTreeSet<usize> {
    let mut stays = BTreeSet::new();
    for (number, list) in new.lists.iter().enumerate() {
        let here: Vec<(usize, usize)> = list
            .steps
            .iter()
            .filter_map(|step| {
                let before = &old.steps[*pairs.of_new.get(step)?];
                lists.contains(&(before.list, number)).then_some((before.place, *step))
            })
            .collect();
        stays.extend(longest_rise(&here));
    }
    stays
}

/// Of pairs (place before, step), the steps of a longest run of rising places.
fn longest_rise(pairs: &[(usize, usize)]) -> Vec<usize> {
    // The pair with the lowest place that ends a rise of each length, and what comes before each pair in its rise.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (number, (place, _)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].0 < *place);
        before.push(length.checked_sub(1).and_then(|shorter| ends.get(shorter).copied()));
        match ends.get_mut(length) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
    }
    std::iter::successors(ends.last().copied(), |number| before[*number]).map(|number| pairs[number].1).collect()
}
