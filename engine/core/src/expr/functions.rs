//! The functions of expressions, and the parts of durations and times that read like members. All are pure: the same
//! arguments give the same value, and nothing here can look at a clock, a file or the network. Scripts get the same ones.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::operators::{compare, contains, equal, float, named};
use super::text::{number_text, plain_text};
use super::types::Type;
use super::{parse_json, to_json};
use crate::limits;
use crate::markdown;
use crate::value::{Value, parse_duration};

pub(super) type Call = fn(&[&Value]) -> Result<Value, String>;

#[derive(Debug)]
pub(super) struct Function {
    pub name: &'static str,
    pub usage: &'static str,
    /// How many arguments, the one before the dot and a closure included.
    pub arguments: RangeInclusive<usize>,
    /// Types of the first argument, by name; all where empty.
    pub on: &'static [&'static str],
    pub returns: fn(&[Type]) -> Type,
    /// How many times the arguments' bytes are gone over.
    pub weight: usize,
    /// `None` where the function takes a closure, which the evaluator calls.
    pub run: Option<Call>,
}

impl Function {
    pub fn named(name: &str) -> Option<&'static Function> {
        FUNCTIONS.iter().find(|function| function.name == name)
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        FUNCTIONS.iter().map(|function| function.name)
    }

    pub fn all() -> &'static [Function] {
        FUNCTIONS
    }

    /// Whether it has no result for some arguments of the right types: a text that says something else, a list without elements.
    pub fn is_partial(&self) -> bool {
        matches!(self.name, "parse_int" | "parse_float" | "parse_json" | "duration" | "time" | "min" | "max")
    }

    pub fn takes_closure(&self) -> bool {
        self.run.is_none()
    }

    pub fn call(&self, arguments: &[&Value]) -> Result<Value, String> {
        match (self.run, arguments.first()) {
            (Some(run), Some(first)) => {
                if !self.on.is_empty() && !self.on.contains(&first.type_name()) {
                    return Err(format!("`{}` does not work on {}; it is used as `{}`", self.name, named(first), self.usage));
                }
                run(arguments).map_err(|message| if message == WRONG { self.wrong(arguments) } else { message })
            }
            _ => Err(format!("`{}` is used as `{}`", self.name, self.usage)),
        }
    }

    fn wrong(&self, arguments: &[&Value]) -> String {
        let given: Vec<String> = arguments.iter().map(|argument| named(argument)).collect();
        format!("`{}` is used as `{}`, not on {}", self.name, self.usage, given.join(" and "))
    }
}

/// The error of a function whose arguments have the wrong types; [`Function::call`] says which were given.
const WRONG: &str = "";

fn wrong<T>() -> Result<T, String> {
    Err(WRONG.to_owned())
}

const TEXT: &[&str] = &["string"];
const LIST: &[&str] = &["list"];
const MAP: &[&str] = &["map"];
const SIZED: &[&str] = &["string", "list", "map"];
const NUMBER: &[&str] = &["integer", "number"];

fn boolean(_: &[Type]) -> Type {
    Type::Boolean
}
fn integer(_: &[Type]) -> Type {
    Type::Integer
}
fn number(_: &[Type]) -> Type {
    Type::Number
}
fn string(_: &[Type]) -> Type {
    Type::String
}
fn strings(_: &[Type]) -> Type {
    Type::List(Box::new(Type::String))
}
fn any(_: &[Type]) -> Type {
    Type::Any
}
fn any_list(_: &[Type]) -> Type {
    Type::List(Box::new(Type::Any))
}
fn duration(_: &[Type]) -> Type {
    Type::Duration
}
fn time(_: &[Type]) -> Type {
    Type::Time
}
fn same(arguments: &[Type]) -> Type {
    arguments.first().cloned().unwrap_or(Type::Any)
}

macro_rules! functions {
    ($($name:literal $usage:literal, $arguments:expr, $on:expr, $returns:expr, $weight:literal, $run:expr;)*) => {
        static FUNCTIONS: &[Function] = &[$(Function {
            name: $name, usage: $usage, arguments: $arguments, on: $on, returns: $returns, weight: $weight, run: $run,
        }),*];
    };
}

