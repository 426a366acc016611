//! Two lists at once: every order of what happens in them.

use std::hash::Hash;

use super::super::small::{Branch, Does, Quorum, Step, When};
use super::loops::looks;
use super::{Checker, End, FAILED, FINISHED, PATHS, Path, Slip, Then, pair};

/// Where one of two lists stands: what is left of it, and where its first step is.
#[derive(Clone, Copy)]
pub struct Head<'b> {
    call: Option<&'b (String, u64)>,
    item: Option<u64>,
    steps: &'b [Step],
    at: At,
}

/// Where a step stands of which nobody knows when it goes on.
#[derive(Clone, Copy, PartialEq)]
enum At {
    /// It has not begun.
    Before,
    /// It acts once it has passed its gates; so many it has.
    Gate(usize),
    /// A wait: for its time, or looking whether something holds, or not looking. `again`: it looks once more.
    Sleeps,
    Looks {
        again: bool,
    },
    Judges {
        again: bool,
    },
    NotYet {
        again: bool,
    },
}

/// How many of the two may fail, how many have, and how the first did.
#[derive(Clone, Copy)]
pub struct Sides {
    pub tolerated: u64,
    pub failures: u64,
    pub first: End,
}

impl Sides {
    pub const STRICT: Sides = Sides { tolerated: 0, failures: 0, first: FAILED };
}

impl<'b> Head<'b> {
    pub fn of(branch: &'b Branch) -> Head<'b> {
        Head { call: branch.call.as_ref(), item: None, steps: &branch.steps, at: At::Before }
    }

    pub fn item(steps: &'b [Step], item: u64) -> Head<'b> {
        Head { call: None, item: Some(item), steps, at: At::Before }
    }

    fn at(self, at: At) -> Head<'b> {
        Head { at, ..self }
    }

    /// What a wait looks with now.
    fn probe(&self) -> Option<Step> {
        match (self.at, self.steps.first().map(|step| &step.does)) {
            (At::Looks { .. }, Some(Does::Poll(Some(id)))) => Some(looks(id)),
            _ => None,
        }
    }
}

impl Checker {
    /// Two lists at once: every order. The failure that is too much, and a `finish`, keep the other from going on.
    pub(super) fn beside(&mut self, heads: [Head<'_>; 2], sides: Sides, path: Path, then: Then<'_>) {
        if self.paths > PATHS {
            return;
        }
        for (number, head) in heads.iter().enumerate() {
            if let (At::Before, Some(step)) = (head.at, head.steps.first()) {
                return self.begins(number, step, heads, sides, Path { item: head.item, ..path }, then);
            }
        }
        for (number, head) in heads.iter().enumerate() {
            if let (At::Judges { again }, Some(step)) = (head.at, head.steps.first()) {
                return self.judged(number, step, again, heads, sides, Path { item: head.item, ..path }, then);
            }
        }
        let [one, other] = &heads;
        // Where nothing else can come first, what only waits for its time is over.
        for (number, (head, beside)) in [(one, other), (other, one)].into_iter().enumerate() {
            if head.at == At::Sleeps && path.clocks.is_empty() && beside.steps.is_empty() {
                return self.side_ended(number, heads, sides, path, End::Done, then);
            }
        }
        let waits = |checker: &Checker, head: &Head<'_>| match head.at {
            At::Gate(passed) => head.steps.first().and_then(|step| checker.gate(step, passed)),
            _ => None,
        };
        let gates = [waits(self, one), waits(self, other)];
        let [first, second] = &gates;
        self.side_by_side |= first.is_some() && second.is_some();
        self.clash(one, other, first.is_none() && second.is_none(), path.turns);
        // Only people can move it, and nothing ends the wait of any.
        let open = |head: &Head<'_>, gate: &Option<Quorum>| head.steps.is_empty() || gate.is_some_and(|gate| !gate.within);
        if open(one, first) && open(other, second) && path.clocks.is_empty() {
            for step in [one, other].into_iter().filter_map(|head| head.steps.first()) {
                self.find(format!("RB0608 {}", step.id), path.turns);
            }
        }
        if one.steps.is_empty() && other.steps.is_empty() {
            return then(self, path, End::Done);
        }
        // Whatever is ready has begun when a time is over.
        let probes = [one.probe(), other.probe()];
        let ready = heads.iter().zip(&gates).zip(&probes).filter_map(|((head, gate), probe)| {
            let acts = head.steps.first().filter(|_| matches!(head.at, At::Gate(_)) && gate.is_none());
            Some((head.item, acts.or(probe.as_ref())?))
        });
        let begun: Vec<(Option<u64>, &Step)> = ready.collect();
        self.late(&begun, &path, then);
        let turns = if self.slip == Slip::BranchesTakeTurns && !one.steps.is_empty() { 1 } else { 2 };
        for (number, gate) in gates.into_iter().enumerate().take(turns) {
            let path = Path { item: heads[number].item, ..path.clone() };
            self.moves(number, gate, heads, sides, path, then);
        }
    }

