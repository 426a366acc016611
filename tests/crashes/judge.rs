//! What must hold whatever happened: read from the journal's rows and from what the steps left outside, with nothing of the engine
//! but its own word in `verify`. Its chain is proven by `tests/verify.py`, which shares no code with it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use crate::desk::{Book, Desk, Event, Ran, line_of, undo_of};
use crate::layer::{Control, Fault, Place};

/// Rounds of answering and resuming after which a run is taken not to end.
const ROUNDS: usize = 20;

/// What a run comes to where nothing goes wrong, and how many places it has.
pub struct Calm {
    counts: BTreeMap<String, u32>,
    calls: u64,
    changes: u64,
    copies: u64,
    releases: u64,
}

impl Calm {
    pub fn of(book: &'static Book) -> Calm {
        let desk = Desk::new(book);
        let asked = recover(&desk).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(asked, 0, "a calm run knows how its steps end");
        assert_eq!(outcome(&desk.record()).as_deref(), Some(book.outcome));
        let counted = |place| Control::counted(&desk.control, place);
        assert!(counted(Place::Change) > 100, "the fault layer does not stand before the program: is it linked with glibc?");
        Calm {
            counts: desk.counted(),
            calls: counted(Place::Call),
            changes: counted(Place::Change),
            copies: counted(Place::Copy),
            releases: counted(Place::Release),
        }
    }

    pub fn effects(&self) -> usize {
        self.counts.values().sum::<u32>() as usize
    }

    /// How many places of a kind the whole of it has, over all its processes.
    pub fn places(&self, place: Place) -> u64 {
        match place {
            Place::Call => self.calls,
            Place::Change => self.changes,
            Place::Copy => self.copies,
            Place::Release => self.releases,
        }
    }
}

/// What one case showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// The fault happened.
    pub struck: bool,
    /// Unknown ends that a person was asked about.
    pub asked: usize,
    /// A command said that it could not do its work.
    pub told: bool,
}

/// Plays the procedure under one fault, goes on without, and judges.
pub fn play(book: &'static Book, calm: &Calm, fault: Fault) -> Result<Seen, String> {
    let desk = Desk::new(book);
    let mut told = false;
    while !desk.control.struck() && outcome(&desk.record()).is_none() {
        for line in desk.next_lines() {
            let ran = desk.run(&line, Some(fault));
            if desk.control.struck() {
                told = judge_end_of_process(&desk, fault, &ran)?;
                break;
            }
            went_well(&ran)?;
            acknowledged(&desk, &ran)?;
        }
    }
    desk.settle();
    let before = desk.record();
    so_far(&desk, &before)?;
    let struck = desk.control.struck();
    let asked = recover(&desk)?;
    judge(&desk, calm, &before)?;
    Ok(Seen { struck, asked, told })
}

fn judge_end_of_process(desk: &Desk, fault: Fault, ran: &Ran) -> Result<bool, String> {
    if !fault.ends_the_process() {
        let told = clear(ran, &desk.state.to_string_lossy())?;
        if !told {
            acknowledged(desk, ran)?;
        }
        return Ok(told);
    }
    if ran.signal == Some(9) { Ok(false) } else { Err(format!("it was to be killed: {ran:#?}")) }
}

/// The command either did its work, or ends with one error that names what it is about and what to do next. Gives whether there was
/// an error.
pub fn clear(ran: &Ran, named: &str) -> Result<bool, String> {
    let errors: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("error: ")).collect();
    let has_next = ran.err.lines().any(|line| line.starts_with("next: "));
    let unclear = |what: &str| Err(format!("{what}: {ran:#?}"));
    match (ran.code, errors.as_slice()) {
        _ if ran.err.contains("panicked") => unclear("it panicked"),
        (Some(0 | 1 | 3), []) => Ok(false),
        (Some(1), [_]) if !has_next => unclear("the error does not say what to do next"),
        (Some(1), [error]) if !error.contains(named) => unclear("the error does not name the folder"),
        (Some(1), [_]) => Ok(true),
        _ => unclear("it does not end as documented"),
    }
}

pub fn went_well(ran: &Ran) -> Result<(), String> {
    // A run that was rolled back ends with 1.
    let well = matches!(ran.code, Some(0 | 1 | 3)) && !ran.err.contains("error: ") && !ran.err.contains("panicked");
    if well { Ok(()) } else { Err(format!("{ran:#?}")) }
}

