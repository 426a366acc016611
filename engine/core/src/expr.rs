//! The two small languages behind one door: expressions (Rhai) and text (Handlebars), with the escaping that each
//! destination of a text needs. Names come from outside through [`Names`]; evaluation is pure and bounded.
//!
//! A name whose value is [`Value::Unknown`] makes the whole evaluation unknown: a prediction never guesses.
//!
//! The words of both languages are read by their own libraries (Rhai's tokenizer, the parser of Handlebars); what they mean is
//! decided here, over [`Value`] alone, because here texts are never numbers, misspelt names are never empty, and every
//! evaluation ends. Whole Rhai scripts are another matter: [`Script`] runs them with Rhai's engine in a process of their own.

mod captured;
mod commands;
mod dynamic;
mod evaluate;
mod expression;
mod functions;
mod interpreters;
mod mustache;
mod nearest;
mod operators;
mod quoting;
mod script;
mod shell;
mod syntax;
mod template;
mod text;
mod types;

pub use captured::Captured;
pub use commands::is_code_variable;
pub use expression::Expression;
pub use interpreters::{BEFORE_IT, COULD_BE_AN_OPTION, data_as_code};
pub use mustache::{Beginning, Stand};
pub use nearest::nearest;
pub(crate) use operators::order_numbers;
pub use quoting::{is_whole, whole_lines};
pub use script::{Script, script_engine};
pub use shell::{RenderedScript, ShellScript, VARIABLE_PREFIX, expansions};
pub use template::Template;
pub use text::{parse_json, percent_encode, plain_text, to_json};
pub use types::{Type, TypeFault, TypeFaultKind, Types};

use crate::plan::Origin;
use crate::value::Value;

/// The functions that work on a value of this type, each by its name and as it is used: `trim`, `text.trim()`.
pub fn functions_of(of: &Type) -> impl Iterator<Item = (&'static str, &'static str)> {
    let works = move |function: &&functions::Function| {
        let name = of.name();
        *of == Type::Any || function.on.is_empty() || function.on.contains(&name)
    };
    functions::Function::all().iter().filter(works).map(|function| (function.name, function.usage))
}

/// The helpers of text, each by its name and as it is used: `upper`, `upper text`.
pub fn helpers() -> impl Iterator<Item = (&'static str, &'static str)> {
    mustache::HELPERS.iter().map(|(name, _, _, usage)| (*name, *usage))
}

/// How the function of this name is used.
pub fn usage_of(name: &str) -> Option<&'static str> {
    functions::Function::named(name).map(|function| function.usage)
}

/// Answers the names that an expression or text refers to.
pub trait Names {
    /// The value of a name. `member` is the first name behind the dot, and is given only for the roots that are read member
    /// by member: `inputs`, `steps`, `run` and `secrets`. Every other root (`now`, `item`, `event`, `result`, …), and these
    /// four where no member follows (`inputs.keys()`), are asked for whole, with `None`. The error says why there is none, in
    /// one line that names it.
    fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String>;

    /// Whether a root that is a map has this member, where that can be said without all the others: `"lag" in steps`. True, false, or
    /// unknown; `None` where the whole is to be asked for.
    fn has(&self, root: &str, member: &str) -> Option<Value> {
        let _ = (root, member);
        None
    }

    /// Of a map whose keys are not all known: whether it has this one (true, or unknown). `None` where its value says it.
    fn has_key(&self, root: &str, member: &str, key: &str) -> Option<Value> {
        let _ = (root, member, key);
        None
    }
}

/// Why an evaluation gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    pub message: String,
    /// Where in the procedure, as near as can be told.
    pub at: Origin,
}

/// Why a source is not in the language. `offset` is in bytes of the source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    pub message: String,
    pub offset: usize,
}

/// A name that a source mentions: `steps.lag.seconds`, and where (bytes of the source).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    pub path: Vec<String>,
    pub offset: usize,
}

/// Where a rendered text goes, which decides how each value in it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// For people, one argument of a program, one header, one form field: the value as it is.
    Plain,
    /// A URL: values percent-encoded for the part they stand in.
    Url,
    /// One value of a query: all of it percent-encoded.
    Query,
}

/// Where `offset` of a source stands that begins at `at`: exact on its first line, else where it begins.
fn place(at: &Origin, source: &str, offset: usize) -> Origin {
    let mut place = at.clone();
    if let Some(before) = source.get(..offset).filter(|before| !before.contains('\n')) {
        place.position.column = place.position.column.saturating_add(u32::try_from(before.chars().count()).unwrap_or(0));
    }
    place
}
