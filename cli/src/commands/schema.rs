//! `runbook schema`: the language for editors that know YAML and nothing of runbooks.

use std::path::Path;

use runbook_core::vocabulary;

use crate::args::Schema;
use crate::exit::{Exit, Outcome, Trouble};
use crate::ui::Ui;

/// Where the schema stands beneath a catalogue.
const FILE: &str = ".runbook/schema-v1.json";

pub fn run(_: &Schema, ui: &mut Ui) -> Outcome {
    ui.data(&text())?;
    Ok(Exit::Succeeded)
}

fn text() -> String {
    format!("{:#}", vocabulary::schema())
}

/// Writes the schema beneath `root`. False where it stands there already, as it is.
pub fn write(root: &Path) -> Result<bool, Trouble> {
    let path = root.join(FILE);
    let text = text() + "\n";
    if std::fs::read_to_string(&path).is_ok_and(|written| written == text) {
        return Ok(false);
    }
    let folder = path.parent().unwrap_or(root);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
    written.map(|()| true).map_err(|why| Trouble::unwritable(&path, &why))
}

/// The schema's name, for those that are told of it.
pub fn file(root: &Path) -> std::path::PathBuf {
    root.join(FILE)
}

/// The first line of a file in `root`: where the schema is that it is written by. Empty where there is none.
pub fn modeline(root: &Path) -> String {
    match root.join(FILE).is_file() {
        true => format!("# yaml-language-server: $schema={FILE}\n"),
        false => String::new(),
    }
}
