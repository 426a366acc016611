//! Faults of syntax: what each is called in the words of whoever wrote the file, where it stands, and which bytes could be
//! other ones so that reading goes on behind it.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{ErrorKind, ScanError};

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::document::decode::Reading;
use crate::limits;

/// The first line of each conflict that git has left in a text: the marks of its beginning, middle and end stand in their order, at the
/// beginning of lines. The first of them, as many as faults of syntax are told.
pub(super) fn conflicts(text: &str) -> Vec<Span> {
    let (mut found, mut open, mut at) = (Vec::new(), None, 0);
    for line in text.split_inclusive('\n') {
        let shown = line.trim_end();
        match open {
            _ if shown.starts_with("<<<<<<< ") => open = Some((Span::new(at, at + shown.len()), false)),
            Some((span, false)) if shown == "=======" => open = Some((span, true)),
            Some((span, true)) if shown.starts_with(">>>>>>> ") => {
                found.push(span);
                open = None;
            }
            _ => {}
        }
        at += line.len();
    }
    found.truncate(limits::SYNTAX_FAULTS);
    found
}

/// A fault of syntax, and where.
pub(super) struct Fault {
    pub kind: ErrorKind,
    pub at: usize,
}

impl Fault {
    pub fn of(error: &ScanError, text: &str) -> Fault {
        let mut at = error.marker().byte_offset().unwrap_or_default().min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let kind = error.kind().clone();
        // Of a tab, the parser names the beginning of the text that it stands in.
        let tab = text[at..].find(['\t']).filter(|_| is_tab(&kind)).map_or(at, |n| at + n);
        Fault { kind, at: tab }
    }

    pub fn line(&self, text: &str) -> Span {
        let start = text[..self.at].rfind('\n').map_or(0, |n| n + 1);
        let end = text[self.at..].find('\n').map_or(text.len(), |n| self.at + n);
        Span::new(start, end)
    }

    /// The bytes to blame. Letters may stand in for them without moving anything.
    pub fn mend(&self, text: &str) -> Option<Range<usize>> {
        if let Some(at) = self.opens_with_braces(text) {
            return Some(at..at + 2);
        }
        let culprits: &[u8] = match self.kind {
            ErrorKind::MappingValueNotAllowed => b":",
            ErrorKind::UnexpectedCharacter { .. } => b"@`%",
            // The parser names the beginning of the text, not the escape.
            ErrorKind::UnknownQuotedScalarEscape => return unknown_escape(text, self.at).map(|at| at..at + 1),
            ErrorKind::InvalidTrailingDoubleQuotedScalar | ErrorKind::InvalidTrailingSingleQuotedScalar => {
                return self.quote(text).map(|at| at..at + 1);
            }
            _ => INDICATORS,
        };
        let byte = text.as_bytes().get(self.at)?;
        culprits.contains(byte).then_some(self.at..self.at + 1)
    }

    /// The quote that the value of the fault's line begins with.
    fn quote(&self, text: &str) -> Option<usize> {
        let line = self.line(text).start as usize;
        let written = text.get(line..self.at)?;
        let at = line + [": ", "- "].iter().find_map(|start| written.find(start))? + 2;
        matches!(text.as_bytes().get(at), Some(b'"' | b'\'')).then_some(at)
    }

    /// Whether the line of the fault is a key that stands too far to the right, so that it goes on with the value above.
    fn is_key_within_value(&self, written: &str, column: usize) -> bool {
        let key = written.get(..column).unwrap_or_default();
        let plain = |b: u8| b.is_ascii_lowercase() || b == b'_';
        self.kind == ErrorKind::MappingValueNotAllowed && !key.trim().is_empty() && key.trim().bytes().all(plain)
    }

    /// Where the line of the fault has a value that begins with `{{`, without quotes.
    fn opens_with_braces(&self, text: &str) -> Option<usize> {
        let line = self.line(text);
        let written = text.get(line.start as usize..line.end as usize)?;
        let at = [": {{", "- {{"].iter().find_map(|start| written.find(start))?;
        Some(line.start as usize + at + 2)
    }

