//! The case as YAML: steps by their shortest names, what repeats itself said once, and what is expected, each by itself so that it
//! can be left out.

use std::collections::{BTreeMap, BTreeSet};

use super::{is_asked, read};
use crate::cloud_event::CloudEvent;
use crate::document::Scalar;
use crate::document::test::{Answer, Setting, StandIn, StandInEnd};
use crate::document::yaml::emit::{self, Out};
use crate::id::StepPath;
use crate::run::decision::{Choice, Purpose};
use crate::run::event::StepOutcome;
use crate::run::task::Task;
use crate::run::view::Standing;
use crate::run::{Event, Fact, Run};
use crate::trial::expect::{Judge, shown, unmet as judged};
use crate::trial::{Trial, select};
use crate::value::{Map, Value, format_duration};

pub(super) type Entries = Vec<(String, Out)>;

/// Places among what is expected, each with why it does not hold.
pub(super) type Unmet = Vec<(usize, String)>;

/// One thing that is expected: a key of `expect`, and, of those that are by name, the name.
pub(super) struct Expected {
    key: &'static str,
    name: Option<String>,
    what: Out,
}

/// The case as an item of `cases`. What is `left` of what is expected is left out.
pub(super) fn item(name: &str, setting: &Entries, expected: &[Expected], left: &BTreeSet<usize>) -> String {
    let mut case = vec![("name".to_owned(), Out::text(name))];
    case.extend(setting.iter().cloned());
    let kept = expected.iter().enumerate().filter(|(place, _)| !left.contains(place)).map(|(_, one)| one);
    case.push(("expect".to_owned(), Out::Map(expectation(kept))));
    let lines = emit::entries(&case, 4);
    format!("  - {}", lines.trim_start_matches(' '))
}

fn expectation<'e>(kept: impl Iterator<Item = &'e Expected>) -> Entries {
    let mut expect: Entries = Vec::new();
    for one in kept {
        let Some(name) = &one.name else {
            expect.push((one.key.to_owned(), one.what.clone()));
            continue;
        };
        if expect.last().is_none_or(|(key, _)| key != one.key) {
            expect.push((one.key.to_owned(), Out::Map(Vec::new())));
        }
        if let Some((_, Out::Map(entries))) = expect.last_mut() {
            entries.push((name.clone(), one.what.clone()));
        }
    }
    if expect.is_empty() {
        // A case has to expect something.
        let started = ("run_started".to_owned(), Out::Word("1".to_owned()));
        expect.push(("record".to_owned(), Out::Map(vec![started])));
    }
    expect
}

/// What of the expected does not hold of the case as it was played, or cannot stand in a file: its place, and why. Found by halves, as
/// nearly all of it holds. Of a case that could not be played everything does.
pub(super) fn unmet(expected: &[Expected], trial: &Trial) -> Unmet {
    let mut unmet = Vec::new();
    let mut parts = vec![(0, expected)];
    while let Some((place, part)) = parts.pop() {
        let why = match read(&item("case", &Vec::new(), part, &BTreeSet::new())) {
            Ok(_) if !trial.passed() => None,
            Ok((test, source)) => {
                let case = test.cases.first();
                let unmet = case.map(|case| judged(case, &trial.run, &trial.events)).unwrap_or_default();
                unmet.into_iter().next().map(|unmet| format!("the case comes to something else: {}", unmet.told(&source).message))
            }
            Err(why) => Some(why.to_string()),
        };
        match why {
            Some(why) if part.len() <= 1 => unmet.push((place, why)),
            Some(_) => {
                let (one, other) = part.split_at(part.len() / 2);
                parts.extend([(place + one.len(), other), (place, one)]);
            }
            None => {}
        }
    }
    unmet
}

