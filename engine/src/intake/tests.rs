//! What came in is there once, what was decided is there as a whole, and both are found again.

use runbook_core::cloud_event::Status;
use runbook_core::trigger::{Counterpart, Deferral, Drop, Join, Keys, TriggerName};
use runbook_core::value::{Map, Value};

use super::*;
use runbook_core::trigger::Decision;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_600_000 + second).unwrap()
}

fn arrival(id: &str, about: &str) -> Arrival {
    let event = CloudEvent {
        id: id.to_owned(),
        source: "/tests".to_owned(),
        kind: "alert".to_owned(),
        subject: None,
        time: None,
        data: Value::Map(Map::from([("n".to_owned(), Value::Int(i64::MAX))])),
        extensions: Map::new(),
        key: about.to_owned(),
        status: Status::Firing,
    };
    Arrival { source: "alerts".to_owned(), event, received: at(0) }
}

fn run(of: u64) -> RunId {
    RunId::from_parts(1, u128::from(of))
}

fn ruling(event: u64, trigger: &str, second: i64, decision: Decision) -> Ruling {
    Ruling {
        event,
        trigger: TriggerName { procedure: "fix".parse().unwrap(), id: trigger.to_owned() },
        version: "1.0.0".parse().unwrap(),
        received: at(0),
        at: at(second),
        keys: Keys { about: "a".to_owned(), run: run(event), dedup: None, accumulate: None, correlate: None, concurrency: None },
        decision,
    }
}

fn ran(event: u64, second: i64) -> Ruling {
    ruling(event, "1", second, Decision::Ran { run: run(event) })
}

fn waits() -> Decision {
    Decision::Deferred(Deferral::OverLimit { until: at(600) })
}

fn opened(folder: &tempfile::TempDir) -> Intake {
    Intake::open(&folder.path().join("state"), Commits::Together).unwrap()
}

#[test]
fn an_event_is_written_down_once() {
    let folder = tempfile::tempdir().unwrap();
    let intake = opened(&folder);
    let accepted = intake.accept(vec![arrival("a", "x"), arrival("b", "x"), arrival("a", "x")]).wait().unwrap();
    assert_eq!(accepted, [Accepted::New(1), Accepted::New(2), Accepted::Again(1)]);
    drop(intake);
    let intake = opened(&folder);
    assert_eq!(intake.accept(vec![arrival("b", "x")]).wait().unwrap(), [Accepted::Again(2)]);
    let mut other = arrival("b", "x");
    other.source = "others".to_owned();
    assert_eq!(intake.accept(vec![other]).wait().unwrap(), [Accepted::New(3)], "each source has its own names");
    let found = intake.unjudged(10).unwrap();
    assert_eq!(
        found.iter().map(|event| (event.number, event.again, event.judged)).collect::<Vec<_>>(),
        [(1, 1, false), (2, 1, false), (3, 0, false)]
    );
    assert_eq!(found[0].event, arrival("a", "x").event, "exactly as it came");
}

#[test]
fn a_judgement_is_whole_and_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let intake = opened(&folder);
    intake.accept(["a", "b", "c"].map(|id| arrival(id, "x")).to_vec()).wait().unwrap();
    let rulings = vec![
        ran(1, 0),
        ruling(1, "2", 0, Decision::Dropped(Drop::NotMeant)),
        ruling(2, "1", 1, waits()),
        ruling(3, "1", 2, Decision::Dropped(Drop::Duplicate { of: 1, until: at(60) })),
    ];
    intake.rule(Judged { rulings: rulings.clone(), events: vec![1, 2, 3], ..Judged::default() }).wait().unwrap();
    assert_eq!(intake.unjudged(10).unwrap(), []);
    assert_eq!(intake.that_count(at(0)).unwrap(), [rulings[0].clone(), rulings[2].clone()]);
    assert_eq!(intake.event(1).unwrap().unwrap().rulings, rulings[..2]);

    // What was deferred runs; what has ended no longer counts once it is old enough.
    let later = Judged { rulings: vec![ran(2, 600)], ended: vec![run(1)], ..Judged::default() };
    intake.rule(later).wait().unwrap();
    drop(intake);
    let intake = opened(&folder);
    assert_eq!(intake.live().unwrap(), [ran(2, 600)]);
    assert_eq!(intake.that_count(at(0)).unwrap(), [ran(1, 0), ran(2, 600)]);
    assert_eq!(intake.that_count(at(1000)).unwrap(), [ran(2, 600)], "it goes on, however old it is");
    assert_eq!(intake.event(2).unwrap().unwrap().rulings, [ran(2, 600)], "one decision of each trigger");
}

