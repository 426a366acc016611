//! The record of a run as it grows, as server-sent events: each has the number of its event as its id, so that a client that lost the
//! connection goes on where it was.
//!
//! Nothing is kept for a slow reader: a page is read when the one before has gone out.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use futures_util::stream::unfold;
use runbook_core::{RunId, limits};
use runbook_engine::journal::{JournalError, Phase, Record};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{Answer, Api, Call};
use crate::problem::Problem;

/// Records that are read at once for a stream.
const PAGE: usize = 100;

struct Following {
    api: Arc<Api>,
    run: RunId,
    token: String,
    grown: Receiver<RunId>,
    /// The event that comes next.
    next: u64,
    ready: VecDeque<Record>,
    has_ended: bool,
    _place: OwnedSemaphorePermit,
}

pub async fn stream(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let last: Option<u64> = match call.headers.get("last-event-id").map(|id| id.to_str().map(str::parse)) {
        None => None,
        Some(Ok(Ok(last))) => Some(last),
        Some(_) => return Err(Problem::malformed("`Last-Event-ID` is the number of an event")),
    };
    let next = match (last, call.parsed::<u64>("from")?) {
        (Some(last), _) => last.saturating_add(1),
        (None, from) => from.unwrap_or(1),
    };
    let place = call.api.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::later("busy", "as many streams are open as fit; ask again", 5))?;
    let following = Following {
        grown: call.app().grown.subscribe(),
        run: row.run,
        token: call.caller.token.clone(),
        next,
        ready: VecDeque::new(),
        has_ended: false,
        _place: place,
        api: call.api,
    };
    let mut response = Response::new(Body::from_stream(unfold(following, |mut following| async move {
        let told = following.told().await?;
        Some((Ok::<Bytes, JournalError>(told), following))
    })));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(Answer::raw(response))
}

impl Following {
    /// What is sent next; `None` at the end.
    async fn told(&mut self) -> Option<Bytes> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                self.next = record.seq + 1;
                self.has_ended |= record.kind == "run_finished";
                return Some(format!("id: {}\nevent: {}\ndata: {}\n\n", record.seq, record.kind, record.line()).into());
            }
            let app = &self.api.app;
            let read = tokio::task::block_in_place(|| {
                let records = app.journal.records(&self.run, self.next, PAGE)?;
                let is_over = records.is_empty() && app.journal.run(&self.run)?.summary.phase == Phase::Ended;
                Ok::<_, JournalError>((records, is_over))
            });
            match read {
                Ok((_, true)) => return None,
                Ok((records, false)) if !records.is_empty() => {
                    self.ready = records.into();
                    continue;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(run = %self.run, %error, "a stream ends");
                    return None;
                }
            }
            tokio::select! {
                () = app.stop.cancelled() => return None,
                () = tokio::time::sleep(limits::STREAM_BEAT) => {
                    let is_valid = tokio::task::block_in_place(|| app.access.is_valid(&self.token, app.clock.now()));
                    return is_valid.is_ok_and(|is_valid| is_valid).then(|| Bytes::from_static(b":\n\n"));
                }
                () = Self::has_grown(&mut self.grown, &self.run) => {}
            }
        }
    }

    /// Returns once something may have been added to the record.
    async fn has_grown(grown: &mut Receiver<RunId>, run: &RunId) {
        loop {
            match grown.recv().await {
                Ok(grown) if grown == *run => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                // The server ends.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
