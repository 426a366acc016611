//! YAML 1.2 with exact spans: a tree of nodes, and every fault of the text at once.
//!
//! Only what a procedure needs is read: one document, the core schema, scalar keys, aliases up to a bound. Tags, merge
//! keys and directives are refused rather than half understood. A scalar keeps its text as it was written.

mod characters;
pub mod emit;
mod fault;
mod parse;

use crate::diagnostic::{Source, Span};
use crate::value::{Map, Value};

pub(crate) use characters::scan;
pub use characters::{hidden, refused};
pub(crate) use parse::parse;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarStyle {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

/// A scalar: its value, where it stands (the whole token), and how it was written.
///
/// The span of a block scalar begins at its first character that is not indentation or an empty line.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    pub value: String,
    pub span: Span,
    pub style: ScalarStyle,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub span: Span,
    pub kind: NodeKind,
}

/// A node by the YAML 1.2 core schema. Scalars keep their text, so that a field that is text or an expression reads
/// exactly what was written, `012` and `1.10` included.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    Null,
    Bool(bool, Scalar),
    Int(i64, Scalar),
    Float(f64, Scalar),
    Text(Scalar),
    List(Vec<Node>),
    Map(Vec<(Scalar, Node)>),
}

impl Node {
    /// The scalar behind a node that is one; nothing is not a scalar.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            NodeKind::Bool(_, scalar) | NodeKind::Int(_, scalar) | NodeKind::Float(_, scalar) | NodeKind::Text(scalar) => {
                Some(scalar)
            }
            NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) => None,
        }
    }

    /// What the node is, as a message says it.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            NodeKind::Null => "nothing",
            NodeKind::Bool(..) => "a boolean",
            NodeKind::Int(..) => "a whole number",
            NodeKind::Float(..) => "a number",
            NodeKind::Text(_) => "text",
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a map",
        }
    }

    /// The node as data. A whole number beyond 64 bits is refused rather than rounded; the error says where it stands.
    pub fn to_value(&self) -> Result<Value, (Span, String)> {
        Ok(match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(value, _) => Value::Bool(*value),
            NodeKind::Int(value, _) => Value::Int(*value),
            NodeKind::Float(value, _) if value.is_finite() => Value::Float(*value),
            NodeKind::Float(_, scalar) => return Err((self.span, format!("`{}` is not a number that JSON knows", scalar.value))),
            NodeKind::Text(scalar) if scalar.style == ScalarStyle::Plain && is_integer(&scalar.value) => {
                return Err((self.span, "the number does not fit 64 bits; quote it to keep it as text".to_owned()));
            }
            NodeKind::Text(scalar) => Value::Text(scalar.value.clone()),
            NodeKind::List(items) => Value::List(items.iter().map(Node::to_value).collect::<Result<_, _>>()?),
            NodeKind::Map(entries) => {
                let member = |(key, node): &(Scalar, Node)| Ok((key.value.clone(), node.to_value()?));
                Value::Map(entries.iter().map(member).collect::<Result<Map, _>>()?)
            }
        })
    }
}

/// Decimal digits behind an optional sign.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The core schema for a plain scalar. A whole number beyond 64 bits stays text.
pub(crate) fn resolve(scalar: Scalar) -> NodeKind {
    let text = scalar.value.as_str();
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeKind::Null,
        "true" | "True" | "TRUE" => return NodeKind::Bool(true, scalar),
        "false" | "False" | "FALSE" => return NodeKind::Bool(false, scalar),
        ".nan" | ".NaN" | ".NAN" => return NodeKind::Float(f64::NAN, scalar),
        _ => {}
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return NodeKind::Float(sign * f64::INFINITY, scalar);
    }
    let radix = |prefix: &str, radix| {
        let digits = text.strip_prefix(prefix)?;
        if digits.chars().all(|c| c.is_digit(radix)) { i64::from_str_radix(digits, radix).ok() } else { None }
    };
    if let Some(number) = radix("0o", 8).or_else(|| radix("0x", 16)) {
        return NodeKind::Int(number, scalar);
    }
    if is_integer(text) {
        return match text.parse() {
            Ok(number) => NodeKind::Int(number, scalar),
            Err(_) => NodeKind::Text(scalar),
        };
    }
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    match text.parse::<f64>() {
        Ok(number) if numeric => NodeKind::Float(number, scalar),
        _ => NodeKind::Text(scalar),
    }
}

impl Scalar {
    /// Where byte `offset` of the value stands in the file. Exact for every style but folded, whose lines have lost
    /// their places: there it is the beginning of the scalar.
    pub fn locate(&self, source: &Source, offset: usize) -> u32 {
        let start = (self.span.start as usize).min(source.text.len());
        let raw = source.text.get(start..self.span.end as usize).unwrap_or_default();
        let at = match self.style {
            ScalarStyle::Folded => start,
            ScalarStyle::Literal => self.locate_in_block(&source.text, start, offset),
            ScalarStyle::Plain => start + locate_in_flow(raw, None, offset),
            ScalarStyle::SingleQuoted => start + 1 + locate_in_flow(raw.get(1..).unwrap_or_default(), Some('\''), offset),
            ScalarStyle::DoubleQuoted => start + 1 + locate_in_flow(raw.get(1..).unwrap_or_default(), Some('"'), offset),
        };
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// The span of bytes `start..end` of the value; the whole scalar where that cannot be told.
    pub fn span_of(&self, source: &Source, start: usize, end: usize) -> Span {
        if self.style == ScalarStyle::Folded || start >= self.value.len() {
            return self.span;
        }
        let from = self.locate(source, start);
        let last = self.value[..].char_indices().map(|(n, _)| n).take_while(|n| *n < end.max(start + 1)).last().unwrap_or(start);
        let to = self.locate(source, last).max(from);
        let width = source.text.get(to as usize..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8);
        Span::new(from as usize, to as usize + width)
    }

    /// Every line of a literal block is the line of the file without the indentation; empty lines at its beginning
    /// stand before the span.
    fn locate_in_block(&self, text: &str, start: usize, offset: usize) -> usize {
        let offset = offset.min(self.value.len());
        let leading = self.value.bytes().take_while(|b| *b == b'\n').count();
        let before = self.value.as_bytes().get(..offset).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count();
        let column = before.iter().rev().take_while(|b| **b != b'\n').count();
        if line < leading {
            return start;
        }
        let indent = start - text[..start].rfind('\n').map_or(0, |n| n + 1);
        let mut at = start;
        for _ in leading..line {
            let Some(newline) = text[at..].find('\n') else { return text.len() };
            let next = at + newline + 1;
            let blank = text[next..].bytes().take(indent).take_while(|b| *b == b' ').count();
            at = next + blank;
        }
        (at + column).min(text.len())
    }
}

/// Walks a plain or quoted scalar as YAML reads it (line folding, `''`, escapes) until `offset` bytes of value are made.
fn locate_in_flow(raw: &str, quote: Option<char>, offset: usize) -> usize {
    let mut made = 0;
    let mut at = 0;
    while let Some(next) = raw[at..].chars().next() {
        let rest = &raw[at..];
        // An escaped line break makes nothing: it stands before what follows.
        let joins = quote == Some('"') && (rest.starts_with("\\\n") || rest.starts_with("\\\r\n"));
        if made >= offset && !joins {
            break;
        }
        let blank = rest.find(|c: char| !matches!(c, ' ' | '\t' | '\r' | '\n')).unwrap_or(rest.len());
        let breaks = rest[..blank].bytes().filter(|b| *b == b'\n').count();
        if breaks > 0 {
            made += (breaks - 1).max(1);
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
    at
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
mod tests;
