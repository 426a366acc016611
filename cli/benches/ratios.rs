//! One table of ratios, each measured within this run against what it names: `cargo bench --bench ratios`.
//!
//! Machines are noisy and disks noisier, so nothing here is a time: each figure is the median of pairs that ran one right
//! after the other. A row whose rival is not installed says so.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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

const RUNBOOK: &str = env!("CARGO_BIN_EXE_runbook");
const PAIRS: usize = 7;

struct Row {
    what: &'static str,
    against: String,
    ratio: String,
    reach: &'static str,
}

fn main() {
    let folder = scratch();
    let rows = [
        one_step(&folder),
        two_hundred_steps(&folder),
        fan_out(&folder),
        output(&folder),
        pure_steps(),
        late_step(),
        replay(),
        check_many(),
        check_large(),
        cached_expression(),
    ];
    let wide = |cells: [&str; 4]| println!("{:<34} {:<44} {:>12}  {}", cells[0], cells[1], cells[2], cells[3]);
    wide(["what", "against", "measured", "reach"]);
    for row in &rows {
        wide([row.what, &row.against, &row.ratio, row.reach]);
    }
    // Removing what this program made; a leftover would do no harm.
    let _ = fs::remove_dir_all(&folder);
}

fn scratch() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("runbook-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a scratch folder");
    folder
}

