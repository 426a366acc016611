//! Walks a plan through the real machine with predicted answers: the dry run.
//!
//! Where a condition rests on something that only a real run can tell, the walk forks and follows every way; a step is
//! then said to run, to be skipped, or, where the ways differ, not to be known. Ways that come to the same place in the same state
//! are one from there on, so that the cost grows with the plan and not with the number of ways. Actions give results whose
//! parts are unknown by name, so nothing is ever guessed; only where it is asked for, a step's `example` stands for them, or a
//! [`World`] that says what they are.
//!
//! What is said holds for every real run with these inputs: if it comes to a step that *would run*, exactly that runs, and a step that
//! *would be skipped* never does. That it comes there at all takes people who agree and steps that succeed, unless what is known already
//! makes them fail; what happens otherwise is not part of a dry run.

mod beside;
mod ends;
mod kinds;
mod longest;
mod passed;
mod seen;
mod time;
mod way;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::walk;
use crate::document::procedure::Version;
use crate::document::step::FinishOutcome;
use crate::effect::Effect;
use crate::id::{Digest, ProcedureName, StepPath};
use crate::limits;
use crate::plan::{OnFailure, Plan, StepIx};
use crate::run::decision::{Decision, Purpose, Request};
use crate::run::event::{AttemptEnd, Outcome, RunStarted, Vote};
use crate::run::task::{SecretName, Task, Work};
use crate::run::{Fact, Future, IllegalEvent, Reads, Run};
use crate::value::{Map, format_duration};

pub use crate::run::view::UndoStep;

pub use longest::Longest;
pub(crate) use longest::longest;
use seen::{History, Seen};
use way::{Next, Way};
pub(crate) use way::{named, outputs_with, predicted_answers, predicted_result};

/// How a dry run is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Take the `example` of a step as what it gives, where it has one; the step says so in its notes.
    pub examples: bool,
}

/// Says what a dry run would otherwise not know. It is asked anew on every way, so the same question has the same answer.
pub trait World {
    /// What is known of the attempt at `path` that is about to begin.
    fn attempt(&mut self, run: &Run, path: &StepPath, sight: Sight) -> Told {
        let _ = (run, path, sight);
        Told::default()
    }

    /// Whether the `example` of the step at `path` stands for what it gives.
    fn takes_example(&self, run: &Run, path: &StepPath) -> bool {
        let _ = (run, path);
        false
    }

    /// What the next of the people who are asked says; `None` where people are taken to agree.
    fn vote(&mut self, run: &Run, decision: &Decision) -> Option<Said> {
        let _ = (run, decision);
        None
    }

    /// Whether it is known at which time the run starts, so that what the hour decides is decided.
    fn knows_the_hour(&self) -> bool {
        false
    }

    /// What a condition that does not hold yet comes to.
    fn later(&mut self, run: &Run, path: &StepPath) -> Later {
        let _ = (run, path);
        Later::Same
    }
}

/// How far an attempt can be foreseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A real run comes to it, and makes exactly this.
    Clear,
    /// Nobody knows whether a run comes to it.
    Doubtful,
    /// Something that it is given is not known.
    Open,
    /// What it looks at may have been changed by then by this step, or by one in it, which a prediction does not do.
    Changed(StepPath),
}

/// What somebody who is asked says.
#[derive(Clone, Debug)]
pub struct Said {
    /// `None` where nobody says anything any more.
    pub vote: Option<Vote>,
    pub at: Timestamp,
}

/// What a [`World`] knows of an attempt.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// How it ends; `None` where nobody knows.
    pub end: Option<AttemptEnd>,
    /// How long it takes; nothing where nobody knows.
    pub takes: Duration,
    /// From where that is known, or why it is not: a note for people.
    pub note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// Whatever it rests on is known, and will be the same.
    Same,
    /// What is found by then is known too.
    Known,
}

/// Nothing is known but the procedure and its inputs.
pub struct Nothing;

impl World for Nothing {}

