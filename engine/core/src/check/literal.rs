//! Values that stand in a procedure as they are: samples, parts of a JSON body.

use crate::document::{Node, NodeKind};
use crate::value::Value;

/// What a node says by the YAML core schema. Nothing in it is text to render.
pub(super) fn plain(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Null => Value::Null,
        NodeKind::Bool(value, _) => Value::Bool(*value),
        NodeKind::Int(value, _) => Value::Int(*value),
        NodeKind::Float(value, _) => Value::Float(*value),
        NodeKind::Text(text) => Value::text(text.value.clone()),
        NodeKind::List(items) => Value::List(items.iter().map(plain).collect()),
        NodeKind::Map(entries) => Value::Map(entries.iter().map(|(key, value)| (key.value.clone(), plain(value))).collect()),
    }
}
