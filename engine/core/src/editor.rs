//! What an editor asks about a document while somebody writes it: what stands at a place, what could stand there, where it is
//! declared, and where else it is named.
//!
//! Everything here is a question to texts and to what was read of them, and no protocol is known. What several questions need is kept for
//! whoever asks ([`Kept`]). Documents may
//! be broken anywhere, for they are being typed: a question that has no answer then has none. What a name means is never guessed:
//! the [`check`](crate::check) says it, and the [`vocabulary`](crate::vocabulary) says what a key takes.

mod complete;
mod find;
mod hover;
mod kept;
mod lines;
mod outline;
mod rename;
mod typed;

pub use complete::{Offer, OfferKind, complete};
pub use find::{definition, references};
pub use hover::{Hover, hover};
pub use kept::Kept;
pub use lines::{Lines, Point};
pub use rename::{Edit, NotRenamed, rename, renamed};

use crate::check::Catalogue;
use crate::diagnostic::{Source, Span};
use crate::document::test::Test;
use crate::document::{Document, Procedure};

/// The files that an open one stands among.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The open one, as it was read.
    pub document: Option<&'a Document>,
    pub catalogue: &'a Catalogue<'a>,
    pub tests: &'a [&'a Test],
    pub kept: &'a Kept,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The name of the file's [`Source`].
    pub source: std::sync::Arc<str>,
    pub span: Span,
}

impl Location {
    fn new(source: &Source, span: Span) -> Location {
        Location { source: source.name.clone(), span }
    }
}

impl<'a> Around<'a> {
    /// The procedure that a test says it is of.
    fn tested(&self, test: &Test) -> Option<&'a Procedure> {
        crate::check::tested(test, self.catalogue).ok()
    }

    /// The procedure that a `call` means: `name`, `name@^2`.
    fn called(&self, reference: &str) -> Option<&'a Procedure> {
        crate::check::called(reference, self.catalogue)
    }
}

#[cfg(test)]
mod tests;
