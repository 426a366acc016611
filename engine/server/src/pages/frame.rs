//! What stands around every page: where one can go, who one is, and the way out.

use runbook_core::policy::access::Act;
use serde::Serialize;

use super::assets;
use crate::api::Caller;

#[derive(Debug, Serialize)]
pub struct Frame {
    pub title: String,
    person: Option<String>,
    /// What forms show; `None` where whoever asks has no session, or is nobody yet.
    pub csrf: Option<String>,
    /// Whether there is a session to be ended.
    has_session: bool,
    places: Vec<Place>,
    style: String,
    script: String,
    /// The stream whose events change the page.
    pub stream: Option<String>,
    /// Whether the page is looked at again now and then.
    pub is_watched: bool,
}

#[derive(Debug, Serialize)]
struct Place {
    address: &'static str,
    name: &'static str,
    is_here: bool,
}

/// Where one can go, and what it takes.
const PLACES: &[(&str, &str, Act)] = &[("/", "Waiting", Act::View), ("/runs", "Runs", Act::View)];

impl Frame {
    /// `here` is the address of the place that the page belongs to.
    pub fn of(caller: Option<&Caller>, title: impl Into<String>, here: &str) -> Frame {
        let session = caller.and_then(|caller| caller.session.as_ref());
        let open = |act: Act| caller.is_some_and(|caller| caller.rights.may_at_all(act));
        let places = PLACES.iter().filter(|(_, _, act)| open(*act));
        Frame {
            title: title.into(),
            person: caller.map(|caller| caller.person.clone()),
            csrf: session.map(|(_, secret)| secret.proof()),
            has_session: session.is_some(),
            places: places.map(|(address, name, _)| Place { address, name, is_here: *address == here }).collect(),
            style: assets::address(assets::STYLE),
            script: assets::address(assets::SCRIPT),
            stream: None,
            is_watched: false,
        }
    }
}