/// What a command says by ending well is in the record.
fn acknowledged(desk: &Desk, ran: &Ran) -> Result<(), String> {
    let record = desk.record();
    let holds = match (ran.words().as_slice(), ran.code) {
        (["approve" | "answer", _, decision, ..], Some(0)) => {
            record.iter().any(|event| event.kind == "decided" && event.body["decision"] == *decision)
        }
        (["exec" | "resume", ..], Some(3)) => !desk.open().is_empty(),
        (["exec" | "resume", ..], _) => outcome(&record).is_some(),
        _ => false,
    };
    if holds { Ok(()) } else { Err(format!("it ended well, and the record does not say so: {ran:#?}")) }
}

/// Answers and resumes until the run has ended; starts it where nothing was recorded of it. Gives how many unknown ends were asked
/// about.
pub fn recover(desk: &Desk) -> Result<usize, String> {
    let mut asked = 0;
    for _ in 0..ROUNDS {
        desk.settle();
        if outcome(&desk.record()).is_some() {
            return Ok(asked);
        }
        for line in desk.next_lines() {
            asked += usize::from(line.starts_with("answer"));
            went_well(&desk.run(&line, None))?;
        }
    }
    Err("the run does not end".to_owned())
}

pub fn outcome(record: &[Event]) -> Option<String> {
    let last = record.iter().rfind(|event| event.kind == "run_finished")?;
    last.body["outcome"]["kind"].as_str().map(str::to_owned)
}

/// What holds at any moment, also while the run is going on.
pub fn so_far(desk: &Desk, record: &[Event]) -> Result<(), String> {
    intents(desk, record)?;
    gates(desk, record)
}

/// No attempt of a gated step comes before its approval in the record, and none left a line where there is no approval.
fn gates(desk: &Desk, record: &[Event]) -> Result<(), String> {
    let gated = desk.book.gated;
    let open = record.iter().position(|event| event.body["vote"]["choice"] == "approve" && asked_about(record, event) == "go");
    let shut = &record[..open.unwrap_or(record.len())];
    if let Some(event) = shut.iter().find(|event| event.kind == "attempt_started" && gated.contains(&event.path())) {
        return Err(format!("`{}` began, and its gate was not open", event.path()));
    }
    match desk.lines().into_iter().find(|line| gated.contains(&line.as_str())) {
        Some(line) if open.is_none() => Err(format!("`{line}` happened, and its gate was never opened")),
        _ => Ok(()),
    }
}

/// The path of the step that a decision is about.
fn asked_about<'a>(record: &'a [Event], decided: &Event) -> &'a str {
    let is_it = |event: &&Event| event.kind == "decision_requested" && event.body["decision"] == decided.body["decision"];
    record.iter().find(is_it).map(Event::path).unwrap_or_default()
}

/// All that had succeeded and has an undo was undone: by the lines that the steps left, from the last to succeed to the first. An
/// undo that was cut off is repeated before the next.
fn undone(desk: &Desk, record: &[Event]) -> Result<(), String> {
    let mut succeeded: Vec<&str> = Vec::new();
    for event in record {
        let path = match event.kind.as_str() {
            "attempt_finished" if event.body["end"].get("succeeded").is_some() => event.path(),
            "decided" if event.body["vote"]["choice"] == "done" => asked_about(record, event),
            _ => continue,
        };
        if desk.book.has_undo(path) {
            succeeded.push(path);
        }
    }
    let expected: Vec<String> = succeeded.into_iter().rev().map(undo_of).collect();
    let mut undone: Vec<String> = desk.lines().into_iter().filter(|line| line.starts_with("un-")).collect();
    undone.dedup();
    if undone == expected { Ok(()) } else { Err(format!("{undone:?} was undone, and {expected:?} was to be")) }
}

/// The run's export holds every row of its record, and is whole by the word of a program that shares no code with the engine.
fn proven(desk: &Desk, run: &str, record: &[Event]) -> Result<(), String> {
    let exported = desk.run(&format!("export {run}"), None);
    let hash = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["hash"].as_str().map(str::to_owned);
    let hashes: Vec<String> = exported.out.lines().filter_map(hash).collect();
    if exported.code != Some(0) || !hashes.iter().eq(record.iter().map(|event| &event.hash)) {
        return Err(format!("its export is not its record: {exported:#?}"));
    }
    let file = desk.join("export");
    std::fs::write(&file, &exported.out).expect("a file");
    match verdict(&file).as_str() {
        "whole" => Ok(()),
        other => Err(format!("another verifier says of its export: {other}")),
    }
}

