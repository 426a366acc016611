//! Who a request is from: whoever shows a token. There is no cookie, so no page of another site can ask in anybody's name.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use runbook_core::document::Workspace;
use runbook_core::limits;
use runbook_core::policy::access::{Act, Labels, Rights};
use runbook_core::run::event::{Identity, Means};
use runbook_engine::access::{Entry, Secret, Token, Unrecognised};

use super::{Api, unread};
use crate::problem::Problem;

/// Whoever asks.
#[derive(Clone, Debug)]
pub struct Caller {
    pub person: String,
    /// The id of their token.
    pub token: String,
    pub rights: Rights,
}

impl Caller {
    /// As the record names them.
    pub fn identity(&self) -> Identity {
        Identity { person: self.person.clone(), means: Means::Token { token: self.token.clone() } }
    }
}

/// Where they are not let in: why, and whose token it was that they rightly have.
pub fn recognise(api: &Api, headers: &HeaderMap) -> Result<Caller, (Problem, Option<Box<Token>>)> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let (shown, more) = (shown.next(), shown.next());
    let Some(shown) = shown else {
        return Err((Problem::stranger("no_credential", "show a token: `Authorization: Bearer rbk_…`"), None));
    };
    let wrong = || (Problem::stranger("wrong_credential", Unrecognised::Wrong.to_string()), None);
    let text = shown.to_str().ok().filter(|_| more.is_none()).and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    });
    let secret: Secret = text.and_then(|text| text.trim().parse().ok()).ok_or_else(wrong)?;
    let app = &api.app;
    let known = tokio::task::block_in_place(|| app.access.recognise(&secret, app.clock.now()))
        .map_err(|error| (unread(api, &error), None))?;
    let token = known.map_err(|why| {
        let told = why.to_string();
        match why {
            Unrecognised::Wrong => wrong(),
            Unrecognised::Expired(token) => (Problem::stranger("expired", told), Some(token)),
            Unrecognised::Revoked(token) => (Problem::stranger("revoked", told), Some(token)),
        }
    })?;
    let rights = rights(api, &token);
    Ok(Caller { person: token.person, token: token.id, rights })
}

/// With whose token it was.
pub fn named(entry: Entry, whose: Option<Box<Token>>) -> Entry {
    match whose {
        Some(token) => Entry { person: Some(token.person), token: Some(token.id), ..entry },
        None => entry,
    }
}

/// By the workspace as it is now.
fn rights(api: &Api, token: &Token) -> Rights {
    let catalogue = api.app.serving.catalogue();
    let of = |workspace: &Workspace| Rights::of(&workspace.access, &workspace.people, &token.person, &token.scope);
    catalogue.workspace().map(of).unwrap_or_default()
}

/// Whether whoever came with this token before may still do this to what has these labels.
pub fn still_may(api: &Api, token: &str, act: Act, labels: &Labels) -> bool {
    let found = api.app.access.valid(token, api.app.clock.now());
    found.is_ok_and(|found| found.is_some_and(|token| rights(api, &token).may(act, labels)))
}

/// A text that a stranger chose, short enough for the audit log.
pub fn clipped(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// How many requests each token has left: a bucket that fills again.
#[derive(Debug, Default)]
pub struct Counter {
    left: Mutex<HashMap<String, (f64, Timestamp)>>,
}

impl Counter {
    pub fn allows(&self, token: &str, now: Timestamp) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let refilled = |(left, at): (f64, Timestamp)| {
            let since = now.duration_since(at).as_secs_f64().max(0.0);
            (left + since * limits::CALLS_PER_SECOND).min(limits::CALLS_AT_ONCE)
        };
        let has = left.get(token).copied().map_or(limits::CALLS_AT_ONCE, refilled);
        let allows = has >= 1.0;
        let rest = if allows { has - 1.0 } else { has };
        left.insert(token.to_owned(), (rest, now));
        allows
    }
}

/// What was refused, of which the audit log takes so many a minute of each token, and of all strangers together: nobody fills a disk so.
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
        let Some(left_out) = self.takes(entry.token.as_deref().unwrap_or_default(), entry.at) else { return };
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
