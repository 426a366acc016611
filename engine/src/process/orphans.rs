//! Children that nobody in this program waits for. The engine adopts what its steps leave behind, so it has to collect the
//! dead among them, and must never collect a child that somebody else here started and will ask for: those are claimed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, MutexGuard, Once, PoisonError, RwLock};
use std::time::Instant;

use runbook_core::limits;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, getpid, set_child_subreaper, waitid, waitpid};

use super::table::{Entry, own_pid, snapshot};

/// Children that are waited for by whoever claimed them.
static CLAIMED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
/// Held shared from before a child is started until it is claimed.
static STARTING: RwLock<()> = RwLock::new(());
static COLLECTED: Mutex<Collected> = Mutex::new(Collected { count: 0, last: None });
static DEAD: Mutex<Dead> = Mutex::new(Dead { looked: None, seen: BTreeMap::new() });

/// Dead children that nobody has collected.
struct Dead {
    looked: Option<Instant>,
    /// pid → (start time, when first seen).
    seen: BTreeMap<i32, (u64, Instant)>,
}

/// What has been collected so far, by anybody here.
#[derive(Clone)]
pub struct Collected {
    pub count: u64,
    pub last: Option<Entry>,
}

/// A child that is no orphan for as long as this lives.
#[derive(Debug)]
pub struct Claim(i32);

impl Claim {
    /// Starts a child and claims it, as one act for everybody who collects.
    pub fn start<T>(spawn: impl FnOnce() -> io::Result<(i32, T)>) -> io::Result<(Claim, T)> {
        let starting = STARTING.read().unwrap_or_else(PoisonError::into_inner);
        let (pid, started) = spawn()?;
        lock(&CLAIMED).insert(pid);
        drop(starting);
        Ok((Claim(pid), started))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&CLAIMED).remove(&self.0);
    }
}

/// Every child that is claimed; whoever was started before this call is among them.
pub fn claimed() -> BTreeSet<i32> {
    let _nobody_starts = STARTING.write().unwrap_or_else(PoisonError::into_inner);
    lock(&CLAIMED).clone()
}

/// Makes this program the parent of what its children leave behind, so that a daemon cannot slip away to the machine's init.
pub fn adopt() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = set_child_subreaper(Some(getpid())) {
            tracing::warn!(%error, "orphans of steps cannot be adopted; a daemon that wipes its environment may escape a cancel");
        }
    });
}

/// Collects adopted children that have ended; looks at most once in [`limits::ORPHAN_AGE`], so it may be called often. One is
/// taken only after it was seen dead for that long: whoever started it without a claim has collected it first.
pub fn collect() {
    let mut dead = lock(&DEAD);
    if dead.looked.is_some_and(|at| at.elapsed() < limits::ORPHAN_AGE) {
        return;
    }
    dead.looked = Some(Instant::now());
    let peek = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if !matches!(waitid(WaitId::All, peek), Ok(Some(_))) {
        dead.seen.clear();
        return;
    }
    let own = own_pid();
    let zombies = snapshot().into_iter().filter(|entry| entry.parent == own && entry.state == 'Z');
    let claimed = claimed();
    let mut seen = BTreeMap::new();
    for entry in zombies.filter(|entry| !claimed.contains(&entry.pid)) {
        let first = match dead.seen.get(&entry.pid) {
            Some((started, first)) if *started == entry.started => *first,
            _ => Instant::now(),
        };
        if first.elapsed() < limits::ORPHAN_AGE {
            seen.insert(entry.pid, (entry.started, first));
        } else {
            collect_one(&entry);
        }
    }
    dead.seen = seen;
}

/// Collects an adopted child that has ended.
pub fn collect_one(entry: &Entry) {
    if let Some(pid) = Pid::from_raw(entry.pid) {
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        let mut collected = lock(&COLLECTED);
        collected.count += 1;
        collected.last = Some(entry.clone());
    }
}

/// Whoever sees no dead orphans, and the same count as before, has missed no end.
pub fn collected() -> Collected {
    lock(&COLLECTED).clone()
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
