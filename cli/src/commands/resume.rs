//! `runbook resume` and `runbook undo`: a recorded run goes on here, after saying what that means.

use std::path::PathBuf;

use runbook_core::run::event::{OutcomeKind, StepOutcome};
use runbook_core::run::view::Standing;
use runbook_core::{Fact, Run, RunId, StepPath};
use runbook_engine::journal::Phase;
use runbook_engine::message::{Answer, Message};
use runbook_engine::session::Session;

use super::attend;
use super::attend::afar::{self, Seen};
use super::config_folder;
use super::store::{Home, Place, driving_runtime, runtime};
use crate::args::{Resume, Undo};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::ask::{self, Lines};
use crate::ui::narrate::name;
use crate::ui::screen::{Screen, Shared};
use crate::ui::words::{when, who};
use crate::ui::{Tone, Ui, line};

/// Steps of one kind that are listed by name before the rest is only counted.
const LISTED: usize = 12;

pub fn resume(args: &Resume, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    let id = home.find(&args.run.run)?;
    let (run, row) = home.replay(&id)?;
    not_ended(&run, &id)?;
    let mut lines = Lines::default();
    if let Place::There(there) = &home.place {
        let wants_it = run.is_paused() || row.summary.phase == Phase::Parked;
        if wants_it && !args.json {
            why_paused(&home, &id, ui)?;
            outlook(&run, ui);
        }
        if wants_it && !args.yes && ui.can_ask() && !runtime()?.block_on(ask::yes(ui, &mut lines, "go on?")) {
            ui.say("nothing was started");
            ui.next(&format!("runbook show {id}"));
            return Ok(Exit::Waiting);
        }
        if !wants_it && !args.json {
            let under_way: Vec<StepPath> = run.under_way().into_iter().map(|(path, _)| path).collect();
            ui.say(&format!("run {id} goes on at {}", there.remote.address()));
            list(&run, "under way", &under_way, Tone::Strong, ui);
        }
        let resume = wants_it.then(|| Message::Resume { by: there.me.clone() });
        if args.detach {
            resume.map(|resume| home.tell(&id, resume)).transpose()?;
            ui.data(id.as_str())?;
            return Ok(Exit::Succeeded);
        }
        return driving_runtime(ui)?.block_on(follow(&home, &id, args.json, resume, ui, &mut lines));
    }
    if home.is_held(&row) {
        let holder = row.holder.map(|h| h.owner.to_string()).unwrap_or_default();
        return Err(Trouble::not_valid(format!("run {id} is under way: {}", line(&holder))).next(format!("runbook show {id}")));
    }
    if !args.json {
        if run.is_paused() {
            why_paused(&home, &id, ui)?;
        }
        outlook(&run, ui);
    }
    let runtime = driving_runtime(ui)?;
    if !args.yes && ui.can_ask() && !runtime.block_on(ask::yes(ui, &mut lines, "go on?")) {
        ui.say("nothing was started");
        ui.next(&format!("runbook show {id}"));
        return Ok(Exit::Waiting);
    }
    if args.detach {
        super::exec::in_background(&id, settings)?;
        ui.data(id.as_str())?;
        return Ok(Exit::Succeeded);
    }
    runtime.block_on(go_on(&home, &id, args.json, None, ui, &mut lines))
}

fn not_ended(run: &Run, id: &RunId) -> Result<(), Trouble> {
    match run.outcome() {
        None => Ok(()),
        Some(outcome) => {
            let why = format!("run {id} has ended: {}", outcome.kind.name());
            Err(Trouble::not_valid(why).next(format!("runbook show {id}")))
        }
    }
}

