//! What stands in for the attempts of steps: which stand-in of a case is meant, and how an attempt ends by it.

use std::time::Duration;

use super::select;
use crate::document::test::{Case, StandIn, StandInEnd};
use crate::explore::predicted_result;
use crate::id::StepPath;
use crate::plan::Verb;
use crate::run::Run;
use crate::run::event::{AttemptEnd, Failure};
use crate::run::task::{EventTask, Task, Work};
use crate::value::{Map, Value};

/// What the end of an attempt is.
pub(super) enum End {
    As(AttemptEnd),
    /// The engine stops instead.
    Crash,
    /// The engine stops right after.
    Then(AttemptEnd),
    /// Whatever else ends it, what stands in does not.
    Never,
}

/// What stands in for the attempt of a step after so many before it: the last of a list goes on for all further ones, but
/// for what would only be tried again without an end.
pub(super) fn stand_in<'c>(case: &'c Case, path: &StepPath, before: usize) -> Option<&'c StandIn> {
    let list = select::best(&case.setting.steps, path)?;
    let once = |one: &&StandIn| matches!(one.end, StandInEnd::Unknown | StandInEnd::Crash | StandInEnd::CrashAfter);
    list.get(before).or_else(|| list.last().filter(|last| !once(last)))
}

/// The path without the numbers of rounds and repetitions: they go on with the list where the one before left off. The items of
/// an `each` do not.
pub(super) fn whole(run: &Run, path: &StepPath) -> String {
    let (mut whole, mut before) = (String::new(), String::new());
    for piece in path.as_str().split_inclusive(']') {
        let name = piece.split('[').next().unwrap_or(piece);
        before.push_str(name);
        let step = before.parse().ok().and_then(|path| run.find_step(&path));
        let item = step.is_some_and(|view| matches!(view.step().verb, Verb::Each(_)));
        whole.push_str(if item { piece } else { name });
        before.push_str(piece.strip_prefix(name).unwrap_or_default());
    }
    whole
}

/// How an attempt ends by its stand-in, and after which time. Without one it succeeds, and what it gives is not known.
pub(super) fn come_to(given: Option<&StandIn>, work: Option<&Work>, path: &StepPath) -> (End, Duration) {
    let task = work.map(|work| &work.task);
    if let Some(Task::Event(task)) = task {
        return comes(given, task, path);
    }
    let bare = StandIn { end: StandInEnd::Result, result: Value::Map(Map::new()), takes: Duration::ZERO };
    let stand_in = given.unwrap_or(&bare);
    let timeout = work.map_or(Duration::MAX, |work| work.timeout);
    let result = match (&stand_in.end, given.is_some()) {
        (StandInEnd::Example, _) | (_, false) => predicted_result(task, path.label()),
        _ => result(task, &stand_in.result),
    };
    let fails = |message: String, result| AttemptEnd::Failed { failure: failure(message), result };
    let timed_out = || {
        let message = format!("it took longer than its timeout, {}", crate::value::format_duration(timeout));
        match task {
            // It may have reached the server.
            Some(Task::Http(http)) if !http.is_safe() => AttemptEnd::Unknown { why: message },
            _ => AttemptEnd::TimedOut { failure: failure(message), result: cut_short(task, &stand_in.result, path) },
        }
    };
    let late = stand_in.takes > timeout;
    let end = match &stand_in.end {
        StandInEnd::Crash => End::Crash,
        _ if late => End::As(timed_out()),
        StandInEnd::TimesOut => End::As(timed_out()),
        StandInEnd::Unknown => End::As(AttemptEnd::Unknown { why: "nobody saw it end".to_owned() }),
        StandInEnd::Fails(message) => End::As(fails(message.clone(), failed(task, &stand_in.result, result))),
        StandInEnd::Example => End::As(AttemptEnd::Succeeded { result }),
        StandInEnd::Result => End::As(judged(task, result)),
        StandInEnd::CrashAfter => End::Then(judged(task, result)),
    };
    let takes = if late || stand_in.end == StandInEnd::TimesOut { timeout } else { stand_in.takes };
    (end, takes)
}

