//! Where events come in. A delivery is answered with 202 once all of it is on the disk, whether or not a trigger is meant by it, and
//! with 503 before anything would be lost. Whether it is authentic its source alone says.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use futures_util::StreamExt;
use runbook_core::limits;
use runbook_engine::event::{self, Delivery, Refusal, Reply, Source};
use runbook_engine::intake::{Accepted, Parcel, Taken};
use runbook_engine::journal::JournalError;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::App;
use crate::fetch::Fetcher;
use crate::places::{Place, Places};
use crate::problem::Problem;
use crate::web;

/// Bytes of a body that one permit stands for.
const GRAIN: usize = 16 * 1024;

pub struct Door {
    app: Arc<App>,
    fetcher: Fetcher,
    /// Deliveries that may be under way; those whose body is still to come are idle.
    deliveries: Arc<Places>,
    /// What their bodies may take in memory, in grains.
    bytes: Arc<Semaphore>,
}

impl Door {
    pub fn new(app: Arc<App>) -> Door {
        let deliveries = Places::new(limits::DELIVERIES_UNDER_WAY, limits::BODY_GRACE);
        let bytes = Arc::new(Semaphore::new(limits::DELIVERIES_BYTES / GRAIN));
        Door { app, fetcher: Fetcher::default(), deliveries, bytes }
    }

    async fn place(&self) -> Result<Arc<Place>, Problem> {
        match self.deliveries.try_enter() {
            Some(place) => Ok(place),
            None if self.deliveries.make_room() => {
                tokio::time::timeout(limits::ROOM_WAIT, self.deliveries.enter()).await.map_err(|_| full())
            }
            None => Err(full()),
        }
    }

    /// Room for one grain of a body.
    async fn room(&self) -> Result<OwnedSemaphorePermit, Problem> {
        if let Ok(room) = self.bytes.clone().try_acquire_owned() {
            return Ok(room);
        }
        if !self.deliveries.make_room() {
            return Err(full());
        }
        let room = tokio::time::timeout(limits::ROOM_WAIT, self.bytes.clone().acquire_owned()).await;
        room.map_err(|_| full())?.map_err(|_| full())
    }
}

fn full() -> Problem {
    Problem::later("busy", "as many deliveries are under way as fit; send it again", 1)
}

/// `POST /events/{source}`.
pub async fn deliver(State(door): State<Arc<Door>>, Path(name): Path<String>, request: Request) -> Response<Body> {
    let taken = take(&door, &name, request).await;
    match taken {
        Ok(response) => response,
        Err(problem) => {
            // A name that nobody declared is the sender's choice.
            let known = door.app.serving.source(&name).map_or("", |_| name.as_str());
            door.app.metrics.delivery(known, problem.kind());
            tracing::info!(source = %name, kind = problem.kind(), "a delivery was not taken");
            problem.into_response()
        }
    }
}

async fn take(door: &Door, name: &str, request: Request) -> Result<Response<Body>, Problem> {
    let app = &door.app;
    let Some(source) = app.serving.source(name) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_source", "the workspace has no source of this name"));
    };
    if !app.health.is_ready() {
        return Err(Problem::later("not_ready", "events are not taken at this moment; send it again", 5));
    }
    let (head, body) = request.into_parts();
    let headers: Vec<(&str, &[u8])> = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let (method, query, received_at) = (head.method.as_str(), head.uri.query(), app.clock.now());
    // For whoever shows by the head alone that they are not the sender, nothing is kept.
    source.glance(&event::Request { method, headers: &headers, body: &[], query, received_at })?;
    let place = door.place().await?;
    let (body, _room) = read(door, &place, body).await?;
    let _work = place.work();
    let received_at = app.clock.now();
    let asked = event::Request { method, headers: &headers, body: &body, query, received_at };
    let fetch = |url: String| async move { door.fetcher.get(name, &url).await };
    let delivery = source.receive_with(&asked, &app.certificates, fetch).await?;
    answer(door, &source, delivery, received_at).await
}

