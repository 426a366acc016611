//! A folder of procedures and its workspace, or one file that stands alone: read once, judged as often as needed.
//!
//! A folder holds other YAML too, so only files with a line `apiVersion: runbook/…` belong to it; a file that is named is always
//! read. Links are not followed and hidden folders are left alone, so nothing outside the root gets in. A folder with
//! a workspace of its own is another catalogue.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runbook_core::check::survey::survey;
use runbook_core::check::{self, CheckOptions, Parsed};
use runbook_core::diagnostic::{Code, Diagnostic, Diagnostics, Severity, Source};
use runbook_core::document::test::Test;
use runbook_core::document::{self, Document, Procedure, Workspace};
use runbook_core::explore::DryRun;
use runbook_core::expr::Type;
use runbook_core::trigger::Trigger;
use runbook_core::{Digest, Plan, limits};

use file::{is_ours, listed};

pub use file::{File, Stamp};
/// The file that makes a folder a catalogue.
pub use runbook_core::plan::WORKSPACE_FILE;

#[derive(Clone, Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error("cannot read {}: {why}", path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error("{} holds more than {} files of procedures; name a smaller folder", path.display(), limits::CATALOGUE_FILES)]
    TooMany { path: PathBuf },
}

#[derive(Clone, Debug)]
pub struct Catalogue {
    root: PathBuf,
    /// In the order of their names.
    files: Vec<File>,
    /// Calendars that no rotation is kept in: none of ours, until one names them.
    spare: Vec<File>,
    /// Folders beneath the root belong to it.
    deep: bool,
}

impl Catalogue {
    /// Reads every file of a folder.
    pub fn open(root: &Path) -> Result<Catalogue, CatalogueError> {
        Catalogue::read(root, true, Vec::new())
    }

    /// As it is now. What has not changed since is not read again.
    pub fn renewed(mut self) -> Result<Catalogue, CatalogueError> {
        self.files.append(&mut self.spare);
        Catalogue::read(&self.root, self.deep, self.files)
    }

    /// The files that it is made of, or could be, as they are at this moment: where these are the same, so is the catalogue.
    pub fn stamps(&self) -> BTreeMap<PathBuf, Option<Stamp>> {
        let mut paths = listed(&self.root, self.deep).unwrap_or_default();
        paths.extend(self.files.iter().map(|file| file.path.clone()));
        let stamp = |path: PathBuf| {
            let stamp = std::fs::symlink_metadata(&path).ok().map(|facts| Stamp::of(&facts));
            (path, stamp)
        };
        paths.into_iter().map(stamp).collect()
    }

    fn read(root: &Path, deep: bool, mut known: Vec<File>) -> Result<Catalogue, CatalogueError> {
        let paths = listed(root, deep)?;
        if deep && paths.len() > limits::CATALOGUE_FILES {
            return Err(CatalogueError::TooMany { path: root.to_owned() });
        }
        let mut files = Vec::new();
        for path in paths.into_iter().take(limits::CATALOGUE_FILES) {
            let now = std::fs::symlink_metadata(&path).ok().map(|facts| Stamp::of(&facts));
            let same = |file: &File| file.path == path && file.stamp.is_some() && file.stamp == now;
            let file = match known.iter().position(same) {
                Some(place) => known.swap_remove(place),
                None => File::read(root, &path)?,
            };
            if file.belongs() {
                files.push(file);
            }
        }
        Ok(Catalogue::of(root, files, deep))
    }

    fn of(root: &Path, mut files: Vec<File>, deep: bool) -> Catalogue {
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let mut catalogue = Catalogue { root: root.to_owned(), files, spare: Vec::new(), deep };
        catalogue.place_calendars();
        catalogue
    }

