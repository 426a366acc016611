//! Another name for a step, an input or a secret, everywhere or not at all.
//!
//! What is renamed is what the check found to be named. Afterwards the documents are checked again: a member that has vanished
//! under its old name (a step inside an `each`, read of a result) is renamed as well, and any other fault refuses the whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::find::{Open, Target, places};
use super::{Around, Location};
use crate::check::survey::Name;
use crate::check::{Catalogue, CheckOptions, judge};
use crate::diagnostic::{Code, Diagnostic, Severity, Source, Span};
use crate::document::{Document, Procedure, load};
use crate::id::Id;

/// A text in the place of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub at: Location,
    pub text: String,
}

/// Why nothing is renamed; each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRenamed {
    #[error("nothing that has a name of its own stands here; go to a step's id, an input or a secret")]
    Nothing,
    #[error("`{0}` is not an identifier; begin with a lower-case letter, then lower-case letters, digits and `_`")]
    NoIdentifier(String),
    #[error("`{0}` is taken; choose another name")]
    Taken(String),
    #[error("the procedure has faults, so that what it names cannot be told; mend them first: {0}")]
    Faulty(String),
    #[error("it would not be the same procedure afterwards: {0}")]
    Changes(String),
}

/// How often the documents are looked at again.
const ROUNDS: usize = 8;

/// The name at a place, and where it stands, if it can have another one.
pub fn renamed(source: &Source, at: u32, around: Around) -> Option<(Span, String)> {
    match Open::new(source, around.document, around).target(at)? {
        (Target::Of(_, Name::Step(name) | Name::Input(name) | Name::Secret(name)), span) => Some((span, name)),
        _ => None,
    }
}

/// The edits that give what stands at a place another name.
pub fn rename(source: &Source, at: u32, to: &str, around: Around) -> Result<Vec<Edit>, NotRenamed> {
    let open = Open::new(source, around.document, around);
    let Some((Target::Of(procedure, name), _)) = open.target(at) else { return Err(NotRenamed::Nothing) };
    if to.parse::<Id>().is_err() {
        return Err(NotRenamed::NoIdentifier(crate::document::clipped(to)));
    }
    let (Name::Step(old) | Name::Input(old) | Name::Secret(old)) = &name;
    if old == to {
        return Ok(Vec::new());
    }
    let taken = match &name {
        Name::Step(_) => crate::check::steps_of(procedure).iter().any(|(id, _)| *id == to),
        Name::Input(_) => procedure.inputs.iter().any(|(id, _)| id.value.as_str() == to),
        Name::Secret(_) => procedure.secrets.iter().any(|(id, _)| id.value.as_str() == to),
    };
    if taken {
        return Err(NotRenamed::Taken(to.to_owned()));
    }
    let read = load(&procedure.source).1.into_sorted().into_iter().filter(|fault| fault.severity == Severity::Error);
    if let Some(fault) = read.chain(faults(around, &BTreeMap::new(), procedure)).next() {
        return Err(NotRenamed::Faulty(said(&fault)));
    }
    let mut edits = places(procedure, &name, around);
    for _ in 0..ROUNDS {
        let mut found = faults(around, &edited(around, &edits, to), procedure);
        let Some(fault) = found.pop() else {
            return Ok(edits.into_iter().map(|at| Edit { at, text: to.to_owned() }).collect());
        };
        // The last first, and all of them: none moves another one.
        for fault in found.into_iter().chain([fault]) {
            let place = before(&fault, &edits, to);
            let vanished = fault.code == Code::RB0104 && text_at(around, &place) == Some(old.as_str());
            if !vanished || edits.contains(&place) {
                return Err(NotRenamed::Changes(said(&fault)));
            }
            edits.push(place);
        }
        edits.sort_by(|a, b| (&a.source, a.span).cmp(&(&b.source, b.span)));
    }
    Err(NotRenamed::Changes("what is named is not found in the end".to_owned()))
}

fn said(fault: &Diagnostic) -> String {
    format!("{}: {}", fault.source, fault.message)
}

fn all(around: Around<'_>) -> impl Iterator<Item = &Procedure> {
    around.catalogue.names().flat_map(move |name| around.catalogue.versions(name))
}

fn text_at<'a>(around: Around<'a>, at: &Location) -> Option<&'a str> {
    let procedure = all(around).find(|procedure| procedure.source.name == at.source)?;
    procedure.source.text.get(at.span.start as usize..at.span.end as usize)
}

/// The texts of the procedures that change.
fn edited(around: Around, edits: &[Location], to: &str) -> BTreeMap<Arc<str>, String> {
    let mut texts = BTreeMap::new();
    for procedure in all(around) {
        let source = &procedure.source;
        let mut text = source.text.to_string();
        for edit in edits.iter().rev().filter(|edit| edit.source == source.name) {
            text.replace_range(edit.span.start as usize..edit.span.end as usize, to);
        }
        if *text != *source.text {
            texts.insert(source.name.clone(), text);
        }
    }
    texts
}

/// The errors of a procedure, and of every other one whose text changes, with these texts in the place of theirs.
fn faults(around: Around, texts: &BTreeMap<Arc<str>, String>, procedure: &Procedure) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut loaded = Vec::new();
    for (name, text) in texts {
        let (document, faults) = load(&Source::new(name.clone(), text.as_str()));
        found.extend(faults.into_sorted());
        if let Some(Document::Procedure(procedure)) = document {
            loaded.push(*procedure);
        }
    }
    let others = all(around).filter(|procedure| !texts.contains_key(&procedure.source.name));
    let catalogue = Catalogue::new(loaded.iter().chain(others), around.catalogue.workspace());
    let options = CheckOptions::default();
    let subjects = loaded.iter().chain((!texts.contains_key(&procedure.source.name)).then_some(procedure));
    found.extend(subjects.flat_map(|subject| judge(subject, &catalogue, &options).found.into_sorted()));
    found.retain(|fault| fault.severity == Severity::Error);
    found
}

/// The place of a fault in the text as it was before the edits.
fn before(fault: &Diagnostic, edits: &[Location], to: &str) -> Location {
    let (mut start, length) = (i64::from(fault.span.start), i64::from(fault.span.end) - i64::from(fault.span.start));
    for edit in edits.iter().filter(|edit| edit.source == fault.source) {
        let was = i64::from(edit.span.end) - i64::from(edit.span.start);
        // Edits are in order, so that what is before this one is as it was already.
        if i64::from(edit.span.start) < start {
            start -= i64::try_from(to.len()).unwrap_or_default() - was;
        }
    }
    let start = usize::try_from(start).unwrap_or_default();
    Location { source: fault.source.clone(), span: Span::new(start, start + usize::try_from(length).unwrap_or_default()) }
}