/// What a run of these inputs would do. Its JSON is described in `docs/dry-run.md`.
#[derive(Clone, Debug, Serialize)]
pub struct DryRun {
    pub procedure: ProcedureName,
    pub version: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Over everything that is said here but what depends on the hour: equal wherever and whenever the same is said.
    pub digest: Digest,
    pub inputs: Map,
    /// The lock that a run holds from its start to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// What the whole run takes at most: its steps one after the other, or the time that the procedure has, and what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest: Option<Longest>,
    /// In the order in which they stand.
    pub steps: Vec<PredictedStep>,
    /// The outcomes that the ways lead to, each once.
    pub outcomes: Vec<Outcome>,
    /// How many ways there are.
    pub ways: u64,
    /// False where there is more than was followed: from the first such place on nothing is claimed.
    pub complete: bool,
    /// That place: the first step of which nothing is claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfollowed_from: Option<StepPath>,
    /// There may be more steps than are told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more_steps: bool,
    /// Steps of which something cannot be known: those whose verdict says so.
    pub unknown: usize,
    /// The case of a test that says what would not be known; filled in by whoever has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supposes: Option<Supposed>,
}

/// What a case of a test supposes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Supposed {
    pub case: String,
    /// What goes wrong in it, each in words.
    pub that: Vec<String>,
    /// Why the case cannot be played, where a test of it would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What else happens in it that a dry run leaves out, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PredictedStep {
    /// As in a run; items and rounds share it.
    pub number: String,
    pub path: StepPath,
    #[serde(skip)]
    pub step: StepIx,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub verb: &'static str,
    pub effect: Effect,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Why it would fail, where what is known already says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
    /// How often its parts are done, where that is not once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<String>,
    /// What it ends, where it is a `finish`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<PredictedEnd>,
    /// Where it acts: this machine, the host of a request, channels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// The step with every known text rendered; unknown names stand as `‹name›`.
    pub work: Option<Work>,
    /// The secrets that it is given, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// What people will be asked, by policy or by the procedure.
    pub requests: Vec<PredictedRequest>,
    pub undo: PredictedUndo,
    /// What it does on other ways, where that is something else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub otherwise: Vec<Does>,
    /// Absent of a step that takes no time; of one that holds steps, what those take that are shown here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest: Option<Longest>,
    /// What it gives under `outputs`, each with its type in words; filled in by whoever has the documents.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gives: BTreeMap<String, String>,
    /// How long it usually took in earlier runs; filled in by whoever has their records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usual: Option<Usual>,
    /// What else there is to know: that an example stands for what it gives.
    pub notes: Vec<String>,
}

/// What a step does on another way: as much of it as is something else.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Does {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<PredictedEnd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Vec<PredictedRequest>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<PredictedUndo>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    WouldRun,
    WouldSkip {
        because: String,
    },
    /// Whether it runs, what with, how often or how long, or whether it holds, only a real run can tell.
    CannotKnow {
        because: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PredictedRequest {
    pub purpose: Purpose,
    pub request: Request,
    /// Who is asked after those, one after the other, where nobody answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub escalation: Vec<PredictedRung>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PredictedRung {
    pub to: Vec<String>,
    pub channels: Vec<String>,
    #[serde(serialize_with = "in_words")]
    pub within: Duration,
}

/// What a `finish` does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PredictedEnd {
    /// `the run`, or `the called procedure`.
    pub what: &'static str,
    pub outcome: FinishOutcome,
    pub message: String,
}

/// What takes a step back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictedUndo {
    Steps(Vec<UndoStep>),
    Irreversible(String),
    /// Nothing was declared, and it may be done again.
    Repeatable,
    /// Nothing was declared.
    None,
    /// Nothing to take back.
    NotNeeded,
}

/// How long a step took in earlier runs of the procedure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Usual {
    /// The middle one of the times of its attempts that succeeded.
    #[serde(serialize_with = "in_words")]
    pub median: Duration,
    pub attempts: usize,
}

fn in_words<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_duration(*time))
}

/// Walks `plan` with these inputs. `now` is the time that every evaluation sees until a wait has passed.
pub fn dry_run(
    plan: &Arc<Plan>,
    started: &RunStarted,
    now: Timestamp,
    options: &Options,
    world: &mut dyn World,
) -> Result<DryRun, IllegalEvent> {
    let mut first = Way::new(Run::new(plan.clone()), now, (options.examples, world.knows_the_hour()));
    first.record(Fact::RunStarted(Box::new(started.clone())))?;
    let mut walked = match follow(plan, first.clone(), world, false)? {
        Some(walked) => walked,
        // Ways were taken for one that would take back different changes, and one of them does: once more, with these apart.
        None => follow(plan, first, world, true)?.unwrap_or_default(),
    };
    walked.all_told &= passed::add(plan, &mut walked.history, walked.cut.as_deref());
    Ok(told(plan, started, &walked))
}

