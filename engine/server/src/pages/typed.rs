//! What people type into forms: how a form is read, and how a value of a type is asked for.

use axum::body::Body;
use axum::http::{header, request};
use runbook_core::document::InputType;
use runbook_core::plan::InputSpec;
use runbook_engine::report::request::takes;
use runbook_engine::words;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api;
use crate::problem::Problem;

/// The fields of a form, as they were sent. A field that was left empty was not given.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Fields(Vec<(String, String)>);

/// What the fields of typed values begin with, before the name of the value.
const TYPED: &str = "value.";

impl Fields {
    pub async fn read(head: &request::Parts, body: Body) -> Result<Fields, Problem> {
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().unwrap_or_default().trim() != "application/x-www-form-urlencoded" {
            return Err(Problem::malformed("this address takes the forms of its page; programs use /api/v1"));
        }
        let text = String::from_utf8(api::whole(body).await?).map_err(|_| Problem::malformed("the form is not UTF-8"))?;
        Ok(Fields(api::form(&text)?))
    }

    pub fn text(&self, name: &str) -> Option<String> {
        let mut given = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
        // Browsers end lines as they did for teletypes.
        let value = given.next().map(|value| value.replace("\r\n", "\n"));
        value.filter(|value| !value.trim().is_empty() && given.next().is_none())
    }

    /// As it was typed, to the last space.
    pub fn secret(&self, name: &str) -> String {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// The typed values, by name, as texts.
    pub fn values(&self) -> Map<String, Value> {
        let names = self.0.iter().filter_map(|(name, _)| name.strip_prefix(TYPED));
        names.filter_map(|name| Some((name.to_owned(), Value::String(self.text(&format!("{TYPED}{name}"))?)))).collect()
    }

    /// What a person wrote, and not the page.
    pub fn written(&self) -> Vec<(String, String)> {
        let is_theirs = |name: &str| ["reason", "text", "for", "to"].contains(&name) || name.starts_with(TYPED);
        let theirs = self.0.iter().filter(|(name, value)| is_theirs(name) && !value.trim().is_empty());
        theirs.map(|(name, value)| (name.strip_prefix(TYPED).unwrap_or(name).to_owned(), value.clone())).collect()
    }
}

/// How a value is asked for.
#[derive(Debug, Serialize)]
pub struct Field {
    /// Of the field, and of what belongs to it on the page.
    name: String,
    label: String,
    takes: String,
    description: Option<String>,
    is_required: bool,
    is_long: bool,
    /// Which keys a telephone shows.
    keys: &'static str,
    value: String,
    /// All that it may be, where it is one of several.
    options: Vec<Choice>,
}

#[derive(Debug, Serialize)]
struct Choice {
    value: String,
    text: String,
    is_chosen: bool,
}

impl Field {
    /// With what was typed before, or else the default.
    pub fn of(spec: &InputSpec, typed: Option<&Fields>) -> Field {
        let (name, value) = (format!("{TYPED}{}", spec.name), &spec.value);
        let before = typed.map(|fields| fields.text(&name).unwrap_or_default());
        let now = before.unwrap_or_else(|| value.default.as_ref().map(words::as_typed).unwrap_or_default());
        let mut all: Vec<String> = value.choices.iter().map(words::as_typed).collect();
        if all.is_empty() && value.r#type == InputType::Boolean {
            all = vec!["true".to_owned(), "false".to_owned()];
        }
        // Nothing is chosen for anybody who has to choose.
        let has_none = !all.is_empty() && (!value.required || !all.contains(&now));
        let none = has_none.then(|| Choice { value: String::new(), text: "–".to_owned(), is_chosen: now.is_empty() });
        let choice = |value: String| Choice { is_chosen: value == now, text: value.clone(), value };
        Field {
            label: spec.name.to_string(),
            takes: takes(value),
            description: value.description.clone(),
            is_required: value.required && value.default.is_none(),
            is_long: matches!(value.r#type, InputType::List | InputType::Map),
            keys: match value.r#type {
                InputType::Integer => "numeric",
                InputType::Number => "decimal",
                InputType::Url => "url",
                _ => "text",
            },
            options: none.into_iter().chain(all.into_iter().map(choice)).collect(),
            value: now,
            name,
        }
    }

    /// A text that is wanted beside a decision.
    pub fn text(name: &str, label: &str, takes: &str, typed: Option<&Fields>) -> Field {
        let name = format!("{TYPED}{name}");
        Field {
            value: typed.and_then(|fields| fields.text(&name)).unwrap_or_default(),
            label: label.to_owned(),
            takes: takes.to_owned(),
            description: None,
            is_required: true,
            is_long: true,
            keys: "text",
            options: Vec::new(),
            name,
        }
    }
}
