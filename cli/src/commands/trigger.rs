//! `runbook trigger`: what a sender would post, given by hand. Whoever may start runs here may give events too, so nobody has to show
//! who they are; everything else is as it is for events that are sent.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use runbook_core::cloud_event::Status;
use runbook_core::event_source::{Format, SourceKind};
use runbook_core::expr::nearest;
use runbook_core::trigger::{Decision, Incoming, Judge, Ruling, Trigger};
use runbook_core::value::Value;
use runbook_core::{CloudEvent, Digest, RunId, limits};
use runbook_engine::catalogue::Catalogue;
use runbook_engine::dispatch::{Around, Dispatch, DispatchError, Done, Served, Teller};
use runbook_engine::event::{Request, read_given};
use runbook_engine::intake::{Arrival, Intake};
use runbook_engine::journal::{Commits, Phase};
use serde_json::json;

use super::events::decision;
use super::exec::in_background;
use super::store::{Home, driving_runtime};
use super::{check, config_folder, resume};
use crate::args;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::ask::{self, Lines};
use crate::ui::words::{count, values};
use crate::ui::{Tone, Ui, line};

/// The source of what is given without the name of one.
const GIVEN: &str = "stdin";

/// Numbers of events that are only looked at: none that is written down has one of these.
const FORESEEN: u64 = 1 << 62;

pub fn run(args: &args::Trigger, settings: &Settings, ui: &mut Ui) -> Outcome {
    let catalogue = Catalogue::open(&settings.catalogue.value)?;
    let (served, errors) = Served::of(&catalogue);
    if !errors.is_empty() {
        check::show_faults(&errors, &catalogue, ui);
        return Err(Trouble::not_valid("a playbook is not valid; the event was not taken").next("runbook check"));
    }
    let home = Home::open(settings)?;
    let source = args.source.clone().unwrap_or_else(|| GIVEN.to_owned());
    let arrivals: Vec<Arrival> = delivered(args, &catalogue, &home)?
        .into_iter()
        .map(|event| Arrival { source: source.clone(), event, received: home.clock.now() })
        .collect();
    if arrivals.is_empty() {
        ui.say("it holds no event: its sender only says that it is there");
        return Ok(Exit::Succeeded);
    }
    let intake = Arc::new(Intake::open(&settings.state()?.value, Commits::OnTheSpot)?);
    let (journal, clock, owner) = (home.here()?.journal.clone(), home.clock.clone(), home.here()?.owner());
    let teller = Arc::new(Teller { settings: config_folder(), environment: std::env::vars_os().collect() });
    let around = Around { intake, journal, clock, owner, teller };
    if args.explain {
        return explain(&arrivals, &served, &around, ui);
    }
    let mut lines = Lines::default();
    let runtime = driving_runtime(ui)?;
    runtime.block_on(async {
        let mut new = Vec::new();
        let mut known = None;
        for arrival in &arrivals {
            match around.intake.known(&arrival.source, &arrival.event)? {
                Some(number) => {
                    ui.say(&format!("it is event {number} once more: its sender calls it the same, and nothing is judged twice"));
                    known = Some(number);
                }
                None => new.push(arrival.clone()),
            }
        }
        if let Some(number) = known {
            ui.next(&format!("runbook events {number}"));
        }
        if !args.yes && !args.json && ui.can_ask() {
            let would = foreseen(&new, &served, &around)?;
            let starts = would.iter().filter(|ruling| matches!(ruling.decision, Decision::Ran { .. }));
            let names: Vec<String> = starts.map(|ruling| format!("{} {}", ruling.trigger.procedure, ruling.version)).collect();
            if !names.is_empty() {
                ui.say(&format!("would start {}", names.join(", ")));
                if !ask::yes(ui, &mut lines, "start?").await {
                    ui.say("the event was not taken");
                    ui.next("runbook trigger --explain");
                    return Ok(Exit::Cancelled);
                }
            }
        }
        // Those that came before are counted.
        around.intake.accept(arrivals).await?;
        let place = Place { home: &home, settings, args };
        judged_and_driven(&place, &around, &served, ui, &mut lines).await
    })
}

