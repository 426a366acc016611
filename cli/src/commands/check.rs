//! `runbook check`: every fault of every file, with nothing run.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use runbook_core::check::CheckOptions;
use runbook_core::diagnostic::render::{self, Look};
use runbook_core::diagnostic::{Diagnostic, Severity, Source};
use runbook_core::document::input::json_schema;
use runbook_core::document::workspace::NoEnvironment;
use runbook_engine::catalogue::{Catalogue, WORKSPACE_FILE};

use super::exec::Chosen;
use crate::args::{Check, Given};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::{count, shell_word};
use crate::ui::{Tone, Ui};

pub fn run(args: &Check, settings: &Settings, ui: &mut Ui) -> Outcome {
    if args.schema {
        return schema(args, settings, ui);
    }
    let options = options(args.env.clone().or_else(|| settings.environment.value.clone()));
    let mut tally = Tally::default();
    if args.what.is_empty() {
        let catalogue = Catalogue::open(&settings.catalogue.value)?;
        known_environment(&catalogue, options.environment.as_deref())?;
        let found = catalogue.check(&options);
        tally.files += catalogue.files().len() as u64;
        report(&found, &catalogue, args.json, ui, &mut tally)?;
    }
    for what in &args.what {
        let (catalogue, only) = meant(what, settings)?;
        known_environment(&catalogue, options.environment.as_deref())?;
        let mut found = catalogue.check(&options);
        tally.files += match only {
            Some(only) => {
                // What it calls runs with it, and where the workspace has a fault, nothing of the catalogue runs.
                let procedure = catalogue.procedures().find(|procedure| procedure.source.name == only);
                let files = procedure.map_or_else(|| vec![only.to_string()], |procedure| catalogue.files_of(procedure, &options));
                let concerns = |name: &str| name == WORKSPACE_FILE || files.iter().any(|file| file == name);
                found.retain(|diagnostic| concerns(&diagnostic.source));
                files.len() as u64
            }
            None => catalogue.files().len() as u64,
        };
        report(&found, &catalogue, args.json, ui, &mut tally)?;
    }
    if tally.files == 0 {
        let folders = match args.what.as_slice() {
            [] => settings.catalogue.value.display().to_string(),
            folders => folders.join(", "),
        };
        return Err(Trouble::not_valid(format!("there is no procedure in {folders}")).next("runbook init"));
    }
    ui.say(&tally.line());
    if tally.errors == 0 {
        return Ok(Exit::Succeeded);
    }
    if let Some(code) = tally.codes.first() {
        ui.next(&format!("runbook explain {code}"));
    }
    Ok(Exit::NotValid)
}

/// A catalogue, and the one file of it that is meant.
pub type Meant = (Catalogue, Option<Arc<str>>);

/// What a folder, a file or the name of a procedure means.
pub fn meant(what: &str, settings: &Settings) -> Result<Meant, Trouble> {
    let path = Path::new(what);
    if path.is_dir() {
        return Ok((Catalogue::open(path)?, None));
    }
    if path.exists() {
        let catalogue = Catalogue::around(path)?;
        let full = path.canonicalize().ok();
        let name = catalogue.files().iter().find(|f| f.path.canonicalize().ok() == full).map(|f| f.source.name.clone());
        return Ok((catalogue, name));
    }
    let catalogue = Catalogue::open(&settings.catalogue.value)?;
    let name = find(&catalogue, what, settings)?;
    Ok((catalogue, Some(name)))
}

/// What one procedure takes.
fn schema(args: &Check, settings: &Settings, ui: &mut Ui) -> Outcome {
    let [what] = args.what.as_slice() else {
        return Err(Trouble::not_valid("a schema is of one procedure").next("runbook check PROCEDURE --schema"));
    };
    let given = Given { env: args.env.clone(), ..Given::default() };
    let plan = Chosen::find(what, &given, settings, ui)?.wanted.plan;
    ui.data(&format!("{:#}", json_schema(&plan.main().inputs)))?;
    Ok(Exit::Succeeded)
}

