//! The playbooks that are shipped, against real faults: Prometheus sees one, Alertmanager tells, the playbook asks, somebody answers in a
//! browser, it repairs and verifies, the alert is over, people are told, and the record says all of it.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::harness::authority::Authority;
use crate::harness::exporter::Exporter;
use crate::harness::nginx::Nginx;
use crate::harness::postgres::{PASSWORD, Postgres};
use crate::harness::prometheus::{Monitoring, Watched};
use crate::harness::service::Service;
use crate::harness::tab::{Tab, Window};
use crate::harness::{eventually, run};
use crate::pages::{WORDS, account};
use crate::server::{Place, Server, TOKEN};

/// A server over what is shipped, and somebody who may decide.
struct Watch {
    place: Place,
    server: Server,
}

impl Watch {
    fn over(place: Place) -> Watch {
        account(&place, "operator");
        let server = place.serve();
        Watch { place, server }
    }

    fn receiver(&self) -> String {
        format!("http://{}/events/alerts", self.server.address)
    }

    /// The operator is asked, sees these texts on the page, writes into these fields, and agrees.
    fn is_agreed(&self, shows: &[&str], writes: &[(&str, &str)]) {
        let mut tab = Tab::new(Window::Desk);
        tab.log_in(&self.server.address, "operator", WORDS);
        tab.until_text("Waiting for you");
        tab.press_until("A.card");
        tab.press("Enter");
        for text in shows {
            tab.until_text(text);
        }
        for (field, text) in writes {
            tab.press_until(&format!("TEXTAREA#{field}"));
            tab.types(text);
        }
        tab.press_until("BUTTON.yes");
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
    let watch = Watch::over(Place::shipped());
    let monitoring = Monitoring::start(&Watched {
        port: service.port,
        alert: "ProcessDown",
        when: "up == 0",
        labels: &[("service", service.dir.to_str().unwrap()), ("health", &service.health_url())],
        receiver: &watch.receiver(),
        token: TOKEN,
    });
    let former = service.pid();
    service.dies();

    let run = watch.place.run_that("waiting")["run"].as_str().unwrap().to_owned();
    assert_eq!(service.health(), None, "nothing happens unasked");
    let question = format!("Start {} again? The supervisor says: down", service.dir.display());
    watch.is_agreed(&[&question, "sv -w 20 restart"], &[("reason-approve", "the log says out of memory")]);
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

#[test]
fn a_certificate_that_expires_soon_is_renewed() {
    let place = Place::shipped();
    let authority = Authority::new(place.runbook.scratch.join("authority"), "Test");
    let nginx = Nginx::start("shop.test", |bundle| authority.issue("shop.test", 3, bundle));
    let playbook = std::fs::read_to_string(place.books.join("certificate-expires.yaml")).unwrap();
    let here = [
        ("/etc/runbook/authority/root.crt", &authority.trust),
        ("/etc/runbook/authority", &authority.dir),
        ("/etc/nginx/nginx.conf", &nginx.conf),
        ("/etc/nginx", &nginx.prefix),
    ];
    let playbook = here.iter().fold(playbook, |text, (there, here)| text.replace(there, here.to_str().unwrap()));
    place.write("certificate-expires.yaml", &playbook);
    let watch = Watch::over(place);
    let looks = nginx.looks_until();
    let former = looks().expect("a certificate");
    let exporter = Exporter::start(move || looks().map(|until| format!("certificate_expires {until}\n")).unwrap_or_default());
    let connect = format!("127.0.0.1:{}", nginx.port);
    let monitoring = Monitoring::start(&Watched {
        port: exporter.port,
        alert: "CertificateExpires",
        when: "certificate_expires - time() < 14 * 86400",
        labels: &[("domain", "shop.test"), ("connect", &connect), ("bundle", nginx.bundle.to_str().unwrap())],
        receiver: &watch.receiver(),
        token: TOKEN,
    });

    let run = watch.place.run_that("waiting")["run"].as_str().unwrap().to_owned();
    let before = nginx.served_fingerprint();
    watch.is_agreed(
        &["Renew the certificate of shop.test? It is good until", "openssl req -new"],
        &[("reason-approve", "nobody has pinned it")],
    );
    let ended: Value = watch.place.run_that("ended");
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    assert_ne!(nginx.served_fingerprint(), before);
    assert!(nginx.looks_until()().is_some_and(|until| until > former + 80 * 86_400));

    watch.is_over();
    watch.is_reported(
        &run,
        &["CertificateExpires", "nobody has pinned it", "Issue a certificate", "certificate-expires for shop.test succeeded"],
    );
    drop(monitoring);
    drop(exporter);
    watch.server.stopped();
}

/// A small file system of its own, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(place: PathBuf) -> Mounted {
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "runbook-test"]).arg(&place));
        Mounted(place)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The folder around it is removed next: what is in here must be out of the way by then.
        let gone = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(std::thread::panicking() || gone.is_ok_and(|gone| gone.success()), "{} stays mounted", self.0.display());
    }
}

