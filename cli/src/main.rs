//! `runbook`: the program people run. It parses the command line, resolves settings and hands over to one command; it holds
//! no logic of procedures or runs.
//!
//! Only this crate reads configuration and writes to a terminal, and within it only [`ui`].

mod args;
mod commands;
mod exit;
mod settings;
mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::args::Cli;
use crate::exit::Exit;
use crate::settings::{Color, Progress};
use crate::ui::{Streams, Ui};

fn main() -> ExitCode {
    ui::crash::watch();
    // The sandboxed child of a `rhai` step: it does that and nothing else, before anything is read or set up.
    let words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|first| first == runbook_engine::action::rhai::SUBCOMMAND) {
        return runbook_engine::action::rhai::child_main();
    }
    let streams = Streams::of_process();
    let cli = match Cli::read(&words) {
        Ok(cli) => cli,
        // What was asked for: help, or the version.
        Err(shown) if !shown.use_stderr() => shown.exit(),
        Err(wrong) => {
            Ui::new(streams, Color::Auto, Progress::Auto).usage(&wrong);
            return Exit::NotValid.into();
        }
    };
    let settings = match commands::settings_of_process(&cli.global) {
        Ok(settings) => settings,
        Err(trouble) => {
            Ui::new(streams, Color::Auto, Progress::Auto).trouble(&trouble);
            return trouble.exit.into();
        }
    };
    let mut ui = Ui::new(streams, settings.color.value, settings.progress.value).with_flags(&cli.global);
    let exit = match commands::dispatch(cli.command, &settings, &mut ui) {
        Ok(exit) => exit,
        // The reader of our output went away: it has seen what it wanted.
        Err(trouble) if trouble.is_broken_pipe() => Exit::Succeeded,
        Err(trouble) => {
            ui.trouble(&trouble);
            trouble.exit
        }
    };
    exit.into()
}