/// What came of a run.
pub(super) fn expected(run: &Run, events: &[Event]) -> Vec<Expected> {
    let names = Names::of(run);
    let judge = Judge::of(run, events);
    let plain = |key, what| Expected { key, name: None, what };
    let paths = |paths: &[StepPath]| Out::List(paths.iter().map(|path| Out::text(names.of_one(path))).collect());
    let mut expected = Vec::new();
    let outcome = run.outcome();
    expected.push(plain("outcome", Out::text(outcome.map_or("waiting", |outcome| outcome.kind.name()))));
    // What a step has beside what is missing is more in a real run: where its log is.
    let message = outcome.map(|outcome| outcome.message.split("; it has `").next().unwrap_or_default().trim());
    if let Some(message) = message.filter(|message| !message.is_empty()) {
        expected.push(plain("message", Out::text(message)));
    }
    expected.push(plain("steps", paths(&judge.began())));
    let skipped = run.steps().filter(|view| view.standing() == Standing::Ended(StepOutcome::Skipped));
    let skipped: Vec<StepPath> = skipped.map(|view| view.path().clone()).collect();
    if !skipped.is_empty() {
        expected.push(plain("skipped", Out::List(skipped.iter().map(|path| Out::text(path.as_str())).collect())));
    }
    commands(run, &names, &mut expected);
    if let Ok(outputs) = run.outputs(run.last_at())
        && run.outcome().is_some()
    {
        let outputs = outputs.into_iter().filter(|(_, value)| value.first_unknown().is_none());
        expected.extend(outputs.map(|(name, value)| Expected { key: "outputs", name: Some(name), what: Out::data(&value) }));
    }
    asked(run, &names, &mut expected);
    let undone = judge.undone();
    if !undone.is_empty() {
        expected.push(plain("undone", paths(&undone)));
    }
    if run.outcome().is_some() {
        expected.push(plain("left", paths(&judge.left())));
    }
    // Of one that was only taken up again nothing is to be seen in a case.
    let crash = |pair: &[Event]| matches!(pair, [adopted, lost] if matches!(adopted.fact, Fact::RunAdopted { .. }) && matches!(lost.fact, Fact::AttemptFinished { .. }));
    let crashes = events.windows(2).filter(|pair| crash(pair)).count();
    if crashes > 0 {
        let count = Out::Word(crashes.to_string());
        expected.push(Expected { key: "record", name: Some("run_adopted".to_owned()), what: count });
    }
    expected
}

/// What each step ran: once where it was the same each time.
fn commands(run: &Run, names: &Names, expected: &mut Vec<Expected>) {
    let mut works: BTreeMap<StepPath, Vec<(StepPath, Out)>> = BTreeMap::new();
    let mut order: Vec<StepPath> = Vec::new();
    for view in run.steps().filter(|view| view.attempt() > 0) {
        let Some(work) = view.work() else { continue };
        let what = match &work.task {
            Task::Exec { argv } => Out::List(argv.iter().map(Out::text).collect()),
            // The values that it reads have more in a real run: where the log of a step is.
            Task::Rhai { script, .. } => Out::text(script.trim()),
            _ => Out::text(shown(work).trim()),
        };
        let plain = view.path().without_indexes();
        let list = works.entry(plain.clone()).or_default();
        if list.is_empty() {
            order.push(plain);
        }
        list.push((view.path().clone(), what));
    }
    for plain in order {
        let list = works.remove(&plain).unwrap_or_default();
        let same = list.windows(2).all(|pair| matches!(pair, [one, other] if one.1 == other.1));
        let list = if same { list.into_iter().take(1).map(|(_, what)| (names.of_all(&plain), what)).collect() } else { each(list) };
        expected.extend(list.into_iter().map(|(name, what)| Expected { key: "commands", name: Some(name), what }));
    }
}

fn each(list: Vec<(StepPath, Out)>) -> Vec<(String, Out)> {
    list.into_iter().map(|(path, what)| (path.as_str().to_owned(), what)).collect()
}

fn asked(run: &Run, names: &Names, expected: &mut Vec<Expected>) {
    let mut seen = BTreeSet::new();
    let questions = run.decisions().iter().filter(|asked| is_asked(&asked.purpose));
    for decision in questions {
        let Some(path) = &decision.path else { continue };
        let name = names.of_one(path);
        if !seen.insert(name.clone()) {
            continue;
        }
        let mut what: Entries = Vec::new();
        if !decision.asked.is_empty() {
            what.push(("from".to_owned(), Out::List(decision.asked.iter().map(Out::text).collect())));
        }
        what.push(("count".to_owned(), Out::Word(decision.request.count.to_string())));
        if let Some(within) = decision.request.within {
            what.push(("within".to_owned(), Out::Word(format_duration(within))));
        }
        // Why nobody knows how it ended is told in the words of whoever lost it.
        let question = decision.request.question.trim();
        let asks = question.split_inclusive('?').next().filter(|_| decision.purpose == Purpose::Unknown);
        what.push(("question".to_owned(), Out::text(asks.unwrap_or(question))));
        if let Purpose::Gate { rule } = &decision.purpose {
            what.push(("rule".to_owned(), Out::text(rule)));
        }
        expected.push(Expected { key: "asked", name: Some(name), what: Out::Map(what) });
    }
    if seen.is_empty() && run.decisions().is_empty() {
        expected.push(Expected { key: "asked", name: None, what: Out::Map(Vec::new()) });
    }
}

