//! What others read of procedures and runs: the forms that a report can take. Pure functions from values to text; nothing here prints.
//!
//! Invariant: a text that came from outside this program, however hostile, is data in every form. It passes [`plain`] for a terminal,
//! [`markdown`] or [`html`] for those, and can neither act there nor look like a part of the report.

pub mod annotations;
pub mod comparison;
pub mod dry_run;
pub mod html;
pub mod markdown;
pub mod plain;
pub mod review;
mod usual;

pub use usual::usual;
