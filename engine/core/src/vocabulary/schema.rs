//! The vocabulary as a JSON Schema, draft 7, for editors that know YAML and nothing of runbooks.
//!
//! It is as strict as YAML read as JSON allows: no key that the decoder refuses, no word that it does not know. What a schema
//! cannot say (names that exist, expressions that fit) is for `check`; it never refuses what the decoder takes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::procedure::DOCUMENT;
use super::step::STEP;
use super::{KINDS, Key, Names, Referent, Shape, Type};
use crate::limits;

/// The schema of every kind of document.
pub fn schema() -> Value {
    let mut definitions = Definitions::default();
    let head = definitions.shape(&DOCUMENT);
    let kinds: Vec<Value> = KINDS
        .iter()
        .map(|(kind, of)| {
            let right = json!({"properties": {"kind": {"const": kind}}, "required": ["kind"]});
            json!({"if": right, "then": definitions.of(of)})
        })
        .collect();
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".to_owned(), json!("runbook/v1"));
    schema.insert("type".to_owned(), json!("object"));
    for part in ["properties", "required"] {
        schema.insert(part.to_owned(), head[part].clone());
    }
    schema.insert("allOf".to_owned(), Value::Array(kinds));
    schema.insert("definitions".to_owned(), Value::Object(definitions.written.into_iter().collect()));
    Value::Object(schema)
}

#[derive(Default)]
struct Definitions {
    /// The shapes that have a name, by their address.
    named: BTreeMap<usize, String>,
    written: BTreeMap<String, Value>,
}

impl Definitions {
    /// Every shape is written once, under a name made of what it describes.
    fn reference(&mut self, shape: &'static Shape) -> Value {
        let address = std::ptr::from_ref(shape).addr();
        let name = match self.named.get(&address) {
            Some(name) => name.clone(),
            None => {
                let name = self.name_for(shape.what);
                self.named.insert(address, name.clone());
                self.written.insert(name.clone(), Value::Null);
                let written = self.shape(shape);
                self.written.insert(name.clone(), written);
                name
            }
        };
        json!({"$ref": format!("#/definitions/{name}")})
    }

    fn name_for(&self, what: &str) -> String {
        let words = what.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let name = words.filter(|word| !matches!(*word, "" | "a" | "an")).collect::<Vec<_>>().join("-");
        let mut free = name.clone();
        let mut n = 1;
        while self.written.contains_key(&free) {
            n += 1;
            free = format!("{name}-{n}");
        }
        free
    }

    fn shape(&mut self, shape: &'static Shape) -> Value {
        let properties: Map<String, Value> = shape.keys.iter().map(|key| (key.name.to_owned(), self.key(key))).collect();
        let mut object = Map::new();
        object.insert("type".to_owned(), json!("object"));
        object.insert("properties".to_owned(), Value::Object(properties));
        object.insert("additionalProperties".to_owned(), json!(false));
        let required: Vec<&str> = shape.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
        object.insert("required".to_owned(), json!(required));
        if !shape.one_of.is_empty() {
            let ways: Vec<Value> = shape.one_of.iter().map(|key| json!({"required": [key]})).collect();
            object.insert("oneOf".to_owned(), Value::Array(ways));
        }
        let beside: Map<String, Value> =
            shape.keys.iter().filter_map(|key| Some((key.name.to_owned(), json!([key.beside?])))).collect();
        if !beside.is_empty() {
            object.insert("dependencies".to_owned(), Value::Object(beside));
        }
        Value::Object(object)
    }

    fn key(&mut self, key: &'static Key) -> Value {
        let mut value = self.of(&key.value);
        let mut doc = format!("{}.", key.doc);
        if let Type::Word(words) = &key.value {
            doc.extend(words.iter().filter(|word| !word.doc.is_empty()).map(|word| format!("\n- `{}`: {}", word.name, word.doc)));
        }
        // Beside a reference, draft 7 reads nothing.
        if value.get("$ref").is_some() {
            value = json!({"allOf": [value]});
        }
        if let Value::Object(value) = &mut value {
            value.insert("description".to_owned(), json!(doc));
        }
        value
    }

    fn of(&mut self, of: &'static Type) -> Value {
        // A text is any scalar as it was written: `1.10` reaches a schema as a number.
        let scalar = json!(["string", "number", "boolean"]);
        match of {
            Type::Expression | Type::Shell | Type::Script => json!({"type": scalar, "minLength": 1}),
            Type::Id | Type::Refers(Referent::Step) => {
                json!({"type": scalar, "pattern": "^[a-z][a-z0-9_]*$", "maxLength": limits::ID_BYTES})
            }
            Type::Text | Type::Plain | Type::Refers(_) => json!({"type": scalar}),
            Type::ProcedureName => json!({"type": scalar, "pattern": "^[a-z][a-z0-9_-]*$", "maxLength": limits::ID_BYTES}),
            Type::Version => json!({"type": "string", "pattern": r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}$"}),
            Type::Date => json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
            Type::Duration => json!({"type": "string", "pattern": r"^\s*([0-9.]+(w|d|h|m|s|ms)\s*)+$"}),
            Type::Boolean => json!({"type": "boolean"}),
            Type::Whole(least, most) if *most == u32::MAX => json!({"type": "integer", "minimum": least}),
            Type::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
            Type::Number(least, most) => json!({"type": "number", "minimum": least, "maximum": most}),
            Type::Batch => json!({"type": ["integer", "string"], "minimum": 1, "pattern": "%$"}),
            Type::Word(words) => json!({"enum": words.iter().map(|word| word.name).collect::<Vec<_>>()}),
            Type::Data | Type::Json => json!({}),
            Type::Step => self.reference(&STEP),
            Type::Steps => json!({"type": "array", "items": self.reference(&STEP), "minItems": 1}),
            Type::Shape(shape) => self.reference(shape),
            Type::List(of) => json!({"type": "array", "items": self.of(of)}),
            Type::Map(names, of) => self.map(*names, of),
            Type::AnyOf(types) => {
                let types: Vec<Value> = types.iter().map(|of| self.of(of)).collect();
                json!({"anyOf": types})
            }
        }
    }

    fn map(&mut self, names: Names, of: &'static Type) -> Value {
        let values = self.of(of);
        let names = match names {
            Names::Ids | Names::Inputs => json!({"pattern": "^[a-z][a-z0-9_]*$", "maxLength": limits::ID_BYTES}),
            Names::Variables => json!({"pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": limits::ID_BYTES}),
            Names::Named => json!({"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": limits::ID_BYTES}),
            Names::Steps | Names::Any => json!({}),
        };
        json!({"type": "object", "propertyNames": names, "additionalProperties": values})
    }
}
