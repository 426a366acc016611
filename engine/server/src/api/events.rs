//! Events and the decisions on them, when schedules tick, the audit log, and how the server is. But for schedules these are of no one procedure: to see
//! them takes a role that is bound to no label.

use jiff::Timestamp;
use runbook_core::event_source::SourceKind;
use runbook_core::policy::access::Act;
use runbook_core::ticks::Timetable;
use runbook_core::{Digest, ProcedureName, RunId, limits};
use runbook_engine::access::AuditPage;
use runbook_engine::intake::{Arrived, EventFilter};
use runbook_engine::journal::JournalError;
use runbook_engine::report::listed;
use runbook_engine::report::problems::{self, EventProblem};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Answer, Call, procedures};
use crate::problem::Problem;

pub const WORDS: [&str; 4] = ["ran", "joined", "dropped", "deferred"];

pub async fn list(call: Call) -> Result<Answer, Problem> {
    let (found, next) = found(&call, call.limit()?)?;
    Ok(Answer::page(found.iter().map(|arrived| json!(listed::Event::of(arrived))).collect(), next))
}

/// Events as the parameters say, and where the next page begins.
pub fn found(call: &Call, limit: usize) -> Result<(Vec<Arrived>, Option<String>), Problem> {
    call.may_everywhere(Act::View)?;
    let word = call.text("decision").map(|word| match WORDS.contains(&word) {
        true => Ok(word.to_owned()),
        false => Err(Problem::malformed(format!("`decision` is one of {}", WORDS.join(", ")))),
    });
    let filter = EventFilter {
        source: call.text("source").map(str::to_owned),
        procedure: call.parsed::<ProcedureName>("procedure")?.map(|name| name.to_string()),
        word: word.transpose()?,
        run: call.parsed::<RunId>("run")?,
        before: call.parsed::<u64>("before")?,
        limit: limit + 1,
    };
    let mut found = call.read(|app| app.intake.events(&filter))?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.number.to_string());
    Ok((found, next))
}

pub async fn one(call: Call) -> Result<Answer, Problem> {
    let arrived = arrived(&call)?;
    Ok(Answer::json(&json!(listed::Event::of(&arrived))))
}

/// The event that is named.
pub fn arrived(call: &Call) -> Result<Arrived, Problem> {
    call.may_everywhere(Act::View)?;
    let number: u64 = call.part("event")?;
    if let Some(found) = call.read(|app| app.intake.event(number))? {
        return Ok(found);
    }
    Err(Problem::not_found(match call.read(|app| app.intake.was_let_go(number))? {
        true => format!("event {number} was let go of by `runbook prune`"),
        false => format!("there is no event {number}"),
    }))
}

pub async fn problems(call: Call) -> Result<Answer, Problem> {
    let found = problems_of(&call)?;
    Ok(Answer::page(found.iter().map(|problem| json!(problem)).collect(), None))
}

/// What is wrong, by the last events and the runs that answered them.
pub fn problems_of(call: &Call) -> Result<Vec<EventProblem>, Problem> {
    call.may_everywhere(Act::View)?;
    let filter = EventFilter { limit: limits::PROBLEM_EVENTS, ..EventFilter::default() };
    call.read(|app| {
        let arrived = app.intake.events(&filter)?;
        problems::problems(&arrived, &mut |run| match app.journal.run(run) {
            Ok(row) => Ok(row.summary.outcome),
            // It was asked for, and has not begun.
            Err(JournalError::NoRun(_)) => Ok(None),
            Err(error) => Err(error),
        })
    })
}

pub async fn audit(call: Call) -> Result<Answer, Problem> {
    let page = audited(&call, call.limit()?)?;
    let next = page.entries.last().filter(|last| last.number > 1).map(|last| last.number.to_string());
    Ok(Answer::json(&json!({"items": page.entries, "next": next, "broken_at": page.broken_at})))
}

/// The newest entries of the audit log, before the one that is named.
pub fn audited(call: &Call, limit: usize) -> Result<AuditPage, Problem> {
    call.may_everywhere(Act::Audit)?;
    let before = call.parsed::<u64>("before")?;
    call.read(|app| app.access.audited(before, limit.min(limits::AUDIT_PAGE)))
}

/// When a schedule ticks next, and what it starts.
#[derive(Debug, Serialize)]
pub struct Scheduled {
    pub source: String,
    pub cron: String,
    pub zone: String,
    pub next: Vec<Timestamp>,
    /// Those that the caller may see.
    pub triggers: Vec<String>,
}

/// Ticks of a schedule that are told ahead.
const TICKS: usize = 5;

/// The schedules of the workspace; where some procedures are hidden, those that start others.
pub fn schedules(call: &Call) -> Vec<Scheduled> {
    let (now, triggers) = (call.app().clock.now(), procedures::visible_triggers(call));
    let sees_all = call.caller.rights.may_everywhere(Act::View);
    let schedules = call.app().serving.served().unposted.into_iter().filter_map(|(source, declared)| {
        let SourceKind::Schedule(schedule) = declared.kind else { return None };
        let timetable = Timetable::of(&schedule.cron, &schedule.zone).ok()?;
        let of_it = triggers.iter().filter(|trigger| trigger.source == source);
        let triggers: Vec<String> = of_it.map(|trigger| trigger.name.to_string()).collect();
        let next = std::iter::successors(timetable.next(now), |tick| timetable.next(*tick)).take(TICKS).collect();
        let told = Scheduled { source, cron: schedule.cron, zone: schedule.zone, next, triggers };
        (sees_all || !told.triggers.is_empty()).then_some(told)
    });
    schedules.collect()
}

pub async fn schedule(call: Call) -> Result<Answer, Problem> {
    Ok(Answer::page(schedules(&call).iter().map(|schedule| json!(schedule)).collect(), None))
}

/// How the server is.
#[derive(Debug, Serialize)]
pub struct Told {
    pub version: &'static str,
    /// As `GET /health` tells it on this machine.
    pub health: Value,
    pub catalogue: Digest,
    pub procedures: usize,
    /// Events that wait for a decision, and since when the oldest does.
    pub undecided: u64,
    pub oldest: Option<Timestamp>,
}

pub fn told(call: &Call) -> Result<Told, Problem> {
    call.may_everywhere(Act::View)?;
    let app = call.app();
    let backlog = call.read(|app| app.intake.backlog(limits::UNJUDGED_EVENTS + 1))?;
    let catalogue = app.serving.catalogue();
    Ok(Told {
        version: env!("CARGO_PKG_VERSION"),
        health: app.health.to_json(),
        catalogue: app.serving.served().served.digest().clone(),
        procedures: catalogue.procedures().count(),
        undecided: backlog.events,
        oldest: backlog.oldest,
    })
}

pub async fn server(call: Call) -> Result<Answer, Problem> {
    Ok(Answer::json(&json!(told(&call)?)))
}
