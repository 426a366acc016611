//! The types of the names that a field may use, as far as the document tells: declared inputs, results of verbs, outputs.
//! Where nothing is declared anything may be, and nothing is reported.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use super::field::Scope;
use super::procedure::Checked;
use crate::diagnostic::Code;
use crate::document::input::InputType;
use crate::document::{Input, Scalar};
use crate::expr::{Expression, Reference, Type, TypeFault, TypeFaultKind, Types};

/// Members by name.
pub(super) type Members = BTreeMap<String, Type>;

struct View<'v, 'b, 'c> {
    checked: &'v Checked<'b, 'c>,
}

impl Types for View<'_, '_, '_> {
    /// Whether a name may be read here has been judged before; this only says what it gives.
    fn of(&self, root: &str, member: Option<&str>) -> Result<Type, String> {
        Ok(self.checked.type_of(root, member))
    }
}

impl Checked<'_, '_> {
    pub(super) fn type_of(&self, root: &str, member: Option<&str>) -> Type {
        match (root, member) {
            ("inputs", Some(name)) => {
                let declared = self.procedure.inputs.iter().find(|(id, _)| id.value.as_str() == name);
                declared.map_or(Type::Any, |(_, input)| of_input(input))
            }
            ("steps", Some(name)) => self.tree.find(name).and_then(|ix| self.types.get(ix)).cloned().flatten().unwrap_or(Type::Any),
            ("inputs" | "steps" | "run", None) => Type::Map(None),
            ("run", Some("started_at")) => Type::Time,
            ("run", Some("environment")) => Type::Any,
            ("run", Some(_)) => Type::String,
            ("now", _) => Type::Time,
            ("index", _) => Type::Integer,
            ("result", _) => self.result.clone(),
            (name, _) => {
                let item = self.items.iter().rev().find(|item| item.name == name);
                item.map_or(Type::Any, |item| item.of.clone())
            }
        }
    }

    /// The type that an expression gives; what cannot work in it is reported.
    pub fn infer(&mut self, expression: &Expression, field: &Scalar) -> Type {
        let (found, faults) = expression.infer(&View { checked: self });
        for fault in faults {
            self.type_fault(fault, field);
        }
        found
    }

    fn type_fault(&mut self, fault: TypeFault, field: &Scalar) {
        let (code, reason) = match fault.kind {
            TypeFaultKind::Comparison => (Code::RB0108, "values of different types are compared"),
            TypeFaultKind::Member { .. } => (Code::RB0104, "there is no such member"),
            TypeFaultKind::Operation => (Code::RB0109, "this cannot work on values of these types"),
        };
        let length = field.value.get(fault.offset..).map_or(1, word);
        let span = field.span_of(&self.procedure.source, fault.offset, fault.offset + length);
        let mut diagnostic = self.new_fault(code, span, fault.message).reason(reason);
        diagnostic.help = fault.help;
        // Behind a dot the name stands at the place itself, in brackets it does not.
        let named =
            field.value.get(fault.offset..).is_some_and(|text| text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
        if let TypeFaultKind::Member { meant: Some(meant) } = fault.kind
            && named
        {
            diagnostic = diagnostic.replace(span, meant);
        }
        self.report(diagnostic);
    }

    /// An expression of a field that has to be of one of these types.
    pub fn of_type(&mut self, field: &Scalar, scope: &Scope, wanted: &[Type], what: &str) -> Option<Expression> {
        let (expression, found) = self.typed(field, scope)?;
        if !wanted.iter().any(|wanted| wanted.may_be(&found)) {
            let fault = self
                .new_fault(Code::RB0109, field.span, format!("{what}, and this is {}", article(&found)))
                .help(way(&found, wanted));
            self.report(fault);
        }
        Some(expression)
    }

    /// Members that a text or script reads of what is known not to have them. Expressions are inferred instead.
    pub fn members(&mut self, references: &[Reference], field: &Scalar) {
        let procedure = self.procedure;
        let places = LazyCell::new(|| field.places(&procedure.source));
        for reference in references {
            let Some(root) = reference.path.first() else { continue };
            let member = reference.path.get(1).map(String::as_str);
            let namespace = matches!(root.as_str(), "inputs" | "steps" | "run");
            let mut found = self.type_of(root, member.filter(|_| namespace));
            for (n, name) in reference.path.iter().enumerate().skip(if namespace { 2 } else { 1 }) {
                let Type::Map(Some(known)) = &found else { break };
                if let Some(inner) = known.get(name) {
                    found = inner.clone();
                    continue;
                }
                let whole = reference.path.get(..n).unwrap_or_default().join(".");
                let start = reference.offset + whole.len() + 1;
                let span = places.span(start, start + name.len());
                let fault = self.new_fault(Code::RB0104, span, format!("`{whole}` has no member `{}`", name.escape_debug()));
                let fault = match self.nearest(name, known.keys().map(String::as_str)) {
                    Some(near) => fault.help(format!("did you mean `{near}`?")).replace(span, near),
                    None if known.is_empty() => fault.help(format!("it gives nothing; declare it under `outputs` of `{whole}`")),
                    None => fault.help(format!("it has `{}`", known.keys().cloned().collect::<Vec<_>>().join("`, `"))),
                };
                self.report(fault);
                break;
            }
        }
    }
}

/// Bytes of the name that a text begins with, at least one.
fn word(text: &str) -> usize {
    text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count().max(1)
}

pub(super) fn article(found: &Type) -> String {
    match found {
        Type::Null => "nothing".to_owned(),
        Type::Integer => "an integer".to_owned(),
        other => format!("a {}", other.name()),
    }
}

fn way(found: &Type, wanted: &[Type]) -> &'static str {
    match (found, wanted) {
        (Type::String, [Type::Boolean, ..]) => "compare it: `… == \"yes\"`",
        (Type::Integer | Type::Number, [Type::Boolean, ..]) => "compare it: `… == 0`",
        (Type::List(_), [Type::Boolean, ..]) => "ask for its length: `….len() > 0`",
        (Type::Map(_), [Type::List(_), ..]) => "take its keys or values: `….keys()`",
        (Type::String, [Type::List(_), ..]) => "split it: `….lines()`",
        (Type::Integer | Type::Number, [Type::Duration, ..]) => "give it a unit: `duration(\"30s\")`",
        _ => "write an expression that gives such a value",
    }
}

