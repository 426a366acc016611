//! `/api/v1`: what people and programs ask of the server, and may.
//!
//! One table of operations ([`table`]) makes the routes, says which [`Act`] each needs, and is the description of the API
//! (`openapi.json`): an operation without its act cannot be written. Here each request passes, in this order: who it is from, how many
//! requests they make, whether some role of theirs opens the operation, whether its parameters are known, and whether it was
//! asked for before. Whether it may be done to one procedure or run is asked where that is known. What changes something, and whatever is
//! refused, is written into the audit log. No `GET` changes anything. Beside the table stands how people log in and out ([`session`]).

mod attempts;
pub(crate) mod bodies;
mod call;
pub mod caller;
pub mod decisions;
pub mod events;
pub mod logs;
pub mod oidc;
pub mod on_call;
mod openapi;
mod origin;
pub mod procedures;
pub mod reports;
pub mod runs;
pub mod session;
mod steer;
mod stream;
pub mod table;

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, get, on};
use axum::{Extension, Router};
use futures_util::StreamExt;
use runbook_core::policy::access::Act;
use runbook_core::{Digest, RunId, limits};
use runbook_engine::access::{Entry, Known, Once};
use runbook_engine::journal::JournalError;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;

use crate::App;
use crate::lives::Ask;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::web;
use table::{Gives, Kind};

pub use call::{Call, form};
pub use caller::Caller;
use caller::{Counter, Refusals};

pub const ROOT: &str = "/api/v1";

/// What stands in an address, by name.
pub type Parts = BTreeMap<String, String>;

/// What a request came to.
pub struct Answer {
    pub response: Response<Body>,
    /// What it was done to, for the audit log.
    pub about: Option<String>,
    /// Kept under the key of the request, where it has one.
    kept: Option<(StatusCode, Value)>,
}

impl Answer {
    pub fn json(value: &Value) -> Answer {
        Answer { response: web::json(StatusCode::OK, value), about: None, kept: None }
    }

    /// A list, and where the next page begins.
    pub fn page(items: Vec<Value>, next: Option<String>) -> Answer {
        Answer::json(&json!({"items": items, "next": next}))
    }

    /// Something was done.
    pub fn done(status: StatusCode, value: Value, about: String) -> Answer {
        Answer { response: web::json(status, &value), about: Some(about), kept: Some((status, value)) }
    }

    pub fn raw(response: Response<Body>) -> Answer {
        Answer { response, about: None, kept: None }
    }
}

pub type Answered = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;

/// One thing that can be asked.
pub struct Operation {
    /// Also what the audit log calls it.
    pub id: &'static str,
    pub method: Method,
    /// Below [`ROOT`].
    pub path: &'static str,
    pub act: Act,
    pub summary: &'static str,
    pub query: &'static [(&'static str, Kind, &'static str)],
    /// The schema of its body.
    pub body: Option<&'static str>,
    pub answer: Gives,
    pub run: fn(Call) -> Answered,
}

/// How an operation is asked for.
pub enum Sent {
    /// By a program, or a script of a page.
    Json(Body),
    /// By a page: what stands in its form is what a program would send, with what a program puts into headers.
    Form { asked: Value, key: Option<String>, proof: Option<String> },
}

/// What all requests to the API share.
pub struct Api {
    pub app: Arc<App>,
    asks: UnboundedSender<Ask>,
    counter: Counter,
    refusals: Refusals,
    /// Requests that read a whole record, or walk a procedure.
    heavy: Semaphore,
    streams: Arc<Semaphore>,
    plans: call::KnownPlans,
    attempts: attempts::Attempts,
    /// Passwords that are tried: each takes memory, and a processor.
    passwords: Arc<Semaphore>,
    /// Log-ins for which a provider is asked.
    elsewhere: Semaphore,
    /// Writes with a key that are under way, by person and key.
    under_way: Mutex<HashSet<(String, String)>>,
}

