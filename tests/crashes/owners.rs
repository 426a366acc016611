//! Two processes and one run: one that was stopped for longer than its lease, two that take it up at once, and one whose process id
//! belongs to another by now. One of them owns the run, the other says who does and performs nothing.

use std::process::{Child, Output};

use rusqlite::Connection;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::desk::{Book, Desk, EXEC, LONG, Ran, SHORT};
use crate::judge::{Calm, Seen, clear, every, judge, outcome, recover, went_well};
use crate::layer::{Control, Fault, Place, What};
use crate::{alone, sample, struck, tell};

/// Longer than any lease.
const LATER: i64 = 60;

/// A process that was stopped, or has ended before.
struct Stopped {
    line: String,
    child: Child,
    is_stopped: bool,
}

impl Stopped {
    /// Runs a command until it has given the journal back so many times.
    fn at(desk: &Desk, control: &Control, line: &str, release: u64) -> Stopped {
        let fault = Fault { what: What::Stop, place: Place::Release, at: release };
        let mut command = desk.command(line, None, None);
        control.set(&mut command, &desk.state, &desk.effects(), Some(fault), None);
        let child = command.spawn().expect("the program starts");
        let pid = Pid::from_child(&child);
        // Looked at and left where it has ended: `wait` collects it.
        let is_stopped = loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Ok(Some(status)) => break status.stopped(),
                Ok(None) => {}
                Err(error) => assert_eq!(error, Errno::INTR),
            }
        };
        Stopped { line: line.to_owned(), child, is_stopped }
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    fn go_on(self) -> Ran {
        if self.is_stopped {
            kill_process(Pid::from_child(&self.child), Signal::CONT).expect("it is there");
        }
        let output: Output = self.child.wait_with_output().expect("it ends");
        Ran::of(&self.line, &output)
    }
}

/// A process stops after a commit, its lease runs out, another one takes the run over and ends it. The first one comes back.
fn stop_and_thaw(calm: &Calm, fault: Fault) -> Result<Seen, String> {
    let desk = Desk::new(&LONG);
    let control = Control::new(desk.join("control-of-the-first"));
    let mut first = None;
    // The fault is counted over all commands, of which the last one stops.
    while first.is_none() && outcome(&desk.record()).is_none() {
        for line in desk.next_lines() {
            let stopped = Stopped::at(&desk, &control, &line, fault.at);
            if stopped.is_stopped {
                first = Some(stopped);
                break;
            }
            stopped.go_on();
        }
    }
    let Some(first) = first else { return Ok(Seen::default()) };
    desk.spare(first.id());
    desk.settle();
    let before = desk.record();
    if before.is_empty() {
        // It has no run yet that anybody could take over.
        return went_well(&first.go_on()).map(|()| Seen::default());
    }
    desk.control.ahead(LATER);
    let asked = recover(&desk)?;
    let (record, counts) = (desk.record(), desk.counted());
    control.ahead(LATER);
    let thawed = first.go_on();
    desk.settle();
    // It may not have got as far as to have the run.
    let has_ended = thawed.code == Some(2) && thawed.err.contains("has ended");
    let told = !has_ended && clear(&thawed, "")?;
    let (record_now, counts_now) = (desk.record(), desk.counted());
    if record_now != record || counts_now != counts {
        let added = &record_now[record.len().min(record_now.len())..];
        return Err(format!("it did something after it had lost the run: {added:#?}, {counts:?}, {counts_now:?}, {thawed:#?}"));
    }
    judge(&desk, calm, &before)?;
    Ok(Seen { struck: true, asked, told })
}

#[test]
fn a_process_that_was_stopped_past_its_lease_performs_nothing_more() {
    let calm = Calm::of(&LONG);
    let at = |at| Fault { what: What::Stop, place: Place::Release, at };
    let cases = (1..=calm.places(Place::Release)).map(at).collect();
    let seen = every(sample(cases, 12, 5), |fault| stop_and_thaw(&calm, fault));
    tell(&format!("stopped after each of {} commits, and thawed", calm.places(Place::Release)), &seen);
    assert!(alone() || struck(&seen) * 2 >= seen.len(), "only {} of {} stops struck", struck(&seen), seen.len());
    assert!(alone() || seen.iter().any(|seen| seen.told), "no thawed process said that it had lost the run");
}

