//! The one data type of inputs, outputs, results and answers: JSON, and beside it durations, points in time, and,
//! in predictions only, values that cannot be known yet.
//!
//! As JSON, an integer that a double cannot hold is `{"$int": "9007199254740993"}` (canonical JSON would round it, and two
//! values would have one digest), a duration is `{"$duration": "1m 30s"}`, a time `{"$time": "2026-01-02T03:04:05Z"}`, an unknown
//! `{"$unknown": "steps.lag.seconds"}`, and a map of the user's whose only key starts with `$` is wrapped in
//! `{"$map": …}`, so that reading back gives exactly what was written.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits;

pub type Map = BTreeMap<String, Value>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Duration(Duration),
    Time(Timestamp),
    List(Vec<Value>),
    Map(Map),
    /// Stands for a value that only a real run can give. The text says which: `steps.lag.seconds`.
    Unknown(String),
}

/// A JSON value that is none of ours.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(pub String);

impl Value {
    /// The name of the type, as inputs declare it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) => "integer",
            Value::Float(_) => "number",
            Value::Text(_) => "string",
            Value::Duration(_) => "duration",
            Value::Time(_) => "time",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Unknown(_) => "unknown",
        }
    }

    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// The member of a map.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// The name of the first unknown inside, if any.
    pub fn first_unknown(&self) -> Option<&str> {
        match self {
            Value::Unknown(name) => Some(name),
            Value::List(items) => items.iter().find_map(Value::first_unknown),
            Value::Map(map) => map.values().find_map(Value::first_unknown),
            _ => None,
        }
    }

    /// Plain JSON as a user would write it: durations and times as their texts, no `$` wrappers.
    pub fn to_plain_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(i) => Json::from(*i),
            Value::Float(f) => serde_json::Number::from_f64(*f).map_or(Json::Null, Json::Number),
            Value::Text(t) => Json::String(t.clone()),
            Value::Duration(d) => Json::String(format_duration(*d)),
            Value::Time(t) => Json::String(t.to_string()),
            Value::List(items) => items.iter().map(Value::to_plain_json).collect(),
            Value::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.clone(), v.to_plain_json())).collect()),
            Value::Unknown(name) => Json::String(format!("‹{name}›")),
        }
    }

    /// Reads JSON from outside: nothing in it is interpreted, `$` keys included. An integer beyond 64 bits is refused
    /// rather than rounded.
    pub fn from_plain_json(json: serde_json::Value) -> Result<Value, InvalidValue> {
        use serde_json::Value as Json;
        Ok(match json {
            Json::Null => Value::Null,
            Json::Bool(b) => Value::Bool(b),
            Json::Number(n) => number(&n)?,
            Json::String(t) => Value::Text(t),
            Json::Array(items) => Value::List(items.into_iter().map(Value::from_plain_json).collect::<Result<_, _>>()?),
            Json::Object(map) => {
                Value::Map(map.into_iter().map(|(k, v)| Ok((k, Value::from_plain_json(v)?))).collect::<Result<_, _>>()?)
            }
        })
    }

    /// What a program or a server printed, as data, where it is JSON of bounded depth.
    pub fn from_output(text: &str) -> Option<Value> {
        let value = Value::from_plain_json(serde_json::from_str(text).ok()?).ok()?;
        (value.depth() <= limits::VALUE_DEPTH).then_some(value)
    }

    fn depth(&self) -> usize {
        match self {
            Value::List(items) => 1 + items.iter().map(Value::depth).max().unwrap_or_default(),
            Value::Map(map) => 1 + map.values().map(Value::depth).max().unwrap_or_default(),
            _ => 1,
        }
    }
}

fn number(n: &serde_json::Number) -> Result<Value, InvalidValue> {
    match (n.as_i64(), n.is_f64(), n.as_f64()) {
        (Some(i), _, _) => Ok(Value::Int(i)),
        (None, true, Some(f)) => Ok(Value::Float(f)),
        _ => Err(InvalidValue(format!("{n} does not fit 64 bits; write it as text"))),
    }
}

/// The largest integer up to which a double holds every one.
pub(crate) const EXACT: u64 = 1 << 53;

impl From<Value> for serde_json::Value {
    fn from(value: Value) -> serde_json::Value {
        use serde_json::{Value as Json, json};
        match value {
            Value::Int(i) if i.unsigned_abs() > EXACT => json!({ "$int": i.to_string() }),
            Value::Duration(d) => json!({ "$duration": format_duration(d) }),
            Value::Time(t) => json!({ "$time": t.to_string() }),
            Value::Unknown(name) => json!({ "$unknown": name }),
            Value::List(items) => items.into_iter().map(Json::from).collect(),
            Value::Map(map) => {
                let wrapped = map.len() == 1 && map.keys().all(|k| k.starts_with('$'));
                let object = Json::Object(map.into_iter().map(|(k, v)| (k, Json::from(v))).collect());
                if wrapped { json!({ "$map": object }) } else { object }
            }
            plain => plain.to_plain_json(),
        }
    }
}

