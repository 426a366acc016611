//! Waits, and the times that are over before them.

use std::time::Duration;

use jiff::Timestamp;

use super::way::{Way, add};
use crate::id::StepPath;
use crate::plan::{Verb, WaitFor};
use crate::run::event::{Failure, Resolution, Timer};
use crate::run::{Command, IllegalEvent, Prospect};

impl Way {
    /// What the hour decides is known with the hour, as long as no time has passed that nobody knows.
    pub(super) fn by_the_hour(&self, path: &StepPath, prospect: &mut Prospect) {
        let Some(view) = self.run.find_step(path) else { return };
        let step = view.step();
        match (&mut prospect.resolution, &step.verb, &prospect.closed) {
            (resolution, _, Some(closed)) if self.hour && self.late_until == Timestamp::MIN => {
                let error = Failure { message: closed.clone(), at: Some(self.run.plan().locate(&step.at)), detail: None };
                *resolution = Resolution::Fail { error };
                prospect.closed = None;
            }
            (Resolution::Wait { until: Some(until) }, Verb::Wait(wait), _)
                if matches!(wait.what, WaitFor::Until { .. }) && !self.hour =>
            {
                let times = [step.timeout, wait.within].into_iter().flatten().min();
                if times.and_then(|time| self.now.saturating_add(time).ok()).is_some_and(|over| *until > over) {
                    prospect.closed = Some(format!("{until} is further away now than it waits"));
                }
                *until = self.now;
                add(&mut prospect.open, "how long it waits depends on when a run comes to it");
            }
            _ => {}
        }
    }

    /// The wait that is over first. One before which something around it runs out is held back for that.
    pub(super) fn next_wait(&mut self) -> Result<Option<Command>, IllegalEvent> {
        loop {
            let waits = self.run.wanted().filter_map(|command| match command {
                Command::Wake { timer: timer @ (Timer::Wait { path, .. } | Timer::Retry { path, .. }), at } => {
                    Some((path, timer, *at))
                }
                _ => None,
            });
            let earliest = waits.filter(|(path, ..)| !self.held_back.holds(path)).min_by_key(|(.., at)| *at);
            let Some((path, timer, at)) = earliest.map(|(path, timer, at)| (path.clone(), timer.clone(), at)) else {
                return Ok(None);
            };
            if !self.is_left_before(&path, &timer, at)? {
                return Ok(Some(Command::Wake { timer, at }));
            }
        }
    }

    /// Whether a wait is held back, since something around it runs out before it is over. Where that is not sure, another way waits on.
    pub(super) fn is_left_before(&mut self, path: &StepPath, timer: &Timer, at: Timestamp) -> Result<bool, IllegalEvent> {
        let Some((end, sure)) = self.over_before(timer, at) else { return Ok(false) };
        if !sure {
            let mut other = self.apart();
            other.passes(timer, at)?;
            self.forks.push(other);
        }
        self.hold_back_for(path, end);
        Ok(true)
    }

    /// When the time of a timer comes, where it runs.
    pub(super) fn due(&self, timer: &Timer) -> Option<Timestamp> {
        self.run.wanted().find_map(|command| match command {
            Command::Wake { timer: of, at } if of == timer => Some(*at),
            _ => None,
        })
    }

    /// The time of a step that waits, or of something around it, that is over when the wait is, and whether that is sure: a run that began
    /// that time comes to the wait no earlier than this way, unless this has lost time in between.
    pub(super) fn over_before(&self, wait: &Timer, until: Timestamp) -> Option<(Timer, bool)> {
        let waiting: &StepPath = match wait {
            Timer::Wait { path, .. } | Timer::Retry { path, .. } | Timer::Step { path } => path,
            Timer::Decision { decision, .. } => self.run.decision(*decision)?.path.as_ref()?,
            Timer::Run => return None,
        };
        let ends = self.run.wanted().filter_map(|command| match command {
            Command::Wake { timer, at } if timer != wait && *at <= until => {
                let is_around = match timer {
                    Timer::Step { path } => path == waiting || waiting.is_inside(path),
                    timer => *timer == Timer::Run && self.run.can_run_out(),
                };
                is_around.then_some((timer, at))
            }
            _ => None,
        });
        let (end, at) = ends.min_by_key(|(_, at)| *at)?;
        let own = matches!(end, Timer::Step { path } if path == waiting);
        let begun = self.length(end).and_then(|length| at.checked_sub(length).ok());
        Some((end.clone(), own || begun.is_some_and(|begun| begun >= self.late_until)))
    }

    /// The whole time that something around a wait has.
    fn length(&self, timer: &Timer) -> Option<Duration> {
        match timer {
            Timer::Run => self.run.plan().main().timeout,
            Timer::Step { path } => self.run.find_step(path)?.step().timeout,
            _ => None,
        }
    }
}
