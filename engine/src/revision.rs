//! A catalogue as a revision of a git repository has it: read from the repository, with nothing checked out, and with `git` itself,
//! so that every form of a revision that people know is understood.
//!
//! Only names and contents are asked for (`ls-tree`, `cat-file`): nothing that a repository configures is run.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use runbook_core::limits;

use crate::catalogue::{Catalogue, WORKSPACE_FILE};
use crate::program::{Invocation, Terminal};

/// Contents that are asked for at once.
const BATCH: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevisionError {
    #[error("`git` cannot be asked: {0}")]
    Git(String),
    #[error("{} stands in no git repository", .0.display())]
    NoRepository(PathBuf),
    #[error("the repository has no revision `{0}`")]
    NoRevision(String),
    #[error("revision `{revision}` has no file `{path}`")]
    NoFile { revision: String, path: String },
    #[error("the history that is here is cut off (a shallow clone) before the place where this branch and `{0}` parted")]
    Shallow(String),
    #[error("`{path}` has {size} bytes in revision `{revision}`, and at most {} are read", limits::DOCUMENT_BYTES)]
    TooLarge { revision: String, path: String, size: u64 },
    #[error("revision `{revision}` has more than {} files of procedures below `{folder}`", limits::CATALOGUE_FILES)]
    TooMany { revision: String, folder: String },
}

/// A file of a revision, in the catalogue that it stands in there.
#[derive(Debug)]
pub struct Revision {
    pub catalogue: Catalogue,
    /// The file's name in the catalogue.
    pub file: String,
}

/// A blob of a revision's tree.
struct Blob {
    /// Below the top of the repository.
    path: String,
    id: String,
    size: u64,
}

impl Blob {
    fn fits(&self) -> bool {
        usize::try_from(self.size).is_ok_and(|size| size <= limits::DOCUMENT_BYTES)
    }
}

/// The repository that a folder stands in.
pub struct Repository {
    top: PathBuf,
    /// The folder's own path below the top, with a `/` at its end.
    prefix: String,
}

impl Repository {
    pub fn around(folder: &Path) -> Result<Repository, RevisionError> {
        let none = || RevisionError::NoRepository(folder.to_owned());
        let text = git(folder, ["rev-parse", "--show-toplevel", "--show-prefix"], b"")?.ok_or_else(none)?;
        let text = String::from_utf8(text).map_err(|_| none())?;
        let mut lines = text.split('\n');
        let (Some(top), Some(prefix)) = (lines.next(), lines.next()) else { return Err(none()) };
        Ok(Repository { top: PathBuf::from(top), prefix: prefix.to_owned() })
    }

    /// The folder's own path below the top, with a `/` at its end; empty at the top.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A path below the top, as it is from the folder.
    pub fn from_here(&self, path: &str) -> String {
        format!("{}{path}", "../".repeat(self.prefix.matches('/').count()))
    }

    /// A file by its path below the top, or, where it begins with `./` or `../`, from the folder on.
    pub fn at(&self, revision: &str, path: &str) -> Result<Revision, RevisionError> {
        let no_file = || RevisionError::NoFile { revision: revision.to_owned(), path: path.to_owned() };
        let path = self.path_below(path).ok_or_else(no_file)?;
        let blobs = self.blobs(revision)?;
        let Some(blob) = blobs.iter().find(|blob| blob.path == path) else { return Err(no_file()) };
        if !blob.fits() {
            return Err(RevisionError::TooLarge { revision: revision.to_owned(), path, size: blob.size });
        }
        let parent = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        // As for files on the disk: the nearest workspace upward, else the file's own folder.
        let folders = workspaces(&blobs);
        let root = ancestors(parent).find(|folder| folders.contains(folder));
        let inside = |blob: &Blob| match root {
            Some(root) => blob.path == path || belongs(&folders, root, &blob.path),
            None => below(parent, &blob.path).is_some_and(|name| !name.contains('/')),
        };
        let root = root.unwrap_or(parent);
        let catalogue = self.catalogue(revision, root, blobs.iter().filter(|blob| inside(blob)))?;
        let file = below(root, &path).ok_or_else(no_file)?.to_owned();
        Ok(Revision { catalogue, file })
    }

