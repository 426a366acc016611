//! Real crashes of the real program: it is killed and stopped at any place, every write and sync of its state folder fails, falls
//! short or is its last, the power is cut, and the folder is read-only, full or somebody else's. Whatever happens, no step is done
//! twice unasked, nothing acknowledged is lost, and one command goes on.
//!
//! A run of the tests plays a sample drawn from a seed; `CRASHES=all` plays every case, and `CRASHES_FAULT` one of them again. Time is
//! never waited for: faults strike at counted calls, and clocks run ahead where a lease is to end.

mod desk;
mod folder;
#[path = "../harness/mod.rs"]
mod harness;
mod judge;
mod layer;
mod owners;
mod power;

use std::process::Command;

use desk::{Book, Desk, EXEC, LONG, SHORT};
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
    let places = (1..=calm.places(place)).flat_map(|at| faults.iter().map(move |what| Fault { what: *what, place, at }));
    let seen = every(sample(places.collect(), most, 1), |fault| play(book, &calm, fault));
    tell(&format!("{faults:?} at {} places of a run of {} effects", calm.places(place), calm.effects()), &seen);
    seen
}

fn tell(what: &str, seen: &[Seen]) {
    let struck = seen.iter().filter(|seen| seen.struck).count();
    let told = seen.iter().filter(|seen| seen.told).count();
    let asked: usize = seen.iter().map(|seen| seen.asked).sum();
    figures(&format!("{what}: {} cases, {struck} struck, {told} told as errors, {asked} unknown ends asked about", seen.len()));
}

/// What the layer does not see could not fail: `strace` sees everything.
#[test]
fn every_change_of_the_state_folder_passes_the_layer() {
    let desk = Desk::new(&SHORT);
    let (seen, trace) = (desk.join("seen"), desk.join("trace"));
    let ours = desk.command(EXEC, None, Some(&trace));
    let calls = "trace=write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,msync,syncfs,sync,rename,renameat,renameat2,\
                 unlink,unlinkat,truncate,ftruncate,fallocate,copy_file_range,sendfile,splice";
    let mut traced = Command::new("strace");
    traced.args(["-f", "-y", "-qq", "-e", calls, "-e", "signal=none", "-o"]).arg(&seen);
    // The library goes before the program, not before the tracer.
    traced.env_clear().current_dir(desk.join("."));
    for (name, value) in ours.get_envs() {
        traced.arg("-E").arg(format!("{}={}", name.display(), value.expect("it is set").display()));
    }
    traced.arg(ours.get_program()).args(ours.get_args());
    traced.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let ran = traced.output().expect("it starts; tests/setup.sh installs strace");
    assert_eq!(ran.status.code(), Some(3), "{}", String::from_utf8_lossy(&ran.stderr));
    let seen = std::fs::read_to_string(&seen).expect("a trace");
    let state = desk.state.to_string_lossy().into_owned();
    let seen: Vec<&str> = seen.lines().filter(|line| line.contains(&state) && !line.contains("/trace>")).collect();
    let changes = layer::trace(&trace);
    let passed = changes.iter().filter(|change| !matches!(change.kind, Kind::Sync { .. } | Kind::Create)).count();
    assert!(passed > 50, "only {passed} changes");
    assert_eq!(passed, seen.len(), "{}", seen.join("\n"));
    assert!(!seen.iter().any(|line| line.contains("sync(")), "a sync goes past the layer:\n{}", seen.join("\n"));
}

#[test]
fn killed_at_any_moment() {
    let calm = Calm::of(&LONG);
    assert!(calm.effects() >= 25, "only {} effects", calm.effects());
    let mut dice = Dice::new(7);
    let at = (0..500).map(|_| Fault { what: What::Kill, place: Place::Call, at: 1 + dice.below(calm.places(Place::Call)) });
    let seen = every(sample(at.collect(), 80, 1), |fault| play(&LONG, &calm, fault));
    tell(&format!("killed at random among {} calls", calm.places(Place::Call)), &seen);
    assert!(alone() || seen.iter().filter(|seen| seen.struck).count() * 2 >= seen.len(), "most kills must strike");
}

#[test]
fn killed_at_each_change_of_the_state_folder() {
    matrix(&SHORT, Place::Change, &[What::Kill, What::Tear], 80);
}

#[test]
fn every_change_of_the_state_folder_fails() {
    let mut faults = vec![What::Short];
    for number in [libc::EIO, libc::ENOSPC, libc::EDQUOT] {
        faults.extend([false, true].map(|onward| What::Fail { number, onward }));
    }
    matrix(&SHORT, Place::Change, &faults, 140);
}
