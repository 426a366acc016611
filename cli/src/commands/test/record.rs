//! `runbook test record`: a recorded run as a case of a test, in a file of its own or behind the cases of one that there is.

use std::path::{Component, Path};

use runbook_core::diagnostic::{Diagnostic, Source};
use runbook_core::document::test::Test;
use runbook_core::document::{Document, load};
use runbook_core::run::{Event, Run};
use runbook_core::{Plan, trial};
use runbook_engine::catalogue::Catalogue;
use runbook_engine::journal::RunRow;

use crate::args::Record;
use crate::commands::init::write_new;
use crate::commands::store::Home;
use crate::commands::{check, fmt, schema};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::{shell_word, when};
use crate::ui::{Tone, Ui, line};

pub fn run(args: &Record, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    let id = home.find(&args.run.run)?;
    let mut events: Vec<Event> = Vec::new();
    let (run, row) = home.replay_with(&id, &mut |_, event| events.push(event.clone()))?;
    let name = args.case.clone().unwrap_or_else(|| format!("run {id}"));
    let recorded = trial::record(run.plan(), &events, &name);
    let recorded = recorded.map_err(|why| Trouble::failed(format!("run {id} does not become a test: {why}")))?;
    let mut notes = recorded.notes;
    let catalogue = Catalogue::open(&settings.catalogue.value).ok();
    let now = catalogue.as_ref().map(|catalogue| Now::of(catalogue, &run));
    notes.extend(now.as_ref().and_then(|now| now.note(&run, &row)));
    let of = format!("{}@{} (plan {})", run.plan().main().name, run.plan().main().version, row.plan.short());
    let mut comments = vec![format!("Recorded from run {id} of {of}, {}.", run.started_at().map(when).unwrap_or_default())];
    comments.extend(notes.iter().map(|note| format!("{}.", note.trim_end_matches('.'))));
    let item = trial::with_comments(&recorded.item, &comments);
    for note in &notes {
        ui.say(&format!("{}: {}", Tone::Warning.paint("note"), line(note)));
    }
    let procedure = now.as_ref().map_or(run.plan().main().name.to_string(), |now| now.called(&run));
    let whole = format!("apiVersion: runbook/v1\nkind: Test\nprocedure: {procedure}\ncases:\n{item}");
    if let Some(faults) = now.as_ref().and_then(|now| now.faults(&whole)) {
        let said = format!(
            "it does not pass on the procedure as it is now: {}",
            faults.first().map_or("", |fault| fault.message.as_str())
        );
        ui.say(&format!("{}: {}", Tone::Warning.paint("note"), line(&said)));
    }
    let Some(path) = &args.out else {
        ui.data(whole.trim_end())?;
        return Ok(Exit::Succeeded);
    };
    match std::fs::read_to_string(path) {
        Ok(old) => append(path, &old, &item, &name, &run)?,
        Err(_) => {
            let root = &settings.catalogue.value;
            if !write_new(path, &(modeline(root, path) + &whole))? {
                return Err(Trouble::not_valid(format!("{} cannot be read", path.display())).next("name another file"));
            }
        }
    }
    ui.say(&format!("wrote {}", path.display()));
    ui.next(&format!("runbook test {}", shell_word(&path.to_string_lossy())));
    Ok(Exit::Succeeded)
}

/// Puts the case behind those of a test of the same procedure.
fn append(path: &Path, old: &str, item: &str, name: &str, run: &Run) -> Result<(), Trouble> {
    let shown = path.display();
    let source = Source::new(path.to_string_lossy(), old);
    let main = &run.plan().main().name;
    let (Some(Document::Test(test)), _) = load(&source) else {
        return Err(Trouble::not_valid(format!("{shown} is there already and is no test")).next("name another file with `--out`"));
    };
    let of = test.procedure.value.split('@').next().unwrap_or_default();
    if of != main.as_str() {
        let why = format!("{shown} is a test of `{of}`, and the run was one of `{main}`");
        return Err(Trouble::not_valid(why).next("name another file with `--out`"));
    }
    if test.cases.iter().any(|case| case.name.value == name) {
        let why = format!("{shown} has a case `{name}` already");
        return Err(Trouble::not_valid(why).next("call this one otherwise with `--case NAME`"));
    }
    let new = trial::append(&source, item)
        .map_err(|why| Trouble::not_valid(format!("nothing can be put into {shown}: {why}")).next("runbook fmt"))?;
    fmt::replace(path, old, &new)
}

/// The procedure as the catalogue has it.
struct Now {
    plan: Option<Plan>,
    /// Whether the newest version of its name is another one.
    newer: bool,
}

impl Now {
    fn of(catalogue: &Catalogue, run: &Run) -> Now {
        let main = run.plan().main();
        let named = || catalogue.procedures().filter(|procedure| procedure.name.value == main.name);
        let same = named().find(|procedure| procedure.version.value == main.version);
        let newer = named().any(|procedure| procedure.version.value > main.version);
        let environment = run.start().and_then(|started| started.environment.clone());
        let plan = same.and_then(|procedure| catalogue.plan(procedure, &check::options(environment)).0);
        Now { plan, newer }
    }

    fn note(&self, run: &Run, row: &RunRow) -> Option<String> {
        let main = run.plan().main();
        match self.plan.as_ref().map(Plan::digest) {
            Some(Ok(digest)) if digest == row.plan => None,
            Some(_) => Some(format!("{}@{} is another plan in the catalogue than the one that ran", main.name, main.version)),
            None => Some(format!("the catalogue has no {}@{} that passes `runbook check`", main.name, main.version)),
        }
    }

    /// The procedure as the test names it.
    fn called(&self, run: &Run) -> String {
        let main = run.plan().main();
        match self.newer && self.plan.is_some() {
            true => format!("{}@{}", main.name, main.version),
            false => main.name.to_string(),
        }
    }

    /// Why the test does not pass on it, if it does not.
    fn faults(&self, text: &str) -> Option<Vec<Diagnostic>> {
        let plan = std::sync::Arc::new(self.plan.clone()?);
        let source = Source::new("recorded.test.yaml", text);
        let (Some(Document::Test(test)), _) = load(&source) else { return None };
        let test: &Test = &test;
        let faults = trial::play(test.cases.first()?, &source, &plan).faults;
        Some(faults).filter(|faults| !faults.is_empty())
    }
}

/// The first line of a file beneath `root`: where the schema is, from there.
fn modeline(root: &Path, path: &Path) -> String {
    let line = schema::modeline(root);
    let folder = path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let (Some(Ok(folder)), Ok(root)) = (folder.map(Path::canonicalize), root.canonicalize()) else { return String::new() };
    let Ok(below) = folder.strip_prefix(&root) else { return String::new() };
    let up = "../".repeat(below.components().filter(|part| matches!(part, Component::Normal(_))).count());
    line.replacen("$schema=", &format!("$schema={up}"), 1)
}
