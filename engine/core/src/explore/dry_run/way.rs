//! One way through a plan: the machine, what was assumed to come here, and what it has shown on the way.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::ends::{HeldBack, Turn};
use super::passed;
use super::seen::{self, Doing, History, Parts, Seen};
use super::{Budget, Later, PredictedEnd, PredictedRequest, PredictedRung, PredictedUndo, Sight, World};
use crate::id::{DecisionId, RunId, StepPath};
use crate::markdown::quoted;
use crate::plan::{InputSpec, Step, StepIx, Verb, WaitFor};
use crate::run::decision::{self, Choice, Decision};
use crate::run::event::{AttemptEnd, Evaluated, Identity, Means, Resolution, StepOutcome, Timer, Vote};
use crate::run::task::Task;
use crate::run::view::{Standing, StepView, UndoStep};
use crate::run::{Assumed, Command, Event, Fact, IllegalEvent, Prospect, Run, may_not_come};
use crate::value::{Map, Value};

#[derive(Clone)]
pub(super) struct Way {
    pub run: Run,
    pub seen: History,
    pub assumed: Assumed,
    pub now: Timestamp,
    /// How many ways it stands for: those that met in the same state are one.
    pub count: u64,
    /// The first step that changes something on one of them.
    pub changes: Option<StepPath>,
    /// Whether among them are some that would take other changes back.
    pub undo_differs: bool,
    pub held_back: HeldBack,
    /// Until then more time may have passed than a run needs that comes as far: something was held back meanwhile.
    pub late_until: Timestamp,
    /// Other ways that have left this one since it was last asked.
    pub forks: Vec<Way>,
    /// Loops under way that are shown once, and bear failures.
    bearing: Vec<StepPath>,
    examples: bool,
    /// It is known when the run starts.
    pub hour: bool,
}

/// What a way comes to.
pub(super) enum Next {
    /// A step is to be resolved; one of several, where nobody knows which comes first and ends the others.
    Step(Vec<StepPath>),
    /// The end, or nothing that could happen in a prediction.
    Nothing,
}

impl Way {
    pub fn new(run: Run, now: Timestamp, (examples, hour): (bool, bool)) -> Way {
        Way {
            run,
            seen: Vec::new(),
            assumed: Assumed::default(),
            now,
            count: 1,
            changes: None,
            undo_differs: false,
            held_back: HeldBack::default(),
            late_until: Timestamp::MIN,
            forks: Vec::new(),
            bearing: Vec::new(),
            examples,
            hour,
        }
    }

    pub fn record(&mut self, fact: Fact) -> Result<(), IllegalEvent> {
        let run = self.run.id().cloned().unwrap_or_else(RunId::predicted);
        let event = Event { run, seq: self.run.seq() + 1, at: self.now, fact: fact.that_fits() };
        let mut about: Vec<StepPath> = self.subject(&event.fact).into_iter().collect();
        let before = (!self.bearing.is_empty()).then(|| self.apart());
        self.run.apply(&event)?;
        if let Some(mut other) = before
            && self.run.has_borne_for_all()
        {
            self.run.bear_no_failure(false);
            other.run.bear_no_failure(true);
            other.record(event.fact.clone())?;
            other.run.bear_no_failure(false);
            self.forks.push(other);
        }
        let run = &self.run;
        self.bearing.retain(|path| run.find_step(path).is_some_and(|view| !matches!(view.standing(), Standing::Ended(_))));
        if matches!(event.fact, Fact::TimerFired { timer: Timer::Step { .. } | Timer::Run, .. }) {
            let stopped = self.run.just_ended().filter(|view| !view.step().verb.is_container());
            about.extend(stopped.map(|view| view.path().clone()));
        }
        for path in about {
            self.tell_failure(&path);
            let broken: Vec<StepPath> = self.run.failed_around(&path).cloned().collect();
            broken.iter().for_each(|whole| self.change(whole, |doing| doing.is_broken = true));
        }
        Ok(())
    }

