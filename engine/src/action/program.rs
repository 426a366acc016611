//! Finding a program and the place to run it, before anything starts: so that a missing program is an answer with a hint,
//! and starting keeps the kernel's fast path, which a search of `PATH` in the child would lose.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use runbook_core::diagnostic::nearest;
use runbook_core::run::event::Failure;
use runbook_core::run::leads_out;
use rustix::fs::{Access, access};

use super::failure;

/// Programs that a run has found on a `PATH` before. As a shell does, it looks for one again only where it is gone.
#[derive(Debug, Default)]
pub struct Programs(Mutex<BTreeMap<(String, OsString), PathBuf>>);

impl Programs {
    /// The absolute path of `name`: as it stands where it has a `/` (relative to `dir`), else a match on `path`, the first when it was found.
    pub fn find(&self, name: &str, path: &OsStr, dir: &Path) -> Result<PathBuf, Failure> {
        if name.contains('/') {
            return find(name, path, dir);
        }
        let key = (name.to_owned(), path.to_owned());
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = found.get(&key).filter(|file| look(file).is_ok_and(|facts| runnable(file, &facts).is_ok())) {
            return Ok(file.clone());
        }
        let file = find(name, path, dir)?;
        found.insert(key, file.clone());
        Ok(file)
    }
}

/// The absolute path of `name`: as it stands where it has a `/` (relative to `dir`), else the first match on `path`.
fn find(name: &str, path: &OsStr, dir: &Path) -> Result<PathBuf, Failure> {
    if name.is_empty() {
        return Err(failure("the name of the program is empty; write it as the first argument of `exec`"));
    }
    if name.contains('\0') {
        return Err(failure("the name of the program holds a NUL byte, which no path can"));
    }
    if name.contains('/') {
        let file = dir.join(name);
        return look(&file)
            .and_then(|facts| runnable(&file, &facts))
            .map(|()| file)
            .map_err(|why| failure(format!("`{}` {why}", name.escape_debug())));
    }
    let folders: Vec<PathBuf> = std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
    let mut refused = None;
    for folder in &folders {
        let file = folder.join(name);
        let Ok(facts) = std::fs::metadata(&file) else { continue };
        match runnable(&file, &facts) {
            Ok(()) => return Ok(file),
            Err(why) if facts.is_file() => refused = refused.or(Some(format!("`{}` {why}", file.display()))),
            Err(_) => {}
        }
    }
    if let Some(refused) = refused {
        return Err(failure(refused));
    }
    let hint = match similar(name, &folders) {
        Some(near) => format!("did you mean `{near}`? Else install it, or write its full path"),
        None => "install it, or write its full path".to_owned(),
    };
    Err(failure(format!("the program `{}` is not in PATH; {hint}", name.escape_debug())))
}

fn look(file: &Path) -> Result<Metadata, String> {
    std::fs::metadata(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "does not exist; correct the path".to_owned(),
        _ => format!("cannot be looked at: {error}"),
    })
}

fn runnable(file: &Path, facts: &Metadata) -> Result<(), String> {
    if facts.is_dir() {
        return Err("is a folder, not a program; name the file in it".to_owned());
    }
    access(file, Access::EXEC_OK)
        .map_err(|_| "may not be executed by this user; set its execute permission with `chmod +x`".to_owned())
}

fn similar(name: &str, folders: &[PathBuf]) -> Option<String> {
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
}

/// The working directory. A relative `dir` stays beneath the root, also through symbolic links; an absolute one is what it says.
pub fn directory(root: &Path, dir: Option<&str>) -> Result<PathBuf, Failure> {
    let unreachable = |path: &Path, error: std::io::Error| {
        failure(format!("the working directory `{}` cannot be entered: {error}; create it, or correct `dir`", path.display()))
    };
    let top = std::fs::canonicalize(root).map_err(|error| unreachable(root, error))?;
    let Some(dir) = dir else { return Ok(top) };
    let wanted = Path::new(OsStr::from_bytes(dir.as_bytes()));
    let outside = || {
        failure(format!(
            "the working directory `{}` leads out of `{}`; write a folder beneath it, or an absolute path",
            dir.escape_debug(),
            top.display()
        ))
    };
    if leads_out(dir) {
        return Err(outside());
    }
    let found = std::fs::canonicalize(top.join(wanted)).map_err(|error| unreachable(wanted, error))?;
    if wanted.is_relative() && !found.starts_with(&top) {
        return Err(outside());
    }
    if !found.is_dir() {
        return Err(failure(format!("the working directory `{}` is not a folder; correct `dir`", found.display())));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_looked_for_again_where_it_is_gone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let put = |at: &str| {
            let file = folder.path().join(at);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
            file
        };
        let path = std::env::join_paths(["one", "two"].map(|name| folder.path().join(name))).unwrap();
        let programs = Programs::default();
        let find = || programs.find("tool", &path, folder.path());
        assert!(find().unwrap_err().message.contains("not in PATH"));
        let two = put("two/tool");
        assert_eq!(find().unwrap(), two);
        let one = put("one/tool");
        assert_eq!(find().unwrap(), two, "it was found before");
        std::fs::set_permissions(&two, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(find().unwrap(), one);
        // Another `PATH` is another question.
        let other = folder.path().join("two");
        assert!(programs.find("tool", other.as_os_str(), folder.path()).unwrap_err().message.contains("execute permission"));
    }

    #[test]
    fn programs_are_found_or_the_failure_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, mode| {
            use std::os::unix::fs::PermissionsExt;
            let file = folder.path().join(name);
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            file
        };
        let tool = put("lbctl", 0o755);
        put("notes", 0o644);
        let path = folder.path().as_os_str();
        for (name, expect) in [
            ("lbctl", Ok(tool.clone())),
            ("./lbctl", Ok(folder.path().join("./lbctl"))),
            ("lbclt", Err("did you mean `lbctl`?")),
            ("quite-other", Err("is not in PATH; install it")),
            ("notes", Err("chmod +x")),
            ("./gone", Err("does not exist")),
            ("/", Err("is a folder")),
            ("", Err("is empty")),
            ("a\0b", Err("NUL")),
        ] {
            match (find(name, path, folder.path()), expect) {
                (Ok(found), Ok(expect)) => assert_eq!(found, expect),
                (Err(failure), Err(part)) => assert!(failure.message.contains(part), "{name}: {}", failure.message),
                (got, expect) => panic!("{name}: {got:?} instead of {expect:?}"),
            }
        }
    }

    #[test]
    fn a_relative_directory_stays_beneath_the_root() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        std::os::unix::fs::symlink("/", root.path().join("out")).unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        let top = std::fs::canonicalize(root.path()).unwrap();
        for (dir, expect) in [
            (None, Ok(top.clone())),
            (Some("a/b"), Ok(top.join("a/b"))),
            (Some("a/../a"), Ok(top.join("a"))),
            (Some("/"), Ok(PathBuf::from("/"))),
            (Some(".."), Err("leads out of")),
            (Some("a/../.."), Err("leads out of")),
            (Some("out"), Err("leads out of")),
            (Some("out/tmp"), Err("leads out of")),
            (Some("none"), Err("cannot be entered")),
            (Some("file"), Err("not a folder")),
            (Some("a\0b"), Err("cannot be entered")),
        ] {
            match (directory(root.path(), dir), expect) {
                (Ok(found), Ok(expect)) => assert_eq!(found, expect),
                (Err(failure), Err(part)) => assert!(failure.message.contains(part), "{dir:?}: {}", failure.message),
                (got, expect) => panic!("{dir:?}: {got:?} instead of {expect:?}"),
            }
        }
    }
}
