//! What holds a step back: the steps that stand before it, on every way to it, and keep it from running when a person says no or
//! something is not as it should be; and the conditions around it.
//!
//! Steps are counted in the order in which they are read, so what a step holds back is a row of ranges: the rest of its list, and
//! the rest of each list around it that cannot go on past it. A jump over a step ends its range where the jump leads to.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::align::Layout;
use crate::plan::{Block, OnFailure, Plan, ProcedureIx, Step, StepIx, Verb, WaitFor};

/// Which procedures of a plan hold back whoever calls them.
pub(super) struct Calls<'p> {
    plan: &'p Plan,
    known: HashMap<ProcedureIx, bool>,
}

impl<'p> Calls<'p> {
    pub fn of(plan: &'p Plan) -> Calls<'p> {
        Calls { plan, known: HashMap::new() }
    }

    /// Whether what follows depends on a person, or on what is found, in the step itself. Of a step that arranges others they say it
    /// themselves; those of a called procedure stand elsewhere.
    pub fn holds_back(&mut self, step: &Step) -> bool {
        match &step.verb {
            Verb::Approve(_) | Verb::Ask(_) | Verb::Manual(_) | Verb::Check(_) | Verb::Repeat { .. } | Verb::Finish { .. } => true,
            Verb::Listen(_) => true,
            Verb::Wait(wait) => matches!(wait.what, WaitFor::Until { .. }),
            Verb::Call { procedure, .. } => self.called(*procedure),
            _ => false,
        }
    }

    fn called(&mut self, procedure: ProcedureIx) -> bool {
        if let Some(known) = self.known.get(&procedure) {
            return *known;
        }
        let mut open: Vec<&'p Block> = vec![&self.plan.procedure(procedure).body];
        let mut found = false;
        while let Some(block) = open.pop().filter(|_| !found) {
            for step in block.iter().map(|ix| self.plan.step(*ix)) {
                // What a `finish` of a called procedure ends is that procedure.
                found |= !matches!(step.verb, Verb::Finish { .. }) && self.holds_back(step);
                match &step.verb {
                    Verb::Group(body) | Verb::Repeat { body, .. } => open.push(body),
                    Verb::Each(each) => open.push(&each.body),
                    Verb::Choose(branches) => open.extend(branches.iter().map(|branch| &branch.body)),
                    Verb::Parallel { branches, .. } => open.extend(branches.iter().map(|(_, body)| body)),
                    _ => {}
                }
            }
        }
        self.known.insert(procedure, found);
        found
    }
}

/// What each step of a layout holds back.
pub(super) struct Guards {
    spans: Vec<Range<usize>>,
    /// By number of the step: what it holds back.
    behind: Vec<Vec<Range<usize>>>,
}

impl Guards {
    pub fn of(layout: &Layout) -> Guards {
        let spans = spans(layout);
        let jumps = jumps(layout);
        let behind = |number: usize| if layout.steps[number].holds { behind(layout, &spans, &jumps, number) } else { Vec::new() };
        Guards { behind: (0..layout.steps.len()).map(behind).collect(), spans }
    }

    pub fn holds_back(&self, guard: usize, step: usize) -> bool {
        let at = self.spans[step].start;
        self.behind[guard].iter().any(|range| range.contains(&at))
    }