    /// Puts the calendars into their rotations.
    fn place_calendars(&mut self) {
        let is_workspace = |file: &File| matches!(file.document, Some(Document::Workspace(_))) && file.is_at_root();
        let place = self.files.iter().position(is_workspace);
        let mut wanted = Vec::new();
        if let Some(File { document: Some(Document::Workspace(workspace)), .. }) = place.and_then(|place| self.files.get(place)) {
            wanted.extend(workspace.calendars.iter().map(|(rotation, path)| (rotation.clone(), path.value.clone())));
        }
        let is_spare = |file: &File| file.is_calendar() && !wanted.iter().any(|(_, path)| **path == *file.source.name);
        for file in std::mem::take(&mut self.spare) {
            self.insert(file);
        }
        (self.spare, self.files) = std::mem::take(&mut self.files).into_iter().partition(is_spare);
        let texts: BTreeMap<String, (Source, bool)> = self
            .files
            .iter()
            .filter(|file| file.is_calendar())
            .map(|file| (file.source.name.to_string(), (file.source.clone(), file.is_whole)))
            .collect();
        let mut told: BTreeMap<String, Vec<Diagnostic>> = BTreeMap::new();
        let at_root = self.files.iter_mut().find(|file| is_workspace(file));
        if let Some(File { document: Some(Document::Workspace(workspace)), found, .. }) = at_root {
            found.retain(|fault| fault.code != Code::RB0323);
            for (rotation, path) in &wanted {
                match texts.get(path) {
                    Some((source, true)) => {
                        let faults = workspace.take_calendar(rotation, source).into_sorted();
                        let of_file = told.entry(path.clone()).or_default();
                        of_file.extend(faults.into_iter().filter(|fault| !of_file.contains(fault)).collect::<Vec<_>>());
                    }
                    Some((_, false)) => {}
                    None => found.extend(workspace.lacks_calendar(rotation, "there is no such file in the catalogue")),
                }
            }
        }
        for file in self.files.iter_mut().filter(|file| file.is_calendar() && file.is_whole) {
            file.found = told.remove(&*file.source.name).unwrap_or_default();
        }
    }

    /// Puts a file in its place, and gives what stood there.
    fn insert(&mut self, file: File) -> Option<File> {
        let place = self.files.partition_point(|other| other.path < file.path);
        match self.files.get_mut(place) {
            Some(known) if known.path == file.path => Some(std::mem::replace(known, file)),
            _ => {
                self.files.insert(place, file);
                None
            }
        }
    }

    /// The catalogue that a file stands in: that of the nearest workspace upward, else the file's own folder. The file is
    /// part of it in any case.
    pub fn around(path: &Path) -> Result<Catalogue, CatalogueError> {
        let unreadable = |why: std::io::Error| CatalogueError::Unreadable { path: path.to_owned(), why: why.to_string() };
        let path = path.canonicalize().map_err(unreadable)?;
        let folder = path.parent().unwrap_or(&path);
        let root = folder.ancestors().find(|dir| dir.join(WORKSPACE_FILE).is_file());
        let mut catalogue = match root {
            Some(root) => Catalogue::open(root)?,
            None => Catalogue::read(folder, false, Vec::new())?,
        };
        if !catalogue.files.iter().any(|file| file.path == path) {
            let mut file = File::read(&catalogue.root, &path)?;
            // Whoever names a file means it to be one of ours, whatever it says.
            if !file.belongs() && file.found.is_empty() {
                let (document, found) = document::load(&file.source);
                file.document = document;
                file.found = found.into_sorted();
            }
            catalogue.insert(file);
        }
        Ok(catalogue)
    }

    /// The folder whose catalogue a file belongs to, which need not be there yet.
    pub fn home(path: &Path) -> &Path {
        let folder = path.parent().unwrap_or(path);
        folder.ancestors().find(|dir| dir.join(WORKSPACE_FILE).is_file()).unwrap_or(folder)
    }

