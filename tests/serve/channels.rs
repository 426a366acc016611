//! Messages to doubles of Slack, Teams, ntfy and PagerDuty that fail, by npm's `mountebank`, which `tests/setup.sh` installs into
//! `target/doubles`: told once as the receiver counts, or not, and then it is seen, and the next are asked at once.

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::program::Ran;
use crate::harness::{Scratch, eventually, find_program, free_port, repository, run as harness_run};
use crate::server::{Place, ask, playbook};

/// Receivers, each at a port of its own.
struct Doubles {
    child: Child,
    admin: String,
    _scratch: Scratch,
}

impl Doubles {
    /// Each gives these answers, one after the other, and then again from the first.
    fn start(receivers: &[(u16, Value)]) -> Doubles {
        let folder = repository().join("target/doubles");
        let program = folder.join("node_modules/mountebank/bin/mb");
        if !program.exists() {
            let words = ["install", "--no-audit", "--no-fund", "--silent", "mountebank@2.9.1", "--prefix"];
            harness_run(Command::new(find_program("npm")).args(words).arg(&folder));
        }
        let scratch = Scratch::new();
        let imposters: Vec<Value> = receivers
            .iter()
            .map(|(port, responses)| {
                json!({
                    "port": port, "protocol": "http", "host": "127.0.0.1", "recordRequests": true, "stubs": [{"responses": responses}],
                })
            })
            .collect();
        std::fs::write(scratch.join("doubles.json"), json!({"imposters": imposters}).to_string()).unwrap();
        let port = free_port().to_string();
        let mut command = Command::new(find_program("node"));
        command.arg(program).args(["start", "--port", &port, "--host", "127.0.0.1", "--nologfile", "--pidfile", "pid"]);
        command.args(["--configfile", "doubles.json"]).current_dir(scratch.path()).stdout(Stdio::null());
        let child = command.spawn().unwrap();
        let doubles = Doubles { child, admin: format!("127.0.0.1:{port}"), _scratch: scratch };
        eventually("the doubles", || receivers.iter().all(|(port, _)| doubles.read(*port).is_some()).then_some(()));
        doubles
    }

    fn read(&self, port: u16) -> Option<Value> {
        let answer = ask(&self.admin, "GET", &format!("/imposters/{port}"), &[("Accept", "application/json")], "").ok()?;
        Some(answer.body).filter(|body| body["port"] == port)
    }

    /// What the receiver was sent, also what it did not take.
    fn sent(&self, port: u16) -> Vec<Value> {
        let requests = self.read(port).expect("a receiver")["requests"].as_array().unwrap().clone();
        requests.iter().map(|request| serde_json::from_str(request["body"].as_str().unwrap()).unwrap()).collect()
    }
}