/// What `inputs.<name>` gives.
pub(super) fn of_input(input: &Input) -> Type {
    match input.r#type.value {
        InputType::String | InputType::Path | InputType::Url | InputType::Host => Type::String,
        InputType::Integer => Type::Integer,
        InputType::Number => Type::Number,
        InputType::Boolean => Type::Boolean,
        InputType::Duration => Type::Duration,
        InputType::Time => Type::Time,
        InputType::Enum => {
            let choices = input.choices.iter().map(|node| Type::of_value(&super::literal::plain(node)));
            choices.reduce(|a, b| a.or(&b)).unwrap_or(Type::Any)
        }
        InputType::List => Type::List(Box::new(input.items.as_deref().map_or(Type::Any, of_input))),
        InputType::Map => Type::Map(None),
    }
}

/// What a program gives.
pub(super) fn of_program() -> Type {
    members([("stdout", Type::String), ("stderr", Type::String), ("exit_code", Type::Integer), ("json", Type::Any)])
}

/// What an HTTP response gives.
pub(super) fn of_response() -> Type {
    members([("status", Type::Integer), ("headers", Type::Map(None)), ("body", Type::String), ("json", Type::Any)])
}

/// The event that ended a wait, and its number.
pub(super) fn of_awaited() -> Type {
    let event = members([
        ("id", Type::String),
        ("source", Type::String),
        ("type", Type::String),
        ("subject", Type::Any),
        ("time", Type::Any),
        ("data", Type::Any),
        ("extensions", Type::Map(None)),
        ("key", Type::String),
        ("status", Type::String),
    ]);
    members([("event", event), ("number", Type::Integer)])
}

/// What people decided.
pub(super) fn of_decision(with_evidence: bool) -> Type {
    match with_evidence {
        false => members([("granted", Type::Boolean), ("by", Type::String), ("reason", Type::String)]),
        true => members([("granted", Type::Boolean), ("by", Type::String), ("reason", Type::String), ("evidence", Type::String)]),
    }
}

pub(super) fn members<const N: usize>(known: [(&str, Type); N]) -> Type {
    Type::with(known.into_iter().map(|(name, of)| (name.to_owned(), of)).collect())
}

/// What `steps.<id>` gives: the result with the outputs laid over it.
pub(super) fn overlay(result: &Type, outputs: Members) -> Type {
    match result {
        Type::Null => Type::with(outputs),
        other if outputs.is_empty() => other.clone(),
        Type::Map(Some(members)) => {
            let mut members = Members::clone(members);
            members.extend(outputs);
            Type::with(members)
        }
        Type::Map(None) => Type::Map(None),
        _ => Type::Any,
    }
}
