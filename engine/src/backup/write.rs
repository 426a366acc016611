//! Writes a backup.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Seek, Write};
use std::path::Path;

use runbook_core::Digest;
use sha2::Digest as _;
use tar::{Builder, EntryType, Header};

use super::{Asker, Backup, BackupError, FORMAT, Filed, KIND, LOGS, MANIFEST, Manifest};
use crate::access::Access;
use crate::database::Commits;
use crate::intake::Intake;
use crate::journal::{JournalError, Phase, RunFilter, Store, every_run};
use crate::keeping::Keeping;
use crate::log::Logs;

/// Writes a copy of the state folder to a file that is not there yet, or nothing.
pub fn to_file(state: &Path, file: &Path, asker: &Asker) -> Result<Backup, BackupError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if std::fs::symlink_metadata(file).is_ok() {
        return Err(BackupError::There(file.to_owned()));
    }
    // For its owner alone, as the records are.
    let mut written = tempfile::Builder::new().prefix(".backup-").tempfile_in(folder).map_err(BackupError::Write)?;
    let staging = tempfile::Builder::new().prefix(".backup-").tempdir_in(folder).map_err(BackupError::Write)?;
    let backup = backup(state, staging.path(), written.as_file_mut(), asker)?;
    written.as_file().sync_all().map_err(BackupError::Write)?;
    written.persist_noclobber(file).map_err(|error| match error.error.kind() {
        ErrorKind::AlreadyExists => BackupError::There(file.to_owned()),
        _ => BackupError::Write(error.error),
    })?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(BackupError::Write)?;
    Ok(backup)
}

/// Writes a copy of the state folder to `out`; the databases pass through the folder for temporary files.
pub fn to_stream(state: &Path, out: &mut dyn Write, asker: &Asker) -> Result<Backup, BackupError> {
    let staging = tempfile::tempdir().map_err(BackupError::Write)?;
    backup(state, staging.path(), out, asker)
}

/// The databases are copied into `staging` first, one at a time: a private folder with room for the largest of them.
fn backup(state: &Path, staging: &Path, out: &mut dyn Write, asker: &Asker) -> Result<Backup, BackupError> {
    let folder = File::open(state).map_err(|why| BackupError::Folder { path: state.to_owned(), why })?;
    let _held = Keeping::with_others(&folder)
        .map_err(|why| BackupError::Folder { path: state.to_owned(), why })?
        .ok_or(BackupError::Busy)?;
    let mut archive = Archive { tar: Builder::new(out), files: Vec::new(), at: asker.now.as_second().unsigned_abs() };
    let copies = [
        ("access.db", Access::copy as fn(&Path, &Path) -> Result<bool, JournalError>),
        ("events.db", Intake::copy),
        // Last: whatever the others say of runs is here.
        ("journal.db", Store::copy),
    ];
    let mut runs = HashSet::new();
    let mut unfinished = 0;
    for (name, copy) in copies {
        let staged = staging.join(name);
        if !copy(state, &staged)? {
            continue;
        }
        archive.add(name, File::open(&staged).map_err(BackupError::Write)?)?;
        if name == "journal.db" {
            let store = Store::open_with(staging, Commits::OnTheSpot)?;
            for row in every_run(&store, RunFilter::default()) {
                let row = row?;
                unfinished += u64::from(row.summary.phase != Phase::Ended);
                runs.insert(row.run);
            }
        } else {
            std::fs::remove_file(&staged).map_err(BackupError::Write)?;
        }
    }
    if archive.files.is_empty() {
        return Err(BackupError::Nothing(state.to_owned()));
    }
    // Each log that a record of the copy tells of is on the disk by now.
    Logs::open(state)?.each(|run| runs.contains(run), |run, name, file| archive.add(&format!("{LOGS}{run}/{name}"), file))?;
    let manifest = Manifest {
        backup: KIND.to_owned(),
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: asker.now,
        user: asker.user.user.clone(),
        host: asker.user.host.clone(),
        state: state.to_owned(),
        runs: runs.len() as u64,
        unfinished,
        files: std::mem::take(&mut archive.files),
    };
    let text = serde_json::to_vec(&manifest).map_err(|why| BackupError::Write(why.into()))?;
    archive.append(MANIFEST, text.len() as u64, text.as_slice())?;
    archive.tar.finish().map_err(BackupError::Write)?;
    Ok(Backup { manifest, digest: Digest::of_bytes(&text) })
}

struct Archive<'o> {
    tar: Builder<&'o mut dyn Write>,
    files: Vec<Filed>,
    /// The time that every file in it has.
    at: u64,
}

impl Archive<'_> {
    /// Adds as much of a file as there is now: it may grow meanwhile.
    fn add(&mut self, name: &str, mut file: File) -> Result<(), BackupError> {
        file.rewind().map_err(BackupError::Write)?;
        let bytes = file.metadata().map_err(BackupError::Write)?.len();
        let mut hashing = Hashing { from: file.take(bytes), digest: sha2::Sha256::new() };
        self.append(name, bytes, &mut hashing)?;
        let digest = Digest::from_sha256(hashing.digest.finalize().into());
        self.files.push(Filed { name: name.to_owned(), bytes, digest });
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: u64, from: impl Read) -> Result<(), BackupError> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(self.at);
        let mut from = Counted { from, left: bytes };
        self.tar.append_data(&mut header, name, &mut from).map_err(BackupError::Write)?;
        match from.left {
            0 => Ok(()),
            left => Err(BackupError::Write(Error::other(format!("{name} became {left} bytes shorter meanwhile")))),
        }
    }
}

struct Hashing<R> {
    from: R,
    digest: sha2::Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = self.from.read(buffer)?;
        self.digest.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// Knows how many bytes of those that were announced have not come.
struct Counted<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = self.from.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}
