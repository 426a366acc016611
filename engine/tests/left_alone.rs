//! Runs that nobody sits with: the driver lets go of one as soon as it only waits, and its outlook says when it goes on.

use std::sync::Arc;
use std::time::Duration;

use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::cloud_event::Status;
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::run::event::{AttemptEnd, Identity, Means, OutcomeKind, RunStarted};
use runbook_core::run::listen::Occurrence;
use runbook_core::{CloudEvent, DecisionId, Map, Plan, RunId, Value};
use runbook_engine::clock::{Clock, ManualClock};
use runbook_engine::driver::{Assignment, Driver, Outlook, Patience, Performer, Stop, World, engine};
use runbook_engine::journal::{AwaitedFilter, MemoryJournal, Owner, Phase, SharedJournal};
use runbook_engine::message::{Answer, Message};
use runbook_engine::session::{Session, deliver, replay};

struct Fine;

impl Performer for Fine {
    fn perform(&self, _: Assignment) -> std::pin::Pin<Box<dyn Future<Output = AttemptEnd> + Send>> {
        Box::pin(std::future::ready(AttemptEnd::Succeeded { result: Value::Map(Map::new()) }))
    }
}

struct Case {
    clock: Arc<ManualClock>,
    journal: SharedJournal,
}

fn plan(top: &str, steps: &str) -> Arc<Plan> {
    let text = format!("apiVersion: runbook/v1\nkind: Runbook\nname: p\nversion: 1.0.0\n{top}steps: {steps}\n");
    let (document, found) = load(&Source::new("p.yaml", text));
    let Some(Document::Procedure(procedure)) = document else { panic!("{found:#?}") };
    let (plan, found) = check(&procedure, &Catalogue::new([&*procedure], None), &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")))
}

impl Case {
    fn new() -> Case {
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        Case { clock, journal: Arc::new(MemoryJournal::default()) }
    }

    async fn start(&self, number: u64, plan: &Arc<Plan>) -> RunId {
        let id = RunId::from_parts(1, u128::from(number));
        let by = Identity { person: "ada".to_owned(), means: Means::Engine };
        let started = RunStarted::of(plan, Map::new(), by, 1).unwrap();
        let (journal, owner) = (self.journal.clone(), Owner::named("ada", 1));
        let session = Session::create(journal, self.clock.clone(), owner, Vec::new(), id.clone(), plan.clone(), started).await;
        session.unwrap().close().await.unwrap();
        id
    }

    /// Goes on with a run; `None` where the driver stays with it.
    async fn leave(&self, id: &RunId, first: Option<Message>) -> Option<Stop> {
        let (journal, owner) = (self.journal.clone(), Owner::named("ada", 1));
        let mut session = Session::open(journal, self.clock.clone(), owner, Vec::new(), id).await.unwrap();
        session.adopt(engine()).unwrap();
        if let Some(message) = first {
            session.receive(message).unwrap();
        }
        let (_wishes, wishes) = tokio::sync::mpsc::unbounded_channel();
        let world = World { performer: Arc::new(Fine), wishes };
        let drive = Driver::new(&mut session, world, Patience::Leave, Box::new(|_, _| {})).drive();
        let stop = tokio::time::timeout(Duration::from_millis(400), drive).await.ok().map(|stop| stop.unwrap());
        session.close().await.unwrap();
        stop
    }

    fn outlook(&self, id: &RunId) -> Outlook {
        Outlook::of(&replay(&*self.journal, id, &mut |_, _| {}).unwrap().0, self.clock.now())
    }
}

#[tokio::test]
async fn a_run_that_waits_for_people_is_left_until_its_deadline() {
    let case = Case::new();
    let id = case.start(1, &plan("timeout: 3h\n", "[{id: go, approve: {question: Go?, within: 1h}}]")).await;
    assert_eq!(case.outlook(&id), Outlook::Ready, "it was never driven");
    assert_eq!(case.leave(&id, None).await, Some(Stop::Waiting(vec![DecisionId(1)])));
    let until = case.clock.now() + Duration::from_secs(3600);
    assert_eq!(case.outlook(&id), Outlook::Waiting { until: Some(until) }, "the first of its times");
    case.clock.set(until);
    assert_eq!(case.outlook(&id), Outlook::Ready);
    let Some(Stop::Finished(outcome)) = case.leave(&id, None).await else { panic!("it goes on") };
    assert_ne!(outcome.kind, OutcomeKind::Succeeded);
    assert_eq!(case.outlook(&id), Outlook::Ended);
}

#[tokio::test]
async fn a_long_wait_is_left_and_a_short_one_is_not() {
    let case = Case::new();
    let id = case
        .start(1, &plan("", "[{id: long, wait: {for: 2h}}, {id: short, wait: {for: 29s}}, {id: say, run: echo, effect: none}]"))
        .await;
    let begun = case.clock.now();
    assert_eq!(case.leave(&id, None).await, Some(Stop::Waiting(Vec::new())));
    assert_eq!(case.outlook(&id), Outlook::Waiting { until: Some(begun + Duration::from_secs(7200)) });
    case.clock.advance(Duration::from_secs(7200));
    assert_eq!(case.outlook(&id), Outlook::Ready);
    assert_eq!(case.leave(&id, None).await, None, "what is soon over is sat out");
    case.clock.advance(Duration::from_secs(29));
    let Some(Stop::Finished(outcome)) = case.leave(&id, None).await else { panic!("it goes on") };
    assert_eq!(outcome.kind, OutcomeKind::Succeeded);
}

#[tokio::test]
async fn a_run_that_waits_for_an_event_is_left_and_goes_on_when_one_comes_or_its_time_is_over() {
    let case = Case::new();
    let steps =
        "[{id: news, wait: {event: {source: stdin}, within: 2h}, on_failure: continue}, {id: say, run: echo, effect: none}]";
    let (first, second) = (case.start(1, &plan("", steps)).await, case.start(2, &plan("", steps)).await);
    let until = case.clock.now() + Duration::from_secs(7200);
    for id in [&first, &second] {
        assert_eq!(case.leave(id, None).await, Some(Stop::Waiting(Vec::new())));
        assert_eq!(case.outlook(id), Outlook::Waiting { until: Some(until) });
        assert_eq!(case.journal.run(id).unwrap().summary.phase, Phase::Waiting);
    }
    let awaited = || case.journal.awaited(&AwaitedFilter::of("stdin")).unwrap();
    assert_eq!(awaited().iter().map(|awaited| &awaited.run).collect::<Vec<_>>(), [&first, &second]);
    case.clock.advance(Duration::from_secs(60));
    let event = CloudEvent {
        id: "1".to_owned(),
        source: "/tests".to_owned(),
        kind: "built".to_owned(),
        subject: None,
        time: None,
        data: Value::Null,
        extensions: Map::new(),
        key: "app".to_owned(),
        status: Status::Once,
    };
    let occurrence = Box::new(Occurrence { source: "stdin".to_owned(), number: 1, received: case.clock.now(), event });
    let owner = Owner::named("server", 2);
    let told = deliver(case.journal.clone(), case.clock.clone(), owner, &first, Message::Event { occurrence }).await;
    assert!(matches!(told, Ok(Answer::Accepted { .. })), "{told:?}");
    assert_eq!(case.outlook(&first), Outlook::Ready);
    assert_eq!(awaited().iter().map(|awaited| &awaited.run).collect::<Vec<_>>(), [&second], "in the same commit");
    case.clock.set(until);
    assert_eq!(case.outlook(&second), Outlook::Ready);
    for id in [&first, &second] {
        let Some(Stop::Finished(outcome)) = case.leave(id, None).await else { panic!("it goes on") };
        assert_eq!(outcome.kind, OutcomeKind::Succeeded);
    }
    assert_eq!(awaited(), []);
}

#[tokio::test]
async fn a_lock_of_a_run_that_nobody_drives_is_not_sat_out() {
    let case = Case::new();
    let plan = plan("lock: one\n", "[{id: go, approve: {question: Go?, within: 1h}}]");
    let (first, second) = (case.start(1, &plan).await, case.start(2, &plan).await);
    assert!(matches!(case.leave(&first, None).await, Some(Stop::Waiting(_))));
    assert_eq!(case.leave(&second, None).await, Some(Stop::Parked));
    assert_eq!(case.outlook(&second), Outlook::Locked { lock: "one".to_owned() });
}

#[tokio::test]
async fn a_paused_run_is_somebody_elses() {
    let case = Case::new();
    let id = case.start(1, &plan("", "[{id: say, run: echo, effect: none}]")).await;
    let by = Identity { person: "ada".to_owned(), means: Means::Engine };
    assert_eq!(case.leave(&id, Some(Message::Pause { by, reason: "look".to_owned() })).await, Some(Stop::Paused));
    assert_eq!(case.outlook(&id), Outlook::Paused);
}
