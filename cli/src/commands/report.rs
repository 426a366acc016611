//! `runbook report`: the account of a run.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use runbook_engine::journal::Pruned;
use runbook_engine::report::account::{Account, Teller};
use runbook_engine::verify::Evidence;

use super::store::Home;
use super::verify;
use crate::args::{AccountFormat, Report};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::Ui;

pub fn run(args: &Report, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    let id = home.find(&args.run.run)?;
    if home.archive.pruned(&id)?.is_some_and(|pruned| Pruned::is_compacted(&pruned)) {
        let why = format!("run {id} was compacted: what its steps did is no longer in its record");
        return Err(Trouble::not_valid(why).next(format!("runbook show {id}")));
    }
    let mut teller = Teller::default();
    let (run, row) = home.replay_with(&id, &mut |run, event| teller.event(run, event))?;
    let proof = verify::recorded(&home, settings, &id, Evidence::default())?;
    let account = Account::of(&run, &row, teller, &proof);
    let text = match args.format {
        AccountFormat::Markdown => account.to_markdown(),
        AccountFormat::Html => account.to_html(),
    };
    let Some(path) = &args.output else {
        ui.data(text.trim_end())?;
        return Ok(Exit::Succeeded);
    };
    let cannot = |why: std::io::Error| Trouble::unwritable(path, &why);
    // It holds inputs and answers: whom to give it to is for its owner to say.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)?;
    ui.say(&format!("wrote {}", path.display()));
    Ok(Exit::Succeeded)
}