#[test]
fn a_full_file_system_gets_room() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: only root can mount a file system");
        return;
    }
    let watch = Watch::over(Place::shipped());
    let (spool, archive) = (watch.place.runbook.scratch.folder("spool"), watch.place.runbook.scratch.folder("archive"));
    let mounted = Mounted::new(spool.clone());
    // What cannot be compressed away, and what can.
    std::fs::write(spool.join("queue"), vec![7; 2 << 20]).unwrap();
    let of = spool.clone();
    let exporter = Exporter::start(move || {
        let told = run(Command::new("df").args(["-P", "-k"]).arg(&of));
        let fields: Vec<f64> = told.lines().nth(1).unwrap_or_default().split(' ').filter_map(|field| field.parse().ok()).collect();
        format!("file_system_used {}\n", fields[1] / fields[0])
    });
    let monitoring = Monitoring::start(&Watched {
        port: exporter.port,
        alert: "FileSystemFull",
        when: "file_system_used > 0.9",
        labels: &[("directory", spool.to_str().unwrap()), ("archive", archive.to_str().unwrap())],
        receiver: &watch.receiver(),
        token: TOKEN,
    });
    // Whoever writes here writes until nothing goes in any more.
    let mut log = std::fs::File::create(spool.join("app.log")).unwrap();
    while log.write_all(&[b'x'; 64 << 10]).is_ok() {}
    drop(log);

    let run = watch.place.run_that("waiting")["run"].as_str().unwrap().to_owned();
    assert!(std::fs::write(spool.join("more"), [7; 128 << 10]).is_err(), "it is full");
    watch.is_agreed(&["app.log", "Which may go?"], &[("f-value.files", "[\"app.log\"]"), ("reason-approve", "it is an old log")]);
    let ended: Value = watch.place.run_that("ended");
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    assert!(!spool.join("app.log").exists() && spool.join("queue").exists());
    assert!(archive.join(&run).join("0.gz").exists());
    std::fs::write(spool.join("more"), [7; 128 << 10]).unwrap();

    watch.is_over();
    let told = format!("file-system-full for {} succeeded", spool.display());
    watch.is_reported(&run, &["FileSystemFull", "it is an old log", "Compress app.log", &told]);
    drop(monitoring);
    drop(exporter);
    watch.server.stopped();
    drop(mounted);
}

#[test]
fn a_replica_that_was_paused_catches_up() {
    let primary = Postgres::start();
    let replica = primary.replica();
    let watch = Watch::over(Place::shipped().env("PGPASSWORD", PASSWORD));
    let (looks, port) = (replica.looks_behind(), replica.port.to_string());
    let exporter = Exporter::start(move || looks().map(|kib| format!("replica_behind_kib {kib}\n")).unwrap_or_default());
    let monitoring = Monitoring::start(&Watched {
        port: exporter.port,
        alert: "ReplicaLag",
        when: "replica_behind_kib > 16384",
        labels: &[("host", "127.0.0.1"), ("port", &port)],
        receiver: &watch.receiver(),
        token: TOKEN,
    });
    replica.sql("postgres", "select pg_wal_replay_pause()");
    primary.sql("postgres", "create table parcel as select n, repeat(md5(n::text), 8) as label from generate_series(1, 100000) n");

    let run = watch.place.run_that("waiting")["run"].as_str().unwrap().to_owned();
    assert_eq!(replica.sql("postgres", "select to_regclass('parcel') is null, pg_is_wal_replay_paused()"), "t|t");
    let question = format!("Let 127.0.0.1:{port} replay again?");
    watch.is_agreed(&[&question, "pg_wal_replay_resume"], &[("reason-approve", "the backup is done")]);
    let ended: Value = watch.place.run_that("ended");
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    assert_eq!(replica.sql("postgres", "select count(*) from parcel"), "100000");

    watch.is_over();
    let told = format!("replica-lag for 127.0.0.1:{port} succeeded");
    watch.is_reported(&run, &["ReplicaLag", "the backup is done", "Let it replay", &told]);
    drop(monitoring);
    drop(exporter);
    watch.server.stopped();
}
