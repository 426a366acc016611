//! A journal in memory, for tests and simulations. It passes the same suite as the one on disk and keeps nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use runbook_core::{Digest, Fact, ProcedureName, RunId};

use super::{
    Ahead, AheadId, Anchor, Append, Archive, Awaited, AwaitedFilter, DecisionFilter, FORMAT, Holder, Journal, JournalError,
    KeptOverride, Lease, LockOutcome, NewAhead, NewOverride, NewRun, OpenDecision, OverrideId, Owner, Phase, Receipt, Record,
    RunFilter, RunRow, Summary, chain,
};
use crate::message::{Answer, Letter, Message, MessageId};

/// Gone when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryJournal(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    version: u64,
    plans: BTreeMap<String, String>,
    runs: BTreeMap<RunId, Entry>,
    letters: BTreeMap<MessageId, (Letter, Option<Answer>)>,
    last_message: i64,
    last_awaited: u64,
    aheads: Vec<Ahead>,
    overrides: Vec<KeptOverride>,
    last_override: i64,
    locks: BTreeMap<String, RunId>,
    anchors: Vec<Anchor>,
    /// Whose record grew, a run for each record.
    grown: Vec<(RunId, u64)>,
}

#[derive(Debug)]
struct Entry {
    plan: Digest,
    summary: Summary,
    records: Vec<Record>,
    open: Vec<OpenDecision>,
    awaited: Vec<Awaited>,
    epoch: u64,
    holder: Option<Holder>,
}

impl Entry {
    fn head(&self, run: &RunId) -> Digest {
        self.records.last().map_or_else(|| chain::genesis(FORMAT, run), |record| record.hash.clone())
    }

    /// Refuses records that do not follow the last one.
    fn check(&self, run: &RunId, records: &[Record]) -> Result<(), JournalError> {
        let mut head = self.head(run);
        for (last, record) in (self.records.len() as u64..).zip(records) {
            if record.seq != last + 1 || record.run != *run || !record.follows(&head) {
                return Err(JournalError::OutOfOrder { run: run.clone(), last, found: record.seq });
            }
            head = record.hash.clone();
        }
        Ok(())
    }

    fn fence(&self, run: &RunId, epoch: u64) -> Result<(), JournalError> {
        if self.epoch == epoch && self.holder.is_some() { Ok(()) } else { Err(JournalError::Stale { run: run.clone() }) }
    }

    fn row(&self, run: &RunId) -> RunRow {
        RunRow {
            run: run.clone(),
            format: FORMAT,
            plan: self.plan.clone(),
            summary: self.summary.clone(),
            seq: self.records.len() as u64,
            head: self.head(run),
            open_decisions: self.open.len() as u32,
            holder: self.holder.clone(),
        }
    }
}

impl State {
    fn entry(&mut self, run: &RunId) -> Result<&mut Entry, JournalError> {
        self.runs.get_mut(run).ok_or_else(|| JournalError::NoRun(run.to_string()))
    }

    fn create(&mut self, new: NewRun) -> Result<Lease, JournalError> {
        let run = match new.records.first() {
            Some(first) => first.run.clone(),
            None => return Err(JournalError::Unwritable("a run starts with an event".to_owned())),
        };
        if self.runs.contains_key(&run) {
            return Err(JournalError::Exists(run));
        }
        let holder = Holder { owner: new.owner.clone(), epoch: 1, until: new.until };
        let mut entry = Entry {
            plan: new.plan.clone(),
            summary: new.summary,
            records: Vec::new(),
            open: Vec::new(),
            awaited: Vec::new(),
            epoch: 1,
            holder: Some(holder),
        };
        entry.check(&run, &new.records)?;
        entry.records = new.records;
        self.grown.extend(entry.records.iter().map(|record| (record.run.clone(), record.seq)));
        self.plans.insert(new.plan.to_string(), new.plan_text);
        self.runs.insert(run.clone(), entry);
        Ok(Lease { run, epoch: 1, owner: new.owner, until: new.until })
    }

