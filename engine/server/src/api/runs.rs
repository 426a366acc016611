//! Runs: lists, their steps and records and what these prove, and how one is started.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use runbook_core::policy::access::Act;
use runbook_core::run::event::{Event, Part};
use runbook_core::run::view::StepView;
use runbook_core::{Digest, ProcedureName, Run, RunId, limits};
use runbook_engine::access::Seals;
use runbook_engine::driver::engine;
use runbook_engine::journal::{JournalError, Phase, RunFilter, RunRow};
use runbook_engine::report::listed;
use runbook_engine::session::{self, Session, SessionError};
use runbook_engine::verify::{Evidence, Verification, verify_run};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::bodies::Start;
use super::procedures::{Manner, choose};
use super::{Answer, Call, unread};
use crate::lives::Ask;
use crate::problem::Problem;
use crate::web;

pub async fn list(call: Call) -> Result<Answer, Problem> {
    let (found, next) = found(&call, call.limit()?)?;
    let now = call.app().clock.now();
    Ok(Answer::page(found.iter().map(|row| json!(listed::Run::of(row, now))).collect(), next))
}

/// Runs that the caller may see, as the parameters say, and where the next page begins.
pub fn found(call: &Call, limit: usize) -> Result<(Vec<RunRow>, Option<String>), Problem> {
    let phase =
        call.text("phase").map(|text| Phase::parse(text).ok_or_else(|| Problem::malformed(format!("there is no phase `{text}`"))));
    let filter = RunFilter {
        procedure: call.parsed::<ProcedureName>("procedure")?,
        environment: call.text("environment").map(str::to_owned),
        requested_by: call.text("requested_by").map(str::to_owned),
        phase: phase.transpose()?,
        unfinished: call.parsed::<bool>("open")?.unwrap_or(false),
        like: call.text("like").map(str::to_owned),
        before: call.parsed::<RunId>("before")?,
        limit,
    };
    seen(call, filter, limit)
}

/// Of the runs of a filter those that the caller may see, at most so many, and where the next page begins.
pub fn seen(call: &Call, mut filter: RunFilter, limit: usize) -> Result<(Vec<RunRow>, Option<String>), Problem> {
    // Of those whom some runs are hidden from, few may be left of many.
    filter.limit = if call.caller.rights.may_everywhere(Act::View) { limit + 1 } else { limits::RECORDS_PAGE };
    let (mut found, mut looked_at, mut next) = (Vec::new(), 0, None);
    'pages: loop {
        let page = call.read(|app| app.journal.runs(&filter))?;
        let is_last = page.len() < filter.limit;
        for row in page {
            if found.len() == limit || looked_at == limits::PAGE_SCAN {
                // There may be more behind the last one that was looked at.
                next = filter.before.as_ref().map(ToString::to_string);
                break 'pages;
            }
            looked_at += 1;
            filter.before = Some(row.run.clone());
            if call.sees(&row)? {
                found.push(row);
            }
        }
        if is_last {
            break;
        }
    }
    Ok((found, next))
}

pub async fn one(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let (anchors, pruned) = call.read(|app| Ok((app.journal.anchors(&row.run)?, app.journal.pruned(&row.run)?)))?;
    let run = listed::Run::of(&row, call.app().clock.now());
    Ok(Answer::json(&json!(listed::OneRun { run, anchors, pruned })))
}

/// What runs are of. One that is of no procedure that the caller may see is not there.
pub async fn plan(call: Call) -> Result<Answer, Problem> {
    let digest: Digest = call.part("plan")?;
    let none = || Problem::not_found(format!("there is no plan {digest}"));
    let read = tokio::task::block_in_place(|| {
        let known = call.known_of(&digest)?;
        Ok((known, call.app().journal.plan(&digest)?))
    });
    match read {
        Ok((known, plan)) if call.caller.rights.may(Act::View, &known.labels) => {
            Ok(Answer::raw(web::json_text(StatusCode::OK, plan)))
        }
        Ok(_) | Err(JournalError::NoPlan(_)) => Err(none()),
        Err(error) => Err(unread(&call.api, &error)),
    }
}

/// A run as it is recorded, read to its end.
pub async fn replayed(call: &Call, id: &RunId) -> Result<(Run, RunRow), Problem> {
    replayed_with(call, id, &mut |_, _| {}).await
}

/// The same; `visit` is shown each event, and the run as it stood after it.
pub async fn replayed_with(
    call: &Call,
    id: &RunId,
    visit: &mut (dyn FnMut(&Run, &Event) + Send),
) -> Result<(Run, RunRow), Problem> {
    let _turn = call.turn().await;
    let replayed = tokio::task::block_in_place(|| session::replay(&*call.app().journal, id, visit));
    replayed.map_err(|error| of_session(call, error))
}

/// What trouble with the record of a run means for a request.
pub fn of_session(call: &Call, error: SessionError) -> Problem {
    match error {
        SessionError::Journal(JournalError::Held { .. }) => {
            Problem::new(StatusCode::CONFLICT, "under_way", "another process is at work on the run; ask again once it has ended")
        }
        SessionError::Journal(error) | SessionError::Stopped(error) => unread(&call.api, &error),
        error @ (SessionError::Illegal(_) | SessionError::OtherPlan { .. } | SessionError::TooLong(_)) => {
            Problem::new(StatusCode::CONFLICT, "refused", error.to_string())
        }
    }
}

