//! People who log in: with which password, for how long, from which pages, and what the audit log has of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Scene, decision_path};
use crate::harness::eventually;
use crate::server::{Answer, Place, Server};

const WORDS: &str = "four words of yours";

fn account(place: &Place, person: &str) {
    place.runbook.run_with(["account", "add", person], &format!("{WORDS}\n")).assert(0);
}

fn log_in(server: &Server, person: &str, password: &str, headers: &[(&str, &str)]) -> Answer {
    server.ask("POST", "/api/v1/session", headers, &json!({"person": person, "password": password}).to_string())
}

/// A browser with a page of the server, logged in.
struct Browser {
    cookie: String,
    csrf: String,
    origin: String,
    session: String,
}

impl Browser {
    #[track_caller]
    fn of(server: &Server, person: &str) -> Browser {
        let origin = format!("http://{}", server.address);
        let answer = log_in(server, person, WORDS, &[("Origin", &origin), ("Sec-Fetch-Site", "same-origin")]);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let set = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        let (cookie, how) = set.split_once("; ").unwrap();
        assert_eq!(how, "path=/; max-age=43200; httponly; samesite=strict", "{set}");
        assert!(cookie.starts_with("runbook=rbs_"), "{cookie}");
        let text = |key: &str| answer.body[key].as_str().unwrap().to_owned();
        Browser { cookie: cookie.to_owned(), csrf: text("csrf_token"), origin, session: text("session") }
    }

    fn ask(&self, server: &Server, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("Cookie", &*self.cookie), ("X-CSRF-Token", &self.csrf), ("Origin", &self.origin)];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        server.ask(method, &format!("/api/v1{path}"), &headers, &body)
    }

    fn status(&self, server: &Server) -> (u16, String) {
        let answer = self.ask(server, "GET", "/session", &Value::Null);
        (answer.status, answer.body["kind"].as_str().unwrap_or_default().to_owned())
    }
}

fn acts(scene: &Scene) -> Vec<(String, String, Value, Value)> {
    let audit = scene.get("anna", "/audit?limit=1000");
    assert_eq!(audit["broken_at"], Value::Null);
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let entries = audit["items"].as_array().unwrap().iter();
    entries.map(|e| (text(e, "act"), text(e, "result"), e["person"].clone(), e["about"].clone())).collect()
}

