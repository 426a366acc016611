//! The arguments of whoever keeps a machine with runs: is it well, and is there a copy of what it knows.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueHint};

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
    /// Judge procedures as they are in this environment of the workspace
    #[arg(long, short = 'e', value_name = "NAME")]
    pub env: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}
