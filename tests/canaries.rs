//! Secrets are found nowhere: not in what the program prints, not in what it keeps, not in what it leaves behind.
//!
//! Secrets from every kind of source are spilt by steps, servers and channels in every encoding that the masker promises, as a whole
//! and byte by byte, before and after a crash. Then every view of the runs and every byte of every file that was written is
//! searched. The encodings here are written anew: they share no code with what is tested.

mod harness;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use harness::Scratch;
use harness::authority::Authority;
use harness::program::plain;
use harness::smtp::{Begins, Login, MailServer};

/// One line, with a character for each encoding to stumble over.
fn line(tag: &str) -> String {
    format!("c4n<{tag}>&\"ry\"'/+\\é=%20-{tag}-9f3b7c")
}

/// The secrets: where each comes from, and what it is.
fn canaries(hook: u16) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("env", line("env")),
        ("file", format!("-----BEGIN KEY-----\n{}\n  {}\n-----END KEY-----\n", line("one"), line("two"))),
        ("command", line("cmd")),
        ("age", line("age")),
        ("mail", line("mail")),
        ("hook", format!("http://127.0.0.1:{hook}/hooks/c4nary-hook-51d0a77b2e")),
    ])
}

const HEX: [&[u8; 16]; 2] = [b"0123456789abcdef", b"0123456789ABCDEF"];

fn hex(bytes: &[u8], digits: &[u8; 16]) -> String {
    bytes.iter().flat_map(|b| [digits[usize::from(b >> 4)], digits[usize::from(b & 15)]]).map(char::from).collect()
}

fn base64(bytes: &[u8], last: &[u8; 2]) -> String {
    let alphabet: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(last.iter().copied()).collect();
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let sixes = bits.chunks(6).map(|six| six.iter().fold(0, |n, bit| n << 1 | bit) << (6 - six.len()));
    sixes.map(|six| char::from(alphabet[usize::from(six)])).collect()
}

fn percent(text: &str, kept: &str, digits: &[u8; 16]) -> String {
    let mut coded = String::new();
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            true => coded.push(char::from(byte)),
            false => coded.extend(["%", &hex(&[byte], digits)]),
        }
    }
    coded
}

/// The inside of a JSON string, with these characters as `\u…` and, where told, all that are not ASCII.
fn json(text: &str, escaped: &str, ascii: bool, digits: &[u8; 16]) -> String {
    let mut coded = String::new();
    for c in text.chars() {
        match c {
            c if escaped.contains(c) || (ascii && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(coded, "\\u{}", hex(&unit.to_be_bytes(), digits));
                }
            }
            '"' => coded.push_str("\\\""),
            '\\' => coded.push_str("\\\\"),
            '\n' => coded.push_str("\\n"),
            c => coded.push(c),
        }
    }
    coded
}

