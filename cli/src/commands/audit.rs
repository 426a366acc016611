//! `runbook audit`: what was done through the server of this state folder, and what was refused.

use runbook_core::limits;
use runbook_engine::access::{Access, AuditPage, Audited};
use runbook_engine::journal::Commits;
use serde_json::json;

use super::afar;
use crate::args;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::when;
use crate::ui::{Ui, line, table};

pub fn run(args: &args::Audit, settings: &Settings, ui: &mut Ui) -> Outcome {
    let read: Box<dyn Fn(Option<u64>, usize) -> Result<AuditPage, Trouble>> = match &settings.server {
        Some(server) => {
            let remote = afar::reach(server, settings)?;
            Box::new(move |before, limit| Ok(remote.audited(before, limit)?))
        }
        None => {
            let access = Access::open(&settings.state()?.value, Commits::OnTheSpot)?;
            Box::new(move |before, limit| Ok(access.audited(before, limit)?))
        }
    };
    let (mut found, mut broken_at, mut before) = (Vec::new(), None, args.before);
    while found.len() < args.limit.get() {
        let page = read(before, (args.limit.get() - found.len()).min(limits::AUDIT_PAGE))?;
        let Some(last) = page.entries.last() else { break };
        before = Some(last.number);
        broken_at = page.broken_at.or(broken_at);
        found.extend(page.entries);
    }
    if args.json {
        for entry in &found {
            ui.data(&json!(entry).to_string())?;
        }
    } else if found.is_empty() {
        ui.say("nothing was done through a server yet");
    } else {
        let head = ["entry", "when", "who", "what", "to", "result", "from"];
        ui.data(&table(&head, found.iter().map(cells).collect()))?;
    }
    let Some(number) = broken_at else { return Ok(Exit::Succeeded) };
    ui.say(&format!("entry {number} does not follow from the one before it: the log was changed"));
    Ok(Exit::Failed)
}

fn cells(audited: &Audited) -> Vec<String> {
    let entry = &audited.entry;
    let by = match (&entry.token, &entry.session, &entry.certificate) {
        (Some(token), _, _) => format!(" (by token {token})"),
        (_, Some(session), _) => format!(" (by session {session})"),
        (_, _, Some(certificate)) => format!(" (by certificate {})", certificate.short()),
        (None, None, None) => String::new(),
    };
    let who = entry.person.as_ref().map_or_else(|| "-".to_owned(), |person| format!("{person}{by}"));
    let result = match &entry.detail {
        Some(detail) => format!("{}: {detail}", entry.result),
        None => entry.result.clone(),
    };
    let mut cells = vec![audited.number.to_string(), when(entry.at)];
    cells.extend(
        [&who, &entry.act, entry.about.as_deref().unwrap_or("-"), &result, &entry.from].map(|text| line(text).into_owned()),
    );
    cells
}
