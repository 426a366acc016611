//! The effects around [`runbook_core`]: the record of runs, the actions, people and clocks. The core decides; everything here
//! touches the world and writes down what happened.

pub mod access;
pub mod action;
pub mod ahead;
pub mod anchor;
mod beneath;
pub mod catalogue;
pub mod certificate;
pub mod clock;
pub mod database;
pub mod dispatch;
pub mod doctor;
pub mod draft;
pub mod driver;
pub mod event;
pub mod hold;
pub mod intake;
pub mod journal;
pub mod judged;
pub mod log;
pub mod message;
pub mod people;
pub mod permit;
pub mod probe;
pub mod process;
mod program;
pub mod rehearsal;
pub mod report;
pub mod review;
pub mod revision;
pub mod secret;
pub mod session;
pub mod start;
pub mod suite;
pub mod ticker;
pub mod verify;
