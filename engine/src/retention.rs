//! What of ended runs, and of events, is kept for how long.
//!
//! Two things go, each by an age of its own. First the **logs**: every event stays, so the record is proved as before, and says of each log
//! how long it was and its SHA-256. Then what the **steps** did: of those events the number, the time, the kind and the hash stay, while
//! everything that people did, the inputs and the outcome stay as they were recorded. Each event that stays is still proved by the hash before
//! it, and any head that somebody kept is still found; what a chain without all of its events cannot show, that none of them was exchanged
//! afterwards, the seal does: a digest over all that stays, which is written into the audit log, a chain of its own, before anything goes.
//!
//! A run that goes on or waits is never touched, nor one that ended `needs_attention`: what is left of it does not mend with age. A record that
//! cannot be proved whole stays as it is, and is named.

mod events;

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::run::event::OutcomeKind;
use runbook_core::{Digest, ProcedureName, RunId};
use serde::Serialize;

use crate::access::{Access, Entry, Seals};
use crate::journal::export::{ExportError, export};
use crate::journal::{Archive, JournalError, Phase, Pruned, RunFilter, RunRow, Store, every_run, records_to};
use crate::keeping::Keeping;
use crate::log::{LogError, Logs};
use crate::people::LocalUser;
use crate::verify::{Evidence, verify_run};

/// Events of these kinds stay whole: what was asked for, what people did, and how it ended.
pub const KEPT: [&str; 13] = [
    "run_started",
    "lock_taken",
    "decision_requested",
    "decided",
    "decision_voided",
    "acknowledged",
    "cancel_requested",
    "pause_requested",
    "resume_requested",
    "undo_requested",
    "note_added",
    "run_adopted",
    "run_finished",
];

/// The act in the audit log whose detail is the seal of a run.
pub const COMPACT: &str = "compact";

pub use events::GoneEvents;

const AT_WORK: &str = "a backup is made, or another process prunes";

/// What is to go.
#[derive(Clone, Debug, Default)]
pub struct Retention {
    /// Logs of runs that ended before.
    pub logs_before: Option<Timestamp>,
    /// What steps did in runs that ended before.
    pub steps_before: Option<Timestamp>,
    /// Where each record is written before anything of it goes, as `runbook export` writes it.
    pub export: Option<PathBuf>,
}

/// What goes of one run, or went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Going {
    pub run: RunId,
    pub procedure: ProcedureName,
    pub ended_at: Timestamp,
    /// Bytes of its logs; absent where they stay, or are gone already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<u64>,
    /// Bytes of its record; the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Why it stays as it is all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stays: Option<Stays>,
}

/// Why what is old enough to go stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Stays {
    /// By rule, or because somebody is at work on it.
    Rightly(String),
    /// It cannot be proved: somebody has to look at it.
    Unproved(String),
}

impl Stays {
    pub fn why(&self) -> &str {
        match self {
            Stays::Rightly(why) | Stays::Unproved(why) => why,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("{} cannot be written: {why}; name another folder", path.display())]
    Export { path: PathBuf, why: std::io::Error },
    #[error("{0}; wait until it has ended")]
    Busy(&'static str),
    #[error("triggers look back as far as {0}: say an age of at least that for --events-after")]
    Needed(String),
    #[error("the state folder cannot be held: {0}; look who owns it")]
    Lock(std::io::Error),
}

/// A state folder whose ended runs are looked through.
pub struct Keeper<'a> {
    pub store: &'a Store,
    pub logs: &'a Logs,
    pub access: &'a Access,
    pub user: LocalUser,
    pub now: Timestamp,
}

impl Keeper<'_> {
    /// What would go, the oldest run last. Nothing is changed.
    pub fn foresee(&self, retention: &Retention) -> Result<Vec<Going>, RetentionError> {
        let mut going = Vec::new();
        self.each(retention, |this, row, ended_at| {
            if let Some(found) = this.look(&row, ended_at, retention)? {
                going.push(found);
            }
            Ok(())
        })?;
        Ok(going)
    }

    /// Lets it go, run by run. What was begun when the process ended is done by the next.
    pub fn prune(&self, retention: &Retention) -> Result<Vec<Going>, RetentionError> {
        let _alone = Keeping::alone(self.store.handle()).map_err(RetentionError::Lock)?.ok_or(RetentionError::Busy(AT_WORK))?;
        let mut gone = Vec::new();
        self.each(retention, |this, row, ended_at| {
            let Some(mut found) = this.look(&row, ended_at, retention)? else { return Ok(()) };
            if found.stays.is_none() {
                found.stays = this.let_go(&row, &found, retention)?;
            }
            gone.push(found);
            Ok(())
        })?;
        Ok(gone)
    }

    fn each(
        &self,
        retention: &Retention,
        mut visit: impl FnMut(&Self, RunRow, Timestamp) -> Result<(), RetentionError>,
    ) -> Result<(), RetentionError> {
        let latest = retention.logs_before.max(retention.steps_before);
        for row in every_run(self.store, RunFilter { phase: Some(Phase::Ended), ..RunFilter::default() }) {
            let row = row?;
            if let Some(ended_at) = row.summary.ended_at.filter(|at| Some(*at) < latest) {
                visit(self, row, ended_at)?;
            }
        }
        Ok(())
    }

