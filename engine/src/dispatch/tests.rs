//! Events on a real catalogue, in a real state folder: runs are started once, whatever stops the process in between.

mod awaited;
mod escalated;

use std::pin::Pin;

use runbook_core::CloudEvent;
use runbook_core::cloud_event::Status;
use runbook_core::run::event::AttemptEnd;
use runbook_core::value::{Map, Value};

use super::*;
use crate::catalogue::Catalogue;
use crate::clock::ManualClock;
use crate::driver::{Assignment, Driver, Patience, Performer, World};
use crate::intake::Arrival;
use crate::journal::{Commits, RunFilter, Store};

const WORKSPACE: &str = "
apiVersion: runbook/v1
kind: Workspace
name: tested
people: {ada: {users: [ada]}}
environments: {staging: {default: true}, production: {}}
escalations: {e: {steps: [{to: [ada], after: 10m}]}}
sources: {alerts: {type: alertmanager, bearer: secrets.token, secrets: {token: {env: ALERTS_TOKEN}}}}
";

fn playbook(trigger: &str) -> String {
    format!(
        "apiVersion: runbook/v1\nkind: Playbook\nname: fix\nversion: 1.2.0\nowner: o\nimpact: low\nescalation: e\ntriggers: [{{source: alerts, inputs: {{host: event.data.host}}, {trigger}}}]\ninputs: {{host: {{type: host}}}}\nsteps: [{{id: go, approve: {{question: 'Mend {{{{inputs.host}}}}?', within: 1h}}}}]\n"
    )
}

struct Scene {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    sent: usize,
}

impl Scene {
    fn with(trigger: &str) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("books")).unwrap();
        std::fs::write(folder.path().join("books/workspace.yaml"), WORKSPACE).unwrap();
        std::fs::write(folder.path().join("books/fix.yaml"), playbook(trigger)).unwrap();
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        Scene { folder, clock, sent: 0 }
    }

    fn state(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    fn served(&self) -> Served {
        let (served, errors) = Served::of(&Catalogue::open(&self.folder.path().join("books")).unwrap());
        assert_eq!(errors, []);
        served
    }

    fn around(&self) -> Around {
        let journal = Arc::new(Store::open(&self.state()).unwrap());
        let intake = Arc::new(Intake::open(&self.state(), Commits::Together).unwrap());
        Around { intake, journal, clock: self.clock.clone(), owner: Owner::named("engine", 1), teller: Arc::default() }
    }

    /// With a run that an alert about `web` has started.
    async fn fired(&mut self) -> (Dispatch, Around, RunId) {
        let mut dispatch = self.open().await;
        let around = dispatch.around.clone();
        around.intake.accept(self.arrival("web", Status::Firing)).await.unwrap();
        dispatch.turn().await.unwrap();
        let done = settled(&mut dispatch).await;
        let [Done::Started(run)] = done.as_slice() else { panic!("{done:?}") };
        (dispatch, around, run.clone())
    }

    async fn open(&self) -> Dispatch {
        Dispatch::open(self.around(), self.served()).await.unwrap().unwrap()
    }

    fn arrival(&mut self, host: &str, status: Status) -> Vec<Arrival> {
        self.sent += 1;
        let event = CloudEvent {
            id: self.sent.to_string(),
            source: "/tests".to_owned(),
            kind: "alert".to_owned(),
            subject: None,
            time: None,
            data: Value::Map(Map::from([("host".to_owned(), Value::text(host))])),
            extensions: Map::new(),
            key: host.to_owned(),
            status,
        };
        vec![Arrival { source: "alerts".to_owned(), event, received: self.clock.now() }]
    }
}

async fn settled(dispatch: &mut Dispatch) -> Vec<Done> {
    let (done, result) = dispatch.settle().await;
    result.unwrap();
    done
}

