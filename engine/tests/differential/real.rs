//! One procedure, really run: the real driver, real processes, people and misfortunes by the dice. What every process was given is noted by
//! the process itself.

use std::collections::BTreeMap;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use runbook_core::run::decision::{Choice, Purpose};
use runbook_core::run::event::{AttemptEnd, Identity, Means, RunStarted, Timer, Vote};
use runbook_core::run::{Command, Event};
use runbook_core::{Digest, Map, Plan, Run, RunId, Value};
use runbook_engine::clock::{Clock, ManualClock};
use runbook_engine::driver::local::LocalPerformer;
use runbook_engine::driver::perform::{Assignment, Performer};
use runbook_engine::driver::{Driver, Patience, Progress, Stop, World};
use runbook_engine::journal::{MemoryJournal, Owner, Record, SharedJournal};
use runbook_engine::log::Logs;
use runbook_engine::message::{Answer, Message};
use runbook_engine::secret::SecretStore;
use runbook_engine::session::{Observer, Session};

use crate::author::Dice;

pub const START: &str = "2026-01-01T00:00:00Z";

/// Leaves a line of what it was given, says a word, and ends with the digit of the attempt; after the last of them, well.
const NOTE: &str = r#"#!/bin/sh
END=$(printf '\036')
ends=$1; says=$2; shift 2
printf '%s\037' "$RUNBOOK_STEP" "$@" "$MADE" "$SECRET" "$END" >> "$NOTES"
if [ "$says" = SECRET ]; then says=$SECRET; fi
echo "$says"
n=${RUNBOOK_ATTEMPT##*/}
while [ "$n" -gt 1 ]; do ends=${ends#?}; n=$((n - 1)); done
rest=${ends#?}
exit "${ends%"$rest"}"
"#;

pub struct Happened {
    pub started: RunStarted,
    pub events: Vec<Event>,
    /// The path of each step that a process ran for, and what the process was given.
    pub notes: Vec<(String, Vec<String>)>,
    /// Whether anything went otherwise than a dry run takes it to go.
    pub fault: bool,
    /// The values of the secrets, by name.
    pub secrets: BTreeMap<&'static str, String>,
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Event>>>);

impl Observer for Seen {
    fn observe(&mut self, _: &Run, event: &Event, _: &Record) {
        self.0.lock().expect("no observer fails").push(event.clone());
    }
}

/// Performs for real; of some attempts nobody sees the end.
struct Unlucky {
    real: LocalPerformer,
    seed: u64,
}

impl Performer for Unlucky {
    fn perform(&self, assignment: Assignment) -> Pin<Box<dyn Future<Output = AttemptEnd> + Send>> {
        let fate = Digest::of_bytes(format!("{}/{}/{}", self.seed, assignment.path, assignment.attempt).as_bytes()).to_string();
        let lost = assignment.attempt == 1 && fate.ends_with("00");
        let end = self.real.perform(assignment);
        Box::pin(async move {
            let end = end.await;
            if lost { AttemptEnd::Unknown { why: "nobody saw it".to_owned() } } else { end }
        })
    }
}

pub fn started(plan: &Plan, seed: u64, folder: &Path) -> RunStarted {
    let mut dice = Dice::of(seed ^ 0xabcd);
    let inputs = Map::from([
        ("n".to_owned(), Value::Int(dice.roll(7) as i64)),
        ("word".to_owned(), Value::text(dice.pick(&["one", "two words", "'q' $x `y`", "‹steps.x1.word›"]))),
        ("notes".to_owned(), Value::text(folder.join("notes").to_string_lossy())),
    ]);
    RunStarted::of(plan, inputs, operator(), seed).expect("the inputs are valid")
}

pub fn operator() -> Identity {
    person("operator")
}

fn person(name: &str) -> Identity {
    Identity { person: name.to_owned(), means: Means::LocalUser { user: name.to_owned(), host: "here".to_owned() } }
}

pub async fn run(plan: &Arc<Plan>, seed: u64) -> Happened {
    let folder = tempfile::tempdir().expect("a folder");
    let note = folder.path().join("note");
    std::fs::write(&note, NOTE).expect("it is written");
    std::fs::set_permissions(&note, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    let started = started(plan, seed, folder.path());
    let start: Timestamp = START.parse().expect("a time");
    let clock = Arc::new(ManualClock::at(start));
    let seen = Seen::default();
    let journal: SharedJournal = Arc::new(MemoryJournal::default());
    let state = folder.path().join("state");
    std::fs::create_dir(&state).expect("a folder");
    let logs = Logs::open(&state).expect("a folder of logs");
    let values = BTreeMap::from([("token", format!("tk-{seed}-'q' $x `y`")), ("other", format!("ot-{seed}-\"two\" words"))]);
    let variables = values.iter().map(|(name, value)| (name.to_uppercase().into(), value.into()));
    let secrets = Arc::new(SecretStore::new(folder.path(), folder.path(), variables));
    let performer = Arc::new(Unlucky { real: LocalPerformer::new(folder.path().to_owned(), logs, secrets), seed });
    let observers: Vec<Box<dyn Observer>> = vec![Box::new(seen.clone())];
    let owner = Owner::this_process("operator");
    let mut session =
        Session::create(journal, clock.clone(), owner, observers, RunId::from_parts(1, 1), plan.clone(), started.clone())
            .await
            .expect("it starts");
    let fault = drive(&mut session, performer, &clock, &mut Dice::of(seed ^ 0x77)).await;
    session.close().await.expect("the run is given up");
    let events = std::mem::take(&mut *seen.0.lock().expect("no observer fails"));
    let noted = std::fs::read_to_string(folder.path().join("notes")).unwrap_or_default();
    let notes = noted.split_terminator("\u{1f}\u{1e}\u{1f}").map(|line| {
        let mut words = line.split('\u{1f}').map(str::to_owned);
        (words.next().unwrap_or_default(), words.collect())
    });
    Happened { started, events, notes: notes.collect(), fault, secrets: values }
}

/// Drives the run to its end; whether people said no to anything.
async fn drive(session: &mut Session, performer: Arc<dyn Performer>, clock: &Arc<ManualClock>, dice: &mut Dice) -> bool {
    let mut refused = false;
    loop {
        let hands = clock.clone();
        // Goes to the end of the next wait, where nothing else can happen.
        let progress = move |run: &Run, what: Progress| {
            let wakes = run.wanted().filter_map(|command| match command {
                Command::Wake { timer: Timer::Wait { .. } | Timer::Retry { .. } | Timer::Step { .. }, at } => Some(*at),
                _ => None,
            });
            if let (Progress::Idle, Some(at), true) = (what, wakes.min(), run.under_way().is_empty()) {
                hands.set(at.max(hands.now()));
            }
        };
        let (_wishes, wishes) = tokio::sync::mpsc::unbounded_channel();
        let world = World { performer: performer.clone(), wishes };
        let decisions =
            match Driver::new(session, world, Patience::Park, Box::new(progress)).drive().await.expect("the engine is well") {
                Stop::Finished(_) => return refused,
                Stop::Waiting(decisions) => decisions,
                other => panic!("it stopped: {other:?}"),
            };
        for decision in decisions {
            // A no beside it may have made it void.
            let Some(asked) = session.run().decision(decision).filter(|asked| asked.is_open()) else { continue };
            let request = asked.request.clone();
            // There are many gates; few runs would come to their end if each were often closed.
            let rare = if matches!(asked.purpose, Purpose::Gate { .. }) { 24 } else { 8 };
            let choice = if dice.one_in(rare) { dice.pick(&request.choices) } else { request.choices[0] };
            // Looking again at what has nothing to look at would be asked for ever.
            let choice = if choice == Choice::Probe { dice.pick(&[Choice::Done, Choice::Again]) } else { choice };
            refused |= choice != Choice::Approve;
            let mut answers = Map::new();
            if choice == Choice::Approve && !request.fields.is_empty() {
                answers.insert("size".to_owned(), Value::Int(dice.roll(5) as i64));
            }
            // As many of them as it takes.
            for by in ["operator", "second"] {
                if session.run().decision(decision).is_none_or(|asked| !asked.is_open()) {
                    break;
                }
                let vote = Vote::new(person(by), choice, request.digest.clone());
                let vote = Vote { reason: Some("by the dice".to_owned()), answers: answers.clone(), ..vote };
                let received = session.receive(Message::Decide { decision, vote: Box::new(vote) }).expect("the engine is well");
                assert!(matches!(received.answer, Answer::Accepted { .. }), "{:?}", received.answer);
            }
        }
    }
}
