//! `runbook show`: a run from its record: steps with how they ended and how long they took, decisions with who, when and how they
//! proved who they are, what could be undone, and the one next command.

mod compacted;

use runbook_core::limits;
use runbook_core::policy::People;
use runbook_core::run::decision::Standing as DecisionStanding;
use runbook_core::run::event::StepOutcome;
use runbook_core::run::view::Standing;
use runbook_core::{Fact, Run, RunId};
use runbook_engine::journal::{Pruned, Record, RunRow};

use super::store::Home;
use crate::args::Show;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::narrate::{detail, half_done, outcome_word, run_word, why_ended};
use crate::ui::words::{between, elapsed, shell_word, when, who, whom};
use crate::ui::{Tone, Ui, line, request};

pub fn run(args: &Show, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    let id = home.find(&args.run.run)?;
    if args.json {
        records(&home, &id, &mut |record| Ok(ui.data(&record.line())?))?;
        return Ok(Exit::Succeeded);
    }
    if let Some(pruned) = home.archive.pruned(&id)?.filter(Pruned::is_compacted) {
        ui.data(&compacted::text(&home, &home.archive.run(&id)?, &pruned)?)?;
        ui.next(&format!("runbook verify {id}"));
        return Ok(Exit::Succeeded);
    }
    let (run, row) = home.replay(&id)?;
    let notes = notes(&home, &id)?;
    ui.data(&text(&home, &run, &row, &notes))?;
    ui.next(&next(&home, &run, &row));
    Ok(Exit::Succeeded)
}

