//! What the value of a text begins with, before it is known: whether it could be an option is decided there.

use super::{Helper, Part, Piece};
use crate::expr::Reference;
use crate::expr::text::plain_text;

/// One of the things that a value may begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// What the author wrote; not empty.
    Text(String),
    /// A value; `goes_on`: something stands behind it in the same word.
    Name { name: Reference, goes_on: bool },
    /// Whatever it is.
    Anything,
}

/// All that a text may begin with. What is empty leaves the beginning to what stands behind it.
pub(in crate::expr) fn beginnings(pieces: &[Piece]) -> Vec<Beginning> {
    let mut found = Vec::new();
    of_pieces(pieces, false, &mut found);
    found
}

/// All that a value may begin with that is a word, or the beginning of one that goes on with what is not followed here.
pub(in crate::expr) fn beginnings_of(part: &Part, goes_on: bool) -> Vec<Beginning> {
    let mut found = Vec::new();
    if of_part(part, goes_on, &mut found) && goes_on {
        found.push(Beginning::Anything);
    }
    found
}

/// Whether nothing may come of it.
fn of_pieces(pieces: &[Piece], goes_on: bool, found: &mut Vec<Beginning>) -> bool {
    for (place, piece) in pieces.iter().enumerate() {
        let behind = pieces.get(place + 1..).unwrap_or_default();
        let goes_on = goes_on || behind.iter().any(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        let empty = match piece {
            Piece::Text(text) => of_text(text, found),
            Piece::Value(part) => of_part(part, goes_on, found),
            Piece::If { then, otherwise, .. } => {
                let (then, otherwise) = (of_pieces(then, goes_on, found), of_pieces(otherwise, goes_on, found));
                then || otherwise
            }
            Piece::Each { .. } => {
                found.push(Beginning::Anything);
                false
            }
        };
        if !empty {
            return false;
        }
    }
    true
}

fn of_part(part: &Part, goes_on: bool, found: &mut Vec<Beginning>) -> bool {
    match part {
        Part::Literal(value) => of_text(&plain_text(value), found),
        Part::Name(name) => {
            found.push(Beginning::Name { name: name.clone(), goes_on });
            false
        }
        Part::Local { .. } => {
            found.push(Beginning::Anything);
            false
        }
        // A digit, or a word.
        Part::Call { helper: Helper::Len | Helper::Eq | Helper::Not, .. } => of_text("0", found),
        // Of several, each may be what it gives.
        Part::Call { arguments, .. } => {
            let empty: Vec<bool> = arguments.iter().map(|argument| of_part(argument, goes_on, found)).collect();
            empty.contains(&true)
        }
    }
}

fn of_text(text: &str, found: &mut Vec<Beginning>) -> bool {
    let empty = text.trim_start().is_empty();
    if !empty {
        found.push(Beginning::Text(text.to_owned()));
    }
    empty
}
