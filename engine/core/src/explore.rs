//! What a plan would do, asked of the real machine before anything runs.

mod ahead;
mod dry_run;
mod finding;
mod left;
mod must;
mod pre_mortem;
mod shows;
mod story;
mod target;
mod turn;
mod walk;
mod way;

pub use dry_run::{
    Does, DryRun, Later, Longest, Nothing, Options, PredictedEnd, PredictedRequest, PredictedRung, PredictedStep, PredictedUndo,
    Said, Sight, Supposed, Told, UndoStep, Usual, Verdict, World, dry_run, dry_run_of_any,
};
pub(crate) use dry_run::{longest, named, outputs_with, predicted_answers, predicted_result};
pub use finding::{Finding, Kind, PATH_NOTE};
pub use pre_mortem::Fall;
pub use turn::{Turn, What};
pub use walk::{Bounds, Extent, Walk, smoothest, walk, walk_within};
