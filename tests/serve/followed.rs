//! Runs of a server followed from elsewhere, in a terminal and without one: started, shown as they go, asked about in place, left, interrupted, taken
//! back; and what is seen where the server dies meanwhile, or does not tell the truth.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::harness::terminal::{ROOMY, Terminal};
use crate::harness::{PATIENCE, eventually};
use crate::remote::There;

/// Looks, asks, and changes a file.
const STEPS: &str = "[{id: say, name: Say it, run: 'echo working on {{inputs.host}}', effect: read}, {id: go, approve: {question: 'Mend {{inputs.host}}?', within: 1h}}, {id: write, run: 'echo {{inputs.host}} >> fixed.txt', undo: {run: rm fixed.txt}}]";

/// Its second step takes as long as it is let.
const LONG: &str = "[{id: first, run: 'echo first >> told', undo: {run: 'echo taken back >> told'}}, {id: long, run: 'echo the last line; touch begun; until test -e go || ! test -e fix.yaml; do sleep 0.05; done', effect: read}, {id: third, run: 'echo third >> told', irreversible: it is a test}]";

const HOW: &str = "leave it to the server, stay, cancel, or cancel and undo? [leave/stay/cancel/undo/?]";

impl There {
    fn terminal(&self, line: &str) -> Terminal {
        let mut command = self.command(line);
        command.env("TERM", "xterm-256color");
        Terminal::start(command, ROOMY)
    }

    /// In the folder where steps run.
    fn file(&self, name: &str) -> PathBuf {
        self.place.books.join(name)
    }

    fn told(&self) -> String {
        std::fs::read_to_string(self.file("told")).unwrap_or_default()
    }

    fn begins(&self) {
        eventually("the long step", || self.file("begun").exists().then_some(()));
    }

    fn let_go(&self) {
        std::fs::write(self.file("go"), "").unwrap();
    }
}

#[test]
fn a_person_starts_a_run_there_sees_it_go_and_is_asked_in_place() {
    let there = There::new(STEPS);
    let mut terminal = there.terminal("exec fix");
    terminal.asks("host (string):").types("db1");
    terminal.sees("sh: echo").sees("would run").asks("start? [y/N]").types("y");
    terminal
        .sees("succeeded  1. say · Say it")
        .sees("── approval wanted ──")
        .sees("Mend db1?")
        .asks("your decision [approve/reject/later/?]");
    assert!(!there.file("fixed.txt").exists(), "nothing happens unasked");
    terminal.types("approve");
    let seen = terminal.ends(0);
    assert!(seen.contains("succeeded  the run") && seen.contains("next: runbook show"), "{seen}");
    assert_eq!(std::fs::read_to_string(there.file("fixed.txt")).unwrap(), "db1\n");
    let run = there.place.runs().remove(0);
    assert_eq!((run["requested_by"].as_str(), run["outcome"].as_str()), (Some("you"), Some("succeeded")), "{run}");
    let audit = there.place.runbook.run(["audit"]).assert(0).stdout;
    assert!(audit.contains("run_start") && audit.contains("decide"), "{audit}");
    there.server.stopped();
}

#[test]
fn without_a_terminal_nothing_is_asked_and_what_is_next_is_said() {
    let there = There::new(STEPS);
    let ran = there.run("exec fix --input host=db1 --yes").assert(3);
    let run = there.place.runs()[0]["run"].as_str().unwrap().to_owned();
    assert!(ran.stderr.contains("── approval wanted ──") && ran.stderr.contains("Mend db1?"), "{}", ran.stderr);
    let next = ran.stderr.lines().last().unwrap().to_owned();
    let command = next.strip_prefix("next: runbook ").unwrap().to_owned();
    assert!(
        command.starts_with(&format!("approve {run} --digest ")) && !command.contains("resume"),
        "the server goes on with it: {next}"
    );
    // Somebody follows it meanwhile; what they are told is the record itself.
    let follower = there.command(&format!("resume {run} --json"));
    let follower = std::thread::spawn(move || crate::remote::ran(follower));
    assert_eq!(follower.join().unwrap().assert(3).stdout, "", "nothing was recorded since");
    there.run(&command).assert(0).says("recorded: approve");
    let followed = there.run(&format!("resume {run}"));
    assert!(followed.code == 0 || followed.stderr.contains("has ended: succeeded"), "{}", followed.stderr);
    there.place.run_that("ended");
    let told = there.run("exec fix --input host=db2 --json").assert(3).stdout;
    assert_eq!(told, there.place.runbook.run(["show", "last", "--json"]).assert(0).stdout);
    // In the background it is there, whoever looks.
    let id = there.run("exec fix --input host=db3 --detach").assert(0).stdout;
    eventually("its question", || there.run(&format!("show {}", id.trim())).stdout.contains("waiting").then_some(()));
    // Part of a procedure is a decision of its own; one step after the other too.
    there.run("exec fix --input host=db4 --only write --yes").assert(3).says("only a part of the procedure would run");
    there.run("exec fix --input host=db4 --step --yes").assert(3).says("go on with the next step?");
    there.server.stopped();
}

