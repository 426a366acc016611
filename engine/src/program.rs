//! Runs a short program of the operator's own (`ssh-keygen`, the command behind a secret) to its end: arguments only, no
//! shell, bounded in time and output. The programs of steps run elsewhere, watched and recorded.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::process::Claim;

/// How a program is run.
pub(crate) struct Invocation<'a> {
    pub program: &'a OsStr,
    pub arguments: Vec<OsString>,
    /// The whole environment of the child; absent: ours.
    pub environment: Option<&'a [(OsString, OsString)]>,
    pub directory: Option<&'a Path>,
    pub input: &'a [u8],
    pub timeout: Duration,
    /// Bytes of output that are read; a program that writes more is ended.
    pub output_bytes: usize,
    pub terminal: Terminal,
}

/// Whether the program may talk to the person at the terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// It stays in our process group, and may ask for a passphrase.
    Shared,
    /// It leads a group of its own, which ends with it.
    None,
}

pub(crate) struct Finished {
    pub status: ExitStatus,
    pub output: Zeroizing<Vec<u8>>,
    /// The first part of what it wrote to its standard error.
    pub complaint: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("it cannot be started: {0}")]
    Start(std::io::Error),
    #[error("it did not end within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error("it wrote more than {0} bytes")]
    Flood(usize),
    #[error("its end could not be awaited: {0}")]
    Wait(std::io::Error),
}

/// How much of the standard error is kept.
const COMPLAINT_BYTES: usize = 4 * 1024;

impl Invocation<'_> {
    pub(crate) fn run(self) -> Result<Finished, ProgramError> {
        let mut command = Command::new(self.program);
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(environment) = self.environment {
            command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        }
        if let Some(directory) = self.directory {
            command.current_dir(directory);
        }
        if self.terminal == Terminal::None {
            command.process_group(0);
        }
        let deadline = Instant::now() + self.timeout;
        let spawn = || command.spawn().map(|child| (i32::try_from(child.id()).unwrap_or_default(), child));
        let (_claim, mut child) = Claim::start(spawn).map_err(ProgramError::Start)?;
        let (send, receive) = mpsc::channel();
        let readers: Vec<_> = [
            child.stdout.take().map(|stream| reader(stream, self.output_bytes, 0, send.clone())),
            child.stderr.take().map(|stream| reader(stream, COMPLAINT_BYTES, 1, send)),
        ]
        .into_iter()
        .flatten()
        .collect();
        if let Some(mut stdin) = child.stdin.take() {
            // The inputs are shorter than a pipe holds, so this cannot block; a child that does not read is no fault.
            let _ = stdin.write_all(self.input);
        }
        let mut parts = [Zeroizing::new(Vec::new()), Zeroizing::new(Vec::new())];
        for _ in &readers {
            match receive.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((place, bytes)) => parts[usize::from(place == 1)] = bytes,
                Err(_) => {
                    self.end(&mut child);
                    return Err(ProgramError::Timeout(self.timeout));
                }
            }
            if parts[0].len() > self.output_bytes {
                self.end(&mut child);
                return Err(ProgramError::Flood(self.output_bytes));
            }
        }
        let status = loop {
            match child.try_wait().map_err(ProgramError::Wait)? {
                Some(status) => break status,
                None if Instant::now() >= deadline => {
                    self.end(&mut child);
                    return Err(ProgramError::Timeout(self.timeout));
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        let [output, complaint] = parts;
        Ok(Finished { status, output, complaint: String::from_utf8_lossy(&complaint).trim().to_owned() })
    }

    fn end(&self, child: &mut Child) {
        if self.terminal == Terminal::None
            && let Ok(id) = i32::try_from(child.id())
            && let Some(group) = rustix::process::Pid::from_raw(id)
        {
            // The child was not waited for yet, so its id is still that of its own group.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

type Part = (u8, Zeroizing<Vec<u8>>);

/// Reads a stream to its end, or to one byte beyond the bound.
fn reader(stream: impl Read + Send + 'static, bound: usize, place: u8, send: mpsc::Sender<Part>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut stream = stream;
        let mut bytes = Zeroizing::new(Vec::with_capacity(bound.min(COMPLAINT_BYTES)));
        let _ = (&mut stream).take(u64::try_from(bound).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes);
        let flood = bytes.len() > bound;
        let _ = send.send((place, bytes));
        // Complaints beyond the bound are read and dropped, so that the child is not blocked by us.
        if flood && place == 1 {
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    })
}
