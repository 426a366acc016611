//! `runbook diff`: what one version of a procedure changes, by meaning.

use std::path::Path;

use runbook_core::Plan;
use runbook_core::compare::{Comparison, Fate, PartChange, ProcedureChange, Raise, Raised, StepChange, compare};
use runbook_core::document::Procedure;
use runbook_engine::catalogue::Catalogue;
use runbook_engine::report::comparison;
use runbook_engine::revision::{Repository, RevisionError};

use super::check;
use crate::args::{Diff, ReportFormat};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::{Tone, Ui, line, plain};

pub fn run(args: &Diff, settings: &Settings, ui: &mut Ui) -> Outcome {
    let new = match (&args.new, args.old.split_once(':')) {
        (Some(new), _) => new.clone(),
        // What the working tree has of it now.
        (None, Some((_, path))) if !Path::new(&args.old).is_file() => from_here(path)?,
        (None, _) => {
            let next = format!("runbook diff {} NEW", args.old);
            return Err(Trouble::not_valid("a file is compared with another one, or with a revision of itself").next(next));
        }
    };
    let environment = args.env.clone().or_else(|| settings.environment.value.clone());
    let mut plan = |what: &str| side(what, environment.clone(), settings, ui);
    let (old, new) = (plan(&args.old)?, plan(&new)?);
    let comparison = compare(&old, &new);
    match args.format {
        ReportFormat::Text => ui.data(&text(&comparison))?,
        ReportFormat::Markdown => ui.data(comparison::to_markdown(&comparison).trim_end())?,
        ReportFormat::Json => {
            ui.data(&serde_json::to_string(&comparison).map_err(|why| Trouble::failed(why.to_string()))?)?;
        }
    }
    let strict = args.strict && !comparison.is_raised_enough();
    Ok(if strict { Exit::Failed } else { Exit::Succeeded })
}

/// A path of a revision as a path from here.
fn from_here(path: &str) -> Result<String, Trouble> {
    if path.starts_with("./") || path.starts_with("../") {
        return Ok(path.to_owned());
    }
    Ok(Repository::around(Path::new(".")).map_err(trouble)?.from_here(path))
}

pub fn trouble(error: RevisionError) -> Trouble {
    let next = match &error {
        RevisionError::Git(_) => "install git, or compare two files",
        RevisionError::NoRepository(_) => "go into the repository, or compare two files",
        RevisionError::NoRevision(_) => "git log --oneline",
        RevisionError::NoFile { revision, .. } => return not_valid(&error, &format!("git ls-tree -r --name-only {revision}")),
        RevisionError::TooLarge { .. } | RevisionError::TooMany { .. } => "compare two files",
    };
    not_valid(&error, next)
}

fn not_valid(error: &RevisionError, next: &str) -> Trouble {
    Trouble::not_valid(error.to_string()).next(next)
}

/// The plan of a file, of a name in the catalogue with or without a version (`drain@1.2.0`), or of a revision's file
/// (`main:runbooks/drain.yaml`).
fn side(what: &str, environment: Option<String>, settings: &Settings, ui: &mut Ui) -> Result<Plan, Trouble> {
    let path = Path::new(what);
    if path.is_file() {
        let catalogue = Catalogue::around(path)?;
        let procedure = catalogue.procedure_in(path);
        return planned(what, &catalogue, procedure, environment, ui);
    }
    if let Some((revision, path)) = what.split_once(':') {
        let found = Repository::around(Path::new(".")).and_then(|here| here.at(revision, path)).map_err(trouble)?;
        let procedure = found.catalogue.procedures().find(|procedure| *procedure.source.name == *found.file);
        return planned(what, &found.catalogue, procedure, environment, ui);
    }
    let catalogue = Catalogue::open(&settings.catalogue.value)?;
    let (name, version) = what.split_once('@').map_or((what, None), |(name, version)| (name, Some(version)));
    let versions: Vec<&Procedure> = catalogue.procedures().filter(|procedure| procedure.name.value.as_str() == name).collect();
    if versions.is_empty() {
        return Err(check::unknown(&catalogue, name, settings));
    }
    let procedure = match version {
        None => catalogue.procedure(name),
        Some(version) => {
            let found = versions.iter().find(|procedure| procedure.version.value.to_string() == version);
            let Some(found) = found else {
                let mut there: Vec<_> = versions.iter().map(|procedure| procedure.version.value).collect();
                there.sort_unstable();
                let there: Vec<String> = there.iter().map(|version| format!("{name}@{version}")).collect();
                let why = format!("there is no version `{}` of `{name}` in {}", line(version), settings.catalogue.value.display());
                return Err(Trouble::not_valid(why).next(format!("use one of: {}", there.join(", "))));
            };
            Some(*found)
        }
    };
    planned(what, &catalogue, procedure, environment, ui)
}