    /// Goes on until a step is to be resolved, for at most so many events.
    pub fn walk(&mut self, world: &mut dyn World, sure: bool, budget: &mut Budget) -> Result<Next, IllegalEvent> {
        while self.run.outcome().is_none() && !budget.is_spent() {
            budget.events -= 1;
            match self.next()? {
                Turn::Answer(Command::Resolve { path }) => return Ok(Next::Step(vec![path])),
                Turn::Answer(command) if self.answer(&command, world, sure, budget)? => {}
                Turn::Ends(paths) if !paths.is_empty() => return Ok(Next::Step(paths)),
                Turn::Answer(_) | Turn::Ends(_) => break,
            }
        }
        Ok(Next::Nothing)
    }

    /// False where there is no answer.
    fn answer(&mut self, command: &Command, world: &mut dyn World, sure: bool, budget: &mut Budget) -> Result<bool, IllegalEvent> {
        let fact = match command {
            Command::TakeLock { lock } => Fact::LockTaken { lock: lock.clone() },
            Command::Resolve { .. } => return Ok(false),
            Command::Perform { path, attempt } => {
                // Asked before it begins: what an answer rests on is how often the step was tried before.
                let told = world.attempt(&self.run, path, self.sight(path, sure));
                told.note.iter().for_each(|note| self.note(path, note));
                if told.end.is_some() {
                    self.run.foretell(path);
                    self.is_told_what_comes(path);
                }
                // Of an end that nobody saw it is asked, or the step is done again.
                let fails = || match &told.end {
                    Some(AttemptEnd::Unknown { .. }) => false,
                    Some(AttemptEnd::Succeeded { result }) => self.run.fails_by(path, result.clone(), self.now),
                    Some(_) => true,
                    None => self.run.fails_by(path, self.unseen(path), self.now),
                };
                let retry = self.run.find_step(path).and_then(|view| view.step().retry.as_ref().map(|retry| retry.attempts));
                if *attempt >= retry.unwrap_or(1) && fails() && self.hold_back(path) {
                    return Ok(true);
                }
                let until = self.now.saturating_add(told.takes).unwrap_or(self.now);
                // What ends at the last moment ends in time.
                let before = until.checked_sub(Duration::from_nanos(1)).unwrap_or(until);
                let timer = Timer::Retry { path: path.clone(), attempt: *attempt };
                if !told.takes.is_zero() && self.hold_back_within(path, &timer, before) {
                    return Ok(true);
                }
                self.record(Fact::AttemptStarted { path: path.clone(), attempt: *attempt })?;
                let end = match told.end {
                    Some(end) => end,
                    None => AttemptEnd::Succeeded { result: self.predicted(path, world) },
                };
                self.takes_until(path, until);
                Fact::AttemptFinished { path: path.clone(), attempt: *attempt, end }
            }
            Command::Stop { path, attempt } => {
                let end = AttemptEnd::Unknown { why: "a prediction does not stop".to_owned() };
                Fact::AttemptFinished { path: path.clone(), attempt: *attempt, end }
            }
            Command::Conclude { path } => match self.run.conclude(path, self.now) {
                Some(Fact::StepConcluded { path, outputs }) => {
                    let example = self.example(&path, world);
                    let outputs = match example {
                        // Where it fails instead, and the run goes on, it gives none.
                        None if self.is_predicted_survivor(&path) => unknown_outputs(&self.run, &path, outputs),
                        example => outputs_with(&self.run, &path, outputs, example),
                    };
                    if matches!(outputs, Evaluated::Failed(_)) && self.hold_back(&path) {
                        return Ok(true);
                    }
                    match &outputs {
                        Evaluated::Failed(failure) => self.fails(&path, &failure.message),
                        Evaluated::Value(_) => {
                            if let Some(failure) = self.run.concludes_without(&path, self.now) {
                                let why = failure.message.clone();
                                let outputs = Evaluated::Failed(failure);
                                self.fork(&path, &why, Fact::StepConcluded { path: path.clone(), outputs })?;
                            }
                        }
                    }
                    Fact::StepConcluded { path, outputs }
                }
                _ => return Ok(false),
            },
            Command::Judge { path, round } => {
                self.judge(path, *round, world)?;
                return Ok(true);
            }
            Command::Request { path, purpose } => match self.run.request(path.as_ref(), purpose, self.now) {
                Some(fact) => fact,
                None => return Ok(false),
            },
            Command::Await { decision } => {
                let Some(open) = self.run.decision(*decision) else { return Ok(false) };
                if open.votes.is_empty() {
                    self.show_request(open.clone(), budget);
                }
                let Some(open) = self.run.decision(*decision) else { return Ok(false) };
                let timer = Timer::Decision { decision: *decision, rung: open.rung };
                let (path, said) = (open.path.clone(), world.vote(&self.run, open));
                let Some(said) = said else {
                    let vote = self.assumed_vote(*decision, world);
                    self.record(Fact::Decided { decision: *decision, vote })?;
                    return Ok(true);
                };
                let at = said.at.max(self.now);
                let in_time = self.due(&timer).is_none_or(|due| at < due);
                // What is said in vain, or too late, changes nothing.
                let said = said.vote.filter(|_| in_time).and_then(|vote| self.run.check_vote(*decision, &vote).ok());
                let Some(decision::Verdict::Record(fact)) = said else {
                    return Ok(path.is_some_and(|path| self.hold_back_until(&path, &timer)));
                };
                if let Some(path) = path {
                    let rejects = matches!(&fact, Fact::Decided { vote, .. } if vote.choice == Choice::Reject);
                    if self.hold_back_within(&path, &timer, at) || rejects && self.hold_back(&path) {
                        return Ok(true);
                    }
                    self.takes_until(&path, at);
                }
                fact
            }
            Command::Wake { timer, at } => {
                self.passes(timer, *at)?;
                return Ok(true);
            }
            Command::Finish { outcome } => Fact::RunFinished { outcome: outcome.clone() },
        };
        self.record(fact)?;
        Ok(true)
    }

