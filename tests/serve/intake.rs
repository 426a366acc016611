//! What senders are promised: an event that was acknowledged is there, decided upon once; what is not authentic is not taken.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ring::hmac;
use serde_json::json;

use crate::harness::eventually;
use crate::server::{KEY, Place, TOKEN, alerts, ask, playbook, post_alerts};

const WRITE: &str = "[{id: write, run: 'echo {{inputs.host}} >> fixed.txt', effect: change}]";

#[test]
fn an_alert_runs_its_playbook_and_all_of_it_is_recorded() {
    let place = Place::with(&playbook("1.0.0", "", WRITE));
    let server = place.serve();
    assert_eq!(server.health(), json!({"live": true, "ready": true, "reasons": []}));
    let answer = server.alert("firing", &["db1", "db2"]);
    assert_eq!((answer.status, &answer.body), (202, &json!({"events": [1, 2]})));
    eventually("both runs", || (place.runs().iter().filter(|run| run["outcome"] == "succeeded").count() == 2).then_some(()));
    let mut fixed: Vec<String> =
        std::fs::read_to_string(place.books.join("fixed.txt")).unwrap().lines().map(str::to_owned).collect();
    fixed.sort();
    assert_eq!(fixed, ["db1", "db2"]);
    let events = place.list("events --json");
    assert_eq!(events.len(), 2);
    for event in &events {
        assert_eq!(
            (&event["decisions"][0]["decision"], event["decisions"].as_array().map(Vec::len)),
            (&json!("ran"), Some(1)),
            "{event}"
        );
    }
    // What Alertmanager repeats is the same alert, and is counted.
    let again = server.alert("firing", &["db1"]);
    assert_eq!((again.status, &again.body), (202, &json!({"events": [1]})));
    let log = server.stopped();
    assert_eq!(place.runs().len(), 2);
    place.runbook.run(["verify", "last"]).assert(0);
    let told: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(told.iter().any(|line| line["message"] == "a run ended" && line["outcome"] == "succeeded"), "{log}");
}

#[test]
fn what_is_not_taken_says_why() {
    let place = Place::with(&playbook("1.0.0", "when: 'false'", WRITE));
    let server = place.serve();
    let body = alerts("firing", &["db1"]);
    let large = "x".repeat(5 * 1024 * 1024);
    let right = format!("Bearer {TOKEN}");
    for (method, path, credential, body, status, kind) in [
        ("POST", "/events/alerts", None, &body, 401, "no_credential"),
        ("POST", "/events/alerts", Some("Bearer wrong-token"), &body, 401, "wrong_credential"),
        ("POST", "/events/nobody", Some(&*right), &body, 404, "unknown_source"),
        ("POST", "/events/alerts", Some(&*right), &"{".to_owned(), 400, "malformed"),
        ("POST", "/events/alerts", Some(&*right), &large, 413, "too_large"),
        ("DELETE", "/events/alerts", Some(&*right), &body, 405, "method_not_allowed"),
        ("GET", "/events/alerts", Some(&*right), &String::new(), 405, "method_not_allowed"),
        ("GET", "/nothing", None, &String::new(), 404, "not_found"),
        ("POST", "/events/code", None, &body, 401, "no_credential"),
    ] {
        let headers: Vec<(&str, &str)> = credential.map(|credential| ("Authorization", credential)).into_iter().collect();
        let answer = server.ask(method, path, &headers, body);
        assert_eq!((answer.status, &answer.body["kind"]), (status, &json!(kind)), "{method} {path}: {}", answer.body);
        assert!(answer.head.contains("content-type: application/problem+json"), "{}", answer.head);
        assert_eq!(answer.body["status"], status);
        assert!(answer.body["detail"].as_str().is_some_and(|detail| !detail.contains(TOKEN)), "{}", answer.body);
        assert_eq!(answer.status == 401, answer.head.contains("www-authenticate"), "{}", answer.head);
    }
    assert_eq!(place.list("events --json"), Vec::<serde_json::Value>::new());
    // That no trigger means it is nothing that its sender did wrong.
    assert_eq!(server.alert("firing", &["db1"]).status, 202);
    let event = eventually("its decision", || place.list("events --json").into_iter().find(|e| e["decisions"][0].is_object()));
    assert_eq!(event["decisions"][0]["decision"], "dropped");
}

