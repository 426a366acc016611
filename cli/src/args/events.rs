//! The arguments of those who look at events: give one, list them, judge them again.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use runbook_core::id::ProcedureName;

#[derive(Debug, Args)]
pub struct Trigger {
    /// What the sender would post; `-` reads standard input
    #[arg(long, value_name = "FILE|-", default_value = "-", value_hint = ValueHint::FilePath)]
    pub event: PathBuf,
    /// The source of the workspace that it is of [default: stdin, which takes a CloudEvent, or any JSON as its data]
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Say what each trigger reads and would decide, and do nothing
    #[arg(long)]
    pub explain: bool,
    /// Skip the question whether to start; never answers a decision
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Let the runs go on in the background, and print their ids
    #[arg(long, conflicts_with = "explain")]
    pub detach: bool,
    /// Print the decisions as JSON lines; the runs go on in the background
    #[arg(long, conflicts_with = "explain")]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Events {
    #[command(subcommand)]
    pub part: Option<EventsPart>,
    /// The number of one event, to see all of it
    pub number: Option<u64>,
    /// Only events of this source
    #[arg(long, value_name = "NAME", conflicts_with = "number")]
    pub source: Option<String>,
    /// Only events on which a trigger of this procedure decided
    #[arg(long, value_name = "NAME", conflicts_with = "number")]
    pub procedure: Option<ProcedureName>,
    /// Only events with this decision
    #[arg(long, value_name = "WORD", value_enum, conflicts_with = "number")]
    pub decision: Option<Word>,
    /// Only events that started this run, or joined it
    #[arg(long, value_name = "RUN", conflicts_with = "number")]
    pub run: Option<String>,
    /// Only events before this number: the next page
    #[arg(long, value_name = "NUMBER", conflicts_with = "number")]
    pub before: Option<u64>,
    /// At most this many
    #[arg(long, short = 'n', value_name = "COUNT", default_value = "20")]
    pub limit: NonZeroUsize,
    /// Print one JSON object per event
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum EventsPart {
    /// Judge the recorded events again, by the triggers of another catalogue or version
    ///
    /// Says which decisions would be other ones, and which runs there would have been more and fewer. Runs that were are taken to have
    /// gone on as long as they did, and others as long as those of their procedure usually do. Nothing is started or recorded.
    Replay(Replay),
}

#[derive(Debug, Args)]
pub struct Replay {
    /// The folder with the changed procedures [default: the catalogue as it is now]
    #[arg(long = "with", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub with: Option<PathBuf>,
    /// From this event on
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    pub from: u64,
    /// Print one JSON object per decision that would be another one
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Word {
    Ran,
    Joined,
    Dropped,
    Deferred,
}

impl Word {
    pub fn as_str(self) -> &'static str {
        match self {
            Word::Ran => "ran",
            Word::Joined => "joined",
            Word::Dropped => "dropped",
            Word::Deferred => "deferred",
        }
    }
}
