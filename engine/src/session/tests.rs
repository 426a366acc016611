//! Sessions on real plans: what is recorded is what was live, whoever opens the run next.

use std::sync::Mutex;

use jiff::Timestamp;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::run::decision::Choice;
use runbook_core::run::event::{AttemptEnd, Means, Part, Resolution, Vote};
use runbook_core::{DecisionId, Map};

use super::*;
use crate::clock::ManualClock;
use crate::journal::{DecisionFilter, MemoryJournal, Store};

const PROCEDURE: &str = "
apiVersion: runbook/v1
kind: Runbook
name: move
version: 1.0.0
steps:
  - id: note
    set: { total: 2 + 3 }
  - id: copy
    exec: [cp, a, b]
    effect: change
    idempotent: true
  - id: sure
    approve: { question: Go on? }
  - exec: [rm, a]
    effect: change
    irreversible: the file is gone
";

/// The plan of a procedure that stands alone.
pub(crate) fn plan(text: &str) -> Arc<Plan> {
    let source = Source::new("move.yaml".to_owned(), text);
    let (document, diagnostics) = load(&source);
    assert!(!diagnostics.has_errors(), "{diagnostics:#?}");
    let Some(Document::Procedure(procedure)) = document else { panic!("{diagnostics:#?}") };
    let catalogue = Catalogue::new([&*procedure], None);
    let (plan, diagnostics) = check(&procedure, &catalogue, &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{diagnostics:#?}")))
}

pub(crate) fn person(name: &str) -> Identity {
    Identity { person: name.to_owned(), means: Means::LocalUser { user: name.to_owned(), host: "here".to_owned() } }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap()))
}

fn id() -> RunId {
    RunId::from_parts(1_767_225_600_000, 42)
}

pub(crate) async fn start(journal: &SharedJournal, clock: &Arc<ManualClock>) -> Session {
    start_as(journal, clock, Owner::named("ada", 1)).await
}

async fn start_as(journal: &SharedJournal, clock: &Arc<ManualClock>, owner: Owner) -> Session {
    begin(journal, clock, owner, id(), plan(PROCEDURE)).await
}

pub(crate) async fn begin(journal: &SharedJournal, clock: &Arc<ManualClock>, owner: Owner, id: RunId, plan: Arc<Plan>) -> Session {
    let started = RunStarted {
        procedure: plan.main().name.clone(),
        version: plan.main().version,
        plan: plan.digest().unwrap(),
        semantics: plan.semantics,
        inputs: Map::new(),
        event: None,
        environment: None,
        requested_by: person("ada"),
        seed: 7,
        part: Part::Whole,
        stepwise: false,
        catalogue: None,
        root: None,
        lock: plan.main().lock.as_ref().map(|_| "db".to_owned()),
    };
    Session::create(journal.clone(), clock.clone(), owner, Vec::new(), id, plan, started).await.unwrap()
}

async fn open(journal: &SharedJournal, clock: &Arc<ManualClock>, instance: u64) -> Result<Session, SessionError> {
    Session::open(journal.clone(), clock.clone(), Owner::named("bob", instance), Vec::new(), &id()).await
}

/// Whoever can write to the file can put any number into it.
#[tokio::test]
async fn numbers_that_a_hand_has_changed_are_damage_and_never_read_without_end() {
    for change in [
        "UPDATE events SET seq = seq + 1000 WHERE seq > 3",
        "UPDATE events SET seq = 9223372036854775807 WHERE seq = 4",
        "DELETE FROM events WHERE seq > 3",
        "UPDATE events SET seq = -seq WHERE seq > 3",
        "UPDATE runs SET seq = 9223372036854775807",
        "UPDATE runs SET seq = -1",
        "UPDATE runs SET seq = -1; UPDATE events SET seq = 9223372036854775807 WHERE seq = 4",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let (journal, clock): (SharedJournal, _) = (Arc::new(Store::open(&state).unwrap()), clock());
        let mut session = start(&journal, &clock).await;
        drive(&mut session, &clock).await;
        session.close().await.unwrap();
        rusqlite::Connection::open(state.join("journal.db")).unwrap().execute_batch(change).unwrap();
        assert!(replay(&*journal, &id(), &mut |_, _| {}).is_err(), "{change}");
        let verified = crate::verify::verify_run(&*journal, &id(), &Default::default());
        assert!(verified.is_err() || !verified.is_ok_and(|found| found.is_sound()), "{change}");
        assert!(crate::journal::export::export(&*journal, &id(), &mut std::io::sink()).is_err(), "{change}");
    }
}

