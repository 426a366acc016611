//! The numbers of steps, the same wherever a step is shown: a run, its dry run, its record, a request for a decision, the printed manual.
//!
//! The steps of a procedure are numbered from 1 in the order in which they are written: its body, then `finally`, then `on_failure`,
//! each step before those inside it. What is called keeps its own numbers behind that of the call (`5.3`). What takes step 4 back is
//! `U4`, or `U4-1`, `U4-2` and so on; the look whether step 4 took place is `V4`, and whether `U4-1` did `VU4-1`. Items and rounds share
//! the number of their step.

use std::sync::{Arc, OnceLock};

use super::{Plan, Step, StepIx, Verb, Verify, WaitFor};
use crate::id::StepPath;

/// The numbers of a plan, made when one is first asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(OnceLock<Arc<[String]>>);

impl Plan {
    /// The number of a step that is reached through these calls, the outermost first.
    pub fn number(&self, calls: &[StepIx], step: StepIx) -> String {
        let numbers = self.numbers.0.get_or_init(|| Writer::whole(self));
        let number = |ix: &StepIx| numbers.get(ix.0 as usize).map_or("", String::as_str);
        calls.iter().chain([&step]).map(number).collect::<Vec<_>>().join(".")
    }

    /// The number of the step that a path addresses.
    pub fn number_at(&self, path: &StepPath) -> Option<String> {
        self.found_at(path).map(|(calls, step)| self.number(&calls, step))
    }
}

/// Where a number stands among others, for sorting: what takes a step back, and what looks at it, comes right behind it; what has no
/// number comes last.
pub(crate) fn order(number: &str) -> Vec<[u32; 4]> {
    if number.is_empty() {
        return vec![[u32::MAX; 4]];
    }
    let part = |part: &str| {
        let digits = part.trim_start_matches(['V', 'U']);
        let letters = part.strip_suffix(digits).unwrap_or_default();
        let (step, of) = digits.split_once('-').unwrap_or((digits, "0"));
        let number = |text: &str| text.parse().unwrap_or(u32::MAX);
        [number(step), u32::from(letters.ends_with('U')), number(of), u32::from(letters.starts_with('V'))]
    };
    number.split('.').map(part).collect()
}

struct Writer<'p> {
    plan: &'p Plan,
    /// Within the procedure that a step stands in.
    numbers: Vec<String>,
    last: u32,
}

impl Writer<'_> {
    fn whole(plan: &Plan) -> Arc<[String]> {
        let mut writer = Writer { plan, numbers: vec![String::new(); plan.steps.len()], last: 0 };
        for procedure in &plan.procedures {
            writer.last = 0;
            for list in [&procedure.body, &procedure.finally, &procedure.on_failure] {
                writer.list(list);
            }
        }
        writer.numbers.into()
    }

    fn list(&mut self, list: &[StepIx]) {
        for ix in list {
            self.last += 1;
            self.put(*ix, self.last.to_string());
            inside(self.plan.step(*ix)).into_iter().for_each(|list| self.list(list));
        }
    }

    /// Numbers a step, what looks whether it took place, and what takes it back.
    fn put(&mut self, ix: StepIx, number: String) {
        let step = self.plan.step(ix);
        if let Some(Verify::Step(look)) = &step.verify {
            self.beside('V', std::slice::from_ref(look), &number);
        }
        self.beside('U', &step.undo, &number);
        if let Some(slot) = self.numbers.get_mut(ix.0 as usize) {
            *slot = number;
        }
    }

    fn beside(&mut self, letter: char, list: &[StepIx], of: &str) {
        let mut steps = Vec::new();
        self.all(list, &mut steps);
        let alone = steps.len() == 1;
        for (part, ix) in (1..).zip(steps) {
            let number = if alone { format!("{letter}{of}") } else { format!("{letter}{of}-{part}") };
            self.put(ix, number);
        }
    }

    /// Every step of a list, in the order in which they are written.
    fn all(&self, list: &[StepIx], found: &mut Vec<StepIx>) {
        for ix in list {
            found.push(*ix);
            inside(self.plan.step(*ix)).into_iter().for_each(|list| self.all(list, found));
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
- group: [{id: inside, exec: [a], undo: [{id: first, exec: [b], verify: {id: there, exec: [c], effect: read}}, {group: [{id: second, exec: [b]}]}]}]
- id: many
  each: {in: '[1, 2]', steps: [{id: item, exec: [a], effect: read}]}
- choose: [{when: 1 == 1, steps: [{id: chosen, exec: [a], effect: read}]}, {otherwise: [{finish: {outcome: failed}}]}]
- {id: sub, call: sub@^1}
- {id: ready, wait: {until: true, within: 1m, probe: {id: probe, exec: [a], effect: read}}}
- {id: seen, exec: [a], verify: {id: wait, wait: {until: true, within: 1m, probe: {id: eye, exec: [a], effect: read}}}}
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
            ("group-2/inside~undo/first~verify[1]/there", "VU3-1"),
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
            ("seen~verify[1]/wait", "V12-1"),
            ("seen~verify[1]/wait[1]/eye", "V12-2"),
            ("~finally/last", "13"),
            ("~on_failure/mend", "14"),
        ] {
            assert_eq!(plan.number_at(&path.parse().unwrap()).as_deref(), Some(number), "{path}");
        }
        let sorted = ["1", "V1", "U1", "VU1", "2", "U2-1", "VU2-1", "U2-2", "9", "9.1", "9.2", "9.U2", "9.10", "10", "11", ""];
        assert!(sorted.is_sorted_by_key(|number| super::order(number)), "{:?}", sorted.map(super::order));
        let numbers = super::Writer::whole(&plan);
        assert!(numbers.iter().all(|number| !number.is_empty()), "{numbers:?}");
    }
}
