//! One decision on one screen: what a terminal shows ([`runbook_engine::report::request`]), and the ways to answer. What is answered is what was
//! shown: the form holds its digest, and the head of the record.

use jiff::Timestamp;
use runbook_core::document::procedure::Impact;
use runbook_core::plain::line;
use runbook_core::policy::access::Act;
use runbook_core::run::decision::{Choice, Decision, Purpose, Standing};
use runbook_core::run::event::StepOutcome;
use runbook_core::run::view::Standing as StepStanding;
use runbook_core::{Run, limits, value};
use runbook_engine::journal::RunRow;
use runbook_engine::report::{ended, request};
use runbook_engine::{permit, words};
use serde::Serialize;
use serde_json::{Value, json};

use super::Refused;
use super::frame::Frame;
use super::render::{self, When};
use super::typed::{Field, Fields};
use crate::api::{Answer, Call, ROOT, decisions};
use crate::problem::Problem;

/// Steps that have ended, of which the last are shown.
const DONE_SHOWN: usize = 8;

#[derive(Serialize)]
struct View {
    run: String,
    decision: String,
    /// Changes whenever what is asked, or what has come of it, does.
    state: String,
    step: Option<String>,
    heading: String,
    question: String,
    /// How it came out; absent while it is open.
    came_out: Option<CameOut>,
    asked_at: When,
    waits_for: String,
    deadline: Option<Deadline>,
    procedure: String,
    title: Option<String>,
    environment: Option<String>,
    impact: &'static str,
    asked_for_by: String,
    event: Option<String>,
    inputs: Vec<String>,
    may_decide: String,
    at_it: Option<AtIt>,
    /// Where whoever looks can say that they are at it, and others would be asked next.
    hold: Option<Holding>,
    evidence: Option<String>,
    closed: Option<String>,
    next_heading: &'static str,
    next: Vec<Next>,
    known: Vec<String>,
    unknown: Vec<String>,
    votes: Vec<Vote>,
    done: Vec<Done>,
    done_before: usize,
    digest: String,
    digest_short: String,
    head: String,
    ways: Vec<Way>,
    /// Why whoever looks cannot answer here.
    why_not: Option<String>,
    refused: Option<Refused>,
}

#[derive(Serialize)]
pub struct CameOut {
    pub word: &'static str,
    pub class: &'static str,
    told: String,
}

#[derive(Serialize)]
struct Deadline {
    at: When,
    left: String,
    then: String,
}

/// What stands in the form by which others are left alone.
#[derive(Serialize)]
struct Holding {
    time: String,
    to: String,
    reason: String,
    is_open: bool,
}

#[derive(Serialize)]
struct AtIt {
    who: String,
    since: When,
}

#[derive(Serialize)]
struct Next {
    number: Option<String>,
    path: String,
    title: Option<String>,
    effect: &'static str,
    parts: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    text: String,
    is_work: bool,
}

