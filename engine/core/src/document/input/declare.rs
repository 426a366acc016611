//! A declaration as it was written → the [`ValueSpec`] that values are judged by, and what is wrong with the
//! declaration itself.

use super::{Input, InputType, accept::Pattern};
use crate::diagnostic::{Code, Span};
use crate::document::{Node, NodeKind, Scalar, ScalarStyle};
use crate::id::Id;
use crate::plan::{InputSpec, ValueSpec};
use crate::value::Value;

/// Something in a declaration that contradicts the rest of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclarationFault {
    pub code: Code,
    pub span: Span,
    pub message: String,
}

impl InputSpec {
    /// A declared input under its name. Faults of the declaration were reported when the document was read.
    pub fn of(name: Id, input: &Input) -> InputSpec {
        InputSpec { name, value: ValueSpec::of(input).0 }
    }
}

impl ValueSpec {
    /// The specification that a declaration stands for, without the parts that are wrong, and what is wrong with them.
    pub fn of(input: &Input) -> (ValueSpec, Vec<DeclarationFault>) {
        let mut faults = Vec::new();
        let spec = read(input, &mut faults);
        (spec, faults)
    }
}

fn read(input: &Input, faults: &mut Vec<DeclarationFault>) -> ValueSpec {
    let kind = input.r#type.value;
    let mut spec = ValueSpec {
        r#type: kind,
        description: input.description.as_ref().map(|text| text.value.clone()),
        default: None,
        required: input.required,
        pattern: None,
        min: None,
        max: None,
        choices: Vec::new(),
        items: input.items.as_ref().map(|items| Box::new(read(items, faults))),
        examples: Vec::new(),
    };
    let mut fault = |code, span, message: String| faults.push(DeclarationFault { code, span, message });
    if let Some(items) = &input.items
        && !matches!(kind, InputType::List | InputType::Map)
    {
        fault(Code::RB0024, items.span, format!("`items` belongs to a list or a map, not to {}", kind.article()));
    }
    if let Some(pattern) = &input.pattern {
        match pattern_of(kind, pattern) {
            Ok(text) => spec.pattern = Some(text),
            Err((code, message)) => fault(code, pattern.span, message),
        }
    }
    for (key, bound, place) in [("min", &input.min, &mut spec.min), ("max", &input.max, &mut spec.max)] {
        if let Some(node) = bound {
            match bound_of(kind, key, node) {
                Ok(value) => *place = Some(value),
                Err(message) => fault(Code::RB0024, node.span, message),
            }
        }
    }
    if let (Some(min), Some(max), Some(node)) = (&spec.min, &spec.max, &input.max)
        && super::accept::compare(min, max) == Some(std::cmp::Ordering::Greater)
    {
        fault(Code::RB0024, node.span, "`max` is less than `min`: no value can be right".to_owned());
        (spec.min, spec.max) = (None, None);
    }
    if kind == InputType::Enum && input.choices.is_empty() {
        fault(Code::RB0024, input.r#type.span, "an enum has no `choices`".to_owned());
    }
    // Choices, examples and the default are each judged by what has been read before them.
    let mut judged = |what: &str, nodes: &[Node], spec: &ValueSpec| -> Vec<Value> {
        let mut values = Vec::new();
        for node in nodes {
            match written(kind, node).and_then(|value| spec.accept(&value).map_err(|faults| faults.join("; "))) {
                Ok(value) => values.push(value),
                Err(message) => faults.push(DeclarationFault {
                    code: Code::RB0024,
                    span: node.span,
                    message: format!("{what} is not a value of this input: {message}"),
                }),
            }
        }
        values
    };
    let mut open = spec.clone();
    if kind == InputType::Enum {
        open.r#type = InputType::String;
    }
    spec.choices = judged("this choice", &input.choices, &open);
    let whole = spec.choices.len() == input.choices.len();
    let judge = if whole { spec.clone() } else { open };
    spec.examples = judged("this example", &input.examples, &judge);
    spec.default = match &input.default {
        Some(Node { kind: NodeKind::Null, .. }) if !input.required => Some(Value::Null),
        Some(node) => judged("the default", std::slice::from_ref(node), &judge).pop(),
        None => None,
    };
    spec
}

fn pattern_of(kind: InputType, pattern: &Scalar) -> Result<String, (Code, String)> {
    if !kind.is_text() {
        return Err((Code::RB0024, format!("`pattern` belongs to a text, not to {}", kind.article())));
    }
    Pattern::compile(&pattern.value).map_err(|message| (Code::RB0025, message))?;
    Ok(pattern.value.clone())
}

/// A bound: of the value where it has an order, else of its length.
fn bound_of(kind: InputType, key: &str, node: &Node) -> Result<Value, String> {
    let value = node.to_value().map_err(|(_, message)| message)?;
    match kind {
        InputType::Integer | InputType::Number | InputType::Duration | InputType::Time => {
            let bare = ValueSpec { r#type: kind, ..ValueSpec::string() };
            bare.accept(&value).map_err(|faults| format!("`{key}` is not {}: {}", kind.article(), faults.join("; ")))
        }
        InputType::Boolean | InputType::Enum => Err(format!("`{key}` does not belong to {}", kind.article())),
        _ => match value {
            Value::Int(length) if length >= 0 => Ok(Value::Int(length)),
            _ => Err(format!("`{key}` of {} is its length: a whole number from 0", kind.article())),
        },
    }
}

/// What a node in a declaration means for its type: a text is what was written, `1.10` included.
fn written(kind: InputType, node: &Node) -> Result<Value, String> {
    match node.scalar() {
        Some(scalar) if kind.is_text() && scalar.style == ScalarStyle::Plain && !matches!(node.kind, NodeKind::Bool(..)) => {
            Ok(Value::Text(scalar.value.clone()))
        }
        _ => node.to_value().map_err(|(_, message)| message),
    }
}
