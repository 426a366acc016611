//! The arguments of those who decide, or are at it: approve, reject, answer and acknowledge.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use runbook_core::id::{DecisionId, ProcedureName, StepPath};
use runbook_core::value::parse_duration;

use super::RunArg;

// Say why, and sign it.
#[derive(Debug, Clone, Default, Args)]
pub struct Voice {
    /// Why
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub reason: Option<String>,
    /// Sign the decision with your SSH key
    #[arg(long)]
    pub sign: bool,
    /// Who you are, where the terminal is somebody else's: your SSH key proves it
    #[arg(long = "as", value_name = "PERSON", requires = "sign")]
    pub person: Option<String>,
    /// The key to sign with; a public key takes its private half from the agent
    #[arg(long, value_name = "FILE", requires = "sign", value_hint = ValueHint::FilePath)]
    pub key: Option<PathBuf>,
    /// The digest that was shown, or its first twelve digits; refuses where the request has changed since
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<String>,
}

#[derive(Debug, Args)]
pub struct Approve {
    /// The id of a run, its beginning or end where that is enough, or `last`
    #[arg(value_name = "RUN", required_unless_present = "ahead")]
    pub run: Option<String>,
    /// Which decision, where there is more than one
    pub decision: Option<DecisionId>,
    #[command(flatten)]
    pub voice: Voice,
    /// For a `manual` step: what shows that the work is done
    #[arg(long, value_name = "TEXT")]
    pub evidence: Option<String>,
    /// Approve a step of this procedure before anybody asks
    #[arg(long, value_name = "PROCEDURE", conflicts_with = "run", requires_all = ["step", "uses", "expires"])]
    pub ahead: Option<ProcedureName>,
    /// With --ahead: the path of the step that asks, as `runbook dry-run` prints it; without `[n]` it means every item and round
    #[arg(long, value_name = "STEP", requires = "ahead")]
    pub step: Option<StepPath>,
    /// With --ahead: the environment of the workspace to approve it in
    #[arg(long, short = 'e', value_name = "ENV", requires = "ahead")]
    pub env: Option<String>,
    /// With --ahead: an input; where any is given, it is for runs of exactly these inputs
    #[arg(long, short = 'i', value_name = "NAME=VALUE", requires = "ahead")]
    pub input: Vec<String>,
    /// With --ahead: how many times it may be used
    #[arg(long, value_name = "COUNT", requires = "ahead")]
    pub uses: Option<u32>,
    /// With --ahead: until when, as a time (2026-01-31T18:00Z) or from now (8h)
    #[arg(long, value_name = "WHEN", requires = "ahead")]
    pub expires: Option<String>,
}

#[derive(Debug, Args)]
pub struct Reject {
    #[command(flatten)]
    pub run: RunArg,
    /// Which decision, where there is more than one
    pub decision: Option<DecisionId>,
    #[command(flatten)]
    pub voice: Voice,
}

#[derive(Debug, Args)]
pub struct Acknowledge {
    #[command(flatten)]
    pub run: RunArg,
    /// Which decision, where there is more than one
    pub decision: Option<DecisionId>,
    /// For how long others are left alone, at most a day
    #[arg(long = "for", value_name = "TIME", default_value = "30m", value_parser = parse_duration)]
    pub hold: Duration,
    /// Who is at it from now on, where it is not you
    #[arg(long, value_name = "PERSON")]
    pub to: Option<String>,
    /// Why
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct Answer {
    #[command(flatten)]
    pub run: RunArg,
    /// Which decision, where there is more than one
    pub decision: Option<DecisionId>,
    /// One answer; may be given many times
    #[arg(long = "answer", short = 'a', value_name = "NAME=VALUE", conflicts_with = "choice")]
    pub answer: Vec<String>,
    #[command(flatten)]
    pub choice: Settle,
    #[command(flatten)]
    pub voice: Voice,
}

// What to make of a step whose end nobody knows.
#[derive(Debug, Clone, Default, Args)]
#[group(id = "choice", multiple = false)]
pub struct Settle {
    /// Look again with the step's `verify`
    #[arg(long)]
    pub probe: bool,
    /// It is done; the reason says how you know
    #[arg(long)]
    pub done: bool,
    /// Run it again; the reason says why that is safe
    #[arg(long)]
    pub again: bool,
    /// Stop undoing and leave the rest to people
    #[arg(long)]
    pub leave: bool,
}
