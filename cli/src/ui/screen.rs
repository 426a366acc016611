//! What is seen of a run while it goes on, drawn from its events alone: JSON lines, lines that are only added, or a live view
//! two levels deep. The same screen shows a run again from its record.
//!
//! While a question stands on the terminal, lines are held back and follow after the answer.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anstream::adapter::strip_str;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use runbook_core::run::view::Standing;
use runbook_core::run::{Event, Fact, Run};
use runbook_core::{Digest, StepPath};
use runbook_engine::journal::Record;
use runbook_engine::log::Logs;
use runbook_engine::session::Observer;

use super::narrate::{Narrator, name};
use super::plain::{line, plain, plain_bytes};
use super::style::Tone;
use super::{Display, Ui};

/// Levels of steps that the live view shows; what is deeper is folded into the step around it.
const LEVELS: usize = 2;
/// Bytes of a log that are looked at for its last line.
const TAIL: u64 = 512;

pub struct Screen {
    narrator: Narrator,
    mode: Mode,
    colours: bool,
    /// The hash of the last event: what a vote names, and what the next JSON line builds on.
    head: Digest,
    hushed: bool,
    held: Vec<String>,
}

enum Mode {
    Json,
    Plain,
    Live(Live),
    None,
}

struct Live {
    bars: MultiProgress,
    steps: BTreeMap<StepPath, Bar>,
}

struct Bar {
    bar: ProgressBar,
    title: String,
    /// Whose output is shown folded.
    attempt: Option<(StepPath, u32)>,
}

impl Screen {
    /// `head` is the hash before the first event that will be shown.
    pub fn new(ui: &Ui, json: bool, head: Digest) -> Screen {
        let mode = match (json, ui.display()) {
            (true, _) => Mode::Json,
            (false, Display::Plain) => Mode::Plain,
            (false, Display::None) => Mode::None,
            (false, Display::Live) => {
                let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
                Mode::Live(Live { bars, steps: BTreeMap::new() })
            }
        };
        let narrator = Narrator::default();
        Screen { narrator, mode, colours: ui.colours(), head, hushed: false, held: Vec::new() }
    }

    pub fn head(&self) -> &Digest {
        &self.head
    }

    /// Takes an event that was seen before, so that only what follows is shown.
    pub fn skip(&mut self, run: &Run, event: &Event) {
        self.narrator.event(run, event);
        self.advance(event);
    }

    pub fn event(&mut self, run: &Run, event: &Event) {
        let record = self.advance(event);
        if let Mode::Json = self.mode {
            if let Some(record) = record {
                let mut out = io::stdout().lock();
                // A reader that has gone away is no reason to stop a run.
                let _ = writeln!(out, "{}", record.line()).and_then(|()| out.flush());
            }
            return;
        }
        for told in self.narrator.event(run, event) {
            // The live view shows what is under way itself.
            if matches!(self.mode, Mode::Live(_)) && told.word == "running" {
                continue;
            }
            self.write(told.render());
        }
        if let Mode::Live(live) = &mut self.mode {
            live.event(run, event);
        }
    }

    /// A line that is no part of the record.
    pub fn notice(&mut self, text: &str) {
        if !matches!(self.mode, Mode::Json | Mode::None) {
            self.write(plain(text).into_owned());
        }
    }

    fn advance(&mut self, event: &Event) -> Option<Record> {
        let record = Record::encode(event, &self.head).ok()?;
        self.head = record.hash.clone();
        Some(record)
    }

    fn write(&mut self, text: String) {
        let text = if self.colours { text } else { strip_str(&text).to_string() };
        if self.hushed {
            self.held.push(text);
            return;
        }
        // A terminal that has gone away is no reason to stop a run.
        let _ = match &self.mode {
            Mode::Live(live) => live.bars.println(text),
            Mode::Plain => writeln!(io::stderr().lock(), "{text}"),
            Mode::Json | Mode::None => Ok(()),
        };
    }

