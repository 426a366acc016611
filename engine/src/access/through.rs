//! The whole audit log, read once from its end to its beginning.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use runbook_core::{Digest, RunId, limits};

use super::{Access, Audited};
use crate::journal::JournalError;
use crate::retention::COMPACT;

/// What is found in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Through {
    pub entries: u64,
    /// The first entry that does not follow from the one before.
    pub broken_at: Option<u64>,
    /// The number of its last entry.
    newest: Option<u64>,
    /// What was left of a run's record when it was compacted last.
    seals: BTreeMap<RunId, Option<Digest>>,
}

impl Access {
    pub fn through(&self) -> Result<Through, JournalError> {
        let mut through = Through::default();
        let mut before = None;
        loop {
            let page = self.audited(before, limits::AUDIT_PAGE)?;
            let Some(last) = page.entries.last() else { return Ok(through) };
            before = Some(last.number);
            through.newest = through.newest.or(page.entries.first().map(|newest| newest.number));
            through.broken_at = page.broken_at.or(through.broken_at);
            through.entries += page.entries.len() as u64;
            page.entries.into_iter().for_each(|entry| through.look_at(entry));
        }
    }
}

impl Through {
    fn says(&self, run: &RunId, seal: &Digest) -> Result<(), &'static str> {
        match self.seals.get(run) {
            _ if self.broken_at.is_some() => Err("the audit log, which would tell of this compaction, was changed"),
            Some(Some(told)) if told == seal => Ok(()),
            Some(Some(_)) => Err("the audit log tells of another compaction"),
            _ => Err("the audit log does not tell of this compaction"),
        }
    }

    fn look_at(&mut self, Audited { entry, .. }: Audited) {
        if entry.act == COMPACT
            && let Some(run) = entry.about.and_then(|about| about.parse().ok())
        {
            let seal = entry.detail.and_then(|detail| detail.parse().ok());
            self.seals.entry(run).or_insert(seal);
        }
    }
}

/// What the audit log says of compacted runs. It is read when the first of them is asked for, and again where a run was compacted since.
#[derive(Debug)]
pub struct Seals<'a> {
    access: &'a Access,
    through: Mutex<Option<Through>>,
}

impl<'a> Seals<'a> {
    pub fn of(access: &'a Access) -> Seals<'a> {
        Seals { access, through: Mutex::new(None) }
    }

    /// Whether this is what was left of a run's record when it was compacted last; an error says why that is not known.
    pub(crate) fn confirm(&self, run: &RunId, seal: &Digest) -> Result<Result<(), &'static str>, JournalError> {
        let mut known = self.through.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(through) = &*known {
            let said = through.says(run, seal);
            if said.is_ok() || through.newest == self.access.audited(None, 1)?.entries.first().map(|newest| newest.number) {
                return Ok(said);
            }
        }
        Ok(known.insert(self.access.through()?).says(run, seal))
    }
}