functions! {
    // Text.
    "trim" "text.trim()", 1..=1, TEXT, string, 1, Some(|a| text(a, |t| Value::text(t.trim())));
    "to_upper" "text.to_upper()", 1..=1, TEXT, string, 1, Some(|a| text(a, |t| Value::text(t.to_uppercase())));
    "to_lower" "text.to_lower()", 1..=1, TEXT, string, 1, Some(|a| text(a, |t| Value::text(t.to_lowercase())));
    "lines" "text.lines()", 1..=1, TEXT, strings, 4, Some(|a| text(a, |t| Value::List(t.lines().map(Value::text).collect())));
    "split" "text.split(separator)", 1..=2, TEXT, strings, 16, Some(split);
    "starts_with" "text.starts_with(part)", 2..=2, TEXT, boolean, 1, Some(|a| texts(a, |t, part| Value::Bool(t.starts_with(part))));
    "ends_with" "text.ends_with(part)", 2..=2, TEXT, boolean, 1, Some(|a| texts(a, |t, part| Value::Bool(t.ends_with(part))));
    "replace" "text.replace(from, to)", 3..=3, TEXT, string, 4, Some(replace);
    "sub_string" "text.sub_string(start, length)", 2..=3, TEXT, string, 1, Some(sub_string);
    "matches" "text.matches(regex)", 2..=2, TEXT, boolean, 64, Some(matches);
    "parse_int" "text.parse_int()", 1..=1, TEXT, integer, 1, Some(parse_int);
    "parse_float" "text.parse_float()", 1..=1, TEXT, number, 1, Some(parse_float);
    "parse_json" "text.parse_json()", 1..=1, TEXT, any, 16, Some(read_json);
    // Lists, maps and texts.
    "len" "list.len()", 1..=1, SIZED, integer, 1, Some(len);
    "is_empty" "list.is_empty()", 1..=1, SIZED, boolean, 0, Some(|a| len(a).map(|n| Value::Bool(n == Value::Int(0))));
    "contains" "list.contains(item)", 2..=2, SIZED, boolean, 1, Some(|a| two(a, |whole, item| contains(whole, item).map(Value::Bool)));
    "first" "list.first()", 1..=1, LIST, any, 0, Some(|a| list(a, |items| items.first().cloned().unwrap_or_default()));
    "last" "list.last()", 1..=1, LIST, any, 0, Some(|a| list(a, |items| items.last().cloned().unwrap_or_default()));
    "join" "list.join(separator)", 1..=2, LIST, string, 1, Some(join);
    "sort" "list.sort()", 1..=1, LIST, same, 64, Some(sort);
    "reverse" "list.reverse()", 1..=1, LIST, same, 1, Some(|a| list(a, |items| Value::List(items.iter().rev().cloned().collect())));
    "unique" "list.unique()", 1..=1, LIST, same, 64, Some(unique);
    "sum" "list.sum()", 1..=1, LIST, any, 1, Some(sum);
    "min" "list.min() or min(a, b)", 1..=2, &[], any, 1, Some(|a| extreme(a, false));
    "max" "list.max() or max(a, b)", 1..=2, &[], any, 1, Some(|a| extreme(a, true));
    "keys" "map.keys()", 1..=1, MAP, strings, 1, Some(keys);
    "values" "map.values()", 1..=1, MAP, any_list, 1, Some(values);
    "get" "map.get(key, otherwise)", 2..=3, MAP, any, 0, Some(get);
    "filter" "list.filter(|item| condition)", 2..=2, LIST, same, 0, None;
    "map" "list.map(|item| value)", 2..=2, LIST, any_list, 0, None;
    "any" "list.any(|item| condition)", 2..=2, LIST, boolean, 0, None;
    "some" "list.some(|item| condition)", 2..=2, LIST, boolean, 0, None;
    "all" "list.all(|item| condition)", 2..=2, LIST, boolean, 0, None;
    "find" "list.find(|item| condition)", 2..=2, LIST, any, 0, None;
    "count" "list.count(|item| condition)", 2..=2, LIST, integer, 0, None;
    // Numbers.
    "abs" "number.abs()", 1..=1, NUMBER, same, 0, Some(abs);
    "round" "number.round()", 1..=1, NUMBER, same, 0, Some(|a| rounded(a, f64::round));
    "floor" "number.floor()", 1..=1, NUMBER, same, 0, Some(|a| rounded(a, f64::floor));
    "ceiling" "number.ceiling()", 1..=1, NUMBER, same, 0, Some(|a| rounded(a, f64::ceil));
    "to_int" "number.to_int()", 1..=1, NUMBER, integer, 0, Some(to_int);
    "to_float" "number.to_float()", 1..=1, NUMBER, number, 0, Some(|a| one(a, |n| Ok(Value::Float(float(n)))));
    // Every value.
    "to_string" "value.to_string()", 1..=1, &[], string, 1, Some(to_string);
    "to_json" "value.to_json()", 1..=1, &[], string, 2, Some(|a| one(a, |v| Ok(Value::Text(to_json(v)))));
    "type_of" "type_of(value)", 1..=1, &[], string, 0, Some(|a| one(a, |v| Ok(Value::text(v.type_name()))));
    // Durations and times.
    "duration" "duration(\"30s\")", 1..=1, &["string", "duration"], duration, 0, Some(read_duration);
    "time" "time(\"2026-01-02T03:04:05Z\")", 1..=1, &["string", "time"], time, 0, Some(read_time);
}

