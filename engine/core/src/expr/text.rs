//! How a value is written into a text, and how it is escaped on its way into a URL. A value is written once and never read as
//! a template again.

use crate::value::{Value, format_duration};

/// The value as a person would write it: text as it is, `1m 30s`, `0.1`, JSON for lists and maps, nothing for nothing,
/// `‹name›` for what is not known yet.
pub fn plain_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) => number_text(*f),
        Value::Text(text) => text.clone(),
        Value::Duration(duration) => format_duration(*duration),
        Value::Time(time) => time.to_string(),
        Value::List(_) | Value::Map(_) => to_json(value),
        Value::Unknown(name) => format!("‹{name}›"),
    }
}

/// A floating-point number without noise: `420`, `0.1`, `1e300`.
pub(super) fn number_text(number: f64) -> String {
    let magnitude = number.abs();
    if number == 0.0 || (1e-7..1e17).contains(&magnitude) || !number.is_finite() {
        number.to_string()
    } else {
        format!("{number:e}")
    }
}

/// One line of JSON as a user would write it: durations and times as their texts.
pub fn to_json(value: &Value) -> String {
    value.to_plain_json().to_string()
}

/// Reads JSON from outside. Integers are kept exact; one that does not fit 64 bits is refused rather than rounded.
pub fn parse_json(text: &str) -> Result<Value, String> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    if let Some(number) = inexact_integer(text) {
        return Err(format!("{number} does not fit 64 bits; write it as text"));
    }
    let value = Value::from_plain_json(json).map_err(|error| error.to_string())?;
    if depth(&value) > crate::limits::VALUE_DEPTH {
        return Err(format!("JSON nested more than {} deep", crate::limits::VALUE_DEPTH));
    }
    Ok(value)
}

/// The first integer of a JSON text that 64 bits cannot hold: `serde_json` would read it as a rounded float.
fn inexact_integer(json: &str) -> Option<&str> {
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(byte) = bytes.get(at).filter(|byte| **byte != b'"') {
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let rest = json.get(at..).unwrap_or_default();
                let end = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
                let number = rest.get(..end).unwrap_or_default();
                if !number.contains(['.', 'e', 'E']) && number.parse::<i64>().is_err() {
                    return Some(number);
                }
                at += end.max(1);
            }
            _ => at += 1,
        }
    }
    None
}

pub(super) fn depth(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986, so that a value stays inside the segment, parameter
/// or fragment it stands in.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Whether a path segment of a URL is `.` or `..`, plain or encoded.
pub(super) fn climbs(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    path.split(['/', '\\']).skip(1).any(|segment| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."))
}

/// Escapes `value` for the place behind `before` in a URL. In front of the path a value is the scheme, host or port and must
/// be a host name, an address or a number.
pub(super) fn escape_in_url(before: &str, value: &str) -> Result<String, String> {
    if before.is_empty() {
        // The whole address comes from one value: its parts are the author's choice, its scheme is not.
        return if value.starts_with("https://") || value.starts_with("http://") {
            if value.chars().any(|c| c.is_control() || c.is_whitespace()) {
                Err(format!("`{}` is not a URL: it has white space or control characters", value.escape_debug()))
            } else {
                Ok(value.to_owned())
            }
        } else {
            Err(format!("`{}` is not a URL; it starts neither with `https://` nor with `http://`", value.escape_debug()))
        };
    }
    let authority = before.split_once("://").map_or(before, |(_, rest)| rest);
    if !authority.contains(['/', '?', '#']) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        return if !value.is_empty() && value.chars().all(plain) {
            Ok(value.to_owned())
        } else {
            Err(format!("`{}` is neither a host nor a port", value.escape_debug()))
        };
    }
    Ok(percent_encode(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_people_write_them() {
        for (value, expect) in [
            (Value::Null, ""),
            (Value::Bool(true), "true"),
            (Value::Int(-5), "-5"),
            (Value::Float(420.0), "420"),
            (Value::Float(0.1), "0.1"),
            (Value::Float(1e300), "1e300"),
            (Value::Float(-0.0), "-0"),
            (Value::text("a\nb"), "a\nb"),
            (Value::Duration(std::time::Duration::from_secs(90)), "1m 30s"),
            (Value::List(vec![Value::Int(1), Value::text("a\"b")]), r#"[1,"a\"b"]"#),
            (Value::Unknown("steps.a.b".into()), "‹steps.a.b›"),
        ] {
            assert_eq!(plain_text(&value), expect);
        }
    }

    #[test]
    fn json_is_exact_or_refused() {
        assert_eq!(parse_json("9007199254740993").unwrap(), Value::Int(9_007_199_254_740_993));
        assert_eq!(parse_json(r#""\\\"99999999999999999999""#).unwrap(), Value::text("\\\"99999999999999999999"));
        assert_eq!(
            parse_json("[-9223372036854775808, 1e3]").unwrap(),
            Value::List(vec![Value::Int(i64::MIN), Value::Float(1000.0)])
        );
        for wrong in ["18446744073709551616", "[1, -9223372036854775809]", "9223372036854775808", "{", "", "[1,]", &"[".repeat(100)]
        {
            assert!(parse_json(wrong).is_err(), "{wrong}");
        }
        assert!(parse_json(&format!("{}{}", "[".repeat(65), "]".repeat(65))).is_err());
        assert!(parse_json(&format!("{}{}", "[".repeat(64), "]".repeat(64))).is_ok());
    }

    #[test]
    fn a_value_stays_in_its_part_of_a_url() {
        for (before, value, expect) in [
            ("https://h/a/", "b c/../d?e#f", Some("b%20c%2F..%2Fd%3Fe%23f")),
            ("https://h/a?x=", "1&y=2", Some("1%26y%3D2")),
            ("https://h/", "ü", Some("%C3%BC")),
            ("https://", "db-1.example:5432", Some("db-1.example:5432")),
            ("https://", "user@evil", None),
            ("https://", "evil/path", None),
            ("https://api.", "evil#", None),
            ("https://", "", None),
            ("", "https://h/a?b", Some("https://h/a?b")),
            ("", "file:///etc/passwd", None),
            ("", "http://h/\nX", None),
        ] {
            assert_eq!(escape_in_url(before, value).ok().as_deref(), expect, "{before} {value}");
        }
    }
}
