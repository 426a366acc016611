//! What stands at a place, where that is declared, and where else it is named.

use std::collections::HashMap;

use super::outline::{self, Seen, inside, text_of};
use super::{Around, Location};
use crate::check::steps_of;
use crate::check::survey::Name;
use crate::diagnostic::{Source, Span};
use crate::document::test::Test;
use crate::document::{Document, NodeKind, Procedure, Step, Verb};
use crate::vocabulary::{Names, Referent, Type};

/// Something that is declared somewhere.
pub(super) enum Target<'a> {
    /// Of a procedure.
    Of(&'a Procedure, Name),
    Procedure(&'a Procedure),
    /// Of the workspace: under one of these keys, by its name.
    Workspace(&'static [&'static str], String),
}

/// An open document with what it stands among.
pub(super) struct Open<'a> {
    pub source: &'a Source,
    pub around: Around<'a>,
    pub procedure: Option<&'a Procedure>,
    pub test: Option<&'a Test>,
}

/// Where what is named at a place is declared.
pub fn definition(source: &Source, at: u32, around: Around) -> Option<Location> {
    let open = Open::new(source, around.document, around);
    let (target, _) = open.target(at)?;
    open.declared(&target)
}

/// Every place where what is named at a place is named, the declaration among them.
pub fn references(source: &Source, at: u32, around: Around) -> Vec<Location> {
    let open = Open::new(source, around.document, around);
    let Some((target, _)) = open.target(at) else { return Vec::new() };
    let Target::Of(procedure, name) = &target else { return open.declared(&target).into_iter().collect() };
    places(procedure, name, around)
}

impl<'a> Open<'a> {
    pub fn new(source: &'a Source, document: Option<&'a Document>, around: Around<'a>) -> Open<'a> {
        let (procedure, test) = match document {
            Some(Document::Procedure(procedure)) => (Some(&**procedure), None),
            Some(Document::Test(test)) => (None, Some(&**test)),
            _ => (None, None),
        };
        Open { source, around, procedure, test }
    }

    /// The procedure whose steps this document names: itself, or what a test is of.
    pub fn subject(&self) -> Option<&'a Procedure> {
        self.procedure.or_else(|| self.around.tested(self.test?))
    }

    /// What is named at a place, and where exactly its name stands.
    pub fn target(&self, at: u32) -> Option<(Target<'a>, Span)> {
        if let Some(procedure) = self.procedure {
            let found = self.around.survey(procedure);
            let within = |span: &Span| span.start <= at && at <= span.end;
            if let Some((name, span)) = found.uses.iter().find(|(_, span)| within(span)) {
                return Some((Target::Of(procedure, name.clone()), *span));
            }
        }
        let root = self.around.tree(self.source)?;
        let seen = outline::at(&root, at)?;
        let text = seen.scalar().value.clone();
        let span = inside(seen.scalar(), self.source);
        let target = match seen {
            Seen::Value { of: Type::Id, key: Some(key), .. } if key.name == "id" => Target::Of(self.procedure?, Name::Step(text)),
            Seen::Value { of: Type::Refers(referent), .. } => return self.referent(*referent, text, span, at),
            Seen::Value { key: Some(key), .. } if key.name == "name" => self.declared_here(&text)?,
            Seen::Name { names: Names::Steps, .. } => return self.referent(Referent::TestedStep, text, span, at),
            Seen::Name { names: Names::Inputs, beside, .. } => match text_of(beside, "call") {
                Some(call) => Target::Of(self.around.called(call)?, Name::Input(text)),
                None => Target::Of(self.subject()?, Name::Input(text)),
            },
            Seen::Name { names: Names::Ids, scalar, .. } => {
                let procedure = self.procedure?;
                let is_here = |span: Span| span == scalar.span;
                if procedure.inputs.iter().any(|(id, _)| is_here(id.span)) {
                    Target::Of(procedure, Name::Input(text))
                } else if procedure.secrets.iter().any(|(id, _)| is_here(id.span)) {
                    Target::Of(procedure, Name::Secret(text))
                } else {
                    return None;
                }
            }
            _ => return None,
        };
        Some((target, span))
    }