#[test]
fn what_a_decision_asks_for_is_owed_until_it_was_done() {
    let folder = tempfile::tempdir().unwrap();
    let intake = opened(&folder);
    intake.accept(["a", "b", "c"].map(|id| arrival(id, "x")).to_vec()).wait().unwrap();
    let joined = Decision::Joined { to: Counterpart::Run(run(1)), why: Join::Correlated };
    let rulings = vec![ran(1, 0), ruling(2, "1", 1, joined), ruling(3, "1", 1, Decision::Dropped(Drop::NotMeant))];
    intake.rule(Judged { rulings: rulings.clone(), events: vec![1, 2, 3], ..Judged::default() }).wait().unwrap();
    drop(intake);
    let intake = opened(&folder);
    let owed = |intake: &Intake| -> Vec<Ruling> { intake.owed(0, 10).unwrap().into_iter().map(|(_, ruling)| ruling).collect() };
    assert_eq!(owed(&intake), rulings[..2]);
    intake.done(vec![rulings[0].clone()]).wait().unwrap();
    assert_eq!(owed(&intake), rulings[1..2]);
    assert_eq!(intake.owed(intake.owed(0, 1).unwrap()[0].0, 10).unwrap(), []);
    assert_eq!(intake.live().unwrap(), [rulings[0].clone()], "it goes on");
}

#[test]
fn a_judgement_that_names_no_event_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let intake = opened(&folder);
    intake.accept(vec![arrival("a", "x")]).wait().unwrap();
    let judged = Judged { rulings: vec![ran(1, 0), ran(7, 0)], events: vec![1], ..Judged::default() };
    assert!(intake.rule(judged).wait().is_err());
    assert_eq!(intake.unjudged(10).unwrap().len(), 1);
    assert_eq!(intake.live().unwrap(), []);
}

#[test]
fn events_are_listed_by_what_became_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let intake = opened(&folder);
    intake.accept(["a", "b", "c", "d"].map(|id| arrival(id, "x")).to_vec()).wait().unwrap();
    let rulings = vec![ran(1, 0), ruling(2, "1", 1, waits()), ruling(3, "1", 1, Decision::Dropped(Drop::NotMeant))];
    intake.rule(Judged { rulings, events: vec![1, 2, 3], ..Judged::default() }).wait().unwrap();
    let numbers = |filter: EventFilter| -> Vec<u64> { intake.events(&filter).unwrap().iter().map(|event| event.number).collect() };
    let all = EventFilter::default();
    assert_eq!(numbers(all.clone()), [4, 3, 2, 1]);
    assert_eq!(numbers(EventFilter { before: Some(3), limit: 1, ..all.clone() }), [2]);
    assert_eq!(numbers(EventFilter { word: Some("deferred".to_owned()), ..all.clone() }), [2]);
    assert_eq!(numbers(EventFilter { procedure: Some("fix".to_owned()), ..all.clone() }), [3, 2, 1]);
    assert_eq!(numbers(EventFilter { procedure: Some("other".to_owned()), ..all.clone() }), Vec::<u64>::new());
    assert_eq!(numbers(EventFilter { run: Some(run(1)), ..all.clone() }), [1]);
    assert_eq!(numbers(EventFilter { source: Some("others".to_owned()), ..all }), Vec::<u64>::new());
}

