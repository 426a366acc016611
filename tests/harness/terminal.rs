//! A terminal with a person before it: the program runs on a real pseudo-terminal, a terminal emulator reads what it writes, and a
//! test sees what a person would see. Whatever acts on the terminal beyond its text is kept apart.
//!
//! Nothing waits for a time: a test waits for what must appear, and only a failure takes as long as it may take.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use pty_process::Size;
use pty_process::blocking::{self, Pty};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;
use vt100::capture::{BasicFormattedCaptureState, RowContents, basic_formatted_to_plain};

use super::{PATIENCE, eventually};

/// Rows and columns that a test uses where it does not say.
pub const ROOMY: (u16, u16) = (60, 120);

pub struct Terminal {
    child: Child,
    /// Gone once the terminal is closed.
    pty: Option<Arc<Pty>>,
    shared: Arc<Shared>,
}

struct Shared {
    view: Mutex<View>,
    changed: Condvar,
}

/// What the emulator made of all that was written so far.
pub struct View {
    parser: vt100::Parser<Acts>,
    raw: Vec<u8>,
    /// Nothing further can come.
    over: bool,
}

/// What was done to the terminal beyond its cells.
#[derive(Default)]
pub struct Acts {
    /// Bells, titles, clipboards, links, unknown sequences: a person's terminal would do something about each.
    pub heard: Vec<String>,
    scrolled: String,
    state: BasicFormattedCaptureState,
}

