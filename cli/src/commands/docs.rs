//! `runbook docs`: what is written of procedures, and the references that are built into the program.

mod folder;

use std::path::Path;

use clap::ValueEnum;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use runbook_core::Plan;
use runbook_core::document::Procedure;
use runbook_core::guide::{Freshness, Guide};
use runbook_engine::catalogue::Catalogue;
use runbook_engine::journal::{Commits, Journal, Store};
use runbook_engine::report::exercised;
use runbook_engine::report::guide::{self, Row};

use super::check;
use crate::args::{Docs, GuideFormat, Page};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::shell_word;
use crate::ui::{Tone, Ui, line, plain};

const DRY_RUN: &str = include_str!("../../../docs/dry-run.md");
const FORMAT: &str = include_str!("../../../docs/format.md");
const EDITORS: &str = include_str!("../../../docs/editors.md");
const SERVE: &str = include_str!("../../../docs/serve.md");
const RECORD: &str = include_str!("../../../docs/record.md");

pub fn run(args: &Docs, settings: &Settings, ui: &mut Ui) -> Outcome {
    if let Some(page) = page(args, settings)? {
        ui.data(page.trim_end())?;
        return Ok(Exit::Succeeded);
    }
    let chosen = chosen(args, settings, ui)?;
    if args.index {
        return index(&chosen, args, settings, ui);
    }
    let Some(out) = &args.out else {
        let [one] = chosen.as_slice() else {
            return Err(Trouble::not_valid("several pages need a folder").next(format!("{} --out DIR", command(args))));
        };
        ui.data(one.page(args.format)?.trim_end())?;
        remind(&chosen, ui);
        return Ok(Exit::Succeeded);
    };
    let pages = folder::pages(&chosen, args)?;
    if !args.check {
        return folder::write(&pages, out, ui);
    }
    let exit = folder::check(&pages, out, args, ui)?;
    remind(&chosen, ui);
    Ok(exit)
}