    /// A folder's catalogue, without files where the revision has no such folder.
    pub fn folder(&self, revision: &str, folder: &Path) -> Result<Catalogue, RevisionError> {
        let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let root = match full.strip_prefix(&self.top) {
            Ok(root) => root.to_string_lossy().into_owned(),
            Err(_) => return Err(RevisionError::NoRepository(folder.to_owned())),
        };
        let blobs = self.blobs(revision)?;
        let folders = workspaces(&blobs);
        self.catalogue(revision, &root, blobs.iter().filter(|blob| belongs(&folders, &root, &blob.path)))
    }

    /// Where what is checked out and a revision parted; the revision itself where it has not gone on since, or they have nothing in
    /// common.
    pub fn parting(&self, revision: &str) -> Result<String, RevisionError> {
        let unknown = || RevisionError::NoRevision(revision.to_owned());
        let commit = format!("{revision}^{{commit}}");
        let commit = git(&self.top, ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit], b"")?.ok_or_else(unknown)?;
        let commit = String::from_utf8(commit).map_err(|_| unknown())?;
        let base = git(&self.top, ["merge-base", commit.trim(), "HEAD"], b"")?;
        // What the other side has done since would be told as undone by this one.
        if base.is_none()
            && git(&self.top, ["rev-parse", "--is-shallow-repository"], b"")?.is_some_and(|said| said.starts_with(b"true"))
        {
            return Err(RevisionError::Shallow(revision.to_owned()));
        }
        let base = base.and_then(|base| String::from_utf8(base).ok()).filter(|base| *base != commit);
        Ok(base.map_or_else(|| revision.to_owned(), |base| base.trim().to_owned()))
    }

    fn catalogue<'b>(&self, revision: &str, root: &str, blobs: impl Iterator<Item = &'b Blob>) -> Result<Catalogue, RevisionError> {
        let chosen: Vec<&Blob> = blobs.filter(|blob| blob.fits()).collect();
        if chosen.len() > limits::CATALOGUE_FILES {
            return Err(RevisionError::TooMany { revision: revision.to_owned(), folder: root.to_owned() });
        }
        let contents = self.contents(&chosen)?;
        let named = chosen.iter().zip(contents).filter_map(|(blob, bytes)| Some((below(root, &blob.path)?.to_owned(), bytes)));
        Ok(Catalogue::of_contents(&self.top.join(root), named))
    }

    /// A path below the top, without `.` and `..`; absent where it leads out.
    fn path_below(&self, path: &str) -> Option<String> {
        let from_here = path.starts_with("./") || path.starts_with("../");
        let mut parts: Vec<&str> = if from_here { self.prefix.split('/').filter(|p| !p.is_empty()).collect() } else { Vec::new() };
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()?),
                part => parts.push(part),
            }
        }
        (!parts.is_empty()).then(|| parts.join("/"))
    }

    /// Every YAML file of a revision that is no link and stands in no hidden folder.
    fn blobs(&self, revision: &str) -> Result<Vec<Blob>, RevisionError> {
        let unknown = || RevisionError::NoRevision(revision.to_owned());
        let tree = format!("{revision}^{{tree}}");
        let id = git(&self.top, ["rev-parse", "--verify", "--quiet", "--end-of-options", &tree], b"")?.ok_or_else(unknown)?;
        let id = String::from_utf8(id).map_err(|_| unknown())?;
        let list = git(&self.top, ["ls-tree", "-r", "-l", "-z", "--full-tree", id.trim()], b"")?.ok_or_else(unknown)?;
        let blobs = list.split(|byte| *byte == 0).filter_map(|entry| {
            let (facts, path) = std::str::from_utf8(entry).ok()?.split_once('\t')?;
            let mut facts = facts.split_whitespace();
            let (mode, kind, id, size) = (facts.next()?, facts.next()?, facts.next()?, facts.next()?);
            let is_file = kind == "blob" && mode != "120000";
            let is_ours = [".yaml", ".yml", ".ics"].iter().any(|end| path.ends_with(end))
                && !path.split('/').any(|part| part.starts_with('.'));
            (is_file && is_ours).then(|| Blob { path: path.to_owned(), id: id.to_owned(), size: size.parse().unwrap_or(u64::MAX) })
        });
        Ok(blobs.collect())
    }

    /// What the blobs hold, in their order.
    fn contents(&self, blobs: &[&Blob]) -> Result<Vec<Vec<u8>>, RevisionError> {
        let mut contents = Vec::with_capacity(blobs.len());
        for batch in blobs.chunks(BATCH) {
            let asked: String = batch.iter().map(|blob| format!("{}\n", blob.id)).collect();
            let answer = git(&self.top, ["cat-file", "--batch"], asked.as_bytes())?.unwrap_or_default();
            let mut rest = answer.as_slice();
            for blob in batch {
                let (bytes, behind) = content(rest).ok_or_else(|| RevisionError::Git(format!("it does not give {}", blob.path)))?;
                contents.push(bytes.to_vec());
                rest = behind;
            }
        }
        Ok(contents)
    }
}

