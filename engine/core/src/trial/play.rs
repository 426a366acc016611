//! Plays a case: answers every command of the run as the case says, in the order of the run's own clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::stand_in::{End, come_to, failure, stand_in, whole};
use super::{Incomplete, select};
use crate::diagnostic::Span;
use crate::document::clipped;
use crate::document::procedure::ProcedureKind;
use crate::document::test::{Answer, Case, StandIn, StandInEnd};
use crate::explore::{named, outputs_with};
use crate::id::{DecisionId, RunId, StepPath};
use crate::limits;
use crate::plan::{Plan, Verb};
use crate::run::decision::{Choice, Decision, Purpose, Verdict};
use crate::run::event::{AttemptEnd, Identity, Means, Resolution, RunStarted, Timer, Vote};
use crate::run::start::StartError;
use crate::run::view::{Standing, StepView};
use crate::run::{Assumed, Command, Event, Fact, IllegalEvent, Run};
use crate::value::Value;

/// When a run starts whose case does not say: a Thursday.
const START: &str = "2026-01-01T00:00:00Z";

/// Whose run it is where the case does not say.
pub(super) const OPERATOR: &str = "operator";

/// Where a stand-in or an answer stands in a case: the step as [`whole`] names it, and the place in its list.
pub(super) type Place = (String, usize);

/// What a run did not do by itself, in the order in which its record has it.
#[derive(Clone, Debug)]
pub(super) enum Outside {
    End(StepPath, u32),
    Timer(Timer),
    Vote(Place),
    Cancel,
    Crash,
}

#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub at: Timestamp,
    pub what: Outside,
    /// Together with what came before it: the run did nothing in between.
    pub beside: bool,
}

/// How long everything of a case takes.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub took: BTreeMap<Place, Duration>,
    /// From the question, or from the answer before.
    pub waited: BTreeMap<Place, Duration>,
    pub cancelled: Option<Duration>,
}

pub(super) struct Play<'c> {
    case: &'c Case,
    pub run: Run,
    pub events: Vec<Event>,
    now: Timestamp,
    /// What the run wants, in the order in which it came to want it.
    queue: VecDeque<Command>,
    /// Attempts that may start.
    ready: VecDeque<(StepPath, u32)>,
    /// Attempts under way: when and how each ends.
    ends: BTreeMap<(StepPath, u32), Attempt>,
    /// Votes that will be cast, the earliest first; those of one time in the order in which they are written.
    votes: BTreeMap<(Timestamp, usize), (DecisionId, &'c Answer, Place)>,
    cast: usize,
    /// Questions whose answers are among the votes, or were.
    asked: BTreeSet<DecisionId>,
    /// Answers that have been used, by the step that asked.
    used: BTreeMap<String, usize>,
    /// Attempts that have begun, by step.
    begun: BTreeMap<String, usize>,
    epoch: u64,
    /// When somebody will end the run.
    cancel: Option<Timestamp>,
    /// How long things took, where a record says in which order they came about.
    times: Times,
}

/// An attempt under way.
struct Attempt {
    place: Place,
    began: Timestamp,
    ends: Timestamp,
    end: End,
}

