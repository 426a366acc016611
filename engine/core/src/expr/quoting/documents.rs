//! Here-documents: where one begins, and the values in its body.

use std::ops::Range;

use super::command::INPUT;
use super::{Lexer, ParseError, Place, Step, refuse, reworded};

/// How many here-documents are followed that begin in one line.
const DOCUMENTS: usize = 100;

pub(super) struct Document {
    delimiter: String,
    strip_tabs: bool,
    quoted: bool,
    /// Whether it is read as code.
    pub code: bool,
    /// How many substitutions are open around it.
    pub substitutions: usize,
}

impl Lexer<'_> {
    pub(super) fn document_start(&mut self) -> Step {
        let standard = self.end_descriptor()?;
        self.at += 2;
        let strip_tabs = self.starts("-");
        self.at += usize::from(strip_tabs);
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.at += 1;
        }
        let (mut delimiter, mut quoted, mut quote) = (String::new(), false, None);
        while let Some(c) = self.peek() {
            if self.hole().is_some() {
                return refuse("the end mark of a here-document is part of the script", self.at);
            }
            match (quote, c) {
                (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => break,
                (None, '\'' | '"') => (quote, quoted) = (Some(c), true),
                (Some(open), c) if c == open => quote = None,
                (None, '\\') => {
                    quoted = true;
                    self.at += 1;
                    if let Some(next) = self.peek() {
                        delimiter.push(next);
                    }
                }
                (None, '$' | '`') => {
                    self.lost = Some("a here-document with an unusual end mark stands before this place");
                    delimiter.push(c);
                }
                _ => delimiter.push(c),
            }
            let c = self.peek().unwrap_or_default();
            self.skip(c);
        }
        let place = self.documents.len();
        let substitutions = self.substitutions();
        self.documents.push(Document { delimiter, strip_tabs, quoted, code: false, substitutions });
        if place >= DOCUMENTS {
            self.deep = Some("too many here-documents begin in one line of this script");
        }
        if let Some(command) = self.command() {
            command.input.documents.push(place);
            command.given |= standard;
        }
        Ok(())
    }

    /// The bodies of the here-documents that a line began.
    pub(super) fn documents(&mut self) -> Step {
        if self.documents.is_empty() {
            return Ok(());
        }
        let open = self.substitutions();
        let mut holes = Vec::new();
        for document in &std::mem::take(&mut self.documents) {
            if document.substitutions < open {
                self.lost = Some("a here-document that begins before a `$(…)` goes on inside it");
            }
            let first = self.places.len();
            self.document(document)?;
            holes.push(self.spans.get(first..self.places.len()).and_then(|spans| Some(spans.first()?.start)));
        }
        self.settle(&holes);
        Ok(())
    }

    /// The body of a here-document, its end mark included.
    fn document(&mut self, document: &Document) -> Step {
        let start = self.at;
        let mut end = start;
        let mut body_end = self.source.len();
        let mut ends = false;
        let mut joined = false;
        for line in self.source.get(start..).unwrap_or_default().split_inclusive('\n') {
            let text = line.strip_suffix('\n').unwrap_or(line);
            let text = if document.strip_tabs { text.trim_start_matches('\t') } else { text };
            let mark = document.delimiter.as_str();
            let (whole, goes_on) = (text.trim_end_matches('\\'), (text.len() - text.trim_end_matches('\\').len()) % 2 == 1);
            let joins = !document.quoted && (joined || goes_on);
            if joins && (mark.is_empty() || text == mark || (!whole.is_empty() && mark.starts_with(whole))) {
                self.lost = Some("a line that a backslash joins to the end mark of a here-document stands before this place");
            }
            if document.substitutions > 0 && text != mark && text.strip_prefix(mark).is_some_and(|rest| rest.contains(')')) {
                self.lost = Some("the end mark of a here-document before this place shares its line with a `)`");
            }
            joined = goes_on;
            if text == document.delimiter {
                body_end = end;
                end += line.len();
                ends = true;
                break;
            }
            end += line.len();
        }
        self.open.quote |= !ends;
        let mut unclear = false;
        self.at = start;
        while self.at < body_end {
            if let Some(span) = self.hole() {
                if document.quoted {
                    let quoted = "this here-document has a quoted end mark, so nothing in it is expanded";
                    return Err(reworded(
                        ParseError { message: quoted.to_owned(), offset: span.start },
                        "; write the end mark without quotes",
                    ));
                }
                if !ends {
                    return refuse("this here-document has no end mark", span.start);
                }
                if document.code {
                    return refuse(INPUT, span.start);
                }
                if unclear {
                    return refuse("a command or an expansion stands before this place in the here-document", span.start);
                }
                if span.end > body_end {
                    return refuse("this does not end inside the here-document", span.start);
                }
                self.take_document_hole(&span)?;
                continue;
            }
            let Some(c) = self.peek() else { break };
            self.skip(c);
            match c {
                '\\' => {
                    if let Some(next) = self.peek()
                        && self.hole().is_none()
                    {
                        self.skip(next);
                    }
                }
                '`' => unclear = true,
                '$' if self.starts("(") || (self.starts("{") && self.hole().is_none()) => {
                    // A simple one is stepped over; in any other the quoting would have to be followed.
                    let close = if self.starts("(") { ')' } else { '}' };
                    let inside = self.rest().get(1..).unwrap_or_default();
                    let simple = |c: char| c.is_ascii_alphanumeric() || " _-+/.:%,=@".contains(c);
                    match inside.find(|c: char| !simple(c)) {
                        Some(at) if inside.get(at..).is_some_and(|rest| rest.starts_with(close)) => self.at += at + 2,
                        _ => unclear = true,
                    }
                }
                _ => {}
            }
        }
        self.at = end.max(body_end);
        Ok(())
    }

    fn take_document_hole(&mut self, span: &Range<usize>) -> Step {
        let before = self.source.get(..span.start).unwrap_or_default();
        if let Some(why) = self.lost {
            return refuse(why, span.start);
        }
        if before.ends_with(['$', '\\']) {
            return refuse("`$` or a backslash directly before a value would change what it means", span.start);
        }
        self.places.push(Place::Double);
        self.at = span.end;
        Ok(())
    }
}
