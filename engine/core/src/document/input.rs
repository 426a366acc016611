//! Declarations of typed values: the `inputs` of a procedure and the `fields` of an `ask`, and judging values by them.
//!
//! [`ValueSpec`](crate::plan::ValueSpec) is the declaration without its places; it is what a plan stores and what every
//! value from outside passes through.

mod accept;
mod declare;
mod schema;

use serde::{Deserialize, Serialize};

use super::{Node, Scalar};
use crate::diagnostic::{Span, Spanned};

pub use accept::accept_all;
pub(super) use accept::is_host;
pub use declare::DeclarationFault;
pub use schema::json_schema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputType {
    String,
    Integer,
    Number,
    Boolean,
    Duration,
    Time,
    Enum,
    List,
    Map,
    Path,
    Url,
    Host,
}

impl InputType {
    pub const ALL: [(&'static str, InputType); 12] = [
        ("string", InputType::String),
        ("integer", InputType::Integer),
        ("number", InputType::Number),
        ("boolean", InputType::Boolean),
        ("duration", InputType::Duration),
        ("time", InputType::Time),
        ("enum", InputType::Enum),
        ("list", InputType::List),
        ("map", InputType::Map),
        ("path", InputType::Path),
        ("url", InputType::Url),
        ("host", InputType::Host),
    ];

    /// The type with its article, as messages say it.
    pub fn article(self) -> &'static str {
        match self {
            InputType::String => "a string",
            InputType::Integer => "an integer",
            InputType::Number => "a number",
            InputType::Boolean => "a boolean",
            InputType::Duration => "a duration",
            InputType::Time => "a time",
            InputType::Enum => "an enum",
            InputType::List => "a list",
            InputType::Map => "a map",
            InputType::Path => "a path",
            InputType::Url => "a url",
            InputType::Host => "a host",
        }
    }

    /// Whether values of the type are texts.
    pub fn is_text(self) -> bool {
        matches!(self, InputType::String | InputType::Enum | InputType::Path | InputType::Url | InputType::Host)
    }
}

#[derive(Clone, Debug)]
pub struct Input {
    pub span: Span,
    pub r#type: Spanned<InputType>,
    pub description: Option<Scalar>,
    pub default: Option<Node>,
    /// True unless there is a default or the file says `required: false`.
    pub required: bool,
    pub pattern: Option<Scalar>,
    pub min: Option<Node>,
    pub max: Option<Node>,
    pub choices: Vec<Node>,
    /// The declaration of each item of a list, or each value of a map.
    pub items: Option<Box<Input>>,
    pub examples: Vec<Node>,
}

#[cfg(test)]
mod tests;
