//! A Rhai expression: parsed once, kept as its tree, evaluated as often as needed. Only its source is stored; a plan read back
//! parses it again at its first use.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::evaluate::{Stop, evaluate};
use super::syntax::{self, Asked, Tree};
use super::types::{self, Type, TypeFault, TypeFaultKind, Types};
use super::{EvalError, Names, ParseError, Reference};
use crate::markdown::quoted;
use crate::plan::Origin;
use crate::value::{Map, Value};

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

    /// Whether it may have no value although all names that it reads have one, of the types that it works on.
    pub fn may_fail(&self) -> bool {
        self.tree().is_ok_and(|tree| tree.may_fail())
    }

    /// Every name that its value rests on: `steps.lag` of `"lag" in steps`, which mentions `steps`.
    pub fn reads(&self) -> Vec<Reference> {
        self.tree().map(|tree| tree.reads()).unwrap_or_default()
    }

    /// Those among them that are a whole, `steps`, or of which it only asks whether they are there.
    pub fn wholes(&self) -> Vec<Reference> {
        self.tree().map(|tree| tree.wholes()).unwrap_or_default()
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

    /// The values of the names that it may ask for, but of these roots: `{"inputs": {"version": "1.2.0"}}`. [`Captured`](super::Captured)
    /// answers by them later. What it first asks for whether it is there, and is not, is left out, and so are members that it does not read.
    pub fn capture(&self, names: &dyn Names, but: &[&str]) -> Result<Map, EvalError> {
        let tree = self.tree().map_err(|error| self.error(error.message.clone(), error.offset))?;
        let mut asked = tree.asked();
        asked.retain(|(asked, _)| {
            let (Asked::Value(name) | Asked::Has(name, _)) = asked;
            !but.contains(&name.root.as_str())
        });
        let paths = tree.references();
        let mut captured = Map::new();
        for (one, offset) in &asked {
            let (root, member, value) = match one {
                Asked::Value(name) => {
                    let sought = name.member.as_deref();
                    let is_sought = |other: &Asked<'_>| matches!(other, Asked::Has(of, member) if of.root == name.root && Some(*member) == sought);
                    match names.value(&name.root, sought) {
                        Ok(value) => (&name.root, sought, super::captured::read_of(value, name, &paths)),
                        Err(_) if asked.iter().any(|(other, _)| is_sought(other)) => continue,
                        Err(message) => return Err(self.error(message, *offset)),
                    }
                }
                Asked::Has(name, member) => match names.has(&name.root, member) {
                    Some(Value::Bool(false)) => {
                        captured.entry(name.root.clone()).or_insert_with(|| Value::Map(Map::new()));
                        continue;
                    }
                    // Only whether it is there is of interest.
                    Some(there) => (&name.root, Some(*member), if there == Value::Bool(true) { Value::Null } else { there }),
                    None => {
                        let whole = names.value(&name.root, None).map_err(|message| self.error(message, *offset))?;
                        (&name.root, None, whole)
                    }
                },
            };
            super::captured::add(&mut captured, root, member, value);
        }
        Ok(captured)
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
