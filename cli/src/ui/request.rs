//! A decision on one screen: who asks, what, what would run with which commands, what is known and what is not, how to take it
//! back, how long there is, and the digest that the answer names. The text is the same for a terminal, a page and a message.

use jiff::Timestamp;
use runbook_core::document::step::OnTimeout;
use runbook_core::effect::Effect;
use runbook_core::policy::Refusal;
use runbook_core::run::decision::{Choice, Decision, Purpose, Undo, UndoStep, Upcoming};
use runbook_core::run::event::Identity;
use runbook_core::run::task::Task;
use runbook_core::{Plan, Run};

use super::style::Tone;
use super::{ask, words};
use super::{line, plain};

/// What kind of answer is wanted, as a heading.
fn heading(purpose: &Purpose) -> String {
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

/// The whole screen.
pub fn screen(run: &Run, decision: &Decision, now: Timestamp) -> String {
    let request = &*decision.request;
    let people = &run.plan().policy.people;
    let mut out = Vec::new();
    out.push(Tone::Waiting.paint(&format!("── {} ──", heading(&decision.purpose))));
    // Values stand in a question: the bar says where it ends.
    out.extend(plain(request.question.trim_end()).lines().map(|text| format!("│ {text}")));
    out.push(String::new());
    let mut row = |name: &str, text: String| out.push(format!("{:<12} {text}", name));
    if let (Some(started), Some(id)) = (run.start(), run.id()) {
        let environment = started.environment.as_ref().map(|e| format!(" in {}", line(e))).unwrap_or_default();
        row("run", format!("{} {}{environment}, run {id}", started.procedure, started.version));
        row("asked for by", line(&words::who(people, &started.requested_by)).into_owned());
        if !started.inputs.is_empty() {
            row("inputs", words::values(&started.inputs).join(&format!("\n{:<13}", "")));
        }
    }
    let path = decision.path.as_ref().map(|path| format!(", step {}", words::step(run, path))).unwrap_or_default();
    row("decision", format!("{}{path}", decision.id));
    row("may decide", may_decide(decision));
    row("time", deadline(run, decision, now));
    if let Some(evidence) = &request.evidence {
        row("evidence", line(evidence).into_owned());
    }
    if let Some(closed) = closed(run, decision, now) {
        row("changes", Tone::Warning.paint(&closed));
    }
    out.extend(fields(decision));
    out.extend(next(decision, run.plan()));
    if !request.known.is_empty() {
        out.push(String::new());
        out.push(Tone::Strong.paint("known so far"));
        out.extend(request.known.iter().map(|(name, value)| format!("  {} = {}", line(name), line(value))));
    }
    if !request.unknown.is_empty() {
        out.push(String::new());
        out.push(Tone::Strong.paint("not known yet"));
        out.extend(request.unknown.iter().map(|name| format!("  {}", line(name))));
    }
    for vote in &decision.votes {
        let reason = vote.reason.as_ref().map(|r| format!(": {}", line(r))).unwrap_or_default();
        out.push(format!("{:<12} {} by {}{reason}", "so far", vote.choice.name(), line(&words::who(people, &vote.by))));
    }
    out.push(String::new());
    out.push(format!("{:<12} {}", "digest", request.digest.short()));
    out.join("\n")
}

fn may_decide(decision: &Decision) -> String {
    let request = &decision.request;
    let mut text = match decision.asked.len() {
        0 => "whoever may operate".to_owned(),
        _ => line(&decision.asked.join(", ")).into_owned(),
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

fn deadline(run: &Run, decision: &Decision, now: Timestamp) -> String {
    let Some(at) = decision.deadline else { return "no limit".to_owned() };
    let then = match (run.next_rung(decision), decision.request.on_timeout) {
        (Some((rung, _)), _) => format!("{} may decide too", line(&rung.to.join(", "))),
        (None, OnTimeout::Reject) => "it counts as rejected".to_owned(),
        (None, OnTimeout::Fail | OnTimeout::Escalate) => "the step fails".to_owned(),
    };
    let left = if at > now { format!("{} left", words::elapsed(words::between(now, at))) } else { "over".to_owned() };
    format!("until {} ({left}); then {then}", words::when(at))
}

/// The steps that an answer would start.
fn next(decision: &Decision, plan: &Plan) -> Vec<String> {
    let request = &decision.request;
    let answer = match decision.purpose {
        Purpose::Unknown => "if it is run again, next",
        Purpose::UndoFailed => "if it is tried again, next",
        _ => "if the answer is yes, next",
    };
    let mut out = vec![String::new(), Tone::Strong.paint(answer)];
    if request.next.is_empty() {
        out.push("  nothing".to_owned());
    }
    for step in &request.next {
        let number = plan.number_at(&step.path).map(|number| format!("{number}. ")).unwrap_or_default();
        let title = if step.title == step.path.label() { String::new() } else { format!("  {}", line(&step.title)) };
        out.push(format!("  {number}{}{title}  [{}]", step.path, effect(step.effect)));
        out.extend(step.why.iter().flat_map(|why| words::remark("why", why)).map(|text| format!("     {text}")));
        if let Some(condition) = &step.condition {
            out.push(format!("     only if {}", line(condition)));
        }
        if let Some(items) = &step.items {
            out.push(format!("     for each of {}", line(items)));
        }
        if let Some(digest) = &step.digest {
            out.push(format!("     too long to be shown here; its digest is {}", digest.short()));
        }
        if let Some(work) = &step.work {
            out.extend(words::work(work).into_iter().map(|text| format!("     {text}")));
        }
        match &step.undo {
            Undo::Steps(titles) => out.push(format!("     undo: {}", line(&titles.join(", ")))),
            Undo::Does(steps) => out.extend(steps.iter().flat_map(undo).map(|text| format!("     {text}"))),
            Undo::Irreversible(reason) => out.push(format!("     cannot be undone: {}", line(reason))),
            // An undo is what takes back; it has none itself.
            Undo::None if decision.purpose == Purpose::UndoFailed => {}
            Undo::None => out.push("     no undo".to_owned()),
            Undo::NotNeeded => {}
        }
    }
    out
}

/// A step that takes back, with its command.
fn undo(step: &UndoStep) -> Vec<String> {
    let title = step.title.iter().map(|title| line(title).into_owned());
    let long = step.digest.iter().map(|digest| format!("too long to be shown here; its digest is {}", digest.short()));
    let told = title.chain(step.work.iter().flat_map(|work| words::work(work))).chain(long);
    told.enumerate().map(|(number, text)| format!("{}{text}", if number == 0 { "undo: " } else { "      " })).collect()
}

/// Why a change that an answer would start may not start now.
fn closed(run: &Run, decision: &Decision, now: Timestamp) -> Option<String> {
    let told = |step: &Upcoming| matches!(step.work.as_ref().map(|work| &work.task), Some(Task::Notify { .. }));
    // What takes back is never held up.
    let changes =
        decision.purpose != Purpose::UndoFailed && decision.request.next.iter().any(|step| step.effect.changes() && !told(step));
    let closed = run.plan().policy.may_change_at(now).err().filter(|_| changes)?;
    Some(line(&closed.to_string()).into_owned())
}

/// What an `ask` takes, so that whoever answers knows before it is asked for.
fn fields(decision: &Decision) -> Vec<String> {
    if decision.request.fields.is_empty() {
        return Vec::new();
    }
    let mut out = vec![String::new(), Tone::Strong.paint("asked for")];
    for field in &decision.request.fields {
        out.push(format!("  {}: {}", field.name, ask::takes(&field.value)));
        out.extend(field.value.description.iter().map(|text| format!("     {}", line(text))));
    }
    out
}

/// An effect in its tone.
pub fn effect(effect: Effect) -> String {
    match effect {
        Effect::None | Effect::Read => effect.name().to_owned(),
        Effect::Change => Tone::Warning.paint(effect.name()),
        Effect::Destructive => Tone::Bad.paint(effect.name()),
    }
}

/// What can be said. Looking again is of use only where the step says how.
pub fn offered(run: &Run, decision: &Decision) -> Vec<Choice> {
    let step = decision.path.as_ref().and_then(|path| run.find_step(path));
    let can_look = step.is_some_and(|step| step.step().verify.is_some());
    decision.request.choices.iter().copied().filter(|choice| *choice != Choice::Probe || can_look).collect()
}

/// The one next thing to do about a decision: the likeliest answer, or, for a reader who may not decide it, whom to ask for that. `after`
/// follows the answer.
pub fn answer_for(run: &Run, decision: &Decision, reader: &Identity, after: &str) -> Option<String> {
    let command = format!("{}{after}", answers(run, decision).into_iter().next()?);
    let asked_for_by = &run.start()?.requested_by;
    match run.plan().policy.may_decide(run.asked(decision), asked_for_by, reader) {
        Err(mut refusal @ (Refusal::Requester { .. } | Refusal::NotAsked { .. })) => {
            if let Refusal::NotAsked { members: left, .. } | Refusal::Requester { others: left, .. } = &mut refusal {
                left.retain(|name| decision.votes.iter().all(|vote| vote.by.person != *name));
            }
            // It names those who may behind what is wrong.
            let whom = refusal.to_string().rsplit("; ").next().unwrap_or_default().to_owned();
            Some(format!("{whom} for: {command}"))
        }
        _ => Some(command),
    }
}

/// The commands that answer a decision from another terminal, the likeliest first.
pub fn answers(run: &Run, decision: &Decision) -> Vec<String> {
    let id = run.id().map(ToString::to_string).unwrap_or_default();
    let several = run.decisions().iter().filter(|d| d.is_open()).count() > 1;
    let place = if several { format!("{id} {}", decision.id) } else { id };
    let offered = offered(run, decision);
    let offers = |choice| offered.contains(&choice);
    let mut commands = Vec::new();
    match decision.purpose {
        Purpose::Ask => {
            let wanted = decision.request.fields.iter().filter(|field| field.value.required && field.value.default.is_none());
            let answers: Vec<String> = wanted.map(|field| format!(" --answer {}=…", field.name)).collect();
            commands.push(format!("runbook answer {place}{}", answers.concat()));
        }
        Purpose::Unknown | Purpose::UndoFailed => {
            let flags =
                [(Choice::Done, "--done"), (Choice::Again, "--again"), (Choice::Probe, "--probe"), (Choice::Leave, "--leave")];
            let offered = flags.iter().filter(|(choice, _)| offers(*choice));
            commands.extend(offered.map(|(choice, flag)| match choice.needs_reason() {
                true => format!("runbook answer {place} {flag} --reason …"),
                false => format!("runbook answer {place} {flag}"),
            }));
        }
        _ => {
            let evidence = if decision.request.evidence.is_some() { " --evidence …" } else { "" };
            let sign = if decision.request.signed { " --sign" } else { "" };
            commands.push(format!("runbook approve {place} --digest {}{evidence}{sign}", decision.request.digest.short()));
        }
    }
    commands
}
