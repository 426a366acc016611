//! The arguments of whoever keeps a machine with runs: is it well, and is there a copy of what it knows.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use runbook_core::Digest;

#[derive(Debug, Args)]
pub struct Doctor {
    /// Also look through every page of the databases, and prove every record with its logs; with many runs that takes a while
    #[arg(long)]
    pub thorough: bool,
    /// Where the server listens, or would
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8480")]
    pub listen: SocketAddr,
    /// The certificate that the server shows
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_certificate", value_hint = ValueHint::FilePath)]
    pub tls_key: Option<PathBuf>,
    /// Those who issue certificates to people
    #[arg(long, value_name = "FILE", requires = "tls_certificate", value_hint = ValueHint::FilePath)]
    pub client_ca: Option<PathBuf>,
    /// Judge procedures as they are in this environment of the workspace
    #[arg(long, short = 'e', value_name = "NAME")]
    pub env: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Backup {
    /// Where to, for its owner alone; `-` for standard output. A file that is there is never overwritten
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Print what it holds as one JSON object, on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// A file that `runbook backup` wrote; `-` for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Restore nothing: unpack it into a folder for temporary files, prove it, and say what it holds
    #[arg(long, conflicts_with = "keep_tokens")]
    pub check: bool,
    /// The digest that `runbook backup` printed, where you kept it: another backup is refused
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<Digest>,
    /// Let tokens and passwords of the backup in again, also those that were revoked or changed after it was made
    #[arg(long)]
    pub keep_tokens: bool,
    /// Print what came of it as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Prune {
    /// Logs of runs that ended so long ago go
    #[arg(long, value_name = "AGE")]
    pub logs_after: Option<String>,
    /// What steps did in runs that ended so long ago goes, and their logs
    #[arg(long, value_name = "AGE")]
    pub steps_after: Option<String>,
    /// Events that came in so long ago go, and what was decided on them, where nothing depends on them any more
    #[arg(long, value_name = "AGE")]
    pub events_after: Option<String>,
    /// Write each record there first, as `runbook export` does; `runbook verify` proves such a file by itself. Events go into one file
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub export: Option<PathBuf>,
    /// Only say what would go
    #[arg(long)]
    pub dry_run: bool,
    /// Print one JSON object per run, and one for the events
    #[arg(long)]
    pub json: bool,
}
