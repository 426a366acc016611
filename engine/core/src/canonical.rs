//! Canonical JSON (RFC 8785): one text for one value, so that equal values have equal digests. Members stand in the order of the
//! UTF-16 units of their names, numbers are doubles as ECMAScript writes them, and there is no space.
//!
//! The text is written once, and an object whose members came in another order is put in order where it stands.

use std::io;
use std::ops::Range;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

use crate::value::EXACT;

/// Canonical JSON.
pub struct Written {
    pub text: String,
    /// Whether the text surely reads back as the same value: not where it has a fraction, `1.0` being written as `1`, or an
    /// integer that a double cannot hold.
    pub exact: bool,
}

/// The canonical JSON of `value`.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    write(value).map(|written| written.text)
}

/// The canonical JSON of `value`, and whether it reads back as the same.
pub fn write<T: Serialize + ?Sized>(value: &T) -> Result<Written, serde_json::Error> {
    let (mut text, mut exact) = (Vec::new(), true);
    // A formatter is told the writer anew for each word and cannot go back in it, so this one has the text itself.
    let formatter = Canonical { text: &mut text, exact: &mut exact, open: Vec::new() };
    value.serialize(&mut Serializer::with_formatter(io::sink(), formatter))?;
    Ok(Written { text: String::from_utf8(text).map_err(serde::ser::Error::custom)?, exact })
}

struct Canonical<'t> {
    text: &'t mut Vec<u8>,
    exact: &'t mut bool,
    /// The objects that are being written, the innermost last.
    open: Vec<Vec<Member>>,
}

/// Where a member stands in the text.
struct Member {
    name: Range<usize>,
    end: usize,
}

