//! `runbook … --server URL`: what a command does with the runs of a server is what it does with those of a state folder; and what it says
//! where a server cannot be reached, or does not let it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::harness::authority::Authority;
use crate::harness::program::Ran;
use crate::harness::{eventually, run as harness_run};
use crate::server::{Place, Server, playbook};

const STEPS: &str = "[{id: say, name: Say it, run: 'echo working on {{inputs.host}}; echo aside >&2', effect: read}, {id: go, approve: {question: 'Mend {{inputs.host}}?', within: 1h}}, {id: write, run: 'echo {{inputs.host}} >> fixed.txt', undo: {run: rm fixed.txt}}]";

const ACCESS: &str = "people: {you: {users: [USER]}, vera: {}, bob: {}}
rotations: {web: {members: [bob, vera], starts: 2026-01-05, hand_over: {days: mon, at: '09:00'}, zone: Europe/Paris}}
access:
  - {role: operator, to: [you]}
  - {role: approver, to: [you, bob]}
  - {role: admin, to: [you]}
  - {role: viewer, to: [vera]}
policies:
  - {name: losses-are-signed, when: {effect: destructive}, require: {signed: true, approve: {from: [bob], within: 1h, on_timeout: escalate}}}
";

/// A server, and tokens for it.
pub struct There {
    pub place: Place,
    pub server: Server,
    you: String,
    pub vera: String,
    pub bob: String,
}

impl There {
    pub fn new(steps: &str) -> There {
        let place = Place::with(&playbook("1.0.0", "", steps));
        let user = harness_run(Command::new("id").arg("-un"));
        let workspace = std::fs::read_to_string(place.books.join("workspace.yaml")).unwrap();
        let people = workspace.lines().find(|line| line.starts_with("people:")).unwrap().to_owned();
        place.write("workspace.yaml", &workspace.replace(&people, &ACCESS.replace("USER", user.trim())));
        let token = |person: &str| place.runbook.run(["token", "create", "--for", person]).assert(0).stdout.trim().to_owned();
        let (you, vera, bob) = (token("you"), token("vera"), token("bob"));
        let server = place.serve();
        There { place, server, you, vera, bob }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.you)
    }

    /// A command over the server, with somebody's token.
    pub fn with(&self, token: &str, words: &[&str]) -> Ran {
        let mut command = self.place.runbook.command(words);
        command.env("RUNBOOK_SERVER", self.url()).env("RUNBOOK_TOKEN", token);
        ran(command)
    }

    pub fn run(&self, line: &str) -> Ran {
        ran(self.command(line))
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = self.place.runbook.command(line.split(' '));
        command.env("RUNBOOK_SERVER", self.url()).env("RUNBOOK_TOKEN", &self.you);
        command
    }

    /// An alert about a host, and the run that it starts once it asks.
    pub fn waits(&self, host: &str) -> String {
        assert_eq!(self.server.alert("firing", &[host]).status, 202);
        let asks = |run: &Value| run["phase"] == "waiting" && run["open_decisions"] == 1 && run["held"] == false;
        eventually("its question", || {
            let run = self.place.runs().into_iter().next().filter(asks)?;
            Some(run["run"].as_str().unwrap().to_owned())
        })
    }

    pub fn digest(&self, run: &str) -> String {
        let asked = self.run(&format!("decisions {run} --json")).assert(0).stdout;
        let asked: Value = serde_json::from_str(asked.trim()).unwrap();
        asked["request"]["digest"].as_str().unwrap().to_owned()
    }
}

/// What was printed, word by word, without how long something took or has left: that goes on from one command to the next.
fn still(text: &str) -> Vec<Vec<String>> {
    let is_time = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        word.strip_suffix("ms").or(word.strip_suffix(['s', 'm', 'h'])).is_some_and(|number| number.parse::<f64>().is_ok())
    };
    text.lines().map(|line| line.split_whitespace().filter(|word| !is_time(word)).map(str::to_owned).collect()).collect()
}

