//! What is to be known of what stands at a place.

use super::Around;
use super::find::{Open, Target};
use super::outline::{self, Seen};
use crate::check::survey::Name;
use crate::diagnostic::{Source, Span};
use crate::document::{Procedure, Scalar, Step};
use crate::expr::{Type as Of, usage_of};
use crate::vocabulary::{Key, Names, Type};
use crate::{markdown, prose};

/// What is said of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// Markdown.
    pub text: String,
    pub span: Span,
    /// The step it is about, where it is about one: the name of its procedure, and its id.
    pub step: Option<(String, String)>,
}

/// What is to be known of what stands at byte `at` of a document.
pub fn hover(source: &Source, at: u32, around: Around) -> Option<Hover> {
    let open = Open::new(source, around.document, around);
    if let Some((target, span)) = open.target(at) {
        let step = match &target {
            Target::Of(procedure, Name::Step(id)) => Some((procedure.name.value.to_string(), id.clone())),
            _ => None,
        };
        return Some(Hover { text: of_target(&open, &target)?, span, step });
    }
    let root = around.tree(source)?;
    let seen = outline::at(&root, at)?;
    let span = seen.scalar().span;
    let text = match seen {
        Seen::Name { names: Names::Ids, scalar, .. } => {
            let (text, step) = of_output(&open, scalar)?;
            return Some(Hover { text, span, step: Some(step) });
        }
        Seen::Key { key, .. } => of_key(key),
        Seen::Value { of: Type::Word(words), scalar, .. } => {
            let word = words.iter().find(|word| word.name == scalar.value).filter(|word| !word.doc.is_empty())?;
            format!("`{}`: {}", word.name, word.doc)
        }
        Seen::Value { of: Type::Expression | Type::Text | Type::Shell | Type::Script, .. } => return in_field(&open, at),
        _ => return None,
    };
    Some(Hover { text, span, step: None })
}

fn of_key(key: &Key) -> String {
    let required = if key.required { ", required" } else { "" };
    format!("**`{}`** ({}{required})\n\n{}.", key.name, key.value.describe(), key.doc)
}

/// Names without a declaration, and functions.
fn in_field(open: &Open, at: u32) -> Option<Hover> {
    let text = &open.source.text;
    let (before, behind) = (text.get(..at as usize)?, text.get(at as usize..)?);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let start = before.trim_end_matches(is_word).len();
    let end = at as usize + (behind.len() - behind.trim_start_matches(is_word).len());
    let span = Span::new(start, end);
    let word = text.get(start..end).filter(|word| !word.is_empty())?;
    if text.get(end..)?.starts_with('(') {
        return Some(Hover { text: format!("`{}`", usage_of(word)?), span, step: None });
    }
    if let Some((text, step)) = output_read(open, before.get(..start)?, word) {
        return Some(Hover { text, span, step: Some(step) });
    }
    let field = open.around.field(open.procedure?, at)?;
    let path = match before.get(..start)?.strip_suffix("run.") {
        Some(_) => format!("run.{word}"),
        None => word.to_owned(),
    };
    let (name, of) = field.names.iter().find(|(name, _)| *name == path)?;
    Some(Hover { text: format!("`{name}`: {}", words(of)), span, step: None })
}

fn of_target(open: &Open, target: &Target) -> Option<String> {
    Some(match target {
        Target::Of(procedure, Name::Input(name)) => {
            let (_, input) = procedure.inputs.iter().find(|(id, _)| id.value.as_str() == name)?;
            let given = match (&input.default, input.required) {
                (Some(default), _) => {
                    let written = procedure.source.text.get(default.span.start as usize..default.span.end as usize);
                    format!(", by default {}", markdown::code_in_editor(written.unwrap_or_default().trim()))
                }
                (None, true) => ", required".to_owned(),
                (None, false) => ", may be left out".to_owned(),
            };
            let description = input.description.as_ref().map(|text| paragraphs(&text.value)).unwrap_or_default();
            format!("**`inputs.{name}`**: {}{given}{description}", input.r#type.value.article())
        }
        Target::Of(procedure, Name::Step(id)) => of_step(open, procedure, id)?,
        Target::Of(_, Name::Secret(name)) => {
            format!("**`secrets.{name}`**: a secret; it may stand alone in `env` and in a header, and is never shown")
        }
        Target::Procedure(procedure) => {
            let title =
                procedure.title.as_ref().map(|title| format!(": {}", markdown::text_in_editor(&title.value))).unwrap_or_default();
            let description = procedure.description.as_ref().map(|text| paragraphs(&text.value)).unwrap_or_default();
            format!("**{} {}**{title}{description}", procedure.name.value, procedure.version.value)
        }
        Target::Workspace(keys, name) => {
            open.declared(target)?;
            format!("**{}**, of {} in workspace.yaml", markdown::text_in_editor(name), any_of(keys))
        }
    })
}

/// `a`, `b` or `c`.
fn any_of(keys: &[&str]) -> String {
    let quoted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    match quoted.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => quoted.concat(),
    }
}

/// A type; the names of members are an author's.
fn words(of: &Of) -> String {
    markdown::text_in_editor(&of.in_words())
}

/// What an author wrote for people, behind something else.
fn paragraphs(text: &str) -> String {
    format!("\n\n{}", prose::in_editor(text).trim_end())
}

/// An output where it is declared; with the step that has it.
fn of_output(open: &Open, name: &Scalar) -> Option<(String, (String, String))> {
    let procedure = open.procedure?;
    let has_it = |step: &Step| step.outputs.iter().any(|(output, _)| output.span == name.span);
    let (id, _) = crate::check::steps_of(procedure).into_iter().find(|(_, step)| has_it(step))?;
    given(open, procedure, id, &name.value)
}

/// An output where it is read: `word` stands behind `before`.
fn output_read(open: &Open, before: &str, word: &str) -> Option<(String, (String, String))> {
    let before = before.strip_suffix('.')?;
    let start = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
    let (before, id) = before.split_at_checked(start)?;
    let front = before.strip_suffix("steps.")?;
    // As `inputs.steps.x` would.
    let is_root = !front.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    is_root.then(|| given(open, open.procedure?, id, word)).flatten()
}

/// What a step gives under a name; with the step.
fn given(open: &Open, procedure: &Procedure, id: &str, name: &str) -> Option<(String, (String, String))> {
    let survey = open.around.survey(procedure);
    let Of::Map(Some(members)) = survey.steps.get(id)? else { return None };
    let text = format!("**`steps.{id}.{name}`**: {}", words(members.get(name)?));
    Some((text, (procedure.name.value.to_string(), id.to_owned())))
}

fn of_step(open: &Open, procedure: &Procedure, id: &str) -> Option<String> {
    let survey = open.around.survey(procedure);
    let of = survey.steps.get(id)?;
    let steps = crate::check::steps_of(procedure);
    let (_, step) = steps.into_iter().find(|(known, _)| *known == id)?;
    let name = step.name.as_ref().map(|name| format!(" — {}", markdown::text_in_editor(&name.value))).unwrap_or_default();
    let mut text = format!("**`steps.{id}`** (`{}`){name}\n", step.verb.value.key());
    match of {
        Of::Map(Some(members)) if members.is_empty() => text.push_str("\nIt gives nothing."),
        Of::Map(Some(members)) => {
            text.extend(members.iter().map(|(name, of)| format!("\n- {}: {}", markdown::code_in_editor(name), words(of))));
        }
        of => text.push_str(&format!("\nIt gives {}.", words(of))),
    }
    Some(text)
}
