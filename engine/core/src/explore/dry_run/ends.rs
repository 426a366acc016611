//! What surely ends the things that run beside it: whatever else there is has its turn first, as it may in a real run.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::way::Way;
use crate::id::StepPath;
use crate::run::event::{Evaluated, Timer};
use crate::run::{Command, Fact, IllegalEvent, Reach};

/// Steps that are held back, each with the timer whose time ends it; without one where it ends at its turn.
#[derive(Clone, Default)]
pub(super) struct HeldBack(BTreeMap<StepPath, Option<Timer>>);

impl HeldBack {
    pub fn holds(&self, path: &StepPath) -> bool {
        self.0.contains_key(path)
    }
}

/// Whose turn it is.
pub(super) enum Turn {
    Answer(Command),
    /// Of steps that end what runs beside them, one of those of which each may come first; none where nothing can happen any more.
    Ends(Vec<StepPath>),
}

/// A step that is held back: what its end ends, and how it comes.
struct End<'w> {
    path: &'w StepPath,
    reach: Reach,
    command: &'w Command,
}

impl Way {
    /// What comes next: everything that is due at once, the steps that stand first before others; then the earliest wait; then what ends
    /// the things beside it. Deadlines never come in a prediction.
    pub(super) fn next(&mut self) -> Result<Turn, IllegalEvent> {
        let mut steps = Vec::new();
        for command in self.run.wanted() {
            match command {
                Command::Wake { .. } => {}
                _ if self.is_held_back(command) => {}
                Command::Resolve { path } => steps.push((path, command)),
                command => return Ok(Turn::Answer(command.clone())),
            }
        }
        let step = match steps.as_slice() {
            [] => None,
            [(_, step)] => Some(*step),
            several => several.iter().min_by_key(|(path, _)| self.run.place(path)).map(|(_, step)| *step),
        };
        if let Some(step) = step {
            return Ok(Turn::Answer(step.clone()));
        }
        let wait = self.next_wait()?;
        Ok(match (wait, self.first_that_ends_itself()) {
            (Some(Command::Wake { at, .. }), Some((path, end))) if end < at => Turn::Ends(vec![path]),
            (Some(wait), _) => Turn::Answer(wait),
            (None, Some((path, _))) => Turn::Ends(vec![path]),
            (None, None) => Turn::Ends(self.first_ends()),
        })
    }

    fn is_held_back(&self, command: &Command) -> bool {
        !self.held_back.0.is_empty() && self.turn_of(command).is_some_and(|path| self.held_back.holds(path))
    }

    /// The step whose turn it is by a command, or that waits by it.
    fn turn_of<'w>(&'w self, command: &'w Command) -> Option<&'w StepPath> {
        match command {
            Command::Resolve { path }
            | Command::Conclude { path }
            | Command::Judge { path, .. }
            | Command::Perform { path, .. }
            | Command::Wake { timer: Timer::Wait { path, .. } | Timer::Retry { path, .. }, .. } => Some(path),
            Command::Await { decision } => self.run.decision(*decision)?.path.as_ref(),
            _ => None,
        }
    }

    pub(super) fn command_of(&self, path: &StepPath) -> Option<Command> {
        self.run.wanted().find(|command| self.turn_of(command).is_some_and(|of| of == path)).cloned()
    }

    /// Of the steps that are held back, those of which each may come first: one that ends no other is not waited for, of attempts at
    /// one step one stands for all, and what one timer ends is ended once.
    fn first_ends(&self) -> Vec<StepPath> {
        let mut ends: Vec<End<'_>> = Vec::new();
        for command in self.run.wanted() {
            let Some((path, timer)) = self.turn_of(command).and_then(|path| self.held_back.0.get_key_value(path)) else { continue };
            let end = match timer {
                None => End { path, reach: self.run.reach(path), command },
                Some(timer) => {
                    let is_its = |command: &&Command| matches!(command, Command::Wake { timer: of, .. } if of == timer);
                    let Some(command) = self.run.wanted().find(is_its) else { continue };
                    End { path, reach: self.reach_by(path, timer), command }
                }
            };
            if !ends.iter().any(|other| other.path == end.path || other.command == end.command) {
                ends.push(end);
            }
        }
        let alone = ends.iter().find(|end| !ends.iter().any(|other| other.path != end.path && end.reach.ends(other.path)));
        if let Some(alone) = alone {
            return vec![alone.path.clone()];
        }
        let Some(first) = ends.first() else { return Vec::new() };
        // Of attempts at the same step for several items.
        let step = |end: &End<'_>| self.run.find_step(end.path).map(|view| view.step_ix());
        let is_attempt = |end: &End<'_>| matches!(end.command, Command::Perform { .. });
        let first_of =
            |end: &End<'_>| ends.iter().find(|other| is_attempt(other) && step(other) == step(end)).map(|other| other.path);
        let stands = |end: &&End<'_>| !is_attempt(end) || first_of(end) == Some(end.path);
        let against = |end: &&End<'_>| end.path == first.path || first.reach.ends(end.path) || end.reach.ends(first.path);
        ends.iter().filter(against).filter(stands).map(|end| end.path.clone()).collect()
    }

