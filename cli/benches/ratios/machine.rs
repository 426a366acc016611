//! Rows of the core alone: the state machine, checking, expressions. Nothing here touches a disk.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::expr::{Expression, Names};
use runbook_core::plan::Origin;
use runbook_core::run::event::{AttemptEnd, Identity, Means, Part, RunStarted};
use runbook_core::{Event, Fact, Map, Plan, Run, RunId, Value};

use crate::{PAIRS, Reach, Row, fastest, median, paired, procedure, processor_time};

pub fn plan(text: &str) -> Arc<Plan> {
    let source = Source::new("bench.yaml", text);
    let (document, diagnostics) = load(&source);
    let Some(Document::Procedure(procedure)) = document else { panic!("{diagnostics:?}") };
    let (plan, diagnostics) = check(&procedure, &Catalogue::new([&*procedure], None), &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{diagnostics:?}")))
}

pub fn started(plan: &Plan) -> RunStarted {
    let operator = Identity { person: "operator".to_owned(), means: Means::Engine };
    RunStarted {
        procedure: plan.main().name.clone(),
        version: plan.main().version,
        plan: plan.digest().expect("a digest"),
        semantics: plan.semantics,
        inputs: Map::new(),
        event: None,
        environment: None,
        requested_by: operator,
        seed: 1,
        part: Part::Whole,
        stepwise: false,
        catalogue: None,
        lock: None,
        root: None,
    }
}

/// Runs a plan through the machine alone; gives its events and when each was applied.
pub fn machine(plan: &Arc<Plan>) -> (Vec<Event>, Vec<Duration>) {
    use runbook_core::run::Command as Wanted;
    let now = Timestamp::UNIX_EPOCH;
    let id = RunId::from_parts(1, 1);
    let mut run = Run::new(plan.clone());
    let mut events = Vec::new();
    let mut took = Vec::new();
    let mut queue = std::collections::VecDeque::new();
    let start = Instant::now();
    let mut next = Some(Fact::RunStarted(Box::new(started(plan))));
    while let Some(fact) = next.take() {
        let event = Event { run: id.clone(), seq: run.seq() + 1, at: now, fact };
        queue.extend(run.apply(&event).expect("a legal event"));
        events.push(event);
        took.push(start.elapsed());
        while let Some(command) = queue.pop_front() {
            next = match command {
                Wanted::Resolve { path } => run.resolve(&path, now),
                Wanted::Conclude { path } => run.conclude(&path, now),
                Wanted::Judge { path, .. } => run.judge(&path, now),
                Wanted::Finish { outcome } => Some(Fact::RunFinished { outcome }),
                Wanted::Perform { path, attempt } => {
                    let begun = Fact::AttemptStarted { path: path.clone(), attempt };
                    let event = Event { run: id.clone(), seq: run.seq() + 1, at: now, fact: begun };
                    queue.extend(run.apply(&event).expect("a legal event"));
                    events.push(event);
                    took.push(start.elapsed());
                    Some(Fact::AttemptFinished { path, attempt, end: AttemptEnd::Succeeded { result: Value::Null } })
                }
                _ => None,
            };
            if next.is_some() {
                break;
            }
        }
    }
    assert!(run.outcome().is_some(), "the run has not ended");
    (events, took)
}

pub fn pure_steps(_: &Path) -> Row {
    let steps =
        "- {set: {x: 1 + 1}}\n- {check: [{that: 1 < 2}]}\n- choose: [{when: 1 < 2, steps: [{set: {y: 2}}]}]\n".repeat(1_000);
    let plan = plan(&procedure(&steps));
    let rates = (0..PAIRS).map(|_| {
        let start = processor_time();
        machine(&plan);
        4.0 / (processor_time() - start).as_secs_f64()
    });
    let measured = Some(median(rates.collect()));
    Row {
        what: "pure steps in one run",
        against: "a second of processor time",
        measured,
        unit: "k/s",
        reach: Reach::AtLeast(100.0),
    }
}

pub fn late_step(_: &Path) -> Row {
    let plan = plan(&procedure(&"- {set: {x: 1 + 1}}\n".repeat(9_999)));
    let ratios = (0..PAIRS).map(|_| {
        let (_, took) = machine(&plan);
        let span = |from: usize| (took[from + 2_000] - took[from]).as_secs_f64();
        span(took.len() - 2_001) / span(2_000)
    });
    let measured = Some(median(ratios.collect()));
    Row { what: "the 10,000th step", against: "the 1,000th to 2,000th", measured, unit: "×", reach: Reach::AtMost(1.25) }
}

pub fn replay(_: &Path) -> Row {
    let plan = plan(&procedure(&"- {exec: [\"true\"], idempotent: true}\n".repeat(9_999)));
    let (events, _) = machine(&plan);
    let times = (0..PAIRS).map(|_| {
        let start = processor_time();
        Run::replay(plan.clone(), &events).expect("it replays");
        (processor_time() - start).as_secs_f64() * 1e3
    });
    let measured = Some(fastest(times.collect()));
    Row {
        what: "replay of 10,000 steps",
        against: "processor time, machine alone",
        measured,
        unit: "ms",
        reach: Reach::AtMost(100.0),
    }
}

pub fn check_many(_: &Path) -> Row {
    let text = procedure(
        "- {id: a, run: \"echo {{run.id}}\", effect: read, outputs: {word: result.stdout.trim()}}\n- {id: b, if: steps.a.word == \"x\", exec: [echo, \"{{steps.a.word}}\"], undo: {exec: [echo]}}\n- {id: c, approve: {question: \"Really {{steps.a.word}}?\"}}\n",
    );
    let measured = Some(paired(
        || {
            for _ in 0..1_000 {
                plan(&text);
            }
        },
        || {
            for _ in 0..1_000 {
                let events = granit_parser::Parser::new_from_str(&text);
                assert!(events.into_iter().all(|event| event.is_ok()));
            }
        },
    ));
    Row {
        what: "check of 1,000 procedures",
        against: "parsing their YAML events alone",
        measured,
        unit: "×",
        reach: Reach::AtMost(5.0),
    }
}

pub fn check_large(_: &Path) -> Row {
    let steps = |n: usize| procedure(&"- {exec: [\"true\"], idempotent: true}\n".repeat(n));
    let (small, large) = (steps(250), steps(2_000));
    let measured = Some(paired(|| drop(plan(&large)), || (0..8).for_each(|_| drop(plan(&small)))));
    Row { what: "check of 2,000 steps", against: "8 × check of 250 steps", measured, unit: "×", reach: Reach::AtMost(1.25) }
}

struct Nothing;

impl Names for Nothing {
    fn value(&self, root: &str, _member: Option<&str>) -> Result<Value, String> {
        Err(format!("there is no `{root}`"))
    }
}

pub fn cached_expression(_: &Path) -> Row {
    let source = "1 + 2 * 3 < 8 && \"web-1\".starts_with(\"web\") && [1, 2, 3].len() == 3";
    let parse = || Expression::parse(source, Origin::default()).expect("it parses");
    let cached = parse();
    let rounds = 10_000;
    let measured = Some(paired(
        || (0..rounds).for_each(|_| drop(cached.evaluate(&Nothing).expect("a value"))),
        || (0..rounds).for_each(|_| drop(parse().evaluate(&Nothing).expect("a value"))),
    ));
    Row { what: "evaluation of an expression", against: "parsing it each time", measured, unit: "×", reach: Reach::AtMost(1.0) }
}
