//! Records of every format that was ever written stay readable and mean what they meant: each journal of `tests/journals` is
//! verified, and what it comes to is compared with the text beside it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use runbook_core::Value;
use runbook_core::plan::SEMANTICS;
use runbook_core::run::Command;
use runbook_core::run::event::{AttemptEnd, Failure, Timer};

use super::*;
use crate::clock::ManualClock;
use crate::journal::Owner;
use crate::session::Session;
use crate::session::tests::{begin, plan};

fn journals() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/journals")
}

/// A new kind of event does not compile here until it has a place; then it needs a journal that holds it.
fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::RunStarted(_) => "run_started",
        Fact::LockTaken { .. } => "lock_taken",
        Fact::StepResolved { .. } => "step_resolved",
        Fact::AttemptStarted { .. } => "attempt_started",
        Fact::AttemptFinished { .. } => "attempt_finished",
        Fact::StepConcluded { .. } => "step_concluded",
        Fact::ConditionJudged { .. } => "condition_judged",
        Fact::TimerFired { .. } => "timer_fired",
        Fact::DecisionRequested { .. } => "decision_requested",
        Fact::Decided { .. } => "decided",
        Fact::DecisionVoided { .. } => "decision_voided",
        Fact::Acknowledged { .. } => "acknowledged",
        Fact::CancelRequested { .. } => "cancel_requested",
        Fact::PauseRequested { .. } => "pause_requested",
        Fact::ResumeRequested { .. } => "resume_requested",
        Fact::UndoRequested { .. } => "undo_requested",
        Fact::NoteAdded { .. } => "note_added",
        Fact::RunAdopted { .. } => "run_adopted",
        Fact::RunFinished { .. } => "run_finished",
    }
}

const KINDS: usize = 19;

fn header(file: &str) -> crate::journal::export::Header {
    serde_json::from_str(file.lines().next().unwrap()).unwrap()
}

/// What an export comes to: every event's kind, how each step and decision stands, and the end.
fn meaning(file: &str, kinds: &mut BTreeSet<&'static str>) -> String {
    let lines: Vec<&str> = file.lines().collect();
    let header = header(file);
    let mut run = Run::new(Arc::new(serde_json::from_value(header.plan).unwrap()));
    let mut told = String::new();
    for line in &lines[1..lines.len() - 1] {
        let event = Record::from_line(line).unwrap().decode(header.format).unwrap();
        run.apply(&event).unwrap();
        kinds.insert(kind(&event.fact));
        let _ = writeln!(told, "{:>3} {}  {}", event.seq, event.at, kind(&event.fact));
    }
    for step in run.steps() {
        let note = step.note().map(|note| format!(": {}", note.message)).unwrap_or_default();
        let _ = writeln!(told, "{} {:?}, attempt {}{note}", step.path(), step.standing(), step.attempt());
    }
    for decision in run.decisions() {
        let _ = writeln!(told, "{} {:?} {:?}, {} votes", decision.id, decision.purpose, decision.standing, decision.votes.len());
    }
    let _ = writeln!(told, "{:?}", run.outcome().unwrap());
    told
}

#[test]
fn every_recorded_journal_is_still_sound_and_means_what_it_meant() {
    let mut kinds = BTreeSet::new();
    let (mut formats, mut semantics) = (BTreeSet::new(), BTreeSet::new());
    for file in std::fs::read_dir(journals()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let found = check(text.as_bytes());
        assert_eq!(found.faults, [], "{}", path.display());
        assert!(found.ended, "{}", path.display());
        let meant = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        assert_eq!(meaning(&text, &mut kinds), meant, "{}", path.display());
        formats.insert(path.file_name().unwrap().to_string_lossy().split('-').next().unwrap().parse::<u32>().unwrap());
        semantics.insert(header(&text).plan["semantics"].as_u64().unwrap());
        assert_eq!(other(&[], &[path]), ["whole"]);
    }
    assert_eq!(semantics, (1..=SEMANTICS.into()).collect(), "write a journal of the new meaning: `versions.rs` says how");
    assert_eq!(formats, (1..=FORMAT).collect());
    assert_eq!(kinds.len(), KINDS, "no journal holds what is not among {kinds:?}");
}

