//! Data → YAML that reads back as exactly that. What fits on a line stands on one; a text of several lines is a literal block
//! where that says it without loss, and every character that a reader could not see is an escape.

use std::fmt::Write;

use super::{NodeKind, Scalar, ScalarStyle, characters, resolve};
use crate::diagnostic::Span;
use crate::value::Value;

/// Columns of a line that is written in brackets.
const WIDTH: usize = 110;

/// Bytes of a text whose line end is written as an escape.
const SHORT: usize = 60;

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Out {
    Text(String),
    /// A number or a word, as it stands.
    Word(String),
    List(Vec<Out>),
    /// In this order.
    Map(Vec<(String, Out)>),
}

impl Out {
    pub fn text(text: impl Into<String>) -> Out {
        Out::Text(text.into())
    }

    /// A value as data: durations and times as their texts.
    pub fn data(value: &Value) -> Out {
        match value {
            Value::Null => Out::Word("null".to_owned()),
            Value::Bool(_) | Value::Int(_) => Out::Word(value.to_plain_json().to_string()),
            // The shortest that reads back as the same number, and as one.
            Value::Float(number) => Out::Word(format!("{number:?}")),
            Value::List(items) => Out::List(items.iter().map(Out::data).collect()),
            Value::Map(map) => Out::Map(map.iter().map(|(name, value)| (name.clone(), Out::data(value))).collect()),
            other => Out::Text(other.to_plain_json().as_str().unwrap_or_default().to_owned()),
        }
    }

    /// As it stands on one line, if it may.
    fn on_a_line(&self) -> Option<String> {
        match self {
            // A line that a program printed.
            Out::Text(text) if text.strip_suffix('\n').is_some_and(|line| line.len() < SHORT && !line.contains('\n')) => {
                Some(quoted(text))
            }
            Out::Text(text) if text.contains('\n') => None,
            Out::Text(text) => Some(scalar(text)),
            Out::Word(word) => Some(word.clone()),
            Out::List(items) => {
                let items: Option<Vec<String>> = items.iter().map(Out::on_a_line).collect();
                Some(format!("[{}]", items?.join(", ")))
            }
            Out::Map(entries) => {
                let entry = |(key, value): &(String, Out)| Some(format!("{}: {}", scalar(key), value.on_a_line()?));
                let entries: Option<Vec<String>> = entries.iter().map(entry).collect();
                Some(format!("{{{}}}", entries?.join(", ")))
            }
        }
    }
}

/// The entries of a map, each on lines of its own, all of them ended.
pub(crate) fn entries(entries: &[(String, Out)], indent: usize) -> String {
    let mut out = String::new();
    for (key, value) in entries {
        let _ = write!(out, "{:indent$}{}:", "", scalar(key));
        behind(&mut out, value, indent, scalar(key).len() + 1);
    }
    out
}

/// What stands behind a key or a `-`, to the end of its last line.
fn behind(out: &mut String, value: &Out, indent: usize, used: usize) {
    let line = value.on_a_line().filter(|line| match value {
        Out::List(items) if items.is_empty() => true,
        Out::Map(entries) if entries.is_empty() => true,
        Out::List(_) | Out::Map(_) => indent + used + line.len() < WIDTH,
        _ => true,
    });
    match (line, value) {
        (Some(line), _) => {
            let _ = writeln!(out, " {line}");
        }
        (None, Out::Map(inner)) => {
            out.push('\n');
            out.push_str(&entries(inner, indent + 2));
        }
        (None, Out::List(items)) => {
            out.push('\n');
            for item in items {
                let before = out.len();
                let _ = write!(out, "{:1$}-", "", indent + 2);
                match item {
                    // Its first entry stands beside the `-`.
                    Out::Map(inner)
                        if item.on_a_line().is_none_or(|line| indent + 4 + line.len() >= WIDTH) && !inner.is_empty() =>
                    {
                        out.truncate(before);
                        let lines = entries(inner, indent + 4);
                        let _ = write!(out, "{:1$}- {2}", "", indent + 2, lines.trim_start_matches(' '));
                    }
                    _ => behind(out, item, indent + 2, 2),
                }
            }
        }
        (None, Out::Text(text)) => match literal(text, indent + 2) {
            Some(block) => {
                let _ = writeln!(out, " {block}");
            }
            None => {
                let _ = writeln!(out, " {}", quoted(text));
            }
        },
        (None, Out::Word(word)) => {
            let _ = writeln!(out, " {word}");
        }
    }
}

