//! Files that somebody drops into a folder, as events.
//!
//! A file that has not changed for a while is moved into `.taken` beneath its folder, in one step; read there, written down, and removed only
//! then. Whatever stops the process leaves the file in one of the two places, and it is called by its name, its inode, its time and what it
//! holds: so no file is lost, and none counts twice. Nothing is followed and nothing but a file is read: links, pipes and what is no event
//! are put into `.refused`, with the reason in the log. Names that begin with a dot are nobody's business: whoever writes one and then renames it is never
//! met in the middle.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
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
use crate::journal::{JournalError, Receipt};

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
    /// Files that could not be taken or put aside: why, and when that was tried.
    left: BTreeMap<CString, (String, Duration)>,
}

/// What one look found in a folder of ours or of others.
struct Found {
    meant: Vec<String>,
    /// Names that are no text.
    nameless: Vec<CString>,
}

/// A file of which is asked that it be written down.
struct Begun {
    name: String,
    taken: Receipt<Taken>,
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
    /// It stays where it is, as `others` do, and keeps no other file from being taken: the system refuses to move, read or remove it.
    Left { source: String, file: String, why: String, others: usize },
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
            Some(Watched { source: source.clone(), folder: folder.clone(), path, seen: BTreeMap::new(), left: BTreeMap::new() })
        });
        Folders { watched: watched.collect(), intake, clock }
    }

    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    /// Takes what lies there and has not changed for its time, at most [`limits::FOLDER_TAKEN`] files of each folder. Blocks on the disk.
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
        let (now, passed) = (clock.now(), clock.passed());
        // What could not be done is tried again now and then, and counts for nothing until then.
        let mut left = std::mem::take(&mut self.left);
        left.retain(|_, (_, tried)| passed.saturating_sub(*tried) < limits::FOLDER_RETRY);
        self.left = left;
        let mut begun = Vec::new();
        // What an earlier process did not come to the end of comes first: a name is free again then.
        for name in self.names(&taken, |_| false).map_err(failed)?.meant {
            self.begin(&folder, &taken, name, intake, (now, passed), (&mut begun, all));
        }
        let Found { meant, nameless } = self.names(&folder, |name| stays(&folder, name)).map_err(failed)?;
        for name in nameless {
            let shown = name.to_string_lossy().escape_debug().to_string();
            let why = "its name is no text (UTF-8)".to_owned();
            if let Err(error) = self.refuse(&folder, &folder, name.as_c_str(), &shown, why, all) {
                self.leave(name.as_bytes(), error, passed);
            }
        }
        let mut still = BTreeMap::new();
        for name in meant {
            let Ok(found) = statat(&folder, &*name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            match FileType::from_raw_mode(found.st_mode) {
                FileType::RegularFile => {}
                FileType::Directory => continue,
                _ => {
                    let why = "it is a link, a pipe or a device, and no file".to_owned();
                    if let Err(error) = self.refuse(&folder, &folder, &*name, &name, why, all) {
                        self.leave(name.as_bytes(), error, passed);
                    }
                    continue;
                }
            }
            let stamp = Stamp::of(&found);
            let since = match self.seen.get(&name) {
                Some((seen, since)) if *seen == stamp => *since,
                _ => passed,
            };
            if passed.saturating_sub(since) < self.folder.settled || begun.len() >= limits::FOLDER_TAKEN {
                still.insert(name, (stamp, since));
                continue;
            }
            match renameat_with(&folder, &*name, &taken, &*name, RenameFlags::NOREPLACE) {
                Ok(()) => self.begin(&folder, &taken, name, intake, (now, passed), (&mut begun, all)),
                // Somebody was faster; or another one of its name could not be written down yet.
                Err(Errno::NOENT | Errno::EXIST) => {}
                Err(error) => self.leave(name.as_bytes(), error, passed),
            }
        }
        self.seen = still;
        // All that was asked for is one commit.
        for begun in begun {
            self.end(&taken, begun, passed, all)?;
        }
        if let Some((file, (why, _))) = self.left.first_key_value() {
            let (source, file) = (self.source.clone(), file.to_string_lossy().escape_debug().to_string());
            all.push(Dropped::Left { source, file, why: why.clone(), others: self.left.len() - 1 });
        }
        Ok(())
    }

    /// Remembers that nothing could be done about one file.
    fn leave(&mut self, name: impl AsRef<[u8]>, error: Errno, passed: Duration) {
        if let Ok(name) = CString::new(name.as_ref()) {
            self.left.insert(name, (error.to_string(), passed));
        }
    }

    /// Files in a folder that are meant and may be taken, at most so many, in their order; and what nobody may have laid there.
    fn names(&self, folder: &OwnedFd, stays: impl Fn(&CStr) -> bool) -> Result<Found, Errno> {
        let mut found = Found { meant: Vec::new(), nameless: Vec::new() };
        for entry in rustix::fs::Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let bytes = name.to_bytes();
            // Another source may take names that do not end so.
            let is_meant = !bytes.starts_with(b".") && bytes.ends_with(self.folder.suffix.as_bytes());
            if !is_meant || self.left.contains_key(name) || stays(name) {
                continue;
            }
            match name.to_str() {
                Ok(name) => found.meant.push(name.to_owned()),
                Err(_) => found.nameless.push(name.to_owned()),
            }
            if found.meant.len() + found.nameless.len() >= limits::FOLDER_FILES {
                break;
            }
        }
        found.meant.sort();
        Ok(found)
    }

    /// Has a file that was moved away written down.
    fn begin(
        &mut self,
        folder: &OwnedFd,
        taken: &OwnedFd,
        name: String,
        intake: &Intake,
        (received, passed): (Timestamp, Duration),
        (begun, all): (&mut Vec<Begun>, &mut Vec<Dropped>),
    ) {
        let refused = match self.read(taken, &name) {
            Ok(events) => {
                let parcel = Parcel { source: self.source.clone(), events, received, replay: None };
                begun.push(Begun { taken: intake.take(parcel), name });
                return;
            }
            Err(Unread::Gone) => return,
            Err(Unread::Refused(why)) => self.refuse(folder, taken, &*name, &name, why, all),
            Err(Unread::Disk(error)) => Err(error),
        };
        if let Err(error) = refused {
            self.leave(name.as_bytes(), error, passed);
        }
    }

    /// Removes a file once it is written down.
    fn end(&mut self, taken: &OwnedFd, begun: Begun, passed: Duration, all: &mut Vec<Dropped>) -> Result<(), JournalError> {
        let Begun { name, taken: written } = begun;
        let accepted = match written.wait()? {
            Taken::Events(accepted) => accepted,
            Taken::Before(_) => Vec::new(),
        };
        let new = accepted.iter().filter(|accepted| matches!(accepted, crate::intake::Accepted::New(_))).count() as u64;
        let again = accepted.len() as u64 - new;
        match unlinkat(taken, &*name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => self.leave(name.as_bytes(), error, passed),
        }
        all.push(Dropped::Taken { source: self.source.clone(), file: name, new, again });
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

/// Folders are nobody's event, and a name more is one that its writer is about to take away.
fn stays(folder: &OwnedFd, name: &CStr) -> bool {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => true,
            FileType::RegularFile => found.st_nlink > 1,
            _ => false,
        },
        // It has gone.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests;
