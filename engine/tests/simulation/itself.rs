//! The simulation is tested like anything else: a seed always plays the same, what fails is made small, and whoever reads of a
//! failure is told how to play it again. What the simulation found is kept here as the scenario that it made of it.

use std::sync::Arc;

use crate::book::{Book, People, Procedure, Step, Verb};
use crate::judge::Line;
use crate::scenario::{Early, Part, Scenario, Trouble, Who};
use crate::seen::Seen;
use crate::{TRIALS, book_of, failure, plan_of, play, shrink, simulate};

/// A scenario of one procedure in which nothing breaks.
fn calm(steps: Vec<Step>) -> Scenario {
    let (lock, timeout, on_failure, finally) = (false, None, Vec::new(), Vec::new());
    let main = Procedure { name: "main", lock, timeout, steps, on_failure, finally };
    let book = Book { procedures: vec![main], gate: None, four_eyes: false };
    Scenario {
        seed: 7,
        book: Arc::new(book),
        n: 2,
        stepwise: false,
        part: Part::Whole,
        runs: 1,
        unkind: 20,
        patient: false,
        strikes: Vec::new(),
        troubles: Vec::new(),
        jumps: Vec::new(),
        rivals: Vec::new(),
        parks: Vec::new(),
        meddling: Vec::new(),
        aheads: Vec::new(),
        wild: false,
    }
}

fn played(scenario: &Scenario) -> Vec<Vec<Line>> {
    let (wrong, records) = play(scenario, &plan_of(&scenario.book).unwrap(), &mut Seen::default());
    assert!(wrong.is_empty(), "{wrong:?}");
    records
}

#[test]
fn a_seed_always_plays_the_same() {
    let mut struck = 0;
    for seed in (0..400).step_by(13) {
        let histories: Vec<simulate::History> = (0..2)
            .map(|_| {
                let book = Arc::new(Scenario::book(seed));
                let scenario = Scenario::of(seed, &book);
                struck += scenario.strikes.len();
                simulate::simulate(&scenario, &plan_of(&book).unwrap()).unwrap()
            })
            .collect();
        assert_eq!(histories[0].exports, histories[1].exports, "the records of seed {seed}");
        assert_eq!(format!("{:?}", histories[0]), format!("{:?}", histories[1]), "what happened in seed {seed}");
    }
    assert!(struck > 20, "of crashes, cuts and freezes there were {struck}");
}

/// What fails here is any procedure with an `each`, so that nothing else may be left.
#[test]
fn what_fails_is_made_small() {
    let holds_each = |scenario: &Scenario| scenario.book.by_id().values().any(|step| matches!(step.verb, Verb::Each { .. }));
    let large = |scenario: &Scenario| scenario.book.by_id().len() > 20 && scenario.strikes.len() > 2 && scenario.meddling.len() > 1;
    let mut scenarios = (0..10_000).map(|seed| Scenario::of(seed, &book_of(seed).0));
    let scenario = scenarios.find(|scenario| holds_each(scenario) && large(scenario)).unwrap();
    let fails = |scenario: &Scenario| holds_each(scenario) && plan_of(&scenario.book).is_ok();
    let small = shrink::shrink(scenario, TRIALS, fails);
    assert!(fails(&small));
    assert!(small.is_calm() && small.meddling.is_empty() && small.rivals.is_empty() && small.runs == 1, "{small:?}");
    let steps = small.book.by_id();
    assert_eq!((small.book.procedures.len(), steps.len()), (1, 2), "an `each` and the step in it: {:?}", steps.keys());
    let items = steps.values().find_map(|step| if let Verb::Each { items, .. } = step.verb { Some(items) } else { None });
    assert_eq!(items, Some(1));
}

#[test]
fn a_failure_says_how_to_play_it_again() {
    let scenario = calm(vec![Step::new("set1".to_owned(), Verb::Set("inputs.n".to_owned()))]);
    let told = failure(scenario, &["as thought out".to_owned()]);
    for part in [
        "seed 7 breaks a promise: as thought out\n",
        "id: set1",
        "run_finished",
        "\nagain with: SIMULATION_SEED=7 cargo test -p runbook-engine --test simulation one_seed -- --nocapture\n",
    ] {
        assert!(told.contains(part), "`{part}` in {told}");
    }
}

/// The disk is slow just when the approval is spent, so that the vote would come after its end, or after that of the question.
#[test]
fn an_approval_that_expires_while_it_is_spent_is_no_vote() {
    for (within, lasts, votes) in [(60_000, 60_000, 1), (60_000, 1_000, 0), (5_000, 60_000, 0)] {
        let (from, on_timeout) = (Some("ops"), "fail");
        let asks = People { from, count: 1, within: Some(within), on_timeout, not_requester: false };
        let mut scenario = calm(vec![Step::new("approve1".to_owned(), Verb::Approve(asks))]);
        scenario.troubles.push((Who::Engine(1), 2, Trouble::Slow(12_000)));
        scenario.aheads.push(Early { at: 0, who: "bob", step: "approve1".to_owned(), uses: 1, lasts, n: None });
        let records = played(&scenario);
        let ahead = records.iter().flatten().filter(|line| !line.body["vote"]["ahead"].is_null()).count();
        assert_eq!(ahead, votes, "of a question with {within} ms and an approval with {lasts} ms");
    }
}

/// Two runs find the last use, and the one that is first to look is last to spend it.
#[test]
fn of_two_runs_that_spend_the_last_use_one_has_it() {
    let asks = People { from: Some("ops"), count: 1, within: None, on_timeout: "fail", not_requester: false };
    let mut scenario = calm(vec![Step::new("approve1".to_owned(), Verb::Approve(asks))]);
    scenario.runs = 2;
    scenario.troubles.push((Who::Engine(1), 2, Trouble::Slow(12_000)));
    scenario.aheads.push(Early { at: 0, who: "bob", step: "approve1".to_owned(), uses: 1, lasts: 100_000, n: None });
    let with_ahead = |record: &Vec<Line>| record.iter().filter(|line| !line.body["vote"]["ahead"].is_null()).count();
    assert_eq!(played(&scenario).iter().map(with_ahead).collect::<Vec<_>>(), [0, 1]);
}
