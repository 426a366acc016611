//! The hash chain of a run. The hash of an event is SHA-256 over the hash before it, as text, and the event's bytes as they
//! stand in the record; the hash before the first is that of the text `runbook journal <format> <run id>`.
//!
//! What is hashed are the written bytes, never a text made again from parsed values: an integer beyond 2^53 or the difference
//! between `1` and `1.0` cannot get lost on the way. Anybody can check a chain with `sed` and `sha256sum`.

use runbook_core::{Digest, RunId};

/// The hash before the first event of a run that is recorded in this format.
pub fn genesis(format: u32, run: &RunId) -> Digest {
    Digest::of_bytes(format!("runbook journal {format} {run}").as_bytes())
}

/// Whether a hash is that of an event that follows `previous`.
pub fn is_link(hash: &Digest, previous: &Digest, parts: &[&str]) -> bool {
    hash.is_of_parts(bytes(previous, parts))
}

/// The hash of an event that follows `previous`. `parts`, one behind the other, are the event as JSON, without its hash.
pub fn link(previous: &Digest, parts: &[&str]) -> Digest {
    Digest::of_parts(bytes(previous, parts))
}

fn bytes<'p>(previous: &'p Digest, parts: &'p [&'p str]) -> impl Iterator<Item = &'p [u8]> {
    std::iter::once(previous.as_str()).chain(parts.iter().copied()).map(str::as_bytes)
}
