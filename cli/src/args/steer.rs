//! The arguments of those who say something to a run: cancel, pause, undo and note.

use clap::Args;

use super::{EXIT_CODES, RunArg};

#[derive(Debug, Args)]
pub struct Cancel {
    #[command(flatten)]
    pub run: RunArg,
    /// Also take back what was done, from the last change to the first
    #[arg(long)]
    pub undo: bool,
    /// Why
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct Pause {
    #[command(flatten)]
    pub run: RunArg,
    /// Why
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Undo {
    #[command(flatten)]
    pub run: RunArg,
    /// Why
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub reason: Option<String>,
    /// Skip the question whether to start; never answers a decision
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Print the events of the run as JSON lines on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Note {
    #[command(flatten)]
    pub run: RunArg,
    /// The remark
    pub text: String,
}
