//! YAML nodes → documents. Every key is either read or reported; a fault never hides another one.
//!
//! [`Reading`] collects the diagnostics of one file, [`Fields`] reads one map. A part that cannot be read is left out
//! or stands with a harmless value, and there is an error for it, so a document with errors is never run.

#[cfg(test)]
pub(crate) mod asked;
mod fields;
mod input;
pub(super) mod must;
pub(super) mod procedure;
pub(super) mod scalar;
pub(super) mod step;
mod test;
mod trigger;
pub(super) mod verb;

use std::cell::{Cell, RefCell};

use super::procedure::SecretRef;
use super::{Document, Node, workspace, yaml};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span, Spanned};
use crate::id::Id;
use crate::limits;
use crate::value::Value;

pub(crate) use fields::Fields;

/// The only version of the format so far.
pub const API_VERSION: &str = "runbook/v1";

/// One file while it is read: its source and the faults found so far.
pub(crate) struct Reading<'a> {
    source: &'a Source,
    found: RefCell<Diagnostics>,
    /// Places whose YAML is wrong; what seems wrong there is only a consequence.
    doubtful: RefCell<Vec<Span>>,
    /// Where maps begin that lack something which was refused.
    partial: RefCell<Vec<u32>>,
    /// Where reading YAML had to end.
    cut: Cell<Option<u32>>,
    /// Secrets that steps declare where they use them: they belong to the procedure.
    secrets: RefCell<Vec<(Spanned<Id>, SecretRef)>>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(source: &'a Source) -> Reading<'a> {
        Reading {
            source,
            found: RefCell::default(),
            doubtful: RefCell::default(),
            partial: RefCell::default(),
            cut: Cell::new(None),
            secrets: RefCell::default(),
        }
    }

    pub(crate) fn source(&self) -> &'a Source {
        self.source
    }

    /// Adds a fault, unless there are too many already or it stands where the YAML itself is wrong.
    pub(crate) fn report(&self, diagnostic: Diagnostic) {
        if !self.is_doubtful(diagnostic.span) && !self.is_full() {
            self.found.borrow_mut().push(diagnostic);
        }
    }

    /// Whether the YAML at `span` is wrong.
    pub(crate) fn is_doubtful(&self, span: Span) -> bool {
        self.doubtful.borrow().iter().any(|place| span.start < place.end && place.start < span.end.max(span.start + 1))
    }

    /// A fault that needs no more than a message.
    pub(crate) fn fault(&self, code: Code, span: Span, message: impl Into<String>) {
        self.report(self.diagnostic(code, span, message));
    }

    pub(crate) fn diagnostic(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, self.source, span, message)
    }

    /// Whether [`limits::DIAGNOSTICS`] is reached and nothing more is taken in.
    pub(crate) fn is_full(&self) -> bool {
        self.found.borrow().iter().len() > limits::DIAGNOSTICS
    }

    /// Marks a place whose YAML was wrong and has been reported.
    pub(crate) fn doubt(&self, span: Span) {
        self.doubtful.borrow_mut().push(span);
    }

    /// Marks a map from which something was left out and has been reported.
    pub(crate) fn lacks_at(&self, start: usize) {
        self.partial.borrow_mut().push(u32::try_from(start).unwrap_or(u32::MAX));
    }

    /// Marks where reading YAML had to end: whatever was open there may lack its rest.
    pub(crate) fn cut_at(&self, offset: u32) {
        self.cut.set(Some(offset));
    }

    /// Whether the whole of what stands at `span` was read, so that something missing there is missing.
    pub(crate) fn is_whole(&self, span: Span) -> bool {
        self.cut.get().is_none_or(|cut| span.end < cut) && !self.partial.borrow().contains(&span.start)
    }

    pub(crate) fn into_diagnostics(self) -> Diagnostics {
        let found = self.found.into_inner();
        if found.iter().len() <= limits::DIAGNOSTICS {
            return found;
        }
        let mut kept = Diagnostics::default();
        for diagnostic in found.into_sorted().into_iter().take(limits::DIAGNOSTICS) {
            kept.push(diagnostic);
        }
        let end = Span::new(self.source.text.len(), self.source.text.len());
        kept.push(
            Diagnostic::new(Code::RB0005, self.source, end, format!("only the first {} faults are shown", limits::DIAGNOSTICS))
                .help("mend those and check again"),
        );
        kept
    }
}

