//! People who log in at a provider of OpenID Connect: the real half of ours against npm's `oauth2-mock-server`, which `tests/setup.sh`
//! installs into `target/provider`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::tab::{Tab, Window};
use crate::harness::{eventually, find_program, repository, run as harness_run};
use crate::server::{Answer, Place, Server, ask, playbook};

struct Provider {
    child: Child,
    said: BufReader<ChildStdout>,
    /// `http://localhost:…`.
    issuer: String,
}

impl Provider {
    fn start() -> Provider {
        let folder = repository().join("target/provider");
        let module = folder.join("node_modules/oauth2-mock-server/dist/index.mjs");
        if !module.exists() {
            let words = ["install", "--no-audit", "--no-fund", "--silent", "oauth2-mock-server@8.2.3", "--prefix"];
            harness_run(Command::new(find_program("npm")).args(words).arg(&folder));
        }
        let script = repository().join("tests/harness/provider.mjs");
        let mut command = Command::new(find_program("node"));
        let mut child = command.arg(script).arg(module).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut issuer = String::new();
        said.read_line(&mut issuer).unwrap();
        Provider { child, said, issuer: issuer.trim().to_owned() }
    }

    /// From now on it says this of whoever logs in.
    fn says(&mut self, what: &Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
        let mut done = String::new();
        self.said.read_line(&mut done).unwrap();
        assert_eq!(done, "ok\n");
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn place(provider: &Provider, claim: &str) -> Place {
    let place = Place::with(&playbook("1.0.0", "", "[{run: 'true', effect: read}]")).env("LOGIN_SECRET", "a-secret-of-ours");
    let user = harness_run(Command::new("id").arg("-un"));
    place.write(
        "workspace.yaml",
        &format!(
            "apiVersion: runbook/v1\nkind: Workspace\nname: served\npeople: {{anna: {{oidc: anna@example.org}}, bob: {{oidc: b-17}}, you: {{users: [{}]}}}}\nescalations: {{e: {{steps: [{{to: [you], after: 10m}}]}}}}\nsources: {{alerts: {{type: alertmanager, bearer: secrets.token, secrets: {{token: {{env: ALERTS_TOKEN}}}}}}}}\naccess: [{{role: admin, to: [anna, bob]}}]\noidc: {{issuer: '{}', client: runbook, secret: secrets.login, claim: {claim}, secrets: {{login: {{env: LOGIN_SECRET}}}}}}\n",
            user.trim(),
            provider.issuer
        ),
    );
    place
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer
        .raw_head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// What a browser has that was sent to the provider and came back: its cookie, and the address that it comes back with.
fn sent_there(server: &Server) -> (String, String) {
    let begun = server.ask("GET", "/api/v1/session/oidc", &[], "");
    assert_eq!(begun.status, 303, "{}", begun.text);
    let set = header(&begun, "set-cookie").unwrap();
    assert!(set.starts_with("runbook-login=rbl_") && set.contains("; Max-Age=600; HttpOnly; SameSite=Lax"), "{set}");
    let there = header(&begun, "location").unwrap();
    for part in ["response_type=code", "client_id=runbook", "code_challenge_method=S256", "&nonce=", "&state=", "scope=openid"] {
        assert!(there.contains(part), "{part}: {there}");
    }
    let (address, path) = there.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let back = ask(address, "GET", &format!("/{path}"), &[], "").unwrap();
    let back = header(&back, "location").unwrap().to_owned();
    let cookie = set.split(';').next().unwrap().to_owned();
    let back = back.strip_prefix(&format!("http://{}", server.address)).unwrap().to_owned();
    assert!(back.starts_with("/api/v1/session/oidc/back?"), "{back}");
    (cookie, back)
}

fn come_back(server: &Server, (cookie, back): &(String, String)) -> Answer {
    server.ask("GET", back, &[("Cookie", cookie)], "")
}

#[test]
fn whoever_logs_in_elsewhere_has_a_session_of_their_own() {
    let mut provider = Provider::start();
    let place = place(&provider, "sub");
    let server = place.serve();
    provider.says(&json!({"claims": {"sub": "b-17"}}));
    let browser = sent_there(&server);
    let answer = come_back(&server, &browser);
    assert_eq!((answer.status, answer.body["person"].as_str()), (200, Some("bob")), "{}", answer.text);
    let set = answer.raw_head.lines().find(|line| line.contains("runbook=rbs_")).unwrap();
    assert!(set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{set}");
    let cookie = set.split(": ").nth(1).unwrap().split(';').next().unwrap();
    let (csrf, origin) = (answer.body["csrf_token"].as_str().unwrap(), format!("http://{}", server.address));
    let start =
        |headers: &[(&str, &str)]| server.ask("POST", "/api/v1/runs", headers, r#"{"procedure": "fix", "inputs": {"host": "h"}}"#);
    assert_eq!(start(&[("Cookie", cookie)]).status, 403);
    assert_eq!(start(&[("Cookie", cookie), ("X-CSRF-Token", csrf), ("Origin", &origin)]).status, 201);
    // The code counts once, and the log-in is over.
    assert_eq!(come_back(&server, &browser).status, 401);
    // A key that came since is asked for.
    provider.says(&json!({"claims": {"sub": "b-17"}, "rotate": true}));
    for _ in 0..2 {
        assert_eq!(come_back(&server, &sent_there(&server)).status, 200);
    }
    place.runbook.run(["session", "revoke", "--for", "bob"]).assert(0).says("3 sessions have ended");
    assert_eq!(server.ask("GET", "/api/v1/session", &[("Cookie", cookie)], "").status, 401);
    place.runbook.run(["audit"]).assert(0).says(" as b-17").says("session_begin");
    let log = server.stopped();
    assert!(!log.contains("a-secret-of-ours"), "{log}");
}

#[test]
fn what_the_provider_says_is_believed_only_where_all_of_it_is_right() {
    let mut provider = Provider::start();
    let place = place(&provider, "sub");
    let server = place.serve();
    let bob = |more: Value| {
        let mut claims = json!({"sub": "b-17"});
        more.as_object().unwrap().iter().for_each(|(name, value)| claims[name] = value.clone());
        json!({ "claims": claims })
    };
    for (says, why) in [
        (bob(json!({"sub": "nobody"})), "nobody of the workspace has `oidc: nobody`"),
        (bob(json!({"nonce": "another"})), "nonce"),
        (bob(json!({"aud": "another"})), "audience"),
        (bob(json!({"aud": ["runbook", "another"]})), "audience"),
        (bob(json!({"iss": "http://localhost:1"})), "issuer"),
        (bob(json!({"exp": 1_700_000_000})), "expired"),
        (json!({"claims": {"sub": "b-17"}, "token": "flip"}), "ignature"),
        (json!({"claims": {"sub": "b-17"}, "token": "none"}), "ignature"),
        (json!({"claims": {"sub": "b-17"}, "token": "hmac"}), "ignature"),
        (json!({"claims": {"sub": "b-17"}, "token": "lost"}), "there is no ID token"),
    ] {
        provider.says(&says);
        let answer = come_back(&server, &sent_there(&server));
        assert_eq!((answer.status, answer.body["kind"].as_str()), (401, Some("wrong_credential")), "{says}: {}", answer.text);
        assert!(answer.text.contains(why), "{says}: {}", answer.text);
        assert!(!answer.raw_head.contains("rbs_"), "{}", answer.raw_head);
    }
    provider.says(&bob(json!({})));
    let (mine, other) = (sent_there(&server), sent_there(&server));
    for (cookie, back, why) in [
        ("", &mine.1, "no cookie"),
        (&*other.0, &mine.1, "the cookie of another log-in: somebody gave them this address"),
        (&*mine.0, &mine.1.replace("state=", "state=0"), "another state"),
        (&*mine.0, &mine.1.replace("code=", "code=0"), "another code"),
        (&*mine.0, &format!("{}&error=access_denied", mine.1), "the provider says no"),
    ] {
        let answer = come_back(&server, &(cookie.to_owned(), back.clone()));
        assert_eq!(answer.status, 401, "{why}: {}", answer.text);
    }
    // Where nobody has a token, what lets somebody in is the workspace.
    let open = place.start(&["serve", "--listen", "0.0.0.0:0", "--proxy", "127.0.0.1"]);
    assert!(open.address.starts_with("0.0.0.0:"), "it does not listen: {}", open.ended().1);
    assert_eq!(open.ask("GET", "/health", &[], "").status, 200);
    open.stopped();
    assert_eq!(come_back(&server, &mine).status, 200, "and then as it is meant");
    assert_eq!(come_back(&server, &(mine.0, "/api/v1/session/oidc/back".to_owned())).status, 401);
    for (method, path) in [("POST", "/api/v1/session/oidc"), ("HEAD", "/api/v1/session/oidc")] {
        assert_eq!(server.ask(method, path, &[], "").status, 405, "{method}");
    }
    drop(provider);
    let gone = come_back(&server, &other);
    assert_eq!((gone.status, gone.body["kind"].as_str()), (503, Some("provider")), "{}", gone.text);
    server.stopped();
}

#[test]
fn an_address_counts_once_the_provider_has_verified_it() {
    let mut provider = Provider::start();
    let place = place(&provider, "email");
    let server = place.serve();
    for (claims, status) in [
        (json!({"email": "Anna@Example.org", "email_verified": true}), 200),
        (json!({"email": "anna@example.org", "email_verified": false}), 401),
        (json!({"email": "anna@example.org"}), 401),
        (json!({"email": "anna@example.org.evil", "email_verified": true}), 401),
        (json!({"sub": "anna@example.org", "email_verified": true}), 401),
    ] {
        provider.says(&json!({ "claims": claims }));
        let answer = come_back(&server, &sent_there(&server));
        assert_eq!(answer.status, status, "{claims}: {}", answer.text);
    }
    // Without a provider there is nothing at its address.
    let workspace = std::fs::read_to_string(place.books.join("workspace.yaml")).unwrap();
    let rest: Vec<&str> = workspace.lines().filter(|line| !line.starts_with("oidc:")).collect();
    place.write("workspace.yaml", &rest.join("\n"));
    eventually("the changed workspace", || (server.ask("GET", "/api/v1/session/oidc", &[], "").status == 404).then_some(()));
    server.stopped();
}

#[test]
fn a_browser_that_logs_in_elsewhere_comes_back_to_the_page_that_it_wanted() {
    let mut provider = Provider::start();
    let place = place(&provider, "sub");
    let server = place.serve();
    provider.says(&json!({"claims": {"sub": "b-17"}}));
    let mut tab = Tab::new(Window::Telephone);
    tab.without_scripts();
    tab.go(&format!("http://{}/runs?phase=ended", server.address));
    tab.until_text("Log in at your provider");
    tab.tap("a.button.yes");
    tab.until("the list", "location.search === '?phase=ended' && document.querySelector('.person')?.textContent === 'bob'");
    assert_eq!(tab.troubles(), Vec::<String>::new());
    // Whom the provider does not let in, or the workspace does not know, is told so where they can try again.
    provider.says(&json!({"claims": {"sub": "<b>nobody"}}));
    let mut tab = Tab::new(Window::Telephone);
    tab.go(&format!("http://{}/login?to=/runs", server.address));
    tab.tap("a.button.yes");
    tab.until_text("nobody of the workspace has");
    assert!(tab.text().contains("<b>nobody") && tab.text().contains("Log in at your provider"));
    server.stopped();
}
