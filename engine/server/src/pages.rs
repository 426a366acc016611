//! The pages: what people see and do with a browser. Each is made on the server from what the API offers, asked for as the API is asked
//! ([`api::answer`]): the same people, roles, bounds and audit log. A form is turned into the request that a program would send.
//!
//! A page works without scripts; with the one that comes along it stays true to what happens. No `GET` changes anything, every text from the world is
//! escaped ([`render`]), and a policy lets a browser run and load nothing but the two files of [`assets`].

mod address;
mod assets;
mod compare;
mod decision;
mod events;
mod flow;
mod frame;
mod health;
mod log;
mod log_in;
mod on_call;
mod problems;
mod procedures;
mod render;
mod run;
mod runs;
mod server;
mod timeline;
mod typed;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode, header, request};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use runbook_core::policy::access::Act;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::table::{Gives, Kind, OPERATIONS, START};
use crate::api::{self, Answer, Answered, Api, Call, Caller, Operation, Parts, Sent};
use crate::problem::Problem;

pub use log_in::led_back;

/// A page that is looked at.
const fn page(
    id: &'static str,
    path: &'static str,
    act: Act,
    query: &'static [(&'static str, Kind, &'static str)],
    run: fn(Call) -> Answered,
) -> Operation {
    made(Method::GET, id, path, act, query, run)
}

/// A page that is made of what stands in a form.
const fn page_of_form(id: &'static str, path: &'static str, act: Act, run: fn(Call) -> Answered) -> Operation {
    made(Method::POST, id, path, act, &[], run)
}

const fn made(
    method: Method,
    id: &'static str,
    path: &'static str,
    act: Act,
    query: &'static [(&'static str, Kind, &'static str)],
    run: fn(Call) -> Answered,
) -> Operation {
    Operation { id, method, path, act, summary: "", query, body: None, answer: Gives::Bytes, run }
}

static PAGES: [Operation; 20] = [
    page("page_waiting", "/", Act::View, &[], |call| Box::pin(waiting::show(call))),
    page(
        "page_runs",
        runs::PATH,
        Act::View,
        &[
            ("before", Kind::RunId, ""),
            ("procedure", Kind::Procedure, ""),
            ("environment", Kind::Text, ""),
            ("requested_by", Kind::Text, ""),
            ("phase", Kind::Phase, ""),
            ("open", Kind::Boolean, ""),
            ("like", Kind::Text, ""),
        ],
        |call| Box::pin(runs::show(call)),
    ),
    page("page_run", "/runs/{run}", Act::View, &[("from", Kind::Whole, "")], |call| Box::pin(run::show(call))),
    page("page_timeline", "/runs/{run}/timeline", Act::View, &[("from", Kind::Whole, "")], |call| Box::pin(timeline::show(call))),
    page("page_compare", "/runs/{run}/compare", Act::View, &[("with", Kind::RunId, "")], |call| Box::pin(compare::show(call))),
    page("page_flow", "/runs/{run}/flow", Act::View, &[], |call| Box::pin(flow::show(call))),
    page("page_proof", "/runs/{run}/proof", Act::View, &[("logs", Kind::Boolean, "")], |call| Box::pin(run::proof(call))),
    page(
        "page_log",
        "/runs/{run}/log",
        Act::View,
        &[
            ("step", Kind::Step, ""),
            ("attempt", Kind::Whole, ""),
            ("from", Kind::Whole, ""),
            ("at", Kind::Whole, ""),
            ("end", Kind::Boolean, ""),
            ("text", Kind::Text, ""),
            ("search_from", Kind::Whole, ""),
        ],
        |call| Box::pin(log::show(call)),
    ),
    page("page_decision", "/runs/{run}/decisions/{decision}", Act::View, &[], |call| Box::pin(decision::show(call))),
    page("page_procedures", procedures::PATH, Act::View, &[("after", Kind::Text, "")], |call| Box::pin(procedures::list(call))),
    page("page_procedure", "/procedures/{procedure}", Act::View, &[], |call| Box::pin(procedures::one(call))),
    page("page_health", "/procedures/{procedure}/health", Act::View, &[], |call| Box::pin(health::show(call))),
    page_of_form("page_dry_run", "/procedures/{procedure}/dry-run", Act::Foresee, |call| Box::pin(procedures::foresee(call))),
    page(
        "page_events",
        events::PATH,
        Act::View,
        &[
            ("before", Kind::Whole, ""),
            ("source", Kind::Text, ""),
            ("procedure", Kind::Procedure, ""),
            ("decision", Kind::Word, ""),
            ("run", Kind::RunId, ""),
        ],
        |call| Box::pin(events::list(call)),
    ),
    // Below `/events` senders deliver.
    page("page_event", "/event/{event}", Act::View, &[], |call| Box::pin(events::one(call))),
    page("page_problems", problems::PATH, Act::View, &[], |call| Box::pin(problems::show(call))),
    page("page_schedule", events::SCHEDULE, Act::View, &[], |call| Box::pin(events::schedule(call))),
    page("page_on_call", on_call::PATH, Act::View, &[], |call| Box::pin(on_call::show(call))),
    page("page_audit", server::AUDIT, Act::Audit, &[("before", Kind::Whole, "")], |call| Box::pin(server::audit(call))),
    page("page_server", server::PATH, Act::View, &[], |call| Box::pin(server::show(call))),
];

