//! A recorded run as a case of a test: what stood around it, how each attempt ended, what people said, and what came of it. The
//! case is played before it is handed out, and expects only what it comes to; whatever a case cannot say is among the notes.
//!
//! Times are kept as coarse as the order of what happened allows.

mod append;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::play::{Happened, Outside, Place, Play, Times, since};
use super::stand_in::whole;
use super::{Incomplete, Trial, play};
use crate::cloud_event::CloudEvent;
use crate::diagnostic::{Source, Span, Spanned};
use crate::document::test::{Answer, Around, Cancel, Case, Expect, Setting, StandIn, StandInEnd, Test};
use crate::document::yaml::emit::{self, Out};
use crate::document::{Document, Scalar, ScalarStyle, clipped, load, load_value, yaml};
use crate::id::{DecisionId, StepPath};
use crate::layout::lay_out;
use crate::limits;
use crate::plan::Plan;
use crate::run::decision::{Choice, Purpose, Standing};
use crate::run::event::{AttemptEnd, Part};
use crate::run::task::Task;
use crate::run::{Event, Fact, IllegalEvent, Run};
use crate::value::{Map, Value};

pub use append::{Unappended, append, with_comments};

/// A case, written.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// An item of `cases`, as YAML, its `-` indented by two.
    pub item: String,
    /// What of the run the case does not say, and why: each one line.
    pub notes: Vec<String>,
}

