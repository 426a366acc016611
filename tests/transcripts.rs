//! Every transcript in `README.md`, `docs/record.md` and `examples/` is what the program prints. A block fenced as `console` holds commands behind `$ `,
//! what each printed to a pipe, and `[exit N]` where it did not end with 0. The commands of a page run one after another, those of an
//! example in a copy of its folder, those of the front page in an empty one, where a procedure that the page shows is saved under its
//! name; ids, times and durations are made the same in both before they are compared.
//!
//! `UPDATE_TRANSCRIPTS=1` writes what the program says into the pages instead: read the difference before you commit it.

mod harness;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::program::plain;
use harness::scrub::Scrub;
use harness::{Scratch, repository};

macro_rules! transcripts {
    ($($test:ident $folder:literal;)*) => {
        $(#[test] fn $test() { hold(&repository().join("examples").join($folder)); })*
        const FOLDERS: &[&str] = &[$($folder),*];
    };
}

transcripts! {
    hello "01-hello";
    inputs_and_checks "02-inputs-and-checks";
    approval "03-approval";
    choose_and_loops "04-choose-and-loops";
    rollback "05-rollback";
    secrets "06-secrets";
    resume_after_crash "07-resume-after-crash";
    review_in_ci "08-review-in-ci";
    start_from_what_is_there "09-start-from-what-is-there";
    start_from_an_alert "10-start-from-an-alert";
}

#[test]
fn every_example_is_tried() {
    let mut found: Vec<_> = std::fs::read_dir(repository().join("examples"))
        .expect("the examples")
        .flatten()
        // What holds the units of the service is no example to be run through.
        .filter(|entry| entry.path().is_dir() && entry.file_name() != "service")
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, FOLDERS);
}

#[test]
fn front_page() {
    hold_page(&repository().join("README.md"), &Stage::empty());
}

#[test]
fn page_of_the_record() {
    hold_page(&repository().join("docs/record.md"), &Stage::empty());
}

/// Compares the transcript of one example's page with what happens now.
fn hold(folder: &Path) {
    hold_page(&folder.join("README.md"), &Stage::copy_of(folder));
}

fn hold_page(page: &Path, stage: &Stage) {
    let written = std::fs::read_to_string(page).expect("a page");
    let now = retell(&written, stage);
    if now == written {
        return;
    }
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        std::fs::write(page, now).expect("a page");
        return;
    }
    panic!("{} tells what does not happen.\n{}", page.display(), first_difference(&written, &now));
}

/// The page with each transcript as it is now.
fn retell(page: &str, stage: &Stage) -> String {
    let mut told = String::new();
    let user = harness::run(Command::new("id").arg("-un"));
    let mut scrub = Scrub::new(&stage.dir, user.trim());
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        told.push_str(line);
        told.push('\n');
        if line == "```yaml" {
            let shown: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let _ = writeln!(told, "{}\n```", shown.join("\n"));
            stage.save(&shown);
            continue;
        }
        // A file that the commands have made, as a quotation: whatever shows the page renders it.
        if let Some(name) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(".md -->")) {
            let end = format!("<!-- end of {name}.md -->");
            lines.by_ref().take_while(|line| *line != end).for_each(drop);
            let file = std::fs::read_to_string(stage.dir.join(format!("{name}.md"))).expect("a file that was made");
            for line in scrub.clean(&file).lines() {
                let _ = writeln!(told, "{}", format!("> {line}").trim_end());
            }
            let _ = writeln!(told, "{end}");
            continue;
        }
        if line != "```console" {
            continue;
        }
        let mut commands: Vec<String> = Vec::new();
        for line in lines.by_ref().take_while(|line| *line != "```") {
            if let Some(command) = line.strip_prefix("$ ") {
                commands.push(command.to_owned());
            } else if let (Some(more), Some(command)) = (line.strip_prefix("> "), commands.last_mut())
                && command.ends_with('\\')
            {
                command.push('\n');
                command.push_str(more);
            }
        }
        for command in commands {
            let _ = writeln!(told, "$ {}", command.replace('\n', "\n> "));
            let (output, code) = stage.shell(&scrub.restore(&command));
            let output = scrub.clean(&output);
            told.push_str(&output);
            if !output.is_empty() && !output.ends_with('\n') {
                told.push('\n');
            }
            if code != 0 {
                let _ = writeln!(told, "[exit {code}]");
            }
        }
        told.push_str("```\n");
    }
    told
}