impl TryFrom<serde_json::Value> for Value {
    type Error = InvalidValue;

    fn try_from(json: serde_json::Value) -> Result<Value, InvalidValue> {
        use serde_json::Value as Json;
        match json {
            Json::Array(items) => Ok(Value::List(items.into_iter().map(Value::try_from).collect::<Result<_, _>>()?)),
            Json::Object(map) => {
                if map.len() == 1
                    && let Some((key, inner)) = map.iter().next()
                {
                    match (key.as_str(), inner) {
                        ("$duration", Json::String(text)) => {
                            return parse_duration(text).map(Value::Duration).map_err(InvalidValue);
                        }
                        ("$int", Json::String(text)) => {
                            return text.parse().map(Value::Int).map_err(|e| InvalidValue(format!("{e}")));
                        }
                        ("$time", Json::String(text)) => {
                            return text.parse().map(Value::Time).map_err(|e| InvalidValue(format!("{e}")));
                        }
                        ("$unknown", Json::String(name)) => return Ok(Value::Unknown(name.clone())),
                        ("$map", Json::Object(inner)) => return read_map(inner.clone()),
                        _ => {}
                    }
                }
                read_map(map)
            }
            plain => Value::from_plain_json(plain),
        }
    }
}

fn read_map(map: serde_json::Map<String, serde_json::Value>) -> Result<Value, InvalidValue> {
    Ok(Value::Map(map.into_iter().map(|(k, v)| Ok((k, Value::try_from(v)?))).collect::<Result<_, _>>()?))
}

const UNITS: [(&str, u64); 6] = [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads `90s`, `1h 30m`, `1.5h`, `250ms`, `2w`. A bare number is refused: a unit is part of a duration.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("`{}` is not a duration; write a number and a unit, such as `30s`, `1h 30m` or `7d`", text.escape_debug());
    let mut rest = text.trim();
    let mut total_ms = 0f64;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let amount: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, ms) = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters]).ok_or_else(wrong)?;
        total_ms += amount * *ms as f64;
        rest = rest[letters..].trim_start();
    }
    if total_ms > crate::limits::DURATION.as_millis() as f64 {
        return Err(format!("`{}` is longer than ten years", text.escape_debug()));
    }
    Ok(Duration::from_millis(total_ms.round() as u64))
}

/// The bytes of a text inside JSON.
pub(crate) fn json_bytes(text: &str) -> usize {
    let of = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(of).sum()
}

/// Writes a duration so that [`parse_duration`] reads it back: `1h 30m`, `250ms`, `0s`.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut parts = Vec::new();
    for (unit, ms) in &UNITS[1..] {
        if rest >= *ms {
            parts.push(format!("{}{unit}", rest / ms));
            rest %= ms;
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back() {
        for (text, ms, canonical) in [
            ("30s", 30_000, "30s"),
            ("1h 30m", 5_400_000, "1h 30m"),
            ("1.5h", 5_400_000, "1h 30m"),
            ("250ms", 250, "250ms"),
            ("2w", 1_209_600_000, "14d"),
            ("0s", 0, "0s"),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration, Duration::from_millis(ms), "{text}");
            assert_eq!(format_duration(duration), canonical);
            assert_eq!(parse_duration(canonical).unwrap(), duration);
        }
        for wrong in ["", "30", "s", "1x", "-1s", "1s2", "99999d", "1..2s", "٣s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn different_integers_have_different_digests() {
        for (a, b) in [(9_007_199_254_740_993, 9_007_199_254_740_992), (i64::MAX, i64::MAX - 1), (i64::MIN, i64::MIN + 1)] {
            let digest = |i| crate::Digest::of_json(&Value::Int(i)).unwrap();
            assert_ne!(digest(a), digest(b));
        }
    }

    #[test]
    fn every_value_reads_back() {
        let tricky = Value::Map(Map::from([("$duration".to_owned(), Value::text("not one"))]));
        for value in [
            Value::Null,
            Value::Int(i64::MAX),
            Value::Int(i64::MIN),
            Value::Int(1 << 53),
            Value::Float(0.1),
            Value::Float(1.0),
            Value::Float(22.009999999999998),
            Value::Duration(Duration::from_secs(90)),
            Value::Time("2026-01-02T03:04:05Z".parse().unwrap()),
            Value::Unknown("steps.a".to_owned()),
            tricky.clone(),
            Value::Map(Map::from([("$map".to_owned(), tricky)])),
        ] {
            let json = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value, "{json}");
        }
    }
}
