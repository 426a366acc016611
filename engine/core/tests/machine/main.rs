//! The state machine as a table: a procedure, scripted answers, and what must have happened, under virtual time.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a failing seed is printed and can be chosen; the core itself stays pure"
)]

mod awaited;
mod checker;
mod decisions;
mod flow;
mod random;
mod rig;
mod table;
mod timed;
mod unwinding;
