//! `kind: Workspace`: one per catalogue (being built).

use super::decode::Fields;
use crate::diagnostic::{Source, Span};

#[derive(Clone, Debug)]
pub struct Workspace {
    pub source: Source,
    pub span: Span,
}

/// Reads the keys of a workspace; `apiVersion` and `kind` have been taken.
pub(super) fn decode(fields: Fields) -> Option<Workspace> {
    Some(Workspace { source: fields.reading.source().clone(), span: fields.span() })
}