/// Every encoding of a secret: its name, the text as a program prints it, and the part of it that the secret alone decides.
fn encodings(secret: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut add = |name: &str, text: String| found.push((name.to_owned(), text.clone(), text));
    let (lower, upper) = (HEX[0], HEX[1]);
    add("plain", secret.to_owned());
    for line in secret.lines().map(str::trim).filter(|line| !line.starts_with("-----")) {
        add("a line", line.to_owned());
        add("a line in json", json(line, "", false, lower));
    }
    for (name, text) in [
        ("json", json(secret, "", false, lower)),
        ("json, ascii", json(secret, "", true, lower)),
        ("json, slashes", json(secret, "", false, lower).replace('/', "\\/")),
        ("json as PHP writes it", json(secret, "", true, lower).replace('/', "\\/")),
        ("json as Go writes it", json(secret, "<>&", false, lower)),
        ("json as Gson writes it", json(secret, "<>&='", false, lower)),
        ("json as .NET writes it", json(secret, "\"&'+<>`", true, upper)),
        ("hex", hex(secret.as_bytes(), lower)),
        ("hex, capitals", hex(secret.as_bytes(), upper)),
        ("url", percent(secret, "-_.~", upper)),
        ("url, small", percent(secret, "-_.~", lower)),
        ("url path", percent(secret, "-_.~/", upper)),
        ("url component", percent(secret, "-_.!~*'()", upper)),
        ("form", percent(secret, "-_.* ", upper).replace(' ', "+")),
        ("shell", secret.replace('\'', "'\\''")),
        (
            "html",
            secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;"),
        ),
    ] {
        add(name, text);
    }
    for (name, last) in [("base64", b"+/"), ("base64url", b"-_")] {
        for offset in 0..3 {
            let text = base64(format!("{}{secret}.", &"xyz"[..offset]).as_bytes(), last);
            // Characters that share no bit with what stands before or behind.
            let (first, end) = ((offset * 8).div_ceil(6), (offset + secret.len()) * 8 / 6);
            let own = text[first..end].to_owned();
            found.push((format!("{name} at offset {offset}"), text, own));
        }
    }
    // In lines of mail, with a line end somewhere in the secret: each piece of it that is long enough to tell anything.
    for before in 40..56 {
        let text = base64(format!("{}{secret}.", "x".repeat(before)).as_bytes(), b"+/");
        let (first, end) = ((before * 8).div_ceil(6), (before + secret.len()) * 8 / 6);
        let lines: Vec<&str> = (0..text.len()).step_by(76).map(|at| &text[at..text.len().min(at + 76)]).collect();
        for (at, line) in lines.iter().enumerate() {
            let own = &line[first.saturating_sub(at * 76).min(line.len())..end.saturating_sub(at * 76).min(line.len())];
            if own.len() >= 8 {
                found.push((format!("base64 in lines, behind {before} bytes"), lines.join("\n"), own.to_owned()));
            }
        }
    }
    found
}

/// A catalogue that spills, and the program over it.
struct Desk {
    scratch: Scratch,
    secrets: BTreeMap<&'static str, String>,
    /// All that the program has printed, by command.
    printed: Vec<(String, Vec<u8>)>,
    /// One takes the login and the letter, the other refuses both.
    post: [MailServer; 2],
}

impl Desk {
    fn new() -> Desk {
        let scratch = Scratch::new();
        for folder in ["work", "source", "tmp"] {
            scratch.folder(folder);
        }
        let spill = scratch.join("source/spill");
        let port = serve(spill.clone(), File::create(scratch.join("work/posted")).unwrap());
        let secrets = canaries(port);
        let authority = Authority::new(scratch.join("source/authority"), "canaries");
        let bundle = scratch.join("source/bundle.pem");
        authority.issue("localhost", 30, &bundle);
        let post = [(Begins::AtOnce, Login::Taken), (Begins::WhenAsked, Login::Refused)]
            .map(|(begins, login)| MailServer::new(begins, login, &bundle, &secrets["mail"]));
        let desk = Desk { scratch, secrets, printed: Vec::new(), post };
        let forms: Vec<String> = desk.secrets.values().flat_map(|s| encodings(s)).map(|(_, text, _)| text).collect();
        std::fs::write(&spill, forms.join("\n")).unwrap();
        desk.source("key", &desk.secrets["file"]);
        desk.source("word", &desk.secrets["command"]);
        let value = json(&desk.secrets["env"], "\u{e}cr", true, HEX[0]);
        desk.source("data.json", &format!("{{\"value\": \"{value}\", \"{value}\": 1}}\n"));
        desk.seal();
        let refused = harness::free_port();
        let mail = serve_mail(desk.secrets["mail"].clone());
        for (name, text) in [
            ("workspace.yaml", WORKSPACE),
            ("spill.yaml", SPILL),
            ("denied.yaml", DENIED),
            ("crash.yaml", CRASH),
            ("starved.yaml", STARVED),
        ] {
            let text = text.replace("PORT", &port.to_string()).replace("REFUSED", &refused.to_string());
            let text = text.replace("SMTP", &mail.to_string()).replace("TAKES", &desk.post[0].port.to_string());
            let text = text.replace("REFUSES", &desk.post[1].port.to_string());
            let text = text.replace("SOURCE", &desk.scratch.join("source").display().to_string());
            std::fs::write(desk.scratch.join("work").join(name), text).unwrap();
        }
        desk
    }

