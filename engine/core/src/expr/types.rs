//! What can be said of an expression before anything runs: its type, comparisons of different types, arithmetic that cannot
//! work, and members that a known map does not have. Where anything is unsure the type is [`Type::Any`], and nothing is
//! reported: a fault found here is always one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::functions::{DURATION_PARTS, TIME_PARTS};
use super::nearest;
use super::operators::Operator;
use super::syntax::{Kind, Node, Tree};
use crate::value::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Cannot be told; anything may be done with it.
    Any,
    Null,
    Boolean,
    Integer,
    /// An integer or a floating-point number.
    Number,
    String,
    Duration,
    Time,
    List(Box<Type>),
    /// With its members where they are known: exactly these.
    Map(Option<Arc<BTreeMap<String, Type>>>),
}

/// The types of the names that an expression may use: [`super::Names`] before anything runs. Asked in the same way.
pub trait Types {
    /// The error says, in one line that names it, why there is no such name.
    fn of(&self, root: &str, member: Option<&str>) -> Result<Type, String>;
}

/// Something that cannot work. `offset` is in bytes of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeFault {
    pub kind: TypeFaultKind,
    pub message: String,
    /// What to do about it, where more can be said than that.
    pub help: Option<String>,
    pub offset: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeFaultKind {
    /// Values that are never equal, and in no order.
    Comparison,
    /// A member that the value does not have, and the one that was likely meant.
    Member { meant: Option<String> },
    /// An operator or function that does not take such values.
    Operation,
}

/// A fault before its place is known.
struct Wrong {
    kind: TypeFaultKind,
    message: String,
    help: Option<String>,
}

impl Wrong {
    fn operation(message: String) -> Wrong {
        Wrong { kind: TypeFaultKind::Operation, message, help: None }
    }
}

impl Type {
    /// A map with these members.
    pub fn with(members: BTreeMap<String, Type>) -> Type {
        Type::Map(Some(Arc::new(members)))
    }

    pub fn name(&self) -> &'static str {
        match self {
            Type::Any => "any",
            Type::Null => "null",
            Type::Boolean => "boolean",
            Type::Integer => "integer",
            Type::Number => "number",
            Type::String => "string",
            Type::Duration => "duration",
            Type::Time => "time",
            Type::List(_) => "list",
            Type::Map(_) => "map",
        }
    }

    /// In a few words, for people.
    pub fn in_words(&self) -> String {
        match self {
            Type::Any => "any value".to_owned(),
            Type::List(item) if **item == Type::Any => "list".to_owned(),
            Type::List(item) => format!("list of {}", item.in_words()),
            Type::Map(Some(members)) if !members.is_empty() => {
                format!("{{{}}}", members.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
            other => other.name().to_owned(),
        }
    }

    fn named(&self) -> String {
        match self {
            Type::Null => "nothing".to_owned(),
            Type::Integer => "an integer".to_owned(),
            other => format!("a {}", other.name()),
        }
    }

    /// The type of a value: exact, members included.
    pub fn of_value(value: &Value) -> Type {
        match value {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Boolean,
            Value::Int(_) => Type::Integer,
            Value::Float(_) => Type::Number,
            Value::Text(_) => Type::String,
            Value::Duration(_) => Type::Duration,
            Value::Time(_) => Type::Time,
            Value::List(items) => Type::List(Box::new(joined(items.iter().map(Type::of_value)))),
            Value::Map(map) => Type::with(map.iter().map(|(key, value)| (key.clone(), Type::of_value(value))).collect()),
            Value::Unknown(_) => Type::Any,
        }
    }

    /// Whether a value may be of both types.
    pub fn may_be(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Any, _) | (_, Type::Any) => true,
            (Type::Integer | Type::Number, Type::Integer | Type::Number) => true,
            (a, b) => a.name() == b.name(),
        }
    }

    /// The narrowest type that holds both.
    pub fn or(&self, other: &Type) -> Type {
        match (self, other) {
            (a, b) if a == b => a.clone(),
            (Type::Integer | Type::Number, Type::Integer | Type::Number) => Type::Number,
            (Type::List(a), Type::List(b)) => Type::List(Box::new(a.or(b))),
            (Type::Map(_), Type::Map(_)) => Type::Map(None),
            _ => Type::Any,
        }
    }
}

fn joined(types: impl Iterator<Item = Type>) -> Type {
    types.reduce(|a, b| a.or(&b)).unwrap_or(Type::Any)
}

pub(super) fn infer(tree: &Tree, types: &dyn Types) -> (Type, Vec<TypeFault>) {
    let mut inference = Inference { tree, types, faults: Vec::new(), parameters: Vec::new() };
    let found = inference.of(&tree.root);
    inference.faults.sort_by_key(|fault| fault.offset);
    inference.faults.dedup();
    (found, inference.faults)
}

