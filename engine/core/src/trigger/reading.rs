//! What a trigger reads from one event: pure, so that the same event gives the same whenever it is asked.

use jiff::Timestamp;

use super::{Keys, Of, Trigger, TriggerName};
use crate::cloud_event::CloudEvent;
use crate::document::input::accept_all;
use crate::expr::{Destination, Expression, Names, plain_text};
use crate::id::{Digest, RunId};
use crate::run::Given;
use crate::value::{Map, Value};

/// What a run is started with.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub inputs: Map,
    /// What the trigger says; absent where it says nothing.
    pub environment: Option<String>,
    pub keys: Keys,
}

/// Something that a trigger cannot read from an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be read from the event: {why}")]
pub struct Unreadable {
    pub what: String,
    pub why: String,
}

impl Unreadable {
    fn new(what: impl Into<String>, why: impl Into<String>) -> Unreadable {
        Unreadable { what: what.into(), why: why.into() }
    }
}

impl Trigger {
    /// Whether the event is one of those that it names.
    pub fn is_meant(&self, event: &Value, received: Timestamp) -> Result<bool, Unreadable> {
        let Some(when) = &self.when else { return Ok(true) };
        match evaluated("`when`", when, event, received)? {
            Value::Bool(meant) => Ok(meant),
            other => Err(Unreadable::new("`when`", format!("it is a {}, not true or false", other.type_name()))),
        }
    }

    /// Everything that a run needs. `received` is the time that `now` stands for.
    pub fn read(&self, event: &CloudEvent, value: &Value, received: Timestamp) -> Result<Reading, Unreadable> {
        let key = |what: &str, expression: &Expression| key(what, evaluated(what, expression, value, received)?);
        let mut given = Map::new();
        for (name, expression) in &self.inputs {
            let what = format!("input `{name}`");
            given.insert(name.as_str().to_owned(), evaluated(&what, expression, value, received)?);
        }
        let inputs = accept_all(&self.specs, given).map_err(|faults| {
            let faults: Vec<String> = faults.into_iter().map(|(name, fault)| format!("`{name}`: {fault}")).collect();
            Unreadable::new("an input", faults.join("; "))
        })?;
        let environment = match &self.environment {
            Some(text) => {
                let names = OfEvent { event: value, received };
                let rendered = text.render(Destination::Plain, &names);
                let (text, _) = rendered.map_err(|error| Unreadable::new("`environment`", error.message))?;
                if !self.environments.contains(&text) {
                    let why = format!("the workspace has no environment `{}`", text.escape_debug());
                    return Err(Unreadable::new("`environment`", why));
                }
                Some(text)
            }
            None => None,
        };
        let mut keys = self.first_keys(event, received);
        keys.dedup = self.dedup.as_ref().map(|dedup| key("the key of `dedup`", &dedup.key)).transpose()?;
        keys.accumulate = match &self.accumulate {
            Some(accumulate) => Some(match &accumulate.key {
                Some(expression) => key("the key of `accumulate`", expression)?,
                None => String::new(),
            }),
            None => None,
        };
        keys.correlate = self.correlation(value, received)?;
        keys.concurrency = match &self.concurrency {
            Some(concurrency) => Some(match concurrency.of {
                Of::Event => key("the key of `concurrency`", &concurrency.key)?,
                Of::Inputs => {
                    let what = "the key of `concurrency`";
                    let found = concurrency.key.evaluate(&Given(&inputs));
                    self::key(what, found.map_err(|error| Unreadable::new(what, error.message))?)?
                }
            }),
            None => None,
        };
        Ok(Reading { inputs, environment, keys })
    }

    /// What the event has in common with a run.
    pub(super) fn correlation(&self, event: &Value, received: Timestamp) -> Result<Option<String>, Unreadable> {
        let what = "the key of `correlate`";
        let read = |expression: &Expression| key(what, evaluated(what, expression, event, received)?);
        self.correlate.as_ref().map(read).transpose()
    }

    /// What is known of every event, whatever it holds.
    pub(super) fn first_keys(&self, event: &CloudEvent, received: Timestamp) -> Keys {
        Keys {
            about: event.key.clone(),
            run: run_of(event, received, &self.name),
            dedup: None,
            accumulate: None,
            correlate: None,
            concurrency: None,
        }
    }
}

/// The id of the run that an event starts through a trigger: no other event, and no other trigger, gives the same.
fn run_of(event: &CloudEvent, received: Timestamp, trigger: &TriggerName) -> RunId {
    let received_ms = received.as_millisecond().to_string();
    let trigger = [trigger.procedure.as_str(), &trigger.id];
    let parts = [&*received_ms, &event.source, &event.id, &event.key, event.status.as_str(), trigger[0], trigger[1]];
    // With their lengths, so that no two lists of parts read the same.
    let named: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    let digest = Digest::of_bytes(named.as_bytes());
    let random = digest.as_str().bytes().rev().take(20).fold(0, |bits: u128, hex| {
        let digit = char::from(hex).to_digit(16).unwrap_or_default();
        (bits << 4) | u128::from(digit)
    });
    RunId::from_parts(u64::try_from(received.as_millisecond()).unwrap_or_default(), random)
}

fn evaluated(what: &str, expression: &Expression, event: &Value, received: Timestamp) -> Result<Value, Unreadable> {
    let value = expression.evaluate(&OfEvent { event, received });
    value.map_err(|error| Unreadable::new(what, error.message))
}

/// A key as text. Nothing is no key: two events that lack it would be taken for one.
fn key(what: &str, value: Value) -> Result<String, Unreadable> {
    match value {
        Value::Null => Err(Unreadable::new(what, "it is nothing")),
        value => Ok(plain_text(&value)),
    }
}

/// The names that a trigger knows.
struct OfEvent<'a> {
    event: &'a Value,
    received: Timestamp,
}

impl Names for OfEvent<'_> {
    fn value(&self, root: &str, _: Option<&str>) -> Result<Value, String> {
        match root {
            "event" => Ok(self.event.clone()),
            "now" => Ok(Value::Time(self.received)),
            _ => Err(format!("a trigger knows `event` and `now`, and not `{root}`")),
        }
    }
}
