//! The state folder: made for its owner alone, and refused where anybody else could have put something into it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::journal::JournalError;

/// Makes the folder if it is absent, and checks that it is ours.
pub(super) fn prepare(path: &Path) -> Result<(), JournalError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| from_io(path, &e))?;
    let metadata = std::fs::metadata(path).map_err(|e| from_io(path, &e))?;
    let refuse = |why: String, next: String| Err(JournalError::Folder { path: path.to_owned(), why, next });
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        return refuse(
            format!("it belongs to user {} and this process is user {user}", metadata.uid()),
            "choose your own with `--state DIR`".to_owned(),
        );
    }
    if metadata.mode() & 0o022 != 0 {
        return refuse(
            format!("others may write to it (mode {:04o})", metadata.mode() & 0o7777),
            format!("run `chmod 700 {}`", path.display()),
        );
    }
    Ok(())
}

/// Makes the database file, readable by its owner alone. SQLite gives its other files the same mode.
pub(super) fn prepare_file(path: &Path) -> Result<(), JournalError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(from_io(path, &e)),
    }
}

fn from_io(path: &Path, error: &Error) -> JournalError {
    let path = PathBuf::from(path);
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => JournalError::Full { path },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => JournalError::ReadOnly { path },
        _ => JournalError::Folder { path, why: error.to_string(), next: "choose another with `--state DIR`".to_owned() },
    }
}
