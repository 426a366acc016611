//! Who reaches the server at all: what other machines reach takes TLS or a proxy, and a credential.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::harness::authority::Authority;
use crate::harness::eventually;
use crate::server::{Place, alerts, playbook};

const QUICK: &str = "[{id: write, run: 'echo done >> fixed.txt', effect: change}]";

fn place() -> Place {
    let place = Place::with(&playbook("1.0.0", "", QUICK));
    let workspace = std::fs::read_to_string(place.books.join("workspace.yaml")).unwrap();
    place.write("workspace.yaml", &format!("{workspace}access: [{{role: admin, to: [you]}}]\n"));
    place
}

fn token(place: &Place) -> String {
    place.runbook.run(["token", "create", "--for", "you"]).assert(0).stdout.trim().to_owned()
}

/// An answer over TLS from a server that `trust` leads to, and the certificate that it showed.
fn ask_tls(address: &str, trust: &std::path::Path, request: &str) -> std::io::Result<(String, Vec<u8>)> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trust).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
    write!(stream, "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    let shown = stream.conn.peer_certificates().unwrap()[0].to_vec();
    Ok((String::from_utf8_lossy(&text).into_owned(), shown))
}

#[test]
fn what_others_could_reach_takes_tls_or_a_proxy_and_a_token() {
    let place = place();
    let authority = Authority::new(place.books.join("authority"), "doors");
    let bundle = place.books.join("bundle.pem");
    authority.issue("localhost", 30, &bundle);
    let key = authority.dir.join("site/key.pem");
    let files = format!("--tls-certificate {} --tls-key {}", bundle.display(), key.display());
    for (words, why) in [
        ("--listen 0.0.0.0:0".to_owned(), "what they send could be read on the way\nnext: give --tls-certificate"),
        (format!("--listen 0.0.0.0:0 {files}"), "nobody has a token or an account yet"),
        ("--listen [::]:0 --proxy 192.0.2.1".to_owned(), "nobody has a token or an account yet"),
        (format!("--tls-certificate {} --tls-key {}", key.display(), key.display()), "it holds no certificate"),
        ("--tls-certificate /nowhere.crt --tls-key /nowhere.key".to_owned(), "/nowhere.crt"),
    ] {
        let words = format!("serve {words}");
        let ran = place.runbook.run(words.split(' ')).assert(2);
        assert!(ran.stderr.contains(why), "{words}: {}", ran.stderr);
    }
    // One that has expired is none.
    place.runbook.run(["token", "create", "--for", "you", "--expires", "1s"]).assert(0);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let words = format!("serve --listen 0.0.0.0:0 {files}");
    assert!(place.runbook.run(words.split(' ')).assert(2).stderr.contains("nobody has a token or an account yet"));
}

#[test]
fn over_tls_nothing_is_answered_in_the_clear_and_a_renewed_certificate_is_used() {
    let place = place();
    let authority = Authority::new(place.books.join("authority"), "doors");
    let (used, used_key, other) = (place.books.join("used.crt"), place.books.join("used.key"), place.books.join("other.pem"));
    authority.issue("localhost", 30, &used);
    std::fs::copy(&used, &used_key).unwrap();
    let (certificate, key) = (used.to_string_lossy().into_owned(), used_key.to_string_lossy().into_owned());
    let server = place.start(&["serve", "--listen", "127.0.0.1:0", "--tls-certificate", &certificate, "--tls-key", &key]);
    let ask = || ask_tls(&server.address, &authority.trust, "GET /health");
    let (text, first) = ask().unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.contains(r#""ready":true"#), "{text}");
    let clear = crate::server::ask(&server.address, "GET", "/health", &[], "");
    assert!(clear.is_err(), "in the clear: {}", clear.unwrap().text);
    // A key that is not that of the certificate leaves the good one where it is.
    authority.issue("localhost", 60, &other);
    std::fs::copy(&other, &used_key).unwrap();
    eventually("the trouble is told", || ask().unwrap().0.contains(r#""topic":"certificate""#).then_some(()));
    assert_eq!(ask().unwrap().1, first);
    std::fs::copy(&other, &used).unwrap();
    eventually("the new certificate", || (ask().unwrap().1 != first).then_some(()));
    assert!(!ask().unwrap().0.contains("certificate"));
    server.stopped();
}

#[test]
fn behind_a_proxy_nobody_is_at_home_and_the_log_has_who_it_says() {
    let place = place();
    let token = token(&place);
    let server = place.start(&["serve", "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1"]);
    let credential = format!("Bearer {token}");
    let ask = |path: &str, headers: &[(&str, &str)]| server.ask("GET", path, headers, "");
    assert_eq!(ask("/metrics", &[]).status, 401);
    assert_eq!(ask("/metrics", &[("Authorization", &credential)]).status, 200);
    assert_eq!(ask("/health", &[]).body, json!({"live": true, "ready": true}));
    assert_eq!(ask("/api/v1/runs", &[("X-Forwarded-For", "192.0.2.66, 192.0.2.7")]).status, 401);
    // Senders of events show what their source asks for, as ever.
    let body = alerts("firing", &["db1"]);
    assert_eq!(server.ask("POST", "/events/alerts", &[], &body).status, 401);
    assert_eq!(crate::server::post_alerts(&server.address, &body).unwrap().status, 202);
    let audit = ask("/api/v1/audit", &[("Authorization", &credential)]).body;
    let from: Vec<&Value> = audit["items"].as_array().unwrap().iter().map(|entry| &entry["from"]).collect();
    assert!(from.contains(&&json!("192.0.2.7")) && from.contains(&&json!("127.0.0.1")), "{audit}");
    place.run_that("ended");
    server.stopped();
}
