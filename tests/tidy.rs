//! What the compiler does not say about the source: which room may use which, how long a file may be, that every
//! diagnostic has a page and a use, that nothing reachable from input can panic, and that nothing of the machine it was
//! written on is left in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above its crates").to_owned()
}

/// Files beneath `folder` with one of these endings, relative to the repository.
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let root = root();
    let mut open = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder of the repository can be read");
            open.extend(entries.map(|e| e.expect("its entries too").path()).filter(|p| {
                let name = p.file_name().unwrap_or_default().to_string_lossy().into_owned();
                name != "target" && name != ".git"
            }));
        } else if endings.iter().any(|e| path.to_string_lossy().ends_with(e)) {
            let text = fs::read_to_string(&path).expect("a source is text");
            found.push((path.strip_prefix(&root).expect("it is beneath the root").to_string_lossy().into_owned(), text));
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no files in {folder}");
    found
}

/// The lines of a source that are neither tests nor comments, with their numbers.
fn live_lines(text: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    let mut test_depth: Option<usize> = None;
    let mut pending = false;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let code = line.trim_start();
        if let Some(depth) = test_depth {
            if indent == depth && code.starts_with('}') {
                test_depth = None;
            }
            continue;
        }
        if code.starts_with("#[cfg(test)]") {
            pending = true;
            continue;
        }
        if pending {
            pending = false;
            if !code.ends_with(';') {
                test_depth = Some(indent);
            }
            continue;
        }
        if !code.starts_with("//") {
            lines.push((number + 1, line));
        }
    }
    lines
}

/// The sources beneath `folder` that are part of the program: neither in a folder of tests nor in a module that is
/// compiled for tests only.
fn live_sources(folder: &str) -> Vec<(String, String)> {
    let sources: Vec<_> = files(folder, &[".rs"]).into_iter().filter(|(name, _)| !name.contains("/tests/")).collect();
    let mut for_tests: Vec<String> = Vec::new();
    for (name, text) in &sources {
        let stem = name.strip_suffix(".rs").unwrap_or(name);
        let home = match stem.rsplit_once('/') {
            Some((folder, "lib" | "main" | "mod")) => folder,
            _ => stem,
        };
        let mut marked = false;
        for line in text.lines().map(str::trim) {
            let private = line.strip_prefix("pub").and_then(|rest| rest.split_once(' ')).map_or(line, |(_, rest)| rest);
            let module = private.strip_prefix("mod ").and_then(|m| m.strip_suffix(';'));
            if let Some(module) = module.filter(|_| marked) {
                for_tests.push(format!("{home}/{module}"));
            }
            marked = line.starts_with("#[cfg(test)]");
        }
    }
    let tested = |name: &str| for_tests.iter().any(|t| name == format!("{t}.rs") || name.starts_with(&format!("{t}/")));
    sources.into_iter().filter(|(name, _)| !tested(name)).collect()
}

#[test]
fn nothing_reachable_from_input_panics() {
    let calls = [".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!(", "unreachable!("];
    let mut faults = Vec::new();
    for (name, text) in live_sources("engine") {
        for (number, line) in live_lines(&text) {
            if let Some(call) = calls.iter().find(|c| line.contains(**c)) {
                faults.push(format!("{name}:{number}: {call}"));
            }
        }
    }
    assert!(faults.is_empty(), "give the caller an error instead:\n{}", faults.join("\n"));
}

