//! The folders of the state folder and the logs in it are made by calls that no library stands before: `strace` lets each of them fail,
//! or kills the program where it comes to it.

use std::fmt;

use crate::desk::{Desk, EXEC, SHORT};
use crate::judge::{Calm, Seen, clear, every, judge, outcome, recover, so_far};
use crate::{alone, sample, struck, tell};

const CALLS: [&str; 3] = ["mkdir", "mkdirat", "openat"];

/// What becomes of the call of this number.
#[derive(Clone, Copy, Debug)]
struct Fault {
    call: &'static str,
    nth: usize,
    blow: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.call, self.nth, self.blow)
    }
}

/// Whether this call, as `strace` writes it, makes something in the state folder that the fault layer does not see being made.
fn makes(line: &str, call: &str, state: &str) -> bool {
    line.contains(state) && !line.contains("journal.db") && (call != "openat" || line.contains("O_CREAT"))
}

/// The calls of the program itself in the order in which they began, each with its answer, as far as there was one.
fn calls(trace: &str) -> Vec<String> {
    let program = trace.split_whitespace().next().unwrap_or_default();
    let mut calls: Vec<String> = Vec::new();
    for line in trace.lines().filter_map(|line| line.strip_prefix(program)).map(str::trim_start) {
        match (line.starts_with("<... "), calls.last_mut()) {
            (true, Some(begun)) => begun.push_str(line),
            _ => calls.push(line.to_owned()),
        }
    }
    calls
}

/// Which calls of the program make something, by their number among all of their name.
fn makings() -> Vec<(&'static str, usize)> {
    let desk = Desk::new(&SHORT);
    let seen = desk.join("seen");
    let ours = desk.command(EXEC, None, None);
    let mut traced = desk.traced(&ours, &seen);
    traced.args(["-e", &format!("trace={}", CALLS.join(","))]).arg(ours.get_program()).args(ours.get_args());
    let ran = traced.output().expect("it starts; tests/setup.sh installs strace");
    assert_eq!(ran.status.code(), Some(3), "{}", String::from_utf8_lossy(&ran.stderr));
    let (seen, state) = (std::fs::read_to_string(&seen).expect("a trace"), desk.state.to_string_lossy().into_owned());
    let mut found = Vec::new();
    let mut counts = [0; CALLS.len()];
    for line in calls(&seen) {
        let Some(which) = CALLS.iter().position(|call| line.starts_with(&format!("{call}("))) else { continue };
        counts[which] += 1;
        if makes(&line, CALLS[which], &state) {
            found.push((CALLS[which], counts[which]));
        }
    }
    found
}

fn play(calm: &Calm, fault: Fault) -> Result<Seen, String> {
    let desk = Desk::new(&SHORT);
    let (seen, state) = (desk.join("seen"), desk.state.to_string_lossy().into_owned());
    let ours = desk.command(EXEC, None, None);
    let mut traced = desk.traced(&ours, &seen);
    let inject = format!("inject={}:{}:when={}", fault.call, fault.blow, fault.nth);
    traced.args(["-e", &format!("trace={}", fault.call), "-e", &inject]).arg(ours.get_program()).args(ours.get_args());
    let ran = crate::desk::Ran::of(EXEC, &traced.output().expect("it starts"));
    let calls = calls(&std::fs::read_to_string(&seen).unwrap_or_default());
    let kills = fault.blow == "signal=KILL";
    let hit = if kills { calls.last() } else { calls.iter().find(|call| call.contains("INJECTED")) };
    let struck = hit.is_some_and(|call| makes(call, fault.call, &state)) && (!kills || ran.signal == Some(9));
    let told = !kills && clear(&ran, &state)?;
    desk.settle();
    let before = desk.record();
    so_far(&desk, &before)?;
    if !kills && !told && outcome(&before).is_none() && desk.open().is_empty() {
        return Err(format!("it says nothing, and the run has not gone on: {ran:#?}"));
    }
    let asked = recover(&desk)?;
    judge(&desk, calm, &before)?;
    Ok(Seen { struck, asked, told })
}

#[test]
fn every_folder_and_every_log_that_is_made_fails_or_is_the_last() {
    let makings = makings();
    let logs = makings.iter().filter(|(call, _)| *call == "openat").count();
    assert!(logs >= 1 && makings.len() >= logs + 3, "the state folder, that of the logs and that of the run: {makings:?}");
    let calm = Calm::of(&SHORT);
    let blows = ["error=EIO", "error=ENOSPC", "error=EDQUOT", "signal=KILL"];
    let faults = makings.iter().flat_map(|&(call, nth)| blows.map(|blow| Fault { call, nth, blow }));
    let seen = every(sample(faults.collect(), usize::MAX, 1), |fault| play(&calm, fault));
    tell(&format!("{} calls that make a folder or a log", makings.len()), &seen);
    assert!(alone() || struck(&seen) == seen.len(), "only {} of {} faults struck", struck(&seen), seen.len());
}
