//! A Rhai expression: parsed once, kept as its tree, evaluated as often as needed. Only its source is stored; a plan read back
//! parses it again at its first use.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::evaluate::{Stop, evaluate};
use super::syntax::{self, Tree};
use super::types::{self, Type, TypeFault, TypeFaultKind, Types};
use super::{EvalError, Names, ParseError, Reference};
use crate::markdown::quoted;
use crate::plan::Origin;
use crate::value::Value;

/// A Rhai expression. Made by [`Expression::parse`]; compared by source and place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Expression {
    pub source: String,
    pub at: Origin,
    #[serde(skip)]
    tree: OnceLock<Result<Arc<Tree>, ParseError>>,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Expression) -> bool {
        self.source == other.source && self.at == other.at
    }
}

impl Expression {
    pub fn parse(source: &str, at: Origin) -> Result<Expression, ParseError> {
        let expression = Expression { source: source.to_owned(), at, tree: OnceLock::new() };
        expression.tree().map(|_| ()).map_err(Clone::clone)?;
        Ok(expression)
    }

    fn tree(&self) -> Result<&Arc<Tree>, &ParseError> {
        self.tree.get_or_init(|| guarded(|| syntax::parse(&self.source)).map(Arc::new)).as_ref()
    }

    /// Every name it mentions, in the order of the source. Parameters of closures are not names.
    pub fn references(&self) -> Vec<Reference> {
        self.tree().map(|tree| tree.references()).unwrap_or_default()
    }

    /// Every name that its value rests on: `steps.lag` of `"lag" in steps`, which mentions `steps`.
    pub fn reads(&self) -> Vec<Reference> {
        self.tree().map(|tree| tree.reads()).unwrap_or_default()
    }

    /// Those among them of which it only asks whether they are there: `steps.lag` of `"lag" in steps`.
    pub fn asks(&self) -> Vec<Reference> {
        self.tree().map(|tree| tree.asks()).unwrap_or_default()
    }

    /// The name that it is, with its members, where it is nothing else.
    pub fn name(&self) -> Option<Reference> {
        self.tree().ok().and_then(|tree| tree.path_of(&tree.root))
    }

    /// An unknown name that the evaluation reaches gives `Ok(Value::Unknown)` with that name.
    pub fn evaluate(&self, names: &dyn Names) -> Result<Value, EvalError> {
        let tree = self.tree().map_err(|error| self.error(error.message.clone(), error.offset))?;
        match evaluate(tree, names) {
            Ok(value) => Ok(value),
            Err(Stop::Unknown(name)) => Ok(Value::Unknown(name)),
            Err(Stop::Fault { message, offset }) => Err(self.error(message, offset)),
        }
    }

    /// The type it gives, and everything in it that cannot work.
    pub fn infer(&self, names: &dyn Types) -> (Type, Vec<TypeFault>) {
        match self.tree() {
            Ok(tree) => types::infer(tree, names),
            Err(ParseError { message, offset }) => {
                let kind = TypeFaultKind::Operation;
                (Type::Any, vec![TypeFault { kind, message: message.clone(), help: None, offset: *offset }])
            }
        }
    }

    fn error(&self, message: String, offset: usize) -> EvalError {
        EvalError {
            message: format!("{}: {message}", quoted(&shortened(&self.source))),
            at: super::place(&self.at, &self.source, offset),
        }
    }
}

/// One line of a source, for messages.
fn shortened(source: &str) -> String {
    let line: String = source.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Parsing is done by libraries on text from outside; a panic in one becomes an error of that text.
pub(super) fn guarded<T>(parse: impl FnOnce() -> Result<T, ParseError>) -> Result<T, ParseError> {
    catch_unwind(AssertUnwindSafe(parse))
        .unwrap_or_else(|_| Err(ParseError { message: "this cannot be read".to_owned(), offset: 0 }))
}
