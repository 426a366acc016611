//! `runbook oncall`: who is on call in the rotations of the workspace, until when, and who is next; and who stands in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runbook_core::diagnostic::nearest;
use runbook_core::limits;
use runbook_core::policy::{self, People, Rotation};
use runbook_core::value::parse_duration;
use runbook_engine::access::Access;
use runbook_engine::catalogue::{Catalogue, has_errors};
use runbook_engine::clock::{Clock, SystemClock};
use runbook_engine::journal::{Commits, Journal, KeptOverride, NewOverride, OverrideId, Store};
use runbook_engine::on_call::{Called, Standing, Told, local};
use runbook_engine::people;
use serde_json::json;

use super::token::entry;
use super::{afar, check};
use crate::args::{self, OnCall, OnCallPart};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::shell_word;
use crate::ui::{Tone, Ui, line, table};

pub fn run(args: &OnCall, settings: &Settings, ui: &mut Ui) -> Outcome {
    match &args.part {
        Some(OnCallPart::Override(args)) => return stand_in(args, settings, ui),
        Some(OnCallPart::Cancel(args)) => return cancel(args.id, settings, ui),
        None => {}
    }
    if settings.server.is_some() {
        return over(args, settings, ui);
    }
    let catalogue = Catalogue::open(&settings.catalogue.value)?;
    let Some(people) = of_workspace(&catalogue, ui)? else { return Ok(Exit::NotValid) };
    let chosen: Vec<(&String, &Rotation)> = match &args.rotation {
        Some(name) => vec![find(&people.rotations, name)?],
        None => people.rotations.iter().collect(),
    };
    let now = SystemClock.now();
    let mut moments = Vec::new();
    for (_, rotation) in &chosen {
        moments.push(args.at.as_ref().map_or(Ok(now), |text| moment(text, &rotation.zone, now))?);
    }
    let earliest = moments.iter().min().copied().unwrap_or(now);
    let kept = Store::open_with(&settings.state()?.value, Commits::OnTheSpot)?.overrides(earliest)?;
    let called =
        chosen.into_iter().map(|(name, rotation)| (name.as_str(), Called::new(name, rotation, &kept), rotation.zone.as_str()));
    let chosen: Vec<Chosen<'_>> = called.zip(moments).collect();
    match args.days {
        Some(days) => list(&chosen, days, args.json, people, ui),
        None => {
            let standing = chosen.iter().map(|((_, called, _), at)| called.standing(*at));
            stand(&standing.collect::<Vec<_>>(), args.json, people, ui)
        }
    }
}

/// As a server knows it now.
fn over(args: &OnCall, settings: &Settings, ui: &mut Ui) -> Outcome {
    if args.at.is_some() || args.days.is_some() {
        let why = "a server says who is on call now, and no other time";
        return Err(Trouble::not_valid(why).next("runbook oncall"));
    }
    let Some(server) = &settings.server else { return Ok(Exit::NotValid) };
    let mut standing = afar::reach(server, settings)?.on_call()?;
    if let Some(name) = &args.rotation {
        let all: Vec<String> = standing.iter().map(|standing| standing.rotation.clone()).collect();
        standing.retain(|standing| standing.rotation == *name);
        if standing.is_empty() {
            return Err(no_rotation(name, all.iter().map(String::as_str)));
        }
    }
    // Their full names stand in the workspace, which is there.
    stand(&standing, args.json, &People::default(), ui)
}

/// Overrides are made where they count.
fn here(settings: &Settings) -> Result<(), Trouble> {
    match &settings.server {
        None => Ok(()),
        Some(_) => Err(Trouble::not_valid("who stands in is said where the state folder is")
            .next("do it there, without --server and RUNBOOK_SERVER")),
    }
}

/// Those of the workspace, where it is valid and has rotations.
fn of_workspace<'c>(catalogue: &'c Catalogue, ui: &mut Ui) -> Result<Option<&'c People>, Trouble> {
    let none = |what: &str| Trouble::not_valid(what).next("runbook docs format");
    let Some(workspace) = catalogue.workspace() else {
        return Err(none("there is no workspace here, so nobody is on call"));
    };
    let concerns = |name: &str| name == &*workspace.source.name || workspace.calendars.values().any(|path| path.value == name);
    let found = catalogue.files().iter().filter(|file| concerns(&file.source.name)).flat_map(|file| &file.found);
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
    rotations.get_key_value(name).ok_or_else(|| no_rotation(name, rotations.keys().map(String::as_str)))
}

