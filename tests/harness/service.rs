//! A small web service under runit: its configuration is a file of shell variables in its folder, as in real life.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use super::daemon::{As, Daemon, bound_to_test};
use super::{Scratch, eventually, find_program, free_port, run};

const RUN: &str = "#!/bin/sh
exec 2>&1
. ./config
exec busybox httpd -f -p \"127.0.0.1:$PORT\" -h \"$ROOT\"
";

pub struct Service {
    pub port: u16,
    /// The folder that runit watches.
    pub dir: PathBuf,
    /// A folder with a page `health`.
    pub well: PathBuf,
    /// A folder without.
    pub ill: PathBuf,
    _daemon: Daemon,
    _scratch: Scratch,
}

impl Service {
    pub fn start() -> Service {
        let scratch = Scratch::new();
        let (dir, well, ill) = (scratch.folder("web"), scratch.folder("well"), scratch.folder("ill"));
        std::fs::write(well.join("health"), "well\n").expect("a page");
        std::fs::write(dir.join("run"), RUN).expect("the run script");
        std::fs::set_permissions(dir.join("run"), Permissions::from_mode(0o755)).expect("permissions");
        let port = free_port();
        std::fs::write(dir.join("config"), format!("PORT={port}\nROOT='{}'\n", well.display())).expect("the configuration");
        let mut server = bound_to_test("runsv", As::Us);
        server.arg(&dir);
        let mut daemon = Daemon::start(server, Signal::TERM, &scratch.join("runsv.log"));
        let service = Service {
            port,
            dir,
            well,
            ill,
            _scratch: scratch,
            _daemon: {
                eventually("the supervisor", || {
                    daemon.assert_running();
                    TcpStream::connect(("127.0.0.1", port)).ok()
                });
                daemon
            },
        };
        assert_eq!(service.health(), Some(200));
        service
    }

    pub fn health_url(&self) -> String {
        format!("http://127.0.0.1:{}/health", self.port)
    }

    /// The status that `/health` answers with; nothing where nobody answers.
    pub fn health(&self) -> Option<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split(' ').nth(1)?.parse().ok()
    }

    /// Its process dies, and the supervisor does not start it again.
    pub fn dies(&self) {
        for command in ["once", "kill"] {
            run(Command::new(find_program("sv")).arg(command).arg(&self.dir));
        }
        eventually("its end", || self.health().is_none().then_some(()));
    }

    pub fn pid(&self) -> String {
        let status = run(Command::new(find_program("sv")).arg("status").arg(&self.dir));
        status.split("(pid ").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default().to_owned()
    }
}
