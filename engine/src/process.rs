//! Process trees: starting a program at the head of its own group, and ending everything that it started.
//!
//! A tree is found three ways, because each alone can be escaped: by its process group, by descent from the leader, and
//! by the mark `RUNBOOK_ATTEMPT=<id>` in the environment, which outlives `setsid`, double forks and the engine itself.
//! The engine adopts orphans (it is a subreaper), so that a daemon cannot slip away to the machine's init. Signals go
//! through pidfds, checked against the start time, so that a reused pid is never hit. What survives SIGKILL is named.
//!
//! There is no `pre_exec` here: it would make every start a fork of the whole engine.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use runbook_core::limits;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process_group, pidfd_open, pidfd_send_signal,
    set_child_subreaper, waitid, waitpid,
};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// The variable that marks every process of an attempt.
pub const MARK: &str = "RUNBOOK_ATTEMPT";

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
    let lives = |p: &&Entry| p.lives() && p.pid != own_pid();
    snapshot().iter().filter(lives).filter(|p| mark_in(p.pid).is_some_and(|m| of_it(&m))).map(Entry::survivor).collect()
}

/// One program and all that it starts.
pub struct Tree {
    child: Child,
    leader: i32,
    /// Of the leader, in clock ticks since boot: nothing older can be part of the tree.
    started: u64,
    mark: Vec<u8>,
    /// Every member that was ever seen, pid → start time: it stays one, wherever it moves to.
    seen: BTreeMap<i32, u64>,
    reaped: bool,
}

/// How a tree was ended.
#[derive(Debug)]
pub struct Stopped {
    /// Of the leader, where it could be collected.
    pub status: Option<ExitStatus>,
    /// Something did not end on SIGTERM and was killed.
    pub killed: bool,
    pub survivors: Vec<Survivor>,
    /// Orphans without a mark that began during this attempt, while others were under way too: nobody can tell whose.
    pub strays: Vec<Survivor>,
}

