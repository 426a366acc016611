//! `runbook token`: who may come to the server of this state folder. Whoever owns the folder makes tokens; what they open is the
//! workspace's business.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runbook_core::diagnostic::nearest;
use runbook_core::document::Workspace;
use runbook_core::limits;
use runbook_core::policy::access::{Act, Rights, Scope};
use runbook_engine::access::{Access, Entry, Kind, Secret, Token};
use runbook_engine::catalogue::Catalogue;
use runbook_engine::clock::{Clock, SystemClock};
use runbook_engine::journal::Commits;
use runbook_engine::people;
use serde_json::json;

use super::ahead::moment;
use crate::args::{self, TokenCreate, TokenPart};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::when;
use crate::ui::{Tone, Ui, line, table};

pub fn run(args: &args::Token, settings: &Settings, ui: &mut Ui) -> Outcome {
    match &args.part {
        TokenPart::Create(args) => create(args, settings, ui),
        TokenPart::List(args) => list(args.json, settings, ui),
        TokenPart::Revoke(args) => revoke(&args.id, settings, ui),
    }
}

/// An entry of what is done here, by the user of this machine.
pub fn entry(act: &str, about: &str, at: Timestamp, detail: Option<String>) -> Result<Entry, Trouble> {
    let user = people::local_user().map_err(|why| Trouble::failed(why.to_string()))?;
    let from = format!("user {} on {}", user.user, user.host);
    Ok(Entry { about: Some(about.to_owned()), detail, ..Entry::new(act, from, at) })
}

/// The workspace, where it has this person.
pub fn workspace_of<'c>(catalogue: &'c Catalogue, person: &str) -> Result<&'c Workspace, Trouble> {
    let Some(workspace) = catalogue.workspace() else {
        return Err(
            Trouble::not_valid("there is no workspace here, so there is nobody whom a server could let in").next("runbook init")
        );
    };
    let people = &workspace.people.people;
    if people.contains_key(person) {
        return Ok(workspace);
    }
    let next = match nearest(person, people.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "add the person under `people` in workspace.yaml".to_owned(),
    };
    Err(Trouble::not_valid(format!("`{}` is nobody in the workspace's `people`", line(person))).next(next))
}

/// Says so where nothing gives this person any role.
pub fn tell_without_role(rights: &Rights, person: &str, ui: &mut Ui) -> bool {
    let has_none = !rights.may_at_all(Act::View);
    if has_none {
        ui.say(&format!("it opens nothing yet: no entry of `access` in workspace.yaml gives `{}` such a role", line(person)));
        ui.next("add `access: [{role: viewer, to: [PERSON]}]` to workspace.yaml");
    }
    has_none
}

fn create(args: &TokenCreate, settings: &Settings, ui: &mut Ui) -> Outcome {
    let catalogue = Catalogue::open(&settings.catalogue.value)?;
    let workspace = workspace_of(&catalogue, &args.person)?;
    let mut labels = BTreeMap::new();
    for text in &args.label {
        let Some((name, value)) = text.split_once('=') else {
            return Err(
                Trouble::not_valid(format!("`{}` is not written NAME=VALUE", line(text))).next("runbook token create --help")
            );
        };
        labels.insert(name.to_owned(), value.to_owned());
    }
    let scope = Scope { roles: args.role.clone(), labels };
    let now = SystemClock.now();
    let expires_at = moment(&args.expires, now)?;
    let latest = now.saturating_add(limits::TOKEN_LIFE_MOST).unwrap_or(Timestamp::MAX);
    if expires_at <= now || expires_at > latest {
        return Err(Trouble::not_valid(format!("a token expires after now and before {}", when(latest))).next("give --expires 90d"));
    }
    if args.note.as_ref().is_some_and(|note| note.len() > limits::TOKEN_NOTE_BYTES) {
        return Err(
            Trouble::not_valid(format!("a note has at most {} bytes", limits::TOKEN_NOTE_BYTES)).next("say it in fewer words")
        );
    }
    let rights = Rights::of(&workspace.access, &workspace.people, &args.person, &scope);
    let secret = Secret::draw(Kind::Token);
    let user = people::local_user().map_err(|why| Trouble::failed(why.to_string()))?.user;
    let token = Token {
        id: secret.id().to_owned(),
        person: args.person.clone(),
        scope,
        note: args.note.clone(),
        made_at: now,
        made_by: user,
        expires_at,
        revoked_at: None,
    };
    let access = Access::open(&settings.state()?.value, Commits::OnTheSpot)?;
    let detail = format!("for {}, until {expires_at}", args.person);
    access.keep(token, &secret, entry("token_create", secret.id(), now, Some(detail))?).wait()?;
    ui.data(&secret.expose())?;
    ui.say(&format!("token {} is for `{}`, until {}; it is not shown again", secret.id(), line(&args.person), when(expires_at)));
    if !tell_without_role(&rights, &args.person, ui) {
        ui.next("curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8480/api/v1/runs");
    }
    Ok(Exit::Succeeded)
}

fn list(as_json: bool, settings: &Settings, ui: &mut Ui) -> Outcome {
    let tokens = Access::open(&settings.state()?.value, Commits::OnTheSpot)?.tokens()?;
    if as_json {
        for token in &tokens {
            ui.data(&json!(token).to_string())?;
        }
        return Ok(Exit::Succeeded);
    }
    if tokens.is_empty() {
        ui.say("there are no tokens");
        ui.next("runbook token create --for PERSON");
        return Ok(Exit::Succeeded);
    }
    let now = SystemClock.now();
    let rows = tokens.iter().map(|token| {
        let standing = match token.revoked_at {
            Some(at) => Tone::Quiet.paint(&format!("revoked {}", when(at))),
            None if !token.is_valid(now) => Tone::Quiet.paint("expired"),
            None => "valid".to_owned(),
        };
        let mut scope: Vec<String> = token.scope.roles.iter().map(|role| role.name().to_owned()).collect();
        scope.extend(token.scope.labels.iter().map(|(name, value)| format!("{name}={value}")));
        let scope = if scope.is_empty() { "all".to_owned() } else { scope.join(", ") };
        vec![
            token.id.clone(),
            line(&token.person).into_owned(),
            line(&scope).into_owned(),
            when(token.expires_at),
            standing,
            line(token.note.as_deref().unwrap_or("-")).into_owned(),
        ]
    });
    ui.data(&table(&["token", "for", "scope", "until", "standing", "note"], rows.collect()))?;
    Ok(Exit::Succeeded)
}

fn revoke(id: &str, settings: &Settings, ui: &mut Ui) -> Outcome {
    let access = Access::open(&settings.state()?.value, Commits::OnTheSpot)?;
    let shown = line(id).into_owned();
    if !access.revoke(id, entry("token_revoke", id, SystemClock.now(), None)?).wait()? {
        return Err(Trouble::not_valid(format!("there is no token `{shown}` that is still valid")).next("runbook token list"));
    }
    ui.say(&format!("token {shown} lets nobody in any more"));
    Ok(Exit::Succeeded)
}
