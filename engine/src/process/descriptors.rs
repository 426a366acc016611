//! How many files and connections this process may have open. A server takes as many as the system allows at most; what it starts gets
//! what the server was given, since some programs go through all descriptors that there may be, or know none beyond 1,023.

use std::io;
use std::sync::OnceLock;

use runbook_core::limits;
use rustix::process::{Pid, Resource, getrlimit, prlimit, setrlimit};

/// What this process was given.
static GIVEN: OnceLock<Option<u64>> = OnceLock::new();

/// Takes as many as the system allows, within a bound.
pub fn raise() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let given = *GIVEN.get_or_init(|| limit.current);
    let most = limit.maximum.map_or(limits::DESCRIPTORS, |most| most.min(limits::DESCRIPTORS));
    limit.current = given.map(|given| given.max(most));
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Gives a child what this process was given. One that ends meanwhile needs nothing.
pub(super) fn give(child: Pid) {
    if let Some(given) = GIVEN.get() {
        let limit = getrlimit(Resource::Nofile);
        let _ = prlimit(Some(child), Resource::Nofile, rustix::process::Rlimit { current: *given, ..limit });
    }
}
