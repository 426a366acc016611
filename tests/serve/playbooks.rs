//! The playbooks that are shipped, against real faults: Prometheus sees one, Alertmanager tells, the playbook asks, somebody answers in a
//! browser, it repairs and verifies, the alert is over, people are told, and the record says all of it.

use serde_json::Value;

use crate::harness::eventually;
use crate::harness::prometheus::{Monitoring, Watched};
use crate::harness::service::Service;
use crate::harness::tab::{Tab, Window};
use crate::pages::{WORDS, account};
use crate::server::{Place, Server, TOKEN};

/// A server over what is shipped, and somebody who may decide.
struct Watch {
    place: Place,
    server: Server,
}

impl Watch {
    fn begin() -> Watch {
        let place = Place::shipped();
        account(&place, "operator");
        let server = place.serve();
        Watch { place, server }
    }

    fn receiver(&self) -> String {
        format!("http://{}/events/alerts", self.server.address)
    }

    /// The operator is asked, sees these texts on the page, and agrees.
    fn is_agreed(&self, shows: &[&str], reason: &str) {
        let mut tab = Tab::new(Window::Desk);
        tab.log_in(&self.server.address, "operator", WORDS);
        tab.until_text("Waiting for you");
        tab.press_until("A.card");
        tab.press("Enter");
        for text in shows {
            tab.until_text(text);
        }
        tab.press_until("TEXTAREA#reason-approve");
        tab.types(reason);
        tab.press("Tab");
        tab.press("Enter");
        tab.until_text("granted by operator");
        assert_eq!(tab.troubles(), Vec::<String>::new());
    }

    /// The event that says that the alert is over.
    fn is_over(&self) {
        eventually("the end of the alert", || {
            self.place.list("events --json").into_iter().find(|event| event["status"] == "resolved" && event["judged"] == true)
        });
    }

    /// What whoever reads the report finds in it, in this order.
    fn is_reported(&self, run: &str, order: &[&str]) {
        self.place.runbook.run(["verify", run]).assert(0);
        let html = self.place.runbook.run(["report", run, "--format", "html"]).assert(0).stdout;
        let report = self.place.runbook.run(["report", run]).assert(0).stdout;
        let mut rest = report.as_str();
        for part in order {
            let at = rest.find(part).unwrap_or_else(|| panic!("`{part}` is not there, or in another order:\n{report}"));
            rest = &rest[at + part.len()..];
            assert!(html.contains(part), "`{part}` is not in the page:\n{html}");
        }
    }
}

#[test]
fn a_dead_process_is_started_again() {
    let service = Service::start();
    std::fs::write(service.well.join("metrics"), "pages 1\n").unwrap();
    let watch = Watch::begin();
    let monitoring = Monitoring::start(&Watched {
        port: service.port,
        alert: "ProcessDown",
        labels: &[("service", service.dir.to_str().unwrap()), ("health", &service.health_url())],
        receiver: &watch.receiver(),
        token: TOKEN,
    });
    let former = service.pid();
    service.dies();

    let run = watch.place.run_that("waiting")["run"].as_str().unwrap().to_owned();
    assert_eq!(service.health(), None, "nothing happens unasked");
    let question = format!("Start {} again? The supervisor says: down", service.dir.display());
    watch.is_agreed(&[&question, "sv -w 20 restart"], "the log says out of memory");
    let ended: Value = watch.place.run_that("ended");
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    assert_eq!(service.health(), Some(200));
    assert!(service.pid() != former && !service.pid().is_empty());

    watch.is_over();
    let told = format!("process-down of {} succeeded", service.dir.display());
    watch.is_reported(&run, &["ProcessDown", "the log says out of memory", "Restart it", &told]);
    drop(monitoring);
    watch.server.stopped();
}
