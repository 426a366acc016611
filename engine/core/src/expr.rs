//! The two small languages behind one door: expressions (Rhai) and text (Handlebars), with the escaping that each
//! destination of a text needs. Names come from outside through [`Names`]; evaluation is pure and bounded.
//!
//! A name whose value is [`Value::Unknown`] makes the whole evaluation unknown: a prediction never guesses.

use serde::{Deserialize, Serialize};

use crate::plan::Origin;
use crate::value::Value;

/// Answers the names that an expression or text refers to.
pub trait Names {
    /// The value of `root` (`now`, `item`), or of a member of it (`inputs`, `steps`, `run`, …: `member` is the first
    /// name behind the dot). The error says why there is none, in one line that names it.
    fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String>;
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

/// A Rhai expression.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Expression {
    pub source: String,
    pub at: Origin,
}

/// A Handlebars text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Template {
    pub source: String,
    pub at: Origin,
}

/// A Rhai script: it runs in a process of its own; only its references are looked at here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Script {
    pub source: String,
    pub at: Origin,
}

/// The script of a `run` step: shell text in which each `{{…}}` is data, whatever quotes stand around it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShellScript {
    pub source: String,
    pub at: Origin,
}

/// A rendered [`ShellScript`]: text without values, and the values under the variable names it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedScript {
    pub script: String,
    pub values: std::collections::BTreeMap<String, String>,
}

/// Where a rendered text goes, which decides how each value in it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// For people, one argument of a program, one header, one form field: the value as it is.
    Plain,
    /// A URL: values percent-encoded for the part they stand in.
    Url,
}

impl Expression {
    pub fn parse(source: &str, at: Origin) -> Result<Expression, ParseError> {
        let _ = (source, at);
        todo!()
    }
    pub fn references(&self) -> Vec<Reference> {
        todo!()
    }
    /// An unknown name gives `Ok(Value::Unknown)`.
    pub fn evaluate(&self, names: &dyn Names) -> Result<Value, EvalError> {
        let _ = names;
        todo!()
    }
}

impl Template {
    pub fn parse(source: &str, at: Origin) -> Result<Template, ParseError> {
        let _ = (source, at);
        todo!()
    }
    pub fn references(&self) -> Vec<Reference> {
        todo!()
    }
    /// Unknown names stand as `‹name›` in the text; the second part lists them.
    pub fn render(&self, destination: Destination, names: &dyn Names) -> Result<(String, Vec<String>), EvalError> {
        let _ = (destination, names);
        todo!()
    }
    /// If the text is one reference and nothing else, the value with its type; else the rendered text.
    pub fn value(&self, names: &dyn Names) -> Result<Value, EvalError> {
        let _ = names;
        todo!()
    }
}

impl Script {
    pub fn parse(source: &str, at: Origin) -> Result<Script, ParseError> {
        let _ = (source, at);
        todo!()
    }
    pub fn references(&self) -> Vec<Reference> {
        todo!()
    }
    /// The values of all names that the script mentions, as the scope it runs with: `{"inputs": {…}, "steps": {…}}`.
    pub fn scope(&self, names: &dyn Names) -> Result<crate::value::Map, EvalError> {
        let _ = names;
        todo!()
    }
}

impl ShellScript {
    pub fn parse(source: &str, at: Origin) -> Result<ShellScript, ParseError> {
        let _ = (source, at);
        todo!()
    }
    pub fn references(&self) -> Vec<Reference> {
        todo!()
    }
    pub fn render(&self, names: &dyn Names) -> Result<(RenderedScript, Vec<String>), EvalError> {
        let _ = names;
        todo!()
    }
}
