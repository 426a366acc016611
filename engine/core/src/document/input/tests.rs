use std::time::Duration;

use serde_json::json;

use super::*;
use crate::diagnostic::{Code, Source};
use crate::document::{Document, load};
use crate::plan::{InputSpec, ValueSpec};
use crate::value::{Map, Value};

/// The inputs of a runbook that declares them so, and the faults of the declarations.
fn declared(inputs: &str) -> (Vec<InputSpec>, Vec<(Code, String)>) {
    let head = "apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: 1.0.0\nsteps: [{run: x}]\ninputs:\n";
    let (document, diagnostics) = load(&Source::new("test.yaml", format!("{head}{inputs}")));
    let faults = diagnostics.into_sorted().into_iter().map(|fault| (fault.code, fault.message)).collect();
    let Some(Document::Procedure(procedure)) = document else { panic!("a procedure") };
    (procedure.inputs.iter().map(|(name, input)| InputSpec::of(name.value.clone(), input)).collect(), faults)
}

fn spec(declaration: &str) -> ValueSpec {
    let (specs, faults) = declared(&format!("  x: {declaration}\n"));
    assert_eq!(faults, [], "{declaration}");
    specs.into_iter().next().unwrap().value
}

fn seconds(seconds: u64) -> Value {
    Value::Duration(Duration::from_secs(seconds))
}

#[test]
fn values_are_taken_in_their_own_type() {
    for (declaration, given, expect) in [
        ("{type: string}", json!("a"), Value::text("a")),
        ("{type: integer}", json!(5), Value::Int(5)),
        ("{type: number}", json!(5), Value::Float(5.0)),
        ("{type: number}", json!(0.5), Value::Float(0.5)),
        ("{type: boolean}", json!(false), Value::Bool(false)),
        ("{type: duration}", json!("1h 30m"), seconds(5400)),
        ("{type: time}", json!("2026-01-02T03:04:05Z"), Value::Time("2026-01-02T03:04:05Z".parse().unwrap())),
        ("{type: enum, choices: [a, b]}", json!("b"), Value::text("b")),
        ("{type: list}", json!([1, "a"]), Value::List(vec![Value::Int(1), Value::text("a")])),
        ("{type: list, items: {type: duration}}", json!(["1s"]), Value::List(vec![seconds(1)])),
        ("{type: map, items: {type: number}}", json!({"a": 1}), Value::Map(Map::from([("a".to_owned(), Value::Float(1.0))]))),
        ("{type: path}", json!("/srv/a b"), Value::text("/srv/a b")),
        ("{type: url}", json!("https://example.org:8443/a?b=c#d"), Value::text("https://example.org:8443/a?b=c#d")),
        ("{type: url}", json!("http://[::1]:80/"), Value::text("http://[::1]:80/")),
        ("{type: host}", json!("db-1.example.org"), Value::text("db-1.example.org")),
        ("{type: host}", json!("10.0.0.1"), Value::text("10.0.0.1")),
        ("{type: host}", json!("fe80::1"), Value::text("fe80::1")),
    ] {
        let value = Value::from_plain_json(given).unwrap();
        let accepted = spec(declaration).accept(&value);
        assert_eq!(accepted.as_ref(), Ok(&expect), "{declaration}");
        // What was accepted is accepted again, as it is.
        assert_eq!(spec(declaration).accept(&expect), Ok(expect), "{declaration}");
    }
}

