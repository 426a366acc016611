//! A procedure to its end: what it does after a failure, what tidies up, and what takes back.

use std::hash::Hash;

use super::super::small::{Procedure, Step, When};
use super::{ANYBODY, Checker, End, FINISHED, List, On, Path, Slip, Then, readable};

impl Checker {
    /// A procedure to its end; what takes back is done in the outermost. `around`: of a call, how many times there are around it.
    pub(super) fn frame(&mut self, of: &Procedure, around: Option<usize>, mut path: Path, then: Then<'_>) {
        let main = around.is_none();
        if main && of.timed {
            path.clocks.push(None);
        }
        self.list(&of.steps, path, &mut |checker, mut path, end| {
            // Its time is that of its body.
            path.clocks.truncate(around.unwrap_or(0));
            let end = match end {
                End::Finished { well: true } => End::Done,
                End::Finished { well: false } => FINISHED,
                End::Late { clock, .. } if !main => {
                    path.clocks.truncate(clock);
                    end
                }
                End::Late { told, .. } => End::Failed { told, rollback: false, rejected: false },
                // The time of the run was over before.
                _ if main && path.over.is_some() => {
                    let (_, told) = path.over.take().unwrap_or_default();
                    End::Failed { told, rollback: false, rejected: false }
                }
                end => end,
            };
            if main {
                (&path.changes, format!("{end:?}")).hash(&mut checker.told);
            }
            let mut closes = |checker: &mut Checker, path: Path| {
                checker.aside(of.tidies.as_ref(), List::Finally, path, &mut |checker, path| then(checker, path, end));
            };
            let mut mended = |checker: &mut Checker, path: Path| match end {
                End::Failed { rollback: true, .. } if main && checker.slip != Slip::RollbackLeaves => {
                    checker.take_back(path, &mut closes);
                }
                _ => closes(checker, path),
            };
            match end {
                End::Done => mended(checker, path),
                _ => checker.aside(of.mends.as_ref(), List::OnFailure, path, &mut mended),
            }
        });
    }

    /// What a procedure does after a failure, or in the end: whatever comes of it, it goes on.
    fn aside(&mut self, step: Option<&Step>, list: List, path: Path, then: On<'_>) {
        let Some(step) = step else { return then(self, path) };
        self.reached.insert(step.id.clone());
        self.acts(step, Path { list, ..path }, &mut |checker, mut path, end| {
            let now = if matches!(end, End::Done) { When::Succeeded } else { When::Failed };
            checker.moment(&mut path, step, now);
            // Where even that fails, at least it was thought of.
            path.mended |= list == List::OnFailure && !(checker.slip == Slip::CallsMendNothing && step.id != "mend");
            then(checker, Path { list: List::Body, ..path });
        });
    }

    /// Takes everything back, the last change first.
    fn take_back(&mut self, mut path: Path, then: On<'_>) {
        let Some((_, name, undo)) = path.changes.pop() else { return then(self, path) };
        let gone = |path: &Path| {
            let mut path = path.turn();
            path.there.remove(&name);
            path.since.insert(format!("takes back {name}"));
            path
        };
        let fails = |checker: &mut Checker, path: Path, again: bool, then: On<'_>| {
            let mut by_hand = gone(&path);
            by_hand.asks(ANYBODY, &name);
            checker.take_back(by_hand, then);
            then(checker, Path { left_to_people: true, ..path.turn().worsens() });
            if again {
                checker.take_back(gone(&path.turn().worsens()), then);
            }
        };
        // Without what it reads nothing is tried.
        if !readable(&undo, &path) {
            return fails(self, path, false, then);
        }
        self.take_back(gone(&path), then);
        if !path.stuck && self.slip != Slip::UndosNeverFail {
            let failed = path.falls(format!("{name}~undo"), "fails").turn();
            fails(self, Path { stuck: true, ..failed }, true, then);
        }
    }
}
