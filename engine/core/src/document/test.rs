//! `kind: Test`: parsed here, run by the review tooling.

use super::{Node, Scalar};
use crate::diagnostic::{Source, Span};

#[derive(Clone, Debug)]
pub struct Test {
    pub source: Source,
    pub span: Span,
    /// The procedure that the cases are of.
    pub procedure: Scalar,
    pub cases: Vec<Case>,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub span: Span,
    pub name: Scalar,
    /// `inputs`, `environment`, `stand_ins`, `faults`, `answers`, `expect`, … as written.
    pub body: Vec<(Scalar, Node)>,
}
