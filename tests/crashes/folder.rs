//! State folders that cannot be used: one that may only be read, one of somebody else, one that is full. Every command says which
//! folder it is and what to do, and changes nothing.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::desk::{Desk, EXEC, SHORT};
use crate::judge::{Calm, clear, judge, recover};
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
