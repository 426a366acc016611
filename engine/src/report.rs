//! What others read of procedures and runs: the forms that a report can take. Pure functions from values to text; nothing here prints.
//!
//! Invariant: a text that came from outside this program, however hostile, is data in every form. It passes [`plain`] for a terminal,
//! [`markdown`] or [`html`] for those, and can neither act there nor look like a part of the report.

pub mod account;
pub mod annotations;
mod asked;
pub mod comparison;
pub mod dry_run;
pub mod ended;
pub mod guide;
pub mod html;
pub mod listed;
mod man;
pub mod markdown;
pub mod problems;
mod prose;
pub mod request;
pub mod review;
mod said;
pub mod spans;
pub mod timeline;
pub mod two_runs;
mod usual;
mod well;

pub use runbook_core::plain;
pub use usual::{exercised, usual};
pub use well::{StepHealth, Well};
