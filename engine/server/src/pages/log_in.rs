//! How people log in and out with a browser: with a password, or at the provider of the workspace. A browser that comes from a page of another site
//! brings no cookie along, so it is asked once more, from here, before anybody is asked to log in.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header, request};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::json;

use super::address::escaped;
use super::frame::Frame;
use super::typed::Fields;
use super::{dressed, elsewhere, refused, render};
use crate::api::{self, Api, form, oidc, session};
use crate::peer::Peer;
use crate::problem::Problem;

pub const PATH: &str = "/login";
const ELSEWHERE: &str = "/login/elsewhere";
const OUT: &str = "/logout";

pub fn routes() -> Router<Arc<Api>> {
    let shown = async |State(api): State<Arc<Api>>, request: Request| dressed(show(&api, &request));
    let taken = async |State(api): State<Arc<Api>>, request: Request| {
        dressed(api::done(&api.app.clone(), async move { take(&api, request).await }).await)
    };
    let begun = async |State(api): State<Arc<Api>>, request: Request| {
        dressed(api::done(&api.app.clone(), async move { begin_elsewhere(&api, request).await }).await)
    };
    let ended = async |State(api): State<Arc<Api>>, request: Request| {
        dressed(api::done(&api.app.clone(), async move { end(&api, request).await }).await)
    };
    Router::new().route(PATH, get(shown).post(taken)).route(ELSEWHERE, get(begun)).route(OUT, post(ended))
}

/// Where one logs in to come back to `here`, an address of this server.
pub fn address(here: &str) -> String {
    if here == "/" { PATH.to_owned() } else { format!("{PATH}?to={}", escaped(here)) }
}

/// Where a browser goes after it has logged in: never to another server, whatever an address says.
fn is_ours(to: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>');
    to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/api/") && to.bytes().all(is_plain)
}

/// Where the query of an address says that the browser goes then.
fn wanted(query: Option<&str>) -> String {
    let given = form(query.unwrap_or_default()).unwrap_or_default();
    let to = given.into_iter().find(|(name, _)| name == "to").map(|(_, to)| to);
    to.filter(|to| is_ours(to)).unwrap_or_else(|| "/".to_owned())
}

/// The answer to a browser of nobody that wants to see a page.
pub fn first(head: &request::Parts, problem: &Problem) -> Response<Body> {
    let asked = head.uri.path_and_query().map_or("/", |asked| asked.as_str());
    if comes_from_elsewhere(&head.headers) && is_ours(asked) {
        // The cookie is for what is asked from here: a browser that follows a link of a message brings it only then.
        return led(asked, None);
    }
    let mut to = address(asked);
    if matches!(problem.kind(), "expired" | "revoked") {
        to.push_str(if to.contains('?') { "&ended" } else { "?ended" });
    }
    elsewhere(&to)
}

fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}

/// A page that asks for another page of this server by itself.
fn led(to: &str, told: Option<&str>) -> Response<Body> {
    #[derive(Serialize)]
    struct Led<'a> {
        to: &'a str,
        told: Option<&'a str>,
    }
    render::page("led_back", &Frame::of(None, "One moment", ""), &Led { to, told }).unwrap_or_else(IntoResponse::into_response)
}

#[derive(Serialize)]
struct View {
    to: String,
    person: String,
    /// The session ended before its person wanted it to.
    has_ended: bool,
    /// Where else one logs in.
    elsewhere: Option<String>,
    why: Option<String>,
}

fn view(api: &Api, to: String) -> View {
    let provider = api.app.serving.oidc();
    let elsewhere = provider.map(|_| if to == "/" { ELSEWHERE.to_owned() } else { format!("{ELSEWHERE}?to={}", escaped(&to)) });
    View { to, person: String::new(), has_ended: false, elsewhere, why: None }
}

