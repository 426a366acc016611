//! What people and programs ask over the API, and who may: the table of its operations against every kind of caller, a run from its start
//! to its end, and streams.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::server::{Answer, Place, Server, playbook};

const ASK: &str = "[{id: say, run: 'echo working on {{inputs.host}}', effect: read}, {id: go, approve: {question: 'Mend {{inputs.host}}?', from: [bob], within: 1h, on_timeout: escalate}}, {id: write, run: 'echo done >> fixed.txt', effect: change}]";

const PEOPLE: &str = "apiVersion: runbook/v1
kind: Workspace
name: served
people: {vera: {}, olaf: {}, bob: {}, anna: {}, wanda: {}, nina: {}, you: {users: [USER]}}
groups: {watchers: [vera, bob]}
rotations: {night: {members: [vera, bob], starts: 2026-01-05, hand_over: {days: mon-sun, at: '09:00'}, zone: Europe/Paris}}
escalations: {e: {steps: [{to: [you], after: 10m}]}}
sources:
  alerts: {type: alertmanager, bearer: secrets.token, secrets: {token: {env: ALERTS_TOKEN}}}
access:
  - {role: viewer, to: [watchers]}
  - {role: operator, to: [olaf]}
  - {role: approver, to: [bob]}
  - {role: admin, to: [anna]}
  - {role: operator, to: [wanda], labels: {tier: web}}
";

/// With tokens of everybody, by name.
pub struct Scene {
    pub place: Place,
    pub server: Server,
    tokens: BTreeMap<&'static str, String>,
}

impl Scene {
    pub fn new() -> Scene {
        let place = Place::with(&playbook("1.0.0", "", ASK).replace("owner: o", "owner: o\nlabels: {tier: database}"));
        let user = crate::harness::run(std::process::Command::new("id").arg("-un"));
        place.write("workspace.yaml", &PEOPLE.replace("USER", user.trim()));
        let web = "apiVersion: runbook/v1\nkind: Runbook\nname: web\nversion: 1.0.0\nlabels: {tier: web}\nsteps: [{id: go, approve: {question: 'Really?', from: [bob], within: 1h}}]\n";
        place.write("web.yaml", web);
        let token = |words: &str| {
            let ran = place.runbook.run(format!("token create {words}").split(' ')).assert(0);
            ran.stdout.trim().to_owned()
        };
        let mut tokens: BTreeMap<&str, String> =
            ["vera", "olaf", "bob", "anna", "wanda", "nina"].map(|name| (name, token(&format!("--for {name}")))).into();
        tokens.insert("anna as viewer", token("--for anna --role viewer"));
        tokens.insert("anna for web", token("--for anna --label tier=web"));
        tokens.insert("anna expired", token("--for anna --expires 2s"));
        let revoked = token("--for anna");
        let id = revoked.split('_').nth(1).unwrap().to_owned();
        place.runbook.run(["token", "revoke", &id]).assert(0);
        tokens.insert("anna revoked", revoked);
        let mut wrong = tokens["anna"].clone();
        let last = wrong.pop().unwrap();
        wrong.push(if last == '0' { '1' } else { '0' });
        tokens.insert("wrong", wrong);
        tokens.insert("no token", "secret".to_owned());
        let server = place.serve();
        std::thread::sleep(Duration::from_secs(2));
        Scene { place, server, tokens }
    }

    pub fn ask(&self, who: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask_with(who, method, path, body, &[])
    }

    pub fn ask_with(&self, who: &str, method: &str, path: &str, body: Option<&Value>, more: &[(&str, &str)]) -> Answer {
        let credential = self.tokens.get(who).map(|token| format!("Bearer {token}"));
        let mut headers = more.to_vec();
        headers.extend(credential.as_deref().map(|credential| ("Authorization", credential)));
        let body = body.map(Value::to_string).unwrap_or_default();
        self.server.ask(method, &format!("/api/v1{path}"), &headers, &body)
    }