    fn declared_here(&self, name: &str) -> Option<Target<'a>> {
        self.procedure.filter(|procedure| procedure.name.value.as_str() == name).map(Target::Procedure)
    }

    fn referent(&self, referent: Referent, text: String, span: Span, at: u32) -> Option<(Target<'a>, Span)> {
        let target = match referent {
            Referent::Step => Target::Of(self.procedure?, Name::Step(text)),
            Referent::TestedStep => {
                let mut calls = Calls::new(self.around);
                let parts = calls.parts(self.subject()?, &text, span);
                let (procedure, id, span) = parts.into_iter().find(|(.., span)| at <= span.end)?;
                return Some((Target::Of(procedure, Name::Step(id.to_owned())), span));
            }
            Referent::Procedure => Target::Procedure(self.around.called(&text)?),
            Referent::Person => Target::Workspace(&["people"], text),
            Referent::People => Target::Workspace(&["people", "groups"], text),
            Referent::Asked => Target::Workspace(&["people", "groups", "rotations"], text),
            Referent::Channel => Target::Workspace(&["channels"], text),
            Referent::Escalation => Target::Workspace(&["escalations"], text),
            Referent::Environment => Target::Workspace(&["environments"], text),
            Referent::Provider => Target::Workspace(&["secrets"], text),
            Referent::Source => Target::Workspace(&["sources"], text),
        };
        Some((target, span))
    }

    pub fn declared(&self, target: &Target<'a>) -> Option<Location> {
        match target {
            Target::Of(procedure, name) => {
                declared(procedure, name, self.around).map(|span| Location::new(&procedure.source, span))
            }
            Target::Procedure(procedure) => Some(Location::new(&procedure.source, procedure.name.span)),
            Target::Workspace(keys, name) => {
                let workspace = self.around.catalogue.workspace()?;
                let root = self.around.tree(&workspace.source)?;
                let NodeKind::Map(top) = &root.kind else { return None };
                let lists = top.iter().filter(|(key, _)| keys.contains(&key.value.as_str()));
                let names = lists.filter_map(|(_, node)| match &node.kind {
                    NodeKind::Map(entries) => entries.iter().find(|(key, _)| key.value == *name),
                    _ => None,
                });
                let span = names.map(|(key, _)| key.span).next()?;
                Some(Location::new(&workspace.source, span))
            }
        }
    }
}

/// Where a name of a procedure is declared.
fn declared(procedure: &Procedure, name: &Name, around: Around) -> Option<Span> {
    match name {
        Name::Input(name) => procedure.inputs.iter().find(|(id, _)| id.value.as_str() == name).map(|(id, _)| id.span),
        Name::Secret(name) => procedure.secrets.iter().find(|(id, _)| id.value.as_str() == name).map(|(id, _)| id.span),
        Name::Step(name) => {
            let root = around.tree(&procedure.source)?;
            let mut found = None;
            outline::visit(&root, |seen| {
                if let Seen::Value { of: Type::Id, key: Some(key), scalar } = seen
                    && key.name == "id"
                    && scalar.value == *name
                {
                    found = found.or(Some(inside(scalar, &procedure.source)));
                }
            });
            found
        }
    }
}

