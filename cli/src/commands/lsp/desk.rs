//! The documents that an editor has open, in the folders that they stand in. A text is read when something is asked of it, not with
//! each keystroke.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use runbook_core::check::{Catalogue as Procedures, Parsed};
use runbook_core::diagnostic::{Diagnostic, Source};
use runbook_core::document::Document;
use runbook_core::document::test::Test;
use runbook_core::editor::{Around, Kept, Lines, Point};
use runbook_core::limits;
use runbook_engine::catalogue::{Catalogue, File};
use serde_json::Value;

use super::say;
use crate::commands::check;
use crate::settings::Settings;

#[derive(Default)]
pub struct Desk {
    /// What is open, by the paths that the editor gave.
    open: BTreeMap<PathBuf, Text>,
    /// The folders that open documents stand in, as they were read, by their roots.
    folders: BTreeMap<PathBuf, Folder>,
    /// Open documents whose text is another one than that of their folder.
    stale: BTreeSet<PathBuf>,
    /// Open documents whose faults are to be told.
    untold: BTreeSet<PathBuf>,
    /// What was read of texts that are others by now. To take a large document apart takes time that nobody should wait for.
    outdated: Vec<File>,
}

/// A folder, and what was found out of its files as they are.
struct Folder {
    catalogue: Catalogue,
    kept: Kept,
    /// By the names of files.
    faults: RefCell<BTreeMap<Arc<str>, Rc<[Diagnostic]>>>,
    /// By the names of files, of the last time that their faults were looked for.
    parsed: RefCell<BTreeMap<Arc<str>, Parsed>>,
}

impl Folder {
    fn new(catalogue: Catalogue) -> Folder {
        Folder { catalogue, kept: Kept::default(), faults: RefCell::default(), parsed: RefCell::default() }
    }
}

/// A text, and the number that the editor gave this version of it.
struct Text {
    text: String,
    version: Value,
}

/// An open document, and the folder it stands in.
pub struct Page<'d> {
    pub version: &'d Value,
    pub catalogue: &'d Catalogue,
    pub source: &'d Source,
    document: Option<&'d Document>,
    folder: &'d Folder,
    /// Whether it is a document of ours, or is about to become one.
    pub is_ours: bool,
}

impl Desk {
    /// A document is opened; false where there are too many.
    pub fn open(&mut self, path: PathBuf, text: String, version: Value) -> bool {
        if self.open.len() >= limits::EDITOR_DOCUMENTS {
            return false;
        }
        // Files may have come and gone since the folder was read.
        self.folders.remove(Catalogue::home(&path));
        self.open.insert(path, Text { text, version });
        self.forget();
        true
    }

    pub fn close(&mut self, path: &Path) {
        self.open.remove(path);
        self.untold.remove(path);
        self.folders.remove(Catalogue::home(path));
        self.forget();
    }

    /// Files outside of the editor may be others now.
    pub fn forget(&mut self) {
        self.folders.clear();
        self.stale = self.open.keys().cloned().collect();
        self.untold = self.stale.clone();
    }

    /// Whether what is written in an open document is another text than that of its file.
    pub fn is_unsaved(&self, path: &Path) -> bool {
        self.open.get(path).is_some_and(|open| std::fs::read(path).is_ok_and(|saved| saved != open.text.as_bytes()))
    }

    /// Applies what was typed, in the order in which it was. A change without a range is the whole text.
    pub fn change(&mut self, path: &Path, changes: &[Value], version: &Value) {
        let Some(open) = self.open.get_mut(path) else { return };
        open.version = version.clone();
        let text = &mut open.text;
        for change in changes {
            let Some(new) = change["text"].as_str() else { continue };
            let range = change.get("range").filter(|range| !range.is_null()).and_then(say::range_of);
            match range {
                Some((from, to)) => {
                    let lines = Lines::new(text);
                    let (from, to) = (lines.offset(from) as usize, lines.offset(to) as usize);
                    text.replace_range(from.min(to)..from.max(to), new);
                }
                None => *text = new.to_owned(),
            }
        }
        self.stale.insert(path.to_owned());
        // Whoever calls what is being written may have other faults now.
        let home = Catalogue::home(path).to_owned();
        self.untold.extend(self.open.keys().filter(|other| Catalogue::home(other) == home).cloned());
    }

    /// Puts away what is of no use any more: there is time for it now.
    pub fn tidy(&mut self) {
        self.outdated.clear();
    }

    /// The documents whose faults may be others by now.
    pub fn untold(&mut self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.untold)
    }

    fn read(&mut self, path: &Path) -> Option<()> {
        let home = Catalogue::home(path);
        if !self.folders.contains_key(home) {
            let catalogue = Catalogue::at_home(home).ok()?;
            self.folders.insert(home.to_owned(), Folder::new(catalogue));
        }
        let folder = self.folders.get_mut(home)?;
        // Where changes come without a pause, that of the last one is enough to keep.
        self.outdated.clear();
        let stale = self.stale.iter().filter(|path| Catalogue::home(path) == home).cloned().collect::<Vec<_>>();
        for path in stale {
            if let Some(open) = self.open.get(&path) {
                self.outdated.extend(folder.catalogue.put(&path, &open.text));
                (folder.kept, folder.faults) = Default::default();
            }
            self.stale.remove(&path);
        }
        Some(())
    }

    /// An open document, as it is written now.
    pub fn page(&mut self, path: &Path) -> Option<Page<'_>> {
        if !self.open.contains_key(path) {
            return None;
        }
        self.read(path)?;
        let version = &self.open.get(path)?.version;
        let folder = self.folders.get(Catalogue::home(path))?;
        let catalogue = &folder.catalogue;
        let file = catalogue.files().iter().find(|file| file.path == path)?;
        // In a folder with a workspace, a file that does not say yet what it is.
        let begins = catalogue.workspace().is_some() && !file.source.text.contains("apiVersion:");
        let document = file.document.as_ref();
        Some(Page { version, catalogue, source: &file.source, document, folder, is_ours: file.is_ours() || begins })
    }
}

impl Page<'_> {
    /// The byte at a place.
    pub fn offset(&self, point: Point) -> u32 {
        Lines::new(&self.source.text).offset(point)
    }

    /// What `runbook check` says of it, in this environment of the workspace.
    pub fn faults(&self, settings: &Settings) -> Rc<[Diagnostic]> {
        if let Some(known) = self.folder.faults.borrow().get(&self.source.name) {
            return known.clone();
        }
        let options = check::options(settings.environment.value.clone());
        let mut parsed = self.folder.parsed.borrow_mut();
        let parsed = parsed.entry(self.source.name.clone()).or_default();
        let found: Rc<[Diagnostic]> = self.catalogue.check_file(&self.source.name, &options, parsed).into();
        self.folder.faults.borrow_mut().insert(self.source.name.clone(), found.clone());
        found
    }

    /// Asks something of the document and of all around it.
    pub fn ask<T>(&self, question: impl FnOnce(&Source, Around) -> T) -> T {
        let procedures = Procedures::new(self.catalogue.procedures(), self.catalogue.workspace());
        let tests: Vec<&Test> = self.catalogue.tests().collect();
        let around = Around { document: self.document, catalogue: &procedures, tests: &tests, kept: &self.folder.kept };
        question(self.source, around)
    }

    /// The file of a source, and its text.
    pub fn file(&self, name: &Arc<str>) -> Option<(&Path, &Source)> {
        let file = self.catalogue.files().iter().find(|file| file.source.name == *name)?;
        Some((&file.path, &file.source))
    }
}