/// A folder in which commands run as a reader of the page would run them.
struct Stage {
    scratch: Scratch,
    dir: PathBuf,
}

impl Stage {
    fn copy_of(folder: &Path) -> Stage {
        let scratch = Scratch::new();
        harness::run(Command::new("cp").arg("-a").arg(folder).arg(scratch.path()));
        let dir = scratch.join(folder.file_name().expect("a folder"));
        Stage { scratch, dir }
    }

    fn empty() -> Stage {
        let scratch = Scratch::new();
        let dir = scratch.join("procedures");
        std::fs::create_dir(&dir).expect("a folder");
        Stage { scratch, dir }
    }

    /// Saves a procedure that a page shows as the file that its name calls for.
    fn save(&self, shown: &[&str]) {
        let is_document = shown.first().is_some_and(|line| line.starts_with("apiVersion:"));
        if let Some(name) = shown.iter().find_map(|line| line.strip_prefix("name: ")).filter(|_| is_document) {
            std::fs::write(self.dir.join(format!("{name}.yaml")), shown.join("\n") + "\n").expect("a file");
        }
    }

    /// What a command line prints to standard output and error, in the order in which it comes, and its exit code.
    fn shell(&self, line: &str) -> (String, i32) {
        let program = Path::new(env!("CARGO_BIN_EXE_runbook")).parent().expect("a folder");
        // A loop that waits for what no longer happens must not wait for ever.
        let mut command = Command::new("timeout");
        plain(&mut command, self.scratch.path());
        let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value).unwrap_or_default();
        let path = std::env::join_paths([program.to_owned()].into_iter().chain(std::env::split_paths(path))).expect("PATH");
        command.env("PATH", path).env("RUNBOOK_STATE", self.scratch.join("state")).current_dir(&self.dir);
        command.args(["120", "dash", "-c", &format!("exec 2>&1\n{line}")]);
        let output = command.output().expect("a shell");
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap_or(-1))
    }
}

fn first_difference(written: &str, now: &str) -> String {
    let place = written.lines().zip(now.lines()).take_while(|(a, b)| a == b).count();
    let part = |text: &str| text.lines().skip(place.saturating_sub(3)).take(16).collect::<Vec<_>>().join("\n");
    format!("--- written, line {}\n{}\n--- now\n{}\nUPDATE_TRANSCRIPTS=1 rewrites it.", place + 1, part(written), part(now))
}

#[test]
fn what_differs_between_runs_is_the_same() {
    let mut scrub = Scrub::new(Path::new("/tmp/runbook-test-1/01-hello"), "ann");
    for (said, shown) in [
        ("Hello, world!\n", "Hello, world!\n"),
        ("run 01kaj2kq7n3x1y5z8w0v2t4s6r of ann", "run 01kaj2m9c0w7v3xd5n8r4tq001 of you"),
        (
            "run 01kaj2kq7n3x1y5z8w0v2t4s6q, 01kaj2kq7n3x1y5z8w0v2t4s6r",
            "run 01kaj2m9c0w7v3xd5n8r4tq002, 01kaj2m9c0w7v3xd5n8r4tq001",
        ),
        ("until 13:45 (59m 58s left)", "until 09:30 (59m 59s left)"),
        ("by ann (user ann on host7)", "by you (user you on desk)"),
        ("at 2026-11-21T05:12:01.123456Z", "at 2026-11-21T09:30:00Z"),
        ("try.test.yaml:8:30 of try.yaml:12:45, 8:30", "try.test.yaml:8:30 of try.yaml:12:45, 0:00"),
        ("took 12ms, 1.53s; 3 steps", "took 0.1s, 0.1s; 3 steps"),
        ("in /tmp/runbook-test-1/01-hello/x", "in /home/you/01-hello/x"),
        ("digest abcdef012345 annotated", "digest 5e1f0a9c27d4 annotated"),
    ] {
        assert_eq!(scrub.clean(said), shown);
    }
    let copied = "approve 01kaj2m9c0w7v3xd5n8r4tq002 --digest 5e1f0a9c27d4";
    assert_eq!(scrub.restore(copied), "approve 01kaj2kq7n3x1y5z8w0v2t4s6q --digest abcdef012345");
}