/// What was decided, as words.
fn words(judged: &Judged) -> Vec<String> {
    let word = |ruling: &Ruling| format!("{} {}", ruling.event, ruling.decision.word());
    judged.rulings.iter().map(word).collect()
}

/// Performs nothing: no step here acts.
struct Idle;

impl Performer for Idle {
    fn perform(&self, assignment: Assignment) -> Pin<Box<dyn Future<Output = AttemptEnd> + Send>> {
        panic!("nothing is to be performed: {}", assignment.path)
    }
}

/// Goes on with a run as far as it gets without people.
async fn driven(around: &Around, run: &RunId, first: Option<Message>) {
    let Around { journal, clock, owner, .. } = around.clone();
    let mut session = Session::open(journal, clock, owner, Vec::new(), run).await.unwrap();
    if let Some(message) = first {
        session.receive(message).unwrap();
    }
    let (_, wishes) = tokio::sync::mpsc::unbounded_channel();
    let world = World { performer: Arc::new(Idle), wishes };
    Driver::new(&mut session, world, Patience::Park, Box::new(|_, _| {})).drive().await.unwrap();
    session.close().await.unwrap();
}

async fn cancelled(around: &Around, run: &RunId) {
    let message = Message::Cancel { by: by("somebody"), undo: false, reason: "enough".to_owned() };
    driven(around, run, Some(message)).await;
}

#[tokio::test]
async fn an_event_starts_a_run_that_holds_it() {
    let mut scene = Scene::with("environment: production");
    let mut dispatch = scene.open().await;
    let around = dispatch.around.clone();
    around.intake.accept(scene.arrival("web", Status::Firing)).await.unwrap();
    assert_eq!(words(&dispatch.turn().await.unwrap()), ["1 ran"]);
    let done = settled(&mut dispatch).await;
    let [Done::Started(run)] = done.as_slice() else { panic!("{done:?}") };
    assert_eq!(settled(&mut dispatch).await, []);
    assert!(dispatch.turn().await.unwrap().is_empty(), "judged once");

    let mut first = None;
    let (_, row) = session::replay(&*around.journal, run, &mut |_, event| {
        if let runbook_core::Fact::RunStarted(started) = &event.fact {
            first = Some(started.clone());
        }
    })
    .unwrap();
    assert_eq!(row.summary.environment.as_deref(), Some("production"));
    assert_eq!(row.summary.requested_by, "alerts");
    let started = first.unwrap();
    assert_eq!(started.requested_by.means, Means::Engine);
    assert_eq!(started.inputs.get("host"), Some(&Value::text("web")));
    let event = started.event.as_ref().unwrap();
    assert_eq!(event.get("status"), Some(&Value::text("firing")));
    assert_eq!(event.get("data").unwrap().get("host"), Some(&Value::text("web")));
}

#[tokio::test]
async fn a_process_that_stops_loses_no_start_and_doubles_none() {
    let mut scene = Scene::with("");
    let mut dispatch = scene.open().await;
    dispatch.around.intake.accept(scene.arrival("web", Status::Firing)).await.unwrap();
    let judged = dispatch.turn().await.unwrap();
    drop(dispatch);

    // It stopped before the run was started, or after that and before it was noted.
    for stopped in ["before", "after"] {
        let mut dispatch = scene.open().await;
        if stopped == "after" {
            dispatch.around.intake.rule(judged.clone()).await.unwrap();
        }
        let done = settled(&mut dispatch).await;
        assert!(matches!(done.as_slice(), [Done::Started(_)]), "{stopped}: {done:?}");
        assert_eq!(dispatch.around.journal.runs(&RunFilter::default()).unwrap().len(), 1, "{stopped}");
        assert_eq!(settled(&mut dispatch).await, [], "{stopped}");
    }
}

#[tokio::test]
async fn one_process_dispatches_at_a_time() {
    let scene = Scene::with("");
    let first = scene.open().await;
    let around = first.around.clone();
    assert!(Dispatch::open(around.clone(), scene.served()).await.unwrap().is_none());
    drop(first);
    assert!(Dispatch::open(around, scene.served()).await.unwrap().is_some());
}

