//! Holds a dry run against what happened. It reads the record and the notes of the processes, and knows nothing of how a dry run is made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use runbook_core::explore::{DryRun, Longest, Nothing, Options, PredictedStep, Verdict, dry_run};
use runbook_core::run::decision::Purpose;
use runbook_core::run::event::{Fact, Resolution, StepOutcome};
use runbook_core::run::task::{EnvText, Task, Work};
use runbook_core::run::view::{Standing, StepView};
use runbook_core::{Plan, Run, StepPath};

use crate::real::{Happened, START};

/// How much was said, and came to be tried.
#[derive(Debug, Default)]
pub struct Tally {
    ran: usize,
    skipped: usize,
    open: usize,
    unfolded: usize,
    faults: usize,
    without: usize,
    ways: u64,
    /// Gates that were asked at, and processes that were given a secret.
    gates: usize,
    secrets: usize,
    /// Dry runs that did not follow every way.
    cut: usize,
}

impl Tally {
    /// A suite in which nothing is claimed would find nothing.
    pub fn assert_that_something_was_said(&self, procedures: u64) {
        let enough = [
            self.ran,
            self.skipped * 5,
            self.open,
            self.unfolded * 4,
            self.faults * 4,
            self.without * 9,
            self.gates * 2,
            self.secrets * 2,
        ];
        assert!(enough.iter().all(|count| *count as u64 >= procedures), "{self:?} of {procedures}");
        assert!(self.cut as u64 * 20 <= procedures, "nearly every one is followed to its ends: {self:?} of {procedures}");
    }
}

pub fn compare(plan: &Arc<Plan>, happened: &Happened, tally: &mut Tally) -> Vec<String> {
    let now = START.parse().expect("a time");
    let dry = dry_run(plan, &happened.started, now, &Options::default(), &mut Nothing).expect("it can be predicted");
    held(&dry, plan, happened, tally)
}

