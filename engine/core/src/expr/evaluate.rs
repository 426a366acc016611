//! Evaluates an expression's tree. Only what is reached is asked for: the right side of `&&`, `||`, `??` and the branch of an
//! `if` that is not taken need no value. An unknown value that is reached ends the evaluation, which is then unknown.
//!
//! The work is bounded by fuel: one unit a node, and for what is copied or searched, one for every so many bytes of it.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

use super::functions;
use super::operators::{Operator, named};
use super::syntax::{Kind, Node, Tree};
use super::{Names, nearest};
use crate::limits;
use crate::markdown::quoted;
use crate::value::{Map, Value};

/// Why an evaluation ended early.
#[derive(Debug)]
pub(super) enum Stop {
    Unknown(String),
    Fault { message: String, offset: usize },
}

pub(super) fn evaluate(tree: &Tree, names: &dyn Names) -> Result<Value, Stop> {
    let evaluation = Evaluation {
        tree,
        names,
        values: tree.names.iter().map(|_| OnceCell::new()).collect(),
        fuel: Cell::new(limits::EXPRESSION_OPERATIONS),
    };
    evaluation.value(&tree.root, &[]).map(Cow::into_owned)
}

struct Evaluation<'t> {
    tree: &'t Tree,
    names: &'t dyn Names,
    /// The answer for each of the tree's names, once it was asked for.
    values: Vec<OnceCell<Value>>,
    fuel: Cell<u64>,
}

type Evaluated<'v> = Result<Cow<'v, Value>, Stop>;

/// Bytes that one unit of fuel copies or searches.
const BYTES_PER_UNIT: usize = 64;

