//! `runbook session`: who is logged in to the server of this state folder, and no longer.

use runbook_engine::access::Access;
use runbook_engine::clock::{Clock, SystemClock};
use runbook_engine::journal::Commits;
use serde_json::json;

use super::token::entry;
use crate::args::{self, Revoked, SessionPart};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::{count, when};
use crate::ui::{Ui, line, table};

pub fn run(args: &args::Session, settings: &Settings, ui: &mut Ui) -> Outcome {
    let access = Access::open(&settings.state()?.value, Commits::OnTheSpot)?;
    match &args.part {
        SessionPart::List(args) => list(args.json, &access, ui),
        SessionPart::Revoke(args) => revoke(args, &access, ui),
    }
}

fn list(as_json: bool, access: &Access, ui: &mut Ui) -> Outcome {
    let now = SystemClock.now();
    let open: Vec<_> = access.sessions()?.into_iter().filter(|session| session.is_valid(now)).collect();
    if as_json {
        for session in &open {
            let mut told = json!(session);
            told["ends_at"] = json!(session.ends_at());
            ui.data(&told.to_string())?;
        }
        return Ok(Exit::Succeeded);
    }
    if open.is_empty() {
        ui.say("nobody is logged in");
        return Ok(Exit::Succeeded);
    }
    let rows = open.iter().map(|session| {
        let cells = [&session.id, &session.person, &session.from].map(|text| line(text).into_owned());
        let times = [session.begun_at, session.used_at, session.ends_at()].map(when);
        [cells.as_slice(), &times].concat()
    });
    ui.data(&table(&["session", "of", "from", "since", "last used", "until, if unused"], rows.collect()))?;
    Ok(Exit::Succeeded)
}

fn revoke(args: &Revoked, access: &Access, ui: &mut Ui) -> Outcome {
    let now = SystemClock.now();
    let ended = match (&args.id, &args.person) {
        (Some(id), _) => u64::from(access.end_session(id, entry("session_revoke", id, now, None)?).wait()?),
        (None, Some(person)) => access.end_sessions_of(person, entry("session_revoke", person, now, None)?).wait()?,
        (None, None) => 0,
    };
    if ended == 0 {
        let what = args.id.as_ref().map_or_else(String::new, |id| format!(" `{}`", line(id)));
        return Err(Trouble::not_valid(format!("there is no such session{what} that is open")).next("runbook session list"));
    }
    ui.say(&count(ended, "session has ended", "sessions have ended"));
    Ok(Exit::Succeeded)
}
