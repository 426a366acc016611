//! The state machine as a table: a procedure, scripted answers, and what must have happened, under virtual time.

mod checker;
mod decisions;
mod flow;
mod random;
mod rig;
mod table;
mod unwinding;
