//! Whether a person may say what they say to a run: the workspace's policy, judged on the identity as it was proven. The state
//! of the run is judged elsewhere, by the run itself.

use runbook_core::Run;
use runbook_core::policy::ahead::{Question, ahead_statement};
use runbook_core::policy::{DECISION_NAMESPACE, Refusal, Standing, decision_statement};
use runbook_core::run::decision::Choice;
use runbook_core::run::event::{Identity, Means, Vote};
use runbook_core::{DecisionId, Digest, RunId};

use crate::message::Message;
use crate::people;

/// Judges a message by policy alone. The error says why not and what to do next.
pub fn permit(run: &Run, id: &RunId, message: &Message) -> Result<Option<String>, String> {
    match message {
        Message::Decide { decision, vote } => permit_vote(run, id, *decision, vote),
        Message::Acknowledge { decision, by, to, .. } => can_acknowledge(run, *decision, by, to.as_deref()).map(|()| None),
        _ => Ok(None),
    }
}

/// Whether this person can acknowledge a decision, and hand it over, as it stands: whoever has answered is no longer at it.
pub fn can_acknowledge(run: &Run, decision: DecisionId, by: &Identity, to: Option<&str>) -> Result<(), String> {
    permit_acknowledgement(run, decision, by, to)?;
    let votes = run.decision(decision).into_iter().flat_map(|asked| &asked.votes);
    match votes.map(|vote| vote.by.person.as_str()).find(|voter| *voter == by.person || Some(*voter) == to) {
        Some(voter) => Err(format!("`{voter}` has answered already, and others are asked too")),
        None => Ok(()),
    }
}

/// Whether this person may acknowledge a decision, and hand it over, by policy alone: both have to be such as may take it.
pub fn permit_acknowledgement(run: &Run, decision: DecisionId, by: &Identity, to: Option<&str>) -> Result<(), String> {
    let (Some(open), Some(started)) = (run.decision(decision), run.start()) else { return Ok(()) };
    let (context, asked) = (&run.plan().policy, run.asked(open));
    context.may_decide(asked, &started.requested_by, by).map_err(|refusal| refusal.to_string())?;
    // An acknowledgement has no signature that could prove a key.
    if matches!(by.means, Means::SshKey { .. }) {
        return Err(format!("no key proves that it is `{}` who is at it: that is never signed", by.person));
    }
    if let Some(to) = to {
        context.could_decide(asked, &started.requested_by, to).map_err(|refusal| refusal.to_string())?;
    }
    Ok(())
}

/// Whether this person may vote so. Gives what the record has to say about it, where there is anything.
pub fn permit_vote(run: &Run, id: &RunId, decision: DecisionId, vote: &Vote) -> Result<Option<String>, String> {
    let standing = standing(run, decision, vote)?;
    if let Some(signature) = &vote.signature {
        let statement = statement(id, decision, vote)?;
        let proven = people::verify(&run.plan().policy.people, &vote.by.person, signature, &statement, DECISION_NAMESPACE);
        proven.map_err(|e| e.to_string())?;
    }
    Ok(standing.and_then(|standing| match standing {
        Standing::Alone { .. } => standing.notice(),
        _ => None,
    }))
}

/// On what ground this person may vote, by policy alone: whether a signature holds is left to OpenSSH. `None` where there is
/// nothing to judge.
pub fn standing(run: &Run, decision: DecisionId, vote: &Vote) -> Result<Option<Standing>, String> {
    let (Some(open), Some(started)) = (run.decision(decision), run.start()) else { return Ok(None) };
    let context = &run.plan().policy;
    let standing = context.may_decide(run.asked(open), &started.requested_by, &vote.by).map_err(|refusal| refusal.to_string())?;
    let by_key = matches!(vote.by.means, Means::SshKey { .. });
    if (open.request.signed || by_key) && vote.signature.is_none() {
        return Err(Refusal::NotSigned { who: vote.by.person.clone() }.to_string());
    }
    if let Some(terms) = &vote.terms {
        let inputs = Digest::of_json(&started.inputs).map_err(|e| e.to_string())?;
        let step = open.path.as_ref().ok_or("nobody can decide this ahead of time")?;
        let (procedure, plan, at) = (&started.procedure, &started.plan, run.last_at());
        terms.matches(&Question { procedure, plan, step, inputs: &inputs, at }).map_err(|e| e.to_string())?;
        if terms.by != vote.by || vote.choice != Choice::Approve || vote.reason.as_ref() != Some(&terms.reason) {
            return Err("the vote says something else than was decided ahead of time".to_owned());
        }
    }
    Ok(Some(standing))
}

/// What a person signs for a vote: what was decided, or, ahead of time, all that bounds it.
pub fn statement(run: &RunId, decision: DecisionId, vote: &Vote) -> Result<String, String> {
    if let Some(terms) = &vote.terms {
        return Ok(ahead_statement(terms));
    }
    decision_statement(run, decision, vote.choice, &vote.digest, &vote.by.person, vote.reason.as_deref(), &vote.answers)
        .map_err(|e| e.to_string())
}
