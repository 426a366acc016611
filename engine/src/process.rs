//! Process trees: starting a program at the head of its own session, and ending everything that it started.
//!
//! A tree is found four ways, because each alone can be escaped: by its process group and its session, by descent from the
//! leader, and by the mark `RUNBOOK_ATTEMPT=<id>` in the environment, which outlives `setsid`, double forks and the engine
//! itself. The engine adopts orphans (it is a subreaper), so that a daemon cannot slip away to the machine's init. Signals
//! go through pidfds, checked against the start time, so that a reused pid is never hit. All members are halted before any is
//! killed, so that nobody starts another meanwhile. What survives SIGKILL, or runs ahead of it, is named.

#[cfg(test)]
pub mod chains;
mod descriptors;
mod orphans;
mod spawn;
mod table;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use runbook_core::limits;
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpid};
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;

pub use descriptors::raise as raise_descriptors;
pub use orphans::{Claim, collect as collect_orphans};
pub use spawn::{Launch, Stream, widen};
pub use table::MARK;
use table::{Entry, Found, Search, Word, mark_in, mark_of, own_pid, snapshot};

/// Variables by name.
pub type Environment = BTreeMap<OsString, OsString>;

/// A process of an attempt that is still there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Survivor {
    pub pid: u32,
    pub program: String,
}

impl std::fmt::Display for Survivor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (pid {})", self.program, self.pid)
    }
}

