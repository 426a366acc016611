//! What stands beside a `finish`: whether it begins before that ends it, nobody can know. Where something surely fails instead, what is said of
//! the steps beside it still holds if a run comes to them.

use std::sync::Arc;

use super::passed;
use super::seen::{History, Parts, Seen};
use super::{PredictedStep, Verdict};
use crate::id::StepPath;
use crate::plan::{Plan, StepIx, Verb};

/// What runs side by side with a `finish` may be ended by it before its turn comes: how long anything takes is not known.
pub(super) fn doubt(plan: &Plan, history: &History, steps: &mut [PredictedStep]) {
    let ends = history.iter().filter(|seen| matches!(plan.step(seen.step).verb, Verb::Finish { .. }) && seen.finishes());
    for end in ends {
        let path = end.path.as_str();
        for (at, _) in path.match_indices('/') {
            let own = path.get(..at).unwrap_or_default();
            let whole = if own.ends_with(']') {
                own.rfind('[')
            } else {
                own.rfind('.').filter(|dot| !own.get(*dot..).is_some_and(|rest| rest.contains('/')))
            };
            let Some(whole) = whole.and_then(|whole| own.get(..whole)) else { continue };
            let at_once = |seen: &&Arc<Seen>| plan.step(seen.step).verb.runs_at_once();
            let Some(around) = history.iter().find(|seen| seen.path.as_str() == whole && at_once(seen)) else { continue };
            // Of items that are shown once, for all of them, each may be ended by another.
            let pattern = around.parts == Parts::Pattern;
            // What acts begins together with what acts, before that can end anything.
            let acts = |ix: &StepIx| plan.step(*ix).verb.acts() && plan.step(*ix).gates.is_empty();
            let first: Vec<StepIx> = match &plan.step(around.step).verb {
                Verb::Parallel { branches, max_parallel } => {
                    let of_end = own.get(whole.len() + 1..);
                    let begun = branches.iter().take(*max_parallel as usize).filter_map(|(name, body)| Some((name, body.first()?)));
                    let begun: Vec<_> = begun.filter(|(_, first)| acts(first)).collect();
                    let runs = |first: &StepIx| {
                        let path = StepPath::within(own, &plan.step(*first).label);
                        let own = steps.iter().find(|step| step.step == *first && step.path == path);
                        own.is_some_and(|step| step.verdict == Verdict::WouldRun && step.fails.is_none())
                    };
                    let late = begun.iter().any(|(name, first)| Some(name.as_str()) == of_end && runs(first));
                    begun.into_iter().filter(|_| late).map(|(_, first)| *first).collect()
                }
                _ => Vec::new(),
            };
            if plan.calls_to(&around.path) != plan.calls_to(&end.path) {
                continue;
            }
            let inside = |step: &StepPath, list: &str, next: &[char]| {
                step.as_str().strip_prefix(list).is_some_and(|rest| rest.starts_with(next))
            };
            let beside =
                |step: &StepPath| inside(step, whole, &['.', '[']) && *step != end.path && (pattern || !inside(step, own, &['/']));
            for step in steps.iter_mut().filter(|step| beside(&step.path)) {
                if step.verdict == Verdict::WouldRun && !first.contains(&step.step) {
                    let because = format!("`{}` may end {} before it", end.path.label(), passed::ended(plan, &end.path));
                    step.verdict = Verdict::CannotKnow { because };
                }
            }
        }
    }
}