fn no_rotation<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Trouble {
    let next = match nearest(name, known) {
        Some(near) => format!("runbook oncall {}", shell_word(near)),
        None => "runbook oncall".to_owned(),
    };
    Trouble::not_valid(format!("the workspace has no rotation `{}`", line(name))).next(next)
}

/// A moment as people give it: of the rotation's wall clock, an instant, or how long from now.
fn moment(text: &str, zone: &str, now: Timestamp) -> Result<Timestamp, Trouble> {
    read(text, zone, now, 0)
}

/// When an override ends: a day is still inside.
fn end(text: &str, zone: &str, now: Timestamp) -> Result<Timestamp, Trouble> {
    read(text, zone, now, 1)
}

fn read(text: &str, zone: &str, now: Timestamp, days_after: i64) -> Result<Timestamp, Trouble> {
    if let Ok(after) = parse_duration(text) {
        return Ok(now.saturating_add(after).unwrap_or(Timestamp::MAX));
    }
    policy::moment(text, zone, days_after).ok_or_else(|| {
        let next = "write a day (2026-12-24), a time (2026-12-24T18:00), an instant (2026-12-24T18:00Z) or a duration (8h)";
        Trouble::not_valid(format!("`{}` is no time", line(text))).next(next)
    })
}

/// A rotation by its name, with its zone, and when it is looked at.
type Chosen<'r> = ((&'r str, Called<'r>, &'r str), Timestamp);

fn stand(all: &[Standing], as_json: bool, people: &People, ui: &mut Ui) -> Outcome {
    let mut rows = Vec::new();
    for standing in all {
        if as_json {
            ui.data(&json!(standing).to_string())?;
            continue;
        }
        let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| local(at, &standing.zone));
        let next = standing.coming.first().map_or_else(|| "-".to_owned(), |next| who(next, people));
        let now = &standing.now;
        rows.push(vec![line(&standing.rotation).into_owned(), who(now, people), time(now.from), time(now.to), next]);
    }
    if !as_json {
        ui.data(&table(&["rotation", "on call", "since", "until", "then"], rows))?;
    }
    Ok(Exit::Succeeded)
}

fn list(chosen: &[Chosen<'_>], days: u16, as_json: bool, people: &People, ui: &mut Ui) -> Outcome {
    let mut rows = Vec::new();
    for ((name, called, zone), at) in chosen {
        let until = at.saturating_add(jiff::SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MAX);
        for shift in called.shifts(*at, until) {
            if as_json {
                let mut told = json!(shift);
                told["rotation"] = json!(name);
                ui.data(&told.to_string())?;
                continue;
            }
            let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| local(at, zone));
            rows.push(vec![line(name).into_owned(), time(shift.from), time(shift.to), who(&shift, people)]);
        }
    }
    if !as_json {
        ui.data(&table(&["rotation", "from", "to", "on call"], rows))?;
    }
    Ok(Exit::Succeeded)
}

