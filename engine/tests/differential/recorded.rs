//! A run that really happened, written down as a case of a test: the case loads, is in form, passes with everything that was expected
//! of it, and what a dry run with it says is what happened.

use std::sync::Arc;

use runbook_core::Plan;
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::layout::lay_out;
use runbook_core::run::Fact;
use runbook_core::trial::{play, predict, record};

use crate::compare;
use crate::real::Happened;

pub fn wrong(plan: &Arc<Plan>, happened: &Happened, tally: &mut Tally) -> Vec<String> {
    let recorded = match record(plan, &happened.events, "as it was") {
        Ok(recorded) => recorded,
        Err(why) => return vec![format!("it cannot be recorded: {why}")],
    };
    let text = format!("apiVersion: runbook/v1\nkind: Test\nprocedure: main\ncases:\n{}", recorded.item);
    let source = Source::new("main.test.yaml", text.as_str());
    let (Some(Document::Test(test)), found) = load(&source) else { return vec![format!("it does not load:\n{text}")] };
    let mut wrong: Vec<String> = found.into_sorted().iter().map(|fault| fault.message.clone()).collect();
    if lay_out(&source).ok().as_deref() != Some(text.as_str()) {
        wrong.push("it is not in form".to_owned());
    }
    let case = &test.cases[0];
    match predict(&case.with(&test.defaults), plan) {
        Ok(dry) => {
            let claims = compare::held(&dry, plan, happened, &mut compare::Tally::default());
            wrong.extend(claims.into_iter().map(|claim| format!("with the case: {claim}")));
        }
        Err(why) => wrong.push(format!("it cannot be predicted: {why}")),
    }
    let trial = play(case, &source, plan);
    wrong.extend(trial.faults.iter().map(|fault| fault.message.clone()));
    // The run's own name comes out otherwise, and now and then what rests on the order of things that ended in the same moment. What
    // a program said of a secret is masked, and that is told.
    let own = |note: &&String| !note.contains("0000000000000000") && !note.contains("where the record masks a secret");
    let notes: Vec<&String> = recorded.notes.iter().filter(own).collect();
    tally.runs += 1;
    tally.unordered += usize::from(!notes.is_empty());
    let at_once = happened.events.iter().any(|event| match &event.fact {
        Fact::StepResolved { path, .. } => path.as_str().contains(['.', '[']),
        _ => false,
    });
    if !at_once {
        wrong.extend(notes.into_iter().map(|note| format!("noted: {note}")));
    }
    if !wrong.is_empty() {
        wrong.push(format!("the case:\n{text}"));
    }
    wrong
}

/// How many runs were written down, and how many of them not in the order in which they happened.
#[derive(Debug, Default)]
pub struct Tally {
    runs: usize,
    unordered: usize,
}

impl Tally {
    pub fn assert_that_order_is_kept(&self) {
        assert!(self.unordered * 10 <= self.runs, "{self:?}");
    }
}
