//! What holds of every plan: each index leads somewhere, each step stands in one list, no list is empty, nothing nests or calls
//! deeper than the bounds, and every step has a path that the record takes. So whoever walks a plan finds what it names and comes to
//! an end. It is looked at as a plan is made, and again as one is read, since a record may come from anywhere.

use std::slice;

use serde::Deserialize;

use super::number::Numbers;
use super::{OnFailure, Plan, PlanFile, Procedure, ProcedureIx, SEMANTICS, Step, StepIx, Verb, Verify, WaitFor};
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
        if semantics > SEMANTICS {
            return Err(Unsound::Newer(semantics));
        }
        let plan = Plan { semantics, files, procedures, steps, policy, policy_must: Vec::new(), numbers: Numbers::default() };
        match plan.prove() {
            // A run that has such a step need not have come by it.
            Ok(()) | Err(Unsound::Path(_)) => Ok(plan),
            Err(unsound) => Err(unsound),
        }
    }
}

impl Plan {
    /// Whether all of this holds; paths are looked at last.
    pub(crate) fn prove(&self) -> Result<(), Unsound> {
        let stands = vec![false; self.steps.len()];
        let own = vec![Own::default(); self.procedures.len()];
        Walk { procedures: &self.procedures, steps: &self.steps, stands, own }.whole()
    }
}

/// Why a plan cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    #[error("the plan has the meaning of version {0}, and this build knows up to {SEMANTICS}; use a newer `runbook`")]
    Newer(u32),
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
    #[error("step {} of the plan has a path of more than {max} bytes", .0.0, max = limits::PATH_BYTES)]
    Path(StepIx),
    #[error("the plan has more than {max} steps", max = limits::PLAN_STEPS)]
    TooLong,
}

/// What one procedure has without what it calls.
#[derive(Clone, Default)]
struct Own {
    /// The procedures that it calls, with the bytes of each caller's path.
    calls: Vec<(ProcedureIx, usize)>,
    longest: Reach,
}

/// How far it goes down from a procedure, with all that it calls.
#[derive(Clone, Copy, Default)]
struct Reach {
    /// Calls that follow one another.
    calls: usize,
    /// Bytes of the longest path, and whose it is.
    path: (usize, StepIx),
}

struct Walk<'p> {
    procedures: &'p [Procedure],
    steps: &'p [Step],
    /// Whether a step has been found in a list.
    stands: Vec<bool>,
    own: Vec<Own>,
}

/// Where a list stands: in which procedure, under how many steps, behind how many bytes of a path.
#[derive(Clone, Copy)]
struct Place {
    of: ProcedureIx,
    depth: usize,
    path: usize,
}

