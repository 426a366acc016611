//! Events end waits: of runs that wait by then and of those that wait later, once each, whatever stops the process in between.

use runbook_core::check::CheckOptions;
use runbook_core::run::event::StepOutcome;
use runbook_core::run::view::Standing;
use runbook_core::{Plan, Run};

use super::*;
use crate::intake::{EventFilter, Offer};

const ANY: &str = "[{id: news, wait: {event: {source: alerts, when: event.data.host == inputs.host}, within: 1h}}]";

impl Scene {
    /// A procedure `watch` with these steps.
    fn watching(steps: &str) -> Scene {
        let scene = Scene::with("when: 'false'");
        let text = format!(
            "apiVersion: runbook/v1\nkind: Runbook\nname: watch\nversion: 1.0.0\ninputs: {{host: {{type: host, default: web}}}}\nsteps: {steps}\n"
        );
        std::fs::write(scene.folder.path().join("books/watch.yaml"), text).unwrap();
        scene
    }

    /// The playbook `fix`, which waits for this event instead of people.
    fn waiting(trigger: &str, event: &str) -> Scene {
        let scene = Scene::with(trigger);
        let asks = "{id: go, approve: {question: 'Mend {{inputs.host}}?', within: 1h}}";
        let book = playbook(trigger).replace(asks, &format!("{{id: over, wait: {{event: {{{event}}}, within: 1h}}}}"));
        std::fs::write(scene.folder.path().join("books/fix.yaml"), book).unwrap();
        scene
    }

    fn plan(&self, name: &str) -> Arc<Plan> {
        let catalogue = Catalogue::open(&self.folder.path().join("books")).unwrap();
        let (plan, found) = catalogue.plan(catalogue.procedure(name).unwrap(), &CheckOptions::default());
        Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")))
    }

    /// A run of `watch` that somebody asks for now, driven until it waits.
    async fn watch(&self, around: &Around, number: u128, drives: bool) -> RunId {
        let id = RunId::from_parts(self.clock.now().as_millisecond() as u64, number);
        let plan = self.plan("watch");
        let started = RunStarted::of(&plan, Map::new(), by("ada"), 1).unwrap();
        let Around { journal, clock, owner, .. } = around.clone();
        let session = Session::create(journal, clock, owner, Vec::new(), id.clone(), plan, started).await.unwrap();
        session.close().await.unwrap();
        if drives {
            driven(around, &id, None).await;
        }
        id
    }

    fn passes(&self, seconds: u64) {
        self.clock.advance(std::time::Duration::from_secs(seconds));
    }

    async fn sends(&mut self, around: &Around, host: &str) {
        let arrival = self.arrival(host, Status::Once);
        around.intake.accept(arrival).await.unwrap();
    }
}

fn replayed(around: &Around, run: &RunId) -> Run {
    session::replay(&*around.journal, run, &mut |_, _| {}).unwrap().0
}

/// How each step that has ended did, and the number of the event that ended its wait.
fn steps(around: &Around, run: &RunId) -> Vec<String> {
    let run = replayed(around, run);
    let told = |step: runbook_core::run::view::StepView<'_>| match step.standing() {
        Standing::Ended(StepOutcome::Succeeded) => {
            let number = step.result().get("number").map(|number| format!(" {}", number.to_plain_json())).unwrap_or_default();
            format!("{}{number}", step.path())
        }
        standing => format!("{} {standing:?}", step.path()),
    };
    run.steps().map(told).collect()
}

fn ended(around: &Around, event: u64) -> Vec<RunId> {
    around.intake.event(event).unwrap().unwrap().ended
}

#[tokio::test]
async fn an_event_ends_the_waits_that_it_fits_and_no_decision_is_another() {
    let mut scene = Scene::watching(ANY);
    let mut dispatch = scene.open().await;
    let around = dispatch.around.clone();
    let (one, two) = (scene.watch(&around, 1, true).await, scene.watch(&around, 2, true).await);
    assert_eq!(around.journal.run(&one).unwrap().summary.phase, Phase::Waiting);
    scene.sends(&around, "db").await;
    scene.sends(&around, "web").await;
    let judged = dispatch.turn().await.unwrap();
    assert_eq!(words(&judged), ["1 dropped", "2 dropped"], "one decision of each trigger, as ever");
    let offered = [Offer::new(2, one.clone()), Offer::new(2, two.clone())];
    assert_eq!(judged.offers, offered);
    let heard = |run: &RunId| Done::Heard { run: run.clone(), event: 2 };
    assert_eq!(settled(&mut dispatch).await, [heard(&one), heard(&two)]);
    for run in [&one, &two] {
        assert_eq!(steps(&around, run), ["news 2"]);
        driven(&around, run, None).await;
        assert_eq!(around.journal.run(run).unwrap().summary.phase, Phase::Ended);
    }
    assert_eq!((ended(&around, 1), ended(&around, 2)), (vec![], vec![one.clone(), two]));
    let of_run = EventFilter { run: Some(one), ..EventFilter::default() };
    assert_eq!(around.intake.events(&of_run).unwrap().iter().map(|event| event.number).collect::<Vec<_>>(), [2]);
    assert_eq!(settled(&mut dispatch).await, []);
}

