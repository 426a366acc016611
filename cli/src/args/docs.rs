//! What is written for people: of procedures, and of this program.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

#[derive(Debug, Args)]
pub struct Docs {
    /// Names of procedures of the catalogue, or files; or one page of the reference
    #[arg(value_name = "PROCEDURE|FILE|PAGE", value_hint = ValueHint::FilePath)]
    pub what: Vec<String>,
    /// How the pages are written
    #[arg(long, value_enum, default_value_t = GuideFormat::Md)]
    pub format: GuideFormat,
    /// With the gates of this environment of the workspace alone [default: those of each, by name]
    #[arg(long, short = 'e', value_name = "ENV")]
    pub env: Option<String>,
    /// Write a page for each into this folder; all of the catalogue and an index where none is named
    #[arg(long, short = 'o', value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Write nothing; name the pages of the folder that are stale, missing or left over, and exit 1 if there are any
    #[arg(long, requires = "out")]
    pub check: bool,
    /// List all procedures with owners, reviews and exercises, those marked that are overdue today
    #[arg(long, conflicts_with_all = ["what", "out"])]
    pub index: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GuideFormat {
    /// Markdown, with a Mermaid chart
    Md,
    /// One page that stands by itself
    Html,
    /// For `man`, section 7
    Man,
    /// A sheet to be printed, ticked and signed
    Manual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// What a dry run says, and its JSON
    DryRun,
    /// Every key of the procedure language
    Format,
    /// How to set up editors, and what they can then do
    Editors,
    /// What a server does: events over HTTP, lives of runs, how it stops
    Serve,
    /// What a record holds and how to prove it, also without this program
    Record,
}