impl Drop for Doubles {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SERVICES: [&str; 4] = ["slack", "teams", "ntfy", "pagerduty"];

/// What a receiver does, one request after the other; which of them it takes when all are to be told once.
fn fault(name: &str) -> Value {
    let takes = json!({"is": {"statusCode": 202}});
    let busy = json!({"is": {"statusCode": 429, "headers": {"Retry-After": "1"}}});
    match name {
        "throttled" => json!([busy, {"is": {"statusCode": 503}}, takes]),
        "slow" => json!([{"is": {"statusCode": 202}, "behaviors": [{"wait": 1500}]}]),
        "reset" => json!([{"fault": "CONNECTION_RESET_BY_PEER"}, takes]),
        "broken" => json!([{"is": {"statusCode": 500}}, takes]),
        "gone" => json!([{"is": {"statusCode": 404}}]),
        _ => json!([{"is": {"statusCode": 429, "headers": {"Retry-After": "86400"}}}]),
    }
}

const FAULTS: [&str; 6] = ["throttled", "slow", "reset", "broken", "gone", "patient"];

fn channel(service: &str, variable: &str, port: u16) -> String {
    let kind = match service {
        "slack" | "teams" => format!("{service}: {{webhook: secrets.s}}"),
        "ntfy" => format!("ntfy: {{server: 'http://127.0.0.1:{port}', topic: secrets.s}}"),
        _ => format!("pagerduty: {{server: 'http://127.0.0.1:{port}', key: secrets.s}}"),
    };
    format!("{{{kind}, secrets: {{s: {{env: {variable}}}}}}}")
}

#[test]
fn services_that_fail_are_told_once_or_it_is_seen_and_the_next_are_asked() {
    let pairs = || SERVICES.iter().flat_map(|service| FAULTS.iter().map(move |fault| (*service, *fault)));
    let ports: Vec<u16> = pairs().map(|_| free_port()).collect();
    let receivers: Vec<(u16, Value)> = ports.iter().zip(pairs()).map(|(port, (_, name))| (*port, fault(name))).collect();
    let doubles = Doubles::start(&receivers);

    let mut place = Place::with(&playbook("1.0.0", "", "[{run: 'true', effect: read}]"));
    let workspace = std::fs::read_to_string(place.books.join("workspace.yaml")).unwrap();
    let (mut escalations, mut channels) = (String::new(), String::new());
    for (port, (service, fault)) in ports.iter().zip(pairs()) {
        let (name, variable) = (format!("{service}-{fault}"), format!("SECRET_{port}"));
        place = place.env(&variable, &format!("http://127.0.0.1:{port}/hook"));
        let steps = format!("[{{to: [you], after: 10m, channels: [backup-{name}]}}]");
        let _ = writeln!(escalations, "  {name}: {{channels: [{name}], steps: {steps}}}");
        let _ = writeln!(channels, "  {name}: {}", channel(service, &variable, *port));
        let _ = writeln!(channels, "  backup-{name}: {{log: {{file: {name}.jsonl}}}}");
        let asks = "{question: 'Go on?', from: [you], within: 1h, on_timeout: escalate}";
        let text = format!(
            "apiVersion: runbook/v1\nkind: Runbook\nname: {name}\nversion: 1.0.0\nescalation: {name}\nsteps: [{{id: go, approve: {asks}}}]\n"
        );
        place.write(&format!("{name}.yaml"), &text);
    }
    let escalations =
        workspace.replace("escalations: {e: ", &format!("url: https://ops.example.org\nescalations:\n{escalations}  e: "));
    let workspace = escalations.replace("after: 10m}]}}\n", "after: 10m}]}\n");
    place.write("workspace.yaml", &format!("{workspace}channels:\n{channels}"));

    let ran: Vec<Ran> = std::thread::scope(|scope| {
        let runbook = &place.runbook;
        let all: Vec<_> =
            pairs().map(|(service, fault)| scope.spawn(move || runbook.exec(&format!("{service}-{fault}"), &[]))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let runs = place.runs();
    for ((port, (service, fault)), ran) in ports.iter().zip(pairs()).zip(ran) {
        let name = format!("{service}-{fault}");
        ran.assert(3);
        let run = runs.iter().find(|run| run["procedure"] == name.as_str()).expect("its run")["run"].as_str().unwrap().to_owned();
        let shown = place.runbook.run(["show", run.as_str()]).assert(0).stdout;
        let sent = doubles.sent(*port);
        assert!(sent.iter().all(|message| message.to_string().contains("waits for a decision")), "{name}: {sent:?}");
        assert!(sent.iter().all(|message| message.to_string().contains(&format!("/runs/{run}/decisions/d1"))), "{name}: {sent:?}");
        let told = std::fs::read_to_string(place.books.join(format!("{name}.jsonl"))).unwrap_or_default().lines().count();
        let repeats = service == "pagerduty";
        // How often it was sent, of which the last was taken where it was told.
        let (times, arrives, said) = match fault {
            "throttled" => (3, true, "told"),
            "slow" => (1, true, "told"),
            "reset" | "broken" if repeats => (2, true, "told"),
            "reset" | "broken" => (1, false, "it may have arrived"),
            "gone" => (1, false, "the server answered 404"),
            _ => (1, false, "asks for 1d of patience; sent once, and given up"),
        };
        assert_eq!((sent.len(), told), (times, usize::from(!arrives)), "{name}: {shown}");
        assert!(shown.contains(said), "{name}: {shown}");
        if repeats {
            let keys: std::collections::BTreeSet<String> = sent.iter().map(|alert| alert["dedup_key"].to_string()).collect();
            assert_eq!(keys.len(), 1, "{sent:?}");
        }
        place.runbook.run(["verify", run.as_str()]).assert(0);
    }

    // The alert is over once it is decided; the receiver turns the end of it away twice, too.
    let throttled = pairs().position(|pair| pair == ("pagerduty", "throttled")).unwrap();
    let run = runs.iter().find(|run| run["procedure"] == "pagerduty-throttled").unwrap()["run"].as_str().unwrap().to_owned();
    let asked = place.list(&format!("decisions {run} --json")).remove(0);
    let digest = asked["request"]["digest"].as_str().unwrap();
    place.runbook.run(["approve", run.as_str(), "--digest", digest, "--reason", "seen"]).assert(0);
    place.runbook.run(["resume", run.as_str()]).assert(0);
    let sent = doubles.sent(ports[throttled]);
    let actions: Vec<&str> = sent.iter().map(|alert| alert["event_action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["trigger", "trigger", "trigger", "resolve", "resolve", "resolve"]);
    assert!(sent.iter().all(|alert| alert["dedup_key"] == sent[0]["dedup_key"]), "{sent:?}");
}

/// Nobody listens where the first message goes, so it is sent again and again; meanwhile the server is killed.
#[test]
fn what_was_on_its_way_when_the_server_was_killed_is_seen_to_by_the_next() {
    let asks = "[{id: go, approve: {question: 'Go on?', from: [you], within: 1h, on_timeout: escalate}}]";
    let place = Place::with(&playbook("1.0.0", "", asks));
    let workspace = std::fs::read_to_string(place.books.join("workspace.yaml")).unwrap();
    let escalation = format!(
        "escalations: {{e: {{channels: [down], steps: [{{to: [you], after: 1h, channels: [file]}}]}}}}\nchannels:\n  \
         down: {{ntfy: {{server: 'http://127.0.0.1:{}', topic: on-call}}}}\n  file: {{log: {{file: told.jsonl}}}}",
        free_port()
    );
    place.write("workspace.yaml", &workspace.replace("escalations: {e: {steps: [{to: [you], after: 10m}]}}", &escalation));
    let server = place.serve();
    server.alert("firing", &["a"]);
    let run = place.run_that("waiting")["run"].as_str().unwrap().to_owned();
    let shown = || place.runbook.run(["show", run.as_str()]).assert(0).stdout;
    eventually("the message is on its way", || shown().contains("is on its way to down").then_some(()));
    server.killed();
    let told = || std::fs::read_to_string(place.books.join("told.jsonl")).unwrap_or_default().lines().count();
    assert_eq!(told(), 0);
    let server = place.serve();
    eventually("the next are told", || (told() == 1).then_some(()));
    eventually("it is known that nobody knows", || shown().contains("nobody knows whether it arrived at down").then_some(()));
    server.stopped();
    place.runbook.run(["verify", run.as_str()]).assert(0);
}
