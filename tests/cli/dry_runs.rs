//! `runbook dry-run`: what it tells a reviewer, in each of its forms; what it takes from a test, from earlier runs and from looking; and that it
//! starts nothing but what was asked for.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use super::{APPROVAL, Desk, procedure};

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
name: w
environments: {production: {}}
people:
  anna: {users: [anna]}
  bob: {users: [bob]}
  carl: {users: [carl]}
groups: {dba: [anna, bob]}
policies:
  - name: production-yes
    when: {effect: change, environments: [production]}
    require: {approve: {from: [dba], count: 2, within: 30m}}
escalations:
  database: {steps: [{to: [carl], after: 10m}]}
";

const RICH: &str = "title: Takes a host out
escalation: database
lock: host/{{inputs.host}}
inputs: {host: {type: string, default: a.org}}
secrets: {token: {env: TOKEN}}
steps:
  - id: look
    name: Look at {{inputs.host}}
    why: It may be out already.
    exec: [./look, '{{inputs.host}}']
    effect: read
    timeout: 20s
    retry: {attempts: 3, delay: 2s, backoff: 2}
    env: {TOKEN: secrets.token}
    outputs: {load: result.stdout.trim().parse_int()}
  - id: go
    approve: {question: 'Take {{inputs.host}} out at load {{steps.look.load}}?', from: [dba], within: 15m, on_timeout: escalate}
  - id: drain
    if: steps.look.load > 3
    run: ./change {{inputs.host}}
    undo: {exec: [./change, back, '{{inputs.host}}']}
  - id: tell
    exec: [./change, '{{steps.look.load}}']
    irreversible: It was told.
  - id: poll
    repeat: {until: steps.after.load < 2, times: 5, every: 10s, steps: [{id: after, exec: [./look], effect: read, outputs: {load: result.stdout.trim().parse_int()}}]}
";

fn desk() -> Desk {
    let desk = Desk::new(&[("workspace.yaml", WORKSPACE), ("try.yaml", &procedure(RICH))]);
    program(&desk, "look", "echo 7");
    program(&desk, "change", "touch changed");
    desk
}

fn program(desk: &Desk, name: &str, does: &str) {
    std::fs::write(desk.path(name), format!("#!/bin/sh\n{does}\n")).unwrap();
    std::fs::set_permissions(desk.path(name), PermissionsExt::from_mode(0o755)).unwrap();
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

fn step<'j>(dry: &'j Json, path: &str) -> &'j Json {
    let steps = dry["steps"].as_array().expect("a list of steps");
    steps.iter().find(|step| step["path"] == path).unwrap_or_else(|| panic!("no step {path}: {dry:#}"))
}

