//! What every journal must do, as one suite: each store runs all of it in its own tests.

use std::time::Duration;

use jiff::Timestamp;
use runbook_core::document::step::Since;
use runbook_core::policy::Override;
use runbook_core::run::decision::Purpose;
use runbook_core::run::event::{Event, Fact, Identity, Means, Outcome, OutcomeKind, Part, RunStarted};
use runbook_core::run::task::EventTask;
use runbook_core::{DecisionId, Digest, Map, RunId};

use super::*;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(super) fn id(n: u64) -> RunId {
    RunId::from_parts(1_800_000_000_000 + n, u128::from(n))
}

pub(super) fn ada() -> Identity {
    Identity { person: "ada".into(), means: Means::Engine }
}

/// The first `count` events of a run: its start, then notes.
pub(super) fn records(run: &RunId, procedure: &str, count: u64) -> Vec<Record> {
    more(run, procedure, 0, &chain::genesis(FORMAT, run), count)
}

/// `count` records behind the one with number `last` and hash `head`.
pub(super) fn more(run: &RunId, procedure: &str, last: u64, head: &Digest, count: u64) -> Vec<Record> {
    let mut head = head.clone();
    (last + 1..=last + count)
        .map(|seq| {
            let fact = match seq {
                1 => Fact::RunStarted(Box::new(started(procedure))),
                _ => Fact::NoteAdded { by: ada(), text: format!("note {seq}") },
            };
            let record = Record::encode(&Event { run: run.clone(), seq, at: at(seq as i64), fact }, &head).unwrap();
            head = record.hash.clone();
            record
        })
        .collect()
}

fn started(procedure: &str) -> RunStarted {
    RunStarted {
        procedure: procedure.parse().unwrap(),
        version: "1.2.3".parse().unwrap(),
        plan: Digest::of_bytes(b"{}"),
        semantics: 1,
        inputs: Map::new(),
        event: None,
        environment: Some("production".into()),
        requested_by: ada(),
        seed: u64::MAX,
        part: Part::Whole,
        stepwise: false,
        catalogue: None,
        lock: None,
        root: None,
    }
}

pub(super) fn new_run(run: &RunId, procedure: &str, owner: &Owner) -> NewRun {
    NewRun {
        owner: owner.clone(),
        until: at(10),
        plan: Digest::of_bytes(b"{}"),
        plan_text: "{}".into(),
        summary: Summary::new(&started(procedure), at(1)),
        records: records(run, procedure, 1),
    }
}

/// Adds `records` to a run that stays as it is.
pub(super) fn adding(lease: &Lease, records: Vec<Record>) -> Append {
    Append {
        run: lease.run.clone(),
        epoch: lease.epoch,
        durability: Durability::Synced,
        records,
        summary: None,
        open: None,
        awaited: None,
        answers: Vec::new(),
    }
}

/// The same, and the run has ended.
pub(super) fn ended(journal: &dyn Journal, append: Append) -> Append {
    let summary = Summary { phase: Phase::Ended, ..journal.run(&append.run).unwrap().summary };
    Append { summary: Some(summary), ..append }
}

fn next(journal: &dyn Journal, lease: &Lease, count: u64) -> Append {
    let row = journal.run(&lease.run).unwrap();
    adding(lease, more(&lease.run, "p", row.seq, &row.head, count))
}

/// Runs every case against a fresh journal.
pub(super) fn journal_conformance(make: impl Fn() -> SharedJournal) {
    type Case = fn(&dyn Journal);
    let cases: [(&str, Case); 12] = [
        ("what is written is read", what_is_written_is_read),
        ("only what follows is taken", only_what_follows_is_taken),
        ("one owner at a time", one_owner_at_a_time),
        ("a stale owner is fenced", a_stale_owner_is_fenced),
        ("messages are answered once", messages_are_answered_once),
        ("locks last as long as the run", locks_last_as_long_as_the_run),
        ("decisions ahead are used up", decisions_ahead_are_used_up),
        ("overrides are kept until they end", overrides_are_kept_until_they_end),
        ("lists are filtered and paged", lists_are_filtered_and_paged),
        ("open decisions are listed", open_decisions_are_listed),
        ("what waits for an event is listed", what_waits_for_an_event_is_listed),
        ("what has grown is told", what_has_grown_is_told),
    ];
    for (name, case) in cases {
        println!("{name}");
        case(&*make());
    }
}