/// The body, and the room that it takes until it is written down.
async fn read(door: &Door, place: &Place, body: Body) -> Result<(Vec<u8>, Vec<OwnedSemaphorePermit>), Problem> {
    let too_large = || Problem::from(Refusal::too_large());
    if axum::body::HttpBody::size_hint(&body).lower() > limits::DELIVERY_BYTES as u64 {
        return Err(too_large());
    }
    let whole = async {
        let (mut whole, mut room) = (Vec::new(), Vec::new());
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let broken_off = |_| Problem::new(StatusCode::BAD_REQUEST, "broken_off", "the body ended before its end");
            let chunk: Bytes = chunk.map_err(broken_off)?;
            if whole.len() + chunk.len() > limits::DELIVERY_BYTES {
                return Err(too_large());
            }
            while room.len() * GRAIN < whole.len() + chunk.len() {
                room.push(door.room().await?);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok((whole, room))
    };
    let too_slow = || Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body took too long");
    tokio::select! {
        read = tokio::time::timeout(limits::REQUEST_BODY_TIME, whole) => read.unwrap_or_else(|_| Err(too_slow())),
        () = place.must_leave() => Err(full()),
    }
}

async fn answer(door: &Door, source: &Source, delivery: Delivery, received: jiff::Timestamp) -> Result<Response<Body>, Problem> {
    let app = &door.app;
    let Delivery { events, left_out, reply, replay, .. } = delivery;
    let unwritten = |error: JournalError| {
        app.is_fatal(&error);
        tracing::error!(%error, "a delivery could not be written down");
        Problem::later("not_written", "the delivery could not be written down; send it again", 5)
    };
    if let (Reply::Confirm { url }, Some(replay)) = (&reply, &replay)
        && app.intake.taken(source.name(), &replay.key, received).map_err(unwritten)?.is_none()
    {
        // Before it is remembered: where this fails, the sender asks again.
        let confirmed = door.fetcher.get(source.name(), url).await;
        confirmed.map_err(|why| {
            tracing::warn!(source = source.name(), why, "a subscription could not be confirmed");
            Problem::later("not_confirmed", "the subscription could not be confirmed; send it again", 30)
        })?;
        tracing::info!(source = source.name(), "a subscription was confirmed");
    }
    let mut numbers = Vec::new();
    let mut is_new = false;
    if !events.is_empty() || replay.is_some() {
        let parcel = Parcel { source: source.name().to_owned(), events, received, replay };
        let taken = app.intake.take(parcel).await.map_err(unwritten)?;
        is_new = matches!(&taken, Taken::Events(_));
        if let Taken::Events(accepted) = &taken {
            let known = accepted.iter().filter(|accepted| matches!(accepted, Accepted::Again(_))).count() as u64;
            app.metrics.events(source.name(), "new", accepted.len() as u64 - known);
            app.metrics.events(source.name(), "again", known);
        }
        app.metrics.delivery(source.name(), if is_new { "taken" } else { "taken_before" });
        numbers = taken.numbers();
    }
    if is_new && !numbers.is_empty() {
        app.arrived.ring();
    }
    if left_out > 0 {
        tracing::warn!(source = source.name(), left_out, "the sender left alerts out of a delivery");
    }
    tracing::debug!(source = source.name(), events = numbers.len(), is_new, "a delivery was taken");
    let told = if left_out > 0 { json!({"events": numbers, "left_out": left_out}) } else { json!({"events": numbers}) };
    Ok(match reply {
        Reply::Accepted => web::json(StatusCode::ACCEPTED, &told),
        Reply::Pong | Reply::Confirm { .. } => web::json(StatusCode::OK, &told),
        Reply::Headers(headers) => {
            let mut response = StatusCode::OK.into_response();
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                    response.headers_mut().append(name, value);
                }
            }
            response
        }
    })
}