#[test]
fn a_reviewer_is_told_everything_that_is_known_before() {
    let desk = desk();
    let ran = desk.run("dry-run try --env production").exits(0).says("next: runbook exec try --env production");
    for line in [
        "try 1.0.0 in production: Takes a host out\n  host = a.org\n",
        "  1. look · Look at a.org  [read, this machine, at most 1m 6s]  would run\n     why: It may be out already.\n     exec: ./look a.org\n         TOKEN=‹secret token›\n     secrets: token\n",
        "  2. go  [at most 25m]  cannot know, because what is asked depends on steps.look.load\n     asks dba (anna, bob); within 15m, then carl within 10m, then the step fails\n     │ Take a.org out at load ‹steps.look.load›?\n",
        "  3. drain  [change, this machine, at most 1h 30m]  cannot know, because `steps.look.load > 3` depends on steps.look.load\n     sh: ./change \"${RB_1}\"\n         RB_1 = \"a.org\"\n     asks dba (anna, bob); 2 must agree; within 30m, then the step fails; added by the rule `production-yes` of the workspace\n",
        "     undo: ./change back a.org\n",
        "  4. tell  [change, this machine, at most 1h 30m]  cannot know, because it depends on steps.look.load\n     exec: ./change '‹steps.look.load›'\n",
        "     irreversible: It was told.\n",
        "     repeats: until `steps.after.load < 2`, 5 times at most\n",
        "2 ways; ends succeeded; 4 unknown\nthe whole takes at most: 8h 26m 46s\nlock host/a.org\nThis is what happens as long as every step succeeds and everybody who is asked agrees.\ndigest sha256:",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    assert!(!desk.path("changed").exists());
    assert!(!desk.dir.path().join(".local").exists(), "looking made a state folder");
}

/// The keys that docs/dry-run.md names.
#[test]
fn its_json_is_one_document_as_it_is_described() {
    let desk = desk();
    let text = desk.run("dry-run try --env production --format json").exits(0).out;
    assert_eq!(text, desk.run("dry-run try --env production --json").exits(0).out);
    let dry = json(&text);
    let head = ["procedure", "version", "title", "environment", "lock", "inputs", "ways", "complete", "unknown"]
        .map(|key| dry[key].clone());
    let expect = r#"["try", "1.0.0", "Takes a host out", "production", "host/a.org", {"host": "a.org"}, 2, true, 4]"#;
    assert_eq!(Json::from(head.to_vec()), json(expect));
    assert_eq!(dry["outcomes"][0]["kind"], "succeeded");
    let look = step(&dry, "look");
    assert_eq!((&look["verdict"], &look["effect"], &look["verb"]), (&"would_run".into(), &"read".into(), &"exec".into()));
    assert_eq!(
        (&look["longest"], &look["secrets"][0], &look["targets"][0]),
        (&"1m 6s".into(), &"token".into(), &"this machine".into())
    );
    assert_eq!(look["work"]["task"]["exec"]["argv"], json(r#"["./look", "a.org"]"#));
    let go = step(&dry, "go");
    assert_eq!((&go["verdict"], &go["because"]), (&"cannot_know".into(), &"what is asked depends on steps.look.load".into()));
    assert_eq!(go["requests"][0]["escalation"], json(r#"[{"to": ["carl"], "channels": [], "within": "10m"}]"#));
    let drain = step(&dry, "drain");
    assert_eq!(drain["requests"][0]["purpose"]["gate"]["rule"], "production-yes");
    assert_eq!(drain["undo"]["steps"][0]["work"]["task"]["exec"]["argv"][1], "back");
    assert_eq!(step(&dry, "tell")["undo"]["irreversible"], "It was told.");

    let described = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/dry-run.md")).unwrap();
    let keys = |json: &Json| json.as_object().expect("a map").keys().cloned().collect::<Vec<_>>();
    let steps = dry["steps"].as_array().unwrap().iter().flat_map(keys);
    for key in keys(&dry).into_iter().chain(steps) {
        assert!(described.contains(&format!("| `{key}` |")), "docs/dry-run.md does not name `{key}`");
    }
}

#[test]
fn the_same_is_said_with_the_same_digest_wherever_it_is_said() {
    let (one, other) = (desk(), desk());
    let digest = |desk: &Desk, line: &str, environment: &[(&str, &str)]| {
        let output = desk.command(line).envs(environment.iter().copied()).output().unwrap();
        json(&String::from_utf8(output.stdout).unwrap())["digest"].as_str().expect("a digest").to_owned()
    };
    let line = "dry-run try --env production --json";
    let first = digest(&one, line, &[]);
    std::fs::rename(other.path("try.yaml"), other.path("otherwise-named.yaml")).unwrap();
    assert_eq!(first, digest(&other, line, &[("TZ", "Asia/Kathmandu"), ("USER", "somebody"), ("LANG", "de_DE.UTF-8")]));
    assert_eq!(first, digest(&other, "dry-run otherwise-named.yaml --env production --json --state elsewhere", &[]));
    assert_ne!(first, digest(&one, "dry-run try --env production --json -i host=b.org", &[]));
    std::fs::write(one.path("try.yaml"), procedure(&RICH.replace("./change, back", "./change, again"))).unwrap();
    assert_ne!(first, digest(&one, line, &[]));
}

#[test]
fn a_case_of_a_test_answers_what_would_be_unknown() {
    let desk = desk();
    let cases = "apiVersion: runbook/v1\nkind: Test\nprocedure: try\ncases:\n  - name: 'busy: drained'\n    environment: production\n    inputs: {host: b.org}\n    steps: {look: {stdout: '9'}, after: [{stdout: '4'}, {stdout: '1'}]}\n    answers: {go: approve}\n  - {name: quiet, environment: production, steps: {look: {stdout: '1'}, after: {stdout: '5'}}}\n  - {name: no, environment: production, steps: {look: {stdout: '1'}}, answers: {go: reject}}\n";
    std::fs::write(desk.path("try.test.yaml"), cases).unwrap();
    desk.run("dry-run try --with 'try.test.yaml:busy: drained'")
        .exits(0)
        .prints("try 1.0.0 in production")
        .prints("3. drain  [change, this machine, at most 1h 30m]  would run")
        .prints("│ Take b.org out at load 9?")
        .prints("exec: ./change 9")
        .prints("poll[2]/after")
        .prints("note: what it comes to is taken from the case `busy: drained`")
        .prints("one way; ends succeeded; 0 unknown");
    desk.run("dry-run try --with try.test.yaml:quiet -i host=c.org")
        .exits(0)
        .prints("host = c.org")
        .prints("3. drain  [change]  would skip, because `steps.look.load > 3` does not hold")
        .prints("5. poll  [read, at most 5h 40s]  would run and fail, because its condition did not hold after 5 rounds")
        .prints("poll[5]/after")
        .prints("ends failed");
    let rejected = desk.run("dry-run try --with try.test.yaml:no").exits(0).prints("ends rejected");
    rejected
        .prints("3. drain  [change]  would skip, because `go` fails")
        .prints("poll[1]/after  [read]  would skip, because `go` fails");
    for (with, said) in [
        ("nowhere.yaml:x", "there is no file `nowhere.yaml`"),
        ("nowhere.yaml", "no file stands before"),
        ("try.test.yaml:bisy", "use one of: busy: drained; quiet; no"),
        ("try.yaml:x", "holds no tests"),
    ] {
        desk.run(&format!("dry-run try --env production --with {with}")).exits(2).says(said);
    }
    // What other steps gave is nothing to these.
    std::fs::write(desk.path("other.yaml"), procedure("steps: [{exec: [a], effect: read}]\n").replace("name: try", "name: other"))
        .unwrap();
    desk.run("dry-run other --with try.test.yaml:quiet --env production")
        .exits(2)
        .says("the case `quiet` is one of `try`, and not of `other`");
    // What a test would be refused for is said.
    let refused = cases.replace("answers: {go: approve}", "answers: {go: {evidence: x}}");
    std::fs::write(desk.path("try.test.yaml"), &refused).unwrap();
    let why = "the question of `go` (Take b.org out at load 9?) does not take the answer: this request asks for no answers";
    let with = "dry-run try --with 'try.test.yaml:busy: drained'";
    desk.run(with).exits(0).prints(&format!("It cannot be played, and `runbook test` refuses it: {why}."));
    desk.run(&format!("{with} --json")).exits(0).prints(&format!("\"refused\":\"{why}\""));
    let gone = cases.replace("answers: {go: reject}", "answers: {gone: reject}");
    std::fs::write(desk.path("try.test.yaml"), &gone).unwrap();
    desk.run("dry-run try --with try.test.yaml:no").exits(0).prints("refuses it: `try` has no step `gone`.");
    let cancelled = cases.replace("name: quiet,", "name: quiet, cancel: {after: 90s},");
    std::fs::write(desk.path("try.test.yaml"), cancelled).unwrap();
    desk.run("dry-run try --with try.test.yaml:quiet").exits(0).prints("That it is cancelled 1m 30s after its start is left out.");
}

#[test]
fn earlier_runs_say_how_long_a_step_usually_takes() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL))]);
    for _ in 0..3 {
        desk.run("exec try").exits(3);
        let run = desk.last();
        desk.approve(&run, "seen");
        desk.run(&format!("resume {run}")).exits(0);
    }
    desk.run("dry-run try").exits(0).prints("usually: ").prints(", the median of 3 attempts");
    let dry = json(&desk.run("dry-run try --json").exits(0).out);
    assert_eq!(step(&dry, "write")["usual"]["attempts"], 3);
}

