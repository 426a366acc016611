//! What reviewers ask before anything runs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::{Given, RunArg};

#[derive(Debug, Args)]
pub struct DryRun {
    /// Name of a procedure of the catalogue, or a file
    #[arg(value_name = "PROCEDURE|FILE", value_hint = ValueHint::FilePath)]
    pub procedure: String,
    #[command(flatten)]
    pub given: Given,
    /// Take the `example` of a step as its outputs, where it has one
    #[arg(long)]
    pub examples: bool,
    /// Take inputs, environment, what steps give and what people say from a case of a test
    #[arg(long, value_name = "TESTFILE:CASE")]
    pub with: Option<String>,
    /// Really run the steps of effect `read`, and nothing above it, to know what they give; no run is recorded
    #[arg(long, conflicts_with = "with")]
    pub probe: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text, conflicts_with = "json")]
    pub format: Format,
    /// Print one JSON document, as `--format json` does
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// A table, and each step in full, folded
    Markdown,
    /// One document
    Json,
    /// One page that stands by itself
    Html,
}

#[derive(Debug, Args)]
pub struct Explore {
    /// Name of a procedure of the catalogue, or a file
    #[arg(value_name = "PROCEDURE|FILE", value_hint = ValueHint::FilePath)]
    pub procedure: String,
    /// With the rules of this environment of the workspace
    #[arg(long, short = 'e', value_name = "ENV")]
    pub env: Option<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
    /// Exit 1 for any finding, and where the walk stopped at its bound
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Args)]
pub struct Diff {
    /// A file, NAME or NAME@VERSION of the catalogue, or a git revision's file (main:runbooks/x.yaml, HEAD~1:./x.yaml)
    pub old: String,
    /// The same; where OLD is a revision's file, the file as it is now if absent
    pub new: Option<String>,
    /// With the rules of this environment of the workspace alone [default: of every one that either version has]
    #[arg(long, short = 'e', value_name = "ENV")]
    pub env: Option<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
    /// Exit 1 where a version is not raised as far as its changes ask for
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Args)]
pub struct Review {
    /// The revision that the change is to go into
    #[arg(long, value_name = "REVISION")]
    pub against: String,
    /// With the rules of this environment of the workspace alone [default: of every one that either version has]
    #[arg(long, short = 'e', value_name = "ENV")]
    pub env: Option<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = ReviewFormat::Text)]
    pub format: ReviewFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReviewFormat {
    Text,
    /// One comment of at most 60 kB, details folded
    Markdown,
    /// New findings as SARIF 2.1.0
    Sarif,
    /// New findings as annotations of a GitHub workflow
    Github,
    /// New findings as a GitLab code quality report
    Gitlab,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Text,
    Markdown,
    Json,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Test {
    #[command(subcommand)]
    pub part: Option<TestPart>,
    #[command(flatten)]
    pub play: Play,
}

#[derive(Debug, Subcommand)]
pub enum TestPart {
    Record(Record),
}

#[derive(Debug, Args)]
pub struct Play {
    /// Files, folders or names of procedures; the whole catalogue where none is given
    #[arg(value_name = "PROCEDURE|PATH", value_hint = ValueHint::AnyPath)]
    pub what: Vec<String>,
    /// Only cases whose name, file or procedure has this text in it
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Run cases against the real systems that their `setup` starts, and not in production; needs `real: true` or `setup` in the case
    #[arg(long, conflicts_with = "watch")]
    pub real: bool,
    /// Show what no case has been through, and of how much
    #[arg(long)]
    pub coverage: bool,
    /// Print only what belongs beside lines: what does not hold, and, with --coverage, what no case has been through
    #[arg(long, value_name = "FOR", value_enum, conflicts_with_all = ["json", "watch"])]
    pub annotations: Option<Annotations>,
    /// Write the results as JUnit XML, for CI
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub junit: Option<PathBuf>,
    /// Play again whenever a file changes, until it is interrupted
    #[arg(long)]
    pub watch: bool,
    /// Print one JSON object per case
    #[arg(long, conflicts_with = "watch")]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Annotations {
    /// Commands of a workflow; of each kind GitHub shows ten, the others are counted
    Github,
    /// A code quality report
    Gitlab,
}

/// Write a test out of a recorded run
///
/// The case has the run's inputs, environment and answers, what each attempt of a step came to, and expects what came of it. It is played
/// before it is written; what a case cannot say stands in it as a comment and is told. Masked secrets stay masked.
#[derive(Debug, Args)]
pub struct Record {
    #[command(flatten)]
    pub run: RunArg,
    /// What the case is called [default: the run's id]
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// Where to: a new file, or a test of the procedure, which gets one more case [default: standard output]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
}
