//! Judging values from outside: every fault of a value at once, and the value in the form that the machine works with.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use fancy_regex::{Regex, RegexBuilder};

use super::InputType;
use crate::diagnostic::nearest;
use crate::limits;
use crate::plan::{InputSpec, ValueSpec};
use crate::value::{Map, Value, format_duration, parse_duration};

impl ValueSpec {
    /// Any text.
    pub fn string() -> ValueSpec {
        ValueSpec {
            r#type: InputType::String,
            description: None,
            default: None,
            required: true,
            pattern: None,
            min: None,
            max: None,
            choices: Vec::new(),
            items: None,
            examples: Vec::new(),
        }
    }

    /// The value in its own type: `"30s"` becomes a duration where one is declared, an integer a number. The error lists
    /// all that is wrong, each a clause such as `12 is more than 10`. A predicted unknown is taken as it is.
    pub fn accept(&self, value: &Value) -> Result<Value, Vec<String>> {
        if matches!(value, Value::Unknown(_)) {
            return Ok(value.clone());
        }
        let value = self.convert(value, 0)?;
        let mut faults = Vec::new();
        self.judge_bounds(&value, &mut faults);
        self.judge_pattern(&value, &mut faults);
        if !self.choices.is_empty() && !self.choices.contains(&value) {
            let mut fault = format!("{} is not one of {}", shown(&value), list(&self.choices));
            if let Value::Text(text) = &value
                && let Some(near) = nearest(text, self.choices.iter().filter_map(as_text))
            {
                fault.push_str(&format!("; did you mean `{near}`?"));
            }
            faults.push(fault);
        }
        if faults.is_empty() { Ok(value) } else { Err(faults) }
    }

