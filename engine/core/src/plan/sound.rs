//! What holds of every plan that `check` makes, looked at again in a plan that is read, since a record may come from anywhere: each
//! index leads somewhere, each step stands in one list, no list is empty, and nothing nests or calls deeper than `check` allows.
//! So whoever walks a plan finds what it names and comes to an end.

use std::slice;

use serde::Deserialize;

use super::{OnFailure, Plan, PlanFile, Procedure, ProcedureIx, Step, StepIx, Verb, Verify, WaitFor};
use crate::limits;
use crate::policy::PolicyContext;

/// A plan as it was read.
#[derive(Deserialize)]
pub(super) struct Unproven {
    semantics: u32,
    files: Vec<PlanFile>,
    procedures: Vec<Procedure>,
    steps: Vec<Step>,
    policy: PolicyContext,
}

impl TryFrom<Unproven> for Plan {
    type Error = Unsound;

    fn try_from(read: Unproven) -> Result<Plan, Unsound> {
        let Unproven { semantics, files, procedures, steps, policy } = read;
        Walk { procedures: &procedures, steps: &steps, stands: vec![false; steps.len()], calls: vec![Vec::new(); procedures.len()] }
            .whole()?;
        Ok(Plan { semantics, files, procedures, steps, policy })
    }
}

/// Why a plan is none that `check` has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    #[error("the plan has no procedure")]
    Empty,
    #[error("the plan names step {} and has none with this number", .0.0)]
    NoStep(StepIx),
    #[error("the plan calls procedure {} and has none with this number", .0.0)]
    NoProcedure(ProcedureIx),
    #[error("step {} of the plan stands in more than one place", .0.0)]
    Twice(StepIx),
    #[error("step {} of the plan has a list without a step", .0.0)]
    EmptyList(StepIx),
    #[error("step {} of the plan is nested too deep", .0.0)]
    TooDeep(StepIx),
    #[error("procedure {} of the plan calls itself, or calls too deep", .0.0)]
    Calls(ProcedureIx),
    #[error("the plan has more than {max} steps", max = limits::PLAN_STEPS)]
    TooLong,
}

struct Walk<'p> {
    procedures: &'p [Procedure],
    steps: &'p [Step],
    /// Whether a step has been found in a list.
    stands: Vec<bool>,
    /// What each procedure calls.
    calls: Vec<Vec<ProcedureIx>>,
}

impl Walk<'_> {
    fn whole(mut self) -> Result<(), Unsound> {
        if self.procedures.is_empty() {
            return Err(Unsound::Empty);
        }
        if self.steps.len() > limits::PLAN_STEPS {
            return Err(Unsound::TooLong);
        }
        for (ix, procedure) in (0..).map(ProcedureIx).zip(self.procedures) {
            for list in [&procedure.body, &procedure.on_failure, &procedure.finally] {
                self.list(list, ix, 0)?;
            }
        }
        let mut heights = vec![None; self.calls.len()];
        self.height(ProcedureIx(0), 0, &mut heights).map(|_| ())
    }

    fn list(&mut self, list: &[StepIx], of: ProcedureIx, depth: usize) -> Result<(), Unsound> {
        list.iter().try_for_each(|ix| self.step(*ix, of, depth))
    }

    fn step(&mut self, ix: StepIx, of: ProcedureIx, depth: usize) -> Result<(), Unsound> {
        let step = self.steps.get(ix.0 as usize).ok_or(Unsound::NoStep(ix))?;
        if let Some(stands) = self.stands.get_mut(ix.0 as usize)
            && std::mem::replace(stands, true)
        {
            return Err(Unsound::Twice(ix));
        }
        if depth > limits::DOCUMENT_DEPTH {
            return Err(Unsound::TooDeep(ix));
        }
        let failed = if let OnFailure::Next(next) = &step.on_failure { Some(next) } else { None };
        if let Some(next) = step.next.iter().chain(failed).find(|next| next.0 as usize >= self.steps.len()) {
            return Err(Unsound::NoStep(*next));
        }
        if let Verb::Call { procedure, .. } = step.verb
            && let Some(calls) = self.calls.get_mut(of.0 as usize)
        {
            calls.push(procedure);
        }
        for list in lists(step) {
            if list.is_empty() {
                return Err(Unsound::EmptyList(ix));
            }
            self.list(list, of, depth + 1)?;
        }
        Ok(())
    }

    /// How many calls follow one another at most below a procedure that stands under `depth` of them.
    fn height(&self, ix: ProcedureIx, depth: usize, heights: &mut [Option<usize>]) -> Result<usize, Unsound> {
        let known = *heights.get(ix.0 as usize).ok_or(Unsound::NoProcedure(ix))?;
        if depth + known.unwrap_or_default() >= limits::CALL_DEPTH {
            return Err(Unsound::Calls(ix));
        }
        if let Some(known) = known {
            return Ok(known);
        }
        let mut height = 0;
        for called in self.calls.get(ix.0 as usize).into_iter().flatten() {
            height = height.max(1 + self.height(*called, depth + 1, heights)?);
        }
        if let Some(slot) = heights.get_mut(ix.0 as usize) {
            *slot = Some(height);
        }
        Ok(height)
    }
}