pub fn open(app: Arc<App>, asks: UnboundedSender<Ask>) -> Arc<Api> {
    Arc::new(Api {
        app,
        asks,
        counter: Counter::default(),
        refusals: Refusals::default(),
        heavy: Semaphore::new(limits::HEAVY_CALLS),
        streams: Arc::new(Semaphore::new(limits::STREAMS.min(web::connections() / 2))),
        plans: call::KnownPlans::default(),
        attempts: attempts::Attempts::default(),
        passwords: Arc::new(Semaphore::new(limits::PASSWORDS_AT_ONCE)),
        elsewhere: Semaphore::new(limits::LOGINS_ASKED),
        under_way: Mutex::default(),
    })
}

pub fn routes(api: Arc<Api>) -> Router {
    let mut router = Router::new().route("/metrics", get(metrics));
    for operation in table::OPERATIONS.iter() {
        let filter = if operation.method == Method::GET { MethodFilter::GET } else { MethodFilter::POST };
        let answer = move |State(api): State<Arc<Api>>, params: Result<RawPathParams, RawPathParamsRejection>, request: Request| async move {
            // What is no text is the name of nothing.
            let parts: Parts = params.iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            done(&api.app.clone(), async move { respond(&api, operation, parts, request).await }).await
        };
        router = router.route(&format!("{ROOT}{}", operation.path), on(filter, answer));
    }
    let of_session = |State(api): State<Arc<Api>>, request: Request| async move {
        done(&api.app.clone(), async move { session::respond(&api, request).await }).await
    };
    router = router.route(&format!("{ROOT}{}", session::PATH), get(of_session).post(of_session).delete(of_session));
    for path in [oidc::BEGINS, oidc::RETURNS] {
        let elsewhere = |State(api): State<Arc<Api>>, request: Request| async move {
            done(&api.app.clone(), async move { oidc::respond(&api, request).await }).await
        };
        router = router.route(&format!("{ROOT}{path}"), get(elsewhere));
    }
    router.with_state(api)
}

/// What has begun is done and written down to its end, also where whoever asked has gone.
pub async fn done(app: &App, responding: impl Future<Output = Response<Body>> + Send + 'static) -> Response<Body> {
    let mut response = app.calls.spawn(responding).await.unwrap_or_else(|_| {
        let detail = "the request could not be answered, and whether it was done is not known; look before you ask again";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", detail).into_response()
    });
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// For whoever is on this machine; from elsewhere it takes a role for all procedures.
async fn metrics(State(api): State<Arc<Api>>, Extension(peer): Extension<Peer>, request: Request) -> Response<Body> {
    if !peer.is_here {
        match caller::recognise(&api, &request.into_parts().0) {
            Ok(caller) if caller.rights.may_everywhere(Act::View) => {}
            Ok(caller) => {
                let detail = format!("this needs a role of `{}` for all procedures", caller.person);
                let problem = Problem::new(StatusCode::FORBIDDEN, "not_allowed", detail);
                let entry = entry(&api, &peer, "metrics").by(&caller.person, &caller.by);
                api.refusals.write_down(&api, entry, &problem).await;
                return problem.into_response();
            }
            Err((problem, whose)) => {
                api.refusals.write_down(&api, caller::named(entry(&api, &peer, "metrics"), whose), &problem).await;
                return problem.into_response();
            }
        }
    }
    tokio::task::block_in_place(|| web::metrics(&api.app))
}

async fn respond(api: &Arc<Api>, operation: &'static Operation, parts: Parts, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let (_, answered) = answer(api, operation, parts, &head, Sent::Json(body)).await;
    answered.map_or_else(IntoResponse::into_response, |answer| answer.response)
}

/// What comes of a request to an operation, and from whom it was, where that was known.
pub async fn answer(
    api: &Arc<Api>,
    operation: &'static Operation,
    parts: Parts,
    head: &request::Parts,
    sent: Sent,
) -> (Option<Caller>, Result<Answer, Problem>) {
    let Some(peer) = head.extensions.get::<Peer>().copied() else {
        return (None, Err(Problem::later("busy", "it is not known where the request comes from", 1)));
    };
    let caller = match caller::recognise(api, head) {
        Ok(caller) => caller,
        Err((problem, whose)) => {
            api.refusals.write_down(api, caller::named(entry(api, &peer, operation.id), whose), &problem).await;
            return (None, Err(problem));
        }
    };
    let changes = operation.method != Method::GET && operation.act != Act::Foresee;
    let answered = async {
        if !api.counter.allows(caller.by.id(), api.app.clock.now()) {
            return Err(Problem::too_many());
        }
        let proof = match &sent {
            Sent::Json(_) => None,
            Sent::Form { proof, .. } => proof.as_deref(),
        };
        caller.asks(api, &operation.method, &head.headers, proof)?;
        if !caller.rights.may_at_all(operation.act) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "not_allowed", format!("no role of `{}` allows this", caller.person)));
        }
        let mut call = Call::new(api.clone(), caller.clone(), parts.clone(), head.uri.query(), head.headers.clone(), operation)?;
        let key = match sent {
            Sent::Json(body) => {
                if operation.body.is_some() {
                    call.body = read(body).await?;
                }
                key(&head.headers)?
            }
            Sent::Form { asked, key, .. } => {
                call.body = asked;
                key
            }
        };
        match key {
            Some(key) if changes => once(api, operation, call, key, head.uri.path()).await,
            _ => (operation.run)(call).await,
        }
    };
    let answered = answered.await;
    let about = answered.as_ref().ok().and_then(|answer| answer.about.clone());
    let entry = Entry {
        about: about.or_else(|| parts.values().next().map(|part| caller::clipped(part))),
        ..entry(api, &peer, operation.id).by(&caller.person, &caller.by)
    };
    match &answered {
        Ok(_) if changes => write_down(api, entry).await,
        Err(problem) if changes || problem.status() == StatusCode::FORBIDDEN => api.refusals.write_down(api, entry, problem).await,
        _ => {}
    }
    (Some(caller), answered)
}

