//! `runbook runs`: one line per run, newest first.

use runbook_engine::journal::{RunFilter, RunRow};
use runbook_engine::report::listed;

use serde_json::json;

use super::store::Home;
use crate::args::Runs;
use crate::exit::{Exit, Outcome};
use crate::settings::Settings;
use crate::ui::narrate::run_word;
use crate::ui::words::{between, elapsed, when};
use crate::ui::{Tone, Ui, line, table};

pub fn run(args: &Runs, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    let filter =
        RunFilter { procedure: args.procedure.clone(), unfinished: args.open, limit: args.limit.get(), ..RunFilter::default() };
    let rows = home.archive.runs(&filter)?;
    if args.json {
        for row in &rows {
            ui.data(&json!(listed::Run::of(row, home.clock.now())).to_string())?;
        }
        return Ok(Exit::Succeeded);
    }
    if rows.is_empty() {
        let (said, next) = match (&args.procedure, args.open) {
            (None, false) => ("no runs yet", "runbook exec PROCEDURE"),
            (None, true) => ("every run has ended", "runbook runs"),
            (Some(_), _) => ("no run fits", "runbook runs"),
        };
        ui.say(said);
        ui.next(next);
        return Ok(Exit::Succeeded);
    }
    let now = home.clock.now();
    let lines = rows.iter().map(|row| {
        let summary = &row.summary;
        let took = elapsed(between(summary.started_at, summary.ended_at.unwrap_or(now)));
        vec![
            row.run.to_string(),
            format!("{} {}", summary.procedure, summary.version),
            summary.environment.as_deref().map(|e| line(e).into_owned()).unwrap_or_else(|| "-".to_owned()),
            standing(&home, row),
            when(summary.started_at),
            took,
            line(&summary.requested_by).into_owned(),
        ]
    });
    let head = ["run", "procedure", "in", "standing", "started", "took", "by"];
    ui.data(&table(&head, lines.collect()))?;
    if let Some(first) = rows.first() {
        ui.next(&format!("runbook show {}", first.run));
    }
    Ok(Exit::Succeeded)
}

fn standing(home: &Home, row: &RunRow) -> String {
    match (row.summary.outcome, row.standing(home.clock.now())) {
        (Some(kind), "ended") => {
            let (word, tone) = run_word(kind);
            tone.paint(word)
        }
        (_, "waiting") => {
            let count = row.open_decisions;
            Tone::Waiting.paint(&format!("waiting: {count} {}", if count == 1 { "decision" } else { "decisions" }))
        }
        (_, "interrupted") => Tone::Warning.paint("interrupted"),
        (_, "parked") => Tone::Waiting.paint("parked"),
        (_, phase) => phase.to_owned(),
    }
}
