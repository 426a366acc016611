//! Connections and routes. A connection that says nothing, or takes nothing of what it asked for, is closed, and there are at most so many
//! of them: beyond, whoever has asked for nothing for longest makes room.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Router};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use runbook_core::limits;
use runbook_engine::certificate::ClientCertificate;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;

use crate::App;
use crate::api;
use crate::door::{self, Door};
use crate::health::Topic;
use crate::hosts;
use crate::lives::Ask;
use crate::metrics::CONTENT_TYPE as CONTENT_TYPE_OF_METRICS;
use crate::pages;
use crate::peer::Peer;
use crate::places::{Places, Work};
use crate::problem::Problem;
use crate::stalled::Stalled;

/// By which whoever asks knows that this version does not have what they ask for.
pub const NOTHING_HERE: &str = "there is nothing at this address";

fn routes(app: Arc<App>, asks: UnboundedSender<Ask>) -> Router {
    let door = Arc::new(Door::new(app.clone()));
    let api = api::open(app.clone(), asks);
    Router::new()
        .route("/events/{source}", post(door::deliver).put(door::deliver).options(door::deliver))
        .with_state(door)
        .merge(
            Router::new()
                .route("/health", get(health))
                .with_state(app.clone())
                .merge(api::routes(api.clone()))
                .merge(pages::routes(api))
                .layer(from_fn_with_state(app, hosts::called)),
        )
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the address takes other methods")
        })
        .fallback(async |request: Request| {
            let (head, _) = request.into_parts();
            pages::or_problem(&head, Problem::new(StatusCode::NOT_FOUND, "not_found", NOTHING_HERE))
        })
}

/// Whoever is not on this machine learns only whether it is well.
async fn health(State(app): State<Arc<App>>, Extension(peer): Extension<Peer>) -> Response<Body> {
    let status = if app.health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut told = app.health.to_json();
    if !peer.is_here
        && let Some(told) = told.as_object_mut()
    {
        told.remove("reasons");
    }
    json(status, &told)
}

pub fn metrics(app: &App) -> Response<Body> {
    match app.intake.backlog(limits::UNJUDGED_EVENTS + 1) {
        Ok(backlog) => {
            let age = backlog.oldest.map_or(0.0, |oldest| app.clock.now().duration_since(oldest).as_secs_f64().max(0.0));
            app.metrics.backlog(backlog.events, age);
        }
        Err(error) => {
            app.is_fatal(&error);
            return Problem::later("not_read", "the events cannot be read; ask again", 5).into_response();
        }
    }
    let mut response = app.metrics.to_text().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_OF_METRICS));
    response
}

pub fn json(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    json_text(status, value.to_string())
}

/// What is JSON already.
pub fn json_text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = (status, text).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// How many connections are open at once: the other half of what the system allows to open is for steps and records.
pub fn connections() -> usize {
    let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let half = allowed.and_then(|allowed| usize::try_from(allowed / 2).ok()).unwrap_or(usize::MAX);
    limits::CONNECTIONS.min(half)
}

/// Serves until the server stops; then what has begun is answered, within a bound.
pub async fn serve(app: Arc<App>, asks: UnboundedSender<Ask>, listener: TcpListener) {
    let routes = routes(app.clone(), asks);
    let graceful = GracefulShutdown::new();
    let places = Places::new(connections(), Duration::ZERO);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits::REQUEST_HEAD_TIME)
        .max_buf_size(limits::REQUEST_HEAD_BYTES)
        .keep_alive(true);
    loop {
        let (accepted, place) = tokio::select! {
            biased;
            () = app.stop.cancelled() => break,
            accepted = async {
                let place = places.enter().await;
                (listener.accept().await, place)
            } => accepted,
        };
        let (stream, address) = match accepted {
            Ok((stream, address)) => (stream, address.ip()),
            Err(error) => {
                // Out of descriptors, most likely: others are closed meanwhile.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                continue;
            }
        };
        // It is idle from now on.
        drop(place.work());
        let _ = stream.set_nodelay(true);
        if !app.proxies.let_in(address) {
            tracing::debug!(%address, "a connection that does not come through a proxy was closed");
            continue;
        }
        let (inner, of, at) = (TowerToHyperService::new(routes.clone()), app.clone(), place.clone());
        let service = move |shown: Option<Arc<ClientCertificate>>| {
            service_fn(move |mut request: hyper::Request<Incoming>| {
                let peer = of.proxies.peer(address, request.headers());
                request.extensions_mut().insert(peer);
                // That of a proxy is not that of whom it serves.
                if let Some(shown) = shown.as_ref().filter(|_| of.proxies.is_direct(address, request.headers())) {
                    request.extensions_mut().insert(shown.clone());
                }
                let (work, answered) = (at.work(), inner.call(request));
                // Until the last of the answer was handed over, it asks for something.
                async move { answered.await.map(|response| response.map(|body| Working { body, _work: work })) }
            })
        };
        let (http, watcher) = (http.clone(), graceful.watcher());
        let tls = app.tls.as_ref().map(|tls| tls.acceptor(&app.health));
        let stream = Stalled::new(stream, limits::STALLED);
        tokio::spawn(async move {
            let ending = async {
                let told = |error: hyper::Error| error.to_string();
                match tls {
                    None => watcher.watch(http.serve_connection(TokioIo::new(stream), service(None))).await.map_err(told),
                    Some(tls) => match tokio::time::timeout(limits::REQUEST_HEAD_TIME, tls.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                            let shown = shown.and_then(|shown| ClientCertificate::read(shown).ok()).map(Arc::new);
                            watcher.watch(http.serve_connection(TokioIo::new(stream), service(shown))).await.map_err(told)
                        }
                        Ok(Err(error)) => Err(error.to_string()),
                        Err(_) => Err("no TLS was begun in time".to_owned()),
                    },
                }
            };
            let ended = tokio::select! {
                ended = ending => ended,
                () = place.must_leave() => Err("it asked for nothing, and made room for others".to_owned()),
            };
            // Whoever breaks off has told us all that they wanted.
            if let Err(error) = ended {
                tracing::debug!(error, "a connection ended");
            }
        });
    }
    drop(listener);
    app.health.trouble(Topic::Stopping, "the server stops");
    if tokio::time::timeout(limits::LAST_ANSWERS, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were under way for too long, and are not answered");
    }
}

/// The body of an answer; as long as it is under way, the connection is at work.
struct Working {
    body: Body,
    _work: Work,
}

impl HttpBody for Working {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
