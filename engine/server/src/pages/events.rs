//! What came in, and what was decided on it, each with why; and what is to come by itself.

use jiff::Timestamp;
use runbook_engine::intake::Arrived;
use runbook_engine::words;
use serde::Serialize;

use super::address::address;
use super::frame::Frame;
use super::render::{self, Tab, When};
use crate::api::{Answer, Call, events};
use crate::problem::Problem;

pub const PATH: &str = "/events";
pub const SCHEDULE: &str = "/schedule";

const SHOWN: usize = 50;

#[derive(Serialize)]
struct List {
    words: Vec<Tab>,
    source: String,
    procedure: String,
    decision: String,
    sources: Vec<String>,
    is_filtered: bool,
    events: Vec<Event>,
    newest: Option<String>,
    older: Option<String>,
}

#[derive(Serialize)]
struct Event {
    number: u64,
    source: String,
    received: When,
    about: String,
    kind: String,
    again: Option<String>,
    status: String,
    rulings: Vec<Ruling>,
    is_judged: bool,
    ended: Vec<String>,
}

#[derive(Serialize)]
struct Ruling {
    trigger: String,
    word: &'static str,
    class: &'static str,
    why: String,
    run: Option<String>,
    at: When,
}

fn event(arrived: &Arrived) -> Event {
    let rulings = arrived.rulings.iter().map(|ruling| {
        let word = ruling.decision.word();
        Ruling {
            trigger: ruling.trigger.to_string(),
            word,
            class: match word {
                "ran" | "joined" => "good",
                "deferred" => "warning",
                _ => "quiet",
            },
            why: ruling.decision.to_string(),
            run: ruling.decision.run().map(ToString::to_string),
            at: When::at(ruling.at),
        }
    });
    Event {
        number: arrived.number,
        source: arrived.source.clone(),
        received: When::at(arrived.received),
        about: arrived.event.key.clone(),
        kind: arrived.event.kind.clone(),
        again: (arrived.again > 0).then(|| words::count(arrived.again, "time", "times")),
        status: format!("{:?}", arrived.event.status).to_lowercase(),
        rulings: rulings.collect(),
        is_judged: arrived.judged,
        ended: arrived.ended.iter().map(ToString::to_string).collect(),
    }
}

pub async fn list(call: Call) -> Result<Answer, Problem> {
    let (found, next) = events::found(&call, SHOWN)?;
    let text = |name: &str| call.text(name).unwrap_or_default().to_owned();
    let given = ["source", "procedure", "run"];
    let with = |more: &[(&str, &str)]| {
        let kept = given.iter().filter_map(|name| Some((*name, call.text(name)?)));
        address(PATH, kept.chain(more.iter().copied()))
    };
    let decision = text("decision");
    let mut words = vec![Tab { name: "all", address: with(&[]), count: None, is_here: decision.is_empty() }];
    for word in events::WORDS {
        words.push(Tab { name: word, address: with(&[("decision", word)]), count: None, is_here: decision == word });
    }
    let kept: Vec<(&str, &str)> = [("decision", decision.as_str())].into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let catalogue = call.app().serving.catalogue();
    let view = List {
        words,
        source: text("source"),
        procedure: text("procedure"),
        sources: catalogue.workspace().map(|of| of.sources.keys().cloned().collect()).unwrap_or_default(),
        is_filtered: given.iter().any(|name| call.text(name).is_some()),
        events: found.iter().map(event).collect(),
        newest: call.text("before").map(|_| with(&kept)),
        older: next.map(|next| with(&[&kept[..], &[("before", next.as_str())]].concat())),
        decision,
    };
    let mut frame = Frame::of(Some(&call.caller), "Events", PATH);
    frame.is_watched = call.text("before").is_none();
    Ok(Answer::raw(render::page("events", &frame, &view)?))
}

#[derive(Serialize)]
struct One {
    event: Event,
    id: String,
    data: String,
}

pub async fn one(call: Call) -> Result<Answer, Problem> {
    let arrived = events::arrived(&call)?;
    let data = serde_json::to_string_pretty(&arrived.event.to_value().to_plain_json()).unwrap_or_default();
    let view = One { event: event(&arrived), id: arrived.event.id.clone(), data };
    let mut frame = Frame::of(Some(&call.caller), format!("Event {}", view.event.number), PATH);
    frame.is_watched = !arrived.judged;
    Ok(Answer::raw(render::page("event", &frame, &view)?))
}

#[derive(Serialize)]
struct Schedules {
    schedules: Vec<Scheduled>,
}

#[derive(Serialize)]
struct Scheduled {
    source: String,
    cron: String,
    zone: String,
    next: Vec<When>,
    triggers: Vec<String>,
    left: Option<String>,
}

pub async fn schedule(call: Call) -> Result<Answer, Problem> {
    let now: Timestamp = call.app().clock.now();
    let schedules = events::schedules(&call)
        .into_iter()
        .map(|schedule| Scheduled {
            left: schedule.next.first().map(|next| format!("in {}", words::elapsed(words::between(now, *next)))),
            next: schedule.next.into_iter().map(When::at).collect(),
            source: schedule.source,
            cron: schedule.cron,
            zone: schedule.zone,
            triggers: schedule.triggers,
        })
        .collect();
    let frame = Frame::of(Some(&call.caller), "Schedule", SCHEDULE);
    Ok(Answer::raw(render::page("schedule", &frame, &Schedules { schedules })?))
}
