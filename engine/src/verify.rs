//! Proves that a record is what was recorded: from the journal, or from an export and nothing else.
//!
//! Checked are the hash chain, the order, that each event was possible when it happened, that the plan is the one the run
//! started with, that what was decided is what was shown, signatures, the digests of logs where they are at hand, and
//! every anchor. What a chain alone cannot show is a cut at its end: that takes an anchor from outside.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};
use std::sync::Arc;

use runbook_core::run::decision::Request;
use runbook_core::run::event::{AttemptEnd, Fact, Vote};
use runbook_core::run::{Event, Run};
use runbook_core::{DecisionId, Digest, Plan, RunId, StepPath, limits};
use serde::Serialize;
use sha2::Digest as _;

use crate::journal::export::{Header, KIND, TAIL, Tail};
use crate::journal::{Anchor, FORMAT, Journal, JournalError, Record, chain};
use crate::log::{LogError, LogSeal, Logs};
use crate::permit;

/// What is at hand to check against.
pub struct Evidence<'e> {
    /// Says whether a vote's signature is its voter's. Called for signed votes alone.
    pub signature: &'e dyn Fn(&SignedVote<'_>) -> Result<(), String>,
    /// Heads that were kept outside of the record.
    pub anchors: &'e [Digest],
    pub logs: Option<&'e Logs>,
}

/// A vote that carries a signature, with all that it is about.
pub struct SignedVote<'e> {
    /// The run as it was when the vote came.
    pub run: &'e Run,
    pub decision: DecisionId,
    pub request: &'e Request,
    pub vote: &'e Vote,
}

/// One thing that is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    #[error("line {line} is not part of an export: {why}")]
    Line { line: u64, why: String },
    #[error("the record is of format {format}, and this version reads up to {known}; use a newer `runbook`")]
    Newer { format: u32, known: u32 },
    #[error("the file is not as it was written: its digest is another one")]
    File,
    #[error("event {found} stands where event {expected} belongs")]
    Order { expected: u64, found: u64 },
    #[error("event {seq} is not what was recorded: its hash is another one")]
    Chain { seq: u64 },
    #[error("event {seq} cannot be read: {why}")]
    Unreadable { seq: u64, why: String },
    #[error("event {seq} was not possible: {why}")]
    Illegal { seq: u64, why: String },
    #[error("the plan is not the one that the run started with: its digest is {found}, recorded is {recorded}")]
    Plan { recorded: Digest, found: Digest },
    #[error("decision {decision} (event {seq}) does not have the digest of what it shows")]
    Request { seq: u64, decision: DecisionId },
    #[error("the signature of {person} (event {seq}) does not hold: {why}")]
    Signature { seq: u64, person: String, why: String },
    #[error("the vote of {person} (event {seq}) does not count: {why}")]
    Vote { seq: u64, person: String, why: String },
    #[error("{place} saw the head {head}, which is not in the record: it was cut or changed")]
    Anchor { head: Digest, place: String },
    #[error("the record ends after event {found}, and {recorded} were recorded")]
    Cut { recorded: u64, found: u64 },
    #[error("the last event is not the one that was recorded last")]
    Head,
    #[error("the log of attempt {attempt} of `{path}` is not what was recorded: {why}")]
    Log { path: StepPath, attempt: u32, why: String },
}

/// A vote in the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cast {
    pub seq: u64,
    pub decision: DecisionId,
    pub person: String,
    pub choice: &'static str,
    pub signed: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    pub run: Option<RunId>,
    /// Events from the first on that are intact.
    pub intact: u64,
    /// The hash of the last intact event: what an anchor outside should name.
    pub head: Option<Digest>,
    pub ended: bool,
    pub votes: Vec<Cast>,
    /// Anchors that hold: those of the record, those in votes, and those from outside.
    pub anchors: u64,
    /// Logs that were compared.
    pub logs: u64,
    pub faults: Vec<Fault>,
}