impl<'c> Play<'c> {
    pub fn new(case: &'c Case, plan: &Arc<Plan>) -> Play<'c> {
        Play {
            case,
            cancel: case.setting.cancel.as_ref().and_then(|cancel| starts_at(case).saturating_add(cancel.after).ok()),
            run: Run::new(plan.clone()),
            events: Vec::new(),
            now: starts_at(case),
            queue: VecDeque::new(),
            ready: VecDeque::new(),
            ends: BTreeMap::new(),
            votes: BTreeMap::new(),
            cast: 0,
            asked: BTreeSet::new(),
            used: BTreeMap::new(),
            begun: BTreeMap::new(),
            epoch: 1,
            times: Times::default(),
        }
    }

    pub fn begin(&mut self) -> Result<(), Incomplete> {
        let plan = self.run.plan().clone();
        let started = started(self.case, &plan);
        let started = started.map_err(|error| Incomplete {
            at: None,
            message: error.to_string().replace('\n', "; "),
            help: "correct `inputs` of the case".to_owned(),
        })?;
        self.record(Fact::RunStarted(Box::new(started)))
    }

    /// Goes on until the run ends, or until only people could make it go on and nobody will say anything.
    pub fn go_on(&mut self) -> Result<(), Incomplete> {
        while self.run.outcome().is_none() {
            self.settle()?;
            if self.run.outcome().is_none() && !self.later()? {
                break;
            }
        }
        Ok(())
    }

    /// Goes on as a record says, as far as it goes: what came about one after the other does so here, a millisecond apart at least, and
    /// how long that took is kept.
    pub fn follow(mut self, script: &[Happened], apart: bool) -> Result<Times, Incomplete> {
        let mut asked: BTreeMap<DecisionId, Timestamp> = BTreeMap::new();
        for Happened { at, what, beside } in script {
            let beside = *beside && !apart;
            if !beside {
                self.settle()?;
            }
            let next = if beside { self.now } else { (*at).max(self.after(Duration::from_millis(1))) };
            match what {
                Outside::Timer(timer) => {
                    let Some(due) = self.timers().find(|(_, wanted)| *wanted == timer).map(|(due, _)| due) else { continue };
                    self.now = self.now.max(due);
                    self.record(Fact::fired(timer.clone()))?;
                }
                Outside::End(path, attempt) => {
                    let Some(ended) = self.ends.remove(&(path.clone(), *attempt)) else { continue };
                    self.now = next;
                    self.times.took.insert(ended.place, since(ended.began, next));
                    self.end(path.clone(), *attempt, ended.end)?;
                }
                Outside::Vote(place) => {
                    let key = self.votes.iter().find(|(_, (.., said))| said == place).map(|(key, _)| *key);
                    let Some((decision, answer, place)) = key.and_then(|key| self.votes.remove(&key)) else { continue };
                    let before = asked.get(&decision).copied();
                    let before = before.or_else(|| self.run.decision(decision).map(|asked| asked.requested_at));
                    self.now = next;
                    self.times.waited.insert(place, since(before.unwrap_or(next), next));
                    asked.insert(decision, next);
                    self.say(decision, answer)?;
                }
                Outside::Cancel => {
                    self.now = next;
                    self.times.cancelled = self.run.started_at().map(|started| since(started, next));
                    self.cancel()?;
                }
                Outside::Crash => {
                    self.now = next;
                    for attempt in self.ends.values() {
                        self.times.took.insert(attempt.place.clone(), since(attempt.began, next));
                    }
                    self.crash()?;
                }
            }
        }
        Ok(self.times)
    }

    fn record(&mut self, fact: Fact) -> Result<(), Incomplete> {
        if self.run.seq() >= limits::RUN_EVENTS {
            let last =
                self.run.steps().last().map(|view| format!(", the last of them about `{}`", view.path())).unwrap_or_default();
            let message = format!("it has more than the {} events that a run may have{last}", limits::RUN_EVENTS);
            return Err(self.incomplete(None, message, "make it smaller, or say what ends its loops"));
        }
        // No prediction: the clock is known, and who answered.
        let event = Event { run: RunId::from_parts(0, 1), seq: self.run.seq() + 1, at: self.now, fact: fact.that_fits() };
        let commands = self.run.apply(&event).map_err(|illegal| self.illegal(&illegal))?;
        self.queue.extend(commands);
        self.events.push(event);
        Ok(())
    }

    fn illegal(&self, illegal: &IllegalEvent) -> Incomplete {
        self.incomplete(None, illegal.to_string(), "this is a fault of `runbook` itself; please report it with the case")
    }

    fn incomplete(&self, at: Option<Span>, message: String, help: &str) -> Incomplete {
        Incomplete { at, message, help: help.to_owned() }
    }

    /// Does and starts all that needs no time.
    fn settle(&mut self) -> Result<(), Incomplete> {
        loop {
            self.at_once()?;
            self.start_ready()?;
            if self.queue.is_empty() {
                return Ok(());
            }
        }
    }

    /// Does what needs no time, in the order in which the engine does it.
    fn at_once(&mut self) -> Result<(), Incomplete> {
        while let Some(command) = self.queue.pop_front() {
            if !self.run.wants(&command) {
                continue;
            }
            if let Some(fact) = self.fact(command)? {
                self.record(fact)?;
            }
        }
        Ok(())
    }

    /// Starts what may start.
    fn start_ready(&mut self) -> Result<(), Incomplete> {
        while self.ends.len() < limits::PARALLEL {
            let Some((path, attempt)) = self.ready.pop_front() else { break };
            if !self.run.wants(&Command::Perform { path: path.clone(), attempt }) {
                continue;
            }
            if let Some(refused) = self.run.too_late(&path, self.now) {
                self.record(refused)?;
                continue;
            }
            self.start(&path, attempt);
            self.record(Fact::AttemptStarted { path, attempt })?;
        }
        Ok(())
    }

    fn fact(&mut self, command: Command) -> Result<Option<Fact>, Incomplete> {
        Ok(match command {
            Command::TakeLock { lock } => Some(Fact::LockTaken { lock }),
            Command::Finish { outcome } => Some(Fact::RunFinished { outcome }),
            Command::Resolve { path } => self.resolve(&path)?,
            Command::Conclude { path } => self.run.conclude(&path, self.now).map(|fact| self.concluded(fact)),
            Command::Judge { path, .. } => {
                if let Ok(None) = self.run.foresee(&path, self.now) {
                    return Err(self.unknown(&path, "whether its condition holds", None));
                }
                self.run.judge(&path, self.now)
            }
            Command::Request { path, purpose } => self.run.request(path.as_ref(), &purpose, self.now),
            Command::Perform { path, attempt } => {
                self.ready.push_back((path, attempt));
                None
            }
            Command::Stop { path, attempt } => {
                let Some(stopped) = self.ends.remove(&(path.clone(), attempt)) else { return Ok(None) };
                self.times.took.insert(stopped.place, since(stopped.began, self.now));
                let end = AttemptEnd::Cancelled { failure: failure("it was stopped".to_owned()), result: Value::Null };
                Some(Fact::AttemptFinished { path, attempt, end })
            }
            Command::Await { decision } => {
                self.plan_votes(decision)?;
                None
            }
            Command::Wake { .. } => None,
        })
    }

    /// Goes to the next moment at which something happens. False where nothing ever will.
    fn later(&mut self) -> Result<bool, Incomplete> {
        let end = self.ends.values().map(|attempt| attempt.ends).min();
        let vote = self.votes.keys().next().map(|(at, _)| *at);
        let timer = self.timers().map(|(at, _)| at).min();
        let soonest = [end, vote, timer, self.cancel];
        let Some(at) = soonest.into_iter().flatten().min() else { return Ok(false) };
        self.now = self.now.max(at);
        // What happens at one moment does so before the run goes on. What ends at the last moment ends in time; what is said then is said
        // too late, as in a run.
        while let Some(key) = self.ends.iter().find(|(_, attempt)| attempt.ends <= at).map(|(key, _)| key.clone()) {
            if let Some(ended) = self.ends.remove(&key) {
                self.end(key.0, key.1, ended.end)?;
            }
        }
        let mut due: Vec<(Timestamp, Timer)> =
            self.timers().filter(|(due, _)| *due <= at).map(|(at, timer)| (at, timer.clone())).collect();
        due.sort();
        for (at, timer) in due {
            if self.run.wants(&Command::Wake { timer: timer.clone(), at }) {
                self.record(Fact::fired(timer))?;
            }
        }
        if self.cancel.take_if(|due| *due <= at).is_some() {
            self.cancel()?;
        }
        while let Some(entry) = self.votes.first_entry().filter(|entry| entry.key().0 <= at) {
            let (decision, answer, _) = entry.remove();
            self.say(decision, answer)?;
        }
        Ok(true)
    }

    fn timers(&self) -> impl Iterator<Item = (Timestamp, &Timer)> {
        self.run.wanted().filter_map(|command| match command {
            Command::Wake { timer, at } => Some((*at, timer)),
            _ => None,
        })
    }

    /// Somebody ends the run, if they do not come too late.
    fn cancel(&mut self) -> Result<(), Incomplete> {
        let Some(cancel) = self.case.setting.cancel.as_ref().filter(|_| self.run.can_cancel()) else { return Ok(()) };
        let requester = self.run.start().map(|started| started.requested_by.clone());
        let named = cancel.by.as_ref().map(|by| identity(self.run.plan(), &by.value, false));
        let by = named.or(requester).unwrap_or_else(|| identity(self.run.plan(), OPERATOR, false));
        let reason = cancel.reason.as_ref().map(|reason| reason.value.clone()).unwrap_or_default();
        self.record(Fact::CancelRequested { by, undo: cancel.undo, reason })
    }

    fn end(&mut self, path: StepPath, attempt: u32, end: End) -> Result<(), Incomplete> {
        let view = self.run.find_step(&path);
        let is_over = |view: StepView<'_>| matches!(view.step().verb, Verb::Listen(_)) && view.standing() != Standing::Listening;
        if view.is_some_and(is_over) {
            return Ok(());
        }
        match end {
            End::Never => Ok(()),
            End::As(end) => self.record(Fact::AttemptFinished { path, attempt, end }),
            End::Crash => self.crash(),
            End::Then(end) => {
                self.record(Fact::AttemptFinished { path, attempt, end })?;
                self.crash()
            }
        }
    }

    /// The engine stops, and another takes the run up: nobody knows how what was under way has ended.
    fn crash(&mut self) -> Result<(), Incomplete> {
        // An event comes all the same.
        let listening: BTreeSet<&StepPath> = self.run.listening_at().collect();
        self.ends.retain(|(path, _), _| listening.contains(path));
        self.queue.clear();
        self.ready.clear();
        self.epoch += 1;
        let by = Identity { person: OPERATOR.to_owned(), means: Means::Engine };
        self.record(Fact::RunAdopted { by, epoch: self.epoch })?;
        for (path, attempt) in self.run.under_way() {
            let why = "the engine stopped while it was under way".to_owned();
            self.record(Fact::AttemptFinished { path, attempt, end: AttemptEnd::Unknown { why } })?;
        }
        self.queue.extend(self.run.pending());
        Ok(())
    }

    fn resolve(&self, path: &StepPath) -> Result<Option<Fact>, Incomplete> {
        let prospects = self.run.prospects(path, self.now, &Assumed::default());
        let because = prospects.iter().find_map(|prospect| prospect.because.clone());
        let [prospect] = prospects.as_slice() else {
            return Err(self.unknown(path, "whether it runs", because));
        };
        if let Some(because) = because {
            return Err(self.unknown(path, "whether it runs", Some(because)));
        }
        // A text may hold what is not known; what is done with it is not known either, and nothing else depends on that.
        let rests_on_it = !matches!(prospect.resolution, Resolution::Work(_) | Resolution::Ask | Resolution::Values(_));
        match prospect.open.first().filter(|_| rests_on_it) {
            Some(open) => Err(self.unknown(path, "what it does", Some(open.clone()))),
            // Judged as in a run: a prediction takes no closed window for a failure.
            None => Ok(match self.run.resolve(path, self.now) {
                Some(Fact::StepResolved { path, resolution: Resolution::Values(values) }) => {
                    let resolution = Resolution::Values(named(values, path.label()));
                    Some(Fact::StepResolved { path, resolution })
                }
                other => other,
            }),
        }
    }

    fn unknown(&self, path: &StepPath, what: &str, because: Option<String>) -> Incomplete {
        let help = match because.as_deref() {
            Some(because) if because.ends_with(" depends on event") => "say under `event` of the case which one starts it",
            _ => "say under `steps` what the step that it depends on gives",
        };
        let because = because.map(|because| format!(": {because}")).unwrap_or_default();
        self.incomplete(None, format!("nothing says of `{path}` {what}{because}"), help)
    }

    fn concluded(&self, fact: Fact) -> Fact {
        let Fact::StepConcluded { path, outputs } = fact else { return fact };
        let asked = self.last_stand_in(&path).is_some_and(|stand_in| stand_in.end == StandInEnd::Example);
        let example = self.run.find_step(&path).filter(|_| asked).and_then(|view| view.step().example.clone());
        let outputs = outputs_with(&self.run, &path, outputs, example);
        Fact::StepConcluded { path, outputs }
    }

    /// What stood in for the last attempt that began.
    fn last_stand_in(&self, path: &StepPath) -> Option<&'c StandIn> {
        let begun = self.begun.get(&whole(&self.run, path)).copied().unwrap_or_default();
        stand_in(self.case, path, begun.saturating_sub(1))
    }