/// However many events there were, what is asked often is found by an index.
#[test]
fn what_is_asked_often_reads_no_whole_table() {
    let folder = tempfile::tempdir().unwrap();
    drop(opened(&folder));
    let c = rusqlite::Connection::open(folder.path().join("state/events.db")).unwrap();
    for (sql, index) in [
        (rows::THAT_COUNT, "rulings_by_word"),
        (rows::THAT_COUNT, "rulings_that_ran"),
        (rows::THAT_COUNT, "rulings_live"),
        ("SELECT made, body FROM rulings WHERE owed = 1 AND made > 1 ORDER BY made LIMIT 9", "rulings_owed"),
        ("UPDATE rulings SET live = 0 WHERE run = 'a' AND +live = 1", "rulings_by_run"),
        ("SELECT number FROM events WHERE judged = 0 ORDER BY number LIMIT 9", "events_unjudged"),
        ("SELECT number FROM events WHERE TRUE AND source = 'a' ORDER BY number DESC LIMIT 9", "events_by_source"),
    ] {
        let plan: Vec<String> = c
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap()
            .query_map(rusqlite::params_from_iter((0..sql.matches('?').count()).map(|_| 1)), |row| row.get::<_, String>(3))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(plan.iter().any(|line| line.contains(index)), "{sql}: {plan:?}");
    }
}

fn parcel(ids: &[&str], replay: Option<(&str, i64)>, second: i64) -> Parcel {
    Parcel {
        source: "alerts".to_owned(),
        events: ids.iter().map(|id| arrival(id, "a").event).collect(),
        received: at(second),
        replay: replay.map(|(key, until)| Replay { key: key.to_owned(), until: at(until) }),
    }
}

#[test]
fn a_signed_delivery_counts_once_until_its_time_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let intake = opened(&folder);
    let taken = |intake: &Intake, parcel: Parcel| intake.take(parcel).wait().unwrap();
    assert_eq!(taken(&intake, parcel(&["1", "2"], Some(("k", 60)), 0)).numbers(), [1, 2]);
    // Without a signature, what comes again is counted.
    assert_eq!(taken(&intake, parcel(&["1"], None, 1)), Taken::Events(vec![Accepted::Again(1)]));
    drop(intake);
    let intake = opened(&folder);
    // What is not signed was changed on the way: the same delivery all the same.
    assert_eq!(taken(&intake, parcel(&["other"], Some(("k", 60)), 59)), Taken::Before(vec![1, 2]));
    assert_eq!(intake.taken("alerts", "k", at(59)).unwrap(), Some(vec![1, 2]));
    assert_eq!(intake.taken("elsewhere", "k", at(59)).unwrap(), None);
    assert_eq!(intake.event(1).unwrap().unwrap().again, 1);
    // Its time is over.
    assert_eq!(intake.taken("alerts", "k", at(60)).unwrap(), None);
    assert_eq!(taken(&intake, parcel(&["3"], Some(("k", 120)), 60)).numbers(), [3]);
    // A hello has no events, and counts once too.
    assert_eq!(taken(&intake, parcel(&[], Some(("hello", 120)), 60)), Taken::Events(Vec::new()));
    assert_eq!(taken(&intake, parcel(&[], Some(("hello", 120)), 61)), Taken::Before(Vec::new()));
}

#[test]
fn deliveries_whose_time_is_over_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let intake = opened(&folder);
    for n in 0..40 {
        let key = n.to_string();
        intake.take(parcel(&[], Some((&key, n + 10)), n)).wait().unwrap();
    }
    let kept: i64 = intake.database.read(|c| Ok(c.query_row("SELECT count(*) FROM deliveries", [], |row| row.get(0))?)).unwrap();
    assert!((10..=11).contains(&kept), "{kept}");
}