const PROBED: &str = "secrets: {token: {env: TOKEN}}
steps:
  - {id: look, exec: [./look-1], effect: read, outputs: {load: result.stdout.trim().parse_int()}}
  - {id: shell, run: './look-2 {{steps.look.load}}', effect: read, env: {TOKEN: secrets.token}, outputs: {said: result.stdout.trim()}}
  - {id: skipped, if: steps.look.load < 3, exec: [./look-never], effect: read}
  - {id: fails, exec: [./look-3], effect: read, on_failure: continue, retry: {attempts: 3, delay: 1h}}
  - {id: many, each: {in: 'steps.shell.said.split(\" \")', steps: [{id: one, exec: [./look-4, '{{item}}'], effect: read}]}}
  - {id: up, wait: {until: steps.probe.stdout == \"up\", every: 1h, within: 2h, probe: {id: probe, exec: [./look-5], effect: read}}}
  - {id: asked, exec: [./look-never, '{{now}}'], effect: read}
  - {id: go, approve: {question: Go on?, within: 1h}, on_failure: continue}
  - {id: maybe, if: steps.go.granted, exec: [./look-never], effect: read}
  - {id: change, exec: [./change], undo: {exec: [./change]}}
  - {id: after, exec: [./look-never], effect: read}
  - {id: gone, run: ./change, effect: destructive, irreversible: gone}
  - {id: bare, exec: [./change], idempotent: true, verify: {exec: [./look-never], effect: read}}
on_failure:
  - {exec: [./change], idempotent: true}
finally:
  - {exec: [./change], idempotent: true}
";

/// What the whole tree of processes asked the system for, of these calls: one a line.
fn traced(desk: &Desk, line: &str, calls: &str) -> Vec<String> {
    let trace = desk.path("../trace");
    let options = ["-f", "-qq", "-e", "signal=none", "-s", "4096"];
    let mut command = desk.command(line);
    let program = command.get_program().to_owned();
    let mut traced = Command::new("strace");
    traced.args(options).arg("-e").arg(format!("trace={calls}")).arg("-o").arg(&trace).arg(program).args(command.get_args());
    traced.current_dir(desk.path("")).env_clear();
    traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = traced.env("TOKEN", "hunter2-hunter2").stdin(Stdio::null()).output().expect("tests/setup.sh installs strace");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    command.env("TOKEN", "hunter2-hunter2");
    let text = std::fs::read_to_string(&trace).expect("a trace");
    let whole = text.lines().filter(|line| !line.contains("resumed>"));
    // Without the number of the process.
    whole.filter_map(|line| line.split_once(' ')).map(|(_, call)| call.trim_start().to_owned()).collect()
}

/// The programs of the catalogue that the whole tree of processes started.
fn started(desk: &Desk, line: &str) -> Vec<String> {
    programs(&traced(desk, line, "execve,execveat"))
}

fn programs(calls: &[String]) -> Vec<String> {
    let calls = calls.iter().filter(|call| call.starts_with("exec") && !call.contains("ENOENT"));
    let own = calls.filter_map(|call| call.split('"').nth(1)).filter_map(|program| program.rsplit_once('/'));
    let mut programs: Vec<String> =
        own.map(|(_, name)| name.to_owned()).filter(|n| n.starts_with("look") || n.starts_with("change")).collect();
    programs.sort();
    programs
}

/// Calls by which something is left in files, or told to somebody.
const LEAVING: &str = "execve,execveat,open,openat,openat2,creat,truncate,ftruncate,rename,renameat,renameat2,unlink,unlinkat,rmdir,\
    mkdir,mkdirat,mknod,mknodat,link,linkat,symlink,symlinkat,chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,utimensat,setxattr,\
    fsetxattr,lsetxattr,connect,sendto,sendmsg,bind,mount,kill,tkill";

/// Those of them that leave anything: not the start of a program, not a file that is only read, not what devices swallow.
fn left_behind(calls: &[String]) -> Vec<&str> {
    let leaves = |call: &&String| {
        let name = call.split('(').next().unwrap_or_default();
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"].iter().any(|flag| call.contains(flag));
        let swallows = ["\"/dev/null\"", "\"/dev/tty\""].iter().any(|device| call.contains(device));
        match name {
            "execve" | "execveat" | "+++" | "---" => false,
            "open" | "openat" | "openat2" => writes && !swallows,
            // A name service that does not run is asked whether it does.
            "connect" => !call.contains("AF_UNIX"),
            _ => true,
        }
    };
    calls.iter().filter(leaves).map(String::as_str).collect()
}

/// Answers each request that comes with the number of those before it, and counts them.
fn server() -> (u16, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut asked = [0; 4096];
            let _ = std::io::Read::read(&mut stream, &mut asked);
            let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\n7");
        }
    });
    (port, count)
}

