//! The arguments of what is done with records.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::RunArg;

#[derive(Debug, Args)]
pub struct Verify {
    /// A run of the store, or a file that `runbook export` wrote
    #[arg(value_name = "RUN|FILE", value_hint = ValueHint::FilePath)]
    pub what: String,
    /// A hash that you know of, from an approval or an earlier `verify`: the record must contain it
    #[arg(long, value_name = "DIGEST")]
    pub head: Vec<String>,
    /// A signed head that `runbook anchor` wrote: the record must contain it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub anchor: Vec<PathBuf>,
    /// Whose signatures count, as OpenSSH reads it (allowed_signers): somebody in it must have signed a head of the record
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub signers: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Anchor {
    #[command(flatten)]
    pub run: RunArg,
    /// Where to [default: standard output]
    #[arg(long, short = 'o', value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// The key that signs [default: the first of your workspace's keys that the SSH agent holds]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub run: RunArg,
    /// Where to [default: standard output]
    #[arg(long, short = 'o', value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Replay {
    /// A run of the store, or a file that `runbook export` wrote
    #[arg(value_name = "RUN|FILE", value_hint = ValueHint::FilePath)]
    pub what: String,
    /// Keep the pauses, this many times faster; without it the run is shown at once
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<f64>,
    /// Go on showing what another process records, until the run ends or nobody is at work on it
    #[arg(long, short = 'f')]
    pub follow: bool,
}