/// The lists of steps that a step has.
fn lists(step: &Step) -> Vec<&[StepIx]> {
    let mut lists: Vec<&[StepIx]> = match &step.verb {
        Verb::Group(body) | Verb::Repeat { body, .. } => vec![body],
        Verb::Each(each) => vec![&each.body],
        Verb::Choose(branches) => branches.iter().map(|branch| branch.body.as_slice()).collect(),
        Verb::Parallel { branches, .. } => branches.iter().map(|(_, body)| body.as_slice()).collect(),
        Verb::Wait(wait) => match &wait.what {
            WaitFor::Until { probe: Some(probe), .. } => vec![slice::from_ref(probe)],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    if !step.undo.is_empty() {
        lists.push(&step.undo);
    }
    if let Some(Verify::Step(verify)) = &step.verify {
        lists.push(slice::from_ref(verify));
    }
    lists
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::Plan;
    use crate::check::{Catalogue, CheckOptions, check};
    use crate::diagnostic::Source;
    use crate::document::{Document, Procedure, load};

    fn procedure(text: &str) -> Procedure {
        let text = format!("apiVersion: runbook/v1\nkind: Runbook\nversion: 1.0.0\n{text}");
        match load(&Source::new("p.yaml", text.as_str())) {
            (Some(Document::Procedure(procedure)), _) => *procedure,
            (_, found) => panic!("{found:#?}"),
        }
    }

    /// Steps 0 to 3 are those of the body, 4 the undo, 5 and 6 the branches, 7 the inner one; the called procedure has step 8.
    fn plan() -> Json {
        let all = [
            procedure(
                "name: main
steps:
- {id: a, exec: [a], undo: {exec: [b], effect: change}, next: b}
- {id: b, parallel: {left: [{exec: [a], effect: read}], right: [{exec: [a], effect: read}]}}
- {id: c, group: [{exec: [a], effect: read}]}
- call: sub@^1",
            ),
            procedure("name: sub\nsteps: [{exec: [a], effect: read}]"),
        ];
        let (plan, found) = check(&all[0], &Catalogue::new(&all, None), &CheckOptions::default());
        serde_json::to_value(plan.unwrap_or_else(|| panic!("{found:#?}"))).unwrap()
    }

    #[test]
    fn a_plan_that_no_check_has_made_is_not_read() {
        assert!(serde_json::from_value::<Plan>(plan()).is_ok());
        for (at, value, why) in [
            ("/procedures", json!([]), "has no procedure"),
            ("/procedures/0/body/0", json!(99), "names step 99"),
            ("/procedures/0/finally", json!([9]), "names step 9"),
            ("/steps/0/undo/0", json!(4_000_000_000u32), "names step 4000000000"),
            ("/steps/0/next", json!(77), "names step 77"),
            ("/steps/0/on_failure", json!({"next": 77}), "names step 77"),
            ("/steps/0/verify", json!({"step": 77}), "names step 77"),
            ("/procedures/0/body/1", json!(0), "step 0 of the plan stands in more than one place"),
            ("/steps/2/verb/group/0", json!(2), "step 2 of the plan stands in more than one place"),
            ("/steps/2/verb/group", json!([]), "step 2 of the plan has a list without a step"),
            ("/steps/1/verb/parallel/branches/1/1", json!([]), "step 1 of the plan has a list without a step"),
            ("/steps/3/verb/call/procedure", json!(2), "calls procedure 2"),
            ("/steps/3/verb/call/procedure", json!(0), "procedure 0 of the plan calls itself"),
        ] {
            let mut plan = plan();
            *plan.pointer_mut(at).unwrap_or_else(|| panic!("{at}")) = value;
            let error = serde_json::from_value::<Plan>(plan).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(why), "{at}: {error}");
        }
    }

    #[test]
    fn a_plan_as_deep_as_no_document_is_not_read() {
        for (depth, sound) in [(60, true), (70, false)] {
            let mut plan = plan();
            let step = plan["steps"][2].clone();
            let first = plan["steps"].as_array().map_or(0, Vec::len);
            plan["steps"][2]["verb"]["group"] = json!([first]);
            for inner in first..first + depth {
                let mut step = step.clone();
                step["verb"]["group"] = json!([if inner + 1 < first + depth { inner + 1 } else { 7 }]);
                plan["steps"].as_array_mut().unwrap().push(step);
            }
            assert_eq!(serde_json::from_value::<Plan>(plan).is_ok(), sound, "{depth}");
        }
    }
}