impl Walk<'_> {
    fn whole(mut self) -> Result<(), Unsound> {
        if self.procedures.is_empty() {
            return Err(Unsound::Empty);
        }
        if self.steps.len() > limits::PLAN_STEPS {
            return Err(Unsound::TooLong);
        }
        for (of, procedure) in (0..).map(ProcedureIx).zip(self.procedures) {
            let named = procedure.must.iter().flat_map(|must| must.rule.steps());
            if let Some(ix) = named.into_iter().find(|ix| ix.0 as usize >= self.steps.len()) {
                return Err(Unsound::NoStep(ix));
            }
            let lists = [("", &procedure.body), ("~on_failure/", &procedure.on_failure), ("~finally/", &procedure.finally)];
            for (beside, list) in lists {
                self.list(list, Place { of, depth: 0, path: beside.len() })?;
            }
        }
        let Reach { path: (bytes, step), .. } = self.reach(ProcedureIx(0), 0, &mut vec![None; self.own.len()])?;
        if bytes > limits::PATH_BYTES { Err(Unsound::Path(step)) } else { Ok(()) }
    }

    fn list(&mut self, list: &[StepIx], place: Place) -> Result<(), Unsound> {
        list.iter().try_for_each(|ix| self.step(*ix, place))
    }

    fn step(&mut self, ix: StepIx, Place { of, depth, path }: Place) -> Result<(), Unsound> {
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
        let path = path + "/".len() + step.label.len();
        if let Some(own) = self.own.get_mut(of.0 as usize) {
            if path > own.longest.path.0 {
                own.longest.path = (path, ix);
            }
            if let Verb::Call { procedure, .. } = step.verb {
                own.calls.push((procedure, path));
            }
        }
        for (beside, list) in lists(step) {
            if list.is_empty() {
                return Err(Unsound::EmptyList(ix));
            }
            self.list(list, Place { of, depth: depth + 1, path: path + beside })?;
        }
        Ok(())
    }

    /// How far it goes down from a procedure that stands under `depth` calls.
    fn reach(&self, ix: ProcedureIx, depth: usize, known: &mut [Option<Reach>]) -> Result<Reach, Unsound> {
        let (Some(own), Some(found)) = (self.own.get(ix.0 as usize), known.get(ix.0 as usize).copied()) else {
            return Err(Unsound::NoProcedure(ix));
        };
        if depth + found.map_or(0, |found| found.calls) >= limits::CALL_DEPTH {
            return Err(Unsound::Calls(ix));
        }
        if let Some(found) = found {
            return Ok(found);
        }
        let mut reach = own.longest;
        for (called, path) in &own.calls {
            let Reach { calls, path: (bytes, step) } = self.reach(*called, depth + 1, known)?;
            reach.calls = reach.calls.max(calls + 1);
            if path + bytes > reach.path.0 {
                reach.path = (path + bytes, step);
            }
        }
        if let Some(slot) = known.get_mut(ix.0 as usize) {
            *slot = Some(reach);
        }
        Ok(reach)
    }
}

/// The lists of steps that a step has, each with the bytes at most that stand between its path and theirs.
fn lists(step: &Step) -> Vec<(usize, &[StepIx])> {
    let number = format!("[{}]", u32::MAX).len();
    let mut lists: Vec<(usize, &[StepIx])> = match &step.verb {
        Verb::Group(body) => vec![(0, body)],
        Verb::Repeat { body, .. } => vec![(number, body)],
        Verb::Each(each) => vec![(number, &each.body)],
        Verb::Choose(branches) => branches.iter().map(|branch| (0, branch.body.as_slice())).collect(),
        Verb::Parallel { branches, .. } => {
            branches.iter().map(|(name, body)| (".".len() + name.as_str().len(), body.as_slice())).collect()
        }
        Verb::Wait(wait) => match &wait.what {
            WaitFor::Until { probe: Some(probe), .. } => vec![(number, slice::from_ref(probe))],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    if !step.undo.is_empty() {
        lists.push(("~undo".len() + number, &step.undo));
    }
    if let Some(Verify::Step(verify)) = &step.verify {
        lists.push(("~verify".len() + number, slice::from_ref(verify)));
    }
    lists
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::Plan;
    use crate::check::{Catalogue, CheckOptions, check};
    use crate::diagnostic::{Code, Source};
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
    fn a_step_whose_path_no_record_takes_makes_no_plan() {
        // Each procedure alone is within the bound.
        let id = |n: usize| format!("{}_{n}", "a".repeat(40));
        let nested = |inner: &str, last: usize| {
            let steps: String = (0..last).map(|n| format!("{{id: {}, group: [", id(n))).collect();
            format!("steps:\n- {steps}{inner}{}", "]}".repeat(last))
        };
        for (depth, fits) in [(20, true), (28, false)] {
            let all = [
                procedure(&format!("name: main\n{}", nested("{call: sub@^1}", depth))),
                procedure(&format!("name: sub\n{}", nested("{id: inmost, exec: [a], effect: read}", depth))),
            ];
            let (plan, found) = check(&all[0], &Catalogue::new(&all, None), &CheckOptions::default());
            assert_eq!(plan.is_some(), fits, "{depth}: {found:#?}");
            let told = found.into_sorted();
            let told: Vec<_> = told.iter().map(|fault| (fault.code, fault.message.as_str())).collect();
            let message = "the path of step `inmost` (p.yaml:6:1617) is longer than 2048 bytes";
            assert_eq!(told, if fits { vec![] } else { vec![(Code::RB0219, message)] });
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
