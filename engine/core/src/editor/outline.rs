//! A document with the vocabulary laid over it: every key, name and value of it, with what it is.

use crate::diagnostic::{Source, Span};
use crate::document::decode::Reading;
use crate::document::{Node, NodeKind, Scalar, yaml};
use crate::limits;
use crate::vocabulary::{self, Form, Key, Names, Shape, Type};

/// Something in a document that has a meaning.
#[derive(Clone, Copy)]
pub(super) enum Seen<'n> {
    /// A key of ours.
    Key { key: &'static Key, scalar: &'n Scalar },
    /// A key that the map has no use for, and what stands in the map.
    Strange { shape: &'static Shape, scalar: &'n Scalar, entries: &'n [(Scalar, Node)] },
    /// A name that the author chose, as a key.
    Name { names: Names, scalar: &'n Scalar, beside: &'n [(Scalar, Node)] },
    /// A value, and the key that it stands behind.
    Value { of: &'static Type, scalar: &'n Scalar, key: Option<&'static Key> },
}

impl Seen<'_> {
    pub fn scalar(&self) -> &Scalar {
        match self {
            Seen::Key { scalar, .. } | Seen::Strange { scalar, .. } | Seen::Name { scalar, .. } | Seen::Value { scalar, .. } => {
                scalar
            }
        }
    }
}

/// What can be read of a text as YAML.
pub(super) fn tree(source: &Source) -> Option<Node> {
    if source.text.len() > limits::DOCUMENT_BYTES {
        return None;
    }
    yaml::parse(&Reading::new(source))
}

/// What the document says it is.
pub(super) fn kind(root: &Node) -> Option<&str> {
    let NodeKind::Map(entries) = &root.kind else { return None };
    let (_, kind) = entries.iter().find(|(key, _)| key.value == "kind")?;
    kind.scalar().map(|kind| kind.value.as_str())
}

/// Goes over everything in a document that has a meaning, in the order of the file.
pub(super) fn visit<'n>(root: &'n Node, mut seen: impl FnMut(Seen<'n>)) {
    walk(root, vocabulary::of_kind(kind(root)), None, &[], &mut seen);
}

fn walk<'n>(
    node: &'n Node,
    of: &'static Type,
    key: Option<&'static Key>,
    beside: &'n [(Scalar, Node)],
    seen: &mut impl FnMut(Seen<'n>),
) {
    let of = of.of(Form::from(&node.kind));
    match (&node.kind, of) {
        (NodeKind::Map(entries), Type::Map(names, of)) => {
            for (scalar, node) in entries {
                seen(Seen::Name { names: *names, scalar, beside });
                walk(node, of, key, entries, seen);
            }
        }
        (NodeKind::Map(entries), _) => {
            let Some(shape) = of.shape() else { return };
            for (scalar, node) in entries {
                match shape.key(&scalar.value) {
                    Some(key) => {
                        seen(Seen::Key { key, scalar });
                        walk(node, &key.value, Some(key), entries, seen);
                    }
                    None => seen(Seen::Strange { shape, scalar, entries }),
                }
            }
        }
        (NodeKind::List(items), _) => {
            if let Some(of) = of.item() {
                items.iter().for_each(|item| walk(item, of, key, beside, seen));
            }
        }
        _ => {
            if let Some(scalar) = node.scalar() {
                seen(Seen::Value { of, scalar, key });
            }
        }
    }
}

/// The innermost thing with a meaning at a byte of a document.
pub(super) fn at(root: &Node, offset: u32) -> Option<Seen<'_>> {
    let mut found = None;
    visit(root, |seen| {
        let span = seen.scalar().span;
        if span.start <= offset && offset <= span.end {
            found = Some(seen);
        }
    });
    found
}

/// The value of a scalar without its quotes.
pub(super) fn inside(scalar: &Scalar, source: &Source) -> Span {
    scalar.span_of(source, 0, scalar.value.len())
}

/// The text behind a key of a map.
pub(super) fn text_of<'n>(entries: &'n [(Scalar, Node)], key: &str) -> Option<&'n str> {
    let (_, node) = entries.iter().find(|(name, _)| name.value == key)?;
    node.scalar().map(|scalar| scalar.value.as_str())
}
