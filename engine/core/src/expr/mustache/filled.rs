//! A text with other things in the place of its names: what it says where each of them is a name of somewhere else, or known.

use super::{HELPERS, Part, Piece};
use crate::expr::text::plain_text;
use crate::value::Value;

/// What stands in the place of a name.
pub enum Stand {
    /// Another name, with its members.
    Name(Vec<String>),
    Value(Value),
}

/// The source of the text that says the same with the names that `stand` gives. `None` where that cannot be told: of one of the names
/// nothing is known, or it goes through a list.
pub(in crate::expr) fn filled(pieces: &[Piece], stand: &dyn Fn(&[String]) -> Option<Stand>) -> Option<String> {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(&escaped(text)?),
            Piece::Value(part) => match of(part, stand)? {
                Of::Value(value) => out.push_str(&escaped(&plain_text(&value))?),
                Of::Source(source) => out.push_str(&format!("{{{{{source}}}}}")),
            },
            Piece::If { condition, then, otherwise } => {
                let Of::Source(condition) = of(condition, stand)? else { return None };
                let (then, otherwise) = (filled(then, stand)?, filled(otherwise, stand)?);
                out.push_str(&format!("{{{{#if {condition}}}}}{then}{{{{else}}}}{otherwise}{{{{/if}}}}"));
            }
            Piece::Each { .. } => return None,
        }
    }
    Some(out)
}

enum Of {
    Value(Value),
    /// What stands between the braces.
    Source(String),
}

fn of(part: &Part, stand: &dyn Fn(&[String]) -> Option<Stand>) -> Option<Of> {
    match part {
        Part::Literal(value) => Some(Of::Value(value.clone())),
        Part::Name(name) => match stand(&name.path)? {
            // Nothing is no text.
            Stand::Value(Value::Null) => None,
            Stand::Value(value) => Some(Of::Value(value)),
            Stand::Name(path) => {
                let plain = |word: &String| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                path.iter().all(plain).then(|| Of::Source(path.join(".")))
            }
        },
        Part::Local { .. } => None,
        Part::Call { helper, arguments, .. } => {
            let (name, ..) = HELPERS.iter().find(|(_, known, ..)| known == helper)?;
            let mut source = (*name).to_owned();
            for argument in arguments {
                source.push_str(&match (argument, of(argument, stand)?) {
                    (Part::Call { .. }, Of::Source(call)) => format!(" ({call})"),
                    (_, Of::Source(name)) => format!(" {name}"),
                    (_, Of::Value(Value::Text(text))) if !text.contains(['"', '\\']) => format!(" \"{text}\""),
                    (_, Of::Value(value @ (Value::Int(_) | Value::Bool(_)))) => format!(" {}", plain_text(&value)),
                    _ => return None,
                });
            }
            Some(Of::Source(source))
        }
    }
}

/// A text as it is written, where no sign in it would mean more than itself.
fn escaped(text: &str) -> Option<String> {
    (!text.contains("{{") && !text.ends_with(['\\', '{'])).then(|| text.to_owned())
}
