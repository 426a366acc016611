//! Proves that a record is what was recorded: from the journal, or from an export and nothing else.
//!
//! Checked are the hash chain, the order, that each event was possible when it happened, that the plan is the one the run
//! started with, that what was decided is what was shown, that each vote was its voter's to give, signatures, the digests of
//! logs where they are at hand, and every anchor. What a chain alone cannot show is a cut at its end, or another record made
//! in its place: that takes a head from outside, or one that was signed.

mod compacted;
mod export;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use runbook_core::policy::DECISION_NAMESPACE;
use runbook_core::run::event::{AttemptEnd, Fact, Vote};
use runbook_core::run::{Event, Run};
use runbook_core::{DecisionId, Digest, Plan, RunId, StepPath};
use serde::Serialize;

pub use export::verify_export;

use crate::access::Seals;
use crate::journal::{Anchor, Archive, JournalError, Phase, Pruned, Record, Summary, chain, records_to};
use crate::log::{LogError, LogSeal, Logs};
use crate::people::{self, Signers};
use crate::{anchor, permit};

/// What is at hand to check against, from elsewhere than the record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'e> {
    /// Heads that were kept.
    pub heads: &'e [Digest],
    /// Signed heads that were kept.
    pub anchors: &'e [Anchor],
    /// Who signs with which keys, as OpenSSH reads it (`allowed_signers`). With it, somebody named there must have signed a
    /// head of the record; without it, signatures are checked by the keys that the record itself names.
    pub signers: Option<&'e Path>,
    pub logs: Option<&'e Logs>,
    /// Where it stands what was left of a record that was compacted.
    pub seals: Option<&'e Seals<'e>>,
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
    #[error("the vote of {person} (event {seq}) does not count: {why}")]
    Vote { seq: u64, person: String, why: String },
    #[error("that {person} is at a decision (event {seq}) does not count: {why}")]
    Acknowledgement { seq: u64, person: String, why: String },
    #[error("the head of event {seq} that {person} signed ({place}) does not hold: {why}")]
    Signature { seq: u64, person: String, place: String, why: String },
    #[error("no head of this record is signed by anybody in {signers}")]
    Unsigned { signers: String },
    #[error("{place} saw the head {head}, which is not in the record: it was cut or changed")]
    Anchor { head: Digest, place: String },
    #[error("the list of runs shows something else than the record says: {what}")]
    Summary { what: &'static str },
    #[error("the record ends after event {found}, and {recorded} were recorded")]
    Cut { recorded: u64, found: u64 },
    #[error("the record was compacted, and {why}")]
    Seal { why: &'static str },
    #[error("the last event is not the one that was recorded last")]
    Head,
    #[error("the log of attempt {attempt} of `{path}` is not what was recorded: {why}")]
    Log { path: StepPath, attempt: u32, why: String },
    /// A power cut can do that to a short log, which is not synced by itself.
    #[error("the end of the log of attempt {attempt} of `{path}` is lost: {bytes} of {kept} bytes are there")]
    LogLost { path: StepPath, attempt: u32, bytes: u64, kept: u64 },
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

/// A head whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vouched {
    pub seq: u64,
    pub by: String,
    pub at: jiff::Timestamp,
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
    /// Heads that somebody signed, in the order of the events.
    pub signed: Vec<Vouched>,
    /// Logs that were compared.
    pub logs: u64,
    /// What of the record was let go of before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Pruned>,
    pub faults: Vec<Fault>,
}

impl Verification {
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Verifies a run as it stands in the journal.
pub fn verify_run(journal: &dyn Archive, run: &RunId, evidence: &Evidence<'_>) -> Result<Verification, JournalError> {
    let mut pruned = journal.pruned(run)?;
    loop {
        let found = verify_as(journal, run, evidence, pruned.clone())?;
        // What was let go of while it was read is not missing.
        let now = if found.is_sound() { pruned.clone() } else { journal.pruned(run)? };
        if now == pruned {
            return Ok(found);
        }
        pruned = now;
    }
}

fn verify_as(
    journal: &dyn Archive,
    run: &RunId,
    evidence: &Evidence<'_>,
    pruned: Option<Pruned>,
) -> Result<Verification, JournalError> {
    // Before the row: each of them names an event that is there by now.
    let anchors = journal.anchors(run)?;
    let row = journal.run(run)?;
    if let Some(pruned) = pruned.clone().filter(Pruned::is_compacted) {
        return compacted::verify(journal, &row, pruned, evidence, &anchors);
    }
    let plan = serde_json::from_str(&journal.plan(&row.plan)?)
        .map_err(|e| JournalError::Damaged { what: format!("plan {}: {e}", row.plan) })?;
    let mut walk = Walk::new(run.clone(), row.format, plan, row.plan, *evidence).map_err(|what| JournalError::Damaged { what })?;
    walk.logs_gone_at = pruned.as_ref().and_then(|pruned| pruned.logs_at);
    for record in records_to(journal, run, row.seq) {
        walk.record(&record?);
    }
    walk.compare_with_list(&row.summary);
    Ok(Verification { pruned, ..walk.finish(Some((row.seq, row.head)), &anchors) })
}

/// One walk over the events of a run.
#[derive(Clone)]
struct Walk<'e> {
    id: RunId,
    format: u32,
    plan: Digest,
    evidence: Evidence<'e>,
    /// Logs of before were let go of.
    logs_gone_at: Option<jiff::Timestamp>,
    run: Run,
    summary: Option<Summary>,
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
    fn new(id: RunId, format: u32, plan: serde_json::Value, recorded: Digest, evidence: Evidence<'e>) -> Result<Walk<'e>, String> {
        let mut found = Verification { run: Some(id.clone()), ..Verification::default() };
        let digest = Digest::of_json(&plan).map_err(|e| format!("the plan cannot be read: {e}"))?;
        if digest != recorded {
            found.faults.push(Fault::Plan { recorded: recorded.clone(), found: digest });
        }
        let plan: Plan = serde_json::from_value(plan).map_err(|e| format!("the plan cannot be read: {e}"))?;
        Ok(Walk {
            head: chain::genesis(format, &id),
            id,
            format,
            plan: recorded,
            evidence,
            logs_gone_at: None,
            run: Run::new(Arc::new(plan)),
            summary: None,
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
        if record.run != self.id || !record.follows(&self.head) {
            return Err(Fault::Chain { seq });
        }
        let event = record.decode(self.format).map_err(|e| Fault::Unreadable { seq, why: e.to_string() })?;
        self.look_at(&event, record);
        self.run.apply(&event).map_err(|e| Fault::Illegal { seq, why: e.why })?;
        match (&mut self.summary, &event.fact) {
            (None, Fact::RunStarted(started)) => self.summary = Some(Summary::new(started, event.at)),
            (summary, _) => summary.iter_mut().for_each(|summary| summary.apply(&event)),
        }
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
            Fact::Acknowledged { decision, by, to, .. } => {
                if let Err(why) = permit::permit_acknowledgement(&self.run, *decision, by, to.as_deref()) {
                    self.fault(Fault::Acknowledgement { seq, person: by.person.clone(), why });
                }
            }
            Fact::AttemptFinished { path, attempt, end } if self.logs_gone_at.is_none_or(|gone| gone < event.at) => {
                if let (Some(logs), Some(seal)) = (self.evidence.logs, seal_of(end)) {
                    self.found.logs += 1;
                    if let Some(fault) = compare(logs, &self.id, path, *attempt, &seal) {
                        self.fault(fault);
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
        if let Err(why) = self.judge(decision, vote) {
            self.fault(Fault::Vote { seq, person, why });
        }
    }

    /// Whether policy admitted this vote, and its signature is one of this person's.
    fn judge(&self, decision: DecisionId, vote: &Vote) -> Result<(), String> {
        permit::permit_vote(&self.run, &self.id, decision, vote)?;
        let (Some(signature), Some(file)) = (&vote.signature, self.evidence.signers) else { return Ok(()) };
        let text = permit::statement(&self.id, decision, vote)?;
        let among = people::verify_among(Signers::File(file), &vote.by.person, &signature.armoured, &text, DECISION_NAMESPACE);
        among.map_err(|e| e.to_string())
    }

    /// The line of a list is made from the events: what it says beside them was put there.
    fn compare_with_list(&mut self, listed: &Summary) {
        let Some(mut derived) = self.summary.clone().filter(|_| !self.broken) else { return };
        if (derived.phase == Phase::Ended) != (listed.phase == Phase::Ended) {
            return self.fault(Fault::Summary { what: "whether it has ended" });
        }
        derived.phase = listed.phase;
        if derived != *listed {
            self.fault(Fault::Summary { what: "what it is, who asked for it, when, or how it ended" });
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
        for head in self.evidence.heads {
            self.look_for(head, None, "an anchor from outside");
        }
        for anchor in anchors.iter().chain(self.evidence.anchors) {
            self.look_at_anchor(anchor);
        }
        self.found.signed.sort_by_key(|vouched| vouched.seq);
        if let Some(signers) = self.evidence.signers.filter(|_| self.found.signed.is_empty()) {
            self.fault(Fault::Unsigned { signers: signers.display().to_string() });
        }
        self.found
    }

    fn look_for(&mut self, head: &Digest, seq: Option<u64>, place: &str) -> bool {
        let found = self.hashes.get(head).is_some_and(|found| seq.is_none_or(|seq| seq == *found));
        match found {
            true => self.found.anchors += 1,
            false => self.fault(Fault::Anchor { head: head.clone(), place: place.to_owned() }),
        }
        found
    }

    fn look_at_anchor(&mut self, anchor: &Anchor) {
        let Anchor { run, seq, head, at, place, signed } = anchor;
        if *run != self.id {
            return self.fault(Fault::Anchor { head: head.clone(), place: place.clone() });
        }
        let (true, Some(signed)) = (self.look_for(head, Some(*seq), place), signed) else { return };
        let people = &self.run.plan().policy.people;
        let has_key = people.people.get(&signed.by).is_some_and(|person| !person.ssh_keys.is_empty());
        let signers = match self.evidence.signers {
            Some(file) => Signers::File(file),
            None if has_key => Signers::People(people),
            // Nothing at hand to check it with.
            None => return,
        };
        match anchor::check(anchor, signers) {
            Ok(()) => self.found.signed.push(Vouched { seq: *seq, by: signed.by.clone(), at: *at }),
            Err(why) => {
                let (person, place) = (signed.by.clone(), place.clone());
                self.fault(Fault::Signature { seq: *seq, person, place, why });
            }
        }
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

/// What is wrong with a log. Whether what is left of one that is too short is its beginning, its digest does not tell.
fn compare(logs: &Logs, run: &RunId, path: &StepPath, attempt: u32, seal: &LogSeal) -> Option<Fault> {
    let altered = |why: String| Some(Fault::Log { path: path.clone(), attempt, why });
    let (bytes, digest) = match logs.reader(run, path, attempt).and_then(|reader| reader.measure()) {
        Ok((bytes, digest)) => (bytes, Some(digest)),
        Err(LogError::Absent { .. }) => (0, None),
        Err(error) => return altered(error.to_string()),
    };
    match digest {
        _ if bytes < seal.bytes && !seal.was_synced() => {
            Some(Fault::LogLost { path: path.clone(), attempt, bytes, kept: seal.bytes })
        }
        None if seal.bytes > 0 => altered("it is not there".to_owned()),
        _ if bytes != seal.bytes => altered(format!("it has {bytes} bytes, recorded are {}", seal.bytes)),
        Some(digest) if digest != seal.digest => altered("its bytes are others".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