/// The processes that carry the mark of this attempt or of a part of it, `<attempt>/<part>`, whoever started them and whether
/// or not the engine that did still lives. Processes of other users are not visible unless the engine runs as root.
pub fn survivors(attempt: &str) -> Vec<Survivor> {
    let mark = mark_of(attempt);
    let of_it =
        |carried: &[u8]| carried.strip_prefix(mark.as_slice()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
    let marked = snapshot().into_iter().filter(|p| p.pid != own_pid() && mark_in(p).is_some_and(|m| of_it(&m)));
    in_order(&marked.collect::<Vec<_>>())
}

/// The first of them by name, and how many more there are.
pub fn named(survivors: &[Survivor]) -> Vec<String> {
    let mut names: Vec<String> = survivors.iter().take(limits::SURVIVORS).map(ToString::to_string).collect();
    if survivors.len() > limits::SURVIVORS {
        names.push(format!("and {} more", survivors.len() - limits::SURVIVORS));
    }
    names
}

/// One program and all that it starts.
pub struct Tree {
    leader: Pid,
    /// Tells when the leader ends. Where the system has none to give, the leader is asked from time to time.
    end: Option<AsyncFd<OwnedFd>>,
    stdin: Option<pipe::Sender>,
    stdout: Option<pipe::Receiver>,
    stderr: Option<pipe::Receiver>,
    search: Arc<Mutex<Search>>,
    /// Until the leader is collected.
    claim: Option<Claim>,
}

/// How a tree was ended.
#[derive(Debug)]
pub struct Stopped {
    /// Of the leader, where it could be collected.
    pub status: Option<ExitStatus>,
    /// Something did not end on SIGTERM and was killed.
    pub killed: bool,
    pub survivors: Vec<Survivor>,
    /// Orphans without a mark that began during this attempt, while others were under way too, and what they have started: nobody
    /// can tell whose.
    pub strays: Vec<Survivor>,
}

impl Tree {
    /// Starts a program at the head of a new session, marked as this attempt. An error means that nothing was started.
    pub fn start(launch: &Launch, attempt: &str) -> io::Result<Tree> {
        orphans::adopt();
        collect_orphans();
        let (claim, spawned) = Claim::start(|| {
            let spawned = spawn::spawn(launch, attempt)?;
            Ok((spawned.pid.as_raw_nonzero().get(), spawned))
        })?;
        let leader = spawned.pid;
        Ok(Tree {
            leader,
            end: spawned.end,
            stdin: spawned.stdin,
            stdout: spawned.stdout,
            stderr: spawned.stderr,
            search: Arc::new(Mutex::new(Search::new(leader.as_raw_nonzero().get(), attempt))),
            claim: Some(claim),
        })
    }

    pub fn stdin(&mut self) -> Option<pipe::Sender> {
        self.stdin.take()
    }

    pub fn stdout(&mut self) -> Option<pipe::Receiver> {
        self.stdout.take()
    }

    pub fn stderr(&mut self) -> Option<pipe::Receiver> {
        self.stderr.take()
    }

    /// Waits for the leader. May be dropped and called again, but not once it has answered.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            let mut ended = match &self.end {
                Some(end) => Some(end.readable().await?),
                None => {
                    tokio::time::sleep(limits::WAIT_POLL).await;
                    None
                }
            };
            if let Some((_, status)) = waitpid(Some(self.leader), WaitOptions::NOHANG)? {
                self.claim = None;
                return Ok(ExitStatus::from_raw(status.as_raw()));
            }
            if let Some(ended) = &mut ended {
                ended.clear_ready();
            }
        }
    }

    /// The members that are still alive, the leader included.
    pub async fn members(&mut self) -> Vec<Survivor> {
        in_order(&self.look(Word::Nothing).await.members)
    }

    /// SIGTERM to every member, SIGKILL to what is left after `grace`. The leader stays uncollected until the end, so
    /// that its pid, which names the group, cannot be given to somebody else meanwhile.
    pub async fn stop(&mut self, grace: Duration) -> Stopped {
        // Who belongs to it is found out before anybody dies: the death of a parent hides its children.
        let mut found = self.look(Word::Nothing).await;
        self.signal_group(Signal::TERM);
        self.signal_group(Signal::CONT);
        let mut pause = Duration::from_millis(2);
        let deadline = Instant::now() + grace;
        while !found.gone && Instant::now() < deadline {
            found = self.look(Word::End).await;
            if !found.told {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(50));
            }
        }
        let mut killed = false;
        let deadline = Instant::now() + limits::KILL_WAIT;
        while !found.gone && Instant::now() < deadline {
            self.signal_group(Signal::STOP);
            found = self.look(Word::Halt).await;
            // Nobody dies before nobody is left who could start another meanwhile.
            if !found.told {
                killed |= !found.members.is_empty();
                self.signal_group(Signal::KILL);
                found.members.iter().for_each(|entry| entry.signal(Signal::KILL));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        // Reaches at once whatever of the group a look at the table missed.
        self.signal_group(Signal::KILL);
        let status = match self.claim {
            Some(_) => tokio::time::timeout(limits::KILL_WAIT, self.wait()).await.ok().and_then(Result::ok),
            None => None,
        };
        collect_orphans();
        let mut survivors = in_order(&found.members);
        let mut strays = in_order(&self.look(Word::Nothing).await.strays);
        // Orphans went on ending until the last look: something goes on starting others.
        if let (false, true, Some(last)) = (found.gone, survivors.is_empty(), orphans::collected().last) {
            let Survivor { pid, program } = last.survivor();
            let successor = Survivor { pid, program: format!("the successor of {program}") };
            if found.alone { survivors.push(successor) } else { strays.push(successor) }
        }
        Stopped { status, killed, survivors, strays }
    }

    fn signal_group(&self, signal: Signal) {
        if self.claim.is_some() {
            let _ = kill_process_group(self.leader, signal);
        }
    }

    async fn look(&self, word: Word) -> Found {
        let search = self.search.clone();
        let look = move || search.lock().unwrap_or_else(PoisonError::into_inner).look(word);
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }
}

impl Drop for Tree {
    /// A tree that nobody waited for does not outlive its attempt. Without its claim, the leader is collected as an orphan.
    fn drop(&mut self) {
        self.signal_group(Signal::KILL);
    }
}

/// As they are named to people: in the order of their ids.
fn in_order(processes: &[Entry]) -> Vec<Survivor> {
    let mut named: Vec<Survivor> = processes.iter().map(Entry::survivor).collect();
    named.sort();
    named
}

/// What a shell would report: the code, or 128 and the signal's number.
pub fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// The name of a signal that ended a process.
pub fn signal_name(number: i32) -> String {
    const NAMES: [(i32, &str); 15] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGXFSZ, "SIGXFSZ"),
    ];
    NAMES.iter().find(|(n, _)| *n == number).map_or_else(|| format!("signal {number}"), |(_, name)| (*name).to_owned())
}