fn what_is_written_is_read(journal: &dyn Journal) {
    let (run, owner) = (id(1), Owner::named("ada", 1));
    let lease = journal.create(new_run(&run, "p", &owner)).wait().unwrap();
    assert_eq!((lease.epoch, &lease.owner), (1, &owner));
    assert_eq!(journal.create(new_run(&run, "p", &owner)).wait(), Err(JournalError::Exists(run.clone())));

    journal.append(next(journal, &lease, 4)).wait().unwrap();
    let all = records(&run, "p", 5);
    assert_eq!(journal.records(&run, 1, 100).unwrap(), all);
    assert_eq!(journal.records(&run, 2, 3).unwrap(), all[1..4]);
    assert_eq!(journal.records(&run, 6, 3).unwrap(), []);
    assert_eq!(journal.records(&id(9), 1, 3).unwrap(), []);

    let row = journal.run(&run).unwrap();
    assert_eq!((row.seq, &row.head, row.format), (5, &all[4].hash, FORMAT));
    assert_eq!(journal.plan(&row.plan).unwrap(), "{}");
    assert_eq!(row.holder.unwrap(), Holder { owner, epoch: 1, until: at(10) });
    assert_eq!(journal.run(&id(9)), Err(JournalError::NoRun(id(9).to_string())));
    let other = Digest::of_bytes(b"other");
    assert_eq!(journal.plan(&other), Err(JournalError::NoPlan(other)));

    let [plain, signed] = [None, Some(SignedHead { by: "ada".into(), armoured: "-----BEGIN\n".into() })].map(|signed| {
        let anchor = Anchor { run: run.clone(), seq: 5, head: all[4].hash.clone(), at: at(6), place: "a file".into(), signed };
        journal.anchor(anchor.clone()).wait().unwrap();
        anchor
    });
    assert_eq!(journal.anchors(&run).unwrap(), [plain, signed]);
}

fn only_what_follows_is_taken(journal: &dyn Journal) {
    let run = id(1);
    let lease = journal.create(new_run(&run, "p", &Owner::named("ada", 1))).wait().unwrap();
    let all = records(&run, "p", 4);
    let mut edited = all[1].clone();
    edited.body = edited.body.replace("note", "Note");
    let elsewhere = more(&id(2), "p", 1, &all[0].hash, 1);
    let other_past = more(&run, "p", 1, &all[1].hash, 1);
    for (what, wrong) in [
        ("again", vec![all[0].clone()]),
        ("a gap", vec![all[2].clone()]),
        ("out of order", vec![all[2].clone(), all[1].clone()]),
        ("twice", vec![all[1].clone(), all[1].clone()]),
        ("edited", vec![edited]),
        ("of another run", elsewhere),
        ("of another past", other_past),
    ] {
        let result = journal.append(adding(&lease, wrong)).wait();
        assert!(matches!(result, Err(JournalError::OutOfOrder { last: 1 | 2, .. })), "{what}: {result:?}");
        assert_eq!(journal.run(&run).unwrap().seq, 1, "{what}: refused as a whole");
    }
    journal.append(adding(&lease, all[1..].to_vec())).wait().unwrap();
    assert_eq!(journal.records(&run, 1, 10).unwrap(), all);
}

