//! The arguments of whoever runs a server: tokens, accounts and sessions, and what was done with them.

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
    /// Print one JSON object for each
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// The id of the token: what stands between the first `_` and the second
    pub id: String,
}

#[derive(Debug, Args)]
pub struct Account {
    #[command(subcommand)]
    pub part: AccountPart,
}

#[derive(Debug, Subcommand)]
pub enum AccountPart {
    /// Let a person of the workspace log in with a password
    ///
    /// The password is asked for twice, and not shown; without a terminal it is the first line of standard input. It has at least 12 characters.
    /// What it opens is what `access` of the workspace lets that person do. Kept is its hash alone (argon2id).
    Add(Whose),
    /// List all accounts
    List(List),
    /// Give an account another password, and end all its sessions
    ///
    /// The password is read as by `add`.
    Password(Whose),
    /// Let a person log in no more, and end all their sessions
    Remove(Whose),
}

#[derive(Debug, Args)]
pub struct Whose {
    /// The person, as the workspace calls them
    pub person: String,
}

#[derive(Debug, Args)]
pub struct Session {
    #[command(subcommand)]
    pub part: SessionPart,
}

#[derive(Debug, Subcommand)]
pub enum SessionPart {
    /// List the sessions that are open, the newest first; never their secrets
    List(List),
    /// End a session, or all of a person, at once
    Revoke(Revoked),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Revoked {
    /// The id of the session
    pub id: Option<String>,
    /// All sessions of this person
    #[arg(long = "for", value_name = "PERSON")]
    pub person: Option<String>,
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
