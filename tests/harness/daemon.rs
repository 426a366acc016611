//! A server as a child: its output in a file, told to stop by its process id when dropped, and ended by the kernel if the
//! test dies first.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::find_program;

/// How long a server has to stop by itself.
const GRACE: Duration = Duration::from_secs(10);

pub struct Daemon {
    child: Child,
    stop: Signal,
    log: PathBuf,
}

/// Whom a server runs as.
pub enum As {
    /// Whoever runs the tests.
    Us,
    /// The unprivileged user of this name where the tests are root, else whoever runs them.
    Unprivileged(&'static str),
}

/// A command that dies with the test; `program` takes over its process id.
pub fn bound_to_test(program: &str, user: As) -> Command {
    let mut command = Command::new(find_program("setpriv"));
    if let As::Unprivileged(name) = user
        && rustix::process::geteuid().is_root()
    {
        command.args(["--reuid", name, "--regid", name, "--init-groups"]);
    }
    command.args(["--pdeathsig", "TERM", "--"]).arg(find_program(program));
    command
}

impl Daemon {
    /// Starts `command`; `stop` is the signal that ends it in order.
    pub fn start(mut command: Command, stop: Signal, log: &Path) -> Daemon {
        let output = File::create(log).expect("a log file");
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("the log file")).stderr(output);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}; run tests/setup.sh"));
        Daemon { child, stop, log: log.to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Panics with the server's own words where it has ended.
    pub fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().expect("the state of a child") {
            panic!("the server ended, {status}:\n{}", self.log());
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| matches!(self.child.try_wait(), Ok(None))) {
            let _ = kill_process(pid, self.stop);
        }
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < GRACE {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