fn one(a: &[&Value], f: fn(&Value) -> Result<Value, String>) -> Result<Value, String> {
    a.first().map_or_else(wrong, |value| f(value))
}

fn two(a: &[&Value], f: fn(&Value, &Value) -> Result<Value, String>) -> Result<Value, String> {
    if let [first, second] = a { f(first, second) } else { wrong() }
}

fn text(a: &[&Value], f: fn(&str) -> Value) -> Result<Value, String> {
    if let [Value::Text(text)] = a { Ok(f(text)) } else { wrong() }
}

fn texts(a: &[&Value], f: fn(&str, &str) -> Value) -> Result<Value, String> {
    if let [Value::Text(text), Value::Text(other)] = a { Ok(f(text, other)) } else { wrong() }
}

fn list(a: &[&Value], f: fn(&[Value]) -> Value) -> Result<Value, String> {
    if let [Value::List(items)] = a { Ok(f(items)) } else { wrong() }
}

/// Without a separator, at any run of white space.
fn split(a: &[&Value]) -> Result<Value, String> {
    let parts = match a {
        [Value::Text(text)] => text.split_whitespace().map(Value::text).collect(),
        [Value::Text(_), Value::Text(separator)] if separator.is_empty() => return Err("the separator is empty".to_owned()),
        [Value::Text(text), Value::Text(separator)] => text.split(separator.as_str()).map(Value::text).collect(),
        _ => return wrong(),
    };
    Ok(Value::List(parts))
}

fn replace(a: &[&Value]) -> Result<Value, String> {
    let [Value::Text(text), Value::Text(from), Value::Text(to)] = a else { return wrong() };
    if from.is_empty() {
        return Err("the text to replace is empty".to_owned());
    }
    let growth = text.matches(from.as_str()).count().saturating_mul(to.len());
    if growth > limits::TEXT_BYTES {
        return Err(format!("the text is longer than {} bytes", limits::TEXT_BYTES));
    }
    Ok(Value::Text(text.replace(from.as_str(), to)))
}

/// By characters; what lies outside the text is left out.
fn sub_string(a: &[&Value]) -> Result<Value, String> {
    let (text, start, length) = match a {
        [Value::Text(text), Value::Int(start)] => (text, *start, i64::MAX),
        [Value::Text(text), Value::Int(start), Value::Int(length)] => (text, *start, *length),
        _ => return wrong(),
    };
    let start = usize::try_from(start).map_err(|_| "the start is below 0".to_owned())?;
    let length = usize::try_from(length).map_err(|_| "the length is below 0".to_owned())?;
    Ok(Value::Text(text.chars().skip(start).take(length).collect()))
}

fn matches(a: &[&Value]) -> Result<Value, String> {
    let [Value::Text(text), Value::Text(pattern)] = a else { return wrong() };
    if pattern.len() > limits::PATTERN_BYTES {
        return Err(format!("the pattern is longer than {} bytes", limits::PATTERN_BYTES));
    }
    let regex = fancy_regex::RegexBuilder::new(pattern)
        .backtrack_limit(limits::PATTERN_BACKTRACK)
        .delegate_size_limit(limits::PATTERN_PROGRAM_BYTES)
        .build()
        .map_err(|error| format!("{} is not a regular expression: {error}", markdown::quoted(pattern)))?;
    regex.is_match(text.as_str()).map(Value::Bool).map_err(|error| format!("{}: {error}", markdown::quoted(pattern)))
}

fn parse_int(a: &[&Value]) -> Result<Value, String> {
    let [Value::Text(text)] = a else { return wrong() };
    text.trim().parse().map(Value::Int).map_err(|_| format!("{} is not an integer", quoted(text)))
}