    /// Whether a step whose result nobody has seen may fail without ending its procedure.
    fn is_predicted_survivor(&self, path: &StepPath) -> bool {
        let view = self.run.find_step(path);
        let is_predicted = view.is_some_and(|view| view.step().verb.acts() && view.result().first_unknown().is_some());
        is_predicted && self.run.survives_failure(path)
    }

    /// This way once more, for what else may be from here on.
    pub(super) fn apart(&self) -> Way {
        Way { forks: Vec::new(), ..self.clone() }
    }

    /// What a run lacks may make a step fail: on a way of its own.
    fn fork(&mut self, path: &StepPath, why: &str, fact: Fact) -> Result<(), IllegalEvent> {
        let mut other = self.apart();
        other.fails(path, why);
        other.record(fact)?;
        self.forks.push(other);
        Ok(())
    }

    /// The step that a fact may make fail.
    fn subject(&self, fact: &Fact) -> Option<StepPath> {
        match fact {
            Fact::AttemptFinished { path, .. }
            | Fact::ConditionJudged { path, .. }
            | Fact::StepConcluded { path, .. }
            | Fact::StepResolved { path, .. } => Some(path.clone()),
            Fact::TimerFired { timer: Timer::Step { path }, .. } => Some(path.clone()),
            Fact::TimerFired { timer: Timer::Decision { decision, .. }, .. } | Fact::Decided { decision, .. } => {
                self.run.decision(*decision)?.path.clone()
            }
            _ => None,
        }
    }

    fn sight(&self, path: &StepPath, sure: bool) -> Sight {
        if let Some(changes) = self.changed_by(path) {
            return Sight::Changed(changes);
        }
        let seen = self.seen.iter().rev().find(|seen| seen.path == *path);
        match seen.is_some_and(|seen| seen.does.iter().all(|doing| doing.open.is_empty())) {
            // What is held back may end a run before it comes here.
            true if sure && !self.holds_back() => Sight::Clear,
            true => Sight::Doubtful,
            false => Sight::Open,
        }
    }

