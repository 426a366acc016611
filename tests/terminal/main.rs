//! The program before a person: on a real pseudo-terminal, read through a terminal emulator, answered with keys. What it does
//! without a terminal is in the suite `cli`.

#[path = "../harness/mod.rs"]
mod harness;

mod display;
mod hostile;
mod interrupts;
mod questions;

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::Scratch;
use harness::program::plain;
use harness::terminal::{self, ROOMY, Terminal};

/// A catalogue and a state folder of its own, and the program over them, in as many terminals as are wanted.
pub struct Desk {
    scratch: Scratch,
}

impl Desk {
    /// With one procedure, `try`, of these keys.
    pub fn new(procedure: &str) -> Desk {
        let scratch = Scratch::new();
        let head = "apiVersion: runbook/v1\nkind: Runbook\nname: try\nversion: 1.0.0\n";
        std::fs::write(scratch.folder("work").join("try.yaml"), format!("{head}{procedure}")).expect("a procedure");
        Desk { scratch }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.join("work").join(name)
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        plain(&mut command, self.scratch.path());
        command.env("TERM", "xterm-256color").env("SHELL", "/bin/sh");
        command.args(words(line)).current_dir(self.path(""));
        command
    }

    /// A shell with the program on its path.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(self.path("")).env_clear();
        command.envs(self.command("").get_envs().filter_map(|(name, value)| Some((name, value?))));
        let folder = Path::new(env!("CARGO_BIN_EXE_runbook")).parent().expect("a folder");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = [folder.to_owned()].into_iter().chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).expect("PATH"));
        command
    }

    /// In a terminal with room.
    pub fn terminal(&self, line: &str) -> Terminal {
        self.terminal_of(self.command(line))
    }

    pub fn terminal_of(&self, command: Command) -> Terminal {
        Terminal::start(command, ROOMY)
    }

    /// The command, without a terminal, that approves what the newest run asks for.
    pub fn approval(&self) -> String {
        let list = self.run("decisions last --json", 0);
        let json: serde_json::Value = serde_json::from_str(list.lines().next().unwrap_or_default()).expect("JSON");
        format!("approve last --reason seen --digest {}", json["request"]["digest"].as_str().expect("a digest"))
    }

    /// The id of the newest run.
    pub fn last(&self) -> String {
        let list = self.run("runs --json -n 1", 0);
        let json: serde_json::Value = serde_json::from_str(list.trim()).expect("JSON");
        json["run"].as_str().expect("an id").to_owned()
    }

    /// What a command without a terminal prints, which must end with this exit code.
    #[track_caller]
    pub fn run(&self, line: &str, code: i32) -> String {
        let output = self.command(line).output().expect("the program starts");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "runbook {line}\n{text}");
        text
    }
}

/// Words of a command line; `'…'` keeps spaces.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(
            |(place, part)| {
                if place % 2 == 1 { vec![part.to_owned()] } else { part.split_whitespace().map(str::to_owned).collect() }
            },
        )
        .collect()
}