/// A text on one line: plain where that is read as the same text everywhere, else in quotes.
pub(crate) fn scalar(text: &str) -> String {
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric() || "/_.".contains(c));
    let rest = text.chars().all(|c| c.is_alphanumeric() || " /_.-@+=~$();!".contains(c)) && characters::hidden(text).is_none();
    let plain = first && rest && !text.ends_with(' ') && is_text(text);
    if plain { text.to_owned() } else { quoted(text) }
}

fn is_text(text: &str) -> bool {
    // Readers of YAML 1.1 take `1e3` and `0o7` for numbers.
    is_read_as_text(text) && !text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

fn is_read_as_text(text: &str) -> bool {
    let scalar = Scalar { value: text.to_owned(), span: Span::default(), style: ScalarStyle::Plain };
    // Readers of YAML 1.1 take some more words for something else.
    let other = matches!(text.to_ascii_lowercase().as_str(), "yes" | "no" | "on" | "off");
    matches!(resolve(scalar), NodeKind::Text(_)) && !other
}

/// `key: text` on lines of its own, as a person would write it: as it is, as a block of lines, or else in quotes.
pub fn field(key: &str, text: &str, indent: usize) -> String {
    let value = match block(text, indent + 2) {
        Some(block) => block,
        None if is_plain(text) => text.to_owned(),
        None => quoted(text),
    };
    format!("{:indent$}{key}: {value}\n", "")
}

/// Whether a text can stand without quotes behind a key, on a line that is its own.
pub fn is_plain(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_alphabetic()) || text.starts_with(['/', '$', '.', '_']) && text.len() > 1;
    let ends = !text.ends_with([' ', ':']);
    begins
        && ends
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.chars().any(is_refused)
        && is_one_line(text)
        && !matches!(text, "y" | "Y" | "n" | "N")
        && is_read_as_text(text)
}

fn is_refused(c: char) -> bool {
    characters::refused(c).is_some()
}

fn is_one_line(text: &str) -> bool {
    !text.contains(['\n', '\r', '\t', '\u{85}', '\u{2028}', '\u{2029}'])
}

/// Any text of several lines as a literal block, if it gives the text back: some lines are, none before them is made of blanks, and
/// one line end at most ends them.
fn block(text: &str, indent: usize) -> Option<String> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let shown = |line: &str| {
        let seen = line.replace('\t', " ");
        line.is_empty() || (!line.trim().is_empty() && !seen.chars().any(is_refused) && is_one_line(&seen))
    };
    if !text.contains('\n') || body.starts_with('\n') || body.ends_with('\n') || !body.split('\n').all(shown) {
        return None;
    }
    let stated = if text.starts_with([' ', '\t']) { "2" } else { "" };
    let sign = if body.len() == text.len() { "-" } else { "" };
    Some(lines(format!("|{stated}{sign}"), body, indent))
}

/// The lines of a block behind its sign.
fn lines(mut out: String, body: &str, indent: usize) -> String {
    for line in body.split('\n') {
        match line {
            "" => out.push('\n'),
            line => {
                let _ = write!(out, "\n{:indent$}{line}", "");
            }
        }
    }
    out
}