/// A form of a page, and the operation that it asks for.
struct Form {
    path: &'static str,
    /// What a program would ask for.
    operation: &'static str,
    /// What stands in it, as a program would send it.
    asked: fn(&typed::Fields) -> Result<Value, Problem>,
    then: Then,
    /// The page that it stands on, which is shown again where it is not done.
    page: Option<&'static str>,
}

/// What a browser shows once what a form asks for is done.
enum Then {
    /// The page that the form stands on.
    Page,
    /// That of the run that was started.
    Started,
    /// The answer itself.
    Answer,
}

impl Form {
    fn on(&self) -> Option<&'static Operation> {
        PAGES.iter().find(|page| Some(page.id) == self.page)
    }
}

/// An address with what stands in its places.
fn filled(path: &str, parts: &Parts) -> String {
    parts.iter().fold(path.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), &address::escaped(value)))
}

static FORMS: [Form; 9] = [
    Form {
        path: "/runs/{run}/decisions/{decision}",
        operation: "decide",
        asked: decision::asked,
        then: Then::Page,
        page: Some("page_decision"),
    },
    Form {
        path: "/runs/{run}/decisions/{decision}/acknowledgement",
        operation: "acknowledge",
        asked: decision::acknowledgement,
        then: Then::Page,
        page: Some("page_decision"),
    },
    Form {
        path: "/procedures/{procedure}/dry-run",
        operation: "page_dry_run",
        asked: procedures::wanted,
        then: Then::Answer,
        page: Some("page_procedure"),
    },
    Form { path: runs::PATH, operation: START, asked: procedures::start, then: Then::Started, page: None },
    of_run("/runs/{run}/cancel", "cancel", run::cancel),
    of_run("/runs/{run}/pause", "pause", run::reason),
    of_run("/runs/{run}/resume", "resume", run::resume),
    of_run("/runs/{run}/undo", "undo", run::reason),
    of_run("/runs/{run}/notes", "note", run::note),
];

/// What is said to a run on its page.
const fn of_run(path: &'static str, operation: &'static str, asked: fn(&typed::Fields) -> Result<Value, Problem>) -> Form {
    Form { path, operation, asked, then: Then::Page, page: Some("page_run") }
}