    fn start(&mut self, path: &StepPath, attempt: u32) {
        let Some(view) = self.run.find_step(path) else { return };
        let work = view.work().cloned();
        let whole = whole(&self.run, path);
        let begun = self.begun.entry(whole.clone()).or_default();
        *begun += 1;
        let before = *begun - 1;
        let (end, takes) = come_to(stand_in(self.case, path, before), work.as_deref(), path);
        // What waits for an event that does not come is ended by its time.
        if matches!(end, End::Never) {
            return;
        }
        let under_way = Attempt { place: (whole, before), began: self.now, ends: self.after(takes), end };
        self.ends.insert((path.clone(), attempt), under_way);
    }

    fn after(&self, time: Duration) -> Timestamp {
        self.now.saturating_add(time).unwrap_or(Timestamp::MAX)
    }

    /// Lays out the votes on a question, once.
    fn plan_votes(&mut self, decision: DecisionId) -> Result<(), Incomplete> {
        if !self.asked.insert(decision) {
            return Ok(());
        }
        let Some(open) = self.run.decision(decision) else { return Ok(()) };
        let path = open.path.clone().unwrap_or_else(|| StepPath::within("", "run"));
        let (question, count) = (open.request.question.clone(), open.request.count as usize);
        let whole = whole(&self.run, &path);
        let used = self.used.get(&whole).copied().unwrap_or_default();
        let answers = select::best(&self.case.setting.answers, &path).map_or(&[][..], Vec::as_slice);
        let left = answers.get(used..).unwrap_or_default();
        if left.is_empty() {
            let message = format!("nothing says what people answer `{path}`: {}", question.trim());
            let help = "answer it under `answers`, or say `nobody`";
            return Err(self.incomplete(None, message, help));
        }
        let mut at = self.now;
        let mut taken = 0;
        for answer in left.iter().take(count.max(1)) {
            taken += 1;
            if answer.say.is_none() {
                break;
            }
            at = at.saturating_add(answer.after).unwrap_or(Timestamp::MAX);
            self.cast += 1;
            self.votes.insert((at, self.cast), (decision, answer, (whole.clone(), used + taken - 1)));
            // One no is enough.
            if answer.say != Some(Choice::Approve) {
                break;
            }
        }
        self.used.insert(whole, used + taken);
        Ok(())
    }

