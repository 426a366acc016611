//! `runbook diff`: what one version of a procedure changes, by meaning.

use std::path::Path;

use runbook_core::check::CheckOptions;
use runbook_core::compare::{Comparison, Fate, PartChange, ProcedureChange, Raise, Raised, StepChange, compare_in_all};
use runbook_core::diagnostic::Diagnostic;
use runbook_core::document::Procedure;
use runbook_engine::catalogue::Catalogue;
use runbook_engine::judged::{Environments, Judged};
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
    let options = check::options(args.env.clone().or_else(|| settings.environment.value.clone()));
    let (old, new) = (side(&args.old, &options, settings, ui)?, side(&new, &options, settings, ui)?);
    check::known_environment(&new.catalogue, options.environment.as_deref())?;
    let environments = Environments::of(&old.catalogue, &new.catalogue, &options);
    let (then, now) = (old.judged(&environments, &options, ui)?, new.judged(&environments, &options, ui)?);
    let (Some(before), Some(after)) = (then.subject(), now.subject()) else { return Ok(Exit::NotValid) };
    let comparison = Comparison { not_compared: environments.left_out, ..compare_in_all(before, after) };
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
        RevisionError::Shallow(_) => "git fetch --unshallow",
        RevisionError::NoFile { revision, .. } => return not_valid(&error, &format!("git ls-tree -r --name-only {revision}")),
        RevisionError::TooLarge { .. } | RevisionError::TooMany { .. } => "compare two files",
    };
    not_valid(&error, next)
}

fn not_valid(error: &RevisionError, next: &str) -> Trouble {
    Trouble::not_valid(error.to_string()).next(next)
}

/// A version, in the catalogue that it stands in.
struct Side {
    /// As it was named.
    what: String,
    catalogue: Catalogue,
    procedure: Procedure,
}

/// A file, a name in the catalogue with or without a version (`drain@1.2.0`), or a revision's file (`main:runbooks/drain.yaml`).
fn side(what: &str, options: &CheckOptions, settings: &Settings, ui: &mut Ui) -> Result<Side, Trouble> {
    let path = Path::new(what);
    let is_file = path.is_file() || what.contains(':');
    let (catalogue, procedure) = if path.is_file() {
        let catalogue = Catalogue::around(path)?;
        let procedure = catalogue.procedure_in(path).cloned();
        (catalogue, procedure)
    } else if let Some((revision, path)) = what.split_once(':') {
        let found = Repository::around(Path::new(".")).and_then(|here| here.at(revision, path)).map_err(trouble)?;
        let procedure = found.catalogue.procedures().find(|procedure| *procedure.source.name == *found.file).cloned();
        (found.catalogue, procedure)
    } else {
        let catalogue = Catalogue::open(&settings.catalogue.value)?;
        let procedure = named(what, &catalogue, settings)?.clone();
        (catalogue, Some(procedure))
    };
    let what = line(what).into_owned();
    let Some(procedure) = procedure else {
        check::show_faults(&catalogue.check(options), &catalogue, ui);
        return Err(Trouble::not_valid(format!("{what} holds no procedure")).next("name a file with a procedure"));
    };
    // A copy beside the file is often what it is compared with; a name could mean either.
    let catalogue = if is_file { catalogue.without_twins_of(&procedure) } else { catalogue };
    Ok(Side { what, catalogue, procedure })
}

fn named<'c>(what: &str, catalogue: &'c Catalogue, settings: &Settings) -> Result<&'c Procedure, Trouble> {
    let (name, version) = what.split_once('@').map_or((what, None), |(name, version)| (name, Some(version)));
    let Some(newest) = catalogue.procedure(name) else { return Err(check::unknown(catalogue, name, settings)) };
    let Some(version) = version else { return Ok(newest) };
    let versions: Vec<&Procedure> = catalogue.procedures().filter(|procedure| procedure.name.value.as_str() == name).collect();
    let found = versions.iter().find(|procedure| procedure.version.value.to_string() == version);
    found.copied().ok_or_else(|| {
        let mut there: Vec<_> = versions.iter().map(|procedure| procedure.version.value).collect();
        there.sort_unstable();
        let there: Vec<String> = there.iter().map(|version| format!("{name}@{version}")).collect();
        let why = format!("there is no version `{}` of `{name}` in {}", line(version), settings.catalogue.value.display());
        Trouble::not_valid(why).next(format!("use one of: {}", there.join(", ")))
    })
}

impl Side {
    fn judged(&self, environments: &Environments, options: &CheckOptions, ui: &mut Ui) -> Result<Judged, Trouble> {
        let judged = Judged::of(&self.catalogue, &self.procedure, environments, options);
        if judged.plan.is_some() && judged.broken_in.is_empty() {
            return Ok(judged);
        }
        let found: Vec<Diagnostic> = judged.found.all().cloned().collect();
        check::show_faults(&found, &self.catalogue, ui);
        let place = match judged.broken_in.as_slice() {
            [] => String::new(),
            names => format!(" in {}", line(&names.join(", "))),
        };
        let why = format!("{} is not valid{place}, so nothing can be said of what it means", self.what);
        Err(Trouble::not_valid(why).next(match judged.broken_in.first() {
            Some(name) => format!("runbook check --env {}", line(name)),
            None => "runbook check".to_owned(),
        }))
    }
}

fn text(comparison: &Comparison) -> String {
    let mut out = Vec::new();
    if comparison.is_empty() {
        out.push("nothing means anything else".to_owned());
    }
    if let Some(verdict) = comparison::unchanged(comparison) {
        let name = Tone::Strong.paint(comparison.new.procedure.as_str());
        out.push(format!("{name}: {}", Tone::Good.paint(&verdict)));
    }
    for change in &comparison.procedures {
        procedure(change, &mut out);
    }
    out.extend(comparison::left_out(&comparison.not_compared).map(|said| line(&said).into_owned()));
    out.join("\n")
}

/// What became of a procedure: its verdict, and each thing below it.
pub(super) fn procedure(change: &ProcedureChange, out: &mut Vec<String>) {
    let tone = if matches!(change.raised, Raised::TooLittle(_)) { Tone::Bad } else { Tone::Good };
    out.push(format!("{}: {}", Tone::Strong.paint(change.procedure.as_str()), tone.paint(&comparison::verdict(change))));
    changes(change, out);
}

/// Each thing that changed, further in.
pub(super) fn changes(change: &ProcedureChange, out: &mut Vec<String>) {
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
        let what = comparison::what(change);
        let what = line(&what);
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