pub fn undo(args: &Undo, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    let id = home.find(&args.run.run)?;
    let (run, _) = home.replay(&id)?;
    if run.outcome().is_none() {
        return Err(Trouble::not_valid(format!("run {id} has not ended")).next(format!("runbook cancel {id} --undo")));
    }
    if run.undoable() == 0 {
        return Err(Trouble::not_valid(format!("there is nothing to undo in run {id}")).next(format!("runbook show {id}")));
    }
    if !args.json {
        ui.say("would be taken back, in this order:");
        for step in run.undoable_steps() {
            ui.say(&format!("  {}", name(&run, step.path())));
        }
        let stays = lasting(&run);
        list(&run, "has no undo, and stays as it is", &stays, Tone::Warning, ui);
    }
    let mut lines = Lines::default();
    let runtime = driving_runtime(ui)?;
    if !args.yes && ui.can_ask() && !runtime.block_on(ask::yes(ui, &mut lines, "undo?")) {
        ui.say("nothing was undone");
        ui.next(&format!("runbook show {id}"));
        return Ok(Exit::Cancelled);
    }
    let by = home.identity(&run.plan().policy.people);
    let reason = super::control::bounded(args.reason.clone().unwrap_or_default())?;
    let undo = Message::Undo { by, reason };
    let ended = runtime.block_on(go_on(&home, &id, args.json, Some(undo), ui, &mut lines))?;
    as_asked(&home, &id, OutcomeKind::RolledBack, ended)
}

/// Steps that changed something and have no undo of their own.
fn lasting(run: &Run) -> Vec<StepPath> {
    let undoable: Vec<&StepPath> = run.undoable_steps().map(|step| step.path()).collect();
    let changed = run.steps().filter(|s| s.step().effect.changes() && !s.step().verb.is_container());
    let done = changed.filter(|s| matches!(s.standing(), Standing::Ended(StepOutcome::Succeeded)));
    let forward = done.filter(|s| !s.path().as_str().contains('~') && s.step().undo.is_empty());
    forward.map(|s| s.path().clone()).filter(|path| !undoable.contains(&path)).collect()
}

/// A run that ended as this command asked for is a success of the command.
pub fn as_asked(home: &Home, id: &RunId, asked: OutcomeKind, ended: Exit) -> Outcome {
    let (run, _) = home.replay(id)?;
    Ok(if run.outcome().is_some_and(|outcome| outcome.kind == asked) { Exit::Succeeded } else { ended })
}

/// Says `first` to a run of a server, and follows it.
async fn follow(home: &Home, id: &RunId, json: bool, first: Option<Message>, ui: &mut Ui, lines: &mut Lines) -> Outcome {
    let mut screen = Screen::new(ui, json);
    let (run, row) = home.replay_with(id, &mut |run, event| screen.catch_up(run, event))?;
    let resumes = matches!(first, Some(Message::Resume { .. }));
    let until = match first {
        None => 0,
        Some(message) => match home.there()?.remote.tell(id, message).await {
            Ok(Answer::Accepted { seq }) => seq,
            // Somebody was faster.
            _ if resumes && !matches!(home.archive.run(id)?.summary.phase, Phase::Paused | Phase::Parked) => 0,
            Ok(Answer::Refused { why }) => return Err(Trouble::not_valid(why).next(format!("runbook show {id}"))),
            Err(failure) => return Err(failure.into()),
        },
    };
    let seen = Seen { id: id.clone(), run, head: row.head, format: row.format, until };
    afar::attend(home, seen, screen, ui, lines).await
}

