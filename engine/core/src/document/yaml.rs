//! YAML 1.2 with exact spans: a tree of nodes, and every fault of the text at once.

use crate::diagnostic::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarStyle {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

/// A scalar: its value, where it stands (the whole token), and how it was written.
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
