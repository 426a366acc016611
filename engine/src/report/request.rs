//! A decision on one screen: who asks, what, what would run with which commands, what is known and what is not, how to take it back, how long
//! there is, and the digest that the answer names. A terminal and a page show the same; here is what they show, as texts that are harmless in
//! each.

use jiff::Timestamp;
use runbook_core::document::InputType;
use runbook_core::document::step::OnTimeout;
use runbook_core::effect::Effect;
use runbook_core::plain::{line, plain};
use runbook_core::plan::ValueSpec;
use runbook_core::policy::OnCall;
use runbook_core::run::Run;
use runbook_core::run::decision::{Choice, Decision, Purpose, Undo, UndoStep, Upcoming};
use runbook_core::run::event::Vote;
use runbook_core::run::task::Task;

use crate::words;

/// What kind of answer is wanted, as a heading.
pub fn heading(purpose: &Purpose) -> String {
    match purpose {
        Purpose::Approve => "approval wanted".to_owned(),
        Purpose::Ask => "answers wanted".to_owned(),
        Purpose::Manual => "work by hand".to_owned(),
        Purpose::Gate { rule } => format!("approval wanted by the rule `{}`", line(rule)),
        Purpose::Step => "go on with the next step?".to_owned(),
        Purpose::Part => "only a part of the procedure would run".to_owned(),
        Purpose::Unknown => "nobody knows how a step ended".to_owned(),
        Purpose::UndoFailed => "an undo failed".to_owned(),
    }
}

/// One short word for a list.
pub fn kind(purpose: &Purpose) -> &'static str {
    match purpose {
        Purpose::Approve => "approve",
        Purpose::Ask => "ask",
        Purpose::Manual => "manual",
        Purpose::Gate { .. } => "gate",
        Purpose::Step => "step",
        Purpose::Part => "part",
        Purpose::Unknown => "unknown",
        Purpose::UndoFailed => "undo failed",
    }
}

/// What can be said. Looking again is of use only where the step says how.
pub fn offered(run: &Run, decision: &Decision) -> Vec<Choice> {
    let step = decision.path.as_ref().and_then(|path| run.find_step(path));
    let can_look = step.is_some_and(|step| step.step().verify.is_some());
    decision.request.choices.iter().copied().filter(|choice| *choice != Choice::Probe || can_look).collect()
}

/// What stands behind an answer beside who gave it; nothing, or a phrase that goes on.
pub fn proof(vote: &Vote) -> &'static str {
    match (&vote.signature, &vote.ahead) {
        (Some(_), _) => ", signed with an SSH key",
        (None, Some(_)) => ", ahead of time",
        (None, None) => "",
    }
}

pub fn may_decide(decision: &Decision) -> String {
    let request = &decision.request;
    let mut text = match decision.asked.len() {
        0 => "whoever may operate".to_owned(),
        _ => line(&named(&decision.asked, &decision.on_call).join(", ")).into_owned(),
    };
    if request.count > 1 {
        text.push_str(&format!("; {} people must agree", request.count));
    }
    if request.not_requester {
        text.push_str("; not whoever asked for the run");
    }
    if request.signed {
        text.push_str("; signed with an SSH key");
    }
    text
}

/// Who has said that they are at it, since when, as long as it is open.
pub fn at_it(decision: &Decision) -> Option<(String, Timestamp)> {
    let taken = decision.acknowledged.as_ref().filter(|_| decision.is_open())?;
    let by = line(&taken.by.person);
    let told = match &taken.to {
        Some(to) => format!("{}, to whom {by} has handed it over", line(to)),
        None => by.into_owned(),
    };
    Some((told, taken.at))
}

/// Those who are asked, with the rotations in which they are on call.
pub fn named(asked: &[String], on_call: &OnCall) -> Vec<String> {
    let one = |name: &String| {
        let of: Vec<&str> = on_call.iter().filter(|(_, people)| people.contains(name)).map(|(of, _)| of.as_str()).collect();
        match on_call.get(name) {
            Some(people) if people.is_empty() => format!("{name} (nobody was on call: everybody in it)"),
            _ if of.is_empty() => name.clone(),
            _ => format!("{name} (on call in {})", of.join(", ")),
        }
    };
    asked.iter().map(one).collect()
}

/// How long there is, and what follows when nobody answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub at: Timestamp,
    /// `59m 59s left`, or that it is over.
    pub left: String,
    pub then: String,
}

pub fn deadline(run: &Run, decision: &Decision, now: Timestamp) -> Option<Deadline> {
    let at = decision.deadline?;
    let then = match (run.next_rung(decision), decision.request.on_timeout) {
        (Some((rung, _)), _) => format!("{} may decide too", line(&rung.to.join(", "))),
        (None, OnTimeout::Reject) => "it counts as rejected".to_owned(),
        (None, OnTimeout::Fail | OnTimeout::Escalate) => "the step fails".to_owned(),
    };
    let left = if at > now { format!("{} left", words::elapsed(words::between(now, at))) } else { "over".to_owned() };
    Some(Deadline { at, left, then })
}

/// What stands above the steps that an answer would start.
pub fn next_heading(purpose: &Purpose) -> &'static str {
    match purpose {
        Purpose::Unknown => "if it is run again, next",
        Purpose::UndoFailed => "if it is tried again, next",
        _ => "if the answer is yes, next",
    }
}

