//! The program as people meet it: its commands on real folders, what goes to which stream, and how it exits.
//!
//! Standard input is never a terminal here, so nothing may ask. The transcripts of the README and the examples have a test of
//! their own.

#[path = "cli/accounts.rs"]
mod accounts;
#[path = "cli/asked.rs"]
mod asked;
#[path = "cli/bounds.rs"]
mod bounds;
#[path = "cli/compared.rs"]
mod compared;
#[path = "cli/drafted.rs"]
mod drafted;
#[path = "cli/dry_runs.rs"]
mod dry_runs;
#[path = "cli/events.rs"]
mod events;
#[path = "cli/explored.rs"]
mod explored;
#[path = "cli/form.rs"]
mod form;
#[path = "cli/guides.rs"]
mod guides;
#[path = "cli/next.rs"]
mod next;
#[path = "cli/on_call.rs"]
mod on_call;
#[path = "cli/recorded.rs"]
mod recorded;
#[path = "cli/rehearsed.rs"]
mod rehearsed;
#[path = "cli/reviewed.rs"]
mod reviewed;
#[path = "cli/shown.rs"]
mod shown;
#[path = "cli/surroundings.rs"]
mod surroundings;
#[path = "cli/trials.rs"]
mod trials;
#[path = "cli/twins.rs"]
mod twins;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A catalogue and a state folder of its own, and the program over them.
struct Desk {
    dir: tempfile::TempDir,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    fn new(files: &[(&str, &str)]) -> Desk {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("work")).unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join("work").join(name), text).unwrap();
        }
        Desk { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("work").join(name)
    }

    fn mode(&self, name: &str) -> u32 {
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(self.path(name)).unwrap().permissions()) & 0o777
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(words(line)).current_dir(self.dir.path().join("work")).stdin(Stdio::null());
        command.env_clear().env("PATH", path).env("HOME", self.dir.path()).env("TMPDIR", self.dir.path()).env("TZ", "UTC");
        command
    }

    fn run(&self, line: &str) -> Ran {
        let output = self.command(line).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Approves what a run asks for, as somebody does who has seen it.
    #[track_caller]
    fn approve(&self, run: &str, reason: &str) -> Ran {
        let shown = self.run(&format!("decisions {run} --json")).exits(0).out;
        let shown: serde_json::Value = serde_json::from_str(shown.lines().next().unwrap_or_default()).unwrap();
        let digest = shown["request"]["digest"].as_str().unwrap();
        self.run(&format!("approve {run} --digest {digest} --reason '{reason}'")).exits(0)
    }

    /// The id of the newest run.
    fn last(&self) -> String {
        let list = self.run("runs --json -n 1").out;
        let json: serde_json::Value = serde_json::from_str(list.trim()).unwrap();
        json["run"].as_str().unwrap().to_owned()
    }
}

impl Ran {
    #[track_caller]
    fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(self, text: &str) -> Ran {
        assert!(self.err.contains(text), "`{text}` is not in stderr:\n{}", self.err);
        self
    }

    #[track_caller]
    fn prints(self, text: &str) -> Ran {
        assert!(self.out.contains(text), "`{text}` is not in stdout:\n{}", self.out);
        self
    }
}

/// The root of the repository.
fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// Words of a command line; `'…'` keeps spaces.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, part) in line.split('\'').enumerate() {
        if place % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn procedure(steps: &str) -> String {
    format!("apiVersion: runbook/v1\nkind: Runbook\nname: try\nversion: 1.0.0\n{steps}")
}

const APPROVAL: &str = "steps:
  - id: go
    approve: {question: Write it?}
  - id: write
    run: echo done > written.txt
    undo:
      run: rm written.txt
";

