//! Decisions made ahead: found when their question is asked, judged like any other vote, used a bounded number of times.

use jiff::Timestamp;
use runbook_core::policy::ahead::{Ahead, Question};
use runbook_core::run::decision::{Choice, Purpose};
use runbook_core::run::event::Vote;
use runbook_core::{DecisionId, Digest, Run};

use crate::journal::{AheadId, Journal, JournalError};
use crate::permit;

/// A vote for this decision that somebody cast ahead, if there is one that fits and that policy admits.
pub fn vote_for(
    run: &Run,
    decision: DecisionId,
    journal: &dyn Journal,
    now: Timestamp,
) -> Result<Option<(AheadId, Vote)>, JournalError> {
    let (Some(open), Some(started), Some(id)) = (run.decision(decision), run.start(), run.id()) else { return Ok(None) };
    let answerable = matches!(open.purpose, Purpose::Approve | Purpose::Gate { .. }) && open.is_open();
    let (Some(step), true) = (&open.path, answerable) else { return Ok(None) };
    let Ok(inputs) = Digest::of_json(&started.inputs) else { return Ok(None) };
    let question = Question { procedure: &started.procedure, plan: &started.plan, step, inputs: &inputs, at: now };
    for kept in journal.aheads(&started.procedure, now)? {
        let Ok(mut ahead) = serde_json::from_value::<Ahead>(kept.body.clone()) else { continue };
        ahead.uses_left = kept.uses_left;
        let voted = open.votes.iter().any(|v| v.by.person == ahead.by.person);
        if voted || ahead.matches(&question).is_err() {
            continue;
        }
        let blank = Vote::new(ahead.by.clone(), Choice::Approve, open.request.digest.clone());
        let mut vote = Vote {
            reason: Some(ahead.reason.clone()),
            signature: ahead.signature.clone(),
            ahead: Some(ahead.id.clone()),
            terms: Some(Box::new(ahead)),
            ..blank
        };
        let Ok(notice) = permit::permit_vote(run, id, decision, &vote) else { continue };
        vote.notice = notice;
        return Ok(Some((kept.id, vote)));
    }
    Ok(None)
}