fn rendered(view: &View, status: StatusCode) -> Response<Body> {
    match render::page("log_in", &Frame::of(None, "Log in", ""), view) {
        Ok(mut response) => {
            *response.status_mut() = status;
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(problem) => problem.into_response(),
    }
}

fn show(api: &Api, request: &Request) -> Response<Body> {
    let query = request.uri().query();
    let has_ended = form(query.unwrap_or_default()).is_ok_and(|given| given.iter().any(|(name, _)| name == "ended"));
    rendered(&View { has_ended, ..view(api, wanted(query)) }, StatusCode::OK)
}

async fn take(api: &Arc<Api>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Some(peer) = head.extensions.get::<Peer>().copied() else {
        return Problem::later("busy", "it is not known where the request comes from", 1).into_response();
    };
    let (mut to, mut person) = ("/".to_owned(), String::new());
    let asked = async {
        let fields = Fields::read(&head, body).await?;
        to = fields.text("to").filter(|to| is_ours(to)).unwrap_or_else(|| "/".to_owned());
        person = fields.text("person").unwrap_or_default();
        Ok(json!({"person": person.trim(), "password": fields.secret("password")}))
    };
    match session::log_in(api, &peer, &head.headers, asked).await {
        Ok(begun) => with_cookies(elsewhere(&to), &begun),
        Err(problem) => {
            let why = match problem.kind() {
                "wrong_credential" => "There is no such person here with this password.".to_owned(),
                _ => problem.detail().to_owned(),
            };
            rendered(&View { person, why: Some(why), ..view(api, to) }, problem.status())
        }
    }
}

fn with_cookies(mut response: Response<Body>, of: &Response<Body>) -> Response<Body> {
    for cookie in of.headers().get_all(header::SET_COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    response
}

async fn begin_elsewhere(api: &Arc<Api>, request: Request) -> Response<Body> {
    let (head, _) = request.into_parts();
    let to = wanted(head.uri.query());
    match oidc::begin_for_page(api, &head, &to).await {
        Ok(response) => response,
        Err(problem) => refused(&head, None, &problem, &[]),
    }
}

/// The answer to a browser that comes back from the provider, where a page began it. It comes from elsewhere, and so asks for its page from here.
pub fn led_back(came_of: Response<Body>, problem: Option<Problem>, to: &str) -> Response<Body> {
    let to = if is_ours(to) { to } else { "/" };
    let mut response = match problem {
        None => led(to, Some("You are logged in.")),
        Some(problem) => {
            let view = View {
                to: to.to_owned(),
                person: String::new(),
                has_ended: false,
                elsewhere: Some(format!("{ELSEWHERE}?to={}", escaped(to))),
                why: Some(problem.detail().to_owned()),
            };
            rendered(&view, problem.status())
        }
    };
    response = with_cookies(response, &came_of);
    dressed(response)
}

async fn end(api: &Arc<Api>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Some(peer) = head.extensions.get::<Peer>().copied() else {
        return Problem::later("busy", "it is not known where the request comes from", 1).into_response();
    };
    let ended = async {
        let fields = Fields::read(&head, body).await?;
        session::log_out(api, &peer, &head, fields.text("csrf").as_deref()).await
    };
    match ended.await {
        Ok(ended) => with_cookies(elsewhere(PATH), &ended),
        // Nobody is logged in any more, which is what was wanted.
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => elsewhere(PATH),
        Err(problem) => refused(&head, None, &problem, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_server() {
        for (query, to) in [
            (None, "/"),
            (Some("to=%2Fruns%2Fx%3Fa%3D1"), "/runs/x?a=1"),
            (Some("to=/runs"), "/runs"),
            (Some("to=//evil.example"), "/"),
            (Some("to=/%5Cevil.example"), "/"),
            (Some("to=https://evil.example"), "/"),
            (Some("to=javascript:alert(1)"), "/"),
            (Some("to=/a%0d%0aSet-Cookie:x"), "/"),
            (Some("to=%2F%09%2Fevil.example"), "/"),
            (Some("to=/api/v1/runs"), "/"),
            (Some("to=%"), "/"),
        ] {
            assert_eq!(wanted(query), to, "{query:?}");
        }
        assert_eq!(address("/"), "/login");
        let there = address("/runs?q=a b&c=ä");
        assert_eq!(wanted(there.split_once('?').map(|(_, query)| query)), "/", "no address has a space");
        let there = address("/runs?q=a%20b&c=1");
        assert_eq!(wanted(there.split_once('?').map(|(_, query)| query)), "/runs?q=a%20b&c=1");
    }
}
