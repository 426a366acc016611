//! Messages of NATS JetStream as events: fetched across kills of either server, each once.

use crate::harness::eventually;
use crate::harness::nats::{Nats, TOKEN};
use crate::server::{Place, playbook};

fn with_stream(nats: &Nats, steps: &str) -> Place {
    let mut place = Place::with(&playbook("1.0.0", "", steps));
    place.runbook = place.runbook.env("NATS_TOKEN", TOKEN);
    let workspace = std::fs::read_to_string(place.books.join("workspace.yaml")).unwrap();
    let source = format!(
        "  plant: {{type: nats, url: '{}', stream: PLANT, subject: plant.*.alarms, bearer: secrets.nats, secrets: {{nats: {{env: NATS_TOKEN}}}}}}\n",
        nats.url()
    );
    place.write("workspace.yaml", &format!("{workspace}{source}"));
    let playbook = std::fs::read_to_string(place.books.join("fix.yaml")).unwrap();
    let trigger = "{id: plant, source: plant, inputs: {host: event.data.host}}";
    place.write("fix.yaml", &playbook.replace("triggers: [", &format!("triggers: [{trigger}, ")));
    place
}

fn events(place: &Place) -> Vec<serde_json::Value> {
    place.list("events --json -n 1000")
}

#[test]
fn each_message_starts_one_run_whichever_server_is_killed() {
    let mut nats = Nats::start();
    nats.make_stream("PLANT", "plant.>");
    let place = with_stream(&nats, "[{run: 'true', effect: none}]");
    // Before anybody fetches.
    nats.publish("plant.a.alarms", "{\"host\": \"h0\"}");
    nats.publish("plant.a.readings", "{\"host\": \"not meant\"}");
    let mut server = place.serve();
    for round in 1..4 {
        for number in 0..5 {
            nats.publish("plant.b.alarms", &format!("{{\"host\": \"h{round}{number}\"}}"));
        }
        // In the midst of it, wherever that is.
        std::thread::sleep(std::time::Duration::from_millis(100 * round));
        server.killed();
        server = place.serve();
    }
    let ended = || place.runs().iter().filter(|run| run["outcome"] == "succeeded").count();
    eventually("a run of each message", || (ended() >= 16).then_some(()));
    nats.stop();
    eventually("that it is missed", || {
        let reasons = server.health()["reasons"].clone();
        reasons.as_array()?.iter().find(|reason| reason["topic"] == "stream" && reason["blocks"] == false).cloned()
    });
    nats.again();
    nats.publish("plant.c.alarms", "{\"host\": \"last\"}");
    eventually("a run of the last", || (ended() >= 17).then_some(()));
    eventually("that all is well", || server.health()["reasons"].as_array()?.is_empty().then_some(()));
    eventually("that each is acknowledged", || (nats.left("PLANT", "runbook") == 0).then_some(()));
    let events = events(&place);
    assert_eq!((events.len(), place.runs().len()), (17, 17), "none is lost, and none counts twice");
    assert!(events.iter().all(|event| event["data"]["subject"] == "plant.a.alarms"
        || event["data"]["subject"] == "plant.b.alarms"
        || event["data"]["subject"] == "plant.c.alarms"));
    server.stopped();
}

#[test]
fn what_is_no_event_is_given_up_and_told_and_holds_nothing_up() {
    let nats = Nats::start();
    nats.make_stream("PLANT", "plant.>");
    let place = with_stream(&nats, "[{run: 'true', effect: none}]");
    let server = place.serve();
    let refused = nats.publish("plant.a.alarms", "{not json");
    nats.publish("plant.a.alarms", "{\"host\": \"h1\"}");
    let ended = place.run_that("ended");
    assert_eq!(ended["outcome"], "succeeded");
    eventually("that nothing is left", || (nats.left("PLANT", "runbook") == 0).then_some(()));
    let event = events(&place).remove(0);
    let told = (&event["data"]["subject"], &event["data"]["key"]);
    assert_eq!(told, (&"plant.a.alarms".into(), &"plant.a.alarms".into()), "{event}");
    let log = server.stopped();
    let told = log.lines().find(|line| line.contains("a message is no event")).expect("a line of the log");
    assert!(told.contains(&format!("\"place\":{refused}")), "{told}");
    assert!(!log.contains(TOKEN));
}

#[test]
fn a_stream_that_is_not_there_or_a_token_that_is_wrong_is_told_and_waited_for() {
    let nats = Nats::start();
    let place = with_stream(&nats, "[{run: 'true', effect: none}]");
    let server = place.serve();
    let why = || {
        let reasons = server.health()["reasons"].clone();
        let reason = reasons.as_array()?.iter().find(|reason| reason["topic"] == "stream")?;
        reason["why"].as_str().map(str::to_owned)
    };
    let told = eventually("that it is missed", why);
    assert!(told.contains("`plant`") && told.contains("PLANT"), "{told}");
    assert_eq!(server.health()["ready"], true, "other senders are heard");
    nats.make_stream("PLANT", "plant.>");
    nats.publish("plant.a.alarms", "{\"host\": \"h1\"}");
    assert_eq!(place.run_that("ended")["outcome"], "succeeded");
    assert_eq!(why(), None);
    server.stopped();
}
