//! A state folder out of a backup: unpacked, proved, and told that it is a copy, all in a folder inside the one that it is to be; then it
//! is put in its place. Whatever stops it in between leaves a folder that nobody opens.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use runbook_core::run::Fact;
use runbook_core::run::event::{Identity, Means};
use runbook_core::{Digest, RunId};

use super::{Asker, BackupError, Manifest, Proof, Restored, read};
use crate::access::{Access, Entry, Revoked, Seals};
use crate::clock::SystemClock;
use crate::database::{Commits, Look, RESTORING};
use crate::intake::Intake;
use crate::journal::{Archive, JournalError, Owner, Phase, RunFilter, SharedJournal, Store, every_run, records_to};
use crate::log::Logs;
use crate::people::LocalUser;
use crate::session::{Session, SessionError};
use crate::verify::{Evidence, verify_run};

/// What becomes of the tokens and passwords of a backup. Sessions end in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    Revoke,
    /// Also those let in that were revoked, or changed, since.
    Keep,
}

/// What is to be restored.
pub struct Restore<'a> {
    pub from: &'a mut dyn Read,
    /// The digest of the manifest, where it was kept.
    pub digest: Option<&'a Digest>,
    pub asker: &'a Asker,
}

/// Unpacks a backup into a folder for temporary files, and says what it holds. Nothing is restored.
pub fn prove(restore: Restore<'_>) -> Result<Proof, BackupError> {
    let staging = tempfile::tempdir().map_err(BackupError::Write)?;
    let staging = staging.path();
    let (manifest, digest) = read::unpack(restore.from, staging, restore.digest)?;
    proof(staging, manifest, digest)
}

/// Makes the state folder at `state`, which must be empty or not there.
pub async fn restore(restore: Restore<'_>, state: &Path, tokens: Tokens) -> Result<Restored, BackupError> {
    let of_folder = |why| BackupError::Folder { path: state.to_owned(), why };
    let asker = restore.asker;
    match DirBuilder::new().mode(0o700).create(state) {
        Err(why) if why.kind() != ErrorKind::AlreadyExists => return Err(of_folder(why)),
        _ => {}
    }
    let folder = File::open(state).map_err(of_folder)?;
    if std::fs::read_dir(state).map_err(of_folder)?.next().is_some() {
        return Err(BackupError::NotEmpty(state.to_owned()));
    }
    // That it is ours, and nobody else may write to it.
    Store::look(state, Look::Outside)?;
    let staging = state.join(RESTORING);
    DirBuilder::new().mode(0o700).create(&staging).map_err(of_folder)?;
    // Whoever had the folder before that has made something in it by now, or will not use it.
    let names = std::fs::read_dir(state).map_err(of_folder)?.map(|entry| entry.map(|entry| entry.file_name()));
    let names: Vec<_> = names.collect::<Result<_, _>>().map_err(of_folder)?;
    if names.iter().any(|name| name != RESTORING) {
        std::fs::remove_dir(&staging).map_err(of_folder)?;
        return Err(BackupError::NotEmpty(state.to_owned()));
    }
    // From here on nobody opens the folder: should the power go, it must not seem to be a new one.
    folder.sync_all().map_err(of_folder)?;
    let restored = within(restore, &staging, tokens, asker).await;
    if restored.is_err() {
        // What was unpacked of it is of no use to anybody.
        std::fs::remove_dir_all(&staging).map_err(of_folder)?;
        return restored;
    }
    rustix::fs::syncfs(&folder).map_err(|why| of_folder(why.into()))?;
    let mut names: Vec<_> = std::fs::read_dir(&staging).map_err(of_folder)?.collect::<Result<_, _>>().map_err(of_folder)?;
    names.sort_by_key(std::fs::DirEntry::file_name);
    for entry in names {
        std::fs::rename(entry.path(), state.join(entry.file_name())).map_err(of_folder)?;
    }
    folder.sync_all().map_err(of_folder)?;
    std::fs::remove_dir(&staging).map_err(of_folder)?;
    folder.sync_all().map_err(of_folder)?;
    restored
}

