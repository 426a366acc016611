//! The commands that serve whoever writes documents.

use clap::{Args, ValueHint};

#[derive(Debug, Args)]
pub struct Fmt {
    /// Files, folders or names of procedures; the whole catalogue where none is given; `-` reads standard input and prints
    #[arg(value_name = "PROCEDURE|PATH|-", value_hint = ValueHint::AnyPath)]
    pub what: Vec<String>,
    /// Write nothing; name the files that would change, and exit 1 if there are any
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Args)]
pub struct Lsp {
    /// Speak over standard input and output; there is no other way
    #[arg(long, hide = true)]
    pub stdio: bool,
}

#[derive(Debug, Args)]
pub struct Schema {}
