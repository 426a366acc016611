//! Loops over items, rounds, and waits that look again and again.

use std::hash::Hash;

use super::super::small::{Does, Policy, Runs, Sleep, Step, When};
use super::beside::{Head, Sides};
use super::{Checker, End, FAILED, Path, Slip, Then};

impl Checker {
    /// An item of a loop, and those after it. `so_far`: how many have failed, and how the first did.
    pub(super) fn items(&mut self, item: u64, tolerated: u64, so_far: (u64, End), body: &[Step], path: Path, then: Then<'_>) {
        let tolerated = if self.slip == Slip::NothingIsTolerated { 0 } else { tolerated };
        if item == (tolerated + 1).max(2) {
            return then(self, path, End::Done);
        }
        self.list(body, Path { item: Some(item), ..path }, &mut |checker, path, end| {
            let (failures, first) = match end {
                End::Done => so_far,
                // That concerns the whole run.
                End::Failed { rollback: true, .. } => return then(checker, path, end),
                End::Finished { .. } | End::Late { .. } => return then(checker, path, end),
                failed if so_far.0 == 0 => (1, failed),
                End::Failed { .. } => (so_far.0 + 1, so_far.1),
            };
            if failures > tolerated {
                return then(checker, path, first);
            }
            checker.items(item + 1, tolerated, (failures, first), body, path, then);
        });
    }

    pub(super) fn round(&mut self, round: u64, times: u64, step: &Step, body: &[Step], path: Path, then: Then<'_>) {
        self.list(body, Path { item: Some(round), ..path }, &mut |checker, path, end| {
            let End::Done = end else { return then(checker, path, end) };
            let path = path.turn();
            (&step.id, round).hash(&mut checker.told);
            let mut holds = path.clone();
            holds.works(path.called(&step.id));
            checker.looked(&mut holds);
            then(checker, holds, End::Done);
            // Two rounds, and then past the last one.
            if round < times.min(2) && checker.slip != Slip::OneRound {
                checker.round(round + 1, times, step, body, path.clone(), then);
            }
            then(checker, path.falls(path.called(&step.id), "never holds"), FAILED);
        });
    }

    pub(super) fn poll(&mut self, step: &Step, probe: Option<&String>, again: bool, path: Path, then: Then<'_>) {
        step.id.hash(&mut self.told);
        let judged = |checker: &mut Checker, path: &Path, then: Then<'_>| {
            let mut holds = path.turn();
            holds.works(holds.name(step));
            checker.looked(&mut holds);
            then(checker, holds, End::Done);
            checker.not_yet(step, probe, again, path.turn(), then);
        };
        let Some(id) = probe else { return judged(self, &path, then) };
        let probe = looks(id);
        self.reached.insert(id.clone());
        self.late(&[(path.item, &probe)], &path, then);
        let mut path = path.turn();
        self.moment(&mut path, &probe, When::Begins);
        let name = path.tagged(id, Some(path.item.unwrap_or(1)));
        let mut looked = path.clone();
        looked.works(name.clone());
        self.looked(&mut looked);
        self.moment(&mut looked, &probe, When::Succeeded);
        judged(self, &looked, then);
        let mut fails = path.falls(name, "fails");
        self.moment(&mut fails, &probe, When::Failed);
        self.not_yet(step, Some(id), again, fails, then);
        // The time comes while it looks.
        self.out_of_time(step, path, then);
    }

    fn not_yet(&mut self, step: &Step, probe: Option<&String>, again: bool, path: Path, then: Then<'_>) {
        self.late(&[], &path, then);
        let path = path.turn();
        if again {
            self.poll(step, probe, false, path.clone(), then);
        }
        self.out_of_time(step, path, then);
    }

    pub(super) fn out_of_time(&mut self, step: &Step, path: Path, then: Then<'_>) {
        if self.slip != Slip::WaitsAlwaysEnd {
            then(self, path.falls(path.name(step), "runs out of time"), FAILED);
        }
    }

    /// Two items at once, of which so many may fail.
    pub(super) fn items_beside(&mut self, tolerated: u64, body: &[Step], path: Path, then: Then<'_>) {
        let tolerated = if self.slip == Slip::NothingIsTolerated { 0 } else { tolerated };
        self.beside([Head::item(body, 0), Head::item(body, 1)], Sides { tolerated, ..Sides::STRICT }, path, then);
    }

    /// A wait for a time, of which there is an hour at most.
    pub(super) fn sleep(&mut self, step: &Step, sleep: Sleep, turn: bool, path: Path, then: Then<'_>) {
        let known = sleep != Sleep::Unknown;
        // Whether it is short or not is one turn, with that of whether it runs at all.
        let turned = !turn || !known;
        let mut decided = if turn && !known { path.turn() } else { path.clone() };
        self.moment(&mut decided, step, When::Begins);
        if sleep != Sleep::Short && self.slip != Slip::WaitsAlwaysEnd {
            let late = if turned { decided.falls(path.name(step), "runs out of time") } else { decided.clone() };
            then(self, late, FAILED);
        }
        if sleep == Sleep::Long && self.slip != Slip::WaitsAlwaysEnd {
            return;
        }
        let mut passes = decided;
        if turned {
            passes.works(path.name(step));
        }
        if turned || !passes.clocks.is_empty() {
            step.id.hash(&mut self.told);
        }
        if !passes.clocks.is_empty() {
            self.late(&[], &passes, then);
            passes = passes.turn();
            passes.works(path.name(step));
        }
        then(self, passes, End::Done);
    }

    /// Looks at an input.
    pub(super) fn checks(&mut self, step: &Step, number: u64, turn: bool, path: Path, then: Then<'_>) {
        let before = path.turns;
        self.input(number, turn, path, &mut |checker, mut path, holds| {
            checker.moment(&mut path, step, When::Begins);
            let turned = !turn || path.turns != before;
            if turned {
                step.id.hash(&mut checker.told);
            }
            if holds {
                if turned {
                    path.works(path.name(step));
                }
                checker.looked(&mut path);
                return then(checker, path, End::Done);
            }
            let denied = if turned { path.falls(path.name(step), "does not hold") } else { path };
            then(checker, denied, FAILED);
        });
    }
}

/// What a wait, or a `verify`, looks with.
pub(super) fn looks(id: &str) -> Step {
    Step { id: id.to_owned(), does: Does::Read, policy: Policy::Stop, by_hand: false, runs: Runs::Always, timed: false }
}
