//! What is kept of an action's output: every masked byte in the log, the head in the result, the last lines in a failure.
//!
//! Memory is bounded whatever arrives: one chunk, the head and the tail. Text that is not UTF-8 is kept exactly in the log
//! and with replacement characters in the result.

use runbook_core::limits;
use runbook_core::value::Value;

use super::{Mask, Output};

/// The log of one attempt and the end of what went into it.
pub struct Recorder {
    sink: Box<dyn Output + Send>,
    tail: Vec<u8>,
    broken: Option<String>,
}

/// One stream of an attempt.
pub struct Stream {
    mask: Box<dyn Mask + Send>,
    scratch: Vec<u8>,
    head: Vec<u8>,
    bytes: u64,
}

impl Recorder {
    pub fn new(sink: Box<dyn Output + Send>) -> Recorder {
        Recorder { sink, tail: Vec::new(), broken: None }
    }

    pub fn push(&mut self, stream: &mut Stream, bytes: &[u8]) {
        stream.scratch.clear();
        stream.mask.push(bytes, &mut stream.scratch);
        self.keep(stream);
    }

    pub fn finish(&mut self, stream: &mut Stream) {
        stream.scratch.clear();
        stream.mask.finish(&mut stream.scratch);
        self.keep(stream);
    }

    fn keep(&mut self, stream: &mut Stream) {
        let bytes = stream.scratch.as_slice();
        stream.bytes += bytes.len() as u64;
        // One byte more than is shown tells whether there was more, and a cut character is dropped with it.
        let room = (limits::RESULT_BYTES + 1).saturating_sub(stream.head.len()).min(bytes.len());
        stream.head.extend_from_slice(bytes.get(..room).unwrap_or_default());
        let last = bytes.get(bytes.len().saturating_sub(limits::DETAIL_BYTES)..).unwrap_or_default();
        self.tail.extend_from_slice(last);
        if self.tail.len() > 2 * limits::DETAIL_BYTES {
            self.tail.drain(..self.tail.len() - limits::DETAIL_BYTES);
        }
        if self.broken.is_none() && !bytes.is_empty() {
            self.broken = self.sink.write(bytes).err().map(|error| error.to_string());
        }
    }

    /// Why the log is not complete, where it is not.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// The last lines, fit to be shown: control characters are spelt out.
    pub fn last_lines(&self) -> Option<String> {
        let bytes = self.tail.get(self.tail.len().saturating_sub(limits::DETAIL_BYTES)..).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end().trim_start_matches('\u{fffd}');
        let lines: Vec<&str> = text.lines().collect();
        let shown = lines.get(lines.len().saturating_sub(limits::DETAIL_LINES)..).unwrap_or_default();
        let plain = printable(&shown.join("\n"));
        if plain.is_empty() { None } else { Some(plain) }
    }
}

impl Stream {
    pub fn new(mask: Box<dyn Mask + Send>) -> Stream {
        Stream { mask, scratch: Vec::new(), head: Vec::new(), bytes: 0 }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The head as text, at most [`limits::RESULT_BYTES`] in the record's JSON, and whether that is all of it.
    pub fn head(&self) -> (String, bool) {
        let text = String::from_utf8_lossy(&self.head);
        let (text, whole) = cut(&text, limits::RESULT_BYTES);
        (text.to_owned(), whole && self.bytes <= limits::RESULT_BYTES as u64)
    }

    /// All of it as data, where it is small JSON.
    pub fn json(&self) -> Option<Value> {
        let (text, whole) = self.head();
        if !whole {
            return None;
        }
        Value::from_output(&text)
    }
}

/// The longest beginning of `text` that takes at most `bytes` when it is written as JSON, and whether that is all.
pub fn cut(text: &str, bytes: usize) -> (&str, bool) {
    let mut used = 0;
    for (place, character) in text.char_indices() {
        used += match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            c if u32::from(c) < 0x20 => 6,
            c => c.len_utf8(),
        };
        if used > bytes {
            return (text.get(..place).unwrap_or_default(), false);
        }
    }
    (text, true)
}

/// Control characters other than line ends and tabs, spelt out: a terminal escape must not act where a failure is shown.
pub fn printable(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => plain.push(character),
            '\r' => {}
            c if c.is_control() => plain.extend(c.escape_unicode()),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::fixture::{Blind, Log};

    fn recorded(chunks: &[&[u8]]) -> (Recorder, Stream, Log) {
        let log = Log::default();
        let mut recorder = Recorder::new(Box::new(log.clone()));
        let mut stream = Stream::new(Box::new(Blind));
        for chunk in chunks {
            recorder.push(&mut stream, chunk);
        }
        recorder.finish(&mut stream);
        (recorder, stream, log)
    }

    #[test]
    fn the_head_is_cut_at_a_character_and_never_outgrows_an_event() {
        for (piece, times, whole) in [
            ("a", limits::RESULT_BYTES, true),
            ("a", limits::RESULT_BYTES + 1, false),
            ("é", limits::RESULT_BYTES / 2, true),
            ("é", limits::RESULT_BYTES, false),
            ("a\u{0}", limits::RESULT_BYTES, false),
            ("\u{1f980}", limits::RESULT_BYTES, false),
            ("\n", limits::RESULT_BYTES, false),
        ] {
            let text = piece.repeat(times);
            let (_, stream, log) = recorded(&[text.as_bytes()]);
            let (head, all) = stream.head();
            assert_eq!(all, whole, "{piece:?} × {times}");
            assert!(text.starts_with(&head), "{piece:?}");
            assert!(serde_json::to_string(&head).unwrap().len() <= limits::RESULT_BYTES + 2, "{piece:?}");
            assert_eq!(log.bytes(), text.as_bytes(), "{piece:?}");
        }
    }

    #[test]
    fn characters_split_over_chunks_are_whole_and_foreign_bytes_are_replaced() {
        for (chunks, expect) in [
            (vec![&b"caf\xc3"[..], &b"\xa9"[..]], "café"),
            (vec![&b"\xff\xfe"[..]], "\u{fffd}\u{fffd}"),
            (vec![&b"a\0b"[..]], "a\0b"),
        ] {
            let (_, stream, _) = recorded(&chunks);
            assert_eq!(stream.head(), (expect.to_owned(), true));
        }
    }

    #[test]
    fn json_is_data_only_where_all_of_it_is_there() {
        let deep = "[".repeat(100) + &"]".repeat(100);
        let long = format!("[{}1]", "1,".repeat(limits::RESULT_BYTES));
        for (text, expect) in [
            ("7", Some(Value::Int(7))),
            (" {\"a\": 1}\n", Some(Value::Map([("a".to_owned(), Value::Int(1))].into()))),
            ("", None),
            ("seven", None),
            ("18446744073709551615", None),
            (deep.as_str(), None),
            (long.as_str(), None),
        ] {
            assert_eq!(recorded(&[text.as_bytes()]).1.json(), expect, "{}", &text[..text.len().min(30)]);
        }
    }

    #[test]
    fn the_last_lines_are_few_and_cannot_move_a_cursor() {
        let many: String = (1..=500).map(|n| format!("line {n}\n")).collect();
        for (text, expect) in [
            ("", None),
            ("\n\n", None),
            ("one\ntwo\n", Some("one\ntwo".to_owned())),
            ("red \u{1b}[31m\r\n", Some("red \\u{1b}[31m".to_owned())),
            (many.as_str(), Some((481..=500).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n"))),
        ] {
            assert_eq!(recorded(&[text.as_bytes()]).0.last_lines(), expect);
        }
    }
}