    /// What changes something that a step looks at, on one of the ways that this one stands for: before it, or beside it.
    fn changed_by(&self, path: &StepPath) -> Option<StepPath> {
        let plan = self.run.plan();
        self.changes.clone().filter(|changes| changes != path).or_else(|| {
            let changes_beside = |around: &StepView<'_>| match &around.step().verb {
                verb if !verb.runs_at_once() => false,
                Verb::Parallel { branches, .. } => branches.iter().any(|(name, body)| {
                    let is_own = path.as_str().starts_with(&format!("{}.{name}/", around.path()));
                    !is_own && body.iter().any(|ix| plan.step(*ix).effect.changes())
                }),
                _ => around.step().effect.changes(),
            };
            self.run.around(path).find(changes_beside).map(|around| around.path().clone())
        })
    }

    /// The result of an attempt that nobody has made.
    fn unseen(&self, path: &StepPath) -> Value {
        let work = self.run.find_step(path).and_then(|view| view.work().cloned());
        predicted_result(work.as_ref().map(|work| &work.task), path.label())
    }

    /// What an attempt of the step gives, as far as that is known before anybody has made it.
    fn predicted(&mut self, path: &StepPath, world: &dyn World) -> Value {
        let mut result = self.unseen(path);
        if self.run.survives_failure(path)
            && let Value::Map(map) = &mut result
            && let Some(code) = map.get_mut("exit_code")
        {
            *code = Value::Unknown(format!("steps.{}.exit_code", path.label()));
        }
        match self.example(path, world) {
            Some(Value::Map(example)) => overlaid(result, example),
            Some(example) => example,
            None => result,
        }
    }

    fn judge(&mut self, path: &StepPath, round: u32, world: &mut dyn World) -> Result<(), IllegalEvent> {
        if let Some(failure) = self.run.judges_without(path, self.now).filter(|_| !self.held_back.holds(path)) {
            let why = failure.message.clone();
            self.fork(path, &why, Fact::ConditionJudged { path: path.clone(), round, holds: Evaluated::Failed(failure) })?;
        }
        let holds = match self.run.foresee(path, self.now) {
            Ok(Some(true)) => Evaluated::Value(true),
            Ok(Some(false)) => return self.not_yet(path, round, world),
            // An unknown condition is taken to hold: the loop is shown once.
            Ok(None) => {
                self.open(path, "how often it looks depends on what it finds; it is shown once");
                Evaluated::Value(true)
            }
            Err(_) if self.hold_back(path) => return Ok(()),
            Err(failure) => {
                self.fails(path, &failure.message);
                Evaluated::Failed(failure)
            }
        };
        self.record(Fact::ConditionJudged { path: path.clone(), round, holds })
    }

    /// A condition that is known not to hold. Unless others say what it looks at, that will not be another by the next time, and
    /// the time of a `wait` runs out.
    fn not_yet(&mut self, path: &StepPath, round: u32, world: &mut dyn World) -> Result<(), IllegalEvent> {
        let later = world.later(&self.run, path);
        let verb = self.run.find_step(path).map(|view| &view.step().verb);
        let wait = later == Later::Same && matches!(verb, Some(Verb::Wait(_)));
        let last = matches!(verb, Some(Verb::Repeat { times, .. }) if round >= *times);
        if wait && self.hold_back_until(path, &Timer::Step { path: path.clone() }) || last && self.hold_back(path) {
            return Ok(());
        }
        self.record(Fact::ConditionJudged { path: path.clone(), round, holds: Evaluated::Value(false) })
    }

    fn show_request(&mut self, decision: Decision, budget: &mut Budget) {
        let rungs = self.run.rungs(&decision);
        let escalation = rungs.map(|(rung, within)| PredictedRung { to: rung.to.clone(), channels: rung.channels.clone(), within });
        let shown = PredictedRequest {
            purpose: decision.purpose.clone(),
            escalation: escalation.collect(),
            request: (*decision.request).clone(),
        };
        budget.keep(&shown);
        if let Some(path) = &decision.path {
            self.change(path, |doing| {
                if !doing.requests.contains(&shown) {
                    doing.requests.push(shown.clone());
                }
            });
        }
    }

    /// People are taken to agree.
    fn assumed_vote(&mut self, decision: DecisionId, world: &dyn World) -> Vote {
        let open = self.run.decision(decision).cloned();
        let person = open.as_ref().map_or(1, |open| open.votes.len() + 1);
        let path = open.as_ref().and_then(|open| open.path.clone());
        let fields = open.as_ref().map(|open| open.request.fields.clone()).unwrap_or_default();
        let evidence = open.as_ref().is_some_and(|open| open.request.evidence.is_some());
        let mut answers = predicted_answers(&fields, evidence, path.as_ref().map_or("", StepPath::label));
        if let (false, Some(Value::Map(example))) = (fields.is_empty(), path.and_then(|path| self.example(&path, world))) {
            answers.extend(example);
        }
        let by = Identity { person: format!("person {person}"), means: Means::Engine };
        let choice = match open.as_ref().map(|open| open.request.choices.as_slice()).unwrap_or_default() {
            // To look again, or do it again, would be asked for again.
            choices if choices.contains(&Choice::Done) => Choice::Done,
            choices => choices.first().copied().unwrap_or(Choice::Approve),
        };
        let digest = open.map_or_else(|| crate::id::Digest::of_bytes(b""), |open| open.request.digest.clone());
        Vote { answers, ..Vote::new(by, choice, digest) }
    }

    /// The turn of a step: it is resolved, or, where it ends what runs beside it, does so now.
    pub fn turn(mut self, path: &StepPath, world: &mut dyn World, budget: &mut Budget) -> Result<Vec<Way>, IllegalEvent> {
        if self.runs_out(path)? {
            return Ok(vec![self]);
        }
        match self.command_of(path) {
            None | Some(Command::Resolve { .. }) => self.resolve(path, budget),
            Some(Command::Wake { timer, at }) if self.is_left_before(path, &timer, at)? => Ok(vec![self]),
            Some(command) => {
                self.answer(&command, world, false, budget)?;
                Ok(vec![self])
            }
        }
    }

    /// Resolves a step; where that rests on something unknown, gives one way for each possibility.
    fn resolve(mut self, path: &StepPath, budget: &mut Budget) -> Result<Vec<Way>, IllegalEvent> {
        let mut prospects = self.run.prospects(path, self.now, &self.assumed);
        prospects.iter_mut().for_each(|prospect| self.by_the_hour(path, prospect));
        let ends = |prospect: &Prospect| match &prospect.resolution {
            Resolution::Fail { .. } | Resolution::Finish { .. } => true,
            Resolution::Checked { failures } => !failures.is_empty(),
            _ => false,
        };
        if prospects.iter().any(ends) && self.hold_back(path) {
            return Ok(vec![self]);
        }
        let Some(step) = self.run.find_step(path).map(|view| view.step_ix()) else { return Ok(vec![self]) };
        let last = prospects.len().saturating_sub(1);
        let mut own = Some(self);
        let mut ways = Vec::new();
        for (place, prospect) in prospects.into_iter().enumerate() {
            let way = if place == last { own.take() } else { own.clone() };
            if let Some(mut way) = way {
                budget.steps = budget.steps.saturating_sub(1);
                way.take(path, step, prospect, budget)?;
                ways.push(way);
            }
        }
        Ok(ways)
    }

    fn take(&mut self, path: &StepPath, step: StepIx, prospect: Prospect, budget: &mut Budget) -> Result<(), IllegalEvent> {
        let skipped = match &prospect.resolution {
            Resolution::Skip { reason } => Some(reason.clone()),
            _ => None,
        };
        let does = if skipped.is_none() { self.doing(path, &prospect) } else { None };
        budget.keep(&prospect.resolution);
        if let Some(doing) = &does {
            budget.keep(&(&doing.title, &doing.why, &doing.undo, &doing.repeats));
        }
        self.assumed.extend(prospect.assumes);
        let seen = Seen {
            place: self.run.place(path),
            path: path.clone(),
            step,
            number: self.run.find_step(path).map(|view| view.number()).unwrap_or_default(),
            always: true,
            parts: match &prospect.resolution {
                Resolution::Items { items, .. } if prospect.is_pattern => match items.is_empty() {
                    true => Parts::None,
                    false => Parts::Pattern,
                },
                _ => Parts::Known,
            },
            skipped,
            doubt: prospect.because,
            does: does.into_iter().collect(),
        };
        let declared = self.run.plan().step(step);
        if declared.effect.changes() && !declared.verb.is_container() && seen.finishes() {
            self.changes.get_or_insert_with(|| path.clone());
        }
        let tolerates = declared.verb.tolerates();
        if seen.parts == Parts::Pattern && tolerates {
            self.bearing.push(path.clone());
        }
        seen::insert(&mut self.seen, seen);
        let resolution = match prospect.resolution {
            Resolution::Values(values) => Resolution::Values(named(values, path.label())),
            other => other,
        };
        self.record(Fact::StepResolved { path: path.clone(), resolution })
    }

    fn doing(&self, path: &StepPath, prospect: &Prospect) -> Option<Doing> {
        let view = self.run.find_step(path)?;
        let work = if let Resolution::Work(work) = &prospect.resolution { Some((**work).clone()) } else { None };
        let fails = match &prospect.resolution {
            Resolution::Fail { error } => Some(error.message.clone()),
            Resolution::Checked { failures } if !failures.is_empty() => Some(failures.join("; ")),
            _ => None,
        };
        Some(Doing {
            title: work.as_ref().map_or_else(|| view.title(), |work| work.title.clone()),
            why: view.why(),
            open: prospect.open.clone(),
            closed: prospect.closed.clone(),
            fails,
            is_broken: false,
            work,
            requests: Vec::new(),
            waits: match (&view.step().verb, &prospect.resolution) {
                (Verb::Wait(wait), Resolution::Wait { until: Some(until) })
                    if matches!(wait.what, WaitFor::Duration(_)) && prospect.open.is_empty() =>
                {
                    Duration::try_from(until.duration_since(self.now)).ok()
                }
                _ => None,
            },
            undo: undo_of(view.step(), view.undo()),
            repeats: repeats(view.step(), prospect),
            ends: match &prospect.resolution {
                Resolution::Finish { outcome, message } => {
                    let what = passed::ended(self.run.plan(), path);
                    Some(PredictedEnd { what, outcome: *outcome, message: message.clone() })
                }
                _ => None,
            },
            waves: match &prospect.resolution {
                Resolution::Items { waves, .. } if !prospect.is_pattern => Some(waves.clone()),
                _ => None,
            },
            notes: Vec::new(),
        })
    }

    /// The example that stands for what the step at `path` gives, where examples are asked for.
    fn example(&mut self, path: &StepPath, world: &dyn World) -> Option<Value> {
        if !self.examples && !world.takes_example(&self.run, path) {
            return None;
        }
        let example = self.run.find_step(path)?.step().example.clone()?;
        self.note(path, "what it gives is taken from its example");
        Some(example)
    }

    /// Changes what was last seen of a step that runs.
    fn change(&mut self, path: &StepPath, change: impl Fn(&mut Doing)) {
        if let Some(seen) = self.seen.iter_mut().rev().find(|seen| seen.path == *path) {
            Arc::make_mut(seen).does.iter_mut().for_each(change);
        }
    }

    /// Of a wait for an event it is known after all what comes, or that nothing does.
    fn is_told_what_comes(&mut self, path: &StepPath) {
        let within = self.run.find_step(path).and_then(|view| match &view.step().verb {
            Verb::Listen(listen) => Some(listen.within),
            _ => None,
        });
        if let Some(doubt) = within.map(may_not_come) {
            self.change(path, |doing| doing.open.retain(|open| *open != doubt));
        }
    }

    fn note(&mut self, path: &StepPath, note: &str) {
        self.change(path, |doing| add(&mut doing.notes, note));
    }

    fn open(&mut self, path: &StepPath, what: &str) {
        self.change(path, |doing| add(&mut doing.open, what));
    }

    /// Says of a step that has failed why it did.
    fn tell_failure(&mut self, path: &StepPath) {
        let view = self.run.find_step(path);
        let failed = view.filter(|view| matches!(view.standing(), Standing::Ended(outcome) if outcome != StepOutcome::Succeeded));
        if let Some(why) = failed.and_then(|view| view.note().cloned()) {
            self.fails(path, &why.message);
        }
    }

    pub(super) fn fails(&mut self, path: &StepPath, why: &str) {
        self.change(path, |doing| {
            doing.fails.get_or_insert_with(|| why.to_owned());
        });
    }
}