impl Verification {
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Verifies a run as it stands in the journal.
pub fn verify_run(journal: &dyn Journal, run: &RunId, evidence: &Evidence<'_>) -> Result<Verification, JournalError> {
    let row = journal.run(run)?;
    let plan = serde_json::from_str(&journal.plan(&row.plan)?)
        .map_err(|e| JournalError::Damaged { what: format!("plan {}: {e}", row.plan) })?;
    let mut walk = Walk::new(run.clone(), row.format, plan, row.plan, evidence).map_err(|what| JournalError::Damaged { what })?;
    let mut next = 1;
    loop {
        let page = journal.records(run, next, limits::RECORDS_PAGE)?;
        let Some(last) = page.last() else { break };
        next = last.seq.saturating_add(1);
        page.iter().take_while(|record| record.seq <= row.seq).for_each(|record| walk.record(record));
        if next > row.seq {
            break;
        }
    }
    Ok(walk.finish(Some((row.seq, row.head)), &journal.anchors(run)?))
}

/// Verifies an export. An error is one of reading; whatever the file holds is a finding.
pub fn verify_export(mut file: impl BufRead, evidence: &Evidence<'_>) -> std::io::Result<Verification> {
    let mut digest = sha2::Sha256::new();
    let mut walk: Option<Walk<'_>> = None;
    let mut number = 0;
    let broken = |walk: Option<Walk<'_>>, fault: Fault| {
        let mut found = walk.map(|walk| walk.finish(None, &[])).unwrap_or_default();
        found.faults.push(fault);
        Ok(found)
    };
    loop {
        number += 1;
        let wrong = |why: &str| Fault::Line { line: number, why: why.to_owned() };
        let mut bytes = Vec::new();
        file.by_ref().take(limits::EXPORT_LINE).read_until(b'\n', &mut bytes)?;
        let line = match std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n')) {
            Some(line) => line,
            None if bytes.is_empty() => return broken(walk, wrong("the file ends before its last line")),
            None => return broken(walk, wrong("it is cut, too long or not UTF-8")),
        };
        let Some(current) = walk.as_mut() else {
            let header: Header = match serde_json::from_str(line) {
                Ok(header) => header,
                Err(error) => return broken(None, wrong(&error.to_string())),
            };
            if header.record != KIND {
                return broken(None, wrong("it is another kind of file"));
            }
            if header.format > FORMAT {
                return broken(None, Fault::Newer { format: header.format, known: FORMAT });
            }
            digest.update(&bytes);
            match Walk::new(header.run, header.format, header.plan, header.plan_digest, evidence) {
                Ok(begun) => walk = Some(begun),
                Err(why) => return broken(None, wrong(&why)),
            }
            continue;
        };
        if !line.starts_with(TAIL) {
            digest.update(&bytes);
            match Record::from_line(line) {
                Ok(record) => current.record(&record),
                Err(error) => return broken(walk, wrong(&error.to_string())),
            }
            continue;
        }
        let tail: Tail = match serde_json::from_str(line) {
            Ok(tail) => tail,
            Err(error) => return broken(walk, wrong(&error.to_string())),
        };
        let front = line.strip_suffix(&format!(r#","file":"{}"}}"#, tail.file));
        digest.update(front.unwrap_or_default());
        let same = front.is_some() && Digest::from_sha256(digest.finalize().into()) == tail.file;
        let mut rest = Vec::new();
        file.by_ref().take(1).read_to_end(&mut rest)?;
        let mut found = match walk {
            Some(walk) => walk.finish(Some((tail.events, tail.head)), &tail.anchors),
            None => Verification::default(),
        };
        if !same {
            found.faults.push(Fault::File);
        }
        if !rest.is_empty() {
            found.faults.push(Fault::Line { line: number + 1, why: "it stands behind the last line".to_owned() });
        }
        return Ok(found);
    }
}

/// One walk over the events of a run.
struct Walk<'e> {
    id: RunId,
    format: u32,
    plan: Digest,
    evidence: &'e Evidence<'e>,
    run: Run,
    head: Digest,
    /// Hash → number, of every intact event.
    hashes: BTreeMap<Digest, u64>,
    /// Nothing behind the first break can be trusted.
    broken: bool,
    records: u64,
    found: Verification,
}

