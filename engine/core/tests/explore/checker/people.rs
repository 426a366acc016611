//! What people say to the questions of a procedure, and to those that its workspace adds.

use std::hash::{Hash, Hasher};

use super::super::small::{Effect, Gate, OnTimeout, Quorum, Step, Undo};
use super::{ANYBODY, Checker, End, FAILED, List, Path, REJECTED, Slip, Then};

impl Checker {
    /// The ways of saying no, and of saying nothing.
    fn noes(&self, name: String, within: bool, on_timeout: OnTimeout, asked: &Path) -> Vec<(Path, End)> {
        let mut noes = vec![(asked.falls(name.clone(), "rejected"), REJECTED)];
        if within {
            let refused = on_timeout == OnTimeout::Reject && self.slip != Slip::SilenceIsNoRefusal;
            noes.push((asked.falls(name, "expires"), if refused { REJECTED } else { FAILED }));
        }
        noes
    }

    pub(super) fn approve(&mut self, quorum: &Quorum, step: &Step, path: Path, then: Then<'_>) {
        step.id.hash(&mut self.told);
        if !quorum.within && path.clocks.is_empty() {
            self.find(format!("RB0608 {}", step.id), path.turns);
        }
        self.late(&[], &path, then);
        let asked = path.turn();
        let mut yes = asked.clone();
        yes.approved = true;
        yes.asks("ops", &path.name(step));
        yes.works(path.name(step));
        self.looked(&mut yes);
        let before = std::mem::take(&mut self.told);
        then(self, yes, End::Done);
        let after_yes = std::mem::take(&mut self.told).finish();
        let asked = Path { approved: asked.approved || self.slip == Slip::ANoIsAYes, ..asked };
        let mut noes = self.noes(path.name(step), quorum.within, quorum.on_timeout, &asked).into_iter();
        let (no, end) = noes.next().unwrap();
        then(self, no, end);
        let after_no = std::mem::replace(&mut self.told, before).finish();
        *self.matters.entry(step.id.clone()).or_default() |= after_yes != after_no;
        (after_yes, after_no).hash(&mut self.told);
        for (path, end) in noes {
            then(self, path, end);
        }
    }

    pub(super) fn ask(&mut self, step: &Step, within: bool, path: Path, then: Then<'_>) {
        step.id.hash(&mut self.told);
        if !within && path.clocks.is_empty() {
            self.find(format!("RB0608 {}", step.id), path.turns);
        }
        self.late(&[], &path, then);
        let asked = path.turn();
        let mut answered = asked.clone();
        answered.asks(ANYBODY, &path.name(step));
        answered.works(path.name(step));
        self.looked(&mut answered);
        then(self, answered, End::Done);
        for (path, end) in self.noes(path.name(step), within, OnTimeout::Fail, &asked) {
            then(self, path, end);
        }
    }

    pub(super) fn by_hand(&mut self, step: &Step, within: bool, undo: &Undo, path: Path, then: Then<'_>) {
        self.gated(0, step, path, &mut |checker, path, end| {
            let End::Done = end else { return then(checker, path, end) };
            step.id.hash(&mut checker.told);
            if !within && path.clocks.is_empty() {
                checker.find(format!("RB0608 {}", step.id), path.turns);
            }
            checker.late(&[], &path, then);
            let asked = path.turn();
            let mut done = asked.clone();
            done.asks(ANYBODY, &path.name(step));
            done.works(path.name(step));
            checker.looked(&mut done);
            if checker.slip != Slip::ManualsChangeNothing {
                done.there.insert(done.name(step));
                done.touched.push(step.id.clone());
                if *undo != Undo::None {
                    done.changes.push((step.id.clone(), done.name(step), undo.clone()));
                }
            }
            then(checker, done, End::Done);
            for (path, end) in checker.noes(path.name(step), within, OnTimeout::Fail, &asked) {
                then(checker, path, end);
            }
        });
    }

    /// Whether the workspace asks before a step, for the time after so many gates.
    pub(super) fn gate(&self, step: &Step, number: usize) -> Option<Quorum> {
        let holds = |gate: &&Gate| step.effect() >= if gate.destructive { Effect::Destructive } else { Effect::Change };
        self.gates.iter().filter(holds).nth(number).map(|gate| gate.quorum)
    }

    /// One gate of a step: each answer, with how it ends where that is no yes.
    pub(super) fn answers(&mut self, number: usize, step: &Step, quorum: Quorum, path: &Path) -> Vec<(Path, End)> {
        (&step.id, number).hash(&mut self.told);
        let asked = path.turn();
        let mut yes = Path { approved: asked.approved || self.slip != Slip::GatesApproveNothing, ..asked.clone() };
        yes.asks("ops", &path.name(step));
        yes.works(path.name(step));
        if path.list == List::OnFailure {
            yes.since.insert(format!("runs {}", path.called(&step.id)));
        }
        let mut answers = vec![(yes, End::Done)];
        if self.slip != Slip::GatesAreOpen {
            answers.extend(self.noes(path.name(step), quorum.within, quorum.on_timeout, &asked));
        }
        answers
    }

    pub(super) fn gated(&mut self, number: usize, step: &Step, path: Path, then: Then<'_>) {
        let Some(quorum) = self.gate(step, number) else { return then(self, path, End::Done) };
        if !quorum.within && path.clocks.is_empty() {
            self.find(format!("RB0608 {}", step.id), path.turns);
        }
        self.late(&[], &path, then);
        for late in self.over(&path) {
            self.gated(number, step, late, then);
        }
        for (path, end) in self.answers(number, step, quorum, &path) {
            match end {
                End::Done => self.gated(number + 1, step, path, then),
                no => then(self, path, no),
            }
        }
    }
}
