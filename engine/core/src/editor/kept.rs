//! What was found out of documents, kept for as long as neither they nor what they stand among are others: what several questions need
//! is read once for each version.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::Around;
use super::outline;
use crate::check::CheckOptions;
use crate::check::survey::{Field, Survey, survey};
use crate::diagnostic::Source;
use crate::document::{Node, Procedure};

/// Of documents by the names of their sources. Whoever changes one of them begins anew.
#[derive(Default)]
pub struct Kept {
    surveys: RefCell<HashMap<Arc<str>, Rc<Survey>>>,
    fields: RefCell<HashMap<Arc<str>, Vec<Rc<Field>>>>,
    trees: RefCell<HashMap<Arc<str>, Option<Rc<Node>>>>,
}

impl Around<'_> {
    /// Which names stand where in a procedure, and what its steps give.
    pub(super) fn survey(&self, procedure: &Procedure) -> Rc<Survey> {
        let name = &procedure.source.name;
        if let Some(known) = self.kept.surveys.borrow().get(name) {
            return known.clone();
        }
        let found = Rc::new(survey(procedure, self.catalogue, &CheckOptions::default(), None));
        self.kept.surveys.borrow_mut().insert(name.clone(), found.clone());
        found
    }

    /// The field of a small language at a byte of a procedure, with the names that it may use.
    pub(super) fn field(&self, procedure: &Procedure, at: u32) -> Option<Rc<Field>> {
        let name = &procedure.source.name;
        let within = |field: &&Rc<Field>| field.scalar.span.start < at && at < field.scalar.span.end;
        if let Some(known) = self.kept.fields.borrow().get(name).and_then(|fields| fields.iter().find(within)) {
            return Some(known.clone());
        }
        let found = Rc::new(survey(procedure, self.catalogue, &CheckOptions::default(), Some(at)).field?);
        self.kept.fields.borrow_mut().entry(name.clone()).or_default().push(found.clone());
        Some(found)
    }

    /// A document as a tree of its nodes.
    pub(super) fn tree(&self, source: &Source) -> Option<Rc<Node>> {
        if let Some(known) = self.kept.trees.borrow().get(&source.name) {
            return known.clone();
        }
        let tree = outline::tree(source).map(Rc::new);
        self.kept.trees.borrow_mut().insert(source.name.clone(), tree.clone());
        tree
    }
}
