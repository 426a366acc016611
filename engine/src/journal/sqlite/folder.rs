//! The state folder: made for its owner alone, and refused where anybody else could have put something into it.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::journal::JournalError;
use crate::people;

/// Makes the folder if it is absent, and checks that it is ours. Gives its real path: SQLite refuses to open a file
/// through a link, and a home that is reached through one is no fault.
pub(super) fn prepare(path: &Path) -> Result<PathBuf, JournalError> {
    if !path.exists() {
        make(path).map_err(|e| from_io(path, &e))?;
    }
    let path = path.canonicalize().map_err(|e| from_io(path, &e))?;
    let metadata = std::fs::metadata(&path).map_err(|e| from_io(&path, &e))?;
    let refuse = |why: String, next: String| Err(JournalError::Folder { path: path.clone(), why, next });
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        let named = |uid: u32| people::user_name(uid).map_or_else(|_| format!("user {uid}"), |name| format!("`{name}`"));
        let (owner, you) = (named(metadata.uid()), named(user));
        return refuse(
            format!("it belongs to {owner}, you are {you}, and the runs in it are its owner's alone"),
            format!(
                "decide in them at the terminal of {owner} with `runbook approve RUN --as YOU --sign`, where your SSH key says who \
                 you are, and keep your own runs in a folder of yours (`--state DIR`)"
            ),
        );
    }
    if metadata.mode() & 0o022 != 0 {
        return refuse(
            format!("others may write to it (mode {:04o})", metadata.mode() & 0o7777),
            format!("run `chmod 700 {}`", path.display()),
        );
    }
    Ok(path)
}

/// Makes the folder and those above it that are absent, each of them on the disk before the next.
fn make(path: &Path) -> Result<(), Error> {
    let missing: Vec<&Path> = path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).collect();
    for folder in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            made => made?,
        }
        let above = folder.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

/// Makes the database file, readable by its owner alone, also where a copy brought it back readable by all. SQLite gives
/// its other files the same mode.
pub(super) fn prepare_file(path: &Path) -> Result<(), JournalError> {
    let private = || {
        let nofollow = OFlags::NOFOLLOW.bits() as i32;
        let create = |new| OpenOptions::new().write(true).create_new(new).mode(0o600).custom_flags(nofollow).open(path);
        match create(true) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            made => return made.map(drop),
        }
        let file = create(false)?;
        if file.metadata()?.mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        Ok(())
    };
    private().map_err(|e| from_io(path, &e))
}

fn from_io(path: &Path, error: &Error) -> JournalError {
    let path = PathBuf::from(path);
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => JournalError::Full { path },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => JournalError::ReadOnly { path },
        _ => JournalError::Folder { path, why: error.to_string(), next: "choose another with `--state DIR`".to_owned() },
    }
}
