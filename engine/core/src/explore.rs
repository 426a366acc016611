//! What a plan would do, asked of the real machine before anything runs.

mod dry_run;

pub use dry_run::{
    DryRun, Later, Longest, Nothing, Options, PredictedRequest, PredictedRung, PredictedStep, PredictedUndo, UndoStep, Usual,
    Verdict, World, dry_run,
};
pub(crate) use dry_run::{named, outputs_with, predicted_result};