#[test]
fn rooms_use_only_the_rooms_they_may() {
    let rules: [(&str, &[&str]); 7] = [
        (
            "engine/core/src",
            &[
                "runbook_engine",
                "tokio",
                "std::fs",
                "std::net::Tcp",
                "std::net::Udp",
                "std::process",
                "std::thread",
                "rusqlite",
                "reqwest",
            ],
        ),
        ("engine/src/journal", &["crate::action", "crate::driver", "crate::notify", "crate::event"]),
        ("engine/src/action", &["crate::journal", "crate::session", "crate::driver", "crate::event"]),
        (
            "engine/src/event",
            &["crate::action", "crate::journal", "crate::session", "crate::driver", "crate::report", "reqwest", "std::fs"],
        ),
        ("engine/src", &["runbook_server", "axum", "clap", "anstream", "indicatif", "println!", "eprintln!"]),
        (
            "engine/server/src",
            &[
                "clap",
                "anstream",
                "println!",
                "eprintln!",
                "std::env",
                "std::fs",
                "std::process",
                "rusqlite",
                "runbook_core::run::Run",
            ],
        ),
        ("engine/core/src/run", &["crate::explore"]),
    ];
    let mut faults = Vec::new();
    for (folder, forbidden) in rules {
        if !root().join(folder).is_dir() {
            continue;
        }
        for (name, text) in live_sources(folder) {
            for (number, line) in live_lines(&text) {
                let code = line.split("//").next().unwrap_or_default();
                if let Some(what) = forbidden.iter().find(|f| uses(code, f)) {
                    faults.push(format!("{name}:{number}: {folder} must not use {what}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether a line of code names `what` as a path or macro of its own, not as a part of another word or a text.
fn uses(code: &str, what: &str) -> bool {
    code.match_indices(what).any(|(at, _)| {
        let before = code[..at].chars().last();
        let quoted = code[..at].matches('"').count() % 2 == 1;
        !quoted && !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[test]
fn a_file_is_one_idea() {
    let most = 700;
    let long: Vec<String> = ["engine", "cli", "tests"]
        .into_iter()
        .flat_map(|folder| files(folder, &[".rs"]))
        .filter(|(_, text)| text.lines().count() > most)
        .map(|(name, text)| format!("{name}: {} lines", text.lines().count()))
        .collect();
    assert!(long.is_empty(), "more than {most} lines:\n{}", long.join("\n"));
}

#[test]
fn every_diagnostic_has_a_page_and_a_use() {
    let codes: BTreeSet<String> = runbook_core::diagnostic::Code::ALL.iter().map(|c| c.as_str().to_owned()).collect();
    let pages: BTreeSet<String> = files("engine/core/src/diagnostic", &[".md"])
        .into_iter()
        .filter_map(|(name, _)| name.rsplit('/').next().and_then(|n| n.strip_suffix(".md")).map(str::to_owned))
        .collect();
    assert_eq!(codes, pages, "codes and pages differ");
    let sources: String = files("engine/core/src", &[".rs"])
        .into_iter()
        .filter(|(name, _)| !name.ends_with("codes.rs"))
        .flat_map(|(_, text)| live_lines(&text).into_iter().map(|(_, l)| format!("{l}\n")).collect::<Vec<_>>())
        .collect();
    let unused: Vec<&String> = codes.iter().filter(|code| !sources.contains(&format!("Code::{code}"))).collect();
    assert!(unused.is_empty(), "never reported: {unused:?}");
}

/// Whoever changes what a mutation changes renews its patch: make the change again, `git diff -U1`, undo it.
#[test]
fn mutations_apply() {
    for (name, _) in files("tests/mutations", &[".patch"]) {
        let applied = std::process::Command::new("git").args(["apply", "--check", &name]).current_dir(root()).output();
        let applied = applied.expect("git is there");
        assert!(applied.status.success(), "{name}: {}", String::from_utf8_lossy(&applied.stderr));
    }
}

/// A dependency of tests alone (`serde_jcs`) asks for this feature too, so that no test would miss it, and the program would.
#[test]
fn numbers_are_read_as_they_were_written() {
    let manifest = std::fs::read_to_string(root().join("engine/core/Cargo.toml")).expect("the manifest is there");
    let line = manifest.lines().find(|line| line.starts_with("serde_json"));
    assert!(line.is_some_and(|line| line.contains("float_roundtrip")), "{line:?}");
}

#[test]
fn nothing_of_the_machine_it_was_written_on() {
    let forbidden = [
        "/work/main",
        "/work/wt",
        "/work/.",
        "/root/",
        "localhost:80/",
        "crates.io-index",
        "deb.debian.org",
        "pypi.org",
        "registry.npmjs",
    ];
    let mut faults = Vec::new();
    for folder in ["engine", "cli", "tests", "runbooks", "examples", "docs"] {
        if !root().join(folder).is_dir() {
            continue;
        }
        for (name, text) in files(folder, &[".rs", ".md", ".yaml", ".sh", ".toml", ".snap"]) {
            if name == "tests/tidy.rs" {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                if let Some(what) = forbidden.iter().find(|f| line.contains(**f)) {
                    faults.push(format!("{name}:{}: {what}", number + 1));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn modules_say_what_they_are_for() {
    let silent: Vec<String> = ["engine", "cli"]
        .into_iter()
        .flat_map(live_sources)
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(name, _)| name)
        .collect();
    assert!(silent.is_empty(), "no purpose at the top of:\n{}", silent.join("\n"));
}