/// The same of whatever inputs there may be, with nothing known but the procedure.
pub fn dry_run_of_any(plan: &Arc<Plan>) -> Result<DryRun, IllegalEvent> {
    dry_run(plan, &walk::started(plan), Timestamp::UNIX_EPOCH, &Options::default(), &mut Nothing)
}

/// What may still be spent, by all ways together.
struct Budget {
    events: u64,
    steps: usize,
    /// Of what is kept to be told.
    bytes: usize,
}

impl Budget {
    fn is_spent(&self) -> bool {
        self.events == 0 || self.steps == 0 || self.bytes == 0
    }

    fn keep(&mut self, told: &impl Serialize) {
        self.bytes = self.bytes.saturating_sub(serde_json::to_vec(told).map_or(0, |json| json.len()));
    }
}

#[derive(Default)]
struct Walked {
    history: History,
    outcomes: Vec<Outcome>,
    ways: u64,
    /// The first place where a way was not followed further: what is said from there on is not final.
    cut: Option<Vec<u32>>,
    /// False where there may be more steps than are told.
    all_told: bool,
}

impl Walked {
    /// Follows a way no further that stands at a place. What it has come past so far was on a way all the same, and with what it still
    /// held back for later, nothing from there on is final.
    fn leave(&mut self, way: &Way, place: Vec<u32>) {
        self.count(way);
        self.cut_at(way.first_place_ahead(place));
    }

    /// Adds what a way has come past.
    fn count(&mut self, way: &Way) {
        self.history = if self.history.is_empty() { way.seen.clone() } else { seen::join(&self.history, &way.seen) };
        self.ways = self.ways.saturating_add(way.count);
    }

    fn cut_at(&mut self, place: Vec<u32>) {
        if self.cut.as_ref().is_none_or(|first| place < *first) {
            self.cut = Some(place);
        }
    }
}

/// Follows every way to its end. Those that stand first go on first, so that ways meet again where they can. `None` where what an undo
/// takes back turned out to matter, and was not looked at.
fn follow(plan: &Plan, first: Way, world: &mut dyn World, undo: bool) -> Result<Option<Walked>, IllegalEvent> {
    let (reads, hours) = (Reads::of(plan), plan.policy.has_hours());
    let undoes = !undo && plan.steps.iter().any(|step| matches!(step.on_failure, OnFailure::Rollback));
    let mut budget = Budget { events: limits::RUN_EVENTS, steps: limits::DRY_RUN_STEPS, bytes: limits::DRY_RUN_BYTES };
    let mut open: BTreeMap<Vec<u32>, Vec<(StepPath, Way)>> = BTreeMap::new();
    let mut done: Vec<Way> = Vec::new();
    let mut walked = Walked::default();
    let mut fresh = VecDeque::from([first]);
    loop {
        let together = fresh.len();
        while let Some(mut way) = fresh.pop_front() {
            let alone = together == 1 && fresh.is_empty() && open.is_empty() && done.is_empty();
            let next = way.walk(world, alone, &mut budget)?;
            for fork in std::mem::take(&mut way.forks) {
                if open.values().map(Vec::len).sum::<usize>() + fresh.len() < limits::DRY_RUN_PATHS {
                    fresh.push_back(fork);
                } else {
                    let last = fork.seen.last().map(|seen| seen.place.clone()).unwrap_or_default();
                    walked.leave(&fork, last);
                }
            }
            if way.undo_differs && way.run.has_unwound() && !undo {
                return Ok(None);
            }
            match next {
                Next::Step(mut paths) => {
                    let waiting = open.values().map(Vec::len).sum::<usize>();
                    let room = limits::DRY_RUN_PATHS.saturating_sub(waiting).max(1);
                    for path in paths.drain(room.min(paths.len())..) {
                        walked.leave(&way, way.run.place(&path));
                    }
                    // A way is as large as what it came past: the one of the last path, mostly the only one, is not copied.
                    let Some(last) = paths.pop() else {
                        done.push(way);
                        continue;
                    };
                    for path in paths {
                        open.entry(way.run.place(&path)).or_default().push((path, way.clone()));
                    }
                    open.entry(way.run.place(&last)).or_default().push((last, way));
                }
                Next::Nothing => {
                    if way.run.outcome().is_none() {
                        let last = way.seen.last().map(|seen| seen.place.clone()).unwrap_or_default();
                        walked.cut_at(way.first_place_ahead(last));
                    }
                    done.push(way);
                }
            }
        }
        let Some((place, here)) = open.pop_first() else { break };
        let mut here = meet(here, &reads, hours, (undo, undoes));
        if walked.cut.is_some() && here.len() > limits::DRY_RUN_REST {
            // Nothing is final any more: a few ways show what else there is.
            for (_, way) in here.drain(limits::DRY_RUN_REST..) {
                walked.leave(&way, place.clone());
            }
        }
        for (path, way) in here {
            let waiting = open.values().map(Vec::len).sum::<usize>() + fresh.len();
            if budget.is_spent() {
                walked.leave(&way, place.clone());
                continue;
            }
            let mut ways = way.turn(&path, world, &mut budget)?;
            let forks: Vec<Way> = ways.iter_mut().flat_map(|way| way.forks.drain(..)).collect();
            ways.extend(forks);
            if waiting + ways.len() > limits::DRY_RUN_PATHS {
                ways.drain(1.min(ways.len())..).for_each(|way| walked.leave(&way, place.clone()));
            }
            fresh.extend(ways);
        }
    }
    // Items and rounds that were not come to are not told.
    walked.all_told = !budget.is_spent();
    for way in &done {
        walked.count(way);
        if let Some(outcome) = way.run.outcome()
            && !walked.outcomes.contains(outcome)
        {
            walked.outcomes.push(outcome.clone());
        }
    }
    Ok(Some(walked))
}

