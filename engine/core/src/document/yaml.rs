//! YAML 1.2 with exact spans: a tree of nodes, and every fault of the text at once.
//!
//! Only what a procedure needs is read: one document, the core schema, scalar keys, aliases up to a bound. Tags, merge
//! keys and directives are refused rather than half understood. A scalar keeps its text as it was written.

mod characters;
pub mod emit;
mod fault;
mod parse;
mod places;

use crate::diagnostic::Span;
use crate::value::{Map, Value};

pub(crate) use characters::scan;
pub use characters::{hidden, refused};
pub(crate) use parse::parse;
pub use places::Places;
#[cfg(test)]
pub(crate) use places::tests::LOCATED;

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

    fn into_scalar(self) -> Option<Scalar> {
        match self.kind {
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

#[cfg(test)]
mod tests;
