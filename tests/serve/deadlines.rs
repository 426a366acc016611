//! Decisions that wait for people, many of them: a server that was killed finds them again, and their deadlines fire when they are due. By
//! default some hundred; `STORM=full` with a program that is optimised is what is promised: 10,000, each within a second.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runbook_core::RunId;
use runbook_core::check::CheckOptions;
use runbook_core::run::event::{AttemptEnd, Identity, Means, RunStarted};
use runbook_core::{Map, Plan, Value};
use runbook_engine::catalogue::Catalogue;
use runbook_engine::clock::SystemClock;
use runbook_engine::driver::{Assignment, Driver, Patience, Performer, World};
use runbook_engine::journal::{Owner, SharedJournal, Store};
use runbook_engine::session::Session;

use crate::server::{Place, playbook};

/// Nothing is to be performed.
struct Nothing;

impl Performer for Nothing {
    fn perform(&self, _: Assignment) -> Pin<Box<dyn Future<Output = AttemptEnd> + Send>> {
        Box::pin(std::future::ready(AttemptEnd::Succeeded { result: Value::Null }))
    }
}

async fn waiting(journal: SharedJournal, plan: Arc<Plan>, root: String, number: u128) {
    let by = Identity { person: "alerts".to_owned(), means: Means::Engine };
    let started = RunStarted { root: Some(root), ..RunStarted::of(&plan, Map::new(), by, 1).unwrap() };
    let id = RunId::from_parts(1_795_000_000_000, number);
    let owner = Owner::this_process("alerts");
    let mut session = Session::create(journal, Arc::new(SystemClock), owner, Vec::new(), id, plan, started).await.unwrap();
    let (_, wishes) = tokio::sync::mpsc::unbounded_channel();
    let world = World { performer: Arc::new(Nothing), wishes };
    Driver::new(&mut session, world, Patience::Park, Box::new(|_, _| ())).drive().await.unwrap();
    session.close().await.unwrap();
}

/// So many runs in the state folder, that wait for people for these times in turn.
fn fill(place: &Place, count: u128, times: &[u64]) {
    for seconds in times {
        let text = format!(
            "apiVersion: runbook/v1\nkind: Runbook\nname: within-{seconds}\nversion: 1.0.0\nsteps: [{{id: go, approve: {{question: 'Go on?', within: {seconds}s}}}}]\n"
        );
        place.write(&format!("within-{seconds}.yaml"), &text);
    }
    let catalogue = Catalogue::open(&place.books).unwrap();
    let plan = |seconds: &u64| {
        let procedure = catalogue.procedure(&format!("within-{seconds}")).unwrap();
        Arc::new(catalogue.plan(procedure, &CheckOptions::default()).0.unwrap())
    };
    let plans: Vec<Arc<Plan>> = times.iter().map(plan).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let journal: SharedJournal = Arc::new(Store::open(&place.runbook.state()).unwrap());
        for first in (0..count).step_by(200) {
            let root = place.books.to_string_lossy();
            let of =
                |number: u128| waiting(journal.clone(), plans[number as usize % plans.len()].clone(), root.to_string(), number);
            let runs: Vec<_> = (first..count.min(first + 200)).map(|number| tokio::spawn(of(number))).collect();
            for run in runs {
                run.await.unwrap();
            }
        }
    });
}

#[test]
fn waiting_decisions_survive_a_kill_and_fire_when_they_are_due() {
    let is_full = std::env::var("STORM").is_ok_and(|how| how == "full");
    let (count, times, within): (u128, Vec<u64>, f64) =
        if is_full { (10_000, (30..90).collect(), 1.0) } else { (300, vec![4, 5], 10.0) };
    let place = Place::with(&playbook("1.0.0", "", "[{id: say, exec: [echo, hello], effect: none}]"));
    let begun = Instant::now();
    fill(&place, count, &times);
    println!("{count} decisions asked for in {:.1?}", begun.elapsed());
    let server = place.serve();
    std::thread::sleep(Duration::from_secs(1));
    server.killed();
    let server = place.start(&["serve", "--listen", "127.0.0.1:0", "--log", "json"]);
    let journal = rusqlite::Connection::open(place.runbook.state().join("journal.db")).unwrap();
    let waiting =
        || -> i64 { journal.query_row("SELECT count(*) FROM runs WHERE phase <> 'ended'", [], |row| row.get(0)).unwrap() };
    assert!(waiting() as u128 == count || !is_full, "none was due before the server was killed");
    let last = Duration::from_secs(times.iter().max().unwrap() + 60);
    while waiting() > 0 {
        assert!(begun.elapsed() < last, "{} still wait", waiting());
        std::thread::sleep(Duration::from_millis(100));
    }
    let memory = server.peak_memory();
    server.stopped();
    // By the record: when each was asked for, and when its time was over.
    let mut statement = journal
        .prepare("SELECT e.run, r.procedure, e.kind, e.at FROM events e JOIN runs r ON r.run = e.run WHERE e.kind IN ('decision_requested', 'timer_fired')")
        .unwrap();
    let mut due: HashMap<String, (f64, f64)> = HashMap::new();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (run, procedure, kind, at): (String, String, String, String) =
            (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap(), row.get(3).unwrap());
        let at = at.parse::<jiff::Timestamp>().unwrap().as_millisecond() as f64 / 1e3;
        let times = due.entry(run).or_default();
        match kind.as_str() {
            "decision_requested" => times.0 = at + procedure.strip_prefix("within-").unwrap().parse::<f64>().unwrap(),
            _ => times.1 = at,
        }
    }
    assert_eq!(due.len() as u128, count);
    let mut late: Vec<f64> = due.values().map(|(due, fired)| fired - due).collect();
    late.sort_by(f64::total_cmp);
    let (first, middle, worst) = (late[0], late[late.len() / 2], late[late.len() - 1]);
    println!("fired {first:.3} s to {worst:.3} s after they were due, the middle {middle:.3} s; {memory:.1} MiB");
    assert!(first >= 0.0 && worst <= within, "{first} {middle} {worst}");
    assert!(memory <= 256.0, "{memory} MiB");
}