#[test]
fn how_each_end_exits() {
    for (name, steps, code, said) in [
        ("success", "steps:\n  - run: 'true'\n    effect: read\n", 0, "succeeded  the run"),
        ("failure", "steps:\n  - run: echo broken; exit 3\n    effect: read\n", 1, "│ broken"),
        ("misspelt", "steps:\n  - run: 'true'\n    efect: read\n", 2, "efect"),
        ("waiting", APPROVAL, 3, "waits for a person"),
        ("finish", "steps:\n  - finish: {outcome: failed, message: not today}\n", 1, "not today"),
        (
            "rollback",
            "steps:\n  - run: 'true'\n    undo:\n      run: 'true'\n  - run: exit 1\n    effect: read\n    on_failure: rollback\n",
            1,
            "rolled back",
        ),
    ] {
        let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
        let ran = desk.run("exec try");
        assert_eq!(ran.code, code, "{name}: {}", ran.err);
        assert!(ran.err.contains(said), "{name}: {}", ran.err);
        assert!(ran.err.contains("next: "), "{name} ends without the next thing to do: {}", ran.err);
        assert_eq!(ran.out, "", "{name}: progress is no data");
    }
}

#[test]
fn an_approval_is_of_what_was_shown() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL))]);
    let parked = desk.run("exec try").exits(3);
    let command = parked.err.lines().find_map(|l| l.strip_prefix("next: runbook ")).unwrap().to_owned();
    let (approve, resume) = command.split_once(" && runbook ").unwrap();
    assert!(!desk.path("written.txt").exists());
    for unseen in ["approve last", "approve last --reason x", "approve last d1 --reason x"] {
        let refused = desk.run(unseen).exits(2).says("names what it is of, with `--digest`");
        assert_eq!(next(&refused), format!("decisions {}; then runbook {approve}", desk.last()));
    }
    desk.run("approve last --digest 000000000000").exits(2).says("it has changed since it was shown");
    desk.run(approve).exits(0).says("recorded: approve");
    desk.run(approve).exits(2).says("waits for no decision");
    desk.run(resume).exits(0).says("will not run again");
    assert!(desk.path("written.txt").exists());
    desk.run("resume last").exits(2).says("has ended");
    desk.run("undo last").exits(0).says("rolled back");
    assert!(!desk.path("written.txt").exists());
    desk.run("undo last").exits(2).says("nothing to undo");
}

#[test]
fn a_rejection_needs_a_reason() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL))]);
    desk.run("exec try").exits(3);
    desk.run("reject last").exits(2).says("needs a reason");
    desk.run("reject last --reason 'not on a Friday'").exits(0);
    desk.run("resume last").exits(4).says("not on a Friday");
    desk.run("show last").exits(0).prints("rejected").prints("not on a Friday");
    assert!(!desk.path("written.txt").exists());
}

#[test]
fn questions_are_answered_with_types() {
    let steps = "steps:
  - id: how
    ask:
      question: How many?
      fields:
        count: {type: integer, min: 1, max: 3}
        color: {type: enum, choices: [red, blue], default: red}
  - run: echo {{steps.how.count}} {{steps.how.color}}
    effect: read
";
    let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
    let asked = desk.run("exec try").exits(3);
    assert!(next(&asked).contains("--answer count=… && runbook resume"), "{}", asked.err);
    desk.run("approve last --reason x").exits(2).says("asks for answers");
    desk.run("answer last -a count=7 -a colour=red").exits(2).says("7 is more than 3").says("color");
    desk.run("answer last -a count=2").exits(0);
    desk.run("resume last").exits(0);
    desk.run("logs last run-2").exits(0).prints("2 red");
}

#[test]
fn all_faults_of_inputs_at_once() {
    let inputs = "inputs:\n  who: {type: enum, choices: [ann, bob]}\n  n: {type: integer}\nsteps:\n  - run: echo {{inputs.who}} {{inputs.n}}\n    effect: read\n";
    let desk = Desk::new(&[("try.yaml", &procedure(inputs)), ("given.yaml", "who: bob\nn: 2\n"), ("given.json", "{\"n\": \"x\"}")]);
    let refused = desk.run("exec try -i who=anne -i m=1").exits(2);
    for fault in ["`anne` is not one of", "did you mean `ann`?", "m: there is no such input", "n: it is missing"] {
        assert!(refused.err.contains(fault), "{fault}: {}", refused.err);
    }
    desk.run("exec try --inputs given.json -i who=ann").exits(2).says("`n`");
    desk.run("exec try --inputs given.yaml").exits(0);
    desk.run("exec try --inputs given.yaml -i who=ann").exits(0);
    desk.run("logs last run-1").prints("ann 2");
    desk.run("exec tri").exits(2).says("use one of: try");
    desk.run("runs --json").prints("\"outcome\":\"succeeded\"");
}