/// The ways that stand at one place, with those as one that go on alike; `undo`: also where they take changes back, which else is only
/// remembered, where anything `undoes`.
fn meet(here: Vec<(StepPath, Way)>, reads: &Reads, hours: bool, (undo, undoes): (bool, bool)) -> Vec<(StepPath, Way)> {
    if here.len() < 2 {
        return here;
    }
    let mut apart: Vec<(Future, StepPath, Way)> = Vec::new();
    for (path, way) in here {
        let future = way.run.future(reads, undo);
        let left = |condition: &str| future.judges(condition, reads);
        let same = apart.iter_mut().find(|(other, at, with)| {
            *at == path
                && *other == future
                && with.assumed.agrees(&way.assumed, &left)
                && (!hours || with.now == way.now)
                && with.holds_back_as(&way)
        });
        match same {
            None => apart.push((future, path, way)),
            Some((_, _, with)) => {
                with.seen = seen::join(&with.seen, &way.seen);
                with.count = with.count.saturating_add(way.count);
                with.assumed = with.assumed.common(&way.assumed);
                if with.now != way.now {
                    with.now = with.now.max(way.now);
                    with.late_until = with.now;
                }
                with.changes = with.changes.take().or(way.changes);
                with.late_until = with.late_until.max(way.late_until);
                let other_undo = || undoes && with.run.future(reads, true) != way.run.future(reads, true);
                with.undo_differs |= way.undo_differs || other_undo();
            }
        }
    }
    apart.into_iter().map(|(_, path, way)| (path, way)).collect()
}

fn told(plan: &Plan, started: &RunStarted, walked: &Walked) -> DryRun {
    let claimed = |seen: &Arc<Seen>| {
        let mut step = predicted(plan, seen);
        let is_final = walked.cut.as_ref().is_none_or(|cut| seen.place < *cut);
        if !is_final && !matches!(step.verdict, Verdict::CannotKnow { .. }) {
            step.verdict = Verdict::CannotKnow { because: passed::UNFOLLOWED.to_owned() };
        }
        step
    };
    let mut steps: Vec<PredictedStep> = walked.history.iter().map(claimed).collect();
    beside::doubt(plan, &walked.history, &mut steps);
    let cut = walked.cut.as_ref().map(|cut| walked.history.partition_point(|seen| seen.place < *cut));
    let unfollowed_from = cut.and_then(|cut| steps.get(cut)).map(|step| step.path.clone());
    let whole = longest::of_wholes(plan, &mut steps, &walked.history, cut);
    let unknown = steps.iter().filter(|step| matches!(step.verdict, Verdict::CannotKnow { .. })).count();
    let mut dry = DryRun {
        procedure: started.procedure.clone(),
        version: started.version,
        title: plan.main().title.clone(),
        environment: started.environment.clone(),
        digest: Digest::of_bytes(b""),
        inputs: started.inputs.clone(),
        lock: started.lock.clone(),
        longest: whole,
        steps,
        outcomes: walked.outcomes.clone(),
        ways: walked.ways,
        complete: walked.cut.is_none(),
        unfollowed_from,
        more_steps: !walked.all_told,
        unknown,
        supposes: None,
    };
    dry.digest = digest(&dry).unwrap_or(dry.digest);
    // Said, and no part of the digest: by another hour it is another.
    for (step, seen) in dry.steps.iter_mut().zip(&walked.history) {
        let closed = seen.does.iter().find_map(|doing| doing.closed.clone());
        if let Some(closed) = closed {
            step.verdict = match &step.verdict {
                Verdict::WouldRun => Verdict::CannotKnow { because: closed },
                Verdict::CannotKnow { because } => Verdict::CannotKnow { because: format!("{because}; {closed}") },
                skipped => skipped.clone(),
            };
        }
    }
    dry.unknown = dry.steps.iter().filter(|step| matches!(step.verdict, Verdict::CannotKnow { .. })).count();
    dry
}

