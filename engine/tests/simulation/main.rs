//! The whole engine under simulation: sessions, drivers, people, clock and disk in virtual time, with everything that can go
//! wrong going wrong at random, from a seed. Runs are judged by what is promised ([`judge`]), from their exported records and
//! from what really happened, by code that knows nothing of the engine.
//!
//! ```sh
//! cargo nextest run -p runbook-engine --test simulation                 # a sample
//! SIMULATION_SEEDS=20000 cargo nextest run --cargo-profile simulation -p runbook-engine --test simulation
//! SIMULATION_SEED=1234 cargo test -p runbook-engine --test simulation one_seed -- --nocapture
//! SIMULATION_FROM=1000000 cargo test --profile simulation -p runbook-engine --test simulation endless -- --ignored --nocapture
//! ```

mod author;
mod book;
mod dice;
mod disk;
mod itself;
mod judge;
mod people;
mod process;
mod scenario;
mod seen;
mod shrink;
mod simulate;
mod time;
mod world;

use std::cell::RefCell;
use std::sync::Arc;

use runbook_core::Plan;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};

use book::Book;
use judge::Line;
use scenario::{SHARED, Scenario};
use seen::Seen;

/// Seeds of each part of the suite, where `SIMULATION_SEEDS` does not say: a sample. `tests/all.sh` asks for more.
const SAMPLE: u64 = 40;
/// So many seeds must have shown everything that can happen.
const ENOUGH: u64 = 2_000;
const PARTS: u64 = 8;
/// Attempts to make a failing scenario smaller, where `SIMULATION_SHRINK` does not say; more would only try the patience of whoever
/// waits.
const TRIALS: u64 = 3_000;

/// The plan of a book; `Err` where the engine does not take it.
fn plan_of(book: &Book) -> Result<Arc<Plan>, String> {
    let mut procedures = Vec::new();
    let mut workspace = None;
    for (place, text) in book.files().iter().enumerate() {
        let source = Source::new(format!("file{place}.yaml"), text.to_string());
        let (document, found) = load(&source);
        match document {
            Some(Document::Procedure(procedure)) => procedures.push(*procedure),
            Some(Document::Workspace(read)) => workspace = Some(*read),
            _ => return Err(format!("{found:#?}")),
        }
    }
    let catalogue = Catalogue::new(procedures.iter(), workspace.as_ref());
    let (plan, found) = check(&procedures[0], &catalogue, &CheckOptions::default());
    plan.map(Arc::new).ok_or_else(|| format!("{found:#?}\n{:#}", book.files()[0]))
}

/// The procedure of the last seed.
type Last = (u64, Arc<Book>, Arc<Plan>);

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

fn book_of(seed: u64) -> (Arc<Book>, Arc<Plan>) {
    let which = seed / SHARED;
    LAST.with_borrow_mut(|last| {
        if let Some((of, book, plan)) = last.as_ref()
            && *of == which
        {
            return (book.clone(), plan.clone());
        }
        let book = Arc::new(Scenario::book(seed));
        let plan = plan_of(&book).unwrap_or_else(|why| panic!("seed {seed}: the engine does not take the procedure: {why}"));
        *last = Some((which, book.clone(), plan.clone()));
        (book, plan)
    })
}

/// Plays a scenario and judges it; gives what is wrong, and the records.
fn play(scenario: &Scenario, plan: &Arc<Plan>, seen: &mut Seen) -> (Vec<String>, Vec<Vec<Line>>) {
    match simulate::simulate(scenario, plan) {
        Ok(history) => {
            let (wrong, records) = judge::judge(scenario, &history);
            seen.count(scenario, &history, &records);
            (wrong, records)
        }
        Err(why) => (vec![why], Vec::new()),
    }
}