/// Whatever could change something or tell somebody is only shown, as the system saw it; what reads before it was really run.
#[test]
fn probing_leaves_nothing_and_tells_nobody() {
    let ((reads, asked), (changes, told)) = (server(), server());
    let workspace = format!(
        "apiVersion: runbook/v1\nkind: Workspace\nchannels:\n  page: {{command: [./change, '{{{{message}}}}']}}\n  book: {{log: {{file: messages.jsonl}}}}\n  hook: {{http: {{url: 'http://127.0.0.1:{changes}/hook', json: {{text: '{{{{message}}}}'}}}}}}\n"
    );
    let url = format!("http://127.0.0.1:{changes}/x");
    let forbidden = [
        format!("{{id: it, http: {{method: POST, url: '{url}', json: {{a: 1}}}}, irreversible: x}}"),
        format!("{{id: it, http: {{method: DELETE, url: '{url}'}}, effect: destructive, irreversible: x}}"),
        format!("{{id: it, http: {{url: '{url}'}}, effect: change, idempotent: true}}"),
        "{id: it, notify: {to: [page, book, hook], message: Hello}}".to_owned(),
        "{id: it, run: './change; echo x > changed; rm precious'}".to_owned().replace("}", ", irreversible: x}"),
        "{id: it, exec: [rm, precious], effect: destructive, irreversible: x}".to_owned(),
        "{id: it, effect: change, group: [{id: inner, exec: [./change], idempotent: true}]}".to_owned(),
        "{id: it, effect: destructive, group: [{exec: [./look-2], effect: read}, {exec: [./change], undo: {exec: [./change]}}]}"
            .to_owned(),
        "{id: it, each: {in: '[1, 2]', steps: [{exec: [./change], idempotent: true}]}}".to_owned(),
        "{id: it, call: inner@^1}".to_owned(),
    ];
    let inner = procedure("steps:\n  - {exec: [./change], idempotent: true}\n").replace("name: try", "name: inner");
    for it in &forbidden {
        let steps = format!(
            "steps:\n  - {{id: look, exec: [./look-1], effect: read, outputs: {{load: result.stdout.trim().parse_int()}}}}\n  - {{id: fetch, http: {{url: 'http://127.0.0.1:{reads}/'}}}}\n  - {it}\n  - {{id: after, exec: [./look-never, '{{{{steps.look.load}}}}'], effect: read}}\n"
        );
        let desk = Desk::new(&[("workspace.yaml", &workspace), ("try.yaml", &procedure(&steps)), ("inner.yaml", &inner)]);
        for (name, does) in [("look-1", "echo 7"), ("look-2", "true"), ("look-never", "true"), ("change", "echo x > changed")] {
            program(&desk, name, does);
        }
        std::fs::write(desk.path("precious"), "x").unwrap();
        let before = asked.load(std::sync::atomic::Ordering::SeqCst);
        for (line, runs) in [("dry-run try", &[][..]), ("dry-run try --probe", &["look-1"])] {
            let calls = traced(&desk, line, LEAVING);
            let inside = if it.contains("look-2") && !runs.is_empty() { &["look-1", "look-2"][..] } else { runs };
            assert_eq!(programs(&calls), inside, "{line}: {it}");
            // The one request that reads is all that went anywhere.
            let left = left_behind(&calls);
            // What is sent without an address goes where it was connected to.
            let connected =
                |call: &str| call.starts_with("send") && ["NULL, 0)", "msg_name=NULL"].iter().any(|to| call.contains(to));
            let own = |call: &&&str| !connected(call) && !call.contains(&format!("htons({reads})"));
            let left: Vec<&&str> = left.iter().filter(own).collect();
            assert_eq!(left, Vec::<&&str>::new(), "{line}: {it}");
        }
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), before + 1, "{it}");
        assert_eq!(told.load(std::sync::atomic::Ordering::SeqCst), 0, "{it}");
        assert!(!desk.path("changed").exists() && desk.path("precious").exists() && !desk.path("messages.jsonl").exists(), "{it}");
        assert!(!desk.dir.path().join(".local").exists(), "a probe is recorded nowhere");
    }
    // The watch sees what it is there for.
    let desk = Desk::new(&[("try.yaml", &procedure("steps:\n  - {exec: [./change], idempotent: true}\n"))]);
    program(&desk, "change", "echo x > changed; mv changed moved; rm moved");
    let calls = traced(&desk, "exec try --yes", LEAVING);
    let left = left_behind(&calls);
    for call in ["\"changed\", O_WRONLY|O_CREAT", "rename", "unlink"] {
        assert!(left.iter().any(|left| left.contains(call)), "{call}: {left:#?}");
    }
}

