//! Output of attempts: one append-only file each, beside the journal. Every byte up to the cap is kept as it came, what is more
//! is counted, and a reader sees any range at any time, also while the file grows.
//!
//! A log that its attempt's result does not hold as a whole is on the disk before the result is recorded, and so is its name.
//!
//! A file's name is made from the step's path by an encoding that cannot collide and cannot leave its folder. Folders are opened
//! one by one, never through a symbolic link, and files are made anew: nobody can lay something in the way.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook_core::{Digest, Map, RunId, StepPath, Value, limits};
use rustix::fs::{Advice, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// Why a log cannot be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    #[error("there is no log of attempt {attempt} of `{path}` in run {run}")]
    Absent { run: RunId, path: StepPath, attempt: u32 },
    #[error("{}: {error}; look at the state folder", place.display())]
    Io { place: PathBuf, error: String },
}

/// The logs of one state folder.
#[derive(Clone, Debug)]
pub struct Logs {
    root: Arc<File>,
    place: PathBuf,
}

/// What a log came to. It is part of the attempt's result, under the key `log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSeal {
    /// Bytes kept.
    pub bytes: u64,
    /// Bytes beyond the cap, or after the log could not be written any more.
    pub dropped: u64,
    /// Of the bytes kept.
    pub digest: Digest,
    /// Why writing stopped before the cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl LogSeal {
    /// Whether the log was on the disk before its seal was recorded.
    pub fn was_synced(&self) -> bool {
        is_long(self.bytes)
    }

    /// As it stands in a result.
    pub fn to_value(&self) -> Value {
        let whole = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let mut map = Map::from([
            ("bytes".to_owned(), whole(self.bytes)),
            ("dropped".to_owned(), whole(self.dropped)),
            ("digest".to_owned(), Value::text(self.digest.as_str())),
        ]);
        if let Some(failed) = &self.failed {
            map.insert("failed".to_owned(), Value::text(failed));
        }
        Value::Map(map)
    }

    /// From the result of an attempt; absent where it had no log.
    pub fn of_result(result: &Value) -> Option<LogSeal> {
        let log = result.get("log")?;
        let count = |key| match log.get(key) {
            Some(Value::Int(n)) => u64::try_from(*n).ok(),
            _ => None,
        };
        let text = |key| match log.get(key) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        Some(LogSeal {
            bytes: count("bytes")?,
            dropped: count("dropped")?,
            digest: text("digest")?.parse().ok()?,
            failed: text("failed"),
        })
    }
}

impl Logs {
    /// The folder `logs` in a state folder, which must exist; it is made where it is absent.
    pub fn open(state: &Path) -> Result<Logs, LogError> {
        let failed = |error: Errno| failed(state, error);
        Logs::open_in(rustix::fs::open(state, FOLDER, Mode::empty()).map_err(failed)?, state)
    }

    /// The same in a state folder that is open already, wherever its path leads by now; messages call it by its path.
    pub fn open_in(state: impl AsFd, path: &Path) -> Result<Logs, LogError> {
        let place = path.join("logs");
        let open = || -> std::io::Result<File> {
            let state = File::from(rustix::fs::openat(state, ".", FOLDER, Mode::empty())?);
            if make_folder(&state, "logs")? {
                state.sync_all()?;
            }
            Ok(open_folder(&state, "logs")?)
        };
        let root = open().map_err(|e| LogError::Io { place: place.clone(), error: e.to_string() })?;
        Ok(Logs { root: Arc::new(root), place })
    }

    /// Takes the output of an attempt. The file is made with the first byte: most steps say nothing.
    pub fn writer(&self, run: &RunId, path: &StepPath, attempt: u32) -> LogWriter {
        let file = NewFile { root: self.root.clone(), run: run.clone(), name: file_name(path, attempt), made: None };
        LogWriter::new(Box::new(file), limits::LOG_BYTES)
    }

