//! Two lists at once: every order of what happens in them.

use super::super::small::{Branch, Does, Quorum, Step, When};
use super::{Checker, End, Path, Slip, Then, pair};

/// Where one of two branches stands: what is left of it, how many gates its first step has passed.
#[derive(Clone, Copy)]
pub struct Head<'b> {
    branch: &'b Branch,
    steps: &'b [Step],
    gate: usize,
}

impl<'b> Head<'b> {
    pub fn of(branch: &'b Branch) -> Head<'b> {
        Head { branch, steps: &branch.steps, gate: 0 }
    }
}

impl Checker {
    /// Two lists at once: every order. The first that fails keeps the other from going on.
    pub(super) fn beside(&mut self, one: Head<'_>, other: Head<'_>, path: Path, then: Then<'_>) {
        let waits = |checker: &Checker, head: &Head<'_>| head.steps.first().and_then(|step| checker.gate(step, head.gate));
        let (first, second) = (waits(self, &one), waits(self, &other));
        self.side_by_side |= first.is_some() && second.is_some();
        self.clash(&one, &other, first.is_none() && second.is_none(), path.turns);
        // Only people can move it, and nothing ends the wait of any.
        let open = |head: &Head<'_>, gate: &Option<Quorum>| head.steps.is_empty() || gate.is_some_and(|gate| !gate.within);
        if open(&one, &first) && open(&other, &second) {
            for step in [&one, &other].into_iter().filter_map(|head| head.steps.first()) {
                self.find(format!("RB0608 {}", step.id), path.turns);
            }
        }
        if one.steps.is_empty() && other.steps.is_empty() {
            return then(self, path, End::Done);
        }
        let turns = if self.slip == Slip::BranchesTakeTurns && !one.steps.is_empty() { 1 } else { 2 };
        for (number, gate) in [first, second].into_iter().enumerate().take(turns) {
            let head = if number == 0 { one } else { other };
            let Some((step, rest)) = head.steps.split_first() else { continue };
            let mut on = |checker: &mut Checker, path: Path, head: Head<'_>| match number {
                0 => checker.beside(head, other, path, then),
                _ => checker.beside(one, head, path, then),
            };
            self.reached.insert(step.id.clone());
            let touched = path.touched.len();
            let next = Head { steps: rest, gate: 0, ..head };
            let mut outside: Vec<(Path, End)> = Vec::new();
            let mut ended = |checker: &mut Checker, path: Path, end: End| {
                checker.ended(step, touched, path, end, &mut |checker, mut path, end| match end {
                    End::Done => {
                        if rest.is_empty() {
                            checker.moment_of(&mut path, head.branch, When::Succeeded);
                        }
                        on(checker, path, next);
                    }
                    failed => {
                        checker.moment_of(&mut path, head.branch, When::Failed);
                        outside.push((path, failed));
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
                    on(self, yes, Head { gate: head.gate + 1, ..head });
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
        if let (Some((first, a)), Some((second, b))) = (&one.branch.call, &other.branch.call)
            && a == b
            && self.slip != Slip::LocksAreOfNoUse
        {
            self.find(pair("RB0607", first, second), turns);
        }
    }
}
