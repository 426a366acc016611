//! `runbook events`: what came in and what became of it, newest first; one event whole; all of them judged again.

mod replay;

use runbook_core::RunId;
use runbook_core::trigger::Ruling;
use runbook_engine::intake::{EventFilter, Intake};
use runbook_engine::journal::Commits;
use runbook_engine::report::listed::Event;
use runbook_server::client::Remote;
use serde_json::json;

use super::store::{Home, Place};
use crate::args::{Events, EventsPart};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::when;
use crate::ui::{Tone, Ui, line, table};

pub fn run(args: &Events, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    if let Some(EventsPart::Replay(args)) = &args.part {
        home.here()?;
        return replay::run(args, &Intake::open(&settings.state()?.value, Commits::OnTheSpot)?, &home, settings, ui);
    }
    let kept = match &home.place {
        Place::Here(_) => Kept::Here(Box::new(Intake::open(&settings.state()?.value, Commits::OnTheSpot)?)),
        Place::There(there) => Kept::There(there.remote.clone()),
    };
    if let Some(number) = args.number {
        let Some(event) = kept.event(number)? else {
            return Err(Trouble::not_valid(kept.why_not(number)?).next("runbook events"));
        };
        return one(&event, args.json, ui);
    }
    let filter = EventFilter {
        source: args.source.clone(),
        procedure: args.procedure.as_ref().map(ToString::to_string),
        word: args.decision.map(|word| word.as_str().to_owned()),
        run: args.run.as_deref().map(|run| home.find(run)).transpose()?,
        before: args.before,
        limit: args.limit.get(),
    };
    let found = kept.events(&filter)?;
    if args.json {
        for event in &found {
            ui.data(&json!(event).to_string())?;
        }
        return Ok(Exit::Succeeded);
    }
    let Some(first) = found.first() else {
        let unfiltered = EventFilter { limit: filter.limit, ..EventFilter::default() };
        ui.say(if filter == unfiltered { "no events yet" } else { "no event fits" });
        ui.next(if filter == unfiltered { "runbook trigger --event FILE" } else { "runbook events" });
        return Ok(Exit::Succeeded);
    };
    let rows: Vec<Vec<String>> = found.iter().flat_map(rows).collect();
    ui.data(&table(&["event", "received", "source", "about", "trigger", "decision"], rows))?;
    ui.next(&format!("runbook events {}", first.event));
    Ok(Exit::Succeeded)
}

/// Events, wherever they came in.
enum Kept {
    Here(Box<Intake>),
    There(Remote),
}

impl Kept {
    fn events(&self, filter: &EventFilter) -> Result<Vec<Event>, Trouble> {
        Ok(match self {
            Kept::Here(intake) => intake.events(filter)?.iter().map(Event::of).collect(),
            Kept::There(remote) => remote.events(filter)?,
        })
    }

    fn event(&self, number: u64) -> Result<Option<Event>, Trouble> {
        Ok(match self {
            Kept::Here(intake) => intake.event(number)?.as_ref().map(Event::of),
            Kept::There(remote) => remote.event(number)?,
        })
    }

    /// Why there is no event of this number.
    fn why_not(&self, number: u64) -> Result<String, Trouble> {
        Ok(match self {
            Kept::Here(intake) if intake.was_let_go(number)? => format!("event {number} was let go of by `runbook prune`"),
            _ => format!("there is no event {number}"),
        })
    }
}

/// An event in a list: a line for each decision.
fn rows(event: &Event) -> Vec<Vec<String>> {
    let head = [
        event.event.to_string(),
        when(event.received),
        line(&event.source).into_owned(),
        format!("{} {}", line(&event.about), event.status.as_str()),
    ];
    let mut decisions: Vec<[String; 2]> = match event.decisions.as_slice() {
        [] if event.judged => vec![["-".to_owned(), "no trigger is of this source".to_owned()]],
        [] => vec![["-".to_owned(), "not judged yet".to_owned()]],
        decisions => decisions.iter().map(|made| [line(&made.trigger).into_owned(), toned(&made.decision, &made.why)]).collect(),
    };
    decisions.extend(event.ended_waits_of.iter().map(|run| ["-".to_owned(), ended(run)]));
    let blank: [String; 4] = Default::default();
    let with_head = |(place, decision): (usize, [String; 2])| {
        let head = if place == 0 { head.clone() } else { blank.clone() };
        head.into_iter().chain(decision).collect()
    };
    decisions.into_iter().enumerate().map(with_head).collect()
}

/// That an event ended a wait: beside the decisions of triggers, and none of them.
fn ended(run: &RunId) -> String {
    format!("{} a wait of run {run}", Tone::Good.paint("ended"))
}

/// The decision in a line, its word in a colour of its own.
pub fn decision(ruling: &Ruling) -> String {
    toned(ruling.decision.word(), &ruling.decision.to_string())
}

fn toned(word: &str, text: &str) -> String {
    let tone = match word {
        "ran" => Tone::Good,
        "joined" => Tone::Strong,
        "deferred" => Tone::Waiting,
        _ => Tone::Quiet,
    };
    let rest = text.strip_prefix(word).unwrap_or_default();
    format!("{}{}", tone.paint(word), line(rest))
}

fn one(event: &Event, as_json: bool, ui: &mut Ui) -> Outcome {
    if as_json {
        ui.data(&json!(event).to_string())?;
        return Ok(Exit::Succeeded);
    }
    let again = match event.again {
        0 => String::new(),
        1 => ", and once again since".to_owned(),
        many => format!(", and {many} times again since"),
    };
    let mut text = format!(
        "{} of {}, {}\nreceived {}{again}\n",
        Tone::Strong.paint(&format!("event {}", event.event)),
        line(&event.source),
        event.status.as_str(),
        when(event.received)
    );
    let mut fact = |name: &str, value: &str| text.push_str(&format!("  {name:<8} {}\n", line(value)));
    fact("about", &event.about);
    fact("id", &event.id);
    fact("type", &event.r#type);
    for (name, key) in [("from", "source"), ("subject", "subject"), ("time", "time")] {
        event.data[key].as_str().iter().for_each(|value| fact(name, value));
    }
    text.push_str("decisions\n");
    for made in &event.decisions {
        text.push_str(&format!("  {}: {}\n", line(&made.trigger), toned(&made.decision, &made.why)));
    }
    if event.decisions.is_empty() {
        text.push_str(if event.judged { "  no trigger is of this source\n" } else { "  not judged yet\n" });
    }
    for run in &event.ended_waits_of {
        text.push_str(&format!("  {}\n", ended(run)));
    }
    text.push_str("data\n");
    let data = serde_json::to_string_pretty(&event.data["data"]).unwrap_or_default();
    data.lines().for_each(|data| text.push_str(&format!("  {}\n", line(data))));
    ui.data(text.trim_end())?;
    if let Some(run) = event.decisions.iter().find_map(|made| made.run.as_ref()).or(event.ended_waits_of.first()) {
        ui.next(&format!("runbook show {run}"));
    }
    Ok(Exit::Succeeded)
}
