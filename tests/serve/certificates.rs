//! People who come with a certificate: whose it is, for how long, and through what.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::harness::authority::Authority;
use crate::harness::{eventually, run as harness_run};
use crate::server::{Place, Server, playbook};

const ASK: &str = "[{id: go, approve: {question: 'Mend it?', from: [anna], within: 1h}}]";

const PEOPLE: &str = "people:
  anna: {certificates: ['mail:anna@example.org', 'sha256:DIGEST']}
  bob: {certificates: ['uri:spiffe://example.org/bob', 'dns:bob.example.org']}
  you: {users: [USER]}
access: [{role: viewer, to: [anna, bob]}, {role: approver, to: [anna]}, {role: operator, to: [bob]}]
";

struct Scene {
    place: Place,
    /// Of the server, which people trust.
    site: Authority,
    /// Of people.
    people: Authority,
}

type Shown = Option<(PathBuf, PathBuf)>;

impl Scene {
    fn new() -> Scene {
        let place = Place::with(
            &playbook("1.0.0", "", ASK)
                .replace("inputs: {host: {type: string}}\n", "")
                .replace("inputs: {host: event.data.labels.host}, ", ""),
        );
        let site = Authority::new(place.books.join("site"), "site");
        let people = Authority::new(place.books.join("people"), "people");
        site.issue("localhost", 30, &place.books.join("server.pem"));
        let scene = Scene { place, site, people };
        scene.workspace(PEOPLE, &"0".repeat(64));
        scene
    }

    fn workspace(&self, people: &str, digest: &str) {
        let user = harness_run(std::process::Command::new("id").arg("-un"));
        let people = people.replace("DIGEST", digest).replace("USER", user.trim());
        self.place.write(
            "workspace.yaml",
            &format!("apiVersion: runbook/v1\nkind: Workspace\nname: served\nescalations: {{e: {{steps: [{{to: [you], after: 10m}}]}}}}\nsources: {{alerts: {{type: alertmanager, bearer: secrets.token, secrets: {{token: {{env: ALERTS_TOKEN}}}}}}}}\n{people}"),
        );
    }

    fn serve(&self, listen: &str, more: &[&str]) -> Server {
        let file = |name: &str| self.place.books.join(name).to_string_lossy().into_owned();
        let (bundle, authorities) = (file("server.pem"), self.people.trust.to_string_lossy().into_owned());
        let words = ["serve", "--listen", listen, "--tls-certificate", &bundle, "--tls-key", &bundle, "--client-ca", &authorities];
        let server = self.place.start(&[&words[..], more].concat());
        assert!(!server.address.is_empty(), "it does not listen: {}", server.ended().1);
        server
    }

    fn connect(&self, server: &Server, shown: &Shown) -> Connection {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.site.trust).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
            }
        };
        let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let port = server.address.rsplit(':').next().unwrap();
        Connection(StreamOwned::new(connection, TcpStream::connect(format!("127.0.0.1:{port}")).unwrap()))
    }

    #[track_caller]
    fn ask(&self, server: &Server, shown: &Shown, request: &str, headers: &str, body: &Value) -> (u16, Value) {
        self.connect(server, shown).ask(request, headers, body).expect("an answer")
    }
}

struct Connection(StreamOwned<ClientConnection, TcpStream>);

impl Connection {
    /// `None` where the server breaks off.
    fn ask(&mut self, request: &str, headers: &str, body: &Value) -> Option<(u16, Value)> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        self.0.write_all(format!("{head}{body}").as_bytes()).ok()?;
        let (mut text, mut byte) = (Vec::new(), [0]);
        while !text.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte).ok()?;
            text.push(byte[0]);
        }
        let head = String::from_utf8(text).unwrap().to_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}

fn digest_of(certificate: &Path) -> String {
    let words = ["x509", "-noout", "-fingerprint", "-sha256", "-in"];
    let said = harness_run(std::process::Command::new("openssl").args(words).arg(certificate));
    said.trim().rsplit('=').next().unwrap().to_owned()
}

const DAY: u32 = 24 * 3600;