fn one_owner_at_a_time(journal: &dyn Journal) {
    let (run, ada, bob) = (id(1), Owner::named("ada", 1), Owner::named("bob", 2));
    let lease = journal.create(new_run(&run, "p", &ada)).wait().unwrap();
    let held = JournalError::Held { run: run.clone(), owner: Box::new(ada.clone()), until: at(10) };
    assert_eq!(journal.acquire(&run, &bob, at(9), at(19)).wait(), Err(held));
    journal.renew(&lease, at(20)).wait().unwrap();
    assert!(journal.acquire(&run, &bob, at(19), at(29)).wait().is_err(), "renewed");
    let bobs = journal.acquire(&run, &bob, at(20), at(30)).wait().unwrap();
    assert_eq!(bobs.epoch, 2);
    journal.release(&lease).wait().unwrap();
    assert_eq!(journal.run(&run).unwrap().holder.unwrap().owner, bob, "a stale release is left alone");
    journal.release(&bobs).wait().unwrap();
    assert_eq!(journal.run(&run).unwrap().holder, None);
    let again = journal.acquire(&run, &ada, at(21), at(31)).wait().unwrap();
    assert_eq!(again.epoch, 3, "epochs never repeat");
    assert_eq!(journal.acquire(&id(9), &ada, at(1), at(2)).wait(), Err(JournalError::NoRun(id(9).to_string())));

    // The clock went back a year: the lease lasts no longer than one that is taken now.
    for (now, until, result) in [(-1000, -990, false), (-995, -985, false), (-990, -980, true)] {
        assert_eq!(journal.acquire(&run, &bob, at(now), at(until)).wait().is_ok(), result, "{now}");
    }
    let again = journal.acquire(&run, &bob, at(-980), at(-970)).wait().unwrap();

    // An owner that is certainly gone does not hold anything.
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let mut gone = Owner { pid: child.id(), ..Owner::this_process("ada") };
    child.wait().unwrap();
    gone.started = 1;
    journal.release(&again).wait().unwrap();
    journal.acquire(&run, &gone, at(22), at(1000)).wait().unwrap();
    assert_eq!(journal.acquire(&run, &bob, at(23), at(33)).wait().unwrap().epoch, 7);

    // A process that has the same id and started at another time is another process.
    let here = Owner::this_process("ada");
    let reused = Owner { started: here.started + 1, ..here.clone() };
    for (owner, taken) in [(reused, true), (here.clone(), false), (Owner { realm: "elsewhere".into(), started: 1, ..here }, false)]
    {
        let lease = journal.acquire(&run, &owner, at(2000), at(3000)).wait().unwrap();
        let other = journal.acquire(&run, &bob, at(2001), at(3000)).wait();
        assert_eq!(other.is_ok(), taken, "{owner:?}");
        journal.release(other.as_ref().unwrap_or(&lease)).wait().unwrap();
    }
}

fn a_stale_owner_is_fenced(journal: &dyn Journal) {
    let (run, ada, bob) = (id(1), Owner::named("ada", 1), Owner::named("bob", 2));
    let lease = journal.create(new_run(&run, "p", &ada)).wait().unwrap();
    journal.append(next(journal, &lease, 1)).wait().unwrap();
    // Ada sleeps past her lease; nobody came, so she may go on.
    journal.append(next(journal, &lease, 1)).wait().unwrap();
    let bobs = journal.acquire(&run, &bob, at(11), at(21)).wait().unwrap();
    let stale = Err(JournalError::Stale { run: run.clone() });
    assert_eq!(journal.append(next(journal, &lease, 1)).wait(), stale);
    assert_eq!(journal.renew(&lease, at(40)).wait(), stale);
    assert_eq!(journal.take_lock(&lease, "db").wait(), Err(JournalError::Stale { run: run.clone() }));
    journal.append(next(journal, &bobs, 1)).wait().unwrap();
    journal.release(&bobs).wait().unwrap();
    assert_eq!(journal.append(next(journal, &bobs, 1)).wait(), stale, "nor one that gave the run up");
    assert_eq!(journal.run(&run).unwrap().seq, 4);
}