/// Plays a seed. Where it breaks a promise, the smallest scenario that does is told.
fn try_seed(seed: u64, seen: &mut Seen) {
    let (book, plan) = book_of(seed);
    let scenario = Scenario::of(seed, &book);
    let (wrong, _) = play(&scenario, &plan, seen);
    if !wrong.is_empty() {
        panic!("{}", failure(scenario, &wrong));
    }
}

fn failure(scenario: Scenario, wrong: &[String]) -> String {
    let seed = scenario.seed;
    let trials = given("SIMULATION_SHRINK").unwrap_or(TRIALS);
    let small = shrink::shrink(scenario, trials, |scenario| {
        plan_of(&scenario.book).is_ok_and(|plan| !play(scenario, &plan, &mut Seen::default()).0.is_empty())
    });
    let plan = plan_of(&small.book).unwrap_or_else(|why| panic!("{why}"));
    let (still, records) = play(&small, &plan, &mut Seen::default());
    let mut text =
        format!("seed {seed} breaks a promise: {}\n\nthe smallest that does: {}\n\n", wrong.join("; "), still.join("; "));
    for file in small.book.files() {
        if file["kind"] == "Runbook" {
            text.push_str(&serde_yaml::to_string(&file).unwrap_or_default());
            text.push('\n');
        }
    }
    let Scenario { n, stepwise, part, runs, unkind, patient, wild, .. } = &small;
    let Scenario { strikes, troubles, jumps, rivals, parks, meddling, aheads, .. } = &small;
    text.push_str(&format!(
        "input n: {n}, stepwise: {stepwise}, part: {part:?}, runs: {runs}, unkind: {unkind}, patient: {patient}, wild: {wild}\n"
    ));
    text.push_str(&format!("strikes: {strikes:?}\ntroubles: {troubles:?}\njumps: {jumps:?}\n"));
    text.push_str(&format!(
        "rivals: {rivals:?}\nparks: {parks:?}\nmeddling: {meddling:?}\naheads: {aheads:?}\n\nthe last events:\n"
    ));
    for lines in records {
        for line in lines.iter().rev().take(40).rev() {
            let body: String = line.body.to_string().chars().take(160).collect();
            text.push_str(&format!("{:>4} {} {} {body}\n", line.seq, line.at, line.kind));
        }
    }
    text.push_str(&format!(
        "\nagain with: SIMULATION_SEED={seed} cargo test -p runbook-engine --test simulation one_seed -- --nocapture\n"
    ));
    text
}

/// A number that the environment gives.
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One part of the suite's seeds. Each begins with a procedure of its own.
fn part(number: u64) {
    let mut seen = Seen::default();
    let count = given("SIMULATION_SEEDS").map_or(SAMPLE, |all| all.div_ceil(PARTS)).next_multiple_of(SHARED);
    for seed in number * count..(number + 1) * count {
        try_seed(seed, &mut seen);
    }
    println!("{}", seen.told());
    if count >= ENOUGH {
        seen.assert_everything_happened();
    }
}

macro_rules! parts {
    ($($name:ident $number:literal),*) => { $(#[test] fn $name() { part($number); })* };
}

// As many as keep all cores of a runner busy.
parts!(part_0 0, part_1 1, part_2 2, part_3 3, part_4 4, part_5 5, part_6 6, part_7 7);

/// The seed that `SIMULATION_SEED` names.
#[test]
fn one_seed() {
    let Some(seed) = given("SIMULATION_SEED") else { return };
    let mut seen = Seen::default();
    try_seed(seed, &mut seen);
    println!("{}", seen.told());
}

/// Without end: from `SIMULATION_FROM` on, with a line for each thousand seeds.
#[test]
#[ignore = "it never ends; run it at night"]
fn endless() {
    let from = given("SIMULATION_FROM").unwrap_or(1_000_000);
    let mut seen = Seen::default();
    for seed in from.. {
        try_seed(seed, &mut seen);
        if (seed + 1) % 1_000 == 0 {
            println!("seeds up to {seed} keep what is promised\n{}", seen.told());
        }
    }
}
