//! A record of which only what people did is left, with the hash of every event: see [`retention`](crate::retention).

use std::collections::BTreeMap;

use runbook_core::Fact;

use super::{Cast, Evidence, Fault, Verification};
use crate::journal::{Anchor, Archive, JournalError, Phase, Pruned, RunRow, chain, records_to};
use crate::retention::Sealing;

/// Proves each event that stays by the hash before it, the heads that were kept, and the seal.
pub(super) fn verify(
    journal: &dyn Archive,
    row: &RunRow,
    pruned: Pruned,
    evidence: &Evidence<'_>,
    anchors: &[Anchor],
) -> Result<Verification, JournalError> {
    let run = &row.run;
    let mut found = Verification { run: Some(run.clone()), ..Verification::default() };
    let mut head = chain::genesis(row.format, run);
    let mut hashes = BTreeMap::new();
    let mut seal = Sealing::default();
    let mut outcome = None;
    for record in records_to(journal, run, row.seq) {
        let record = record?;
        let (seq, expected) = (record.seq, found.intact + 1);
        if seq != expected {
            found.faults.push(Fault::Order { expected, found: seq });
            break;
        }
        if !record.is_removed() {
            if !record.follows(&head) {
                found.faults.push(Fault::Chain { seq });
                break;
            }
            match record.decode(row.format) {
                Err(why) => {
                    found.faults.push(Fault::Unreadable { seq, why: why.to_string() });
                    break;
                }
                Ok(event) => match event.fact {
                    Fact::Decided { decision, vote } => found.votes.push(Cast {
                        seq,
                        decision,
                        person: vote.by.person.clone(),
                        choice: vote.choice.name(),
                        signed: vote.signature.is_some(),
                    }),
                    Fact::RunFinished { outcome: ended } => outcome = Some((ended.kind, event.at)),
                    Fact::UndoRequested { .. } => outcome = None,
                    _ => {}
                },
            }
        }
        seal.add(&record.line());
        head = record.hash.clone();
        hashes.insert(record.hash, seq);
        found.intact = seq;
        found.head = Some(head.clone());
    }
    found.ended = outcome.is_some();
    if found.faults.is_empty() {
        if found.intact != row.seq {
            found.faults.push(Fault::Cut { recorded: row.seq, found: found.intact });
        } else if head != row.head {
            found.faults.push(Fault::Head);
        }
        let listed = (row.summary.phase == Phase::Ended).then_some((row.summary.outcome, row.summary.ended_at));
        if listed != outcome.map(|(kind, at)| (Some(kind), Some(at))) {
            found.faults.push(Fault::Summary { what: "whether, when, or how it ended" });
        }
        let seal = seal.done();
        if pruned.seal.as_ref() != Some(&seal) {
            found.faults.push(Fault::Seal { why: "what is left of it is not what was left when it was compacted" });
        }
        let told = match evidence.seals {
            Some(seals) => seals.confirm(run, &seal)?,
            None => Err("there is no audit log, which would tell of this compaction"),
        };
        if let Err(why) = told {
            found.faults.push(Fault::Seal { why });
        }
    }
    let heads = evidence.heads.iter().map(|head| (head, None, "an anchor from outside".to_owned()));
    let anchors = anchors.iter().chain(evidence.anchors);
    let anchors = anchors.map(|anchor| (&anchor.head, Some((&anchor.run, anchor.seq)), anchor.place.clone()));
    for (head, at, place) in heads.chain(anchors) {
        let seq = hashes.get(head);
        let is_there = seq.is_some_and(|seq| at.is_none_or(|(of, wanted)| of == run && wanted == *seq));
        match is_there {
            true => found.anchors += 1,
            false => found.faults.push(Fault::Anchor { head: head.clone(), place }),
        }
    }
    found.pruned = Some(pruned);
    Ok(found)
}
