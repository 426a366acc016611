//! How many events a second a server takes in, each on the disk before its sender is told, and what a reader meets meanwhile:
//! `cargo bench --bench intake`.
//!
//! The server is the real program with one trigger that reads every event; the load comes from one thread of this process over 32
//! connections, one event a request and then ten. Beside it, in turns, stands a floor: axum that puts the same bodies into SQLite, those that wait
//! together in one commit. `-- rivals` also installs Restate and Temporal into `target/rivals` and measures what they accept durably;
//! `-- intake`, `-- list` and `-- rivals` measure one part. With `--strict` a row that misses its reach makes it end with 1.

mod floor;
#[path = "../../../tests/harness/load.rs"]
#[allow(dead_code, reason = "tests use all of it")]
mod load;
mod rivals;
#[path = "../store.rs"]
mod store;

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use load::{Answered, Asks, drive, percentile};

const RUNBOOK: &str = env!("CARGO_BIN_EXE_runbook");
const CONNECTIONS: usize = 32;
/// Each measurement is taken so often, and lasts so long behind a beginning that does not count.
const ROUNDS: usize = 3;
const BEGINNING: Duration = Duration::from_secs(1);
const LASTS: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(120);
/// How often somebody asks for the list of runs.
const LISTS_EVERY: Duration = Duration::from_millis(20);
const RUNS: usize = 100_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, folder] = arguments.as_slice()
        && first == floor::SERVE
    {
        floor::serve(Path::new(folder));
    }
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with("--")).collect();
    let is_wanted = |word: &str| words.contains(&word) || (words.is_empty() && word != "rivals");
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let mut table = Table::default();
    println!("{:<52} {:>16}  reach", "what", "measured");
    if is_wanted("intake") {
        intake(scratch.path(), &mut table);
    }
    if is_wanted("list") {
        list(scratch.path(), &mut table);
    }
    if is_wanted("rivals") {
        rivals::stand_beside(scratch.path(), &mut table);
    }
    let strict = arguments.iter().any(|argument| argument == "--strict");
    if strict && table.missed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[derive(Default)]
pub struct Table {
    missed: usize,
}

impl Table {
    /// A row without a reach.
    pub fn told(&self, what: &str, measured: &str) {
        println!("{what:<52} {measured:>16}");
    }

    fn reaches(&mut self, what: &str, measured: f64, unit: &str, reach: f64, is_within: bool) {
        let sign = if unit == "/s" { "≥" } else { "≤" };
        let missed = if is_within { "" } else { "  missed" };
        self.missed += usize::from(!is_within);
        println!("{what:<52} {:>16}  {sign} {reach}{unit}{missed}", format!("{measured:.0} {unit}"));
    }

    fn at_least(&mut self, what: &str, measured: f64, reach: f64) {
        self.reaches(what, measured, "/s", reach, measured >= reach);
    }

    fn at_most(&mut self, what: &str, measured: f64, unit: &str, reach: f64) {
        self.reaches(what, measured, unit, reach, measured <= reach);
    }
}

fn intake(scratch: &Path, table: &mut Table) {
    for together in [1, 10] {
        side_by_side(&scratch.join(together.to_string()), together, table);
    }
}

/// Ours and the floor in turns, with so many events in a request.
fn side_by_side(scratch: &Path, together: u64, table: &mut Table) {
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let server = floor::start(&scratch.join(format!("floor-{round}")));
        floors.push(measure(server.address, Alerts::new(round, together)));
        server.ended();
        let server = serve(&scratch.join(format!("ours-{round}")));
        let (begun, measured) = (Instant::now(), measure(server.address, Alerts::new(round, together)));
        assert_eq!(measured.refused, 0, "each is taken");
        let undecided = server.undecided();
        while server.undecided() > 0 {
            assert!(begun.elapsed() < PATIENCE, "every event is decided upon");
            std::thread::sleep(Duration::from_millis(20));
        }
        let decided = measured.all as f64 / begun.elapsed().as_secs_f64();
        ours.push((measured, undecided, decided, server.peak_memory()));
        server.ended();
    }
    // Whatever else the machine does only takes away.
    let best = |all: &[Measured]| all.iter().map(|measured| measured.rate).fold(0.0, f64::max);
    let floor = best(&floors);
    let best = ours.iter().max_by(|a, b| a.0.rate.total_cmp(&b.0.rate)).expect("a round");
    table.told(&format!("floor, {together} a request"), &format!("{floor:.0} /s"));
    table.at_least(&format!("events taken in, {together} a request"), best.0.rate, 20_000.0);
    table.told("  of the floor", &format!("{:.0} %", best.0.rate / floor * 100.0));
    table.told("  answered, the middle and 99 of 100", &format!("{:.1?} {:.1?}", best.0.middle, best.0.p99));
    table.told("  not decided upon yet at the end", &best.1.to_string());
    table.told("  each decided upon", &format!("{:.0} /s", best.2));
    let memory = ours.iter().map(|ours| ours.3).fold(0.0, f64::max);
    table.at_most("  memory, the most at once", memory, "MiB", 256.0);
}