#[test]
fn probing_starts_what_reads_and_nothing_else() {
    let desk = Desk::new(&[("try.yaml", &procedure(PROBED))]);
    for (name, does) in [
        ("look-1", "echo 7"),
        ("look-2", "echo $1 $TOKEN >> seen; echo a b $TOKEN"),
        ("look-3", "echo broken >&2; exit 3"),
        ("look-4", "true"),
        ("look-5", "true"),
        ("look-never", "true"),
        ("change", "touch changed"),
    ] {
        program(&desk, name, does);
    }
    assert_eq!(started(&desk, "dry-run try"), [""; 0]);
    // Once each, but for the items of a list; what fails is not tried again, since it would only fail again.
    assert_eq!(started(&desk, "dry-run try --probe"), ["look-1", "look-2", "look-3", "look-4", "look-4", "look-4", "look-5"]);
    assert_eq!(std::fs::read_to_string(desk.path("seen")).unwrap(), "7 hunter2-hunter2\n");
    assert!(!desk.path("changed").exists());
    assert!(!desk.dir.path().join(".local").exists(), "a probe is recorded nowhere");

    let output = desk.command("dry-run try --probe").env("TOKEN", "hunter2-hunter2").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!told.contains("hunter2") && output.status.success(), "{told}");
    for line in [
        "note: what it gives was looked up for this dry run",
        "3. skipped  [read]  would skip, because `steps.look.load < 3` does not hold",
        "4. fails  [read, this machine, at most 5h]  would run\n",
        "note: looked at once, it failed: `./look-3` ended with exit code 3; a run tries it again, and may find something else",
        "many[2]/one",
        "note: not looked at: something that it is given is not known",
        "note: not looked at: nobody knows whether a run comes to it",
        "note: not looked at: `change` changes something before or beside it",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    // A yes to everything is nothing that a probe could be given.
    desk.run("dry-run try --probe --yes").exits(2);
    desk.run("dry-run try --probe --with try.test.yaml:x").exits(2);
}