/// The command behind `next: `, as a shell takes it.
#[track_caller]
fn next(ran: &Ran) -> String {
    ran.err.lines().find_map(|line| line.strip_prefix("next: runbook ")).expect("the next command").to_owned()
}

#[test]
fn a_record_proves_itself() {
    let desk = Desk::new(&[("try.yaml", &procedure("steps:\n  - run: echo hi\n    effect: read\n"))]);
    desk.run("exec try").exits(0);
    desk.run("verify last").exits(0).prints("whole");
    desk.run("export last -o record.jsonl").exits(0);
    desk.run("verify record.jsonl").exits(0).prints("whole");
    let text = std::fs::read_to_string(desk.path("record.jsonl")).unwrap();
    std::fs::write(desk.path("forged.jsonl"), text.replace("\"stdout\":\"hi", "\"stdout\":\"ho")).unwrap();
    // The export shows what the store shows, and one that does not prove itself shows nothing.
    assert_eq!(desk.run("replay record.jsonl").exits(0).out, desk.run("replay last").exits(0).out);
    assert_eq!(desk.run("--state elsewhere replay forged.jsonl").exits(1).says("is not whole").out, "");
    desk.run("replay record.jsonl --follow").exits(2).says("does not grow");
    desk.run("verify forged.jsonl").exits(1).prints("not whole");
    desk.run(&format!("verify last --head sha256:{}", "0".repeat(64))).exits(1).prints("fault");
}

#[test]
fn output_never_acts_on_the_terminal() {
    let steps = "steps:\n  - run: \"printf 'a\\\\033[2Jb\\\\rc\\\\n'; exit 1\"\n    effect: read\n";
    let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
    let ran = desk.run("--color always exec try").exits(1);
    assert!(ran.err.contains("│") && !ran.err.contains("\x1b[2J"), "{}", ran.err);
    for line in ["logs last", "show last", "replay last"] {
        let shown = desk.run(&format!("--color always {line}"));
        assert!(!shown.out.contains("\x1b[2J") && !shown.err.contains("\x1b[2J"), "{line}");
    }
    assert!(desk.run("logs last run-1 --raw").out.contains("\x1b[2J"));
}

#[test]
fn a_killed_run_goes_on() {
    let steps = "steps:\n  - id: first\n    run: echo first >> done.txt\n    irreversible: it is only a line\n  - id: second\n    run: test -e go || { touch reached; sleep 60; }\n    effect: read\n  - id: third\n    run: echo third >> done.txt\n    irreversible: it is only a line\n";
    let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
    let mut engine = desk.command("exec try").stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while !desk.path("reached").exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "the second step never began");
        std::thread::sleep(Duration::from_millis(10));
    }
    engine.kill().unwrap();
    engine.wait().unwrap();
    desk.run("runs").prints("interrupted");
    desk.run("show last").prints("interrupted");
    std::fs::write(desk.path("go"), "").unwrap();
    desk.run("resume last").exits(0).says("will not run again").says("was cut off and runs again");
    assert_eq!(std::fs::read_to_string(desk.path("done.txt")).unwrap(), "first\nthird\n");
    desk.run("verify last").exits(0);
}