#[tokio::test]
async fn a_record_is_replayed_up_to_its_first_fault() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (journal, clock): (SharedJournal, _) = (Arc::new(Store::open(&state).unwrap()), clock());
    let steps = "  - set: { x: 1 }\n".repeat(2_000);
    let text = format!("apiVersion: runbook/v1\nkind: Runbook\nname: long\nversion: 1.0.0\nsteps:\n{steps}");
    let mut session = begin(&journal, &clock, Owner::named("ada", 1), id(), plan(&text)).await;
    drive(&mut session, &clock).await;
    let last = session.run().seq();
    assert!(last > 10 * limits::REPLAY_PAGE as u64);
    session.close().await.unwrap();
    let replayed = || {
        let mut seen = Vec::new();
        let result = replay(&*journal, &id(), &mut |run, event| {
            assert_eq!(run.seq(), event.seq);
            seen.push(event.seq);
        });
        (seen, result.map(|(run, row)| (run.seq(), row.seq)).map_err(|e| e.to_string()))
    };
    assert_eq!(replayed(), ((1..=last).collect(), Ok((last, last))));

    let run = id();
    let write = |sql| rusqlite::Connection::open(state.join("journal.db")).unwrap().execute_batch(sql).unwrap();
    for (change, back, seen, fault) in [
        (
            "UPDATE events SET body = body || ' ' WHERE seq = 1900",
            "UPDATE events SET body = trim(body)",
            1_899,
            format!("event 1900 of run {run} is not what was recorded"),
        ),
        (
            "UPDATE runs SET seq = seq + 1",
            "UPDATE runs SET seq = seq - 1",
            last,
            format!("run {run} ends after event {last} of {}", last + 1),
        ),
        (
            "UPDATE runs SET head = (SELECT hash FROM events WHERE seq = 1)",
            "UPDATE runs SET head = (SELECT hash FROM events ORDER BY seq DESC LIMIT 1)",
            last,
            format!("run {run} does not end as it was recorded"),
        ),
        ("UPDATE plans SET text = substr(text, 2)", "UPDATE plans SET text = '{' || text", 0, "damaged: plan sha256:".to_owned()),
        ("DELETE FROM events WHERE seq > 1", "", 1, format!("run {run} ends after event 1 of {last}")),
    ] {
        write(change);
        let (events, result) = replayed();
        assert_eq!(events, (1..=seen).collect::<Vec<_>>(), "{change}");
        assert!(result.as_ref().is_err_and(|e| e.contains(&fault)), "{change}: {result:?}");
        write(back);
    }
}

/// Goes on until people must decide or the run has ended. Every attempt succeeds.
pub(crate) async fn drive(session: &mut Session, clock: &ManualClock) {
    loop {
        clock.advance(std::time::Duration::from_millis(250));
        let now = session.clock().now();
        let run = session.run();
        let next = run.pending().into_iter().find_map(|command| match command {
            Command::Resolve { path } => run.resolve(&path, now),
            Command::Conclude { path } => run.conclude(&path, now),
            Command::Judge { path, .. } => run.judge(&path, now),
            Command::Request { path, purpose } => run.request(path.as_ref(), &purpose, now),
            Command::Finish { outcome } => Some(Fact::RunFinished { outcome }),
            Command::Perform { path, attempt } => Some(Fact::AttemptStarted { path, attempt }),
            _ => None,
        });
        let Some(fact) = next else { break };
        let started = match &fact {
            Fact::AttemptStarted { path, attempt } => Some((path.clone(), *attempt)),
            _ => None,
        };
        session.record(fact).unwrap();
        if let Some((path, attempt)) = started {
            session.flush().await.unwrap();
            let end = AttemptEnd::Succeeded { result: runbook_core::Value::Map(Map::new()) };
            session.record(Fact::AttemptFinished { path, attempt, end }).unwrap();
        }
    }
    session.flush().await.unwrap();
}

