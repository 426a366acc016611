//! A run that asks whoever is on call: of one rotation at once, of another when nobody answers.

use std::time::Duration;

use runbook_core::Plan;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::run::Command;
use runbook_core::run::event::Timer;

use super::golden::{exits, go};
use super::*;
use crate::journal::Owner;
use crate::message::Answer;
use crate::session::tests::begin;

const WORKSPACE: &str = r#"
apiVersion: runbook/v1
kind: Workspace
people: {ada: {}, bob: {}, cyd: {}, dan: {}}
rotations:
  first:
    members: [bob, cyd]
    starts: 2025-12-29
    hand_over: {days: mon-sun, at: "09:00"}
    zone: Europe/Paris
    overrides: [{who: dan, from: "2026-01-01T00:00", to: "2026-01-01T12:00", reason: New Year}]
  second: {members: [ada, cyd], starts: 2025-12-29, hand_over: {days: [mon, thu], at: "00:00", every: 2}}
escalations: {up: {steps: [{to: [first, second], after: 10m}]}}
"#;

const ASKS: &str = "
apiVersion: runbook/v1
kind: Runbook
name: asks
version: 1.0.0
escalation: up
steps:
  - id: go
    approve: { question: Go?, from: [first], within: 13h, on_timeout: escalate }
";

/// Of the same people, by the day and by the week.
const CALENDAR: &str = "BEGIN:VCALENDAR
BEGIN:VEVENT
DTSTART:20251230T000000
DTEND:20251231T000000
RRULE:FREQ=DAILY;COUNT=9
EXDATE:20251231T000000
SUMMARY:bob
END:VEVENT
BEGIN:VEVENT
DTSTART:20251229T000000
DTEND:20260105T000000
RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20270101
SUMMARY:cyd
END:VEVENT
END:VCALENDAR
";

