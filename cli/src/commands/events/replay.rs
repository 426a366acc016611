//! `runbook events replay`: what other triggers would have decided on the events that came in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use runbook_core::trigger::{Decision, Judge, Ruling, TriggerName, rejudged};
use runbook_core::{ProcedureName, limits};
use runbook_engine::catalogue::Catalogue;
use runbook_engine::dispatch::{Served, incoming};
use runbook_engine::intake::{Arrived, Intake};
use runbook_engine::journal::{RunFilter, RunRow};
use serde_json::json;

use super::decision;
use crate::args::ReplayEvents;
use crate::commands::check;
use crate::commands::store::Home;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::{between, count};
use crate::ui::{Ui, line};

/// Events that are read at once.
const PAGE: usize = 1_000;
/// Runs, the last ones of a procedure, that say how long one usually takes.
const USUAL: usize = 20;

/// One event and trigger of which another decision would be taken.
struct Change<'a> {
    arrived: &'a Arrived,
    trigger: &'a TriggerName,
    before: Option<&'a Ruling>,
    after: Option<&'a Ruling>,
}

pub fn run(args: &ReplayEvents, intake: &Intake, home: &Home, settings: &Settings, ui: &mut Ui) -> Outcome {
    let root = args.with.as_ref().unwrap_or(&settings.catalogue.value);
    let catalogue = Catalogue::open(root)?;
    let (served, errors) = Served::of(&catalogue);
    if !errors.is_empty() {
        check::show_faults(&errors, &catalogue, ui);
        return Err(Trouble::not_valid("a playbook is not valid; nothing was judged").next("runbook check"));
    }
    let mut events = Vec::new();
    loop {
        let from = events.last().map_or(1, |last: &Arrived| last.number + 1);
        let page = intake.events_from(from, PAGE)?;
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    let usual = usual(&served, home)?;
    let recorded = lasted(&events, home)?;
    let lasts = |ruling: &Ruling| {
        let own = (ruling.event, ruling.trigger.clone());
        recorded.get(&own).or_else(|| usual.get(&ruling.trigger.procedure)).copied().unwrap_or_default()
    };
    let mut judge = Judge::new(served.triggers().cloned());
    let again = rejudged(&mut judge, events.iter().map(incoming), lasts, home.clock.now());
    // Those before it bear on it all the same.
    let first = events.iter().position(|arrived| arrived.number >= args.from).unwrap_or(events.len());
    let told = events.get(first..).unwrap_or_default();
    let changes = changes(told, &again);
    let ran = |ruling: Option<&Ruling>| ruling.is_some_and(|ruling| matches!(ruling.decision, Decision::Ran { .. }));
    let (more, fewer) = changes.iter().fold((0, 0), |(more, fewer), change| match (ran(change.before), ran(change.after)) {
        (false, true) => (more + 1, fewer),
        (true, false) => (more, fewer + 1),
        _ => (more, fewer),
    });
    for change in &changes {
        if args.json {
            let side =
                |ruling: Option<&Ruling>| ruling.map(|r| json!({"decision": r.decision.word(), "why": r.decision.to_string()}));
            let object = json!({
                "event": change.arrived.number, "source": change.arrived.source, "about": change.arrived.event.key,
                "trigger": change.trigger.to_string(), "before": side(change.before), "after": side(change.after),
            });
            ui.data(&object.to_string())?;
        } else {
            let side = |ruling: Option<&Ruling>, none: &str| ruling.map_or_else(|| none.to_owned(), decision);
            ui.data(&format!(
                "event {} of {} about {}, {}\n  - {}\n  + {}",
                change.arrived.number,
                line(&change.arrived.source),
                line(&change.arrived.event.key),
                change.trigger,
                side(change.before, "there was no such trigger"),
                side(change.after, "there is no such trigger")
            ))?;
        }
    }
    if !args.json {
        let judged = count(told.len() as u64, "event", "events");
        ui.say(&format!(
            "{judged} judged again: {} would be another one; {more} more and {fewer} fewer runs would have been started",
            count(changes.len() as u64, "decision", "decisions"),
        ));
    }
    Ok(Exit::Succeeded)
}

fn changes<'a>(events: &'a [Arrived], again: &'a BTreeMap<(u64, TriggerName), Ruling>) -> Vec<Change<'a>> {
    let mut after: BTreeMap<u64, BTreeMap<&TriggerName, &Ruling>> = BTreeMap::new();
    for ((event, trigger), ruling) in again {
        after.entry(*event).or_default().insert(trigger, ruling);
    }
    let mut changes = Vec::new();
    for arrived in events.iter().filter(|arrived| arrived.judged) {
        let before: BTreeMap<&TriggerName, &Ruling> = arrived.rulings.iter().map(|ruling| (&ruling.trigger, ruling)).collect();
        let after = after.remove(&arrived.number).unwrap_or_default();
        let triggers: BTreeSet<&TriggerName> = before.keys().chain(after.keys()).copied().collect();
        for trigger in triggers {
            let (before, after) = (before.get(trigger).copied(), after.get(trigger).copied());
            let same = |(before, after): (&Ruling, &Ruling)| before.decision.word() == after.decision.word();
            if !before.zip(after).is_some_and(same) {
                changes.push(Change { arrived, trigger, before, after });
            }
        }
    }
    changes
}

/// How long the runs that events started went on.
fn lasted(events: &[Arrived], home: &Home) -> Result<BTreeMap<(u64, TriggerName), Duration>, Trouble> {
    let mut lasted = BTreeMap::new();
    for ruling in events.iter().flat_map(|arrived| &arrived.rulings) {
        let Decision::Ran { run } = &ruling.decision else { continue };
        // One that is gone from the journal lasts as others do.
        if let Ok(row) = home.archive.run(run) {
            // One that goes on has not ended by now.
            let took = row.summary.ended_at.map_or(limits::DURATION, |end| between(row.summary.started_at, end));
            lasted.insert((ruling.event, ruling.trigger.clone()), took);
        }
    }
    Ok(lasted)
}

/// The median of the last runs of each procedure; of one that never ran, nothing is known, and its runs are taken to end at once.
fn usual(served: &Served, home: &Home) -> Result<BTreeMap<ProcedureName, Duration>, Trouble> {
    let mut usual = BTreeMap::new();
    let names: BTreeSet<&ProcedureName> = served.triggers().map(|trigger| &trigger.name.procedure).collect();
    for name in names {
        let filter = RunFilter { procedure: Some(name.clone()), limit: USUAL, ..RunFilter::default() };
        let rows = home.archive.runs(&filter)?;
        let took = |row: &RunRow| Some(between(row.summary.started_at, row.summary.ended_at?));
        let mut times: Vec<Duration> = rows.iter().filter_map(took).collect();
        times.sort();
        if let Some(median) = times.get(times.len() / 2) {
            usual.insert(name.clone(), *median);
        }
    }
    Ok(usual)
}