#[test]
fn a_run_goes_on_with_the_procedure_that_it_started_with() {
    let called = |word: &str| {
        procedure(&format!("steps:\n  - run: echo {word} >> called\n    effect: read\n")).replace("name: try", "name: part")
    };
    let before = "steps:
  - id: go
    approve: {question: Go?}
  - run: echo old >> called
    irreversible: test
    undo: {run: echo taken back >> called}
  - call: part@^1
";
    let desk = Desk::new(&[("try.yaml", &procedure(before)), ("part.yaml", &called("old part"))]);
    desk.run("exec try").exits(3);
    let newer = before.replace("echo old", "echo new").replace("taken back", "forgotten");
    std::fs::write(desk.path("try.yaml"), procedure(&newer).replace("1.0.0", "2.0.0")).unwrap();
    std::fs::write(desk.path("part.yaml"), called("new part")).unwrap();
    desk.approve("last", "as it was shown");
    desk.run("resume last").exits(0);
    assert_eq!(std::fs::read_to_string(desk.path("called")).unwrap(), "old\nold part\n");
    // Also where no file is there any more.
    std::fs::remove_file(desk.path("try.yaml")).unwrap();
    std::fs::remove_file(desk.path("part.yaml")).unwrap();
    desk.run("undo last").exits(0);
    assert_eq!(std::fs::read_to_string(desk.path("called")).unwrap(), "old\nold part\ntaken back\n");
}

/// What is no id is no path either: nothing beside the state folder's runs is looked at, though it has the shape of one.
#[test]
fn ids_are_parsed_and_never_joined_to_paths() {
    let desk = Desk::new(&[("try.yaml", &procedure("steps:\n  - run: echo hello\n    effect: read\n"))]);
    desk.run("--state there exec try").exits(0);
    let id = desk.run("--state there runs --json").out.split('"').find(|word| word.len() == 26).unwrap().to_owned();
    let outside = desk.path("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::copy(desk.path(&format!("there/logs/{id}/run-1@1.log")), outside.join("run-1@1.log")).unwrap();
    let outside = outside.display().to_string();
    for line in [
        "logs ../../outside",
        "logs ../../outside run-1",
        &format!("logs {outside}"),
        &format!("logs {id}/../../../outside"),
        "logs last ../../../outside/run-1",
        &format!("logs {id} ../{id}/run-1"),
        "show ../journal.db",
        "export ../../outside",
        "resume ../../outside",
        "cancel .",
        "decisions %2e%2e",
        "verify ../there",
    ] {
        let refused = desk.run(&format!("--state there {line}")).exits(2);
        assert!(refused.out.is_empty() && !refused.err.contains("hello"), "{line}: {}{}", refused.out, refused.err);
    }
}

#[test]
fn a_run_that_was_left_in_good_order_is_parked() {
    let steps = "steps:\n  - id: first\n    run: touch reached; until test -e go; do sleep 0.02; done\n    effect: read\n  - id: second\n    run: touch done\n    irreversible: it is only a file\n";
    let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
    let mut engine = desk.command("exec try").stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while !desk.path("reached").exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "the first step never began");
        std::thread::sleep(Duration::from_millis(10));
    }
    desk.run("runs").prints("running");
    let process = rustix::process::Pid::from_child(&engine);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let told = BufReader::new(engine.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(told.into_iter().any(|line| line.contains("nothing further starts")));
    std::fs::write(desk.path("go"), "").unwrap();
    assert_eq!(engine.wait().unwrap().code(), Some(3));
    desk.run("runs").prints("parked");
    desk.run("show last").prints("parked");
    assert!(!desk.path("done").exists());
    desk.run("resume last").exits(0);
    assert!(desk.path("done").exists());
}