    fn say(&mut self, decision: DecisionId, answer: &'c Answer) -> Result<(), Incomplete> {
        // What is said too late, or after the question has lost its object, changes nothing.
        let Some(open) = self.run.decision(decision).filter(|asked| asked.is_open()) else { return Ok(()) };
        let Some(vote) = vote(&self.run, open, answer)? else { return Ok(()) };
        match self.run.check_vote(decision, &vote) {
            Ok(Verdict::Record(fact)) => self.record(fact),
            Ok(Verdict::AlreadySaid) => Ok(()),
            Err(refusal) => {
                // At one step people may be asked several things, one after the other.
                let at = open.path.as_ref().map(|path| format!(" of `{path}`")).unwrap_or_default();
                let asked = match &open.purpose {
                    Purpose::Gate { rule } => format!("the approval{at} that the rule `{rule}` asks for"),
                    _ => format!("the question{at} ({})", clipped(open.request.question.trim())),
                };
                let message = format!("{asked} does not take the answer: {refusal}");
                Err(self.incomplete(Some(answer.span), message, "correct the answer, or put the one that it asks for before it"))
            }
        }
    }
}

/// What an answer says to a question; `None` where it says that nobody does.
pub(super) fn vote(run: &Run, open: &Decision, answer: &Answer) -> Result<Option<Vote>, Incomplete> {
    let Some(choice) = answer.say else { return Ok(None) };
    let by = voter(run, open, answer)?;
    Ok(Some(Vote {
        reason: reason(answer, choice),
        answers: answer.with.clone(),
        ..Vote::new(by, choice, open.request.digest.clone())
    }))
}