/// What somebody did of whom only the address is known.
fn entry(api: &Api, peer: &Peer, act: &str) -> Entry {
    Entry::new(act, peer.address.to_string(), api.app.clock.now())
}

async fn write_down(api: &Api, entry: Entry) {
    if let Err(error) = api.app.access.audit(entry).await {
        tracing::error!(%error, "the audit log could not be written");
        api.app.is_fatal(&error);
    }
}

/// A JSON object; nothing at all is one without members.
async fn read(body: Body) -> Result<Value, Problem> {
    let whole = whole(body).await?;
    if whole.is_empty() {
        return Ok(json!({}));
    }
    let value: Value =
        serde_json::from_slice(&whole).map_err(|error| Problem::malformed(format!("the body is not JSON: {error}")))?;
    match value.is_object() {
        true => Ok(value),
        false => Err(Problem::malformed("the body is not a JSON object")),
    }
}

/// All of a body, within its bounds of size and time.
pub async fn whole(body: Body) -> Result<Vec<u8>, Problem> {
    let whole = async {
        let mut whole = Vec::new();
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "broken_off", "the body ended before its end"))?;
            if whole.len() + chunk.len() > limits::CALL_BYTES {
                let most = limits::CALL_BYTES / 1024 / 1024;
                let detail = format!("the body is larger than {most} MiB");
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    };
    let too_slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body took too long");
    tokio::time::timeout(limits::REQUEST_BODY_TIME, whole).await.map_err(too_slow)?
}

/// What the request is called by whoever sends it.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    match key.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= limits::REQUEST_KEY_BYTES => Ok(Some(key.to_owned())),
        _ => Err(Problem::malformed(format!("`Idempotency-Key` has 1 to {} plain characters", limits::REQUEST_KEY_BYTES))),
    }
}

/// A write with a key, from when it is looked at until it has come to something.
struct UnderWay<'a> {
    api: &'a Api,
    key: (String, String),
}