    /// What the time of a timer ends for which a step is held back.
    fn reach_by(&self, path: &StepPath, timer: &Timer) -> Reach {
        match timer {
            Timer::Run => self.run.reach_of(path, None),
            Timer::Step { path: around } => self.run.reach_of(path, Some(around)),
            _ => self.run.reach(path),
        }
    }

    /// The step whose time runs out first of those that end nothing beside them for it.
    fn first_that_ends_itself(&self) -> Option<(StepPath, Timestamp)> {
        let held = self.held_back.0.iter().filter_map(|(path, timer)| Some((path, timer.as_ref()?)));
        let alive = held.filter(|(path, _)| self.command_of(path).is_some());
        let alone = alive.filter(|(path, timer)| !self.reach_by(path, timer).is_beside);
        let due = alone.filter_map(|(path, timer)| Some((path.clone(), self.due(timer)?)));
        due.min_by_key(|(_, at)| *at)
    }

    /// Leaves a step that surely ends what runs beside it until everything else has had its turn. False where it was left already, or
    /// nothing runs beside it.
    pub(super) fn hold_back(&mut self, path: &StepPath) -> bool {
        let is_new = !self.held_back.holds(path) && self.run.reach(path).is_beside;
        if is_new {
            self.held_back.0.insert(path.clone(), None);
        }
        is_new
    }

    /// Leaves a step whose time surely runs out until everything else has had its turn: by `timer`, or before by that of something around
    /// it. False where there is no such time.
    pub(super) fn hold_back_until(&mut self, path: &StepPath, timer: &Timer) -> bool {
        let Some(due) = self.due(timer) else { return false };
        if !self.hold_back_within(path, timer, due) {
            self.hold_back_for(path, timer.clone());
        }
        true
    }

    /// Leaves a step that goes on until then, where the time of something around it is surely over before. Where it may be, another way
    /// leaves it.
    pub(super) fn hold_back_within(&mut self, path: &StepPath, timer: &Timer, until: Timestamp) -> bool {
        match self.over_before(timer, until) {
            Some((end, true)) => {
                self.hold_back_for(path, end);
                true
            }
            Some((end, false)) => {
                let mut other = self.apart();
                other.hold_back_for(path, end);
                self.forks.push(other);
                false
            }
            None => false,
        }
    }

    /// A step takes until then, which what runs beside it has not had.
    pub(super) fn takes_until(&mut self, path: &StepPath, until: Timestamp) {
        if until > self.now {
            self.now = until;
            if self.run.reach_of(path, None).is_beside {
                self.late_until = until;
            }
        }
    }

    pub(super) fn hold_back_for(&mut self, path: &StepPath, timer: Timer) {
        self.held_back.0.insert(path.clone(), Some(timer));
    }

    /// The time of a step that was held back for it runs out. False where it is held back for no time.
    pub(super) fn runs_out(&mut self, path: &StepPath) -> Result<bool, IllegalEvent> {
        let Some(timer) = self.held_back.0.get(path).cloned().flatten() else { return Ok(false) };
        let Some(at) = self.due(&timer) else { return Ok(false) };
        self.held_back.0.remove(path);
        if let Some(Command::Judge { path, round }) = self.command_of(path) {
            self.record(Fact::ConditionJudged { path: path.clone(), round, holds: Evaluated::Value(false) })?;
            self.fails(&path, "its condition does not hold, and its time runs out");
        }
        self.passes(&timer, at)?;
        Ok(true)
    }

    /// The time of a timer comes, which what is held back has not had.
    pub(super) fn passes(&mut self, timer: &Timer, at: Timestamp) -> Result<(), IllegalEvent> {
        self.now = self.now.max(at);
        if self.holds_back() {
            self.late_until = self.now;
        }
        self.record(Fact::fired(timer.clone()))
    }

    pub(super) fn holds_back(&self) -> bool {
        self.run.wanted().any(|command| self.is_held_back(command))
    }

    /// The first of this place and of where the steps stand that it would come to next, those that it holds back among them.
    pub fn first_place_ahead(&self, place: Vec<u32>) -> Vec<u32> {
        let ahead = self.run.wanted().filter_map(|command| Some(self.run.place(self.turn_of(command)?)));
        ahead.fold(place, |first, place| first.min(place))
    }

    /// Whether both hold back the same for the same times.
    pub(super) fn holds_back_as(&self, other: &Way) -> bool {
        let held = |way: &Way, path: &StepPath| way.held_back.0.get(path).cloned();
        let mut paths = self.run.wanted().filter_map(|command| self.turn_of(command));
        paths.all(|path| held(self, path).flatten() == held(other, path).flatten())
    }
}
