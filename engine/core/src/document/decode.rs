//! YAML nodes → documents (being built).
use super::Document;
use crate::diagnostic::{Diagnostics, Source};
pub fn document(source: &Source) -> (Option<Document>, Diagnostics) {
    let _ = source;
    todo!()
}