/// The names under which the members and cases of a source's types are written, where those have no writing of their own.
fn names(source: &str) -> Vec<String> {
    let (mut found, mut written, mut unnamed, mut snake) = (Vec::new(), false, false, false);
    for line in source.split("#[cfg(test)]").next().unwrap().lines() {
        let (indent, text) =
            (line.len() - line.trim_start().len(), line.trim_start().trim_start_matches("pub ").trim_start_matches("r#"));
        let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let member = text[name.len()..].starts_with(": ");
        match indent {
            0 if text.starts_with("#[derive(") => (written, snake) = (text.contains("Serialize"), false),
            0 if text.starts_with("#[serde(") => {
                (written, snake) = (written && !text.contains("into"), snake || text.contains("snake_case"));
            }
            // How a question stands is derived from the votes, and shown.
            0 if text.starts_with("enum Standing") => written = false,
            0 if text.starts_with('}') => written = false,
            4 | 8 if ["#[serde(flatten)]", "#[serde(skip)]"].contains(&text) => unnamed = true,
            4 | 8 if written && member => found.extend((!std::mem::take(&mut unnamed)).then_some(name)),
            4 if written && name.starts_with(|c: char| c.is_ascii_uppercase()) => {
                let words = name.char_indices().map(|(at, c)| match c.is_ascii_uppercase() {
                    true if at > 0 => format!("_{}", c.to_ascii_lowercase()),
                    _ => c.to_ascii_lowercase().to_string(),
                });
                found.push(if snake { words.collect() } else { name.clone() });
            }
            _ => {}
        }
    }
    found
}

/// What can be recorded since today, and stands in no journal yet, is not known to stay readable tomorrow.
#[test]
fn every_member_and_every_case_of_a_record_is_in_some_journal() {
    let files = std::fs::read_dir(journals()).unwrap().map(|file| file.unwrap().path());
    let text: String = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("core/src");
    let mut missing = Vec::new();
    for file in [
        "run/event.rs",
        "run/decision.rs",
        "run/task.rs",
        "plan.rs",
        "plan/must.rs",
        "policy.rs",
        "policy/ahead.rs",
        "policy/channel.rs",
        "policy/people.rs",
        "policy/rotation.rs",
        "policy/rotation/calendar.rs",
        "policy/window.rs",
        "document/input.rs",
        "document/must.rs",
        "document/procedure.rs",
        "document/step.rs",
        "expr/expression.rs",
        "expr/template.rs",
        "expr/shell.rs",
        "expr/script.rs",
        "effect.rs",
    ] {
        let names = names(&std::fs::read_to_string(core.join(file)).unwrap());
        assert!(!names.is_empty(), "{file}");
        missing
            .extend(names.into_iter().filter(|name| !text.contains(&format!("\"{name}\""))).map(|name| format!("{file}: {name}")));
    }
    for value in ["$int", "$duration", "$time", "$map"] {
        missing.extend((!text.contains(&format!("{{\"{value}\":"))).then(|| value.to_owned()));
    }
    assert_eq!(missing, [""; 0], "write a journal that has it: CONTRIBUTING says how");
}

