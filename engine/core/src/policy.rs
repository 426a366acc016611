//! Who may decide, what must be decided, and when nothing may run: pure judgements over the workspace's data.
//!
//! Policy only ever adds: a gate, an approver, a refusal. Nothing here can take away what a procedure itself demands.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::procedure::Impact;
use crate::effect::Effect;

/// What of the workspace governs one run. Part of the plan, so that the record shows which rules were in force.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PolicyContext {
    /// False where the procedure stands outside any workspace: the operator is then alone, and the record says so.
    pub workspace: bool,
    pub environment: Option<Environment>,
    pub people: People,
    pub rules: Vec<Rule>,
    /// By impact; used by decisions with `on_timeout: escalate`.
    pub escalations: BTreeMap<String, Escalation>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Environment {
    pub name: String,
    /// Production is where controls tighten; a rule may name it.
    pub production: bool,
    pub freeze: Vec<Window>,
    /// Where not empty, changes may start only inside one of them.
    pub change_windows: Vec<Window>,
}

/// A span of time in which changes are frozen, or allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// From one instant to another.
    Once { from: Timestamp, to: Timestamp, reason: String },
    /// On days of the week (1 = Monday … 7 = Sunday), between minutes of the day, in a time zone of the IANA database.
    Weekly { days: Vec<u8>, from_minute: u16, to_minute: u16, zone: String, reason: String },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct People {
    pub people: BTreeMap<String, Person>,
    /// Group → names of people and of other groups.
    pub groups: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Person {
    pub name: Option<String>,
    /// Names of the operating-system users that are this person.
    pub users: Vec<String>,
    /// SSH public keys, as in `authorized_keys`.
    pub ssh_keys: Vec<String>,
    pub mail: Option<String>,
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

/// An approval that a rule adds before a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    pub rule: String,
    pub from: Vec<String>,
    pub count: u32,
    pub within: Option<Duration>,
    pub not_requester: bool,
    pub signed: bool,
}

/// Whom to ask next when nobody answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
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
