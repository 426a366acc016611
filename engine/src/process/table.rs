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

    /// What tells it from every other process of this machine.
    pub fn key(&self) -> (i32, u64) {
        (self.pid, self.started)
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
    newest_first().into_iter().filter_map(Entry::read).collect()
}

/// All are named at one moment, and looked at one by one: whoever was started last has had the least time to move on.
fn newest_first() -> Vec<i32> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut pids: Vec<i32> = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.reverse();
    pids
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
    if environment.is_empty() && Entry::read(process.pid).is_some_and(|now| now.lives()) {
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

/// All that those among them have started, as far as it is still below them.
fn add_descendants(of: &mut BTreeSet<i32>, table: &[Entry]) {
    loop {
        let below = table.iter().filter(|entry| of.contains(&entry.parent) && !of.contains(&entry.pid));
        let below: Vec<i32> = below.map(|entry| entry.pid).collect();
        if below.is_empty() {
            return;
        }
        of.extend(below);
    }
}

/// A process and its ancestors.
fn above(process: &Entry) -> BTreeSet<i32> {
    let mut found = BTreeSet::from([process.pid]);
    let mut parent = process.parent;
    while found.insert(parent) {
        parent = Entry::read(parent).map_or(0, |entry| entry.parent);
    }
    found
}

/// What each member is told when it is first met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    #[default]
    Nothing,
    /// SIGTERM, also where it is stopped.
    End,
    /// SIGSTOP: it starts nobody else until it is killed.
    Halt,
}

/// Looks at the process table for the living members of a tree.
///
/// A look takes time, and who starts another and ends meanwhile is missed. But its end is not: whoever ends behind a parent that
/// has ended too is a dead child of the engine until the engine collects it. So a tree is gone only where a look finds nobody
/// alive and nobody who ended since the look before.
pub struct Search {
    /// Its group and its session have this number too, which is nobody else's while any of them is there.
    leader: i32,
    /// Of the leader, in clock ticks since boot.
    started: u64,
    mark: Vec<u8>,
    /// Every member that was ever met, pid and start time: it stays one, wherever it moves to. With what it was told last.
    met: BTreeMap<(i32, u64), Word>,
    /// How many orphans the engine had collected when the last look began.
    collected: u64,
}

#[derive(Default)]
pub struct Found {
    pub members: Vec<Entry>,
    /// Orphans without a mark that may be this tree's or another's, and what they have started.
    pub strays: Vec<Entry>,
    /// Nobody else's processes are under way, so that every orphan is of this tree.
    pub alone: bool,
    /// Somebody was told the word who had not been before.
    pub told: bool,
    /// Nobody is there, and nobody can have been missed.
    pub gone: bool,
}

impl Search {
    pub fn new(leader: i32, attempt: &str) -> Search {
        let started = Entry::read(leader).map_or(0, |entry| entry.started);
        Search { leader, started, mark: mark_of(attempt), met: BTreeMap::new(), collected: orphans::collected().count }
    }

    /// One look. Each member hears the word as soon as it is seen, before the rest of the table is read.
    pub fn look(&mut self, word: Word) -> Found {
        let before = std::mem::replace(&mut self.collected, orphans::collected().count);
        // Asked on both sides of the look, so that what we start or collect meanwhile is nobody's orphan.
        let mut claimed = orphans::claimed();
        let Some(engine) = Entry::read(own_pid()) else { return Found::default() };
        let spared = above(&engine);
        let mut told = false;
        let mut table = Vec::new();
        for entry in newest_first().into_iter().filter_map(Entry::read) {
            // Nothing older than the leader can be part of the tree.
            if entry.started < self.started || spared.contains(&entry.pid) {
                continue;
            }
            if entry.lives() && self.knows(&entry) {
                told |= self.tell(&entry, word);
            }
            table.push(entry);
        }
        claimed.extend(orphans::claimed());
        // Then an orphan without a mark can only be of this tree.
        let alone = claimed.iter().all(|pid| *pid == self.leader);
        // What this program starts itself is claimed, or has our session and our group or one of its own; an orphan that ran
        // away is neither.
        let ran_away = |entry: &Entry| {
            let escaped = entry.session != engine.session || (entry.group != entry.pid && entry.group != engine.group);
            entry.parent == engine.pid && escaped && !claimed.contains(&entry.pid)
        };
        let (mut members, mut strays) = (BTreeSet::new(), BTreeSet::new());
        for entry in &table {
            let met = self.met.contains_key(&entry.key());
            let elsewhere = |of: i32| of != self.leader && claimed.contains(&of);
            if !entry.lives() {
                if ran_away(entry) && (met || !elsewhere(entry.session) && !elsewhere(entry.group)) {
                    orphans::collect_one(entry);
                }
            } else if met {
                members.insert(entry.pid);
            } else if ran_away(entry) && mark_in(entry).is_none() {
                let whose = if alone { &mut members } else { &mut strays };
                whose.insert(entry.pid);
            }
        }
        add_descendants(&mut members, &table);
        add_descendants(&mut strays, &table);
        strays.retain(|pid| !members.contains(pid));
        let living = |pids: &BTreeSet<i32>| -> Vec<Entry> {
            table.iter().filter(|entry| pids.contains(&entry.pid) && entry.lives()).cloned().collect()
        };
        let (members, strays) = (living(&members), living(&strays));
        for entry in &members {
            told |= self.tell(entry, word);
        }
        let gone = members.is_empty() && orphans::collected().count == before;
        Found { members, strays, alone, told, gone }
    }

    /// Whether it is a member by what it says itself, without a look at others.
    fn knows(&self, entry: &Entry) -> bool {
        [entry.pid, entry.group, entry.session].contains(&self.leader)
            || self.met.contains_key(&entry.key())
            || mark_in(entry).is_some_and(|mark| mark == self.mark)
    }

    /// Whether it had not been told before.
    fn tell(&mut self, entry: &Entry, word: Word) -> bool {
        let last = self.met.insert(entry.key(), word);
        if last == Some(word) {
            return false;
        }
        match word {
            Word::Nothing => {}
            Word::End => {
                // The group was told as one.
                if entry.group != self.leader {
                    entry.signal(Signal::TERM);
                }
                entry.signal(Signal::CONT);
            }
            Word::Halt => entry.signal(Signal::STOP),
        }
        true
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
