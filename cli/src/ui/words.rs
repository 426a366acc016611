//! How things of the engine are said to people at a terminal: what depends on where they are.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use runbook_core::plan::Procedure;
pub use runbook_engine::report::dry_run::shell_word;
pub use runbook_engine::words::{as_typed, between, count, elapsed, event, remark, step, stopwatch, value, values, who, work};

use super::line;

/// An instant in the zone of this machine.
pub fn when(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// Who answers for a procedure, and where to turn to; nothing where it does not say.
pub fn whom(procedure: &Procedure) -> Option<String> {
    let contacts = line(&procedure.contacts.join(", ")).into_owned();
    match (&procedure.owner, procedure.contacts.is_empty()) {
        (Some(owner), true) => Some(line(owner).into_owned()),
        (Some(owner), false) => Some(format!("{}; contacts: {contacts}", line(owner))),
        (None, false) => Some(format!("contacts: {contacts}")),
        (None, true) => None,
    }
}