/// Whose answer it is: the person that the case names, else the first who may give it and has not.
fn voter(run: &Run, open: &Decision, answer: &Answer) -> Result<Identity, Incomplete> {
    let incomplete = |at: Span, message: String, help: &str| Incomplete { at: Some(at), message, help: help.to_owned() };
    let plan = run.plan();
    let Some(started) = run.start() else { return Ok(identity(plan, OPERATOR, false)) };
    let asked = run.asked(open);
    let may = |who: &str| {
        let by = identity(plan, who, open.request.signed);
        plan.policy.may_decide(asked, &started.requested_by, &by).map(|_| by)
    };
    if let Some(by) = &answer.by {
        return may(&by.value).map_err(|refusal| {
            incomplete(by.span, refusal.to_string(), "name somebody who is asked, or expect that nobody decides")
        });
    }
    let requester = started.requested_by.person.as_str();
    let people = plan.policy.people.people.keys().map(String::as_str);
    let free = |who: &&str| !open.votes.iter().any(|vote| vote.by.person == **who);
    let found = people.chain([requester]).filter(free).find_map(|who| may(who).ok());
    found.ok_or_else(|| {
        let whom = if open.asked.is_empty() { "whoever may operate".to_owned() } else { open.asked.join(", ") };
        let message = format!("nobody is left who may answer (asked: {whom})");
        incomplete(answer.span, message, "name the person with `by`")
    })
}

