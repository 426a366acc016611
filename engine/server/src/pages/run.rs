//! One run: how it stands, every step of the plan with what became of it, under the numbers that a dry run and the manual have, what people decided, and
//! what can be done about it.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use runbook_core::plan::Outlined;
use runbook_core::policy::access::Act;
use runbook_core::run::event::StepOutcome;
use runbook_core::run::view::{Standing, StepView};
use runbook_core::{Run, StepPath, guide, limits};
use runbook_engine::journal::{Phase, RunRow};
use runbook_engine::report::{ended, request};
use runbook_engine::words;
use serde::Serialize;
use serde_json::{Value, json};

use super::Refused;
use super::address::address;
use super::decision::{event, impact, outcome_class};
use super::frame::Frame;
use super::render::{self, Tab, When};
use super::runs::standing;
use super::typed::Fields;
use crate::api::{Answer, Call, ROOT, runs};
use crate::problem::Problem;

/// Rows of steps on one page.
pub const ROWS: usize = 150;
/// Lines of what a step that failed had to say.
const DETAIL: usize = 12;
/// Of a step that the run has not come to.
pub const TO_COME: &str = "to come";
const NOT_REACHED: &str = "not reached";

#[derive(Serialize)]
struct View {
    run: String,
    ways: Vec<Tab>,
    procedure: String,
    title: Option<String>,
    environment: Option<String>,
    impact: &'static str,
    word: &'static str,
    class: &'static str,
    why: String,
    asked_for_by: String,
    event: Option<String>,
    owner: Option<String>,
    inputs: Vec<String>,
    started_at: When,
    took: String,
    events: u64,
    head: String,
    steps: Vec<Row>,
    /// Of how many rows, and which are shown.
    rows: usize,
    first: usize,
    last: usize,
    before: Option<String>,
    after: Option<String>,
    decisions: Vec<Decided>,
    can_cancel: bool,
    can_pause: bool,
    can_resume: bool,
    can_undo: bool,
    can_note: bool,
    undoable: String,
    refused: Option<Refused>,
    /// What was typed before, where it was not taken.
    reason: String,
    text: String,
}

#[derive(Serialize)]
pub struct Row {
    pub number: String,
    /// By which others lead here: the first of the rows of a number has it.
    anchor: Option<String>,
    pub title: String,
    /// Where the run has come to it.
    #[serde(skip)]
    pub at: Option<StepPath>,
    path: Option<String>,
    pub depth: usize,
    effect: Option<&'static str>,
    pub word: &'static str,
    pub class: &'static str,
    took: String,
    tries: Option<String>,
    note: Option<String>,
    detail: Option<String>,
    log: Option<String>,
    decision: Option<String>,
}

#[derive(Serialize)]
struct Decided {
    decision: String,
    kind: &'static str,
    word: String,
    class: &'static str,
    question: String,
    votes: Vec<String>,
}

pub async fn show(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let (run, row) = runs::replayed(&call, &row.run).await?;
    let view = view(&call, &row, &run)?;
    let frame = framed(&call, &row, &run, format!("{} {}", view.procedure, view.word));
    Ok(Answer::raw(render::page("run", &frame, &view)?))
}

/// What stands around the pages of a run: they change as it does.
pub fn framed(call: &Call, row: &RunRow, run: &Run, title: String) -> Frame {
    let mut frame = Frame::of(Some(&call.caller), title, super::runs::PATH);
    frame.stream = Some(format!("{ROOT}/runs/{}/stream?from={}", row.run, row.seq + 1)).filter(|_| run.outcome().is_none());
    frame
}

/// The ways to look at a run.
pub fn ways(row: &RunRow, here: &str) -> Vec<Tab> {
    let of = format!("/runs/{}", row.run);
    let ways = [
        ("steps", of.clone()),
        ("timeline", format!("{of}/timeline")),
        ("flow", format!("{of}/flow")),
        ("compare", format!("{of}/compare")),
    ];
    ways.map(|(name, address)| Tab { name, address, count: None, is_here: name == here }).into()
}

