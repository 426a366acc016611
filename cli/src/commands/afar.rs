//! Runs of a server: how it is reached, and which commands are about runs at all.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use runbook_server::client::{Reach, Remote};
use secrecy::SecretString;

use crate::args::Command;
use crate::exit::Trouble;
use crate::settings::{Origin, Setting, Settings};

/// Where the token stands.
const TOKEN: &str = "RUNBOOK_TOKEN";

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// Runs, wherever they are, and what is known beside them.
    Runs,
    /// The state folder of this machine, of which a server has its own.
    State,
    /// Files, or this program.
    Neither,
}

fn about(command: &Command) -> About {
    match command {
        Command::Exec(_)
        | Command::Resume(_)
        | Command::Undo(_)
        | Command::Show(_)
        | Command::Report(_)
        | Command::Logs(_)
        | Command::Approve(_)
        | Command::Reject(_)
        | Command::Answer(_)
        | Command::Runs(_)
        | Command::Decisions(_)
        | Command::Cancel(_)
        | Command::Acknowledge(_)
        | Command::Pause(_)
        | Command::Note(_)
        | Command::Verify(_)
        | Command::Export(_)
        | Command::Replay(_)
        | Command::Events(_)
        | Command::DryRun(_)
        | Command::Audit(_)
        | Command::OnCall(_)
        | Command::Config(_) => About::Runs,
        Command::Anchor(_)
        | Command::Trigger(_)
        | Command::Serve(_)
        | Command::Token(_)
        | Command::Account(_)
        | Command::Session(_)
        | Command::Doctor(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Prune(_) => About::State,
        Command::Init(_)
        | Command::New(_)
        | Command::Check(_)
        | Command::Explain(_)
        | Command::Fmt(_)
        | Command::Lsp(_)
        | Command::Schema(_)
        | Command::Explore(_)
        | Command::Diff(_)
        | Command::Review(_)
        | Command::Test(_)
        | Command::Docs(_)
        | Command::Completions(_)
        | Command::Man(_) => About::Neither,
    }
}

/// Refuses what no server can be asked for.
pub fn makes_sense(command: &Command, settings: &Settings) -> Result<(), Trouble> {
    let Some(Setting { value: server, origin }) = &settings.server else { return Ok(()) };
    match about(command) {
        About::Runs => Ok(()),
        // Which of the two is meant must not be guessed.
        About::State => {
            let why = format!("this is for the state folder of a machine, and the server {server} is meant ({origin})");
            let next = match origin {
                Origin::Flag(_) => "do it on the machine of the server, without --server",
                _ => "name the folder with --state DIR",
            };
            Err(Trouble::not_valid(why).next(next))
        }
        About::Neither if matches!(origin, Origin::Flag(_)) => {
            Err(Trouble::not_valid("no server is asked for this").next("leave --server out"))
        }
        About::Neither => Ok(()),
    }
}

/// The server that is meant. Nothing is asked yet.
pub fn reach(server: &Setting<String>, settings: &Settings) -> Result<Remote, Trouble> {
    let authorities = settings.server_ca.as_ref().map(|file| {
        let path = &file.value;
        std::fs::read(path).map_err(|why| Trouble::unreadable(path, &why))
    });
    let token = match (std::env::var(TOKEN).ok().filter(|token| !token.is_empty()), &settings.token_file) {
        (Some(token), _) => Some(SecretString::from(token)),
        (None, Some(file)) => Some(of_file(&file.value)?),
        (None, None) => None,
    };
    // It is in memory from now on: a crash must not write it into a core file.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    Ok(Remote::new(Reach { address: server.value.clone(), token, authorities: authorities.transpose()? })?)
}

/// A token from a file that nobody else can read.
fn of_file(path: &Path) -> Result<SecretString, Trouble> {
    let cannot = |why: std::io::Error| Trouble::unreadable(path, &why);
    let mode = std::fs::metadata(path).map_err(cannot)?.permissions().mode();
    if mode & 0o077 != 0 {
        let why = format!("others of this machine can read the token in {}", path.display());
        let next = format!("chmod 600 {}", crate::ui::words::shell_word(&path.to_string_lossy()));
        return Err(Trouble::not_valid(why).next(next));
    }
    Ok(SecretString::from(std::fs::read_to_string(path).map_err(cannot)?.trim().to_owned()))
}