impl UnderWay<'_> {
    fn begin<'a>(api: &'a Api, once: &Once) -> Option<UnderWay<'a>> {
        let key = (once.person.clone(), once.key.clone());
        let is_first = api.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        // Made for nobody but the first: where it goes, the key is free again.
        is_first.then(|| UnderWay { api, key })
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.api.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Does what is asked, unless it was done under this key before: then it is answered as it was then.
async fn once(api: &Api, operation: &Operation, mut call: Call, key: String, path: &str) -> Result<Answer, Problem> {
    let asked = json!([operation.id, path, &call.body]);
    let once = Once {
        person: call.caller.person.clone(),
        key,
        request: Digest::of_json(&asked).map_err(|error| Problem::malformed(error.to_string()))?,
        run: (operation.id == table::START).then(|| call.run_id.clone()),
    };
    let Some(_under_way) = UnderWay::begin(api, &once) else {
        let detail = "a request with this `Idempotency-Key` is under way; ask again once it was answered";
        return Err(Problem::new(StatusCode::CONFLICT, "under_way", detail));
    };
    let known = api.app.access.begin(once.clone(), api.app.clock.now()).await.map_err(|error| unread(api, &error))?;
    let is_new = known == Known::New;
    match known {
        Known::New | Known::Begun(None) => {}
        Known::Begun(Some(run)) => {
            call.run_id = run;
            // Whoever was to answer was killed. What was asked may not be allowed any more, and was done all the same.
            if let Some(answer) = runs::begun(&call)? {
                return Ok(answer);
            }
        }
        Known::Done(answer) => return again(&call, operation, &answer),
        Known::Other => {
            let detail = "another request had this `Idempotency-Key`; give each its own";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", detail));
        }
    }
    let answered = (operation.run)(call).await;
    let written = match &answered {
        Ok(Answer { kept: Some((status, body)), about, .. }) => {
            api.app.access.done(&once, json!({"status": status.as_u16(), "body": body, "about": about})).await
        }
        // What was begun before may have been done.
        Err(problem) if is_new && problem.status().is_client_error() => api.app.access.forget(&once).await,
        _ => Ok(()),
    };
    if let Err(error) = written {
        tracing::warn!(%error, "what a request came to could not be kept");
    }
    answered
}

/// The answer of the first time, for whoever still may.
fn again(call: &Call, operation: &Operation, answer: &Value) -> Result<Answer, Problem> {
    let about = answer["about"].as_str().unwrap_or_default();
    if let Ok(run) = about.parse::<RunId>() {
        let row = call.visible(&run)?;
        call.may(operation.act, &*call.labels(&row)?)?;
    }
    let status = answer["status"].as_u64().and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    let status = status.unwrap_or_default();
    let mut response = web::json(status, &answer["body"]);
    if status == StatusCode::CREATED {
        runs::locate(&mut response, about);
    }
    Ok(Answer { response, about: Some(about.to_owned()), kept: None })
}

/// What a store that cannot be read or written means for a request.
fn unread(api: &Api, error: &JournalError) -> Problem {
    match error {
        JournalError::NoRun(run) => Problem::not_found(format!("there is no run `{run}`")),
        JournalError::TooLarge { .. } | JournalError::Unwritable(_) => Problem::not_valid(error.to_string(), Vec::new()),
        JournalError::Compacted(_) => Problem::new(StatusCode::GONE, "compacted", error.to_string()),
        JournalError::Damaged { .. } | JournalError::Newer { .. } | JournalError::NoPlan(_) => {
            tracing::error!(%error, "a record cannot be read");
            Problem::new(StatusCode::CONFLICT, "damaged", error.to_string())
        }
        error => {
            api.app.is_fatal(error);
            tracing::error!(%error, "a request could not be answered");
            Problem::later("store", "the records cannot be read or written now; ask again", 5)
        }
    }
}

/// A run id that nobody has had.
pub fn fresh_run(app: &App) -> RunId {
    runbook_engine::start::draw(&*app.clock).0
}