fn messages_are_answered_once(journal: &dyn Journal) {
    let run = id(1);
    let lease = journal.create(new_run(&run, "p", &Owner::named("ada", 1))).wait().unwrap();
    let pause = Message::Pause { by: ada(), reason: "lunch".into() };
    let resume = Message::Resume { by: ada() };
    let before = journal.version().unwrap();
    let first = journal.send(&run, &pause, at(1)).wait().unwrap();
    assert_ne!(journal.version().unwrap(), before, "a message shows");
    let second = journal.send(&run, &resume, at(2)).wait().unwrap();
    assert!(first < second);
    let letters = journal.inbox(&run).unwrap();
    assert_eq!(
        letters,
        [
            Letter { id: first, run: run.clone(), sent_at: at(1), message: pause },
            Letter { id: second, run: run.clone(), sent_at: at(2), message: resume.clone() },
        ]
    );
    assert_eq!(journal.answer(first).unwrap(), None);

    // The answer and the events that it speaks of are one commit.
    let accepted = Answer::Accepted { seq: 2 };
    let stale = Lease { epoch: 7, ..lease.clone() };
    let answering = |lease: &Lease| Append { answers: vec![(first, accepted.clone())], ..next(journal, lease, 1) };
    assert!(journal.append(answering(&stale)).wait().is_err());
    assert_eq!(journal.answer(first).unwrap(), None);
    journal.append(answering(&lease)).wait().unwrap();
    assert_eq!(journal.answer(first).unwrap(), Some(accepted.clone()));
    assert_eq!(journal.inbox(&run).unwrap().len(), 1);

    assert_eq!(journal.withdraw(first).wait().unwrap(), Some(accepted), "too late");
    assert_eq!(journal.withdraw(second).wait().unwrap(), None);
    assert_eq!(journal.inbox(&run).unwrap(), []);
    assert!(journal.send(&id(9), &resume, at(1)).wait().is_err());
}

fn locks_last_as_long_as_the_run(journal: &dyn Journal) {
    let leases = [1, 2].map(|n| journal.create(new_run(&id(n), "p", &Owner::named("ada", n))).wait().unwrap());
    for (lease, lock, outcome) in [
        (&leases[0], "db", LockOutcome::Taken),
        (&leases[0], "db", LockOutcome::Taken),
        (&leases[1], "db", LockOutcome::HeldBy(id(1))),
        (&leases[1], "web", LockOutcome::Taken),
    ] {
        assert_eq!(journal.take_lock(lease, lock).wait().unwrap(), outcome);
    }
    assert_eq!(journal.lock_holder("db").unwrap(), Some(id(1)));
    assert_eq!(journal.lock_holder("none").unwrap(), None);
    let end = next(journal, &leases[0], 1);
    journal.append(ended(journal, end)).wait().unwrap();
    assert_eq!(journal.take_lock(&leases[1], "db").wait().unwrap(), LockOutcome::Taken);
}

fn decisions_ahead_are_used_up(journal: &dyn Journal) {
    let lease = journal.create(new_run(&id(1), "p", &Owner::named("ada", 1))).wait().unwrap();
    let body = serde_json::json!({ "choice": "approve", "big": 9_007_199_254_740_993_i64 });
    let new = NewAhead { procedure: "p".parse().unwrap(), body: body.clone(), uses: 2, expires_at: at(100) };
    let ahead = journal.decide_ahead(new.clone()).wait().unwrap();
    journal.decide_ahead(NewAhead { procedure: "q".parse().unwrap(), ..new.clone() }).wait().unwrap();
    let left = |now| {
        let aheads = journal.aheads(&new.procedure, now).unwrap();
        assert!(aheads.iter().all(|a| a.id == ahead && a.body == body));
        aheads.first().map(|a| a.uses_left)
    };
    assert_eq!((left(at(99)), left(at(100))), (Some(2), None), "until it expires");
    for (spent, rest) in [(true, Some(1)), (true, None), (false, None)] {
        assert_eq!(journal.use_ahead(&lease, ahead).wait(), Ok(spent));
        assert_eq!(left(at(1)), rest);
    }
    let stale = Lease { epoch: 9, ..lease };
    assert_eq!(journal.use_ahead(&stale, ahead).wait(), Err(JournalError::Stale { run: id(1) }));
}

