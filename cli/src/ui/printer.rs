//! What is said, on its way out. A terminal can be stopped, and a reader can be slow: while a run goes on, a thread of its own
//! writes what is shown of it, so that neither holds up the run, its lease, or a program whose output must be read.
//!
//! To wake that thread takes time that a run of short steps would notice: it is woken once for what was said together, before the
//! run waits for its disk or for anything else.
//!
//! Everything goes out in the order in which it was said. Whoever has gone away is no reason to stop a run, so nobody is told
//! of an error then.

use std::io::{self, IsTerminal, Write};
use std::mem::take;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::fs::{FileType, fstat};

/// Where something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Output,
    Error,
}

/// Writes to both streams of the process. Clones share them.
#[derive(Clone, Default)]
pub struct Printer(Arc<Shared>);

#[derive(Default)]
struct Shared {
    lines: Mutex<Lines>,
    more: Condvar,
}

#[derive(Default)]
struct Lines {
    /// Whether a thread writes them.
    apart: bool,
    waiting: Vec<(Stream, String)>,
    /// Whether the thread is at some that no longer wait.
    writing: bool,
    /// Whether the thread ends once nothing waits.
    ending: bool,
}

/// While it lives, nobody waits for the terminal. At its end, everything is written.
pub struct Apart {
    printer: Printer,
    thread: Option<JoinHandle<()>>,
}

impl Printer {
    /// Says it now, or leaves it to the thread: then there is never an error.
    pub fn print(&self, stream: Stream, text: String) -> io::Result<()> {
        let mut lines = self.lines();
        if !lines.apart {
            return put(stream, text.as_bytes());
        }
        lines.waiting.push((stream, text));
        Ok(())
    }

    /// The same where an error makes no difference.
    pub fn write(&self, stream: Stream, text: String) {
        let _ = self.print(stream, text);
    }

    /// Lets the thread write what waits. To be called before the process sleeps.
    pub fn wake(&self) {
        let lines = self.lines();
        if !lines.waiting.is_empty() && !lines.writing {
            self.0.more.notify_one();
        }
    }

    /// Whether something still waits to be written. What will be drawn again can be left out then.
    pub fn is_behind(&self) -> bool {
        let lines = self.lines();
        lines.writing || !lines.waiting.is_empty()
    }

    /// From now on a thread writes, where a stream could make the process wait. Without one, as before.
    pub fn apart(&self) -> Apart {
        if !(can_hold_up(io::stdout()) || can_hold_up(io::stderr())) {
            return Apart { printer: self.clone(), thread: None };
        }
        let printer = self.clone();
        let mut lines = self.lines();
        let thread = std::thread::Builder::new().name("printer".to_owned()).spawn(move || printer.serve()).ok();
        (lines.apart, lines.ending) = (thread.is_some(), false);
        Apart { printer: self.clone(), thread }
    }

    fn serve(&self) {
        let mut lines = self.lines();
        loop {
            lines.writing = false;
            let nothing_to_do = |lines: &mut Lines| lines.waiting.is_empty() && !lines.ending;
            lines = self.0.more.wait_while(lines, nothing_to_do).unwrap_or_else(PoisonError::into_inner);
            let texts = take(&mut lines.waiting);
            if texts.is_empty() {
                // In the same moment, so that nothing said now overtakes what was said before.
                lines.apart = false;
                return;
            }
            lines.writing = true;
            drop(lines);
            for (stream, text) in texts {
                let _ = put(stream, text.as_bytes());
            }
            lines = self.lines();
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.printer.lines().ending = true;
        self.printer.0.more.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Behind a terminal, a pipe or a socket is somebody who may be slow. A file is as fast as a disk, for which a run waits anyway.
fn can_hold_up(stream: impl IsTerminal + AsFd) -> bool {
    let kind = fstat(&stream).map(|facts| FileType::from_raw_mode(facts.st_mode));
    !matches!(kind, Ok(FileType::RegularFile | FileType::CharacterDevice)) || stream.is_terminal()
}

fn put(stream: Stream, bytes: &[u8]) -> io::Result<()> {
    match stream {
        Stream::Error => io::stderr().lock().write_all(bytes),
        Stream::Output => {
            let mut out = io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        }
    }
}
