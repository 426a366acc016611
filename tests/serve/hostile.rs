//! Clients that hold up what they are given: streams that nobody reads, bodies without end, heads that come a byte at a time. Others are
//! answered meanwhile, and the server stays small. All of it comes from loopback, a bounded number of times.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;

use crate::harness::eventually;
use crate::server::{Answer, KEY, Place, Server, TOKEN, alerts, ask, playbook, post_alerts};

/// The most memory that the server may ever have had, in MiB.
const MEMORY: f64 = 256.0;
/// How long whoever does no harm may wait for an answer, whatever others do.
const ANSWER: Duration = Duration::from_secs(5);

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
name: visited
people: {you: {}}
escalations: {e: {steps: [{to: [you], after: 10m}]}}
sources:
  alerts: {type: alertmanager, bearer: secrets.token, secrets: {token: {env: ALERTS_TOKEN}}}
  code: {type: github, secret: secrets.key, secrets: {key: {env: GITHUB_KEY}}}
access: [{role: operator, to: [you]}]
";

struct Scene {
    place: Place,
    server: Server,
    tokens: Vec<String>,
}

impl Scene {
    /// With so many tokens, each for so many requests a second.
    fn new(steps: &str, tokens: usize) -> Scene {
        let place = Place::with(&playbook("1.0.0", "", steps));
        place.write("workspace.yaml", WORKSPACE);
        let token = |_| place.runbook.run(["token", "create", "--for", "you"]).assert(0).stdout.trim().to_owned();
        let tokens = (0..tokens).map(token).collect();
        // As systems give it to services, and more where it asks for more.
        let most = getrlimit(Resource::Nofile);
        let limited = ["prlimit", &format!("--nofile=1024:{}", most.maximum.unwrap_or(65_536))].map(str::to_owned);
        let server = place.serve_under(&limited);
        // This process has the other ends.
        setrlimit(Resource::Nofile, rustix::process::Rlimit { current: most.maximum, ..most }).unwrap();
        Scene { place, server, tokens }
    }

    /// Whoever does no harm is answered soon.
    #[track_caller]
    fn others_are_answered(&self, host: &str) {
        let begun = Instant::now();
        // Senders come again where they are told to wait.
        let taken = loop {
            match post_alerts(&self.server.address, &alerts("firing", &[host])) {
                Ok(answer) if answer.status == 202 => break begun.elapsed(),
                Ok(answer) => assert_eq!((answer.status, answer.head.contains("retry-after")), (503, true), "{}", answer.text),
                Err(error) => panic!("{error}"),
            }
            assert!(begun.elapsed() < 4 * ANSWER, "no alert is taken");
            std::thread::sleep(Duration::from_millis(200));
        };
        let begun = Instant::now();
        assert_eq!(self.api("GET", "/runs", None).status, 200);
        let listed = begun.elapsed();
        assert!(taken < ANSWER && listed < ANSWER, "an alert took {taken:?}, a list {listed:?}");
    }

    fn api(&self, method: &str, path: &str, body: Option<serde_json::Value>) -> Answer {
        let credential = format!("Bearer {}", self.tokens[0]);
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.server.ask(method, &format!("/api/v1{path}"), &[("Authorization", &credential)], &body)
    }

    /// A run that waits for people, by its id.
    fn waiting_run(&self) -> String {
        assert_eq!(self.server.alert("firing", &["first"]).status, 202);
        self.place.run_that("waiting")["run"].as_str().unwrap().to_owned()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    #[track_caller]
    fn stays_small(&self) {
        let memory = self.server.peak_memory();
        println!("{memory:.1} MiB");
        assert!(memory <= MEMORY, "{memory} MiB");
    }
}

const ASK: &str = "[{id: go, approve: {question: 'Mend {{inputs.host}}?', within: 1h}}]";

#[test]
fn a_thousand_idle_streams_keep_nobody_waiting_and_hear_of_what_happens() {
    let scene = Scene::new(ASK, 4);
    let run = scene.waiting_run();
    let mut streams: Vec<BufReader<TcpStream>> = (0..1_000)
        .map(|number| {
            let mut stream = scene.connect();
            let token = &scene.tokens[number % scene.tokens.len()];
            // From behind what there is.
            let head = format!(
                "GET /api/v1/runs/{run}/stream?from=1000 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            BufReader::new(stream)
        })
        .collect();
    for stream in &mut streams {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "HTTP/1.1 200 OK");
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).unwrap();
        }
    }
    scene.others_are_answered("second");
    // A change of another run wakes nobody here; the end of this one ends all.
    assert_eq!(scene.api("POST", &format!("/runs/{run}/cancel"), Some(json!({"reason": "seen enough"}))).status, 200);
    let begun = Instant::now();
    for stream in &mut streams {
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
    }
    assert!(begun.elapsed() < 4 * ANSWER, "the last of them heard of it after {:?}", begun.elapsed());
    scene.others_are_answered("third");
    scene.stays_small();
    // What a step may open is what the server was given.
    scene.server.stopped();
}

