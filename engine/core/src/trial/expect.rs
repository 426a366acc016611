//! What was expected of a case, held against what happened. Every expectation that does not hold is told, not only the first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::real::without_rounds;
use super::select;
use crate::diagnostic::{Code, Diagnostic, Source, Span, Spanned, nearest};
use crate::document::Scalar;
use crate::document::test::{Asked, Case, Command, Ended};
use crate::id::StepPath;
use crate::limits;
use crate::markdown::quoted;
use crate::plan::Verb;
use crate::run::decision::{Choice, Decision, Purpose};
use crate::run::event::{AttemptEnd, Resolution, StepOutcome};
use crate::run::task::{EnvText, Task, Work};
use crate::run::view::{Standing, StepView};
use crate::run::{Event, Fact, Run};
use crate::value::{Map, Value, format_duration};

/// An expectation that does not hold.
pub(super) struct Unmet {
    at: Span,
    message: String,
    help: Option<String>,
}

impl Unmet {
    pub fn told(self, source: &Source) -> Diagnostic {
        let diagnostic = Diagnostic::new(Code::RB0501, source, self.at, self.message);
        match self.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

pub(super) fn unmet(case: &Case, run: &Run, events: &[Event]) -> Vec<Unmet> {
    let mut judge = Judge::of(run, events);
    judge.all(case);
    judge.unmet
}

pub(super) struct Judge<'r> {
    run: &'r Run,
    events: &'r [Event],
    unmet: Vec<Unmet>,
}

impl<'r> Judge<'r> {
    pub fn of(run: &'r Run, events: &'r [Event]) -> Judge<'r> {
        Judge { run, events, unmet: Vec::new() }
    }

    fn all(&mut self, case: &Case) {
        let expect = &case.expect;
        if let Some(outcome) = &expect.outcome {
            self.outcome(outcome);
        }
        if let Some(message) = &expect.message {
            self.message(message);
        }
        if let Some(steps) = &expect.steps {
            self.list("the steps that began", steps, &self.began());
        }
        let begun: BTreeSet<StepPath> =
            if expect.skipped.is_empty() { BTreeSet::new() } else { self.begun().into_iter().collect() };
        for name in &expect.skipped {
            let called = self.called(&name.value);
            if let Some(path) = called.iter().map(|view| view.path()).find(|path| begun.contains(*path)) {
                self.tell(name.span, format!("`{path}` began, and was expected not to"));
            }
        }
        for (name, command) in &expect.commands {
            self.command(name, command);
        }
        for (name, value) in &expect.gives {
            self.gives(name, value);
        }
        if !expect.outputs.is_empty() {
            self.outputs(&expect.outputs);
        }
        if let Some(asked) = &expect.asked {
            asked.value.iter().for_each(|(name, asked)| self.asked(name, asked));
            if asked.value.is_empty() {
                self.nobody_asked(asked.span);
            }
        }
        if let Some(undone) = &expect.undone {
            self.list("the steps that were taken back", undone, &self.undone());
        }
        if let Some(left) = &expect.left {
            self.list("the changes that stay", left, &self.left());
        }
        for (kind, count) in &expect.record {
            let found = self.events.iter().filter(|event| event.fact.kind() == kind.value).count();
            if found != count.value as usize {
                self.tell(count.span, format!("the record has {found} `{}`, not {}", kind.value, count.value));
            }
        }
        if let (Some(within), Some(started)) = (&expect.within, self.run.started_at()) {
            let took = self.run.last_at().duration_since(started).unsigned_abs();
            if took > within.value {
                let (took, within_) = (format_duration(took), format_duration(within.value));
                self.tell(within.span, format!("it takes {took}, which is more than {within_}"));
            }
        }
    }

    fn tell(&mut self, at: Span, message: String) {
        self.unmet.push(Unmet { at, message, help: None });
    }

    fn outcome(&mut self, expected: &Spanned<Ended>) {
        let wanted = match expected.value {
            Ended::As(kind) => kind.name(),
            Ended::Waiting => "waiting",
        };
        let found = match self.run.outcome() {
            Some(outcome) if expected.value == Ended::As(outcome.kind) => return,
            Some(outcome) => {
                let why = if outcome.message.is_empty() { String::new() } else { format!(": {}", outcome.message.trim()) };
                let step = outcome.step.as_ref().map(|step| format!(" (step `{step}`)")).unwrap_or_default();
                format!("it ends {}{step}{why}", outcome.kind.name())
            }
            None if expected.value == Ended::Waiting => return,
            None => {
                let open = self.run.decisions().iter().find(|decision| decision.is_open());
                let path = open.and_then(|open| open.path.as_ref()).map(|path| format!(" for an answer to `{path}`"));
                format!("it waits{}", path.unwrap_or_default())
            }
        };
        self.tell(expected.span, format!("{found}; expected was `{wanted}`"));
    }

