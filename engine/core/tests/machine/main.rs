//! The state machine as a table: a procedure, scripted answers, and what must have happened, under virtual time.

mod decisions;
mod flow;
mod rig;
mod table;
mod unwinding;