    #[track_caller]
    pub fn get(&self, who: &str, path: &str) -> Value {
        let answer = self.ask(who, "GET", path, None);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.body
    }

    /// Starts a run of `fix`, and waits until it asks.
    pub fn started(&self, host: &str) -> String {
        let answer = self.ask("olaf", "POST", "/runs", Some(&json!({"procedure": "fix", "inputs": {"host": host}})));
        assert_eq!(answer.status, 201, "{}", answer.text);
        let run = answer.body["run"].as_str().unwrap().to_owned();
        assert!(answer.head.contains(&format!("location: /api/v1/runs/{run}")), "{}", answer.head);
        eventually("its question", || (self.get("vera", &format!("/runs/{run}"))["phase"] == "waiting").then_some(()));
        run
    }

    pub fn request(&self, run: &str) -> Value {
        let list = self.get("bob", &format!("/decisions?run={run}"));
        let decision = list["items"][0]["decision"].clone();
        let decision = decision.as_str().map_or_else(|| decision.to_string(), str::to_owned);
        self.get("bob", &format!("/runs/{run}/decisions/{decision}"))
    }
}

pub fn decision_path(run: &str, request: &Value) -> String {
    let decision = &request["decision"];
    format!("/runs/{run}/decisions/{}", decision.as_str().map_or_else(|| decision.to_string(), str::to_owned))
}

#[test]
fn each_operation_answers_whom_it_is_meant_for_and_nobody_else() {
    let scene = Scene::new();
    let run = scene.started("db1");
    let request = scene.request(&run);
    let description = scene.get("vera", "/openapi.json");
    let mut tried = 0;
    // How people log in and out stands beside the roles.
    for (path, operations) in description["paths"].as_object().unwrap().iter().filter(|(path, _)| *path != "/session") {
        for (method, operation) in operations.as_object().unwrap() {
            let act = operation["x-act"].as_str().unwrap();
            let id = operation["operationId"].as_str().unwrap();
            let mut address = path.replace("{run}", &run).replace("{procedure}", "fix").replace("{event}", "1");
            address = address.replace("{plan}", scene.get("vera", &format!("/runs/{run}"))["plan"].as_str().unwrap());
            address = address.replace("{decision}", decision_path(&run, &request).rsplit('/').next().unwrap());
            match id {
                "comparison" => address.push_str(&format!("?with={run}")),
                "log" => address.push_str("?step=say"),
                "matches" => address.push_str("?step=say&text=on"),
                _ => {}
            }
            let method = method.to_uppercase();
            // Nothing that would be done, but for what is left out of it.
            let body = (method == "POST").then(|| json!({"nothing": "of the kind"}));
            for (who, may) in [
                ("nobody", None),
                ("wrong", None),
                ("no token", None),
                ("anna expired", None),
                ("anna revoked", None),
                ("nina", Some(&[][..])),
                ("vera", Some(&["view"])),
                ("olaf", Some(&["view", "foresee", "start", "steer"])),
                ("bob", Some(&["view", "decide"])),
                ("anna", Some(&["view", "foresee", "start", "steer", "decide", "audit"])),
                ("anna as viewer", Some(&["view"])),
            ] {
                tried += 1;
                if id == "stream" && may.is_some_and(|may| may.contains(&act)) {
                    continue;
                }
                let answer = scene.ask(who, &method, &address, body.as_ref());
                let expected: &[u16] = match may {
                    None => &[401],
                    Some(may) if !may.contains(&act) => &[403],
                    // What can be read is answered; what would be done is refused for what it lacks.
                    Some(_) if method == "GET" && id != "event" => &[200],
                    Some(_) => &[400, 404],
                };
                assert!(expected.contains(&answer.status), "{who} {method} {address}: {} {}", answer.status, answer.text);
                if answer.status >= 400 {
                    assert!(answer.head.contains("application/problem+json"), "{}", answer.head);
                    assert_eq!(answer.body["status"], answer.status, "{}", answer.text);
                }
                if answer.status == 401 {
                    assert!(answer.head.contains("www-authenticate: bearer"), "{}", answer.head);
                }
            }
        }
    }
    assert_eq!(tried, 35 * 11);
    // Of all that, nothing was done.
    let runs = scene.get("anna", "/runs");
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "{runs}");
    assert_eq!(runs["items"][0]["phase"], "waiting");
    let broken = scene.get("anna", "/audit?limit=1000");
    assert_eq!(broken["broken_at"], Value::Null);
    let refused: Vec<&Value> = broken["items"].as_array().unwrap().iter().filter(|entry| entry["result"] != "done").collect();
    assert!(refused.iter().any(|entry| entry["person"] == "nina" && entry["result"] == "not_allowed"), "{broken}");
    assert!(refused.iter().any(|entry| entry["person"] == "anna" && entry["result"] == "revoked"), "{broken}");
    let text = broken.to_string();
    assert!(scene.tokens.values().all(|token| !text.contains(token.as_str()) || token == "secret"));
    scene.server.stopped();
}