#[test]
fn what_a_server_starts_has_the_bounds_that_the_server_was_given() {
    let scene = Scene::new("[{id: say, run: 'sleep 0.1; ulimit -Sn > bound.txt', effect: change}]", 1);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", scene.server.pid())).unwrap();
    let open = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(65_536).min(65_536);
    assert_eq!(open.split_whitespace().nth(3).unwrap(), most.to_string());
    assert_eq!(scene.server.alert("firing", &["first"]).status, 202);
    scene.place.run_that("ended");
    assert_eq!(std::fs::read_to_string(scene.place.books.join("bound.txt")).unwrap().trim(), "1024");
}

/// Twenty clients each want the log of 64 MiB and the record of a run, and take nothing of it.
fn unread(scene: &Scene) -> Vec<TcpStream> {
    assert_eq!(scene.server.alert("firing", &["first"]).status, 202);
    let run = scene.place.run_that("waiting")["run"].as_str().unwrap().to_owned();
    let paths = [format!("/runs/{run}/log?step=flood"), format!("/runs/{run}/stream")];
    let ask = |number: usize| {
        let mut stream = scene.connect();
        let (path, token) = (&paths[number % 2], &scene.tokens[0]);
        write!(stream, "GET /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n").unwrap();
        stream
    };
    (0..40).map(ask).collect()
}

/// A step that writes 64 MiB, and a record of one.
fn flood() -> String {
    let items: Vec<String> = (0..60).map(|item| item.to_string()).collect();
    let step = |name: &str, bytes: usize| format!("{{id: {name}, run: 'head -c {bytes} /dev/zero | tr \"\\0\" a', effect: read}}");
    format!(
        "[{}, {{id: many, each: {{in: '[{}]', max_parallel: 8, steps: [{}]}}}}, {{id: go, approve: {{question: 'Go on?', within: 1h}}}}]",
        step("flood", 64 * 1024 * 1024),
        items.join(", "),
        step("part", 15_000)
    )
}

#[test]
fn clients_that_stop_reading_are_kept_little_for() {
    let scene = Scene::new(&flood(), 1);
    let unread = unread(&scene);
    std::thread::sleep(Duration::from_millis(500));
    scene.others_are_answered("second");
    scene.stays_small();
    drop(unread);
    scene.server.stopped();
}

#[test]
#[ignore = "waits for half a minute"]
fn clients_that_stop_reading_are_closed_after_a_while() {
    let scene = Scene::new(&flood(), 1);
    let mut unread = unread(&scene);
    std::thread::sleep(Duration::from_secs(40));
    // What the system kept for them is there, and then it is over: before the end of what was asked for.
    let mut all = Vec::new();
    let ended = unread[0].read_to_end(&mut all);
    assert!(all.len() < 64 * 1024 * 1024, "{} bytes, {ended:?}", all.len());
    scene.others_are_answered("second");
}

