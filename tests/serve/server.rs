//! The server under test: the real program with a catalogue and a state folder of its own, asked over plain sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::program::{Ran, Runbook};
use crate::harness::{Scratch, eventually, run as harness_run};

pub const TOKEN: &str = "a-token-of-alertmanager";
pub const KEY: &str = "a-key-that-github-signs-with";

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
name: served
people: {you: {users: [USER]}}
escalations: {e: {steps: [{to: [you], after: 10m}]}}
sources:
  alerts: {type: alertmanager, bearer: secrets.token, secrets: {token: {env: ALERTS_TOKEN}}}
  code: {type: github, secret: secrets.key, secrets: {key: {env: GITHUB_KEY}}}
  things: {type: cloudevents, bearer: secrets.token, origins: [example.org], secrets: {token: {env: ALERTS_TOKEN}}}
";

/// A playbook called `fix` on alerts: with this version, more of its trigger, and these steps.
pub fn playbook(version: &str, trigger: &str, steps: &str) -> String {
    format!(
        "apiVersion: runbook/v1\nkind: Playbook\nname: fix\nversion: {version}\nowner: o\nimpact: low\nescalation: e\ntriggers: [{{source: alerts, inputs: {{host: event.data.labels.host}}, {trigger}}}]\ninputs: {{host: {{type: string}}}}\nsteps: {steps}\n"
    )
}

/// Alerts as Alertmanager posts them, about these hosts.
pub fn alerts(status: &str, hosts: &[&str]) -> String {
    let alerts: Vec<Value> = hosts
        .iter()
        .map(|host| {
            serde_json::json!({
                "status": status, "labels": {"alertname": "Full", "host": host}, "annotations": {},
                "startsAt": "2026-11-22T05:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://p/g", "fingerprint": host,
            })
        })
        .collect();
    serde_json::json!({"version": "4", "groupKey": "{}", "status": status, "receiver": "runbook", "alerts": alerts}).to_string()
}

/// A catalogue, a state folder, and the program over them.
pub struct Place {
    pub books: PathBuf,
    pub runbook: Runbook,
    _scratch: Scratch,
}

impl Place {
    pub fn with(playbook: &str) -> Place {
        let scratch = Scratch::new();
        let books = scratch.folder("books");
        let user = harness_run(Command::new("id").arg("-un"));
        std::fs::write(books.join("workspace.yaml"), WORKSPACE.replace("USER", user.trim())).unwrap();
        std::fs::write(books.join("fix.yaml"), playbook).unwrap();
        let runbook = Runbook::over(&books).env("ALERTS_TOKEN", TOKEN).env("GITHUB_KEY", KEY);
        Place { books, runbook, _scratch: scratch }
    }

    /// Over the procedures that are shipped.
    pub fn shipped() -> Place {
        let runbook = Runbook::shipped().env("ALERTS_TOKEN", TOKEN);
        Place { books: runbook.catalogue().to_owned(), runbook, _scratch: Scratch::new() }
    }

    /// With a variable that every command gets.
    pub fn env(self, name: &str, value: &str) -> Place {
        Place { runbook: self.runbook.env(name, value), ..self }
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.books.join(name), text).unwrap();
    }

    #[track_caller]
    pub fn serve(&self) -> Server {
        let server = self.start(&["serve", "--listen", "127.0.0.1:0", "--log", "json", "--verbose"]);
        assert!(!server.address.is_empty(), "it does not listen: {}", server.ended().1);
        server
    }

    /// The same, started by a program that is told to: `prlimit …`.
    #[track_caller]
    pub fn serve_under(&self, wrapper: &[String]) -> Server {
        let plain = self.runbook.command(["serve", "--listen", "127.0.0.1:0", "--log", "json"]);
        let mut command = Command::new(&wrapper[0]);
        command.args(&wrapper[1..]).arg(plain.get_program()).args(plain.get_args()).env_clear().stdin(Stdio::null());
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(plain.get_current_dir().unwrap());
        Server::start(command, true)
    }

    /// Without an address where it does not listen.
    pub fn start(&self, words: &[&str]) -> Server {
        Server::start(self.runbook.command(words), words[0] == "serve")
    }

    /// One JSON object a line.
    pub fn list(&self, words: &str) -> Vec<Value> {
        let ran: Ran = self.runbook.run(words.split(' ')).assert(0);
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn runs(&self) -> Vec<Value> {
        self.list("runs --json -n 1000")
    }

    /// Waits until the only run is in this phase, and gives it.
    #[track_caller]
    pub fn run_that(&self, phase: &str) -> Value {
        eventually(&format!("a run that is {phase}"), || self.runs().into_iter().find(|run| run["phase"] == phase))
    }
}

pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    /// As it came.
    pub raw_head: String,
    pub body: Value,
    pub text: String,
}

pub struct Server {
    child: Child,
    pub address: String,
    log: std::thread::JoinHandle<String>,
}

impl Server {
    fn start(mut command: Command, listens: bool) -> Server {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut line = String::new();
        if listens {
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        }
        let address = line.trim().split_once("://").map_or_else(String::new, |(_, address)| address.to_owned());
        Server { child, address, log }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it ever had, in MiB.
    pub fn peak_memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<f64>().unwrap() / 1024.0
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How it ended, and its log.
    pub fn ended(mut self) -> (i32, String) {
        let end = std::time::Instant::now() + crate::harness::PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if std::time::Instant::now() > end => {
                    self.child.kill().unwrap();
                    panic!("it goes on");
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let log = std::mem::replace(&mut self.log, std::thread::spawn(String::new)).join().unwrap();
        (status.code().unwrap_or(-1), log)
    }

    #[track_caller]
    pub fn stopped(self) -> String {
        self.signal(Signal::TERM);
        let (code, log) = self.ended();
        assert_eq!(code, 0, "{log}");
        log
    }

    pub fn killed(self) {
        self.signal(Signal::KILL);
        self.ended();
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        ask(&self.address, method, path, headers, body).expect("an answer")
    }

    /// Posts alerts with the right token.
    pub fn alert(&self, status: &str, hosts: &[&str]) -> Answer {
        post_alerts(&self.address, &alerts(status, hosts)).expect("an answer")
    }

    pub fn health(&self) -> Value {
        self.ask("GET", "/health", &[], "").body
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn post_alerts(address: &str, body: &str) -> std::io::Result<Answer> {
    ask(
        address,
        "POST",
        "/events/alerts",
        &[("Authorization", &format!("Bearer {TOKEN}")), ("Content-Type", "application/json")],
        body,
    )
}

/// One request over a connection of its own.
pub fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{request}\r\n").as_bytes())?;
    // Whoever is refused early is answered all the same.
    let _ = stream.write_all(body.as_bytes());
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Err(read.err().unwrap_or_else(|| std::io::ErrorKind::UnexpectedEof.into()));
    };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Ok(Answer {
        status,
        head: head.to_lowercase(),
        raw_head: head.to_owned(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
        text: body.to_owned(),
    })
}