/// Steps that run side by side are seen side by side: here each waits until the line of the other was seen.
#[test]
fn parallel_steps_are_followed_together() {
    let branch = |name: &str, other: &str| {
        format!(
            "      - {{ id: {name}, run: 'echo {name} began; until test -e {other}; do sleep 0.02; done; echo {name} ends', effect: read }}\n"
        )
    };
    let steps = format!(
        "steps:\n  - id: both\n    parallel:\n      left:\n  {}      right:\n  {}",
        branch("a", "seen-b"),
        branch("b", "seen-a")
    );
    let desk = Desk::new(&[("try.yaml", &procedure(&steps))]);
    let mut engine = desk.command("exec try").stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while desk.run("logs last").code != 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "the run never began");
    }
    let mut follower = desk.command("logs last --follow").stdout(Stdio::piped()).spawn().unwrap();
    let mut followed = Vec::new();
    for line in BufReader::new(follower.stdout.take().unwrap()).lines().map_while(Result::ok) {
        for name in ["a", "b"] {
            if line == format!("{name} began") {
                std::fs::write(desk.path(&format!("seen-{name}")), "").unwrap();
            }
        }
        followed.push(line);
    }
    assert!(follower.wait().unwrap().success() && engine.wait().unwrap().success());
    for line in ["a began", "b began", "a ends", "b ends", "── 2. both.left/a ──", "── 3. both.right/b ──"] {
        assert!(followed.iter().any(|l| l == line), "{line} in {followed:#?}");
    }
    let (a, b) = (followed.iter().position(|l| l == "a began"), followed.iter().position(|l| l == "b began"));
    let ends = followed.iter().position(|l| l.ends_with(" ends"));
    assert!(a < ends && b < ends, "{followed:#?}");
}

/// What a chain of hashes cannot show, a head shows that somebody signed and kept.
#[test]
fn a_record_in_place_of_another_is_found_by_the_signed_head() {
    let desk = Desk::new(&[("try.yaml", &procedure("steps:\n  - run: echo hello\n    effect: read\n"))]);
    desk.run("exec try").exits(0);
    desk.run("anchor last").exits(2).says("no person of the workspace").says("--key FILE");
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    for (name, person) in [("key", user.trim()), ("other", "somebody")] {
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(desk.path(name)).status();
        assert!(made.unwrap().success());
        let public = std::fs::read_to_string(desk.path(&format!("{name}.pub"))).unwrap();
        std::fs::write(desk.path(&format!("{name}.signers")), format!("{person} {public}")).unwrap();
    }
    desk.run("verify last --signers key.signers").exits(1).prints("no head of this record is signed");
    desk.run("anchor last --key key -o head").exits(0).says("after event");
    desk.run("anchor last --key key -o head").exits(1);
    desk.run("verify last --anchor head").exits(0).prints("2 anchors hold");
    desk.run("verify last --signers key.signers").exits(0).prints("and the signature holds");
    desk.run("verify last --signers other.signers").exits(1).prints("does not hold");
    desk.run("note last later").exits(0);
    desk.run("export last -o after.jsonl").exits(0);
    assert_eq!(desk.mode("after.jsonl"), 0o600, "it holds what was said and done");
    desk.run("verify after.jsonl --anchor head --signers key.signers").exits(0);
    desk.run("exec try").exits(0);
    desk.run("export last -o another.jsonl").exits(0);
    desk.run("verify another.jsonl").exits(0);
    desk.run("verify another.jsonl --anchor head").exits(1).prints("it was cut or changed");
    std::fs::write(desk.path("forged"), std::fs::read_to_string(desk.path("head")).unwrap().replace("event: ", "event: 1"))
        .unwrap();
    desk.run("verify after.jsonl --anchor forged").exits(1);
    desk.run("verify after.jsonl --anchor try.yaml").exits(2).says("give a file that `runbook anchor` wrote");
    desk.run("verify after.jsonl --signers none").exits(1).says("cannot read none");
}

/// What no event can hold fails its step, and the run ends as procedures say: it is not stuck for ever.
#[test]
fn values_that_are_too_large_for_the_record_fail_their_step() {
    let steps = "steps:\n  - id: much\n    run: head -c 15000 /dev/zero | tr '\\0' x\n    effect: read\n    outputs: { five: result.stdout + result.stdout + result.stdout + result.stdout + result.stdout }\nfinally:\n  - run: echo tidied > tidied\n    effect: read\n";
    let asked = format!(
        "steps:\n  - id: sure\n    approve: {{ question: Sure? }}\n{}",
        (0..40).map(|n| format!("  - id: s{n}\n    run: ': {}'\n    effect: read\n", "y".repeat(3000))).collect::<String>()
    );
    let desk =
        Desk::new(&[("try.yaml", &procedure(steps)), ("asked.yaml", &procedure(&asked).replace("name: try", "name: asked"))]);
    desk.run("exec try").exits(1).says("are recorded");
    assert!(desk.path("tidied").exists(), "`finally` did not run");
    desk.run("show last").prints("failed");
    desk.run("exec asked").exits(3);
    desk.run("runs").prints("waiting: 1 decision");
    desk.run("verify last").exits(0);
}

