//! `runbook new`: a procedure to start from.

use crate::args::{Kind, New};
use crate::commands::init::write_new;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::Ui;

const RUNBOOK: &str = include_str!("new/runbook.yaml");
const PLAYBOOK: &str = include_str!("new/playbook.yaml");

pub fn run(args: &New, settings: &Settings, ui: &mut Ui) -> Outcome {
    let path = settings.catalogue.value.join(format!("{}.yaml", args.name));
    if !write_new(&path, &text(args.kind, args.name.as_str()))? {
        return Err(Trouble::not_valid(format!("{} is there already", path.display())).next("give the procedure another name"));
    }
    ui.say(&format!("wrote {}", path.display()));
    ui.next(&format!("runbook check {}", args.name));
    Ok(Exit::Succeeded)
}

fn text(kind: Kind, name: &str) -> String {
    let template = match kind {
        Kind::Runbook => RUNBOOK,
        Kind::Playbook => PLAYBOOK,
    };
    template.replace("NAME", name)
}
