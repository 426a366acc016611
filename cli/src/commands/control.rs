//! `acknowledge`, `cancel`, `pause` and `note`: one message to a run, wherever it is at work.

use runbook_core::run::Run;
use runbook_core::run::event::{Identity, OutcomeKind};
use runbook_core::{RunId, limits};
use runbook_engine::message::Message;
use runbook_engine::report::request;

use super::resume;
use super::store::{Home, Place, driving_runtime, open_decision};
use crate::args::{Acknowledge, Cancel, Note, Pause};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::ask::Lines;
use crate::ui::{Ui, words};

pub fn cancel(args: &Cancel, settings: &Settings, ui: &mut Ui) -> Outcome {
    let (home, id, run, by) = open(settings, &args.run.run)?;
    if let Some(outcome) = run.outcome() {
        let ended = Trouble::not_valid(format!("run {id} has ended already: {}", outcome.kind.name()));
        return Err(ended.next(format!("runbook {} {id}", if args.undo { "undo" } else { "show" })));
    }
    let reason = bounded(args.reason.clone().unwrap_or_default())?;
    let message = Message::Cancel { by, undo: args.undo, reason };
    let row = home.archive.run(&id)?;
    if home.is_held(&row) || matches!(home.place, Place::There(_)) {
        home.tell(&id, message)?;
        ui.say(&format!("run {id} is cancelled{}", if args.undo { "; what it had done is being taken back" } else { "" }));
        return go_on(&home, &id, ui);
    }
    // Nobody is at work on it: it ends here.
    let ended = driving_runtime(ui)?.block_on(resume::go_on(&home, &id, false, Some(message), ui, &mut Lines::default()))?;
    resume::as_asked(&home, &id, OutcomeKind::Cancelled, ended)
}

pub fn acknowledge(args: &Acknowledge, settings: &Settings, ui: &mut Ui) -> Outcome {
    let (home, id, run, by) = open(settings, &args.run.run)?;
    let decision = open_decision(&run, args.decision)?;
    let reason = bounded(args.reason.clone().unwrap_or_default())?;
    home.tell(&id, Message::Acknowledge { decision, by, to: args.to.clone(), hold: args.hold, reason })?;
    let (run, _) = home.replay(&id)?;
    let asked = run.decision(decision);
    let whose = asked.and_then(request::at_it).map(|(who, _)| who).unwrap_or_default();
    let until = asked.and_then(|asked| asked.deadline).map(|until| format!(" until {}", words::when(until))).unwrap_or_default();
    ui.say(&format!("{decision} of run {id}: {whose} is at it, and others are left alone{until}"));
    ui.next(&format!("runbook decisions {id}"));
    Ok(Exit::Succeeded)
}

pub fn pause(args: &Pause, settings: &Settings, ui: &mut Ui) -> Outcome {
    let (home, id, _, by) = open(settings, &args.run.run)?;
    home.tell(&id, Message::Pause { by, reason: bounded(args.reason.clone().unwrap_or_default())? })?;
    ui.say(&format!("run {id} is paused: what is under way ends, nothing further starts"));
    ui.next(&format!("runbook resume {id}"));
    Ok(Exit::Succeeded)
}

pub fn note(args: &Note, settings: &Settings, ui: &mut Ui) -> Outcome {
    if args.text.trim().is_empty() {
        return Err(Trouble::not_valid("a remark says something").next("runbook note RUN TEXT"));
    }
    let (home, id, _, by) = open(settings, &args.run.run)?;
    home.tell(&id, Message::Note { by, text: bounded(args.text.clone())? })?;
    ui.say(&format!("noted in run {id}"));
    Ok(Exit::Succeeded)
}

fn open(settings: &Settings, text: &str) -> Result<(Home, RunId, Run, Identity), Trouble> {
    let home = Home::open(settings)?;
    let id = home.find(text)?;
    let (run, _) = home.replay(&id)?;
    let by = home.identity(&run.plan().policy.people);
    Ok((home, id, run, by))
}

/// A text that a person gave, within the bounds of the record.
pub fn bounded(text: String) -> Result<String, Trouble> {
    if text.len() > limits::ANSWER_BYTES {
        return Err(Trouble::not_valid(format!(
            "the text has {} bytes and at most {} are recorded",
            text.len(),
            limits::ANSWER_BYTES
        ))
        .next("say it in fewer words, or say where it is written"));
    }
    Ok(text)
}

/// Says what comes after a message was recorded: nothing where a process is at work, else how to go on. A server sees to that itself.
pub fn go_on(home: &Home, id: &RunId, ui: &mut Ui) -> Outcome {
    if let Place::There(_) = home.place {
        ui.next(&format!("runbook show {id}"));
        return Ok(Exit::Succeeded);
    }
    let row = home.archive.run(id)?;
    if row.summary.outcome.is_some() {
        ui.next(&format!("runbook show {id}"));
    } else if home.is_held(&row) {
        ui.say("a process is at work on the run and goes on");
    } else {
        ui.next(&format!("runbook resume {id}"));
    }
    Ok(Exit::Succeeded)
}
