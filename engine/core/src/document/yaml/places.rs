//! Where the bytes of a scalar's value stand in its file. A value of many names is located once for all of them: done for each, it
//! would cost time that grows with the square of its length.

use super::{Scalar, ScalarStyle};
use crate::diagnostic::{Source, Span};

/// The place of every byte of one value.
pub struct Places<'s> {
    scalar: &'s Scalar,
    text: &'s str,
    /// Where the value begins, if the file has it byte for byte; most do, and they need no walk.
    begins: Option<usize>,
    /// By the byte of the value, its end among them.
    at: Vec<u32>,
}

impl Scalar {
    pub fn places<'s>(&'s self, source: &'s Source) -> Places<'s> {
        Places::of(self, source)
    }

    /// The span of bytes `start..end` of the value; the whole scalar where that cannot be told. Of more than one, ask its [`Places`].
    pub fn span_of(&self, source: &Source, start: usize, end: usize) -> Span {
        self.places(source).span(start, end)
    }
}

impl<'s> Places<'s> {
    fn of(scalar: &'s Scalar, source: &'s Source) -> Places<'s> {
        #[cfg(test)]
        tests::LOCATED.with(|located| located.set(located.get() + scalar.value.len()));
        let text: &str = &source.text;
        let start = (scalar.span.start as usize).min(text.len());
        let raw = text.get(start..scalar.span.end as usize).unwrap_or_default();
        let mut places = Places { scalar, text, begins: None, at: Vec::new() };
        let inside = raw.get(1..).unwrap_or_default();
        let (begins, written) = if scalar.style == ScalarStyle::Plain { (start, raw) } else { (start + 1, inside) };
        let is_a_block = matches!(scalar.style, ScalarStyle::Literal | ScalarStyle::Folded);
        if !is_a_block && written.starts_with(&scalar.value) && !scalar.value.contains(['\n', '\'', '\\']) {
            places.begins = Some(begins);
            return places;
        }
        match scalar.style {
            // Its lines have lost their places.
            ScalarStyle::Folded => {}
            ScalarStyle::Literal => places.walk_block(start),
            ScalarStyle::Plain => places.walk_flow(start, raw, None),
            ScalarStyle::SingleQuoted => places.walk_flow(start + 1, inside, Some('\'')),
            ScalarStyle::DoubleQuoted => places.walk_flow(start + 1, inside, Some('"')),
        }
        places
    }

    /// Where byte `offset` of the value stands in the file. Exact for every style but folded: there it is the beginning of the scalar.
    pub fn locate(&self, offset: usize) -> u32 {
        if let Some(begins) = self.begins {
            return u32::try_from(begins + offset.min(self.scalar.value.len())).unwrap_or(u32::MAX);
        }
        self.at.get(offset).or(self.at.last()).copied().unwrap_or(self.scalar.span.start)
    }

    /// The span of bytes `start..end` of the value; the whole scalar where that cannot be told.
    pub fn span(&self, start: usize, end: usize) -> Span {
        let value = self.scalar.value.as_str();
        if self.scalar.style == ScalarStyle::Folded || start >= value.len() {
            return self.scalar.span;
        }
        let from = self.locate(start);
        let mut last = end.max(start + 1).min(value.len()) - 1;
        while !value.is_char_boundary(last) {
            last -= 1;
        }
        let to = self.locate(last).max(from);
        let width = self.text.get(to as usize..).and_then(|text| text.chars().next()).map_or(1, char::len_utf8);
        Span::new(from as usize, to as usize + width)
    }

    /// The bytes of the value up to `offset`, those before it that have no place yet among them, stand here.
    fn fill(&mut self, offset: usize, at: usize) {
        let wanted = offset.min(self.scalar.value.len()) + 1;
        if wanted > self.at.len() {
            self.at.resize(wanted, u32::try_from(at).unwrap_or(u32::MAX));
        }
    }

    /// Every line of a literal block is the line of the file without the indentation; empty lines at its beginning stand before the
    /// span.
    fn walk_block(&mut self, start: usize) {
        let value = self.scalar.value.as_bytes();
        let leading = value.iter().take_while(|b| **b == b'\n').count();
        let indent = start - self.text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |n| n + 1);
        let (mut line, mut column, mut begins) = (0, 0, start);
        for offset in 0..=value.len() {
            self.fill(offset, if line < leading { start } else { (begins + column).min(self.text.len()) });
            column += 1;
            if value.get(offset) == Some(&b'\n') {
                (line, column) = (line + 1, 0);
                if line > leading {
                    let rest = self.text.get(begins..).unwrap_or_default();
                    let next = rest.find('\n').map_or(self.text.len(), |newline| begins + newline + 1);
                    let behind = self.text.get(next..).unwrap_or_default().bytes();
                    let blank = behind.take(indent).take_while(|b| *b == b' ').count();
                    begins = next + blank;
                }
            }
        }
    }

    /// Walks a plain or quoted scalar as YAML reads it: line folding, `''`, escapes.
    fn walk_flow(&mut self, start: usize, raw: &str, quote: Option<char>) {
        let mut made = 0;
        let mut at = 0;
        while let Some(next) = raw[at..].chars().next() {
            let rest = &raw[at..];
            // An escaped line break makes nothing: it stands before what follows.
            let joins = quote == Some('"') && (rest.starts_with("\\\n") || rest.starts_with("\\\r\n"));
            if !joins {
                self.fill(made, start + at);
            }
            let blank = rest.find(|c: char| !matches!(c, ' ' | '\t' | '\r' | '\n')).unwrap_or(rest.len());
            let breaks = rest[..blank].bytes().filter(|b| *b == b'\n').count();
            if breaks > 0 {
                made += (breaks - 1).max(1);
                at += blank;
            } else if blank > 0 {
                (0..blank).for_each(|n| self.fill(made + n, start + at + n));
                made += blank;
                at += blank;
            } else if next == '\'' && quote == Some('\'') {
                made += 1;
                at += 2;
            } else if next == '\\' && quote == Some('"') {
                let (value, length) = escape(rest);
                made += value;
                at += length;
            } else {
                made += next.len_utf8();
                at += next.len_utf8();
            }
            at = at.min(raw.len());
        }
        self.fill(self.scalar.value.len(), start + at);
    }
}

/// Bytes of value and of text of the escape that `rest` begins with.
fn escape(rest: &str) -> (usize, usize) {
    let hex = |from: usize, digits: usize| {
        let code = rest.get(from..from + digits).and_then(|d| u32::from_str_radix(d, 16).ok());
        code.and_then(char::from_u32).map_or((4, 12), |c| (c.len_utf8(), from + digits))
    };
    match rest[1..].chars().next() {
        Some('x') => hex(2, 2),
        Some('u') => hex(2, 4),
        Some('U') => hex(2, 8),
        Some('N' | '_') => (2, 2),
        Some('L' | 'P') => (3, 2),
        Some('\r' | '\n') => {
            let line = rest.find('\n').map_or(rest.len(), |n| n + 1);
            let indent = rest[line..].bytes().take_while(|b| matches!(b, b' ' | b'\t')).count();
            (0, line + indent)
        }
        Some(other) => (1, 1 + other.len_utf8()),
        None => (0, 1),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    thread_local! {
        /// Bytes of values whose places were looked for in this thread.
        pub static LOCATED: Cell<usize> = const { Cell::new(0) };
    }
}
