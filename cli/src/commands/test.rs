//! `runbook test`: the cases of tests, played without doing anything.

pub mod annotate;
mod junit;
mod real;
mod record;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use runbook_core::diagnostic::render::{self, Look};
use runbook_core::diagnostic::{Code, Diagnostic};
use runbook_core::trial::Point;
use runbook_engine::catalogue::{Catalogue, Stamp};
use runbook_engine::suite::{self, Covered, Played, Report, Selection};
use serde_json::json;

use super::check::{self, Meant};
use crate::args;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::count;
use crate::ui::{Tone, Ui, line, table};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(300);

pub fn run(args: &args::Test, settings: &Settings, ui: &mut Ui) -> Outcome {
    match &args.part {
        Some(args::TestPart::Record(record)) => record::run(record, settings, ui),
        None => play(&args.play, settings, ui),
    }
}

fn play(args: &args::Play, settings: &Settings, ui: &mut Ui) -> Outcome {
    if !args.watch {
        return once(args, settings, ui);
    }
    let mut places = places(&args.what, settings);
    loop {
        // Before they are played: what changes meanwhile is seen.
        let before = places.as_ref().map(|places| stamps(places)).unwrap_or_default();
        let played = match &places {
            Ok(places) => cases(places, args, ui).map(drop),
            Err(trouble) => {
                ui.trouble(trouble);
                Ok(())
            }
        };
        // A file that cannot be read now may be whole a moment later.
        if let Err(trouble) = played {
            if trouble.is_broken_pipe() {
                return Err(trouble);
            }
            ui.trouble(&trouble);
        }
        ui.say(&Tone::Quiet.paint("waiting for a change; Ctrl-C ends it"));
        places = changed(places, &before, args, settings);
    }
}

/// Waits until a file is another one, and reads it.
fn changed(
    places: Result<Vec<Meant>, Trouble>,
    before: &Stamps,
    args: &args::Play,
    settings: &Settings,
) -> Result<Vec<Meant>, Trouble> {
    let Ok(places) = places else {
        // Nothing says yet which files there are.
        loop {
            std::thread::sleep(LOOK);
            if let Ok(places) = self::places(&args.what, settings) {
                return Ok(places);
            }
        }
    };
    while stamps(&places) == *before {
        std::thread::sleep(LOOK);
    }
    let renew = |(catalogue, file): Meant| {
        let catalogue = catalogue.renewed().ok()?;
        let there = file.as_ref().is_none_or(|file| catalogue.source(file).is_some());
        there.then_some((catalogue, file))
    };
    match places.into_iter().map(renew).collect() {
        Some(renewed) => Ok(renewed),
        None => self::places(&args.what, settings),
    }
}

fn once(args: &args::Play, settings: &Settings, ui: &mut Ui) -> Outcome {
    cases(&places(&args.what, settings)?, args, ui)
}

fn cases(places: &[Meant], args: &args::Play, ui: &mut Ui) -> Outcome {
    let options = check::options(None);
    let mut tally = Tally::default();
    let mut parts = Vec::new();
    for (catalogue, file) in places {
        let selection = Selection { file: file.clone(), filter: args.filter.clone() };
        let report = match args.real {
            true => real::run(catalogue, &selection, &options, ui)?,
            false => suite::play(catalogue, &selection, &options),
        };
        if args.annotations.is_none() {
            show(&report, catalogue, args, ui)?;
        }
        tally.add(&report);
        parts.push((catalogue, report));
    }
    if let Some(form) = args.annotations {
        annotate::print(form, &parts, args.coverage, ui)?;
    }
    if let Some(file) = &args.junit {
        let text = junit::document(parts.iter().map(|(catalogue, report)| (*catalogue, report)));
        std::fs::write(file, text).map_err(|why| {
            Trouble::failed(format!("cannot write {}: {why}", file.display())).next("name a file that can be written")
        })?;
    }
    if !args.real && tally.real > 0 {
        let real = count(tally.real as u64, "case is", "cases are");
        ui.say(&Tone::Quiet.paint(&format!("{real} for real systems alone: `runbook test --real` runs them")));
    }
    if parts.iter().any(|(_, report)| report.interrupted) {
        return Ok(Exit::Cancelled);
    }
    if tally.cases == 0 && tally.broken == 0 && tally.real == 0 {
        let none = match &args.filter {
            _ if args.real => "no case here is for real systems".to_owned(),
            Some(filter) => format!("no case has `{filter}` in its name, its file or its procedure"),
            None => "there is no test here".to_owned(),
        };
        let next = match args.real || args.filter.is_some() {
            true => "runbook test",
            false => "write `NAME.test.yaml` beside a procedure: `runbook docs format` says how, under Tests",
        };
        return Err(Trouble::not_valid(none).next(next));
    }
    ui.say(&tally.line());
    Ok(match (tally.broken, tally.failed) {
        (0, 0) => Exit::Succeeded,
        (0, _) => Exit::Failed,
        _ => Exit::NotValid,
    })
}

