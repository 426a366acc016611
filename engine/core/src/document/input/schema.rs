//! Inputs as JSON Schema (draft 2020-12), for editors, forms and other programs.

use serde_json::{Map as Json, Value as JsonValue, json};

use super::InputType;
use crate::plan::{InputSpec, ValueSpec};
use crate::value::Value;

/// The schema of the map of inputs that a procedure takes.
pub fn json_schema(specs: &[InputSpec]) -> JsonValue {
    let properties: Json<String, JsonValue> =
        specs.iter().map(|spec| (spec.name.as_str().to_owned(), JsonValue::Object(value_schema(&spec.value)))).collect();
    let required: Vec<&str> =
        specs.iter().filter(|spec| spec.value.required && spec.value.default.is_none()).map(|spec| spec.name.as_str()).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn value_schema(spec: &ValueSpec) -> Json<String, JsonValue> {
    let mut schema = Json::new();
    let mut put = |key: &str, value: JsonValue| drop(schema.insert(key.to_owned(), value));
    let (kind, format, bounds) = match spec.r#type {
        InputType::Integer => ("integer", None, Some(("minimum", "maximum"))),
        InputType::Number => ("number", None, Some(("minimum", "maximum"))),
        InputType::Boolean => ("boolean", None, None),
        InputType::List => ("array", None, Some(("minItems", "maxItems"))),
        InputType::Map => ("object", None, Some(("minProperties", "maxProperties"))),
        InputType::Duration => ("string", Some("runbook-duration"), None),
        InputType::Time => ("string", Some("date-time"), None),
        InputType::Url => ("string", Some("uri"), Some(("minLength", "maxLength"))),
        InputType::String | InputType::Enum | InputType::Path | InputType::Host => {
            ("string", None, Some(("minLength", "maxLength")))
        }
    };
    put("type", json!(kind));
    if let Some(format) = format {
        put("format", json!(format));
    }
    if let Some(description) = &spec.description {
        put("description", json!(description));
    }
    if let Some((least, most)) = bounds {
        for (key, bound) in [(least, &spec.min), (most, &spec.max)] {
            if let Some(bound) = bound {
                put(key, bound.to_plain_json());
            }
        }
    }
    if let Some(pattern) = &spec.pattern {
        put("pattern", json!(format!("^(?:{pattern})$")));
    }
    if let Some(default) = &spec.default {
        put("default", default.to_plain_json());
    }
    let plain = |values: &[Value]| values.iter().map(Value::to_plain_json).collect::<Vec<_>>();
    if !spec.choices.is_empty() {
        put("enum", json!(plain(&spec.choices)));
    }
    if !spec.examples.is_empty() {
        put("examples", json!(plain(&spec.examples)));
    }
    if let Some(items) = &spec.items {
        let key = if spec.r#type == InputType::Map { "additionalProperties" } else { "items" };
        put(key, JsonValue::Object(value_schema(items)));
    }
    schema
}