struct Inference<'t> {
    tree: &'t Tree,
    types: &'t dyn Types,
    faults: Vec<TypeFault>,
    parameters: Vec<Type>,
}

impl Inference<'_> {
    fn fault(&mut self, node: &Node, wrong: Wrong) -> Type {
        let Wrong { kind, message, help } = wrong;
        self.faults.push(TypeFault { kind, message, help, offset: node.offset });
        Type::Any
    }

    fn misused(&mut self, node: &Node, message: String) -> Type {
        self.fault(node, Wrong::operation(message))
    }

    fn of(&mut self, node: &Node) -> Type {
        match &node.kind {
            Kind::Literal(value) => Type::of_value(value),
            Kind::List(items) => {
                let types: Vec<Type> = items.iter().map(|item| self.of(item)).collect();
                Type::List(Box::new(joined(types.into_iter())))
            }
            Kind::Map(entries) => Type::with(entries.iter().map(|(key, node)| (key.clone(), self.of(node))).collect()),
            Kind::Name(index) => {
                let Some(name) = self.tree.names.get(*index) else { return Type::Any };
                match self.types.of(&name.root, name.member.as_deref()) {
                    Ok(found) => found,
                    Err(message) => self.misused(node, message),
                }
            }
            Kind::Parameter(index) => self.parameters.get(*index).cloned().unwrap_or(Type::Any),
            Kind::Member { of, name, optional } => {
                let of_type = self.of(of);
                self.member(node, of, &of_type, name, *optional)
            }
            Kind::Index { of, at, optional } => {
                let (of_type, at_type) = (self.of(of), self.of(at));
                self.index(node, of, of_type, at, &at_type, *optional)
            }
            Kind::Not(of) => {
                self.truth(of, "`!`");
                Type::Boolean
            }
            Kind::And(a, b) => {
                self.truth(a, "`&&`");
                self.truth(b, "`&&`");
                Type::Boolean
            }
            Kind::Or(a, b) => {
                self.truth(a, "`||`");
                self.truth(b, "`||`");
                Type::Boolean
            }
            Kind::Negate(of) => match self.of(of) {
                found @ (Type::Integer | Type::Number | Type::Any) => found,
                other => self.misused(node, format!("`-` does not work on {}", other.named())),
            },
            Kind::Coalesce(a, b) => {
                let (a, b) = (self.of(a), self.of(b));
                if a == Type::Null { b } else { a.or(&b) }
            }
            Kind::If { condition, then, otherwise } => {
                self.truth(condition, "`if`");
                let (then, otherwise) = (self.of(then), self.of(otherwise));
                then.or(&otherwise)
            }
            Kind::Binary(operator, a, b) => {
                let (a, b) = (self.of(a), self.of(b));
                match binary(*operator, &a, &b) {
                    Ok(found) => found,
                    Err(wrong) => self.fault(node, wrong),
                }
            }
            Kind::Call { function, arguments, closure } => {
                let types: Vec<Type> = arguments.iter().map(|argument| self.of(argument)).collect();
                let first = types.first().cloned().unwrap_or(Type::Any);
                let works = function.on.is_empty() || first == Type::Any || function.on.contains(&first.name());
                let works = works && (closure.is_none() || matches!(first, Type::Any | Type::List(_)));
                if !works {
                    let message =
                        format!("`{}` does not work on {}; it is used as `{}`", function.name, first.named(), function.usage);
                    return self.misused(node, message);
                }
                let Some(body) = closure else { return (function.returns)(&types) };
                self.parameters.push(if let Type::List(item) = &first { (**item).clone() } else { Type::Any });
                let result = if function.name == "map" {
                    Type::List(Box::new(self.of(body)))
                } else {
                    self.truth(body, "the closure");
                    (function.returns)(&types)
                };
                self.parameters.pop();
                result
            }
        }
    }

    fn truth(&mut self, node: &Node, wanted_by: &str) {
        let found = self.of(node);
        if !matches!(found, Type::Any | Type::Boolean) {
            self.misused(node, format!("{wanted_by} needs true or false, and this is {}", found.named()));
        }
    }

    fn member(&mut self, node: &Node, of: &Node, of_type: &Type, name: &str, optional: bool) -> Type {
        let described = match self.tree.path_of(of) {
            Some(reference) => format!("`{}`", reference.path.join(".")),
            None => "this value".to_owned(),
        };
        let missing = |known: &mut dyn Iterator<Item = &str>| {
            let known: Vec<&str> = known.collect();
            let meant = nearest(name, known.iter().copied());
            let help = match meant {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => format!("{described} has no members"),
                None => format!("it has `{}`", known.join("`, `")),
            };
            let kind = TypeFaultKind::Member { meant: meant.map(str::to_owned) };
            Wrong { kind, message: format!("{described} has no member `{name}`"), help: Some(help) }
        };
        let wrong = match of_type {
            Type::Any | Type::Map(None) => return Type::Any,
            Type::Map(Some(members)) => match members.get(name) {
                Some(found) => return found.clone(),
                None if optional => return Type::Null,
                None => missing(&mut members.keys().map(String::as_str)),
            },
            Type::Duration => match name {
                "ms" => return Type::Integer,
                known if DURATION_PARTS.contains(&known) => return Type::Number,
                _ => missing(&mut DURATION_PARTS.into_iter()),
            },
            Type::Time => match name {
                "date" => return Type::String,
                known if TIME_PARTS.contains(&known) => return Type::Integer,
                _ => missing(&mut TIME_PARTS.into_iter()),
            },
            Type::Null if optional => return Type::Null,
            other => Wrong {
                kind: TypeFaultKind::Member { meant: None },
                message: format!("{described} is {}, which has no member `{name}`", other.named()),
                help: None,
            },
        };
        self.fault(node, wrong)
    }

    fn index(&mut self, node: &Node, of: &Node, of_type: Type, at: &Node, at_type: &Type, optional: bool) -> Type {
        match (of_type, at_type) {
            (Type::Any, _) => Type::Any,
            (Type::Map(known), Type::String | Type::Any) => match (&known, &at.kind) {
                (Some(_), Kind::Literal(Value::Text(key))) => self.member(node, of, &Type::Map(known.clone()), key, optional),
                _ => Type::Any,
            },
            (Type::List(item), Type::Integer | Type::Number | Type::Any) => {
                if optional {
                    Type::Any
                } else {
                    *item
                }
            }
            (Type::Null, _) if optional => Type::Null,
            (of_type, at_type) => {
                let message = format!("{} is not indexed by {}", of_type.named(), at_type.named());
                self.misused(node, message)
            }
        }
    }
}