    /// A value that was typed as text, as in `--input name=value`. A list is written in JSON, or, where its items are neither
    /// lists nor maps, with commas between them; a map in JSON.
    pub fn accept_text(&self, text: &str) -> Result<Value, Vec<String>> {
        let wrong = |what: &str| vec![format!("`{}` is not {what}", clip(text))];
        let value = match self.r#type {
            InputType::Integer => Value::Int(text.trim().parse().map_err(|_| wrong("a whole number"))?),
            InputType::Number => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => text.trim().parse().map_or(Value::Float(number), Value::Int),
                _ => return Err(wrong("a number")),
            },
            InputType::Boolean => match text.trim() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => return Err(wrong("`true` or `false`")),
            },
            InputType::List if !text.trim_start().starts_with(['[', '{']) && self.items_are_plain() => {
                return self.accept_commas(text);
            }
            InputType::List | InputType::Map => {
                if text.len() > limits::TEXT_BYTES {
                    return Err(vec![format!("it is longer than {} bytes", limits::TEXT_BYTES)]);
                }
                let json = serde_json::from_str(text).map_err(|error| wrong(&format!("JSON: {error}")))?;
                Value::from_plain_json(json).map_err(|error| vec![error.to_string()])?
            }
            _ => Value::text(text),
        };
        self.accept(&value)
    }

    fn items_are_plain(&self) -> bool {
        self.items.as_ref().is_none_or(|items| !matches!(items.r#type, InputType::List | InputType::Map))
    }

    /// `a, b`: each item a text of its own type, without the spaces around it. Nothing at all is no item.
    fn accept_commas(&self, text: &str) -> Result<Value, Vec<String>> {
        if text.len() > limits::TEXT_BYTES {
            return Err(vec![format!("it is longer than {} bytes", limits::TEXT_BYTES)]);
        }
        let (mut values, mut faults) = (Vec::new(), Vec::new());
        for (place, item) in text.split(',').map(str::trim).enumerate().filter(|_| !text.trim().is_empty()) {
            match &self.items {
                _ if item.is_empty() => {
                    faults.push(format!("item {} is empty; write the list in JSON if that is meant", place + 1))
                }
                None => values.push(Value::text(item)),
                Some(items) => match items.accept_text(item) {
                    Ok(value) => values.push(value),
                    Err(found) => faults.extend(found.into_iter().map(|fault| format!("item {}: {fault}", place + 1))),
                },
            }
        }
        if faults.is_empty() { self.accept(&Value::List(values)) } else { Err(faults) }
    }

    fn convert(&self, value: &Value, depth: usize) -> Result<Value, Vec<String>> {
        let wrong = |hint: &str| Err(vec![format!("{} is {}, not {}{hint}", shown(value), article(value), self.r#type.article())]);
        if depth > limits::VALUE_DEPTH {
            return Err(vec![format!("it nests deeper than {} levels", limits::VALUE_DEPTH)]);
        }
        match (self.r#type, value) {
            (InputType::Integer, Value::Int(_)) | (InputType::Boolean, Value::Bool(_)) => Ok(value.clone()),
            (InputType::Duration, Value::Duration(_)) | (InputType::Time, Value::Time(_)) => Ok(value.clone()),
            (InputType::Number, Value::Float(number)) if number.is_finite() => Ok(value.clone()),
            // Every whole number up to 2^53 is a number exactly.
            (InputType::Number, Value::Int(number)) if number.unsigned_abs() <= 1 << 53 => Ok(Value::Float(*number as f64)),
            (InputType::Number, Value::Int(_)) => wrong(" without losing digits"),
            (InputType::Duration, Value::Text(text)) => parse_duration(text).map(Value::Duration).map_err(|fault| vec![fault]),
            (InputType::Time, Value::Text(text)) => match text.parse() {
                Ok(time) => Ok(Value::Time(time)),
                Err(_) => {
                    Err(vec![format!("`{}` is not a time; write one with its zone, such as `2026-01-02T03:04:05Z`", clip(text))])
                }
            },
            (InputType::Boolean, Value::Text(text)) if matches!(text.as_str(), "yes" | "no" | "on" | "off") => {
                wrong("; write `true` or `false`")
            }
            (InputType::List, Value::List(items)) => self.convert_list(items, depth),
            (InputType::Map, Value::Map(members)) => self.convert_map(members, depth),
            (kind, Value::Text(text)) if kind.is_text() => {
                if text.len() > limits::TEXT_BYTES {
                    return Err(vec![format!("it is longer than {} bytes", limits::TEXT_BYTES)]);
                }
                syntax(kind, text).map_err(|fault| vec![fault])?;
                Ok(value.clone())
            }
            (kind, Value::Int(_) | Value::Float(_) | Value::Bool(_)) if kind.is_text() => wrong("; quote it to make it one"),
            _ => wrong(""),
        }
    }

    fn convert_list(&self, items: &[Value], depth: usize) -> Result<Value, Vec<String>> {
        if items.len() > limits::COLLECTION_LEN {
            return Err(vec![format!("it has more than {} items", limits::COLLECTION_LEN)]);
        }
        let mut faults = Vec::new();
        let mut values = Vec::new();
        for (place, item) in items.iter().enumerate() {
            match self.inner(item, depth) {
                Ok(value) => values.push(value),
                Err(inner) => faults.extend(inner.into_iter().map(|fault| format!("item {}: {fault}", place + 1))),
            }
        }
        if faults.is_empty() { Ok(Value::List(values)) } else { Err(faults) }
    }

    fn convert_map(&self, members: &Map, depth: usize) -> Result<Value, Vec<String>> {
        if members.len() > limits::COLLECTION_LEN {
            return Err(vec![format!("it has more than {} members", limits::COLLECTION_LEN)]);
        }
        let mut faults = Vec::new();
        let mut values = Map::new();
        for (key, member) in members {
            match self.inner(member, depth) {
                Ok(value) => drop(values.insert(key.clone(), value)),
                Err(inner) => faults.extend(inner.into_iter().map(|fault| format!("`{}`: {fault}", clip(key)))),
            }
        }
        if faults.is_empty() { Ok(Value::Map(values)) } else { Err(faults) }
    }

    /// An item of a list or a member of a map: anything, where `items` does not say.
    fn inner(&self, value: &Value, depth: usize) -> Result<Value, Vec<String>> {
        match &self.items {
            Some(items) => items.accept(value),
            None if too_deep(value, depth + 1) => Err(vec![format!("it nests deeper than {} levels", limits::VALUE_DEPTH)]),
            None => Ok(value.clone()),
        }
    }

    fn judge_bounds(&self, value: &Value, faults: &mut Vec<String>) {
        let length = |length: usize, unit: &str| {
            let said = format!("it has {length} {unit}{}, which", if length == 1 { "" } else { "s" });
            (Value::Int(i64::try_from(length).unwrap_or(i64::MAX)), said)
        };
        let (measured, said) = match value {
            Value::Text(text) => length(text.chars().count(), "character"),
            Value::List(items) => length(items.len(), "item"),
            Value::Map(members) => length(members.len(), "member"),
            other => (other.clone(), shown(other)),
        };
        if let Some(min) = &self.min
            && compare(&measured, min) == Some(Ordering::Less)
        {
            faults.push(format!("{said} is less than {}", shown(min)));
        }
        if let Some(max) = &self.max
            && compare(&measured, max) == Some(Ordering::Greater)
        {
            faults.push(format!("{said} is more than {}", shown(max)));
        }
    }

    fn judge_pattern(&self, value: &Value, faults: &mut Vec<String>) {
        let (Some(pattern), Value::Text(text)) = (&self.pattern, value) else { return };
        match Pattern::compile(pattern).and_then(|compiled| compiled.matches(text)) {
            Ok(true) => {}
            Ok(false) => faults.push(format!("{} does not match the pattern `{}`", shown(value), clip(pattern))),
            Err(fault) => faults.push(fault),
        }
    }
}

/// Judges all inputs of a run at once: unknown names, missing ones, and every fault of every value. The result has each
/// declared input; one that is optional, was not given and has no default is null.
pub fn accept_all(specs: &[InputSpec], given: Map) -> Result<Map, Vec<(String, String)>> {
    let mut faults = Vec::new();
    let mut accepted = Map::new();
    let names: BTreeSet<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    for name in given.keys().filter(|name| !names.contains(name.as_str())) {
        let mut fault = "there is no such input".to_owned();
        if let Some(near) = nearest(name, names.iter().copied()) {
            fault.push_str(&format!("; did you mean `{near}`?"));
        }
        faults.push((name.clone(), fault));
    }
    for InputSpec { name, value: spec } in specs {
        let name = name.as_str().to_owned();
        let outcome = match given.get(&name) {
            Some(Value::Null) if !spec.required => Ok(spec.default.clone().unwrap_or_default()),
            Some(value) => spec.accept(value),
            None if spec.required && spec.default.is_none() => Err(vec!["it is missing".to_owned()]),
            None => Ok(spec.default.clone().unwrap_or_default()),
        };
        match outcome {
            Ok(value) => drop(accepted.insert(name, value)),
            Err(found) => faults.extend(found.into_iter().map(|fault| (name.clone(), fault))),
        }
    }
    if faults.is_empty() { Ok(accepted) } else { Err(faults) }
}

/// A regular expression that must match the whole of a value.
pub(super) struct Pattern(Regex);

impl Pattern {
    pub(super) fn compile(pattern: &str) -> Result<Pattern, String> {
        if pattern.len() > limits::PATTERN_BYTES {
            return Err(format!("the pattern is longer than {} bytes", limits::PATTERN_BYTES));
        }
        let build = |text: &str| {
            RegexBuilder::new(text)
                .backtrack_limit(limits::PATTERN_BACKTRACK)
                .delegate_size_limit(limits::PATTERN_PROGRAM)
                .delegate_dfa_size_limit(limits::PATTERN_PROGRAM)
                .build()
        };
        let wrong = |error: fancy_regex::Error| format!("the pattern is not a regular expression: {}", clip(&error.to_string()));
        // Alone first: `a)(b` is no pattern, though it would be one inside the brackets.
        build(pattern).map_err(wrong)?;
        build(&format!(r"\A(?:{pattern})\z")).map(Pattern).map_err(wrong)
    }

    fn matches(&self, text: &str) -> Result<bool, String> {
        self.0.is_match(text).map_err(|_| "matching the pattern takes too long".to_owned())
    }
}

/// What a text of this type looks like.
fn syntax(kind: InputType, text: &str) -> Result<(), String> {
    match kind {
        InputType::Path if text.is_empty() => Err("an empty text is not a path".to_owned()),
        InputType::Path if text.contains(char::is_control) => Err(format!("`{}` holds a control character", clip(text))),
        InputType::Host if !is_host(text) => Err(format!("`{}` is not a host name or an address", clip(text))),
        InputType::Url => url(text),
        _ => Ok(()),
    }
}

pub(in crate::document) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        let inside = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        label.len() <= 63 && inside && edge(label.bytes().next()) && edge(label.bytes().last())
    };
    // Digits and dots alone are an address, and must be a right one.
    let numeric = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let name = text.len() <= 253 && !numeric && text.split('.').all(label);
    name || text.parse::<std::net::IpAddr>().is_ok()
}

fn url(text: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("`{}` is not a URL: {why}", clip(text)));
    let Some((scheme, rest)) = text.split_once("://") else { return wrong("write one such as `https://example.org/path`") };
    let plain = scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b));
    if !plain || !scheme.starts_with(|c: char| c.is_ascii_lowercase()) {
        return wrong("it begins with no scheme");
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control() || "\\\"<>^`{|}".contains(c)) {
        return wrong("it holds a character that must be percent-encoded");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("it names a user; credentials belong in `secrets`".to_owned());
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => match inner.split_once(']') {
            Some((address, port))
                if address.parse::<std::net::Ipv6Addr>().is_ok() && (port.is_empty() || port.starts_with(':')) =>
            {
                ("localhost", port.strip_prefix(':'))
            }
            _ => return wrong("the address in `[…]` is not one"),
        },
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if !is_host(host) {
        return wrong("it names no host");
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return wrong("its port is not one");
    }
    Ok(())
}

