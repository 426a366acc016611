//! `runbook export`: a run's whole record in one file.

use std::fs::OpenOptions;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;

use runbook_engine::journal::export::{ExportError, export};

use super::store::Home;
use crate::args::Export;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::Ui;
use crate::ui::words::shell_word;

pub fn run(args: &Export, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    let id = home.find(&args.run.run)?;
    let broken = |error: ExportError| match error {
        ExportError::Journal(error) => Trouble::from(error),
        ExportError::Write(error) => Trouble::from(error),
    };
    let Some(path) = &args.output else {
        export(&*home.archive, &id, &mut std::io::stdout().lock()).map_err(broken)?;
        return Ok(Exit::Succeeded);
    };
    let cannot = |why: std::io::Error| Trouble::unwritable(path, &why);
    // It holds inputs and outputs: whom to give it to is for its owner to say.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(cannot)?;
    let mut out = BufWriter::new(file);
    let written = export(&*home.archive, &id, &mut out).map_err(broken);
    if let Err(trouble) = written.and_then(|()| out.get_ref().sync_all().map_err(cannot)) {
        // Half an export proves nothing and stands in the way of the next one.
        let _ = std::fs::remove_file(path);
        return Err(trouble);
    }
    ui.say(&format!("wrote {}", path.display()));
    ui.next(&format!("runbook verify {}", shell_word(&path.to_string_lossy())));
    Ok(Exit::Succeeded)
}