fn binary(operator: Operator, a: &Type, b: &Type) -> Result<Type, Wrong> {
    use Type::{Any, Duration, Integer, List, Map, Null, Number, String, Time};
    let impossible = || Err(Wrong::operation(format!("`{}` does not work on {} and {}", operator.symbol(), a.named(), b.named())));
    if operator.is_equality() || operator.is_order() {
        if operator.is_equality() && (*a == Null || *b == Null) {
            return Ok(Type::Boolean);
        }
        if !a.may_be(b) {
            let message = format!("{} is compared with {}, which is never meant", a.named(), b.named());
            return Err(Wrong { kind: TypeFaultKind::Comparison, message, help: way_out(a, b).map(str::to_owned) });
        }
        if operator.is_order() && matches!(a, Null | Type::Boolean | List(_) | Map(_)) {
            let help = Some(format!("`{}` needs numbers, texts, durations or times", operator.symbol()));
            return Err(Wrong { help, ..Wrong::operation(format!("{} has no order", a.named())) });
        }
        return Ok(Type::Boolean);
    }
    if operator == Operator::In {
        return match (b, a) {
            (Any | List(_), _) | (Map(_) | String, Any | String) => Ok(Type::Boolean),
            _ => Err(Wrong::operation(format!("{} cannot contain {}", b.named(), a.named()))),
        };
    }
    Ok(match (operator, a, b) {
        (_, Any, _) | (_, _, Any) => Any,
        (_, Integer, Integer) => Integer,
        (_, Integer | Number, Integer | Number) => Number,
        (Operator::Add, String, Null | List(_) | Map(_)) | (Operator::Add, Null | List(_) | Map(_), String) => return impossible(),
        (Operator::Add, String, _) | (Operator::Add, _, String) => String,
        (Operator::Add, List(x), List(y)) => List(Box::new(x.or(y))),
        (Operator::Add, Map(_), Map(_)) => Map(None),
        (Operator::Add | Operator::Subtract, Duration, Duration) => Duration,
        (Operator::Multiply | Operator::Divide, Duration, Integer | Number) => Duration,
        (Operator::Multiply, Integer | Number, Duration) => Duration,
        (Operator::Divide, Duration, Duration) => Number,
        (Operator::Subtract, Time, Time) => Duration,
        (Operator::Add | Operator::Subtract, Time, Duration) | (Operator::Add, Duration, Time) => Time,
        _ => return impossible(),
    })
}

fn way_out(a: &Type, b: &Type) -> Option<&'static str> {
    Some(match (a, b) {
        (Type::String, Type::Integer | Type::Number) | (Type::Integer | Type::Number, Type::String) => {
            "turn the text into a number with `.parse_int()` or `.parse_float()`, or leave the quotes away"
        }
        (Type::Duration, Type::Integer | Type::Number) | (Type::Integer | Type::Number, Type::Duration) => {
            "write `.seconds` behind the duration, or `duration(\"30s\")`"
        }
        (Type::Duration, Type::String) | (Type::String, Type::Duration) => "write `duration(\"30s\")`",
        (Type::Time, Type::String) | (Type::String, Type::Time) => "write `time(\"…\")`",
        _ => return None,
    })
}
