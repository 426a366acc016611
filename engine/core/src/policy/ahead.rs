//! Decisions taken before they are asked for: bounded in what they cover, how often, and until when.
//!
//! An approval ahead of time answers one step of one procedure. It never covers more than it says: what it does not
//! name (an environment, inputs) is free, what it names must be met exactly, and expiry never means yes.

use std::fmt;

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
    pub what: Covers,
    /// The step whose request it answers: an `approve`, or a step before which a rule puts a gate.
    pub step: StepPath,
    /// Absent: any.
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

/// Which texts of the procedure are covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Covers {
    /// From the first version on, and below the second: what was reviewed, and what its author calls compatible.
    Versions { from: Version, below: Version },
    /// Exactly this plan.
    Plan(Digest),
}

impl Covers {
    /// This version and those that its author calls compatible with it (`^1.2.0`).
    pub fn compatible_with(version: Version) -> Covers {
        let Version { major, minor, patch } = version;
        let below = match (major, minor) {
            (0, 0) => Version { major, minor, patch: patch.saturating_add(1) },
            (0, _) => Version { major, minor: minor.saturating_add(1), patch: 0 },
            _ => Version { major: major.saturating_add(1), minor: 0, patch: 0 },
        };
        Covers::Versions { from: version, below }
    }
}

impl fmt::Display for Covers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Covers::Versions { from, below } => write!(f, "version >={from} <{below}"),
            Covers::Plan(digest) => write!(f, "plan {digest}"),
        }
    }
}

/// The question that an approval ahead of time might answer.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub procedure: &'a ProcedureName,
    pub version: Version,
    pub plan: &'a Digest,
    pub step: &'a StepPath,
    pub environment: Option<&'a str>,
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
    #[error("it is for {0}, and the procedure has changed since")]
    Changed(Covers),
    #[error("it is for environment `{0}`")]
    Environment(String),
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
        let covered = match &self.what {
            Covers::Versions { from, below } => *from <= question.version && question.version < *below,
            Covers::Plan(digest) => digest == question.plan,
        };
        if self.procedure != *question.procedure {
            Err(Mismatch::Procedure(self.procedure.clone()))
        } else if self.step != *question.step {
            Err(Mismatch::Step(self.step.clone()))
        } else if !covered {
            Err(Mismatch::Changed(self.what.clone()))
        } else if let Some(environment) = self.environment.as_ref().filter(|e| question.environment != Some(e.as_str())) {
            Err(Mismatch::Environment(environment.clone()))
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

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn ahead() -> Ahead {
        Ahead {
            id: "a1".into(),
            by: Identity { person: "anna".into(), means: Means::LocalUser { user: "anna".into(), host: "h".into() } },
            reason: "maintenance night".into(),
            procedure: "restart".parse().unwrap(),
            what: Covers::compatible_with(version("1.2.0")),
            step: "go".parse().unwrap(),
            environment: Some("production".into()),
            inputs: Some(Digest::of_bytes(b"inputs")),
            uses: 2,
            uses_left: 1,
            expires: "2026-12-01T00:00:00Z".parse().unwrap(),
            signature: None,
        }
    }

    #[test]
    fn compatible_versions() {
        for (of, yes, no) in [
            ("1.2.3", &["1.2.3", "1.2.4", "1.9.0"][..], &["1.2.2", "2.0.0", "0.2.3"][..]),
            ("0.2.3", &["0.2.3", "0.2.9"], &["0.2.2", "0.3.0", "1.0.0"]),
            ("0.0.3", &["0.0.3"], &["0.0.2", "0.0.4", "0.1.0"]),
        ] {
            let Covers::Versions { from, below } = Covers::compatible_with(version(of)) else { panic!() };
            let covered = |text: &&str| from <= version(text) && version(text) < below;
            assert!(yes.iter().all(covered), "{of}");
            assert!(!no.iter().any(covered), "{of}");
        }
    }

    #[test]
    fn it_answers_what_it_names_and_nothing_else() {
        let (procedure, step) = ("restart".parse().unwrap(), "go".parse().unwrap());
        let (other_procedure, other_step) = ("rebuild".parse().unwrap(), "really".parse().unwrap());
        let (inputs, other) = (Digest::of_bytes(b"inputs"), Digest::of_bytes(b"other"));
        let base = Question {
            procedure: &procedure,
            version: version("1.3.0"),
            plan: &other,
            step: &step,
            environment: Some("production"),
            inputs: &inputs,
            at: "2026-11-30T23:59:59Z".parse().unwrap(),
        };
        let pinned = Ahead { what: Covers::Plan(Digest::of_bytes(b"plan")), ..ahead() };
        let free = Ahead { environment: None, inputs: None, ..ahead() };
        let spent = Ahead { uses_left: 0, ..ahead() };
        for (ahead, question, expect) in [
            (ahead(), base, "ok"),
            (ahead(), Question { procedure: &other_procedure, ..base }, "it is for procedure `restart`"),
            (ahead(), Question { step: &other_step, ..base }, "it is for step `go`"),
            (
                ahead(),
                Question { version: version("2.0.0"), ..base },
                "it is for version >=1.2.0 <2.0.0, and the procedure has changed since",
            ),
            (ahead(), Question { environment: Some("staging"), ..base }, "it is for environment `production`"),
            (ahead(), Question { environment: None, ..base }, "it is for environment `production`"),
            (ahead(), Question { inputs: &other, ..base }, "it is for other inputs"),
            (ahead(), Question { at: "2026-12-01T00:00:00Z".parse().unwrap(), ..base }, "it expired at 2026-12-01T00:00:00Z"),
            (spent, base, "it was for 2 use(s), and all are spent"),
            (free.clone(), Question { environment: None, inputs: &other, ..base }, "ok"),
            (free, Question { environment: Some("staging"), ..base }, "ok"),
            (pinned.clone(), Question { plan: &Digest::of_bytes(b"plan"), ..base }, "ok"),
            (pinned.clone(), base, &format!("it is for {}, and the procedure has changed since", pinned.what)),
        ] {
            let found = ahead.matches(&question).map_or_else(|mismatch| mismatch.to_string(), |()| "ok".to_owned());
            assert_eq!(found, expect);
        }
    }

    #[test]
    fn the_signed_text_holds_every_bound_but_not_the_uses_left() {
        let text = ahead_statement(&ahead());
        for line in ["procedure: restart", "what: version >=1.2.0 <2.0.0", "environment: production", "uses: 2", "by: anna"] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        assert_eq!(text, ahead_statement(&Ahead { uses_left: 0, ..ahead() }));
        assert_ne!(text, ahead_statement(&Ahead { uses: 3, ..ahead() }));
        assert_ne!(text, ahead_statement(&Ahead { environment: None, ..ahead() }));
    }
}