#[test]
fn a_session_does_what_its_person_may_and_is_recorded() {
    let scene = Scene::new();
    account(&scene.place, "bob");
    let run = scene.started("db1");
    let bob = Browser::of(&scene.server, "bob");
    let who = bob.ask(&scene.server, "GET", "/session", &Value::Null);
    assert_eq!((who.body["person"].as_str(), who.body["may"].clone()), (Some("bob"), json!(["view", "decide"])), "{}", who.text);
    assert_eq!((&who.body["csrf_token"], &who.body["token"]), (&json!(bob.csrf), &Value::Null));
    let by_token = scene.get("vera", "/session");
    assert_eq!((&by_token["session"], &by_token["csrf_token"]), (&Value::Null, &Value::Null), "{by_token}");
    assert_eq!(scene.ask("vera", "DELETE", "/session", None).status, 409);
    assert_eq!(bob.ask(&scene.server, "POST", "/runs", &json!({"procedure": "fix"})).status, 403, "he may not start");
    let request = scene.request(&run);
    let vote = json!({"choice": "approve", "digest": request["request"]["digest"], "reason": "yes"});
    let answer = bob.ask(&scene.server, "POST", &decision_path(&run, &request), &vote);
    assert_eq!(answer.status, 200, "{}", answer.text);
    eventually("its end", || (scene.get("vera", &format!("/runs/{run}"))["outcome"] == "succeeded").then_some(()));
    let shown = scene.place.list(&format!("show {run} --json"));
    let decided = shown.iter().find(|record| record["kind"] == "decided").unwrap().to_string();
    assert!(decided.contains(&format!(r#""means":{{"session":{{"session":"{}"}}}}"#, bob.session)), "{decided}");
    scene.place.runbook.run(["verify", &run]).assert(0);
    scene.place.runbook.run(["show", &run]).assert(0).says("(by session ");
    scene.place.runbook.run(["audit"]).assert(0).says(&format!("bob (by session {})", bob.session));
    let listed = scene.place.list("session list --json");
    assert_eq!((listed.len(), listed[0]["id"].as_str(), listed[0]["person"].as_str()), (1, Some(&*bob.session), Some("bob")));

    assert_eq!(bob.ask(&scene.server, "DELETE", "/session", &Value::Null).status, 200);
    assert_eq!(bob.status(&scene.server), (401, "revoked".to_owned()));
    let acts = acts(&scene);
    for wanted in [
        ("session_begin", "done", "bob"),
        ("decide", "done", "bob"),
        ("run_start", "not_allowed", "bob"),
        ("session_end", "done", "bob"),
    ] {
        assert!(
            acts.iter().any(|(act, result, who, _)| (&**act, &**result) == (wanted.0, wanted.1) && who == wanted.2),
            "{wanted:?}: {acts:?}"
        );
    }
    let log = scene.server.stopped();
    assert!(!log.contains(WORDS) && !log.contains(&bob.cookie["runbook=".len()..]) && !log.contains(&bob.csrf), "{log}");
}

#[test]
fn each_operation_is_open_to_a_session_as_to_a_token_of_its_person() {
    let scene = Scene::new();
    let run = scene.started("db1");
    let people = ["vera", "olaf", "bob", "anna", "nina"];
    people.iter().for_each(|person| account(&scene.place, person));
    let browsers = people.map(|person| (person, Browser::of(&scene.server, person)));
    let (expired, revoked) = (Browser::of(&scene.server, "anna"), Browser::of(&scene.server, "anna"));
    scene.place.runbook.run(["session", "revoke", &revoked.session]).assert(0);
    let state = rusqlite::Connection::open(scene.place.runbook.state().join("access.db")).unwrap();
    state.execute("UPDATE sessions SET used_ms = used_ms - 3600000 WHERE id = ?1", [&expired.session]).unwrap();
    let mut wrong = browsers[3].1.cookie.clone();
    let last = wrong.pop().unwrap();
    wrong.push(if last == '0' { '1' } else { '0' });
    let decision = decision_path(&run, &scene.request(&run)).rsplit('/').next().unwrap().to_owned();
    let plan = scene.get("vera", &format!("/runs/{run}"))["plan"].as_str().unwrap().to_owned();
    let description = scene.get("vera", "/openapi.json");
    let mut tried = 0;
    for (path, operations) in description["paths"].as_object().unwrap().iter().filter(|(path, _)| *path != "/session") {
        for (method, operation) in operations.as_object().unwrap() {
            let mut address = path.replace("{run}", &run).replace("{procedure}", "fix").replace("{event}", "1");
            address = address.replace("{decision}", &decision).replace("{plan}", &plan);
            match operation["operationId"].as_str() {
                Some("log") => address.push_str("?step=say"),
                Some("matches") => address.push_str("?step=say&text=on"),
                _ => {}
            }
            let (method, body) = (method.to_uppercase(), json!({"nothing": "of the kind"}));
            let is_write = method == "POST";
            for (cookie, kind) in [
                ("runbook=nonsense", "wrong_credential"),
                (&*wrong, "wrong_credential"),
                (&*expired.cookie, "expired"),
                (&*revoked.cookie, "revoked"),
                ("other=x", "no_credential"),
            ] {
                let headers = [("Cookie", cookie), ("X-CSRF-Token", &*expired.csrf), ("Origin", &*expired.origin)];
                let answer = scene.server.ask(&method, &format!("/api/v1{address}"), &headers, &body.to_string());
                assert_eq!((answer.status, answer.body["kind"].as_str()), (401, Some(kind)), "{method} {address}: {}", answer.text);
            }
            for (person, browser) in &browsers {
                tried += 1;
                // One that is open does not end.
                if operation["operationId"] == "stream" && *person != "nina" {
                    continue;
                }
                let by_token = scene.ask(person, &method, &address, is_write.then_some(&body));
                let by_session = browser.ask(&scene.server, &method, &address, if is_write { &body } else { &Value::Null });
                assert_eq!(by_session.status, by_token.status, "{person} {method} {address}: {}", by_session.text);
                for (headers, kind) in [
                    (vec![("Cookie", &*browser.cookie), ("Origin", &browser.origin)], "no_csrf_token"),
                    (
                        vec![("Cookie", &*browser.cookie), ("X-CSRF-Token", &browser.csrf), ("Origin", "http://evil.example")],
                        "other_origin",
                    ),
                ] {
                    let answer = scene.server.ask(&method, &format!("/api/v1{address}"), &headers, &body.to_string());
                    match is_write {
                        true => assert_eq!(
                            (answer.status, answer.body["kind"].as_str()),
                            (403, Some(kind)),
                            "{person} {method} {address}"
                        ),
                        false => assert_eq!(answer.status, by_token.status, "{person} {method} {address}"),
                    }
                }
            }
        }
    }
    assert!(tried >= 35 * people.len(), "only {tried}");
    scene.server.stopped();
}

#[test]
fn a_write_with_a_cookie_comes_from_a_page_of_this_server() {
    let scene = Scene::new();
    account(&scene.place, "anna");
    let anna = Browser::of(&scene.server, "anna");
    let (cookie, csrf, here) = (("Cookie", &*anna.cookie), ("X-CSRF-Token", &*anna.csrf), ("Origin", &*anna.origin));
    let other = Browser::of(&scene.server, "anna");
    let port = scene.server.address.rsplit(':').next().unwrap().to_owned();
    let by_name = format!("http://localhost:{port}");
    for (headers, status, kind) in [
        (vec![cookie], 403, "other_origin"),
        (vec![cookie, here], 403, "no_csrf_token"),
        (vec![cookie, csrf], 403, "other_origin"),
        (vec![cookie, here, ("X-CSRF-Token", &other.csrf)], 403, "no_csrf_token"),
        (vec![cookie, here, ("X-CSRF-Token", "")], 403, "no_csrf_token"),
        (vec![cookie, here, csrf, csrf], 403, "no_csrf_token"),
        (vec![cookie, csrf, ("Origin", "https://evil.example")], 403, "other_origin"),
        (vec![cookie, csrf, ("Origin", "null")], 403, "other_origin"),
        (vec![cookie, csrf, ("Origin", &by_name)], 403, "other_origin"),
        (vec![cookie, csrf, here, ("Origin", "https://evil.example")], 403, "other_origin"),
        (vec![cookie, csrf, here, ("Sec-Fetch-Site", "cross-site")], 403, "other_origin"),
        (vec![cookie, csrf, here, ("Sec-Fetch-Site", "same-site")], 403, "other_origin"),
        (vec![cookie, csrf, ("Sec-Fetch-Site", "none")], 403, "other_origin"),
        (vec![cookie, cookie, csrf, here], 401, "wrong_credential"),
        (vec![csrf, here], 401, "no_credential"),
        // Whatever it is that then comes, it is asked by a page of this server.
        (vec![cookie, csrf, here], 404, "not_found"),
        (vec![cookie, csrf, ("Sec-Fetch-Site", "same-origin")], 404, "not_found"),
        (vec![("Cookie", &format!("a=b; {}; c=d", anna.cookie)), csrf, here], 404, "not_found"),
    ] {
        for (method, path) in [("POST", "/runs"), ("POST", "/procedures/no-such/dry-run"), ("DELETE", "/session")] {
            // Nobody is logged out by what is right.
            if status == 404 && method == "DELETE" {
                continue;
            }
            let answer =
                scene.server.ask(method, &format!("/api/v1{path}"), &headers, &json!({"procedure": "no-such"}).to_string());
            let expect = if path == "/procedures/no-such/dry-run" && status == 404 { 400 } else { status };
            assert!([status, expect].contains(&answer.status), "{method} {path} {headers:?}: {}", answer.text);
            assert!(answer.body["kind"] == kind || answer.status == 400, "{method} {path} {headers:?}: {}", answer.text);
        }
    }
    // To look takes the cookie alone: pages elsewhere cannot read the answer.
    assert_eq!(scene.server.ask("GET", "/api/v1/runs", &[cookie], "").status, 200);
    // A token goes before a cookie, and no page can make a browser send one.
    let elsewhere = [cookie, ("Origin", "https://evil.example")];
    assert_eq!(scene.ask_with("nina", "POST", "/runs", Some(&json!({"procedure": "fix"})), &elsewhere).body["kind"], "not_allowed");
    // Nobody is logged in by a page elsewhere.
    let forced = log_in(&scene.server, "anna", WORDS, &[("Origin", "https://evil.example")]);
    assert_eq!((forced.status, forced.body["kind"].as_str()), (403, Some("other_origin")), "{}", forced.text);
    assert_eq!(log_in(&scene.server, "anna", WORDS, &[]).status, 200);
    assert!(acts(&scene).iter().any(|(act, result, who, _)| act == "session_end" && result == "no_csrf_token" && who == "anna"));
    assert_eq!(anna.status(&scene.server).0, 200);
    scene.server.stopped();
}

#[test]
fn sessions_end_at_once_with_the_password_the_account_and_by_hand() {
    let scene = Scene::new();
    let run = |words: &[&str]| scene.place.runbook.run_with(words, "four other words of yours\n").assert(0);
    for (person, words, password) in [
        ("bob", vec!["account", "password", "bob"], "four other words of yours"),
        ("anna", vec!["account", "remove", "anna"], ""),
        ("vera", vec!["session", "revoke", "--for", "vera"], WORDS),
    ] {
        account(&scene.place, person);
        let (one, two) = (Browser::of(&scene.server, person), Browser::of(&scene.server, person));
        assert_eq!(one.status(&scene.server).0, 200);
        run(&words).says("2 sessions have ended");
        for browser in [&one, &two] {
            assert_eq!(browser.status(&scene.server), (401, "revoked".to_owned()), "{words:?}");
        }
        assert_eq!(log_in(&scene.server, person, WORDS, &[]).status, if password == WORDS { 200 } else { 401 }, "{words:?}");
        if password == "four other words of yours" {
            assert_eq!(log_in(&scene.server, person, password, &[]).status, 200);
        }
    }
    account(&scene.place, "olaf");
    let (one, two) = (Browser::of(&scene.server, "olaf"), Browser::of(&scene.server, "olaf"));
    run(&["session", "revoke", &one.session]).says("1 session has ended");
    assert_eq!((one.status(&scene.server).0, two.status(&scene.server).0), (401, 200));
    // They are kept over a restart, and end with their time.
    let Scene { place, server, .. } = scene;
    server.killed();
    let server = place.serve();
    assert_eq!(two.status(&server).0, 200);
    for (change, kind) in [
        (format!("used_ms = used_ms - {}", 3600 * 1000), "expired"),
        ("used_ms = used_ms, body = replace(body, '\"expires_at\":\"2', '\"expires_at\":\"1')".to_owned(), "expired"),
    ] {
        let browser = Browser { origin: format!("http://{}", server.address), ..Browser::of(&server, "olaf") };
        let state = rusqlite::Connection::open(place.runbook.state().join("access.db")).unwrap();
        state.execute(&format!("UPDATE sessions SET {change} WHERE id = ?1"), [&browser.session]).unwrap();
        assert_eq!(browser.status(&server), (401, kind.to_owned()), "{change}");
    }
    // Who leaves the workspace logs in no more, and may nothing with what they have.
    let workspace = std::fs::read_to_string(place.books.join("workspace.yaml")).unwrap();
    place.write("workspace.yaml", &workspace.replace("olaf: {}, ", "").replace("[olaf]", "[bob]"));
    eventually("the changed catalogue", || (two.ask(&server, "GET", "/runs", &Value::Null).status == 403).then_some(()));
    assert_eq!(log_in(&server, "olaf", WORDS, &[]).status, 401);
    server.stopped();
}

#[test]
fn a_log_in_that_fails_tells_nothing_and_waits_longer_each_time() {
    let scene = Scene::new();
    account(&scene.place, "anna");
    let state = rusqlite::Connection::open(scene.place.runbook.state().join("access.db")).unwrap();
    account(&scene.place, "vera");
    state.execute("UPDATE accounts SET password = NULL WHERE person = 'vera'", []).unwrap();
    let mut told = Vec::new();
    for (person, password) in [("anna", "not these words of hers"), ("nobody", WORDS), ("wanda", WORDS), ("vera", WORDS), ("", "")]
    {
        let begun = std::time::Instant::now();
        let answer = log_in(&scene.server, person, password, &[]);
        assert!(!answer.head.contains("set-cookie"), "{}", answer.head);
        told.push((answer.status, answer.text, begun.elapsed()));
    }
    assert!(told.iter().all(|(status, text, _)| *status == 401 && *text == told[0].1), "{told:?}");
    let longest = told.iter().map(|(_, _, took)| *took).max().unwrap();
    assert!(told.iter().all(|(_, _, took)| *took * 20 > longest), "whoever is unknown is tried like all others: {told:?}");
    for body in
        ["{}", "[]", r#"{"person":"anna"}"#, r#"{"person":"anna","password":1713}"#, r#"{"person":"anna","password":"x","more":1}"#]
    {
        let answer = scene.server.ask("POST", "/api/v1/session", &[], body);
        assert_eq!((answer.status, answer.body["kind"].as_str()), (400, Some("malformed")), "{body}: {}", answer.text);
        assert!(!answer.text.contains("not these words"), "{}", answer.text);
    }
    // The fourth more is the fifth of her; then one waits, also with what is right.
    for _ in 0..4 {
        assert_eq!(log_in(&scene.server, "anna", "not these words of hers", &[]).status, 401);
    }
    let waits = log_in(&scene.server, "anna", WORDS, &[]);
    assert_eq!((waits.status, waits.body["kind"].as_str()), (429, Some("too_many")), "{}", waits.text);
    assert!(waits.head.contains("retry-after: "), "{}", waits.head);
    assert_eq!(scene.place.list("session list --json").len(), 0);
    account(&scene.place, "bob");
    assert_eq!(log_in(&scene.server, "bob", WORDS, &[]).status, 200, "others log in");
    eventually("it was long enough", || (log_in(&scene.server, "anna", WORDS, &[]).status == 200).then_some(()));
    let acts = acts(&scene);
    let failed =
        acts.iter().filter(|(act, result, _, about)| act == "session_begin" && result == "wrong_credential" && about == "anna");
    assert_eq!(failed.count(), 5, "{acts:?}");
    assert!(
        acts.iter().any(|(act, result, _, about)| act == "session_begin" && result == "too_many" && about == "anna"),
        "{acts:?}"
    );
    assert!(acts.iter().any(|(act, _, _, about)| act == "account_add" && about == "anna"));
    let text = format!("{acts:?}");
    assert!(!text.contains(WORDS) && !text.contains("not these") && !text.contains("nobody") && !text.contains("1713"), "{text}");
    scene.server.stopped();
}

#[test]
fn many_log_ins_at_once_keep_nobody_else_waiting() {
    let scene = Scene::new();
    account(&scene.place, "anna");
    let (server, most) = (&scene.server, &std::sync::Mutex::new(Duration::ZERO));
    std::thread::scope(|threads| {
        for number in 0..16 {
            threads.spawn(move || {
                let answer = log_in(server, &format!("p{number}"), WORDS, &[]);
                assert!([401, 503].contains(&answer.status), "{}", answer.text);
            });
        }
        threads.spawn(|| {
            for _ in 0..20 {
                let begun = std::time::Instant::now();
                assert_eq!(scene.ask("vera", "GET", "/runs", None).status, 200);
                let mut most = most.lock().unwrap();
                *most = (*most).max(begun.elapsed());
            }
        });
    });
    assert!(*most.lock().unwrap() < Duration::from_secs(3), "{most:?}");
    assert!(scene.server.peak_memory() < 256.0, "{} MiB", scene.server.peak_memory());
    scene.server.stopped();
}

#[test]
fn on_loopback_pages_with_names_of_others_read_nothing() {
    let scene = Scene::new();
    let ask = |server: &Server, path: &str, host: &str| {
        let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
        std::io::Write::write_all(
            &mut stream,
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes(),
        )
        .unwrap();
        let text = std::io::read_to_string(stream).unwrap();
        text.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
    };
    for path in ["/metrics", "/health"] {
        for (host, status) in
            [("localhost", 200), ("127.0.0.1:8480", 200), ("evil.example", 421), ("evil.example:80", 421), ("", 421)]
        {
            assert_eq!(ask(&scene.server, path, host), status, "{path} {host}");
        }
    }
    assert_eq!(ask(&scene.server, "/api/v1/runs", "evil.example"), 421);
    assert_eq!(ask(&scene.server, "/events/none", "any.example"), 405, "senders show who they are, and call it as they like");
    let named = scene.place.start(&["serve", "--listen", "127.0.0.1:0", "--host", "runbook.example"]);
    assert_eq!((ask(&named, "/health", "runbook.example:8480"), ask(&named, "/health", "evil.example")), (200, 421));
    named.stopped();
    scene.server.stopped();
}

#[test]
fn behind_a_proxy_the_cookie_is_for_tls_alone() {
    let scene = Scene::new();
    account(&scene.place, "anna");
    let Scene { place, server, .. } = scene;
    server.stopped();
    let server = place.start(&["serve", "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1", "--host", "ops.example"]);
    let answer = log_in(&server, "anna", WORDS, &[("Origin", "https://ops.example"), ("X-Forwarded-For", "192.0.2.7")]);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let set = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(set.starts_with("__host-runbook=rbs_") && set.ends_with("; httponly; samesite=strict; secure"), "{set}");
    assert_eq!(log_in(&server, "anna", WORDS, &[("Origin", "http://ops.example")]).status, 403, "a page that came in the clear");
    assert_eq!(place.list("session list --json")[0]["from"], "192.0.2.7");
    let cookie = set.split(';').next().unwrap().replace("__host-", "__Host-");
    let ask = |cookie: &str| server.ask("GET", "/api/v1/runs", &[("Cookie", cookie)], "").status;
    assert_eq!((ask(&cookie), ask(cookie.trim_start_matches("__Host-"))), (200, 401), "by that name alone");
    server.stopped();
}