pub(crate) fn approval(run: &Run, by: &str, head: Option<Digest>) -> Message {
    let open = run.decisions().iter().find(|d| d.is_open()).unwrap();
    let vote = Vote { head, ..Vote::new(person(by), Choice::Approve, open.request.digest.clone()) };
    Message::Decide { decision: open.id, vote: Box::new(vote) }
}

fn journals() -> Vec<(SharedJournal, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("state")).unwrap();
    vec![(Arc::new(MemoryJournal::default()), None), (Arc::new(store), Some(folder))]
}

#[tokio::test]
async fn a_run_waits_as_rows_and_goes_on_elsewhere() {
    for (journal, _folder) in journals() {
        let clock = clock();
        let mut session = start(&journal, &clock).await;
        drive(&mut session, &clock).await;
        let live = format!("{:?}", session.run().pending());
        let row = journal.run(&id()).unwrap();
        assert_eq!((row.summary.phase, row.open_decisions, row.seq), (Phase::Waiting, 1, session.run().seq()));
        assert_eq!(journal.open_decisions(&DecisionFilter::all()).unwrap()[0].question, "Go on?");
        let message = approval(session.run(), "bob", Some(session.head().clone()));
        session.close().await.unwrap();
        assert_eq!(journal.run(&id()).unwrap().holder, None);

        // Nobody is at work on it: the vote goes straight into the record.
        let owner = Owner::named("bob", 2);
        let answer = deliver(journal.clone(), clock.clone(), owner.clone(), &id(), message.clone()).await.unwrap();
        assert_eq!(answer, Answer::Accepted { seq: row.seq + 1 });
        let again = deliver(journal.clone(), clock.clone(), owner, &id(), message).await.unwrap();
        assert_eq!(again, Answer::Accepted { seq: row.seq + 1 }, "said twice, recorded once");
        assert_eq!(journal.run(&id()).unwrap().seq, row.seq + 1);

        let mut session = open(&journal, &clock, 3).await.unwrap();
        assert_ne!(format!("{:?}", session.run().pending()), live);
        assert_eq!(session.adopt(person("bob")).unwrap(), []);
        drive(&mut session, &clock).await;
        assert!(session.run().outcome().is_some());
        session.close().await.unwrap();
        let row = journal.run(&id()).unwrap();
        assert_eq!((row.summary.phase, row.open_decisions), (Phase::Ended, 0));
        assert!(row.summary.outcome.is_some() && row.summary.ended_at.is_some());
        // What was live is what is replayed, and the summary is the sum of the events.
        let mut summary = None::<Summary>;
        let (run, _) = replay(&*journal, &id(), &mut |_, event| match &event.fact {
            Fact::RunStarted(started) => summary = Some(Summary::new(started, event.at)),
            _ => summary.iter_mut().for_each(|s| s.apply(event)),
        })
        .unwrap();
        assert_eq!(run.seq(), row.seq);
        assert_eq!(summary.unwrap(), row.summary);
    }
}