#[test]
fn a_look_that_a_run_would_take_again_says_nothing_where_it_fails() {
    let look = |more: &str| {
        format!(
            "steps:\n  - {{id: look, run: 'case $RUNBOOK_ATTEMPT in *1) exit 9;; esac', effect: read{more}}}\n  - {{id: b, exec: [echo, '{{{{steps.look.stdout}}}}'], effect: read}}\n"
        )
    };
    let told = |more: &str| Desk::new(&[("try.yaml", &procedure(&look(more)))]).run("dry-run try --probe").exits(0).out;
    let again = told(", retry: {attempts: 2, delay: 10ms}");
    assert!(
        again.contains(
            "note: looked at once, it failed: `sh` ended with exit code 9; a run tries it again, and may find something else"
        ),
        "{again}"
    );
    assert!(again.contains("cannot know, because it depends on steps.look.stdout"), "{again}");
    let once = told("");
    assert!(once.contains("would run and fail, because `sh` ended with exit code 9"), "{once}");
}

#[test]
fn what_ends_a_loop_later_is_not_known_by_the_first_look() {
    let steps = "steps:
  - id: r
    repeat:
      until: steps.q.exit_code == 0
      times: 5
      every: 1h
      steps:
        - {id: q, exec: [test, -e, ready], effect: read, on_failure: continue}
        - {id: k, if: steps.q.exit_code == 0, exec: [echo, k], effect: read}
  - {id: y, exec: [echo, '{{steps.q.exit_code}}'], effect: read}
  - {id: z, if: '\"k\" in steps', exec: [echo, z], effect: read}
";
    let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
    let told = desk.run("dry-run try --probe").exits(0).out;
    assert!(told.contains("note: looked at once, and what it gave did not end the loop around it"), "{told}");
    assert!(!told.contains("would skip") && !told.contains("echo 1"), "{told}");
    std::fs::write(desk.path("ready"), "").unwrap();
    let told = desk.run("dry-run try --probe").exits(0).out;
    assert!(told.contains("what it gives was looked up") && told.contains("echo 0") && !told.contains("would skip"), "{told}");
}