#[derive(Serialize)]
struct Vote {
    choice: &'static str,
    by: String,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Done {
    number: String,
    title: String,
    word: &'static str,
    class: &'static str,
}

/// One way to answer.
#[derive(Serialize)]
struct Way {
    choice: &'static str,
    label: &'static str,
    /// What follows from it, where the label does not say so.
    note: &'static str,
    class: &'static str,
    needs_reason: bool,
    is_first: bool,
    is_open: bool,
    fields: Vec<Field>,
    reason: String,
}

pub async fn show(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let (run, decision) = decisions::found(&call, &row).await?;
    let refused = Refused::of(&call);
    let view = view(&call, &row, &run, &decision, refused)?;
    let mut frame = Frame::of(Some(&call.caller), format!("{}: {}", view.heading, view.procedure), "/");
    frame.stream = Some(format!("{ROOT}/runs/{}/stream?from={}", row.run, row.seq + 1)).filter(|_| run.outcome().is_none());
    Ok(Answer::raw(render::page("decision", &frame, &view)?))
}

fn view(call: &Call, row: &RunRow, run: &Run, decision: &Decision, refused: Option<Refused>) -> Result<View, Problem> {
    let now = call.app().clock.now();
    let (request, people) = (&decision.request, &run.plan().policy.people);
    let Some(started) = run.start() else { return Err(Problem::not_found("the run has not begun")) };
    let why_not = why_not(call, row, run, decision)?;
    let typed = refused.as_ref().map(|refused| &refused.fields);
    let (done, done_before) = done(run);
    let main = run.plan().main();
    Ok(View {
        run: row.run.to_string(),
        decision: decision.id.to_string(),
        state: format!("{} {:?} {} {:?}", request.digest.short(), decision.standing, decision.votes.len(), decision.deadline),
        step: decision.path.as_ref().map(|path| words::step(run, path)),
        heading: sentence(&request::heading(&decision.purpose)),
        question: request::question(decision),
        came_out: came_out(decision),
        asked_at: When::at(decision.requested_at),
        waits_for: since(decision.requested_at, now),
        deadline: request::deadline(run, decision, now).map(|deadline| Deadline {
            at: When::at(deadline.at),
            left: deadline.left,
            then: deadline.then,
        }),
        procedure: format!("{} {}", started.procedure, started.version),
        title: main.title.clone(),
        environment: started.environment.clone(),
        impact: impact(main.impact),
        asked_for_by: words::who(people, &started.requested_by),
        event: started.event.as_ref().map(event),
        inputs: words::values(&started.inputs),
        may_decide: request::may_decide(decision),
        at_it: request::at_it(decision).map(|(who, since)| AtIt { who, since: When::at(since) }),
        hold: can_hold(call, row, run, decision)?.then(|| holding(typed)),
        evidence: request.evidence.clone(),
        closed: request::closed(run, decision, now).filter(|_| decision.is_open()),
        next_heading: request::next_heading(&decision.purpose),
        next: request::next(run, decision)
            .into_iter()
            .map(|step| Next {
                number: step.number,
                path: step.path,
                title: step.title,
                effect: step.effect.name(),
                parts: step.parts.iter().map(part).collect(),
            })
            .collect(),
        known: request.known.iter().map(|(name, value)| format!("{} = {}", line(name), line(value))).collect(),
        unknown: request.unknown.clone(),
        votes: decision
            .votes
            .iter()
            .map(|vote| Vote { choice: vote.choice.name(), by: words::who(people, &vote.by), reason: vote.reason.clone() })
            .collect(),
        done,
        done_before,
        digest: request.digest.to_string(),
        digest_short: request.digest.short().to_owned(),
        head: row.head.to_string(),
        ways: if why_not.is_none() && decision.is_open() { ways(run, decision, typed) } else { Vec::new() },
        why_not: why_not.filter(|_| decision.is_open()),
        refused,
    })
}

fn part(part: &request::Part) -> Part {
    Part { text: part.lines().join("\n"), is_work: matches!(part, request::Part::Work(_)) }
}

/// Why the caller cannot answer here: their role, the policy of the run, or that it takes a key that no browser has.
fn why_not(call: &Call, row: &RunRow, run: &Run, decision: &Decision) -> Result<Option<String>, Problem> {
    let labels = call.labels(row)?;
    if !call.caller.rights.may(Act::Decide, &labels) {
        return Ok(Some(format!("no role of `{}` lets them decide in runs of this procedure", call.caller.person)));
    }
    let Some(started) = run.start() else { return Ok(None) };
    let identity = call.caller.identity();
    if let Err(refusal) = run.plan().policy.may_decide(run.asked(decision), &started.requested_by, &identity) {
        return Ok(Some(refusal.to_string()));
    }
    if let Some(vote) = decision.votes.iter().find(|vote| vote.by.person == call.caller.person) {
        return Ok(Some(format!("you have said {} already, and others are asked too", vote.choice.name())));
    }
    let command = format!("runbook approve {} {} --digest {} --sign", row.run, decision.id, decision.request.digest.short());
    Ok(decision.request.signed.then(|| format!("it is to be signed with your SSH key, which no browser has: `{command}`")))
}

/// Whether the caller can have others left alone; with a question that is to be signed too, for that takes no key.
fn can_hold(call: &Call, row: &RunRow, run: &Run, decision: &Decision) -> Result<bool, Problem> {
    let labels = call.labels(row)?;
    let may = call.caller.rights.may(Act::Decide, &labels);
    let can = || permit::can_acknowledge(run, decision.id, &call.caller.identity(), None).is_ok();
    Ok(may && run.can_be_acknowledged(decision) && can())
}

fn ways(run: &Run, decision: &Decision, typed: Option<&Fields>) -> Vec<Way> {
    // Else it is of the form by which others are left alone.
    let typed = typed.filter(|fields| fields.text("choice").is_some());
    let tried = typed.and_then(|fields| fields.text("choice"));
    let reason = typed.and_then(|fields| fields.text("reason")).unwrap_or_default();
    let offered = request::offered(run, decision);
    (0..)
        .zip(offered)
        .map(|(place, choice)| {
            let (label, note, class) = labelled(&decision.purpose, choice);
            let mut fields = Vec::new();
            if choice == Choice::Approve {
                fields.extend(decision.request.fields.iter().map(|spec| Field::of(spec, typed)));
                let evidence = decision.request.evidence.as_ref();
                fields.extend(evidence.map(|wanted| Field::text("evidence", "evidence", wanted, typed)));
            }
            Way {
                choice: choice.name(),
                label,
                note,
                class,
                needs_reason: choice.needs_reason(),
                is_first: place == 0,
                is_open: tried.as_deref() == Some(choice.name()),
                fields,
                reason: reason.clone(),
            }
        })
        .collect()
}

fn holding(typed: Option<&Fields>) -> Holding {
    let typed = typed.filter(|fields| fields.text("choice").is_none());
    let text = |name: &str| typed.and_then(|fields| fields.text(name));
    Holding {
        is_open: typed.is_some(),
        time: text("for").unwrap_or_else(|| value::format_duration(limits::ACKNOWLEDGED_USUALLY)),
        to: text("to").unwrap_or_default(),
        reason: text("reason").unwrap_or_default(),
    }
}

/// What stands on a button, and what follows from it.
fn labelled(purpose: &Purpose, choice: Choice) -> (&'static str, &'static str, &'static str) {
    match (purpose, choice) {
        (Purpose::Ask, Choice::Approve) => ("Send the answers", "", "yes"),
        (Purpose::Manual, Choice::Approve) => ("It is done", "", "yes"),
        (Purpose::Manual, Choice::Reject) => ("It could not be done", "", "no"),
        (Purpose::Step | Purpose::Part, Choice::Approve) => ("Go on", "", "yes"),
        (_, Choice::Approve) => ("Approve", "", "yes"),
        (_, Choice::Reject) => ("Reject", "", "no"),
        (_, Choice::Probe) => ("Look again", "The step says how to see whether it did its work.", "yes"),
        (Purpose::UndoFailed, Choice::Done) => ("It was taken back by hand", "The next change is taken back.", "other"),
        (_, Choice::Done) => ("It did happen", "The run goes on behind it, and does not do it again.", "other"),
        (_, Choice::Again) => ("Run it once more", "What it had done before it broke off is done a second time.", "no"),
        (_, Choice::Leave) => ("Leave the rest", "Nothing more is taken back; the run ends and needs attention.", "no"),
    }
}

pub fn came_out(decision: &Decision) -> Option<CameOut> {
    let by = |what: &str| match decision.votes.last() {
        Some(vote) => format!("{what} by {}", line(&vote.by.person)),
        None => what.to_owned(),
    };
    let (word, class, told) = match decision.standing {
        Standing::Open => return None,
        Standing::Granted => ("Granted", "good", by("granted")),
        Standing::Rejected => ("Rejected", "bad", by("rejected")),
        Standing::Answered => ("Answered", "good", by("answered")),
        Standing::Expired => ("Expired", "bad", "nobody decided in time".to_owned()),
        Standing::Voided => ("Void", "warning", "what would run has changed, and it was asked again".to_owned()),
        Standing::Withdrawn => ("Withdrawn", "warning", "its question has no object any more".to_owned()),
    };
    Some(CameOut { word, class, told })
}

/// The steps that have ended, the last ones, and how many stand before them.
fn done(run: &Run) -> (Vec<Done>, usize) {
    let ended = run.steps().filter_map(|step| match step.standing() {
        StepStanding::Ended(outcome) => Some((step, outcome)),
        _ => None,
    });
    let ended: Vec<_> = ended.collect();
    let before = ended.len().saturating_sub(DONE_SHOWN);
    let shown = ended.into_iter().skip(before).map(|(step, outcome)| Done {
        number: step.number(),
        title: step.title(),
        word: ended::step_word(outcome),
        class: outcome_class(outcome),
    });
    (shown.collect(), before)
}

/// How the end of a step looks.
pub fn outcome_class(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Succeeded => "good",
        StepOutcome::Failed | StepOutcome::TimedOut | StepOutcome::Unknown => "bad",
        StepOutcome::Skipped => "quiet",
        StepOutcome::Cancelled => "warning",
    }
}