#[tokio::test]
async fn a_message_reaches_the_owner_and_its_answer_the_sender() {
    for (journal, _folder) in journals() {
        let clock = clock();
        let mut session = start(&journal, &clock).await;
        drive(&mut session, &clock).await;
        let asked = approval(session.run(), "bob", None);
        let wrong = Message::Decide { decision: DecisionId(9), vote: Box::new(vote_of(&asked)) };
        for (message, accepted) in [(wrong, false), (asked, true), (Message::Note { by: person("bob"), text: "hm".into() }, true)] {
            let run = id();
            let sending = deliver(journal.clone(), clock.clone(), Owner::named("bob", 2), &run, message);
            let owning = async {
                loop {
                    let letters = session.letters().unwrap();
                    for letter in &letters {
                        let received = session.receive(letter.message.clone()).unwrap();
                        session.reply(letter.id, received.answer);
                    }
                    assert!(letters.is_empty() || session.letters().unwrap().is_empty(), "answered, though not yet committed");
                    session.flush().await.unwrap();
                    if !letters.is_empty() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            };
            let (answer, ()) = tokio::join!(sending, owning);
            assert_eq!(matches!(answer.unwrap(), Answer::Accepted { .. }), accepted);
        }
    }
}

/// Whoever was at work dies before it answers: the sender records it, once.
#[tokio::test]
async fn what_an_owner_that_died_has_not_answered_is_recorded_by_its_sender() {
    for (journal, _folder) in journals() {
        let clock = clock();
        let mut session = start(&journal, &clock).await;
        drive(&mut session, &clock).await;
        session.flush().await.unwrap();
        let seq = journal.run(&id()).unwrap().seq;
        let (run, note) = (id(), Message::Note { by: person("bob"), text: "hm".into() });
        let sending = deliver(journal.clone(), clock.clone(), Owner::named("bob", 2), &run, note);
        let dying = async {
            while journal.inbox(&run).unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            std::mem::forget(session);
            clock.advance(limits::LEASE * 2);
        };
        let (answer, ()) = tokio::join!(sending, dying);
        assert_eq!(answer, Ok(Answer::Accepted { seq: seq + 1 }));
        let row = journal.run(&run).unwrap();
        assert_eq!((row.seq, row.holder, journal.inbox(&run).unwrap().len()), (seq + 1, None, 0));
    }
}

/// The disk was slow, or the clock jumped: whoever is at work is asked all the same, and is left its run.
#[tokio::test]
async fn an_owner_that_is_there_answers_though_its_lease_looks_expired() {
    for (there, epochs) in [(true, 1), (false, 2)] {
        let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
        let owner = if there { Owner::this_process("ada") } else { Owner::named("ada", 1) };
        let mut session = start_as(&journal, &clock, owner).await;
        clock.advance(limits::LEASE);
        let (run, note) = (id(), Message::Note { by: person("bob"), text: "hm".into() });
        let sending = deliver(journal.clone(), clock.clone(), Owner::named("bob", 2), &run, note);
        let owning = async {
            while there && journal.inbox(&run).unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            session.answer_letters().await
        };
        let (answer, owned) = tokio::join!(sending, owning);
        assert_eq!(answer, Ok(Answer::Accepted { seq: 2 }));
        owned.unwrap();
        let holder = journal.run(&run).unwrap().holder;
        assert_eq!(holder.map(|holder| holder.epoch), there.then_some(epochs));
    }
}

/// It is for whoever looks after runs: nobody has parked it.
#[tokio::test]
async fn a_remark_to_a_run_whose_process_has_died_does_not_park_it() {
    for (journal, _folder) in journals() {
        let clock = clock();
        let mut session = start(&journal, &clock).await;
        session.flush().await.unwrap();
        let found = journal.run(&id()).unwrap().summary.phase;
        assert_eq!(found, Phase::Running);
        // As a process that is killed leaves it.
        std::mem::forget(session);
        clock.advance(limits::LEASE * 2);
        let note = Message::Note { by: person("bob"), text: "hm".into() };
        deliver(journal.clone(), clock.clone(), Owner::named("bob", 2), &id(), note).await.unwrap();
        let row = journal.run(&id()).unwrap();
        assert_eq!((row.summary.phase, row.holder), (Phase::Running, None));
    }
}

fn vote_of(message: &Message) -> Vote {
    match message {
        Message::Decide { vote, .. } => (**vote).clone(),
        _ => panic!("no vote"),
    }
}

#[tokio::test]
async fn a_thawed_owner_records_nothing_more() {
    for (journal, _folder) in journals() {
        let clock = clock();
        let mut frozen = start(&journal, &clock).await;
        assert!(open(&journal, &clock, 2).await.is_err(), "two owners");
        clock.advance(limits::LEASE);
        let mut other = open(&journal, &clock, 2).await.unwrap();
        other.adopt(person("bob")).unwrap();
        other.flush().await.unwrap();

        frozen.record(Fact::NoteAdded { by: person("ada"), text: "good morning".into() }).unwrap();
        let stale = JournalError::Stale { run: id() };
        assert_eq!(frozen.flush().await, Err(SessionError::Journal(stale.clone())));
        let stopped = SessionError::Stopped(stale);
        assert_eq!(frozen.flush().await, Err(stopped.clone()));
        assert_eq!(frozen.record(Fact::NoteAdded { by: person("ada"), text: "hello?".into() }), Err(stopped.clone()));
        assert_eq!(frozen.renew().await, Err(stopped));
        drop(frozen);
        other.record(Fact::NoteAdded { by: person("bob"), text: "mine".into() }).unwrap();
        other.close().await.unwrap();
        assert_eq!(journal.run(&id()).unwrap().seq, 3);
    }
}

#[tokio::test]
async fn what_was_under_way_is_named_to_the_next_owner() {
    let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
    let mut session = start(&journal, &clock).await;
    resolve_until(&mut session, |command| matches!(command, Command::Perform { .. }));
    let path: StepPath = "copy".parse().unwrap();
    session.record(Fact::AttemptStarted { path: path.clone(), attempt: 1 }).unwrap();
    session.flush().await.unwrap();
    session.record(Fact::NoteAdded { by: person("ada"), text: "never committed".into() }).unwrap();
    let seq = session.run().seq();
    drop(session);
    let mut next = open(&journal, &clock, 2).await.unwrap();
    assert_eq!(next.run().seq(), seq - 1, "what was not committed did not happen");
    assert_eq!(next.adopt(person("bob")).unwrap(), [(path, 1)]);
}

#[tokio::test]
async fn a_fact_that_cannot_be_changes_nothing() {
    let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
    let mut session = start(&journal, &clock).await;
    let before = (session.run().seq(), session.head().clone());
    let note = |text: String| Fact::NoteAdded { by: person("ada"), text };
    for (fact, expect) in [
        (Fact::ResumeRequested { by: person("ada") }, "not paused"),
        (note("x".repeat(limits::EVENT_BYTES)), "at most"),
        (
            Fact::AttemptFinished { path: "copy".parse().unwrap(), attempt: 1, end: AttemptEnd::Unknown { why: String::new() } },
            "copy",
        ),
    ] {
        let error = session.record(fact).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
        assert_eq!((session.run().seq(), session.head().clone()), before);
    }
    session.record(note("fine".into())).unwrap();
    session.close().await.unwrap();
    assert_eq!(journal.run(&id()).unwrap().seq, 2);
}

/// Whoever leaves a run in good order parks it; one that was left with an attempt under way was interrupted.
#[tokio::test]
async fn a_run_that_is_left_says_how() {
    for (journal, _folder) in journals() {
        let clock = clock();
        let mut session = start(&journal, &clock).await;
        let phase = || journal.run(&id()).unwrap().summary.phase;
        resolve_until(&mut session, |command| matches!(command, Command::Perform { .. }));
        session.flush().await.unwrap();
        assert_eq!(phase(), Phase::Running);
        session.close().await.unwrap();
        assert_eq!(phase(), Phase::Parked);

        let mut session = open(&journal, &clock, 2).await.unwrap();
        let path: StepPath = "copy".parse().unwrap();
        session.record(Fact::AttemptStarted { path: path.clone(), attempt: 1 }).unwrap();
        session.close().await.unwrap();
        assert_eq!(phase(), Phase::Running);

        let mut session = open(&journal, &clock, 3).await.unwrap();
        let end = AttemptEnd::Unknown { why: "it was left".into() };
        session.record(Fact::AttemptFinished { path, attempt: 1, end }).unwrap();
        session.close().await.unwrap();
        assert_eq!(phase(), Phase::Parked);

        let mut session = open(&journal, &clock, 4).await.unwrap();
        drive(&mut session, &clock).await;
        session.close().await.unwrap();
        assert_eq!(phase(), Phase::Waiting, "a decision is what it waits for");
    }
}

fn resolve_until(session: &mut Session, stop: impl Fn(&Command) -> bool) {
    while !session.run().pending().iter().any(&stop) {
        let now = session.clock().now();
        let fact = session.run().pending().into_iter().find_map(|c| match c {
            Command::Resolve { path } => session.run().resolve(&path, now),
            Command::Conclude { path } => session.run().conclude(&path, now),
            _ => None,
        });
        session.record(fact.unwrap()).unwrap();
    }
}

/// Values that no event holds fail their step; the run goes on to its end.
#[tokio::test]
async fn what_is_too_large_for_the_record_is_a_failure() {
    let large = || runbook_core::Value::text("x".repeat(limits::EVENT_BYTES));
    let path: StepPath = "copy".parse().unwrap();
    type Make<'a> = &'a dyn Fn(&Run) -> Fact;
    let resolved: Make<'_> =
        &|_| Fact::StepResolved { path: path.clone(), resolution: Resolution::Values(Map::from([("all".to_owned(), large())])) };
    let finished: Make<'_> =
        &|_| Fact::AttemptFinished { path: path.clone(), attempt: 1, end: AttemptEnd::Succeeded { result: large() } };
    for (what, fact) in [("resolved", resolved), ("finished", finished)] {
        let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
        let mut session = start(&journal, &clock).await;
        let wanted = |command: &Command| match command {
            Command::Resolve { path: at } => what == "resolved" && *at == path,
            Command::Perform { .. } => what != "resolved",
            _ => false,
        };
        resolve_until(&mut session, wanted);
        if what != "resolved" {
            session.record(Fact::AttemptStarted { path: path.clone(), attempt: 1 }).unwrap();
        }
        session.record(fact(session.run())).unwrap_or_else(|e| panic!("{what}: {e}"));
        drive(&mut session, &clock).await;
        let outcome = session.run().outcome().unwrap_or_else(|| panic!("{what}: it does not end"));
        assert!(outcome.message.contains("at most 65536 are recorded"), "{what}: {outcome:?}");
        session.close().await.unwrap();
    }
}

struct Committed(Arc<Mutex<Vec<u64>>>);

impl Observer for Committed {
    fn observe(&mut self, _: &Run, _: &Event, _: &Record) {}

    fn committed(&mut self, seq: u64) {
        self.0.lock().unwrap().push(seq);
    }
}

#[tokio::test]
async fn an_observer_hears_what_is_on_the_disk_and_no_more() {
    let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
    let mut session = start(&journal, &clock).await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    session.observe(Box::new(Committed(heard.clone())));
    let note = || Fact::NoteAdded { by: person("ada"), text: "x".into() };
    session.record(note()).unwrap();
    session.publish().await.unwrap();
    assert_eq!(*heard.lock().unwrap(), [0; 0], "others see it, and it is not on the disk");
    session.flush().await.unwrap();
    session.record(note()).unwrap();
    session.record(note()).unwrap();
    session.flush().await.unwrap();
    session.flush().await.unwrap();
    assert_eq!(*heard.lock().unwrap(), [2, 4]);
}

struct Seen(Arc<Mutex<Vec<u64>>>, u64);

impl Observer for Seen {
    fn observe(&mut self, run: &Run, event: &Event, _: &Record) {
        assert_eq!(run.seq(), event.seq, "told after the run has taken it");
        self.0.lock().unwrap().push(event.seq);
        assert_ne!(event.seq, self.1, "an observer's own fault");
    }
}

#[tokio::test]
async fn an_observer_that_fails_never_fails_the_run() {
    let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
    let mut session = start(&journal, &clock).await;
    let [good, bad] = [0, 3].map(|fails_at| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        session.observe(Box::new(Seen(seen.clone(), fails_at)));
        seen
    });
    for text in ["a", "b", "c"] {
        session.record(Fact::NoteAdded { by: person("ada"), text: text.into() }).unwrap();
    }
    assert_eq!(*good.lock().unwrap(), [2, 3, 4]);
    assert_eq!(bad.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_slice(), [2, 3]);
}