/// What stands around a case.
pub(super) fn setting(setting: &Setting, run: &Run) -> Entries {
    let names = Names::of(run);
    let mut out: Entries = Vec::new();
    let scalar = |key: &str, value: &Option<Scalar>| value.as_ref().map(|value| (key.to_owned(), Out::text(&value.value)));
    if !setting.inputs.is_empty() {
        out.push(("inputs".to_owned(), data(&setting.inputs)));
    }
    out.extend(scalar("environment", &setting.environment));
    out.extend(scalar("requested_by", &setting.requested_by));
    out.extend(setting.event.as_ref().map(|event| ("event".to_owned(), started_by(&event.value))));
    out.extend(setting.at.map(|at| ("at".to_owned(), Out::Word(at.to_string()))));
    let stand_ins = setting.steps.iter().map(|(name, list)| (name.value.as_str(), list.iter().map(stand_in).collect(), true));
    let answers = setting.answers.iter().map(|(name, list)| (name.value.as_str(), list.iter().map(answer).collect(), false));
    let steps = names.merged(stand_ins);
    let answers = names.merged(answers);
    out.extend(Some(("steps".to_owned(), Out::Map(steps))).filter(|(_, out)| *out != Out::Map(Vec::new())));
    out.extend(Some(("answers".to_owned(), Out::Map(answers))).filter(|(_, out)| *out != Out::Map(Vec::new())));
    if let Some(cancel) = &setting.cancel {
        let mut what: Entries = vec![("after".to_owned(), Out::Word(format_duration(cancel.after)))];
        what.extend(scalar("by", &cancel.by));
        what.extend(cancel.undo.then(|| ("undo".to_owned(), Out::Word("true".to_owned()))));
        what.extend(scalar("reason", &cancel.reason));
        out.push(("cancel".to_owned(), Out::Map(what)));
    }
    out
}

fn data(map: &Map) -> Out {
    Out::data(&Value::Map(map.clone()))
}

/// What every event has, as far as it says something.
fn started_by(event: &CloudEvent) -> Out {
    let Value::Map(members) = event.to_value() else { return Out::Map(Vec::new()) };
    let nothing = |value: &Value| matches!(value, Value::Null) || *value == Value::Map(Map::new());
    Out::Map(members.into_iter().filter(|(_, value)| !nothing(value)).map(|(name, value)| (name, Out::data(&value))).collect())
}

const OK: &str = "ok";

fn stand_in(one: &StandIn) -> Out {
    let mut what: Entries = Vec::new();
    let end = match &one.end {
        StandInEnd::Fails(message) => {
            what.push(("fails".to_owned(), Out::text(message)));
            None
        }
        StandInEnd::Result => None,
        StandInEnd::Example => Some("example"),
        StandInEnd::TimesOut => Some("times_out"),
        StandInEnd::Unknown => Some("unknown"),
        StandInEnd::Crash => Some("crash"),
        StandInEnd::CrashAfter => Some("crash_after"),
    };
    match &one.result {
        Value::Map(members) => {
            let mut gives: Entries = Vec::new();
            for (name, value) in members {
                let own = match (name.as_str(), value) {
                    ("stdout" | "stderr" | "body", Value::Text(_)) => true,
                    ("exit_code" | "status" | "headers" | "json", Value::Null) => false,
                    (name, _) => ["exit_code", "status", "headers", "json"].contains(&name),
                };
                if own { &mut what } else { &mut gives }.push((name.clone(), Out::data(value)));
            }
            if !gives.is_empty() {
                what.push(("gives".to_owned(), Out::Map(gives)));
            }
        }
        other => what.push(("gives".to_owned(), Out::data(other))),
    }
    if !one.takes.is_zero() && one.end != StandInEnd::TimesOut {
        what.push(("takes".to_owned(), Out::Word(format_duration(one.takes))));
    }
    match (end, what.is_empty()) {
        (Some(end), true) => Out::text(end),
        (None, true) => Out::text(OK),
        (end, false) => {
            what.splice(0..0, end.map(|end| ("end".to_owned(), Out::text(end))));
            Out::Map(what)
        }
    }
}

