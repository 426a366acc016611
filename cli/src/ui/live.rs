//! The foot of a window: a line for each step that runs now, two levels deep, drawn again and again beneath the lines that stay.
//!
//! Invariants: each line of the foot takes one row, and the foot never fills the window, so that what is taken away is exactly what
//! was drawn; in a window that has become narrower it is left standing instead, because nobody knows how its rows were broken.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;
use runbook_core::run::view::Standing;
use runbook_core::run::{Event, Fact, Run};
use runbook_core::{RunId, StepPath};
use runbook_engine::log::Logs;
use rustix::termios::tcgetwinsize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::narrate::name;
use super::style::Tone;
use super::words::{between, stopwatch};
use super::{line, plain_bytes};

/// Levels of steps that are shown; what is deeper is folded into the step around it.
const LEVELS: usize = 2;
/// Bytes of a log that are looked at for its last line.
const TAIL: u64 = 512;
/// Shown in turn, so that it is seen that the engine is alive.
const SPINNER: [char; 8] = ['⠋', '⠙', '⠸', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Rows and columns of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub rows: usize,
    pub columns: usize,
}

impl Window {
    /// The one that the process has, or what terminals began with.
    pub fn of_process() -> Window {
        let size = tcgetwinsize(std::io::stderr()).or_else(|_| tcgetwinsize(std::io::stdout())).ok();
        let known = |count: u16, default: usize| if count == 0 { default } else { usize::from(count) };
        Window { rows: size.map_or(24, |s| known(s.ws_row, 24)), columns: size.map_or(80, |s| known(s.ws_col, 80)) }
    }
}

/// Where the last bytes come from that an attempt has written.
pub trait Tails {
    fn tail(&self, run: &RunId, path: &StepPath, attempt: u32, bytes: u64) -> Option<Vec<u8>>;
}

impl Tails for Logs {
    fn tail(&self, run: &RunId, path: &StepPath, attempt: u32, bytes: u64) -> Option<Vec<u8>> {
        self.reader(run, path, attempt).and_then(|reader| reader.tail(bytes)).ok()
    }
}

/// Those that were fetched before, by attempt.
pub type Fetched = BTreeMap<(StepPath, u32), Vec<u8>>;

impl Tails for Fetched {
    fn tail(&self, _: &RunId, path: &StepPath, attempt: u32, _: u64) -> Option<Vec<u8>> {
        self.get(&(path.clone(), attempt)).cloned()
    }
}

#[derive(Default)]
pub struct Live {
    /// In the order in which they began.
    steps: Vec<Shown>,
    frame: usize,
    /// Rows of the foot as it stands, and the columns that it was drawn for.
    drawn: usize,
    columns: usize,
}

struct Shown {
    path: StepPath,
    since: Timestamp,
    word: &'static str,
    title: String,
    /// Whose output is shown folded.
    attempt: Option<(StepPath, u32)>,
    last: String,
}

impl Live {
    /// Takes in what an event changes about the steps that run.
    pub fn event(&mut self, run: &Run, event: &Event) {
        if let Fact::StepResolved { path, .. } | Fact::AttemptStarted { path, .. } = &event.fact
            && let Some(step) = run.find_step(path)
            && goes_on(step.standing())
        {
            let shown = shown_path(path);
            let title = match shown == *path {
                true => name(run, path),
                false => format!("{} › {}", name(run, &shown), name(run, path)),
            };
            let title = format!("{}{title}", "  ".repeat(shown.depth()));
            let attempt = matches!(event.fact, Fact::AttemptStarted { .. }).then(|| (path.clone(), step.attempt()));
            match self.steps.iter_mut().find(|s| s.path == shown) {
                Some(known) => {
                    known.title = title;
                    if attempt.is_some() {
                        (known.attempt, known.last) = (attempt, String::new());
                    }
                }
                None => {
                    self.steps.push(Shown { path: shown, since: event.at, word: "running", title, attempt, last: String::new() })
                }
            }
        }
        if run.outcome().is_some() {
            self.steps.clear();
        }
        self.steps.retain_mut(|shown| {
            let Some(standing) = run.find_step(&shown.path).map(|s| s.standing()) else { return false };
            shown.word = match standing {
                Standing::Retrying(_) => "retrying",
                Standing::Sleeping(_) => "sleeping",
                Standing::Listening => "waiting",
                _ => "running",
            };
            goes_on(standing)
        });
    }

    /// The attempts whose last lines are shown.
    pub fn attempts(&self) -> Vec<(StepPath, u32)> {
        self.steps.iter().take(Window::of_process().rows).filter_map(|shown| shown.attempt.clone()).collect()
    }

    /// Looks at the last lines of what runs.
    pub fn look(&mut self, run: &RunId, tails: &dyn Tails) {
        self.frame = self.frame.wrapping_add(1);
        for shown in self.steps.iter_mut().take(Window::of_process().rows) {
            let Some((path, attempt)) = &shown.attempt else { continue };
            let Some(tail) = tails.tail(run, path, *attempt, TAIL) else { continue };
            let text = plain_bytes(&tail);
            if let Some(last) = text.lines().rev().find(|l| !l.trim().is_empty()) {
                shown.last = line(last).into_owned();
            }
        }
    }