fn plan(workspace: &str) -> Arc<Plan> {
    let read = |name: &str, text: &str| {
        let (document, found) = load(&Source::new(name, text));
        assert!(!found.has_errors(), "{found:#?}");
        document.unwrap()
    };
    let (Document::Procedure(procedure), Document::Workspace(mut workspace)) =
        (read("asks.yaml", ASKS), read("workspace.yaml", workspace))
    else {
        panic!("other kinds of documents")
    };
    for rotation in workspace.calendars.clone().keys() {
        let found = workspace.take_calendar(rotation, &Source::new("first.ics", CALENDAR));
        assert!(!found.has_errors(), "{found:#?}");
    }
    let (plan, found) = check(&procedure, &Catalogue::new([&*procedure], Some(&workspace)), &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")))
}

pub(super) async fn record() -> String {
    let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
    let id = RunId::from_parts(1_767_225_600_000, 400);
    let mut session = begin(&journal, &clock, Owner::named("ada", 1), id.clone(), plan(WORKSPACE)).await;
    let end = |_: &StepPath, _: u32| exits(0);
    go(&mut session, &clock, &end).await;
    let asked = |session: &crate::session::Session| session.run().decisions()[0].asked.clone();
    // The hand-over at nine does not matter to what was asked at one.
    assert_eq!(asked(&session), ["dan"]);
    clock.advance(Duration::from_secs(10 * 3600));
    let refused = session.receive(approval(session.run(), "bob", None)).unwrap();
    assert!(
        matches!(&refused.answer, Answer::Refused { why } if why.contains("`bob` is not among those who are asked")),
        "{refused:?}"
    );
    let late = session.run().pending().into_iter().find_map(|command| match command {
        Command::Wake { timer: timer @ Timer::Decision { .. }, at } => Some((timer, at)),
        _ => None,
    });
    let (timer, at) = late.unwrap();
    clock.set(at);
    session.record(Fact::fired(timer)).unwrap();
    assert_eq!(asked(&session), ["dan", "cyd", "ada"]);
    let answered = session.receive(approval(session.run(), "cyd", None)).unwrap();
    assert!(matches!(answered.answer, Answer::Accepted { .. }), "{answered:?}");
    go(&mut session, &clock, &end).await;
    session.close().await.unwrap();
    let mut text = Vec::new();
    export(&*journal, &id, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// The same where a calendar says who is on call.
pub(super) async fn record_by_calendar() -> String {
    let kept = "first: {calendar: first.ics}\n  second: {members: [ada]";
    let (before, after) = WORKSPACE.split_once("first:").unwrap();
    let (_, rest) = after.split_once("second: {members: [ada, cyd]").unwrap();
    let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
    let id = RunId::from_parts(1_767_225_600_000, 401);
    let plan = plan(&format!("{before}{kept}{rest}"));
    let mut session = begin(&journal, &clock, Owner::named("ada", 1), id.clone(), plan).await;
    let end = |_: &StepPath, _: u32| exits(0);
    go(&mut session, &clock, &end).await;
    assert_eq!(session.run().decisions()[0].asked, ["bob"]);
    let answered = session.receive(approval(session.run(), "bob", None)).unwrap();
    assert!(matches!(answered.answer, Answer::Accepted { .. }), "{answered:?}");
    go(&mut session, &clock, &end).await;
    session.close().await.unwrap();
    let mut text = Vec::new();
    export(&*journal, &id, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// The same where somebody is at it, and hands it over.
pub(super) async fn record_acknowledged() -> String {
    let (journal, clock): (SharedJournal, _) = (Arc::new(MemoryJournal::default()), clock());
    let id = RunId::from_parts(1_767_225_600_000, 402);
    let mut session = begin(&journal, &clock, Owner::named("ada", 1), id.clone(), plan(WORKSPACE)).await;
    let end = |_: &StepPath, _: u32| exits(0);
    go(&mut session, &clock, &end).await;
    let acknowledge = |by: &str, to: Option<&str>, hold: u64| Message::Acknowledge {
        decision: runbook_core::DecisionId(1),
        by: person(by),
        to: to.map(str::to_owned),
        hold: Duration::from_secs(hold),
        reason: "the logs first".to_owned(),
    };
    let say = |session: &mut crate::session::Session, message: Message| session.receive(message).unwrap().answer;
    let due = |session: &crate::session::Session| session.run().decisions()[0].deadline.unwrap();
    let first = due(&session);
    for (message, why) in [
        (acknowledge("bob", None, 60), "`bob` is not among those who are asked"),
        (acknowledge("dan", Some("ada"), 60), "`ada` is not among those who are asked"),
        (acknowledge("dan", None, 0), "at most 24 hours"),
        (acknowledge("dan", None, 86_401), "at most 24 hours"),
    ] {
        let answer = say(&mut session, message);
        assert!(matches!(&answer, Answer::Refused { why: said } if said.contains(why)), "{answer:?}");
    }
    clock.advance(Duration::from_secs(60));
    assert!(matches!(say(&mut session, acknowledge("dan", None, 60)), Answer::Accepted { .. }));
    assert_eq!(due(&session), first, "nobody is asked sooner for it");
    clock.set(first - jiff::SignedDuration::from_secs(60));
    assert!(matches!(say(&mut session, acknowledge("dan", None, 1800)), Answer::Accepted { .. }));
    let later = first + jiff::SignedDuration::from_secs(29 * 60);
    assert_eq!(due(&session), later);
    clock.set(first);
    assert!(session.receive(acknowledge("eve", None, 60)).is_ok());
    assert_eq!(session.run().decisions()[0].rung, 0, "its time has moved");
    clock.set(later);
    // The next are asked; nobody comes after them, so nobody is held off from then on.
    let refused = say(&mut session, acknowledge("dan", Some("ada"), 1800));
    assert!(matches!(&refused, Answer::Refused { why } if why.contains("nobody else would be asked next")), "{refused:?}");
    let decision = &session.run().decisions()[0];
    assert_eq!((decision.rung, &decision.acknowledged), (1, &None));
    let answered = session.receive(approval(session.run(), "dan", None)).unwrap();
    assert!(matches!(answered.answer, Answer::Accepted { .. }), "{answered:?}");
    go(&mut session, &clock, &end).await;
    session.close().await.unwrap();
    let mut text = Vec::new();
    export(&*journal, &id, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn whoever_is_at_it_is_left_alone_and_the_record_says_so() {
    let text = record_acknowledged().await;
    assert_eq!(text.matches(r#""kind":"acknowledged""#).count(), 2, "{text}");
    assert_eq!(super::check(text.as_bytes()).faults, []);
}

#[tokio::test]
async fn who_was_asked_stands_in_the_record() {
    let text = record().await;
    for part in [r#""on_call":{"first":["dan"]}"#, r#""on_call":{"first":["cyd"],"second":["ada"]}"#] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(super::check(text.as_bytes()).faults, []);
}