fn view(call: &Call, row: &RunRow, run: &Run) -> Result<View, Problem> {
    let now = call.app().clock.now();
    let (summary, people) = (&row.summary, &run.plan().policy.people);
    let Some(started) = run.start() else { return Err(Problem::not_found("the run has not begun")) };
    let (word, class) = standing(row, now);
    let may_steer = call.caller.rights.may(Act::Steer, &*call.labels(row)?);
    let goes_on = run.outcome().is_none();
    let rows = rows(run, row, now);
    let here = format!("/runs/{}", row.run);
    // Where something is to be seen to, or else at the beginning.
    let of_interest = || rows.iter().position(|row| matches!(row.class, "bad" | "live") || row.decision.is_some());
    let first = match call.parsed::<usize>("from")? {
        Some(from) => from.saturating_sub(1),
        None => of_interest().unwrap_or_default() / ROWS * ROWS,
    };
    let at = |place: usize| address(&here, [("from", (place + 1).to_string().as_str())]);
    let (all, last) = (rows.len(), (first + ROWS).min(rows.len()));
    let refused = Refused::of(call);
    let typed = |name: &str| refused.as_ref().and_then(|refused| refused.fields.text(name)).unwrap_or_default();
    let main = run.plan().main();
    Ok(View {
        run: row.run.to_string(),
        ways: ways(row, "steps"),
        procedure: format!("{} {}", summary.procedure, summary.version),
        title: main.title.clone(),
        environment: summary.environment.clone(),
        impact: impact(main.impact),
        word,
        class,
        why: run.outcome().map(ended::why_ended).unwrap_or_default(),
        asked_for_by: words::who(people, &started.requested_by),
        event: started.event.as_ref().map(event),
        owner: main.owner.clone(),
        inputs: words::values(&started.inputs),
        started_at: When::at(summary.started_at),
        took: words::elapsed(words::between(summary.started_at, summary.ended_at.unwrap_or(now))),
        events: row.seq,
        head: row.head.short().to_owned(),
        before: (first > 0).then(|| at(first.saturating_sub(ROWS))),
        after: (last < all).then(|| at(last)),
        rows: all,
        first: first + 1,
        last,
        steps: rows.into_iter().skip(first).take(ROWS).collect(),
        decisions: run.decisions().iter().map(|decision| decided(run, decision)).collect(),
        can_cancel: may_steer && goes_on && !run.is_cancelled(),
        can_pause: may_steer && goes_on && !run.is_cancelled() && !run.is_paused(),
        can_resume: may_steer && goes_on && (run.is_paused() || (summary.phase == Phase::Parked && !row.is_held(now))),
        can_undo: may_steer && !goes_on && run.undoable() > 0,
        can_note: may_steer,
        undoable: words::count(run.undoable() as u64, "change", "changes"),
        reason: typed("reason"),
        text: typed("text"),
        refused,
    })
}

/// Every step in the order of the plan, each as often as the run has come to it; then what is in no plan: what takes back, and what follows a failure.
pub fn rows(run: &Run, row: &RunRow, now: Timestamp) -> Vec<Row> {
    let mut come_to: HashMap<String, Vec<StepView<'_>>> = HashMap::new();
    let mut numbers = Vec::new();
    for step in run.steps() {
        let number = step.number();
        come_to
            .entry(number.clone())
            .or_insert_with(|| {
                numbers.push(number);
                Vec::new()
            })
            .push(step);
    }
    let mut rows = Vec::new();
    // Whether all is over in which the next step of the outline stands: what was not reached there is not to come either.
    let mut over: Vec<bool> = Vec::new();
    for planned in run.plan().outline(limits::GUIDE_STEPS) {
        over.truncate(planned.depth);
        let is_past = run.outcome().is_some() || over.last().copied().unwrap_or(false);
        let steps = come_to.remove(&planned.number);
        over.push(steps.as_ref().map_or(is_past, |steps| steps.iter().all(|step| matches!(step.standing(), Standing::Ended(_)))));
        match steps {
            Some(steps) => rows.extend(steps.iter().map(|step| actual(run, row, step, planned.depth, now))),
            None => rows.push(not_come_to(run, &planned, is_past)),
        }
    }
    for number in numbers {
        let steps = come_to.remove(&number).unwrap_or_default();
        rows.extend(steps.iter().map(|step| actual(run, row, step, step.path().depth(), now)));
    }
    let mut before = HashSet::new();
    for row in &mut rows {
        row.anchor = before.insert(row.number.clone()).then(|| anchor(&row.number));
    }
    rows
}

pub fn anchor(number: &str) -> String {
    format!("step-{number}")
}

/// A step that the run has not come to.
fn not_come_to(run: &Run, planned: &Outlined<'_>, is_past: bool) -> Row {
    Row {
        number: planned.number.clone(),
        anchor: None,
        title: guide::title(run.plan(), planned.step),
        at: None,
        path: None,
        depth: planned.depth.min(4),
        effect: effect(planned.step.effect),
        word: if is_past { NOT_REACHED } else { TO_COME },
        class: "quiet",
        took: String::new(),
        tries: None,
        note: None,
        detail: None,
        log: None,
        decision: None,
    }
}

