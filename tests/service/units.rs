//! The units and the image in `examples/service`: systemd reads them without a word, their walls are as high as they say, and every command
//! that they name is one.

use std::path::Path;
use std::process::Command;

use crate::harness::program::Runbook;
use crate::harness::{find_program, repository};

const INSTALLED: &str = "/usr/local/bin/runbook";
const UNITS: [&str; 5] =
    ["runbook.service", "runbook-backup.service", "runbook-backup.timer", "runbook-prune.service", "runbook-prune.timer"];

fn example(name: &str) -> String {
    std::fs::read_to_string(repository().join("examples/service").join(name)).unwrap()
}

/// As it would be where the program is installed.
fn place(folder: &Path, name: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    // Manual pages are installed with the program, and `verify` looks for them.
    let text: Vec<String> = example(name).lines().filter(|line| !line.starts_with("Documentation=")).map(str::to_owned).collect();
    std::fs::write(&path, text.join("\n").replace(INSTALLED, env!("CARGO_BIN_EXE_runbook"))).unwrap();
    path
}

#[test]
fn systemd_takes_the_units_without_a_word() {
    let scratch = crate::harness::Scratch::new();
    let units = UNITS.map(|name| place(scratch.path(), name));
    let output = Command::new(find_program("systemd-analyze")).arg("verify").args(&units).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
    // An unknown key would have been told of.
    std::fs::write(&units[0], example(UNITS[0]).replace("ProtectHome=", "ProtectHouse=")).unwrap();
    let output = Command::new(find_program("systemd-analyze")).arg("verify").arg(&units[0]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("ProtectHouse"));
}

#[test]
fn their_walls_are_high() {
    let scratch = crate::harness::Scratch::new();
    for (name, exposure) in [("runbook.service", "20"), ("runbook-backup.service", "15"), ("runbook-prune.service", "15")] {
        let unit = place(scratch.path(), name);
        let mut analyze = Command::new(find_program("systemd-analyze"));
        let output =
            analyze.args(["security", "--no-pager", "--offline=true", "--threshold", exposure]).arg(unit).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

/// The command lines of this program in a text, as words.
fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().filter(|line| line.starts_with("Exec"));
    let of_line = |line: &str| {
        let (_, words) = line.split_once(&format!("{INSTALLED} "))?;
        // What a shell puts in stands for one word.
        let words = match (words.find("$$("), words.find(')')) {
            (Some(from), Some(to)) => format!("{}NOW{}", &words[..from], &words[to + 1..]),
            _ => words.to_owned(),
        };
        Some(words.trim_end_matches('\'').split_whitespace().map(str::to_owned).collect())
    };
    lines.filter_map(of_line).collect()
}

#[test]
fn every_command_that_they_name_is_one() {
    let runbook = Runbook::alone();
    let mut seen = Vec::new();
    for name in UNITS {
        let text = example(name);
        for words in commands(&text) {
            // Everything before it is parsed first.
            runbook.run(words.iter().map(String::as_str).chain(["--help"])).assert(0);
            seen.push(words[0].clone());
        }
        for page in text.lines().filter_map(|line| line.strip_prefix("Documentation=man:runbook-")?.strip_suffix("(1)")) {
            runbook.run(["man", page]).assert(0);
        }
    }
    seen.sort();
    assert_eq!(seen, ["backup", "doctor", "prune", "serve"]);
}

#[test]
fn the_image_starts_what_it_says() {
    let text = example("Dockerfile");
    let lines = text.replace("\\\n", " ");
    let instructions: Vec<(&str, &str)> = lines
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.trim().split_once(' ').unwrap_or_else(|| panic!("`{line}` is no instruction")))
        .collect();
    let known =
        ["FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"];
    for (instruction, _) in &instructions {
        assert!(known.contains(instruction), "{instruction} is no instruction");
    }
    let of =
        |wanted: &str| -> Vec<&str> { instructions.iter().filter(|(name, _)| *name == wanted).map(|(_, rest)| *rest).collect() };
    let rust = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let version = rust.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"')).unwrap();
    assert!(of("FROM")[0].starts_with(&format!("rust:{version}-slim")), "it is built with the version that the sources ask for");
    assert_eq!(of("USER"), ["runbook"], "nobody is root in it");
    let words: Vec<String> = serde_json::from_str(of("ENTRYPOINT")[0]).unwrap();
    assert_eq!((words[0].as_str(), words[1].as_str()), ("runbook", "serve"));
    let listen = words.iter().find_map(|word| word.strip_prefix("0.0.0.0:")).unwrap();
    assert_eq!(of("EXPOSE"), [listen]);
    let given = ["--tls-certificate", "a", "--tls-key", "b", "--help"];
    let runbook = Runbook::alone();
    runbook.run(words[1..].iter().map(String::as_str).chain(given)).assert(0);
    // Beyond loopback it does not start as it stands there: the comment says with what it does.
    runbook.run(words[1..].iter().map(String::as_str)).assert(2).says("give --tls-certificate and --tls-key");
}