fn digest(dry: &DryRun) -> Option<Digest> {
    let mut json = serde_json::to_value(dry).ok()?;
    json.as_object_mut()?.remove("digest");
    Digest::of_json(&json).ok()
}

fn predicted(plan: &Plan, seen: &Arc<Seen>) -> PredictedStep {
    let step = plan.step(seen.step);
    let kinds = seen.kinds();
    let shown = kinds.first().copied();
    let others = kinds.get(1..).unwrap_or_default();
    let work = shown.and_then(|doing| doing.work.clone());
    let requests = shown.map(|doing| kinds::asked_alike(doing, &seen.does)).unwrap_or_default();
    let verdict = seen.verdict(&kinds);
    let mut notes: Vec<String> = Vec::new();
    let left_out = others.len().saturating_sub(limits::DRY_RUN_OTHERS);
    notes.extend((left_out > 0).then(|| format!("it does something else again on other ways, {left_out} more than are shown")));
    add_new(&mut notes, seen.does.iter().flat_map(|doing| doing.notes.clone()));
    let (mut all_targets, mut secrets) = (Vec::new(), Vec::new());
    for work in kinds.iter().filter_map(|doing| doing.work.as_ref()) {
        add_new(&mut all_targets, targets(work));
        add_new(&mut secrets, work.secrets().map(|secret| secret_name(plan, secret)));
    }
    PredictedStep {
        title: shown
            .map_or_else(|| step.name.as_ref().map_or(&step.label, |name| &name.source).clone(), |doing| doing.title.clone()),
        why: shown.and_then(|doing| doing.why.clone()),
        verb: step.verb.key(),
        effect: step.effect,
        fails: seen.fails().cloned(),
        repeats: shown.and_then(|doing| doing.repeats.clone()),
        ends: shown.and_then(|doing| doing.ends.clone()),
        targets: all_targets,
        secrets,
        // Of ways that have become one, the one that takes the longest.
        longest: match seen.does.as_slice() {
            [] if matches!(verdict, Verdict::WouldSkip { .. }) => longest(step, &[], None),
            [] => longest::unseen(step),
            all => all.iter().map(|doing| longest(step, &doing.requests, doing.waits)).max().flatten(),
        },
        verdict,
        work,
        requests,
        undo: shown.map_or(PredictedUndo::NotNeeded, |doing| doing.undo.clone()),
        otherwise: others.iter().take(limits::DRY_RUN_OTHERS).filter_map(|other| Some(other.beside(shown?))).collect(),
        gives: BTreeMap::new(),
        usual: None,
        notes,
        step: seen.step,
        number: seen.number.clone(),
        path: seen.path.clone(),
    }
}

fn add_new(list: &mut Vec<String>, names: impl IntoIterator<Item = String>) {
    for name in names {
        if !list.contains(&name) {
            list.push(name);
        }
    }
}

/// A secret by its name; one of a called procedure says whose it is.
fn secret_name(plan: &Plan, secret: &SecretName) -> String {
    match plan.procedures.get(secret.procedure as usize).filter(|_| secret.procedure > 0) {
        Some(procedure) => format!("{} of {}", secret.name, procedure.name),
        None => secret.name.to_string(),
    }
}

fn targets(work: &Work) -> Vec<String> {
    match &work.task {
        Task::Run { .. } | Task::Exec { .. } | Task::Rhai { .. } => vec!["this machine".to_owned()],
        Task::Http(http) => {
            let behind = http.url.split_once("://").map_or(http.url.as_str(), |(_, rest)| rest);
            vec![behind.split(['/', '?', '#']).next().unwrap_or(behind).to_owned()]
        }
        Task::Notify { to, .. } => to.clone(),
        Task::Event(_) => Vec::new(),
    }
}
