//! Who a request is from: whoever shows a token, has the cookie of a session, or came with a certificate. A browser sends a cookie whoever's page asks it to, so
//! what writes with one also shows what only a page of this server can know ([`super::origin`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use jiff::Timestamp;
use runbook_core::document::Workspace;
use runbook_core::policy::access::{Act, Labels, Rights, Scope};
use runbook_core::run::event::Identity;
use runbook_core::{Digest, limits};
use runbook_engine::access::{Credential, Entry, Secret, Session, Unrecognised};
use runbook_engine::certificate::ClientCertificate;
use runbook_engine::journal::JournalError;

use super::{Api, origin, unread};
use crate::problem::Problem;

/// Whoever asks.
#[derive(Clone, Debug)]
pub struct Caller {
    pub person: String,
    pub by: Credential,
    /// Where it is a session: as it is kept, with its secret.
    pub session: Option<(Session, Secret)>,
    /// Where it is a certificate.
    pub certificate: Option<Arc<ClientCertificate>>,
    pub rights: Rights,
}

impl Caller {
    /// As the record names them.
    pub fn identity(&self) -> Identity {
        Identity { person: self.person.clone(), means: self.by.means() }
    }

    /// Whether they ask for it themselves, and not the page of another site by means of their browser. `proof` is what a form shows, which
    /// has no headers of its own.
    pub fn asks(&self, api: &Api, method: &Method, headers: &HeaderMap, proof: Option<&str>) -> Result<(), Problem> {
        match (&self.session, &self.certificate) {
            _ if method.is_safe() => Ok(()),
            (Some((_, secret)), _) => origin::written_by(&api.app, secret, headers, proof),
            // A browser shows it as it sends a cookie, and then says where from.
            (None, Some(_)) => origin::not_elsewhere(&api.app, headers),
            (None, None) => Ok(()),
        }
    }
}

/// Why somebody is not let in, and who they rightly showed themselves to be.
pub type Refused = (Problem, Option<Box<(String, Credential)>>);

/// A token goes before a cookie, and that before a certificate: a browser sends them without being asked.
pub fn recognise(api: &Api, head: &Parts) -> Result<Caller, Refused> {
    let headers = &head.headers;
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let (shown, more) = (shown.next(), shown.next());
    let Some(shown) = shown else {
        return by_cookie(api, headers).unwrap_or_else(|| by_certificate(api, head.extensions.get::<Arc<ClientCertificate>>()));
    };
    let text = shown.to_str().ok().filter(|_| more.is_none()).and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    });
    let wrong = || -> Refused { (Problem::stranger("wrong_credential", "the token is not one of this server"), None) };
    let secret: Secret = text.and_then(|text| text.trim().parse().ok()).ok_or_else(wrong)?;
    let known = tokio::task::block_in_place(|| api.app.access.recognise(&secret, api.app.clock.now()));
    let again = "; let whoever runs the server make another with `runbook token create`";
    let token = known_as(api, known, "the token", again, |token| (token.person, Credential::Token(token.id)))?;
    let rights = rights(api, &token.person, &token.scope);
    Ok(Caller { person: token.person, by: Credential::Token(token.id), session: None, certificate: None, rights })
}

/// `None` where there is no cookie.
fn by_cookie(api: &Api, headers: &HeaderMap) -> Option<Result<Caller, Refused>> {
    let name = api.app.cookie();
    let mut shown = cookies(headers).filter_map(|(known, value)| (known == name).then_some(value));
    let (shown, more) = (shown.next()?, shown.next());
    Some(of_session(api, Some(shown).filter(|_| more.is_none())))
}

fn of_session(api: &Api, shown: Option<&str>) -> Result<Caller, Refused> {
    let wrong = || -> Refused { (Problem::stranger("wrong_credential", "the session is not one of this server"), None) };
    let secret: Secret = shown.and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    let (app, now) = (&api.app, api.app.clock.now());
    let known = tokio::task::block_in_place(|| app.access.session(&secret, now));
    let session = known_as(api, known, "the session", "; log in again", |of| (of.person, Credential::Session(of.id)))?;
    if now.duration_since(session.used_at).unsigned_abs() >= limits::SESSION_USES_KEPT {
        // Nobody waits for it, and where it is lost, the session ends sooner.
        drop(app.access.use_session(&session.id, now));
    }
    let rights = rights(api, &session.person, &Scope::default());
    let (person, by) = (session.person.clone(), Credential::Session(session.id.clone()));
    Ok(Caller { person, by, session: Some((session, secret)), certificate: None, rights })
}