/// What `tests/verify.py` says of an export. One process of it answers for all cases, and ends with the test.
fn verdict(export: &Path) -> String {
    static VERIFIER: OnceLock<Mutex<(Child, BufReader<ChildStdout>)>> = OnceLock::new();
    let verifier = VERIFIER.get_or_init(|| {
        let ask = "import sys; from verify import verdict\nfor path in sys.stdin: print(verdict(open(path[:-1], 'rb').read()), flush=True)";
        let mut python = Command::new("python3");
        python.args(["-B", "-c", ask]).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests"));
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 is there");
        let says = BufReader::new(child.stdout.take().expect("a pipe"));
        Mutex::new((child, says))
    });
    let (child, says) = &mut *verifier.lock().expect("the verifier");
    let mut verdict = String::new();
    writeln!(child.stdin.as_ref().expect("a pipe"), "{}", export.display()).expect("it takes names");
    says.read_line(&mut verdict).expect("it answers");
    verdict.trim_end().to_owned()
}

/// Nothing happened outside that the record did not announce.
fn intents(desk: &Desk, record: &[Event]) -> Result<(), String> {
    let started = record.iter().filter(|event| event.kind == "attempt_started");
    // Steps of undo and `finally` leave lines of their own names, and are named after others.
    let announced: BTreeSet<String> = started.map(|event| line_of(event.path())).collect();
    let is_forward = |line: &&String| !line.starts_with("un-") && *line != "last";
    match desk.counted().keys().filter(is_forward).find(|line| !announced.contains(*line)) {
        Some(line) => Err(format!("`{line}` happened, and its intent is not recorded")),
        None => Ok(()),
    }
}

/// The whole of a run that has ended, against what was recorded of it `before`.
pub fn judge(desk: &Desk, calm: &Calm, before: &[Event]) -> Result<(), String> {
    let record = desk.record();
    if outcome(&record).as_deref() != Some(desk.book.outcome) {
        return Err(format!("it ended {:?}, and was to end {}", outcome(&record), desk.book.outcome));
    }
    if !desk.locks().is_empty() {
        return Err(format!("it has ended, and holds {:?}", desk.locks()));
    }
    if record.get(..before.len()) != Some(before) {
        return Err("something recorded was lost".to_owned());
    }
    let counts = desk.counted();
    for (line, count) in &counts {
        let most = calm.counts.get(line).copied().unwrap_or(0);
        if *count > most && !desk.book.repeatable.contains(&line.as_str()) {
            return Err(format!("`{line}` happened {count} times, and {most} are right"));
        }
    }
    if let Some(line) = calm.counts.keys().find(|line| !counts.contains_key(*line)) {
        return Err(format!("`{line}` never happened"));
    }
    unknown_ends(desk, &record)?;
    so_far(desk, &record)?;
    undone(desk, &record)?;
    let run = desk.run_id().ok_or("the run is gone")?;
    proven(desk, &run, &record)?;
    let verified = desk.run(&format!("verify {run}"), None);
    if verified.code == Some(0) && verified.out.starts_with("whole: ") {
        Ok(())
    } else {
        Err(format!("its record does not hold: {verified:#?}"))
    }
}

/// An end that nobody knows was asked about, unless the step may be repeated or looks for itself; and nothing else was repeated.
fn unknown_ends(desk: &Desk, record: &[Event]) -> Result<(), String> {
    let is = |event: &&Event, kind: &str, path: &str| event.kind == kind && event.path() == path;
    for event in record.iter().filter(|event| event.kind == "attempt_finished") {
        let (path, unknown) = (event.path(), event.body["end"].get("unknown").is_some());
        if !unknown || desk.book.may_repeat(path) || desk.book.is_verified(path) {
            continue;
        }
        let asked = |e: &&Event| is(e, "decision_requested", path) && e.body["purpose"] == "unknown";
        if !record.iter().any(|e| asked(&e)) {
            return Err(format!("nobody knows how `{path}` ended, and nobody was asked"));
        }
    }
    Ok(())
}

/// Plays every case, as many at once as there are processors, and fails with all that went wrong.
pub fn every<C: Send + Copy + std::fmt::Display>(cases: Vec<C>, play: impl Fn(C) -> Result<Seen, String> + Sync) -> Vec<Seen> {
    let queue = Mutex::new(cases.into_iter());
    let (seen, wrong) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().expect("the queue").next() else { break };
                    match play(case) {
                        Ok(one) => seen.lock().expect("the list").push(one),
                        Err(why) => wrong.lock().expect("the list").push(format!("CRASHES_FAULT='{case}': {why}")),
                    }
                }
            });
        }
    });
    let (seen, wrong) = (seen.into_inner().expect("the list"), wrong.into_inner().expect("the list"));
    let shown = wrong.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("\n\n");
    assert!(wrong.is_empty(), "{} of {} cases, such as\n{shown}", wrong.len(), wrong.len() + seen.len());
    seen
}
