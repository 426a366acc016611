//! The server itself: how it is, and who did what through it.

use runbook_engine::access::Audited;
use serde::Serialize;

use super::address::address;
use super::frame::Frame;
use super::render::{self, When};
use crate::api::{Answer, Call, events};
use crate::problem::Problem;

pub const PATH: &str = "/server";
pub const AUDIT: &str = "/audit";

const SHOWN: usize = 100;

#[derive(Serialize)]
struct View {
    is_ready: bool,
    reasons: Vec<Reason>,
    version: &'static str,
    catalogue: String,
    procedures: usize,
    undecided: u64,
    oldest: Option<When>,
}

#[derive(Serialize)]
struct Reason {
    topic: String,
    why: String,
    blocks: bool,
}

pub async fn show(call: Call) -> Result<Answer, Problem> {
    let told = events::told(&call)?;
    let view = View {
        is_ready: told.health["ready"] == true,
        reasons: told.health["reasons"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|reason| Reason {
                topic: reason["topic"].as_str().unwrap_or_default().to_owned(),
                why: reason["why"].as_str().unwrap_or_default().to_owned(),
                blocks: reason["blocks"] == true,
            })
            .collect(),
        version: told.version,
        catalogue: told.catalogue.to_string(),
        procedures: told.procedures,
        undecided: told.undecided,
        oldest: told.oldest.map(When::at),
    };
    let mut frame = Frame::of(Some(&call.caller), "Server", PATH);
    frame.is_watched = true;
    Ok(Answer::raw(render::page("server", &frame, &view)?))
}

#[derive(Serialize)]
struct Audit {
    entries: Vec<Entry>,
    broken_at: Option<u64>,
    newest: Option<&'static str>,
    older: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    number: u64,
    at: When,
    act: String,
    result: String,
    class: &'static str,
    /// Nothing where nobody was known, or it was done on the machine itself.
    who: Option<String>,
    by: Option<String>,
    from: String,
    about: Option<String>,
    detail: Option<String>,
}

fn entry(audited: Audited) -> Entry {
    let Audited { number, entry, .. } = audited;
    let by = entry.token.map(|token| format!("token {token}"));
    let by = by.or_else(|| entry.session.map(|session| format!("session {session}")));
    let by = by.or_else(|| entry.certificate.map(|certificate| format!("certificate {}", certificate.short())));
    Entry {
        number,
        at: When::at(entry.at),
        class: if matches!(entry.result.as_str(), "done" | "begun") { "good" } else { "bad" },
        act: entry.act,
        result: entry.result,
        who: entry.person,
        by,
        from: entry.from,
        about: entry.about,
        detail: entry.detail,
    }
}

pub async fn audit(call: Call) -> Result<Answer, Problem> {
    let page = events::audited(&call, SHOWN)?;
    let next = page.entries.last().filter(|last| last.number > 1).map(|last| last.number.to_string());
    let view = Audit {
        broken_at: page.broken_at,
        newest: call.text("before").map(|_| AUDIT),
        older: next.map(|next| address(AUDIT, [("before", next.as_str())])),
        entries: page.entries.into_iter().map(entry).collect(),
    };
    Ok(Answer::raw(render::page("audit", &Frame::of(Some(&call.caller), "Audit", AUDIT), &view)?))
}