pub async fn steps(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let (run, _) = replayed(&call, &row.run).await?;
    Ok(Answer::page(run.steps().map(|step| shown(&step)).collect(), None))
}

fn shown(step: &StepView<'_>) -> Value {
    json!({
        "path": step.path(), "number": step.number(), "title": step.title(), "effect": step.step().effect,
        "standing": step.standing(), "attempt": step.attempt(), "began": step.began(), "ended": step.ended(),
        "message": step.note().map(|note| note.message.as_str()),
    })
}

pub async fn records(call: Call) -> Result<Answer, Problem> {
    let (row, limit) = (call.run()?, call.limit()?);
    let from = call.parsed::<u64>("from")?.unwrap_or(1);
    let page = call.read(|app| app.journal.records(&row.run, from, limit))?;
    let next = page.last().filter(|last| last.seq < row.seq).map(|last| (last.seq + 1).to_string());
    let lines = page.iter().map(|record| {
        let line = record.line();
        serde_json::from_str::<IgnoredAny>(&line)
            .map(|_| line)
            .map_err(|error| Problem::new(StatusCode::CONFLICT, "damaged", error.to_string()))
    });
    // Each as it is written: its hash is over these bytes.
    let lines = lines.collect::<Result<Vec<String>, _>>()?.join(",");
    Ok(Answer::raw(web::json_text(StatusCode::OK, format!(r#"{{"items":[{lines}],"next":{}}}"#, json!(next)))))
}

/// What the record of a run proves, and whether its logs were compared, where that is asked for: they may be long.
pub async fn verified(call: &Call, row: &RunRow) -> Result<(Verification, bool), Problem> {
    let with_logs = call.parsed::<bool>("logs")?.unwrap_or(false);
    let _turn = call.turn().await;
    let found = call.read(|app| {
        let seals = Seals::of(&app.access);
        let logs = with_logs.then_some(&app.logs);
        verify_run(&*app.journal, &row.run, &Evidence { logs, seals: Some(&seals), ..Evidence::default() })
    })?;
    Ok((found, with_logs))
}

pub async fn verification(call: Call) -> Result<Answer, Problem> {
    let (found, _) = verified(&call, &call.run()?).await?;
    let mut value = serde_json::to_value(&found).map_err(|error| Problem::not_valid(error.to_string(), Vec::new()))?;
    value["sound"] = found.is_sound().into();
    value["told"] = found.faults.iter().map(ToString::to_string).collect();
    Ok(Answer::json(&value))
}

pub async fn start(mut call: Call) -> Result<Answer, Problem> {
    let Start { procedure, version, plan, environment, inputs, from, only, stepwise } = call.asked()?;
    let chosen = choose(&call, &procedure, environment, Act::Start)?;
    let now = chosen.plan.main().version;
    if version.is_some_and(|version| version != now) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "other_version",
            format!("the version of `{procedure}` that is served is {now}"),
        ));
    }
    let part = match (from, only) {
        (None, only) if only.is_empty() => Part::Whole,
        (None, only) => Part::Only(only),
        (Some(from), only) if only.is_empty() => Part::From(from),
        (Some(_), _) => return Err(Problem::not_valid("a run is given `from` or `only`, and not both", Vec::new())),
    };
    let app = call.app().clone();
    let (_, seed) = runbook_engine::start::draw(&*app.clock);
    let started = chosen.started(&call, Manner { inputs, part, stepwise }, seed)?;
    if plan.is_some_and(|plan| plan != started.plan) {
        let detail = format!("what `{procedure}` would do has changed since it was looked at; look again");
        return Err(Problem::new(StatusCode::CONFLICT, "changed", detail));
    }
    let id = call.run_id.clone();
    let create = async {
        let (journal, clock) = (app.journal.clone(), app.clock.clone());
        let mut session =
            Session::create(journal, clock, app.owner(), Vec::new(), id.clone(), chosen.plan.clone(), started).await?;
        // Whoever asked for it goes on with other things: it is the server's.
        let adopted = session.adopt(engine());
        let closed = session.close().await;
        adopted.and(closed)
    };
    call.apart(create).await.map_err(|error| of_session(&call, error))?;
    made(&call)
}

/// The run that was asked for under this key before, where it was made.
pub fn begun(call: &Call) -> Result<Option<Answer>, Problem> {
    let found = call.read(|app| match app.journal.run(&call.run_id) {
        Ok(_) => Ok(true),
        Err(JournalError::NoRun(_)) => Ok(false),
        Err(error) => Err(error),
    })?;
    found.then(|| made(call)).transpose()
}

fn made(call: &Call) -> Result<Answer, Problem> {
    let id = &call.run_id;
    let _ = call.api.asks.send(Ask::Keep(id.clone()));
    let row = call.read(|app| app.journal.run(id))?;
    let run = listed::Run::of(&row, call.app().clock.now());
    let mut answer = Answer::done(StatusCode::CREATED, json!(run), id.to_string());
    locate(&mut answer.response, id.as_str());
    Ok(answer)
}

/// Says where a run is that was made.
pub fn locate(response: &mut Response<Body>, run: &str) {
    if let Ok(location) = HeaderValue::try_from(format!("{}/runs/{run}", super::ROOT)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
}