/// Holds what a dry run said against what happened.
pub fn held(dry: &DryRun, plan: &Arc<Plan>, happened: &Happened, tally: &mut Tally) -> Vec<String> {
    let now = START.parse().expect("a time");
    tally.ways += dry.ways;
    let said: BTreeMap<&str, &PredictedStep> = dry.steps.iter().map(|step| (step.path.as_str(), step)).collect();
    let mut wrong = Vec::new();
    // Whether anything went wrong, and whether anything did that was not foretold to.
    let (mut fault, mut surprise) = (happened.fault, happened.fault);
    let mut resolved: BTreeSet<&str> = BTreeSet::new();
    let mut works: BTreeMap<&str, &Work> = BTreeMap::new();
    let mut run = Run::new(plan.clone());
    let mut gates: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &happened.events {
        run.apply(event).expect("it was recorded");
        let failed = |step: StepView<'_>| match step.standing() {
            Standing::Ended(outcome) => !matches!(outcome, StepOutcome::Succeeded | StepOutcome::Skipped),
            _ => false,
        };
        match &event.fact {
            Fact::StepResolved { path, resolution } => {
                resolved.insert(path.as_str());
                if let Resolution::Work(work) = resolution {
                    works.insert(path.as_str(), work);
                }
                match foretold(&said, path) {
                    Some(step) => judge(step, path, resolution, fault, &mut wrong, tally),
                    // What comes up only after a failure that nobody could foresee is not part of a dry run.
                    None if surprise => {}
                    // Nor is what stands on ways that were not followed, and that is said.
                    None if !dry.complete => {}
                    None => wrong.push(format!("{path}: it was not foretold, and came to {resolution:?}")),
                }
                // What runs beside it may never come up.
                let ends_others = matches!(resolution, Resolution::Finish { .. }) && path.as_str().contains(['.', '[']);
                (fault, surprise) = (fault || ends_others, surprise || ends_others);
            }
            Fact::DecisionRequested { path: Some(path), purpose, request, .. } => {
                let step = foretold(&said, path).filter(|step| step.verdict == Verdict::WouldRun);
                if let (Purpose::Gate { rule }, Some(step)) = (purpose, step) {
                    *gates.entry(path.as_str()).or_default() += 1;
                    tally.gates += 1;
                    if !step.requests.iter().any(|asked| asked.purpose == *purpose) {
                        wrong.push(format!("{path}: {rule} asks before it, and that was not foretold"));
                    }
                }
                // Why nobody knows how a step ended is told by what happened, and not by a case.
                let told = *purpose != Purpose::Unknown || dry.supposes.is_none();
                let open = foretold(&said, path).filter(|step| !surprise && matches!(step.verdict, Verdict::CannotKnow { .. }));
                if let Some(step) = open {
                    let others = step.otherwise.iter().flat_map(|other| other.requests.iter().flatten());
                    let questions: Vec<&String> = step.requests.iter().chain(others).map(|asked| &asked.request.question).collect();
                    if told && !questions.is_empty() && !questions.iter().any(|shown| fits(shown, &request.question)) {
                        wrong.push(format!("{path}: asked {:?}, and shown was {questions:?}", request.question));
                    }
                }
                let asked = step.iter().flat_map(|step| &step.requests).filter(|asked| told && asked.purpose == *purpose);
                for asked in asked {
                    let same = (&asked.request.question, &asked.request.from, asked.request.count, asked.request.within);
                    if same != (&request.question, &request.from, request.count, request.within) {
                        wrong.push(format!("{path}: asked {:?}, and not {:?}", request.question, asked.request.question));
                    }
                }
            }
            Fact::AttemptStarted { path, attempt: 1 } => {
                let step = foretold(&said, path).filter(|step| step.verdict == Verdict::WouldRun);
                let named =
                    step.iter().flat_map(|step| &step.requests).filter(|asked| matches!(asked.purpose, Purpose::Gate { .. }));
                let (named, asked) = (named.count(), gates.get(path.as_str()).copied().unwrap_or_default());
                if step.is_some() && named != asked {
                    wrong.push(format!("{path}: {named} gates were named before it, and it was asked at {asked}"));
                }
            }
            Fact::RunFinished { .. } if !surprise && took_too_long(dry, event.at.duration_since(now)) => {
                wrong.push(format!("it took until {}, and was said to take at most {:?}", event.at, dry.longest));
            }
            Fact::RunFinished { outcome } if !surprise => {
                if dry.complete && !dry.outcomes.iter().any(|named| named.kind == outcome.kind) {
                    wrong.push(format!("it ended {:?}, and that was not named", outcome.kind));
                }
                let claimed = |step: &&PredictedStep| step.verdict == Verdict::WouldRun && !is_inside_open(dry, step);
                for step in dry.steps.iter().filter(|step| !fault && claimed(step)) {
                    if !resolved.contains(step.path.as_str()) {
                        wrong.push(format!("{}: it would run, and never did", step.path));
                    }
                }
            }
            _ => {}
        }
        fault |= run.steps().any(failed);
        // A whole is foretold to fail for what a part of it is foretold to.
        let why = |step: &StepView<'_>| step.note().map_or("", |note| note.message.as_str()).to_owned();
        let failures: Vec<(&StepPath, String)> =
            run.steps().filter(|step| failed(*step)).map(|step| (step.path(), why(&step))).collect();
        let told = |path: &StepPath| foretold(&said, path).is_some_and(|said| said.fails.is_some());
        let sure: Vec<&(&StepPath, String)> = failures.iter().filter(|(path, _)| told(path)).collect();
        let is_inside = |part: &StepPath, whole: &StepPath| {
            part.as_str().strip_prefix(whole.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[', '.']))
        };
        let is_sure =
            |path: &StepPath, why: &str| sure.iter().any(|(part, of)| is_inside(part, path) && why.ends_with(of.as_str()));
        surprise |= failures.iter().any(|(path, why)| !is_sure(path, why));
    }
    for (path, given) in &happened.notes {
        match works.get(path.as_str()) {
            Some(work) => tally.secrets += usize::from(noted(path, work, given, happened, &mut wrong)),
            None => wrong.push(format!("{path}: a process ran for it, and the record does not know of it")),
        }
    }
    let shown = format!("{dry:?}");
    for (name, value) in &happened.secrets {
        let recorded = serde_json::to_string(&happened.events).expect("events are JSON");
        let written = serde_json::to_string(value).expect("a text is JSON");
        if shown.contains(value.as_str()) || shown.contains(written.trim_matches('"')) {
            wrong.push(format!("the dry run shows the secret {name}"));
        }
        if recorded.contains(written.trim_matches('"')) {
            wrong.push(format!("the record holds the secret {name}"));
        }
    }
    if !wrong.is_empty() {
        let verdicts = dry.steps.iter().map(|step| format!("  {}: {:?} {:?}", step.path, step.verdict, step.fails));
        wrong.push(format!("it was said:\n{}", verdicts.collect::<Vec<_>>().join("\n")));
    }
    tally.cut += usize::from(!dry.complete);
    *(if fault { &mut tally.faults } else { &mut tally.without }) += 1;
    wrong
}

/// Nobody waits for people or processes here, only for times.
fn took_too_long(dry: &DryRun, took: jiff::SignedDuration) -> bool {
    let took = Duration::try_from(took).unwrap_or_default();
    match dry.longest {
        Some(Longest::Time(most)) => took > most,
        None => took > Duration::ZERO,
        Some(Longest::Unknown | Longest::WithoutEnd) => false,
    }
}

/// What was said of a step: of a loop that is shown once, for all its rounds and items.
fn foretold<'d>(said: &BTreeMap<&str, &'d PredictedStep>, path: &StepPath) -> Option<&'d PredictedStep> {
    let mut open = vec![path.as_str().to_owned()];
    // Every number, as it is, or as that of the first item or round.
    let count = path.as_str().matches('[').count();
    for place in 0..count {
        let mut more = Vec::new();
        for path in &open {
            let Some((at, _)) = path.match_indices('[').nth(place) else { continue };
            let end = path[at..].find(']').map_or(path.len(), |end| at + end);
            more.extend(["0", "1"].map(|number| format!("{}[{number}{}", &path[..at], &path[end..])));
        }
        open.extend(more);
    }
    open.iter().find_map(|path| said.get(path.as_str()).copied())
}