#[test]
fn a_run_in_the_background_goes_on_alone() {
    let desk = Desk::new(&[("try.yaml", &procedure("steps:\n  - run: touch there\n    irreversible: it is a test\n"))]);
    let id = desk.run("exec try --detach").exits(0).out.trim().to_owned();
    assert_eq!(id, desk.last());
    let began = Instant::now();
    while !desk.run("show last").out.contains("succeeded") {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", desk.run("show last").out);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(desk.path("there").exists());
}

#[test]
fn messages_to_a_parked_run() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL))]);
    desk.run("exec try").exits(3);
    desk.run("note last 'asked the team'").exits(0);
    desk.run("pause last").exits(0).says("next: runbook resume");
    desk.run("show last").prints("asked the team");
    desk.run("note last ' '").exits(2).says("next: runbook note");
    desk.run("cancel last --reason 'no longer needed'").exits(0).says("cancelled").says("next: runbook show");
    desk.run("show last").prints("cancelled").prints("no longer needed");
    desk.run("runs --open").exits(0).says("every run has ended");
    desk.run("cancel last").exits(2).says("has ended already");
}

#[test]
fn a_parked_run_is_cancelled_with_what_it_did() {
    let steps = "steps:\n  - run: touch it\n    undo: {run: rm it}\n  - approve: {question: Keep it?}\nfinally:\n  - run: touch tidied\n    irreversible: test\n";
    let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
    desk.run("exec try").exits(3);
    assert!(desk.path("it").exists());
    desk.run("cancel last --undo").exits(0);
    assert!(!desk.path("it").exists() && desk.path("tidied").exists());
}

#[test]
fn an_undo_says_what_stays() {
    let steps = "steps:\n  - {id: one, run: touch one, undo: {run: rm one}}\n  - {id: two, run: touch two, irreversible: test}\n  - {id: three, run: 'true', effect: read}\n";
    let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
    desk.run("exec try").exits(0);
    let said = desk.run("undo last").exits(0).err;
    let (back, stays) = said.split_once("has no undo, and stays as it is:").expect("what stays");
    let stays = stays.split("taken up").next().unwrap_or_default();
    assert!(back.contains("  1. one") && stays.contains("  2. two") && !stays.contains("three"), "{said}");
}

#[test]
fn a_lock_of_a_run_that_waits_is_not_sat_out() {
    let locked = format!("lock: the-lock\n{APPROVAL}");
    let desk = Desk::new(&[("try.yaml", &procedure(&locked))]);
    desk.run("exec try").exits(3);
    let holder = desk.last();
    let second = desk.run("exec try").exits(3).says("waiting for the lock `the-lock`").says("which nobody drives");
    let command = next(&second);
    assert!(command.starts_with(&format!("resume {holder} && runbook resume ")), "{command}");
    assert_eq!(second.err.matches("waiting for the lock").count(), 1, "{}", second.err);
    desk.approve(&holder, "yes");
    desk.run(&format!("resume {holder}")).exits(0);
    desk.run("resume last").exits(3).says("locked     the-lock");
}

#[test]
fn a_log_that_lost_its_end_is_told_of() {
    let desk = Desk::new(&[("try.yaml", &procedure("steps:\n  - run: echo hello\n    effect: read\n"))]);
    desk.run("--state there exec try").exits(0);
    let id: String = desk.run("--state there runs --json").out.split('"').find(|word| word.len() == 26).unwrap().to_owned();
    std::fs::write(desk.path(&format!("there/logs/{id}/run-1@1.log")), "he").unwrap();
    desk.run("--state there logs last").exits(0).prints("he").says("4 of the 6 bytes that were kept are gone");
    desk.run("--state there verify last")
        .exits(1)
        .prints("the end of the log of attempt 1 of `run-1` is lost: 2 of 6 bytes are there");
}

