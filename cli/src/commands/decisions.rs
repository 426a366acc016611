//! `runbook decisions`: what waits for a person, and what people have approved before they were asked.

use jiff::Timestamp;
use runbook_core::policy::Ahead;
use runbook_core::{ProcedureName, RunId};
use runbook_engine::journal::{DecisionFilter, OpenDecision};
use runbook_engine::report::listed;
use serde_json::json;

use super::store::Home;
use crate::args::Decisions;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::{between, elapsed, when};
use crate::ui::{Ui, line, request, table};

/// Decisions that are read at once.
const PAGE: usize = 500;
const NOTHING: &str = "nothing waits for a decision";

pub fn run(args: &Decisions, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    if let Some(procedure) = &args.ahead {
        return ahead(procedure, args.json, &home, ui);
    }
    let only = args.run.as_deref().map(|text| home.find(text)).transpose()?;
    match (&only, args.json) {
        (_, true) => each_open(&home, only.as_ref(), |decision| Ok(ui.data(&object(&home, &decision)?.to_string())?)),
        (Some(run), false) => screens(&home, run, ui),
        (None, false) => list(&home, args.limit.get(), ui),
    }?;
    Ok(Exit::Succeeded)
}

/// Visits what is open, a page at a time: thousands of runs can wait.
fn each_open(home: &Home, run: Option<&RunId>, mut visit: impl FnMut(OpenDecision) -> Result<(), Trouble>) -> Result<(), Trouble> {
    let mut filter = DecisionFilter { run: run.cloned(), after: None, limit: PAGE };
    loop {
        let page = home.archive.open_decisions(&filter)?;
        let last = page.last().map(|decision| (decision.run.clone(), decision.decision));
        let whole = page.len() == PAGE;
        page.into_iter().try_for_each(&mut visit)?;
        if !whole {
            return Ok(());
        }
        filter.after = last;
    }
}

fn object(home: &Home, decision: &OpenDecision) -> Result<serde_json::Value, Trouble> {
    let (run, _) = home.replay(&decision.run)?;
    let request = run.decision(decision.decision).map(|decision| &*decision.request);
    Ok(json!(listed::Decision::of(decision, request)))
}

/// All that the decisions of one run rest on.
fn screens(home: &Home, run: &RunId, ui: &mut Ui) -> Result<(), Trouble> {
    let (run, _) = home.replay(run)?;
    let now = home.clock.now();
    let open: Vec<_> = run.decisions().iter().filter(|d| d.is_open()).collect();
    if open.is_empty() {
        ui.say(NOTHING);
    }
    for decision in open {
        ui.data(&request::screen(&run, decision, now))?;
        ui.data("")?;
        let reader = home.identity(&run.plan().policy.people);
        if let Some(next) = request::answer_for(&run, decision, &reader, "") {
            ui.next(&next);
        }
    }
    Ok(())
}

/// A line each, the oldest first.
fn list(home: &Home, limit: usize, ui: &mut Ui) -> Result<(), Trouble> {
    let now = home.clock.now();
    let (mut lines, mut first, mut beyond) = (Vec::new(), None, 0_usize);
    each_open(home, None, |decision| {
        if lines.len() < limit {
            lines.push(cells(&decision, now));
            first.get_or_insert(decision.run);
        } else {
            beyond += 1;
        }
        Ok(())
    })?;
    let Some(first) = first else {
        ui.say(NOTHING);
        return Ok(());
    };
    let shown = lines.len();
    ui.data(&table(&["run", "id", "kind", "who", "time", "question"], lines))?;
    if beyond > 0 {
        ui.say(&format!("{beyond} more wait; `-n {}` lists them all", shown + beyond));
    }
    ui.next(&format!("runbook decisions {first}"));
    Ok(())
}

fn cells(decision: &OpenDecision, now: Timestamp) -> Vec<String> {
    let left = match decision.expires_at {
        Some(at) if at > now => format!("{} left", elapsed(between(now, at))),
        Some(_) => "over".to_owned(),
        None => "-".to_owned(),
    };
    let from = if decision.from.is_empty() { "anybody".to_owned() } else { line(&decision.from.join(", ")).into_owned() };
    vec![
        decision.run.to_string(),
        decision.decision.to_string(),
        request::kind(&decision.purpose).to_owned(),
        from,
        left,
        line(decision.question.trim().lines().next().unwrap_or_default()).into_owned(),
    ]
}

/// Approvals that wait for their question.
fn ahead(procedure: &ProcedureName, json: bool, home: &Home, ui: &mut Ui) -> Outcome {
    let mut rows = Vec::new();
    for kept in home.here()?.journal.aheads(procedure, home.clock.now())? {
        let ahead: Ahead = serde_json::from_value(kept.body).map_err(|why| Trouble::failed(why.to_string()))?;
        let ahead = Ahead { uses_left: kept.uses_left, ..ahead };
        if json {
            ui.data(&json!(ahead).to_string())?;
        }
        rows.push(vec![
            ahead.step.to_string(),
            ahead.version.to_string(),
            ahead.environment.as_deref().map_or_else(|| "-".to_owned(), |name| line(name).into_owned()),
            if ahead.inputs.is_some() { "certain" } else { "any" }.to_owned(),
            format!("{} of {}", ahead.uses_left, ahead.uses),
            when(ahead.expires),
            line(&ahead.by.person).into_owned(),
            line(&ahead.reason).into_owned(),
        ]);
    }
    match (rows.is_empty(), json) {
        (_, true) => {}
        (true, false) => ui.say(&format!("nothing of `{procedure}` is approved ahead of time")),
        (false, false) => {
            ui.data(&table(&["step", "version", "in", "inputs", "uses left", "until", "by", "reason"], rows))?;
            ui.say("a change of the procedure, of what it calls or of the workspace takes them back");
        }
    }
    Ok(Exit::Succeeded)
}
