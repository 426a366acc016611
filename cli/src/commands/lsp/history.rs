//! What steps gave when they last ran, out of the record. Where there is no record, nothing is made and nothing is said.

use runbook_core::Value;
use runbook_core::expr::plain_text;
use runbook_core::limits;
use runbook_core::markdown;
use runbook_core::run::view::StepView;
use runbook_engine::journal::RunFilter;
use runbook_engine::log::LogSeal;

use crate::commands::store::Home;
use crate::settings::Settings;
use crate::ui::words::when;

/// The values of a step in the last run of its procedure that reached it, in Markdown.
pub fn last_values(procedure: &str, step: &str, settings: &Settings) -> Option<String> {
    settings.kept_state()?;
    let home = Home::open(settings).ok()?;
    let filter = RunFilter { procedure: Some(procedure.parse().ok()?), limit: 3, ..RunFilter::default() };
    for row in home.archive.runs(&filter).ok()? {
        let Ok((run, row)) = home.replay(&row.run) else { continue };
        let is_it = |view: &StepView| view.step().id.as_ref().is_some_and(|id| id.as_str() == step);
        let Some(given) = run.steps().filter(is_it).filter_map(|view| view.gives()).last() else { continue };
        let given = without_log(given);
        let of = format!("Last time, in run {} of {}:", row.run, when(row.summary.started_at));
        return Some(match given {
            Value::Map(members) => {
                let lines = members.iter().map(|(name, value)| format!("\n- {}: {}", markdown::code_in_editor(name), shown(value)));
                format!("{of}\n{}", lines.collect::<String>())
            }
            other => format!("{of} {}", shown(&other)),
        });
    }
    None
}

/// What an expression may read of it: records of earlier versions have the seal of the log among it.
fn without_log(given: Value) -> Value {
    match (LogSeal::of_result(&given), given) {
        (Some(_), Value::Map(mut members)) => {
            members.remove("log");
            Value::Map(members)
        }
        (_, given) => given,
    }
}

/// A value as code of one line.
fn shown(value: &Value) -> String {
    let text = if *value == Value::Null { "()".to_owned() } else { plain_text(value) };
    let line = text.trim();
    let cut = line.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= limits::EDITOR_VALUE_BYTES).last();
    let short = line.get(..cut.unwrap_or_default()).unwrap_or_default();
    let more = if short.len() < line.len() { "…" } else { "" };
    markdown::code_in_editor(&format!("{short}{more}"))
}
