//! The arguments of those who look who is on call, and who change it.

use clap::{Args, Subcommand};
use runbook_core::limits;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct OnCall {
    #[command(subcommand)]
    pub part: Option<OnCallPart>,
    /// One rotation of the workspace; all of them where none is given
    pub rotation: Option<String>,
    /// At this time: a day or a time of the rotation's zone, an instant, or how long from now (`8h`)
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// List the shifts of so many days
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=i64::from(limits::ON_CALL_DAYS)))]
    pub days: Option<u16>,
    /// Print one JSON object per rotation, or with --days per shift
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum OnCallPart {
    /// Let somebody of a rotation stand in for whoever's turn it is
    ///
    /// At once, and kept in the state folder; the audit log says who did it. It counts for what is asked from then on: who was asked before may still
    /// decide. Only somebody who is in the rotation can stand in: whom the workspace does not have there, it brings in when it is edited.
    Override(Override),
    /// Let go of such an override
    Cancel(CancelOverride),
}

#[derive(Debug, Args)]
pub struct Override {
    /// The rotation
    pub rotation: String,
    /// The person of the rotation who is on call
    #[arg(long, value_name = "PERSON")]
    pub who: String,
    /// When it begins: a day or a time of the rotation's zone, an instant, or how long from now [default: now]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// When it ends; a day is still inside
    #[arg(long, value_name = "TIME")]
    pub until: String,
    /// Why; told to whoever looks who is on call
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Print it as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CancelOverride {
    /// The number that `runbook oncall` shows
    pub id: i64,
}