    /// What goes of a run, where anything does.
    fn look(&self, row: &RunRow, ended_at: Timestamp, retention: &Retention) -> Result<Option<Going>, RetentionError> {
        let run = &row.run;
        let pruned = self.store.pruned(run)?.unwrap_or_default();
        let is_due = |before: Option<Timestamp>| before.is_some_and(|before| ended_at < before);
        // Steps without their logs say little, and logs without their steps nothing.
        let steps = is_due(retention.steps_before) && pruned.steps_at.is_none();
        let wants_logs = is_due(retention.logs_before) || is_due(retention.steps_before);
        let logs = if wants_logs { self.logs.size(run)? } else { None };
        if !steps && logs.is_none() {
            return Ok(None);
        }
        let stays = match row.summary.outcome {
            Some(OutcomeKind::NeedsAttention) => {
                Some(Stays::Rightly("it ended needs_attention: somebody has to put right what is left".to_owned()))
            }
            _ if row.is_held(self.now) => Some(Stays::Rightly("a process is at work on it".to_owned())),
            _ => None,
        };
        let steps = if steps { Some(self.store.weight(run, &KEPT)?) } else { None };
        Ok(Some(Going { run: run.clone(), procedure: row.summary.procedure.clone(), ended_at, logs, steps, stays }))
    }

    /// Gives why it stays, where it does.
    fn let_go(&self, row: &RunRow, going: &Going, retention: &Retention) -> Result<Option<Stays>, RetentionError> {
        let run = &row.run;
        let seals = Seals::of(self.access);
        let evidence = Evidence { logs: Some(self.logs), seals: Some(&seals), ..Evidence::default() };
        let found = match verify_run(self.store, run, &evidence) {
            Ok(found) => found,
            Err(error) if error.is_of_one_run() => return Ok(Some(Stays::Unproved(error.to_string()))),
            Err(error) => return Err(error.into()),
        };
        if let Some(fault) = found.faults.first() {
            return Ok(Some(Stays::Unproved(format!("its record is not whole: {fault}"))));
        }
        let is_whole = self.store.pruned(run)?.is_none_or(|pruned| pruned.steps_at.is_none());
        if let Some(folder) = retention.export.as_deref().filter(|_| is_whole) {
            self.exported(run, folder)?;
        }
        let write = |act: &str, result: &str, detail: &str| self.write(act, Some(run), result, detail);
        let stays = || Some(Stays::Rightly("somebody took it up meanwhile".to_owned()));
        // First that something goes, then it goes: what is missing without a word would look like a loss.
        if going.steps.is_some() {
            let seal = seal(self.store, row)?;
            write(COMPACT, "begun", seal.as_str())?;
            if !self.store.compact(row, &KEPT, self.now, &seal).wait()? {
                return Ok(stays());
            }
            write(COMPACT, "done", seal.as_str())?;
        }
        if let Some(bytes) = going.logs {
            let detail = format!("{bytes} bytes");
            write("prune_logs", "begun", &detail)?;
            // Those that there are while nobody is at work on it: whoever takes it back from now on makes others.
            let logs = self.logs.names(run)?;
            if !self.store.without_logs(row, self.now).wait()? {
                return Ok(stays());
            }
            self.logs.remove(run, &logs)?;
            write("prune_logs", "done", &detail)?;
        }
        Ok(None)
    }

    /// Into the audit log.
    fn write(&self, act: &str, about: Option<&RunId>, result: &str, detail: &str) -> Result<(), JournalError> {
        let by = format!("user {} on {}", self.user.user, self.user.host);
        let (about, result, detail) = (about.map(ToString::to_string), result.to_owned(), Some(detail.to_owned()));
        self.access.audit(Entry { about, result, detail, ..Entry::new(act, by, self.now) }).wait()
    }

    fn exported(&self, run: &RunId, folder: &Path) -> Result<(), RetentionError> {
        let path = folder.join(format!("{run}.jsonl"));
        let failed = |why| RetentionError::Export { path: path.clone(), why };
        let part = folder.join(format!(".{run}.part"));
        // One that an earlier process did not finish.
        let _ = std::fs::remove_file(&part);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map_err(failed)?;
        let mut out = BufWriter::new(file);
        match export(self.store, run, &mut out) {
            Ok(()) => {}
            Err(ExportError::Journal(error)) => return Err(error.into()),
            Err(ExportError::Write(why)) => return Err(failed(why)),
        }
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(failed)?;
        std::fs::rename(&part, &path).map_err(failed)?;
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// Over all that stays of a record: each line of it, in its order.
fn seal(store: &Store, row: &RunRow) -> Result<Digest, JournalError> {
    let mut seal = Sealing::default();
    for record in records_to(store, &row.run, row.seq) {
        let mut record = record?;
        if !KEPT.contains(&record.kind.as_str()) {
            record.body.clear();
        }
        seal.add(&record.line());
    }
    Ok(seal.done())
}

/// The seal of a compacted record, line by line.
pub struct Sealing(sha2::Sha256);

impl Default for Sealing {
    fn default() -> Sealing {
        use sha2::Digest as _;
        Sealing(sha2::Sha256::new_with_prefix("runbook compacted 1\n"))
    }
}

impl Sealing {
    pub fn add(&mut self, line: &str) {
        use sha2::Digest as _;
        self.0.update(line.as_bytes());
        self.0.update(b"\n");
    }

    pub fn done(self) -> Digest {
        use sha2::Digest as _;
        Digest::from_sha256(self.0.finalize().into())
    }
}

/// What became of a run's record since it ended; the default is: nothing.
impl Pruned {
    pub fn is_compacted(&self) -> bool {
        self.steps_at.is_some()
    }
}
