//! Who a request is from: whoever shows a token. There is no cookie, so no page of another site can ask in anybody's name.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use runbook_core::limits;
use runbook_core::policy::access::Rights;
use runbook_core::run::event::{Identity, Means};
use runbook_engine::access::{Entry, Secret, Unrecognised};

use super::{Api, unread};
use crate::peer::Peer;
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

pub fn recognise(api: &Api, headers: &HeaderMap) -> Result<Caller, Problem> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let (shown, more) = (shown.next(), shown.next());
    let Some(shown) = shown else {
        return Err(Problem::stranger("no_credential", "show a token: `Authorization: Bearer rbk_…`"));
    };
    let wrong = || Problem::stranger("wrong_credential", Unrecognised::Wrong.to_string());
    let text = shown.to_str().ok().filter(|_| more.is_none()).and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    });
    let secret: Secret = text.and_then(|text| text.trim().parse().ok()).ok_or_else(wrong)?;
    let app = &api.app;
    let known =
        tokio::task::block_in_place(|| app.access.recognise(&secret, app.clock.now())).map_err(|error| unread(api, &error))?;
    let token = known.map_err(|why| match why {
        Unrecognised::Wrong => wrong(),
        Unrecognised::Expired => Problem::stranger("expired", why.to_string()),
        Unrecognised::Revoked => Problem::stranger("revoked", why.to_string()),
    })?;
    let catalogue = app.serving.catalogue();
    let rights = catalogue
        .workspace()
        .map(|workspace| Rights::of(&workspace.access, &workspace.people, &token.person, &token.scope))
        .unwrap_or_default();
    Ok(Caller { person: token.person, token: token.id, rights })
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

/// Requests of those whom nobody knows, of which the audit log takes so many a minute.
#[derive(Debug, Default)]
pub struct Strangers {
    minute: Mutex<(Option<Timestamp>, u32, u64)>,
}

impl Strangers {
    /// How many were left out since the last one that was written down; `None` where this one is left out too.
    fn takes(&self, now: Timestamp) -> Option<u64> {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, written, left_out) = &mut *minute;
        if begun.is_none_or(|begun| now.duration_since(begun).as_secs() >= 60 || now < begun) {
            (*begun, *written) = (Some(now), 0);
        }
        if *written >= limits::STRANGERS_A_MINUTE {
            *left_out += 1;
            return None;
        }
        *written += 1;
        Some(std::mem::take(left_out))
    }

    pub async fn refused(&self, api: &Api, peer: &Peer, act: &str, problem: &Problem) {
        let app = &api.app;
        let now = app.clock.now();
        let Some(left_out) = self.takes(now) else { return };
        tracing::info!(act, kind = problem.kind(), "a request was refused");
        let detail = (left_out > 0).then(|| format!("and {left_out} more that are not listed"));
        let entry = Entry {
            at: now,
            person: None,
            token: None,
            from: peer.address.to_string(),
            act: act.to_owned(),
            about: None,
            result: problem.kind().to_owned(),
            detail,
        };
        if let Err(error) = app.access.audit(entry).await {
            tracing::error!(%error, "the audit log could not be written");
            app.is_fatal(&error);
        }
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
    fn strangers_fill_no_log_and_are_counted() {
        let strangers = Strangers::default();
        let most = limits::STRANGERS_A_MINUTE;
        assert!((0..most).all(|_| strangers.takes(at(0)) == Some(0)));
        assert!((0..7).all(|_| strangers.takes(at(59_000)).is_none()));
        assert_eq!(strangers.takes(at(60_000)), Some(7));
        assert_eq!(strangers.takes(at(60_001)), Some(0));
    }

    #[test]
    fn what_a_stranger_chose_is_clipped_between_characters() {
        assert_eq!(clipped("ä"), "ä");
        assert_eq!(clipped(&"ä".repeat(300)).chars().count(), 201);
    }
}