impl Evaluation<'_> {
    fn spend(&self, units: usize, offset: usize) -> Result<(), Stop> {
        match self.fuel.get().checked_sub(units as u64) {
            Some(left) => {
                self.fuel.set(left);
                Ok(())
            }
            None => {
                let message = "the evaluation does too much; do this in a `rhai` step".to_owned();
                Err(Stop::Fault { message, offset })
            }
        }
    }

    fn value<'v>(&'v self, node: &'v Node, parameters: &'v [&'v Value]) -> Evaluated<'v> {
        self.spend(1, node.offset)?;
        let fault = |message: String| Stop::Fault { message, offset: node.offset };
        let value = match &node.kind {
            Kind::Literal(value) => Cow::Borrowed(value),
            Kind::Name(index) => self.name(*index, node)?,
            Kind::Parameter(index) => match parameters.get(*index) {
                Some(value) => Cow::Borrowed(*value),
                None => return Err(fault("a parameter without a value".to_owned())),
            },
            Kind::List(items) => {
                let items = items.iter().map(|item| self.owned(item, parameters)).collect::<Result<_, _>>()?;
                Cow::Owned(Value::List(items))
            }
            Kind::Map(entries) => {
                let entries = entries.iter().map(|(key, node)| Ok((key.clone(), self.owned(node, parameters)?)));
                Cow::Owned(Value::Map(entries.collect::<Result<Map, Stop>>()?))
            }
            Kind::Member { of, name, optional } => {
                let of_value = self.value(of, parameters)?;
                let is_missing = *optional && matches!(&*of_value, Value::Map(map) if !map.contains_key(name));
                if let Some(has) = self.has_key(of, name).filter(|_| is_missing) {
                    return all_known(Cow::Owned(has));
                }
                member_of(of_value, name, *optional, || self.described(of)).map_err(fault)?
            }
            Kind::Index { of, at, optional } => {
                let of_value = self.value(of, parameters)?;
                let at = self.value(at, parameters)?;
                self.index(of_value, &at, *optional).map_err(fault)?
            }
            Kind::Not(of) => Cow::Owned(Value::Bool(!self.truth(of, parameters, "`!`")?)),
            Kind::Negate(of) => match self.value(of, parameters)?.as_ref() {
                Value::Int(i) => match i.checked_neg() {
                    Some(negated) => Cow::Owned(Value::Int(negated)),
                    None => return Err(fault(format!("-({i}) does not fit 64 bits"))),
                },
                Value::Float(f) => Cow::Owned(Value::Float(-f)),
                other => return Err(fault(format!("`-` does not work on {}", named(other)))),
            },
            Kind::And(a, b) => Cow::Owned(Value::Bool(self.truth(a, parameters, "`&&`")? && self.truth(b, parameters, "`&&`")?)),
            Kind::Or(a, b) => Cow::Owned(Value::Bool(self.truth(a, parameters, "`||`")? || self.truth(b, parameters, "`||`")?)),
            Kind::Coalesce(a, b) => match self.value(a, parameters)? {
                value if *value != Value::Null => value,
                _ => self.value(b, parameters)?,
            },
            Kind::If { condition, then, otherwise } => {
                let branch = if self.truth(condition, parameters, "`if`")? { then } else { otherwise };
                self.value(branch, parameters)?
            }
            Kind::Binary(Operator::In, a, b) if let Some(has) = self.has(a, b) => Cow::Owned(has),
            Kind::Binary(operator, a, b) => {
                let a = self.known(a, parameters)?;
                if let (Operator::In, Value::Text(key)) = (operator, &*a)
                    && let Some(has) = self.has_key(b, key)
                {
                    return all_known(Cow::Owned(has));
                }
                // Whether a map has a key does not rest on its values.
                let b = match self.value(b, parameters)? {
                    map if *operator == Operator::In && matches!(*map, Value::Map(_)) => map,
                    other => all_known(other)?,
                };
                self.spend((size(&a) + size(&b)) / BYTES_PER_UNIT, node.offset)?;
                let value = operator.apply(&a, &b).map_err(fault)?;
                self.bounded(value, node.offset)?
            }
            Kind::Call { function, arguments, closure: None } => {
                // Nor do its keys, or how many there are.
                let of_keys = ["keys", "len", "is_empty"].contains(&function.name);
                let argument = |node| match self.value(node, parameters)? {
                    map if of_keys && self.has_key(node, "").is_some() => all_known(map),
                    map if of_keys && matches!(*map, Value::Map(_)) => Ok(map),
                    other => all_known(other),
                };
                let arguments = arguments.iter().map(argument).collect::<Result<Vec<_>, Stop>>()?;
                let work: usize = arguments.iter().map(|argument| size(argument)).sum();
                self.spend(function.weight * work / BYTES_PER_UNIT, node.offset)?;
                let arguments: Vec<&Value> = arguments.iter().map(Cow::as_ref).collect();
                let value = function.call(&arguments).map_err(fault)?;
                self.bounded(value, node.offset)?
            }
            Kind::Call { function, arguments, closure: Some(body) } => {
                let Some(list) = arguments.first() else { return Err(fault("a closure without a list".to_owned())) };
                let list = self.value(list, parameters)?;
                let Value::List(items) = list.as_ref() else {
                    return Err(fault(format!("`{}` needs a list, and this is {}", function.name, named(&list))));
                };
                Cow::Owned(self.each(function.name, items, body, parameters)?)
            }
        };
        match value.as_ref() {
            Value::Unknown(name) => Err(Stop::Unknown(name.clone())),
            _ => Ok(value),
        }
    }

    /// A value that is known to its last part, as operators and functions need it.
    fn known<'v>(&'v self, node: &'v Node, parameters: &'v [&'v Value]) -> Evaluated<'v> {
        all_known(self.value(node, parameters)?)
    }

    fn owned(&self, node: &Node, parameters: &[&Value]) -> Result<Value, Stop> {
        let value = self.value(node, parameters)?;
        self.spend(size(&value) / BYTES_PER_UNIT, node.offset)?;
        Ok(value.into_owned())
    }

    fn name(&self, index: usize, node: &Node) -> Evaluated<'_> {
        let fault = |message: String| Stop::Fault { message, offset: node.offset };
        let (Some(cell), Some(name)) = (self.values.get(index), self.tree.names.get(index)) else {
            return Err(fault("a name without a place".to_owned()));
        };
        if cell.get().is_none() {
            let value = self.names.value(&name.root, name.member.as_deref()).map_err(fault)?;
            let _ = cell.set(value);
        }
        cell.get().map(Cow::Borrowed).ok_or_else(|| fault("a name without a value".to_owned()))
    }

    /// Whether a name that is a map has a member, where the names say so without the whole.
    fn has(&self, member: &Node, of: &Node) -> Option<Value> {
        let (name, member) = self.tree.membership(member, of)?;
        self.names.has(&name.root, member)
    }

    /// The same of what a name gives.
    fn has_key(&self, of: &Node, key: &str) -> Option<Value> {
        let name = if let Kind::Name(index) = of.kind { self.tree.names.get(index)? } else { return None };
        self.names.has_key(&name.root, name.member.as_deref()?, key)
    }

    fn truth(&self, node: &Node, parameters: &[&Value], wanted_by: &str) -> Result<bool, Stop> {
        match self.value(node, parameters)?.as_ref() {
            Value::Bool(truth) => Ok(*truth),
            other => {
                let message = format!("{wanted_by} needs true or false, and this is {}", named(other));
                Err(Stop::Fault { message, offset: node.offset })
            }
        }
    }

    fn index<'v>(&self, of: Cow<'v, Value>, at: &Value, optional: bool) -> Result<Cow<'v, Value>, String> {
        if optional && *of == Value::Null {
            return Ok(Cow::Owned(Value::Null));
        }
        match (of.as_ref(), at) {
            (Value::Map(_), Value::Text(key)) => member_of(of, key, optional, || "the map".to_owned()),
            (Value::List(items), Value::Int(at)) => {
                // From the end where negative, as in Rhai.
                let place = if *at < 0 { items.len().checked_sub(at.unsigned_abs() as usize) } else { usize::try_from(*at).ok() };
                match (place.filter(|place| *place < items.len()), of) {
                    (None, _) if optional => Ok(Cow::Owned(Value::Null)),
                    (None, of) => {
                        let length = if let Value::List(items) = of.as_ref() { items.len() } else { 0 };
                        Err(format!("there is no element {at} in a list of {length}"))
                    }
                    (Some(place), Cow::Borrowed(Value::List(items))) => {
                        items.get(place).map(Cow::Borrowed).ok_or_else(|| "outside the list".to_owned())
                    }
                    (Some(place), Cow::Owned(Value::List(mut items))) => Ok(Cow::Owned(items.swap_remove(place))),
                    _ => Err("outside the list".to_owned()),
                }
            }
            (of, at) => Err(format!("{} is not indexed by {}", named(of), named(at))),
        }
    }

    /// `filter`, `map`, `any`, `all`, `some`, `find`, `count`.
    fn each(&self, function: &str, items: &[Value], body: &Node, parameters: &[&Value]) -> Result<Value, Stop> {
        let mut kept = Vec::new();
        let mut count = 0;
        for item in items {
            let mut inner: Vec<&Value> = Vec::with_capacity(parameters.len() + 1);
            inner.extend_from_slice(parameters);
            inner.push(item);
            if function == "map" {
                kept.push(self.owned(body, &inner)?);
                continue;
            }
            let holds = self.truth(body, &inner, "the closure")?;
            match function {
                "all" if !holds => return Ok(Value::Bool(false)),
                "any" | "some" if holds => return Ok(Value::Bool(true)),
                "find" if holds => return Ok(item.clone()),
                "count" if holds => count += 1,
                "filter" if holds => {
                    self.spend(size(item) / BYTES_PER_UNIT, body.offset)?;
                    kept.push(item.clone());
                }
                _ => {}
            }
        }
        Ok(match function {
            "all" => Value::Bool(true),
            "any" | "some" => Value::Bool(false),
            "find" => Value::Null,
            "count" => Value::Int(count),
            _ => Value::List(kept),
        })
    }

    fn bounded<'v>(&self, value: Value, offset: usize) -> Evaluated<'v> {
        let bytes = size(&value);
        self.spend(bytes / BYTES_PER_UNIT, offset)?;
        let message = match &value {
            Value::Text(text) if text.len() > limits::TEXT_BYTES => format!("the text is longer than {} bytes", limits::TEXT_BYTES),
            Value::List(items) if items.len() > limits::COLLECTION_LEN => {
                format!("the list has more than {} elements", limits::COLLECTION_LEN)
            }
            _ => return Ok(Cow::Owned(value)),
        };
        Err(Stop::Fault { message, offset })
    }

    /// The written form of a reference, or what it is.
    fn described(&self, node: &Node) -> String {
        match self.tree.path_of(node) {
            Some(reference) => quoted(&reference.path.join(".")),
            None => "this value".to_owned(),
        }
    }
}