    /// A step comes to its turn: what needs no time is done.
    fn begins(&mut self, number: usize, step: &Step, heads: [Head<'_>; 2], sides: Sides, mut path: Path, then: Then<'_>) {
        self.reached.insert(step.id.clone());
        let at = match &step.does {
            Does::Finish(well) => {
                self.opens(step, &mut path);
                let end = if self.slip == Slip::FinishesDoNothing { End::Done } else { End::Finished { well: *well } };
                return self.side_ended(number, heads, sides, path, end, then);
            }
            Does::Sleep(_) => At::Sleeps,
            Does::Poll(None) => At::Judges { again: true },
            Does::Poll(Some(probe)) => {
                self.reached.insert(probe.clone());
                At::Looks { again: true }
            }
            _ => At::Gate(0),
        };
        if !matches!(at, At::Gate(_)) {
            step.id.hash(&mut self.told);
            self.opens(step, &mut path);
        }
        self.goes_on(number, heads[number].at(at), heads, sides, path, then);
    }

    fn goes_on(&mut self, number: usize, head: Head<'_>, heads: [Head<'_>; 2], sides: Sides, path: Path, then: Then<'_>) {
        let [one, other] = heads;
        self.beside(if number == 0 { [head, other] } else { [one, head] }, sides, path, then);
    }

