//! The state folder: made for its owner alone, and refused where anybody else could have put something into it. It is opened
//! once, and what was checked is what is used: a folder that is put in its place later is found out.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

use crate::journal::JournalError;
use crate::people;

/// The folder in a state folder in which what is restored is made ready. While it is there, nobody opens the state folder.
pub const RESTORING: &str = "restoring";

/// A state folder that is ours alone.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    handle: OwnedFd,
    /// The name of the database in it.
    file: &'static str,
}

impl Folder {
    /// Makes the folder if it is absent, and checks that it is ours. It is known by its real path: SQLite refuses to open a
    /// file through a link, and a home that is reached through one is no fault.
    pub(super) fn prepare(path: &Path, file: &'static str) -> Result<Folder, JournalError> {
        if !path.exists() {
            make(path).map_err(|e| from_io(path, &e))?;
        }
        let path = path.canonicalize().map_err(|e| from_io(path, &e))?;
        let open = || {
            let handle = openat(CWD, &path, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            let found = fstat(&handle)?;
            Ok((handle, found))
        };
        let (handle, found) = open().map_err(|e: Errno| from_io(&path, &e.into()))?;
        let refuse = |why: String, next: String| Err(JournalError::Folder { path: path.clone(), why, next });
        let user = rustix::process::geteuid().as_raw();
        if found.st_uid != user {
            let named = |uid: u32| people::user_name(uid).map_or_else(|_| format!("user {uid}"), |name| format!("`{name}`"));
            let (owner, you) = (named(found.st_uid), named(user));
            return refuse(
                format!("it belongs to {owner}, you are {you}, and the runs in it are its owner's alone"),
                format!(
                    "decide in them at the terminal of {owner} with `runbook approve RUN --as YOU --sign`, where your SSH key \
                     says who you are, and keep your own runs in a folder of yours (`--state DIR`)"
                ),
            );
        }
        if found.st_mode & 0o022 != 0 {
            return refuse(
                format!("others may write to it (mode {:04o})", found.st_mode & 0o7777),
                format!("run `chmod 700 {}`", path.display()),
            );
        }
        let folder = Folder { path, handle, file };
        folder.is_not_restored()?;
        Ok(folder)
    }

    fn is_not_restored(&self) -> Result<(), JournalError> {
        match statat(&self.handle, RESTORING, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(()),
            _ => Err(JournalError::Folder {
                path: self.path.clone(),
                why: format!("a restore into it is under way, or was cut off (`{RESTORING}` in it)"),
                next: format!("where nothing restores any more, empty it with `rm -r {}/*` and restore again", self.path.display()),
            }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(self.file)
    }

    /// Makes the database file, readable by its owner alone, also where a copy brought it back readable by all. SQLite gives
    /// its other files the same mode. It is opened only where it must be: to close it gives up every lock that this process
    /// holds on it.
    pub(super) fn prepare_database(&self) -> Result<(), JournalError> {
        let path = self.database();
        let private = || match self.found() {
            Err(Errno::NOENT) => match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
                made => made.map(drop),
            },
            Err(error) => Err(error.into()),
            Ok(found) if found.st_mode & 0o077 == 0 => Ok(()),
            Ok(_) => {
                let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                File::from(openat(&self.handle, self.file, flags, Mode::empty())?).set_permissions(Permissions::from_mode(0o600))
            }
        };
        private().map_err(|e| from_io(&path, &e))
    }

    /// What the folder holds under the name of the database.
    fn found(&self) -> Result<Stat, Errno> {
        statat(&self.handle, self.file, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Checks that the path of the database, which SQLite has just opened, is still that of the database in this folder, and that no restore
    /// has begun meanwhile: whoever restores looks for what is in the folder after that.
    pub(super) fn confirm(&self) -> Result<(), JournalError> {
        self.is_not_restored()?;
        let path = self.database();
        let found = || Ok((self.found()?, statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW)?));
        let (ours, named) = found().map_err(|e: Errno| from_io(&path, &e.into()))?;
        let is_file = FileType::from_raw_mode(ours.st_mode).is_file();
        if is_file && (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino) {
            return Ok(());
        }
        Err(JournalError::Folder {
            path: self.path.clone(),
            why: "something else was put in its place while it was in use".to_owned(),
            next: "look who may write to the folder above it, and start the command again".to_owned(),
        })
    }
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

fn from_io(path: &Path, error: &Error) -> JournalError {
    let path = PathBuf::from(path);
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => JournalError::Full { path },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => JournalError::ReadOnly { path },
        _ => JournalError::Folder { path, why: error.to_string(), next: "choose another with `--state DIR`".to_owned() },
    }
}