fn parse_float(a: &[&Value]) -> Result<Value, String> {
    let [Value::Text(text)] = a else { return wrong() };
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Value::Float(number)),
        _ => Err(format!("{} is not a number", quoted(text))),
    }
}

fn read_json(a: &[&Value]) -> Result<Value, String> {
    let [Value::Text(text)] = a else { return wrong() };
    parse_json(text)
}

/// The beginning of a text, for messages.
fn quoted(text: &str) -> String {
    let head: String = text.chars().take(40).collect();
    let more = if head.len() < text.len() { "…" } else { "" };
    format!("\"{}{more}\"", head.escape_debug())
}

fn len(a: &[&Value]) -> Result<Value, String> {
    let length = match a {
        [Value::Text(text)] => text.chars().count(),
        [Value::List(items)] => items.len(),
        [Value::Map(map)] => map.len(),
        _ => return wrong(),
    };
    Ok(Value::Int(length as i64))
}

fn to_string(a: &[&Value]) -> Result<Value, String> {
    match a {
        [Value::Null] => Err("nothing is no text; write `(… ?? \"\")` where it may be nothing".to_owned()),
        [value] => Ok(Value::Text(plain_text(value))),
        _ => wrong(),
    }
}

fn join(a: &[&Value]) -> Result<Value, String> {
    let (items, separator) = match a {
        [Value::List(items)] => (items, ""),
        [Value::List(items), Value::Text(separator)] => (items, separator.as_str()),
        _ => return wrong(),
    };
    let mut joined = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            joined.push_str(separator);
        }
        if *item == Value::Null {
            return Err(format!("element {at} of the list is nothing, and nothing is no text"));
        }
        joined.push_str(&plain_text(item));
        if joined.len() > limits::TEXT_BYTES {
            return Err(format!("the text is longer than {} bytes", limits::TEXT_BYTES));
        }
    }
    Ok(Value::Text(joined))
}

fn sort(a: &[&Value]) -> Result<Value, String> {
    let [Value::List(items)] = a else { return wrong() };
    for pair in items.windows(2) {
        if let [x, y] = pair
            && compare(x, y)?.is_none()
        {
            return Err("a number that is not one (NaN) has no order".to_owned());
        }
    }
    let mut sorted = items.clone();
    sorted.sort_by(|x, y| compare(x, y).ok().flatten().unwrap_or(std::cmp::Ordering::Equal));
    Ok(Value::List(sorted))
}

fn unique(a: &[&Value]) -> Result<Value, String> {
    let [Value::List(items)] = a else { return wrong() };
    if items.len() > limits::UNIQUE_LEN {
        return Err(format!("`unique` works on at most {} elements", limits::UNIQUE_LEN));
    }
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        if !kept.iter().any(|known| equal(known, item).unwrap_or(false)) {
            kept.push(item.clone());
        }
    }
    Ok(Value::List(kept))
}

fn sum(a: &[&Value]) -> Result<Value, String> {
    let [Value::List(items)] = a else { return wrong() };
    let Some((first, rest)) = items.split_first() else { return Ok(Value::Int(0)) };
    if !matches!(first, Value::Int(_) | Value::Float(_) | Value::Duration(_)) {
        return Err(format!("`sum` adds numbers or durations, and the first element is {}", named(first)));
    }
    rest.iter().try_fold(first.clone(), |total, item| match item {
        Value::Int(_) | Value::Float(_) | Value::Duration(_) => super::operators::Operator::Add.apply(&total, item),
        other => Err(format!("`sum` adds numbers or durations, and one element is {}", named(other))),
    })
}

fn extreme(a: &[&Value], greatest: bool) -> Result<Value, String> {
    let items: Vec<&Value> = match a {
        [Value::List(items)] => items.iter().collect(),
        [x, y] => vec![x, y],
        _ => return wrong(),
    };
    let Some((first, rest)) = items.split_first() else { return Err("the list is empty".to_owned()) };
    let mut best = *first;
    for item in rest {
        let order = compare(item, best)?;
        if order.is_some_and(|order| if greatest { order.is_gt() } else { order.is_lt() }) {
            best = item;
        }
    }
    Ok(best.clone())
}

fn keys(a: &[&Value]) -> Result<Value, String> {
    let [Value::Map(map)] = a else { return wrong() };
    Ok(Value::List(map.keys().map(Value::text).collect()))
}