/// The page of the reference that is asked for.
fn page(args: &Docs, settings: &Settings) -> Result<Option<&'static str>, Trouble> {
    let page = match args.what.as_slice() {
        [] if args.out.is_none() && !args.index => Page::Format,
        [name] => match Page::from_str(name, false) {
            Ok(page) if args.out.is_none() => page,
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    if let [name] = args.what.as_slice() {
        // A folder that cannot be read has no procedure that could be meant.
        let named = Catalogue::open(&settings.catalogue.value).ok();
        let file = named.as_ref().and_then(|catalogue| catalogue.procedure(name)).map(|found| found.source.name.to_string());
        if let Some(file) = file {
            let trouble = Trouble::not_valid(format!("`{name}` is a page of the reference and a procedure of the catalogue"));
            return Err(
                trouble.next(format!("runbook docs {}", shell_word(&settings.catalogue.value.join(file).to_string_lossy())))
            );
        }
    }
    Ok(Some(match page {
        Page::DryRun => DRY_RUN,
        Page::Format => FORMAT,
        Page::Editors => EDITORS,
        Page::Serve => SERVE,
        Page::Record => RECORD,
    }))
}

/// A procedure that is valid, and how it was written.
struct Chosen {
    document: Procedure,
    plan: Plan,
    all_environments: bool,
}

impl Chosen {
    fn page(&self, format: GuideFormat) -> Result<String, Trouble> {
        let guide =
            Guide::new(&self.plan, &self.document, self.all_environments).map_err(|why| Trouble::failed(why.to_string()))?;
        Ok(match format {
            GuideFormat::Md => guide::to_markdown(&guide),
            GuideFormat::Html => guide::to_html(&guide),
            GuideFormat::Man => guide::to_man(&guide),
            GuideFormat::Manual => guide::to_manual(&guide),
        })
    }

    fn review(&self, today: Date) -> Freshness {
        let every = self.document.review_every.as_ref().map(|every| every.value);
        Freshness::of(self.document.reviewed.as_ref().map(|date| date.value), every, today)
    }

    /// A line of the index; `exercised` where a record says when.
    fn row(&self, page: String, exercised: Option<Date>, today: Date) -> Row {
        let main = self.plan.main();
        let every = self.document.exercise_every.as_ref().map(|every| every.value);
        Row {
            name: main.name.to_string(),
            page,
            title: main.title.clone().unwrap_or_default(),
            version: main.version.to_string(),
            owner: main.owner.clone().unwrap_or_default(),
            effect: self.plan.highest_effect().name(),
            reviewed: self.document.reviewed.as_ref().map(|date| date.value.to_string()).unwrap_or_default(),
            review: self.review(today),
            exercised: exercised.map_or_else(|| "never".to_owned(), |date| date.to_string()),
            exercise: Freshness::of(exercised, every, today),
        }
    }
}

/// The procedures that are named, each in its catalogue; the newest of every name where none is.
fn chosen(args: &Docs, settings: &Settings, ui: &mut Ui) -> Result<Vec<Chosen>, Trouble> {
    let mut found = Vec::new();
    for what in &args.what {
        let path = Path::new(what);
        let file = path.is_file();
        let catalogue = if file { Catalogue::around(path)? } else { Catalogue::open(&settings.catalogue.value)? };
        let procedure = if file { catalogue.procedure_in(path) } else { catalogue.procedure(what) };
        match procedure {
            Some(procedure) => found.push(planned(procedure, &catalogue, args, ui)?),
            None if file => {
                let next = format!("runbook check {}", shell_word(what));
                return Err(Trouble::not_valid(format!("{what} holds no procedure")).next(next));
            }
            None => return Err(check::unknown(&catalogue, what, settings)),
        }
    }
    if args.what.is_empty() {
        let catalogue = Catalogue::open(&settings.catalogue.value)?;
        let mut names: Vec<&str> = catalogue.procedures().map(|procedure| procedure.name.value.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            let trouble = Trouble::not_valid(format!("there is no procedure in {}", settings.catalogue.value.display()));
            return Err(trouble.next("runbook init"));
        }
        for procedure in names.into_iter().filter_map(|name| catalogue.procedure(name)) {
            found.push(planned(procedure, &catalogue, args, ui)?);
        }
    }
    Ok(found)
}

fn planned(procedure: &Procedure, catalogue: &Catalogue, args: &Docs, ui: &mut Ui) -> Result<Chosen, Trouble> {
    check::known_environment(catalogue, args.env.as_deref())?;
    let (plan, found) = catalogue.plan(procedure, &check::options(args.env.clone()));
    let Some(plan) = plan else {
        check::show_faults(&found, catalogue, ui);
        let name = &procedure.name.value;
        return Err(Trouble::not_valid(format!("`{name}` is not valid")).next(format!("runbook check {name}")));
    };
    Ok(Chosen { document: procedure.clone(), plan, all_environments: args.env.is_none() })
}

/// The list of all, as it is today and by the record of this machine.
fn index(chosen: &[Chosen], args: &Docs, settings: &Settings, ui: &mut Ui) -> Outcome {
    let today = today();
    let store = settings.kept_state().map(|folder| Store::open_with(folder, Commits::OnTheSpot)).transpose()?;
    let mut rows = Vec::new();
    for one in chosen {
        let journal = store.as_ref().map(|store| store as &dyn Journal);
        let last = journal.map(|journal| exercised(journal, &one.plan.main().name)).transpose()?.flatten();
        rows.push(one.row(String::new(), last.map(|at| at.to_zoned(TimeZone::UTC).date()), today));
    }
    match args.format {
        GuideFormat::Md | GuideFormat::Man => ui.data(guide::index_in_markdown(&rows, true).trim_end())?,
        GuideFormat::Html | GuideFormat::Manual => ui.data(guide::index_in_html(&rows, true).trim_end())?,
    }
    remind(chosen, ui);
    Ok(Exit::Succeeded)
}

/// Names what was to be reviewed by now. That is no fault of a page.
fn remind(chosen: &[Chosen], ui: &mut Ui) {
    for one in chosen {
        let said = match one.review(today()) {
            Freshness::Overdue(due) => format!("the review was due on {due}"),
            Freshness::Never => "it was never reviewed".to_owned(),
            Freshness::Due(_) | Freshness::Unasked => continue,
        };
        let main = one.plan.main();
        let owner = main.owner.as_ref().map(|owner| format!("; its owner is {}", line(owner))).unwrap_or_default();
        ui.say(&format!("{}: {}: {said}{owner}", Tone::Warning.paint("stale"), plain(main.name.as_str())));
    }
}

fn today() -> Date {
    jiff::Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// The command as it was given, but for what becomes of the pages.
fn command(args: &Docs) -> String {
    let mut command = "runbook docs".to_owned();
    args.what.iter().for_each(|what| command.push_str(&format!(" {}", shell_word(what))));
    if args.format != GuideFormat::Md {
        let name = args.format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        command.push_str(&format!(" --format {name}"));
    }
    command.extend(args.env.iter().map(|env| format!(" --env {}", shell_word(env))));
    command
}
