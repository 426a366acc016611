//! Who owns a run: one process of one machine, named so exactly that another process can tell whether it still exists.
//!
//! A process id alone says little, because ids are used again and differ between PID namespaces. An owner is judged gone only by
//! a process of the same boot and the same namespace, and only where the id is free or belongs to a process that
//! started at another time. In every other case its lease has to expire.

use serde::{Deserialize, Serialize};

/// One process that may own runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The person on whose behalf the process works.
    pub person: String,
    pub host: String,
    /// The boot of the machine and the PID namespace; empty where that cannot be known.
    pub realm: String,
    pub pid: u32,
    /// When the process started, in ticks since boot.
    pub started: u64,
    /// Tells two owners in one process apart.
    pub instance: u64,
}

impl Owner {
    /// This process.
    pub fn this_process(person: impl Into<String>) -> Owner {
        use std::sync::atomic::{AtomicU64, Ordering};
        static INSTANCES: AtomicU64 = AtomicU64::new(1);
        let pid = std::process::id();
        Owner {
            person: person.into(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            realm: realm().unwrap_or_default(),
            pid,
            started: start_time(pid).unwrap_or_default(),
            instance: INSTANCES.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// An owner that is no process: its lease ends by expiry alone. For simulations and tests.
    pub fn named(person: impl Into<String>, instance: u64) -> Owner {
        Owner { person: person.into(), host: String::new(), realm: String::new(), pid: 0, started: 0, instance }
    }

    /// Whether the process certainly exists, be it at work or stopped.
    pub fn is_there(&self) -> bool {
        self.started != 0 && self.is_near() && start_time(self.pid) == Some(self.started)
    }

    /// Whether this process can tell anything about it.
    fn is_near(&self) -> bool {
        !self.realm.is_empty() && realm().as_deref() == Some(&self.realm)
    }

    /// Whether the process certainly no longer exists.
    pub fn is_gone(&self) -> bool {
        if !self.is_near() {
            return false;
        }
        match start_time(self.pid) {
            Some(started) => self.started != 0 && started != self.started,
            None => !std::path::Path::new(&format!("/proc/{}", self.pid)).exists(),
        }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {} on {})", self.person, self.pid, self.host)
    }
}

fn realm() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), space.display()))
}

/// Field 22 of `/proc/<pid>/stat`. The name in field 2 may hold anything, so fields are counted after its last `)`.
/// A zombie has ended: it counts as absent.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if fields.next()? == "Z" {
        return Some(0);
    }
    fields.nth(18)?.parse().ok()
}