#[test]
fn bodies_of_a_hundred_megabytes_are_not_taken_in() {
    let scene = Scene::new(ASK, 1);
    let length = 100 * 1024 * 1024;
    let part = vec![b' '; 64 * 1024];
    let body = |path: &str, credential: &str, how: &str| {
        let mut stream = scene.connect();
        write!(stream, "POST {path} HTTP/1.1\r\nHost: localhost\r\n{credential}{how}\r\n").unwrap();
        let mut sent = 0;
        while sent < length {
            let chunk = if how.contains("chunked") { format!("{:x}\r\n", part.len()) } else { String::new() };
            let end: &[u8] = if chunk.is_empty() { b"" } else { b"\r\n" };
            if stream
                .write_all(chunk.as_bytes())
                .and_then(|()| stream.write_all(&part))
                .and_then(|()| stream.write_all(end))
                .is_err()
            {
                break;
            }
            sent += part.len();
        }
        // Whoever is refused in the midst of a body may find the connection gone.
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        (answer.split(' ').nth(1).map(str::to_owned), sent)
    };
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    let api = format!("Authorization: Bearer {}\r\n", scene.tokens[0]);
    let (known, chunked) = (format!("Content-Length: {length}\r\n"), "Transfer-Encoding: chunked\r\n");
    std::thread::scope(|scope| {
        let mut bodies = Vec::new();
        for (path, credential, how, status) in [
            ("/events/alerts", &*right, &*known, "413"),
            ("/events/alerts", &right, chunked, "413"),
            ("/events/alerts", "Authorization: Bearer wrong-token\r\n", chunked, "401"),
            ("/events/code", "", chunked, "401"),
            ("/events/code", "X-Hub-Signature-256: sha256=00\r\nX-GitHub-Event: issues\r\n", chunked, "413"),
            ("/api/v1/runs", &api, chunked, "413"),
        ] {
            for _ in 0..3 {
                let body = &body;
                bodies.push((scope.spawn(move || body(path, credential, how)), path, status));
            }
        }
        scene.others_are_answered("meanwhile");
        for (body, path, status) in bodies {
            let (told, sent) = body.join().unwrap();
            // A full server says so before it has seen how long a body is.
            assert!(told.is_none_or(|told| told == status || told == "503"), "{path} {status}");
            assert!(sent < length / 2, "{path}: {sent} bytes of it were taken");
        }
    });
    scene.others_are_answered("after");
    scene.stays_small();
    scene.server.stopped();
}

/// Opens so many connections, and says on each a little every now and then, until it is told to end.
fn slowly(scene: &Scene, count: usize, begin: &[u8], little: &[u8], meanwhile: impl FnOnce()) {
    let stop = std::sync::atomic::AtomicBool::new(false);
    let is_over = || stop.load(std::sync::atomic::Ordering::Relaxed);
    let mut all: Vec<TcpStream> = Vec::new();
    let open = |stop_early: &dyn Fn() -> bool, all: &mut Vec<TcpStream>| {
        while all.len() < count && !stop_early() {
            let Ok(mut stream) = TcpStream::connect(&scene.server.address) else { break };
            stream.set_nonblocking(true).unwrap();
            if stream.write_all(begin).is_ok() {
                all.push(stream);
            }
        }
    };
    // Those for whom there is no room wait in the system's queue.
    open(&|| false, &mut all);
    std::thread::scope(|scope| {
        let holding = scope.spawn(|| {
            let mut all = all;
            while !is_over() {
                // Who was closed comes again.
                all.retain_mut(|stream| {
                    let is_open = matches!(stream.read(&mut [0; 64]), Err(error) if error.kind() == ErrorKind::WouldBlock);
                    is_open && stream.write_all(little).is_ok()
                });
                open(&is_over, &mut all);
                std::thread::sleep(Duration::from_millis(300));
            }
        });
        meanwhile();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        holding.join().unwrap();
    });
}

#[test]
fn heads_and_bodies_that_come_a_byte_at_a_time_keep_nobody_out() {
    let scene = Scene::new(ASK, 1);
    slowly(&scene, 2_500, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"a", || {
        for host in ["first", "second", "third"] {
            scene.others_are_answered(host);
        }
    });
    // A signature that is wrong, as its body will show.
    let begin =
        b"POST /events/code HTTP/1.1\r\nHost: localhost\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 100000\r\n\r\n";
    slowly(&scene, 1_500, begin, b" ", || {
        for host in ["fourth", "fifth", "sixth"] {
            scene.others_are_answered(host);
        }
        signed_is_taken(&scene);
    });
    scene.stays_small();
    scene.server.stopped();
}

/// Whoever signs can be known only by their whole body.
fn signed_is_taken(scene: &Scene) {
    let body = r#"{"zen":"x"}"#;
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, KEY.as_bytes()), body.as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let headers = [("X-GitHub-Event", "issues"), ("X-GitHub-Delivery", "a"), ("X-Hub-Signature-256", &format!("sha256={hex}"))];
    eventually("a signed delivery", || {
        let answer = ask(&scene.server.address, "POST", "/events/code", &headers, body).unwrap();
        (answer.status == 202).then_some(())
    });
}