#[test]
fn what_was_looked_at_is_what_starts() {
    let scene = Scene::new();
    let looked = scene.ask("olaf", "GET", "/procedures/fix/plan", None);
    assert_eq!(looked.status, 200, "{}", looked.text);
    let tag = looked.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().trim().trim_matches('"').to_owned();
    let start = |more: Value| {
        let mut body = json!({"procedure": "fix", "inputs": {"host": "db1"}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        scene.ask("olaf", "POST", "/runs", Some(&body))
    };
    for (more, status, kind) in [
        (json!({"plan": format!("sha256:{}", "0".repeat(64))}), 409, "changed"),
        (json!({"plan": "sha256:0"}), 400, "malformed"),
        (json!({"from": "nowhere"}), 422, "not_valid"),
        (json!({"only": ["write", "nowhere"]}), 422, "not_valid"),
        (json!({"only": ["write"], "from": "go"}), 422, "not_valid"),
    ] {
        let answer = start(more.clone());
        assert_eq!((answer.status, answer.body["kind"].as_str()), (status, Some(kind)), "{more}: {}", answer.text);
    }
    assert!(scene.get("anna", "/runs")["items"].as_array().unwrap().is_empty(), "nothing was started");
    let started = start(json!({"plan": tag, "only": ["write"], "stepwise": true}));
    assert_eq!((started.status, started.body["plan"].as_str()), (201, Some(&*tag)), "{}", started.text);
    // The plan of a run is for whoever may see runs of it.
    let plan = scene.ask("vera", "GET", &format!("/plans/{tag}"), None);
    assert_eq!((plan.status, plan.text.as_str()), (200, looked.text.as_str()));
    for who in ["wanda", "anna for web"] {
        assert_eq!(scene.ask(who, "GET", &format!("/plans/{tag}"), None).status, 404, "{who}");
        assert_eq!(scene.ask(who, "GET", "/procedures/fix/plan", None).status, 404, "{who}");
    }
    assert_eq!(scene.ask("vera", "GET", &format!("/plans/sha256:{}", "0".repeat(64)), None).status, 404);
    scene.server.stopped();
}

#[test]
fn who_has_a_role_for_some_labels_sees_and_does_nothing_else() {
    let scene = Scene::new();
    let of_database = scene.started("db1");
    let answer = scene.ask("wanda", "POST", "/runs", Some(&json!({"procedure": "web"})));
    assert_eq!(answer.status, 201, "{}", answer.text);
    let of_web = answer.body["run"].as_str().unwrap().to_owned();
    for who in ["wanda", "anna for web"] {
        let names = |path: &str, key: &str| -> Vec<String> {
            let list = scene.get(who, path)["items"].as_array().unwrap().clone();
            list.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names("/procedures", "name"), ["web"], "{who}");
        assert_eq!(names("/runs", "run"), [of_web.as_str()], "{who}");
        eventually("its question", || (names("/decisions", "run") == [of_web.as_str()]).then_some(()));
        assert!(names("/triggers", "trigger").is_empty(), "{who}");
        for path in ["", "/steps", "/records", "/report", "/stream", "/log?step=say", "/decisions/1"] {
            let answer = scene.ask(who, "GET", &format!("/runs/{of_database}{path}"), None);
            assert_eq!(answer.status, 404, "{who} {path}: {}", answer.text);
        }
        for (path, body) in
            [("cancel", json!({})), ("pause", json!({})), ("resume", json!({})), ("notes", json!({"text": "hello"}))]
        {
            let answer = scene.ask(who, "POST", &format!("/runs/{of_database}/{path}"), Some(&body));
            assert_eq!(answer.status, 404, "{who} {path}: {}", answer.text);
        }
        assert_eq!(
            scene.ask(who, "POST", "/runs", Some(&json!({"procedure": "fix", "inputs": {"host": "x"}}))).status,
            404,
            "{who}"
        );
        for path in ["/procedures/fix", &format!("/decisions?run={of_database}&limit=1")] {
            let answer = scene.ask(who, "GET", path, None);
            assert!(answer.status == 404 || answer.body["items"] == json!([]), "{who} {path}: {}", answer.text);
        }
        assert_eq!(scene.ask(who, "GET", "/events", None).status, 403, "{who}: events are of no procedure");
    }
    let mut web: Vec<&str> = Vec::new();
    let (first, second) = (scene.get("vera", "/runs?limit=1"), scene.get("vera", "/runs"));
    let next = first["next"].as_str().unwrap();
    let page = scene.get("vera", &format!("/runs?limit=1&before={next}"));
    web.extend([&first, &page].map(|page| page["items"][0]["run"].as_str().unwrap()));
    assert_eq!((web, second["items"].as_array().unwrap().len()), (vec![of_web.as_str(), of_database.as_str()], 2));
    assert_eq!(page["next"], Value::Null);
    scene.server.stopped();
}

#[test]
fn a_run_is_started_decided_and_proven_over_the_api() {
    let scene = Scene::new();
    let run = scene.started("db1; touch harm");
    let request = scene.request(&run);
    let digest = request["request"]["digest"].as_str().unwrap();
    assert!(request["question"].as_str().unwrap().contains("Mend db1; touch harm?"), "{request}");
    let path = decision_path(&run, &request);
    let vote = |who: &str, body: Value| scene.ask(who, "POST", &path, Some(&body));
    let wrong = vote("bob", json!({"choice": "approve", "digest": format!("sha256:{}", "0".repeat(64))}));
    assert_eq!((wrong.status, wrong.body["kind"].as_str()), (409, Some("changed")), "{}", wrong.text);
    let other = vote("anna", json!({"choice": "approve", "digest": digest}));
    assert_eq!(
        (other.status, other.body["kind"].as_str()),
        (403, Some("not_permitted")),
        "an admin is not whom the step asks: {}",
        other.text
    );
    let bare = vote("bob", json!({"choice": "reject", "digest": digest}));
    assert_eq!((bare.status, bare.body["kind"].as_str()), (409, Some("refused")), "a no says why: {}", bare.text);
    assert_eq!(scene.get("vera", &format!("/runs/{run}"))["phase"], "waiting");
    let said = vote("bob", json!({"choice": "approve", "digest": digest, "reason": "looked at it"}));
    assert_eq!(said.status, 200, "{}", said.text);
    let again = vote("bob", json!({"choice": "approve", "digest": digest, "reason": "looked at it"}));
    assert!(again.status == 200 || again.body["kind"] == "refused", "{}", again.text);
    eventually("its end", || (scene.get("vera", &format!("/runs/{run}"))["outcome"] == "succeeded").then_some(()));
    assert_eq!(std::fs::read_to_string(scene.place.books.join("fixed.txt")).unwrap(), "done\n");
    assert!(!scene.place.books.join("harm").exists());
    let steps = scene.get("vera", &format!("/runs/{run}/steps"));
    let standing: Vec<&Value> = steps["items"].as_array().unwrap().iter().map(|step| &step["standing"]).collect();
    assert_eq!(standing, [&json!({"ended": "succeeded"}); 3], "{steps}");
    let log = scene.ask("vera", "GET", &format!("/runs/{run}/log?step=say"), None);
    assert_eq!((log.status, log.text.as_str()), (200, "working on db1; touch harm\n"));
    let part = scene.ask_with("vera", "GET", &format!("/runs/{run}/log?step=say"), None, &[("Range", "bytes=-6")]);
    assert_eq!((part.status, part.text.as_str()), (206, " harm\n"));
    assert!(part.head.contains("content-range: bytes 21-26/27"), "{}", part.head);
    // The record is the one that the command line shows and proves.
    let records = scene.get("vera", &format!("/runs/{run}/records?limit=1000"));
    let shown = scene.place.list(&format!("show {run} --json"));
    assert_eq!(records["items"], json!(shown));
    let record = shown.iter().find(|record| record["kind"] == "decided").unwrap().to_string();
    assert!(record.contains(r#""means":{"token""#) && record.contains(r#""person":"bob""#), "{record}");
    assert!(shown[0].to_string().contains(r#""person":"olaf""#), "{}", shown[0]);
    scene.place.runbook.run(["verify", &run]).assert(0);
    // The report is the one that the command line writes, as a text and as a page on which nothing runs.
    let report = |query: &str| scene.ask("vera", "GET", &format!("/runs/{run}/report{query}"), None);
    for (query, format, kind) in [("?logs=true", "markdown", "text/markdown"), ("?format=html&logs=true", "html", "text/html")] {
        let (told, written) = (report(query), scene.place.runbook.run(["report", &run, "--format", format]).assert(0).stdout);
        assert_eq!((told.status, told.text.trim_end()), (200, written.trim_end()), "{format}");
        for wanted in [&*format!("content-type: {kind}; charset=utf-8"), "default-src 'none'", "frame-ancestors 'none'", "nosniff"]
        {
            assert!(told.head.contains(wanted), "no {wanted}: {}", told.head);
        }
    }
    assert!(report("").text.contains("0 logs were compared"), "{}", report("").text);
    assert_eq!(report("?format=pdf").body["kind"], "malformed");
    let audit = scene.get("anna", "/audit");
    let acts: Vec<(&str, &str)> =
        audit["items"].as_array().unwrap().iter().map(|e| (e["act"].as_str().unwrap(), e["result"].as_str().unwrap())).collect();
    for wanted in
        [("decide", "done"), ("decide", "changed"), ("decide", "not_permitted"), ("run_start", "done"), ("token_create", "done")]
    {
        assert!(acts.contains(&wanted), "{wanted:?}: {acts:?}");
    }
    scene.server.stopped();
}

#[test]
fn a_write_with_a_key_counts_once_also_after_a_crash() {
    let Scene { place, server, tokens } = Scene::new();
    let scene = Scene { place, server, tokens };
    let start = |scene: &Scene, host: &str| {
        let body = json!({"procedure": "fix", "inputs": {"host": host}});
        scene.ask_with("olaf", "POST", "/runs", Some(&body), &[("Idempotency-Key", "alert-17")])
    };
    let first = start(&scene, "db1");
    assert_eq!(first.status, 201, "{}", first.text);
    let second = start(&scene, "db1");
    assert_eq!((second.status, &second.body), (201, &first.body));
    let other = start(&scene, "db2");
    assert_eq!((other.status, other.body["kind"].as_str()), (422, Some("key_reused")), "{}", other.text);
    let Scene { place, server, tokens } = scene;
    server.killed();
    let server = place.serve();
    let scene = Scene { place, server, tokens };
    let third = start(&scene, "db1");
    assert_eq!(third.body["run"], first.body["run"], "{}", third.text);
    assert_eq!(scene.get("olaf", "/runs")["items"].as_array().unwrap().len(), 1);
    // Killed after the run was made and before that was written down: it is found, though it may not be started any more.
    let Scene { place, server, tokens } = scene;
    server.killed();
    let state = place.runbook.state().join("access.db");
    let forgotten = rusqlite::Connection::open(state).unwrap().execute("UPDATE requests SET answer = NULL", []).unwrap();
    assert_eq!(forgotten, 1);
    place.write(
        "fix.yaml",
        &playbook("2.0.0", "", "[{id: other, run: 'true', effect: read}]")
            .replace("host: {", "other: {")
            .replace("{host: event", "{other: event"),
    );
    let server = place.serve();
    let scene = Scene { place, server, tokens };
    let fourth = start(&scene, "db1");
    assert_eq!((fourth.status, &fourth.body["run"]), (201, &first.body["run"]), "{}", fourth.text);
    assert_eq!(scene.get("olaf", "/runs")["items"].as_array().unwrap().len(), 1);
    let refused = |inputs: Value| {
        let body = json!({"procedure": "fix", "inputs": inputs});
        scene.ask_with("olaf", "POST", "/runs", Some(&body), &[("Idempotency-Key", "alert-18")])
    };
    let wrong = refused(json!({"hots": "db1"}));
    assert_eq!((wrong.status, wrong.body["kind"].as_str()), (422, Some("not_valid")), "{}", wrong.text);
    assert!(wrong.body["faults"].to_string().contains("hots"), "{}", wrong.text);
    assert_eq!(refused(json!({"other": "db3"})).status, 201, "what was refused has used no key up");
    scene.server.stopped();
}

#[test]
fn a_run_is_paused_resumed_remarked_on_and_cancelled() {
    let scene = Scene::new();
    let run = scene.started("db1");
    let say = |act: &str, body: Value| scene.ask("olaf", "POST", &format!("/runs/{run}/{act}"), Some(&body));
    let phase = |wanted: &str| {
        eventually(wanted, || (scene.get("vera", &format!("/runs/{run}"))["phase"] == wanted).then_some(()));
    };
    assert_eq!(say("resume", json!({})).body["kind"], "refused", "it only waits");
    assert_eq!(say("pause", json!({"reason": "lunch"})).status, 200);
    phase("paused");
    assert_eq!(say("pause", json!({})).body["kind"], "refused");
    assert_eq!(say("resume", json!({})).status, 200);
    phase("waiting");
    assert_eq!(say("notes", json!({"text": "  "})).status, 422);
    assert_eq!(say("notes", json!({"text": "the disk is old"})).status, 200);
    assert!(scene.place.runbook.run(["show", &run]).assert(0).stdout.contains("the disk is old"));
    assert_eq!(say("cancel", json!({"reason": "not today"})).status, 200);
    phase("ended");
    assert_eq!(scene.get("vera", &format!("/runs/{run}"))["outcome"], "cancelled");
    for act in ["cancel", "pause", "resume"] {
        assert_eq!(say(act, json!({})).status, 409, "{act}");
    }
    assert_eq!(say("notes", json!({"text": "afterwards"})).status, 200);
    assert!(!scene.place.books.join("fixed.txt").exists());
    scene.server.stopped();
}

/// Reads a stream to its end: the ids of its events, and their data.
fn followed(scene: &Scene, run: &str, more: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(&scene.server.address).unwrap();
    stream.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
    let token = &scene.tokens["vera"];
    write!(stream, "GET /api/v1/runs/{run}/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{more}\r\n")
        .unwrap();
    BufReader::new(stream)
}

/// The next event of a stream: its id, and the record; `None` at its end.
fn next(stream: &mut BufReader<TcpStream>) -> Option<(u64, Value)> {
    let (mut id, mut line) = (0, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).unwrap() == 0 || line.trim() == "0" {
            return None;
        }
        if let Some(text) = line.strip_prefix("id: ") {
            id = text.trim().parse().unwrap();
        }
        if let Some(text) = line.strip_prefix("data: ") {
            return Some((id, serde_json::from_str(text).unwrap()));
        }
    }
}

#[test]
fn a_stream_tells_each_event_once_to_the_end_and_goes_on_where_it_was() {
    let scene = Scene::new();
    let run = scene.started("db1");
    let mut stream = followed(&scene, &run, "");
    let mut seen = Vec::new();
    while seen.last().is_none_or(|(_, record): &(u64, Value)| record["kind"] != "decision_requested") {
        seen.push(next(&mut stream).unwrap());
    }
    let request = scene.request(&run);
    let body = json!({"choice": "approve", "digest": request["request"]["digest"], "reason": "yes"});
    assert_eq!(scene.ask("bob", "POST", &decision_path(&run, &request), Some(&body)).status, 200);
    while let Some(event) = next(&mut stream) {
        seen.push(event);
    }
    assert!(seen.iter().all(|(id, record)| record["seq"] == *id), "{seen:?}");
    let records: Vec<Value> = seen.into_iter().map(|(_, record)| record).collect();
    assert_eq!(json!(records), scene.get("vera", &format!("/runs/{run}/records?limit=1000"))["items"]);
    let mut rest = followed(&scene, &run, "Last-Event-ID: 3\r\n");
    assert_eq!(next(&mut rest).unwrap().1, records[3]);
    let last = records.len().to_string();
    let over = scene.ask_with("vera", "GET", &format!("/runs/{run}/stream"), None, &[("Last-Event-ID", &last)]);
    assert_eq!(over.status, 204, "an end that is for good");
    scene.server.stopped();
}

#[test]
fn what_is_no_request_is_a_problem_and_never_a_crash() {
    let scene = Scene::new();
    for (path, status) in [
        ("/runs?limit=0", 400),
        ("/runs?limit=1001", 400),
        ("/runs?limit=1&limit=2", 400),
        ("/runs?page=2", 400),
        ("/runs?phase=asleep", 400),
        ("/runs?before=%00", 400),
        ("/runs?procedure=%ff", 400),
        ("/runs?open=perhaps", 400),
        ("/runs/no-run", 404),
        ("/runs/%2e%2e%2fjournal.db", 404),
        ("/procedures/..%2f..%2fetc", 404),
        ("/decisions?after=x", 400),
        ("/events/18446744073709551615", 404),
        ("/events/-1", 404),
        ("/events?decision=maybe", 400),
        ("/nothing", 404),
    ] {
        let answer = scene.ask("anna", "GET", path, None);
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        assert!(answer.body["kind"].is_string(), "{}", answer.text);
    }
    let credential = format!("Bearer {}", scene.tokens["anna"]);
    let token = ("Authorization", credential.as_str());
    for body in ["[]", "7", "{", "{\"procedure\": 7}", "{\"procedure\": \"fix\", \"x\": 1}", "\u{feff}{}"] {
        let answer = scene.server.ask("POST", "/api/v1/runs", &[token], body);
        assert_eq!((answer.status, answer.body["kind"].as_str()), (400, Some("malformed")), "{body}: {}", answer.text);
    }
    let large = format!("{{\"procedure\": \"{}\"}}", "x".repeat(2 * 1024 * 1024));
    assert_eq!(scene.server.ask("POST", "/api/v1/runs", &[token], &large).status, 413);
    assert_eq!(scene.server.ask("GET", "/api/v1/runs", &[token, token], "").status, 401, "of two tokens nobody knows which");
    for method in ["PUT", "DELETE", "PATCH", "HEAD"] {
        let answer = scene.ask("anna", method, "/runs", None);
        assert!(matches!(answer.status, 405 | 200) && (answer.status == 405 || method == "HEAD"), "{method}: {}", answer.status);
    }
    assert!(scene.get("anna", "/runs")["items"].as_array().unwrap().is_empty());
    scene.server.stopped();
}