fn lists_are_filtered_and_paged(journal: &dyn Journal) {
    for n in 1..=6 {
        let procedure = if n % 2 == 0 { "even" } else { "odd" };
        let lease = journal.create(new_run(&id(n), procedure, &Owner::named("ada", n))).wait().unwrap();
        if n > 4 {
            let mut end = ended(journal, adding(&lease, Vec::new()));
            let summary = end.summary.as_mut().unwrap();
            summary.outcome = Some(OutcomeKind::RolledBack);
            summary.ended_at = Some(at(77));
            journal.append(end).wait().unwrap();
        }
    }
    let all = RunFilter::default();
    for (filter, expect) in [
        (all.clone(), vec![6, 5, 4, 3, 2, 1]),
        (RunFilter { limit: 2, ..all.clone() }, vec![6, 5]),
        (RunFilter { before: Some(id(5)), limit: 2, ..all.clone() }, vec![4, 3]),
        (RunFilter { procedure: Some("even".parse().unwrap()), ..all.clone() }, vec![6, 4, 2]),
        (RunFilter { unfinished: true, ..all.clone() }, vec![4, 3, 2, 1]),
        (RunFilter { phase: Some(Phase::Ended), ..all.clone() }, vec![6, 5]),
        (RunFilter { phase: Some(Phase::Ended), procedure: Some("odd".parse().unwrap()), ..all.clone() }, vec![5]),
        (RunFilter { environment: Some("production".into()), requested_by: Some("ada".into()), limit: 1, ..all.clone() }, vec![6]),
        (RunFilter { environment: Some("test".into()), ..all.clone() }, vec![]),
        (RunFilter { requested_by: Some("' OR 1=1 --".into()), ..all.clone() }, vec![]),
    ] {
        let found: Vec<_> = journal.runs(&filter).unwrap().into_iter().map(|row| row.run).collect();
        assert_eq!(found, expect.into_iter().map(id).collect::<Vec<_>>(), "{filter:?}");
    }
    let ended = journal.run(&id(6)).unwrap().summary;
    assert_eq!((ended.outcome, ended.ended_at, ended.version.minor), (Some(OutcomeKind::RolledBack), Some(at(77)), 2));
    let six = id(6);
    for (like, limit, expect) in [
        (six.as_str(), 10, vec![6]),
        (&six.as_str()[..9], 10, vec![6, 5, 4, 3, 2, 1]),
        ("zz", 10, vec![]),
        ("%", 10, vec![]),
        ("", 1, vec![6]),
    ] {
        let found = journal.runs(&RunFilter { like: Some(like.to_owned()), limit, ..all.clone() }).unwrap();
        let found: Vec<_> = found.into_iter().map(|row| row.run).collect();
        assert_eq!(found, expect.into_iter().map(id).collect::<Vec<_>>(), "{like}");
    }
}

fn overrides_are_kept_until_they_end(journal: &dyn Journal) {
    let new = |rotation: &str, from: i64, to: i64| NewOverride {
        rotation: rotation.into(),
        stands_in: Override { who: "ada".into(), from: at(from), to: at(to), reason: Some("a \"swap\"".into()) },
        made_by: "bob".into(),
        made_at: at(0),
    };
    let ids = [new("a", 10, 20), new("b", 0, 30), new("a", 10, 40)].map(|new| journal.stand_in(new).wait().unwrap());
    let kept = |now| -> Vec<OverrideId> { journal.overrides(at(now)).unwrap().into_iter().map(|kept| kept.id).collect() };
    assert_eq!(journal.overrides(at(0)).unwrap()[1].made, new("b", 0, 30));
    assert_eq!((kept(0), kept(19), kept(20)), (ids.to_vec(), ids.to_vec(), ids[1..].to_vec()));
    assert_eq!(journal.cancel_override(ids[1]).wait(), Ok(true));
    assert_eq!(journal.cancel_override(ids[1]).wait(), Ok(false));
    assert_eq!(kept(0), [ids[0], ids[2]]);
    assert_eq!(journal.cancel_override(ids[2]).wait(), Ok(true));
    assert!(journal.stand_in(new("c", 0, 9)).wait().unwrap() > ids[2], "a number is given once");
}

