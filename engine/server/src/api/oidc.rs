//! `/session/oidc`: logging in at a provider of OpenID Connect. The browser goes there with a request of ours and comes back with a code; what
//! ties the two together is a cookie for this browser alone, so nobody is logged in with what somebody else began.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use axum::response::IntoResponse;
use runbook_core::limits;
use runbook_engine::access::{Entry, Kind, Secret};
use runbook_engine::oidc::{OidcError, Provider};
use tokio::sync::SemaphorePermit;

use super::session::{self, BEGIN};
use super::{Api, ROOT, call, caller, entry};
use crate::pages;
use crate::peer::Peer;
use crate::problem::Problem;

pub const BEGINS: &str = "/session/oidc";
pub const RETURNS: &str = "/session/oidc/back";

pub async fn respond(api: &Arc<Api>, request: Request) -> Response<Body> {
    let (head, _) = request.into_parts();
    let Some(peer) = head.extensions.get::<Peer>().copied() else {
        return Problem::later("busy", "it is not known where the request comes from", 1).into_response();
    };
    if head.method != Method::GET {
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the address takes other methods")
            .into_response();
    }
    let Some(provider) = api.app.serving.oidc() else {
        return Problem::not_found("the workspace names no provider at which people log in").into_response();
    };
    if head.uri.path().ends_with(BEGINS) {
        return begin(api, &provider, &head).await.unwrap_or_else(IntoResponse::into_response);
    }
    let mut entry = entry(api, &peer, BEGIN);
    let (mut response, problem) = match finish(api, &provider, &head, &peer, &mut entry).await {
        Ok(response) => (response, None),
        Err(problem) => {
            api.refusals.write_down(api, entry, &problem).await;
            let mut response = problem.clone().into_response();
            set(api, &mut response, "", Duration::ZERO);
            (response, Some(problem))
        }
    };
    let page = caller::cookies(&head.headers).find(|(known, _)| *known == page_cookie(api)).map(|(_, page)| page);
    match page {
        None => response,
        Some(page) => {
            session::set_cookie(api, &mut response, page_cookie(api), "", Duration::ZERO, "Lax");
            pages::led_back(response, problem, &decoded(page))
        }
    }
}

/// The same for a page: the browser comes back to one.
pub async fn begin_for_page(api: &Api, head: &Parts, page: &str) -> Result<Response<Body>, Problem> {
    let provider = api.app.serving.oidc();
    let provider = provider.ok_or_else(|| Problem::not_found("the workspace names no provider at which people log in"))?;
    let mut response = begin(api, &provider, head).await?;
    let page = page.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    session::set_cookie(api, &mut response, page_cookie(api), &page, limits::LOGIN_ELSEWHERE, "Lax");
    Ok(response)
}

/// What keeps, while somebody is elsewhere, to which page they come back.
fn page_cookie(api: &Api) -> &'static str {
    if api.app.is_secure() { "__Host-runbook-page" } else { "runbook-page" }
}

/// A page as its cookie has it: two digits for each byte.
fn decoded(page: &str) -> String {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = page.as_bytes().chunks(2).map(byte).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

async fn begin(api: &Api, provider: &Provider, head: &Parts) -> Result<Response<Body>, Problem> {
    let log_in = Secret::draw(Kind::LogIn);
    let _turn = turn(api).await?;
    let there = provider.begin(&log_in, &back_to(api, &head.headers)?).await.map_err(refused)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let there =
        HeaderValue::try_from(there).map_err(|_| Problem::later("provider", "the provider has an address that is none", 60))?;
    response.headers_mut().insert(header::LOCATION, there);
    set(api, &mut response, &log_in.expose(), limits::LOGIN_ELSEWHERE);
    Ok(response)
}

async fn finish(
    api: &Arc<Api>,
    provider: &Provider,
    head: &Parts,
    peer: &Peer,
    entry: &mut Entry,
) -> Result<Response<Body>, Problem> {
    let name = cookie(api);
    let log_in = caller::cookies(&head.headers).find(|(known, _)| *known == name).and_then(|(_, text)| text.parse::<Secret>().ok());
    let not_begun = || Problem::stranger("no_credential", "no log-in was begun here, or it took too long; begin it anew");
    let log_in = log_in.ok_or_else(not_begun)?;
    let query = call::form(head.uri.query().unwrap_or_default())?;
    let said = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    if !said("state").is_some_and(|state| Provider::is_of(&log_in, state)) {
        return Err(not_begun());
    }
    if let Some(why) = said("error") {
        let why = said("error_description").unwrap_or(why);
        return Err(Problem::stranger("wrong_credential", format!("the provider does not let you in: {}", caller::clipped(why))));
    }
    let code = said("code").ok_or_else(|| Problem::malformed("there is neither a `code` nor an `error`"))?;
    let _turn = turn(api).await?;
    let there = provider.finish(&log_in, code, &back_to(api, &head.headers)?, api.app.clock.now()).await.map_err(refused)?;
    let catalogue = api.app.serving.catalogue();
    let known = catalogue.workspace().map(|workspace| &workspace.known_there).into_iter().flatten();
    let mut people = known.filter(|(name, _)| provider.is_one(name, &there)).map(|(_, person)| person);
    let (Some(person), None) = (people.next(), people.next()) else {
        let detail = format!("nobody of the workspace has `oidc: {}`", caller::clipped(&there));
        return Err(Problem::stranger("wrong_credential", detail));
    };
    entry.detail = Some(format!("at {} as {}", provider.issuer(), caller::clipped(&there)));
    let mut response = session::begun(api, person, peer.address, None, entry).await?;
    set(api, &mut response, "", Duration::ZERO);
    Ok(response)
}

/// Waits until the provider may be asked.
async fn turn(api: &Api) -> Result<SemaphorePermit<'_>, Problem> {
    let turn = tokio::time::timeout(limits::PASSWORD_TURN, api.elsewhere.acquire()).await;
    turn.ok().and_then(Result::ok).ok_or_else(|| Problem::later("busy", "as many people log in as can at once; try again", 2))
}

fn refused(why: OidcError) -> Problem {
    tracing::warn!(%why, "a log-in at the provider failed");
    match why {
        OidcError::Unreachable(_) => Problem::later("provider", why.to_string(), 10),
        OidcError::Refused(_) | OidcError::NotBelieved(_) => Problem::stranger("wrong_credential", why.to_string()),
    }
}

/// Where the browser comes back to, as the provider knows it.
fn back_to(api: &Api, headers: &HeaderMap) -> Result<String, Problem> {
    let scheme = if api.app.is_secure() { "https" } else { "http" };
    let called = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = api
        .app
        .hosts
        .own(called)
        .ok_or_else(|| Problem::malformed("it is not said by which name the server is called (`Host`)"))?;
    Ok(format!("{scheme}://{host}{ROOT}{RETURNS}"))
}

fn cookie(api: &Api) -> &'static str {
    if api.app.is_secure() { "__Host-runbook-login" } else { "runbook-login" }
}

/// `Lax`: the browser comes back from elsewhere with it.
fn set(api: &Api, response: &mut Response<Body>, value: &str, life: Duration) {
    session::set_cookie(api, response, cookie(api), value, life, "Lax");
}
