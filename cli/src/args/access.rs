//! The arguments of whoever runs a server: tokens, and what was done with them.

use std::num::NonZeroUsize;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use runbook_core::policy::access::Role;

#[derive(Debug, Args)]
pub struct Token {
    #[command(subcommand)]
    pub part: TokenPart,
}

#[derive(Debug, Subcommand)]
pub enum TokenPart {
    /// Make a token for a person of the workspace, and print it: it is seen this once
    ///
    /// Whoever has it may do what `access` of the workspace lets that person do; --role and --label make it less. Give programs people of
    /// their own, and a token without the role `approver`: a program does not decide.
    Create(Create),
    /// List all tokens, the newest first; never their secrets
    List(List),
    /// Let nobody in with a token any more, at once
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub struct Create {
    /// The person of the workspace who will come with it
    #[arg(long = "for", value_name = "PERSON")]
    pub person: String,
    /// Only what this role may; several may be given [default: all that the person may]
    #[arg(long, value_name = "ROLE", value_parser = role())]
    pub role: Vec<Role>,
    /// Only for procedures with this label; several may be given
    #[arg(long, value_name = "NAME=VALUE")]
    pub label: Vec<String>,
    /// Until when, as a time (2026-01-31T18:00Z) or from now (8h)
    #[arg(long, value_name = "WHEN", default_value = "90d")]
    pub expires: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

#[derive(Debug, Args)]
pub struct List {
    /// Print one JSON object per token
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// The id of the token: what stands between the first `_` and the second
    pub id: String,
}

/// A role by its name.
fn role() -> impl TypedValueParser<Value = Role> {
    let known = PossibleValuesParser::new(Role::ALL.map(Role::name));
    known.try_map(|name| Role::ALL.into_iter().find(|role| role.name() == name).ok_or("no such role"))
}

#[derive(Debug, Args)]
pub struct Audit {
    /// At most this many entries
    #[arg(long, short = 'n', value_name = "COUNT", default_value = "50")]
    pub limit: NonZeroUsize,
    /// Only entries before this number: the next page
    #[arg(long, value_name = "NUMBER")]
    pub before: Option<u64>,
    /// Print one JSON object per entry
    #[arg(long)]
    pub json: bool,
}
