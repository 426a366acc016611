//! `runbook decisions`: what waits for a person, and what people have approved before they were asked.

use runbook_core::ProcedureName;
use runbook_core::policy::Ahead;
use serde_json::json;

use super::store::Home;
use crate::args::Decisions;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::{between, elapsed, when};
use crate::ui::{Ui, line, request, table};

pub fn run(args: &Decisions, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    if let Some(procedure) = &args.ahead {
        return ahead(procedure, args.json, &home, ui);
    }
    let only = args.run.as_deref().map(|text| home.find(text)).transpose()?;
    let open = home.journal.open_decisions(only.as_ref())?;
    if args.json {
        for decision in &open {
            let (run, _) = home.replay(&decision.run)?;
            let request = run.decision(decision.decision).map(|d| d.request.clone());
            let object = json!({
                "run": decision.run, "decision": decision.decision, "path": decision.path, "purpose": decision.purpose,
                "asked": decision.from, "asked_at": decision.asked_at, "expires_at": decision.expires_at,
                "request": request.as_deref(),
            });
            ui.data(&object.to_string())?;
        }
        return Ok(Exit::Succeeded);
    }
    if open.is_empty() {
        ui.say("nothing waits for a decision");
        return Ok(Exit::Succeeded);
    }
    let now = home.clock.now();
    if let Some(id) = &only {
        let (run, _) = home.replay(id)?;
        for decision in run.decisions().iter().filter(|d| d.is_open()) {
            ui.data(&request::screen(&run, decision, now))?;
            ui.data("")?;
            for command in request::answers(&run, decision).iter().take(1) {
                ui.next(command);
            }
        }
        return Ok(Exit::Succeeded);
    }
    let lines = open.iter().map(|decision| {
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
    });
    ui.data(&table(&["run", "id", "kind", "who", "time", "question"], lines.collect()))?;
    if let Some(first) = open.first() {
        ui.next(&format!("runbook decisions {}", first.run));
    }
    Ok(Exit::Succeeded)
}

/// Approvals that wait for their question.
fn ahead(procedure: &ProcedureName, json: bool, home: &Home, ui: &mut Ui) -> Outcome {
    let mut rows = Vec::new();
    for kept in home.journal.aheads(procedure, home.clock.now())? {
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