fn signed(body: &str, delivery: &str, event: &str) -> Vec<(&'static str, String)> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes()), body.as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        ("X-GitHub-Event", event.to_owned()),
        ("X-GitHub-Delivery", delivery.to_owned()),
        ("X-Hub-Signature-256", format!("sha256={hex}")),
    ]
}

#[test]
fn a_signed_delivery_counts_once_also_after_a_restart() {
    let place = Place::with(&playbook("1.0.0", "", WRITE));
    let server = place.serve();
    let body = r#"{"action":"opened","issue":{"number":7},"repository":{"full_name":"o/r","html_url":"https://example.org/o/r"}}"#;
    let post = |address: &str, delivery: &str, event: &str| {
        let headers = signed(body, delivery, event);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ask(address, "POST", "/events/code", &headers, body).unwrap()
    };
    assert_eq!(post(&server.address, "a", "ping").status, 200, "a hello");
    let other = r#"{"zen":"x"}"#;
    let headers = signed(other, "b", "issues");
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let first = ask(&server.address, "POST", "/events/code", &headers, other).unwrap();
    assert_eq!((first.status, &first.body), (202, &json!({"events": [1]})));
    server.killed();
    let server = place.serve();
    // GitHub does not sign the id of a delivery, so whoever read it can give it another one.
    let headers = signed(other, "forged", "issues");
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let again = ask(&server.address, "POST", "/events/code", &headers, other).unwrap();
    assert_eq!((again.status, &again.body), (202, &json!({"events": [1]})));
    assert_eq!(place.list("events --json").len(), 1);
    // One bit of the body is another body.
    let flipped = ask(&server.address, "POST", "/events/code", &headers, r#"{"zen":"y"}"#).unwrap();
    assert_eq!((flipped.status, &flipped.body["kind"]), (401, &json!("wrong_credential")));
}

#[test]
fn cloud_events_shake_hands() {
    let place = Place::with(&playbook("1.0.0", "", WRITE));
    let server = place.serve();
    let answer = server.ask("OPTIONS", "/events/things", &[("WebHook-Request-Origin", "example.org")], "");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("webhook-allowed-origin: example.org"), "{}", answer.head);
    assert_eq!(server.ask("OPTIONS", "/events/things", &[("WebHook-Request-Origin", "elsewhere.org")], "").status, 403);
    assert_eq!(server.ask("OPTIONS", "/events/alerts", &[], "").status, 415);
}

#[test]
fn before_anything_is_lost_senders_are_told_to_wait() {
    let place = Place::with(&playbook("1.0.0", "", WRITE));
    let server = place.serve();
    // Senders that stop in the midst of a body, until no more of them fit: eight do, unless one comes upon the room of a probe.
    let mut stalled = Vec::new();
    let refused = eventually("a full queue", || {
        if stalled.len() >= 8 {
            let probe = server.alert("firing", &["db1"]);
            if probe.status == 503 {
                return Some(probe);
            }
        }
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let length = 4 * 1024 * 1024;
        let head = format!(
            "POST /events/alerts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n\r\n"
        );
        // One that does not fit is answered, and not read to its end.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b' '; length - 1]));
        stalled.push(stream);
        None
    });
    assert_eq!(refused.body["kind"], "busy", "{}", refused.body);
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    drop(stalled);
    eventually("room again", || Some(server.alert("firing", &["db2"])).filter(|answer| answer.status == 202));
    // A connection that says nothing holds up nobody.
    let _silent = TcpStream::connect(&server.address).unwrap();
    assert_eq!(server.alert("firing", &["db3"]).status, 202);
}