    fn source(&self, name: &str, text: &str) {
        let path = self.scratch.join("source").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The files of secrets, made by `age` itself: one that is whole, and one that is no YAML inside.
    fn seal(&self) {
        let identity = self.scratch.join("source/identity");
        harness::run(Command::new("age-keygen").arg("-o").arg(&identity));
        let recipient = harness::run(Command::new("age-keygen").arg("-y").arg(&identity));
        let password = json(&self.secrets["age"], "", false, HEX[0]);
        for (name, plain) in [
            ("secrets.age", format!("db: {{password: \"{password}\"}}\n")),
            ("torn.age", format!("db: {{password: \"{password}\", \"{password}\": {password}]\n")),
        ] {
            self.source("plain.yaml", &plain);
            let mut age = Command::new("age");
            age.arg("-r").arg(recipient.trim()).arg("-o").arg(self.scratch.join("work").join(name));
            harness::run(age.arg(self.scratch.join("source/plain.yaml")));
        }
    }

    fn command(&self, line: &str) -> Command {
        // A crash may write a core file.
        let mut command = Command::new("sh");
        plain(&mut command, self.scratch.path());
        let program = Path::new(env!("CARGO_BIN_EXE_runbook"));
        command.args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$@\"", "sh"]).arg(program).args(line.split(' '));
        command.env("RUNBOOK_STATE", self.scratch.join("state")).env("TMPDIR", self.scratch.join("tmp"));
        command.env("CANARY_ENV", &self.secrets["env"]).env("CANARY_HOOK", &self.secrets["hook"]);
        command.env("SSL_CERT_FILE", self.scratch.join("source/authority/root.crt"));
        command.env("CANARY_MAIL", &self.secrets["mail"]).current_dir(self.scratch.join("work"));
        command
    }

    fn run(&mut self, line: &str, code: Option<i32>) -> String {
        let (status, said, errors) = self.run_anyhow(line);
        assert_eq!(status.code(), code, "runbook {line}\n{said}\n{errors}");
        said
    }

    fn run_anyhow(&mut self, line: &str) -> (ExitStatus, String, String) {
        let output = self.command(line).output().unwrap();
        let [said, errors] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        self.printed.push((format!("the output of `runbook {line}`"), output.stdout));
        self.printed.push((format!("the errors of `runbook {line}`"), output.stderr));
        (output.status, said, errors)
    }

    /// Every view of a run.
    fn look_at(&mut self, run: &str) {
        for view in [
            "show",
            "show --json",
            "logs",
            "logs --raw",
            "decisions",
            "decisions --json",
            "export",
            "replay",
            "verify",
            "runs --json",
        ] {
            let line = if view.starts_with("runs") { view.to_owned() } else { format!("{view} {run}") };
            self.run(&line, Some(0));
        }
        self.run(&format!("export {run} -o {}.jsonl", self.printed.len()), Some(0));
    }

    /// Everything that was printed, and every byte of every file that was written.
    fn places(self) -> Vec<(String, Vec<u8>)> {
        let mut places = self.printed;
        let mut folders = vec![self.scratch.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true if path.ends_with("source") => {}
                    true => folders.push(path),
                    false => places.push((path.display().to_string(), std::fs::read(&path).unwrap())),
                }
            }
        }
        places
    }
}

/// What was asked: the head with its end, and the body.
fn request(stream: &mut TcpStream) -> std::io::Result<(String, String)> {
    let mut asked = Vec::new();
    loop {
        let mut part = [0; 4096];
        let length = stream.read(&mut part)?;
        asked.extend(&part[..length]);
        let text = String::from_utf8_lossy(&asked);
        let enough = |head: &str, body: &str| {
            let told = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            body.len() >= told.unwrap_or(0)
        };
        match text.split_once("\r\n\r\n") {
            Some((head, body)) if length == 0 || enough(head, body) => return Ok((head.to_owned(), body.to_owned())),
            None if length == 0 => return Ok((text.into(), String::new())),
            _ => {}
        }
    }
}