pub fn ran(mut command: Command) -> Ran {
    let line = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { line, code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

#[test]
fn what_is_looked_at_over_a_server_looks_as_it_does_beside_it() {
    let there = There::new(STEPS);
    let first = there.waits("db1");
    there.run(&format!("approve {first} --digest {} --reason seen", there.digest(&first))).assert(0);
    there.place.run_that("ended");
    let second = there.waits("db2");
    there.run(&format!("note {second} look-here")).assert(0).says("noted in run");
    let (prefix, end) = (&second[..second.len() - 4], &first[first.len() - 6..]);
    for line in [
        "runs",
        "runs --json",
        "runs --open -n 1",
        "runs --procedure fix",
        "runs --procedure none",
        "show last",
        &format!("show {end}"),
        &format!("show {prefix}"),
        &format!("show {first} --json"),
        "show nothing",
        "decisions",
        "decisions last",
        "decisions --json",
        &format!("decisions {first}"),
        &format!("logs {first}"),
        &format!("logs {first} say --raw"),
        &format!("logs {first} say --from 8"),
        &format!("logs {first} say --attempt 2"),
        &format!("logs {first} go"),
        &format!("logs {first} nowhere"),
        &format!("replay {first} --progress plain"),
        &format!("export {first}"),
        "events",
        "events --json",
        "events --decision ran -n 1",
        "events --run last",
        "events 1",
        "events 77",
        "dry-run fix",
        "oncall",
        "oncall web --json",
        "oncall nobody",
    ] {
        let (here, over) = (there.place.runbook.run(line.split(' ')), there.run(line));
        assert_eq!(still(&over.stdout), still(&here.stdout), "{line}\n{}", over.stderr);
        // What is next on the machine itself is to go on there; the server looks after its runs.
        let told = |text: &str| still(text).into_iter().filter(|line| !line.starts_with(&["next:".to_owned()])).collect::<Vec<_>>();
        assert_eq!((over.code, told(&over.stderr)), (here.code, told(&here.stderr)), "{line}");
    }
    // But for the times of earlier runs, which are known where those are.
    let foreseen = |ran: Ran| {
        let known = |line: &Vec<String>| line.first().is_some_and(|word| word == "usually:");
        still(&ran.assert(0).stdout).into_iter().filter(|line| !known(line)).collect::<Vec<_>>()
    };
    let words = "dry-run fix --input host=db1";
    assert_eq!(foreseen(there.run(words)), foreseen(there.place.runbook.run(words.split(' '))));
    let audit = |ran: Ran| ran.stdout.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let over = audit(there.run("audit -n 1000").assert(0));
    let here = audit(there.place.runbook.run("audit -n 1000".split(' ')).assert(0));
    assert!(over.len() > 3 && here.ends_with(&over), "what was asked meanwhile stands before it: {over:?} {here:?}");
    assert_eq!(there.run("audit -n 1 --json").assert(0).stdout.lines().count(), 1);
    let refused = there.with(&there.vera, &["audit"]);
    assert!(refused.code != 0 && refused.stderr.contains("no role of `vera` allows this"), "{}", refused.stderr);
    for (words, why) in [
        ("oncall override web --who you --until 8h", "said where the state folder is"),
        ("oncall cancel 1", "said where the state folder is"),
        ("oncall --days 3", "and no other time"),
        ("dry-run fix --probe", "where they run"),
    ] {
        there.run(words).assert(2).says(why);
    }
    // A file is one of this machine, unless the server is named for it.
    let file = there.place.books.join("fix.yaml").display().to_string();
    there.run(&format!("dry-run {file} --input host=db1 --server {}", there.url())).assert(2).says("runs no files of this machine");
    there.run(&format!("dry-run {file} --input host=db1")).assert(0).says("would run");
    // The record proves itself here, and so does what is written of it.
    there.run(&format!("verify {first}")).assert(0).says("whole: run").says("0 logs compared");
    let file = there.place.books.join("first.jsonl");
    there.run(&format!("export {first} -o {}", file.display())).assert(0);
    there.place.runbook.run(["verify", file.to_str().unwrap()]).assert(0).says("whole: run");
    there.server.stopped();
}

#[test]
fn people_decide_and_steer_over_a_server() {
    let there = There::new(STEPS);
    let approved = there.waits("db1");
    let digest = there.digest(&approved);
    // Bound to what was shown, and to who one is.
    there.run(&format!("approve {approved}")).assert(2).says("names what it is of");
    there.run(&format!("approve {approved} --digest 0123456789ab")).assert(2).says("it has changed since it was shown");
    there.with(&there.vera, &["approve", &approved, "--digest", &digest]).assert(2).says("next: ask whoever keeps workspace.yaml");
    let short = &digest["sha256:".len()..][..12];
    let ran = there.with(&there.bob, &["approve", &approved, "--digest", short, "--reason", "it is full"]).assert(0);
    assert!(ran.stderr.contains(&format!("recorded: approve for d1 of run {approved}")), "{}", ran.stderr);
    let ended = there.place.run_that("ended");
    assert_eq!(ended["outcome"], "succeeded");
    let shown = there.place.runbook.run(["show", &approved]).assert(0).stdout;
    assert!(shown.contains("approve by bob (") && shown.contains("it is full"), "{shown}");
    there.with(&there.bob, &["approve", &approved, "--digest", short]).assert(2).says("waits for no decision");

    let rejected = there.waits("db2");
    there.run(&format!("reject {rejected}")).assert(2).says("a rejection needs a reason");
    there.run(&format!("reject {rejected} --reason no")).assert(0).says("recorded: reject");
    eventually("its end", || there.run(&format!("show {rejected}")).stdout.contains("rejected").then_some(()));

    let steered = there.waits("db3");
    there
        .run(&format!("pause {steered} --reason wait"))
        .assert(0)
        .says("is paused")
        .says(&format!("next: runbook resume {steered}"));
    assert_eq!(there.place.run_that("paused")["run"], steered.as_str());
    there.run(&format!("cancel {steered} --reason enough")).assert(0).says("is cancelled");
    eventually("its end", || there.run(&format!("show {steered}")).stdout.contains("cancelled").then_some(()));
    there.run(&format!("cancel {steered}")).assert(2).says("has ended already: cancelled");
    there.run("cancel nothing").assert(2).says("there is no run `nothing`");
    // Who decided is who the token is of, and the audit log of the server has all of it.
    let audit = there.place.runbook.run(["audit"]).assert(0).stdout;
    for act in ["decide", "pause", "cancel", "not_allowed"] {
        assert!(audit.contains(act), "{act}: {audit}");
    }
    there.server.stopped();
}

#[test]
fn who_is_not_let_in_is_told_what_to_do() {
    let there = There::new(STEPS);
    let short = there.place.runbook.run("token create --for you --expires 1s".split(' ')).assert(0).stdout.trim().to_owned();
    let revoked = there.place.runbook.run("token create --for you".split(' ')).assert(0).stdout.trim().to_owned();
    there.place.runbook.run(["token", "revoke", revoked.split('_').nth(1).unwrap()]).assert(0);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    for (token, why, next) in [
        ("", "show a token", "put a token into RUNBOOK_TOKEN"),
        ("nonsense", "the token is not one of this server", "put a new token into RUNBOOK_TOKEN"),
        (&short, "the token has expired", "put a new token into RUNBOOK_TOKEN"),
        (&revoked, "the token was revoked", "put a new token into RUNBOOK_TOKEN"),
        ("two\nlines", "the token holds what no token can", "as it was printed"),
    ] {
        let ran = there.with(token, &["runs"]);
        assert_ne!(ran.code, 0, "{why}");
        assert!(
            ran.stderr.contains(why) && ran.stderr.contains(&format!("next: {next}")) | ran.stderr.contains(next),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("rbk_") || token.is_empty(), "no token is printed: {}", ran.stderr);
    }
    // From a file that nobody else can read.
    let file = there.place.books.join("token");
    std::fs::write(&file, format!("{}\n", there.you)).unwrap();
    let of_file = || {
        let mut command = there.place.runbook.command(["runs", "--server", &there.url()]);
        command.env("RUNBOOK_TOKEN_FILE", &file);
        ran(command)
    };
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    of_file().assert(2).says("others of this machine can read the token").says("next: chmod 600 ");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    of_file().assert(0).says("no runs yet");
    // Commands that are shown carry the flag that this one was given.
    let command = format!("--server {} runs --open", there.url());
    let mut given = there.place.runbook.command(command.split(' '));
    given.env("RUNBOOK_TOKEN", &there.you);
    ran(given).assert(0).says(&format!("next: runbook --server {} runs", there.url()));
    there.server.stopped();
}

#[test]
fn what_is_no_server_of_ours_is_told_apart() {
    let there = There::new(STEPS);
    let runs = |server: &str, more: &[&str]| {
        let words: Vec<&str> = ["--server", server, "runs"].iter().chain(more).copied().collect();
        let mut command = there.place.runbook.command(words);
        command.env("RUNBOOK_TOKEN", &there.you);
        ran(command)
    };
    // Whatever answers there.
    let other = |answer: &'static str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.read(&mut [0; 8192]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        address
    };
    let refused = other(
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nContent-Length: 93\r\nConnection: close\r\n\r\n{\"title\":\"x\",\"status\":404,\"kind\":\"not_found\",\"detail\":\"there is nothing at this address\"}    ",
    );
    let page = other("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\nConnection: close\r\n\r\n<hi>");
    let moved = other("HTTP/1.1 302 Found\r\nLocation: https://example.org/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let ill = other("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\nConnection: close\r\n\r\nill");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (server, why, next) in [
        (format!("http://{nobody}"), "cannot be reached: Connection refused", "see whether `runbook serve` answers at"),
        (refused, "does not know what this version asks of it", "update the older one"),
        (page, "does not speak as this version does", "update the older one"),
        (moved, "it sends elsewhere, and a token is not taken there", "update the older one"),
        (ill, "it answers 502 Bad Gateway", "update the older one"),
        ("http://runbook.example.org".to_owned(), "in the clear, for everybody on the way to read", "begins with https://"),
        ("ftp://127.0.0.1".to_owned(), "begins with neither https:// nor http://", "give it as https://"),
        ("https://you:secret@127.0.0.1".to_owned(), "it holds a credential", "give it as https://"),
        ("nowhere".to_owned(), "is no address of a server", "give it as https://"),
    ] {
        let ran = runs(&server, &[]);
        assert_ne!(ran.code, 0, "{server}");
        assert!(
            ran.stderr.contains(why) && ran.stderr.contains(next) && ran.stderr.contains("\nnext: "),
            "{server}: {}",
            ran.stderr
        );
    }
    // What is about no runs, or about the folder of this machine alone.
    for (line, why) in [
        ("prune --logs-after 90d", "this is for the state folder of a machine"),
        ("token list", "this is for the state folder of a machine"),
        ("check", "no server is asked for this"),
        ("decisions --ahead fix", "this is for the state folder of the machine where"),
        ("events replay", "this is for the state folder of the machine where"),
    ] {
        let words = format!("--server {} {line}", there.url());
        let mut command = there.place.runbook.command(words.split(' '));
        command.env("RUNBOOK_TOKEN", &there.you);
        let ran = ran(command);
        assert!(
            ran.code == 2 && ran.stderr.contains(why) && ran.stderr.contains("\nnext: "),
            "{line}: {} {}",
            ran.code,
            ran.stderr
        );
    }
    // What names the server by a variable says nothing of commands that ask none.
    there.run("check").assert(0);
    there.run("--state elsewhere runs").assert(0).says("no runs yet");
    there.run("config").assert(0).says("environment RUNBOOK_SERVER");
    there.server.stopped();
}

#[test]
fn a_server_over_tls_is_believed_by_its_authority_alone() {
    let there = There::new(STEPS);
    let authority = Authority::new(there.place.books.join("authority"), "remote");
    let bundle = there.place.books.join("bundle.pem");
    authority.issue("localhost", 30, &bundle);
    let (certificate, key) =
        (bundle.to_string_lossy().into_owned(), authority.dir.join("site/key.pem").to_string_lossy().into_owned());
    let server = there.place.start(&["serve", "--listen", "127.0.0.1:0", "--tls-certificate", &certificate, "--tls-key", &key]);
    let url = format!("https://localhost:{}", server.address.rsplit(':').next().unwrap());
    let runs = |more: &[&str]| {
        let words: Vec<&str> = ["--server", &url].into_iter().chain(more.iter().copied()).chain(["runs"]).collect();
        let mut command = there.place.runbook.command(words);
        command.env("RUNBOOK_TOKEN", &there.you);
        ran(command)
    };
    runs(&[]).assert(1).says("cannot be reached").says("next: give the certificate of its authority with --server-ca FILE");
    runs(&["--server-ca", authority.trust.to_str().unwrap()]).assert(0).says("no runs yet");
    runs(&["--server-ca", "/nowhere.pem"]).assert(1).says("cannot read /nowhere.pem");
    runs(&["--server-ca", &key]).assert(2).says("next: give a file with certificates as PEM");
    server.stopped();
}