impl Tree {
    /// Starts `command` at the head of a new process group, marked as this attempt.
    pub fn start(mut command: Command, attempt: &str) -> io::Result<Tree> {
        adopt_orphans();
        collect_orphans();
        command.process_group(0).env(MARK, attempt);
        let mut leaders = leaders();
        let child = command.spawn()?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
        leaders.insert(leader);
        drop(leaders);
        let started = Entry::read(leader).map_or(0, |entry| entry.started);
        Ok(Tree { child, leader, started, mark: mark_of(attempt), seen: BTreeMap::new(), reaped: false })
    }

    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits for the leader. May be dropped and called again.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.forget();
        Ok(status)
    }

    /// The members that are still alive, the leader included.
    pub async fn members(&mut self) -> Vec<Survivor> {
        self.living().await.members.iter().map(Entry::survivor).collect()
    }

    /// SIGTERM to every member, SIGKILL to what is left after `grace`. The leader stays uncollected until the end, so
    /// that its pid, which names the group, cannot be given to somebody else meanwhile.
    pub async fn stop(&mut self, grace: Duration) -> Stopped {
        // Who belongs to it is found out before anybody dies: the death of a parent hides its children.
        let mut left = self.surely_living().await;
        self.signal_group(Signal::TERM);
        self.signal_group(Signal::CONT);
        let mut told = BTreeSet::new();
        let mut pause = Duration::from_millis(2);
        let deadline = Instant::now() + grace;
        while !left.is_empty() && Instant::now() < deadline {
            for entry in &left {
                if told.insert((entry.pid, entry.started)) {
                    if entry.group != self.leader {
                        entry.signal(Signal::TERM);
                    }
                    entry.signal(Signal::CONT);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
            left = self.surely_living().await;
        }
        let killed = !left.is_empty();
        let deadline = Instant::now() + limits::KILL_WAIT;
        while !left.is_empty() && Instant::now() < deadline {
            self.signal_group(Signal::KILL);
            for entry in &left {
                entry.signal(Signal::KILL);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            left = self.surely_living().await;
        }
        // Reaches at once whatever of the group a look at the table missed.
        self.signal_group(Signal::KILL);
        let status = if self.reaped {
            None
        } else {
            match tokio::time::timeout(limits::KILL_WAIT, self.child.wait()).await {
                Ok(Ok(status)) => {
                    self.forget();
                    Some(status)
                }
                _ => None,
            }
        };
        collect_orphans();
        let mut survivors: Vec<Survivor> = left.iter().map(Entry::survivor).collect();
        survivors.sort();
        let strays = self.living().await.strays.iter().map(Entry::survivor).collect();
        Stopped { status, killed, survivors, strays }
    }

    fn signal_group(&self, signal: Signal) {
        if let (false, Some(group)) = (self.reaped, Pid::from_raw(self.leader)) {
            let _ = kill_process_group(group, signal);
        }
    }

    /// A look at the process table takes time: who starts another and ends meanwhile is missed. Only a second look that
    /// finds nobody either is believed.
    async fn surely_living(&mut self) -> Vec<Entry> {
        let first = self.living().await.members;
        if first.is_empty() { self.living().await.members } else { first }
    }

    async fn living(&mut self) -> Found {
        let search = Search {
            leader: (!self.reaped).then_some(self.leader),
            started: self.started,
            mark: self.mark.clone(),
            seen: self.seen.clone(),
            alone: leaders().iter().all(|pid| *pid == self.leader),
        };
        let found = tokio::task::spawn_blocking(move || search.run()).await.unwrap_or_default();
        self.seen.extend(found.members.iter().map(|entry| (entry.pid, entry.started)));
        found
    }

    fn forget(&mut self) {
        self.reaped = true;
        leaders().remove(&self.leader);
    }
}

impl Drop for Tree {
    /// A tree that nobody waited for does not outlive its attempt.
    fn drop(&mut self) {
        if !self.reaped {
            self.signal_group(Signal::KILL);
            leaders().remove(&self.leader);
        }
    }
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

/// One line of the process table.
#[derive(Clone, Debug)]
struct Entry {
    pid: i32,
    program: String,
    state: char,
    parent: i32,
    group: i32,
    session: i32,
    started: u64,
}

impl Entry {
    fn read(pid: i32) -> Option<Entry> {
        Entry::parse(pid, &String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/stat")).ok()?))
    }

    /// `pid (program) state parent group session …`: the program may hold spaces and brackets, so the last bracket ends it.
    fn parse(pid: i32, stat: &str) -> Option<Entry> {
        let (head, rest) = stat.rsplit_once(')')?;
        let (_, program) = head.split_once('(')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let session = fields.next()?.parse().ok()?;
        let started = fields.nth(15)?.parse().ok()?;
        Some(Entry { pid, program: program.to_owned(), state, parent, group, session, started })
    }

    fn lives(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// Signals this very process, or nobody if it is gone.
    fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        if Entry::read(self.pid).is_some_and(|now| now.started == self.started) {
            let _ = pidfd_send_signal(handle, signal);
        }
    }

    fn survivor(&self) -> Survivor {
        let program = self.program.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        Survivor { pid: u32::try_from(self.pid).unwrap_or_default(), program }
    }
}

fn snapshot() -> Vec<Entry> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(Entry::read).collect()
}

fn mark_of(attempt: &str) -> Vec<u8> {
    format!("{MARK}={attempt}").into_bytes()
}

/// The mark that a process carries, with its name, where it carries one and may be looked at.
fn mark_in(pid: i32) -> Option<Vec<u8>> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find(|variable| variable.starts_with(b"RUNBOOK_ATTEMPT=")).map(<[u8]>::to_vec)
}

/// A look at the process table for the living members of a tree.
struct Search {
    /// Absent once it was collected: its pid, and so the group's, may be somebody else's by then.
    leader: Option<i32>,
    started: u64,
    mark: Vec<u8>,
    seen: BTreeMap<i32, u64>,
    /// No other attempt is under way: an orphan without a mark can only be of this one.
    alone: bool,
}

#[derive(Default)]
struct Found {
    members: Vec<Entry>,
    strays: Vec<Entry>,
}

impl Search {
    fn run(&self) -> Found {
        let table = snapshot();
        let by_pid: BTreeMap<i32, &Entry> = table.iter().map(|entry| (entry.pid, entry)).collect();
        let own = own_pid();
        let Some(engine) = by_pid.get(&own).copied() else { return Found::default() };
        let mut spared = BTreeSet::new();
        let mut above = Some(own);
        while let Some(pid) = above {
            above = if spared.insert(pid) { by_pid.get(&pid).map(|entry| entry.parent) } else { None };
        }
        let known = leaders().clone();
        // What this program starts itself has our session, and our group or one of its own; an orphan that ran away has neither.
        let ran_away = |entry: &Entry| {
            let escaped = entry.session != engine.session || (entry.group != entry.pid && entry.group != engine.group);
            entry.parent == own && escaped && !known.contains(&entry.pid) && mark_in(entry.pid).is_none()
        };
        let (mut members, mut strays) = (BTreeSet::new(), BTreeSet::new());
        for entry in table.iter().filter(|entry| entry.started >= self.started && !spared.contains(&entry.pid)) {
            let in_group = self.leader.is_some_and(|leader| entry.pid == leader || entry.group == leader);
            if in_group
                || self.seen.get(&entry.pid) == Some(&entry.started)
                || mark_in(entry.pid).is_some_and(|mark| mark == self.mark)
            {
                members.insert(entry.pid);
            } else if ran_away(entry) {
                if self.alone {
                    members.insert(entry.pid)
                } else {
                    strays.insert(entry.pid)
                };
            }
        }
        loop {
            let below: Vec<i32> = table
                .iter()
                .filter(|entry| members.contains(&entry.parent) && !members.contains(&entry.pid) && !spared.contains(&entry.pid))
                .map(|entry| entry.pid)
                .collect();
            if below.is_empty() {
                break;
            }
            members.extend(below);
        }
        let living = |pids: &BTreeSet<i32>| -> Vec<Entry> {
            table.iter().filter(|entry| pids.contains(&entry.pid) && entry.lives()).cloned().collect()
        };
        Found { members: living(&members), strays: living(&strays) }
    }
}

fn own_pid() -> i32 {
    getpid().as_raw_nonzero().get()
}

/// Leaders that a [`Tree`] will collect itself.
static LEADERS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
/// Dead children that nobody has collected: pid → (start time, when first seen).
static ORPHANS: Mutex<BTreeMap<i32, (u64, Instant)>> = Mutex::new(BTreeMap::new());

fn leaders() -> MutexGuard<'static, BTreeSet<i32>> {
    LEADERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn adopt_orphans() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = set_child_subreaper(Some(getpid())) {
            tracing::warn!(%error, "orphans of steps cannot be adopted; a daemon that wipes its environment may escape a cancel");
        }
    });
}