#[test]
fn the_backlog_is_what_nobody_has_judged() {
    let folder = tempfile::tempdir().unwrap();
    let intake = opened(&folder);
    assert_eq!(intake.backlog(10).unwrap(), Backlog::default());
    intake.take(parcel(&["1", "2", "3"], None, 7)).wait().unwrap();
    intake.take(parcel(&["4"], None, 9)).wait().unwrap();
    assert_eq!(intake.backlog(10).unwrap(), Backlog { events: 4, oldest: Some(at(7)) });
    assert_eq!(intake.backlog(2).unwrap().events, 2);
    intake.rule(Judged { events: vec![1, 2, 3], ..Judged::default() }).wait().unwrap();
    assert_eq!(intake.backlog(10).unwrap(), Backlog { events: 1, oldest: Some(at(9)) });
}

#[test]
fn what_is_old_goes_where_nothing_depends_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let intake = opened(&folder);
    let at_day = |id: &str, day: i64| Arrival { received: at(day * 86_400), ..arrival(id, "x") };
    let names = ["done", "deferred", "goes on", "owed", "decided late", "unjudged", "awaited", "new", "set back", "no trigger"];
    let days = [0, 0, 0, 0, 0, 0, 0, 9, 1, 1];
    intake.accept(names.iter().zip(days).map(|(id, day)| at_day(id, day)).collect()).wait().unwrap();
    let joined =
        |event, second| ruling(event, "1", second, Decision::Joined { to: Counterpart::Run(run(90)), why: Join::Correlated });
    let dropped = |event, second| ruling(event, "1", second, Decision::Dropped(Drop::NotMeant));
    let judged = Judged {
        rulings: vec![
            ran(1, 0),
            ruling(2, "1", 0, waits()),
            ran(3, 0),
            joined(4, 0),
            dropped(5, 5 * 86_400),
            dropped(7, 0),
            dropped(9, 0),
        ],
        events: vec![1, 2, 3, 4, 5, 7, 8, 9, 10],
        offers: vec![Offer::new(7, run(91))],
        ..Judged::default()
    };
    intake.rule(judged).wait().unwrap();
    let ended = Judged { ended: vec![run(1)], ..Judged::default() };
    intake.rule(ended).wait().unwrap();
    intake.done(vec![ran(1, 0), ran(3, 0)]).wait().unwrap();
    let before = at(3 * 86_400);
    let numbers = |old: Old| (old.events.iter().map(|event| event.number).collect::<Vec<_>>(), old.last);
    assert_eq!(numbers(intake.old(before, 0, 100).unwrap()), (vec![1, 9, 10], Some(10)));
    assert_eq!(numbers(intake.old(before, 0, 1).unwrap()), (vec![1], Some(1)), "page by page");
    assert_eq!(numbers(intake.old(before, 10, 100).unwrap()), (vec![], None), "until there is none");
    assert_eq!(numbers(intake.old(before, 7, 1).unwrap()), (vec![], None), "or until they are new");
    // Whatever is asked for, only what nothing depends on goes.
    assert_eq!(intake.forget((1..=7).chain([9, 10, 77]).collect(), before).wait().unwrap(), [1, 9, 10]);
    let left: Vec<u64> = intake.events_from(0, 100).unwrap().iter().map(|event| event.number).collect();
    assert_eq!(left, [2, 3, 4, 5, 6, 7, 8]);
    assert!(intake.was_let_go(1).unwrap() && intake.was_let_go(10).unwrap());
    assert!(!intake.was_let_go(2).unwrap() && !intake.was_let_go(11).unwrap());
    let later = at(90 * 86_400);
    intake.done(vec![joined(4, 0)]).wait().unwrap();
    intake.answered(Offer::new(7, run(91)), true).wait().unwrap();
    assert_eq!(
        intake.forget((1..=10).collect(), later).wait().unwrap(),
        [4, 5, 7, 8],
        "what is told, and has ended a wait, is done with"
    );
    assert_eq!(intake.accept(vec![arrival("done", "x")]).wait().unwrap(), [Accepted::New(11)], "a number is given once");
    assert_eq!(intake.events(&EventFilter { run: Some(run(91)), ..EventFilter::default() }).unwrap(), []);
}
