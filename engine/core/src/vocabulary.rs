//! Every key of the language: where it may stand, what it takes, and what it means, in the canonical order of its map.
//!
//! The decoder reads documents with code of its own; a test holds the two together in both directions. What is written once
//! here is read by whoever tells an author about a key: the JSON Schema, the formatter, and the editor.

mod procedure;
mod schema;
mod shape;
mod step;
mod test;
mod workspace;

pub use schema::schema;
pub use shape::{Key, Names, Shape, Type, Word};

use crate::document::NodeKind;
use step::STEP;

/// The kinds of documents, each with its shape.
pub static KINDS: [(&str, &Shape); 4] = [
    ("Runbook", &procedure::RUNBOOK),
    ("Playbook", &procedure::PLAYBOOK),
    ("Workspace", &workspace::WORKSPACE),
    ("Test", &test::TEST),
];

/// What a document with this `kind` holds; of one that names none, what every document has.
pub fn of_kind(kind: Option<&str>) -> &'static Shape {
    KINDS.iter().find(|(name, _)| Some(*name) == kind).map_or(&procedure::DOCUMENT, |(_, shape)| shape)
}

impl Type {
    /// The type that a value is of, where this one leaves a choice: a map is of the alternative that is one.
    pub fn of(&'static self, node: &NodeKind) -> &'static Type {
        let Type::AnyOf(types) = self else { return self };
        let right = |wanted: &&&'static Type| match node {
            NodeKind::Map(_) => wanted.shape().is_some() || matches!(wanted, Type::Map(..)),
            NodeKind::List(_) => wanted.item().is_some(),
            _ => wanted.shape().is_none() && wanted.item().is_none(),
        };
        types.iter().find(right).copied().unwrap_or(self)
    }

    /// The keys of a map of this type.
    pub fn shape(&self) -> Option<&'static Shape> {
        match self {
            Type::Step => Some(&STEP),
            Type::Shape(shape) => Some(shape),
            _ => None,
        }
    }

    /// What each item of a list of this type is.
    pub fn item(&self) -> Option<&'static Type> {
        match self {
            Type::Steps => Some(&Type::Step),
            Type::List(of) => Some(of),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
