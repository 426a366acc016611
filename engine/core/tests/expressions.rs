//! Expressions: what they give, what they refuse, and what can be said of them before anything runs.

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use runbook_core::expr::{Expression, Names, Script, Type, Types, parse_json, script_engine};
use runbook_core::limits;
use runbook_core::plan::Origin;
use runbook_core::value::{Map, Value, parse_duration};

/// Names from one map of roots; counts how often it is asked.
struct Fixture {
    roots: Map,
    asked: Cell<usize>,
}

impl Names for Fixture {
    fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String> {
        self.asked.set(self.asked.get() + 1);
        let value = self.roots.get(root).ok_or_else(|| format!("there is no `{root}`"))?;
        match member {
            None => Ok(value.clone()),
            Some(member) => value.get(member).cloned().ok_or_else(|| format!("`{root}.{member}` has no value")),
        }
    }
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

fn fixture() -> Fixture {
    let inputs = map(&[
        ("count", Value::Int(3)),
        ("ratio", Value::Float(0.5)),
        ("name", Value::text("web-1")),
        ("max_lag", Value::Duration(parse_duration("30s").unwrap())),
        ("since", Value::Time("2026-01-02T03:04:05Z".parse().unwrap())),
        ("empty", Value::Null),
        ("ready", Value::Bool(true)),
        (
            "hosts",
            Value::List(vec![
                map(&[("name", Value::text("a")), ("ok", Value::Bool(true))]),
                map(&[("name", Value::text("b")), ("ok", Value::Bool(false))]),
            ]),
        ),
        ("tags", map(&[("tier", Value::text("db"))])),
    ]);
    let steps = map(&[
        ("lag", map(&[("seconds", Value::Float(12.5)), ("stdout", Value::text(" 12.5\n"))])),
        ("later", Value::Unknown("steps.later".to_owned())),
        ("partly", map(&[("host", Value::text("h")), ("id", Value::Unknown("steps.partly.id".to_owned()))])),
    ]);
    let roots = Map::from([
        ("inputs".to_owned(), inputs),
        ("steps".to_owned(), steps),
        ("now".to_owned(), Value::Time("2026-01-02T03:05:05Z".parse().unwrap())),
        ("item".to_owned(), map(&[("type", Value::text("disk"))])),
    ]);
    Fixture { roots, asked: Cell::new(0) }
}

fn evaluate(source: &str) -> Result<Value, String> {
    let expression = Expression::parse(source, Origin::default()).map_err(|error| format!("parse: {error}"))?;
    expression.evaluate(&fixture()).map_err(|error| error.to_string())
}

#[test]
fn values() {
    for (source, expect) in [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("7 / 2", "3"),
        ("7 / 2.0", "3.5"),
        ("7 % 4", "3"),
        ("2 ** 3 ** 2", "512"),
        ("-inputs.count", "-3"),
        ("-9223372036854775807 - 1", "-9223372036854775808"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-2.5 + -1", "-3.5"),
        ("1 < 1.5 && 2.0 == 2", "true"),
        ("!inputs.ready || inputs.count >= 3", "true"),
        ("'a' + \"b\"", "\"ab\""),
        ("\"n\" + 1 + 0.5", "\"n10.5\""),
        ("if inputs.ready { \"yes\" } else { \"no\" }", "\"yes\""),
        ("if false { 1 } else if true { 2 } else { 3 }", "2"),
        ("inputs.empty ?? 5", "5"),
        ("inputs.empty == ()", "true"),
        ("inputs.name != ()", "true"),
        ("inputs.empty?.deep?.er ?? \"none\"", "\"none\""),
        ("inputs.tags?.owner ?? \"none\"", "\"none\""),
        ("inputs[\"name\"]", "\"web-1\""),
        ("inputs.hosts[0].name + inputs.hosts[-1].name", "\"ab\""),
        ("item.type", "\"disk\""),
        ("steps.lag.stdout.trim().parse_float()", "12.5"),
        ("steps.lag.seconds < inputs.max_lag.seconds", "true"),
        ("inputs.max_lag * 2", "\"1m\""),
        ("inputs.max_lag / duration(\"10s\")", "3.0"),
        ("inputs.max_lag + duration(\"1h\") > duration(\"59m\")", "true"),
        ("now - inputs.since", "\"1m\""),
        ("now - inputs.since == duration(\"60s\")", "true"),
        ("inputs.since + duration(\"1d\") > now", "true"),
        ("inputs.since.unix", "1767323045"),
        ("inputs.since.date + \" \" + inputs.since.weekday", "\"2026-01-02 5\""),
        ("time(\"2026-01-02T03:04:05Z\") == inputs.since", "true"),
        ("inputs.hosts.all(|h| h.ok)", "false"),
        ("inputs.hosts.any(|h| h.name == inputs.hosts[1].name)", "true"),
        ("inputs.hosts.filter(|h| !h.ok).map(|h| h.name).join(\",\")", "\"b\""),
        ("[3, 1, 2].sort().map(|x| [1, 2].map(|y| x * y))", "[[1,2],[2,4],[3,6]]"),
        ("[1, 2, 3].sum() + [4, 5].max() + min(1, 2) + [].len()", "12"),
        ("\"b\" in \"abc\" && \"tier\" in inputs.tags && 2 in [1, 2] && 5 !in [1]", "true"),
        ("!(5 in [1, \"x\"])", "true"),
        ("#{a: 1, \"b c\": [true]}", "{\"a\":1,\"b c\":[true]}"),
        ("inputs.tags.get(\"x\", 9)", "9"),
        ("\"a b  c\".split().len()", "3"),
        ("\"a,b\".split(\",\")", "[\"a\",\"b\"]"),
        ("\"x1\\ny2\\n\".lines()", "[\"x1\",\"y2\"]"),
        ("\"host-12\".matches(\"^host-\\\\d+$\")", "true"),
        ("\"héllo\".sub_string(1, 3)", "\"éll\""),
        ("\"{\\\"a\\\": 9007199254740993}\".parse_json().a", "9007199254740993"),
        ("[1, \"x\"].to_json()", "\"[1,\\\"x\\\"]\""),
        ("(2.7).round().to_int()", "3"),
        ("type_of(now)", "\"time\""),
        ("inputs.keys().len() > 3", "true"),
        ("`plain`", "\"plain\""),
        ("1 /* why */ + 1 // that", "2"),
        ("false && inputs.nowhere == 1", "false"),
        ("steps.partly.host", "\"h\""),
        ("\"id\" in steps.partly && steps.partly.len() == 2", "true"),
        ("steps.partly.keys()", "[\"host\",\"id\"]"),
    ] {
        match evaluate(source) {
            Ok(value) => assert_eq!(value.to_plain_json().to_string(), expect, "{source}"),
            Err(error) => panic!("{source}: {error}"),
        }
    }
}

#[test]
fn faults_of_evaluation_say_why() {
    for (source, expect) in [
        ("inputs.count == \"3\"", "an integer cannot be compared with a string"),
        ("inputs.name < 3", ".parse_int()"),
        ("inputs.max_lag > 30", ".seconds"),
        ("inputs.ready == 1", "a boolean cannot be compared with an integer"),
        ("[1] == [\"1\"]", "an integer cannot be compared with a string"),
        ("inputs.empty < 1", "nothing cannot be compared with an integer"),
        ("inputs.nowhere", "`inputs.nowhere` has no value"),
        ("nowhere.x", "there is no `nowhere`"),
        ("steps.lag.second", "did you mean `seconds`?"),
        ("inputs.name.length", "which has no member `length`"),
        ("inputs.hosts[2]", "there is no element 2 in a list of 2"),
        ("1 / 0", "division by zero"),
        ("1.0 / 0", "division by zero"),
        ("1.5 % 0.0", "division by zero"),
        ("duration(\"1s\") / 0", "division by zero"),
        ("10.0 ** 400", "no number that can be written"),
        ("(-8.0) ** 0.5", "no number that can be written"),
        ("[1e308, 1e308].sum()", "no number that can be written"),
        ("9223372036854775807 + 1", "does not fit 64 bits"),
        ("2 ** 64", "does not fit 64 bits"),
        ("duration(\"1s\") - duration(\"2s\")", "less than nothing"),
        ("inputs.since - now", "is before"),
        ("duration(\"9d\") * 1000000", "ten years"),
        ("\"x\".parse_int()", "\"x\" is not an integer"),
        ("\"a\" * 2", "`*` does not work on a string and an integer"),
        ("inputs.count && true", "`&&` needs true or false"),
        ("if 1 { 2 } else { 3 }", "`if` needs true or false"),
        ("[1].map(|x| x.y)", "has no member `y`"),
        ("(5).trim()", "`trim` does not work on an integer"),
        ("\"a\".split(1)", "`split` is used as `text.split(separator)`, not on a string and an integer"),
        ("\"a\".matches(\"(\")", "is not a regular expression"),
        ("[].max()", "the list is empty"),
    ] {
        match evaluate(source) {
            Err(error) => assert!(error.contains(expect) && !error.starts_with("parse"), "{source}: {error}"),
            Ok(value) => panic!("{source} gave {value:?}"),
        }
    }
}

#[test]
fn what_is_no_expression_is_refused_with_its_place() {
    for (source, offset, expect) in [
        ("", 0, "a value is missing"),
        ("1 +", 3, "a value is missing"),
        ("let x = 1; x", 0, "is a statement"),
        ("while true { 1 }", 0, "is a statement"),
        ("1; 2", 1, "statements belong"),
        ("inputs.count = 5", 13, "statements belong"),
        ("eval(\"1\")", 0, "`eval` is not available"),
        ("print(1)", 0, "there is no function `print`"),
        ("sleep(1)", 0, "there is no function `sleep`"),
        ("timestamp()", 0, "there is no function"),
        ("inputs.name.trm()", 12, "did you mean `trim`?"),
        ("inputs.name.trim(1)", 12, "is used as"),
        ("a & b", 2, "write `&&`"),
        ("|x| x", 0, "closure inside"),
        ("[1].map(|x, y| x)", 10, "one parameter"),
        ("\"x\".split(|x| x)", 10, "takes no closure"),
        ("[1].map(1)", 4, "needs a closure"),
        ("[1].all(|a| [1].all(|b| [1].all(|c| true)))", 32, "two deep"),
        ("1..5", 1, "ranges"),
        ("null", 0, "written `()`"),
        ("inputs.name == 'web'", 15, "in double quotes: `\"web\"`"),
        ("1 + 9223372036854775808", 4, "does not fit 64 bits"),
        ("-9223372036854775809", 0, "does not fit 64 bits"),
        ("0xFFFFFFFFFFFFFFFF", 0, "does not fit 64 bits"),
        ("1e999", 0, "does not fit 64 bits"),
        ("`a ${1}`", 0, "belongs in a text field"),
        ("if true { 1 }", 13, "needs an `else`"),
        ("if true { 1; 2 } else { 3 }", 11, "only one value"),
        ("(1", 2, "is missing to close"),
        ("#{a: 1, a: 2}", 8, "stands twice"),
        ("\"open", 0, "not terminated"),
        ("inputs.", 7, "a name is missing"),
        ("é == @", 6, ""),
        ("1 2", 2, "is not expected here"),
        ("x::y", 1, "is not expected here"),
        ("Fn(\"x\")", 0, ""),
    ] {
        let error = Expression::parse(source, Origin::default()).map(|_| ()).unwrap_err();
        assert!(error.message.contains(expect), "{source}: {}", error.message);
        if !expect.is_empty() && !source.starts_with('"') {
            assert_eq!(error.offset, offset, "{source}: {}", error.message);
        }
    }
}

#[test]
fn references_carry_their_places() {
    for (source, expect) in [
        ("steps.lag.seconds < inputs.max_lag.seconds", "steps.lag.seconds@0 inputs.max_lag.seconds@20"),
        ("\"é\" + inputs.a", "inputs.a@7"),
        ("\n inputs.a", "inputs.a@2"),
        ("inputs.hosts.filter(|h| h.ok && inputs.b)", "inputs.hosts@0 inputs.b@32"),
        ("item.name + item", "item.name@0 item@12"),
        ("inputs.a.trim() + inputs[\"b\"]", "inputs.a@0 inputs@18"),
        ("[1].any(|inputs| inputs == 1)", ""),
    ] {
        let found = Expression::parse(source, Origin::default()).unwrap().references();
        let found: Vec<String> = found.iter().map(|found| format!("{}@{}", found.path.join("."), found.offset)).collect();
        assert_eq!(found.join(" "), expect, "{source}");
    }
}

#[test]
fn unknown_is_infectious_only_where_it_is_read() {
    for (source, expect) in [
        ("steps.later", Some("steps.later")),
        ("steps.later.seconds < 5", Some("steps.later")),
        ("1 + steps.partly.id", Some("steps.partly.id")),
        ("[steps.partly].len()", Some("steps.partly.id")),
        ("steps.partly.host == \"h\"", None),
        ("inputs.ready || steps.later.x", None),
        ("false && steps.later.x", None),
        ("if inputs.ready { 1 } else { steps.later }", None),
        ("inputs.name ?? steps.later", None),
        ("[1].any(|x| steps.later.y == x)", Some("steps.later")),
    ] {
        let found = match evaluate(source).unwrap() {
            Value::Unknown(name) => Some(name),
            _ => None,
        };
        assert_eq!(found.as_deref(), expect, "{source}");
    }
}

#[test]
fn each_name_is_asked_for_once_and_only_if_it_is_needed() {
    for (source, expect) in
        [("inputs.count + inputs.count", 1), ("false && inputs.ready", 0), ("[1, 2, 3].map(|x| x + inputs.count)", 1)]
    {
        let names = fixture();
        Expression::parse(source, Origin::default()).unwrap().evaluate(&names).unwrap();
        assert_eq!(names.asked.get(), expect, "{source}");
    }
}

#[test]
fn work_is_bounded() {
    let big = "x".repeat(100_000);
    let list = Value::List((0..2_000).map(Value::Int).collect());
    let mut names = fixture();
    names.roots.insert("big".to_owned(), Value::text(big));
    names.roots.insert("list".to_owned(), list);
    for source in [
        "list.map(|a| list.map(|b| a * b)).len()",
        "list.map(|a| big).len()",
        "list.map(|a| big + big).len()",
        "list.all(|a| list.all(|b| big == big))",
        "list.map(|a| big.split(\"x\")).len()",
        "list.map(|a| big.matches(\"(x+)+y\")).len()",
        "big.replace(\"x\", big)",
        "list.unique()",
    ] {
        let error = Expression::parse(source, Origin::default()).unwrap().evaluate(&names).map(|_| ()).unwrap_err();
        assert!(
            ["too much", "longer than", "at most", "more than"].iter().any(|why| error.message.contains(why)),
            "{source}: {error}"
        );
    }
}

#[test]
fn bombs_are_refused_without_overflowing_the_stack() {
    for unit in [
        "(",
        "!",
        "[",
        "-",
        "a.b.",
        "a[",
        "#{a:",
        "1+",
        "if true {",
        "a.all(|x|",
        "a?.",
        "1 ** ",
        "a && ",
        "f(",
        "!(",
        "a ?? ",
        "x not in ",
    ] {
        let source = unit.repeat(4096 / unit.len());
        for source in [source.clone(), format!("{source}1"), format!("{source}1{}", ")".repeat(4096 - source.len()))] {
            assert!(Expression::parse(&source, Origin::default()).is_err(), "{unit}");
        }
    }
    let long = format!("1{}", " + 1".repeat(2000));
    assert!(Expression::parse(&long, Origin::default()).unwrap_err().message.contains("4096"));
    let deep = format!("1{}", " + 1".repeat(1000));
    assert!(Expression::parse(&deep, Origin::default()).unwrap_err().message.contains("deep"));
}

#[test]
fn script_bombs_are_refused_without_overflowing_the_stack() {
    for (unit, rest) in [
        ("(", ""),
        ("!", "1"),
        ("[", ""),
        ("a.", "b"),
        ("a?.", "b"),
        ("a[1]", ""),
        ("1+", "1"),
        ("a.b()", ""),
        ("if true {", ""),
        ("if a {} else ", "{}"),
        ("|x|", "x"),
        ("{", ""),
        ("#{a:", ""),
        ("a = ", "1"),
        ("`${", ""),
        ("a ?? ", "1"),
        ("a && ", "b"),
        ("-", "1"),
        ("switch a { 1 => ", ""),
        ("fn f() {", ""),
        ("while true {", ""),
        ("try {", ""),
        ("return ", ""),
        ("a::", "b"),
        ("a(", ""),
        ("().b[1]", ""),
        (".a", ""),
        ("do {", ""),
        ("1 in ", "1"),
        ("let x = ", "1"),
        ("/*", ""),
        ("x!(", ""),
    ] {
        for count in [200, 64 * 1024 / unit.len() - 10] {
            let source = format!("{}{rest}", unit.repeat(count));
            let _ = Script::parse(&source, Origin::default()).map(|script| script.references());
            let source = format!("a{source}");
            let _ = Script::parse(&source, Origin::default()).map(|script| script.references());
        }
    }
}

#[test]
fn a_stored_expression_is_parsed_again_at_its_first_use() {
    let expression = Expression::parse("inputs.count + 1", Origin::default()).unwrap();
    let json = serde_json::to_string(&expression).unwrap();
    let read: Expression = serde_json::from_str(&json).unwrap();
    assert_eq!(read, expression);
    assert_eq!(read.evaluate(&fixture()).unwrap(), Value::Int(4));
    assert_eq!(read.references(), expression.references());
    assert!(json.contains("inputs.count + 1") && !json.contains("tree"), "{json}");
}

/// Types of the fixture's names.
struct Known;

impl Types for Known {
    fn of(&self, root: &str, member: Option<&str>) -> Result<Type, String> {
        match (root, member) {
            ("inputs" | "steps", Some(member)) => {
                let roots = fixture().roots;
                let value = roots.get(root).and_then(|value| value.get(member)).cloned();
                value.map(|value| Type::of_value(&value)).ok_or_else(|| format!("there is no `{root}.{member}`"))
            }
            ("event", None) => Ok(Type::Any),
            ("now", None) => Ok(Type::Time),
            _ => Err(format!("there is no `{root}`")),
        }
    }
}

#[test]
fn types_are_inferred() {
    let strings = Type::List(Box::new(Type::String));
    for (source, expect) in [
        ("1 + 1", Type::Integer),
        ("1 + 0.5", Type::Number),
        ("inputs.name + 1", Type::String),
        ("inputs.count > 1", Type::Boolean),
        ("inputs.max_lag * 2", Type::Duration),
        ("now - inputs.since", Type::Duration),
        ("now + duration(\"1s\")", Type::Time),
        ("inputs.hosts.map(|h| h.name)", strings.clone()),
        ("inputs.hosts.filter(|h| h.ok)[0].name", Type::String),
        ("inputs.name.split(\",\")", strings),
        ("if inputs.ready { 1 } else { \"x\" }", Type::Any),
        ("event.data.anything + 1", Type::Any),
        ("steps.later.whatever", Type::Any),
        ("inputs.empty ?? 5", Type::Integer),
        ("#{a: 1}", Type::with(BTreeMap::from([("a".to_owned(), Type::Integer)]))),
        ("max(inputs.count, 2)", Type::Any),
    ] {
        let (found, faults) = Expression::parse(source, Origin::default()).unwrap().infer(&Known);
        assert_eq!((found, faults), (expect, vec![]), "{source}");
    }
}

#[test]
fn faults_of_types_are_found_with_their_places() {
    for (source, offset, expect) in [
        ("inputs.count == \"3\"", 13, "an integer is compared with a string"),
        ("inputs.max_lag > 30", 15, "`.seconds`"),
        ("steps.lag.second > 1", 10, "did you mean `seconds`?"),
        ("inputs.max_lag.secs > 1", 15, "has no member `secs`"),
        ("inputs.nowhere > 1", 0, "there is no `inputs.nowhere`"),
        ("inputs.name * 2", 12, "`*` does not work on a string and an integer"),
        ("inputs.count && inputs.ready", 0, "`&&` needs true or false"),
        ("inputs.hosts.all(|h| h.nmae)", 23, "did you mean `name`?"),
        ("inputs.count.trim()", 13, "`trim` does not work on an integer"),
        ("inputs.name.all(|x| true)", 12, "`all` does not work on a string"),
        ("!inputs.name", 1, "`!` needs true or false"),
        ("inputs.ready < true", 13, "has no order"),
        ("inputs.tags[\"teir\"]", 11, "did you mean `tier`?"),
        ("5 in 6", 2, "an integer cannot contain an integer"),
    ] {
        let (_, faults) = Expression::parse(source, Origin::default()).unwrap().infer(&Known);
        let [fault] = &faults[..] else { panic!("{source}: {faults:?}") };
        let told = format!("{}; {}", fault.message, fault.help.as_deref().unwrap_or_default());
        assert!(fault.offset == offset && told.contains(expect), "{source}: {fault:?}");
    }
}

/// Where both languages have the operation, the meaning is Rhai's own.
#[test]
fn agrees_with_rhai() {
    let engine = rhai::Engine::new();
    for source in [
        "1 + 2 * 3 - 4 / 2",
        "2 ** 3 ** 2",
        "-2 ** 2",
        "7 % 3 * 2",
        "-7 / 2",
        "-7 % 3",
        "1.5 + 2",
        "10 - 3 - 2",
        "!true || true && false",
        "1 < 2 == true",
        "1 + 1 == 2 && 3 > 2",
        "\"a\" + \"b\" == \"ab\"",
        "if 1 > 2 { 3 } else { 4 }",
        "0x1F + 0b11",
        "1_000 * 2",
        "\"\\u0041\\n\" + 'c'",
        "() ?? 3",
        "true && !false",
        "2 * (3 + 4)",
        "[1, 2, 3][1]",
        "1e3 + 1",
        "(1 + 2) * -3",
        "3 in [1, 2, 3]",
        "4 !in [1, 2, 3]",
    ] {
        let ours = evaluate(source).map(|value| value.to_plain_json().to_string());
        let theirs = engine.eval_expression::<rhai::Dynamic>(source).map(|value| {
            let value: serde_json::Value = rhai::serde::from_dynamic(&value).unwrap();
            value.to_string()
        });
        assert_eq!(ours.ok(), theirs.ok(), "{source}");
    }
}

#[test]
fn scripts_are_looked_at_and_run_with_what_they_mention() {
    let script = Script::parse(
        "let total = 0;\nfor host in inputs.hosts { if host.ok { total += 1; } }\nlet t = steps.lag.stdout.trim();\n#{total: total, text: t, lag: inputs.max_lag.seconds}",
        Origin::default(),
    )
    .unwrap();
    let found: Vec<String> = script.references().iter().map(|found| format!("{}@{}", found.path.join("."), found.offset)).collect();
    assert_eq!(found.join(" "), "inputs.hosts@27 steps.lag@79 inputs.max_lag@134");
    let scope = script.scope(&fixture()).unwrap();
    assert_eq!(scope.keys().collect::<Vec<_>>(), ["inputs", "steps"]);
    assert_eq!(script.run(&scope).unwrap().to_plain_json().to_string(), "{\"lag\":30.0,\"text\":\"12.5\",\"total\":1}");
}

#[test]
fn scripts_have_limits_and_no_ambient_access() {
    let run = |source: &str| {
        Script::parse(source, Origin::default()).map_err(|error| error.message)?.run(&Map::new()).map_err(|error| error.message)
    };
    for (source, expect) in [
        ("fn f() { f() } f()", "overflow"),
        ("let a = [1]; loop { a += a }", "size of array"),
        ("let s = \"x\"; loop { s += s }", ""),
        ("sleep(1)", "not available"),
        ("timestamp()", "not found"),
        ("eval(\"1\")", "eval"),
        ("import \"x\" as y;", "import"),
        ("|x| x", "is not a value"),
        ("0.0 / 0.0", "is not a value"),
        ("let x = ;", ""),
    ] {
        match run(source) {
            Err(message) => assert!(message.to_lowercase().contains(expect), "{source}: {message}"),
            Ok(value) => panic!("{source} gave {value:?}"),
        }
    }
    for (source, expect) in [
        ("parse_json(\"[1]\")[0] + 1", "2"),
        ("duration(\"90s\").minutes", "1.5"),
        ("duration(\"90s\") > duration(\"1m\")", "true"),
        ("\" a \".trim()", "\"a\""),
        ("[1, 2, 3].filter(|x| x > 1).len()", "2"),
        ("print(\"quiet\"); 1", "1"),
        ("duration(\"90s\")", "\"1m 30s\""),
        ("switch 2 { 1 => \"a\", 2 => \"b\" }", "\"b\""),
    ] {
        assert_eq!(run(source).map(|value| value.to_plain_json().to_string()), Ok(expect.to_owned()), "{source}");
    }
    assert_eq!(script_engine().max_operations(), limits::SCRIPT_OPERATIONS);
    assert!(Script::parse(&"x".repeat(65 * 1024), Origin::default()).is_err());
}

fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("inputs.count"),
        Just("inputs.name"),
        Just("steps.lag"),
        Just("steps.later"),
        Just("inputs.hosts"),
        Just("now"),
        Just("1"),
        Just("0.5"),
        Just("\"x\""),
        Just("true"),
        Just("()"),
        Just("+"),
        Just("-"),
        Just("*"),
        Just("/"),
        Just("=="),
        Just("<"),
        Just("&&"),
        Just("||"),
        Just("??"),
        Just("!"),
        Just("("),
        Just(")"),
        Just("["),
        Just("]"),
        Just("."),
        Just("?."),
        Just(".len()"),
        Just(".all(|x|"),
        Just("|"),
        Just("if"),
        Just("else"),
        Just("{"),
        Just("}"),
        Just("#{"),
        Just(":"),
        Just(","),
        Just("in"),
        Just("é"),
        Just("`"),
        Just("${"),
        Just("let"),
        Just(";"),
        Just(".seconds"),
        Just(".map(|y| y"),
        Just("duration(\"1s\")"),
        Just("**"),
        Just("'"),
        Just("\\"),
        Just("0xFFFFFFFFFFFFFFFF"),
    ];
    prop::collection::vec(word, 0..24).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_source_makes_it_panic(source in prop_oneof![words(), any::<String>()]) {
        if let Ok(expression) = Expression::parse(&source, Origin::default()) {
            let _ = expression.references();
            let (_, faults) = expression.infer(&Known);
            let result = expression.evaluate(&fixture());
            // What is found faulty before anything runs is never merely a matter of taste.
            for fault in faults {
                prop_assert!(fault.offset <= source.len());
            }
            if let Err(error) = result {
                prop_assert!(!error.message.is_empty());
            }
        }
        let _ = Script::parse(&source, Origin::default()).map(|script| script.references());
        let _ = parse_json(&source);
    }
}

/// What is not ours stands in a message between signs of its own, so that Markdown and HTML show it as it is.
#[test]
fn messages_quote_what_they_name() {
    use runbook_core::prose::{Piece, message};
    let names = fixture();
    for (source, named) in [
        ("inputs.tags[\"a`b\"]", vec!["inputs.tags[\"a`b\"]", "a`b", "tier"]),
        ("inputs.name.matches(\"`(\")", vec!["inputs.name.matches(\"`(\")", "`("]),
        ("inputs.tags[\"`\"] + \"``\"", vec!["inputs.tags[\"`\"] + \"``\"", "`", "tier"]),
    ] {
        let error = Expression::parse(source, Origin::default()).unwrap().evaluate(&names).map(|_| ()).unwrap_err().message;
        let pieces = message(&error);
        let code: Vec<&str> =
            pieces.iter().filter_map(|piece| if let Piece::Code(code) = piece { Some(code.as_str()) } else { None }).collect();
        assert_eq!(code.get(..named.len()), Some(&*named), "{error}");
    }
}
