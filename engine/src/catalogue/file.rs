//! The files of a catalogue: which there are, what each holds, and which are ours.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use runbook_core::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span, nearest};
use runbook_core::document::{self, Document};
use runbook_core::limits;

use super::{CatalogueError, WORKSPACE_FILE};
use crate::beneath::{Links, open_anywhere, open_beneath, read_bounded};

/// What is looked at of a file that is too large, to see whether it is one of ours.
const HEAD_BYTES: usize = 4096;

/// The key by which a document says that it is one of ours.
const VERSION_KEY: &str = "apiVersion";

/// One file as it was read.
#[derive(Clone, Debug)]
pub struct File {
    pub path: PathBuf,
    /// Its name is the path below the root.
    pub source: Source,
    pub document: Option<Document>,
    /// What reading it found.
    pub found: Vec<Diagnostic>,
    /// The source has the text of the file as it is: it was not too large, and is UTF-8.
    pub is_whole: bool,
    /// Of the file as it was read; of a text that came from elsewhere there is none.
    pub(super) stamp: Option<Stamp>,
}

/// What shows that a file has changed, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: (i64, i64),
    bytes: u64,
    inode: u64,
}

impl Stamp {
    pub(super) fn of(facts: &std::fs::Metadata) -> Stamp {
        Stamp { modified: (facts.mtime(), facts.mtime_nsec()), bytes: facts.len(), inode: facts.ino() }
    }
}

impl File {
    pub(super) fn read(root: &Path, path: &Path) -> Result<File, CatalogueError> {
        let unreadable = |why: std::io::Error| CatalogueError::Unreadable { path: path.to_owned(), why: why.to_string() };
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
        // What was a file when the folder was listed may be something else by now.
        let opened = match path.strip_prefix(root) {
            Ok(name) => open_beneath(root, name, Links::None),
            Err(_) => open_anywhere(path),
        };
        let opened = opened.map_err(unreadable)?;
        let facts = opened.metadata().map_err(unreadable)?;
        let (size, stamp) = (facts.len(), Some(Stamp::of(&facts)));
        let mut bytes = Vec::new();
        if read_bounded(opened, limits::DOCUMENT_BYTES, &mut bytes).map_err(unreadable)?.is_none() {
            // Its beginning says whose it is.
            let head = bytes.get(..HEAD_BYTES).unwrap_or(&bytes);
            let source = Source::new(name, String::from_utf8_lossy(head).into_owned());
            let message = format!("the file has {size} bytes and at most {} are read", limits::DOCUMENT_BYTES);
            let found = vec![Diagnostic::new(Code::RB0003, &source, Span::default(), message)];
            return Ok(File { path: path.to_owned(), source, document: None, found, is_whole: false, stamp });
        }
        Ok(File { stamp, ..File::of(path, name, bytes) })
    }

    pub(super) fn of(path: &Path, name: String, bytes: Vec<u8>) -> File {
        let (source, document, found, is_whole) = match String::from_utf8(bytes) {
            Ok(text) => {
                let source = Source::new(name, text);
                let (document, found) =
                    if is_ours(&source.text) { document::load(&source) } else { (None, Diagnostics::default()) };
                (source, document, found.into_sorted(), true)
            }
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let source = Source::new(name, String::from_utf8_lossy(error.as_bytes()).into_owned());
                let diagnostic = Diagnostic::new(Code::RB0026, &source, Span::new(at, at), "the file is not UTF-8");
                (source, None, vec![diagnostic], false)
            }
        };
        File { path: path.to_owned(), source, document, found, is_whole, stamp: None }
    }

    /// Whether it says that it is a document of ours.
    pub fn is_ours(&self) -> bool {
        is_ours(&self.source.text)
    }

    pub(super) fn belongs(&self) -> bool {
        self.document.is_some() || is_ours(&self.source.text) || self.is_workspace_file() || self.is_calendar()
    }

    pub(super) fn is_calendar(&self) -> bool {
        is_calendar(Path::new(&*self.source.name))
    }

    pub(super) fn is_workspace_file(&self) -> bool {
        &*self.source.name == WORKSPACE_FILE
    }

    pub(super) fn is_at_root(&self) -> bool {
        !self.source.name.contains('/')
    }
}

/// Whether a text means to be one of our documents: a line that begins with the key says so, quoted or not, also where the key is misspelt.
/// Only what a document begins with may stand further in or in braces: a text within another document is none of ours.
pub(super) fn is_ours(text: &str) -> bool {
    let begins =
        |line: &&str| !matches!(line.trim_start().chars().next(), None | Some('#' | '%' | '{')) && !line.starts_with("---");
    let head = text.lines().map(bare).take_while(|line| !begins(line)).chain(text.lines().map(bare).find(begins));
    text.lines().map(bare).chain(head.map(|line| line.trim_start_matches(['{', ' ']))).any(says_ours)
}

fn bare(line: &str) -> &str {
    line.trim_start_matches('\u{feff}')
}

fn says_ours(line: &str) -> bool {
    let quotes = ['"', '\''];
    let Some((key, value)) = line.split_once(':') else { return false };
    if line.starts_with(char::is_whitespace) || !value.trim_start().trim_start_matches(quotes).starts_with("runbook") {
        return false;
    }
    let key = key.trim_end().trim_matches(quotes);
    let is_key = key.starts_with(|c: char| c.is_ascii_alphabetic()) && !key.contains(char::is_whitespace);
    is_key && (key == VERSION_KEY || nearest(key, [VERSION_KEY]).is_some())
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Whether rotations may be kept in it.
fn is_calendar(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "ics")
}

fn walk(dir: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), CatalogueError> {
    if depth > limits::CATALOGUE_DEPTH || paths.len() > limits::CATALOGUE_FILES {
        return Ok(());
    }
    for (path, is_dir) in entries(dir)? {
        if is_dir && !path.join(WORKSPACE_FILE).is_file() {
            walk(&path, depth + 1, paths)?;
        } else if !is_dir && (is_yaml(&path) || is_calendar(&path)) {
            paths.push(path);
        }
    }
    Ok(())
}

/// The files that may belong to a catalogue, in the order of their names. Where it is not `deep`, those of one folder alone: what a
/// file that stands outside any workspace can call.
pub(super) fn listed(root: &Path, deep: bool) -> Result<Vec<PathBuf>, CatalogueError> {
    let mut paths = Vec::new();
    if deep {
        walk(root, 0, &mut paths)?;
    } else {
        paths.extend(
            entries(root)?
                .into_iter()
                .filter(|(path, is_dir)| !is_dir && (is_yaml(path) || is_calendar(path)))
                .map(|(path, _)| path),
        );
    }
    paths.sort();
    Ok(paths)
}

/// Files and folders that are neither hidden nor links.
fn entries(dir: &Path) -> Result<Vec<(PathBuf, bool)>, CatalogueError> {
    let unreadable = |why: std::io::Error| CatalogueError::Unreadable { path: dir.to_owned(), why: why.to_string() };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.file_type().map_err(unreadable)?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && (kind.is_dir() || kind.is_file()) {
            found.push((entry.path(), kind.is_dir()));
        }
    }
    Ok(found)
}
