//! The way out: cancelling, the run's own timeout, undo in reverse order, and the outcome.

use super::decision::{Choice, Purpose};
use super::event::{Failure, Outcome, OutcomeKind, StepOutcome};
use super::schedule::Halt;
use super::state::{BlockRef, End, FailKind, FrameIx, Owner, Stage, State};
use super::{Asker, Cancel, Command, Key, Run};

impl Run {
    pub(crate) fn can_cancel(&self) -> bool {
        let stage = self.frames.first().map(|f| f.stage);
        self.outcome.is_none() && self.cancel.is_none() && matches!(stage, Some(Stage::Body | Stage::OnFailure))
    }

    /// Whether it makes a difference that the time of the run is over.
    pub(crate) fn can_run_out(&self) -> bool {
        let first = self.frames.first();
        self.outcome.is_none() && first.is_none_or(|frame| matches!(frame.stage, Stage::Body | Stage::OnFailure))
    }

    pub(super) fn take_cancel(&mut self, cancel: Cancel) {
        self.cancel = Some(cancel);
        self.paused = false;
        self.frames[0].end.get_or_insert(End::Stopped);
        self.halt_body(FailKind::Cancelled);
    }

    pub(super) fn run_timed_out(&mut self) {
        match self.frames.first().map(|f| f.stage) {
            // The run has failed already; by the semantics of older plans, what it does about that is stopped as well.
            Some(Stage::OnFailure) => return self.halt_body(FailKind::Cancelled),
            Some(Stage::Body) if self.frames[0].end.is_none() => {}
            _ => return,
        }
        if self.is_predicted() {
            self.cut_inside(None);
        }
        let after = self.plan.main().timeout.map(crate::value::format_duration).unwrap_or_default();
        let step = self.frames[0].lane.and_then(|l| self.lane(l).current).map(|n| self.node(n).path.clone());
        let failure = Failure { message: format!("the run did not end within {after}"), at: None, detail: None };
        let fallback = crate::id::StepPath::within("", &self.plan.main().name.as_str().replace('-', "_"));
        self.frames[0].end =
            Some(End::Failed { kind: FailKind::TimedOut, failure, step: step.unwrap_or(fallback), rollback: false });
        self.halt_body(FailKind::Cancelled);
    }

    fn halt_body(&mut self, kind: FailKind) {
        match self.frames[0].lane {
            Some(lane) => self.halt_lane(lane, Halt::Kill(kind)),
            // Nothing has begun: the run waits for its lock, or for leave to run a part.
            None => {
                self.unwant(&Key::Lock);
                self.unwant(&Key::Request(Asker::Run));
                self.withdraw(Asker::Run);
                self.open_stage(FrameIx(0), Stage::Closed);
            }
        }
    }

    // Undo.

    pub(super) fn take_undo_request(&mut self) {
        self.outcome = None;
        self.unwinding.requested = true;
        self.open_stage(FrameIx(0), Stage::Unwinding);
    }

    /// Undoes the last change that is left, or ends the stage.
    pub(super) fn unwind_next(&mut self) {
        let Some(top) = self.undoable.last().cloned() else {
            return self.stage_ended(FrameIx(0), End::Completed);
        };
        let (step, scope, path) = (self.node(top.node).step, self.node(top.node).scope, self.node(top.node).path.clone());
        let prefix = if top.tries == 0 { format!("{path}~undo") } else { format!("{path}~undo[{}]", top.tries + 1) };
        let lane = self.open_lane(Owner::Undo, BlockRef::Undo(step), scope, prefix);
        self.unwinding.lane = Some(lane);
        self.advance(lane);
    }

    /// The undo at the top of the stack has ended.
    pub(super) fn undo_ended(&mut self, end: End) {
        self.unwinding.lane = None;
        match end {
            End::Completed | End::Finished { failed: false, .. } => self.undone(),
            End::Failed { failure, .. } => self.ask_about_undo(failure),
            End::Stopped => self.ask_about_undo(Failure { message: "it was stopped".to_owned(), at: None, detail: None }),
            End::Finished { message, .. } => self.ask_about_undo(Failure { message, at: None, detail: None }),
        }
    }

    fn undone(&mut self) {
        self.undoable.pop();
        self.unwinding.undone += 1;
        self.unwind_next();
    }

    fn ask_about_undo(&mut self, failure: Failure) {
        let path = self.undoable.last().map(|u| self.node(u.node).path.clone());
        self.unwinding.failure = Some(failure);
        self.want(Key::Request(Asker::Undo), Command::Request { path, purpose: Purpose::UndoFailed });
    }

    pub(super) fn undo_answered(&mut self, choice: Choice) {
        match choice {
            Choice::Again => {
                if let Some(top) = self.undoable.last_mut() {
                    top.tries += 1;
                }
                self.unwind_next();
            }
            Choice::Done => self.undone(),
            _ => {
                self.unwinding.left = u32::try_from(self.undoable.len()).unwrap_or(u32::MAX);
                self.undoable.clear();
                self.stage_ended(FrameIx(0), End::Completed);
            }
        }
    }

    // The outcome.

    pub(super) fn close_run(&mut self) {
        let outcome = self.final_outcome();
        self.want(Key::Finish, Command::Finish { outcome });
    }

    fn final_outcome(&self) -> Outcome {
        let end = self.frames.first().and_then(|f| f.end.clone()).unwrap_or(End::Completed);
        let (message, step) = match &end {
            End::Completed => (String::new(), None),
            End::Finished { message, step, .. } => (message.clone(), Some(step.clone())),
            End::Failed { failure, step, .. } => (failure.message.clone(), Some(step.clone())),
            End::Stopped => {
                let why = self.cancel.as_ref().map(|c| match c.reason.is_empty() {
                    true => format!("cancelled by {}", c.by.person),
                    false => format!("cancelled by {}: {}", c.by.person, c.reason),
                });
                (why.unwrap_or_default(), None)
            }
        };
        let unwound = self.unwinding.begun;
        let in_doubt = self.nodes.iter().any(|n| n.state == State::Ended(StepOutcome::Unknown));
        if self.unwinding.left > 0 {
            let left = match self.unwinding.left {
                1 => "1 change is".to_owned(),
                many => format!("{many} changes are"),
            };
            let message = format!("{left} not undone; {message}");
            return Outcome { kind: OutcomeKind::NeedsAttention, message, step };
        }
        if in_doubt {
            let message = if message.is_empty() { "nobody knows whether a step did its work".to_owned() } else { message };
            return Outcome { kind: OutcomeKind::NeedsAttention, message, step };
        }
        let kind = match self.outcome_kind(&end) {
            OutcomeKind::Cancelled => OutcomeKind::Cancelled,
            _ if unwound => OutcomeKind::RolledBack,
            kind => kind,
        };
        Outcome { kind, message, step }
    }

    /// Takes back an open decision of `asker`: nobody needs to answer it any more.
    pub(super) fn withdraw(&mut self, asker: Asker) {
        if let Some(id) = self.asked.get(&asker).copied() {
            self.close_decision(id, super::decision::Standing::Withdrawn);
        }
    }
}