pub(super) fn add(list: &mut Vec<String>, text: &str) {
    if !list.iter().any(|known| known == text) {
        list.push(text.to_owned());
    }
}

fn undo_of(step: &Step, steps: Vec<UndoStep>) -> PredictedUndo {
    match (&step.irreversible, steps.is_empty()) {
        (_, false) => PredictedUndo::Steps(steps),
        (Some(reason), true) => PredictedUndo::Irreversible(reason.clone()),
        (None, true) if step.effect.changes() && !step.verb.is_container() && !matches!(step.verb, Verb::Notify { .. }) => {
            if step.idempotent { PredictedUndo::Repeatable } else { PredictedUndo::None }
        }
        (None, true) => PredictedUndo::NotNeeded,
    }
}

/// How often the parts of a step are done, in words; nothing where that is once.
fn repeats(step: &Step, prospect: &Prospect) -> Option<String> {
    let resolution = &prospect.resolution;
    Some(match (&step.verb, resolution) {
        (Verb::Each(each), Resolution::Items { .. }) if prospect.is_pattern => {
            format!("for each `{}` of {}; shown once, as a pattern", each.r#as, quoted(each.items.source.trim()))
        }
        (Verb::Each(_), Resolution::Items { items, .. }) => match items.len() {
            1 => "for 1 item".to_owned(),
            count => format!("for {count} items"),
        },
        (Verb::Repeat { until, times, .. }, _) => format!("until {}, {times} times at most", quoted(until.source.trim())),
        (Verb::Wait(wait), _) => match &wait.what {
            WaitFor::Until { until, .. } if !matches!(resolution, Resolution::Wait { until: Some(_) }) => {
                format!("until {}, looking every {}", quoted(until.source.trim()), crate::value::format_duration(wait.every))
            }
            _ => return None,
        },
        _ => return None,
    })
}

/// What an action's result is before anybody has run it: its parts are known by name only.
pub(crate) fn predicted_result(task: Option<&Task>, label: &str) -> Value {
    let parts: &[&str] = match task {
        Some(Task::Run { .. } | Task::Exec { .. }) => &["stdout", "stderr", "json"],
        Some(Task::Http(_)) => &["status", "headers", "body", "json"],
        Some(Task::Event(_)) => &["event", "number"],
        _ => return Value::Unknown(format!("steps.{label}")),
    };
    let mut result: Map = parts.iter().map(|p| ((*p).to_owned(), Value::Unknown(format!("steps.{label}.{p}")))).collect();
    if let Some(Task::Run { .. } | Task::Exec { .. }) = task {
        // A prediction takes the step to succeed, and then there is only one exit code.
        result.insert("exit_code".to_owned(), Value::Int(0));
    }
    Value::Map(result)
}

/// Answers that nobody has given yet.
pub(crate) fn predicted_answers(fields: &[InputSpec], evidence: bool, label: &str) -> Map {
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
    match (example, outputs) {
        // An output that cannot be evaluated on an example of the outputs is no fault of the procedure.
        (Some(Value::Map(example)), Evaluated::Failed(_)) => Evaluated::Value(example),
        (example, Evaluated::Value(outputs)) => {
            let mut outputs = named(outputs, read_as(run, path));
            if let Some(Value::Map(example)) = example {
                outputs.extend(example);
            }
            Evaluated::Value(outputs)
        }
        (_, failed) => failed,
    }
}

/// Under which name later steps read it.
fn read_as<'a>(run: &'a Run, path: &'a StepPath) -> &'a str {
    let id = run.find_step(path).and_then(|view| view.step().id.as_ref());
    id.map_or(path.label(), |id| id.as_str())
}

/// The same of a step that may give none of them.
fn unknown_outputs(run: &Run, path: &StepPath, outputs: Evaluated<Map>) -> Evaluated<Map> {
    let Evaluated::Value(outputs) = outputs else { return outputs };
    let step = read_as(run, path);
    Evaluated::Value(outputs.into_keys().map(|name| (name.clone(), Value::Unknown(format!("steps.{step}.{name}")))).collect())
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