/// Whether a step stands in something that may be done any number of times, none included.
fn is_inside_open(dry: &DryRun, step: &PredictedStep) -> bool {
    let path = step.path.as_str();
    let around = dry
        .steps
        .iter()
        .filter(|other| path.strip_prefix(other.path.as_str()).is_some_and(|rest| rest.starts_with(['/', '[', '.'])));
    around.into_iter().any(|other| matches!(other.verdict, Verdict::CannotKnow { .. }))
}

fn judge(step: &PredictedStep, path: &StepPath, came: &Resolution, fault: bool, wrong: &mut Vec<String>, tally: &mut Tally) {
    let fails = match came {
        Resolution::Fail { .. } => true,
        Resolution::Checked { failures } => !failures.is_empty(),
        _ => false,
    };
    match (&step.verdict, came) {
        (Verdict::WouldSkip { .. }, Resolution::Skip { .. }) => tally.skipped += 1,
        (Verdict::WouldSkip { because }, _) if !(fault && fails) => {
            wrong.push(format!("{path}: it would be skipped, because {because}, and came to {came:?}"));
        }
        (Verdict::WouldRun, Resolution::Skip { reason }) => wrong.push(format!("{path}: it would run, and was skipped: {reason}")),
        (Verdict::WouldRun, Resolution::Work(work)) => {
            tally.ran += 1;
            if step.work.as_ref() != Some(work) {
                wrong.push(format!("{path}: it would run\n  {:?}\nand ran\n  {work:?}", step.work));
            }
        }
        (Verdict::WouldRun, Resolution::Finish { outcome, message }) => {
            let said = step.ends.as_ref().map(|ends| (ends.outcome, ends.message.as_str()));
            if said != Some((*outcome, message.as_str())) {
                wrong.push(format!("{path}: it would end {said:?}, and ended {outcome:?} {message:?}"));
            }
        }
        (Verdict::WouldRun, Resolution::Items { items, .. }) if !fault => {
            let many = if items.len() == 1 { "for 1 item".to_owned() } else { format!("for {} items", items.len()) };
            if step.repeats.as_ref().is_none_or(|said| *said != many) {
                wrong.push(format!("{path}: it would run {:?}, and did {many}", step.repeats));
            }
        }
        (Verdict::WouldRun, _) if fails && step.fails.is_none() && !fault => {
            wrong.push(format!("{path}: it would run, and failed: {came:?}"));
        }
        (Verdict::WouldRun, _)
            if !fails && step.fails.is_some() && matches!(came, Resolution::Checked { .. } | Resolution::Values(_)) =>
        {
            wrong.push(format!("{path}: it would fail, because {:?}, and came to {came:?}", step.fails));
        }
        (Verdict::CannotKnow { because }, Resolution::Work(work)) => {
            tally.open += 1;
            let others = step.otherwise.iter().filter_map(|other| other.work.as_ref());
            let shown: Vec<&Work> = step.work.iter().chain(others).collect();
            // After a failure that nobody foresaw, names are absent that were taken to be there.
            if !shown.is_empty() && (!fault || because.starts_with("it depends on ")) {
                tally.unfolded += 1;
                if !shown.iter().any(|shown| unfolds(shown, work)) {
                    wrong.push(format!("{path}: what is shown is not what ran\n  {shown:?}\n  {work:?}"));
                }
            }
        }
        _ => {}
    }
}