    fn append(&mut self, append: Append) -> Result<(), JournalError> {
        let run = append.run;
        let entry = self.entry(&run)?;
        entry.fence(&run, append.epoch)?;
        entry.check(&run, &append.records)?;
        for (id, answer) in append.answers {
            if let Some((_, place)) = self.letters.get_mut(&id) {
                *place = Some(answer);
            }
        }
        if append.summary.as_ref().is_some_and(|summary| summary.phase == Phase::Ended) {
            self.locks.retain(|_, holder| *holder != run);
        }
        let mut last = self.last_awaited;
        let entry = self.entry(&run)?;
        if let Some(awaited) = append.awaited {
            let stays = |known: &Awaited| awaited.iter().any(|listening| listening.path == known.listening.path);
            entry.awaited.retain(stays);
            for listening in awaited {
                if !entry.awaited.iter().any(|known| known.listening.path == listening.path) {
                    last += 1;
                    entry.awaited.push(Awaited { place: last, run: run.clone(), listening });
                }
            }
        }
        let added = append.records.iter().map(|record| record.seq).collect::<Vec<_>>();
        entry.records.extend(append.records);
        if let Some(summary) = append.summary {
            entry.summary = summary;
        }
        if let Some(open) = append.open {
            entry.open = open;
        }
        self.last_awaited = last;
        self.grown.extend(added.into_iter().map(|seq| (run.clone(), seq)));
        Ok(())
    }

    /// At most `limit` records behind place `after`, and the place of the last of them.
    fn grown_behind(&self, after: u64, limit: usize) -> (&[(RunId, u64)], u64) {
        let from = usize::try_from(after).unwrap_or(usize::MAX).min(self.grown.len());
        let new = self.grown.get(from..from.saturating_add(limit).min(self.grown.len())).unwrap_or_default();
        (new, after.max((from + new.len()) as u64))
    }
}

impl MemoryJournal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T, JournalError>) -> Receipt<T> {
        let mut state = self.state();
        state.version += 1;
        Receipt::ready(change(&mut state))
    }
}

impl Journal for MemoryJournal {
    fn create(&self, run: NewRun) -> Receipt<Lease> {
        self.change(|state| state.create(run))
    }

    fn append(&self, append: Append) -> Receipt<()> {
        self.change(|state| state.append(append))
    }

    fn acquire(&self, run: &RunId, owner: &Owner, now: Timestamp, until: Timestamp) -> Receipt<Lease> {
        self.change(|state| {
            let entry = state.entry(run)?;
            if let Some(holder) = entry.holder.as_mut().filter(|h| h.owner != *owner && h.is_live(now)) {
                holder.until = holder.until.min(until);
                let owner = Box::new(holder.owner.clone());
                return Err(JournalError::Held { run: run.clone(), owner, until: holder.until });
            }
            entry.epoch += 1;
            entry.holder = Some(Holder { owner: owner.clone(), epoch: entry.epoch, until });
            Ok(Lease { run: run.clone(), epoch: entry.epoch, owner: owner.clone(), until })
        })
    }

    fn renew(&self, lease: &Lease, until: Timestamp) -> Receipt<()> {
        self.change(|state| {
            let entry = state.entry(&lease.run)?;
            entry.fence(&lease.run, lease.epoch)?;
            if let Some(holder) = &mut entry.holder {
                holder.until = until;
            }
            Ok(())
        })
    }

    fn release(&self, lease: &Lease) -> Receipt<()> {
        self.change(|state| {
            let entry = state.entry(&lease.run)?;
            if entry.epoch == lease.epoch {
                entry.holder = None;
            }
            Ok(())
        })
    }

    fn send(&self, run: &RunId, message: &Message, now: Timestamp) -> Receipt<MessageId> {
        self.change(|state| {
            state.entry(run)?;
            state.last_message += 1;
            let id = MessageId(state.last_message);
            let letter = Letter { id, run: run.clone(), sent_at: now, message: message.clone() };
            state.letters.insert(id, (letter, None));
            Ok(id)
        })
    }