    /// Reads the folder that [`home`](Catalogue::home) gives: all beneath it where it has a workspace, else what stands in it.
    pub fn at_home(root: &Path) -> Result<Catalogue, CatalogueError> {
        match root.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Catalogue::of(root, Vec::new(), false)),
            _ if root.join(WORKSPACE_FILE).is_file() => Catalogue::open(root),
            _ => Catalogue::read(root, false, Vec::new()),
        }
    }

    /// Puts a text in the place of a file, as somebody is writing it, and gives what stood there. What is none of ours is not read.
    pub fn put(&mut self, path: &Path, text: &str) -> Option<File> {
        let name = path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned();
        let source = Source::new(name, text);
        let (document, found) = if is_ours(text) { document::load(&source) } else { (None, Diagnostics::default()) };
        let file = File { path: path.to_owned(), source, document, found: found.into_sorted(), is_whole: true, stamp: None };
        let old = self.insert(file);
        self.place_calendars();
        old
    }

    /// Without the files of other procedures that have the name and the version of one that was named by its file.
    #[must_use]
    pub fn without_twins_of(mut self, meant: &Procedure) -> Catalogue {
        self.files.retain(|file| match &file.document {
            Some(Document::Procedure(other)) => {
                let same = other.name.value == meant.name.value && other.version.value == meant.version.value;
                !same || other.source.name == meant.source.name
            }
            _ => true,
        });
        self
    }

    /// The catalogue of files that were read elsewhere, each with its name below the root. None of them is too large.
    pub(crate) fn of_contents(root: &Path, contents: impl IntoIterator<Item = (String, Vec<u8>)>) -> Catalogue {
        let files = contents.into_iter().map(|(name, bytes)| File::of(&root.join(&name), name, bytes));
        Catalogue::of(root, files.filter(File::belongs).collect(), true)
    }

    /// Steps run here unless they say otherwise.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn files(&self) -> &[File] {
        &self.files
    }

    pub fn source(&self, name: &str) -> Option<&Source> {
        self.files.iter().map(|file| &file.source).find(|source| &*source.name == name)
    }

    pub fn workspace(&self) -> Option<&Workspace> {
        self.files.iter().find_map(|file| match &file.document {
            Some(Document::Workspace(workspace)) if file.is_at_root() => Some(&**workspace),
            _ => None,
        })
    }

    pub fn procedures(&self) -> impl Iterator<Item = &Procedure> {
        self.files.iter().filter_map(|file| match &file.document {
            Some(Document::Procedure(procedure)) => Some(&**procedure),
            _ => None,
        })
    }

    pub fn tests(&self) -> impl Iterator<Item = &Test> {
        self.files.iter().filter_map(|file| match &file.document {
            Some(Document::Test(test)) => Some(&**test),
            _ => None,
        })
    }

    /// The procedure that a test is of, where there is one, and what the test says wrongly of other files.
    pub fn tested(&self, test: &Test) -> (Option<&Procedure>, Vec<Diagnostic>) {
        let catalogue = check::Catalogue::new(self.procedures(), self.workspace());
        (check::tested(test, &catalogue).ok(), check::check_test(test, &catalogue).into_sorted())
    }

    /// The newest version of a name.
    pub fn procedure(&self, name: &str) -> Option<&Procedure> {
        self.procedures().filter(|p| p.name.value.as_str() == name).max_by_key(|p| p.version.value)
    }

    /// The procedure that a file holds.
    pub fn procedure_in(&self, path: &Path) -> Option<&Procedure> {
        let path = path.canonicalize().ok()?;
        self.files.iter().find_map(|file| match &file.document {
            Some(Document::Procedure(procedure)) if file.path == path || file.path.canonicalize().is_ok_and(|p| p == path) => {
                Some(&**procedure)
            }
            _ => None,
        })
    }

    /// Makes the plan of a procedure. It is absent exactly if there is an error in the procedure, in one that it calls or
    /// in the workspace.
    pub fn plan(&self, procedure: &Procedure, options: &CheckOptions) -> (Option<Plan>, Vec<Diagnostic>) {
        let (plan, _, found) = self.plan_and_triggers(procedure, options);
        (plan, found)
    }

    /// The same, with what events start it: nothing where there is no plan.
    pub fn plan_and_triggers(
        &self,
        procedure: &Procedure,
        options: &CheckOptions,
    ) -> (Option<Plan>, Vec<Trigger>, Vec<Diagnostic>) {
        let catalogue = check::Catalogue::new(self.procedures(), self.workspace());
        let judgement = check::judge(procedure, &catalogue, options);
        let (plan, found) = self.with_files(judgement.plan, judgement.found, &judgement.files);
        let triggers = if plan.is_some() { judgement.triggers } else { Vec::new() };
        (plan, triggers, found.into_sorted())
    }

    /// What events start: the triggers of the newest version of each playbook that has no errors, and the errors of the others.
    pub fn triggers(&self, options: &CheckOptions) -> (Vec<Trigger>, Vec<Diagnostic>) {
        let catalogue = check::Catalogue::new(self.procedures(), self.workspace());
        let (mut triggers, mut errors) = (Vec::new(), Diagnostics::default());
        for procedure in catalogue.names().filter_map(|name| catalogue.newest(name)) {
            if procedure.triggers.is_empty() {
                continue;
            }
            let judgement = check::judge(procedure, &catalogue, options);
            match self.with_files(judgement.plan, judgement.found, &judgement.files) {
                (Some(_), _) => triggers.extend(judgement.triggers),
                (None, found) => {
                    found.iter().filter(|fault| fault.severity == Severity::Error).for_each(|fault| errors.push(fault.clone()))
                }
            }
        }
        (triggers, errors.into_sorted())
    }

    /// What was found in the files that a plan rests on, and in the workspace, holds for it too.
    fn with_files(&self, plan: Option<Plan>, mut found: Diagnostics, files: &[String]) -> (Option<Plan>, Diagnostics) {
        let concerns = |file: &File| {
            let workspace = matches!(file.document, Some(Document::Workspace(_))) || file.is_workspace_file() || file.is_calendar();
            workspace || files.iter().any(|name| *name == *file.source.name)
        };
        for file in self.files.iter().filter(|file| concerns(file)) {
            file.found.iter().for_each(|diagnostic| found.push(diagnostic.clone()));
        }
        let plan = plan.filter(|_| !found.has_errors());
        (plan, found)
    }

    /// What each step of the procedure in a file gives, by its id.
    pub fn types_in(&self, file: &str) -> BTreeMap<String, Type> {
        let catalogue = check::Catalogue::new(self.procedures(), self.workspace());
        let found = self.procedures().find(|procedure| &*procedure.source.name == file);
        found.map(|procedure| survey(procedure, &catalogue, &CheckOptions::default(), None).steps).unwrap_or_default()
    }

    /// What each step gives to those after it, and of which type: what is not known of it is at least known to be that.
    pub fn add_types(&self, predicted: &mut DryRun, plan: &Plan) {
        let mut by_file: BTreeMap<u32, BTreeMap<String, Type>> = BTreeMap::new();
        for step in &mut predicted.steps {
            let planned = plan.step(step.step);
            let (Some(id), Some(file)) = (&planned.id, plan.files.get(planned.at.file as usize)) else { continue };
            if planned.outputs.is_empty() {
                continue;
            }
            let types = by_file.entry(planned.at.file).or_insert_with(|| self.types_in(&file.name));
            let of = |name: &str| match types.get(id.as_str()) {
                Some(Type::Map(Some(members))) => members.get(name).unwrap_or(&Type::Any).in_words(),
                _ => Type::Any.in_words(),
            };
            step.gives = planned.outputs.iter().map(|(name, _)| (name.to_string(), of(name.as_str()))).collect();
        }
    }

    /// The names of the files that a procedure rests on beside the workspace: its own, and those of all that it calls.
    pub fn files_of(&self, procedure: &Procedure, options: &CheckOptions) -> Vec<String> {
        check::judge(procedure, &check::Catalogue::new(self.procedures(), self.workspace()), options).files
    }

    /// Judges every file. Faults are in the order of files and places.
    pub fn check(&self, options: &CheckOptions) -> Vec<Diagnostic> {
        let mut found = Diagnostics::default();
        let catalogue = check::Catalogue::new(self.procedures(), self.workspace());
        for file in &self.files {
            file.found.iter().for_each(|diagnostic| found.push(diagnostic.clone()));
            match &file.document {
                Some(Document::Procedure(procedure)) => found.append(check::check(procedure, &catalogue, options).1),
                Some(Document::Test(test)) => found.append(check::check_test(test, &catalogue)),
                _ => {}
            }
        }
        found.into_sorted()
    }

    /// Judges one file, as [`check`](Catalogue::check) does, where `parsed` is from the last time, or new.
    pub fn check_file(&self, name: &str, options: &CheckOptions, parsed: &mut Parsed) -> Vec<Diagnostic> {
        let Some(file) = self.files.iter().find(|file| &*file.source.name == name) else { return Vec::new() };
        let mut found = Diagnostics::default();
        file.found.iter().for_each(|diagnostic| found.push(diagnostic.clone()));
        let catalogue = check::Catalogue::new(self.procedures(), self.workspace());
        match &file.document {
            Some(Document::Procedure(procedure)) => {
                found.append(check::judge_again(procedure, &catalogue, options, parsed).found);
            }
            Some(Document::Test(test)) => found.append(check::check_test(test, &catalogue)),
            _ => {}
        }
        found.into_sorted().into_iter().filter(|diagnostic| &*diagnostic.source == name).collect()
    }

    /// One digest over the names and contents of all files.
    pub fn digest(&self) -> Digest {
        let mut list = String::new();
        for file in &self.files {
            let digest = Digest::of_bytes(file.source.text.as_bytes());
            list.push_str(&format!("{digest} {}\n", file.source.name));
        }
        Digest::of_bytes(list.as_bytes())
    }
}