fn values(a: &[&Value]) -> Result<Value, String> {
    let [Value::Map(map)] = a else { return wrong() };
    Ok(Value::List(map.values().cloned().collect()))
}

fn get(a: &[&Value]) -> Result<Value, String> {
    match a {
        [Value::Map(map), Value::Text(key)] => Ok(map.get(key).cloned().unwrap_or_default()),
        [Value::Map(map), Value::Text(key), otherwise] => Ok(map.get(key).unwrap_or(otherwise).clone()),
        _ => wrong(),
    }
}

fn abs(a: &[&Value]) -> Result<Value, String> {
    match a {
        [Value::Int(i)] => i.checked_abs().map(Value::Int).ok_or_else(|| format!("the absolute value of {i} does not fit 64 bits")),
        [Value::Float(f)] => Ok(Value::Float(f.abs())),
        _ => wrong(),
    }
}

fn rounded(a: &[&Value], f: fn(f64) -> f64) -> Result<Value, String> {
    match a {
        [Value::Int(i)] => Ok(Value::Int(*i)),
        [Value::Float(x)] => Ok(Value::Float(f(*x))),
        _ => wrong(),
    }
}

/// Towards zero.
fn to_int(a: &[&Value]) -> Result<Value, String> {
    match a {
        [Value::Int(i)] => Ok(Value::Int(*i)),
        [Value::Float(f)] if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(f) => {
            Ok(Value::Int(f.trunc() as i64))
        }
        [Value::Float(f)] => Err(format!("{} does not fit 64 bits", number_text(*f))),
        _ => wrong(),
    }
}

fn read_duration(a: &[&Value]) -> Result<Value, String> {
    match a {
        [Value::Duration(duration)] => Ok(Value::Duration(*duration)),
        [Value::Text(text)] => parse_duration(text).map(Value::Duration),
        _ => wrong(),
    }
}

fn read_time(a: &[&Value]) -> Result<Value, String> {
    match a {
        [Value::Time(time)] => Ok(Value::Time(*time)),
        [Value::Text(text)] => match text.trim().parse::<Timestamp>() {
            Ok(time) => Ok(Value::Time(time)),
            Err(_) => Err(format!("{} is not a time; write one such as `2026-01-02T03:04:05Z`", quoted(text))),
        },
        _ => wrong(),
    }
}

pub(super) const DURATION_PARTS: [&str; 5] = ["seconds", "minutes", "hours", "days", "ms"];
pub(super) const TIME_PARTS: [&str; 9] = ["unix", "unix_ms", "date", "year", "month", "day", "hour", "minute", "weekday"];

/// What a duration or a time has behind the dot. Of a time, all in UTC; `weekday` is 1 on Monday.
pub(super) fn part(value: &Value, name: &str) -> Option<Value> {
    match value {
        Value::Duration(duration) => {
            let seconds = duration.as_secs_f64();
            Some(match name {
                "seconds" => Value::Float(seconds),
                "minutes" => Value::Float(seconds / 60.0),
                "hours" => Value::Float(seconds / 3600.0),
                "days" => Value::Float(seconds / 86_400.0),
                "ms" => Value::Int(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
                _ => return None,
            })
        }
        Value::Time(time) => {
            let utc = time.to_zoned(TimeZone::UTC);
            Some(match name {
                "unix" => Value::Int(time.as_second()),
                "unix_ms" => Value::Int(time.as_millisecond()),
                "date" => Value::Text(utc.date().to_string()),
                "year" => Value::Int(utc.year().into()),
                "month" => Value::Int(utc.month().into()),
                "day" => Value::Int(utc.day().into()),
                "hour" => Value::Int(utc.hour().into()),
                "minute" => Value::Int(utc.minute().into()),
                "weekday" => Value::Int(utc.weekday().to_monday_one_offset().into()),
                _ => return None,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_names_every_function_and_part() {
        let reference = include_str!("../../../../docs/format.md");
        let mut missing: Vec<&str> = Vec::new();
        for name in Function::names() {
            if ![format!(".{name}("), format!("`{name}(")].iter().any(|call| reference.contains(call)) {
                missing.push(name);
            }
        }
        missing.extend(DURATION_PARTS.iter().chain(&TIME_PARTS).filter(|part| !reference.contains(&format!("`.{part}`"))));
        assert!(missing.is_empty(), "not in docs/format.md: {missing:?}");
    }
}