#[tokio::test]
async fn a_flush_that_nobody_waited_for_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let journal: SharedJournal = Arc::new(Store::open(&folder.path().join("state")).unwrap());
    let clock = clock();
    let mut session = start(&journal, &clock).await;
    for n in 2..20 {
        session.record(Fact::NoteAdded { by: person("ada"), text: format!("{n}") }).unwrap();
        {
            let mut flush = std::pin::pin!(session.flush());
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let _ = flush.as_mut().poll(&mut context);
        }
        if n % 3 == 0 {
            session.flush().await.unwrap();
            assert_eq!(journal.run(&id()).unwrap().seq, n);
        }
    }
    session.publish().await.unwrap();
    session.flush().await.unwrap();
    assert_eq!(journal.run(&id()).unwrap().seq, 19);
    assert!(journal.records(&id(), 1, 100).unwrap().windows(2).all(|pair| pair[0].at <= pair[1].at));
}

/// A clock that is set at will, beside what really passes.
#[derive(Debug)]
struct Set {
    shows: ManualClock,
    passes: Mutex<Duration>,
}

impl Clock for Set {
    fn now(&self) -> Timestamp {
        self.shows.now()
    }

    fn passed(&self) -> Duration {
        *self.passes.lock().unwrap()
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_stops_no_run() {
    let journal: SharedJournal = Arc::new(MemoryJournal::default());
    drop(start(&journal, &clock()).await);
    let start = clock().now();
    let hour = Duration::from_secs(3600);
    let set = Arc::new(Set { shows: ManualClock::at(start), passes: Mutex::default() });
    let mut session = Session::open(journal, set.clone(), Owner::named("bob", 2), Vec::new(), &id()).await.unwrap();
    // What is shown at first, what passes, what is shown then; the time of the run.
    for (before, passes, after, expect) in [
        (start, 5, start + Duration::from_secs(5), start + Duration::from_secs(5)),
        (start + hour, 5, start, start + hour + Duration::from_secs(5)),
        (start, 2, start - hour, start + hour + Duration::from_secs(7)),
        (start, 1, start + hour * 2, start + hour * 2),
    ] {
        set.shows.set(before);
        session.adopt(person("bob")).unwrap();
        *set.passes.lock().unwrap() += Duration::from_secs(passes);
        set.shows.set(after);
        assert_eq!(session.now(), expect);
        session.adopt(person("bob")).unwrap();
        assert_eq!(session.run().last_at(), expect);
    }
}

#[tokio::test]
async fn who_was_stopped_past_the_lease_asks_before_acting() {
    let journal: SharedJournal = Arc::new(MemoryJournal::default());
    let clock = clock();
    let mut frozen = start(&journal, &clock).await;
    clock.advance(limits::LEASE);
    frozen.hold().await.unwrap();
    clock.advance(limits::LEASE - Duration::from_millis(1));
    assert!(open(&journal, &clock, 2).await.is_err(), "the lease was not lengthened");
    clock.advance(limits::LEASE);
    let _other = open(&journal, &clock, 2).await.unwrap();
    assert_eq!(frozen.hold().await, Err(SessionError::Journal(JournalError::Stale { run: id() })));
}

#[tokio::test]
async fn a_clock_that_is_set_back_lengthens_no_lease() {
    let journal: SharedJournal = Arc::new(MemoryJournal::default());
    drop(start(&journal, &clock()).await);
    let start = clock().now();
    let set = Arc::new(Set { shows: ManualClock::at(start), passes: Mutex::default() });
    let mut frozen = Session::open(journal.clone(), set.clone(), Owner::named("bob", 2), Vec::new(), &id()).await.unwrap();
    let later = clock();
    later.advance(limits::LEASE);
    let _other = open(&journal, &later, 3).await.unwrap();
    set.shows.set(start - Duration::from_secs(3600));
    *set.passes.lock().unwrap() += limits::LEASE;
    assert_eq!(frozen.hold().await, Err(SessionError::Journal(JournalError::Stale { run: id() })));
}