/// Where runs go on, and how.
struct Place<'a> {
    home: &'a Home,
    settings: &'a Settings,
    args: &'a args::Trigger,
}

/// Judges, starts and drives until nothing is left that could be done now. While runs go on, others may decide on events.
async fn judged_and_driven(place: &Place<'_>, around: &Around, served: &Served, ui: &mut Ui, lines: &mut Lines) -> Outcome {
    let mut exit = Exit::Succeeded;
    let mut trouble = None;
    loop {
        let Some(mut dispatch) = Dispatch::open(around.clone(), served.clone()).await? else {
            ui.say("another process decides on events; it will on this one");
            ui.next("runbook events");
            break;
        };
        let mut runs = Vec::new();
        loop {
            let judged = dispatch.turn().await?;
            for ruling in &judged.rulings {
                tell(ruling, place.args.json, ui)?;
            }
            let (mut done, mut settled) = dispatch.settle().await;
            // Nobody else is there to see what becomes of a message.
            match dispatch.finish_telling().await {
                Ok(told) => done.extend(told),
                Err(error) => settled = settled.and(Err(error)),
            }
            let is_idle = judged.is_empty() && done.iter().all(|done| matches!(done, Done::Failed { .. }));
            for done in done {
                match done {
                    Done::Started(run) | Done::Cancelled(run) => runs.push(run),
                    Done::Heard { run, event } => {
                        ui.say(&format!("event {event}: ended a wait of run {run}"));
                        runs.push(run);
                    }
                    Done::Moot { run, why } => ui.say(&format!("run {run}: {}", line(&why))),
                    Done::Failed { run, why } => {
                        ui.say(&format!("run {run}: {}", line(&why)));
                        exit = worse(exit, Exit::Failed);
                    }
                    Done::Told { event, what } => ui.say(&format!("event {event}: {}", line(&what))),
                    Done::Noted(_) => {}
                }
            }
            trouble = trouble.or(settled.err().map(Trouble::from));
            if is_idle || trouble.is_some() {
                break;
            }
        }
        drop(dispatch);
        // Whoever wrote an event down meanwhile left it to this process.
        if runs.is_empty() && (trouble.is_some() || around.intake.unjudged(1)?.is_empty()) {
            break;
        }
        for run in runs {
            // One that cannot go on keeps no other from its turn.
            match driven(place, &run, ui, lines).await {
                Ok(ended) => exit = worse(exit, ended),
                Err(error) => trouble = trouble.or(Some(error)),
            }
        }
    }
    trouble.map_or(Ok(exit), Err)
}

async fn driven(place: &Place<'_>, run: &RunId, ui: &mut Ui, lines: &mut Lines) -> Outcome {
    let Place { home, settings, args } = place;
    if home.is_held(&home.archive.run(run)?) {
        return Ok(Exit::Succeeded);
    }
    if !args.detach && !args.json {
        return resume::go_on(home, run, false, None, ui, lines).await;
    }
    in_background(run, settings)?;
    if !args.json {
        ui.data(run.as_str())?;
    }
    Ok(Exit::Succeeded)
}

/// Of two ends, the one that more people have to know of.
fn worse(a: Exit, b: Exit) -> Exit {
    let order = [Exit::Succeeded, Exit::Cancelled, Exit::Rejected, Exit::Waiting, Exit::Failed, Exit::NotValid, Exit::Unknown];
    let place = |exit: Exit| order.iter().position(|known| *known == exit);
    if place(b) > place(a) { b } else { a }
}

fn tell(ruling: &Ruling, as_json: bool, ui: &mut Ui) -> Result<(), Trouble> {
    if as_json {
        let object = json!({
            "event": ruling.event, "trigger": ruling.trigger.to_string(), "decision": ruling.decision.word(),
            "why": ruling.decision.to_string(), "run": ruling.decision.run(),
        });
        ui.data(&object.to_string())?;
    } else {
        ui.say(&format!("event {}, {}: {}", ruling.event, ruling.trigger, decision(ruling)));
    }
    Ok(())
}

