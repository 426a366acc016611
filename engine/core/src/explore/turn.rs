//! What happened at one point of a path where something else could have happened.

use serde::Serialize;

use crate::id::StepPath;
use crate::plan::StepIx;

/// One turn of a path: a step, and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub path: StepPath,
    pub step: StepIx,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Runs,
    Skipped,
    /// A `choose`: the branch from 0, or none.
    Branch(Option<u32>),
    /// An `each` without items.
    Empty,
    /// A condition: of a `check`, a loop, a wait, a `verify`.
    Holds,
    DoesNotHold,
    /// After all rounds.
    NeverHolds,
    /// A wait looks once more.
    LooksAgain,
    Succeeds,
    Fails,
    TimesOut,
    /// It fails before there is anything to give: no such program, no connection.
    GivesNothing,
    EndsUnknown,
    /// The time of a step that is not one attempt, or of the run.
    RunsOut,
    /// A gate of the workspace says yes, so that the step may begin.
    Allowed,
    Granted,
    Rejected,
    Expires,
    /// Of an unknown end, and of an undo that failed: what people say.
    Done,
    UndoneByHand,
    Again,
    Looks,
    Left,
}

impl What {
    /// Whether it is a turn for the worse that a pre-mortem tells of.
    pub(super) fn is_fall(self) -> bool {
        use What::{DoesNotHold, EndsUnknown, Expires, Fails, GivesNothing, NeverHolds, Rejected, RunsOut, TimesOut};
        matches!(self, Fails | GivesNothing | TimesOut | EndsUnknown | Rejected | Expires | NeverHolds | RunsOut | DoesNotHold)
    }

    /// Whether the step at which it is taken does something then.
    pub(super) fn is_work(self) -> bool {
        matches!(self, What::Runs | What::Branch(_) | What::Holds | What::Succeeds | What::Allowed | What::Granted)
    }

    /// The same in a word or two, of a step that is named beside it.
    pub(super) fn fall(self) -> &'static str {
        match self {
            What::Fails => "fails",
            What::GivesNothing => "cannot begin",
            What::TimesOut => "times out",
            What::EndsUnknown => "ends unknown",
            What::Rejected => "is rejected",
            What::Expires => "is not answered",
            What::NeverHolds => "never holds",
            What::RunsOut => "runs out of time",
            _ => "does not hold",
        }
    }
}

impl Turn {
    /// Of no step. It is said to be of the first one, which has another path.
    pub(super) fn of_the_run(what: What) -> Turn {
        Turn { path: StepPath::within("", "run"), step: StepIx(0), what }
    }

    /// Whether it is what everybody hopes for, so that a long row of such turns need not be told.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.what, What::Runs | What::Succeeds | What::Allowed | What::Granted | What::Holds)
    }

    /// In words: `drain` fails.
    pub fn words(&self) -> String {
        let path = &self.path;
        match self.what {
            What::Branch(Some(branch)) => format!("`{path}` takes branch {}", branch + 1),
            What::Branch(None) => format!("`{path}` takes no branch"),
            What::Runs => format!("`{path}` runs"),
            What::Skipped => format!("`{path}` is skipped"),
            What::Empty => format!("`{path}` has no items"),
            What::Holds => format!("`{path}` holds"),
            What::DoesNotHold => format!("`{path}` does not hold"),
            What::NeverHolds => format!("`{path}` does not hold in any round"),
            What::LooksAgain => format!("`{path}` looks again"),
            What::Succeeds => format!("`{path}` succeeds"),
            What::Fails => format!("`{path}` fails"),
            What::GivesNothing => format!("`{path}` cannot begin, and gives nothing"),
            What::TimesOut => format!("`{path}` times out"),
            What::EndsUnknown => format!("nobody knows how `{path}` ended"),
            What::RunsOut => format!("the time of `{path}` runs out"),
            What::Allowed => format!("`{path}` is allowed"),
            What::Granted => format!("`{path}` is granted"),
            What::Rejected => format!("`{path}` is rejected"),
            What::Expires => format!("nobody answers `{path}`"),
            What::Done => format!("people say that `{path}` is done"),
            What::UndoneByHand => format!("people take `{path}` back by hand"),
            What::Again => format!("people have `{path}` done again"),
            What::Looks => format!("people have `{path}` looked at"),
            What::Left => format!("people leave `{path}` as it is"),
        }
    }
}