    fn withdraw(&self, id: MessageId) -> Receipt<Option<Answer>> {
        self.change(|state| {
            let answer = state.letters.get(&id).and_then(|(_, answer)| answer.clone());
            if answer.is_none() {
                state.letters.remove(&id);
            }
            Ok(answer)
        })
    }

    fn take_lock(&self, lease: &Lease, lock: &str) -> Receipt<LockOutcome> {
        self.change(|state| {
            state.entry(&lease.run)?.fence(&lease.run, lease.epoch)?;
            let holder = state.locks.entry(lock.to_owned()).or_insert_with(|| lease.run.clone());
            Ok(if *holder == lease.run { LockOutcome::Taken } else { LockOutcome::HeldBy(holder.clone()) })
        })
    }

    fn decide_ahead(&self, ahead: NewAhead) -> Receipt<AheadId> {
        self.change(|state| {
            let id = AheadId(state.aheads.len() as i64 + 1);
            let NewAhead { procedure, body, uses, expires_at } = ahead;
            state.aheads.push(Ahead { id, procedure, body, uses_left: uses, expires_at });
            Ok(id)
        })
    }

    fn use_ahead(&self, lease: &Lease, id: AheadId) -> Receipt<bool> {
        self.change(|state| {
            state.entry(&lease.run)?.fence(&lease.run, lease.epoch)?;
            let ahead = state.aheads.iter_mut().find(|ahead| ahead.id == id && ahead.uses_left > 0);
            Ok(ahead.map(|ahead| ahead.uses_left -= 1).is_some())
        })
    }

    fn stand_in(&self, new: NewOverride) -> Receipt<OverrideId> {
        self.change(|state| {
            state.last_override += 1;
            let id = OverrideId(state.last_override);
            state.overrides.push(KeptOverride { id, made: new });
            Ok(id)
        })
    }

    fn cancel_override(&self, id: OverrideId) -> Receipt<bool> {
        self.change(|state| {
            let before = state.overrides.len();
            state.overrides.retain(|kept| kept.id != id);
            Ok(state.overrides.len() < before)
        })
    }

    fn anchor(&self, anchor: Anchor) -> Receipt<()> {
        self.change(|state| {
            state.anchors.push(anchor);
            Ok(())
        })
    }

    fn awaited(&self, filter: &AwaitedFilter) -> Result<Vec<Awaited>, JournalError> {
        let state = self.state();
        let of = state.runs.iter().filter(|(id, _)| filter.run.as_ref().is_none_or(|run| run == *id));
        let wanted = |awaited: &&Awaited| {
            awaited.place > filter.after && filter.source.as_ref().is_none_or(|source| *source == awaited.listening.task.source)
        };
        let mut found: Vec<Awaited> = of.flat_map(|(_, entry)| &entry.awaited).filter(wanted).cloned().collect();
        found.sort_by_key(|awaited| awaited.place);
        found.truncate(filter.limit);
        Ok(found)
    }

    fn inbox(&self, run: &RunId) -> Result<Vec<Letter>, JournalError> {
        let state = self.state();
        let waiting = state.letters.values().filter(|(letter, answer)| letter.run == *run && answer.is_none());
        Ok(waiting.map(|(letter, _)| letter.clone()).collect())
    }

    fn answer(&self, id: MessageId) -> Result<Option<Answer>, JournalError> {
        Ok(self.state().letters.get(&id).and_then(|(_, answer)| answer.clone()))
    }

    fn aheads(&self, procedure: &ProcedureName, now: Timestamp) -> Result<Vec<Ahead>, JournalError> {
        let usable = |ahead: &&Ahead| ahead.procedure == *procedure && ahead.uses_left > 0 && now < ahead.expires_at;
        Ok(self.state().aheads.iter().filter(usable).cloned().collect())
    }

