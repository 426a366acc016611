//! Two lists at once: every order of what happens in them.

use super::super::small::{Branch, Does, Quorum, Step, When};
use super::{Checker, End, FAILED, Path, Slip, Then, pair};

/// Where one of two lists stands: what is left of it, how many gates its first step has passed.
#[derive(Clone, Copy)]
pub struct Head<'b> {
    call: Option<&'b (String, u64)>,
    item: Option<u64>,
    steps: &'b [Step],
    gate: usize,
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
        Head { call: branch.call.as_ref(), item: None, steps: &branch.steps, gate: 0 }
    }

    pub fn item(steps: &'b [Step], item: u64) -> Head<'b> {
        Head { call: None, item: Some(item), steps, gate: 0 }
    }
}

impl Checker {
    /// Two lists at once: every order. The failure that is too much keeps the other from going on.
    pub(super) fn beside(&mut self, one: Head<'_>, other: Head<'_>, sides: Sides, path: Path, then: Then<'_>) {
        let waits = |checker: &Checker, head: &Head<'_>| head.steps.first().and_then(|step| checker.gate(step, head.gate));
        let (first, second) = (waits(self, &one), waits(self, &other));
        self.side_by_side |= first.is_some() && second.is_some();
        self.clash(&one, &other, first.is_none() && second.is_none(), path.turns);
        // Only people can move it, and nothing ends the wait of any.
        let open = |head: &Head<'_>, gate: &Option<Quorum>| head.steps.is_empty() || gate.is_some_and(|gate| !gate.within);
        if open(&one, &first) && open(&other, &second) && path.clocks.is_empty() {
            for step in [&one, &other].into_iter().filter_map(|head| head.steps.first()) {
                self.find(format!("RB0608 {}", step.id), path.turns);
            }
        }
        if one.steps.is_empty() && other.steps.is_empty() {
            return then(self, path, End::Done);
        }
        // Whatever is ready has begun when a time is over.
        let ready = [(&one, &first), (&other, &second)].into_iter().filter(|(_, gate)| gate.is_none());
        let begun: Vec<(Option<u64>, &Step)> = ready.filter_map(|(head, _)| Some((head.item, head.steps.first()?))).collect();
        self.late(&begun, &path, then);
        let turns = if self.slip == Slip::BranchesTakeTurns && !one.steps.is_empty() { 1 } else { 2 };
        for (number, gate) in [first, second].into_iter().enumerate().take(turns) {
            let head = if number == 0 { one } else { other };
            let Some((step, rest)) = head.steps.split_first() else { continue };
            let mut on = |checker: &mut Checker, path: Path, head: Head<'_>, sides: Sides| match number {
                0 => checker.beside(head, other, sides, path, then),
                _ => checker.beside(one, head, sides, path, then),
            };
            self.reached.insert(step.id.clone());
            let before = (path.touched.len(), path.clocks.len());
            let path = Path { item: head.item, ..path.clone() };
            let next = Head { steps: rest, gate: 0, ..head };
            let mut outside: Vec<(Path, End)> = Vec::new();
            let mut ended = |checker: &mut Checker, path: Path, end: End| {
                checker.ended(step, before, path, end, &mut |checker, mut path, end| match end {
                    End::Done => {
                        if rest.is_empty() {
                            checker.moment_of(&mut path, head.call, When::Succeeded);
                        }
                        on(checker, path, next, sides);
                    }
                    failed => {
                        checker.moment_of(&mut path, head.call, When::Failed);
                        let first = if sides.failures == 0 { failed } else { sides.first };
                        let failures = sides.failures + 1;
                        match failed {
                            End::Failed { rollback: true, .. } => outside.push((path, failed)),
                            _ if failures > sides.tolerated => outside.push((path, first)),
                            _ => on(checker, path, Head { steps: &[], ..next }, Sides { failures, first, ..sides }),
                        }
                    }
                });
            };
            match gate {
                None => self.attempt(step, path.clone(), true, &mut ended),
                Some(quorum) => {
                    let (yes, noes) = {
                        let mut answers = self.answers(head.gate, step, quorum, &path);
                        let noes = answers.split_off(1);
                        (answers.remove(0).0, noes)
                    };
                    for (path, no) in noes {
                        ended(self, path, no);
                    }
                    on(self, yes, Head { gate: head.gate + 1, ..head }, sides);
                }
            }
            for (path, failed) in outside {
                then(self, path, failed);
            }
        }
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
