//! A collector of OpenTelemetry (PyPI `rotel`, which `tests/setup.sh` installs into `target/rotel`): takes traces over HTTP and prints them.

use std::path::PathBuf;

use rustix::process::Signal;

use super::daemon::{As, Daemon, bound_to_test};
use super::{Scratch, free_port, from_pypi};

const VERSION: &str = "0.0.1a15";

/// Until it is dropped.
pub struct Collector {
    daemon: Daemon,
    pub url: String,
    _scratch: Scratch,
}

/// A span as it was taken.
#[derive(Clone, Debug, Default)]
pub struct Span {
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub name: String,
    pub status: String,
    /// All that is printed of it.
    pub text: String,
}

impl Collector {
    pub fn start() -> Collector {
        let scratch = Scratch::new();
        let (http, grpc) = (free_port(), free_port());
        let program = program();
        let mut command = bound_to_test(program.to_str().expect("a path"), As::Us);
        command.args(["start", "--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"]);
        command.args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")]);
        command.args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")]);
        command.arg("--pid-file").arg(scratch.join("pid"));
        let daemon = Daemon::start(command, Signal::TERM, &scratch.join("log"));
        Collector { daemon, url: format!("http://127.0.0.1:{http}"), _scratch: scratch }
    }

    /// Those that were taken so far.
    pub fn spans(&self) -> Vec<Span> {
        let log = self.daemon.log();
        let blocks = log.split("Span #").skip(1);
        let spans = blocks.map(|block| {
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.trim().strip_prefix(name));
                line.and_then(|rest| rest.split_once(':')).map_or_else(String::new, |(_, value)| value.trim().to_owned())
            };
            Span {
                trace: field("Trace ID"),
                id: field("ID"),
                parent: field("Parent ID"),
                name: field("Name"),
                status: field("Status message"),
                text: block.to_owned(),
            }
        });
        spans.collect()
    }
}

fn program() -> PathBuf {
    from_pypi("rotel", &format!("rotel=={VERSION}"), |folder| {
        let libraries = std::fs::read_dir(folder.join("lib")).ok()?;
        let program = |python: PathBuf| python.join("site-packages/rotel/rotel-agent");
        libraries.flatten().map(|entry| program(entry.path())).find(|program| program.exists())
    })
}