#[test]
fn every_fault_of_a_value_is_told() {
    for (declaration, given, expect) in [
        ("{type: string}", json!(5), &["5 is a whole number, not a string; quote it to make it one"][..]),
        ("{type: string}", json!(null), &["null is nothing, not a string"]),
        ("{type: string, pattern: \"[a-z]+\"}", json!("ab1"), &["`ab1` does not match the pattern `[a-z]+`"]),
        ("{type: string, pattern: \"a|b\"}", json!("ax"), &["`ax` does not match the pattern `a|b`"]),
        ("{type: string, pattern: \"(?!-).*\"}", json!("-rf"), &["`-rf` does not match the pattern `(?!-).*`"]),
        (
            "{type: string, pattern: \"a*\", max: 2}",
            json!("bbb"),
            &["it has 3 characters, which is more than 2", "`bbb` does not match the pattern `a*`"],
        ),
        ("{type: string, pattern: '[0-9]+\\.[\"0-9]+'}", json!("a\\b"), &["`a\\b` does not match the pattern `[0-9]+\\.[\"0-9]+`"]),
        ("{type: string, pattern: \"[a-z]+\"}", json!("a\n"), &["`a\\n` does not match the pattern `[a-z]+`"]),
        ("{type: url}", json!("http://[::1]x/"), &["`http://[::1]x/` is not a URL: the address in `[…]` is not one"]),
        ("{type: integer}", json!(1.0), &["1.0 is a number, not an integer"]),
        ("{type: integer, min: 1, max: 5}", json!(9), &["9 is more than 5"]),
        (
            "{type: number}",
            json!(9_007_199_254_740_993_i64),
            &["9007199254740993 is a whole number, not a number without losing digits"],
        ),
        ("{type: boolean}", json!("yes"), &["`yes` is text, not a boolean; write `true` or `false`"]),
        ("{type: duration, min: 1s, max: 1m}", json!("2m"), &["2m is more than 1m"]),
        ("{type: duration}", json!(30), &["30 is a whole number, not a duration"]),
        (
            "{type: time}",
            json!("2026-01-02"),
            &["`2026-01-02` is not a time; write one with its zone, such as `2026-01-02T03:04:05Z`"],
        ),
        ("{type: enum, choices: [red, green]}", json!("gren"), &["`gren` is not one of `red`, `green`; did you mean `green`?"]),
        (
            "{type: list, items: {type: integer, max: 3}, min: 3}",
            json!([1, "a", 7]),
            &["item 2: `a` is text, not an integer", "item 3: 7 is more than 3"],
        ),
        ("{type: list, min: 3}", json!([1]), &["it has 1 item, which is less than 3"]),
        ("{type: map, items: {type: integer}}", json!({"k": "v"}), &["`k`: `v` is text, not an integer"]),
        ("{type: path}", json!("a\u{0}b"), &["`a\\0b` holds a control character"]),
        ("{type: url}", json!("example.org"), &["`example.org` is not a URL: write one such as `https://example.org/path`"]),
        ("{type: url}", json!("https://user:pw@example.org"), &["it names a user; credentials belong in `secrets`"]),
        ("{type: url}", json!("https://a b/"), &["`https://a b/` is not a URL: it holds a character that must be percent-encoded"]),
        ("{type: url}", json!("https:///x"), &["`https:///x` is not a URL: it names no host"]),
        ("{type: url}", json!("https://a:99999/"), &["`https://a:99999/` is not a URL: its port is not one"]),
        ("{type: host}", json!("-rf"), &["`-rf` is not a host name or an address"]),
        ("{type: host}", json!("999.1.1.1"), &["`999.1.1.1` is not a host name or an address"]),
        ("{type: host}", json!("a..b"), &["`a..b` is not a host name or an address"]),
    ] {
        let value = Value::from_plain_json(given).unwrap();
        let faults = spec(declaration).accept(&value).unwrap_err();
        assert_eq!(faults, expect, "{declaration}");
    }
}

#[test]
fn text_from_the_command_line_is_read_by_type() {
    for (declaration, text, expect) in [
        ("{type: string}", "007", Ok(Value::text("007"))),
        ("{type: integer}", "-7", Ok(Value::Int(-7))),
        ("{type: integer}", "7.5", Err("`7.5` is not a whole number")),
        ("{type: number}", "7", Ok(Value::Float(7.0))),
        ("{type: number}", "1e3", Ok(Value::Float(1000.0))),
        ("{type: number}", "inf", Err("`inf` is not a number")),
        ("{type: boolean}", "true", Ok(Value::Bool(true))),
        ("{type: boolean}", "1", Err("`1` is not `true` or `false`")),
        ("{type: duration}", "90s", Ok(seconds(90))),
        ("{type: list}", "[1]", Ok(Value::List(vec![Value::Int(1)]))),
        ("{type: list}", "a, b c", Ok(Value::List(vec![Value::text("a"), Value::text("b c")]))),
        ("{type: list}", " ", Ok(Value::List(vec![]))),
        ("{type: list}", "a,,b", Err("item 2 is empty; write the list in JSON if that is meant")),
        ("{type: list, min: 2}", "a", Err("it has 1 item, which is less than 2")),
        ("{type: list, items: {type: integer}}", "1, 2", Ok(Value::List(vec![Value::Int(1), Value::Int(2)]))),
        ("{type: list, items: {type: integer}}", "1, x", Err("item 2: `x` is not a whole number")),
        ("{type: list, items: {type: list}}", "a", Err("`a` is not JSON: expected value at line 1 column 1")),
        ("{type: list}", "[1", Err("`[1` is not JSON: EOF while parsing a list at line 1 column 2")),
        ("{type: map}", "[1]", Err("[1] is a list, not a map")),
    ] {
        let found = spec(declaration).accept_text(text).map_err(|faults| faults.join("; "));
        assert_eq!(found, expect.map_err(str::to_owned), "{declaration} {text}");
    }
}

