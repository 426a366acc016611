//! The numbers of steps, the same wherever a step is shown: a run, its dry run, its record, a request for a decision, the printed manual.
//!
//! The steps of a procedure are numbered from 1 in the order in which they are written: its body, then `finally`, then `on_failure`,
//! each step before those inside it. What is called keeps its own numbers behind that of the call (`5.3`). What takes step 4 back is
//! `U4`, or `U4-1`, `U4-2` and so on; the look whether step 4 took place is `V4`. Items and rounds share the number of their step.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::{Plan, Step, StepIx, Verb, Verify, WaitFor};
use crate::id::StepPath;

/// The numbers of a plan, made when one is first asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(OnceLock<Arc<[Mark]>>);

/// The number of a step within the procedure that it stands in.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    of: Of,
    number: u32,
}

#[derive(Clone, Copy, Debug, Default)]
enum Of {
    #[default]
    Step,
    /// Its place among the steps that take another one back, from 1; 0 where it is alone.
    Undo(u32),
    Verify,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match self.of {
            Of::Step => write!(f, "{number}"),
            Of::Undo(0) => write!(f, "U{number}"),
            Of::Undo(part) => write!(f, "U{number}-{part}"),
            Of::Verify => write!(f, "V{number}"),
        }
    }
}

impl Plan {
    /// The number of a step that is reached through these calls, the outermost first.
    pub fn number(&self, calls: &[StepIx], step: StepIx) -> String {
        let marks = self.numbers.0.get_or_init(|| Writer::whole(self));
        let mark = |ix: &StepIx| marks.get(ix.0 as usize).copied().unwrap_or_default().to_string();
        calls.iter().chain([&step]).map(mark).collect::<Vec<_>>().join(".")
    }

    /// The number of the step that a path addresses.
    pub fn number_at(&self, path: &StepPath) -> Option<String> {
        self.found_at(path).map(|(calls, step)| self.number(&calls, step))
    }
}

struct Writer<'p> {
    plan: &'p Plan,
    marks: Vec<Mark>,
    last: u32,
}

impl Writer<'_> {
    fn whole(plan: &Plan) -> Arc<[Mark]> {
        let mut writer = Writer { plan, marks: vec![Mark::default(); plan.steps.len()], last: 0 };
        for procedure in &plan.procedures {
            writer.last = 0;
            for list in [&procedure.body, &procedure.finally, &procedure.on_failure] {
                writer.list(list);
            }
        }
        writer.marks.into()
    }

    fn list(&mut self, list: &[StepIx]) {
        for ix in list {
            self.last += 1;
            let number = self.last;
            self.put(*ix, Mark { of: Of::Step, number });
            let step = self.plan.step(*ix);
            inside(step).into_iter().for_each(|list| self.list(list));
            let mut undo = Vec::new();
            self.all(&step.undo, &mut undo);
            let alone = undo.len() == 1;
            for (part, ix) in (1..).zip(undo) {
                self.put(ix, Mark { of: Of::Undo(if alone { 0 } else { part }), number });
            }
        }
    }

    /// Every step of a list that takes step number `last` back, and what looks whether that took place.
    fn all(&mut self, list: &[StepIx], found: &mut Vec<StepIx>) {
        for ix in list {
            found.push(*ix);
            inside(self.plan.step(*ix)).into_iter().for_each(|list| self.all(list, found));
        }
    }

    fn put(&mut self, ix: StepIx, mark: Mark) {
        if let Some(slot) = self.marks.get_mut(ix.0 as usize) {
            *slot = mark;
        }
        if let Some(Verify::Step(look)) = self.plan.step(ix).verify
            && let Some(slot) = self.marks.get_mut(look.0 as usize)
        {
            *slot = Mark { of: Of::Verify, ..mark };
        }
    }
}

/// The lists of steps that a step arranges, in the order in which they are written.
pub fn inside(step: &Step) -> Vec<&[StepIx]> {
    match &step.verb {
        Verb::Group(body) | Verb::Repeat { body, .. } => vec![body],
        Verb::Each(each) => vec![&each.body],
        Verb::Choose(branches) => branches.iter().map(|branch| branch.body.as_slice()).collect(),
        Verb::Parallel { branches, .. } => branches.iter().map(|(_, body)| body.as_slice()).collect(),
        Verb::Wait(wait) => match &wait.what {
            WaitFor::Until { probe: Some(probe), .. } => vec![std::slice::from_ref(probe)],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::check::{Catalogue, CheckOptions, check};
    use crate::diagnostic::Source;
    use crate::document::{Document, load};

    #[test]
    fn a_step_has_one_number_wherever_it_is_reached() {
        let texts = [
            "name: main
steps:
- {id: plain, exec: [a], undo: {id: back, exec: [b]}, verify: {id: look, exec: [c], effect: read}}
- group: [{id: inside, exec: [a], undo: [{id: first, exec: [b]}, {group: [{id: second, exec: [b]}]}]}]
- id: many
  each: {in: '[1, 2]', steps: [{id: item, exec: [a], effect: read}]}
- choose: [{when: 1 == 1, steps: [{id: chosen, exec: [a], effect: read}]}, {otherwise: [{finish: {outcome: failed}}]}]
- {id: sub, call: sub@^1}
- {id: ready, wait: {until: true, within: 1m, probe: {id: probe, exec: [a], effect: read}}}
on_failure:
- {id: mend, exec: [a], effect: read}
finally:
- {id: last, exec: [a], effect: read}
",
            "name: sub
steps:
- group: [{id: go, approve: {question: Go?, within: 1h}}]
- {id: act, exec: [a], undo: {exec: [b]}}
",
        ];
        let procedures: Vec<_> = texts
            .iter()
            .map(|text| {
                let text = format!("apiVersion: runbook/v1\nkind: Runbook\nversion: 1.0.0\n{text}");
                match load(&Source::new("p.yaml", text)) {
                    (Some(Document::Procedure(procedure)), _) => *procedure,
                    (_, found) => panic!("{found:#?}"),
                }
            })
            .collect();
        let (plan, found) = check(&procedures[0], &Catalogue::new(&procedures, None), &CheckOptions::default());
        let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
        for (path, number) in [
            ("plain", "1"),
            ("plain~undo/back", "U1"),
            ("plain~verify[1]/look", "V1"),
            ("group-2", "2"),
            ("group-2/inside", "3"),
            ("group-2/inside~undo/first", "U3-1"),
            ("group-2/inside~undo/group-2", "U3-2"),
            ("group-2/inside~undo/group-2/second", "U3-3"),
            ("many[7]/item", "5"),
            ("choose-4", "6"),
            ("choose-4/chosen", "7"),
            ("choose-4/finish-1", "8"),
            ("sub", "9"),
            ("sub/group-1/go", "9.2"),
            ("sub/act~undo/exec-1", "9.U3"),
            ("ready", "10"),
            ("ready[3]/probe", "11"),
            ("~finally/last", "12"),
            ("~on_failure/mend", "13"),
        ] {
            assert_eq!(plan.number_at(&path.parse().unwrap()).as_deref(), Some(number), "{path}");
        }
    }
}