/// TLS has seen that it is theirs, and was valid when the connection began.
fn by_certificate(api: &Api, shown: Option<&Arc<ClientCertificate>>) -> Result<Caller, Refused> {
    let Some(shown) = shown else {
        let detail = "show a token (`Authorization: Bearer rbk_…`), or log in";
        return Err((Problem::stranger("no_credential", detail), None));
    };
    let by = Credential::Certificate(shown.digest.clone());
    let Some(person) = whose(api, shown) else {
        let detail = "the certificate is nobody's: no `certificates` of one person in workspace.yaml has what it carries";
        return Err((Problem::stranger("wrong_credential", detail), None));
    };
    if shown.until <= api.app.clock.now() {
        return Err((Problem::stranger("expired", "the certificate has expired"), Some(Box::new((person, by)))));
    }
    let rights = rights(api, &person, &Scope::default());
    Ok(Caller { person, by, session: None, certificate: Some(shown.clone()), rights })
}

/// By the workspace as it is now.
fn whose(api: &Api, shown: &ClientCertificate) -> Option<String> {
    api.app.serving.catalogue().workspace().and_then(|workspace| shown.whose(&workspace.certificates)).map(str::to_owned)
}

/// Each `name=value` of the cookies.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim(), value.trim()))
    })
}

/// What was shown, where it is known and lets in.
fn known_as<T>(
    api: &Api,
    known: Result<Result<T, Unrecognised<T>>, JournalError>,
    what: &str,
    again: &str,
    whose: fn(T) -> (String, Credential),
) -> Result<T, Refused> {
    let known = known.map_err(|error| -> Refused { (unread(api, &error), None) })?;
    known.map_err(|why| match why {
        Unrecognised::Wrong => (Problem::stranger("wrong_credential", format!("{what} is not one of this server")), None),
        Unrecognised::Expired(it) => {
            (Problem::stranger("expired", format!("{what} has expired{again}")), Some(Box::new(whose(*it))))
        }
        Unrecognised::Revoked(it) => {
            (Problem::stranger("revoked", format!("{what} was revoked{again}")), Some(Box::new(whose(*it))))
        }
    })
}

/// With who it was.
pub fn named(entry: Entry, whose: Option<Box<(String, Credential)>>) -> Entry {
    match whose.as_deref() {
        Some((person, credential)) => entry.by(person, credential),
        None => entry,
    }
}

/// By the workspace as it is now.
pub fn rights(api: &Api, person: &str, scope: &Scope) -> Rights {
    let catalogue = api.app.serving.catalogue();
    let of = |workspace: &Workspace| Rights::of(&workspace.access, &workspace.people, person, scope);
    catalogue.workspace().map(of).unwrap_or_default()
}

/// Whether whoever came before may still do this to what has these labels.
pub fn still_may(api: &Api, caller: &Caller, act: Act, labels: &Labels) -> bool {
    let (app, now) = (&api.app, api.app.clock.now());
    let known = match &caller.by {
        Credential::Token(id) => app.access.valid(id, now).map(|found| found.map(|token| (token.person, token.scope))),
        Credential::Session(id) => {
            app.access.valid_session(id, now).map(|found| found.map(|session| (session.person, Scope::default())))
        }
        Credential::Certificate(_) => {
            let shown = caller.certificate.as_ref().filter(|shown| now < shown.until);
            Ok(shown.and_then(|shown| whose(api, shown)).map(|person| (person, Scope::default())))
        }
    };
    known.is_ok_and(|known| known.is_some_and(|(person, scope)| rights(api, &person, &scope).may(act, labels)))
}

/// A text that a stranger chose, short enough for the audit log.
pub fn clipped(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// How many requests each token and session has left: a bucket that fills again.
#[derive(Debug, Default)]
pub struct Counter {
    left: Mutex<HashMap<String, (f64, Timestamp)>>,
}

impl Counter {
    pub fn allows(&self, credential: &str, now: Timestamp) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= limits::CALLERS_KNOWN {
            // Theirs are full again.
            let full = limits::CALLS_AT_ONCE / limits::CALLS_PER_SECOND;
            left.retain(|_, (_, at)| now.duration_since(*at).as_secs_f64().abs() < full);
        }
        let refilled = |(left, at): (f64, Timestamp)| {
            let since = now.duration_since(at).as_secs_f64().max(0.0);
            (left + since * limits::CALLS_PER_SECOND).min(limits::CALLS_AT_ONCE)
        };
        let has = left.get(credential).copied().map_or(limits::CALLS_AT_ONCE, refilled);
        let allows = has >= 1.0;
        let rest = if allows { has - 1.0 } else { has };
        left.insert(credential.to_owned(), (rest, now));
        allows
    }
}

