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
    /// What it is the text of: behind a link, the file that the link leads to.
    file: PathBuf,
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
        let is_link = path.symlink_metadata().is_ok_and(|facts| facts.is_symlink());
        let target = if is_link { path.canonicalize().ok() } else { None };
        let file = target.unwrap_or_else(|| path.clone());
        self.open.insert(path, Text { file, text, version });
        self.forget();
        true
    }

    pub fn close(&mut self, path: &Path) {
        self.open.remove(path);
        // Closed without being saved, it is again what its file says.
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
        let home = Catalogue::home(&open.file).to_owned();
        self.untold.extend(self.open_at(&home));
    }

    /// What is open of a folder.
    fn open_at(&self, home: &Path) -> Vec<PathBuf> {
        let of_it = self.open.iter().filter(|(_, open)| Catalogue::home(&open.file) == home);
        of_it.map(|(path, _)| path.clone()).collect()
    }

    /// Puts away what is of no use any more: there is time for it now.
    pub fn tidy(&mut self) {
        self.outdated.clear();
    }

    /// The documents whose faults may be others by now.
    pub fn untold(&mut self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.untold)
    }

    fn read(&mut self, home: &Path) -> Option<()> {
        let here = self.open_at(home);
        if !self.folders.contains_key(home) {
            let catalogue = Catalogue::at_home(home).ok()?;
            self.folders.insert(home.to_owned(), Folder::new(catalogue));
            // A document may have come here from another folder, together with its workspace.
            self.stale.extend(here.iter().cloned());
        }
        let folder = self.folders.get_mut(home)?;
        let stale: Vec<&Text> =
            here.iter().filter(|path| self.stale.remove(*path)).filter_map(|path| self.open.get(path)).collect();
        if stale.is_empty() {
            return Some(());
        }
        // Where changes come without a pause, those of the last time are enough to keep.
        self.outdated.clear();
        for open in stale {
            self.outdated.extend(folder.catalogue.put(&open.file, &open.text));
        }
        (folder.kept, folder.faults) = Default::default();
        Some(())
    }

    /// An open document, as it is written now.
    pub fn page(&mut self, path: &Path) -> Option<Page<'_>> {
        let home = Catalogue::home(&self.open.get(path)?.file).to_owned();
        self.read(&home)?;
        let open = self.open.get(path)?;
        let folder = self.folders.get(&home)?;
        let (catalogue, version) = (&folder.catalogue, &open.version);
        let file = catalogue.files().iter().find(|file| file.path == open.file)?;
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