impl Terminal {
    /// Starts a command with a terminal of its own of so many rows and columns.
    pub fn start(command: Command, (rows, columns): (u16, u16)) -> Terminal {
        let (pty, pts) = blocking::open().expect("a pseudo-terminal");
        pty.resize(Size::new(rows, columns)).expect("its size");
        let child = blocking::Command::from(command).spawn(pts).expect("the program starts");
        let parser = vt100::Parser::new_with_callbacks(sizes(rows), sizes(columns), 0, Acts::default());
        let view = Mutex::new(View { parser, raw: Vec::new(), over: false });
        let shared = Arc::new(Shared { view, changed: Condvar::new() });
        let pty = Arc::new(pty);
        let (source, read) = (Arc::downgrade(&pty), shared.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Some(pty) = source.upgrade() {
                if !is_readable(&pty) {
                    continue;
                }
                // A terminal whose other side is closed reads as an error.
                let Ok(count @ 1..) = (&*pty).read(&mut bytes) else { break };
                let mut view = read.lock();
                view.raw.extend_from_slice(&bytes[..count]);
                view.parser.process(&bytes[..count]);
                read.changed.notify_all();
            }
            read.lock().over = true;
            read.changed.notify_all();
        });
        Terminal { child, pty: Some(pty), shared }
    }

    /// Waits until the text stands on the terminal, or has stood there and was scrolled away.
    #[track_caller]
    pub fn sees(&self, text: &str) -> &Terminal {
        self.wait(&format!("`{text}`"), |view| view.text().contains(text))
    }

    /// Waits until a question stands where the person would type: what is typed earlier is no answer.
    #[track_caller]
    pub fn asks(&self, question: &str) -> &Terminal {
        self.wait(&format!("the question `{question}`"), |view| view.text().trim_end().ends_with(question.trim_end()))
    }

    #[track_caller]
    pub fn wait(&self, what: &str, mut until: impl FnMut(&View) -> bool) -> &Terminal {
        let view = self.shared.lock();
        let (view, timeout) = self
            .shared
            .changed
            .wait_timeout_while(view, PATIENCE, |view| !until(view) && !view.over)
            .unwrap_or_else(PoisonError::into_inner);
        let came = until(&view);
        assert!(came, "{what} did not come{}\n{}", if timeout.timed_out() { "" } else { " before the end" }, view.text());
        self
    }

    /// Types a line.
    pub fn types(&self, line: &str) -> &Terminal {
        self.presses(&format!("{line}\n"))
    }

    /// Presses keys, such as `\x03` for Ctrl-C.
    pub fn presses(&self, keys: &str) -> &Terminal {
        self.presses_bytes(keys.as_bytes())
    }

    pub fn presses_bytes(&self, keys: &[u8]) -> &Terminal {
        let mut pty = &**self.pty.as_ref().expect("the terminal is open");
        pty.write_all(keys).expect("the terminal takes keys");
        self
    }

    pub fn resize(&self, rows: u16, columns: u16) -> &Terminal {
        self.pty.as_ref().expect("the terminal is open").resize(Size::new(rows, columns)).expect("its size");
        self.shared.lock().parser.set_size(sizes(rows), sizes(columns));
        self
    }

    /// Closes the window. Whoever has this terminal is hung up.
    pub fn close(&mut self) {
        self.pty = None;
        self.wait("the end of the terminal", |view| view.over);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end of the program, which must come with this exit code, and gives all that was shown.
    #[track_caller]
    pub fn ends(&mut self, code: i32) -> String {
        let status = eventually("the end of the program", || self.child.try_wait().expect("a child"));
        if self.pty.is_some() {
            self.wait("the end of all who have the terminal", |view| view.over);
        }
        let text = self.text();
        assert_eq!(status.code(), Some(code), "{status}\n{text}");
        text
    }

    /// Waits for the end of the program, which must come through Ctrl-C as it does for any program.
    #[track_caller]
    pub fn is_interrupted(&mut self) {
        let status = eventually("the end of the program", || self.child.try_wait().expect("a child"));
        assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{status}\n{}", self.text());
    }

    /// All that was shown, what is scrolled away included; wrapped lines are whole.
    pub fn text(&self) -> String {
        self.shared.lock().text()
    }

    /// What is on the screen now.
    pub fn screen(&self) -> String {
        self.shared.lock().parser.screen().contents()
    }

    /// What was done to the terminal beyond text, colours and the movements of a live view.
    pub fn acts(&self) -> Vec<String> {
        let view = self.shared.lock();
        let screen = view.parser.screen();
        let mut acts = view.parser.callbacks().heard.clone();
        for (is_so, what) in [
            (std::str::from_utf8(&view.raw).is_err(), "bytes that are no text"),
            (screen.hide_cursor(), "the cursor is hidden"),
            (screen.alternate_screen(), "another screen"),
            (screen.bracketed_paste(), "bracketed paste"),
            (screen.application_keypad() || screen.application_cursor(), "other keys"),
            (screen.bold() || screen.inverse() || screen.fgcolor() != vt100::Color::Default, "a colour stays"),
        ] {
            acts.extend(is_so.then(|| what.to_owned()));
        }
        acts.extend(sequences(&view.raw).into_iter().filter(|sequence| !DRAWING.contains(&sequence.as_str())));
        acts
    }

    /// The kinds of escape sequences that were written, without their numbers.
    pub fn sequences(&self) -> BTreeSet<String> {
        sequences(&self.shared.lock().raw)
    }

    /// Bytes that were written so far.
    pub fn written(&self) -> usize {
        self.shared.lock().written()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, View> {
        // A failed test says more than the reader that ends with it.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    pub fn text(&self) -> String {
        let scrolled: String = basic_formatted_to_plain(&self.parser.callbacks().scrolled).collect();
        let joint = if scrolled.is_empty() { "" } else { "\n" };
        format!("{scrolled}{joint}{}", self.parser.screen().contents())
    }

    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    pub fn written(&self) -> usize {
        self.raw.len()
    }
}

/// What a live view may do: colours, up, down, and the erasing of lines and of what is below.
const DRAWING: [&str; 5] = ["[m", "[A", "[B", "[K", "[J"];

/// Every kind of escape sequence in some output, without its numbers.
fn sequences(raw: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(raw);
    let kind = |rest: &str| match rest.strip_prefix('[') {
        Some(rest) => {
            let end = rest.find(|c: char| c.is_ascii_alphabetic()).map_or(rest.len(), |end| end + 1);
            format!("[{}", rest[..end].trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'))
        }
        None => rest.chars().take(1).collect(),
    };
    text.split('\x1b').skip(1).map(kind).collect()
}

fn sizes(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a terminal has rows and columns")
}

/// Waits a moment for something to read, so that a closed terminal is noticed.
fn is_readable(pty: &Pty) -> bool {
    let mut wanted = [PollFd::new(pty, PollFlags::IN)];
    let moment = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    rustix::event::poll(&mut wanted, Some(&moment)).is_ok_and(|ready| ready > 0)
}

impl vt100::Callbacks for Acts {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.heard.push("a bell".to_owned());
    }

    fn visual_bell(&mut self, _: &mut vt100::Screen) {
        self.heard.push("a flash".to_owned());
    }

    fn resize(&mut self, _: &mut vt100::Screen, (rows, columns): (u16, u16)) {
        self.heard.push(format!("a window of {rows} rows and {columns} columns"));
    }

    fn set_window_icon_name(&mut self, _: &mut vt100::Screen, name: &[u8]) {
        self.heard.push(format!("the icon `{}`", String::from_utf8_lossy(name)));
    }

    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.heard.push(format!("the title `{}`", String::from_utf8_lossy(title)));
    }

    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], _: &[u8]) {
        self.heard.push("a copy to the clipboard".to_owned());
    }

    fn paste_from_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8]) {
        self.heard.push("a look at the clipboard".to_owned());
    }

    fn unhandled_char(&mut self, _: &mut vt100::Screen, c: char) {
        // The mark for what was no text is only seen.
        if c != char::REPLACEMENT_CHARACTER {
            self.heard.push(format!("the character {c:?}"));
        }
    }

    fn unhandled_control(&mut self, _: &mut vt100::Screen, byte: u8) {
        self.heard.push(format!("the control {byte:#04x}"));
    }

    fn unhandled_escape(&mut self, _: &mut vt100::Screen, _: Option<u8>, _: Option<u8>, end: u8) {
        self.heard.push(format!("the escape {}", end as char));
    }

    fn unhandled_csi(&mut self, _: &mut vt100::Screen, _: Option<u8>, _: Option<u8>, _: &[&[u16]], end: char) {
        self.heard.push(format!("the sequence {end}"));
    }

    fn unhandled_osc(&mut self, _: &mut vt100::Screen, parts: &[&[u8]]) {
        self.heard.push(format!("the command {}", String::from_utf8_lossy(&parts.join(&b';'))));
    }

    fn on_scroll(&mut self, row: RowContents<'_>, _: bool) {
        // Writing to a text cannot fail.
        let _ = row.write_formatted_basic(&mut self.scrolled, &mut self.state);
    }
}