/// What was refused, of which the audit log takes so many a minute of each token and session, of all strangers together, and of all
/// log-ins: nobody fills a disk so.
#[derive(Debug, Default)]
pub struct Refusals {
    minutes: Mutex<HashMap<String, Minute>>,
}

#[derive(Debug, Default)]
struct Minute {
    begun: Option<Timestamp>,
    written: u32,
    left_out: u64,
}

impl Refusals {
    /// How many were left out since the last one that was written down; `None` where this one is left out too.
    fn takes(&self, who: &str, now: Timestamp) -> Option<u64> {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.len() >= limits::CALLERS_KNOWN {
            let is_now = |begun: Timestamp| now.duration_since(begun).as_secs().abs() < 60;
            minutes.retain(|_, minute| minute.begun.is_some_and(is_now));
        }
        let minute = minutes.entry(who.to_owned()).or_default();
        if minute.begun.is_none_or(|begun| now.duration_since(begun).as_secs() >= 60 || now < begun) {
            (minute.begun, minute.written) = (Some(now), 0);
        }
        if minute.written >= limits::REFUSALS_A_MINUTE {
            minute.left_out += 1;
            return None;
        }
        minute.written += 1;
        Some(std::mem::take(&mut minute.left_out))
    }

    pub async fn write_down(&self, api: &Api, entry: Entry, problem: &Problem) {
        let of = entry.token.as_deref().or(entry.session.as_deref()).or(entry.certificate.as_ref().map(Digest::as_str));
        // Those who try passwords are not hidden behind those who try anything else.
        let is_try = entry.act == super::session::BEGIN && problem.kind() == "wrong_credential";
        let of = of.unwrap_or(if is_try { super::session::BEGIN } else { "" });
        let Some(left_out) = self.takes(of, entry.at) else { return };
        tracing::info!(act = entry.act, kind = problem.kind(), "a request was refused");
        let mut detail = clipped(problem.detail());
        if left_out > 0 {
            detail.push_str(&format!(" (and {left_out} more refusals that are not listed)"));
        }
        let entry = Entry { result: problem.kind().to_owned(), detail: Some(detail), ..entry };
        super::write_down(api, entry).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap()
    }

    #[test]
    fn a_token_has_so_many_requests_and_gets_others_with_time() {
        let counter = Counter::default();
        let most = limits::CALLS_AT_ONCE as usize;
        assert!((0..most).all(|_| counter.allows("t", at(0))));
        assert!(!counter.allows("t", at(0)));
        assert!(counter.allows("u", at(0)), "each token for itself");
        let again = (0..most).filter(|_| counter.allows("t", at(100))).count();
        assert_eq!(again, (limits::CALLS_PER_SECOND / 10.0) as usize);
        assert!(
            (0..most).all(|_| counter.allows("t", at(1_000_000))) && !counter.allows("t", at(1_000_000)),
            "no more than at first"
        );
        assert!(!counter.allows("t", at(0)), "a clock that was set back gives nothing");
    }

    #[test]
    fn refusals_fill_no_log_and_are_counted() {
        let refusals = Refusals::default();
        let most = limits::REFUSALS_A_MINUTE;
        assert!((0..most).all(|_| refusals.takes("", at(0)) == Some(0)));
        assert!((0..7).all(|_| refusals.takes("", at(59_000)).is_none()));
        assert_eq!(refusals.takes("t", at(59_000)), Some(0), "each token for itself");
        assert_eq!(refusals.takes("", at(60_000)), Some(7));
        assert_eq!(refusals.takes("", at(60_001)), Some(0));
    }

    #[test]
    fn what_a_stranger_chose_is_clipped_between_characters() {
        assert_eq!(clipped("ä"), "ä");
        assert_eq!(clipped(&"ä".repeat(300)).chars().count(), 201);
    }
}
