//! What a check comes past that an editor asks for: which name stands where, and which names a field may use.
//!
//! It is noted by the check itself, so an editor says of a name what the check says of it. Only the procedure that is asked
//! about is surveyed, and none that it calls.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use super::field::{Scope, Sort};
use super::lower::Build;
use super::parsed::Parsed;
use super::procedure::Checked;
use super::tree::{Seen, Slot};
use super::{Catalogue, CheckOptions, names};
use crate::diagnostic::{Source, Span};
use crate::document::procedure::ProcedureKind;
use crate::document::{Places, Procedure, Scalar};
use crate::expr::{Reference, Type};
use crate::policy::PolicyContext;

/// Something in a procedure that has a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    Input(String),
    Step(String),
    Secret(String),
}

/// Which of the two small languages a field is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Expression,
    Text,
}

/// A field of one of the small languages.
#[derive(Clone, Debug)]
pub struct Field {
    pub scalar: Scalar,
    pub language: Language,
    /// The names that it may use, `inputs.host` or `item`, each with its type.
    pub names: Vec<(String, Type)>,
}

#[derive(Debug, Default)]
pub struct Survey {
    /// Where names stand in fields: the name alone, without what is before its dot.
    pub uses: Vec<(Name, Span)>,
    /// What each step gives.
    pub steps: BTreeMap<String, Type>,
    /// The innermost field at the place that was asked for.
    pub field: Option<Field>,
    at: Option<u32>,
    of: String,
}

