//! `runbook docs`: the references that are built into the program.

use crate::args::{Docs, Page};
use crate::exit::{Exit, Outcome};
use crate::ui::Ui;

const FORMAT: &str = include_str!("../../../docs/format.md");

pub fn run(args: &Docs, ui: &mut Ui) -> Outcome {
    let page = match args.page {
        Page::Format => FORMAT,
    };
    ui.data(page.trim_end())?;
    Ok(Exit::Succeeded)
}
