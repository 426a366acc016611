//! A real fault, a real alert, a real repair: Prometheus sees that a web service hangs, Alertmanager tells, a playbook asks and restarts it,
//! and its end is recorded.

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::prometheus::{Monitoring, Watched};
use crate::harness::service::Service;
use crate::harness::{eventually, repository};
use crate::server::{Place, TOKEN};

const PLAYBOOK: &str = "apiVersion: runbook/v1
kind: Playbook
name: web-hangs
version: 1.0.0
owner: web
impact: high
escalation: e
triggers:
  - source: alerts
    when: event.data.labels.alertname == \"WebDown\"
    inputs: {service: event.data.labels.service, health: event.data.labels.health}
    concurrency: {key: event.data.labels.service}
inputs: {service: {type: path}, health: {type: url}}
steps:
  - id: agree
    approve: {question: 'Restart {{inputs.service}}?', from: [you], within: 1h}
  - id: restart
    call: service-restart@^1
    with: {service: inputs.service, health: inputs.health}
";

#[test]
fn a_real_alert_is_answered_by_a_repair_that_is_decided_and_recorded() {
    let service = Service::start();
    std::fs::write(service.well.join("metrics"), "pages 1\n").unwrap();
    let place = Place::with(PLAYBOOK);
    let workspace = std::fs::read_to_string(place.books.join("workspace.yaml")).unwrap();
    place.write("workspace.yaml", &format!("{workspace}channels: {{operations: {{log: {{}}}}}}\nhttp: {{allow: [127.0.0.1]}}\n"));
    std::fs::copy(repository().join("runbooks/service-restart.yaml"), place.books.join("service-restart.yaml")).unwrap();
    let server = place.serve();
    let monitoring = Monitoring::start(&Watched {
        port: service.port,
        alert: "WebDown",
        when: "up == 0",
        labels: &[("service", service.dir.to_str().unwrap()), ("health", &service.health_url())],
        receiver: &format!("http://{}/events/alerts", server.address),
        token: TOKEN,
    });

    // It hangs: the process is there, and answers nobody.
    let former = service.pid();
    kill_process(Pid::from_raw(former.parse().unwrap()).unwrap(), Signal::STOP).unwrap();
    let run = place.run_that("waiting")["run"].as_str().unwrap().to_owned();
    let asked = place.list(&format!("decisions {run} --json")).remove(0);
    assert_eq!(asked["request"]["question"], format!("Restart {}?", service.dir.display()));
    assert_eq!(service.pid(), former, "nothing happens unasked");
    let digest = asked["request"]["digest"].as_str().unwrap();
    place.runbook.run(["approve", run.as_str(), "--digest", digest, "--reason", "it hangs"]).assert(0);
    let ended = place.run_that("ended");
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    assert_eq!(service.health(), Some(200));
    assert_ne!(service.pid(), former);

    // The alert resolves by itself, and that is an event with its decision too.
    let resolved = eventually("the end of the alert", || {
        place.list("events --json").into_iter().find(|event| event["status"] == "resolved" && event["judged"] == true)
    });
    let why = resolved["decisions"][0]["why"].as_str().unwrap();
    assert!(why.contains("it is over") || why.contains("told that it is over"), "{resolved}");
    let fired: Vec<_> = place.list("events --json").into_iter().filter(|event| event["status"] == "firing").collect();
    assert!(fired.iter().all(|event| event["decisions"].as_array().map(Vec::len) == Some(1)), "{fired:#?}");
    assert_eq!(fired.iter().filter(|event| event["decisions"][0]["decision"] == "ran").count(), 1, "{fired:#?}");
    place.runbook.run(["verify", run.as_str()]).assert(0);
    drop(monitoring);
    server.stopped();
}
