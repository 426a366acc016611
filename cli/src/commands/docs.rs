//! `runbook docs`: the references that are built into the program.

use crate::args::{Docs, Page};
use crate::exit::{Exit, Outcome};
use crate::ui::Ui;

const DRY_RUN: &str = include_str!("../../../docs/dry-run.md");
const FORMAT: &str = include_str!("../../../docs/format.md");
const EDITORS: &str = include_str!("../../../docs/editors.md");
const RECORD: &str = include_str!("../../../docs/record.md");

pub fn run(args: &Docs, ui: &mut Ui) -> Outcome {
    let page = match args.page {
        Page::DryRun => DRY_RUN,
        Page::Format => FORMAT,
        Page::Editors => EDITORS,
        Page::Record => RECORD,
    };
    ui.data(page.trim_end())?;
    Ok(Exit::Succeeded)
}