const EVERYTHING: &str = "
apiVersion: runbook/v1
kind: Runbook
name: everything
version: 1.0.0
lock: db
steps:
  - id: count
    set: { total: 2 + 3, exact: 9007199254740993, half: 0.5, list: '[\"a\", \"\u{FC}\"]' }
  - id: copy
    exec: [cp, a, b]
    effect: change
    retry: { attempts: 2, delay: 1s }
    undo: [{ exec: [rm, b], effect: change, idempotent: true }]
    outputs: { twice: result.exit_code * 2 }
  - id: sure
    approve: { question: Go on?, within: 1h }
  - id: each
    each: { in: '[1, 2]', as: n, steps: [{ id: one, exec: [ls, \"{{n}}\"], effect: read }] }
  - id: poll
    repeat: { until: steps.look.exit_code == 0, times: 3, every: 5s, steps: [{ id: look, exec: [look], effect: read, on_failure: continue }] }
  - id: skipped
    if: steps.count.total > 5
    exec: [never]
    effect: read
  - id: doubt
    exec: [send]
    irreversible: it is sent
";

const CANCELLED: &str = "
apiVersion: runbook/v1
kind: Runbook
name: cancelled
version: 1.0.0
steps:
  - id: copy
    exec: [cp, a, b]
    effect: change
    undo: [{ exec: [rm, b], effect: change, idempotent: true }]
  - id: size
    ask: { question: How many?, fields: { size: { type: integer, min: 1 } } }
";

const MUST: &str = "
apiVersion: runbook/v1
kind: Runbook
name: must
version: 1.0.0
must:
  - { never: look, after: { step: look, ends: failed }, why: it would not help }
  - { always_before: { effect: destructive }, comes: { verb: approve } }
  - { never: { run: succeeded }, after: { step: look, ends: unknown } }
  - { never: { run: failed }, after: { step: look, ends: skipped } }
  - { never: { run: rejected } }
  - { never: { run: rolled_back } }
  - { never: { run: needs_attention } }
steps:
  - id: look
    exec: [look]
    effect: read
";

/// Goes on until people must say something. Attempts end as `end` says; one that is cancelled, by a person.
pub(super) async fn go(session: &mut Session, clock: &ManualClock, end: &dyn Fn(&StepPath, u32) -> AttemptEnd) {
    loop {
        clock.advance(std::time::Duration::from_millis(250));
        let now = clock.now();
        let run = session.run();
        let wakes = |command: &Command| match command {
            Command::Wake { at, .. } => Some(*at),
            _ => None,
        };
        let mut pending = run.pending();
        // Time passes once nothing else can happen.
        pending.sort_by_key(wakes);
        let fact = pending.into_iter().find_map(|command| match command {
            Command::Resolve { path } => run.resolve(&path, now),
            Command::Conclude { path } => run.conclude(&path, now),
            Command::Judge { path, .. } => run.judge(&path, now),
            Command::Request { path, purpose } => run.request(path.as_ref(), &purpose, now),
            Command::Finish { outcome } => Some(Fact::RunFinished { outcome }),
            Command::Perform { path, attempt } => Some(Fact::AttemptStarted { path, attempt }),
            Command::TakeLock { lock } => Some(Fact::LockTaken { lock }),
            Command::Wake { timer: timer @ (Timer::Retry { .. } | Timer::Wait { .. } | Timer::Step { .. }), at } => {
                clock.set(at.max(now));
                Some(Fact::fired(timer))
            }
            _ => None,
        });
        let Some(fact) = fact else { break };
        let started = match &fact {
            Fact::AttemptStarted { path, attempt } => Some((path.clone(), *attempt)),
            _ => None,
        };
        session.record(fact).unwrap();
        if let Some((path, attempt)) = started {
            let end = end(&path, attempt);
            if let AttemptEnd::Cancelled { .. } = end {
                session.receive(Message::Cancel { by: person("bob"), undo: false, reason: "not today".into() }).unwrap();
            }
            session.record(Fact::AttemptFinished { path, attempt, end }).unwrap();
        }
    }
    session.flush().await.unwrap();
}

pub(super) fn exits(code: i64) -> AttemptEnd {
    let result = Value::Map([("exit_code".to_owned(), Value::Int(code)), ("stdout".to_owned(), Value::text("\u{1F600}\n"))].into());
    match code {
        0 => AttemptEnd::Succeeded { result },
        _ => {
            let failure = Failure { message: format!("exit code {code}"), at: None, detail: Some("no such file".into()) };
            AttemptEnd::Failed { failure, result }
        }
    }
}

/// `cargo test -p runbook-engine --lib -- --ignored write_journals` adds journals of today's format, for a format that is new or
/// a kind of event, a case or a member that is: those stand in a journal of another name; and for a new meaning of the machine, once
/// what changed decides in the run of `versions.rs`. Those that are there stay as they are.
#[tokio::test]
#[ignore = "writes tests/journals"]
async fn write_journals() {
    let write = |name: &str, text: &str| {
        let path = journals().join(format!("{FORMAT}-{name}.jsonl"));
        if !path.exists() {
            std::fs::write(&path, text).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path.with_extension("txt"), meaning(&text, &mut BTreeSet::new())).unwrap();
    };
    write("approval", &recorded().await.2);
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in wide::records(folder.path()).await {
        write(name, &text);
    }
    for (name, text) in versions::records().await {
        write(&name, &text);
    }
    write("awaited", &awaited::record().await);
    write("on-call", &on_call::record().await);
    write("on-call-by-calendar", &on_call::record_by_calendar().await);
    write("acknowledged", &on_call::record_acknowledged().await);
    for (name, procedure) in [("everything", EVERYTHING), ("cancelled", CANCELLED), ("must", MUST)] {
        let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
        let id = RunId::from_parts(1_767_225_600_000, name.len() as u128);
        let mut session = begin(&journal, &clock, Owner::named("ada", 1), id.clone(), plan(procedure)).await;
        let end = |path: &StepPath, attempt: u32| match (path.as_str(), attempt) {
            ("copy", 1) if name == "everything" => exits(2),
            ("poll[1]/look", _) => exits(1),
            ("doubt", _) => AttemptEnd::Unknown { why: "the engine stopped while it was under way".into() },
            _ => exits(0),
        };
        let say = |session: &mut Session, message: Message| {
            let received = session.receive(message).unwrap();
            assert!(matches!(received.answer, crate::message::Answer::Accepted { .. }), "{:?}", received.answer);
        };
        say(&mut session, Message::Pause { by: person("bob"), reason: "lunch".into() });
        say(&mut session, Message::Note { by: person("bob"), text: "back at one".into() });
        session.close().await.unwrap();
        let mut session = Session::open(journal.clone(), clock.clone(), Owner::named("bob", 2), Vec::new(), &id).await.unwrap();
        session.adopt(person("bob")).unwrap();
        say(&mut session, Message::Resume { by: person("bob") });
        go(&mut session, &clock, &end).await;
        if name == "cancelled" {
            say(&mut session, Message::Cancel { by: person("bob"), undo: true, reason: "not today".into() });
        } else if name == "everything" {
            let decision = session.run().decisions()[0].id;
            session.record(Fact::DecisionVoided { decision, reason: "what would run is another thing now".into() }).unwrap();
            go(&mut session, &clock, &end).await;
            let vote = approval(session.run(), "bob", Some(session.head().clone()));
            say(&mut session, vote);
            go(&mut session, &clock, &end).await;
            let Message::Decide { decision, mut vote } = approval(session.run(), "ada", None) else { panic!("no vote") };
            (vote.choice, vote.reason) = (runbook_core::run::decision::Choice::Done, Some("it arrived".into()));
            say(&mut session, Message::Decide { decision, vote });
            go(&mut session, &clock, &end).await;
            say(&mut session, Message::Undo { by: person("bob"), reason: "it was wrong".into() });
        }
        go(&mut session, &clock, &end).await;
        assert!(session.run().outcome().is_some(), "{name}: {:?}", session.run().pending());
        session.close().await.unwrap();
        let mut text = Vec::new();
        export(&*journal, &id, &mut text).unwrap();
        write(name, &String::from_utf8(text).unwrap());
    }
}
