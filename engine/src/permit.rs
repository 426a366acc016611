//! Whether a person may say what they say to a run: the workspace's policy, judged on the identity as it was proven. The state
//! of the run is judged elsewhere, by the run itself.

use runbook_core::Run;
use runbook_core::policy::{Asked, DECISION_NAMESPACE, Standing, decision_statement};
use runbook_core::run::decision::Purpose;
use runbook_core::run::event::Vote;
use runbook_core::{DecisionId, RunId};

use crate::message::Message;
use crate::people;

/// Judges a message by policy alone. The error says why not and what to do next.
pub fn permit(run: &Run, id: &RunId, message: &Message) -> Result<Option<String>, String> {
    match message {
        Message::Decide { decision, vote } => permit_vote(run, id, *decision, vote),
        _ => Ok(None),
    }
}

/// Whether this person may vote so. Gives what the record has to say about it, where there is anything.
pub fn permit_vote(run: &Run, id: &RunId, decision: DecisionId, vote: &Vote) -> Result<Option<String>, String> {
    let Some(open) = run.decision(decision) else { return Ok(None) };
    let Some(started) = run.start() else { return Ok(None) };
    let context = &run.plan().policy;
    let demands = context.requirements_for(&run.plan().main().labels, run.plan().highest_effect());
    let guarded = matches!(open.purpose, Purpose::Approve | Purpose::Gate { .. } | Purpose::Part);
    let asked = Asked { from: &open.asked, not_requester: open.request.not_requester, four_eyes: guarded && demands.four_eyes };
    let standing = context.may_decide(asked, &started.requested_by, &vote.by).map_err(|refusal| refusal.to_string())?;
    match &vote.signature {
        None if open.request.signed => {
            let refusal = runbook_core::policy::Refusal::NotSigned { who: vote.by.person.clone() };
            return Err(refusal.to_string());
        }
        None => {}
        Some(signature) => {
            let statement = statement(id, decision, vote)?;
            let proven = people::verify(&context.people, &vote.by.person, signature, &statement, DECISION_NAMESPACE);
            proven.map_err(|e| e.to_string())?;
        }
    }
    Ok(match standing {
        Standing::Alone { .. } => standing.notice(),
        _ => None,
    })
}

/// What a person signs for a vote.
pub fn statement(run: &RunId, decision: DecisionId, vote: &Vote) -> Result<String, String> {
    decision_statement(run, decision, vote.choice, &vote.digest, &vote.by.person, vote.reason.as_deref(), &vote.answers)
        .map_err(|e| e.to_string())
}
