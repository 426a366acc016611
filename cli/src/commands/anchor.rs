//! `runbook anchor`: the head of a record, signed, for somebody outside to keep.

use std::io::Write;

use runbook_engine::anchor;
use runbook_engine::journal::Anchor;
use runbook_engine::people::SigningKey;

use super::reply::signing_key;
use super::store::Home;
use crate::args;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::Ui;

pub fn run(args: &args::Anchor, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    let id = home.find(&args.run.run)?;
    // The chain is checked on the way: nobody signs a record that is broken.
    let (run, row) = home.replay(&id)?;
    let people = &run.plan().policy.people;
    let by = home.identity(people).person;
    let key = signing_key(people, &by, args.key.clone().map(SigningKey::File))?;
    let place = args.output.as_ref().map_or("standard output".to_owned(), |path| path.display().to_string());
    let anchor = Anchor { run: id.clone(), seq: row.seq, head: row.head, at: home.clock.now(), place, signed: None };
    let signed = anchor::sign(anchor, &by, &key).map_err(|why| Trouble::not_valid(why.to_string()))?;
    let text = anchor::to_text(&signed).unwrap_or_default();
    match &args.output {
        None => ui.raw(text.as_bytes())?,
        Some(path) => {
            let write = || std::fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes());
            write().map_err(|why| Trouble::unwritable(path, &why))?;
        }
    }
    home.here()?.journal.anchor(signed).wait()?;
    ui.say(&format!("{by} signed the head of run {id} after event {}; keep it where the record is not", row.seq));
    if let Some(path) = &args.output {
        ui.next(&format!("runbook verify {id} --anchor {}", path.display()));
    }
    Ok(Exit::Succeeded)
}
