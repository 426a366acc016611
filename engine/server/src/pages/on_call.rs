//! Who is on call, until when, and who is next.

use jiff::Timestamp;
use runbook_core::policy::People;
use runbook_engine::on_call::{Told, local};
use runbook_engine::words;
use serde::Serialize;

use super::frame::Frame;
use super::render::{self, When};
use crate::api::{Answer, Call, on_call};
use crate::problem::Problem;

pub const PATH: &str = "/on-call";

#[derive(Serialize)]
struct List {
    rotations: Vec<Rotation>,
}

#[derive(Serialize)]
struct Rotation {
    name: String,
    zone: String,
    is_mine: bool,
    now: Shift,
    left: Option<String>,
    coming: Vec<Shift>,
}

#[derive(Serialize)]
struct Shift {
    who: Option<String>,
    /// By the wall clock of the rotation, which is what was agreed upon.
    begins: Option<String>,
    until: Option<When>,
    ends: Option<String>,
    why: Option<String>,
}

pub async fn show(call: Call) -> Result<Answer, Problem> {
    let now: Timestamp = call.app().clock.now();
    let catalogue = call.app().serving.catalogue();
    let people = catalogue.workspace().map(|workspace| workspace.people.clone()).unwrap_or_default();
    let rotations = on_call::standing(&call)?
        .into_iter()
        .map(|standing| Rotation {
            is_mine: standing.now.on_call.as_ref() == Some(&call.caller.person),
            left: standing.now.to.map(|to| format!("{} left", words::elapsed(words::between(now, to)))),
            now: shift(&standing.now, &people, &standing.zone),
            coming: standing.coming.iter().map(|told| shift(told, &people, &standing.zone)).collect(),
            name: standing.rotation,
            zone: standing.zone,
        })
        .collect();
    let mut frame = Frame::of(Some(&call.caller), "On call", PATH);
    frame.is_watched = true;
    Ok(Answer::raw(render::page("on_call", &frame, &List { rotations })?))
}

fn shift(told: &Told, people: &People, zone: &str) -> Shift {
    let full = |name: &String| people.people.get(name).and_then(|person| person.name.clone());
    let named = |name: &String| full(name).map_or_else(|| name.clone(), |full| format!("{name} ({full})"));
    Shift {
        who: told.on_call.as_ref().map(named),
        begins: told.from.map(|at| local(at, zone)),
        until: told.to.map(When::at),
        ends: told.to.map(|at| local(at, zone)),
        why: told.why(),
    }
}
