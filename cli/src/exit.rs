//! How the program ends: one number per meaning, stable for scripts, and an error type whose text says what, why and the
//! one next thing to do.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use runbook_core::run::event::OutcomeKind;

/// What an exit code means. Documented in `runbook --help`; never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Succeeded,
    /// A run failed or was rolled back, or a command could not do what it was asked.
    Failed,
    /// Something given is not valid: a document, an input, an argument. Nothing ran.
    NotValid,
    /// A run waits for a person, or was parked.
    Waiting,
    Rejected,
    /// Nothing says how a step ended, or people must put right what is left.
    Unknown,
    Cancelled,
}

impl Exit {
    pub const ALL: [Exit; 7] =
        [Exit::Succeeded, Exit::Failed, Exit::NotValid, Exit::Waiting, Exit::Rejected, Exit::Unknown, Exit::Cancelled];

    pub fn number(self) -> u8 {
        match self {
            Exit::Succeeded => 0,
            Exit::Failed => 1,
            Exit::NotValid => 2,
            Exit::Waiting => 3,
            Exit::Rejected => 4,
            Exit::Unknown => 5,
            Exit::Cancelled => 130,
        }
    }

    pub fn of_outcome(kind: OutcomeKind) -> Exit {
        match kind {
            OutcomeKind::Succeeded => Exit::Succeeded,
            OutcomeKind::Failed | OutcomeKind::RolledBack => Exit::Failed,
            OutcomeKind::Rejected => Exit::Rejected,
            OutcomeKind::Cancelled => Exit::Cancelled,
            OutcomeKind::NeedsAttention => Exit::Unknown,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}

/// Why a command stopped without doing its work.
#[derive(Debug)]
pub struct Trouble {
    pub exit: Exit,
    /// What is wrong, in one sentence without a full stop. Texts from outside in it are made harmless when shown.
    pub message: String,
    /// The one next thing to do: a command that can be copied, or a sentence.
    pub next: Option<String>,
    broken_pipe: bool,
}

impl Trouble {
    pub fn failed(message: impl Into<String>) -> Trouble {
        Trouble { exit: Exit::Failed, message: message.into(), next: None, broken_pipe: false }
    }

    pub fn not_valid(message: impl Into<String>) -> Trouble {
        Trouble { exit: Exit::NotValid, message: message.into(), next: None, broken_pipe: false }
    }

    /// A file that cannot be read.
    pub fn unreadable(path: &Path, why: &std::io::Error) -> Trouble {
        let trouble = Trouble::failed(format!("cannot read {}: {why}", path.display()));
        trouble.next(match why.kind() {
            ErrorKind::NotFound => "name a file that is there",
            ErrorKind::PermissionDenied => "have yourself allowed to read it",
            ErrorKind::InvalidData => "give a file of text in UTF-8",
            _ => "name another file",
        })
    }

    /// A file that cannot be written. None is ever overwritten.
    pub fn unwritable(path: &Path, why: &std::io::Error) -> Trouble {
        let (path, kind) = (path.display(), why.kind());
        match kind {
            ErrorKind::AlreadyExists => {
                Trouble::failed(format!("{path} is there already")).next("name another file, or move that one")
            }
            ErrorKind::NotFound => Trouble::failed(format!("cannot write {path}: {why}")).next("make its folder first"),
            _ => Trouble::failed(format!("cannot write {path}: {why}")).next("name another place"),
        }
    }

    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Trouble {
        self.next = Some(next.into());
        self
    }

    #[must_use]
    pub fn exits(mut self, exit: Exit) -> Trouble {
        self.exit = exit;
        self
    }

    pub fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Writing failed: the reader of a pipe went away, or a disk is full.
impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Trouble {
        let broken_pipe = error.kind() == std::io::ErrorKind::BrokenPipe;
        Trouble { broken_pipe, ..Trouble::failed(format!("cannot write: {error}")) }
    }
}

/// A folder or file that cannot be read: nothing ran.
impl From<runbook_engine::catalogue::CatalogueError> for Trouble {
    fn from(error: runbook_engine::catalogue::CatalogueError) -> Trouble {
        Trouble::not_valid(error.to_string()).next("choose another folder with `--catalogue DIR`, or name a file")
    }
}

pub type Outcome = Result<Exit, Trouble>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_a_contract() {
        assert_eq!(Exit::ALL.map(Exit::number), [0, 1, 2, 3, 4, 5, 130]);
        for (kind, number) in [
            (OutcomeKind::Succeeded, 0),
            (OutcomeKind::Failed, 1),
            (OutcomeKind::RolledBack, 1),
            (OutcomeKind::Rejected, 4),
            (OutcomeKind::Cancelled, 130),
            (OutcomeKind::NeedsAttention, 5),
        ] {
            assert_eq!(Exit::of_outcome(kind).number(), number, "{kind:?}");
        }
    }
}
