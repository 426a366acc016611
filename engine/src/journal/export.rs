//! One run as a file that stands alone: a line with the plan, a line per event exactly as it was recorded, and a line that
//! closes it. [`verify`](crate::verify) needs nothing else, and docs/record.md says how to do without it.
//!
//! The last line names the head of the chain, and `file`: the SHA-256 of every byte before `,"file"`. So a slip is seen anywhere in
//! the file, and a change by somebody who computes that again is seen by the chain, the plan's digest and the anchors.

use std::io::{BufRead, Error, ErrorKind, Read, Write};

use runbook_core::id::canonical_json;
use runbook_core::run::Event;
use runbook_core::{Digest, Plan, RunId, limits};
use serde::Deserialize;
use sha2::Digest as _;

use super::{Anchor, Archive, JournalError, Record, records_to};

/// What the first line says this file is.
pub const KIND: &str = "runbook record";

/// The first line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub record: String,
    pub format: u32,
    pub run: RunId,
    pub plan_digest: Digest,
    /// As it was written: its digest is over this, also where later versions know more fields.
    pub plan: serde_json::Value,
}

/// The last line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tail {
    pub head: Digest,
    pub events: u64,
    pub anchors: Vec<Anchor>,
    pub file: Digest,
}

/// How the last line begins; no event does.
pub(crate) const TAIL: &str = r#"{"head":""#;

/// Writes a run as it is recorded now. The plan is written as its digest sees it, so that `sha256sum` can check it.
pub fn export(journal: &dyn Archive, run: &RunId, out: &mut dyn Write) -> Result<(), ExportError> {
    // Before the row: each of them names an event that is there by now.
    let anchors = serde_json::to_string(&journal.anchors(run)?).map_err(Error::from)?;
    let row = journal.run(run)?;
    let plan: serde_json::Value = serde_json::from_str(&journal.plan(&row.plan)?).map_err(Error::from)?;
    let plan = canonical_json(&plan).map_err(Error::from)?;
    let mut out = Hashing { out, digest: sha2::Sha256::new() };
    let (format, digest) = (row.format, &row.plan);
    writeln!(out, r#"{{"record":"{KIND}","format":{format},"run":"{run}","plan_digest":"{digest}","plan":{plan}}}"#)?;
    let mut last = 0;
    for record in records_to(journal, run, row.seq) {
        let record = record?;
        if record.is_removed() {
            return Err(JournalError::Compacted(run.clone()).into());
        }
        if record.seq != last + 1 {
            break;
        }
        writeln!(out, "{}", record.line())?;
        last = record.seq;
    }
    if last != row.seq {
        let what = format!("run {run} ends after event {last} of {}", row.seq);
        return Err(JournalError::Damaged { what }.into());
    }
    write!(out, r#"{TAIL}{}","events":{},"anchors":{anchors}"#, row.head, row.seq)?;
    let file = Digest::from_sha256(out.digest.finalize().into());
    writeln!(out.out, r#","file":"{file}"}}"#)?;
    out.out.flush()?;
    Ok(())
}

/// Why a run could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the export cannot be written: {0}")]
    Write(#[from] Error),
}

/// An export that is read again, event by event. What it proves is for [`verify`](crate::verify) to say.
pub struct Exported<R> {
    pub run: RunId,
    pub format: u32,
    pub plan: Plan,
    lines: R,
}

impl<R: BufRead> Exported<R> {
    pub fn open(mut lines: R) -> Result<Exported<R>, JournalError> {
        let header: Header = serde_json::from_str(&line(&mut lines)?).map_err(damaged)?;
        let plan = serde_json::from_value(header.plan).map_err(damaged)?;
        Ok(Exported { run: header.run, format: header.format, plan, lines })
    }

    /// The next event; `None` at the last line.
    pub fn event(&mut self) -> Result<Option<Event>, JournalError> {
        let line = line(&mut self.lines)?;
        if line.starts_with(TAIL) {
            return Ok(None);
        }
        Record::from_line(line.trim_end()).map_err(damaged)?.decode(self.format).map(Some)
    }
}

fn line(lines: &mut impl BufRead) -> Result<String, JournalError> {
    let mut line = String::new();
    lines.by_ref().take(limits::EXPORT_LINE).read_line(&mut line).map_err(damaged)?;
    Ok(line)
}

fn damaged(why: impl std::fmt::Display) -> JournalError {
    JournalError::Damaged { what: format!("the export cannot be read: {why}") }
}

struct Hashing<'o> {
    out: &'o mut dyn Write,
    digest: sha2::Sha256,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let written = self.out.write(bytes)?;
        self.digest.update(bytes.get(..written).ok_or(ErrorKind::InvalidData)?);
        Ok(written)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.out.flush()
    }
}