    /// Every log of the runs that `is_meant` takes: the run, the name of the file, and the file. What is no log is passed over.
    pub fn each<E: From<LogError>>(
        &self,
        is_meant: impl Fn(&RunId) -> bool,
        mut visit: impl FnMut(&RunId, &str, File) -> Result<(), E>,
    ) -> Result<(), E> {
        let of_root = |error| E::from(failed(&self.place, error));
        for run in names(&self.root).map_err(of_root)? {
            let Some(run) = run.parse::<RunId>().ok().filter(|run| is_meant(run)) else { continue };
            self.each_of(&run, |name, file| visit(&run, name, file))?;
        }
        Ok(())
    }

    fn each_of<E: From<LogError>>(&self, run: &RunId, mut visit: impl FnMut(&str, File) -> Result<(), E>) -> Result<(), E> {
        let place = self.place.join(run.as_str());
        let failed = |error| E::from(failed(&place, error));
        let folder = match open_folder(&self.root, run.as_str()) {
            Err(Errno::NOTDIR | Errno::LOOP | Errno::NOENT) => return Ok(()),
            opened => opened.map_err(failed)?,
        };
        for name in names(&folder).map_err(failed)? {
            let file = match rustix::fs::openat(&folder, &*name, READ, Mode::empty()) {
                Err(Errno::LOOP | Errno::NOENT) => continue,
                opened => File::from(opened.map_err(failed)?),
            };
            let is_file = FileType::from_raw_mode(rustix::fs::fstat(&file).map_err(failed)?.st_mode).is_file();
            if is_file && is_file_name(&name) {
                visit(&name, file)?;
            }
        }
        Ok(())
    }

    /// Bytes of all logs of a run; `None` where it has none.
    pub fn size(&self, run: &RunId) -> Result<Option<u64>, LogError> {
        let mut size = None;
        self.each_of(run, |_, file| {
            let bytes = file.metadata().map(|about| about.len()).unwrap_or_default();
            *size.get_or_insert(0) += bytes;
            Ok::<(), LogError>(())
        })?;
        Ok(size)
    }

    /// The files of the logs of a run.
    pub fn names(&self, run: &RunId) -> Result<Vec<String>, LogError> {
        let mut names = Vec::new();
        self.each_of(run, |name, _| {
            names.push(name.to_owned());
            Ok::<(), LogError>(())
        })?;
        Ok(names)
    }

    /// Removes these logs of a run, and returns once they are gone from the disk.
    pub fn remove(&self, run: &RunId, logs: &[String]) -> Result<(), LogError> {
        let place = self.place.join(run.as_str());
        let remove = || {
            let folder = open_folder(&self.root, run.as_str())?;
            for name in logs {
                rustix::fs::unlinkat(&folder, name.as_str(), AtFlags::empty())?;
            }
            match rustix::fs::unlinkat(&self.root, run.as_str(), AtFlags::REMOVEDIR) {
                // Something that is none of ours stays where it is.
                Err(Errno::NOTEMPTY) | Ok(()) => rustix::fs::fsync(&self.root),
                Err(error) => Err(error),
            }
        };
        remove().map_err(|error| failed(&place, error))
    }

    /// Removes the logs of a run that are of none of these attempts.
    pub fn keep<'a>(&self, run: &RunId, attempts: impl Iterator<Item = (&'a StepPath, u32)>) -> Result<(), LogError> {
        let place = self.place.join(run.as_str());
        let known: BTreeSet<String> = attempts.map(|(path, attempt)| file_name(path, attempt)).collect();
        let keep = || {
            let folder = match open_folder(&self.root, run.as_str()) {
                Err(Errno::NOENT) => return Ok(()),
                opened => opened?,
            };
            for name in names(&folder)?.iter().filter(|name| is_file_name(name) && !known.contains(*name)) {
                rustix::fs::unlinkat(&folder, &**name, AtFlags::empty())?;
            }
            Ok(())
        };
        keep().map_err(|error| failed(&place, error))
    }

    /// Makes a log anew out of what it was, for a run of a copy.
    pub fn put(&self, run: &RunId, name: &str) -> Result<File, LogError> {
        let place = self.place.join(run.as_str()).join(name);
        if !is_file_name(name) {
            return Err(LogError::Io { place, error: "it is not the name of a log".to_owned() });
        }
        let make = || {
            make_folder(&self.root, run.as_str())?;
            let folder = open_folder(&self.root, run.as_str())?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&folder, name, flags, Mode::RUSR | Mode::WUSR)
        };
        make().map(File::from).map_err(|error| failed(&place, error))
    }

    pub fn reader(&self, run: &RunId, path: &StepPath, attempt: u32) -> Result<LogReader, LogError> {
        let name = file_name(path, attempt);
        let place = self.place.join(run.as_str()).join(&name);
        let open = || {
            let folder = open_folder(&self.root, run.as_str())?;
            let file = rustix::fs::openat(&folder, &*name, READ, Mode::empty())?;
            // A pipe in its place would block whoever reads, and a device may say anything.
            let is_file = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode).is_file();
            if is_file { Ok(file) } else { Err(Errno::INVAL) }
        };
        match open() {
            Ok(file) => Ok(LogReader { file: File::from(file), place }),
            Err(Errno::NOENT) => Err(LogError::Absent { run: run.clone(), path: path.clone(), attempt }),
            Err(error) => Err(failed(&place, error)),
        }
    }
}