#[test]
fn a_secret_that_others_can_read_is_told_of() {
    let steps = "secrets: {token: {file: token.txt}}\nsteps:\n  - run: test -n \"$TOKEN\"\n    env: {TOKEN: secrets.token}\n    effect: read\n";
    let desk = Desk::new(&[("try.yaml", &procedure(steps)), ("token.txt", "very-secret")]);
    std::fs::set_permissions(desk.path("token.txt"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let told = desk.run("exec try").exits(0).says("chmod 600");
    assert_eq!(told.err.matches("chmod 600").count(), 1, "{}", told.err);
    desk.run("exec try --json").exits(0).says("chmod 600");
    std::fs::set_permissions(desk.path("token.txt"), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!desk.run("exec try").exits(0).err.contains("chmod"));
}

#[test]
fn a_part_needs_a_decision() {
    let steps = "steps:\n  - id: one\n    run: touch one\n    irreversible: test\n  - id: two\n    run: touch two\n    irreversible: test\n";
    let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
    desk.run("exec try --from nowhere").exits(2).says("use one of: one, two");
    desk.run("exec try --from two").exits(3).says("only a part");
    desk.approve("last", "one was done by hand");
    desk.run("resume last").exits(0);
    assert!(!desk.path("one").exists() && desk.path("two").exists());
}

#[test]
fn a_dry_run_starts_nothing() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL))]);
    desk.run("dry-run try").exits(0).prints("would run").prints("echo done > written.txt").prints("asks whoever may operate");
    assert!(!desk.path("written.txt").exists());
    desk.run("runs").exits(0).says("no runs yet");
}

#[test]
fn an_approval_ahead_of_time_is_used_once() {
    let desk =
        Desk::new(&[("workspace.yaml", "apiVersion: runbook/v1\nkind: Workspace\nname: w\n"), ("try.yaml", &procedure(APPROVAL))]);
    desk.run("approve --ahead try --step write --uses 1 --expires 1h --reason x").exits(2).says("asks nobody");
    desk.run("approve --ahead try --step go --uses 1 --expires 1h").exits(2).says("needs a reason");
    desk.run("approve --ahead try --step go --uses 1 --expires 1h --reason 'planned for tonight'")
        .exits(0)
        .says("next: runbook decisions --ahead try");
    desk.run("decisions --ahead try").exits(0).prints("go    1.0.0").prints("1 of 1").prints("planned for tonight");
    let json: serde_json::Value = serde_json::from_str(&desk.run("decisions --ahead try --json").exits(0).out).unwrap();
    assert_eq!((&json["step"], &json["uses_left"]), (&"go".into(), &1.into()));
    desk.run("exec try").exits(0).says("ahead of time");
    let used = desk.run("decisions --ahead try").exits(0).says("nothing of `try` is approved ahead of time");
    assert_eq!(used.out, "");
    desk.run("exec try").exits(3);
}

#[test]
fn an_approval_ahead_of_time_is_of_one_environment_and_of_one_text() {
    let workspace = "apiVersion: runbook/v1\nkind: Workspace\nenvironments: {staging: {}, production: {}}\n";
    let steps = "inputs: {n: {type: integer, default: 1}}\nsteps:\n  - group:\n      - id: go\n        approve: {question: \"{{inputs.n}}?\"}\n";
    let desk = Desk::new(&[("workspace.yaml", workspace), ("try.yaml", &procedure(steps))]);
    desk.run("exec try").exits(2).says("none was named");
    desk.run("dry-run try").exits(2).says("none was named");
    let ahead = "approve --ahead try --step group-1/go --expires 1h --reason planned";
    desk.run(&format!("{ahead} --uses 3")).exits(2).says("none was named");
    desk.run(&format!("{ahead} --uses 1001 --env staging")).exits(2).says("at most 1000 uses");
    desk.run(&format!("{ahead} --uses 1 --env staging -i n=x")).exits(2).says("n: ");
    desk.run("approve --ahead try --step group-1/go --uses 1 --expires 91d --env staging --reason x")
        .exits(2)
        .says("at most 90 days");
    desk.run(&format!("{ahead} --uses 3 --env staging -i n=2")).exits(0).says("in staging, these inputs, 3 uses");
    desk.run("exec try --env production -i n=2").exits(3);
    desk.run("exec try --env staging").exits(3);
    desk.run("exec try --env staging -i n=2").exits(0);
    std::fs::write(desk.path("try.yaml"), procedure(steps) + "  - set: {m: 1}\n").unwrap();
    desk.run("exec try --env staging -i n=2").exits(3);
}