#[test]
fn what_cannot_be_started_is_told_as_it_is_here() {
    let there = There::new(STEPS);
    for (line, code, why, next) in [
        ("exec fix", 2, "input `host`: it is missing", "runbook exec fix --input host=…"),
        ("exec fix -i host=a -i other=b", 2, "other", "runbook exec fix --input host=a"),
        (
            "exec fix -i host=a --from nowhere",
            2,
            "there is no step `nowhere` in the outermost list of `fix`",
            "use one of: say, go, write",
        ),
        ("exec fix -i host=a --env live", 2, "live", "mend what is named"),
        ("exec none", 2, "has no procedure `none`", "name a procedure of the catalogue that the server has"),
        ("exec ./fix.yaml", 2, "a server runs no files of this machine", "name a procedure of the catalogue"),
        ("resume none", 2, "there is no run `none`", "runbook runs"),
    ] {
        let ran = there.run(line).assert(code);
        assert!(ran.stderr.contains(why) && ran.stderr.contains(&format!("next: {next}")), "{line}: {}", ran.stderr);
    }
    there.with(&there.vera, &["exec", "fix", "-i", "host=a", "--yes"]).assert(2).says("next: ask whoever keeps workspace.yaml");
    assert!(there.place.runs().is_empty());
    there.server.stopped();
}

#[test]
fn ctrl_c_leaves_a_run_to_the_server_or_ends_it() {
    for (word, code, left) in [
        ("leave", 3, "first\nthird\n"),
        ("stay", 0, "first\nthird\n"),
        ("cancel", 130, "first\n"),
        ("undo", 130, "first\ntaken back\n"),
    ] {
        let there = There::new(LONG);
        let mut terminal = there.terminal("exec fix -i host=db1 --yes");
        there.begins();
        terminal.sees("running  2. long").sees("│ the last line");
        terminal.presses("\x03").sees("the run goes on at the server; Ctrl-C again cancels it");
        terminal.asks(HOW).types(word);
        if word == "stay" {
            there.let_go();
        }
        let seen = terminal.ends(code);
        if word == "leave" {
            assert!(seen.contains("goes on at the server") && seen.contains("next: runbook resume"), "{seen}");
            let mut again = there.terminal("resume last");
            again.sees("under way").sees("running").sees("2. long");
            there.let_go();
            again.ends(0);
        }
        assert_eq!(there.told(), left, "{word}\n{seen}");
        there.server.stopped();
    }
}

#[test]
fn a_second_ctrl_c_cancels_and_who_cannot_be_asked_leaves() {
    let there = There::new(LONG);
    let mut terminal = there.terminal("exec fix -i host=db1 --yes");
    there.begins();
    terminal.presses("\x03").asks(HOW).presses("\x03");
    terminal.ends(130);
    assert_eq!(there.told(), "first\n");
    std::fs::remove_file(there.file("begun")).unwrap();
    let mut child = there.command("exec fix -i host=db2").spawn().unwrap();
    there.begins();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    there.let_go();
    eventually("its end", || (there.told() == "first\nfirst\nthird\n").then_some(()));
    there.server.stopped();
}