#[test]
fn no_value_acts_in_any_form() {
    let hostile = "\u{1b}[2J<script>alert(1)</script> `x` ``` | [a](javascript:x) @team </details>\n# head";
    let steps = "inputs: {x: {type: string}}\nsteps:\n  - {id: a, name: '{{inputs.x}}', why: '{{inputs.x}}', run: 'echo {{inputs.x}}', effect: read, env: {X: inputs.x}}\n  - {id: go, approve: {question: '{{inputs.x}}', within: 1h}}\n  - {id: b, exec: [echo, '{{inputs.x}}'], undo: {exec: [echo, '{{inputs.x}}']}}\n  - {id: c, check: [{that: 1 > 2, else: '{{inputs.x}}'}]}\n";
    let desk = Desk::new(&[("try.yaml", &procedure(steps))]);
    // What may not stand in a file in plain sight may be written as its escape.
    let inputs = serde_json::json!({ "x": hostile }).to_string().replace("@team", "\\u202e@team");
    std::fs::write(desk.path("inputs.json"), inputs).unwrap();
    for format in ["text", "markdown", "html", "json"] {
        let ran = desk.run(&format!("dry-run try --inputs inputs.json --format {format}")).exits(0);
        let out = ran.out;
        // A program that reads JSON wants the text as it is.
        let turns = |c: char| c == '\u{202e}' && format != "json";
        assert!(!out.chars().any(|c| (c.is_control() && c != '\n') || turns(c)), "{format}: {out}");
        match format {
            "html" => {
                assert!(!out.contains("<script") && !out.contains("</details>") && !out.contains("href"), "{out}");
                assert!(out.starts_with("<!doctype html>") && out.ends_with("</html>\n"), "{out}");
            }
            "markdown" => {
                let mut fenced = false;
                for line in out.lines() {
                    fenced ^= line.trim_start().starts_with("```");
                    let free = fenced || line.contains('`') || line.starts_with("<details><summary>");
                    assert!(free || !line.contains("<script") && !line.contains("@team"), "{line}");
                }
                assert!(!fenced, "a fence is left open: {out}");
                assert!(!out.contains("\n# head"), "{out}");
                assert_eq!(out.matches("<details>").count(), out.matches("\n</details>").count(), "{out}");
            }
            _ => {}
        }
    }
}
