//! Decisions taken before they are asked for: bounded in what they cover, how often, and until when.
//!
//! An approval ahead of time answers one step of one plan: the text of the procedure, of all that it calls and of the
//! workspace's rules, as they were when it was given. It never covers more than it says: what it does not name (inputs) is
//! free, what it names must be met exactly, and expiry never means yes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::procedure::Version;
use crate::id::{Digest, ProcedureName, StepPath};
use crate::run::event::{Identity, Signature};

pub use super::statement::ahead_statement;

/// An approval that waits for its question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ahead {
    pub id: String,
    pub by: Identity,
    pub reason: String,
    pub procedure: ProcedureName,
    pub version: Version,
    /// What was read when it was given: anything else is asked again.
    pub plan: Digest,
    /// The step whose request it answers: an `approve`, or a step before which a rule puts a gate. Without numbers of items and
    /// rounds it stands for each of them.
    pub step: StepPath,
    /// That of the plan.
    pub environment: Option<String>,
    /// The digest of the run's inputs; absent: any.
    pub inputs: Option<Digest>,
    /// How often it may be used at all.
    pub uses: u32,
    pub uses_left: u32,
    /// From this instant on it answers nothing.
    pub expires: Timestamp,
    pub signature: Option<Signature>,
}

/// The question that an approval ahead of time might answer.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub procedure: &'a ProcedureName,
    pub plan: &'a Digest,
    pub step: &'a StepPath,
    /// The digest of the run's inputs, over their canonical JSON.
    pub inputs: &'a Digest,
    pub at: Timestamp,
}

/// Why an approval ahead of time does not answer a question, in the order of looking.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("it is for procedure `{0}`")]
    Procedure(ProcedureName),
    #[error("it is for step `{0}`")]
    Step(StepPath),
    #[error("it is for {0} as it was then, and the procedure, the workspace or the environment is another one now")]
    Changed(Version),
    #[error("it is for other inputs")]
    Inputs,
    #[error("it expired at {0}")]
    Expired(Timestamp),
    #[error("it was for {0} use(s), and all are spent")]
    Spent(u32),
}

impl Ahead {
    /// Whether this answers the question. Whether the person may decide it at all is judged like any other vote.
    pub fn matches(&self, question: &Question<'_>) -> Result<(), Mismatch> {
        if self.procedure != *question.procedure {
            Err(Mismatch::Procedure(self.procedure.clone()))
        } else if self.step != *question.step && self.step != question.step.without_indexes() {
            Err(Mismatch::Step(self.step.clone()))
        } else if self.plan != *question.plan {
            Err(Mismatch::Changed(self.version))
        } else if self.inputs.as_ref().is_some_and(|inputs| inputs != question.inputs) {
            Err(Mismatch::Inputs)
        } else if question.at >= self.expires {
            Err(Mismatch::Expired(self.expires))
        } else if self.uses_left == 0 {
            Err(Mismatch::Spent(self.uses))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::Means;

    fn ahead() -> Ahead {
        Ahead {
            id: "a1".into(),
            by: Identity { person: "anna".into(), means: Means::LocalUser { user: "anna".into(), host: "h".into() } },
            reason: "maintenance night".into(),
            procedure: "restart".parse().unwrap(),
            version: "1.2.0".parse().unwrap(),
            plan: Digest::of_bytes(b"plan"),
            step: "all/go".parse().unwrap(),
            environment: Some("production".into()),
            inputs: Some(Digest::of_bytes(b"inputs")),
            uses: 2,
            uses_left: 1,
            expires: "2026-12-01T00:00:00Z".parse().unwrap(),
            signature: None,
        }
    }

    #[test]
    fn it_answers_what_it_names_and_nothing_else() {
        let (procedure, other_procedure) = ("restart".parse().unwrap(), "rebuild".parse().unwrap());
        let paths: Vec<StepPath> = ["all/go", "all/really", "all[3]/go", "all[4]/go"].map(|p| p.parse().unwrap()).into();
        let (plan, inputs, other) = (Digest::of_bytes(b"plan"), Digest::of_bytes(b"inputs"), Digest::of_bytes(b"other"));
        let base = Question {
            procedure: &procedure,
            plan: &plan,
            step: &paths[0],
            inputs: &inputs,
            at: "2026-11-30T23:59:59Z".parse().unwrap(),
        };
        let free = Ahead { inputs: None, ..ahead() };
        let third = Ahead { step: paths[2].clone(), ..ahead() };
        let spent = Ahead { uses_left: 0, ..ahead() };
        let changed = "it is for 1.2.0 as it was then, and the procedure, the workspace or the environment is another one now";
        for (ahead, question, expect) in [
            (ahead(), base, "ok"),
            (ahead(), Question { procedure: &other_procedure, ..base }, "it is for procedure `restart`"),
            (ahead(), Question { step: &paths[1], ..base }, "it is for step `all/go`"),
            (ahead(), Question { step: &paths[2], ..base }, "ok"),
            (third.clone(), Question { step: &paths[2], ..base }, "ok"),
            (third.clone(), Question { step: &paths[3], ..base }, "it is for step `all[3]/go`"),
            (third, base, "it is for step `all[3]/go`"),
            (ahead(), Question { plan: &other, ..base }, changed),
            (ahead(), Question { inputs: &other, ..base }, "it is for other inputs"),
            (ahead(), Question { at: "2026-12-01T00:00:00Z".parse().unwrap(), ..base }, "it expired at 2026-12-01T00:00:00Z"),
            (spent, base, "it was for 2 use(s), and all are spent"),
            (free, Question { inputs: &other, ..base }, "ok"),
        ] {
            let found = ahead.matches(&question).map_or_else(|mismatch| mismatch.to_string(), |()| "ok".to_owned());
            assert_eq!(found, expect);
        }
    }

    #[test]
    fn the_signed_text_holds_every_bound_but_not_the_uses_left() {
        let (text, plan) = (ahead_statement(&ahead()), format!("plan: {}", Digest::of_bytes(b"plan")));
        for line in ["procedure: restart 1.2.0", &plan, "step: all/go", "environment: production", "uses: 2", "by: anna"] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        assert_eq!(text, ahead_statement(&Ahead { uses_left: 0, ..ahead() }));
        for other in [
            Ahead { uses: 3, ..ahead() },
            Ahead { environment: None, ..ahead() },
            Ahead { inputs: None, ..ahead() },
            Ahead { plan: Digest::of_bytes(b"other"), ..ahead() },
            Ahead { reason: String::new(), ..ahead() },
        ] {
            assert_ne!(text, ahead_statement(&other));
        }
    }
}