#[test]
fn what_was_done_is_taken_back_and_paused_runs_go_on() {
    let there = There::new(STEPS);
    let run = |host: &str| {
        let ran = there.run(&format!("exec fix -i host={host}")).assert(3);
        let command = ran.stderr.lines().last().unwrap().strip_prefix("next: runbook ").unwrap().to_owned();
        there.run(&command).assert(0);
        command.split(' ').nth(1).unwrap().to_owned()
    };
    let first = run("db1");
    there.place.run_that("ended");
    there.run(&format!("resume {first}")).assert(2).says("has ended: succeeded");
    let undone = there.run(&format!("undo {first} --yes --reason typo")).assert(0);
    assert!(
        undone.stderr.contains("would be taken back, in this order:") && undone.stderr.contains("rolled back the run"),
        "{}",
        undone.stderr
    );
    assert!(!there.file("fixed.txt").exists());
    there.run(&format!("undo {first} --yes")).assert(2).says("there is nothing to undo");
    there.run(&format!("verify {first}")).assert(0).says("whole: run");
    there.run("exec fix -i host=db2").assert(3);
    there.run("pause last --reason later").assert(0);
    there.run("undo last --yes").assert(2).says("has not ended");
    let resumed = there.run("resume last").assert(3);
    assert!(resumed.stderr.contains("paused by you") && resumed.stderr.contains("later"), "{}", resumed.stderr);
    assert!(resumed.stderr.contains("next: runbook approve"), "{}", resumed.stderr);
    there.server.stopped();
}

#[test]
fn whoever_follows_goes_on_where_they_were_when_the_server_is_there_again() {
    let there = There::new(LONG);
    let mut terminal = there.terminal("exec fix -i host=db1 --yes");
    there.begins();
    terminal.sees("running  2. long");
    let address = there.server.address.clone();
    let There { place, server, .. } = there;
    server.killed();
    terminal.sees("was lost").sees("it is tried again");
    let server = place.start(&["serve", "--listen", &address]);
    terminal.sees("connected again").sees("taken up");
    std::fs::write(place.books.join("go"), "").unwrap();
    let seen = terminal.ends(0);
    assert_eq!(seen.matches("succeeded  1. first").count(), 1, "each event is seen once\n{seen}");
    assert!(seen.contains("succeeded  the run"), "{seen}");
    server.stopped();
}

/// Stands between a client and the server, and tells something else than the server did.
fn liar(server: &str, truth: &'static str, lie: &'static str) -> String {
    assert_eq!(truth.len(), lie.len());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, server) = (listener.local_addr().unwrap().to_string(), server.to_owned());
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let mut behind = TcpStream::connect(&server).unwrap();
            let (mut asking, mut asked) = (client.try_clone().unwrap(), behind.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut asking, &mut asked));
            std::thread::spawn(move || {
                let mut bytes = [0; 64 * 1024];
                behind.set_read_timeout(Some(PATIENCE)).unwrap();
                while let Ok(count @ 1..) = behind.read(&mut bytes) {
                    // An answer comes whole or not at all on this machine, more often than not; what is cut is told as it is.
                    let text: Vec<u8> = String::from_utf8(bytes[..count].to_vec())
                        .map_or_else(|e| e.into_bytes(), |t| t.replace(truth, lie).into_bytes());
                    if client.write_all(&text).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn what_a_server_made_up_is_not_shown() {
    let there = There::new(STEPS);
    let run = {
        let ran = there.run("exec fix -i host=db1").assert(3);
        ran.stderr.lines().last().unwrap().split(' ').nth(3).unwrap().to_owned()
    };
    there.run(&format!("note {run} all-is-well")).assert(0);
    let lying = format!("http://{}", liar(&there.server.address, "all-is-well", "all-is-lost"));
    for line in [format!("show {run}"), format!("export {run}"), format!("replay {run}"), format!("resume {run}")] {
        let mut command = there.command(&line);
        command.env("RUNBOOK_SERVER", &lying);
        let ran = crate::remote::ran(command);
        if line.starts_with("export") {
            // A copy is made as it came, and does not prove itself.
            let file = there.file("made-up.jsonl");
            std::fs::write(&file, &ran.stdout).unwrap();
            there.place.runbook.run(["verify", file.to_str().unwrap()]).assert(1).says("is not what was recorded");
            continue;
        }
        assert_eq!(ran.code, 1, "{line}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("the record is damaged: event ") && ran.stderr.contains("is not what was recorded"),
            "{line}: {}",
            ran.stderr
        );
        assert!(!ran.stdout.contains("all-is-lost"), "{line}: {}", ran.stdout);
    }
    // While it is followed too.
    let mut command = there.command(&format!("resume {run}"));
    command.env("RUNBOOK_SERVER", format!("http://{}", liar(&there.server.address, "what-is-true", "what-is-made")));
    let follower = std::thread::spawn(move || crate::remote::ran(command));
    std::thread::sleep(Duration::from_millis(300));
    there.run(&format!("note {run} what-is-true")).assert(0);
    let ran = follower.join().unwrap();
    assert!(ran.code == 1 && ran.stderr.contains("is not what was recorded"), "{}: {}", ran.code, ran.stderr);
    there.server.stopped();
}
