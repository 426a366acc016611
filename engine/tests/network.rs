//! Where requests may go, from a run's start to the wire: one that an event started reaches nothing private, however it is
//! written, unless the workspace names it; one that a person started goes where the procedure says.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::run::event::{Identity, Means, OutcomeKind, Part, RunStarted};
use runbook_core::{Map, Plan, RunId, Value};
use runbook_engine::clock::SystemClock;
use runbook_engine::driver::local::LocalPerformer;
use runbook_engine::driver::{Driver, Patience, Stop, World};
use runbook_engine::journal::export::export;
use runbook_engine::journal::{MemoryJournal, Owner, SharedJournal};
use runbook_engine::log::Logs;
use runbook_engine::secret::SecretStore;
use runbook_engine::session::Session;

fn plan(host: &str, workspace: &str) -> Arc<Plan> {
    let procedure = format!(
        "apiVersion: runbook/v1\nkind: Runbook\nname: ask\nversion: 1.0.0\nsteps:\n- http: {{url: \"http://{host}/\"}}\n  effect: read\n"
    );
    let workspace = format!("apiVersion: runbook/v1\nkind: Workspace\n{workspace}");
    let read = |name: &str, text: String| load(&Source::new(name, text)).0.expect("it is a document");
    let (Document::Procedure(procedure), Document::Workspace(workspace)) = (read("a.yaml", procedure), read("w.yaml", workspace))
    else {
        panic!("they are of other kinds")
    };
    let (plan, found) = check(&procedure, &Catalogue::new([&*procedure], Some(&workspace)), &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")))
}

fn started(plan: &Plan, event: Option<Value>) -> RunStarted {
    RunStarted {
        procedure: plan.main().name.clone(),
        version: plan.main().version,
        plan: plan.digest().expect("a plan has a digest"),
        semantics: plan.semantics,
        inputs: Map::new(),
        event,
        environment: None,
        requested_by: Identity {
            person: "operator".to_owned(),
            means: Means::LocalUser { user: "operator".to_owned(), host: "here".to_owned() },
        },
        seed: 1,
        part: Part::Whole,
        stepwise: false,
        catalogue: None,
        lock: None,
        root: None,
    }
}

/// The outcome of a run that asks this host, and its record.
async fn run(host: &str, workspace: &str, event: Option<Value>) -> (OutcomeKind, String) {
    let state = tempfile::tempdir().expect("a folder");
    let (plan, id) = (plan(host, workspace), RunId::from_parts(1, 1));
    let journal: SharedJournal = Arc::new(MemoryJournal::default());
    let logs = Logs::open(state.path()).expect("a folder of logs");
    let secrets = Arc::new(SecretStore::new(state.path(), state.path(), []));
    let performer = Arc::new(LocalPerformer::new(state.path().to_owned(), logs, secrets));
    let (owner, started) = (Owner::this_process("operator"), started(&plan, event));
    let mut session = Session::create(journal.clone(), Arc::new(SystemClock), owner, Vec::new(), id.clone(), plan, started)
        .await
        .expect("it starts");
    let (_wishes, wishes) = tokio::sync::mpsc::unbounded_channel();
    let world = World { performer, wishes };
    let stop = Driver::new(&mut session, world, Patience::Park, Box::new(|_, _| {})).drive().await.expect("the engine is well");
    let Stop::Finished(outcome) = stop else { panic!("it stopped: {stop:?}") };
    session.close().await.expect("the run is given up");
    let mut record = Vec::new();
    export(&*journal, &id, &mut record).expect("it is exported");
    (outcome.kind, String::from_utf8(record).expect("a record is text"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_an_event_started_reaches_nothing_private() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("a port").port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a request");
            count.fetch_add(1, Ordering::Relaxed);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        }
    });
    let event = || Some(Value::Map(Map::from([("type".to_owned(), Value::text("test"))])));
    let listed = "http: {allow: [127.0.0.0/8]}\n";
    let mut reached = 0;
    for (host, workspace, event, reaches) in [
        ("127.0.0.1", "", None, true),
        ("127.0.0.1", "", event(), false),
        ("localhost", "", event(), false),
        ("0x7f.1", "", event(), false),
        ("[::ffff:127.0.0.1]", "", event(), false),
        ("127.0.0.1", "http: {allow: [10.0.0.0/8]}\n", event(), false),
        ("127.0.0.1", listed, event(), true),
        ("localhost", listed, event(), true),
    ] {
        let (outcome, record) = run(&format!("{host}:{port}"), workspace, event).await;
        reached += usize::from(reaches);
        assert_eq!(outcome == OutcomeKind::Succeeded, reaches, "{host} {workspace}: {record}");
        assert_eq!(asked.load(Ordering::Relaxed), reached, "{host} {workspace}");
        assert!(reaches || record.contains("list it under `http.allow` in the workspace"), "{record}");
    }
}