/// Everything of a text that is shown and is not a `‹name›` is part of what came.
fn fits(shown: &str, came: &str) -> bool {
    let pieces: Vec<&str> = shown
        .split('‹')
        .enumerate()
        .map(|(n, piece)| match n {
            0 => piece,
            _ => piece.split_once('›').map_or(piece, |(_, rest)| rest),
        })
        .collect();
    let [first, rest @ ..] = pieces.as_slice() else { return shown == came };
    let Some(mut left) = came.strip_prefix(first) else { return false };
    for piece in rest {
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    true
}

fn unfolds(shown: &Work, came: &Work) -> bool {
    let same = match (&shown.task, &came.task) {
        (Task::Exec { argv: shown }, Task::Exec { argv: came }) => {
            shown.len() == came.len() && shown.iter().zip(came).all(|(shown, came)| fits(shown, came))
        }
        (Task::Run { script: a, values: shown, shell: x }, Task::Run { script: b, values: came, shell: y }) => {
            (a, x) == (b, y)
                && shown.keys().eq(came.keys())
                && shown.iter().zip(came).all(|((_, shown), (_, came))| fits(shown, came))
        }
        _ => false,
    };
    let env = shown.env.iter().zip(&came.env).all(|(shown, came)| match (shown, came) {
        ((name, EnvText::Plain(shown)), (of, EnvText::Plain(came))) => name == of && fits(shown, came),
        (shown, came) => shown == came,
    });
    same && env && shown.env.len() == came.env.len() && shown.timeout == came.timeout
}

/// What a process was given is what the record says that it was given; whether a secret was among it, which the record names only.
fn noted(path: &str, work: &Work, given: &[String], happened: &Happened, wrong: &mut Vec<String>) -> bool {
    let made = match work.env.get("MADE") {
        Some(EnvText::Plain(made)) => made.clone(),
        _ => String::new(),
    };
    let secret = match work.env.get("SECRET") {
        Some(EnvText::Secret(secret)) => happened.secrets.get(secret.name.as_str()).cloned().unwrap_or_default(),
        _ => String::new(),
    };
    let (args, env) = given.split_at(given.len().saturating_sub(2));
    let right = match &work.task {
        Task::Exec { argv } => argv.get(3..).unwrap_or_default() == args || argv.len() == 3 && args.is_empty(),
        Task::Run { values, .. } => args.iter().all(|arg| values.values().any(|value| arg.contains(value.as_str()))),
        _ => false,
    };
    let is_given = !secret.is_empty();
    if !right || env != [made, secret] {
        wrong.push(format!("{path}: {work:?} gave its process {given:?}"));
    }
    is_given
}