/// Answers each request with an error, and all that it should not say: what was asked, and every encoding. Keeps the bodies.
fn serve(spill: PathBuf, mut bodies: File) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (asked, body) = request(&mut stream).unwrap_or_default();
            writeln!(bodies, "{body}").unwrap();
            let spilt = std::fs::read_to_string(&spill).unwrap_or_default();
            let plain = spilt.lines().next().unwrap_or_default().to_owned();
            let body = format!("{asked}\n{body}\n{spilt}");
            let status = if asked.starts_with("POST /echo") { "200 OK" } else { "500 No" };
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nX-Spilt: {plain}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    port
}

/// A mail server that turns everybody away, and says with which password they would have come.
fn serve_mail(password: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(format!("421 {password}\r\n").as_bytes());
        }
    });
    port
}

const WORKSPACE: &str = r#"apiVersion: runbook/v1
kind: Workspace
secrets:
  vault: {age: {file: secrets.age, identity: SOURCE/identity}}
  torn: {age: {file: torn.age, identity: SOURCE/identity}}
channels:
  journal: {log: {file: messages.jsonl}}
  page: {command: [cat, SOURCE/spill, SOURCE/absent]}
  hook:
    http: {url: secrets.hook, headers: {Authorization: secrets.token}, json: {text: "{{message}}"}}
    secrets: {hook: {env: CANARY_HOOK}, token: {env: CANARY_ENV}}
  post:
    mail: {to: [a@example.org], from: b@example.org, smtp: "127.0.0.1:SMTP", user: runbook, password: secrets.smtp}
    secrets: {smtp: {env: CANARY_MAIL}}
  letter:
    mail: {to: [a@example.org], from: b@example.org, smtp: "localhost:TAKES", security: tls, user: runbook, password: secrets.smtp}
    secrets: {smtp: {env: CANARY_MAIL}}
  turned_away:
    mail: {to: [a@example.org], from: b@example.org, smtp: "localhost:REFUSES", user: runbook, password: secrets.smtp}
    secrets: {smtp: {env: CANARY_MAIL}}
"#;

const SPILL: &str = r#"apiVersion: runbook/v1
kind: Runbook
name: spill
version: 1.0.0
secrets:
  token: {env: CANARY_ENV}
  key: {file: SOURCE/key}
  word: {command: [cat, SOURCE/word]}
  sealed: {from: vault, key: "db#password"}
steps:
  - id: early
    name: Prints what no step has asked for yet
    run: cat SOURCE/key
    effect: read
  - id: plain
    run: cat SOURCE/spill; cat SOURCE/spill >&2
    env: {TOKEN: secrets.token, KEY: secrets.key, WORD: secrets.word, SEALED: secrets.sealed}
    effect: read
  - id: bytewise
    run: |
      dd if=SOURCE/spill bs=1 status=none
      dd if=SOURCE/spill bs=7 status=none >&2
    effect: read
  - id: variables
    run: env; set -x; test "$TOKEN" = "$SEALED" || true
    env: {TOKEN: secrets.token, SEALED: secrets.sealed}
    effect: read
  - id: data
    run: cat SOURCE/data.json
    effect: read
    outputs: {value: result.json.value}
  - id: broken
    exec: [cat, SOURCE/spill, SOURCE/absent]
    effect: read
    on_failure: continue
  - id: arguments
    run: cat /proc/[0-9]*/cmdline > arguments.bin 2>/dev/null || true
    env: {TOKEN: secrets.token}
    effect: read
  - id: cut
    run: |
      head -c 20 SOURCE/word
      exec sleep 60
    effect: read
    timeout: 500ms
    on_failure: continue
  - id: web
    http:
      method: POST
      url: http://127.0.0.1:PORT/echo
      headers: {Authorization: secrets.token, X-Key: secrets.sealed}
      body: "{{steps.data.value}}"
    idempotent: true
  - id: refused
    http:
      url: http://127.0.0.1:REFUSED/
      headers: {Authorization: secrets.token}
    on_failure: continue
  - id: tell
    notify: {to: [journal, page, hook, post, letter, turned_away], subject: "{{steps.data.value}}", message: "{{steps.plain.stdout}}"}
    on_failure: continue
  - check:
      - that: "false"
        else: "{{steps.plain.stdout}}"
    on_failure: continue
  - id: number
    set: {n: steps.plain.stdout.parse_int()}
    on_failure: continue
  - id: time
    set: {n: duration(steps.data.value)}
    on_failure: continue
  - id: pattern
    set: {n: '"x".matches("(" + steps.data.value + steps.plain.stdout.lines()[1])'}
    on_failure: continue
  - id: parsed
    run: cat SOURCE/spill; cat SOURCE/spill >&2
    effect: read
    outputs: {n: result.stdout.parse_json()}
    on_failure: continue
  - id: thrown
    rhai: "throw steps.data.value + steps.plain.stdout"
    on_failure: continue
  - id: go
    approve: {question: "{{steps.data.value}} {{steps.web.body}} {{steps.plain.stdout}}"}
  - id: late
    name: Prints, in another process, what only an earlier one has asked for
    exec: [cat, SOURCE/spill]
    effect: read
