//! What a run has changed, and what became of each change.

use std::collections::BTreeMap;

use runbook_core::plan::Verb;
use runbook_core::run::decision::{Choice, Purpose};
use runbook_core::run::event::StepOutcome;
use runbook_core::run::view::{Standing, StepView};
use runbook_core::{Run, StepPath};

use super::{Line, code, step, text};
use crate::report::dry_run::brief;
use crate::words::count;

/// A step that changed something, or may have.
pub(super) struct Change<'r> {
    view: StepView<'r>,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    TakenBack,
    /// Somebody said that they took it back.
    TakenBackByHand,
    /// It failed, or was stopped, and nobody knows how far it got.
    Partly,
    Unknown,
    UnderWay,
}

/// What acted in the order in which it did; messages are none, and neither is what takes others back.
pub(super) fn of(run: &Run) -> Vec<Change<'_>> {
    let undone = undone(run);
    let by_hand = |path: &StepPath| {
        run.decisions().iter().any(|decision| {
            decision.purpose == Purpose::UndoFailed
                && decision.path.as_ref() == Some(path)
                && decision.votes.iter().any(|vote| vote.choice == Choice::Done)
        })
    };
    let acted = |view: &StepView<'_>| {
        let verb = &view.step().verb;
        let did = verb.acts() && view.attempt() > 0 || matches!(verb, Verb::Manual(_)) && is_done(view);
        did && view.step().effect.changes() && !matches!(verb, Verb::Notify { .. }) && !view.path().as_str().contains("~undo")
    };
    let fate = |view: &StepView<'_>| {
        let taken = |path: &StepPath| undone.get(path) == Some(&true);
        let back = || taken(view.path()) || run.around(view.path()).any(|around| taken(around.path()));
        match view.standing() {
            Standing::Ended(StepOutcome::Succeeded) if back() => Fate::TakenBack,
            Standing::Ended(StepOutcome::Succeeded) if by_hand(view.path()) => Fate::TakenBackByHand,
            Standing::Ended(StepOutcome::Succeeded) => Fate::Stays,
            Standing::Ended(StepOutcome::Unknown) | Standing::InDoubt => Fate::Unknown,
            Standing::Ended(_) => Fate::Partly,
            _ => Fate::UnderWay,
        }
    };
    run.steps().filter(acted).map(|view| Change { fate: fate(&view), view }).collect()
}

fn is_done(view: &StepView<'_>) -> bool {
    matches!(view.standing(), Standing::Ended(StepOutcome::Succeeded))
}

/// Steps that an undo was tried of, and whether all of its last try worked.
fn undone(run: &Run) -> BTreeMap<StepPath, bool> {
    let mut tries: BTreeMap<StepPath, (u32, bool)> = BTreeMap::new();
    for view in run.steps() {
        let Some((of, behind)) = view.path().as_str().rsplit_once("~undo") else { continue };
        let Ok(of) = of.parse::<StepPath>() else { continue };
        let number = behind.strip_prefix('[').and_then(|rest| rest.split(']').next()?.parse().ok()).unwrap_or(1);
        let worked = matches!(view.standing(), Standing::Ended(StepOutcome::Succeeded | StepOutcome::Skipped));
        let last = tries.entry(of).or_insert((number, true));
        match number.cmp(&last.0) {
            std::cmp::Ordering::Greater => *last = (number, worked),
            std::cmp::Ordering::Equal => last.1 &= worked,
            std::cmp::Ordering::Less => {}
        }
    }
    tries.into_iter().map(|(of, (_, worked))| (of, worked)).collect()
}

/// How many there are, and what became of them, in a sentence.
pub(super) fn in_short(changes: &[Change<'_>]) -> String {
    if changes.is_empty() {
        return "It changed nothing.".to_owned();
    }
    let fates = [
        (Fate::Stays, "stays", "stay"),
        (Fate::TakenBack, "was taken back", "were taken back"),
        (Fate::TakenBackByHand, "was taken back by hand", "were taken back by hand"),
        (Fate::Partly, "may be half done", "may be half done"),
        (Fate::Unknown, "has an unknown end", "have an unknown end"),
        (Fate::UnderWay, "is under way", "are under way"),
    ];
    let counted = fates.map(|(fate, one, many)| (changes.iter().filter(|change| change.fate == fate).count() as u64, one, many));
    let told: Vec<_> = counted.into_iter().filter(|(number, ..)| *number > 0).collect();
    let all = count(changes.len() as u64, "change", "changes");
    match told.as_slice() {
        [(1, one, _)] => format!("It made {all}, which {one}."),
        [(_, _, many)] => format!("It made {all}, which {many}."),
        several => {
            let several: Vec<String> = several.iter().map(|(number, one, many)| count(*number, one, many)).collect();
            format!("It made {all}: {}.", several.join(", "))
        }
    }
}

pub(super) fn rows(run: &Run, changes: &[Change<'_>]) -> Vec<Vec<Line>> {
    let row = |change: &Change<'_>| {
        let did = match (change.view.work(), &change.view.step().verb) {
            (Some(work), _) => vec![code(brief(&work.task))],
            (None, _) => vec![text("by hand")],
        };
        let fate = match change.fate {
            Fate::Stays => "stays",
            Fate::TakenBack => "taken back",
            Fate::TakenBackByHand => "taken back by hand",
            Fate::Partly => "failed or stopped: perhaps half done",
            Fate::Unknown => "nobody knows how it ended",
            Fate::UnderWay => "under way",
        };
        vec![step(run, change.view.path()), did, vec![text(fate)]]
    };
    changes.iter().map(row).collect()
}

impl Change<'_> {
    /// What somebody has to look at because of it, once the run has ended.
    pub(super) fn to_see_to(&self, run: &Run) -> Option<Line> {
        let what = match self.fate {
            Fate::Partly => " failed or was stopped: see how far it got.",
            Fate::Unknown => ": see whether it did its work.",
            Fate::Stays | Fate::TakenBack | Fate::TakenBackByHand | Fate::UnderWay => return None,
        };
        let mut line = step(run, self.view.path());
        line.push(text(what));
        Some(line)
    }
}
