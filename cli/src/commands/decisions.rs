//! `runbook decisions`: what waits for a person.

use serde_json::json;

use super::store::Home;
use crate::args::Decisions;
use crate::exit::{Exit, Outcome};
use crate::settings::Settings;
use crate::ui::words::{between, elapsed};
use crate::ui::{Ui, line, request, table};

pub fn run(args: &Decisions, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
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