    fn message(&mut self, part: &Scalar) {
        let found = self.run.outcome().map_or("", |outcome| outcome.message.as_str());
        if !found.contains(part.value.trim()) {
            self.tell(part.span, format!("the message of the outcome is {}", quoted(found.trim())));
        }
    }

    fn list(&mut self, what: &str, expected: &Spanned<Vec<Scalar>>, found: &[StepPath]) {
        let same = expected.value.len() == found.len()
            && expected.value.iter().zip(found).all(|(name, path)| select::fit(&name.value, path).is_some());
        if same {
            return;
        }
        let wrong = (0..).zip(&expected.value).find(|(place, name)| {
            let path: Option<&StepPath> = found.get(*place);
            path.is_none_or(|path| select::fit(&name.value, path).is_none())
        });
        let at = wrong.map_or(expected.span, |(_, name)| name.span);
        let names: Vec<&str> = found.iter().take(limits::PATHS_TOLD).map(StepPath::as_str).collect();
        let more = match found.len().saturating_sub(names.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        self.tell(at, format!("{what} are other ones: {shown}{more}"));
    }

    /// Steps that began, in order: what acts with its first attempt, which people may keep it from.
    fn begun(&self) -> Vec<StepPath> {
        let path = |event: &Event| match &event.fact {
            Fact::AttemptStarted { path, .. } => Some(path.clone()),
            Fact::StepResolved { resolution: Resolution::Skip { .. } | Resolution::Fail { .. } | Resolution::Work(_), .. } => None,
            Fact::StepResolved { path, .. } => Some(path.clone()),
            _ => None,
        };
        let mut seen = BTreeSet::new();
        self.events.iter().filter_map(path).filter(|path| seen.insert(path.clone())).collect()
    }

    /// Of those that began, what did something of its own; neither what takes back nor what looks after.
    pub fn began(&self) -> Vec<StepPath> {
        let mut began = self.begun();
        began.retain(|path| {
            let arranges = self.run.find_step(path).is_some_and(|view| view.step().verb.is_container());
            let beside = ["~undo", "~verify"].iter().any(|list| path.as_str().contains(list));
            !arranges && !beside
        });
        began
    }

    pub fn undone(&self) -> Vec<StepPath> {
        let mut seen = BTreeSet::new();
        let resolved = self.events.iter().filter_map(|event| match &event.fact {
            Fact::StepResolved { path, .. } => path.as_str().rsplit_once("~undo"),
            _ => None,
        });
        resolved.filter_map(|(of, _)| of.parse().ok()).filter(|of: &StepPath| seen.insert(of.clone())).collect()
    }

    /// Changes that took place, or may have, and were not taken back: neither messages nor what `finally` clears away.
    pub fn left(&self) -> Vec<StepPath> {
        let back = self.taken_back();
        let is_back = |path: &str| {
            let wholes = path.match_indices(['/', '[', '.']).filter_map(|(end, _)| path.get(..end));
            wholes.chain([path]).any(|whole| back.contains(whole))
        };
        let mut seen = BTreeSet::new();
        let mut left = Vec::new();
        for event in self.events {
            let (path, took_place) = match &event.fact {
                Fact::AttemptFinished { path, end, .. } => {
                    (path, matches!(end, AttemptEnd::Succeeded { .. } | AttemptEnd::Unknown { .. }))
                }
                // What people say to have done by hand.
                Fact::Decided { decision, .. } => match self.run.decision(*decision) {
                    Some(Decision { purpose: Purpose::Manual, path: Some(path), .. }) => (path, self.is_done(path)),
                    _ => continue,
                },
                _ => continue,
            };
            let changes = self.run.find_step(path).is_some_and(|view| {
                let step = view.step();
                step.effect.changes() && !matches!(step.verb, Verb::Notify { .. })
            });
            let beside = ["~undo", "~finally"].iter().any(|list| path.as_str().contains(list));
            if changes && took_place && !beside && !is_back(path.as_str()) && seen.insert(path) {
                left.push(path.clone());
            }
        }
        left
    }

    fn is_done(&self, path: &StepPath) -> bool {
        self.run.find_step(path).is_some_and(|view| view.standing() == Standing::Ended(StepOutcome::Succeeded))
    }

    /// Steps all of whose undo succeeded the last time that it was tried, and those of which people said that it is done.
    fn taken_back(&self) -> BTreeSet<&str> {
        let mut whole: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
        for view in self.run.steps() {
            let Some((of, rest)) = view.path().as_str().rsplit_once("~undo") else { continue };
            let round = rest.split('/').next().unwrap_or_default();
            let done = matches!(view.standing(), Standing::Ended(StepOutcome::Succeeded | StepOutcome::Skipped));
            let tried = whole.entry(of).or_insert((round, true));
            *tried = (round, done && (tried.1 || tried.0 != round));
        }
        let by_hand = self.run.decisions().iter().filter(|asked| {
            asked.purpose == Purpose::UndoFailed && asked.votes.last().is_some_and(|vote| vote.choice == Choice::Done)
        });
        let by_hand = by_hand.filter_map(|asked| asked.path.as_ref()).map(StepPath::as_str);
        whole.into_iter().filter(|(_, (_, done))| *done).map(|(of, _)| of).chain(by_hand).collect()
    }

    /// The steps that a name is closest to, in the order in which they came up.
    fn called(&self, name: &str) -> Vec<StepView<'_>> {
        select::closest(name, self.run.steps().map(|view| (view.path().clone(), view)))
    }

