//! One thing that is said of a step, by its name, and how each form of a report shows it.

use super::prose::Piece;
use super::{html, markdown, prose};

#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub name: &'static str,
    pub what: What,
}

/// Foreign text, none of it escaped.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// For people, as it is: nothing in it is a sign.
    Text(String),
    /// A message of ours: what it quotes between backticks is code.
    Ours(String),
    /// A sentence of ours with foreign text in it, so that nothing foreign is taken for a sign of ours.
    Line(Vec<Piece>),
    /// What an author wrote for people: paragraphs, lists, code.
    Prose(String),
    /// One line of code.
    Code(String),
    /// Several, in a language.
    Block(&'static str, String),
}

impl What {
    /// The bare text.
    pub fn into_text(self) -> String {
        match self {
            What::Text(text) | What::Ours(text) | What::Prose(text) | What::Code(text) | What::Block(_, text) => text,
            What::Line(line) => {
                let text = |piece| match piece {
                    Piece::Text(text) | Piece::Strong(text) | Piece::Code(text) => text,
                };
                line.into_iter().map(text).collect()
            }
        }
    }
}

pub fn text(name: &'static str, text: impl Into<String>) -> Said {
    Said { name, what: What::Text(text.into()) }
}

pub fn ours(name: &'static str, text: impl Into<String>) -> Said {
    Said { name, what: What::Ours(text.into()) }
}

pub fn prose(name: &'static str, text: impl Into<String>) -> Said {
    Said { name, what: What::Prose(text.into()) }
}

pub fn code(name: &'static str, code: impl Into<String>) -> Said {
    Said { name, what: What::Code(code.into()) }
}

pub fn block(name: &'static str, language: &'static str, text: impl Into<String>) -> Said {
    Said { name, what: What::Block(language, text.into()) }
}

/// As an item of a list.
pub fn in_markdown(said: &Said) -> String {
    let indented = |body: &str| {
        let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") };
        format!("- **{}**:\n\n{}\n", said.name, body.lines().map(line).collect::<String>())
    };
    match &said.what {
        What::Text(text) => format!("- **{}**: {}\n", said.name, markdown::text_within(text)),
        What::Ours(text) => format!("- **{}**: {}\n", said.name, markdown::prose(text)),
        What::Line(line) => format!("- **{}**: {}\n", said.name, prose::line_in_markdown(line)),
        What::Prose(text) => match prose::one_paragraph(text) {
            Some(line) => format!("- **{}**: {}\n", said.name, prose::line_in_markdown(&line)),
            None => indented(&prose::to_markdown(text)),
        },
        What::Code(code) => format!("- **{}**: {}\n", said.name, markdown::code(code)),
        What::Block(language, text) => indented(&markdown::fence(language, text)),
    }
}

/// As a term of a list and what stands beside it.
pub fn in_html(said: &Said) -> String {
    let what = match &said.what {
        What::Text(text) if text.contains('\n') => html::lines(text),
        What::Text(text) => html::text(text),
        What::Ours(text) => html::prose(text),
        What::Line(line) => prose::line_in_html(line),
        What::Prose(text) => prose::to_html(text),
        What::Code(code) => html::code(code),
        What::Block(_, text) => html::block(text),
    };
    format!("<dt>{}</dt><dd>{what}</dd>\n", said.name)
}
