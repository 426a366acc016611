//! Starting a program so that it has what was declared and nothing else: its arguments, its environment, its folder, three
//! descriptors, every signal as the system delivers it, and a session of its own.
//!
//! The session keeps it away from the operator's terminal: what would prompt there fails at once instead of stopping for
//! ever, and nothing can write to the screen or push keys into it. This is `posix_spawn`, which shares the engine's memory
//! until the program starts; a fork would copy the engine's page tables each time.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use runbook_core::limits;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;

use super::{Environment, MARK};
use crate::hold::{self, Hold};

/// A program to be started.
pub struct Launch<'a> {
    /// An absolute path.
    pub file: &'a Path,
    /// What it is called, and its arguments.
    pub argv: &'a [&'a str],
    /// All of its environment but the mark.
    pub environment: &'a Environment,
    pub dir: &'a Path,
    /// Asked when all is prepared.
    pub hold: &'a Hold,
    pub stdin: Stream,
    pub stderr: Stream,
}

/// What stands behind a descriptor of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// `/dev/null`.
    Nothing,
    /// A pipe to the engine.
    Pipe,
}

/// A program that was started, with the engine's ends of its pipes.
pub struct Spawned {
    pub pid: Pid,
    /// Becomes readable when the program ends, where the system has such a thing to give.
    pub end: Option<AsyncFd<OwnedFd>>,
    pub stdin: Option<pipe::Sender>,
    pub stdout: Option<pipe::Receiver>,
    pub stderr: Option<pipe::Receiver>,
}

/// Linux's number for it, which the bindings lack.
const POSIX_SPAWN_SETSID: i32 = 0x80;

/// Starts it. An error means that nothing was started.
pub fn spawn(launch: &Launch, mark: &str) -> io::Result<Spawned> {
    let file = text(launch.file.as_os_str())?;
    let dir = text(launch.dir.as_os_str())?;
    let argv = launch.argv.iter().map(|argument| text(OsStr::new(argument))).collect::<io::Result<Vec<_>>>()?;
    let declared = launch.environment.iter().filter(|(name, _)| *name != MARK).map(|(name, value)| variable(name, value));
    let environment = declared.chain([variable(OsStr::new(MARK), OsStr::new(mark))]).collect::<io::Result<Vec<_>>>()?;

    let (stdin, stdin_end) = match launch.stdin {
        Stream::Nothing => (None, None),
        Stream::Pipe => {
            let (read, write) = io::pipe()?;
            (Some(pipe::Sender::from_owned_fd(write.into())?), Some(OwnedFd::from(read)))
        }
    };
    let out = || -> io::Result<_> {
        let (read, write) = io::pipe()?;
        Ok((pipe::Receiver::from_owned_fd(read.into())?, OwnedFd::from(write)))
    };
    let (stdout, stdout_end) = out()?;
    let (stderr, stderr_end) = match launch.stderr {
        Stream::Nothing => (None, None),
        Stream::Pipe => {
            let (read, write) = out()?;
            (Some(read), Some(write))
        }
    };
    let mut actions = Actions::new()?;
    actions.put(0, stdin_end.as_ref(), libc::O_RDONLY)?;
    actions.put(1, Some(&stdout_end), libc::O_WRONLY)?;
    actions.put(2, stderr_end.as_ref(), libc::O_WRONLY)?;
    actions.enter(&dir)?;
    let attributes = Attributes::new()?;
    let (argv, environment) = (pointers(&argv), pointers(&environment));
    let mut pid = 0;
    if !launch.hold.is_sure() {
        return Err(io::Error::other(hold::Lost));
    }
    // SAFETY: every pointer is to a value that lives until the call returns; both arrays end with a null pointer.
    let code =
        unsafe { libc::posix_spawn(&mut pid, file.as_ptr(), &actions.0, &attributes.0, argv.as_ptr(), environment.as_ptr()) };
    done(code)?;
    let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("the system gave no process id"))?;
    super::descriptors::give(pid);
    // The program's ends are closed here, so that there are descriptors to be had.
    drop((stdin_end, stdout_end, stderr_end));
    Ok(Spawned { pid, end: end_of(pid), stdin, stdout: Some(stdout), stderr })
}

fn end_of(pid: Pid) -> Option<AsyncFd<OwnedFd>> {
    let handle = pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?;
    // SAFETY: an `OwnedFd` is the same open descriptor for as long as it lives.
    unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) }.ok()
}

/// Lets a program that writes much write more before it has to wait for us. Where the system refuses, it is only slower.
pub fn widen(pipe: &pipe::Receiver) {
    // SAFETY: a request about a descriptor that is open; no memory is handed over.
    unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, limits::PIPE_BYTES) };
}

fn text(text: &OsStr) -> io::Result<CString> {
    Ok(CString::new(text.as_bytes())?)
}

fn variable(name: &OsStr, value: &OsStr) -> io::Result<CString> {
    Ok(CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())?)
}

fn pointers(texts: &[CString]) -> Vec<*mut libc::c_char> {
    texts.iter().map(|text| text.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
}

fn done(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

/// What the child does before the program starts.
struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Actions> {
        let mut actions = std::mem::MaybeUninit::uninit();
        // SAFETY: initialised by the call, which says so by 0.
        unsafe {
            done(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
            Ok(Actions(actions.assume_init()))
        }
    }

    /// Gives the program this end of a pipe, or nothing, under this number.
    fn put(&mut self, number: libc::c_int, end: Option<&OwnedFd>, mode: libc::c_int) -> io::Result<()> {
        // SAFETY: the actions are initialised; the path is a constant, and the call copies it.
        done(unsafe {
            match end {
                Some(end) => libc::posix_spawn_file_actions_adddup2(&mut self.0, end.as_raw_fd(), number),
                None => libc::posix_spawn_file_actions_addopen(&mut self.0, number, c"/dev/null".as_ptr(), mode, 0),
            }
        })
    }

    /// Enters the folder, and closes every other descriptor: also one that whoever started the engine left open in it.
    fn enter(&mut self, dir: &CString) -> io::Result<()> {
        // SAFETY: the actions are initialised, and the call copies the path.
        unsafe {
            done(libc::posix_spawn_file_actions_addchdir_np(&mut self.0, dir.as_ptr()))?;
            done(libc::posix_spawn_file_actions_addclosefrom_np(&mut self.0, 3))
        }
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised, and dropped once.
        unsafe { libc::posix_spawn_file_actions_destroy(&mut self.0) };
    }
}

/// What the program does not take over from the engine: its session, and signals that are ignored or blocked.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Attributes> {
        let mut attributes = std::mem::MaybeUninit::uninit();
        let flags = libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID;
        // SAFETY: the attributes and the sets are initialised by the first call on each, and only then used.
        unsafe {
            done(libc::posix_spawnattr_init(attributes.as_mut_ptr()))?;
            let mut attributes = Attributes(attributes.assume_init());
            let (mut all, mut none) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&mut all);
            libc::sigemptyset(&mut none);
            done(libc::posix_spawnattr_setsigdefault(&mut attributes.0, &all))?;
            done(libc::posix_spawnattr_setsigmask(&mut attributes.0, &none))?;
            done(libc::posix_spawnattr_setflags(&mut attributes.0, flags as libc::c_short))?;
            Ok(attributes)
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised, and dropped once.
        unsafe { libc::posix_spawnattr_destroy(&mut self.0) };
    }
}
