//! Runs: lists, their steps and records, what steps wrote, and how one is started.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures_util::stream;
use runbook_core::policy::access::Act;
use runbook_core::run::event::Part;
use runbook_core::run::view::StepView;
use runbook_core::{Digest, Fact, ProcedureName, Run, RunId, StepPath, limits};
use runbook_engine::driver::engine;
use runbook_engine::journal::{JournalError, Phase, RunFilter, RunRow};
use runbook_engine::log::{LogError, LogReader};
use runbook_engine::report::listed;
use runbook_engine::session::{self, Session, SessionError};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::bodies::Start;
use super::procedures::{Manner, choose};
use super::{Answer, Call, unread};
use crate::lives::Ask;
use crate::problem::Problem;
use crate::web;

pub async fn list(call: Call) -> Result<Answer, Problem> {
    let limit = call.limit()?;
    let phase =
        call.text("phase").map(|text| Phase::parse(text).ok_or_else(|| Problem::malformed(format!("there is no phase `{text}`"))));
    let mut filter = RunFilter {
        procedure: call.parsed::<ProcedureName>("procedure")?,
        environment: call.text("environment").map(str::to_owned),
        requested_by: call.text("requested_by").map(str::to_owned),
        phase: phase.transpose()?,
        unfinished: call.parsed::<bool>("open")?.unwrap_or(false),
        like: call.text("like").map(str::to_owned),
        before: call.parsed::<RunId>("before")?,
        // Of those whom some runs are hidden from, few may be left of many.
        limit: if call.caller.rights.may_everywhere(Act::View) { limit + 1 } else { limits::RECORDS_PAGE },
    };
    let now = call.app().clock.now();
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
                found.push(json!(listed::Run::of(&row, now)));
            }
        }
        if is_last {
            break;
        }
    }
    Ok(Answer::page(found, next))
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
    let _turn = call.turn().await;
    let replayed = tokio::task::block_in_place(|| session::replay(&*call.app().journal, id, &mut |_, _| {}));
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

/// The last attempt of a step that was begun.
async fn last_attempt(call: &Call, id: &RunId, path: &StepPath) -> Result<Option<u32>, Problem> {
    let _turn = call.turn().await;
    let mut last = None;
    let replayed = tokio::task::block_in_place(|| {
        session::replay(&*call.app().journal, id, &mut |_, event| {
            if let Fact::AttemptStarted { path: of, attempt } = &event.fact
                && of == path
            {
                last = Some(*attempt);
            }
        })
    });
    replayed.map_err(|error| of_session(call, error))?;
    Ok(last)
}

pub async fn log(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let path: StepPath = call.parsed("step")?.ok_or_else(|| Problem::malformed("`step` is missing: the path of the step"))?;
    let attempt = match call.parsed::<u32>("attempt")? {
        Some(attempt) => Some(attempt),
        None => last_attempt(&call, &row.run, &path).await?,
    };
    let nothing = || Problem::not_found(format!("nothing of step `{path}` was kept"));
    let attempt = attempt.ok_or_else(nothing)?;
    let cannot = |error: LogError| {
        tracing::debug!(%error, "a log could not be read");
        nothing()
    };
    let reader = call.app().logs.reader(&row.run, &path, attempt).map_err(cannot)?;
    let length = reader.len().map_err(cannot)?;
    let asked = match call.headers.get(header::RANGE) {
        Some(range) => part_of(range.to_str().unwrap_or_default(), length),
        None => Asked::All,
    };
    let (status, from, to) = match asked {
        Asked::All => (StatusCode::OK, 0, length),
        Asked::Part(from, to) => (StatusCode::PARTIAL_CONTENT, from, to),
        Asked::Beyond => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            content_range(&mut response, &format!("bytes */{length}"));
            return Ok(Answer::raw(response));
        }
    };
    let place = call.api.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::later("busy", "as many streams are open as fit; ask again", 5))?;
    let mut response = Response::new(Body::from_stream(chunks(reader, from, to, place)));
    *response.status_mut() = status;
    if status == StatusCode::PARTIAL_CONTENT {
        content_range(&mut response, &format!("bytes {from}-{}/{length}", to - 1));
    }
    let headers = response.headers_mut();
    // Never anything that a browser would show as its own.
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, (to - from).into());
    Ok(Answer::raw(response))
}

fn content_range(response: &mut Response<Body>, text: &str) {
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
}

/// The bytes up to and without `to`, as they are wanted: a reader that stops reading makes nobody read ahead.
fn chunks(
    reader: LogReader,
    from: u64,
    to: u64,
    place: OwnedSemaphorePermit,
) -> impl futures_util::Stream<Item = Result<Bytes, LogError>> {
    stream::unfold((reader, from, place), move |(reader, from, place)| async move {
        if from >= to {
            return None;
        }
        let read = tokio::task::block_in_place(|| reader.range(from, to));
        match read {
            // It became shorter than it was.
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => {
                let next = from + bytes.len() as u64;
                Some((Ok(Bytes::from(bytes)), (reader, next, place)))
            }
            Err(error) => Some((Err(error), (reader, to, place))),
        }
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    All,
    /// From, and up to without.
    Part(u64, u64),
    Beyond,
}

/// One range of bytes (RFC 9110); of several, or what is none, all is given.
fn part_of(range: &str, length: u64) -> Asked {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else { return Asked::All };
    let number = |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let (from, to) = match (first.is_empty(), last.is_empty()) {
        (true, _) => match number(last) {
            Some(0) => return Asked::Beyond,
            Some(count) => (length.saturating_sub(count), length),
            None => return Asked::All,
        },
        (false, true) => match number(first) {
            Some(from) => (from, length),
            None => return Asked::All,
        },
        (false, false) => match (number(first), number(last)) {
            (Some(from), Some(last)) if from <= last => (from, last.saturating_add(1).min(length)),
            _ => return Asked::All,
        },
    };
    if from >= length { Asked::Beyond } else { Asked::Part(from, to) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_understood() {
        for (range, asked) in [
            ("bytes=0-9", Asked::Part(0, 10)),
            ("bytes=90-", Asked::Part(90, 100)),
            ("bytes=-10", Asked::Part(90, 100)),
            ("bytes=-1000", Asked::Part(0, 100)),
            ("bytes=50-1000", Asked::Part(50, 100)),
            ("bytes=0-18446744073709551615", Asked::Part(0, 100)),
            ("bytes=100-", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=9-0", Asked::All),
            ("bytes=0-1,5-6", Asked::All),
            ("bytes=+1-2", Asked::All),
            ("lines=0-9", Asked::All),
            ("bytes=-", Asked::All),
            ("", Asked::All),
        ] {
            assert_eq!(part_of(range, 100), asked, "{range}");
        }
        assert_eq!(part_of("bytes=0-0", 0), Asked::Beyond);
    }
}
