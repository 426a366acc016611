//! Files that somebody drops into a folder, as events.
//!
//! A file that has not changed for a while is moved into `.taken` beneath its folder, in one step; read there, written down, and removed only
//! then. Whatever stops the process leaves the file in one of the two places, and it is called by its name, its inode, its time and what it
//! holds: so no file is lost, and none counts twice. Nothing is followed and nothing but a file is read: links, pipes and what is no event
//! are put into `.refused`, with the reason in the log. Names that begin with a dot are nobody's business: whoever writes one and then renames it is never
//! met in the middle.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::event_source::{EventSource, Folder, Format, SourceKind};
use runbook_core::value::Value;
use runbook_core::{CloudEvent, limits};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, Stat, StatxFlags, fstat, openat, renameat_with, statat, statx, unlinkat,
};
use rustix::io::Errno;
use rustix::path::Arg;

use crate::beneath::read_bounded;
use crate::clock::Clock;
use crate::event::{Request, read_given};
use crate::intake::{Intake, Parcel, Taken};
use crate::journal::JournalError;

/// Where files are while they are written down, and where those go that are no events.
const TAKEN: &str = ".taken";
const REFUSED: &str = ".refused";

pub struct Folders {
    intake: Arc<Intake>,
    clock: Arc<dyn Clock>,
    watched: Vec<Watched>,
}

struct Watched {
    source: String,
    folder: Box<Folder>,
    path: PathBuf,
    /// Files that are not taken yet, as they were seen, and since when by what has passed.
    seen: BTreeMap<String, (Stamp, Duration)>,
}

/// What tells a file from another one, and from itself before it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: i64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(found: &Stat) -> Stamp {
        Stamp { inode: found.st_ino, bytes: found.st_size, modified: (found.st_mtime, found.st_mtime_nsec as i64) }
    }
}

/// What became of files in one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// So many events of it are new, and so many were known.
    Taken { source: String, file: String, new: u64, again: u64 },
    /// It lies in `.refused`.
    Refused { source: String, file: String, why: String },
    /// Nothing can be taken from there.
    Closed { source: String, why: String },
}

impl Folders {
    /// For the folders among these sources; relative paths start at the catalogue's root.
    pub fn of<'a>(
        sources: impl IntoIterator<Item = (&'a String, &'a EventSource)>,
        root: &Path,
        intake: Arc<Intake>,
        clock: Arc<dyn Clock>,
    ) -> Folders {
        let watched = sources.into_iter().filter_map(|(source, declared)| {
            let SourceKind::Folder(folder) = &declared.kind else { return None };
            let path = root.join(&folder.path);
            Some(Watched { source: source.clone(), folder: folder.clone(), path, seen: BTreeMap::new() })
        });
        Folders { watched: watched.collect(), intake, clock }
    }

    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    /// Takes what lies there and has not changed for its time. Blocks on the disk.
    pub fn look(&mut self) -> Result<Vec<Dropped>, JournalError> {
        let mut all = Vec::new();
        for watched in &mut self.watched {
            match watched.look(&self.intake, &*self.clock, &mut all) {
                Ok(()) => {}
                Err(Trouble::Store(error)) => return Err(error),
                Err(Trouble::Folder(why)) => all.push(Dropped::Closed { source: watched.source.clone(), why }),
            }
        }
        Ok(all)
    }
}