fn actual(run: &Run, row: &RunRow, step: &StepView<'_>, depth: usize, now: Timestamp) -> Row {
    let standing = step.standing();
    let class = match standing {
        Standing::Ended(outcome) => outcome_class(outcome),
        Standing::Running | Standing::Open | Standing::Starting | Standing::Sleeping(_) => "live",
        Standing::InDoubt => "bad",
        _ => "warning",
    };
    let took = match (standing, step.ended()) {
        (Standing::Ended(StepOutcome::Skipped), _) => String::new(),
        (_, end) => words::elapsed(words::between(step.began(), end.unwrap_or(now))),
    };
    let failed = matches!(standing, Standing::Ended(outcome) if !matches!(outcome, StepOutcome::Succeeded | StepOutcome::Skipped));
    let mut detail = if failed { ended::detail(run, step) } else { Vec::new() };
    let more = detail.len().saturating_sub(DETAIL);
    detail.drain(..more);
    let path = step.path();
    let title = step.title();
    let decision = match standing {
        Standing::Deciding(Some(id)) => Some(format!("/runs/{}/decisions/{id}", row.run)),
        _ => None,
    };
    Row {
        number: step.number(),
        anchor: None,
        at: Some(path.clone()),
        path: (path.as_str() != title).then(|| path.to_string()),
        title,
        depth: depth.min(4),
        effect: effect(step.step().effect),
        word: ended::standing_word(standing),
        class,
        took,
        tries: (step.attempt() > 1).then(|| words::count(u64::from(step.attempt()), "attempt", "attempts")),
        note: step.note().map(|note| note.message.clone()),
        detail: (!detail.is_empty()).then(|| detail.join("\n")),
        log: (step.attempt() > 0 && step.step().verb.acts())
            .then(|| address(&format!("/runs/{}/log", row.run), [("step", path.as_str())])),
        decision,
    }
}

/// The effect as a tag: none is not worth one.
fn effect(effect: runbook_core::Effect) -> Option<&'static str> {
    (effect > runbook_core::Effect::None).then(|| effect.name())
}

fn decided(run: &Run, decision: &runbook_core::run::decision::Decision) -> Decided {
    let people = &run.plan().policy.people;
    let came = super::decision::came_out(decision);
    let vote = |vote: &runbook_core::run::event::Vote| {
        let proof = request::proof(vote);
        let reason = vote.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let answers = words::values(&vote.answers);
        let answers = if answers.is_empty() { String::new() } else { format!(" ({})", answers.join(", ")) };
        format!("{} by {}{proof}{reason}{answers}", vote.choice.name(), words::who(people, &vote.by))
    };
    Decided {
        decision: decision.id.to_string(),
        kind: request::kind(&decision.purpose),
        word: came.as_ref().map_or_else(|| "open".to_owned(), |came| came.word.to_lowercase()),
        class: came.as_ref().map_or("warning", |came| came.class),
        question: decision.request.question.trim().lines().next().unwrap_or_default().to_owned(),
        votes: decision.votes.iter().map(vote).collect(),
    }
}

/// What the forms say, as a program would.
pub fn cancel(fields: &Fields) -> Result<Value, Problem> {
    Ok(json!({"reason": fields.text("reason").unwrap_or_default(), "undo": fields.text("undo").is_some()}))
}

pub fn reason(fields: &Fields) -> Result<Value, Problem> {
    Ok(json!({"reason": fields.text("reason").unwrap_or_default()}))
}

pub fn resume(_: &Fields) -> Result<Value, Problem> {
    Ok(json!({}))
}

pub fn note(fields: &Fields) -> Result<Value, Problem> {
    Ok(json!({"text": fields.text("text").unwrap_or_default()}))
}

/// What its record proves.
#[derive(Serialize)]
struct Proof {
    run: String,
    is_sound: bool,
    intact: u64,
    head: Option<String>,
    votes: Vec<String>,
    signed: Vec<String>,
    anchors: String,
    logs: Option<String>,
    with_logs: Option<String>,
    faults: Vec<String>,
}

pub async fn proof(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let (found, with_logs) = runs::verified(&call, &row).await?;
    let vote = |vote: &runbook_engine::verify::Cast| {
        let signed = if vote.signed { ", signed" } else { "" };
        format!("{}: {} by {}{signed}", vote.decision, vote.choice, vote.person)
    };
    let view = Proof {
        run: row.run.to_string(),
        is_sound: found.is_sound(),
        intact: found.intact,
        head: found.head.as_ref().map(ToString::to_string),
        votes: found.votes.iter().map(vote).collect(),
        signed: found.signed.iter().map(|head| format!("after event {} by {}", head.seq, head.by)).collect(),
        anchors: words::count(found.anchors, "anchor holds", "anchors hold"),
        logs: with_logs.then(|| words::count(found.logs, "log compared", "logs compared")),
        with_logs: (!with_logs).then(|| format!("/runs/{}/proof?logs=true", row.run)),
        faults: found.faults.iter().map(ToString::to_string).collect(),
    };
    let frame = Frame::of(Some(&call.caller), "What the record proves", super::runs::PATH);
    Ok(Answer::raw(render::page("proof", &frame, &view)?))
}
