//! Walks a plan through the real machine with predicted answers: the dry run.
//!
//! Where a condition rests on something that only a real run can tell, the walk forks and follows every way; a step is
//! then said to run, to be skipped, or, where the ways differ, not to be known. Actions give results whose parts are
//! unknown by name, so nothing is ever guessed; only where it is asked for, a step's `example` stands for them. People are
//! taken to agree and steps to succeed, unless what is known already makes them fail: what happens otherwise is not part of a
//! dry run.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::effect::Effect;
use crate::id::{Digest, RunId, StepPath};
use crate::limits;
use crate::plan::{InputSpec, Plan, Step, StepIx, Verb};
use crate::run::decision::{Choice, Purpose, Request};
use crate::run::event::{AttemptEnd, Evaluated, Identity, Means, Outcome, Resolution, RunStarted, Timer, Vote};
use crate::run::task::{Task, Work};
use crate::run::{Command, Event, Fact, IllegalEvent, Prospect, Run};
use crate::value::{Map, Value};

/// How a dry run is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Take the `example` of a step as what it gives, where it has one; the step says so in its notes.
    pub examples: bool,
}

/// What a run of these inputs would do.
#[derive(Clone, Debug, Serialize)]
pub struct DryRun {
    /// In the order in which the walk met them.
    pub steps: Vec<PredictedStep>,
    /// The outcomes that the ways lead to, each once.
    pub outcomes: Vec<Outcome>,
    /// How many ways were walked.
    pub ways: usize,
    /// False where there are more ways than were walked; what is said of a step is then not final.
    pub complete: bool,
    /// Steps of which something cannot be known: those whose verdict says so.
    pub unknown: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct PredictedStep {
    pub path: StepPath,
    #[serde(skip)]
    pub step: StepIx,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub verb: &'static str,
    pub effect: Effect,
    pub verdict: Verdict,
    /// Why it would fail, where what is known already says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
    /// The step with every known text rendered; unknown names stand as `‹name›`.
    pub work: Option<Work>,
    /// What people will be asked, by policy or by the procedure.
    pub requests: Vec<PredictedRequest>,
    /// What else there is to know: that an example stands for what it gives.
    pub notes: Vec<String>,
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

#[derive(Clone, Debug, Serialize)]
pub struct PredictedRequest {
    pub purpose: Purpose,
    pub request: Request,
}

/// One way through the plan.
#[derive(Clone)]
struct Way {
    run: Run,
    met: Vec<Met>,
    now: Timestamp,
    options: Options,
}

/// What a way knows of one step.
#[derive(Clone)]
struct Met {
    path: StepPath,
    step: StepIx,
    title: String,
    why: Option<String>,
    skipped: Option<String>,
    /// The condition behind which it stands on this way could not be judged.
    doubt: Option<String>,
    /// What else cannot be known about it.
    open: Vec<String>,
    fails: Option<String>,
    work: Option<Work>,
    requests: Vec<PredictedRequest>,
    notes: Vec<String>,
}

/// Walks `plan` with these inputs. `now` is the time that every evaluation sees until a wait has passed.
pub fn dry_run(plan: &Arc<Plan>, started: &RunStarted, now: Timestamp, options: &Options) -> Result<DryRun, IllegalEvent> {
    let mut first = Way { run: Run::new(plan.clone()), met: Vec::new(), now, options: *options };
    first.record(Fact::RunStarted(Box::new(started.clone())))?;
    let mut open = vec![first];
    let mut done: Vec<Way> = Vec::new();
    let mut complete = true;
    while let Some(mut way) = open.pop() {
        let forks = way.walk()?;
        if forks.is_empty() {
            complete &= way.run.outcome().is_some();
            done.push(way);
        } else if done.len() + open.len() + forks.len() > limits::DRY_RUN_PATHS {
            complete = false;
            open.extend(forks.into_iter().take(1));
        } else {
            open.extend(forks.into_iter().rev());
        }
    }
    Ok(merge(plan, &done, complete))
}

impl Way {
    fn record(&mut self, fact: Fact) -> Result<(), IllegalEvent> {
        let run = self.run.id().cloned().unwrap_or_else(RunId::predicted);
        let event = Event { run, seq: self.run.seq() + 1, at: self.now, fact };
        self.run.apply(&event).map(|_| ())
    }

    /// Goes on until the end, or until the way forks: then the forks are returned and this way is used up.
    fn walk(&mut self) -> Result<Vec<Way>, IllegalEvent> {
        let mut fuel = limits::RUN_EVENTS;
        while self.run.outcome().is_none() && fuel > 0 {
            fuel -= 1;
            let Some(command) = self.next_command() else { break };
            let forks = self.answer(&command)?;
            if !forks.is_empty() {
                return Ok(forks);
            }
        }
        Ok(Vec::new())
    }

    /// What to answer next: everything that is due at once, then the earliest wait. Deadlines never come in a prediction.
    fn next_command(&self) -> Option<Command> {
        let pending = self.run.pending();
        let waits = |c: &Command| matches!(c, Command::Wake { timer: Timer::Wait { .. } | Timer::Retry { .. }, .. });
        let at_once = pending.iter().find(|c| !matches!(c, Command::Wake { .. }));
        let due = |c: &&Command| match c {
            Command::Wake { at, .. } => *at,
            _ => Timestamp::MAX,
        };
        at_once.or_else(|| pending.iter().filter(|c| waits(c)).min_by_key(due)).cloned()
    }

    fn answer(&mut self, command: &Command) -> Result<Vec<Way>, IllegalEvent> {
        let fact = match command {
            Command::TakeLock { lock } => Fact::LockTaken { lock: lock.clone() },
            Command::Resolve { path } => return self.resolve(path),
            Command::Perform { path, attempt } => {
                self.record(Fact::AttemptStarted { path: path.clone(), attempt: *attempt })?;
                let task = self.met_at(path).and_then(|met| met.work.as_ref()).map(|work| &work.task);
                let result = predicted_result(task, path.label());
                let result = match self.example(path) {
                    Some(Value::Map(example)) => overlaid(result, example),
                    Some(example) => example,
                    None => result,
                };
                Fact::AttemptFinished { path: path.clone(), attempt: *attempt, end: AttemptEnd::Succeeded { result } }
            }
            Command::Stop { path, attempt } => {
                let end = AttemptEnd::Unknown { why: "a prediction does not stop".to_owned() };
                Fact::AttemptFinished { path: path.clone(), attempt: *attempt, end }
            }
            Command::Conclude { path } => match self.run.conclude(path, self.now) {
                Some(Fact::StepConcluded { path, outputs }) => {
                    let example = self.example(&path);
                    let outputs = outputs_with(&self.run, &path, outputs, example);
                    if let Evaluated::Failed(failure) = &outputs {
                        self.fails(&path, &failure.message);
                    }
                    Fact::StepConcluded { path, outputs }
                }
                _ => return Ok(Vec::new()),
            },
            Command::Judge { path, round } => {
                let holds = match self.run.foresee(path, self.now) {
                    Ok(Some(true)) => Evaluated::Value(true),
                    Ok(Some(false)) => return self.not_yet(path, *round),
                    // An unknown condition is taken to hold: the loop is shown once.
                    Ok(None) => {
                        self.open(path, "how often it looks depends on what it finds; it is shown once");
                        Evaluated::Value(true)
                    }
                    Err(failure) => {
                        self.fails(path, &failure.message);
                        Evaluated::Failed(failure)
                    }
                };
                Fact::ConditionJudged { path: path.clone(), round: *round, holds }
            }
            Command::Request { path, purpose } => match self.run.request(path.as_ref(), purpose, self.now) {
                Some(Fact::DecisionRequested { decision, path, purpose, request }) => {
                    if let Some(path) = &path {
                        let shown = PredictedRequest { purpose: purpose.clone(), request: (*request).clone() };
                        if let Some(met) = self.met.iter_mut().rev().find(|m| m.path == *path) {
                            met.requests.push(shown);
                        }
                    }
                    Fact::DecisionRequested { decision, path, purpose, request }
                }
                _ => return Ok(Vec::new()),
            },
            Command::Await { decision } => {
                let Some(open) = self.run.decision(*decision) else { return Ok(Vec::new()) };
                let person = format!("{} of {}", open.votes.len() + 1, open.request.count);
                let choice = open.request.choices.first().copied().unwrap_or(Choice::Approve);
                let (fields, evidence) = (open.request.fields.clone(), open.request.evidence.is_some());
                let (digest, path) = (open.request.digest.clone(), open.path.clone());
                let mut answers = predicted_answers(&fields, evidence, path.as_ref().map_or("", StepPath::label));
                if let (false, Some(Value::Map(example))) = (fields.is_empty(), path.and_then(|path| self.example(&path))) {
                    answers.extend(example);
                }
                let vote = Vote {
                    by: Identity { person, means: Means::Engine },
                    choice,
                    reason: None,
                    answers,
                    digest,
                    signature: None,
                    ahead: None,
                    terms: None,
                    notice: None,
                    head: None,
                };
                Fact::Decided { decision: *decision, vote }
            }
            Command::Wake { timer, at } => {
                self.now = self.now.max(*at);
                Fact::TimerFired { timer: timer.clone() }
            }
            Command::Finish { outcome } => Fact::RunFinished { outcome: outcome.clone() },
        };
        self.record(fact)?;
        Ok(Vec::new())
    }

    /// A condition that is known not to hold. What a `wait` looks at will not be another by the next time: its time runs out.
    fn not_yet(&mut self, path: &StepPath, round: u32) -> Result<Vec<Way>, IllegalEvent> {
        self.record(Fact::ConditionJudged { path: path.clone(), round, holds: Evaluated::Value(false) })?;
        if self.run.find_step(path).is_some_and(|view| matches!(view.step().verb, Verb::Wait(_))) {
            self.fails(path, "its condition does not hold, and its time runs out");
            let end = Timer::Step { path: path.clone() };
            let due = self.run.pending().into_iter().find_map(|command| match command {
                Command::Wake { timer, at } if timer == end => Some(at),
                _ => None,
            });
            if let Some(due) = due {
                self.now = self.now.max(due);
                self.record(Fact::TimerFired { timer: end })?;
            }
        }
        Ok(Vec::new())
    }

    /// Resolves a step; where that rests on something unknown, gives one way for each possibility.
    fn resolve(&mut self, path: &StepPath) -> Result<Vec<Way>, IllegalEvent> {
        let prospects = self.run.prospects(path, self.now);
        let Some(view) = self.run.find_step(path) else { return Ok(Vec::new()) };
        let (step, title) = (view.step_ix(), view.title());
        if let [prospect] = prospects.as_slice() {
            self.take(path, step, title, prospect.clone())?;
            return Ok(Vec::new());
        }
        let mut ways = Vec::new();
        for prospect in prospects {
            let mut way = self.clone();
            way.take(path, step, title.clone(), prospect)?;
            ways.push(way);
        }
        Ok(ways)
    }

    fn take(&mut self, path: &StepPath, step: StepIx, title: String, prospect: Prospect) -> Result<(), IllegalEvent> {
        let (skipped, work) = match &prospect.resolution {
            Resolution::Skip { reason } => (Some(reason.clone()), None),
            Resolution::Work(work) => (None, Some((**work).clone())),
            _ => (None, None),
        };
        let fails = match &prospect.resolution {
            Resolution::Fail { error } => Some(error.message.clone()),
            Resolution::Checked { failures } if !failures.is_empty() => Some(failures.join("; ")),
            _ => None,
        };
        let why = self.run.find_step(path).and_then(|view| view.why());
        self.met.push(Met {
            path: path.clone(),
            step,
            title,
            why,
            skipped,
            doubt: prospect.because.clone(),
            open: prospect.open,
            fails,
            work,
            requests: Vec::new(),
            notes: Vec::new(),
        });
        let resolution = match prospect.resolution {
            Resolution::Values(values) => Resolution::Values(named(values, path.label())),
            other => other,
        };
        self.record(Fact::StepResolved { path: path.clone(), resolution })
    }

    /// The example that stands for what the step at `path` gives, where examples are asked for.
    fn example(&mut self, path: &StepPath) -> Option<Value> {
        if !self.options.examples {
            return None;
        }
        let example = self.run.find_step(path)?.step().example.clone()?;
        self.note(path, "what it gives is taken from its example");
        Some(example)
    }

    fn met_at(&self, path: &StepPath) -> Option<&Met> {
        self.met.iter().rev().find(|m| m.path == *path)
    }

    fn met_mut(&mut self, path: &StepPath) -> Option<&mut Met> {
        self.met.iter_mut().rev().find(|m| m.path == *path)
    }

    fn note(&mut self, path: &StepPath, note: &str) {
        if let Some(met) = self.met_mut(path)
            && !met.notes.iter().any(|n| n == note)
        {
            met.notes.push(note.to_owned());
        }
    }

    fn open(&mut self, path: &StepPath, what: &str) {
        if let Some(met) = self.met_mut(path)
            && !met.open.iter().any(|n| n == what)
        {
            met.open.push(what.to_owned());
        }
    }

    fn fails(&mut self, path: &StepPath, why: &str) {
        if let Some(met) = self.met_mut(path) {
            met.fails.get_or_insert_with(|| why.to_owned());
        }
    }
}

/// What an action's result is before anybody has run it: its parts are known by name only.
pub(crate) fn predicted_result(task: Option<&Task>, label: &str) -> Value {
    let parts: &[&str] = match task {
        Some(Task::Run { .. } | Task::Exec { .. }) => &["stdout", "stderr", "json"],
        Some(Task::Http(_)) => &["status", "headers", "body", "json"],
        Some(Task::Notify { .. }) => return Value::Map(Map::new()),
        _ => return Value::Unknown(format!("steps.{label}")),
    };
    let mut result: Map = parts.iter().map(|p| ((*p).to_owned(), Value::Unknown(format!("steps.{label}.{p}")))).collect();
    if let Some(Task::Run { .. } | Task::Exec { .. }) = task {
        // A prediction takes the step to succeed, and then there is only one exit code.
        result.insert("exit_code".to_owned(), Value::Int(0));
    }
    Value::Map(result)
}

fn predicted_answers(fields: &[InputSpec], evidence: bool, label: &str) -> Map {
    let mut answers: Map =
        fields.iter().map(|f| (f.name.as_str().to_owned(), Value::Unknown(format!("steps.{label}.{}", f.name)))).collect();
    if evidence {
        answers.insert("evidence".to_owned(), Value::Unknown(format!("steps.{label}.evidence")));
    }
    answers
}

fn overlaid(result: Value, example: Map) -> Value {
    match result {
        Value::Map(mut result) => {
            result.extend(example);
            Value::Map(result)
        }
        _ => Value::Map(example),
    }
}

/// The outputs of a step as later steps know them, with those of its example where that stands for what it gives.
pub(crate) fn outputs_with(run: &Run, path: &StepPath, outputs: Evaluated<Map>, example: Option<Value>) -> Evaluated<Map> {
    let id = run.find_step(path).and_then(|view| view.step().id.as_ref());
    match (example, outputs) {
        // An output that cannot be evaluated on an example of the outputs is no fault of the procedure.
        (Some(Value::Map(example)), Evaluated::Failed(_)) => Evaluated::Value(example),
        (example, Evaluated::Value(outputs)) => {
            let mut outputs = named(outputs, id.map_or(path.label(), |id| id.as_str()));
            if let Some(Value::Map(example)) = example {
                outputs.extend(example);
            }
            Evaluated::Value(outputs)
        }
        (_, failed) => failed,
    }
}

/// Unknown outputs are known by the name under which later steps read them.
pub(crate) fn named(outputs: Map, step: &str) -> Map {
    outputs
        .into_iter()
        .map(|(name, value)| {
            let value = if value.first_unknown().is_some() { Value::Unknown(format!("steps.{step}.{name}")) } else { value };
            (name, value)
        })
        .collect()
}

fn merge(plan: &Plan, ways: &[Way], complete: bool) -> DryRun {
    // A chain: each step names the one behind it. The last way lays it; what is met on an earlier way alone is put in behind
    // the step that came before it there, so that the branches of a choice stand in their own order.
    let mut places: BTreeMap<&StepPath, usize> = BTreeMap::new();
    let mut chain: Vec<(Vec<&Met>, Option<usize>)> = Vec::new();
    let mut first = None;
    for way in ways.iter().rev() {
        let mut before: Option<usize> = None;
        for met in &way.met {
            let place = *places.entry(&met.path).or_insert(chain.len());
            if place == chain.len() {
                let link = match before.and_then(|before| chain.get_mut(before)) {
                    Some((_, behind)) => behind,
                    None => &mut first,
                };
                let behind = link.replace(place);
                chain.push((Vec::new(), behind));
            }
            if let Some((all, _)) = chain.get_mut(place) {
                all.push(met);
            }
            before = Some(place);
        }
    }
    let links = std::iter::successors(first.and_then(|first| chain.get(first)), |(_, behind)| behind.and_then(|b| chain.get(b)));
    let in_order = |all: &Vec<&Met>| {
        let all: Vec<&Met> = all.iter().rev().copied().collect();
        Some(predicted(plan, all.first()?.path.clone(), &all, ways))
    };
    let steps: Vec<PredictedStep> = links.filter_map(|(all, _)| in_order(all)).collect();
    let mut outcomes: Vec<Outcome> = Vec::new();
    for way in ways {
        if let Some(outcome) = way.run.outcome()
            && !outcomes.contains(outcome)
        {
            outcomes.push(outcome.clone());
        }
    }
    let unknown = steps.iter().filter(|s| matches!(s.verdict, Verdict::CannotKnow { .. })).count();
    DryRun { steps, outcomes, ways: ways.len(), complete, unknown }
}

fn predicted(plan: &Plan, path: StepPath, met: &[&Met], ways: &[Way]) -> PredictedStep {
    let step: &Step = plan.step(met.first().map_or(StepIx(0), |m| m.step));
    let runs: Vec<&&Met> = met.iter().filter(|m| m.skipped.is_none()).collect();
    let everywhere = runs.len() == ways.len();
    let verdict = match (runs.first(), met.iter().find_map(|m| m.skipped.clone())) {
        (None, Some(because)) if met.len() == ways.len() && met.iter().all(|m| m.doubt.is_none()) => Verdict::WouldSkip { because },
        (Some(_), _) if everywhere => match differing(&runs) {
            Some(because) => Verdict::CannotKnow { because },
            None => Verdict::WouldRun,
        },
        _ => {
            let doubt = met.iter().find_map(|m| m.doubt.clone()).or_else(|| doubt_before(&path, ways));
            Verdict::CannotKnow { because: doubt.unwrap_or_else(|| "it depends on which way the run takes before it".to_owned()) }
        }
    };
    let shown = runs.first().copied().or_else(|| met.first());
    PredictedStep {
        title: shown.map(|m| m.title.clone()).unwrap_or_default(),
        why: shown.and_then(|m| m.why.clone()),
        verb: step.verb.key(),
        effect: step.effect,
        fails: if runs.iter().all(|m| m.fails.is_some()) { runs.first().and_then(|m| m.fails.clone()) } else { None },
        verdict,
        work: shown.and_then(|m| m.work.clone()),
        requests: shown.map(|m| m.requests.clone()).unwrap_or_default(),
        notes: shown.map(|m| m.notes.clone()).unwrap_or_default(),
        step: met.first().map_or(StepIx(0), |m| m.step),
        path,
    }
}

/// Why the ways that run a step do not run the same, or what of it is not known on them.
fn differing(runs: &[&&Met]) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    for clause in runs.iter().flat_map(|m| &m.open) {
        if !open.contains(&clause.as_str()) {
            open.push(clause);
        }
    }
    if !open.is_empty() {
        return Some(open.join("; "));
    }
    let digest = |m: &Met| m.work.as_ref().and_then(|w| Digest::of_json(w).ok());
    let first = runs.first().map(|m| digest(m));
    if runs.iter().any(|m| Some(digest(m)) != first) {
        return Some("what it runs with depends on the way before it".to_owned());
    }
    let failing = runs.iter().find_map(|m| m.fails.as_ref()).filter(|_| runs.iter().any(|m| m.fails.is_none()));
    failing.map(|why| format!("on some ways it fails: {why}"))
}

/// The condition that sets apart the ways on which a step is met from those on which it is not.
fn doubt_before(path: &StepPath, ways: &[Way]) -> Option<String> {
    let with = ways.iter().find(|w| w.met.iter().any(|m| m.path == *path))?;
    with.met.iter().take_while(|m| m.path != *path).filter_map(|m| m.doubt.clone()).last()
}