    /// Whether what a wait waits for holds.
    #[allow(clippy::too_many_arguments, reason = "where both of them stand")]
    fn judged(&mut self, number: usize, step: &Step, again: bool, heads: [Head<'_>; 2], sides: Sides, path: Path, then: Then<'_>) {
        step.id.hash(&mut self.told);
        let mut holds = path.turn();
        holds.works(holds.name(step));
        self.looked(&mut holds);
        self.side_ended(number, heads, sides, holds, End::Done, then);
        self.goes_on(number, heads[number].at(At::NotYet { again }), heads, sides, path.turn(), then);
    }

    /// One of them does something, or something comes to it.
    fn moves(&mut self, number: usize, gate: Option<Quorum>, heads: [Head<'_>; 2], sides: Sides, path: Path, then: Then<'_>) {
        let head = heads[number];
        let Some(step) = head.steps.first() else { return };
        let touched = path.touched.len();
        let mut ended = |checker: &mut Checker, path: Path, end: End| {
            checker.side_ended_after(touched, number, heads, sides, path, end, then);
        };
        match (head.at, gate) {
            (At::Gate(passed), Some(quorum)) => {
                let mut answers = self.answers(passed, step, quorum, &path);
                let noes = answers.split_off(1);
                for (path, no) in noes {
                    ended(self, path, no);
                }
                let (yes, _) = answers.remove(0);
                self.goes_on(number, head.at(At::Gate(passed + 1)), heads, sides, yes, then);
            }
            (At::Gate(_), None) => self.attempt(step, path, true, &mut ended),
            (At::Sleeps, _) => {
                step.id.hash(&mut self.told);
                let mut passes = path.turn();
                passes.works(passes.name(step));
                ended(self, passes, End::Done);
            }
            (At::NotYet { again }, _) => {
                let path = path.turn();
                self.out_of_time(step, path.clone(), &mut ended);
                if again {
                    let probe = matches!(step.does, Does::Poll(Some(_)));
                    let at = if probe { At::Looks { again: false } } else { At::Judges { again: false } };
                    self.goes_on(number, head.at(at), heads, sides, path, then);
                }
            }
            (At::Looks { again }, _) => {
                let Some(probe) = head.probe() else { return };
                let mut path = path.turn();
                self.moment(&mut path, &probe, When::Begins);
                // The time comes while it looks.
                self.out_of_time(step, path.clone(), &mut ended);
                let name = path.tagged(&probe.id, Some(path.item.unwrap_or(1)));
                let mut looked = path.clone();
                looked.works(name.clone());
                self.looked(&mut looked);
                self.moment(&mut looked, &probe, When::Succeeded);
                self.goes_on(number, head.at(At::Judges { again }), heads, sides, looked, then);
                let mut fails = path.falls(name, "fails");
                self.moment(&mut fails, &probe, When::Failed);
                self.goes_on(number, head.at(At::NotYet { again }), heads, sides, fails, then);
            }
            (At::Before | At::Judges { .. }, _) => {}
        }
    }

    /// The first step of one of them has ended so, and has changed nothing.
    fn side_ended(&mut self, number: usize, heads: [Head<'_>; 2], sides: Sides, path: Path, end: End, then: Then<'_>) {
        self.side_ended_after(path.touched.len(), number, heads, sides, path, end, then);
    }

    /// The same. `touched`: how much had been changed before it began.
    #[allow(clippy::too_many_arguments, reason = "where both of them stand, and how it ended")]
    fn side_ended_after(
        &mut self,
        touched: usize,
        number: usize,
        heads: [Head<'_>; 2],
        sides: Sides,
        path: Path,
        end: End,
        then: Then<'_>,
    ) {
        let head = heads[number];
        let Some((step, rest)) = head.steps.split_first() else { return };
        let over = Head { steps: &[], at: At::Before, ..head };
        let before = (touched, path.clocks.len());
        self.ended(step, before, path, end, &mut |checker, mut path, end| {
            let end = match (end, head.call) {
                // That ends what is called, and its call goes on.
                (End::Finished { well: true }, Some(_)) => {
                    checker.moment_of(&mut path, head.call, When::Succeeded);
                    return checker.goes_on(number, over, heads, sides, path, then);
                }
                (End::Finished { well: false }, Some(_)) => FINISHED,
                (end, _) => end,
            };
            match end {
                End::Done => {
                    if rest.is_empty() {
                        checker.moment_of(&mut path, head.call, When::Succeeded);
                    }
                    let next = Head { steps: rest, at: At::Before, ..head };
                    checker.goes_on(number, next, heads, sides, path, then);
                }
                End::Finished { .. } => then(checker, path, end),
                failed => {
                    checker.moment_of(&mut path, head.call, When::Failed);
                    let first = if sides.failures == 0 { failed } else { sides.first };
                    let failures = sides.failures + 1;
                    match failed {
                        End::Failed { rollback: true, .. } => then(checker, path, failed),
                        _ if failures > sides.tolerated => then(checker, path, first),
                        _ => checker.goes_on(number, over, heads, Sides { failures, first, ..sides }, path, then),
                    }
                }
            }
        });
    }

    /// Both may change the same now: what they run is the same, or what they are called by.
    fn clash(&mut self, one: &Head<'_>, other: &Head<'_>, ready: bool, turns: usize) {
        let changes = |head: &Head<'_>| match head.steps.first().map(|step| (&step.does, step.id.clone())) {
            Some((Does::Change { command, .. }, id)) => Some((*command, id)),
            _ => None,
        };
        let (Some((a, first)), Some((b, second)), true) = (changes(one), changes(other), ready) else { return };
        if a == b {
            self.find(pair("RB0607", &first, &second), turns);
        }
        if let (Some((first, a)), Some((second, b))) = (one.call, other.call)
            && a == b
            && self.slip != Slip::LocksAreOfNoUse
        {
            self.find(pair("RB0607", first, second), turns);
        }
    }
}