fn all_known(value: Cow<'_, Value>) -> Evaluated<'_> {
    match value.first_unknown() {
        Some(name) => Err(Stop::Unknown(name.to_owned())),
        None => Ok(value),
    }
}

/// The member `name` of a value; with `optional`, nothing where there is none.
pub(super) fn member_of<'v>(
    of: Cow<'v, Value>,
    name: &str,
    optional: bool,
    described: impl Fn() -> String,
) -> Result<Cow<'v, Value>, String> {
    let missing = |map: &Map| {
        let near = match nearest(name, map.keys().map(String::as_str)) {
            Some(near) => format!("did you mean {}?", quoted(near)),
            None if map.is_empty() => "it is empty".to_owned(),
            None => {
                format!("it has {}", map.keys().take(8).map(|key| quoted(key)).collect::<Vec<_>>().join(", "))
            }
        };
        format!("{} has no member {}; {near}", described(), quoted(name))
    };
    match of {
        Cow::Borrowed(Value::Map(map)) => match map.get(name) {
            Some(value) => Ok(Cow::Borrowed(value)),
            None if optional => Ok(Cow::Owned(Value::Null)),
            None => Err(missing(map)),
        },
        Cow::Owned(Value::Map(mut map)) => match map.remove(name) {
            Some(value) => Ok(Cow::Owned(value)),
            None if optional => Ok(Cow::Owned(Value::Null)),
            None => Err(missing(&map)),
        },
        of => match (of.as_ref(), functions::part(&of, name)) {
            (Value::Null, _) if optional => Ok(Cow::Owned(Value::Null)),
            (_, Some(part)) => Ok(Cow::Owned(part)),
            (other, None) => Err(format!("{} is {}, which has no member {}", described(), named(other), quoted(name))),
        },
    }
}

/// About how many bytes a value takes.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.iter().map(|item| 16 + size(item)).sum(),
        Value::Map(map) => map.iter().map(|(key, value)| 32 + key.len() + size(value)).sum(),
        _ => 8,
    }
}
