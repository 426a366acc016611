//! One thing that is told of a procedure or a step, and what a form may do with it beside showing it under its name.

use super::super::prose::Piece;
use super::super::said::{self, Said, What};

#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub role: Role,
    pub said: Said,
}

/// What a form may show in a place of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    Plain,
    /// Of use to whoever reads about the procedure, and of none to whoever does it by hand.
    Reading,
    Why,
    /// Whether it is done at all.
    Condition,
    ByHand,
    /// An approval that the workspace demands before.
    Gate,
    Question,
    /// Who may decide.
    Decides,
    /// What is to be carried out.
    Work,
    /// A variable or a folder that the work is done with.
    Setting,
    /// A value that later steps name in this way, and what it is.
    Value {
        name: Vec<Piece>,
        is: String,
    },
    /// Something that whoever is asked has to give.
    Answer,
}

impl Told {
    pub fn playing(self, role: Role) -> Told {
        Told { role, ..self }
    }

    pub fn called(mut self, name: &'static str) -> Told {
        self.said.name = name;
        self
    }
}

fn plain(said: Said) -> Told {
    Told { role: Role::Plain, said }
}

/// A text of ours, or of an author without any value in it: what stands between backticks is code.
pub fn text(name: &'static str, text: impl Into<String>) -> Told {
    plain(said::ours(name, text))
}

pub fn prose(name: &'static str, text: impl Into<String>) -> Told {
    plain(said::prose(name, text))
}

pub fn code(name: &'static str, code: impl Into<String>) -> Told {
    plain(said::code(name, code))
}

pub fn block(name: &'static str, language: &'static str, text: impl Into<String>) -> Told {
    plain(said::block(name, language, text))
}

/// A sentence of ours with foreign text in it, in pieces.
pub fn line(name: &'static str, line: Vec<Piece>) -> Told {
    plain(Said { name, what: What::Line(line) })
}

/// A text that is shown to people as it stands.
pub fn shown(name: &'static str, shown: &str) -> Told {
    let shown = shown.trim();
    if shown.contains('\n') { block(name, "", shown) } else { text(name, shown) }
}

/// A value that later steps name, for those who read it as `name = is`.
pub fn value(said: &'static str, name: &str, is: &str, known_as: Vec<Piece>) -> Told {
    code(said, format!("{name} = {is}")).playing(Role::Value { name: known_as, is: is.to_owned() })
}
