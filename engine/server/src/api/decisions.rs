//! What waits for people, and what they say to it.

use std::sync::Arc;

use axum::http::StatusCode;
use runbook_core::policy::access::Act;
use runbook_core::run::decision::Decision;
use runbook_core::run::event::Vote;
use runbook_core::value::{self, Map, Value};
use runbook_core::{DecisionId, Run, RunId, limits};
use runbook_engine::journal::{DecisionFilter, OpenDecision, RunRow};
use runbook_engine::message::Message;
use runbook_engine::permit;
use runbook_engine::report::listed;
use serde_json::{Value as Json, json};

use super::runs::replayed;
use super::steer::{bounded, say};
use super::{Answer, Call, bodies};
use crate::problem::Problem;

pub async fn list(call: Call) -> Result<Answer, Problem> {
    let (open, next) = waiting(&call, call.limit()?)?;
    Ok(Answer::page(open.iter().map(|(open, _)| json!(listed::Decision::of(open, None))).collect(), next))
}

/// Those that wait and the caller may see, each with its run where that was looked at, and where the next page begins.
pub type Waiting = (Vec<(OpenDecision, Option<RunRow>)>, Option<String>);

pub fn waiting(call: &Call, limit: usize) -> Result<Waiting, Problem> {
    let after = call.text("after").map(cursor).transpose()?;
    let sees_all = call.caller.rights.may_everywhere(Act::View);
    let page = if sees_all { limit + 1 } else { limits::RECORDS_PAGE };
    let mut filter = DecisionFilter { run: call.parsed::<RunId>("run")?, after, limit: page };
    let (mut found, mut looked_at, mut next) = (Vec::new(), 0, None);
    'pages: loop {
        let page = call.read(|app| app.journal.open_decisions(&filter))?;
        let is_last = page.len() < filter.limit;
        for open in page {
            if found.len() == limit || looked_at == limits::PAGE_SCAN {
                next = filter.after.as_ref().map(|(run, decision)| format!("{run}.{}", decision.0));
                break 'pages;
            }
            filter.after = Some((open.run.clone(), open.decision));
            looked_at += 1;
            if sees_all {
                found.push((open, None));
                continue;
            }
            let row = call.read(|app| app.journal.run(&open.run))?;
            if call.sees(&row)? {
                found.push((open, Some(row)));
            }
        }
        if is_last {
            break;
        }
    }
    Ok((found, next))
}

/// Where a page of decisions ended.
fn cursor(text: &str) -> Result<(RunId, DecisionId), Problem> {
    let parsed = text.rsplit_once('.').and_then(|(run, decision)| Some((run.parse().ok()?, DecisionId(decision.parse().ok()?))));
    parsed.ok_or_else(|| Problem::malformed("`after` is not the `next` of a page"))
}

/// A run as it is recorded, and which decision of it is asked for.
pub async fn found(call: &Call, row: &RunRow) -> Result<(Run, Arc<Decision>), Problem> {
    let id: DecisionId = call.part("decision")?;
    let (run, _) = replayed(call, &row.run).await?;
    let decision = run.decisions().iter().find(|decision| decision.id == id).cloned();
    let decision = decision.ok_or_else(|| Problem::not_found(format!("run {} has no decision {id}", row.run)))?;
    Ok((run, decision))
}

pub async fn one(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let (_, decision) = found(&call, &row).await?;
    Ok(Answer::json(&json!({
        "run": row.run, "decision": decision.id, "path": decision.path, "purpose": decision.purpose, "standing": decision.standing,
        "question": decision.request.question, "asked": decision.asked, "asked_at": decision.requested_at,
        "expires_at": decision.deadline, "at_it": at_it(&decision), "votes": decision.votes, "request": &*decision.request,
        "head": row.head,
    })))
}

pub async fn decide(mut call: Call) -> Result<Answer, Problem> {
    let bodies::Vote { choice, digest, reason, answers, signature, head } = call.asked()?;
    let row = call.run_for(Act::Decide)?;
    let (run, decision) = found(&call, &row).await?;
    if digest != decision.request.digest {
        let now = decision.request.digest.short();
        let detail = format!("what is asked now has the digest {now}, not {}: it has changed since it was shown", digest.short());
        return Err(Problem::new(StatusCode::CONFLICT, "changed", detail));
    }
    let mut typed = Map::new();
    for (name, value) in answers {
        let wrong = |why: String| Problem::not_valid("the answers are not what was asked for", vec![format!("{name}: {why}")]);
        let value = Value::from_plain_json(value).map_err(|error| wrong(error.to_string()))?;
        let field = decision.request.fields.iter().find(|field| field.name.as_str() == name);
        let value = match (&value, field) {
            (Value::Text(text), Some(field)) => field.value.accept_text(text).map_err(|faults| wrong(faults.join("; ")))?,
            _ => value,
        };
        typed.insert(name, value);
    }
    let vote = Vote {
        reason: reason.map(|reason| bounded("reason", reason)).transpose()?,
        answers: typed,
        signature,
        head,
        ..Vote::new(call.caller.identity(), choice, digest)
    };
    // Told apart from what the run itself refuses: this person may not, another might.
    let permitted = tokio::task::block_in_place(|| permit::permit_vote(&run, &row.run, decision.id, &vote));
    permitted.map_err(|why| Problem::new(StatusCode::FORBIDDEN, "not_permitted", why))?;
    say(&call, &row.run, Message::Decide { decision: decision.id, vote: Box::new(vote) }).await
}

fn at_it(decision: &Decision) -> Option<Json> {
    let taken = decision.acknowledged.as_ref().filter(|_| decision.is_open())?;
    Some(json!({"person": taken.holder(), "by": taken.by.person, "since": taken.at}))
}

/// Somebody is at it. The run itself says whether there is anybody to be left alone.
pub async fn acknowledge(mut call: Call) -> Result<Answer, Problem> {
    let bodies::Acknowledgement { hold, to, reason } = call.asked()?;
    let row = call.run_for(Act::Decide)?;
    let (run, decision) = found(&call, &row).await?;
    let hold = match hold {
        Some(text) => {
            value::parse_duration(&text).map_err(|why| Problem::not_valid("it is said wrongly for how long", vec![why]))?
        }
        None => limits::ACKNOWLEDGED_USUALLY,
    };
    let (by, decision) = (call.caller.identity(), decision.id);
    let permitted = permit::can_acknowledge(&run, decision, &by, to.as_deref());
    permitted.map_err(|why| Problem::new(StatusCode::FORBIDDEN, "not_permitted", why))?;
    say(&call, &row.run, Message::Acknowledge { decision, by, to, hold, reason: bounded("reason", reason)? }).await
}
