//! What is said to a run that is under way: as `runbook cancel`, `pause`, `resume` and `note` say it.

use axum::http::StatusCode;
use runbook_core::policy::access::Act;
use runbook_core::{RunId, limits};
use runbook_engine::driver::engine;
use runbook_engine::journal::Phase;
use runbook_engine::message::{Answer as Said, Message};
use runbook_engine::session::{self, Session, SessionError};
use serde_json::json;

use super::bodies::{Cancel, Note, Nothing, Reason};
use super::runs::of_session;
use super::{Answer, Call};
use crate::lives::Ask;
use crate::problem::Problem;

/// A text that a person gave, within the bounds of the record.
pub fn bounded(name: &str, text: String) -> Result<String, Problem> {
    match text.len() <= limits::ANSWER_BYTES {
        true => Ok(text),
        false => Err(Problem::not_valid(format!("`{name}` has at most {} bytes", limits::ANSWER_BYTES), Vec::new())),
    }
}

/// Says something to a run, and returns once that is recorded.
pub async fn say(call: &Call, run: &RunId, message: Message) -> Result<Answer, Problem> {
    let app = call.app();
    let said = call.apart(session::deliver(app.journal.clone(), app.clock.clone(), app.owner(), run, message)).await;
    answered(call, run, said.map_err(|error| of_session(call, error))?)
}

fn answered(call: &Call, run: &RunId, said: Said) -> Result<Answer, Problem> {
    match said {
        Said::Accepted { seq } => {
            let _ = call.api.asks.send(Ask::Keep(run.clone()));
            Ok(Answer::done(StatusCode::OK, json!({"run": run, "event": seq}), run.to_string()))
        }
        Said::Refused { why } => Err(Problem::new(StatusCode::CONFLICT, "refused", why)),
    }
}

pub async fn cancel(mut call: Call) -> Result<Answer, Problem> {
    let Cancel { reason, undo } = call.asked()?;
    let row = call.run_for(Act::Steer)?;
    let message = Message::Cancel { by: call.caller.identity(), undo, reason: bounded("reason", reason)? };
    say(&call, &row.run, message).await
}

pub async fn pause(mut call: Call) -> Result<Answer, Problem> {
    let Reason { reason } = call.asked()?;
    let row = call.run_for(Act::Steer)?;
    say(&call, &row.run, Message::Pause { by: call.caller.identity(), reason: bounded("reason", reason)? }).await
}

pub async fn note(mut call: Call) -> Result<Answer, Problem> {
    let Note { text } = call.asked()?;
    if text.trim().is_empty() {
        return Err(Problem::not_valid("a remark says something", Vec::new()));
    }
    let row = call.run_for(Act::Steer)?;
    say(&call, &row.run, Message::Note { by: call.caller.identity(), text: bounded("text", text)? }).await
}

/// What a run that has ended did is taken back, here.
pub async fn undo(mut call: Call) -> Result<Answer, Problem> {
    let Reason { reason } = call.asked()?;
    let row = call.run_for(Act::Steer)?;
    let message = Message::Undo { by: call.caller.identity(), reason: bounded("reason", reason)? };
    let said = call.apart(taken_over(&call, &row.run, message)).await.map_err(|error| of_session(&call, error))?;
    answered(&call, &row.run, said)
}

/// Says something to a run, which then is the server's.
async fn taken_over(call: &Call, run: &RunId, message: Message) -> Result<Said, SessionError> {
    let app = call.app();
    let mut session = Session::open(app.journal.clone(), app.clock.clone(), app.owner(), Vec::new(), run).await?;
    let said = session.receive(message).and_then(|received| {
        if matches!(received.answer, Said::Accepted { .. }) {
            session.adopt(engine())?;
        }
        Ok(received.answer)
    });
    let closed = session.close().await;
    let said = said?;
    closed.map(|()| said)
}

/// The run becomes the server's: it goes on here, whoever had parked it.
pub async fn resume(mut call: Call) -> Result<Answer, Problem> {
    let Nothing {} = call.asked()?;
    let row = call.run_for(Act::Steer)?;
    let said = call.apart(resumed(&call, &row.run)).await.map_err(|error| of_session(&call, error))?;
    answered(&call, &row.run, said)
}

async fn resumed(call: &Call, run: &RunId) -> Result<Said, SessionError> {
    let (app, by) = (call.app(), call.caller.identity());
    let mut session = Session::open(app.journal.clone(), app.clock.clone(), app.owner(), Vec::new(), run).await?;
    let is_parked = app.journal.run(run)?.summary.phase == Phase::Parked;
    let said = if session.run().is_paused() {
        session.receive(Message::Resume { by }).map(|received| received.answer)
    } else if is_parked {
        // The record says who took it up, and then whose it is.
        session.adopt(by).map(|_| Said::Accepted { seq: session.run().seq() })
    } else {
        Ok(Said::Refused { why: "the run is neither paused nor parked".to_owned() })
    };
    let said = said.and_then(|said| {
        if matches!(said, Said::Accepted { .. }) {
            session.adopt(engine())?;
        }
        Ok(said)
    });
    // Whatever came of it, the run is left to whoever takes it up.
    let closed = session.close().await;
    let said = said?;
    closed.map(|()| said)
}