#[test]
fn what_was_acknowledged_survives_a_kill_in_the_midst_of_a_storm() {
    let place =
        Place::with(&playbook("1.0.0", "limit: {runs: 3, per: 1h}", "[{id: say, exec: [echo, '{{inputs.host}}'], effect: none}]"));
    let acknowledged = Arc::new(Mutex::new(Vec::<(String, u64)>::new()));
    for round in 0..2 {
        let server = place.serve();
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..8)
            .map(|sender| {
                let (address, acknowledged, stop) = (server.address.clone(), acknowledged.clone(), stop.clone());
                std::thread::spawn(move || {
                    for n in 0.. {
                        // Every second one is one that another sender sends too.
                        let host = if n % 2 == 0 { format!("r{round}-s{sender}-{n}") } else { format!("r{round}-{n}") };
                        let Ok(answer) = post_alerts(&address, &alerts("firing", &[&host])) else { break };
                        if answer.status == 202 {
                            acknowledged.lock().unwrap().push((host, answer.body["events"][0].as_u64().unwrap()));
                        }
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                })
            })
            .collect();
        let enough = acknowledged.lock().unwrap().len() + 400;
        eventually("a storm", || (acknowledged.lock().unwrap().len() >= enough).then_some(()));
        server.killed();
        stop.store(true, Ordering::Relaxed);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    }
    let server = place.serve();
    let events = eventually("a decision on each", || {
        let events = place.list("events --json -n 1000000");
        events.iter().all(|event| event["decisions"].as_array().is_some_and(|all| all.len() == 1)).then_some(events)
    });
    let of_number: std::collections::HashMap<u64, String> =
        events.iter().map(|event| (event["event"].as_u64().unwrap(), event["about"].as_str().unwrap().to_owned())).collect();
    let acknowledged = acknowledged.lock().unwrap();
    for (host, number) in acknowledged.iter() {
        assert_eq!(of_number.get(number), Some(host), "event {number}");
    }
    let hosts: std::collections::HashSet<&String> = of_number.values().collect();
    assert_eq!(hosts.len(), events.len(), "each is written down once");
    let ran = events.iter().filter(|event| event["decisions"][0]["decision"] == "ran").count();
    assert_eq!(ran, 3, "the limit holds over restarts");
    eventually("their runs", || (place.runs().iter().filter(|run| run["outcome"] == "succeeded").count() == 3).then_some(()));
    server.stopped();
}

#[test]
fn prometheus_reads_what_came_of_events_and_runs() {
    let place = Place::with(&playbook("1.0.0", "limit: {runs: 1, per: 1h}", WRITE));
    let server = place.serve();
    server.alert("firing", &["db1", "db2"]);
    server.alert("firing", &["db1"]);
    ask(&server.address, "POST", "/events/alerts", &[("Authorization", "Bearer wrong-token")], "{}").unwrap();
    ask(&server.address, "POST", "/events/made-up", &[], "{}").unwrap();
    let lines = [
        "runbook_deliveries_total{source=\"alerts\",result=\"taken\"} 2",
        "runbook_deliveries_total{source=\"alerts\",result=\"wrong_credential\"} 1",
        "runbook_deliveries_total{source=\"\",result=\"unknown_source\"} 1",
        "runbook_events_total{source=\"alerts\",result=\"new\"} 2",
        "runbook_events_total{source=\"alerts\",result=\"again\"} 1",
        "runbook_decisions_total{procedure=\"fix\",trigger=\"1\",decision=\"ran\"} 1",
        "runbook_decisions_total{procedure=\"fix\",trigger=\"1\",decision=\"dropped\"} 1",
        "runbook_runs_ended_total{procedure=\"fix\",outcome=\"succeeded\"} 1",
        "runbook_runs{state=\"waiting\"} 0",
        "runbook_events_undecided 0",
        "runbook_events_undecided_age_seconds 0.0",
        "# EOF",
    ];
    let missing = |text: &str| lines.iter().find(|line| !text.lines().any(|found| found == **line)).copied();
    let start = std::time::Instant::now();
    let last = loop {
        let text = server.ask("GET", "/metrics", &[], "").text;
        let Some(line) = missing(&text) else { break text };
        assert!(start.elapsed() < crate::harness::PATIENCE, "{line}\n{text}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert!(!last.contains("made-up"), "{last}");
}
