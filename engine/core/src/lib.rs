//! The pure core of `runbook`: reading procedures, checking them, and the state machine that decides what a run does next.
//!
//! Nothing here reads a clock, a file, the environment or the network, and nothing is random: whatever a function needs is
//! an argument. That is what lets the same machine stand behind a real run, a dry run, a test and a simulation.
//!
//! The stages, each with its own type: text → [`document`] → [`check`] → [`plan::Plan`] → [`run::Run`].

mod canonical;
pub mod check;
pub mod cloud_event;
pub mod compare;
pub mod diagnostic;
pub mod document;
pub mod editor;
pub mod effect;
pub mod ends;
pub mod event_source;
pub mod explore;
pub mod expr;
pub mod guide;
pub mod id;
pub mod layout;
pub mod limits;
pub mod markdown;
pub mod plain;
pub mod plan;
pub mod policy;
pub mod prose;
pub mod run;
pub mod ticks;
pub mod trial;
pub mod trigger;
pub mod value;
pub mod vocabulary;

pub use cloud_event::CloudEvent;
pub use effect::Effect;
pub use id::{DecisionId, Digest, Id, ProcedureName, RunId, StepPath};
pub use plan::Plan;
pub use run::{Command, Event, Fact, Run};
pub use value::{Map, Value};
