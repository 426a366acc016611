//! What is recorded where a fact does not fit into an event. A step whose values are too large has failed, and the run goes on to its
//! end: an engine that stopped over it would stop again at every resume.

use std::io;

use crate::limits;
use crate::value::Value;

use super::Fact;
use super::event::{AttemptEnd, Evaluated, Failure, Resolution};

impl Fact {
    /// As it is recorded, where all of it is known: itself, or what stands in its place.
    pub(crate) fn that_fits(self) -> Fact {
        let bytes = self.recorded_bytes();
        if bytes <= limits::EVENT_BYTES {
            return self;
        }
        // How long something is that a prediction does not know, nobody can say.
        let is_known = serde_json::to_string(&self).is_ok_and(|text| !text.contains('‹') && !text.contains("\"$unknown\""));
        self.clone().instead(bytes).filter(|_| is_known).unwrap_or(self)
    }

    /// Bytes of what stands in the record beside its kind.
    fn recorded_bytes(&self) -> usize {
        struct Count(usize);
        impl io::Write for Count {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 += bytes.len();
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut count = Count(0);
        // What cannot be written at all is told of where it is written.
        let _ = serde_json::to_writer(&mut count, self);
        count.0.saturating_sub(r#"{"kind":"","body":}"#.len() + self.kind().len())
    }

    /// What is recorded in place of one that takes so many bytes. What a person said has nothing in its place: it is refused.
    pub fn instead(self, bytes: usize) -> Option<Fact> {
        let most = limits::EVENT_BYTES;
        let message = format!("what it gives has {bytes} bytes and at most {most} are recorded; put large values into files");
        let failure = Failure { message, at: None, detail: None };
        Some(match self {
            Fact::StepResolved { path, .. } => Fact::StepResolved { path, resolution: Resolution::Fail { error: failure } },
            Fact::StepConcluded { path, .. } => Fact::StepConcluded { path, outputs: Evaluated::Failed(failure) },
            Fact::ConditionJudged { path, round, .. } => Fact::ConditionJudged { path, round, holds: Evaluated::Failed(failure) },
            Fact::AttemptFinished { path, attempt, .. } => {
                Fact::AttemptFinished { path, attempt, end: AttemptEnd::Failed { failure, result: Value::Null } }
            }
            Fact::RunFinished { mut outcome } => {
                outcome.message = outcome.message.chars().take(limits::OUTCOME_CHARS).chain(['…']).collect();
                Fact::RunFinished { outcome }
            }
            _ => return None,
        })
    }
}
