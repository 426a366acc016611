//! Real crashes of the real program: it is killed and stopped at any place, every write and sync of its state folder fails, falls
//! short or is its last, the power is cut, and the folder is read-only, full or somebody else's. Whatever happens, no step is done
//! twice unasked, nothing acknowledged is lost, and one command goes on.
//!
//! A run of the tests plays a sample drawn from a seed; `CRASHES=all` plays every case, and `CRASHES_FAULT` one of them again. Time is
//! never waited for: faults strike at counted calls, and clocks run ahead where a lease is to end.

mod creations;
mod desk;
mod folder;
#[path = "../harness/mod.rs"]
mod harness;
mod judge;
mod layer;
mod owners;
mod power;

use desk::{Book, Desk, EXEC, LONG, LOUD, SHORT, UNDONE};
use judge::{Calm, Seen, every, play};
use layer::{Dice, Fault, Kind, Place, What, figures};

/// Whether every case is played, rather than a sample.
fn all() -> bool {
    std::env::var("CRASHES").is_ok_and(|wanted| wanted == "all")
}

/// Whether one case is played again, which need not show what many do.
fn alone() -> bool {
    std::env::var_os("CRASHES_FAULT").is_some()
}

/// All cases, or so many of them, or the one that was asked for.
fn sample<C: std::fmt::Display>(cases: Vec<C>, most: usize, seed: u64) -> Vec<C> {
    if let Ok(wanted) = std::env::var("CRASHES_FAULT") {
        return cases.into_iter().filter(|case| case.to_string() == wanted).collect();
    }
    let mut dice = Dice::new(seed);
    let mut left = cases.len() as u64;
    let mut wanted = if all() { left } else { most as u64 };
    // Each of those left is as likely as any other.
    let mut draw = |_: &C| {
        let taken = dice.below(left) < wanted;
        left -= 1;
        wanted -= u64::from(taken);
        taken
    };
    cases.into_iter().filter(&mut draw).collect()
}

/// Every place of a run with each of these faults, or a sample.
fn matrix(book: &'static Book, place: Place, faults: &[What], most: usize) -> Vec<Seen> {
    let calm = Calm::of(book);
    let last = calm.places(place);
    let places = (1..=last).flat_map(|at| faults.iter().map(move |what| Fault { what: *what, place, at }));
    let seen = every(sample(places.collect(), most, 1), |fault| {
        let seen = play(book, &calm, fault)?;
        // What comes to the disk together depends on the moment, and with it how many calls there are.
        if seen.struck || fault.at * 5 > last * 4 { Ok(seen) } else { Err("it never struck".to_owned()) }
    });
    tell(&format!("{faults:?} at {last} places of a run of {} effects", calm.effects()), &seen);
    seen
}

fn struck(seen: &[Seen]) -> usize {
    seen.iter().filter(|seen| seen.struck).count()
}

fn tell(what: &str, seen: &[Seen]) {
    let struck = struck(seen);
    let told = seen.iter().filter(|seen| seen.told).count();
    let asked: usize = seen.iter().map(|seen| seen.asked).sum();
    figures(&format!("{what}: {} cases, {struck} struck, {told} told as errors, {asked} unknown ends asked about", seen.len()));
}

/// What the layer does not see could not fail: `strace` sees everything.
#[test]
fn every_change_of_the_state_folder_passes_the_layer() {
    let desk = Desk::new(&SHORT);
    passes_the_layer(&desk, EXEC, 3, 50);
    assert_eq!(desk.locks(), ["crash"], "while it waits for an approval");
    passes_the_layer(&desk, &desk.approval("last", "d1"), 0, 2);
    passes_the_layer(&desk, "resume last --yes", 1, 30);
    let desk = Desk::new(&UNDONE);
    passes_the_layer(&desk, EXEC, 0, 20);
    passes_the_layer(&desk, "undo last --yes", 0, 10);
    assert_eq!(desk.lines(), ["first", "un-first"]);
}

/// Runs a command that ends with this code and makes so many changes or more, none of them past the layer.
fn passes_the_layer(desk: &Desk, line: &str, code: i32, least: usize) {
    let (seen, trace) = (desk.join("seen"), desk.join("trace"));
    let _ = std::fs::remove_file(&trace);
    let ours = desk.command(line, None, Some(&trace));
    let calls = "trace=write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,msync,syncfs,sync,rename,renameat,renameat2,\
                 unlink,unlinkat,truncate,ftruncate,fallocate,copy_file_range,sendfile,splice";
    let mut traced = desk.traced(&ours, &seen);
    traced.args(["-e", calls]).arg(ours.get_program()).args(ours.get_args());
    let ran = traced.output().expect("it starts; tests/setup.sh installs strace");
    assert_eq!(ran.status.code(), Some(code), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    let seen = std::fs::read_to_string(&seen).expect("a trace");
    let state = desk.state.to_string_lossy().into_owned();
    let seen: Vec<&str> = seen.lines().filter(|line| line.contains(&state) && !line.contains("/trace>")).collect();
    let changes = layer::trace(&trace);
    let passed = changes.iter().filter(|change| !matches!(change.kind, Kind::Sync { .. } | Kind::Create)).count();
    assert!(passed >= least, "{line}: only {passed} changes");
    assert_eq!(passed, seen.len(), "{line}: {}", seen.join("\n"));
    assert!(!seen.iter().any(|line| line.contains("sync(")), "{line}: a sync goes past the layer:\n{}", seen.join("\n"));
}

#[test]
fn killed_at_any_moment() {
    let calm = Calm::of(&LONG);
    assert!(calm.effects() >= 25, "only {} effects", calm.effects());
    let mut dice = Dice::new(7);
    let at = (0..500).map(|_| Fault { what: What::Kill, place: Place::Call, at: 1 + dice.below(calm.places(Place::Call)) });
    let seen = every(sample(at.collect(), 80, 1), |fault| play(&LONG, &calm, fault));
    tell(&format!("killed at random among {} calls", calm.places(Place::Call)), &seen);
    assert!(alone() || struck(&seen) * 10 >= seen.len() * 9, "only {} of {} kills struck", struck(&seen), seen.len());
}

#[test]
fn killed_at_each_change_of_the_state_folder() {
    matrix(&SHORT, Place::Change, &[What::Kill, What::Tear], 80);
}

/// What a process leaves to the next: the run goes on with a log that was copied in part, or had begun anew.
#[test]
fn whatever_becomes_of_the_end_of_a_process() {
    let onward = |number| What::Fail { number, onward: true };
    let desk = Desk::new(&LOUD);
    assert_eq!(desk.run(EXEC, None).code, Some(3));
    assert!(desk.control.counted(Place::Copy) > 20, "the log is not emptied while the run waits");
    matrix(&LOUD, Place::Copy, &[What::Kill, What::Tear, What::Short, onward(libc::EIO), onward(libc::ENOSPC)], 30);
}

#[test]
fn every_change_of_the_state_folder_fails() {
    matrix(&SHORT, Place::Change, &[What::Short], 25);
    for number in [libc::EIO, libc::ENOSPC, libc::EDQUOT] {
        let faults = [false, true].map(|onward| What::Fail { number, onward });
        let seen = matrix(&SHORT, Place::Change, &faults, 40);
        // The command does its work all the same where an output cannot be kept, which its record says, or where no more than the
        // journal's log was to be copied when the process ended.
        let told = seen.iter().filter(|seen| seen.told).count();
        assert!(alone() || told * 3 >= struck(&seen) * 2, "only {told} of {} failures were told as errors", struck(&seen));
    }
}