/// A run that has been approved and waits for somebody to go on with it: its id, and the command.
fn approved(book: &'static Book) -> (Desk, String, String) {
    let desk = Desk::new(book);
    assert_eq!(desk.run(EXEC, None).code, Some(3));
    let run = desk.run_id().expect("a run");
    assert_eq!(desk.run(&desk.approval(&run, "d1"), None).code, Some(0));
    let line = format!("resume {run} --yes");
    (desk, run, line)
}

#[test]
fn the_second_who_takes_a_run_up_is_told_who_has_it() {
    let (desk, run, line) = approved(&SHORT);
    let control = Control::new(desk.join("control-of-the-first"));
    let first = Stopped::at(&desk, &control, &line, 2);
    assert!(first.is_stopped, "it is at work");
    let (before, counts) = (desk.record(), desk.counted());
    let second = desk.run(&line, None);
    assert_eq!(second.code, Some(2), "{second:#?}");
    assert!(second.err.contains(&format!("run {run} is under way: ")), "{second:#?}");
    assert!(second.err.contains(&format!("(process {} on ", first.id())), "{second:#?}");
    assert!(second.err.contains(&format!("next: runbook show {run}")), "{second:#?}");
    assert_eq!((desk.record(), desk.counted()), (before.clone(), counts));
    let first = first.go_on();
    assert_eq!(first.code, Some(1), "it was rolled back: {first:#?}");
    judge(&desk, &Calm::of(&SHORT), &before).unwrap();
}

/// Whoever is faster has it; the other says so, or finds that the run has ended.
#[test]
fn of_several_who_take_a_run_up_at_once_one_does() {
    let calm = Calm::of(&SHORT);
    for _ in 0..if crate::all() { 50 } else { 4 } {
        let (desk, run, line) = approved(&SHORT);
        let before = desk.record();
        let children: Vec<Child> = (0..4).map(|_| desk.command(&line, None, None).spawn().expect("the program starts")).collect();
        let ran = children.into_iter().map(|child| Ran::of(&line, &child.wait_with_output().expect("it ends")));
        let (winners, others): (Vec<Ran>, Vec<Ran>) = ran.partition(|ran| ran.code == Some(1));
        assert_eq!(winners.len(), 1, "{winners:#?}\n{others:#?}");
        for other in others {
            let told = [format!("run {run} is under way: "), format!("run {run} belongs to "), format!("run {run} has ended")];
            assert!(other.code == Some(2) && told.iter().any(|told| other.err.contains(told)), "{other:#?}");
        }
        judge(&desk, &calm, &before).unwrap();
        let taken_up = desk.record()[before.len()..].iter().filter(|event| event.kind == "run_adopted").count();
        assert_eq!(taken_up, 1);
    }
}

#[test]
fn a_process_id_that_is_used_again_owns_nothing() {
    let calm = Calm::of(&SHORT);
    let here = std::process::id();
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this process");
    let began: u64 = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)?.parse().ok()).expect("a number");
    for (what, pid, began, ahead, is_taken) in [
        ("the dead owner", None, None, 0, true),
        ("its id, used again", Some(here), None, 0, true),
        ("somebody who is there", Some(here), Some(began), 0, false),
        ("somebody who is there, past the lease", Some(here), Some(began), LATER, true),
    ] {
        let desk = Desk::new(&SHORT);
        let killed = desk.run(EXEC, Some(Fault { what: What::Kill, place: Place::Release, at: 6 }));
        assert_eq!(killed.signal, Some(9), "{killed:#?}");
        desk.settle();
        let before = desk.record();
        let journal = Connection::open(desk.state.join("journal.db")).expect("the journal");
        for (key, value) in [("pid", pid.map(u64::from)), ("started", began)] {
            if let Some(value) = value {
                let set = "UPDATE leases SET owner = json_set(owner, '$.' || ?1, ?2)";
                journal.execute(set, rusqlite::params![key, value as i64]).expect("a lease");
            }
        }
        drop(journal);
        desk.control.ahead(ahead);
        let run = desk.run_id().expect("a run");
        if !is_taken {
            let refused = desk.run(&format!("resume {run} --yes"), None);
            assert_eq!(refused.code, Some(2), "{what}: {refused:#?}");
            assert!(refused.err.contains(&format!("(process {here} on ")), "{what}: {refused:#?}");
            assert_eq!(desk.record(), before, "{what}");
            continue;
        }
        recover(&desk).and_then(|_| judge(&desk, &calm, &before)).unwrap_or_else(|why| panic!("{what}: {why}"));
    }
}
