//! What whoever keeps a machine with runs relies on: the doctor, backups and what is made out of them, and the units that start the
//! server; each tried as an operator does, with the real program.

mod backup;
mod doctor;
#[path = "../harness/mod.rs"]
mod harness;
mod prune;
mod units;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use harness::program::Runbook;
use harness::{Scratch, eventually, run};

/// A catalogue of one procedure, and the program over it.
pub struct Place {
    pub books: PathBuf,
    pub runbook: Runbook,
    /// Lines that steps leave outside of any record.
    pub effects: PathBuf,
    _scratch: Scratch,
}

impl Place {
    /// `EFFECTS` in the steps is the file of their effects.
    pub fn with(steps: &str) -> Place {
        let scratch = Scratch::new();
        let books = scratch.folder("books");
        let effects = scratch.join("effects");
        let user = run(Command::new("id").arg("-un"));
        let workspace = format!(
            "apiVersion: runbook/v1\nkind: Workspace\nname: kept\npeople: {{you: {{users: [{}]}}}}\naccess: [{{role: admin, to: [you]}}]\nescalations: {{e: {{steps: [{{to: [you], after: 10m}}]}}}}\n",
            user.trim()
        );
        std::fs::write(books.join("workspace.yaml"), workspace).unwrap();
        let steps = steps.replace("EFFECTS", &effects.display().to_string());
        let text = format!("apiVersion: runbook/v1\nkind: Runbook\nname: fix\nversion: 1.0.0\nlock: one\nsteps: {steps}\n");
        std::fs::write(books.join("fix.yaml"), text).unwrap();
        let runbook = Runbook::over(&books);
        Place { books, runbook, effects, _scratch: scratch }
    }

    /// The same catalogue over another state folder.
    pub fn beside(&self, state: &str) -> Beside<'_> {
        Beside { place: self, state: self.runbook.scratch.join(state) }
    }

    pub fn effects(&self) -> String {
        std::fs::read_to_string(&self.effects).unwrap_or_default()
    }

    /// Starts a run whose step is under way once this returns.
    pub fn under_way(&self, effect: &str) -> Begun {
        let child = Begun::quietly(&mut self.runbook.command(["exec", "fix", "--yes"]));
        eventually("an effect", || self.effects().contains(effect).then_some(()));
        child
    }
}

/// A process that ends with the test, however that ends.
pub struct Begun(Child);

impl Begun {
    pub fn quietly(command: &mut Command) -> Begun {
        Begun(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl std::ops::Deref for Begun {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Begun {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Beside<'p> {
    place: &'p Place,
    pub state: PathBuf,
}

impl Beside<'_> {
    pub fn run(&self, words: &[&str]) -> harness::program::Ran {
        let state = self.state.display().to_string();
        self.place.runbook.run([&["--state", &state], words].concat())
    }
}
