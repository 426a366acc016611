//! Waits, and the times that are over before them.

use jiff::Timestamp;

use super::way::Way;
use crate::run::event::Timer;
use crate::run::{Command, Fact, IllegalEvent};

impl Way {
    /// The time of a timer has come, or before it that of something around it. False where it never does.
    pub(super) fn runs_out(&mut self, timer: Timer) -> Result<bool, IllegalEvent> {
        let wakes: Vec<Command> = self.run.wanted().filter(|command| matches!(command, Command::Wake { .. })).cloned().collect();
        let wakes: Vec<&Command> = wakes.iter().collect();
        let own = wakes.iter().find(|command| matches!(command, Command::Wake { timer: of, .. } if *of == timer));
        let Some(own) = own else { return Ok(false) };
        let Command::Wake { timer, at } = self.over_before(own, &wakes).unwrap_or(own) else { return Ok(false) };
        // What else goes on has not had that time.
        self.late = true;
        self.now = self.now.max(*at);
        self.record(Fact::TimerFired { timer: timer.clone() })?;
        Ok(true)
    }

    /// The wait that is over first, or the time of something around it, where that is over before.
    pub(super) fn earliest<'c>(&self, wakes: &[&'c Command]) -> Option<&'c Command> {
        let waits = |c: &&&Command| matches!(c, Command::Wake { timer: Timer::Wait { .. } | Timer::Retry { .. }, .. });
        let wait = *wakes.iter().filter(waits).min_by_key(|c| due(c))?;
        Some(self.over_before(wait, wakes).unwrap_or(wait))
    }

    /// The time of a step that waits, or of something around it, that is over when the wait is. That of what stands around it began no
    /// later, and a run comes to the wait no earlier than a prediction that is not late.
    fn over_before<'c>(&self, wait: &Command, wakes: &[&'c Command]) -> Option<&'c Command> {
        let waiting = match wait {
            Command::Wake { timer: Timer::Wait { path, .. } | Timer::Retry { path, .. } | Timer::Step { path }, .. } => Some(path),
            Command::Wake { timer: Timer::Decision { decision, .. }, .. } => self.run.decision(*decision)?.path.as_ref(),
            _ => None,
        }?;
        let ends = |c: &&&Command| match c {
            Command::Wake { timer: Timer::Step { path }, .. } => path == waiting || waiting.is_inside(path) && !self.late,
            Command::Wake { timer: Timer::Run, .. } => !self.late,
            _ => false,
        };
        wakes.iter().filter(ends).filter(|end| due(end) <= due(wait)).min_by_key(|c| due(c)).copied()
    }
}

fn due(command: &Command) -> Timestamp {
    if let Command::Wake { at, .. } = command { *at } else { Timestamp::MAX }
}
