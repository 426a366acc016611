//! Parts of what was sent, and the names that events get from them.

use std::fmt::Write;

use jiff::Timestamp;
use runbook_core::limits;
use runbook_core::value::{Map, Value};
use sha2::{Digest, Sha256};

/// What stands at a path of members.
pub(super) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, member| value.get(member))
}

/// The text at a path, where it is one that says something.
pub(super) fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    match at(value, path) {
        Some(Value::Text(text)) if !text.trim().is_empty() => Some(text),
        _ => None,
    }
}

/// A text, number or truth at a path, as text: what can be a name.
pub(super) fn name(value: &Value, path: &[&str]) -> Option<String> {
    match at(value, path)? {
        Value::Text(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

pub(super) fn map<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Map> {
    match at(value, path) {
        Some(Value::Map(map)) => Some(map),
        _ => None,
    }
}

pub(super) fn list<'v>(value: &'v Value, path: &[&str]) -> Option<&'v [Value]> {
    match at(value, path) {
        Some(Value::List(list)) => Some(list),
        _ => None,
    }
}

/// The time at a path. The first day of the first year is how Go writes that there is none.
pub(super) fn time(value: &Value, path: &[&str]) -> Option<Timestamp> {
    parse_time(text(value, path)?)
}

pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    let time: Timestamp = text.trim().parse().ok()?;
    (!text.trim().starts_with("0001-01-01T")).then_some(time)
}

/// A number of seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by its size.
pub(super) fn since_1970(number: i64) -> Option<Timestamp> {
    match number.unsigned_abs() {
        0..100_000_000_000 => Timestamp::from_second(number).ok(),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_millisecond(number).ok(),
        100_000_000_000_000..100_000_000_000_000_000 => Timestamp::from_microsecond(number).ok(),
        _ => Timestamp::from_nanosecond(i128::from(number)).ok(),
    }
}

/// An id or a key: a very long one is told apart by its hash as well.
pub fn bounded(name: String) -> String {
    match name.len() > limits::EVENT_NAME_BYTES {
        true => format!("sha256:{}", hash(name.as_bytes())),
        false => name,
    }
}

/// What is read by people alone: its beginning is enough.
pub(super) fn clipped(text: &str) -> String {
    if text.len() <= limits::EVENT_NAME_BYTES {
        return text.to_owned();
    }
    let mut end = limits::EVENT_NAME_BYTES - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

pub(super) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The hash of a value that names itself in no other way.
pub(super) fn hash_of(value: &Value) -> String {
    hash(value.to_plain_json().to_string().as_bytes())
}
