//! What stands around every page: where one can go, who one is, and the way out.

use runbook_core::policy::access::Act;
use serde::Serialize;

use super::{assets, events, on_call, procedures, runs, server};
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
    /// Of guides and dry runs, where there is one.
    report_style: Option<String>,
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
const PLACES: &[(&str, &str, Needs)] = &[
    ("/", "Waiting", Needs::Act(Act::View)),
    (runs::PATH, "Runs", Needs::Act(Act::View)),
    (procedures::PATH, "Procedures", Needs::Act(Act::View)),
    (events::PATH, "Events", Needs::Everywhere(Act::View)),
    (events::SCHEDULE, "Schedule", Needs::Act(Act::View)),
    (on_call::PATH, "On call", Needs::Act(Act::View)),
    (server::AUDIT, "Audit", Needs::Everywhere(Act::Audit)),
    (server::PATH, "Server", Needs::Everywhere(Act::View)),
];

/// What a place takes.
#[derive(Clone, Copy)]
enum Needs {
    Act(Act),
    /// For all procedures.
    Everywhere(Act),
}
impl Frame {
    /// `here` is the address of the place that the page belongs to.
    pub fn of(caller: Option<&Caller>, title: impl Into<String>, here: &str) -> Frame {
        let session = caller.and_then(|caller| caller.session.as_ref());
        let is_open = |needs: Needs| {
            caller.is_some_and(|caller| match needs {
                Needs::Act(act) => caller.rights.may_at_all(act),
                Needs::Everywhere(act) => caller.rights.may_everywhere(act),
            })
        };
        let places = PLACES.iter().filter(|(_, _, needs)| is_open(*needs));
        Frame {
            title: title.into(),
            person: caller.map(|caller| caller.person.clone()),
            csrf: session.map(|(_, secret)| secret.proof()),
            has_session: session.is_some(),
            places: places.map(|(address, name, _)| Place { address, name, is_here: *address == here }).collect(),
            style: assets::address(assets::STYLE),
            report_style: None,
            script: assets::address(assets::SCRIPT),
            stream: None,
            is_watched: false,
        }
    }

    /// With the style of guides and dry runs.
    pub fn with_reports(self) -> Frame {
        Frame { report_style: Some(assets::address(assets::REPORT)), ..self }
    }
}