/// Every place that names this of a procedure: in itself, in those that call it, and in tests.
pub(super) fn places(procedure: &Procedure, name: &Name, around: Around) -> Vec<Location> {
    let mut found: Vec<Location> =
        declared(procedure, name, around).map(|span| Location::new(&procedure.source, span)).into_iter().collect();
    let survey = around.survey(procedure);
    found.extend(survey.uses.iter().filter(|(used, _)| used == name).map(|(_, span)| Location::new(&procedure.source, *span)));
    let mut add = |source: &Source, span: Span| found.push(Location::new(source, span));
    if let (Name::Step(id), Some(root)) = (name, around.tree(&procedure.source)) {
        outline::visit(&root, |seen| {
            if let Seen::Value { of: Type::Refers(Referent::Step), scalar, .. } = seen
                && scalar.value == *id
            {
                add(&procedure.source, inside(scalar, &procedure.source));
            }
        });
    }
    let mut calls = Calls::new(around);
    for test in around.tests {
        let (Some(subject), Some(root)) = (around.tested(test), around.tree(&test.source)) else { continue };
        outline::visit(&root, |seen| match (seen, name) {
            (Seen::Name { names: Names::Steps, scalar, .. }, Name::Step(id))
            | (Seen::Value { of: Type::Refers(Referent::TestedStep), scalar, .. }, Name::Step(id)) => {
                let span = inside(scalar, &test.source);
                for (of, part, span) in calls.parts(subject, &scalar.value, span) {
                    if part == id && is_same(of, procedure) {
                        add(&test.source, span);
                    }
                }
            }
            (Seen::Name { names: Names::Inputs, scalar, .. }, Name::Input(id))
                if is_same(subject, procedure) && scalar.value == *id =>
            {
                add(&test.source, inside(scalar, &test.source));
            }
            _ => {}
        });
    }
    if let Name::Input(id) = name {
        for caller in around.catalogue.names().flat_map(|name| around.catalogue.versions(name)) {
            let names_it = caller.source.text.contains(procedure.name.value.as_str());
            let Some(root) = names_it.then(|| around.tree(&caller.source)).flatten() else { continue };
            outline::visit(&root, |seen| {
                if let Seen::Name { names: Names::Inputs, scalar, beside } = seen
                    && scalar.value == *id
                    && text_of(beside, "call").and_then(|call| around.called(call)).is_some_and(|of| is_same(of, procedure))
                {
                    add(&caller.source, inside(scalar, &caller.source));
                }
            });
        }
    }
    found.sort_by(|a, b| (&a.source, a.span).cmp(&(&b.source, b.span)));
    found.dedup();
    found
}

pub(super) fn is_same(a: &Procedure, b: &Procedure) -> bool {
    a.source.name == b.source.name
}

/// Which steps of which procedures call which, each procedure looked at once.
struct Calls<'a> {
    around: Around<'a>,
    known: HashMap<&'a str, HashMap<&'a str, &'a str>>,
}

impl<'a> Calls<'a> {
    fn new(around: Around<'a>) -> Calls<'a> {
        Calls { around, known: HashMap::new() }
    }

    /// The ids in what a test calls a step, `rebuild/copy[1]~undo`, each with the procedure whose step it is and its place.
    fn parts<'t>(&mut self, subject: &'a Procedure, text: &'t str, span: Span) -> Vec<(&'a Procedure, &'t str, Span)> {
        let mut found = Vec::new();
        let (mut procedure, mut start) = (subject, span.start as usize);
        for part in text.split('/') {
            let id = part.split(['[', '~', '.']).next().unwrap_or_default();
            found.push((procedure, id, Span::new(start, start + id.len())));
            start += part.len() + 1;
            if let Some(called) = self.by(procedure, id).and_then(|call| self.around.called(call)) {
                procedure = called;
            }
        }
        found
    }

    /// What the step with this id calls, where it does.
    fn by(&mut self, procedure: &'a Procedure, id: &str) -> Option<&'a str> {
        let calls = |(id, step): (&'a str, &'a Step)| match &step.verb.value {
            Verb::Call(call) => Some((id, call.procedure.value.as_str())),
            _ => None,
        };
        let known = self.known.entry(&procedure.source.name);
        known.or_insert_with(|| steps_of(procedure).into_iter().filter_map(calls).collect()).get(id).copied()
    }
}