#[test]
fn an_environment_needs_a_workspace() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL))]);
    desk.run("exec try --env production").exits(2).says("no environment `production`");
}

#[test]
fn what_new_and_init_write_is_valid() {
    let desk = Desk::new(&[]);
    desk.run("init").exits(0).says("next: runbook exec hello");
    desk.run("init").exits(0).says("kept");
    desk.run("new my-procedure").exits(0);
    desk.run("new my-procedure").exits(2).says("is there already");
    desk.run("new my-playbook --template playbook").exits(0);
    desk.run("check my-playbook").exits(0);
    desk.run("check").exits(0).says("6 files checked, no faults");
    let workspace = std::fs::read_to_string(desk.path("workspace.yaml")).unwrap();
    let (before, escalations) = workspace.split_once("escalations:\n").unwrap();
    std::fs::write(desk.path("workspace.yaml"), before).unwrap();
    desk.run("new lost --kind playbook").exits(0).says("add an escalation to workspace.yaml");
    std::fs::remove_file(desk.path("lost.yaml")).unwrap();
    std::fs::remove_file(desk.path("lost.test.yaml")).unwrap();
    std::fs::write(desk.path("workspace.yaml"), format!("{before}escalations:\n{}", escalations.replace("on-call", "nobody")))
        .unwrap();
    desk.run("check hello").exits(2).prints("workspace.yaml");
    std::fs::write(desk.path("workspace.yaml"), workspace).unwrap();
    std::fs::remove_file(desk.path("my-playbook.yaml")).unwrap();
    std::fs::remove_file(desk.path("my-playbook.test.yaml")).unwrap();
    desk.run("exec my-procedure -i service=web").exits(3);
}

#[test]
fn checks_report_every_fault() {
    let desk =
        Desk::new(&[("try.yaml", &procedure("steps:\n  - run: echo {{inputs.nope}}\n    efect: read\n  - id: A\n    exec: []\n"))]);
    let human = desk.run("check").exits(2);
    let json = desk.run("check --json").exits(2);
    assert!(json.out.lines().count() >= 3, "{}", json.out);
    for line in json.out.lines() {
        let fault: serde_json::Value = serde_json::from_str(line).unwrap();
        let code = fault["code"].as_str().unwrap().to_owned();
        assert!(human.out.contains(&code), "{code}");
        desk.run(&format!("explain {code}")).exits(0).prints(&code);
    }
    desk.run("explain RB9999").exits(2);
    desk.run("check nowhere").exits(2);
    desk.run("-C nowhere check").exits(2).says("next: choose another folder");
    std::fs::create_dir(desk.path("empty")).unwrap();
    let empty = desk.run("check empty").exits(2).says("there is no procedure in empty");
    assert!(!empty.err.contains("valid:"), "{}", empty.err);
    let begin = next(&desk.run("-C empty check").exits(2));
    desk.run(&begin).exits(0);
    assert!(desk.path("empty/hello.yaml").exists());
    std::fs::write(desk.path("empty/hello.yaml"), procedure("steps: []\n").replace("name: try", "name: hello")).unwrap();
    let refused = desk.run("-C empty exec hello").exits(2);
    desk.run(&next(&refused)).exits(2).prints("steps: []");
}