/// Every record of a run, in order.
pub fn records(home: &Home, id: &RunId, each: &mut dyn FnMut(&Record) -> Result<(), Trouble>) -> Result<(), Trouble> {
    let mut from = 1;
    loop {
        let page = home.archive.records(id, from, limits::RECORDS_PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        from = last.seq + 1;
        page.iter().try_for_each(&mut *each)?;
    }
}

/// Remarks that people added, and why they paused the run.
fn notes(home: &Home, id: &RunId) -> Result<Vec<String>, Trouble> {
    let mut notes = Vec::new();
    home.replay_with(id, &mut |run, event| {
        let (kind, by, text) = match &event.fact {
            Fact::NoteAdded { by, text } => ("note  ", by, text),
            Fact::PauseRequested { by, reason } => ("paused", by, reason),
            _ => return,
        };
        let told = if text.is_empty() { String::new() } else { format!(": {}", line(text)) };
        notes.push(format!("{kind}  {}  {}{told}", when(event.at), line(&who(&run.plan().policy.people, by))));
    })?;
    Ok(notes)
}

fn text(home: &Home, run: &Run, row: &RunRow, notes: &[String]) -> String {
    let mut out = Vec::new();
    let mut row_of = |name: &str, text: String| out.push(format!("{name:<12} {text}"));
    let (summary, people) = (&row.summary, &run.plan().policy.people);
    let standing = match run.outcome() {
        Some(outcome) => {
            let (word, tone) = run_word(outcome.kind);
            format!("{}{}", tone.paint(word), why_ended(outcome))
        }
        None => Tone::Waiting.paint(row.standing(home.clock.now())),
    };
    row_of("run", row.run.to_string());
    let environment = summary.environment.as_ref().map(|e| format!(" in {}", line(e))).unwrap_or_default();
    row_of("procedure", format!("{} {}{environment}", summary.procedure, summary.version));
    row_of("standing", standing);
    if let Some(whom) = whom(run.plan().main()) {
        row_of("owner", whom);
    }
    if let Some(started) = run.start() {
        row_of("asked for by", line(&who(people, &started.requested_by)).into_owned());
        let inputs = crate::ui::words::values(&started.inputs);
        if !inputs.is_empty() {
            row_of("inputs", inputs.join(", "));
        }
    }
    let took = summary.ended_at.map(|end| format!(", took {}", elapsed(between(summary.started_at, end)))).unwrap_or_default();
    row_of("started", format!("{}{took}", when(summary.started_at)));
    row_of("record", format!("{} events, head {}", row.seq, row.head.short()));
    out.push(String::new());
    out.extend(steps(run));
    for decision in run.decisions() {
        out.push(String::new());
        out.extend(decided(decision, people));
    }
    if !notes.is_empty() {
        out.push(String::new());
        out.extend(notes.iter().cloned());
    }
    if let Some(text) = run.outcome().and_then(|_| half_done(run)) {
        out.push(String::new());
        out.push(text);
    }
    if run.outcome().is_some() && run.undoable() > 0 {
        out.push(String::new());
        let count = run.undoable();
        out.push(format!("{count} {} can be taken back: runbook undo {}", if count == 1 { "change" } else { "changes" }, row.run));
    }
    out.join("\n")
}

fn steps(run: &Run) -> Vec<String> {
    let mut out = Vec::new();
    for step in run.steps() {
        let (word, tone) = match step.standing() {
            Standing::Ended(outcome) => outcome_word(outcome),
            Standing::Starting => ("starting", Tone::Quiet),
            Standing::Deciding(_) => ("waiting", Tone::Waiting),
            Standing::Running => ("running", Tone::Strong),
            Standing::Retrying(_) => ("retrying", Tone::Warning),
            Standing::Sleeping(_) => ("sleeping", Tone::Strong),
            Standing::Listening => ("waiting", Tone::Waiting),
            Standing::Open => ("open", Tone::Strong),
            Standing::InDoubt => ("unknown", Tone::Warning),
        };
        let took = match (step.standing(), step.ended()) {
            (Standing::Ended(StepOutcome::Skipped), _) | (_, None) => String::new(),
            (_, Some(end)) => elapsed(between(step.began(), end)),
        };
        let title = if step.step().name.is_some() { format!(" · {}", line(&step.title())) } else { String::new() };
        let tries = if step.attempt() > 1 { format!(", {} attempts", step.attempt()) } else { String::new() };
        let note = step.note().map(|n| format!(": {}", line(&n.message))).unwrap_or_default();
        let indent = "  ".repeat(step.path().depth());
        out.push(format!(
            "{} {took:>8}  {indent}{}. {}{title}{tries}{note}",
            tone.paint(&format!("{word:<10}")),
            step.number(),
            step.path()
        ));
        if matches!(step.standing(), Standing::Ended(outcome) if outcome != StepOutcome::Succeeded) {
            out.extend(detail(run, &step).iter().map(|text| format!("{:>20} {indent}{} {text}", "", Tone::Quiet.paint("│"))));
        }
    }
    out
}

fn decided(decision: &runbook_core::run::decision::Decision, people: &People) -> Vec<String> {
    let standing = match decision.standing {
        DecisionStanding::Open => Tone::Waiting.paint("open"),
        DecisionStanding::Granted => Tone::Good.paint("granted"),
        DecisionStanding::Rejected => Tone::Bad.paint("rejected"),
        DecisionStanding::Answered => Tone::Good.paint("answered"),
        DecisionStanding::Expired => Tone::Warning.paint("expired"),
        DecisionStanding::Voided => Tone::Warning.paint("void"),
        DecisionStanding::Withdrawn => Tone::Quiet.paint("withdrawn"),
    };
    let first = decision.request.question.trim().lines().next().unwrap_or_default();
    let mut out = vec![format!("{} {} {standing}: {}", decision.id, request::kind(&decision.purpose), line(first))];
    if let Some((who, since)) = runbook_engine::report::request::at_it(decision) {
        out.push(format!("   {who} is at it since {}", when(since)));
    }
    for vote in &decision.votes {
        let reason = vote.reason.as_ref().map(|r| format!(": {}", line(r))).unwrap_or_default();
        let proof = request::proof(vote);
        out.push(format!("   {} by {}{proof}{reason}", vote.choice.name(), line(&who(people, &vote.by))));
        out.extend(vote.notice.iter().map(|notice| format!("   {}", line(notice))));
        out.extend(crate::ui::words::values(&vote.answers).into_iter().map(|text| format!("   {text}")));
    }
    out
}

/// The one next command.
fn next(home: &Home, run: &Run, row: &RunRow) -> String {
    let id = &row.run;
    if let Some(outcome) = run.outcome() {
        return match &outcome.step {
            Some(step) if run.find_step(step).is_some_and(|s| s.attempt() > 0) => {
                format!("runbook logs {id} {}", shell_word(step.as_str()))
            }
            _ => format!("runbook verify {id}"),
        };
    }
    let first = run.decisions().iter().find(|d| d.is_open());
    let reader = home.identity(&run.plan().policy.people);
    match first.and_then(|decision| request::answer_for(run, decision, &reader, "")) {
        Some(command) => command,
        None if home.is_looked_after(row) => format!("runbook logs {id} --follow"),
        None => format!("runbook resume {id}"),
    }
}