/// One step that an answer would start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    pub number: Option<String>,
    pub path: String,
    /// Where it says more than the path.
    pub title: Option<String>,
    pub effect: Effect,
    /// Why it is done, under what condition, for what, exactly what, and how it is taken back.
    pub parts: Vec<Part>,
}

/// What is said of a step, in lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// In words.
    Note(Vec<String>),
    /// What would run, whose lines stand below one another.
    Work(Vec<String>),
}

impl Part {
    pub fn lines(&self) -> &[String] {
        let (Part::Note(lines) | Part::Work(lines)) = self;
        lines
    }
}

pub fn next(run: &Run, decision: &Decision) -> Vec<Next> {
    decision.request.next.iter().map(|step| upcoming(run, decision, step)).collect()
}

fn upcoming(run: &Run, decision: &Decision, step: &Upcoming) -> Next {
    let note = |text: String| Part::Note(vec![text]);
    let mut parts = Vec::new();
    parts.extend(step.why.iter().map(|why| Part::Note(words::remark("why", why))));
    parts.extend(step.condition.iter().map(|condition| note(format!("only if {}", line(condition)))));
    parts.extend(step.items.iter().map(|items| note(format!("for each of {}", line(items)))));
    parts.extend(step.digest.iter().map(|digest| note(format!("too long to be shown here; its digest is {}", digest.short()))));
    parts.extend(step.work.iter().map(|work| Part::Work(words::work(work))));
    match &step.undo {
        Undo::Steps(titles) => parts.push(note(format!("undo: {}", line(&titles.join(", "))))),
        Undo::Does(steps) => parts.extend(steps.iter().map(|step| Part::Work(undo(step)))),
        Undo::Irreversible(reason) => parts.push(note(format!("cannot be undone: {}", line(reason)))),
        // An undo is what takes back; it has none itself.
        Undo::None if decision.purpose == Purpose::UndoFailed => {}
        Undo::None => parts.push(note("no undo".to_owned())),
        Undo::NotNeeded => {}
    }
    Next {
        number: run.plan().number_at(&step.path),
        path: step.path.to_string(),
        title: (step.title != step.path.label()).then(|| line(&step.title).into_owned()),
        effect: step.effect,
        parts,
    }
}

/// A step that takes back, with its command.
fn undo(step: &UndoStep) -> Vec<String> {
    let title = step.title.iter().map(|title| line(title).into_owned());
    let long = step.digest.iter().map(|digest| format!("too long to be shown here; its digest is {}", digest.short()));
    let told = title.chain(step.work.iter().flat_map(|work| words::work(work))).chain(long);
    told.enumerate().map(|(number, text)| format!("{}{text}", if number == 0 { "undo: " } else { "      " })).collect()
}

/// Why a change that an answer would start may not start now.
pub fn closed(run: &Run, decision: &Decision, now: Timestamp) -> Option<String> {
    let told = |step: &Upcoming| matches!(step.work.as_ref().map(|work| &work.task), Some(Task::Notify { .. }));
    // What takes back is never held up.
    let changes =
        decision.purpose != Purpose::UndoFailed && decision.request.next.iter().any(|step| step.effect.changes() && !told(step));
    let closed = run.plan().policy.may_change_at(now).err().filter(|_| changes)?;
    Some(line(&closed.to_string()).into_owned())
}

/// What was asked, as lines.
pub fn question(decision: &Decision) -> String {
    plain(decision.request.question.trim_end()).into_owned()
}

/// What an answer must be, for whoever reads it before it is asked for.
pub fn takes(spec: &ValueSpec) -> String {
    let mut takes = bounds(spec);
    if let Some(pattern) = &spec.pattern {
        takes.push_str(&format!(", like `{}`", line(pattern)));
    }
    match &spec.default {
        Some(default) => takes.push_str(&format!("; {} where nothing is said", words::value(default))),
        None if !spec.required => takes.push_str("; may be left out"),
        None => {}
    }
    takes
}

/// Its type with an example, and how large it may be.
pub fn bounds(spec: &ValueSpec) -> String {
    let kind = InputType::ALL.iter().find(|(_, t)| *t == spec.r#type).map_or("text", |(name, _)| *name);
    let mut hint = match spec.r#type {
        _ if !spec.choices.is_empty() => {
            let choices: Vec<String> = (1..).zip(&spec.choices).map(|(n, c)| format!("{n} {}", words::value(c))).collect();
            choices.join(", ")
        }
        InputType::Boolean => "true or false".to_owned(),
        _ => kind.to_owned(),
    };
    let known = match spec.r#type {
        InputType::Duration => Some("1h 30m"),
        InputType::Time => Some("2026-01-31T18:00:00Z"),
        InputType::List => Some("[1, 2]"),
        InputType::Map => Some("{\"name\": \"value\"}"),
        _ => None,
    };
    if let Some(example) = spec.examples.first().map(words::value).or(known.map(str::to_owned)) {
        hint.push_str(&format!(", such as {example}"));
    }
    let unit = match spec.r#type {
        InputType::List => " items",
        InputType::Map => " members",
        kind if kind.is_text() => " characters",
        _ => "",
    };
    match (&spec.min, &spec.max) {
        (Some(min), Some(max)) => hint.push_str(&format!(", {} to {}{unit}", words::value(min), words::value(max))),
        (Some(min), None) => hint.push_str(&format!(", at least {}{unit}", words::value(min))),
        (None, Some(max)) => hint.push_str(&format!(", at most {}{unit}", words::value(max))),
        (None, None) => {}
    }
    hint
}