/// What the file holds, as the source reads it.
fn delivered(args: &args::Trigger, catalogue: &Catalogue, home: &Home) -> Result<Vec<CloudEvent>, Trouble> {
    let body = body(&args.event)?;
    let is_event = matches!(Value::from_output(&String::from_utf8_lossy(&body)), Some(value) if value.get("specversion").is_some());
    let content: &[u8] = if is_event { b"application/cloudevents+json" } else { b"application/json" };
    let request =
        Request { method: "POST", headers: &[("content-type", content)], body: &body, query: None, received_at: home.clock.now() };
    let declared = catalogue.workspace().map(|workspace| &workspace.sources);
    let given = Format::CloudEvents { origins: Vec::new() };
    let of_json;
    let (name, format) = match &args.source {
        None => (GIVEN, &given),
        Some(name) => {
            let names = || declared.into_iter().flat_map(|sources| sources.keys().map(String::as_str));
            let Some(source) = declared.and_then(|sources| sources.get(name)) else {
                let trouble = Trouble::not_valid(format!("the workspace has no source `{}`", line(name)));
                return Err(match nearest(name, names()) {
                    Some(near) => trouble.next(format!("runbook trigger --source {near}")),
                    None => trouble.next("declare it under `sources` in workspace.yaml, or leave --source away"),
                });
            };
            let format = match &source.kind {
                SourceKind::Webhook(webhook) => &webhook.format,
                // An event by hand in its place: there is no body of its own.
                SourceKind::Schedule(_) => &given,
                SourceKind::Folder(folder) => {
                    of_json = Format::Generic(Box::new(folder.reading.clone()));
                    &of_json
                }
                SourceKind::Nats(nats) => {
                    of_json = Format::Generic(Box::new(nats.reading.clone()));
                    &of_json
                }
            };
            (name.as_str(), format)
        }
    };
    let read = |format| {
        read_given(name, format, &request).map_err(|refusal| {
            Trouble::not_valid(format!("{} is no delivery of `{}`: {refusal}", args.event.display(), line(name)))
                .next("give the body as its sender posts it")
        })
    };
    if args.source.is_some() {
        return read(format);
    }
    // Whatever is given without a source is a CloudEvent, or the data of one.
    let text = String::from_utf8_lossy(&body);
    match Value::from_output(&text) {
        Some(_) if is_event => read(format),
        Some(data) => Ok(vec![CloudEvent {
            // Whoever gives the same again means it again.
            id: format!("{}/{}", Digest::of_bytes(&body).short(), request.received_at),
            source: format!("/{GIVEN}"),
            kind: GIVEN.to_owned(),
            subject: None,
            time: None,
            key: Digest::of_bytes(&body).short().to_owned(),
            data,
            extensions: Default::default(),
            status: Status::Once,
        }]),
        None => Err(Trouble::not_valid(format!("{} holds no JSON", args.event.display()))
            .next("give a CloudEvent, or any JSON, or name its --source")),
    }
}

fn body(path: &Path) -> Result<Vec<u8>, Trouble> {
    let cannot = |why: std::io::Error| Trouble::unreadable(path, &why).exits(Exit::NotValid);
    let bound = limits::DELIVERY_BYTES as u64 + 1;
    let mut body = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(bound).read_to_end(&mut body).map_err(cannot)?;
    } else {
        std::fs::File::open(path).map_err(cannot)?.take(bound).read_to_end(&mut body).map_err(cannot)?;
    }
    if body.len() as u64 >= bound {
        let most = limits::DELIVERY_BYTES / 1024 / 1024;
        return Err(Trouble::not_valid(format!("{} is larger than {most} MiB", path.display())).next("give fewer events at once"));
    }
    Ok(body)
}

