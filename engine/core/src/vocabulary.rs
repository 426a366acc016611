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
pub use shape::{Key, Names, Referent, Shape, Type, Word};

use crate::document::NodeKind;
use step::STEP;

/// The kinds of documents, each with what it holds.
pub static KINDS: [(&str, Type); 4] = [
    ("Runbook", Type::Shape(&procedure::RUNBOOK)),
    ("Playbook", Type::Shape(&procedure::PLAYBOOK)),
    ("Workspace", Type::Shape(&workspace::WORKSPACE)),
    ("Test", Type::Shape(&test::TEST)),
];

/// What a document without a kind that is known holds: what every document has.
static ANY_KIND: Type = Type::Shape(&procedure::DOCUMENT);

/// What a document of this `kind` holds.
pub fn of_kind(kind: Option<&str>) -> &'static Type {
    KINDS.iter().find(|(name, _)| Some(*name) == kind).map_or(&ANY_KIND, |(_, of)| of)
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Scalar,
    List,
    Map,
}

impl From<&NodeKind> for Form {
    fn from(kind: &NodeKind) -> Form {
        match kind {
            NodeKind::Map(_) => Form::Map,
            NodeKind::List(_) => Form::List,
            _ => Form::Scalar,
        }
    }
}

impl Type {
    /// The type that a value of this form is of, where this one leaves a choice.
    pub fn of(&'static self, form: Form) -> &'static Type {
        let Type::AnyOf(types) = self else { return self };
        let right = |wanted: &&&'static Type| match form {
            Form::Map => wanted.shape().is_some() || matches!(wanted, Type::Map(..)),
            Form::List => wanted.item().is_some(),
            Form::Scalar => wanted.shape().is_none() && wanted.item().is_none(),
        };
        types.iter().find(right).copied().unwrap_or(self)
    }

    /// Whether it may stand on the line of its key.
    pub fn is_scalar(&self) -> bool {
        match self {
            Type::AnyOf(types) => types.iter().any(|of| of.is_scalar()),
            Type::Map(..) => false,
            _ => self.shape().is_none() && self.item().is_none(),
        }
    }

    /// What stands behind a key of a map of this type.
    pub fn member(&self, key: &str) -> Option<&'static Type> {
        match self {
            Type::Map(_, of) => Some(of),
            _ => Some(&self.shape()?.key(key)?.value),
        }
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