    /// The steps that hold something back.
    pub fn all(&self) -> impl Iterator<Item = usize> {
        self.behind.iter().enumerate().filter(|(_, behind)| !behind.is_empty()).map(|(number, _)| number)
    }
}

/// Of each step when it is read, and when what stands in it has been.
pub(super) fn spans(layout: &Layout) -> Vec<Range<usize>> {
    let mut sizes = vec![1; layout.steps.len()];
    // Whatever stands in a step has a greater number.
    for number in (0..layout.steps.len()).rev() {
        if let Some(owner) = layout.owner(number) {
            sizes[owner] += sizes[number];
        }
    }
    let mut spans = vec![0..0; layout.steps.len()];
    let (mut next, mut inside) = (0, vec![0; layout.steps.len()]);
    // A step's lists come after itself and before whatever is behind it, in the order in which they were made.
    for list in &layout.lists {
        let at = match list.of {
            Some(owner) => &mut inside[owner],
            None => &mut next,
        };
        let mut start = *at;
        *at += list.steps.iter().map(|number| sizes[*number]).sum::<usize>();
        for number in &list.steps {
            spans[*number] = start..start + sizes[*number];
            inside[*number] = start + 1;
            start += sizes[*number];
        }
    }
    spans
}

/// For each list the places that its jumps begin and end at.
fn jumps(layout: &Layout) -> Vec<Vec<(usize, usize)>> {
    let places: HashMap<StepIx, usize> = layout.steps.iter().map(|placed| (placed.ix, placed.place)).collect();
    let of_step = |number: &usize| {
        let placed = &layout.steps[*number];
        let to = placed.step.jumps().filter_map(|to| places.get(&to).copied());
        to.map(|to| (placed.place, to)).collect::<Vec<_>>()
    };
    layout.lists.iter().map(|list| list.steps.iter().flat_map(of_step).collect()).collect()
}

fn behind(layout: &Layout, spans: &[Range<usize>], jumps: &[Vec<(usize, usize)>], guard: usize) -> Vec<Range<usize>> {
    let (mut at, mut ranges) = (guard, Vec::new());
    loop {
        let placed = &layout.steps[at];
        let list = &layout.lists[placed.list];
        let over = jumps[placed.list].iter().filter(|(from, to)| (*from..*to).contains(&placed.place) && *from != placed.place);
        let landing = over.map(|(_, to)| *to).min();
        let end = match landing {
            Some(place) => list.steps.get(place).map(|number| spans[*number].start),
            None => list.steps.last().map(|number| spans[*number].end),
        };
        ranges.push(spans[at].end..end.unwrap_or(spans[at].end));
        // Into these every way leads, and out of them none that passes over what is inside.
        let always = |owner: &usize| {
            let verb = &layout.steps[*owner].step.verb;
            !list.slot.starts_with('~') && matches!(verb, Verb::Group(_) | Verb::Parallel { .. } | Verb::Repeat { .. })
        };
        match list.of.filter(always).filter(|_| landing.is_none()) {
            Some(owner) => at = owner,
            None => return ranges,
        }
    }
}

/// A condition around a step, as it is written, and the step that it is of.
type Condition = (Option<usize>, String);

/// The conditions around a step, up to something that stands around it.
pub(super) fn conditions(layout: &Layout, number: usize, up_to: impl Fn(usize) -> bool) -> Vec<Condition> {
    let (mut at, mut found) = (number, Vec::new());
    loop {
        let list = &layout.lists[layout.steps[at].list];
        let Some(owner) = list.of else {
            if list.slot == "~on_failure" {
                found.push((None, "a failure".to_owned()));
            }
            return found;
        };
        if up_to(owner) {
            return found;
        }
        let step = layout.steps[owner].step;
        found.extend(step.condition.as_ref().map(|condition| (Some(owner), condition.source.clone())));
        if let Verb::Choose(branches) = &step.verb {
            let place = list.slot.parse().unwrap_or(usize::MAX);
            let when = branches.get(place).and_then(|branch| branch.when.as_ref());
            let text = when.map_or_else(|| format!("otherwise, in {}", step.label), |when| when.source.clone());
            found.push((Some(owner), text));
        }
        at = owner;
    }
}

/// On what it depends whether a step has run where a reader of it does: the conditions around it, the steps that go on behind it
/// without it, and what holds it back in a whole behind whose failure a run goes on. Whatever stands around both counts for none.
pub(super) struct Way {
    pub conditions: Vec<Condition>,
    pub jumpers: BTreeSet<usize>,
    pub gates: BTreeSet<usize>,
    /// What stands so before it, also where its failure keeps the reader from running too.
    pub gates_before: BTreeSet<usize>,
}

/// The ways to the steps of a layout.
pub(super) struct Ways<'l, 'p> {
    layout: &'l Layout<'p>,
    /// Of each step what holds back whoever stands behind it, in the same list: itself, or what is in it.
    gates: Vec<Vec<usize>>,
}

impl<'l, 'p> Ways<'l, 'p> {
    pub fn of(layout: &'l Layout<'p>) -> Ways<'l, 'p> {
        let mut gates = vec![Vec::new(); layout.steps.len()];
        let fails = |number: &usize| matches!(layout.steps[*number].step.on_failure, OnFailure::Stop | OnFailure::Rollback);
        let whole = |number: usize| {
            let list = &layout.lists[layout.steps[number].list];
            list.of.filter(|_| !list.slot.starts_with('~'))
        };
        for (gate, _) in layout.steps.iter().enumerate().filter(|(_, placed)| placed.holds) {
            for at in std::iter::successors(Some(gate), |number| whole(*number)).take_while(fails) {
                gates[at].push(gate);
            }
        }
        Ways { layout, gates }
    }

