//! A copy of a state folder in one file, made while others work on it, and a state folder made out of such a copy.
//!
//! The file is a tar archive: the databases as each was at one moment, the logs of the runs in them, and last a manifest with the
//! length and SHA-256 of every file before it. The events are copied before the journal of runs: so no event of the copy has started a run
//! that the copy does not know.
//!
//! **A restored state acts on nothing by itself.** What happened between the copy and now is not in it: a step that it would begin next
//! may have been done. So each run that was not over is paused, with a reason, until a person resumes or cancels it; events that waited to
//! be decided upon, and decisions that waited to be carried out, are dropped with that reason; approvals ahead of time are void; and tokens,
//! passwords and sessions let nobody in, as one of them may have been revoked since. None of that is taken from a record: it is written behind it, by the same session
//! as everything else.

mod read;
mod restore;
mod write;

use std::path::PathBuf;

use jiff::Timestamp;
use runbook_core::{Digest, RunId};
use serde::{Deserialize, Serialize};

use crate::access::Revoked;
use crate::journal::JournalError;
use crate::log::LogError;
use crate::people::LocalUser;
use crate::session::SessionError;

pub use restore::{Restore, Tokens, prove, restore};
pub use write::{to_file, to_stream};

/// What the manifest says that the file is.
const KIND: &str = "runbook backup";
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const LOGS: &str = "logs/";

/// What a backup holds, and that it is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    backup: String,
    format: u32,
    /// The version of the program that made it.
    pub program: String,
    pub made_at: Timestamp,
    pub user: String,
    pub host: String,
    /// The state folder that it is a copy of.
    pub state: PathBuf,
    pub runs: u64,
    /// Of them.
    pub unfinished: u64,
    pub files: Vec<Filed>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filed {
    pub name: String,
    pub bytes: u64,
    pub digest: Digest,
}

/// A backup that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub manifest: Manifest,
    /// Of the manifest: kept elsewhere, it shows that nobody has changed the file.
    pub digest: Digest,
}

/// What a backup was found to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub manifest: Manifest,
    pub digest: Digest,
    pub runs: u64,
    pub records: u64,
    pub logs: u64,
    pub events: u64,
    /// Entries of the audit log.
    pub audited: u64,
    /// Runs whose record is not whole, with the first thing that is wrong. It was so when the backup was made.
    pub broken: Vec<(RunId, String)>,
    /// The first entry of the audit log that does not follow from the one before.
    pub audit_broken_at: Option<u64>,
}

impl Proof {
    pub fn is_whole(&self) -> bool {
        self.broken.is_empty() && self.audit_broken_at.is_none()
    }
}

/// What a restored state came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub proof: Proof,
    /// Runs that were not over, and wait for a person now.
    pub paused: Vec<RunId>,
    /// Runs that were not over and whose record cannot be read: nobody can go on with them.
    pub unreadable: Vec<(RunId, String)>,
    /// Events that were not judged, and decisions that were not carried out.
    pub events_dropped: u64,
    pub aheads_void: u64,
    pub revoked: Revoked,
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("{0} has nothing to make a backup of; name the folder of the records with `--state DIR`")]
    Nothing(PathBuf),
    #[error("{} is there already; name another file, or move that one", .0.display())]
    There(PathBuf),
    #[error("`runbook prune` takes something out at this moment; wait until it has ended")]
    Busy,
    #[error("the backup cannot be written: {0}")]
    Write(std::io::Error),
    #[error("the backup cannot be read: {0}")]
    Read(std::io::Error),
    #[error("it is no backup, or not a whole one: {0}; take another one")]
    NotWhole(String),
    #[error("it is a backup of format {0}, and this version reads up to {FORMAT}; use a newer `runbook`")]
    Newer(u32),
    #[error("the manifest's digest is {found}, and not the one that you gave; take the file that it is of")]
    OtherDigest { found: Digest },
    #[error("{} holds something already, and nothing of it is overwritten; name an empty folder with `--state DIR`", .0.display())]
    NotEmpty(PathBuf),
    #[error("{} cannot be used: {why}; look who owns it", path.display())]
    Folder { path: PathBuf, why: std::io::Error },
}

/// Who asks, and for what time it is.
#[derive(Clone, Debug)]
pub struct Asker {
    pub user: LocalUser,
    pub now: Timestamp,
}
