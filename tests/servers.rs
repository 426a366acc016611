//! The harness itself: every server comes up, answers, and is gone afterwards.

mod harness;

use std::net::TcpStream;

use harness::authority::Authority;
use harness::nginx::Nginx;
use harness::postgres::Postgres;
use harness::service::Service;
use harness::{Scratch, eventually};

fn gone(port: u16) {
    eventually("the end of a server", || TcpStream::connect(("127.0.0.1", port)).is_err().then_some(()));
}

#[test]
fn postgres_lives_as_long_as_its_value() {
    let postgres = Postgres::start();
    assert_eq!(postgres.sql("postgres", "select 6 * 7"), "42");
    let port = postgres.port;
    drop(postgres);
    gone(port);
}

#[test]
fn nginx_serves_what_the_authority_issued() {
    let scratch = Scratch::new();
    let authority = Authority::new(scratch.join("authority"), "Test");
    let nginx = Nginx::start("shop.test", |bundle| authority.issue("shop.test", 5, bundle));
    assert!(nginx.served_fingerprint().starts_with("sha256 Fingerprint="), "{}", nginx.log());
    let port = nginx.port;
    drop(nginx);
    gone(port);
}

#[test]
fn the_supervisor_keeps_the_service_up() {
    let service = Service::start();
    // The service may answer before the supervisor has written down that it runs.
    eventually("its process id", || Some(service.pid()).filter(|pid| !pid.is_empty()));
    let port = service.port;
    drop(service);
    gone(port);
}
