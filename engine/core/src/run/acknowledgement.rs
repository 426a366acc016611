//! Acknowledgements: somebody who may take a decision is at it, and those who would be asked next are left alone for a while. Each step of
//! the escalation still has its whole time, so all that comes after it comes later by as much. Those who are asked last keep their time:
//! nobody moves that.

use std::time::Duration;

use jiff::Timestamp;

use super::Run;
use super::decision::Decision;
use super::event::{Identity, Timer};
use crate::id::DecisionId;
use crate::limits;

/// Who is at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    pub by: Identity,
    /// Whom they have handed it over to.
    pub to: Option<String>,
    pub at: Timestamp,
}

impl Acknowledgement {
    /// Whose it is now.
    pub fn holder(&self) -> &str {
        self.to.as_deref().unwrap_or(&self.by.person)
    }
}

impl Run {
    /// Whether an acknowledgement of a decision can be taken. Who may give one is for [`policy`](crate::policy) to say.
    pub(super) fn allows_acknowledgement(&self, id: DecisionId, hold: Duration) -> Result<(), String> {
        let decision = self.open_decision(id).ok_or("the decision is not open")?;
        if hold.is_zero() || hold > limits::ACKNOWLEDGED {
            let most = limits::ACKNOWLEDGED.as_secs() / 3600;
            return Err(format!("others are left alone for at most {most} hours at a time"));
        }
        match self.can_be_acknowledged(decision) {
            true => Ok(()),
            false => {
                Err("nobody else would be asked next, so there is nobody to be left alone; the question keeps its time".to_owned())
            }
        }
    }

    /// Whether others would be asked next.
    pub fn can_be_acknowledged(&self, decision: &Decision) -> bool {
        decision.is_open() && decision.deadline.is_some() && self.next_rung(decision).is_some()
    }

    pub(super) fn take_acknowledgement(&mut self, id: DecisionId, by: &Identity, to: Option<&str>, hold: Duration) {
        let (at, until) = (self.now, self.time_after(hold));
        let Some(decision) = self.decision_mut(id) else { return };
        decision.acknowledged = Some(Acknowledgement { by: by.clone(), to: to.map(str::to_owned), at });
        // It never has others asked sooner.
        if decision.deadline.is_some_and(|deadline| deadline < until) {
            decision.deadline = Some(until);
            let timer = Timer::Decision { decision: id, rung: decision.rung };
            self.wake(timer, hold);
        }
    }
}
