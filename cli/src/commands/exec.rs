//! `runbook exec`: from a name or a file to a recorded run, driven here or in the background; or, of the catalogue of a server, there.

pub mod afar;
mod wanted;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use runbook_core::document::workspace::NoEnvironment;
use runbook_core::effect::Effect;
use runbook_core::explore;
use runbook_core::run::event::{Part, RunStarted};
use runbook_core::{Plan, RunId};
use runbook_engine::catalogue::Catalogue;
use runbook_engine::clock::{Clock, SystemClock};
use runbook_engine::session::Session;
use runbook_engine::start::{self, Order};

use super::attend::{self, Place};
use super::dry_run;
use super::store::{Home, driving_runtime};
use super::{check, config_folder};
use crate::args::{Exec, Given};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::ask::{self, Lines};
use crate::ui::screen::{Screen, Shared};
use crate::ui::{Tone, Ui};
use wanted::{Inputs, checking};
pub use wanted::{Wanted, all_faults, typed};

pub fn run(args: &Exec, settings: &Settings, ui: &mut Ui) -> Outcome {
    if settings.server.is_some() {
        return afar::run(args, settings, ui);
    }
    let chosen = Chosen::find(&args.procedure, &args.given, settings, ui)?;
    let home = Home::open(settings)?;
    let mut lines = Lines::default();
    let runtime = driving_runtime(ui)?;
    let wanted = &chosen.wanted;
    runtime.block_on(async {
        let inputs = wanted.inputs(&args.given, ui, &mut lines).await?;
        let order = Order {
            plan: wanted.plan.clone(),
            inputs: inputs.values(),
            requested_by: home.identity(&wanted.plan.policy.people),
            part: part(args),
            stepwise: args.step,
            catalogue: Some(chosen.catalogue.digest()),
            root: chosen.root(),
        };
        let (id, seed) = start::draw(&*home.clock);
        let started = order.started(seed).map_err(|error| wanted.refused(error, &inputs))?;
        if !agreed(args, wanted, &started, Some(&chosen.catalogue), &inputs, ui, &mut lines).await? {
            return Ok(Exit::Cancelled);
        }
        let here = home.here()?;
        let screen = Shared::new(Screen::new(ui, args.json));
        if args.detach {
            let plan = wanted.plan.clone();
            let session =
                Session::create(here.journal.clone(), home.clock.clone(), here.owner(), Vec::new(), id.clone(), plan, started)
                    .await?;
            session.close().await?;
            in_background(&id, settings)?;
            ui.data(id.as_str())?;
            ui.next(&format!("runbook show {id}"));
            return Ok(Exit::Succeeded);
        }
        let (observer, questions) = attend::questions();
        let observers: Vec<Box<dyn runbook_engine::session::Observer>> = vec![Box::new(screen.clone()), Box::new(observer)];
        let plan = wanted.plan.clone();
        let session = Session::create(here.journal.clone(), home.clock.clone(), here.owner(), observers, id, plan, started).await?;
        let place = Place { home: &home, root: chosen.root(), config: config_folder(), screen };
        attend::attend(session, place, questions, ui, &mut lines).await
    })
}

/// Which part of the procedure is wanted.
fn part(args: &Exec) -> Part {
    match (&args.from, args.only.as_slice()) {
        (Some(from), _) => Part::From(from.clone()),
        (None, []) => Part::Whole,
        (None, only) => Part::Only(only.to_vec()),
    }
}

/// Shows what would happen and asks whether to start, where anything above `read` would run and somebody can be asked.
async fn agreed(
    args: &Exec,
    wanted: &Wanted,
    started: &RunStarted,
    catalogue: Option<&Catalogue>,
    inputs: &Inputs,
    ui: &mut Ui,
    lines: &mut Lines,
) -> Result<bool, Trouble> {
    let plan = &wanted.plan;
    if args.yes || !ui.can_ask() || plan.highest_effect() <= Effect::Read {
        return Ok(true);
    }
    let now = SystemClock.now();
    let mut predicted = explore::dry_run(plan, started, now, &explore::Options::default(), &mut explore::Nothing)
        .map_err(|why| Trouble::failed(format!("the run cannot be predicted: {why}")))?;
    if let Some(catalogue) = catalogue {
        catalogue.add_types(&mut predicted, plan);
    }
    dry_run::show(&predicted, plan, started, ui, dry_run::To::Person)?;
    ui.say(&dry_run::weight(&predicted));
    let agreed = ask::yes(ui, lines, "start?").await;
    if !agreed {
        ui.say("nothing was started");
        ui.next(&format!("{}{} --yes", wanted.command(inputs), manner(args)));
    }
    Ok(agreed)
}