    pub fn diagnostic(&self, reading: &Reading, text: &str) -> Diagnostic {
        if let Some(at) = self.opens_with_braces(text) {
            return unquoted(reading, text, at);
        }
        let escape = matches!(self.kind, ErrorKind::UnknownQuotedScalarEscape).then(|| unknown_escape(text, self.at)).flatten();
        let at = escape.unwrap_or(self.at);
        let width = text[at..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
        let span = Span::new(at, at + width);
        let line = self.line(text);
        let written = text.get(line.start as usize..line.end as usize).unwrap_or_default();
        if written.bytes().take_while(|b| matches!(b, b' ' | b'\t')).any(|b| b == b'\t') {
            return reading.diagnostic(Code::RB0001, span, "a tab may not stand in indentation").help("indent with spaces");
        }
        let (message, help): (Cow<str>, &str) = match &self.kind {
            _ if self.is_key_within_value(written, at - line.start as usize) => {
                ("this line is indented as a part of the value above it".into(), "indent it as far as the other keys")
            }
            ErrorKind::MappingValueNotAllowed => (
                "a `:` followed by a space may not stand in an unquoted text".into(),
                "quote the text, or write it as a block that begins with `|`",
            ),
            kind if is_tab(kind) => ("a tab may not stand in indentation".into(), "indent with spaces"),
            ErrorKind::UnclosedQuotedScalar => ("a quoted text does not end".into(), "close the quote"),
            ErrorKind::InvalidQuotedScalarIndent => (
                "a quoted text above does not end, or this line of it is not indented".into(),
                "close the quote, or indent the line",
            ),
            ErrorKind::UnknownQuotedScalarEscape => {
                ("an unknown escape in a double-quoted text".into(), "write `\\\\` for a backslash, or use single quotes")
            }
            ErrorKind::UnexpectedCharacter { character } => {
                (format!("an unquoted text may not begin with `{}`", character.escape_default()).into(), "quote the text")
            }
            ErrorKind::InvalidTrailingDoubleQuotedScalar => {
                ("something stands behind the closing quote".into(), "put the whole value in single quotes")
            }
            ErrorKind::InvalidTrailingSingleQuotedScalar => (
                "something stands behind the closing quote".into(),
                "write `''` for a quote inside single quotes, or put the whole value in double quotes",
            ),
            ErrorKind::InvalidColonPlacement => {
                ("a `:` may not stand here".into(), "close the `[` or `{` that is still open before this place")
            }
            ErrorKind::UnclosedFlowCollection { open } if written.contains(" #{") => {
                (format!("`{open}` is not closed: ` #` begins a comment").into(), "put the value that holds `#` in quotes")
            }
            ErrorKind::UnclosedFlowCollection { open } => (format!("`{open}` is not closed").into(), "close it"),
            ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
                (format!("`{open}` is closed by `{close}`").into(), "close it with its own bracket")
            }
            ErrorKind::RecursionLimitExceeded => {
                let message = format!("the file nests deeper than {} levels", limits::DOCUMENT_DEPTH);
                return reading.diagnostic(Code::RB0003, span, message).help("move the inner steps into a procedure and `call` it");
            }
            ErrorKind::SimpleKeyExpected | ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => {
                ("this line belongs to nothing above it".into(), "check its indentation, and that a key ends with `:` and a space")
            }
            _ if text.as_bytes().get(at).is_some_and(|byte| INDICATORS.contains(byte)) => {
                (format!("an unquoted text may not begin with `{}`", &text[at..=at]).into(), "quote the text")
            }
            other => (format!("the file is not YAML: {other}").into(), "see the YAML around this place"),
        };
        let diagnostic = reading.diagnostic(Code::RB0001, span, message).help(help);
        let value = written.find(": ").map(|key| line.start as usize + key + 2).filter(|value| *value <= self.at);
        match (&self.kind, value) {
            (ErrorKind::MappingValueNotAllowed, Some(value)) => quoted(diagnostic, text, value),
            (ErrorKind::InvalidTrailingDoubleQuotedScalar, _) => match self.quote(text) {
                Some(value) => quoted(diagnostic, text, value),
                None => diagnostic,
            },
            (_, Some(value)) if value == at && text.as_bytes().get(at).is_some_and(|byte| INDICATORS.contains(byte)) => {
                quoted(diagnostic, text, value)
            }
            _ => diagnostic,
        }
    }
}

/// What a tag, an alias and an anchor begin with, and `!(…)` of an expression.
const INDICATORS: &[u8] = b"!*&";

fn is_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar
            | ErrorKind::TabAtBlockScalarStart
    )
}

/// `name: {{inputs.x}} …` without quotes, which YAML reads as a map.
pub(super) fn unquoted(reading: &Reading, text: &str, at: usize) -> Diagnostic {
    let diagnostic = reading
        .diagnostic(Code::RB0006, Span::new(at, at + 2), "a text that begins with `{{` must be quoted")
        .reason("YAML reads `{` as the beginning of a map")
        .help("put the whole value in double quotes");
    quoted(diagnostic, text, at)
}

/// A value behind a tag: `!!str x`, or an expression that begins with `!`.
pub(super) fn tagged(reading: &Reading, text: &str, tag: Range<usize>) -> Diagnostic {
    let diagnostic = reading.diagnostic(Code::RB0006, Span::new(tag.start, tag.end), "a YAML tag has no meaning here");
    match text.get(tag.clone()).is_some_and(|written| written.starts_with("!!")) {
        true => diagnostic.help("remove the tag; quote a value to make it text"),
        false => quoted(diagnostic.help("put the whole value in quotes, or remove the tag"), text, tag.start),
    }
}

/// Suggests quotes around the value that goes from `at` to the end of its line, where nothing in it needs a closer look.
fn quoted(diagnostic: Diagnostic, text: &str, at: usize) -> Diagnostic {
    let value = text.get(at..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim_end();
    let braces = value.matches('{').count() == value.matches('}').count();
    if !braces || value.contains(['\\', ',', ']']) || value.contains(" #") {
        return diagnostic;
    }
    let quote = if value.contains('"') { '\'' } else { '"' };
    if value.contains(quote) {
        return diagnostic;
    }
    diagnostic.replace(Span::new(at, at + value.len()), format!("{quote}{value}{quote}"))
}

/// The backslash of the first unknown escape behind `from`.
fn unknown_escape(text: &str, from: usize) -> Option<usize> {
    let mut bytes = text.bytes().enumerate().skip(from);
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' && bytes.next().is_none_or(|(_, next)| !b"0abt\tnvfre \"/\\N_LPxuU\r\n".contains(&next)) {
            return Some(at);
        }
    }
    None
}
