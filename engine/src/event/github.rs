//! Webhooks of GitHub. What happened stands in a header (`X-GitHub-Event`) and in `action`; only alerts have a life.

use runbook_core::CloudEvent;
use runbook_core::cloud_event::Status;
use runbook_core::value::{Map, Value};

use super::{Decoded, Here, Refusal, RefusalKind, Reply, part, read_json, say_big};

/// What an event is about, the most telling first: a member of the body, and what names it.
const SUBJECTS: [&[&str]; 18] = [
    &["alert", "number"],
    &["pull_request", "number"],
    &["issue", "number"],
    &["discussion", "number"],
    &["workflow_job", "id"],
    &["workflow_run", "id"],
    &["check_run", "id"],
    &["check_suite", "id"],
    &["deployment", "id"],
    &["release", "id"],
    &["milestone", "number"],
    &["security_advisory", "ghsa_id"],
    &["member", "login"],
    &["package", "id"],
    &["workflow"],
    &["ref"],
    &["branch"],
    &["hook_id"],
];

pub(super) fn decode(here: &Here) -> Result<Decoded, Refusal> {
    let content = here.header("Content-Type")?.unwrap_or_default();
    if content.starts_with("application/x-www-form-urlencoded") {
        let message = "the webhook sends a form; choose the content type `application/json` for it";
        return Err(Refusal::new(RefusalKind::Unsupported, message));
    }
    let missing = || Refusal::malformed("the delivery has no `X-GitHub-Event`, so it is none of GitHub's");
    let event = here.header("X-GitHub-Event")?.filter(|event| !event.is_empty()).ok_or_else(missing)?;
    let (body, big) = read_json(here.request.body)?;
    if !matches!(body, Value::Map(_)) {
        return Err(Refusal::malformed("the body is not a JSON object"));
    }
    if event == "ping" {
        return Ok(Decoded { events: Vec::new(), left_out: 0, reply: Reply::Pong });
    }
    let action = part::text(&body, &["action"]);
    let whole = || part::hash(here.request.body);
    let id = here.header("X-GitHub-Delivery")?.filter(|id| !id.is_empty()).map_or_else(whole, str::to_owned);
    let places = [["repository", "full_name"], ["organization", "login"], ["enterprise", "slug"], ["sender", "login"]];
    let place = places.iter().find_map(|path| part::text(&body, path)).unwrap_or(here.name);
    let about = SUBJECTS.iter().find_map(|path| part::name(&body, path));
    let mut key = format!("{place}/{event}");
    if let Some(about) = &about {
        key = format!("{key}/{about}");
    }
    let sources = [["repository", "html_url"], ["organization", "url"]];
    let source = sources.iter().find_map(|path| part::text(&body, path)).map_or_else(|| here.source(), part::clipped);
    let mut events = vec![CloudEvent {
        id: part::bounded(id),
        source,
        kind: part::clipped(&action.map_or_else(|| event.to_owned(), |action| format!("{event}.{action}"))),
        subject: about.as_deref().map(part::clipped),
        // The body has many times and none of its own.
        time: None,
        status: status(event, action.unwrap_or_default()),
        data: body,
        extensions: Map::new(),
        key: part::bounded(key),
    }];
    say_big(&mut events, &big);
    Ok(events.into())
}

fn status(event: &str, action: &str) -> Status {
    let alert =
        matches!(event, "dependabot_alert" | "code_scanning_alert" | "secret_scanning_alert" | "repository_vulnerability_alert");
    match action {
        _ if !alert => Status::Once,
        "fixed" | "dismissed" | "auto_dismissed" | "resolved" | "closed_by_user" | "resolve" | "dismiss" => Status::Resolved,
        _ => Status::Firing,
    }
}