/// Names in a folder, in their order.
fn names(folder: &File) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().to_str()
            && name != "."
            && name != ".."
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a file could be a log of ours, and its name names nothing else.
fn is_file_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    name.ends_with(".log") && name.len() <= 255 && name.contains('@') && name.bytes().all(plain)
}

const READ: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Makes a folder inside another one; false where there is something of that name already.
fn make_folder(parent: &File, name: &str) -> Result<bool, Errno> {
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a folder inside another one, never through a link.
fn open_folder(parent: &File, name: &str) -> Result<File, Errno> {
    rustix::fs::openat(parent, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).map(File::from)
}

fn failed(place: &Path, error: Errno) -> LogError {
    LogError::Io { place: place.to_owned(), error: std::io::Error::from(error).to_string() }
}

/// The longest name that is spelled out; file systems allow 255 bytes.
const SPELLED_BYTES: usize = 180;

/// `/` becomes `+` and the attempt follows a `@`: neither is part of a path. A long path ends in `=` and its digest.
fn file_name(path: &StepPath, attempt: u32) -> String {
    let mut name = path.as_str().replace('/', "+");
    if name.len() > SPELLED_BYTES {
        let digest = Digest::of_bytes(path.as_str().as_bytes());
        // A path is ASCII, so any byte is a place to cut.
        name.truncate(SPELLED_BYTES / 2);
        name.push('=');
        name.push_str(digest.as_str().trim_start_matches("sha256:"));
    }
    format!("{name}@{attempt}.log")
}

/// Where a log's bytes go.
trait Sink: Write + Send {
    /// Returns once everything written is on the disk, and can be found there.
    fn sync(&mut self) -> std::io::Result<()>;
}

/// A file that is made anew when the first byte comes.
struct NewFile {
    root: Arc<File>,
    run: RunId,
    name: String,
    made: Option<Made>,
}

struct Made {
    file: File,
    /// That of the run.
    folder: File,
    /// Bytes whose way to the disk has begun, and those behind them: the sync at the end then has little left to wait for.
    begun: u64,
    behind: u64,
}

impl NewFile {
    fn make(&self) -> std::io::Result<Made> {
        make_folder(&self.root, self.run.as_str())?;
        let folder = open_folder(&self.root, self.run.as_str())?;
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&folder, &*self.name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => Ok(Made { file: File::from(file), folder, begun: 0, behind: 0 }),
            Err(Errno::EXIST) => Err(std::io::Error::other("the attempt has a log already")),
            Err(error) => Err(error.into()),
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.made.is_none() {
            self.made = Some(self.make()?);
        }
        let Some(made) = &mut self.made else { return Ok(0) };
        let written = made.file.write(bytes)?;
        made.behind += written as u64;
        if let Some(behind) = NonZeroU64::new(made.behind).filter(|behind| behind.get() >= limits::LOG_WRITE_BEHIND) {
            // Linux begins to write what is dirty and forgets nothing of it. It is no more than advice, so it cannot fail.
            let _ = rustix::fs::fadvise(&made.file, made.begun, Some(behind), Advice::DontNeed);
            made.begun += made.behind;
            made.behind = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink for NewFile {
    fn sync(&mut self) -> std::io::Result<()> {
        let Some(made) = &self.made else { return Ok(()) };
        made.file.sync_data()?;
        made.folder.sync_all()?;
        self.root.sync_all()
    }
}

/// Takes the output of one attempt. Writing never fails and never waits for a reader: what cannot be kept is counted.
pub struct LogWriter {
    sink: Box<dyn Sink>,
    room: u64,
    bytes: u64,
    dropped: u64,
    digest: sha2::Sha256,
    failed: Option<String>,
}

impl LogWriter {
    fn new(sink: Box<dyn Sink>, cap: u64) -> LogWriter {
        LogWriter { sink, room: cap, bytes: 0, dropped: 0, digest: sha2::Sha256::new(), failed: None }
    }

    /// Adds output. Bytes are exact: no line or character is waited for.
    pub fn write(&mut self, output: &[u8]) {
        let fits = usize::try_from(self.room).map_or(output.len(), |room| room.min(output.len()));
        let (mut rest, beyond) = output.split_at(if self.failed.is_some() { 0 } else { fits });
        self.dropped += beyond.len() as u64;
        while !rest.is_empty() {
            match self.sink.write(rest) {
                Ok(0) => self.fail("the file takes no more", &mut rest),
                Ok(written) => {
                    let (kept, after) = rest.split_at(written.min(rest.len()));
                    self.digest.update(kept);
                    self.bytes += kept.len() as u64;
                    self.room = self.room.saturating_sub(kept.len() as u64);
                    rest = after;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => self.fail(&error.to_string(), &mut rest),
            }
        }
    }

    fn fail(&mut self, why: &str, rest: &mut &[u8]) {
        self.failed = Some(why.to_owned());
        self.dropped += rest.len() as u64;
        *rest = &[];
    }

    /// Bytes kept so far.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether ending the log waits for the disk.
    pub fn is_long(&self) -> bool {
        is_long(self.bytes)
    }

    /// Ends the log. A long one is synced: a short one is in the result of its attempt too, and costs no second sync.
    pub fn seal(mut self) -> LogSeal {
        if self.is_long()
            && let Err(error) = self.sink.sync()
        {
            self.failed.get_or_insert(error.to_string());
        }
        LogSeal { bytes: self.bytes, dropped: self.dropped, digest: digest_of(self.digest), failed: self.failed }
    }
}

/// Whether a log is more than the result of its attempt can hold.
fn is_long(bytes: u64) -> bool {
    bytes > limits::RESULT_BYTES as u64
}

/// Reads a log that may still grow.
#[derive(Debug)]
pub struct LogReader {
    file: File,
    place: PathBuf,
}

impl LogReader {
    /// Bytes there are now.
    pub fn len(&self) -> Result<u64, LogError> {
        self.file.metadata().map(|m| m.len()).map_err(|e| self.failed(&e))
    }

    pub fn is_empty(&self) -> Result<bool, LogError> {
        Ok(self.len()? == 0)
    }

    /// The bytes from `from` up to and without `to`, as far as they are there; at most [`limits::LOG_RANGE`] at once.
    pub fn range(&self, from: u64, to: u64) -> Result<Vec<u8>, LogError> {
        let there = to.min(self.len()?).saturating_sub(from).min(limits::LOG_RANGE);
        let mut bytes = vec![0; there as usize];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, from + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// The last `bytes` bytes.
    pub fn tail(&self, bytes: u64) -> Result<Vec<u8>, LogError> {
        let len = self.len()?;
        self.range(len.saturating_sub(bytes), len)
    }

    /// The length and digest of what is there.
    pub fn measure(&self) -> Result<(u64, Digest), LogError> {
        let mut file = self.file.try_clone().map_err(|e| self.failed(&e))?;
        std::io::Seek::rewind(&mut file).map_err(|e| self.failed(&e))?;
        let mut digest = sha2::Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut buffer).map_err(|e| self.failed(&e))?;
            if read == 0 {
                return Ok((bytes, digest_of(digest)));
            }
            digest.update(buffer.get(..read).unwrap_or_default());
            bytes += read as u64;
        }
    }

    fn failed(&self, error: &std::io::Error) -> LogError {
        LogError::Io { place: self.place.clone(), error: error.to_string() }
    }
}

fn digest_of(digest: sha2::Sha256) -> Digest {
    Digest::from_sha256(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use super::*;

    fn run() -> RunId {
        RunId::from_parts(1, 2)
    }

    fn path(text: &str) -> StepPath {
        text.parse().unwrap()
    }

    #[test]
    fn names_never_collide_and_never_leave_the_folder() {
        let long = |end: &str| format!("{}{end}", "a/".repeat(900));
        let paths = ["a", "a/b", "a.b", "a[0]/b", "..", "../..", ".", "~finally/x", "-rf", "a-b", &long("x"), &long("y")];
        let mut names = BTreeSet::new();
        for text in paths {
            for attempt in [1, 11] {
                let name = file_name(&path(text), attempt);
                assert!(name.len() <= 255 && !name.contains('/') && name != "." && name != "..", "{name}");
                assert!(names.insert(name), "{text}");
            }
        }
    }

    #[test]
    fn any_range_is_read_while_the_log_grows() {
        let state = tempfile::tempdir().unwrap();
        let logs = Logs::open(state.path()).unwrap();
        let (step, bytes) = (path("each[3]/run-1"), b"one\0two\xff\xfethree\r\n");
        let mut writer = logs.writer(&run(), &step, 1);
        for (n, byte) in bytes.iter().enumerate() {
            assert_eq!(matches!(logs.reader(&run(), &step, 1), Err(LogError::Absent { .. })), n == 0, "no byte, no file");
            writer.write(&[*byte]);
            let reader = logs.reader(&run(), &step, 1).unwrap();
            assert_eq!(reader.range(0, u64::MAX).unwrap(), bytes[..=n]);
        }
        let mut second = logs.writer(&run(), &step, 1);
        second.write(b"x");
        assert_eq!(second.seal().failed.as_deref(), Some("the attempt has a log already"));
        let reader = logs.reader(&run(), &step, 1).unwrap();
        for (from, to, expect) in
            [(0, 3, &bytes[..3]), (4, 6, &bytes[4..6]), (10, 1000, &bytes[10..]), (1000, 2000, b""), (5, 2, b"")]
        {
            assert_eq!(reader.range(from, to).unwrap(), expect);
        }
        assert_eq!(reader.tail(4).unwrap(), b"ee\r\n");
        let seal = writer.seal();
        assert_eq!((seal.bytes, seal.dropped, &seal.digest), (bytes.len() as u64, 0, &Digest::of_bytes(bytes)));
        assert_eq!(reader.measure().unwrap(), (seal.bytes, seal.digest.clone()));
        assert_eq!(LogSeal::of_result(&Value::Map(Map::from([("log".to_owned(), seal.to_value())]))), Some(seal));
        assert!(matches!(logs.reader(&run(), &step, 2), Err(LogError::Absent { .. })));
        assert!(matches!(logs.reader(&RunId::from_parts(9, 9), &step, 1), Err(LogError::Absent { .. })));
    }

    #[test]
    fn a_link_in_the_way_is_not_followed() {
        let state = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let logs = Logs::open(state.path()).unwrap();
        std::os::unix::fs::symlink(outside.path(), state.path().join("logs").join(run().as_str())).unwrap();
        let written = |run: &RunId, step: &str| {
            let mut writer = logs.writer(run, &path(step), 1);
            writer.write(b"x");
            writer.seal()
        };
        assert!(written(&run(), "a").failed.is_some());
        let other = RunId::from_parts(3, 3);
        assert_eq!(written(&other, "a").failed, None);
        let victim = outside.path().join("victim");
        std::fs::write(&victim, "before").unwrap();
        let name = file_name(&path("b"), 1);
        std::os::unix::fs::symlink(&victim, state.path().join("logs").join(other.as_str()).join(name)).unwrap();
        assert!(written(&other, "b").failed.is_some());
        assert!(logs.reader(&other, &path("b"), 1).is_err());
        assert_eq!(std::fs::read_to_string(victim).unwrap(), "before");
    }

    /// The folder of a run, or a log in it, is exchanged with a link to elsewhere, again and again, while its ranges are read and
    /// others are written.
    #[test]
    fn what_is_swapped_meanwhile_is_never_read_or_written() {
        let place = tempfile::tempdir().unwrap();
        let (state, elsewhere) = (place.path().join("state"), place.path().join("elsewhere"));
        std::fs::create_dir(&state).unwrap();
        std::fs::create_dir(&elsewhere).unwrap();
        let logs = Logs::open(&state).unwrap();
        logs.writer(&run(), &path("a"), 1).write(b"inside");
        let name = file_name(&path("a"), 1);
        std::fs::write(elsewhere.join(&name), "outside").unwrap();
        let folder = state.join("logs").join(run().as_str());
        for (honest, link, target) in [
            (folder.clone(), state.join("logs/link"), elsewhere.clone()),
            (folder.join(&name), folder.join("link"), elsewhere.join(&name)),
        ] {
            std::os::unix::fs::symlink(target, &link).unwrap();
            let exchange = || {
                let (flags, here) = (rustix::fs::RenameFlags::EXCHANGE, rustix::fs::CWD);
                rustix::fs::renameat_with(here, &honest, here, &link, flags).unwrap();
            };
            let stop = std::sync::atomic::AtomicBool::new(false);
            let mut read = 0;
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    // As often one as the other: it ends as it was.
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        exchange();
                        exchange();
                    }
                });
                for attempt in 2..600 {
                    if let Ok(reader) = logs.reader(&run(), &path("a"), 1) {
                        assert_eq!(reader.range(0, 100).unwrap(), b"inside");
                        assert_eq!(reader.measure().unwrap(), (6, Digest::of_bytes(b"inside")));
                        read += 1;
                    }
                    logs.writer(&run(), &path("b"), attempt).write(b"x");
                }
                stop.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            assert!(read > 0);
            assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 1);
            assert_eq!(std::fs::read(elsewhere.join(&name)).unwrap(), b"outside");
        }
        let pipe = folder.join(file_name(&path("pipe"), 1));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(logs.reader(&run(), &path("pipe"), 1), Err(LogError::Io { .. })), "nobody writes to it, and nobody waits");
    }

    /// Takes `room` bytes, three at a time, and then fails.
    struct Disk {
        room: usize,
        kept: Arc<Mutex<Vec<u8>>>,
    }

    impl Sink for Disk {
        fn sync(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::Other.into())
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let n = bytes.len().min(3).min(self.room);
            if n == 0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.room -= n;
            self.kept.lock().unwrap().extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn exactly_what_fits_is_kept_and_the_rest_is_counted() {
        let output = b"0123456789";
        for (cap, room, kept) in [(100, 100, 10), (10, 100, 10), (7, 100, 7), (0, 100, 0), (100, 4, 4), (3, 4, 3)] {
            for chunk in 1..=output.len() {
                let disk = Arc::new(Mutex::new(Vec::new()));
                let mut writer = LogWriter::new(Box::new(Disk { room, kept: disk.clone() }), cap);
                output.chunks(chunk).for_each(|chunk| writer.write(chunk));
                let seal = writer.seal();
                assert_eq!(*disk.lock().unwrap(), output[..kept]);
                assert_eq!((seal.bytes, seal.dropped), (kept as u64, (output.len() - kept) as u64));
                assert_eq!(seal.digest, Digest::of_bytes(&output[..kept]));
                assert_eq!(seal.failed.is_some(), room < 10 && cap > room as u64, "cap {cap}, room {room}");
            }
        }
    }

    #[test]
    fn only_a_long_log_waits_for_the_disk_and_says_if_that_fails() {
        for (bytes, synced) in [(0, false), (limits::RESULT_BYTES, false), (limits::RESULT_BYTES + 1, true)] {
            let mut writer = LogWriter::new(Box::new(Disk { room: bytes, kept: Arc::default() }), limits::LOG_BYTES);
            writer.write(&vec![b'x'; bytes]);
            let seal = writer.seal();
            assert_eq!((seal.bytes, seal.failed.is_some()), (bytes as u64, synced));
        }
    }
}
