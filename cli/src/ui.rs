//! The only writer to a terminal. Data goes to standard output, everything else to standard error; without a terminal both
//! are plain text that is only ever added to.
//!
//! Invariants: every text that came from outside this program passes `plain` or `line` before it is written, so nothing
//! in an output, an input or a reason can move the cursor, hide text or forge a line of ours; colour never says anything
//! that a word beside it does not say too.

pub mod ask;
pub mod crash;
pub mod hidden;
pub mod live;
pub mod log;
pub mod narrate;
mod printer;
pub mod request;
pub mod screen;
mod style;
mod table;
pub mod words;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anstream::adapter::strip_str;
use clap::CommandFactory;

pub use runbook_engine::report::plain::{line, plain, plain_bytes};
pub use style::Tone;
pub use table::table;

use self::printer::{Printer, Stream};
use crate::args::{Cli, Global};
use crate::exit::Trouble;
use crate::settings::{Color, Progress};

/// What the process's streams can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    pub stdin_is_terminal: bool,
    pub stdout_is_terminal: bool,
    pub stderr_is_terminal: bool,
    /// NO_COLOR is set and not empty.
    pub no_color: bool,
    /// CLICOLOR_FORCE is set and not `0`.
    pub force_color: bool,
    /// TERM is `dumb`, or nothing says what the terminal is.
    pub dumb: bool,
}

impl Streams {
    pub fn of_process() -> Streams {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        Streams {
            stdin_is_terminal: io::stdin().is_terminal(),
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
            no_color: set("NO_COLOR").is_some(),
            force_color: set("CLICOLOR_FORCE").is_some_and(|v| v != "0"),
            dumb: set("TERM").is_none_or(|v| v == "dumb"),
        }
    }

    fn colours(self, setting: Color, is_terminal: bool) -> bool {
        match setting {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if self.no_color => false,
            Color::Auto => self.force_color || (is_terminal && !self.dumb),
        }
    }
}

/// How a run is shown, once `auto` is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Display {
    Live,
    Plain,
    None,
}

pub struct Ui {
    pub printer: Printer,
    streams: Streams,
    progress: Progress,
    color: Color,
    /// The settings that were given as flags, as they stand in a command.
    flags: String,
    /// A question stands on the line that the cursor is on.
    asking: bool,
}

impl Ui {
    pub fn new(streams: Streams, color: Color, progress: Progress) -> Ui {
        Ui { printer: Printer::default(), streams, progress, color, flags: String::new(), asking: false }
    }

    /// Commands that are shown to be copied need the settings that this one was given.
    #[must_use]
    pub fn with_flags(self, flags: &Global) -> Ui {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let given = [
            ("--state", path(&flags.state)),
            ("--catalogue", path(&flags.catalogue)),
            ("--server", flags.server.clone()),
            ("--server-ca", path(&flags.server_ca)),
        ];
        let given = given.into_iter().filter_map(|(flag, value)| Some(format!(" {flag} {}", words::shell_word(&value?))));
        Ui { flags: given.collect(), ..self }
    }

