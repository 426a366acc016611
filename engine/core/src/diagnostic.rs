//! What is wrong with a document, as plain data: a code, where, why, and what to do about it.
//!
//! Diagnostics are collected, never thrown: a stage reports all faults it sees and goes on. Rendering is for
//! [`render`](mod@render) and for whoever shows them; this module only says what they are.

mod codes;
pub mod render;
mod spelling;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use codes::{Code, explain};
pub use spelling::nearest;

/// Bytes `start..end` of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Span {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { start: clamp(start), end: clamp(end.max(start)) }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Spanned<T> {
    pub fn new(value: T, span: Span) -> Spanned<T> {
        Spanned { value, span }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), span: self.span }
    }
}

/// One file as it was read: its name as people know it (relative to the catalogue) and its text.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: Arc<str>,
    pub text: Arc<str>,
}

/// Line and column, both from 1; the column counts characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

impl Source {
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Source {
        Source { name: name.into(), text: text.into() }
    }

    /// Where byte `offset` stands.
    pub fn position(&self, offset: u32) -> Position {
        let mut end = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position {
            line: count(before.bytes().filter(|b| *b == b'\n').count() + 1),
            column: count(before[line_start..].chars().count() + 1),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Error,
    Warning,
}

/// A replacement that would mend the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    pub span: Span,
    pub replacement: String,
}

/// A second place that matters to the fault, with what to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    /// The name of the [`Source`] that all spans of this diagnostic are in.
    pub source: Arc<str>,
    pub span: Span,
    /// What is wrong, in one line without a full stop.
    pub message: String,
    /// Why, standing at the span; empty where the message says all.
    pub reason: String,
    pub labels: Vec<Label>,
    /// What else there is to know: the path that leads to it.
    pub note: Option<String>,
    /// The one next thing to do.
    pub help: Option<String>,
    pub suggestion: Option<Suggestion>,
}

impl Diagnostic {
    pub fn new(code: Code, source: &Source, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: code.severity(),
            source: source.name.clone(),
            span,
            message: message.into(),
            reason: String::new(),
            labels: Vec::new(),
            note: None,
            help: None,
            suggestion: None,
        }
    }

    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Diagnostic {
        self.reason = reason.into();
        self
    }

    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.note = Some(note.into());
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn replace(mut self, span: Span, replacement: impl Into<String>) -> Diagnostic {
        self.suggestion = Some(Suggestion { span, replacement: replacement.into() });
        self
    }
}

/// All faults found in one go.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    pub fn append(&mut self, mut other: Diagnostics) {
        self.0.append(&mut other.0);
    }

    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// At most [`limits::DIAGNOSTICS`](crate::limits::DIAGNOSTICS) of each source, errors before warnings. That some are
    /// left out is said, and is no more of an error than what is shown.
    #[must_use]
    pub fn shortened(self) -> Diagnostics {
        const MOST: usize = crate::limits::DIAGNOSTICS;
        let sorted = self.into_sorted();
        let mut kept = Vec::new();
        for of_source in sorted.chunk_by(|a, b| a.source == b.source) {
            let of = |severity| of_source.iter().filter(move |fault| fault.severity == severity);
            kept.extend(of(Severity::Error).chain(of(Severity::Warning)).take(MOST).cloned());
            if let (true, Some(last)) = (of_source.len() > MOST, kept.last().cloned()) {
                let severity = if of(Severity::Error).next().is_some() { Severity::Error } else { Severity::Warning };
                let message = format!("only {MOST} of {} faults are shown", of_source.len());
                let help = Some("mend those and check again".to_owned());
                let (reason, labels, note, suggestion) = (String::new(), Vec::new(), None, None);
                kept.push(Diagnostic { code: Code::RB0005, severity, message, reason, labels, note, help, suggestion, ..last });
            }
        }
        Diagnostics(kept)
    }

    /// In the order of files and places, each fault once.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.0.sort_by(|a, b| (&a.source, a.span, a.code, &a.message).cmp(&(&b.source, b.span, b.code, &b.message)));
        self.0.dedup();
        self.0
    }
}
