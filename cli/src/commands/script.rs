//! `runbook __script`: the child process that runs one script step. The engine alone calls it.

use crate::exit::{Outcome, Trouble};

pub fn run() -> Outcome {
    Err(Trouble::not_valid("this command is for the engine alone"))
}
