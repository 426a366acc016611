//! The names that a draft gives: ids of its steps, the inputs that stand for what the source leaves open, and the secrets that stand
//! for values nobody may read. One spelling in the source is one name, wherever it stands.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::expr::{Expression, Template};
use runbook_core::limits;
use runbook_core::plan::Origin;

/// Words of an id that are made from a sentence, and their bytes: enough to tell steps apart, short enough for a column.
const WORDS: usize = 6;
const BYTES: usize = 40;

/// Bytes of the longest word that one of the languages keeps.
const KEPT_BYTES: usize = 12;

#[derive(Debug, Default)]
pub(super) struct Names {
    ids: BTreeSet<String>,
    /// How many ids begin alike.
    alike: BTreeMap<String, usize>,
    /// `<host>` → `host`.
    tokens: BTreeMap<String, String>,
    /// Id → the input.
    pub inputs: BTreeMap<String, Input>,
    /// Value → variable.
    values: BTreeMap<String, String>,
    /// Variables that hold secrets, each with the secret's id.
    pub secrets: BTreeMap<String, String>,
    /// More values look like secrets than can be looked for everywhere.
    pub too_many_secrets: bool,
    /// A text is too long to be looked through for secrets.
    pub too_long_a_text: bool,
}

/// What a run has to be given.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// How it is written in the source.
    pub written: Vec<String>,
    /// What an earlier part of the source sets it to.
    pub default: Option<String>,
}

impl Names {
    /// The id of a step, made from what people call it.
    pub fn id(&mut self, words: &str, otherwise: &str) -> String {
        let words = slug(words);
        let base = if words.is_empty() { otherwise.to_owned() } else { words };
        loop {
            let count = self.alike.entry(base.clone()).or_default();
            *count += 1;
            let id = if *count == 1 { base.clone() } else { format!("{base}_{count}") };
            if id != super::write::GATE && self.ids.insert(id.clone()) {
                return id;
            }
        }
    }

    /// The input that a token of the source stands for, such as `<host>`.
    pub fn input_for(&mut self, token: &str) -> String {
        if let Some(id) = self.tokens.get(token) {
            return id.clone();
        }
        let id = readable(slug(token));
        let written = &mut self.inputs.entry(id.clone()).or_default().written;
        written.push(token.to_owned());
        self.tokens.insert(token.to_owned(), id.clone());
        id
    }

    /// The input of a token that is known already.
    pub fn known(&self, token: &str) -> Option<&str> {
        self.tokens.get(token).map(String::as_str)
    }

    /// The input behind a variable of a shell, and what it is where nobody says otherwise.
    pub fn input_of_variable(&mut self, variable: &str, default: Option<&str>) -> String {
        let id = readable(slug(variable));
        let input = self.inputs.entry(id.clone()).or_default();
        let written = format!("${variable}");
        if !input.written.contains(&written) {
            input.written.push(written);
        }
        if input.default.is_none() {
            input.default = default.map(str::to_owned);
        }
        id
    }

    /// The variable that holds a secret of this value.
    pub fn secret_for(&mut self, value: &str, hint: &str) -> String {
        if let Some(variable) = self.values.get(value) {
            return variable.clone();
        }
        let base = variable(hint);
        if self.values.len() >= limits::DRAFT_SECRETS {
            self.too_many_secrets = true;
            return base;
        }
        let variable = (1..)
            .map(|n| if n == 1 { base.clone() } else { format!("{base}_{n}") })
            .find(|name| !self.secrets.contains_key(name))
            .unwrap_or(base);
        self.values.insert(value.to_owned(), variable.clone());
        self.secret_in(&variable);
        variable
    }

    /// The secret in a variable, as an expression.
    pub fn secret_in(&mut self, variable: &str) -> String {
        if let Some(id) = self.secrets.get(variable) {
            return format!("secrets.{id}");
        }
        let base = slug_within(variable, usize::MAX);
        let base = if base.is_empty() { "secret".to_owned() } else { base };
        let is_free = |id: &String| !self.secrets.values().any(|other| other == id);
        let id = (1..).map(|n| if n == 1 { base.clone() } else { format!("{base}_{n}") }).find(is_free).unwrap_or(base);
        let expression = format!("secrets.{id}");
        self.secrets.insert(variable.to_owned(), id);
        expression
    }

    /// Every value that must not be written, the longest first, and the variable that holds it.
    pub fn values(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<_> = self.values.iter().map(|(value, variable)| (value.as_str(), variable.as_str())).collect();
        all.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        all
    }
}

/// A name for a variable of a shell.
fn variable(hint: &str) -> String {
    let name = slug_within(hint, usize::MAX).to_ascii_uppercase();
    if name.is_empty() {
        "SECRET".to_owned()
    } else if super::script::is_given(&name) {
        format!("SECRET_{name}")
    } else {
        name
    }
}

/// Words as an id: `Step 2: Stop the service` → `stop_the_service`. Empty where there is no word.
pub(super) fn slug(text: &str) -> String {
    slug_within(text, WORDS)
}

fn slug_within(text: &str, most: usize) -> String {
    let lower = text.to_lowercase();
    let mut words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    // The number of a step is its place.
    let is_number = |word: &&str| word.bytes().all(|b| b.is_ascii_digit());
    if words.len() > 2 && words.first() == Some(&"step") && words.get(1).is_some_and(is_number) {
        words.drain(..2);
    }
    let first = words.iter().position(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).unwrap_or(words.len());
    let mut id = String::new();
    for word in words.iter().skip(first).take(most) {
        if id.len() + word.len() >= BYTES {
            break;
        }
        if !id.is_empty() {
            id.push('_');
        }
        id.push_str(word);
    }
    if id.is_empty() {
        id.push_str(words.get(first).and_then(|word| word.get(..BYTES)).unwrap_or_default());
    }
    id
}

/// A name that both languages read as one.
fn readable(id: String) -> String {
    let id = if id.is_empty() { "value".to_owned() } else { id };
    // The words that the languages keep for themselves are single and short.
    if id.contains('_') || id.len() > KEPT_BYTES || id.contains(|c: char| c.is_ascii_digit()) {
        return id;
    }
    let expression = Expression::parse(&format!("inputs.{id}"), Origin::default()).is_ok();
    let text = Template::parse(&format!("{{{{inputs.{id}}}}}"), Origin::default()).is_ok();
    if expression && text { id } else { format!("{id}_value") }
}