fn places(what: &[String], settings: &Settings) -> Result<Vec<Meant>, Trouble> {
    if what.is_empty() {
        return Ok(vec![(Catalogue::open(&settings.catalogue.value)?, None)]);
    }
    what.iter().map(|what| check::meant(what, settings)).collect()
}

type Stamps = Vec<BTreeMap<PathBuf, Option<Stamp>>>;

/// The files as they are, without reading them.
fn stamps(places: &[Meant]) -> Stamps {
    places.iter().map(|(catalogue, _)| catalogue.stamps()).collect()
}

#[derive(Default)]
struct Tally {
    cases: usize,
    failed: usize,
    /// Faults that kept cases from being played.
    broken: usize,
    /// Cases that were left out: they are for real systems alone.
    real: usize,
}

impl Tally {
    fn add(&mut self, report: &Report) {
        self.cases += report.cases().count();
        self.failed += report.failed();
        self.real += report.real;
        let unplayed = |fault: &&Diagnostic| fault.code == Code::RB0502;
        self.broken += report.faults.len() + report.cases().flat_map(|case| &case.faults).filter(unplayed).count();
    }

    fn line(&self) -> String {
        let cases = count(self.cases as u64, "case", "cases");
        match (self.broken, self.failed) {
            (0, 0) => format!("{}: {cases}", Tone::Good.paint("passed")),
            (0, failed) => format!("{}: {failed} of {cases}", Tone::Bad.paint("failed")),
            (broken, failed) => {
                format!("{}: {}; {failed} of {cases} failed", Tone::Bad.paint("not valid"), count(broken as u64, "fault", "faults"))
            }
        }
    }
}

fn show(report: &Report, catalogue: &Catalogue, args: &args::Play, ui: &mut Ui) -> Result<(), Trouble> {
    for fault in &report.faults {
        tell(fault, catalogue, args.json, ui)?;
    }
    for file in &report.files {
        if args.json {
            as_json(file, catalogue, ui)?;
            continue;
        }
        ui.data(&format!("{} ({})", line(&file.file), file.procedure))?;
        for case in &file.cases {
            let verdict = if case.faults.is_empty() { Tone::Good.paint("ok  ") } else { Tone::Bad.paint("FAIL") };
            ui.data(&format!("  {verdict}  {}", line(&case.name)))?;
            for fault in &case.faults {
                tell(fault, catalogue, false, ui)?;
            }
        }
    }
    if args.coverage { coverage(&report.covered, args.json, ui) } else { Ok(()) }
}

fn tell(fault: &Diagnostic, catalogue: &Catalogue, json: bool, ui: &mut Ui) -> Result<(), Trouble> {
    let Some(source) = catalogue.source(&fault.source) else { return Ok(()) };
    let text = match json {
        true => render::to_json(fault, source).to_string(),
        false => format!("{}\n", render::to_text(fault, source, Look::Colour)),
    };
    Ok(ui.data(&text)?)
}

fn as_json(file: &Played, catalogue: &Catalogue, ui: &mut Ui) -> Result<(), Trouble> {
    for case in &file.cases {
        let faults: Vec<_> = case
            .faults
            .iter()
            .filter_map(|fault| catalogue.source(&fault.source).map(|source| render::to_json(fault, source)))
            .collect();
        let object = json!({
            "file": file.file,
            "procedure": file.procedure,
            "case": case.name,
            "passed": case.faults.is_empty(),
            "faults": faults,
        });
        ui.data(&object.to_string())?;
    }
    Ok(())
}

/// How much the cases have been through, and, with its place, what they have not.
fn coverage(covered: &[Covered], as_json: bool, ui: &mut Ui) -> Result<(), Trouble> {
    let places = |of: &Covered| -> Vec<(String, Point)> {
        let mut missing: Vec<_> = of.coverage.missing().map(|point| (of.plan.step(point.step()).at.clone(), point)).collect();
        missing.sort();
        missing.into_iter().map(|(at, point)| (of.plan.locate(&at), point)).collect()
    };
    if as_json {
        for of in covered {
            let classes: BTreeMap<_, _> =
                of.coverage.table().into_iter().map(|(class, seen, all)| (class, json!({"seen": seen, "all": all}))).collect();
            let missing: Vec<_> = places(of)
                .into_iter()
                .map(|(at, point)| json!({"at": at, "class": point.class(), "what": point.missing(&of.plan)}))
                .collect();
            ui.data(&json!({"procedure": of.procedure, "coverage": classes, "missing": missing}).to_string())?;
        }
        return Ok(());
    }
    let rows = covered.iter().map(|of| {
        let cells = of.coverage.table().map(|(_, seen, all)| {
            let text = format!("{seen}/{all}");
            if seen == all { text } else { Tone::Warning.paint(&text) }
        });
        [line(&of.procedure).into_owned()].into_iter().chain(cells).collect()
    });
    ui.data(&table(&["procedure", "steps", "branches", "failures", "undos"], rows.collect()))?;
    for of in covered {
        for (at, point) in places(of) {
            ui.data(&format!("{}: {}", line(&at), line(&point.missing(&of.plan))))?;
        }
    }
    Ok(())
}
