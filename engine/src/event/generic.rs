//! A sender that nobody here knows: the workspace says with expressions what its events are.

use runbook_core::CloudEvent;
use runbook_core::cloud_event::Status;
use runbook_core::event_source::Generic;
use runbook_core::expr::{Expression, Names};
use runbook_core::limits;
use runbook_core::value::{Map, Value};

use super::{Here, Refusal, part};

/// What the expressions know: `body` or `item`, and `headers`.
struct Known<'v> {
    root: &'static str,
    value: &'v Value,
    headers: &'v Value,
}

impl Names for Known<'_> {
    fn value(&self, root: &str, _: Option<&str>) -> Result<Value, String> {
        match root {
            "headers" => Ok(self.headers.clone()),
            root if root == self.root => Ok(self.value.clone()),
            other => Err(format!("`{other}` is not known here")),
        }
    }
}

pub(super) fn decode(here: &Here, how: &Generic, body: Value) -> Result<Vec<CloudEvent>, Refusal> {
    let headers = headers(here);
    let Some(items) = &how.items else {
        return Ok(vec![event(here, how, 0, "body", body, &headers)?]);
    };
    let found = items.evaluate(&Known { root: "body", value: &body, headers: &headers });
    match found.map_err(|why| Refusal::malformed(format!("`items` gives nothing: {why}")))? {
        Value::List(items) if items.len() > limits::DELIVERY_EVENTS => Err(super::too_many()),
        Value::List(items) => {
            items.into_iter().enumerate().map(|(place, item)| event(here, how, place, "item", item, &headers)).collect()
        }
        other => Err(Refusal::malformed(format!("`items` gives no list, but a value of type {}", other.type_name()))),
    }
}

/// Names in lower case; of one that stands twice, the first. Credentials are no part of an event.
fn headers(here: &Here) -> Value {
    let mut headers = Map::new();
    for (name, value) in here.request.headers {
        let name = name.to_ascii_lowercase();
        let secret = here.hidden.is_some_and(|hidden| hidden.eq_ignore_ascii_case(&name));
        if name != "authorization" && name != "cookie" && !secret {
            headers.entry(name).or_insert_with(|| Value::Text(String::from_utf8_lossy(value).into_owned()));
        }
    }
    Value::Map(headers)
}

fn event(
    here: &Here,
    how: &Generic,
    place: usize,
    root: &'static str,
    item: Value,
    headers: &Value,
) -> Result<CloudEvent, Refusal> {
    let known = Known { root, value: &item, headers };
    let asked = |what: &str, expression: &Option<Expression>| match expression {
        None => Ok(Value::Null),
        Some(expression) => {
            let fault = |why| Refusal::malformed(format!("`{what}` of event {place} gives nothing: {why}"));
            expression.evaluate(&known).map_err(fault)
        }
    };
    let named = |what: &str, expression: &Option<Expression>| match asked(what, expression)? {
        Value::Null => Ok(None),
        Value::Text(text) if text.is_empty() => Ok(None),
        Value::Text(text) => Ok(Some(text)),
        Value::Int(number) => Ok(Some(number.to_string())),
        other => Err(Refusal::malformed(format!("`{what}` of event {place} is a value of type {}, not text", other.type_name()))),
    };
    // What names itself in no way is told twice rather than not at all when it happens again.
    let unnamed = || format!("sha256:{}/{place}/{}", part::hash_of(&item), here.request.received_at);
    let id = part::bounded(named("id", &how.id)?.unwrap_or_else(unnamed));
    let key = named("key", &how.key)?.map_or_else(|| id.clone(), part::bounded);
    let kind = named("type", &how.kind)?.map_or_else(|| here.name.to_owned(), |kind| part::clipped(&kind));
    let status = match named("status", &how.status)?.as_deref() {
        None | Some("once") => Status::Once,
        Some("firing") => Status::Firing,
        Some("resolved") => Status::Resolved,
        Some(_) => {
            let message = format!("`status` of event {place} is none of `firing`, `resolved` and `once`");
            return Err(Refusal::malformed(message));
        }
    };
    let subject = named("subject", &how.subject)?.map(|subject| part::clipped(&subject));
    let no_time = || Refusal::malformed(format!("`time` of event {place} is no time"));
    let time = match asked("time", &how.time)? {
        Value::Null => None,
        Value::Time(time) => Some(time),
        Value::Int(number) => Some(part::since_1970(number).ok_or_else(no_time)?),
        Value::Text(text) => Some(part::parse_time(&text).ok_or_else(no_time)?),
        _ => return Err(no_time()),
    };
    Ok(CloudEvent { id, source: here.source(), kind, subject, time, data: item, extensions: Map::new(), key, status })
}
