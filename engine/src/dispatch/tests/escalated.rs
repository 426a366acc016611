//! People are told that a limit is reached: once in its time, whatever stops the process, and what became of it is in the decision.

use super::*;

const LIMIT: &str = "limit: {runs: 1, per: 10m, then: escalate}";

impl Scene {
    /// The first step of the escalation has no channel, the second these.
    fn telling(channels: &str) -> Scene {
        let scene = Scene::with(LIMIT);
        let steps = format!("escalations: {{e: {{steps: [{{to: [ada], after: 10m}}, {{to: [ada], after: 1h{channels}}}]}}}}");
        let workspace = WORKSPACE.replace("escalations: {e: {steps: [{to: [ada], after: 10m}]}}", &steps);
        let declared = "channels: {ops: {log: {file: told.jsonl}}, deaf: {command: [\"false\"]}}\n";
        std::fs::write(scene.folder.path().join("books/workspace.yaml"), format!("{workspace}{declared}")).unwrap();
        scene
    }

    /// The messages that arrived.
    fn told(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.folder.path().join("books/told.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What is decided on one more alert, and done.
    async fn alert(&mut self, dispatch: &mut Dispatch, host: &str) -> String {
        let intake = dispatch.around.intake.clone();
        intake.accept(self.arrival(host, Status::Firing)).await.unwrap();
        dispatch.turn().await.unwrap();
        settled(dispatch).await;
        dispatch.finish_telling().await.unwrap();
        let arrived = intake.event(self.sent as u64).unwrap().unwrap();
        arrived.rulings[0].decision.to_string()
    }

    fn pass(&self, minutes: u64) {
        self.clock.advance(std::time::Duration::from_secs(minutes * 60));
    }
}

#[tokio::test]
async fn the_first_event_beyond_a_limit_tells_people_and_a_storm_does_not() {
    let mut scene = Scene::telling(", channels: [ops]");
    let mut dispatch = scene.open().await;
    assert!(scene.alert(&mut dispatch, "a").await.starts_with("ran: "));
    assert_eq!(scene.alert(&mut dispatch, "b").await, "dropped: over the `limit` of 1 runs in 10m; told ops");
    for host in ["c", "d", "b"] {
        assert_eq!(scene.alert(&mut dispatch, host).await, "dropped: over the `limit` of 1 runs in 10m", "{host}");
    }
    let [told] = scene.told().try_into().unwrap();
    assert_eq!((&told["channel"], &told["subject"]), (&"ops".into(), &"fix is not started: over its limit".into()));
    let message = told["message"].as_str().unwrap();
    for part in ["fix 1.2.0 is not started for event 2 of alerts about b", "1 runs in 10m", "owner: o", "runbook events 2"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(told["run"]["id"], serde_json::Value::Null, "there is no run");
    // A restart changes no decision; the next time is another one.
    drop(dispatch);
    let mut dispatch = scene.open().await;
    assert_eq!(scene.alert(&mut dispatch, "e").await, "dropped: over the `limit` of 1 runs in 10m");
    scene.pass(10);
    assert!(scene.alert(&mut dispatch, "f").await.starts_with("ran: "));
    assert_eq!(scene.alert(&mut dispatch, "g").await, "dropped: over the `limit` of 1 runs in 10m; told ops");
    assert_eq!(scene.told().len(), 2);
}

#[tokio::test]
async fn whoever_dispatches_next_tells_what_nobody_was_told() {
    for stopped in ["before it is sent", "before it is written down that it was"] {
        let mut scene = Scene::telling(", channels: [ops]");
        let mut dispatch = scene.open().await;
        scene.alert(&mut dispatch, "a").await;
        let intake = dispatch.around.intake.clone();
        intake.accept(scene.arrival("b", Status::Firing)).await.unwrap();
        dispatch.turn().await.unwrap();
        if stopped != "before it is sent" {
            settled(&mut dispatch).await;
        }
        drop((dispatch, intake));
        let mut dispatch = scene.open().await;
        settled(&mut dispatch).await;
        let done = dispatch.finish_telling().await.unwrap();
        assert_eq!(done, [Done::Told { event: 2, what: "told ops".to_owned() }], "{stopped}");
        assert!(settled(&mut dispatch).await.is_empty() && dispatch.finish_telling().await.unwrap().is_empty(), "{stopped}");
        // One that may have arrived before has the same key, by which a receiver knows it.
        let keys: HashSet<String> = scene.told().iter().map(|told| told["key"].to_string()).collect();
        assert_eq!(keys.len(), 1, "{stopped}");
    }
}

#[tokio::test]
async fn why_nobody_could_be_told_is_in_the_decision() {
    for (channels, what) in
        [("", "nobody is told: the escalation has no channels"), (", channels: [deaf]", "people were to be told: ")]
    {
        let mut scene = Scene::telling(channels);
        let mut dispatch = scene.open().await;
        scene.alert(&mut dispatch, "a").await;
        let decision = scene.alert(&mut dispatch, "b").await;
        assert!(decision.starts_with(&format!("dropped: over the `limit` of 1 runs in 10m; {what}")), "{decision}");
        assert!(scene.told().is_empty());
    }
}