/// Why there is no case of a run.
#[derive(Debug, thiserror::Error)]
pub enum Unrecorded {
    #[error("the record cannot be followed: {0}")]
    Record(#[from] IllegalEvent),
    #[error("the run has not started")]
    NotStarted,
    #[error("{0}")]
    Start(String),
    #[error("the case would not fit into a file of {} bytes", limits::DOCUMENT_BYTES)]
    TooLarge,
    /// A fault of ours.
    #[error("the case does not read back: {0}")]
    Unread(String),
}

/// Levels at which a value stands in a case, at most.
const NESTING: usize = 8;

/// How far apart what the engine saw at once is written down, at most.
const TOGETHER: Duration = Duration::from_millis(5);

/// How a case is timed.
#[derive(Clone, Copy, Default)]
struct Timing {
    /// To the millisecond, or to the second.
    exact: bool,
    /// A millisecond between things that came at once.
    apart: bool,
}

/// From the one that reads best to the one that says most.
const TRIES: [Timing; 3] =
    [Timing { exact: false, apart: false }, Timing { exact: true, apart: false }, Timing { exact: true, apart: true }];

/// The case of a run: `events` are all of its record, `name` is what the case is called. A run that was undone after its end is one
/// up to that end.
pub fn record(plan: &Arc<Plan>, events: &[Event], name: &str) -> Result<Recorded, Unrecorded> {
    let end = events.iter().position(|event| matches!(event.fact, Fact::RunFinished { .. })).map_or(events.len(), |end| end + 1);
    let (within, behind) = events.split_at(end);
    let mut draft = Draft::of(plan, within)?;
    if !behind.is_empty() {
        draft.note("what happened after its end is left out: a case ends where the run does".to_owned());
    }
    let mut case = draft.case(name)?;
    let expected = write::expected(&draft.run, within);
    let mut best: Option<(write::Entries, Trial, write::Unmet)> = None;
    for Timing { exact, apart } in TRIES {
        // A case that cannot be played is told of below.
        let times = timed(&case, plan, &draft.script, apart).unwrap_or_default();
        draft.time(&mut case, &times, exact);
        let setting = write::setting(&case.setting, &draft.run);
        let trial = tried(name, &setting, plan)?;
        let unmet = write::unmet(&expected, &trial);
        let lacks = (!trial.passed(), unmet.len());
        if best.as_ref().is_none_or(|(_, trial, unmet)| lacks < (!trial.passed(), unmet.len())) {
            best = Some((setting, trial, unmet));
        }
        if lacks == (false, 0) {
            break;
        }
    }
    let Some((setting, trial, unmet)) = best else { return Err(Unrecorded::NotStarted) };
    for fault in &trial.faults {
        draft.note(fault.message.clone());
    }
    for (_, why) in &unmet {
        draft.note(format!("not expected, because {why}"));
    }
    let left: BTreeSet<usize> = unmet.into_iter().map(|(place, _)| place).collect();
    let (_, source) = read(&write::item(name, &setting, &expected, &left))?;
    let laid = lay_out(&source).map_err(|why| Unrecorded::Unread(why.to_string()))?;
    let item = laid.split_once("\ncases:\n").map(|(_, item)| item.to_owned()).unwrap_or_default();
    if item.contains("***") && plan.procedures.iter().any(|called| !called.secrets.is_empty()) {
        draft.note("`***` stands where the record masks a secret".to_owned());
    }
    Ok(Recorded { item, notes: draft.notes })
}

/// Plays what was written, with nothing expected.
fn tried(name: &str, setting: &write::Entries, plan: &Arc<Plan>) -> Result<Trial, Unrecorded> {
    let (test, source) = read(&write::item(name, setting, &[], &BTreeSet::new()))?;
    let case = test.cases.first().ok_or(Unrecorded::NotStarted)?;
    Ok(play(case, &source, plan))
}

/// A test of one case.
fn read(item: &str) -> Result<(Box<Test>, Source), Unrecorded> {
    let text = format!("apiVersion: runbook/v1\nkind: Test\nprocedure: recorded\ncases:\n{item}");
    if text.len() > limits::DOCUMENT_BYTES {
        return Err(Unrecorded::TooLarge);
    }
    let source = Source::new("recorded.test.yaml", text);
    match load(&source) {
        (Some(Document::Test(test)), found) if !found.has_errors() => Ok((test, source)),
        (_, found) => Err(Unrecorded::Unread(found.into_sorted().first().map(|f| f.message.clone()).unwrap_or_default())),
    }
}

/// How long everything takes where it comes about as it did.
fn timed(case: &Case, plan: &Arc<Plan>, script: &[Happened], apart: bool) -> Result<Times, Incomplete> {
    let mut play = Play::new(case, plan);
    play.begin()?;
    play.follow(script, apart)
}

/// Whether a value by its name can stand in a case: YAML bounds how deep it nests, how long a key is, and what a key is made of.
fn fits(name: &str, value: &Value) -> bool {
    let plain = name.len() < 100 && yaml::hidden(name).is_none();
    if plain && !matches!(value, Value::List(_) | Value::Map(_)) {
        return true;
    }
    let named = Out::data(&Value::Map([(name.to_owned(), value.clone())].into()));
    let nested = (0..NESTING).fold(named, |inner, _| Out::List(vec![inner]));
    let text = emit::entries(&[("value".to_owned(), nested)], 0);
    !load_value(&Source::new("value.yaml", text)).1.has_errors()
}

/// A text that may stand in a comment: on one line, and without what a reader could not see.
fn plain_of_comment(text: &str) -> String {
    let shown = |c: char| if c.is_whitespace() || yaml::hidden(c.encode_utf8(&mut [0; 4])).is_some() { ' ' } else { c };
    text.chars().map(shown).collect::<String>().trim().to_owned()
}

fn plain(text: &str) -> Scalar {
    Scalar { value: text.to_owned(), span: Span::default(), style: ScalarStyle::Plain }
}

/// What a record says, as a case has it.
struct Draft {
    run: Run,
    at: Timestamp,
    script: Vec<Happened>,
    /// The number of the event that the last of the script is.
    last: u64,
    stand_ins: BTreeMap<String, Vec<StandIn>>,
    /// Steps by the first attempt, in order.
    order: Vec<String>,
    /// The longest that an attempt may take.
    timeouts: BTreeMap<Place, Duration>,
    /// Attempts that something else ended: they only have to take longer than they were given.
    cut: BTreeSet<Place>,
    answers: BTreeMap<String, Vec<Answer>>,
    open: BTreeSet<DecisionId>,
    cancel: Option<Cancel>,
    notes: Vec<String>,
}

impl Draft {
    fn of(plan: &Arc<Plan>, events: &[Event]) -> Result<Draft, Unrecorded> {
        let at = in_milliseconds(events.first().ok_or(Unrecorded::NotStarted)?.at);
        let mut draft = Draft {
            run: Run::new(plan.clone()),
            at,
            script: Vec::new(),
            last: 0,
            stand_ins: BTreeMap::new(),
            order: Vec::new(),
            timeouts: BTreeMap::new(),
            cut: BTreeSet::new(),
            answers: BTreeMap::new(),
            open: BTreeSet::new(),
            cancel: None,
            notes: Vec::new(),
        };
        let mut under_way: BTreeMap<(StepPath, u32), Place> = BTreeMap::new();
        let mut crashed: BTreeSet<(StepPath, u32)> = BTreeSet::new();
        for event in events {
            match &event.fact {
                Fact::AttemptStarted { path, attempt } => {
                    let place = draft.begun(path);
                    under_way.insert((path.clone(), *attempt), place);
                }
                Fact::AttemptFinished { path, attempt, end } => {
                    let key = (path.clone(), *attempt);
                    if let Some(place) = under_way.remove(&key) {
                        let crash = crashed.remove(&key);
                        draft.ended(&key.0, place, end, crash);
                        draft.happened(event, Outside::End(key.0, key.1));
                    }
                }
                Fact::RunAdopted { .. } if !draft.run.under_way().is_empty() => {
                    crashed = draft.run.under_way().into_iter().collect();
                    draft.happened(event, Outside::Crash);
                }
                Fact::TimerFired { timer, .. } => draft.happened(event, Outside::Timer(timer.clone())),
                Fact::DecisionRequested { decision, .. } => drop(draft.open.insert(*decision)),
                Fact::Decided { decision, vote } => {
                    let answer = Answer {
                        by: Some(plain(&vote.by.person)),
                        reason: vote.reason.as_deref().map(plain),
                        with: draft.fitting("an answer", vote.answers.clone()),
                        ..answer(Some(vote.choice))
                    };
                    draft.said(*decision, answer, Some(event));
                }
                // Whoever spoke then found that it was about something else.
                Fact::DecisionVoided { decision, .. } => draft.said(*decision, answer(Some(Choice::Approve)), Some(event)),
                Fact::CancelRequested { by, undo, reason } => {
                    let reason = Some(plain(reason)).filter(|reason| !reason.value.is_empty());
                    let by = Some(plain(&by.person));
                    draft.cancel = Some(Cancel { after: limits::DURATION, by, undo: *undo, reason });
                    draft.happened(event, Outside::Cancel);
                }
                other => draft.foreign(other),
            }
            draft.run.apply(event)?;
            draft.left_alone();
        }
        draft.cut.extend(under_way.into_values());
        for decision in std::mem::take(&mut draft.open) {
            draft.said(decision, answer(None), None);
        }
        if draft.run.outcome().is_none() {
            draft.note("it had not ended when this was written: what came after is not in the case".to_owned());
        }
        Ok(draft)
    }