/// Takes the run up, says `first` to it, and drives it; or has a server do so, and follows it.
pub async fn go_on(home: &Home, id: &RunId, json: bool, first: Option<Message>, ui: &mut Ui, lines: &mut Lines) -> Outcome {
    if let Place::There(_) = &home.place {
        return follow(home, id, json, first, ui, lines).await;
    }
    let here = home.here()?;
    let mut screen = Screen::new(ui, json);
    home.replay_with(id, &mut |run, event| screen.skip(run, event))?;
    let screen = Shared::new(screen);
    let mut session =
        Session::open(here.journal.clone(), home.clock.clone(), here.owner(), vec![Box::new(screen.clone())], id).await?;
    if first.is_none() {
        // Somebody else may have been faster.
        not_ended(session.run(), id)?;
    }
    let by = home.identity(&session.run().plan().policy.people);
    session.adopt(by.clone())?;
    let first = first.or_else(|| session.run().is_paused().then_some(Message::Resume { by }));
    if let Some(message) = first
        && let Answer::Refused { why } = session.receive(message)?.answer
    {
        return Err(Trouble::not_valid(why).next(format!("runbook show {id}")));
    }
    let (observer, questions) = attend::questions();
    observer.begin(session.run());
    session.observe(Box::new(observer));
    let root = match session.run().start().and_then(|s| s.root.clone()) {
        Some(root) => PathBuf::from(root),
        None => return Err(Trouble::failed(format!("run {id} does not say where its steps run"))),
    };
    if !root.is_dir() {
        return Err(Trouble::failed(format!("the folder {} where the steps of run {id} run is not there", root.display()))
            .next("put the folder back, then resume"));
    }
    let place = attend::Place { home, root, config: config_folder(), screen };
    attend::attend(session, place, questions, ui, lines).await
}

/// Who paused it, and why: whoever goes on with it should have read that.
fn why_paused(home: &Home, id: &RunId, ui: &mut Ui) -> Result<(), Trouble> {
    let mut told = None;
    home.replay_with(id, &mut |run, event| {
        if let Fact::PauseRequested { by, reason } = &event.fact {
            let reason = if reason.is_empty() { String::new() } else { format!(": {}", line(reason)) };
            told = Some(format!("{}, {}{reason}", line(&who(&run.plan().policy.people, by)), when(event.at)));
        }
    })?;
    if let Some(told) = told {
        ui.say(&format!("{} by {told}", Tone::Waiting.paint("paused")));
    }
    Ok(())
}

/// What will not run again, what is not known, and what comes next.
fn outlook(run: &Run, ui: &mut Ui) {
    let ended = |wanted: fn(StepOutcome) -> bool| {
        let steps = run.steps().filter(|s| !s.step().verb.is_container());
        steps.filter(|s| matches!(s.standing(), Standing::Ended(o) if wanted(o))).map(|s| s.path().clone()).collect::<Vec<_>>()
    };
    let done = ended(|o| o == StepOutcome::Succeeded);
    list(run, "will not run again", &done, Tone::Good, ui);
    let (mut again, mut doubtful) = (Vec::new(), Vec::new());
    for (path, _) in run.under_way() {
        let repeatable = run.find_step(&path).is_some_and(|s| !s.step().effect.changes() || s.step().idempotent);
        if repeatable { again.push(path) } else { doubtful.push(path) }
    }
    list(run, "was cut off and runs again", &again, Tone::Warning, ui);
    list(run, "was cut off, and nobody knows how it ended", &doubtful, Tone::Bad, ui);
    let open: Vec<String> = run.decisions().iter().filter(|d| d.is_open()).map(|d| d.id.to_string()).collect();
    if !open.is_empty() {
        ui.say(&format!("{}: {}", Tone::Waiting.paint("waits for a decision"), open.join(", ")));
    }
    let next: Vec<_> = run
        .steps()
        .filter(|s| matches!(s.standing(), Standing::Starting | Standing::Retrying(_) | Standing::Sleeping(_)))
        .filter(|s| !again.contains(s.path()))
        .map(|s| s.path().clone())
        .collect();
    list(run, "waits for an event", &run.listening_at().cloned().collect::<Vec<_>>(), Tone::Waiting, ui);
    list(run, "goes on with", &next, Tone::Strong, ui);
}

fn list(run: &Run, what: &str, paths: &[StepPath], tone: Tone, ui: &mut Ui) {
    if paths.is_empty() {
        return;
    }
    ui.say(&format!("{}:", tone.paint(what)));
    for path in paths.iter().take(LISTED) {
        ui.say(&format!("  {}", name(run, path)));
    }
    if paths.len() > LISTED {
        ui.say(&format!("  and {} more", paths.len() - LISTED));
    }
}
