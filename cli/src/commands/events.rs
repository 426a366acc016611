//! `runbook events`: what came in and what became of it, newest first; one event whole; all of them judged again.

mod replay;

use runbook_core::RunId;
use runbook_core::trigger::Ruling;
use runbook_engine::intake::{Arrived, EventFilter, Intake};
use runbook_engine::journal::Commits;
use runbook_engine::report::listed;

use super::store::Home;
use crate::args::{Events, EventsPart};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::when;
use crate::ui::{Tone, Ui, line, table};

pub fn run(args: &Events, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    let intake = Intake::open(&settings.state()?.value, Commits::OnTheSpot)?;
    if let Some(EventsPart::Replay(args)) = &args.part {
        return replay::run(args, &intake, &home, settings, ui);
    }
    if let Some(number) = args.number {
        let Some(arrived) = intake.event(number)? else {
            return Err(Trouble::not_valid(format!("there is no event {number}")).next("runbook events"));
        };
        return one(&arrived, args.json, ui);
    }
    let filter = EventFilter {
        source: args.source.clone(),
        procedure: args.procedure.as_ref().map(ToString::to_string),
        word: args.decision.map(|word| word.as_str().to_owned()),
        run: args.run.as_deref().map(|run| home.find(run)).transpose()?,
        before: args.before,
        limit: args.limit.get(),
    };
    let found = intake.events(&filter)?;
    if args.json {
        for arrived in &found {
            ui.data(&listed::event(arrived).to_string())?;
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
    ui.next(&format!("runbook events {}", first.number));
    Ok(Exit::Succeeded)
}

/// An event in a list: a line for each decision.
fn rows(arrived: &Arrived) -> Vec<Vec<String>> {
    let head = [
        arrived.number.to_string(),
        when(arrived.received),
        line(&arrived.source).into_owned(),
        format!("{} {}", line(&arrived.event.key), arrived.event.status.as_str()),
    ];
    let mut decisions: Vec<[String; 2]> = match arrived.rulings.as_slice() {
        [] if arrived.judged => vec![["-".to_owned(), "no trigger is of this source".to_owned()]],
        [] => vec![["-".to_owned(), "not judged yet".to_owned()]],
        rulings => rulings.iter().map(|ruling| [ruling.trigger.to_string(), decision(ruling)]).collect(),
    };
    decisions.extend(arrived.ended.iter().map(|run| ["-".to_owned(), ended(run)]));
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
    let text = ruling.decision.to_string();
    let word = ruling.decision.word();
    let tone = match word {
        "ran" => Tone::Good,
        "joined" => Tone::Strong,
        "deferred" => Tone::Waiting,
        _ => Tone::Quiet,
    };
    let rest = text.strip_prefix(word).unwrap_or_default();
    format!("{}{}", tone.paint(word), line(rest))
}

fn one(arrived: &Arrived, as_json: bool, ui: &mut Ui) -> Outcome {
    if as_json {
        ui.data(&listed::event(arrived).to_string())?;
        return Ok(Exit::Succeeded);
    }
    let event = &arrived.event;
    let again = match arrived.again {
        0 => String::new(),
        1 => ", and once again since".to_owned(),
        many => format!(", and {many} times again since"),
    };
    let mut text = format!(
        "{} of {}, {}\nreceived {}{again}\n",
        Tone::Strong.paint(&format!("event {}", arrived.number)),
        line(&arrived.source),
        event.status.as_str(),
        when(arrived.received)
    );
    let mut fact = |name: &str, value: &str| text.push_str(&format!("  {name:<8} {}\n", line(value)));
    fact("about", &event.key);
    fact("id", &event.id);
    fact("type", &event.kind);
    fact("from", &event.source);
    event.subject.iter().for_each(|subject| fact("subject", subject));
    event.time.iter().for_each(|time| fact("time", &time.to_string()));
    text.push_str("decisions\n");
    for [trigger, decision] in arrived.rulings.iter().map(|ruling| [ruling.trigger.to_string(), decision(ruling)]) {
        text.push_str(&format!("  {trigger}: {decision}\n"));
    }
    if arrived.rulings.is_empty() {
        text.push_str(if arrived.judged { "  no trigger is of this source\n" } else { "  not judged yet\n" });
    }
    for run in &arrived.ended {
        text.push_str(&format!("  {}\n", ended(run)));
    }
    text.push_str("data\n");
    let data = serde_json::to_string_pretty(&event.data.to_plain_json()).unwrap_or_default();
    data.lines().for_each(|data| text.push_str(&format!("  {}\n", line(data))));
    ui.data(text.trim_end())?;
    if let Some(run) = arrived.rulings.iter().find_map(|ruling| ruling.decision.run()).or(arrived.ended.first()) {
        ui.next(&format!("runbook show {run}"));
    }
    Ok(Exit::Succeeded)
}
