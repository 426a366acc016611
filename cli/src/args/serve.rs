//! The arguments of the server.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen; port 0 lets the system choose one. Beyond this machine only with TLS or behind a proxy, and once there is a token or an account
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8480")]
    pub listen: SocketAddr,
    /// The certificate to show, PEM, with those that lead to an authority behind it; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate", value_hint = ValueHint::FilePath)]
    pub tls_key: Option<PathBuf>,
    /// Those who issue certificates to people, PEM: whoever shows one is the person who has it in `certificates` of the workspace. One is
    /// asked for and not demanded
    #[arg(long, value_name = "FILE", requires = "tls_certificate", value_hint = ValueHint::FilePath)]
    pub client_ca: Option<PathBuf>,
    /// The address of a proxy that stands before the server: only it is let in, and the last address in its `X-Forwarded-For` is that of
    /// whoever asks; several may be given
    #[arg(long, value_name = "ADDRESS")]
    pub proxy: Vec<IpAddr>,
    /// A name by which people call the server, beside those of this machine: that of a proxy that passes no `Host` on, or one of your own for
    /// 127.0.0.1. Several may be given
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// A collector of OpenTelemetry, such as `http://127.0.0.1:4318`, that is told of each run that ends (OTLP over HTTP)
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub traces: Option<String>,
    /// How the log is written, to standard error
    #[arg(long, value_name = "FORM", value_enum, default_value = "text")]
    pub log: LogForm,
    /// Log each delivery, each event that was dropped and each wait too
    #[arg(long)]
    pub verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
}