#[tokio::test]
async fn what_came_before_the_wait_counts_and_what_came_before_the_run_does_not() {
    let mut scene = Scene::watching(ANY);
    let mut dispatch = scene.open().await;
    let around = dispatch.around.clone();
    scene.sends(&around, "web").await;
    scene.passes(10);
    let run = scene.watch(&around, 1, false).await;
    scene.passes(10);
    scene.sends(&around, "db").await;
    scene.sends(&around, "web").await;
    scene.sends(&around, "web").await;
    dispatch.turn().await.unwrap();
    assert_eq!(settled(&mut dispatch).await, []);
    scene.passes(10);
    driven(&around, &run, None).await;
    assert_eq!(dispatch.turn().await.unwrap().offers, [Offer::new(3, run.clone()), Offer::new(4, run.clone())]);
    assert_eq!(settled(&mut dispatch).await, [Done::Heard { run: run.clone(), event: 3 }]);
    assert_eq!(steps(&around, &run), ["news 3"]);
    assert!(dispatch.turn().await.unwrap().is_empty(), "what was gone through is gone through once");
    assert_eq!((ended(&around, 3), ended(&around, 4)), (vec![run], vec![]));
}

#[tokio::test]
async fn a_process_that_stops_loses_no_event_and_ends_no_second_wait_with_it() {
    let two = "[{id: one, wait: {event: {source: alerts}, within: 1h}}, {id: two, wait: {event: {source: alerts}, within: 1h}}]";
    for stopped in ["before it was judged", "before the run was told", "before that was noted"] {
        let mut scene = Scene::watching(two);
        let mut dispatch = scene.open().await;
        let around = dispatch.around.clone();
        let run = scene.watch(&around, 1, true).await;
        scene.sends(&around, "web").await;
        if stopped != "before it was judged" {
            dispatch.turn().await.unwrap();
        }
        if stopped == "before that was noted" {
            let offer = around.intake.offered(None, 10).unwrap().remove(0);
            around.intake.tell(offer).await.unwrap();
            let Arrived { number, source, received, event, .. } = around.intake.event(1).unwrap().unwrap();
            let occurrence = Box::new(runbook_core::run::listen::Occurrence { source, number, received, event });
            let Around { journal, clock, owner, .. } = around.clone();
            let told = session::deliver(journal, clock, owner, &run, Message::Event { occurrence }).await.unwrap();
            assert!(matches!(told, Answer::Accepted { .. }));
            driven(&around, &run, None).await;
        }
        drop((dispatch, around));

        let mut dispatch = scene.open().await;
        let around = dispatch.around.clone();
        dispatch.turn().await.unwrap();
        assert_eq!(settled(&mut dispatch).await, [Done::Heard { run: run.clone(), event: 1 }], "{stopped}");
        driven(&around, &run, None).await;
        dispatch.turn().await.unwrap();
        assert_eq!(settled(&mut dispatch).await, [], "{stopped}");
        assert_eq!(steps(&around, &run), ["one 1", "two Listening"], "{stopped}");
        assert_eq!(ended(&around, 1), std::slice::from_ref(&run), "{stopped}");
        scene.sends(&around, "db").await;
        dispatch.turn().await.unwrap();
        assert_eq!(settled(&mut dispatch).await, [Done::Heard { run: run.clone(), event: 2 }], "{stopped}");
        assert_eq!(steps(&around, &run), ["one 1", "two 2"], "{stopped}");
    }
}

#[tokio::test]
async fn of_many_events_each_wait_takes_one_in_their_order() {
    let three = "[{id: one, wait: {event: {source: alerts}, within: 1h}}, {id: two, wait: {event: {source: alerts}, within: 1h}}, {id: new, wait: {event: {source: alerts, since: step}, within: 1h}}]";
    let mut scene = Scene::watching(three);
    let mut dispatch = scene.open().await;
    let around = dispatch.around.clone();
    let run = scene.watch(&around, 1, true).await;
    for _ in 0..5 {
        scene.sends(&around, "web").await;
    }
    scene.passes(1);
    for _ in 0..3 {
        dispatch.turn().await.unwrap();
        settled(&mut dispatch).await;
        driven(&around, &run, None).await;
    }
    assert_eq!(steps(&around, &run), ["one 1", "two 2", "new Listening"]);
    assert_eq!(around.intake.offered(None, 10).unwrap(), [], "what nobody needs is owed to nobody");
    scene.passes(1);
    scene.sends(&around, "web").await;
    dispatch.turn().await.unwrap();
    settled(&mut dispatch).await;
    assert_eq!(steps(&around, &run), ["one 1", "two 2", "new 6"]);
}

