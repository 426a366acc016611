//! `/session`: how people log in, who they are, and how they log out. It stands beside the table of operations, since before a log-in
//! nobody is anybody.
//!
//! Of a log-in nobody learns whether there is such a person: the same is said, after the same time, for one who is not there, one who has
//! no account, and a wrong password. Whatever comes of it is in the audit log.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request};
use axum::response::IntoResponse;
use runbook_core::limits;
use runbook_core::policy::access::{Act, Scope};
use runbook_engine::access::{Credential, Entry, Hashed, Kind, Password, Secret, Session};
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::Caller;
use super::{Api, caller, entry, origin, read, unread};
use crate::peer::Peer;
use crate::problem::Problem;
use crate::web;

pub const PATH: &str = "/session";

/// What the audit log calls what is done here.
pub const BEGIN: &str = "session_begin";
const WHO: &str = "session";
const END: &str = "session_end";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    person: String,
    password: String,
}

pub async fn respond(api: &Arc<Api>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Some(peer) = head.extensions.get::<Peer>().copied() else {
        return Problem::later("busy", "it is not known where the request comes from", 1).into_response();
    };
    if head.uri.query().is_some_and(|query| !query.is_empty()) {
        return Problem::malformed("there are no parameters").into_response();
    }
    if head.method == Method::POST {
        return log_in(api, &peer, &head.headers, read(body)).await.unwrap_or_else(IntoResponse::into_response);
    }
    if head.method == Method::DELETE {
        return log_out(api, &peer, &head, None).await.unwrap_or_else(IntoResponse::into_response);
    }
    let caller = match caller::recognise(api, &head) {
        Ok(caller) => caller,
        Err((problem, whose)) => {
            api.refusals.write_down(api, caller::named(entry(api, &peer, WHO), whose), &problem).await;
            return problem.into_response();
        }
    };
    if !api.counter.allows(caller.by.id(), api.app.clock.now()) {
        return Problem::too_many().into_response();
    }
    web::json(StatusCode::OK, &told(&caller))
}

/// Lets in whoever shows their password; the answer sets the cookie.
pub async fn log_in(
    api: &Arc<Api>,
    peer: &Peer,
    headers: &HeaderMap,
    asked: impl Future<Output = Result<Value, Problem>>,
) -> Result<Response<Body>, Problem> {
    let mut entry = entry(api, peer, BEGIN);
    let began = async {
        origin::not_elsewhere(&api.app, headers)?;
        // What is wrong with it is not repeated: it may be the password.
        serde_json::from_value::<Shown>(asked.await?)
            .map_err(|_| Problem::malformed("the body has `person` and `password`, two texts"))
    };
    let begun = async {
        let shown = began.await?;
        // Nobody else is named: some people type their password first.
        entry.about = Some(shown.person.clone()).filter(|person| is_known(api, person));
        begin(api, peer.address, shown, &entry).await
    };
    let begun = begun.await;
    if let Err(problem) = &begun {
        api.refusals.write_down(api, entry, problem).await;
    }
    begun
}

/// Ends the session of whoever asks; `proof` is what a form shows.
pub async fn log_out(api: &Arc<Api>, peer: &Peer, head: &request::Parts, proof: Option<&str>) -> Result<Response<Body>, Problem> {
    let entry = entry(api, peer, END);
    let caller = match caller::recognise(api, head) {
        Ok(caller) => caller,
        Err((problem, whose)) => {
            api.refusals.write_down(api, caller::named(entry, whose), &problem).await;
            return Err(problem);
        }
    };
    let entry = entry.by(&caller.person, &caller.by);
    let ended = async {
        if !api.counter.allows(caller.by.id(), api.app.clock.now()) {
            return Err(Problem::too_many());
        }
        caller.asks(api, &Method::DELETE, &head.headers, proof)?;
        end(api, &caller, entry.clone()).await
    };
    let ended = ended.await;
    if let Err(problem) = &ended {
        api.refusals.write_down(api, entry, problem).await;
    }
    ended
}

/// Whose request it is, and what their pages show where they write.
fn told(caller: &Caller) -> Value {
    let session = caller.session.as_ref().map(|(session, _)| session);
    json!({
        "person": caller.person,
        "token": match &caller.by { Credential::Token(id) => Some(id), _ => None },
        "certificate": caller.certificate.as_ref().map(|certificate| &certificate.digest),
        "session": session.map(|session| &session.id),
        "ends_at": session.map(Session::ends_at),
        "expires_at": session.map(|session| session.expires_at),
        "csrf_token": caller.session.as_ref().map(|(_, secret)| secret.proof()),
        "may": Act::ALL.into_iter().filter(|act| caller.rights.may_at_all(*act)).map(Act::name).collect::<Vec<_>>(),
    })
}

/// Whether the workspace has this person.
fn is_known(api: &Api, person: &str) -> bool {
    api.app.serving.catalogue().workspace().is_some_and(|workspace| workspace.people.people.contains_key(person))
}

