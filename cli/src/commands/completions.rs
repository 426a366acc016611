//! `runbook completions`: made from the parser, so they never lag behind it.

use clap::CommandFactory;

use crate::args::{Cli, Completions};
use crate::exit::{Exit, Outcome};
use crate::ui::Ui;

pub fn run(args: &Completions, ui: &mut Ui) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "runbook", &mut script);
    ui.raw(&script)?;
    Ok(Exit::Succeeded)
}