    /// Makes room for a question, or ends it.
    pub fn hush(&mut self, hushed: bool) {
        self.hushed = hushed;
        if let Mode::Live(live) = &self.mode {
            let target = if hushed { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
            let _ = live.bars.clear();
            live.bars.set_draw_target(target);
        }
        if !hushed {
            for text in std::mem::take(&mut self.held) {
                self.write(text);
            }
        }
    }

    /// Shows the last line of what runs.
    pub fn tick(&mut self, run: &runbook_core::RunId, logs: &Logs) {
        if let Mode::Live(live) = &mut self.mode {
            live.tick(run, logs);
        }
    }

    pub fn is_live(&self) -> bool {
        matches!(self.mode, Mode::Live(_))
    }

    /// Takes away what is not meant to stay.
    pub fn close(&mut self) {
        if let Mode::Live(live) = &mut self.mode {
            live.steps.clear();
            let _ = live.bars.clear();
        }
    }
}

impl Live {
    fn event(&mut self, run: &Run, event: &Event) {
        let path = match &event.fact {
            Fact::StepResolved { path, .. } | Fact::AttemptStarted { path, .. } => path,
            _ => return self.sweep(run),
        };
        if let Some(step) = run.find_step(path)
            && !matches!(step.standing(), Standing::Ended(_) | Standing::Deciding(_))
        {
            let shown = shown_path(path);
            let inner = (shown != *path).then(|| name(run, path));
            let title = match inner {
                Some(inner) => format!("{} › {inner}", name(run, &shown)),
                None => name(run, path),
            };
            let attempt = matches!(event.fact, Fact::AttemptStarted { .. }).then(|| (path.clone(), step.attempt()));
            let bars = &self.bars;
            let bar = self.steps.entry(shown.clone()).or_insert_with(|| {
                let bar = bars.add(ProgressBar::new_spinner());
                let style = ProgressStyle::with_template("{elapsed:>6}  {spinner} {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                bar.enable_steady_tick(Duration::from_millis(120));
                Bar { bar, title: String::new(), attempt: None }
            });
            bar.title = format!("{}{title}", "  ".repeat(shown.depth()));
            bar.attempt = attempt.or(bar.attempt.take());
            bar.bar.set_message(format!("running   {}", bar.title));
        }
        self.sweep(run);
    }

    /// Takes away the bars of steps that have ended.
    fn sweep(&mut self, run: &Run) {
        self.steps.retain(|path, bar| {
            let goes_on = run.find_step(path).is_some_and(|s| !matches!(s.standing(), Standing::Ended(_) | Standing::Deciding(_)));
            if !goes_on || run.outcome().is_some() {
                bar.bar.finish_and_clear();
                return false;
            }
            true
        });
    }

    fn tick(&mut self, run: &runbook_core::RunId, logs: &Logs) {
        for bar in self.steps.values() {
            let Some((path, attempt)) = &bar.attempt else { continue };
            let Ok(reader) = logs.reader(run, path, *attempt) else { continue };
            let Ok(tail) = reader.tail(TAIL) else { continue };
            let text = plain_bytes(&tail);
            if let Some(last) = text.lines().rev().find(|l| !l.trim().is_empty()) {
                let last: String = line(last).chars().take(60).collect();
                bar.bar.set_message(format!("running   {}  {}", bar.title, Tone::Quiet.paint(&format!("│ {last}"))));
            }
        }
    }
}

/// The step of the two shown levels that a step stands in.
fn shown_path(path: &StepPath) -> StepPath {
    let mut rest = path.as_str();
    let mut depth = path.depth();
    while depth >= LEVELS {
        rest = rest.rsplit_once('/').map_or(rest, |(before, _)| before);
        depth -= 1;
    }
    if rest.len() == path.as_str().len() {
        return path.clone();
    }
    let head = rest.rfind('/').map_or(0, |slash| slash + 1);
    let cut = rest[head..].find(['[', '.', '~']).map_or(rest.len(), |at| head + at);
    rest[..cut].parse().unwrap_or_else(|_| path.clone())
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
    fn observe(&mut self, run: &Run, event: &Event) {
        self.with(|screen| screen.event(run, event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeper_steps_are_folded() {
        for (path, shown) in [
            ("a", "a"),
            ("a/b", "a/b"),
            ("a/b/c", "a/b"),
            ("a[1]/b/c/d", "a[1]/b"),
            ("a/b[2]/c", "a/b"),
            ("a.left/b[1]/c", "a.left/b"),
        ] {
            assert_eq!(shown_path(&path.parse().unwrap()).as_str(), shown, "{path}");
        }
    }
}
