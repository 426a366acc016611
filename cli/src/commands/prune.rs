//! `runbook prune`: what of ended runs goes, or would go, and which events.

use std::time::Duration;

use jiff::Timestamp;
use runbook_core::value::parse_duration;
use runbook_engine::access::Access;
use runbook_engine::clock::{Clock, SystemClock};
use runbook_engine::intake::Intake;
use runbook_engine::journal::{Commits, Store};
use runbook_engine::log::Logs;
use runbook_engine::people;
use runbook_engine::retention::{Going, GoneEvents, Keeper, Retention, RetentionError, Stays};
use runbook_engine::words::{bytes, count};
use serde_json::json;

use super::store::split;
use crate::args;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::when;
use crate::ui::{Ui, line, table};

pub fn run(args: &args::Prune, settings: &Settings, ui: &mut Ui) -> Outcome {
    let now = SystemClock.now();
    let before = |age: &Option<String>| age.as_deref().map(|age| earlier(age, now)).transpose();
    let retention =
        Retention { logs_before: before(&args.logs_after)?, steps_before: before(&args.steps_after)?, export: args.export.clone() };
    let events_before = before(&args.events_after)?;
    if retention.logs_before.is_none() && retention.steps_before.is_none() && events_before.is_none() {
        return Err(Trouble::not_valid("nothing was said to go").next("runbook prune --logs-after 90d --dry-run"));
    }
    if let Some(folder) = args.export.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(Trouble::not_valid(format!("{} is no folder", folder.display())).next("make it, for yourself alone"));
    }
    let state = &settings.state()?.value;
    let store = Store::open_with(state, Commits::OnTheSpot)?;
    let logs = Logs::open_in(store.handle(), store.folder()).map_err(|why| split(Exit::Failed, &why.to_string()))?;
    let access = Access::open(state, Commits::OnTheSpot)?;
    let user = people::local_user().map_err(|why| Trouble::failed(why.to_string()))?;
    let keeper = Keeper { store: &store, logs: &logs, access: &access, user, now };
    let found = match args.dry_run {
        true => keeper.foresee(&retention),
        false => keeper.prune(&retention),
    };
    let found = found.map_err(failed)?;
    let events = match events_before {
        Some(before) if Intake::is_there(state) => {
            let intake = Intake::open(state, Commits::OnTheSpot)?;
            let found = match args.dry_run {
                true => keeper.foresee_events(&intake, before),
                false => keeper.prune_events(&intake, before, &retention),
            };
            found.map_err(failed)?
        }
        _ => GoneEvents::default(),
    };
    tell(&found, &events, args, ui)?;
    // What ended needs_attention stays by rule; what cannot be proved is somebody's business.
    let is_unproved = |going: &Going| matches!(going.stays, Some(Stays::Unproved(_)));
    Ok(if found.iter().any(is_unproved) { Exit::Failed } else { Exit::Succeeded })
}

fn failed(error: RetentionError) -> Trouble {
    match error {
        RetentionError::Journal(error) => error.into(),
        error => split(Exit::Failed, &error.to_string()),
    }
}

fn earlier(age: &str, now: Timestamp) -> Result<Timestamp, Trouble> {
    let wrong = |why: String| Trouble::not_valid(why).next("write an age, such as 90d");
    let age = parse_duration(age).map_err(wrong)?;
    Ok(now.checked_sub(Duration::from_millis(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))).unwrap_or(Timestamp::MIN))
}

fn tell(found: &[Going], events: &GoneEvents, args: &args::Prune, ui: &mut Ui) -> Result<(), Trouble> {
    if args.json {
        for going in found {
            ui.data(&json!(going).to_string())?;
        }
        if events.events > 0 {
            ui.data(&json!(events).to_string())?;
        }
        return Ok(());
    }
    if found.is_empty() && events.events == 0 {
        ui.say("nothing is old enough to go");
        return Ok(());
    }
    let would = if args.dry_run { "would go" } else { "gone" };
    if let GoneEvents { events, first: Some(first), last: Some(last) } = events {
        ui.say(&format!("{would}: {} ({first} to {last})", count(*events, "event", "events")));
    }
    if found.is_empty() {
        return Ok(());
    }
    let rows = found.iter().map(|going| {
        let size = |size: Option<u64>| size.map_or_else(|| "-".to_owned(), bytes);
        let what = match (&going.stays, args.dry_run) {
            (Some(stays), _) => format!("stays: {}", line(stays.why())),
            (None, true) => "would go".to_owned(),
            (None, false) => "gone".to_owned(),
        };
        let cells =
            [going.run.to_string(), going.procedure.to_string(), when(going.ended_at), size(going.logs), size(going.steps), what];
        cells.to_vec()
    });
    ui.data(&table(&["run", "procedure", "ended", "logs", "steps", ""], rows.collect()))?;
    let all = found.iter().filter(|going| going.stays.is_none());
    let size = all.clone().map(|going| going.logs.unwrap_or_default() + going.steps.unwrap_or_default()).sum();
    ui.say(&format!("{would}: {} of {}", bytes(size), count(all.count() as u64, "run", "runs")));
    Ok(())
}