enum Trouble {
    Store(JournalError),
    Folder(String),
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Trouble {
        Trouble::Store(error)
    }
}

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Watched {
    fn look(&mut self, intake: &Intake, clock: &dyn Clock, all: &mut Vec<Dropped>) -> Result<(), Trouble> {
        let shown = self.path.display().to_string();
        let failed = |error: Errno| Trouble::Folder(format!("{shown}: {error}"));
        let folder = rustix::fs::open(&self.path, OPEN, Mode::empty()).map_err(failed)?;
        let about = fstat(&folder).map_err(failed)?;
        if about.st_mode & 0o002 != 0 {
            let why = format!("everybody on this machine may write to {shown}; run `chmod o-w {shown}`");
            return Err(Trouble::Folder(why));
        }
        let taken = beneath(&folder, TAKEN).map_err(failed)?;
        // What an earlier process did not come to the end of comes first: a name is free again then.
        let now = clock.now();
        let suffix = self.folder.suffix.clone();
        let is_meant = |name: &[u8]| !name.starts_with(b".") && name.ends_with(suffix.as_bytes());
        // Another source may take other names from there.
        for name in names(&taken, is_meant).map_err(failed)?.0 {
            self.take(&folder, &taken, &name, intake, now, all)?;
        }
        let (meant, nameless) = names(&folder, is_meant).map_err(failed)?;
        for name in nameless {
            let shown = name.to_string_lossy().escape_debug().to_string();
            self.refuse(&folder, &folder, name.as_c_str(), &shown, "its name is no text (UTF-8)".to_owned(), all)
                .map_err(failed)?;
        }
        let mut still = BTreeMap::new();
        for name in meant {
            let Ok(found) = statat(&folder, &*name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Directory => continue,
                // A name more is one that its writer is about to take away.
                FileType::RegularFile if found.st_nlink > 1 => continue,
                FileType::RegularFile => {}
                _ => {
                    let why = "it is a link, a pipe or a device, and no file".to_owned();
                    self.refuse(&folder, &folder, &*name, &name, why, all).map_err(failed)?;
                    continue;
                }
            }
            let (stamp, passed) = (Stamp::of(&found), clock.passed());
            let since = match self.seen.get(&name) {
                Some((seen, since)) if *seen == stamp => *since,
                _ => passed,
            };
            if passed.saturating_sub(since) < self.folder.settled {
                still.insert(name, (stamp, since));
                continue;
            }
            match renameat_with(&folder, &*name, &taken, &*name, RenameFlags::NOREPLACE) {
                Ok(()) => self.take(&folder, &taken, &name, intake, now, all)?,
                // Somebody was faster; or another one of its name could not be written down yet.
                Err(Errno::NOENT | Errno::EXIST) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        self.seen = still;
        Ok(())
    }

    /// Writes a file that was taken down, then removes it.
    fn take(
        &self,
        folder: &OwnedFd,
        taken: &OwnedFd,
        name: &str,
        intake: &Intake,
        received: Timestamp,
        all: &mut Vec<Dropped>,
    ) -> Result<(), Trouble> {
        let failed = |error: Errno| Trouble::Folder(format!("{}: {error}", self.path.display()));
        let events = match self.read(taken, name) {
            Ok(events) => events,
            Err(Unread::Gone) => return Ok(()),
            Err(Unread::Refused(why)) => return self.refuse(folder, taken, name, name, why, all).map_err(failed),
            Err(Unread::Disk(error)) => return Err(failed(error)),
        };
        let parcel = Parcel { source: self.source.clone(), events, received, replay: None };
        let accepted = match intake.take(parcel).wait()? {
            Taken::Events(accepted) => accepted,
            Taken::Before(_) => Vec::new(),
        };
        match unlinkat(taken, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(failed(error)),
        }
        let new = accepted.iter().filter(|accepted| matches!(accepted, crate::intake::Accepted::New(_))).count() as u64;
        let again = accepted.len() as u64 - new;
        all.push(Dropped::Taken { source: self.source.clone(), file: name.to_owned(), new, again });
        Ok(())
    }

    fn read(&self, taken: &OwnedFd, name: &str) -> Result<Vec<CloudEvent>, Unread> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat(taken, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Err(Unread::Gone),
            Err(Errno::LOOP | Errno::NXIO) => return Err(Unread::Refused("it is no file".to_owned())),
            Err(Errno::ACCESS | Errno::PERM) => return Err(Unread::Refused("it may not be read".to_owned())),
            Err(error) => return Err(Unread::Disk(error)),
        };
        let found = fstat(&file).map_err(Unread::Disk)?;
        if !FileType::from_raw_mode(found.st_mode).is_file() {
            return Err(Unread::Refused("it is no file".to_owned()));
        }
        let stamp = Stamp::of(&found);
        // A number that was another file's before says nothing: where the disk knows it, so does the moment at which this one was made.
        let born = statx(&file, "", AtFlags::EMPTY_PATH, StatxFlags::BTIME).ok();
        let born = born.filter(|found| found.stx_mask & StatxFlags::BTIME.bits() != 0);
        let born = born.map(|found| (found.stx_btime.tv_sec, found.stx_btime.tv_nsec));
        let mut body = Vec::new();
        match read_bounded(file, limits::DELIVERY_BYTES, &mut body) {
            Ok(Some(())) => {}
            Ok(None) => return Err(Unread::Refused(format!("it has more than {} MiB", limits::DELIVERY_BYTES / 1024 / 1024))),
            Err(why) => return Err(Unread::Refused(format!("it cannot be read: {why}"))),
        }
        let (seconds, nanoseconds) = stamp.modified;
        let modified = i32::try_from(nanoseconds).ok().and_then(|nanoseconds| Timestamp::new(seconds, nanoseconds).ok());
        // The time of the file stands for that of its coming: the same once more after a restart.
        let received_at = modified.unwrap_or(Timestamp::UNIX_EPOCH);
        let request = Request { method: "POST", headers: &[("file-name", name.as_bytes())], body: &body, query: None, received_at };
        let format = Format::Generic(Box::new(self.folder.reading.clone()));
        let mut events = read_given(&self.source, &format, &request).map_err(|refusal| Unread::Refused(refusal.message))?;
        for (place, event) in events.iter_mut().enumerate() {
            if self.folder.reading.id.is_none() {
                let file = format!("{name}\n{}\n{born:?}\n{}\n{place}", stamp.inode, event.id);
                event.id = runbook_core::Digest::of_bytes(file.as_bytes()).to_string();
            }
            if self.folder.reading.key.is_none() {
                event.key = crate::event::bounded(name.to_owned());
            }
            event.extensions.insert("filename".to_owned(), Value::text(name));
        }
        Ok(events)
    }

    /// Puts a file where nobody looks for events, beside any other of its name.
    fn refuse(
        &self,
        folder: &OwnedFd,
        from: &OwnedFd,
        name: impl Arg + Copy,
        shown: &str,
        why: String,
        all: &mut Vec<Dropped>,
    ) -> Result<(), Errno> {
        let refused = beneath(folder, REFUSED)?;
        let numbered = (1..limits::REFUSED_NAMES).map(|number| format!("{shown}.{number}"));
        // Where its name has no room for a number, or has been used up, one of the same length for all.
        let digest = runbook_core::Digest::of_bytes(shown.as_bytes());
        let other = (0..limits::REFUSED_NAMES).map(|number| format!("{}.{number}", digest.short()));
        for to in std::iter::once(shown.to_owned()).chain(numbered).chain(other) {
            match renameat_with(from, name, &refused, &*to, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST | Errno::NAMETOOLONG) => continue,
                Err(Errno::NOENT) => return Ok(()),
                Err(error) => return Err(error),
                Ok(()) => {
                    all.push(Dropped::Refused { source: self.source.clone(), file: shown.to_owned(), why });
                    return Ok(());
                }
            }
        }
        Err(Errno::EXIST)
    }
}

enum Unread {
    /// Another process was faster.
    Gone,
    Refused(String),
    Disk(Errno),
}

/// Opens a folder of ours in one, and makes it where it is not there. What somebody laid in its place is not followed.
fn beneath(folder: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    match rustix::fs::mkdirat(folder, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => openat(folder, name, OPEN | OFlags::NOFOLLOW, Mode::empty()),
        Err(error) => Err(error),
    }
}

/// Names in a folder that are meant, at most so many, in their order; and those that are no text.
fn names(folder: &OwnedFd, is_meant: impl Fn(&[u8]) -> bool) -> Result<(Vec<String>, Vec<CString>), Errno> {
    let (mut meant, mut nameless) = (Vec::new(), Vec::new());
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") || !is_meant(name.to_bytes()) {
            continue;
        }
        match name.to_str() {
            Ok(name) => meant.push(name.to_owned()),
            Err(_) => nameless.push(name.to_owned()),
        }
        if meant.len() + nameless.len() >= limits::FOLDER_FILES {
            break;
        }
    }
    meant.sort();
    Ok((meant, nameless))
}

#[cfg(test)]
mod tests;