impl<'e> Walk<'e> {
    /// An error says why there is no plan to walk through.
    fn new(
        id: RunId,
        format: u32,
        plan: serde_json::Value,
        recorded: Digest,
        evidence: &'e Evidence<'e>,
    ) -> Result<Walk<'e>, String> {
        let mut found = Verification { run: Some(id.clone()), ..Verification::default() };
        let digest = Digest::of_json(&plan).map_err(|e| format!("the plan cannot be read: {e}"))?;
        if digest != recorded {
            found.faults.push(Fault::Plan { recorded: recorded.clone(), found: digest });
        }
        let plan: Plan = serde_json::from_value(plan).map_err(|e| format!("the plan cannot be read: {e}"))?;
        Ok(Walk {
            head: chain::genesis(&id),
            id,
            format,
            plan: recorded,
            evidence,
            run: Run::new(Arc::new(plan)),
            hashes: BTreeMap::new(),
            broken: false,
            records: 0,
            found,
        })
    }

    fn record(&mut self, record: &Record) {
        self.records += 1;
        if self.broken {
            return;
        }
        if let Err(fault) = self.check(record) {
            self.broken = true;
            self.found.faults.push(fault);
        }
    }

    fn check(&mut self, record: &Record) -> Result<(), Fault> {
        let (seq, expected) = (record.seq, self.found.intact + 1);
        if seq != expected {
            return Err(Fault::Order { expected, found: seq });
        }
        if record.run != self.id || chain::link(&self.head, &record.bytes()) != record.hash {
            return Err(Fault::Chain { seq });
        }
        let event = record.decode(self.format).map_err(|e| Fault::Unreadable { seq, why: e.to_string() })?;
        self.look_at(&event, record);
        self.run.apply(&event).map_err(|e| Fault::Illegal { seq, why: e.why })?;
        self.head = record.hash.clone();
        self.hashes.insert(record.hash.clone(), seq);
        self.found.intact = seq;
        self.found.head = Some(record.hash.clone());
        Ok(())
    }

    /// Checks what an event says of things beside the chain.
    fn look_at(&mut self, event: &Event, record: &Record) {
        let seq = event.seq;
        match &event.fact {
            Fact::RunStarted(started) if started.plan != self.plan => {
                self.fault(Fault::Plan { recorded: started.plan.clone(), found: self.plan.clone() });
            }
            Fact::DecisionRequested { decision, request, .. } if digest_as_written(record).as_ref() != Some(&request.digest) => {
                self.fault(Fault::Request { seq, decision: *decision });
            }
            Fact::Decided { decision, vote } => self.look_at_vote(seq, *decision, vote),
            Fact::AttemptFinished { path, attempt, end } => {
                if let (Some(logs), Some(seal)) = (self.evidence.logs, seal_of(end)) {
                    self.found.logs += 1;
                    if let Err(why) = compare(logs, &self.id, path, *attempt, &seal) {
                        self.fault(Fault::Log { path: path.clone(), attempt: *attempt, why });
                    }
                }
            }
            _ => {}
        }
    }

    fn look_at_vote(&mut self, seq: u64, decision: DecisionId, vote: &Vote) {
        let person = vote.by.person.clone();
        self.found.votes.push(Cast {
            seq,
            decision,
            person: person.clone(),
            choice: vote.choice.name(),
            signed: vote.signature.is_some(),
        });
        match &vote.head {
            Some(head) if self.hashes.contains_key(head) => self.found.anchors += 1,
            Some(head) => self.fault(Fault::Anchor { head: head.clone(), place: format!("the vote of {person}") }),
            None => {}
        }
        // Policy is judged again; whether a signature holds, by whoever can ask OpenSSH.
        if let Err(why) = permit::standing(&self.run, decision, vote) {
            self.fault(Fault::Vote { seq, person: person.clone(), why });
        }
        if let (Some(_), Some(asked)) = (&vote.signature, self.run.decision(decision)) {
            let signed = SignedVote { run: &self.run, decision, request: &asked.request, vote };
            if let Err(why) = (self.evidence.signature)(&signed) {
                self.fault(Fault::Signature { seq, person, why });
            }
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.found.faults.push(fault);
    }

    /// Compares the end with where the record says that it ends, and with the anchors.
    fn finish(mut self, end: Option<(u64, Digest)>, anchors: &[Anchor]) -> Verification {
        self.found.ended = self.run.outcome().is_some();
        if let Some((recorded, head)) = end
            && !self.broken
        {
            if recorded != self.records {
                self.fault(Fault::Cut { recorded, found: self.records });
            } else if head != self.head {
                self.fault(Fault::Head);
            }
        }
        let inside = anchors.iter().map(|anchor| (&anchor.head, Some(anchor.seq), anchor.place.clone()));
        let outside = self.evidence.anchors.iter().map(|head| (head, None, "an anchor from outside".to_owned()));
        for (head, seq, place) in inside.chain(outside) {
            match self.hashes.get(head) {
                Some(found) if seq.is_none_or(|seq| seq == *found) => self.found.anchors += 1,
                _ => self.found.faults.push(Fault::Anchor { head: head.clone(), place }),
            }
        }
        self.found
    }
}

/// The digest of what a request shows, over the fields that it was written with.
fn digest_as_written(record: &Record) -> Option<Digest> {
    let mut body: serde_json::Value = serde_json::from_str(&record.body).ok()?;
    let request = body.get_mut("request")?;
    request.as_object_mut()?.remove("digest");
    Digest::of_json(request).ok()
}

fn seal_of(end: &AttemptEnd) -> Option<LogSeal> {
    match end {
        AttemptEnd::Succeeded { result }
        | AttemptEnd::Failed { result, .. }
        | AttemptEnd::TimedOut { result, .. }
        | AttemptEnd::Cancelled { result, .. } => LogSeal::of_result(result),
        AttemptEnd::Unknown { .. } => None,
    }
}

fn compare(logs: &Logs, run: &RunId, path: &StepPath, attempt: u32, seal: &LogSeal) -> Result<(), String> {
    let (bytes, digest) = match logs.reader(run, path, attempt).and_then(|reader| reader.measure()) {
        Ok(measured) => measured,
        // Nothing was kept, and that is what was recorded.
        Err(LogError::Absent { .. }) if seal.bytes == 0 => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    match () {
        () if bytes != seal.bytes => Err(format!("it has {bytes} bytes, recorded are {}", seal.bytes)),
        () if digest != seal.digest => Err("its bytes are others".to_owned()),
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests;
