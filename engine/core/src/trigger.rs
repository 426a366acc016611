//! Which events start which procedures, and what becomes of the others. Each event gets exactly one [`Ruling`] of each trigger of its
//! source: it ran, joined, was dropped, or is deferred, and why.
//!
//! As a run is the sum of its events, a [`Judge`] is the sum of its rulings: [`Judge::recall`] takes recorded ones the way in which it
//! took them when it made them, so that a restart changes no decision. Time is an argument; nothing here waits, reads or writes.
//!
//! What is not decided here: who may send an event, and when a run that was decided upon gets its turn.

mod judge;
mod reading;
mod rejudge;
mod ruling;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::document::procedure::{Beyond, Impact, OnResolved, Second, Version};
use crate::expr::{Expression, Template};
use crate::id::{Id, ProcedureName};
use crate::plan::{InputSpec, Origin};
use crate::policy::Window;

pub use judge::{Incoming, Judge};
pub use reading::{Reading, Unreadable};
pub use rejudge::rejudged;
pub use ruling::{Counterpart, Decision, Deferral, Drop, Join, Keys, Ruling, Tell};

/// A trigger that was checked. See `docs/format.md` for what its parts mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    pub name: TriggerName,
    pub version: Version,
    pub at: Origin,
    pub impact: Impact,
    pub source: String,
    pub when: Option<Expression>,
    pub environment: Option<Template>,
    /// Those of the workspace.
    pub environments: Vec<String>,
    pub inputs: Vec<(Id, Expression)>,
    /// The inputs that the procedure declares.
    pub specs: Vec<InputSpec>,
    pub dedup: Option<Dedup>,
    pub accumulate: Option<Accumulate>,
    pub quiet: Vec<Window>,
    pub limit: Option<Limit>,
    pub correlate: Option<Expression>,
    pub on_resolved: OnResolved,
    pub concurrency: Option<Concurrency>,
}

/// A trigger as decisions name it: the same as long as its `id` is, or where it has none, its number in the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TriggerName {
    pub procedure: ProcedureName,
    pub id: String,
}

impl fmt::Display for TriggerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.procedure, self.id)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Dedup {
    pub key: Expression,
    pub window: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Accumulate {
    pub events: u32,
    pub within: Duration,
    pub key: Option<Expression>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    pub runs: u32,
    pub per: Duration,
    pub then: Beyond,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Concurrency {
    pub key: Expression,
    pub of: Of,
    pub then: Second,
}

/// What the key of a `concurrency` reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// That of a trigger.
    Event,
    /// That of the procedure.
    Inputs,
}

#[cfg(test)]
mod tests;