    fn command(&mut self, name: &Scalar, expected: &Spanned<Command>) {
        let views = self.called(&name.value).into_iter();
        let works: Vec<_> = views.filter_map(|view| Some((view.path().clone(), view.work()?.clone()))).collect();
        if works.is_empty() {
            return self.tell(name.span, format!("`{}` did nothing", name.value));
        }
        // One name may be that of several items, and of several rounds.
        let several = works.len() > 1;
        for (path, work) in works {
            let shown = shown(&work);
            let holds = match (&expected.value, &work.task) {
                (Command::Argv(wanted), Task::Exec { argv }) => wanted == argv,
                (Command::Argv(_), _) => false,
                (Command::Part(part), _) => shown.contains(part.trim()),
            };
            if !holds {
                let exact = match &work.task {
                    Task::Exec { argv } => serde_json::to_string(argv).unwrap_or_default(),
                    _ => shown.trim().to_owned(),
                };
                let of = if several { path.as_str() } else { name.value.as_str() };
                return self.tell(expected.span, format!("`{of}` would run {}", exact.replace('\n', "; ")));
            }
        }
    }

    fn gives(&mut self, name: &Scalar, expected: &Spanned<Value>) {
        // Of several rounds, what the last one gives is read afterwards; of several items, what each gives.
        let mut last: BTreeMap<String, (StepPath, Option<Value>)> = BTreeMap::new();
        for view in self.called(&name.value) {
            last.insert(without_rounds(self.run.plan(), view.path()), (view.path().clone(), view.gives()));
        }
        let several = last.len() > 1;
        if last.is_empty() {
            self.tell(name.span, format!("`{}` gives nothing", name.value));
        }
        for (path, given) in last.into_values() {
            let of = if several { path.as_str() } else { name.value.as_str() };
            match given {
                Some(found) => self.value(&format!("`{of}` gives"), expected, &found),
                None => self.tell(name.span, format!("`{of}` gives nothing")),
            }
        }
    }

    fn outputs(&mut self, expected: &[(Scalar, Spanned<Value>)]) {
        let outputs = match self.run.outputs(self.run.last_at()) {
            Ok(outputs) => outputs,
            Err(why) => {
                let at = expected.first().map_or(Span::default(), |(name, _)| name.span);
                return self.tell(at, format!("the procedure's outputs cannot be evaluated: {why}"));
            }
        };
        for (name, value) in expected {
            match outputs.get(&name.value) {
                Some(found) => self.value(&format!("the output `{}` is", name.value), value, found),
                None => {
                    let message = format!("the procedure has no output `{}`", name.value);
                    let near = nearest(&name.value, outputs.keys().map(String::as_str));
                    let help = near.map(|near| format!("did you mean `{near}`?"));
                    self.unmet.push(Unmet { at: name.span, message, help });
                }
            }
        }
    }

    fn value(&mut self, what: &str, expected: &Spanned<Value>, found: &Value) {
        if !holds(&expected.value, found) {
            let mut message = format!("{what} {}", found.to_plain_json());
            if let Some(unknown) = found.first_unknown() {
                message = format!("{what} something that no stand-in says: {unknown}");
            }
            self.tell(expected.span, message);
        }
    }