/// Whether any of these is an error.
pub fn has_errors(found: &[Diagnostic]) -> bool {
    found.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

#[cfg(test)]
mod tests {
    use runbook_core::diagnostic::Span;

    use super::*;

    const HELLO: &str =
        "apiVersion: runbook/v1\nkind: Runbook\nname: hello\nversion: 1.0.0\nsteps:\n  - run: echo hi\n    effect: read\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn what_has_not_changed_is_not_read_again() {
        let dir = folder(&[("a.yaml", HELLO), ("sub/b.yaml", &HELLO.replace("hello", "other"))]);
        let mut catalogue = Catalogue::open(dir.path()).unwrap();
        let before = catalogue.stamps();
        assert_eq!(catalogue.stamps(), before);
        // A mark that only reading the file again takes away.
        for file in &mut catalogue.files {
            file.found.push(Diagnostic::new(Code::RB0003, &file.source, Span::default(), "kept"));
        }
        std::fs::write(dir.path().join("a.yaml"), HELLO.replace("echo hi", "echo you")).unwrap();
        std::fs::write(dir.path().join("c.yaml"), HELLO.replace("hello", "third")).unwrap();
        assert_ne!(catalogue.stamps(), before);
        let catalogue = catalogue.renewed().unwrap();
        let kept: Vec<(&str, bool)> = catalogue.files().iter().map(|file| (&*file.source.name, !file.found.is_empty())).collect();
        assert_eq!(kept, [("a.yaml", false), ("c.yaml", false), ("sub/b.yaml", true)]);
        std::fs::remove_file(dir.path().join("a.yaml")).unwrap();
        assert_eq!(catalogue.renewed().unwrap().files().len(), 2);
    }

    #[test]
    fn what_belongs_to_a_folder() {
        let dir = folder(&[
            ("hello.yaml", HELLO),
            ("deep/newer.yml", &HELLO.replace("1.0.0", "1.1.0")),
            ("compose.yaml", "services: {}\n"),
            ("notes.txt", HELLO),
            (".hidden/no.yaml", HELLO),
            ("other/workspace.yaml", "apiVersion: runbook/v1\nkind: Workspace\nname: other\n"),
            ("other/no.yaml", HELLO),
        ]);
        std::os::unix::fs::symlink(dir.path().join("hello.yaml"), dir.path().join("link.yaml")).unwrap();
        let catalogue = Catalogue::open(dir.path()).unwrap();
        let names: Vec<&str> = catalogue.files().iter().map(|f| &*f.source.name).collect();
        assert_eq!(names, ["deep/newer.yml", "hello.yaml"]);
        assert_eq!(catalogue.procedure("hello").unwrap().version.value.to_string(), "1.1.0");
        assert!(catalogue.procedure("other").is_none());
    }

    #[test]
    fn a_file_of_ours_that_is_too_large_is_told_and_one_of_others_is_not() {
        let large = |start: &str| format!("{start}# {}\n", "x".repeat(limits::DOCUMENT_BYTES));
        let dir = folder(&[("hello.yaml", &large(HELLO)), ("other.yaml", &large("services: {}\n"))]);
        let found = Catalogue::open(dir.path()).unwrap().check(&CheckOptions::default());
        let found: Vec<(&str, Code)> = found.iter().map(|fault| (&*fault.source, fault.code)).collect();
        assert_eq!(found, [("hello.yaml", Code::RB0003)]);
    }

    #[test]
    fn a_plan_needs_every_file_that_it_rests_on() {
        let broken = HELLO.replace("effect: read", "efect: read");
        for (name, file, fine) in [("right", HELLO.to_owned(), true), ("misspelt", broken, false)] {
            let dir = folder(&[("hello.yaml", &file), ("unrelated.yaml", "apiVersion: runbook/v1\nkind: Nonsense\n")]);
            let catalogue = Catalogue::around(&dir.path().join("hello.yaml")).unwrap();
            let procedure = catalogue.procedure("hello").unwrap();
            let (plan, found) = catalogue.plan(procedure, &CheckOptions::default());
            assert_eq!((plan.is_some(), has_errors(&found)), (fine, !fine), "{name}: {found:?}");
            assert!(has_errors(&catalogue.check(&CheckOptions::default())), "{name}");
        }
    }

    #[test]
    fn a_plan_needs_what_is_called_too() {
        const CALLS: &str = "apiVersion: runbook/v1\nkind: Runbook\nname: calls\nversion: 1.0.0\nsteps:\n- call: hello@^1\n";
        let steps = |steps: &str| HELLO.split("steps:").next().unwrap().to_owned() + steps;
        for (name, hello) in [
            ("misspelt", HELLO.replace("effect: read", "efect: read")),
            ("an empty list", steps("steps:\n- check: [{that: 'true'}]\n- group: []\n")),
            ("a step of nothing", steps("steps:\n- check: [{that: 'true'}]\n- name: nothing\n")),
        ] {
            let dir = folder(&[("hello.yaml", &hello), ("calls.yaml", CALLS)]);
            let catalogue = Catalogue::open(dir.path()).unwrap();
            let procedure = catalogue.procedure("calls").unwrap();
            let (plan, found) = catalogue.plan(procedure, &CheckOptions::default());
            assert!(plan.is_none(), "{name}");
            assert!(found.iter().any(|fault| &*fault.source == "hello.yaml"), "{name}: {found:?}");
            assert_eq!(catalogue.files_of(procedure, &CheckOptions::default()), ["calls.yaml", "hello.yaml"], "{name}");
        }
    }

    #[test]
    fn a_file_that_is_named_is_judged_whatever_it_says() {
        for text in ["a: 1\n", "[[[[\n", "'\n", ""] {
            let dir = folder(&[("odd.yaml", text)]);
            let catalogue = Catalogue::around(&dir.path().join("odd.yaml")).unwrap();
            assert!(has_errors(&catalogue.check(&CheckOptions::default())), "{text:?} is taken for a procedure");
            assert!(
                Catalogue::open(dir.path()).unwrap().check(&CheckOptions::default()).is_empty(),
                "{text:?} belongs to a folder"
            );
        }
    }

    #[test]
    fn a_document_says_in_any_form_of_yaml_that_it_is_ours() {
        for (text, ours) in [
            ("apiVersion: runbook/v1\n", true),
            ("# x\n---\nkind: Runbook\napiVersion: 'runbook/v1'\n", true),
            ("\"apiVersion\": \"runbook/v1\"\n", true),
            ("'apiVersion' : runbook/v1\n", true),
            ("apiVersion : runbook/v1\n", true),
            ("  apiVersion: runbook/v1\n  kind: Runbook\n", true),
            ("{apiVersion: runbook/v1, kind: Runbook}\n", true),
            ("# x\n{\n  \"apiVersion\": \"runbook/v1\",\n  \"kind\": \"Runbook\"\n}\n", true),
            ("\u{feff}apiversion: runbook/v1\n", true),
            ("apiVesion: runbook/v1\n", true),
            ("apiVersion: v1\nkind: ConfigMap\ndata:\n  a.yaml: |\n    apiVersion: runbook/v1\n", false),
            ("- apiVersion: runbook/v1\n", false),
            ("{a: {apiVersion: runbook/v1}}\n", false),
            ("name: runbook\nversion: runbook/v1\n", false),
            ("", false),
        ] {
            assert_eq!(is_ours(text), ours, "{text}");
        }
    }

    #[test]
    fn twins_and_foreign_bytes_are_faults() {
        let dir = folder(&[("a.yaml", HELLO), ("b.yaml", HELLO)]);
        std::fs::write(dir.path().join("c.yaml"), b"apiVersion: runbook/v1\nname: \xff\n").unwrap();
        let found = Catalogue::open(dir.path()).unwrap().check(&CheckOptions::default());
        let codes: Vec<&str> = found.iter().map(|d| d.code.as_str()).filter(|c| ["RB0002", "RB0026"].contains(c)).collect();
        assert_eq!(codes, ["RB0002", "RB0002", "RB0026"]);
    }
}
