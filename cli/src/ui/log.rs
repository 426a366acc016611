//! What a process that does not end says of itself, on standard error: a line for each thing that the program tells through `tracing`.
//! Other programs' libraries are not heard. A line is whole, and no text from outside ends it or moves the cursor.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::printer::{Printer, Stream};
use super::{coloured, line};
use crate::args::LogForm;

pub struct Log {
    form: LogForm,
    most: Level,
    printer: Printer,
    colours: bool,
}

impl Log {
    /// Listens to this program until it ends.
    pub fn begin(form: LogForm, verbose: bool, printer: Printer, colours: bool) {
        let most = if verbose { Level::DEBUG } else { Level::INFO };
        // Where somebody listens already, they go on.
        let _ = tracing::subscriber::set_global_default(Log { form, most, printer, colours });
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.most && metadata.target().starts_with("runbook")
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(self.most.into())
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let at = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or_default();
        let text = match self.form {
            LogForm::Json => fields.json(at, event.metadata().level()),
            LogForm::Text => fields.text(at, event.metadata().level()),
        };
        self.printer.write(Stream::Error, coloured(text + "\n", self.colours));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => drop(self.others.insert(name.to_owned(), value)),
        }
    }

    fn json(self, at: Timestamp, level: &Level) -> String {
        let mut object = Map::new();
        object.insert("at".to_owned(), at.to_string().into());
        object.insert("level".to_owned(), level.as_str().to_lowercase().into());
        object.insert("message".to_owned(), self.message.into());
        // None of these can be taken for one of ours.
        for (name, value) in self.others {
            object.entry(name).or_insert(value);
        }
        Value::Object(object).to_string()
    }

    fn text(self, at: Timestamp, level: &Level) -> String {
        let mut text = format!("{at} {:5} {}", level.as_str().to_lowercase(), line(&self.message));
        for (name, value) in self.others {
            let value = match value {
                Value::String(word) if !word.is_empty() && !word.contains([' ', '"', '=']) => word,
                value => value.to_string(),
            };
            let _ = write!(text, " {name}={}", line(&value));
        }
        text
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_whatever_stands_in_it() {
        let fields = || Fields {
            message: "a\nb\u{1b}[2J".to_owned(),
            others: Map::from_iter([
                ("run".to_owned(), "1".into()),
                ("why".to_owned(), "x y\"\n\u{1b}".into()),
                ("n".to_owned(), 7.into()),
            ]),
        };
        let at = Timestamp::UNIX_EPOCH;
        let text = fields().text(at, &Level::WARN);
        assert!(!text.contains(['\n', '\u{1b}']), "{text:?}");
        assert!(text.starts_with("1970-01-01T00:00:00Z warn  a") && text.contains(" n=7 run=1 why="), "{text}");
        let json: Value = serde_json::from_str(&fields().json(at, &Level::WARN)).unwrap();
        assert_eq!((&json["level"], &json["n"], &json["message"]), (&"warn".into(), &7.into(), &"a\nb\u{1b}[2J".into()));
    }
}