    fn nobody_asked(&mut self, at: Span) {
        if let Some(decision) = self.run.decisions().first() {
            let about = decision.path.as_ref().map_or(String::new(), |path| format!(" about `{path}`"));
            self.tell(at, format!("somebody was asked{about}: {}", decision.request.question.trim()));
        }
    }

    /// By which names people were asked: a rotation by its own, whoever was on call.
    fn names_asked(&self, decision: &Decision) -> Vec<String> {
        let rungs = self.run.rungs(decision).take(decision.rung as usize).flat_map(|(rung, _)| &rung.to);
        let mut names: Vec<String> = Vec::new();
        for name in decision.request.from.iter().chain(rungs) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    fn asked(&mut self, name: &Scalar, expected: &Asked) {
        let fits = |decision: &&Arc<Decision>| {
            let path = decision.path.as_ref();
            let rule = match (&expected.rule, &decision.purpose) {
                (Some(wanted), Purpose::Gate { rule }) => wanted.value == *rule,
                (Some(_), _) => false,
                (None, _) => true,
            };
            rule && path.is_some_and(|path| select::fit(&name.value, path).is_some())
        };
        let Some(decision) = self.run.decisions().iter().find(fits).cloned() else {
            let rule = expected.rule.as_ref().map(|rule| format!(" by the rule `{}`", rule.value)).unwrap_or_default();
            return self.tell(name.span, format!("nobody was asked about `{}`{rule}", name.value));
        };
        if let Some(from) = &expected.from {
            let wanted: Vec<&str> = from.iter().map(|name| name.value.as_str()).collect();
            let asked = self.names_asked(&decision);
            if wanted != asked {
                let found = if asked.is_empty() { "whoever may operate".to_owned() } else { asked.join(", ") };
                self.tell(expected.span, format!("asked about `{}` was {found}", name.value));
            }
        }
        if let Some(count) = expected.count
            && count != decision.request.count
        {
            self.tell(expected.span, format!("`{}` wants {} to agree, not {count}", name.value, decision.request.count));
        }
        if let Some(within) = expected.within
            && Some(within) != decision.request.within
        {
            let found = decision.request.within.map_or("without an end".to_owned(), format_duration);
            self.tell(expected.span, format!("the time for `{}` is {found}", name.value));
        }
        if let Some(part) = &expected.question
            && !decision.request.question.contains(part.value.trim())
        {
            self.tell(part.span, format!("the question is {}", quoted(decision.request.question.trim())));
        }
    }
}

/// Whether a value is what was expected: of maps the members that are named, durations and times also as text, and a text that
/// a program printed with or without its last line end.
fn holds(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Map(expected), Value::Map(found)) => {
            expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| holds(value, found)))
        }
        (Value::List(expected), Value::List(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| holds(expected, found))
        }
        (Value::Int(expected), Value::Float(found)) => (*expected as f64).to_bits() == found.to_bits(),
        (Value::Text(expected), Value::Text(found)) => expected.trim_end() == found.trim_end(),
        (Value::Text(expected), Value::Duration(_) | Value::Time(_)) => found.to_plain_json().as_str() == Some(expected.as_str()),
        _ => expected == found,
    }
}

/// What a step would run, as text: the command, then its values and variables, a line each.
pub(super) fn shown(work: &Work) -> String {
    let mut lines = match &work.task {
        Task::Run { script, values, .. } => {
            let values = values.iter().map(|(name, value)| format!("{name} = {value:?}"));
            [script.trim_end().to_owned()].into_iter().chain(values).collect()
        }
        Task::Exec { argv } => vec![argv.join(" ")],
        Task::Rhai { script, scope } => vec![script.trim_end().to_owned(), plain(scope)],
        Task::Http(http) => vec![
            format!("{} {}", http.method, http.url),
            http.body.as_ref().map(|body| serde_json::to_string(body).unwrap_or_default()).unwrap_or_default(),
        ],
        Task::Notify { to, subject, message, .. } => vec![to.join(", "), subject.clone(), message.clone()],
        Task::Event(task) => {
            let names = (!task.names.is_empty()).then(|| plain(&task.names));
            [task.source.clone()].into_iter().chain(task.when.clone()).chain(names).collect()
        }
    };
    lines.extend(work.env.iter().map(|(name, text)| match text {
        EnvText::Plain(text) => format!("{name}={text}"),
        EnvText::Secret(secret) => format!("{name}=‹secret {}›", secret.name),
    }));
    lines.join("\n")
}

fn plain(scope: &Map) -> String {
    Value::Map(scope.clone()).to_plain_json().to_string()
}
