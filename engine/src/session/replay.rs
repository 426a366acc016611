//! From the record of a run to the run.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, Scope};

use runbook_core::run::{Event, Fact, Run};
use runbook_core::{Digest, Plan, RunId, limits};

use super::SessionError;
use crate::journal::{Journal, JournalError, Record, RunRow, chain, records_to};

/// Replays a run from the journal without owning it, and shows every event with the run as it was then. The chain is
/// checked on the way.
pub fn replay(journal: &dyn Journal, id: &RunId, visit: &mut dyn FnMut(&Run, &Event)) -> Result<(Run, RunRow), SessionError> {
    let row = journal.run(id)?;
    let run = thread::scope(|scope| {
        let events = || events(journal, id, &row);
        let ahead = (row.seq > limits::READ_AHEAD).then(|| ahead(scope, events()));
        // What cannot be read ahead is read when it is needed.
        let mut events: Box<dyn Iterator<Item = _>> = match ahead {
            Some(Ok(ahead)) => Box::new(ahead),
            Some(Err(_)) | None => Box::new(events()),
        };
        let mut run = Run::new(Arc::new(recorded_plan(journal, id, &row)?));
        events.try_for_each(|event| {
            let event = event?;
            if let Fact::RunStarted(started) = &event.fact
                && started.plan != row.plan
            {
                let (recorded, given) = (started.plan.clone(), row.plan.clone());
                return Err(SessionError::OtherPlan { run: id.clone(), recorded, given });
            }
            run.apply(&event)?;
            visit(&run, &event);
            Ok(())
        })?;
        Ok::<_, SessionError>(run)
    })?;
    Ok((run, row))
}

/// The events of a run, each shown to be what was recorded behind the one before it, and the last to be the one at which the run is.
fn events<'j>(
    journal: &'j dyn Journal,
    id: &'j RunId,
    row: &'j RunRow,
) -> impl Iterator<Item = Result<Event, JournalError>> + Send + 'j {
    let mut head = chain::genesis(row.format, id);
    let mut last = 0;
    let mut next = move |record: Option<Result<Record, _>>| {
        let damaged = |what: String| Err(JournalError::Damaged { what });
        let Some(record) = record.transpose()? else {
            return if last != row.seq {
                damaged(format!("run {id} ends after event {last} of {}", row.seq))
            } else if head != row.head {
                damaged(format!("run {id} does not end as it was recorded"))
            } else {
                Ok(None)
            };
        };
        if !record.follows(&head) {
            return damaged(format!("event {} of run {id} is not what was recorded", record.seq));
        }
        let event = record.decode(row.format)?;
        (head, last) = (record.hash, record.seq);
        Ok(Some(event))
    };
    let mut records = records_to(journal, id, row.seq);
    let mut ended = false;
    std::iter::from_fn(move || {
        let event = (!ended).then(|| next(records.next()).transpose())?;
        ended = !matches!(event, Some(Ok(_)));
        event
    })
}

/// The same events, read by a thread of its own: to fetch them, decode them and check their chain takes as long as the rest of a replay.
fn ahead<'s, E>(
    scope: &'s Scope<'s, '_>,
    mut events: impl Iterator<Item = Result<Event, E>> + Send + 's,
) -> io::Result<impl Iterator<Item = Result<Event, E>>>
where
    E: Send + 's,
{
    let (pages, read) = sync_channel(limits::PAGES_AHEAD);
    thread::Builder::new().name("replay".to_owned()).spawn_scoped(scope, move || {
        loop {
            let page: Vec<_> = events.by_ref().take(limits::REPLAY_PAGE).collect();
            // Who takes no more has found a fault.
            if page.is_empty() || pages.send(page).is_err() {
                return;
            }
        }
    })?;
    Ok(read.into_iter().flatten())
}

/// The plan of a run, which must be the one that its row names.
fn recorded_plan(journal: &dyn Journal, id: &RunId, row: &RunRow) -> Result<Plan, SessionError> {
    let unreadable = |e: serde_json::Error| JournalError::Damaged { what: format!("plan {}: {e}", row.plan) };
    let text = journal.plan(&row.plan)?;
    let plan: Plan = serde_json::from_str(&text).map_err(unreadable)?;
    if Digest::of_bytes(text.as_bytes()) != row.plan && plan.digest().map_err(unreadable)? != row.plan {
        // The version that wrote it may have known fields that this one does not, or not those that this one has.
        let written: serde_json::Value = serde_json::from_str(&text).map_err(unreadable)?;
        let given = Digest::of_json(&written).map_err(unreadable)?;
        if given != row.plan {
            return Err(SessionError::OtherPlan { run: id.clone(), recorded: row.plan.clone(), given });
        }
    }
    Ok(plan)
}
