//! The results of tests beside the lines of the files: what does not hold, and what no case has been through.

use std::collections::BTreeSet;

use runbook_core::diagnostic::Diagnostic;
use runbook_core::trial::Point;
use runbook_engine::catalogue::Catalogue;
use runbook_engine::report::annotations::{Annotation, GITHUB_SHOWN, Level, shown_by_github, to_github, to_gitlab};
use runbook_engine::revision::Repository;
use runbook_engine::suite::{Covered, Report};

use crate::args::Annotations;
use crate::exit::Trouble;
use crate::ui::words::count;
use crate::ui::{Tone, Ui};

/// What GitHub shows; how much more there is, and what shows that, is said aside.
pub fn print_to_github(all: Vec<Annotation>, elsewhere: &str, ui: &mut Ui) -> Result<(), Trouble> {
    let (shown, hidden) = shown_by_github(all);
    ui.raw(to_github(&shown).as_bytes())?;
    for (level, many) in hidden {
        let what = match level {
            Level::Error => count(many as u64, "error", "errors"),
            Level::Warning => count(many as u64, "warning", "warnings"),
            Level::Notice => count(many as u64, "place that no case comes to", "places that no case comes to"),
        };
        let hidden = Tone::Warning.paint("hidden");
        ui.say(&format!("{hidden}: {what}, because GitHub shows {GITHUB_SHOWN} of a kind; {elsewhere}"));
    }
    Ok(())
}

pub fn print(form: Annotations, parts: &[(&Catalogue, Report)], coverage: bool, ui: &mut Ui) -> Result<(), Trouble> {
    let mut all = Vec::new();
    for (catalogue, report) in parts {
        let repository = Repository::around(catalogue.root()).ok();
        let prefix = repository.as_ref().map_or("", Repository::prefix);
        all.extend(faults(report).filter_map(|fault| Some(Annotation::of(fault, prefix, catalogue.source(&fault.source)?))));
        if coverage {
            all.extend(report.covered.iter().flat_map(|of| missing(of, prefix)));
        }
    }
    // What two procedures call is missing once.
    let mut seen = BTreeSet::new();
    all.retain(|one| seen.insert((one.file.clone(), one.from, one.title.clone(), one.message.clone())));
    match form {
        Annotations::Github => {
            print_to_github(all, "`runbook test --coverage` shows all", ui)?;
        }
        Annotations::Gitlab => ui.data(&to_gitlab(&all).to_string())?,
    }
    Ok(())
}

fn faults(report: &Report) -> impl Iterator<Item = &Diagnostic> {
    report.faults.iter().chain(report.cases().flat_map(|case| &case.faults))
}

fn missing(of: &Covered, prefix: &str) -> Vec<Annotation> {
    let annotation = |point: Point| {
        let at = &of.plan.step(point.step()).at;
        Some(Annotation {
            level: Level::Notice,
            file: format!("{prefix}{}", of.plan.files.get(at.file as usize)?.name),
            from: at.position,
            to: at.position,
            title: format!("coverage: {}", point.class()),
            message: point.missing(&of.plan),
        })
    };
    let mut missing: Vec<Annotation> = of.coverage.missing().filter_map(annotation).collect();
    missing.sort_by(|a, b| (&a.file, a.from).cmp(&(&b.file, b.from)));
    missing
}