    /// What holds a step back where a reader of it runs all the same; and what stands so before it, wherever its failure leads.
    fn gates(&self, number: usize, reader: Option<usize>, around_reader: &[usize]) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let (mut at, mut found, mut open, mut all) = (number, BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let ends = |gate: &usize| matches!(self.layout.steps[*gate].step.verb, Verb::Finish { .. });
        loop {
            let (placed, list) = (&self.layout.steps[at], &self.layout.lists[self.layout.steps[at].list]);
            // Behind them the reader runs no more than the step.
            if around_reader.iter().any(|reader| self.layout.steps[*reader].list == placed.list) {
                return (found, all);
            }
            let before = list.steps.iter().take(placed.place).flat_map(|number| &self.gates[*number]);
            before.for_each(|gate| _ = (open.insert(*gate), all.insert(*gate)));
            let Some(owner) = list.of else {
                // `finally` and `on_failure` run behind a failure, outputs are read behind a `finish`.
                found.extend(open.into_iter().filter(|gate| reader.is_some() || ends(gate)));
                return (found, all);
            };
            if list.slot.starts_with('~') || (around_reader.contains(&owner) && reader != Some(owner)) {
                return (found, all);
            }
            let whole = self.layout.steps[owner].step;
            if whole.on_failure.goes_on() || whole.verb.tolerates() {
                // A `finish` ends the run and no whole.
                let (kept, passed) = open.into_iter().partition(ends);
                open = kept;
                found.extend::<BTreeSet<usize>>(passed);
            }
            if matches!(whole.verb, Verb::Each(_)) {
                return (found, all);
            }
            at = owner;
        }
    }

    pub fn to(&self, number: usize, reader: Option<usize>) -> Way {
        let layout = self.layout;
        let around_reader: Vec<usize> = std::iter::successors(reader, |reader| layout.owner(*reader)).collect();
        let is_common = |owner: usize| around_reader.contains(&owner) || matches!(layout.steps[owner].step.verb, Verb::Each(_));
        let (mut at, mut jumpers) = (Some(number), BTreeSet::new());
        while let Some(over) = at {
            let (placed, list) = (&layout.steps[over], &layout.lists[layout.steps[over].list]);
            let reader = around_reader.iter().find(|reader| layout.steps[**reader].list == placed.list);
            let last = reader.map_or(usize::MAX, |reader| layout.steps[*reader].place);
            let place = |to: StepIx| list.steps.iter().position(|number| layout.steps[*number].ix == to);
            let lands = |to: StepIx| place(to).is_some_and(|to| to > placed.place && to <= last);
            let before = list.steps.iter().take(placed.place).copied();
            jumpers.extend(before.filter(|number| layout.steps[*number].step.jumps().any(lands)));
            at = list.of.filter(|owner| !is_common(*owner));
        }
        let (gates, gates_before) = self.gates(number, reader, &around_reader);
        Way { conditions: conditions(layout, number, is_common), jumpers, gates, gates_before }
    }
}
