use std::str::FromStr;

use proptest::prelude::*;
use runbook_core::document::step::{Step, Verb};
use runbook_core::document::{Document, load_bytes};

use super::*;

mod histories;
mod hostile;
mod pages;
mod sessions;

fn name() -> ProcedureName {
    ProcedureName::from_str("try").unwrap()
}

fn markdown(text: &str) -> Draft {
    from_markdown(&name(), "`a.md`", text.as_bytes()).unwrap()
}

fn history(text: &str) -> Draft {
    from_bytes(text.as_bytes(), Wanted::default()).unwrap()
}

fn from_bytes(bytes: &[u8], wanted: Wanted) -> Result<Draft, Undrafted> {
    from_history(&name(), "`.bash_history`", &Commands::read(bytes, wanted)?)
}

/// The steps of a draft behind the one that asks, each in a line: its id, name, verb and text, what is inside it indented.
fn steps(draft: &Draft) -> Vec<String> {
    let (_, document, found) = load_bytes("try.yaml", draft.text.as_bytes());
    assert!(!found.has_errors(), "{found:?}");
    let Some(Document::Procedure(procedure)) = document else { panic!("no procedure: {}", draft.text) };
    let mut lines = Vec::new();
    procedure.steps.iter().for_each(|step| told(step, "", &mut lines));
    assert_eq!(lines.remove(0), "draft: approve");
    lines
}

fn told(step: &Step, before: &str, lines: &mut Vec<String>) {
    let id = step.id.as_ref().map(|id| id.value.to_string()).unwrap_or_default();
    let name = step.name.as_ref().map(|name| format!(" ({})", name.value)).unwrap_or_default();
    let inside = format!("{before}  ");
    match &step.verb.value {
        Verb::Run(run) => lines.push(format!("{before}{id}{name}: run {}", run.script.value.trim_end())),
        Verb::Manual(manual) => lines.push(format!("{before}{id}{name}: manual {}", manual.instruction.value.trim_end())),
        Verb::Group(steps) => {
            lines.push(format!("{before}{id}{name}: group"));
            steps.iter().for_each(|step| told(step, &inside, lines));
        }
        verb => lines.push(format!("{before}{id}{name}: {}", verb.key())),
    }
    for undo in step.undo.iter().flat_map(|undo| &undo.value) {
        told(undo, &format!("{before}~ "), lines);
    }
}
