//! Declared inputs, and the fields of an `ask`, as the plan has them.

use super::procedure::Checked;
use crate::diagnostic::Spanned;
use crate::document::Input;
use crate::id::Id;
use crate::plan::InputSpec;

impl Checked<'_, '_> {
    pub fn specs(&mut self, inputs: &[(Spanned<Id>, Input)]) -> Option<Vec<InputSpec>> {
        Some(inputs.iter().map(|(name, input)| InputSpec::of(name.value.clone(), input)).collect())
    }
}