    /// What takes the foot away.
    pub fn erase(&mut self, window: Window) -> String {
        let drawn = std::mem::take(&mut self.drawn);
        match drawn {
            0 => String::new(),
            _ if window.columns < self.columns || window.rows <= drawn => String::new(),
            rows => format!("\r\x1b[{rows}A\x1b[J"),
        }
    }

    /// What draws it, with the cursor at the start of the row below.
    pub fn draw(&mut self, now: Timestamp, window: Window) -> String {
        let room = window.rows.saturating_sub(1);
        let shown = if self.steps.len() > room { room.saturating_sub(1) } else { self.steps.len() };
        let mut text = String::new();
        for step in &self.steps[..shown] {
            let spinner = SPINNER[self.frame % SPINNER.len()];
            let head =
                format!("{:>6}  {:<10} {}", stopwatch(between(step.since, now)), format!("{spinner} {}", step.word), step.title);
            let head = cut(&head, window.columns);
            // Two blanks, the bar and one more stand before the output.
            let room = window.columns.saturating_sub(head.width() + 4);
            let folded = match step.last.is_empty() || room == 0 {
                true => String::new(),
                false => Tone::Quiet.paint(&format!("  │ {}", cut(&step.last, room))),
            };
            let _ = writeln!(text, "{head}{folded}");
        }
        self.drawn = shown;
        if shown < self.steps.len() && room > 0 {
            let _ = writeln!(text, "{}", cut(&format!("{:>8}and {} more", "", self.steps.len() - shown), window.columns));
            self.drawn += 1;
        }
        self.columns = window.columns;
        text
    }

    pub fn clear(&mut self) {
        self.steps.clear();
    }
}

fn goes_on(standing: Standing) -> bool {
    !matches!(standing, Standing::Ended(_) | Standing::Deciding(_))
}

/// As much of a text as fits, with a mark where some is left out.
fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut left = columns.saturating_sub(1);
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        if width > left {
            break;
        }
        left -= width;
        cut.push(c);
    }
    if columns > 0 {
        cut.push('…');
    }
    cut
}

/// The step of the shown levels that a step stands in.
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

    #[test]
    fn what_is_too_wide_is_cut() {
        for (text, columns, shown) in [
            ("plain", 5, "plain"),
            ("plain", 4, "pla…"),
            ("漢字", 4, "漢字"),
            ("漢字", 3, "漢…"),
            ("漢字", 2, "…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(cut(text, columns), shown, "{text} in {columns}");
        }
    }

    fn shown(path: &str, last: &str) -> Shown {
        let path: StepPath = path.parse().unwrap();
        Shown { title: path.to_string(), path, since: Timestamp::UNIX_EPOCH, word: "running", attempt: None, last: last.to_owned() }
    }

    /// Draws over what stands there already, as a terminal of that size shows it.
    fn seen(live: &mut Live, parser: &mut vt100::Parser, window: Window) -> String {
        let text = format!("{}{}", live.erase(window), live.draw(Timestamp::UNIX_EPOCH, window));
        parser.process(text.replace('\n', "\r\n").as_bytes());
        parser.screen().contents().trim_end().to_owned()
    }

    #[test]
    fn the_foot_fits_its_window() {
        let mut live = Live { steps: (0..5).map(|n| shown(&format!("step{n}"), "a line of output")).collect(), ..Live::default() };
        for (rows, columns, last) in [
            (24, 80, "  0:00  ⠋ running  step4  │ a line of output"),
            (24, 30, "  0:00  ⠋ running  step4  │ a…"),
            (24, 12, "  0:00  ⠋ r…"),
            (4, 80, "        and 3 more"),
            (2, 80, "        and 5 more"),
            (1, 80, ""),
        ] {
            let size = |n: usize| u16::try_from(n).unwrap().try_into().unwrap();
            let mut parser = vt100::Parser::new(size(rows), size(columns), 0);
            let window = Window { rows, columns };
            (live.drawn, live.frame) = (0, 0);
            let first = seen(&mut live, &mut parser, window);
            assert_eq!(first.lines().last().unwrap_or_default(), last, "{rows} × {columns}");
            assert_eq!(seen(&mut live, &mut parser, window), first, "drawn again, {rows} × {columns}");
        }
    }

    #[test]
    fn a_narrower_window_loses_nothing_that_stays() {
        let mut live = Live { steps: vec![shown("one", "")], ..Live::default() };
        let _ = live.draw(Timestamp::UNIX_EPOCH, Window { rows: 24, columns: 80 });
        assert_eq!(live.erase(Window { rows: 24, columns: 40 }), "", "it may stand on more rows than were drawn");
        let _ = live.draw(Timestamp::UNIX_EPOCH, Window { rows: 24, columns: 40 });
        assert_eq!(live.erase(Window { rows: 24, columns: 80 }), "\r\x1b[1A\x1b[J");
    }
}