#[cfg(test)]
thread_local! {
    /// How often a procedure was gone over.
    pub(crate) static SURVEYED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Goes over a procedure, and says which names a field at the byte `at` may use.
pub fn survey(procedure: &Procedure, catalogue: &Catalogue, options: &CheckOptions, at: Option<u32>) -> Survey {
    #[cfg(test)]
    SURVEYED.with(|surveyed| surveyed.set(surveyed.get() + 1));
    let survey = Survey { at, of: procedure.source.name.to_string(), ..Survey::default() };
    let mut survey = Build::new(catalogue, options, PolicyContext::default(), &mut Parsed::default()).survey(procedure, survey);
    survey.uses.sort();
    survey.uses.dedup();
    survey
}

impl Checked<'_, '_> {
    /// The survey, where this procedure is the one that it is of.
    fn survey(&mut self) -> Option<&mut Survey> {
        let name = &*self.procedure.source.name;
        self.build.survey.as_mut().filter(|survey| survey.of == name)
    }

    /// A name is used at a place.
    pub(super) fn used(&mut self, name: Name, span: Span) {
        if let Some(survey) = self.survey() {
            survey.uses.push((name, span));
        }
    }

    /// The members that a field reads of inputs and steps.
    pub(super) fn used_members<'p>(&mut self, references: &[Reference], field: &Scalar, places: &impl Deref<Target = Places<'p>>) {
        if self.survey().is_none() {
            return;
        }
        let mut steps = BTreeSet::new();
        for reference in references {
            let [root, member, ..] = reference.path.as_slice() else { continue };
            let name = match root.as_str() {
                "inputs" => Name::Input(member.clone()),
                "steps" => Name::Step(member.clone()),
                _ => continue,
            };
            let behind = reference.offset + root.len();
            let place = field.value.get(behind..).and_then(|rest| rest.find(member.as_str()));
            if let Some(start) = place.map(|place| behind + place) {
                self.used(name, places.span(start, start + member.len()));
            }
            if root == "steps" && steps.insert(member) {
                self.used_of_items(member, field, places);
            }
        }
    }

    /// Behind the name of an `each`, members of the field that are called as its inner steps are mean those: what it gives has them.
    fn used_of_items(&mut self, each: &str, field: &Scalar, places: &Places) {
        let Some(ix) = self.tree.find(each) else { return };
        let mut inside: Vec<&str> = Vec::new();
        let mut open = vec![self.tree.block(ix, Slot::Item)];
        while let Some(range) = open.pop() {
            for node in range.filter_map(|ix| self.tree.get(ix)) {
                inside.extend(node.step.id.as_ref().map(|id| id.value.as_str()));
                open.extend(node.inner());
            }
        }
        for word in inside {
            let found = field.value.match_indices(word).filter(|(at, _)| {
                let (before, behind) = (field.value.get(..*at), field.value.get(at + word.len()..));
                let member = before.is_some_and(|before| {
                    before.ends_with('.') && !before.ends_with("steps.") || before.ends_with(['"', '\'']) && before.contains('[')
                });
                member && behind.is_some_and(|behind| !behind.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
            });
            let spans: Vec<Span> = found.map(|(at, _)| places.span(at, at + word.len())).collect();
            spans.into_iter().for_each(|span| self.used(Name::Step(word.to_owned()), span));
        }
    }

    /// A field is come past.
    pub(super) fn surveyed(&mut self, scalar: &Scalar, scope: &Scope, language: Language) {
        let source = self.procedure.source.clone();
        let Some(at) = self.survey().map(|survey| survey.at) else { return };
        if language == Language::Expression {
            asked_for(scalar, &source).into_iter().for_each(|(id, span)| self.used(Name::Step(id), span));
        }
        // Of an empty field the place is where it would begin.
        if at.is_some_and(|at| scalar.span.start <= at && at <= scalar.span.end) {
            let names = self.visible(scope);
            if let Some(survey) = self.survey() {
                survey.field = Some(Field { scalar: scalar.clone(), language, names });
            }
        }
    }

    /// Every name that may be used at a place, and what it gives.
    fn visible(&self, scope: &Scope) -> Vec<(String, Type)> {
        let mut found: Vec<(String, Type)> = Vec::new();
        let mut add = |name: String, root: &str, member: Option<&str>| found.push((name, self.type_of(root, member)));
        for item in self.items.iter().rev() {
            add(item.name.to_owned(), item.name, None);
        }
        if !self.items.is_empty() {
            add("index".to_owned(), "index", None);
        }
        if scope.sort == Sort::Result {
            add("result".to_owned(), "result", None);
        }
        if scope.sort != Sort::Trigger {
            for (id, _) in &self.procedure.inputs {
                add(format!("inputs.{}", id.value), "inputs", Some(id.value.as_str()));
            }
        }
        if !matches!(scope.sort, Sort::Trigger | Sort::Lock) {
            let mut steps: Vec<(usize, &str)> = self.tree.ids().filter_map(|id| Some((self.tree.find(id)?, id))).collect();
            steps.sort_unstable();
            for (ix, id) in steps {
                if matches!(self.tree.seen(ix, scope.place), Seen::Ran | Seen::Maybe(_)) {
                    add(format!("steps.{id}"), "steps", Some(id));
                }
            }
            let known = names::RUN.iter().filter(|member| **member != "outcome" || self.in_finally(scope.place));
            known.for_each(|member| add(format!("run.{member}"), "run", Some(member)));
        }
        if scope.sort != Sort::Lock {
            add("now".to_owned(), "now", None);
            if scope.sort == Sort::Awaited || self.procedure.kind.value == ProcedureKind::Playbook {
                add("event".to_owned(), "event", None);
            }
        }
        found
    }

    /// What each step turned out to give.
    pub(super) fn types_surveyed(&mut self) {
        let known = |id: &str| Some((id.to_owned(), self.types.get(self.tree.find(id)?)?.clone()?));
        let steps: BTreeMap<String, Type> = match self.build.survey {
            Some(_) => self.tree.ids().filter_map(known).collect(),
            None => return,
        };
        if let Some(survey) = self.survey() {
            survey.steps = steps;
        }
    }
}

/// Ids of steps that a field asks for, or reads, in quotes: `"lag" in steps`, `steps["lag"]`.
fn asked_for(scalar: &Scalar, source: &Source) -> Vec<(String, Span)> {
    let text = scalar.value.as_str();
    let mut found = Vec::new();
    let places = LazyCell::new(|| scalar.places(source));
    for (at, quote) in text.match_indices(['"', '\'']) {
        let start = at + 1;
        let Some(length) = text.get(start..).and_then(|rest| rest.find(quote)) else { continue };
        let (id, behind) = (&text[start..start + length], text[start + length + 1..].trim_start());
        let behind = behind.strip_prefix('!').unwrap_or(behind);
        let asked = behind.strip_prefix("in ").is_some_and(|rest| rest.trim_start().starts_with("steps"));
        let read = text.get(..at).is_some_and(|before| before.ends_with("steps[") || before.ends_with("steps?["));
        if (asked || read) && !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            found.push((id.to_owned(), places.span(start, start + length)));
        }
    }
    found
}
