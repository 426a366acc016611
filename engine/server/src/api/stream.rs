//! The record of a run as it grows, as server-sent events: each has the number of its event as its id, so that a client that lost the
//! connection goes on where it was.
//!
//! Of what a slow reader has not read, a few records are kept: a page is read when the one before has gone out.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures_util::stream::unfold;
use runbook_core::policy::access::{Act, Labels};
use runbook_core::{RunId, limits};
use runbook_engine::journal::{JournalError, Phase, Record};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::{Answer, Api, Call, Caller, caller};
use crate::growth::Follower;
use crate::problem::Problem;

/// Records that are read at once for a stream, and the bytes of them after which the others are left for later.
const PAGE: usize = 16;
const PAGE_BYTES: usize = 16 * 1024;

struct Following {
    api: Arc<Api>,
    run: RunId,
    caller: Caller,
    labels: Arc<Labels>,
    growth: Follower,
    /// The event that comes next.
    next: u64,
    ready: VecDeque<Record>,
    /// When it is looked next whether they still may.
    beat: Instant,
    _place: OwnedSemaphorePermit,
}

pub async fn stream(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let labels = call.labels(&row)?;
    let last: Option<u64> = match call.headers.get("last-event-id").map(|id| id.to_str().map(str::parse)) {
        None => None,
        Some(Ok(Ok(last))) => Some(last),
        Some(_) => return Err(Problem::malformed("`Last-Event-ID` is the number of an event")),
    };
    let next = match (last, call.parsed::<u64>("from")?) {
        (Some(last), _) => last.saturating_add(1),
        (None, from) => from.unwrap_or(1),
    };
    if last.is_some() && next > row.seq && row.summary.phase == Phase::Ended {
        // A client that comes again after each end is told that this one is for good.
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return Ok(Answer::raw(response));
    }
    let place = call.api.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::later("busy", "as many streams are open as fit; ask again", 5))?;
    let following = Following {
        growth: call.app().growth.follow(&row.run),
        run: row.run,
        caller: call.caller.clone(),
        labels,
        next,
        ready: VecDeque::new(),
        beat: Instant::now() + limits::STREAM_BEAT,
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
            let is_beat = Instant::now() >= self.beat;
            if is_beat {
                self.beat = Instant::now() + limits::STREAM_BEAT;
                if !tokio::task::block_in_place(|| caller::still_may(&self.api, &self.caller, Act::View, &self.labels)) {
                    return None;
                }
            }
            if let Some(record) = self.ready.pop_front() {
                self.next = record.seq + 1;
                return Some(format!("id: {}\nevent: {}\ndata: {}\n\n", record.seq, record.kind, record.line()).into());
            }
            let app = &self.api.app;
            let read = tokio::task::block_in_place(|| {
                // Before the records: what ends a run is one of them.
                let has_ended = app.journal.run(&self.run)?.summary.phase == Phase::Ended;
                let records = app.journal.records(&self.run, self.next, PAGE)?;
                let is_over = has_ended && records.is_empty();
                Ok::<_, JournalError>((records, is_over))
            });
            match read {
                Ok((_, true)) => return None,
                Ok((records, false)) if !records.is_empty() => {
                    let mut bytes = 0;
                    let fits = |record: &Record| {
                        let is_first = bytes == 0;
                        bytes += record.line().len();
                        is_first || bytes <= PAGE_BYTES
                    };
                    self.ready = records.into_iter().take_while(fits).collect();
                    continue;
                }
                Ok(_) if is_beat => return Some(Bytes::from_static(b":\n\n")),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(run = %self.run, %error, "a stream ends");
                    return None;
                }
            }
            tokio::select! {
                () = app.stop.cancelled() => return None,
                () = tokio::time::sleep_until(self.beat) => {}
                () = self.growth.grown() => {}
            }
        }
    }
}
