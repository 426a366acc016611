//! The fault layer from the side of the tests: it is compiled once, put before the program, told what is to happen, and asked
//! what it has counted and seen.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Any call that the layer sees: also readings of the clock, locks, and both sides of the start of a program.
    Call,
    /// A call that changes or syncs something in the state folder.
    Change,
    /// One of these by which the journal's log is copied into the database, or begins anew: mostly when a process ends.
    Copy,
    /// A commit is over.
    Release,
}

/// What happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Kill,
    /// Half of a write happens, and the process is killed.
    Tear,
    Stop,
    /// Half of a write happens.
    Short,
    /// The call fails with this number: once, or from there on.
    Fail {
        number: i32,
        onward: bool,
    },
}

/// One fault of one case. Its text is what the library reads, and what `CRASHES_FAULT` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub what: What,
    pub place: Place,
    /// From 1.
    pub at: u64,
}

impl Fault {
    pub fn ends_the_process(&self) -> bool {
        matches!(self.what, What::Kill | What::Tear)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Kill => "kill",
            What::Tear => "tear",
            What::Stop => "stop",
            What::Short => "short",
            What::Fail { .. } => "fail",
        };
        let place = match self.place {
            Place::Call => "call",
            Place::Change => "change",
            Place::Copy => "copy",
            Place::Release => "release",
        };
        write!(f, "{what} {place} {}", self.at)?;
        if let What::Fail { number, onward } = self.what {
            write!(f, " {number}{}", if onward { " on" } else { "" })?;
        }
        Ok(())
    }
}

/// The library, compiled once for each process of the tests.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, library) = (folder.path().join("faults.c"), folder.path().join("faults.so"));
        std::fs::write(&source, include_str!("faults.c")).expect("its source");
        let compiled = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-pthread"])
            .output()
            .expect("a C compiler, as for SQLite");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        (folder, library)
    });
    path
}

/// The file that the library shares with the test: what has been counted at each place, how often a fault struck, and how many
/// seconds the clocks are ahead.
pub struct Control(PathBuf);

impl Control {
    pub fn new(path: PathBuf) -> Control {
        std::fs::write(&path, [0; 48]).expect("a file");
        Control(path)
    }

    /// Sets the library before a program.
    pub fn set(&self, command: &mut Command, folder: &Path, effects: &Path, fault: Option<Fault>, trace: Option<&Path>) {
        command.env("LD_PRELOAD", library()).env("FAULT_CONTROL", &self.0).env("FAULT_FOLDER", folder);
        command.env("FAULT_EFFECTS", effects);
        if let Some(fault) = fault {
            command.env("FAULT", fault.to_string());
        }
        if let Some(trace) = trace {
            command.env("FAULT_TRACE", trace);
        }
    }

    fn word(&self, word: usize) -> u64 {
        let bytes = std::fs::read(&self.0).expect("the shared file");
        u64::from_ne_bytes(bytes[word * 8..][..8].try_into().expect("eight bytes"))
    }

    pub fn counted(&self, place: Place) -> u64 {
        self.word(place as usize)
    }

    pub fn struck(&self) -> bool {
        self.word(4) > 0
    }

    /// Sets the clocks of the processes that share this file ahead, also of those that have begun.
    pub fn ahead(&self, seconds: i64) {
        let file = OpenOptions::new().write(true).open(&self.0).expect("the shared file");
        file.write_all_at(&seconds.to_ne_bytes(), 40).expect("the shared file");
    }
}

/// One change of the state folder, as the library saw it happen.
#[derive(Clone, Debug)]
pub struct Change {
    pub kind: Kind,
    pub path: PathBuf,
    /// Bytes of effects outside, just before.
    pub effects: u64,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Write {
        offset: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        size: u64,
    },
    /// With the folders in it, where it is one.
    Sync {
        folders: Vec<PathBuf>,
    },
    Unlink,
    Rename {
        to: PathBuf,
    },
    Create,
}

/// Reads a trace to its end.
pub fn trace(path: &Path) -> Vec<Change> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut rest = bytes.as_slice();
    let mut changes = Vec::new();
    while !rest.is_empty() {
        let mut head = [0; 40];
        rest.read_exact(&mut head).expect("a whole entry");
        let number = |n: usize| u64::from_ne_bytes(head[n * 8..][..8].try_into().expect("eight bytes"));
        let (path, after) = rest.split_at(number(3) as usize);
        let (bytes, after) = after.split_at(number(4) as usize);
        rest = after;
        let named = |bytes: &[u8]| PathBuf::from(String::from_utf8(bytes.to_vec()).expect("paths of the tests are text"));
        let kind = match number(0) {
            1 => Kind::Write { offset: number(2), bytes: bytes.to_vec() },
            2 => Kind::Truncate { size: number(2) },
            3 => Kind::Sync { folders: String::from_utf8_lossy(bytes).lines().map(PathBuf::from).collect() },
            4 => Kind::Unlink,
            5 => Kind::Rename { to: named(bytes) },
            6 => Kind::Create,
            other => panic!("an entry of kind {other}"),
        };
        changes.push(Change { kind, path: named(path), effects: number(1) });
    }
    changes
}

/// Numbers from a seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}

/// Tells the figures of a matrix, past the capture of the test's own output.
pub fn figures(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