fn open_decisions_are_listed(journal: &dyn Journal) {
    let leases = [1, 2].map(|n| journal.create(new_run(&id(n), "p", &Owner::named("ada", n))).wait().unwrap());
    let ask = |run: u64, decision, purpose: Purpose| OpenDecision {
        run: id(run),
        decision: DecisionId(decision),
        path: (decision == 1).then(|| "a/b[0]".parse().unwrap()),
        purpose,
        question: "Go on?\n\"quoted\"".into(),
        from: vec!["dba".into(), "ops".into()],
        asked_at: at(5),
        expires_at: at(5).checked_add(Duration::from_secs(60)).ok(),
    };
    let one = ask(1, 1, Purpose::Gate { rule: "prod".into() });
    let two = ask(1, 2, Purpose::UndoFailed);
    let three = ask(2, 1, Purpose::Ask);
    let keep = |lease: &Lease, open: &[&OpenDecision]| {
        let open = Some(open.iter().map(|d| (*d).clone()).collect());
        journal.append(Append { open, ..next(journal, lease, 1) }).wait().unwrap();
    };
    keep(&leases[0], &[&one, &two]);
    keep(&leases[1], &[&three]);
    let all = DecisionFilter::all();
    assert_eq!(journal.open_decisions(&all).unwrap(), [one.clone(), two.clone(), three.clone()]);
    assert_eq!(journal.open_decisions(&DecisionFilter::of(&id(1))).unwrap(), [one.clone(), two.clone()]);
    for (filter, expect) in [
        (DecisionFilter { limit: 2, ..all.clone() }, vec![&one, &two]),
        (DecisionFilter { after: Some((id(1), DecisionId(1))), ..all.clone() }, vec![&two, &three]),
        (DecisionFilter { after: Some((id(1), DecisionId(1))), limit: 1, ..all.clone() }, vec![&two]),
        (DecisionFilter { after: Some((id(1), DecisionId(1))), ..DecisionFilter::of(&id(1)) }, vec![&two]),
        (DecisionFilter { after: Some((id(1), DecisionId(2))), ..all.clone() }, vec![&three]),
        (DecisionFilter { after: Some((id(2), DecisionId(1))), ..all.clone() }, vec![]),
    ] {
        assert_eq!(journal.open_decisions(&filter).unwrap().iter().collect::<Vec<_>>(), expect, "{filter:?}");
    }
    assert_eq!(journal.run(&id(1)).unwrap().open_decisions, 2);
    journal.append(next(journal, &leases[0], 1)).wait().unwrap();
    assert_eq!(journal.run(&id(1)).unwrap().open_decisions, 2, "nothing said, nothing changed");
    keep(&leases[0], &[&two]);
    keep(&leases[1], &[]);
    assert_eq!(journal.open_decisions(&all).unwrap(), [two]);
}

