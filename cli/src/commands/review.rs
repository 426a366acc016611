//! `runbook review`: what a change of the catalogue means, as one comment or as findings beside lines.

use runbook_core::diagnostic::Source;
use runbook_engine::catalogue::Catalogue;
use runbook_engine::report::review::{self as report, change, tests};
use runbook_engine::report::{annotations, comparison};
use runbook_engine::review::{Review, review};
use runbook_engine::revision::Repository;

use super::{check, diff};
use crate::args::{self, ReviewFormat};
use crate::exit::{Exit, Outcome};
use crate::settings::Settings;
use crate::ui::words::count;
use crate::ui::{Tone, Ui, line};

pub fn run(args: &args::Review, settings: &Settings, ui: &mut Ui) -> Outcome {
    let root = &settings.catalogue.value;
    let new = Catalogue::open(root)?;
    let here = Repository::around(root).map_err(diff::trouble)?;
    let revision = here.parting(&args.against).map_err(diff::trouble)?;
    let old = here.folder(&revision, root).map_err(diff::trouble)?;
    let options = check::options(args.env.clone().or_else(|| settings.environment.value.clone()));
    let judged = review(&old, &new, &options);
    let source = |name: &str| new.source(name).or_else(|| old.source(name));
    let prefix = here.prefix();
    match args.format {
        ReviewFormat::Text => ui.data(&text(&judged, source))?,
        ReviewFormat::Markdown => {
            let short: String = revision.chars().take(12).collect();
            let against = if revision == args.against { revision.clone() } else { format!("{} ({short})", args.against) };
            ui.data(report::to_markdown(&judged, &against, source).trim_end())?;
        }
        ReviewFormat::Sarif => ui.data(&annotations::to_sarif(&report::annotations(&judged, prefix, source)).to_string())?,
        ReviewFormat::Github => ui.raw(annotations::to_github(&report::annotations(&judged, prefix, source)).as_bytes())?,
        ReviewFormat::Gitlab => ui.data(&annotations::to_gitlab(&report::annotations(&judged, prefix, source)).to_string())?,
    }
    let objections = judged.objections();
    objections.iter().for_each(|objection| ui.say(&format!("{}: {}", Tone::Bad.paint("objection"), line(objection))));
    if objections.is_empty() {
        let changed = count(judged.procedures.len() as u64, "procedure means", "procedures mean");
        ui.say(&format!("{}: {changed} something else, and nothing speaks against it", Tone::Good.paint("reviewed")));
        return Ok(Exit::Succeeded);
    }
    Ok(Exit::Failed)
}

fn text<'s>(review: &Review, source: impl Fn(&str) -> Option<&'s Source>) -> String {
    let mut out = Vec::new();
    for procedure in &review.procedures {
        let tests = tests(procedure);
        let tests = if tests.is_empty() { tests } else { format!("; tests: {tests}") };
        out.push(format!("{}: {}{}", Tone::Strong.paint(&line(&procedure.name)), line(&change(procedure)), line(&tests)));
        out.extend(procedure.tests.missing.iter().map(|missing| format!("  {}", line(missing))));
    }
    for found in review.found() {
        let at = source(&found.source).map(|source| source.position(found.span.start)).unwrap_or_default();
        let place = format!("{}:{}:{}", found.source, at.line, at.column);
        out.push(format!("{}[{}] {}", line(&place), found.code.as_str(), line(&found.message)));
    }
    if out.is_empty() {
        out.push("no procedure means anything else".to_owned());
    }
    out.extend(comparison::left_out(&review.not_compared).map(|said| line(&said).into_owned()));
    out.join("\n")
}
