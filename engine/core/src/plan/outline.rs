//! The steps of a plan in the order in which they are numbered, those of called procedures where they are called: what a run comes to where nothing
//! goes wrong. What follows a failure, takes a step back or looks at it is left out.

use super::number::inside;
use super::{Plan, Step, StepIx, Verb};

/// One step in its place.
#[derive(Clone, Debug)]
pub struct Outlined<'p> {
    pub number: String,
    pub step: &'p Step,
    /// How many steps it stands in.
    pub depth: usize,
}

impl Plan {
    /// At most so many of them, the first ones.
    pub fn outline(&self, most: usize) -> Vec<Outlined<'_>> {
        let main = self.main();
        let mut found = Vec::new();
        for list in [&main.body, &main.finally] {
            self.outline_of(list, &mut Vec::new(), 0, most, &mut found);
        }
        found
    }

    fn outline_of<'p>(
        &'p self,
        list: &[StepIx],
        calls: &mut Vec<StepIx>,
        depth: usize,
        most: usize,
        found: &mut Vec<Outlined<'p>>,
    ) {
        for ix in list {
            if found.len() >= most {
                return;
            }
            let step = self.step(*ix);
            found.push(Outlined { number: self.number(calls, *ix), step, depth });
            if let Verb::Call { procedure, .. } = &step.verb {
                let called = self.procedure(*procedure);
                calls.push(*ix);
                for list in [&called.body, &called.finally] {
                    self.outline_of(list, calls, depth + 1, most, found);
                }
                calls.pop();
            }
            for list in inside(step) {
                self.outline_of(list, calls, depth + 1, most, found);
            }
        }
    }
}