    /// A command line of this program, as it works when it is copied.
    pub fn command(&self, line: &str) -> String {
        let parts = line.split(" && ").map(|part| match part.strip_prefix("runbook ") {
            Some(rest) => format!("runbook{} {rest}", self.flags),
            None => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join(" && ")
    }

    /// Whether a person can be asked: both ends of a question are a terminal.
    pub fn can_ask(&self) -> bool {
        self.streams.stdin_is_terminal && self.streams.stderr_is_terminal
    }

    /// Whether standard error is coloured.
    pub fn colours(&self) -> bool {
        self.streams.colours(self.color, self.streams.stderr_is_terminal)
    }

    /// Whether standard output is.
    pub fn colours_of_data(&self) -> bool {
        self.streams.colours(self.color, self.streams.stdout_is_terminal)
    }

    /// How a run is shown on standard error.
    pub fn display(&self) -> Display {
        self.display_on(self.streams.stderr_is_terminal)
    }

    /// How a recorded run is shown on standard output.
    pub fn display_of_data(&self) -> Display {
        self.display_on(self.streams.stdout_is_terminal)
    }

    fn display_on(&self, is_terminal: bool) -> Display {
        match self.progress {
            Progress::None => Display::None,
            Progress::Auto | Progress::Live if is_terminal && !self.streams.dumb => Display::Live,
            Progress::Auto | Progress::Live | Progress::Plain => Display::Plain,
        }
    }

    /// One line, or several, of data. Where the reader has gone away, what was found still decides how the program exits.
    pub fn data(&mut self, text: &str) -> io::Result<()> {
        match self.printer.print(Stream::Output, coloured(format!("{text}\n"), self.colours_of_data())) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    /// Bytes of data as they are, of which there may be any number: without a reader there is no more to do.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// One line, or several, of progress. A terminal that has gone away is no reason to stop a run.
    pub fn say(&mut self, text: &str) {
        self.break_off();
        self.progress(format!("{text}\n"));
    }

    /// A question, which the cursor stays behind.
    pub fn prompt(&mut self, text: &str) {
        self.break_off();
        self.progress(text.to_owned());
        self.asking = true;
    }

    /// The question was answered, and the person has ended its line.
    pub fn answered(&mut self) {
        self.asking = false;
    }

    /// Ends the line of a question that nobody answers any more.
    pub fn break_off(&mut self) {
        if std::mem::take(&mut self.asking) {
            self.progress("\n".to_owned());
        }
    }

    fn progress(&self, text: String) {
        self.printer.write(Stream::Error, coloured(text, self.colours()));
    }

    /// What is wrong with a command line, which quotes it; where it was not the wish for help, with the page that helps.
    pub fn usage(&mut self, wrong: &clap::Error) {
        let text = wrong.render().to_string();
        let own = text.trim_end().strip_suffix("For more information, try '--help'.");
        self.say(plain(own.unwrap_or(&text)).trim_end());
        if own.is_some() {
            let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
            self.next(&help_for(&words));
        }
    }

    pub fn trouble(&mut self, trouble: &Trouble) {
        let text = format!("{}: {}", Tone::Bad.paint("error"), plain(&trouble.message));
        self.say(&text);
        if let Some(next) = &trouble.next {
            self.next(next);
        }
    }

    /// The one next thing to do.
    pub fn next(&mut self, next: &str) {
        let text = format!("{}: {}", Tone::Strong.paint("next"), plain(&self.command(next)));
        self.say(&text);
    }
}

/// A text as it is, or without its colours.
fn coloured(text: String, colours: bool) -> String {
    if colours { text } else { strip_str(&text).to_string() }
}

/// The command that prints the help of the command that a line begins with.
fn help_for(words: &[String]) -> String {
    let program = Cli::command();
    match words.iter().find_map(|word| program.find_subcommand(word)).filter(|command| !command.is_hide_set()) {
        Some(command) => format!("runbook {} --help", command.get_name()),
        None => "runbook --help".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_is_that_of_the_command() {
        for (line, help) in [
            ("exec a --sep", "runbook exec --help"),
            ("-C exec-here dry-run --nonsense", "runbook dry-run --help"),
            ("exce a", "runbook --help"),
            ("", "runbook --help"),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(help_for(&words), help, "{line}");
        }
    }

    const PIPE: Streams = Streams {
        stdin_is_terminal: false,
        stdout_is_terminal: false,
        stderr_is_terminal: false,
        no_color: false,
        force_color: false,
        dumb: false,
    };

    #[test]
    fn commands_carry_the_flags() {
        let global = Global { state: Some("my state".into()), ..Global::default() };
        let ui = Ui::new(PIPE, Color::Auto, Progress::Auto).with_flags(&global);
        for (line, command) in [
            ("runbook show x", "runbook --state 'my state' show x"),
            (
                "runbook approve x && runbook resume x",
                "runbook --state 'my state' approve x && runbook --state 'my state' resume x",
            ),
            ("cd there && runbook exec hello", "cd there && runbook --state 'my state' exec hello"),
            ("give another name", "give another name"),
        ] {
            assert_eq!(ui.command(line), command);
        }
    }

    #[test]
    fn when_to_colour() {
        let pipe = PIPE;
        for (name, streams, setting, is_terminal, expect) in [
            ("pipe", pipe, Color::Auto, false, false),
            ("terminal", pipe, Color::Auto, true, true),
            ("dumb", Streams { dumb: true, ..pipe }, Color::Auto, true, false),
            ("NO_COLOR", Streams { no_color: true, ..pipe }, Color::Auto, true, false),
            ("CLICOLOR_FORCE", Streams { force_color: true, ..pipe }, Color::Auto, false, true),
            ("both: no wins", Streams { force_color: true, no_color: true, ..pipe }, Color::Auto, true, false),
            ("flag over NO_COLOR", Streams { no_color: true, ..pipe }, Color::Always, false, true),
            ("flag over FORCE", Streams { force_color: true, ..pipe }, Color::Never, true, false),
        ] {
            assert_eq!(streams.colours(setting, is_terminal), expect, "{name}");
        }
    }
}
