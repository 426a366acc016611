//! A decision on one screen of a terminal, and the commands that answer it. What is shown is what a page shows:
//! [`runbook_engine::report::request`].

use jiff::Timestamp;
use runbook_core::Run;
use runbook_core::effect::Effect;
use runbook_core::policy::Refusal;
use runbook_core::run::decision::{Choice, Decision, Purpose};
use runbook_core::run::event::Identity;
use runbook_engine::report::request::{self as asked, closed, may_decide, takes};
pub use runbook_engine::report::request::{kind, offered, proof};

use super::line;
use super::style::Tone;
use super::words;

/// The whole screen.
pub fn screen(run: &Run, decision: &Decision, now: Timestamp) -> String {
    let request = &*decision.request;
    let people = &run.plan().policy.people;
    let mut out = Vec::new();
    out.push(Tone::Waiting.paint(&format!("── {} ──", asked::heading(&decision.purpose))));
    // Values stand in a question: the bar says where it ends.
    out.extend(asked::question(decision).lines().map(|text| format!("│ {text}")));
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
    if let Some((who, since)) = asked::at_it(decision) {
        row("at it", format!("{who}, since {}", words::when(since)));
    }
    if let Some(evidence) = &request.evidence {
        row("evidence", line(evidence).into_owned());
    }
    if let Some(closed) = closed(run, decision, now) {
        row("changes", Tone::Warning.paint(&closed));
    }
    out.extend(fields(decision));
    out.extend(next(run, decision));
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

fn deadline(run: &Run, decision: &Decision, now: Timestamp) -> String {
    match asked::deadline(run, decision, now) {
        Some(asked::Deadline { at, left, then }) => format!("until {} ({left}); then {then}", words::when(at)),
        None => "no limit".to_owned(),
    }
}

/// The steps that an answer would start.
fn next(run: &Run, decision: &Decision) -> Vec<String> {
    let mut out = vec![String::new(), Tone::Strong.paint(asked::next_heading(&decision.purpose))];
    let steps = asked::next(run, decision);
    if steps.is_empty() {
        out.push("  nothing".to_owned());
    }
    for step in steps {
        let number = step.number.map(|number| format!("{number}. ")).unwrap_or_default();
        let title = step.title.map(|title| format!("  {title}")).unwrap_or_default();
        out.push(format!("  {number}{}{title}  [{}]", step.path, effect(step.effect)));
        out.extend(step.parts.iter().flat_map(asked::Part::lines).map(|text| format!("     {text}")));
    }
    out
}

/// What an `ask` takes, so that whoever answers knows before it is asked for.
fn fields(decision: &Decision) -> Vec<String> {
    if decision.request.fields.is_empty() {
        return Vec::new();
    }
    let mut out = vec![String::new(), Tone::Strong.paint("asked for")];
    for field in &decision.request.fields {
        out.push(format!("  {}: {}", field.name, takes(&field.value)));
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