fn list(scratch: &Path, table: &mut Table) {
    let place = scratch.join("many");
    prepare(&place);
    fs::write(
        place.join("books/pattern.yaml"),
        "apiVersion: runbook/v1\nkind: Runbook\nname: pattern\nversion: 1.0.0\nsteps: [{set: {x: 1}}, {set: {y: 2}}]\n",
    )
    .expect("a file");
    succeeds(command(&place).args(["exec", "pattern", "--yes"]));
    store::fill(&place.join("state/journal.db"), RUNS);
    let server = serve_prepared(&place);
    let alone = lists(&server, || std::thread::sleep(LASTS));
    let mut taken = None;
    let meanwhile = lists(&server, || taken = Some(measure(server.address, Alerts::new(0, 1))));
    table.at_most("a list of runs, of 100,000, 99 of 100", alone.as_secs_f64() * 1e3, "ms", 50.0);
    table.at_most("  the same while events come in", meanwhile.as_secs_f64() * 1e3, "ms", 50.0);
    table.told("  and so many are taken in", &format!("{:.0} /s", taken.map_or(0.0, |taken| taken.rate)));
    table.at_most("  memory, the most at once", server.peak_memory(), "MiB", 256.0);
    server.ended();
}

/// The time that 99 of 100 of those who ask for the list of runs wait at most, while something goes on.
fn lists(server: &Server, meanwhile: impl FnOnce()) -> Duration {
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut lists = Lists { token: server.token.clone(), stop: &stop, due: Instant::now(), times: Vec::new() };
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                drive(server.address, 1, Instant::now() + Duration::from_millis(200), &mut lists);
            }
            percentile(&mut lists.times, 99)
        });
        meanwhile();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        asking.join().expect("lists")
    })
}

struct Lists<'s> {
    token: String,
    stop: &'s std::sync::atomic::AtomicBool,
    due: Instant,
    times: Vec<Duration>,
}

impl Asks for Lists<'_> {
    fn next(&mut self, now: Instant, request: &mut Vec<u8>) -> Option<u64> {
        if now < self.due || self.stop.load(std::sync::atomic::Ordering::Relaxed) {
            return None;
        }
        self.due = now + LISTS_EVERY;
        write!(request, "GET /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n", self.token)
            .expect("memory");
        Some(0)
    }

    fn answered(&mut self, _: u64, answer: &Answered<'_>) {
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.times.push(answer.took);
    }

    fn lost(&mut self, _: u64) {
        panic!("the server is gone");
    }
}

pub struct Measured {
    /// A second.
    pub rate: f64,
    /// With those that do not count.
    all: u64,
    /// Not taken.
    refused: u64,
    pub middle: Duration,
    pub p99: Duration,
}

/// What a sender makes of a number, and of the answer.
pub trait Sends {
    fn request(&mut self, number: u64, request: &mut Vec<u8>);
    /// In one request.
    fn events(&self) -> u64 {
        1
    }
    fn is_taken(&self, answer: &Answered<'_>) -> bool;
}

/// As many as are taken.
pub fn measure(address: SocketAddr, sends: impl Sends) -> Measured {
    let mut asks = Counting { sends, number: 0, taken: 0, refused: 0, times: Vec::new() };
    drive(address, CONNECTIONS, Instant::now() + BEGINNING, &mut asks);
    asks.taken = 0;
    asks.times.clear();
    let lasted = drive(address, CONNECTIONS, Instant::now() + LASTS, &mut asks);
    Measured {
        rate: asks.taken as f64 / lasted.as_secs_f64(),
        all: asks.number * asks.sends.events(),
        refused: asks.refused,
        middle: percentile(&mut asks.times, 50),
        p99: percentile(&mut asks.times, 99),
    }
}

struct Counting<S> {
    sends: S,
    number: u64,
    taken: u64,
    refused: u64,
    times: Vec<Duration>,
}

impl<S: Sends> Asks for Counting<S> {
    fn next(&mut self, _: Instant, request: &mut Vec<u8>) -> Option<u64> {
        self.number += 1;
        self.sends.request(self.number, request);
        Some(self.number)
    }

    fn answered(&mut self, _: u64, answer: &Answered<'_>) {
        match self.sends.is_taken(answer) {
            true => self.taken += self.sends.events(),
            false => self.refused += 1,
        }
        self.times.push(answer.took);
    }

