//! Declarations of inputs and of the fields of an `ask`.

use super::{Fields, Reading, scalar};
use crate::diagnostic::{Code, Spanned};
use crate::document::input::{Input, InputType};
use crate::document::{Node, Scalar};
use crate::id::Id;
use crate::plan::ValueSpec;

pub(super) fn decode_all(reading: &Reading, entries: &[(Scalar, Node)]) -> Vec<(Spanned<Id>, Input)> {
    let mut inputs = Vec::new();
    for (name, node) in entries {
        let id = scalar::parsed::<Id>(reading, name);
        let Some(input) = decode(reading, node) else { continue };
        // Faults of the declaration itself: of the outermost only, which judges those inside it too.
        for fault in ValueSpec::of(&input).1 {
            let help = match fault.code {
                Code::RB0025 => "write a regular expression for the whole value, such as `[a-z0-9.-]+`",
                _ => "change one or the other",
            };
            reading.report(reading.diagnostic(fault.code, scalar::shown(reading, fault.span), fault.message).help(help));
        }
        inputs.extend(id.map(|id| (id, input)));
    }
    inputs
}

fn decode(reading: &Reading, node: &Node) -> Option<Input> {
    let mut fields = Fields::of(reading, node, "an input")?;
    let kind = fields.require("type").and_then(|node| scalar::word(reading, node, "type", &InputType::ALL));
    let default = fields.entry("default").map(|(_, node)| node.clone());
    let required = fields.boolean("required");
    let input = Input {
        span: node.span,
        description: fields.text("description"),
        required: required.map_or(default.is_none(), |required| required.value),
        default,
        pattern: fields.text("pattern"),
        min: fields.take("min").cloned(),
        max: fields.take("max").cloned(),
        choices: fields.list("choices").unwrap_or_default().to_vec(),
        items: fields.take("items").and_then(|node| decode(reading, node)).map(Box::new),
        examples: fields.list("examples").unwrap_or_default().to_vec(),
        // A type that could not be read accepts any text, so that its error is the only one.
        r#type: kind.clone().unwrap_or(Spanned::new(InputType::String, node.span)),
    };
    fields.finish();
    kind.map(|_| input)
}