#[test]
fn a_certificate_is_its_persons_and_nobody_elses() {
    let scene = Scene::new();
    let person = |name: &str, names: &str| Some(scene.people.person(name, names, DAY));
    let anna = person("anna", "email:anna@EXAMPLE.org");
    let bob = person("service", "URI:spiffe://example.org/bob,email:unknown@example.org");
    let by_digest = person("key", "DNS:laptop.example.org");
    scene.workspace(PEOPLE, &digest_of(&by_digest.as_ref().unwrap().0));
    let strangers = Authority::new(scene.place.books.join("strangers"), "strangers");
    // An address that others reach: what lets somebody in is the workspace.
    let server = scene.serve("0.0.0.0:0", &[]);
    for (shown, whose, why) in [
        (anna.clone(), Some("anna"), "her mail"),
        (bob.clone(), Some("bob"), "his name as a service"),
        (person("dns", "DNS:bob.example.org"), Some("bob"), "his machine"),
        (by_digest, Some("anna"), "that very one"),
        (person("both", "email:anna@example.org,DNS:bob.example.org"), None, "two people's"),
        (person("bob", "email:bob@example.org"), None, "a common name, and a mail that is nobody's"),
        (person("case", "email:Anna@example.org"), None, "another name before the @"),
        (person("wild", "DNS:*.example.org"), None, "a pattern of names"),
        (None, None, "nothing"),
    ] {
        let (status, told) = scene.ask(&server, &shown, "GET /api/v1/session", "", &Value::Null);
        assert_eq!((status, told["person"].as_str()), (if whose.is_some() { 200 } else { 401 }, whose), "{why}: {told}");
        let kind = if shown.is_some() { "wrong_credential" } else { "no_credential" };
        assert!(whose.is_some() || told["kind"] == kind, "{why}: {told}");
    }
    let foreign = Some(strangers.person("anna", "email:anna@example.org", DAY));
    assert!(
        scene.connect(&server, &foreign).ask("GET /api/v1/session", "", &Value::Null).is_none(),
        "an authority that nobody named"
    );

    // Roles as ever, and the record says how it was.
    let (status, told) = scene.ask(&server, &anna, "POST /api/v1/runs", "", &json!({"procedure": "fix"}));
    assert_eq!((status, told["kind"].as_str()), (403, Some("not_allowed")), "{told}");
    for (headers, expect) in [
        ("Origin: https://evil.example\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-origin\r\nOrigin: https://localhost\r\n", 201),
    ] {
        let (status, told) = scene.ask(&server, &bob, "POST /api/v1/runs", headers, &json!({"procedure": "fix"}));
        assert_eq!(status, expect, "{headers} {told}");
    }
    let run = scene.place.run_that("waiting")["run"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/runs/{run}/decisions/d1");
    let (_, request) = scene.ask(&server, &anna, &format!("GET {path}"), "", &Value::Null);
    let vote = json!({"choice": "approve", "digest": request["request"]["digest"], "reason": "yes"});
    let (status, told) = scene.ask(&server, &anna, &format!("POST {path}"), "", &vote);
    assert_eq!(status, 200, "{told}");
    scene.place.run_that("ended");
    scene.place.runbook.run(["show", &run]).assert(0).says("anna (by certificate ");
    scene.place.runbook.run(["verify", &run]).assert(0);
    scene.place.runbook.run(["audit"]).assert(0).says("bob (by certificate ");

    // A token goes before it.
    let token = scene.place.runbook.run(["token", "create", "--for", "bob"]).assert(0).stdout.trim().to_owned();
    let (_, told) = scene.ask(&server, &anna, "GET /api/v1/session", &format!("Authorization: Bearer {token}\r\n"), &Value::Null);
    assert_eq!((told["person"].as_str(), &told["certificate"]), (Some("bob"), &Value::Null), "{told}");
    let (status, _) = scene.ask(&server, &anna, "GET /api/v1/session", "Authorization: Bearer no\r\n", &Value::Null);
    assert_eq!(status, 401, "what is shown and wrong is not made good by a certificate");
    server.stopped();
}

#[test]
fn it_ends_with_its_time_and_with_the_workspace_also_where_a_connection_stays() {
    let scene = Scene::new();
    let server = scene.serve("127.0.0.1:0", &[]);
    let anna = Some(scene.people.person("anna", "email:anna@example.org", 6));
    let mut stays = scene.connect(&server, &anna);
    let mut ask = |headers: &str| stays.ask("GET /api/v1/session", headers, &Value::Null).expect("the connection stays");
    assert_eq!(ask("").0, 200);
    let expired = eventually("its time is over", || Some(ask("")).filter(|(status, _)| *status == 401));
    assert_eq!(expired.1["kind"], "expired", "{}", expired.1);
    eventually("no connection", || {
        scene.connect(&server, &anna).ask("GET /api/v1/session", "", &Value::Null).is_none().then_some(())
    });
    let bob = Some(scene.people.person("bob", "DNS:bob.example.org", DAY));
    let mut stays = scene.connect(&server, &bob);
    let mut ask = || stays.ask("GET /api/v1/session", "", &Value::Null).expect("the connection stays");
    assert_eq!(ask().0, 200);
    scene.workspace(
        &PEOPLE.replace("'uri:spiffe://example.org/bob', 'dns:bob.example.org'", "'dns:new.example.org'"),
        &"0".repeat(64),
    );
    let refused = eventually("the changed workspace", || Some(ask()).filter(|(status, _)| *status == 401));
    assert_eq!(refused.1["kind"], "wrong_credential", "{}", refused.1);
    server.stopped();
}

#[test]
fn over_a_proxy_nobody_comes_with_one() {
    let scene = Scene::new();
    let anna = Some(scene.people.person("anna", "email:anna@example.org", DAY));
    let server = scene.serve("127.0.0.1:0", &[]);
    for (headers, status) in [("", 200), ("X-Forwarded-For: 192.0.2.7\r\n", 401), ("Forwarded: for=192.0.2.7\r\n", 401)] {
        assert_eq!(scene.ask(&server, &anna, "GET /api/v1/session", headers, &Value::Null).0, status, "{headers}");
    }
    server.stopped();
    let server = scene.serve("127.0.0.1:0", &["--proxy", "127.0.0.1"]);
    for headers in ["", "X-Forwarded-For: 192.0.2.7\r\n", "X-Client-Cert: anna\r\n"] {
        assert_eq!(scene.ask(&server, &anna, "GET /api/v1/session", headers, &Value::Null).0, 401, "{headers}");
    }
    server.stopped();
    for (file, why) in
        [(scene.place.books.join("workspace.yaml"), "it holds no certificate"), ("/nowhere.pem".into(), "/nowhere.pem")]
    {
        let bundle = scene.place.books.join("server.pem");
        let (bundle, file) = (bundle.to_string_lossy(), file.to_string_lossy());
        let words = ["serve", "--listen", "127.0.0.1:0", "--tls-certificate", &bundle, "--tls-key", &bundle, "--client-ca", &file];
        scene.place.runbook.run(words).assert(2).says(why);
    }
}
