//! The arguments of those who look who is on call.

use clap::Args;
use runbook_core::limits;

#[derive(Debug, Args)]
pub struct OnCall {
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
