//! An export, line by line: the plan, every event, and the line that closes it. What is known after a line depends on the lines
//! up to it and on nothing else, so a record may be longer than memory.

use std::io::{BufRead, Read};

use runbook_core::{Digest, limits};
use sha2::{Digest as _, Sha256};

use super::{Evidence, Fault, Verification, Walk};
use crate::journal::export::{Header, KIND, TAIL, Tail};
use crate::journal::{FORMAT, Record};

/// Verifies an export. An error is one of reading; whatever the file holds is a finding.
pub fn verify_export(mut file: impl BufRead, evidence: &Evidence<'_>) -> std::io::Result<Verification> {
    let mut reading = Reading::new(*evidence);
    loop {
        let mut line = Vec::new();
        file.by_ref().take(limits::EXPORT_LINE).read_until(b'\n', &mut line)?;
        match reading.line(&line) {
            Ok(None) => {}
            Ok(Some(tail)) => return Ok(reading.finish(tail, file.fill_buf()?.is_empty())),
            Err(fault) => return Ok(reading.broken(fault)),
        }
    }
}

/// An export as far as it was read.
#[derive(Clone)]
pub(super) struct Reading<'e> {
    evidence: Evidence<'e>,
    /// Of every byte that the last line's digest is over.
    digest: Sha256,
    lines: u64,
    walk: Option<Walk<'e>>,
}

impl<'e> Reading<'e> {
    pub(super) fn new(evidence: Evidence<'e>) -> Reading<'e> {
        Reading { evidence, digest: Sha256::new(), lines: 0, walk: None }
    }

    /// Takes one line with its end. Gives the last one; a fault says that what follows cannot be read.
    pub(super) fn line(&mut self, bytes: &[u8]) -> Result<Option<Tail>, Fault> {
        self.lines += 1;
        let line = match std::str::from_utf8(bytes).ok().and_then(|text| text.strip_suffix('\n')) {
            Some(line) => line,
            None if bytes.is_empty() => return Err(self.wrong("the file ends before its last line")),
            None => return Err(self.wrong("it is cut, too long or not UTF-8")),
        };
        let Some(walk) = self.walk.as_mut() else {
            self.digest.update(bytes);
            self.walk = Some(self.begin(line)?);
            return Ok(None);
        };
        if line.starts_with(TAIL) {
            let tail: Tail = serde_json::from_str(line).map_err(|error| self.wrong(&error.to_string()))?;
            let front = line.strip_suffix(&format!(r#","file":"{}"}}"#, tail.file));
            self.digest.update(front.ok_or_else(|| self.wrong("its digest is not the last thing in it"))?);
            return Ok(Some(tail));
        }
        self.digest.update(bytes);
        match Record::from_line(line) {
            Ok(record) => walk.record(&record),
            Err(error) => return Err(self.wrong(&error.to_string())),
        }
        Ok(None)
    }

    fn begin(&self, line: &str) -> Result<Walk<'e>, Fault> {
        let header: Header = serde_json::from_str(line).map_err(|error| self.wrong(&error.to_string()))?;
        if header.record != KIND {
            return Err(self.wrong("it is another kind of file"));
        }
        if header.format > FORMAT {
            return Err(Fault::Newer { format: header.format, known: FORMAT });
        }
        Walk::new(header.run, header.format, header.plan, header.plan_digest, self.evidence).map_err(|why| self.wrong(&why))
    }

    fn wrong(&self, why: &str) -> Fault {
        Fault::Line { line: self.lines, why: why.to_owned() }
    }

    /// What was found up to a line that cannot be read.
    pub(super) fn broken(self, fault: Fault) -> Verification {
        let mut found = self.walk.map(|walk| walk.finish(None, &[])).unwrap_or_default();
        found.faults.push(fault);
        found
    }

    /// What was found, once the last line was read.
    pub(super) fn finish(self, tail: Tail, is_end: bool) -> Verification {
        let mut faults = Vec::new();
        if Digest::from_sha256(self.digest.clone().finalize().into()) != tail.file {
            faults.push(Fault::File);
        }
        if !is_end {
            faults.push(Fault::Line { line: self.lines + 1, why: "it stands behind the last line".to_owned() });
        }
        let mut found = self.walk.map(|walk| walk.finish(Some((tail.events, tail.head)), &tail.anchors)).unwrap_or_default();
        found.faults.extend(faults);
        found
    }

    /// Whether something is wrong already.
    #[cfg(test)]
    pub(super) fn has_faults(&self) -> bool {
        self.walk.as_ref().is_some_and(|walk| !walk.found.is_sound())
    }
}
