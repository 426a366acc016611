//! What a step that acts does: its attempts, and what becomes of one whose end nobody saw.

use std::hash::Hash;

use super::super::small::{Does, Policy, Step, Undo, Verify, When};
use super::loops::looks;
use super::{ANYBODY, Checker, End, FAILED, List, Path, Slip, Then, readable};

impl Checker {
    pub(super) fn acts(&mut self, step: &Step, path: Path, then: Then<'_>) {
        self.gated(0, step, path, &mut |checker, path, end| match end {
            End::Done => checker.alone(step, path, true, then),
            no => then(checker, path, no),
        });
    }

    /// An attempt beside which nothing goes on.
    fn alone(&mut self, step: &Step, path: Path, again: bool, then: Then<'_>) {
        self.late(&[(path.item, step)], &path, then);
        for late in self.over(&path) {
            self.alone(step, late, again, then);
        }
        self.attempt(step, path, again, then);
    }

    /// An attempt begins, whatever comes of it.
    pub(super) fn starts(&mut self, step: &Step, path: &mut Path) {
        self.moment(path, step, When::Begins);
        if matches!(step.does, Does::Destroy(_)) && !path.approved {
            self.find(format!("RB0601 {}", step.id), path.turns);
        }
        if !matches!(step.does, Does::Read) {
            path.touched.push(step.id.clone());
        }
    }

    /// As often as it is tried. `again`: whether it may be done once more after an end that nobody saw.
    pub(super) fn attempt(&mut self, step: &Step, path: Path, again: bool, then: Then<'_>) {
        step.id.hash(&mut self.told);
        let mut path = path.turn();
        self.starts(step, &mut path);
        let mut printed = path.clone();
        printed.printed.insert(path.called(&step.id));
        let mut works = printed.clone();
        works.works(works.name(step));
        if works.list == List::OnFailure {
            works.since.insert(format!("runs {}", path.called(&step.id)));
        }
        self.succeed(step, works, then);
        // It fails, or runs out of time: a turn of its own, and the same follows.
        then(self, printed.falls(path.name(step), "fails"), FAILED);
        // It fails before it has printed anything, which matters to what reads it.
        if self.read.contains(&step.id) && self.slip != Slip::FailuresPrint {
            then(self, path.falls(path.name(step), "cannot begin"), FAILED);
        }
        let (repeatable, verify) = match &step.does {
            Does::Change { repeatable, verify, .. } => (*repeatable, verify),
            Does::Destroy(verify) => (false, verify),
            _ => (true, &Verify::None),
        };
        if repeatable {
            return;
        }
        let unknown = path.falls(path.name(step), "unknown");
        match verify {
            Verify::Step(id) if self.slip != Slip::VerifiesAskPeople => self.look(step, id, unknown, again, then),
            Verify::Condition if self.slip != Slip::VerifiesAskPeople => {
                let mut holds = unknown.turn();
                holds.since.insert("looks".to_owned());
                holds.works(holds.name(step));
                self.succeed(step, holds, then);
                if again {
                    self.alone(step, unknown.turn().falls(path.name(step), "does not hold"), false, then);
                }
            }
            _ => self.people(step, None, unknown, again, then),
        }
    }

    /// Looks whether an attempt did its work.
    fn look(&mut self, step: &Step, id: &String, path: Path, again: bool, then: Then<'_>) {
        let probe = looks(id);
        self.reached.insert(id.clone());
        self.unsure(step, &[(path.item, &probe)], &path, then);
        let mut path = path.turn();
        self.moment(&mut path, &probe, When::Begins);
        let name = path.tagged(id, path.item);
        let mut happened = path.clone();
        happened.since.insert("looks".to_owned());
        self.looked(&mut happened);
        self.moment(&mut happened, &probe, When::Succeeded);
        self.succeed(step, happened, then);
        let mut denied = path.falls(name.clone(), "fails");
        self.moment(&mut denied, &probe, When::Failed);
        if again {
            self.alone(step, denied, false, then);
        }
        let mut nothing = path.falls(name, "times out");
        self.moment(&mut nothing, &probe, When::Failed);
        self.people(step, Some(id), nothing, again, then);
    }

    /// Asks people whether an attempt did its work. `probe`: what they may have looked with.
    fn people(&mut self, step: &Step, probe: Option<&String>, path: Path, again: bool, then: Then<'_>) {
        self.unsure(step, &[], &path, then);
        let mut asked = path.turn();
        if self.slip == Slip::DoneIsPrinted {
            asked.printed.insert(path.called(&step.id));
        }
        let mut done = asked.clone();
        done.asks(ANYBODY, &done.name(step));
        self.succeed(step, done, then);
        if again {
            self.alone(step, asked.worsens(), false, then);
        }
        if let Some(probe) = probe.filter(|_| again) {
            self.look(step, probe, asked.worsens(), false, then);
        }
    }

    /// The time of something around a step runs out while nobody knows whether it did its work.
    fn unsure(&mut self, step: &Step, begun: &[(Option<u64>, &Step)], path: &Path, then: Then<'_>) {
        let rollback = step.policy == Policy::Rollback;
        let path = Path { doubtful: true, ..path.clone() };
        self.late_in(begun, rollback, &path, then);
    }

    fn succeed(&mut self, step: &Step, mut path: Path, then: Then<'_>) {
        let tidies = path.list == List::Finally && self.slip != Slip::TidyingLooks;
        if !matches!(step.does, Does::Read) && !tidies {
            path.there.insert(path.name(step));
        }
        match &step.does {
            Does::Change { undo, .. } if *undo != Undo::None => {
                path.unseen = Some(step.id.clone());
                let undo = match undo {
                    Undo::Reads(id) => Undo::Reads(path.called(id)),
                    plain => plain.clone(),
                };
                path.changes.push((step.id.clone(), path.name(step), undo.clone()));
                if !readable(&undo, &path) {
                    self.find(format!("RB0603 {}", step.id), path.turns);
                }
            }
            _ if path.list != List::Body && !(self.slip == Slip::TidyingLooks) => {}
            Does::Read => self.looked(&mut path),
            _ => path.unseen = Some(step.id.clone()),
        }
        then(self, path, End::Done);
    }
}