"#;

const CRASH: &str = r#"apiVersion: runbook/v1
kind: Runbook
name: crash
version: 1.0.0
secrets:
  token: {env: CANARY_ENV}
  key: {file: SOURCE/key}
  word: {command: [cat, SOURCE/word]}
  sealed: {from: vault, key: "db#password"}
steps:
  - id: dies
    run: cat SOURCE/spill; kill -ABRT $PPID; cat SOURCE/spill
    env: {TOKEN: secrets.token, WORD: secrets.word}
    irreversible: it is a test
"#;

/// Secrets that cannot be had: those who keep them have more to say than they should.
const DENIED: &str = r#"apiVersion: runbook/v1
kind: Runbook
name: denied
version: 1.0.0
secrets:
  absent: {from: vault, key: "db#absent"}
  inside: {from: vault, key: "db#password#inside"}
  torn: {from: torn, key: "db#password"}
  word: {command: [sh, -c, "cat SOURCE/word; cat SOURCE/word >&2; exit 1"]}
  folder: {file: SOURCE/key/key}
steps:
  - {id: absent, run: "true", effect: read, env: {X: secrets.absent}, on_failure: continue}
  - {id: inside, run: "true", effect: read, env: {X: secrets.inside}, on_failure: continue}
  - {id: torn, run: "true", effect: read, env: {X: secrets.torn}, on_failure: continue}
  - {id: word, run: "true", effect: read, env: {X: secrets.word}, on_failure: continue}
  - {id: folder, run: "true", effect: read, env: {X: secrets.folder}, on_failure: continue}
  - http: {url: "http://127.0.0.1:PORT/echo", headers: {Authorization: secrets.word}}
    effect: read
    on_failure: continue
"#;

/// A step takes all further memory away from the engine.
const STARVED: &str = r#"apiVersion: runbook/v1
kind: Runbook
name: starved
version: 1.0.0
secrets:
  token: {env: CANARY_ENV}
  key: {file: SOURCE/key}
  word: {command: [cat, SOURCE/word]}
  sealed: {from: vault, key: "db#password"}
steps:
  - id: gives
    run: cat SOURCE/spill
    env: {TOKEN: secrets.token, WORD: secrets.word, SEALED: secrets.sealed}
    effect: read
  - id: takes
    run: |
      prlimit --pid $PPID --as=1000000 --data=1000000
      for n in 1 2 3 4 5 6 7 8; do cat SOURCE/spill; done &
      for n in 1 2 3 4 5 6 7 8; do cat SOURCE/spill; done >&2
      wait
    irreversible: it is a test
  - id: tells
    notify: {to: [page, hook, post, letter], message: "{{steps.gives.stdout}}"}
"#;