/// What would be decided now, by a judge that nobody asks again.
fn foreseen(arrivals: &[Arrival], served: &Served, around: &Around) -> Result<Vec<Ruling>, Trouble> {
    let mut judge = Judge::new(served.triggers().cloned());
    let now = around.clock.now();
    let since = now.checked_sub(judge.horizon()).unwrap_or(now);
    judge.recall(&around.intake.that_count(since)?, now);
    let live: Vec<RunId> = judge.live().cloned().collect();
    for run in live {
        if around.journal.run(&run).is_ok_and(|row| row.summary.phase == Phase::Ended) {
            judge.ended(&run, now);
        }
    }
    judge.wake(now);
    let mut rulings = Vec::new();
    for (number, arrival) in (FORESEEN..).zip(arrivals) {
        let Arrival { source, event, received } = arrival;
        let incoming = Incoming { number, source, event, received: *received, now };
        rulings.extend(judge.receive(&incoming).into_iter().filter(|ruling| ruling.event == number));
    }
    Ok(rulings)
}

fn explain(arrivals: &[Arrival], served: &Served, around: &Around, ui: &mut Ui) -> Outcome {
    for arrival in arrivals {
        let event = &arrival.event;
        ui.data(&format!(
            "{} of {}, {}, about {}",
            Tone::Strong.paint(&line(&event.kind)),
            line(&arrival.source),
            event.status.as_str(),
            line(&event.key)
        ))?;
        let rulings = foreseen(std::slice::from_ref(arrival), served, around)?;
        let triggers: Vec<&Trigger> = served.triggers().filter(|trigger| trigger.source == arrival.source).collect();
        for trigger in &triggers {
            ui.data(&format!("  {}", trigger.name))?;
            explain_one(trigger, arrival, ui)?;
            if let Some(ruling) = rulings.iter().find(|ruling| ruling.trigger == trigger.name) {
                ui.data(&match ruling.decision {
                    // The run has an id only once the event is written down.
                    Decision::Ran { .. } => format!("    would {}", Tone::Good.paint("run")),
                    _ => format!("    would be {}", decision(ruling)),
                })?;
            }
        }
        if triggers.is_empty() {
            ui.data("  no trigger is of this source")?;
        }
    }
    ui.say(&format!("{} judged; nothing was written down or started", count(arrivals.len() as u64, "event", "events")));
    Ok(Exit::Succeeded)
}

/// What a trigger reads from an event.
fn explain_one(trigger: &Trigger, arrival: &Arrival, ui: &mut Ui) -> Result<(), Trouble> {
    let value = arrival.event.to_value();
    if let Some(when) = &trigger.when {
        let says = match trigger.is_meant(&value, arrival.received) {
            Ok(meant) => meant.to_string(),
            Err(error) => error.why,
        };
        ui.data(&format!("    when {}: {}", line(&when.source), line(&says)))?;
    }
    let Ok(reading) = trigger.read(&arrival.event, &value, arrival.received) else { return Ok(()) };
    for input in values(&reading.inputs) {
        ui.data(&format!("    input {input}"))?;
    }
    if let Some(environment) = &reading.environment {
        ui.data(&format!("    in {}", line(environment)))?;
    }
    let keys = &reading.keys;
    let named = [
        ("dedup", &keys.dedup),
        ("accumulate", &keys.accumulate),
        ("correlate", &keys.correlate),
        ("concurrency", &keys.concurrency),
    ];
    for (name, key) in named {
        if let Some(key) = key {
            ui.data(&format!("    {name} key {}", line(key)))?;
        }
    }
    Ok(())
}

impl From<DispatchError> for Trouble {
    fn from(error: DispatchError) -> Trouble {
        match error {
            DispatchError::Journal(error) => error.into(),
            DispatchError::Session(error) => error.into(),
            DispatchError::Lock(_) => Trouble::failed(error.to_string()).next("runbook events"),
        }
    }
}
