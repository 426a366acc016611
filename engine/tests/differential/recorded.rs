//! A run that really happened, written down as a case of a test: the case loads, is in form, and passes with everything that was
//! expected of it.

use std::sync::Arc;

use runbook_core::Plan;
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::layout::lay_out;
use runbook_core::trial::{play, record};

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
    let trial = play(&test.cases[0], &source, plan);
    wrong.extend(trial.faults.iter().map(|fault| fault.message.clone()));
    // Only the run's own name comes out otherwise, and now and then the order of what ended in the same moment.
    let tolerated = |note: &String| note.contains("0000000000000000") || is_order(note);
    wrong.extend(recorded.notes.iter().filter(|note| !tolerated(note)).map(|note| format!("noted: {note}")));
    tally.runs += 1;
    tally.order += usize::from(recorded.notes.iter().any(|note| is_order(note)));
    if !wrong.is_empty() {
        wrong.push(format!("the case:\n{text}"));
    }
    wrong
}

fn is_order(note: &str) -> bool {
    ["the steps that began are other ones", "the changes that stay are other ones", "items failed; the first:"]
        .iter()
        .any(|order| note.contains(order))
}

/// How many runs were written down, and in how many of them the order of steps could not be.
#[derive(Debug, Default)]
pub struct Tally {
    runs: usize,
    order: usize,
}

impl Tally {
    pub fn assert_that_order_is_kept(&self) {
        assert!(self.order * 20 <= self.runs, "{self:?}");
    }
}