/// How the run was to go, as flags.
fn manner(args: &Exec) -> String {
    let mut flags = String::new();
    if args.step {
        flags.push_str(" --step");
    }
    args.from.iter().for_each(|step| flags.push_str(&format!(" --from {step}")));
    args.only.iter().for_each(|step| flags.push_str(&format!(" --only {step}")));
    flags
}

/// A procedure, checked.
pub struct Chosen {
    pub catalogue: Catalogue,
    pub wanted: Wanted,
}

impl Chosen {
    pub fn find(what: &str, given: &Given, settings: &Settings, ui: &mut Ui) -> Result<Chosen, Trouble> {
        let path = Path::new(what);
        let catalogue = if path.is_file() { Catalogue::around(path)? } else { Catalogue::open(&settings.catalogue.value)? };
        let procedure = if path.is_file() { catalogue.procedure_in(path) } else { catalogue.procedure(what) };
        let Some(procedure) = procedure else {
            if path.is_file() {
                let full = path.canonicalize().ok();
                if let Some(file) = catalogue.files().iter().find(|f| f.path.canonicalize().ok() == full) {
                    check::show_faults(&file.found, &catalogue, ui);
                }
                return Err(Trouble::not_valid(format!("{what} holds no procedure")).next(checking(what, given)));
            }
            return Err(check::unknown(&catalogue, what, settings));
        };
        let environment = given.env.clone().or_else(|| settings.environment.value.clone());
        match (catalogue.workspace(), &given.env) {
            // A run is in one environment: which rules and windows hold must not be left open.
            (Some(workspace), _) => {
                if let Err(why @ NoEnvironment::NotNamed(_)) = workspace.environment(environment.as_deref()) {
                    return Err(Trouble::not_valid(why.to_string()).next("give --env ENV"));
                }
            }
            (None, Some(name)) => {
                let why = format!("there is no workspace here, so there is no environment `{}`", crate::ui::line(name));
                return Err(Trouble::not_valid(why).next(format!("runbook exec {what}")));
            }
            (None, None) => {}
        }
        check::known_environment(&catalogue, environment.as_deref())?;
        let (plan, found) = catalogue.plan(procedure, &check::options(environment));
        let Some(plan) = plan else {
            check::show_faults(&found, &catalogue, ui);
            return Err(Trouble::not_valid(format!("`{what}` is not valid; nothing was started")).next(checking(what, given)));
        };
        Ok(Chosen { catalogue, wanted: Wanted::new(plan, what) })
    }

    /// Where steps run.
    pub fn root(&self) -> PathBuf {
        let root = self.catalogue.root();
        root.canonicalize().unwrap_or_else(|_| root.to_owned())
    }
}

/// Starts a process that goes on with the run and outlives this terminal.
pub fn in_background(id: &RunId, settings: &Settings) -> Result<(), Trouble> {
    let cannot = |why: std::io::Error| {
        Trouble::failed(format!("cannot start a process for run {id}: {why}")).next(format!("runbook resume {id}"))
    };
    let program = std::env::current_exe().map_err(cannot)?;
    let null = || std::process::Stdio::null();
    std::process::Command::new(program)
        .arg("--state")
        .arg(&settings.state()?.value)
        .args(["resume", id.as_str(), "--yes"])
        .stdin(null())
        .stdout(null())
        .stderr(null())
        // What is in a group of its own is neither interrupted nor hung up with this terminal.
        .process_group(0)
        .spawn()
        .map_err(cannot)?;
    Ok(())
}

/// A heading for what is about to start.
pub fn heading(plan: &Plan, started: &RunStarted) -> String {
    let main = plan.main();
    let title = main.title.as_ref().map(|t| format!(": {}", crate::ui::line(t))).unwrap_or_default();
    let environment = started.environment.as_ref().map(|e| format!(" in {}", crate::ui::line(e))).unwrap_or_default();
    format!("{}{environment}{title}", Tone::Strong.paint(&format!("{} {}", main.name, main.version)))
}