async fn within(restore: Restore<'_>, staging: &Path, tokens: Tokens, asker: &Asker) -> Result<Restored, BackupError> {
    let (manifest, digest) = read::unpack(restore.from, staging, restore.digest)?;
    let proof = proof(staging, manifest, digest)?;
    let reason = format!(
        "restored from the backup of {}: what was done since then is not in this record; look at each system before you go on",
        proof.manifest.made_at
    );
    let store = Store::open_with(staging, Commits::OnTheSpot)?;
    let aheads_void = store.forsake().await?;
    let (mut unfinished, mut runs) = (Vec::new(), Vec::new());
    for row in every_run(&store, RunFilter::default()) {
        let row = row?;
        unfinished.extend((row.summary.phase != Phase::Ended).then(|| row.run.clone()));
        runs.push(row.run);
    }
    let logs = Logs::open_in(store.handle(), store.folder())?;
    for run in &runs {
        match forget_later(&store, &logs, run) {
            Err(BackupError::Journal(error)) if !error.is_of_one_run() => return Err(error.into()),
            Err(error @ BackupError::Log(_)) => return Err(error),
            _ => {}
        }
    }
    let journal: SharedJournal = Arc::new(store);
    let (mut paused, mut unreadable) = (Vec::new(), Vec::new());
    for run in unfinished {
        match hold_back(&journal, &run, &asker.user, &reason).await {
            Ok(()) => paused.push(run),
            // Whoever would go on with it reads it in the same way.
            Err(SessionError::Journal(error)) if error.is_of_one_run() => unreadable.push((run, error.to_string())),
            Err(error @ (SessionError::Illegal(_) | SessionError::OtherPlan { .. } | SessionError::TooLong(_))) => {
                unreadable.push((run, error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let intake = Intake::open(staging, Commits::OnTheSpot)?;
    let known = journal.clone();
    let let_go = intake.let_go(asker.now, move |run| !matches!(known.run(run), Err(JournalError::NoRun(_)))).await?;
    let access = Access::open(staging, Commits::OnTheSpot)?;
    let from = format!("user {} on {}", asker.user.user, asker.user.host);
    let entry = Entry {
        about: Some(proof.digest.to_string()),
        detail: Some(format!("the backup of {}; {} runs are paused", proof.manifest.made_at, paused.len())),
        ..Entry::new("restore", from, asker.now)
    };
    let revoked = match tokens {
        Tokens::Revoke => access.revoke_all(asker.now, entry).await?,
        Tokens::Keep => Revoked { sessions: access.end_all_sessions(entry).await?, ..Revoked::default() },
    };
    Ok(Restored { proof, paused, unreadable, events_dropped: let_go.unjudged + let_go.owed, aheads_void, revoked })
}

/// Removes logs of attempts that began when the journal had been copied: the run that goes on here makes them itself.
fn forget_later(store: &Store, logs: &Logs, run: &RunId) -> Result<(), BackupError> {
    let row = store.run(run)?;
    if logs.size(run)?.is_none() || store.pruned(run)?.is_some_and(|pruned| pruned.is_compacted()) {
        return Ok(());
    }
    let mut begun = Vec::new();
    for record in records_to(store, run, row.seq) {
        let record = record?;
        if record.kind == "attempt_started"
            && let Fact::AttemptStarted { path, attempt } = record.decode(row.format)?.fact
        {
            begun.push((path, attempt));
        }
    }
    Ok(logs.keep(run, begun.iter().map(|(path, attempt)| (path, *attempt)))?)
}

/// Records that a run goes on only when a person says so. Nothing that has come due meanwhile is recorded before.
async fn hold_back(journal: &SharedJournal, run: &RunId, user: &LocalUser, reason: &str) -> Result<(), SessionError> {
    let means = Means::LocalUser { user: user.user.clone(), host: user.host.clone() };
    let by = Identity { person: user.user.clone(), means };
    let owner = Owner::this_process(user.user.clone());
    let mut session = Session::open(journal.clone(), Arc::new(SystemClock), owner, Vec::new(), run).await?;
    let reason = reason.to_owned();
    let fact = match session.run().is_paused() {
        true => Fact::NoteAdded { by, text: reason },
        false => Fact::PauseRequested { by, reason },
    };
    session.record(fact)?;
    session.close().await
}

/// Proves every record with its logs, and the audit log.
fn proof(folder: &Path, manifest: Manifest, digest: Digest) -> Result<Proof, BackupError> {
    let store = Store::open_with(folder, Commits::OnTheSpot)?;
    let logs = Logs::open_in(store.handle(), store.folder())?;
    let access = Access::open(folder, Commits::OnTheSpot)?;
    let seals = Seals::of(&access);
    let evidence = Evidence { logs: Some(&logs), seals: Some(&seals), ..Evidence::default() };
    let (mut runs, mut compared, mut broken) = (0, 0, Vec::new());
    for row in every_run(&store, RunFilter::default()) {
        let run = row?.run;
        runs += 1;
        match verify_run(&store, &run, &evidence) {
            Ok(found) => {
                compared += found.logs;
                if let Some(fault) = found.faults.first() {
                    broken.push((run, fault.to_string()));
                }
            }
            Err(error) if error.is_of_one_run() => broken.push((run, error.to_string())),
            Err(error) => return Err(error.into()),
        }
    }
    let through = access.through()?;
    let events = Intake::open(folder, Commits::OnTheSpot)?.count()?;
    let records = store.events()?;
    Ok(Proof {
        manifest,
        digest,
        runs,
        records,
        logs: compared,
        events,
        audited: through.entries,
        broken,
        audit_broken_at: through.broken_at,
    })
}