/// A text in double quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if characters::hidden(c.encode_utf8(&mut [0; 4])).is_some() => {
                let number = u32::from(c);
                let _ = if number > 0xffff { write!(out, "\\U{number:08X}") } else { write!(out, "\\u{number:04X}") };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A text as a literal block, where its lines show all of it.
fn literal(text: &str, indent: usize) -> Option<String> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let shown = |line: &str| !line.ends_with([' ', '\t']) && characters::hidden(line).is_none() && !line.contains('\r');
    let begins = body.split('\n').next().is_some_and(|line| !line.is_empty() && !line.starts_with([' ', '\t']));
    if !begins || body.ends_with('\n') || !body.split('\n').all(shown) || body.contains('\t') {
        return None;
    }
    let sign = if body.len() == text.len() { "|-" } else { "|" };
    Some(lines(sign.to_owned(), body, indent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::document::load_value;

    #[test]
    fn what_is_written_reads_back_as_the_same_data() {
        let texts = [
            "",
            " ",
            "a",
            "a b",
            "a: b",
            "a #b",
            "- a",
            "*",
            "***",
            "&a",
            "{{x}}",
            "[1]",
            "null",
            "true",
            "1",
            "-1",
            "1.5",
            "1e3",
            "0x1f",
            ".5",
            "~",
            "yes",
            "2026-01-01",
            "12:30",
            "<<",
            "?",
            "|",
            "a\n",
            "a\nb",
            "a\nb\n",
            "a\n\nb\n",
            "a\n\n",
            "\na",
            " a\nb",
            "a \nb",
            "a\tb\nc",
            "a\r\nb",
            "\u{0}",
            "\u{1b}[31m",
            "\u{200b}",
            "\u{feff}a",
            "\u{e0001}",
            "é",
            "日本\n語",
            "\u{85}",
            "'",
            "\"",
            "\\",
            "a, b",
            "a]",
            "%a",
            "@a",
            "`a`",
            "---",
            "...",
            "!a",
            "a:",
            ":a",
            "#a",
            "a\u{2028}b\nc",
        ];
        for text in texts {
            for text in [text.to_owned(), format!("a\n{text}"), format!("{text}\nb\n"), format!(" {text}\n"), format!("a{text}")] {
                let written = format!("v:\n{}{}", field("value", &text, 2), field("next", "a", 2));
                let (read, found) = load_value(&Source::new("written.yaml", written.as_str()));
                let read = read.as_ref().and_then(|read| read.get("v")).and_then(|read| read.get("value"));
                assert!(!found.has_errors() && read == Some(&Value::text(&text)), "{text:?}\n{written}\n{found:?}");
            }
        }
        let mut values: Vec<Value> = texts.iter().map(|text| Value::text(*text)).collect();
        // As keys, but for those that no file may have.
        let keys = texts.iter().filter(|text| characters::hidden(text).is_none());
        values.extend(keys.map(|key| Value::Map([(key.to_string(), Value::text("a"))].into())));
        values.extend([
            Value::Null,
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::Float(1.0),
            Value::Float(1e300),
            Value::Float(-0.1),
        ]);
        values.extend([Value::List(Vec::new()), Value::Map(Default::default())]);
        let long = Value::List(values.clone());
        let nested = |value: &Value| {
            Value::Map([("k".to_owned(), value.clone()), ("l m".to_owned(), Value::List(vec![value.clone()]))].into())
        };
        values.push(nested(&long));
        values.push(Value::List(vec![nested(&long), long.clone()]));
        for value in values {
            for value in [value.clone(), nested(&value), nested(&nested(&value)), Value::List(vec![nested(&value), value.clone()])]
            {
                let written = entries(&[("value".to_owned(), Out::data(&value))], 0);
                let (read, found) = load_value(&Source::new("written.yaml", written.as_str()));
                assert!(!found.has_errors(), "{written}\n{found:?}");
                assert_eq!(read.as_ref().and_then(|read| read.get("value")), Some(&value), "{written}");
            }
        }
    }
}
