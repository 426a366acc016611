//! The program under test: its own state folder, a plain environment, no terminal.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Scratch, repository, run};

/// `runbook`, with everything it writes in a scratch folder.
pub struct Runbook {
    pub scratch: Scratch,
    catalogue: Option<PathBuf>,
    env: Vec<(String, String)>,
}

/// What one command did.
#[derive(Debug)]
pub struct Ran {
    pub line: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Runbook {
    /// Over the procedures of a folder.
    pub fn over(catalogue: &Path) -> Runbook {
        Runbook { scratch: Scratch::new(), catalogue: Some(catalogue.to_owned()), env: Vec::new() }
    }

    /// Over those that are shipped, with whoever runs the tests as the one who operates.
    pub fn shipped() -> Runbook {
        let runbook = Runbook::alone();
        let catalogue = runbook.scratch.join("runbooks");
        run(Command::new("cp").arg("-r").arg(repository().join("runbooks")).arg(&catalogue));
        let (file, user) = (catalogue.join("workspace.yaml"), run(Command::new("id").arg("-un")));
        let workspace = std::fs::read_to_string(&file).expect("the workspace");
        assert!(workspace.contains("users: [root]"), "{workspace}");
        std::fs::write(&file, workspace.replace("users: [root]", &format!("users: [{}]", user.trim()))).expect("the workspace");
        Runbook { catalogue: Some(catalogue), ..runbook }
    }

    /// Where its procedures are.
    pub fn catalogue(&self) -> &Path {
        self.catalogue.as_deref().expect("a catalogue")
    }

    /// Over none: commands name files.
    pub fn alone() -> Runbook {
        Runbook { scratch: Scratch::new(), catalogue: None, env: Vec::new() }
    }

    /// A variable that every command gets.
    pub fn env(mut self, name: &str, value: impl ToString) -> Runbook {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn state(&self) -> PathBuf {
        self.scratch.join("state")
    }

    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        plain(&mut command, self.scratch.path());
        if let Some(catalogue) = &self.catalogue {
            command.env("RUNBOOK_CATALOGUE", catalogue);
        }
        command.env("RUNBOOK_STATE", self.state()).envs(self.env.iter().cloned()).args(args).current_dir(self.scratch.path());
        command
    }

    /// Runs one command to its end.
    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        self.run_with(args, "")
    }

    /// The same with this on its standard input.
    pub fn run_with<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>, input: &str) -> Ran {
        let mut command = self.command(args);
        let line = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
        let mut given = tempfile::tempfile().expect("a file");
        given.write_all(input.as_bytes()).and_then(|()| given.rewind()).expect("its text");
        let output = command.stdin(given).output().expect("the program starts");
        Ran {
            line,
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// `exec --yes` of a procedure with inputs.
    pub fn exec(&self, procedure: &str, inputs: &[(&str, &str)]) -> Ran {
        let mut args = vec!["exec".to_owned(), procedure.to_owned(), "--yes".to_owned()];
        args.extend(inputs.iter().flat_map(|(name, value)| ["--input".to_owned(), format!("{name}={value}")]));
        self.run(args)
    }

    /// Approves what the last run waits for, and goes on with it.
    pub fn approve_and_resume(&self) -> Ran {
        let shown = self.run(["decisions", "last", "--json"]).assert(0).stdout;
        let shown: serde_json::Value = serde_json::from_str(shown.lines().next().unwrap_or_default()).expect("a decision");
        let digest = shown["request"]["digest"].as_str().expect("a digest");
        self.run(["approve", "last", "--digest", digest, "--reason", "looked at it"]).assert(0);
        self.run(["resume", "last", "--yes"])
    }
}

/// Nothing of the machine's settings reaches the program, and nothing is a terminal.
pub fn plain(command: &mut Command, home: &Path) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    command
        .env_clear()
        .env("PATH", std::env::join_paths(folders).expect("PATH"))
        .env("HOME", home)
        .env("LANG", "C.UTF-8")
        .env("TZ", "UTC")
        .env("USER", std::env::var_os("USER").unwrap_or_else(|| "root".into()))
        .stdin(Stdio::null());
}

impl Ran {
    /// Panics with everything it printed unless it ended with this exit code.
    #[track_caller]
    pub fn assert(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "runbook {}\n--- stdout\n{}\n--- stderr\n{}", self.line, self.stdout, self.stderr);
        self
    }

    /// Panics unless the text is in what it printed.
    #[track_caller]
    pub fn says(self, text: &str) -> Ran {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        assert!(all.contains(text), "runbook {} does not say `{text}`:\n{all}", self.line);
        self
    }
}