impl Canonical<'_> {
    fn number(&mut self, number: f64, exact: bool) -> io::Result<()> {
        *self.exact &= exact;
        self.text.extend_from_slice(ryu_js::Buffer::new().format(number).as_bytes());
        Ok(())
    }

    /// Puts the members of one object in order.
    fn arrange(&mut self, mut members: Vec<Member>) -> io::Result<()> {
        let text = &*self.text;
        let quoted = |member: &Member| text.get(member.name.clone()).unwrap_or_default();
        // Between the quotes: a space and `!` come before them.
        let name =
            |member: &Member| quoted(member).strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or_default();
        let start = members.first().map_or(0, |member| member.name.start);
        let mut failed = None;
        if members.iter().all(|member| name(member).iter().all(|byte| byte.is_ascii() && *byte != b'\\')) {
            if members.is_sorted_by(|a, b| name(a) < name(b)) {
                return Ok(());
            }
            members.sort_by(|a, b| name(a).cmp(name(b)));
        } else {
            members.sort_by_cached_key(|member| {
                let units = serde_json::from_slice::<String>(quoted(member)).map(|name| name.encode_utf16().collect::<Vec<_>>());
                units.unwrap_or_else(|error| {
                    failed = Some(error);
                    Vec::new()
                })
            });
        }
        let mut arranged = Vec::with_capacity(self.text.len() - start);
        for member in &members {
            if !arranged.is_empty() {
                arranged.push(b',');
            }
            arranged.extend_from_slice(self.text.get(member.name.start..member.end).unwrap_or_default());
        }
        self.text.truncate(start);
        self.text.append(&mut arranged);
        failed.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// What JSON without spaces and canonical JSON write alike.
macro_rules! alike {
    ($($name:ident($($argument:ident: $type:ty)?);)*) => {$(
        fn $name<W: ?Sized + io::Write>(&mut self, _: &mut W $(, $argument: $type)?) -> io::Result<()> {
            CompactFormatter.$name(self.text $(, $argument)?)
        }
    )*};
}

macro_rules! integers {
    ($($name:ident($type:ty);)*) => {$(
        fn $name<W: ?Sized + io::Write>(&mut self, _: &mut W, number: $type) -> io::Result<()> {
            let double = number as f64;
            self.number(double, double.abs() < EXACT as f64)
        }
    )*};
}

impl Formatter for Canonical<'_> {
    alike! {
        write_null();
        write_bool(value: bool);
        begin_string();
        end_string();
        write_string_fragment(fragment: &str);
        write_char_escape(escape: CharEscape);
        begin_array();
        end_array();
        begin_array_value(first: bool);
        begin_object_value();
    }

    integers! {
        write_i8(i8);
        write_i16(i16);
        write_i32(i32);
        write_i64(i64);
        write_i128(i128);
        write_u8(u8);
        write_u16(u16);
        write_u32(u32);
        write_u64(u64);
        write_u128(u128);
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, _: &mut W, number: f32) -> io::Result<()> {
        self.number(number.into(), false)
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, _: &mut W, number: f64) -> io::Result<()> {
        self.number(number, false)
    }

    fn write_number_str<W: ?Sized + io::Write>(&mut self, _: &mut W, number: &str) -> io::Result<()> {
        self.number(number.parse().map_err(io::Error::other)?, false)
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        Err(io::Error::other("JSON that is text already has no canonical form"))
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.open.push(Vec::new());
        CompactFormatter.begin_object(self.text)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W, first: bool) -> io::Result<()> {
        CompactFormatter.begin_object_key(self.text, first)?;
        let at = self.text.len();
        if let Some(members) = self.open.last_mut() {
            members.push(Member { name: at..at, end: at });
        }
        Ok(())
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        if let Some(member) = self.open.last_mut().and_then(|members| members.last_mut()) {
            member.name.end = self.text.len();
        }
        Ok(())
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        if let Some(member) = self.open.last_mut().and_then(|members| members.last_mut()) {
            member.end = self.text.len();
        }
        Ok(())
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        let members = self.open.pop().unwrap_or_default();
        self.arrange(members)?;
        CompactFormatter.end_object(self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn text(value: &Value) -> String {
        to_string(value).unwrap()
    }

    #[test]
    fn the_examples_of_the_standard() {
        let numbers: Value =
            serde_json::from_str("[333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001, -0.0]").unwrap();
        assert_eq!(text(&numbers), "[333333333.3333333,1e+30,4.5,0.002,1e-27,0]");
        assert_eq!(text(&json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/")), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
        let names = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        let ordered = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}";
        assert_eq!(text(&names), ordered);
    }

    #[test]
    fn members_of_a_type_are_sorted_as_those_of_a_map() {
        #[derive(Serialize)]
        struct Inner {
            z: u64,
            a: Option<&'static str>,
        }
        #[derive(Serialize)]
        struct Outer {
            last: Vec<Inner>,
            first: Inner,
        }
        let inner = || Inner { z: 1, a: None };
        let outer = Outer { last: vec![inner(), inner()], first: Inner { z: 2, a: Some("x") } };
        let expected = r#"{"first":{"a":"x","z":2},"last":[{"a":null,"z":1},{"a":null,"z":1}]}"#;
        assert_eq!(to_string(&outer).unwrap(), expected);
        #[derive(Serialize)]
        struct Prefix {
            #[serde(rename = "a!")]
            longer: u64,
            a: u64,
        }
        assert_eq!(to_string(&Prefix { longer: 1, a: 2 }).unwrap(), r#"{"a":2,"a!":1}"#);
    }

    #[test]
    fn what_does_not_read_back_is_told() {
        for (value, exact) in [
            (json!({"b": [1, -1, 9_007_199_254_740_991_u64], "a": "1.5"}), true),
            (json!([1.0]), false),
            (json!([0.1]), false),
            (json!([9_007_199_254_740_993_u64]), false),
            (json!([i64::MIN]), false),
        ] {
            let written = write(&value).unwrap();
            assert_eq!(written.exact, exact, "{value}");
            assert!(!exact || serde_json::from_str::<Value>(&written.text).unwrap() == value, "{value}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let name = prop_oneof!["[a-z]{0,3}", "[\\PC\\x00-\\x1f\"\\\\]{0,4}", "[\u{e000}-\u{ffff}\u{10000}-\u{10fff}]{1,2}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[\\PC\\x00-\\x1f]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(name.clone(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn another_implementation_agrees(value in any_json()) {
            prop_assert_eq!(text(&value), serde_jcs::to_string(&value).unwrap());
        }
    }
}