#[test]
fn all_inputs_are_judged_at_once() {
    let (specs, faults) = declared(
        "  host: {type: host}\n  limit: {type: integer, max: 5}\n  pause: {type: duration, default: 30s}\n  note: {type: string, required: false}\n",
    );
    assert_eq!(faults, []);
    let given = |pairs: &[(&str, Value)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map>();
    let accepted = accept_all(&specs, given(&[("host", Value::text("a")), ("limit", Value::Int(1))])).unwrap();
    assert_eq!(
        accepted,
        given(&[("host", Value::text("a")), ("limit", Value::Int(1)), ("pause", seconds(30)), ("note", Value::Null)])
    );
    let faults =
        accept_all(&specs, given(&[("hots", Value::text("a")), ("limit", Value::Int(9)), ("zzz", Value::Null)])).unwrap_err();
    let faults: Vec<String> = faults.into_iter().map(|(name, fault)| format!("{name}: {fault}")).collect();
    assert_eq!(
        faults,
        [
            "hots: there is no such input; did you mean `host`?",
            "zzz: there is no such input",
            "host: it is missing",
            "limit: 9 is more than 5",
        ]
    );
}

#[test]
fn a_declaration_is_judged_too() {
    for (declaration, expect) in [
        (
            "{type: integer, default: a}",
            &[(Code::RB0024, "the default is not a value of this input: `a` is text, not an integer")][..],
        ),
        (
            "{type: string, pattern: '['}",
            &[(Code::RB0025, "the pattern is not a regular expression: Parsing error at position 1: Invalid character class")],
        ),
        ("{type: integer, pattern: a}", &[(Code::RB0024, "`pattern` belongs to a text, not to an integer")]),
        ("{type: integer, min: 5, max: 1}", &[(Code::RB0024, "`max` is less than `min`: no value can be right")]),
        ("{type: duration, min: 5}", &[(Code::RB0024, "`min` is not a duration: 5 is a whole number, not a duration")]),
        ("{type: string, min: -1}", &[(Code::RB0024, "`min` of a string is its length: a whole number from 0")]),
        ("{type: boolean, max: 1}", &[(Code::RB0024, "`max` does not belong to a boolean")]),
        ("{type: enum}", &[(Code::RB0024, "an enum has no `choices`")]),
        (
            "{type: enum, choices: [a], default: b}",
            &[(Code::RB0024, "the default is not a value of this input: `b` is not one of `a`")],
        ),
        ("{type: string, items: {type: integer}}", &[(Code::RB0024, "`items` belongs to a list or a map, not to a string")]),
        (
            "{type: host, examples: [a.b, -c]}",
            &[(Code::RB0024, "this example is not a value of this input: `-c` is not a host name or an address")],
        ),
        (
            "{type: list, items: {type: integer, default: a}}",
            &[(Code::RB0024, "the default is not a value of this input: `a` is text, not an integer")],
        ),
        ("{type: string, default: 1.10}", &[]),
        ("{type: string, required: false, default: null}", &[]),
        ("{type: enum, choices: [1.10, 2.0], default: 1.10}", &[]),
    ] {
        let (_, faults) = declared(&format!("  x: {declaration}\n"));
        let faults: Vec<(Code, &str)> = faults.iter().map(|(code, message)| (*code, message.as_str())).collect();
        assert_eq!(faults, expect, "{declaration}");
    }
    assert_eq!(spec("{type: string, default: 1.10}").default, Some(Value::text("1.10")));
}

/// A pattern that backtracks without end would not come back from here.
#[test]
fn no_pattern_takes_long() {
    for (pattern, text) in [
        (r"(a+)+b", "a".repeat(1000)),
        (r"(?=(a+)+b)a*", "a".repeat(1000)),
        (r"(a|aa)+\1?$c", "a".repeat(1000)),
        (r"(?:a?){200}a{200}", "a".repeat(200)),
        (r"(?:x{1000}){1000}", "x".repeat(10)),
        (r"(?:(?:(?:x{100}){100}){100}){100}", "x".repeat(10)),
    ] {
        let spec = ValueSpec { pattern: Some(pattern.to_owned()), ..ValueSpec::string() };
        let outcome = spec.accept(&Value::Text(text));
        assert!(outcome.is_ok() || outcome.is_err_and(|faults| faults.len() == 1), "{pattern}");
    }
    let long = ValueSpec { pattern: Some("a".repeat(2000)), ..ValueSpec::string() };
    assert_eq!(long.accept(&Value::text("a")).unwrap_err(), ["the pattern is longer than 1024 bytes"]);
}

#[test]
fn inputs_print_as_json_schema() {
    let (specs, faults) = declared(concat!(
        "  host: {type: host, description: Where, pattern: \"[a-z.]+\", max: 20}\n",
        "  limit: {type: integer, min: 1, max: 5, default: 3}\n",
        "  mode: {type: enum, choices: [fast, slow], required: false}\n",
        "  waits: {type: list, items: {type: duration, examples: [30s]}, min: 1}\n",
        "  tags: {type: map, items: {type: string}, required: false}\n",
        "  at: {type: time}\n",
    ));
    assert_eq!(faults, []);
    insta::assert_snapshot!(serde_json::to_string_pretty(&json_schema(&specs)).unwrap());
}

#[test]
fn a_prediction_is_taken_as_it_is() {
    let unknown = Value::Unknown("steps.a".to_owned());
    assert_eq!(spec("{type: integer, max: 5}").accept(&unknown), Ok(unknown));
}