#[tokio::test]
async fn the_event_that_starts_a_run_ends_none_of_its_waits() {
    let mut scene = Scene::waiting("", "source: alerts");
    let (mut dispatch, around, run) = scene.fired().await;
    driven(&around, &run, None).await;
    dispatch.turn().await.unwrap();
    assert_eq!(settled(&mut dispatch).await, []);
    assert_eq!(steps(&around, &run), ["over Listening"]);
    // The next one starts a run of its own, and lets this one go on.
    around.intake.accept(scene.arrival("web", Status::Firing)).await.unwrap();
    assert_eq!(words(&dispatch.turn().await.unwrap()), ["2 ran"]);
    let done = settled(&mut dispatch).await;
    assert!(matches!(done.as_slice(), [Done::Heard { event: 2, .. }, Done::Started(_)]), "{done:?}");
    assert_eq!(steps(&around, &run), ["over 2"]);
}

#[tokio::test]
async fn what_a_run_waited_for_does_not_cancel_it() {
    let mut scene = Scene::waiting("on_resolved: cancel_if_waiting", "source: alerts, when: event.status == \"resolved\"");
    let (mut dispatch, around, run) = scene.fired().await;
    driven(&around, &run, None).await;
    around.intake.accept(scene.arrival("web", Status::Resolved)).await.unwrap();
    assert_eq!(words(&dispatch.turn().await.unwrap()), ["2 joined"]);
    assert_eq!(settled(&mut dispatch).await, [Done::Heard { run: run.clone(), event: 2 }, Done::Noted(run.clone())]);
    driven(&around, &run, None).await;
    assert_eq!(around.journal.run(&run).unwrap().summary.outcome.map(|outcome| outcome.name()), Some("succeeded"));
}

#[tokio::test]
async fn in_a_restored_state_what_came_before_ends_nothing() {
    let mut scene = Scene::watching(ANY);
    let mut dispatch = scene.open().await;
    let around = dispatch.around.clone();
    let run = scene.watch(&around, 1, true).await;
    let later = scene.watch(&around, 2, false).await;
    scene.sends(&around, "web").await;
    dispatch.turn().await.unwrap();
    scene.sends(&around, "web").await;
    drop(dispatch);
    around.intake.let_go(scene.clock.now(), |_| true).await.unwrap();

    let mut dispatch = Dispatch::open(around.clone(), scene.served()).await.unwrap().unwrap();
    driven(&around, &later, None).await;
    dispatch.turn().await.unwrap();
    assert_eq!(settled(&mut dispatch).await, []);
    assert_eq!(
        (steps(&around, &run), steps(&around, &later)),
        (vec!["news Listening".to_owned()], vec!["news Listening".to_owned()])
    );
    scene.sends(&around, "web").await;
    dispatch.turn().await.unwrap();
    assert_eq!(settled(&mut dispatch).await.len(), 2);
}

#[tokio::test]
async fn an_event_that_no_record_can_hold_fails_the_wait() {
    let mut scene = Scene::watching("[{id: news, wait: {event: {source: alerts}, within: 1h}, on_failure: continue}]");
    let mut dispatch = scene.open().await;
    let around = dispatch.around.clone();
    let run = scene.watch(&around, 1, true).await;
    let mut large = scene.arrival("web", Status::Once);
    large[0].event.subject = Some("x".repeat(limits::EVENT_BYTES));
    around.intake.accept(large).await.unwrap();
    dispatch.turn().await.unwrap();
    settled(&mut dispatch).await;
    let now = replayed(&around, &run);
    let step = now.steps().next().unwrap();
    assert_eq!(step.standing(), Standing::Ended(StepOutcome::Failed));
    assert!(step.note().unwrap().message.contains("65536"), "{:?}", step.note());
}

#[tokio::test]
async fn a_server_goes_on_with_a_run_that_somebody_left_once_its_event_has_come() {
    let mut scene = Scene::watching(ANY);
    let mut dispatch = scene.open().await;
    let around = dispatch.around.clone();
    let run = scene.watch(&around, 1, true).await;
    scene.sends(&around, "web").await;
    dispatch.turn().await.unwrap();
    settled(&mut dispatch).await;
    // Whoever looks at its record finds that no person has it.
    let mut adopted = None;
    session::replay(&*around.journal, &run, &mut |_, event| {
        if let runbook_core::Fact::RunAdopted { by, .. } = &event.fact {
            adopted = Some(by.means.clone());
        }
    })
    .unwrap();
    assert_eq!(adopted, Some(Means::Engine));
    assert_eq!(around.journal.run(&run).unwrap().summary.phase, Phase::Parked);
}
