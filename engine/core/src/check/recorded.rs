//! How long the record of a step is before there are values: what the author wrote alone must not be more than one event can hold, or
//! the step could never begin.

use super::procedure::Checked;
use crate::diagnostic::{Code, Span};
use crate::expr::Template;
use crate::limits;
use crate::plan::{HeaderValue, HttpBody, JsonTemplate, Verb};
use crate::value::{Value, json_bytes};

impl Checked<'_, '_> {
    /// Whether a step that does this can be recorded. `at` is its verb.
    pub(super) fn can_be_recorded(&mut self, verb: &Verb, at: Span) -> bool {
        let bytes = bytes_of(verb);
        if bytes <= limits::STEP_BYTES {
            return true;
        }
        let message = format!("`{}` has {bytes} bytes as it is recorded, and at most {} are", verb.key(), limits::STEP_BYTES);
        let fault = self.new_fault(Code::RB0018, at, message);
        let reason = "what a step does is written down before it is done; there each line end, quote and backslash is two bytes";
        self.report(fault.reason(reason).help("move what is long into a file beside the procedure, and run that"));
        false
    }
}

fn bytes_of(verb: &Verb) -> usize {
    let pairs = |pairs: &[(String, Template)]| pairs.iter().map(|(name, text)| json_bytes(name) + of(text)).sum::<usize>();
    match verb {
        Verb::Run { script, .. } => script.recorded_bytes(),
        Verb::Exec(argv) => argv.iter().map(of).sum(),
        Verb::Rhai(script) => json_bytes(&script.source),
        Verb::Http(http) => {
            let headers = http.headers.iter().map(|(name, value)| match value {
                HeaderValue::Text(text) => json_bytes(name) + of(text),
                HeaderValue::Secret(_) => json_bytes(name),
            });
            let body = match &http.body {
                Some(HttpBody::Json(json)) => of_json(json),
                Some(HttpBody::Form(fields)) => pairs(fields),
                Some(HttpBody::Raw(text)) => of(text),
                None => 0,
            };
            of(&http.url) + pairs(&http.query) + headers.sum::<usize>() + body
        }
        Verb::Notify { subject, message, .. } => subject.as_ref().map_or(0, of) + of(message),
        Verb::Listen(listen) => listen.when.as_ref().map_or(0, |when| json_bytes(&when.source)),
        _ => 0,
    }
}

fn of(text: &Template) -> usize {
    text.recorded_bytes()
}

fn of_json(json: &JsonTemplate) -> usize {
    match json {
        JsonTemplate::Value(value) => of_value(value),
        JsonTemplate::Text(text) => of(text),
        JsonTemplate::List(items) => items.iter().map(of_json).sum(),
        JsonTemplate::Map(members) => members.iter().map(|(name, value)| json_bytes(name) + of_json(value)).sum(),
    }
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::Text(text) => json_bytes(text),
        Value::List(items) => items.iter().map(of_value).sum(),
        Value::Map(members) => members.iter().map(|(name, value)| json_bytes(name) + of_value(value)).sum(),
        _ => 1,
    }
}
