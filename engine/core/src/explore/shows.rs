//! What the state of a way shows by itself: waits without an end, and steps that could change the same at the same time.

use super::story::changes;
use super::target::target;
use super::turn::What;
use super::way::{Choice, Way};
use crate::markdown::quoted;
use crate::plan::StepIx;
use crate::run::Command;
use crate::run::decision::Purpose;
use crate::run::event::Timer;
use crate::run::view::StepView;

impl Way {
    /// Where only people can move the run and nothing limits how long they take: the steps that ask.
    pub fn waits_for_ever(&self) -> Vec<StepIx> {
        // A time that ends nothing any more ends no wait.
        let idle = |command: &Command| matches!(command, Command::Wake { timer: Timer::Run, .. }) && !self.run.can_run_out();
        let mut pending = self.run.pending();
        pending.retain(|command| !idle(command));
        let asks = |command: &Command| match command {
            Command::Await { decision } => self.run.decision(*decision).filter(|decision| decision.deadline.is_none()),
            _ => None,
        };
        let asked: Vec<_> = pending.iter().map_while(asks).collect();
        if asked.len() != pending.len() {
            return Vec::new();
        }
        let by_author =
            |purpose: &Purpose| matches!(purpose, Purpose::Approve | Purpose::Ask | Purpose::Manual | Purpose::Gate { .. });
        let steps = asked.iter().filter(|decision| by_author(&decision.purpose)).filter_map(|decision| decision.path.as_ref());
        steps.filter_map(|path| self.run.find_step(path)).map(|view| view.step_ix()).collect()
    }

    /// Pairs of steps that could change the same at the same time, each with what that is.
    pub fn clashes(&self, choices: &[Choice]) -> Vec<(StepIx, StepIx, String)> {
        let ready = choices.iter().filter(|choice| choice.turn.what == What::Succeeds);
        let changing = ready.filter_map(|choice| self.run.find_step(&choice.turn.path)).filter(|view| changes(view.step()));
        let changing: Vec<StepView<'_>> = changing.collect();
        let mut clashes = Vec::new();
        for (number, one) in changing.iter().enumerate() {
            for other in changing.iter().skip(number + 1) {
                let same_step = one.step_ix() == other.step_ix();
                if let Some(what) = target(one).filter(|what| target(other).as_ref() == Some(what))
                    // What the items of a loop read from their own steps has one name and many values.
                    && !(same_step && what.contains("‹steps."))
                {
                    clashes.push((one.step_ix(), other.step_ix(), format!("both {what}")));
                }
                let locks = other.locks();
                for (call, lock) in one.locks() {
                    let same = locks.iter().find(|(by, held)| *held == lock && by.path() != call.path());
                    if let Some((by, _)) = same {
                        clashes.push((call.step_ix(), by.step_ix(), format!("both need the lock {}", quoted(&lock))));
                    }
                }
            }
        }
        clashes
    }
}