/// A name that the workspace does not have is a fault of whoever gave it, and of no file.
pub fn known_environment(catalogue: &Catalogue, name: Option<&str>) -> Result<(), Trouble> {
    let unknown = catalogue.workspace().filter(|_| name.is_some()).map(|workspace| workspace.environment(name));
    let Some(Err(why @ NoEnvironment::Unknown { .. })) = unknown else { return Ok(()) };
    let next = match &why {
        NoEnvironment::Unknown { near: Some(near), .. } => format!("give --env {}", shell_word(near)),
        _ if catalogue.workspace().is_some_and(|workspace| workspace.environments.is_empty()) => "leave --env away".to_owned(),
        _ => "give --env ENV".to_owned(),
    };
    Err(Trouble::not_valid(why.to_string()).next(next))
}

/// Today's date decides whether a review is overdue. It is that of UTC: the date here would take reading the zones of the system.
pub fn options(environment: Option<String>) -> CheckOptions {
    CheckOptions { environment, today: Some(Timestamp::now().to_zoned(TimeZone::UTC).date()) }
}

fn find(catalogue: &Catalogue, name: &str, settings: &Settings) -> Result<Arc<str>, Trouble> {
    catalogue.procedure(name).map(|p| p.source.name.clone()).ok_or_else(|| unknown(catalogue, name, settings))
}

/// There is no such procedure; the nearest names are.
pub fn unknown(catalogue: &Catalogue, name: &str, settings: &Settings) -> Trouble {
    let trouble =
        Trouble::not_valid(format!("there is no procedure and no file `{name}` in {}", settings.catalogue.value.display()));
    let names: BTreeSet<&str> = catalogue.procedures().map(|p| p.name.value.as_str()).collect();
    match names.len() {
        0 => trouble.next("runbook init"),
        _ => trouble.next(format!("use one of: {}", names.into_iter().take(20).collect::<Vec<_>>().join(", "))),
    }
}

#[derive(Default)]
struct Tally {
    files: u64,
    errors: u64,
    warnings: u64,
    codes: Vec<&'static str>,
}

impl Tally {
    fn line(&self) -> String {
        let files = count(self.files, "file", "files");
        match (self.errors, self.warnings) {
            (0, 0) => format!("{}: {files} checked, no faults", Tone::Good.paint("valid")),
            (0, w) => format!("{}: {files} checked, {}", Tone::Good.paint("valid"), count(w, "warning", "warnings")),
            (e, w) => format!(
                "{}: {files} checked, {}, {}",
                Tone::Bad.paint("not valid"),
                count(e, "error", "errors"),
                count(w, "warning", "warnings")
            ),
        }
    }
}

fn report(found: &[Diagnostic], catalogue: &Catalogue, json: bool, ui: &mut Ui, tally: &mut Tally) -> Result<(), Trouble> {
    for diagnostic in found {
        match diagnostic.severity {
            Severity::Error => {
                tally.errors += 1;
                tally.codes.push(diagnostic.code.as_str());
            }
            Severity::Warning => tally.warnings += 1,
        }
        let Some(source) = catalogue.source(&diagnostic.source) else { continue };
        if json {
            ui.data(&render::to_json(diagnostic, source).to_string())?;
        } else {
            ui.data(&format!("{}\n", render::to_text(diagnostic, source, Look::Colour)))?;
        }
    }
    Ok(())
}

/// Shows faults of one file.
pub fn show(found: &[Diagnostic], source: &Source, ui: &mut Ui) {
    for diagnostic in found {
        ui.say(&format!("{}\n", render::to_text(diagnostic, source, Look::Colour)));
    }
}

/// Shows the faults that keep a procedure from running. Progress, not data: it was not asked for.
pub fn show_faults(found: &[Diagnostic], catalogue: &Catalogue, ui: &mut Ui) {
    for diagnostic in found.iter().filter(|d| d.severity == Severity::Error) {
        if let Some(source) = catalogue.source(&diagnostic.source) {
            ui.say(&format!("{}\n", render::to_text(diagnostic, source, Look::Colour)));
        }
    }
}
