//! Lets the engine judge what came in, and tells of the runs that follow. One process of a state folder does so at a time: where that is
//! another one, events are taken all the same, and it is asked again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use runbook_core::trigger::Decision;
use runbook_core::{RunId, limits};
use runbook_engine::dispatch::{Around, Dispatch, DispatchError, Done, Teller};
use runbook_engine::journal::JournalError;
use runbook_engine::session::SessionError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::App;
use crate::health::Topic;
use crate::inlets::Inlets;
use crate::lives::Ask;

/// Until the server stops. `ended` gives the runs that end, `asks` takes those that are to be looked after.
pub async fn dispatch(app: Arc<App>, mut ended: UnboundedReceiver<RunId>, asks: UnboundedSender<Ask>) {
    let around = Around {
        intake: app.intake.clone(),
        journal: app.journal.clone(),
        clock: app.clock.clone(),
        owner: app.owner(),
        teller: Arc::new(Teller { settings: app.config.settings.clone(), environment: app.config.environment.clone() }),
    };
    let mut deciding: Option<Deciding> = None;
    let mut settled = None::<Instant>;
    let mut over = Vec::new();
    let mut watched = None::<Instant>;
    while !app.stop.is_cancelled() {
        while let Ok(run) = ended.try_recv() {
            over.push(run);
        }
        if watched.is_none_or(|at| at.elapsed() >= limits::BACKLOG_LOOK) {
            watch_backlog(&app);
            watched = Some(Instant::now());
        }
        let turned = turn(&app, &around, &mut deciding, &mut over, &mut settled, &asks).await;
        let pause = match turned {
            // Where events come without end, those of a moment are judged together: what they lead to is one commit.
            Ok(Turned::Busy { is_full: true }) => continue,
            Ok(Turned::Busy { is_full: false }) => {
                tokio::time::sleep(limits::DISPATCH_PAUSE).await;
                continue;
            }
            Ok(Turned::Idle(pause)) => {
                app.health.well(Topic::Store);
                pause
            }
            Err(error) => {
                if !of_journal(&error).is_some_and(|error| app.is_fatal(error)) {
                    app.health.trouble(Topic::Store, format!("events cannot be decided upon: {error}"));
                }
                limits::DISPATCH_RETRY
            }
        };
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = app.arrived.rung() => {}
            Some(run) = ended.recv() => over.push(run),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// What decides, and of which version of the catalogue it is.
struct Deciding {
    version: u64,
    dispatch: Dispatch,
    inlets: Inlets,
}

enum Turned {
    /// There may be more; there is, where it was as much as is judged together.
    Busy { is_full: bool },
    /// Nothing to do for so long, unless something comes.
    Idle(Duration),
}

async fn turn(
    app: &App,
    around: &Around,
    deciding: &mut Option<Deciding>,
    ended: &mut Vec<RunId>,
    settled: &mut Option<Instant>,
    asks: &UnboundedSender<Ask>,
) -> Result<Turned, DispatchError> {
    let Deciding { version, dispatch, inlets } = match deciding {
        Some(deciding) => deciding,
        None => {
            let now = app.serving.served();
            let inlets = Inlets::of(app, &now);
            let Some(dispatch) = Dispatch::open(around.clone(), now.served).await? else {
                app.health.trouble(Topic::Dispatch, "another process decides on events; they are taken, and left to it");
                return Ok(Turned::Idle(limits::DISPATCH_RETRY));
            };
            app.health.well(Topic::Dispatch);
            deciding.insert(Deciding { version: now.version, dispatch, inlets })
        }
    };
    if *version != app.serving.version() {
        let now = app.serving.served();
        (*version, *inlets) = (now.version, Inlets::of(app, &now));
        dispatch.serve(now.served);
    }
    // A tick is an event like any other, and is judged with those that came in.
    inlets.look(app).await?;
    let judged = dispatch.turn_after(std::mem::take(ended)).await?;
    for ruling in &judged.rulings {
        app.metrics.decided(ruling);
        let (event, trigger, decision) = (ruling.event, &ruling.trigger, &ruling.decision);
        match decision {
            // A storm of events is none of lines: what was dropped is in the events and counted.
            Decision::Dropped(_) => tracing::debug!(event, %trigger, %decision, "decided"),
            _ => tracing::info!(event, %trigger, %decision, "decided"),
        }
    }
    // What could not be done is tried again now and then.
    if !judged.is_empty() || settled.is_none_or(|at| at.elapsed() >= limits::DISPATCH_RETRY) {
        let (done, result) = dispatch.settle().await;
        *settled = Some(Instant::now());
        for done in done {
            tell(done, asks);
        }
        result?;
    }
    if !judged.is_empty() {
        return Ok(Turned::Busy { is_full: judged.events.len() >= limits::JUDGED_TOGETHER });
    }
    let due = dispatch.next_due().into_iter().chain(inlets.next_due()).min();
    let due = due.map(|at| Duration::try_from(at.duration_since(app.clock.now())).unwrap_or_default());
    // Other processes write events down too, and ring no bell.
    Ok(Turned::Idle(due.unwrap_or(limits::DISPATCH_LOOK).min(limits::DISPATCH_LOOK)))
}

fn tell(done: Done, asks: &UnboundedSender<Ask>) {
    match done {
        Done::Started(run) => {
            tracing::info!(%run, "a run was started");
            let _ = asks.send(Ask::Keep(run));
        }
        Done::Cancelled(run) => drop(asks.send(Ask::Keep(run))),
        Done::Heard { run, event } => {
            tracing::info!(%run, event, "a wait was ended by an event");
            let _ = asks.send(Ask::Keep(run));
        }
        Done::Noted(_) => {}
        Done::Told { event, what } => tracing::warn!(event, what, "a trigger has reached its limit"),
        Done::Moot { run, why } => tracing::warn!(%run, why, "what an event asked for came to nothing"),
        Done::Failed { run, why } => tracing::error!(%run, why, "what an event asked for failed, and is tried again"),
    }
}

fn of_journal(error: &DispatchError) -> Option<&JournalError> {
    match error {
        DispatchError::Journal(error) | DispatchError::Session(SessionError::Journal(error) | SessionError::Stopped(error)) => {
            Some(error)
        }
        DispatchError::Session(_) | DispatchError::Lock(_) => None,
    }
}

/// Beyond the bound, senders are told to keep what they have.
fn watch_backlog(app: &App) {
    match app.intake.backlog(limits::UNJUDGED_EVENTS + 1) {
        Ok(backlog) if backlog.events > limits::UNJUDGED_EVENTS => {
            let why = format!("more than {} events wait for a decision", limits::UNJUDGED_EVENTS);
            app.health.trouble(Topic::Backlog, why);
        }
        Ok(_) => app.health.well(Topic::Backlog),
        Err(error) => drop(app.is_fatal(&error)),
    }
}
