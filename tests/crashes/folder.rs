//! State folders that cannot be used: one that may only be read, one in which nothing can be made, one of somebody else, one that
//! is full. Every command says which folder it is and what to do, and changes nothing.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

use crate::desk::{Desk, EXEC, Ran, SHORT};
use crate::judge::{Calm, clear, judge, recover, went_well};
use crate::layer::{Fault, Place, What};

/// What people do with a state folder.
const COMMANDS: [&str; 7] = [EXEC, "resume last --yes", APPROVE, "runs", "show last", "logs last", "verify last"];
const APPROVE: &str = "approve last --reason looked";

fn fails(number: i32) -> Fault {
    Fault { what: What::Fail { number, onward: true }, place: Place::Change, at: 1 }
}

#[test]
fn a_folder_that_may_only_be_read_or_is_full_is_named() {
    let calm = Calm::of(&SHORT);
    for (number, of_a_run_that_waits, of_a_new_folder) in [
        (libc::EROFS, "cannot be written to", "cannot be written to"),
        (libc::EACCES, "cannot be written to", "cannot be written to"),
        (libc::ENOSPC, "cannot grow", "cannot grow"),
        (libc::EDQUOT, "cannot grow", "cannot grow"),
        (libc::EIO, "stopped writing", "is refused"),
    ] {
        for (begun, said) in [(true, of_a_run_that_waits), (false, of_a_new_folder)] {
            let desk = Desk::new(&SHORT);
            if begun {
                assert_eq!(desk.run(EXEC, None).code, Some(3));
            }
            let (before, counts) = (desk.record(), desk.counted());
            let approve = if begun { desk.approval("last", "d1") } else { APPROVE.to_owned() };
            for line in COMMANDS.iter().take(if begun { COMMANDS.len() } else { 1 }) {
                let line = if *line == APPROVE { &approve } else { *line };
                let ran = desk.run(line, Some(fails(number)));
                let told = clear(&ran, &desk.state.to_string_lossy()).unwrap_or_else(|why| panic!("{number}: {why}"));
                assert!(told || !["exec", "resume", "approve"].iter().any(|word| line.starts_with(word)), "{number}: {ran:#?}");
                assert!(!told || ran.err.contains(said), "{number}: {ran:#?}");
            }
            assert_eq!((desk.record(), desk.counted()), (before.clone(), counts));
            recover(&desk).and_then(|_| judge(&desk, &calm, &before)).unwrap_or_else(|why| panic!("{number}: {why}"));
        }
    }
}

/// Runs a command that the modes of files bind, also where root runs the tests.
fn bound(desk: &Desk, line: &str) -> Ran {
    let mut command = desk.command(line, None, None);
    if rustix::process::geteuid().is_root() {
        let mut bound = Command::new("setpriv");
        bound.args(["--bounding-set", "-dac_override,-dac_read_search"]).arg(command.get_program()).args(command.get_args());
        bound.env_clear().current_dir(desk.join("."));
        bound.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command = bound;
    }
    Ran::of(line, &command.output().expect("it starts; tests/setup.sh installs util-linux"))
}

#[test]
fn a_folder_in_which_nothing_can_be_made_is_named() {
    for (what, commands) in [("new", 1), ("without the journal's log", COMMANDS.len()), ("with all its files", 0)] {
        let desk = Desk::new(&SHORT);
        if what == "new" {
            std::fs::create_dir(&desk.state).expect("a folder");
        } else {
            assert_eq!(desk.run(EXEC, None).code, Some(3));
        }
        if what == "without the journal's log" {
            // Whoever is the last to leave SQLite takes the log along.
            let journal = Connection::open(desk.state.join("journal.db")).expect("the journal");
            journal.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("nobody is there");
        }
        let (before, counts) = (desk.record(), desk.counted());
        let mode = |mode| std::fs::set_permissions(&desk.state, Permissions::from_mode(mode)).expect("it is ours");
        mode(0o500);
        for line in &COMMANDS[..commands] {
            let ran = bound(&desk, line);
            let told = clear(&ran, &desk.state.to_string_lossy()).unwrap_or_else(|why| panic!("{what}: {why}"));
            assert!(told && ran.err.contains("cannot be written to"), "{what}: {ran:#?}");
        }
        if commands == 0 {
            // There is nothing to be made.
            went_well(&bound(&desk, "show last")).unwrap_or_else(|why| panic!("{what}: {why}"));
        }
        mode(0o700);
        assert_eq!((desk.record(), desk.counted()), (before.clone(), counts), "{what}");
        recover(&desk).and_then(|_| judge(&desk, &Calm::of(&SHORT), &before)).unwrap_or_else(|why| panic!("{what}: {why}"));
    }
}

/// A folder that belongs to another user: one that is given away where we may do that, else one of the system's.
fn foreign(desk: &Desk) -> PathBuf {
    if !rustix::process::geteuid().is_root() {
        return PathBuf::from("/usr");
    }
    std::fs::create_dir(&desk.state).expect("a folder");
    std::os::unix::fs::chown(&desk.state, Some(65_534), Some(65_534)).expect("root may give it away");
    desk.state.clone()
}

#[test]
fn a_folder_of_somebody_else_is_refused() {
    let desk = Desk::new(&SHORT);
    let folder = foreign(&desk);
    let listed = |folder: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(folder).expect("it can be read").flatten().map(|e| e.file_name()).collect();
        names.sort();
        names
    };
    assert_ne!(std::fs::metadata(&folder).expect("it is there").uid(), rustix::process::geteuid().as_raw());
    let before = listed(&folder);
    for line in COMMANDS {
        let ran = desk.run(&format!("--state {} {line}", folder.display()), None);
        assert!(clear(&ran, &folder.to_string_lossy()).unwrap_or_else(|why| panic!("{why}")), "{ran:#?}");
        assert!(ran.err.contains("it belongs to "), "{ran:#?}");
    }
    assert_eq!(listed(&folder), before);
    assert!(desk.counted().is_empty());
}
