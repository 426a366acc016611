//! Which step of a plan a path means: the other way round from a run, which makes the paths of its steps as it goes.
//!
//! Numbers of items and rounds may be left out, and are not compared with anything: how many there will be is not known
//! before a run.

use super::{Plan, ProcedureIx, Step, StepIx, Verb, Verify, WaitFor};
use crate::id::StepPath;

impl Plan {
    /// The step that a path addresses, whether or not a run will come by it.
    pub fn step_at(&self, path: &StepPath) -> Option<&Step> {
        self.found_at(path).map(|(_, ix)| self.step(ix))
    }

    /// How many calls a path leads through.
    pub(crate) fn calls_to(&self, path: &StepPath) -> usize {
        self.found_at(path).map_or(0, |(calls, _)| calls.len())
    }

    /// The step that a path addresses, with the calls that lead to it, the outermost first.
    pub(super) fn found_at(&self, path: &StepPath) -> Option<(Vec<StepIx>, StepIx)> {
        let path = path.without_indexes();
        let mut segments = path.as_str().split('/').peekable();
        let (mut block, mut calls) = (Vec::new(), Vec::new());
        self.enter(ProcedureIx(0), &mut segments, &mut block);
        loop {
            let segment = segments.next()?;
            let end = segment.find(['.', '~']).unwrap_or(segment.len());
            let (label, beside) = segment.split_at_checked(end)?;
            let ix = block.iter().copied().find(|ix| self.step(*ix).label == label)?;
            let step = self.step(ix);
            if segments.peek().is_none() {
                return beside.is_empty().then_some((calls, ix));
            }
            block.clear();
            match (beside, &step.verb) {
                ("~undo", _) => block.extend(&step.undo),
                ("~verify", _) => {
                    block.extend(step.verify.iter().filter_map(|v| if let Verify::Step(s) = v { Some(s) } else { None }))
                }
                ("", Verb::Group(body) | Verb::Repeat { body, .. }) => block.extend(body),
                ("", Verb::Each(each)) => block.extend(&each.body),
                ("", Verb::Choose(branches)) => block.extend(branches.iter().flat_map(|branch| &branch.body)),
                ("", Verb::Call { procedure, .. }) => {
                    calls.push(ix);
                    self.enter(*procedure, &mut segments, &mut block);
                }
                ("", Verb::Wait(wait)) => {
                    if let WaitFor::Until { probe: Some(probe), .. } = &wait.what {
                        block.push(*probe);
                    }
                }
                (branch, Verb::Parallel { branches, .. }) => {
                    let named = branches.iter().filter(|(name, _)| branch.strip_prefix('.') == Some(name.as_str()));
                    block.extend(named.flat_map(|(_, body)| body));
                }
                _ => return None,
            }
        }
    }

    /// The list of a procedure that the next segment leads into.
    fn enter<'p>(
        &self,
        procedure: ProcedureIx,
        segments: &mut std::iter::Peekable<impl Iterator<Item = &'p str>>,
        block: &mut Vec<StepIx>,
    ) {
        let procedure = self.procedure(procedure);
        let list = match segments.peek() {
            Some(&"~on_failure") => &procedure.on_failure,
            Some(&"~finally") => &procedure.finally,
            _ => return block.extend(&procedure.body),
        };
        segments.next();
        block.extend(list);
    }
}

#[cfg(test)]
mod tests {
    use crate::check::{Catalogue, CheckOptions, check};
    use crate::diagnostic::Source;
    use crate::document::{Document, load};

    const MAIN: &str = "apiVersion: runbook/v1
kind: Runbook
name: main
version: 1.0.0
steps:
- {id: plain, exec: [a], undo: {id: back, exec: [b]}, verify: {id: look, exec: [c], effect: read}}
- group: [{id: inside, exec: [a], effect: read}]
- id: many
  each: {in: '[1, 2]', steps: [{id: item, exec: [a], effect: read}]}
- id: fan
  parallel: {left: [{id: l, exec: [a], effect: read}], right: [{id: r, exec: [a], effect: read}]}
- choose: [{when: 1 == 1, steps: [{id: chosen, exec: [a], effect: read}]}]
- {id: sub, call: sub@^1}
finally:
- {id: last, exec: [a], effect: read}
";
    const SUB: &str = "apiVersion: runbook/v1
kind: Runbook
name: sub
version: 1.0.0
steps:
- {id: go, approve: {question: Go?}}
on_failure:
- {id: mend, exec: [a], effect: read}
";

    #[test]
    fn each_path_that_a_run_makes_is_found() {
        let procedures: Vec<_> = [MAIN, SUB]
            .map(|text| match load(&Source::new("p.yaml", text)) {
                (Some(Document::Procedure(procedure)), _) => *procedure,
                (_, found) => panic!("{found:#?}"),
            })
            .into();
        let (plan, found) = check(&procedures[0], &Catalogue::new(&procedures, None), &CheckOptions::default());
        let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
        for (path, label) in [
            ("plain", Some("plain")),
            ("plain~undo/back", Some("back")),
            ("plain~verify[1]/look", Some("look")),
            ("group-2/inside", Some("inside")),
            ("many[7]/item", Some("item")),
            ("many/item", Some("item")),
            ("fan.right/r", Some("r")),
            ("fan.left/r", None),
            ("fan/r", None),
            ("choose-5/chosen", Some("chosen")),
            ("sub/go", Some("go")),
            ("sub/~on_failure/mend", Some("mend")),
            ("~finally/last", Some("last")),
            ("last", None),
            ("sub/nothing", None),
            ("plain/go", None),
            ("nothing", None),
        ] {
            let found = plan.step_at(&path.parse().unwrap()).map(|step| step.label.as_str());
            assert_eq!(found, label, "{path}");
        }
    }
}