fn planned(
    what: &str,
    catalogue: &Catalogue,
    procedure: Option<&Procedure>,
    environment: Option<String>,
    ui: &mut Ui,
) -> Result<Plan, Trouble> {
    let what = line(what);
    let options = check::options(environment);
    let Some(procedure) = procedure else {
        check::show_faults(&catalogue.check(&options), catalogue, ui);
        return Err(Trouble::not_valid(format!("{what} holds no procedure")).next("name a file with a procedure"));
    };
    let (plan, found) = catalogue.plan(procedure, &options);
    plan.ok_or_else(|| {
        check::show_faults(&found, catalogue, ui);
        Trouble::not_valid(format!("{what} is not valid, so nothing can be said of what it means")).next("runbook check")
    })
}

fn text(comparison: &Comparison) -> String {
    if comparison.is_empty() {
        return "nothing means anything else".to_owned();
    }
    let mut out = Vec::new();
    if let Some(verdict) = comparison::unchanged(comparison) {
        let name = Tone::Strong.paint(comparison.new.procedure.as_str());
        out.push(format!("{name}: {}", Tone::Good.paint(&verdict)));
    }
    for change in &comparison.procedures {
        procedure(change, &mut out);
    }
    out.join("\n")
}

fn procedure(change: &ProcedureChange, out: &mut Vec<String>) {
    let tone = if matches!(change.raised, Raised::TooLittle(_)) { Tone::Bad } else { Tone::Good };
    out.push(format!("{}: {}", Tone::Strong.paint(change.procedure.as_str()), tone.paint(&comparison::verdict(change))));
    parts(change.parts.iter(), "  ", out);
    for step in &change.steps {
        self::step(step, out);
    }
}

fn step(change: &StepChange, out: &mut Vec<String>) {
    let tone = match change.fate {
        Fate::Added => Tone::Good,
        Fate::Removed => Tone::Bad,
        Fate::Moved(_) | Fate::Changed => Tone::Warning,
    };
    let fate = tone.paint(&line(&comparison::fate(change))).to_string();
    let kind = comparison::kind(change);
    out.push(format!("  {fate}  {} · {kind}{}", line(&change.path), weight(change.needs, change.because)));
    parts(comparison::parts(change), "    ", out);
}

fn parts<'c>(changes: impl Iterator<Item = &'c PartChange>, indent: &str, out: &mut Vec<String>) {
    for change in changes {
        let texts = || change.old.iter().chain(&change.new);
        let weight = weight(change.needs, change.because);
        let what = line(&change.what);
        if texts().any(|text| text.contains('\n')) {
            out.push(format!("{indent}{what}:{weight}"));
            let lines = comparison::lines(change.old.as_deref(), change.new.as_deref());
            out.extend(lines.lines().map(|text| format!("{indent}  {}", plain(text))));
            continue;
        }
        let told = match (&change.old, &change.new) {
            (Some(old), Some(new)) => format!("{} → {}", line(old), line(new)),
            (None, Some(new)) => line(new).into_owned(),
            (Some(old), None) => format!("{} → nothing", line(old)),
            (None, None) => String::new(),
        };
        out.push(format!("{indent}{what}: {told}{weight}"));
    }
}

fn weight(needs: Raise, because: Option<&str>) -> String {
    let text = comparison::weight(needs, because);
    match needs {
        Raise::None => String::new(),
        Raise::Major => format!("  [{}]", Tone::Bad.paint(&text)),
        Raise::Minor | Raise::Patch => format!("  [{}]", Tone::Quiet.paint(&text)),
    }
}
