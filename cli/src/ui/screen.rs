//! What is seen of a run while it goes on, drawn from its events alone: JSON lines, lines that are only added, or a live view
//! two levels deep. The same screen shows a run again from its record.
//!
//! While a question stands on the terminal, lines are held back and follow after the answer.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use runbook_core::run::{Event, Fact, Run};
use runbook_core::{Digest, RunId, StepPath};
use runbook_engine::journal::Record;
use runbook_engine::session::Observer;

use super::live::{Live, Tails, Window};
use super::narrate::Narrator;
use super::plain;
use super::printer::{Printer, Stream};
use super::{Display, Ui};

pub struct Screen {
    narrator: Narrator,
    printer: Printer,
    /// Progress while the run goes on; data where it is shown again, because that was asked for.
    stream: Stream,
    mode: Mode,
    colours: bool,
    /// The hash of the last event that was recorded meanwhile: what a vote names.
    head: Option<Digest>,
    hushed: bool,
    held: Vec<String>,
    /// Attempts that have begun and not ended.
    under_way: BTreeSet<StepPath>,
}

enum Mode {
    Json,
    Plain,
    Live(Live),
    None,
}

impl Mode {
    fn of(display: Display) -> Mode {
        match display {
            Display::Plain => Mode::Plain,
            Display::None => Mode::None,
            Display::Live => Mode::Live(Live::default()),
        }
    }
}

impl Screen {
    pub fn new(ui: &Ui, json: bool) -> Screen {
        let mode = if json { Mode::Json } else { Mode::of(ui.display()) };
        Screen::with(mode, ui.printer.clone(), Stream::Error, ui.colours())
    }

    /// For a run that is shown again, from its first event on.
    pub fn of_record(ui: &Ui) -> Screen {
        Screen::with(Mode::of(ui.display_of_data()), ui.printer.clone(), Stream::Output, ui.colours_of_data())
    }

    fn with(mode: Mode, printer: Printer, stream: Stream, colours: bool) -> Screen {
        let (narrator, head, held, under_way) = <_>::default();
        Screen { narrator, printer, stream, mode, colours, head, hushed: false, held, under_way }
    }

    pub fn head(&self) -> Option<&Digest> {
        self.head.as_ref()
    }

    /// Takes an event that was seen before, so that only what follows is shown.
    pub fn skip(&mut self, run: &Run, event: &Event) {
        self.narrator.event(run, event);
    }

    /// The same of a run that somebody else drives: what is under way in it is shown.
    pub fn catch_up(&mut self, run: &Run, event: &Event) {
        self.skip(run, event);
        self.note(run, event);
    }

    /// A run that is followed from here on, behind the event with this hash.
    pub fn stands_at(&mut self, head: Digest) {
        self.head = Some(head);
    }

    /// Keeps what is under way.
    fn note(&mut self, run: &Run, event: &Event) {
        match &event.fact {
            Fact::AttemptStarted { path, .. } => drop(self.under_way.insert(path.clone())),
            Fact::AttemptFinished { path, .. } => drop(self.under_way.remove(path)),
            _ => {}
        }
        if let Mode::Live(live) = &mut self.mode {
            live.event(run, event);
        }
    }

    /// Takes the next event of a run that goes on.
    fn recorded(&mut self, run: &Run, event: &Event, record: &Record) {
        self.head = Some(record.hash.clone());
        if let Mode::Json = self.mode {
            self.printer.write(Stream::Output, format!("{}\n", record.line()));
        }
        self.event(run, event);
    }

    pub fn event(&mut self, run: &Run, event: &Event) {
        self.note(run, event);
        if let Mode::Json = self.mode {
            return;
        }
        // The live view shows what is under way itself.
        let is_live = self.is_live();
        let told = self.narrator.event(run, event).into_iter().filter(|told| !(is_live && told.word == "running"));
        let lines: Vec<String> = told.map(|told| told.render()).collect();
        self.write(lines, event.at);
    }

    /// A line that is no part of the record.
    pub fn notice(&mut self, text: &str) {
        self.write(vec![plain(text).into_owned()], Timestamp::now());
    }

    /// Writes lines that stay, above what is drawn again.
    fn write(&mut self, mut lines: Vec<String>, now: Timestamp) {
        if self.hushed {
            return self.held.append(&mut lines);
        }
        let mut text = String::new();
        match &mut self.mode {
            Mode::None => return,
            Mode::Json | Mode::Plain => lines.iter().for_each(|line| text.extend([line, "\n"])),
            Mode::Live(live) => {
                let window = Window::of_process();
                text.push_str(&live.erase(window));
                lines.iter().for_each(|line| text.extend([line, "\n"]));
                text.push_str(&live.draw(now, window));
            }
        }
        self.put(&text);
    }

    /// Everything at once, so that it is never seen half drawn.
    fn put(&self, text: &str) {
        self.printer.write(self.stream, if self.colours { text.to_owned() } else { colourless(text) });
    }

    /// Makes room for a question, or ends it.
    pub fn hush(&mut self, hushed: bool) {
        if self.hushed == hushed {
            return;
        }
        self.hushed = hushed;
        if hushed {
            self.take_away();
        } else {
            let held = std::mem::take(&mut self.held);
            self.write(held, Timestamp::now());
        }
    }

    /// Shows what runs as it is now, with the last line of its output.
    pub fn tick(&mut self, run: &RunId, tails: &dyn Tails) {
        if let Mode::Live(live) = &mut self.mode
            && !self.hushed
            && !self.printer.is_behind()
        {
            live.look(run, tails);
            self.write(Vec::new(), Timestamp::now());
        }
    }

    /// The attempts whose last lines are shown.
    pub fn attempts(&self) -> Vec<(StepPath, u32)> {
        match &self.mode {
            Mode::Live(live) => live.attempts(),
            Mode::Json | Mode::Plain | Mode::None => Vec::new(),
        }
    }

    /// The steps that are at work, by name.
    pub fn under_way(&self) -> Vec<String> {
        self.under_way.iter().map(ToString::to_string).collect()
    }

    pub fn is_live(&self) -> bool {
        matches!(self.mode, Mode::Live(_))
    }

    /// Takes away what is not meant to stay.
    pub fn close(&mut self) {
        self.take_away();
        if let Mode::Live(live) = &mut self.mode {
            live.clear();
        }
    }

    fn take_away(&mut self) {
        if let Mode::Live(live) = &mut self.mode {
            let text = live.erase(Window::of_process());
            self.put(&text);
        }
    }
}

/// A text without its colours; what moves the cursor stays.
fn colourless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('\x1b');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        match part.find(|c: char| c.is_ascii_alphabetic()) {
            Some(end) if part[end..].starts_with('m') => out.push_str(&part[end + 1..]),
            _ => out.extend(["\x1b", part]),
        }
    }
    out
}

/// A screen that a run's session and the terminal share.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Screen>>);

impl Shared {
    pub fn new(screen: Screen) -> Shared {
        Shared(Arc::new(Mutex::new(screen)))
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut Screen) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Shared {
    fn observe(&mut self, run: &Run, event: &Event, record: &Record) {
        self.with(|screen| screen.recorded(run, event, record));
    }

    fn committing(&mut self) {
        self.with(|screen| screen.printer.wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_and_movements_stay() {
        for (text, shown) in [
            ("plain", "plain"),
            ("\x1b[1m\x1b[31mred\x1b[0m text", "red text"),
            ("\r\x1b[2A\x1b[J\x1b[2mfaint\x1b[0m", "\r\x1b[2A\x1b[Jfaint"),
        ] {
            assert_eq!(colourless(text), shown);
        }
    }
}