fn stand_in(args: &args::Override, settings: &Settings, ui: &mut Ui) -> Outcome {
    here(settings)?;
    let catalogue = Catalogue::open(&settings.catalogue.value)?;
    let Some(people) = of_workspace(&catalogue, ui)? else { return Ok(Exit::NotValid) };
    let (name, rotation) = find(&people.rotations, &args.rotation)?;
    if !rotation.has(&args.who) {
        let why = format!("`{}` is not in the rotation `{}`, and only who is can stand in", line(&args.who), line(name));
        let next = match nearest(&args.who, rotation.people()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add an entry to `overrides` of the rotation in workspace.yaml".to_owned(),
        };
        return Err(Trouble::not_valid(why).next(next));
    }
    let now = SystemClock.now();
    let from = args.from.as_ref().map_or(Ok(now), |text| moment(text, &rotation.zone, now))?;
    let to = end(&args.until, &rotation.zone, now)?;
    let latest = now.saturating_add(limits::OVERRIDE_LIFE).unwrap_or(Timestamp::MAX);
    if to <= from.max(now) || to > latest {
        let why = format!("an override ends after it begins and after now, and before {}", local(latest, &rotation.zone));
        return Err(Trouble::not_valid(why).next("give a later --until, such as 8h"));
    }
    if args.reason.as_ref().is_some_and(|reason| reason.len() > limits::OVERRIDE_REASON_BYTES) {
        let why = format!("a reason has at most {} bytes", limits::OVERRIDE_REASON_BYTES);
        return Err(Trouble::not_valid(why).next("say it in fewer words"));
    }
    let store = Store::open_with(&settings.state()?.value, Commits::OnTheSpot)?;
    if store.overrides(now)?.len() >= limits::OVERRIDES {
        let why = format!("there are {} overrides that have not ended", limits::OVERRIDES);
        return Err(Trouble::failed(why).next("runbook oncall cancel NUMBER"));
    }
    let stands_in = policy::Override { who: args.who.clone(), from, to, reason: args.reason.clone() };
    let made_by = people::local_user().map_err(|why| Trouble::failed(why.to_string()))?.user;
    let made = NewOverride { rotation: name.clone(), stands_in, made_by, made_at: now };
    let detail = format!("{} from {from} to {to}", args.who);
    audit(settings, "override_make", name, now, detail)?;
    let kept = KeptOverride { id: store.stand_in(made.clone()).wait()?, made };
    if args.json {
        ui.data(&json!(kept).to_string())?;
    }
    let (from, to) = (local(from, &rotation.zone), local(to, &rotation.zone));
    ui.say(&format!("override {}: {} is on call in {} from {from} to {to}", kept.id.0, line(&args.who), line(name)));
    ui.say("it counts for what is asked from now on; who was asked before may still decide");
    ui.next(&format!("runbook oncall {}", shell_word(name)));
    Ok(Exit::Succeeded)
}

fn cancel(number: i64, settings: &Settings, ui: &mut Ui) -> Outcome {
    here(settings)?;
    let now = SystemClock.now();
    let store = Store::open_with(&settings.state()?.value, Commits::OnTheSpot)?;
    let known = store.overrides(now)?.into_iter().find(|kept| kept.id == OverrideId(number));
    let Some(KeptOverride { made, id }) = known else {
        let why = format!("there is no override {number} that has not ended");
        return Err(Trouble::not_valid(why).next("runbook oncall --days 28"));
    };
    let policy::Override { who, from, to, .. } = &made.stands_in;
    audit(settings, "override_cancel", &made.rotation, now, format!("{who} from {from} to {to}"))?;
    store.cancel_override(id).wait()?;
    ui.say(&format!("override {number} of {} is cancelled: {} no longer stands in", line(&made.rotation), line(who)));
    ui.next(&format!("runbook oncall {}", shell_word(&made.rotation)));
    Ok(Exit::Succeeded)
}

/// Nothing is changed that the audit log does not have.
fn audit(settings: &Settings, act: &str, rotation: &str, now: Timestamp, detail: String) -> Result<(), Trouble> {
    let access = Access::open(&settings.state()?.value, Commits::OnTheSpot)?;
    Ok(access.audit(entry(act, rotation, now, Some(detail))?).wait()?)
}

/// Who is on call, and why where it is not their turn.
fn who(shift: &Told, people: &People) -> String {
    let Some(name) = &shift.on_call else { return Tone::Warning.paint("nobody") };
    let full = people.people.get(name).and_then(|person| person.name.clone());
    let number = shift.override_id.map(|id| format!("override {}", id.0));
    let more: Vec<String> = full.into_iter().chain(shift.why()).chain(number).collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
    line(&format!("{name}{more}")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_still_inside() {
        let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        for (text, from, until) in [
            ("2026-12-24", "2026-12-23T23:00:00Z", "2026-12-24T23:00:00Z"),
            ("2026-12-24T18:00", "2026-12-24T17:00:00Z", "2026-12-24T17:00:00Z"),
            ("8h", "2026-12-01T08:00:00Z", "2026-12-01T08:00:00Z"),
        ] {
            assert_eq!(moment(text, "Europe/Paris", now).unwrap().to_string(), from, "{text}");
            assert_eq!(end(text, "Europe/Paris", now).unwrap().to_string(), until, "{text}");
        }
    }
}