/// The event that ends a wait by its stand-in. One that the step does not wait for, or that comes too late, ends nothing.
fn comes(given: Option<&StandIn>, task: &EventTask, path: &StepPath) -> (End, Duration) {
    let Some(stand_in) = given else { return (End::Never, Duration::ZERO) };
    let result = match stand_in.end {
        StandInEnd::Example => predicted_result(Some(&Task::Event(Box::new(task.clone()))), path.label()),
        _ => occurrence(&stand_in.result),
    };
    let event = result.get("event").unwrap_or(&Value::Null);
    let fits = !matches!(task.judge(event, None), Ok(Value::Bool(false)) | Err(_));
    let end = match stand_in.end {
        StandInEnd::Crash => End::Crash,
        StandInEnd::Result | StandInEnd::Example if fits => End::As(AttemptEnd::Succeeded { result }),
        StandInEnd::CrashAfter if fits => End::Then(AttemptEnd::Succeeded { result }),
        _ => End::Never,
    };
    (end, stand_in.takes)
}

/// An event with all that every event has.
fn occurrence(given: &Value) -> Value {
    let mut event: Map = ["subject", "time", "data"].map(|name| (name.to_owned(), Value::Null)).into();
    event.extend(["id", "source", "type", "key"].map(|name| (name.to_owned(), Value::text("test"))));
    event.extend([("extensions".to_owned(), Value::Map(Map::new())), ("status".to_owned(), Value::text("once"))]);
    let mut result = Map::from([("number".to_owned(), Value::Int(1))]);
    if let Value::Map(given) = given {
        result.extend(given.clone());
    }
    if let Some(Value::Map(members)) = result.remove("event") {
        event.extend(members);
    }
    result.insert("event".to_owned(), Value::Map(event));
    Value::Map(result)
}

pub(super) fn failure(message: String) -> Failure {
    Failure { message, at: None, detail: None }
}

/// A result with the members that an action always gives.
fn result(task: Option<&Task>, given: &Value) -> Value {
    let Value::Map(given) = given else { return given.clone() };
    let defaults: &[(&str, Value)] = match task {
        Some(Task::Run { .. } | Task::Exec { .. }) => {
            &[("stdout", Value::Text(String::new())), ("stderr", Value::Text(String::new())), ("exit_code", Value::Int(0))]
        }
        Some(Task::Http(_)) => {
            &[("status", Value::Int(200)), ("headers", Value::Map(Map::new())), ("body", Value::Text(String::new()))]
        }
        _ => &[],
    };
    let mut result: Map = defaults.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    if let Some(Task::Http(http)) = task
        && let Some(status) = http.expect_status.first()
    {
        result.insert("status".to_owned(), Value::Int((*status).into()));
    }
    result.extend(given.clone());
    let text = match task {
        Some(Task::Http(_)) => "body",
        _ => "stdout",
    };
    if let Some(Value::Text(text)) = result.get(text)
        && let Some(json) = Value::from_output(text)
    {
        result.entry("json".to_owned()).or_insert(json);
    }
    Value::Map(result)
}

/// What there is of a program whose time was over. Of anything else there is nothing.
fn cut_short(task: Option<&Task>, given: &Value, path: &StepPath) -> Value {
    let (Some(Task::Run { .. } | Task::Exec { .. }), Value::Map(members)) = (task, given) else { return Value::Null };
    match (result(task, given), members.get("exit_code")) {
        (Value::Map(mut result), None) => {
            result.insert("exit_code".to_owned(), Value::Unknown(format!("steps.{}.exit_code", path.label())));
            Value::Map(result)
        }
        (result, _) => result,
    }
}

/// A program that fails has another exit code than 0. A request without an answer, and a script, leave nothing behind.
fn failed(task: Option<&Task>, given: &Value, result: Value) -> Value {
    match (task, result) {
        (Some(Task::Rhai { .. }), _) => Value::Null,
        (Some(Task::Http(_)), _) if given.get("status").is_none() => Value::Null,
        (Some(Task::Run { .. } | Task::Exec { .. }), Value::Map(mut result)) => {
            if matches!(result.get("exit_code"), None | Some(Value::Int(0) | Value::Unknown(_))) {
                result.insert("exit_code".to_owned(), Value::Int(1));
            }
            Value::Map(result)
        }
        (_, result) => result,
    }
}

/// How an attempt with this result ends.
fn judged(task: Option<&Task>, result: Value) -> AttemptEnd {
    let member = |name: &str| if let Value::Map(map) = &result { map.get(name) } else { None };
    let why = match (task, member("exit_code"), member("status")) {
        (Some(Task::Run { .. } | Task::Exec { .. }), Some(Value::Int(code)), _) if *code != 0 => {
            Some(format!("it ended with exit code {code}"))
        }
        (Some(Task::Http(http)), _, Some(Value::Int(status))) if !http.expects(*status) => {
            Some(format!("the server answered {status}"))
        }
        _ => None,
    };
    match why {
        Some(why) => AttemptEnd::Failed { failure: failure(why), result },
        None => AttemptEnd::Succeeded { result },
    }
}