    /// What no case can say.
    fn foreign(&mut self, fact: &Fact) {
        let note = |draft: &mut Draft, note: &str| draft.note(note.to_owned());
        match fact {
            Fact::PauseRequested { .. } => note(self, "it was paused and went on: a case knows no pause"),
            Fact::RunStarted(started) => {
                if started.part != Part::Whole {
                    note(self, "it was a part of the procedure (`--from`, `--only`): a case plays the whole");
                }
                if started.stepwise {
                    note(self, "people were asked before each step (`--step`): in a case they are not");
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Of what is named, what can stand in a case.
    fn fitting(&mut self, of: &str, map: Map) -> Map {
        let (kept, left): (Map, Map) = map.into_iter().partition(|(name, value)| fits(name, value));
        for name in left.keys() {
            self.note(format!("`{}` of {of} is left out: a file of YAML cannot say it", clipped(name)));
        }
        kept
    }

    /// The event with what of it can stand in a case.
    fn that_fits(&mut self, event: CloudEvent) -> CloudEvent {
        let data = match event.data {
            Value::Map(data) => Value::Map(self.fitting("the event's data", data)),
            data if fits("data", &data) => data,
            _ => {
                self.note("the event's data are left out: a file of YAML cannot say them".to_owned());
                Value::Null
            }
        };
        let extensions = self.fitting("the event", event.extensions);
        CloudEvent { data, extensions, ..event }
    }

    fn happened(&mut self, event: &Event, what: Outside) {
        // Nothing is recorded between two ends either where the second comes much later.
        let at = in_milliseconds(event.at);
        let beside = self.last + 1 == event.seq && self.script.last().is_some_and(|last| since(last.at, at) <= TOGETHER);
        self.last = event.seq;
        self.script.push(Happened { at, what, beside });
    }

    fn begun(&mut self, path: &StepPath) -> Place {
        let whole = whole(&self.run, path);
        let list = self.stand_ins.entry(whole.clone()).or_default();
        if list.is_empty() {
            self.order.push(whole.clone());
        }
        let work = self.run.find_step(path).and_then(|view| view.work());
        // Unless an event comes, its time ends it, or something around it does.
        let listens = work.is_some_and(|work| matches!(work.task, Task::Event(_)));
        let end = if listens { StandInEnd::TimesOut } else { StandInEnd::Result };
        list.push(StandIn { end, result: Value::Map(Map::new()), takes: Duration::ZERO });
        let place = (whole, list.len() - 1);
        if let Some(work) = work {
            self.timeouts.insert(place.clone(), work.timeout);
        }
        place
    }

    fn ended(&mut self, path: &StepPath, place: Place, end: &AttemptEnd, crash: bool) {
        let Some(view) = self.run.find_step(path) else { return };
        if matches!(end, AttemptEnd::Cancelled { .. }) {
            self.cut.insert(place.clone());
        }
        let work = view.work().cloned();
        let task = work.as_ref().map(|work| &work.task);
        // What nothing can read is not kept.
        let is_read = view.step().id.is_some() || !view.step().outputs.is_empty();
        let listens = matches!(task, Some(Task::Event(_)));
        let (end, result) = match end {
            AttemptEnd::Succeeded { result } if is_read || listens => (StandInEnd::Result, given(task, result, false)),
            AttemptEnd::Failed { failure, result } => {
                let result = given(task, result, true);
                let code = result.get("exit_code").map(|code| Value::Map([("exit_code".to_owned(), code.clone())].into()));
                let result = if is_read { result } else { code.unwrap_or_else(|| Value::Map(Map::new())) };
                (StandInEnd::Fails(failure.message.clone()), result)
            }
            AttemptEnd::TimedOut { result, .. } if is_read => (StandInEnd::TimesOut, given(task, result, true)),
            AttemptEnd::TimedOut { .. } => (StandInEnd::TimesOut, Value::Map(Map::new())),
            AttemptEnd::Unknown { .. } if crash => (StandInEnd::Crash, Value::Map(Map::new())),
            AttemptEnd::Unknown { .. } => (StandInEnd::Unknown, Value::Map(Map::new())),
            AttemptEnd::Succeeded { .. } | AttemptEnd::Cancelled { .. } => (StandInEnd::Result, Value::Map(Map::new())),
        };
        if ["stdout_bytes", "stderr_bytes"].iter().any(|cut| result.get(cut).is_some()) {
            self.note(format!("of what `{}` printed the record has only the beginning", path));
        }
        let of = format!("what `{path}` gave");
        let result = match result {
            Value::Map(members) => Value::Map(self.fitting(&of, members)),
            other => self.fitting(&of, [("gives".to_owned(), other)].into()).remove("gives").unwrap_or(Value::Map(Map::new())),
        };
        if let Some(stand_in) = self.stand_ins.get_mut(&place.0).and_then(|list| list.get_mut(place.1)) {
            (stand_in.end, stand_in.result) = (end, result);
        }
    }

    fn said(&mut self, decision: DecisionId, answer: Answer, when: Option<&Event>) {
        let Some(asked) = self.run.decision(decision).filter(|asked| is_asked(&asked.purpose)) else { return };
        let Some(path) = &asked.path else { return };
        let whole = whole(&self.run, path);
        let list = self.answers.entry(whole.clone()).or_default();
        list.push(answer);
        let place = (whole, list.len() - 1);
        if let Some(event) = when {
            self.happened(event, Outside::Vote(place));
        }
    }

    /// Of questions that have lost their object, or whose time is over, says that nobody answered.
    fn left_alone(&mut self) {
        let standing = |id: &DecisionId| self.run.decision(*id).map(|asked| asked.standing);
        let closed: Vec<DecisionId> = self.open.iter().copied().filter(|id| standing(id) != Some(Standing::Open)).collect();
        for decision in closed {
            self.open.remove(&decision);
            if matches!(self.run.decision(decision).map(|asked| asked.standing), Some(Standing::Expired | Standing::Withdrawn)) {
                self.said(decision, answer(None), None);
            }
        }
    }

    /// The case, without its times.
    fn case(&mut self, name: &str) -> Result<Case, Unrecorded> {
        let mut given = self.run.start().ok_or(Unrecorded::NotStarted)?.inputs.clone();
        given.retain(|_, value| *value != Value::Null);
        let inputs = self.fitting("the inputs", given);
        let started = self.run.start().ok_or(Unrecorded::NotStarted)?;
        let event = started.event.as_ref().and_then(CloudEvent::from_value);
        let event = event.map(|event| Spanned::new(self.that_fits(event), Span::default()));
        let started = self.run.start().ok_or(Unrecorded::NotStarted)?;
        let setting = Setting {
            inputs,
            environment: started.environment.as_deref().map(plain),
            at: Some(self.at),
            requested_by: Some(plain(&started.requested_by.person)),
            event,
            steps: self.order.iter().filter_map(|whole| Some((plain(whole), self.stand_ins.get(whole)?.clone()))).collect(),
            answers: self.answers.iter().map(|(whole, list)| (plain(whole), list.clone())).collect(),
            cancel: self.cancel.clone(),
        };
        Ok(Case {
            span: Span::default(),
            name: plain(name),
            setting,
            real: false,
            around: Around::default(),
            expect: Expect::default(),
        })
    }

    /// Puts times into the case: to the millisecond, or to the second.
    fn time(&self, case: &mut Case, times: &Times, exact: bool) {
        const SECOND: Duration = Duration::from_secs(1);
        let rounded = |time: Duration| match exact {
            true => time,
            false => Duration::from_secs(time.as_millis().saturating_add(500).checked_div(1000).unwrap_or_default() as u64),
        };
        for (name, list) in &mut case.setting.steps {
            for (number, stand_in) in list.iter_mut().enumerate() {
                let place = (name.value.clone(), number);
                let took = times.took.get(&place).copied().unwrap_or_default();
                let longest = self.timeouts.get(&place).copied().unwrap_or(limits::DURATION);
                // What was cut short would have gone on.
                let takes = if self.cut.contains(&place) { rounded(took + SECOND) + SECOND } else { rounded(took) };
                stand_in.takes = takes.min(longest);
            }
        }
        for (name, list) in &mut case.setting.answers {
            for (number, answer) in list.iter_mut().enumerate() {
                answer.after = rounded(times.waited.get(&(name.value.clone(), number)).copied().unwrap_or_default());
            }
        }
        if let (Some(cancel), Some(after)) = (&mut case.setting.cancel, times.cancelled) {
            cancel.after = rounded(after);
        }
    }
}

fn in_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

fn answer(say: Option<Choice>) -> Answer {
    Answer { span: Span::default(), say, by: None, reason: None, after: Duration::ZERO, with: Map::new() }
}

/// Whether a case is asked this too.
fn is_asked(purpose: &Purpose) -> bool {
    !matches!(purpose, Purpose::Part | Purpose::Step)
}

/// What a stand-in has to say so that the result is this one.
fn given(task: Option<&Task>, result: &Value, failed: bool) -> Value {
    let Value::Map(members) = result else { return result.clone() };
    let mut members = members.clone();
    // Where the engine keeps all that was printed.
    members.remove("log");
    let printed = match task {
        Some(Task::Run { .. } | Task::Exec { .. }) => "stdout",
        Some(Task::Http(_)) => "body",
        _ => return Value::Map(members),
    };
    if let (Some(Value::Text(text)), Some(json)) = (members.get(printed), members.get("json"))
        && Value::from_output(text).as_ref() == Some(json)
    {
        members.remove("json");
    }
    let nothing = |name: &str, value: &Value| match (name, value) {
        ("stdout" | "stderr" | "body", Value::Text(text)) => text.is_empty(),
        ("headers", Value::Map(headers)) => headers.is_empty(),
        ("exit_code", Value::Int(code)) => *code == 0 && !failed,
        _ => false,
    };
    members.retain(|name, value| !nothing(name, value));
    Value::Map(members)
}