/// The reason that an answer gives; where one is needed and none is given, that the test says so.
pub fn reason(answer: &Answer, choice: Choice) -> Option<String> {
    let given = answer.reason.as_ref().map(|reason| reason.value.clone());
    given.or_else(|| choice.needs_reason().then(|| "the test says so".to_owned()))
}

/// How the run of a case starts.
pub fn started(case: &Case, plan: &Plan) -> Result<RunStarted, StartError> {
    Ok(by_case(case, plan, RunStarted::of(plan, case.setting.inputs.clone(), requester(case, plan), 0)?))
}

/// The start of a run with what a case says of it beside its inputs.
pub fn by_case(case: &Case, plan: &Plan, started: RunStarted) -> RunStarted {
    // Which event starts a playbook is not known where the case does not say.
    let unknown = || (plan.main().kind == ProcedureKind::Playbook).then(|| Value::Unknown("event".to_owned()));
    RunStarted { event: case.event().or_else(unknown), requested_by: requester(case, plan), ..started }
}

/// Who asks for the run of a case.
pub fn requester(case: &Case, plan: &Plan) -> Identity {
    identity(plan, case.setting.requested_by.as_ref().map_or(OPERATOR, |who| who.value.as_str()), false)
}

/// How long it is from one moment to a later one.
pub(super) fn since(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

/// The time at which it starts.
pub fn starts_at(case: &Case) -> Timestamp {
    case.setting.at.or_else(|| START.parse().ok()).unwrap_or_default()
}

/// A person of the workspace as the first user that they are, a user as the person that they are; anybody else as a user of that
/// name.
pub(super) fn identity(plan: &Plan, who: &str, signed: bool) -> Identity {
    let people = &plan.policy.people;
    let (who, user) = match people.people.get(who) {
        Some(person) => (who, person.users.first().map_or(who, String::as_str).to_owned()),
        None => (people.by_user(who).map_or(who, |(name, _)| name), who.to_owned()),
    };
    let host = "test".to_owned();
    let means = if signed { Means::SshKey { user, host } } else { Means::LocalUser { user, host } };
    Identity { person: who.to_owned(), means }
}