    fn lost(&mut self, _: u64) {
        panic!("the server is gone");
    }
}

/// Alerts as Alertmanager posts them, so many together, each about something else.
struct Alerts {
    round: usize,
    together: u64,
    body: Vec<u8>,
}

impl Alerts {
    fn new(round: usize, together: u64) -> Alerts {
        Alerts { round, together, body: Vec::new() }
    }
}

impl Sends for Alerts {
    fn request(&mut self, number: u64, request: &mut Vec<u8>) {
        self.body.clear();
        let round = self.round;
        write!(self.body, r#"{{"receiver":"runbook","status":"firing","alerts":["#).expect("memory");
        for one in 0..self.together {
            let (number, comma) = (number * self.together + one, if one == 0 { "" } else { "," });
            let host = number % 1_000;
            write!(
                self.body,
                r#"{comma}{{"status":"firing","labels":{{"alertname":"DiskFull","device":"/dev/sda1","host":"db-{host:04}","job":"node","mountpoint":"/var/lib/postgresql","severity":"page","team":"storage"}},"annotations":{{"summary":"/var/lib/postgresql on db-{host:04} is 97 % full"}},"startsAt":"2026-11-22T05:00:00.123Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus:9090/graph?g0.expr=node_filesystem_avail_bytes","fingerprint":"{round:04x}{number:012x}"}}"#
            )
            .expect("memory");
        }
        write!(
            self.body,
            r#"],"groupLabels":{{"alertname":"DiskFull"}},"commonLabels":{{"alertname":"DiskFull","job":"node","severity":"page"}},"commonAnnotations":{{}},"externalURL":"http://alertmanager:9093","version":"4","groupKey":"{{}}:{{alertname=\"DiskFull\"}}","truncatedAlerts":0}}"#
        )
        .expect("memory");
        let length = self.body.len();
        write!(
            request,
            "POST /events/alerts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
        .expect("memory");
        request.extend_from_slice(&self.body);
    }

    fn events(&self) -> u64 {
        self.together
    }

    fn is_taken(&self, answer: &Answered<'_>) -> bool {
        answer.status == 202
    }
}

const TOKEN: &str = "a-token-of-alertmanager";

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
name: bench
people: {you: {users: [USER]}}
escalations: {e: {steps: [{to: [you], after: 10m}]}}
sources:
  alerts: {type: alertmanager, bearer: secrets.token, secrets: {token: {env: ALERTS_TOKEN}}}
access: [{role: viewer, to: [you]}]
";

/// It reads each event, and starts few runs.
const PLAYBOOK: &str = "apiVersion: runbook/v1
kind: Playbook
name: fix
version: 1.0.0
owner: o
impact: low
escalation: e
triggers:
  - source: alerts
    when: event.data.labels.severity == \"page\"
    inputs: {host: event.data.labels.host}
    dedup: {key: event.data.labels.host, window: 10m}
    limit: {runs: 5, per: 1h}
    concurrency: {key: event.data.labels.host}
inputs: {host: {type: string}}
steps: [{id: say, exec: [echo, '{{inputs.host}}'], effect: none}]
";

fn prepare(place: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for folder in ["books", "state"] {
        fs::create_dir_all(place.join(folder)).expect("a folder");
    }
    fs::set_permissions(place.join("state"), fs::Permissions::from_mode(0o700)).expect("only ours");
    let user = Command::new("id").arg("-un").output().expect("id");
    let workspace = WORKSPACE.replace("USER", String::from_utf8_lossy(&user.stdout).trim());
    fs::write(place.join("books/workspace.yaml"), workspace).expect("a file");
    fs::write(place.join("books/fix.yaml"), PLAYBOOK).expect("a file");
}

fn command(place: &Path) -> Command {
    let mut command = Command::new(RUNBOOK);
    command.env("RUNBOOK_CATALOGUE", place.join("books")).env("RUNBOOK_STATE", place.join("state")).env("ALERTS_TOKEN", TOKEN);
    command.current_dir(place).stdin(Stdio::null());
    command
}

pub fn succeeds(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn serve(place: &Path) -> Server {
    prepare(place);
    serve_prepared(place)
}

fn serve_prepared(place: &Path) -> Server {
    let token = succeeds(command(place).args(["token", "create", "--for", "you"])).trim().to_owned();
    let log = fs::File::create(place.join("log")).expect("a log");
    let mut command = command(place);
    command.args(["serve", "--listen", "127.0.0.1:0"]).stderr(log);
    let mut server = Server::start(command);
    server.token = token;
    server
}

/// A server that is a child of this process, and says on its first line where it listens.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    token: String,
}

impl Server {
    pub fn start(mut command: Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let address = line.trim().rsplit('/').next().and_then(|address| address.parse().ok());
        Server { child, address: address.expect("an address"), token: String::new() }
    }

    /// Events that wait for a decision.
    fn undecided(&self) -> u64 {
        let text = get(self.address, "/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix("runbook_events_undecided "));
        line.and_then(|count| count.trim().parse().ok()).expect("a count")
    }

    /// In MiB.
    fn peak_memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|size| size.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()).expect("a size") / 1024.0
    }

    pub fn ended(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it lives");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body at an address.
pub fn get(address: SocketAddr, path: &str) -> String {
    use std::io::Read as _;
    let mut stream = std::net::TcpStream::connect(address).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).expect("a body")
}

/// Beside what the program was built into.
fn target() -> PathBuf {
    Path::new(RUNBOOK).ancestors().nth(2).expect("the target folder").to_owned()
}
