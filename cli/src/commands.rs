//! One file per command: each turns its arguments into calls of the engine and what comes back into text.

mod account;
mod afar;
mod ahead;
mod anchor;
mod attend;
mod audit;
mod backup;
mod check;
mod completions;
mod config;
mod control;
mod decide;
mod decisions;
mod diff;
mod docs;
mod doctor;
mod dry_run;
mod events;
mod exec;
mod explain;
mod explore;
mod export;
mod fmt;
mod init;
mod logs;
mod lsp;
mod man;
mod new;
mod on_call;
mod prune;
mod replay;
mod reply;
mod report;
mod resume;
mod review;
mod runs;
mod schema;
mod serve;
mod session;
mod show;
mod store;
mod test;
mod token;
mod trigger;
mod verify;

use std::io::ErrorKind;
use std::path::PathBuf;

use crate::args::{Command, Global};
use crate::exit::{Outcome, Trouble};
use crate::settings::{Process, Settings};
use crate::ui::Ui;

pub fn dispatch(command: Command, settings: &Settings, ui: &mut Ui) -> Outcome {
    afar::makes_sense(&command, settings)?;
    match command {
        Command::Init(args) => init::run(&args, settings, ui),
        Command::New(args) => new::run(&args, settings, ui),
        Command::Check(args) => check::run(&args, settings, ui),
        Command::Explain(args) => explain::run(&args, ui),
        Command::Fmt(args) => fmt::run(&args, settings, ui),
        Command::Lsp(args) => lsp::run(&args, settings),
        Command::Schema(args) => schema::run(&args, ui),
        Command::Exec(args) => exec::run(&args, settings, ui),
        Command::Trigger(args) => trigger::run(&args, settings, ui),
        Command::Events(args) => events::run(&args, settings, ui),
        Command::Serve(args) => serve::run(&args, settings, ui),
        Command::Token(args) => token::run(&args, settings, ui),
        Command::Account(args) => account::run(&args, settings, ui),
        Command::Session(args) => session::run(&args, settings, ui),
        Command::Audit(args) => audit::run(&args, settings, ui),
        Command::Doctor(args) => doctor::run(&args, settings, ui),
        Command::Backup(args) => backup::backup(&args, settings, ui),
        Command::Restore(args) => backup::restore(&args, settings, ui),
        Command::Prune(args) => prune::run(&args, settings, ui),
        Command::DryRun(args) => dry_run::run(&args, settings, ui),
        Command::Explore(args) => explore::run(&args, settings, ui),
        Command::Diff(args) => diff::run(&args, settings, ui),
        Command::Review(args) => review::run(&args, settings, ui),
        Command::Test(args) => test::run(&args, settings, ui),
        Command::Resume(args) => resume::resume(&args, settings, ui),
        Command::Undo(args) => resume::undo(&args, settings, ui),
        Command::Show(args) => show::run(&args, settings, ui),
        Command::Report(args) => report::run(&args, settings, ui),
        Command::Logs(args) => logs::run(&args, settings, ui),
        Command::Approve(args) => decide::approve(&args, settings, ui),
        Command::Reject(args) => decide::reject(&args, settings, ui),
        Command::Answer(args) => decide::answer(&args, settings, ui),
        Command::Runs(args) => runs::run(&args, settings, ui),
        Command::OnCall(args) => on_call::run(&args, settings, ui),
        Command::Decisions(args) => decisions::run(&args, settings, ui),
        Command::Cancel(args) => control::cancel(&args, settings, ui),
        Command::Acknowledge(args) => control::acknowledge(&args, settings, ui),
        Command::Pause(args) => control::pause(&args, settings, ui),
        Command::Note(args) => control::note(&args, settings, ui),
        Command::Verify(args) => verify::run(&args, settings, ui),
        Command::Anchor(args) => anchor::run(&args, settings, ui),
        Command::Export(args) => export::run(&args, settings, ui),
        Command::Replay(args) => replay::run(&args, settings, ui),
        Command::Config(args) => config::run(&args, settings, ui),
        Command::Docs(args) => docs::run(&args, settings, ui),
        Command::Completions(args) => completions::run(&args, ui),
        Command::Man(args) => man::run(&args, ui),
    }
}

/// The folder of the user's settings.
pub fn config_folder() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    base.unwrap_or_default().join("runbook")
}

/// Resolves the settings from this process's environment and files.
pub fn settings_of_process(flags: &Global) -> Result<Settings, Trouble> {
    let working_dir = std::env::current_dir()
        .map_err(|why| Trouble::failed(format!("there is no working folder: {why}")).next("change to a folder that exists"))?;
    Settings::resolve(
        flags,
        &Process {
            variable: &|name| std::env::var_os(name),
            working_dir: &working_dir,
            read: &|path| match std::fs::read_to_string(path) {
                Ok(text) => Ok(Some(text)),
                Err(why) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
                Err(why) => Err(why.to_string()),
            },
        },
    )
}
