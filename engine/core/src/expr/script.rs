//! A Rhai script: the whole language, for a process of its own. Limits bound operations and sizes; they are no sandbox (a script
//! can still exhaust the stack), which is why whoever calls [`Script::run`] does so in a child with limits of the system and a
//! deadline. Here scripts are otherwise only looked at: parsed, and asked which names they mention.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use rhai::{ASTNode, Dynamic, Engine, Expr, Scope, Stmt};
use serde::{Deserialize, Serialize};

use super::expression::guarded;
use super::syntax::byte_offset;
use super::{EvalError, Names, ParseError, Reference};
use crate::limits;
use crate::plan::Origin;
use crate::value::{Map, Value};

/// A Rhai script. Made by [`Script::parse`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Script {
    pub source: String,
    pub at: Origin,
}

/// Roots whose values a script is given, where it mentions them.
const ROOTS: [&str; 8] = ["inputs", "steps", "run", "event", "item", "index", "now", "target"];

impl Script {
    pub fn parse(source: &str, at: Origin) -> Result<Script, ParseError> {
        compile(source)?;
        Ok(Script { source: source.to_owned(), at })
    }

    /// The names from outside that it mentions, with the member read from each where one is written out.
    pub fn references(&self) -> Vec<Reference> {
        self.mentions(1)
    }

    /// The same with all the members that are written out: `steps.lag.seconds`.
    pub fn reads(&self) -> Vec<Reference> {
        self.mentions(usize::MAX)
    }

    fn mentions(&self, members: usize) -> Vec<Reference> {
        let Ok(ast) = compile(&self.source) else { return Vec::new() };
        let lines: Vec<usize> = std::iter::once(0).chain(self.source.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut own = BTreeSet::new();
        let mut found = Vec::new();
        ast.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Var(definition, ..))) => {
                    own.insert(definition.0.name.to_string());
                }
                Some(ASTNode::Stmt(Stmt::For(definition, ..))) => {
                    own.insert(definition.0.name.to_string());
                    own.extend(definition.1.as_ref().map(|counter| counter.name.to_string()));
                }
                Some(ASTNode::Expr(Expr::Dot(chain, ..))) => {
                    if let Expr::Variable(variable, _, position) = &chain.lhs {
                        let root = std::iter::once(variable.1.to_string());
                        let path = root.chain(properties(&chain.rhs).into_iter().take(members)).collect();
                        found.push(Reference { path, offset: byte_offset(&self.source, &lines, *position) });
                    }
                }
                Some(ASTNode::Expr(Expr::Variable(variable, _, position))) => {
                    let path = vec![variable.1.to_string()];
                    found.push(Reference { path, offset: byte_offset(&self.source, &lines, *position) });
                }
                _ => {}
            }
            true
        });
        found.retain(|reference| reference.path.first().is_some_and(|root| ROOTS.contains(&root.as_str()) && !own.contains(root)));
        // The walk finds a member and then its root at the same place: the longer path says it all.
        found.sort_by(|a, b| a.offset.cmp(&b.offset).then(b.path.len().cmp(&a.path.len())));
        found.dedup_by_key(|reference| reference.offset);
        found
    }

    /// The values of all names that the script mentions, as the scope it runs with: `{"inputs": {…}, "steps": {…}}`.
    pub fn scope(&self, names: &dyn Names) -> Result<Map, EvalError> {
        let mut scope = Map::new();
        for reference in self.references() {
            let error = |message| EvalError { message, at: super::place(&self.at, &self.source, reference.offset) };
            let Some((name, _)) = super::syntax::split_path(&reference.path) else { continue };
            let value = names.value(&name.root, name.member.as_deref()).map_err(error)?;
            match name.member {
                None => {
                    scope.insert(name.root, value);
                }
                Some(member) => {
                    if let Value::Map(map) = scope.entry(name.root).or_insert_with(|| Value::Map(Map::new())) {
                        map.insert(member, value);
                    }
                }
            }
        }
        Ok(scope)
    }

    /// Runs it with `scope` and gives its last expression. Only for a process that may die: see the module.
    pub fn run(&self, scope: &Map) -> Result<Value, EvalError> {
        let error = |message: String| EvalError { message, at: self.at.clone() };
        let ast = compile(&self.source).map_err(|fault| error(fault.message))?;
        let mut variables = Scope::new();
        for (name, value) in scope {
            variables.push_dynamic(name.clone(), super::dynamic::to_dynamic(value));
        }
        let result = catch_unwind(AssertUnwindSafe(|| engine().eval_ast_with_scope::<Dynamic>(&mut variables, &ast)));
        match result {
            Ok(Ok(value)) => super::dynamic::from_dynamic(&value).map_err(error),
            Ok(Err(failure)) => Err(error(failure.to_string())),
            Err(_) => Err(error("the script made the interpreter fail".to_owned())),
        }
    }
}

/// The members of a chain behind a dot, as far as they are written out.
fn properties(expression: &Expr) -> Vec<String> {
    let mut members = Vec::new();
    let mut rest = Some(expression);
    while let Some(chain) = rest {
        let (member, next) = match chain {
            Expr::Dot(chain, ..) => (&chain.lhs, Some(&chain.rhs)),
            Expr::Index(chain, ..) => (&chain.lhs, None),
            alone => (alone, None),
        };
        let Expr::Property(property, _) = member else { break };
        members.push(property.2.to_string());
        rest = next;
    }
    members
}

fn compile(source: &str) -> Result<rhai::AST, ParseError> {
    if source.len() > limits::SCRIPT_BYTES {
        let message = format!("a script longer than {} bytes", limits::SCRIPT_BYTES);
        return Err(ParseError { message, offset: limits::SCRIPT_BYTES });
    }
    guarded(|| {
        engine().compile(source).map_err(|error| {
            let lines: Vec<usize> = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
            ParseError { message: error.err_type().to_string(), offset: byte_offset(source, &lines, error.position()) }
        })
    })
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(script_engine)
}

/// The engine that scripts run on: the standard packages, the functions of expressions, durations and times, and the bounds of
/// [`crate::limits`]. No `eval`, no modules, no clock, no `sleep`; `print` and `debug` go nowhere.
pub fn script_engine() -> Engine {
    let mut engine = Engine::new_raw();
    super::dynamic::register(&mut engine);
    engine.set_optimization_level(rhai::OptimizationLevel::None);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_max_operations(limits::SCRIPT_OPERATIONS);
    engine.set_max_string_size(limits::TEXT_BYTES);
    engine.set_max_array_size(limits::COLLECTION_LEN);
    engine.set_max_map_size(limits::COLLECTION_LEN);
    engine.set_max_expr_depths(limits::SCRIPT_DEPTH, limits::SCRIPT_DEPTH);
    engine.set_max_call_levels(limits::SCRIPT_DEPTH);
    engine.set_max_modules(0);
    for symbol in ["eval", "import", "export"] {
        engine.disable_symbol(symbol);
    }
    engine
}