/// The order of two values of one type.
pub(super) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn too_deep(value: &Value, depth: usize) -> bool {
    depth > limits::VALUE_DEPTH
        || match value {
            Value::List(items) => items.iter().any(|item| too_deep(item, depth + 1)),
            Value::Map(members) => members.values().any(|member| too_deep(member, depth + 1)),
            _ => false,
        }
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn article(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Int(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Text(_) => "text",
        Value::Duration(_) => "a duration",
        Value::Time(_) => "a time",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Unknown(_) => "not known yet",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("`{}`", clip(text)),
        Value::Duration(duration) => format_duration(*duration),
        Value::Null => "null".to_owned(),
        other => clip(&other.to_plain_json().to_string()),
    }
}

fn list(values: &[Value]) -> String {
    const SHOWN: usize = 12;
    let mut text = values.iter().take(SHOWN).map(shown).collect::<Vec<_>>().join(", ");
    if values.len() > SHOWN {
        text.push_str(&format!(" and {} more", values.len() - SHOWN));
    }
    text
}

/// A text from outside within a message: escaped, and short.
fn clip(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut short = String::new();
    for c in text.chars().take(SHOWN) {
        match c {
            // As they were written: a pattern is full of them.
            '\\' | '"' | '\'' => short.push(c),
            other => short.extend(other.escape_debug()),
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        short.push('…');
    }
    short
}
