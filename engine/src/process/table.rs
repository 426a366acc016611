//! The process table as the kernel shows it, and the search in it for the members of a tree.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::limits;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use super::Survivor;
use super::orphans;

/// The variable that marks every process of an attempt.
pub const MARK: &str = "RUNBOOK_ATTEMPT";

/// One line of the process table.
#[derive(Clone, Debug)]
pub struct Entry {
    pub pid: i32,
    pub program: String,
    pub state: char,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
    /// In clock ticks since boot.
    pub started: u64,
}

impl Entry {
    pub fn read(pid: i32) -> Option<Entry> {
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

    pub fn lives(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// Signals this very process, or nobody if it is gone.
    pub fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        if Entry::read(self.pid).is_some_and(|now| now.started == self.started) {
            let _ = pidfd_send_signal(handle, signal);
        }
    }

    pub fn survivor(&self) -> Survivor {
        let program = self.program.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        Survivor { pid: u32::try_from(self.pid).unwrap_or_default(), program }
    }
}

pub fn snapshot() -> Vec<Entry> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(Entry::read).collect()
}

pub fn mark_of(attempt: &str) -> Vec<u8> {
    format!("{MARK}={attempt}").into_bytes()
}

/// The mark that a living process carries, with its name, where it carries one and may be looked at.
pub fn mark_in(process: &Entry) -> Option<Vec<u8>> {
    // Threads of the kernel have no group.
    if !process.lives() || process.group == 0 {
        return None;
    }
    let place = format!("/proc/{}/environ", process.pid);
    let mut environment = std::fs::read(&place).ok()?;
    if environment.is_empty() {
        // Either it has none, or it is just turning into another program.
        std::thread::sleep(limits::EXEC_PAUSE);
        environment = std::fs::read(&place).ok()?;
    }
    let is_mark = |variable: &[u8]| variable.strip_prefix(MARK.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
    environment.split(|byte| *byte == 0).find(|variable| is_mark(variable)).map(<[u8]>::to_vec)
}

pub fn own_pid() -> i32 {
    getpid().as_raw_nonzero().get()
}

/// A look at the process table for the living members of a tree.
pub struct Search {
    /// Its group and its session have this number too, which is nobody else's while any of them is there.
    pub leader: i32,
    /// Nothing older can be part of the tree.
    pub started: u64,
    pub mark: Vec<u8>,
    /// Members that were seen before, pid → start time.
    pub seen: BTreeMap<i32, u64>,
}

#[derive(Default)]
pub struct Found {
    pub members: Vec<Entry>,
    /// Orphans without a mark that may be this tree's or another's.
    pub strays: Vec<Entry>,
}

impl Search {
    pub fn run(&self) -> Found {
        // Asked on both sides of the look, so that what we start or collect meanwhile is nobody's orphan.
        let mut claimed = orphans::claimed();
        let table = snapshot();
        claimed.extend(orphans::claimed());
        // Then an orphan without a mark can only be of this tree.
        let alone = claimed.iter().all(|pid| *pid == self.leader);
        let by_pid: BTreeMap<i32, &Entry> = table.iter().map(|entry| (entry.pid, entry)).collect();
        let own = own_pid();
        let Some(engine) = by_pid.get(&own).copied() else { return Found::default() };
        let mut spared = BTreeSet::new();
        let mut above = Some(own);
        while let Some(pid) = above {
            above = if spared.insert(pid) { by_pid.get(&pid).map(|entry| entry.parent) } else { None };
        }
        // What this program starts itself is claimed, or has our session and our group or one of its own; an orphan that ran
        // away is neither.
        let ran_away = |entry: &Entry| {
            let escaped = entry.session != engine.session || (entry.group != entry.pid && entry.group != engine.group);
            entry.parent == own && escaped && !claimed.contains(&entry.pid) && mark_in(entry).is_none()
        };
        let (mut members, mut strays) = (BTreeSet::new(), BTreeSet::new());
        for entry in table.iter().filter(|entry| entry.started >= self.started && !spared.contains(&entry.pid)) {
            let beside = [entry.pid, entry.group, entry.session].contains(&self.leader);
            let seen = self.seen.get(&entry.pid) == Some(&entry.started);
            if beside || seen || mark_in(entry).is_some_and(|mark| mark == self.mark) {
                members.insert(entry.pid);
            } else if ran_away(entry) {
                let whose = if alone { &mut members } else { &mut strays };
                whose.insert(entry.pid);
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
        strays.retain(|pid| !members.contains(pid));
        let living = |pids: &BTreeSet<i32>| -> Vec<Entry> {
            table.iter().filter(|entry| pids.contains(&entry.pid) && entry.lives()).cloned().collect()
        };
        Found { members: living(&members), strays: living(&strays) }
    }
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