fn answer(one: &Answer) -> Out {
    let mut what: Entries = Vec::new();
    let say = one.say.map_or("nobody", Choice::name);
    what.extend(one.by.as_ref().map(|by| ("by".to_owned(), Out::text(&by.value))));
    what.extend(one.reason.as_ref().map(|reason| ("reason".to_owned(), Out::text(&reason.value))));
    if !one.after.is_zero() {
        what.push(("after".to_owned(), Out::Word(format_duration(one.after))));
    }
    let mut with = one.with.clone();
    if let Some(Value::Text(evidence)) = with.remove("evidence") {
        what.push(("evidence".to_owned(), Out::Text(evidence)));
    }
    if !with.is_empty() {
        what.push(("with".to_owned(), data(&with)));
    }
    if what.is_empty() {
        return Out::text(say);
    }
    if one.say != Some(Choice::Approve) {
        what.insert(0, ("say".to_owned(), Out::text(say)));
    }
    Out::Map(what)
}

/// The names by which steps are called.
struct Names<'r> {
    /// Labels that are one step's only.
    labels: BTreeSet<&'r str>,
    /// The paths, without numbers, of steps that have an id: what they give may be read.
    read: BTreeSet<StepPath>,
}

impl<'r> Names<'r> {
    fn of(run: &'r Run) -> Names<'r> {
        let plan = run.plan();
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for step in &plan.steps {
            *count.entry(&step.label).or_default() += 1;
        }
        // Of a procedure that is called twice each step is two.
        let mut paths: BTreeMap<&str, BTreeSet<StepPath>> = BTreeMap::new();
        for view in run.steps() {
            paths.entry(view.path().label()).or_default().insert(view.path().without_indexes());
        }
        let one = |label: &&str| {
            !label.contains('-') && paths.iter().filter(|(of, _)| select::label(of) == *label).all(|(_, of)| of.len() == 1)
        };
        let labels = count.into_iter().filter(|(_, count)| *count == 1).map(|(label, _)| label).filter(one).collect();
        let read = run.steps().filter(|view| view.step().id.is_some()).map(|view| view.path().without_indexes()).collect();
        Names { labels, read }
    }

    /// The name of what a path is without its numbers.
    fn of_all(&self, plain: &StepPath) -> String {
        let label = plain.label();
        if self.labels.contains(label) { label.to_owned() } else { plain.as_str().to_owned() }
    }

    /// The name of one item or round.
    fn of_one(&self, path: &StepPath) -> String {
        if path.as_str().contains('[') { path.as_str().to_owned() } else { self.of_all(path) }
    }

    /// Lists by step: said once where all items of an `each` have the same, and without a last one that only goes on. What says nothing
    /// of a step that nobody can read is left out.
    fn merged<'l>(&self, lists: impl Iterator<Item = (&'l str, Vec<Out>, bool)>) -> Entries {
        let mut order: Vec<StepPath> = Vec::new();
        let mut by_plain: BTreeMap<StepPath, Vec<(String, Vec<Out>)>> = BTreeMap::new();
        for (whole, mut list, is_stand_in) in lists {
            let Ok(path) = whole.parse::<StepPath>() else { continue };
            let plain = path.without_indexes();
            if is_stand_in {
                let goes_on = |pair: &[Out]| matches!(pair, [one, other] if one == other && !is_once(other));
                while list.len() > 1 && list.get(list.len() - 2..).is_some_and(goes_on) {
                    list.pop();
                }
            }
            let lists = by_plain.entry(plain.clone()).or_default();
            if lists.is_empty() {
                order.push(plain);
            }
            lists.push((whole.to_owned(), list));
        }
        let mut out: Entries = Vec::new();
        for plain in order {
            let lists = by_plain.remove(&plain).unwrap_or_default();
            let same = lists.windows(2).all(|pair| matches!(pair, [one, other] if one.1 == other.1));
            let lists = match same {
                true => lists.into_iter().take(1).map(|(_, list)| (self.of_all(&plain), list)).collect(),
                false => lists,
            };
            let is_read = self.read.contains(&plain);
            for (name, mut list) in lists {
                if list == [Out::text(OK)] && !is_read {
                    continue;
                }
                let what = if list.len() == 1 { list.remove(0) } else { Out::List(list) };
                out.push((name, what));
            }
        }
        out
    }
}

/// Whether it happens once, also where it stands last.
fn is_once(out: &Out) -> bool {
    let once = ["unknown", "crash", "crash_after"];
    match out {
        Out::Text(word) => once.contains(&word.as_str()),
        Out::Map(entries) => entries.iter().any(|(key, what)| key == "end" && is_once(what)),
        _ => false,
    }
}
