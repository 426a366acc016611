//! `runbook new`: a procedure to start from.

use runbook_engine::catalogue::Catalogue;

use super::schema;
use crate::args::{Kind, New};
use crate::commands::init::write_new;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::Ui;

const RUNBOOK: &str = include_str!("new/runbook.yaml");
const PLAYBOOK: &str = include_str!("new/playbook.yaml");

pub fn run(args: &New, settings: &Settings, ui: &mut Ui) -> Outcome {
    let root = &settings.catalogue.value;
    let path = root.join(format!("{}.yaml", args.name));
    let catalogue = Catalogue::open(root)?;
    let escalation = catalogue.workspace().and_then(|workspace| workspace.escalations.keys().next());
    let text = schema::modeline(root) + &text(args.kind, args.name.as_str(), escalation);
    if !write_new(&path, &text)? {
        return Err(Trouble::not_valid(format!("{} is there already", path.display())).next("give the procedure another name"));
    }
    ui.say(&format!("wrote {}", path.display()));
    if args.kind == Kind::Playbook && catalogue.workspace().is_some() && escalation.is_none() {
        ui.say("a playbook says whom to ask next: add an escalation to workspace.yaml, and name it in the file");
    }
    ui.next(&format!("runbook check {}", args.name));
    Ok(Exit::Succeeded)
}

fn text(kind: Kind, name: &str, escalation: Option<&String>) -> String {
    let template = match kind {
        Kind::Runbook => RUNBOOK,
        Kind::Playbook => PLAYBOOK,
    };
    template.replace("NAME", name).replace("ESCALATION", escalation.map_or("default", String::as_str))
}