/// Collects adopted children that have ended. A dead child is taken only after it was seen dead for a while, so that
/// whoever else in this program started it has collected it first.
fn collect_orphans() {
    let peek = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if !matches!(waitid(WaitId::All, peek), Ok(Some(_))) {
        return;
    }
    let own = own_pid();
    let dead: Vec<Entry> = snapshot().into_iter().filter(|entry| entry.parent == own && entry.state == 'Z').collect();
    let leaders = leaders();
    let mut orphans = ORPHANS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut seen = BTreeMap::new();
    for entry in dead.iter().filter(|entry| !leaders.contains(&entry.pid)) {
        let first = match orphans.get(&entry.pid) {
            Some((started, first)) if *started == entry.started => *first,
            _ => Instant::now(),
        };
        if first.elapsed() < limits::ORPHAN_AGE {
            seen.insert(entry.pid, (entry.started, first));
        } else if let Some(pid) = Pid::from_raw(entry.pid) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
    *orphans = seen;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_process_table_reads_whatever_the_program_is_called() {
        let tail = "S 10 20 30 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4242 0 0";
        for (stat, program) in
            [(format!("7 (sleep) {tail}"), "sleep"), (format!("7 (a) b (c) {tail}"), "a) b (c"), (format!("7 () {tail}"), "")]
        {
            let entry = Entry::parse(7, &stat).unwrap();
            assert_eq!((entry.program.as_str(), entry.state, entry.parent), (program, 'S', 10), "{stat}");
            assert_eq!((entry.group, entry.session, entry.started), (20, 30, 4242), "{stat}");
        }
        for broken in ["", "7", "7 (sleep)", "7 (sleep) S 1 2", "7 (sleep) S x 2 3 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4242"] {
            assert!(Entry::parse(7, broken).is_none(), "{broken}");
        }
    }
}
