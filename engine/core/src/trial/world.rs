//! A case as the world of a dry run: what its stand-ins and answers say is known, and everything else is not.

use std::sync::Arc;

use jiff::Timestamp;

use super::play::{OPERATOR, reason};
use super::select;
use super::stand_in::{End, come_to, failure, stand_in, whole};
use crate::document::test::{Answer, Case, StandIn, StandInEnd};
use crate::explore::{Later, Said, Sight, Told, World};
use crate::id::StepPath;
use crate::markdown::quoted;
use crate::plan::{Verb, WaitFor};
use crate::run::Run;
use crate::run::decision::{Choice, Decision};
use crate::run::event::{AttemptEnd, Identity, Means, Vote};
use crate::run::task::Task;
use crate::value::Value;

/// See the module.
pub struct StandIns<'c>(pub &'c Case);

impl StandIns<'_> {
    /// How often the step was tried before, its rounds and repetitions counted.
    fn before(run: &Run, path: &StepPath) -> usize {
        let of = whole(run, path);
        run.steps().filter(|step| whole(run, step.path()) == of).map(|step| step.attempt() as usize).sum()
    }

    fn given(&self, run: &Run, path: &StepPath) -> Option<&StandIn> {
        stand_in(self.0, path, StandIns::before(run, path))
    }

    /// What people say to the question, one after the other, and how many of these answers were given. How often it was asked before, in
    /// earlier rounds, counts.
    fn answers(&self, run: &Run, decision: &Decision) -> Option<(&[Answer], usize)> {
        let path = decision.path.as_ref()?;
        let answers = select::best(&self.0.setting.answers, path)?;
        let of = whole(run, path);
        let same = |other: &&Arc<Decision>| other.path.as_ref().is_some_and(|path| whole(run, path) == of);
        let said: usize = run.decisions().iter().filter(same).map(|other| other.votes.len()).sum();
        let given = decision.votes.len();
        Some((answers.get(said.saturating_sub(given)..)?, given))
    }
}

impl World for StandIns<'_> {
    fn attempt(&mut self, run: &Run, path: &StepPath, _: Sight) -> Told {
        let Some(given) = self.given(run, path) else { return Told::default() };
        let note = Some(format!("what it comes to is taken from the case {}", quoted(&self.0.name.value)));
        if given.end == StandInEnd::Example {
            return Told { note, takes: given.takes, ..Told::default() };
        }
        let work = run.find_step(path).and_then(|view| view.work().cloned());
        let (end, takes) = come_to(Some(given), work.as_deref(), path);
        let comes_late = work.as_ref().is_some_and(|work| matches!(work.task, Task::Event(_)) && takes > work.timeout);
        let end = match if comes_late { End::Never } else { end } {
            End::As(end) | End::Then(end) => end,
            End::Crash => AttemptEnd::Unknown { why: "the engine stopped while it was under way".to_owned() },
            // Nothing comes, until its time is over.
            End::Never => {
                let message = "no event that fits comes in time".to_owned();
                let takes = work.map_or(takes, |work| work.timeout);
                return Told { end: Some(AttemptEnd::TimedOut { failure: failure(message), result: Value::Null }), takes, note };
            }
        };
        Told { end: Some(end), takes, note }
    }

    fn takes_example(&self, run: &Run, path: &StepPath) -> bool {
        // Asked while the attempt is under way, and after it.
        let before = StandIns::before(run, path).saturating_sub(1);
        stand_in(self.0, path, before).is_some_and(|given| given.end == StandInEnd::Example)
    }

    fn vote(&mut self, run: &Run, decision: &Decision) -> Option<Said> {
        let (answers, given) = self.answers(run, decision)?;
        let after = |at: Timestamp, answer: &Answer| at.saturating_add(answer.after).unwrap_or(Timestamp::MAX);
        let at = answers.iter().take(given + 1).fold(decision.requested_at, after);
        let Some(answer) = answers.get(given) else {
            // Of a question that the case answers, it says all who do.
            return (given > 0).then_some(Said { vote: None, at });
        };
        let Some(choice) = answer.say else { return Some(Said { vote: None, at }) };
        let person = answer.by.as_ref().map_or_else(|| format!("{OPERATOR} {}", decision.votes.len() + 1), |by| by.value.clone());
        let by = Identity { means: Means::LocalUser { user: person.clone(), host: "test".to_owned() }, person };
        let vote = Vote {
            reason: reason(answer, choice),
            answers: if choice == Choice::Approve { answer.with.clone() } else { Default::default() },
            ..Vote::new(by, choice, decision.request.digest.clone())
        };
        Some(Said { vote: Some(vote), at })
    }

    fn knows_the_hour(&self) -> bool {
        true
    }

    fn later(&mut self, run: &Run, path: &StepPath) -> Later {
        let Some(view) = run.find_step(path) else { return Later::Same };
        let probe = match &view.step().verb {
            Verb::Wait(wait) => match &wait.what {
                WaitFor::Until { probe, .. } => *probe,
                WaitFor::Duration(_) => None,
            },
            _ => return Later::Same,
        };
        let label = probe.map(|probe| run.plan().step(probe).label.as_str());
        let looked = label.and_then(|label| run.steps().filter(|step| step.path().label() == label).last());
        let told = looked.is_some_and(|step| self.given(run, step.path()).is_some());
        if told { Later::Known } else { Later::Same }
    }
}