#[test]
fn secrets_are_found_nowhere() {
    let mut desk = Desk::new();
    let needles: Vec<(String, String)> = desk
        .secrets
        .iter()
        .flat_map(|(source, secret)| encodings(secret).into_iter().map(move |(name, _, own)| (format!("`{source}`, {name}"), own)))
        .chain([("`hook`, its path".to_owned(), "/hooks/c4nary-hook-51d0a77b2e".to_owned())])
        .chain([("a beginning".to_owned(), "c4n<".to_owned()), ("an end".to_owned(), "9f3b7c".to_owned())])
        .collect();
    let spilt = std::fs::read_to_string(desk.scratch.join("source/spill")).unwrap();
    for (name, needle) in &needles {
        assert!(spilt.contains(needle), "{name} is not spilt at all: {needle}");
    }

    desk.run("check --json", Some(0));
    desk.run("dry-run spill", Some(0));
    desk.run("dry-run spill --json", Some(0));
    let (_, _, errors) = desk.run_anyhow("exec spill --yes");
    for why in ["is not an integer", "is not a duration", "is not a regular expression", "not JSON", "the script failed"] {
        assert!(errors.contains(why), "{why}: {errors}");
    }
    desk.look_at("last");
    let shown = desk.run("decisions last --json", Some(0));
    let shown: serde_json::Value = serde_json::from_str(shown.lines().next().unwrap_or_default()).unwrap();
    let digest = shown["request"]["digest"].as_str().expect("a digest");
    desk.run(&format!("approve last --reason looked --digest {digest}"), Some(0));
    desk.run("resume last --yes", Some(0));
    let logs = desk.run("logs last", Some(0));
    assert!(logs.matches("***").count() > 200, "masks stand where secrets were:\n{logs}");
    desk.look_at("last");
    desk.run("exec spill --yes --json", Some(3));
    desk.run("cancel last --reason enough", Some(0));
    desk.run("dry-run denied", Some(0));
    let (_, _, errors) = desk.run_anyhow("exec denied --yes");
    for why in ["no secret `db#absent`", "no secret `db#password#inside`", "not a map", "by hand to see", "/key` cannot be read"] {
        assert!(errors.contains(why), "{why}: {errors}");
    }
    desk.look_at("last");
    // The engine dies with the secrets in its memory.
    desk.run("exec crash --yes", None);
    desk.run("resume last --yes", Some(3));
    desk.look_at("last");
    // It ends itself, for want of memory. What was free at that moment is enough now and then, and the run goes on.
    let mut fault = false;
    for _ in 0..10 {
        let (status, _, errors) = desk.run_anyhow("exec starved --yes");
        assert!(!status.success(), "{errors}");
        fault |= errors.contains("runbook itself is at fault and panicked") || errors.contains("memory allocation of");
        if fault {
            break;
        }
    }
    assert!(fault, "the engine has all that it needs");
    desk.run_anyhow("resume last --yes");
    desk.look_at("last");

    for (server, last) in [&desk.post[0], &desk.post[1]].into_iter().zip(["QUIT", "AUTH"]) {
        let heard = server.heard();
        let login = format!("AUTH PLAIN {}", base64(format!("\0runbook\0{}", desk.secrets["mail"]).as_bytes(), b"+/"));
        assert!(heard.iter().any(|line| line.trim_end_matches('=') == login), "nobody logged in: {heard:?}");
        assert!(heard.iter().any(|line| line.starts_with(last)), "{heard:?}");
        let letters: Vec<String> = heard.into_iter().filter(|line| !line.starts_with("AUTH")).collect();
        desk.printed.push(("a letter".to_owned(), letters.join("\n").into_bytes()));
    }

    let places = desk.places();
    for written in ["journal.db", "messages.jsonl", "arguments.bin", ".jsonl", "posted", "a letter"] {
        assert!(places.iter().any(|(place, bytes)| place.ends_with(written) && !bytes.is_empty()), "{written} was not written");
    }
    let mut leaks = String::new();
    for (place, bytes) in &places {
        let text = String::from_utf8_lossy(bytes);
        for (name, needle) in needles.iter().filter(|(_, needle)| text.contains(needle)) {
            let _ = writeln!(leaks, "{name} in {place}: {needle}");
        }
    }
    assert!(leaks.is_empty(), "{leaks}");
}
