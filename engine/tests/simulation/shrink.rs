//! Makes a failing scenario small: faults, meddling, steps and their keys are left out one after the other as long as
//! something is still wrong.

use std::sync::Arc;

use crate::author::leave_out_uncalled;
use crate::book::{Book, OnFailure, Step, Verb, Verify};
use crate::scenario::{Part, Scenario};

type Edit = Box<dyn Fn(&mut Scenario)>;

/// The smallest scenario found in so many trials that still fails.
pub fn shrink(mut scenario: Scenario, mut trials: u64, fails: impl Fn(&Scenario) -> bool) -> Scenario {
    loop {
        let before = size(&scenario);
        for edit in edits(&scenario) {
            if trials == 0 {
                return scenario;
            }
            trials -= 1;
            let mut smaller = scenario.clone();
            edit(&mut smaller);
            if size(&smaller) < size(&scenario) && fails(&smaller) {
                scenario = smaller;
            }
        }
        if size(&scenario) == before {
            return scenario;
        }
    }
}

/// How much is printed, and then how large its numbers are: the smaller, the easier to read.
fn size(scenario: &Scenario) -> (usize, u64) {
    let Scenario { strikes, troubles, jumps, rivals, parks, meddling, aheads, .. } = scenario;
    let flags = [scenario.wild, scenario.stepwise, scenario.patient, scenario.part != Part::Whole, scenario.runs > 1];
    let faults = format!("{strikes:?}{troubles:?}{jumps:?}{rivals:?}{parks:?}{meddling:?}{aheads:?}");
    let book = format!("{:?}", scenario.book);
    let digits = book.bytes().filter(u8::is_ascii_digit).map(|digit| u64::from(digit - b'0')).sum();
    (faults.len() + book.len() + flags.iter().filter(|flag| **flag).count(), digits)
}

fn edits(scenario: &Scenario) -> Vec<Edit> {
    let mut edits: Vec<Edit> = vec![
        Box::new(|s| s.runs = 1),
        Box::new(|s| s.wild = false),
        Box::new(|s| s.stepwise = false),
        Box::new(|s| s.patient = false),
        Box::new(|s| s.part = Part::Whole),
        Box::new(|s| s.parks.clear()),
        Box::new(|s| book(s).gate = None),
        Box::new(|s| book(s).four_eyes = false),
    ];
    edits.extend((0..scenario.strikes.len()).map(|place| -> Edit { Box::new(move |s| drop_at(&mut s.strikes, place)) }));
    edits.extend((0..scenario.troubles.len()).map(|place| -> Edit { Box::new(move |s| drop_at(&mut s.troubles, place)) }));
    edits.extend((0..scenario.jumps.len()).map(|place| -> Edit { Box::new(move |s| drop_at(&mut s.jumps, place)) }));
    edits.extend((0..scenario.rivals.len()).map(|place| -> Edit { Box::new(move |s| drop_at(&mut s.rivals, place)) }));
    edits.extend((0..scenario.meddling.len()).map(|place| -> Edit { Box::new(move |s| drop_at(&mut s.meddling, place)) }));
    edits.extend((0..scenario.aheads.len()).map(|place| -> Edit { Box::new(move |s| drop_at(&mut s.aheads, place)) }));
    for place in 0..scenario.book.procedures.len() {
        let parts: [fn(&mut crate::book::Procedure); 4] =
            [|p| p.lock = false, |p| p.timeout = None, |p| p.on_failure.clear(), |p| p.finally.clear()];
        edits.extend(parts.into_iter().map(|part| -> Edit {
            Box::new(move |s| {
                if let Some(procedure) = book(s).procedures.get_mut(place) {
                    part(procedure);
                }
            })
        }));
    }
    for id in scenario.book.by_id().into_keys().map(str::to_owned) {
        for change in [remove as fn(&mut Vec<Step>, usize), unwrap] {
            let id = id.clone();
            edits.push(Box::new(move |s| lists(book(s), &mut |list| at(list, &id, change))));
        }
        let keys: [fn(&mut Step); 10] = [
            |step| step.undo.truncate(step.undo.len().saturating_sub(1)),
            |step| step.verify = None,
            |step| step.retry = None,
            |step| step.timeout = None,
            |step| step.condition = None,
            |step| step.on_failure = OnFailure::Stop,
            |step| step.next = None,
            |step| step.outputs = false,
            |step| step.idempotent = false,
            lesser_parts,
        ];
        for key in keys {
            let id = id.clone();
            edits.push(Box::new(move |s| lists(book(s), &mut |list| at(list, &id, |list, place| key(&mut list[place])))));
        }
    }
    edits
}

/// One branch, item or round less.
fn lesser_parts(step: &mut Step) {
    match &mut step.verb {
        Verb::Parallel { branches, .. } if branches.len() > 1 => drop(branches.pop()),
        Verb::Choose(branches) if branches.len() > 1 => drop(branches.pop()),
        Verb::Each { items, batches, .. } => {
            *items = (*items - 1).max(1);
            batches.pop();
        }
        Verb::Repeat { times, .. } => *times = (*times - 1).max(1),
        _ => {}
    }
}

fn drop_at<T>(list: &mut Vec<T>, place: usize) {
    if place < list.len() {
        list.remove(place);
    }
}

fn book(scenario: &mut Scenario) -> &mut Book {
    Arc::make_mut(&mut scenario.book)
}

fn at(list: &mut Vec<Step>, id: &str, change: impl Fn(&mut Vec<Step>, usize)) {
    if let Some(place) = list.iter().position(|step| step.id == id) {
        change(list, place);
    }
}

fn remove(list: &mut Vec<Step>, place: usize) {
    list.remove(place);
}

/// Puts what is inside a step into its place.
fn unwrap(list: &mut Vec<Step>, place: usize) {
    let inside: Vec<Step> = list[place].verb.lists().into_iter().flatten().cloned().collect();
    if !inside.is_empty() {
        list.splice(place..=place, inside);
    }
}

/// Visits every list of steps, the inner ones last.
fn lists(book: &mut Book, visit: &mut impl FnMut(&mut Vec<Step>)) {
    fn within(list: &mut Vec<Step>, visit: &mut impl FnMut(&mut Vec<Step>)) {
        visit(list);
        for step in list {
            step.verb.lists_mut().into_iter().for_each(|list| within(list, visit));
            within(&mut step.undo, visit);
            let mut beside: Vec<Step> = Vec::new();
            if let Some(Verify::Step(look)) = &step.verify {
                beside.push((**look).clone());
                visit(&mut beside);
                step.verify = beside.pop().map(|look| Verify::Step(Box::new(look)));
            }
        }
    }
    for procedure in &mut book.procedures {
        for list in [&mut procedure.steps, &mut procedure.on_failure, &mut procedure.finally] {
            within(list, visit);
        }
    }
    leave_out_uncalled(book);
}
