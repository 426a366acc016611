//! Says something to a run, whoever is at work on it.

use std::sync::Arc;

use jiff::Timestamp;
use runbook_core::{RunId, limits};

use super::{Session, SessionError};
use crate::clock::Clock;
use crate::driver::engine;
use crate::journal::{JournalError, Owner, SharedJournal};
use crate::message::{Answer, Message};

/// Says something to a run, whoever owns it: to the process at work on it if there is one, else directly into its record.
/// Returns once the answer is committed.
pub async fn deliver(
    journal: SharedJournal,
    clock: Arc<dyn Clock>,
    owner: Owner,
    run: &RunId,
    message: Message,
) -> Result<Answer, SessionError> {
    // A slow disk or a jump of the clock can make a lease look expired. An owner that is there has time to answer before
    // the run is taken from it.
    let patience = clock.now().saturating_add(limits::LEASE).unwrap_or(Timestamp::MAX);
    let may_answer = || -> Result<bool, JournalError> {
        let (holder, now) = (journal.run(run)?.holder, clock.now());
        Ok(holder.is_some_and(|holder| holder.is_live(now) || (now < patience && holder.owner.is_there())))
    };
    let mut sent = None;
    loop {
        if !may_answer()? {
            match Session::open(journal.clone(), clock.clone(), owner.clone(), Vec::new(), run).await {
                // Only now can nobody else answer it.
                Ok(mut session) => {
                    let found = session.listed.phase;
                    let answer = match sent {
                        Some(id) => journal.withdraw(id).await?,
                        None => None,
                    };
                    let answer = match answer {
                        Some(answer) => answer,
                        None => {
                            let is_event = matches!(message, Message::Event { .. });
                            let received = session.receive(message)?;
                            // Nobody may be there to resume it: whoever looks after runs goes on with it.
                            if is_event && matches!(received.answer, Answer::Accepted { .. }) {
                                session.adopt(engine())?;
                            }
                            received.answer
                        }
                    };
                    session.close_as_found(found).await?;
                    return Ok(answer);
                }
                Err(SessionError::Journal(JournalError::Held { .. })) => {}
                Err(error) => {
                    return match sent {
                        Some(id) => journal.withdraw(id).await?.ok_or(error),
                        None => Err(error),
                    };
                }
            }
        }
        let id = match sent {
            Some(id) => id,
            None => *sent.insert(journal.send(run, &message, clock.now()).await?),
        };
        loop {
            if let Some(answer) = journal.answer(id)? {
                return Ok(answer);
            }
            tokio::time::sleep(limits::STORE_POLL).await;
            if !may_answer()? {
                break;
            }
        }
    }
}