pub fn impact(impact: Impact) -> &'static str {
    match impact {
        Impact::Low => "low",
        Impact::Medium => "medium",
        Impact::High => "high",
        Impact::Critical => "critical",
    }
}

/// Which event a run was started by: its source, and what it is about.
pub fn event(event: &runbook_core::Value) -> String {
    let event = event.to_plain_json();
    let text = |name: &str| event[name].as_str().map(|text| words::value(&runbook_core::Value::text(text)));
    let about = text("subject").map(|subject| format!(", about {subject}")).unwrap_or_default();
    format!("{} of {}{about}", text("type").unwrap_or_default(), text("source").unwrap_or_default())
}

/// A heading that stands by itself.
fn sentence(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}

/// What the form says, as a program would.
pub fn asked(fields: &Fields) -> Result<Value, Problem> {
    let mut asked = json!({"choice": fields.text("choice"), "digest": fields.text("digest"), "answers": fields.values()});
    for name in ["reason", "head"] {
        if let Some(text) = fields.text(name) {
            asked[name] = text.into();
        }
    }
    Ok(asked)
}

/// That somebody is at it, as a program would say it.
pub fn acknowledgement(fields: &Fields) -> Result<Value, Problem> {
    let text = |name: &str| fields.text(name).filter(|text| !text.trim().is_empty());
    Ok(json!({"for": text("for"), "to": text("to"), "reason": text("reason").unwrap_or_default()}))
}

/// For how long something has waited, as exactly as anybody wants to know.
pub fn since(at: Timestamp, now: Timestamp) -> String {
    let waited = words::between(at, now);
    if waited.as_secs() < 60 { "less than a minute".to_owned() } else { words::elapsed(waited) }
}

/// In which order what waits is shown: what is over soonest, and then what has waited longest.
pub fn urgency(expires_at: Option<Timestamp>, asked_at: Timestamp) -> (Timestamp, Timestamp) {
    (expires_at.unwrap_or(Timestamp::MAX), asked_at)
}