#[tokio::test]
async fn who_waits_for_a_key_gets_it_when_the_run_ends_across_a_restart() {
    let mut scene = Scene::with("concurrency: {key: event.data.host}");
    let mut dispatch = scene.open().await;
    let around = dispatch.around.clone();
    around.intake.accept(scene.arrival("web", Status::Firing)).await.unwrap();
    around.intake.accept(scene.arrival("web", Status::Firing)).await.unwrap();
    assert_eq!(words(&dispatch.turn().await.unwrap()), ["1 ran", "2 deferred"]);
    let done = settled(&mut dispatch).await;
    let [Done::Started(first)] = done.as_slice() else { panic!("{done:?}") };
    drop(dispatch);

    let mut dispatch = Dispatch::open(around.clone(), scene.served()).await.unwrap().unwrap();
    assert!(dispatch.turn().await.unwrap().is_empty(), "the first goes on");
    cancelled(&around, first).await;
    let judged = dispatch.turn().await.unwrap();
    assert_eq!((words(&judged), &judged.ended), (vec!["2 ran".to_owned()], &vec![first.clone()]));
    let done = settled(&mut dispatch).await;
    assert!(matches!(done.as_slice(), [Done::Started(second)] if second != first), "{done:?}");
}

#[tokio::test]
async fn a_run_that_is_no_longer_needed_is_cancelled_while_it_waits() {
    let mut scene = Scene::with("on_resolved: cancel_if_waiting");
    let (mut dispatch, around, run) = scene.fired().await;
    around.intake.accept(scene.arrival("web", Status::Resolved)).await.unwrap();
    assert_eq!(words(&dispatch.turn().await.unwrap()), ["2 joined"]);
    driven(&around, &run, None).await;
    assert_eq!(around.journal.run(&run).unwrap().summary.phase, Phase::Waiting);
    assert_eq!(settled(&mut dispatch).await, [Done::Cancelled(run.clone())]);
    driven(&around, &run, None).await;
    let row = around.journal.run(&run).unwrap();
    assert_eq!(row.summary.phase, Phase::Ended);
    assert!(row.summary.message.contains("event 2 of alerts about web: it is over"), "{}", row.summary.message);
}

#[tokio::test]
async fn a_run_that_can_no_longer_start_is_dropped_and_frees_its_key() {
    let mut scene = Scene::with("concurrency: {key: '\"all\"'}");
    let mut dispatch = scene.open().await;
    let around = dispatch.around.clone();
    around.intake.accept(scene.arrival("web", Status::Firing)).await.unwrap();
    around.intake.accept(scene.arrival("db", Status::Firing)).await.unwrap();
    dispatch.turn().await.unwrap();
    drop(dispatch);

    // Meanwhile the input became a number.
    let changed = playbook("concurrency: {key: '\"all\"'}").replace("{host: {type: host}}", "{host: {type: integer}}");
    std::fs::write(scene.folder.path().join("books/fix.yaml"), changed).unwrap();
    let mut dispatch = Dispatch::open(around.clone(), scene.served()).await.unwrap().unwrap();
    let done = settled(&mut dispatch).await;
    assert!(matches!(done.as_slice(), [Done::Moot { .. }, Done::Moot { .. }]), "{done:?}");
    for number in [1, 2] {
        let rulings = around.intake.event(number).unwrap().unwrap().rulings;
        let said = rulings[0].decision.to_string();
        assert!(said.starts_with("dropped: the start of its run cannot be read from it: "), "{said}");
    }
    assert_eq!(around.intake.live().unwrap(), []);
}