pub(super) fn document(source: &Source) -> (Option<Document>, Diagnostics) {
    let reading = Reading::new(source);
    let document = if source.text.len() > limits::DOCUMENT_BYTES {
        reading.report(
            reading
                .diagnostic(Code::RB0003, Span::new(0, 0), format!("the file is larger than {} KiB", limits::DOCUMENT_BYTES / 1024))
                .help("split it into procedures that `call` one another"),
        );
        None
    } else {
        yaml::scan(&reading);
        yaml::parse(&reading).and_then(|root| dispatch(&reading, &root))
    };
    (document, reading.into_diagnostics())
}

/// A file that is plain data: inputs, answers.
pub(super) fn value(source: &Source) -> (Option<Value>, Diagnostics) {
    let reading = Reading::new(source);
    if source.text.len() > limits::DOCUMENT_BYTES {
        let message = format!("the file is larger than {} KiB", limits::DOCUMENT_BYTES / 1024);
        reading.report(reading.diagnostic(Code::RB0003, Span::new(0, 0), message));
        return (None, reading.into_diagnostics());
    }
    yaml::scan(&reading);
    let value = match yaml::parse(&reading).map(|root| root.to_value()) {
        None => None,
        Some(Ok(value)) => Some(value),
        Some(Err((span, why))) => {
            reading.report(reading.diagnostic(Code::RB0012, span, why));
            None
        }
    };
    (value, reading.into_diagnostics())
}

pub(super) fn bytes(name: &str, bytes: &[u8]) -> (Source, Option<Document>, Diagnostics) {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => {
            let source = Source::new(name, text);
            let (document, diagnostics) = document(&source);
            return (source, document, diagnostics);
        }
        Err(error) => error,
    };
    // Enough to show the place; a file of any size is answered at once.
    let shown = bytes.get(..(error.valid_up_to() + 256).min(bytes.len())).unwrap_or_default();
    let source = Source::new(name, String::from_utf8_lossy(shown));
    let reading = Reading::new(&source);
    let at = error.valid_up_to();
    let message = format!("the byte 0x{:02X} is not UTF-8", bytes.get(at).copied().unwrap_or_default());
    let place = Span::new(at, at + char::REPLACEMENT_CHARACTER.len_utf8());
    reading.report(reading.diagnostic(Code::RB0026, place, message).help("save the file as UTF-8"));
    let diagnostics = reading.into_diagnostics();
    (source, None, diagnostics)
}

const KINDS: [&str; 4] = ["Runbook", "Playbook", "Workspace", "Test"];

/// Reads the two keys that every document has, and gives the rest to its kind.
fn dispatch(reading: &Reading, root: &Node) -> Option<Document> {
    let mut fields = Fields::of(reading, root, "a document")?;
    if let Some(version) = fields.require_text("apiVersion")
        && version.value != API_VERSION
    {
        reading.report(
            reading
                .diagnostic(
                    Code::RB0008,
                    version.span,
                    format!("`{}` is not a version of the format", version.value.escape_debug()),
                )
                .help(format!("write `apiVersion: {API_VERSION}`"))
                .replace(version.span, API_VERSION),
        );
    }
    let kind = fields.require_text("kind")?;
    match kind.value.as_str() {
        "Runbook" => Some(Document::Procedure(Box::new(procedure::decode(fields, super::ProcedureKind::Runbook, kind.span)))),
        "Playbook" => Some(Document::Procedure(Box::new(procedure::decode(fields, super::ProcedureKind::Playbook, kind.span)))),
        "Workspace" => workspace::decode(fields).map(|workspace| Document::Workspace(Box::new(workspace))),
        "Test" => test::decode(fields).map(|test| Document::Test(Box::new(test))),
        other => {
            let mut diagnostic = reading
                .diagnostic(Code::RB0009, kind.span, format!("`{}` is not a kind of document", other.escape_debug()))
                .help("the kinds are `Runbook`, `Playbook`, `Workspace` and `Test`");
            if let Some(near) = crate::diagnostic::nearest(other, KINDS) {
                diagnostic = diagnostic.replace(kind.span, near);
            }
            reading.report(diagnostic);
            None
        }
    }
}

#[cfg(test)]
mod tests;
