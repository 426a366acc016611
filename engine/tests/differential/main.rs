//! What a dry run says, held against what really happens: generated procedures are predicted, and then really run by the real driver with
//! real processes, which note what they were given. Steps fail, are tried again, end unseen; people say yes and no. Not one claim
//! may be wrong:
//!
//! - a step that *would run* runs exactly so if the run comes to it, and one that *would be skipped* never runs;
//! - what was not foretold does not happen before something has failed; `on_failure`, undo, and what looks after an unknown end
//!   come only then;
//! - whoever a rule of the workspace asks before a step is named before, and is asked;
//! - a secret is shown by its name and stands in no record, and what ran was given its value;
//! - of what *cannot be known*, everything that is shown and is not a `‹name›` is so;
//! - a run that is written down as a case of a test passes as one, with everything that is expected of it;
//! - a run in which nothing failed went through every step that would run, to an outcome that was named.
//!
//! `DIFFERENTIAL_SEEDS=5000 cargo nextest run -p runbook-engine --test differential` tries more than the sample.

mod author;
mod compare;
mod real;
mod recorded;

use std::sync::Arc;

use runbook_core::Plan;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};

use compare::Tally;

/// Procedures where `DIFFERENTIAL_SEEDS` does not say.
const SAMPLE: u64 = 320;
const PARTS: u64 = 4;

/// The plan of a seed; `None` where what was written is no valid procedure.
fn plan_of(seed: u64) -> Option<(Arc<Plan>, String)> {
    let mut procedures = Vec::new();
    let texts = author::write(seed);
    let mut workspace = None;
    for (name, text) in ["main.yaml", "inner.yaml", "workspace.yaml"].into_iter().zip(&texts) {
        match load(&Source::new(name, text.clone())) {
            (Some(Document::Procedure(procedure)), _) => procedures.push(*procedure),
            (Some(Document::Workspace(found)), faults) if !faults.has_errors() => workspace = Some(*found),
            (_, faults) => panic!("seed {seed}: {faults:#?}\n{text}"),
        }
    }
    let (plan, _) = check(&procedures[0], &Catalogue::new(procedures.iter(), workspace.as_ref()), &CheckOptions::default());
    plan.map(|plan| (Arc::new(plan), texts.join("\n")))
}

/// Plays so many valid procedures, from a seed on.
fn part(number: u64) {
    let count = std::env::var("DIFFERENTIAL_SEEDS").ok().and_then(|given| given.parse().ok()).unwrap_or(SAMPLE).div_ceil(PARTS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut tally = Tally::default();
    let mut written_down = recorded::Tally::default();
    let (mut played, mut seed) = (0, number * 1_000_000);
    while played < count {
        seed += 1;
        let Some((plan, text)) = plan_of(seed) else { continue };
        played += 1;
        let happened = runtime.block_on(real::run(&plan, seed));
        let mut wrong = compare::compare(&plan, &happened, &mut tally);
        wrong.extend(recorded::wrong(&plan, &happened, &mut written_down));
        let written = || {
            serde_yaml::to_string(
                &serde_json::from_str::<serde_json::Value>(text.lines().next().unwrap_or_default()).unwrap_or_default(),
            )
        };
        assert!(
            wrong.is_empty(),
            "seed {seed}: {} wrong:\n{}\n\n{}\n{}",
            wrong.len(),
            wrong.join("\n"),
            written().unwrap_or_default(),
            text.lines().skip(1).collect::<Vec<_>>().join("\n"),
        );
    }
    println!("{played} of {} procedures: {tally:?} {written_down:?}", seed - number * 1_000_000);
    tally.assert_that_something_was_said(played);
    written_down.assert_that_order_is_kept();
}

// As many as keep all cores of a runner busy; each tries everything, on procedures of its own.

#[test]
fn every_claim_holds_a_first_quarter() {
    part(0);
}

#[test]
fn every_claim_holds_a_second_quarter() {
    part(1);
}

#[test]
fn every_claim_holds_a_third_quarter() {
    part(2);
}

#[test]
fn every_claim_holds_the_last_quarter() {
    part(3);
}

/// The seed that `DIFFERENTIAL_SEED` names.
#[test]
fn one_seed() {
    let Some(seed) = std::env::var("DIFFERENTIAL_SEED").ok().and_then(|given| given.parse().ok()) else { return };
    let Some((plan, text)) = plan_of(seed) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let happened = runtime.block_on(real::run(&plan, seed));
    let mut wrong = compare::compare(&plan, &happened, &mut Tally::default());
    wrong.extend(recorded::wrong(&plan, &happened, &mut recorded::Tally::default()));
    assert!(wrong.is_empty(), "{}\n{text}", wrong.join("\n"));
}