/// The folders that have a workspace.
fn workspaces(blobs: &[Blob]) -> BTreeSet<&str> {
    blobs.iter().filter_map(|blob| workspace_of(&blob.path)).collect()
}

/// Whether a file is part of the catalogue of `root`, and not of one inside it.
fn belongs(folders: &BTreeSet<&str>, root: &str, path: &str) -> bool {
    let Some(name) = below(root, path) else { return false };
    let inside = ancestors(name.rsplit_once('/').map_or("", |(folder, _)| folder)).filter(|folder| !folder.is_empty());
    inside.map(|folder| join(root, folder)).all(|folder| !folders.contains(folder.as_str()))
}

/// The folder that a file makes a catalogue.
fn workspace_of(path: &str) -> Option<&str> {
    match path.rsplit_once('/') {
        Some((folder, WORKSPACE_FILE)) => Some(folder),
        None if path == WORKSPACE_FILE => Some(""),
        _ => None,
    }
}

/// A folder and those above it, up to the top, which is empty.
fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| match folder.rsplit_once('/') {
        Some((above, _)) => Some(above),
        None if folder.is_empty() => None,
        None => Some(""),
    })
}

fn below<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// One answer of `cat-file --batch`: `<id> blob <size>`, the bytes, and a line's end; and what follows.
fn content(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let size: usize = head.rsplit_once(' ')?.1.parse().ok()?;
    let body = answer.get(end + 1..)?;
    Some((body.get(..size)?, body.get(size + 1..)?))
}