pub fn routes(api: Arc<Api>) -> Router {
    let mut router = Router::new();
    let collected = |params: Result<RawPathParams, RawPathParamsRejection>| -> Parts {
        params.iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    for page in PAGES.iter().filter(|page| page.method == Method::GET) {
        let shown = move |State(api): State<Arc<Api>>, params: Result<RawPathParams, RawPathParamsRejection>, request: Request| async move {
            let parts = collected(params);
            dressed(api::done(&api.app.clone(), async move { show(&api, page, parts, request).await }).await)
        };
        router = router.route(page.path, get(shown));
    }
    for form in &FORMS {
        let taken = move |State(api): State<Arc<Api>>, params: Result<RawPathParams, RawPathParamsRejection>, request: Request| async move {
            let parts = collected(params);
            dressed(api::done(&api.app.clone(), async move { take(&api, form, parts, request).await }).await)
        };
        router = router.route(form.path, post(taken));
        // Whoever comes back to the address of a form, by a log-in or by loading again, looks at its page.
        if let Some(page) = form.on().filter(|page| page.path != form.path) {
            let looked = move |params: Result<RawPathParams, RawPathParamsRejection>| async move {
                elsewhere(&filled(page.path, &collected(params)))
            };
            router = router.route(form.path, get(looked));
        }
    }
    router.merge(log_in::routes()).with_state(api).merge(assets::routes())
}

/// What a browser is told of each page: that nothing runs and nothing is loaded but our own two files, and that no page of others holds it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

fn dressed(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Forms say where they come from to this server, and links to nobody else.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

async fn show(api: &Arc<Api>, page: &'static Operation, parts: Parts, request: Request) -> Response<Body> {
    let (head, _) = request.into_parts();
    if let Some(address) = address::without_empty(head.uri.path(), head.uri.query().unwrap_or_default()) {
        return elsewhere(&address);
    }
    let (caller, answered) = api::answer(api, page, parts, &head, Sent::Json(Body::empty())).await;
    match answered {
        Ok(answer) => answer.response,
        Err(problem) => refused(&head, caller.as_ref(), &problem, &[]),
    }
}

/// Does what a form asks for, and sends the browser on, so that going back or loading again asks for nothing. Where it is not done, the page is
/// shown with what is wrong and all that was typed.
async fn take(api: &Arc<Api>, form: &'static Form, parts: Parts, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let fields = match typed::Fields::read(&head, body).await {
        Ok(fields) => fields,
        Err(problem) => return refused(&head, None, &problem, &[]),
    };
    let operation = OPERATIONS.iter().chain(&PAGES).find(|operation| operation.id == form.operation);
    let asked = operation.ok_or_else(|| Problem::not_found("there is nothing at this address"));
    let (caller, answered) = match asked.and_then(|operation| Ok((operation, (form.asked)(&fields)?))) {
        Ok((operation, asked)) => ask(api, operation, &parts, &head, &asked, &fields).await,
        Err(problem) => (None, Err(problem)),
    };
    let problem = match (answered, &form.then) {
        (Ok(answer), Then::Answer) => return answer.response,
        (Ok(answer), Then::Started) => return elsewhere(&format!("/runs/{}", answer.about.as_deref().unwrap_or_default())),
        (Ok(_), Then::Page) => return elsewhere(&form.on().map(|page| filled(page.path, &parts)).unwrap_or_default()),
        (Err(problem), _) => problem,
    };
    if let (Some(page), Some(_), true) = (form.on(), &caller, problem.kind() != "not_found") {
        let (why, faults) = (problem.detail().to_owned(), problem.faults().to_vec());
        let refused = Refused { why, faults, fields: fields.clone(), here: filled(page.path, &parts) };
        let sent = Sent::Form { asked: json!(refused), key: None, proof: None };
        let mut looking = head.clone();
        looking.method = Method::GET;
        if let (_, Ok(answer)) = api::answer(api, page, parts, &looking, sent).await {
            let mut response = answer.response;
            *response.status_mut() = problem.status();
            return response;
        }
    }
    refused(&head, caller.as_ref(), &problem, &fields.written())
}

/// Asks as a program would. Where the same is under way, because somebody has clicked twice, its end is waited for.
async fn ask(
    api: &Arc<Api>,
    operation: &'static Operation,
    parts: &Parts,
    head: &request::Parts,
    asked: &Value,
    fields: &typed::Fields,
) -> (Option<Caller>, Result<Answer, Problem>) {
    let key = fields.text("key");
    let until = Instant::now() + CLICKED_TWICE;
    loop {
        let sent = Sent::Form { asked: asked.clone(), key: key.clone(), proof: fields.text("csrf") };
        let (caller, answered) = api::answer(api, operation, parts.clone(), head, sent).await;
        match &answered {
            Err(problem) if problem.kind() == "under_way" && key.is_some() && Instant::now() < until => {
                tokio::time::sleep(CLICKED_TWICE / 40).await;
            }
            _ => return (caller, answered),
        }
    }
}

/// How long the second click waits for what the first one does.
const CLICKED_TWICE: Duration = Duration::from_secs(4);

/// What was asked on a page and not done, shown when the page is shown again.
#[derive(Clone, Debug, Default, Serialize, serde::Deserialize)]
struct Refused {
    why: String,
    faults: Vec<String>,
    fields: typed::Fields,
    /// The address of the page, which is not that of the form.
    here: String,
}

impl Refused {
    /// Nothing, where the page is only looked at.
    fn of(call: &Call) -> Option<Refused> {
        serde_json::from_value(call.body.clone()).ok()
    }
}

/// A problem of no page: as one for whoever wants pages, and as a document for all others.
pub fn or_problem(head: &request::Parts, problem: Problem) -> Response<Body> {
    let wants_page =
        head.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"));
    if wants_page { dressed(refused(head, None, &problem, &[])) } else { problem.into_response() }
}

/// Sends the browser to another page, which it then looks at.
fn elsewhere(to: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(to) = HeaderValue::try_from(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

/// The page of a problem. Whoever is nobody here yet is asked to log in, and comes back; what they had written is shown, so that it is not lost.
fn refused(head: &request::Parts, caller: Option<&Caller>, problem: &Problem, written: &[(String, String)]) -> Response<Body> {
    if problem.status() == StatusCode::UNAUTHORIZED && head.method == Method::GET {
        return log_in::first(head, problem);
    }
    #[derive(Serialize)]
    struct Told<'a> {
        title: &'a str,
        why: &'a str,
        faults: &'a [String],
        /// Where to log in again.
        log_in: Option<String>,
        written: &'a [(String, String)],
        /// The page that it happened on.
        here: &'a str,
    }
    let here = head.uri.path();
    let told = Told {
        title: match problem.status() {
            StatusCode::UNAUTHORIZED => "Your session has ended",
            StatusCode::FORBIDDEN => "You may not do this",
            StatusCode::NOT_FOUND => "There is nothing here",
            StatusCode::CONFLICT => "This was not done",
            status if status.is_server_error() => "This does not work now",
            _ => "This cannot be done so",
        },
        why: problem.detail(),
        faults: problem.faults(),
        log_in: (problem.status() == StatusCode::UNAUTHORIZED).then(|| log_in::address(here)),
        written,
        here,
    };
    let frame = frame::Frame::of(caller, told.title, "");
    match render::page("problem", &frame, &told) {
        Ok(mut response) => {
            *response.status_mut() = problem.status();
            let retry = problem.clone().into_response().headers().get(header::RETRY_AFTER).cloned();
            response.headers_mut().extend(retry.map(|seconds| (header::RETRY_AFTER, seconds)));
            response
        }
        Err(problem) => problem.into_response(),
    }
}