/// The median of the pairwise ratios of two things, each done once before it counts.
fn paired(mut ours: impl FnMut(), mut theirs: impl FnMut()) -> f64 {
    ours();
    theirs();
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    let ratios = (0..PAIRS).map(|_| time(&mut ours).as_secs_f64() / time(&mut theirs).as_secs_f64()).collect();
    median(ratios)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn quiet(program: &str, arguments: &[&str], folder: &Path) {
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it starts");
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

fn installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

fn procedure(steps: &str) -> String {
    format!("apiVersion: runbook/v1\nkind: Runbook\nname: bench\nversion: 1.0.0\nsteps:\n{steps}")
}

/// A procedure file and an empty state folder for it.
fn prepared(folder: &Path, name: &str, steps: &str) -> (String, String) {
    let file = folder.join(format!("{name}.yaml"));
    fs::write(&file, procedure(steps)).expect("a file");
    let state = folder.join(format!("{name}-state"));
    fs::create_dir_all(&state).expect("a folder");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("only ours");
    (file.to_string_lossy().into_owned(), state.to_string_lossy().into_owned())
}

fn exec(folder: &Path, (file, state): &(String, String)) {
    quiet(RUNBOOK, &["exec", file, "--state", state, "--yes"], folder);
}

fn one_step(folder: &Path) -> Row {
    let ours = prepared(folder, "one", "- {exec: [\"true\"], effect: read}\n");
    fs::write(folder.join("justfile"), "one:\n    @true\n").expect("a file");
    let (against, ratio) = if installed("just") {
        ("just, the same step".to_owned(), paired(|| exec(folder, &ours), || quiet("just", &["one"], folder)))
    } else {
        ("sh -c true (just is not installed)".to_owned(), paired(|| exec(folder, &ours), || quiet("sh", &["-c", "true"], folder)))
    };
    Row { what: "one step, whole process", against, ratio: times(ratio), reach: "≤ 3× just" }
}

fn two_hundred_steps(folder: &Path) -> Row {
    let ours = prepared(folder, "many", &"- {exec: [\"true\"], idempotent: true}\n".repeat(200));
    let file = folder.join("synced");
    let ratio = paired(
        || exec(folder, &ours),
        || {
            let mut file = File::create(&file).expect("a file");
            for _ in 0..200 {
                quiet("true", &[], folder);
                file.write_all(b"done\n").expect("a line");
                file.sync_data().expect("a sync");
            }
        },
    );
    Row {
        what: "200 durable steps in sequence",
        against: "200 × spawn and fdatasync in a loop".to_owned(),
        ratio: times(ratio),
        reach: "≤ 1.3×",
    }
}

fn fan_out(folder: &Path) -> Row {
    let items: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let steps =
        format!("- each: {{in: \"[{}]\", max_parallel: 16, steps: [{{exec: [\"true\"], idempotent: true}}]}}\n", items.join(", "));
    let ours = prepared(folder, "fan", &steps);
    let targets: Vec<String> = items.iter().map(|n| format!("t{n}")).collect();
    let list = targets.join(" ");
    fs::write(folder.join("Makefile"), format!("all: {list}\n.PHONY: {list}\n{list}:\n\t@/bin/true\n")).expect("a file");
    if !installed("make") {
        return Row {
            what: "fan-out of 200, 16 at a time",
            against: "make is not installed".to_owned(),
            ratio: "–".to_owned(),
            reach: "≤ 1.5×",
        };
    }
    let ratio = paired(|| exec(folder, &ours), || quiet("make", &["-j16", "all"], folder));
    Row { what: "fan-out of 200, 16 at a time", against: "make -j16".to_owned(), ratio: times(ratio), reach: "≤ 1.5×" }
}

fn output(folder: &Path) -> Row {
    let source = folder.join("output");
    fs::write(&source, vec![b'x'; 200 * 1024 * 1024]).expect("a file");
    let ours = prepared(folder, "output", &format!("- {{exec: [cat, {}], effect: read}}\n", source.display()));
    let copy = folder.join("copy");
    let ratio = paired(
        || exec(folder, &ours),
        || {
            let file = File::create(&copy).expect("a file");
            let mut child = Command::new("cat").arg(&source).stdout(Stdio::piped()).spawn().expect("cat starts");
            std::io::copy(&mut child.stdout.take().expect("a pipe"), &mut &file).expect("it is copied");
            child.wait().expect("cat ends");
            file.sync_data().expect("a sync");
        },
    );
    Row {
        what: "a step that prints 200 MB", against: "cat | file, one fdatasync".to_owned(), ratio: times(ratio), reach: "≤ 1.3×"
    }
}

fn plan(text: &str) -> Arc<Plan> {
    let source = Source::new("bench.yaml", text);
    let (document, diagnostics) = load(&source);
    let Some(Document::Procedure(procedure)) = document else { panic!("{diagnostics:?}") };
    let (plan, diagnostics) = check(&procedure, &Catalogue::new([&*procedure], None), &CheckOptions::default());
    Arc::new(plan.unwrap_or_else(|| panic!("{diagnostics:?}")))
}

fn started(plan: &Plan) -> RunStarted {
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
fn machine(plan: &Arc<Plan>) -> (Vec<Event>, Vec<Duration>) {
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

fn pure_steps() -> Row {
    let steps =
        "- {set: {x: 1 + 1}}\n- {check: [{that: 1 < 2}]}\n- choose: [{when: 1 < 2, steps: [{set: {y: 2}}]}]\n".repeat(1_000);
    let plan = plan(&procedure(&steps));
    let rates = (0..PAIRS).map(|_| {
        let start = Instant::now();
        machine(&plan);
        4_000.0 / start.elapsed().as_secs_f64()
    });
    let rate = median(rates.collect());
    Row {
        what: "pure steps in one run",
        against: "a second of this machine".to_owned(),
        ratio: format!("{:.0} k/s", rate / 1e3),
        reach: "≥ 100 k/s",
    }
}

fn late_step() -> Row {
    let plan = plan(&procedure(&"- {set: {x: 1 + 1}}\n".repeat(9_999)));
    let ratios = (0..PAIRS).map(|_| {
        let (_, took) = machine(&plan);
        let span = |from: usize| (took[from + 2_000] - took[from]).as_secs_f64();
        span(took.len() - 2_001) / span(2_000)
    });
    Row {
        what: "the 10,000th step",
        against: "the 1,000th to 2,000th".to_owned(),
        ratio: times(median(ratios.collect())),
        reach: "≈ 1×",
    }
}

fn replay() -> Row {
    let plan = plan(&procedure(&"- {exec: [\"true\"], idempotent: true}\n".repeat(9_999)));
    let (events, _) = machine(&plan);
    let times = (0..PAIRS).map(|_| {
        let start = Instant::now();
        Run::replay(plan.clone(), &events).expect("it replays");
        start.elapsed().as_secs_f64() * 1e3
    });
    Row {
        what: "replay of 10,000 steps",
        against: "this machine".to_owned(),
        ratio: format!("{:.0} ms", median(times.collect())),
        reach: "≤ 100 ms",
    }
}

fn check_many() -> Row {
    let text = procedure(
        "- {id: a, run: \"echo {{run.id}}\", effect: read, outputs: {word: result.stdout.trim()}}\n- {id: b, if: steps.a.word == \"x\", exec: [echo, \"{{steps.a.word}}\"], undo: {exec: [echo]}}\n- {id: c, approve: {question: \"Really {{steps.a.word}}?\"}}\n",
    );
    let ratio = paired(
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
    );
    Row {
        what: "check of 1,000 procedures",
        against: "parsing their YAML events alone".to_owned(),
        ratio: times(ratio),
        reach: "≤ 5×",
    }
}

fn check_large() -> Row {
    let steps = |n: usize| procedure(&"- {exec: [\"true\"], idempotent: true}\n".repeat(n));
    let (small, large) = (steps(250), steps(2_000));
    let ratio = paired(|| drop(plan(&large)), || (0..8).for_each(|_| drop(plan(&small))));
    Row { what: "check of 2,000 steps", against: "8 × check of 250 steps".to_owned(), ratio: times(ratio), reach: "≈ 1×" }
}

struct Nothing;

impl Names for Nothing {
    fn value(&self, root: &str, _member: Option<&str>) -> Result<Value, String> {
        Err(format!("there is no `{root}`"))
    }
}

fn cached_expression() -> Row {
    let source = "1 + 2 * 3 < 8 && \"web-1\".starts_with(\"web\") && [1, 2, 3].len() == 3";
    let parse = || Expression::parse(source, Origin::default()).expect("it parses");
    let cached = parse();
    let rounds = 10_000;
    let ratio = paired(
        || (0..rounds).for_each(|_| drop(cached.evaluate(&Nothing).expect("a value"))),
        || (0..rounds).for_each(|_| drop(parse().evaluate(&Nothing).expect("a value"))),
    );
    Row { what: "evaluation of an expression", against: "parsing it each time".to_owned(), ratio: times(ratio), reach: "< 1×" }
}

fn times(ratio: f64) -> String {
    format!("{ratio:.2}×")
}
