//! `kind: Workspace`: one per catalogue (being built).

use crate::diagnostic::{Source, Span};

#[derive(Clone, Debug)]
pub struct Workspace {
    pub source: Source,
    pub span: Span,
}