/// What `git` says; absent where it says no.
fn git<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>, input: &[u8]) -> Result<Option<Vec<u8>>, RevisionError> {
    let finished = Invocation {
        program: OsStr::new("git"),
        arguments: arguments.into_iter().map(OsString::from).collect(),
        environment: None,
        directory: Some(folder),
        input,
        timeout: limits::GIT_TIMEOUT,
        output_bytes: limits::GIT_BYTES,
        terminal: Terminal::None,
    }
    .run()
    .map_err(|error| RevisionError::Git(error.to_string()))?;
    Ok(finished.status.success().then(|| finished.output.to_vec()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const A: &str = "apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: 1.0.0\nsteps: [{exec: [x], effect: read}]\n";
    const WORKSPACE: &str = "apiVersion: runbook/v1\nkind: Workspace\nname: w\n";

    fn commit(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        for arguments in [&["add", "--all"][..], &["commit", "--quiet", "--message", "a change"]] {
            let mut git = Command::new("git");
            git.current_dir(folder).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]).args(arguments);
            assert!(git.status().unwrap().success());
        }
    }

    fn repository() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        assert!(Command::new("git").args(["init", "--quiet"]).current_dir(dir.path()).status().unwrap().success());
        dir
    }

    #[test]
    fn a_file_is_found_in_the_catalogue_that_it_had() {
        let dir = repository();
        let large = format!("{A}# {}\n", "x".repeat(limits::DOCUMENT_BYTES));
        commit(
            dir.path(),
            &[
                ("alone.yaml", A),
                ("beside.yaml", &A.replace("name: a", "name: beside")),
                ("books/workspace.yaml", WORKSPACE),
                ("books/a.yaml", A),
                ("books/deep/b.yaml", &A.replace("name: a", "name: b")),
                ("books/deep/large.yaml", &large),
                ("books/own/workspace.yaml", WORKSPACE),
                ("books/own/c.yaml", &A.replace("name: a", "name: c")),
                ("books/.hidden/d.yaml", A),
                ("books/compose.yaml", "services: {}\n"),
            ],
        );
        commit(dir.path(), &[("books/a.yaml", &A.replace("1.0.0", "2.0.0"))]);
        let inner = dir.path().join("books/deep");
        let error = Repository::around(&inner).unwrap().at("HEAD", "./large.yaml").unwrap_err();
        assert!(matches!(&error, RevisionError::TooLarge { path, .. } if path == "books/deep/large.yaml"), "{error}");
        for (folder, revision, path, version, files) in [
            (dir.path(), "HEAD", "books/a.yaml", "2.0.0", &["a.yaml", "deep/b.yaml", "workspace.yaml"][..]),
            (dir.path(), "HEAD~1", "books/a.yaml", "1.0.0", &["a.yaml", "deep/b.yaml", "workspace.yaml"]),
            (&inner, "HEAD", "../a.yaml", "2.0.0", &["a.yaml", "deep/b.yaml", "workspace.yaml"]),
            (&inner, "HEAD", "books/own/c.yaml", "1.0.0", &["c.yaml", "workspace.yaml"]),
            (dir.path(), "HEAD", "alone.yaml", "1.0.0", &["alone.yaml", "beside.yaml"]),
        ] {
            let found = Repository::around(folder).unwrap().at(revision, path).unwrap();
            let names: Vec<&str> = found.catalogue.files().iter().map(|file| &*file.source.name).collect();
            assert_eq!(names, files, "{revision}:{path}");
            let name = found.catalogue.procedures().find(|p| *p.source.name == *found.file).unwrap();
            assert_eq!(name.version.value.to_string(), version, "{revision}:{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_said() {
        let dir = repository();
        commit(dir.path(), &[("a.yaml", A)]);
        std::os::unix::fs::symlink("a.yaml", dir.path().join("link.yaml")).unwrap();
        commit(dir.path(), &[]);
        let repository = Repository::around(dir.path()).unwrap();
        let no_file = |path: &str| RevisionError::NoFile { revision: "HEAD".to_owned(), path: path.to_owned() };
        for (revision, path, error) in [
            ("nope", "a.yaml", RevisionError::NoRevision("nope".to_owned())),
            ("--help", "a.yaml", RevisionError::NoRevision("--help".to_owned())),
            ("HEAD", "b.yaml", no_file("b.yaml")),
            ("HEAD", "link.yaml", no_file("link.yaml")),
            ("HEAD", "./../a.yaml", no_file("./../a.yaml")),
            ("HEAD", "", no_file("")),
        ] {
            assert_eq!(repository.at(revision, path).unwrap_err(), error, "{revision}:{path}");
        }
        let outside = tempfile::tempdir().unwrap();
        assert!(matches!(Repository::around(outside.path()), Err(RevisionError::NoRepository(_))));
    }
}