fn what_waits_for_an_event_is_listed(journal: &dyn Journal) {
    let leases = [1, 2].map(|n| journal.create(new_run(&id(n), "p", &Owner::named("ada", n))).wait().unwrap());
    let waits = |path: &str, source: &str| Listening {
        path: path.parse().unwrap(),
        task: EventTask {
            source: source.into(),
            when: Some("event.id == inputs.\"x\"".into()),
            names: Map::from([("inputs".into(), runbook_core::Value::Int(i64::MAX))]),
            since: Since::Step,
        },
        since: at(5),
    };
    let keep = |lease: &Lease, awaited: &[&Listening]| {
        let awaited = Some(awaited.iter().map(|listening| (*listening).clone()).collect());
        journal.append(Append { awaited, ..next(journal, lease, 1) }).wait().unwrap();
    };
    let (one, two, three) = (waits("a/b[0]", "ci"), waits("c", "alertmanager"), waits("a/b[0]", "ci"));
    keep(&leases[0], &[&one]);
    keep(&leases[1], &[&three]);
    keep(&leases[0], &[&two, &one]);
    let awaited = |run: u64, place, listening: &Listening| Awaited { place, run: id(run), listening: listening.clone() };
    let (one, three, two) = (awaited(1, 1, &one), awaited(2, 2, &three), awaited(1, 3, &two));
    let all = AwaitedFilter::all();
    for (filter, expect) in [
        (all.clone(), vec![&one, &three, &two]),
        (AwaitedFilter::of("ci"), vec![&one, &three]),
        (AwaitedFilter::of("nobody"), vec![]),
        (AwaitedFilter { after: 1, ..all.clone() }, vec![&three, &two]),
        (AwaitedFilter { after: 1, limit: 1, ..all.clone() }, vec![&three]),
        (AwaitedFilter { run: Some(id(1)), ..all.clone() }, vec![&one, &two]),
        (AwaitedFilter { run: Some(id(1)), ..AwaitedFilter::of("ci") }, vec![&one]),
    ] {
        assert_eq!(journal.awaited(&filter).unwrap().iter().collect::<Vec<_>>(), expect, "{filter:?}");
    }
    journal.append(next(journal, &leases[0], 1)).wait().unwrap();
    assert_eq!(journal.awaited(&all).unwrap().len(), 3, "nothing said, nothing changed");
    keep(&leases[0], &[&two.listening]);
    assert_eq!(journal.awaited(&all).unwrap(), [three, two.clone()]);
    keep(&leases[1], &[]);
    // A place is given once.
    keep(&leases[0], &[&two.listening, &one.listening]);
    assert_eq!(journal.awaited(&all).unwrap(), [two, Awaited { place: 4, ..one }]);
}

fn what_has_grown_is_told(journal: &dyn Journal) {
    assert_eq!((journal.place().unwrap(), journal.changed(0, 10).unwrap()), (0, (vec![], 0)));
    let leases = [1, 2].map(|n| journal.create(new_run(&id(n), "p", &Owner::named("ada", n))).wait().unwrap());
    assert_eq!(journal.changed(0, 10).unwrap(), (vec![id(1), id(2)], 2));
    journal.append(next(journal, &leases[1], 3)).wait().unwrap();
    journal.append(next(journal, &leases[0], 1)).wait().unwrap();
    assert_eq!(journal.place().unwrap(), 6);
    for (after, limit, expect, place) in
        [(2, 10, vec![1, 2], 6), (2, 3, vec![2], 5), (5, 1, vec![1], 6), (6, 10, vec![], 6), (60, 10, vec![], 60)]
    {
        let expect = expect.into_iter().map(id).collect();
        assert_eq!(journal.changed(after, limit).unwrap(), (expect, place), "behind {after}, {limit}");
    }
    assert_eq!(journal.ended(0, 10).unwrap(), (vec![], 6));
    let end = |lease: &Lease| {
        let row = journal.run(&lease.run).unwrap();
        let outcome = Outcome { kind: OutcomeKind::Succeeded, message: String::new(), step: None };
        let event = Event { run: row.run, seq: row.seq + 1, at: at(60), fact: Fact::RunFinished { outcome } };
        journal.append(adding(lease, vec![Record::encode(&event, &row.head).unwrap()])).wait().unwrap();
    };
    // One that is taken back ends twice.
    end(&leases[0]);
    end(&leases[1]);
    journal.append(next(journal, &leases[0], 1)).wait().unwrap();
    end(&leases[0]);
    for (after, limit, expect, place) in [(0, 20, vec![(1, 3), (2, 5), (1, 5)], 10), (7, 2, vec![(2, 5)], 9), (10, 5, vec![], 10)] {
        let expect = expect.into_iter().map(|(run, seq)| (id(run), seq)).collect();
        assert_eq!(journal.ended(after, limit).unwrap(), (expect, place), "behind {after}, {limit}");
    }
    // What adds nothing to a record changes nothing.
    journal.release(&leases[0]).wait().unwrap();
    assert_eq!(journal.place().unwrap(), 10);
}
