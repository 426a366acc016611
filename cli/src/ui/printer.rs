//! What is said, on its way out. A terminal can be stopped, and a reader can be slow: while a run goes on, a thread of its own
//! writes what is shown of it, so that neither holds up the run, its lease, or a program whose output must be read.
//!
//! Everything goes out in the order in which it was said. Whoever has gone away is no reason to stop a run, so nobody is told
//! of an error then.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

/// Where something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Output,
    Error,
}

/// Writes to both streams of the process. Clones share them.
#[derive(Clone, Default)]
pub struct Printer(Arc<Lines>);

#[derive(Default)]
struct Lines {
    /// To the thread that writes, where there is one.
    thread: Mutex<Option<mpsc::Sender<(Stream, String)>>>,
    /// Texts that it has not written yet.
    waiting: Arc<AtomicUsize>,
}

/// While it lives, nobody waits for the terminal. At its end, everything is written.
pub struct Apart {
    printer: Printer,
    thread: Option<JoinHandle<()>>,
}

impl Printer {
    /// Says it now, or leaves it to the thread: then there is never an error.
    pub fn print(&self, stream: Stream, text: String) -> io::Result<()> {
        let thread = self.thread();
        let Some(thread) = &*thread else { return put(stream, text.as_bytes()) };
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        // It ends only once nobody sends any more.
        let _ = thread.send((stream, text));
        Ok(())
    }

    /// The same where an error makes no difference.
    pub fn write(&self, stream: Stream, text: String) {
        let _ = self.print(stream, text);
    }

    /// Whether something still waits to be written. What will be drawn again can be left out then.
    pub fn is_behind(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > 0
    }

    /// From now on a thread writes. Without one, as before.
    pub fn apart(&self) -> Apart {
        let (sender, texts) = mpsc::channel::<(Stream, String)>();
        let waiting = self.0.waiting.clone();
        let write = move || {
            for (stream, text) in texts {
                let _ = put(stream, text.as_bytes());
                waiting.fetch_sub(1, Ordering::Relaxed);
            }
        };
        let thread = std::thread::Builder::new().name("printer".to_owned()).spawn(write).ok();
        if thread.is_some() {
            *self.thread() = Some(sender);
        }
        Apart { printer: self.clone(), thread }
    }

    fn thread(&self) -> MutexGuard<'_, Option<mpsc::Sender<(Stream, String)>>> {
        self.0.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // Nobody says anything directly while something waits.
        let mut sender = self.printer.thread();
        *sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
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