/// Logs somebody in.
async fn begin(api: &Arc<Api>, address: IpAddr, shown: Shown, entry: &Entry) -> Result<Response<Body>, Problem> {
    let app = &api.app;
    let Shown { person, password } = shown;
    let password = Password::shown(password.into_bytes());
    let counted = if person.len() <= limits::ID_BYTES { person.as_str() } else { "" };
    let attempt = api.attempts.begin(counted, address, app.clock.now()).map_err(|wait| {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        Problem::wait(format!("too many log-ins have failed; wait {seconds} s"), seconds)
    })?;
    let turn = tokio::time::timeout(limits::PASSWORD_TURN, api.passwords.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        attempt.not_made();
        return Err(Problem::later("busy", "as many people log in as can at once; try again", 2));
    };
    let kept = tokio::task::block_in_place(|| app.access.password_of(&person)).map_err(|error| unread(api, &error))?;
    let kept = kept.filter(|_| is_known(api, &person));
    let looked_at = kept.clone().unwrap_or_else(Hashed::of_nobody);
    let tried = tokio::task::spawn_blocking(move || {
        let is_right = looked_at.is_of(&password);
        drop(turn);
        is_right
    });
    let is_right = tried.await.unwrap_or(false);
    let kept = kept.filter(|_| is_right).ok_or_else(wrong)?;
    let entry = Entry { detail: Some("by password".to_owned()), ..entry.clone() };
    let response = begun(api, &person, address, Some(kept), &entry).await?;
    attempt.succeeded();
    Ok(response)
}

/// Begins a session of somebody who has shown who they are: with a password of which this is kept, or elsewhere.
pub async fn begun(
    api: &Api,
    person: &str,
    address: IpAddr,
    shown: Option<Hashed>,
    entry: &Entry,
) -> Result<Response<Body>, Problem> {
    let (app, now) = (&api.app, api.app.clock.now());
    let secret = Secret::draw(Kind::Session);
    let session = Session::begin(&secret, person, address.to_string(), now);
    let by = Credential::Session(session.id.clone());
    let entry = Entry { at: now, about: Some(session.id.clone()), ..entry.clone() };
    let begun = app.access.begin_session(session.clone(), &secret, shown, entry.by(person, &by)).await;
    if !begun.map_err(|error| unread(api, &error))? {
        // The password was changed in this moment.
        return Err(wrong());
    }
    let (person, rights) = (person.to_owned(), caller::rights(api, person, &Scope::default()));
    let caller = Caller { person, by, session: Some((session, secret.clone())), certificate: None, rights };
    let mut response = web::json(StatusCode::OK, &told(&caller));
    set_cookie(api, &mut response, api.app.cookie(), &secret.expose(), limits::SESSION_LIFE, "Strict");
    Ok(response)
}

fn wrong() -> Problem {
    Problem::stranger("wrong_credential", "there is no such person here with this password")
}

/// Logs somebody out.
async fn end(api: &Api, caller: &Caller, entry: Entry) -> Result<Response<Body>, Problem> {
    let Some((session, _)) = &caller.session else {
        let detail = "there is no session: whoever runs the server revokes a token, and the workspace says whose a certificate is";
        return Err(Problem::new(StatusCode::CONFLICT, "refused", detail));
    };
    api.app.access.end_session(&session.id, entry).await.map_err(|error| unread(api, &error))?;
    let mut response = web::json(StatusCode::OK, &json!({"person": caller.person, "session": session.id}));
    set_cookie(api, &mut response, api.app.cookie(), "", Duration::ZERO, "Strict");
    Ok(response)
}

/// For no script, and sent along from pages elsewhere as `same_site` says.
pub fn set_cookie(api: &Api, response: &mut Response<Body>, name: &str, value: &str, life: Duration, same_site: &str) {
    let secure = if api.app.is_secure() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite={same_site}{secure}", life.as_secs());
    if let Ok(mut value) = HeaderValue::try_from(text) {
        value.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// OpenAPI 3.1.
pub fn described() -> Value {
    let is = |schema: &str| json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}});
    let operation = |id: &str, summary: &str, parameters: Value, gives: &str| {
        json!({
            "operationId": id, "summary": summary, "parameters": parameters,
            "responses": {"200": {"description": summary, "content": is(gives)}, "default": super::openapi::problem()},
        })
    };
    let mut begin =
        operation(BEGIN, "Log in: the answer sets a cookie, with which the browser asks from then on", json!([]), "Session");
    begin["requestBody"] = json!({"required": true, "content": is("LogIn")});
    begin["security"] = json!([]);
    let end = operation(END, "Log out", json!([super::openapi::csrf_token()]), "LoggedOut");
    json!({"get": operation(WHO, "Who asks, and what they may", json!([]), "Session"), "post": begin, "delete": end})
}
