//! Who may decide, what must be decided, and when nothing may run: pure judgements over the workspace's data.
//!
//! Policy only ever adds: a gate, an approver, a refusal. Nothing here can take away what a procedure itself demands.
//! Every refusal says why, and the one next thing to do.

pub mod access;
pub mod ahead;
mod certificate;
mod channel;
mod gate;
mod people;
mod rotation;
mod statement;
mod window;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::document::procedure::Impact;
use crate::document::step::OnTimeout;
use crate::effect::Effect;
use crate::plan::must::Must;

pub use ahead::Ahead;
pub use certificate::CertificateName;
pub use channel::{Channel, ChannelSpec, Chat, Mail, MailSecurity, Ntfy, PagerDuty, Severity, Words};
pub use gate::{Demanded, Requirements};
pub use people::{Asked, OnCall, People, Person, Refusal, Standing};
pub use rotation::{DAYS, Entry, HandOver, Override, Overrides, Repeats, Rotation, Shift, Turns, Unit};
pub use statement::{DECISION_NAMESPACE, HEAD_NAMESPACE, decision_statement, head_statement};
pub use window::{Closed, Environment, Window, at_wall_clock, moment, quiet_until, time_zone};

/// What of the workspace governs one run. Part of the plan, so that the record shows which rules were in force.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PolicyContext {
    /// False where the procedure stands outside any workspace: the operator is then alone, and the record says so.
    pub workspace: bool,
    pub environment: Option<Environment>,
    pub people: People,
    pub rules: Vec<Rule>,
    /// By name; used by decisions with `on_timeout: escalate`.
    pub escalations: BTreeMap<String, Escalation>,
    /// Where `notify` and escalations send their messages, by name.
    #[serde(default)]
    pub channels: BTreeMap<String, ChannelSpec>,
    /// Hosts and networks that `http` steps may reach although they are private: `10.0.0.0/8`, `vault.corp`.
    #[serde(default)]
    pub http_allow: Vec<String>,
    /// Where people reach the pages of the server, for links in messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// One rule of the workspace: where it applies, and what it adds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub name: String,
    /// At least this effect.
    pub effect: Effect,
    /// Empty: every environment.
    pub environments: Vec<String>,
    /// Labels that the procedure must carry; empty: any.
    pub labels: BTreeMap<String, String>,
    pub gate: Option<Gate>,
    /// Whoever asked for the run may not decide any of its approvals.
    pub four_eyes: bool,
    /// Every decision must be signed with an SSH key of the person.
    pub signed: bool,
}

/// A property that a rule demands of every path of the procedures that it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// Where it applies.
    pub of: Rule,
    pub must: Must,
}

/// An approval that a rule adds before a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    pub rule: String,
    pub from: Vec<String>,
    pub count: u32,
    pub within: Option<Duration>,
    pub not_requester: bool,
    pub signed: bool,
    /// What follows when nobody answers; never a yes.
    #[serde(default)]
    pub on_timeout: OnTimeout,
}

/// Whom to ask next when nobody answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
    /// Channels that are told as soon as somebody is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    pub rungs: Vec<Rung>,
    /// Factor on every pace, by impact: a critical procedure climbs faster.
    pub pace: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    pub to: Vec<String>,
    /// Channels of the workspace that are told.
    pub channels: Vec<String>,
    /// How long this rung has before the next one is asked.
    pub after: Duration,
}

impl Escalation {
    /// All channels that it tells.
    pub fn told(&self) -> impl Iterator<Item = &String> {
        self.channels.iter().chain(self.rungs.iter().flat_map(|rung| &rung.channels))
    }

    /// How long rung `n` has, for a procedure of this impact.
    pub fn pace_of(&self, rung: usize, impact: Impact) -> Option<Duration> {
        let after = self.rungs.get(rung)?.after;
        let key = match impact {
            Impact::Low => "low",
            Impact::Medium => "medium",
            Impact::High => "high",
            Impact::Critical => "critical",
        };
        let factor = self.pace.get(key).copied().unwrap_or(1.0);
        Some(Duration::try_from_secs_f64(after.as_secs_f64() * factor).unwrap_or(after))
    }
}