    fn overrides(&self, now: Timestamp) -> Result<Vec<KeptOverride>, JournalError> {
        Ok(self.state().overrides.iter().filter(|kept| kept.made.stands_in.to > now).cloned().collect())
    }

    fn lock_holder(&self, lock: &str) -> Result<Option<RunId>, JournalError> {
        Ok(self.state().locks.get(lock).cloned())
    }

    fn changed(&self, after: u64, limit: usize) -> Result<(Vec<RunId>, u64), JournalError> {
        let state = self.state();
        let (new, place) = state.grown_behind(after, limit);
        let runs: std::collections::BTreeSet<&RunId> = new.iter().map(|(run, _)| run).collect();
        Ok((runs.into_iter().cloned().collect(), place))
    }

    fn ended(&self, after: u64, limit: usize) -> Result<(Vec<(RunId, u64)>, u64), JournalError> {
        let state = self.state();
        let (new, place) = state.grown_behind(after, limit);
        let is_end = |(run, seq): &&(RunId, u64)| {
            let records = state.runs.get(run).map(|entry| &entry.records);
            records.is_some_and(|records| records.iter().any(|record| record.seq == *seq && record.kind == Fact::RUN_FINISHED))
        };
        Ok((new.iter().filter(is_end).cloned().collect(), place))
    }

    fn place(&self) -> Result<u64, JournalError> {
        Ok(self.state().grown.len() as u64)
    }

    fn version(&self) -> Result<u64, JournalError> {
        Ok(self.state().version)
    }
}

impl Archive for MemoryJournal {
    fn run(&self, run: &RunId) -> Result<RunRow, JournalError> {
        Ok(self.state().entry(run)?.row(run))
    }

    fn plan(&self, digest: &Digest) -> Result<String, JournalError> {
        self.state().plans.get(digest.as_str()).cloned().ok_or_else(|| JournalError::NoPlan(digest.clone()))
    }

    fn records(&self, run: &RunId, from: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        let state = self.state();
        let records = state.runs.get(run).map(|entry| entry.records.as_slice()).unwrap_or_default();
        let skipped = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(records.iter().skip(skipped).take(limit).cloned().collect())
    }

    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        fn is<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none() || wanted == found
        }
        let state = self.state();
        let listed = state.runs.iter().rev().filter(|(run, entry)| {
            let summary = &entry.summary;
            is(filter.procedure.as_ref(), Some(&summary.procedure))
                && is(filter.environment.as_ref(), summary.environment.as_ref())
                && is(filter.requested_by.as_ref(), Some(&summary.requested_by))
                && is(filter.phase.as_ref(), Some(&summary.phase))
                && !(filter.unfinished && summary.phase == Phase::Ended)
                && filter.like.as_ref().is_none_or(|like| run.as_str().starts_with(like))
                && filter.before.as_ref().is_none_or(|before| *run < before)
        });
        Ok(listed.take(filter.limit).map(|(run, entry)| entry.row(run)).collect())
    }

    fn open_decisions(&self, filter: &DecisionFilter) -> Result<Vec<OpenDecision>, JournalError> {
        let DecisionFilter { run, after, limit } = filter;
        let state = self.state();
        let of = state.runs.iter().filter(|(id, _)| run.as_ref().is_none_or(|run| run == *id));
        let behind =
            |open: &&OpenDecision| after.as_ref().is_none_or(|(run, decision)| (run, decision) < (&open.run, &open.decision));
        Ok(of.flat_map(|(_, entry)| &entry.open).filter(behind).take(*limit).cloned().collect())
    }

    fn anchors(&self, run: &RunId) -> Result<Vec<Anchor>, JournalError> {
        Ok(self.state().anchors.iter().filter(|anchor| anchor.run == *run).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn conforms() {
        crate::journal::conformance::journal_conformance(|| Arc::new(MemoryJournal::default()));
    }
}