#[test]
fn a_playbook_with_errors_is_told_and_starts_nothing() {
    let scene = Scene::with("environment: nowhere");
    let (served, errors) = Served::of(&Catalogue::open(&scene.folder.path().join("books")).unwrap());
    assert_eq!(served.triggers().count(), 0);
    let said: Vec<&str> = errors.iter().map(|error| error.code.as_str()).collect();
    assert_eq!(said, ["RB0315"]);
}

#[tokio::test]
async fn an_event_that_no_record_can_hold_keeps_no_other_from_its_turn() {
    let mut scene = Scene::with("concurrency: {key: '\"all\"'}");
    let mut dispatch = scene.open().await;
    let around = dispatch.around.clone();
    let mut large = scene.arrival("web", Status::Firing);
    large[0].event.subject = Some("x".repeat(limits::EVENT_BYTES));
    around.intake.accept(large).await.unwrap();
    around.intake.accept(scene.arrival("db", Status::Firing)).await.unwrap();
    assert_eq!(words(&dispatch.turn().await.unwrap()), ["1 ran", "2 deferred"]);
    let done = settled(&mut dispatch).await;
    assert!(matches!(done.as_slice(), [Done::Moot { why, .. }, Done::Started(_)] if why.contains("65536")), "{done:?}");
    let rulings = around.intake.event(1).unwrap().unwrap().rulings;
    assert_eq!(rulings[0].decision.word(), "dropped");
}

#[tokio::test]
async fn what_could_not_be_written_down_is_judged_again() {
    let mut scene = Scene::with("dedup: {key: event.key, window: 10m}");
    let mut dispatch = scene.open().await;
    let around = dispatch.around.clone();
    around.intake.accept(scene.arrival("web", Status::Firing)).await.unwrap();
    let file = scene.state().join("events.db");
    let other = rusqlite::Connection::open(&file).unwrap();
    // The decision of nobody is in the way of the one to come: the commit is refused.
    other.execute_batch("CREATE TRIGGER refuses BEFORE INSERT ON rulings BEGIN SELECT RAISE(ABORT, 'refused'); END").unwrap();
    assert!(dispatch.turn().await.is_err());
    other.execute_batch("DROP TRIGGER refuses").unwrap();
    assert_eq!(words(&dispatch.turn().await.unwrap()), ["1 ran"], "it is no duplicate of itself");
}

#[tokio::test]
async fn whoever_is_told_which_runs_end_looks_at_those_alone() {
    let mut scene = Scene::with("concurrency: {key: event.data.host}");
    let mut dispatch = scene.open().await;
    let around = dispatch.around.clone();
    around.intake.accept(scene.arrival("web", Status::Firing)).await.unwrap();
    around.intake.accept(scene.arrival("web", Status::Firing)).await.unwrap();
    around.intake.accept(scene.arrival("web", Status::Firing)).await.unwrap();
    assert_eq!(words(&dispatch.turn_after(Vec::new()).await.unwrap()), ["1 ran", "2 deferred", "3 deferred"]);
    let done = settled(&mut dispatch).await;
    let [Done::Started(first)] = done.as_slice() else { panic!("{done:?}") };
    cancelled(&around, first).await;
    assert!(dispatch.turn_after(Vec::new()).await.unwrap().is_empty(), "nobody said so");
    let elsewhere = RunId::from_parts(1, 1);
    assert!(dispatch.turn_after(vec![elsewhere]).await.unwrap().is_empty(), "none of ours");
    let judged = dispatch.turn_after(vec![first.clone()]).await.unwrap();
    assert_eq!((words(&judged), judged.ended.clone()), (vec!["2 ran".to_owned()], vec![first.clone()]));
    let done = settled(&mut dispatch).await;
    let [Done::Started(second)] = done.as_slice() else { panic!("{done:?}") };
    // What ended before somebody began to listen is found by the first look, and by the one after another catalogue.
    cancelled(&around, second).await;
    dispatch.serve(scene.served());
    assert_eq!(words(&dispatch.turn_after(Vec::new()).await.unwrap()), ["3 ran"]);
}
