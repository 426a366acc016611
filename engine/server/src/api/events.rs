//! Events and the decisions on them; the audit log. Both are of no one procedure: to see them takes a role that is bound to no label.

use runbook_core::policy::access::Act;
use runbook_core::{ProcedureName, RunId, limits};
use runbook_engine::intake::EventFilter;
use runbook_engine::report::listed;
use serde_json::json;

use super::{Answer, Call};
use crate::problem::Problem;

const WORDS: [&str; 4] = ["ran", "joined", "dropped", "deferred"];

pub async fn list(call: Call) -> Result<Answer, Problem> {
    call.may_everywhere(Act::View)?;
    let limit = call.limit()?;
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
    Ok(Answer::page(found.iter().map(|arrived| json!(listed::Event::of(arrived))).collect(), next))
}

pub async fn one(call: Call) -> Result<Answer, Problem> {
    call.may_everywhere(Act::View)?;
    let number: u64 = call.part("event")?;
    let found = call.read(|app| app.intake.event(number))?;
    let arrived = found.ok_or_else(|| Problem::not_found(format!("there is no event {number}")))?;
    Ok(Answer::json(&json!(listed::Event::of(&arrived))))
}

pub async fn audit(call: Call) -> Result<Answer, Problem> {
    call.may_everywhere(Act::Audit)?;
    let limit = call.limit()?.min(limits::AUDIT_PAGE);
    let before = call.parsed::<u64>("before")?;
    let page = call.read(|app| app.access.audited(before, limit))?;
    let next = page.entries.last().filter(|last| last.number > 1).map(|last| last.number.to_string());
    Ok(Answer::json(&json!({"items": page.entries, "next": next, "broken_at": page.broken_at})))
}
