//! The written form of an event: one line of JSON, `{"run","seq","at","kind","body","hash"}` in this order and without
//! spaces. The same line is a row of the journal, a line of `--json`, of the API's stream and of an export.
//!
//! A [`Record`] keeps the bytes as they were written, because they are what the chain covers. Records of an older format are
//! brought up to date when they are decoded; their bytes are never rewritten.

use std::fmt::Display;

use runbook_core::run::event::Fact;
use runbook_core::{Digest, Event, RunId, limits};
use serde_json::Value as Json;

use super::JournalError;
use super::chain;

/// The format that this build writes.
pub const FORMAT: u32 = 1;

/// One event as it stands in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub run: RunId,
    pub seq: u64,
    /// RFC 3339 in UTC.
    pub at: String,
    pub kind: String,
    /// JSON text; empty where it was taken out of the record.
    pub body: String,
    pub hash: Digest,
}

/// A line that is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event of a record: {0}")]
pub struct NotARecord(pub &'static str);

/// Changes the body of an event of format `from` into the form of the next one.
struct Upcast {
    from: u32,
    kind: &'static str,
    change: fn(&mut Json),
}

/// In order of `from`. A change of the format adds a line here and a journal to `tests/journals`.
const UPCASTS: &[Upcast] = &[];

impl Record {
    /// Writes an event down, as the one after `previous`.
    pub fn encode(event: &Event, previous: &Digest) -> Result<Record, JournalError> {
        let text = serde_json::to_string(event).map_err(|e| JournalError::Unwritable(e.to_string()))?;
        let hash = chain::link(previous, &[&text]);
        let record = Record::split(&text, hash).map_err(|e| JournalError::Unwritable(e.to_string()))?;
        if record.body.len() > limits::EVENT_BYTES {
            return Err(JournalError::TooLarge { seq: event.seq, kind: record.kind, bytes: record.body.len() });
        }
        Ok(record)
    }

    /// Whether only its number, time, kind and hash are left.
    pub fn is_removed(&self) -> bool {
        self.body.is_empty()
    }

    /// Reads the event back. `format` is that of the run.
    pub fn decode(&self, format: u32) -> Result<Event, JournalError> {
        self.decode_with(format, UPCASTS)
    }

    fn decode_with(&self, format: u32, upcasts: &[Upcast]) -> Result<Event, JournalError> {
        if format > FORMAT {
            return Err(JournalError::Newer { what: format!("run {}", self.run), format, known: FORMAT });
        }
        if self.is_removed() {
            return Err(JournalError::Compacted(self.run.clone()));
        }
        let Record { run, seq, kind, body, .. } = self;
        let damaged = |why: &dyn Display| JournalError::Damaged { what: format!("event {seq} of run {run} cannot be read: {why}") };
        // What stands around the body is known already, and to read it with the rest would take twice as long.
        let text = [r#"{"kind":""#, kind, r#"","body":"#, body, "}"].concat();
        let mut upcasts = upcasts.iter().filter(|u| u.from >= format && u.kind == *kind).peekable();
        let fact: Fact = if upcasts.peek().is_none() {
            serde_json::from_str(&text).map_err(|e| damaged(&e))?
        } else {
            let mut fact: Json = serde_json::from_str(&text).map_err(|e| damaged(&e))?;
            if let Some(body) = fact.get_mut("body") {
                upcasts.for_each(|upcast| (upcast.change)(body));
            }
            serde_json::from_value(fact).map_err(|e| damaged(&e))?
        };
        let at = self.at.parse().map_err(|e: jiff::Error| damaged(&e))?;
        Ok(Event { run: run.clone(), seq: *seq, at, fact })
    }

    /// What the hash covers, beside the hash before it.
    pub fn bytes(&self) -> String {
        let Record { run, seq, at, kind, body, .. } = self;
        format!(r#"{{"run":"{run}","seq":{seq},"at":"{at}","kind":"{kind}","body":{body}}}"#)
    }

    /// Whether the hash is that of the event after `previous`.
    pub fn follows(&self, previous: &Digest) -> bool {
        // The same as `bytes`, without writing it out.
        let Record { run, seq, at, kind, body, hash } = self;
        let seq = seq.to_string();
        let parts =
            [r#"{"run":""#, run.as_str(), r#"","seq":"#, &seq, r#","at":""#, at, r#"","kind":""#, kind, r#"","body":"#, body, "}"];
        chain::is_link(hash, previous, &parts)
    }

    /// The whole line, without a line end. One whose body was taken out has none.
    pub fn line(&self) -> String {
        if self.is_removed() {
            let Record { run, seq, at, kind, hash, .. } = self;
            return format!(r#"{{"run":"{run}","seq":{seq},"at":"{at}","kind":"{kind}","hash":"{hash}"}}"#);
        }
        let mut line = self.bytes();
        line.pop();
        line.push_str(&format!(r#","hash":"{}"}}"#, self.hash));
        line
    }

    /// Takes a line apart without changing a byte of it.
    pub fn from_line(line: &str) -> Result<Record, NotARecord> {
        let wrong = NotARecord("it does not end with its hash");
        let (front, hash) = line.rsplit_once(r#","hash":""#).ok_or(wrong.clone())?;
        let hash = hash.strip_suffix(r#""}"#).and_then(|h| h.parse().ok()).ok_or(wrong)?;
        Record::split(&format!("{front}}}"), hash)
    }

    fn split(text: &str, hash: Digest) -> Result<Record, NotARecord> {
        fn until<'t>(text: &mut &'t str, mark: &str) -> Option<&'t str> {
            let (part, rest) = text.split_once(mark)?;
            *text = rest;
            Some(part)
        }
        let mut rest = text;
        let mut part = |mark| until(&mut rest, mark);
        let opening = part(r#"{"run":""#).ok_or(NotARecord("`run` is not first"))?;
        let run = part(r#"","seq":"#).ok_or(NotARecord("`seq` is not after `run`"))?;
        let seq = part(r#","at":""#).ok_or(NotARecord("`at` is not after `seq`"))?;
        let at = part(r#"","kind":""#).ok_or(NotARecord("`kind` is not after `at`"))?;
        let kind = part(r#"","body":"#).ok_or(NotARecord("`body` is not after `kind`"))?;
        let body = rest.strip_suffix('}').ok_or(NotARecord("the line is cut"))?;
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if !opening.is_empty() || !plain(at) || !plain(kind) {
            return Err(NotARecord("a field holds what it cannot hold"));
        }
        if !seq.bytes().all(|b| b.is_ascii_digit()) || seq.starts_with('0') {
            return Err(NotARecord("`seq` is not a number from 1"));
        }
        Ok(Record {
            run: run.parse().map_err(|_| NotARecord("`run` is not a run id"))?,
            seq: seq.parse().map_err(|_| NotARecord("`seq` is too large"))?,
            at: at.to_owned(),
            kind: kind.to_owned(),
            body: body.to_owned(),
            hash,
        })
    }
}

#[cfg(test)]
mod tests {
    use runbook_core::run::event::{Identity, Means};

    use super::*;

    fn event(text: &str) -> Event {
        Event {
            run: RunId::from_parts(1, 1),
            seq: 7,
            at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            fact: Fact::NoteAdded { by: Identity { person: "ada".into(), means: Means::Engine }, text: text.into() },
        }
    }

    #[test]
    fn a_record_is_its_line_is_its_event() {
        for text in ["", "plain", "\",\"hash\":\"sha256:", "}{\n\u{1F600}\u{0}", r#"","body":{}"#, "9007199254740993"] {
            let event = event(text);
            let record = Record::encode(&event, &chain::genesis(FORMAT, &event.run)).unwrap();
            assert_eq!(record.bytes(), serde_json::to_string(&event).unwrap());
            assert_eq!(Record::from_line(&record.line()).unwrap(), record);
            assert_eq!(record.decode(FORMAT).unwrap(), event);
            assert_eq!(record.hash, chain::link(&chain::genesis(FORMAT, &event.run), &[&record.bytes()]));
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let record = Record::encode(&event("x"), &chain::genesis(FORMAT, &RunId::from_parts(1, 1))).unwrap();
        let line = record.line();
        for (from, to) in
            [("{\"run\"", "{ \"run\""), ("\"seq\":7", "\"seq\":07"), ("\"seq\":7", "\"seq\":-7"), ("\"}", "\"} "), ("hash", "Hash")]
        {
            let changed = line.replacen(from, to, if to == "\"} " { 9 } else { 1 });
            assert!(Record::from_line(&changed).is_err(), "{changed}");
        }
        for cut in 0..line.len() {
            assert!(Record::from_line(&line[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_large_event_is_refused_and_a_newer_format_too() {
        let large = event(&"x".repeat(limits::EVENT_BYTES));
        let result = Record::encode(&large, &chain::genesis(FORMAT, &large.run));
        assert!(matches!(result, Err(JournalError::TooLarge { seq: 7, .. })), "{result:?}");
        let record = Record::encode(&event("x"), &chain::genesis(FORMAT, &large.run)).unwrap();
        assert!(matches!(record.decode(FORMAT + 1), Err(JournalError::Newer { .. })));
    }

    #[test]
    fn old_bodies_are_brought_up_to_date() {
        const RENAMED: Upcast = Upcast {
            from: 1,
            kind: "note_added",
            change: |body| {
                if let Some(text) = body.as_object_mut().and_then(|b| b.remove("note")) {
                    body["text"] = text;
                }
            },
        };
        let mut record = Record::encode(&event("as before"), &chain::genesis(FORMAT, &RunId::from_parts(1, 1))).unwrap();
        record.body = record.body.replace("\"text\"", "\"note\"");
        assert!(record.decode_with(1, &[]).is_err());
        assert_eq!(record.decode_with(1, &[RENAMED]).unwrap(), event("as before"));
    }
}
