//! `runbook test record`: a recorded run as a case of a test, in a file of its own or behind the cases of one that there is.

use std::path::{Component, Path};
use std::sync::Arc;

use runbook_core::diagnostic::{Severity, Source};
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
    // Where the procedure is no more, that has been noted.
    let judge = catalogue.as_ref().filter(|_| now.as_ref().is_some_and(|now| now.plan.is_some()));
    let alone = Source::new("recorded.test.yaml", whole.as_str());
    let fault = match load(&alone) {
        (Some(Document::Test(test)), _) => judge.and_then(|catalogue| fault(catalogue, &test)),
        _ => None,
    };
    if let Some(fault) = &fault {
        ui.say(&format!(
            "{}: {}",
            Tone::Warning.paint("note"),
            line(&format!("it does not pass on the procedure as it is now: {fault}"))
        ));
    }
    let Some(path) = &args.out else {
        ui.data(whole.trim_end())?;
        return Ok(Exit::Succeeded);
    };
    match std::fs::read_to_string(path) {
        Ok(old) => {
            let longer = appended(path, &old, &item, &name, &run)?;
            // What does not pass by itself has been told.
            let here = judge.filter(|_| fault.is_none()).and_then(|catalogue| self::fault(catalogue, &longer));
            if let Some(fault) = here {
                let of = &longer.procedure.value;
                let why =
                    format!("behind the cases of {}, with its `defaults` and of `{of}`, it does not pass: {fault}", path.display());
                return Err(Trouble::not_valid(why).next("name another file with `--out`"));
            }
            fmt::replace(path, &old, &longer.source.text)?;
        }
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

/// A test of the same procedure with the case behind its own.
fn appended(path: &Path, old: &str, item: &str, name: &str, run: &Run) -> Result<Box<Test>, Trouble> {
    let shown = path.display();
    let source = Source::new(path.to_string_lossy(), old);
    let main = &run.plan().main().name;
    let test = match load(&source) {
        (Some(Document::Test(test)), found) if !found.has_errors() => test,
        (Some(Document::Test(_)) | None, found) => {
            let why = found.into_sorted().first().map_or_else(String::new, |fault| format!(": {}", fault.message));
            let trouble = Trouble::not_valid(format!("{shown} is there already and cannot be read as a test{why}"));
            return Err(trouble.next("name another file with `--out`"));
        }
        (Some(_), _) => {
            let trouble = Trouble::not_valid(format!("{shown} is there already and is no test"));
            return Err(trouble.next("name another file with `--out`"));
        }
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
    trial::append(&source, item)
        .map_err(|why| Trouble::not_valid(format!("nothing can be put into {shown}: {why}")).next("name another file with `--out`"))
}

/// Why the last case of a test does not pass on the procedure that the test names, if it does not.
fn fault(catalogue: &Catalogue, test: &Test) -> Option<String> {
    let case = test.cases.last()?.with(&test.defaults);
    let environment = case.setting.environment.as_ref().map(|environment| environment.value.clone());
    let (procedure, found) = catalogue.tested(test);
    if let Some(fault) = found.iter().find(|fault| fault.severity == Severity::Error) {
        return Some(fault.message.clone());
    }
    let plan = Arc::new(catalogue.plan(procedure?, &check::options(environment)).0?);
    trial::play(&case, &test.source, &plan).faults.first().map(|fault| fault.message.clone())
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
