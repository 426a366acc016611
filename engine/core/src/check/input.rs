//! Declared inputs, and the fields of an `ask`, as the plan has them.

use super::procedure::Checked;
use crate::diagnostic::Spanned;
use crate::document::{Input, Scalar};
use crate::id::Id;
use crate::plan::{InputSpec, ValueSpec};

impl Checked<'_, '_> {
    pub fn specs(&mut self, inputs: &[(Spanned<Id>, Input)]) -> Option<Vec<InputSpec>> {
        Some(inputs.iter().map(|(name, input)| InputSpec { name: name.value.clone(), value: spec(input) }).collect())
    }
}

fn spec(input: &Input) -> ValueSpec {
    let text = |scalar: &Option<Scalar>| scalar.as_ref().map(|s| s.value.clone());
    ValueSpec {
        r#type: input.r#type.value,
        description: text(&input.description),
        default: input.default.as_ref().map(super::literal::plain),
        required: input.required,
        pattern: text(&input.pattern),
        min: input.min.as_ref().map(super::literal::plain),
        max: input.max.as_ref().map(super::literal::plain),
        choices: input.choices.iter().map(super::literal::plain).collect(),
        items: input.items.as_deref().map(|items| Box::new(spec(items))),
        examples: input.examples.iter().map(super::literal::plain).collect(),
    }
}
