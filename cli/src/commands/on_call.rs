//! `runbook oncall`: who is on call in the rotations of the workspace, until when, and who is next.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runbook_core::diagnostic::nearest;
use runbook_core::policy::{People, Rotation};
use runbook_core::value::parse_duration;
use runbook_engine::catalogue::{Catalogue, has_errors};
use runbook_engine::clock::{Clock, SystemClock};
use runbook_engine::on_call::{self, Told, local};
use serde_json::json;

use super::check;
use crate::args::{self, OnCall};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::shell_word;
use crate::ui::{Tone, Ui, line, table};

pub fn run(args: &OnCall, settings: &Settings, ui: &mut Ui) -> Outcome {
    let catalogue = Catalogue::open(&settings.catalogue.value)?;
    let Some(people) = people(&catalogue, ui)? else { return Ok(Exit::NotValid) };
    let chosen: Vec<(&String, &Rotation)> = match &args.rotation {
        Some(name) => vec![find(&people.rotations, name)?],
        None => people.rotations.iter().collect(),
    };
    let now = SystemClock.now();
    let mut moments = Vec::new();
    for (_, rotation) in &chosen {
        moments.push(args.at.as_ref().map_or(Ok(now), |text| moment(text, &rotation.zone, now))?);
    }
    let chosen = chosen.into_iter().zip(moments);
    match args.days {
        Some(days) => list(chosen, days, args, people, ui),
        None => stand(chosen, args, people, ui),
    }
}

/// Those of the workspace, where it is valid and has rotations.
fn people<'c>(catalogue: &'c Catalogue, ui: &mut Ui) -> Result<Option<&'c People>, Trouble> {
    let none = |what: &str| Trouble::not_valid(what).next("runbook docs format");
    let Some(workspace) = catalogue.workspace() else {
        return Err(none("there is no workspace here, so nobody is on call"));
    };
    let found = catalogue.files().iter().filter(|file| file.source.name == workspace.source.name).flat_map(|file| &file.found);
    let found: Vec<_> = found.cloned().collect();
    // Whoever is wrongly believed to be on call is waited for in vain.
    if has_errors(&found) {
        check::show_faults(&found, catalogue, ui);
        return Ok(None);
    }
    match workspace.people.rotations.is_empty() {
        true => Err(none("the workspace has no `rotations`, so nobody is on call")),
        false => Ok(Some(&workspace.people)),
    }
}

fn find<'r>(rotations: &'r BTreeMap<String, Rotation>, name: &str) -> Result<(&'r String, &'r Rotation), Trouble> {
    rotations.get_key_value(name).ok_or_else(|| {
        let next = match nearest(name, rotations.keys().map(String::as_str)) {
            Some(near) => format!("runbook oncall {}", shell_word(near)),
            None => "runbook oncall".to_owned(),
        };
        Trouble::not_valid(format!("the workspace has no rotation `{}`", line(name))).next(next)
    })
}

/// A moment as people give it: of the rotation's wall clock, an instant, or how long from now.
fn moment(text: &str, zone: &str, now: Timestamp) -> Result<Timestamp, Trouble> {
    if let Ok(after) = parse_duration(text) {
        return Ok(now.saturating_add(after).unwrap_or(Timestamp::MAX));
    }
    on_call::moment(text, zone).ok_or_else(|| {
        let next = "write a day (2026-12-24), a time (2026-12-24T18:00), an instant (2026-12-24T18:00Z) or a duration (8h)";
        Trouble::not_valid(format!("`{}` is no time", line(text))).next(next)
    })
}

type Chosen<'r> = ((&'r String, &'r Rotation), Timestamp);

fn stand<'r>(chosen: impl Iterator<Item = Chosen<'r>>, args: &args::OnCall, people: &People, ui: &mut Ui) -> Outcome {
    let mut rows = Vec::new();
    for ((name, rotation), at) in chosen {
        let standing = on_call::standing(name, rotation, at);
        if args.json {
            ui.data(&json!(standing).to_string())?;
            continue;
        }
        let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| local(at, &rotation.zone));
        let next = standing.coming.first().map_or_else(|| "-".to_owned(), |next| who(next, people));
        rows.push(vec![line(name).into_owned(), who(&standing.now, people), time(standing.now.from), time(standing.now.to), next]);
    }
    if !args.json {
        ui.data(&table(&["rotation", "on call", "since", "until", "then"], rows))?;
    }
    Ok(Exit::Succeeded)
}

fn list<'r>(chosen: impl Iterator<Item = Chosen<'r>>, days: u16, args: &args::OnCall, people: &People, ui: &mut Ui) -> Outcome {
    let mut rows = Vec::new();
    for ((name, rotation), at) in chosen {
        let until = at.saturating_add(jiff::SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MAX);
        for shift in on_call::shifts(rotation, at, until) {
            if args.json {
                let mut told = json!(shift);
                told["rotation"] = json!(name);
                ui.data(&told.to_string())?;
                continue;
            }
            let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| local(at, &rotation.zone));
            rows.push(vec![line(name).into_owned(), time(shift.from), time(shift.to), who(&shift, people)]);
        }
    }
    if !args.json {
        ui.data(&table(&["rotation", "from", "to", "on call"], rows))?;
    }
    Ok(Exit::Succeeded)
}

/// Who is on call, and why where it is not their turn.
fn who(shift: &Told, people: &People) -> String {
    let Some(name) = &shift.on_call else { return Tone::Warning.paint("nobody") };
    let full = people.people.get(name).and_then(|person| person.name.clone());
    let stands_in = match &shift.reason {
        Some(reason) => Some(format!("stands in: {reason}")),
        None => shift.is_override.then(|| "stands in".to_owned()),
    };
    let more: Vec<String> = full.into_iter().chain(stands_in).collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
    line(&format!("{name}{more}")).into_owned()
}
